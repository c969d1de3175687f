"""A table's rows at their places in a network: channels and map sizes between them."""

from typing import Generic, NamedTuple, TypeVar, cast

from gnet_lib._check import require_choice, require_whole_number
from gnet_lib.design import REDUCED, Design, require_design
from gnet_lib.paper import (
    AUX_AFTER,
    AUX_POOL,
    TABLE_1,
    Convolution,
    InceptionRow,
    Row,
    require_rows,
)

SomeRow = TypeVar("SomeRow", bound=Row, covariant=True)


class LayerShape(NamedTuple, Generic[SomeRow]):
    """One row at its place in a network: what goes in and what comes out.

    Args:
        row: the row of the table.
        in_channels: channels that come in.
        in_size: side of the map that comes in, in pixels.
        out_channels: channels that go out.
        out_size: side of the map that goes out, in pixels.

    Example:
        >>> layer = layer_shapes(TABLE_1)[0]
        >>> layer.in_channels, layer.in_size, layer.out_channels, layer.out_size
        (3, 224, 64, 112)
    """

    row: SomeRow
    in_channels: int
    in_size: int
    out_channels: int
    out_size: int


def layer_shapes(
    rows: tuple[Row, ...],
    in_channels: int = 3,
    image_size: int = 224,
    design: Design = REDUCED,
) -> list[LayerShape[Row]]:
    """Go through the rows and work out the channels and map sizes between them.

    Args:
        rows: for instance ``TABLE_1``.
        in_channels: channels of the image.
        image_size: height and width of the image in pixels.
        design: the design of all modules; ``NAIVE`` ones widen every next one, because
            their pooling passes on all channels.

    Returns:
        One ``LayerShape`` a row.

    Raises:
        ValueError: if there are no rows, if two have one name or one is of another kind, or
            if the image is too small to leave at least one pixel after every row.

    Example:
        >>> last = layer_shapes(TABLE_1)[-1]
        >>> last.row.name, last.out_channels, last.out_size
        ('5b', 1024, 7)
    """
    channels = require_whole_number("in_channels", in_channels)
    size = _require_square(image_size)
    require_design(design)
    require_rows(rows)
    if not rows:
        raise ValueError("rows must hold at least one row, for instance TABLE_1, but it is empty")
    layers = []
    for row in rows:
        out_size = row.output_size(size)
        if out_size < 1:
            raise ValueError(
                f"image_size {image_size} is too small: a map of {size}x{size} reaches row "
                f"{row.name!r}, which leaves nothing of it; use a larger image_size "
                f"(at least {_smallest(rows, at_least=1)})"
            )
        out_channels = _out_channels(row, channels, design)
        layers.append(LayerShape(row, channels, size, out_channels, out_size))
        channels, size = out_channels, out_size
    return layers


def inception_shapes(
    rows: tuple[Row, ...] = TABLE_1, image_size: int = 224, design: Design = REDUCED
) -> list[LayerShape[InceptionRow]]:
    """The Inception modules of a table at their places.

    Args:
        rows: the table of the network.
        image_size: height and width of the image in pixels.
        design: the design of all modules.

    Returns:
        One ``LayerShape`` a module, in the order of the table.

    Raises:
        ValueError: as ``layer_shapes`` does.

    Example:
        >>> [(layer.row.name, layer.in_channels) for layer in inception_shapes()][:3]
        [('3a', 192), ('3b', 256), ('4a', 480)]
    """
    layers = layer_shapes(rows, image_size=image_size, design=design)
    modules = [layer for layer in layers if isinstance(layer.row, InceptionRow)]
    return cast("list[LayerShape[InceptionRow]]", modules)


def _require_square(image_size: int) -> int:
    if isinstance(image_size, (tuple, list)):
        raise ValueError(
            "image_size must be one number, because images are square here, but it is "
            f"{image_size}; torchinfo_cost(model, (1, channels, height, width)) counts others"
        )
    return require_whole_number("image_size", image_size)


def _out_channels(row: Row, in_channels: int, design: Design) -> int:
    if isinstance(row, InceptionRow):
        return design.out_channels(in_channels, row.widths)
    return row.out_channels if isinstance(row, Convolution) else in_channels


def smallest_image_size(rows: tuple[Row, ...], upto: str | None = None, at_least: int = 1) -> int:
    """The smallest square image of which ``at_least`` pixels a side are left after row ``upto``.

    Args:
        rows: the table of the network.
        upto: name of the row to look behind; None is the last one.
        at_least: pixels a side that must be left there.

    Returns:
        Pixels a side.

    Raises:
        ValueError: if no row is called ``upto``, or for rows that ``layer_shapes`` refuses.

    Example:
        >>> smallest_image_size(TABLE_1)
        31
    """
    require_rows(rows)
    at_least = require_whole_number("at_least", at_least)
    names = [row.name for row in rows]
    if upto is not None:
        rows = rows[: names.index(require_choice("upto", upto, names)) + 1]
    return _smallest(rows, at_least)


def _smallest(rows: tuple[Row, ...], at_least: int) -> int:
    """Halve an interval until one size is left: a larger image never leaves a smaller map."""
    too_small, enough = 0, 1
    while _size_after(rows, enough) < at_least:
        too_small, enough = enough, 2 * enough
    while enough - too_small > 1:
        middle = (too_small + enough) // 2
        if _size_after(rows, middle) < at_least:
            too_small = middle
        else:
            enough = middle
    return enough


def _size_after(rows: tuple[Row, ...], size: int) -> int:
    for row in rows:
        size = row.output_size(size)
        if size < 1:
            return 0
    return size


def require_heads(rows: tuple[Row, ...], image_size: int) -> None:
    """Raise a ``ValueError`` unless a network of these rows can have auxiliary classifiers."""
    require_whole_number("image_size", image_size)
    require_rows(rows)
    names = [row.name for row in rows]
    if not all(name in names for name in AUX_AFTER):
        raise ValueError(
            f"aux=True needs the modules {' and '.join(AUX_AFTER)} among rows; use aux=False"
        )
    needed = [_smallest(rows[: names.index(name) + 1], AUX_POOL) for name in AUX_AFTER]
    smallest = max(_smallest(rows, at_least=1), *needed)
    if image_size < smallest:
        raise ValueError(
            f"image_size {image_size} is too small for the auxiliary classifiers, whose "
            f"{AUX_POOL}x{AUX_POOL} average pooling needs a map of at least "
            f"{AUX_POOL}x{AUX_POOL} behind {' and '.join(AUX_AFTER)}; use an image_size of "
            f"at least {smallest}, or aux=False"
        )
