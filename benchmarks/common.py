"""What the benchmarks share: the machine's description, the data, runs that survive a cut.

A benchmark is a list of independent runs. Each has a name and its settings; when it is
finished, its result is put into a small file in ``_runs/`` at once. A benchmark that was
cut off and is started again therefore skips what is finished, and ``fit``'s checkpoint
takes it to the middle of the run that was not. The files carry a checksum of the run's
settings in their names: other settings are another run. Delete ``_runs/`` to start anew.
"""

import argparse
import json
import os
import platform
import sys
import time
import zlib
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
import torchvision

from gnet_lib.data import ImageDataset
from gnet_lib.device import pick_device
from gnet_lib.fashion_mnist import load_fashion_mnist

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "gnet_lib" / "results"
RUNS = Path(os.environ.get("GNET_RUNS", ROOT / "_runs"))

Result = dict[str, Any]

PASSES_PER_STEP = 3
"""A training step costs about three forward passes: one forward, and two backward, for
the gradient of the weights and for that of the maps."""


# --- the machine -------------------------------------------------------------------------


def cpu_name() -> str:
    """The processor as the system calls it."""
    listing = Path("/proc/cpuinfo")
    if listing.exists():
        for line in listing.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def device_name(device: torch.device) -> str:
    """The device as its maker calls it, if it is a CUDA GPU; else its kind."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def machine(threads: int, device: str | None = None) -> Result:
    """What times depend on.

    Args:
        threads: how many threads computed one run.
        device: where it was computed; None: where ``fit`` computes.
    """
    return {
        "cpu": cpu_name(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count(),
        "threads": threads,
        "device": device_name(pick_device(device)),
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
    }


# --- the data ----------------------------------------------------------------------------


def fashion_mnist() -> tuple[ImageDataset, ImageDataset]:
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
    only: Iterable[str] | None = None,
) -> dict[str, Result]:
    """Do every run that is not finished yet, ``jobs`` at a time, and return all results.

    Args:
        benchmark: name of the folder in ``_runs/``.
        runs: name -> settings (plain values, so that they can be stored).
        run_one: called as ``run_one(name, settings, checkpoint)`` in a process of its own;
            a function at the top level of its file. ``checkpoint`` is for ``fit``.
        jobs: how many runs at the same time.
        threads: how many threads each of them computes with.
        only: names of the runs to do now. If others are still to be done afterwards, the
            program ends here, before anything is recorded.

    Returns:
        name -> {"settings": ..., "result": ..., "finished": date, "machine": ...}.
    """
    folder = RUNS / benchmark
    folder.mkdir(parents=True, exist_ok=True)
    _do_all(benchmark, _chosen(runs, only), run_one, folder, jobs, threads)
    results = {name: finished(run_file(folder, name, runs[name]), runs[name]) for name in runs}
    done = {name: result for name, result in results.items() if result is not None}
    if missing := results.keys() - done.keys():
        print(f"still to be done before {benchmark} is recorded: {', '.join(sorted(missing))}")
        sys.exit()
    return done


def _chosen(runs: dict[str, Result], only: Iterable[str] | None) -> dict[str, Result]:
    names = list(runs) if only is None else list(only)
    unknown = [name for name in names if name not in runs]
    if unknown:
        sys.exit(f"--only must name runs of {', '.join(runs)}; there is no {', '.join(unknown)}")
    return {name: runs[name] for name in names}


def _do_all(
    benchmark: str,
    runs: dict[str, Result],
    run_one: Callable[[str, Result, Path], Result],
    folder: Path,
    jobs: int,
    threads: int,
) -> None:
    open_runs = [
        name for name in runs if finished(run_file(folder, name, runs[name]), runs[name]) is None
    ]
    print(f"{benchmark}: {len(runs) - len(open_runs)} of {len(runs)} runs are finished", flush=True)
    if not open_runs:
        return
    # spawn: a forked process would inherit PyTorch's threads in an unusable state.
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        waiting = [
            pool.submit(_do, run_one, name, runs[name], folder, jobs, threads) for name in open_runs
        ]
        for each in waiting:
            print(each.result(), flush=True)


def run_file(folder: Path, name: str, settings: Result) -> Path:
    """Where a run's result is kept: other settings, another file."""
    checksum = zlib.crc32(json.dumps(settings, sort_keys=True).encode())
    return folder / f"{name} {checksum:08x}.json"


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
    jobs: int,
    threads: int,
) -> str:
    torch.set_num_threads(threads)
    file = run_file(folder, name, settings)
    checkpoint = file.with_suffix(".pt")
    started = time.perf_counter()
    result = run_one(name, settings, checkpoint)
    stored = {
        "settings": settings,
        "result": result,
        "finished": time.strftime("%Y-%m-%d"),
        "machine": {**machine(threads), "runs_at_the_same_time": jobs},
    }
    write_json(file, stored)
    checkpoint.unlink(missing_ok=True)
    return f"  {name}: done in {time.perf_counter() - started:.0f} s"


# --- files and arguments -----------------------------------------------------------------


def write_json(file: Path, content: Result) -> None:
    """Write a file so that it is at every moment the old one or the new one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f"{file.name}.{os.getpid()}.partial")
    temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    temporary.replace(file)


def command(name: str, options: argparse.Namespace) -> str:
    """The command that makes a record again."""
    short = " --short" if options.short else ""
    return f"python benchmarks/{name}.py --jobs {options.jobs} --threads {options.threads}{short}"


def record(name: str, results: Result, options: argparse.Namespace) -> None:
    """Write ``gnet_lib/results/NAME.json``: the results, and what they depend on.

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
        f"{part} made": {
            "command": command(name, options),
            "date": time.strftime("%Y-%m-%d"),
            "machine": machine(options.threads),
        },
    }
    write_json(file, content)
    print(f"wrote {file.name}")


def parse(description: str, arguments: list[str] | None = None) -> argparse.Namespace:
    """The arguments that every benchmark understands.

    Args:
        description: what the benchmark answers.
        arguments: the words of the command line; None: those that the program got.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--short", action="store_true", help="a run of seconds instead of the record"
    )
    parser.add_argument("--jobs", type=int, default=1, help="runs at the same time")
    parser.add_argument(
        "--threads", type=int, default=torch.get_num_threads(), help="threads of each run"
    )
    parser.add_argument("--only", nargs="+", metavar="RUN", help="do these runs and no others now")
    parser.add_argument(
        "--out", type=Path, help="the file to write instead of the one in gnet_lib/results/"
    )
    options = parser.parse_args(arguments)
    if options.jobs < 1 or options.threads < 1:
        parser.error("--jobs and --threads must be at least 1")
    return options


def main_only() -> None:
    """Say what to start when somebody starts this file."""
    sys.exit("This file is imported by the benchmarks beside it; start one of those.")


if __name__ == "__main__":
    main_only()
