"""One Inception module: its diagram, what its branches cost, what its reductions save."""

from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Patch, Rectangle

from gnet_lib import cost
from gnet_lib.paper import (
    BRANCHES,
    InceptionWidths,
    LayerShape,
    inception_shapes,
    require_positive_int,
    require_widths,
)
from gnet_lib.plots.style import (
    COLOURS,
    INK,
    count_axis,
    finish,
    new_figure,
    new_panels,
    readable_on,
    short,
)

LAYER_NAMES = {"1x1": "1×1 conv", "3x3": "3×3 conv", "5x5": "5×5 conv", "pool": "3×3 max pool"}


def inception_diagram(
    in_channels: int, widths: InceptionWidths, naive: bool = False, reveal: bool = True
) -> Figure:
    """One Inception module from left to right, with the number of channels on every line.

    The bar on the right is the concatenated output, split in proportion to what each
    path contributes. Its height is to scale, so that the bars of a naive and of a reduced
    module with the same input can be compared.

    Args:
        in_channels: channels of the module's input.
        widths: the module's widths.
        naive: whether to draw the naive module.
        reveal: whether to show the output channels; without it, a reader can predict them.

    Returns:
        The figure.

    Raises:
        ValueError: for a bad argument.

    Example:
        >>> from gnet_lib import WIDTHS, plots
        >>> figure = plots.inception_diagram(192, WIDTHS["3a"])
        >>> plots.alt_text(figure).split("; ")[1]
        'concatenated they are 256 channels.'
    """
    figure, axes = new_figure(3.2)
    axes.set_xlim(0, 10)
    axes.set_ylim(-0.6, 3.9)
    axes.axis("off")
    outputs = path_outputs(in_channels, widths, naive)
    ends = dict.fromkeys(BRANCHES, 1.5)
    if reveal:
        tallest = widths.naive_out_channels(in_channels)
        ends = _draw_concatenation(axes, outputs, 3.8 / tallest, filled=not naive)
    else:
        axes.text(8.7, 1.5, "concatenated:\n? channels", va="center")
    _draw_box(
        axes, 0.75, 1.5, f"input\n{in_channels}\nchannels", INK, filled=False, size=(1.3, 1.2)
    )
    for y, name in zip((3, 2, 1, 0), BRANCHES, strict=True):
        layers = _path_layers(name, in_channels, widths, naive)
        _draw_path(axes, y, layers, COLOURS[name], ends[name], filled=not naive)
    kind = "naive" if naive else "reduced"
    sentence = f"The {kind} Inception module: {in_channels} channels enter four parallel paths"
    if not reveal:
        return finish(figure, f"{sentence}, whose outputs are concatenated.")
    parts = ", ".join(f"{name} {channels}" for name, channels in outputs.items())
    return finish(
        figure,
        (
            f"{sentence}, which put out {parts}; concatenated they are "
            f"{sum(outputs.values())} channels."
        ),
    )


def path_outputs(in_channels: int, widths: InceptionWidths, naive: bool = False) -> dict[str, int]:
    """Channels that each path of a module puts out.

    Args:
        in_channels: channels of the module's input.
        widths: the module's widths.
        naive: whether the module is the naive one.

    Returns:
        Path name -> channels, in the order 1x1, 3x3, 5x5, pool.

    Raises:
        ValueError: for a bad argument.

    Example:
        >>> from gnet_lib import WIDTHS, plots
        >>> plots.path_outputs(192, WIDTHS["3a"])
        {'1x1': 64, '3x3': 128, '5x5': 32, 'pool': 32}
    """
    in_channels = require_positive_int("in_channels", in_channels)
    require_widths(widths)
    pool = in_channels if naive else widths.pool_proj
    return {"1x1": widths.c1x1, "3x3": widths.c3x3, "5x5": widths.c5x5, "pool": pool}


def _path_layers(
    name: str, in_channels: int, widths: InceptionWidths, naive: bool
) -> list[tuple[str, int | None]]:
    """The layers of one path, each with the channels written behind it (the last has none)."""
    if naive or name == "1x1":
        return [(LAYER_NAMES[name], None)]
    if name == "pool":
        return [(LAYER_NAMES["pool"], in_channels), (LAYER_NAMES["1x1"], None)]
    reduce = widths.c3x3_reduce if name == "3x3" else widths.c5x5_reduce
    return [(LAYER_NAMES["1x1"], reduce), (LAYER_NAMES[name], None)]


