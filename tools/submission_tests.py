"""Grade the notebooks that students hand in:  python -m pytest test_submission.py

Lay the notebooks of each student into a folder of their own, under the names they were
handed out with:

    submitted/ada/04_reduced_module.ipynb
    submitted/blaise/04_reduced_module.ipynb

Every notebook is executed here, beside the handed-out ones, and each exercise is one test,
named ada/04_reduced_module-4.2. A missing or empty answer fails like a wrong one. With
`--junitxml grades.xml` the results are written into a file as well. Another folder than
submitted/ is named by the environment variable SUBMITTED.

This runs the students' code. Use an account or a container in which it can do no harm.
"""

import os
from functools import cache
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

HERE = Path(__file__).parent
SUBMITTED = Path(os.environ.get("SUBMITTED", HERE / "submitted"))
CELL_LIMIT_SECONDS = 600


def number_of(cell):
    """The exercise that an answer cell belongs to; None for all other cells."""
    exercise = cell.metadata.get("gnet", {})
    return exercise["exercise"] if exercise.get("part") == "answer" else None


def handed_out(path):
    """Exercise -> the call of its checker, from the handed-out notebook of the same name."""
    cells = nbformat.read(HERE / path.name, as_version=4).cells
    return {number: cell.source.splitlines()[-1] for cell in cells if (number := number_of(cell))}


def check_cell(number, check):
    """A cell that fails, with the checker's words, unless the answer above it is right."""
    code = f"from gnet_lib.exercises import check\nresult = {check}\nassert result, result.message"
    return nbformat.v4.new_code_cell(code, metadata={"checks": number})


@cache
def verdicts(path):
    """Execute a submitted notebook; exercise -> what is wrong with its answer, "" if nothing is."""
    notebook = nbformat.read(path, as_version=4)
    checks, cells = handed_out(path), []
    for cell in notebook.cells:
        cells.append(cell)
        if (number := number_of(cell)) in checks:
            cells.append(check_cell(number, checks[number]))
    notebook.cells = cells
    client = NotebookClient(
        notebook, allow_errors=True, timeout=CELL_LIMIT_SECONDS, kernel_name="python3",
        resources={"metadata": {"path": str(HERE)}},
    )  # fmt: skip
    client.execute()
    return {cell.metadata.checks: problem(cell) for cell in cells if "checks" in cell.metadata}


def problem(cell):
    """What stopped a check cell; "" if nothing did."""
    return "; ".join(output.evalue for output in cell.outputs if output.output_type == "error")


CASES = [
    pytest.param(path, number, id=f"{path.parent.name}/{path.stem}-{number}")
    for path in sorted(SUBMITTED.glob("*/*.ipynb"))
    for number in handed_out(path)
]
assert CASES, f"no notebook to grade: there is no {SUBMITTED}/STUDENT/CHAPTER.ipynb"


@pytest.mark.parametrize("path, number", CASES)
def test_answer(path, number):
    found = verdicts(path)
    assert number in found, f"{number}: the cell for the answer is missing"
    assert not found[number], found[number]
