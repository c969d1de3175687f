"""Tests of chapter 1, of the page on torchinfo, and of the recorded times they draw from.

Truth from outside: torch's own counter of operations, torchvision's networks and what it
prints about them, the transcription of the paper's table, and counts written out by hand.
"""

import datetime
import json
import math
from itertools import combinations, product
from typing import Any

import latency
import matplotlib.colors
import pandas
import pytest
import torch
import torchinfo
from conftest import parameters_of
from printed_table import PRINTED_ROWS
from probes import multiply_adds_of_torch, on_meta
from test_plots import as_hex, numbers, texts
from test_teaching import definitions_of
from torch import nn
from torchvision import models

from gnet_lib import GoogLeNet, conv_cost, network_cost, plots
from gnet_lib.cost import total
from gnet_lib.plots.style import short
from gnet_lib.records import read_record
from gnet_lib.variants import notes_variant

CHAPTER = "01_why_cheaply.ipynb"
ALEXNET_2012 = 60_965_224
GOOGLENET = 6_998_552


def taught(name: str):
    """A function that chapter 1 defines, taken out of the notebook itself."""
    return definitions_of(CHAPTER)[name]


# --- AlexNet as printed in 2012 ----------------------------------------------------------

# (in, out, kernel, side of the output map, groups) of the convolutions, from the paper's text.
ALEXNET_CONVOLUTIONS = (
    (3, 96, 11, 55, 1),
    (96, 256, 5, 27, 2),
    (256, 384, 3, 13, 1),
    (384, 384, 3, 13, 2),
    (384, 256, 3, 13, 2),
)
ALEXNET_LINEARS = ((9216, 4096), (4096, 4096), (4096, 1000))


@pytest.mark.parametrize("groups", [1, 2])
def test_alexnet_of_2012_by_hand(groups):
    parameters = multiply_adds = 0
    for inputs, outputs, kernel, side, split in ALEXNET_CONVOLUTIONS:
        weights = kernel**2 * inputs * outputs // (split if groups == 2 else 1)
        parameters += weights + outputs
        multiply_adds += weights * side**2
    for inputs, outputs in ALEXNET_LINEARS:
        parameters += inputs * outputs + outputs
        multiply_adds += inputs * outputs
    network = on_meta(lambda: taught("alexnet_2012")(groups))
    assert parameters_of(network) == parameters
    assert multiply_adds_of_torch(network, (1, 3, 227, 227)) == multiply_adds
    assert (parameters == ALEXNET_2012) == (groups == 2)


def test_alexnet_of_2012_has_the_printed_map_sizes():
    network = on_meta(taught("alexnet_2012"))
    sides, x = [], torch.empty(1, 3, 227, 227, device="meta")
    for layer in network[:13]:
        x = layer(x)
        if isinstance(layer, nn.Conv2d):
            sides.append(tuple(x.shape[1:]))
    assert sides == [(outputs, side, side) for _, outputs, _, side, _ in ALEXNET_CONVOLUTIONS]


# --- the head of Network in Network ------------------------------------------------------


def test_nin_head_is_the_mean_of_one_map_a_class():
    torch.manual_seed(0)
    head = taught("nin_head")(6, num_classes=4)
    maps = torch.randn(2, 6, 5, 7)
    weight, bias = head.parameters()
    expected = torch.einsum("nchw,kc->nk", maps, weight[:, :, 0, 0]) / 35 + bias
    assert torch.allclose(head(maps), expected, atol=1e-5)


@pytest.mark.parametrize(
    "builder, channels, left", [("alexnet", 256, 2_726_696), ("vgg16", 512, 15_227_688)]
)
def test_what_a_nin_head_leaves(builder, channels, left):
    network = on_meta(lambda: models.get_model(builder, weights=None))
    assert parameters_of(network.features) + parameters_of(taught("nin_head")(channels)) == left


# --- depth -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "build, with_parameters, with_pooling",
    [(lambda: GoogLeNet(aux=False), 22, 27), (notes_variant, 21, 26)],
    ids=["paper", "notes"],
)
def test_the_longest_path(build, with_parameters, with_pooling):
    longest, model = taught("longest"), on_meta(build)
    parts = [*model.body.values(), model.pool, model.fc]
    layers, pools = (nn.Conv2d, nn.Linear), (nn.MaxPool2d, nn.AdaptiveAvgPool2d)
    assert sum(longest(part, layers) for part in parts) == with_parameters
    assert sum(longest(part, layers + pools) for part in parts) == with_pooling


