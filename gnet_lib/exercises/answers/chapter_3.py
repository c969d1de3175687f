"""The exercises of Chapter 3: the 1x1 convolution."""

import math
from typing import Any

import gnet_lib as lib
from gnet_lib.exercises.answer_types import Function, Number
from gnet_lib.exercises.exercise import Exercise


def in_channels_of(name: str) -> int:
    """Channels that a module of GoogLeNet reads."""
    return next(layer.in_channels for layer in lib.inception_shapes() if layer.row.name == name)


def break_even(name: str = "5b", kernel_size: int = 5) -> float:
    """The width at which a reduction in front of a module's branch costs as much as it saves."""
    widths, channels = lib.WIDTHS[name], in_channels_of(name)
    outputs = {3: widths.c3x3, 5: widths.c5x5}[kernel_size]
    direct = lib.conv_cost(channels, outputs, kernel_size, 1).weights
    for_each = lib.conv_cost(channels, 1, 1, 1) + lib.conv_cost(1, outputs, kernel_size, 1)
    return direct / for_each.weights


def merged(first: Any, second: Any, bias: str = "both") -> tuple:
    """Weight and bias of the one convolution that does what a 1x1 and a second one do."""
    import torch

    weight, middle = second.weight.detach(), second.kernel_size[0] // 2
    passed_on = {
        "both": weight.sum(dim=(2, 3)) @ first.bias,
        "second": 0,
        "centre": weight[:, :, middle, middle] @ first.bias,
    }[bias]
    product = torch.einsum("mrhw,rc->mchw", weight, first.weight[:, :, 0, 0])
    return product.detach(), (second.bias + passed_on).detach()


def pairs_of_convolutions() -> list[tuple]:
    """A 1x1 convolution and another one behind it, three times."""
    import torch

    torch.default_generator.manual_seed(0)
    return [
        (torch.nn.Conv2d(c, r, 1), torch.nn.Conv2d(r, m, k, padding=k // 2))
        for c, r, m, k in ((6, 4, 3, 5), (5, 2, 7, 3), (3, 3, 2, 1))
    ]


EXERCISES = (
    Exercise(
        "3.1",
        "the break-even of 5b's 5x5 branch",
        Number(tolerance=0.001),
        right=break_even,
        mistakes=(
            (
                lambda: 5 * 832 * 128 / (832 + 5 * 128),
                "a kernel has height and width: its side comes into the formula as a square.",
            ),
            (lambda: break_even(kernel_size=3), "that is the 3x3 branch of the same module."),
            (
                lambda: 25 * 832 * 48 / (832 + 25 * 48),
                "m stands for the outputs of the branch, not for the width of the reduction.",
            ),
            (
                lambda: 48,
                "that is the width that the paper chose. Up to which one would it have saved?",
            ),
        ),
    ),
    Exercise(
        "3.2",
        "the break-even when the second layer is very wide",
        Number(tolerance=0.001),
        right=lambda: in_channels_of("5b"),
        mistakes=(
            (lambda: 25 * 832, "m stands above and below the fraction's line."),
            (
                lambda: math.inf,
                "the numerator grows, and so does the denominator. Divide both by m.",
            ),
            (lambda: 0, "the denominator grows, and so does the numerator. Divide both by m."),
            (break_even, "that is with 5b's own outputs. Let m grow without limit."),
        ),
    ),
    Exercise(
        "3.3",
        "two convolutions merged into one",
        Function(
            "a function of two convolutions that gives a weight and a bias", pairs_of_convolutions
        ),
        right=lambda: merged,
        mistakes=(
            (
                lambda: lambda first, second: merged(first, second, bias="second"),
                "the weight is right, but the bias of the first convolution is lost. What does "
                "the second one do with it?",
            ),
            (
                lambda: lambda first, second: merged(first, second, bias="centre"),
                "the weight is right, but the first bias meets only the middle of the second "
                "kernel. It stands at every pixel.",
            ),
        ),
        hint=(
            "It has to give both, in this order, with the shapes that a single convolution would "
            "have."
        ),
    ),
)