def _draw_path(
    axes: Axes,
    y: float,
    layers: list[tuple[str, int | None]],
    colour: str,
    end_y: float,
    filled: bool,
) -> None:
    places = (3.1, 6.3)[-len(layers) :]
    # Out of the input, straight to the height of the path, and along it.
    points = [(1.4, 1.5 + (y - 1.5) / 4), (1.9, y), *((x, y) for x in places), (8.6, end_y)]
    for (x0, y0), (x1, y1) in pairwise(points):
        axes.plot((x0, x1), (y0, y1), color=colour, linewidth=1.6, zorder=1)
    for x, (text, channels) in zip(places, layers, strict=True):
        _draw_box(axes, x, y, text, colour, filled)
        if channels is not None:
            axes.text((places[0] + places[1]) / 2, y + 0.08, channels, ha="center", va="bottom")


def _draw_box(
    axes: Axes,
    x: float,
    y: float,
    text: str,
    colour: str,
    filled: bool,
    size: tuple[float, float] = (2.0, 0.56),
) -> None:
    width, height = size
    axes.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - height / 2),
            width,
            height,
            boxstyle="round,pad=0.02,rounding_size=0.1",
            linewidth=1.6,
            zorder=2,
            facecolor=colour if filled else "white",
            edgecolor=colour,
        )
    )
    axes.text(
        x,
        y,
        text,
        ha="center",
        va="center",
        zorder=3,
        color=readable_on(colour) if filled else INK,
    )


def _draw_concatenation(
    axes: Axes, outputs: dict[str, int], scale: float, filled: bool
) -> dict[str, float]:
    """Draw the output as a bar of four parts; return the height at which each path ends."""
    whole = sum(outputs.values())
    top, ends = 1.5 + whole * scale / 2, {}
    axes.text(8.85, top + 0.15, f"{whole} channels out", ha="center", va="bottom")
    for name, channels in outputs.items():
        height = channels * scale
        axes.add_patch(
            Rectangle(
                (8.6, top - height),
                0.5,
                height,
                zorder=2,
                linewidth=1.6,
                facecolor=COLOURS[name] if filled else "white",
                edgecolor=COLOURS[name],
            )
        )
        ends[name] = top - height / 2
        axes.text(9.25, ends[name], channels, va="center")
        top -= height
    return ends


def branch_cost_bars(in_channels: int, widths: InceptionWidths, size: int) -> Figure:
    """Multiply-adds of each path, naive above reduced, on one scale.

    Args:
        in_channels: channels of the module's input.
        widths: the module's widths.
        size: height and width of the map in pixels.

    Returns:
        The figure.

    Example:
        >>> from gnet_lib import WIDTHS, plots
        >>> figure = plots.branch_cost_bars(192, WIDTHS["3a"], size=28)
        >>> plots.alt_text(figure).split("; ")[1]
        '3x3 173 M against 101 M'
    """
    figure, axes = new_figure(2.7)
    naive = cost.inception_cost(in_channels, widths, size, naive=True)
    reduced = cost.inception_cost(in_channels, widths, size)
    for position, name in enumerate(BRANCHES):
        for offset, costs, face in ((-0.2, naive, "white"), (0.2, reduced, COLOURS[name])):
            value = costs[name].multiply_adds
            axes.barh(
                position + offset, value, 0.36, color=face, edgecolor=COLOURS[name], linewidth=1.4
            )
            axes.text(value, position + offset, f" {short(value)}", va="center", fontsize=8.5)
    axes.set_yticks(range(len(BRANCHES)), BRANCHES)
    axes.invert_yaxis()
    axes.set_xlabel("multiply-adds for one image")
    count_axis(axes.xaxis)
    _naive_and_reduced_legend(axes, loc="lower right")
    parts = "; ".join(
        f"{name} {short(naive[name].multiply_adds)} against {short(reduced[name].multiply_adds)}"
        for name in BRANCHES
    )
    return finish(figure, f"Multiply-adds of each path, naive against reduced: {parts}.")


def _naive_and_reduced_legend(axes: Axes, **where) -> None:
    axes.legend(
        handles=[
            Patch(facecolor="white", edgecolor=INK, label="naive (outlined)"),
            Patch(facecolor=INK, edgecolor=INK, label="reduced (filled)"),
        ],
        frameon=False,
        **where,
    )


