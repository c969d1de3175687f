"""The reference is read without torch and the others: what it shows is what they would give."""

import json
import subprocess
import sys

from conftest import BOOK, ROOT

# Everything that the reference may show of an object: its signature and, of a class, its bases,
# written as Sphinx writes them.
SHOWN = """
import importlib, inspect, json, re, sys
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
for page in Path("book/api").glob("*.md"):
    pattern = r"auto(?:class|exception|function):: (gnet_lib\\.\\w+)\\.(\\w+)"
    for room, name in re.findall(pattern, page.read_text()):
        found[name] = shown(getattr(importlib.import_module(room), name))
imported = {name.partition(".")[0] for name in sys.modules}
print(json.dumps([found, sorted(imported & {"altair", "matplotlib", "numpy", "pandas", "torch"})]))
"""


def what_is_shown(before=""):
    """Name and looks of everything in the library, and which large packages were imported."""
    path = f"import sys; sys.path[:0] = [{str(BOOK / '_ext')!r}, '.']\n"
    command = [sys.executable, "-c", path + before + SHOWN]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_stand_ins_change_nothing_that_a_page_shows():
    real, imported = what_is_shown()
    assert {"matplotlib", "torch"} <= set(imported) and "Inception" in real
    with_stand_ins = "import gnet_stand_ins; gnet_stand_ins.read_library()\n"
    replaced, imported = what_is_shown(with_stand_ins)
    assert not imported
    assert replaced == real
