"""Tests of gnet_lib.googlenet, and of the notes' network.

Truth from outside: the printed table, hand formulas, the same networks written again
with torch's functions alone, torch's autograd graph, and torchvision's GoogLeNet.
"""

import re
from typing import Any

import by_hand
import numpy as np
import pytest
import torch
import torchvision
from conftest import parameters_of
from printed_table import MODULES, PRINTED_ROWS, WORKING_NAMES
from probes import leaves_at_work, on_meta, randomise_normalisation, refuses
from torch import nn
from torch.nn import functional as F

from gnet_lib.cost import network_cost, torchinfo_cost
from gnet_lib.googlenet import (
    DEEP_ROWS,
    MINI_ROWS,
    AuxiliaryHead,
    GoogLeNet,
    GoogLeNetOutputs,
    MiniGoogLeNet,
)
from gnet_lib.inception import Inception, LinearInception, NaiveInception
from gnet_lib.paper import Convolution, InceptionRow, InceptionWidths, MaxPool
from gnet_lib.shapes import layer_shapes
from gnet_lib.variants import NotesInception, notes_variant

WITH_HEADS = 80  # pixels: the smallest round size at which the heads can be built
POOL_BEHIND = ("3b", "4e")
MINI_WIDTHS = {
    "3a": (16, 16, 32, 8, 16, 16), "3b": (24, 24, 48, 8, 24, 24),
    "4a": (48, 48, 96, 16, 32, 32), "4b": (64, 64, 128, 16, 48, 48),
}  # fmt: skip


@pytest.fixture(autouse=True)
def fixed_random_numbers():
    torch.manual_seed(0)


def shapes_behind(layers: dict[str, nn.Module], model: nn.Module, x: torch.Tensor) -> dict:
    """Name of a layer -> the shape of what it puts out."""
    shapes = {}
    for name, layer in layers.items():

        def note(_layer: nn.Module, _inputs: Any, output: Any, name: str = name) -> None:
            shapes[name] = tuple(output.shape)

        layer.register_forward_hook(note)
    with torch.no_grad():
        model(x)
    return shapes


def keep_the_signal(model: nn.Module) -> None:
    """Weights under which the images still matter behind 22 layers without normalisation."""
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)
            if layer.bias is not None:
                nn.init.uniform_(layer.bias, -0.1, 0.1)


# --- parameters --------------------------------------------------------------------------


def conv_parameters(in_channels: int, out_channels: int, side: int) -> int:
    return (side * side * in_channels + 1) * out_channels  # + 1: the bias


def module_parameters(in_channels: int, w: InceptionWidths) -> int:
    return (
        conv_parameters(in_channels, w.c1x1, 1)
        + conv_parameters(in_channels, w.c3x3_reduce, 1)
        + conv_parameters(w.c3x3_reduce, w.c3x3, 3)
        + conv_parameters(in_channels, w.c5x5_reduce, 1)
        + conv_parameters(w.c5x5_reduce, w.c5x5, 5)
        + conv_parameters(in_channels, w.pool_proj, 1)
    )


def head_parameters(in_channels: int) -> int:
    # 14x14 pooled 5x5 with stride 3 is 4x4
    return conv_parameters(in_channels, 128, 1) + (4 * 4 * 128 + 1) * 1024 + (1024 + 1) * 1000


def parameters_by_hand() -> dict[str, int]:
    rows = {"conv1": conv_parameters(3, 64, 7)}
    rows["conv2"] = conv_parameters(64, 64, 1) + conv_parameters(64, 192, 3)
    rows |= {
        module.name: module_parameters(module.in_channels, module.widths) for module in MODULES
    }
    rows["linear"] = (1024 + 1) * 1000
    return rows


@pytest.mark.parametrize("norm", ["lrn", "none"])
def test_parameters_row_by_row(norm):
    model = on_meta(lambda: GoogLeNet(norm=norm))
    expected = parameters_by_hand()
    linear = expected.pop("linear")
    counted = {
        name: parameters_of(layer) for name, layer in model.body.items() if parameters_of(layer)
    }
    assert counted == expected
    assert parameters_of(model.fc) == linear
    assert {name: parameters_of(head) for name, head in model.heads.items()} == {
        "4a": head_parameters(512), "4d": head_parameters(528),
    }  # fmt: skip


def test_parameters_of_the_whole():
    assert sum(parameters_by_hand().values()) == 6_998_552
    assert parameters_of(on_meta(lambda: GoogLeNet(aux=False))) == 6_998_552
    with_heads = 6_998_552 + head_parameters(512) + head_parameters(528)
    assert parameters_of(on_meta(GoogLeNet)) == with_heads == 13_378_280


