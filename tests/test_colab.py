"""The set-up cell installs only what is missing, and `make colab` notices what it must notice.

`make colab` itself, which takes its own environment and some minutes, is no part of the tests.
"""

import copy
import re
import subprocess
import sys

import colab
import nbformat
import pytest
from conftest import BOOK, ROOT
from IPython.core.inputtransformer2 import TransformerManager
from nbformat.v4 import new_code_cell, new_notebook, new_output
from packaging.requirements import Requirement
from repository import NOTEBOOK_LINE, current
from test_packaging import COLAB, EXTRAS, RANGES


def set_up_cell():
    """The source of the cell, the same in every chapter (tests/test_notebooks.py)."""
    notebook = nbformat.read(BOOK / "01_why_cheaply.ipynb", as_version=4)
    return next(cell.source for cell in notebook.cells if cell.cell_type == "code")


class Notebook:
    """Stands in for IPython: remembers the magics, and 'installs' the library if it may."""

    def __init__(self, monkeypatch, network=True):
        self.monkeypatch, self.network, self.magics = monkeypatch, network, []

    def run_line_magic(self, name, line):
        self.magics.append((name, line))
        if self.network:
            self.monkeypatch.setitem(sys.modules, "gnet_lib", object())

    def run(self, slug):
        """Run the set-up cell of a book with this address."""
        source = re.sub(r'REPOSITORY = "[^"]+"', f'REPOSITORY = "{slug}"', set_up_cell())
        names = {"get_ipython": lambda: self}
        exec(compile(TransformerManager().transform_cell(source), "set-up cell", "exec"), names)
        return names


@pytest.fixture
def without_library(monkeypatch):
    """Python says of the library that it is not there."""
    monkeypatch.setitem(sys.modules, "gnet_lib", None)


@pytest.mark.parametrize("slug", ["owner/name", "ada/googlenet-book"])
def test_nothing_is_installed_where_the_library_is(monkeypatch, slug):
    notebook = Notebook(monkeypatch, network=False)
    assert notebook.run(slug)["gnet_lib"] is sys.modules["gnet_lib"]
    assert notebook.magics == []


def test_a_missing_library_is_installed_and_nothing_else(monkeypatch, without_library):
    notebook = Notebook(monkeypatch)
    assert "gnet_lib" in notebook.run("ada/googlenet-book")
    # No --upgrade, no further package: pip then leaves alone whatever is there and fits.
    assert notebook.magics == [("pip", 'install --quiet "git+https://github.com/{REPOSITORY}"')]


def test_without_an_address_the_cell_says_what_to_do(monkeypatch, without_library):
    notebook = Notebook(monkeypatch)
    with pytest.raises(RuntimeError) as error:
        notebook.run("owner/name")
    assert notebook.magics == []  # pip would ask for somebody else's repository
    for words in (
        "On Colab: write the book's GitHub address",
        "run `make setup`",
        "make repository REPO=owner/name",
    ):
        assert words in str(error.value)
    assert error.value.__suppress_context__, "a second traceback hides the message"


def test_without_network_the_cell_says_what_to_switch_on_and_works_later(
    monkeypatch, without_library
):
    notebook = Notebook(monkeypatch, network=False)  # pip prints its own error and raises nothing
    with pytest.raises(RuntimeError, match="could not be installed") as error:
        notebook.run("ada/googlenet-book")
    assert "Kaggle: switch on Settings > Internet" in str(error.value)
    assert error.value.__suppress_context__, "a second traceback hides the message"
    notebook.network = True
    assert "gnet_lib" in notebook.run("ada/googlenet-book")


def test_the_library_next_to_the_chapter_is_found(tmp_path):
    """As in a copy of the whole book that nobody installed."""
    for folder in ("gnet_lib", "book", "elsewhere"):
        (tmp_path / folder).mkdir()
    (tmp_path / "gnet_lib" / "__init__.py").touch()
    source = TransformerManager().transform_cell(set_up_cell())

    def run_in(folder):
        # -P and -S: neither the folder itself nor what is installed counts
        command = [sys.executable, "-P", "-S", "-c", f"{source}\nprint(gnet_lib.__file__)"]
        return subprocess.run(
            command, cwd=tmp_path / folder, capture_output=True, text=True, env={}
        )

    assert str(tmp_path / "gnet_lib") in run_in("book").stdout
    (tmp_path / "gnet_lib").rename(tmp_path / "another")
    assert "The book's library is missing here" in run_in("elsewhere").stderr


