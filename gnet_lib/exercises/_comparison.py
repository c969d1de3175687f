"""Answers in plain types, and whether two of them are the same, up to rounding."""

import dataclasses
import math
from numbers import Integral, Real
from typing import Any

LONGEST_WHOLE = 4300
"""The digits of the longest whole number that Python writes as a text, and so as evidence."""

MOST_VALUES = 10_000_000
"""A larger result is refused: no exercise asks for one, and it would fill the memory."""


def single(answer: Any) -> Any:
    """A single number out of a table or a tensor as Python's own; all else as it is."""
    has_one = hasattr(answer, "item") and not getattr(answer, "shape", ())
    return answer.item() if has_one else answer


def is_number(value: Any) -> bool:
    """Whether it is a real number; True and False are none here."""
    return isinstance(value, Real) and not isinstance(value, bool)


def as_float(value: Any) -> float:
    """The number as a float; a whole number too large for one becomes infinite."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def as_whole(value: Any) -> int:
    """The number as an int, unless Python would neither write nor read it."""
    number = int(value)
    if abs(number) >= 10**LONGEST_WHOLE:
        raise ValueError(f"a whole number of more than {LONGEST_WHOLE:,} digits, which is too long")
    return number


def as_plain(value: Any) -> Any:
    """A result in types that can be compared and written down: nothing in them is anybody's own.

    Args:
        value: what a function gave, with all that it holds.

    Returns:
        A bool, a number, a text, None, a tensor of torch in float64 on the CPU, or a tuple of
        these. A module becomes the tuple of its weights, a dataclass that of its fields; a name
        stands in front of each.

    Raises:
        TypeError: for any other type, whose ``==`` could say what it likes.
        ValueError: for a tensor without numbers, or with too many.
    """
    import torch
    from torch import nn

    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (str, torch.dtype, torch.device)):
        return plain_text(value)
    if isinstance(value, nn.Module):
        return ("module", *map(as_plain, value.state_dict().values()))
    if isinstance(value, torch.Tensor):
        return _plain_tensor(value)
    if hasattr(value, "__array__") and not isinstance(value, type):
        return as_plain(_tensor_of_array(value))
    if isinstance(value, Integral):
        return as_whole(value)
    if isinstance(value, Real):
        return as_float(value)
    return _plain_collection(value)


def plain_text(value: Any) -> str:
    """The text itself, whatever a class of somebody's own would do with it."""
    return str.__add__(value, "") if isinstance(value, str) else str(value)


def _plain_tensor(value: Any) -> Any:
    import torch

    if value.numel() > MOST_VALUES:
        raise ValueError(f"a result of {value.numel():,} values is too large to compare")
    if value.is_meta:
        raise ValueError("a tensor on the meta device has a shape, but no numbers")
    value = value.detach().as_subclass(torch.Tensor).cpu()
    value = value if value.layout is torch.strided else value.to_dense()
    if value.is_complex():
        value = torch.view_as_real(value.resolve_conj())
    if value.dim() == 0:
        return as_plain(value.item())
    return value.double()


def _tensor_of_array(value: Any) -> Any:
    import numpy
    import torch

    array = numpy.asarray(value)
    if array.dtype.kind not in "biufc":  # texts, objects, dates
        raise TypeError(f"{type(value).__name__} of {array.dtype} is no array of numbers")
    return torch.as_tensor(array.copy())


def _plain_collection(value: Any) -> tuple:
    if isinstance(value, (list, tuple, range)):
        if len(value) > MOST_VALUES:
            raise ValueError(f"a result of {len(value):,} values is too large to compare")
        return tuple(map(as_plain, value))
    if isinstance(value, dict):
        return ("dict", *sorted(map(as_plain, value.items()), key=repr))
    if isinstance(value, (set, frozenset)):
        return ("set", *sorted(map(as_plain, value), key=repr))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = (getattr(value, field.name) for field in dataclasses.fields(value))
        return (type(value).__name__, *map(as_plain, fields))
    raise TypeError(f"a {type(value).__name__} cannot be compared")


def alike(one: Any, other: Any) -> bool:
    """Equal, and tensors and numbers up to rounding.

    Args:
        one: a result, in plain types.
        other: another one. A tuple of numbers is the same as a tensor that holds them.

    Returns:
        True or False.
    """
    import torch

    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, torch.Tensor) or isinstance(other, torch.Tensor):
        return _alike_tensors(one, other)
    if is_number(one) and is_number(other):
        return _near(as_float(one), as_float(other))
    return type(one) is type(other) and one == other


def _near(one: float, other: float) -> bool:
    return one == other or abs(one - other) <= 1e-4 * max(abs(other), 1e-12)


def _alike_tensors(one: Any, other: Any) -> bool:
    import torch

    try:
        mine, theirs = torch.as_tensor(one).double(), torch.as_tensor(other).double()
    except (TypeError, ValueError, RuntimeError):  # a text, None, or a tuple with one
        return False
    if mine.shape != theirs.shape:
        return False
    rounding = 1e-4 * max(theirs.abs().max().item(), 1e-12) if theirs.numel() else 0
    return torch.allclose(mine, theirs, rtol=0, atol=rounding)
