"""Tests of gnet_lib.cost.

Truth from outside: hand formulas, torchinfo, and torch's own FLOP counter, which takes
a multiply-add as two operations.
"""

import re

import numpy as np
import pandas
import pytest
import torch
from test_paper import MODULES, PRINTED_ROWS
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from gnet_lib import (
    WIDTHS,
    Cost,
    GoogLeNet,
    Inception,
    InceptionWidths,
    MiniGoogLeNet,
    NaiveInception,
    compare_branches,
    compare_modules,
    compare_with_table_1,
    conv_cost,
    cost,
    format_table,
    inception_cost,
    latency_ms,
    linear_cost,
    network_cost,
    stacked_naive_costs,
    torchinfo_cost,
    torchinfo_layers,
)
from gnet_lib.cost import total
from gnet_lib.googlenet import MINI_ROWS, AuxiliaryHead
from gnet_lib.paper import NOTES_ROWS


def on_meta(build):
    """A network without memory: counting looks at shapes only."""
    with torch.device("meta"):
        return build()


def multiply_adds_of_torch(model: nn.Module, input_size: tuple[int, ...]) -> float:
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        model.eval()(torch.zeros(input_size))
    return counter.get_total_flops() / 2


def weights_of(model: nn.Module) -> int:
    layers = [layer for layer in model.modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]
    return sum(layer.weight.numel() for layer in layers)


# --- by hand -----------------------------------------------------------------------------


def test_a_convolution_by_hand():
    """Every output value is one product for each of the values under the kernel."""
    assert conv_cost(192, 128, 3, 28) == Cost(
        weights=128 * 192 * 9,
        biases=128,
        multiply_adds=(28 * 28 * 128) * (192 * 9),
        bias_additions=28 * 28 * 128,
    )


def test_a_convolution_counted_one_product_at_a_time():
    products = 0
    for _pixel in range(4 * 4):
        for _output in range(3):
            for _input in range(2):
                products += 5 * 5
    assert conv_cost(2, 3, 5, 4).multiply_adds == products


def test_a_linear_layer_by_hand():
    assert linear_cost(1024, 1000) == Cost(1_024_000, 1000, 1_024_000, 1000)


def test_module_3a_by_hand():
    pixels = 28 * 28
    reduced = inception_cost(192, WIDTHS["3a"], 28)
    assert {name: path.multiply_adds for name, path in reduced.items()} == {
        "1x1": pixels * 192 * 64,
        "3x3": pixels * (192 * 96 + 9 * 96 * 128),
        "5x5": pixels * (192 * 16 + 25 * 16 * 32),
        "pool": pixels * 192 * 32,
    }
    assert {name: path.biases for name, path in reduced.items()} == {
        "1x1": 64, "3x3": 96 + 128, "5x5": 16 + 32, "pool": 32,
    }  # fmt: skip
    naive = inception_cost(192, WIDTHS["3a"], 28, design=NAIVE)
    assert {name: path.multiply_adds for name, path in naive.items()} == {
        "1x1": pixels * 192 * 64, "3x3": pixels * 9 * 192 * 128, "5x5": pixels * 25 * 192 * 32, "pool": 0,
    }  # fmt: skip
    assert (total(reduced).multiply_adds, total(naive).multiply_adds) == (128_049_152, 303_464_448)
    assert (total(reduced).parameters, total(naive).parameters) == (163_696, 387_296)


def test_costs_add_up():
    whole = Cost(1, 2, 3, 4) + Cost(10, 20, 30, 40)
    assert whole == Cost(11, 22, 33, 44)
    assert whole.parameters == 33
    assert total({}) == Cost()


# --- formula, torchinfo and torch --------------------------------------------------------


@pytest.mark.parametrize("naive", [False, True], ids=["reduced", "naive"])
@pytest.mark.parametrize("printed", MODULES, ids=lambda module: module.name)
def test_every_module_three_ways(printed, naive):
    name, in_channels, size, widths, _ = printed
    module = on_meta(lambda: (NaiveInception if naive else Inception)(in_channels, widths))
    by_formula = inception_cost(in_channels, widths, size, naive)
    input_size = (1, in_channels, size, size)
    assert total(by_formula) == torchinfo_cost(module, input_size)
    assert total(by_formula).multiply_adds == multiply_adds_of_torch(module, input_size)
    assert total(by_formula).parameters == sum(p.numel() for p in module.parameters())
    for path, branch in module.branches.items():
        assert by_formula[path] == torchinfo_cost(branch, input_size), path


