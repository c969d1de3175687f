"""Run one submitted notebook, and write its answers down. Started by submission_process.py.

This is the only process that runs a student's code, and it judges nothing. The job comes as
JSON on the standard input: the cells of code, and of each answer's cell the exercise and the
name of its answer. For every cell there is a line of JSON in the report: that it began, that it
stopped with an error, or what its answer is. What the cells print goes to the standard output,
where it is counted and thrown away.

    {"cells": [{"source": "answer = 42", "exercise": "8.4", "name": "answer"}], "report": 5}
"""

import ctypes
import json
import os
import resource
import signal
import sys
import traceback

# Looked up before any student's code runs, so that none can put something else in their place.
from json import dumps

from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from gnet_lib.exercises import check, evidence

LONGEST_MESSAGE = 400
LARGEST_FILE = 1_000_000_000
write, leave = os.write, os._exit


def writer(report):
    """A function that puts one line into the report."""

    def tell(**said):
        line = memoryview((dumps(said) + "\n").encode())
        while line:
            line = line[write(report, line) :]

    return tell


def shell():
    """What runs cells in Jupyter, without Jupyter: magics, `await` and figures work."""
    made = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    vars(made).update(ask_exit=lambda: leave(0))  # `exit` and `quit` end the kernel in Jupyter
    made.user_ns["check"] = check  # in the book the first answer's cell imports it for the others
    return made


def line_of(error, source):
    """The line of the cell that an error comes from; None if it is not known."""
    # IPython takes blank lines in front away, and counts from there.
    blank = next((place for place, line in enumerate(source.splitlines()) if line.strip()), 0)
    if isinstance(error, SyntaxError):
        return error.lineno and error.lineno + blank
    for frame, line in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_filename.startswith("<ipython-input") and (
            frame.f_code.co_name == "<module>"
        ):
            return line + blank
    return None


def described(error):
    """An error's name and text; of a text that cannot be made the name."""
    try:
        text = " ".join(str(error).split())
    except Exception:  # of the student's own class
        text = ""
    return f"{type(error).__name__}: {text}"[:LONGEST_MESSAGE].removesuffix(": ")


def run_cell(runner, source):
    """Run a cell; what it stopped with, None if it ran through."""
    try:
        result = runner.run_cell(source, store_history=True)
    except BaseException as error:  # a text that IPython itself cannot read
        return error
    return result.error_before_exec or result.error_in_exec


def run(cells, tell):
    """Run all cells in their order, and report each."""
    runner = shell()
    names = runner.user_ns
    for place, cell in enumerate(cells):
        tell(cell=place, event="began")
        # An answer has to come from its own cell, not from another exercise's with that name.
        earlier = names.pop(cell["name"], None)
        error = run_cell(runner, cell["source"])
        if error is not None:
            tell(
                cell=place,
                event="error",
                error=described(error),
                line=line_of(error, cell["source"]),
            )
        elif cell["exercise"] and cell["name"] not in names:
            tell(cell=place, event="no answer")
        elif cell["exercise"]:
            answer = evidence(cell["exercise"], names[cell["name"]])
            tell(cell=place, event="answer", evidence=answer)
        if earlier is not None:
            names.setdefault(cell["name"], earlier)


def restrict():
    """What the system itself watches. Memory is not among it: torch reserves more than it uses."""
    if sys.platform == "linux":  # when the tests are killed, this process is, too
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    if most == resource.RLIM_INFINITY or most > LARGEST_FILE:
        resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))


def main():
    """Read the job, do it, and leave without waiting for threads that go on."""
    job = json.load(sys.stdin)
    os.set_inheritable(job["report"], False)
    restrict()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # nobody answers an `input()`
    # Helpers beside the notebook can be imported, but none can stand in for the library.
    sys.path[:] = [*(path for path in sys.path if path not in ("", ".")), os.getcwd()]
    run(job["cells"], writer(job["report"]))
    sys.stdout.flush()
    leave(0)


if __name__ == "__main__":
    main()
