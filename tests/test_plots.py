"""Tests of gnet_lib.plots.

Truth from outside: the numbers of ``cost`` and ``paper`` (checked in tests of their own),
and published models of colour blindness.
"""

import base64
import inspect
import itertools
import re
import warnings
import xml.etree.ElementTree as ElementTree

import IPython.display
import matplotlib.colors
import numpy as np
import pandas
import pytest
import torch
from matplotlib.figure import Figure
from test_paper import MODULES, WORKING_NAMES

from gnet_lib import WIDTHS, cost, plots
from gnet_lib.googlenet import MINI_ROWS
from gnet_lib.paper import BRANCHES, TABLE_1
from gnet_lib.plots.style import readable_on, short
from gnet_lib.timing import Machine
from gnet_lib.training import History


def a_history(accuracies: list[float], seconds: float) -> History:
    rows = [
        {
            "epoch": epoch, "train_loss": 1 / epoch, "train_accuracy": 0.5,
            "validation_loss": 0.7, "validation_accuracy": accuracy,
            "learning_rate": 0.1, "seconds": seconds, "images_per_second": 100.0,
        }
        for epoch, accuracy in enumerate(accuracies, start=1)
    ]  # fmt: skip
    return History(rows)


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
    [
        {
            "module": "3a",
            "kind": "naive",
            "intensity": 77.0,
            "whole": 60e9,
            "without pooling": 75e9,
        },
        {
            "module": "3a",
            "kind": "reduced",
            "intensity": 35.0,
            "whole": 30e9,
            "without pooling": 50e9,
        },
    ]
)

RACE = {
    "ours": [
        [{"seconds": 10, "accuracy": 0.8}, {"seconds": 20, "accuracy": 0.9}],
        [{"seconds": 30, "accuracy": 0.85}],
    ],
    "tutorial": [[{"seconds": 100, "accuracy": 0.1}, {"seconds": 1000, "accuracy": 0.625}]],
}
DRIFT = pandas.DataFrame(
    {"last digit": [0, 1e-7] + 18 * [1e-3], "other seed": 20 * [0.25]}, index=range(1, 21)
)
CHANGED = pandas.Series({"no flips": 0.87, "batches of 64": 0.89, "dropout": 0.885})

GRADIENTS = {
    "plain": {"without heads": {"conv1": 2e-6, "4a": 3e-4, "4d": 1e-3, "fc": 0.5},
              "with heads": {"conv1": 4e-4, "4a": 3e-3, "4d": 1e-3, "fc": 0.5}},
    "batch": {"without heads": {"conv1": 0.2, "4a": 0.3, "4d": 0.3, "fc": 0.5}},
}  # fmt: skip

STARTS = pandas.DataFrame(
    [("pytorch", 0.03, False, 0.1), ("pytorch", 0.03, True, 0.1), ("he", 0.03, False, 0.45), ("he", 0.03, True, 0.6),
     ("he", 0.3, False, 0.1), ("he", 0.3, True, 0.25)],
    columns=["start", "learning_rate", "heads", "accuracy"],
)  # fmt: skip

SEARCH = pandas.DataFrame(
    [
        ("naive", 0.1, 0.6), ("naive", 0.01, 0.5), ("naive", 1.0, 2.303),
        ("reduced", 0.1, 0.45), ("reduced", 0.01, 0.75),
    ],
    columns=["network", "learning_rate", "loss"],
)  # fmt: skip
COMPARED = pandas.DataFrame(
    [
        ("equal epochs", "naive", 0.86), ("equal epochs", "naive", 0.88),
        ("equal epochs", "reduced", 0.89), ("equal epochs", "reduced", 0.892),
        ("control", "linear", 0.88), ("control", "reduced", 0.9),
    ],
    columns=["comparison", "network", "accuracy"],
)  # fmt: skip

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
    "start_dots": lambda: plots.start_dots(STARTS, chance=0.1, started=0.2),
    "rate_search": lambda: plots.rate_search(SEARCH),
    "comparison_dots": lambda: plots.comparison_dots(COMPARED),
    "convolution_diagram": lambda: plots.convolution_diagram(2, 3, 3, 4),
    "network_map": lambda: plots.network_map(PRICES.assign(accuracy=[56.5, 69.8])),
    "price_bars": lambda: plots.price_bars(PRICES),
}


@pytest.fixture
def displayed(monkeypatch):
    """What ``show`` hands to IPython: a list of (data, metadata)."""
    seen = []

    def display(data, raw, metadata):
        assert raw is True
        seen.append((data, metadata))

    monkeypatch.setattr(IPython.display, "display", display)
    return seen


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def numbers(sentence: str) -> list[float]:
    return [float(number.replace(",", "")) for number in re.findall(r"\d[\d,]*\.?\d*", sentence)]


def as_hex(colour) -> str:
    return matplotlib.colors.to_hex(colour).upper()


# --- every figure ------------------------------------------------------------------------