def test_parameters_of_the_notes_network():
    """Everything of the paper's but the 1x1 convolution in front of conv2."""
    notes = on_meta(lambda: notes_variant(in_channels=3, num_classes=1000))
    assert parameters_of(notes) == 6_998_552 - conv_parameters(64, 64, 1)
    assert isinstance(notes.body["conv2"].conv, nn.Conv2d)
    assert notes.body["conv2"].conv.kernel_size == (3, 3)


def test_batch_norm_trades_each_bias_for_a_scale_and_a_shift():
    model = on_meta(lambda: GoogLeNet(aux=False, norm="batch"))
    outputs = sum(layer.out_channels for layer in model.modules() if isinstance(layer, nn.Conv2d))
    assert parameters_of(model) == 6_998_552 + outputs


# --- the networks written again ----------------------------------------------------------


def network_by_hand(weights, images, *, paper: bool) -> torch.Tensor:
    """The paper's network, or the notes' (without normalisation), from its weights in order."""
    take = iter(weights)

    def conv(x, out_channels, side, stride=1):
        weight, bias = next(take), next(take)
        assert weight.shape == (out_channels, x.shape[1], side, side)
        return F.relu(F.conv2d(x, weight, bias, stride=stride, padding=side // 2))

    def halve(x):
        if paper:
            return F.max_pool2d(x, 3, stride=2, ceil_mode=True)
        return F.max_pool2d(x, 3, stride=2, padding=1)

    def normalise(x):
        return F.local_response_norm(x, 5, alpha=0.0001, beta=0.75, k=1.0) if paper else x

    x = normalise(halve(conv(images, 64, 7, stride=2)))
    if paper:
        x = conv(x, 64, 1)
    x = halve(normalise(conv(x, 192, 3)))
    for name, _, _, w, _ in MODULES:
        one = conv(x, w.c1x1, 1)
        three = conv(conv(x, w.c3x3_reduce, 1), w.c3x3, 3)
        five = conv(conv(x, w.c5x5_reduce, 1), w.c5x5, 5)
        pool = conv(F.max_pool2d(x, 3, stride=1, padding=1), w.pool_proj, 1)
        x = torch.cat([one, three, five, pool] if paper else [pool, five, three, one], dim=1)
        if name in POOL_BEHIND:
            x = halve(x)
    logits = F.linear(x.mean(dim=(2, 3)), next(take), next(take))
    assert next(take, None) is None
    return logits


@pytest.mark.parametrize("size", [(64, 64), (97, 75)], ids=str)
def test_paper_network_computes_what_torch_functions_compute(size):
    model: Any = GoogLeNet(aux=False, num_classes=7).eval()
    keep_the_signal(model)
    images = 100 * torch.randn(2, 3, *size)  # large enough for the normalisation to matter
    with torch.no_grad():
        expected = network_by_hand(model.parameters(), images, paper=True)
        torch.testing.assert_close(model(images), expected)
    assert (expected[0] - expected[1]).abs().max() > 0.01


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("size", [(64, 64), (97, 75)], ids=str)
def test_notes_network_computes_what_torch_functions_compute(size, training):
    model = notes_variant(1, 10).train(training)
    keep_the_signal(model)
    images = torch.randn(2, 1, *size)
    with torch.no_grad():
        expected = network_by_hand(model.parameters(), images, paper=False)
        torch.testing.assert_close(model(images), expected)
    assert (expected[0] - expected[1]).abs().max() > 0.01


def test_head_computes_what_torch_functions_compute():
    head: Any = AuxiliaryHead(512, 14, 10).eval()
    x = torch.randn(2, 512, 14, 14)
    pooled = F.avg_pool2d(x, 5, stride=3)
    assert pooled.shape[2:] == (4, 4)
    hidden = F.relu(F.conv2d(pooled, head.conv.conv.weight, head.conv.conv.bias)).flatten(1)
    hidden = F.relu(F.linear(hidden, head.fc1.weight, head.fc1.bias))
    torch.testing.assert_close(head(x), F.linear(hidden, head.fc2.weight, head.fc2.bias))


# --- the same weights after the same seed ------------------------------------------------


def same_weights(ours: nn.Module, theirs: nn.Module) -> None:
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for name, weight in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[name], weight), name


def googlenet_by_hand(classes: int, batch_norm: bool) -> nn.Module:
    """The layers that have weights, in the order in which the library builds them."""
    body: dict[str, nn.Module] = {
        "conv1": by_hand.unit(3, 64, 7, batch_norm),
        "conv2": by_hand.chain(
            reduce=by_hand.unit(64, 64, 1, batch_norm), conv=by_hand.unit(64, 192, 3, batch_norm)
        ),
    }
    for name, in_channels, _, widths, _ in MODULES:
        body[name] = by_hand.reduced(in_channels, widths, batch_norm)
    heads = {
        name: by_hand.chain(
            conv=by_hand.unit(in_channels, 128, 1, batch_norm),
            fc1=nn.Linear(128, 1024),
            fc2=nn.Linear(1024, classes),
        )
        for name, in_channels in (("4a", 512), ("4d", 528))
    }
    parts = {"body": nn.ModuleDict(body), "heads": nn.ModuleDict(heads)}
    return nn.ModuleDict({**parts, "fc": nn.Linear(1024, classes)})


@pytest.mark.parametrize("norm", ["lrn", "batch"])
def test_googlenet_starts_with_the_weights_of_one_written_out_by_hand(norm):
    torch.manual_seed(4)
    ours = GoogLeNet(num_classes=5, norm=norm, image_size=WITH_HEADS)
    torch.manual_seed(4)
    same_weights(ours, googlenet_by_hand(5, batch_norm=norm == "batch"))


@pytest.mark.parametrize("module", [Inception, NaiveInception])
def test_mini_starts_with_the_weights_of_one_written_out_by_hand(module):
    torch.manual_seed(4)
    ours = MiniGoogLeNet(module=module)
    torch.manual_seed(4)
    body: dict[str, nn.Module] = {"conv1": by_hand.unit(1, 32, 3, batch_norm=True)}
    channels = 32
    for name, numbers in MINI_WIDTHS.items():
        w = InceptionWidths(*numbers)
        build = by_hand.naive if module is NaiveInception else by_hand.reduced
        body[name] = build(channels, w, True)
        channels = (
            w.c1x1 + w.c3x3 + w.c5x5 + (channels if module is NaiveInception else w.pool_proj)
        )
    same_weights(ours, nn.ModuleDict({"body": nn.ModuleDict(body), "fc": nn.Linear(channels, 10)}))


# --- against torchvision -----------------------------------------------------------------


def torchvision_googlenet() -> Any:
    return torchvision.models.googlenet(weights=None, aux_logits=False, init_weights=False)


# Our row -> torchvision's layers. Its conv2 is the paper's 1x1 reduction, its conv3 the 3x3.
THEIR_LAYERS = {
    "conv1": ["conv1"], "pool1": ["maxpool1"], "conv2": ["conv2", "conv3"], "pool2": ["maxpool2"],
    "3a": ["inception3a"], "3b": ["inception3b"], "pool3": ["maxpool3"],
    "4a": ["inception4a"], "4b": ["inception4b"], "4c": ["inception4c"], "4d": ["inception4d"],
    "4e": ["inception4e"], "pool4": ["maxpool4"], "5a": ["inception5a"], "5b": ["inception5b"],
}  # fmt: skip


def test_shapes_are_those_of_torchvision():
    ours, theirs = (
        on_meta(lambda: GoogLeNet(aux=False)).eval(),
        on_meta(torchvision_googlenet).eval(),
    )
    images = torch.zeros(2, 3, 224, 224, device="meta")
    our_shapes = shapes_behind({name: ours.body[name] for name in THEIR_LAYERS}, ours, images)
    their_shapes = shapes_behind(
        {name: getattr(theirs, layers[-1]) for name, layers in THEIR_LAYERS.items()}, theirs, images
    )
    assert our_shapes == their_shapes
    assert {name: shape[1:3] for name, shape in our_shapes.items()} == {
        name: (int(row["output_c"]), int(row["output_h"]))
        for name, row in PRINTED_ROWS.items()
        if name in WORKING_NAMES
    }


def test_the_network_is_torchvisions_once_its_two_differences_are_undone():
    """torchvision has 3x3 kernels where the paper has 5x5, and a last pooling of 2x2."""
    theirs = torchvision_googlenet()
    for layers in THEIR_LAYERS.values():
        branch = getattr(getattr(theirs, layers[0]), "branch3", None)
        if branch is not None:
            three = branch[1].conv
            assert three.kernel_size == (3, 3)
            branch[1].conv = nn.Conv2d(
                three.in_channels, three.out_channels, 5, padding=2, bias=False
            )
    assert theirs.maxpool4.kernel_size == 2
    theirs.maxpool4 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
    ours = GoogLeNet(aux=False, norm="batch")
    for layer in theirs.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.eps = 1e-5
    keep_the_signal(theirs)
    randomise_normalisation(theirs)
    state = zip(ours.state_dict(), theirs.state_dict().values(), strict=True)
    ours.load_state_dict(dict(state))
    images = torch.randn(2, 3, 96, 96)
    with torch.no_grad():
        expected = theirs.eval()(images)
        torch.testing.assert_close(ours.eval()(images), expected, rtol=1e-3, atol=1e-3)
    assert (expected[0] - expected[1]).abs().max() > 0.1


# --- depth -------------------------------------------------------------------------------


def longest_chain_of_weights(output: torch.Tensor) -> int:
    """The most convolutions and linear layers that autograd's graph has in one line."""
    counted = {}

    def depth(node) -> int:
        if node is None:
            return 0
        if node not in counted:
            here = node.name().startswith(("ConvolutionBackward", "AddmmBackward"))
            counted[node] = here + max(
                (depth(below) for below, _ in node.next_functions), default=0
            )
        return counted[node]

    return depth(output.grad_fn)


def test_depth_is_22():
    images = torch.zeros(1, 3, 64, 64)
    assert longest_chain_of_weights(GoogLeNet(aux=False, num_classes=2)(images)) == 22
    assert longest_chain_of_weights(notes_variant(in_channels=3)(images)) == 21


def test_57_convolutions_and_one_linear_layer():
    layers = leaves_at_work(GoogLeNet(aux=False), torch.zeros(1, 3, 64, 64))
    assert sum(isinstance(layer, nn.Conv2d) for layer in layers) == 3 + 9 * 6
    assert sum(isinstance(layer, nn.Linear) for layer in layers) == 1


# --- stem, normalisation, dropout --------------------------------------------------------


def test_order_of_the_stem_and_of_the_end():
    layers = leaves_at_work(GoogLeNet(aux=False), torch.zeros(1, 3, 64, 64))
    described = [
        f"{type(layer).__name__} {getattr(layer, 'kernel_size', '')}".replace("(7, 7)", "7")
        .replace("(3, 3)", "3").replace("(1, 1)", "1").strip()
        for layer in layers
    ]  # fmt: skip
    assert described[:10] == [
        "Conv2d 7", "ReLU", "MaxPool2d 3", "LocalResponseNorm",
        "Conv2d 1", "ReLU", "Conv2d 3", "ReLU", "LocalResponseNorm", "MaxPool2d 3",
    ]  # fmt: skip
    assert described[-3:] == ["AdaptiveAvgPool2d", "Dropout", "Linear"]
    assert "LocalResponseNorm" not in described[10:]


@pytest.mark.parametrize("norm, normalisations", [("lrn", 2), ("batch", 57), ("none", 0)])
def test_norm(norm, normalisations):
    model = on_meta(lambda: GoogLeNet(aux=False, norm=norm))
    wanted = nn.BatchNorm2d if norm == "batch" else nn.LocalResponseNorm
    found = [m for m in model.modules() if isinstance(m, (nn.BatchNorm2d, nn.LocalResponseNorm))]
    assert len(found) == normalisations
    assert all(isinstance(layer, wanted) for layer in found)
    convolutions = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d)]
    assert all((conv.bias is None) == (norm == "batch") for conv in convolutions)


