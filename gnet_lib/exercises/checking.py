"""``check`` says whether an answer is right; ``checked`` lists what it can be asked about."""

from dataclasses import dataclass
from typing import Any

from gnet_lib._check import require_bool, require_choice, require_instance, require_text
from gnet_lib.exercises._judging import chapter_of, chapters, find, judged, read
from gnet_lib.exercises._surroundings import plain_surroundings
from gnet_lib.exercises.answers import EXERCISES
from gnet_lib.exercises.exercise import Exercise


@dataclass(frozen=True)
class Result:
    """What ``check`` found: true in an ``assert`` or an ``if`` when the answer is right.

    Args:
        right: whether the answer is right.
        message: the line that was printed.

    Raises:
        ValueError: if ``right`` is not True or False, or ``message`` no text.

    Example:
        >>> bool(Result(right=True, message="4.2: right."))
        True
    """

    right: bool
    message: str

    def __post_init__(self) -> None:
        require_bool("right", self.right)
        require_text("message", self.message)

    def __bool__(self) -> bool:
        return self.right

    def _ipython_display_(self) -> None:
        """Show nothing at the end of a notebook's cell, because ``check`` has printed it."""


def check(exercise: str | Exercise, answer: Any) -> Result:
    """Check an answer to an exercise and print one line: right, or what is wrong.

    Args:
        exercise: the exercise's number, for instance ``"4.2"``; chapters are called as in
            the book ("5b"), "T" is the page on torchinfo, "S" is "Spot the bug" and "Y" is
            "Your own pictures". Or an ``Exercise`` of your own.
        answer: a number, a tuple, a text, a function, a module or widths, as the exercise
            asks for. ``...`` stands for "no answer yet".

    Returns:
        A ``Result`` with ``right`` and ``message``. It counts as true when the answer is
        right, so that a test or a grader can write ``assert check("4.2", answer)``.

    Raises:
        ValueError: if there is no such exercise, or if it is an open question; if an exercise
            of your own computes no answer, or not of the type that it asks for.

    Example:
        >>> from gnet_lib.exercises import Number
        >>> result = check("8.4", 8.19)
        8.4: 0.1 percentage points are 0.001, not 0.1.
        >>> bool(result)
        False
        >>> own = Exercise("H.1", "channels of 3a", Number(), right=lambda: 64 + 128 + 32 + 32)
        >>> bool(check(own, 256))
        H.1: right.
        True
    """
    found = find(exercise)
    with plain_surroundings():
        given, refusal = read(found, answer)
        result = Result(*judged(found, given, refusal))
    print(result.message)
    return result


def checked(chapter: str | None = None) -> dict[str, str]:
    """The exercises that have a check, number -> what is asked for.

    Args:
        chapter: only those of this chapter, for instance ``"5b"``; all when left out.

    Returns:
        Number -> title, in the order of the book.

    Raises:
        ValueError: if no exercise of such a chapter has a check.

    Example:
        >>> list(checked("8"))
        ['8.3', '8.4']
    """
    if chapter is not None:
        require_instance("chapter", chapter, str, "a text such as '8'")
        require_choice("chapter", chapter, chapters())
    return {
        number: exercise.title
        for number, exercise in EXERCISES.items()
        if chapter in (None, chapter_of(number))
    }
