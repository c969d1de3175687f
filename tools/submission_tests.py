"""Grade the notebooks that students hand in:  python -m pytest test_submission.py

Lay the notebooks of each student into a folder of their own, under the names they were
handed out with (a copy's mark, as in "04_reduced_module (1).ipynb", does no harm):

    submitted/ada/04_reduced_module.ipynb

Each exercise is one test, named ada/04_reduced_module-4.2 after the handed-out notebook. What
cannot be graded (another name, another place, two copies) is one failing test that says why.

First everything is read. Then each notebook runs by itself and within limits, in a new folder
with the files that lay beside it (submission_process.py). Its answers come back as plain numbers
and texts and are judged here, where no student's code runs.

The environment variable SUBMITTED names another folder than submitted/. This runs the students'
code. Use an account or a container in which it can do no harm.
"""

import json
import os
import re
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import nbformat
import pytest
from submission_process import run

HERE = Path(__file__).resolve().parent
# Nothing that lies beside the notebooks may stand in for an installed package.
sys.path[:] = [path for path in sys.path if Path(path).resolve() != HERE]

from gnet_lib.exercises import checked, judge  # noqa: E402 -- only now

SUBMITTED = Path(os.environ.get("SUBMITTED", HERE / "submitted")).resolve()

# What browsers, learning platforms and Jupyter add to the name of a copy.
COPY_MARK = re.compile(r"^Copy of |( ?\(\d+\)|-\d+|-Copy\d+| copy( \d+)?| - Copy( \(\d+\))?)$")
CHECK = re.compile(r'^check\("(?P<number>[^"]+)", (?P<name>\w+)\)$', re.MULTILINE)


def code_cells(path):
    """The cells that run, from a file in any encoding; with a reason if there are none."""
    try:
        content = path.read_bytes()
        read = nbformat.reads(content.decode(json.detect_encoding(content)), as_version=4)
        nbformat.validate(read)
    except Exception as error:  # an empty file, a web page, a list: each fails in its own way
        return [], f"not readable as a notebook: {type(error).__name__}: {str(error)[:200]}"
    return [cell for cell in read.cells if cell.cell_type == "code"], ""


def number_of(cell):
    """The exercise that an answer's cell says it belongs to; None for all other cells."""
    mark = cell.metadata.get("gnet")
    is_answer = isinstance(mark, dict) and mark.get("part") == "answer"
    return mark.get("exercise") if is_answer else None


@cache
def handed_out():
    """Name -> exercise -> name of its answer, of the notebooks beside this file."""
    found = {}
    for path in sorted(HERE.glob("*.ipynb")):
        names = found[path.stem] = {}
        for cell in nbformat.read(path, as_version=4).cells:
            if number := number_of(cell):
                call = CHECK.search(cell.source)
                if not call or call["number"] != number or number not in checked():
                    raise ValueError(
                        f"{path.name}: the answer's cell of {number} must end with "
                        f'check("{number}", answer), and the library must have this exercise'
                    )
                names[number] = call["name"]
    return found


def original(name):
    """The handed-out notebook that a submitted one is called after; None if there is none."""
    stem = name.removesuffix(".ipynb")
    stem = stem if stem in handed_out() else COPY_MARK.sub("", stem)
    return stem if stem in handed_out() else None


def answer_cells(cells, number):
    """Where an exercise is answered: what is marked as its answer, or else calls its check."""
    calls = f'check("{number}", '
    marked = [place for place, cell in enumerate(cells) if number_of(cell) == number]
    return marked or [place for place, cell in enumerate(cells) if calls in cell.source]


# --- submissions, all read before anything runs ---------------------------------------------


@dataclass
class Submission:
    """What one student handed in for one notebook; or, without a chapter, what cannot be graded."""

    name: str
    chapter: str | None = None
    problem: str = ""
    cells: list = field(default_factory=list)  # of code
    files: dict = field(default_factory=dict)  # name -> content, of what lies beside it


