"""Tests of `python -m gnet_lib`, the environment check.

One test runs it for real. The others break one thing each and read the lines.
"""

import ast
import platform
import re
import subprocess
import sys
import tomllib
import warnings
from types import ModuleType

import pytest
import torch
from conftest import ROOT
from torch import nn

import gnet_lib
from gnet_lib import __main__ as check
from gnet_lib import fashion_mnist, googlenet


@pytest.fixture(autouse=True)
def quick_and_offline(monkeypatch, tmp_path):
    """No network, no data of this computer, and a training step that takes no time."""
    monkeypatch.delenv("GNET_DATA", raising=False)
    for variable in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.setattr(fashion_mnist, "DEBIAN_FOLDER", tmp_path / "debian")
    monkeypatch.setattr(fashion_mnist, "MIRRORS", ("http://127.0.0.1:9/",))
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(check, "TRAINING_STEPS", 3)
    monkeypatch.setattr(check, "TRAINING_IMAGES", 20)
    monkeypatch.setattr(gnet_lib, "pick_device", lambda: torch.device("cpu"))


class TinyNetwork(nn.Module):
    """Takes the place of MiniGoogLeNet where its speed is not the question."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 10))

    def forward(self, images):
        return self.layers(images)


@pytest.fixture
def tiny_network(monkeypatch):
    monkeypatch.setattr(googlenet, "MiniGoogLeNet", TinyNetwork)


def run(capsys) -> tuple[int, list[str]]:
    status = check.main()
    return status, capsys.readouterr().out.splitlines()


def lines_with(lines: list[str], mark: str) -> list[str]:
    return [line for line in lines if line.startswith(mark)]


def assert_only_problem(capsys, problem: str, to_do: str) -> list[str]:
    """There is one problem; these expressions fit it and the advice below it."""
    status, lines = run(capsys)
    assert status == 1
    (line,) = lines_with(lines, "[problem]")
    assert re.search(problem, line), line
    advice = lines[lines.index(line) + 1]
    assert re.search(f"^ +what to do: .*{to_do}", advice), advice
    assert lines[-1].startswith("One problem: ")
    return lines


# --- all is well -------------------------------------------------------------------------


def test_real_run(capsys, monkeypatch):
    monkeypatch.undo()  # the data of this computer
    monkeypatch.setattr(check, "TRAINING_STEPS", 4)
    monkeypatch.setattr(check, "TRAINING_IMAGES", 50)
    monkeypatch.setattr(check, "TRAINING_SECONDS", 300)  # however busy this computer is
    status, lines = run(capsys)
    assert status == 0, lines
    oks = "\n".join(lines_with(lines, "[ok]"))
    assert f"Python {platform.python_version()}\n" in oks
    assert f"torch {torch.__version__}\n" in oks
    for name in (*check.OLDEST_VERSIONS, "device"):
        assert f"[ok]       {name} " in oks
    assert "data: Real Fashion-MNIST, MD5 verified" in oks, "`make data` gets the real data"
    found = re.search(r"fell from ([\d.]+) to ([\d.]+) in 4 steps, [\d,]+ images/s", oks)
    assert found
    assert 1.5 < float(found[1]) < 3.5  # about log(10) = 2.3 before training
    assert float(found[2]) < float(found[1])
    assert lines[-1] == "Everything works: the book's chapters will run on this computer."


def test_sample_is_a_note_and_no_problem(capsys, tiny_network):
    status, lines = run(capsys)
    assert status == 0
    notes = lines_with(lines, "[note]")
    assert "Only the SAMPLE" in notes[0] and "the download failed" in notes[0]
    # That these are the chapters which do so, test_without_data.py says.
    assert "chapters 6 and 8 run on the sample" in notes[1] and "chapter 7 stops" in notes[1]
    assert "sudo apt-get install dataset-fashion-mnist" in notes[2]
    assert len(notes) == 3
    assert lines[-1] == "Everything works, but for what the notes above say."


# --- options -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "option, status, said",
    [
        ("--help", 0, "usage: python -m gnet_lib [-h] [--version]"),
        ("--version", 0, f"gnet_lib {gnet_lib.__version__}\n"),
        ("--foo", 2, "unrecognized arguments: --foo"),
        ("foo", 2, "unrecognized arguments: foo"),
    ],
)
def test_options_do_not_run_the_check(option, status, said):
    done = subprocess.run(
        [sys.executable, "-m", "gnet_lib", option], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == status
    assert said in done.stdout + done.stderr
    assert "[ok]" not in done.stdout


# --- packages ----------------------------------------------------------------------------


def test_old_python(capsys, monkeypatch, tiny_network):
    monkeypatch.setattr(check, "OLDEST_PYTHON", (9, 1))
    version = re.escape(platform.python_version())
    assert_only_problem(capsys, f"Python {version} is too old", r"install Python 9\.1")


@pytest.mark.parametrize("name", ["__init__.py", "__main__.py"])
def test_an_old_python_gets_as_far_as_the_check(name):
    """Python 3.8 can read the two files it meets first, annotations and all."""
    source = (ROOT / "gnet_lib" / name).read_text(encoding="utf-8")
    tree = ast.parse(source, feature_version=(3, 8))
    first = next(node for node in tree.body if not isinstance(node, ast.Expr))
    assert isinstance(first, ast.ImportFrom) and first.module == "__future__"
    assert [alias.name for alias in first.names] == ["annotations"]


@pytest.mark.parametrize("name", list(check.OLDEST_VERSIONS))
def test_missing_package(capsys, monkeypatch, name):
    real_import = check.importlib.import_module

    def without_it(wanted):
        if wanted == name:
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)
        return real_import(wanted)

    monkeypatch.setattr(check.importlib, "import_module", without_it)
    # these two are always installed together, because they must match
    pair = ("torch", "torchvision")
    to_install = " ".join(pair) if name in pair else name
    lines = assert_only_problem(capsys, f"{name} is not installed", f"pip install {to_install}$")
    # what needs the packages is not tried, and the check says so
    assert "[note]     device, data and training are checked when this is solved" in lines
    assert not any("training: " in line for line in lines)


@pytest.mark.parametrize(
    "name, lost, to_install",
    [
        ("IPython", "figure", "IPython"),
        ("altair", "chapter 4", "altair"),
        ("skimage", "Your own pictures", "scikit-image"),
    ],
)
def test_a_package_that_one_room_needs_is_a_note(
    capsys, monkeypatch, tiny_network, name, lost, to_install
):
    monkeypatch.setitem(sys.modules, name, None)
    status, lines = run(capsys)
    assert status == 0
    (note,) = [line for line in lines_with(lines, "[note]") if "cannot be imported" in line]
    assert note.startswith(f"[note]     {name} ") and note.endswith(f": pip install {to_install}")
    assert lost in note


def test_no_torch_at_all_is_no_traceback():
    # in a process of its own, because this one has imported torch long ago
    code = (
        "import runpy, sys; sys.modules['torch'] = None; "
        "runpy.run_module('gnet_lib', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1
    assert "[problem]  torch is not installed" in done.stdout
    assert done.stderr == ""


def test_package_that_lacks_a_package_of_its_own(capsys, monkeypatch, tmp_path):
    (tmp_path / "torchinfo.py").write_text("import something_it_needs\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "torchinfo", raising=False)
    assert_only_problem(
        capsys, "something_it_needs is not installed", "pip install something_it_needs"
    )


@pytest.mark.parametrize(
    "version, is_enough",
    [
        ("1.7.9", False),
        ("0.21", False),  # 21 is more than 8, but 0 is less than 1
        ("1.8", True),
        ("1.14.1+cpu", True),  # 14 is more than 8
        ("10.0", True),
    ],
)
def test_version_of_a_package(capsys, monkeypatch, tiny_network, version, is_enough):
    changed = ModuleType("torchinfo")
    vars(changed)["__version__"] = version
    monkeypatch.setitem(sys.modules, "torchinfo", changed)
    if is_enough:
        status, lines = run(capsys)
        assert status == 0 and f"[ok]       torchinfo {version}" in lines
    else:
        problem = rf"torchinfo {re.escape(version)} is too old \(1\.8 is needed\)"
        assert_only_problem(capsys, problem, 'pip install --upgrade "torchinfo>=1.8"')


def test_torchvision_that_does_not_match_at_its_import(capsys, monkeypatch, tmp_path):
    package = tmp_path / "torchvision"
    package.mkdir()
    (package / "__init__.py").write_text(
        "raise RuntimeError('operator torchvision::nms does not exist')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        monkeypatch.delitem(sys.modules, name)
    assert_only_problem(
        capsys,
        r"torchvision cannot be used \(operator torchvision::nms does not exist\)",
        "same place.*pip install --force-reinstall torch torchvision.*CPU build",
    )


def test_torchvision_that_does_not_match_in_use(capsys, monkeypatch):
    import torchvision

    def fails(*arguments, **options):
        raise RuntimeError("Couldn't load custom C++ ops.\nThis can happen if ...")

    monkeypatch.setattr(torchvision.ops, "nms", fails)
    assert_only_problem(
        capsys, r"torchvision cannot be used \(Couldn't load custom C\+\+ ops\.\)", "same place"
    )


def test_package_whose_library_cannot_be_loaded(capsys, monkeypatch):
    def broken(name):
        raise OSError("libcudart.so: cannot open shared object file")

    monkeypatch.setattr(check.importlib, "import_module", broken)
    status, lines = run(capsys)
    assert status == 1
    assert len(lines_with(lines, "[problem]")) == len(check.OLDEST_VERSIONS)
    assert "[problem]  torch cannot be used (libcudart.so" in "\n".join(lines)
    assert lines[-1].startswith(f"{len(check.OLDEST_VERSIONS)} problems: ")


def test_bounds_are_those_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    bounds = dict(line.split(">=") for line in project["dependencies"])
    assert bounds == check.OLDEST_VERSIONS
    oldest_python = ".".join(map(str, check.OLDEST_PYTHON))
    assert project["requires-python"] == f">={oldest_python}"


# --- device, data, training --------------------------------------------------------------


def test_device_says_which_and_why(capsys, monkeypatch):
    check.check_device()
    assert re.search(
        r"device cpu \(no usable GPU was found; \d+ processor threads", capsys.readouterr().out
    )
    monkeypatch.setattr(gnet_lib, "pick_device", lambda: torch.device("mps"))
    check.check_device()
    assert "device mps (the GPU of this Apple computer)" in capsys.readouterr().out
    monkeypatch.setattr(gnet_lib, "pick_device", lambda: torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Example GPU")
    check.check_device()
    assert "device cuda (an NVIDIA or AMD GPU: Example GPU)" in capsys.readouterr().out


def test_warning_of_the_device_is_a_note_shown_once(capsys, monkeypatch, tiny_network):
    def falls_back():
        warnings.warn("the GPU does not answer", stacklevel=2)
        return torch.device("cpu")

    monkeypatch.setattr(gnet_lib, "pick_device", falls_back)
    status, lines = run(capsys)
    assert status == 0
    assert lines.count("[note]     the GPU does not answer") == 1


def test_named_folder_without_data(capsys, monkeypatch, tmp_path, tiny_network):
    monkeypatch.setenv("GNET_DATA", str(tmp_path / "absent"))
    assert_only_problem(
        capsys,
        "Fashion-MNIST cannot be loaded",
        "GNET_DATA must name a folder with the four files.*unset the environment variable",
    )


def test_damaged_data(capsys, monkeypatch, tmp_path, tiny_network):
    monkeypatch.setenv("GNET_DATA", str(tmp_path))
    for name in fashion_mnist.FULL_MD5:
        (tmp_path / f"{name}.gz").write_bytes(b"damaged")
    assert_only_problem(capsys, "Fashion-MNIST cannot be loaded", "is damaged: .* Put a fresh copy")


class NotANumber(TinyNetwork):
    def forward(self, images):
        return super().forward(images) * float("nan")


class LearnsNothing(TinyNetwork):
    def forward(self, images):
        return super().forward(images) * 0


class OutOfMemory(TinyNetwork):
    def forward(self, images):
        raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 2 GiB")


@pytest.mark.parametrize(
    "network, problem, to_do",
    [
        (NotANumber, "did not learn: its loss went from nan to nan", "calculates wrongly"),
        (LearnsNothing, r"loss went from 2\.303 to 2\.303 in 3 steps", "calculates wrongly"),
        (OutOfMemory, r"stopped \(CUDA out of memory\.\)", "close other programs"),
    ],
)
def test_training_that_fails(capsys, monkeypatch, network, problem, to_do):
    monkeypatch.setattr(googlenet, "MiniGoogLeNet", network)
    assert_only_problem(capsys, problem, to_do)


def test_training_stops_early_on_a_slow_computer(capsys, monkeypatch, tiny_network):
    monkeypatch.setattr(check, "TRAINING_STEPS", 1000)
    monkeypatch.setattr(check, "TRAINING_SECONDS", 0)
    check.check_training()
    # two steps, so that there is something to compare
    assert re.search(r"fell .* in 2 steps, [\d,]+ images/s", capsys.readouterr().out)
