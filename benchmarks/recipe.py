"""How far MiniGoogLeNet gets on Fashion-MNIST: in 20 seconds, in 40, and in six minutes.

    python benchmarks/recipe.py --threads 2           # about twenty-five minutes
    python benchmarks/recipe.py --threads 1 --short   # about 20 seconds

Every time has three runs, which differ in their seed alone. A run learns from training
images and is measured on the 10,000 test images at the end of every epoch; what counts is
the mean of the three after the last epoch, and the seconds of the slowest. All settings
below were chosen on training images held out (``ablations.py``), and stood fixed before
the first of these runs began.

After the last epoch each network is measured once more, with its answers for an image and
for the mirrored image averaged. That costs twice the multiply-adds for each answer, so it
stands under a name of its own, ``accuracy_with_mirrored``.
"""

from functools import partial
from math import ceil
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch
from common import PASSES_PER_STEP, Result, fashion_mnist, parse, record, run_all
from torch import Tensor, nn

from gnet_lib import History, MiniGoogLeNet, Muon, evaluate, fit, one_cycle, set_seed
from gnet_lib.augmentation import erase_rectangles, shift_and_flip, small_first
from gnet_lib.cost import torchinfo_cost
from gnet_lib.data import ImageDataset
from gnet_lib.device import choose_precision, pick_device

PUBLISHED = {
    "GoogLeNet, in the data set's own table": 0.937,
    "DenseNet-BC with 768 K parameters, in the data set's own table": 0.954,
}
"""Test accuracies to compare with: https://github.com/zalandoresearch/fashion-mnist"""

GOALS = {"20 seconds": 0.90, "40 seconds": 0.915, "6 minutes": 0.937}
TIME_LIMITS = {"20 seconds": 20, "40 seconds": 40, "6 minutes": 360}
"""Seconds of training within which the accuracy is to be reached, on two CPU cores."""

SEEDS = (0, 1, 2)

EARLIER = {
    "width": 1.0,
    "dropout": 0.0,
    "train_images": 60_000,
    "epochs": 2,
    "batch_size": 128,
    "learning_rate": 0.1,
    "weight_decay": 5e-4,
    "label_smoothing": 0.1,
    "max_shift": 0,
    "seed": 0,
}
"""The recipe before this one: SGD, full size throughout. ``best.py``, ``fair.py`` and
``side_by_side.py`` were recorded with it. What it leaves out is as ``fit`` has it."""

# --- the recipe: everything that was chosen, in one place ---------------------------------

# small, small_until: the height of the images in the first part of the run, and its share.
# max_shift: how many pixels an image is moved at most; 0 mirrors only, None changes nothing.
# erased: the chance of an image to lose a rectangle.

USUAL = {
    "width": 1.0,
    "train_images": 60_000,
    "epochs": 1,
    "batch_size": 128,
    "optimizer": "Muon",
    "learning_rate": 0.12,
    "warm_up": 0.1,
    "shape": "linear",
    "label_smoothing": 0.1,
    "small": 20,
    "small_until": 0.5,
    "max_shift": 0,
    "erased": 0.0,
    "seed": 0,
}

RECIPES = {
    "20 seconds": {**USUAL, "train_images": 36_000},
    "40 seconds": {**USUAL, "train_images": 42_000, "epochs": 2},
    "6 minutes": {**USUAL, "epochs": 14},
}
RUNS = {
    f"{name}, seed {seed}": {**settings, "seed": seed}
    for name, settings in RECIPES.items()
    for seed in SEEDS
}
SHORT = {"short": {**USUAL, "train_images": 3_840, "test_images": 2_000}}


# --- building and training ----------------------------------------------------------------


def build(settings: Result) -> MiniGoogLeNet:
    """The network of a run, with the first weights that its seed gives it."""
    set_seed(settings["seed"])
    return MiniGoogLeNet(settings.get("in_channels", 1), width=settings["width"])


def choose_augment(settings: Result) -> list[Any]:
    """What changes each batch of training images."""
    steps: list[Any] = []
    if settings.get("max_shift") is not None:
        steps.append(partial(shift_and_flip, max_shift=settings["max_shift"]))
    if settings.get("erased"):
        steps.append(partial(erase_rectangles, chance=settings["erased"]))
    if settings.get("small_until"):
        until = {"size": settings["small"], "until": settings["small_until"]}
        steps.append(partial(small_first, **until))
    return steps


def choose_schedule(settings: Result) -> Any:
    """The one cycle of the learning rate, or None for that of ``fit``."""
    if "warm_up" not in settings:
        return None
    return partial(one_cycle, warm_up=settings["warm_up"], shape=settings["shape"])


