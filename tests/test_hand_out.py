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


def without_advice(text):
    """A cell's text without what the set-up cell tells somebody who lacks the library."""
    before, _, rest = text.partition("raise RuntimeError(\n")
    return before + rest.partition(") from None\n")[2] if text.startswith("# Set-up.") else text


def source(notebook):
    """All cells' texts in one; the badge is no text, and the set-up cell's advice is for another reader."""
    return "\n".join(
        without_advice(cell.source) for cell in notebook.cells if cell.get("id") != "open-in-colab"
    )


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
            found += lines(
                "\n".join(block for title in titles for block in folded(cell.source, title))
            )
    return found


def complaints(chapter, copied, titles=("Solution",)):
    """What a hand-out has too much, and what it lacks."""
    wanted, got = lines(source(chapter)) - solutions(chapter, titles), lines(source(copied))
    return [f"left in: {line}" for line in got - wanted] + [
        f"lost: {line}" for line in wanted - got
    ]


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
        return [
            cell
            for cell in notebook.cells
            if cell.cell_type == "code" or hand_out.part(cell) in ("question", "answer")
        ]

    before, after = kept(read(path)), kept(read(whole_book / path.name))
    assert [cell.id for cell in before] == [cell.id for cell in after]
    assert all(
        without_advice(one.source) == without_advice(other.source)
        for one, other in zip(before, after)
        if one.cell_type == "code"
    )


def test_students_are_told_nothing_that_only_authors_can_do(whole_book):
    for path in whole_book.glob("*.ipynb"):
        (set_up,) = [
            cell.source for cell in read(path).cells if cell.source.startswith("# Set-up.")
        ]
        assert "make setup" not in set_up and "make repository" not in set_up
        assert "make setup" in "\n".join(cell.source for cell in read(BOOK / path.name).cells)


def test_without_the_library_the_set_up_cell_sends_to_the_teacher(whole_book):
    (set_up,) = [
        cell.source
        for cell in read(whole_book / "02_naive_module.ipynb").cells
        if cell.source.startswith("# Set-up.")
    ]
    code = re.sub(
        r'(?<=^REPOSITORY = ").*(?="$)', "owner/name", set_up, flags=re.MULTILINE
    ).replace("    %pip", "    # pip")
    command = [sys.executable, "-c", f"import sys; sys.modules['gnet_lib'] = None\n{code}"]
    said = subprocess.run(command, capture_output=True, text=True).stderr
    assert said.endswith(
        "RuntimeError: The book's library is missing here. Install it as your teacher says, then run this cell again.\n"
    )


def test_outputs_are_cleared(whole_book):
    code = [
        cell
        for path in whole_book.glob("*.ipynb")
        for cell in read(path).cells
        if cell.cell_type == "code"
    ]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)


def test_links_lead_to_what_lies_in_the_folder(whole_book, tmp_path):
    assert dead_links(whole_book) == []
    assert hand_out.main(["--out", str(tmp_path / "two"), "1", "08b"]) == 0
    assert {path.name for path in (tmp_path / "two").glob("*.ipynb")} == {
        "01_why_cheaply.ipynb",
        "08b_fair_comparison.ipynb",
    }
    assert dead_links(tmp_path / "two") == []
    (tmp_path / "two" / "08b_fair_comparison.ipynb").unlink()
    shutil.copy(BOOK / "08b_fair_comparison.ipynb", tmp_path / "two")  # as it is in the book
    assert "08_training.ipynb" in dead_links(tmp_path / "two")


def test_a_hand_out_runs_where_it_lies(whole_book):
    """8b is quick and reads a record, so the folder must hold what a chapter needs."""
    notebook = read(whole_book / "08b_fair_comparison.ipynb")
    NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": str(whole_book)}},
    ).execute()
    assert any(
        "image/svg+xml" in output.get("data", {})
        for cell in notebook.cells
        for output in cell.get("outputs", [])
    )


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
        new_markdown_cell(
            "[![Open in Colab](https://example.org/badge.svg)](https://example.org/04_small.ipynb)",
            id="open-in-colab",
        ),
        new_markdown_cell(
            "# 4. A chapter\n\nSee [Chapter 2](02_naive_module.ipynb#stacking-it) and the [reference](api.md)."
        ),
        new_code_cell("1 + 1", outputs=[result], execution_count=1),
        new_markdown_cell(
            "**4.1** How many?", metadata={"gnet": {"exercise": "4.1", "part": "question"}}
        ),
        new_code_cell(
            'answer = ...\ncheck("4.1", answer)',
            metadata={"gnet": {"exercise": "4.1", "part": "answer"}},
        ),
        new_markdown_cell(
            "It is 42, whatever stands around it.",
            metadata={"gnet": {"exercise": "4.1", "part": "solution"}},
        ),
        new_code_cell("answer = 42", metadata={"gnet": {"exercise": "4.1", "part": "solution"}}),
        new_markdown_cell(
            "<details>\n<summary>Solution 4.2</summary>\n\n```python\nanswer = 43\n```\n\n</details>"
        ),
        new_markdown_cell(
            "## Exercises\n\n1. Why?\n\n<details>\n<summary>Solutions</summary>\n\n1. Because 44.\n\n</details>\n\n## Summary\n\nAll."
        ),
        new_markdown_cell(
            "<details>\n<summary>More about it</summary>\n\nIt is long.\n\n</details>"
        ),
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
        (
            lambda cells: cells.append(new_markdown_cell("1. Because 44.")),
            "left in: 1. Because 44.",
        ),
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
    assert re.search(
        r"CHAPTERS must be among 1, 2, .*5b.*spot_the_bug.*; got 44$",
        capsys.readouterr().err.strip(),
    )
    assert not (tmp_path / "none").exists()


