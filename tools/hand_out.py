"""Copy the book's notebooks for a class, without the solutions.

    python tools/hand_out.py                     # all of them, into _handout/
    python tools/hand_out.py 1 5b spot_the_bug   # only these
    python tools/hand_out.py --keep-outputs --out week1 4

`make handout` is the same in one command. Solutions are taken out, everything else stays:
text, questions, answer cells. Outputs are cleared, so that students predict before they
run; `--keep-outputs` leaves them. The answers to the puzzles of "Spot the bug" are part
of that page's text and stay, unless `--hide-answers` is given. `--grader nbgrader` marks
the exercises' cells for nbgrader, `--grader pytest` adds tests for submitted notebooks.

nbconvert, the only package needed, removes cells and clears outputs. Nothing of it rewrites
text, so the folded solutions, the links and the set-up cell's advice are dealt with here.
"""

import argparse
import copy
import re
import sys
from pathlib import Path

import graders
import nbformat
import repository
from nbconvert.preprocessors import (
    ClearOutputPreprocessor,
    Preprocessor,
    RegexRemovePreprocessor,
)
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[1]
BOOK = ROOT / "book"
OUT = ROOT / "_handout"

# How the cells begin that are taken out. The badge opens the book's own copy of the chapter,
# which has the solutions. A solution's cell has nothing left without its folded block.
BADGE = r"\[!\[Open in Colab\]\("
NOTHING = r"\s*\Z"

# A folded block with its title, and the blank lines in front of it. It may stand in one cell
# with what comes next, as the answers to the puzzles do.
FOLDED = re.compile(r"\n*<details>\s*<summary>(?P<title>.*?)</summary>.*?</details>", re.DOTALL)
# A link to another page of the book: [text](page.ipynb) or [text](page.md#place).
PAGE_LINK = re.compile(
    r"(?<!!)\[(?P<text>[^\[\]]+)\]\((?P<page>[\w./-]+\.(?:ipynb|md))(?:#[^)\s]*)?\)"
)
# What the set-up cell tells somebody without the library is for authors and for Colab;
# students have a teacher. It is the cell's first error; the second one, of a failed
# installation, is for everybody.
SET_UP = "# Set-up."
ADVICE = re.compile(r"(?<=raise RuntimeError\()\n.*?\n(?= +\) from None)", re.DOTALL)
STUDENTS_ADVICE = """
            "The book's library is missing here. Install it as your teacher says, "
            "then run this cell again."
"""
GRADERS = ("pytest", "nbgrader")
NO_ADDRESS = (
    "note: the repository has no address yet, so the notebooks cannot install the library "
    "(make repository REPO=owner/name)"
)


def short_name(path: Path) -> str:
    """What a notebook is called on the command line: its number, or its name if it has none."""
    return path.stem.split("_")[0].lstrip("0") if path.stem[0].isdigit() else path.stem


def chapters(names: list[str], book: Path = BOOK) -> list[Path]:
    """The notebooks that are meant by the names.

    Args:
        names: numbers ("4", "5b") or names ("spot_the_bug", "04_reduced_module"); none for all.
        book: the folder with the notebooks.

    Returns:
        Their paths, in the order of the book.

    Raises:
        ValueError: if a name means no notebook.
    """
    known = {path.stem: path for path in sorted(book.glob("*.ipynb"))}
    numbers = {short_name(path): stem for stem, path in known.items() if stem[0].isdigit()}
    stems = {numbers.get(name.lstrip("0"), name.removesuffix(".ipynb")) for name in names}
    if unknown := stems - set(known):
        raise ValueError(
            f"CHAPTERS must be among {', '.join([*numbers, *known])}; "
            f"got {', '.join(sorted(unknown))}"
        )
    return [path for stem, path in known.items() if stem in stems or not names]


def part(cell: NotebookNode) -> str:
    """What the cell is of an exercise: "question", "answer" or "solution"; "" for all others."""
    return cell.metadata.get("gnet", {}).get("part", "")


def without_folded(text: str, titles: tuple[str, ...]) -> str:
    """The Markdown without the folded blocks whose title begins with one of the given words."""
    return FOLDED.sub(
        lambda block: "" if block["title"].strip().startswith(titles) else block[0], text
    ).strip("\n")


def with_links_among(text: str, pages: set[str]) -> str:
    """The Markdown with links to the given pages only; of the others the words stay."""
    return PAGE_LINK.sub(lambda link: link[0] if link["page"] in pages else link["text"], text)


