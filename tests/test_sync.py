"""Proof that book and library cannot drift apart: a changed library fails the stored book.

A copy of the library and of one chapter is put into a folder of its own and executed by
nbval, as `make test` does with the whole book. Unchanged, the copy passes. With one width
changed in the copy of the library, it must fail, and because of a compared output.
"""

import os
import re
import shutil
import subprocess
import sys

import nbformat
import pytest
from conftest import BOOK, ROOT
from nbformat.v4 import new_code_cell

CHAPTER = "04_reduced_module.ipynb"
# The 96 channels of the 1x1 convolution before the 3x3 one in module 3a.
WIDTH_3A = re.compile(r'(InceptionRow\("3a", InceptionWidths\(64, )96(, 128, 16, 32, 32\))')


@pytest.fixture
def copied(tmp_path):
    """A folder with the library and one chapter, which proves that its own copy is the one used."""
    shutil.copytree(
        ROOT / "gnet_lib", tmp_path / "gnet_lib", ignore=shutil.ignore_patterns("__pycache__")
    )
    (tmp_path / "book").mkdir()
    notebook = nbformat.read(BOOK / CHAPTER, as_version=4)
    library = str(tmp_path / "gnet_lib")
    proof = new_code_cell(
        f"import gnet_lib\nassert gnet_lib.__path__ == [{library!r}], gnet_lib.__path__",
        execution_count=0,
    )
    notebook.cells.insert(0, proof)
    nbformat.write(notebook, tmp_path / "book" / CHAPTER)
    return tmp_path


def run_nbval(folder):
    """Execute the copied chapter against the copied library and compare its outputs."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--nbval",
        "--nbval-current-env",
        "--color=no",
        "-rf",
        "-p",
        "no:cacheprovider",
    ]
    command += ["--nbval-sanitize-with", str(ROOT / "tests/nbval_sanitize.cfg"), f"book/{CHAPTER}"]
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder),
        "PYTHONHASHSEED": "0",
        "OMP_NUM_THREADS": "1",
    }
    environment.pop("MPLBACKEND", None)
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_unchanged_copy_passes(copied):
    done = run_nbval(copied)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]


def test_changed_width_fails(copied):
    table = copied / "gnet_lib" / "paper.py"
    changed, count = WIDTH_3A.subn(r"\g<1>95\2", table.read_text(encoding="utf-8"))
    assert count == 1, "the widths of module 3a are no longer written as this test expects"
    table.write_text(changed, encoding="utf-8")
    done = run_nbval(copied)
    assert done.returncode == 1, done.stdout[-4000:] + done.stderr[-1000:]
    # The copy was imported (cell 0 holds) and an output differs: not merely a crash.
    assert "Cell 0: Cell execution caused an exception" not in done.stdout
    assert "Cell outputs differ" in done.stdout, done.stdout[-4000:]
