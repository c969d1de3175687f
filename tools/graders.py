"""Prepare handed-out notebooks for graders: nbgrader's marks on the cells, or a file for pytest."""

import copy
import shutil
from pathlib import Path

import nbformat
from nbformat import NotebookNode

PYTEST_FILE = Path(__file__).with_name("submission_tests.py")

# nbgrader puts its "YOUR CODE HERE" between these two lines. There is nothing else to hide.
REGION = "### BEGIN SOLUTION\n### END SOLUTION"
SCHEMA_VERSION = 3


def mark(kind: str, number: str, *, solution: bool = False, points: int | None = None) -> dict:
    """What nbgrader keeps about a cell: whether students write in it, and what it earns.

    Args:
        kind: "question", "answer" or "check"; with the number it names the cell in the gradebook.
        number: the exercise, such as "4.2".
        solution: whether students write into the cell. All others are locked.
        points: what the cell earns when it runs without an error; None if it is no test.
    """
    metadata = {
        "grade_id": f"{kind}-{number.replace('.', '-')}",
        "grade": points is not None,
        "solution": solution,
        "locked": not solution,
        "task": False,
        "schema_version": SCHEMA_VERSION,
    }
    return metadata if points is None else {**metadata, "points": points}


def code_and_check(source: str) -> tuple[str, str]:
    """An answer cell's code, and its last statement, the call of the checker."""
    code, _, arguments = source.rpartition("\ncheck(")
    return code.rstrip("\n"), f"check({arguments}"


def check_cell(answer_cell: NotebookNode) -> NotebookNode:
    """The test that grades an answer: it fails unless the checker finds the answer right."""
    _, check = code_and_check(answer_cell.source)
    source = f"from gnet_lib.exercises import check\n\nassert {check}"
    metadata = {"nbgrader": mark("check", answer_cell.metadata.gnet.exercise, points=1)}
    return nbformat.v4.new_code_cell(source, id=f"{answer_cell.id}-check", metadata=metadata)


def for_nbgrader(notebook: NotebookNode) -> NotebookNode:
    """A copy in which every answer cell is one to write in, followed by a locked test cell.

    Args:
        notebook: a hand-out; the cells of its exercises carry `gnet` metadata.
    """
    marked = copy.deepcopy(notebook)
    cells = []
    for cell in marked.cells:
        cells.append(cell)
        exercise = cell.metadata.get("gnet", {})
        if exercise.get("part") == "question":
            cell.metadata["nbgrader"] = mark("question", exercise["exercise"])
        if exercise.get("part") == "answer":
            cells.append(check_cell(cell))
            cell.source = f"{code_and_check(cell.source)[0]}\n{REGION}"
            cell.metadata["nbgrader"] = mark("answer", exercise["exercise"], solution=True)
    marked.cells = cells
    return marked


def add_pytest_file(folder: Path) -> None:
    """Put the tests for submitted notebooks beside the hand-outs."""
    shutil.copy(PYTEST_FILE, folder / "test_submission.py")
