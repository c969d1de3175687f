"""The exercises of Chapter 1: why deeper, and why cheaply."""

from typing import Any

import gnet_lib as lib
from gnet_lib.exercises.answer_types import ANY, Number, Numbers
from gnet_lib.exercises.exercise import Exercise


def real_products(kernel_size: int, size: int) -> int:
    """Products with real pixels in a padded convolution of one channel, added up by PyTorch."""
    import torch

    pixels, kernel = torch.ones(1, 1, size, size), torch.ones(1, 1, kernel_size, kernel_size)
    return int(torch.nn.functional.conv2d(pixels, kernel, padding=kernel_size // 2).sum())


def first_layer(**changes: int) -> Any:
    """conv1 of the paper, or with a mistake."""
    layer = {"in_channels": 3, "out_channels": 64, "kernel_size": 7, "output_size": 112}
    return lib.conv_cost(**layer | changes)


EXERCISES = (
    Exercise(
        "1.1",
        "multiply-adds of the first layer",
        Number(),
        right=lambda: first_layer().multiply_adds,
        mistakes=(
            (
                lambda: first_layer(output_size=224).multiply_adds,
                "that takes every pixel of the image. The stride makes the map smaller: count the "
                "pixels of the output.",
            ),
            (
                lambda: first_layer().weights,
                "those are the weights. Each of them is used at every pixel of the output.",
            ),
            (
                lambda: first_layer().multiply_adds + first_layer().bias_additions,
                "that includes the additions of the biases, which are no multiply-adds.",
            ),
            (
                lambda: 2 * first_layer().multiply_adds,
                "off by a factor of two: one multiply-add is one multiplication and one addition.",
            ),
            (
                lambda: first_layer(in_channels=1).multiply_adds,
                "an output value reads all the channels of the image, not one of them.",
            ),
            (
                lambda: first_layer(kernel_size=1).multiply_adds * 7,
                "the kernel is seven pixels high and seven wide.",
            ),
        ),
        hint="Count the output values, and the products in each.",
    ),
    Exercise(
        "1.2",
        "products that meet a real pixel",
        Numbers(("rest of the 864", "rest of the 1,225")),
        right=lambda: (2 * 3 * real_products(3, 4), real_products(5, 7)),
        mistakes=(
            (
                lambda: (2 * 3 * 2 * 2 * 9, ANY),
                "the first number leaves out every place where the kernel meets the border. Only "
                "the products with the border go.",
            ),
            (
                lambda: (ANY, 3 * 3 * 25),
                "the second number leaves out every place where the kernel meets the border. Only "
                "the products with the border go.",
            ),
            (
                lambda: (real_products(3, 4), ANY),
                "the first number is for one pair of channels. There are two channels in and "
                "three out.",
            ),
            (
                lambda: (864 * 10 // 12, ANY),
                "the first number has lost the rows of the border, or its columns, but not both.",
            ),
            (
                lambda: (ANY, 5 * 7 * 29),
                "the second number has lost the rows of the border, or its columns, but not both.",
            ),
            (
                lambda: (864 - 2 * 3 * real_products(3, 4), ANY),
                "the first number counts the products with the border.",
            ),
            (
                lambda: (ANY, 1225 - real_products(5, 7)),
                "the second number counts the products with the border.",
            ),
        ),
        hint="Let the innermost loop count only where its row and its column both lie inside.",
    ),
    Exercise(
        "1.3",
        "a layer that changes in two ways",
        Number(tolerance=0.001),
        right=lambda: (
            lib.conv_cost(192, 192, 3, 14).multiply_adds
            / lib.conv_cost(128, 128, 3, 28).multiply_adds
        ),
        mistakes=(
            (lambda: 1.5**2, "that is the channels alone. The image has become smaller, too."),
            (lambda: 1.5 / 4, "channels come in and go out: both numbers have grown."),
            (lambda: 1.5 / 2, "channels come in and go out, and a map has height and width."),
            (lambda: 1.5**2 / 2, "a map has height and width: both have been halved."),
            (lambda: 4 / 1.5**2, "that is the old cost over the new one."),
        ),
        hint="Write down how the cost depends on each of the four numbers.",
    ),
)
