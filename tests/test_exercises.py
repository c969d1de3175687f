"""The exercises: their cells in the chapters, their solutions (executed), and their checkers."""

import ast
import contextlib
import copy
import dataclasses
import functools
import io
import itertools
import math
import random
import re
import subprocess
import sys
import threading
import time
from typing import Any

import nbformat
import numpy
import pandas
import pytest
import torch
from conftest import BOOK
from IPython.core.formatters import DisplayFormatter
from torch import nn
from torch.nn.parameter import is_lazy

from gnet_lib.exercises import (
    ANY,
    AnswerType,
    Choice,
    Exercise,
    FaultyExercise,
    Function,
    Module,
    Number,
    Numbers,
    Result,
    Satisfies,
    check,
    checked,
    evidence,
    judge,
)
from gnet_lib.exercises.answers import EXERCISES
from gnet_lib.googlenet import GoogLeNet, MiniGoogLeNet
from gnet_lib.inception import NaiveInception
from gnet_lib.paper import WIDTHS, InceptionWidths

NO_ANSWER_YET = "no answer yet. Put it in place of the dots."
SECONDS_FOR_A_SOLUTION = 8


# --- small readers --------------------------------------------------------------------


def label(stem):
    """How a chapter's exercises are numbered: "5b", "T" for torchinfo, "Y" for your own."""
    first = stem.split("_")[0]
    return {"what": "T", "spot": "S", "your": "Y"}.get(first, first.lstrip("0"))


CHAPTERS = {
    label(path.stem): nbformat.read(path, as_version=4) for path in sorted(BOOK.glob("*.ipynb"))
}


def cells_of(notebook):
    """(exercise, part, cell) of every cell that belongs to an exercise, in order."""
    marked = [(cell.metadata.get("gnet", {}), cell) for cell in notebook.cells]
    return [(mark["exercise"], mark["part"], cell) for mark, cell in marked if mark]


def cells_by_number():
    """Number -> part -> cell, for the whole book."""
    found = {}
    for notebook in CHAPTERS.values():
        for number, part, cell in cells_of(notebook):
            found.setdefault(number, {})[part] = cell
    return found


CELLS = cells_by_number()
CODE_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# Number -> the Python blocks of its solution, one below the other.
SOLUTIONS = {
    number: code
    for number, parts in CELLS.items()
    if (code := "\n".join(CODE_BLOCK.findall(parts["solution"].source)))
}


def printed_by(call):
    """What a call prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        call()
    return printed.getvalue()


def message(exercise, answer):
    """The line about an answer, without the exercise's number."""
    number = exercise if isinstance(exercise, str) else exercise.number
    line = printed_by(lambda: check(exercise, answer))
    assert line.startswith(f"{number}: ") and line.count("\n") == 1
    return line.removeprefix(f"{number}: ").rstrip("\n")


# --- the form of the exercises --------------------------------------------------------

FEWEST, MOST = 3, 6
PARTS = {"question": "markdown", "answer": "code", "solution": "markdown"}
ORDERS = (["question", "answer", "solution"], ["question", "solution"])
LOOKS = {
    "question": r"\*\*Exercise {number} \([a-z -]+\)\.\*\* \S.+",
    "answer": r"(from gnet_lib\.exercises import check\n\n)?"
    r"# Exercise {number}: replace the dots by your answer\.\n.*\.\.\..*\n\n"
    r"check\(\"{number}\", \w+\)",
    "solution": r"<details>\n<summary>Solution {number}</summary>\n\n.+\n\n</details>",
}


def order_faults(notebook, chapter):
    """From three to six exercises under their heading, numbered, each with its parts in order."""
    sources = [cell.source for cell in notebook.cells]
    heading = [place for place, text in enumerate(sources) if text.startswith("## Exercises")]
    marked = [place for place, cell in enumerate(notebook.cells) if "gnet" in cell.metadata]
    if len(heading) != 1 or marked != list(range(heading[0] + 1, heading[0] + 1 + len(marked))):
        return ["the cells of the exercises do not follow one heading '## Exercises'"]
    parts = {}
    for number, part, _ in cells_of(notebook):
        parts.setdefault(number, []).append(part)
    found = [
        f"{number} has the parts {each}" for number, each in parts.items() if each not in ORDERS
    ]
    if not FEWEST <= len(parts) <= MOST:
        found.append(f"{len(parts)} exercises, not {FEWEST} to {MOST}")
    if list(parts) != [f"{chapter}.{place}" for place in range(1, len(parts) + 1)]:
        found.append(f"the exercises are numbered {', '.join(parts)}")
    if not any("answer" in each for each in parts.values()):
        found.append("no exercise of the chapter can be checked")
    if not any(
        "(open)" in cell.source for _, part, cell in cells_of(notebook) if part == "question"
    ):
        found.append("no exercise of the chapter is open")
    return found


