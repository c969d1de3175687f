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
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from gnet_lib.records import read_record

CHAPTERS = sorted(BOOK.glob("*.ipynb"))
PUZZLES = BOOK / "spot_the_bug.ipynb"


def read(path):
    """A notebook of the disk, checked against the format."""
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def code_cells(notebook):
    """The cells that run."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def set_up(notebook):
    """The code of the chapter's first cell."""
    (source,) = [
        cell.source for cell in code_cells(notebook) if cell.source.startswith("# Set-up.")
    ]
    return source


def without_advice(text):
    """A cell's text without what the set-up cell tells somebody who lacks the library."""
    before, _, rest = text.partition("raise RuntimeError(\n")
    return before + rest.partition(") from None\n")[2] if text.startswith("# Set-up.") else text


def source(notebook):
    """All cells' texts in one, without the badge and the set-up cell's advice."""
    return "\n".join(
        without_advice(cell.source) for cell in notebook.cells if cell.get("id") != "open-in-colab"
    )


def lines(text):
    """How often each line that says something occurs; of links the words, as in a hand-out."""
    bare = (re.sub(r"\[([^\[\]]+)\]\([^)]*\)", r"\1", line).strip() for line in text.splitlines())
    return Counter(filter(None, bare))


def folded(text, title):
    """The folded blocks of a Markdown text whose title begins with a word, as text."""
    rows, blocks, start = text.splitlines(), [], None
    for token in MarkdownIt().parse(text):
        first, end = token.map or (0, 0)
        if token.type == "html_block" and "<details" in token.content:
            start = first if f"<summary>{title}" in token.content else None
        if token.type == "html_block" and "</details>" in token.content and start is not None:
            blocks.append("\n".join(rows[start:end]))
            start = None
    return blocks


def solutions(notebook, titles=("Solution",)):
    """The lines of a chapter's solutions: cells that say they are one, and folded blocks."""
    found = Counter()
    for cell in notebook.cells:
        if hand_out.part(cell) == "solution":
            found += lines(cell.source)
        elif cell.cell_type == "markdown":
            blocks = [block for title in titles for block in folded(cell.source, title)]
            found += lines("\n".join(blocks))
    return found


def complaints(chapter, copied, titles=("Solution",)):
    """What a hand-out has too much, and what it lacks."""
    wanted, got = lines(source(chapter)) - solutions(chapter, titles), lines(source(copied))
    too_much = [f"left in: {line}" for line in got - wanted]
    return too_much + [f"lost: {line}" for line in wanted - got]


def dead_links(folder):
    """Links of the hand-outs in a folder that lead to no file in it."""
    texts = [
        cell.source
        for path in folder.glob("*.ipynb")
        for cell in read(path).cells
        if cell.cell_type == "markdown"
    ]
    targets = re.findall(r"\]\((?![a-z]+:|#)([\w./-]+)[^)]*\)", "\n".join(texts))
    return sorted({target for target in targets if not (folder / target).exists()})


@pytest.fixture(scope="module")
def whole_book(tmp_path_factory):
    """All chapters handed out, as `make handout` does it."""
    folder = tmp_path_factory.mktemp("class") / "all"
    assert hand_out.main(["--out", str(folder)]) == 0
    return folder


# --- the book's chapters --------------------------------------------------------------


def test_every_chapter_is_handed_out_without_its_solutions_only(whole_book):
    assert {path.name for path in whole_book.glob("*.ipynb")} == {path.name for path in CHAPTERS}
    for path in CHAPTERS:
        assert complaints(read(path), read(whole_book / path.name)) == [], path.name
        assert solutions(read(path)).total() >= 3, f"{path.name} has no solutions to take out"


def test_code_questions_and_answers_stay_in_their_order(whole_book):
    def kept(notebook):
        return [
            (cell.id, cell.cell_type == "code" and without_advice(cell.source))
            for cell in notebook.cells
            if cell.cell_type == "code" or hand_out.part(cell) in ("question", "answer")
        ]

    for path in CHAPTERS:
        assert kept(read(path)) == kept(read(whole_book / path.name)), path.name


def test_without_the_library_the_set_up_cell_sends_to_the_teacher(whole_book, monkeypatch):
    monkeypatch.setitem(sys.modules, "gnet_lib", None)
    for path in whole_book.glob("*.ipynb"):
        assert "make setup" in set_up(read(BOOK / path.name))
        code = set_up(read(path)).replace("    %pip", "    # pip")
        with pytest.raises(RuntimeError, match="Install it as your teacher says"):
            exec(code, {})
        assert "make" not in code
        assert "could not be installed" in code  # what a failed installation says, stays


