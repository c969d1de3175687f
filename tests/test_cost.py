"""Tests of gnet_lib.cost.

Truth from outside: hand formulas, torchinfo, and torch's own FLOP counter, which takes
a multiply-add as two operations. Designs of our own: ``test_design.py``.
"""

import contextlib
import dataclasses
import threading
from typing import Any

import numpy as np
import pandas
import pytest
import torch
from printed_table import MODULES, PRINTED_ROWS, WORKING_NAMES
from probes import (
    frozen_in_part,
    multiply_adds_of_torch,
    on_meta,
    refuses,
    snapshot,
    weights_of,
)
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import prune

from gnet_lib.cost import (
    Cost,
    branch_convolutions,
    compare_branches,
    compare_modules,
    compare_with_table_1,
    conv_cost,
    format_table,
    inception_cost,
    linear_cost,
    network_cost,
    row_cost,
    stacked_naive_costs,
    torchinfo_cost,
    torchinfo_layers,
    total,
)
from gnet_lib.design import NAIVE, REDUCED, TORCHVISION, Conv
from gnet_lib.googlenet import MINI_ROWS, AuxiliaryHead, GoogLeNet, MiniGoogLeNet
from gnet_lib.inception import Inception, NaiveInception
from gnet_lib.paper import WIDTHS, Convolution, InceptionRow, InceptionWidths, MaxPool
from gnet_lib.shapes import inception_shapes
from gnet_lib.variants import NOTES_ROWS, notes_variant

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
    assert {name: branch.multiply_adds for name, branch in reduced.items()} == {
        "1x1": pixels * 192 * 64,
        "3x3": pixels * (192 * 96 + 9 * 96 * 128),
        "5x5": pixels * (192 * 16 + 25 * 16 * 32),
        "pool": pixels * 192 * 32,
    }
    assert {name: branch.biases for name, branch in reduced.items()} == {
        "1x1": 64, "3x3": 96 + 128, "5x5": 16 + 32, "pool": 32,
    }  # fmt: skip
    naive = inception_cost(192, WIDTHS["3a"], 28, design=NAIVE)
    assert {name: branch.multiply_adds for name, branch in naive.items()} == {
        "1x1": pixels * 192 * 64, "3x3": pixels * 9 * 192 * 128, "5x5": pixels * 25 * 192 * 32,
        "pool": 0,
    }  # fmt: skip
    assert (total(reduced).multiply_adds, total(naive).multiply_adds) == (128_049_152, 303_464_448)
    assert (total(reduced).parameters, total(naive).parameters) == (163_696, 387_296)


