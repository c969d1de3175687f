"""The types of answers: how each is read, compared, and what is said about a wrong one."""

# ruff: noqa: D102 -- the four methods are described once, in AnswerType

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Set
from dataclasses import astuple, dataclass
from typing import Any

# The library looks its names up when they are first used, so this import brings no torch.
import gnet_lib as lib
from gnet_lib._check import (
    require_callable,
    require_instance,
    require_number,
    require_text,
    require_whole_number,
    shown,
    stopped_with,
)
from gnet_lib.exercises._arguments import require_pairs, require_texts
from gnet_lib.exercises._comparison import (
    alike,
    as_float,
    as_plain,
    as_whole,
    is_number,
    plain_text,
    single,
)
from gnet_lib.exercises._wording import described, listed


class NoAnswer(Exception):
    """The dots are still there."""


class InvalidAnswer(Exception):
    """An answer of another type than the exercise asks for; the text says what came."""


class FaultyExercise(ValueError):
    """An exercise whose own functions do not do what they should; no answer is to blame.

    Example:
        >>> from gnet_lib.exercises import Exercise, check
        >>> try:
        ...     check(Exercise("H.0", "a half", Number(), right=lambda: 1 / 2), 1)
        ... except FaultyExercise:
        ...     print("a half is no whole number")
        a half is no whole number
    """


def without_dots(answer: Any) -> Any:
    """The answer, if there is one."""
    if answer is ...:
        raise NoAnswer
    return answer


def read_number(answer: Any, whole: bool) -> float | int:
    """One number as Python's own; without a fraction, if it has to be a whole one."""
    value = single(without_dots(answer))
    if not is_number(value) or (whole and value % 1 != 0):
        raise InvalidAnswer(f"it is {described(value)}")
    try:
        return as_whole(value) if whole else as_float(value)
    except ValueError as problem:
        raise InvalidAnswer(f"it is {problem}") from None


class AnswerType(ABC):
    """A type of answer: how it is read, compared, and what is said about a wrong one.

    ``read`` brings an answer into a form that can be compared, and refuses what is of
    another type. The right answer and the mistakes are read in the same way. All types
    below are made of these four methods.

    Example:
        >>> all(issubclass(each, AnswerType) for each in (Number, Numbers, Choice, Function))
        True
    """

    @abstractmethod
    def in_words(self) -> str:
        """What an answer should be, as the reader is told.

        Returns:
            A few words, such as "a whole number".
        """

    @abstractmethod
    def read(self, answer: Any) -> Any:
        """The answer in a form that ``same`` can compare.

        Args:
            answer: what somebody gave.

        Returns:
            The same answer, read.

        Raises:
            Exception: ``NoAnswer`` or ``InvalidAnswer`` for an answer of another type.
        """

    def same(self, given: Any, other: Any) -> bool:
        """Whether two answers, both read, are the same.

        Args:
            given: what somebody gave.
            other: the right answer, or a mistaken one.

        Returns:
            True or False.
        """
        return given == other

    def explain(self, given: Any, right: Any) -> str:
        """What to say about a wrong answer that no known mistake explains.

        Args:
            given: what somebody gave, read.
            right: the right answer, read.

        Returns:
            A sentence.
        """
        return "not right."


@dataclass(frozen=True)
class Number(AnswerType):
    """One number: a whole one, or, with a ``tolerance``, one that may be off by that fraction.

    Args:
        tolerance: the fraction, for instance 0.01 for a hundredth; 0 asks for a whole number.

    Raises:
        ValueError: if ``tolerance`` is not from 0 up to, but not including, 1.

    Example:
        >>> from gnet_lib.exercises import Exercise, check
        >>> third = Exercise("H.3", "a third", Number(tolerance=0.01), right=lambda: 1 / 3)
        >>> answers = [check(third, answer) for answer in (0.333, 0.5)]
        H.3: right.
        H.3: the right order of magnitude, but not exact.
    """

    tolerance: float = 0.0

    def __post_init__(self) -> None:
        require_number("tolerance", self.tolerance, at_least=0, below=1)

    def in_words(self) -> str:
        return "a number" if self.tolerance else "a whole number"

    def read(self, answer: Any) -> float | int:
        return read_number(answer, whole=not self.tolerance)

    def same(self, given: float, other: float) -> bool:
        if not self.tolerance:
            return given == other
        return math.isclose(given, other, rel_tol=self.tolerance)

    def explain(self, given: float, right: float) -> str:
        if abs(given - right) <= abs(right) / 100:
            return "very close, but not exact. Nothing is to be rounded or left out."
        if right / 3 < given < right * 3:
            return "the right order of magnitude, but not exact."
        return "not right, and not near."


