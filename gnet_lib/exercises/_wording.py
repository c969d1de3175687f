"""How a reader's answer is described in a message to that reader."""

import re
from numbers import Real
from typing import Any

import gnet_lib as lib
from gnet_lib._check import is_array, shown


def described(answer: Any) -> str:
    """What somebody gave, in a few words, and what to do about it.

    Nothing else than numbers and shapes is shown: objects of other types are called differently
    each time, and the same answer should always get the same line.
    """
    if isinstance(answer, str):
        return f"the text {answer[:40]!r}{advice(answer)}"
    if isinstance(answer, type):
        return f"{shown(answer)} itself; make one with {answer.__name__}(...)"
    is_plain = answer is None or isinstance(answer, Real) or is_array(answer)
    return shown(answer) if is_plain else f"of the type {type(answer).__name__}"


def advice(text: str) -> str:
    """What to do about a number that was written as a text."""
    is_number = re.fullmatch(r"[-+]?\d[\d,_ ]*(\.\d+)?", text.strip()) is not None
    return "; write the number without quotation marks and commas" if is_number else ""


def listed(arguments: tuple) -> str:
    """The arguments that a function was called with."""
    return f"({', '.join(map(one_argument, arguments))})"


def one_argument(value: Any) -> str:
    """One of them: written out where it is short."""
    if isinstance(value, (str, Real, tuple, lib.InceptionWidths, lib.Cost)) or is_array(value):
        return shown(value)
    return f"a {type(value).__name__}"