def cell_faults(notebook, chapter):
    """Every cell says which exercise and part it is, and looks like it."""
    found = []
    for number, part, cell in cells_of(notebook):
        if cell.cell_type != PARTS[part] or set(cell.metadata.gnet) != {"exercise", "part"}:
            found.append(f"{number}: the {part} is not a plain {PARTS[part]} cell")
        look = LOOKS[part].replace("{number}", re.escape(number))
        if not re.fullmatch(look, cell.source, re.DOTALL):
            found.append(f"{number}: the {part} does not look like one")
        if cell.source.count("<details") != (part == "solution"):
            found.append(f"{number}: the {part} has {cell.source.count('<details')} folded parts")
    answers = [cell.source for _, part, cell in cells_of(notebook) if part == "answer"]
    imports = ["import check" in source for source in answers]
    if imports != [True, *[False] * (len(answers) - 1)]:
        found.append("`check` is not imported in the first answer cell, and only there")
    return found


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_form_of_the_exercises(chapter):
    assert order_faults(CHAPTERS[chapter], chapter) == []
    assert cell_faults(CHAPTERS[chapter], chapter) == []


def test_a_missing_solution_is_noticed():
    notebook = copy.deepcopy(CHAPTERS["4"])
    notebook.cells.remove(next(cell for _, part, cell in cells_of(notebook) if part == "solution"))
    assert order_faults(notebook, "4") == ["4.1 has the parts ['question', 'answer']"]


def test_an_answer_that_is_given_away_is_noticed():
    notebook = copy.deepcopy(CHAPTERS["4"])
    answer = next(cell for _, part, cell in cells_of(notebook) if part == "answer")
    answer.source = answer.source.replace("...", '"3b"')
    assert cell_faults(notebook, "4") == ["4.1: the answer does not look like one"]


def test_answer_cells_wait_for_an_answer():
    """They run one after the other with no other cell, and print what is stored."""
    for notebook in CHAPTERS.values():
        session = {}
        for number, part, cell in cells_of(notebook):
            if part == "answer":
                printed = printed_by(functools.partial(exec, cell.source, session))
                assert printed == f"{number}: {NO_ANSWER_YET}\n" == cell.outputs[0].text


def test_the_book_and_the_library_have_the_same_exercises():
    waiting = [number for number, parts in CELLS.items() if "answer" in parts]
    assert waiting == list(EXERCISES)
    assert [number for number in SOLUTIONS if f'check("{number}"' in SOLUTIONS[number]] == waiting
    for number in EXERCISES:
        last = ast.parse(SOLUTIONS[number]).body[-1]
        assert ast.unparse(last).startswith(f"check('{number}', "), number


# --- the solutions --------------------------------------------------------------------


def quoted_numbers(text):
    """The numbers with thousands separators in a text; `{,}` is TeX's comma."""
    return set(re.findall(r"\d{1,3}(?:,\d{3})+", text.replace("{,}", ",")))


@pytest.mark.parametrize("number", SOLUTIONS)
def test_solution_runs_by_itself_and_is_accepted(number, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    code = compile(SOLUTIONS[number], "solution", "exec")
    start = time.process_time()
    printed = printed_by(lambda: exec(code, {"__name__": "__main__"}))
    assert time.process_time() - start < SECONDS_FOR_A_SOLUTION
    if number in EXERCISES:
        assert printed.endswith(f"{number}: right.\n")
    prose = CODE_BLOCK.sub("", CELLS[number]["solution"].source)
    missing = quoted_numbers(prose) - quoted_numbers(printed)
    assert not missing, f"the text quotes {missing}, which its code does not print"


def test_numbers_in_a_text_are_found():
    text = "$8{,}192 \\cdot 1{,}024$ or 1,582,671,872, in 2014"
    assert quoted_numbers(text) == {"8,192", "1,024", "1,582,671,872"}


# --- right answers ----------------------------------------------------------------------

# From hand formulas, the paper's table and torch alone.
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
    "8.3": (28, 140),
    "8.4": 81_900,
    "S.1": (1, 64, 4 * 28, 28),
    "T.1": (8 + 8, 800),
    "Y.1": (42, 10),
    "Y.2": 240_618 + 2 * 9 * 32 - 4 * (288 + 1),
}


@functools.cache
def right_answer(number):
    return EXERCISES[number].right()


def is_numeric(number):
    right = right_answer(number)
    parts = right if isinstance(right, tuple) else (right,)
    return all(isinstance(part, (int, float)) for part in parts)


NUMERIC = [number for number in EXERCISES if is_numeric(number)]


@pytest.mark.parametrize("number", EXERCISES)
def test_right_answers_are_right_and_change_no_random_number(number):
    answers = EXERCISES[number].right(), EXERCISES[number].right()
    state = torch.get_rng_state()
    assert [message(number, answer) for answer in answers] == ["right.", "right."]
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("number", BY_HAND)
def test_right_answers_by_hand(number):
    assert check(number, BY_HAND[number])


def test_every_number_has_a_truth_by_hand():
    of_many = [n for n in NUMERIC if isinstance(EXERCISES[n].answer_type, Satisfies)]
    assert set(NUMERIC) - set(of_many) == set(BY_HAND)


