"""The exercises of "Your own pictures"."""

import gnet_lib as lib
from gnet_lib.exercises.answer_types import ANY, Number, Numbers
from gnet_lib.exercises.exercise import Exercise


def parameters(in_channels: int, num_classes: int) -> int:
    """Of the small network, batch normalisation's included."""
    import torch

    with torch.device("meta"):
        model = lib.MiniGoogLeNet(in_channels, num_classes)
    return sum(each.numel() for each in model.parameters())


EXERCISES = (
    Exercise(
        "Y.1",
        "a photograph made smaller",
        Numbers(("width", "number of columns")),
        right=lambda: (640 * 32 // 480, 640 * 32 // 480 - 32),
        mistakes=(
            (
                lambda: (32, ANY),
                "it is the shorter side that becomes 32, and the photograph keeps its shape.",
            ),
            (
                lambda: (43, ANY),
                "the width is rounded down: a part of a pixel is dropped.",
            ),
            (lambda: (ANY, 5), "the columns on both sides count."),
        ),
    ),
    Exercise(
        "Y.2",
        "three channels and six classes",
        Number(),
        right=lambda: parameters(3, 6),
        mistakes=(
            (lambda: parameters(3, 10), "that network has still ten classes."),
            (lambda: parameters(1, 6), "that network still takes one channel."),
            (lambda: parameters(3, 6) + 10 - 6, "a class has a bias, too."),
            (lambda: parameters(4, 6), "there are two channels more, not three."),
        ),
    ),
)
