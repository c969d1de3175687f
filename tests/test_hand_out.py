"""`make handout`: no solution leaves the house, and nothing else is lost.

The hand-outs are compared with the chapters line by line: what a chapter has and its
hand-out has not must be exactly the lines of its solutions. Those are found here in
another way than the tool finds them, by reading the Markdown's blocks.
"""

import copy
import os
import re
import shutil
import subprocess
import sys
from collections import Counter

import hand_out
import nbformat
import pytest
from conftest import BOOK, ROOT
from markdown_it import MarkdownIt
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

CHAPTERS = sorted(BOOK.glob("*.ipynb"))


def read(path):
    """A notebook of the disk, checked against the format."""
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def bare(line):
    """A line without its links, which a hand-out may turn into words."""
    return re.sub(r"\[([^\[\]]+)\]\([^)]*\)", r"\1", line).strip()


def lines(text):
    """How often each line that says something occurs."""
    return Counter(filter(None, map(bare, text.splitlines())))


def source(notebook):
    """All cells' texts in one; the badge is no text."""
    return "\n".join(cell.source for cell in notebook.cells if cell.get("id") != "open-in-colab")


def folded(text, title):
    """The folded blocks of a Markdown text whose title begins with a word, as text."""
    rows, blocks, start = text.splitlines(), [], None
    for token in MarkdownIt().parse(text):
        if token.type == "html_block" and "<details" in token.content:
            start = token.map[0] if f"<summary>{title}" in token.content else None
        if token.type == "html_block" and "</details>" in token.content and start is not None:
            blocks.append("\n".join(rows[start : token.map[1]]))
            start = None
    return blocks


def solutions(notebook, titles=("Solution",)):
    """The lines of a chapter's solutions: cells that say they are one, and folded blocks."""
    found = Counter()
    for cell in notebook.cells:
        if cell.metadata.get("gnet", {}).get("part") == "solution":
            found += lines(cell.source)
        elif cell.cell_type == "markdown":
            found += lines("\n".join(block for title in titles for block in folded(cell.source, title)))
    return found


def complaints(chapter, copied, titles=("Solution",)):
    """What a hand-out has too much, and what it lacks."""
    wanted, got = lines(source(chapter)) - solutions(chapter, titles), lines(source(copied))
    return [f"left in: {line}" for line in got - wanted] + [f"lost: {line}" for line in wanted - got]


def dead_links(folder):
    """Links of the hand-outs in a folder that lead to no file in it."""
    targets = re.findall(r"\]\((?![a-z]+:|#)([\w./-]+)[^)]*\)", "\n".join(
        cell.source for path in folder.glob("*.ipynb") for cell in read(path).cells if cell.cell_type == "markdown"
    ))  # fmt: skip
    return sorted({target for target in targets if not (folder / target).exists()})


@pytest.fixture(scope="module")
def whole_book(tmp_path_factory):
    """All chapters handed out, as `make handout` does it."""
    folder = tmp_path_factory.mktemp("class") / "all"
    assert hand_out.main(["--out", str(folder)]) == 0
    return folder


# --- the book's chapters --------------------------------------------------------------


def test_every_chapter_is_handed_out(whole_book):
    assert {path.name for path in whole_book.glob("*.ipynb")} == {path.name for path in CHAPTERS}


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_only_the_solutions_are_missing(whole_book, path):
    assert complaints(read(path), read(whole_book / path.name)) == []


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_chapter_has_solutions_to_take_out(path):
    """The test above would be worth nothing if it found no solution."""
    assert solutions(read(path)).total() >= 3


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_code_questions_and_answers_stay_in_their_order(whole_book, path):
    def kept(notebook):
        return [cell for cell in notebook.cells if cell.cell_type == "code" or hand_out.part(cell) in ("question", "answer")]

    before, after = kept(read(path)), kept(read(whole_book / path.name))
    assert [cell.id for cell in before] == [cell.id for cell in after]
    assert all(one.source == other.source for one, other in zip(before, after) if one.cell_type == "code")


def test_outputs_are_cleared(whole_book):
    code = [cell for path in whole_book.glob("*.ipynb") for cell in read(path).cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)


def test_links_lead_to_what_lies_in_the_folder(whole_book, tmp_path):
    assert dead_links(whole_book) == []
    assert hand_out.main(["--out", str(tmp_path / "two"), "1", "08b"]) == 0
    assert {path.name for path in (tmp_path / "two").glob("*.ipynb")} == {"01_why_cheaply.ipynb", "08b_fair_comparison.ipynb"}
    assert dead_links(tmp_path / "two") == []
    (tmp_path / "two" / "08b_fair_comparison.ipynb").unlink()
    shutil.copy(BOOK / "08b_fair_comparison.ipynb", tmp_path / "two")  # as it is in the book
    assert "08_training.ipynb" in dead_links(tmp_path / "two")


