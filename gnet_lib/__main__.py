"""The environment check: run `python -m gnet_lib`.

It prints one line for each thing the book needs:

[ok]       it works
[note]     it works, and there is something to know
[problem]  it does not work; the next line says what to do

and ends with exit status 0, or 1 if there was a problem. Without the data set that is no
problem: it says then which chapters run on the bundled sample and which stop.

`--version` prints the library's version only.
"""

from __future__ import annotations  # for an old Python, see __init__.py

import argparse
import importlib
import math
import platform
import re
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial

from gnet_lib import __version__
from gnet_lib._check import first_line

# The same lower bounds as in pyproject.toml (a test compares the two).
OLDEST_PYTHON = (3, 11)
OLDEST_VERSIONS = {
    "torch": "2.6",
    "torchvision": "0.21",
    "torchinfo": "1.8",
    "matplotlib": "3.8",
    "numpy": "1.26",
    "pandas": "2.2",
    "tqdm": "4.66",
}
# What needs a package that no dependency names, because one room or one page uses it.
WITHOUT_PACKAGE = {
    "IPython": "no figure can be shown",
    "altair": "the explorer of chapter 4 cannot be drawn",
    "skimage": 'the page "Your own pictures" has no photographs',
}
NAMES_FOR_PIP = {"skimage": "scikit-image"}  # where it is not the name of the import
# What the chapters that load Fashion-MNIST do where only its sample is. All others need no data.
# (tests/test_without_data.py runs them and compares.)
ON_THE_SAMPLE = ("6", "8")
NEED_ALL_IMAGES = ("7",)
TRAINING_IMAGES = 200
TRAINING_STEPS = 20
TRAINING_SECONDS = 7  # stop earlier on a slow computer

PAIR = ("torch", "torchvision")  # each release of one fits one release of the other
SAME_SOURCE = (
    "torch and torchvision must come from the same place. Install both again in one command: "
    "pip install --force-reinstall torch torchvision (the README says how to get the small CPU "
    "build of both)"
)


class Problem(Exception):
    """Something the book needs does not work.

    Args:
        what: what does not work.
        to_do: what the reader does about it.
    """

    def __init__(self, what: str, to_do: str) -> None:
        super().__init__(what)
        self.to_do = to_do


def read_options() -> None:
    """Answer --help and --version; stop with exit status 2 at any other option."""
    parser = argparse.ArgumentParser(
        prog="python -m gnet_lib",
        description="Check whether this computer is ready for the book: versions, device, data, "
        "and a short training.",
    )
    parser.add_argument("--version", action="version", version=f"gnet_lib {__version__}")
    parser.parse_args()


def main() -> int:
    """Run all checks.

    Returns:
        The exit status: 0 if all is well, 1 if there was a problem.
    """
    packages = [partial(check_package, name) for name in OLDEST_VERSIONS]
    results = [_result(check) for check in (check_python, *packages)]
    if "problem" in results:
        _print_line("note", "device, data and training are checked when this is solved")
    else:
        others = (check_optional_packages, check_device, check_data, check_training)
        results += [_result(check) for check in others]
    problems = results.count("problem")
    count = "One problem" if problems == 1 else f"{problems} problems"
    if problems:
        print(f"\n{count}: do what the lines above say, then run python -m gnet_lib again.")
    elif "note" in results:
        print("\nEverything works, but for what the notes above say.")
    else:
        print("\nEverything works: the book's chapters will run on this computer.")
    return 1 if problems else 0


def _result(check: Callable[[], None]) -> str:
    """Run one check; print its warnings as notes and its problem, if any.

    Args:
        check: prints its own line, or raises ``Problem``.

    Returns:
        "ok", "note" or "problem".
    """
    problem = None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        try:
            check()
        except Problem as error:
            problem = error
    for text in dict.fromkeys(str(warning.message) for warning in caught):
        _print_line("note", text)
    if problem is not None:
        _print_line("problem", str(problem))
        print(f"{'':10} what to do: {problem.to_do}")
        return "problem"
    return "note" if caught else "ok"


def _print_line(status: str, text: str) -> None:
    print(f"{f'[{status}]':10} {text}")


def check_python() -> None:
    """Check the version of Python."""
    if sys.version_info < OLDEST_PYTHON:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        raise Problem(
            f"Python {platform.python_version()} is too old",
            f"install Python {oldest} or newer and make a new environment with it",
        )
    _print_line("ok", f"Python {platform.python_version()}")


def check_package(name: str) -> None:
    """Check that a package is there, can be imported and is new enough."""
    oldest = OLDEST_VERSIONS[name]
    install = f'pip install --upgrade "{name}>={oldest}"'
    try:
        package = importlib.import_module(name)
        if name == "torchvision":
            _use_torchvision()
    except ModuleNotFoundError as error:
        missing = error.name or name
        to_install = " ".join(PAIR) if missing in PAIR else missing
        raise Problem(f"{missing} is not installed", f"pip install {to_install}") from error
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        to_do = SAME_SOURCE if name in PAIR else install
        raise Problem(f"{name} cannot be used ({first_line(error)})", to_do) from error
    if _as_numbers(package.__version__) < _as_numbers(oldest):
        problem = f"{name} {package.__version__} is too old ({oldest} is needed)"
        raise Problem(problem, install)
    _print_line("ok", f"{name} {package.__version__}")