def test_outputs_are_cleared(whole_book):
    code = [cell for path in whole_book.glob("*.ipynb") for cell in code_cells(read(path))]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert not any("mystnb" in cell.metadata for cell in code)


def test_links_lead_to_what_lies_in_the_folder(whole_book, tmp_path):
    assert dead_links(whole_book) == []
    assert hand_out.main(["--out", str(tmp_path / "two"), "1", "08b"]) == 0
    handed_out = {path.name for path in (tmp_path / "two").glob("*.ipynb")}
    assert handed_out == {"01_why_cheaply.ipynb", "08b_fair_comparison.ipynb"}
    assert dead_links(tmp_path / "two") == []
    shutil.copy(BOOK / "08b_fair_comparison.ipynb", tmp_path / "two")  # as it is in the book
    assert "08_training.ipynb" in dead_links(tmp_path / "two")


def test_the_records_that_chapters_read_come_with_the_library(whole_book, monkeypatch):
    monkeypatch.chdir(whole_book)
    cells = [cell for path in whole_book.glob("*.ipynb") for cell in code_cells(read(path))]
    names = re.findall(r'read_record\("(\w+)"\)', "\n".join(cell.source for cell in cells))
    assert "fair" in names
    for name in names:
        assert "machine" in str(read_record(name))


def test_puzzles_keep_their_answers_unless_asked():
    chapter = read(PUZZLES)
    assert source(hand_out.hand_out(chapter, set())).count("<summary>Answer</summary>") == 12
    hidden = hand_out.hand_out(chapter, set(), hide_answers=True)
    assert complaints(chapter, hidden, ("Solution", "Answer")) == []
    assert "<details>" not in source(hidden)


# --- one small chapter with everything ------------------------------------------------


def of_exercise(part, cell):
    """The cell, marked as a part of Exercise 4.1."""
    cell.metadata["gnet"] = {"exercise": "4.1", "part": part}
    return cell


def folded_text(title, text):
    """Markdown that is shown on demand."""
    return f"<details>\n<summary>{title}</summary>\n\n{text}\n\n</details>"


def small_chapter():
    """Exercises in every form that the book has."""
    badge = "[![Open in Colab](https://example.org/badge.svg)](https://example.org/04_small.ipynb)"
    links = "See [Chapter 2](02_naive_module.ipynb#stacking-it) and the [reference](api.md)."
    result = new_output("execute_result", {"text/plain": "2"}, execution_count=1)
    between = f"## Exercises\n\n1. Why?\n\n{folded_text('Solutions', 'Because 44.')}\n\nAll."
    cells = [
        new_markdown_cell(badge, id="open-in-colab"),
        new_markdown_cell(f"# 4. A chapter\n\n{links}"),
        new_code_cell("1 + 1", outputs=[result], execution_count=1),
        of_exercise("question", new_markdown_cell("**4.1** How many?")),
        of_exercise("answer", new_code_cell('answer = ...\ncheck("4.1", answer)')),
        of_exercise("solution", new_markdown_cell(folded_text("Solution 4.1", "It is 42."))),
        new_markdown_cell(between),
        new_markdown_cell(folded_text("More about it", "It is long.")),
    ]
    return new_notebook(cells=cells)


def test_small_chapter():
    chapter = small_chapter()
    before = copy.deepcopy(chapter)
    copied = hand_out.hand_out(chapter, {"02_naive_module.ipynb"})
    assert [cell.source for cell in copied.cells] == [
        "# 4. A chapter\n\nSee [Chapter 2](02_naive_module.ipynb#stacking-it) and the reference.",
        "1 + 1",
        "**4.1** How many?",
        'answer = ...\ncheck("4.1", answer)',
        "## Exercises\n\n1. Why?\n\nAll.",
        "<details>\n<summary>More about it</summary>\n\nIt is long.\n\n</details>",
    ]
    assert copied.cells[1].outputs == []
    assert chapter == before


def test_outputs_stay_when_asked():
    copied = hand_out.hand_out(small_chapter(), set(), keep_outputs=True)
    assert copied.cells[1].outputs[0].data["text/plain"] == "2"


@pytest.mark.parametrize(
    "cell",
    [
        of_exercise("solution", new_code_cell("answer = 42")),
        new_markdown_cell("<details>\n<summary>Solution 4.1</summary>\n\nNever closed: 42."),
    ],
)
def test_a_solution_that_is_not_folded_is_not_handed_out(cell):
    chapter = small_chapter()
    chapter.cells.append(cell)
    with pytest.raises(ValueError, match=f"a solution must .*{re.escape(repr(cell.source)[:20])}"):
        hand_out.hand_out(chapter, set())