def test_every_figure_of_the_room_is_tested_here():
    functions = {
        name for name, function in inspect.getmembers(plots, inspect.isfunction)
        if function.__module__.startswith("gnet_lib.plots.") and not name.startswith("_")
        and function.__annotations__.get("return") is Figure
    }  # fmt: skip
    assert functions == set(FIGURES)


@pytest.mark.parametrize("name", FIGURES)
def test_figure_has_a_sentence_and_is_drawn_the_same_every_time(name, displayed):
    first, second = FIGURES[name](), FIGURES[name]()
    assert type(first) is Figure
    alt = plots.alt_text(first)
    assert (
        len(alt) > 15
        and (alt[0].isupper() or alt[0].isdigit())
        and alt.endswith(".")
        and "\n" not in alt
    )
    for figure in (first, second):
        plots.show(figure)
    for data, metadata in displayed:
        assert set(data) == {"image/svg+xml", "text/plain"}
        assert data["text/plain"] == f"Figure: {alt}"
        assert metadata == {"alt": alt}
    drawing, again = (data["image/svg+xml"] for data, _ in displayed)
    assert drawing == again
    assert "<dc:date>" not in drawing
    assert ElementTree.fromstring(drawing).tag == "{http://www.w3.org/2000/svg}svg"


@pytest.mark.parametrize("name", FIGURES)
def test_the_same_figure_is_drawn_the_same_again(name):
    """In any order of formats, although each drawing lays the figure out."""
    first, second = FIGURES[name](), FIGURES[name]()
    svg, png = plots.svg_bytes(first), plots.png_bytes(first)
    assert (plots.png_bytes(second), plots.svg_bytes(second)) == (png, svg)
    assert (plots.svg_bytes(first), plots.png_bytes(first)) == (svg, png)


def test_what_is_added_to_a_figure_before_it_is_shown_finds_room():
    plain, titled = plots.channel_growth(), plots.channel_growth()
    titled.axes[0].set_title("two\nlines")
    for figure in (plain, titled):
        plots.svg_bytes(figure)
    assert titled.axes[0].get_position().y1 < plain.axes[0].get_position().y1 - 0.05


def test_show_as_png(displayed):
    figure = FIGURES["image_grid"]()
    plots.show(figure, image_format="png")
    ((data, metadata),) = displayed
    assert set(data) == {"image/png", "text/plain"}
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG\r\n")
    assert metadata == {"alt": plots.alt_text(figure)}
    assert data["text/plain"] == "Figure: 3 images: bag, coat."


def test_show_refuses_another_format(displayed):
    with pytest.raises(ValueError, match="^image_format must be 'svg' or 'png', but it is 'pdf'$"):
        plots.show(FIGURES["channel_growth"](), image_format="pdf")
    assert displayed == []


# --- the numbers in the sentences and in the drawings ------------------------------------


@pytest.mark.parametrize("naive", [False, True], ids=["reduced", "naive"])
@pytest.mark.parametrize("printed", MODULES, ids=lambda module: module.name)
def test_inception_diagram_says_and_shows_its_channels(printed, naive):
    w = printed.widths
    pool = printed.in_channels if naive else w.pool_proj
    whole = w.c1x1 + w.c3x3 + w.c5x5 + pool
    figure = plots.inception_diagram(printed.in_channels, w, naive=naive)
    alt = plots.alt_text(figure)
    assert (
        f"{'naive' if naive else 'reduced'} Inception module: {printed.in_channels} channels enter"
        in alt
    )
    assert (
        f"put out 1x1 {w.c1x1}, 3x3 {w.c3x3}, 5x5 {w.c5x5}, pool {pool}; concatenated they are {whole} "
        in alt
    )
    shown = texts(figure)
    assert f"{whole} channels out" in shown
    outputs = [str(w.c1x1), str(w.c3x3), str(w.c5x5), str(pool)]
    inside = [] if naive else [str(w.c3x3_reduce), str(w.c5x5_reduce), str(printed.in_channels)]
    assert [text for text in shown if text.isdigit()] == outputs + inside


def test_inception_diagram_bar_is_split_in_proportion():
    figure = plots.inception_diagram(192, WIDTHS["3a"])
    heights = [
        patch.get_height()
        for patch in figure.axes[0].patches
        if type(patch).__name__ == "Rectangle"
    ]
    assert np.allclose(np.array(heights) / sum(heights), np.array([64, 128, 32, 32]) / 256)


@pytest.mark.parametrize("printed", MODULES, ids=lambda module: module.name)
def test_inception_diagram_bars_share_a_scale(printed):
    heights, limits = {}, set()
    for naive in (False, True):
        (axes,) = plots.inception_diagram(printed.in_channels, printed.widths, naive=naive).axes
        bar = [patch for patch in axes.patches if type(patch).__name__ == "Rectangle"]
        heights[naive] = sum(part.get_height() for part in bar)
        limits.add(axes.get_ylim())
        bottom = min(part.get_y() for part in bar)
        assert axes.get_ylim()[0] <= bottom and bottom + heights[naive] <= axes.get_ylim()[1]
        for part, below in zip(bar, bar[1:]):  # from top to bottom, without gaps
            assert np.isclose(part.get_y(), below.get_y() + below.get_height())
    w = printed.widths
    outputs = w.c1x1 + w.c3x3 + w.c5x5
    assert np.isclose(
        heights[True] / heights[False], (outputs + printed.in_channels) / (outputs + w.pool_proj)
    )
    assert len(limits) == 1  # so the same height is as many inches in both figures


