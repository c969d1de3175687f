"""The book, built from nothing for the tests: once in a run, however many workers there are.

Beside it a small book of made-up pages, with the same settings but at an address: for what the
book itself cannot show while it has none, and for charts that start otherwise. A test that
needs a page of its own puts it there; it starts no build.
"""

import json
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import repository
import yaml
from conftest import BOOK, ROOT
from filelock import FileLock
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

# The reference shows tables of the library.
SOURCES = ("_config.yml", "_toc.yml", "book", "gnet_lib")
SLUG = "Ada/inception-book"
SMALL_PAGES = ("index", "second", "explorer", "another_start")
BADGE = "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/)"
# Where the second page with the explorer starts: at none of the paper's modules.
WIDTHS = {"c1x1": 10, "c3x3_reduce": 20, "c3x3": 700, "c5x5_reduce": 5, "c5x5": 6, "pool_proj": 7}
ANOTHER_START = {"in_channels": 33, "size": 60, **WIDTHS}


def contents() -> list[str]:
    """The pages that the table of contents names, in its order, without suffix."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    return [toc["root"], *files_of(toc)]


def files_of(entry: dict[str, Any]) -> list[str]:
    """The pages that an entry of the table of contents holds, at any depth."""
    below = [inner for kind in ("parts", "chapters", "sections") for inner in entry.get(kind, [])]
    return [
        name
        for inner in below
        for name in [*([inner["file"]] if "file" in inner else []), *files_of(inner)]
    ]


def copy_sources(folder: Path) -> None:
    """Copy what the book is made of, so that a build leaves nothing in the repository."""
    for name in SOURCES:
        copier = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copier(ROOT / name, folder / name)


def write_small_book(folder: Path) -> None:
    """Four pages with the book's settings, as they are after ``make repository REPO=slug``."""
    (folder / "book").mkdir()
    settings = (ROOT / "_config.yml").read_text(encoding="utf-8")
    settings = repository.BLOCK.sub(lambda found: repository.configuration(SLUG), settings)
    (folder / "_config.yml").write_text(settings, encoding="utf-8")
    toc = "format: jb-book\nroot: book/index\nchapters:\n"
    toc += "".join(f"- file: book/{name}\n" for name in SMALL_PAGES[1:])
    (folder / "_toc.yml").write_text(toc, encoding="utf-8")
    for name in ("_static", "_ext", "_inv"):
        shutil.copytree(BOOK / name, folder / "book" / name)
    shutil.copy(BOOK / "references.bib", folder / "book")
    for name in ("index", "second"):
        text = f"# The {name} page\n\nIts first sentence.\n"
        (folder / f"book/{name}.md").write_text(text, encoding="utf-8")
    write_explorers(folder / "book")


def write_explorers(folder: Path) -> None:
    """Two notebooks with the module explorer: as it starts by itself, and as it is told to."""
    from gnet_lib import InceptionWidths
    from gnet_lib.explorer import module_explorer  # imports torch, which few tests of pages need

    another = module_explorer(33, InceptionWidths(**WIDTHS), 60)
    for name, start in (("explorer", module_explorer()), ("another_start", another)):
        data = {"text/html": start.data, "text/plain": "HTML"}
        output = new_output("execute_result", data, execution_count=1)
        cells = [
            new_markdown_cell(BADGE, metadata={"tags": ["remove-cell"]}),
            new_markdown_cell(f"# The page {name}\n\nText.\n\n## A section"),
            new_code_cell("module_explorer()", outputs=[output], execution_count=1),
        ]
        kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
        about = {"kernelspec": kernel, "language_info": {"name": "python"}}
        nbformat.write(new_notebook(cells=cells, metadata=about), folder / f"{name}.ipynb")


def jupyter_book(folder: Path) -> str:
    """Build the book whose sources lie in a folder, warnings as errors; gives what went wrong."""
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()"]
    command += ["build", ".", "-W", "-n", "--keep-going", "--quiet"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return f"the build failed:\n{done.stdout}\n{done.stderr}" if done.returncode else ""


def build_once(
    shared: Path, name: str, write_sources: Callable[[Path], None]
) -> tuple[Path, float]:
    """(folder of the pages, processor seconds of the build), built by whoever comes first.

    Args:
        shared: a folder that all workers of this test run see.
        name: of the book's folder in it.
        write_sources: puts what the book is made of into an empty folder.

    Raises:
        RuntimeError: if the book has a fault; then for every worker, and built once all the same.
    """
    folder, record = shared / name, shared / f"{name}.json"
    with FileLock(shared / f"{name}.lock"):
        if not record.exists():
            folder.mkdir()
            write_sources(folder)
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            fault = jupyter_book(folder)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            record.write_text(json.dumps([fault, seconds]), encoding="utf-8")
    fault, seconds = json.loads(record.read_text(encoding="utf-8"))
    if fault:
        raise RuntimeError(fault)
    return folder / "_build/html", seconds