def preprocessors(keep_outputs: bool) -> list[Preprocessor]:
    """What nbconvert does to a chapter, in this order."""
    steps: list[Preprocessor] = [RegexRemovePreprocessor(patterns=[BADGE, NOTHING])]
    if not keep_outputs:
        # `mystnb` describes the picture that is gone.
        steps.append(ClearOutputPreprocessor(remove_metadata_fields={"mystnb"}))
    return steps


def require_no_solution(notebook: NotebookNode) -> None:
    """Refuse to hand out what still has a solution, or calls itself one."""
    for cell in notebook.cells:
        if part(cell) == "solution" or re.search(r"<summary>\s*Solution", cell.source):
            raise ValueError(
                "a solution must stand between <details> and </details>, below its title in "
                f"<summary>, but there is: {cell.source[:60]!r}"
            )


def hand_out(
    notebook: NotebookNode, pages: set[str], keep_outputs: bool = False, hide_answers: bool = False
) -> NotebookNode:
    """A copy of a chapter for students.

    Args:
        notebook: the chapter.
        pages: file names of all chapters that are handed out; only links to these stay links.
        keep_outputs: whether stored outputs stay.
        hide_answers: whether the folded answers of puzzles are taken out, too.

    Returns:
        The copy without solutions.

    Raises:
        ValueError: if a solution is left, because it is not folded.
    """
    titles = ("Solution", "Answer") if hide_answers else ("Solution",)
    copied = copy.deepcopy(notebook)
    for cell in copied.cells:
        if cell.cell_type == "markdown":
            cell.source = with_links_among(without_folded(cell.source, titles), pages)
        elif cell.source.startswith(SET_UP):
            cell.source = ADVICE.sub(STUDENTS_ADVICE, cell.source, count=1)
    for step in preprocessors(keep_outputs):
        copied, _ = step.preprocess(copied, {})
    require_no_solution(copied)
    return copied


def write(paths: list[Path], out: Path, grader: str | None = None, **options: bool) -> str:
    """Write the hand-outs of the chapters into a folder.

    Args:
        paths: the chapters.
        out: the folder; it is made, and must be empty if it is there.
        grader: "nbgrader", "pytest" or None.
        options: as for `hand_out`.

    Returns:
        What is left to do for the teacher; "" if nothing is.

    Raises:
        ValueError: if there is no such grader; if the folder is not empty, because students'
            work may lie in it; if a solution is left, because it is not folded.
    """
    if grader not in (None, *GRADERS):
        raise ValueError(f"GRADER must be {' or '.join(GRADERS)}; got {grader}")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(
            "OUT must be a new or an empty folder, because work may lie in it; "
            f"{out} is not. Delete it or name another: OUT=folder"
        )
    pages = {path.name for path in paths}
    copies = {
        path.name: hand_out(nbformat.read(path, as_version=4), pages, **options) for path in paths
    }
    out.mkdir(parents=True, exist_ok=True)
    for name, copied in copies.items():
        copied = graders.for_nbgrader(copied) if grader == "nbgrader" else copied
        (out / name).write_text(nbformat.writes(copied).rstrip("\n") + "\n", encoding="utf-8")
    if grader == "pytest":
        graders.add_pytest_files(out)
    return graders.add_nbgrader_config(out) if grader == "nbgrader" else ""


def command_line() -> argparse.ArgumentParser:
    """What can be chosen."""
    parser = argparse.ArgumentParser(
        description="Copy the book's notebooks for a class, without the solutions."
    )
    parser.add_argument("chapters", nargs="*", help="such as 4, 5b or spot_the_bug; default: all")
    parser.add_argument("--out", type=Path, default=OUT, help="a new folder; default: _handout")
    parser.add_argument("--keep-outputs", action="store_true", help="leave the stored outputs in")
    parser.add_argument(
        "--hide-answers", action="store_true", help="take out the answers to the puzzles, too"
    )
    parser.add_argument("--grader", help=f"prepare the hand-outs for {' or '.join(GRADERS)}")
    return parser


def main(arguments: list[str]) -> int:
    """Hand out what the command line names; 1 when that is impossible."""
    chosen = command_line().parse_args(arguments)
    options = {"keep_outputs": chosen.keep_outputs, "hide_answers": chosen.hide_answers}
    try:
        paths = chapters(chosen.chapters)
        left_to_do = write(paths, chosen.out, chosen.grader, **options)
    except (ValueError, OSError) as error:  # a wrong choice; no place or no right to write
        print(error, file=sys.stderr)
        return 1
    names = ", ".join(map(short_name, paths))
    noun = "notebook" if len(paths) == 1 else "notebooks"
    print(f"{len(paths)} {noun} ({names}) without solutions: {chosen.out}")
    if left_to_do:
        print(left_to_do)
    if repository.current() == repository.PLACEHOLDER:
        print(NO_ADDRESS)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
