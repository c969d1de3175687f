"""What the paper's modules and rows cost, as counted."""

from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from gnet_lib import cost
from gnet_lib.paper import TABLE_1, Convolution, InceptionRow
from gnet_lib.plots.style import (
    ABOVE,
    COLOURS,
    INK,
    LABEL,
    PLAIN,
    SMALL,
    SOFT,
    TITLE,
    WHITE,
    Look,
    add_legend,
    count_axis,
    finish,
    name_rows,
    new_figure,
    new_panels,
    short,
)
from gnet_lib.shapes import inception_shapes, layer_shapes

if TYPE_CHECKING:
    import pandas


def module_cost_bars() -> Figure:
    """Multiply-adds of the paper's nine modules, naive beside reduced, on one scale.

    Returns:
        The figure.

    Example:
        >>> from gnet_lib import plots
        >>> plots.alt_text(plots.module_cost_bars()).split(':')[0]
        'Multiply-adds of the nine modules'
    """
    figure, axes = new_figure(2.9)
    frame = cost.compare_modules().drop(index="all")
    naive, reduced = frame["naive multiply-adds"], frame["reduced multiply-adds"]
    outlined: Look = {"facecolor": WHITE, "edgecolor": INK}
    for position, (wide, narrow) in enumerate(zip(naive, reduced, strict=True)):
        axes.bar(position - 0.2, wide, 0.36, linewidth=1.2, **outlined)
        axes.bar(position + 0.2, narrow, 0.36, color=PLAIN, edgecolor=PLAIN)
        axes.text(position - 0.2, wide, f"{wide / narrow:.1f}×", **ABOVE, fontsize=LABEL)
    axes.set_xticks(range(len(frame)), frame.index)
    axes.set_ylabel("multiply-adds, one image")
    count_axis(axes.yaxis)
    entries = [Patch(**outlined, label="naive"), Patch(facecolor=PLAIN, label="reduced")]
    add_legend(axes, handles=entries)
    ratios = naive / reduced
    return finish(
        figure,
        f"Multiply-adds of the nine modules: naive costs {ratios.min():.1f} times "
        f"({ratios.idxmin()}) to {ratios.max():.1f} times ({ratios.idxmax()}) the reduced module.",
    )


def channel_growth() -> Figure:
    """Channels after each module: stacked naive modules against the paper's network.

    Returns:
        The figure.

    Example:
        >>> from gnet_lib import plots
        >>> plots.alt_text(plots.channel_growth()).split(":")[0]
        'Channels after each of nine stacked modules'
    """
    figure, axes = new_figure(2.7)
    naive = cost.stacked_naive_costs().drop(index="all")["out_channels"]
    reduced = [layer.out_channels for layer in inception_shapes()]
    first, last = naive.iloc[0], naive.iloc[-1]
    axes.plot(naive.index, naive, color=INK, marker="o", markerfacecolor=WHITE)
    axes.plot(naive.index, reduced, color=PLAIN, marker="o")
    axes.text(len(reduced) - 0.8, last, f"naive\n{last:,}", va="center")
    axes.text(
        len(reduced) - 0.8, reduced[-1], f"reduced\n{reduced[-1]:,}", va="center", color=PLAIN
    )
    axes.set_xlim(-0.3, len(reduced) + 0.4)
    axes.set_ylim(0)
    axes.set_ylabel("channels")
    axes.set_xlabel("after module")
    return finish(
        figure,
        f"Channels after each of nine stacked modules: naive grows from {first} to {last:,}, "
        f"reduced from {reduced[0]} to {reduced[-1]:,}.",
    )


def network_cost_bars() -> Figure:
    """Where GoogLeNet's multiply-adds and parameters go: by row, the modules by branch.

    Returns:
        The figure.

    Example:
        >>> from gnet_lib import plots
        >>> plots.alt_text(plots.network_cost_bars()).split('. ')[0]
        'Multiply-adds and parameters of GoogLeNet by row'
    """
    figure, (left, right) = new_panels(3.8, columns=2, sharey=True)
    parts = _cost_parts()
    for axes, measure in ((left, "multiply_adds"), (right, "parameters")):
        _draw_parts(axes, parts, measure)
    name_rows(left, parts)
    entries = [Patch(color=colour, label=f"{name} branch") for name, colour in COLOURS.items()]
    entries.append(Patch(color=SOFT, label="no branch"))
    add_legend(right, handles=entries, loc="upper right", fontsize=SMALL)
    rows = {row: cost.total(costs) for row, costs in parts.items()}
    whole = cost.total(rows)
    dearest = max(rows, key=lambda row: rows[row].multiply_adds)
    work = 100 * rows[dearest].multiply_adds / whole.multiply_adds
    weights = 100 * rows["linear"].parameters / whole.parameters
    return finish(
        figure,
        "Multiply-adds and parameters of GoogLeNet by row. The most expensive row is "
        f"{dearest} with {work:.0f} % of the multiply-adds; "
        f"the linear layer has {weights:.0f} % of the parameters.",
    )


