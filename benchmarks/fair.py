"""Does the 1x1 reduction cost accuracy, gain it, or neither? A fair comparison.

    python benchmarks/fair.py --jobs 2 --threads 1           # about 40 minutes on two cores
    python benchmarks/fair.py --jobs 1 --threads 1 --short   # about 25 seconds

Two networks can be compared at equal epochs, at equal multiply-adds, at equal seconds or
at equal parameters, and the answers may differ. So MiniGoogLeNet with naive modules and
MiniGoogLeNet with reduced ones are trained in all four ways, with several seeds each. A
third network is the control: its reductions have no ReLU, so they save as much as the
usual ones and add no non-linearity.

All of them learn from the same 12,000 training images, half of them mirrored at random.
Networks of different widths want different learning rates, and a rate that suits one
of them would decide the comparison. So each network gets the rate, out of the same five,
that does best on 2,000 held-out training images after a shorter training. Each run of the
comparison is then measured once, at its end, on all 10,000 test images. With the same seed
all networks see the same batches in the same order; the reduced network and the control
have the same first weights, too.

How many epochs the reduced network gets at equal seconds is measured at the start: both
networks are trained in turns, in as many processes as the record uses.
"""

from pathlib import Path
from statistics import median

import torch
from common import PASSES_PER_STEP, Result, fashion_mnist, parse, record, run_all
from recipe import train
from torch import Tensor

from gnet_lib import Inception, MiniGoogLeNet, NaiveInception, evaluate, fit, set_seed
from gnet_lib.augmentation import shift_and_flip
from gnet_lib.cost import torchinfo_cost
from gnet_lib.data import ImageDataset
from gnet_lib.device import computes_bfloat16, pick_device
from gnet_lib.inception import LinearInception

MODULES = {"naive": NaiveInception, "reduced": Inception, "linear": LinearInception}
NARROW = 0.42
"""The width at which the naive network has about as many parameters as the reduced one."""

USUAL = {
    "train_images": 12_000, "epochs": 4, "batch_size": 64, "weight_decay": 5e-4,
    "measured_on": "test", "measured_images": 10_000,
}  # fmt: skip
SEARCH = {**USUAL, "epochs": 2, "measured_on": "validation", "measured_images": 2_000}
SHORT = {**USUAL, "epochs": 1, "train_images": 1_280, "measured_images": 500}

NETWORKS = {
    "naive": {"module": "naive", "width": 1.0},
    "reduced": {"module": "reduced", "width": 1.0},
    "linear": {"module": "linear", "width": 1.0},
    "narrow": {"module": "naive", "width": NARROW},
}
LEARNING_RATES = (0.01, 0.03, 0.1, 0.3, 1.0)

SEEDS = {
    "naive": 3,
    "reduced": 5,
    "linear": 5,
    "narrow": 3,
    "reduced, equal multiply-adds": 3,
    "reduced, equal seconds": 3,
}
"""How many seeds each group of runs gets: 0, 1, 2 and so on."""

SPEEDS = {"rounds": 6, "train_images": 1_280, "batch_size": 64}


# --- what is trained ---------------------------------------------------------------------


def build(settings: Result) -> MiniGoogLeNet:
    """The network of a run, with the first weights that the global seed gives it."""
    return MiniGoogLeNet(module=MODULES[settings["module"]], width=settings["width"])


def multiply_adds(settings: Result) -> int:
    """Multiply-adds of one forward pass of one image."""
    return torchinfo_cost(build(settings), (1, 1, 28, 28)).multiply_adds


def search_runs() -> dict[str, Result]:
    """Every network with every learning rate, one seed each."""
    return {
        f"search {network} {rate}": {
            "network": network, **NETWORKS[network], **SEARCH, "learning_rate": rate, "seed": 0,
        }
        for network in NETWORKS
        for rate in LEARNING_RATES
    }  # fmt: skip


def chosen_rates(found: dict[str, Result]) -> dict[str, float]:
    """For each network the learning rate with the lowest loss on the held-out images."""
    best = {}
    for run in sorted(found.values(), key=lambda run: run["result"]["loss"]):
        best.setdefault(run["settings"]["network"], run["settings"]["learning_rate"])
    return best


def groups(rates: dict[str, float], seconds_factor: float) -> dict[str, Result]:
    """The groups of the comparison: name -> settings without a seed.

    Args:
        rates: the learning rate of each network.
        seconds_factor: how many times as long an image takes the naive network.
    """
    usual = {
        network: {**NETWORKS[network], **USUAL, "learning_rate": rates[network]}
        for network in NETWORKS
    }
    reduced, epochs = usual["reduced"], USUAL["epochs"]
    cost_factor = multiply_adds(NETWORKS["naive"]) / multiply_adds(NETWORKS["reduced"])
    return {
        **usual,
        "reduced, equal multiply-adds": {**reduced, "epochs": round(epochs * cost_factor)},
        "reduced, equal seconds": {**reduced, "epochs": round(epochs * seconds_factor)},
    }


