"""Draw the book's logo and favicon: four parallel paths that leave one point and join again.

python tools/draw_logo.py        # writes book/_static/logo.svg and favicon.svg
"""

from pathlib import Path

STATIC = Path(__file__).resolve().parents[1] / "book" / "_static"

# The fixed colours of the four branches, the same as in gnet_lib.plots.
PATH_COLOURS = {"1x1": "#0072B2", "3x3": "#D55E00", "5x5": "#009E73", "pool": "#CC79A7"}

# Start and end of the paths, and the height each passes the middle at, in a 64 x 64 square.
START, END, MIDDLE = (8, 32), (56, 32), (8, 24, 40, 56)


def path_element(colour: str, height: float) -> str:
    """One path: out of the start, level through its own square, into the end."""
    (x0, y0), (x1, y1) = START, END
    bend = f"M{x0} {y0}C{x0 + 8} {y0} {x0 + 6} {height} {x0 + 16} {height}H{x1 - 16}C{x1 - 6} {height} {x1 - 8} {y1} {x1} {y1}"
    square = f'<rect x="27" y="{height - 5}" width="10" height="10" rx="2" fill="{colour}"/>'
    return f'<path d="{bend}" fill="none" stroke="{colour}" stroke-width="4" stroke-linecap="round"/>{square}'


def mark() -> str:
    """The four paths with the two points they share."""
    paths = "".join(
        path_element(colour, height) for colour, height in zip(PATH_COLOURS.values(), MIDDLE)
    )
    ends = "".join(f'<circle cx="{x}" cy="{y}" r="5" fill="#7f8c98"/>' for x, y in (START, END))
    return paths + ends


def svg(title: str) -> str:
    """A whole SVG file; it has no background, so that it stands on light and dark pages."""
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64" width="64" height="64" role="img">'
        f"<title>{title}</title>{mark()}</svg>\n"
    )


if __name__ == "__main__":
    for name in ("logo.svg", "favicon.svg"):
        (STATIC / name).write_text(svg("Four parallel paths that join again"), encoding="utf-8")
        print(f"wrote book/_static/{name}")