def test_comparison_notices_what_is_left_in_and_what_is_lost():
    chapter = small_chapter()
    copied = hand_out.hand_out(chapter, set())
    assert complaints(chapter, copied) == []
    copied.cells[2] = new_markdown_cell("Because 44.")
    assert complaints(chapter, copied) == ["left in: Because 44.", "lost: **4.1** How many?"]


# --- the command line -----------------------------------------------------------------


def test_ways_to_name_a_chapter():
    for name in ("4", "04", "04_reduced_module", "04_reduced_module.ipynb"):
        assert [path.name for path in hand_out.chapters([name])] == ["04_reduced_module.ipynb"]


def test_chapters_come_in_the_books_order_and_once():
    names = [path.name for path in hand_out.chapters(["spot_the_bug", "5b", "1", "05b"])]
    assert names == ["01_why_cheaply.ipynb", "05b_table_1.ipynb", "spot_the_bug.ipynb"]


@pytest.mark.parametrize(
    "arguments, problem",
    [
        (["1", "44"], r"CHAPTERS must be among 1, 2, .*5b.*spot_the_bug.*; got 44"),
        (["1", "--grader", "moodle"], "GRADER must be pytest or nbgrader; got moodle"),
    ],
)
def test_unknown_choices_are_named(capsys, tmp_path, arguments, problem):
    assert hand_out.main([*arguments, "--out", str(tmp_path / "none")]) == 1
    assert re.fullmatch(problem, capsys.readouterr().err.strip())
    assert not (tmp_path / "none").exists()


def test_students_work_is_not_written_over(capsys, tmp_path):
    (tmp_path / "01_why_cheaply.ipynb").write_text("a week's work", encoding="utf-8")
    assert hand_out.main(["--out", str(tmp_path), "1"]) == 1
    assert re.search(f"OUT must be .* empty .*{tmp_path}", capsys.readouterr().err)
    assert (tmp_path / "01_why_cheaply.ipynb").read_text(encoding="utf-8") == "a week's work"
    assert hand_out.main(["--out", str(BOOK), "1"]) == 1


def test_a_place_that_cannot_be_written(capsys, tmp_path):
    (tmp_path / "file").touch()
    assert hand_out.main(["--out", str(tmp_path / "file" / "class"), "1"]) == 1
    assert "Not a directory" in capsys.readouterr().err


def test_a_missing_address_is_said(capsys, tmp_path, monkeypatch):
    for slug, notes in (("owner/name", 1), ("ada/googlenet", 0)):
        monkeypatch.setattr(hand_out.repository, "current", lambda slug=slug: slug)
        assert hand_out.main(["--out", str(tmp_path / slug), "1"]) == 0
        assert capsys.readouterr().out.count("make repository REPO=") == notes


def test_copying_needs_no_environment(tmp_path):
    """As the page for teachers says: of all packages nbconvert suffices."""
    blocked = ("torch", "gnet_lib", "numpy", "jupyter_book", "pytest")
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({blocked}))\n"
        f"sys.path.insert(0, {str(ROOT / 'tools')!r})\n"
        f"import hand_out; sys.exit(hand_out.main(['2', '--out', {str(tmp_path / 'class')!r}]))"
    )
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
    folder = tmp_path / "my class"
    assert f"3 notebooks (1, 8b, spot_the_bug) without solutions: {folder}" in done.stdout
    assert code_cells(read(folder / "01_why_cheaply.ipynb"))[0].execution_count == 1
    assert "<summary>Answer</summary>" not in source(read(folder / "spot_the_bug.ipynb"))


def test_make_takes_no_for_no(tmp_path):
    done = make_handout(tmp_path, "CHAPTERS=spot_the_bug", "KEEP_OUTPUTS=0", "HIDE_ANSWERS=no")
    assert done.returncode == 0, done.stderr
    copied = read(tmp_path / "my class" / "spot_the_bug.ipynb")
    assert all(cell.outputs == [] for cell in code_cells(copied))
    assert "<summary>Answer</summary>" in source(copied)


def test_make_stops_at_a_missing_s(tmp_path):
    done = make_handout(tmp_path, "CHAPTER=2")
    assert done.returncode != 0 and 'make handout CHAPTERS="2"' in done.stderr
    assert not (tmp_path / "my class").exists()


def test_make_lists_the_choices():
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True).stdout
    (line,) = [line for line in listed.splitlines() if "make handout" in line]
    for name in ("CHAPTERS", "OUT", "GRADER", "KEEP_OUTPUTS", "HIDE_ANSWERS"):
        assert name in line
