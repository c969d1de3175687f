"""Tests of gnet_lib.paper.

Truth from outside: a transcription of the printed table (``paper_table1.csv``), and
torch's own convolutions and poolings for the sizes of maps.
"""

import csv
import dataclasses
import re
from typing import NamedTuple

import numpy as np
import pytest
import torch
from conftest import ROOT
from torch import nn

from gnet_lib import GoogLeNet, compare_modules, network_cost, paper, stacked_naive_costs
from gnet_lib.googlenet import MINI_ROWS
from gnet_lib.paper import (
    NOTES_ROWS,
    PRINTED,
    TABLE_1,
    WIDTHS,
    Convolution,
    InceptionRow,
    InceptionWidths,
    MaxPool,
    inception_shapes,
    layer_shapes,
    require_heads,
    require_positive_int,
    scale_rows,
    smallest_image_size,
)

WIDTH_FIELDS = ("c1x1", "c3x3_reduce", "c3x3", "c5x5_reduce", "c5x5", "pool_proj")
# The library's names of the printed rows, from top to bottom.
NAMES = (
    "conv1", "pool1", "conv2", "pool2", "3a", "3b", "pool3", "4a", "4b", "4c", "4d", "4e",
    "pool4", "5a", "5b", "avg pool", "dropout (40%)", "linear", "softmax",
)  # fmt: skip


class PrintedModule(NamedTuple):
    """One Inception module as the printed table gives it, and what the row above hands it."""

    name: str
    in_channels: int
    size: int
    widths: InceptionWidths
    out_channels: int


def read_printed_rows() -> dict[str, dict[str, str]]:
    with open(ROOT / "tests" / "paper_table1.csv", newline="", encoding="utf-8") as file:
        return dict(zip(NAMES, csv.DictReader(file), strict=True))


def read_printed_modules() -> list[PrintedModule]:
    rows, modules = list(PRINTED_ROWS.items()), []
    for (_, above), (name, row) in zip(rows, rows[1:]):
        if row["row"].startswith("inception"):
            widths = InceptionWidths(*(int(row[field]) for field in WIDTH_FIELDS))
            modules.append(
                PrintedModule(
                    name,
                    int(above["output_c"]),
                    int(above["output_h"]),
                    widths,
                    int(row["output_c"]),
                )
            )
    return modules


PRINTED_ROWS = read_printed_rows()
MODULES = read_printed_modules()
WORKING_NAMES = NAMES[:15]  # the rows in front of the average pooling


