"""The checks of arguments, in one wording: the name, what is allowed, what came.

Each returns the value as a plain Python one, so that numbers out of a table (numpy, pandas)
are welcome, or raises a ``ValueError``. They stand at the library's public doors; what is
behind a door relies on it.
"""

import keyword
import math
from collections.abc import Callable, Collection, Mapping
from importlib import import_module
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import pandas
    from torch import nn

T = TypeVar("T")

LONGEST_NUMBER = 30
LONGEST_LINE = 200
MANY = 5
"""A longer number, text or collection is not written into an error, digit by digit."""

LARGEST = 10**9
"""No size and no number of times is larger, or memory and time would end before the answer."""


def require_whole_number(
    name: str, value: Any, at_least: int = 1, at_most: int | None = LARGEST
) -> int:
    """The value as an ``int`` from ``at_least`` to ``at_most``.

    Args:
        name: of the argument, as the error shows it.
        value: what came.
        at_least: the smallest that is allowed.
        at_most: the largest; None is no bound.

    Returns:
        The value as an ``int``.

    Raises:
        ValueError: for anything else; True and False are no numbers here.
    """
    too_large = False
    if isinstance(value, Integral) and not isinstance(value, bool):
        number = int(value)
        too_large = at_most is not None and number > at_most
        if at_least <= number and not too_large:
            return number
    unbounded = at_most in (None, LARGEST) and not too_large  # the bound is of no interest then
    allowed = f"of at least {at_least}" if unbounded else f"from {at_least} to {at_most}"
    raise ValueError(f"{name} must be a whole number {allowed}, but it is {shown(value)}")


def require_number(
    name: str,
    value: Any,
    *,
    above: float | None = None,
    at_least: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
) -> float:
    """The value as a ``float`` that is finite and within the bounds given.

    Args:
        name: of the argument, as the error shows it.
        value: what came.
        above: what it has to be larger than; None is no bound, as below.
        at_least: the smallest that is allowed.
        below: what it has to be smaller than.
        at_most: the largest that is allowed.

    Returns:
        The value as a ``float``.

    Raises:
        ValueError: for anything else; True and False are no numbers here.
    """
    if isinstance(value, Real) and not isinstance(value, bool):
        number = _as_float(value)
        fits = (
            math.isfinite(number)
            and (above is None or number > above)
            and (at_least is None or number >= at_least)
            and (below is None or number < below)
            and (at_most is None or number <= at_most)
        )
        if fits:
            return number
    bounds = {"above": above, "of at least": at_least, "below": below, "of at most": at_most}
    allowed = " and ".join(
        f"{words} {bound:g}" for words, bound in bounds.items() if bound is not None
    )
    wanted = f"a finite number {allowed}".strip()
    raise ValueError(f"{name} must be {wanted}, but it is {shown(value)}")


def _as_float(value: Real) -> float:
    try:
        return float(value)
    except OverflowError:  # a whole number that no float can hold
        return math.inf


def require_bool(name: str, value: Any) -> bool:
    """The value, which must be True or False.

    Args:
        name: of the argument, as the error shows it.
        value: what came.

    Returns:
        The value.

    Raises:
        ValueError: for anything else, also for 0 and 1.
    """
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be True or False, but it is {shown(value)}")
    return value


def require_choice(name: str, value: Any, allowed: Collection[str]) -> str:
    """The value, which must be one of a few texts.

    Args:
        name: of the argument, as the error shows it.
        value: what came.
        allowed: the texts.

    Returns:
        The value.

    Raises:
        ValueError: for anything else.
    """
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}, but it is {shown(value)}")
    return value


def require_instance(name: str, value: Any, kind: type[T] | tuple[type[T], ...], wanted: str) -> T:
    """The value, which must be of a kind.

    Args:
        name: of the argument.
        value: what came.
        kind: the class, or several.
        wanted: what it is called in the message, with the way to make one.

    Returns:
        The value.

    Raises:
        ValueError: for anything else.
    """
    if not isinstance(value, kind):
        raise ValueError(f"{name} must be {wanted}, but it is {shown(value)}")
    return value


def require_model(name: str, value: Any) -> "nn.Module":
    """The value, which must be a network that somebody has built.

    Args:
        name: of the argument, as the error shows it.
        value: what came.

    Returns:
        The value.

    Raises:
        ValueError: for anything but an ``nn.Module``; a class is told how to build one.
    """
    from torch import nn  # not above: most checks are of numbers, and torch takes seconds

    if isinstance(value, nn.Module):
        return value
    wanted = f"{name} must be a network, an nn.Module such as MiniGoogLeNet()"
    if isinstance(value, type) and issubclass(value, nn.Module):
        raise ValueError(f"{wanted}, but it is {shown(value)}; build one: {value.__name__}()")
    raise ValueError(f"{wanted}, but it is {shown(value)}")


