"""A fuzz of wrong arguments: bad values for every argument, and a verdict on what came of it.

A call with a bad value may do one of two things. It refuses, with a ``ValueError`` or a
``TypeError`` that names the argument. Or it succeeds, because the value is one that the
argument's annotation allows. Everything else is a fault.
"""

import collections.abc
import contextlib
import inspect
import io
import math
import numbers
import os
import re
import resource
import signal
import sys
import typing
import warnings
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from dis import opmap
from types import NoneType, UnionType
from typing import Any

import altair
import matplotlib.figure
import numpy
import pandas
import torch
from IPython.display import HTML
from torch import nn

from gnet_lib.exercises import InvalidAnswer, NoAnswer
from gnet_lib.history import History
from gnet_lib.timing import Machine

SECONDS = 10  # of the processor, that one call may take
BYTES = 3 * 2**30  # that one call may ask for, beyond what this process has

# --- bad values --------------------------------------------------------------------------


class Nothing:
    """A class that means nothing to the library."""


def nonsense(*arguments: Any, **named: Any) -> None:
    """A function that means nothing to the library."""


NO_TENSOR = torch.zeros(2, 3, dtype=torch.int64)

# Name -> maker, because a call may change what it gets.
BAD: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "-1": lambda: -1,
    "0": lambda: 0,
    "nan": lambda: math.nan,
    "inf": lambda: math.inf,
    "-inf": lambda: -math.inf,
    "1.5": lambda: 1.5,
    "10**30": lambda: 10**30,
    "10**5000": lambda: 10**5000,  # no float is that large, and Python refuses to write it
    "1j": lambda: 1j,
    "True": lambda: True,
    "''": lambda: "",
    "'no such'": lambda: "no such",
    "b''": lambda: b"",
    "()": lambda: (),
    "[]": list,
    "[1, 2]": lambda: [1, 2],
    "(None,)": lambda: (None,),
    "{}": dict,
    "{'no such': 0}": lambda: {"no such": 0},
    "{0: None}": lambda: {0: None},
    "an object": object,
    "a class": lambda: Nothing,
    "a function": lambda: nonsense,
    "an array": lambda: numpy.zeros(3),
    "an array of texts": lambda: numpy.array(["no such"]),
    "a tensor": lambda: torch.zeros(2, 3),
    "a tensor of one number": lambda: torch.tensor(math.nan),
    "a tensor without memory": lambda: torch.zeros(2, 3, device="meta"),
    "a module": nn.Identity,
    "a series": lambda: pandas.Series([1.0], name="no such"),
    "a table": lambda: pandas.DataFrame({"no such": [1.0]}),
    "an empty table": pandas.DataFrame,
}


class Returning(nn.Module):
    """A module that computes with its input and then returns something else."""

    def __init__(self, result: Any) -> None:
        super().__init__()
        self.layer, self.result = nn.Linear(784, 10), result

    def forward(self, x: torch.Tensor) -> Any:
        return self.result(self.layer(x.flatten(1)))


class Failing(nn.Module):
    """A module with parameters that stops as soon as it is used."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(784, 10)

    def forward(self, x: torch.Tensor) -> Any:
        raise KeyError("deep inside of the module")


BAD_MODELS: dict[str, Callable[[], Any]] = {
    "a module that returns a dict": lambda: Returning(lambda logits: {"logits": logits}),
    "a module that returns a list": lambda: Returning(lambda logits: [logits]),
    "a module that returns an empty tuple": lambda: Returning(lambda logits: ()),
    "a module that returns a tuple of None": lambda: Returning(lambda logits: (None, logits)),
    "a module that returns None": lambda: Returning(lambda logits: None),
    "a module that raises": Failing,
    "a module not built yet": lambda: nn.Sequential(nn.Flatten(), nn.LazyLinear(10)),
    "a class of modules": lambda: nn.Linear,
    "a state_dict": lambda: nn.Linear(784, 10).state_dict(),
}


def tensors_like(good: torch.Tensor) -> dict[str, Callable[[], Any]]:
    """What is nearly the right tensor."""
    return {
        "another rank": lambda: good.flatten() if good.dim() != 1 else good[None],
        "no entries": lambda: good[:0],
        "booleans": lambda: good.bool(),
        "complex numbers": lambda: good.to(torch.complex64),
        "numbers of another type": lambda: good.long() if good.is_floating_point() else good / 1,
        "large numbers": lambda: good + 1000,
        "on meta": lambda: good.to("meta"),
        "of half precision": lambda: good.half(),
        "as an array": lambda: good.cpu().numpy(),
        "as a list": lambda: good.tolist(),
    }


def bad_values(good: Any) -> dict[str, Callable[[], Any]]:
    """The bad values for an argument whose good value, if any, is known."""
    if isinstance(good, torch.Tensor):
        return BAD | tensors_like(good)
    return BAD | BAD_MODELS if isinstance(good, nn.Module) else BAD


# --- what an annotation allows -----------------------------------------------------------

# Names that the library imports for type checkers only.
NAMES = {
    "numpy": numpy,
    "pandas": pandas,
    "altair": altair,
    "Tensor": torch.Tensor,
    "Figure": matplotlib.figure.Figure,
    "HTML": HTML,
    "History": History,
    "Machine": Machine,
}


def annotations_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The annotations of a function's arguments, of a class's those that build it."""
    if inspect.isclass(function):
        fields = typing.get_type_hints(function, localns=NAMES)
        own = typing.get_type_hints(function.__init__, localns=NAMES)
        return fields | own
    if isinstance(function, nn.Module):
        function = function.forward
    return typing.get_type_hints(function, localns=NAMES)


