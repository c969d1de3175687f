"""The fair comparison of four networks: the search of a learning rate, and every run."""

from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from gnet_lib._check import require_choice, require_number, require_table
from gnet_lib.plots.style import (
    COLOURS,
    FACES,
    INK,
    LABEL,
    NOTE,
    PLAIN,
    SOFT,
    WHITE,
    Look,
    add_legend,
    finish,
    name_rows,
    new_figure,
    plain_axis,
)

if TYPE_CHECKING:
    import pandas

NETWORK_MARKS: dict[str, Look] = {
    "naive": {"marker": "o", "markerfacecolor": FACES["naive"]},
    "reduced": {"marker": "o", "markerfacecolor": FACES["reduced"]},
    "linear": {"marker": "D", "markerfacecolor": COLOURS["3x3"]},
    "narrow": {"marker": "s", "markerfacecolor": WHITE},
}
"""How the four networks of the fair comparison are marked; naive ones are outlined."""


def rate_search(search: "pandas.DataFrame", highest: float = 1.0) -> Figure:
    """Loss on held-out images after training with each learning rate, a line a network.

    Args:
        search: columns ``network`` (of ``NETWORK_MARKS``), ``learning_rate``, ``loss``.
        highest: runs with a larger loss are named above the axes and not drawn.

    Returns:
        The figure.

    Raises:
        ValueError: for a table without these columns, or a ``highest`` that is no number.

    Example:
        >>> import pandas
        >>> from gnet_lib import plots
        >>> run = {"network": "naive", "learning_rate": 0.1, "loss": 0.30}
        >>> runs = [run, run | {"learning_rate": 0.2, "loss": 0.27}]
        >>> plots.alt_text(plots.rate_search(pandas.DataFrame(runs))).split(": ")[1]
        'naive 0.2.'
    """
    require_table("search", search, words=["network"], numbers=["learning_rate", "loss"])
    _require_marks("search", search)
    require_number("highest", highest)
    figure, axes = new_figure(2.9)
    look = {"color": INK, "linewidth": 1, "markersize": 6, "markeredgecolor": INK}
    drawn, best = search[search["loss"] <= highest], []
    for network, rows in drawn.groupby("network", sort=False):
        losses = rows.set_index("learning_rate")["loss"].sort_index()
        axes.plot(losses.index, losses, **look, **NETWORK_MARKS[str(network)], label=network)
        best.append(f"{network} {losses.idxmin():g}")
    failed = ", ".join(
        f"{run['network']} at {run['learning_rate']:g} ({run['loss']:.2f})"
        for run in search.to_dict("records")
        if run["loss"] > highest
    )
    if failed:
        note = f"Not drawn, loss too high: {failed}"
        axes.set_title(note, loc="left", fontsize=LABEL, color=SOFT)
    axes.set_xscale("log")
    axes.set_xticks(sorted(set(search["learning_rate"])))
    plain_axis(axes.xaxis)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("highest learning rate of the cycle")
    axes.set_ylabel("loss on held-out images")
    add_legend(axes)
    return finish(
        figure,
        "Loss on held-out images against the learning rate. The rate with the lowest loss: "
        f"{', '.join(best)}." + (f" Too high to be drawn: {failed}." if failed else ""),
    )


