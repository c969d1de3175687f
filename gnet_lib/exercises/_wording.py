"""How a reader's answer is described in a message to that reader."""

import re
from numbers import Integral, Real
from typing import Any

import gnet_lib as lib

LONGEST_NUMBER = 10**30
"""Whole numbers from this one on are not repeated to the reader."""


def described(answer: Any) -> str:
    """What somebody gave, in a few words."""
    try:
        return _described(answer)
    except Exception:  # an answer's own methods may do anything
        return f"of the type {type(answer).__name__}"


def _described(answer: Any) -> str:
    if isinstance(answer, str):
        return f"the text {answer[:40]!r}{advice(answer)}"
    if isinstance(answer, type):
        return f"the class {answer.__name__} itself; make one with {answer.__name__}(...)"
    if isinstance(answer, Integral) and abs(int(answer)) >= LONGEST_NUMBER:
        return "a whole number of more than 30 digits"  # Python refuses to write the longest ones
    if answer is None or isinstance(answer, Real):
        return repr(answer)
    if hasattr(answer, "shape"):
        return f"a {type(answer).__name__} of the shape {tuple(answer.shape)}"
    return f"of the type {type(answer).__name__}"


def advice(text: str) -> str:
    """What to do about a number that was written as a text."""
    is_number = re.fullmatch(r"[-+]?\d[\d,_ ]*(\.\d+)?", text.strip()) is not None
    return "; write the number without quotation marks and commas" if is_number else ""


def listed(arguments: tuple) -> str:
    """The arguments that a function was called with."""
    return f"({', '.join(map(one_argument, arguments))})"


def one_argument(value: Any) -> str:
    """One of them: written out where it is short."""
    import torch

    if isinstance(value, torch.Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, (str, Real, tuple, lib.InceptionWidths, lib.Cost)):
        return repr(value)
    return f"a {type(value).__name__}"


def stopped_with(error: BaseException) -> str:
    """What a reader's code stopped with, in one line that is not too long."""
    try:
        said = " ".join(str(error).split())[:120]
    except Exception:  # an error's own text may be broken
        said = ""
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
