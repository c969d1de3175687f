"""Do what a reader on Colab does, with Colab's versions: install by the set-up cell, then run.

    .venv-colab/bin/python tools/colab.py                          # every chapter (`make colab`)
    .venv-colab/bin/python tools/colab.py book/05_googlenet.ipynb  # only this one

1. A copy of the book, as it is in this folder now, gets an address and a git repository of its
   own, and git is told to fetch that address from there.
2. The set-up cell installs the library from the address. Afterwards the environment must hold
   gnet_lib and torchinfo more than before, and nothing else may have changed.
3. Every chapter runs in a folder of its own, and its outputs are compared with the stored
   ones. `comparable` says what must be equal.

Colab itself differs in two ways: it downloads Fashion-MNIST, and it may have a GPU.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import nbformat
import refresh
import repository
from nbclient.exceptions import CellExecutionError, CellTimeoutError

ROOT = Path(__file__).resolve().parents[1]
SLUG = "reader/googlenet-book"  # the address of the copy; no such repository is asked for
ADDED = {"gnet_lib", "torchinfo"}
# Minutes each, so they start first.
LONGEST = ("08_training.ipynb", "07_data_and_device.ipynb", "06_auxiliary_classifiers.ipynb")


# --- the book at an address -----------------------------------------------------------


def copy_book(folder: Path) -> None:
    """Copy what git would commit, as it lies in the folder now."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)


def commit(folder: Path) -> None:
    """Make the folder a repository with one commit, whatever this computer's git is set to."""
    settings = (
        "user.name=A reader",
        "user.email=reader@example.org",
        "commit.gpgSign=false",
        "core.hooksPath=/dev/null",
    )
    options = [word for setting in settings for word in ("-c", setting)]
    for arguments in (
        ["init", "--quiet"],
        ["add", "--all"],
        ["commit", "--quiet", "--message", "The book"],
    ):
        subprocess.run(["git", *options, *arguments], cwd=folder, check=True)


def publish(folder: Path) -> None:
    """The book in a repository of its own, which git takes for the one at the address."""
    copy_book(folder)
    repository.stamp(SLUG, folder)
    commit(folder)
    os.environ["GIT_CONFIG_COUNT"] = "1"
    os.environ["GIT_CONFIG_KEY_0"] = f"url.{folder.as_uri()}.insteadOf"
    os.environ["GIT_CONFIG_VALUE_0"] = f"https://github.com/{SLUG}"


# --- what is installed ----------------------------------------------------------------


def installed() -> dict[str, str]:
    """Name and version of every package of this environment."""
    command = [sys.executable, "-m", "pip", "list", "--format=json", "--disable-pip-version-check"]
    listed = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return {entry["name"].replace("-", "_"): entry["version"] for entry in listed}


