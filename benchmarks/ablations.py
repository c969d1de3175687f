"""What was tried on the way to the recipe, and what of it did not help.

    python benchmarks/ablations.py --threads 2 --only speed speed_compiled   # about 5 minutes
    python benchmarks/ablations.py --jobs 2 --threads 1                      # the rest: 25 minutes
    python benchmarks/ablations.py --threads 1 --short                       # about 20 seconds

One thing is changed at a time. Every network learns from 20,000 images for three epochs
and is measured on 10,000 others; all of them are training images. The test images take no
part, so they stay unseen for ``recipe.py``.

Three runs change nothing but the seed. They show how far apart two networks are by chance
alone: a change that moves the accuracy by less has not been shown to do anything. And a
change that helps in three epochs need not help in twenty.

``speed`` times the steps of training with the weights and images in two memory formats
and two precisions, in turns; ``speed_compiled`` with ``torch.compile``, which needs a C++
compiler, and says how long compiling takes.
"""

import time
from contextlib import nullcontext
from pathlib import Path
from statistics import median

import torch
from common import Result, fashion_mnist, parse, record, run_all
from recipe import USUAL, description, precision, train
from torch.nn import functional as F

from gnet_lib import GoogLeNet, set_seed
from gnet_lib.data import ImageDataset, batches
from gnet_lib.googlenet import MINI_ROWS
from gnet_lib.paper import Convolution, Row, scale_rows

HELD_OUT = 10_000
BASELINE = {
    **USUAL,
    "label_smoothing": 0.0,
    "stem": "3x3, stride 2",
    "train_images": 20_000,
    "epochs": 3,
}

CHANGES = {
    "baseline": {},
    "baseline, seed 1": {"seed": 1},
    "baseline, seed 2": {"seed": 2},
    "images unchanged": {"max_shift": None},
    "images shifted by up to 1, too": {"max_shift": 1},
    "images shifted by up to 2, too": {"max_shift": 2},
    "label smoothing 0.1": {"label_smoothing": 0.1},
    "learning rate 0.05": {"learning_rate": 0.05},
    "learning rate 0.2": {"learning_rate": 0.2},
    "learning rate 0.4": {"learning_rate": 0.4},
    "batches of 64": {"batch_size": 64},
    "batches of 256": {"batch_size": 256},
    "weight decay 0.0001": {"weight_decay": 1e-4},
    "weight decay 0.002": {"weight_decay": 2e-3},
    "1.4 times as wide": {"width": 1.4},
    "stem 5x5, stride 2": {"stem": "5x5, stride 2"},
    "stem 3x3, then pooling": {"stem": "3x3, then pooling"},
}
SPEED = {"batch_size": 128, "rounds": 3, "steps": 20}

RUNS = {
    "speed": SPEED,
    "speed_compiled": SPEED,
    **{name: {**BASELINE, **change} for name, change in CHANGES.items()},
}
SMALL = {**BASELINE, "train_images": 1_920, "held_out": 1_000, "epochs": 1, "batch_size": 32}
SHORT = {
    "speed": {"batch_size": 32, "rounds": 2, "steps": 2},
    "baseline": SMALL,
    "images unchanged": {**SMALL, "max_shift": None},
}


# --- trials of settings -------------------------------------------------------------------


def stem_rows(stem: str) -> tuple[Row, ...]:
    """The rows of MiniGoogLeNet with one of three stems; the modules are the same."""
    stems = {
        "3x3, stride 2": (Convolution("conv1", kernel_size=3, stride=2, out_channels=32),),
        "5x5, stride 2": (Convolution("conv1", kernel_size=5, stride=2, out_channels=32),),
        "3x3, then pooling": MINI_ROWS[:2],
    }
    return (*stems[stem], *MINI_ROWS[2:])


def build_trial(settings: Result) -> GoogLeNet:
    """The network of a trial, with the first weights that its seed gives it."""
    set_seed(settings["seed"])
    return GoogLeNet(
        in_channels=1,
        num_classes=10,
        aux=False,
        norm="batch",
        image_size=28,
        dropout=settings["dropout"],
        rows=scale_rows(stem_rows(settings["stem"]), settings["width"]),
    )


