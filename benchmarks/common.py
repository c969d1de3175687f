"""What the benchmarks share: the machine's description, the data, runs that survive a cut.

A benchmark is a list of independent runs. Each has a name and its settings; when it is
finished, its result is put into a small file in ``_runs/`` at once. A benchmark that was
cut off and is started again therefore skips what is finished, and ``fit``'s checkpoint
takes it to the middle of the run that was not.
"""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
import torchvision
from gnet_lib.data import ImageSet, load_fashion_mnist
from gnet_lib.training import pick_device

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "book" / "results"
RUNS = Path(os.environ.get("GNET_RUNS", ROOT / "_runs"))

Result = dict[str, Any]


# --- the machine -------------------------------------------------------------------------


def cpu_name() -> str:
    """The processor as the system calls it."""
    listing = Path("/proc/cpuinfo")
    if listing.exists():
        for line in listing.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def machine(threads: int) -> Result:
    """What times depend on.

    Args:
        threads: how many threads computed one run.
    """
    return {
        "cpu": cpu_name(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count(),
        "threads": threads,
        "device": str(pick_device()),
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
    }


# --- the data ----------------------------------------------------------------------------


def fashion_mnist() -> tuple[ImageSet, ImageSet]:
    """The real training and test images, normalised with the training images' numbers."""
    data = load_fashion_mnist(quiet=True)
    if data.is_sample:
        raise SystemExit(f"A benchmark needs the real data set. {data.origin}")
    mean, std = data.train.mean_and_std()
    return data.train.normalised(mean, std), data.test.normalised(mean, std)


# --- runs --------------------------------------------------------------------------------


def run_all(
    benchmark: str,
    runs: dict[str, Result],
    run_one: Callable[[str, Result, Path], Result],
    jobs: int,
    threads: int,
) -> dict[str, Result]:
    """Do every run that is not finished yet, ``jobs`` at a time, and return all results.

    Args:
        benchmark: name of the folder in ``_runs/``.
        runs: name -> settings (plain values, so that they can be stored).
        run_one: called as ``run_one(name, settings, checkpoint)`` in a process of its own;
            a function at the top level of its file. ``checkpoint`` is for ``fit``.
        jobs: how many runs at the same time.
        threads: how many threads each of them computes with.

    Returns:
        name -> {"settings": ..., "result": ..., "finished": date}.
    """
    folder = RUNS / benchmark
    folder.mkdir(parents=True, exist_ok=True)
    open_runs = [name for name in runs if finished(folder / f"{name}.json", runs[name]) is None]
    print(f"{benchmark}: {len(runs) - len(open_runs)} of {len(runs)} runs are finished", flush=True)
    # spawn: a forked process would inherit PyTorch's threads in an unusable state.
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        waiting = [
            pool.submit(_do, run_one, name, runs[name], folder, threads) for name in open_runs
        ]
        for each in waiting:
            print(each.result(), flush=True)
    return {name: finished(folder / f"{name}.json", runs[name]) for name in runs}


def finished(file: Path, settings: Result) -> Result | None:
    """What a run left behind, if it is finished and had these settings."""
    if not file.exists():
        return None
    stored = json.loads(file.read_text(encoding="utf-8"))
    return stored if stored["settings"] == settings else None


def _do(
    run_one: Callable[[str, Result, Path], Result],
    name: str,
    settings: Result,
    folder: Path,
    threads: int,
) -> str:
    torch.set_num_threads(threads)
    checkpoint = folder / f"{name}.pt"
    started = time.perf_counter()
    result = run_one(name, settings, checkpoint)
    stored = {"settings": settings, "result": result, "finished": time.strftime("%Y-%m-%d")}
    write_json(folder / f"{name}.json", stored)
    checkpoint.unlink(missing_ok=True)
    return f"  {name}: done in {time.perf_counter() - started:.0f} s"


# --- files and arguments -----------------------------------------------------------------


def write_json(file: Path, content: Result) -> None:
    """Write a file so that it is at every moment the old one or the new one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f"{file.name}.{os.getpid()}.partial")
    temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    temporary.replace(file)


def record(
    name: str, results: Result, options: argparse.Namespace
) -> None:
    """Write ``book/results/NAME.json``: the results, and what they depend on.

    The file holds the long record under ``"results"`` and that of ``--short`` under
    ``"short"``; each run of the command replaces its own part only, so that a test can
    compare a short run with the recorded short one.
    """
    file = options.out or RESULTS / f"{name}.json"
    content = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    part = "short" if options.short else "results"
    content |= {
        "command": f"python benchmarks/{name}.py",
        part: results,
        f"{part} made": {"date": time.strftime("%Y-%m-%d"), "machine": machine(options.threads)},
    }
    write_json(file, content)
    print(f"wrote {file.name}")


def parse(description: str, arguments: list[str] | None = None) -> argparse.Namespace:
    """The arguments that every benchmark understands."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--short", action="store_true", help="a run of seconds instead of the record")
    parser.add_argument("--jobs", type=int, default=1, help="runs at the same time")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="threads of each run")
    parser.add_argument("--out", type=Path, help="the file to write instead of the one in book/results/")
    options = parser.parse_args(arguments)
    if options.jobs < 1 or options.threads < 1:
        parser.error("--jobs and --threads must be at least 1")
    return options


def main_only() -> None:
    """Say what to start when somebody starts this file."""
    sys.exit("This file is imported by the benchmarks beside it; start one of those.")


if __name__ == "__main__":
    main_only()
