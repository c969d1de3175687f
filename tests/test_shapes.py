"""Tests of gnet_lib.shapes.

Truth from outside: the transcription of the printed table, and torch's own layers, through
which a map is sent row by row.
"""

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from printed_table import MODULES, NAMES, PRINTED_ROWS, WORKING_NAMES
from probes import refuses
from torch import nn

from gnet_lib.cost import compare_modules, network_cost, stacked_naive_costs
from gnet_lib.design import NAIVE, REDUCED, Conv
from gnet_lib.googlenet import MINI_ROWS, GoogLeNet
from gnet_lib.paper import TABLE_1, Convolution, InceptionRow, MaxPool, Row
from gnet_lib.shapes import inception_shapes, layer_shapes, require_heads, smallest_image_size
from gnet_lib.variants import NOTES_ROWS


def torch_layer(row: Row) -> nn.Module:
    """The layer of torch that a row of a table describes, with a single channel."""
    if isinstance(row, Convolution):
        return nn.Conv2d(1, 1, row.kernel_size, row.stride, padding=(row.kernel_size - 1) // 2)
    if isinstance(row, MaxPool):
        return nn.MaxPool2d(row.kernel_size, row.stride, row.padding, ceil_mode=row.ceil_mode)
    return nn.Identity()


def sizes_in_torch(rows: tuple[Row, ...], image_size: int) -> list[int]:
    """The map size behind each row, as far as torch can go."""
    x, sizes = torch.zeros(1, 1, image_size, image_size, device="meta"), []
    for row in rows:
        try:
            x = torch_layer(row).to("meta")(x)
        except RuntimeError:  # torch refuses an output without pixels
            break
        sizes.append(x.shape[-1])
    return sizes


# --- from row to row ---------------------------------------------------------------------


@pytest.mark.parametrize("rows", [TABLE_1, NOTES_ROWS], ids=["paper", "notes"])
def test_sizes_and_channels_are_the_printed_ones(rows):
    layers = layer_shapes(rows)
    assert [layer.row for layer in layers] == list(rows)
    assert (layers[0].in_channels, layers[0].in_size) == (3, 224)
    for layer, name in zip(layers, WORKING_NAMES, strict=True):
        printed = PRINTED_ROWS[name]
        expected = (int(printed["output_c"]), int(printed["output_h"]))
        assert (layer.out_channels, layer.out_size) == expected, name
    for layer, following in zip(layers, layers[1:], strict=False):
        assert (layer.out_channels, layer.out_size) == (following.in_channels, following.in_size)


def test_naive_modules_add_their_input_to_every_output():
    channels, by_hand = 192, []
    for module in MODULES:
        channels += module.widths.c1x1 + module.widths.c3x3 + module.widths.c5x5
        by_hand.append(channels)
    layers = inception_shapes(design=NAIVE)
    assert [layer.out_channels for layer in layers] == by_hand
    assert [layer.in_channels for layer in layers] == [192, *by_hand[:-1]]
    assert by_hand[-1] == 4944


def test_a_design_of_ones_own_is_followed():
    """A fifth branch, as wide as the third, widens every module by it."""
    design = REDUCED.variant("with 7x7", {"7x7": (Conv(7, "c5x5"),)})
    layers = inception_shapes(design=design)
    assert [layer.out_channels for layer in layers] == [
        module.out_channels + module.widths.c5x5 for module in MODULES
    ]


def test_inception_shapes_are_the_printed_modules_at_their_places():
    layers = inception_shapes()
    found = [(s.row.name, s.in_channels, s.in_size, s.row.widths, s.out_channels) for s in layers]
    assert found == [tuple(module) for module in MODULES]
    assert [layer.out_size for layer in layers] == [module.size for module in MODULES]


def test_inception_shapes_of_other_tables_and_sizes():
    at_448 = inception_shapes(TABLE_1, 448)
    assert [layer.in_size for layer in at_448] == [2 * module.size for module in MODULES]
    mini = inception_shapes(MINI_ROWS, image_size=28)
    assert [(layer.row.name, layer.in_channels, layer.in_size) for layer in mini] == [
        ("3a", 32, 14), ("3b", 80, 14), ("4a", 120, 7), ("4b", 208, 7),
    ]  # fmt: skip


def test_numbers_of_numpy_leave_no_trace():
    channels, size = np.array([3, 224])
    assert {type(number) for number in layer_shapes(TABLE_1, channels, size)[0][1:]} == {int}


# --- sizes that are large enough ---------------------------------------------------------


@pytest.mark.parametrize("rows", [TABLE_1, NOTES_ROWS, MINI_ROWS], ids=["paper", "notes", "mini"])
def test_sizes_are_those_of_torch_for_every_image_size(rows):
    smallest = smallest_image_size(rows)
    for image_size in [*range(1, 130), 224, 256, 299]:
        sizes = sizes_in_torch(rows, image_size)
        if image_size < smallest:
            assert len(sizes) < len(rows), image_size
        else:
            layers = layer_shapes(rows, image_size=image_size)
            assert [layer.out_size for layer in layers] == sizes, image_size


@pytest.mark.parametrize("row", TABLE_1, ids=lambda row: row.name)
def test_smallest_image_for_a_map_of_five_pixels(row):
    upto = WORKING_NAMES.index(row.name) + 1
    found = next(
        size
        for size in range(1, 300)
        if (sizes := sizes_in_torch(TABLE_1[:upto], size))[upto - 1 :] and sizes[-1] >= 5
    )
    assert smallest_image_size(TABLE_1, upto=row.name, at_least=5) == found


def test_smallest_image_asks_for_one_pixel_behind_the_last_row():
    assert smallest_image_size(TABLE_1) == smallest_image_size(TABLE_1, upto="5b", at_least=1) == 31
    # Behind a single pooling of 3x3 there is nothing of one pixel, and one of two.
    assert smallest_image_size((MaxPool("p"),)) == 2
    assert smallest_image_size((MaxPool("p", ceil_mode=False),)) == 3


def test_the_network_runs_at_the_smallest_size_and_not_below():
    model = GoogLeNet(aux=False, num_classes=2).eval()
    smallest = smallest_image_size(TABLE_1)
    with torch.inference_mode():
        assert model(torch.zeros(1, 3, smallest, smallest)).shape == (1, 2)
        x = torch.zeros(1, 3, smallest - 1, smallest - 1)
        with pytest.raises(RuntimeError, match="[Oo]utput size is too small"):
            for layer in model.body.values():  # past the network's own refusal
                x = layer(x)


def test_heads_fit_where_torch_can_pool():
    """From 79 pixels on, a 5x5 average pooling fits behind 4a and behind 4d."""
    behind_4d = TABLE_1[: WORKING_NAMES.index("4d") + 1]
    for image_size in range(1, 130):
        sizes = sizes_in_torch(behind_4d, image_size)
        if len(sizes) == len(behind_4d) and sizes[-1] >= 5:
            require_heads(TABLE_1, image_size)
            continue
        with pytest.raises(ValueError, match=f"^image_size {image_size} .* at least 79, or aux"):
            require_heads(TABLE_1, image_size)


def test_heads_name_a_size_that_all_rows_survive():
    """Many poolings behind 4d ask for more than the heads do."""
    rows = TABLE_1 + tuple(MaxPool(f"more{number}") for number in range(3))
    needed = smallest_image_size(rows)
    assert needed > 79
    with pytest.raises(ValueError, match=f"at least {needed}, or aux=False$"):
        require_heads(rows, needed - 1)
    require_heads(rows, needed)


def with_a_pooling_in_front_of(name: str) -> tuple[Row, ...]:
    place = WORKING_NAMES.index(name)
    return (*TABLE_1[:place], MaxPool("more"), *TABLE_1[place:])


def test_a_pooling_counts_for_the_heads_behind_it_only():
    """From 4a to right in front of 4d it asks for twice the pixels, right behind 4d for none."""
    needed = smallest_image_size(with_a_pooling_in_front_of("4b"), upto="4d", at_least=5)
    assert needed > 2 * 70
    for name, smallest in (("4b", needed), ("4d", needed), ("4e", 79)):
        rows = with_a_pooling_in_front_of(name)
        require_heads(rows, smallest)
        with pytest.raises(ValueError, match=f"at least {smallest}, or aux=False$"):
            require_heads(rows, smallest - 1)


# --- refusals ----------------------------------------------------------------------------


@pytest.mark.parametrize("argument, bad", [
    ("in_channels", 0), ("image_size", 0), ("design", "naive"), ("design", True),
])  # fmt: skip
def test_arguments_are_checked(argument, bad):
    refuses(layer_shapes, argument, bad, rows=TABLE_1)


def test_an_image_that_vanishes_is_refused():
    lost_at = NAMES[len(sizes_in_torch(TABLE_1, 30))]
    message = rf"^image_size 30 is too small: .* 1x1 reaches row '{lost_at}'.*\(at least 31\)$"
    with pytest.raises(ValueError, match=message):
        layer_shapes(TABLE_1, image_size=30)
    assert layer_shapes(TABLE_1, 1, image_size=31)[-1].out_size == 1


@pytest.mark.parametrize("rows", [(), []], ids=repr)
def test_a_table_without_rows_is_refused(rows):
    with pytest.raises(ValueError, match="^rows must hold at least one row.*empty$"):
        layer_shapes(rows)


TAKES_ROWS = [
    layer_shapes, inception_shapes, smallest_image_size, lambda rows: require_heads(rows, 224),
    network_cost, lambda rows: network_cost(rows, aux=True), compare_modules, stacked_naive_costs,
    lambda rows: GoogLeNet(rows=rows, aux=False), lambda rows: GoogLeNet(rows=rows),
]  # fmt: skip


@pytest.mark.parametrize("call", TAKES_ROWS)
def test_rows_are_checked_wherever_they_come_in(call):
    twice: Any = dataclasses.replace(TABLE_1[4], name="3b")
    assert isinstance(twice, InceptionRow)
    with pytest.raises(ValueError, match="^rows must have different names, but '3b' stands 2"):
        call((*TABLE_1, twice))


@pytest.mark.parametrize("argument, bad", [("upto", "9z"), ("upto", 3), ("at_least", 0)])
def test_smallest_image_size_checks_its_arguments(argument, bad):
    refuses(smallest_image_size, argument, bad, rows=TABLE_1)


@pytest.mark.parametrize("missing", ["4a", "4d"])
def test_heads_need_both_modules(missing):
    rows = tuple(row for row in TABLE_1 if row.name != missing)
    with pytest.raises(ValueError, match="^aux=True needs the modules 4a and 4d among rows"):
        require_heads(rows, 224)


def test_heads_check_the_image_size():
    refuses(require_heads, "image_size", True, rows=TABLE_1)