def test_the_longest_path_is_that_of_the_printed_table():
    longest, model = taught("longest"), on_meta(lambda: GoogLeNet(aux=False))
    for row, part in model.body.items():
        if row in PRINTED_ROWS:
            depth = PRINTED_ROWS[row]["depth"]
            assert longest(part, (nn.Conv2d,)) == int(depth or 0), row


# --- the claims about the number of parameters -------------------------------------------


def printed_thousands() -> dict[str, float]:
    """The printed column of parameters, out of the transcription of the table."""
    column = {
        row: values["params_printed"]
        for row, values in PRINTED_ROWS.items()
        if values["params_printed"]
    }
    return {row: float(text.removesuffix("K")) for row, text in column.items()}


def test_the_printed_parameters_add_up():
    assert round(1000 * sum(printed_thousands().values())) == 6_797_700


def test_nothing_that_was_published_gives_twelve():
    """Every count of AlexNet over every count of GoogLeNet, weights counted here anew."""

    def versions(network):
        layers = [layer for layer in network.modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]
        for kept in (layers, layers[:-1]):
            weights = sum(layer.weight.numel() for layer in kept)
            biases = sum(layer.weight.shape[0] for layer in kept)  # one an output channel
            yield from (weights, weights + biases)

    alexnet, googlenet = taught("alexnet_2012"), models.googlenet
    alexnets = [
        on_meta(alexnet),
        on_meta(lambda: alexnet(groups=1)),
        on_meta(lambda: models.alexnet(weights=None)),
    ]
    googlenets = [
        on_meta(lambda: GoogLeNet(aux=False)),
        on_meta(lambda: notes_variant(3, 1000)),
        on_meta(lambda: googlenet(weights=None, aux_logits=False, init_weights=False)),
    ]
    over = [count for network in alexnets for count in versions(network)]
    under = [count for network in googlenets for count in versions(network)]
    ratios = [a / b for a in over for b in under]
    assert len(ratios) == 144
    assert min(ratios) == pytest.approx(
        56_858_656 / GOOGLENET
    )  # only AlexNet without its last layer
    assert max(ratios) == pytest.approx(
        62_378_344 / 5_585_344
    )  # no groups, no last layer, 3x3 for 5x5
    assert max(ratios) < 11.2


def test_eight_of_seventy_eight_omissions_give_twelve():
    rows = {row: cost.parameters for row, cost in network_cost().items() if cost.parameters}
    assert len(rows) == 12
    tried = [omitted for many in (1, 2) for omitted in combinations(rows, many)]
    rests = [GOOGLENET - sum(rows[row] for row in omitted) for omitted in tried]
    assert len(tried) == 78
    assert sum(math.floor(ALEXNET_2012 / rest + 0.5) == 12 for rest in rests) == 8


def test_printed_sizes_of_the_model_zoos():
    """6.619 and 6.999 million (OpenVINO), 49.7 MB (torchvision): what each of them counts."""
    theirs = on_meta(lambda: models.googlenet(weights=None, aux_logits=False, init_weights=False))
    convolutions = [layer for layer in theirs.modules() if isinstance(layer, nn.Conv2d)]
    folded = sum(layer.weight.numel() + layer.out_channels for layer in convolutions) + 1025 * 1001
    assert round(folded / 1e6, 3) == 6.619
    assert round(parameters_of(on_meta(lambda: GoogLeNet(aux=False))) / 1e6, 3) == 6.999
    with_heads = on_meta(
        lambda: models.googlenet(weights=None, aux_logits=True, init_weights=False)
    )
    assert parameters_of(with_heads) == 13_004_888
    printed = models.get_model_weights("googlenet")["IMAGENET1K_V1"].meta["_file_size"]
    # The file also holds the moving statistics of the batch normalisations.
    stored = sum(
        tensor.numel() * tensor.element_size() for tensor in with_heads.state_dict().values()
    )
    assert stored / 1024**2 == pytest.approx(printed, abs=0.1)


# --- the solutions of the exercises ------------------------------------------------------


def test_solution_first_layer():
    assert conv_cost(3, 64, 7, 112).multiply_adds == 112**2 * 64 * 7**2 * 3 == 118_013_952
    assert round(100 * 118_013_952 / total(network_cost()).multiply_adds, 1) == 7.5


