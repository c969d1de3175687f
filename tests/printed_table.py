"""The paper's Table 1 as it is printed, transcribed by hand: truth from outside for many tests."""

import csv
from typing import NamedTuple

from conftest import ROOT

from gnet_lib.paper import InceptionWidths

WIDTH_FIELDS = ("c1x1", "c3x3_reduce", "c3x3", "c5x5_reduce", "c5x5", "pool_proj")
# The library's names of the printed rows, from top to bottom.
NAMES = (
    "conv1", "pool1", "conv2", "pool2", "3a", "3b", "pool3", "4a", "4b", "4c", "4d", "4e",
    "pool4", "5a", "5b", "avg pool", "dropout (40%)", "linear", "softmax",
)  # fmt: skip
WORKING_NAMES = NAMES[:15]  # the rows in front of the average pooling


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
    for (_, above), (name, row) in zip(rows, rows[1:], strict=False):
        if row["row"].startswith("inception"):
            widths = InceptionWidths(*(int(row[field]) for field in WIDTH_FIELDS))
            channels, size, out_channels = above["output_c"], above["output_h"], row["output_c"]
            modules.append(PrintedModule(name, int(channels), int(size), widths, int(out_channels)))
    return modules


PRINTED_ROWS = read_printed_rows()
MODULES = read_printed_modules()
