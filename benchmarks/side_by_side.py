"""Our network, torchvision's googlenet and the usual tutorial set-up, side by side.

    python benchmarks/side_by_side.py --threads 2           # about 50 minutes
    python benchmarks/side_by_side.py --threads 1 --short   # about 25 seconds

Everything is measured in turns in one process, so that a computer that slows down slows
all of them down. Two things are measured:

``speed``      training images per second, the median of several rounds.
``accuracy``   training seconds and multiply-adds until 80, 85, 88 and 90 % of the test
               images are right. Each set-up has a limited number of minutes; what it does
               not reach in them is written down as not reached, which still says that it
               takes longer than that.

The set-ups (all get batches of 28x28 images that are in memory already, and start from
first weights drawn with a seed):

``ours``                MiniGoogLeNet, trained by ``fit`` with the earlier recipe
                        cut to one epoch, in bfloat16 where the device computes it natively.
``tutorial``            what tutorials do: the notes' GoogLeNet on images resized to 96x96,
                        pixels from 0 to 1, Xavier initialisation, batches of 128, plain
                        SGD with a learning rate of 0.1, float32. Here a batch is resized at once;
                        tutorials do it image by image, which takes longer.
``torchvision``         torchvision's googlenet on images resized to 96x96, with its own
                        initialisation, without auxiliary classifiers, and with one input
                        channel in place of three; trained like the tutorial's network.

For the speed there are three more, which show where the difference comes from:

``torchvision at 28x28``         the same network on the images as they are.
``torchvision at 28x28 by fit``  the same, trained by ``fit``.
``tutorial by fit``              the tutorial's network and image size, trained by ``fit``.

Test images are looked at every few batches: always the same 2,000, 200 of each class,
since all 10,000 would take the large networks a minute. The seconds of looking are not
counted. Each set-up's accuracy on all 10,000 at its end is in the file, too.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import torch
import torchvision
from common import PASSES_PER_STEP, Result, fashion_mnist, parse, record, run_all
from recipe import EARLIER, build, description, precision, train
from torch import Tensor, nn
from torch.nn import functional as F

from gnet_lib import evaluate, fit, notes_variant, set_seed
from gnet_lib.data import ImageDataset, batches
from gnet_lib.fashion_mnist import load_fashion_mnist

LEVELS = (0.80, 0.85, 0.88, 0.90)
GOALS = {"times the images per second": 20, "times sooner at 88 %": 40}
PUBLISHED = {"tutorial, ten epochs": 0.889}
"""Test accuracy of https://zh.d2l.ai/chapter_convolutional-modern/googlenet.html"""

TUTORIAL_SIZE = 96
TUTORIAL_LEARNING_RATE = 0.1
BY_FIT = " by fit"
"""End of the name of a set-up whose network ``fit`` trains."""

RUNS = {
    "speed": {
        "rounds": 5,
        "batch_size": 128,
        "batches": {
            "ours": 80,
            "torchvision": 5,
            "tutorial": 5,
            "torchvision at 28x28": 20,
            "torchvision at 28x28 by fit": 20,
            "tutorial by fit": 5,
        },
        "seed": 0,
    },
    "accuracy": {
        "recipe": {**EARLIER, "epochs": 1},
        "seeds": [0, 1, 2],
        "batch_size": 128,
        "minutes": {"torchvision": 6, "tutorial": 28},
        "look_every": {"ours": 20, "torchvision": 30, "tutorial": 30},
        "looked_at": 2_000,
        "test_images": 10_000,
        "seed": 0,
    },
}
SHORT = {
    "speed": {
        "rounds": 2,
        "batch_size": 16,
        "batches": {
            "ours": 16,
            "torchvision": 1,
            "tutorial": 1,
            "torchvision at 28x28": 2,
            "torchvision at 28x28 by fit": 2,
            "tutorial by fit": 1,
        },
        "seed": 0,
    },
    "accuracy": {
        "recipe": {**EARLIER, "epochs": 1, "train_images": 2_560, "batch_size": 32},
        "seeds": [0],
        "batch_size": 16,
        "minutes": {"torchvision": 0.03, "tutorial": 0.03},
        "look_every": {"ours": 40, "torchvision": 1, "tutorial": 1},
        "looked_at": 50,
        "test_images": 100,
        "seed": 0,
    },
}