@pytest.mark.parametrize("kernel, size, real, places", [(3, 4, 10, 12), (5, 7, 29, 35)])
def test_solution_products_with_real_pixels(kernel, size, real, places):
    """Brute force over one side: how often a kernel of any place meets a real pixel."""
    half = kernel // 2
    met = sum(
        0 <= place + offset < size for place in range(size) for offset in range(-half, half + 1)
    )
    assert (met, kernel * size) == (real, places)
    assert round(100 * (real / places) ** 2) == 69


def test_solution_600_of_864():
    assert 10**2 * 2 * 3 == 600 and 4 * 4 * 3 * 3 * 3 * 2 == 864


def test_solutions_of_the_page_on_torchinfo():
    norm = torchinfo.summary(nn.BatchNorm2d(8), input_size=(1, 8, 10, 10), verbose=0)
    assert norm.total_mult_adds == 16
    googlenet = on_meta(lambda: GoogLeNet(aux=False))
    whole = torchinfo.summary(googlenet, input_size=(1, 3, 224, 224), device="meta", verbose=0)
    counted = total(network_cost())
    assert whole.total_mult_adds == 1_585_899_032 == counted.multiply_adds + counted.bias_additions


# --- figures -----------------------------------------------------------------------------

NETWORKS = pandas.DataFrame(
    {
        "multiply-adds": [714e6, 15.5e9, 1.5e9],
        "parameters": [64e6, 144e6, 9e6],
        "accuracy": [56.5, 71.6, 69.8],
    },
    index=["AlexNet", "VGG-16", "GoogLeNet"],
)


def test_network_map_draws_area_by_parameters_and_says_its_numbers():
    figure = plots.network_map(NETWORKS)
    (axes,) = figure.axes
    circles: list[Any] = list(axes.collections)
    drawn = {tuple(circle.get_offsets()[0]): circle for circle in circles}
    areas = {}
    for name in NETWORKS.index:
        circle = drawn[NETWORKS["multiply-adds"][name], NETWORKS["accuracy"][name]]
        areas[name] = circle.get_sizes()[0]
        in_colour = as_hex(circle.get_facecolor()[0][:3]) == plots.PLAIN.upper()
        assert in_colour == (name == "GoogLeNet")
    assert areas["VGG-16"] / areas["GoogLeNet"] == pytest.approx(16)
    assert areas["VGG-16"] / areas["AlexNet"] == pytest.approx(2.25)
    assert axes.get_xscale() == "log"
    assert {"AlexNet\n64 M", "VGG-16\n144 M", "GoogLeNet\n9 M"} <= set(texts(figure))
    assert "GoogLeNet 1.5 G, 69.8 %, 9 M" in plots.alt_text(figure)


def test_price_bars_has_a_panel_for_each_price_and_says_the_orders():
    prices = NETWORKS.drop(columns="accuracy")
    figure = plots.price_bars(prices)
    for axes, column in zip(figure.axes, prices.columns, strict=True):
        assert axes.get_title(loc="left") == column
        bars: list[Any] = list(axes.patches)
        assert [bar.get_width() for bar in bars] == list(prices[column])
        assert [label.get_text().strip() for label in axes.texts] == [
            short(value) for value in prices[column]
        ]
    alt = plots.alt_text(figure)
    assert "by parameters: GoogLeNet, AlexNet, VGG-16" in alt
    assert "by multiply-adds: AlexNet, GoogLeNet, VGG-16" in alt


def test_convolution_diagram_draws_what_it_counts():
    figure = plots.convolution_diagram(in_channels=2, out_channels=3, kernel_size=3, size=4)
    pixels = figure.axes[0].patches
    filled = [
        pixel for pixel in pixels if pixel.get_facecolor() != matplotlib.colors.to_rgba("white")
    ]
    assert len(pixels) == (2 + 3) * 4 * 4
    assert len(filled) == 2 * 3 * 3 + 1
    assert numbers(plots.alt_text(figure))[-2:] == [48, 18]
    assert conv_cost(2, 3, 3, 4).multiply_adds == 48 * 18


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((0, 3, 3, 4), "^in_channels .* 0"),
        ((2, 3, 2, 4), "^kernel_size .* odd.* 2$"),
        ((2, 3, 5, 4), "^kernel_size .* at most 4.* 5"),
    ],
)
def test_convolution_diagram_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        plots.convolution_diagram(*arguments)


# --- the recorded times ------------------------------------------------------------------


