"""The exercises of "Spot the bug"."""

import copy
from typing import Any

import gnet_lib as lib
from gnet_lib.exercises.answer_types import Function, Numbers
from gnet_lib.exercises.exercise import Exercise


def concatenated_along(dimension: int) -> tuple[int, ...]:
    """The shape of four maps of 64 channels, concatenated."""
    import torch

    return tuple(torch.cat([torch.empty(1, 64, 28, 28, device="meta")] * 4, dim=dimension).shape)


def pairs_of_modules() -> list[tuple]:
    """(module, module, input): the same, or with a mistake in the second; all weights differ."""
    import torch

    widths = lib.InceptionWidths(3, 4, 6, 2, 5, 4)
    torch.default_generator.manual_seed(0)
    sound: list[Any] = [lib.Inception(8, widths) for _ in range(6)]
    x = torch.rand(2, 8, 9, 9)
    sound[3].branches["pool"] = sound[3].branches["pool"][::-1]
    sound[5].branches["3x3"].reduce.relu = torch.nn.Identity()
    return [(sound[0], sound[1], x), (sound[2], sound[3], x), (sound[4], sound[5], x)]


def agree(mine: Any, theirs: Any, x: Any) -> bool:
    """Whether two modules give the same output once they have the same weights."""
    import torch

    theirs = copy.deepcopy(theirs)
    with torch.no_grad():
        for ours, other in zip(mine.parameters(), theirs.parameters(), strict=True):
            other.copy_(ours)
        return torch.allclose(mine(x), theirs(x), atol=1e-5)


EXERCISES = (
    Exercise(
        "S.1",
        "a thirteenth puzzle",
        Numbers(("images", "channels", "height", "width")),
        right=lambda: concatenated_along(2),
        mistakes=(
            (
                lambda: concatenated_along(1),
                "that is the sound module: its maps are put side by side as channels.",
            ),
            (
                lambda: concatenated_along(3),
                "the last dimension is the width. Dimensions are counted from zero.",
            ),
            (
                lambda: concatenated_along(0),
                "the first dimension is the images. Dimensions are counted from zero.",
            ),
        ),
    ),
    Exercise(
        "S.3",
        "a test that finds it",
        Function("a function of two modules and an input", pairs_of_modules),
        right=lambda: agree,
        mistakes=(
            (
                lambda: lambda mine, theirs, x: True,
                "it takes all pairs for equal, and two of the pairs have a mistake. Shapes and "
                "parameters cannot show it.",
            ),
            (
                lambda: lambda mine, theirs, x: False,
                "it takes no pair for equal, not even two sound modules. Do both have the same "
                "weights when you compare?",
            ),
            (
                lambda: lambda mine, theirs, x: not agree(mine, theirs, x),
                "it says True where the modules differ. It should be the other way round.",
            ),
        ),
        hint="It has to give True or False.",
    ),
)
