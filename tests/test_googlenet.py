"""Tests of gnet_lib.googlenet.

Truth from outside: the printed table, hand formulas, the same networks written again
with torch's functions alone, torch's autograd graph, and torchvision's GoogLeNet.
"""

import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torchvision
from conftest import parameters_of
from test_inception import leaves_at_work, randomise_normalisation
from test_paper import MODULES, PRINTED_ROWS
from torch import nn

from gnet_lib import (
    GoogLeNet,
    GoogLeNetOutputs,
    Inception,
    InceptionWidths,
    MiniGoogLeNet,
    NaiveInception,
    network_cost,
    torchinfo_cost,
)
from gnet_lib.googlenet import DEEP_ROWS, MINI_ROWS, AuxiliaryHead
from gnet_lib.inception import LinearInception, NotesInception
from gnet_lib.paper import TABLE_1, InceptionRow, layer_shapes

WITH_HEADS = 80  # pixels: the smallest round size at which the heads can be built
POOL_BEHIND = ("3b", "4e")
MINI_WIDTHS = {
    "3a": (16, 16, 32, 8, 16, 16), "3b": (24, 24, 48, 8, 24, 24),
    "4a": (48, 48, 96, 16, 32, 32), "4b": (64, 64, 128, 16, 48, 48),
}  # fmt: skip


@pytest.fixture(autouse=True)
def fixed_random_numbers():
    torch.manual_seed(0)


def on_meta(build):
    """A network without memory, for questions about shapes only."""
    with torch.device("meta"):
        return build()


def shapes_behind(
    layers: dict[str, nn.Module], model: nn.Module, x: torch.Tensor
) -> dict[str, tuple]:
    shapes = {}
    for name, layer in layers.items():
        layer.register_forward_hook(
            lambda _, __, out, name=name: shapes.update({name: tuple(out.shape)})
        )
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


def by_hand() -> dict[str, int]:
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
    expected = by_hand()
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
    assert sum(by_hand().values()) == 6_998_552
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
    """The paper's network (with local response normalisation) or the notes', from its weights in order."""
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
    model = GoogLeNet(aux=False, num_classes=7).eval()
    keep_the_signal(model)
    images = 100 * torch.randn(2, 3, *size)  # large enough for the normalisation to matter
    with torch.no_grad():
        expected = network_by_hand(model.parameters(), images, paper=True)
        torch.testing.assert_close(model(images), expected)
    assert (expected[0] - expected[1]).abs().max() > 0.01


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("size", [(64, 64), (97, 75)], ids=str)
def test_notes_network_computes_what_torch_functions_compute(size, training):
    model = notes_variant(in_channels=1, num_classes=10).train(training)
    keep_the_signal(model)
    images = torch.randn(2, 1, *size)
    with torch.no_grad():
        expected = network_by_hand(model.parameters(), images, paper=False)
        torch.testing.assert_close(model(images), expected)
    assert (expected[0] - expected[1]).abs().max() > 0.01


def test_head_computes_what_torch_functions_compute():
    head = AuxiliaryHead(512, 14, 10).eval()
    x = torch.randn(2, 512, 14, 14)
    pooled = F.avg_pool2d(x, 5, stride=3)
    assert pooled.shape[2:] == (4, 4)
    hidden = F.relu(F.conv2d(pooled, head.conv.conv.weight, head.conv.conv.bias)).flatten(1)
    hidden = F.relu(F.linear(hidden, head.fc1.weight, head.fc1.bias))
    torch.testing.assert_close(head(x), F.linear(hidden, head.fc2.weight, head.fc2.bias))


# --- against torchvision -----------------------------------------------------------------


def torchvision_googlenet() -> nn.Module:
    return torchvision.models.googlenet(weights=None, aux_logits=False, init_weights=False)


