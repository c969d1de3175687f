"""The two Inception modules of the paper's Figure 2, built from the same six widths."""

from collections import OrderedDict

import torch
from torch import Tensor, nn

from gnet_lib.paper import (
    BRANCHES,
    InceptionWidths,
    require_bool,
    require_positive_int,
    require_widths,
)

# Shapes: N images in the batch, C channels, H x W pixels.


def require_maps(x: Tensor, in_channels: int, name: str = "x") -> None:
    """Raise a ``ValueError`` unless ``x`` is a batch of maps (N, in_channels, H, W)."""
    if not isinstance(x, Tensor):
        raise ValueError(
            f"{name} must be a torch.Tensor, but it is of type {type(x).__name__}; "
            "torch.as_tensor makes one of an array or a list"
        )
    if x.dim() != 4 or x.shape[1] != in_channels:
        raise ValueError(
            f"{name} must have the shape (N, {in_channels}, H, W), "
            f"but its shape is {tuple(x.shape)}"
        )
    if not x.is_floating_point():
        raise ValueError(
            f"{name} must hold floating-point numbers, but its type is {x.dtype}; {name}.float() "
            "makes them of whole numbers"
        )


def conv_norm_act(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    stride: int = 1,
    batch_norm: bool = False,
) -> nn.Sequential:
    """A convolution and the ReLU that follows every convolution of the paper (section 5).

    Padding of half the kernel keeps the map's size at stride 1. With ``batch_norm`` a
    batch normalisation stands between the two, and the convolution has no bias: the
    normalisation would subtract it again.

    Args:
        in_channels: channels that come in.
        out_channels: channels that go out.
        kernel_size: side of the square kernel; odd.
        stride: step between neighbouring outputs.
        batch_norm: whether to normalise before the ReLU.

    Returns:
        The layers ``conv``, ``norm`` (with ``batch_norm``) and ``relu``. They turn
        (N, in_channels, H, W) into (N, out_channels, H / stride, W / stride), rounded up.

    Raises:
        ValueError: if a number is not a whole number of at least 1, the kernel is even, or
            ``batch_norm`` is not True or False.

    Example:
        >>> conv_norm_act(3, 8, kernel_size=3)(torch.zeros(1, 3, 5, 5)).shape
        torch.Size([1, 8, 5, 5])
    """
    in_channels = require_positive_int("in_channels", in_channels)
    out_channels = require_positive_int("out_channels", out_channels)
    kernel_size = require_positive_int("kernel_size", kernel_size)
    stride = require_positive_int("stride", stride)
    require_bool("batch_norm", batch_norm)
    if kernel_size % 2 == 0:
        raise ValueError(
            "kernel_size must be odd, because padding of half an even kernel changes the "
            f"map's size, but it is {kernel_size}"
        )
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    layers["conv"] = nn.Conv2d(
        in_channels,
        out_channels,
        kernel_size,
        stride=stride,
        padding=kernel_size // 2,
        bias=not batch_norm,
    )
    if batch_norm:
        layers["norm"] = nn.BatchNorm2d(out_channels)
    layers["relu"] = nn.ReLU(inplace=True)
    return nn.Sequential(layers)


def concatenate(outputs: list[Tensor]) -> Tensor:
    """The paths' maps behind one another along the channels; the same numbers as ``torch.cat``.

    On the way back each path receives its share of the gradient, a slice of all channels.
    In channels-last memory such a slice lies in many small pieces, and the ReLU in front is
    slow on it. So each share is first copied into one block, which changes no number:
    training on a CPU becomes about a tenth faster.

    Args:
        outputs: maps (N, c, H, W); all but c agree.

    Returns:
        (N, sum of all c, H, W).

    Example:
        >>> concatenate([torch.zeros(1, 2, 4, 4), torch.ones(1, 3, 4, 4)]).shape
        torch.Size([1, 5, 4, 4])
    """
    for output in outputs:
        if output.requires_grad and output.is_contiguous(memory_format=torch.channels_last):
            output.register_hook(in_one_block)
    return torch.cat(outputs, dim=1)


def in_one_block(gradient: Tensor) -> Tensor:
    """The same gradient in channels-last memory without gaps."""
    return gradient.contiguous(memory_format=torch.channels_last)


