"""Grade the notebooks that students hand in:  python -m pytest test_submission.py

Lay the notebooks of each student into a folder of their own, under the names they were
handed out with (a copy's mark, as in "04_reduced_module (1).ipynb", does no harm):

    submitted/ada/04_reduced_module.ipynb
    submitted/blaise/04_reduced_module.ipynb

Every notebook is executed here, beside the handed-out ones, and each exercise is one test,
named ada/04_reduced_module-4.2. A missing or empty answer fails like a wrong one. A notebook
with another name, or in another place, is one failing test that says so. With
`--junitxml grades.xml` the results are written into a file as well.

Two environment variables: SUBMITTED names another folder than submitted/, and
CELL_LIMIT_SECONDS another limit than 600 seconds for a cell; a notebook is stopped there.

This runs the students' code. Use an account or a container in which it can do no harm.
"""

import os
import re
import subprocess
from functools import cache
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError

HERE = Path(__file__).parent
SUBMITTED = Path(os.environ.get("SUBMITTED", HERE / "submitted"))
CELL_LIMIT_SECONDS = int(os.environ.get("CELL_LIMIT_SECONDS", "600"))
HANDED_OUT = {path.stem: path for path in sorted(HERE.glob("*.ipynb"))}

# What browsers, learning platforms and Jupyter append to the name of a copy.
COPY_MARK = re.compile(r"( ?\(\d+\)|-\d+|-Copy\d+)$")


def submissions():
    """All notebooks below the folder, without those that Jupyter keeps in hidden folders."""
    found = sorted(SUBMITTED.rglob("*.ipynb"))
    return [
        path
        for path in found
        if not any(part.startswith(".") for part in path.relative_to(SUBMITTED).parts)
    ]


def original(path):
    """The handed-out notebook that a submitted one is called after; None if there is none."""
    return HANDED_OUT.get(path.stem) or HANDED_OUT.get(COPY_MARK.sub("", path.stem))


def misfiled(path):
    """Why a notebook cannot be graded where it lies; "" if it can."""
    if len(path.relative_to(SUBMITTED).parts) != 2:
        return f"{path} lies in the wrong place; move it to {SUBMITTED}/STUDENT/{path.name}"
    if original(path) is None:
        names = ", ".join(f"{stem}.ipynb" for stem in HANDED_OUT)
        return f"no handed-out notebook is called {path.name}; rename it to one of {names}"
    return ""


def number_of(cell):
    """The exercise that an answer cell belongs to; None for all other cells."""
    exercise = cell.metadata.get("gnet", {})
    return exercise.get("exercise") if exercise.get("part") == "answer" else None


@cache
def checks(path):
    """Exercise -> the call of its checker, from the handed-out notebook."""
    cells = nbformat.read(path, as_version=4).cells
    return {number: cell.source.splitlines()[-1] for cell in cells if (number := number_of(cell))}


def check_cell(check):
    """A cell that fails, with the checker's words, unless the answer above it is right."""
    return nbformat.v4.new_code_cell(
        f"from gnet_lib.exercises import check\nresult = {check}\nassert result, result.message"
    )


def add_checks(notebook, calls):
    """Put a check behind each answer; exercise -> its check cell."""
    cells, added = [], {}
    for cell in notebook.cells:
        cells.append(cell)
        if (number := number_of(cell)) in calls:
            added[number] = check_cell(calls[number])
            cells.append(added[number])
    notebook.cells = cells
    return added


def stopped(notebook):
    """Execute a notebook as far as it goes; what stopped it, "" if nothing did."""
    client = NotebookClient(
        notebook,
        allow_errors=True,
        timeout=CELL_LIMIT_SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": str(HERE)}},
    )
    cause = "not graded: a cell before or in this answer"
    try:
        # The kernel's own log goes; what students print comes as output.
        client.execute(stderr=subprocess.DEVNULL)
    except CellTimeoutError:
        return f"{cause} ran longer than {CELL_LIMIT_SECONDS} s"
    except DeadKernelError:
        return f"{cause} ended Python, or needed more memory than there is"
    return ""


def problem(cell, why_stopped):
    """What is wrong with an answer, from its check cell; "" if nothing is."""
    if cell.execution_count is None:
        return why_stopped
    return "; ".join(output.evalue for output in cell.outputs if output.output_type == "error")


@cache
def verdicts(path):
    """Execute a submitted notebook, once for all its tests; exercise -> what is wrong there."""
    calls = checks(original(path))
    try:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
    except Exception as error:  # an empty file, a web page, a list: each fails in its own way
        return dict.fromkeys(
            calls, f"not readable as a notebook: {type(error).__name__}: {str(error)[:200]}"
        )
    added = add_checks(notebook, calls)
    why_stopped = stopped(notebook)
    return {number: problem(cell, why_stopped) for number, cell in added.items()}


def cases():
    """One test for each answer, and one for a notebook that cannot be graded where it lies."""
    for path in submissions():
        name = path.relative_to(SUBMITTED).with_suffix("").as_posix()
        if misfiled(path):
            yield pytest.param(path, None, id=name)
        else:
            yield from (
                pytest.param(path, number, id=f"{name}-{number}")
                for number in checks(original(path))
            )


CASES = list(cases())
assert CASES, f"no notebook to grade: there is no {SUBMITTED}/STUDENT/CHAPTER.ipynb"


@pytest.mark.parametrize("path, number", CASES)
def test_answer(path, number):
    """The answer is there, and the checker finds it right."""
    assert not misfiled(path), misfiled(path)
    found = verdicts(path)
    assert number in found, f"{number}: the cell for the answer is missing"
    assert not found[number], found[number]