# Our row -> torchvision's layers. Its conv2 is the paper's 1x1 reduction, its conv3 the 3x3.
THEIR_LAYERS = {
    "conv1": ["conv1"], "pool1": ["maxpool1"], "conv2": ["conv2", "conv3"], "pool2": ["maxpool2"],
    "3a": ["inception3a"], "3b": ["inception3b"], "pool3": ["maxpool3"],
    "4a": ["inception4a"], "4b": ["inception4b"], "4c": ["inception4c"], "4d": ["inception4d"],
    "4e": ["inception4e"], "pool4": ["maxpool4"], "5a": ["inception5a"], "5b": ["inception5b"],
}  # fmt: skip
THEIR_BRANCHES = {"1x1": "branch1", "3x3": "branch2", "5x5": "branch3", "pool": "branch4"}


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
        for name, row in list(PRINTED_ROWS.items())[:15]
    }


def test_parameters_without_the_5x5_path_are_those_of_torchvision():
    ours, theirs = (
        on_meta(lambda: GoogLeNet(aux=False, norm="batch")),
        on_meta(torchvision_googlenet),
    )
    for name, layers in THEIR_LAYERS.items():
        if not isinstance(ours.body[name], Inception):
            assert parameters_of(ours.body[name]) == sum(
                parameters_of(getattr(theirs, layer)) for layer in layers
            )
            continue
        (their_module,) = (getattr(theirs, layer) for layer in layers)
        for path, branch in THEIR_BRANCHES.items():
            same = parameters_of(ours.body[name].branches[path]) == parameters_of(
                getattr(their_module, branch)
            )
            assert same == (path != "5x5"), (name, path)
    assert parameters_of(ours.fc) == parameters_of(theirs.fc)


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
    model = GoogLeNet(num_classes=3, image_size=WITH_HEADS)
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
        assert type(network_with_heads.eval()(images)) is torch.Tensor
        assert network_with_heads(images).shape == (2, 5)
        assert type(GoogLeNet(aux=False, num_classes=5).train()(images)) is torch.Tensor


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
    sum(logits.square().sum() for logits in outputs).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


# --- what it takes -----------------------------------------------------------------------


def test_without_heads_any_size_will_do_and_evaluation_takes_any_with_heads():
    with torch.no_grad():
        assert GoogLeNet(aux=False, num_classes=2).train()(torch.zeros(1, 3, 31, 50)).shape == (
            1,
            2,
        )
        model = GoogLeNet(num_classes=2, image_size=WITH_HEADS).eval()
        assert model(torch.zeros(1, 3, 64, 100)).shape == (1, 2)


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
    assert [row.name for row in MINI_ROWS] == ["conv1", "pool1", "3a", "3b", "pool3", "4a", "4b"]
    widths = {row.name: row.widths for row in MINI_ROWS if isinstance(row, InceptionRow)}
    assert widths == {name: InceptionWidths(*numbers) for name, numbers in MINI_WIDTHS.items()}