def test_the_address_is_set_in_one_line_that_the_tool_finds():
    source = set_up_cell().replace('"', '\\"')  # as it stands in the file
    ((_, slug, _),) = NOTEBOOK_LINE.findall(source)
    assert "/" in slug


# --- what `make colab` installs -------------------------------------------------------


def pins():
    """The versions of requirements-colab.txt, by name."""
    lines = (ROOT / "requirements-colab.txt").read_text(encoding="utf-8").splitlines()
    found = [Requirement(line) for line in lines if line and not line.startswith("#")]
    assert all(
        len(requirement.specifier) == 1 and "==" in str(requirement.specifier)
        for requirement in found
    )
    return {requirement.name: next(iter(requirement.specifier)).version for requirement in found}


def test_the_environment_is_colab_without_what_the_set_up_cell_brings():
    assert not {"gnet_lib", "torchinfo"} & set(pins())
    assert set(COLAB) | {
        "ipykernel",
        "ipython",
        "nbclient",
        "nbformat",
        "pip",
        "setuptools",
    } <= set(pins())


def test_the_library_accepts_every_version_there():
    ranges = RANGES | EXTRAS
    assert not [
        f"{name} {version}"
        for name, version in pins().items()
        if name in ranges and version not in ranges[name].specifier
    ]


def test_the_versions_that_the_packaging_tests_name_are_no_newer():
    """What those tests call Colab's is a lower bound of what is tried here."""
    assert all(
        version in Requirement(f"{name}>={COLAB[name]}").specifier
        for name, version in pins().items()
        if name in COLAB
    )


# --- what it notices ------------------------------------------------------------------

BEFORE = {"torch": "2.11.0", "numpy": "2.1.3"}
GOOD = {**BEFORE, "gnet_lib": "0.1.0", "torchinfo": "1.8.0"}


def test_two_packages_more_are_right():
    assert colab.changes(BEFORE, GOOD) == []


@pytest.mark.parametrize(
    "after, complaint",
    [
        ({**GOOD, "numpy": "2.4.6"}, "numpy was 2.1.3 and is 2.4.6"),
        ({name: GOOD[name] for name in GOOD if name != "torch"}, "torch was 2.11.0 and is gone"),
        ({**GOOD, "seaborn": "0.13"}, "seaborn 0.13 was added"),
        (BEFORE | {"torchinfo": "1.8.0"}, "gnet_lib is missing"),
    ],
)
def test_any_other_change_is_named(after, complaint):
    assert colab.changes(BEFORE, after) == [complaint]


def svg(*texts, line="M 0 0"):
    """A figure as matplotlib writes it."""
    return "".join(f"<!-- {text} --><path d='{line}'/>" for text in texts)


def chapter():
    """A chapter in small, with an output of each kind."""
    outputs = [
        new_output("stream", name="stdout", text="6,797,700 parameters, at 0x7f3a5c1d2e80\n"),
        new_output(
            "execute_result",
            {"text/plain": "   a\n0  1", "text/html": "<table><td>1</td></table>"},
            execution_count=1,
        ),
        new_output(
            "display_data",
            {"image/svg+xml": svg("module 3a", "256", r"$\mathdefault{10^{-6}}$")},
            metadata={"alt": "Four paths."},
        ),
        new_output("display_data", {"image/png": "AAAA"}, metadata={"alt": "Ten boots."}),
        new_output(
            "display_data",
            {"text/html": "<script>vegaEmbed('v6')</script>", "text/plain": "alt.Chart(...)"},
        ),
        new_output(
            "error",
            ename="ValueError",
            evalue="c1x1 must be at least 1, got 0",
            traceback=["line 3"],
        ),
    ]
    cells = [
        new_code_cell(f"cell {number}", outputs=[output]) for number, output in enumerate(outputs)
    ]
    cells.append(
        new_code_cell(
            "a time",
            outputs=[new_output("stream", text="1.2 s")],
            metadata={"tags": ["nbval-ignore-output"]},
        )
    )
    return new_notebook(cells=cells)


