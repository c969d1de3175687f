"""The exercises: their cells in the chapters, their solutions (executed), and their checkers."""

import ast
import contextlib
import functools
import io
import re
import time

import nbformat
import pytest
from conftest import BOOK
from gnet_lib.exercises import ANY, EXERCISES, Numbers, check, checked
from IPython.core.interactiveshell import InteractiveShell
from test_public_api import HEAVY, in_a_fresh_python

NO_ANSWER_YET = "no answer yet. Put it in place of the dots."
SECONDS_FOR_A_SOLUTION = 8

# How a chapter's exercises are numbered.
LABELS = {
    path.stem: {"what": "T", "spot": "S"}.get(path.stem.split("_")[0], path.stem.split("_")[0].lstrip("0"))
    for path in sorted(BOOK.glob("*.ipynb"))
}


# --- small readers --------------------------------------------------------------------


def cells_of(notebook):
    """(exercise, part, cell) of every cell that belongs to an exercise, in order."""
    marked = [(cell.metadata.get("gnet", {}), cell) for cell in notebook.cells]
    return [(mark["exercise"], mark["part"], cell) for mark, cell in marked if mark]


def read(stem):
    return nbformat.read(BOOK / f"{stem}.ipynb", as_version=4)


def all_cells():
    """Number -> part -> cell, for the whole book."""
    found = {}
    for stem in LABELS:
        for number, part, cell in cells_of(read(stem)):
            found.setdefault(number, {})[part] = cell
    return found


CELLS = all_cells()


def code_of(solution):
    """The Python blocks of a solution's text, one below the other."""
    return "\n".join(re.findall(r"^```python\n(.*?)^```$", solution, re.MULTILINE | re.DOTALL))


def prose_of(solution):
    return re.sub(r"^```python\n.*?^```$", "", solution, flags=re.MULTILINE | re.DOTALL)


WITH_CODE = {number: code_of(parts["solution"].source) for number, parts in CELLS.items() if code_of(parts["solution"].source)}


def said(call):
    """What a call prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        call()
    return printed.getvalue()


def message(number, answer):
    """The line about an answer, without the exercise's number."""
    line = said(lambda: check(number, answer))
    assert line.startswith(f"{number}: ") and line.count("\n") == 1
    return line.removeprefix(f"{number}: ").rstrip("\n")


# --- the solutions --------------------------------------------------------------------


def run(code):
    """Execute code in a session that knows nothing yet; gives what it prints and its seconds."""
    start = time.process_time()
    printed = said(lambda: exec(compile(code, "solution", "exec"), {"__name__": "__main__"}))
    return printed, time.process_time() - start


def quoted_numbers(text):
    """The numbers with thousands separators in a text; `{,}` is TeX's comma."""
    return set(re.findall(r"\d{1,3}(?:,\d{3})+", text.replace("{,}", ",")))