def test_norm_reaches_the_heads():
    heads = on_meta(lambda: GoogLeNet(norm="batch")).heads
    assert [type(layer).__name__ for layer in heads["4a"].conv] == ["Conv2d", "BatchNorm2d", "ReLU"]


def test_dropout_stands_in_front_of_the_last_linear_layers():
    model: Any = GoogLeNet(num_classes=3, image_size=WITH_HEADS)
    assert model.dropout.p == 0.4
    for head in model.heads.values():
        assert head.dropout.p == 0.7
        # Of the map that a head of this image size reads, 5x5 pixels, one is left.
        x = torch.zeros(1, head.conv.conv.in_channels, 5, 5)
        assert [type(layer).__name__ for layer in leaves_at_work(head, x)] == [
            "AvgPool2d", "Conv2d", "ReLU", "Linear", "ReLU", "Dropout", "Linear",
        ]  # fmt: skip
    assert sum(isinstance(layer, nn.Dropout) for layer in model.modules()) == 3
    assert GoogLeNet(aux=False, num_classes=2, dropout=0.2).dropout.p == 0.2
    assert notes_variant().dropout.p == 0.0
    assert MiniGoogLeNet(dropout=0.3).dropout.p == 0.3


def test_dropout_acts_in_training_only():
    model = MiniGoogLeNet(dropout=0.5)
    images = torch.randn(8, 1, 28, 28)
    assert not torch.equal(model.train()(images), model(images))
    assert torch.equal(model.eval()(images), model(images))


