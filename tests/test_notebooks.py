"""The hygiene of the stored notebooks: everything that executing them does not notice.

nbval executes each notebook and compares text outputs. It does not notice a stripped
notebook, a missing or blank picture, wrong execution counts, tags that switch the
comparison off, and more. Each guard below closes one such hole: it takes a notebook and
returns complaints. Each guard is also tried on spoilt copies of a sound notebook, because
a guard that never complains looks the same as a book without faults.
"""

import ast
import base64
import functools
import io
import itertools
import re
import xml.etree.ElementTree as ElementTree

import nbformat
import pytest
import refresh
import repository
from built_book import contents
from conftest import BOOK, ROOT
from IPython.core.inputtransformer2 import TransformerManager
from markdown_it import MarkdownIt
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

NOTEBOOKS = sorted(BOOK.glob("*.ipynb"))

ALLOWED_TAGS = {
    "hide-input",
    "hide-output",
    "hide-cell",
    "output_scroll",
    "nbval-ignore-output",
    "raises-exception",
}
TAGS_WITH_REASON = {"nbval-ignore-output", "raises-exception"}
PICTURES = ("image/svg+xml", "image/png", "image/jpeg")
DRAWING_ELEMENTS = {
    "path",
    "rect",
    "circle",
    "ellipse",
    "line",
    "polyline",
    "polygon",
    "text",
    "use",
    "image",
}
# A figure in which nothing was drawn still has its background and one frame.
FEWEST_DRAWING_ELEMENTS = 3
# The badge's picture lies at Colab. So the page of the book, which asks no other host, leaves
# the badge out (it has its launch button); a notebook on GitHub, or in an editor, shows it.
BADGE = (
    re.escape(
        "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/"
    )
    + r"([\w.-]+/[\w.-]+)/blob/main/book/(\w+\.ipynb)\)"
)
# Any absolute path, except where Debian's data package lies, and a place inside a stored chart.
MACHINE_PATH = re.compile(
    r"(?<![\w.:/<~)\]}])/(?!usr/share/|signals/-)[A-Za-z]+/[\w.-]+|[A-Z]:\\Users\\"
)


# --- small readers --------------------------------------------------------------------


def code_cells(notebook):
    """The code cells, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def markdown_cells(notebook):
    """The Markdown cells, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "markdown"]


def tags(cell):
    """The cell's tags."""
    return set(cell.metadata.get("tags", []))


def label(cell):
    """How a complaint names a cell: by its first line."""
    return f"cell {(cell.source.splitlines() or ['(empty)'])[0][:60]!r}"


def text_outputs(cell):
    """Every stored text of a code cell, without pictures."""
    texts = []
    for output in cell.get("outputs", []):
        texts += [output.get("text", ""), output.get("evalue", ""), *output.get("traceback", [])]
        texts += [
            content
            for kind, content in output.get("data", {}).items()
            if isinstance(content, str) and kind not in PICTURES
        ]
    return texts


def pictures(cell):
    """(kind, content) of each picture the cell stores."""
    return [
        (kind, output.data[kind])
        for output in cell.outputs
        for kind in PICTURES
        if kind in output.get("data", {})
    ]


def parsed(cell):
    """The cell's syntax tree; `!pip` and `%magic` lines are understood as IPython does."""
    return ast.parse(TransformerManager().transform_cell(cell.source))


def called_names(tree):
    """The last names of the functions called when the cell runs (not inside definitions)."""
    names, todo = set(), [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Lambda)):
            continue
        if isinstance(node, ast.Call):
            names.add(getattr(node.func, "attr", getattr(node.func, "id", "")))
        todo.extend(ast.iter_child_nodes(node))
    return names


def has_assertion(cell):
    """Whether the cell asserts something that can fail."""
    asserts = [node for node in ast.walk(parsed(cell)) if isinstance(node, ast.Assert)]
    return any(not isinstance(node.test, ast.Constant) for node in asserts)


def headings(text):
    """(level, text, inside details?) of each heading of a Markdown text."""
    tokens, found, depth = MarkdownIt().parse(text), [], 0
    for index, token in enumerate(tokens):
        if token.type == "html_block":
            depth += len(re.findall(r"<details\b", token.content)) - token.content.count(
                "</details>"
            )
        if token.type == "heading_open":
            found.append((int(token.tag[1]), tokens[index + 1].content, depth > 0))
    return found