def train(
    model: nn.Module,
    settings: Result,
    train_images: ImageDataset,
    measured_on: ImageDataset | None = None,
    before: Any = None,
    checkpoint: Path | None = None,
) -> History:
    """Train a network by a recipe.

    Args:
        model: what ``build`` returned.
        settings: as in ``RECIPES``.
        train_images: what it learns from.
        measured_on: what it is measured on at every epoch's end.
        before: called on every batch before the recipe's own augmentation.
        checkpoint: for ``fit``.
    """
    return fit(
        model,
        train_images,
        measured_on,
        epochs=settings["epochs"],
        batch_size=settings["batch_size"],
        optimizer={"Muon": Muon, "SGD": None}[settings.get("optimizer", "SGD")],
        learning_rate=settings["learning_rate"],
        weight_decay=settings.get("weight_decay"),
        schedule=choose_schedule(settings),
        label_smoothing=settings["label_smoothing"],
        augment=[*([] if before is None else [before]), *choose_augment(settings)],
        seed=settings["seed"],
        checkpoint=checkpoint,
        progress=False,
        mixed_precision=settings.get("mixed_precision"),  # None: the device decides
    )


def precision(settings: Result) -> str:
    """The number format that ``fit`` computes a training step in, on this machine."""
    chosen = choose_precision(settings.get("mixed_precision"), pick_device())
    return str(chosen).removeprefix("torch.")


class WithMirrored(nn.Module):
    """A network that answers for an image and for its mirror image, and takes the mean.

    The mean is that of the probabilities; its logarithm is returned, because that is
    what logits are: softmax gives the same probabilities back.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        both = [self.network(each).softmax(1) for each in (images, images.flip(-1))]
        return torch.stack(both).mean(0).log()


# --- one run ------------------------------------------------------------------------------


def run_one(name: str, settings: Result, checkpoint: Path) -> Result:
    """Train one network, measure it after every epoch, and at the end with mirror images."""
    train_images, test_images = fashion_mnist()
    train_images = train_images.stratified_subset(settings["train_images"])
    test_images = test_images.stratified_subset(settings.get("test_images", len(test_images)))
    model = build(settings)
    history = train(model, settings, train_images, test_images, checkpoint=checkpoint)
    return {
        "network": description(model),
        "training_multiply_adds": training_cost(model, settings),
        "precision": precision(settings),
        "rows": [plain_row(row) for row in history.rows],
        "test_images": len(test_images),
        "accuracy": round(history.rows[-1]["validation_accuracy"], 5),
        "accuracy_with_mirrored": round(evaluate(WithMirrored(model), test_images).accuracy, 5),
        "seconds": round(sum(row["seconds"] for row in history.rows), 1),
    }


def description(model: nn.Module, size: int = 28, channels: int = 1) -> Result:
    """The size of a network, for images of a size."""
    return {
        "parameters": sum(each.numel() for each in model.parameters()),
        "multiply_adds": forward_cost(model, size, channels),
    }


def forward_cost(model: nn.Module, size: int = 28, channels: int = 1) -> int:
    """Multiply-adds of one forward pass of one image."""
    return torchinfo_cost(model, (1, channels, size, size)).multiply_adds


def total_steps(settings: Result) -> int:
    """Batches of a whole run; the images that do not fill a last one are left out."""
    return settings["epochs"] * (settings["train_images"] // settings["batch_size"])


def training_cost(model: nn.Module, settings: Result, size: int = 28, channels: int = 1) -> int:
    """Multiply-adds of a whole run: forwards and backwards, small images at their size."""
    batches = total_steps(settings)
    small = ceil(settings.get("small_until", 0) * batches)  # those before "done" reaches it
    forward = small * forward_cost(model, settings["small"], channels) if small else 0
    forward += (batches - small) * forward_cost(model, size, channels)
    return PASSES_PER_STEP * settings["batch_size"] * forward


def plain_row(row: Result) -> Result:
    """A row of the history; what ``fit`` calls validation is the test set here."""
    return {
        column.replace("validation", "test"): value if column == "epoch" else round(value, 5)
        for column, value in row.items()
    }


# --- what it comes to ---------------------------------------------------------------------


def summary(runs: dict[str, Result]) -> Result:
    """Each goal, what was measured, and whether the goal is met within its time."""
    goals = {}
    for name, goal in GOALS.items():
        results = [runs[f"{name}, seed {seed}"]["result"] for seed in SEEDS]
        found = of_seeds(results)
        in_time = found["seconds"] <= TIME_LIMITS[name]
        goals[name] = {"goal": goal, **found, "met": found["accuracy"] >= goal and in_time}
    return goals


def of_seeds(results: list[Result]) -> Result:
    """Mean and spread of some seeds' accuracies, and the seconds of the slowest."""
    accuracies = [each["accuracy"] for each in results]
    mirrored = [each["accuracy_with_mirrored"] for each in results]
    return {
        "accuracy": round(mean(accuracies), 5),
        "standard_deviation": round(stdev(accuracies), 5),
        "accuracy_with_mirrored": round(mean(mirrored), 5),
        "seconds": max(each["seconds"] for each in results),
    }


# --- the command --------------------------------------------------------------------------


def main(arguments: list[str] | None = None) -> None:
    """Do the runs and write the file."""
    options = parse(str(__doc__).splitlines()[0], arguments)
    chosen, benchmark = (SHORT, "recipe-short") if options.short else (RUNS, "recipe")
    runs = run_all(benchmark, chosen, run_one, options.jobs, options.threads, options.only)
    results = {"runs": runs, "published": PUBLISHED}
    if not options.short:
        results["goals"] = summary(runs)
    record("recipe", results, options)


if __name__ == "__main__":
    main()
