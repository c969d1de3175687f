"""The exercises: their cells in the chapters, their solutions (executed), and their checkers."""

import ast
import contextlib
import copy
import functools
import io
import itertools
import math
import re
import time

import nbformat
import numpy
import pytest
import torch
from conftest import BOOK
from gnet_lib import GoogLeNet, InceptionWidths, MiniGoogLeNet, NaiveInception
from gnet_lib.exercises.answers import EXERCISES
from gnet_lib.exercises import ANY, Choice, Exercise, Satisfies, Number, Numbers, check, checked
from IPython.core.formatters import DisplayFormatter
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from test_paper import MODULES
from test_public_api import HEAVY, in_a_fresh_python
from torch import nn

NO_ANSWER_YET = "no answer yet. Put it in place of the dots."
SECONDS_FOR_A_SOLUTION = 8

# How a chapter's exercises are numbered.
LABELS = {
    path.stem: {"what": "T", "spot": "S"}.get(
        path.stem.split("_")[0], path.stem.split("_")[0].lstrip("0")
    )
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


WITH_CODE = {
    number: code_of(parts["solution"].source)
    for number, parts in CELLS.items()
    if code_of(parts["solution"].source)
}


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


# --- the form of the exercises --------------------------------------------------------

FEWEST, MOST = 3, 6
PARTS = {"question": "markdown", "answer": "code", "solution": "markdown"}


def order_faults(notebook, label):
    """From three to six exercises under their heading, numbered, each with its parts in order."""
    heading = [
        place for place, cell in enumerate(notebook.cells) if cell.source.startswith("## Exercises")
    ]
    marked = [place for place, cell in enumerate(notebook.cells) if "gnet" in cell.metadata]
    if len(heading) != 1 or marked != list(range(heading[0] + 1, heading[0] + 1 + len(marked))):
        return ["the cells of the exercises do not follow one heading '## Exercises'"]
    parts = {}
    for number, part, _ in cells_of(notebook):
        parts.setdefault(number, []).append(part)
    complaints = (
        [] if FEWEST <= len(parts) <= MOST else [f"{len(parts)} exercises, not {FEWEST} to {MOST}"]
    )
    if list(parts) != [f"{label}.{place}" for place in range(1, len(parts) + 1)]:
        complaints.append(f"the exercises are numbered {', '.join(parts)}")
    wanted = (["question", "answer", "solution"], ["question", "solution"])
    complaints += [
        f"{number} has the parts {found}" for number, found in parts.items() if found not in wanted
    ]
    if not any("answer" in found for found in parts.values()):
        complaints.append("no exercise of the chapter can be checked")
    if not any(
        "(open)" in cell.source for _, part, cell in cells_of(notebook) if part == "question"
    ):
        complaints.append("no exercise of the chapter is open")
    return complaints


def cell_faults(notebook, label):
    """Every cell says which exercise and part it is, and looks like it."""
    looks = {
        "question": r"\*\*Exercise {number} \([a-z -]+\)\.\*\* \S.+",
        "answer": r"(from gnet_lib\.exercises import check\n\n)?# Exercise {number}: replace the dots by your answer\.\n.*\.\.\..*\n\ncheck\(\"{number}\", \w+\)",
        "solution": r"<details>\n<summary>Solution {number}</summary>\n\n.+\n\n</details>",
    }
    complaints = []
    for number, part, cell in cells_of(notebook):
        if cell.cell_type != PARTS[part] or set(cell.metadata.gnet) != {"exercise", "part"}:
            complaints.append(f"{number}: the {part} is not a plain {PARTS[part]} cell")
        if not re.fullmatch(
            looks[part].replace("{number}", re.escape(number)), cell.source, re.DOTALL
        ):
            complaints.append(f"{number}: the {part} does not look like one")
        if cell.source.count("<details") != (part == "solution"):
            complaints.append(
                f"{number}: the {part} has {cell.source.count('<details')} folded parts"
            )
    answers = [cell.source for _, part, cell in cells_of(notebook) if part == "answer"]
    if ["import check" in source for source in answers] != [
        place == 0 for place in range(len(answers))
    ]:
        complaints.append("`check` is not imported in the first answer cell, and only there")
    return complaints


FORM = pytest.mark.parametrize(
    "guard", [order_faults, cell_faults], ids=lambda guard: guard.__name__
)


@FORM
@pytest.mark.parametrize("stem", LABELS)
def test_form(stem, guard):
    assert guard(read(stem), LABELS[stem]) == []


def small_chapter():
    """A chapter 4 with three exercises, of which the first can be checked."""
    cells = [
        new_markdown_cell("# 4. A chapter"),
        new_markdown_cell("## Exercises\n\nPut your answer there."),
    ]
    for number, kind in (("4.1", "quick check"), ("4.2", "a modification"), ("4.3", "open")):
        solution = f"<details>\n<summary>Solution {number}</summary>\n\n4.\n\n</details>"
        dots = f'from gnet_lib.exercises import check\n\n# Exercise {number}: replace the dots by your answer.\nanswer = ...\n\ncheck("{number}", answer)'
        parts = {"question": new_markdown_cell(f"**Exercise {number} ({kind}).** How many?")}
        parts |= {"answer": new_code_cell(dots)} if number == "4.1" else {}
        parts |= {"solution": new_markdown_cell(solution)}
        for part, cell in parts.items():
            cell.metadata.gnet = nbformat.from_dict({"exercise": number, "part": part})
            cells.append(cell)
    return new_notebook(cells=[*cells, new_markdown_cell("## Summary")])


@FORM
def test_the_small_chapter_has_no_fault(guard):
    assert guard(small_chapter(), "4") == []


HEADING, QUESTION, ANSWER, SOLUTION, OPEN = 1, 2, 3, 4, 7


def replaced(place, old, new):
    def spoil(cells):
        assert old in cells[place].source
        cells[place].source = cells[place].source.replace(old, new)

    return spoil


FORM_FAULTS = [
    ("no heading", order_faults, replaced(HEADING, "## Exercises", "## Questions")),
    ("a text between", order_faults, lambda cells: cells.insert(SOLUTION, new_markdown_cell("Well."))),
    ("too few", order_faults, lambda cells: cells.__delitem__(slice(OPEN, OPEN + 2))),
    ("another chapter's number", order_faults, lambda cells: cells[QUESTION].metadata.gnet.update(exercise="5.1")),
    ("no solution", order_faults, lambda cells: cells.pop(SOLUTION)),
    ("solution before question", order_faults, lambda cells: cells.insert(OPEN, cells.pop(OPEN + 1))),
    ("nothing to check", order_faults, lambda cells: cells.pop(ANSWER)),
    ("nothing open", order_faults, replaced(OPEN, "(open)", "(a modification)")),
    ("more in the metadata", cell_faults, lambda cells: cells[QUESTION].metadata.gnet.update(points=3)),
    ("an answer in Markdown", cell_faults, lambda cells: cells[ANSWER].update(cell_type="markdown")),
    ("a question without its number", cell_faults, replaced(QUESTION, "4.1", "4.2")),
    ("a question of no kind", cell_faults, replaced(QUESTION, " (quick check)", "")),
    ("an answer that is there", cell_faults, replaced(ANSWER, "...", "864")),
    ("a check of another exercise", cell_faults, replaced(ANSWER, 'check("4.1"', 'check("4.2"')),
    ("a solution in the open", cell_faults, replaced(SOLUTION, "<details>\n", "")),
    ("two solutions in a cell", cell_faults, replaced(SOLUTION, "4.\n", "4.\n\n</details>\n\n<details>\n<summary>More</summary>\n\nWell.\n")),
    ("check is not imported", cell_faults, replaced(ANSWER, "from gnet_lib.exercises import check\n\n", "")),
]  # fmt: skip


@pytest.mark.parametrize(
    "guard, spoil", [fault[1:] for fault in FORM_FAULTS], ids=[fault[0] for fault in FORM_FAULTS]
)
def test_form_guards_notice(guard, spoil):
    notebook = small_chapter()
    spoil(notebook.cells)
    assert guard(notebook, "4"), f"{guard.__name__} let it pass"


# --- the solutions --------------------------------------------------------------------


def run(code):
    """Execute code in a session that knows nothing yet; gives what it prints and its seconds."""
    start = time.process_time()
    printed = said(lambda: exec(compile(code, "solution", "exec"), {"__name__": "__main__"}))
    return printed, time.process_time() - start


def quoted_numbers(text):
    """The numbers with thousands separators in a text; `{,}` is TeX's comma."""
    return set(re.findall(r"\d{1,3}(?:,\d{3})+", text.replace("{,}", ",")))


def test_numbers_in_a_text_are_found():
    assert quoted_numbers("$8{,}192 \\cdot 1{,}024$ or 1,582,671,872, in 2014") == {
        "8,192",
        "1,024",
        "1,582,671,872",
    }
    assert code_of("So:\n\n```python\na = 1\n```\n\nand\n\n```python\nb\n```") == "a = 1\n\nb\n"
    assert "a = 1" not in prose_of("So:\n\n```python\na = 1\n```\n")


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
    "1.1": 112 * 112 * 64 * 7 * 7 * 3,
    "1.2": (10**2 * 2 * 3, 29**2),
    "1.3": 1.5 * 1.5 / (2 * 2),
    "2.1": (3, 28 * 28 * 16 * 7 * 7 * 192),
    "3.1": 25 * 832 * 128 / (832 + 25 * 128),
    "3.2": 832,
    "4.2": (4944, 1_638_585_088),  # checked by brute force below
    "5.1": 4 * (1_582_671_872 - 1024 * 1000) + 1024 * 1000,
    "5.2": (97_526_008, 4944 * 1000 + 1000),  # checked on the network itself below
    "5.3": 1 + 4 * 2 + 1,
    "5b.1": 25 * 1024 * 784,
    "5b.2": (72_500_000, 73_499_999),
    "5c.1": (13_004_888, 2 * 7280 + 2 * 2 * 128),
    "5c.2": (25 - 9) * 16 * 32 * 784,
    "6.1": 8 * 8 * 128 * 1024 + 1024,
    "6.2": 1.6 * math.log(100),
    "7.1": (47_040_000, 4 * 47_040_000, 8 * 47_040_000),
    "8.3": (281, 468 - 281),
    "8.4": 81_900,
    "S.1": (1, 64, 4 * 28, 28),
    "T.1": (8 + 8, 800),
}


