"""Theory against stopwatch: what a machine can do, and how much of it a module can use.

A processor has two limits: how many operations it computes in a second, and how many
bytes it moves. Which of the two holds a layer back depends on its *arithmetic intensity*,
the operations it does for each byte it moves. Drawn against each other they look like a
roof, hence the name.

Source: Williams, Waterman, Patterson, "Roofline: an insightful visual performance model
for multicore architectures", 2009, doi 10.1145/1498765.1498785.
"""

import time
from dataclasses import dataclass

import torch

from gnet_lib.cost import conv_cost, inception_cost, one_thread, path_convolutions, total
from gnet_lib.paper import InceptionWidths, require_positive_int

BYTES = 4  # of a float32


@dataclass(frozen=True)
class Machine:
    """What one thread of a CPU was seen to do at best.

    Args:
        operations: floating-point operations in a second (a multiply-add is two).
        bandwidth: bytes moved to or from memory in a second.

    Example:
        >>> Machine(operations=100e9, bandwidth=10e9).limit(intensity=50)
        100000000000.0
    """

    operations: float
    bandwidth: float

    def limit(self, intensity: float) -> float:
        """The roof: operations in a second that are possible at an arithmetic intensity.

        Args:
            intensity: operations for each byte that is moved.

        Returns:
            Operations in a second.

        Example:
            >>> Machine(operations=100e9, bandwidth=10e9).limit(intensity=2)
            20000000000.0
        """
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
    require_positive_int("size", size)
    require_positive_int("repeats", repeats)
    with one_thread():
        a, b, product = (torch.rand(size, size) for _ in range(3))
        source = torch.rand(16 * size, 4 * size)
        target = torch.empty_like(source)
        product_time = _fastest(lambda: torch.mm(a, b, out=product), repeats)
        maps, weight = torch.rand(1, 256, 30, 30), torch.rand(256, 256, 3, 3)
        conv_time = _fastest(lambda: torch.conv2d(maps, weight), repeats)
        copy_time = _fastest(lambda: target.copy_(source), repeats)
    conv_operations = 2 * conv_cost(256, 256, kernel_size=3, output_size=28).multiply_adds
    operations = max(2 * size**3 / product_time, conv_operations / conv_time)
    # A copy reads every byte and writes it.
    return Machine(operations, 2 * BYTES * source.numel() / copy_time)


def _fastest(work, repeats: int) -> float:
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def conv_bytes(in_channels: int, out_channels: int, kernel_size: int, size: int) -> int:
    """Bytes that a convolution moves at least: its input, its weights, its output, once each.

    Args:
        in_channels: channels that come in.
        out_channels: channels that go out.
        kernel_size: side of the kernel.
        size: height and width of the map in pixels.

    Returns:
        Bytes for one image, in float32.

    Example:
        >>> conv_bytes(192, 64, kernel_size=1, size=28)
        852224
    """
    maps = (in_channels + out_channels) * size**2
    return BYTES * (maps + conv_cost(in_channels, out_channels, kernel_size, size).parameters)


def module_bytes(in_channels: int, widths: InceptionWidths, size: int, naive: bool = False) -> int:
    """Bytes that an Inception module moves at least, layer by layer, with the concatenation.

    Args:
        in_channels: channels of the input.
        widths: the module's widths.
        size: height and width of the map in pixels.
        naive: whether to count the naive module.

    Returns:
        Bytes for one image, in float32.

    Example:
        >>> from gnet_lib.paper import WIDTHS
        >>> module_bytes(192, WIDTHS["3a"], size=28)
        7378368
    """
    paths = path_convolutions(in_channels, widths, naive).values()
    convolutions = sum(conv_bytes(*convolution, size) for path in paths for convolution in path)
    out_channels = widths.naive_out_channels(in_channels) if naive else widths.out_channels
    # Pooling and concatenation read every value and write it.
    pooling, concatenation = 2 * in_channels, 2 * out_channels
    return convolutions + BYTES * (pooling + concatenation) * size**2


def module_intensity(
    in_channels: int, widths: InceptionWidths, size: int, naive: bool = False
) -> float:
    """Operations (two a multiply-add) of a module for each byte that it moves at least.

    Args:
        in_channels: channels of the input.
        widths: the module's widths.
        size: height and width of the map in pixels.
        naive: whether to count the naive module.

    Returns:
        The module's arithmetic intensity, in operations a byte.

    Example:
        >>> from gnet_lib.paper import WIDTHS
        >>> round(module_intensity(192, WIDTHS["3a"], size=28))
        35
    """
    costs = total(inception_cost(in_channels, widths, size, naive))
    return 2 * costs.multiply_adds / module_bytes(in_channels, widths, size, naive)


def peak_activation_bytes(
    in_channels: int, widths: InceptionWidths, size: int, naive: bool = False
) -> int:
    """The most memory that maps take at one time while a module runs, for one image.

    At the end the input, the four outputs and their concatenation exist side by side. In
    the reduced module the moment behind the max pooling can be worse: then the input, the
    pooled input and all four outputs do. ReLU works in place and takes nothing.

    Args:
        in_channels: channels of the input.
        widths: the module's widths.
        size: height and width of the map in pixels.
        naive: whether to count the naive module.

    Returns:
        Bytes for one image, in float32.

    Example:
        >>> from gnet_lib.paper import WIDTHS
        >>> peak_activation_bytes(192, WIDTHS["3a"], size=28) // 28**2 // 4  # in channels
        704
    """
    if naive:
        channels = in_channels + 2 * widths.naive_out_channels(in_channels)
    else:
        out = widths.out_channels
        channels = in_channels + out + max(in_channels, out)
    return BYTES * channels * size**2
