"""Figures of one Inception module: its layers, what its branches cost, and its reductions.

They fold over the module's ``Design``, so a variant is drawn like the paper's two.
"""

import re
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Patch, Rectangle

from gnet_lib import cost
from gnet_lib._check import require_bool, require_whole_number
from gnet_lib.design import (
    NAIVE,
    REDUCED,
    BranchLayer,
    Conv,
    Design,
    PlacedLayer,
    require_design,
    require_designs,
)
from gnet_lib.paper import InceptionWidths, require_widths
from gnet_lib.plots.style import (
    COLOURS,
    INK,
    branch_colour,
    count_axis,
    finish,
    new_figure,
    new_panels,
    readable_on,
    short,
)
from gnet_lib.shapes import inception_shapes

NUMBER_WORDS = {1: "one", 2: "two", 3: "three", 4: "four", 5: "five", 6: "six"}


def layer_text(layer: BranchLayer) -> str:
    """What is written into a layer's box: ``"3×3 conv"``."""
    text = re.sub(r"(?<=\d)x(?=\d)", "×", layer.label)
    return f"{text} conv" if isinstance(layer, Conv) else text


def is_filled(design: Design) -> bool:
    """The house rule: naive is outlined, everything else is filled."""
    return design.name != NAIVE.name


# --- the module --------------------------------------------------------------------------


def inception_diagram(
    in_channels: int,
    widths: InceptionWidths,
    design: Design = REDUCED,
    reveal: bool = True,
) -> Figure:
    """One Inception module from left to right, with the number of channels on every line.

    The bar on the right is the concatenated output, split in proportion to what each
    branch contributes. Its height is to scale, so that the bars of a naive and of a reduced
    module with the same input can be compared.

    Args:
        in_channels: channels of the module's input.
        widths: the module's widths.
        design: the module's design.
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
    in_channels = require_whole_number("in_channels", in_channels)
    layers = require_design(design).sized_layers(in_channels, require_widths(widths))
    require_bool("reveal", reveal)
    outputs = design.branch_channels(in_channels, widths)
    count = len(layers)
    middle = (count - 1) / 2
    figure, axes = new_figure(0.8 * count)
    axes.set_xlim(0, 10)
    axes.set_ylim(-0.6, count - 0.1)
    axes.axis("off")
    ends = dict.fromkeys(layers, middle)
    if reveal:
        tallest = max(NAIVE.out_channels(in_channels, widths), sum(outputs.values()))
        scale = (count - 0.2) / tallest
        ends = _draw_concatenation(axes, outputs, middle, scale, is_filled(design))
    else:
        axes.text(8.7, middle, "concatenated:\n? channels", va="center")
    text = f"input\n{in_channels}\nchannels"
    _draw_box(axes, 0.75, middle, text, INK, filled=False, size=(1.3, 1.2))
    for row, (name, placed) in enumerate(layers.items()):
        heights = middle, count - 1 - row, ends[name]
        _draw_branch(axes, heights, placed, branch_colour(name), is_filled(design))
    sentence = (
        f"The {design.name} Inception module: {in_channels} channels enter "
        f"{NUMBER_WORDS.get(count, count)} parallel branches"
    )
    if not reveal:
        return finish(figure, f"{sentence}, whose outputs are concatenated.")
    parts = ", ".join(f"{name} {channels}" for name, channels in outputs.items())
    return finish(
        figure,
        f"{sentence}, which put out {parts}; concatenated they are "
        f"{sum(outputs.values())} channels.",
    )


def _draw_branch(
    axes: Axes,
    heights: tuple[float, float, float],
    placed: list[PlacedLayer[int]],
    colour: str,
    filled: bool,
) -> None:
    """One branch at the heights of the input's middle, of its own line, and of its end."""
    middle, y, end_y = heights
    places, width = _layer_places(len(placed))
    # Out of the input, straight to the height of the branch, and along it.
    points = [(1.4, middle + (y - middle) / 4), (1.9, y), *((x, y) for x in places), (8.6, end_y)]
    for (x0, y0), (x1, y1) in pairwise(points):
        axes.plot((x0, x1), (y0, y1), color=colour, linewidth=1.6, zorder=1)
    for x, each in zip(places, placed, strict=True):
        _draw_box(axes, x, y, layer_text(each.layer), colour, filled, size=(width, 0.56))
    for (x0, x1), each in zip(pairwise(places), placed[:-1], strict=True):
        channels = str(each.out_channels)
        axes.text((x0 + x1) / 2, y + 0.08, channels, ha="center", va="bottom")


