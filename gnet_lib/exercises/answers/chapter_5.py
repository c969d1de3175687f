"""The exercises of Chapter 5: GoogLeNet."""

from typing import Any

import gnet_lib as lib
from gnet_lib.exercises.answer_types import ANY, Number, Numbers
from gnet_lib.exercises.exercise import Exercise


def depth_of(rows: tuple, in_a_module: int = 2, poolings: int = 0) -> int:
    """Layers with parameters on the longest way through, and the last linear layer."""
    from gnet_lib.paper import Convolution, InceptionRow

    layers = 1
    for row in rows:
        if isinstance(row, InceptionRow):
            layers += in_a_module
        elif isinstance(row, Convolution):
            layers += 1 if row.reduce is None else 2
        else:
            layers += poolings
    return layers


def at_448() -> Any:
    """The network's cost at twice the height and width."""
    return lib.cost.total(lib.network_cost(image_size=448))


def naive_rows(aux: bool = False) -> dict:
    """What each row of the network costs with naive modules."""
    return lib.network_cost(design=lib.NAIVE, aux=aux)


def naive_network(aux: bool = False) -> Any:
    """The cost of the network with naive modules."""
    return lib.cost.total(naive_rows(aux))


EXERCISES = (
    Exercise(
        "5.1",
        "multiply-adds of a larger image",
        Number(),
        right=lambda: at_448().multiply_adds,
        mistakes=(
            (
                lambda: lib.cost.total(lib.network_cost()).multiply_adds,
                "that is for 224x224 pixels. You are asked for twice the sides.",
            ),
            (
                lambda: 4 * lib.cost.total(lib.network_cost()).multiply_adds,
                "nearly: that multiplies every layer by four. Does every layer see more pixels?",
            ),
            (
                lambda: 2 * lib.cost.total(lib.network_cost()).multiply_adds,
                "height and width are doubled, so the number of pixels is not.",
            ),
            (
                lambda: 2 * at_448().multiply_adds,
                "off by a factor of two: one multiply-add is one multiplication and one addition.",
            ),
            (
                lambda: at_448().multiply_adds + at_448().bias_additions,
                "that includes the additions of the biases, which are no multiply-adds.",
            ),
        ),
    ),
    Exercise(
        "5.2",
        "parameters of the naive network",
        Numbers(("parameters of the network", "parameters of the last layer")),
        right=lambda: (naive_network().parameters, naive_rows()["linear"].parameters),
        mistakes=(
            (
                lambda: (naive_network(aux=True).parameters, ANY),
                "the first number includes the auxiliary classifiers: use aux=False.",
            ),
            (
                lambda: (naive_network().weights, ANY),
                "the first number is the weights alone; biases are parameters, too.",
            ),
            (
                lambda: (lib.cost.total(lib.network_cost()).parameters, ANY),
                "the first number is the reduced network's.",
            ),
            (
                lambda: (ANY, lib.network_cost()["linear"].parameters),
                "the second number is the reduced network's. More channels leave the naive 5b.",
            ),
            (
                lambda: (ANY, naive_rows()["linear"].weights),
                "the second number is the weights alone; biases are parameters, too.",
            ),
        ),
    ),
    Exercise(
        "5.3",
        "the depth of the small network",
        Number(),
        right=lambda: depth_of(lib.googlenet.MINI_ROWS),
        mistakes=(
            (
                lambda: depth_of(lib.googlenet.MINI_ROWS, in_a_module=6),
                "that counts all convolutions. Those that stand side by side count once: take the "
                "longest path.",
            ),
            (
                lambda: depth_of(lib.googlenet.MINI_ROWS, in_a_module=1),
                "a module has two convolutions behind each other on its longest branch.",
            ),
            (
                lambda: depth_of(lib.googlenet.MINI_ROWS, poolings=1),
                "that includes the poolings, which have no parameters.",
            ),
            (
                lambda: depth_of(lib.googlenet.MINI_ROWS) - 1,
                "one layer is missing: the first one or the last one?",
            ),
        ),
        hint="`MINI_ROWS` lists its rows.",
    ),
)
