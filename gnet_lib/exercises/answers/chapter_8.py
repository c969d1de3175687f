"""The exercises of Chapter 8: training."""

from gnet_lib.exercises.answer_types import ANY, Number, Numbers
from gnet_lib.exercises.exercise import Exercise

STEPS = 36_000 // 128  # of a run that sees 36,000 images once


def rising_steps(steps: int = STEPS) -> int:
    """How many of its steps the learning rate rises: a tenth."""
    return round(0.1 * steps)


EXERCISES = (
    Exercise(
        "8.3",
        "when the rate rises, and when the images are large",
        Numbers(("steps of rising", "steps at full size"), within=2),
        right=lambda: (rising_steps(), STEPS // 2),
        mistakes=(
            (
                lambda: (rising_steps(60_000 // 128), ANY),
                "the first number is a tenth of 60,000 images' steps; this run has 36,000.",
            ),
            (lambda: (STEPS - rising_steps(), ANY), "the first number is how long the rate falls."),
            (
                lambda: (ANY, STEPS // 2 - rising_steps()),
                "the second number goes from the end of the rise to the half; what is asked for is "
                "the other half.",
            ),
        ),
        hint="How many whole batches of 128 are there in 36,000 images?",
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
