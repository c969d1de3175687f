"""Tests of gnet_lib.design: a design is data, and whoever writes one is done.

Truth from outside: the same modules written out by hand in plain torch (``by_hand.py``),
torchinfo, torch's own counter of operations, and a single pixel sent through each branch.
"""

import dataclasses
import json
from collections.abc import Callable
from functools import partial
from typing import Any

import by_hand
import pytest
import torch
from probes import multiply_adds_of_torch, on_meta, randomise_normalisation, refuses, weights_of
from torch import nn

from gnet_lib import plots
from gnet_lib.cost import branch_convolutions, inception_cost, network_cost, torchinfo_cost, total
from gnet_lib.design import LINEAR, NAIVE, NOTES, REDUCED, TORCHVISION, Conv, Design, Pool
from gnet_lib.explorer import explorer_chart, formula, module_explorer
from gnet_lib.explorer.formulas import MEASURES
from gnet_lib.googlenet import MINI_ROWS, GoogLeNet, MiniGoogLeNet
from gnet_lib.inception import Inception, InceptionBase, LinearInception, NaiveInception
from gnet_lib.paper import InceptionWidths
from gnet_lib.variants import NotesInception, TorchvisionInception

SMALL = InceptionWidths(c1x1=3, c3x3_reduce=2, c3x3=5, c5x5_reduce=4, c5x5=7, pool_proj=6)
IN_CHANNELS = 9

# --- variants of our own: nothing but these lines ----------------------------------------


class TwoThrees(InceptionBase):
    design = REDUCED.variant("two 3x3", {"5x5": (
        Conv(1, "c5x5_reduce", name="reduce"), Conv(3, "c5x5"), Conv(3, "c5x5", "again"),
    )})  # fmt: skip


class Asymmetric(InceptionBase):
    design = REDUCED.variant("7x1 and 1x7", {"5x5": (
        Conv(1, "c5x5_reduce", name="reduce"), Conv((7, 1), "c5x5"), Conv((1, 7), "c5x5", "across"),
    )})  # fmt: skip


class TwoBranches(InceptionBase):
    """What the paper does not have: two branches, a pooling at the end, a branch without ReLU."""

    design = Design(
        "two branches",
        {"wide": (Conv(1, "pool_proj"), Pool(5)), "flat": (Conv((3, 5), "c3x3", relu=False),)},
        concat_order=("flat", "wide"),
    )


def two_branches(inputs: int, w: InceptionWidths, batch_norm: bool) -> by_hand.Branches:
    branches = {
        "wide": by_hand.chain(
            conv=by_hand.unit(inputs, w.pool_proj, 1, batch_norm), pool=nn.MaxPool2d(5, 1, 2)
        ),
        "flat": by_hand.unit(inputs, w.c3x3, (3, 5), batch_norm, relu=False),
    }
    return by_hand.Branches(branches, ("flat", "wide"))


ByHand = Callable[[int, InceptionWidths, bool], by_hand.Branches]
BY_HAND: dict[type[InceptionBase], ByHand] = {
    NaiveInception: by_hand.naive,
    Inception: by_hand.reduced,
    InceptionBase: by_hand.reduced,
    LinearInception: partial(by_hand.reduced, relu=False),
    NotesInception: partial(by_hand.reduced, order=("pool", "5x5", "3x3", "1x1")),
    TorchvisionInception: partial(by_hand.reduced, five={"conv": 3}),
    TwoThrees: partial(by_hand.reduced, five={"conv": 3, "again": 3}),
    Asymmetric: partial(by_hand.reduced, five={"conv": (7, 1), "across": (1, 7)}),
    TwoBranches: two_branches,
}
EVERY = pytest.mark.parametrize("module", BY_HAND, ids=lambda module: module.__name__)
VARIANTS = pytest.mark.parametrize(
    "module", [TwoThrees, Asymmetric, TwoBranches], ids=lambda module: module.__name__
)

# --- built -------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_norm", [False, True], ids=["plain", "batch_norm"])
@EVERY
def test_a_module_is_the_one_written_out_by_hand(module, batch_norm):
    """The same names of weights, the same weights after the same seed, the same outputs."""
    torch.manual_seed(3)
    ours = module(IN_CHANNELS, SMALL, batch_norm=batch_norm)
    torch.manual_seed(3)
    theirs = BY_HAND[module](IN_CHANNELS, SMALL, batch_norm)
    our_state, their_state = ours.state_dict(), theirs.state_dict()
    assert list(our_state) == list(their_state)
    for name, weight in our_state.items():
        assert torch.equal(weight, their_state[name]), name
    randomise_normalisation(ours)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(2, IN_CHANNELS, 8, 11)
    with torch.no_grad():
        for _ in ("in training", "in evaluation"):
            expected = theirs(x)
            torch.testing.assert_close(ours(x), expected)
            assert expected.std() > 0.1
            ours.eval()
            theirs.eval()
    assert ours.out_channels == expected.shape[1]


