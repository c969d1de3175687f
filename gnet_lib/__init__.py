"""gnet_lib: the small library behind the book on GoogLeNet (arXiv 1409.4842).

One room a purpose: ``records`` (what was measured once and kept), ``paper`` (the table),
``design`` (what a module consists of), ``shapes`` (layer by layer), ``inception`` (the
modules), ``googlenet`` (whole networks), ``variants`` (the notes' and torchvision's network),
``cost`` (what they cost), ``timing`` (theory against stopwatch), ``device`` (where to compute,
and the seed), ``data`` (images and their labels), ``augmentation`` (what changes a batch),
``fashion_mnist`` (the book's data set), ``history`` (what training reports), ``identity`` (what
a run is), ``optimizers`` (Muon, and the one-cycle learning rate), ``checkpoint`` (Ctrl-C and
exact resume), ``safeguards`` (what watches over a run), ``evaluation`` (the loss, and how good
the answers are), ``training`` (fit), ``diagnostics`` (first weights, signal and gradient, row
by row), ``plots`` (every figure of the book), ``explorer`` (a module with sliders) and
``exercises`` (checkers of a reader's answers).

A name is looked up in its room when it is first used, so that importing the library
stays quick. Which room that is, the table in ``__init__.pyi`` says.
"""

# An old Python cannot read every annotation; so `python -m gnet_lib` gets as far as saying so.
from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path

__version__ = "0.1.0"

_TABLE = ast.parse(Path(__file__).with_name("__init__.pyi").read_text(encoding="utf-8"))
_HOMES = {
    name.name: line.module  # "gnet_lib" itself is the home of a room
    for line in _TABLE.body
    if isinstance(line, ast.ImportFrom) and line.module
    for name in line.names
}

__all__ = list(_HOMES)  # pyright: ignore[reportUnsupportedDunderAll]: it reads the stub


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"gnet_lib has no {name!r}; it has: {', '.join(sorted(__all__))}")
    if _HOMES[name] == __name__:
        return import_module(f"{__name__}.{name}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