def whole_text(notebook):
    """All Markdown of the notebook, with code cells left out."""
    return "\n\n".join(cell.source for cell in markdown_cells(notebook))


# --- the guards: holes of nbval -------------------------------------------------------


def execution_counts(notebook):
    """Every code cell was executed, once, in order: a stripped notebook passes nbval."""
    counts = [cell.execution_count for cell in code_cells(notebook)]
    wanted = list(range(1, len(counts) + 1))
    complaints = (
        []
        if counts == wanted
        else [f"execution counts are {counts}, not 1..{len(counts)}: run `make refresh`"]
    )
    for cell in code_cells(notebook):
        for output in cell.outputs:
            if output.get("execution_count", cell.execution_count) != cell.execution_count:
                complaints.append(
                    f"{label(cell)}: its result carries the count {output.execution_count}"
                )
    return complaints


def picture_faults(kind, content):
    """What is wrong with one picture; nothing when it decodes and shows something."""
    try:
        if kind == "image/svg+xml":
            root = ElementTree.fromstring(content)
            drawn = [
                node for node in root.iter() if node.tag.rpartition("}")[2] in DRAWING_ELEMENTS
            ]
            return (
                []
                if root.tag.endswith("svg") and len(drawn) >= FEWEST_DRAWING_ELEMENTS
                else ["an SVG in which nothing is drawn"]
            )
        image = Image.open(io.BytesIO(base64.b64decode(content, validate=True))).convert("RGBA")
        return ["a blank picture"] if image.getcolors(maxcolors=1) else []
    except (ElementTree.ParseError, ValueError, OSError, SyntaxError) as error:
        return [f"a picture that does not decode ({error})"]


def stored_pictures(notebook):
    """A cell that plots stores a picture that decodes and is not blank."""
    complaints = []
    for cell in code_cells(notebook):
        found = pictures(cell)
        if called_names(parsed(cell)) & {"show", "plot", "imshow"} and not found:
            complaints.append(f"{label(cell)}: it plots, but stores no picture")
        for output in cell.outputs:
            is_figure = (
                output.get("metadata", {}).get("alt")
                or "Figure" in output.get("data", {}).get("text/plain", "")[:8]
            )
            if is_figure and not set(output.get("data", {})) & set(PICTURES):
                complaints.append(
                    f"{label(cell)}: an output that stands for a figure has lost its picture"
                )
        complaints += [
            f"{label(cell)}: {fault}"
            for kind, content in found
            for fault in picture_faults(kind, content)
        ]
    return complaints


def alternative_texts(notebook):
    """Each picture says in a sentence what it shows, and the page shows that very sentence."""
    complaints = []
    for cell in code_cells(notebook):
        if not pictures(cell):
            continue
        sentences = [
            output.get("metadata", {}).get("alt", "")
            for output in cell.outputs
            if set(output.get("data", {})) & set(PICTURES)
        ]
        shown = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
        if len(sentences) > 1:
            complaints.append(
                f"{label(cell)}: {len(sentences)} pictures in one cell, but one alternative text"
            )
        if len(sentences[0].split()) < 4:
            complaints.append(
                f"{label(cell)}: its picture says nothing about itself (gnet_lib.plots.show does)"
            )
        if shown != sentences[0]:
            complaints.append(
                f"{label(cell)}: the page's text is not the figure's own: run `make refresh`"
            )
    return complaints


def is_badge(cell):
    """Whether a cell holds the badge that opens a notebook in Colab, and nothing else."""
    return cell.cell_type == "markdown" and re.fullmatch(BADGE, cell.source) is not None


def known_tags(notebook):
    """Only tags that are known, none that skips a cell; the page leaves out the badge alone."""
    complaints = []
    for cell in notebook.cells:
        unknown = tags(cell) - ALLOWED_TAGS - ({"remove-cell"} if is_badge(cell) else set())
        complaints += [f"{label(cell)}: the tag {tag!r} is not allowed" for tag in sorted(unknown)]
        if re.search(r"#\s*(NBVAL_|PYTEST_VALIDATE_)", cell.source):
            complaints.append(
                f"{label(cell)}: a comment switches the comparison off; use a tag with a reason"
            )
    return complaints


