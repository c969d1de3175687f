"""``check`` says whether an answer is right; ``checked`` lists what it can be asked about."""

from dataclasses import dataclass
from typing import Any

from gnet_lib._check import require_choice, require_instance
from gnet_lib.exercises.answer_types import InvalidAnswer, NoAnswer, without_dots
from gnet_lib.exercises.answers import EXERCISES
from gnet_lib.exercises.exercise import Exercise


@dataclass(frozen=True)
class Result:
    """What ``check`` found: true in an ``assert`` or an ``if`` when the answer is right.

    Args:
        right: whether the answer is right.
        message: the line that was printed.

    Example:
        >>> bool(Result(right=True, message="4.2: right."))
        True
    """

    right: bool
    message: str

    def __bool__(self) -> bool:
        return self.right

    def _ipython_display_(self) -> None:
        """Show nothing at the end of a notebook's cell, because ``check`` has printed it."""


def check(exercise: str | Exercise, answer: Any) -> Result:
    """Check an answer to an exercise and print one line: right, or what is wrong.

    Args:
        exercise: the exercise's number, for instance ``"4.2"``; chapters are called as in
            the book ("5b"), "T" is the page on torchinfo and "S" is "Spot the bug". Or an
            ``Exercise`` of your own.
        answer: a number, a tuple, a text, a function, a module or widths, as the exercise
            asks for. ``...`` stands for "no answer yet".

    Returns:
        A ``Result`` with ``right`` and ``message``. It counts as true when the answer is
        right, so that a test or a grader can write ``assert check("4.2", answer)``.

    Raises:
        ValueError: if there is no such exercise, or if it is an open question.

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
    import torch

    if not isinstance(exercise, Exercise):
        exercise = _find(exercise)
    with torch.random.fork_rng(devices=[]):  # the reader's random numbers stay as they were
        right, message = _judge(exercise, answer)
    result = Result(right, f"{exercise.number}: {message}")
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
        require_choice("chapter", chapter, _chapters())
    return {
        number: exercise.title
        for number, exercise in EXERCISES.items()
        if chapter in (None, _chapter(number))
    }


def _chapter(number: str) -> str:
    return number.partition(".")[0]


def _chapters() -> list[str]:
    return list(dict.fromkeys(map(_chapter, EXERCISES)))


def _find(number: str) -> Exercise:
    require_instance(
        "exercise", number, str, "a number as text, such as '4.2', or an Exercise of your own"
    )
    if number in EXERCISES:
        return EXERCISES[number]
    chapter = _chapter(number)
    if chapter not in _chapters():
        raise ValueError(
            f"exercise must begin with a chapter ({', '.join(_chapters())}), as '4.2' does, "
            f"but it is {number!r}"
        )
    raise ValueError(
        f"exercise must be one of the exercises of chapter {chapter} that have a check "
        f"({', '.join(checked(chapter))}), but it is {number!r}; open questions have none"
    )


def _judge(exercise: Exercise, answer: Any) -> tuple[bool, str]:
    """Whether the answer is right, and what to say about it."""
    answer_type = exercise.answer_type
    try:
        given = answer_type.read(without_dots(answer))
    except NoAnswer:
        return False, "no answer yet. Put it in place of the dots."
    except InvalidAnswer as problem:
        return False, f"the answer should be {answer_type.in_words()}, but {problem}."
    right = answer_type.read(exercise.right())
    if answer_type.same(given, right):
        return True, "right."
    for mistaken, message in exercise.mistakes:
        if answer_type.same(given, answer_type.read(mistaken())):
            return False, message
    return False, f"{answer_type.explain(given, right)} {exercise.hint}".strip()