def check_recording(recorded: dict[str, Any], networks, batches) -> None:
    datetime.date.fromisoformat(recorded["date"])
    assert recorded["command"] == "python benchmarks/latency.py"
    for field in ("cpu", "instructions", "system", "python", "torch", "torchvision"):
        assert recorded["machine"][field], field
    assert recorded["rounds"] >= 1
    assert recorded["machine"]["threads"] == 1 <= recorded["machine"]["cores"]
    assert [(row["network"], row["batch"]) for row in recorded["times"]] == list(
        product(networks, batches)
    )
    for row in recorded["times"]:
        assert row["repeats"] >= 1
        assert row["linear_milliseconds"] > 0 and row["milliseconds"] > 0


def test_the_recorded_times_are_those_of_the_script():
    recorded = read_record("latency")
    check_recording(recorded, latency.NETWORKS, latency.REPEATS)
    for row in recorded["times"]:
        assert row["repeats"] == latency.REPEATS[row["batch"]]
        assert row["linear_milliseconds"] < row["milliseconds"]


def test_the_script_writes_what_the_chapter_reads(monkeypatch, tmp_path, capsys):
    def small():
        return nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2)
        )

    monkeypatch.setattr(latency, "NETWORKS", {"one": small, "two": small})
    monkeypatch.setattr(latency, "REPEATS", {1: 2, 4: 1})
    monkeypatch.setattr(
        latency, "latency_ms", lambda model, batch, repeats: 10.0 * len(batch) + repeats
    )
    file = tmp_path / "results" / "latency.json"
    latency.main(["--out", str(file)])
    recorded = json.loads(file.read_text(encoding="utf-8"))
    check_recording(recorded, ["one", "two"], [1, 4])
    assert [row["milliseconds"] for row in recorded["times"]] == [12.0, 41.0, 12.0, 41.0]
    assert "wrote latency.json" in capsys.readouterr().out


def test_another_round_keeps_the_faster_times(monkeypatch, tmp_path):
    monkeypatch.setattr(latency, "NETWORKS", {"one": lambda: nn.Sequential(nn.Linear(3, 5))})
    monkeypatch.setattr(latency, "REPEATS", {1: 1, 4: 1})
    file = tmp_path / "latency.json"
    # In each round: whole and linear layers with one image, then with four.
    times = iter([4.0, 9.0, 6.0, 2.0, 5.0, 1.0, 3.0, 8.0])
    monkeypatch.setattr(latency, "latency_ms", lambda model, batch, repeats: next(times))
    latency.main(["--out", str(file)])
    latency.main(["--out", str(file), "--again"])
    recorded = json.loads(file.read_text(encoding="utf-8"))
    assert recorded["rounds"] == 2
    kept = [(row["milliseconds"], row["linear_milliseconds"]) for row in recorded["times"]]
    assert kept == [(4.0, 1.0), (3.0, 2.0)]


def test_another_round_on_another_machine_is_refused(tmp_path):
    file = tmp_path / "latency.json"
    file.write_text(
        json.dumps({"machine": {**latency.machine(), "cpu": "an abacus"}, "rounds": 1, "times": []})
    )
    with pytest.raises(SystemExit, match="^--again .* 'an abacus'"):
        latency.main(["--out", str(file), "--again"])


def test_linear_part_is_the_linear_layers_in_their_order():
    part = latency.linear_part(on_meta(lambda: models.alexnet(weights=None)))
    assert [(layer.in_features, layer.out_features) for layer in part] == list(ALEXNET_LINEARS)
    without = latency.linear_part(on_meta(latency.NETWORKS["GoogLeNet without normalisation"]))
    assert [(layer.in_features, layer.out_features) for layer in without] == [(1024, 1000)]


def test_the_script_times_the_networks_that_it_names():
    built = {name: on_meta(build) for name, build in latency.NETWORKS.items()}
    sizes = {name: parameters_of(network) for name, network in built.items()}
    assert sizes == {
        "AlexNet": 61_100_840,
        "GoogLeNet": GOOGLENET,
        "GoogLeNet without normalisation": GOOGLENET,
        "ResNet-18": 11_689_512,
        "VGG-16": 138_357_544,
    }
    has_lrn = {
        name: any(isinstance(layer, nn.LocalResponseNorm) for layer in network.modules())
        for name, network in built.items()
    }
    assert [name for name, has in has_lrn.items() if has] == ["GoogLeNet"]
