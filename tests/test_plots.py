"""Tests of gnet_lib.plots.

Truth from outside: the transcription of the printed table, arithmetic by hand, the numbers of
``cost`` (checked in tests of its own), and published models of colour blindness.
"""

import base64
import inspect
import itertools
import re
import warnings
import xml.etree.ElementTree as ElementTree
from typing import Any

import IPython.display
import matplotlib.colors
import numpy as np
import pandas
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch, Rectangle
from test_paper import MODULES, WORKING_NAMES

from gnet_lib import cost, plots
from gnet_lib.design import NAIVE, REDUCED, Conv
from gnet_lib.googlenet import MINI_ROWS
from gnet_lib.history import History
from gnet_lib.paper import TABLE_1, WIDTHS
from gnet_lib.plots.style import SPARE, short
from gnet_lib.timing import Machine


def a_history(accuracies: list[float], seconds: float) -> History:
    row = dict.fromkeys(History.COLUMNS, 0.5) | {"seconds": seconds}
    return History(
        [
            row
            | {"epoch": epoch, "train_loss": 2 / epoch if epoch < 3 else 0.5}
            | {"validation_loss": (2 / epoch if epoch < 3 else 0.5) + 0.5}
            | {"train_accuracy": accuracy - 0.1, "validation_accuracy": accuracy}
            for epoch, accuracy in enumerate(accuracies, start=1)
        ]
    )


HISTORIES = {"naive": a_history([0.5, 0.6, 0.65], 4.0), "reduced": a_history([0.55, 0.7], 2.0)}
TIMES = pandas.DataFrame(
    {"naive": [4.0, 2.0], "reduced": [2.0, 2.5], "pooling": [0.5, 0.25], "counted": [2.37, 3.1]},
    index=["3a", "3b"],
)
PRICES = pandas.DataFrame(
    {"parameters": [61e6, 7e6], "multiply-adds": [0.7e9, 1.6e9]}, index=["AlexNet", "GoogLeNet"]
)
MACHINE = Machine(operations=80e9, bandwidth=20e9)
POINTS = pandas.DataFrame(
    [("3a", "naive", 77.0, 60e9, 75e9), ("3a", "reduced", 35.0, 30e9, 50e9)],
    columns=["module", "kind", "intensity", "whole", "without pooling"],
)
RACE = {
    "ours": [
        [{"seconds": 10, "accuracy": 0.8}, {"seconds": 20, "accuracy": 0.9}],
        [{"seconds": 30, "accuracy": 0.85}],
    ],
    "tutorial": [[{"seconds": 100, "accuracy": 0.1}, {"seconds": 1000, "accuracy": 0.625}]],
}
DRIFT = pandas.DataFrame(
    {"last digit": [0, 1e-7] + 8 * [1e-5] + 10 * [1e-3], "other seed": 20 * [0.25]},
    index=range(1, 21),
)
CHANGED = pandas.Series({"no flips": 0.87, "batches of 64": 0.89, "dropout": 0.885})
GRADIENTS = {
    "plain": {"without heads": {"conv1": 2e-6, "4a": 3e-4, "4d": 1e-3, "fc": 0.5},
              "with heads": {"conv1": 4e-4, "4a": 3e-3, "4d": 1e-3, "fc": 0.5}},
    "batch": {"without heads": {"conv1": 0.2, "4a": 0.3, "4d": 0.3, "fc": 0.5}},
}  # fmt: skip
STARTS = pandas.DataFrame(
    [("pytorch", 0.03, False, 0.1), ("pytorch", 0.03, True, 0.1), ("he", 0.03, False, 0.45),
     ("he", 0.03, True, 0.6), ("he", 0.3, False, 0.1), ("he", 0.3, True, 0.25)],
    columns=["start", "learning_rate", "heads", "accuracy"],
)  # fmt: skip
SEARCH = pandas.DataFrame(
    [("naive", 0.1, 0.6), ("naive", 0.01, 0.5), ("naive", 1.0, 2.303),
     ("reduced", 0.1, 0.45), ("reduced", 0.01, 0.75)],
    columns=["network", "learning_rate", "loss"],
)  # fmt: skip
COMPARED = pandas.DataFrame(
    [("equal epochs", "naive", 0.86), ("equal epochs", "naive", 0.88),
     ("equal epochs", "reduced", 0.89), ("equal epochs", "reduced", 0.892),
     ("control", "linear", 0.88), ("control", "reduced", 0.9)],
    columns=["comparison", "network", "accuracy"],
)  # fmt: skip
LEADS = pandas.DataFrame(
    {"lead": [0.8, -0.1], "low": [0.5, -0.4], "high": [1.1, 0.2]}, index=["epochs", "control"]
)

FIGURES = {
    "inception_diagram": lambda: plots.inception_diagram(192, WIDTHS["3a"]),
    "network_diagram": plots.network_diagram,
    "branch_cost_bars": lambda: plots.branch_cost_bars(192, WIDTHS["3a"], 28),
    "module_cost_bars": plots.module_cost_bars,
    "channel_growth": plots.channel_growth,
    "reduction_lines": lambda: plots.reduction_lines(192, WIDTHS["3a"]),
    "break_even_dots": plots.break_even_dots,
    "network_cost_bars": plots.network_cost_bars,
    "printed_against_computed": plots.printed_against_computed,
    "latency_bars": lambda: plots.latency_bars(TIMES),
    "roofline": lambda: plots.roofline(MACHINE, POINTS),
    "image_grid": lambda: plots.image_grid(
        torch.arange(27.0).view(3, 1, 3, 3), ["bag", "coat", "bag"]
    ),
    "learning_curves": lambda: plots.learning_curves(HISTORIES),
    "accuracy_curves": lambda: plots.accuracy_curves(RACE, {"85 %": 0.85}),
    "drift_lines": lambda: plots.drift_lines(DRIFT),
    "change_dots": lambda: plots.change_dots(CHANGED, [0.88, 0.886, 0.884]),
    "row_lines": lambda: plots.row_lines(GRADIENTS, "norm of the gradient"),
    "singular_values": lambda: plots.singular_values(
        {"before": torch.diag(torch.tensor([8.0, 2.0, 1.0])), "after": torch.eye(2, 3)}
    ),
    "start_dots": lambda: plots.start_dots(STARTS, chance=0.1, started=0.2),
    "rate_search": lambda: plots.rate_search(SEARCH),
    "comparison_dots": lambda: plots.comparison_dots(COMPARED),
    "lead_intervals": lambda: plots.lead_intervals(LEADS),
    "convolution_diagram": lambda: plots.convolution_diagram(2, 3, 3, 4),
    "network_map": lambda: plots.network_map(PRICES.assign(accuracy=[56.5, 69.8])),
    "price_bars": lambda: plots.price_bars(PRICES),
}


