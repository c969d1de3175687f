"""What the chapters teach by hand equals what the library has.

The definitions are read out of the notebooks themselves, so that a chapter cannot drift
away from the library, nor the library from a chapter.
"""

import ast
import functools
import json
import linecache

import pytest
import torch
from conftest import BOOK, parameters_of
from IPython.core.inputtransformer2 import TransformerManager
from printed_table import MODULES

from gnet_lib import Inception, NaiveInception, conv_cost

NAIVE, ONE_BY_ONE, REDUCED = (
    "02_naive_module.ipynb",
    "03_one_by_one.ipynb",
    "04_reduced_module.ipynb",
)

# Every handmade definition of the book, and the chapter that teaches it. Each is compared below.
HANDMADE = {
    ("HandmadeNaiveInception", NAIVE),
    ("HandmadeInception", REDUCED),
}

NINE = pytest.mark.parametrize("printed", MODULES, ids=lambda module: module.name)


def code_nodes(notebook: str) -> list[ast.stmt]:
    """The statements of a notebook's code cells; magics are turned into plain calls first."""
    cells = json.loads((BOOK / notebook).read_text(encoding="utf-8"))["cells"]
    transform = TransformerManager().transform_cell
    nodes = []
    for cell in cells:
        if cell["cell_type"] == "code":
            nodes += ast.parse(transform("".join(cell["source"]))).body
    return nodes


@functools.cache
def definitions_of(notebook: str) -> dict:
    """The notebook's imports, functions and classes, executed; nothing else of it is."""
    wanted = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)
    nodes: list[ast.stmt] = [node for node in code_nodes(notebook) if isinstance(node, wanted)]
    source = ast.unparse(ast.Module(nodes, type_ignores=[]))
    linecache.cache[notebook] = (len(source), None, source.splitlines(keepends=True), notebook)
    names = {}
    exec(compile(source, notebook, "exec"), names)
    return names


def copy_weights(source: torch.nn.Module, target: torch.nn.Module) -> None:
    """Weights by their order; strict, and of the same shapes."""
    with torch.no_grad():
        for mine, theirs in zip(source.parameters(), target.parameters(), strict=True):
            assert mine.shape == theirs.shape
            theirs.copy_(mine)


def assert_same_module(
    handmade: torch.nn.Module, library: torch.nn.Module, in_channels: int
) -> None:
    assert parameters_of(handmade) == parameters_of(library)
    copy_weights(handmade, library)
    x = torch.randn(2, in_channels, 6, 9)
    with torch.no_grad():
        by_hand, by_library = handmade(x), library(x)
    assert torch.equal(by_hand, by_library)
    assert by_hand.std() > 0.01  # not a comparison of zeros


def test_every_handmade_definition_of_the_book_is_compared():
    defined = {
        (node.name, path.name)
        for path in BOOK.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts
        for statement in code_nodes(str(path.relative_to(BOOK)))
        for node in ast.walk(statement)
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and "handmade" in node.name.lower()
    }  # fmt: skip
    assert defined == HANDMADE


@NINE
def test_the_handmade_naive_module_is_the_librarys(printed):
    torch.manual_seed(0)
    w = printed.widths
    handmade = definitions_of(NAIVE)["HandmadeNaiveInception"](
        printed.in_channels, w.c1x1, w.c3x3, w.c5x5
    )
    assert_same_module(handmade, NaiveInception(printed.in_channels, w), printed.in_channels)


@NINE
def test_the_handmade_module_is_the_librarys(printed):
    torch.manual_seed(0)
    handmade = definitions_of(REDUCED)["HandmadeInception"](printed.in_channels, printed.widths)
    assert_same_module(
        handmade, Inception(printed.in_channels, printed.widths), printed.in_channels
    )


@pytest.mark.parametrize("kernel_size", [1, 3, 5])
def test_conv_relu_is_a_convolution_and_a_relu(kernel_size):
    torch.manual_seed(0)
    unit = definitions_of(REDUCED)["conv_relu"](3, 4, kernel_size)
    x = torch.randn(1, 3, 7, 7)
    weight, bias = unit.parameters()
    expected = torch.nn.functional.conv2d(x, weight, bias, padding=(kernel_size - 1) // 2).clamp(
        min=0
    )
    assert torch.equal(unit(x), expected)


def paths_of(printed) -> list[tuple[int, int, int]]:
    """(kernel, width of the reduction, output channels) of the two reduced paths."""
    w = printed.widths
    return [(3, w.c3x3_reduce, w.c3x3), (5, w.c5x5_reduce, w.c5x5)]


@NINE
def test_break_even_is_where_the_costs_cross(printed):
    """Brute force: the widest reduction that is still cheaper than no reduction."""
    chapter = definitions_of(ONE_BY_ONE)
    c, size = printed.in_channels, printed.size
    for k, chosen, m in paths_of(printed):
        direct = conv_cost(c, m, k, size).multiply_adds
        cheaper = [
            r for r in range(1, 2 * c)
            if (conv_cost(c, r, 1, size) + conv_cost(r, m, k, size)).multiply_adds < direct
        ]  # fmt: skip
        break_even = chapter["break_even"](c, m, k)
        assert cheaper == list(range(1, len(cheaper) + 1))
        assert cheaper[-1] < break_even <= cheaper[-1] + 1
        assert chosen in cheaper  # each of the paper's choices saves


@NINE
def test_reduced_cost_is_that_of_both_convolutions(printed):
    chapter = definitions_of(ONE_BY_ONE)
    for k, r, m in paths_of(printed):
        by_hand = printed.size**2 * (printed.in_channels * r + k * k * r * m)
        assert chapter["reduced_cost"](printed.in_channels, r, m, k, size=printed.size) == by_hand