# --- the auxiliary heads -----------------------------------------------------------------


@pytest.fixture(scope="module")
def network_with_heads():
    return GoogLeNet(num_classes=5, image_size=WITH_HEADS, norm="none")


def test_heads_answer_in_training_only(network_with_heads):
    images = torch.zeros(2, 3, WITH_HEADS, WITH_HEADS)
    with torch.no_grad():
        outputs = network_with_heads.train()(images)
        assert isinstance(outputs, GoogLeNetOutputs)
        assert outputs._fields == ("logits", "aux_4a", "aux_4d")
        assert [tuple(logits.shape) for logits in outputs] == [(2, 5)] * 3
        logits = network_with_heads.eval()(images)
        assert type(logits) is torch.Tensor and logits.shape == (2, 5)
    without = on_meta(lambda: GoogLeNet(aux=False, num_classes=5)).train()
    assert type(without(images.to("meta"))) is torch.Tensor


def test_heads_do_no_work_in_evaluation(network_with_heads):
    at_work = leaves_at_work(network_with_heads.eval(), torch.zeros(1, 3, WITH_HEADS, WITH_HEADS))
    of_heads = set(network_with_heads.heads.modules())
    assert of_heads and not of_heads.intersection(at_work)


@pytest.mark.parametrize("output, last", [("aux_4a", "4a"), ("aux_4d", "4d"), ("logits", "5b")])
def test_a_head_reads_its_module_and_nothing_later(network_with_heads, output, last):
    """The gradient of a head's answer reaches the module that it reads, and none behind it."""
    model = network_with_heads.train()
    model.zero_grad(set_to_none=True)
    getattr(model(torch.rand(2, 3, WITH_HEADS, WITH_HEADS)), output).sum().backward()
    names = [name for name, layer in model.body.items() if parameters_of(layer)]
    reached = [
        name for name in names
        if any(p.grad is not None and p.grad.abs().max() > 0 for p in model.body[name].parameters())
    ]  # fmt: skip
    assert reached == names[: names.index(last) + 1]
    heads = {name for name, head in model.heads.items() if head.fc2.weight.grad is not None}
    assert heads == ({last} if output != "logits" else set())


