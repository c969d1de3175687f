"""Table 1 of "Going Deeper with Convolutions" (arXiv 1409.4842) as data.

Every width of the network stands here, once. Whatever can be computed from the
widths (the next row's input channels, the map sizes, the costs) is computed.

What the paper *prints* about a row (its parameter and operation counts) is kept
beside the rows in ``PRINTED``, as text, and is never used to compute anything.
"""

from dataclasses import astuple, dataclass, fields, replace
from typing import NamedTuple

from gnet_lib._check import (
    require_bool,
    require_instance,
    require_items,
    require_layer_name,
    require_number,
    require_odd,
    require_whole_number,
)


@dataclass(frozen=True)
class InceptionWidths:
    """The six numbers that describe one Inception module, named as in the paper's Table 1.

    Args:
        c1x1: output channels of the 1x1 branch.
        c3x3_reduce: channels of the 1x1 convolution in front of the 3x3 one.
        c3x3: output channels of the 3x3 branch.
        c5x5_reduce: channels of the 1x1 convolution in front of the 5x5 one.
        c5x5: output channels of the 5x5 branch.
        pool_proj: channels of the 1x1 convolution behind the max pooling.

    Raises:
        ValueError: if a width is not a whole number of at least 1.

    Example:
        >>> widths = InceptionWidths(64, 96, 128, 16, 32, 32)
        >>> widths.out_channels
        256
    """

    c1x1: int
    c3x3_reduce: int
    c3x3: int
    c5x5_reduce: int
    c5x5: int
    pool_proj: int

    def __post_init__(self) -> None:
        for field in fields(self):
            value = require_whole_number(field.name, getattr(self, field.name))
            object.__setattr__(self, field.name, value)  # the way to assign in a frozen class

    @property
    def out_channels(self) -> int:
        """Channels that leave the paper's module, whose four branches stand side by side."""
        return self.c1x1 + self.c3x3 + self.c5x5 + self.pool_proj


def require_widths(widths: InceptionWidths) -> InceptionWidths:
    """The widths, or a ``ValueError`` unless they are ``InceptionWidths``."""
    wanted = "InceptionWidths(c1x1, c3x3_reduce, c3x3, c5x5_reduce, c5x5, pool_proj)"
    return require_instance("widths", widths, InceptionWidths, wanted)


def _keep_whole_numbers(row: "Row", *names: str) -> None:
    """Refuse these fields of a row unless they are whole numbers; keep them as plain ones."""
    for name in names:
        value = require_whole_number(name, getattr(row, name))
        object.__setattr__(row, name, value)  # the way to assign in a frozen class


@dataclass(frozen=True)
class Convolution:
    """One convolution of the stem.

    Args:
        name: the row's name, for instance ``"conv1"``.
        kernel_size: side of the square kernel, in pixels; odd.
        stride: step between neighbouring outputs, in pixels.
        out_channels: channels that go out.
        reduce: channels of a 1x1 convolution in front; None where there is none.

    Raises:
        ValueError: for a name that is empty or has a dot, a number that is not a whole
            number of at least 1, or an even kernel.

    Example:
        >>> Convolution("conv1", kernel_size=7, stride=2, out_channels=64).output_size(224)
        112
    """

    name: str
    kernel_size: int
    stride: int
    out_channels: int
    reduce: int | None = None

    def __post_init__(self) -> None:
        require_layer_name("name", self.name)
        _keep_whole_numbers(self, "kernel_size", "stride", "out_channels")
        if self.reduce is not None:
            _keep_whole_numbers(self, "reduce")
        require_odd("kernel_size", self.kernel_size)

    def output_size(self, size: int) -> int:
        """Side of the map that goes out.

        Args:
            size: side of the map that comes in, in pixels.

        Returns:
            Pixels a side.

        Raises:
            ValueError: if ``size`` is not a whole number of at least 1.
        """
        size = require_whole_number("size", size, at_most=None)
        # Padding of half the kernel: only the stride makes the map smaller.
        padding = self.kernel_size // 2
        return (size + 2 * padding - self.kernel_size) // self.stride + 1


