"""Hand-outs for graders: nbgrader's marks, and the tests for submitted notebooks.

nbgrader itself is not among the requirements. The marks are compared with the rules of its
format (version 3): which fields there are, what may be locked, what earns points.
"""

import ast
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from types import SimpleNamespace

import graders
import hand_out
import nbformat
import psutil
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


def exercise(number, answer="...", before=""):
    """An answer cell as a student leaves it, perhaps with some code in front."""
    source = f'{before}\nanswer = {answer}\n\ncheck("{number}", answer)'
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

RIGHT = {"8.3": "(28, 140)", "8.4": "81_900"}
WRONG = "41"
SAYS_WRONG = "8.4: not right, and not near."
FIRST, SECOND = exercise("8.3", RIGHT["8.3"]), exercise("8.4", RIGHT["8.4"])
WRONG_SECOND = exercise("8.4", WRONG)


def prepare(folder):
    """A hand-out with two exercises, before anybody has handed in."""
    notebook = with_answers(exercise("8.3", "(..., ...)"), exercise("8.4"))
    nbformat.write(notebook, folder / "08_training.ipynb")
    graders.add_pytest_files(folder)
    return folder


def hand_in(course, student, *cells, name="08_training.ipynb"):
    """Lay a student's notebook where the tests look for it; its path."""
    path = course / "submitted" / student / name
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(with_answers(*cells), path)
    return path


def code(source):
    """A cell of a student's own."""
    return new_code_cell(source)


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


# Whatever a browser or Jupyter adds to the name of a copy, and what a file can hold that is
# no notebook.
BROKEN_COPIES = {
    "08_training (1)": b"",
    "08_training(2)": b"<html>",
    "08_training-1": b"[]",
    "08_training-Copy1": b"\xff\xfe",
    "Copy of 08_training": b"[" * 100_000,
    "08_training": b'{"cells": [1], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}',
}

# Each stands for a kind; what is to become of it stands in the tests below. The second answer is
# wrong where the code is meant to make it pass.
HOSTILE = {
    "a rewriter": [
        code(
            "from pathlib import Path\n"
            "for path in Path(COURSE, 'submitted').rglob('*.ipynb'):\n"
            "    path.write_text('{}')\n"
            "Path(COURSE, 'test_submission.py').write_text('def test(): pass')"
        ),
        FIRST,
        SECOND,
    ],
    "asks": [FIRST, exercise("8.4", "int(input())")],
    "background": [
        code(
            "import subprocess, sys, threading, time\n"
            "threading.Thread(target=time.sleep, args=[1000]).start()\n"
            "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1000)'])\n"
            "open(COURSE + '/child', 'w').write(str(child.pid))"
        ),
        FIRST,
        SECOND,
    ],
    "check is another": [
        code(
            "import builtins, gnet_lib.exercises as room\n"
            "room.check = check = builtins.check = lambda *_: True\n"
            "room.Number.same = room.judge = lambda *_: True\n"
            "list = sum = str = 'shadowed'"
        ),
        FIRST,
        WRONG_SECOND,
    ],
    "crash": [code("value = 7 / 0"), FIRST, exercise("8.4", "value", before="used = 1")],
    "ends python": [FIRST, code("import os; os._exit(0)"), SECOND],
    "endless": [FIRST, code("while True: pass"), SECOND],
    "exits": [FIRST, code("import sys\ntry:\n    sys.exit()\nfinally:\n    done = 1"), SECOND],
    "image": [
        code("from IPython.display import Image\nImage(data=b'x' * 10**7, format='png')"),
        FIRST,
        SECOND,
    ],
    "library beside it": [
        code(
            "import sys\n"
            "for name in [*sys.modules]:\n"
            "    name.startswith('gnet_lib') and sys.modules.pop(name)"
        ),
        code("open('gnet_lib.py', 'w').write('check = print')\nsys.path.insert(0, '')"),
        FIRST,
        WRONG_SECOND,
    ],
    "liar": [
        code("class Liar(float):\n    __eq__ = lambda *_: True\n    __float__ = lambda _: 81_900."),
        exercise("8.3", "(Liar(28), object())"),
        exercise("8.4", "type('Liar', (), {'__eq__': lambda *_: True})()"),
    ],
    "magics": [
        code("%matplotlib inline\n%config InlineBackend.figure_format = 'retina'"),
        code("%pip install no-such-package\n!ls\n!pip install no-such-package"),
        code("input('a name? ')"),
        exercise(
            "8.3",
            RIGHT["8.3"],
            before="%matplotlib notebook\n%autosave 60\n%timeit -n 1 -r 1 sum([1])\n"
            "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\ndisplay(plt.gcf())",
        ),
        exercise("8.4", RIGHT["8.4"], before="%%time\n%pip install x\n%matplotlib widget"),
    ],
    "memory": [FIRST, code("import time\nmuch = b'x' * 10**9\ntime.sleep(60)"), SECOND],
    "prints": [FIRST, code("while True: print('x' * 1000)"), SECOND],
    "memory of others": [
        FIRST,
        code("import os, time\nmuch = os.fork() or b'x' * 10**9\ntime.sleep(60)"),
        SECOND,
    ],
    "twice": [FIRST, SECOND, new_code_cell(WRONG_SECOND.source, metadata=WRONG_SECOND.metadata)],
    "unicode": [
        code("class Żółw(Exception): pass"),
        exercise("8.3", "'\\ud800\\x00\\x1b[31m'"),
        exercise("8.4", "1", before="raise Żółw('🐢 \\udfff \\x1b[31m')"),
    ],
    "uses an older answer": [FIRST, exercise("8.4", "answer[1] * 438 - 6")],
}


