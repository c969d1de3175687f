"""What several test files share: where things are, the chapters, and short runs of benchmarks."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BOOK = ROOT / "book"

# The tests of the tools, the benchmarks and the book's extension import them as the modules they are.
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "benchmarks"), str(BOOK / "_ext")]

# A shell that starts the tests in the background makes them deaf to Ctrl-C, which some tests press.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Figures in plain tests need no screen. Set before matplotlib is imported anywhere.
os.environ.setdefault("MPLBACKEND", "Agg")


def parameters_of(model) -> int:
    """How many numbers a network learns."""
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.fixture(scope="session")
def whole_book(tmp_path_factory):
    """(folder of the pages, processor seconds): the book built from nothing, once for all workers."""
    from built_book import build_once  # which needs this file

    own = tmp_path_factory.getbasetemp()
    return build_once(own.parent if "PYTEST_XDIST_WORKER" in os.environ else own)


@pytest.fixture(scope="session")
def short_run(tmp_path_factory):
    """Run a benchmark's ``--short`` anew, as a reader would; gives its file's short part."""

    def run(name: str) -> dict:
        folder = tmp_path_factory.mktemp(name)
        file = folder / f"{name}.json"
        command = [
            sys.executable,
            ROOT / "benchmarks" / f"{name}.py",
            "--threads",
            "1",
            "--short",
            "--out",
            file,
        ]
        environment = {**os.environ, "GNET_RUNS": str(folder / "runs"), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert f"wrote {name}.json" in done.stdout
        written = json.loads(file.read_text(encoding="utf-8"))
        assert "results" not in written
        return written["short"]

    return run
