"""Networks of different papers, compared by what they need and what they reach."""

from typing import TYPE_CHECKING

import matplotlib.ticker
from matplotlib.figure import Figure

from gnet_lib.plots.style import INK, PLAIN, SOFT, count_axis, finish, new_figure, new_panels, short

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

    Example:
        >>> import pandas
        >>> from gnet_lib import plots
        >>> row = {"multiply-adds": 1.58e9, "parameters": 7e6, "accuracy": 69.8}
        >>> figure = plots.network_map(pandas.DataFrame([row], index=["GoogLeNet"]))
        >>> plots.alt_text(figure).split(": ")[1]
        'GoogLeNet 1.58 G, 69.8 %, 7 M.'
    """
    figure, axes = new_figure(3.5)
    networks = networks.sort_values("multiply-adds")
    most = networks["parameters"].max()
    for position, (name, row) in enumerate(networks.iterrows()):
        radius = 30 * (row["parameters"] / most) ** 0.5  # in points
        axes.scatter(
            row["multiply-adds"],
            row["accuracy"],
            s=(2 * radius) ** 2,
            linewidth=0,
            color=PLAIN if name == highlight else SOFT,
            alpha=0.85,
        )
        side = 1 if position % 2 == 0 else -1  # by turns above and below, so that none collide
        axes.annotate(
            f"{name}\n{short(row['parameters'])}",
            (row["multiply-adds"], row["accuracy"]),
            (0, side * (radius + 3)),
            textcoords="offset points",
            ha="center",
            va="bottom" if side > 0 else "top",
            fontsize=8.5,
            color=PLAIN if name == highlight else INK,
        )
    axes.set_xscale("log")
    axes.margins(x=0.16, y=0.45)  # room for the circles and their names
    axes.set_xlabel("multiply-adds for one image (logarithmic)")
    axes.set_ylabel("top-1 accuracy, %")
    count_axis(axes.xaxis)
    axes.xaxis.set_minor_formatter(matplotlib.ticker.NullFormatter())
    axes.text(
        0.98,
        0.05,
        "A circle's area is\nthe number of parameters.",
        ha="right",
        fontsize=8.5,
        transform=axes.transAxes,
    )
    parts = "; ".join(
        f"{name} {short(row['multiply-adds'])}, {row['accuracy']:.1f} %, {short(row['parameters'])}"
        for name, row in networks.iterrows()
    )
    return finish(
        figure,
        f"Multiply-adds, top-1 accuracy and parameters of {len(networks)} networks: {parts}.",
    )


def price_bars(prices: "pandas.DataFrame", highlight: str = "GoogLeNet") -> Figure:
    """The same networks under several prices, one panel a price, so that the orders show.

    Args:
        prices: one row a network, one column a price; at least two of each. Each panel has
            a scale of its own.
        highlight: the network that is drawn in colour.

    Returns:
        The figure.

    Example:
        >>> import pandas
        >>> from gnet_lib import plots
        >>> prices = {"parameters": [61e6, 7e6], "multiply-adds": [0.7e9, 1.6e9]}
        >>> frame = pandas.DataFrame(prices, index=["AlexNet", "GoogLeNet"])
        >>> plots.alt_text(plots.price_bars(frame)).split("; ")[1]
        'by multiply-adds: AlexNet, GoogLeNet.'
    """
    figure, panels = new_panels(0.9 + 0.32 * len(prices), columns=prices.shape[1], sharey=True)
    for axes, column in zip(panels, prices.columns, strict=True):
        values = prices[column]
        colours = [PLAIN if name == highlight else SOFT for name in prices.index]
        axes.barh(range(len(prices)), values, 0.62, color=colours)
        for position, value in enumerate(values):
            axes.text(value, position, f" {short(value)}", va="center", fontsize=8.5)
        axes.set_xlim(0, 1.45 * values.max())
        axes.set_title(column, loc="left", fontsize=9)
        axes.xaxis.set_visible(False)
        axes.spines["bottom"].set_visible(False)
        axes.tick_params(axis="y", length=0)
    panels[0].set_yticks(range(len(prices)), prices.index)
    panels[0].invert_yaxis()
    orders = "; ".join(
        f"by {' '.join(column.split())}: {', '.join(prices[column].sort_values().index)}"
        for column in prices.columns
    )
    return finish(figure, f"{len(prices)} networks, from the cheapest on, {orders}.")
