"""Theory against stopwatch: how long a pass takes, what a machine can do, what a module uses.

A processor has two limits: how many operations it computes in a second, and how many
bytes it moves. Which of the two holds a layer back depends on its *arithmetic intensity*,
the operations it does for each byte it moves. Drawn against each other they look like a
roof, hence the name roofline.

Source: Williams, Waterman, Patterson, "Roofline: an insightful visual performance model
for multicore architectures", 2009, doi 10.1145/1498765.1498785.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor, nn

from gnet_lib._check import (
    require_instance,
    require_model,
    require_number,
    require_whole_number,
    stopped_with,
)
from gnet_lib._modes import evaluation_mode, one_thread
from gnet_lib.cost import conv_cost, inception_cost, total
from gnet_lib.design import REDUCED, Conv, Design, Pool, require_design
from gnet_lib.paper import InceptionWidths, require_widths

BYTES = 4  # of a float32

# --- the stopwatch -----------------------------------------------------------------------


@torch.inference_mode()
def latency_ms(model: nn.Module, batch: Tensor, repeats: int = 20) -> float:
    """Time of one forward pass in evaluation mode, in milliseconds: the fastest of several.

    The fastest pass is the one that other programs disturbed least. On a CPU one thread
    computes, because several would also wait for each other. Two passes that are not
    timed come first, since those also pay for memory and for choosing kernels. The
    model's mode and the number of threads are restored.

    Args:
        model: the network.
        batch: its input, on the same device as the model.
        repeats: number of timed passes.

    Returns:
        Milliseconds of the fastest pass.

    Raises:
        ValueError: if ``repeats`` is not a whole number of at least 1, or if the model does
            not compute with such a batch.

    Example:
        >>> latency_ms(nn.Linear(4, 2), torch.zeros(1, 4), repeats=3) > 0
        True
    """
    repeats = require_whole_number("repeats", repeats)
    require_model("model", model)
    require_instance("batch", batch, Tensor, "a torch.Tensor")
    device = next((each.device for each in model.parameters()), batch.device)
    if batch.device != device:
        raise ValueError(
            f"batch must be on the model's device, {device}, but it is on {batch.device}; "
            f"use batch.to({str(device)!r})"
        )

    def one_pass() -> None:
        model(batch).flatten()[0].item()  # .item() waits until a GPU has finished

    with one_thread(), evaluation_mode(model):
        try:
            return 1000 * _fastest_seconds(one_pass, repeats)
        except Exception as error:  # whatever a reader's model does
            raise ValueError(
                "model must turn batch into a tensor, but with a batch of the shape "
                f"{tuple(batch.shape)}, {batch.dtype}, on {batch.device}, it stops: "
                f"{stopped_with(error)}"
            ) from error


def _fastest_seconds(work: Callable[[], object], repeats: int) -> float:
    # torch.utils.benchmark.Timer has no fastest of so many passes: it gives the mean of a
    # number, each with two more to warm up, or what fits into a time, which for a large
    # network is one.
    for _ in range(2):
        work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


# --- the machine -------------------------------------------------------------------------


@dataclass(frozen=True)
class Machine:
    """What one thread of a CPU was seen to do at best.

    Args:
        operations: floating-point operations in a second (a multiply-add is two).
        bandwidth: bytes moved to or from memory in a second.

    Raises:
        ValueError: if one of them is not a finite number above 0.

    Example:
        >>> Machine(operations=100e9, bandwidth=10e9).limit(intensity=50)
        100000000000.0
    """

    operations: float
    bandwidth: float

    def __post_init__(self) -> None:
        require_number("operations", self.operations, above=0)
        require_number("bandwidth", self.bandwidth, above=0)

    def limit(self, intensity: float) -> float:
        """The roof: operations in a second that are possible at an arithmetic intensity.

        Args:
            intensity: operations for each byte that is moved.

        Returns:
            Operations in a second.

        Raises:
            ValueError: if ``intensity`` is not a finite number of at least 0.

        Example:
            >>> Machine(operations=100e9, bandwidth=10e9).limit(intensity=2)
            20000000000.0
        """
        intensity = require_number("intensity", intensity, at_least=0)
        return min(self.operations, intensity * self.bandwidth)


@torch.inference_mode()
def measure_machine(size: int = 1024, repeats: int = 10) -> Machine:
    """Measure one thread: operations by computing, bandwidth by copying.

    The limit of operations is the better of a matrix product and a 3x3 convolution, since
    PyTorch has a library of its own for each and either may know the processor better.

    Args:
        size: side of the two matrices; the copied block is 64 times as large as one.
        repeats: the fastest of so many tries counts.

    Returns:
        What was seen.

    Raises:
        ValueError: if an argument is not a whole number of at least 1.

    Example:
        >>> machine = measure_machine(size=64, repeats=1)
        >>> machine.operations > 0 and machine.bandwidth > 0
        True
    """
    size = require_whole_number("size", size)
    repeats = require_whole_number("repeats", repeats)
    with one_thread():
        a, b, product = (torch.rand(size, size) for _ in range(3))
        source = torch.rand(16 * size, 4 * size)
        target = torch.empty_like(source)
        product_time = _fastest_seconds(lambda: torch.mm(a, b, out=product), repeats)
        maps, weight = torch.rand(1, 256, 30, 30), torch.rand(256, 256, 3, 3)
        conv_time = _fastest_seconds(lambda: torch.conv2d(maps, weight), repeats)
        copy_time = _fastest_seconds(lambda: target.copy_(source), repeats)
    conv_operations = 2 * conv_cost(256, 256, kernel_size=3, output_size=28).multiply_adds
    operations = max(2 * size**3 / product_time, conv_operations / conv_time)
    # A copy reads every byte and writes it.
    return Machine(operations, 2 * BYTES * source.numel() / copy_time)


# --- what a module moves -----------------------------------------------------------------


def conv_bytes(
    in_channels: int, out_channels: int, kernel_size: int | tuple[int, int], size: int
) -> int:
    """Bytes that a convolution moves at least: its input, its weights, its output, once each.

    Args:
        in_channels: channels that come in.
        out_channels: channels that go out.
        kernel_size: side of the kernel, or its (height, width).
        size: height and width of the map in pixels.

    Returns:
        Bytes for one image, in float32.

    Raises:
        ValueError: if an argument is not a whole number of at least 1.

    Example:
        >>> conv_bytes(192, 64, kernel_size=1, size=28)
        852224
    """
    in_channels = require_whole_number("in_channels", in_channels)
    out_channels = require_whole_number("out_channels", out_channels)
    size = require_whole_number("size", size)
    maps = (in_channels + out_channels) * size**2
    return BYTES * (maps + conv_cost(in_channels, out_channels, kernel_size, size).parameters)


def module_bytes(
    in_channels: int, widths: InceptionWidths, size: int, design: Design = REDUCED
) -> int:
    """Bytes that an Inception module moves at least, layer by layer, with the concatenation.

    Args:
        in_channels: channels of the input.
        widths: the module's widths.
        size: height and width of the map in pixels.
        design: which module, for instance ``NAIVE``.

    Returns:
        Bytes for one image, in float32.

    Raises:
        ValueError: for a bad argument.

    Example:
        >>> from gnet_lib.paper import WIDTHS
        >>> module_bytes(192, WIDTHS["3a"], size=28)
        7378368
    """
    in_channels = require_whole_number("in_channels", in_channels)
    size = require_whole_number("size", size)
    branches = require_design(design).sized_layers(in_channels, require_widths(widths))
    # Concatenation and pooling read every value and write it.
    copied, convolutions = design.out_channels(in_channels, widths), 0
    for layer, inputs, outputs in chain.from_iterable(branches.values()):
        if isinstance(layer, Pool):
            copied += inputs
        else:
            convolutions += conv_bytes(inputs, outputs, layer.kernel_size, size)
    return convolutions + BYTES * 2 * copied * size**2


def module_intensity(
    in_channels: int, widths: InceptionWidths, size: int, design: Design = REDUCED
) -> float:
    """Operations (two a multiply-add) of a module for each byte that it moves at least.

    Args:
        in_channels: channels of the input.
        widths: the module's widths.
        size: height and width of the map in pixels.
        design: which module, for instance ``NAIVE``.

    Returns:
        The module's arithmetic intensity, in operations a byte.

    Raises:
        ValueError: for a bad argument.

    Example:
        >>> from gnet_lib.paper import WIDTHS
        >>> round(module_intensity(192, WIDTHS["3a"], size=28))
        35
    """
    costs = total(inception_cost(in_channels, widths, size, design))
    return 2 * costs.multiply_adds / module_bytes(in_channels, widths, size, design)


def peak_activation_bytes(
    in_channels: int, widths: InceptionWidths, size: int, design: Design = REDUCED
) -> int:
    """The most memory that maps take at one time while a module runs, for one image.

    The branches run one after the other. While a layer works, the module's input, the
    outputs of the branches before, and what goes into the layer and comes out of it exist
    side by side. A ReLU writes a map of its own, and what went into its convolution is still
    there. At the end all outputs and their concatenation exist.

    Args:
        in_channels: channels of the input.
        widths: the module's widths.
        size: height and width of the map in pixels.
        design: which module, for instance ``NAIVE``.

    Returns:
        Bytes for one image, in float32.

    Raises:
        ValueError: for a bad argument.

    Example:
        >>> from gnet_lib.paper import WIDTHS
        >>> peak_activation_bytes(192, WIDTHS["3a"], size=28) // 28**2 // 4  # in channels
        704
    """
    in_channels = require_whole_number("in_channels", in_channels)
    size = require_whole_number("size", size)
    layers = require_design(design).sized_layers(in_channels, require_widths(widths))
    finished, peak = 0, 0
    for branch in design.branches:
        between = 0  # the first layer reads the module's input, which is there anyway
        for placed in layers[branch]:
            relu = isinstance(placed.layer, Conv) and placed.layer.relu
            written = placed.out_channels * (2 if relu else 1)
            peak = max(peak, in_channels + finished + between + written)
            between = placed.out_channels
        finished += between
    return BYTES * max(peak, in_channels + 2 * finished) * size**2