def require_generator(generator: Any) -> None:
    """A ``ValueError`` unless it is a generator of torch's random numbers, or None.

    Args:
        generator: what came.

    Raises:
        ValueError: for anything else.
    """
    import torch

    if generator is not None:
        wanted = "a torch.Generator, as torch.Generator().manual_seed(0) makes one, or None"
        require_instance("generator", generator, torch.Generator, wanted)


def require_text(name: str, value: Any, *, may_be_empty: bool = True) -> str:
    """The value, which must be a text; what it says, nobody computes with.

    Args:
        name: of the argument, as the error shows it.
        value: what came.
        may_be_empty: False where it has to say something.

    Returns:
        The value.

    Raises:
        ValueError: for anything else.
    """
    text = require_instance(name, value, str, "a text")
    if not may_be_empty and not text.strip():
        raise ValueError(f"{name} must be a text that says something, but it is {shown(text)}")
    return text


def require_callable(name: str, value: Any, wanted: str) -> Callable[..., Any]:
    """The value, which must be something that can be called.

    Args:
        name: of the argument, as the error shows it.
        value: what came.
        wanted: what it is called in the message, with an example.

    Returns:
        The value.

    Raises:
        ValueError: for anything else.
    """
    if not callable(value):
        raise ValueError(f"{name} must be {wanted}, but it is {shown(value)}")
    return value


def require_items(
    name: str, value: Any, kind: type[T] | tuple[type[T], ...], wanted: str, at_least: int = 1
) -> list[T]:
    """The items of a tuple or list, all of a kind.

    Args:
        name: of the argument, as the error shows it.
        value: what came.
        kind: the items' class, or several.
        wanted: what they are called in the message, with an example.
        at_least: how many there must be.

    Returns:
        The items.

    Raises:
        ValueError: for anything else, also for an item of another kind.
    """
    if not isinstance(value, (tuple, list)):
        raise ValueError(f"{name} must be a tuple of {wanted}, but it is {shown(value)}")
    if len(value) < at_least:
        raise ValueError(
            f"{name} must hold at least {at_least} of {wanted}, but it holds {len(value)}"
        )
    for item in value:
        if not isinstance(item, kind):
            raise ValueError(f"{name} must hold only {wanted}, but it holds {shown(item)}")
    return list(value)


def require_mapping(
    name: str, value: Any, kind: type[T], wanted: str, at_least: int = 0
) -> Mapping[str, T]:
    """The value, which must be a dict: a text -> something of a kind.

    Args:
        name: of the argument, as the error shows it.
        value: what came.
        kind: the class of what the names stand for.
        wanted: what they stand for, as the message says it.
        at_least: how many entries there must be.

    Returns:
        The value.

    Raises:
        ValueError: for anything else, also for an entry of another kind.
    """
    if not isinstance(value, Mapping) or len(value) < at_least:
        many = f" with at least {at_least} of them" if at_least else ""
        raise ValueError(f"{name} must be a dict, name -> {wanted}{many}, but it is {shown(value)}")
    for key, entry in value.items():
        require_text(f"each name in {name}", key)
        require_instance(f"each entry of {name}", entry, kind, wanted)
    return value


def require_table(
    name: str,
    value: Any,
    words: Collection[str] = (),
    numbers: Collection[str] | None = (),
    at_least: int = 1,
) -> "pandas.DataFrame":
    """The value, which must be a table with certain columns and enough rows.

    Args:
        name: of the argument, as the error shows it.
        value: what came.
        words: columns that are read, of any type; there may be more.
        numbers: columns that are read and have to hold numbers; None: all columns.
        at_least: how many rows there must be.

    Returns:
        The value.

    Raises:
        ValueError: for anything else.
    """
    import pandas
    from pandas.api.types import is_numeric_dtype

    wanted = "a pandas.DataFrame"
    if words or numbers:
        wanted += f" with the columns {', '.join([*words, *(numbers or ())])}"
    table = require_instance(name, value, pandas.DataFrame, wanted)
    numbers = table.columns if numbers is None else numbers
    missing = [column for column in (*words, *numbers) if column not in table.columns]
    if missing:
        raise ValueError(f"{name} must be {wanted}, but it has no {', '.join(missing)}")
    for column in numbers:
        if not is_numeric_dtype(table[column]):
            raise ValueError(
                f"{name} must hold numbers in {column}, but they are {table[column].dtype}"
            )
    if len(table) < at_least:
        raise ValueError(f"{name} must have at least {at_least} rows, but it has {len(table)}")
    return table