@pytest.mark.parametrize("number", WITH_CODE)
def test_solution_runs_by_itself_and_is_accepted(number, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    printed, seconds = run(WITH_CODE[number])
    if number in EXERCISES:
        assert printed.endswith(f"{number}: right.\n")
    assert seconds < SECONDS_FOR_A_SOLUTION
    missing = quoted_numbers(prose_of(CELLS[number]["solution"].source)) - quoted_numbers(printed)
    assert not missing, f"the text quotes {missing}, which its code does not print"


def test_every_checked_exercise_has_a_solution_that_ends_with_its_check():
    for number in EXERCISES:
        last = ast.parse(WITH_CODE[number]).body[-1]
        assert ast.unparse(last).startswith(f"check('{number}', "), number


def test_the_book_and_the_registry_have_the_same_exercises():
    waiting = [number for number, parts in CELLS.items() if "answer" in parts]
    assert waiting == list(EXERCISES)
    assert [number for number in WITH_CODE if f'check("{number}"' in WITH_CODE[number]] == waiting


@pytest.mark.parametrize("stem", LABELS)
def test_answer_cells_wait_for_an_answer(stem):
    """They run one after the other with no other cell of the chapter, and print what is stored."""
    session = {}
    for number, part, cell in cells_of(read(stem)):
        if part == "answer":
            printed = said(functools.partial(exec, cell.source, session))
            assert printed == f"{number}: {NO_ANSWER_YET}\n" == cell.outputs[0].text
            assert cell.source.count(f"# Exercise {number}: replace the dots by your answer.") == 1
            assert "..." in cell.source


# --- right answers and known mistakes ---------------------------------------------------

# Right answers from hand formulas, the paper's table and torch alone.
BY_HAND = {
    "8.3": (281, 468 - 281),
    "8.4": 81_900,
}


@pytest.mark.parametrize("number", EXERCISES)
def test_right_answers_are_right(number):
    assert check(number, EXERCISES[number].right())
    assert message(number, EXERCISES[number].right()) == "right."


@pytest.mark.parametrize("number", BY_HAND)
def test_right_answers_by_hand(number):
    assert check(number, BY_HAND[number])


def is_numeric(number):
    right = EXERCISES[number].right()
    parts = right if isinstance(right, tuple) else (right,)
    return all(isinstance(part, (int, float)) for part in parts)


NUMERIC = [number for number in EXERCISES if is_numeric(number)]


def test_every_number_has_a_truth_by_hand():
    assert set(NUMERIC) <= set(BY_HAND)


MISTAKES = [
    pytest.param(number, place, id=f"{number}-{place}")
    for number, exercise in EXERCISES.items() for place in range(len(exercise.mistakes))
]  # fmt: skip


def completed(exercise, mistaken):
    """A mistake that concerns some parts only, with right answers for the others."""
    if not isinstance(exercise.wanted, Numbers):
        return mistaken
    return tuple(right if part is ANY else part for part, right in zip(mistaken, exercise.right(), strict=True))


@pytest.mark.parametrize("number, place", MISTAKES)
def test_each_mistake_gets_its_own_message(number, place):
    exercise = EXERCISES[number]
    mistaken, explanation = exercise.mistakes[place]
    assert message(number, completed(exercise, mistaken())) == explanation
    assert len(explanation.split()) > 4 and explanation.endswith((".", "?"))
    assert not check(number, completed(exercise, mistaken()))


def forms(value):
    """The ways to write a number, as patterns."""
    texts = {f"{value:,.{digits}f}" for digits in range(3)} | {f"{value:.3g}", f"{value:.4g}"}
    if value >= 1e5:
        texts |= {f"{value / unit:,.{digits}f}" for unit in (1e3, 1e6, 1e9) for digits in range(1, 4) if value > unit}
    texts |= {text.replace(",", separator) for text in texts for separator in ("", " ", "_")}
    return [rf"(?<![\d.,]){re.escape(text)}(?!\d|[.,]\d)" for text in texts]


def wrong_answers(right):
    """Many wrong answers of the same form."""
    if isinstance(right, tuple):
        for place, part in enumerate(right):
            for wrong in wrong_answers(part):
                yield (*right[:place], wrong, *right[place + 1 :])
        yield from (right[:-1], (*right, 1), (0,) * len(right), "many")
    else:
        yield from (0, -1, 1, 7, right + 1000, right * 2, right // 2 + 3, right * 10, right * 1e-3, "many", None, True, (), [1, 2])
        yield int(right * 1.02) + 3


def messages_about(number):
    exercise = EXERCISES[number]
    right = exercise.right()
    answers = [completed(exercise, mistaken()) for mistaken, _ in exercise.mistakes]
    return [message(number, answer) for answer in [*answers, *wrong_answers(right)]]


@pytest.mark.parametrize("number", NUMERIC)
def test_no_message_gives_the_answer_away(number):
    right = EXERCISES[number].right()
    secrets = [form for part in (right if isinstance(right, tuple) else (right,)) for form in forms(part)]
    for line in messages_about(number):
        assert line != "right."
        # What somebody wrote is repeated to them; a part of it may be right.
        told = line.partition(", but ")[0]
        assert not [form for form in secrets if re.search(form, told)], line


def test_the_guard_against_giving_away_works():
    assert any(re.search(form, "you forgot 1,582.7 million") for form in forms(1_582_671_872))
    assert any(re.search(form, "it is 1 582 671 872.") for form in forms(1_582_671_872))
    assert any(re.search(form, "about 660.3") for form in forms(660.27))
    assert not any(re.search(form, "16 channels, 1,600 parameters, 3.16") for form in forms(160))


# --- what `check` answers ---------------------------------------------------------------


def test_a_result_counts_as_right_or_wrong_and_shows_nothing_of_its_own():
    right, wrong = check("8.4", 81_900), check("8.4", 1)
    assert right and right.right and right.message == "8.4: right."
    assert not wrong and not wrong.right and wrong.message.startswith("8.4: not right")
    in_a_notebook = InteractiveShell.instance().display_formatter.format
    assert in_a_notebook(right) == ({}, {})  # the printed line is enough
    assert in_a_notebook(right.message) != ({}, {})


@pytest.mark.parametrize(
    "number, complaint",
    [
        ("8.1", r"number must be one of the exercises of chapter 8 that have a check \(8\.3, 8\.4\), but it is '8\.1'; open questions have none"),
        ("8.33", r"chapter 8 .*but it is '8\.33'"),
        ("9.1", r"number must begin with a chapter \(.*8.*\), as '4\.2' does, but it is '9\.1'"),
        ("", "number must begin with a chapter .*but it is ''"),
        (8.3, "number must be a text such as '4.2', but it is 8.3"),
        (None, "number must be a text such as '4.2', but it is None"),
    ],
)
def test_unknown_numbers_are_refused(number, complaint):
    with pytest.raises(ValueError, match=complaint):
        check(number, 1)


def test_checked_lists_the_exercises():
    assert list(checked()) == list(EXERCISES)
    assert checked("8") == {number: EXERCISES[number].title for number in ("8.3", "8.4")}
    with pytest.raises(ValueError, match="chapter must be one of .*8.*, but it is '99'"):
        checked("99")


def test_importing_the_checkers_brings_nothing_heavy():
    loaded = in_a_fresh_python("import json, sys\nfrom gnet_lib.exercises import check\nprint(json.dumps(list(sys.modules)))")
    assert not set(HEAVY).intersection(loaded)
