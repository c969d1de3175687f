"""The exercises of Chapter 2: the naive module."""

from typing import Any

import gnet_lib as lib
from gnet_lib.exercises.answer_types import ANY, Choice, Module, Numbers
from gnet_lib.exercises.exercise import Exercise

FIVE_BRANCHES = ("1x1", "3x3", "5x5", "7x7", "pool")


def naive_with_seven(order: tuple[str, ...] = FIVE_BRANCHES, relu: bool = True) -> Any:
    """The naive 3a with a branch of 7x7 and 16 channels."""
    from gnet_lib.inception import conv_norm_act

    module: Any = lib.NaiveInception(192, lib.WIDTHS["3a"])
    module.branches["7x7"] = conv_norm_act(192, 16, kernel_size=7, relu=relu)
    module.concat_order = order
    return module


EXERCISES = (
    Exercise(
        "2.1",
        "a 7x7 branch with 16 channels",
        Numbers(("padding", "multiply-adds")),
        right=lambda: ((7 - 1) // 2, lib.conv_cost(192, 16, 7, 28).multiply_adds),
        mistakes=(
            (
                lambda: (7 - 1, ANY),
                "the padding is put on every side, so only half of what the kernel takes away is "
                "needed.",
            ),
            (
                lambda: (ANY, lib.conv_cost(192, 16, 7, 28).weights),
                "the second number is the weights. Each of them is used at every pixel.",
            ),
            (
                lambda: (ANY, lib.conv_cost(192, 16, 7, 28).parameters * 28**2),
                "the second number includes the additions of the biases, which are no "
                "multiply-adds.",
            ),
            (
                lambda: (ANY, lib.conv_cost(1, 16, 7, 28).multiply_adds),
                "every branch reads all the channels of the module's input.",
            ),
            (
                lambda: (ANY, lib.conv_cost(192, 16, 7, 28 - 6).multiply_adds),
                "the multiply-adds are those of a smaller map. With its padding the branch keeps "
                "the map's size.",
            ),
            (
                lambda: (ANY, lib.conv_cost(416, 16, 7, 28).multiply_adds),
                "that reads the channels that leave the module. The branch reads those that come "
                "in.",
            ),
            (
                lambda: (ANY, 2 * lib.conv_cost(192, 16, 7, 28).multiply_adds),
                "off by a factor of two: one multiply-add is one multiplication and one addition.",
            ),
        ),
    ),
    Exercise(
        "2.2",
        "a pooling with stride 2",
        Choice(("the pooling", "torch.cat", "the next module")),
        right=lambda: "torch.cat",
        mistakes=(
            (
                lambda: "the pooling",
                "by itself a pooling with stride 2 is a sound layer; the poolings between the "
                "stages are of this kind.",
            ),
            (lambda: "the next module", "nothing gets that far. Try it out."),
        ),
    ),
    Exercise(
        "2.3",
        "the 5x5 branch's fraction of the work on a smaller image",
        Choice(("it grows", "it stays", "it shrinks")),
        right=lambda: "it stays",
        mistakes=(
            (
                lambda: "it grows",
                "write the fraction out. Which factors stand above the line, and which below?",
            ),
            (
                lambda: "it shrinks",
                "write the fraction out. Which of its factors does the size of the map change?",
            ),
        ),
    ),
    Exercise(
        "2.4",
        "a naive module with five branches",
        Module((1, 192, 9, 9)),
        right=naive_with_seven,
        mistakes=(
            (lambda: naive_with_seven(relu=False), "there is no ReLU behind the 7x7 convolution."),
            (
                lambda: naive_with_seven(order=("1x1", "3x3", "5x5", "pool", "7x7")),
                "the pooling branch is asked for as the last of the five.",
            ),
            (
                lambda: naive_with_seven(order=FIVE_BRANCHES[::-1]),
                "the branches are concatenated in reverse. That is not wrong in itself, but not "
                "what is asked for here.",
            ),
            (
                lambda: lib.NaiveInception(192, lib.WIDTHS["3a"]),
                "the output of the new branch is missing.",
            ),
        ),
        hint="All widths but the new one are those of 3a.",
    ),
)
