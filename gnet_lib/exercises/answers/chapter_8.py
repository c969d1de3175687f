"""The exercises of Chapter 8: training."""

from gnet_lib.exercises.answer_types import ANY, Number, Numbers
from gnet_lib.exercises.exercise import Exercise


def rising_steps(steps: int = 936) -> int:
    """How many of its steps a one-cycle learning rate rises."""
    return round(0.3 * steps)


EXERCISES = (
    Exercise(
        "8.3",
        "how long the learning rate rises",
        Numbers(("steps of rising", "steps from the peak to the end of the epoch"), within=2),
        right=lambda: (rising_steps(), 60_000 // 128 - rising_steps()),
        mistakes=(
            (
                lambda: (rising_steps(60_000 // 128), ANY),
                "the first number is 30 % of one epoch. The schedule is laid over the whole "
                "training.",
            ),
            (lambda: (936 - rising_steps(), ANY), "the first number is how long the rate falls."),
            (
                lambda: (ANY, 936 - rising_steps()),
                "the second number goes to the end of the training, not of the first epoch.",
            ),
        ),
        hint="An epoch has 60,000 images in batches of 128.",
    ),
    Exercise(
        "8.4",
        "test images for a standard error of 0.1 percentage points",
        Number(tolerance=0.005),
        right=lambda: 0.91 * 0.09 / 0.001**2,
        mistakes=(
            (lambda: 0.91 * 0.09 / 0.1**2, "0.1 percentage points are 0.001, not 0.1."),
            (
                lambda: 0.91 * 0.09 / 0.001,
                "under the root stands n, so its error has to be squared when you solve for n.",
            ),
            (lambda: 0.91 / 0.001**2, "the variance of a single image is p(1 - p), not p."),
        ),
        hint="Solve the standard error of an accuracy, in the text above, for n.",
    ),
)
