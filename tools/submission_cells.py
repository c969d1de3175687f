"""Run one submitted notebook, and write its answers down. Started by submission_process.py.

This is the only process that runs a student's code, and it judges nothing. The job comes as
JSON on the standard input: the cells' code, and for each answer its cell, exercise and name.

    {"sources": ["answer = 42"], "answers": [[0, "8.4", "answer"]], "report": 5}

For every cell there are lines of JSON in the report: that it began, and how it ended.
"""

import builtins
import json
import os
import sys

from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from gnet_lib.exercises import check, evidence

LONGEST_MESSAGE = 400
# They install into the teacher's environment, or need Jupyter's kernel. No answer needs them.
LEFT_OUT = ["autosave", "conda", "connect_info", "mamba", "micromamba", "pip", "qtconsole", "uv"]


class Shell(InteractiveShell):
    """IPython without a window: whatever `%matplotlib` asks for, figures are drawn as `inline`."""

    def enable_gui(self, gui=None):
        """Do nothing, as there is no window whose events would have to be handled."""

    def enable_matplotlib(self, gui=None):
        """Draw inline; `notebook`, `widget` and `qt` need a browser or a screen."""
        return super().enable_matplotlib("inline")


def leave_out(line):
    """Stand in for a magic that does nothing here."""
    print(f"left out when answers are graded: {line}")


def nobody_answers(prompt=""):
    """Stand in for `input`."""
    raise EOFError("nobody answers an input() when answers are graded")


def shell():
    """What runs cells in Jupyter, without Jupyter: magics, `await` and figures work."""
    made = Shell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    for name in LEFT_OUT:
        made.magics_manager.register_function(leave_out, "line", name)
    builtins.input = nobody_answers
    vars(made).update(ask_exit=lambda: os._exit(0))  # `exit` and `quit` end the kernel in Jupyter
    made.user_ns["check"] = check  # in the book the first answer's cell imports it for the others
    return made


def described(error):
    """An error's name and text; of a text that cannot be made the name."""
    try:
        text = " ".join(str(error).split())
    except Exception:  # of the student's own class
        text = ""
    return f"{type(error).__name__}: {text}"[:LONGEST_MESSAGE].removesuffix(": ")


def outcome(runner, source, exercise, name, library):
    """Run a cell, and say how it ended; ``exercise`` and ``name`` are None without an answer.

    ``library`` holds the library's modules, which a cell may have thrown out of Python's own.
    """
    sys.modules.update(library)
    names = runner.user_ns
    # An answer has to come from its own cell, not from another exercise's with that name.
    earlier = {name: names.pop(name)} if name in names else {}
    try:
        result = runner.run_cell(source, store_history=True)
        error = result.error_before_exec or result.error_in_exec
    except BaseException as raised:  # a text that IPython itself cannot read
        error = raised
    sys.modules.update(library)
    is_there = name in names
    names.update({} if is_there else earlier)
    if error is not None:
        return {"event": "error", "error": described(error)}
    if exercise and is_there:
        return {"event": "answer", "evidence": evidence(exercise, names[name])}
    return {"event": "no answer"}


def main():
    """Read the job, do it, and leave without waiting for threads that go on."""
    job = json.load(sys.stdin)
    answers = {place: (exercise, name) for place, exercise, name in job["answers"]}
    # What reading an answer imports: not in a cell's time, and not from a file of a student's.
    for exercise, _ in answers.values():
        evidence(exercise, None)
    library = {name: each for name, each in sys.modules.items() if name.startswith("gnet_lib")}
    os.set_inheritable(job["report"], False)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # nobody types anything
    # Helpers beside the notebook can be imported, but none can stand in for the library.
    sys.path[:] = [*(path for path in sys.path if path not in ("", ".")), os.getcwd()]
    runner, write, leave = shell(), json.dumps, os._exit  # before a student's code changes them
    with open(job["report"], "w", encoding="utf-8") as report:
        for place, source in enumerate(job["sources"]):
            print(write({"cell": place, "event": "began"}), file=report, flush=True)
            said = outcome(runner, source, *answers.get(place, (None, None)), library)
            print(write({"cell": place, **said}), file=report, flush=True)
        leave(0)


if __name__ == "__main__":
    main()
