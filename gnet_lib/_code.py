"""What a Python function does and uses, in words that are the same in every process.

A name says little: a notebook defines ``class Net`` again with another ``forward``, and two
lambdas are both called ``<lambda>``. What Python made of the source says all: its
instructions, with constants and names. They hold no comments, docstrings or line numbers.
"""

import dis
import functools
import inspect
import sys
import sysconfig
import types
import zlib
from contextlib import suppress
from typing import Any


def checksum(content: bytes | memoryview | str) -> str:
    """Eight hexadecimal digits that other content would hardly share."""
    data = content.encode() if isinstance(content, str) else content
    return f"{zlib.crc32(data):08x}"


# --- where it comes from -----------------------------------------------------------------


def is_installed(value: Any) -> bool:
    """Whether a function or class comes from Python, from this library or another package."""
    module = getattr(value, "__module__", None) or "__main__"
    if module == "__main__":
        return False
    if module.partition(".")[0] in {"torch", "torchvision", "gnet_lib"}:
        return True
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None:
        return module in sys.builtin_module_names
    standard = sysconfig.get_path("stdlib")
    return file.startswith(standard) or "site-packages" in file or "dist-packages" in file


def class_name(kind: type) -> str:
    """The bare name of a layer of PyTorch's, of this library's or your own class, else the full."""
    bare = ("torch.nn.modules.", "gnet_lib.", "builtins")
    if kind.__module__.startswith(bare) or not is_installed(kind):
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"


# --- what it does ------------------------------------------------------------------------


def code_of(function: types.FunctionType) -> str:
    """The checksum of what a function does, with the Python whose instructions they are."""
    steps = [f"{step} {_constant(value)}" for step, value in _instructions(function.__code__)]
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return f"code {checksum(repr(steps))}, Python {python}"


def _instructions(code: types.CodeType) -> list[tuple[str, Any]]:
    """What a function does step by step, then what the functions within it do."""
    steps = [(each.opname, each.argval) for each in dis.get_instructions(code)]
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            steps += _instructions(constant)
    return steps


def _constant(value: Any) -> str:
    if isinstance(value, types.CodeType):  # its steps follow
        return value.co_name
    if isinstance(value, frozenset):  # its order differs from process to process
        return repr(sorted(map(repr, value)))
    return repr(value)


# --- what it uses ------------------------------------------------------------------------


def used_by(function: types.FunctionType) -> dict[str, Any]:
    """What a function takes from its module or notebook, and from the function around it.

    What it sets there itself, such as a counter, is its memory and left out. So is the module
    around a function of an installed package.
    """
    code, used = function.__code__, {}
    steps = _instructions(code)
    if not is_installed(function):
        read = {name for step, name in steps if step in ("LOAD_GLOBAL", "LOAD_NAME")}
        found = sorted(read & function.__globals__.keys())
        used = {name: function.__globals__[name] for name in found}
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        with suppress(ValueError):  # Python's own, for a cell that is still empty
            used[name] = cell.cell_contents
    memory = {name for step, name in steps if step in ("STORE_GLOBAL", "STORE_DEREF")}
    return {name: value for name, value in used.items() if name not in memory}


@functools.cache
def set_when_called(kind: type) -> frozenset[str]:
    """The attributes that an object sets when it is called: its memory, not its settings."""
    called = [vars(each).get(name) for each in kind.__mro__ for name in ("__call__", "forward")]
    codes = [
        inspect.unwrap(each).__code__ for each in called if isinstance(each, types.FunctionType)
    ]
    return frozenset(
        name for code in codes for step, name in _instructions(code) if step == "STORE_ATTR"
    )