def visible(folder):
    """All files below a folder, without those that Jupyter keeps in hidden folders."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(SUBMITTED).parts)
    ]


def is_notebook(path):
    """Whether a file is meant as a notebook, if a browser has added ".txt" or ".json", too."""
    return ".ipynb" in path.name.lower()


def misfiled(path):
    """Why a file cannot be graded where it lies; "" if it can."""
    if len(path.relative_to(SUBMITTED).parts) != 2:
        return f"{path} lies in the wrong place; move it to {SUBMITTED}/STUDENT/{path.name}"
    if path.suffix != ".ipynb" or original(path.name) is None:
        names = ", ".join(f"{stem}.ipynb" for stem in handed_out())
        return f"no handed-out notebook is called {path.name}; rename it to one of {names}"
    return ""


def submissions_of(student):
    """What lies in one student's folder."""
    found = visible(student)
    notebooks, beside = [], {}
    for path in found:
        if not is_notebook(path):
            if os.access(path, os.R_OK):
                beside[str(path.relative_to(student))] = path.read_bytes()
        elif problem := misfiled(path):
            yield Submission(str(path.relative_to(SUBMITTED).with_suffix("")), problem=problem)
        else:
            notebooks.append(path)
    if not any(map(is_notebook, found)):
        lies = ", ".join(path.name for path in found[:5]) or "nothing"
        yield Submission(student.name, problem=f"no notebook in {student}: there is {lies}")
    for chapter in handed_out():
        copies = [path for path in notebooks if original(path.name) == chapter]
        name = f"{student.name}/{chapter}"
        if len(copies) > 1:
            names = " and ".join(path.name for path in copies)
            problem = f"there are {len(copies)} copies of one notebook, {names}; leave one"
            yield Submission(name, chapter, problem)
        elif copies:
            cells, problem = code_cells(copies[0])
            yield Submission(name, chapter, problem, cells, beside)


def submissions():
    """What the class handed in."""
    for path in sorted(SUBMITTED.glob("[!.]*")):
        if path.is_dir():
            yield from submissions_of(path)
        elif is_notebook(path):
            yield Submission(path.stem, problem=misfiled(path))


# --- what is wrong with an answer -----------------------------------------------------------


def quoted(cells, place):
    """A cell as its student finds it: the number it gets when all cells run, and its first line."""
    first = next((line for line in cells[place].source.splitlines() if line.strip()), "")
    return f"cell [{place + 1}] ({first.strip()[:60]})"


def verdict(number, name, places, cells, events, why):
    """What is wrong with one answer; "" if nothing is."""
    if len(places) > 1:
        several = " and ".join(quoted(cells, place) for place in places)
        return f"{number}: there are several cells for the answer, {several}; leave one"
    if not places:
        return f"{number}: the cell for the answer is missing"
    match [event for event in events if event["cell"] == places[0]][-1:]:
        case [{"event": "answer", "evidence": evidence}]:
            result = judge(number, evidence)
            return "" if result else result.message
        case [{"event": "error", "error": error}]:
            return f"{number}: the answer's cell stopped with {error}"
        case [{"event": "no answer"}]:
            return f"{number}: its cell gives no `{name}`; one of another cell does not count"
    where = quoted(cells, events[-1]["cell"]) if events else "the first cell"
    return f"not graded: {where} {why or 'ended Python'}"


def graded(submission):
    """Run a submission; exercise -> what is wrong with its answer."""
    names, cells = handed_out()[submission.chapter], submission.cells
    places = {number: answer_cells(cells, number) for number in names}
    one = {number: found[0] for number, found in places.items() if len(found) == 1}
    answers = [(place, number, names[number]) for number, place in one.items()]
    events, why = run([cell.source for cell in cells], answers, submission.files)
    return {
        number: verdict(number, name, places[number], cells, events, why)
        for number, name in names.items()
    }


@cache
def verdicts(index):
    """Exercise -> what is wrong there; a notebook runs once for all its tests."""
    submission = SUBMISSIONS[index]
    if submission.problem or not submission.chapter:
        return dict.fromkeys(handed_out().get(submission.chapter, [None]), submission.problem)
    try:
        return graded(submission)
    except Exception as error:  # a forged report, for instance
        problem = f"not graded: {type(error).__name__}: {str(error)[:300]}"
        return dict.fromkeys(handed_out()[submission.chapter], problem)


def readable(text):
    """A message that every terminal and every XML file can hold."""
    kept = "".join(letter if letter.isprintable() else " " for letter in text)
    return kept.encode("utf-8", "backslashreplace").decode()


def cases():
    """One test for each answer, and one for what cannot be graded where it lies."""
    found = []
    for index, submission in enumerate(SUBMISSIONS):
        name = readable(submission.name)
        for number in handed_out().get(submission.chapter, [None]):
            test = f"{name}-{number}" if number else name
            found.append(pytest.param(index, number, id=test))
    return found


assert handed_out(), f"there is no handed-out notebook in {HERE}, where the tests lie"
SUBMISSIONS = list(submissions())
assert SUBMISSIONS, f"no notebook to grade: there is no {SUBMITTED}/STUDENT/CHAPTER.ipynb"


# Its file of grades holds the students' names, although not all readers of such files ask for them.
@pytest.mark.filterwarnings("ignore:record_property is incompatible")
@pytest.mark.parametrize("index, number", cases())
def test_answer(index, number, record_property):
    """The answer is there, and the checker finds it right."""
    record_property("student", readable(SUBMISSIONS[index].name.split("/")[0]))
    problem = readable(verdicts(index)[number])
    assert not problem, problem