# --- what is read off a figure -----------------------------------------------------------


def drawn(name: str) -> tuple[Figure, Axes]:
    """A figure of the list above that has one pair of axes, and these."""
    figure = FIGURES[name]()
    (axes,) = figure.axes
    return figure, axes


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def numbers(sentence: str) -> list[float]:
    return [float(number.replace(",", "")) for number in re.findall(r"\d[\d,]*\.?\d*", sentence)]


def as_hex(colour) -> str:
    return matplotlib.colors.to_hex(colour).upper()


def bars(axes: Axes) -> list[Rectangle]:
    return [patch for patch in axes.patches if isinstance(patch, Rectangle)]


def faces(things: list) -> list[str]:
    return [as_hex(thing.get_facecolor()) for thing in things]


def marker_faces(lines: list[Line2D]) -> list[str]:
    return [as_hex(line.get_markerfacecolor()) for line in lines]


def points(line: Line2D) -> list[list[float]]:
    return np.asarray(line.get_xydata()).tolist()


def heights(line: Line2D) -> list[float]:
    return [y for _, y in points(line)]


def marked(axes: Axes, marker: str) -> list[Line2D]:
    return [line for line in axes.lines if line.get_marker() == marker]


def by_label(axes: Axes) -> dict[str, Line2D]:
    """The lines that have an entry in a legend."""
    lines = {str(line.get_label()): line for line in axes.lines}
    return {label: line for label, line in lines.items() if not label.startswith("_")}


def row_names(axes: Axes) -> list[str]:
    return [label.get_text() for label in axes.get_yticklabels()]


def legend_texts(axes: Axes) -> list[str]:
    legend = axes.get_legend()
    assert legend is not None
    return [text.get_text() for text in legend.get_texts()]


WHITE, PLAIN = as_hex("white"), as_hex(plots.PLAIN)
BRANCH_COLOURS = [as_hex(colour) for colour in plots.COLOURS.values()]


# --- every figure ------------------------------------------------------------------------


def test_every_figure_of_the_room_is_tested_here():
    functions = inspect.getmembers(plots, inspect.isfunction)
    assert {
        name for name, function in functions if function.__annotations__.get("return") is Figure
    } == set(FIGURES)


@pytest.mark.parametrize("name", FIGURES)
def test_figure_has_a_sentence_and_is_an_svg(name):
    figure = FIGURES[name]()
    alt = plots.alt_text(figure)
    assert len(alt) > 15 and re.fullmatch(r"[A-Z\d].*\.", alt)  # one line
    root = ElementTree.fromstring(plots.svg_bytes(figure))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"


@pytest.mark.parametrize("name", ["network_diagram", "accuracy_curves", "image_grid"])
def test_the_same_figure_is_drawn_the_same_again(name):
    """In any order of formats, although each drawing lays the figure out."""
    first, second = FIGURES[name](), FIGURES[name]()
    svg, png = plots.svg_bytes(first), plots.png_bytes(first)
    assert (plots.png_bytes(second), plots.svg_bytes(second)) == (png, svg)
    assert (plots.svg_bytes(first), plots.png_bytes(first)) == (svg, png)
    assert b"<dc:date>" not in svg


def test_what_is_added_to_a_figure_before_it_is_shown_finds_room():
    plain, titled = plots.channel_growth(), plots.channel_growth()
    titled.axes[0].set_title("two\nlines")
    for figure in (plain, titled):
        plots.svg_bytes(figure)
    assert titled.axes[0].get_position().y1 < plain.axes[0].get_position().y1 - 0.05


@pytest.fixture
def displayed(monkeypatch):
    """What ``show`` hands to IPython: a list of (data, metadata)."""
    seen = []

    def display(data, raw, metadata):
        assert raw is True
        seen.append((data, metadata))

    monkeypatch.setattr(IPython.display, "display", display)
    return seen


@pytest.mark.parametrize("image_format, mime", [("svg", "image/svg+xml"), ("png", "image/png")])
def test_show_displays_the_picture_with_its_sentence(image_format, mime, displayed):
    figure = FIGURES["image_grid"]()
    plots.show(figure, image_format=image_format)
    ((data, metadata),) = displayed
    alt = plots.alt_text(figure)
    assert metadata == {"alt": alt} and data.keys() == {mime, "text/plain"}
    assert data["text/plain"] == f"Figure: {alt}"
    if image_format == "svg":
        assert data[mime].encode() == plots.svg_bytes(figure)
    else:
        assert base64.b64decode(data[mime]) == plots.png_bytes(figure)


def test_show_refuses_another_format(displayed):
    with pytest.raises(ValueError, match="image_format .*'pdf'"):
        plots.show(plots.channel_growth(), image_format="pdf")
    assert displayed == []


def pictures(count: int) -> torch.Tensor:
    return torch.rand(count, 1, 8, 8)