TEXT, TABLE, FIGURE, PHOTO, CHART, REFUSAL, TIME = range(7)


def changed(cell, **changes):
    """The chapter with other fields in the one output of a cell."""
    notebook = chapter()
    before = copy.deepcopy(notebook.cells[cell].outputs[0])
    notebook.cells[cell].outputs[0].update(nbformat.from_dict(changes))
    assert notebook.cells[cell].outputs[0] != before, "the change changed nothing"
    return notebook


@pytest.mark.parametrize(
    "executed",
    [
        chapter(),
        changed(TEXT, text="6,797,700 parameters, at 0x111111111111\n"),
        changed(
            FIGURE,
            data={
                "image/svg+xml": svg("module 3a", "256", r"$\mathdefault{10^{-5}}$", line="M 1 1")
            },
        ),
        changed(PHOTO, data={"image/png": "BBBB"}),
        changed(
            CHART,
            data={"text/html": "<script>vegaEmbed('v5')</script>", "text/plain": "alt.Chart(...)"},
        ),
        changed(REFUSAL, traceback=["line 4"]),
        changed(TIME, text="9.9 s"),
    ],
    ids=[
        "nothing",
        "an address",
        "lines of a figure",
        "a photograph's pixels",
        "another Vega",
        "a traceback",
        "a time",
    ],
)
def test_what_another_version_may_change(executed):
    assert colab.differences(chapter(), executed) == []


@pytest.mark.parametrize(
    "executed",
    [
        changed(TEXT, text="6,797,701 parameters, at 0x7f3a5c1d2e80\n"),
        changed(TABLE, data={"text/plain": "   a\n0  2", "text/html": "<table><td>1</td></table>"}),
        changed(TABLE, data={"text/plain": "   a\n0  1", "text/html": "<table><td>2</td></table>"}),
        changed(TABLE, output_type="display_data"),
        changed(
            FIGURE, data={"image/svg+xml": svg("module 3a", "257", r"$\mathdefault{10^{-6}}$")}
        ),
        changed(FIGURE, metadata={"alt": "Three paths."}),
        changed(FIGURE, data={"text/plain": "Figure(...)"}),
        changed(PHOTO, metadata={"alt": "Nine boots."}),
        changed(CHART, data={"text/plain": "alt.Chart(...)"}),
        changed(REFUSAL, evalue="c1x1 must be at least 1, got 1"),
    ],
)
def test_what_no_version_may_change(executed):
    (complaint,) = colab.differences(chapter(), executed)
    assert "stored:" in complaint and "executed:" in complaint


def test_a_lost_output_is_noticed():
    executed = chapter()
    executed.cells[TEXT].outputs = []
    assert colab.differences(chapter(), executed)


def test_the_book_is_published_as_it_lies_here(tmp_path, monkeypatch):
    """Changed files too, with the address in every place, as a commit that git can fetch."""
    for name in ("GIT_CONFIG_COUNT", "GIT_CONFIG_KEY_0", "GIT_CONFIG_VALUE_0"):
        monkeypatch.setenv(name, "")  # so that it is set back afterwards
    book = tmp_path / "book of mine"
    book.mkdir()
    colab.publish(book)
    assert current(book) == colab.SLUG and not (book / ".venv").exists()
    assert (book / "gnet_lib/paper.py").read_bytes() == (ROOT / "gnet_lib/paper.py").read_bytes()
    fetched = colab.subprocess.run(
        ["git", "ls-remote", f"https://github.com/{colab.SLUG}", "HEAD"],
        capture_output=True,
        text=True,
    )
    here = colab.subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=book, capture_output=True, text=True
    )
    assert fetched.returncode == 0 and fetched.stdout.split()[0] == here.stdout.strip()