@EVERY
def test_channels_of_the_branches_are_those_at_work(module):
    model: Any = on_meta(lambda: module(IN_CHANNELS, SMALL))
    x = torch.zeros(1, IN_CHANNELS, 4, 4, device="meta")
    expected = {name: model.branches[name](x).shape[1] for name in model.concat_order}
    found = module.design.branch_channels(IN_CHANNELS, SMALL)
    assert list(found.items()) == list(expected.items())  # in the order of concatenation
    assert module.design.out_channels(IN_CHANNELS, SMALL) == sum(expected.values())


# --- the receptive field -----------------------------------------------------------------


def spread_of_one_pixel(branch: nn.Module) -> tuple[int, int]:
    """How many pixels high and wide the answer of a branch to a single bright pixel is."""
    for parameter in branch.parameters():
        nn.init.constant_(parameter, 1.0 if parameter.dim() == 4 else 0.0)
    x = torch.zeros(1, IN_CHANNELS, 15, 15)
    x[..., 7, 7] = 1
    with torch.no_grad():
        lit = branch(x).amax(dim=(0, 1)) > 0
    rows, columns = lit.any(1).nonzero().flatten(), lit.any(0).nonzero().flatten()
    for side in (rows, columns):  # in one piece, with the pixel in the middle
        around = len(side) // 2
        assert side.tolist() == list(range(7 - around, 7 + around + 1))
    assert lit.sum() == len(rows) * len(columns)
    return len(rows), len(columns)


@EVERY
def test_receptive_field_of_every_branch(module):
    branches: Any = module(IN_CHANNELS, SMALL).branches
    lit = {name: spread_of_one_pixel(branch) for name, branch in branches.items()}
    assert module.design.receptive_fields() == lit


PAPERS = {"1x1": (1, 1), "3x3": (3, 3), "5x5": (5, 5), "pool": (3, 3)}


@pytest.mark.parametrize("design, expected", [
    (NAIVE, PAPERS), (REDUCED, PAPERS), (LINEAR, PAPERS), (NOTES, PAPERS),
    (TORCHVISION, PAPERS | {"5x5": (3, 3)}),
    (TwoThrees.design, PAPERS),  # which is why two 3x3 can stand for a 5x5
    (Asymmetric.design, PAPERS | {"5x5": (7, 7)}),
    (TwoBranches.design, {"wide": (5, 5), "flat": (3, 5)}),
], ids=lambda each: getattr(each, "name", ""))  # fmt: skip
def test_receptive_fields_by_hand(design, expected):
    assert design.receptive_fields() == expected


# --- counted -----------------------------------------------------------------------------


@EVERY
def test_every_design_is_counted_three_ways(module):
    model: Any = on_meta(lambda: module(IN_CHANNELS, SMALL))
    by_formula = inception_cost(IN_CHANNELS, SMALL, 6, module.design)
    input_size = (1, IN_CHANNELS, 6, 6)
    assert total(by_formula) == torchinfo_cost(model, input_size)
    assert total(by_formula).multiply_adds == multiply_adds_of_torch(model, input_size)
    assert total(by_formula).parameters == sum(each.numel() for each in model.parameters())
    for name, branch in model.branches.items():
        assert by_formula[name] == torchinfo_cost(branch, input_size), name


def test_the_variants_5x5_by_hand():
    """Two 3x3 have 18 weights where a 5x5 has 25, a 7x1 and a 1x7 have 14 where a 7x7 has 49."""
    in_front, w = SMALL.c5x5_reduce, SMALL
    reduction = IN_CHANNELS * in_front
    weights = {
        REDUCED: reduction + 25 * in_front * w.c5x5,
        TwoThrees.design: reduction + 9 * in_front * w.c5x5 + 9 * w.c5x5 * w.c5x5,
        Asymmetric.design: reduction + 7 * in_front * w.c5x5 + 7 * w.c5x5 * w.c5x5,
    }
    for design, expected in weights.items():
        cost = inception_cost(IN_CHANNELS, w, 6, design)["5x5"]
        assert (cost.weights, cost.multiply_adds) == (expected, 36 * expected), design.name
    assert branch_convolutions(IN_CHANNELS, w, Asymmetric.design)["5x5"] == [
        (9, 4, 1), (4, 7, (7, 1)), (7, 7, (1, 7)),
    ]  # fmt: skip


