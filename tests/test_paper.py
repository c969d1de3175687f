"""Tests of gnet_lib.paper.

Truth from outside: a transcription of the printed table (``paper_table1.csv``), and
torch's own convolutions and poolings for the sizes of maps.
"""

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest
import torch
from printed_table import MODULES, NAMES, PRINTED_ROWS, WIDTH_FIELDS, WORKING_NAMES
from probes import refuses
from torch import nn
from torch.nn import functional as F

from gnet_lib import paper
from gnet_lib.design import REDUCED, Conv, Pool
from gnet_lib.paper import (
    PRINTED,
    TABLE_1,
    WIDTHS,
    Convolution,
    InceptionRow,
    InceptionWidths,
    MaxPool,
    scale_rows,
)

# --- the table ---------------------------------------------------------------------------


def test_the_transcription_checks_itself():
    """Each module's four outputs add up to the channels that its row prints."""
    assert " ".join(module.name for module in MODULES) == "3a 3b 4a 4b 4c 4d 4e 5a 5b"
    for name, _, _, w, out_channels in MODULES:
        assert w.c1x1 + w.c3x3 + w.c5x5 + w.pool_proj == out_channels == w.out_channels, name
    assert sum(int(row["depth"]) for row in PRINTED_ROWS.values()) == 22


def test_rows_stand_in_the_printed_order():
    assert tuple(row.name for row in TABLE_1) == WORKING_NAMES


@pytest.mark.parametrize("row", TABLE_1, ids=lambda row: row.name)
def test_row_equals_the_printed_row(row):
    printed = PRINTED_ROWS[row.name]
    if isinstance(row, InceptionRow):
        widths = tuple(int(printed[field]) for field in WIDTH_FIELDS)
        assert dataclasses.astuple(row.widths) == widths
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
        assert (row.padding, row.ceil_mode) == (0, True)  # our reading: the paper prints neither


def test_printed_columns_are_quoted_as_printed():
    assert list(PRINTED) == list(NAMES)
    for name, printed in PRINTED_ROWS.items():
        assert printed["output_h"] == printed["output_w"]
        numbers = [int(printed[column]) for column in ("output_h", "output_c", "depth")]
        texts = [printed[column] for column in ("params_printed", "ops_printed")]
        assert list(PRINTED[name]) == numbers + texts, name


def test_widths_by_name():
    assert {module.name: module.widths for module in MODULES} == WIDTHS


def test_constants_of_section_5():
    assert paper.DROPOUT == 0.4
    assert paper.AUX_AFTER == ("4a", "4d")
    assert (paper.AUX_CHANNELS, paper.AUX_UNITS) == (128, 1024)
    assert (paper.AUX_DROPOUT, paper.AUX_WEIGHT) == (0.7, 0.3)
    assert (paper.AUX_POOL, paper.AUX_STRIDE) == (5, 3)


# --- sizes of maps -----------------------------------------------------------------------


@pytest.mark.parametrize("size", [5, 6, 7, 8, 14, 28])
def test_pooled_size_of_a_head_is_that_of_torch(size):
    assert paper.aux_pooled_size(size) == F.avg_pool2d(torch.zeros(1, size, size), 5, 3).shape[-1]


def size_of_torch(pool_or_conv: Any, size: int, *arguments: Any, **options: Any) -> int:
    """Side of what torch's function makes of such a map; 0 where it refuses to make nothing."""
    try:
        return pool_or_conv(torch.zeros(1, 1, size, size), *arguments, **options).shape[-1]
    except RuntimeError:
        return 0


