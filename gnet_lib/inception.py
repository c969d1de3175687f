"""The Inception modules of the paper's Figure 2, built from their designs."""

from collections import OrderedDict

import torch
from torch import Tensor, fx, nn
from torch.jit import is_scripting, is_tracing  # pyright: ignore[reportPrivateImportUsage]

from gnet_lib._check import require_bool, require_whole_number
from gnet_lib.design import (
    LINEAR,
    NAIVE,
    REDUCED,
    Design,
    PlacedLayer,
    Pool,
    kernel_pair,
    require_design,
    require_odd_kernel,
)
from gnet_lib.paper import InceptionWidths, require_widths

# Shapes: N images in the batch, C channels, H x W pixels.


@torch.jit.unused  # torch.jit.script need not understand it
def is_recorded(x: Tensor) -> bool:
    """Whether a tool of PyTorch follows this call to write down what the network computes.

    Such a tool (``torch.fx``, ``torch.jit.trace``, ``torch.compile``, ``torch.export`` and,
    through it, ONNX) sends a stand-in through ``forward`` that has no shape to check. So the
    checks stop here, and the tool records arithmetic alone. ``torch.jit.script`` reads the
    code instead of running it; it knows ``is_scripting()``, which stands beside each use of this.
    """
    return isinstance(x, fx.Proxy) or is_tracing() or torch.compiler.is_compiling()


