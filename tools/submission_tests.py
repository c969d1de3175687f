"""Grade the notebooks that students hand in:  python -m pytest test_submission.py

Lay the notebooks of each student into a folder of their own, under the names they were
handed out with (a copy's mark, as in "04_reduced_module (1).ipynb", does no harm):

    submitted/ada/04_reduced_module.ipynb
    submitted/blaise/04_reduced_module.ipynb

Each exercise is one test, named ada/04_reduced_module-4.2 after the handed-out notebook. A
missing or empty answer fails like a wrong one, a cell that stopped with its error. What cannot
be graded (another name, another place, two copies) is one failing test that says why. With
`--junitxml grades.xml` the results are written into a file as well.

First everything is read. Then each notebook runs by itself (submission_process.py): in a folder
that is new and holds only the files that lay beside it, with the limits below, and at the end
whatever it started is stopped. Its answers come back as plain numbers and texts and are judged
here, where no student's code runs.

Environment variables: SUBMITTED names another folder than submitted/, and the limits' names
set others. This runs the students' code. Use an account or a container in which it can do no
harm.
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
from submission_process import limit, run

HERE = Path(__file__).resolve().parent
# Nothing that lies beside the notebooks may stand in for an installed package.
sys.path[:] = [path for path in sys.path if Path(path).resolve() != HERE]

import gnet_lib  # noqa: E402 -- only now
from gnet_lib.exercises import checked, judge  # noqa: E402

FILE_LIMIT_MB = limit("FILE_LIMIT_MB", 100)  # a notebook, and what lies beside it in all
SUBMITTED = Path(os.environ.get("SUBMITTED", HERE / "submitted")).resolve()

# What browsers, learning platforms and Jupyter add to the name of a copy.
COPY_MARK = re.compile(r"^Copy of |( ?\(\d+\)|-\d+|-Copy\d+| copy( \d+)?| - Copy( \(\d+\))?)$")
CHECK = re.compile(r'^check\("(?P<number>[^"]+)", (?P<name>\w+)\)$', re.MULTILINE)


# --- notebooks ------------------------------------------------------------------------------


def notebook(content):
    """The notebook in a file's bytes, whatever the encoding; with a reason if it is none."""
    try:
        read = nbformat.reads(content.decode(json.detect_encoding(content)), as_version=4)
        nbformat.validate(read)
    except Exception as error:  # an empty file, a web page, a list: each fails in its own way
        return None, f"not readable as a notebook: {type(error).__name__}: {str(error)[:200]}"
    return read, ""


def code_cells(read):
    """The cells that run."""
    return [cell for cell in read.cells if cell.cell_type == "code"]


def number_of(cell):
    """The exercise that an answer's cell says it belongs to; None for all other cells."""
    mark = cell.metadata.get("gnet")
    if not isinstance(mark, dict) or mark.get("part") != "answer":
        return None
    return mark.get("exercise")


@cache
def handed_out():
    """Name -> exercise -> name of its answer, of the notebooks beside this file."""
    found = {}
    for path in sorted(HERE.glob("*.ipynb")):
        cells = nbformat.read(path, as_version=4).cells
        answers = [(number, cell) for cell in cells if (number := number_of(cell))]
        found[path.stem] = dict(call_of(path, number, cell) for number, cell in answers)
    return found


def call_of(path, number, cell):
    """(exercise, name of its answer), from the call of the checker in a handed-out cell."""
    call = CHECK.search(cell.source)
    if not call or call["number"] != number or number not in checked():
        raise ValueError(
            f'{path.name}: the answer\'s cell of {number} must end with check("{number}", answer), '
            "and the library must have this exercise"
        )
    return number, call["name"]


def original(name):
    """The handed-out notebook that a submitted one is called after; None if there is none."""
    stem = name.removesuffix(".ipynb")
    return next((each for each in (stem, COPY_MARK.sub("", stem)) if each in handed_out()), None)


def answer_cells(cells, number):
    """Where an exercise is answered: what is marked as its answer, or else calls its check."""
    marked = [place for place, cell in enumerate(cells) if number_of(cell) == number]
    calls = [
        place
        for place, cell in enumerate(cells)
        if any(call["number"] == number for call in CHECK.finditer(cell.source))
    ]
    return marked or calls


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
        if not path.is_dir()
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


def too_large(paths):
    """Why files are not read; "" if they are small enough."""
    size = sum(path.stat().st_size for path in paths) / 1e6
    if size <= FILE_LIMIT_MB:
        return ""
    names = ", ".join(path.name for path in paths[:3])
    return f"not graded: {size:.0f} MB in {names}; the limit is {FILE_LIMIT_MB:.0f} (FILE_LIMIT_MB)"


def read_submission(name, chapter, path, beside):
    """A submission with all that it needs, read into memory."""
    problem = too_large([path]) or too_large(beside)
    if problem:
        return Submission(name, chapter, problem)
    try:
        read, problem = notebook(path.read_bytes())
        files = {str(each.relative_to(path.parent)): each.read_bytes() for each in beside}
    except OSError as error:
        return Submission(name, chapter, f"not readable: {error}")
    return Submission(name, chapter, problem, code_cells(read) if read else [], files)