NETWORKS = {
    "googlenet": (lambda: GoogLeNet(aux=False), (3, 224), {}),
    "googlenet at 96": (lambda: GoogLeNet(aux=False, num_classes=10), (3, 96), {"num_classes": 10}),
    "googlenet with heads": (GoogLeNet, (3, 224), {}),
    "naive": (lambda: GoogLeNet(aux=False, module=NaiveInception), (3, 224), {"design": NAIVE}),
    "notes": (notes_variant, (1, 224), {"rows": NOTES_ROWS, "num_classes": 10}),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_three_ways(name):
    build, (in_channels, size), options = NETWORKS[name]
    model, input_size = on_meta(build), (1, in_channels, size, size)
    by_formula = total(network_cost(in_channels=in_channels, image_size=size, **options))
    assert by_formula == torchinfo_cost(model, input_size)
    assert by_formula.multiply_adds == multiply_adds_of_torch(model, input_size)


@pytest.mark.parametrize("module", [Inception, NaiveInception])
def test_mini_three_ways(module):
    """Its convolutions have no bias, so weights and multiply-adds are what agrees."""
    model = MiniGoogLeNet(module=module)
    by_formula = total(
        network_cost(
            MINI_ROWS, in_channels=1, num_classes=10, image_size=28, naive=module is NaiveInception
        )
    )
    by_torchinfo = torchinfo_cost(model, (1, 1, 28, 28))
    assert by_formula.multiply_adds == by_torchinfo.multiply_adds
    assert by_formula.multiply_adds == multiply_adds_of_torch(model.to("meta"), (1, 1, 28, 28))
    assert by_formula.weights == by_torchinfo.weights == weights_of(model)
    assert (by_torchinfo.biases, by_torchinfo.bias_additions) == (10, 10)


def test_the_whole_network_by_number():
    whole = total(network_cost())
    assert (whole.parameters, whole.multiply_adds) == (6_998_552, 1_582_671_872)
    assert total(network_cost(aux=True)).parameters == 13_378_280


def test_rows_of_the_network_by_hand():
    rows = network_cost()
    assert list(rows) == [*list(PRINTED_ROWS)[:15], "linear"]
    assert rows["conv1"].multiply_adds == 112 * 112 * 64 * 3 * 49
    assert rows["conv2"].multiply_adds == 56 * 56 * (64 * 64 + 64 * 192 * 9)
    assert rows["pool1"] == Cost()
    assert network_cost(NOTES_ROWS)["conv2"].multiply_adds == 56 * 56 * 64 * 192 * 9


def test_heads_cost_what_the_heads_have():
    costs = network_cost(aux=True)
    for name, in_channels in (("4a", 512), ("4d", 528)):
        head = on_meta(lambda in_channels=in_channels: AuxiliaryHead(in_channels, 14, 1000))
        of_head = costs[f"aux {name}"]
        assert of_head.parameters == sum(p.numel() for p in head.parameters())
        assert of_head == torchinfo_cost(head, (1, in_channels, 14, 14))
        assert of_head.multiply_adds == multiply_adds_of_torch(head, (1, in_channels, 14, 14))
    plain = network_cost()
    assert {name: cost for name, cost in costs.items() if not name.startswith("aux")} == plain


def test_torchvisions_networks_by_torchs_counter():
    import torchvision

    for build, size in ((torchvision.models.alexnet, 224), (torchvision.models.mobilenet_v2, 64)):
        model = on_meta(lambda build=build: build(weights=None))
        counted = torchinfo_cost(model, (1, 3, size, size))
        assert counted.multiply_adds == multiply_adds_of_torch(model, (1, 3, size, size))
        assert counted.weights == weights_of(model)


MORE_LAYERS = {
    "linear on three axes": (lambda: nn.Linear(8, 4), (2, 5, 8)),
    "linear on four axes": (lambda: nn.Linear(8, 4, bias=False), (2, 5, 3, 8)),
    "linear": (lambda: nn.Linear(8, 4), (3, 8)),
    "one axis": (lambda: nn.Conv1d(4, 6, 3, stride=2), (2, 4, 11)),
    "three axes": (lambda: nn.Conv3d(2, 3, 3), (2, 2, 5, 6, 7)),
    "groups": (lambda: nn.Conv2d(8, 16, 3, groups=4, padding=1), (2, 8, 6, 5)),
    "dilated": (lambda: nn.Conv2d(4, 6, 3, dilation=2), (1, 4, 9, 9)),
    "without a batch": (lambda: nn.Conv2d(4, 6, 3, padding=1), (4, 8, 9)),
    "transposed": (lambda: nn.ConvTranspose2d(4, 6, 3), (1, 4, 8, 8)),
    "transposed with a stride": (
        lambda: nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1),
        (2, 4, 8, 7),
    ),
    "transposed with groups": (lambda: nn.ConvTranspose2d(4, 6, 3, groups=2), (2, 4, 8, 7)),
    "transposed on one axis": (lambda: nn.ConvTranspose1d(4, 6, 3, stride=3), (2, 4, 8)),
}


