"""The checks of arguments, in one wording: the name, what is allowed, what came.

Each returns the value as a plain Python one, so that numbers out of a table (numpy, pandas)
are welcome, or raises a ``ValueError``. They stand at the library's public doors; what is
behind a door relies on it.
"""

import keyword
import math
from collections.abc import Collection
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from torch import nn

T = TypeVar("T")


def require_whole_number(
    name: str, value: Any, at_least: int = 1, at_most: int | None = None
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
    if isinstance(value, Integral) and not isinstance(value, bool):
        number = int(value)
        if at_least <= number and (at_most is None or number <= at_most):
            return number
    allowed = f"of at least {at_least}" if at_most is None else f"from {at_least} to {at_most}"
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
        number = float(value)
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


def require_instance(name: str, value: Any, kind: type[T], wanted: str) -> T:
    """The value, which must be of a kind.

    Args:
        name: of the argument.
        value: what came.
        kind: the class.
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


def shown(value: Any) -> str:
    """A value as an error shows it: short, and a class as a class."""
    if isinstance(value, type):
        return f"the class {value.__name__}"
    text = repr(value)
    return text if len(text) <= 200 else f"of type {type(value).__name__}"