@pytest.mark.parametrize("naive", [False, True], ids=["reduced", "naive"])
def test_inception_diagram_keeps_its_outputs_to_itself(naive):
    """Without ``reveal`` a reader can predict them: nothing in picture or sentence gives them away."""
    figure = plots.inception_diagram(192, WIDTHS["3a"], naive=naive, reveal=False)
    shown = texts(figure)
    inside = [] if naive else ["96", "16", "192"]
    assert [text for text in shown if text.isdigit()] == inside
    assert "concatenated:\n? channels" in shown and not any(
        "channels out" in text for text in shown
    )
    assert not [patch for patch in figure.axes[0].patches if type(patch).__name__ == "Rectangle"]
    alt = plots.alt_text(figure)
    assert (
        f"{'naive' if naive else 'reduced'} Inception module: 192 channels enter four parallel paths"
        in alt
    )
    assert numbers(alt) == [192]
    ends = {line.get_ydata()[1] for line in figure.axes[0].lines if line.get_xdata()[1] == 8.6}
    assert ends == {1.5}  # all four lines meet in one place, not at the parts of the bar


@pytest.mark.parametrize("call, message", [
    (lambda: plots.inception_diagram(192, (64, 96)), r"^widths must be InceptionWidths\(.*, but it is \(64, 96\)$"),
    (lambda: plots.inception_diagram(0, WIDTHS["3a"]), "^in_channels must be a whole number .*, but it is 0$"),
    (lambda: plots.branch_cost_bars(192, WIDTHS["3a"], 0), "^size must be a whole number of at least 1, but it is 0$"),
    (lambda: plots.network_diagram(()), "^rows must hold at least one row"),
    (lambda: plots.network_diagram(image_size=30), "^image_size 30 is too small"),
])  # fmt: skip
def test_figures_refuse_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_path_outputs():
    assert plots.path_outputs(192, WIDTHS["3a"]) == {"1x1": 64, "3x3": 128, "5x5": 32, "pool": 32}
    assert plots.path_outputs(np.int64(192), WIDTHS["3a"], naive=True)["pool"] == 192


def test_network_diagram():
    figure = plots.network_diagram()
    assert "9 Inception modules" in plots.alt_text(figure)
    assert "from an image of 224x224 pixels to 1024 maps of 7x7" in plots.alt_text(figure)
    assert plots.alt_text(figure).endswith("auxiliary classifiers read behind 4a and 4d.")
    shown = texts(figure)
    assert [text for text in shown if text in WORKING_NAMES] == list(WORKING_NAMES)
    assert shown.count("auxiliary\nclassifier") == 2
    assert "112²\n64 ch" in shown and "14²\n528 ch" in shown and "7²\n1024 ch" in shown


def test_network_diagram_of_the_small_network():
    figure = plots.network_diagram(MINI_ROWS, image_size=28, aux=False)
    assert "4 Inception modules" in plots.alt_text(figure)
    assert "from an image of 28x28 pixels to 288 maps of 7x7." in plots.alt_text(figure)
    assert "auxiliary" not in plots.alt_text(figure) + "".join(texts(figure))
    assert "7²\n288 ch" in texts(figure)


def test_network_diagram_marks_only_the_heads_that_its_rows_have():
    mini = plots.network_diagram(MINI_ROWS, image_size=28)
    assert plots.alt_text(mini).endswith(
        "288 maps of 7x7; an auxiliary classifier reads behind 4a."
    )
    assert texts(mini).count("auxiliary\nclassifier") == 1
    stem = plots.network_diagram(TABLE_1[:6])
    assert plots.alt_text(stem).endswith("480 maps of 28x28.")
    assert "auxiliary" not in "".join(texts(stem))


def test_branch_cost_bars():
    figure = FIGURES["branch_cost_bars"]()
    pixels = 28 * 28
    naive = [pixels * 192 * 64, pixels * 9 * 192 * 128, pixels * 25 * 192 * 32, 0]
    reduced = [
        pixels * 192 * 64, pixels * (192 * 96 + 9 * 96 * 128),
        pixels * (192 * 16 + 25 * 16 * 32), pixels * 192 * 32,
    ]  # fmt: skip
    bars = figure.axes[0].patches
    assert [bar.get_width() for bar in bars] == [
        value for pair in zip(naive, reduced) for value in pair
    ]
    said = numbers(re.sub("[135]x[135]", "", plots.alt_text(figure)))
    millions = [value / 1e6 for pair in zip(naive, reduced) for value in pair]
    assert said == [float(f"{value:.3g}") for value in millions]


