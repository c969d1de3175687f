"""Draw the pictures that stand in pages and in the README, outside of notebooks.

python tools/draw_figures.py        # writes book/images/*.svg
"""

from pathlib import Path

from gnet_lib import plots
from gnet_lib.paper import WIDTHS

IMAGES = Path(__file__).resolve().parents[1] / "book" / "images"

# What follows the reader's light or dark mode: on a dark page, text without a colour of
# its own is light and the white ground is left out. Boxes keep their colours.
LIGHT_TEXT = b"#e6edf3"


def module() -> bytes:
    """The paper's module 3a, for light pages."""
    return plots.svg_bytes(plots.inception_diagram(192, WIDTHS["3a"]))


def for_dark_pages(svg: bytes) -> bytes:
    """The same picture without its white ground, and with light text outside of the boxes."""
    ground, root = b'style="fill: #ffffff"', b"<svg "
    assert svg.count(root) == 1 and svg.index(ground) < svg.index(b'id="axes_1"')
    without_ground = svg.replace(ground, b'style="fill: none"', 1)
    return without_ground.replace(root, root + b'fill="' + LIGHT_TEXT + b'" ')


FIGURES = {
    "inception_3a.svg": module,
    "inception_3a_dark.svg": lambda: for_dark_pages(module()),
}


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    for name, picture in FIGURES.items():
        (IMAGES / name).write_bytes(picture())
        print(f"wrote book/images/{name}")