# --- the set-ups --------------------------------------------------------------------------


class Tutorial(nn.Module):
    """A network that gets its images as tutorials prepare them.

    Args:
        network: a network for images of one channel.
        mean, std: what the images were normalised with, to undo it; 0 and 1 do nothing.
        size: what the images are resized to; None leaves them as they are.
    """

    def __init__(
        self, network: nn.Module, mean: float = 0, std: float = 1, size: int | None = TUTORIAL_SIZE
    ) -> None:
        super().__init__()
        self.network, self.mean, self.std, self.size = network, mean, std, size

    def forward(self, images: Tensor) -> Tensor:  # (N, 1, 28, 28)
        images = images * self.std + self.mean
        if self.size is not None:
            images = F.interpolate(images, size=self.size, mode="bilinear")  # (N, 1, 96, 96)
        return self.network(images)


def tutorial(mean: float, std: float) -> nn.Module:
    """The notes' network with Xavier initialisation, and images from 0 to 1."""
    network = notes_variant()
    for layer in network.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.xavier_uniform_(layer.weight)
    return Tutorial(network, mean, std)


def torchvision_googlenet(size: int | None) -> nn.Module:
    """Torchvision's network with its own initialisation, for images of one channel."""
    network = torchvision.models.googlenet(
        weights=None, num_classes=10, aux_logits=False, init_weights=True
    )
    conv = nn.Conv2d(1, 64, kernel_size=7, stride=2, padding=3, bias=False)
    nn.init.trunc_normal_(conv.weight, std=0.01, a=-2, b=2)  # as torchvision does
    network.conv1.conv = conv
    return Tutorial(network, size=size)


def build_all(names: Iterable[str], mean: float, std: float, seed: int) -> dict[str, nn.Module]:
    """One network for each named set-up; one trained by ``fit`` gets the same as without it."""
    builders: dict[str, Callable[[], nn.Module]] = {
        "ours": lambda: build({**EARLIER, "seed": seed}),
        "torchvision": lambda: torchvision_googlenet(TUTORIAL_SIZE),
        "tutorial": lambda: tutorial(mean, std),
        "torchvision at 28x28": lambda: torchvision_googlenet(None),
    }
    models = {}
    for name in names:
        set_seed(seed)
        models[name] = builders[name.removesuffix(BY_FIT)]()
    return models


def mean_and_std() -> tuple[float, float]:
    """What ``fashion_mnist`` normalises with."""
    return load_fashion_mnist(quiet=True).train.mean_and_std()


def train_plainly(model: nn.Module, images_and_labels: Iterator) -> Iterator[int]:
    """Train as tutorials do, in float32; after each batch say how many images it had."""
    optimizer = torch.optim.SGD(model.parameters(), lr=TUTORIAL_LEARNING_RATE)
    for images, labels in images_and_labels:
        model.train()
        loss = F.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield len(labels)


