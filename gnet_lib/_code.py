"""What a Python function does, as a text that is the same in every process.

A name says little: a notebook defines ``class Net`` again with another ``forward``, and two
lambdas are both called ``<lambda>``. What Python made of the source says all: the
instructions with their constants and names. They are read without line numbers, comments and
docstrings, which change nothing; another release of Python has other instructions.
"""

import dis
import sys
import types
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

# What runs again and again in a training; what these set on an object is no setting of it.
AT_WORK = ("__call__", "forward", "step")


def checksum(content: bytes | memoryview | str) -> str:
    """Eight digits that other content would hardly share."""
    data = content.encode() if isinstance(content, str) else content
    return f"{zlib.crc32(data):08x}"


def code_of(function: types.FunctionType) -> str:
    """The checksum of what a function does, with the Python that it belongs to."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return f"code {checksum(_code_text(function.__code__))}, Python {python}"


def _code_text(code: types.CodeType) -> str:
    signature = (
        code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags,
        code.co_exceptiontable.hex(),
    )  # fmt: skip
    lines = [f"{each.opname} {_constant_text(each.argval)}" for each in dis.get_instructions(code)]
    return "\n".join([repr(signature), *lines])


def _constant_text(value: Any) -> str:
    if isinstance(value, types.CodeType):  # of a function within the function
        return f"({_code_text(value)})"
    if isinstance(value, frozenset):  # its order differs from process to process
        return f"{{{', '.join(sorted(map(_constant_text, value)))}}}"
    if isinstance(value, tuple):
        return f"({', '.join(map(_constant_text, value))})"
    return repr(value)


# --- names in the code -------------------------------------------------------------------


@dataclass(frozen=True)
class Names:
    """The names that a function uses, also within functions of its own.

    Args:
        read: names that it looks up outside of itself.
        changed: names outside of itself that it gives another value.
        set_attributes: attributes that it sets, of any object.
        attributes: attributes that it uses, and everything else it has a name for.
    """

    read: frozenset[str]
    changed: frozenset[str]
    set_attributes: frozenset[str]
    attributes: frozenset[str]


@cache
def names_in(code: types.CodeType) -> Names:
    """The names in a function's code."""
    parts = list(_parts(code))
    pairs = [(each.opname, each.argval) for part in parts for each in dis.get_instructions(part)]

    def after(*operations: str) -> frozenset[str]:
        return frozenset(name for operation, name in pairs if operation in operations)

    return Names(
        read=after("LOAD_GLOBAL", "LOAD_NAME"),
        changed=after("STORE_GLOBAL", "DELETE_GLOBAL", "STORE_DEREF", "DELETE_DEREF"),
        set_attributes=after("STORE_ATTR"),
        attributes=frozenset(name for part in parts for name in part.co_names),
    )


def _parts(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _parts(constant)


def functions_of(kind: type) -> dict[str, types.FunctionType]:
    """The functions that stand in a class itself, those of its properties among them."""
    found: dict[str, types.FunctionType] = {}
    for name, value in vars(kind).items():
        if isinstance(value, property):
            accessors = {"": value.fget, " (set)": value.fset, " (delete)": value.fdel}
        else:
            accessors = {"": getattr(value, "__func__", value)}  # of a static or class method
        for which, function in accessors.items():
            if isinstance(function, types.FunctionType):
                found[name + which] = function
    return found


@cache
def changed_at_work(kind: type, above: type = object) -> frozenset[str]:
    """The attributes that objects of a class set while they work: they are no settings.

    Args:
        kind: the class.
        above: a class whose own functions, and those of the classes above it, do not count.

    Returns:
        What ``forward``, ``__call__`` or ``step`` set, or a function that these lead to.
    """
    functions: dict[str, list[types.FunctionType]] = {}
    for each in kind.__mro__:
        if not issubclass(above, each):
            for name, function in functions_of(each).items():
                functions.setdefault(name, []).append(function)
    waiting, reached, changed = set(AT_WORK), set[str](), set[str]()
    while waiting:
        name = waiting.pop()
        reached.add(name)
        for function in functions.get(name, []):
            names = names_in(function.__code__)
            changed |= names.set_attributes
            waiting |= names.attributes - reached
    return frozenset(changed)