def test_heads_of_the_paper_read_14x14():
    heads = on_meta(GoogLeNet).heads
    assert list(heads) == ["4a", "4d"]
    assert [head.conv.conv.in_channels for head in heads.values()] == [512, 528]
    assert [head.fc1.in_features for head in heads.values()] == [128 * 4 * 4] * 2
    assert [head.fc2.out_features for head in heads.values()] == [1000] * 2


@pytest.mark.parametrize("image_size", [79, 111, 224])
def test_heads_fit_their_image_size(image_size):
    model = on_meta(lambda: GoogLeNet(num_classes=4, image_size=image_size)).train()
    outputs = model(torch.zeros(2, 3, image_size, image_size, device="meta"))
    assert [tuple(logits.shape) for logits in outputs] == [(2, 4)] * 3


@pytest.mark.parametrize("norm", ["lrn", "batch", "none"])
def test_gradient_reaches_every_parameter(norm):
    model = GoogLeNet(num_classes=5, image_size=WITH_HEADS, norm=norm, dropout=0.0)
    outputs = model(torch.randn(4, 3, WITH_HEADS, WITH_HEADS))
    torch.stack([logits.square().sum() for logits in outputs]).sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


# --- what it takes -----------------------------------------------------------------------


def test_without_heads_any_size_will_do_and_evaluation_takes_any_with_heads():
    without = on_meta(lambda: GoogLeNet(aux=False, num_classes=2)).train()
    assert without(torch.zeros(1, 3, 31, 50, device="meta")).shape == (1, 2)
    model = on_meta(lambda: GoogLeNet(num_classes=2, image_size=WITH_HEADS)).eval()
    assert model(torch.zeros(1, 3, 64, 100, device="meta")).shape == (1, 2)
    assert (model.smallest_image_size, model.image_size, model.in_channels) == (31, WITH_HEADS, 3)


@pytest.mark.parametrize("in_channels, num_classes", [(1, 10), (4, 2)])
def test_channels_and_classes(in_channels, num_classes):
    model = on_meta(lambda: GoogLeNet(in_channels, num_classes, aux=False))
    assert model.body["conv1"].conv.in_channels == in_channels
    assert model(torch.zeros(2, in_channels, 64, 64, device="meta")).shape == (2, num_classes)


def test_naive_twin_widens_with_every_module():
    model = on_meta(lambda: GoogLeNet(aux=False, module=NaiveInception))
    channels = 192
    for module in MODULES:
        built = model.body[module.name]
        assert isinstance(built, NaiveInception)
        assert built.in_channels == channels
        channels += module.widths.c1x1 + module.widths.c3x3 + module.widths.c5x5
    assert model.fc.in_features == channels == 4944
    assert model(torch.zeros(1, 3, 64, 64, device="meta")).shape == (1, 1000)


@pytest.mark.parametrize("build, size", [
    (lambda: GoogLeNet(num_classes=3, image_size=WITH_HEADS, dropout=0.0), WITH_HEADS),
    (MiniGoogLeNet, 28),
], ids=["googlenet", "mini"])  # fmt: skip
def test_channels_last_gives_the_same_answers(build, size):
    model = build().eval()
    keep_the_signal(model)
    images = torch.randn(2, model.in_channels, size, size)
    with torch.no_grad():
        expected = model(images)
        model = model.to(memory_format=torch.channels_last)
        found = model(images.to(memory_format=torch.channels_last))
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("build, size", [
    (lambda: GoogLeNet(num_classes=3, image_size=WITH_HEADS), WITH_HEADS),
    (notes_variant, 64),
    (lambda: MiniGoogLeNet(module=NaiveInception), 28),
], ids=["googlenet", "notes", "naive mini"])  # fmt: skip
def test_state_dict_round_trip(build, size, tmp_path):
    model, other = build().eval(), build().eval()
    randomise_normalisation(model)
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    other.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    images = torch.randn(1, model.in_channels, size, size)
    with torch.no_grad():
        assert torch.equal(model(images), other(images))