def _use_torchvision() -> None:
    """Call one of torchvision's own compiled operations.

    A torchvision that was built for another torch may fail already at its
    import, or only here.
    """
    import torch
    import torchvision

    box = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    torchvision.ops.nms(box, torch.tensor([1.0]), iou_threshold=0.5)


def _as_numbers(version: str) -> tuple[int, ...]:
    """Turn "2.14.1+cpu" into (2, 14, 1); a package that compares versions may be missing, too."""
    return tuple(int(number) for number in re.findall(r"\d+", version.split("+")[0]))


def check_optional_packages() -> None:
    """Warn of what will be missing without the packages that one room or page needs."""
    for name, consequence in WITHOUT_PACKAGE.items():
        try:
            importlib.import_module(name)
        except (ImportError, OSError):
            warnings.warn(
                f"{name} cannot be imported, so {consequence}: "
                f"pip install {NAMES_FOR_PIP.get(name, name)}",
                stacklevel=2,
            )


def check_device() -> None:
    """Say on which device the chapters will train, and why."""
    import torch

    from gnet_lib import pick_device

    device = pick_device()
    if device.type == "cuda":
        reason = f"an NVIDIA or AMD GPU: {torch.cuda.get_device_name(device)}"
    elif device.type == "mps":
        reason = "the GPU of this Apple computer"
    else:
        reason = (
            f"no usable GPU was found; {torch.get_num_threads()} processor threads "
            "are used, which is enough for every chapter"
        )
    _print_line("ok", f"device {device} ({reason})")


def check_data() -> None:
    """Find Fashion-MNIST, downloading it if need be, and check its files."""
    from gnet_lib import load_fashion_mnist

    try:
        data = load_fashion_mnist(quiet=True)
    except (ValueError, OSError) as error:
        raise Problem("Fashion-MNIST cannot be loaded", str(error)) from error
    _print_line("note" if data.is_sample else "ok", f"data: {data.origin}")
    if data.is_sample:  # How to get all images, the library's own warning says below.
        _print_line(
            "note",
            f"{_chapters(ON_THE_SAMPLE, 'run')} on the sample and say so at their numbers; "
            f"{_chapters(NEED_ALL_IMAGES, 'stop')}, because all images are needed there; "
            "the others need no data",
        )


def _chapters(numbers: tuple[str, ...], do: str) -> str:
    """For instance "chapters 6 and 8 run", "chapter 7 stops"."""
    if len(numbers) == 1:
        return f"chapter {numbers[0]} {do}s"
    return f"chapters {', '.join(numbers[:-1])} and {numbers[-1]} {do}"


def check_training() -> None:
    """Train a small network for a few seconds; its loss must fall."""
    try:
        losses, images_per_second = _train_briefly()
    except (RuntimeError, ValueError, OSError) as error:
        raise Problem(
            f"the training test stopped ({first_line(error)})",
            "close other programs that use the memory of the GPU or of the computer; "
            "if that does not help, install torch and torchvision again",
        ) from error
    change = f"from {losses[0]:.3f} to {losses[-1]:.3f} in {len(losses) - 1} steps"
    if not all(map(math.isfinite, losses)) or losses[-1] >= losses[0]:
        raise Problem(
            f"the training test did not learn: its loss went {change}",
            "this computer or this build of torch calculates wrongly. " + SAME_SOURCE,
        )
    _print_line("ok", f"training: the loss fell {change}, {images_per_second:,.0f} images/s")


def _train_briefly() -> tuple[list[float], float]:
    """Take some steps on the same few images of the bundled sample.

    Returns:
        The loss before each step and after the last one, and images per second.
    """
    import torch
    from torch.nn.functional import cross_entropy

    from gnet_lib import MiniGoogLeNet, pick_device, set_seed
    from gnet_lib.fashion_mnist import load_sample

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # check_device has shown them
        device = pick_device()
    set_seed(0)
    sample = load_sample().train
    few = sample.stratified_subset(TRAINING_IMAGES).normalised(*sample.mean_and_std()).to(device)
    model = MiniGoogLeNet().to(device)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)

    losses, times = [], []
    while True:
        loss = cross_entropy(model(few.images), few.labels)
        losses.append(loss.item())  # .item() also waits for the GPU to finish
        times.append(time.perf_counter())
        is_late = times[-1] - times[0] > TRAINING_SECONDS
        if len(losses) > TRAINING_STEPS or (is_late and len(losses) > 2):
            break
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    # The first step is left out: it is slow, because torch prepares itself.
    return losses, (len(times) - 2) * len(few) / (times[-1] - times[1])


if __name__ == "__main__":
    read_options()
    sys.exit(main())
