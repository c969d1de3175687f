"""What the paper's modules and rows cost, as counted."""

import matplotlib.ticker
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from gnet_lib import cost
from gnet_lib.paper import TABLE_1, Convolution, InceptionRow
from gnet_lib.plots.style import (
    COLOURS,
    INK,
    PLAIN,
    SOFT,
    count_axis,
    finish,
    new_figure,
    new_panels,
    short,
)
from gnet_lib.shapes import inception_shapes, layer_shapes


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
    for position in range(len(frame)):
        axes.bar(
            position - 0.2, naive.iloc[position], 0.36, color="white", edgecolor=INK, linewidth=1.2
        )
        axes.bar(position + 0.2, reduced.iloc[position], 0.36, color=PLAIN, edgecolor=PLAIN)
        ratio = naive.iloc[position] / reduced.iloc[position]
        axes.text(
            position - 0.2,
            naive.iloc[position],
            f"{ratio:.1f}×",
            ha="center",
            va="bottom",
            fontsize=8.5,
        )
    axes.set_xticks(range(len(frame)), frame.index)
    axes.set_ylabel("multiply-adds, one image")
    count_axis(axes.yaxis)
    axes.legend(
        handles=[
            Patch(facecolor="white", edgecolor=INK, label="naive"),
            Patch(facecolor=PLAIN, label="reduced"),
        ],
        frameon=False,
    )
    ratios = naive / reduced
    return finish(
        figure,
        (
            f"Multiply-adds of the nine modules: naive costs {ratios.min():.1f} times "
            f"({ratios.idxmin()}) to {ratios.max():.1f} times ({ratios.idxmax()}) the reduced module."
        ),
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
    layers = inception_shapes()
    reduced = [layer.out_channels for layer in layers]
    axes.plot(naive.index, naive, color=INK, marker="o", markerfacecolor="white")
    axes.plot(naive.index, reduced, color=PLAIN, marker="o")
    axes.text(len(layers) - 0.8, naive.iloc[-1], f"naive\n{naive.iloc[-1]:,}", va="center")
    axes.text(len(layers) - 0.8, reduced[-1], f"reduced\n{reduced[-1]:,}", va="center", color=PLAIN)
    axes.set_xlim(-0.3, len(layers) + 0.4)
    axes.set_ylim(0)
    axes.set_ylabel("channels")
    axes.set_xlabel("after module")
    return finish(
        figure,
        (
            f"Channels after each of nine stacked modules: naive grows from {naive.iloc[0]} to "
            f"{naive.iloc[-1]:,}, reduced from {reduced[0]} to {reduced[-1]:,}."
        ),
    )


def network_cost_bars() -> Figure:
    """Where GoogLeNet's multiply-adds and parameters go: by row, the modules by path.

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
        for position, costs in enumerate(parts.values()):
            start = 0
            for name, part in costs.items():
                value = getattr(part, measure)
                axes.barh(position, value, 0.7, left=start, color=COLOURS.get(name, SOFT))
                start += value
            axes.text(start, position, f" {short(start)}", va="center", fontsize=8)
        axes.margins(x=0.18)
        count_axis(axes.xaxis)
        axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(4))
        axes.set_title(measure.replace("_", "-"), loc="left", fontsize=10)
    left.set_yticks(range(len(parts)), parts)
    left.invert_yaxis()
    right.legend(
        handles=[
            *(Patch(color=colour, label=f"{name} path") for name, colour in COLOURS.items()),
            Patch(color=SOFT, label="no path"),
        ],
        loc="upper right",
        fontsize=8,
        frameon=False,
    )
    rows = {row: cost.total(costs) for row, costs in parts.items()}
    whole = cost.total(rows)
    most_expensive = max(rows, key=lambda row: rows[row].multiply_adds)
    return finish(
        figure,
        (
            f"Multiply-adds and parameters of GoogLeNet by row. The most expensive row is {most_expensive} with "
            f"{100 * rows[most_expensive].multiply_adds / whole.multiply_adds:.0f} % of the multiply-adds; "
            f"the linear layer has {100 * rows['linear'].parameters / whole.parameters:.0f} % of "
            f"the parameters."
        ),
    )


def _cost_parts() -> dict[str, dict[str, cost.Cost]]:
    """Row -> path -> cost for GoogLeNet; rows outside the modules have one part."""
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
    frame = cost.compare_with_table_1()
    ratios = {
        "parameters": frame["printed parameters"].map(_printed_count) / frame["computed weights"],
        "operations": frame["printed operations"].map(_printed_count)
        / frame["computed multiply-adds"],
    }
    for position, row in enumerate(frame.index):
        beyond = [
            f"{what} {values[row]:.2f}" for what, values in ratios.items() if values[row] < low
        ]
        if beyond:
            axes.text(low + 0.001, position, f"← {', '.join(beyond)}", va="center", fontsize=8.5)
    axes.axvline(1, color=SOFT, linewidth=1)
    positions = range(len(frame))
    axes.plot(
        ratios["operations"],
        positions,
        "o",
        color=INK,
        markerfacecolor="white",
        markersize=9,
        label="operations",
    )
    axes.plot(ratios["parameters"], positions, "o", color=PLAIN, markersize=5, label="parameters")
    axes.set_xlim(low, high)
    axes.set_yticks(positions, frame.index)
    axes.invert_yaxis()
    axes.set_xlabel("printed / computed")
    axes.legend(loc="upper right", fontsize=8.5, frameon=False)
    within = {what: int(((values - 1).abs() < 0.01).sum()) for what, values in ratios.items()}
    return finish(
        figure,
        (
            f"Printed over computed counts of the {len(frame)} rows of Table 1: within 1 % of each other "
            f"are {within['operations']} operation counts and {within['parameters']} parameter counts; "
            f"conv1 prints {ratios['parameters']['conv1']:.2f} of its parameters and "
            f"{ratios['operations']['conv1']:.2f} of its operations."
        ),
    )


def _printed_count(text: str) -> float:
    """A count as Table 1 prints it: '159K' -> 162816."""
    return float(text[:-1]) * {"K": 1024, "M": 1e6}[text[-1]]