# --- the small sibling -------------------------------------------------------------------


def nearest(number: float) -> int:
    """The nearest whole number (of those used here none lies in the middle)."""
    assert number % 1 != 0.5
    return int(number + 0.5)


def test_mini_rows_by_hand():
    assert (
        Convolution("conv1", kernel_size=3, stride=1, out_channels=32),
        MaxPool("pool1"),
        *(InceptionRow(name, InceptionWidths(*MINI_WIDTHS[name])) for name in ("3a", "3b")),
        MaxPool("pool3"),
        *(InceptionRow(name, InceptionWidths(*MINI_WIDTHS[name])) for name in ("4a", "4b")),
    ) == MINI_ROWS


@pytest.mark.parametrize("module, channels", [
    (Inception, {"3a": 80, "3b": 120, "4a": 208, "4b": 288}),
    (NaiveInception, {"3a": 96, "3b": 192, "4a": 368, "4b": 608}),
])  # fmt: skip
def test_mini_shapes(module, channels):
    model = on_meta(lambda: MiniGoogLeNet(module=module)).eval()
    images = torch.zeros(2, 1, 28, 28, device="meta")
    shapes = shapes_behind(dict(model.body), model, images)
    assert shapes == {
        "conv1": (2, 32, 28, 28),
        "pool1": (2, 32, 14, 14),
        "3a": (2, channels["3a"], 14, 14),
        "3b": (2, channels["3b"], 14, 14),
        "pool3": (2, channels["3b"], 7, 7),
        "4a": (2, channels["4a"], 7, 7),
        "4b": (2, channels["4b"], 7, 7),
    }
    assert model(images).shape == (2, 10)
    assert model.image_size == 28
    layers = layer_shapes(MINI_ROWS, 1, 28, module.design)
    assert {layer.row.name: layer.out_channels for layer in layers} == {
        name: shape[1] for name, shape in shapes.items()
    }


def mini_parameters(naive: bool, width: float = 1) -> int:
    """By hand: no biases in convolutions, a scale and a shift for each of their outputs."""

    def conv(in_channels, out_channels, side):
        return side * side * in_channels * out_channels + 2 * out_channels

    channels = nearest(32 * width)
    whole = conv(1, channels, 3)
    for widths in MINI_WIDTHS.values():
        one, reduce3, three, reduce5, five, project = (nearest(width * each) for each in widths)
        whole += conv(channels, one, 1)
        if naive:
            whole += conv(channels, three, 3) + conv(channels, five, 5)
            channels = one + three + five + channels
        else:
            whole += conv(channels, reduce3, 1) + conv(reduce3, three, 3)
            whole += (
                conv(channels, reduce5, 1) + conv(reduce5, five, 5) + conv(channels, project, 1)
            )
            channels = one + three + five + project
    return whole + (channels + 1) * 10


@pytest.mark.parametrize("module", [Inception, NaiveInception])
def test_mini_parameters_by_hand(module):
    model = on_meta(lambda: MiniGoogLeNet(module=module))
    assert parameters_of(model) == mini_parameters(module is NaiveInception)


def mini_multiply_adds(naive: bool, width: float) -> int:
    """By hand: the stem sees 28x28 pixels, two modules 14x14, the other two 7x7."""
    channels = nearest(32 * width)
    whole = 28 * 28 * 3 * 3 * 1 * channels
    for pixels, widths in zip((14 * 14, 14 * 14, 7 * 7, 7 * 7), MINI_WIDTHS.values(), strict=True):
        one, reduce3, three, reduce5, five, project = (nearest(width * each) for each in widths)
        whole += pixels * channels * one
        if naive:
            whole += pixels * channels * (9 * three + 25 * five)
            channels = one + three + five + channels
        else:
            whole += pixels * channels * (reduce3 + reduce5 + project)
            whole += pixels * (9 * reduce3 * three + 25 * reduce5 * five)
            channels = one + three + five + project
    return whole + 10 * channels


@pytest.mark.parametrize("module", [Inception, NaiveInception])
@pytest.mark.parametrize("width", [0.25, 0.42, 1, 1.75, 2])
def test_mini_of_another_width_by_hand(width, module):
    model, naive = (
        on_meta(lambda: MiniGoogLeNet(module=module, width=width)),
        module is NaiveInception,
    )
    assert parameters_of(model) == mini_parameters(naive, width)
    assert torchinfo_cost(model, (1, 1, 28, 28)).multiply_adds == mini_multiply_adds(naive, width)