def test_a_hand_out_runs_where_it_lies(whole_book):
    """8b is quick and reads a record, so the folder must hold what a chapter needs."""
    notebook = read(whole_book / "08b_fair_comparison.ipynb")
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(whole_book)}}).execute()
    assert any("image/svg+xml" in output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", []))


def test_puzzles_keep_their_answers_unless_asked():
    chapter = read(BOOK / "spot_the_bug.ipynb")
    assert source(hand_out.hand_out(chapter, set())).count("<summary>Answer</summary>") == 12
    hidden = hand_out.hand_out(chapter, set(), hide_answers=True)
    assert complaints(chapter, hidden, ("Solution", "Answer")) == []
    assert "<details>" not in source(hidden)


# --- one small chapter with everything ------------------------------------------------


def small_chapter():
    """Exercises in every form that the book has."""
    result = new_output("execute_result", {"text/plain": "2"}, execution_count=1)
    cells = [
        new_markdown_cell("[![Open in Colab](https://example.org/badge.svg)](https://example.org/04_small.ipynb)", id="open-in-colab"),
        new_markdown_cell("# 4. A chapter\n\nSee [Chapter 2](02_naive_module.ipynb#stacking-it) and the [reference](api.md)."),
        new_code_cell("1 + 1", outputs=[result], execution_count=1),
        new_markdown_cell("**4.1** How many?", metadata={"gnet": {"exercise": "4.1", "part": "question"}}),
        new_code_cell('answer = ...\ncheck("4.1", answer)', metadata={"gnet": {"exercise": "4.1", "part": "answer"}}),
        new_markdown_cell("It is 42, whatever stands around it.", metadata={"gnet": {"exercise": "4.1", "part": "solution"}}),
        new_code_cell("answer = 42", metadata={"gnet": {"exercise": "4.1", "part": "solution"}}),
        new_markdown_cell("<details>\n<summary>Solution 4.2</summary>\n\n```python\nanswer = 43\n```\n\n</details>"),
        new_markdown_cell("## Exercises\n\n1. Why?\n\n<details>\n<summary>Solutions</summary>\n\n1. Because 44.\n\n</details>\n\n## Summary\n\nAll."),
        new_markdown_cell("<details>\n<summary>More about it</summary>\n\nIt is long.\n\n</details>"),
    ]
    return new_notebook(cells=cells)


def test_small_chapter():
    copied = hand_out.hand_out(small_chapter(), {"02_naive_module.ipynb"})
    assert [cell.source for cell in copied.cells] == [
        "# 4. A chapter\n\nSee [Chapter 2](02_naive_module.ipynb#stacking-it) and the reference.",
        "1 + 1",
        "**4.1** How many?",
        'answer = ...\ncheck("4.1", answer)',
        "## Exercises\n\n1. Why?\n\n## Summary\n\nAll.",
        "<details>\n<summary>More about it</summary>\n\nIt is long.\n\n</details>",
    ]
    assert copied.cells[1].outputs == []


def test_outputs_stay_when_asked():
    copied = hand_out.hand_out(small_chapter(), set(), keep_outputs=True)
    assert copied.cells[1].outputs[0].data["text/plain"] == "2"


def test_the_chapter_itself_is_not_touched():
    chapter = small_chapter()
    before = copy.deepcopy(chapter)
    hand_out.hand_out(chapter, set(), hide_answers=True)
    assert chapter == before


@pytest.mark.parametrize(
    "spoil, complaint",
    [
        (lambda cells: cells.append(new_code_cell("answer = 42")), "left in: answer = 42"),
        (lambda cells: cells.append(new_markdown_cell("1. Because 44.")), "left in: 1. Because 44."),
        (lambda cells: cells.pop(2), "lost: **4.1** How many?"),
        (lambda cells: cells.pop(3), 'lost: check("4.1", answer)'),
        (lambda cells: cells[4].update(source="## Exercises\n\n1. Why?"), "lost: ## Summary"),
    ],
)
def test_comparison_notices(spoil, complaint):
    chapter = small_chapter()
    copied = hand_out.hand_out(chapter, set())
    assert complaints(chapter, copied) == []
    spoil(copied.cells)
    assert complaint in complaints(chapter, copied)


# --- the command line -----------------------------------------------------------------


@pytest.mark.parametrize("name", ["4", "04", "04_reduced_module", "04_reduced_module.ipynb"])
def test_ways_to_name_a_chapter(name):
    assert [path.name for path in hand_out.chapters([name])] == ["04_reduced_module.ipynb"]


def test_chapters_come_in_the_books_order_and_once():
    names = [path.name for path in hand_out.chapters(["spot_the_bug", "5b", "1", "05b"])]
    assert names == ["01_why_cheaply.ipynb", "05b_table_1.ipynb", "spot_the_bug.ipynb"]


def test_unknown_chapter_is_named(capsys, tmp_path):
    assert hand_out.main(["--out", str(tmp_path / "none"), "1", "44"]) == 1
    assert re.search(r"CHAPTERS must be among 1, 2, .*5b.*spot_the_bug.*; got 44$", capsys.readouterr().err.strip())
    assert not (tmp_path / "none").exists()


def test_students_work_is_not_written_over(capsys, tmp_path):
    (tmp_path / "01_why_cheaply.ipynb").write_text("a week's work", encoding="utf-8")
    assert hand_out.main(["--out", str(tmp_path), "1"]) == 1
    assert re.search(r"OUT must be a new or an empty folder.* is not\. Delete it or name another: OUT=", capsys.readouterr().err)
    assert (tmp_path / "01_why_cheaply.ipynb").read_text(encoding="utf-8") == "a week's work"
    assert hand_out.main(["--out", str(ROOT / "book"), "1"]) == 1


def test_a_place_that_cannot_be_written(capsys, tmp_path):
    (tmp_path / "file").touch()
    assert hand_out.main(["--out", str(tmp_path / "file" / "class"), "1"]) == 1
    assert "Not a directory" in capsys.readouterr().err


def test_make_hands_the_choices_on(tmp_path):
    """The target's line, tried with the tool in the place of the environment's Python."""
    (tmp_path / "ready").touch()
    choices = ["CHAPTERS=1 8b", f"OUT={tmp_path / 'my class'}", "KEEP_OUTPUTS=1"]
    python = f"BIN={os.path.dirname(sys.executable)}"
    done = subprocess.run(["make", "handout", f"READY={tmp_path / 'ready'}", python, *choices], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"2 notebooks without solutions: {tmp_path / 'my class'}" in done.stdout
    assert read(tmp_path / "my class" / "01_why_cheaply.ipynb").cells[1].execution_count == 1