def test_costs_add_up():
    whole = Cost(1, 2, 3, 4) + Cost(10, 20, 30, 40)
    assert whole == Cost(11, 22, 33, 44)
    assert whole.parameters == 33
    assert total({}) == Cost() == Cost(0, 0, 0, 0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        whole.__setattr__("weights", 0)


# --- formula, torchinfo and torch --------------------------------------------------------


@pytest.mark.parametrize("kind", [Inception, NaiveInception])
@pytest.mark.parametrize("printed", MODULES, ids=lambda module: module.name)
def test_every_module_three_ways(printed, kind):
    name, in_channels, size, widths, _ = printed
    module = on_meta(lambda: kind(in_channels, widths))
    by_formula = inception_cost(in_channels, widths, size, kind.design)
    input_size = (1, in_channels, size, size)
    assert total(by_formula) == torchinfo_cost(module, input_size)
    assert total(by_formula).multiply_adds == multiply_adds_of_torch(module, input_size)
    assert total(by_formula).parameters == sum(p.numel() for p in module.parameters())
    for name, branch in module.branches.items():
        assert by_formula[name] == torchinfo_cost(branch, input_size), name


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
    model = on_meta(lambda: MiniGoogLeNet(module=module))
    options: Any = {"in_channels": 1, "num_classes": 10, "image_size": 28}
    by_formula = total(network_cost(MINI_ROWS, design=module.design, **options))
    by_torchinfo = torchinfo_cost(model, (1, 1, 28, 28))
    assert by_formula.multiply_adds == by_torchinfo.multiply_adds
    assert by_formula.multiply_adds == multiply_adds_of_torch(model, (1, 1, 28, 28))
    assert by_formula.weights == by_torchinfo.weights == weights_of(model)
    assert (by_torchinfo.biases, by_torchinfo.bias_additions) == (10, 10)


def test_the_whole_network_by_number():
    whole = total(network_cost())
    assert (whole.parameters, whole.multiply_adds) == (6_998_552, 1_582_671_872)
    assert total(network_cost(aux=True)).parameters == 13_378_280


def test_rows_of_the_network_by_hand():
    rows = network_cost()
    assert list(rows) == [*WORKING_NAMES, "linear"]
    assert rows["conv1"].multiply_adds == 112 * 112 * 64 * 3 * 49
    assert rows["conv2"].multiply_adds == 56 * 56 * (64 * 64 + 64 * 192 * 9)
    assert rows["pool1"] == Cost()
    assert rows["linear"] == linear_cost(1024, 1000)
    assert network_cost(NOTES_ROWS)["conv2"].multiply_adds == 56 * 56 * 64 * 192 * 9
    assert row_cost(inception_shapes()[0]) == rows["3a"]  # unless told otherwise, a reduced one


def test_a_kernel_that_is_no_square_by_hand():
    """A map of 6x6 pixels, and a kernel of one by seven: no padding is counted apart."""
    assert conv_cost(2, 3, (1, 7), 6) == Cost(2 * 3 * 7, 3, 36 * 2 * 3 * 7, 36 * 3)
    assert conv_cost(2, 3, (2, 4), 6).weights == 2 * 3 * 2 * 4


def test_a_convolution_with_a_reduction_and_a_stride_by_hand():
    """The 1x1 in front sees the map of 8x8 that comes in, the 3x3 writes one of 4x4."""
    rows = (Convolution("c", kernel_size=3, stride=2, out_channels=5, reduce=7),)
    cost = network_cost(rows, in_channels=2, image_size=8)["c"]
    assert cost == conv_cost(2, 7, 1, 8) + conv_cost(7, 5, 3, 4)


def test_no_module_disappears():
    """Rows of different names are all there, in the network and in its cost."""
    row = InceptionRow("x", InceptionWidths(8, 8, 8, 8, 8, 8))
    rows = (Convolution("c", 3, 1, 16), MaxPool("p"), row, InceptionRow("y", row.widths))
    model = GoogLeNet(1, 10, rows=rows, aux=False, norm="none", image_size=28)
    costs = network_cost(rows, in_channels=1, num_classes=10, image_size=28)
    assert [*model.body, "linear"] == list(costs)
    assert sum(each.numel() for each in model.parameters()) == total(costs).parameters


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

    def forward(self, input):
        return self.activation(super().forward(input))


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


class OwnCode(nn.Module):
    """A model with one linear layer, ``layer``, and code of its own."""

    def __init__(self, code: Any, layer: nn.Module) -> None:
        super().__init__()
        self.code, self.layer = code, layer

    def forward(self, x):
        return self.code(self.layer, x)


@pytest.mark.parametrize("code, never_called", [
    (lambda layer, x: F.linear(x, layer.weight, layer.bias), "'layer'"),
    (lambda layer, x: layer.forward(x), "'layer'"),
    (lambda layer, x: F.linear(layer(x), layer.weight.t()), "none"),  # tied the other way round
    (lambda layer, x: torch.einsum("ni,oi->no", x, layer.weight), "'layer'"),
    (lambda layer, x: layer(x) @ torch.ones(6, 2), "none"),
], ids=["functional", "forward", "tied", "einsum", "product"])  # fmt: skip
def test_weights_that_work_outside_the_call_of_their_layer_are_no_free_lunch(code, never_called):
    model = OwnCode(code, nn.Linear(4, 6))
    message = f"^model must .*, but PyTorch counts .* never called: {never_called}$"
    with pytest.raises(ValueError, match=message):
        torchinfo_cost(model, (2, 4))


@pytest.mark.parametrize("build", [
    lambda plain: torch.ao.quantization.quantize_dynamic(plain, {nn.Linear}),
    lambda plain: torch.jit.freeze(torch.jit.script(plain.eval())),
    lambda plain: nn.Sequential(*plain, nn.LazyLinear(2)),
], ids=["quantised", "frozen script", "lazy"])  # fmt: skip
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_layer_whose_weights_are_hidden_or_unknown_is_named(build):
    model = build(nn.Sequential(nn.Linear(4, 6), nn.ReLU()))
    with pytest.raises(ValueError, match=r"^model must .*, but \w+ '\w*' (hides|waits)"):
        torchinfo_cost(model, (2, 4))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_a_network_costs_the_same_in_every_floating_point_type(dtype):
    size = (1, 1, 28, 28)
    assert torchinfo_cost(MiniGoogLeNet().to(dtype), size) == torchinfo_cost(MiniGoogLeNet(), size)


@pytest.mark.parametrize("code", [
    lambda layer, x: {"logits": layer(x)}, lambda layer, x: (layer(x), [x, None]),
])  # fmt: skip
def test_a_model_may_put_out_several_maps(code):
    assert torchinfo_cost(OwnCode(code, nn.Linear(4, 6)), (2, 4)) == torchinfo_cost(
        nn.Linear(4, 6), (2, 4)
    )


def test_a_model_that_keeps_a_map_or_prunes_its_weights_is_counted():
    layer: Any = nn.Linear(4, 6)
    expected = torchinfo_cost(layer, (2, 4))
    layer.last = layer(torch.zeros(1, 4))
    prune.l1_unstructured(layer, "weight", 0.5)
    assert torchinfo_cost(layer, (2, 4)) == expected
    assert layer.last.grad_fn is not None


class Changing(nn.Module):
    """Cannot be copied, and changes whatever it holds at every call."""

    def __init__(self):
        super().__init__()
        self.layer, self.lock, self.calls, self.seen = nn.Linear(4, 6), threading.Lock(), 0, []
        self.register_buffer("mean", torch.zeros(4))
        self.plain = torch.zeros(4)

    def forward(self, x):
        self.calls += 1
        self.seen.append(x)
        for kept in (*self.buffers(), self.plain, self.layer.bias.data):
            kept += 1
        return self.layer(x)


@pytest.mark.parametrize("around", [contextlib.nullcontext, torch.inference_mode])
def test_a_model_is_afterwards_as_it_was(around):
    model = Changing().train()
    bias = model.layer.bias.detach().clone()
    with around():
        assert torchinfo_cost(model, (2, 4)) == torchinfo_cost(nn.Linear(4, 6), (2, 4))
    assert model.calls == 0 and model.seen == []
    assert not any(kept.any() for kept in (*model.buffers(), model.plain))
    assert model.training and torch.equal(model.layer.bias, bias)
    model(torch.zeros(1, 4)).sum().backward()  # still learns


@pytest.mark.parametrize("bad", [None, nn.Linear, [nn.Linear(4, 4)]], ids=repr)
def test_what_is_no_network_is_refused(bad):
    refuses(torchinfo_cost, "model", bad, input_size=(1, 4))


def test_normalisations_and_activations_are_free():
    model = nn.Sequential(
        nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.GroupNorm(2, 4), nn.PReLU(4), nn.RMSNorm(5),
        nn.InstanceNorm2d(4, affine=True), nn.LayerNorm([4, 5, 5]),
    )  # fmt: skip
    assert torchinfo_cost(model, (1, 3, 5, 5)) == conv_cost(3, 4, 1, 5)


# --- tables ------------------------------------------------------------------------------


def test_stacked_naive_modules():
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
    assert frame.index.name == "module"


def test_compare_branches():
    frame = compare_branches(192, WIDTHS["3a"], 28)
    assert list(frame.index) == ["1x1", "3x3", "5x5", "pool", "module"]
    assert frame.index.name == "branch"
    assert list(frame.columns) == [
        "naive parameters", "reduced parameters", "naive multiply-adds", "reduced multiply-adds",
    ]  # fmt: skip
    assert frame.loc["module"].tolist() == [387_296, 163_696, 303_464_448, 128_049_152]
    assert (frame.loc["module"] == frame.drop(index="module").sum()).all()
    assert frame.loc["5x5"].tolist() == [
        25 * 192 * 32 + 32, 192 * 16 + 16 + 25 * 16 * 32 + 32,
        784 * 25 * 192 * 32, 784 * (192 * 16 + 25 * 16 * 32),
    ]  # fmt: skip


WITH_7X7 = REDUCED.variant("with 7x7", {"7x7": (Conv(7, "c5x5"),)})


@pytest.mark.parametrize("designs", [(NAIVE, WITH_7X7), (WITH_7X7, NAIVE)], ids=["last", "first"])
def test_a_branch_that_only_one_design_has(designs):
    frame = compare_branches(192, WIDTHS["3a"], 28, designs)
    assert list(frame.index) == ["1x1", "3x3", "5x5", "pool", "7x7", "module"]
    assert frame.loc["7x7"].to_dict() == {
        "naive parameters": 0, "naive multiply-adds": 0,
        "with 7x7 parameters": 49 * 192 * 32 + 32, "with 7x7 multiply-adds": 784 * 49 * 192 * 32,
    }  # fmt: skip
    assert (frame.loc["module"] == frame.drop(index="module").sum()).all()
    assert set(frame.dtypes) == {np.dtype("int64")}


def test_compare_modules_of_other_designs_rows_and_sizes():
    frame = compare_modules(MINI_ROWS, 28, (TORCHVISION,))
    assert list(frame.columns) == ["torchvision parameters", "torchvision multiply-adds"]
    of_3a = inception_cost(32, InceptionWidths(16, 16, 32, 8, 16, 16), 14, TORCHVISION)
    assert frame.loc["3a"].tolist() == [total(of_3a).parameters, total(of_3a).multiply_adds]


def test_compare_modules_gives_both_the_same_input():
    frame = compare_modules()
    assert list(frame.index) == [*(module.name for module in MODULES), "all"]
    assert frame.index.name == "module"
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
    assert frame.index.name == "row"
    printed = {name: row for name, row in PRINTED_ROWS.items() if row["params_printed"]}
    assert list(frame.index) == list(printed)
    assert frame["printed parameters"].tolist() == [
        row["params_printed"] for row in printed.values()
    ]
    assert frame["printed operations"].tolist() == [row["ops_printed"] for row in printed.values()]
    assert sum(frame["computed weights"]) == total(network_cost()).weights
    assert frame.loc["3a", "computed weights"] == 163_696 - (64 + 96 + 128 + 16 + 32 + 32)
    assert frame.loc["3a", "computed multiply-adds"] == 128_049_152


def test_a_table_as_text():
    frame = pandas.DataFrame(
        {"count": [1_234_567, 0], "fraction": [0.40123, 12345.6], "flag": [True, False]}
    )
    text = [["1,234,567", "0.401", "True"], ["0", "12,346", "False"]]
    assert format_table(frame).values.tolist() == text
    assert frame.loc[0, "count"] == 1_234_567  # the table itself is left alone


@pytest.mark.parametrize("value, expected", [
    (True, "True"), (np.bool_(False), "False"), (None, "None"),
    (999, "999"), (1000, "1,000"), (np.int64(-1000), "-1,000"),
    (0.0, "0"), (0.99951, "1"), (99.95, "100"), (9.996, "10"), (999.4, "999"), (999.5, "1,000"),
    (999.7, "1,000"), (-999.7, "-1,000"), (1000.4, "1,000"), (1234.5678, "1,235"),
    (999_999.7, "1,000,000"), (np.float64(999.7), "1,000"), (float("nan"), "nan"),
    (float("inf"), "inf"),
])  # fmt: skip
def test_values_as_text(value, expected):
    frame = pandas.DataFrame({"value": pandas.Series([value], dtype=object)})
    assert format_table(frame)["value"].tolist() == [expected]


# --- torchinfo leaves no trace -----------------------------------------------------------


@pytest.mark.parametrize("use", [torchinfo_layers, torchinfo_cost])
def test_torchinfo_leaves_the_model_and_the_random_numbers_alone_and_prints_nothing(use, capsys):
    model = frozen_in_part()
    before = snapshot(model)
    assert set(before["modes"].values()) == {True, False}
    use(model, (2, 1, 28, 28))
    assert snapshot(model) == before
    assert capsys.readouterr() == ("", "")


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
    free = by_name.loc["body.conv1.norm"].to_dict()
    assert [free[column] for column in ("weights", "biases", "multiply_adds")] == [0, 0, 0]
    assert free["bias_additions"] == 0


# --- refusals ----------------------------------------------------------------------------


@pytest.mark.parametrize("argument, bad", [
    ("in_channels", 0), ("out_channels", 0), ("kernel_size", 0), ("kernel_size", (3,)),
    ("output_size", 0), ("output_size", "3"),
])  # fmt: skip
def test_conv_cost_checks_every_number(argument, bad):
    sound: Any = {"in_channels": 1, "out_channels": 1, "kernel_size": 1, "output_size": 1}
    refuses(conv_cost, argument, bad, **sound)
    assert conv_cost(**sound) == Cost(1, 1, 1, 1)


def test_conv_cost_checks_both_sides_of_a_kernel():
    with pytest.raises(ValueError, match="^kernel_size must .* but it is 0$"):
        conv_cost(1, 1, (3, 0), 1)


@pytest.mark.parametrize("argument", ["in_features", "out_features"])
def test_linear_cost_checks_both_numbers(argument):
    sound: Any = {"in_features": 1, "out_features": 1}
    refuses(linear_cost, argument, 0, **sound)
    assert linear_cost(**sound) == Cost(1, 1, 1, 1)


@pytest.mark.parametrize("argument, bad", [
    ("in_channels", 0), ("widths", (64, 96)), ("size", 0), ("design", "naive"),
])  # fmt: skip
def test_inception_cost_checks_its_arguments(argument, bad):
    refuses(inception_cost, argument, bad, in_channels=192, widths=WIDTHS["3a"], size=28)


@pytest.mark.parametrize("argument, bad", [
    ("num_classes", 0), ("in_channels", 0), ("image_size", 0), ("aux", 1), ("design", Inception),
])  # fmt: skip
def test_network_cost_checks_its_arguments(argument, bad):
    refuses(network_cost, argument, bad)


@pytest.mark.parametrize("options, message", [
    ({"image_size": 30}, r"^image_size 30 is too small.*\(at least 31\)$"),
    ({"image_size": 64, "aux": True}, "^image_size 64 is too small .* at least 79, or aux=False$"),
    ({"rows": MINI_ROWS, "aux": True}, "^aux=True needs the modules 4a and 4d among rows"),
])  # fmt: skip
def test_an_image_too_small_for_the_rows_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        network_cost(**options)


@pytest.mark.parametrize("designs", [(), (NAIVE, NAIVE), (NAIVE, "reduced"), NAIVE], ids=str)
@pytest.mark.parametrize("table", [
    compare_modules, lambda designs: compare_branches(192, WIDTHS["3a"], 28, designs),
])  # fmt: skip
def test_tables_compare_designs_of_different_names(table, designs):
    with pytest.raises(ValueError, match="^designs must .*, but it (is|holds) "):
        table(designs=designs)


@pytest.mark.parametrize("bad", [28, (), "28", None], ids=repr)
def test_the_shape_of_a_batch_is_a_tuple(bad):
    refuses(torchinfo_layers, "input_size", bad, model=nn.ReLU())


@pytest.mark.parametrize("bad, came", [((1, 0), "0"), ((1, 2.5), "2.5")])
def test_every_side_of_a_batch_is_checked(bad, came):
    with pytest.raises(ValueError, match=rf"^input_size\[1\] must .* but it is {came}$"):
        torchinfo_cost(nn.ReLU(), bad)


def test_a_batch_that_the_model_does_not_take_is_refused_in_the_models_words():
    model = on_meta(MiniGoogLeNet)
    message = r"^input_size must .* with \(1, 3, 28, 28\) it stops: images must have the shape"
    with pytest.raises(ValueError, match=message):
        torchinfo_cost(model, (1, 3, 28, 28))


# --- numbers out of a table --------------------------------------------------------------


def test_a_naive_module_costs_the_same_whatever_the_widths_it_does_not_use():
    widths = InceptionWidths(64, 1, 128, 1, 32, 1)
    of_3a = inception_cost(192, WIDTHS["3a"], 28, NAIVE)
    assert inception_cost(192, widths, 28, NAIVE) == of_3a


def test_numbers_out_of_a_table_are_taken_and_become_plain():
    channels: Any = stacked_naive_costs().loc["3a", "out_channels"]
    large: Any = np.int32(70_000)
    small: Any = np.array([2, 3, 200], dtype=np.uint8)
    batch: Any = (np.int64(2), np.int64(8))
    of_3b = total(inception_cost(416, WIDTHS["3b"], 200))
    for found, expected in (
        (conv_cost(channels, *small), conv_cost(416, 2, 3, 200)),
        (linear_cost(large, large), linear_cost(70_000, 70_000)),
        (total(inception_cost(channels, WIDTHS["3b"], small[2])), of_3b),
        (torchinfo_cost(nn.Linear(8, 4), batch), torchinfo_cost(nn.Linear(8, 4), (2, 8))),
    ):
        assert found == expected
        assert {type(number) for number in vars(found).values()} == {int}
    assert linear_cost(large, large).weights == 4_900_000_000  # no overflow
    assert branch_convolutions(channels, WIDTHS["3a"], NAIVE)["1x1"] == [(416, 64, 1)]