@pytest.mark.parametrize("module, channels", [
    (Inception, {"3a": 80, "3b": 120, "4a": 208, "4b": 288}),
    (NaiveInception, {"3a": 96, "3b": 192, "4a": 368, "4b": 608}),
])  # fmt: skip
def test_mini_shapes(module, channels):
    model = MiniGoogLeNet(module=module).eval()
    shapes = shapes_behind(dict(model.body), model, torch.zeros(2, 1, 28, 28))
    assert shapes == {
        "conv1": (2, 32, 28, 28),
        "pool1": (2, 32, 14, 14),
        "3a": (2, channels["3a"], 14, 14),
        "3b": (2, channels["3b"], 14, 14),
        "pool3": (2, channels["3b"], 7, 7),
        "4a": (2, channels["4a"], 7, 7),
        "4b": (2, channels["4b"], 7, 7),
    }
    assert model(torch.zeros(2, 1, 28, 28)).shape == (2, 10)
    naive = module is NaiveInception
    walked = {
        layer.row.name: layer.out_channels for layer in layer_shapes(MINI_ROWS, 1, 28, naive=naive)
    }
    assert walked == {name: shape[1] for name, shape in shapes.items()}


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
    assert parameters_of(MiniGoogLeNet(module=module)) == mini_parameters(module is NaiveInception)


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
    model, naive = MiniGoogLeNet(module=module, width=width).eval(), module is NaiveInception
    assert parameters_of(model) == mini_parameters(naive, width)
    assert torchinfo_cost(model, (1, 1, 28, 28)).multiply_adds == mini_multiply_adds(naive, width)
    with torch.no_grad():
        assert model(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


def test_mini_has_width_1_unless_it_is_told_otherwise():
    plain, explicit = MiniGoogLeNet(), MiniGoogLeNet(width=1.0)
    shapes = [
        {name: each.shape for name, each in model.state_dict().items()}
        for model in (plain, explicit)
    ]
    assert shapes[0] == shapes[1]
    doubled = parameters_of(MiniGoogLeNet(width=2)) / parameters_of(plain)
    assert 3.9 < doubled < 4  # batch normalisation and the last layer grow by 2 only


def test_the_linear_mini_costs_the_same_and_answers_otherwise():
    models = []
    for module in (Inception, LinearInception):
        torch.manual_seed(3)
        models.append(MiniGoogLeNet(module=module).eval())
    usual, linear = models
    assert parameters_of(linear) == parameters_of(usual) == mini_parameters(design=REDUCED)
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


def deep_network(**options) -> GoogLeNet:
    return GoogLeNet(1, 10, rows=DEEP_ROWS, image_size=28, **options)


def test_deep_rows_are_the_printed_ones_divided_by_eight():
    names = [row.name for row in DEEP_ROWS]
    assert names == [row.name for row in TABLE_1 if row.name != "pool2"]
    by_name = {row.name: row for row in DEEP_ROWS}
    for printed in MODULES:
        eighth = [width / 8 for width in vars(printed.widths).values()]
        assert list(vars(by_name[printed.name].widths).values()) == eighth
    stem = [
        (row.kernel_size, row.stride, row.reduce, row.out_channels)
        for row in (by_name["conv1"], by_name["conv2"])
    ]
    assert stem == [(7, 1, None, 8), (3, 1, 8, 24)]


def test_deep_shapes():
    """Maps of 14, 7 and 3 pixels; every channel count is an eighth of the printed one."""
    model = deep_network().eval()
    shapes = shapes_behind(dict(model.body), model, torch.zeros(2, 1, 28, 28))
    sizes = {"3": 14, "4": 7, "5": 3}
    for printed in MODULES:
        size = sizes[printed.name[0]]
        assert shapes[printed.name] == (2, printed.out_channels // 8, size, size)
    assert shapes["conv1"] == (2, 8, 28, 28)
    assert shapes["conv2"] == (2, 24, 14, 14)
    assert model(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


@pytest.mark.parametrize("norm", ["lrn", "batch", "none"])
def test_deep_network_has_both_heads(norm):
    model = deep_network(norm=norm)
    images = torch.randn(2, 1, 28, 28)
    outputs = model(images)
    assert isinstance(outputs, GoogLeNetOutputs)
    assert [tuple(each.shape) for each in outputs] == [(2, 10)] * 3
    assert [tuple(head.conv.conv.weight.shape[:2]) for head in model.heads.values()] == [
        (128, 64),
        (128, 66),
    ]
    # A map of 7x7 leaves one window of 5x5, so a head's first linear layer reads 128 numbers.
    assert [head.fc1.in_features for head in model.heads.values()] == [128, 128]
    with torch.no_grad():
        assert model.eval()(images).shape == (2, 10)


def test_deep_network_is_as_deep_as_the_papers():
    """22 layers with weights one behind the other."""
    model = deep_network(aux=False, norm="none").eval()
    assert longest_chain_of_weights(model(torch.zeros(1, 1, 28, 28))) == 22


# --- refusals ----------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [0, -1, 2.5, True, "10"], ids=repr)
@pytest.mark.parametrize("argument", ["num_classes", "in_channels", "image_size"])
def test_numbers_are_checked(argument, bad):
    message = f"^{argument} must be a whole number of at least 1, but it is {re.escape(repr(bad))}$"
    with pytest.raises(ValueError, match=message):
        GoogLeNet(**{argument: bad})


@pytest.mark.parametrize("options, message", [
    ({"norm": "layer"}, r"^norm must be one of lrn, batch, none, but it is 'layer'$"),
    ({"norm": None}, r"^norm must be one of lrn, batch, none, but it is None$"),
    ({"module": nn.Conv2d}, r"^module must be Inception or NaiveInception, or a subclass of one of them, but it is .*Conv2d"),
    ({"module": "naive"}, r"^module must be Inception or NaiveInception, or a subclass of one of them, but it is 'naive'$"),
    ({"dropout": 1.0}, r"^dropout must be at least 0 and below 1, but it is 1\.0$"),
    ({"dropout": -0.1}, r"^dropout must be at least 0 and below 1, but it is -0\.1$"),
    ({"dropout": float("nan")}, r"^dropout must be at least 0 and below 1, but it is nan$"),
    ({"dropout": "0.4"}, r"^dropout must be at least 0 and below 1, but it is '0\.4'$"),
    ({"dropout": None}, r"^dropout must be at least 0 and below 1, but it is None$"),
    ({"dropout": False}, r"^dropout must be at least 0 and below 1, but it is False$"),
    ({"image_size": 78}, r"^image_size 78 .*5x5 average pooling needs a map of at least 5x5 behind 4a and 4d; "
                         r"use an image_size of at least 79, or aux=False$"),
    ({"image_size": 20}, r"^image_size 20 .* use an image_size of at least 79, or aux=False$"),
    ({"rows": (), "aux": False}, r"^rows must hold at least one row, for instance TABLE_1, but it is empty$"),
    ({"image_size": 30, "aux": False}, r"^image_size 30 is too small.*at least 31\)$"),
    ({"rows": MINI_ROWS}, r"^aux=True needs the modules 4a and 4d among rows; use aux=False$"),
])  # fmt: skip
def test_choices_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        on_meta(lambda: GoogLeNet(**options))


@pytest.mark.parametrize("options", [
    {"image_size": 78}, {"image_size": 20}, {"image_size": 64}, {"rows": MINI_ROWS},
    {"rows": MINI_ROWS, "image_size": 28}, {"image_size": 0}, {"num_classes": 0}, {"in_channels": True},
], ids=str)  # fmt: skip
def test_costs_with_heads_are_refused_where_the_network_is(options):
    with pytest.raises(ValueError) as of_network:
        on_meta(lambda: GoogLeNet(aux=True, **options))
    with pytest.raises(ValueError) as of_cost:
        network_cost(aux=True, **options)
    assert str(of_cost.value) == str(of_network.value)


@pytest.mark.parametrize("numbers, message", [
    ({"size": 3}, "^size must be at least 5, the side of the average pooling's window, but it is 3$"),
    ({"size": 4}, "^size must be at least 5, .*, but it is 4$"),
    ({"size": 14.0}, r"^size must be a whole number of at least 1, but it is 14\.0$"),
    ({"in_channels": 0}, "^in_channels must be a whole number of at least 1, but it is 0$"),
    ({"num_classes": True}, "^num_classes must be a whole number of at least 1, but it is True$"),
    ({"dropout": "0.7"}, r"^dropout must be at least 0 and below 1, but it is '0\.7'$"),
    ({"dropout": 1}, "^dropout must be at least 0 and below 1, but it is 1$"),
])  # fmt: skip
def test_a_head_checks_its_arguments(numbers, message):
    with pytest.raises(ValueError, match=message):
        AuxiliaryHead(**{"in_channels": 512, "size": 14, "num_classes": 10} | numbers)


@pytest.mark.parametrize("shape, message", [
    ((1, 3, 14, 14), r"^x must have the shape \(N, 512, H, W\), but its shape is \(1, 3, 14, 14\)$"),
    ((1, 512, 20, 20), "^x must have maps of 14x14 pixels, for which the head was built, but they are 20x20$"),
    ((1, 512, 14, 15), "^x must have maps of 14x14 pixels, .*, but they are 14x15$"),
])  # fmt: skip
def test_a_head_checks_its_maps(shape, message):
    with pytest.raises(ValueError, match=message):
        AuxiliaryHead(512, 14, 10)(torch.zeros(shape))


def test_the_smallest_head_works():
    head = AuxiliaryHead(6, 5, 3)
    assert head.fc1.in_features == 128
    assert head(torch.zeros(2, 6, 5, 5)).shape == (2, 3)


def test_numbers_out_of_a_table_are_taken():
    model = on_meta(lambda: GoogLeNet(np.int64(1), np.int64(7), image_size=np.int64(WITH_HEADS)))
    numbers = (
        model.in_channels,
        model.image_size,
        model.fc.out_features,
        model.heads["4a"].fc1.in_features,
    )
    assert numbers == (1, WITH_HEADS, 7, 128)
    assert {type(number) for number in numbers} == {int}


def test_the_notes_have_no_small_network():
    message = r"^from_notes must be called as GoogLeNet\.from_notes\(\), .* MiniGoogLeNet: "
    with pytest.raises(ValueError, match=message):
        Mininotes_variant()
    assert type(on_meta(notes_variant)) is GoogLeNet


def test_images_must_be_a_tensor():
    with pytest.raises(
        ValueError,
        match="^images must be a torch.Tensor, but it is of type ndarray; torch.as_tensor",
    ):
        MiniGoogLeNet()(np.zeros((1, 1, 28, 28), dtype="float32"))


@pytest.mark.parametrize("bad", [0, -1, True, "1", float("nan"), float("inf")], ids=repr)
def test_mini_checks_its_width(bad):
    message = f"^width must be a finite number above 0, but it is {re.escape(repr(bad))}$"
    with pytest.raises(ValueError, match=message):
        MiniGoogLeNet(width=bad)


def test_mini_checks_its_module():
    with pytest.raises(
        ValueError,
        match="module must be Inception or NaiveInception, or a subclass of one of them, but it is <class 'int'>",
    ):
        MiniGoogLeNet(module=int)
    assert isinstance(MiniGoogLeNet(module=NotesInception).body["3a"], NotesInception)


@pytest.mark.parametrize("aux", [True, False])
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_an_image_too_small_is_refused(aux, training):
    model = on_meta(lambda: GoogLeNet(aux=aux)).train(training)
    with pytest.raises(
        ValueError, match="^images must be at least 31 pixels high and wide, but they are 40x30$"
    ):
        model(torch.zeros(2, 3, 40, 30, device="meta"))


@pytest.mark.parametrize("shape", [(3, 224, 224), (2, 1, 64, 64), (2, 64, 64, 3)], ids=str)
def test_a_batch_of_another_shape_is_refused(shape):
    model = on_meta(lambda: GoogLeNet(aux=False))
    message = (
        rf"^images must have the shape \(N, 3, H, W\), but its shape is {re.escape(str(shape))}$"
    )
    with pytest.raises(ValueError, match=message):
        model(torch.zeros(shape, device="meta"))


def test_heads_refuse_another_image_size_in_training_only():
    model = on_meta(lambda: GoogLeNet(image_size=WITH_HEADS))
    images = torch.zeros(2, 3, 96, 96, device="meta")
    message = r"images must be 80x80 pixels.*but they are 96x96; build the network with image_size=96 or aux=False"
    with pytest.raises(ValueError, match=message):
        model.train()(images)
    assert model.eval()(images).shape == (2, 1000)
