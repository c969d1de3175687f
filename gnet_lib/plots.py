"""Every figure of the book, and the one place that knows its colours, sizes and fonts.

House rules: the four paths of a module have four fixed colours (safe for the colour-blind,
after Okabe and Ito); naive is outlined, reduced is filled; things to be compared share one
scale; labels stand beside what they name. Every function returns a matplotlib ``Figure``
whose label is a sentence that says what the figure shows: it is the figure's alt text, and
its numbers are computed from the same data. ``show`` puts the figure into a notebook.
"""

import base64
import itertools
from io import BytesIO
from typing import TYPE_CHECKING

import matplotlib
import matplotlib.colors
import matplotlib.ticker
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import FancyBboxPatch, Patch, Rectangle
from matplotlib.ticker import FuncFormatter

from gnet_lib import cost
from gnet_lib.paper import (
    AUX_AFTER,
    BRANCHES,
    TABLE_1,
    Convolution,
    InceptionRow,
    InceptionWidths,
    MaxPool,
    Row,
    LayerShape,
    inception_shapes,
    require_positive_int,
    require_widths,
    layer_shapes,
)

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes
    from torch import Tensor

    from gnet_lib.roofline import Machine
    from gnet_lib.training import History

COLOURS = {"1x1": "#0072B2", "3x3": "#D55E00", "5x5": "#009E73", "pool": "#CC79A7"}
"""One colour a path, the same in every figure."""

INK, SOFT = "#222222", "#8a8a8a"
PLAIN = "#4a6fa5"  # for what belongs to no single path
WIDTH = 7.2  # inches; the book's column

STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "figure.facecolor": "white",
    "legend.frameon": False,
    # The same figure gives the same file, so that a change of a file is a change of a figure.
    "svg.hashsalt": "gnet_lib",
}


def show(figure: Figure, image_format: str = "svg") -> None:
    """Display a figure in a notebook, as SVG (drawings) or PNG (photographs).

    Outside of a notebook the content is printed, which is long.

    Args:
        figure: what a function of this room returned.
        image_format: ``"svg"`` or ``"png"``.

    Raises:
        ValueError: for another format.

    Example:
        >>> show(break_even_dots())  # doctest: +ELLIPSIS
        {'image/svg+xml': '<?xml ... 'text/plain': "Figure: The paper's 18 reductions ...
    """
    from IPython.display import display

    if image_format not in ("svg", "png"):
        raise ValueError(f"image_format must be 'svg' or 'png', but it is {image_format!r}")
    if image_format == "svg":
        mime, data = "image/svg+xml", svg_bytes(figure).decode("utf-8")
    else:
        mime, data = "image/png", base64.b64encode(png_bytes(figure)).decode("ascii")
    alt = alt_text(figure)
    display({mime: data, "text/plain": f"Figure: {alt}"}, raw=True, metadata={"alt": alt})


def svg_bytes(figure: Figure) -> bytes:
    """A figure as the content of an SVG file; the same figure gives the same bytes.

    Args:
        figure: what a function of this room returned.

    Returns:
        What to write into a file whose name ends in .svg.

    Example:
        >>> svg_bytes(break_even_dots())[:5]
        b'<?xml'
    """
    return _rendered(figure, "svg", metadata={"Date": None})


def png_bytes(figure: Figure, dpi: int = 110) -> bytes:
    """A figure as the content of a PNG file.

    Args:
        figure: what a function of this room returned.
        dpi: pixels an inch.

    Returns:
        What to write into a file whose name ends in .png.

    Example:
        >>> png_bytes(break_even_dots())[1:4]
        b'PNG'
    """
    return _rendered(figure, "png", dpi=dpi)


def _rendered(figure: Figure, image_format: str, **options) -> bytes:
    picture = BytesIO()
    with matplotlib.rc_context(STYLE):
        if isinstance(figure.get_layout_engine(), ConstrainedLayoutEngine):
            # Each drawing would move the layout by a hair, so the first one settles it.
            figure.savefig(BytesIO(), format="svg")
            figure.set_layout_engine("none")
        figure.savefig(picture, format=image_format, **options)
    return picture.getvalue()


def alt_text(figure: Figure) -> str:
    """The sentence that says what a figure of this room shows.

    Args:
        figure: what a function of this room returned.

    Returns:
        The sentence, for those who cannot see the picture.

    Example:
        >>> from gnet_lib import WIDTHS
        >>> alt_text(inception_diagram(192, WIDTHS["3a"], reveal=False))
        'The reduced Inception module: 192 channels enter four parallel paths, whose outputs are concatenated.'
    """
    return figure.get_label()


def _new_figure(height: float, columns: int = 1, rows: int = 1, **options) -> tuple[Figure, "Axes"]:
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        axes = figure.subplots(rows, columns, **options)
    return figure, axes


def _finish(figure: Figure, alt: str) -> Figure:
    figure.set_label(alt)
    return figure