@VARIANTS
def test_a_whole_googlenet_of_a_variant_three_ways(module):
    model = on_meta(lambda: GoogLeNet(aux=False, module=module, norm="none"))
    by_formula = total(network_cost(design=module.design))
    assert by_formula == torchinfo_cost(model, (1, 3, 224, 224))
    assert by_formula.multiply_adds == multiply_adds_of_torch(model, (1, 3, 224, 224))


@VARIANTS
def test_a_small_googlenet_of_a_variant_three_ways(module):
    """Its convolutions have no bias, so weights and multiply-adds are what agrees."""
    model = on_meta(lambda: MiniGoogLeNet(module=module))
    options: Any = {"in_channels": 1, "num_classes": 10, "image_size": 28}
    by_formula = total(network_cost(MINI_ROWS, design=module.design, **options))
    by_torchinfo = torchinfo_cost(model, (1, 1, 28, 28))
    assert by_formula.multiply_adds == by_torchinfo.multiply_adds
    assert by_formula.multiply_adds == multiply_adds_of_torch(model, (1, 1, 28, 28))
    assert by_formula.weights == by_torchinfo.weights == weights_of(model)


# --- drawn and explored ------------------------------------------------------------------


@VARIANTS
def test_a_variant_is_drawn_layer_by_layer(module):
    figure = plots.inception_diagram(IN_CHANNELS, SMALL, module.design)
    written = [text.get_text() for text in figure.axes[0].texts]
    boxes = [text for text in written if text.endswith((" conv", " max pool"))]
    kinds = {Conv: "conv", Pool: "max pool"}
    assert sorted(boxes) == sorted(
        f"{layer.kernel[0]}×{layer.kernel[1]} {kinds[type(layer)]}"
        for layers in module.design.branches.values()
        for layer in layers
    )
    outputs = module.design.branch_channels(IN_CHANNELS, SMALL)
    assert f"{sum(outputs.values())} channels out" in written
    assert all(
        f"{branch} {channels}" in plots.alt_text(figure) for branch, channels in outputs.items()
    )
    bars = plots.branch_cost_bars(IN_CHANNELS, SMALL, 8, (REDUCED, module.design))
    assert f"reduced against {module.design.name}" in plots.alt_text(bars)


@VARIANTS
def test_a_variant_is_explored_with_its_own_formulas(module):
    design, size = module.design, 8
    sliders = {"in_channels": IN_CHANNELS, "size": size, **dataclasses.asdict(SMALL)}
    costs = inception_cost(IN_CHANNELS, SMALL, size, design)
    channels = design.branch_channels(IN_CHANNELS, SMALL)
    for branch in design.branches:
        found = [eval(formula(each, design, branch), dict(sliders)) for each in MEASURES]
        cost = costs[branch]
        assert found == [cost.multiply_adds, cost.parameters, channels[branch]], branch
    page = str(module_explorer(IN_CHANNELS, SMALL, size, (REDUCED, design)).data)
    assert f">{total(costs).multiply_adds:,}</output>" in page
    assert f"the {design.name} one needs" in page
    chart = json.dumps(explorer_chart(IN_CHANNELS, SMALL, size, (REDUCED, design)).to_dict())
    for branch in {**REDUCED.branches, **design.branches}:
        assert f'"branch": "{branch}"' in chart, branch


# --- the data itself ---------------------------------------------------------------------


def test_layers_carry_their_channels_also_by_name():
    layers = REDUCED.layers("input", str)
    channels = {
        name: [(placed.in_channels, placed.out_channels) for placed in placed_layers]
        for name, placed_layers in layers.items()
    }
    assert channels == {
        "1x1": [("input", "c1x1")],
        "3x3": [("input", "c3x3_reduce"), ("c3x3_reduce", "c3x3")],
        "5x5": [("input", "c5x5_reduce"), ("c5x5_reduce", "c5x5")],
        "pool": [("input", "input"), ("input", "pool_proj")],
    }
    assert [placed.layer for placed in layers["pool"]] == [Pool(), Conv(1, "pool_proj", "project")]


