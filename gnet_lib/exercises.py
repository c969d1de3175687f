"""Checkers for the book's exercises: they say what is wrong, and do not give the answer away.

    check("4.2", my_answer)

It takes an exercise of your own, too: ``check(Exercise(...), an_answer)``.

An exercise is a few lines of data (see ``Exercise``): what kind of answer it wants, how
the right answer is computed, and which mistakes are often made. Mistakes are computed
too, so that somebody who counted the biases as well is told just that. Nothing is
computed before ``check`` asks for it, nothing is downloaded, and the same answer always
gets the same line. The exercises themselves stand in ``gnet_lib/_answers.py``; do not
open it before you have tried.
"""

import copy
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

# The library looks its names up when they are first used, so this import brings no torch.
import gnet_lib as lib

# --- checking ----------------------------------------------------------------------------


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


def check(exercise: "str | Exercise", answer: Any) -> Result:
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
    exercises = _exercises()
    chapters = list(dict.fromkeys(map(_chapter, exercises)))
    if chapter is not None and not isinstance(chapter, str):
        raise ValueError(f"chapter must be a text such as '8', but it is {chapter!r}")
    if chapter is not None and chapter not in chapters:
        raise ValueError(f"chapter must be one of {', '.join(chapters)}, but it is {chapter!r}")
    return {
        number: exercise.title
        for number, exercise in exercises.items()
        if chapter in (None, _chapter(number))
    }


def _exercises() -> dict[str, "Exercise"]:
    """All exercises by number; loaded when first asked for."""
    from gnet_lib._answers import EXERCISES

    return EXERCISES


def _chapter(number: str) -> str:
    return number.partition(".")[0]


def _find(number: str) -> "Exercise":
    if not isinstance(number, str):
        raise ValueError(
            "exercise must be a number as text, such as '4.2', or an Exercise of your own, "
            f"but it is {number!r}"
        )
    exercises, chapter = _exercises(), _chapter(number)
    if number in exercises:
        return exercises[number]
    if chapter not in map(_chapter, exercises):
        known = ", ".join(dict.fromkeys(map(_chapter, exercises)))
        raise ValueError(
            f"exercise must begin with a chapter ({known}), as '4.2' does, but it is {number!r}"
        )
    raise ValueError(
        f"exercise must be one of the exercises of chapter {chapter} that have a check "
        f"({', '.join(checked(chapter))}), but it is {number!r}; open questions have none"
    )


def _judge(exercise: "Exercise", answer: Any) -> tuple[bool, str]:
    """Whether the answer is right, and what to say about it."""
    wanted = exercise.wanted
    try:
        given = wanted.read(_without_dots(answer))
    except NoAnswer:
        return False, "no answer yet. Put it in place of the dots."
    except InvalidAnswer as problem:
        return False, f"the answer should be {wanted.what}, but {problem}."
    right = wanted.read(exercise.right())
    if wanted.same(given, right):
        return True, "right."
    for mistaken, message in exercise.mistakes:
        if wanted.same(given, wanted.read(mistaken())):
            return False, message
    return False, f"{wanted.explain(given, right)} {exercise.hint}".strip()


# --- kinds of answers --------------------------------------------------------------------


class NoAnswer(Exception):
    """The dots are still there."""


class InvalidAnswer(Exception):
    """An answer of another kind than wanted; the text says what came."""


class AnswerType:
    """A kind of answer: how it is read, compared, and what is said about a wrong one.

    ``read`` brings an answer into a form that can be compared, and refuses what is of
    another kind. The right answer and the mistakes are read in the same way. All kinds
    below are made of these three methods.

    Example:
        >>> all(issubclass(kind, AnswerType) for kind in (Number, Numbers, Choice, Function))
        True
    """

    what: str

    def read(self, answer: Any) -> Any:
        """The answer in a form that ``same`` can compare.

        Args:
            answer: what somebody gave.

        Returns:
            The same answer, read.

        Raises:
            Exception: ``NoAnswer`` or ``InvalidAnswer`` for an answer of another kind.
        """
        raise NotImplementedError

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
    """One number: a whole one, or, with a ``tolerance``, one that may be off by that share.

    Args:
        tolerance: the share, for instance 0.01 for a hundredth; 0 asks for a whole number.

    Example:
        >>> third = Exercise("H.3", "a third", Number(tolerance=0.01), right=lambda: 1 / 3)
        >>> answers = [check(third, answer) for answer in (0.333, 0.5)]
        H.3: right.
        H.3: the right order of magnitude, but not exact.
    """

    tolerance: float = 0.0

    @property
    def what(self) -> str:
        return "a number" if self.tolerance else "a whole number"

    def read(self, answer: Any) -> float | int:
        value = _plain(_without_dots(answer))
        if isinstance(value, bool) or not isinstance(value, Real):
            raise InvalidAnswer(f"it is {_described(value)}")
        if not self.tolerance and value % 1 != 0:
            raise InvalidAnswer(f"it is {_described(value)}")
        return _as_float(value) if self.tolerance else int(value)

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


