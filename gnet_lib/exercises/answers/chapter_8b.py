"""The exercises of Chapter 8b: a fair comparison."""

from typing import Any

import gnet_lib as lib
from gnet_lib.exercises.answer_types import Module, Number, Satisfies
from gnet_lib.exercises.exercise import Exercise


def parameters_at(width: float, **choices: Any) -> int:
    """Parameters of the small network of this width."""
    import torch

    with torch.device("meta"):
        model = lib.MiniGoogLeNet(width=width, **choices)
    return sum(parameter.numel() for parameter in model.parameters())


def compared_with_naive(width: float) -> float:
    """Parameters of the reduced network of this width, as a fraction of the naive one's."""
    return parameters_at(width) / parameters_at(1.0, module=lib.NaiveInception)


def naive_with_projection(relu: bool = True, in_front: bool = False) -> Any:
    """The naive 3a with a projection behind the pooling."""
    from gnet_lib.inception import conv_norm_act

    module: Any = lib.Inception(192, lib.WIDTHS["3a"])
    module.branches["3x3"] = conv_norm_act(192, 128, kernel_size=3)
    module.branches["5x5"] = conv_norm_act(192, 32, kernel_size=5)
    if not relu:
        module.branches["pool"].project = module.branches["pool"].project.conv
    if in_front:
        module.branches["pool"] = module.branches["pool"][::-1]
    return module


EXERCISES = (
    Exercise(
        "8b.2",
        "a reduced network with the parameters of the naive one",
        Satisfies(
            Number(tolerance=0.01),
            (
                (
                    lambda width: 0 < width < 10,
                    "a width is a factor for all channels: it has to be above 0, and need not be "
                    "above 10.",
                ),
                (
                    lambda width: compared_with_naive(width) > 0.97,
                    "the reduced network still has fewer parameters than the naive one.",
                ),
                (
                    lambda width: compared_with_naive(width) < 1.03,
                    "the reduced network has more parameters than the naive one. They grow faster "
                    "than the width.",
                ),
            ),
        ),
        right=lambda: 2.4,
    ),
    Exercise(
        "8b.3",
        "a naive module with a projection",
        Module((1, 192, 7, 7)),
        right=naive_with_projection,
        mistakes=(
            (
                lambda: lib.NaiveInception(192, lib.WIDTHS["3a"]),
                "the pooling branch still hands on all it pools: there is no projection.",
            ),
            (
                lambda: lib.Inception(192, lib.WIDTHS["3a"]),
                "the 3x3 and the 5x5 branch still have their reductions.",
            ),
            (
                lambda: naive_with_projection(in_front=True),
                "the projection stands in front of the pooling, not behind it.",
            ),
            (lambda: naive_with_projection(relu=False), "there is no ReLU behind the projection."),
        ),
        hint="Build it without batch normalisation.",
    ),
)