def test_twice_the_width_is_almost_four_times_the_parameters():
    doubled = mini_parameters(naive=False, width=2) / mini_parameters(naive=False)
    assert 3.9 < doubled < 4  # batch normalisation and the last layer grow by 2 only


def test_the_linear_mini_costs_the_same_and_answers_otherwise():
    models = []
    for module in (Inception, LinearInception):
        torch.manual_seed(3)
        models.append(MiniGoogLeNet(module=module).eval())
    usual, linear = models
    assert parameters_of(linear) == parameters_of(usual) == mini_parameters(naive=False)
    assert torchinfo_cost(linear, (1, 1, 28, 28)) == torchinfo_cost(usual, (1, 1, 28, 28))
    relus = [sum(isinstance(layer, nn.ReLU) for layer in model.modules()) for model in models]
    assert relus == [1 + 4 * 6, 1 + 4 * 4]
    for model in models:
        randomise_normalisation(model)
    linear.load_state_dict(usual.state_dict())
    images = torch.randn(2, 1, 28, 28)
    with torch.no_grad():
        assert (usual(images) - linear(images)).abs().max() > 1e-3


@pytest.mark.parametrize("module", [Inception, NaiveInception, LinearInception])
def test_mini_gradient_reaches_every_parameter(module):
    model = MiniGoogLeNet(module=module)
    F.cross_entropy(model(torch.randn(16, 1, 28, 28)), torch.arange(16) % 10).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


# --- the whole depth for small images ----------------------------------------------------


def deep_network(**options: Any) -> Any:
    return GoogLeNet(1, 10, rows=DEEP_ROWS, image_size=28, **options)