@dataclass(frozen=True)
class MaxPool:
    """A max pooling that halves the map.

    The paper gives kernel, stride and output size only. Rounding up without padding
    (``ceil_mode``) is one way to get 112 -> 56 -> 28 -> 14 -> 7, padding by 1 and
    rounding down is another; the lecture notes behind this book use the second.

    Args:
        name: the row's name, for instance ``"pool1"``.
        kernel_size: side of the window, in pixels.
        stride: step between neighbouring windows, in pixels.
        padding: pixels added at each edge, at most half the window.
        ceil_mode: whether a window that reaches over the edge still counts.

    Raises:
        ValueError: for a name that is empty or has a dot, or a number out of its range.

    Example:
        >>> MaxPool("pool1").output_size(112)
        56
    """

    name: str
    kernel_size: int = 3
    stride: int = 2
    padding: int = 0
    ceil_mode: bool = True

    def __post_init__(self) -> None:
        require_layer_name("name", self.name)
        _keep_whole_numbers(self, "kernel_size", "stride")
        require_bool("ceil_mode", self.ceil_mode)
        padding = require_whole_number(
            "padding", self.padding, at_least=0, at_most=self.kernel_size // 2
        )
        object.__setattr__(self, "padding", padding)

    def output_size(self, size: int) -> int:
        """Side of the map that goes out.

        Args:
            size: side of the map that comes in, in pixels.

        Returns:
            Pixels a side; below 1 where nothing of the map is left.

        Raises:
            ValueError: if ``size`` is not a whole number of at least 1.
        """
        size = require_whole_number("size", size, at_most=None)
        span = size + 2 * self.padding - self.kernel_size
        if not self.ceil_mode:
            return span // self.stride + 1
        windows = -(-span // self.stride) + 1
        # PyTorch leaves out a last window that would begin beyond the map.
        begins_beyond = (windows - 1) * self.stride >= size + self.padding
        return windows - 1 if begins_beyond else windows


@dataclass(frozen=True)
class InceptionRow:
    """One Inception module; it keeps the size of the map.

    Args:
        name: the row's name, for instance ``"3a"``.
        widths: the module's six widths.

    Raises:
        ValueError: for a name that is empty or has a dot, or other widths than
            ``InceptionWidths``.

    Example:
        >>> InceptionRow("mine", InceptionWidths(64, 96, 128, 16, 32, 32)).output_size(28)
        28
    """

    name: str
    widths: InceptionWidths

    def __post_init__(self) -> None:
        require_layer_name("name", self.name)
        require_widths(self.widths)

    def output_size(self, size: int) -> int:
        """Side of the map that goes out: that of the map that comes in.

        Args:
            size: side of the map that comes in, in pixels.

        Returns:
            The same number.

        Raises:
            ValueError: if ``size`` is not a whole number of at least 1.
        """
        return require_whole_number("size", size, at_most=None)


Row = Convolution | MaxPool | InceptionRow

TAKEN_NAMES = ("linear", "all", "norm_pool1", "norm_conv2", "aux 4a", "aux 4d")
"""Names that tables of costs and networks give to what stands beside the rows."""


def require_rows(rows: tuple[Row, ...]) -> None:
    """Raise a ``ValueError`` unless ``rows`` are rows of different names."""
    kinds = (Convolution, MaxPool, InceptionRow)
    wanted = "rows (Convolution, MaxPool, InceptionRow), for instance TABLE_1,"
    names = [row.name for row in require_items("rows", rows, kinds, wanted, at_least=0)]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(
                f"rows must have different names, but {name!r} stands {names.count(name)} times"
            )
        if name in TAKEN_NAMES:
            raise ValueError(
                f"rows must have other names than {', '.join(TAKEN_NAMES)}, which the library "
                f"uses itself, but one is {name!r}"
            )


TABLE_1: tuple[Row, ...] = (
    Convolution("conv1", kernel_size=7, stride=2, out_channels=64),
    MaxPool("pool1"),
    Convolution("conv2", kernel_size=3, stride=1, out_channels=192, reduce=64),
    MaxPool("pool2"),
    #                                1x1  3x3red  3x3  5x5red  5x5  pool proj
    InceptionRow("3a", InceptionWidths(64, 96, 128, 16, 32, 32)),
    InceptionRow("3b", InceptionWidths(128, 128, 192, 32, 96, 64)),
    MaxPool("pool3"),
    InceptionRow("4a", InceptionWidths(192, 96, 208, 16, 48, 64)),
    InceptionRow("4b", InceptionWidths(160, 112, 224, 24, 64, 64)),
    InceptionRow("4c", InceptionWidths(128, 128, 256, 24, 64, 64)),
    InceptionRow("4d", InceptionWidths(112, 144, 288, 32, 64, 64)),
    InceptionRow("4e", InceptionWidths(256, 160, 320, 32, 128, 128)),
    MaxPool("pool4"),
    InceptionRow("5a", InceptionWidths(256, 160, 320, 32, 128, 128)),
    InceptionRow("5b", InceptionWidths(384, 192, 384, 48, 128, 128)),
)
"""The rows that do the work; average pooling, dropout (40 %) and the linear layer follow them."""

WIDTHS: dict[str, InceptionWidths] = {
    row.name: row.widths for row in TABLE_1 if isinstance(row, InceptionRow)
}
"""The nine modules by name, ``"3a"`` to ``"5b"``."""

DROPOUT = 0.4
"""Dropout in front of the last linear layer (Table 1)."""

AUX_AFTER = ("4a", "4d")
"""The modules whose outputs feed the two auxiliary classifiers (section 5)."""

AUX_CHANNELS, AUX_UNITS, AUX_DROPOUT, AUX_WEIGHT = 128, 1024, 0.7, 0.3
"""1x1 convolutions, hidden units, dropout and loss weight of a head (section 5)."""

AUX_POOL, AUX_STRIDE = 5, 3
"""Side of the window of an auxiliary classifier's average pooling, and its stride (section 5)."""


def aux_pooled_size(size: int) -> int:
    """Side of the map behind an auxiliary classifier's pooling.

    Args:
        size: side of the map in front of it, in pixels; at least ``AUX_POOL``.

    Returns:
        Pixels a side.

    Raises:
        ValueError: for another size.

    Example:
        >>> aux_pooled_size(14)
        4
    """
    size = require_whole_number("size", size, at_least=AUX_POOL)
    return (size - AUX_POOL) // AUX_STRIDE + 1


class Printed(NamedTuple):
    """What the paper prints about one row, quoted as printed.

    Args:
        size: side of the output map, in pixels.
        channels: channels of the output.
        depth: layers with weights along the row.
        parameters: their number as text, for instance ``"159K"``; empty where none stands.
        operations: their number as text, for instance ``"128M"``.

    Example:
        >>> PRINTED["3a"].parameters, PRINTED["3a"].operations
        ('159K', '128M')
    """

    size: int
    channels: int
    depth: int
    parameters: str
    operations: str


PRINTED: dict[str, Printed] = {
    "conv1": Printed(112, 64, 1, "2.7K", "34M"),
    "pool1": Printed(56, 64, 0, "", ""),
    "conv2": Printed(56, 192, 2, "112K", "360M"),
    "pool2": Printed(28, 192, 0, "", ""),
    "3a": Printed(28, 256, 2, "159K", "128M"),
    "3b": Printed(28, 480, 2, "380K", "304M"),
    "pool3": Printed(14, 480, 0, "", ""),
    "4a": Printed(14, 512, 2, "364K", "73M"),
    "4b": Printed(14, 512, 2, "437K", "88M"),
    "4c": Printed(14, 512, 2, "463K", "100M"),
    "4d": Printed(14, 528, 2, "580K", "119M"),
    "4e": Printed(14, 832, 2, "840K", "170M"),
    "pool4": Printed(7, 832, 0, "", ""),
    "5a": Printed(7, 832, 2, "1072K", "54M"),
    "5b": Printed(7, 1024, 2, "1388K", "71M"),
    "avg pool": Printed(1, 1024, 0, "", ""),
    "dropout (40%)": Printed(1, 1024, 0, "", ""),
    "linear": Printed(1, 1000, 1, "1000K", "1M"),
    "softmax": Printed(1, 1000, 0, "", ""),
}
"""The printed columns of Table 1, quoted as printed."""


LARGEST_FACTOR = 10**6  # of a width; what is wider, no computer holds


def scale_rows(rows: tuple[Row, ...], factor: float) -> tuple[Row, ...]:
    """The same rows with every width multiplied, for a narrower or a wider network.

    Widths are rounded to whole numbers and never fall below 1. Depth, kernels and map
    sizes stay. Parameters and multiply-adds change by about ``factor ** 2``.

    Args:
        rows: for instance ``TABLE_1``.
        factor: what to multiply every width by, above 0 and at most a million.

    Returns:
        As many rows, with the same names.

    Raises:
        ValueError: for a factor that is no number of that range, or rows of a wrong kind.

    Example:
        >>> [row.out_channels for row in scale_rows(TABLE_1, 1 / 4) if row.name == "conv1"]
        [16]
    """
    factor = require_number("factor", factor, above=0, at_most=LARGEST_FACTOR)
    require_rows(rows)

    def scaled(width: int) -> int:
        return max(1, round(width * factor))

    def scaled_row(row: Row) -> Row:
        if isinstance(row, InceptionRow):
            return replace(row, widths=InceptionWidths(*map(scaled, astuple(row.widths))))
        if isinstance(row, Convolution):
            reduce = None if row.reduce is None else scaled(row.reduce)
            return replace(row, out_channels=scaled(row.out_channels), reduce=reduce)
        return row

    return tuple(scaled_row(row) for row in rows)
