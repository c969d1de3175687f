"""The page for teachers: its plan, its numbers and its code agree with the chapters."""

import gzip
import math
import re
import tomllib

import graders
import nbformat
import pytest
import submission_process
import yaml
from built_book import contents
from conftest import BOOK, ROOT

import gnet_lib
from gnet_lib.exercises import checked
from gnet_lib.fashion_mnist import SAMPLE_FOLDER

PAGE = (BOOK / "teachers.md").read_text(encoding="utf-8")
CHAPTERS = {path.name: nbformat.read(path, as_version=4) for path in sorted(BOOK.glob("*.ipynb"))}
WORDS_A_MINUTE = 150


def section(title):
    """The page's text below one heading."""
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def markdown(notebook):
    """All Markdown of a chapter."""
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def stated_time(notebook):
    """What a chapter says about its computing time."""
    (said,) = re.findall(r"^\*\*Time\.\*\*(.*)$", markdown(notebook), re.MULTILINE)
    return said


def minutes_to_read(notebook):
    """The chapter's words before its exercises, without folded blocks, at the page's speed."""
    text = re.sub(r"<details>.*?</details>", "", markdown(notebook), flags=re.DOTALL).split(
        "\n## Exercises"
    )[0]
    return len(text.split()) / WORDS_A_MINUTE


def plan_rows(page_section):
    """(file, number or name, minutes to read, computing time) of each row of the plan."""
    pattern = r"^\| (?:\d|\*free\*) \| \[([^.\]]+)[^\]]*\]\(([\w.]+)\) \| (\d+) \| ([^|]+) \|$"
    return [
        (file, name, int(minutes), time)
        for name, file, minutes, time in re.findall(pattern, page_section, re.MULTILINE)
    ]


def plan_faults(rows):
    """Where the plan and the chapters disagree."""
    faults = []
    if sorted(row[0] for row in rows) != sorted(CHAPTERS):
        faults.append("the plan has not every chapter once")
    for file, name, minutes, time in rows:
        if name[0].isdigit() and not file.startswith(name.zfill(2 + name[-1].isalpha()) + "_"):
            faults.append(f"{name} is not the number of {file}")
        if not re.search(rf"\b{re.escape(time)}\b", stated_time(CHAPTERS[file])):
            faults.append(f"{file} says{stated_time(CHAPTERS[file])} and the plan {time}")
        # Rounded up to five minutes. Five more or less are no fault: chapters are edited.
        if minutes % 5 or abs(minutes - 5 * math.ceil(minutes_to_read(CHAPTERS[file]) / 5)) > 5:
            needed = minutes_to_read(CHAPTERS[file])
            faults.append(f"{file} takes {needed:.1f} minutes to read, the plan says {minutes}")
    return faults


def test_plan_agrees_with_the_chapters():
    assert plan_faults(plan_rows(section("Four weeks, two sessions a week"))) == []
    assert f"at {WORDS_A_MINUTE} words a minute" in PAGE


def test_a_wrong_plan_is_noticed():
    (file, name, minutes, time), *others = plan_rows(section("Four weeks, two sessions a week"))
    (fault,) = plan_faults([(file, name, minutes + 15, time), *others])
    assert fault.startswith("01_why_cheaply.ipynb") and f"the plan says {minutes + 15}" in fault


def test_every_chapter_has_goals_that_can_be_checked():
    """A definition for each chapter, which begins with a verb in italics."""
    goals = dict(
        re.findall(r"^\[[^\]]+\]\((\w+\.ipynb)\)\n: (.*)$", section("Learning goals"), re.MULTILINE)
    )
    assert sorted(goals) == sorted(CHAPTERS)
    assert all(re.match(r"\*[a-z]+\* ", goal) for goal in goals.values())
    assert not any(re.search(r"\*(understand|know|learn)\*", goal) for goal in goals.values())


def parts(part):
    """Number -> text of every cell of the book's exercises that is such a part."""
    marked = [
        cell
        for notebook in CHAPTERS.values()
        for cell in notebook.cells
        if cell.metadata.get("gnet", {}).get("part") == part
    ]
    return {cell.metadata.gnet.exercise: cell.source for cell in marked}


def test_exercises_are_counted_and_the_open_ones_are_open():
    questions = parts("question")
    assert f"{len(parts('answer'))} of the book's {len(questions)} exercises have a cell" in PAGE
    named = re.findall(r"\b(\d+[bc]?\.\d)\b", " ".join(re.findall(r"\*At home:\*.*", PAGE)))
    assert len(named) == 9 and all(
        f"**Exercise {number} (open).**" in questions[number] for number in named
    )


