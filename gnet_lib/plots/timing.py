"""What the stopwatch says: measured times, and what the machine allows.

Measured values differ between runs, so the figures' sentences leave them out.
"""

from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator, NullFormatter

from gnet_lib._check import require_instance, require_table
from gnet_lib.plots.style import (
    ABOVE,
    COLOURS,
    FACES,
    INK,
    LABEL,
    NOTE,
    add_legend,
    finish,
    new_figure,
    plain_axis,
)
from gnet_lib.timing import Machine

if TYPE_CHECKING:
    import pandas


def latency_bars(times: "pandas.DataFrame") -> Figure:
    """Measured time of naive and reduced modules, with the part that is max pooling.

    Args:
        times: one row a module, with the columns ``naive``, ``reduced`` and ``pooling``
            (milliseconds) and ``counted`` (naive over reduced multiply-adds).

    Returns:
        The figure.

    Raises:
        ValueError: for a table without these columns.

    Example:
        >>> import pandas
        >>> from gnet_lib import plots
        >>> columns = ["naive", "reduced", "pooling", "counted"]
        >>> times = pandas.DataFrame([[9.0, 4.0, 1.0, 2.4]], index=["3a"], columns=columns)
        >>> plots.alt_text(plots.latency_bars(times)).split(", ")[0]
        'Measured time of one forward pass'
    """
    require_table("times", times, numbers=["naive", "reduced", "pooling", "counted"])
    figure, axes = new_figure(3.1)
    outline = {"edgecolor": INK, "linewidth": 1.1}
    for position, row in enumerate(times.to_dict("records")):
        for offset, kind in ((-0.2, "naive"), (0.2, "reduced")):
            axes.bar(position + offset, row[kind], 0.36, color=FACES[kind], **outline)
            axes.bar(position + offset, row["pooling"], 0.36, color=COLOURS["pool"], **outline)
        factors = f"{row['counted']:.1f} → {row['naive'] / row['reduced']:.1f}"
        axes.text(position, row["naive"], factors, **ABOVE, fontsize=LABEL)
    axes.set_xticks(range(len(times)), times.index)
    axes.set_ylabel("milliseconds a forward pass")
    axes.set_title("factor naive / reduced: counted → measured", loc="right", fontsize=NOTE)
    axes.margins(y=0.12)
    faces = FACES | {"of it, max pooling": COLOURS["pool"]}
    entries = [Patch(facecolor=face, edgecolor=INK, label=name) for name, face in faces.items()]
    add_legend(axes, handles=entries)
    return finish(
        figure,
        f"Measured time of one forward pass, naive beside reduced, for {len(times)} modules, "
        "with the part of the max pooling marked, and the factors counted and measured.",
    )


def roofline(machine: Machine, points: "pandas.DataFrame") -> Figure:
    """What the machine allows, and what the modules reach.

    Args:
        machine: its two limits.
        points: columns ``module``, ``kind`` (naive or reduced), ``intensity`` (operations
            a byte), ``whole`` and ``without pooling`` (operations a second).

    Returns:
        The figure.

    Raises:
        ValueError: for a table without these columns, or a machine that is none.

    Example:
        >>> import pandas
        >>> from gnet_lib import Machine, plots
        >>> columns = ["module", "kind", "intensity", "whole", "without pooling"]
        >>> points = pandas.DataFrame([["3a", "reduced", 35.0, 4e10, 6e10]], columns=columns)
        >>> figure = plots.roofline(Machine(operations=1e11, bandwidth=1e10), points)
        >>> plots.alt_text(figure).split(", ")[0]
        'Roofline of this machine with 1 modules'
    """
    require_instance("machine", machine, Machine, "a Machine, as measure_machine() returns it")
    numbers = ["intensity", "whole", "without pooling"]
    require_table("points", points, words=["module", "kind"], numbers=numbers)
    figure, axes = new_figure(3.4)
    grid = [1.2**step for step in range(30)]
    axes.plot(grid, [machine.limit(value) / 1e9 for value in grid], color=INK)
    for kind, face in FACES.items():
        chosen = points[points["kind"] == kind]
        for column, name, marker, size in (
            ("whole", kind, "o", 7),
            ("without pooling", f"{kind}, without pooling", "D", 3.5),
        ):
            look = {"color": INK, "markersize": size, "markerfacecolor": face}
            axes.plot(chosen["intensity"], chosen[column] / 1e9, marker, **look, label=name)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.text(1.3, machine.limit(1) / 1e9, "memory is the limit", fontsize=LABEL)
    axes.text(6, machine.operations / 1e9, "computing is the limit", va="bottom", fontsize=LABEL)
    axes.margins(y=0.12)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        plain_axis(axis)
        axis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("arithmetic intensity, operations a byte")
    axes.set_ylabel("billion operations a second")
    add_legend(axes, fontsize=LABEL, loc="lower right")
    return finish(
        figure,
        f"Roofline of this machine with {len(points)} modules, naive and reduced, with and "
        "without their max pooling, by arithmetic intensity and operations a second.",
    )
