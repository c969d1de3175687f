"""Does our own test-suite notice the mistakes of "Spot the bug"?

Each mutation puts one mistake into a copy of the library and runs, on that copy, the
tests that should notice. They must fail. Without a mistake the same tests must pass.
The puzzles of the page are tried the other way round: with their one mistake taken out,
they must be sound.
"""

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from conftest import BOOK, ROOT
from IPython.core.inputtransformer2 import TransformerManager

PAGE = BOOK / "spot_the_bug.ipynb"


@dataclass(frozen=True)
class Mutation:
    """One mistake.

    Args:
        name: what it is.
        puzzle: the puzzle of the page that shows it; None for one that the page does not show.
        file: the library's file that it goes into.
        old: the sound text, which occurs exactly once; its lines may be broken elsewhere.
        new: the text with the mistake.
        tests: the test file that notices, and an expression that picks its quick tests.
    """

    name: str
    puzzle: int | None
    file: str
    old: str
    new: str
    tests: tuple[str, str]


FIVE = 'Conv(1, "c5x5_reduce", name="reduce"), Conv(5, "c5x5")'
POOL = 'Pool(), Conv(1, "pool_proj", name="project")'
STEM = "row.out_channels, row.kernel_size, row.stride, batch_norm)"
HEADS_ASKED = """\
if self.training and after == name:
                    aux_logits.append(head(x))  # (N, num_classes)
        x = self.pool(x).flatten(1)  # (N, 1024)
        logits = self.fc(self.dropout(x))  # (N, num_classes)
        if len(aux_logits) == 2:"""
ONLY_DROPPED = HEADS_ASKED.replace("self.training and ", "").replace(
    "if len", "if self.training and len"
)
NEXT_LAYER = "x = layer(x)  # (N, 192, 28, 28) after the stem"
EVALUATING = "with evaluation_mode(model), torch.no_grad():\n        for images"

DESIGN = "test_design.py"
INCEPTION = "test_inception.py"
GOOGLENET = "test_googlenet.py"
EVALUATION = "test_evaluation.py"
PAPER = "test_paper.py"

MUTATIONS = [
    Mutation(
        "5x5 padded as a 3x3", 1, "inception.py",
        "padding=(height // 2, width // 2),", "padding=(height > 1, width > 1),",
        (INCEPTION, "every_branch_keeps_the_map"),
    ),
    Mutation(
        "5x5 branch built as 3x3", 2, "design.py",
        FIVE, FIVE.replace("(5,", "(3,"),
        (DESIGN, "receptive_fields_by_hand"),
    ),
    Mutation(
        "5x5 as two 3x3", 3, "design.py",
        FIVE, FIVE.replace("(5,", "(3,") + ', Conv(3, "c5x5", name="again")',
        (INCEPTION, "followed_by_a_relu"),
    ),
    Mutation(
        "bias in front of batch normalisation", 4, "inception.py",
        "bias=not batch_norm,", "bias=True,",
        (INCEPTION, "bias_or_a_normalisation"),
    ),
    Mutation(
        "no ReLU behind the stem's convolutions", 5, "googlenet.py",
        STEM, STEM + "[:-1]",
        (GOOGLENET, "order_of_the_stem"),
    ),
    Mutation(
        "no ReLU behind the reduction of the 5x5 branch", 5, "design.py",
        FIVE, FIVE.replace('"reduce")', '"reduce", relu=False)'),
        (INCEPTION, "branch_is_not_linear"),
    ),
    Mutation(
        "the pooling is not used", 6, "design.py",
        POOL, POOL.replace("Pool()", "Pool(1)"),
        (INCEPTION, "largest_of_its_nine_neighbours"),
    ),
    Mutation(
        "auxiliary heads swapped", 7, "googlenet.py",
        "(logits, aux_logits[0], aux_logits[1])", "(logits, aux_logits[1], aux_logits[0])",
        (GOOGLENET, "head_reads_its_module"),
    ),
    Mutation(
        "auxiliary heads at work in evaluation", 8, "googlenet.py",
        "if self.training and after == name:", "if after == name:",
        (GOOGLENET, "answer_in_training_only"),
    ),
    Mutation(
        "auxiliary heads at work in evaluation, their answers dropped", 8, "googlenet.py",
        HEADS_ASKED, ONLY_DROPPED,
        (GOOGLENET, "no_work_in_evaluation"),
    ),
    Mutation(
        "4c reads what 4b should have read", 9, "googlenet.py",
        NEXT_LAYER, NEXT_LAYER.replace("layer(x)", 'x if name == "4b" else layer(x)'),
        (GOOGLENET, "gradient_reaches_every_parameter and none"),
    ),
    Mutation(
        "images of less than 224 pixels are refused", 10, "googlenet.py",
        "self.smallest_image_size = smallest_image_size(rows)", "self.smallest_image_size = 224",
        (GOOGLENET, "any_size_will_do"),
    ),
    Mutation(
        "dropout acts in evaluation", 11, "googlenet.py",
        "self.fc(self.dropout(x))", "self.fc(nn.functional.dropout(x, self.dropout.p))",
        (GOOGLENET, "dropout_acts_in_training_only"),
    ),
    Mutation(
        "evaluate leaves the network in training mode", 11, "evaluation.py",
        EVALUATING, EVALUATING.replace("evaluation_mode(model), ", ""),
        (EVALUATION, "evaluate_uses_evaluation_mode"),
    ),
    Mutation(
        "softmax in front of the cross-entropy", 12, "evaluation.py",
        "F.cross_entropy(logits, labels, label", "F.cross_entropy(logits.softmax(1), labels, label",
        (EVALUATION, "joint_loss_equals"),
    ),
    Mutation(
        "softmax in the auxiliary heads", 12, "googlenet.py",
        "return self.fc2(self.dropout(x))", "return self.fc2(self.dropout(x)).softmax(dim=1)",
        (GOOGLENET, "head_computes"),
    ),
    Mutation(
        "maps concatenated along their height", None, "inception.py",
        "return torch.cat(outputs, dim=1)", "return torch.cat(outputs, dim=2)",
        (INCEPTION, "channels_of_the_nine"),
    ),
    Mutation(
        "projection in front of the pooling", None, "design.py",
        POOL, 'Conv(1, "pool_proj", name="project"), Pool()',
        (INCEPTION, "computes_what_torch_functions"),
    ),
    Mutation(
        "a reduction of 4d copied from the row above", None, "paper.py",
        "InceptionWidths(112, 144, 288, 32, 64, 64)", "InceptionWidths(112, 128, 288, 32, 64, 64)",
        (PAPER, "row_equals_the_printed_row"),
    ),
    Mutation(
        "second head behind 4e", None, "paper.py",
        'AUX_AFTER = ("4a", "4d")', 'AUX_AFTER = ("4a", "4e")',
        (PAPER, "constants_of_section_5"),
    ),
]  # fmt: skip