@pytest.mark.parametrize("number", EXERCISES)
def test_right_answers_are_right(number):
    assert check(number, EXERCISES[number].right())
    assert message(number, EXERCISES[number].right()) == "right."


@pytest.mark.parametrize("number", BY_HAND)
def test_right_answers_by_hand(number):
    assert check(number, BY_HAND[number])


def test_the_chain_without_projections_by_brute_force():
    """4.2, from layers of torch alone: one 1x1, one reduced 3x3, one reduced 5x5, and what was pooled."""
    channels, multiply_adds = 192, 0
    for printed in MODULES:
        w = printed.widths
        layers = [
            (channels, w.c1x1, 1),
            (channels, w.c3x3_reduce, 1),
            (w.c3x3_reduce, w.c3x3, 3),
            (channels, w.c5x5_reduce, 1),
            (w.c5x5_reduce, w.c5x5, 5),
        ]
        with torch.device("meta"):
            multiply_adds += sum(
                nn.Conv2d(*layer).weight.numel() * printed.size**2 for layer in layers
            )
        channels += w.c1x1 + w.c3x3 + w.c5x5
    assert check("4.2", (channels, multiply_adds))


def test_the_naive_network_by_its_own_parameters():
    with torch.device("meta"):
        network = GoogLeNet(module=NaiveInception, aux=False)
    assert check(
        "5.2", tuple(sum(p.numel() for p in part.parameters()) for part in (network, network.fc))
    )