def comparison_runs(rates: dict[str, float], seconds_factor: float) -> dict[str, Result]:
    """Every group with each of its seeds; the longest runs first, so that no core waits."""

    def work(group: Result) -> int:
        return group["epochs"] * multiply_adds(group)

    named = groups(rates, seconds_factor)
    return {
        f"{name}, seed {seed}": {"group": name, **named[name], "seed": seed}
        for name in sorted(named, key=lambda name: work(named[name]), reverse=True)
        for seed in range(SEEDS[name])
    }


def short_runs() -> dict[str, Result]:
    """The four networks with few images, one learning rate and one seed."""
    return {
        f"{network}, short": {
            "group": network, **NETWORKS[network], **SHORT, "learning_rate": 0.01, "seed": 0,
        }
        for network in NETWORKS
    }  # fmt: skip


# --- one run -----------------------------------------------------------------------------


def mirror(images: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror half of the images, at random."""
    return shift_and_flip(images, max_shift=0, generator=generator)


def run_one(name: str, settings: Result, checkpoint: Path) -> Result:
    """Train one network with one seed, and measure it once."""
    learn, measured_on = datasets(settings)
    set_seed(settings["seed"])
    model = build(settings)
    recipe = {**settings, "label_smoothing": 0.0}
    history = train(model, recipe, learn, before=mirror, checkpoint=checkpoint)
    measured = evaluate(model, measured_on)
    seconds = sum(row["seconds"] for row in history.rows)
    images = settings["epochs"] * (len(learn) // settings["batch_size"] * settings["batch_size"])
    forward = multiply_adds(settings)
    return {
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "forward_multiply_adds": forward,
        "images": images,
        "training_multiply_adds": PASSES_PER_STEP * forward * images,
        "seconds": round(seconds, 1),
        "images_per_second": round(images / seconds, 1),
        "train_loss": round(history.rows[-1]["train_loss"], 5),
        "loss": round(measured.loss, 5),
        "accuracy": round(measured.accuracy, 5),
    }


def datasets(settings: Result) -> tuple[ImageDataset, ImageDataset]:
    """The images to learn from, and those to measure on: held-out ones or test images."""
    train, test = fashion_mnist()
    learn, validation = train.split(5_000, seed=0)
    measured_on = {"test": test, "validation": validation}[settings["measured_on"]]
    return (
        learn.stratified_subset(settings["train_images"], seed=0),
        measured_on.stratified_subset(settings["measured_images"], seed=0),
    )


# --- the speeds --------------------------------------------------------------------------


def measure_speeds(name: str, settings: Result, checkpoint: Path) -> Result:
    """Images per second of the naive and of the reduced network, trained in turns."""
    train, _ = fashion_mnist()
    train = train.stratified_subset(settings["train_images"], seed=0)
    models = {kind: build(NETWORKS[kind]) for kind in ("naive", "reduced")}
    speeds = {kind: [] for kind in models}
    for _ in range(settings["rounds"]):
        for kind, model in models.items():
            speeds[kind].append(one_epoch_speed(model, train, settings["batch_size"]))
    # The first round is left out: PyTorch prepares itself for new shapes in it.
    return {kind: round(median(speeds[kind][1:]), 1) for kind in models}


def one_epoch_speed(model: MiniGoogLeNet, train: ImageDataset, batch_size: int) -> float:
    """Images per second of one epoch."""
    history = fit(model, train, epochs=1, batch_size=batch_size, augment=mirror, progress=False)
    return history.rows[-1]["images_per_second"]


def time_factor(speeds: dict[str, Result]) -> float:
    """How many times as long an image takes the naive network, over all processes."""
    total = {
        kind: sum(each["result"][kind] for each in speeds.values()) for kind in ("naive", "reduced")
    }
    return total["reduced"] / total["naive"]


# --- the command -------------------------------------------------------------------------


def main(arguments: list[str] | None = None) -> None:
    """Make the record, or the short run, and write the file."""
    options = parse(str(__doc__).splitlines()[0], arguments)
    part = short if options.short else compare
    record("fair", part(options.jobs, options.threads), options)


def compare(jobs: int, threads: int) -> Result:
    """The record: the speeds, the search for the learning rates, the comparison."""
    tasks = {f"speeds of process {number}": SPEEDS for number in range(jobs)}
    speeds = run_all("fair", tasks, measure_speeds, jobs, threads)
    factor = time_factor(speeds)
    print(f"an image takes the naive network {factor:.2f} times as long", flush=True)
    search = run_all("fair", search_runs(), run_one, jobs, threads)
    rates = chosen_rates(search)
    print(f"learning rates: {rates}", flush=True)
    runs = run_all("fair", comparison_runs(rates, factor), run_one, jobs, threads)
    return {
        "jobs": jobs, "bfloat16": computes_bfloat16(pick_device()),
        "speeds": speeds, "time_factor": round(factor, 4),
        "search": search, "learning_rates": rates, "runs": runs,
    }  # fmt: skip


def short(jobs: int, threads: int) -> Result:
    """A run of seconds: to see that the record can be made again."""
    return {"runs": run_all("fair-short", short_runs(), run_one, jobs, threads)}


if __name__ == "__main__":
    main()