def _layer_places(count: int) -> tuple[list[float], float]:
    """Where the boxes of a branch stand, from left to right, and how wide they are."""
    if count <= 2:
        return [3.1, 6.3][-count:], 2.0
    left, right = 2.9, 7.3
    step = (right - left) / (count - 1)
    return [left + step * place for place in range(count)], min(2.0, step - 0.6)


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
    box = FancyBboxPatch(
        (x - width / 2, y - height / 2),
        width,
        height,
        boxstyle="round,pad=0.02,rounding_size=0.1",
        linewidth=1.6,
        zorder=2,
        facecolor=colour if filled else "white",
        edgecolor=colour,
    )
    axes.add_patch(box)
    ink = readable_on(colour) if filled else INK
    axes.text(x, y, text, ha="center", va="center", zorder=3, color=ink)


def _draw_concatenation(
    axes: Axes, outputs: dict[str, int], middle: float, scale: float, filled: bool
) -> dict[str, float]:
    """Draw the output as a bar of parts; return the height at which each branch ends."""
    whole = sum(outputs.values())
    top, ends = middle + whole * scale / 2, {}
    axes.text(8.85, top + 0.15, f"{whole} channels out", ha="center", va="bottom")
    for name, channels in outputs.items():
        height, colour = channels * scale, branch_colour(name)
        part = Rectangle(
            (8.6, top - height),
            0.5,
            height,
            zorder=2,
            linewidth=1.6,
            facecolor=colour if filled else "white",
            edgecolor=colour,
        )
        axes.add_patch(part)
        ends[name] = top - height / 2
        axes.text(9.25, ends[name], str(channels), va="center")
        top -= height
    return ends


# --- its cost ----------------------------------------------------------------------------


def branch_cost_bars(
    in_channels: int,
    widths: InceptionWidths,
    size: int,
    designs: tuple[Design, Design] = (NAIVE, REDUCED),
) -> Figure:
    """Multiply-adds of each branch, naive above reduced, on one scale.

    Args:
        in_channels: channels of the module's input.
        widths: the module's widths.
        size: height and width of the map in pixels.
        designs: what to compare; the first is outlined, the second filled.

    Returns:
        The figure.

    Raises:
        ValueError: for a bad argument.

    Example:
        >>> from gnet_lib import WIDTHS, plots
        >>> figure = plots.branch_cost_bars(192, WIDTHS["3a"], size=28)
        >>> plots.alt_text(figure).split("; ")[1]
        '3x3 173 M against 101 M'
    """
    require_designs(designs, count=2)
    first, second = (cost.inception_cost(in_channels, widths, size, each) for each in designs)
    branches = list(dict.fromkeys([*first, *second]))
    figure, axes = new_figure(2.7)
    sentences = []
    for position, name in enumerate(branches):
        colour, numbers = branch_colour(name), []
        for offset, costs, face in ((-0.2, first, "white"), (0.2, second, colour)):
            value = costs.get(name, cost.Cost()).multiply_adds
            axes.barh(position + offset, value, 0.36, color=face, edgecolor=colour, linewidth=1.4)
            axes.text(value, position + offset, f" {short(value)}", va="center", fontsize=8.5)
            numbers.append(short(value))
        sentences.append(f"{name} {' against '.join(numbers)}")
    axes.set_yticks(range(len(branches)), branches)
    axes.invert_yaxis()
    axes.set_xlabel("multiply-adds for one image")
    count_axis(axes.xaxis)
    outlined, filled = (design.name for design in designs)
    axes.legend(
        handles=[
            Patch(facecolor="white", edgecolor=INK, label=f"{outlined} (outlined)"),
            Patch(facecolor=INK, edgecolor=INK, label=f"{filled} (filled)"),
        ],
        frameon=False,
        loc="lower right",
    )
    parts = "; ".join(sentences)
    return finish(figure, f"Multiply-adds of each branch, {outlined} against {filled}: {parts}.")


# --- its reductions ----------------------------------------------------------------------


def reduced_branches(design: Design = REDUCED) -> dict[str, tuple[Conv, Conv]]:
    """The branches of a reduction and one convolution behind it: name -> the two."""
    found = {}
    for name, layers in design.branches.items():
        match layers:
            case (Conv(kernel_size=1) as reduction, Conv() as convolution):
                found[name] = (reduction, convolution)
    return found


