"""Measure how long the networks of chapter 1 take on this computer's CPU, and write it down.

    python benchmarks/latency.py          # about two minutes; writes gnet_lib/results/latency.json
    python benchmarks/latency.py --again  # one more round: of both, the faster times are kept

Chapter 1 draws from that file, so that the book shows one machine's times and says which.
One thread computes: the time of a single core is easier to explain, and to compare with
another machine's. Other programs can only make a pass slower, so the fastest of several
passes is kept; on a computer that is never quiet, take several rounds.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import common
import torch
from torch import nn
from torchvision import models

from gnet_lib import GoogLeNet, latency_ms

COMMAND = "python benchmarks/latency.py"

NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "AlexNet": lambda: models.alexnet(weights=None),
    "GoogLeNet": lambda: GoogLeNet(aux=False),
    "GoogLeNet without normalisation": lambda: GoogLeNet(aux=False, norm="none"),
    "ResNet-18": lambda: models.resnet18(weights=None),
    "VGG-16": lambda: models.vgg16(weights=None, init_weights=False),
}
REPEATS = {1: 20, 32: 3}
"""Images in a batch -> number of timed passes (two that are not timed come first)."""


def linear_part(model: nn.Module) -> nn.Sequential:
    """The linear layers of a network, one behind the other, without what is between them."""
    return nn.Sequential(*(layer for layer in model.modules() if isinstance(layer, nn.Linear)))


def measure(build: Callable[[], nn.Module], batch: int, image_size: int = 224) -> dict:
    """Times of one network at one batch size: whole, and its linear layers alone."""
    model, repeats = build(), REPEATS[batch]
    linear = linear_part(model)
    first: Any = linear[0]
    images = torch.rand(batch, 3, image_size, image_size)
    features = torch.rand(batch, first.in_features)
    return {
        "batch": batch,
        "repeats": repeats,
        "milliseconds": round(latency_ms(model, images, repeats), 2),
        "linear_milliseconds": round(latency_ms(linear, features, 20), 3),
    }


def machine() -> dict:
    """What the times depend on; they are always taken on the CPU, with one thread."""
    return common.machine(threads=1, device="cpu")


def earlier_round(file: Path) -> dict:
    """What an earlier round recorded, if it was measured with the same machine and versions."""
    recorded = json.loads(file.read_text(encoding="utf-8"))
    if recorded["machine"] != machine():
        raise SystemExit(
            f"--again needs a file of the same machine and versions, but {file.name} was "
            f"recorded with {recorded['machine']}; measure without --again"
        )
    return recorded


def faster(row: dict, earlier: dict | None) -> dict:
    """A row with the faster of its own and an earlier round's times."""
    if earlier is None:
        return row
    fields = ("milliseconds", "linear_milliseconds")
    return {**row, **{field: min(row[field], earlier[field]) for field in fields}}


def main(arguments: list[str] | None = None) -> None:
    """Measure every network at every batch size and write the file."""
    parser = argparse.ArgumentParser(description="Record the times that chapter 1 shows.")
    parser.add_argument(
        "--out", type=Path, default=common.RESULTS / "latency.json", help="the file to write"
    )
    parser.add_argument(
        "--again", action="store_true", help="keep the faster of the file's times and new ones"
    )
    options = parser.parse_args(arguments)
    earlier = earlier_round(options.out) if options.again else {"rounds": 0, "times": []}
    before = {(row["network"], row["batch"]): row for row in earlier["times"]}
    torch.manual_seed(0)
    rows = []
    for name, build in NETWORKS.items():
        for batch in REPEATS:
            row = {"network": name, **measure(build, batch)}
            rows.append(faster(row, before.get((name, batch))))
            print(f"{name:32} batch {batch:2} {rows[-1]['milliseconds']:10.1f} ms", flush=True)
    recorded = {
        "command": COMMAND,
        "date": time.strftime("%Y-%m-%d"),
        "rounds": earlier["rounds"] + 1,
        "machine": machine(),
        "times": rows,
    }
    common.write_json(options.out, recorded)
    print(f"wrote {options.out.name}")


if __name__ == "__main__":
    main()
