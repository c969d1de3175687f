"""Tests of gnet_lib.plots.

Truth from outside: the numbers of ``cost`` and ``paper`` (checked in tests of their own),
and published models of colour blindness.
"""

import base64
import inspect
import itertools
import re
import xml.etree.ElementTree as ElementTree

import IPython.display
import matplotlib.colors
import numpy as np
import pytest
import torch
from gnet_lib import WIDTHS, cost, plots
from gnet_lib.googlenet import MINI_ROWS
from gnet_lib.paper import BRANCHES, TABLE_1
from gnet_lib.training import History
from matplotlib.figure import Figure
from test_paper import MODULES, WORKING_NAMES


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

FIGURES = {
    "inception_diagram": lambda: plots.inception_diagram(192, WIDTHS["3a"]),
    "network_diagram": plots.network_diagram,
    "branch_cost_bars": lambda: plots.branch_cost_bars(192, WIDTHS["3a"], 28),
    "module_cost_bars": plots.module_cost_bars,
    "channel_growth": plots.channel_growth,
    "break_even_curve": plots.break_even_curve,
    "network_cost_bars": plots.network_cost_bars,
    "latency_bars": lambda: plots.latency_bars({"3a": (4.0, 2.0), "3b": (9.0, 3.0)}),
    "image_grid": lambda: plots.image_grid(torch.arange(27.0).view(3, 1, 3, 3), ["bag", "coat", "bag"]),
    "learning_curves": lambda: plots.learning_curves(HISTORIES),
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
        if function.__module__ == plots.__name__ and not name.startswith("_")
        and function.__annotations__.get("return") is Figure
    }  # fmt: skip
    assert functions == set(FIGURES)


@pytest.mark.parametrize("name", FIGURES)
def test_figure_has_a_sentence_and_is_drawn_the_same_every_time(name, displayed):
    first, second = FIGURES[name](), FIGURES[name]()
    assert type(first) is Figure
    alt = plots.alt_text(first)
    assert len(alt) > 15 and (alt[0].isupper() or alt[0].isdigit()) and alt.endswith(".") and "\n" not in alt
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
    assert f"{'naive' if naive else 'reduced'} Inception module: {printed.in_channels} channels enter" in alt
    assert f"put out 1x1 {w.c1x1}, 3x3 {w.c3x3}, 5x5 {w.c5x5}, pool {pool}; concatenated they are {whole} " in alt
    shown = texts(figure)
    assert f"{whole} channels out" in shown
    outputs = [str(w.c1x1), str(w.c3x3), str(w.c5x5), str(pool)]
    inside = [] if naive else [str(w.c3x3_reduce), str(w.c5x5_reduce), str(printed.in_channels)]
    assert [text for text in shown if text.isdigit()] == outputs + inside


def test_inception_diagram_bar_is_split_in_proportion():
    figure = plots.inception_diagram(192, WIDTHS["3a"])
    heights = [patch.get_height() for patch in figure.axes[0].patches if type(patch).__name__ == "Rectangle"]
    assert np.allclose(np.array(heights) / sum(heights), np.array([64, 128, 32, 32]) / 256)


def test_network_diagram():
    figure = plots.network_diagram()
    assert "9 Inception modules" in plots.alt_text(figure)
    assert "from an image of 224x224 pixels to 1024 maps of 7x7" in plots.alt_text(figure)
    assert plots.alt_text(figure).endswith("auxiliary classifiers read behind 4a and 4d.")
    shown = texts(figure)
    assert [text for text in shown if text in WORKING_NAMES] == list(WORKING_NAMES)
    assert shown.count("auxiliary\nclassifier") == 2
    assert "112²\n64" in shown and "14²\n528" in shown and "7²\n1024" in shown


def test_network_diagram_of_the_small_network():
    figure = plots.network_diagram(MINI_ROWS, image_size=28, aux=False)
    assert "4 Inception modules" in plots.alt_text(figure)
    assert "from an image of 28x28 pixels to 288 maps of 7x7." in plots.alt_text(figure)
    assert "auxiliary" not in plots.alt_text(figure) + "".join(texts(figure))
    assert "7²\n288" in texts(figure)


def test_branch_cost_bars():
    figure = FIGURES["branch_cost_bars"]()
    pixels = 28 * 28
    naive = [pixels * 192 * 64, pixels * 9 * 192 * 128, pixels * 25 * 192 * 32, 0]
    reduced = [
        pixels * 192 * 64, pixels * (192 * 96 + 9 * 96 * 128),
        pixels * (192 * 16 + 25 * 16 * 32), pixels * 192 * 32,
    ]  # fmt: skip
    bars = figure.axes[0].patches
    assert [bar.get_width() for bar in bars] == [value for pair in zip(naive, reduced) for value in pair]
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
    assert f"{ratios[least]:.1f} times ({least}) to {ratios[most]:.1f} times ({most})" in plots.alt_text(figure)
    assert texts(figure) == [f"{ratio:.1f}×" for ratio in ratios.values()]


def test_channel_growth():
    figure = plots.channel_growth()
    naive, reduced = (line.get_ydata() for line in figure.axes[0].lines)
    assert list(reduced) == [module.out_channels for module in MODULES]
    assert (naive[0], naive[-1]) == (416, 4944)
    assert "naive grows from 416 to 4,944, reduced from 256 to 1,024." in plots.alt_text(figure)


