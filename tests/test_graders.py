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


def faults(notebook):
    """What nbgrader would refuse, or grade wrongly."""
    marked = [cell for cell in notebook.cells if "nbgrader" in cell.metadata]
    marks = [cell.metadata.nbgrader for cell in marked]
    found = []
    if len({mark.grade_id for mark in marks}) != len(marks):
        found.append("two cells with one grade_id")
    for cell, mark in zip(marked, marks):
        wanted = FIELDS | ({"points": int} if mark.grade else {})
        if {name: type(value) for name, value in mark.items()} != wanted:
            found.append(f"{mark.grade_id}: fields")
        if mark.locked == mark.solution:
            found.append(f"{mark.grade_id}: students write into solution cells, and only there")
        if mark.solution and not cell.source.endswith("\n### BEGIN SOLUTION\n### END SOLUTION"):
            found.append(f"{mark.grade_id}: nbgrader would replace the whole cell")
        if mark.grade and (
            mark.get("points", 0) < 1
            or not cell.source.splitlines()[-1].startswith("assert check(")
        ):
            found.append(f"{mark.grade_id}: earns nothing, or asserts nothing")
    kinds = [(mark.solution, mark.grade) for mark in marks if mark.solution or mark.grade]
    if kinds != [(True, False), (False, True)] * (len(kinds) // 2):
        found.append("not every answer is followed by its test")
    return found


@pytest.mark.parametrize(
    "chapter", CHAPTERS, ids=lambda chapter: chapter.cells[1].source.splitlines()[0]
)
def test_chapter_for_nbgrader(chapter):
    marked = graders.for_nbgrader(hand_out.hand_out(chapter, set()))
    nbformat.validate(marked)
    assert faults(marked) == []
    checks = [cell for cell in marked.cells if cell.metadata.get("nbgrader", {}).get("grade")]
    assert len(checks) == len(answer_cells(chapter))


def test_the_book_has_answers_to_grade():
    assert sum(len(answer_cells(chapter)) for chapter in CHAPTERS) >= 2


@pytest.mark.parametrize(
    "chapter", CHAPTERS, ids=lambda chapter: chapter.cells[1].source.splitlines()[0]
)
def test_answer_cells_end_with_their_check(chapter):
    """Only the last statement goes, and it is the check of this very exercise."""
    for cell in answer_cells(chapter):
        code, check = graders.code_and_check(cell.source)
        (name,) = re.fullmatch(
            r'check\("' + cell.metadata.gnet.exercise + r'", (\w+)\)', check
        ).groups()
        assert f"\n{code}".count(f"\n{name} = ") + f"\n{code}".count(f"\ndef {name}(") == 1
        assert cell.source.replace(code, "", 1).strip() == check


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


@pytest.mark.parametrize(
    "spoil, fault",
    [
        (lambda cells: cells[1].metadata.nbgrader.update(locked=True), "only there"),
        (lambda cells: cells[2].metadata.nbgrader.update(grade_id="answer-8-3"), "one grade_id"),
        (lambda cells: cells[2].metadata.nbgrader.pop("points"), "fields"),
        (lambda cells: cells[2].metadata.nbgrader.update(schema_version="3"), "fields"),
        (lambda cells: cells[2].update(source='check("8.3", answer)'), "asserts nothing"),
        (lambda cells: cells[1].update(source="answer = ..."), "replace the whole cell"),
        (lambda cells: cells.pop(2), "followed by its test"),
    ],
)
def test_faults_are_noticed(spoil, fault):
    marked = graders.for_nbgrader(with_answers(exercise("8.3"), exercise("8.4")))
    assert faults(marked) == []
    spoil(marked.cells)
    assert any(fault in line for line in faults(marked))


# --- plain pytest ---------------------------------------------------------------------


def graded(folder, **variables):
    """Run the tests of a hand-out as a teacher does; test -> what it says, "" if it passed."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "test_submission.py",
        "--junitxml",
        "grades.xml",
    ]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **variables}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)
    said = {}
    for case in ElementTree.parse(folder / "grades.xml").iter("testcase"):
        name = case.get("name").removeprefix("test_answer[").removesuffix("]")
        said[name] = "".join(part.get("message") for part in case)
    return done, said


@pytest.fixture
def course(tmp_path):
    """A hand-out with two exercises, before anybody has handed in."""
    nbformat.write(
        with_answers(exercise("8.3", "(..., ...)"), exercise("8.4")), tmp_path / "08_training.ipynb"
    )
    graders.add_pytest_file(tmp_path)
    return tmp_path


def hand_in(course, student, *cells, name="08_training.ipynb"):
    """Lay a student's notebook where the tests look for it; its path."""
    path = course / "submitted" / student / name
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(with_answers(*cells), path)
    return path


def test_submissions_are_graded(course):
    hand_in(course, "ada", exercise("8.3", "(281, 187)"), exercise("8.4", "0.91 * 0.09 / 0.001**2"))
    hand_in(course, "blaise", exercise("8.3", "(281, 655"))  # forgets a bracket, deletes a cell
    hand_in(course, "carl", exercise("8.3", "(281, 655)"), exercise("8.4"))
    done, said = graded(course)
    assert said["ada/08_training-8.3"] == said["ada/08_training-8.4"] == ""
    assert (
        said["blaise/08_training-8.3"] != ""
        and "the cell for the answer is missing" in said["blaise/08_training-8.4"]
    )
    assert "8.3: the second number goes to the end of the training" in said["carl/08_training-8.3"]
    assert "8.4: no answer yet" in said["carl/08_training-8.4"]
    assert len(said) == 6 and done.returncode == 1


RIGHT = "0.91 * 0.09 / 0.001**2"  # to 8.4


@pytest.mark.parametrize(
    "name",
    [
        "08_training (1).ipynb",
        "08_training(2).ipynb",
        "08_training-1.ipynb",
        "08_training-Copy1.ipynb",
    ],
)
def test_a_copy_is_graded_like_the_original(course, name):
    hand_in(course, "carl", exercise("8.4", RIGHT), name=name)
    _, said = graded(course)
    assert said[f"carl/{name.removesuffix('.ipynb')}-8.4"] == ""


def test_what_cannot_be_graded_fails_alone(course):
    """A strange name and two wrong places cost only the notebook concerned."""
    hand_in(course, "ada", exercise("8.4", RIGHT))
    hand_in(course, "carl", exercise("8.4", RIGHT), name="my homework.ipynb")
    hand_in(course, ".", exercise("8.4", RIGHT))
    hand_in(course, "dora/week4", exercise("8.4", RIGHT))
    hand_in(course, "ada/.ipynb_checkpoints", exercise("8.4"), name="08_training-checkpoint.ipynb")
    _, said = graded(course)
    assert said.pop("ada/08_training-8.4") == "" and "missing" in said.pop("ada/08_training-8.3")
    assert (
        "no handed-out notebook is called my homework.ipynb; rename it to one of 08_training.ipynb"
        in said.pop("carl/my homework")
    )
    assert f"move it to {course / 'submitted'}/STUDENT/08_training.ipynb" in said.pop("08_training")
    assert "lies in the wrong place" in said.pop("dora/week4/08_training")
    assert said == {}


def test_an_endless_loop_costs_the_limit_once_and_only_what_follows(course):
    hand_in(
        course, "blaise", exercise("8.4", RIGHT), new_code_cell("while True: pass"), exercise("8.3")
    )
    hand_in(
        course, "carl", new_code_cell("while True: pass"), exercise("8.3"), exercise("8.4", RIGHT)
    )
    done, said = graded(course, CELL_LIMIT_SECONDS="15")
    assert said["blaise/08_training-8.4"] == ""
    for name in ("blaise/08_training-8.3", "carl/08_training-8.3", "carl/08_training-8.4"):
        assert "ran longer than 15 s" in said[name]
    assert done.stdout.count("Timeout waiting for execute reply") <= 2 and "zmq" not in done.stdout


def test_a_notebook_that_ends_python(course):
    hand_in(
        course,
        "ada",
        exercise("8.4", RIGHT),
        new_code_cell("import os\nos._exit(1)"),
        exercise("8.3"),
    )
    _, said = graded(course)
    assert said["ada/08_training-8.4"] == "" and "ended Python" in said["ada/08_training-8.3"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b'{"cells": [1], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}',
    ],
)
def test_a_file_that_is_no_notebook(course, content):
    hand_in(course, "ada").write_bytes(content)
    _, said = graded(course)
    assert sorted(said) == ["ada/08_training-8.3", "ada/08_training-8.4"]
    assert all("not readable as a notebook" in text for text in said.values())


def test_a_cell_that_calls_itself_a_check_earns_nothing(course):
    hand_in(course, "ada", exercise("8.4", "1"), new_code_cell("pass", metadata={"checks": "8.4"}))
    _, said = graded(course)
    assert said["ada/08_training-8.4"] != ""


def test_nobody_has_handed_in(course):
    done, _ = graded(course)
    assert done.returncode != 0 and "no notebook to grade: there is no" in done.stdout


def test_command_prepares_for_both(tmp_path):
    assert hand_out.main(["8", "--grader", "pytest", "--out", str(tmp_path / "plain")]) == 0
    assert (tmp_path / "plain" / "test_submission.py").is_file()
    assert hand_out.main(["8", "--grader", "nbgrader", "--out", str(tmp_path / "marked")]) == 0
    marked = nbformat.read(tmp_path / "marked" / "08_training.ipynb", as_version=4)
    assert faults(marked) == [] and any("nbgrader" in cell.metadata for cell in marked.cells)
    assert not (tmp_path / "marked" / "test_submission.py").exists()
