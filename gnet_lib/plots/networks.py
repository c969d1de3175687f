"""Networks of different papers, compared by what they need and what they reach."""

from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from gnet_lib._check import require_table, require_text
from gnet_lib.plots.style import (
    INK,
    LABEL,
    NOTE,
    PLAIN,
    SOFT,
    count_axis,
    finish,
    name_rows,
    new_figure,
    new_panels,
    short,
)

if TYPE_CHECKING:
    import pandas


def network_map(networks: "pandas.DataFrame", highlight: str = "GoogLeNet") -> Figure:
    """Networks by what they need and what they reach: multiply-adds, accuracy, parameters.

    Args:
        networks: one row a network, with the columns ``multiply-adds``, ``parameters`` and
            ``accuracy`` (percent). A circle's area is in proportion to the parameters.
        highlight: the network that is drawn in colour.

    Returns:
        The figure.

    Raises:
        ValueError: for a table without these columns, or a ``highlight`` that is no text.

    Example:
        >>> import pandas
        >>> from gnet_lib import plots
        >>> row = {"multiply-adds": 1.58e9, "parameters": 7e6, "accuracy": 69.8}
        >>> figure = plots.network_map(pandas.DataFrame([row], index=["GoogLeNet"]))
        >>> plots.alt_text(figure).split(": ")[1]
        'GoogLeNet 1.58 G, 69.8 %, 7 M.'
    """
    require_table("networks", networks, numbers=["multiply-adds", "parameters", "accuracy"])
    require_text("highlight", highlight)
    figure, axes = new_figure(3.5)
    networks = networks.sort_values("multiply-adds")
    rows = dict(zip(networks.index, networks.to_dict("records"), strict=True))
    most = networks["parameters"].max()
    for position, (name, row) in enumerate(rows.items()):
        radius = 30 * (row["parameters"] / most) ** 0.5  # in points
        above = position % 2 == 0  # by turns above and below, so that none collide
        _draw_network(axes, name, row, radius, above, name == highlight)
    axes.set_xscale("log")
    axes.margins(x=0.16, y=0.45)  # room for the circles and their names
    axes.set_xlabel("multiply-adds for one image (logarithmic)")
    axes.set_ylabel("top-1 accuracy, %")
    count_axis(axes.xaxis)
    axes.xaxis.set_minor_formatter(NullFormatter())
    legend = "A circle's area is\nthe number of parameters."
    axes.text(0.98, 0.05, legend, ha="right", fontsize=LABEL, transform=axes.transAxes)
    parts = "; ".join(
        f"{name} {short(row['multiply-adds'])}, {row['accuracy']:.1f} %, {short(row['parameters'])}"
        for name, row in rows.items()
    )
    return finish(
        figure,
        f"Multiply-adds, top-1 accuracy and parameters of {len(networks)} networks: {parts}.",
    )


def _draw_network(
    axes: Axes, name: str, row: dict, radius: float, above: bool, in_colour: bool
) -> None:
    """A circle of a radius in points, and beside it the network's name."""
    place = (row["multiply-adds"], row["accuracy"])
    face = PLAIN if in_colour else SOFT
    axes.scatter(*place, s=(2 * radius) ** 2, linewidth=0, color=face, alpha=0.85)
    axes.annotate(
        f"{name}\n{short(row['parameters'])}",
        place,
        (0, radius + 3 if above else -radius - 3),
        textcoords="offset points",
        ha="center",
        va="bottom" if above else "top",
        fontsize=LABEL,
        color=PLAIN if in_colour else INK,
    )


def price_bars(prices: "pandas.DataFrame", highlight: str = "GoogLeNet") -> Figure:
    """The same networks under several prices, one panel a price, so that the orders show.

    Args:
        prices: one row a network, one column a price; at least two of each. Each panel has
            a scale of its own.
        highlight: the network that is drawn in colour.

    Returns:
        The figure.

    Raises:
        ValueError: for a table that is too small or holds no numbers, or a ``highlight`` that is
            no text.

    Example:
        >>> import pandas
        >>> from gnet_lib import plots
        >>> prices = {"parameters": [61e6, 7e6], "multiply-adds": [0.7e9, 1.6e9]}
        >>> frame = pandas.DataFrame(prices, index=["AlexNet", "GoogLeNet"])
        >>> plots.alt_text(plots.price_bars(frame)).split("; ")[1]
        'by multiply-adds: AlexNet, GoogLeNet.'
    """
    require_table("prices", prices, numbers=None, at_least=2)
    if prices.shape[1] < 2:
        raise ValueError(f"prices must have at least two columns, but it has {prices.shape[1]}")
    require_text("highlight", highlight)
    figure, panels = new_panels(0.9 + 0.32 * len(prices), columns=prices.shape[1], sharey=True)
    colours = [PLAIN if name == highlight else SOFT for name in prices.index]
    orders = []
    for axes, (column, values) in zip(panels, prices.items(), strict=True):
        price = str(column)
        axes.barh(range(len(values)), values, 0.62, color=colours)
        for position, value in enumerate(values):
            axes.text(value, position, f" {short(value)}", va="center", fontsize=LABEL)
        axes.set_xlim(0, 1.45 * values.max())
        axes.set_title(price, loc="left", fontsize=NOTE)
        axes.xaxis.set_visible(False)
        axes.spines["bottom"].set_visible(False)
        axes.tick_params(axis="y", length=0)
        orders.append(
            f"by {' '.join(price.split())}: {', '.join(map(str, values.sort_values().index))}"
        )
    name_rows(panels[0], prices.index)
    return finish(figure, f"{len(prices)} networks, from the cheapest on, {'; '.join(orders)}.")