def reasons_and_assertions(notebook):
    """Where the comparison is off, the cell says why, and an assertion holds the claim."""
    complaints, cells = [], code_cells(notebook)
    for index, cell in enumerate(cells):
        switched = sorted(tags(cell) & TAGS_WITH_REASON)
        if not switched:
            continue
        if len(str(cell.metadata.get("reason", "")).split()) < 3:
            complaints.append(
                f"{label(cell)}: tagged {', '.join(switched)} without a 'reason' in its metadata"
            )
        if not any(has_assertion(other) for other in cells[index : index + 2]):
            complaints.append(
                f"{label(cell)}: tagged {', '.join(switched)}, but nothing is asserted beside it"
            )
        if "nbval-ignore-output" in tags(cell) and not cell.outputs:
            complaints.append(f"{label(cell)}: its outputs are not compared, and there are none")
    return complaints


def errors_are_announced(notebook):
    """An error is stored exactly where the tag raises-exception stands, and tells its message."""
    complaints = []
    for cell in code_cells(notebook):
        errors = [output for output in cell.outputs if output.output_type == "error"]
        if errors and "raises-exception" not in tags(cell):
            complaints.append(f"{label(cell)}: it failed with {errors[0].ename}")
        if not errors and "raises-exception" in tags(cell):
            complaints.append(f"{label(cell)}: tagged raises-exception, but it stores no error")
        for error in errors:
            trace = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error.traceback))
            if error.ename not in trace or error.evalue not in trace:
                complaints.append(
                    f"{label(cell)}: its stored traceback is not the one of its error"
                )
    return complaints


def quiet_streams(notebook):
    """No warnings by accident, no overwritten text, no mixture whose order nbval ignores."""
    complaints = []
    for cell in code_cells(notebook):
        names = {output.name for output in cell.outputs if output.output_type == "stream"}
        if "stderr" in names and "reason" not in cell.metadata:
            complaints.append(
                f"{label(cell)}: it stores a warning or a log on stderr and gives no 'reason'"
            )
        if names == {"stdout", "stderr"}:
            complaints.append(
                f"{label(cell)}: stdout and stderr in one cell, whose order nobody checks"
            )
        if any("\r" in text or "\b" in text for text in text_outputs(cell)):
            complaints.append(
                f"{label(cell)}: it stores text that overwrites itself (a progress bar?)"
            )
    return complaints


def no_widgets(notebook):
    """A stored widget shows as nothing on a page."""
    complaints = ["the notebook stores widget state"] if "widgets" in notebook.metadata else []
    for cell in code_cells(notebook):
        if any("widget" in kind for output in cell.outputs for kind in output.get("data", {})):
            complaints.append(f"{label(cell)}: it stores a widget, which a page cannot show")
    return complaints


# --- the guards: what pages and other machines need -----------------------------------


def clean_metadata(notebook):
    """Exactly what `make refresh` leaves: lexer, kernel, no editor's or run's notes."""
    complaints = []
    lexer = notebook.metadata.get("language_info", {}).get("pygments_lexer")
    if lexer != "ipython3":
        complaints.append(f"language_info.pygments_lexer is {lexer!r}, not 'ipython3'")
    if refresh.tidy(notebook) != notebook:
        complaints.append(
            "it is not as `make refresh` leaves it: run `python tools/refresh.py --tidy-only`"
        )
    ids = [cell.get("id") for cell in notebook.cells]
    if None in ids or len(set(ids)) != len(ids):
        complaints.append("cells without an id, or two with the same")
    complaints += [
        f"{label(cell)}: a raw cell" for cell in notebook.cells if cell.cell_type == "raw"
    ]
    return complaints


def no_machine_paths(notebook):
    """No folder of the machine that a chapter was written on."""
    complaints = []
    for cell in notebook.cells:
        for text in [cell.source, *text_outputs(cell)]:
            complaints += [
                f"{label(cell)}: the path {found[0]}" for found in MACHINE_PATH.finditer(text)
            ]
    return complaints