ANY = object()
"""Stands in a mistake for a part that does not matter."""


@dataclass(frozen=True)
class Numbers(AnswerType):
    """Several whole numbers in a fixed order, which have names; each may be off by ``within``.

    In a mistake, ``ANY`` stands for a part that does not matter.

    Args:
        names: what the numbers are, such as ``("height", "width")``.
        within: by how much each may be off.

    Example:
        >>> sizes = Exercise("H.4", "a map", Numbers(("height", "width")), right=lambda: (28, 14))
        >>> result = check(sizes, (28, 28))
        H.4: not right: the width.
    """

    names: tuple[str, ...]
    within: int = 0

    @property
    def what(self) -> str:
        return f"{len(self.names)} whole numbers in brackets ({', '.join(self.names)})"

    def read(self, answer: Any) -> tuple:
        if not hasattr(answer, "__iter__") or isinstance(answer, (str, bytes, dict, set)):
            raise InvalidAnswer(f"it is {_described(answer)}")
        values = tuple(answer) if getattr(answer, "ndim", 1) else (answer,)
        if len(values) != len(self.names):
            raise InvalidAnswer(f"it has {len(values)} value{'' if len(values) == 1 else 's'}")
        return tuple(map(self._read_part, self.names, values))

    def _read_part(self, name: str, value: Any) -> int:
        if value is ANY:
            return value
        try:
            # A number that may be off need not be whole.
            return Number(tolerance=self.within).read(value)
        except InvalidAnswer as problem:
            raise InvalidAnswer(f"for the {name} {problem}") from None

    def same(self, given: tuple, other: tuple) -> bool:
        return not self._wrong(given, other)

    def explain(self, given: tuple, right: tuple) -> str:
        if self.same(tuple(sorted(given)), tuple(sorted(right))):
            return f"right numbers in another order. First the {', then the '.join(self.names)}."
        return f"not right: {' and '.join(f'the {name}' for name in self._wrong(given, right))}."

    def _wrong(self, given: tuple, other: tuple) -> list[str]:
        return [
            name
            for name, mine, theirs in zip(self.names, given, other)
            if theirs is not ANY and abs(mine - theirs) > self.within
        ]


@dataclass(frozen=True)
class Choice(AnswerType):
    """One of a few texts, in capitals or not.

    Args:
        options: the texts.

    Example:
        >>> change = Choice(("grows", "shrinks"))
        >>> result = check(Exercise("H.5", "the map", change, right=lambda: "shrinks"), "no")
        H.5: the answer should be one of the texts 'grows', 'shrinks', but it is the text 'no'.
    """

    options: tuple[str, ...]

    @property
    def what(self) -> str:
        return f"one of the texts {', '.join(map(repr, self.options))}"

    def read(self, answer: Any) -> str:
        text = answer.strip().lower() if isinstance(answer, str) else None
        if text not in [option.lower() for option in self.options]:
            raise InvalidAnswer(f"it is {_described(answer)}")
        return text


@dataclass(frozen=True)
class Function(AnswerType):
    """A function, called with several inputs, which ``inputs`` makes anew for each function.

    Args:
        what: what the answer should be, as the reader is told.
        inputs: makes a list with the arguments of each call, a tuple for each.

    Example:
        >>> wanted = Function("a function of a number", lambda: [(1,), (-2,), (3,)])
        >>> size = Exercise("H.6", "the size of a number", wanted, right=lambda: abs)
        >>> result = check(size, int)
        H.6: not right for 1 of the 3 inputs that were tried, for instance (-2).
    """

    what: str
    inputs: Callable[[], list[tuple]]

    def read(self, answer: Any) -> list:
        if not callable(answer):
            raise InvalidAnswer(f"it is {_described(answer)}")
        return [self._output(answer, arguments) for arguments in self.inputs()]

    def _output(self, function: Callable, arguments: tuple) -> Any:
        try:
            output = function(*arguments)
        except Exception as error:  # whatever a reader's function does
            problem = f"{type(error).__name__}: {_one_line(error)}"
            raise InvalidAnswer(f"yours stops at {_listed(arguments)} with {problem}") from None
        if output is None:
            raise InvalidAnswer("yours returns nothing (is there a return?)")
        return _without_dots(output)

    def same(self, given: list, other: list) -> bool:
        return all(map(_alike, given, other))

    def explain(self, given: list, right: list) -> str:
        tried = list(zip(self.inputs(), given, right))
        wrong = [arguments for arguments, mine, theirs in tried if not _alike(mine, theirs)]
        return (
            f"not right for {len(wrong)} of the {len(tried)} inputs that were tried, "
            f"for instance {_listed(wrong[0])}."
        )