def comparison_dots(runs: "pandas.DataFrame") -> Figure:
    """Test accuracy of every run: a block a comparison, a row a network, a mark a seed.

    Args:
        runs: columns ``comparison``, ``network`` (of ``NETWORK_MARKS``) and ``accuracy``
            (0 to 1), in the order in which they are to stand.

    Returns:
        The figure.

    Raises:
        ValueError: for a table without these columns.

    Example:
        >>> import pandas
        >>> from gnet_lib import plots
        >>> run = {"comparison": "equal epochs", "network": "naive", "accuracy": 0.91}
        >>> runs = [run, run | {"accuracy": 0.93}]
        >>> plots.alt_text(plots.comparison_dots(pandas.DataFrame(runs))).split(". ")[1]
        'equal epochs: naive 92.0 %.'
    """
    require_table("runs", runs, words=["comparison", "network"], numbers=["accuracy"])
    _require_marks("runs", runs)
    blocks = {
        str(comparison): {
            str(name): 100 * rows["accuracy"] for name, rows in block.groupby("network", sort=False)
        }
        for comparison, block in runs.groupby("comparison", sort=False)
    }
    names = [network for block in blocks.values() for network in block]
    figure, axes = new_figure(0.9 + 0.3 * len(names) + 0.25 * len(blocks))
    dots = {"linestyle": "", "markersize": 6.5, "markeredgecolor": INK}
    mean = {"marker": "|", "linestyle": "", "color": INK, "markersize": 16, "markeredgewidth": 1.6}
    heading = {"transform": axes.get_yaxis_transform(), "va": "center", "color": PLAIN}
    positions, sentences = [], []
    for number, (comparison, block) in enumerate(blocks.items(), start=1):
        gaps = 0.9 * number  # above this block and those before it
        axes.text(0, len(positions) + gaps - 0.8, comparison, **heading, fontsize=NOTE)
        for network, percent in block.items():
            positions.append(len(positions) + gaps)
            axes.plot(percent, positions[-1:] * len(percent), **dots, **NETWORK_MARKS[network])
            axes.plot(percent.mean(), positions[-1], **mean)
        means = (f"{network} {percent.mean():.1f} %" for network, percent in block.items())
        sentences.append(f"{comparison}: {' and '.join(means)}")
    axes.set_yticks(positions, names)
    axes.set_ylim(positions[-1] + 0.6, -0.3)
    axes.margins(x=0.06)
    axes.set_xlabel("test accuracy, % (a mark a seed; the upright line is their mean)")
    return finish(
        figure,
        f"Test accuracy of {len(runs)} runs, means over the seeds. {'; '.join(sentences)}.",
    )


def lead_intervals(leads: "pandas.DataFrame") -> Figure:
    """How far one of two networks is ahead in each comparison, with what chance leaves open.

    Args:
        leads: a row a comparison (the index is its name), with the columns ``lead``, ``low``
            and ``high`` in percentage points; from ``low`` to ``high`` goes the interval.

    Returns:
        The figure. A lead whose interval holds 0 is outlined, since nobody can tell who is ahead.

    Raises:
        ValueError: for a table without these columns, or a lead outside of its interval.

    Example:
        >>> import pandas
        >>> from gnet_lib import plots
        >>> lead = {"lead": 0.8, "low": 0.5, "high": 1.1}
        >>> figure = plots.lead_intervals(pandas.DataFrame([lead], index=["equal epochs"]))
        >>> plots.alt_text(figure).split(": ")[1]
        'equal epochs +0.80 (+0.50 to +1.10).'
    """
    require_table("leads", leads, numbers=["lead", "low", "high"])
    figure, axes = new_figure(0.9 + 0.42 * len(leads))
    axes.axvline(0, color=SOFT, linewidth=1)
    beside = {"textcoords": "offset points", "va": "center", "fontsize": NOTE}
    sentences = []
    columns = (leads[column].tolist() for column in ("lead", "low", "high"))
    for place, (name, lead, low, high) in enumerate(zip(leads.index, *columns, strict=True)):
        if not low <= lead <= high:
            raise ValueError(
                f"leads must lie within low and high, but that of {name} is {lead:g}, which is "
                f"not from {low:g} to {high:g}"
            )
        face = WHITE if low <= 0 <= high else PLAIN
        axes.plot([low, high], [place, place], color=INK, linewidth=1.6)
        axes.plot(lead, place, "o", color=face, markeredgecolor=INK, markersize=8, zorder=3)
        axes.annotate(f"{lead:+.2f}", (high, place), (8, 0), **beside)
        sentences.append(f"{name} {lead:+.2f} ({low:+.2f} to {high:+.2f})")
    name_rows(axes, [str(name) for name in leads.index])
    axes.set_ylim(len(leads) - 0.4, -0.6)
    axes.margins(x=0.14)
    axes.set_xlabel("lead of the network with reductions, in percentage points of test accuracy")
    return finish(
        figure,
        f"Lead and 95 % interval of {len(leads)} comparisons: {'; '.join(sentences)}.",
    )


def _require_marks(name: str, table: "pandas.DataFrame") -> None:
    for network in table["network"].unique():
        require_choice(f"each network of {name}", network, NETWORK_MARKS)
