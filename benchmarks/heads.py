"""Does a deep network without normalisation need the two auxiliary classifiers to start?

    python benchmarks/heads.py --jobs 2 --threads 1           # about 14 minutes on two cores
    python benchmarks/heads.py --short --jobs 1 --threads 1   # about 20 seconds

Some say that GoogLeNet does not train without its auxiliary classifiers, some that they
are no longer needed. Here a network of the paper's whole depth and an eighth of its width
(``DEEP_ROWS``) learns Fashion-MNIST with and without them, from three initialisations, at
four learning rates, with two seeds each; then the same with batch normalisation. Two
groups of runs are four times as long: from PyTorch's own initialisation, to see whether
time helps, and from He's with the weights 0, 0.3 and 1, to see what the classifiers do
for the accuracy in the end.

Everything is computed in float32: without normalisation, what an image changes in the
signal can be a millionth of the signal, which bfloat16 would round away. ``fit`` uses a
one-cycle learning rate, so the rate named here is the highest of its run. The test images
are not used: every accuracy is that of 2,000 training images held out.
"""

import math
from functools import cache
from itertools import product
from pathlib import Path

import torch
from common import Result, fashion_mnist, parse, record, run_all

from gnet_lib import GoogLeNet, ImageDataset, NonFiniteLossError, evaluate, fit, set_seed
from gnet_lib.diagnostics import activation_std, gradient_norms, initialise
from gnet_lib.googlenet import DEEP_ROWS

BATCH = 64
HELD_OUT = 2_000
LEARNT = 0.2
"""A network counts as having started when it is right this often; guessing gives 0.1."""

SEEDS = (0, 1)
RATES = (0.003, 0.03, 0.1, 0.3)
MIDDLE_RATE = 0.03
STARTS = ("pytorch", "xavier", "he")


def settings(norm: str, start: str, heads: bool, rate: float, seed: int, **changes) -> Result:
    """The plain values that describe one run; 5 epochs of 50 steps unless changed."""
    return {
        "norm": norm,
        "start": start,
        "heads": heads,
        "aux_weight": 0.3 if heads else None,
        "learning_rate": rate,
        "seed": seed,
        "images": 50 * BATCH,
        "epochs": 5,
        **changes,
    }


def grid() -> dict[str, Result]:
    """Does it start? Plain network: heads x initialisation x learning rate x seed."""
    return {
        f"plain {start} {rate} {'heads' if heads else 'none'} seed {seed}": settings(
            "none", start, heads, rate, seed
        )
        for start, rate, heads, seed in product(STARTS, RATES, (False, True), SEEDS)
    }


def normalised() -> dict[str, Result]:
    """The same with batch normalisation, at the middle learning rate."""
    return {
        f"batch {start} {MIDDLE_RATE} {'heads' if heads else 'none'} seed {seed}": settings(
            "batch", start, heads, MIDDLE_RATE, seed
        )
        for start, heads, seed in product(("pytorch", "he"), (False, True), SEEDS)
    }


def patient() -> dict[str, Result]:
    """Does PyTorch's initialisation start if it gets four times as long?"""
    return {
        f"patient pytorch 0.1 {'heads' if heads else 'none'} seed {seed}": settings(
            "none", "pytorch", heads, 0.1, seed, images=200 * BATCH
        )
        for heads, seed in product((False, True), SEEDS)
    }


def weights() -> dict[str, Result]:
    """What do the heads do for the accuracy, where the network starts without them?"""
    return {
        f"weights he {MIDDLE_RATE} weight {weight} seed {seed}": settings(
            "none", "he", True, MIDDLE_RATE, seed, aux_weight=weight, images=200 * BATCH
        )
        for weight, seed in product((0.0, 0.3, 1.0), SEEDS)
    }


RUNS = grid() | normalised() | patient() | weights()
SHORT = {
    f"plain he {rate} {'heads' if heads else 'none'} seed 0": settings(
        "none", "he", heads, rate, 0, images=20 * BATCH, epochs=3
    )
    for heads, rate in product((False, True), (0.03, 0.3))
}


def build(chosen: Result) -> GoogLeNet:
    """The network of a run, with its first weights."""
    set_seed(chosen["seed"])
    model = GoogLeNet(
        1, 10, rows=DEEP_ROWS, image_size=28, norm=chosen["norm"], aux=chosen["heads"]
    )
    return initialise(model, chosen["start"])


def look_inside(model: GoogLeNet, images: ImageDataset, aux_weight: float | None) -> Result:
    """Signal and gradient of every row, on one fixed batch of held-out images."""
    batch, labels = images.images[:BATCH], images.labels[:BATCH]
    torch.manual_seed(0)  # the same dropout at every look
    return {
        "signal": activation_std(model, batch),
        "gradient": gradient_norms(model, batch, labels, aux_weight or 0.0),
    }


@cache
def datasets() -> tuple[ImageDataset, ImageDataset]:
    """Training images to choose from, and those held out; loaded once a process."""
    whole, _ = fashion_mnist()
    return whole.split(HELD_OUT)


def run_one(name: str, chosen: Result, checkpoint: Path) -> Result:
    """Train one network and tell how it went."""
    rest, held_out = datasets()
    train = rest.stratified_subset(chosen["images"])
    model = build(chosen)
    before = look_inside(model, held_out, chosen["aux_weight"])
    diverged, rows = None, []
    try:
        history = fit(
            model,
            train,
            held_out,
            epochs=chosen["epochs"],
            batch_size=BATCH,
            learning_rate=chosen["learning_rate"],
            aux_weight=chosen["aux_weight"] or 0.0,
            device="cpu",
            mixed_precision=False,
            seed=chosen["seed"],
            checkpoint=checkpoint,
            progress=False,
        )
        rows = history.rows
    except NonFiniteLossError as error:  # a result, not an accident
        diverged = str(error).partition(". ")[0]
    accuracy = evaluate(model, held_out).accuracy
    return {
        "accuracy": accuracy,
        "learnt": accuracy > LEARNT,
        "diverged": diverged,
        "epochs": rows,
        "before": before,
        "after": look_inside(model, held_out, chosen["aux_weight"]),
    }


def tidy(value):
    """Five digits of each number, and None in the place of what JSON cannot hold (NaN)."""
    if isinstance(value, dict):
        return {name: tidy(each) for name, each in value.items()}
    if isinstance(value, list):
        return [tidy(each) for each in value]
    if isinstance(value, float):
        return float(f"{value:.5g}") if math.isfinite(value) else None
    return value


def main(arguments: list[str] | None = None) -> None:
    """Do the runs and write them down."""
    options = parse("Do auxiliary classifiers decide whether a deep network starts?", arguments)
    runs = SHORT if options.short else RUNS
    name = "heads-short" if options.short else "heads"
    results = run_all(name, runs, run_one, options.jobs, options.threads, options.only)
    record("heads", {"runs": tidy(results)}, options)


if __name__ == "__main__":
    main()