def test_break_even_curve_marks_the_eighteen_choices():
    figure = plots.break_even_curve()
    found = {
        (round(float(line.get_xdata()[0]), 9), round(float(line.get_ydata()[0]), 9), line.get_color())
        for line in figure.axes[0].lines if line.get_marker() == "o"
    }  # fmt: skip
    expected, ratios = set(), {"3x3": [], "5x5": []}
    for _, in_channels, size, w, _ in MODULES:
        for name, side, reduce, out in (("3x3", 3, w.c3x3_reduce, w.c3x3), ("5x5", 5, w.c5x5_reduce, w.c5x5)):
            direct = cost.conv_cost(in_channels, out, side, size).multiply_adds
            both = cost.conv_cost(in_channels, reduce, 1, size) + cost.conv_cost(reduce, out, side, size)
            ratio = both.multiply_adds / direct
            ratios[name].append(ratio)
            expected.add((round(reduce / in_channels, 9), round(ratio, 9), plots.COLOURS[name]))
    assert found == expected
    # What the sentence says of them.
    assert sum(map(len, ratios.values())) == 18 and "all eighteen choices" in plots.alt_text(figure)
    assert max(ratios["5x5"]) < min(ratios["3x3"]) and max(ratios["3x3"]) < 0.6


def test_network_cost_bars():
    figure = plots.network_cost_bars()
    rows = cost.network_cost()
    work, parameters = (
        {name: getattr(row, measure) for name, row in rows.items() if row.weights}
        for measure in ("multiply_adds", "parameters")
    )
    dearest = max(work, key=work.get)
    alt = plots.alt_text(figure)
    assert f"dearest row is {dearest} with {100 * work[dearest] / sum(work.values()):.0f} %" in alt
    assert f"linear layer has {100 * parameters['linear'] / sum(parameters.values()):.0f} % of the param" in alt
    for axes, expected in zip(figure.axes, (work, parameters)):
        lengths = dict.fromkeys(range(len(expected)), 0)
        for bar in axes.patches:
            lengths[round(bar.get_y() + bar.get_height() / 2)] += bar.get_width()
        assert list(lengths.values()) == list(expected.values())
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == list(work)


def test_latency_bars_says_only_what_is_true():
    figure = plots.latency_bars({"3a": (4.0, 2.0), "3b": (9.0, 3.0)})
    assert texts(figure) == ["2.0×", "3.0×"]
    assert "for 2 modules: naive takes longer in every one." in plots.alt_text(figure)
    faster = plots.latency_bars({"3a": (4.0, 2.0), "3b": (2.0, 2.5)})
    assert plots.alt_text(faster).endswith("for 2 modules.")


def test_image_grid():
    figure = plots.image_grid(torch.rand(5, 1, 8, 8), list("abcde"), columns=3)
    assert len(figure.axes) == 6  # two rows of three
    assert [axes.get_title() for axes in figure.axes] == ["a", "b", "c", "d", "e", ""]
    assert [len(axes.images) for axes in figure.axes] == [1] * 5 + [0]
    assert plots.alt_text(figure) == "5 images: a, b, c, d, e."


def test_image_grid_refuses_another_number_of_titles():
    with pytest.raises(ValueError, match="^titles must be 3, one an image, but there are 2$"):
        plots.image_grid(torch.rand(3, 1, 8, 8), ["a", "b"])


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
    assert np.allclose(by_second["naive"].get_ydata(), [1, 1 / 2, 1 / 3])
    assert as_hex(by_epoch["naive"].get_markerfacecolor()) == "#FFFFFF"  # outlined
    assert as_hex(by_epoch["reduced"].get_markerfacecolor()) == plots.PLAIN.upper()  # filled
    assert "naive and reduced" in plots.alt_text(figure)
    # A history by itself draws the same curve.
    assert len(HISTORIES["naive"].plot().axes[0].lines) == 1


@pytest.mark.parametrize("count, expected", [
    (0, "0"), (999, "999"), (1000, "1 K"), (9_633_792, "9.63 M"), (128_049_152, "128 M"), (1_582_671_872, "1.58 G"),
])  # fmt: skip
def test_short_counts(count, expected):
    assert plots._short(count) == expected


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
        assert contrast(plots._readable_on(colour), colour) >= 3, colour
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
        assert [as_hex(part.get_facecolor()) for part in bar] == (["#FFFFFF"] * 4 if naive else wanted)
    bars = FIGURES["branch_cost_bars"]().axes[0].patches
    assert [as_hex(bar.get_edgecolor()) for bar in bars] == [colour for colour in wanted for _ in "ab"]
    assert [as_hex(bar.get_facecolor()) for bar in bars[1::2]] == wanted
    assert {as_hex(bar.get_facecolor()) for bar in bars[::2]} == {"#FFFFFF"}
    of_network = {as_hex(bar.get_facecolor()) for bar in plots.network_cost_bars().axes[0].patches}
    assert of_network == {*wanted, plots.SOFT.upper()}


def test_network_diagram_of_another_image_size():
    assert "1024 maps of 4x4" in plots.alt_text(plots.network_diagram(TABLE_1, image_size=128))
