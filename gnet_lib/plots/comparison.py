"""The fair comparison of four networks: search of a learning rate, and every run."""

from typing import TYPE_CHECKING

import matplotlib.ticker
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from gnet_lib.plots.style import COLOURS, INK, PLAIN, SOFT, finish, new_figure

if TYPE_CHECKING:
    import pandas

NETWORK_MARKS = {
    "naive": {"marker": "o", "markerfacecolor": "white"},
    "reduced": {"marker": "o", "markerfacecolor": PLAIN},
    "linear": {"marker": "D", "markerfacecolor": COLOURS["3x3"]},
    "narrow": {"marker": "s", "markerfacecolor": "white"},
}
"""How the four networks of the fair comparison are marked; naive ones are outlined."""


def rate_search(search: "pandas.DataFrame", highest: float = 1.0) -> Figure:
    """Loss on held-out images after training with each learning rate, a line a network.

    Args:
        search: columns ``network`` (of ``NETWORK_MARKS``), ``learning_rate``, ``loss``.
        highest: runs with a larger loss are named above the axes and not drawn.

    Returns:
        The figure.

    Example:
        >>> import pandas
        >>> from gnet_lib import plots
        >>> run = {"network": "naive", "learning_rate": 0.1, "loss": 0.30}
        >>> runs = [run, run | {"learning_rate": 0.2, "loss": 0.27}]
        >>> plots.alt_text(plots.rate_search(pandas.DataFrame(runs))).split(": ")[1]
        'naive 0.2.'
    """
    failed = search[search["loss"] > highest]
    search = search[search["loss"] <= highest]
    figure, axes = new_figure(2.9)
    best = []
    for network, rows in search.groupby("network", sort=False):
        rows = rows.sort_values("learning_rate")
        axes.plot(
            rows["learning_rate"],
            rows["loss"],
            color=INK,
            linewidth=1,
            markersize=6,
            markeredgecolor=INK,
            label=network,
            **NETWORK_MARKS[network],
        )
        best.append(f"{network} {rows.set_index('learning_rate')['loss'].idxmin():g}")
    note = ", ".join(
        f"{run.network} at {run.learning_rate:g} ({run.loss:.2f})" for run in failed.itertuples()
    )
    if note:
        axes.set_title(f"Not drawn, loss too high: {note}", loc="left", fontsize=8.5, color=SOFT)
    axes.set_xscale("log")
    axes.set_xticks(sorted({*search["learning_rate"], *failed["learning_rate"]}))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda rate, _: f"{rate:g}"))
    axes.xaxis.set_minor_locator(matplotlib.ticker.NullLocator())
    axes.set_xlabel("highest learning rate of the cycle")
    axes.set_ylabel("loss on held-out images")
    axes.legend(frameon=False)
    return finish(
        figure,
        (
            "Loss on held-out images against the learning rate. The rate with the lowest loss: "
            f"{', '.join(best)}." + (f" Too high to be drawn: {note}." if note else "")
        ),
    )


def comparison_dots(runs: "pandas.DataFrame") -> Figure:
    """Test accuracy of every run: a block a comparison, a row a network, a mark a seed.

    Args:
        runs: columns ``comparison``, ``network`` (of ``NETWORK_MARKS``) and ``accuracy``
            (0 to 1), in the order in which they are to stand.

    Returns:
        The figure.

    Example:
        >>> import pandas
        >>> from gnet_lib import plots
        >>> run = {"comparison": "equal epochs", "network": "naive", "accuracy": 0.91}
        >>> runs = [run, run | {"accuracy": 0.93}]
        >>> plots.alt_text(plots.comparison_dots(pandas.DataFrame(runs))).split(". ")[1]
        'equal epochs: naive 92.0 %.'
    """
    blocks = [
        (comparison, network, 100 * rows["accuracy"])
        for comparison, in_block in runs.groupby("comparison", sort=False)
        for network, rows in in_block.groupby("network", sort=False)
    ]
    names = list(dict.fromkeys(comparison for comparison, _, _ in blocks))
    figure, axes = new_figure(0.9 + 0.3 * len(blocks) + 0.25 * len(names))
    positions, sentences = [], {name: [] for name in names}
    for index, (comparison, network, percent) in enumerate(blocks):
        position = index + 0.9 * (names.index(comparison) + 1)
        positions.append(position)
        if not sentences[comparison]:
            axes.text(
                0,
                position - 0.8,
                comparison,
                transform=axes.get_yaxis_transform(),
                fontsize=9,
                color=PLAIN,
                va="center",
            )
        axes.plot(
            percent,
            [position] * len(percent),
            linestyle="",
            markersize=6.5,
            markeredgecolor=INK,
            **NETWORK_MARKS[network],
        )
        axes.plot(percent.mean(), position, "|", color=INK, markersize=16, markeredgewidth=1.6)
        sentences[comparison].append(f"{network} {percent.mean():.1f} %")
    axes.set_yticks(positions, [network for _, network, _ in blocks])
    axes.set_ylim(positions[-1] + 0.6, -0.3)
    axes.margins(x=0.06)
    axes.set_xlabel("test accuracy, % (a mark a seed; the upright line is their mean)")
    means = "; ".join(f"{name}: {' and '.join(each)}" for name, each in sentences.items())
    return finish(figure, f"Test accuracy of {len(runs)} runs, means over the seeds. {means}.")