def fits(value: Any, annotation: Any) -> bool:
    """Whether an annotation allows a value; no bound of a number stands in an annotation."""
    if annotation is Any or annotation is inspect.Parameter.empty:
        return True
    if annotation in (None, NoneType):
        return value is None
    if isinstance(annotation, typing.TypeVar):
        return fits(value, annotation.__bound__ or Any)
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, UnionType):
        return any(fits(value, each) for each in inner)
    if origin is typing.Literal:
        return isinstance(value, str) and value in inner
    if origin is type:
        return isinstance(value, type) and issubclass(value, inner[0])
    if origin is tuple and inner[-1] is not Ellipsis:
        same_length = isinstance(value, tuple) and len(value) == len(inner)
        return same_length and all(map(fits, value, inner))
    if origin in (tuple, list):  # each of the two will do where the other is asked for
        return isinstance(value, (tuple, list)) and all(fits(each, inner[0]) for each in value)
    if origin in (dict, collections.abc.Mapping):
        return isinstance(value, origin) and all(
            fits(key, inner[0]) and fits(each, inner[1]) for key, each in value.items()
        )
    if annotation in (float, int):
        kind = numbers.Real if annotation is float else numbers.Integral
        finite = not isinstance(value, float) or math.isfinite(value)
        return isinstance(value, kind) and not isinstance(value, bool) and finite
    return isinstance(value, origin or annotation)


# --- a call, and the verdict -------------------------------------------------------------


@dataclass(frozen=True)
class Call:
    """A call that is good: what is called, and with which arguments."""

    function: Callable[..., Any]
    arguments: dict[str, Any]

    def names(self) -> list[str]:
        """The arguments, those left to their defaults included."""
        signed = self.function.forward if isinstance(self.function, nn.Module) else self.function
        return list(inspect.signature(signed).parameters)

    def __call__(self, **changes: Any) -> Any:
        result = self.function(**{**self.arguments, **changes})
        # An iterator does its work when it is asked.
        return next(iter(result), None) if isinstance(result, collections.abc.Iterator) else result


def good(function: Callable[..., Any], **arguments: Any) -> Call:
    """A good call."""
    return Call(function, arguments)


class TooLong(BaseException):
    """A call takes more time than it may."""


@contextlib.contextmanager
def limited() -> Iterator[None]:
    """Let no call take too long, or more memory than a test may have."""

    def stop(*_: Any) -> None:
        raise TooLong

    former = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, former)


@contextlib.contextmanager
def limited_memory() -> Iterator[None]:
    """Refuse a request for memory that a test should never make (Linux; elsewhere nothing)."""
    former = resource.getrlimit(resource.RLIMIT_AS)
    if sys.platform == "linux":
        with open("/proc/self/statm") as file:
            now = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + BYTES, former[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, former)


CLEAR, RAW, MISNAMED, SILENT = "clear", "raw", "misnamed", "accepted"


@dataclass(frozen=True)
class Outcome:
    """What came of a call with one bad value."""

    verdict: str
    argument: str
    value: str
    came: str

    def __str__(self) -> str:
        return f"{self.verdict}: {self.argument} = {self.value}: {self.came}"


def outcome(call: Call, argument: str, value_name: str, value: Any, allowed: bool) -> Outcome:
    """Make one call with a bad value and judge what comes of it.

    ``allowed`` says whether the call may succeed.
    """
    printed, files = io.StringIO(), os.listdir()
    try:
        with limited(), warnings.catch_warnings(), contextlib.redirect_stdout(printed):
            warnings.simplefilter("ignore")
            call(**{argument: value})
    except (InvalidAnswer, NoAnswer) as error:  # the end of a sentence that begins elsewhere
        verdict, came = CLEAR, repr(error)
    except (ValueError, TypeError) as error:
        named = re.search(rf"(?<!\w){re.escape(argument)}(?!\w)", text_of(error))
        verdict = CLEAR if named and raised_by_the_library(error) else MISNAMED
        came = f"{type(error).__name__}: {text_of(error)}"
        if printed.getvalue() or os.listdir() != files:  # a refusal does nothing else
            verdict, came = RAW, f"it left traces, then {came}"
    except TooLong:
        verdict, came = RAW, f"no end after {SECONDS} s"
    except Exception as error:  # what no reader should see
        verdict, came = RAW, f"{type(error).__name__}: {text_of(error)}"
    else:
        verdict, came = (CLEAR if allowed else SILENT), "accepted"
    return Outcome(verdict, argument, value_name, came[:300])


def text_of(error: Exception) -> str:
    """What the error says, if Python is able to write it."""
    try:
        return str(error)
    except ValueError:  # a whole number of too many digits
        return "(no text)"


def raised_by_the_library(error: BaseException) -> bool:
    """Whether a line of the library says ``raise``: the error is no one else's, and no accident."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    assert last is not None
    code = last.tb_frame.f_code.co_code
    here = last.tb_frame.f_globals.get("__name__", "").startswith("gnet_lib")
    return here and code[last.tb_lasti] in (opmap["RAISE_VARARGS"], opmap["RERAISE"])


def fuzz(
    make: Callable[[], Call], anything: Collection[str] = (), without: Collection[str] = ()
) -> list[Outcome]:
    """Replace each argument of a good call by each bad value, one at a time.

    ``anything`` are the arguments for which every value is right, ``without`` the names of
    values that are left out.
    """
    first = make()
    hints = annotations_of(first.function)
    outcomes = []
    with limited_memory():
        for argument in first.names():
            hint = Any if argument in anything else hints.get(argument, Any)
            for name, make_value in bad_values(first.arguments.get(argument)).items():
                value = make_value()
                a_readers_own = callable(value) and hint is not Any and fits(nonsense, hint)
                if a_readers_own or name in without:
                    continue
                outcomes.append(outcome(make(), argument, name, value, fits(value, hint)))
    return outcomes
