"""Tests of what ``import gnet_lib`` offers, how quickly it does, and what a type checker sees."""

import dataclasses
import importlib
import inspect
import json
import os
import pkgutil
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from conftest import ROOT

import gnet_lib

LIBRARY = ROOT / "gnet_lib"
FILES = [*LIBRARY.glob("[!_]*.py"), *(file.parent for file in LIBRARY.glob("[!_]*/__init__.py"))]
ROOMS = sorted(file.stem for file in FILES)
NAMES = dir(gnet_lib)
HEAVY = {
    "torch",
    "pandas",
    "matplotlib",
    "torchvision",
    "torchinfo",
    "numpy",
    "tqdm",
    "IPython",
    "altair",
}


def in_a_fresh_python(code: str):
    """What ``code`` prints, as JSON, in an interpreter that has imported nothing."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# --- what is imported, and when ----------------------------------------------------------


def test_import_is_quick_and_brings_nothing_heavy():
    seconds, loaded = in_a_fresh_python(
        "import json, sys, time\n"
        "start = time.perf_counter()\n"
        "import gnet_lib\n"
        "print(json.dumps([time.perf_counter() - start, list(sys.modules)]))"
    )
    assert not HEAVY.intersection(loaded)
    assert not [name for name in loaded if name.startswith("gnet_lib.")]
    assert seconds < 0.5


@pytest.mark.parametrize(
    "imports, absent",
    [
        ("from gnet_lib import TABLE_1, WIDTHS, layer_shapes", HEAVY),
        (
            "from gnet_lib import GoogLeNet, conv_cost, evaluate, load_fashion_mnist",
            {"pandas", "matplotlib", "torchvision", "torchinfo"},
        ),
    ],
)
def test_a_name_brings_only_what_it_needs(imports, absent):
    loaded = in_a_fresh_python(f"import json, sys\n{imports}\nprint(json.dumps(list(sys.modules)))")
    assert not absent.intersection(loaded)


# --- the names ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_every_name_resolves(name):
    value = getattr(gnet_lib, name)
    if name in ROOMS:
        assert value is import_module(f"gnet_lib.{name}")
    elif inspect.isfunction(value) or inspect.isclass(value):
        assert value.__name__ == name
        assert value.__module__.startswith("gnet_lib.")


def test_every_room_is_offered():
    assert {name for name in NAMES if inspect.ismodule(getattr(gnet_lib, name))} == set(ROOMS)
    assert not [name for name in NAMES if name.startswith("_")]


def test_star_import():
    names = {}
    exec("from gnet_lib import *", names)
    assert set(names) - {"__builtins__"} == set(NAMES)


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(AttributeError, match="'Incepton'.* Inception, .* WIDTHS"):
        gnet_lib.Incepton  # noqa: B018 # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(ImportError, match="Incepton"):
        exec("from gnet_lib import Incepton")


# --- what stands on a public name --------------------------------------------------------


def public_of(room: str) -> dict[str, object]:
    """The functions and classes that a room defines under a public name."""
    module = import_module(f"gnet_lib.{room}")
    return {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isfunction(value) or inspect.isclass(value))
        and f"{value.__module__}.".startswith(f"{module.__name__}.")  # or of a file of its own
    }


def own_docstring(value) -> str:
    """The docstring that somebody wrote: a dataclass or a named tuple has one by itself."""
    text = value.__dict__.get("__doc__") or "" if inspect.isclass(value) else value.__doc__ or ""
    return "" if text.startswith(f"{value.__name__}(") else text.strip()


@pytest.mark.parametrize("room", ROOMS)
def test_everything_public_is_documented_and_annotated(room):
    assert len(import_module(f"gnet_lib.{room}").__doc__ or "") > 40
    assert public_of(room)
    for name, value in public_of(room).items():
        assert own_docstring(value), name
        if inspect.isfunction(value):
            for parameter in inspect.signature(value).parameters.values():
                assert parameter.annotation is not inspect.Parameter.empty, (name, parameter.name)


# --- what a type checker sees ------------------------------------------------------------

COURSEWORK = ROOT / "tests" / "coursework.py"
MISTAKES = {
    "call.py": "from gnet_lib import FashionMNIST, MiniGoogLeNet, fit\n\n\n"
    "def train(data: FashionMNIST) -> None:\n"
    '    fit(MiniGoogLeNet(), data.train, epochs="3")\n',
    "assignment.py": "from gnet_lib import pick_device\n\nx: int = pick_device()\n",
    "spelling.py": "from gnet_lib import Incepton\n",
}
FOUND = {("call.py", 5), ("assignment.py", 3), ("spelling.py", 1)}


@pytest.fixture
def students(tmp_path) -> Path:
    """A folder with four files of students, three of them with one mistake each."""
    shutil.copy(COURSEWORK, tmp_path)
    for name, text in MISTAKES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def run_checker(name: str, *arguments: str | Path) -> str:
    """What a type checker says about all files at once, with this library and this Python."""
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    program = shutil.which(name, path=places)
    assert program, f"{name} is not installed; it is one of the tools that `make setup` installs"
    environment = {**os.environ, "MYPYPATH": str(ROOT)}
    return subprocess.run(
        [program, *arguments], capture_output=True, text=True, env=environment
    ).stdout


def test_mypy_finds_the_mistakes_and_nothing_else(students, request):
    """Reading torch takes it half a minute, once; afterwards a second, from its cache."""
    said = run_checker(
        "mypy",
        f"--cache-dir={request.config.cache.mkdir('mypy')}",
        f"--python-executable={sys.executable}",
        "--follow-imports=silent",  # what stands in the library is another check's business
        "--output=json",
        students,
    )
    errors = [json.loads(line) for line in said.splitlines()]
    assert {(Path(error["file"]).name, error["line"]) for error in errors} == FOUND, said


def test_pyright_finds_the_mistakes_and_nothing_else(students):
    """About five seconds."""
    settings = {"extraPaths": [str(ROOT)], "typeCheckingMode": "standard"}
    (students / "pyrightconfig.json").write_text(json.dumps(settings))
    said = run_checker(
        "basedpyright", "--outputjson", "--pythonpath", sys.executable, "--project", students
    )
    errors = json.loads(said)["generalDiagnostics"]
    places = {(Path(e["file"]).name, e["range"]["start"]["line"] + 1) for e in errors}
    assert places == FOUND, said


def test_the_coursework_runs():
    done = subprocess.run(
        [sys.executable, COURSEWORK],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "GNET_DATA": ""},
    )
    assert done.returncode == 0, done.stderr
    assert "small: " in done.stdout and "8.4: " in done.stdout


def test_what_the_library_hands_out_cannot_be_changed():
    """Rows, designs, datasets, results are values; only what a run counts in may change."""
    found = {}
    for room in pkgutil.walk_packages(gnet_lib.__path__, "gnet_lib."):
        if not room.name.endswith("__main__"):
            for name, value in vars(importlib.import_module(room.name)).items():
                if isinstance(value, type) and dataclasses.is_dataclass(value):
                    found[name] = vars(value)["__dataclass_params__"]
    changing = {name for name, parameters in found.items() if not parameters.frozen}
    assert changing == {"History", "Progress", "Settings", "Totals"}
    # Two datasets are the same only if they are one: tensors have no single yes or no for "==".
    assert {name for name, parameters in found.items() if not parameters.eq} == {
        "FashionMNIST",
        "ImageDataset",
    }