@dataclass(frozen=True)
class Module(AnswerType):
    """A module: its parameters are counted and replaced, then one batch of ``shape`` goes in.

    The weights are replaced in a copy, so that only what the module computes matters.

    Args:
        shape: shape of the batch.

    Example:
        >>> from torch import nn
        >>> pool = Exercise("H.7", "a pooling", Module((1, 3, 8, 8)), right=lambda: nn.MaxPool2d(2))
        >>> result = check(pool, nn.MaxPool2d(4))
        H.7: its output has the shape (1, 3, 2, 2), which is not the one that is asked for.
    """

    shape: tuple[int, ...]

    @property
    def what(self) -> str:
        return f"a module for inputs of the shape {self.shape}"

    def read(self, answer: Any) -> tuple:
        import torch

        if not isinstance(answer, torch.nn.Module):
            raise InvalidAnswer(f"it is {_described(answer)}")
        batch = torch.rand(self.shape, generator=torch.Generator().manual_seed(0))
        try:
            module = copy.deepcopy(answer).cpu().float().eval()
            with torch.no_grad():
                _give_known_weights(module)
                output = module(batch)
        except Exception as error:  # whatever a reader's module does
            problem = f"{type(error).__name__}: {_one_line(error)}"
            raise InvalidAnswer(f"yours stops with {problem}") from None
        if not isinstance(output, torch.Tensor):
            raise InvalidAnswer(f"what yours puts out is {_described(output)}, not a tensor")
        return sum(parameter.numel() for parameter in module.parameters()), output

    def same(self, given: tuple, other: tuple) -> bool:
        return given[0] == other[0] and _alike(given[1], other[1])

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


def _give_known_weights(module: Any) -> None:
    """Fill every parameter with numbers that depend on its size alone.

    So two modules get the same weights, in whatever order they list them.
    """
    import torch

    for parameter in module.parameters():
        generator = torch.Generator().manual_seed(parameter.numel())
        drawn = torch.randn(parameter.numel(), generator=generator).reshape(parameter.shape)
        inputs = parameter[0].numel() if parameter.dim() > 1 else 1
        parameter.copy_(drawn / math.sqrt(inputs))
    for layer in module.modules():
        if hasattr(layer, "reset_running_stats"):  # batch normalisation, perhaps after training
            layer.reset_running_stats()


class Widths(AnswerType):
    """The six widths of a module.

    Example:
        >>> widths = Exercise("H.8", "3a", Widths(), right=lambda: lib.WIDTHS["3a"])
        >>> result = check(widths, lib.WIDTHS["3a"])
        H.8: right.
    """

    what = "InceptionWidths(c1x1, c3x3_reduce, c3x3, c5x5_reduce, c5x5, pool_proj)"

    def read(self, answer: Any) -> Any:
        if not isinstance(answer, lib.InceptionWidths):
            raise InvalidAnswer(f"it is {_described(answer)}")
        return answer


@dataclass(frozen=True)
class Satisfies(AnswerType):
    """Any answer that meets all conditions. Each has a message for those who do not meet it.

    Args:
        kind: the kind of answer that the conditions are asked of.
        conditions: pairs of a function that tells whether a read answer meets it, and
            what to say if not. One after the other is asked.

    Example:
        >>> anything_but_0 = Satisfies(Number(), ((bool, "it is 0."),))
        >>> result = check(Exercise("H.9", "a number", anything_but_0, right=lambda: 1), 0)
        H.9: it is 0.
    """

    kind: AnswerType
    conditions: tuple[tuple[Callable[[Any], bool], str], ...]

    @property
    def what(self) -> str:
        return self.kind.what

    def read(self, answer: Any) -> Any:
        return self.kind.read(answer)

    def same(self, given: Any, other: Any) -> bool:
        return all(is_met(given) for is_met, _ in self.conditions)

    def explain(self, given: Any, right: Any) -> str:
        return next(message for is_met, message in self.conditions if not is_met(given))


