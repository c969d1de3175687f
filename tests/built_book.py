"""The book, built from nothing for the tests: once in a run, however many workers there are."""

import json
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import yaml
from conftest import ROOT
from filelock import FileLock

SOURCES = (
    "_config.yml",
    "_toc.yml",
    "book",
    "gnet_lib",
)  # the reference shows tables of the library


def contents() -> list[str]:
    """The pages that the table of contents names, in its order, without suffix."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    return [toc["root"], *files_of(toc)]


def files_of(entry: dict) -> list[str]:
    """The pages that an entry of the table of contents holds, at any depth."""
    below = [inner for kind in ("parts", "chapters", "sections") for inner in entry.get(kind, [])]
    return [
        name
        for inner in below
        for name in [*([inner["file"]] if "file" in inner else []), *files_of(inner)]
    ]


def jupyter_book(folder: Path) -> Path:
    """Build the book whose sources lie in a folder, warnings as errors; gives the folder of pages."""
    command = [
        sys.executable,
        "-c",
        "from jupyter_book.cli.main import main; main()",
        "build",
        ".",
        "-W",
        "-n",
        "--keep-going",
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    return folder / "_build/html"


def copy_sources(folder: Path) -> None:
    """Copy what the book is made of, so that a build leaves nothing in the repository."""
    for name in SOURCES:
        copier = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copier(ROOT / name, folder / name)


def build_once(shared: Path) -> tuple[Path, float]:
    """(folder of the pages, processor seconds of the build), built by whoever comes first.

    Args:
        shared: a folder that all workers of this test run see.
    """
    folder, record = shared / "whole_book", shared / "whole_book.json"
    with FileLock(shared / "whole_book.lock"):
        if not record.exists():
            # A build that failed for another worker leaves a folder; it fails here again.
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            copy_sources(folder)
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            jupyter_book(folder)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            record.write_text(
                json.dumps(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
            )
    return folder / "_build/html", json.loads(record.read_text())
