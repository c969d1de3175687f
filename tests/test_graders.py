"""Hand-outs for graders: nbgrader's marks, and the tests for submitted notebooks.

nbgrader itself is not among the requirements. The marks are compared with the rules of its
format (version 3): which fields there are, what may be locked, what earns points.
"""

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import graders
import hand_out
import nbformat
import pytest
from conftest import BOOK
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

FIELDS = {
    "grade_id": str,
    "grade": bool,
    "solution": bool,
    "locked": bool,
    "task": bool,
    "schema_version": int,
}
CHAPTERS = [nbformat.read(path, as_version=4) for path in sorted(BOOK.glob("*.ipynb"))]


def answer_cells(notebook):
    """The cells in which students answer."""
    return [cell for cell in notebook.cells if hand_out.part(cell) == "answer"]


def exercise(number, answer="..."):
    """An answer cell as a student leaves it."""
    source = (
        f'from gnet_lib.exercises import check\n\nanswer = {answer}\n\ncheck("{number}", answer)'
    )
    return new_code_cell(
        source,
        id=f"answer-{number.replace('.', '-')}",
        metadata={"gnet": {"exercise": number, "part": "answer"}},
    )


def with_answers(*cells):
    """A notebook of a few cells."""
    return new_notebook(cells=[new_markdown_cell("# 8. Training", id="title"), *cells])


# --- nbgrader -------------------------------------------------------------------------


def cell_faults(cell, mark):
    """What nbgrader would refuse in a cell, or grade wrongly."""
    if {name: type(value) for name, value in mark.items()} != FIELDS | (
        {"points": int} if mark.grade else {}
    ):
        yield "fields"
    if mark.locked == mark.solution:
        yield "students write into solution cells, and only there"
    if mark.solution and not cell.source.endswith("\n### BEGIN SOLUTION\n### END SOLUTION"):
        yield "nbgrader would replace the whole cell"
    last_line = cell.source.splitlines()[-1]
    if mark.grade and not (mark.get("points", 0) >= 1 and last_line.startswith("assert check(")):
        yield "earns nothing, or asserts nothing"


def faults(notebook):
    """What nbgrader would refuse in a notebook, or grade wrongly."""
    marked = [cell for cell in notebook.cells if "nbgrader" in cell.metadata]
    marks = [cell.metadata.nbgrader for cell in marked]
    found = [
        f"{mark.grade_id}: {fault}"
        for cell, mark in zip(marked, marks, strict=True)
        for fault in cell_faults(cell, mark)
    ]
    if len({mark.grade_id for mark in marks}) != len(marks):
        found.append("two cells with one grade_id")
    kinds = [(mark.solution, mark.grade) for mark in marks if mark.solution or mark.grade]
    if kinds != [(True, False), (False, True)] * (len(kinds) // 2):
        found.append("not every answer is followed by its test")
    return found


def test_chapters_for_nbgrader():
    assert sum(len(answer_cells(chapter)) for chapter in CHAPTERS) > 30
    for chapter in CHAPTERS:
        marked = graders.for_nbgrader(hand_out.hand_out(chapter, set()))
        nbformat.validate(marked)
        assert faults(marked) == []
        checks = [cell for cell in marked.cells if cell.metadata.get("nbgrader", {}).get("grade")]
        assert len(checks) == len(answer_cells(chapter))


def test_a_fault_is_noticed():
    marked = graders.for_nbgrader(with_answers(exercise("8.3"), exercise("8.4")))
    assert faults(marked) == []
    marked.cells[1].metadata.nbgrader.locked = True
    assert faults(marked) == ["answer-8-3: students write into solution cells, and only there"]


def test_answer_cells_end_with_their_check():
    """Only the last statement goes, and it is the check of this very exercise."""
    for cell in [cell for chapter in CHAPTERS for cell in answer_cells(chapter)]:
        code, check = graders.code_and_check(cell.source)
        called = re.fullmatch(rf'check\("{cell.metadata.gnet.exercise}", (\w+)\)', check)
        assert called and re.search(rf"^({called[1]} = |def {called[1]}\()", code, re.MULTILINE)
        assert cell.source.replace(code, "", 1).strip() == check


# --- plain pytest ---------------------------------------------------------------------

# Stands in for the library, which would bring torch into every student's session.
STAND_IN = """
from types import SimpleNamespace

class Result(SimpleNamespace):
    def __bool__(self):
        return self.right

def check(number, answer):
    return Result(right=answer == 42, message=f"{number}: that is not 42")
"""
RIGHT, WRONG = "42", "41"


def stand_in(folder):
    """A folder with a library that only has these checkers."""
    (folder / "gnet_lib").mkdir(parents=True)
    (folder / "gnet_lib" / "__init__.py").touch()
    (folder / "gnet_lib" / "exercises.py").write_text(STAND_IN, encoding="utf-8")
    return folder


def prepare(folder):
    """A hand-out with two exercises, before anybody has handed in."""
    notebook = with_answers(exercise("8.3", "(..., ...)"), exercise("8.4"))
    nbformat.write(notebook, folder / "08_training.ipynb")
    graders.add_pytest_file(folder)
    return folder


def hand_in(course, student, *cells, name="08_training.ipynb"):
    """Lay a student's notebook where the tests look for it; its path."""
    path = course / "submitted" / student / name
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(with_answers(*cells), path)
    return path


def graded(folder, **variables):
    """Run the tests of a hand-out as a teacher does; test -> what it says, "" if it passed."""
    options = ["-p", "no:cacheprovider", "--junitxml", "grades.xml"]
    command = [sys.executable, "-m", "pytest", *options, "test_submission.py"]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **variables}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)
    said = {}
    for case in ElementTree.parse(folder / "grades.xml").iter("testcase"):
        name = case.get("name", "").removeprefix("test_answer[").removesuffix("]")
        said[name] = "".join(part.get("message", "") for part in case)
    return done, said


