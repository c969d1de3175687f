"""What an Inception module is made of, as data.

Each of the paper's two modules (Figure 2), and each variant of them, is one entry here: its
branches, and the layers of each branch. Everything else reads that entry. ``InceptionBase``
builds the module, ``cost`` counts it, ``shapes`` follows the channels through a network,
``plots`` draws it, ``explorer`` writes the formulas behind its sliders. So a new variant is a
new entry:

    >>> reduce = Conv(1, "c5x5_reduce", name="reduce")
    >>> first, second = Conv(3, "c5x5", name="first"), Conv(3, "c5x5", name="second")
    >>> two_3x3 = REDUCED.variant("two 3x3", {"5x5": (reduce, first, second)})
    >>> two_3x3.receptive_fields()["5x5"]
    (5, 5)
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Generic, NamedTuple, TypeVar

from gnet_lib._check import (
    require_bool,
    require_callable,
    require_choice,
    require_instance,
    require_items,
    require_layer_name,
    require_odd,
    require_whole_number,
    shown,
)
from gnet_lib.paper import InceptionWidths, require_widths

Channels = TypeVar("Channels")  # a number; the explorer's formulas calculate with names instead

WIDTH_NAMES = tuple(each.name for each in fields(InceptionWidths))


@dataclass(frozen=True)
class Conv:
    """One convolution of a branch, padded so that the map keeps its size.

    Args:
        kernel_size: side of the square kernel in pixels, odd; or (height, width), both odd.
        width: which of the ``InceptionWidths`` says how many channels go out.
        name: of the layer within its branch.
        relu: whether a ReLU follows, as it does after every convolution of the paper.

    Raises:
        ValueError: for a kernel that is not odd, or a width that does not exist.

    Example:
        >>> Conv((1, 7), "c5x5").label
        '1x7'
    """

    kernel_size: int | tuple[int, int]
    width: str
    name: str = "conv"
    relu: bool = True

    def __post_init__(self) -> None:
        require_odd_kernel(self.kernel_size)
        require_choice("width", self.width, WIDTH_NAMES)
        require_layer_name("name", self.name)
        require_bool("relu", self.relu)

    @property
    def kernel(self) -> tuple[int, int]:
        """Height and width of the kernel in pixels."""
        return kernel_pair(self.kernel_size)

    @property
    def label(self) -> str:
        """What the paper calls such a layer, for instance ``"3x3"``."""
        height, width = self.kernel
        return f"{height}x{width}"


@dataclass(frozen=True)
class Pool:
    """The max pooling of a branch, with stride 1 and padded, so that the map keeps its size.

    Args:
        kernel_size: side of the window in pixels, odd.
        name: of the layer within its branch.

    Raises:
        ValueError: for a window that is not odd.

    Example:
        >>> Pool().label
        '3x3 max pool'
    """

    kernel_size: int = 3
    name: str = "pool"

    def __post_init__(self) -> None:
        require_odd("kernel_size", self.kernel_size)
        require_layer_name("name", self.name)

    @property
    def kernel(self) -> tuple[int, int]:
        """Height and width of the window in pixels."""
        return self.kernel_size, self.kernel_size

    @property
    def label(self) -> str:
        """The window and what is done with it."""
        return f"{self.kernel_size}x{self.kernel_size} max pool"


BranchLayer = Conv | Pool


class PlacedLayer(NamedTuple, Generic[Channels]):
    """A layer at its place in a branch: what goes in and what comes out.

    Args:
        layer: the layer.
        in_channels: channels that come in.
        out_channels: channels that go out.

    Example:
        >>> PlacedLayer(Conv(1, "c1x1"), in_channels=192, out_channels=64).out_channels
        64
    """

    layer: BranchLayer
    in_channels: Channels
    out_channels: Channels


@dataclass(frozen=True)
class Design:
    """A module's design: branches over one input, whose outputs are concatenated.

    Args:
        name: what it is called in tables and figures.
        branches: name of a branch -> its layers, from the input on.
        concat_order: names of the branches in the order of concatenation; left out, the
            order in which they stand in ``branches``.

    Raises:
        ValueError: for a design without a branch, a branch without a layer, two layers of
            one name in a branch, or an order that is not one of the branches.

    Example:
        >>> REDUCED.out_channels(192, InceptionWidths(64, 96, 128, 16, 32, 32))
        256
    """

    name: str
    branches: Mapping[str, tuple[BranchLayer, ...]] = field(hash=False)  # a dict has no hash
    concat_order: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise ValueError(f"name must be a text that is not empty, but it is {shown(self.name)}")
        require_branches(self.branches)
        order = require_order(self.concat_order, self.branches)
        # Copies, so that a dict or list that changes later changes no design.
        object.__setattr__(self, "branches", dict(self.branches))
        object.__setattr__(self, "concat_order", order)

    def variant(self, name: str, branches: Mapping[str, tuple[BranchLayer, ...]]) -> "Design":
        """This design with some branches replaced or added.

        Args:
            name: of the new design.
            branches: name of a branch -> its new layers.

        Returns:
            The new design; its outputs are concatenated in the old order, new branches last.

        Raises:
            ValueError: as for a ``Design``.

        Example:
            >>> REDUCED.variant("no pooling", {"pool": (Conv(1, "pool_proj"),)}).name
            'no pooling'
        """
        require_branches(branches)
        new = tuple(branch for branch in branches if branch not in self.branches)
        return Design(name, {**self.branches, **branches}, self.concat_order + new)

    def layers(
        self, in_channels: Channels, width: Callable[[str], Channels]
    ) -> dict[str, list[PlacedLayer[Channels]]]:
        """Every layer with the channels that go in and come out: what all others read.

        Args:
            in_channels: channels of the module's input.
            width: gives the channels behind the name of a width. With numbers this is the
                lookup in ``InceptionWidths``; the explorer keeps the names.

        Returns:
            Name of a branch -> its layers in order.

        Raises:
            ValueError: if ``width`` is no function.

        Example:
            >>> [placed.out_channels for placed in REDUCED.layers("input", str)["3x3"]]
            ['c3x3_reduce', 'c3x3']
        """
        require_callable("width", width, "a function from the name of a width to channels")
        return {
            branch: place_layers(layers, in_channels, width)
            for branch, layers in self.branches.items()
        }

    def sized_layers(
        self, in_channels: int, widths: InceptionWidths
    ) -> dict[str, list[PlacedLayer[int]]]:
        """The same in numbers.

        Args:
            in_channels: channels of the module's input.
            widths: the module's widths.

        Returns:
            Name of a branch -> its layers in order.

        Raises:
            ValueError: for a bad argument.

        Example:
            >>> widths = InceptionWidths(64, 96, 128, 16, 32, 32)
            >>> [placed.out_channels for placed in REDUCED.sized_layers(192, widths)["pool"]]
            [192, 32]
        """
        in_channels = require_whole_number("in_channels", in_channels, at_most=None)
        require_widths(widths)
        return self.layers(in_channels, lambda name: getattr(widths, name))

    def branch_channels(self, in_channels: int, widths: InceptionWidths) -> dict[str, int]:
        """Channels that each branch puts out.

        Args:
            in_channels: channels of the module's input.
            widths: the module's widths.

        Returns:
            Name of a branch -> channels, in the order of concatenation.

        Raises:
            ValueError: for a bad argument.

        Example:
            >>> NAIVE.branch_channels(192, InceptionWidths(64, 96, 128, 16, 32, 32))
            {'1x1': 64, '3x3': 128, '5x5': 32, 'pool': 192}
        """
        layers = self.sized_layers(in_channels, widths)
        return {branch: layers[branch][-1].out_channels for branch in self.concat_order}

    def out_channels(self, in_channels: int, widths: InceptionWidths) -> int:
        """Channels that leave the module: those of all branches together.

        Args:
            in_channels: channels of the module's input.
            widths: the module's widths.

        Returns:
            Their number.

        Raises:
            ValueError: for a bad argument.

        Example:
            >>> NAIVE.out_channels(192, InceptionWidths(64, 96, 128, 16, 32, 32))
            416
        """
        return sum(self.branch_channels(in_channels, widths).values())

    def receptive_fields(self) -> dict[str, tuple[int, int]]:
        """How much of the input one output pixel of each branch sees.

        Returns:
            Name of a branch -> (height, width) in pixels of the module's input.

        Example:
            >>> REDUCED.receptive_fields()["5x5"]
            (5, 5)
        """
        return {branch: receptive_field(layers) for branch, layers in self.branches.items()}


def place_layers(
    layers: tuple[BranchLayer, ...], channels: Channels, width: Callable[[str], Channels]
) -> list[PlacedLayer[Channels]]:
    """The layers of one branch with the channels between them."""
    placed = []
    for layer in layers:
        out_channels = width(layer.width) if isinstance(layer, Conv) else channels
        placed.append(PlacedLayer(layer, channels, out_channels))
        channels = out_channels
    return placed


def receptive_field(layers: tuple[BranchLayer, ...]) -> tuple[int, int]:
    """What the layers see together: at stride 1, each adds its kernel less one pixel."""
    height, width = zip(*(layer.kernel for layer in layers), strict=True)
    return 1 + sum(side - 1 for side in height), 1 + sum(side - 1 for side in width)


# --- checks ------------------------------------------------------------------------------


def kernel_pair(kernel_size: int | tuple[int, int]) -> tuple[int, int]:
    """Height and width of a kernel.

    Args:
        kernel_size: the side of a square one, or (height, width).

    Returns:
        (height, width) in pixels.

    Raises:
        ValueError: for a tuple of more or fewer than two.
    """
    sides = kernel_size if isinstance(kernel_size, tuple) else (kernel_size, kernel_size)
    if len(sides) != 2:
        raise ValueError(f"kernel_size must be one side or two, but it is {shown(kernel_size)}")
    return sides


def require_odd_kernel(kernel_size: int | tuple[int, int]) -> None:
    """Raise a ``ValueError`` unless this is an odd side, or a pair of odd sides."""
    for side in kernel_pair(kernel_size):
        require_odd("kernel_size", side)


def require_design(design: Design) -> Design:
    """The design, or a ``ValueError`` unless it is one."""
    return require_instance("design", design, Design, "a Design, for instance NAIVE or REDUCED")


def require_designs(designs: tuple[Design, ...], count: int | None = None) -> tuple[Design, ...]:
    """The designs, or a ``ValueError`` unless each has a name of its own.

    Args:
        designs: what to compare.
        count: how many there must be; None is any number but 0.

    Returns:
        The designs.

    Raises:
        ValueError: for anything else.
    """
    wanted = "designs, for instance (NAIVE, REDUCED),"
    several = require_items("designs", designs, Design, wanted)
    names = [design.name for design in several]
    if len(set(names)) < len(names):
        raise ValueError(f"designs must have a name of its own each, but it is {names}")
    if count is not None and len(names) != count:
        raise ValueError(
            f"designs must be {count}, for instance (NAIVE, REDUCED), but it is {names}"
        )
    return tuple(several)


def require_branches(branches: Mapping[str, tuple[BranchLayer, ...]]) -> None:
    """Raise a ``ValueError`` unless these are branches of at least one layer each."""
    if not isinstance(branches, Mapping) or not branches:
        raise ValueError(
            "branches must map the name of a branch to its layers, for instance "
            f"{{'1x1': (Conv(1, 'c1x1'),)}}, but it is {shown(branches)}"
        )
    for branch, layers in branches.items():
        require_layer_name("branches", branch)
        if not isinstance(layers, tuple) or not layers:
            raise ValueError(
                f"branches must hold a tuple of layers for {branch!r}, but it holds {shown(layers)}"
            )
        for layer in layers:
            if not isinstance(layer, (Conv, Pool)):
                raise ValueError(
                    f"branches must be made of Conv and Pool, but {branch!r} holds {shown(layer)}"
                )
        names = [layer.name for layer in layers]
        if len(set(names)) < len(names):
            raise ValueError(
                f"branches must name the layers of {branch!r} differently, but they are {names}"
            )


def require_order(
    order: tuple[str, ...], branches: Mapping[str, tuple[BranchLayer, ...]]
) -> tuple[str, ...]:
    """The order; of an empty one, that of the branches. It has to name each branch once."""
    listed = isinstance(order, (tuple, list))
    left_out = listed and len(order) == 0
    named_once = listed and all(order.count(name) == 1 for name in branches)
    if not (left_out or (named_once and len(order) == len(branches))):
        raise ValueError(
            f"concat_order must name each of {', '.join(branches)} once, but it is {shown(order)}"
        )
    return tuple(branches if left_out else order)


# --- the designs -------------------------------------------------------------------------

NAIVE = Design(
    "naive",
    {
        "1x1": (Conv(1, "c1x1"),),
        "3x3": (Conv(3, "c3x3"),),
        "5x5": (Conv(5, "c5x5"),),
        "pool": (Pool(),),
    },
)
"""The naive module (Figure 2a) has no reductions, and its pooling passes on all channels."""

REDUCED = Design(
    "reduced",
    {
        "1x1": (Conv(1, "c1x1"),),
        "3x3": (Conv(1, "c3x3_reduce", name="reduce"), Conv(3, "c3x3")),
        "5x5": (Conv(1, "c5x5_reduce", name="reduce"), Conv(5, "c5x5")),
        "pool": (Pool(), Conv(1, "pool_proj", name="project")),
    },
)
"""GoogLeNet's module (Figure 2b) has 1x1 convolutions in front, and one behind the pooling."""

LINEAR = REDUCED.variant(
    "linear",
    {
        "3x3": (Conv(1, "c3x3_reduce", name="reduce", relu=False), Conv(3, "c3x3")),
        "5x5": (Conv(1, "c5x5_reduce", name="reduce", relu=False), Conv(5, "c5x5")),
    },
)
"""The reduced module without the ReLU of its two reductions, a control experiment of our own."""

NOTES = Design("notes", REDUCED.branches, concat_order=("pool", "5x5", "3x3", "1x1"))
"""The reduced module, concatenated the other way round, as in the notes behind this book."""

TORCHVISION = REDUCED.variant(
    "torchvision", {"5x5": (Conv(1, "c5x5_reduce", name="reduce"), Conv(3, "c5x5"))}
)
"""The module of torchvision, whose branch called "5x5" has a 3x3 kernel (its issue 906)."""
