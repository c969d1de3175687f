"""Drawings of what is computed: one convolution, and a whole network."""

from itertools import product

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from gnet_lib._check import require_bool, require_odd, require_whole_number
from gnet_lib.paper import (
    AUX_AFTER,
    TABLE_1,
    Convolution,
    InceptionRow,
    MaxPool,
    Row,
)
from gnet_lib.plots.style import (
    ABOVE,
    CENTRED,
    COLOURS,
    INK,
    PLAIN,
    SMALL,
    TINY,
    WHITE,
    finish,
    new_figure,
)
from gnet_lib.shapes import LayerShape, layer_shapes

MOST_PIXELS = 10_000
"""More than so many of a convolution's maps nobody can tell apart, and they take a minute."""


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
        ValueError: if a number is not a whole number of at least 1, the kernel does not fit, or
            the maps have too many pixels to draw.

    Example:
        >>> from gnet_lib import plots
        >>> figure = plots.convolution_diagram(in_channels=2, out_channels=3, kernel_size=3, size=4)
        >>> plots.alt_text(figure).split(": ")[1]
        'each of 48 output values is a sum of 18 products.'
    """
    in_channels = require_whole_number("in_channels", in_channels)
    out_channels = require_whole_number("out_channels", out_channels)
    size = require_whole_number("size", size)
    if require_odd("kernel_size", kernel_size) > size:
        raise ValueError(
            f"kernel_size must be at most {size}, the size of the map, but it is {kernel_size}"
        )
    pixels = (in_channels + out_channels) * size**2
    if pixels > MOST_PIXELS:
        raise ValueError(
            f"(in_channels + out_channels) * size**2 must be at most {MOST_PIXELS:,}, because "
            f"every pixel is drawn, but it is {pixels:,}"
        )
    figure, axes = new_figure(2.5)
    axes.axis("off")
    axes.set_aspect("equal")
    start, middle = in_channels * (size + 1) + 2, kernel_size // 2  # of the output, of the window
    for channel in range(in_channels):
        _draw_map(axes, channel * (size + 1), size, range(kernel_size))
    for channel in range(out_channels):
        marked = range(middle, middle + 1) if channel == 0 else range(0)
        _draw_map(axes, start + channel * (size + 1), size, marked)
    arrow = {"arrowstyle": "->", "color": INK}
    axes.annotate("", (start - 0.4, size / 2), (start - 2.6, size / 2), arrowprops=arrow)
    products, values = kernel_size**2 * in_channels, size**2 * out_channels
    reads = f"{kernel_size} × {kernel_size} × {in_channels} = {products} input values"
    makes = f"{size} × {size} × {out_channels} = {values} output values"
    axes.text(0, -0.4, f"one output value reads\n{reads}", va="top")
    axes.text(start, -0.4, f"and there are\n{makes}", va="top")
    axes.text(0, size + 0.4, f"input, {in_channels} channels", va="bottom")
    axes.text(start, size + 0.4, f"output, {out_channels} channels", va="bottom")
    axes.set_xlim(-0.2, start + out_channels * (size + 1))
    axes.set_ylim(-2.4, size + 1.4)
    return finish(
        figure,
        f"A {kernel_size}x{kernel_size} convolution of {in_channels} maps of {size}x{size} pixels "
        f"to {out_channels}: each of {values} output values is a sum of {products} products.",
    )


def _draw_map(axes: Axes, left: float, size: int, marked: range) -> None:
    """One map, pixel by pixel; the rows and columns in ``marked`` are filled."""
    for row, column in product(range(size), repeat=2):
        face = COLOURS["3x3"] if row in marked and column in marked else WHITE
        place = (left + column, size - 1 - row)
        axes.add_patch(Rectangle(place, 1, 1, linewidth=0.8, edgecolor=INK, facecolor=face))


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

    Raises:
        ValueError: for a bad argument.

    Example:
        >>> from gnet_lib import plots
        >>> plots.alt_text(plots.network_diagram()).split(', ')[0]
        'The network row by row: 9 Inception modules behind a stem'
    """
    require_bool("aux", aux)
    figure, axes = new_figure(2.9)
    axes.axis("off")
    layers = layer_shapes(rows, image_size=image_size)
    heads = [layer.row.name for layer in layers if aux and layer.row.name in AUX_AFTER]
    for x, layer in enumerate(layers):
        _draw_layer(axes, x, layer)
        if layer.row.name in heads:
            _draw_head(axes, x)
    axes.text(len(layers) - 0.3, 0, "average pool,\nlinear", va="center", fontsize=SMALL)
    axes.set_xlim(-0.8, len(layers) + 1.3)
    axes.set_ylim(-2.4, 3.2)
    modules = sum(isinstance(layer.row, InceptionRow) for layer in layers)
    last = layers[-1]
    read = "an auxiliary classifier reads" if len(heads) == 1 else "auxiliary classifiers read"
    return finish(
        figure,
        f"The network row by row: {modules} Inception modules behind a stem, from an image of "
        f"{image_size}x{image_size} pixels to {last.out_channels} maps of "
        f"{last.out_size}x{last.out_size}"
        + (f"; {read} behind {' and '.join(heads)}." if heads else "."),
    )


def _draw_layer(axes: Axes, x: int, layer: LayerShape[Row]) -> None:
    colour = {Convolution: INK, MaxPool: WHITE, InceptionRow: PLAIN}[type(layer.row)]
    height = 0.5 + 2.2 * (layer.out_size / 112) ** 0.5
    place = (x - 0.36, -height / 2)
    axes.add_patch(Rectangle(place, 0.72, height, facecolor=colour, edgecolor=INK, linewidth=1))
    name_colour = INK if colour == WHITE else WHITE
    axes.text(x, 0, layer.row.name, rotation=90, **CENTRED, fontsize=SMALL, color=name_colour)
    shape = f"{layer.out_size}²\n{layer.out_channels} ch"
    axes.text(x, height / 2 + 0.1, shape, **ABOVE, fontsize=TINY)


def _draw_head(axes: Axes, x: int) -> None:
    arrow = {"arrowstyle": "<-", "color": INK}
    text = "auxiliary\nclassifier"
    axes.annotate(text, (x, -0.62), (x, -2.0), **CENTRED, fontsize=SMALL, arrowprops=arrow)