@pytest.mark.parametrize("name", MORE_LAYERS)
def test_more_kinds_of_layers_as_torch_counts_them(name):
    build, input_size = MORE_LAYERS[name]
    layer = on_meta(build)
    counted = torchinfo_cost(layer, input_size)
    assert counted.multiply_adds == multiply_adds_of_torch(layer, input_size)
    assert counted.weights == layer.weight.numel()
    outputs = layer(torch.zeros(input_size, device="meta")).numel()
    has_bias = layer.bias is not None
    assert (counted.biases, counted.bias_additions) == (
        (layer.bias.numel(), outputs) if has_bias else (0, 0)
    )


def test_more_kinds_of_layers_by_hand():
    linear = torchinfo_layers(nn.Linear(8, 4), (2, 5, 8)).loc[0]
    assert linear["multiply_adds"] == 2 * 5 * 8 * 4
    assert linear["torchinfo"] == 2 * (8 * 4 + 4)  # torchinfo's own figure stays what it is
    assert torchinfo_cost(nn.ConvTranspose2d(4, 4, 3), (1, 4, 8, 8)) == Cost(
        weights=144, biases=4, multiply_adds=144 * 8 * 8, bias_additions=4 * 10 * 10
    )


def test_a_layer_used_twice_has_its_weights_once_and_works_twice():
    conv = nn.Conv2d(4, 4, 3, padding=1)
    twice = nn.Sequential(conv, nn.ReLU(), conv)
    assert torchinfo_cost(twice, (1, 4, 8, 8)) == Cost(144, 4, 2 * 144 * 64, 2 * 4 * 64)
    assert multiply_adds_of_torch(twice.to("meta"), (1, 4, 8, 8)) == 2 * 144 * 64
    layers = torchinfo_layers(twice, (1, 4, 8, 8))
    assert layers["layer"].tolist() == ["0", "1", "0"]  # the names that named_modules() gives
    assert layers["weights"].tolist() == [144, 0, 0]
    assert layers["multiply_adds"].tolist() == [144 * 64, 0, 144 * 64]


def test_weights_shared_by_two_layers_are_counted_once():
    first, second = nn.Linear(6, 6), nn.Linear(6, 6)
    second.weight = first.weight
    model = nn.Sequential(first, second)
    counted = torchinfo_cost(model, (1, 6))
    assert counted.parameters == sum(p.numel() for p in model.parameters()) == 36 + 12
    assert counted.multiply_adds == 2 * 36


class ConvolutionWithAChild(nn.Conv2d):
    """A convolution that holds another layer is still a convolution."""

    def __init__(self) -> None:
        super().__init__(4, 6, 3)
        self.activation = nn.ReLU()

    def forward(self, x):
        return self.activation(super().forward(x))


def test_a_convolution_with_a_layer_inside_is_counted():
    assert torchinfo_cost(ConvolutionWithAChild(), (1, 4, 8, 8)) == conv_cost(4, 6, 3, 6)


