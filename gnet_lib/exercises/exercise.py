"""One exercise, as data."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gnet_lib._check import require_callable, require_instance, require_text
from gnet_lib.exercises._arguments import require_pairs
from gnet_lib.exercises.answer_types import AnswerType

COMPUTES = "a function that computes an answer, such as lambda: 42"


@dataclass(frozen=True)
class Exercise:
    """One exercise that can be checked.

    Args:
        number: as the book has it.
        title: what is asked for, in a few words.
        answer_type: how an answer is read and compared, such as ``Number()``.
        right: computes the right answer, from the library wherever it can.
        mistakes: pairs of a function that computes a wrong answer, and what to tell
            those who gave it.
        hint: what to add for every other wrong answer.

    Raises:
        ValueError: if ``answer_type`` is none, ``right`` or a mistake no function, or what
            should be a text no text.

    Example:
        >>> from gnet_lib.exercises import Number, check
        >>> fair = Exercise(
        ...     "H.2", "weights of a 3x3 convolution from 64 to 128 channels", Number(),
        ...     right=lambda: 3 * 3 * 64 * 128,
        ...     mistakes=((lambda: 3 * 64 * 128, "a kernel has height and width."),),
        ...     hint="Every output channel reads every input channel.",
        ... )
        >>> answers = [check(fair, answer) for answer in (24_576, 9, 73_728)]
        H.2: a kernel has height and width.
        H.2: not right, and not near. Every output channel reads every input channel.
        H.2: right.
    """

    number: str
    title: str
    answer_type: AnswerType
    right: Callable[[], Any]
    mistakes: tuple[tuple[Callable[[], Any], str], ...] = ()
    hint: str = ""

    def __post_init__(self) -> None:
        require_text("number", self.number, may_be_empty=False)
        require_text("title", self.title)
        require_instance(
            "answer_type", self.answer_type, AnswerType, "an answer type such as Number()"
        )
        require_callable("right", self.right, COMPUTES)
        mistakes = require_pairs("mistakes", self.mistakes, COMPUTES)
        object.__setattr__(self, "mistakes", mistakes)  # the way to assign in a frozen class
        require_text("hint", self.hint)
