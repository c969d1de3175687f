"""Draw the book's logo and favicon: four parallel branches that leave one point and join again.

python tools/draw_logo.py        # writes book/_static/logo.svg and favicon.svg
"""

from pathlib import Path

from gnet_lib.plots import COLOURS

STATIC = Path(__file__).resolve().parents[1] / "book" / "_static"

# Start and end of the branches, and the height each passes the middle at, in a 64 x 64 square.
START, END, MIDDLE = (8, 32), (56, 32), (8, 24, 40, 56)


def branch(colour: str, height: float) -> str:
    """One branch: out of the start, level through its own square, into the end."""
    (x0, y0), (x1, y1) = START, END
    out = f"M{x0} {y0}C{x0 + 8} {y0} {x0 + 6} {height} {x0 + 16} {height}"
    back = f"H{x1 - 16}C{x1 - 6} {height} {x1 - 8} {y1} {x1} {y1}"
    stroke = f'stroke="{colour}" stroke-width="4" stroke-linecap="round"'
    square = f'<rect x="27" y="{height - 5}" width="10" height="10" rx="2" fill="{colour}"/>'
    return f'<path d="{out}{back}" fill="none" {stroke}/>{square}'


def mark() -> str:
    """The four branches with the two points they share."""
    branches = (
        branch(colour, height) for colour, height in zip(COLOURS.values(), MIDDLE, strict=True)
    )
    ends = (f'<circle cx="{x}" cy="{y}" r="5" fill="#7f8c98"/>' for x, y in (START, END))
    return "".join((*branches, *ends))


def svg(title: str) -> str:
    """A whole SVG file; it has no background, so that it stands on light and dark pages."""
    size = 'viewBox="0 0 64 64" width="64" height="64"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">'
        f"<title>{title}</title>{mark()}</svg>\n"
    )


if __name__ == "__main__":
    for name in ("logo.svg", "favicon.svg"):
        (STATIC / name).write_text(svg("Four parallel branches that join again"), encoding="utf-8")
        print(f"wrote book/_static/{name}")
