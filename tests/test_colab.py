"""The set-up cell: it installs only what is missing, and says what to do where it cannot.

Whether the chapters run with Colab's own versions is what `make colab` tries.
"""

import sys

import nbformat
import pytest
from conftest import BOOK
from IPython.core.inputtransformer2 import TransformerManager
from repository import NOTEBOOK_LINE


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
        source = set_up_cell().replace('REPOSITORY = "owner/name"', f'REPOSITORY = "{slug}"')
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
    for words in ("On Colab: write the book's GitHub address", "run `make setup`", "make repository REPO=owner/name"):
        assert words in str(error.value)
    assert error.value.__suppress_context__, "a second traceback hides the message"


def test_without_network_the_cell_fails_and_works_later(monkeypatch, without_library):
    notebook = Notebook(monkeypatch, network=False)  # pip prints its own error and raises nothing
    with pytest.raises(ModuleNotFoundError, match="gnet_lib"):
        notebook.run("ada/googlenet-book")
    notebook.network = True
    assert "gnet_lib" in notebook.run("ada/googlenet-book")


def test_the_address_is_set_in_one_line_that_the_tool_finds():
    source = set_up_cell().replace('"', '\\"')  # as it stands in the file
    assert len(NOTEBOOK_LINE.findall(source)) == 1
    assert "/" in NOTEBOOK_LINE.search(source)[2]