def torch_layer(row) -> nn.Module:
    """The layer of torch that a row of a table describes, with a single channel."""
    if isinstance(row, Convolution):
        return nn.Conv2d(1, 1, row.kernel_size, row.stride, padding=(row.kernel_size - 1) // 2)
    if isinstance(row, MaxPool):
        return nn.MaxPool2d(row.kernel_size, row.stride, row.padding, ceil_mode=row.ceil_mode)
    return nn.Identity()


def sizes_in_torch(rows, image_size: int) -> list[int]:
    """The map size behind each row, as far as torch can go."""
    x, sizes = torch.zeros(1, 1, image_size, image_size), []
    for row in rows:
        try:
            x = torch_layer(row)(x)
        except RuntimeError:  # torch refuses an output without pixels
            break
        sizes.append(x.shape[-1])
    return sizes


# --- the table ---------------------------------------------------------------------------


def test_the_transcription_checks_itself():
    """Each module's four outputs add up to the channels that its row prints."""
    assert [module.name for module in MODULES] == [
        "3a",
        "3b",
        "4a",
        "4b",
        "4c",
        "4d",
        "4e",
        "5a",
        "5b",
    ]
    for name, in_channels, _, w, out_channels in MODULES:
        assert w.c1x1 + w.c3x3 + w.c5x5 + w.pool_proj == out_channels, name
    assert sum(int(row["depth"]) for row in PRINTED_ROWS.values()) == 22


def test_rows_stand_in_the_printed_order():
    assert tuple(row.name for row in TABLE_1) == WORKING_NAMES


@pytest.mark.parametrize("row", TABLE_1, ids=lambda row: row.name)
def test_row_equals_the_printed_row(row):
    printed = PRINTED_ROWS[row.name]
    if isinstance(row, InceptionRow):
        assert dataclasses.astuple(row.widths) == tuple(
            int(printed[field]) for field in WIDTH_FIELDS
        )
        assert [field.name for field in dataclasses.fields(row.widths)] == list(WIDTH_FIELDS)
        return
    kernel, _, stride = printed["patch_stride"].partition("/")
    assert (f"{row.kernel_size}x{row.kernel_size}", str(row.stride)) == (kernel, stride)
    if isinstance(row, Convolution):
        assert printed["row"] == "convolution"
        assert row.out_channels == int(printed["output_c"])
        assert row.reduce == (int(printed["c3x3_reduce"]) if printed["c3x3_reduce"] else None)
    else:
        assert isinstance(row, MaxPool)
        assert printed["row"] == "max pool"


def test_printed_columns_are_quoted_as_printed():
    assert list(PRINTED) == list(NAMES)
    for name, printed in PRINTED_ROWS.items():
        assert printed["output_h"] == printed["output_w"]
        quoted = PRINTED[name]
        assert (quoted.size, quoted.channels, quoted.depth) == tuple(
            int(printed[column]) for column in ("output_h", "output_c", "depth")
        ), name
        assert (quoted.parameters, quoted.operations) == (
            printed["params_printed"],
            printed["ops_printed"],
        )


def test_widths_by_name():
    assert {module.name: module.widths for module in MODULES} == WIDTHS


def test_constants_of_section_5():
    assert paper.DROPOUT == 0.4
    assert paper.AUX_AFTER == ("4a", "4d")
    assert (paper.AUX_CHANNELS, paper.AUX_UNITS) == (128, 1024)
    assert (paper.AUX_DROPOUT, paper.AUX_WEIGHT) == (0.7, 0.3)
    assert paper.BRANCHES == ("1x1", "3x3", "5x5", "pool")


def test_notes_differ_in_exactly_two_things():
    """No 1x1 convolution in front of conv2; pooling padded by 1 that rounds down."""
    differences = {}
    for ours, notes in zip(TABLE_1, NOTES_ROWS, strict=True):
        assert type(ours) is type(notes)
        before, after = dataclasses.asdict(ours), dataclasses.asdict(notes)
        changed = {
            field: (before[field], after[field])
            for field in before
            if before[field] != after[field]
        }
        if changed:
            differences[ours.name] = changed
    pooling = {"padding": (0, 1), "ceil_mode": (True, False)}
    assert differences == {
        "conv2": {"reduce": (64, None)},
        "pool1": pooling, "pool2": pooling, "pool3": pooling, "pool4": pooling,
    }  # fmt: skip


# --- walking through it ------------------------------------------------------------------


@pytest.mark.parametrize("rows", [TABLE_1, NOTES_ROWS], ids=["paper", "notes"])
def test_walk_gives_the_printed_sizes_and_channels(rows):
    layers = list(layer_shapes(rows))
    assert (layers[0].in_channels, layers[0].in_size) == (3, 224)
    for layer, name in zip(layers, WORKING_NAMES, strict=True):
        printed = PRINTED_ROWS[name]
        assert layer.row.name == name
        assert (layer.out_channels, layer.out_size) == (
            int(printed["output_c"]),
            int(printed["output_h"]),
        )
    for layer, following in zip(layers, layers[1:]):
        assert (layer.out_channels, layer.out_size) == (following.in_channels, following.in_size)


def test_each_module_receives_what_the_row_above_puts_out():
    received = {layer.row.name: layer.in_channels for layer in layer_shapes(TABLE_1)}
    for module in MODULES:
        assert received[module.name] == module.in_channels


def test_walk_of_naive_modules_adds_the_input_to_every_output():
    channels, by_hand = 192, []
    for module in MODULES:
        channels += module.widths.c1x1 + module.widths.c3x3 + module.widths.c5x5
        by_hand.append(channels)
    layers = [
        layer
        for layer in layer_shapes(TABLE_1, design=NAIVE)
        if isinstance(layer.row, InceptionRow)
    ]
    assert [layer.out_channels for layer in layers] == by_hand
    assert by_hand[-1] == 4944


def test_inception_steps_are_the_printed_modules_at_their_places():
    layers = inception_shapes()
    found = [(s.row.name, s.in_channels, s.in_size, s.row.widths, s.out_channels) for s in layers]
    assert found == [tuple(module) for module in MODULES]
    assert [layer.out_size for layer in layers] == [module.size for module in MODULES]


def test_inception_steps_of_other_tables_sizes_and_kinds():
    at_448 = inception_shapes(TABLE_1, 448)
    assert [layer.in_size for layer in at_448] == [2 * module.size for module in MODULES]
    mini = inception_shapes(MINI_ROWS, image_size=28)
    assert [(layer.row.name, layer.in_channels, layer.in_size) for layer in mini] == [
        ("3a", 32, 14), ("3b", 80, 14), ("4a", 120, 7), ("4b", 208, 7),
    ]  # fmt: skip
    naive = inception_shapes(design=NAIVE)
    assert [layer.in_channels for layer in naive[:3]] == [192, 416, 416 + 128 + 192 + 96]
    assert naive[-1].out_channels == 4944


@pytest.mark.parametrize("rows", [TABLE_1, NOTES_ROWS, MINI_ROWS], ids=["paper", "notes", "mini"])
def test_sizes_are_those_of_torch_for_every_image_size(rows):
    smallest = smallest_image_size(rows)
    for image_size in [*range(1, 130), 224, 256, 299]:
        sizes = sizes_in_torch(rows, image_size)
        if image_size < smallest:
            assert len(sizes) < len(rows), image_size
        else:
            assert [
                layer.out_size for layer in layer_shapes(rows, image_size=image_size)
            ] == sizes, image_size


@pytest.mark.parametrize("row", TABLE_1, ids=lambda row: row.name)
def test_smallest_image_for_a_map_of_five_pixels(row):
    upto = WORKING_NAMES.index(row.name) + 1
    found = next(
        size
        for size in range(1, 300)
        if (sizes := sizes_in_torch(TABLE_1[:upto], size))[upto - 1 :] and sizes[-1] >= 5
    )
    assert smallest_image_size(TABLE_1, upto=row.name, at_least=5) == found


def test_the_network_runs_at_the_smallest_size_and_not_below():
    model = GoogLeNet(aux=False, num_classes=2).eval()
    smallest = smallest_image_size(TABLE_1)
    with torch.inference_mode():
        assert model(torch.zeros(1, 3, smallest, smallest)).shape == (1, 2)
        x = torch.zeros(1, 3, smallest - 1, smallest - 1)
        with pytest.raises(RuntimeError, match="[Oo]utput size is too small"):
            for layer in model.body.values():  # past the network's own refusal
                x = layer(x)


# --- scaled rows -------------------------------------------------------------------------


def widths_of(row) -> tuple[int | None, ...]:
    if isinstance(row, InceptionRow):
        return dataclasses.astuple(row.widths)
    return (row.reduce, row.out_channels) if isinstance(row, Convolution) else ()


@pytest.mark.parametrize("divisor", [2, 4, 8])  # every printed width can be divided by 8
def test_scaled_rows_are_the_printed_ones_divided(divisor):
    scaled = {row.name: row for row in scale_rows(TABLE_1, 1 / divisor)}
    for module in MODULES:
        expected = tuple(width // divisor for width in dataclasses.astuple(module.widths))
        assert dataclasses.astuple(scaled[module.name].widths) == expected
    assert widths_of(scaled["conv1"]) == (None, 64 // divisor)
    assert widths_of(scaled["conv2"]) == (64 // divisor, 192 // divisor)


@pytest.mark.parametrize("factor", [0.001, 0.3, 1, 2.5], ids=str)
def test_scaling_changes_widths_and_nothing_else(factor):
    scaled = scale_rows(TABLE_1, factor)
    for row, original in zip(scaled, TABLE_1, strict=True):
        for width, printed in zip(widths_of(row), widths_of(original), strict=True):
            assert (width is None) == (printed is None)
            if width is not None:
                assert type(width) is int
                assert width == 1 or abs(width - factor * printed) <= 0.5
                assert width >= 1
        if isinstance(row, InceptionRow):
            assert dataclasses.replace(row, widths=original.widths) == original
        elif isinstance(row, Convolution):
            restored = {"out_channels": original.out_channels, "reduce": original.reduce}
            assert dataclasses.replace(row, **restored) == original
        else:
            assert row == original
    if factor == 1:
        assert scaled == TABLE_1


def test_a_width_never_falls_below_one():
    assert {width for row in scale_rows(TABLE_1, 1e-6) for width in widths_of(row)} == {None, 1}


@pytest.mark.parametrize("factor", [np.float32(0.5), np.float64(0.5), np.int64(2), 2], ids=repr)
def test_numbers_of_every_kind_scale(factor):
    (row,) = scale_rows((Convolution("conv1", kernel_size=3, stride=1, out_channels=10),), factor)
    assert row.out_channels == 10 * float(factor) and type(row.out_channels) is int


@pytest.mark.parametrize(
    "bad", [0, -0.5, True, "1", None, float("nan"), float("inf"), 1j], ids=repr
)
def test_the_factor_is_checked(bad):
    message = f"^factor must be a finite number above 0, but it is {re.escape(repr(bad))}$"
    with pytest.raises(ValueError, match=message):
        scale_rows(TABLE_1, bad)


# --- refusals ----------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [0, -1, 1.5, True, "64"], ids=repr)
@pytest.mark.parametrize("field", WIDTH_FIELDS)
def test_every_width_is_checked(field, bad):
    widths = dict.fromkeys(WIDTH_FIELDS, 8) | {field: bad}
    message = f"^{field} must be a whole number of at least 1, but it is {re.escape(repr(bad))}$"
    with pytest.raises(ValueError, match=message):
        InceptionWidths(**widths)


def test_widths_of_one_are_allowed_and_widths_cannot_be_changed():
    widths = InceptionWidths(1, 1, 1, 1, 1, 1)
    assert (widths.out_channels, widths.naive_out_channels(7)) == (4, 10)
    with pytest.raises(dataclasses.FrozenInstanceError):
        widths.c1x1 = 2


@pytest.mark.parametrize("argument", ["in_channels", "image_size"])
def test_walk_checks_its_numbers(argument):
    with pytest.raises(
        ValueError, match=f"^{argument} must be a whole number of at least 1, but it is 0$"
    ):
        list(layer_shapes(TABLE_1, **{argument: 0}))


def test_walk_refuses_an_image_that_vanishes():
    lost_at = NAMES[len(sizes_in_torch(TABLE_1, 30))]
    message = rf"image_size 30 is too small: a map of 1x1 reaches row '{lost_at}'.*\(at least 31\)$"
    with pytest.raises(ValueError, match=message):
        list(layer_shapes(TABLE_1, image_size=30))


@pytest.mark.parametrize("value", [7, np.int64(7), np.uint8(7)], ids=repr)
def test_whole_numbers_of_numpy_become_plain_ones(value):
    number = require_positive_int("size", value)
    assert number == 7 and type(number) is int


@pytest.mark.parametrize(
    "bad", [0, -1, 7.0, True, "7", None, np.int64(0), np.float64(7), np.bool_(True)], ids=repr
)
def test_other_numbers_are_refused(bad):
    message = f"^size must be a whole number of at least 1, but it is {re.escape(repr(bad))}$"
    with pytest.raises(ValueError, match=message):
        require_positive_int("size", bad)


def test_numbers_of_numpy_leave_no_trace():
    widths = InceptionWidths(*np.array([64, 96, 128, 16, 32, 32]))
    assert widths == WIDTHS["3a"]
    assert {type(width) for width in dataclasses.astuple(widths)} == {int}
    first = next(layer_shapes(TABLE_1, np.int64(3), np.int64(224)))
    assert {type(number) for number in first[1:]} == {int}


@pytest.mark.parametrize("call", [
    lambda: list(layer_shapes(())), lambda: inception_shapes(()), lambda: list(layer_shapes([])),
])  # fmt: skip
def test_a_table_without_rows_is_refused(call):
    message = "^rows must hold at least one row, for instance TABLE_1, but it is empty$"
    with pytest.raises(ValueError, match=message):
        call()


ROW_X = InceptionRow("x", InceptionWidths(8, 8, 8, 8, 8, 8))
TAKES_ROWS = [
    lambda rows: list(layer_shapes(rows)), inception_shapes, smallest_image_size, network_cost, compare_modules, stacked_naive_costs,
    lambda rows: scale_rows(rows, 2), lambda rows: GoogLeNet(rows=rows, aux=False), lambda rows: GoogLeNet(rows=rows),
    lambda rows: network_cost(rows, aux=True),
]  # fmt: skip


@pytest.mark.parametrize("call", TAKES_ROWS)
@pytest.mark.parametrize("rows, message", [
    ((MaxPool("p"), ROW_X, ROW_X), "^rows must have different names, but 'x' stands 2 times$"),
    ((1, 2), "^rows must hold Convolution, MaxPool and InceptionRow only, but it holds 1$"),
    (GoogLeNet, "^rows must be a tuple of rows, for instance TABLE_1, but it is <class .*GoogLeNet"),
    ((dataclasses.replace(ROW_X, name="linear"),), "^rows must have other names than linear, .*, but one is 'linear'$"),
    ((dataclasses.replace(ROW_X, name="norm_pool1"),), "^rows must have other names than .*, but one is 'norm_pool1'$"),
])  # fmt: skip
def test_rows_are_checked_wherever_they_come_in(call, rows, message):
    with pytest.raises(ValueError, match=message):
        call(rows)


def test_no_module_disappears():
    """Rows of different names are all there, in the network and in its cost."""
    rows = (Convolution("c", 3, 1, 16), MaxPool("p"), ROW_X, dataclasses.replace(ROW_X, name="y"))
    model = GoogLeNet(
        in_channels=1, num_classes=10, rows=rows, aux=False, norm="none", image_size=28
    )
    assert list(model.body) == ["c", "p", "x", "y"]
    parameters = sum(each.numel() for each in model.parameters())
    assert parameters == sum(
        cost.parameters
        for cost in network_cost(rows, in_channels=1, num_classes=10, image_size=28).values()
    )


@pytest.mark.parametrize("build, message", [
    (lambda: Convolution("c", 0, 0, -3), "^kernel_size must be a whole number of at least 1, but it is 0$"),
    (lambda: Convolution("c", 3, 0, 8), "^stride must be a whole number of at least 1, but it is 0$"),
    (lambda: Convolution("c", 3, 1, -3), "^out_channels must be a whole number of at least 1, but it is -3$"),
    (lambda: Convolution("c", 3, 1, 8, reduce=0), "^reduce must be a whole number of at least 1, but it is 0$"),
    (lambda: Convolution("c", 4, 1, 8), "^kernel_size must be odd, but it is 4$"),
    (lambda: Convolution("", 3, 1, 8), "^name must be a text without dots, for instance 'conv1', but it is ''$"),
    (lambda: MaxPool("a.b"), "^name must be a text without dots, .*, but it is 'a.b'$"),
    (lambda: MaxPool("p", kernel_size=2.0), r"^kernel_size must be a whole number of at least 1, but it is 2\.0$"),
    (lambda: MaxPool("p", stride=0), "^stride must be a whole number of at least 1, but it is 0$"),
    (lambda: MaxPool("p", padding=2), "^padding must be a whole number from 0 to 1, half the window, but it is 2$"),
    (lambda: MaxPool("p", padding=True), "^padding must be a whole number from 0 to 1, .*, but it is True$"),
    (lambda: MaxPool("p", ceil_mode="no"), "^ceil_mode must be True or False, but it is 'no'$"),
    (lambda: InceptionRow(3, WIDTHS["3a"]), "^name must be a text without dots, .*, but it is 3$"),
    (lambda: InceptionRow("3a", (64, 96)), r"^widths must be InceptionWidths\(.*but it is \(64, 96\)$"),
    (lambda: list(layer_shapes(TABLE_1, naive="no")), "^naive must be True or False, but it is 'no'$"),
    (lambda: network_cost(aux=1), "^aux must be True or False, but it is 1$"),
    (lambda: GoogLeNet(aux="no"), "^aux must be True or False, but it is 'no'$"),
])  # fmt: skip
def test_a_row_is_checked_when_it_is_made(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_numbers_of_a_row_become_plain_ones():
    rows = (
        Convolution("c", np.int64(3), np.int64(1), np.int64(8), np.int64(2)),
        MaxPool("p", np.int64(3), np.int64(2), np.int64(1)),
    )
    assert {type(value) for row in rows for value in dataclasses.astuple(row)[1:]} == {int, bool}


def test_smallest_image_size_refuses_an_unknown_row():
    with pytest.raises(
        ValueError, match=r"^upto must be one of conv1, pool1, .*, 5b, but it is '9z'$"
    ):
        smallest_image_size(TABLE_1, "9z")


def test_require_heads_takes_what_torch_can_pool():
    """From 79 pixels on, a 5x5 average pooling fits behind 4a and behind 4d."""
    behind_4d = TABLE_1[: WORKING_NAMES.index("4d") + 1]
    for image_size in range(1, 130):
        sizes = sizes_in_torch(behind_4d, image_size)
        if len(sizes) == len(behind_4d) and sizes[-1] >= 5:
            require_heads(TABLE_1, image_size)
            continue
        message = (
            f"^image_size {image_size} is too small for the auxiliary .* at least 79, or aux=False$"
        )
        with pytest.raises(ValueError, match=message):
            require_heads(TABLE_1, image_size)


def test_require_heads_names_a_size_that_all_rows_survive():
    """Many poolings behind 4d ask for more than the heads do."""
    rows = TABLE_1 + tuple(MaxPool(f"more{number}") for number in range(3))
    needed = smallest_image_size(rows)
    assert needed > 79
    with pytest.raises(ValueError, match=f"at least {needed}, or aux=False$"):
        require_heads(rows, needed - 1)
    require_heads(rows, needed)


@pytest.mark.parametrize("missing", ["4a", "4d"])
def test_require_heads_needs_both_modules(missing):
    rows = tuple(row for row in TABLE_1 if row.name != missing)
    with pytest.raises(
        ValueError, match="^aux=True needs the modules 4a and 4d among rows; use aux=False$"
    ):
        require_heads(rows, 224)
