"""Proof that book and library cannot drift apart: a changed library fails the stored book.

``make test`` executes every chapter and compares what it gives with what is stored. Here a copy
of the library gets another width, and one cell of a chapter is executed against the copy: it
must fail, and because of a compared output.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from conftest import BOOK, ROOT
from nbformat.v4 import new_code_cell

CHAPTER = "04_reduced_module.ipynb"
TABLE = 'compare_branches(192, WIDTHS["3a"]'
# The 96 channels of the 1x1 convolution before the 3x3 one in module 3a.
WIDTH_3A = re.compile(r'(InceptionRow\(\s*"3a",\s*InceptionWidths\(64, )96(, 128, 16, 32, 32\))')


@pytest.fixture
def changed(tmp_path) -> Path:
    """A folder with the changed library and the cell, behind one that proves which library."""
    leave_out = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "gnet_lib", tmp_path / "gnet_lib", ignore=leave_out)
    widths = tmp_path / "gnet_lib" / "paper.py"
    text, count = WIDTH_3A.subn(r"\g<1>95\2", widths.read_text(encoding="utf-8"))
    assert count == 1, "the widths of module 3a are no longer written as this test expects"
    widths.write_text(text, encoding="utf-8")
    notebook = nbformat.read(BOOK / CHAPTER, as_version=4)
    (table,) = [cell for cell in notebook.cells if TABLE in cell.source]
    library = str(tmp_path / "gnet_lib")
    proof = (
        f"import gnet_lib\nfrom gnet_lib import WIDTHS\nassert gnet_lib.__path__ == [{library!r}]"
    )
    notebook.cells = [new_code_cell(proof, execution_count=0), table]
    nbformat.write(notebook, tmp_path / CHAPTER)
    return tmp_path


def test_a_changed_width_fails_the_stored_chapter(changed):
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "--color=no"]
    command += [
        "-p",
        "no:cacheprovider",
        "--nbval-sanitize-with",
        ROOT / "tests/nbval_sanitize.cfg",
    ]
    environment = {**os.environ, "PYTHONPATH": str(changed), "PYTHONHASHSEED": "0"}
    environment.pop("MPLBACKEND", None)
    done = subprocess.run(
        [*command, CHAPTER], cwd=changed, env=environment, capture_output=True, text=True
    )
    assert "1 failed, 1 passed" in done.stdout, done.stdout[-4000:] + done.stderr[-1000:]
    assert "Cell 1: Cell outputs differ" in done.stdout, done.stdout[-4000:]
