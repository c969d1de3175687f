"""Checkers for the book's exercises: they say what is wrong, and do not give the answer away.

    check("4.2", my_answer)

It takes an exercise of your own, too: ``check(Exercise(...), an_answer)``.

An exercise is a few lines of data (see ``Exercise``): what type of answer it asks for, how
the right answer is computed, and which mistakes are often made. Mistakes are computed
too, so that somebody who counted the biases as well is told just that. Nothing is
computed before ``check`` asks for it, nothing is downloaded, and the same answer always
gets the same line. The exercises themselves stand in ``gnet_lib/exercises/answers``, a file
a chapter; do not open it before you have tried.
"""

from gnet_lib.exercises.answer_types import (
    ANY,
    AnswerType,
    Choice,
    FaultyExercise,
    Function,
    InvalidAnswer,
    Module,
    NoAnswer,
    Number,
    Numbers,
    Satisfies,
    Widths,
)
from gnet_lib.exercises.checking import Result, check, checked
from gnet_lib.exercises.exercise import Exercise
from gnet_lib.exercises.grading import evidence, judge

__all__ = [
    "ANY",
    "AnswerType",
    "Choice",
    "Exercise",
    "FaultyExercise",
    "Function",
    "InvalidAnswer",
    "Module",
    "NoAnswer",
    "Number",
    "Numbers",
    "Result",
    "Satisfies",
    "Widths",
    "check",
    "checked",
    "evidence",
    "judge",
]