def test_module_cost_bars():
    figure = plots.module_cost_bars()
    ratios = {}
    for name, in_channels, size, w, _ in MODULES:
        naive = cost.total(cost.inception_cost(in_channels, w, size, naive=True)).multiply_adds
        ratios[name] = naive / cost.total(cost.inception_cost(in_channels, w, size)).multiply_adds
    least, most = min(ratios, key=ratios.get), max(ratios, key=ratios.get)
    assert (
        f"{ratios[least]:.1f} times ({least}) to {ratios[most]:.1f} times ({most})"
        in plots.alt_text(figure)
    )
    assert texts(figure) == [f"{ratio:.1f}×" for ratio in ratios.values()]


def test_channel_growth():
    figure = plots.channel_growth()
    naive, reduced = (line.get_ydata() for line in figure.axes[0].lines)
    assert list(reduced) == [module.out_channels for module in MODULES]
    assert (naive[0], naive[-1]) == (416, 4944)
    assert "naive grows from 416 to 4,944, reduced from 256 to 1,024." in plots.alt_text(figure)


def test_break_even_dots_marks_the_eighteen_choices():
    figure = plots.break_even_dots()
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "3×3 conv paths",
        "5×5 conv paths",
    ]
    closest = 0
    for axes, side in zip(figure.axes, (3, 5), strict=True):
        chosen, even, lines = (
            [line for line in axes.lines if line.get_marker() == marker]
            for marker in ("o", "|", "None")
        )
        assert len(chosen) == len(even) == len(lines) == 9
        for row, (_, in_channels, _, w, _) in enumerate(MODULES):
            reduce, out = (w.c3x3_reduce, w.c3x3) if side == 3 else (w.c5x5_reduce, w.c5x5)
            (x,), (y,) = chosen[row].get_data()
            assert (x, y) == (reduce / in_channels, row)
            (x_even,), (y_even,) = even[row].get_data()
            width = x_even * in_channels  # with it, both ways cost the same:
            assert np.isclose(
                width * in_channels + side**2 * width * out, side**2 * in_channels * out, rtol=1e-9
            )
            assert y_even == row
            assert [list(ends) for ends in lines[row].get_data()] == [[x, x_even], [row, row]]
            closest = max(closest, x / x_even)
        assert {line.get_color() for line in chosen} == {plots.COLOURS[f"{side}x{side}"]}
        assert axes.get_xlim() == (0, 1)
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == [module.name for module in MODULES]
    top, bottom = figure.axes[0].get_ylim()[::-1]
    assert top < 0 and bottom > 8  # 3a stands at the top, and nothing is cut off
    assert sorted(texts(figure)) == ["break-even", "chosen"]
    assert plots.alt_text(figure).startswith("The paper's 18 reductions")
    assert plots.alt_text(figure).endswith(f"stands at {100 * closest:.0f}% of its break-even.")


def test_network_cost_bars():
    figure = plots.network_cost_bars()
    rows = cost.network_cost()
    work, parameters = (
        {name: getattr(row, measure) for name, row in rows.items() if row.weights}
        for measure in ("multiply_adds", "parameters")
    )
    dearest = max(work, key=work.get)
    alt = plots.alt_text(figure)
    assert (
        f"most expensive row is {dearest} with {100 * work[dearest] / sum(work.values()):.0f} %"
        in alt
    )
    assert (
        f"linear layer has {100 * parameters['linear'] / sum(parameters.values()):.0f} % of the param"
        in alt
    )
    for axes, expected in zip(figure.axes, (work, parameters)):
        lengths = dict.fromkeys(range(len(expected)), 0)
        for bar in axes.patches:
            row = round(bar.get_y() + bar.get_height() / 2)
            assert bar.get_x() == lengths[row]  # each part begins where the one before ends
            lengths[row] += bar.get_width()
        assert list(lengths.values()) == list(expected.values())
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == list(work)


def test_latency_bars():
    figure = plots.latency_bars(TIMES)
    assert texts(figure) == ["2.4 → 2.0", "3.1 → 0.8"]  # counted, then measured
    (axes,) = figure.axes
    bars = [
        (
            round(bar.get_x() + bar.get_width() / 2, 9),
            bar.get_y(),
            bar.get_height(),
            as_hex(bar.get_facecolor()),
        )
        for bar in axes.patches
    ]
    white, filled, pool = "#FFFFFF", plots.PLAIN.upper(), plots.COLOURS["pool"].upper()
    assert bars == [
        (-0.2, 0, 4.0, white), (-0.2, 0, 0.5, pool), (0.2, 0, 2.0, filled), (0.2, 0, 0.5, pool),
        (0.8, 0, 2.0, white), (0.8, 0, 0.25, pool), (1.2, 0, 2.5, filled), (1.2, 0, 0.25, pool),
    ]  # fmt: skip
    assert [label.get_text() for label in axes.get_xticklabels()] == ["3a", "3b"]
    assert "milliseconds" in axes.get_ylabel()
    assert axes.get_title(loc="right") == "factor naive / reduced: counted → measured"
    legend = [text.get_text() for text in axes.get_legend().get_texts()]
    assert legend == ["naive", "reduced", "of it, max pooling"]


