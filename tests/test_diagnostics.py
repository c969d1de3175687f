"""First weights, signal and gradient.

Truth from outside: torch's own initialisers, the variances of the papers' formulas,
numerical derivatives, ``backward`` on a copy, and NumPy's standard deviation.
"""

import copy
import math
import re
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from gnet_lib.diagnostics import (
    INITIALISATIONS,
    activation_std,
    fan_in,
    gradient_norms,
    initialise,
)
from gnet_lib.evaluation import joint_loss
from gnet_lib.googlenet import DEEP_ROWS, GoogLeNet, MiniGoogLeNet
from gnet_lib.inception import LinearInception
from gnet_lib.paper import Convolution

EVERY_START = pytest.mark.parametrize("how", INITIALISATIONS)
EVERY_NORM = pytest.mark.parametrize("norm", ["none", "batch"])
UNCHANGED_BY_HEADS = ["4e", "5a", "5b", "fc"]


@pytest.fixture(autouse=True)
def fixed_random_numbers():
    torch.manual_seed(0)


@pytest.fixture(scope="module")
def batch():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(6, 1, 28, 28, generator=generator), torch.arange(6)


def deep(norm: str = "none", heads: bool = True, **options) -> GoogLeNet:
    return GoogLeNet(1, 10, rows=DEEP_ROWS, image_size=28, norm=norm, aux=heads, **options)


def layers_of(model: nn.Module) -> list[nn.Conv2d | nn.Linear]:
    return [layer for layer in model.modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]


# --- the first weights -------------------------------------------------------------------


def test_fan_in():
    assert fan_in(nn.Linear(30, 7)) == 30
    assert fan_in(nn.Conv2d(3, 64, kernel_size=7)) == 147
    assert fan_in(nn.Conv2d(8, 4, kernel_size=(1, 3), groups=2)) == 12  # an output sees 4 channels