# Whatever a browser or Jupyter appends to the name of a copy, and what a file can hold that is
# no notebook.
BROKEN_COPIES = {
    "08_training (1)": b"",
    "08_training(2)": b"<html>",
    "08_training-1": b"[]",
    "08_training-Copy1": b"\xff\xfe",
    "08_training": b'{"cells": [1], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}',
}


@pytest.fixture(scope="module")
def submissions(tmp_path_factory):
    """(folder, pytest's run, test -> what it says) of a whole class, graded at once."""
    course = prepare(tmp_path_factory.mktemp("course"))
    pretended = new_code_cell("pass", metadata={"checks": "8.4"})
    endless, ending = new_code_cell("while True: pass"), new_code_cell("import os; os._exit(1)")

    hand_in(course, "ada", exercise("8.3", RIGHT), exercise("8.4", WRONG), pretended)
    hand_in(course, "blaise", exercise("8.3", "(42"))  # forgets a bracket, deletes a cell
    hand_in(course, "carl", exercise("8.4", RIGHT), endless, exercise("8.3", RIGHT))
    hand_in(course, "dora", exercise("8.4", RIGHT), ending, exercise("8.3", RIGHT))
    for name, content in BROKEN_COPIES.items():
        hand_in(course, "emmy", name=f"{name}.ipynb").write_bytes(content)
    hand_in(course, "fritz", name="my homework.ipynb")
    hand_in(course, ".")
    hand_in(course, "fritz/week4")
    hand_in(course, "ada/.ipynb_checkpoints", name="08_training-checkpoint.ipynb")
    python_path = os.pathsep.join(
        [str(stand_in(course / "library")), os.environ.get("PYTHONPATH", "")]
    )
    return course, *graded(course, CELL_LIMIT_SECONDS="4", PYTHONPATH=python_path)


def test_answers_are_graded(submissions):
    _, done, said = submissions
    assert done.returncode == 1
    assert said["ada/08_training-8.3"] == ""
    assert "8.4: that is not 42" in said["ada/08_training-8.4"]
    assert said["blaise/08_training-8.3"] != ""
    assert "cell for the answer is missing" in said["blaise/08_training-8.4"]


def test_an_endless_loop_costs_the_limit_once_and_only_what_follows(submissions):
    _, done, said = submissions
    assert said["carl/08_training-8.4"] == ""
    assert "ran longer than 4 s" in said["carl/08_training-8.3"]
    assert done.stdout.count("Timeout waiting for execute reply") <= 1 and "zmq" not in done.stdout


def test_a_notebook_that_ends_python(submissions):
    _, _, said = submissions
    assert said["dora/08_training-8.4"] == "" and "ended Python" in said["dora/08_training-8.3"]


def test_a_copy_counts_as_the_chapter_and_a_file_that_is_no_notebook_fails_alone(submissions):
    _, _, said = submissions
    found = {name: text for name, text in said.items() if name.startswith("emmy/")}
    assert set(found) == {f"emmy/{name}-{part}" for name in BROKEN_COPIES for part in (8.3, 8.4)}
    assert all("not readable as a notebook" in text for text in found.values())


def test_what_lies_in_the_wrong_place_fails_alone(submissions):
    course, _, said = submissions
    assert "rename it to one of 08_training.ipynb" in said["fritz/my homework"]
    assert f"move it to {course / 'submitted'}/STUDENT/08_training.ipynb" in said["08_training"]
    assert "lies in the wrong place" in said["fritz/week4/08_training"]
    assert not [name for name in said if "checkpoint" in name]


def test_grading_with_the_library_itself(tmp_path):
    course = prepare(tmp_path)
    hand_in(course, "ada", exercise("8.3", "(281, 655)"), exercise("8.4", "0.91 * 0.09 / 1e-6"))
    _, said = graded(course)
    assert said["ada/08_training-8.4"] == ""
    assert "8.3: the second number goes to the end" in said["ada/08_training-8.3"]


def test_nobody_has_handed_in(tmp_path):
    done, _ = graded(prepare(tmp_path))
    assert done.returncode != 0 and "no notebook to grade" in done.stdout


def test_command_prepares_for_both(tmp_path):
    assert hand_out.main(["8", "--grader", "pytest", "--out", str(tmp_path / "plain")]) == 0
    assert (tmp_path / "plain" / "test_submission.py").is_file()
    assert hand_out.main(["8", "--grader", "nbgrader", "--out", str(tmp_path / "marked")]) == 0
    marked = nbformat.read(tmp_path / "marked" / "08_training.ipynb", as_version=4)
    assert faults(marked) == [] and any("nbgrader" in cell.metadata for cell in marked.cells)
    assert not (tmp_path / "marked" / "test_submission.py").exists()