def test_deep_rows_are_the_printed_ones_divided_by_eight():
    by_name = {row.name: row for row in DEEP_ROWS}
    assert list(by_name) == [name for name in WORKING_NAMES if name != "pool2"]
    for name, _, _, widths, _ in MODULES:
        eighth = InceptionWidths(*(width // 8 for width in vars(widths).values()))
        assert by_name[name] == InceptionRow(name, eighth)
    assert by_name["conv1"] == Convolution("conv1", kernel_size=7, stride=1, out_channels=8)
    assert by_name["conv2"] == Convolution("conv2", 3, stride=1, out_channels=24, reduce=8)
    assert [by_name[name] for name in ("pool1", "pool3", "pool4")] == [
        MaxPool(name) for name in ("pool1", "pool3", "pool4")
    ]


def test_deep_shapes():
    """Maps of 14, 7 and 3 pixels; every channel count is an eighth of the printed one."""
    model = on_meta(lambda: deep_network(aux=False))
    shapes = shapes_behind(dict(model.body), model, torch.zeros(2, 1, 28, 28, device="meta"))
    sizes = {"3": 14, "4": 7, "5": 3}
    for printed in MODULES:
        size = sizes[printed.name[0]]
        assert shapes[printed.name] == (2, printed.out_channels // 8, size, size)
    assert shapes["conv1"] == (2, 8, 28, 28)
    assert shapes["conv2"] == (2, 24, 14, 14)


@pytest.mark.parametrize("norm", ["lrn", "batch", "none"])
def test_deep_network_has_both_heads(norm):
    model = on_meta(lambda: deep_network(norm=norm))
    images = torch.zeros(2, 1, 28, 28, device="meta")
    outputs = model(images)
    assert isinstance(outputs, GoogLeNetOutputs)
    assert [tuple(each.shape) for each in outputs] == [(2, 10)] * 3
    assert [head.conv.conv.in_channels for head in model.heads.values()] == [512 // 8, 528 // 8]
    # A map of 7x7 leaves one window of 5x5, so a head's first linear layer reads 128 numbers.
    assert [head.fc1.in_features for head in model.heads.values()] == [128, 128]
    assert model.eval()(images).shape == (2, 10)


def test_deep_network_is_as_deep_as_the_papers():
    """22 layers with weights one behind the other."""
    model = deep_network(aux=False, norm="none").eval()
    assert longest_chain_of_weights(model(torch.zeros(1, 1, 28, 28))) == 22


# --- refusals ----------------------------------------------------------------------------


@pytest.mark.parametrize("argument, bad", [
    ("num_classes", 0), ("in_channels", 0), ("image_size", 0), ("aux", 1), ("norm", "layer"),
    ("norm", None), ("module", nn.Conv2d), ("module", "naive"), ("dropout", 1.0),
])  # fmt: skip
def test_arguments_are_checked(argument, bad):
    refuses(lambda **given: on_meta(lambda: GoogLeNet(**given)), argument, bad)


@pytest.mark.parametrize("bad", [1, -0.1, float("nan"), "0.4", None, False], ids=repr)
def test_dropout_is_at_least_0_and_below_1(bad):
    refuses(MiniGoogLeNet, "dropout", bad, allowed="a finite number of at least 0 and below 1")
    assert [MiniGoogLeNet(dropout=p).dropout.p for p in (0, 0.999)] == [0, 0.999]


@pytest.mark.parametrize("options, message", [
    ({"image_size": 78}, "^image_size 78 .*5x5 average pooling .* 5x5 behind 4a and 4d; .* 79, or"),
    ({"image_size": 20}, "^image_size 20 .* at least 79, or aux=False$"),
    ({"image_size": 30, "aux": False}, r"^image_size 30 is too small.*at least 31\)$"),
    ({"rows": MINI_ROWS}, "^aux=True needs the modules 4a and 4d among rows"),
])  # fmt: skip
def test_an_image_size_too_small_for_the_rows_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        on_meta(lambda: GoogLeNet(**options))


@pytest.mark.parametrize("options", [
    {"image_size": 78}, {"rows": MINI_ROWS}, {"image_size": 0}, {"num_classes": 0},
    {"in_channels": True},
], ids=str)  # fmt: skip
def test_costs_with_heads_are_refused_where_the_network_is(options):
    with pytest.raises(ValueError) as of_network:
        on_meta(lambda: GoogLeNet(aux=True, **options))
    with pytest.raises(ValueError) as of_cost:
        network_cost(aux=True, **options)
    assert str(of_cost.value) == str(of_network.value)


@pytest.mark.parametrize("argument, bad", [
    ("size", 4), ("size", 14.0), ("in_channels", 0), ("num_classes", True), ("dropout", 1),
    ("batch_norm", 1),
])  # fmt: skip
def test_a_head_checks_its_arguments(argument, bad):
    refuses(AuxiliaryHead, argument, bad, in_channels=512, size=14, num_classes=10)


@pytest.mark.parametrize("shape, came", [
    ((1, 3, 14, 14), r"\(1, 3, 14, 14\)"), ((1, 8, 15, 14), "15x14"), ((1, 8, 14, 15), "14x15"),
])  # fmt: skip
def test_a_head_checks_its_maps(shape, came):
    head = on_meta(lambda: AuxiliaryHead(8, 14, 10))
    with pytest.raises(ValueError, match=f"^x must .*, but .* {came}$"):
        head(torch.zeros(shape, device="meta"))


def test_numbers_out_of_a_table_are_taken():
    numbers: Any = np.array([1, 7, WITH_HEADS])
    model = on_meta(lambda: GoogLeNet(*numbers[:2], image_size=numbers[2]))
    head = model.heads["4a"]
    found = (model.in_channels, model.image_size, model.fc.out_features, head.fc1.in_features)
    assert found == (1, WITH_HEADS, 7, 128)
    assert {type(number) for number in found} == {int}


def test_images_must_be_a_tensor():
    images: Any = np.zeros((1, 1, 28, 28), dtype="float32")
    with pytest.raises(ValueError, match="^images must be a torch.Tensor, but .* ndarray"):
        MiniGoogLeNet()(images)


@pytest.mark.parametrize("bad", [0, True, float("inf")], ids=repr)
def test_mini_checks_its_width(bad):
    refuses(MiniGoogLeNet, "width", bad, allowed="above 0")


def test_mini_takes_any_module_and_checks_that_it_is_one():
    refuses(MiniGoogLeNet, "module", int)
    assert isinstance(MiniGoogLeNet(module=NotesInception).body["3a"], NotesInception)


@pytest.mark.parametrize("height, width", [(40, 30), (30, 40)])
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_an_image_too_small_is_refused(training, height, width):
    model = on_meta(GoogLeNet).train(training)
    with pytest.raises(ValueError, match=f"^images must .* 31 pixels .* {height}x{width}$"):
        model(torch.zeros(2, 3, height, width, device="meta"))


@pytest.mark.parametrize("shape", [(3, 224, 224), (2, 1, 64, 64), (2, 64, 64, 3)], ids=str)
def test_a_batch_of_another_shape_is_refused(shape):
    model = on_meta(lambda: GoogLeNet(aux=False))
    message = rf"^images must have the shape \(N, 3, H, W\), .* {re.escape(str(shape))}$"
    with pytest.raises(ValueError, match=message):
        model(torch.zeros(shape, device="meta"))


@pytest.mark.parametrize("height, width", [(96, 96), (80, 96), (96, 80)])
def test_heads_refuse_another_image_size_in_training_only(height, width):
    model = on_meta(lambda: GoogLeNet(image_size=WITH_HEADS))
    images = torch.zeros(2, 3, height, width, device="meta")
    with pytest.raises(
        ValueError, match=f"^images must be 80x80 .* {height}x{width}; .* aux=False"
    ):
        model.train()(images)
    assert model.eval()(images).shape == (2, 1000)