def _short(count: float) -> str:
    """A count in three digits: 128049152 -> '128 M'."""
    count = float(f"{count:.3g}")  # first, so that 999999 is written as '1 M'
    for unit, name in ((1e9, " G"), (1e6, " M"), (1e3, " K")):
        if count >= unit:
            return f"{count / unit:g}{name}"
    return f"{count:g}"


# --- diagrams ----------------------------------------------------------------------------

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
        >>> from gnet_lib import WIDTHS
        >>> figure = inception_diagram(192, WIDTHS["3a"])
        >>> alt_text(figure).split("; ")[1]
        'concatenated they are 256 channels.'
    """
    figure, axes = _new_figure(3.2)
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
    for y, name in zip((3, 2, 1, 0), BRANCHES):
        layers = _path_layers(name, in_channels, widths, naive)
        _draw_path(axes, y, layers, COLOURS[name], ends[name], filled=not naive)
    kind = "naive" if naive else "reduced"
    sentence = f"The {kind} Inception module: {in_channels} channels enter four parallel paths"
    if not reveal:
        return _finish(figure, f"{sentence}, whose outputs are concatenated.")
    parts = ", ".join(f"{name} {channels}" for name, channels in outputs.items())
    return _finish(
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
        >>> from gnet_lib import WIDTHS
        >>> path_outputs(192, WIDTHS["3a"])
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
    axes: "Axes",
    y: float,
    layers: list[tuple[str, int | None]],
    colour: str,
    end_y: float,
    filled: bool,
) -> None:
    places = (3.1, 6.3)[-len(layers) :]
    # Out of the input, straight to the height of the path, and along it.
    points = [(1.4, 1.5 + (y - 1.5) / 4), (1.9, y), *((x, y) for x in places), (8.6, end_y)]
    for (x0, y0), (x1, y1) in zip(points, points[1:]):
        axes.plot((x0, x1), (y0, y1), color=colour, linewidth=1.6, zorder=1)
    for x, (text, channels) in zip(places, layers):
        _draw_box(axes, x, y, text, colour, filled)
        if channels is not None:
            axes.text((places[0] + places[1]) / 2, y + 0.08, channels, ha="center", va="bottom")


def _draw_box(
    axes: "Axes",
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
        color=_readable_on(colour) if filled else INK,
    )


def _readable_on(colour: str) -> str:
    """White on the dark colours, ink on the light ones."""
    red, green, blue = matplotlib.colors.to_rgb(colour)
    return "white" if 0.3 * red + 0.6 * green + 0.1 * blue < 0.48 else INK


def _draw_concatenation(
    axes: "Axes", outputs: dict[str, int], scale: float, filled: bool
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


def network_diagram(
    rows: tuple[Row, ...] = TABLE_1, image_size: int = 224, aux: bool = True
) -> Figure:
    """A network from the image to the logits: height is map size, the number is channels.

    Args:
        rows: the table of the network.
        image_size: height and width of the image in pixels.
        aux: whether to mark where the auxiliary classifiers read: behind 4a and 4d, as far
            as the table has them.

    Returns:
        The figure.

    Example:
        >>> alt_text(network_diagram()).split(', ')[0]
        'The network row by row: 9 Inception modules behind a stem'
    """
    figure, axes = _new_figure(2.9)
    axes.axis("off")
    layers = list(layer_shapes(rows, image_size=image_size))
    heads = [layer.row.name for layer in layers if aux and layer.row.name in AUX_AFTER]
    for x, layer in enumerate(layers):
        _draw_layer(axes, x, layer)
        if layer.row.name in heads:
            axes.annotate(
                "auxiliary\nclassifier",
                (x, -0.62),
                (x, -2.0),
                ha="center",
                va="center",
                fontsize=8,
                arrowprops={"arrowstyle": "<-", "color": INK},
            )
    axes.text(len(layers) - 0.3, 0, "average pool,\nlinear", va="center", fontsize=8)
    axes.set_xlim(-0.8, len(layers) + 1.3)
    axes.set_ylim(-2.4, 3.2)
    modules = sum(isinstance(layer.row, InceptionRow) for layer in layers)
    last = layers[-1]
    read = "an auxiliary classifier reads" if len(heads) == 1 else "auxiliary classifiers read"
    return _finish(
        figure,
        (
            f"The network row by row: {modules} Inception modules behind a stem, from an image of "
            f"{image_size}x{image_size} pixels to {last.out_channels} maps of "
            f"{last.out_size}x{last.out_size}"
            + (f"; {read} behind {' and '.join(heads)}." if heads else ".")
        ),
    )


def _draw_layer(axes: "Axes", x: int, layer: LayerShape[Row]) -> None:
    colour = {Convolution: INK, MaxPool: "white", InceptionRow: PLAIN}[type(layer.row)]
    height = 0.5 + 2.2 * (layer.out_size / 112) ** 0.5
    axes.add_patch(
        Rectangle(
            (x - 0.36, -height / 2), 0.72, height, facecolor=colour, edgecolor=INK, linewidth=1
        )
    )
    light = isinstance(layer.row, MaxPool)
    axes.text(
        x,
        0,
        layer.row.name,
        rotation=90,
        ha="center",
        va="center",
        fontsize=8,
        color=INK if light else "white",
    )
    axes.text(
        x,
        height / 2 + 0.1,
        f"{layer.out_size}²\n{layer.out_channels} ch",
        ha="center",
        va="bottom",
        fontsize=7.5,
    )


# --- costs -------------------------------------------------------------------------------


def _count_axis(axis) -> None:
    axis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))


def _naive_and_reduced_legend(axes: "Axes", **where) -> None:
    axes.legend(
        handles=[
            Patch(facecolor="white", edgecolor=INK, label="naive (outlined)"),
            Patch(facecolor=INK, edgecolor=INK, label="reduced (filled)"),
        ],
        frameon=False,
        **where,
    )


def branch_cost_bars(in_channels: int, widths: InceptionWidths, size: int) -> Figure:
    """Multiply-adds of each path, naive above reduced, on one scale.

    Args:
        in_channels: channels of the module's input.
        widths: the module's widths.
        size: height and width of the map in pixels.

    Returns:
        The figure.

    Example:
        >>> from gnet_lib import WIDTHS
        >>> figure = branch_cost_bars(192, WIDTHS["3a"], size=28)
        >>> alt_text(figure).split("; ")[1]
        '3x3 173 M against 101 M'
    """
    figure, axes = _new_figure(2.7)
    naive = cost.inception_cost(in_channels, widths, size, naive=True)
    reduced = cost.inception_cost(in_channels, widths, size)
    for position, name in enumerate(BRANCHES):
        for offset, costs, face in ((-0.2, naive, "white"), (0.2, reduced, COLOURS[name])):
            value = costs[name].multiply_adds
            axes.barh(
                position + offset, value, 0.36, color=face, edgecolor=COLOURS[name], linewidth=1.4
            )
            axes.text(value, position + offset, f" {_short(value)}", va="center", fontsize=8.5)
    axes.set_yticks(range(len(BRANCHES)), BRANCHES)
    axes.invert_yaxis()
    axes.set_xlabel("multiply-adds for one image")
    _count_axis(axes.xaxis)
    _naive_and_reduced_legend(axes, loc="lower right")
    parts = "; ".join(
        f"{name} {_short(naive[name].multiply_adds)} against {_short(reduced[name].multiply_adds)}"
        for name in BRANCHES
    )
    return _finish(figure, f"Multiply-adds of each path, naive against reduced: {parts}.")


def module_cost_bars() -> Figure:
    """Multiply-adds of the paper's nine modules, naive beside reduced, on one scale.

    Returns:
        The figure.

    Example:
        >>> alt_text(module_cost_bars()).split(':')[0]
        'Multiply-adds of the nine modules'
    """
    figure, axes = _new_figure(2.9)
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
    _count_axis(axes.yaxis)
    axes.legend(
        handles=[
            Patch(facecolor="white", edgecolor=INK, label="naive"),
            Patch(facecolor=PLAIN, label="reduced"),
        ],
        frameon=False,
    )
    ratios = naive / reduced
    return _finish(
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
        >>> alt_text(channel_growth()).split(":")[0]
        'Channels after each of nine stacked modules'
    """
    figure, axes = _new_figure(2.7)
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
    return _finish(
        figure,
        (
            f"Channels after each of nine stacked modules: naive grows from {naive.iloc[0]} to "
            f"{naive.iloc[-1]:,}, reduced from {reduced[0]} to {reduced[-1]:,}."
        ),
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
        >>> from gnet_lib import WIDTHS
        >>> alt_text(reduction_lines(192, WIDTHS["3a"])).split(": ")[1]
        '3x3 chosen 96, break-even 164.6; 5x5 chosen 16, break-even 154.8.'
    """
    figure, axes = _new_figure(2.9)
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
    _count_axis(axes.yaxis)
    return _finish(
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
        >>> alt_text(break_even_dots()).split(' and ')[0]
        "The paper's 18 reductions"
    """
    figure, panels = _new_figure(3.2, columns=2, sharey=True)
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
    return _finish(
        figure,
        (
            f"The paper's {2 * len(layers)} reductions and their break-evens, as shares of the input "
            f"channels: the one that comes closest stands at {closest:.0%} of its break-even."
        ),
    )


def _reduction_fractions(layer: LayerShape[Row], name: str) -> tuple[float, float]:
    """Width of a path's reduction, chosen and at break-even, over the input channels."""
    widths, kernel_size = layer.row.widths, int(name[0])
    reduce, out = {
        "3x3": (widths.c3x3_reduce, widths.c3x3),
        "5x5": (widths.c5x5_reduce, widths.c5x5),
    }[name]
    # r = k^2 c m / (c + k^2 m), see chapter 3.
    weights = kernel_size**2 * out
    return reduce / layer.in_channels, weights / (layer.in_channels + weights)


def network_cost_bars() -> Figure:
    """Where GoogLeNet's multiply-adds and parameters go: by row, the modules by path.

    Returns:
        The figure.

    Example:
        >>> alt_text(network_cost_bars()).split('. ')[0]
        'Multiply-adds and parameters of GoogLeNet by row'
    """
    figure, (left, right) = _new_figure(3.8, columns=2, sharey=True)
    parts = _cost_parts()
    for axes, measure in ((left, "multiply_adds"), (right, "parameters")):
        for position, costs in enumerate(parts.values()):
            start = 0
            for name, part in costs.items():
                value = getattr(part, measure)
                axes.barh(position, value, 0.7, left=start, color=COLOURS.get(name, SOFT))
                start += value
            axes.text(start, position, f" {_short(start)}", va="center", fontsize=8)
        axes.margins(x=0.18)
        _count_axis(axes.xaxis)
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
    return _finish(
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
        >>> alt_text(printed_against_computed()).split(':')[0]
        'Printed over computed counts of the 12 rows of Table 1'
    """
    figure, axes = _new_figure(3.3)
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
    return _finish(
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


def latency_bars(times: "pandas.DataFrame") -> Figure:
    """Measured time of naive and reduced modules, with the part that is max pooling.

    Args:
        times: one row a module, with the columns ``naive``, ``reduced`` and ``pooling``
            (milliseconds) and ``counted`` (naive over reduced multiply-adds).

    Returns:
        The figure.

    Example:
        >>> import pandas
        >>> columns = ["naive", "reduced", "pooling", "counted"]
        >>> times = pandas.DataFrame([[9.0, 4.0, 1.0, 2.4]], index=["3a"], columns=columns)
        >>> alt_text(latency_bars(times)).split(", ")[0]
        'Measured time of one forward pass'
    """
    figure, axes = _new_figure(3.1)
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
    return _finish(
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
        >>> from gnet_lib import Machine
        >>> columns = ["module", "kind", "intensity", "whole", "without pooling"]
        >>> points = pandas.DataFrame([["3a", "reduced", 35.0, 4e10, 6e10]], columns=columns)
        >>> figure = roofline(Machine(operations=1e11, bandwidth=1e10), points)
        >>> alt_text(figure).split(", ")[0]
        'Roofline of this machine with 1 modules'
    """
    figure, axes = _new_figure(3.4)
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
    return _finish(
        figure,
        (
            f"Roofline of this machine with {len(points)} modules, naive and reduced, with and "
            "without their max pooling, by arithmetic intensity and operations a second."
        ),
    )


# --- data and training -------------------------------------------------------------------


def image_grid(images: "Tensor", titles: list[str], columns: int = 10) -> Figure:
    """Small pictures in rows, each with a title of its own.

    Args:
        images: (N, 1, H, W), grey values of any range.
        titles: N titles, of one or two lines.
        columns: pictures in a row.

    Returns:
        The figure.

    Raises:
        ValueError: if there are no images, not as many titles as images, or ``columns`` is
            not a whole number of at least 1.

    Example:
        >>> import torch
        >>> alt_text(image_grid(torch.rand(2, 1, 28, 28), titles=["a bag", "a coat"]))
        '2 images: a bag, a coat.'
    """
    columns = require_positive_int("columns", columns)
    if len(images) == 0:
        raise ValueError("images must be at least one, but there are none")
    if len(images) != len(titles):
        raise ValueError(f"titles must be {len(images)}, one an image, but there are {len(titles)}")
    rows = -(-len(images) // columns)
    figure, grid = _new_figure(0.98 * rows * 10 / columns, columns, rows, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for axes, image, title in zip(grid.flat, images, titles):
        axes.imshow(image[0].cpu().numpy(), cmap="gray")
        axes.set_title(title, fontsize=7, loc="center", pad=2)
    names = ", ".join(title.replace("\n", " ") for title in dict.fromkeys(titles))
    return _finish(figure, f"{len(images)} images: {names}.")


def learning_curves(histories: dict[str, "History"]) -> Figure:
    """Accuracy on held-out images, against epochs and against seconds of training.

    Args:
        histories: name -> what ``fit`` returned. A name with "naive" in it is drawn outlined.

    Returns:
        The figure.

    Example:
        >>> from gnet_lib import History
        >>> row = dict.fromkeys(History.COLUMNS, 0.5) | {"epoch": 1}
        >>> histories = {"naive": History([row]), "reduced": History([row])}
        >>> alt_text(learning_curves(histories)).split(":")[0]
        'Learning curves of naive and reduced'
    """
    figure, (left, right) = _new_figure(2.9, columns=2, sharey=True)
    for name, history in histories.items():
        frame = history.frame()
        naive = "naive" in name
        style = {
            "color": INK if naive else PLAIN,
            "marker": "o",
            "markerfacecolor": "white" if naive else PLAIN,
            "label": name,
        }
        accuracy = 100 * frame["validation_accuracy"]
        left.plot(frame["epoch"], accuracy, **style)
        right.plot(frame["seconds"].cumsum(), accuracy, **style)
    left.set_xlabel("epoch")
    left.set_ylabel("accuracy on held-out images, %")
    left.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(integer=True))
    right.set_xlabel("seconds of training")
    right.set_xlim(0)
    left.legend(frameon=False)
    return _finish(
        figure,
        (
            f"Learning curves of {' and '.join(histories)}: accuracy on held-out images "
            "by epoch on the left, by seconds of training on the right."
        ),
    )


def accuracy_curves(
    runs: dict[str, list[list[dict]]],
    levels: dict[str, float],
    across: str = "seconds",
    highlight: str = "ours",
) -> Figure:
    """Accuracy of recorded runs as training goes on, with the levels to be reached.

    Args:
        runs: name -> runs of this name, each a list of rows with an ``accuracy`` from 0 to 1
            and the column named by ``across``.
        levels: name of a level -> accuracy from 0 to 1; each is a thin line.
        across: ``"seconds"`` (drawn on a logarithmic axis) or ``"epoch"``.
        highlight: the name that is drawn in colour.

    Returns:
        The figure.

    Raises:
        ValueError: for another ``across``, or a run without rows.

    Example:
        >>> rows = [{"seconds": 1.0, "accuracy": 0.7}, {"seconds": 2.0, "accuracy": 0.8}]
        >>> alt_text(accuracy_curves({"ours": [rows]}, levels={"a linear model": 0.84}))
        'Test accuracy by seconds of training: ours ends with 80.0% at seconds 2.'
    """
    if across not in ("seconds", "epoch"):
        raise ValueError(f"across must be 'seconds' or 'epoch', but it is {across!r}")
    empty = [name for name, several in runs.items() if not (several and all(several))]
    if empty:
        raise ValueError(
            f"runs must have at least one row each, but those of {', '.join(empty)} have none"
        )
    figure, axes = _new_figure(3.4)
    for line_style, (name, several) in zip(itertools.cycle(("--", ":", "-.")), runs.items()):
        colour, line_style = (PLAIN, "-") if name == highlight else (INK, line_style)
        for rows in several:
            axes.plot(
                [row[across] for row in rows],
                [100 * row["accuracy"] for row in rows],
                color=colour,
                linestyle=line_style,
                linewidth=1.4,
                label=name,
            )
            name = None  # one entry in the legend, however many runs
    height = 0.0
    for name, level in sorted(levels.items(), key=lambda item: item[1]):
        axes.axhline(100 * level, color=SOFT, linewidth=0.7, zorder=0)
        height = max(100 * level, height + 0.05 * (axes.get_ylim()[1] - axes.get_ylim()[0]))
        axes.text(1.01, height, name, transform=axes.get_yaxis_transform(), va="center", fontsize=8)
    if across == "seconds":
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    else:
        axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(integer=True))
    axes.set_xlabel("seconds of training (logarithmic)" if across == "seconds" else "epoch")
    axes.set_ylabel("accuracy on test images, %")
    # Above the axes, where no curve can run through it.
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(runs), frameon=False)
    ends = "; ".join(_ends(name, several, across) for name, several in runs.items())
    return _finish(figure, f"Test accuracy by {across} of training: {ends}.")


def _ends(name: str, several: list[list[dict]], across: str) -> str:
    parts = [f"{rows[-1]['accuracy']:.1%} at {across} {rows[-1][across]:,.0f}" for rows in several]
    return f"{name} ends with {', '.join(parts)}"


def change_dots(accuracies: "pandas.Series", by_chance: list[float]) -> Figure:
    """What each single change of a recipe did, beside what the seed alone does.

    Args:
        accuracies: name of a change -> accuracy from 0 to 1.
        by_chance: accuracies of runs that changed nothing but the seed; the band between
            the lowest and the highest of them is grey.

    Returns:
        The figure.

    Raises:
        ValueError: if ``by_chance`` has fewer than two accuracies.

    Example:
        >>> import pandas
        >>> figure = change_dots(pandas.Series({"no shifts": 0.90}), by_chance=[0.91, 0.92])
        >>> alt_text(figure).split('. ')[0]
        'Accuracy after 1 single changes'
    """
    if len(by_chance) < 2:
        raise ValueError(
            f"by_chance must hold at least two accuracies, but it holds {len(by_chance)}"
        )
    low, high = min(by_chance), max(by_chance)
    accuracies = accuracies.sort_values()
    figure, axes = _new_figure(0.9 + 0.24 * len(accuracies))
    axes.axvspan(100 * low, 100 * high, color=SOFT, alpha=0.3, linewidth=0)
    axes.plot(100 * accuracies, range(len(accuracies)), "o", color=PLAIN)
    for position, value in enumerate(accuracies):
        axes.annotate(
            f"{value:.2%}",
            (100 * value, position),
            (6, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    axes.set_yticks(range(len(accuracies)), accuracies.index)
    axes.margins(x=0.12)
    axes.set_xlabel("accuracy on held-out training images, %")
    axes.set_title("grey: the same settings with other seeds", loc="right", fontsize=9)
    better, worse = accuracies[accuracies > high], accuracies[accuracies < low]
    return _finish(
        figure,
        (
            f"Accuracy after {len(accuracies)} single changes. Other seeds alone give {low:.2%} to "
            f"{high:.2%}; {len(better)} changes are above that, {len(worse)} below, the others within."
        ),
    )


# --- signal and gradient -----------------------------------------------------------------


def row_lines(panels: dict[str, dict[str, dict[str, float]]], quantity: str) -> Figure:
    """A quantity of each row of a network, on a logarithmic scale that all panels share.

    Args:
        panels: title of a panel -> name of a line -> name of a row -> value, as
            ``gradient_norms`` and ``activation_std`` return it. The first line of a panel is
            outlined, the second filled, others are plain.
        quantity: what is shown, the label of the vertical axis.

    Returns:
        The figure.

    Raises:
        ValueError: if there is no panel, or a value is not above 0.

    Example:
        >>> norms = {"conv1": 0.001, "3a": 0.1}
        >>> alt_text(row_lines({"He": {"without heads": norms}}, quantity="gradient"))
        'By row of the network, gradient. He, without heads: 1e-03 at conv1, 1e-01 at 3a.'
    """
    if not panels:
        raise ValueError("panels must be at least one, but there are none")
    lines = [(title, *line) for title, several in panels.items() for line in several.items()]
    for title, name, values in lines:
        bad = [value for value in values.values() if not value > 0]  # catches NaN, too
        if bad:
            raise ValueError(
                f"panels must hold values above 0, but {name!r} of {title!r} has {bad[0]}"
            )
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    figure, grid = _new_figure(0.6 + 2.5 * rows, columns, rows, squeeze=False, sharey=True)
    for axes in list(grid.flat)[len(panels) :]:
        axes.axis("off")
    for axes, (title, several) in zip(grid.flat, panels.items()):
        _draw_row_lines(axes, several)
        axes.set_title(title, loc="left")
    for axes in grid[:, 0]:
        axes.set_ylabel(quantity)
    parts = [f"{title}, {name}: {_first_and_last(values)}" for title, name, values in lines]
    return _finish(figure, f"By row of the network, {quantity}. {'; '.join(parts)}.")


def _draw_row_lines(axes: "Axes", several: dict[str, dict[str, float]]) -> None:
    styles = [
        {"color": INK, "marker": "o", "markerfacecolor": "white", "linestyle": "--"},
        {"color": PLAIN, "marker": "o"},
        {"color": COLOURS["3x3"], "marker": "s"},
        {"color": COLOURS["5x5"], "marker": "D"},
    ]
    for style, (name, values) in zip(styles, several.items()):
        axes.plot(
            list(values), list(values.values()), **style, markersize=4.5, linewidth=1.2, label=name
        )
    axes.set_yscale("log")
    axes.tick_params(axis="x", rotation=90, labelsize=8.5)
    for name in AUX_AFTER:
        axes.axvline(name, color=SOFT, linewidth=0.8, linestyle=":", zorder=0)
    axes.legend(fontsize=8, frameon=False)


def _first_and_last(values: dict[str, float]) -> str:
    (first, *_, last) = values
    return f"{values[first]:.0e} at {first}, {values[last]:.0e} at {last}"


def start_dots(runs: "pandas.DataFrame", chance: float, started: float) -> Figure:
    """Which short runs started to learn: a dot for each run, with and without heads.

    Args:
        runs: columns ``start`` (a panel each), ``learning_rate``, ``heads`` (true or false)
            and ``accuracy`` from 0 to 1.
        chance: the accuracy of guessing, from 0 to 1.
        started: the accuracy above which a run counts as started, from 0 to 1.

    Returns:
        The figure.

    Example:
        >>> import pandas
        >>> run = {"start": "he", "learning_rate": 0.1, "heads": True, "accuracy": 0.8}
        >>> runs = pandas.DataFrame([run, run | {"heads": False}])
        >>> alt_text(start_dots(runs, chance=0.1, started=0.3)).split(": ")[1]
        'he 1 of 1 without heads and 1 of 1 with them.'
    """
    starts, rates = list(dict.fromkeys(runs["start"])), sorted(set(runs["learning_rate"]))
    figure, grid = _new_figure(3.0, columns=len(starts), sharey=True, squeeze=False)
    for axes, start in zip(grid.flat, starts):
        for heads, face, offset in ((False, "white", -0.13), (True, PLAIN, 0.13)):
            chosen = runs[(runs["start"] == start) & (runs["heads"] == heads)]
            places = [rates.index(rate) + offset for rate in chosen["learning_rate"]]
            axes.plot(
                places,
                100 * chosen["accuracy"],
                "o",
                color=INK,
                markerfacecolor=face,
                markersize=6,
                label="with heads" if heads else "without heads",
            )
        axes.axhline(100 * chance, color=SOFT, linewidth=0.8)
        axes.axhline(100 * started, color=SOFT, linewidth=0.8, linestyle=":")
        axes.set_xticks(range(len(rates)), [f"{rate:g}" for rate in rates])
        axes.set_xlim(-0.5, len(rates) - 0.5)
        axes.set_xlabel("learning rate")
        axes.set_title(start, loc="left")
    grid[0, 0].set_ylabel("accuracy, %")
    grid[0, 0].set_ylim(0)
    grid[0, 0].legend(fontsize=8.5, loc="upper left", frameon=False)
    parts = [_started(start, runs[runs["start"] == start], started) for start in starts]
    return _finish(
        figure,
        (
            f"Accuracy of {len(runs)} short runs by initialisation and learning rate. Above "
            f"{started:.0%} are: {'; '.join(parts)}."
        ),
    )


def _started(start: str, runs: "pandas.DataFrame", bound: float) -> str:
    with_heads, without = runs[runs["heads"]], runs[~runs["heads"]]
    counts = [
        f"{(some['accuracy'] > bound).sum()} of {len(some)}" for some in (without, with_heads)
    ]
    return f"{start} {counts[0]} without heads and {counts[1]} with them"


def drift_lines(differences: "pandas.DataFrame") -> Figure:
    """How far runs of the same training drift away from a reference run, step by step.

    Args:
        differences: one column a run, one row a step (the index is the step's number); each
            value is the run's distance from the reference as a share of it. The axis is
            logarithmic, so a distance of 0 is not drawn.

    Returns:
        The figure.

    Example:
        >>> import pandas
        >>> runs = {"a second run": [0.0, 0.0], "a GPU": [0.0001, 0.01]}
        >>> alt_text(drift_lines(pandas.DataFrame(runs))).split(": ")[1]
        'a second run no difference; a GPU from 1e-04 to 5e-03.'
    """
    figure, axes = _new_figure(3.6)
    looks = itertools.product((PLAIN, INK, SOFT), ("-", ":"))
    for (colour, line_style), (name, column) in zip(itertools.cycle(looks), differences.items()):
        axes.plot(
            column.index, column.where(column > 0), color=colour, linestyle=line_style, label=name
        )
    axes.set_yscale("log")
    axes.set_xlabel("step of training")
    axes.set_ylabel("distance from the reference's loss")
    axes.legend(loc="lower right", frameon=False, fontsize=8.5)
    parts = "; ".join(f"{name} {_drift(column)}" for name, column in differences.items())
    return _finish(
        figure,
        (
            f"Distance of the loss from a reference run over {len(differences)} steps, first "
            f"(where it is not 0) and as the median of the last ten: {parts}."
        ),
    )


def _drift(column: "pandas.Series") -> str:
    away = column[column > 0]
    if away.empty:
        return "no difference"
    return f"from {away.iloc[0]:.0e} to {column.iloc[-10:].median():.0e}"


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
        >>> run = {"network": "naive", "learning_rate": 0.1, "loss": 0.30}
        >>> runs = [run, run | {"learning_rate": 0.2, "loss": 0.27}]
        >>> alt_text(rate_search(pandas.DataFrame(runs))).split(": ")[1]
        'naive 0.2.'
    """
    failed = search[search["loss"] > highest]
    search = search[search["loss"] <= highest]
    figure, axes = _new_figure(2.9)
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
    return _finish(
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
        >>> run = {"comparison": "equal epochs", "network": "naive", "accuracy": 0.91}
        >>> runs = [run, run | {"accuracy": 0.93}]
        >>> alt_text(comparison_dots(pandas.DataFrame(runs))).split(". ")[1]
        'equal epochs: naive 92.0 %.'
    """
    blocks = [
        (comparison, network, 100 * rows["accuracy"])
        for comparison, in_block in runs.groupby("comparison", sort=False)
        for network, rows in in_block.groupby("network", sort=False)
    ]
    names = list(dict.fromkeys(comparison for comparison, _, _ in blocks))
    figure, axes = _new_figure(0.9 + 0.3 * len(blocks) + 0.25 * len(names))
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
    return _finish(figure, f"Test accuracy of {len(runs)} runs, means over the seeds. {means}.")


# --- networks compared -------------------------------------------------------------------


def convolution_diagram(in_channels: int, out_channels: int, kernel_size: int, size: int) -> Figure:
    """Which products one convolution computes, with small maps drawn pixel by pixel.

    On the left the input, one map a channel, with the window that one output value reads;
    on the right the output. The convolution is padded, so that the size stays.

    Args:
        in_channels: channels that come in; each is drawn as one map.
        out_channels: channels that go out.
        kernel_size: side of the kernel, an odd number no larger than ``size``.
        size: height and width of the maps in pixels.

    Returns:
        The figure.

    Raises:
        ValueError: if a number is not a whole number of at least 1, or the kernel does not fit.

    Example:
        >>> figure = convolution_diagram(in_channels=2, out_channels=3, kernel_size=3, size=4)
        >>> alt_text(figure).split(": ")[1]
        'each of 48 output values is a sum of 18 products.'
    """
    cost.conv_cost(in_channels, out_channels, kernel_size, size)  # checks the numbers
    if kernel_size % 2 == 0 or kernel_size > size:
        raise ValueError(
            f"kernel_size must be odd and at most {size}, the size of the map, but it is {kernel_size}"
        )
    figure, axes = _new_figure(2.5)
    axes.axis("off")
    axes.set_aspect("equal")
    step, middle = size + 1, kernel_size // 2
    for channel in range(in_channels):
        _draw_map(axes, channel * step, size, range(kernel_size), COLOURS["3x3"])
    start = in_channels * step + 2
    for channel in range(out_channels):
        marked = range(middle, middle + 1) if channel == 0 else range(0)
        _draw_map(axes, start + channel * step, size, marked, COLOURS["3x3"])
    axes.annotate(
        "",
        (start - 0.4, size / 2),
        (start - 2.6, size / 2),
        arrowprops={"arrowstyle": "->", "color": INK},
    )
    products, values = kernel_size**2 * in_channels, size**2 * out_channels
    axes.text(
        0,
        -0.4,
        f"one output value reads\n{kernel_size} × {kernel_size} × {in_channels} = "
        f"{products} input values",
        va="top",
    )
    axes.text(
        start,
        -0.4,
        f"and there are\n{size} × {size} × {out_channels} = {values} output values",
        va="top",
    )
    axes.text(0, size + 0.4, f"input, {in_channels} channels", va="bottom")
    axes.text(start, size + 0.4, f"output, {out_channels} channels", va="bottom")
    axes.set_xlim(-0.2, start + out_channels * step)
    axes.set_ylim(-2.4, size + 1.4)
    return _finish(
        figure,
        (
            f"A {kernel_size}x{kernel_size} convolution of {in_channels} maps of {size}x{size} pixels "
            f"to {out_channels}: each of {values} output values is a sum of {products} products."
        ),
    )


def _draw_map(axes: "Axes", left: float, size: int, marked: range, colour: str) -> None:
    """One map, pixel by pixel; the rows and columns in ``marked`` are filled."""
    for row in range(size):
        for column in range(size):
            filled = row in marked and column in marked
            axes.add_patch(
                Rectangle(
                    (left + column, size - 1 - row),
                    1,
                    1,
                    linewidth=0.8,
                    edgecolor=INK,
                    facecolor=colour if filled else "white",
                )
            )


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
        >>> row = {"multiply-adds": 1.58e9, "parameters": 7e6, "accuracy": 69.8}
        >>> alt_text(network_map(pandas.DataFrame([row], index=["GoogLeNet"]))).split(": ")[1]
        'GoogLeNet 1.58 G, 69.8 %, 7 M.'
    """
    figure, axes = _new_figure(3.5)
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
            f"{name}\n{_short(row['parameters'])}",
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
    _count_axis(axes.xaxis)
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
        f"{name} {_short(row['multiply-adds'])}, {row['accuracy']:.1f} %, {_short(row['parameters'])}"
        for name, row in networks.iterrows()
    )
    return _finish(
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
        >>> prices = {"parameters": [61e6, 7e6], "multiply-adds": [0.7e9, 1.6e9]}
        >>> frame = pandas.DataFrame(prices, index=["AlexNet", "GoogLeNet"])
        >>> alt_text(price_bars(frame)).split("; ")[1]
        'by multiply-adds: AlexNet, GoogLeNet.'
    """
    figure, panels = _new_figure(0.9 + 0.32 * len(prices), columns=prices.shape[1], sharey=True)
    for axes, column in zip(panels, prices.columns, strict=True):
        values = prices[column]
        colours = [PLAIN if name == highlight else SOFT for name in prices.index]
        axes.barh(range(len(prices)), values, 0.62, color=colours)
        for position, value in enumerate(values):
            axes.text(value, position, f" {_short(value)}", va="center", fontsize=8.5)
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
    return _finish(figure, f"{len(prices)} networks, from the cheapest on, {orders}.")