def shuffled_forever(train_images: ImageDataset, batch_size: int, seed: int) -> Iterator:
    """Batches of epoch after epoch, each in another order."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        yield from batches(train_images, batch_size, generator=generator, drop_last=True)


# --- images per second --------------------------------------------------------------------


def measure_speed(settings: Result) -> Result:
    """Rates of all set-ups: round by round, and their medians."""
    train_images, _ = fashion_mnist()
    models = build_all(settings["batches"], *mean_and_std(), settings["seed"])
    rates = {name: [] for name in models}
    for round_number in range(settings["rounds"] + 1):
        for name, model in models.items():
            count = settings["batches"][name] if round_number else 1
            some = train_images.stratified_subset(count * settings["batch_size"], seed=round_number)
            rates[name].append(one_rate(name, model, some, settings["batch_size"]))
    # The first round is left out: PyTorch prepares itself for new shapes in it.
    return {
        name: {
            **description(models[name]),
            "rates": [round(rate, 1) for rate in each[1:]],
            "images_per_second": round(median(each[1:]), 1),
        }
        for name, each in rates.items()
    }


def one_rate(name: str, model: nn.Module, train_images: ImageDataset, batch_size: int) -> float:
    """Images per second while a set-up trains on some images."""
    if name == "ours":
        settings = {**EARLIER, "epochs": 1, "batch_size": batch_size}
        return train(model, settings, train_images).rows[0]["images_per_second"]
    if name.endswith(BY_FIT):
        history = fit(
            model, train_images, epochs=1, batch_size=batch_size, learning_rate=0.01, progress=False
        )
        return history.rows[0]["images_per_second"]
    started = time.perf_counter()
    count = sum(train_plainly(model, batches(train_images, batch_size)))
    return count / (time.perf_counter() - started)


# --- time to an accuracy ------------------------------------------------------------------


@dataclass
class Watch:
    """Looks at a network's accuracy every few batches, with a clock that stops meanwhile."""

    model: nn.Module
    looked_at: ImageDataset
    every: int
    images: int = 0
    seconds: float = 0.0
    steps: int = 0
    rows: list[Result] = field(default_factory=list)
    started: float | None = None

    def start(self) -> None:
        self.started = time.perf_counter()

    def stop(self) -> None:
        assert self.started is not None, "it was never started"
        self.seconds += time.perf_counter() - self.started

    def batch_done(self, images: int) -> bool:
        """Count a batch; returns whether it was time to look."""
        self.images += images
        self.steps += 1
        if self.steps % self.every:
            return False
        self.stop()
        self.look()
        self.start()
        return True

    def look(self) -> None:
        self.rows.append(
            {
                "images": self.images,
                "seconds": round(self.seconds, 2),
                "accuracy": round(evaluate(self.model, self.looked_at).accuracy, 5),
            }
        )


def train_ours(
    settings: Result, seed: int, train_images: ImageDataset, test_images: ImageDataset
) -> Result:
    """A whole run of our network by its recipe."""
    recipe = {**settings["recipe"], "seed": seed}
    model = build(recipe)
    looked_at = test_images.stratified_subset(settings["looked_at"])
    watch = Watch(model, looked_at, settings["look_every"]["ours"])

    def look_on(images: Tensor) -> Tensor:
        # fit calls this in front of every batch, so all batches before it are done.
        if watch.started is None:
            watch.start()
        else:
            watch.batch_done(len(images))
        return images

    train(
        model,
        recipe,
        train_images.stratified_subset(recipe["train_images"]),
        before=look_on,
    )
    watch.batch_done(recipe["batch_size"])
    watch.stop()
    if watch.rows[-1]["images"] != watch.images:
        watch.look()
    return outcome(watch, model, test_images)


def train_theirs(
    model: nn.Module, train_images: ImageDataset, watch: Watch, batch_size: int, seed: int
) -> Iterator[None]:
    """Train like the tutorial until 90 % are reached; pauses after every look."""
    steps = train_plainly(model, shuffled_forever(train_images, batch_size, seed))
    watch.start()
    for images in steps:
        if watch.batch_done(images):
            watch.stop()
            if watch.rows[-1]["accuracy"] >= LEVELS[-1]:
                return
            yield
            watch.start()


def measure_accuracy(settings: Result) -> Result:
    """Time to each accuracy: ours at the start, in between and at the end of the others."""
    train_images, test_images = fashion_mnist()
    test_images = test_images.stratified_subset(settings["test_images"])
    looked_at = test_images.stratified_subset(settings["looked_at"])
    models = build_all(settings["minutes"], *mean_and_std(), settings["seed"])
    watches = {
        name: Watch(model, looked_at, settings["look_every"][name])
        for name, model in models.items()
    }
    trainings = {
        name: train_theirs(
            model, train_images, watches[name], settings["batch_size"], settings["seed"]
        )
        for name, model in models.items()
    }
    ours = []
    seeds = settings["seeds"]
    for number, seed in enumerate(seeds, start=1):
        ours.append({"seed": seed, **train_ours(settings, seed, train_images, test_images)})
        share = min(1.0, number / max(1, len(seeds) - 1))
        take_turns(trainings, watches, settings["minutes"], share)
    theirs = {name: outcome(watches[name], model, test_images) for name, model in models.items()}
    return {"precision of ours": precision(settings["recipe"]), "ours": ours, **theirs}


