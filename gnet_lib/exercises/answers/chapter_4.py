"""The exercises of Chapter 4: the reduced module."""

from typing import Any

import gnet_lib as lib
from gnet_lib.exercises.answer_types import ANY, Choice, Numbers, Satisfies, Widths
from gnet_lib.exercises.exercise import Exercise


def saved(layer: Any, as_factor: bool = False) -> float:
    """Multiply-adds that the reductions save in a module; as a factor on demand."""
    place = layer.in_channels, layer.row.widths, layer.out_size
    naive = lib.cost.total(lib.inception_cost(*place, lib.NAIVE)).multiply_adds
    reduced = lib.cost.total(lib.inception_cost(*place)).multiply_adds
    return naive / reduced if as_factor else naive - reduced


def without_projections(projection_counted: bool = False) -> tuple[int, int]:
    """Channels behind 5b and multiply-adds of nine modules that hand on what they pool."""
    unprojected = lib.REDUCED.variant("unprojected", {"pool": (lib.Pool(),)})
    layers = lib.inception_shapes(design=unprojected)
    counted = lib.REDUCED if projection_counted else unprojected
    multiply_adds = sum(lib.cost.row_cost(layer, counted).multiply_adds for layer in layers)
    return layers[-1].out_channels, multiply_adds


def nine_modules(design: Any) -> int:
    """Multiply-adds of GoogLeNet's modules, each with the output of the one before it."""
    costs = lib.network_cost(design=design)
    return sum(costs[name].multiply_adds for name in lib.WIDTHS)


def work_of(widths: lib.InceptionWidths) -> int:
    """Multiply-adds of a module of these widths at the place of 3a."""
    return lib.cost.total(lib.inception_cost(192, widths, 28)).multiply_adds


EXERCISES = (
    Exercise(
        "4.1",
        "the module that saves most",
        Choice(("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b")),
        right=lambda: max(lib.inception_shapes(), key=saved).row.name,
        mistakes=(
            (
                lambda: (
                    max(
                        lib.inception_shapes(), key=lambda layer: saved(layer, as_factor=True)
                    ).row.name
                ),
                "that one saves most by factor. The question asks for absolute numbers.",
            ),
            (
                lambda: min(lib.inception_shapes(), key=saved).row.name,
                "that one saves least of all nine.",
            ),
        ),
        hint="Subtract the two columns of `compare_modules()`.",
    ),
    Exercise(
        "4.2",
        "reductions, but no projections",
        Numbers(("channels", "multiply-adds")),
        right=without_projections,
        mistakes=(
            (
                lambda: (lib.WIDTHS["5b"].out_channels, ANY),
                "that many channels leave 5b with the projections. Without them a module hands on "
                "all that it pools.",
            ),
            (
                lambda: (ANY, nine_modules(lib.REDUCED)),
                "those are the multiply-adds with the projections. Without them every module "
                "reads more channels.",
            ),
            (
                lambda: (ANY, nine_modules(lib.NAIVE)),
                "those are the multiply-adds without the reductions. They are to stay in front of "
                "the 3x3 and the 5x5.",
            ),
            (
                lambda: (ANY, without_projections(projection_counted=True)[1]),
                "the multiply-adds still include the projections.",
            ),
        ),
        hint="Walk through the modules with a number of channels that grows.",
    ),
    Exercise(
        "4.3",
        "widths for half of 3a's work",
        Satisfies(
            Widths(),
            (
                (
                    lambda six: lib.InceptionWidths(*six).out_channels == 256,
                    "its four branches do not put out 256 channels together.",
                ),
                (
                    lambda six: 2 * work_of(lib.InceptionWidths(*six)) <= work_of(lib.WIDTHS["3a"]),
                    "256 channels come out, but it needs more than half of 3a's multiply-adds. "
                    "`compare_branches` shows which branch takes them.",
                ),
            ),
        ),
        right=lambda: lib.InceptionWidths(128, 48, 64, 12, 32, 32),
    ),
)