# What only MyST reads. Colab, GitHub and Jupyter would show each of these as it is typed.
MYST_FENCES = (r"^\s*(?:`{3,}|~{3,})\s*\{", r"^\s*:{3,}", r"\{[a-z][\w:-]*\}`")
MYST_WORDS = (
    r"^\([\w-]+\)=\s*$",  # a target
    r"^%.*",  # a comment
    r"^\+\+\+.*",  # the break of a block
    r"\{\{.*?\}\}",  # a substitution
    r"\[\^[^\]\s]+\]",  # a footnote
    r"^: .*",  # a definition
    r"[\])]\{[^}\n]*\}",  # attributes of a link or a picture
    r"^\{[^}\n]*\}\s*$",  # attributes of a block
)


def without_code_and_mathematics(text):
    """The text whose signs Markdown itself reads."""
    for pattern in (r"^(`{3,}|~{3,}).*?^\1", r"(`+)[^`].*?\1", r"\$\$.*?\$\$", r"\$[^$\n]+\$"):
        text = re.sub(pattern, "", text, flags=re.DOTALL | re.MULTILINE)
    return text


def plain_markdown(notebook):
    """Chapters are read in Colab too, which knows no MyST: it would show raw."""
    complaints = []
    for cell in markdown_cells(notebook):
        for text, patterns in (
            (cell.source, MYST_FENCES),
            (without_code_and_mathematics(cell.source), MYST_WORDS),
        ):
            found = [
                match[0].strip()
                for pattern in patterns
                for match in re.finditer(pattern, text, re.MULTILINE)
            ]
            complaints += [f"{label(cell)}: MyST syntax {words!r}" for words in found]
    return complaints


def heading_order(notebook):
    """One title, first of all, and no level is skipped."""
    found = [
        (cell, heading) for cell in markdown_cells(notebook) for heading in headings(cell.source)
    ]
    levels = [level for _, (level, _, _) in found]
    complaints = (
        []
        if levels[:1] == [1] and levels.count(1) == 1
        else ["the notebook must start with its one title (# ...)"]
    )
    for (_, (before, _, _)), (_, (level, text, _)) in itertools.pairwise(found):
        if level > before + 1:
            complaints.append(f"the heading {text!r} skips a level")
    complaints += [
        f"{label(cell)}: the heading {text!r} inside <details>"
        for cell, (_, text, inside) in found
        if inside
    ]
    return complaints


def details_blocks(notebook):
    """<details> works only with blank lines around its Markdown and no mathematics in <summary>."""
    complaints = []
    for cell in markdown_cells(notebook):
        if len(re.findall(r"<details\b", cell.source)) != cell.source.count("</details>"):
            complaints.append(f"{label(cell)}: <details> and </details> do not match")
        if re.search(r"</summary>[^\S\n]*\n?[^\S\n]*\S", cell.source) or re.search(
            r"\S[^\S\n]*\n[^\S\n]*</details>", cell.source
        ):
            complaints.append(
                f"{label(cell)}: <details> needs blank lines after </summary> and before its end"
            )
        if re.search(r"<summary>[^<]*\$[^<]*</summary>", cell.source):
            complaints.append(f"{label(cell)}: mathematics in <summary> stays raw")
    return complaints


def local_targets(notebook):
    """Pictures and pages that the text names exist, and pictures have an alternative text."""
    complaints = []
    for cell in markdown_cells(notebook):
        for token in MarkdownIt().parse(cell.source):
            for child in token.children or []:
                target = (
                    child.attrGet("src")
                    if child.type == "image"
                    else child.attrGet("href")
                    if child.type == "link_open"
                    else None
                )
                if target is None:
                    continue
                path = str(target).partition("#")[0]
                if path and not re.match(r"[a-z]+:", path) and not (BOOK / path).exists():
                    complaints.append(f"{label(cell)}: {path} does not exist")
                if child.type == "image" and len(child.content.split()) < 3:
                    complaints.append(
                        f"{label(cell)}: the picture {target} has no sentence as alternative text"
                    )
        if "<img" in cell.source:
            complaints.append(f"{label(cell)}: write pictures as ![sentence](path), not as <img>")
    return complaints


