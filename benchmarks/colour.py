"""The same recipe on images in colour: CIFAR-10, at a tenth of a tutorial's arithmetic.

    python benchmarks/colour.py --threads 2            # about two hours
    python benchmarks/colour.py --threads 1 --short    # about 20 seconds

The University of Amsterdam's deep learning tutorial trains a GoogLeNet of its own on CIFAR-10
for 180 epochs of 45,000 images and prints a test accuracy of 89.7 %. ``TUTORIAL`` is that
network as data; its parameters are those that the tutorial prints. Here MiniGoogLeNet, wider
and with three input channels, gets the recipe of Fashion-MNIST, and no more than a tenth of
the tutorial's multiply-adds. What a run costs is computed, and is in the record.

Width, epochs and augmentation were chosen on 5,000 training images held out.
"""

from pathlib import Path

from cifar10 import cifar10
from common import PASSES_PER_STEP, Result, parse, record, run_all
from recipe import (
    USUAL,
    WithMirrored,
    build,
    description,
    of_seeds,
    plain_row,
    precision,
    train,
    training_cost,
)
from torch import nn

from gnet_lib import Convolution, GoogLeNet, InceptionRow, InceptionWidths, MaxPool, evaluate

TUTORIAL = (
    Convolution("conv1", kernel_size=3, stride=1, out_channels=64),
    InceptionRow("2a", InceptionWidths(16, 32, 32, 16, 8, 8)),
    InceptionRow("2b", InceptionWidths(24, 32, 48, 16, 12, 12)),
    MaxPool("pool2"),
    InceptionRow("3a", InceptionWidths(24, 32, 48, 16, 12, 12)),
    InceptionRow("3b", InceptionWidths(16, 32, 48, 16, 16, 16)),
    InceptionRow("3c", InceptionWidths(16, 32, 48, 16, 16, 16)),
    InceptionRow("3d", InceptionWidths(32, 32, 48, 16, 24, 24)),
    MaxPool("pool3"),
    InceptionRow("4a", InceptionWidths(32, 48, 64, 16, 16, 16)),
    InceptionRow("4b", InceptionWidths(32, 48, 64, 16, 16, 16)),
)
"""The tutorial's network, row by row."""

PUBLISHED = {"accuracy": 0.897, "parameters": 260_650, "epochs": 180, "train_images": 45_000}
"""https://lightning.ai/docs/pytorch/stable/notebooks/course_UvA-DL/04-inception-resnet-densenet.html"""

TENTH = 0.1
COLOUR = {**USUAL, "in_channels": 3, "train_images": 50_000, "small": 24}
BEST = {**COLOUR, "width": 2.0, "epochs": 16, "max_shift": 2}
RUNS = {f"seed {seed}": {**BEST, "seed": seed} for seed in range(3)}
SHORT = {"short": {**COLOUR, "train_images": 2_560, "test_images": 1_000}}

SHAPE = (32, 3)
"""Pixels a side, and channels, of an image."""


def run_one(name: str, settings: Result, checkpoint: Path) -> Result:
    """Train one network, and measure it after every epoch."""
    train_images, test_images = cifar10()
    train_images = train_images.stratified_subset(settings["train_images"])
    test_images = test_images.stratified_subset(settings.get("test_images", len(test_images)))
    model = build(settings)
    history = train(model, settings, train_images, test_images, checkpoint=checkpoint)
    return {
        "network": description(model, *SHAPE),
        "precision": precision(settings),
        "rows": [plain_row(row) for row in history.rows],
        "test_images": len(test_images),
        "training_multiply_adds": training_cost(model, settings, *SHAPE),
        "accuracy": round(history.rows[-1]["validation_accuracy"], 5),
        "accuracy_with_mirrored": round(evaluate(WithMirrored(model), test_images).accuracy, 5),
        "seconds": round(sum(row["seconds"] for row in history.rows), 1),
    }


# --- what a training costs -----------------------------------------------------------------


def tutorials_cost() -> Result:
    """Of the tutorial's network: parameters, and multiply-adds of its whole training."""
    network = GoogLeNet(3, 10, aux=False, norm="batch", image_size=32, rows=TUTORIAL)
    # Its convolutions have biases in front of the normalisation, ours have none.
    biases = sum(layer.out_channels for layer in network.modules() if isinstance(layer, nn.Conv2d))
    images = PUBLISHED["epochs"] * PUBLISHED["train_images"]
    size = description(network, *SHAPE)
    return {
        "parameters": size["parameters"] + biases,
        "training_multiply_adds": PASSES_PER_STEP * size["multiply_adds"] * images,
    }


def summary(runs: dict[str, Result]) -> Result:
    """The mean of the seeds beside the tutorial's figure, and the share of its arithmetic."""
    results = [run["result"] for run in runs.values()]
    found, theirs = of_seeds(results), tutorials_cost()
    share = results[0]["training_multiply_adds"] / theirs["training_multiply_adds"]
    reached = found["accuracy"] >= PUBLISHED["accuracy"]
    return {**found, "share_of_arithmetic": round(share, 4), "met": reached and share <= TENTH}


def main(arguments: list[str] | None = None) -> None:
    """Do the runs and write the file."""
    options = parse(str(__doc__).splitlines()[0], arguments)
    chosen, benchmark = (SHORT, "colour-short") if options.short else (RUNS, "colour")
    runs = run_all(benchmark, chosen, run_one, options.jobs, options.threads, options.only)
    results = {"runs": runs, "published": PUBLISHED, "tutorial": tutorials_cost()}
    if not options.short:
        results["goal"] = summary(runs)
    record("colour", results, options)


if __name__ == "__main__":
    main()
