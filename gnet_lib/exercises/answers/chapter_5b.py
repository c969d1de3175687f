"""The exercises of Chapter 5b: Table 1."""

import gnet_lib as lib
from gnet_lib.exercises.answer_types import ANY, Number, Numbers
from gnet_lib.exercises.exercise import Exercise


def printed_range(printed: str, half: float = 0.5, unit: int = 10**6) -> tuple[int, int]:
    """The smallest and the largest count that is printed like this."""
    value = float(printed[:-1])
    return round((value - half) * unit), round((value + half) * unit)


EXERCISES = (
    Exercise(
        "5b.1",
        "the operations that 25K parameters ask for",
        Number(),
        right=lambda: 25 * 1024 * 28**2,
        mistakes=(
            (
                lambda: 25 * 1000 * 28**2,
                "the table counts its parameters in another unit: how much is a K?",
            ),
            (
                lambda: 25 * 1024,
                "those are the parameters. Each is used at every pixel of the map.",
            ),
            (lambda: 25 * 1024 * 28, "a map of 28x28 has more than 28 pixels."),
            (
                lambda: 2 * 25 * 1024 * 28**2,
                "off by a factor of two: an operation of the table is a multiply-add.",
            ),
        ),
    ),
    Exercise(
        "5b.2",
        "what is printed as 73M",
        Numbers(("smallest count", "largest count"), within=1),
        right=lambda: printed_range(lib.PRINTED["4a"].operations),
        mistakes=(
            (
                lambda: (printed_range("73M", half=1)[0], ANY),
                "that is a whole unit below. Which counts are nearest to what is printed?",
            ),
            (
                lambda: (ANY, printed_range("73M", half=1)[1]),
                "that is a whole unit above. Which counts are nearest to what is printed?",
            ),
            (
                lambda: (73 * 10**6, ANY),
                "that takes the printed number as exact or as rounded down.",
            ),
            (lambda: (ANY, 73 * 10**6), "that takes the printed number as exact or as rounded up."),
            (
                lambda: printed_range("73M", unit=2**20),
                "the operations are printed in millions of ten to the power of six.",
            ),
        ),
    ),
)