def chapter_beats(notebook):
    """Question and time before the first code, a prediction, and the two closing sections."""
    complaints = []
    first_code = next(
        (index for index, cell in enumerate(notebook.cells) if cell.cell_type == "code"),
        len(notebook.cells),
    )
    opening = "\n".join(cell.source for cell in notebook.cells[:first_code])
    if not re.search(r"^\*\*Question\.\*\* .*\w", opening, re.MULTILINE):
        complaints.append("no line '**Question.** ...' before the first code cell")
    if not re.search(r"^\*\*Time\.\*\*.*\b(minutes?|seconds?)\b", opening, re.MULTILINE):
        complaints.append(
            "no line '**Time.** ... minutes (or seconds) ...' before the first code cell"
        )
    if "**Predict.**" not in whole_text(notebook):
        complaints.append("the reader is nowhere asked to predict (**Predict.** ...)")
    closing = [text for level, text, _ in headings(whole_text(notebook)) if level == 2][-2:]
    if closing != ["Summary", "What comes next"]:
        complaints.append(f"the last sections are {closing}, not 'Summary' and 'What comes next'")
    return complaints


def set_up_cell(notebook):
    """The first code cell sets the notebook up, in Colab too."""
    first = code_cells(notebook)[:1]
    if not first or not re.search(r'^REPOSITORY = "[^"]+"', first[0].source, re.MULTILINE):
        return ['the first code cell is not the set-up cell (REPOSITORY = "...")']
    return []


def colab_badge(notebook):
    """The notebook opens in Colab by one click, before all else; the page has its own button."""
    badges = [cell for cell in notebook.cells if is_badge(cell)]
    if badges != notebook.cells[:1]:
        return ["the first cell is not the badge 'Open in Colab', or it is not the only one"]
    return (
        []
        if tags(badges[0]) == {"remove-cell"}
        else ["the badge needs the tag remove-cell: its picture lies on another host"]
    )


GUARDS = [
    execution_counts, stored_pictures, alternative_texts, known_tags, reasons_and_assertions,
    errors_are_announced, quiet_streams, no_widgets, clean_metadata, no_machine_paths,
    plain_markdown, heading_order, details_blocks, local_targets, chapter_beats, set_up_cell,
    colab_badge,
]  # fmt: skip


# --- the book's notebooks -------------------------------------------------------------


@functools.cache
def read(path):
    """A chapter; the guards change nothing in it."""
    return nbformat.read(path, as_version=4)


def test_every_notebook_is_a_chapter():
    """No notebook lies in book/ unread, and no chapter of the contents is missing."""
    assert NOTEBOOKS
    assert {f"book/{path.stem}" for path in NOTEBOOKS} == {
        file for file in contents() if not (ROOT / f"{file}.md").exists()
    }


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_chapter(path):
    complaints = {guard.__name__: guard(read(path)) for guard in GUARDS}
    assert not {guard: found for guard, found in complaints.items() if found}


def test_set_up_cells_are_the_same():
    """One set-up cell in all chapters: what works in one works in all."""
    assert len({code_cells(read(path))[0].source for path in NOTEBOOKS}) == 1


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_badge_opens_this_very_chapter(path):
    assert re.findall(BADGE, read(path).cells[0].source) == [(repository.current(), path.name)]


# --- each guard must be able to complain ----------------------------------------------

SVG = '<svg xmlns="http://www.w3.org/2000/svg"><path/><path/><rect/><text>1x1</text></svg>'
SENTENCE = "Four bars, one for each path."


