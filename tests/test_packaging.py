"""What is installed and what stands around it: wheel, dependencies, README, licences, citation."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata

import draw_figures
import nbformat
import pytest
import yaml
from conftest import BOOK, ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from test_notebooks import NOTEBOOKS, code_cells, parsed, read

import gnet_lib
from gnet_lib import explorer, plots
from gnet_lib.__main__ import NAMES_FOR_PIP, WITHOUT_PACKAGE

TABLES = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = TABLES["project"]
LAYERS = TABLES["tool"]["importlinter"]["contracts"][0]["layers"]  # from the top down
RANGES = {
    requirement.name: requirement for requirement in map(Requirement, PROJECT["dependencies"])
}
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
COLAB = {
    "torch": "2.11",
    "torchvision": "0.26",
    "matplotlib": "3.10",
    "numpy": "2.0",
    "pandas": "2.2",
    "tqdm": "4.66",
    "altair": "5.5",
    "scikit-image": "0.25",
}


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
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
    ]
    done = subprocess.run(
        [*command, "--wheel-dir", str(folder), str(source)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (path,) = folder.glob("*.whl")
    return path


def test_wheel_holds_the_library_and_nothing_else(wheel):
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    files = [path for path in (ROOT / "gnet_lib").rglob("*") if path.is_file()]
    wanted = [path for path in files if path.parent.name != "__pycache__"]
    assert names == {path.relative_to(ROOT).as_posix() for path in wanted}
    # what no other file of the library names
    assert {"gnet_lib/py.typed", "gnet_lib/__init__.pyi", "gnet_lib/sample/LICENSE"} <= names


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
    refused = [
        name
        for name, version in COLAB.items()
        if name in ranges and version not in ranges[name].specifier
    ]
    assert not refused


def test_pins_lie_in_the_library_ranges():
    ranges = RANGES | EXTRAS
    assert set(ranges) <= set(PINS)
    for name, requirement in PINS.items():
        (pin,) = requirement.specifier
        assert (
            pin.operator == "=="
            and Version(pin.version) in ranges.get(name, Requirement(name)).specifier
        ), requirement


# --- what is locked -------------------------------------------------------------------

GROUPS = TABLES["dependency-groups"]
LOCK_TEXT = (ROOT / "uv.lock").read_text(encoding="utf-8")
LOCKED = {
    (package["name"], package["version"])
    for package in tomllib.loads(LOCK_TEXT)["package"]
    if "registry" in package["source"]
}


def test_every_pin_is_locked():
    named = [
        Requirement(line) for lines in GROUPS.values() for line in lines if isinstance(line, str)
    ]
    assert named
    for requirement in named:
        (pin,) = requirement.specifier
        name = canonicalize_name(requirement.name)
        assert pin.operator == "==" and (name, pin.version) in LOCKED, requirement


def test_the_lock_names_no_host_but_the_public_index():
    """Whoever locks with a mirror of their own would lock everybody else to it."""
    hosts = {"https://pypi.org/simple", "https://files.pythonhosted.org/packages"}
    addresses = re.findall(r'"(https?://[^"]+)"', LOCK_TEXT)
    assert addresses and not [one for one in addresses if not one.startswith(tuple(hosts))]


def test_requirements_are_made_from_the_lock():
    """The file says how it was made; made so again, it is the same."""
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    (options,) = re.findall(
        r"^#    uv export (.*) --output-file requirements\.txt$", text, re.MULTILINE
    )
    command = [sys.executable, "-m", "uv", "export", "--offline", "--quiet", *options.split()]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    without_comments = re.compile(r"^#.*\n", re.MULTILINE)
    assert without_comments.sub("", done.stdout) == without_comments.sub("", text)


def test_jupyter_book_is_of_the_first_line():
    (pin,) = PINS["jupyter-book"].specifier
    assert Version("1.0.4") <= Version(pin.version) < Version("2")


def imported_packages(tree):
    """The packages that a file imports when it runs, at its top or inside of a function."""
    found, todo = set(), [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            found |= {name.name.partition(".")[0] for name in node.names}
        if isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
        todo.extend(ast.iter_child_nodes(node))
    return found - set(sys.stdlib_module_names) - {"gnet_lib"}


def test_every_import_is_declared():
    """In library and chapters: a dependency, or a package that `python -m gnet_lib` would miss.

    Pillow, which is imported as PIL, is a dependency of torchvision, without any extra.
    """
    files = (ROOT / "gnet_lib").rglob("*.py")
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in files]
    cells = [cell for path in NOTEBOOKS for cell in code_cells(read(path))]
    imported = set().union(*map(imported_packages, [*trees, *map(parsed, cells)]))
    assert imported - {"PIL"} == set(RANGES) | set(WITHOUT_PACKAGE)
    assert set(EXTRAS) <= {NAMES_FOR_PIP.get(name, name) for name in WITHOUT_PACKAGE}
    brought = map(Requirement, metadata.requires("torchvision") or [])
    assert any(each.name == "pillow" and each.marker is None for each in brought)


@pytest.mark.parametrize(
    "name, use",
    [
        ("IPython", lambda: plots.show(plots.break_even_dots())),
        ("IPython", lambda: explorer.module_explorer()),
        ("altair", lambda: explorer.module_explorer()),
        ("altair", lambda: explorer.explorer_chart()),
    ],
)
def test_a_missing_package_is_said_with_what_to_do(monkeypatch, name, use):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ModuleNotFoundError, match=f"{name}, .* pip install {name}$"):
        use()


# --- what a visitor of the repository reads -------------------------------------------

README = (ROOT / "README.md").read_text(encoding="utf-8")
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


def chapter(name):
    """All Markdown of a chapter."""
    cells = nbformat.read(BOOK / f"{name}.ipynb", as_version=4).cells
    return "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def test_first_screen_of_the_readme():
    """Title, picture and the two commands come before everything else, in at most 30 lines."""
    first = README.split("## Read, run")[0]
    assert first.startswith(f"# {CITATION['title']}\n") and len(first.splitlines()) <= 30
    assert (
        "make book" in first
        and "make test" in first
        and 'src="book/images/inception_3a.svg"' in first
    )


def test_readme_says_what_the_chapters_say():
    cheap = chapter("01_why_cheaply")
    assert "8.7 times fewer parameters" in README and "8.7 times fewer parameters" in cheap
    assert "2.2 times *more* arithmetic" in README and "2.2 times *more* arithmetic" in cheap
    assert "**90 % in half a minute.**" in README
    assert "# 8. Training: 90 % in half a minute" in chapter("08_training")
    assert "**Twelve bugs**" in README and chapter("spot_the_bug").count("### Puzzle ") == 12


def test_readme_links_and_commands_exist():
    targets = re.findall(r"\]\(([\w./-]+)\)|(?:src|srcset)=\"([^\"]+)\"", README)
    files = [one or other for one, other in targets]
    assert len(files) >= 6 and all((ROOT / file).is_file() for file in files)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    commands = set(re.findall(r"\bmake ([a-z]+)\b", README))
    assert {"book", "test", "serve", "handout"} <= commands
    assert all(re.search(rf"^{command}:", makefile, re.MULTILINE) for command in commands)


def test_readme_example_runs():
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names = {}
    exec(compile(example, "README.md", "exec"), names)
    assert names["module"].out_channels == 256 and names["logits"].shape == (1, 1000)


def test_contributing_names_every_room():
    listed = re.findall(
        r"^\| `gnet_lib/(\w+)(?:\.py|/)` \|",
        (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    rooms = [*(ROOT / "gnet_lib").glob("*.py"), *(ROOT / "gnet_lib").glob("*/__init__.py")]
    names = [path.parent.name if path.stem == "__init__" else path.stem for path in rooms]
    assert sorted(listed) == sorted(set(names) - {"gnet_lib", "__main__"})
    floors = {
        room: floor
        for floor, rooms in enumerate(reversed(LAYERS))
        for room in re.findall(r"\w+", rooms)
    }
    assert listed == sorted(listed, key=lambda room: floors[room]), "a room above what it imports"


def test_pins_of_the_readme_are_those_of_the_requirements():
    named = dict(re.findall(r"\b(torch|torchvision)==([\d.]+)", README))
    assert named == {
        name: next(iter(PINS[name].specifier)).version for name in ("torch", "torchvision")
    }


@pytest.mark.parametrize("name", draw_figures.FIGURES)
def test_picture_is_as_the_code_draws_it(name):
    assert (BOOK / "images" / name).read_bytes() == draw_figures.FIGURES[name]()


def test_citation_has_what_its_format_requires():
    assert CITATION["cff-version"] == "1.2.0"
    assert {"title", "message", "authors", "license", "date-released"} <= set(CITATION)
    for work in (CITATION, *CITATION["references"]):
        assert work["title"] and all(
            "name" in author or "family-names" in author for author in work["authors"]
        )


def test_citation_and_bibliography_agree():
    bibliography = (
        (BOOK / "references.bib")
        .read_text(encoding="utf-8")
        .replace("{Fashion-{MNIST}", "{Fashion-MNIST")
    )
    for work in CITATION["references"]:
        assert f"{{{work['title']}}}" in bibliography and f"{{{work['year']}}}" in bibliography
        assert all(author["family-names"] in bibliography for author in work["authors"])


def test_licence_names_every_part_of_others():
    """Each folder with a licence file stands in LICENSE, and each file named there exists."""
    licence = (ROOT / "LICENSE").read_text(encoding="utf-8")
    named = re.findall(r"\b((?:book|gnet_lib)/[\w./-]*LICENSE[-\w]*\*?)", licence)
    found = {path for pattern in named for path in ROOT.glob(pattern)}
    wanted = {path for folder in ("book", "gnet_lib") for path in (ROOT / folder).rglob("LICENSE*")}
    assert found == wanted and all(next(ROOT.glob(pattern), None) for pattern in named)
    assert "MIT License" in licence and "CC BY 4.0" in licence