# The usual mistakes in the order of their entries, by hand as well; ANY is a part left open.
P1, P2 = 112 * 112, 28 * 28  # pixels behind conv1, and of 3a
MISTAKES_BY_HAND = {
    "1.1": [
        4 * P1 * 64 * 147, 64 * 147, P1 * 64 * 148, 2 * P1 * 64 * 147, P1 * 64 * 49,
        P1 * 64 * 7 * 3,
    ],
    "1.2": [
        (6 * 6 * 6, ANY), (ANY, 15 * 15), (100, ANY), (6 * 120, ANY), (ANY, 29 * 35),
        (6 * (100 - 56), ANY), (ANY, 29**2 - (29**2 - 384)),
    ],
    "1.3": [1.5 * 1.5, 1.5 / 4, 1.5 / 2, 1.5 * 1.5 / 2, 4 / 2.25],
    "2.1": [
        (6, ANY), (ANY, 49 * 192 * 16), (ANY, P2 * 16 * (49 * 192 + 1)), (ANY, P2 * 16 * 49),
        (ANY, 22 * 22 * 16 * 49 * 192), (ANY, P2 * 16 * 49 * 416), (ANY, 2 * P2 * 16 * 49 * 192),
    ],
    "3.1": [
        5 * 832 * 128 / (832 + 5 * 128), 9 * 832 * 384 / (832 + 9 * 384),
        25 * 832 * 48 / (832 + 25 * 48), 48,
    ],
    "3.2": [25 * 832, math.inf, 0, 25 * 832 * 128 / (832 + 25 * 128)],
    "4.2": [(1024, ANY), (ANY, 1_103_972_352), (ANY, 12_085_441_536), (ANY, 1_852_334_848)],
    "5.1": [
        1_582_671_872, 4 * 1_582_671_872, 2 * 1_582_671_872,
        2 * BY_HAND["5.1"], 6_340_521_128,
    ],
    "5.2": [
        (104_274_376, ANY), (97_519_936, ANY), (6_998_552, ANY), (ANY, 1024 * 1000 + 1000),
        (ANY, 4944 * 1000),
    ],
    "5.3": [26, 6, 12, 9],
    "5b.1": [25 * 784 * 1000, 25 * 1024, 25 * 1024 * 28, 2 * 25 * 1024 * 784],
    "5b.2": [
        (72_000_000, ANY), (ANY, 74_000_000), (73_000_000, ANY), (ANY, 73_000_000),
        (72.5 * 2**20, 73.5 * 2**20),
    ],
    "5c.1": [
        (6_624_904, ANY), (ANY, 14_560), (ANY, 7280 + 256), (ANY, 4 * (7280 + 256)),
        (13_378_280, ANY),
    ],
    "5c.2": [16 * 16 * 32, 16 * 192 * 32 * P2, 9 * 16 * 32 * P2, 25 * 16 * 32 * P2],
    "6.1": [
        4 * 4 * 128 * 1024 + 1024, 81 * 128 * 1024 + 1024, 28 * 28 * 128 * 1024 + 1024,
        64 * 512 * 1024 + 1024, 64 * 128 * 1024, 9_480_296,
    ],
    "6.2": [
        math.log(100), 1.3 * math.log(100), 3 * math.log(100), 1.6 * math.log(10),
        1.6 * math.log(1000), 3.2,
    ],
    "7.1": [
        (70_000 * 784, ANY, ANY), (8 * 47_040_000, ANY, ANY), (ANY, 32 * 47_040_000, ANY),
        (ANY, ANY, 64 * 47_040_000), (ANY, 8 * 47_040_000, ANY), (ANY, ANY, 4 * 47_040_000),
    ],
    "8.3": [(47, ANY), (281 - 28, ANY), (ANY, 140 - 28)],
    "8.4": [8.19, 81.9, 910_000],
    "S.1": [(1, 256, 28, 28), (1, 64, 28, 112), (4, 64, 28, 28)],
    "T.1": [(2 * 800, ANY), (8, ANY), (ANY, 1600), (ANY, 100), (0, ANY)],
    "Y.1": [(32, ANY), (43, ANY), (ANY, 5)],
    "Y.2": [241_194, 239_462, 240_042, 240_326],
}  # fmt: skip


@pytest.mark.parametrize("number", MISTAKES_BY_HAND)
def test_usual_mistakes_by_hand(number):
    found = [mistaken() for mistaken, _ in EXERCISES[number].mistakes]
    assert len(found) == len(MISTAKES_BY_HAND[number])
    for computed, by_hand in zip(found, MISTAKES_BY_HAND[number], strict=True):
        assert isinstance(computed, tuple) == isinstance(by_hand, tuple)
        parts = computed if isinstance(computed, tuple) else (computed,)
        expected = by_hand if isinstance(by_hand, tuple) else (by_hand,)
        for one, other in zip(parts, expected, strict=True):
            assert one is other is ANY or one == pytest.approx(other, rel=1e-6)


def test_every_numeric_exercise_has_its_mistakes_by_hand():
    assert set(MISTAKES_BY_HAND) == set(BY_HAND)


def test_the_chain_without_projections_by_brute_force():
    """4.2, from layers of torch alone: a 1x1, a reduced 3x3, a reduced 5x5, and what is pooled."""
    channels, multiply_adds = 192, 0
    for name, w in WIDTHS.items():
        layers = [
            (channels, w.c1x1, 1),
            (channels, w.c3x3_reduce, 1),
            (w.c3x3_reduce, w.c3x3, 3),
            (channels, w.c5x5_reduce, 1),
            (w.c5x5_reduce, w.c5x5, 5),
        ]
        with torch.device("meta"):
            weights = sum(nn.Conv2d(*layer).weight.numel() for layer in layers)
        multiply_adds += weights * {"3": 28, "4": 14, "5": 7}[name[0]] ** 2
        channels += w.c1x1 + w.c3x3 + w.c5x5
    assert check("4.2", (channels, multiply_adds))