class InceptionBase(nn.Module):
    """What both Inception modules share: one input, four paths, their outputs concatenated.

    ``NaiveInception`` and ``Inception`` build ``branches`` and say how many
    ``out_channels`` come out. This class by itself has neither.

    Args:
        in_channels: channels of the input.
        widths: the module's widths.

    Attributes:
        concat_order: names of the four paths in the order of concatenation.
        in_channels: channels that come in.
        widths: the module's widths.

    Raises:
        ValueError: for a bad argument.

    Example:
        >>> InceptionBase.concat_order
        ('1x1', '3x3', '5x5', 'pool')
    """

    concat_order = BRANCHES

    def __init__(self, in_channels: int, widths: InceptionWidths) -> None:
        super().__init__()
        self.in_channels = require_positive_int("in_channels", in_channels)
        require_widths(widths)
        self.widths = widths

    def forward(self, x: Tensor) -> Tensor:  # (N, in_channels, H, W)
        """Send one batch through the four paths.

        Args:
            x: maps (N, in_channels, H, W).

        Returns:
            Maps (N, out_channels, H, W), path by path in the order of ``concat_order``.

        Raises:
            ValueError: if ``x`` is no tensor of that shape.
        """
        require_maps(x, self.in_channels)
        outputs = [self.branches[name](x) for name in self.concat_order]  # each (N, c, H, W)
        return concatenate(outputs)  # (N, out_channels, H, W)


class NaiveInception(InceptionBase):
    """The naive Inception module: four parallel paths over the same input, concatenated.

    It uses three of the six widths: the naive module has no 1x1 reductions and no
    projection, so its pool path passes on all ``in_channels``.

    Args:
        in_channels: channels of the input.
        widths: the module's widths; the reductions and ``pool_proj`` are not used.
        batch_norm: whether every convolution is followed by batch normalisation.

    Attributes:
        branches: the four paths by name. ``branches["1x1"]``, ``["3x3"]`` and ``["5x5"]``
            are what ``conv_norm_act`` makes, ``["pool"]`` is a max pooling.
        concat_order: names of the four paths in the order of concatenation.
        in_channels: channels that come in.
        out_channels: channels that go out.
        widths: the module's widths.

    Shape:
        (N, in_channels, H, W) -> (N, out_channels, H, W), where ``out_channels`` is
        ``c1x1 + c3x3 + c5x5 + in_channels``.

    Raises:
        ValueError: for a bad argument, or an input of another shape.

    Example:
        >>> module = NaiveInception(192, InceptionWidths(64, 96, 128, 16, 32, 32))
        >>> module(torch.zeros(1, 192, 28, 28)).shape
        torch.Size([1, 416, 28, 28])
        >>> module.branches["5x5"].conv.weight.shape
        torch.Size([32, 192, 5, 5])

    Source: section 4, Figure 2(a).
    """

    def __init__(self, in_channels: int, widths: InceptionWidths, batch_norm: bool = False) -> None:
        super().__init__(in_channels, widths)
        self.out_channels = widths.naive_out_channels(self.in_channels)
        self.branches = nn.ModuleDict(
            {
                "1x1": conv_norm_act(in_channels, widths.c1x1, 1, batch_norm=batch_norm),
                "3x3": conv_norm_act(in_channels, widths.c3x3, 3, batch_norm=batch_norm),
                "5x5": conv_norm_act(in_channels, widths.c5x5, 5, batch_norm=batch_norm),
                "pool": nn.MaxPool2d(kernel_size=3, stride=1, padding=1),
            }
        )