def test_latency_bars_says_nothing_that_another_run_would_change():
    slower = TIMES.assign(naive=TIMES["naive"] * 3, reduced=TIMES["reduced"] * 2)
    alt = plots.alt_text(plots.latency_bars(TIMES))
    assert plots.alt_text(plots.latency_bars(slower)) == alt
    assert numbers(alt) == [2] and "for 2 modules" in alt


def test_image_grid():
    figure = plots.image_grid(torch.rand(5, 1, 8, 8), list("abcde"), columns=3)
    assert len(figure.axes) == 6  # two rows of three
    assert [axes.get_title() for axes in figure.axes] == ["a", "b", "c", "d", "e", ""]
    assert [len(axes.images) for axes in figure.axes] == [1] * 5 + [0]
    assert plots.alt_text(figure) == "5 images: a, b, c, d, e."


def test_image_grid_refuses_another_number_of_titles():
    with pytest.raises(ValueError, match="^titles must be 3, one an image, but there are 2$"):
        plots.image_grid(torch.rand(3, 1, 8, 8), ["a", "b"])


@pytest.mark.parametrize("bad", [0, -1, 2.5, True], ids=repr)
def test_image_grid_checks_its_columns(bad):
    message = f"^columns must be a whole number of at least 1, but it is {re.escape(repr(bad))}$"
    with pytest.raises(ValueError, match=message):
        plots.image_grid(torch.zeros(2, 1, 2, 2), ["a", "b"], columns=bad)


def test_image_grid_refuses_to_show_nothing():
    with pytest.raises(ValueError, match="^images must be at least one, but there are none$"):
        plots.image_grid(torch.zeros(0, 1, 2, 2), [])