TAKEN_BY_TORCH = """
    T_destination add_module append apply bfloat16 buffers call_super_init children clear compile
    cpu cuda double dump_patches eval extend extra_repr float forward get_buffer get_extra_state
    get_parameter get_submodule half insert ipu items keys load_state_dict modules mtia
    named_buffers named_children named_modules named_parameters parameters pop
    register_backward_hook register_buffer register_forward_hook register_forward_pre_hook
    register_full_backward_hook register_full_backward_pre_hook register_load_state_dict_post_hook
    register_load_state_dict_pre_hook register_module register_parameter
    register_state_dict_post_hook register_state_dict_pre_hook requires_grad_ set_extra_state
    set_submodule share_memory state_dict to to_empty train training type update values xpu
    zero_grad
"""
"""What ``nn.ModuleDict`` and ``nn.Sequential`` call their own, so that no layer can have the name.

A list, because rows are named where torch, which takes seconds, has not been imported.
"""


def require_layer_name(name: str, value: Any) -> str:
    """The value, which must be fit to name a layer.

    PyTorch puts dots between names, keeps some for itself, and writes code with them.

    Args:
        name: of the argument, as the error shows it.
        value: what came.

    Returns:
        The value.

    Raises:
        ValueError: for anything but a text without dots, for what a module of PyTorch calls
            its own (``keys``, ``forward``), and for Python's keywords.
    """
    if not isinstance(value, str) or not value.isprintable() or not value or "." in value:
        raise ValueError(
            f"{name} must be a text without dots, for instance 'conv1', but it is {shown(value)}"
        )
    if value in TAKEN_BY_TORCH.split() or value.startswith("_") or keyword.iskeyword(value):
        raise ValueError(
            f"{name} must be none of PyTorch's or Python's own names, for instance 'conv1', "
            f"but it is {shown(value)}"
        )
    return value


def require_odd(name: str, value: Any) -> int:
    """The value, which must be an odd whole number: half an even kernel is no padding.

    Args:
        name: of the argument, as the error shows it.
        value: what came.

    Returns:
        The value as an ``int``.

    Raises:
        ValueError: for anything else.
    """
    if require_whole_number(name, value) % 2 == 0:
        raise ValueError(
            f"{name} must be odd, because half of it is the padding, but it is {shown(value)}"
        )
    return int(value)


def require_package(name: str, purpose: str) -> None:
    """See that a package is there which only one room needs, so that no dependency names it.

    Args:
        name: as it is imported and installed.
        purpose: what it does, as a beginning of the sentence: "figures are shown by".

    Raises:
        ModuleNotFoundError: if it is not installed, with what to do.
    """
    try:
        import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:  # it is there, and lacks a package of its own
            raise
        raise ModuleNotFoundError(
            f"{purpose} the package {name}, which is not installed; run: pip install {name}",
            name=name,
        ) from None


def shown(value: Any) -> str:
    """A value as an error shows it: in one short line, whatever it is.

    Args:
        value: what came.

    Returns:
        A class as a class, a tensor or array as its shape and type, what is long as its type
        alone, all else as Python writes it.

    Example:
        >>> shown(int), shown((3, "x"))
        ('the class int', "(3, 'x')")
        >>> import numpy
        >>> shown([numpy.zeros((2, 3)), None])
        'a list of a ndarray of shape (2, 3) and float64, None'
    """
    try:
        return _shown(value)
    except Exception:  # a class of somebody's own may do anything
        return f"of type {type(value).__name__}"


def _shown(value: Any) -> str:
    kind = type(value).__name__
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if is_array(value):
        return f"a {kind} of shape {tuple(value.shape)} and {value.dtype}"
    if isinstance(value, int) and abs(value) >= 10**LONGEST_NUMBER:
        return f"a whole number of more than {LONGEST_NUMBER} digits"  # Python writes only some
    is_collection = isinstance(value, (tuple, list, dict))
    if is_collection and len(value) <= MANY and any(map(is_array, value)):
        return f"a {kind} of {', '.join(map(shown, value))}"
    text = repr(value)
    if len(text) <= LONGEST_LINE and "\n" not in text:
        return text
    return f"a {kind} of {len(value)}" if is_collection else f"of type {kind}"


def is_array(value: Any) -> bool:
    """Whether it is a tensor or an array of several numbers, of whatever package.

    Args:
        value: anything.

    Returns:
        True or False.
    """
    try:
        return bool(getattr(value, "shape", ())) and hasattr(value, "dtype")
    except Exception:  # a class of somebody's own may do anything
        return False


def first_line(error: Exception) -> str:
    """The first line of an error's text, or the error's name where it has none."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__


def stopped_with(error: BaseException) -> str:
    """What somebody's code stopped with, in one line that is not too long.

    Args:
        error: what was raised.

    Returns:
        The error's name and text.

    Example:
        >>> stopped_with(KeyError("width"))
        "KeyError: 'width'"
    """
    try:
        said = " ".join(str(error).split())[:LONGEST_LINE]
    except Exception:  # an error's own text may be broken
        said = ""
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