def require_maps(x: Tensor, in_channels: int, name: str = "x") -> None:
    """Raise a ``ValueError`` unless ``x`` is a batch of maps (N, in_channels, H, W)."""
    if is_scripting() or is_recorded(x):
        return
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
    kernel_size: int | tuple[int, int],
    stride: int = 1,
    batch_norm: bool = False,
    relu: bool = True,
) -> nn.Sequential:
    """A convolution and the ReLU that follows every convolution of the paper (section 5).

    Padding of half the kernel keeps the map's size at stride 1. With ``batch_norm`` a
    batch normalisation stands between the two, and the convolution has no bias: the
    normalisation would subtract it again.

    Args:
        in_channels: channels that come in.
        out_channels: channels that go out.
        kernel_size: side of the square kernel, or its (height, width); odd.
        stride: step between neighbouring outputs.
        batch_norm: whether to normalise before the ReLU.
        relu: False leaves the ReLU out; an ``nn.Identity`` stands in its place.

    Returns:
        The layers ``conv``, ``norm`` (with ``batch_norm``) and ``relu``. They turn
        (N, in_channels, H, W) into (N, out_channels, H / stride, W / stride), rounded up.

    Raises:
        ValueError: if a number is not a whole number of at least 1, the kernel is even, or
            ``batch_norm`` or ``relu`` is not True or False.

    Example:
        >>> conv_norm_act(3, 8, kernel_size=3)(torch.zeros(1, 3, 5, 5)).shape
        torch.Size([1, 8, 5, 5])
    """
    require_odd_kernel(kernel_size)
    require_bool("batch_norm", batch_norm)
    height, width = kernel_pair(kernel_size)
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    layers["conv"] = nn.Conv2d(
        require_whole_number("in_channels", in_channels),
        require_whole_number("out_channels", out_channels),
        (height, width),
        stride=require_whole_number("stride", stride),
        padding=(height // 2, width // 2),
        bias=not batch_norm,
    )
    if batch_norm:
        layers["norm"] = nn.BatchNorm2d(out_channels)
    # Not in place: a hook on ``conv`` would show the maps after the ReLU. This costs about 2 %
    # of the time of a training step on a CPU.
    layers["relu"] = nn.ReLU() if require_bool("relu", relu) else nn.Identity()
    return nn.Sequential(layers)


def concatenate(outputs: list[Tensor]) -> Tensor:
    """The branches' maps behind one another along the channels; the same as ``torch.cat``.

    On the way back each branch receives its part of the gradient, a slice of all channels.
    In channels-last memory such a slice lies in many small pieces, and the ReLU in front is
    slow on it. So each part is first copied into one block, which changes no number:
    training on a CPU becomes about a tenth faster.

    Args:
        outputs: maps (N, c, H, W); all but c agree.

    Returns:
        (N, sum of all c, H, W).

    Example:
        >>> concatenate([torch.zeros(1, 2, 4, 4), torch.ones(1, 3, 4, 4)]).shape
        torch.Size([1, 5, 4, 4])
    """
    if not (is_scripting() or is_recorded(outputs[0])):
        for output in outputs:
            if output.requires_grad and output.is_contiguous(memory_format=torch.channels_last):
                output.register_hook(in_one_block)
    return torch.cat(outputs, dim=1)


def in_one_block(gradient: Tensor) -> Tensor:
    """The same gradient in channels-last memory without gaps."""
    return gradient.contiguous(memory_format=torch.channels_last)


def build_branch(layers: list[PlacedLayer[int]], batch_norm: bool) -> nn.Module:
    """The layers of one branch; a branch of a single layer is that layer itself."""
    built = OrderedDict((placed.layer.name, build_layer(placed, batch_norm)) for placed in layers)
    return nn.Sequential(built) if len(built) > 1 else next(iter(built.values()))


def build_layer(placed: PlacedLayer[int], batch_norm: bool) -> nn.Module:
    """One layer of a branch, which keeps the map's size."""
    layer, in_channels, out_channels = placed
    if isinstance(layer, Pool):
        return nn.MaxPool2d(layer.kernel_size, stride=1, padding=layer.kernel_size // 2)
    return conv_norm_act(
        in_channels, out_channels, layer.kernel_size, batch_norm=batch_norm, relu=layer.relu
    )


class InceptionBase(nn.Module):
    """An Inception module of any design: branches over one input, their outputs concatenated.

    A subclass names its ``design`` and is complete. A design of your own is an entry like
    those in ``gnet_lib.design``.

    Args:
        in_channels: channels of the input.
        widths: the module's widths.
        batch_norm: whether every convolution is followed by batch normalisation.

    Attributes:
        design: what the module is built from.
        branches: the branches by name. A branch of one layer is that layer; one of several
            has them by their names.
        concat_order: names of the branches in the order of concatenation.
        in_channels: channels that come in.
        out_channels: channels that go out.
        widths: the module's widths.

    Shape:
        (N, in_channels, H, W) -> (N, out_channels, H, W)

    Raises:
        ValueError: for a bad argument, or an input of another shape.

    Example:
        >>> from gnet_lib.design import Conv
        >>> class NoPooling(InceptionBase):
        ...     design = REDUCED.variant("no pooling", {"pool": (Conv(1, "pool_proj"),)})
        >>> NoPooling(192, InceptionWidths(64, 96, 128, 16, 32, 32)).out_channels
        256
    """

    design: Design = REDUCED

    def __init__(self, in_channels: int, widths: InceptionWidths, batch_norm: bool = False) -> None:
        super().__init__()
        self.in_channels = require_whole_number("in_channels", in_channels)
        self.widths = require_widths(widths)
        self.concat_order = require_design(self.design).concat_order
        self.out_channels = self.design.out_channels(self.in_channels, widths)
        layers = self.design.sized_layers(self.in_channels, widths)
        self.branches = nn.ModuleDict(
            {name: build_branch(layers[name], batch_norm) for name in layers}
        )

    def extra_repr(self) -> str:
        """What ``print`` says of the module before it lists the layers.

        Returns:
            Channels, widths and order of concatenation, in three lines.
        """
        return (
            f"in_channels={self.in_channels}, out_channels={self.out_channels}\n"
            f"widths={self.widths}\nconcat_order={self.concat_order}"
        )

    def forward(self, x: Tensor) -> Tensor:  # (N, in_channels, H, W)
        """Send one batch through the branches.

        Args:
            x: maps (N, in_channels, H, W).

        Returns:
            Maps (N, out_channels, H, W), branch by branch in the order of ``concat_order``.

        Raises:
            ValueError: if ``x`` is no tensor of that shape.
        """
        require_maps(x, self.in_channels)
        outputs = {name: branch(x) for name, branch in self.branches.items()}  # (N, c, H, W) each
        return concatenate([outputs[name] for name in self.concat_order])  # (N, out_channels, H, W)


class NaiveInception(InceptionBase):
    """The naive Inception module: four parallel branches over the same input, concatenated.

    It uses three of the six widths: the naive module has no 1x1 reductions and no
    projection, so its pool branch passes on all ``in_channels``. Arguments and attributes
    are those of ``InceptionBase``.

    Shape:
        (N, in_channels, H, W) -> (N, out_channels, H, W), where ``out_channels`` is
        ``c1x1 + c3x3 + c5x5 + in_channels``.

    Example:
        >>> module = NaiveInception(192, InceptionWidths(64, 96, 128, 16, 32, 32))
        >>> module(torch.zeros(1, 192, 28, 28)).shape
        torch.Size([1, 416, 28, 28])
        >>> module.branches["5x5"].conv.weight.shape
        torch.Size([32, 192, 5, 5])

    Source: section 4, Figure 2(a).
    """

    design = NAIVE


class Inception(InceptionBase):
    """The Inception module with 1x1 reductions: the one GoogLeNet is made of.

    A 1x1 convolution stands in front of the 3x3 and of the 5x5 convolution, and one
    behind the pooling. Each has a ReLU of its own ("dual-purpose", section 4). Arguments
    and attributes are those of ``InceptionBase``: ``branches["3x3"]`` and ``["5x5"]`` have
    the parts ``reduce`` and ``conv``, ``branches["pool"]`` has ``pool`` and ``project``.

    Shape:
        (N, in_channels, H, W) -> (N, out_channels, H, W), where ``out_channels`` is
        ``c1x1 + c3x3 + c5x5 + pool_proj``, whatever ``in_channels`` is.

    Example:
        >>> module = Inception(192, InceptionWidths(64, 96, 128, 16, 32, 32))
        >>> module(torch.zeros(1, 192, 28, 28)).shape
        torch.Size([1, 256, 28, 28])
        >>> module.branches["5x5"].reduce.conv.weight.shape
        torch.Size([16, 192, 1, 1])

    Source: section 4, Figure 2(b); widths in Table 1.
    """

    design = REDUCED


class LinearInception(Inception):
    """The control experiment: the same module, but its two reductions stay linear.

    A 1x1 reduction makes a layer cheaper *and* adds a ReLU to the network. Without that
    ReLU only the first of the two is left, at the same parameters and multiply-adds. The
    projection behind the pooling keeps its ReLU, because it ends a branch.

    Example:
        >>> module = LinearInception(192, InceptionWidths(64, 96, 128, 16, 32, 32))
        >>> module.branches["3x3"].reduce.relu
        Identity()

    Source: our own variation; in the paper every convolution has a ReLU (section 5).
    """

    design = LINEAR