def tampered(course):
    """Marks that are no marks, and the answer's mark on a cell that is none."""
    path = hand_in(course, "tampered", FIRST, SECOND)
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[1].metadata = {"gnet": ["8.3"]}  # still found by its check
    notebook.cells[2] = new_markdown_cell(
        "81_900", metadata={"gnet": {"exercise": "8.4", "part": "answer"}}
    )
    notebook.cells.append(code("1"))
    notebook.cells[3].metadata = {"gnet": {"exercise": ["8.4"], "part": "answer"}}
    nbformat.write(notebook, path)


def encoded(course):
    """Right notebooks in the encodings of Windows, and one of 50 MB."""
    for student, encoding in (("bom", "utf-8-sig"), ("utf16", "utf-16")):
        path = hand_in(course, student, FIRST, SECOND)
        path.write_bytes(path.read_text(encoding="utf-8").encode(encoding))
    picture = nbformat.v4.new_output("display_data", {"image/png": "x" * 50_000_000})
    hand_in(course, "50 MB", new_code_cell("1", outputs=[picture]), FIRST, SECOND)


@pytest.fixture(scope="module")
def submissions(tmp_path_factory):
    """(folder, pytest's run, test -> what it says) of a whole class, graded at once."""
    course = prepare(tmp_path_factory.mktemp("course"))
    hand_in(course, "ada", FIRST, WRONG_SECOND, new_code_cell("pass", metadata={"checks": "8.4"}))
    hand_in(course, "blaise", exercise("8.3", "(42"))  # forgets a bracket, deletes a cell
    for student, cells in HOSTILE.items():
        place = code(f"COURSE = {str(course)!r}")
        hand_in(course, student, place, *cells)
    (course / "submitted" / "library beside it" / "gnet_lib.py").write_text("check = print")
    tampered(course)
    encoded(course)
    for place, (name, content) in enumerate(BROKEN_COPIES.items()):
        hand_in(course, f"emmy{place}", name=f"{name}.ipynb").write_bytes(content)
    hand_in(course, "fritz", name="my homework.ipynb")
    hand_in(course, ".")
    hand_in(course, "fritz/week4")
    hand_in(course, "gus", name="08_training.ipynb.txt")
    (course / "submitted" / "hilde").mkdir()
    (course / "submitted" / "hilde" / "homework.zip").touch()
    hand_in(course, "ida", FIRST, SECOND)
    hand_in(course, "ida", FIRST, WRONG_SECOND, name="08_training (1).ipynb")
    hand_in(course, "ada/.ipynb_checkpoints", name="08_training-checkpoint.ipynb")
    limits = {"CELL_LIMIT_SECONDS": "3", "OUTPUT_LIMIT_MB": "0.3", "MEMORY_LIMIT_GB": "0.8"}
    return course, *graded(course, **limits)


def said_of(submissions, student):
    """What is said about both answers of a student's notebook."""
    said = submissions[2]
    return said[f"{student}/08_training-8.3"], said[f"{student}/08_training-8.4"]