def test_beliefs_and_projects_name_chapters_that_exist():
    for title in ("What students believe at first", "Projects"):
        files = re.findall(r"\]\((\w+\.ipynb)\)", section(title))
        assert len(files) >= 5 and set(files) <= set(CHAPTERS)


def test_page_is_in_the_contents():
    assert "book/teachers" in contents()


def test_code_for_slides_runs(tmp_path, monkeypatch):
    (code,) = re.findall(
        r"```python\n(.*?)```", section("Figures and explorer in slides"), re.DOTALL
    )
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "teachers.md", "exec"), {})
    assert (tmp_path / "inception_3a.svg").read_bytes() == (
        BOOK / "images" / "inception_3a.svg"
    ).read_bytes()
    assert (tmp_path / "inception_3a.png").read_bytes().startswith(b"\x89PNG")


def test_commands_take_the_named_choices():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(
        re.findall(r"\b([A-Z_]{3,})=", section("Handing out the notebooks") + section("Grading"))
    )
    named -= {"CELL_LIMIT_SECONDS"}  # of the tests for submitted notebooks, see below
    assert named == {"CHAPTERS", "OUT", "KEEP_OUTPUTS", "HIDE_ANSWERS", "GRADER"}
    assert all(f"$({name})" in makefile for name in named)


def test_limits_of_a_notebook_are_told_as_they_are():
    text = section("Grading")
    for number, words in (
        (submission_process.CELL_LIMIT_SECONDS, "has run for {:.0f} seconds"),
        (submission_process.NOTEBOOK_LIMIT_SECONDS, "the notebook for {:.0f}"),
        (submission_process.MEMORY_LIMIT_GB, "more than {:.0f} GB"),
        (submission_process.OUTPUT_LIMIT_MB, "more than {:.0f} MB"),
    ):
        assert words.format(number) in text
    assert "`CELL_LIMIT_SECONDS=60 python" in text


def test_nbgraders_time_is_told_as_it_is():
    """What stands in the file is tried in test_graders."""
    (seconds,) = re.findall(r"Execute.timeout = (\d+)", graders.NBGRADER_CONFIG)
    assert f"may run for {seconds} seconds" in section("Grading")


def test_what_students_need_is_what_the_library_asks_for():
    with open(ROOT / "pyproject.toml", "rb") as file:
        project = tomllib.load(file)["project"]
    text = section("What students need")
    assert f"Python {project['requires-python'].removeprefix('>=')} or newer" in text
    extras = ",".join(project["optional-dependencies"])
    assert f'".[{extras}]"' in text
    assert f'gnet_lib[{extras}] @ git+{project["urls"]["Repository"]}"' in text


def test_what_the_prose_gives_away_is_said():
    assert "4,944" in markdown(CHAPTERS["02_naive_module.ipynb"]).split("## Summary")[1]
    assert "4,944 channels" in parts("solution")["4.2"] and "4,944 channels" in section(
        "Handing out the notebooks"
    )


def test_grading_is_told_as_it_is():
    """The exercise in the text has a checker, and the line of homework gives a number."""
    assert 'assert check("8.4", answer)' in section("Grading") and "8.4" in checked()
    (code,) = re.findall(r"```python\n(from gnet_lib.*?)```", section("Grading"), re.DOTALL)
    exec(compile(code, "teachers.md", "exec"), {"answer": 14 * 14 * 24 * 7 * 7 * 480})
    with pytest.raises(AssertionError):
        exec(compile(code, "teachers.md", "exec"), {"answer": 0})


def test_sizes_of_the_data():
    labels = [gzip.decompress(path.read_bytes())[8:] for path in SAMPLE_FOLDER.glob("*labels*.gz")]
    assert f"{sum(map(len, labels)):,} real images" in PAGE
    assert "download of 30 MB" in PAGE and "download of 30 MB" in stated_time(
        CHAPTERS["07_data_and_device.ipynb"]
    )


def test_citation_agrees_with_the_citation_file():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    bibtex = section("Citing the book")
    assert (
        f"{{{citation['title']}}}" in bibtex
        and f"{{{{{citation['authors'][0]['name']}}}}}" in bibtex
    )
    assert (
        f"{{{citation['date-released'].year}}}" in bibtex
        and f"version {gnet_lib.__version__}" in bibtex
    )