def try_settings(settings: Result, checkpoint: Path) -> Result:
    """Train with some settings and measure on the images held out."""
    whole, _ = fashion_mnist()
    rest, held_out = whole.split(settings.get("held_out", HELD_OUT))
    model = build_trial(settings)
    some = rest.stratified_subset(settings["train_images"])
    history = train(model, settings, some, held_out, checkpoint=checkpoint)
    last = history.rows[-1]
    return {
        "network": description(model),
        "precision": precision(settings),
        "validation_images": len(held_out),
        "validation_accuracy": round(last["validation_accuracy"], 5),
        "validation_loss": round(last["validation_loss"], 5),
        "train_loss": round(last["train_loss"], 5),
        "images_per_second": round(last["images_per_second"], 1),
    }


# --- trials of speed ----------------------------------------------------------------------

VARIANTS = {
    "float32, contiguous": {"bfloat16": False, "channels_last": False},
    "float32, channels last": {"bfloat16": False, "channels_last": True},
    "bfloat16, contiguous": {"bfloat16": True, "channels_last": False},
    "bfloat16, channels last": {"bfloat16": True, "channels_last": True},
}
COMPILED = ("float32, channels last", "bfloat16, channels last")


class Timed:
    """A network with its optimiser, to time the steps of training."""

    def __init__(self, bfloat16: bool, channels_last: bool, compiled: bool = False) -> None:
        self.bfloat16 = bfloat16
        self.format = torch.channels_last if channels_last else torch.contiguous_format
        model = build_trial(BASELINE).to(memory_format=self.format).train()
        self.optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        self.model = torch.compile(model) if compiled else model

    def rate(self, images_and_labels: ImageDataset, batch_size: int) -> float:
        """Images per second of one pass through some images."""
        started = time.perf_counter()
        for images, labels in batches(images_and_labels, batch_size):
            with torch.autocast("cpu", torch.bfloat16) if self.bfloat16 else nullcontext():
                logits = self.model(images.to(memory_format=self.format))
                loss = F.cross_entropy(logits, labels)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
        return len(images_and_labels) / (time.perf_counter() - started)


def measure_speed(settings: Result, names: tuple[str, ...], compiled: bool) -> Result:
    """Rates of some variants, in turns; and the seconds of each one's first step."""
    train_images, _ = fashion_mnist()
    batch_size = settings["batch_size"]
    timed = {name: Timed(**VARIANTS[name], compiled=compiled) for name in names}
    first = train_images.stratified_subset(batch_size)
    # The first step prepares PyTorch for these shapes, and compiles.
    first_seconds = {
        name: batch_size / each.rate(first, batch_size) for name, each in timed.items()
    }
    some = train_images.stratified_subset(settings["steps"] * batch_size)
    rates = {name: [] for name in names}
    for _ in range(settings["rounds"]):
        for name, each in timed.items():
            rates[name].append(each.rate(some, batch_size))
    return {
        name: {
            "first_step_seconds": round(first_seconds[name], 1),
            "images_per_second": round(median(rates[name]), 1),
        }
        for name in names
    }


# --- the command --------------------------------------------------------------------------


def run_one(name: str, settings: Result, checkpoint: Path) -> Result:
    """One trial."""
    if name == "speed":
        return measure_speed(settings, tuple(VARIANTS), compiled=False)
    if name == "speed_compiled":
        return measure_speed(settings, COMPILED, compiled=True)
    return try_settings(settings, checkpoint)


def main(arguments: list[str] | None = None) -> None:
    """Do the trials and write the file."""
    options = parse(str(__doc__).splitlines()[0], arguments)
    runs, benchmark = (SHORT, "ablations-short") if options.short else (RUNS, "ablations")
    done = run_all(benchmark, runs, run_one, options.jobs, options.threads, options.only)
    record("ablations", {"runs": done}, options)


if __name__ == "__main__":
    main()
