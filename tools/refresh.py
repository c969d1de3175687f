"""Execute the book's notebooks in place and tidy what is stored.

    python tools/refresh.py                          # every notebook in book/
    python tools/refresh.py book/05_googlenet.ipynb  # only this one

Each notebook runs in its own folder with a fresh kernel, the way the tests run it. What
changes from one run to the next although nothing changed (timings, process numbers in
paths, counts left over from editing) is taken out, so that a difference in git is a
difference in the chapter.
"""

import argparse
import copy
import os
import re
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError

ROOT = Path(__file__).resolve().parents[1]
CELL_LIMIT_SECONDS = 600

# The only metadata worth keeping; everything else is an editor's or a run's own note.
# "gnet" marks the cells of an exercise: question, answer, solution.
KEPT_CELL_METADATA = ("tags", "reason", "mystnb", "gnet")
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    # The lexer must be ipython3: with plain python, `!pip` and `%magic` lines are build warnings.
    "language_info": {
        "name": "python",
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "pygments_lexer": "ipython3",
    },
}

# Paths and addresses that differ in every process.
VOLATILE = (
    (re.compile(r"\S*ipykernel_\d+[/\\]\d+\.py"), "<cell>"),
    (re.compile(r"0x[0-9a-fA-F]{6,}"), "0x0"),
)


def execute(notebook: nbformat.NotebookNode, folder: Path) -> None:
    """Run every cell in a fresh kernel whose working folder is the notebook's own."""
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=CELL_LIMIT_SECONDS,
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
        extra_arguments=["--log-level=40"],  # no word about local sockets between the timings
    )
    client.execute()


def tidied_text(text: str) -> str:
    """The text without process numbers and memory addresses."""
    for pattern, replacement in VOLATILE:
        text = pattern.sub(replacement, text)
    return text


def tidy_output(output: nbformat.NotebookNode, count: int) -> None:
    """Make one stored output the same in every run."""
    if output.output_type == "execute_result":
        output.execution_count = count
    if output.output_type == "stream":
        output.text = tidied_text(output.text)
    for kind, content in output.get("data", {}).items():
        if kind in ("text/plain", "text/html", "text/markdown"):
            output.data[kind] = tidied_text(content)
    if output.output_type == "error":
        output.traceback = [tidied_text(line) for line in output.traceback]
    output.pop("transient", None)


def figure_sentences(cell: nbformat.NotebookNode) -> list[str]:
    """What the cell's figures say about themselves (`gnet_lib.plots.show` stores it)."""
    sentences = [output.get("metadata", {}).get("alt") for output in cell.outputs]
    return [sentence for sentence in sentences if sentence]


def name_figure(cell: nbformat.NotebookNode) -> None:
    """Give the page the figure's own sentence as the picture's alternative text."""
    sentences = figure_sentences(cell)
    image = cell.metadata.get("mystnb", {}).get("image", {})
    image.pop("alt", None)
    if sentences:
        mystnb = cell.metadata.setdefault("mystnb", nbformat.NotebookNode())
        mystnb.setdefault("image", nbformat.NotebookNode())["alt"] = " ".join(sentences)
    elif "mystnb" in cell.metadata:
        if not cell.metadata.mystnb.get("image", True):
            del cell.metadata.mystnb["image"]
        if not cell.metadata.mystnb:
            del cell.metadata["mystnb"]


def tidy(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """A copy of the notebook with everything volatile taken out."""
    notebook = copy.deepcopy(notebook)
    notebook.metadata = nbformat.from_dict(METADATA)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    count = 0
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict(
            {key: cell.metadata[key] for key in KEPT_CELL_METADATA if key in cell.metadata}
        )
        cell.source = cell.source.rstrip()
        if cell.cell_type != "code":
            continue
        count += 1
        cell.execution_count = count
        for output in cell.outputs:
            tidy_output(output, count)
        name_figure(cell)
    _, notebook = nbformat.validator.normalize(notebook)  # gives missing or double cells an id
    return notebook


def refresh(path: Path) -> float:
    """Execute one notebook and store it; nothing is written when a cell fails.

    Returns:
        The seconds the execution took.
    """
    notebook = nbformat.read(path, as_version=4)
    started = time.perf_counter()
    execute(notebook, path.parent)
    seconds = time.perf_counter() - started
    text = nbformat.writes(tidy(notebook))
    path.write_text(text.rstrip("\n") + "\n", encoding="utf-8")
    return seconds


def main(arguments: list[str]) -> int:
    """Refresh the named notebooks, or all; 1 when one of them fails."""
    parser = argparse.ArgumentParser(
        description="Execute the book's notebooks in place and tidy them."
    )
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: every notebook in book/")
    parser.add_argument(
        "--tidy-only", action="store_true", help="tidy what is stored, execute nothing"
    )
    options = parser.parse_args(arguments)
    paths = options.notebooks or sorted((ROOT / "book").glob("*.ipynb"))
    missing = [str(path) for path in paths if not path.is_file()]
    if missing or not paths:
        print(f"No such notebook: {', '.join(missing) or 'book/ holds none'}", file=sys.stderr)
        return 1

    # Handed on to the kernels, the same as in `make test`: one order of sets.
    os.environ["PYTHONHASHSEED"] = "0"
    os.environ.pop("MPLBACKEND", None)
    failed = 0
    for path in paths:
        try:
            if options.tidy_only:
                text = nbformat.writes(tidy(nbformat.read(path, as_version=4)))
                path.write_text(text.rstrip("\n") + "\n", encoding="utf-8")
                print(f"{path.name}: tidied")
            else:
                print(f"{path.name}: {refresh(path):.1f} s", flush=True)
        except (CellExecutionError, CellTimeoutError) as error:
            failed += 1
            print(
                f"{path.name}: a cell failed, the notebook is left as it was\n{error}",
                file=sys.stderr,
            )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
