"""What is installed: the wheel's files, its dependencies, and versions that agree."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile

import gnet_lib
import pytest
import yaml
from conftest import ROOT
from packaging.requirements import Requirement
from packaging.version import Version

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
RANGES = {requirement.name: requirement for requirement in map(Requirement, PROJECT["dependencies"])}
EXTRAS = {
    requirement.name: requirement
    for texts in PROJECT["optional-dependencies"].values()
    for requirement in map(Requirement, texts)
}
PINS = {
    requirement.name: requirement
    for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    if (text := line.partition("#")[0].strip())
    for requirement in [Requirement(text)]
}
# What a Colab runtime holds without our doing (Python 3.12, November 2026).
COLAB = {"torch": "2.11", "torchvision": "0.26", "matplotlib": "3.10", "numpy": "2.0", "pandas": "2.2", "tqdm": "4.66", "altair": "5.5"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy: a build leaves folders behind that a later one would pack."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    for name in ("gnet_lib", "book", "tests", "tools"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("*.pyc"))
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run([*command, "--wheel-dir", str(folder), str(source)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    (path,) = folder.glob("*.whl")
    return path


def test_wheel_holds_the_library_and_nothing_else(wheel):
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    wanted = [*(ROOT / "gnet_lib").glob("*.py"), ROOT / "gnet_lib/py.typed", *(ROOT / "gnet_lib/sample").iterdir()]
    assert names == {path.relative_to(ROOT).as_posix() for path in wanted if path.is_file()}


def test_wheel_carries_licence_and_version(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert wheel.name == f"gnet_lib-{gnet_lib.__version__}-py3-none-any.whl"
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_versions_agree():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert PROJECT["version"] == gnet_lib.__version__ == citation["version"]


def test_library_changes_nothing_in_colab():
    assert set(RANGES) - set(COLAB) == {"torchinfo"}
    ranges = RANGES | EXTRAS
    refused = [name for name, version in COLAB.items() if name in ranges and version not in ranges[name].specifier]
    assert not refused


def test_pins_lie_in_the_library_ranges():
    ranges = RANGES | EXTRAS
    assert set(ranges) <= set(PINS)
    for name, requirement in PINS.items():
        (pin,) = requirement.specifier
        assert pin.operator == "==" and Version(pin.version) in ranges.get(name, Requirement(name)).specifier, requirement


def test_jupyter_book_is_of_the_first_line():
    (pin,) = PINS["jupyter-book"].specifier
    assert Version("1.0.4") <= Version(pin.version) < Version("2")


def test_every_import_is_declared():
    """What the library imports is standard, its own, or a dependency (an extra's, too)."""
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "gnet_lib").glob("*.py"))
    imported = set(re.findall(r"^\s*(?:from|import) ([a-z_A-Z]\w*)", sources, re.MULTILINE))
    # IPython is there whenever a figure is shown in a notebook, and is imported only then.
    assert imported - set(sys.stdlib_module_names) - {"gnet_lib", "IPython"} - set(RANGES) - set(EXTRAS) == set()
