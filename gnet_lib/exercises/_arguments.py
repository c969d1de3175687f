"""The checks of what an exercise is made of, for those who write one of their own."""

from collections.abc import Callable
from typing import Any

from gnet_lib._check import require_callable, require_items, require_text, shown


def require_texts(name: str, value: Any, example: str) -> tuple[str, ...]:
    """The value as a tuple of texts, of which there must be one at least."""
    texts = require_items(name, value, str, f"texts, such as {example}")
    return tuple(require_text(f"each of {name}", text, may_be_empty=False) for text in texts)


def require_pairs(name: str, value: Any, wanted: str) -> tuple[tuple[Callable, str], ...]:
    """The value as a tuple of pairs, each of a function and a text."""
    each = "pairs of a function and a text"
    pairs = require_items(name, value, (list, tuple), each, at_least=0)
    for pair in pairs:
        if len(pair) != 2:
            raise ValueError(f"{name} must hold only {each}, but it holds {shown(pair)}")
        require_callable(f"the first part of each of {name}", pair[0], wanted)
        require_text(f"the second part of each of {name}", pair[1], may_be_empty=False)
    return tuple((function, text) for function, text in pairs)
