"""Run one notebook in a process of its own, within limits. Used by test_submission.py.

The process begins in a new folder, which is deleted afterwards. When it has ended, or is over a
limit, its group is stopped: all that it started, apart from what has left the group on purpose.
"""

import contextlib
import json
import os
import select
import signal
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
REPORT_LIMIT_MB = 300  # answers; a tensor of ten million numbers has two hundred
LOOK_EVERY_SECONDS = 0.5


def memory(process):
    """Bytes that a process and its children hold; what they share is counted once (on Linux)."""
    held = 0
    with contextlib.suppress(psutil.Error):  # one of them has just ended
        first = psutil.Process(process.pid)
        for each in [first, *first.children(recursive=True)]:
            found = each.memory_full_info()
            held += getattr(found, "pss", found.uss)
    return held


def listen(process, report, output):
    """Until a notebook has ended or is over a limit: (its events, why it was stopped)."""
    events, rest, reported, held = [], bytearray(), 0, 0
    began = cell_began = looked = time.monotonic()
    while True:
        ended = process.poll() is not None
        ready, _, _ = select.select([report], [], [], 0 if ended else 0.1)
        content = os.read(report, 1 << 16) if ready else b""
        if ended and not content:
            return events, ""
        now = time.monotonic()
        reported += len(content)
        rest += content
        if b"\n" in content:
            *lines, rest = rest.split(b"\n")
            events += [json.loads(line) for line in lines]
            cell_began = now
        if not events:
            cell_began = now  # Python starts, which is none of the first cell's time
        if now - looked > LOOK_EVERY_SECONDS:
            looked, held = now, memory(process)
        for is_over, why in (
            (os.fstat(output).st_size > OUTPUT_LIMIT_MB * 1e6,
             f"printed more than {OUTPUT_LIMIT_MB:g} MB (OUTPUT_LIMIT_MB)"),
            (held > MEMORY_LIMIT_GB * 1e9,
             f"needed more than {MEMORY_LIMIT_GB:g} GB of memory (MEMORY_LIMIT_GB)"),
            (reported > REPORT_LIMIT_MB * 1e6,
             f"gave answers of more than {REPORT_LIMIT_MB} MB"),
            (bool(events) and now - cell_began > CELL_LIMIT_SECONDS,
             f"ran longer than {CELL_LIMIT_SECONDS:g} s (CELL_LIMIT_SECONDS)"),
            (now - began > NOTEBOOK_LIMIT_SECONDS,
             f"was reached, but the notebook ran longer than {NOTEBOOK_LIMIT_SECONDS:g} s "
             "(NOTEBOOK_LIMIT_SECONDS)"),
        ):  # fmt: skip
            if is_over:
                return events, why


def run(sources, answers, files):
    """Run cells in a new folder with some files, name -> content; returns what ``listen`` does."""
    reading, writing = os.pipe()
    with (
        tempfile.TemporaryDirectory(prefix="submission-", ignore_cleanup_errors=True) as folder,
        tempfile.TemporaryFile("w+") as job,
        tempfile.TemporaryFile() as output,
    ):
        work = Path(folder, "work")
        work.mkdir()
        for name, content in files.items():
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            (work / name).write_bytes(content)
        json.dump({"sources": sources, "answers": answers, "report": writing}, job)
        job.seek(0)
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", CELLS],
            cwd=work,
            env={
                **os.environ,
                "IPYTHONDIR": str(Path(folder, "ipython")),  # none of the teacher's own settings
                "MPLBACKEND": "module://matplotlib_inline.backend_inline",  # as in Jupyter
                "PAGER": "cat",  # as in Jupyter; a longer help would wait for a key
                "PIP_DRY_RUN": "1",  # `!pip install` leaves the teacher's environment as it is
                "PIP_NO_INDEX": "1",
                "PYTHONIOENCODING": "utf-8:backslashreplace",
            },
            stdin=job,
            stdout=output,
            stderr=output,
            start_new_session=True,
            pass_fds=(writing,),
        )
        os.close(writing)
        try:
            return listen(process, reading, output.fileno())
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            os.close(reading)