@pytest.mark.parametrize(
    "number, handmade",
    [
        ("2.4", lambda: Handmade(True)),
        ("5c.3", lambda: nn.MaxPool2d(3, 2, ceil_mode=True)),
        ("8b.3", lambda: Handmade(False)),
    ],
)
def test_modules_made_by_hand_are_right(number, handmade):
    """Other classes, another order of the layers, other weights, trained or not, in another precision."""
    assert check(number, handmade())
    assert check(number, handmade().double().train())


class Handmade(nn.Module):
    """3a with direct convolutions, listed back to front: with a 7x7 path (2.4) or a projection (8b.3)."""

    def __init__(self, seven):
        super().__init__()
        self.pool = nn.MaxPool2d(3, 1, 1)
        self.extra = nn.Conv2d(192, 16, 7, padding=3) if seven else nn.Conv2d(192, 32, 1)
        self.five, self.three, self.one = (
            nn.Conv2d(192, 32, 5, padding=2),
            nn.Conv2d(192, 128, 3, padding=1),
            nn.Conv2d(192, 64, 1),
        )
        self.seven = seven

    def forward(self, x):
        paths = [layer(x).relu() for layer in (self.one, self.three, self.five)]
        pooled = self.pool(x)
        ends = [self.extra(x).relu(), pooled] if self.seven else [self.extra(pooled).relu()]
        return torch.cat([*paths, *ends], dim=1)