def test_answers_are_graded(submissions):
    assert submissions[1].returncode == 1 and "warnings summary" not in submissions[1].stdout
    first, second = said_of(submissions, "ada")
    assert first == "" and SAYS_WRONG in second
    first, second = said_of(submissions, "blaise")
    assert "8.3: the answer's cell stopped with SyntaxError" in first
    assert "cell for the answer is missing" in second


@pytest.mark.parametrize("student", ["image", "bom", "utf16", "50 MB", "exits", "magics"])
def test_what_is_odd_but_right_is_right(submissions, student):
    assert said_of(submissions, student) == ("", "")


@pytest.mark.parametrize(
    "student, named",
    [
        ("endless", r"cell \[3\] \(while True: pass\) ran longer than 3 s"),
        ("ends python", r"cell \[3\] \(import os; .*\) ended Python"),
        ("memory", r"cell \[3\] .* needed more than 0.8 GB"),
        ("prints", r"cell \[3\] .* printed more than 0.3 MB"),
        ("memory of others", r"cell \[3\] .* needed more than 0.8 GB"),
        ("twice", r"8.4: there are several cells .* cell \[3\] .* and cell \[4\]"),
        ("crash", r"8.4: the answer's cell stopped with NameError: name 'value'"),
        ("uses an older answer", r"8.4: .* NameError: name 'answer' is not defined"),
        ("check is another", SAYS_WRONG),
        ("library beside it", SAYS_WRONG),
        ("asks", r"8.4: the answer's cell stopped with EOFError: nobody answers an input\(\)"),
        ("tampered", "8.4: the cell for the answer is missing"),
    ],
)
def test_what_goes_wrong_costs_what_it_touches_and_is_named(submissions, student, named):
    first, second = said_of(submissions, student)
    assert first == "" and re.search(named, second)


def test_an_answer_that_claims_to_equal_everything_is_refused(submissions):
    first, second = said_of(submissions, "liar")
    assert "for the steps at full size" in first and "type object" in first
    assert "8.4: the answer should be a number, but it is of the type Liar" in second


def test_texts_that_no_file_can_hold_are_said_in_another_way(submissions):
    first, second = said_of(submissions, "unicode")
    assert "it is the text" in first and "Żółw: 🐢" in second


def test_who_changes_another_notebook_changes_no_grade(submissions):
    """The rewriter comes first of all, and everybody else was read before."""
    course, _, said = submissions
    assert min(said) == "08_training" < "a rewriter/08_training-8.3"
    assert (course / "submitted" / "bom" / "08_training.ipynb").read_text() == "{}"
    assert said_of(submissions, "bom") == ("", "")


def test_nothing_that_a_notebook_started_goes_on(submissions):
    course, _, _ = submissions
    assert said_of(submissions, "background") == ("", "")
    child = int((course / "child").read_text())
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == "zombie"


def test_a_file_that_is_no_notebook_fails_alone(submissions):
    for place in range(len(BROKEN_COPIES)):
        found = said_of(submissions, f"emmy{place}")
        assert all("not readable as a notebook" in text for text in found)


def test_what_lies_in_the_wrong_place_fails_alone(submissions):
    course, _, said = submissions
    assert "rename it to one of 08_training.ipynb" in said["fritz/my homework"]
    assert "rename it to one of 08_training.ipynb" in said["gus/08_training.ipynb"]
    assert f"move it to {course / 'submitted'}/STUDENT/08_training.ipynb" in said["08_training"]
    assert "lies in the wrong place" in said["fritz/week4/08_training"]
    assert "no notebook in" in said["hilde"] and "homework.zip" in said["hilde"]
    assert not [name for name in said if "checkpoint" in name]


def test_two_copies_of_a_notebook_are_refused(submissions):
    for text in said_of(submissions, "ida"):
        assert "2 copies of one notebook, 08_training (1).ipynb and 08_training.ipynb" in text


