"""Run one notebook in a process of its own, within limits. Used by test_submission.py.

The process begins in a new folder, which is deleted afterwards. Nothing that it prints is kept.
When it has ended, or is over a limit, everything that it started is stopped.
"""

import contextlib
import ctypes
import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

# Read before any student's code runs, which could write into the file.
CELLS = Path(__file__).with_name("submission_cells.py").read_text(encoding="utf-8")


def limit(name, default):
    """A limit out of the environment."""
    text = os.environ.get(name, str(default))
    with contextlib.suppress(ValueError):
        if float(text) > 0:
            return float(text)
    raise ValueError(f"{name} must be a number above 0, such as {default}, but it is {text!r}")


CELL_LIMIT_SECONDS = limit("CELL_LIMIT_SECONDS", 600)
NOTEBOOK_LIMIT_SECONDS = limit("NOTEBOOK_LIMIT_SECONDS", 1800)
MEMORY_LIMIT_GB = limit("MEMORY_LIMIT_GB", 4)  # of a notebook and all processes that it starts
OUTPUT_LIMIT_MB = limit("OUTPUT_LIMIT_MB", 2)  # a progress bar of ten minutes prints half of it
PROCESS_LIMIT = limit("PROCESS_LIMIT", 50)
REPORT_LIMIT_MB = 200  # answers; a tensor of ten million numbers has a hundred
LOOK_EVERY_SECONDS = 0.2


def adopt_orphans():
    """On Linux, processes whose parent has ended become ours, so that they can be found."""
    if sys.platform == "linux":
        set_child_subreaper = 36
        ctypes.CDLL(None).prctl(set_child_subreaper, 1, 0, 0, 0)


def started():
    """All processes that we have started, and those that they have."""
    return psutil.Process().children(recursive=True)


def end(process, before):
    """Stop a notebook with all that it started, daemons too."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, 9)
    for _ in range(100):  # others may start while some are stopped
        left = [each for each in started() if each not in before]
        for each in left:
            with contextlib.suppress(psutil.Error):
                each.kill()
        psutil.wait_procs(left, timeout=1)
        if not left:
            break
    process.wait()


def excess(before):
    """Which limit the processes of a notebook are over; "" if none."""
    running = [each for each in started() if each not in before]
    if len(running) > PROCESS_LIMIT:
        return f"started more than {PROCESS_LIMIT:g} processes (PROCESS_LIMIT)"
    # What processes share is counted again for each by the quick way, so look twice.
    if memory(running, quick=True) > MEMORY_LIMIT_GB * 1e9 < memory(running, quick=False):
        return f"needed more than {MEMORY_LIMIT_GB:g} GB of memory (MEMORY_LIMIT_GB)"
    return ""


def memory(running, quick):
    """Bytes that processes hold; what they share is counted once where the system tells (Linux)."""
    held = 0
    for each in running:
        with contextlib.suppress(psutil.Error):  # it has just ended
            found = each.memory_info() if quick else each.memory_full_info()
            held += getattr(found, "pss", found.rss)
    return held


class Watch:
    """Listens to a notebook that runs."""

    def __init__(self):
        self.events, self.rest, self.printed, self.reported = [], b"", 0, 0
        self.began = self.cell_began = self.looked = time.monotonic()

    def hear(self, content):
        """Take what came through the report's pipe, line by line."""
        self.reported += len(content)
        *lines, self.rest = (self.rest + content).split(b"\n")
        for line in lines:
            with contextlib.suppress(ValueError):  # the student's code can write there as well
                event = json.loads(line)
                if isinstance(event, dict):
                    self.events.append(event)
                    self.cell_began = time.monotonic()

    def too_much(self, before):
        """Which limit the notebook is over; "" if none."""
        now = time.monotonic()
        if self.printed > OUTPUT_LIMIT_MB * 1e6:
            return f"printed more than {OUTPUT_LIMIT_MB:g} MB (OUTPUT_LIMIT_MB)"
        if self.reported > REPORT_LIMIT_MB * 1e6:
            return f"gave answers of more than {REPORT_LIMIT_MB} MB"
        if now - self.cell_began > CELL_LIMIT_SECONDS:
            return f"ran longer than {CELL_LIMIT_SECONDS:g} s (CELL_LIMIT_SECONDS)"
        if now - self.began > NOTEBOOK_LIMIT_SECONDS:
            return (
                f"was reached, but the notebook ran longer than {NOTEBOOK_LIMIT_SECONDS:g} s "
                "(NOTEBOOK_LIMIT_SECONDS)"
            )
        if now - self.looked < LOOK_EVERY_SECONDS:
            return ""
        self.looked = now
        return excess(before)

    def listen(self, process, output, report, before):
        """Until the notebook has ended; why it was stopped, "" if it ended by itself."""
        with selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ)
            selector.register(report, selectors.EVENT_READ)
            while True:
                ended = process.poll() is not None
                ready = [key.fd for key, _ in selector.select(0 if ended else 0.1)]
                for each in ready:
                    content = os.read(each, 1 << 16)
                    if not content:
                        selector.unregister(each)
                    elif each == report:
                        self.hear(content)
                    else:
                        self.printed += len(content)
                if ended and report not in ready:
                    return ""
                if why := self.too_much(before):
                    return why


def environment(folder):
    """The environment variables of a notebook."""
    return {
        **os.environ,
        "IPYTHONDIR": str(folder / "ipython"),  # none of the teacher's own settings
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",  # as in Jupyter
        "PYTHONIOENCODING": "utf-8:backslashreplace",
    }


def lay(files, folder):
    """Make the folder that a notebook runs in."""
    folder.mkdir()
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def run(cells, files):
    """Run cells in a new folder with some files.

    Args:
        cells: for each its source, and of an answer's cell the exercise and the answer's name.
        files: name -> content, of what lies in the folder.

    Returns:
        (the events of the report, as submission_cells.py writes them, why it was stopped).
    """
    adopt_orphans()
    before, watch = started(), Watch()
    reading, writing = os.pipe()
    with (
        tempfile.TemporaryDirectory(prefix="submission-", ignore_cleanup_errors=True) as folder,
        tempfile.TemporaryFile("w+") as job,
    ):
        lay(files, Path(folder, "work"))
        json.dump({"cells": cells, "report": writing}, job)
        job.seek(0)
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", CELLS],
            cwd=Path(folder, "work"),
            env=environment(Path(folder)),
            stdin=job,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=(writing,),
        )
        assert process.stdout is not None
        os.close(writing)
        try:
            why = watch.listen(process, process.stdout.fileno(), reading, before)
        finally:
            end(process, before)
            process.stdout.close()
            os.close(reading)
    return watch.events, why