def png(colours):
    """A small PNG, two pixels wide, as notebooks store it."""
    image, file = Image.new("RGB", (2, 1)), io.BytesIO()
    image.putdata(colours)
    image.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def sound_notebook():
    """A chapter in small without a fault."""
    figure = new_output(
        "display_data", {"image/svg+xml": SVG, "text/plain": SENTENCE}, metadata={"alt": SENTENCE}
    )
    photo = new_output(
        "display_data",
        {"image/png": png([(0, 0, 0), (9, 9, 9)]), "text/plain": SENTENCE},
        metadata={"alt": SENTENCE},
    )
    alt = {"mystnb": {"image": {"alt": SENTENCE}}}
    error = new_output(
        "error",
        ename="ValueError",
        evalue="c1x1 must be at least 1, got 0",
        traceback=["ValueError: c1x1 must be at least 1, got 0"],
    )
    picture = "https://colab.research.google.com/assets/colab-badge.svg"
    chapter = "https://colab.research.google.com/github/owner/name/blob/main/book/04_a.ipynb"
    badge = f"[![Open in Colab]({picture})]({chapter})"
    cells = [
        new_markdown_cell(badge, metadata={"tags": ["remove-cell"]}),
        new_markdown_cell(
            "# 4. A chapter\n\n**Question.** What does it cost?\n\n**Time.** about 2 minutes"
        ),
        new_code_cell('REPOSITORY = "owner/name"', metadata={"tags": ["hide-input"]}),
        new_markdown_cell(
            "## Counting\n\n**Predict.** How many `{{x}}` has $a_{{i}}$, in "
            "[the paper](https://arxiv.org/abs/1409.4842)?\n\n```python\n%timeit x\n{y}\n```\n\n"
            "<details>\n<summary>Solution</summary>\n\n$x^2$\n\n</details>"
        ),
        new_code_cell(
            "1 + 1", outputs=[new_output("execute_result", {"text/plain": "2"}, execution_count=2)]
        ),
        new_code_cell("plots.show(figure)", outputs=[figure], metadata=alt),
        new_code_cell("plots.show(photo)", outputs=[photo], metadata=alt),
        new_code_cell(
            "print(seconds)\nassert seconds > 0",
            outputs=[new_output("stream", name="stdout", text="0.1\n")],
            metadata={"tags": ["nbval-ignore-output"], "reason": "a time differs in every run"},
        ),
        new_code_cell(
            "InceptionWidths(0)",
            outputs=[error],
            metadata={"tags": ["raises-exception"], "reason": "shows how the library refuses"},
        ),
        new_code_cell("assert seconds < 60"),
        new_markdown_cell("## Summary\n\nIt costs less.\n\n## What comes next\n\nMore."),
    ]
    for index, cell in enumerate(cells):
        cell.id = f"cell-{index}"
    return refresh.tidy(new_notebook(cells=cells))


LAUNCH, TITLE, SETUP, TEXT, SUM, FIGURE, PHOTO, TIMED, REFUSAL, ASSERTION, END = range(11)


def put(index, **changes):
    """A fault that sets fields of one cell."""
    return lambda notebook: notebook.cells[index].update(changes)


def replaced(index, old, new):
    """A fault in the text of one cell."""

    def spoil(notebook):
        assert old in notebook.cells[index].source
        notebook.cells[index].source = notebook.cells[index].source.replace(old, new)

    return spoil


def said(index, name, text):
    """A fault that adds a stored stream to one cell."""
    return lambda notebook: notebook.cells[index].outputs.append(
        new_output("stream", name=name, text=text)
    )


def of_output(index, change):
    """A fault in the first output of one cell."""
    return lambda notebook: change(notebook.cells[index].outputs[0])


def of_metadata(index, change):
    """A fault in the metadata of one cell."""
    return lambda notebook: change(notebook.cells[index].metadata)


def together(*faults):
    """Several faults in one notebook."""

    def spoil(notebook):
        for fault in faults:
            fault(notebook)

    return spoil


MYST = """\
```{note}
:::note
{cite}`szegedy2015`
(target)=
% a comment
+++ a break
{{ version }}
[^1]
: a definition
![Four paths side by side](_static/logo.svg){width=50%}
{.tip}
"""
PATHS = """
`/home/ada/data.gz`
C:\\Users\\ada
"""
TARGETS = """
[More](05_none.ipynb)
![](_static/logo.svg)
<img src="_static/logo.svg">
"""
OTHER_DRAWING = '<svg xmlns="http://www.w3.org/2000/svg"><path/></svg>'
WIDGET = {"application/vnd.jupyter.widget-view+json": {}}