def changes(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """What happened to the packages beyond the library and torchinfo being added."""
    found = [
        f"{name} was {before[name]} and is {after.get(name, 'gone')}"
        for name in sorted(before)
        if after.get(name) != before[name]
    ]
    found += [
        f"{name} {after[name]} was added" for name in sorted(set(after) - set(before) - ADDED)
    ]
    return found + [f"{name} is missing" for name in sorted(ADDED - set(after))]


def uninstall() -> None:
    """Back to what Colab has, after an earlier run."""
    if earlier := ADDED & set(installed()):
        subprocess.run(
            [sys.executable, "-m", "pip", "uninstall", "--quiet", "--yes", *earlier], check=True
        )


def set_up(book: Path) -> list[str]:
    """Run the set-up cell alone, in a fresh kernel; gives the complaints."""
    notebook = nbformat.read(book / "01_why_cheaply.ipynb", as_version=4)
    notebook.cells = [next(cell for cell in notebook.cells if cell.cell_type == "code")]
    uninstall()
    before = installed()
    with tempfile.TemporaryDirectory() as folder:
        try:
            refresh.execute(notebook, Path(folder))
        except CellExecutionError as error:
            return [f"it failed: {error}"]
    after = installed()
    added = sorted(set(after) - set(before))
    print(f"The set-up cell added {', '.join(f'{name} {after[name]}' for name in added)}")
    return changes(before, after)


# --- what must be equal ---------------------------------------------------------------


# The labels of a logarithmic axis, which each version of matplotlib chooses for itself.
POWERS_OF_TEN = re.compile(r"\$\\mathdefault\{.*\}\$")


def figure_texts(svg: str) -> tuple[str, ...]:
    """The words and numbers of a figure: matplotlib writes each beside the shape drawn for it."""
    texts = re.findall(r"<!-- (.*?) -->", svg, flags=re.DOTALL)
    return tuple(text for text in texts if not POWERS_OF_TEN.fullmatch(text))


def comparable(output: nbformat.NotebookNode) -> dict:
    """What of one output must be equal with other versions, too.

    Of text, errors and tables: all. Another matplotlib draws the same figure with other
    lines, so of a figure: its sentence, and its words and numbers; of a photograph: its
    sentence. Another Altair asks for another Vega, so of a chart: that it is there.
    """
    if output.output_type == "error":
        return {"error": output.ename, "message": output.evalue}
    if output.output_type == "stream":
        return {output.name: refresh.tidied_text(output.text)}
    data = {
        kind: refresh.tidied_text(content) if kind.startswith("text/") else content
        for kind, content in output.data.items()
    }
    if "image/svg+xml" in data:
        data["image/svg+xml"] = figure_texts(data["image/svg+xml"])
    if "image/png" in data:  # half a million letters, on which tidying would take a minute
        data["image/png"] = "a picture"
    if "vegaEmbed(" in data.get("text/html", ""):
        data["text/html"] = "a chart"
    return {"kind": output.output_type, "sentence": output.metadata.get("alt"), **data}


def differences(stored: nbformat.NotebookNode, executed: nbformat.NotebookNode) -> list[str]:
    """Where the outputs of two runs of a notebook differ in what must be equal."""
    found = []
    for old, new in zip(stored.cells, executed.cells, strict=True):
        if old.cell_type != "code" or "nbval-ignore-output" in old.metadata.get("tags", []):
            continue
        wanted, got = ([comparable(output) for output in cell.outputs] for cell in (old, new))
        if wanted != got:
            found.append(
                f"cell {old.source.splitlines()[0]!r}\n  stored:   {wanted}\n  executed: {got}"
            )
    return found


# --- the chapters ---------------------------------------------------------------------


def run_chapter(book: Path, name: str) -> tuple[str, float, list[str]]:
    """Run one chapter alone; gives its name, the seconds and the complaints."""
    stored = nbformat.read(book / name, as_version=4)
    executed = nbformat.read(book / name, as_version=4)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        try:
            refresh.execute(executed, Path(folder))
            complaints = differences(stored, executed)
        except (CellExecutionError, CellTimeoutError) as error:
            complaints = [f"a cell failed: {error}"]
    return name, time.perf_counter() - started, complaints


def run_chapters(book: Path, names: list[str], workers: int) -> int:
    """Run the chapters, `workers` at a time; gives how many failed."""
    failed = 0
    with ProcessPoolExecutor(workers) as pool:
        for finished in as_completed([pool.submit(run_chapter, book, name) for name in names]):
            name, seconds, complaints = finished.result()
            failed += bool(complaints)
            print(f"{'failed' if complaints else 'passed'}  {name}  {seconds:.0f} s", flush=True)
            print("\n".join(complaints), end="\n" if complaints else "", flush=True)
    return failed


def main(arguments: list[str]) -> int:
    """Install and run; 1 when something differs or fails."""
    parser = argparse.ArgumentParser(description="Run the chapters as Colab would.")
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: every notebook in book/")
    parser.add_argument("--workers", type=int, default=1, help="chapters at a time")
    options = parser.parse_args(arguments)
    if not (ROOT / ".git").exists():
        print(
            "This needs the book as a git repository (git clone), not as unpacked files.",
            file=sys.stderr,
        )
        return 1
    names = [path.name for path in options.notebooks or sorted((ROOT / "book").glob("*.ipynb"))]
    names.sort(key=lambda name: LONGEST.index(name) if name in LONGEST else len(LONGEST))
    os.environ.pop("PYTHONPATH", None)  # the library must come from where the cell installed it
    os.environ.pop("MPLBACKEND", None)
    os.environ["PYTHONHASHSEED"] = "0"
    os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"  # no kernel speaks of frozen modules
    with tempfile.TemporaryDirectory() as folder:
        publish(Path(folder))
        complaints = set_up(Path(folder) / "book")
        if complaints:
            print(
                "The set-up cell must add the library and torchinfo and change nothing, but:",
                *complaints,
                sep="\n  ",
            )
            return 1
        failed = run_chapters(Path(folder) / "book", names, options.workers)
    print(f"{len(names) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