class OwnWeights(nn.Module):
    """A layer that multiplies by weights of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.zeros(4, 4))

    def forward(self, x):
        return x @ self.matrix


@pytest.mark.parametrize("layer", [
    nn.LSTM(4, 4), nn.MultiheadAttention(4, 2), nn.Embedding(4, 4), OwnWeights(),
    nn.utils.parametrizations.weight_norm(nn.Linear(4, 4, bias=False)),
], ids=lambda layer: type(layer).__name__)  # fmt: skip
def test_a_layer_that_cannot_be_counted_is_named(layer):
    model = nn.Sequential(nn.Linear(4, 4), nn.Sequential(layer))
    with pytest.raises(
        ValueError,
        match=r"^model must .*, but \w+ '1\.0.*' has weights of its own, .* not counted$",
    ):
        torchinfo_cost(model, (1, 4))


def test_normalisations_and_activations_are_free():
    model = nn.Sequential(
        nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.GroupNorm(2, 4), nn.InstanceNorm2d(4, affine=True),
        nn.LayerNorm([4, 5, 5]), nn.RMSNorm(5), nn.PReLU(4),
    )  # fmt: skip
    assert torchinfo_cost(model, (1, 3, 5, 5)) == conv_cost(3, 4, 1, 5)


# --- tables ------------------------------------------------------------------------------


def test_chained_naive_modules():
    frame = stacked_naive_costs()
    channels, weights, biases, work = 192, 0, 0, 0
    for name, _, size, w, _ in MODULES:
        assert frame.loc[name, "size"] == f"{size}x{size}"
        assert frame.loc[name, "in_channels"] == channels
        of_module = channels * (w.c1x1 + 9 * w.c3x3 + 25 * w.c5x5)
        assert frame.loc[name, "multiply-adds"] == of_module * size**2
        outputs = w.c1x1 + w.c3x3 + w.c5x5
        assert frame.loc[name, "parameters"] == of_module + outputs
        weights, biases, work = weights + of_module, biases + outputs, work + of_module * size**2
        channels += outputs
        assert frame.loc[name, "out_channels"] == channels
    assert list(frame.columns) == [
        "size",
        "in_channels",
        "out_channels",
        "parameters",
        "multiply-adds",
    ]
    assert frame["size"].tolist() == ["28x28"] * 2 + ["14x14"] * 5 + ["7x7"] * 2 + [""]
    assert frame.loc["all"].tolist() == ["", 192, channels, weights + biases, work]
    assert frame.loc["all"].tolist() == ["", 192, 4944, 92_456_592, 12_085_441_536]
    assert format_table(frame).loc["3a"].tolist() == [
        "28x28",
        "192",
        "416",
        "387,296",
        "303,464,448",
    ]


def test_compare_branches():
    frame = compare_branches(192, WIDTHS["3a"], 28)
    assert list(frame.index) == ["1x1", "3x3", "5x5", "pool", "module"]
    assert frame.loc["module"].tolist() == [387_296, 163_696, 303_464_448, 128_049_152]
    assert (frame.loc["module"] == frame.drop(index="module").sum()).all()
    assert frame.loc["5x5"].tolist() == [
        25 * 192 * 32 + 32, 192 * 16 + 16 + 25 * 16 * 32 + 32,
        784 * 25 * 192 * 32, 784 * (192 * 16 + 25 * 16 * 32),
    ]  # fmt: skip


def test_compare_modules_gives_both_the_same_input():
    frame = compare_modules()
    assert list(frame.index) == [*(module.name for module in MODULES), "all"]
    for name, in_channels, size, w, _ in MODULES:
        naive = in_channels * (w.c1x1 + 9 * w.c3x3 + 25 * w.c5x5)
        reduced = (
            in_channels * (w.c1x1 + w.c3x3_reduce + w.c5x5_reduce + w.pool_proj)
            + 9 * w.c3x3_reduce * w.c3x3 + 25 * w.c5x5_reduce * w.c5x5
        )  # fmt: skip
        assert frame.loc[name, "naive multiply-adds"] == naive * size**2
        assert frame.loc[name, "reduced multiply-adds"] == reduced * size**2
        assert frame.loc[name, "naive parameters"] == naive + w.c1x1 + w.c3x3 + w.c5x5
        biases = w.c3x3_reduce + w.c5x5_reduce + w.c1x1 + w.c3x3 + w.c5x5 + w.pool_proj
        assert frame.loc[name, "reduced parameters"] == reduced + biases
    assert (frame.loc["all"] == frame.drop(index="all").sum()).all()


def test_table_1_stands_beside_the_printed_one():
    frame = compare_with_table_1()
    printed = {name: row for name, row in PRINTED_ROWS.items() if row["params_printed"]}
    assert list(frame.index) == list(printed)
    assert frame["printed parameters"].tolist() == [
        row["params_printed"] for row in printed.values()
    ]
    assert frame["printed operations"].tolist() == [row["ops_printed"] for row in printed.values()]
    assert frame["computed weights"].sum() == total(network_cost()).weights
    assert frame.loc["3a", "computed weights"] == 163_696 - (64 + 96 + 128 + 16 + 32 + 32)
    assert frame.loc["3a", "computed multiply-adds"] == 128_049_152


def test_readable():
    frame = pandas.DataFrame({
        "count": [1_234_567, 0], "share": [0.40123, 12345.6], "text": ["a", "b"],
    })  # fmt: skip
    assert format_table(frame).values.tolist() == [
        ["1,234,567", "0.401", "a"],
        ["0", "12,346", "b"],
    ]
    assert frame.loc[0, "count"] == 1_234_567  # the table itself is left alone


@pytest.mark.parametrize("value, expected", [
    (True, "True"), (np.bool_(False), "False"), (None, "None"),
    (999, "999"), (1000, "1,000"), (np.int64(-1000), "-1,000"),
    (0.0, "0"), (0.99951, "1"), (99.95, "100"), (9.996, "10"), (999.4, "999"), (999.5, "1,000"),
    (999.7, "1,000"), (-999.7, "-1,000"), (1000.4, "1,000"), (1234.5678, "1,235"), (999_999.7, "1,000,000"),
    (np.float64(999.7), "1,000"), (float("nan"), "nan"), (float("inf"), "inf"),
])  # fmt: skip
def test_readable_values(value, expected):
    frame = pandas.DataFrame({"value": pandas.Series([value], dtype=object)})
    assert format_table(frame)["value"].tolist() == [expected]


def test_readable_columns_of_truths():
    assert format_table(pandas.DataFrame({"flag": [True, False]}))["flag"].tolist() == [
        "True",
        "False",
    ]


# --- torchinfo leaves no trace -----------------------------------------------------------


def modes(model: nn.Module) -> dict[str, bool]:
    return {name: module.training for name, module in model.named_modules()}


def frozen_in_part() -> nn.Module:
    model = MiniGoogLeNet(dropout=0.5).train()
    model.body["3a"].eval()
    for parameter in model.body["3a"].parameters():
        parameter.requires_grad_(False)
    return model


WATCHED = {"training": lambda: MiniGoogLeNet().train(), "frozen in part": frozen_in_part}
USES = {
    "torchinfo_layers": lambda model: torchinfo_layers(model, (2, 1, 28, 28)),
    "torchinfo_cost": lambda model: torchinfo_cost(model, (2, 1, 28, 28)),
    "latency_ms": lambda model: latency_ms(model, torch.zeros(2, 1, 28, 28), repeats=2),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("name", WATCHED)
def test_measuring_leaves_the_model_and_the_random_numbers_alone(name, use):
    model = WATCHED[name]()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    modes_before, random_before = modes(model), torch.get_rng_state()
    trained_before = [parameter.requires_grad for parameter in model.parameters()]
    hooks_before = [
        len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules()
    ]
    USES[use](model)
    assert torch.equal(torch.get_rng_state(), random_before)
    assert modes(model) == modes_before
    assert (True in modes_before.values()) and (False in modes_before.values()) == (
        name == "frozen in part"
    )
    assert [parameter.requires_grad for parameter in model.parameters()] == trained_before
    assert [
        len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()
    ] == hooks_before
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key]), key


def test_torchinfo_stays_on_the_models_device():
    """The meta device stands for any other: torchinfo left alone would run on CPU or GPU."""
    model = on_meta(MiniGoogLeNet)
    assert torchinfo_cost(model, (1, 1, 28, 28)) == torchinfo_cost(MiniGoogLeNet(), (1, 1, 28, 28))
    assert {parameter.device.type for parameter in model.parameters()} == {"meta"}


def test_a_model_with_heads_is_counted_in_evaluation():
    model = on_meta(GoogLeNet).train()
    layers = torchinfo_layers(model, (1, 3, 224, 224))["layer"]
    assert not layers.str.startswith("heads").any()
    assert model.training


def test_twice_the_batch_is_twice_the_work():
    one, two = (torchinfo_cost(MiniGoogLeNet(), (batch, 1, 28, 28)) for batch in (1, 2))
    assert (two.multiply_adds, two.bias_additions) == (
        2 * one.multiply_adds,
        2 * one.bias_additions,
    )
    assert (two.weights, two.biases) == (one.weights, one.biases)


def test_layers_are_named_as_in_the_model():
    model = MiniGoogLeNet()
    layers = torchinfo_layers(model, (1, 1, 28, 28))
    kinds = {name: type(module).__name__ for name, module in model.named_modules()}
    assert [kinds[name] for name in layers["layer"]] == layers["kind"].tolist()
    by_name = layers.set_index("layer")
    assert by_name.loc["body.conv1.conv", "output_shape"] == (1, 32, 28, 28)
    assert by_name.loc["body.conv1.conv", "multiply_adds"] == 28 * 28 * 9 * 32
    assert by_name.loc["body.3a.branches.5x5.conv.conv", "multiply_adds"] == 14 * 14 * 25 * 8 * 16
    assert by_name.loc["fc", "torchinfo"] == 288 * 10 + 10
    assert by_name.loc["body.conv1.norm", ["weights", "biases", "multiply_adds"]].tolist() == [
        0,
        0,
        0,
    ]


# --- the stopwatch -----------------------------------------------------------------------


class Clock(nn.Module):
    """A network whose passes take the seconds that it is given, on a clock of its own."""

    def __init__(self, seconds: list[float]) -> None:
        super().__init__()
        self.seconds, self.now, self.seen = iter(seconds), 0.0, []

    def forward(self, x):
        self.now += next(self.seconds)
        self.seen.append((self.training, torch.get_num_threads(), torch.is_grad_enabled()))
        return x


@pytest.fixture
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def test_latency_is_the_fastest_timed_pass_in_milliseconds(monkeypatch, three_threads):
    model = Clock([0.5, 0.25, 4.0, 2.0, 3.0])  # the two fastest are not timed
    monkeypatch.setattr(cost.time, "perf_counter", lambda: model.now)
    assert latency_ms(model, torch.zeros(1), repeats=3) == 2000
    assert model.seen == [(False, 1, False)] * 5  # in evaluation, on one thread, without a graph


@pytest.mark.parametrize("seconds", [[0.0] * 3, []], ids=["success", "error"])
def test_latency_restores_mode_and_threads(seconds, three_threads):
    model = Clock(seconds)
    if seconds:
        latency_ms(model, torch.zeros(1), repeats=1)
    else:
        with pytest.raises((StopIteration, RuntimeError)):
            latency_ms(model, torch.zeros(1), repeats=1)
    assert torch.get_num_threads() == 3
    assert model.training


def test_latency_restores_the_modes_after_an_error():
    model = frozen_in_part()
    before = modes(model)
    with pytest.raises(ValueError, match="images must have the shape"):
        latency_ms(model, torch.zeros(1, 3, 28, 28))
    assert modes(model) == before


def test_latency_draws_no_graph():
    model = MiniGoogLeNet()
    seen = []
    model.fc.register_forward_hook(lambda _, __, out: seen.append(out.requires_grad))
    latency_ms(model, torch.zeros(1, 1, 28, 28), repeats=1)
    assert seen == [False] * 3


# --- refusals ----------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [0, -1, 2.0, True, "3"], ids=repr)
@pytest.mark.parametrize("argument", ["in_channels", "out_channels", "kernel_size", "output_size"])
def test_conv_cost_checks_every_number(argument, bad):
    numbers = {"in_channels": 1, "out_channels": 1, "kernel_size": 1, "output_size": 1} | {
        argument: bad
    }
    with pytest.raises(
        ValueError, match=f"^{argument} must be .* at least 1, but it is {re.escape(repr(bad))}$"
    ):
        conv_cost(**numbers)


@pytest.mark.parametrize("call, message", [
    (lambda: linear_cost(0, 5), "^in_features must be .* at least 1, but it is 0$"),
    (lambda: linear_cost(5, -2), "^out_features must be .* at least 1, but it is -2$"),
    (lambda: inception_cost(0, WIDTHS["3a"], 28), "^in_channels must be .* but it is 0$"),
    (lambda: network_cost(image_size=30), r"^image_size 30 is too small.*\(at least 31\)$"),
    (lambda: network_cost(num_classes=0), "^num_classes must be a whole number of at least 1, but it is 0$"),
    (lambda: network_cost(()), "^rows must hold at least one row, for instance TABLE_1, but it is empty$"),
    (lambda: network_cost(aux=True, image_size=64), "^image_size 64 is too small for the auxiliary .* at least 79, "),
    (lambda: network_cost(MINI_ROWS, aux=True, image_size=28), "^aux=True needs the modules 4a and 4d among rows"),
    (lambda: inception_cost(192, WIDTHS["3a"], 0), "^size must be a whole number of at least 1, but it is 0$"),
    (lambda: inception_cost(192, (64, 96), 28), r"^widths must be InceptionWidths\(.*, but it is \(64, 96\)$"),
    (lambda: compare_branches(192, None, 28), r"^widths must be InceptionWidths\(.*, but it is None$"),
    (lambda: torchinfo_layers(nn.ReLU(), 28), r"^input_size must be the shape of a batch, .*, but it is 28$"),
    (lambda: torchinfo_cost(MiniGoogLeNet(), (1, 3, 28, 28)),
     r"^input_size must be the shape of a batch that the model takes, but with \(1, 3, 28, 28\) it stops: images must have"),
    (lambda: torchinfo_cost(nn.ReLU(), ()), r"^input_size must be the shape of a batch, .*, but it is \(\)$"),
    (lambda: torchinfo_cost(nn.ReLU(), "28"), r"^input_size must be the shape of a batch, .*, but it is '28'$"),
    (lambda: torchinfo_cost(nn.ReLU(), (1, 0)), r"^input_size\[1\] must be .* but it is 0$"),
    (lambda: torchinfo_layers(nn.ReLU(), (1, 2.5)), r"^input_size\[1\] must be .* but it is 2\.5$"),
    (lambda: latency_ms(nn.ReLU(), torch.zeros(1), repeats=0), "^repeats must be .* but it is 0$"),
    (lambda: latency_ms(nn.ReLU(), torch.zeros(1), repeats=1.5), r"^repeats must be .* but it is 1\.5$"),
])  # fmt: skip
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_naive_module_costs_the_same_whatever_the_widths_it_does_not_use():
    widths = InceptionWidths(64, 1, 128, 1, 32, 1)
    assert cost.inception_cost(192, widths, 28, design=NAIVE) == inception_cost(
        192, WIDTHS["3a"], 28, design=NAIVE
    )


def test_numbers_out_of_a_table_are_taken_and_become_plain():
    channels = stacked_naive_costs().loc["3a", "out_channels"]
    frame = compare_modules()
    assert isinstance(frame["naive parameters"].iloc[0], np.int64)
    for found, expected in (
        (conv_cost(channels, np.int64(2), np.int32(3), np.uint8(200)), conv_cost(416, 2, 3, 200)),
        (linear_cost(np.int32(70_000), np.int32(70_000)), linear_cost(70_000, 70_000)),
        (
            total(inception_cost(channels, WIDTHS["3b"], np.int8(28))),
            total(inception_cost(416, WIDTHS["3b"], 28)),
        ),
        (
            torchinfo_cost(nn.Linear(8, 4), (np.int64(2), np.int64(8))),
            torchinfo_cost(nn.Linear(8, 4), (2, 8)),
        ),
    ):
        assert found == expected
        assert {type(number) for number in vars(found).values()} == {int}
    assert linear_cost(np.int32(70_000), np.int32(70_000)).weights == 4_900_000_000  # no overflow