MANY = 1000
"""More values than any answer has."""

ANY = object()
"""Stands in a mistake for a part that does not matter."""


@dataclass(frozen=True)
class Numbers(AnswerType):
    """Several whole numbers in a fixed order, which have names; each may be off by ``within``.

    In a mistake, ``ANY`` stands for a part that does not matter.

    Args:
        names: what the numbers are, such as ``("height", "width")``.
        within: by how much each may be off.

    Raises:
        ValueError: if ``names`` are no texts, or ``within`` is no whole number.

    Example:
        >>> from gnet_lib.exercises import Exercise, check
        >>> sizes = Exercise("H.4", "a map", Numbers(("height", "width")), right=lambda: (28, 14))
        >>> result = check(sizes, (28, 28))
        H.4: not right: the width.
    """

    names: tuple[str, ...]
    within: int = 0

    def __post_init__(self) -> None:
        names = require_texts("names", self.names, '("height", "width")')
        object.__setattr__(self, "names", names)  # the way to assign in a frozen class
        require_whole_number("within", self.within, at_least=0)

    def in_words(self) -> str:
        return f"{len(self.names)} whole numbers in brackets ({', '.join(self.names)})"

    def read(self, answer: Any) -> tuple:
        if not hasattr(answer, "__iter__") or isinstance(answer, (str, bytes, Mapping, Set)):
            raise InvalidAnswer(f"it is {described(answer)}")
        # A table of pandas goes through its columns' names, and not through its numbers.
        if getattr(answer, "ndim", 1) > 1 or hasattr(answer, "columns"):
            raise InvalidAnswer(f"it is {described(answer)}")
        # Only so many are taken, because a generator may go on for ever.
        values = tuple(itertools.islice(answer, MANY)) if getattr(answer, "ndim", 1) else (answer,)
        if len(values) != len(self.names):
            count = len(values) if len(values) < MANY else f"{MANY} or more"
            raise InvalidAnswer(f"it has {count} value{'' if count == 1 else 's'}")
        return tuple(map(self._read_part, self.names, values))

    def _read_part(self, name: str, value: Any) -> Any:
        if value is ANY:
            return value
        try:
            return read_number(value, whole=not self.within)  # one that may be off need not be
        except InvalidAnswer as problem:
            raise InvalidAnswer(f"for the {name} {problem}") from None

    def same(self, given: tuple, other: tuple) -> bool:
        return not self._wrong(given, other)

    def explain(self, given: tuple, right: tuple) -> str:
        if self.same(tuple(sorted(given)), tuple(sorted(right))):
            return f"right numbers in another order. First the {', then the '.join(self.names)}."
        return f"not right: {' and '.join(f'the {name}' for name in self._wrong(given, right))}."

    def _wrong(self, given: tuple, other: tuple) -> list[str]:
        # Not ">": what is no number is not within anything.
        return [
            name
            for name, mine, theirs in zip(self.names, given, other, strict=True)
            if theirs is not ANY and not abs(mine - theirs) <= self.within
        ]


@dataclass(frozen=True)
class Choice(AnswerType):
    """One of a few texts, in capitals or not.

    Args:
        options: the texts.

    Raises:
        ValueError: if ``options`` are no texts.

    Example:
        >>> from gnet_lib.exercises import Exercise, check
        >>> change = Choice(("grows", "shrinks"))
        >>> result = check(Exercise("H.5", "the map", change, right=lambda: "shrinks"), "no")
        H.5: the answer should be one of the texts 'grows', 'shrinks', but it is the text 'no'.
    """

    options: tuple[str, ...]

    def __post_init__(self) -> None:
        options = require_texts("options", self.options, '("grows", "shrinks")')
        object.__setattr__(self, "options", options)  # the way to assign in a frozen class

    def in_words(self) -> str:
        return f"one of the texts {', '.join(map(repr, self.options))}"

    def read(self, answer: Any) -> str:
        text = plain_text(answer).strip().lower() if isinstance(answer, str) else None
        if text is None or text not in [option.strip().lower() for option in self.options]:
            raise InvalidAnswer(f"it is {described(answer)}")
        return text