def take_turns(
    trainings: dict[str, Iterator[None]],
    watches: dict[str, Watch],
    minutes: dict[str, float],
    share: float,
) -> None:
    """Go on with the trainings in turns, until each has used a share of its minutes."""
    going = dict(trainings)
    while going:
        for name in list(going):
            is_late = watches[name].seconds >= share * minutes[name] * 60
            # next() takes a training to its next look; at its end it answers "ended".
            if is_late or next(going[name], "ended") == "ended":
                del going[name]


def outcome(watch: Watch, model: nn.Module, test_images: ImageDataset) -> Result:
    """What a watch saw, and when each accuracy was there for the first time."""
    size = description(model)
    return {
        "network": size,
        "seconds": round(watch.seconds, 1),
        "images": watch.images,
        "rows": watch.rows,
        "reached": {
            f"{level:.0%}": first_at(level, watch.rows, size["multiply_adds"]) for level in LEVELS
        },
        "accuracy": round(evaluate(model, test_images).accuracy, 5),
        "test_images": len(test_images),
    }


def first_at(level: float, rows: list[Result], multiply_adds: int) -> Result | None:
    """The first look at which an accuracy was reached; None if there was none."""
    for row in rows:
        if row["accuracy"] >= level:
            cost = PASSES_PER_STEP * multiply_adds * row["images"]
            return {"images": row["images"], "seconds": row["seconds"], "multiply_adds": cost}
    return None


# --- what it comes to ---------------------------------------------------------------------


def summary(speed: Result, accuracy: Result) -> Result:
    """How many times faster ours is than the tutorial set-up: in images, and at 88 %."""
    faster = speed["ours"]["images_per_second"] / speed["tutorial"]["images_per_second"]
    return {
        "times the images per second": {
            "factor": round(faster, 1),
            "goal": GOALS["times the images per second"],
        },
        "times sooner at 88 %": {
            **times_sooner("88%", accuracy),
            "goal": GOALS["times sooner at 88 %"],
        },
    }


def times_sooner(level: str, accuracy: Result) -> Result:
    """How many times as long the tutorial set-up takes to a level, or at least takes."""
    ours = [run["reached"][level] for run in accuracy["ours"]]
    if None in ours:
        return {"factor": None, "is_lower_bound": False}
    reached = accuracy["tutorial"]["reached"][level]
    seconds = accuracy["tutorial"]["seconds"] if reached is None else reached["seconds"]
    factor = seconds / median(each["seconds"] for each in ours)
    return {"factor": round(factor, 1), "is_lower_bound": reached is None}


# --- the command --------------------------------------------------------------------------


def run_one(name: str, settings: Result, checkpoint: Path) -> Result:
    """One of the two measurements."""
    return {"speed": measure_speed, "accuracy": measure_accuracy}[name](settings)


def main(arguments: list[str] | None = None) -> None:
    """Do both measurements and write the file."""
    options = parse(str(__doc__).splitlines()[0], arguments)
    if options.jobs != 1:
        raise SystemExit("side_by_side needs --jobs 1: a run beside it would falsify its times")
    runs, benchmark = (SHORT, "side_by_side-short") if options.short else (RUNS, "side_by_side")
    done = run_all(benchmark, runs, run_one, options.jobs, options.threads, options.only)
    goals = summary(done["speed"]["result"], done["accuracy"]["result"])
    record("side_by_side", {"runs": done, "goals": goals, "published": PUBLISHED}, options)


if __name__ == "__main__":
    main()