def test_image_grid_warns_of_nothing_and_shows_the_pixels():
    images = torch.rand(2, 1, 2, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = plots.image_grid(images, ["a", "b"])
    for axes, image in zip(figure.axes, images):
        assert np.array_equal(axes.images[0].get_array(), image[0].numpy())


def test_learning_curves():
    figure = plots.learning_curves(HISTORIES)
    left, right = figure.axes
    by_epoch = {line.get_label(): line for line in left.lines}
    assert list(by_epoch) == ["naive", "reduced"]
    assert by_epoch["naive"].get_xdata().tolist() == [1, 2, 3]
    assert np.allclose(by_epoch["naive"].get_ydata(), [50, 60, 65])
    assert np.allclose(by_epoch["reduced"].get_ydata(), [55, 70])
    by_second = {line.get_label(): line for line in right.lines}
    assert by_second["naive"].get_xdata().tolist() == [4, 8, 12]
    assert by_second["reduced"].get_xdata().tolist() == [2, 4]
    assert np.allclose(by_second["naive"].get_ydata(), [50, 60, 65])
    assert as_hex(by_epoch["naive"].get_markerfacecolor()) == "#FFFFFF"  # outlined
    assert as_hex(by_epoch["reduced"].get_markerfacecolor()) == plots.PLAIN.upper()  # filled
    assert "naive and reduced" in plots.alt_text(figure)
    # A history by itself draws the same curve.
    assert len(HISTORIES["naive"].plot().axes[0].lines) == 1


def test_drift_lines_leave_out_what_is_equal():
    figure = plots.drift_lines(DRIFT)
    (axes,) = figure.axes
    assert axes.get_yscale() == "log"
    near, far = axes.lines
    assert np.isnan(near.get_ydata()[0]) and list(near.get_ydata()[1:3]) == [1e-7, 1e-3]
    assert list(far.get_xdata()) == list(range(1, 21)) and set(far.get_ydata()) == {0.25}
    assert (near.get_color(), near.get_linestyle()) != (far.get_color(), far.get_linestyle())
    assert "20 steps" in plots.alt_text(figure)
    assert "last digit from 1e-07 to 1e-03; other seed from 2e-01 to 2e-01" in plots.alt_text(
        figure
    )
    assert "; same no difference." in plots.alt_text(plots.drift_lines(DRIFT.assign(same=0.0)))


def test_image_grid_writes_two_lines_as_one_in_its_sentence():
    figure = plots.image_grid(torch.rand(2, 1, 3, 3), ["Bag\nor Coat?", "Shirt"])
    assert plots.alt_text(figure) == "2 images: Bag or Coat?, Shirt."
    assert figure.axes[0].get_title() == "Bag\nor Coat?"


def test_accuracy_curves_draw_every_run_and_say_where_it_ends():
    figure = plots.accuracy_curves(RACE, {"85 %": 0.85})
    (axes,) = figure.axes
    curves = [line for line in axes.lines if line.get_linewidth() > 1]
    assert [list(line.get_ydata()) for line in curves] == [[80, 90], [85], [10, 62.5]]
    assert [list(line.get_xdata()) for line in curves] == [[10, 20], [30], [100, 1000]]
    assert as_hex(curves[0].get_color()) == as_hex(plots.PLAIN) != as_hex(curves[2].get_color())
    assert axes.get_xscale() == "log" and texts(figure) == ["85 %"]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["ours", "tutorial"]
    assert numbers(plots.alt_text(figure)) == [90.0, 20, 85.0, 30, 62.5, 1000]


def test_accuracy_curves_by_epoch_and_their_refusals():
    rows = [{"epoch": 1, "accuracy": 0.8}, {"epoch": 2, "accuracy": 0.9}]
    figure = plots.accuracy_curves({"best": [rows]}, {}, across="epoch")
    (axes,) = figure.axes
    assert axes.get_xscale() == "linear" and axes.get_xlabel() == "epoch"
    assert all(tick == int(tick) for tick in axes.get_xticks())
    figure.draw_without_rendering()
    assert (
        axes.get_legend().get_window_extent().y0 >= axes.get_window_extent().y1
    )  # above the curves
    with pytest.raises(ValueError, match="across must be 'seconds' or 'epoch', but it is 'images'"):
        plots.accuracy_curves(RACE, {}, across="images")
    for nothing in ([], [[]]):
        with pytest.raises(ValueError, match="at least one row each, but those of best have none"):
            plots.accuracy_curves({"best": nothing}, {})


def test_row_lines_share_one_logarithmic_scale():
    figure = plots.row_lines(GRADIENTS, "norm of the gradient")
    plain, batch = figure.axes
    assert plain.get_yscale() == "log" and plain.get_ylim() == batch.get_ylim()
    assert [axes.get_title(loc="left") for axes in figure.axes] == list(GRADIENTS)
    for axes, lines in zip(figure.axes, GRADIENTS.values()):
        drawn = {
            line.get_label(): line for line in axes.lines if not line.get_label().startswith("_")
        }
        for name, values in lines.items():
            assert list(drawn[name].get_xdata()) == list(values)
            assert list(drawn[name].get_ydata()) == list(values.values())
    without, heads = (line for line in plain.lines if not line.get_label().startswith("_"))
    assert (
        as_hex(without.get_markerfacecolor()) == "#FFFFFF"
        and as_hex(heads.get_markerfacecolor()) == plots.PLAIN.upper()
    )
    alt = plots.alt_text(figure)
    assert "plain, with heads: 4e-04 at conv1, 5e-01 at fc" in alt
    assert "batch, without heads: 2e-01 at conv1, 5e-01 at fc" in alt


def test_row_lines_with_an_odd_number_of_panels():
    three = dict.fromkeys(("one", "two", "three"), GRADIENTS["plain"])
    figure = plots.row_lines(three, "norm")
    assert [axes.get_title(loc="left") for axes in figure.axes if axes.axison] == [
        "one",
        "two",
        "three",
    ]


def test_row_lines_refuse_what_a_logarithm_cannot_show():
    with pytest.raises(ValueError, match="panels must be at least one, but there are none"):
        plots.row_lines({}, "norm")
    for value in (0.0, -1.0, float("nan")):
        with pytest.raises(
            ValueError, match=f"panels must hold values above 0, but 'a' of 'p' has {value}"
        ):
            plots.row_lines({"p": {"a": {"conv1": value}}}, "norm")


def test_start_dots_have_a_dot_for_each_run():
    figure = plots.start_dots(STARTS, chance=0.1, started=0.2)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["pytorch", "he"]
    for axes, start in zip(figure.axes, ("pytorch", "he")):
        assert [tick.get_text() for tick in axes.get_xticklabels()] == ["0.03", "0.3"]
        for line in (line for line in axes.lines if not line.get_label().startswith("_")):
            heads = line.get_label() == "with heads"
            chosen = STARTS[(STARTS["start"] == start) & (STARTS["heads"] == heads)]
            assert np.allclose(line.get_ydata(), 100 * chosen["accuracy"])
            assert np.allclose(
                np.round(line.get_xdata()),
                [(0.03, 0.3).index(rate) for rate in chosen["learning_rate"]],
            )
            assert as_hex(line.get_markerfacecolor()) == (
                plots.PLAIN.upper() if heads else "#FFFFFF"
            )
    alt = plots.alt_text(figure)
    assert "of 6 short runs" in alt
    assert "pytorch 0 of 1 without heads and 0 of 1 with them" in alt
    assert "he 1 of 2 without heads and 2 of 2 with them" in alt


def test_change_dots_set_changes_against_chance():
    figure = plots.change_dots(CHANGED, [0.88, 0.886, 0.884])
    (axes,) = figure.axes
    assert list(axes.lines[0].get_xdata()) == pytest.approx([87, 88.5, 89])
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "no flips",
        "dropout",
        "batches of 64",
    ]
    (band,) = axes.patches
    assert (band.get_x(), band.get_x() + band.get_width()) == pytest.approx((88.0, 88.6))
    assert "88.00% to 88.60%; 1 changes are above that, 1 below" in plots.alt_text(figure)
    with pytest.raises(ValueError, match="at least two accuracies, but it holds 1"):
        plots.change_dots(CHANGED, [0.88])


