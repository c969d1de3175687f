"""The reference is read without torch and the others: what it shows is what they would give."""

import json
import subprocess
import sys

from conftest import BOOK, ROOT

# Everything that the reference may show of an object: its signature and, of a class, its bases,
# written as Sphinx writes them.
SHOWN = """
import importlib, inspect, json, sys
from pathlib import Path
from sphinx.util.inspect import signature, stringify_signature

def text(thing):
    try:
        return stringify_signature(signature(thing), unqualified_typehints=True)
    except ValueError:
        return None

def shown(thing):
    if not inspect.isclass(thing):
        return text(thing)
    own = {name: text(part) for name, part in vars(thing).items() if inspect.isfunction(part)}
    bases = [f"{base.__module__}.{base.__qualname__}" for base in thing.__bases__]
    return [text(thing) if "__init__" in vars(thing) else None, bases, own]

found = {}
for path in sorted(Path("gnet_lib").glob("[!_]*.py")):
    room = importlib.import_module(f"gnet_lib.{path.stem}")
    for name, thing in vars(room).items():
        if getattr(thing, "__module__", None) == room.__name__ and not name.startswith("_"):
            found[f"{path.stem}.{name}"] = shown(thing)
print(json.dumps([found, "torch" in sys.modules]))
"""


def what_is_shown(before=""):
    """Name and looks of everything in the library, and whether torch was imported."""
    path = f"import sys; sys.path[:0] = [{str(BOOK / '_ext')!r}, '.']\n"
    command = [sys.executable, "-c", path + before + SHOWN]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_stand_ins_change_nothing_that_a_page_shows():
    real, torch_is_there = what_is_shown()
    assert torch_is_there and "inception.Inception" in real
    replaced, torch_is_there = what_is_shown("import gnet_stand_ins; gnet_stand_ins.read_library()\n")
    assert not torch_is_there
    assert replaced == real
