"""How an answer is judged: find the exercise, read the answer, compare it."""

from collections.abc import Callable
from typing import Any

from gnet_lib._check import require_instance, stopped_with
from gnet_lib.exercises._wording import described
from gnet_lib.exercises.answer_types import (
    ANY,
    FaultyExercise,
    InvalidAnswer,
    NoAnswer,
    without_dots,
)
from gnet_lib.exercises.answers import EXERCISES
from gnet_lib.exercises.exercise import Exercise


def chapter_of(number: str) -> str:
    """The chapter that an exercise's number begins with."""
    return number.partition(".")[0]


def chapters() -> list[str]:
    """The chapters of which an exercise has a check."""
    return list(dict.fromkeys(map(chapter_of, EXERCISES)))


def find(exercise: str | Exercise) -> Exercise:
    """The exercise of this number, or the very exercise that was given."""
    if isinstance(exercise, Exercise):
        return exercise
    number = require_instance(
        "exercise", exercise, str, "a number as text, such as '4.2', or an Exercise of your own"
    )
    if number in EXERCISES:
        return EXERCISES[number]
    chapter = chapter_of(number)
    if chapter not in chapters():
        raise ValueError(
            f"exercise must begin with a chapter ({', '.join(chapters())}), as '4.2' does, "
            f"but it is {number!r}"
        )
    known = ", ".join(each for each in EXERCISES if chapter_of(each) == chapter)
    raise ValueError(
        f"exercise must be one of the exercises of chapter {chapter} that have a check "
        f"({known}), but it is {number!r}; open questions have none"
    )


def read(exercise: Exercise, answer: Any) -> tuple[Any, str]:
    """(the answer in a form that can be compared, ""), or (None, why it cannot be)."""
    wanted = f"the answer should be {exercise.answer_type.in_words()}, but"
    try:
        given = exercise.answer_type.read(without_dots(answer))
        if isinstance(given, tuple) and any(part is ANY for part in given):
            raise InvalidAnswer("ANY stands for a part of a mistake only")
        return given, ""
    except NoAnswer:
        return None, "no answer yet. Put it in place of the dots."
    except InvalidAnswer as problem:
        return None, f"{wanted} {problem}."
    except FaultyExercise:
        raise
    except Exception as error:  # an answer's own methods may do anything
        return None, f"{wanted} it is {described(answer)}, which stops with {stopped_with(error)}."


def judged(exercise: Exercise, given: Any, refusal: str = "") -> tuple[bool, str]:
    """Whether an answer that was read is right, and the line about it.

    Args:
        exercise: what was asked.
        given: the answer, as ``read`` gave it.
        refusal: why it could not be read; "" if it could.

    Returns:
        (whether it is right, the line).

    Raises:
        FaultyExercise: if the exercise itself cannot say so.
    """
    if refusal:
        return False, f"{exercise.number}: {refusal}"
    try:
        is_right, message = _compared(exercise, given)
    except FaultyExercise:
        raise
    except Exception as error:
        raise FaultyExercise(
            f"exercise {exercise.number} cannot judge this answer: its answer_type stops with "
            f"{stopped_with(error)}"
        ) from error
    return is_right, f"{exercise.number}: {message}"


def _compared(exercise: Exercise, given: Any) -> tuple[bool, str]:
    """Whether the answer is right, and what to say about it. Nothing is computed in advance."""
    answer_type = exercise.answer_type
    right = _computed(exercise, "right", exercise.right)
    if answer_type.same(given, right):
        return True, "right."
    for mistaken, message in exercise.mistakes:
        if answer_type.same(given, _computed(exercise, "each of mistakes", mistaken)):
            return False, message
    return False, f"{answer_type.explain(given, right)} {exercise.hint}".strip()


def _computed(exercise: Exercise, part: str, compute: Callable[[], Any]) -> Any:
    """An answer that the exercise itself computes, read."""
    try:
        return exercise.answer_type.read(compute())
    except Exception as error:
        raise FaultyExercise(
            f"{part} of exercise {exercise.number} must compute "
            f"{exercise.answer_type.in_words()}, but it stops with {stopped_with(error)}"
        ) from error