def test_names_of_the_designs_and_of_their_layers():
    designs = (NAIVE, REDUCED, LINEAR, NOTES, TORCHVISION)
    names = [design.name for design in designs]
    assert names == ["naive", "reduced", "linear", "notes", "torchvision"]
    labels = [layer.label for layers in REDUCED.branches.values() for layer in layers]
    assert labels == ["1x1", "1x1", "3x3", "1x1", "5x5", "3x3 max pool", "1x1"]
    assert (Conv((7, 1), "c5x5").label, Conv((7, 1), "c5x5").kernel) == ("7x1", (7, 1))
    assert (Pool(5).label, Pool(5).kernel, Pool().kernel) == ("5x5 max pool", (5, 5), (3, 3))


def test_a_variant_keeps_what_it_does_not_name():
    pool, seven = (Conv(1, "pool_proj"),), (Conv(7, "c5x5"),)
    variant = NOTES.variant("mine", {"7x7": seven, "pool": pool})
    assert variant.name == "mine"
    assert variant.branches == {**REDUCED.branches, "pool": pool, "7x7": seven}
    assert variant.concat_order == ("pool", "5x5", "3x3", "1x1", "7x7")  # a new branch comes last
    assert NOTES.branches == REDUCED.branches and len(REDUCED.branches) == 4


def test_a_design_keeps_its_branches_when_the_callers_dict_changes():
    branches, order = dict(NAIVE.branches), ["pool", "5x5", "3x3", "1x1"]
    given: Any = order
    design = Design("mine", branches, given)
    branches.clear()
    order.clear()
    assert design.branches == NAIVE.branches
    assert design.concat_order == ("pool", "5x5", "3x3", "1x1")


@pytest.mark.parametrize("part", [Conv(1, "c1x1"), Pool(), NAIVE], ids=lambda part: part.name)
def test_a_design_and_its_layers_cannot_be_changed(part):
    with pytest.raises(dataclasses.FrozenInstanceError):
        part.__setattr__("name", "another")


# --- refusals ----------------------------------------------------------------------------


@pytest.mark.parametrize("argument, bad", [
    ("kernel_size", 2), ("kernel_size", 0), ("kernel_size", (3,)), ("kernel_size", "3"),
    ("width", "c7x7"), ("width", 64), ("name", "a.b"), ("relu", 1),
])  # fmt: skip
def test_a_convolution_checks_its_arguments(argument, bad):
    sound: Any = {"kernel_size": 3, "width": "c3x3"}
    refuses(Conv, argument, bad, **sound)


@pytest.mark.parametrize("argument, bad", [("kernel_size", 2), ("kernel_size", 0), ("name", "")])
def test_a_pooling_checks_its_arguments(argument, bad):
    refuses(Pool, argument, bad)


def test_widths_are_named_as_in_the_table():
    refuses(
        Conv,
        "width",
        "c7x7",
        "c1x1, c3x3_reduce, c3x3, c5x5_reduce, c5x5, pool_proj",
        kernel_size=1,
    )


ONE = (Conv(1, "c1x1"),)


@pytest.mark.parametrize("argument, bad", [
    ("name", ""), ("name", 3), ("branches", {}), ("branches", None), ("branches", [ONE]),
    ("concat_order", ("1x1",)), ("concat_order", ("1x1", "3x3")), ("concat_order", "1x1"),
    ("concat_order", ("1x1", "2x2", "2x2")), ("concat_order", ("1x1", 2)), ("concat_order", 5),
])  # fmt: skip
def test_a_design_checks_its_arguments(argument, bad):
    sound: Any = {"name": "mine", "branches": {"1x1": ONE, "2x2": ONE}}
    refuses(Design, argument, bad, **sound)


@pytest.mark.parametrize("branches, came", [
    ({"a.b": ONE}, "'a.b'"), ({3: ONE}, "3"), ({"a": ()}, r"'a', but it holds \(\)"),
    ({"a": ONE[0]}, r"'a', but it holds Conv\("), ({"a": ("3x3",)}, "'a' holds '3x3'"),
    ({"a": (Conv(1, "c1x1"), Conv(3, "c3x3"))}, r"'a' .*\['conv', 'conv'\]"),
])  # fmt: skip
def test_branches_hold_layers_of_different_names(branches, came):
    for call in (partial(Design, "mine"), partial(REDUCED.variant, "mine")):
        with pytest.raises(ValueError, match=f"^branches must .*{came}"):
            call(branches)


@pytest.mark.parametrize("mistake", [{}, "reduced", Design, None], ids=repr)
def test_a_module_refuses_what_is_no_design(mistake):
    class Mistaken(InceptionBase):
        design = mistake

    with pytest.raises(ValueError, match=r"^design must be a Design, .*, but it is "):
        Mistaken(IN_CHANNELS, SMALL)