def test_asking_leaves_a_module_alone():
    module = Handmade(True).train()
    before = [parameter.clone() for parameter in module.parameters()]
    check("2.4", module)
    assert module.training and all(map(torch.equal, before, module.parameters()))


@pytest.mark.parametrize("in_place", [True, False])
def test_functions_written_otherwise_are_right(in_place):
    """Loops and numpy in place of the library's tensors."""

    def nearest(images, means):
        images, means = (
            each.numpy().reshape(len(each), -1).astype(float) for each in (images, means)
        )
        return [
            min(range(len(means)), key=lambda place: ((image - means[place]) ** 2).sum())
            for image in images
        ]

    def most_frequent(labels, count):
        return torch.stack([row[:count].bincount().argmax() for row in labels])

    def fill(model, value):
        for name, parameter in model.named_parameters():
            layer = model.get_submodule(name.rpartition(".")[0])
            if name.endswith("bias") and not isinstance(layer, nn.BatchNorm2d):
                parameter.data = torch.full_like(parameter.data, value)
        return model if in_place else copy.deepcopy(model)

    assert check("7.2", nearest) and check("7.3", most_frequent) and check("6.3", fill)


def test_any_widths_within_the_budget_are_right():
    half = 128_049_152 / 2
    for numbers in itertools.product(
        (64, 112, 136), (32, 56, 96), (64, 128), (8, 16), (16, 32), (16, 32)
    ):
        widths = InceptionWidths(*numbers)
        per_pixel = 192 * (widths.c1x1 + widths.c3x3_reduce + widths.c5x5_reduce + widths.pool_proj)
        per_pixel += 9 * widths.c3x3_reduce * widths.c3x3 + 25 * widths.c5x5_reduce * widths.c5x5
        assert bool(check("4.3", widths)) == (
            sum(numbers[0::2]) + numbers[5] == 256 and 784 * per_pixel <= half
        )


def test_any_width_near_the_naive_network_is_right():
    with torch.device("meta"):
        naive = sum(p.numel() for p in MiniGoogLeNet(module=NaiveInception).parameters())
        for width in (1.0, 2.3, 2.36, 2.4, 2.42, 2.5, 5.6):
            share = sum(p.numel() for p in MiniGoogLeNet(width=width).parameters()) / naive
            assert bool(check("8b.2", width)) == (0.97 < share < 1.03), width


@pytest.mark.parametrize(
    "number", [number for number in EXERCISES if isinstance(EXERCISES[number].answer_type, Choice)]
)
def test_one_choice_is_right_whatever_its_case(number):
    options = EXERCISES[number].answer_type.options
    right = [option for option in options if check(number, option)]
    assert right == [EXERCISES[number].right()]
    assert check(number, f" {right[0].upper()} ")


def is_numeric(number):
    right = EXERCISES[number].right()
    parts = right if isinstance(right, tuple) else (right,)
    return all(isinstance(part, (int, float)) for part in parts)


NUMERIC = [number for number in EXERCISES if is_numeric(number)]


def test_every_number_has_a_truth_by_hand():
    of_many = {number for number in NUMERIC if isinstance(EXERCISES[number].answer_type, Satisfies)}
    assert set(NUMERIC) - of_many == set(BY_HAND)


MISTAKES = [
    pytest.param(number, place, id=f"{number}-{place}")
    for number, exercise in EXERCISES.items() for place in range(len(exercise.mistakes))
]  # fmt: skip


def completed(exercise, mistaken):
    """A mistake that concerns some parts only, with right answers for the others."""
    if not isinstance(exercise.answer_type, Numbers):
        return mistaken
    return tuple(
        right if part is ANY else part
        for part, right in zip(mistaken, exercise.right(), strict=True)
    )


@pytest.mark.parametrize("number, place", MISTAKES)
def test_each_mistake_gets_its_own_message(number, place):
    exercise = EXERCISES[number]
    mistaken, explanation = exercise.mistakes[place]
    assert message(number, completed(exercise, mistaken())) == explanation
    assert len(explanation.split()) > 4 and explanation.endswith((".", "?"))
    assert not check(number, completed(exercise, mistaken()))


