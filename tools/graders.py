"""Prepare handed-out notebooks for graders: nbgrader's marks on the cells, or a file for pytest."""

import copy
import shutil
from pathlib import Path

import nbformat
from nbformat import NotebookNode

# What is laid beside the hand-outs for pytest: this file -> its name there.
HERE = Path(__file__).parent
PYTEST_FILES = {
    "submission_tests.py": "test_submission.py",
    "submission_process.py": "submission_process.py",
    "submission_cells.py": "submission_cells.py",
}

# nbgrader puts its "YOUR CODE HERE" between these two lines. There is nothing else to hide.
REGION = "### BEGIN SOLUTION\n### END SOLUTION"

NBGRADER_CONFIG = """\
c = get_config()
# nbgrader puts this below every answer. Its own line would stop the cell there.
c.ClearSolutions.code_stub = {"python": "# The locked cell below checks your answer."}
# Seconds for a cell; nbgrader's own 30 are too few for a training.
c.Execute.timeout = 600
"""
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
    """The test that grades an answer: it fails unless the checker finds the answer right.

    It takes the answer away. Exercises share the name `answer`, and if the next answer's cell
    stops with an error, this one must not be judged in its place.
    """
    _, check = code_and_check(answer_cell.source)
    number, _, name = check.removesuffix(")").rpartition(", ")
    source = (
        "# Run the answer's cell again before you run this one again.\n"
        "from gnet_lib.exercises import check\n\n"
        f'assert {number}, globals().pop("{name}", ...))'
    )
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


def add_pytest_files(folder: Path) -> None:
    """Put the tests for submitted notebooks beside the hand-outs."""
    for name, copied in PYTEST_FILES.items():
        shutil.copy(HERE / name, folder / copied)


def add_nbgrader_config(folder: Path) -> str:
    """Put nbgrader's configuration where it is read: in the course's folder.

    Args:
        folder: with the hand-outs. In COURSE/source/ASSIGNMENT the course's folder is COURSE.

    Returns:
        What is left to do for the teacher; "" if nothing is.
    """
    course = folder.resolve().parents[1] if folder.resolve().parent.name == "source" else folder
    path = course / "nbgrader_config.py"
    if not path.exists():
        path.write_text(NBGRADER_CONFIG, encoding="utf-8")
    if path.read_text(encoding="utf-8") != NBGRADER_CONFIG:
        lines = "\n".join(line for line in NBGRADER_CONFIG.splitlines() if line[0] != "#")
        return f"note: {path} was there already and is left as it was; it needs\n{lines}"
    if course == folder:
        return f"note: move {path} into your course's folder, where nbgrader is started"
    return ""
