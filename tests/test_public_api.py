"""Tests of what ``import gnet_lib`` offers, and of how quickly it does."""

import inspect
import json
import subprocess
import sys
from importlib import import_module

import gnet_lib
import pytest
from conftest import ROOT

ROOMS = (
    "paper", "inception", "googlenet", "variants", "cost", "roofline", "data", "device", "history",
    "checkpoint", "safeguards", "training", "diagnostics", "records", "plots", "explorer", "exercises",
)  # fmt: skip
HEAVY = (
    "torch",
    "pandas",
    "matplotlib",
    "torchvision",
    "torchinfo",
    "numpy",
    "tqdm",
    "IPython",
    "altair",
)


def in_a_fresh_python(code: str):
    """What ``code`` prints, as JSON, in an interpreter that has imported nothing."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_import_is_quick_and_brings_nothing_heavy():
    seconds, loaded = in_a_fresh_python(
        "import json, sys, time\n"
        "start = time.perf_counter()\n"
        "import gnet_lib\n"
        "print(json.dumps([time.perf_counter() - start, list(sys.modules)]))"
    )
    assert not set(HEAVY).intersection(loaded)
    assert not [name for name in loaded if name.startswith("gnet_lib.")]
    assert seconds < 0.5


def test_the_table_needs_no_torch():
    loaded = in_a_fresh_python(
        "import json, sys\n"
        "from gnet_lib import WIDTHS\n"
        "from gnet_lib.paper import layer_shapes, TABLE_1\n"
        "list(layer_shapes(TABLE_1))\n"
        "print(json.dumps(list(sys.modules)))"
    )
    assert not set(HEAVY).intersection(loaded)


def test_networks_bring_no_tables_and_no_figures():
    loaded = in_a_fresh_python(
        "import json, sys\n"
        "from gnet_lib import GoogLeNet, conv_cost, evaluate, load_fashion_mnist\n"
        "print(json.dumps(list(sys.modules)))"
    )
    assert "torch" in loaded
    assert not {"pandas", "matplotlib", "torchvision", "torchinfo"}.intersection(loaded)


@pytest.mark.parametrize("name", gnet_lib.__all__)
def test_every_name_resolves(name):
    value = getattr(gnet_lib, name)
    if name in ROOMS:
        assert value is import_module(f"gnet_lib.{name}")
    elif inspect.isfunction(value) or inspect.isclass(value):
        assert value.__name__ == name
        assert value.__module__.startswith("gnet_lib.")


def test_names_are_listed_once_and_rooms_are_all_there():
    assert len(set(gnet_lib.__all__)) == len(gnet_lib.__all__)
    assert set(ROOMS) <= set(gnet_lib.__all__)
    assert not [name for name in gnet_lib.__all__ if name.startswith("_")]
    files = {
        path.stem for path in (ROOT / "gnet_lib").glob("*.py") if not path.stem.startswith("_")
    }
    assert files <= set(gnet_lib.__all__), "a room that the library does not offer"


def test_star_import_and_dir():
    names = {}
    exec("from gnet_lib import *", names)
    assert set(gnet_lib.__all__) <= set(names)
    assert dir(gnet_lib) == sorted(gnet_lib.__all__)


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(
        AttributeError, match="gnet_lib has no 'Inceptoin'; it has: .*Inception, .*WIDTHS"
    ) as caught:
        gnet_lib.Inceptoin
    for name in gnet_lib.__all__:
        assert name in str(caught.value)
    with pytest.raises(ImportError, match="cannot import name 'GoogleNet'"):
        from gnet_lib import GoogleNet  # noqa: F401


def public_of(room: str) -> dict[str, object]:
    """The functions and classes that a room defines under a public name."""
    module = import_module(f"gnet_lib.{room}")
    return {
        name: value for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isfunction(value) or inspect.isclass(value))
        and f"{value.__module__}.".startswith(f"{module.__name__}.")  # or of a file of its own
    }  # fmt: skip


@pytest.mark.parametrize("room", ROOMS)
def test_everything_public_has_a_docstring(room):
    assert len(import_module(f"gnet_lib.{room}").__doc__) > 40
    found = public_of(room)
    assert found
    for name, value in found.items():
        assert own_docstring(value), name


def own_docstring(value) -> str:
    """The docstring that somebody wrote: a dataclass or a named tuple has one by itself."""
    text = value.__dict__.get("__doc__") or "" if inspect.isclass(value) else value.__doc__ or ""
    return "" if text.startswith(f"{value.__name__}(") else text.strip()


@pytest.mark.parametrize("room", ROOMS)
def test_everything_public_is_annotated(room):
    for name, value in public_of(room).items():
        if inspect.isfunction(value):
            for parameter in inspect.signature(value).parameters.values():
                assert parameter.annotation is not inspect.Parameter.empty, (name, parameter.name)