class Inception(InceptionBase):
    """The Inception module with 1x1 reductions: the one GoogLeNet is made of.

    A 1x1 convolution stands in front of the 3x3 and of the 5x5 convolution, and one
    behind the pooling. Each has a ReLU of its own ("dual-purpose", section 4).

    Args:
        in_channels: channels of the input.
        widths: the module's six widths.
        batch_norm: whether every convolution is followed by batch normalisation.

    Attributes:
        branches: the four paths by name. ``branches["1x1"]`` is what ``conv_norm_act`` makes;
            ``["3x3"]`` and ``["5x5"]`` have two such parts, ``reduce`` and ``conv``;
            ``["pool"]`` has a max pooling ``pool``, and ``project``, again of ``conv_norm_act``.
        concat_order: names of the four paths in the order of concatenation.
        in_channels: channels that come in.
        out_channels: channels that go out.
        widths: the module's widths.

    Shape:
        (N, in_channels, H, W) -> (N, out_channels, H, W), where ``out_channels`` is
        ``c1x1 + c3x3 + c5x5 + pool_proj``, whatever ``in_channels`` is.

    Raises:
        ValueError: for a bad argument, or an input of another shape.

    Example:
        >>> module = Inception(192, InceptionWidths(64, 96, 128, 16, 32, 32))
        >>> module(torch.zeros(1, 192, 28, 28)).shape
        torch.Size([1, 256, 28, 28])
        >>> module.branches["5x5"].reduce.conv.weight.shape
        torch.Size([16, 192, 1, 1])

    Source: section 4, Figure 2(b); widths in Table 1.
    """

    def __init__(self, in_channels: int, widths: InceptionWidths, batch_norm: bool = False) -> None:
        super().__init__(in_channels, widths)
        self.out_channels = widths.out_channels
        self.branches = nn.ModuleDict(
            {
                "1x1": conv_norm_act(in_channels, widths.c1x1, 1, batch_norm=batch_norm),
                "3x3": nn.Sequential(
                    OrderedDict(
                        reduce=conv_norm_act(
                            in_channels, widths.c3x3_reduce, 1, batch_norm=batch_norm
                        ),
                        conv=conv_norm_act(
                            widths.c3x3_reduce, widths.c3x3, 3, batch_norm=batch_norm
                        ),
                    )
                ),
                "5x5": nn.Sequential(
                    OrderedDict(
                        reduce=conv_norm_act(
                            in_channels, widths.c5x5_reduce, 1, batch_norm=batch_norm
                        ),
                        conv=conv_norm_act(
                            widths.c5x5_reduce, widths.c5x5, 5, batch_norm=batch_norm
                        ),
                    )
                ),
                "pool": nn.Sequential(
                    OrderedDict(
                        pool=nn.MaxPool2d(kernel_size=3, stride=1, padding=1),
                        project=conv_norm_act(
                            in_channels, widths.pool_proj, 1, batch_norm=batch_norm
                        ),
                    )
                ),
            }
        )


class LinearInception(Inception):
    """The control experiment: the same module, but its two reductions stay linear.

    A 1x1 reduction makes a layer cheaper *and* adds a ReLU to the network. Without that
    ReLU only the first of the two is left, at the same parameters and multiply-adds. The
    projection behind the pooling keeps its ReLU, because it ends a path.

    Args:
        in_channels: channels of the input.
        widths: the module's six widths.
        batch_norm: whether every convolution is followed by batch normalisation.

    Shape:
        (N, in_channels, H, W) -> (N, out_channels, H, W), as in ``Inception``.

    Raises:
        ValueError: for a bad argument, or an input of another shape.

    Example:
        >>> module = LinearInception(192, InceptionWidths(64, 96, 128, 16, 32, 32))
        >>> module.branches["3x3"].reduce.relu
        Identity()

    Source: our own variation; in the paper every convolution has a ReLU (section 5).
    """

    def __init__(self, in_channels: int, widths: InceptionWidths, batch_norm: bool = False) -> None:
        super().__init__(in_channels, widths, batch_norm)
        for name in ("3x3", "5x5"):
            self.branches[name].reduce.relu = nn.Identity()


class NotesInception(Inception):
    """The same module with the paths concatenated in the notes' order: pool, 5x5, 3x3, 1x1.

    The notes are the lecture notes that this book grew from. Any fixed order works, since
    the next layer learns which channel is which.

    Args:
        in_channels: channels of the input.
        widths: the module's six widths.
        batch_norm: whether every convolution is followed by batch normalisation.

    Shape:
        (N, in_channels, H, W) -> (N, out_channels, H, W), as in ``Inception``.

    Raises:
        ValueError: for a bad argument, or an input of another shape.

    Example:
        >>> NotesInception.concat_order
        ('pool', '5x5', '3x3', '1x1')
    """

    concat_order = tuple(reversed(BRANCHES))