def _cost_parts() -> dict[str, dict[str, cost.Cost]]:
    """Row -> branch -> cost for GoogLeNet; rows outside the modules have one part."""
    parts = {}
    for layer in layer_shapes(TABLE_1):
        if isinstance(layer.row, InceptionRow):
            parts[layer.row.name] = cost.inception_cost(
                layer.in_channels, layer.row.widths, layer.out_size
            )
        elif isinstance(layer.row, Convolution):
            parts[layer.row.name] = {"": cost.row_cost(layer)}
    parts["linear"] = {"": cost.network_cost()["linear"]}
    return parts


def _draw_parts(axes: Axes, parts: dict[str, dict[str, cost.Cost]], measure: str) -> None:
    """A bar a row, its parts one behind the other, with the sum at its end."""
    for position, costs in enumerate(parts.values()):
        start = 0
        for name, part in costs.items():
            value = getattr(part, measure)
            axes.barh(position, value, 0.7, left=start, color=COLOURS.get(name, SOFT))
            start += value
        axes.text(start, position, f" {short(start)}", va="center", fontsize=SMALL)
    axes.margins(x=0.18)
    count_axis(axes.xaxis)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.set_title(measure.replace("_", "-"), loc="left", fontsize=TITLE)


def printed_against_computed() -> Figure:
    """Table 1's printed counts over those that its widths give, row by row.

    Parameters are compared as weights without biases in thousands of 1,024, operations as
    multiply-adds in millions. Rows beyond the axis are named at its edge.

    Returns:
        The figure.

    Example:
        >>> from gnet_lib import plots
        >>> plots.alt_text(plots.printed_against_computed()).split(':')[0]
        'Printed over computed counts of the 12 rows of Table 1'
    """
    figure, axes = new_figure(3.3)
    low, high = 0.9, 1.07
    ratios = _printed_over_computed()
    parameters, operations = ratios["parameters"], ratios["operations"]
    for position, row in enumerate(ratios.index):
        beyond = [f"{name} {value:.2f}" for name, value in ratios.loc[row].items() if value < low]
        if beyond:
            text = f"← {', '.join(beyond)}"
            axes.text(low + 0.001, position, text, va="center", fontsize=LABEL)
    axes.axvline(1, color=SOFT, linewidth=1)
    positions = range(len(ratios))
    outlined: Look = {"color": INK, "markerfacecolor": WHITE, "markersize": 9}
    axes.plot(operations, positions, "o", **outlined, label="operations")
    axes.plot(parameters, positions, "o", color=PLAIN, markersize=5, label="parameters")
    axes.set_xlim(low, high)
    name_rows(axes, ratios.index)
    axes.set_xlabel("printed / computed")
    add_legend(axes, loc="upper right", fontsize=LABEL)
    within = ((ratios - 1).abs() < 0.01).sum()
    return finish(
        figure,
        f"Printed over computed counts of the {len(ratios)} rows of Table 1: within 1 % of each "
        f"other are {within['operations']} operation counts and {within['parameters']} parameter "
        f"counts; conv1 prints {parameters['conv1']:.2f} of its parameters and "
        f"{operations['conv1']:.2f} of its operations.",
    )


def _printed_over_computed() -> "pandas.DataFrame":
    frame = cost.compare_with_table_1()
    parameters = frame["printed parameters"].map(_printed_count) / frame["computed weights"]
    operations = frame["printed operations"].map(_printed_count) / frame["computed multiply-adds"]
    return parameters.to_frame("parameters").assign(operations=operations)


def _printed_count(text: str) -> float:
    """A count as Table 1 prints it: '159K' -> 162816."""
    return float(text[:-1]) * {"K": 1024, "M": 1e6}[text[-1]]