@dataclass(frozen=True)
class Function(AnswerType):
    """A function, called with several inputs, which ``inputs`` makes anew for each function.

    Args:
        what: what the answer should be, as the reader is told.
        inputs: makes a list with the arguments of each call, a tuple for each.

    Raises:
        ValueError: if ``what`` is no text, or ``inputs`` no function.

    Example:
        >>> from gnet_lib.exercises import Exercise, check
        >>> numbers = Function("a function of a number", lambda: [(1,), (-2,), (3,)])
        >>> size = Exercise("H.6", "the size of a number", numbers, right=lambda: abs)
        >>> result = check(size, int)
        H.6: not right for 1 of the 3 inputs that were tried, for instance (-2).
    """

    what: str
    inputs: Callable[[], list[tuple]]

    def __post_init__(self) -> None:
        require_text("what", self.what, may_be_empty=False)
        require_callable("inputs", self.inputs, "a function that makes a list of tuples")

    def in_words(self) -> str:
        return self.what

    def read(self, answer: Any) -> list:
        if not callable(answer):
            raise InvalidAnswer(f"it is {described(answer)}")
        return [self._output(answer, arguments) for arguments in self._inputs()]

    def _inputs(self) -> list[tuple]:
        inputs = self.inputs()
        if not isinstance(inputs, (list, tuple)) or not all(isinstance(i, tuple) for i in inputs):
            raise FaultyExercise(
                "inputs must make a list with a tuple of arguments for each call, but what it "
                f"made is {shown(inputs)}"
            )
        return list(inputs)

    def _output(self, function: Callable, arguments: tuple) -> Any:
        try:
            output = function(*arguments)
        except (Exception, SystemExit) as error:  # whatever a reader's function does
            problem = f"yours stops at {listed(arguments)} with {stopped_with(error)}"
            raise InvalidAnswer(problem) from None
        if output is None:
            raise InvalidAnswer("yours returns nothing (is there a return?)")
        parts = output if isinstance(output, (list, tuple)) else (output,)
        if any(part is ... for part in parts):
            raise NoAnswer
        try:
            return as_plain(output)
        except Exception as error:  # whatever a reader's object does
            problem = f"what yours returns at {listed(arguments)} is {described(output)}, and"
            raise InvalidAnswer(f"{problem} reading it stops with {stopped_with(error)}") from None

    def same(self, given: list, other: list) -> bool:
        return len(given) == len(other) and all(map(alike, given, other))

    def explain(self, given: list, right: list) -> str:
        tried = list(zip(self._inputs(), given, right, strict=True))
        wrong = [arguments for arguments, mine, theirs in tried if not alike(mine, theirs)]
        return (
            f"not right for {len(wrong)} of the {len(tried)} inputs that were tried, "
            f"for instance {listed(wrong[0])}."
        )


