"""What was tried on the way to the recipe, and what of it did not help.

    python benchmarks/ablations.py --threads 2 --only speed speed_compiled   # about 5 minutes
    python benchmarks/ablations.py --jobs 2 --threads 1                      # the rest: an hour
    python benchmarks/ablations.py --threads 1 --short                       # about 20 seconds

One thing is changed at a time. Every network learns from 50,000 images and is measured on
10,000 others; all of them are training images. The test images take no part, so they stay
unseen for ``recipe.py``. There are two rows of trials: of one epoch, and of six, where what
keeps a network from learning by heart can show its worth.

Some runs change nothing but the seed. They show how far apart two networks are by chance
alone: a change that moves the accuracy by less has not been shown to do anything.

``speed`` times the steps of training with the weights and images in two memory formats
and two precisions, in turns; ``speed_compiled`` with ``torch.compile``, which needs a C++
compiler, and says how long compiling takes.
"""

import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from statistics import median
from typing import Any

import torch
from common import Result, fashion_mnist, parse, record, run_all
from recipe import USUAL, choose_augment, description, precision, total_steps, train
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn

from gnet_lib import GoogLeNet, Muon, NaiveInception, evaluate, one_cycle, set_seed
from gnet_lib._recipe import Augmentation
from gnet_lib.augmentation import erase_rectangles
from gnet_lib.data import ImageDataset, batches
from gnet_lib.googlenet import MINI_ROWS
from gnet_lib.inception import Inception, InceptionBase
from gnet_lib.paper import Convolution, Row, scale_rows

HELD_OUT = 10_000
BASELINE = {
    **USUAL, "train_images": 50_000, "stem": "3x3, then pooling", "dropout": 0.0, "extra": None,
}  # fmt: skip
LONG = {**BASELINE, "epochs": 6}
SGD = {"optimizer": "SGD", "learning_rate": 0.1, "warm_up": 0.3, "shape": "cos"}

CHANGES = {
    "the recipe": {},
    "SGD in place of Muon": {"optimizer": "SGD", "learning_rate": 0.1},
    "SGD, rate 0.2": {"optimizer": "SGD", "learning_rate": 0.2},
    "SGD, rate 0.05": {"optimizer": "SGD", "learning_rate": 0.05},
    "filters' rate 0.06": {"learning_rate": 0.06},
    "filters' rate 0.24": {"learning_rate": 0.24},
    "full size throughout": {"small_until": 0},
    "small for 30 %": {"small_until": 0.3},
    "small for 70 %": {"small_until": 0.7},
    "small is 16x16": {"small": 16},
    "small is 24x24": {"small": 24},
    "warm-up 2 %": {"warm_up": 0.02},
    "warm-up 30 %": {"warm_up": 0.3},
    "rate falls along a cosine": {"shape": "cos"},
    "batches of 64": {"batch_size": 64},
    "batches of 256": {"batch_size": 256},
    "no label smoothing": {"label_smoothing": 0.0},
    "label smoothing 0.2": {"label_smoothing": 0.2},
    "no mirroring": {"max_shift": None},
    "moved by up to 1, too": {"max_shift": 1},
    "a quarter erased": {"erased": 0.25},
    "dropout 0.2": {"dropout": 0.2},
    "whitened stem": {"extra": "whitened stem"},
    "averaged weights": {"extra": "averaged weights"},
    "distilled from the naive network": {"extra": "distilled"},
    "stem 3x3, stride 2": {"stem": "3x3, stride 2"},
    "stem 5x5, stride 2": {"stem": "5x5, stride 2"},
}
LONG_CHANGES = {
    "the recipe": {},
    "SGD with its own schedule": SGD,
    "full size throughout": {"small_until": 0},
    "no mirroring": {"max_shift": None},
    "moved by up to 1, too": {"max_shift": 1},
    "moved by up to 2, too": {"max_shift": 2},
    "a quarter erased": {"erased": 0.25},
    "half erased": {"erased": 0.5},
    "ever more erased, up to half": {"extra": "growing erasing"},
    "mirrored in turns": {"max_shift": None, "extra": "mirrored in turns"},
    "dropout 0.2": {"dropout": 0.2},
    "branches left out by chance": {"extra": "branches left out"},
    "averaged weights": {"extra": "averaged weights"},
}
SEEDS = {"the recipe": (0, 1, 2, 3, 4)}
LONG_SEEDS = {"the recipe": (0, 1, 2)}
SPEED = {"batch_size": 128, "rounds": 3, "steps": 20}