@pytest.mark.parametrize("number", EXERCISES)
def test_no_two_mistakes_share_a_message(number):
    explanations = [explanation for _, explanation in EXERCISES[number].mistakes]
    assert len(set(explanations)) == len(explanations)


def forms(value):
    """The ways to write a number, as patterns."""
    texts = {f"{value:,.{digits}f}" for digits in range(3)} | {f"{value:.3g}", f"{value:.4g}"}
    if value >= 1e5:
        texts |= {
            f"{value / unit:,.{digits}f}"
            for unit in (1e3, 1e6, 1e9)
            for digits in range(1, 4)
            if value > unit
        }
    texts |= {text.replace(",", separator) for text in texts for separator in ("", " ", "_")}
    return [rf"(?<![\d.,]){re.escape(text)}(?!\d|[.,]\d)" for text in texts]


def wrong_answers(right):
    """Many wrong answers of the same form."""
    if isinstance(right, tuple):
        for place, part in enumerate(right):
            for wrong in wrong_answers(part):
                if wrong != part:
                    yield (*right[:place], wrong, *right[place + 1 :])
        yield from (right[:-1], (*right, 1), (0,) * len(right), "many")
    else:
        yield from (
            0,
            -1,
            1,
            7,
            right + 1000,
            right * 2,
            right // 2 + 3,
            right * 10,
            right * 1e-3,
            "many",
            None,
            True,
            (),
            [1, 2],
        )
        yield int(right * 1.02) + 3


def messages_about(number):
    exercise = EXERCISES[number]
    right = exercise.right()
    answers = [completed(exercise, mistaken()) for mistaken, _ in exercise.mistakes]
    return [message(number, answer) for answer in [*answers, *wrong_answers(right)]]


@pytest.mark.parametrize("number", NUMERIC)
def test_no_message_gives_the_answer_away(number):
    right = EXERCISES[number].right()
    secrets = [
        form for part in (right if isinstance(right, tuple) else (right,)) for form in forms(part)
    ]
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
    in_a_notebook = DisplayFormatter().format
    assert in_a_notebook(right) == ({}, {})  # the printed line is enough
    assert in_a_notebook(right.message) != ({}, {})


@pytest.mark.parametrize(
    "number, complaint",
    [
        (
            "8.1",
            r"exercise must be one of the exercises of chapter 8 that have a check \(8\.3, 8\.4\), but it is '8\.1'; open questions have none",
        ),
        ("8.33", r"chapter 8 .*but it is '8\.33'"),
        ("9.1", r"exercise must begin with a chapter \(.*8.*\), as '4\.2' does, but it is '9\.1'"),
        ("", "exercise must begin with a chapter .*but it is ''"),
        (
            8.3,
            "exercise must be a number as text, such as '4.2', or an Exercise of your own, but it is 8.3",
        ),
        (
            None,
            "exercise must be a number as text, such as '4.2', or an Exercise of your own, but it is None",
        ),
    ],
)
def test_unknown_numbers_are_refused(number, complaint):
    with pytest.raises(ValueError, match=complaint):
        check(number, 1)


def own_exercise(**changes):
    """An exercise of a teacher's own, which is not in the book."""
    parts = {
        "number": "H.1",
        "title": "channels of 3a",
        "answer_type": Number(),
        "right": lambda: 256,
    } | changes
    return Exercise(**parts)


def test_an_exercise_of_ones_own_is_checked_like_the_books():
    own = own_exercise(
        mistakes=((lambda: 416, "that is the naive module's."),), hint="Add four widths."
    )
    assert said(lambda: check(own, 256)) == "H.1: right.\n"
    assert said(lambda: check(own, 416)) == "H.1: that is the naive module's.\n"
    assert said(lambda: check(own, 255)).endswith("left out. Add four widths.\n")
    assert said(lambda: check(own, ...)) == f"H.1: {NO_ANSWER_YET}\n"
    assert "H.1" not in checked()


@pytest.mark.parametrize(
    "changes, complaint",
    [
        ({"answer_type": 256}, "^answer_type must be an answer type such as Number\\(\\), but it is 256$"),
        (
            {"right": 256},
            "^right must be a function that computes an answer, such as lambda: 42, but it is 256$",
        ),
        (
            {"mistakes": ((416, "naive."),)},
            "^the first part of each of mistakes must be a function .*, but it is 416$",
        ),
    ],
)
def test_an_exercise_of_ones_own_is_refused_at_once(changes, complaint):
    with pytest.raises(ValueError, match=complaint):
        own_exercise(**changes)


