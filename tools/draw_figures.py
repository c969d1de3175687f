"""Draw the pictures that stand in pages and in the README, outside of notebooks.

    python tools/draw_figures.py        # writes book/images/*.svg
"""

from pathlib import Path

from gnet_lib import WIDTHS, plots

IMAGES = Path(__file__).resolve().parents[1] / "book" / "images"

FIGURES = {
    "inception_3a.svg": lambda: plots.inception_diagram(192, WIDTHS["3a"]),
}


def draw(name: str) -> bytes:
    """One picture as the bytes of its file; the same in every run."""
    return plots.svg_bytes(FIGURES[name]())


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    for name in FIGURES:
        (IMAGES / name).write_bytes(draw(name))
        print(f"wrote book/images/{name}")