def trials() -> dict[str, Result]:
    """All trials: first the change, then how long it lasted and its seed."""
    rows = (("6 epochs", LONG, LONG_CHANGES, LONG_SEEDS), ("1 epoch", BASELINE, CHANGES, SEEDS))
    return {
        f"{name}, {length}, seed {seed}": {**usual, **change, "seed": seed}
        for length, usual, changes, seeds in rows
        for name, change in changes.items()
        for seed in seeds.get(name, (0,))
    }


RUNS = {"speed": SPEED, "speed_compiled": SPEED, **trials()}
SMALL = {**BASELINE, "train_images": 960, "held_out": 500, "batch_size": 16}
SHORT = {
    "speed": {"batch_size": 32, "rounds": 2, "steps": 2},
    "the recipe": SMALL,
    **{
        name: {**SMALL, "extra": name}
        for name in ("whitened stem", "averaged weights", "mirrored in turns", "branches left out",
                     "growing erasing", "distilled")
    },
}  # fmt: skip


# --- trials of settings -------------------------------------------------------------------


def stem_rows(stem: str) -> tuple[Row, ...]:
    """The rows of MiniGoogLeNet with one of three stems; the modules are the same."""
    stems = {
        "3x3, stride 2": (Convolution("conv1", kernel_size=3, stride=2, out_channels=32),),
        "5x5, stride 2": (Convolution("conv1", kernel_size=5, stride=2, out_channels=32),),
        "3x3, then pooling": MINI_ROWS[:2],
    }
    return (*stems[stem], *MINI_ROWS[2:])


def build_trial(settings: Result, module: type[InceptionBase] = Inception) -> GoogLeNet:
    """The network of a trial, with the first weights that its seed gives it."""
    set_seed(settings["seed"])
    return GoogLeNet(
        in_channels=1,
        num_classes=10,
        aux=False,
        norm="batch",
        module=module,
        image_size=28,
        dropout=settings["dropout"],
        rows=scale_rows(stem_rows(settings["stem"]), settings["width"]),
    )


def try_settings(settings: Result, checkpoint: Path) -> Result:
    """Train with some settings and measure on the images held out."""
    whole, _ = fashion_mnist()
    rest, held_out = whole.split(settings.get("held_out", HELD_OUT))
    some = rest.stratified_subset(settings["train_images"])
    model = build_trial(settings)
    train_trial = EXTRAS[settings["extra"]]
    started = time.perf_counter()
    trained = train_trial(model, settings, some)
    seconds = time.perf_counter() - started
    measured = evaluate(trained, held_out)
    return {
        "network": description(model),
        "precision": precision(settings),
        "validation_images": len(held_out),
        "validation_accuracy": round(measured.accuracy, 5),
        "validation_loss": round(measured.loss, 5),
        "seconds": round(seconds, 1),
    }


# --- what needs more than another number ---------------------------------------------------


def plainly(model: nn.Module, settings: Result, images: ImageDataset) -> nn.Module:
    """The recipe as it is."""
    train(model, settings, images)
    return model


def whitened_stem(model: GoogLeNet, settings: Result, images: ImageDataset) -> nn.Module:
    """First filters from the data: they turn a patch's nine pixels into nine unrelated numbers.

    Source: https://github.com/KellerJordan/cifar10-airbench, where they stay as they are; here
    they are where the training begins.
    """
    patches = F.unfold(images.images[:5_000], kernel_size=3).mT.reshape(-1, 9)
    values, directions = torch.linalg.eigh(patches.mT @ patches / len(patches))
    filters = (directions / (values + 0.01).sqrt()).mT.reshape(9, 1, 3, 3)
    both_signs = torch.cat([filters, -filters])  # ReLU cuts off one half of each
    first = next(each for each in model.modules() if isinstance(each, nn.Conv2d))
    with torch.no_grad():
        first.weight[:18] = both_signs / both_signs.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    return plainly(model, settings, images)


