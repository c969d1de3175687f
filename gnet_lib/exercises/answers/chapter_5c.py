"""The exercises of Chapter 5c: torchvision's network."""

import functools
from typing import Any

import gnet_lib as lib
from gnet_lib.exercises.answer_types import ANY, Module, Number, Numbers
from gnet_lib.exercises.exercise import Exercise


@functools.cache
def torchvisions_layers() -> dict[str, tuple[str, int]]:
    """Kind and number of parameters of every layer of torchvision's network with its heads."""
    import torch

    with torch.device("meta"):
        model = lib.torchvision_variant()
    return {
        name: (type(layer).__name__, sum(each.numel() for each in layer.parameters(recurse=False)))
        for name, layer in model.named_modules()
    }


def in_torchvisions(kinds: str = "", heads: bool = True) -> int:
    """Parameters of the layers of some kinds in torchvision's network."""
    return sum(
        parameters
        for name, (kind, parameters) in torchvisions_layers().items()
        if kind.startswith(kinds) and (heads or not name.startswith("heads"))
    )


def max_pooling(**changes: Any) -> Any:
    """The paper's pooling between 4e and 5a, or another one."""
    import torch

    row: Any = next(row for row in lib.TABLE_1 if row.name == "pool4")
    choices = {"kernel_size": row.kernel_size, "stride": row.stride, "ceil_mode": row.ceil_mode}
    return torch.nn.MaxPool2d(**choices | changes)


def in_3a(kernel_size: int, in_channels: int = 16) -> Any:
    """The larger convolution of 3a's 5x5 branch."""
    return lib.conv_cost(in_channels, 32, kernel_size, output_size=28)


EXERCISES = (
    Exercise(
        "5c.1",
        "torchvision's parameters",
        Numbers(("parameters of the network", "parameters of batch normalisation")),
        right=lambda: (in_torchvisions(), in_torchvisions("BatchNorm")),
        mistakes=(
            (
                lambda: (in_torchvisions(heads=False), ANY),
                "the first number leaves out the two heads.",
            ),
            (
                lambda: (ANY, in_torchvisions("BatchNorm", heads=False)),
                "the second number leaves out the two heads, which normalise as well.",
            ),
            (
                lambda: (ANY, in_torchvisions("BatchNorm") // 2),
                "the second number has one parameter a channel. Batch normalisation scales and "
                "shifts.",
            ),
            (
                lambda: (ANY, 2 * in_torchvisions("BatchNorm")),
                "the second number includes the running averages, which are no parameters.",
            ),
            (
                lambda: (lib.cost.total(lib.network_cost(aux=True)).parameters, ANY),
                "the first number is the paper's network's.",
            ),
        ),
    ),
    Exercise(
        "5c.2",
        "what a 3x3 kernel saves in 3a",
        Number(),
        right=lambda: in_3a(5).multiply_adds - in_3a(3).multiply_adds,
        mistakes=(
            (
                lambda: in_3a(5).weights - in_3a(3).weights,
                "those are the weights. Each of them is used at every pixel.",
            ),
            (
                lambda: in_3a(5, 192).multiply_adds - in_3a(3, 192).multiply_adds,
                "the larger convolution reads what the reduction in front of it puts out, not the "
                "module's input.",
            ),
            (
                lambda: in_3a(3).multiply_adds,
                "that is what the smaller kernel needs. How much does it save?",
            ),
            (
                lambda: in_3a(5).multiply_adds,
                "that is what the larger kernel needs. How much does the smaller one save?",
            ),
        ),
    ),
    Exercise(
        "5c.3",
        "the paper's pooling between 4e and 5a",
        Module((1, 8, 14, 14)),
        right=max_pooling,
        mistakes=(
            (lambda: max_pooling(kernel_size=2), "that is torchvision's own pooling, of 2x2."),
            (
                lambda: max_pooling(ceil_mode=False),
                "its map is too small: it rounds down, and the poolings of this network round up.",
            ),
            (
                lambda: max_pooling(ceil_mode=False, padding=1),
                "padded, and rounded down: the size is right, but its windows lie elsewhere. The "
                "poolings of this network round up.",
            ),
            (lambda: max_pooling(stride=1), "it does not halve the map."),
        ),
    ),
)