@pytest.mark.parametrize(
    "how, torchs_own",
    [
        ("pytorch", lambda layer: layer.reset_parameters()),
        ("xavier", lambda layer: nn.init.kaiming_uniform_(layer.weight, nonlinearity="linear")),
        ("he", lambda layer: nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")),
    ],
)
@pytest.mark.parametrize("build", [lambda: nn.Linear(300, 40), lambda: nn.Conv2d(12, 40, 5)])
def test_weights_are_those_of_torchs_own_initialisers(how, torchs_own, build):
    ours, theirs = build(), build()
    torch.manual_seed(5)
    initialise(ours, how)
    torch.manual_seed(5)
    torchs_own(theirs)
    torch.testing.assert_close(ours.weight, theirs.weight)
    if how == "pytorch":
        assert torch.equal(ours.bias, theirs.bias)


@pytest.mark.parametrize("how, variance", [("pytorch", 1 / 3), ("xavier", 1), ("he", 2)])
def test_variances_are_those_of_the_docstring(how, variance):
    layer = nn.Linear(1_000, 500)  # 500,000 weights
    initialise(layer, how)
    assert layer.weight.var().item() * 1_000 == pytest.approx(variance, rel=0.01)
    assert layer.weight.mean().item() == pytest.approx(0, abs=1e-3)
    largest = layer.weight.abs().max().item()
    bound = math.sqrt(3 * variance / 1_000)  # of a uniform draw
    assert largest > 1.5 * bound if how == "he" else 0.999 * bound < largest <= bound * 1.000001


@pytest.mark.parametrize("how, kept", [("pytorch", 1 / 6), ("xavier", 1 / 2), ("he", 1)])
def test_what_a_layer_and_its_relu_keep_of_the_signal(how, kept):
    """He et al., section 2.2: the mean square is multiplied by n / 2 times the variance."""
    layers = [nn.Linear(800, 800, bias=False) for _ in range(12)]
    x = torch.randn(400, 800)
    before = x.square().mean().item()
    for layer in layers:
        x = initialise(layer, how)(x).relu()
    factor = (x.square().mean().item() / before) ** (1 / 12)
    assert factor == pytest.approx(kept, rel=0.06)


@EVERY_START
def test_every_convolution_and_linear_layer_is_drawn_anew(how):
    model = deep("batch")
    for parameter in model.parameters():
        nn.init.constant_(parameter, 7)
    assert initialise(model, how) is model
    for layer in layers_of(model):
        assert layer.weight.unique().numel() > 0.9 * layer.weight.numel()
        assert layer.weight.abs().max() < 7
    drawn = {each for layer in layers_of(model) for each in layer.parameters()}
    rest = [parameter for parameter in model.parameters() if parameter not in drawn]
    assert rest and all((parameter == 7).all() for parameter in rest)  # batch normalisation


@EVERY_START
def test_biases(how):
    biases = [layer.bias for layer in layers_of(initialise(deep(), how))]
    # Table 1's convolutions, the last layer, twice three of the heads
    assert len(biases) == 57 + 1 + 6
    assert all(bias is not None and (bias == 0).all() == (how != "pytorch") for bias in biases)


@EVERY_START
def test_the_seed_decides(how):
    first, again, other = deep(), deep(), deep()
    for model, seed in ((first, 3), (again, 3), (other, 4)):
        torch.manual_seed(seed)
        initialise(model, how)
    assert all(map(torch.equal, first.parameters(), again.parameters()))
    assert not torch.equal(first.fc.weight, other.fc.weight)


@pytest.mark.parametrize("how", ["kaiming", "", None, "He", ["he"]])
def test_unknown_initialisation(how):
    model = nn.Linear(2, 2)
    expected = f"how must be one of pytorch, xavier, he, but it is {how!r}"
    with pytest.raises(ValueError, match=re.escape(expected)):
        initialise(model, how)


# --- the gradient ------------------------------------------------------------------------


def test_norm_is_that_of_numerical_derivatives():
    rows = (Convolution("conv1", kernel_size=3, stride=2, out_channels=2, reduce=3),)
    model = GoogLeNet(1, 3, rows=rows, aux=False, norm="none", dropout=0.0).double()
    images, labels = torch.randn(4, 1, 6, 6, dtype=torch.float64), torch.tensor([0, 1, 2, 0])
    found = gradient_norms(model, images, labels)

    def derivative(weights: torch.Tensor, place: int) -> float:
        losses = []
        for step in (1e-5, -2e-5):
            weights.data.view(-1)[place] += step
            losses.append(joint_loss(model(images), labels).item())
        weights.data.view(-1)[place] += 1e-5
        return (losses[0] - losses[1]) / 2e-5

    conv1 = [
        layer.weight for layer in model.body["conv1"].modules() if isinstance(layer, nn.Conv2d)
    ]
    assert [tuple(weight.shape) for weight in conv1] == [(3, 1, 1, 1), (2, 3, 3, 3)]
    for name, some in (("conv1", conv1), ("fc", [model.fc.weight])):
        squares = [derivative(each, place) ** 2 for each in some for place in range(each.numel())]
        assert found[name] == pytest.approx(math.sqrt(sum(squares)), rel=1e-6) != 0


@EVERY_NORM
@pytest.mark.parametrize("heads", [False, True], ids=["no_heads", "heads"])
def test_norms_are_those_of_a_training_step(norm, heads, batch):
    images, labels = batch
    model = deep(norm, heads)
    by_hand = copy.deepcopy(model).train()
    torch.manual_seed(8)
    found = gradient_norms(model, images, labels, aux_weight=0.7)
    torch.manual_seed(8)  # the same dropout
    joint_loss(by_hand(images), labels, aux_weight=0.7).backward()
    expected = {
        name: torch.cat([p.grad.flatten() for p in row.parameters() if p.dim() > 1]).norm().item()
        for name, row in [*by_hand.body.items(), ("fc", by_hand.fc)]
        if list(row.parameters())
    }
    assert " ".join(found) == "conv1 conv2 3a 3b 4a 4b 4c 4d 4e 5a 5b fc"
    assert found == pytest.approx(expected, rel=1e-5)
    assert min(found.values()) > 0


def test_heads_reach_the_rows_in_front_of_them_and_no_others(batch):
    images, labels = batch
    model = deep(dropout=0.0)
    initialise(model, "he")
    for layer in model.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0  # those of the heads, too
    without, some, more = (
        gradient_norms(model, images, labels, weight) for weight in (0.0, 0.3, 3e6)
    )
    for name in without:
        if name in UNCHANGED_BY_HEADS:
            assert some[name] == pytest.approx(without[name], rel=1e-5)
            assert more[name] == pytest.approx(without[name], rel=1e-5)
        else:
            assert some[name] != pytest.approx(without[name], rel=1e-3)
            assert more[name] > 1e4 * without[name]


# --- the signal --------------------------------------------------------------------------


@EVERY_NORM
def test_scale_is_numpys_standard_deviation_over_the_images(norm, batch):
    images, _ = batch
    model = deep(norm)
    found = activation_std(model, images)
    x, expected = images, {"images": images}
    with torch.no_grad():
        for name, row in copy.deepcopy(model).train().body.items():
            expected[name] = x = row(x)
    for name, maps in expected.items():
        deviations = np.std(maps.numpy(), axis=0, dtype=np.float64)
        assert found[name] == pytest.approx(np.sqrt(np.mean(deviations**2)), rel=1e-6)
    assert list(found) == list(expected)


def test_what_all_images_share_is_no_signal(batch):
    images, _ = batch
    same = images[:1].expand(3, -1, -1, -1)
    assert max(activation_std(deep(), same).values()) == pytest.approx(0, abs=1e-7)
    # Two images that differ by a hundredth: biases and all else they share must not count.
    near = torch.cat([images[:1], images[:1] + 0.01])
    model = deep().double()
    initialise(model, "pytorch")
    scales = activation_std(model, near.double())
    assert scales["images"] == pytest.approx(0.005, rel=1e-5)
    assert 0 < scales["5b"] < 1e-5


@pytest.mark.parametrize("how", ["xavier", "he"])
def test_without_biases_twice_the_images_are_twice_the_signal(how, batch):
    images, _ = batch
    model = deep()
    initialise(model, how)
    once, twice = activation_std(model, images), activation_std(model, 2 * images)
    assert twice == pytest.approx({name: 2 * scale for name, scale in once.items()}, rel=1e-4)


# --- both leave the model as it was --------------------------------------------------------

LOOKS = pytest.mark.parametrize(
    "look",
    [lambda model, images, labels: gradient_norms(model, images, labels),
     lambda model, images, labels: activation_std(model, images)],
    ids=["gradient_norms", "activation_std"],
)  # fmt: skip


def state_of(model: nn.Module) -> tuple:
    return (
        {name: tensor.clone() for name, tensor in model.state_dict().items()},
        {name: layer.training for name, layer in model.named_modules()},
        {name: None if p.grad is None else p.grad.clone() for name, p in model.named_parameters()},
    )


def assert_same_state(before: tuple, after: tuple) -> None:
    for one, other in zip(before, after, strict=True):
        assert one.keys() == other.keys()
        for name in one:
            if isinstance(one[name], torch.Tensor):
                assert torch.equal(one[name], other[name]), name
            else:
                assert one[name] is other[name], name


@LOOKS
@EVERY_NORM
def test_the_model_is_left_as_it_was(look, norm, batch):
    images, labels = batch
    model = deep(norm)
    joint_loss(model(images), labels).backward()  # running averages and gradients to lose
    model.eval().body["4b"].train()  # modes of both kinds
    before = state_of(model)
    look(model, images, labels)
    assert_same_state(before, state_of(model))


@LOOKS
def test_no_gradients_are_left(look, batch):
    model = deep()
    look(model, *batch)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_the_model_is_left_as_it_was_when_something_fails(batch):
    images, labels = batch
    model = deep("batch").eval()
    before = state_of(model)
    with pytest.raises(ValueError, match="labels must be .* 99"):
        gradient_norms(model, images, labels + 99)
    assert_same_state(before, state_of(model))


def test_gradients_where_they_are_switched_off_or_frozen(batch):
    images, labels = batch
    model = MiniGoogLeNet()
    expected = gradient_norms(model, images, labels)
    model.body["3a"].requires_grad_(False)
    with torch.no_grad():
        found = gradient_norms(model, images, labels)
    del expected["3a"]
    assert found == pytest.approx(expected)


def test_another_of_the_librarys_modules_will_do(batch):
    model = MiniGoogLeNet(module=LinearInception)
    assert list(gradient_norms(model, *batch)) == ["conv1", "3a", "3b", "4a", "4b", "fc"]
    assert list(activation_std(model, batch[0])) == ["images", *model.body]


# --- refusals ----------------------------------------------------------------------------


@LOOKS
@pytest.mark.parametrize("model", [nn.Linear(2, 2), None, "GoogLeNet"])
def test_a_model_without_rows(look, model: Any, batch):
    with pytest.raises(ValueError, match=re.escape(f"but it is {model!r}")):
        look(model, *batch)


@LOOKS
def test_images_of_another_shape(look, batch):
    images, labels = batch
    with pytest.raises(ValueError, match=r"images .* \(N, 1, H, W\), .* \(6, 28, 28\)"):
        look(MiniGoogLeNet(), images[:, 0], labels)


def test_one_image_does_not_differ(batch):
    with pytest.raises(ValueError, match="images must be at least two, .* 1"):
        activation_std(MiniGoogLeNet(), batch[0][:1])


def test_a_bad_weight_of_the_heads(batch):
    with pytest.raises(ValueError, match="aux_weight .* at least 0, but it is -1"):
        gradient_norms(MiniGoogLeNet(), *batch, aux_weight=-1)
