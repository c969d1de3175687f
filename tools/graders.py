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
    """nbgrader's metadata of a cell: what students write (solution), what earns points, or text.

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


def without_check(source: str) -> str:
    """An answer cell's code without its last statement, the call of the checker."""
    return source.rpartition("\ncheck(")[0].rstrip("\n")


def check_cell(answer_cell: NotebookNode) -> NotebookNode:
    """The test that grades an answer: it fails unless the checker finds the answer right."""
    number = answer_cell.metadata.gnet.exercise
    source = f'from gnet_lib.exercises import check\n\nassert check("{number}", answer)'
    return nbformat.v4.new_code_cell(source, id=f"{answer_cell.id}-check", metadata={"nbgrader": mark("check", number, points=1)})


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
            cell.source = f"{without_check(cell.source)}\n{REGION}"
            cell.metadata["nbgrader"] = mark("answer", exercise["exercise"], solution=True)
    marked.cells = cells
    return marked


def add_pytest_file(folder: Path) -> None:
    """Put the tests for submitted notebooks beside the hand-outs."""
    shutil.copy(PYTEST_FILE, folder / "test_submission.py")
