"""What the stopwatch says: measured times, and what the machine allows."""

from typing import TYPE_CHECKING

import matplotlib.ticker
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from gnet_lib.plots.style import COLOURS, INK, PLAIN, finish, new_figure

if TYPE_CHECKING:
    import pandas

    from gnet_lib.timing import Machine


def latency_bars(times: "pandas.DataFrame") -> Figure:
    """Measured time of naive and reduced modules, with the part that is max pooling.

    Args:
        times: one row a module, with the columns ``naive``, ``reduced`` and ``pooling``
            (milliseconds) and ``counted`` (naive over reduced multiply-adds).

    Returns:
        The figure.

    Example:
        >>> import pandas
        >>> from gnet_lib import plots
        >>> columns = ["naive", "reduced", "pooling", "counted"]
        >>> times = pandas.DataFrame([[9.0, 4.0, 1.0, 2.4]], index=["3a"], columns=columns)
        >>> plots.alt_text(plots.latency_bars(times)).split(", ")[0]
        'Measured time of one forward pass'
    """
    figure, axes = new_figure(3.1)
    for position, row in enumerate(times.itertuples()):
        for offset, value, face in ((-0.2, row.naive, "white"), (0.2, row.reduced, PLAIN)):
            axes.bar(position + offset, value, 0.36, color=face, edgecolor=INK, linewidth=1.1)
            axes.bar(
                position + offset,
                row.pooling,
                0.36,
                color=COLOURS["pool"],
                edgecolor=INK,
                linewidth=1.1,
            )
        axes.text(
            position,
            row.naive,
            f"{row.counted:.1f} → {row.naive / row.reduced:.1f}",
            ha="center",
            va="bottom",
            fontsize=8.5,
        )
    axes.set_xticks(range(len(times)), times.index)
    axes.set_ylabel("milliseconds a forward pass")
    axes.set_title("factor naive / reduced: counted → measured", loc="right", fontsize=9)
    axes.margins(y=0.12)
    axes.legend(
        handles=[
            Patch(facecolor="white", edgecolor=INK, label="naive"),
            Patch(facecolor=PLAIN, edgecolor=INK, label="reduced"),
            Patch(facecolor=COLOURS["pool"], edgecolor=INK, label="of it, max pooling"),
        ],
        frameon=False,
    )
    # Measured times differ between runs, so the sentence leaves them out.
    return finish(
        figure,
        (
            f"Measured time of one forward pass, naive beside reduced, for {len(times)} modules, "
            "with the part of the max pooling marked, and the factors counted and measured."
        ),
    )


def roofline(machine: "Machine", points: "pandas.DataFrame") -> Figure:
    """What the machine allows, and what the modules reach.

    Args:
        machine: its two limits.
        points: columns ``module``, ``kind`` (naive or reduced), ``intensity`` (operations
            a byte), ``whole`` and ``without pooling`` (operations a second).

    Returns:
        The figure.

    Example:
        >>> import pandas
        >>> from gnet_lib import Machine, plots
        >>> columns = ["module", "kind", "intensity", "whole", "without pooling"]
        >>> points = pandas.DataFrame([["3a", "reduced", 35.0, 4e10, 6e10]], columns=columns)
        >>> figure = plots.roofline(Machine(operations=1e11, bandwidth=1e10), points)
        >>> plots.alt_text(figure).split(", ")[0]
        'Roofline of this machine with 1 modules'
    """
    figure, axes = new_figure(3.4)
    grid = [1.2**step for step in range(30)]
    axes.plot(grid, [machine.limit(value) / 1e9 for value in grid], color=INK)
    for kind, face in (("naive", "white"), ("reduced", PLAIN)):
        chosen = points[points["kind"] == kind]
        axes.plot(
            chosen["intensity"],
            chosen["whole"] / 1e9,
            "o",
            color=INK,
            markersize=7,
            markerfacecolor=face,
            label=kind,
        )
        axes.plot(
            chosen["intensity"],
            chosen["without pooling"] / 1e9,
            "D",
            color=INK,
            markersize=3.5,
            markerfacecolor=face,
            label=f"{kind}, without pooling",
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.text(1.3, machine.limit(1) / 1e9, "memory is the limit", fontsize=8.5)
    axes.text(6, machine.operations / 1e9, "computing is the limit", va="bottom", fontsize=8.5)
    axes.margins(y=0.12)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter("")
    axes.set_xlabel("arithmetic intensity, operations a byte")
    axes.set_ylabel("billion operations a second")
    axes.legend(frameon=False, fontsize=8.5, loc="lower right")
    # Measured values differ between runs, so the sentence leaves them out.
    return finish(
        figure,
        (
            f"Roofline of this machine with {len(points)} modules, naive and reduced, with and "
            "without their max pooling, by arithmetic intensity and operations a second."
        ),
    )
