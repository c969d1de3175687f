"""The reference without torch: what the library imports is replaced while its rooms are read.

The pages of the reference show names, signatures and docstrings; nothing is computed. So torch,
matplotlib and the others need not be there, and `make book` installs in seconds what would be
5 GB. (Sphinx's own `autodoc_mock_imports` makes objects, and `Tensor | None` wants classes.)

A test compares every signature with the one that the real packages give.
"""

import importlib
import sys
import tomllib
from collections.abc import MutableSequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

REPLACED = {"altair", "matplotlib", "numpy", "pandas", "torch", "torchinfo", "torchvision", "tqdm"}
BOOK = Path(__file__).resolve().parents[1]
LIBRARY = BOOK.parent / "gnet_lib"


def homes() -> dict[str, str]:
    """Where a class is written, such as "Linear": "torch.nn.modules.linear"; pages say it so."""
    entries = tomllib.loads((BOOK / "_inv/entries.toml").read_text(encoding="utf-8"))["torch"]
    names = [name for listed in entries.values() if isinstance(listed, list) for name in listed]
    return {name.rpartition(".")[2]: name.rpartition(".")[0] for name in names}


HOMES = homes()


class AnyClass(type):
    """A class whose attributes are such classes, too."""

    def __getattr__(cls, name: str) -> "AnyClass":
        return stand_in(name, f"{cls.__module__}.{cls.__qualname__}")

    def __getitem__(cls, parameters: object) -> "AnyClass":
        return cls  # Dataset[int] is a Dataset


def stand_in(name: str, module: str) -> AnyClass:
    """A class for whatever has this name in this module."""
    if name.startswith("__"):
        raise AttributeError(name)
    # As a decorator, such as `@torch.inference_mode()`, it hands back what it is given.
    body = {
        "__module__": HOMES.get(name, module),
        "__init__": lambda self, *arguments, **options: None,
        "__call__": lambda self, given: given,
    }
    return AnyClass(name, (), body)


class StandIn(ModuleType):
    """A module that has every name."""

    __path__: MutableSequence[str] = []

    def __getattr__(self, name: str) -> AnyClass:
        made = stand_in(name, self.__name__)
        setattr(self, name, made)
        return made


class StandIns(MetaPathFinder, Loader):
    """Answers for the replaced packages, before the real ones are looked for."""

    def find_spec(self, fullname, path=None, target=None):
        """A spec for the names of the replaced packages."""
        if fullname.partition(".")[0] in REPLACED:
            return ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec):
        """The module that has every name."""
        return StandIn(spec.name)

    def exec_module(self, module):
        """There is nothing to run."""


def replaced_modules() -> list[str]:
    """What is imported now of the replaced packages."""
    return [name for name in sys.modules if name.partition(".")[0] in REPLACED]


def read_library() -> None:
    """Import every room with stand-ins, and leave the real packages to everybody else."""
    real = {name: sys.modules.pop(name) for name in replaced_modules()}
    finder = StandIns()
    sys.meta_path.insert(0, finder)
    sys.path.insert(0, str(LIBRARY.parent))
    try:
        for path in sorted(LIBRARY.rglob("*.py")):
            name = ".".join(path.relative_to(LIBRARY.parent).with_suffix("").parts)
            importlib.import_module(name.removesuffix(".__init__"))
    finally:
        sys.path.remove(str(LIBRARY.parent))
        sys.meta_path.remove(finder)
        for name in replaced_modules():
            del sys.modules[name]
        sys.modules.update(real)


def setup(app):
    """Read the library before its pages are written."""
    read_library()
    return {"version": "1", "parallel_read_safe": True}