def test_rate_search():
    figure = plots.rate_search(SEARCH)
    assert plots.alt_text(figure).endswith(
        "The rate with the lowest loss: naive 0.01, reduced 0.1. Too high to be drawn: naive at 1 (2.30)."
    )
    (axes,) = figure.axes
    lines = {line.get_label(): line for line in axes.lines}
    assert lines["naive"].get_xydata().tolist() == [[0.01, 0.5], [0.1, 0.6]]
    assert lines["reduced"].get_xydata().tolist() == [[0.01, 0.75], [0.1, 0.45]]
    assert as_hex(lines["naive"].get_markerfacecolor()) == "#FFFFFF"  # outlined
    assert as_hex(lines["reduced"].get_markerfacecolor()) == plots.PLAIN.upper()  # filled
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0.01", "0.1", "1"]
    assert axes.get_title(loc="left") == "Not drawn, loss too high: naive at 1 (2.30)"
    without = plots.rate_search(SEARCH[SEARCH["loss"] < 1])
    assert plots.alt_text(without).endswith("lowest loss: naive 0.01, reduced 0.1.")
    assert without.axes[0].get_title(loc="left") == ""


def test_the_networks_of_a_comparison_differ_in_marker_or_face():
    marks = {(mark["marker"], mark["markerfacecolor"]) for mark in plots.NETWORK_MARKS.values()}
    assert len(marks) == len(plots.NETWORK_MARKS) == 4
    assert {name for name, mark in plots.NETWORK_MARKS.items() if mark["markerfacecolor"] == "white"} == {
        "naive", "narrow",
    }  # fmt: skip


def test_comparison_dots():
    figure = plots.comparison_dots(COMPARED)
    assert plots.alt_text(figure) == (
        "Test accuracy of 6 runs, means over the seeds. equal epochs: naive 87.0 % and "
        "reduced 89.1 %; control: linear 88.0 % and reduced 90.0 %."
    )
    (axes,) = figure.axes
    dots = [line for line in axes.lines if line.get_marker() != "|"]
    means = [line for line in axes.lines if line.get_marker() == "|"]
    expected = [[86, 88], [89, 89.2], [88], [90]]
    for line, mean, values in zip(dots, means, expected, strict=True):
        assert np.allclose(line.get_xdata(), values)
        assert np.allclose(mean.get_xdata(), np.mean(values))
        assert set(line.get_ydata()) == set(mean.get_ydata())  # a row of its own
    rows = [line.get_ydata()[0] for line in dots]
    assert rows == sorted(rows) == axes.get_yticks().tolist()
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "naive",
        "reduced",
        "linear",
        "reduced",
    ]
    assert texts(figure) == ["equal epochs", "control"]
    faces = [as_hex(line.get_markerfacecolor()) for line in dots]
    assert faces == [
        "#FFFFFF",
        plots.PLAIN.upper(),
        plots.COLOURS["3x3"].upper(),
        plots.PLAIN.upper(),
    ]


def test_reduction_lines():
    figure = plots.reduction_lines(192, WIDTHS["3a"])
    # 9 * 192 * 128 / (192 + 9 * 128) and 25 * 192 * 32 / (192 + 25 * 32), by hand
    assert "3x3 chosen 96, break-even 164.6; 5x5 chosen 16, break-even 154.8." in plots.alt_text(
        figure
    )
    (axes,) = figure.axes
    dots = [line.get_xydata().tolist() for line in axes.lines if line.get_marker() == "o"]
    assert dots == [[[96, 192 * 96 + 9 * 96 * 128]], [[16, 192 * 16 + 25 * 16 * 32]]]
    levels = {line.get_ydata()[0] for line in axes.lines if line.get_linewidth() == 0.8}
    assert levels == {9 * 192 * 128, 25 * 192 * 32}


def test_roofline():
    figure = plots.roofline(MACHINE, POINTS)
    assert "2 modules" in plots.alt_text(figure)
    (axes,) = figure.axes
    roof, *markers = axes.lines
    assert max(roof.get_ydata()) == 80  # billion operations a second, the flat part
    assert np.isclose(roof.get_ydata()[0], 20 * roof.get_xdata()[0])  # the slope is the bandwidth
    drawn = {line.get_label(): line.get_xydata().tolist() for line in markers}
    assert drawn == {
        "naive": [[77, 60]], "naive, without pooling": [[77, 75]],
        "reduced": [[35, 30]], "reduced, without pooling": [[35, 50]],
    }  # fmt: skip


@pytest.mark.parametrize("count, expected", [
    (0, "0"), (999, "999"), (1000, "1 K"), (0.25, "0.25"), (999.4, "999"), (999.7, "1 K"), (1004, "1 K"),
    (999_499, "999 K"), (999_500, "1 M"), (999_999, "1 M"), (99_950, "100 K"), (999_999_999, "1 G"),
    (5_000_000, "5 M"), (1_500_000, "1.5 M"), (2_000_000_000_000, "2000 G"),
    (9_633_792, "9.63 M"), (128_049_152, "128 M"), (1_582_671_872, "1.58 G"),
])  # fmt: skip
def test_short_counts(count, expected):
    assert short(count) == expected


# --- colours -----------------------------------------------------------------------------