@pytest.mark.parametrize("kernel_size", [1, 3, 5, 7])
def test_convolutions_leave_maps_of_torchs_size(kernel_size):
    weight = torch.zeros(1, 1, kernel_size, kernel_size)
    for stride, size in itertools.product((1, 2, 3), range(1, 13)):
        row = Convolution("c", kernel_size, stride, out_channels=1)
        by_torch = size_of_torch(F.conv2d, size, weight, stride=stride, padding=kernel_size // 2)
        assert row.output_size(size) == by_torch, (stride, size)


@pytest.mark.parametrize("kernel_size", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("ceil_mode", [True, False])
def test_poolings_leave_maps_of_torchs_size(kernel_size, ceil_mode):
    """Also where torch leaves out a last window that would lie beyond the map altogether."""
    for stride, padding in itertools.product((1, 2, 3, 4, 5), range(kernel_size // 2 + 1)):
        row = MaxPool("p", kernel_size, stride, padding, ceil_mode)
        for size in (*range(1, 13), 29):
            by_torch = size_of_torch(
                F.max_pool2d, size, kernel_size, stride, padding, ceil_mode=ceil_mode
            )
            assert max(row.output_size(size), 0) == by_torch, (stride, padding, size)


# --- scaled rows -------------------------------------------------------------------------


def widths_of(row: paper.Row) -> tuple[int | None, ...]:
    if isinstance(row, InceptionRow):
        return dataclasses.astuple(row.widths)
    return (row.reduce, row.out_channels) if isinstance(row, Convolution) else ()


@pytest.mark.parametrize("divisor", [2, 4, 8])  # every printed width can be divided by 8
def test_scaled_rows_are_the_printed_ones_divided(divisor):
    scaled = {row.name: row for row in scale_rows(TABLE_1, 1 / divisor)}
    for module in MODULES:
        expected = tuple(width // divisor for width in dataclasses.astuple(module.widths))
        assert widths_of(scaled[module.name]) == expected
    assert widths_of(scaled["conv1"]) == (None, 64 // divisor)
    assert widths_of(scaled["conv2"]) == (64 // divisor, 192 // divisor)


@pytest.mark.parametrize("factor", [0.001, 0.3, 1, 2.5], ids=str)
def test_scaling_changes_widths_and_nothing_else(factor):
    scaled = scale_rows(TABLE_1, factor)
    for row, original in zip(scaled, TABLE_1, strict=True):
        for width, printed in zip(widths_of(row), widths_of(original), strict=True):
            assert (width is None) == (printed is None)
            if width is not None and printed is not None:
                assert type(width) is int
                assert width == 1 or abs(width - factor * printed) <= 0.5
        if isinstance(row, InceptionRow) and isinstance(original, InceptionRow):
            assert dataclasses.replace(row, widths=original.widths) == original
        elif isinstance(row, Convolution) and isinstance(original, Convolution):
            restored: Any = {"out_channels": original.out_channels, "reduce": original.reduce}
            assert dataclasses.replace(row, **restored) == original
        else:
            assert row == original
    if factor == 1:
        assert scaled == TABLE_1


def test_a_width_never_falls_below_one():
    assert {width for row in scale_rows(TABLE_1, 1e-6) for width in widths_of(row)} == {None, 1}


@pytest.mark.parametrize("factor", [np.float32(0.5), np.int64(2), 2], ids=repr)
def test_numbers_of_every_kind_scale(factor):
    (row,) = scale_rows((Convolution("conv1", kernel_size=3, stride=1, out_channels=10),), factor)
    assert isinstance(row, Convolution)
    assert row.out_channels == 10 * float(factor) and type(row.out_channels) is int


@pytest.mark.parametrize(
    "bad", [0, -0.5, True, "1", None, float("nan"), float("inf"), 1j], ids=repr
)
def test_the_factor_is_checked(bad):
    refuses(scale_rows, "factor", bad, allowed="a finite number above 0", rows=TABLE_1)


# --- numbers out of a table --------------------------------------------------------------


def test_numbers_of_numpy_leave_no_trace():
    numbers: Any = np.array([64, 96, 128, 16, 32, 32])
    widths = InceptionWidths(*numbers)
    assert widths == WIDTHS["3a"]
    of_conv: Any = np.array([3, 1, 8, 2])
    of_pool: Any = np.array([3, 2, 1])
    rows = (Convolution("c", *of_conv), MaxPool("p", *of_pool))
    assert rows == (Convolution("c", 3, 1, 8, 2), MaxPool("p", 3, 2, 1))
    values = [*dataclasses.astuple(widths)]
    values += [value for row in rows for value in dataclasses.astuple(row)[1:]]
    assert {type(value) for value in values} == {int, bool}


# --- refusals ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bad", [0, -1, 7.0, 1.5, True, "64", None, np.int64(0), np.float64(7), np.bool_(True)], ids=repr
)
def test_a_width_is_a_whole_number_of_at_least_1(bad):
    sound: Any = dict.fromkeys(WIDTH_FIELDS, 1)
    assert InceptionWidths(**sound).out_channels == 4
    refuses(InceptionWidths, "c1x1", bad, allowed="a whole number of at least 1", **sound)


@pytest.mark.parametrize("field", WIDTH_FIELDS)
def test_every_width_is_checked(field):
    sound: Any = dict.fromkeys(WIDTH_FIELDS, 1)
    refuses(InceptionWidths, field, 0, **sound)


@pytest.mark.parametrize("frozen", [WIDTHS["3a"], *TABLE_1[3:5], TABLE_1[0]], ids=repr)
def test_a_row_and_its_widths_cannot_be_changed(frozen):
    with pytest.raises(dataclasses.FrozenInstanceError):
        frozen.__setattr__(dataclasses.fields(frozen)[0].name, 2)


@pytest.mark.parametrize("argument, bad", [
    ("name", ""), ("kernel_size", 0), ("kernel_size", 4), ("stride", 0), ("out_channels", 0),
    ("reduce", 0),
])  # fmt: skip
def test_a_convolution_checks_its_arguments(argument, bad):
    sound: Any = {"name": "c", "kernel_size": 3, "stride": 1, "out_channels": 8}
    refuses(Convolution, argument, bad, **sound)
    assert Convolution("c", 1, 1, 1, 1).reduce == 1


@pytest.mark.parametrize("argument, bad, allowed", [
    ("kernel_size", 2.0, "of at least 1"), ("stride", 0, "of at least 1"),
    ("padding", 2, "from 0 to 1"), ("padding", -1, "from 0 to 1"), ("ceil_mode", 1, "True or F"),
])  # fmt: skip
def test_a_pooling_checks_its_arguments(argument, bad, allowed):
    refuses(MaxPool, argument, bad, allowed=allowed, name="p")
    assert [MaxPool("p", padding=padding).padding for padding in (0, 1)] == [0, 1]
    refuses(MaxPool("p").output_size, "size", 0)


@pytest.mark.parametrize(
    "bad", ["", "a.b", 3, None, "keys", "forward", "_modules", "for"], ids=repr
)
def test_a_name_of_a_row_is_a_text_that_can_name_a_layer(bad):
    refuses(InceptionRow, "name", bad, widths=WIDTHS["3a"])
    refuses(MaxPool, "name", bad)
    refuses(Conv, "name", bad, kernel_size=1, width="c1x1")
    with pytest.raises(ValueError, match="^branches must .*, but it is"):
        REDUCED.variant("x", {bad: (Pool(),)})


def test_no_name_is_left_over_that_torch_refuses():
    for container in (nn.ModuleDict(), nn.Sequential()):
        for name in dir(container):
            refuses(MaxPool, "name", name)


@pytest.mark.parametrize("bad", [(64, 96), None, InceptionWidths], ids=repr)
def test_a_row_of_a_module_has_widths(bad):
    refuses(InceptionRow, "widths", bad, allowed="InceptionWidths(c1x1, c3x3_reduce", name="3a")


@pytest.mark.parametrize("length", [198, 199])
def test_a_very_long_value_is_shown_as_its_type(length):
    """An array or a network in the wrong place should not fill the screen."""
    with pytest.raises(ValueError, match="^name must ") as error:
        MaxPool("x" * (length - 2) + ".x")
    shown = "'" + "x" * 196 + ".x'" if length == 198 else "of type str"
    assert str(error.value).endswith(f"but it is {shown}")


ROW_X = InceptionRow("x", InceptionWidths(8, 8, 8, 8, 8, 8))


@pytest.mark.parametrize("rows, message", [
    ((MaxPool("p"), ROW_X, ROW_X), "'x' stands 2 times"),
    ((ROW_X, 1), "but it holds 1$"),
    ({"x": ROW_X}, "but it is {'x'"),
])  # fmt: skip
def test_rows_are_rows_of_different_names(rows, message):
    with pytest.raises(ValueError, match=f"^rows must .*{message}"):
        scale_rows(rows, 2)
    assert scale_rows((MaxPool("p"), MaxPool("q")), 2)


# What tables of costs and networks put beside the rows.
@pytest.mark.parametrize("taken", ["linear", "all", "norm_pool1", "norm_conv2", "aux 4a", "aux 4d"])
def test_a_name_that_the_library_uses_itself_is_taken(taken):
    with pytest.raises(ValueError, match=f"^rows must have other names .*{taken}.*'{taken}'$"):
        scale_rows((MaxPool(taken),), 2)