def reduction_lines(in_channels: int, widths: InceptionWidths) -> Figure:
    """Weights of a module's reduced branches against the width of their reduction.

    Weights are multiply-adds for one pixel. The width of the table and the break-even with
    the direct branch are marked.

    Args:
        in_channels: channels of the module's input.
        widths: the module's widths.

    Returns:
        The figure.

    Raises:
        ValueError: for a bad argument.

    Example:
        >>> from gnet_lib import WIDTHS, plots
        >>> plots.alt_text(plots.reduction_lines(192, WIDTHS["3a"])).split(": ")[1]
        '3x3 chosen 96, break-even 164.6; 5x5 chosen 16, break-even 154.8.'
    """
    require_whole_number("in_channels", in_channels)
    require_widths(widths)
    figure, axes = new_figure(2.9)
    sentences = []
    for name, (reduction, convolution) in reduced_branches().items():
        colour, reduce = COLOURS[name], getattr(widths, reduction.width)
        direct = cost.conv_cost(
            in_channels, getattr(widths, convolution.width), convolution.kernel_size, output_size=1
        ).weights
        even = _break_even(in_channels, direct)
        slope = direct / even
        axes.plot((0, in_channels), (0, slope * in_channels), color=colour)
        axes.plot((0, in_channels), (direct, direct), color=colour, linewidth=0.8)
        axes.plot(reduce, slope * reduce, "o", color=colour)
        axes.plot(even, direct, "|", color=INK, markersize=13, markeredgewidth=1.8)
        axes.text(reduce + 4, slope * reduce, f"chosen: {reduce}", va="top", fontsize=8.5)
        axes.text(even - 2, direct, f"{even:.1f}", ha="right", va="bottom", fontsize=8.5)
        label = f"{layer_text(convolution)}, direct"
        axes.text(2, direct, label, va="bottom", fontsize=8.5, color=colour)
        sentences.append(f"{name} chosen {reduce}, break-even {even:.1f}")
    axes.set_xlim(0, in_channels)
    axes.set_ylim(0)
    axes.set_xlabel("width of the reduction, channels")
    axes.set_ylabel("multiply-adds for one pixel")
    count_axis(axes.yaxis)
    return finish(
        figure,
        "Multiply-adds of the reduced branches grow in proportion to the width of the reduction "
        f"and cross those of the direct branches: {'; '.join(sentences)}.",
    )


def _break_even(in_channels: int, direct: int) -> float:
    """The width at which a reduction costs what it saves: r = k^2 c m / (c + k^2 m), chapter 3.

    ``direct`` are the k^2 c m weights of the convolution without the reduction.
    """
    return direct / (in_channels + direct / in_channels)


def break_even_dots() -> Figure:
    """The paper's eighteen reductions, each with the width at which it would cost nothing.

    The horizontal axis is the width of the reduction as a fraction of the input channels.

    Returns:
        The figure.

    Example:
        >>> from gnet_lib import plots
        >>> plots.alt_text(plots.break_even_dots()).split(' and ')[0]
        "The paper's 18 reductions"
    """
    branches, layers = reduced_branches(), inception_shapes()
    figure, panels = new_panels(3.2, columns=len(branches), sharey=True)
    closest = 0.0
    for axes, (name, (reduction, convolution)) in zip(panels, branches.items(), strict=True):
        colour = COLOURS[name]
        for position, layer in enumerate(layers):
            channels, widths = layer.in_channels, layer.row.widths
            out_channels = getattr(widths, convolution.width)
            weights = cost.conv_cost(channels, out_channels, convolution.kernel_size, 1).weights
            chosen = getattr(widths, reduction.width) / channels
            even = _break_even(channels, weights) / channels
            closest = max(closest, chosen / even)
            axes.plot((chosen, even), (position, position), color=colour, linewidth=1, alpha=0.5)
            axes.plot(chosen, position, "o", color=colour, markersize=6)
            axes.plot(even, position, "|", color=INK, markersize=11, markeredgewidth=1.8)
            if axes is panels[-1] and position == 0:  # one place says what the marks are
                axes.text(chosen + 0.03, 0.28, "chosen", fontsize=8.5, va="top")
                axes.text(even, 0.28, "break-even", fontsize=8.5, va="top", ha="center")
        axes.set_xlim(0, 1)
        title = f"{layer_text(convolution)} branches"
        axes.set_title(title, loc="left", fontsize=10, color=colour)
        axes.set_xlabel("reduction / input channels")
    panels[0].set_yticks(range(len(layers)), [layer.row.name for layer in layers])
    panels[0].set_ylim(len(layers) - 0.4, -0.6)
    return finish(
        figure,
        f"The paper's {len(branches) * len(layers)} reductions and their break-evens, as "
        "fractions of the input channels: the one that comes closest stands at "
        f"{closest:.0%} of its break-even.",
    )