# Machado, Oliveira and Fernandes (2009), severity 1.0, for linear RGB.
COLOUR_VISION = {
    "normal": np.eye(3),
    "protanopia": np.array([
        [0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998],
    ]),
    "deuteranopia": np.array([
        [0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881],
    ]),
    "tritanopia": np.array([
        [1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900],
    ]),
}  # fmt: skip
XYZ_OF_RGB = np.array([
    [0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041],
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
    return min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2))


def test_the_yardstick_itself():
    assert np.allclose(lab(linear_rgb("white")), [100, 0, 0], atol=0.01)
    assert np.allclose(lab(linear_rgb("red")), [53.24, 80.09, 67.20], atol=0.01)
    for matrix in COLOUR_VISION.values():
        assert np.allclose(matrix.sum(axis=1), 1, atol=1e-5)  # grey stays grey
    # Two colours that everybody else tells apart.
    assert least_distance(("#c04040", "#607000"), COLOUR_VISION["normal"]) > 60
    assert least_distance(("#c04040", "#607000"), COLOUR_VISION["deuteranopia"]) < 15


@pytest.mark.parametrize("vision", COLOUR_VISION)
def test_paths_can_be_told_apart(vision):
    assert least_distance(plots.COLOURS.values(), COLOUR_VISION[vision]) > 15


def contrast(one: str, other: str) -> float:
    """Contrast ratio of WCAG 2."""
    light = sorted(XYZ_OF_RGB[1] @ linear_rgb(colour) for colour in (one, other))
    return (light[1] + 0.05) / (light[0] + 0.05)


def test_lines_and_labels_stand_out():
    for colour in (*plots.COLOURS.values(), plots.PLAIN, plots.INK):
        assert contrast(colour, "white") >= 2.8, colour  # the outlines of bars and boxes
        # Text inside a filled box.
        assert contrast(readable_on(colour), colour) >= 3, colour
    assert contrast(plots.PLAIN, "white") >= 4.5 and contrast(plots.INK, "white") >= 4.5


def test_paths_have_the_houses_colours():
    assert tuple(plots.COLOURS) == BRANCHES
    assert len(set(plots.COLOURS.values())) == 4
    wanted = [colour.upper() for colour in plots.COLOURS.values()]
    for naive in (False, True):
        figure = plots.inception_diagram(192, WIDTHS["3a"], naive=naive)
        bar = [patch for patch in figure.axes[0].patches if type(patch).__name__ == "Rectangle"]
        assert [as_hex(part.get_edgecolor()) for part in bar] == wanted
        # Naive is outlined, reduced is filled.
        assert [as_hex(part.get_facecolor()) for part in bar] == (
            ["#FFFFFF"] * 4 if naive else wanted
        )
    bars = FIGURES["branch_cost_bars"]().axes[0].patches
    assert [as_hex(bar.get_edgecolor()) for bar in bars] == [
        colour for colour in wanted for _ in "ab"
    ]
    assert [as_hex(bar.get_facecolor()) for bar in bars[1::2]] == wanted
    assert {as_hex(bar.get_facecolor()) for bar in bars[::2]} == {"#FFFFFF"}
    of_network = {as_hex(bar.get_facecolor()) for bar in plots.network_cost_bars().axes[0].patches}
    assert of_network == {*wanted, plots.SOFT.upper()}


def test_printed_against_computed_shows_every_row_or_names_it():
    figure = plots.printed_against_computed()
    (axes,) = figure.axes
    rows = [label.get_text() for label in axes.get_yticklabels()]
    assert rows == ["conv1", "conv2", *WIDTHS, "linear"]
    # By hand, from the widths of 5a: 1072K and 54M are printed for 1,042,432 weights on 7x7.
    shown = {
        line.get_label(): dict(zip(rows, line.get_xdata()))
        for line in axes.lines
        if len(line.get_xdata()) == 12
    }
    weights = 832 * (256 + 160 + 32 + 128) + 9 * 160 * 320 + 25 * 32 * 128
    assert shown["parameters"]["5a"] == pytest.approx(1072 * 1024 / weights)
    assert shown["operations"]["5a"] == pytest.approx(54e6 / (weights * 49))
    assert shown["parameters"]["conv2"] == pytest.approx(1)
    left, right = axes.get_xlim()
    outside = {
        row
        for values in shown.values()
        for row, ratio in values.items()
        if not left < ratio < right
    }
    assert outside == {"conv1"}
    assert texts(figure) == ["← parameters 0.29, operations 0.29"]
    assert f"{2.7 * 1024 / 9408:.2f}" == f"{34e6 / (9408 * 112**2):.2f}" == "0.29"
    assert "12 rows of Table 1" in plots.alt_text(figure)
    within = {
        what: sum(abs(ratio - 1) < 0.01 for ratio in values.values())
        for what, values in shown.items()
    }
    assert (
        f"{within['operations']} operation counts and {within['parameters']} parameter"
        in plots.alt_text(figure)
    )


def test_network_diagram_of_another_image_size():
    assert "1024 maps of 4x4" in plots.alt_text(plots.network_diagram(TABLE_1, image_size=128))