def test_grading_functions_and_modules(tmp_path):
    """A right module that keeps a map, in odd surroundings, and a function that ends Python."""
    course, answers = prepare(tmp_path), {"2.4": ("module", "..."), "3.3": ("merged", "...")}
    cells = [code_of_an_answer(number, *answer) for number, answer in answers.items()]
    nbformat.write(with_answers(*cells), course / "08_training.ipynb")
    module = code_of_an_answer("2.4", "module", RIGHT_MODULE)
    function = code_of_an_answer(
        "3.3", "merged", "def merged(first, second):\n    raise SystemExit"
    )
    hand_in(course, "ada", module, function)
    _, said = graded(course)
    assert said["ada/08_training-2.4"] == ""
    assert "stops at (a Conv2d, a Conv2d) with SystemExit" in said["ada/08_training-3.3"]


def code_of_an_answer(number, name, source):
    """An answer's cell in which the answer takes several lines."""
    cell = exercise(number)
    cell.source = f'{source}\n\ncheck("{number}", {name})'
    return cell


RIGHT_MODULE = """
import torch
from torch import nn

class Five(nn.Module):
    def __init__(self):
        super().__init__()
        sizes = ((64, 1), (128, 3), (32, 5), (16, 7))
        self.layers = nn.ModuleList(nn.Conv2d(192, m, k, padding=k // 2) for m, k in sizes)

    def forward(self, x):
        maps = [layer(x).relu() for layer in self.layers]
        self.last = torch.cat([*maps, nn.functional.max_pool2d(x, 3, 1, 1)], dim=1)
        return self.last

module = Five()
module(torch.rand(1, 192, 4, 4))
torch.set_default_dtype(torch.float64)
"""


def test_nobody_has_handed_in(tmp_path):
    done, _ = graded(prepare(tmp_path))
    assert done.returncode != 0 and "no notebook to grade" in done.stdout


def test_an_exercise_that_the_library_does_not_have_is_named(tmp_path):
    nbformat.write(with_answers(exercise("8.9")), prepare(tmp_path) / "08_training.ipynb")
    done, _ = graded(tmp_path)
    assert "08_training.ipynb: the answer's cell of 8.9 must end with" in done.stdout


def test_a_limit_that_is_no_number_is_named(tmp_path):
    done, _ = graded(prepare(tmp_path), MEMORY_LIMIT_GB="4 GB")
    assert "MEMORY_LIMIT_GB must be a number above 0" in done.stdout


def test_command_prepares_for_both(tmp_path):
    assert hand_out.main(["8", "--grader", "pytest", "--out", str(tmp_path / "plain")]) == 0
    assert (tmp_path / "plain" / "test_submission.py").is_file()
    assert hand_out.main(["8", "--grader", "nbgrader", "--out", str(tmp_path / "marked")]) == 0
    marked = nbformat.read(tmp_path / "marked" / "08_training.ipynb", as_version=4)
    assert faults(marked) == [] and any("nbgrader" in cell.metadata for cell in marked.cells)
    assert not (tmp_path / "marked" / "test_submission.py").exists()


def test_nbgraders_settings_come_with_the_hand_out(tmp_path, capsys):
    """In the course's folder, where nbgrader reads them; a teacher's own are left alone."""
    config = tmp_path / "course" / "nbgrader_config.py"
    for week in ("week1", "week2"):
        source = tmp_path / "course" / "source" / week
        assert hand_out.main(["8", "--grader", "nbgrader", "--out", str(source)]) == 0
        assert "nbgrader_config" not in capsys.readouterr().out
    settings = SimpleNamespace(ClearSolutions=SimpleNamespace(), Execute=SimpleNamespace())
    exec(config.read_text(encoding="utf-8"), {"get_config": lambda: settings})
    stub = settings.ClearSolutions.code_stub["python"]
    assert stub.startswith("# ") and ast.parse(stub).body == []  # no statement: no answer stops
    assert settings.Execute.timeout >= 300
    config.write_text("c = get_config()", encoding="utf-8")
    for out, said in (("course/source/week3", "left as it was; it needs"), ("plain", "move ")):
        assert hand_out.main(["8", "--grader", "nbgrader", "--out", str(tmp_path / out)]) == 0
        assert said in capsys.readouterr().out
    assert config.read_text(encoding="utf-8") == "c = get_config()"


def test_nbgraders_check_judges_no_older_answer():
    """When the second answer's cell has stopped, the first answer is not judged again."""
    checks = [graders.check_cell(cell).source for cell in (FIRST, SECOND)]
    names: dict = {"answer": (28, 140)}
    exec(checks[0], names)
    names["answer"] = 81_900
    exec(checks[1], names)
    with pytest.raises(AssertionError):
        exec(checks[1], names)