untyped: Any = plots  # arguments of wrong types are given on purpose
REFUSALS = [
    (lambda: untyped.inception_diagram(192, (64, 96)), r"widths .*\(64, 96\)"),
    (lambda: untyped.inception_diagram(0, WIDTHS["3a"]), "in_channels .* 0"),
    (lambda: untyped.inception_diagram(192, WIDTHS["3a"], "naive"), "design .*'naive'"),
    (lambda: untyped.inception_diagram(192, WIDTHS["3a"], reveal=1), "reveal .* 1"),
    (lambda: untyped.branch_cost_bars(192, WIDTHS["3a"], 0), "size .* 0"),
    (lambda: untyped.reduction_lines(2.5, WIDTHS["3a"]), "in_channels .* 2.5"),
    (lambda: untyped.network_diagram(()), "rows .* at least one row"),
    (lambda: untyped.network_diagram(image_size=30), "image_size 30 "),
    (lambda: untyped.image_grid(pictures(3), ["a", "b"]), "titles .* 3, .* 2"),
    (lambda: untyped.image_grid(pictures(0), []), "images .* none"),
    (lambda: untyped.image_grid([], []), "images .* none"),
    (lambda: untyped.image_grid([pictures(1)[0], 3], ["a", "b"]), "images .* 3"),
    *(
        (lambda bad=bad: untyped.image_grid(pictures(1), ["a"], columns=bad), f"columns .* {bad}")
        for bad in (0, -1, 2.5, True)
    ),
    (lambda: untyped.accuracy_curves(RACE, {}, across="images"), "across .*'images'"),
    (lambda: untyped.accuracy_curves({"best": []}, {}), "runs .* best"),
    (lambda: untyped.accuracy_curves({"best": [[]]}, {}), "runs .* best"),
    (lambda: untyped.change_dots(CHANGED, [0.88]), "by_chance .* 1"),
    (lambda: untyped.row_lines({}, "norm"), "panels .* {}"),
    (lambda: untyped.singular_values({"zeros": torch.zeros(2, 2)}), "matrices .* 'zeros'"),
    (lambda: untyped.lead_intervals(LEADS.assign(low=0.9)), "leads .* epochs is 0.8, .* 0.9"),
    # There is a look for four lines: a fifth was left out without a word.
    (lambda: untyped.row_lines({"p": {n: {"x": 1, "y": 1} for n in "abcde"}}, ""), "panels .* 5"),
    (lambda: untyped.row_lines({"p": {"a": {"x": 1}}}, ""), "panels .* 'a' of 'p' has 1"),
    (lambda: untyped.accuracy_curves(RACE, {"percent": 93.7}), r"levels\['percent'\] .* 93.7"),
    (lambda: untyped.branch_cost_bars(9, WIDTHS["3a"], 9, (NAIVE, NAIVE)), "designs .*'naive'"),
    (lambda: untyped.convolution_diagram(1, 1, 3, 999), r"\(in_channels.*10,000.* 1,996,002"),
    (
        lambda: untyped.comparison_dots(
            pandas.DataFrame([{"comparison": "equal", "network": "wide", "accuracy": 0.9}])
        ),
        "each network of runs .* naive, .*'wide'",
    ),
    *(
        (lambda bad=bad: untyped.row_lines({"p": {"a": {"x": bad}}}, ""), f"panels .* 'p' .*{bad}")
        for bad in (0.0, -1.0, float("nan"))
    ),
]


