"""The exercises of Chapter 6: auxiliary classifiers."""

import functools
import math
from typing import Any

import gnet_lib as lib
from gnet_lib.exercises.answer_types import Function, Number
from gnet_lib.exercises.exercise import Exercise


def first_linear(pooled: int, channels: int = 128) -> Any:
    """The first linear layer of an auxiliary classifier."""
    return lib.linear_cost(channels * pooled**2, lib.paper.AUX_UNITS)


def undecided_loss(classes: int = 100, heads: int = 2, aux_weight: float = 0.3) -> float:
    """The joint loss of classifiers that give every class the same probability."""
    import torch

    undecided = torch.zeros(1, classes)
    return lib.joint_loss((undecided,) * (heads + 1), torch.tensor([0]), aux_weight).item()


def small_networks() -> list[tuple]:
    """Networks with convolutions, normalisation and linear layers, each with a value."""
    import torch
    from torch import nn

    torch.default_generator.manual_seed(0)
    flat = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Linear(8, 3))
    nested = nn.Sequential(nn.Conv2d(1, 2, 3, bias=False), nn.Sequential(nn.Conv2d(2, 2, 1)))
    return [(flat, 0.2), (nested, -1.0), (nn.Linear(4, 2), 0.5)]


def with_biases(model: Any, value: float, kinds: tuple[str, ...] = ("Conv2d", "Linear")) -> Any:
    """Set the biases of layers of some kinds."""
    import torch

    for layer in model.modules():
        if type(layer).__name__ in kinds and layer.bias is not None:
            torch.nn.init.constant_(layer.bias, value)
    return model


EXERCISES = (
    Exercise(
        "6.1",
        "a head on a larger map",
        Number(),
        right=lambda: first_linear(lib.paper.aux_pooled_size(28)).parameters,
        mistakes=(
            (
                lambda: first_linear(lib.paper.aux_pooled_size(14)).parameters,
                "that is the head of 224x224 images.",
            ),
            (
                lambda: first_linear(9).parameters,
                "the pooling's windows have to fit into the map: round down.",
            ),
            (lambda: first_linear(28).parameters, "the head begins with a pooling."),
            (
                lambda: first_linear(8, channels=512).parameters,
                "a 1x1 convolution to fewer channels stands in front of it.",
            ),
            (
                lambda: first_linear(8).weights,
                "those are the weights alone; biases are parameters, too.",
            ),
            (
                lambda: (
                    first_linear(8).parameters
                    + lib.linear_cost(512, 128).parameters
                    + lib.linear_cost(1024, 1000).parameters
                ),
                "that is the whole head. The question is about its first linear layer.",
            ),
        ),
    ),
    Exercise(
        "6.2",
        "the joint loss of those who know nothing",
        Number(tolerance=0.001),
        right=undecided_loss,
        mistakes=(
            (
                lambda: undecided_loss(heads=0),
                "that is one classifier. The two heads count as well, with their weight.",
            ),
            (lambda: undecided_loss(heads=1), "that is one head; the network has two."),
            (lambda: undecided_loss(aux_weight=1), "the losses of the heads are weighted."),
            (lambda: undecided_loss(classes=10), "that is for ten classes."),
            (lambda: undecided_loss(classes=1000), "that is for the thousand classes of ImageNet."),
            (
                lambda: undecided_loss() / math.log(10),
                "the cross-entropy takes the natural logarithm.",
            ),
        ),
    ),
    Exercise(
        "6.3",
        "other first biases",
        Function("a function of a model and a value that gives the model", small_networks),
        right=lambda: with_biases,
        mistakes=(
            (
                lambda: functools.partial(with_biases, kinds=("Conv2d", "Linear", "BatchNorm2d")),
                "it changes the batch normalisation too. Only convolutions and linear layers are "
                "asked for.",
            ),
            (
                lambda: functools.partial(with_biases, kinds=("Conv2d",)),
                "linear layers have biases as well.",
            ),
            (
                lambda: lambda model, value: with_biases(model, 0.2),
                "it sets 0.2 whatever value is given.",
            ),
            (lambda: lambda model, value: model, "it gives the model back unchanged."),
        ),
        hint="All weights have to stay, and a layer may have no bias.",
    ),
)