def parameters_of(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_naive_network_by_its_own_parameters():
    with torch.device("meta"):
        network = GoogLeNet(module=NaiveInception, aux=False)
    assert check("5.2", (parameters_of(network), parameters_of(network.fc)))


class Handmade(nn.Module):
    """3a with direct convolutions, back to front: with a 7x7 (2.4) or a projection (8b.3)."""

    def __init__(self, seven):
        super().__init__()
        self.pool = nn.MaxPool2d(3, 1, 1)
        self.extra = nn.Conv2d(192, 16, 7, padding=3) if seven else nn.Conv2d(192, 32, 1)
        self.five = nn.Conv2d(192, 32, 5, padding=2)
        self.three = nn.Conv2d(192, 128, 3, padding=1)
        self.one = nn.Conv2d(192, 64, 1)
        self.seven = seven

    def forward(self, x):
        branches = [layer(x).relu() for layer in (self.one, self.three, self.five)]
        pooled = self.pool(x)
        ends = [self.extra(x).relu(), pooled] if self.seven else [self.extra(pooled).relu()]
        return torch.cat([*branches, *ends], dim=1)


HANDMADE = {
    "2.4": Handmade(seven=True),
    "5c.3": nn.MaxPool2d(3, 2, ceil_mode=True),
    "8b.3": Handmade(seven=False),
}


@pytest.mark.parametrize("number", HANDMADE)
def test_modules_made_by_hand_are_right_and_left_alone(number):
    """Other classes, order of layers, weights and precision, in training or not."""
    assert check(number, HANDMADE[number])
    module = copy.deepcopy(HANDMADE[number]).double().train()
    before = [parameter.clone() for parameter in module.parameters()]
    assert check(number, module)
    assert module.training and all(map(torch.equal, before, module.parameters()))


def test_what_a_module_has_seen_in_training_does_not_matter():
    normalisation = Exercise("H.1", "", Module((4, 3, 5, 5)), right=lambda: nn.BatchNorm2d(3))
    trained = nn.BatchNorm2d(3).train()
    trained(torch.arange(300.0).reshape(4, 3, 5, 5))
    assert check(normalisation, trained)


def kept_map(module):
    module.last = module(torch.rand(1, 192, 5, 5))  # deepcopy refuses it
    return module


def cannot_be_copied(module):
    module.lines, module.lock, module.call = (x for x in "abc"), threading.Lock(), lambda: None
    module.one.register_forward_hook(lambda layer, inputs, output: output.relu_())
    return module


def in_inference_mode(module):
    with torch.inference_mode():
        return copy.deepcopy(module)


class Talking(nn.Module):
    """3a with a projection; counts, keeps and prints what it does, and makes a layer late."""

    def __init__(self, module):
        super().__init__()
        self.others, self.calls, self.maps = module, 0, []
        self.others.one = nn.LazyConv2d(64, 1)

    def forward(self, x):
        print("a map of", x.shape)
        self.calls += 1
        self.maps.append(x)
        if not hasattr(self, "five"):
            self.five = self.others.five = nn.Conv2d(192, 32, 5, padding=2)
        return self.others(x)


# What people do with a module that is right; none of it makes it wrong.
WRAPPED = {
    "a map is kept": kept_map,
    "cannot be copied": cannot_be_copied,
    "half": lambda module: module.half(),
    "frozen": lambda module: module.requires_grad_(False),
    "channels last": lambda module: module.to(memory_format=torch.channels_last),
    "parallel": nn.DataParallel,
    "in a sequence": lambda module: nn.Sequential(module, nn.ReLU(inplace=True)),
    "inference mode": in_inference_mode,
    "traced": lambda module: torch.jit.trace(module, torch.rand(1, 192, 5, 5)),
    "compiled": torch.compile,
    "lazy and late": Talking,
}


def state_of(module):
    """All that can be seen of a module: weights, modes, and what its layers keep."""
    kept = [
        (name, list(value) if isinstance(value, list) else value)
        for layer in module.modules()
        for name, value in vars(layer).items()
        if not name.startswith("_")
    ]
    weights = [tensor.data_ptr() for tensor in module.parameters() if not is_lazy(tensor)]
    types = [(type(tensor), tensor.dtype) for tensor in module.parameters()]
    return kept, weights, types, [layer.training for layer in module.modules()]


@pytest.mark.filterwarnings("ignore")  # of torch, about tracing and lazy layers
@pytest.mark.parametrize("wrapped", WRAPPED)
def test_a_right_module_is_right_however_it_is_wrapped_and_left_as_it_was(wrapped):
    module = WRAPPED[wrapped](copy.deepcopy(HANDMADE["8b.3"]))
    before = state_of(module)
    assert check("8b.3", module)
    assert state_of(module) == before


def test_weights_running_averages_and_gradients_come_back_after_an_error_too():
    normalised = nn.Sequential(nn.BatchNorm2d(192), nn.Flatten(), nn.Linear(3, 3)).train()
    normalised[0](torch.rand(4, 192, 2, 2)).sum().backward()
    tensors = [*normalised.parameters(), *normalised.buffers(), normalised[0].weight.grad]
    before = [tensor.clone() for tensor in tensors]
    assert "yours stops with RuntimeError" in message("8b.3", normalised)
    assert all(map(torch.equal, tensors, before)) and normalised[0].training


def nearest_by_loops(images, means):
    images, means = (each.numpy().reshape(len(each), -1).astype(float) for each in (images, means))
    distances = [[((image - mean) ** 2).sum() for mean in means] for image in images]
    return [row.index(min(row)) for row in distances]


def most_frequent_by_counts(labels, count):
    return torch.stack([row[:count].bincount().argmax() for row in labels])


def filled_by_names(model, value):
    for name, parameter in model.named_parameters():
        layer = model.get_submodule(name.rpartition(".")[0])
        if name.endswith("bias") and not isinstance(layer, nn.BatchNorm2d):
            parameter.data = torch.full_like(parameter.data, value)
    return model


def test_functions_written_otherwise_are_right():
    """Loops and numpy in place of the library's tensors; a copy in place of the model."""
    assert check("7.2", nearest_by_loops) and check("7.3", most_frequent_by_counts)
    assert check("6.3", filled_by_names)
    assert check("6.3", lambda model, value: copy.deepcopy(filled_by_names(model, value)))


def test_any_widths_within_the_budget_are_right():
    widths_to_try = ((64, 112, 136), (32, 56, 96), (64, 128), (8, 16), (16, 32), (16, 32))
    for c1x1, c3x3_reduce, c3x3, c5x5_reduce, c5x5, pool_proj in itertools.product(*widths_to_try):
        per_pixel = 192 * (c1x1 + c3x3_reduce + c5x5_reduce + pool_proj)
        per_pixel += 9 * c3x3_reduce * c3x3 + 25 * c5x5_reduce * c5x5
        fits = c1x1 + c3x3 + c5x5 + pool_proj == 256 and 784 * per_pixel <= 128_049_152 / 2
        widths = InceptionWidths(c1x1, c3x3_reduce, c3x3, c5x5_reduce, c5x5, pool_proj)
        assert bool(check("4.3", widths)) == fits


def test_any_width_near_the_naive_network_is_right():
    with torch.device("meta"):
        naive = parameters_of(MiniGoogLeNet(module=NaiveInception))
        for width in (1.0, 2.36, 2.4, 2.5, 5.6):
            fraction = parameters_of(MiniGoogLeNet(width=width)) / naive
            assert bool(check("8b.2", width)) == (0.97 < fraction < 1.03), width


def test_one_choice_is_right_whatever_its_case():
    for number, exercise in EXERCISES.items():
        if isinstance(exercise.answer_type, Choice):
            right = [option for option in exercise.answer_type.options if check(number, option)]
            assert right == [right_answer(number)]
            assert check(number, f" {right[0].upper()} ")


def test_numbers_out_of_tables_and_tensors_are_numbers():
    whole, three = BY_HAND["1.1"], BY_HAND["7.1"]
    assert check("1.1", numpy.int64(whole)) and check("1.1", torch.tensor(whole))
    assert check("1.1", float(whole)) and check("1.3", numpy.float64(0.5625))
    assert check("7.1", numpy.array(three)) and check("7.1", list(three))
    assert check("7.1", pandas.DataFrame([three]).iloc[0])
    assert check("S.1", torch.Size([1, 64, 112, 28]))


# --- wrong answers ----------------------------------------------------------------------


def completed(number, mistaken):
    """A mistake that concerns some parts only, with right answers for the others."""
    if not isinstance(EXERCISES[number].answer_type, Numbers):
        return mistaken
    parts = zip(mistaken, right_answer(number), strict=True)
    return tuple(right if part is ANY else part for part, right in parts)


@pytest.mark.parametrize("number", EXERCISES)
def test_each_mistake_gets_its_own_message_every_time(number):
    mistakes = EXERCISES[number].mistakes
    assert len({explanation for _, explanation in mistakes}) == len(mistakes)
    for mistaken, explanation in mistakes:
        for _ in range(2):
            assert message(number, completed(number, mistaken())) == explanation
        assert len(explanation.split()) > 4 and explanation.endswith((".", "?"))


def forms(value):
    """The ways to write a number, as patterns."""
    texts = {f"{value:,.{digits}f}" for digits in range(3)} | {f"{value:.3g}", f"{value:.4g}"}
    for unit in (1e3, 1e6, 1e9):
        if value >= 1e5 and value > unit:
            texts |= {f"{value / unit:,.{digits}f}" for digits in range(1, 4)}
    texts |= {text.replace(",", separator) for text in texts for separator in ("", " ", "_")}
    return [rf"(?<![\d.,]){re.escape(text)}(?!\d|[.,]\d)" for text in texts]


def wrong_answers(right):
    """Many wrong answers of the same form."""
    if isinstance(right, tuple):
        for place, part in enumerate(right):
            for wrong in wrong_answers(part):
                if wrong != part:
                    yield (*right[:place], wrong, *right[place + 1 :])
        yield from (right[:-1], (*right, 1), (0,) * len(right), right[::-1], "many")
    else:
        yield from (0, -1, 7, right + 1000, right // 2 + 3, right * 10, int(right * 1.02) + 3)
        yield from (right * 1e-3, "many", None, True, ())


@pytest.mark.parametrize("number", NUMERIC)
def test_no_message_gives_the_answer_away(number):
    right = right_answer(number)
    parts = right if isinstance(right, tuple) else (right,)
    secrets = [form for part in parts for form in forms(part)]
    mistaken = [completed(number, mistake()) for mistake, _ in EXERCISES[number].mistakes]
    wrong = [answer for answer in wrong_answers(right) if answer != right]
    for line in [message(number, answer) for answer in [*mistaken, *wrong]]:
        assert line != "right."
        # What somebody wrote is repeated to them; a part of it may be right.
        told = line.partition(", but ")[0]
        assert not [form for form in secrets if re.search(form, told)], line


def test_a_message_that_gives_the_answer_away_is_noticed():
    assert any(re.search(form, "you forgot 1,582.7 million") for form in forms(1_582_671_872))
    assert not any(re.search(form, "16 channels, 1,600 parameters, 3.16") for form in forms(160))


def test_near_misses_are_told_how_near_they_are():
    right = BY_HAND["1.1"]
    assert message("1.1", right + 1).startswith("very close")
    assert message("1.1", right // 2).startswith("the right order of magnitude")
    assert message("1.1", right * 50).startswith("not right, and not near")
    assert "in another order. First the padding" in message("2.1", BY_HAND["2.1"][::-1])


def test_how_near_an_answer_is_ends_at_a_third_and_at_three_times():
    own = Exercise("H.1", "three hundred", Number(), right=lambda: 300)
    said = {
        answer: check(own, answer).message for answer in (100, 101, 296, 297, 303, 304, 899, 900)
    }
    assert [answer for answer, text in said.items() if "magnitude" in text] == [101, 296, 304, 899]
    assert [answer for answer, text in said.items() if "very close" in text] == [297, 303]


def test_numbers_that_may_be_off_may_have_a_fraction():
    assert check("8.3", (0.1 * 281, 0.5 * 281))
    assert not check("8.3", (0.1 * 281, 0.5 * 281 + 3))
    assert "it is 2.5" in message("2.1", (2.5, 10))


class TwoOutputs(nn.Module):
    def forward(self, x):
        return x, x


# (exercise, answer, what the message has to name)
NOT_WHAT_IS_ASKED_FOR = [
    ("1.1", "118 million", "a whole number, but it is the text '118 million'."),
    ("1.1", 0.5, "it is 0.5"),
    ("1.1", math.inf, "it is inf"),
    ("1.1", math.nan, "it is nan"),
    ("1.1", True, "it is True"),
    ("1.1", None, "it is None"),
    ("1.1", (1, 2), "the type tuple"),
    ("1.1", torch.zeros(2), "a Tensor of shape (2,) and torch.float32"),
    ("1.1", 10**400, "not near"),
    ("1.1", "118,013,952", "'118,013,952'; write the number without"),
    ("1.1", "-1_000 ", "'-1_000 '; write the number without"),
    ("1.3", -(10**400), "not near"),
    ("1.3", math.nan, "not near"),
    ("2.1", 3, "2 whole numbers in brackets (padding, multiply-adds), but it is 3"),
    ("2.1", torch.tensor(3), "it has 1 value."),
    ("2.1", (), "it has 0 values."),
    ("2.1", ("3", 4), "for the padding it is the text '3'"),
    ("2.1", b"x", "the type bytes"),
    ("2.1", {3, 4}, "the type set"),
    ("2.1", {3: "", 4: ""}.keys(), "the type dict_keys"),
    ("2.1", pandas.DataFrame([(3, 4)]), "the type DataFrame"),  # it has columns 0 and 1
    ("2.1", numpy.array([[3], [4]]), "of shape (2, 1)"),
    ("2.1", (3, 10**400), "not right: the multiply-adds."),
    ("2.2", "cat", "'the pooling', 'torch.cat', 'the next module', but it is the text 'cat'"),
    pytest.param("1.1", 10**4300, "more than 4,300 digits", id="too long to read"),
    pytest.param("2.2", 10**5000, "of more than 30 digits", id="too long to write"),
    ("2.2", 10**30 - 1, f"it is {10**30 - 1}"),
    ("2.4", nn.ReLU, "the class ReLU itself"),
    ("2.4", 4, "(1, 192, 9, 9), but it is 4"),
    ("2.4", nn.Conv2d(3, 4, 1), "RuntimeError: Given groups=1"),
    ("2.4", nn.Conv2d(192, 4, 1, device="meta"), "NotImplementedError"),
    ("2.4", TwoOutputs(), "the type tuple, not a tensor"),
    ("2.4", nn.Conv2d(192, 4, 1), "the shape (1, 4, 9, 9)"),
    ("2.4", nn.Conv2d(192, 432, 1), "too few parameters (83,376)"),
    ("2.4", nn.Conv2d(192, 432, 3, padding=1), "too many parameters (746,928)"),
    ("5c.3", nn.Sequential(nn.MaxPool2d(3, 2, ceil_mode=True), nn.PReLU(8)), "parameters (8)"),
    ("3.3", 5, "it is 5"),
    ("3.3", lambda first: 1, "stops at (a Conv2d, a Conv2d) with TypeError"),
    ("3.3", lambda first, second: None, "returns nothing"),
    ("3.3", lambda first, second: ..., NO_ANSWER_YET),
    ("3.3", lambda first, second: 1, "3 of the 3 inputs that were tried"),
    (
        "7.3",
        lambda labels, count: labels[:, count],
        "(a Tensor of shape (3, 9) and torch.int64, 9) with IndexError",
    ),
    ("4.3", (128, 48, 64, 12, 32, 32), "InceptionWidths(c1x1, c3x3_reduce"),
    ("4.3", InceptionWidths(64, 96, 128, 16, 32, 31), "256 channels"),
    ("8b.2", -1, "above 0"),
]


@pytest.mark.parametrize("number, answer, named", NOT_WHAT_IS_ASKED_FOR)
def test_what_is_wrong_with_an_answer_is_named(number, answer, named):
    assert named in message(number, answer)


class Liar(float):
    """Equal to everything, near to everything, and anything else than it is."""

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __eq__(self, other):
        return True

    def __sub__(self, other):
        return 0.0

    __rsub__ = __sub__

    def __abs__(self):
        return 0.0


class Breaks:
    """Whatever is asked of it, it stops."""

    def __getattr__(self, name):
        raise RuntimeError(name)

    def __repr__(self):
        raise RuntimeError("repr")


# What nobody should give, alone and as all parts of an answer, and as what a function returns.
ODD = [
    None, math.nan, math.inf, "", "\ud800", 10**5000, True, [], {}, set(), object(), Breaks(),
    Liar(-7), int, list, nn.ReLU, nn.Module(), nn.Identity(), ANY, 1j, b"x", numpy.array("a"),
    torch.tensor(math.nan), torch.zeros(2, device="meta"), torch.tensor(1j), range(10**9),
    torch.zeros(1).expand(10**10), NotImplemented, print, iter(()), (yes for yes in [1]),
]  # fmt: skip
ONE_OF_EACH_TYPE = ("1.1", "6.2", "8.3", "4.1", "3.3", "7.2", "T.2", "2.4", "4.3", "8b.2")


@pytest.mark.parametrize("number", ONE_OF_EACH_TYPE)
def test_odd_answers_are_wrong_and_never_an_error(number):
    """The grader's way to judge says the same."""
    for odd in [*ODD, *((odd,) * 2 for odd in ODD), itertools.count()]:
        for answer in (odd, lambda *_, odd=odd: odd):
            said = check(number, answer)
            assert not said and said.message.startswith(f"{number}: ") and "\n" not in said.message
            if not hasattr(type(odd), "__next__"):  # which has now been used up
                assert judge(number, evidence(number, answer)) == said


def test_what_is_no_number_is_not_within_any_distance():
    assert not check("8.3", (math.nan, math.nan)) and not check("8.3", (28, math.nan))


@pytest.mark.parametrize("number", ["3.3", "6.3", "7.3", "S.3", "8b.3"])
def test_a_readers_settings_neither_matter_nor_change(number):
    answer = EXERCISES[number].right()
    random.seed(0)
    numpy.random.seed(0)
    expected = random.Random(0).random(), numpy.random.RandomState(0).random()
    torch.set_default_dtype(torch.float64)
    try:
        with torch.device("meta"), torch.inference_mode(), torch.autocast("cpu"):
            assert check(number, answer)
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    assert (random.random(), numpy.random.random()) == expected


# --- judged elsewhere -------------------------------------------------------------------


@pytest.mark.parametrize("number", EXERCISES)
def test_evidence_is_judged_as_the_answer_is(number):
    answers = [EXERCISES[number].right, *(mistaken for mistaken, _ in EXERCISES[number].mistakes)]
    for answer in answers:
        given = completed(number, answer())
        assert judge(number, evidence(number, given)) == check(number, given)


@pytest.mark.parametrize("forged", ["", "[]", "{}", '{"given": {"int": 1}}', 5])
def test_what_is_no_evidence_is_refused(forged):
    with pytest.raises(ValueError, match="^evidence must be"):
        judge("8.4", forged)


@pytest.mark.parametrize("number, forged", [("3.3", "[]"), ("8.3", "[]"), ("2.4", "[1, 2]")])
def test_evidence_of_another_form_is_never_right(number, forged):
    with contextlib.suppress(ValueError):
        assert not judge(number, f'{{"given": {forged}}}')


class Exactly(AnswerType):
    """A teacher's own type of answer, which forgives nothing."""

    def in_words(self):
        return "the very same"

    def read(self, answer):
        return answer


@pytest.mark.parametrize(
    "number", [0.1 + 0.2, 1e-310, -math.inf, pytest.param(10**4300 - 1, id="long")]
)
def test_evidence_rounds_no_number(number):
    for answer in (number, (number, "x", None, (True, ()))):
        own = Exercise("H.1", "", Exactly(), right=lambda answer=answer: answer)
        assert judge(own, evidence(own, answer))
    with pytest.raises(ValueError, match="^answer_type .* a dict"):
        evidence(own, {number: number})


# --- what `check` and `checked` give ----------------------------------------------------


def test_a_number_too_large_for_a_float_counts_as_infinite_with_its_sign():
    infinite = check("3.2", math.inf).message
    assert check("3.2", 10**400).message == infinite
    assert check("3.2", -(10**400)).message != infinite


def test_a_result_cannot_be_changed():
    result = Result(right=False, message="H.1: not right.")
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.__setattr__("right", True)


def test_a_result_counts_as_right_or_wrong_and_shows_nothing_of_its_own():
    right, wrong = check("8.4", 81_900), check("8.4", 1)
    assert right and right.right and right.message == "8.4: right."
    assert not wrong and not wrong.right
    in_a_notebook = DisplayFormatter().format
    assert in_a_notebook(right) == ({}, {})  # the printed line is enough
    assert in_a_notebook(right.message) != ({}, {})


@pytest.mark.parametrize(
    "number, complaint",
    [
        ("8.1", r"exercise .* chapter 8 .*\(8\.3, 8\.4\).* '8\.1'; open questions"),
        ("9.1", r"exercise must begin with a chapter \(.*8.*\).* '9\.1'"),
        ("", "exercise must begin with a chapter .* ''"),
        (8.3, "exercise must be a number as text, .*8.3"),
    ],
)
def test_unknown_numbers_are_refused(number, complaint):
    with pytest.raises(ValueError, match=complaint):
        check(number, 1)


def own_exercise(**changes):
    """An exercise of a teacher's own, which is not in the book."""
    parts = {"answer_type": Number(), "right": lambda: 256} | changes
    return Exercise("H.1", "channels of 3a", **parts)


def test_an_exercise_of_ones_own_is_checked_like_the_books():
    mistakes = ((lambda: 416, "that is the naive module's."),)
    own = own_exercise(mistakes=mistakes, hint="Add four widths.")
    assert message(own, 256) == "right."
    assert message(own, 416) == "that is the naive module's."
    assert message(own, 255).endswith("Add four widths.")
    assert message(own, ...) == NO_ANSWER_YET
    assert "H.1" not in checked()


@pytest.mark.parametrize(
    "changes, complaint",
    [
        ({"answer_type": 256}, "^answer_type must be .*Number.*256"),
        ({"answer_type": Number}, "^answer_type must be .*the class Number"),
        ({"right": 256}, "^right must be a function .*256"),
        ({"mistakes": ((416, "naive."),)}, "mistakes must be a function .*416"),
        ({"mistakes": ((lambda: 416, 5),)}, "mistakes must be a text.*5"),
        ({"mistakes": (lambda: 416,)}, "^mistakes must hold only pairs .*function"),
        ({"mistakes": None}, "^mistakes must be .*None"),
        ({"hint": 5}, "^hint must be a text.*5"),
    ],
)
def test_an_exercise_of_ones_own_is_refused_at_once(changes, complaint):
    with pytest.raises(ValueError, match=complaint):
        own_exercise(**changes)


@pytest.mark.parametrize(
    "kind, given, complaint",
    [
        (Exercise, ("", "title", Number(), int), "^number must be a text"),
        (Exercise, ("H.1", None, Number(), int), "^title must be a text.*None"),
        (Number, (-0.1,), "^tolerance must be .*-0.1"),
        (Number, (math.nan,), "^tolerance must be .*nan"),
        (Number, (1,), "^tolerance must be .*below 1"),
        (Numbers, ("height",), "^names must be a tuple of texts.*'height'"),
        (Numbers, (("height",), -1), "^within must be .*-1"),
        (Choice, ("grows",), "^options must be a tuple of texts.*'grows'"),
        (Choice, ((1, 2),), "^options must hold only texts.*1"),
        (Function, ("", list), "^what must be a text"),
        (Function, ("a function", [(1,)]), "^inputs must be a function"),
        (Module, (8,), "^shape must be a tuple.*8"),
        (Module, ((1, 0),), "each number of shape must be .*0"),
        (Satisfies, (Number, ()), "^answer_type must be .*the class Number"),
        (Satisfies, (Number(), (bool,)), "^conditions must hold only pairs.*bool"),
        (Result, (None, "H.1"), "^right must be True or False.*None"),
    ],
)
def test_types_of_answers_are_refused_at_once(kind, given, complaint):
    with pytest.raises(ValueError, match=complaint):
        kind(*given)


NO_TUPLES: Any = lambda: [1]  # noqa: E731 -- a wrong type on purpose


@pytest.mark.parametrize(
    "own, complaint",
    [
        (own_exercise(right=lambda: "many"), "^right of exercise H.1 .*the text 'many'"),
        (own_exercise(right=lambda: 1 / 0), "^right of exercise H.1 .*ZeroDivisionError"),
        (own_exercise(mistakes=((dict, "no."),)), "^each of mistakes of exercise H.1"),
        (
            own_exercise(answer_type=Function("a function", NO_TUPLES), right=lambda: abs),
            "^inputs must make a list with a tuple",
        ),
        (
            own_exercise(answer_type=Satisfies(Number(), ((lambda n: 1 / n > 0, "no."),))),
            "^exercise H.1 cannot judge .*ZeroDivisionError",
        ),
    ],
)
def test_a_faulty_exercise_is_not_the_answers_fault(own, complaint):
    with pytest.raises(FaultyExercise, match=complaint):
        check(own, abs if isinstance(own.answer_type, Function) else 0)


def test_checked_lists_the_exercises():
    assert list(checked()) == list(EXERCISES)
    assert checked("8") == {number: EXERCISES[number].title for number in ("8.3", "8.4")}
    with pytest.raises(ValueError, match="chapter must be one of .*8.* '99'"):
        checked("99")
    with pytest.raises(ValueError, match="chapter must be a text .* 8$"):
        checked(8)  # pyright: ignore[reportArgumentType]


def test_importing_the_checkers_brings_nothing_heavy():
    code = "import sys, gnet_lib.exercises as _; print({'torch', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr
