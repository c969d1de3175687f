"""Tests of gnet_lib.inception: the paper's two modules, and the control without two ReLUs.

Truth from outside: channel counts from the printed table, and the same modules written
again with torch's functions alone. Modules of any other design: ``test_design.py``.
"""

import re
from typing import Any

import numpy as np
import pytest
import torch
from printed_table import MODULES
from probes import leaves_at_work, on_meta, randomise_normalisation, refuses
from torch import nn
from torch.nn import functional as F

from gnet_lib.cost import torchinfo_cost
from gnet_lib.inception import (
    Inception,
    InceptionBase,
    LinearInception,
    NaiveInception,
    concatenate,
    conv_norm_act,
)
from gnet_lib.paper import InceptionWidths
from gnet_lib.variants import NotesInception

SMALL = InceptionWidths(c1x1=3, c3x3_reduce=2, c3x3=5, c5x5_reduce=4, c5x5=7, pool_proj=6)
IN_CHANNELS = 9
BOTH = pytest.mark.parametrize("kind", [NaiveInception, Inception])
NORMALISED_OR_NOT = pytest.mark.parametrize(
    "batch_norm", [False, True], ids=["plain", "batch_norm"]
)


@pytest.fixture(autouse=True)
def fixed_random_numbers():
    torch.manual_seed(0)


# --- the modules written again -----------------------------------------------------------


def conv_by_hand(x: torch.Tensor, unit: Any, side: int) -> torch.Tensor:
    """What a unit must compute: its convolution, its normalisation if any, ReLU."""
    assert unit.conv.weight.shape[1:] == (x.shape[1], side, side)
    x = F.conv2d(x, unit.conv.weight, unit.conv.bias, padding={1: 0, 3: 1, 5: 2}[side])
    if hasattr(unit, "norm"):
        norm = unit.norm
        x = F.batch_norm(
            x, norm.running_mean.clone(), norm.running_var.clone(), norm.weight, norm.bias,
            training=norm.training, eps=1e-5,
        )  # fmt: skip
    return x.clamp(min=0)


def branches_by_hand(module: nn.Module, x: torch.Tensor) -> dict[str, torch.Tensor]:
    branches: Any = module.branches
    pooled = F.max_pool2d(x, 3, stride=1, padding=1)
    if isinstance(module, NaiveInception):
        return {
            "1x1": conv_by_hand(x, branches["1x1"], 1),
            "3x3": conv_by_hand(x, branches["3x3"], 3),
            "5x5": conv_by_hand(x, branches["5x5"], 5),
            "pool": pooled,
        }
    return {
        "1x1": conv_by_hand(x, branches["1x1"], 1),
        "3x3": conv_by_hand(conv_by_hand(x, branches["3x3"].reduce, 1), branches["3x3"].conv, 3),
        "5x5": conv_by_hand(conv_by_hand(x, branches["5x5"].reduce, 1), branches["5x5"].conv, 5),
        "pool": conv_by_hand(pooled, branches["pool"].project, 1),
    }


@NORMALISED_OR_NOT
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@BOTH
def test_module_computes_what_torch_functions_compute(kind, training, batch_norm):
    module = kind(IN_CHANNELS, SMALL, batch_norm=batch_norm).train(training)
    randomise_normalisation(module)
    x = torch.randn(3, IN_CHANNELS, 7, 10)
    before = x.clone()
    with torch.no_grad():
        by_hand = branches_by_hand(module, x)
        expected = torch.cat([by_hand[name] for name in ("1x1", "3x3", "5x5", "pool")], dim=1)
        torch.testing.assert_close(module(x), expected)
    assert expected.std() > 0.1  # the comparison is not one of zeros
    assert torch.equal(x, before)  # what comes in is left alone


# --- shapes and channels -----------------------------------------------------------------


@pytest.mark.parametrize("printed", MODULES, ids=lambda module: module.name)
def test_channels_of_the_nine_modules(printed):
    x = torch.zeros(1, printed.in_channels, 3, 3, device="meta")
    w = printed.widths
    reduced, naive = (
        on_meta(lambda kind=kind: kind(printed.in_channels, w))
        for kind in (Inception, NaiveInception)
    )
    assert reduced(x).shape == (1, printed.out_channels, 3, 3)
    assert naive(x).shape == (1, w.c1x1 + w.c3x3 + w.c5x5 + printed.in_channels, 3, 3)
    assert reduced.out_channels == printed.out_channels
    assert naive.out_channels == naive(x).shape[1]


def test_channels_of_3a_by_hand():
    widths = InceptionWidths(64, 96, 128, 16, 32, 32)
    assert Inception(192, widths).out_channels == 64 + 128 + 32 + 32
    assert NaiveInception(192, widths).out_channels == 64 + 128 + 32 + 192


@BOTH
@pytest.mark.parametrize("height, width", [(1, 1), (2, 3), (7, 7), (8, 13), (28, 5)])
def test_every_branch_keeps_the_map(kind, height, width):
    x = torch.zeros(2, IN_CHANNELS, height, width)
    module = kind(IN_CHANNELS, SMALL)
    assert module(x).shape == (2, module.out_channels, height, width)
    for name, branch in module.branches.items():
        assert branch(x).shape[2:] == (height, width), name


def test_naive_pool_branch_hands_on_every_input_channel():
    x = torch.randn(2, IN_CHANNELS, 6, 6)
    out = NaiveInception(IN_CHANNELS, SMALL)(x)[:, -IN_CHANNELS:]
    assert torch.equal(out, F.max_pool2d(x, 3, stride=1, padding=1))
    assert (out < 0).any()  # no ReLU behind a pooling


@BOTH
def test_pooling_takes_the_largest_of_its_nine_neighbours(kind):
    pool = kind(IN_CHANNELS, SMALL).branches["pool"]
    pool = pool.pool if kind is Inception else pool
    x = torch.randn(1, 1, 5, 6)
    out = pool(x)
    for row in range(5):
        for column in range(6):
            around = x[0, 0, max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
            assert out[0, 0, row, column] == around.max()


# --- the order of concatenation ----------------------------------------------------------


def constants_per_branch(module: nn.Module, constants: dict[str, float]) -> torch.Tensor:
    """The output when the last convolution of each branch puts out one constant."""
    branches: Any = module.branches
    for name, branch in branches.items():
        for conv in (layer for layer in branch.modules() if isinstance(layer, nn.Conv2d)):
            nn.init.zeros_(conv.weight)
            if conv.bias is not None:
                nn.init.constant_(conv.bias, constants[name])
    x = torch.full((1, IN_CHANNELS, 4, 4), constants["pool"])
    with torch.no_grad():
        return module(x)[0, :, 2, 2]


CONSTANTS = {"1x1": 1.0, "3x3": 2.0, "5x5": 3.0, "pool": 4.0}


@pytest.mark.parametrize("kind, expected", [
    (NaiveInception, [1.0] * 3 + [2.0] * 5 + [3.0] * 7 + [4.0] * 9),
    (Inception, [1.0] * 3 + [2.0] * 5 + [3.0] * 7 + [4.0] * 6),
    (NotesInception, [4.0] * 6 + [3.0] * 7 + [2.0] * 5 + [1.0] * 3),
])  # fmt: skip
def test_order_of_concatenation(kind, expected):
    assert constants_per_branch(kind(IN_CHANNELS, SMALL), CONSTANTS).tolist() == expected


# --- ReLU --------------------------------------------------------------------------------


@NORMALISED_OR_NOT
@pytest.mark.parametrize("kind, convolutions", [(NaiveInception, 3), (Inception, 6)])
def test_every_convolution_is_followed_by_a_relu(kind, convolutions, batch_norm):
    module = kind(IN_CHANNELS, SMALL, batch_norm=batch_norm)
    kinds = [type(layer) for layer in leaves_at_work(module, torch.randn(2, IN_CHANNELS, 4, 4))]
    group = [nn.Conv2d, nn.BatchNorm2d, nn.ReLU] if batch_norm else [nn.Conv2d, nn.ReLU]
    pool = [nn.MaxPool2d] if kind is NaiveInception else [nn.MaxPool2d, *group]
    in_front = convolutions if kind is NaiveInception else convolutions - 1
    assert kinds == group * in_front + pool


def test_a_negative_bias_silences_every_convolution():
    """Exact zeros, behind the last convolution of a branch and behind its reduction."""
    x = torch.randn(1, IN_CHANNELS, 6, 6)
    branches: Any = Inception(IN_CHANNELS, SMALL).branches
    for name, branch in branches.items():
        convolutions = [layer for layer in branch.modules() if isinstance(layer, nn.Conv2d)]
        assert len(convolutions) == (2 if name in ("3x3", "5x5") else 1)
        for silenced in convolutions:
            for conv in convolutions:
                assert conv.bias is not None
                nn.init.constant_(conv.bias, -1e3 if conv is silenced else 0)
            with torch.no_grad():
                assert torch.count_nonzero(branch(x)) == 0, name


# --- the control: reductions without a ReLU ----------------------------------------------


def twins(batch_norm: bool) -> tuple[Any, Any]:
    """Both modules with the same weights."""
    usual, linear = (
        kind(IN_CHANNELS, SMALL, batch_norm=batch_norm) for kind in (Inception, LinearInception)
    )
    randomise_normalisation(usual)
    linear.load_state_dict(usual.state_dict())  # strict: the same names and shapes
    return usual, linear


def to_the_last_convolution(branch: Any, x: torch.Tensor) -> torch.Tensor:
    return branch.conv.conv(branch.reduce(x))


@NORMALISED_OR_NOT
def test_the_linear_module_costs_what_the_usual_one_costs(batch_norm):
    usual, linear = (torchinfo_cost(each, (1, IN_CHANNELS, 6, 6)) for each in twins(batch_norm))
    assert usual == linear and linear.multiply_adds > 0


@NORMALISED_OR_NOT
@pytest.mark.parametrize("name, side", [("3x3", 3), ("5x5", 5)])
def test_only_the_two_reductions_are_linear(name, side, batch_norm):
    """The linear branches written with torch's functions; the other two are as they were."""
    usual, linear = (module.eval() for module in twins(batch_norm))
    x = torch.randn(2, IN_CHANNELS, 6, 6)
    reduced = linear.branches[name].reduce
    maps = F.conv2d(x, reduced.conv.weight, reduced.conv.bias)
    if batch_norm:
        norm = reduced.norm
        maps = F.batch_norm(
            maps, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=1e-5
        )
    expected = conv_by_hand(maps, linear.branches[name].conv, side)
    torch.testing.assert_close(linear.branches[name](x), expected)
    assert (linear.branches[name](x) - usual.branches[name](x)).abs().max() > 0.01
    for untouched in ("1x1", "pool"):
        assert torch.equal(linear.branches[untouched](x), usual.branches[untouched](x))
        assert linear.branches[untouched](x).min() == 0  # a ReLU ends the branch


@pytest.mark.parametrize("name", ["3x3", "5x5"])
def test_the_reduced_branch_is_not_linear_and_the_linear_one_is_a_single_map(name):
    """Without biases: superposition, and one kernel that does the work of both convolutions."""
    usual, linear = twins(batch_norm=False)
    for module in (usual, linear):
        for conv in (module.branches[name].reduce.conv, module.branches[name].conv.conv):
            nn.init.zeros_(conv.bias)
    x, y = torch.randn(2, 1, IN_CHANNELS, 7, 7)

    def superposition_fails_by(branch: Any) -> float:
        whole = to_the_last_convolution(branch, 2 * x - 3 * y)
        parts = 2 * to_the_last_convolution(branch, x) - 3 * to_the_last_convolution(branch, y)
        return (whole - parts).abs().max().item()

    assert superposition_fails_by(linear.branches[name]) < 1e-5
    assert superposition_fails_by(usual.branches[name]) > 0.1

    branch = linear.branches[name]
    kernel = torch.einsum(
        "omhw,mi->oihw", branch.conv.conv.weight, branch.reduce.conv.weight[:, :, 0, 0]
    )
    merged = F.conv2d(x, kernel, padding=int(name[0]) // 2)
    torch.testing.assert_close(to_the_last_convolution(branch, x), merged, rtol=1e-4, atol=1e-5)
    assert (to_the_last_convolution(usual.branches[name], x) - merged).abs().max() > 0.1


def test_with_normalisation_the_linear_reduction_is_affine_in_evaluation():
    usual, linear = (module.eval() for module in twins(batch_norm=True))
    x, zero = torch.randn(1, IN_CHANNELS, 6, 6), torch.zeros(1, IN_CHANNELS, 6, 6)

    def bend(branch: Any) -> float:
        both = to_the_last_convolution(branch, x) + to_the_last_convolution(branch, -x)
        return (both - 2 * to_the_last_convolution(branch, zero)).abs().max().item()

    for name in ("3x3", "5x5"):
        assert bend(linear.branches[name]) < 1e-5
        assert bend(usual.branches[name]) > 0.1


# --- bias and normalisation --------------------------------------------------------------


@NORMALISED_OR_NOT
@BOTH
def test_a_convolution_has_a_bias_or_a_normalisation(kind, batch_norm):
    module = kind(IN_CHANNELS, SMALL, batch_norm=batch_norm)
    convolutions = [layer for layer in module.modules() if isinstance(layer, nn.Conv2d)]
    norms = [layer for layer in module.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert all((conv.bias is None) == batch_norm for conv in convolutions)
    assert [norm.num_features for norm in norms] == (
        [conv.out_channels for conv in convolutions] if batch_norm else []
    )


@NORMALISED_OR_NOT
@pytest.mark.parametrize("kind", [NaiveInception, Inception, LinearInception, NotesInception])
def test_gradients_reach_every_parameter_and_the_input(kind, batch_norm):
    module = kind(IN_CHANNELS, SMALL, batch_norm=batch_norm)
    x = torch.randn(4, IN_CHANNELS, 8, 8, requires_grad=True)
    module(x).square().sum().backward()
    for name, parameter in [("x", x), *module.named_parameters()]:
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


UNITS = ["1x1", "3x3.reduce", "3x3.conv", "5x5.reduce", "5x5.conv", "pool.project"]


@pytest.mark.parametrize("kind, units", [
    (NaiveInception, ["1x1", "3x3", "5x5"]), (Inception, UNITS), (NotesInception, UNITS),
    (LinearInception, UNITS),
])  # fmt: skip
def test_saved_weights_keep_their_names(kind, units):
    """A checkpoint of one version of the library is read by the next."""
    module = kind(IN_CHANNELS, SMALL)
    assert isinstance(module, InceptionBase)
    expected = [f"branches.{unit}.conv.{end}" for unit in units for end in ("weight", "bias")]
    assert list(module.state_dict()) == expected
    assert list(module.branches) == ["1x1", "3x3", "5x5", "pool"]
    assert (module.in_channels, module.widths) == (IN_CHANNELS, SMALL)


@BOTH
def test_channels_out_of_a_table_are_taken(kind):
    module = kind(np.int64(IN_CHANNELS), SMALL)
    assert type(module.in_channels) is int and type(module.out_channels) is int
    assert module(torch.zeros(1, IN_CHANNELS, 4, 4)).shape == (1, module.out_channels, 4, 4)


@BOTH
def test_a_printed_module_says_its_widths_and_its_order(kind):
    text = repr(kind(IN_CHANNELS, SMALL))
    for said in (f"in_channels={IN_CHANNELS}", repr(SMALL), "concat_order=('1x1', '3x3', '5x5'"):
        assert said in text


# --- hooks -------------------------------------------------------------------------------


def hooked(module: Any) -> tuple[list[str], dict[str, torch.Tensor]]:
    """The layers whose backward hooks fired, and what each convolution's forward hook saw."""
    fired, seen = [], {}
    for name, layer in module.named_modules():
        layer.register_full_backward_hook(lambda *_, name=name: fired.append(name))
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(lambda *given, name=name: seen.update({name: given[2]}))
    return fired, seen


@NORMALISED_OR_NOT
@pytest.mark.parametrize("kind", [NaiveInception, Inception, LinearInception, NotesInception])
def test_hooks_on_every_layer_see_what_the_layer_did(kind, batch_norm):
    module = kind(IN_CHANNELS, SMALL, batch_norm=batch_norm)
    fired, seen = hooked(module)
    x = torch.randn(2, IN_CHANNELS, 5, 5, requires_grad=True)
    module(x).square().sum().backward()
    called = {name for name, layer in module.named_modules() if type(layer) is not nn.ModuleDict}
    assert set(fired) == called
    first = module.get_submodule("branches.1x1.conv")
    expected = F.conv2d(x, first.weight, first.bias)
    torch.testing.assert_close(seen["branches.1x1.conv"], expected)
    assert expected.min() < 0  # no ReLU has written over it


# --- one convolution ---------------------------------------------------------------------


@pytest.mark.parametrize("kernel_size, padding", [(7, 3), ((1, 7), (0, 3)), ((5, 3), (2, 1))])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_convolution_computes_what_torch_computes(kernel_size, padding, stride):
    unit: Any = conv_norm_act(2, 4, kernel_size, stride)
    x = torch.randn(1, 2, 9, 12)
    maps = F.conv2d(x, unit.conv.weight, unit.conv.bias, stride, padding)
    torch.testing.assert_close(unit(x), F.relu(maps))
    assert maps.shape[2:] == (-(-9 // stride), -(-12 // stride))
    linear: Any = conv_norm_act(2, 4, kernel_size, stride, relu=False)
    linear.load_state_dict(unit.state_dict())
    torch.testing.assert_close(linear(x), maps)


def test_a_convolution_of_one_pixel_and_one_channel():
    unit: Any = conv_norm_act(1, 1, 1, 1)
    assert [list(each.shape) for each in unit.parameters()] == [[1, 1, 1, 1], [1]]
    assert [type(layer) for layer in unit] == [nn.Conv2d, nn.ReLU]


# --- refusals ----------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("argument, bad", [
    ("in_channels", 0), ("widths", (64, 96)), ("batch_norm", 1), ("batch_norm", "no"),
])  # fmt: skip
def test_arguments_of_a_module_are_checked(kind, argument, bad):
    sound: Any = {"in_channels": IN_CHANNELS, "widths": SMALL}
    refuses(kind, argument, bad, **sound)


@pytest.mark.parametrize("argument, bad", [
    ("in_channels", 0), ("out_channels", 0), ("stride", 0), ("kernel_size", 0), ("kernel_size", 2),
    ("kernel_size", (3, 5, 7)), ("batch_norm", 1), ("relu", None),
])  # fmt: skip
def test_arguments_of_a_convolution_are_checked(argument, bad):
    sound: Any = {"in_channels": 3, "out_channels": 4, "kernel_size": 3}
    refuses(conv_norm_act, argument, bad, **sound)


@pytest.mark.parametrize("bad, wrong_side", [((3, 4), 4), ((0, 3), 0)])
def test_both_sides_of_a_kernel_are_checked(bad, wrong_side):
    with pytest.raises(ValueError, match=f"^kernel_size must .*, but it is {wrong_side}$"):
        conv_norm_act(3, 4, bad)


@pytest.mark.parametrize("shape", [(1, 8, 5, 5), (9, 5, 5), (1, 5, 5, 9), (1, 9, 5, 5, 5)], ids=str)
def test_another_shape_is_refused(shape):
    message = rf"^x must have the shape \(N, 9, H, W\), .* {re.escape(str(shape))}$"
    with pytest.raises(ValueError, match=message):
        Inception(IN_CHANNELS, SMALL)(torch.zeros(shape))


@pytest.mark.parametrize("x, came", [
    (np.zeros((1, 9, 4, 4), dtype="float32"), "ndarray"), ([[1.0]], "list"), (None, "NoneType"),
    (torch.zeros(1, IN_CHANNELS, 4, 4, dtype=torch.uint8), r"torch\.uint8"),
])  # fmt: skip
def test_what_holds_no_floating_point_numbers_is_refused(x, came):
    with pytest.raises(ValueError, match=f"^x must .*, but it.* {came};"):
        NaiveInception(IN_CHANNELS, SMALL)(x)


# --- concatenating -----------------------------------------------------------------------


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_concatenating_is_torch_cat_forwards_and_backwards(memory_format):
    maps = [
        torch.randn(2, channels, 4, 5).to(memory_format=memory_format) for channels in (3, 1, 4)
    ]
    pulls = torch.randn(2, 8, 4, 5)
    gradients = []
    for join in (concatenate, lambda each: torch.cat(each, dim=1)):
        leaves = [each.clone().requires_grad_() for each in maps]
        joined = join([each * 2 for each in leaves])
        joined.backward(pulls.to(memory_format=memory_format))
        gradients.append([joined.detach(), *[leaf.grad for leaf in leaves]])
    for ours, theirs in zip(*gradients, strict=True):
        assert torch.equal(ours, theirs)


def test_in_channels_last_each_branch_gets_its_gradient_in_one_block():
    """A slice of the whole gradient would leave gaps: its step from pixel to pixel is 5, not 3."""
    strides = {}
    for join in (concatenate, lambda each: torch.cat(each, dim=1)):
        leaves = [
            torch.ones(1, channels, 4, 4).to(memory_format=torch.channels_last)
            for channels in (3, 2)
        ]
        maps = [leaf.requires_grad_() * 2 for leaf in leaves]
        joined = join(maps)
        maps[0].register_hook(
            lambda gradient, name=join.__name__: strides.update({name: gradient.stride()})
        )
        joined.backward(torch.ones_like(joined))
    assert strides == {"concatenate": (48, 1, 12, 3), "<lambda>": (80, 1, 20, 5)}