# --- the library's copy -----------------------------------------------------------------

# Importing torch and torchvision takes longer than the tests. So one process imports them,
# and each run of tests is a fork of it, in which the library was never imported before.
RUNNER = """
import gc, json, os, sys
import matplotlib.figure, pytest, torch, torchvision

gc.freeze()
for line in sys.stdin:
    folder, arguments = json.loads(line)
    child = os.fork()
    if child == 0:
        os.chdir(folder)
        sys.path.insert(0, folder)
        import gnet_lib
        print("LIBRARY", gnet_lib.__file__)
        code = pytest.main(arguments)
        sys.stdout.flush()
        os._exit(code)
    _, status = os.waitpid(child, 0)
    print("EXIT", os.waitstatus_to_exitcode(status))
    print("END", flush=True)
"""


@pytest.fixture(scope="module")
def runner():
    """The process that runs tests; it has not imported any gnet_lib itself."""
    alone = ("PYTHONDONTWRITEBYTECODE", "OMP_NUM_THREADS", "PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    environment = os.environ | dict.fromkeys(alone, "1")
    environment.pop("PYTEST_ADDOPTS", None)
    process = subprocess.Popen(
        [sys.executable, "-c", RUNNER], env=environment, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    yield process
    process.communicate()


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    """A folder with a copy of the library and of its tests."""
    folder = tmp_path_factory.mktemp("workshop")
    leave_out = shutil.ignore_patterns("__pycache__", "sample")
    for name in ("gnet_lib", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=leave_out)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


@contextmanager
def with_mistake(workshop, mutation):
    """The mistake is in the copy for as long as the block lasts."""
    path = workshop / "gnet_lib" / mutation.file
    text = path.read_text(encoding="utf-8")
    words = re.findall(r"\w+|[^\w\s]", mutation.old)
    changed, count = re.subn(r"\s*".join(map(re.escape, words)), lambda found: mutation.new, text)
    assert count == 1 and changed != text, f"{count} times in {mutation.file}: {mutation.old}"
    path.write_text(changed, encoding="utf-8")
    yield
    path.write_text(text, encoding="utf-8")


# Collecting garbage at the end, as pytest does to hear of lost exceptions, takes half of the time.
QUICK = ("-x", "-q", "--assert=plain", "-p", "no:cacheprovider", "-p", "no:unraisableexception")


def run_tests(runner, workshop, *arguments: str) -> tuple[int, str]:
    """(exit code, what pytest said) of tests run on the copy, and on no other library."""
    runner.stdin.write(json.dumps([str(workshop), [*QUICK, *arguments]]) + "\n")
    runner.stdin.flush()
    lines = list(itertools.takewhile(lambda line: line != "END\n", runner.stdout))
    said = "".join(lines)
    imported = re.search(r"^LIBRARY (.*)$", said, re.MULTILINE)
    assert imported and imported[1] == str(workshop / "gnet_lib" / "__init__.py"), said
    return int(lines[-1].removeprefix("EXIT ")), said


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_our_tests_notice(mutation, workshop, runner):
    test_file, quick = mutation.tests
    with with_mistake(workshop, mutation):
        code, said = run_tests(runner, workshop, f"tests/{test_file}", "-k", quick)
    # 1: tests ran and failed; other codes: none were found, or none could run.
    assert code == 1, said
    assert re.search(r"^1 failed", said, re.MULTILINE), said
    assert "ImportError" not in said and "SyntaxError" not in said, said


def test_the_same_tests_pass_without_a_mistake(workshop, runner):
    for test_file in sorted({mutation.tests[0] for mutation in MUTATIONS}):
        chosen = sorted({m.tests[1] for m in MUTATIONS if m.tests[0] == test_file})
        any_of_them = " or ".join(f"({expression})" for expression in chosen)
        code, said = run_tests(runner, workshop, f"tests/{test_file}", "-k", any_of_them)
        assert code == 0, said


# --- the page ---------------------------------------------------------------------------


def puzzles() -> dict[int, list[str]]:
    """The code cells below each heading "### Puzzle 3: ..." of the page."""
    found, cells = {0: []}, json.loads(PAGE.read_text(encoding="utf-8"))["cells"]
    number = 0
    for cell in cells:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code":
            found[number].append(TransformerManager().transform_cell(source))
            continue
        for heading in re.findall(r"^### Puzzle (\d+): ", source, re.MULTILINE):
            number = int(heading)
            assert number not in found
            found[number] = []
    return found


# What takes the one mistake of each puzzle out again.
REPAIRS = {
    1: ("padding=1),\n            nn.ReLU()", "padding=2),\n            nn.ReLU()"),
    2: ("conv_relu(w.c5x5_reduce, w.c5x5, 3)", "conv_relu(w.c5x5_reduce, w.c5x5, 5)"),
    3: (
        "conv_relu(w.c5x5_reduce, w.c5x5, 3),\n            conv_relu(w.c5x5, w.c5x5, 3),",
        "conv_relu(w.c5x5_reduce, w.c5x5, 5),",
    ),
    4: ("padding=kernel_size // 2)", "padding=kernel_size // 2, bias=False)"),
    5: ("nn.Conv2d(64, 64, kernel_size=1),", "nn.Conv2d(64, 64, kernel_size=1), nn.ReLU(),"),
    6: ("self.project(x)", "self.project(largest)"),
    7: ("return logits, after_4d, after_4a", "return logits, after_4a, after_4d"),
    8: ("use_head = ", "use_head = self.training and "),
    9: ("self.module_4c(x)", "self.module_4c(from_4b)"),
    10: ("smallest = 224", "smallest = 31"),
    11: ("F.dropout(x, p=0.4)", "F.dropout(x, p=0.4, training=self.training)"),
    12: ("F.cross_entropy(probabilities, labels)", "F.cross_entropy(logits, labels)"),
}


def test_every_puzzle_has_a_mutation_and_a_repair():
    of_page = set(puzzles()) - {0}
    assert of_page == set(range(1, len(of_page) + 1)) and 8 <= len(of_page) <= 12
    assert of_page == {mutation.puzzle for mutation in MUTATIONS} - {None}
    assert of_page == set(REPAIRS)


def test_a_puzzle_has_one_mistake_and_its_test_sees_just_that():
    """The page's test complains about each puzzle, and no longer once the mistake is out."""
    names = {"__name__": "page"}
    for number, cells in puzzles().items():
        if number == 0:  # the sound module; the first cell of all sets the notebook up
            run_cells(cells[1:], names)
            continue
        definition, test = cells[:2]
        run_cells([definition, test], names)
        assert names["here"] != names["library"], number
        wrong, right = REPAIRS[number]
        assert definition.count(wrong) == 1, number
        with pytest.raises(AssertionError, match="this test does not see the mistake"):
            run_cells([definition.replace(wrong, right), test], names)
        assert names["here"] == names["library"], number
        run_cells(cells, names)  # the next puzzles build on it


def run_cells(cells: list[str], names: dict) -> None:
    for cell in cells:
        exec(cell, names)