class TwoOutputs(nn.Module):
    def forward(self, x):
        return x, x


@pytest.mark.parametrize(
    "number, answer, complaint",
    [
        (
            "1.1",
            "118 million",
            "the answer should be a whole number, but it is the text '118 million'.",
        ),
        ("1.1", 0.5, "the answer should be a whole number, but it is 0.5."),
        ("1.1", math.inf, "the answer should be a whole number, but it is inf."),
        ("1.1", math.nan, "the answer should be a whole number, but it is nan."),
        ("1.1", True, "the answer should be a whole number, but it is True."),
        ("1.1", None, "the answer should be a whole number, but it is None."),
        ("1.1", (1, 2), "the answer should be a whole number, but it is of the type tuple."),
        (
            "1.1",
            torch.zeros(2),
            "the answer should be a whole number, but it is a Tensor of the shape (2,).",
        ),
        ("1.1", 10**400, "not right, and not near."),
        ("1.1", -math.inf, "the answer should be a whole number, but it is -inf."),
        ("1.3", math.inf, "not right, and not near."),
        ("1.3", -(10**400), "not right, and not near."),
        ("1.3", math.nan, "not right, and not near."),
        (
            "1.3",
            "0.5",
            "the answer should be a number, but it is the text '0.5'; write the number without quotation marks and commas.",
        ),
        (
            "1.1",
            "118,013,952",
            "it is the text '118,013,952'; write the number without quotation marks and commas.",
        ),
        (
            "1.1",
            "-1_000 ",
            "it is the text '-1_000 '; write the number without quotation marks and commas.",
        ),
        pytest.param(
            "2.2",
            10**5000,
            "but it is a whole number of more than 30 digits.",
            id="too long to write",
        ),
        ("2.2", -(10**400), "but it is a whole number of more than 30 digits."),
        ("2.2", 10**30 - 1, f"but it is {10**30 - 1}."),
        ("2.2", math.inf, "but it is inf."),
        (
            "2.1",
            3,
            "the answer should be 2 whole numbers in brackets (padding, multiply-adds), but it is 3.",
        ),
        (
            "2.1",
            torch.tensor(3),
            "the answer should be 2 whole numbers in brackets (padding, multiply-adds), but it has 1 value.",
        ),
        (
            "2.1",
            (3,),
            "the answer should be 2 whole numbers in brackets (padding, multiply-adds), but it has 1 value.",
        ),
        (
            "2.1",
            ("3", 4),
            "the answer should be 2 whole numbers in brackets (padding, multiply-adds), but for the padding it is the text '3'; write the number without quotation marks and commas.",
        ),
        ("2.1", b"x", "but it is of the type bytes."),
        ("2.1", (), "but it has 0 values."),
        ("2.1", (3, 10**400), "not right: the multiply-adds."),
        (
            "5.2",
            (1, 1),
            "not right: the parameters of the network and the parameters of the last layer.",
        ),
        (
            "2.1",
            {3, 4},
            "the answer should be 2 whole numbers in brackets (padding, multiply-adds), but it is of the type set.",
        ),
        (
            "2.2",
            "cat",
            "the answer should be one of the texts 'the pooling', 'torch.cat', 'the next module', but it is the text 'cat'.",
        ),
        (
            "2.4",
            nn.ReLU,
            "the answer should be a module for inputs of the shape (1, 192, 9, 9), but it is the class ReLU itself; make one with ReLU(...).",
        ),
        (
            "2.4",
            4,
            "the answer should be a module for inputs of the shape (1, 192, 9, 9), but it is 4.",
        ),
        (
            "2.4",
            nn.Conv2d(3, 4, 1),
            "the answer should be a module for inputs of the shape (1, 192, 9, 9), but yours stops with RuntimeError: Given groups=1",
        ),
        ("2.4", nn.Conv2d(192, 4, 1, device="meta"), "but yours stops with NotImplementedError: "),
        ("2.4", TwoOutputs(), "but what yours puts out is of the type tuple, not a tensor."),
        (
            "2.4",
            nn.Conv2d(192, 4, 1),
            "its output has the shape (1, 4, 9, 9), which is not the one that is asked for.",
        ),
        (
            "2.4",
            nn.Conv2d(192, 432, 1),
            "the shape is right, but it has too few parameters (83,376).",
        ),
        (
            "2.4",
            nn.Conv2d(192, 432, 3, padding=1),
            "the shape is right, but it has too many parameters (746,928).",
        ),
        (
            "3.3",
            5,
            "the answer should be a function of two convolutions that gives a weight and a bias, but it is 5.",
        ),
        ("3.3", lambda first: 1, "yours stops at (a Conv2d, a Conv2d) with TypeError: "),
        ("3.3", lambda first, second: None, "yours returns nothing (is there a return?)."),
        ("3.3", lambda first, second: ..., NO_ANSWER_YET),
        (
            "3.3",
            lambda first, second: 1,
            "not right for 3 of the 3 inputs that were tried, for instance (a Conv2d, a Conv2d). It has to give both",
        ),
        (
            "7.3",
            lambda labels, count: labels[:, count],
            "yours stops at (a tensor of shape (3, 9), 9) with IndexError: ",
        ),
        (
            "4.3",
            (128, 48, 64, 12, 32, 32),
            "the answer should be InceptionWidths(c1x1, c3x3_reduce, c3x3, c5x5_reduce, c5x5, pool_proj), but it is of the type tuple.",
        ),
        (
            "4.3",
            InceptionWidths(64, 96, 128, 16, 32, 31),
            "its four branches do not put out 256 channels together.",
        ),
        (
            "8b.2",
            -1,
            "a width is a factor for all channels: it has to be above 0, and need not be above 10.",
        ),
    ],
)
def test_answers_of_another_kind_are_named(number, answer, complaint):
    assert complaint in message(number, answer)


def test_numbers_out_of_tables_and_tensors_are_numbers():
    right = EXERCISES["1.1"].right()
    assert (
        check("1.1", numpy.int64(right))
        and check("1.1", torch.tensor(right))
        and check("1.1", float(right))
    )
    assert check("1.3", numpy.float64(0.5625)) and check("S.1", torch.Size([1, 64, 112, 28]))
    assert check("7.1", numpy.array(EXERCISES["7.1"].right())) and check(
        "7.1", list(EXERCISES["7.1"].right())
    )


def test_near_misses_are_told_how_near_they_are():
    right = EXERCISES["1.1"].right()
    assert message("1.1", right + 1).startswith("very close, but not exact.")
    assert message("1.1", right // 2).startswith("the right order of magnitude, but not exact.")
    assert message("1.1", right * 50).startswith("not right, and not near.")


def test_the_same_answer_gets_the_same_line():
    for number, exercise in EXERCISES.items():
        assert message(number, exercise.right()) == message(number, exercise.right())
        for mistaken, _ in exercise.mistakes:
            answers = [completed(exercise, mistaken()) for _ in range(2)]
            assert message(number, answers[0]) == message(number, answers[1])


def test_random_numbers_stay_as_they_were():
    for number, exercise in EXERCISES.items():
        right, state = exercise.right(), torch.get_rng_state()
        assert check(number, right)
        assert torch.equal(state, torch.get_rng_state()), number


def test_checked_lists_the_exercises():
    assert list(checked()) == list(EXERCISES)
    assert checked("8") == {number: EXERCISES[number].title for number in ("8.3", "8.4")}
    with pytest.raises(ValueError, match="chapter must be one of .*8.*, but it is '99'"):
        checked("99")
    with pytest.raises(ValueError, match="^chapter must be a text such as '8', but it is 8$"):
        checked(8)


def test_importing_the_checkers_brings_nothing_heavy():
    loaded = in_a_fresh_python(
        "import json, sys\nfrom gnet_lib.exercises import check\nprint(json.dumps(list(sys.modules)))"
    )
    assert not set(HEAVY).intersection(loaded)


@pytest.mark.parametrize("number", ["2.1", "4.2"])
def test_right_numbers_in_another_order_are_told_so(number):
    right = EXERCISES[number].right()
    message = check(number, right[::-1]).message
    assert "right numbers in another order. First the " in message
    assert not any(
        f"{value:,}" in message or str(value) in message.partition(":")[2] for value in right
    )


def test_numbers_that_may_be_off_may_have_a_fraction():
    assert check("8.3", (0.3 * 936, 468 - 0.3 * 936))
    assert not check("8.3", (0.3 * 936, 468 - 0.3 * 936 + 3))
    assert "it is 2.5" in check("2.1", (2.5, 10)).message