# Guard -> what it must notice, and how many complaints that gives.
FAULTS = {
    execution_counts: (2, put(SUM, execution_count=7)),
    stored_pictures: (
        4,
        together(
            put(FIGURE, source="helper()"),
            of_output(FIGURE, lambda output: output.data.update({"image/svg+xml": SVG[:-9]})),
            of_output(PHOTO, lambda output: output.data.pop("image/png")),
            put(SUM, source="plt.show()"),
        ),
    ),
    alternative_texts: (
        4,
        together(
            of_output(FIGURE, lambda output: output.update(metadata={})),
            lambda notebook: notebook.cells[PHOTO].outputs.append(
                notebook.cells[FIGURE].outputs[0]
            ),
            of_metadata(PHOTO, lambda metadata: metadata.pop("mystnb")),
        ),
    ),
    known_tags: (
        3,
        together(
            of_metadata(SUM, lambda metadata: metadata.update(tags=["nbval-skip"])),
            of_metadata(TEXT, lambda metadata: metadata.update(tags=["remove-cell"])),
            put(SUM, source="# NBVAL_IGNORE_OUTPUT\n1 + 1"),
        ),
    ),
    reasons_and_assertions: (
        3,
        together(
            of_metadata(TIMED, lambda metadata: metadata.update(reason="  ")),
            put(TIMED, source="print(seconds)\nassert True", outputs=[]),
        ),
    ),
    errors_are_announced: (
        2,
        together(
            of_metadata(REFUSAL, lambda metadata: metadata.pop("tags")),
            of_output(REFUSAL, lambda output: output.update(traceback=["KeyError: 'c1x1'"])),
        ),
    ),
    quiet_streams: (
        3,
        together(said(SUM, "stderr", "UserWarning: slow\n"), said(SUM, "stdout", " 10%\r100%\n")),
    ),
    no_widgets: (
        2,
        together(
            lambda notebook: notebook.metadata.update(widgets={}),
            of_output(SUM, lambda output: output.data.update(WIDGET)),
        ),
    ),
    clean_metadata: (
        4,
        together(
            lambda notebook: notebook.metadata.language_info.update(pygments_lexer="python"),
            put(SUM, id="cell-0"),
            put(END, cell_type="raw"),
        ),
    ),
    no_machine_paths: (
        4,
        together(
            replaced(END, "More.", PATHS),
            said(SUM, "stdout", "found in /var/cache/data\n"),
            of_output(REFUSAL, lambda output: output.traceback.append("File /srv/paper.py:3")),
        ),
    ),
    plain_markdown: (11, replaced(END, "More.", MYST)),
    heading_order: (
        3,
        together(
            replaced(TITLE, "# 4. A chapter", "4. A chapter"),
            replaced(TEXT, "## Counting", "## Counting\n\n#### Adding"),
            replaced(TEXT, "$x^2$", "### Proof\n\n$x^2$"),
        ),
    ),
    details_blocks: (
        3,
        together(
            replaced(TEXT, "Solution</summary>\n\n", "Solution for $x$</summary>\n"),
            replaced(TEXT, "\n\n</details>", ""),
        ),
    ),
    local_targets: (3, replaced(END, "More.", TARGETS)),
    chapter_beats: (
        4,
        together(
            replaced(TITLE, "**Question.**", "Question:"),
            replaced(TITLE, "2 minutes", "a while"),
            replaced(TEXT, "**Predict.**", "Well,"),
            replaced(END, "## What comes next", "## Next"),
        ),
    ),
    set_up_cell: (1, lambda notebook: notebook.cells.pop(SETUP)),
    colab_badge: (1, of_metadata(LAUNCH, lambda metadata: metadata.pop("tags"))),
}


def test_sound_notebook_has_no_fault():
    notebook = sound_notebook()
    assert not {guard.__name__: found for guard in GUARDS if (found := guard(notebook))}


@pytest.mark.filterwarnings("ignore::nbformat.warnings.DuplicateCellId")
@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.__name__)
def test_guard_notices(guard):
    notebook, (complaints, spoil) = sound_notebook(), FAULTS[guard]
    spoil(notebook)
    assert len(guard(notebook)) == complaints, guard(notebook)