def averaged_weights(model: nn.Module, settings: Result, images: ImageDataset) -> nn.Module:
    """Each weight's mean over the last fifth or so of the steps, the latest counting most.

    Source: section 6 of the paper names Polyak and Juditsky 1992.
    """
    averaged = AveragedModel(
        model, multi_avg_fn=get_ema_multi_avg_fn(1 - 10 / total_steps(settings))
    )

    def average(batch: Tensor) -> Tensor:
        averaged.update_parameters(model)
        return batch

    train(model, settings, images, before=average)
    with torch.no_grad():
        update_bn(batches(images.stratified_subset(len(images) // 10), 500), averaged)
    return averaged.module


def mirrored_in_turns(model: nn.Module, settings: Result, images: ImageDataset) -> nn.Module:
    """Half of the images mirrored at first, by chance; after each epoch the other half.

    So an image is seen from both sides in any two epochs, which chance does not grant.
    Source: Jordan 2024, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU" (arXiv 2404.00498).
    """
    pixels = images.images.clone()
    is_mirrored = torch.rand(len(pixels), generator=torch.Generator().manual_seed(1)) < 0.5
    pixels[is_mirrored] = pixels[is_mirrored].flip(-1)
    in_turns = ImageDataset(pixels, images.labels)
    first_of_epoch = 0

    def turn(batch: Tensor, done: float) -> Tensor:
        nonlocal first_of_epoch
        if int(done * settings["epochs"]) > first_of_epoch:
            first_of_epoch += 1
            pixels.copy_(pixels.flip(-1))  # fit reads from this memory
        return batch

    train(model, settings, in_turns, before=turn)
    return model


def branches_left_out(model: nn.Module, settings: Result, images: ImageDataset) -> nn.Module:
    """In a tenth of all cases a branch of a module answers 0, for each image anew.

    What stochastic depth (Huang and others 2016, arXiv 1603.09382) does to a residual network's
    blocks; a module without its whole answer would leave nothing here.
    """

    def leave_out(branch: nn.Module, given: Any, maps: Tensor) -> Tensor:
        if not branch.training:
            return maps
        kept = (torch.rand(len(maps), 1, 1, 1) > 0.1).to(maps.dtype)
        return maps * kept / 0.9

    for module in model.modules():
        if isinstance(module, InceptionBase):
            for branch in module.branches.values():
                branch.register_forward_hook(leave_out)
    return plainly(model, settings, images)


def erase_ever_more(images: Tensor, generator: torch.Generator, done: float) -> Tensor:
    """None at first, half of the images at the end."""
    return erase_rectangles(images, done / 2, generator)


def growing_erasing(model: nn.Module, settings: Result, images: ImageDataset) -> nn.Module:
    """Regularisation that grows with the run, as in Tan and Le 2021 (arXiv 2104.00298)."""
    train(model, settings, images, before=erase_ever_more)
    return model


def distilled(model: nn.Module, settings: Result, images: ImageDataset) -> nn.Module:
    """Half of the loss asks for the answers of a naive network that was trained before.

    Source: Hinton and others 2015, "Distilling the Knowledge in a Neural Network" (arXiv
    1503.02531).
    """
    teacher = plainly(build_trial(settings, NaiveInception), settings, images)
    steps = total_steps(settings)
    optimizer = Muon(model.parameters(), lr=settings["learning_rate"])
    schedule = one_cycle(optimizer, steps, settings["warm_up"], settings["shape"])
    generator = torch.Generator().manual_seed(settings["seed"])
    augment = Augmentation(choose_augment(settings))
    model.to(memory_format=torch.channels_last).train()
    done = 0
    for _ in range(settings["epochs"]):
        for chosen, labels in batches(
            images, settings["batch_size"], generator=generator, drop_last=True
        ):
            batch = augment(chosen, generator, done / steps)
            batch = batch.contiguous(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16):
                logits = model(batch)
                with torch.no_grad():
                    wanted = teacher(batch).float().softmax(1)
            loss = F.cross_entropy(
                logits.float(), labels, label_smoothing=settings["label_smoothing"]
            ) + F.cross_entropy(logits.float(), wanted)
            optimizer.zero_grad()
            (loss / 2).backward()
            optimizer.step()
            schedule.step()
            done += 1
    return model.eval()


EXTRAS: dict[str | None, Callable[..., nn.Module]] = {
    None: plainly,
    "whitened stem": whitened_stem,
    "averaged weights": averaged_weights,
    "mirrored in turns": mirrored_in_turns,
    "branches left out": branches_left_out,
    "growing erasing": growing_erasing,
    "distilled": distilled,
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
