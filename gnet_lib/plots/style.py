"""The one place that knows the book's colours, sizes and fonts, and starts every figure.

House rules: the four branches of a module have four fixed colours (safe for the colour-blind,
after Okabe and Ito); naive is outlined, reduced is filled; things to be compared share one
scale; labels stand beside what they name.
"""

from collections.abc import Collection
from typing import Any, TypeAlias

import matplotlib
import matplotlib.colors
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from gnet_lib._check import require_text

COLOURS = {"1x1": "#0072B2", "3x3": "#D55E00", "5x5": "#009E73", "pool": "#CC79A7"}
"""One colour a branch, the same in every figure."""

INK, SOFT, WHITE = "#222222", "#8a8a8a", "white"
PLAIN = "#4a6fa5"  # for what belongs to no single branch
SPARE = "#E69F00"  # for a branch that the paper's module does not have
FACES = {"naive": WHITE, "reduced": PLAIN}
WIDTH = 7.2  # inches; the book's column

# Sizes of text in points: titles of panels and notes, labels beside their marks, small print.
TITLE, NOTE, LABEL, SMALL, TINY = 10, 9, 8.5, 8, 7.5

Look: TypeAlias = dict[str, Any]
"""What matplotlib is told about how something looks."""

# How a text stands to its place.
CENTRED: Look = {"ha": "center", "va": "center"}
ABOVE: Look = {"ha": "center", "va": "bottom"}

STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "figure.facecolor": WHITE,
    "legend.frameon": False,
    # The same figure gives the same file, so that a change of a file is a change of a figure.
    "svg.hashsalt": "gnet_lib",
}


def branch_colour(name: str) -> str:
    """The colour of a branch; one that the paper's module does not have gets the spare one.

    Args:
        name: of the branch.

    Returns:
        The colour, as ``"#rrggbb"``.

    Raises:
        ValueError: for a name that is no text.

    Example:
        >>> branch_colour("3x3")
        '#D55E00'
    """
    return COLOURS.get(require_text("name", name), SPARE)


def new_figure(height: float) -> tuple[Figure, Axes]:
    """An empty figure in the book's style, as wide as its column, with one pair of axes."""
    figure, (axes,) = new_panels(height, columns=1)
    return figure, axes


def new_panels(
    height: float, columns: int, rows: int = 1, sharey: bool = False
) -> tuple[Figure, list[Axes]]:
    """An empty figure in the book's style with several panels, row by row."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        panels = figure.subplots(rows, columns, sharey=sharey, squeeze=False)
    return figure, list(panels.flat)


def finish(figure: Figure, alt: str) -> Figure:
    """The figure with the sentence that says what it shows."""
    figure.set_label(alt)
    return figure


def name_rows(axes: Axes, names: Collection[str]) -> None:
    """Names along the vertical axis, the first one at the top."""
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()


def add_legend(axes: Axes, **options: Any) -> None:
    """A legend in the book's style, which has no frame."""
    axes.legend(frameon=False, **options)


def short(count: float) -> str:
    """A count in three digits: 128049152 -> '128 M'."""
    count = float(f"{count:.3g}")  # first, so that 999999 is written as '1 M'
    for unit, name in ((1e9, " G"), (1e6, " M"), (1e3, " K")):
        if count >= unit:
            return f"{count / unit:g}{name}"
    return f"{count:g}"


def count_axis(axis: Axis) -> None:
    """Write an axis of counts in three digits."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))


def plain_axis(axis: Axis) -> None:
    """Write the numbers of a logarithmic axis as they are, not as powers of ten."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))


def readable_on(colour: str) -> str:
    """White on the dark colours, ink on the light ones."""
    red, green, blue = matplotlib.colors.to_rgb(colour)
    return WHITE if 0.3 * red + 0.6 * green + 0.1 * blue < 0.48 else INK