@dataclass(frozen=True)
class Exercise:
    """One exercise that can be checked.

    Args:
        number: as the book has it.
        title: what is asked for, in a few words.
        wanted: the kind of answer.
        right: computes the right answer, from the library wherever it can.
        mistakes: pairs of a function that computes a wrong answer, and what to tell
            those who gave it.
        hint: what to add for every other wrong answer.

    Raises:
        ValueError: if ``wanted`` is no kind of answer, or ``right`` or a mistake no function.

    Example:
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
    wanted: AnswerType
    right: Callable[[], Any]
    mistakes: tuple[tuple[Callable[[], Any], str], ...] = ()
    hint: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.wanted, AnswerType):
            raise ValueError(
                f"wanted must be a kind of answer, such as Number(), but it is {self.wanted!r}"
            )
        _require_function("right", self.right)
        for mistaken, _ in self.mistakes:
            _require_function("the first part of each of mistakes", mistaken)


def _require_function(name: str, value: Any) -> None:
    if not callable(value):
        raise ValueError(
            f"{name} must be a function that computes an answer, such as lambda: 42, "
            f"but it is {value!r}"
        )


# --- helpers -----------------------------------------------------------------------------


def _without_dots(answer: Any) -> Any:
    """The answer, if there is one."""
    if answer is ...:
        raise NoAnswer
    return answer


def _plain(answer: Any) -> Any:
    """A single number out of a table or a tensor as Python's own."""
    single = hasattr(answer, "item") and not getattr(answer, "shape", ())
    return answer.item() if single else answer


def _as_float(value: Real) -> float:
    """The number as a float; a whole number too large for one becomes infinite."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _alike(one: Any, other: Any) -> bool:
    """Equal; numbers and tensors up to rounding, modules by their weights."""
    import torch

    if isinstance(one, (tuple, list)) and isinstance(other, (tuple, list)):
        return len(one) == len(other) and all(map(_alike, one, other))
    if isinstance(one, torch.nn.Module) and isinstance(other, torch.nn.Module):
        return _alike(list(one.state_dict().values()), list(other.state_dict().values()))
    one, other = _plain(one), _plain(other)
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    try:
        mine, theirs = torch.as_tensor(one).double(), torch.as_tensor(other).double()
    except (TypeError, ValueError, RuntimeError):
        return bool(one == other)
    if mine.shape != theirs.shape:
        return False
    rounding = 1e-4 * max(theirs.abs().max().item(), 1e-12) if theirs.numel() else 0
    return torch.allclose(mine, theirs, rtol=0, atol=rounding)


LONGEST_NUMBER = 10**30
"""Whole numbers from this one on are not repeated to the reader."""


def _described(answer: Any) -> str:
    """What somebody gave, in a few words."""
    if isinstance(answer, str):
        return f"the text {answer[:40]!r}{_advice(answer)}"
    if isinstance(answer, type):
        return f"the class {answer.__name__} itself; make one with {answer.__name__}(...)"
    if isinstance(answer, Integral) and abs(answer) >= LONGEST_NUMBER:
        return "a whole number of more than 30 digits"  # Python refuses to write the longest ones
    if answer is None or isinstance(answer, Real):
        return repr(answer)
    if hasattr(answer, "shape"):
        return f"a {type(answer).__name__} of the shape {tuple(answer.shape)}"
    return f"of the type {type(answer).__name__}"


def _advice(text: str) -> str:
    """What to do about a number that was written as a text."""
    is_number = re.fullmatch(r"[-+]?\d[\d,_ ]*(\.\d+)?", text.strip()) is not None
    return "; write the number without quotation marks and commas" if is_number else ""


def _listed(arguments: tuple) -> str:
    """A function's arguments in a message."""
    import torch

    simple = (str, Real, tuple, lib.InceptionWidths, lib.Cost)
    texts = [
        f"a tensor of shape {tuple(each.shape)}" if isinstance(each, torch.Tensor)
        else repr(each) if isinstance(each, simple)
        else f"a {type(each).__name__}"
        for each in arguments
    ]  # fmt: skip
    return f"({', '.join(texts)})"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:120]
