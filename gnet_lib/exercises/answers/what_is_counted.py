"""The exercises of "What torchinfo counts"."""

import gnet_lib as lib
from gnet_lib.exercises.answer_types import ANY, Function, Numbers
from gnet_lib.exercises.exercise import Exercise


def norm_by_torchinfo() -> int:
    """What torchinfo prints for the multiply-adds of a batch normalisation."""
    import torch

    (layer,) = lib.torchinfo_layers(torch.nn.BatchNorm2d(8), (1, 8, 10, 10)).to_dict("records")
    return layer["torchinfo"]


def some_costs() -> list[tuple]:
    """A network, a layer, and one whose biases are easy to tell apart."""
    network = lib.cost.total(lib.network_cost())
    return [(network,), (lib.conv_cost(3, 64, 7, 112),), (lib.Cost(9, 1, 9000, 1000),)]


EXERCISES = (
    Exercise(
        "T.1",
        "a batch normalisation",
        Numbers(("count by torchinfo", "fair count")),
        right=lambda: (norm_by_torchinfo(), 8 * 10 * 10),
        mistakes=(
            (
                lambda: (2 * 8 * 10 * 10, ANY),
                "the first number is not what torchinfo prints: it takes these parameters once an "
                "image, not once a pixel.",
            ),
            (
                lambda: (8, ANY),
                "the first number is the weights alone. There is a shift for each channel as well.",
            ),
            (
                lambda: (ANY, 2 * 8 * 10 * 10),
                "the second number is twice too large: to scale and to shift a value is one "
                "product and one addition.",
            ),
            (lambda: (ANY, 10 * 10), "the second number is for one channel."),
            (
                lambda: (0, ANY),
                "the first number: does torchinfo know that the layer has parameters?",
            ),
        ),
    ),
    Exercise(
        "T.2",
        "torchinfo's count from ours",
        Function("a function of a Cost", some_costs),
        right=lambda: lambda cost: cost.multiply_adds + cost.bias_additions,
        mistakes=(
            (
                lambda: lambda cost: cost.multiply_adds,
                "that is this book's count. torchinfo has a little more.",
            ),
            (
                lambda: lambda cost: cost.multiply_adds + cost.biases,
                "every bias is added more than once.",
            ),
            (lambda: lambda cost: cost.parameters, "those are the parameters, not the work."),
            (
                lambda: lambda cost: 2 * cost.multiply_adds,
                "torchinfo does not count a multiply-add as two.",
            ),
        ),
    ),
)
