"""Draw the picture that appears where somebody shares a link to the book.

    python tools/draw_social_card.py        # writes book/_static/social_card.png

1200x630 pixels, the size that those who show such pictures ask for.
"""

from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from gnet_lib.plots import COLOURS, INK, SOFT, STYLE, png_bytes

CARD = Path(__file__).resolve().parents[1] / "book" / "_static" / "social_card.png"
WIDTH, HEIGHT, DPI = 1200, 630, 100
TITLE = "GoogLeNet,\nfrom the Inside"
LINES = (
    "The Inception module, taken apart\nand measured: naive and 1×1-reduced,\n"
    "in PyTorch, one runnable cell at a time"
)


def draw_branch(axes: Axes, y: float, name: str) -> None:
    """One branch of the module, from the common input to the common output."""
    colour = COLOURS[name]
    xs, ys = (700, 760, 830, 990, 1060, 1110), (325, y, y, y, y, 325)
    axes.plot(xs, ys, color=colour, linewidth=7, solid_joinstyle="round")
    box = FancyBboxPatch(
        (830, y - 34),
        160,
        68,
        boxstyle="round,pad=0,rounding_size=12",
        facecolor=colour,
        edgecolor="white",
        linewidth=4,
        zorder=3,
    )
    axes.add_patch(box)
    font = {"fontsize": 21, "fontweight": "bold", "color": "white"}
    axes.text(910, y - 2, name.replace("x", "×"), font, ha="center", va="center", zorder=4)


def draw_words(axes: Axes) -> None:
    """Title and what the book is, on the left."""
    axes.text(70, 500, TITLE, fontsize=42, fontweight="bold", color=INK, va="top", linespacing=1.15)
    axes.text(70, 300, LINES, fontsize=17.5, color="#444444", va="top", linespacing=1.5)
    axes.text(70, 95, "A free book · arXiv 1409.4842", fontsize=15, color="#666666", va="top")


def social_card() -> Figure:
    """The whole picture; one unit of its axes is one pixel."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH / DPI, HEIGHT / DPI), dpi=DPI)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_xlim(0, WIDTH)
        axes.set_ylim(0, HEIGHT)
        axes.axis("off")
        band = WIDTH // 4
        for number, (name, colour) in enumerate(COLOURS.items()):
            left = number * band
            axes.axvspan(left, left + band, ymax=14 / HEIGHT, color=colour, linewidth=0)
            draw_branch(axes, 535 - 140 * number, name)
        for x in (700, 1110):
            axes.plot(x, 325, "o", color=SOFT, markersize=26, zorder=3)
        draw_words(axes)
    return figure


if __name__ == "__main__":
    CARD.write_bytes(png_bytes(social_card(), dpi=DPI))
    print("wrote book/_static/social_card.png")
