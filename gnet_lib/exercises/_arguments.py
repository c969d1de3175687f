"""The checks of what an exercise is made of, for those who write one of their own."""

from collections.abc import Callable
from typing import Any

from gnet_lib._check import require_instance, shown


def require_text(name: str, value: Any) -> str:
    """The value, which must be a text that says something."""
    if not require_instance(name, value, str, "a text").strip():
        raise ValueError(f"{name} must be a text that says something, but it is {shown(value)}")
    return value


def require_function(name: str, value: Any, wanted: str) -> Callable:
    """The value, which must be callable."""
    if not callable(value):
        raise ValueError(f"{name} must be a function {wanted}, but it is {shown(value)}")
    return value


def require_texts(name: str, value: Any, example: str) -> tuple[str, ...]:
    """The value as a tuple of texts, of which there must be one at least."""
    if not isinstance(value, (list, tuple)) or not value:
        raise ValueError(
            f"{name} must be several texts, such as {example}, but it is {shown(value)}"
        )
    return tuple(require_text(f"each of {name}", each) for each in value)


def require_pairs(name: str, value: Any, wanted: str) -> tuple[tuple[Callable, str], ...]:
    """The value as a tuple of pairs, each of a function and a text."""
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"{name} must be a tuple of pairs, but it is {shown(value)}")
    for pair in value:
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise ValueError(
                f"each of {name} must be a pair of a function and a text, but it is {shown(pair)}"
            )
        require_function(f"the first part of each of {name}", pair[0], wanted)
        require_text(f"the second part of each of {name}", pair[1])
    return tuple((function, text) for function, text in value)