@dataclass(frozen=True)
class Module(AnswerType):
    """A module: its parameters are counted and replaced, then one batch of ``shape`` goes in.

    Only what the module computes matters, not its weights, nor how it is wrapped. It is left
    as it was: weights, running averages, mode and what it keeps.

    Args:
        shape: shape of the batch.

    Raises:
        ValueError: if ``shape`` is not made of whole numbers.

    Example:
        >>> from torch import nn
        >>> from gnet_lib.exercises import Exercise, check
        >>> pool = Exercise("H.7", "a pooling", Module((1, 3, 8, 8)), right=lambda: nn.MaxPool2d(2))
        >>> result = check(pool, nn.MaxPool2d(4))
        H.7: its output has the shape (1, 3, 2, 2), which is not the one that is asked for.
    """

    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.shape, (list, tuple)):
            raise ValueError(
                f"shape must be a tuple such as (1, 3, 8, 8), but it is {shown(self.shape)}"
            )
        sizes = tuple(require_whole_number("each number of shape", size) for size in self.shape)
        object.__setattr__(self, "shape", sizes)  # the way to assign in a frozen class

    def in_words(self) -> str:
        return f"a module for inputs of the shape {self.shape}"

    def read(self, answer: Any) -> tuple:
        import torch

        from gnet_lib.exercises._modules import output_with_known_weights

        if not isinstance(answer, torch.nn.Module):
            raise InvalidAnswer(f"it is {described(answer)}")
        batch = torch.rand(self.shape, generator=torch.Generator().manual_seed(0))
        try:
            parameters, output = output_with_known_weights(answer, batch)
            plain_output = as_plain(output) if isinstance(output, torch.Tensor) else None
        except (Exception, SystemExit) as error:  # whatever a reader's module does
            raise InvalidAnswer(f"yours stops with {stopped_with(error)}") from None
        if not isinstance(plain_output, torch.Tensor):
            raise InvalidAnswer(f"what yours puts out is {described(output)}, not a tensor")
        return parameters, plain_output

    def same(self, given: tuple, other: tuple) -> bool:
        return given[0] == other[0] and alike(given[1], other[1])

    def explain(self, given: tuple, right: tuple) -> str:
        (parameters, output), (right_parameters, right_output) = given, right
        shape = tuple(output.shape)
        if shape != tuple(right_output.shape):
            return f"its output has the shape {shape}, which is not the one that is asked for."
        if parameters != right_parameters:
            amount = "too many" if parameters > right_parameters else "too few"
            return f"the shape is right, but it has {amount} parameters ({parameters:,})."
        return (
            "the shape and the parameters are right, but with the same weights it computes "
            "something else. Look at paddings, ReLUs and the order of the layers."
        )


class Widths(AnswerType):
    """The six widths of a module; read, they are a tuple of six numbers.

    Example:
        >>> from gnet_lib import WIDTHS
        >>> from gnet_lib.exercises import Exercise, check
        >>> widths = Exercise("H.8", "3a", Widths(), right=lambda: WIDTHS["3a"])
        >>> result = check(widths, WIDTHS["3a"])
        H.8: right.
    """

    def in_words(self) -> str:
        return "InceptionWidths(c1x1, c3x3_reduce, c3x3, c5x5_reduce, c5x5, pool_proj)"

    def read(self, answer: Any) -> tuple:
        if not isinstance(answer, lib.InceptionWidths):
            raise InvalidAnswer(f"it is {described(answer)}")
        return astuple(lib.InceptionWidths(*astuple(answer)))  # checked once more


@dataclass(frozen=True)
class Satisfies(AnswerType):
    """Any answer that satisfies all conditions, each with a message for those that do not.

    Args:
        answer_type: the type of answer that the conditions are asked of.
        conditions: pairs of a function that tells whether a read answer satisfies it, and
            what to say if not. One after the other is asked.

    Raises:
        ValueError: if ``answer_type`` is none, or ``conditions`` are no such pairs.

    Example:
        >>> from gnet_lib.exercises import Exercise, check
        >>> anything_but_0 = Satisfies(Number(), ((bool, "it is 0."),))
        >>> result = check(Exercise("H.9", "a number", anything_but_0, right=lambda: 1), 0)
        H.9: it is 0.
    """

    answer_type: AnswerType
    conditions: tuple[tuple[Callable[[Any], bool], str], ...]

    def __post_init__(self) -> None:
        require_instance("answer_type", self.answer_type, AnswerType, "a type such as Number()")
        conditions = require_pairs(
            "conditions", self.conditions, "a function that gives True or False"
        )
        object.__setattr__(self, "conditions", conditions)  # the way to assign in a frozen class

    def in_words(self) -> str:
        return self.answer_type.in_words()

    def read(self, answer: Any) -> Any:
        return self.answer_type.read(answer)

    def same(self, given: Any, other: Any) -> bool:
        return all(satisfied(given) for satisfied, _ in self.conditions)

    def explain(self, given: Any, right: Any) -> str:
        return next(message for satisfied, message in self.conditions if not satisfied(given))