def reduction_lines(in_channels: int, widths: InceptionWidths) -> Figure:
    """Weights of a module's reduced 3x3 and 5x5 paths against the width of their reduction.

    Weights are multiply-adds for one pixel. The width of the table and the break-even with
    the direct path are marked.

    Args:
        in_channels: channels of the module's input.
        widths: the module's widths.

    Returns:
        The figure.

    Example:
        >>> from gnet_lib import WIDTHS, plots
        >>> plots.alt_text(plots.reduction_lines(192, WIDTHS["3a"])).split(": ")[1]
        '3x3 chosen 96, break-even 164.6; 5x5 chosen 16, break-even 154.8.'
    """
    figure, axes = new_figure(2.9)
    sentences = []
    for name, reduce, out in (
        ("3x3", widths.c3x3_reduce, widths.c3x3),
        ("5x5", widths.c5x5_reduce, widths.c5x5),
    ):
        kernel_size = int(name[0])
        slope = in_channels + kernel_size**2 * out
        direct = kernel_size**2 * in_channels * out
        even = direct / slope
        axes.plot((0, in_channels), (0, slope * in_channels), color=COLOURS[name])
        axes.plot((0, in_channels), (direct, direct), color=COLOURS[name], linewidth=0.8)
        axes.plot(reduce, slope * reduce, "o", color=COLOURS[name])
        axes.plot(even, direct, "|", color=INK, markersize=13, markeredgewidth=1.8)
        axes.text(reduce + 4, slope * reduce, f"chosen: {reduce}", va="top", fontsize=8.5)
        axes.text(even - 2, direct, f"{even:.1f}", ha="right", va="bottom", fontsize=8.5)
        axes.text(
            2,
            direct,
            f"{LAYER_NAMES[name]}, direct",
            va="bottom",
            fontsize=8.5,
            color=COLOURS[name],
        )
        sentences.append(f"{name} chosen {reduce}, break-even {even:.1f}")
    axes.set_xlim(0, in_channels)
    axes.set_ylim(0)
    axes.set_xlabel("width of the reduction, channels")
    axes.set_ylabel("multiply-adds for one pixel")
    count_axis(axes.yaxis)
    return finish(
        figure,
        (
            "Multiply-adds of the reduced paths grow in proportion to the width of the reduction "
            f"and cross those of the direct paths: {'; '.join(sentences)}."
        ),
    )


def break_even_dots() -> Figure:
    """The paper's eighteen reductions, each with the width at which it would cost nothing.

    The horizontal axis is the width of the reduction as a share of the input channels.

    Returns:
        The figure.

    Example:
        >>> from gnet_lib import plots
        >>> plots.alt_text(plots.break_even_dots()).split(' and ')[0]
        "The paper's 18 reductions"
    """
    figure, panels = new_panels(3.2, columns=2, sharey=True)
    layers = inception_shapes()
    closest = 0.0
    for axes, name in zip(panels, ("3x3", "5x5"), strict=True):
        colour = COLOURS[name]
        for position, layer in enumerate(layers):
            chosen, even = _reduction_fractions(layer, name)
            closest = max(closest, chosen / even)
            axes.plot((chosen, even), (position, position), color=colour, linewidth=1, alpha=0.5)
            axes.plot(chosen, position, "o", color=colour, markersize=6)
            axes.plot(even, position, "|", color=INK, markersize=11, markeredgewidth=1.8)
        axes.set_xlim(0, 1)
        axes.set_title(f"{LAYER_NAMES[name]} paths", loc="left", fontsize=10, color=colour)
        axes.set_xlabel("reduction / input channels")
    chosen, even = _reduction_fractions(layers[0], "5x5")
    panels[1].text(chosen + 0.03, 0.28, "chosen", fontsize=8.5, va="top")
    panels[1].text(even, 0.28, "break-even", fontsize=8.5, va="top", ha="center")
    panels[0].set_yticks(range(len(layers)), [layer.row.name for layer in layers])
    panels[0].set_ylim(len(layers) - 0.4, -0.6)
    return finish(
        figure,
        (
            f"The paper's {2 * len(layers)} reductions and their break-evens, as shares of the "
            f"input channels: the one that comes closest stands at {closest:.0%} of its break-even."
        ),
    )


def _reduction_fractions(layer: LayerShape, name: str) -> tuple[float, float]:
    """Width of a path's reduction, chosen and at break-even, over the input channels."""
    widths, kernel_size = layer.row.widths, int(name[0])
    reduce, out = {
        "3x3": (widths.c3x3_reduce, widths.c3x3),
        "5x5": (widths.c5x5_reduce, widths.c5x5),
    }[name]
    # r = k^2 c m / (c + k^2 m), see chapter 3.
    weights = kernel_size**2 * out
    return reduce / layer.in_channels, weights / (layer.in_channels + weights)
