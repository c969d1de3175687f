"""What several test files share: where things are, the built books, a browser, short benchmarks."""

import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
BOOK = ROOT / "book"

# Tests import the tools, the benchmarks and the book's extension as the modules they are.
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "benchmarks"), str(BOOK / "_ext")]

# A shell that starts the tests in the background makes them deaf to Ctrl-C, which some tests press.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Figures in plain tests need no screen. Set before matplotlib is imported anywhere.
WITHOUT_SCREEN = {"MPLBACKEND": "Agg"}
os.environ.update(WITHOUT_SCREEN)


def parameters_of(model) -> int:
    """How many numbers a network learns."""
    return sum(parameter.numel() for parameter in model.parameters())


# --- one run for tests and notebooks ------------------------------------------------------

# Workers take files in this order, the longest first, so that none is left with a long one at the
# end while the others wait. The rest follow in their own order.
LONGEST = (
    "08_training.ipynb",
    "test_pages.py",
    "07_data_and_device.ipynb",
    "test_without_data.py",
    "06_auxiliary_classifiers.ipynb",
    "test_results.py",
    "test_tools.py",
    "test_explorer.py",
    "test_use_elsewhere.py",
    "test_results_side_by_side.py",
    "test_results_fair.py",
    "test_graders.py",
    "test_results_heads.py",
    "test_mutations.py",
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the longest files first."""
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.name, len(LONGEST)))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Chapters draw as they do for a reader: no word of screens reaches their kernels."""
    if item.path.suffix == ".ipynb":
        os.environ.pop("MPLBACKEND", None)
    else:
        os.environ.update(WITHOUT_SCREEN)


# --- pages -------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory) -> Path:
    """A folder that all workers of this run see."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def whole_book(shared_folder) -> tuple[Path, float]:
    """(folder of the pages, processor seconds): the book, built once for all workers."""
    from built_book import build_once, copy_sources  # which needs this file

    return build_once(shared_folder, "whole_book", copy_sources)


@pytest.fixture(scope="session")
def small_book(shared_folder) -> Path:
    """The folder of the small book's pages, built once for all workers; it has an address."""
    from built_book import build_once, write_small_book

    return build_once(shared_folder, "small_book", write_small_book)[0]


# Not for the session: while it is open, tests of other files could not run asyncio.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """One browser for all tests of a file."""
    from browser import running_browser

    with running_browser() as browser:
        yield browser


# --- benchmarks --------------------------------------------------------------------------


class InThisProcess(Executor):
    """In place of ``ProcessPoolExecutor``, whose processes would each import torch for seconds."""

    def __init__(self, *arguments):
        pass

    def submit(self, fn, /, *arguments, **named):
        done = Future()
        done.set_result(fn(*arguments, **named))
        return done


@pytest.fixture
def without_processes(monkeypatch, tmp_path) -> None:
    """Benchmarks do their runs here and now; finished ones lie in a folder of the test's own."""
    import common

    monkeypatch.setattr(common, "ProcessPoolExecutor", InThisProcess)
    monkeypatch.setattr(common, "RUNS", tmp_path / "runs")


def written_by(file: Path) -> dict[str, Any]:
    """The short part of a benchmark's file, which holds nothing else."""
    written = json.loads(file.read_text(encoding="utf-8"))
    assert "results" not in written
    return written["short"]


@pytest.fixture
def short_run(without_processes, tmp_path) -> Callable[[str], dict[str, Any]]:
    """Do a benchmark's ``--short`` anew; gives its file's short part."""

    def run(name: str) -> dict[str, Any]:
        file = tmp_path / f"{name}.json"
        importlib.import_module(name).main(["--threads", "1", "--short", "--out", str(file)])
        return written_by(file)

    return run


def short_run_by_command(name: str, folder: Path) -> dict[str, Any]:
    """The same as a reader does it, by the command line and with processes of its own."""
    file = folder / f"{name}.json"
    command = [sys.executable, ROOT / "benchmarks" / f"{name}.py", "--threads", "1", "--short"]
    environment = {**os.environ, "GNET_RUNS": str(folder / "runs"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, "--out", file], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert f"wrote {name}.json" in done.stdout
    return written_by(file)