@pytest.mark.parametrize("call, message", REFUSALS, ids=[message for _, message in REFUSALS])
def test_figures_refuse_bad_arguments(call, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        call()


# --- one module --------------------------------------------------------------------------

# A fifth branch of three layers, which the paper's module does not have.
WIDER = REDUCED.variant(
    "wider",
    {
        "7x7": (
            Conv(1, "c5x5_reduce", name="reduce"),
            Conv((1, 7), "c5x5", name="wide"),
            Conv((7, 1), "c3x3", name="high"),
        )
    },
)


@pytest.mark.parametrize("design", [NAIVE, REDUCED], ids=["naive", "reduced"])
@pytest.mark.parametrize("printed", MODULES, ids=lambda module: module.name)
def test_inception_diagram_says_and_shows_its_channels(printed, design):
    w = printed.widths
    naive = design is NAIVE
    outputs = [w.c1x1, w.c3x3, w.c5x5, printed.in_channels if naive else w.pool_proj]
    figure = plots.inception_diagram(printed.in_channels, w, design)
    alt = plots.alt_text(figure)
    assert design.name in alt
    said = numbers(re.sub("[135]x[135]", "", alt))
    assert said == [printed.in_channels, *outputs, sum(outputs)]
    inside = [] if naive else [w.c3x3_reduce, w.c5x5_reduce, printed.in_channels]
    shown = texts(figure)
    assert [int(text) for text in shown if text.isdigit()] == outputs + inside
    assert f"{sum(outputs)} channels out" in shown


@pytest.mark.parametrize("printed", MODULES, ids=lambda module: module.name)
def test_inception_diagram_bars_share_a_scale(printed):
    whole, limits = {}, set()
    w = printed.widths
    for design in (NAIVE, REDUCED):
        (axes,) = plots.inception_diagram(printed.in_channels, w, design).axes
        parts = bars(axes)  # from top to bottom, without gaps
        for part, below in itertools.pairwise(parts):
            assert np.isclose(part.get_y(), below.get_y() + below.get_height())
        sizes = np.array([part.get_height() for part in parts])
        channels = [w.c1x1, w.c3x3, w.c5x5, printed.in_channels if design is NAIVE else w.pool_proj]
        assert np.allclose(sizes / sizes.sum(), np.array(channels) / sum(channels))
        whole[design.name] = sizes.sum() / sum(channels)
        limits.add(axes.get_ylim())
        bottom, top = axes.get_ylim()
        assert bottom <= parts[-1].get_y() and parts[0].get_y() + parts[0].get_height() <= top
    assert np.isclose(whole["naive"], whole["reduced"])
    assert len(limits) == 1  # so the same height is as many inches in both figures


@pytest.mark.parametrize("design", [NAIVE, REDUCED], ids=["naive", "reduced"])
def test_inception_diagram_keeps_its_outputs_to_itself(design):
    """Without ``reveal`` a reader can predict them: nothing gives them away."""
    figure = plots.inception_diagram(192, WIDTHS["3a"], design, reveal=False)
    (axes,) = figure.axes
    inside = [] if design is NAIVE else [96, 16, 192]
    assert numbers(" ".join(text for text in texts(figure) if text.isdigit())) == inside
    assert any("?" in text for text in texts(figure)) and not bars(axes)
    assert numbers(plots.alt_text(figure)) == [192]
    ends = {y for line in axes.lines for x, y in points(line) if x == 8.6}
    assert ends == {1.5}  # all four lines meet in one place, not at the parts of the bar


def test_inception_diagram_of_a_variant_draws_every_layer():
    figure = plots.inception_diagram(192, WIDTHS["3a"], WIDER)
    (axes,) = figure.axes
    assert {"1×7 conv", "7×1 conv"} <= set(texts(figure))
    assert [as_hex(part.get_edgecolor()) for part in bars(axes)] == [*BRANCH_COLOURS, SPARE]
    alt = plots.alt_text(figure)
    assert "wider" in alt and "five" in alt and numbers(alt)[-1] == 256 + 128
    boxes = [patch for patch in axes.patches if isinstance(patch, FancyBboxPatch)]
    assert len(boxes) == 1 + 1 + 2 + 2 + 2 + 3  # the input, and every layer
    for box, other in itertools.combinations(boxes, 2):
        assert not box.get_bbox().overlaps(other.get_bbox())


def test_branch_cost_bars():
    figure, axes = drawn("branch_cost_bars")
    pixels = 28 * 28
    naive = [pixels * 192 * 64, pixels * 9 * 192 * 128, pixels * 25 * 192 * 32, 0]
    reduced = [
        pixels * 192 * 64, pixels * (192 * 96 + 9 * 96 * 128),
        pixels * (192 * 16 + 25 * 16 * 32), pixels * 192 * 32,
    ]  # fmt: skip
    by_turns = [value for pair in zip(naive, reduced, strict=True) for value in pair]
    assert [bar.get_width() for bar in bars(axes)] == by_turns
    said = numbers(re.sub("[135]x[135]", "", plots.alt_text(figure)))
    assert said == [float(f"{value / 1e6:.3g}") for value in by_turns]


def test_branch_cost_bars_of_a_variant_give_its_branch_no_naive_cost():
    figure = plots.branch_cost_bars(192, WIDTHS["3a"], 28, (REDUCED, WIDER))
    (axes,) = figure.axes
    before, after = (bar.get_width() for bar in bars(axes)[-2:])
    assert (before, after) == (0, 28 * 28 * (192 * 16 + 7 * 16 * 32 + 7 * 32 * 128))
    assert row_names(axes) == ["1x1", "3x3", "5x5", "pool", "7x7"]
    assert "reduced against wider" in plots.alt_text(figure)


def test_reduction_lines():
    figure, axes = drawn("reduction_lines")
    # 9 * 192 * 128 / (192 + 9 * 128) and 25 * 192 * 32 / (192 + 25 * 32), by hand
    assert {96, 164.6, 16, 154.8} <= set(numbers(plots.alt_text(figure)))
    dots = [points(line) for line in marked(axes, "o")]
    assert dots == [[[96, 192 * 96 + 9 * 96 * 128]], [[16, 192 * 16 + 25 * 16 * 32]]]
    levels = {heights(line)[0] for line in axes.lines if line.get_linewidth() == 0.8}
    assert levels == {9 * 192 * 128, 25 * 192 * 32}


def test_break_even_dots_marks_the_eighteen_choices():
    figure = plots.break_even_dots()
    closest = 0
    for axes, side in zip(figure.axes, (3, 5), strict=True):
        assert axes.get_title(loc="left").startswith(f"{side}×{side} conv")
        chosen, even, lines = (marked(axes, marker) for marker in ("o", "|", "None"))
        assert len(chosen) == len(even) == len(lines) == 9
        for row, (_, in_channels, _, w, _) in enumerate(MODULES):
            reduce, out = (w.c3x3_reduce, w.c3x3) if side == 3 else (w.c5x5_reduce, w.c5x5)
            ((x, y),) = points(chosen[row])
            assert (x, y) == (reduce / in_channels, row)
            ((x_even, y_even),) = points(even[row])
            width = x_even * in_channels  # with it, both ways cost the same:
            assert np.isclose(
                width * in_channels + side**2 * width * out, side**2 * in_channels * out, rtol=1e-9
            )
            assert y_even == row
            assert points(lines[row]) == [[x, row], [x_even, row]]
            closest = max(closest, x / x_even)
        assert {line.get_color() for line in chosen} == {plots.COLOURS[f"{side}x{side}"]}
        assert axes.get_xlim() == (0, 1)
    left = figure.axes[0]
    assert row_names(left) == [module.name for module in MODULES]
    bottom, top = left.get_ylim()
    assert top < 0 and bottom > 8  # 3a stands at the top, and nothing is cut off
    assert sorted(texts(figure)) == ["break-even", "chosen"]
    assert numbers(plots.alt_text(figure)) == [18, round(100 * closest)]


# --- whole networks ----------------------------------------------------------------------


def test_network_diagram():
    figure, _ = drawn("network_diagram")
    alt = plots.alt_text(figure)
    assert "9 Inception modules" in alt and "224x224 pixels to 1024 maps of 7x7" in alt
    assert alt.endswith("behind 4a and 4d.")
    shown = texts(figure)
    assert [text for text in shown if text in WORKING_NAMES] == list(WORKING_NAMES)
    assert shown.count("auxiliary\nclassifier") == 2
    assert {"112²\n64 ch", "14²\n528 ch", "7²\n1024 ch"} <= set(shown)


@pytest.mark.parametrize(
    "options, said, heads",
    [
        ({"image_size": 128}, "1024 maps of 4x4", 2),
        ({"rows": MINI_ROWS, "image_size": 28}, "288 maps of 7x7", 1),
        ({"rows": MINI_ROWS, "image_size": 28, "aux": False}, "288 maps of 7x7", 0),
        ({"rows": TABLE_1[:6]}, "480 maps of 28x28", 0),
    ],
    ids=["another size", "the small network", "without heads", "the stem"],
)
def test_network_diagram_marks_the_heads_that_its_rows_have(options, said, heads):
    figure = plots.network_diagram(**options)
    assert said in plots.alt_text(figure)
    assert texts(figure).count("auxiliary\nclassifier") == heads
    assert ("auxiliary" in plots.alt_text(figure)) == (heads > 0)


def test_module_cost_bars():
    figure, _ = drawn("module_cost_bars")
    ratios = {}
    for name, in_channels, size, w, _ in MODULES:
        naive, reduced = (
            cost.total(cost.inception_cost(in_channels, w, size, design)).multiply_adds
            for design in (NAIVE, REDUCED)
        )
        ratios[name] = naive / reduced
    assert texts(figure) == [f"{ratio:.1f}×" for ratio in ratios.values()]
    for name, ratio in (choose(ratios.items(), key=lambda item: item[1]) for choose in (min, max)):
        assert f"{ratio:.1f} times ({name})" in plots.alt_text(figure)


def test_channel_growth():
    figure, axes = drawn("channel_growth")
    naive, reduced = (heights(line) for line in axes.lines)
    assert reduced == [module.out_channels for module in MODULES]
    assert (naive[0], naive[-1]) == (416, 4944)
    assert numbers(plots.alt_text(figure)) == [416, 4944, 256, 1024]


def test_network_cost_bars():
    figure = plots.network_cost_bars()
    rows = cost.network_cost()
    work, parameters = (
        {name: getattr(row, measure) for name, row in rows.items() if row.weights}
        for measure in ("multiply_adds", "parameters")
    )
    dearest = max(work, key=lambda name: work[name])
    assert f"row is {dearest} " in plots.alt_text(figure)
    assert numbers(plots.alt_text(figure))[-2:] == [
        round(100 * work[dearest] / sum(work.values())),
        round(100 * parameters["linear"] / sum(parameters.values())),
    ]
    for axes, expected in zip(figure.axes, (work, parameters), strict=True):
        lengths = dict.fromkeys(range(len(expected)), 0.0)
        for bar in bars(axes):
            row = round(bar.get_y() + bar.get_height() / 2)
            assert bar.get_x() == lengths[row]  # each part begins where the one before ends
            lengths[row] += bar.get_width()
        assert list(lengths.values()) == list(expected.values())
    left = figure.axes[0]
    assert row_names(left) == list(work) and left.yaxis_inverted()  # the first row at the top


def test_printed_against_computed_shows_every_row_or_names_it():
    figure, axes = drawn("printed_against_computed")
    rows = row_names(axes)
    assert rows == ["conv1", "conv2", *WIDTHS, "linear"]
    shown = {
        label: dict(zip(rows, [x for x, _ in points(line)], strict=True))
        for label, line in by_label(axes).items()
    }
    # By hand, from the widths of 5a: 1072K and 54M are printed for 1,042,432 weights on 7x7.
    weights = 832 * (256 + 160 + 32 + 128) + 9 * 160 * 320 + 25 * 32 * 128
    assert shown["parameters"]["5a"] == pytest.approx(1072 * 1024 / weights)
    assert shown["operations"]["5a"] == pytest.approx(54e6 / (weights * 49))
    assert shown["parameters"]["conv2"] == pytest.approx(1)
    left, right = axes.get_xlim()
    ratios = [(row, ratio) for values in shown.values() for row, ratio in values.items()]
    assert {row for row, ratio in ratios if not left < ratio < right} == {"conv1"}
    # conv1 has 9,408 weights on 112 x 112; 2.7K and 34M are printed.
    beyond = [round(2.7 * 1024 / 9408, 2), round(34e6 / (9408 * 112**2), 2)]
    (named,) = texts(figure)
    assert numbers(named) == beyond
    within = [
        sum(abs(ratio - 1) < 0.01 for ratio in shown[what].values())
        for what in ("operations", "parameters")
    ]
    # Twelve rows of Table 1, within 1 percent.
    assert numbers(plots.alt_text(figure)) == [12, 1, 1, *within, 1, beyond[0], beyond[1]]


# --- the stopwatch -----------------------------------------------------------------------


def test_latency_bars():
    figure, axes = drawn("latency_bars")
    assert texts(figure) == ["2.4 → 2.0", "3.1 → 0.8"]  # counted, then measured
    pool = as_hex(plots.COLOURS["pool"])
    drawn_bars = [
        (round(bar.get_x() + bar.get_width() / 2, 9), bar.get_y(), bar.get_height(), face)
        for bar, face in zip(bars(axes), faces(bars(axes)), strict=True)
    ]
    assert drawn_bars == [
        (-0.2, 0, 4.0, WHITE), (-0.2, 0, 0.5, pool), (0.2, 0, 2.0, PLAIN), (0.2, 0, 0.5, pool),
        (0.8, 0, 2.0, WHITE), (0.8, 0, 0.25, pool), (1.2, 0, 2.5, PLAIN), (1.2, 0, 0.25, pool),
    ]  # fmt: skip
    assert [label.get_text() for label in axes.get_xticklabels()] == ["3a", "3b"]
    assert "milliseconds" in axes.get_ylabel()
    assert [text.split()[0] for text in legend_texts(axes)] == ["naive", "reduced", "of"]


def test_latency_bars_says_nothing_that_another_run_would_change():
    slower = TIMES.assign(naive=TIMES["naive"] * 3, reduced=TIMES["reduced"] * 2)
    alt = plots.alt_text(plots.latency_bars(TIMES))
    assert plots.alt_text(plots.latency_bars(slower)) == alt
    assert numbers(alt) == [2]


def test_roofline():
    figure, axes = drawn("roofline")
    assert numbers(plots.alt_text(figure)) == [2]
    roof, *_ = axes.lines
    assert max(heights(roof)) == 80  # billion operations a second, the flat part
    x, y = points(roof)[0]
    assert np.isclose(y, 20 * x)  # the slope is the bandwidth
    assert {label: points(line) for label, line in by_label(axes).items()} == {
        "naive": [[77, 60]], "naive, without pooling": [[77, 75]],
        "reduced": [[35, 30]], "reduced, without pooling": [[35, 50]],
    }  # fmt: skip


# --- data and training -------------------------------------------------------------------


def test_image_grid():
    images = pictures(5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = plots.image_grid(images, ["Bag\nor Coat?", *"bcdb"], columns=3)
    assert [axes.get_title() for axes in figure.axes] == ["Bag\nor Coat?", *"bcdb", ""]
    assert [len(axes.images) for axes in figure.axes] == [1] * 5 + [0]  # two rows of three
    for axes, image in zip(figure.axes, images, strict=False):
        assert np.array_equal(np.asarray(axes.images[0].get_array()), image[0].numpy())
    assert plots.alt_text(figure) == "5 images: Bag or Coat?, b, c, d."


def test_learning_curves():
    figure = plots.learning_curves(HISTORIES)
    loss, accuracy = (by_label(axes) for axes in figure.axes)
    assert np.allclose(points(loss["naive training"]), [[1, 2.0], [2, 1.0], [3, 0.5]])
    assert np.allclose(points(loss["naive validation"]), [[1, 2.5], [2, 1.5], [3, 1.0]])
    assert np.allclose(points(accuracy["naive training"]), [[1, 40], [2, 50], [3, 55]])
    assert np.allclose(points(accuracy["naive validation"]), [[1, 50], [2, 60], [3, 65]])
    assert np.allclose(points(accuracy["reduced validation"]), [[1, 55], [2, 70]])
    # A run of each name, outlined and filled; training dotted, validation drawn through.
    assert marker_faces(list(loss.values())) == [WHITE, WHITE, PLAIN, PLAIN]
    assert [line.get_linestyle() for line in loss.values()] == [":", "-", ":", "-"]
    assert numbers(plots.alt_text(figure).split(";", 1)[1]) == [
        0.5, 55.0, 1.0, 65.0, 1.0, 60.0, 1.5, 70.0,
    ]  # fmt: skip
    by_second = by_label(plots.learning_curves(HISTORIES, across="seconds").axes[1])
    assert np.allclose(points(by_second["naive validation"]), [[4, 50], [8, 60], [12, 65]])


def test_a_history_without_validation_draws_its_training_alone():
    rows = [
        row | {"validation_loss": None, "validation_accuracy": None}
        for row in HISTORIES["naive"].rows
    ]
    figure = History(rows).plot()
    assert [list(by_label(axes)) for axes in figure.axes] == [["training"], ["training"]]
    assert "validation" not in plots.alt_text(figure)


@pytest.mark.parametrize(
    ("histories", "across", "said"),
    [
        ({}, "epoch", "histories must be"), (None, "epoch", "histories must be"),
        ({"mine": [1]}, "epoch", "entry of histories .* \\[1\\]"),
        ({"mine": History()}, "epoch", "complete epoch .* mine has none"),
        (HISTORIES, "hours", "across must be .*'hours'"),
    ],
)  # fmt: skip
def test_learning_curves_refuse_what_has_no_curve(histories: Any, across, said):
    with pytest.raises(ValueError, match=said):
        plots.learning_curves(histories, across)


def test_accuracy_curves_draw_every_run_and_say_where_it_ends():
    figure, axes = drawn("accuracy_curves")
    curves = [line for line in axes.lines if line.get_linewidth() > 1]
    assert [points(line) for line in curves] == [
        [[10, 80], [20, 90]], [[30, 85]], [[100, 10], [1000, 62.5]],
    ]  # fmt: skip
    colours = [as_hex(line.get_color()) for line in curves]
    assert colours[:2] == [PLAIN, PLAIN] and colours[2] != PLAIN
    assert axes.get_xscale() == "log" and texts(figure) == ["85 %"]
    assert legend_texts(axes) == ["ours", "tutorial"]
    assert numbers(plots.alt_text(figure)) == [90.0, 20, 85.0, 30, 62.5, 1000]


def test_accuracy_curves_by_epoch():
    rows = [{"epoch": 1, "accuracy": 0.8}, {"epoch": 2, "accuracy": 0.9}]
    figure = plots.accuracy_curves({"best": [rows]}, {}, across="epoch")
    (axes,) = figure.axes
    assert axes.get_xscale() == "linear" and axes.get_xlabel() == "epoch"
    assert all(tick == int(tick) for tick in axes.get_xticks())
    figure.draw_without_rendering()
    legend = axes.get_legend()
    assert legend is not None  # and it stands above the curves
    assert legend.get_window_extent().y0 >= axes.get_window_extent().y1


def test_accuracy_curves_names_of_close_levels_stand_apart():
    figure = plots.accuracy_curves(RACE, {"b": 0.6, "a": 0.599})
    low, high = (text.get_position()[1] for text in figure.axes[0].texts)
    assert texts(figure) == ["a", "b"] and low == pytest.approx(59.9) and high > low + 2


def test_pictures_of_unlike_size_stand_side_by_side_equally_large():
    figure = plots.image_grid([torch.rand(1, 28, 28), torch.rand(3, 20, 20)], ["late", "early"])
    sizes = [axes.images[0].get_size() for axes in figure.axes[:2]]
    assert sizes == [(28, 28), (20, 20)] and plots.alt_text(figure) == "2 images: late, early."
    figure.canvas.draw()
    one, other = (axes.get_window_extent() for axes in figure.axes[:2])
    assert one.width == pytest.approx(other.width)


def test_change_dots_set_changes_against_chance():
    figure, axes = drawn("change_dots")
    assert [points(line)[0][0] for line in axes.lines] == pytest.approx([87, 88.5, 89])
    assert row_names(axes) == ["no flips", "dropout", "batches of 64"]
    (band,) = bars(axes)
    assert (band.get_x(), band.get_x() + band.get_width()) == pytest.approx((88.0, 88.6))
    # Three changes; by chance from 88 to 88.6 percent; one above, one below.
    assert numbers(plots.alt_text(figure)) == [3, 88, 88.6, 1, 1]


def test_change_dots_of_several_seeds_stand_in_one_row_with_their_mean():
    several = pandas.Series([0.86, 0.88, 0.9], index=["no flips", "no flips", "dropout"])
    figure = plots.change_dots(several, [0.88, 0.885])
    (axes,) = figure.axes
    (mean,) = marked(axes, "|")
    assert points(mean) == [[pytest.approx(87), 0]]
    assert [x for x, _ in points(axes.lines[0])] == pytest.approx([86, 88])
    assert row_names(axes) == ["no flips", "dropout"] and texts(figure) == ["87.00%", "90.00%"]


def test_drift_lines_leave_out_what_is_equal():
    figure, axes = drawn("drift_lines")
    assert axes.get_yscale() == "log"
    near, far = axes.lines
    assert np.isnan(heights(near)[0]) and heights(near)[1:3] == [1e-7, 1e-5]
    assert points(far) == [[step, 0.25] for step in range(1, 21)]
    assert (near.get_color(), near.get_linestyle()) != (far.get_color(), far.get_linestyle())
    alt = plots.alt_text(figure)
    assert "20 steps" in alt
    assert "last digit from 1e-07 to 1e-03" in alt and "other seed from 2e-01 to 2e-01" in alt
    assert "same no difference" in plots.alt_text(plots.drift_lines(DRIFT.assign(same=0.0)))


# --- signal and gradient -----------------------------------------------------------------


def test_row_lines_share_one_logarithmic_scale():
    figure = plots.row_lines(GRADIENTS, "norm of the gradient")
    plain, batch = figure.axes
    assert plain.get_yscale() == "log" and plain.get_ylim() == batch.get_ylim()
    assert [axes.get_title(loc="left") for axes in figure.axes] == list(GRADIENTS)
    for axes, lines in zip(figure.axes, GRADIENTS.values(), strict=True):
        found = by_label(axes)
        assert {name: heights(line) for name, line in found.items()} == {
            name: list(values.values()) for name, values in lines.items()
        }
        for line in found.values():
            assert np.asarray(line.get_xdata()).tolist() == ["conv1", "4a", "4d", "fc"]
    assert marker_faces(list(by_label(plain).values())) == [WHITE, PLAIN]
    alt = plots.alt_text(figure)
    assert "plain, with heads: 4e-04 at conv1, 5e-01 at fc" in alt
    assert "batch, without heads: 2e-01 at conv1, 5e-01 at fc" in alt


def test_row_lines_with_an_odd_number_of_panels():
    titles = ["one", "two", "three"]
    figure = plots.row_lines(dict.fromkeys(titles, GRADIENTS["plain"]), "norm")
    shown = [axes for axes in figure.axes if axes.axison]
    assert [axes.get_title(loc="left") for axes in shown] == titles
    assert [axes.get_ylabel() for axes in shown] == ["norm", "", "norm"]


def test_start_dots_have_a_dot_for_each_run():
    figure = plots.start_dots(STARTS, chance=0.1, started=0.2)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["pytorch", "he"]
    rates = [0.03, 0.3]
    for axes, start in zip(figure.axes, ("pytorch", "he"), strict=True):
        assert [float(tick.get_text()) for tick in axes.get_xticklabels()] == rates
        for heads, label, face in ((False, "without heads", WHITE), (True, "with heads", PLAIN)):
            line = by_label(axes)[label]
            runs = STARTS[(STARTS["start"] == start) & (STARTS["heads"] == heads)]
            places = [rates.index(rate) for rate in runs["learning_rate"]]
            assert [round(x) for x, _ in points(line)] == places
            assert np.allclose(heights(line), 100 * runs["accuracy"])
            assert marker_faces([line]) == [face]
    alt = plots.alt_text(figure)
    assert "6 short runs" in alt
    assert "pytorch 0 of 1 without heads and 0 of 1 with" in alt
    assert "he 1 of 2 without heads and 2 of 2 with" in alt


# --- the fair comparison -----------------------------------------------------------------


def test_rate_search():
    figure, axes = drawn("rate_search")
    lines = by_label(axes)
    assert points(lines["naive"]) == [[0.01, 0.5], [0.1, 0.6]]
    assert points(lines["reduced"]) == [[0.01, 0.75], [0.1, 0.45]]
    assert marker_faces(list(lines.values())) == [WHITE, PLAIN]  # outlined, filled
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0.01", "0.1", "1"]
    failed = "naive at 1 (2.30)"
    assert failed in axes.get_title(loc="left")
    assert "naive 0.01, reduced 0.1." in plots.alt_text(figure)
    assert failed in plots.alt_text(figure)
    without = plots.rate_search(SEARCH.drop(index=2))
    assert without.axes[0].get_title(loc="left") == ""
    assert plots.alt_text(without).endswith("naive 0.01, reduced 0.1.")


def test_lead_intervals_show_who_is_ahead_and_where_nobody_can_tell():
    figure, axes = drawn("lead_intervals")
    dots = marked(axes, "o")
    assert [points(dot)[0] for dot in dots] == [[0.8, 0], [-0.1, 1]]
    assert marker_faces(dots) == [PLAIN, WHITE]  # the second interval holds 0
    assert row_names(axes) == ["epochs", "control"]
    spans = [points(line) for line in axes.lines if line not in dots][1:]  # the first is 0
    assert spans == [[[0.5, 0], [1.1, 0]], [[-0.4, 1], [0.2, 1]]]
    assert "control -0.10 (-0.40 to +0.20)" in plots.alt_text(figure)


def test_singular_values_are_drawn_as_shares_of_the_largest():
    figure, axes = drawn("singular_values")
    lines = by_label(axes)
    assert [y for _, y in points(lines["before"])] == pytest.approx([1, 0.25, 0.125])
    assert points(lines["after"]) == [[1, 1], [2, 1]]
    assert plots.alt_text(figure).endswith("before 0.25, after 1.00.")


def test_the_networks_of_a_comparison_differ_in_marker_or_face():
    marks = {name: tuple(mark.values()) for name, mark in plots.NETWORK_MARKS.items()}
    assert len(set(marks.values())) == len(marks) == 4
    assert {name for name, mark in marks.items() if "white" in mark} == {"naive", "narrow"}


def test_comparison_dots():
    figure, axes = drawn("comparison_dots")
    alt = plots.alt_text(figure)
    assert "equal epochs: naive 87.0 % and reduced 89.1 %" in alt
    assert "control: linear 88.0 % and reduced 90.0 %" in alt and numbers(alt)[0] == 6
    means = marked(axes, "|")
    dots = [line for line in axes.lines if line not in means]
    expected = [[86, 88], [89, 89.2], [88], [90]]
    for line, mean, values in zip(dots, means, expected, strict=True):
        assert np.allclose([x for x, _ in points(line)], values)
        assert np.allclose(points(mean)[0][0], np.mean(values))
        assert set(heights(line)) == set(heights(mean))  # a row of its own
    rows = [heights(line)[0] for line in dots]
    assert rows == sorted(rows) == list(axes.get_yticks())
    assert row_names(axes) == ["naive", "reduced", "linear", "reduced"]
    assert texts(figure) == ["equal epochs", "control"]
    assert marker_faces(dots) == [WHITE, PLAIN, as_hex(plots.COLOURS["3x3"]), PLAIN]


@pytest.mark.parametrize("count, expected", [
    (0, "0"), (0.25, "0.25"), (999.4, "999"), (999.7, "1 K"), (1004, "1 K"), (99_950, "100 K"),
    (999_499, "999 K"), (999_500, "1 M"), (1_500_000, "1.5 M"), (999_999_999, "1 G"),
    (128_049_152, "128 M"), (1_582_671_872, "1.58 G"), (2_000_000_000_000, "2000 G"),
])  # fmt: skip
def test_short_counts(count, expected):
    assert short(count) == expected


# --- colours -----------------------------------------------------------------------------

# Machado, Oliveira and Fernandes (2009), severity 1.0, for linear RGB.
COLOUR_VISION = {
    "normal": np.eye(3),
    "protanopia": np.array([
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ]),
    "deuteranopia": np.array([
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ]),
    "tritanopia": np.array([
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ]),
}  # fmt: skip
XYZ_OF_RGB = np.array([
    [0.4124564, 0.3575761, 0.1804375],
    [0.2126729, 0.7151522, 0.0721750],
    [0.0193339, 0.1191920, 0.9503041],
])  # fmt: skip


def linear_rgb(colour: str) -> np.ndarray:
    value = np.array(matplotlib.colors.to_rgb(colour))
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def lab(linear: np.ndarray) -> np.ndarray:
    """CIE Lab (D65): in it, a distance of 2 is just visible."""
    xyz = XYZ_OF_RGB @ np.clip(linear, 0, 1) / np.array([0.95047, 1.0, 1.08883])
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def least_distance(colours, matrix: np.ndarray) -> float:
    seen = [lab(matrix @ linear_rgb(colour)) for colour in colours]
    return min(float(np.linalg.norm(a - b)) for a, b in itertools.combinations(seen, 2))


def test_the_yardstick_itself():
    assert np.allclose(lab(linear_rgb("white")), [100, 0, 0], atol=0.01)
    assert np.allclose(lab(linear_rgb("red")), [53.24, 80.09, 67.20], atol=0.01)
    for matrix in COLOUR_VISION.values():
        assert np.allclose(matrix.sum(axis=1), 1, atol=1e-5)  # grey stays grey
    # Two colours that everybody else tells apart.
    assert least_distance(("#c04040", "#607000"), COLOUR_VISION["normal"]) > 60
    assert least_distance(("#c04040", "#607000"), COLOUR_VISION["deuteranopia"]) < 15


@pytest.mark.parametrize("vision", COLOUR_VISION)
def test_branches_can_be_told_apart(vision):
    assert least_distance([*plots.COLOURS.values(), SPARE], COLOUR_VISION[vision]) > 15


def contrast(one, other) -> float:
    """Contrast ratio of WCAG 2."""
    dark, light = sorted(XYZ_OF_RGB[1] @ linear_rgb(colour) for colour in (one, other))
    return float((light + 0.05) / (dark + 0.05))


def test_lines_and_labels_stand_out():
    for colour in (*plots.COLOURS.values(), plots.PLAIN, plots.INK):
        assert contrast(colour, "white") >= 2.8, colour  # the outlines of bars and boxes
    assert contrast(plots.PLAIN, "white") >= 4.5 and contrast(plots.INK, "white") >= 4.5
    (axes,) = plots.inception_diagram(192, WIDTHS["3a"], WIDER).axes
    boxes = {box.get_bbox(): box for box in axes.patches if isinstance(box, FancyBboxPatch)}
    inside = [
        (box, text) for bounds, box in boxes.items() for text in axes.texts
        if bounds.contains(*text.get_position())
    ]  # fmt: skip
    assert len(inside) == len(boxes)
    for box, text in inside:
        assert contrast(text.get_color(), box.get_facecolor()[:3]) >= 3, text.get_text()


@pytest.mark.parametrize("design", [NAIVE, REDUCED], ids=["naive", "reduced"])
def test_a_naive_module_is_outlined_and_a_reduced_one_filled(design):
    (axes,) = plots.inception_diagram(192, WIDTHS["3a"], design).axes
    parts = bars(axes)
    assert [as_hex(part.get_edgecolor()) for part in parts] == BRANCH_COLOURS
    assert faces(parts) == ([WHITE] * 4 if design is NAIVE else BRANCH_COLOURS)


def test_branches_have_the_houses_colours():
    assert list(plots.COLOURS) == list(REDUCED.branches)
    of_branches = bars(drawn("branch_cost_bars")[1])
    edges = [as_hex(bar.get_edgecolor()) for bar in of_branches]
    assert edges == [colour for colour in BRANCH_COLOURS for _ in range(2)]
    assert faces(of_branches[1::2]) == BRANCH_COLOURS
    assert set(faces(of_branches[::2])) == {WHITE}
    of_network = faces(bars(plots.network_cost_bars().axes[0]))
    assert set(of_network) == {*BRANCH_COLOURS, as_hex(plots.SOFT)}