def submissions_of(student):
    """What lies in one student's folder."""
    found = visible(student)
    good = [path for path in found if is_notebook(path) and not misfiled(path)]
    for path in found:
        if is_notebook(path) and misfiled(path):
            yield Submission(str(path.relative_to(SUBMITTED).with_suffix("")), None, misfiled(path))
    if not any(map(is_notebook, found)):
        lies = ", ".join(path.name for path in found[:5]) or "nothing"
        yield Submission(student.name, None, f"no notebook in {student}: there is {lies}")
    for chapter in handed_out():
        copies = [path for path in good if original(path.name) == chapter]
        name = f"{student.name}/{chapter}"
        if len(copies) > 1:
            names = " and ".join(path.name for path in copies)
            problem = f"there are {len(copies)} copies of one notebook, {names}; leave one"
            yield Submission(name, chapter, problem)
        elif copies:
            beside = [path for path in found if not is_notebook(path) and path.is_file()]
            yield read_submission(name, chapter, copies[0], beside)


def submissions():
    """What the class handed in."""
    for path in sorted(SUBMITTED.glob("*")) if SUBMITTED.is_dir() else []:
        if path.name.startswith("."):
            continue
        if path.is_dir():
            yield from submissions_of(path)
        elif is_notebook(path):
            yield Submission(path.stem, None, misfiled(path))


# --- files that no notebook may change ------------------------------------------------------


def state(path):
    """What tells a file from a changed one."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


LIBRARY = {
    path: state(path) for path in Path(str(gnet_lib.__file__)).resolve().parent.rglob("*.py")
}
OTHERS = {path: state(path) for path in [*HERE.glob("*.py"), *HERE.glob("*.ipynb")]}
if SUBMITTED.is_dir():
    OTHERS |= {path: state(path) for path in visible(SUBMITTED)}


def changed(files):
    """Which of the files are not as they were before anything ran."""
    return [path for path, before in files.items() if state(path) != before]


# --- what is wrong with an answer -----------------------------------------------------------


def quoted(cells, place):
    """A cell as its student finds it: the number it gets when all cells run, and its first line."""
    first = next((line for line in cells[place].source.splitlines() if line.strip()), "")
    return f"cell [{place + 1}] ({first.strip()[:60]})"


def earlier_error(cells, events, error):
    """An earlier cell that stopped, and should have given the name that an error misses."""
    missing = re.match(r"NameError: name '(\w+)' is not defined", error["error"])
    for event in reversed(events):
        if not missing or event.get("event") != "error" or event["cell"] >= error["cell"]:
            continue
        if re.search(rf"\b{missing[1]}\b", cells[event["cell"]].source):
            return f"; earlier, {quoted(cells, event['cell'])} had stopped with {event['error']}"
    return ""


def verdict(number, name, place, cells, events, why):
    """What is wrong with one answer; "" if nothing is."""
    own = [event for event in events if event.get("cell") == place]
    last = own[-1] if own else {}
    if last.get("event") == "answer":
        result = judge(number, last["evidence"])
        return "" if result else result.message
    if last.get("event") == "error":
        line = f" (its line {last['line']})" if last.get("line") else ""
        return (
            f"{number}: the answer's cell stopped with {last['error']}{line}"
            f"{earlier_error(cells, events, last)}"
        )
    if last.get("event") == "no answer":
        return f"{number}: the answer's cell gives no `{name}`; one of another cell does not count"
    return f"not graded: {why}"


def why_ended(cells, events, why):
    """Where a notebook stopped before its end, and why."""
    began = [event["cell"] for event in events if event.get("event") == "began"]
    where = quoted(cells, began[-1]) if began else "the first cell"
    return f"{where} {why or 'ended Python'}"


def graded(submission):
    """Run a submission; exercise -> what is wrong with its answer."""
    names, cells = handed_out()[submission.chapter], submission.cells
    if spoilt := changed(LIBRARY):
        problem = f"not graded: a notebook before this one changed {spoilt[0]}; install it again"
        return dict.fromkeys(names, problem)
    places = {number: answer_cells(cells, number) for number in names}
    answers = {found[0]: number for number, found in places.items() if len(found) == 1}
    job = [
        {
            "source": cell.source,
            "exercise": answers.get(place),
            "name": names.get(answers.get(place)),
        }
        for place, cell in enumerate(cells)
    ]
    untouched = set(OTHERS) - set(changed(OTHERS))
    events, why = run(job, submission.files)
    if spoilt := [path for path in changed(OTHERS | LIBRARY) if path in untouched | set(LIBRARY)]:
        problem = f"not graded: while this notebook ran, {spoilt[0]} was changed; read its code"
        return dict.fromkeys(names, problem)
    why = why_ended(cells, events, why)
    found = {}
    for number, name in names.items():
        if len(places[number]) > 1:
            several = " and ".join(quoted(cells, place) for place in places[number])
            found[number] = (
                f"{number}: there are several cells for the answer, {several}; leave one"
            )
        elif not places[number]:
            found[number] = f"{number}: the cell for the answer is missing"
        else:
            found[number] = verdict(number, name, places[number][0], cells, events, why)
    return found


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
    for index, submission in enumerate(SUBMISSIONS):
        name = readable(submission.name)
        for number in handed_out().get(submission.chapter, [None]):
            yield pytest.param(index, number, id=f"{name}-{number}" if number else name)


assert handed_out(), f"there is no handed-out notebook in {HERE}, where the tests lie"
SUBMISSIONS = list(submissions())
assert SUBMISSIONS, f"no notebook to grade: there is no {SUBMITTED}/STUDENT/CHAPTER.ipynb"


@pytest.mark.parametrize("index, number", cases())
def test_answer(index, number, record_property):
    """The answer is there, and the checker finds it right."""
    record_property("student", readable(SUBMISSIONS[index].name.split("/")[0]))
    problem = readable(verdicts(index)[number])
    assert not problem, problem