def test_students_work_is_not_written_over(capsys, tmp_path):
    (tmp_path / "01_why_cheaply.ipynb").write_text("a week's work", encoding="utf-8")
    assert hand_out.main(["--out", str(tmp_path), "1"]) == 1
    assert re.search(
        r"OUT must be a new or an empty folder.* is not\. Delete it or name another: OUT=",
        capsys.readouterr().err,
    )
    assert (tmp_path / "01_why_cheaply.ipynb").read_text(encoding="utf-8") == "a week's work"
    assert hand_out.main(["--out", str(ROOT / "book"), "1"]) == 1


def test_a_place_that_cannot_be_written(capsys, tmp_path):
    (tmp_path / "file").touch()
    assert hand_out.main(["--out", str(tmp_path / "file" / "class"), "1"]) == 1
    assert "Not a directory" in capsys.readouterr().err


@pytest.mark.parametrize("slug, noted", [("owner/name", True), ("ada/googlenet", False)])
def test_a_missing_address_is_said(capsys, tmp_path, monkeypatch, slug, noted):
    monkeypatch.setattr(hand_out.repository, "current", lambda: slug)
    assert hand_out.main(["--out", str(tmp_path / "class"), "1"]) == 0
    said = capsys.readouterr().out
    assert (
        "note: the repository has no address yet, so the notebooks cannot install the library"
        in said
    ) == noted


def test_unknown_grader_is_named(capsys, tmp_path):
    assert hand_out.main(["--out", str(tmp_path / "class"), "--grader", "moodle", "1"]) == 1
    assert capsys.readouterr().err == "GRADER must be pytest or nbgrader; got moodle\n"
    assert not (tmp_path / "class").exists()


def test_copying_needs_no_environment(tmp_path):
    """As the page for teachers says: of all packages nbformat suffices."""
    blocked = "torch", "gnet_lib", "numpy", "jupyter_book", "nbclient", "pytest"
    code = f"import runpy, sys; sys.modules.update(dict.fromkeys({blocked})); sys.argv[1:] = ['2', '--out', {str(tmp_path / 'class')!r}]\n"
    code += f"sys.path.insert(0, {str(ROOT / 'tools')!r}); runpy.run_path({str(ROOT / 'tools' / 'hand_out.py')!r}, run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "class" / "02_naive_module.ipynb").is_file()


def make_handout(folder, *choices):
    """The target's line, tried with the tool in the place of the environment's Python."""
    (folder / "ready").touch()
    variables = [
        f"READY={folder / 'ready'}",
        f"BIN={os.path.dirname(sys.executable)}",
        f"OUT={folder / 'my class'}",
    ]
    return subprocess.run(
        ["make", "handout", *variables, *choices], cwd=ROOT, capture_output=True, text=True
    )


def test_make_hands_the_choices_on(tmp_path):
    done = make_handout(
        tmp_path, "CHAPTERS=1 8b spot_the_bug", "KEEP_OUTPUTS=1", "HIDE_ANSWERS=yes"
    )
    assert done.returncode == 0, done.stderr
    assert (
        f"3 notebooks (1, 8b, spot_the_bug) without solutions: {tmp_path / 'my class'}"
        in done.stdout
    )
    assert read(tmp_path / "my class" / "01_why_cheaply.ipynb").cells[1].execution_count == 1
    assert "<summary>Answer</summary>" not in source(
        read(tmp_path / "my class" / "spot_the_bug.ipynb")
    )


@pytest.mark.parametrize("no", ["0", "no", "false", ""])
def test_make_takes_no_for_no(tmp_path, no):
    done = make_handout(
        tmp_path, "CHAPTERS=spot_the_bug", f"KEEP_OUTPUTS={no}", f"HIDE_ANSWERS={no}"
    )
    assert done.returncode == 0, done.stderr
    copied = read(tmp_path / "my class" / "spot_the_bug.ipynb")
    assert all(cell.outputs == [] for cell in copied.cells if cell.cell_type == "code")
    assert "<summary>Answer</summary>" in source(copied)


def test_make_stops_at_a_missing_s(tmp_path):
    done = make_handout(tmp_path, "CHAPTER=2")
    assert done.returncode != 0 and 'with an S: make handout CHAPTERS="2"' in done.stderr
    assert not (tmp_path / "my class").exists()


def test_make_lists_the_choices():
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True).stdout
    (line,) = [line for line in listed.splitlines() if "make handout" in line]
    assert all(
        name in line
        for name in ("CHAPTERS", "OUT", "GRADER", "KEEP_OUTPUTS", "HIDE_ANSWERS", "For teachers")
    )
