"""The reference: every name that the library offers is described, once, and completely.

The pages in ``book/api`` name what they show, one directive a name. What a docstring has to
say is checked by one function, and that function on spoilt docstrings.
"""

import ast
import builtins
import dataclasses
import doctest
import inspect
import re
import textwrap
import zlib
from importlib import import_module
from pathlib import Path
from typing import Any

import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup
from built_book import contents
from conftest import BOOK, ROOT
from gnet_book import public_path
from pybtex.database import parse_file, parse_string
from torch import nn
from write_inventories import INVENTORIES, entries, inventory, read_entries

import gnet_lib
from gnet_lib import WIDTHS, AuxiliaryHead, GoogLeNet
from gnet_lib._check import require_whole_number
from gnet_lib.googlenet import DEEP_ROWS
from gnet_lib.inception import InceptionBase

PAGES = sorted((BOOK / "api").glob("*.md"))
DIRECTIVE = re.compile(
    r"^\.\. auto(function|class|exception|data):: ([\w.]+)(?:\(.*\))?$", re.MULTILINE
)
HOMES = vars(gnet_lib)["_HOMES"]  # public name -> the module where it is at home
ROOMS = tuple(name for name, home in HOMES.items() if home == "gnet_lib")


def shown(*pages: Path) -> list[str]:
    """The full names that some pages, or all, describe, as often as they do."""
    texts = [page.read_text(encoding="utf-8") for page in pages or PAGES]
    return [name for text in texts for _, name in DIRECTIVE.findall(text)]


def resolved(name: str):
    """What stands behind a full name."""
    module, _, attribute = name.rpartition(".")
    return getattr(import_module(module), attribute)


def full_name(room: str, name: str) -> str:
    """Where a name that a room offers is at home: a room, whichever of its files has it."""
    value = getattr(import_module(f"gnet_lib.{room}"), name)
    home = (
        ".".join(value.__module__.split(".")[:2])
        if inspect.isfunction(value) or inspect.isclass(value)
        else f"gnet_lib.{room}"
    )
    return f"{home}.{name}"


def notebook_code(path) -> ast.Module:
    """The Python of a notebook, without magics."""
    cells = [
        cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"
    ]
    lines = [
        line
        for cell in cells
        for line in cell.splitlines()
        if not line.lstrip().startswith(("%", "!"))
    ]
    return ast.parse("\n".join(lines))


def names_used(tree: ast.Module) -> set[tuple[str, str]]:
    """(room, name) of everything that a program takes from the library."""
    used, rooms = set(), {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "gnet_lib":
            for alias in node.names:
                if alias.name in ROOMS:
                    rooms[alias.asname or alias.name] = alias.name
                else:
                    home = node.module or ""
                    home = home if "." in home else HOMES[alias.name]
                    used.add((home.partition(".")[2], alias.name))
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id in rooms
        ):
            used.add((rooms[node.value.id], node.attr))
    return used


# --- what is shown ----------------------------------------------------------------------


def test_every_offered_name_is_shown_once():
    names = shown()
    offered = {
        full_name(home.partition(".")[2], name) for name, home in HOMES.items() if "." in home
    }
    assert names and len(names) == len(set(names)), "a name stands on the pages twice"
    assert not offered - set(names), "names of gnet_lib that no page in book/api shows"


def test_every_name_that_a_notebook_uses_is_shown():
    used = {
        full_name(*each)
        for path in BOOK.glob("*.ipynb")
        for each in names_used(notebook_code(path))
    }
    assert len(used) > 50
    assert not used - set(shown())


def test_names_used_are_found():
    code = """
from gnet_lib import plots as p, conv_cost
from gnet_lib.cost import total
p.show(p.roofline(conv_cost))
"""
    assert names_used(ast.parse(code)) == {
        ("cost", "conv_cost"),
        ("cost", "total"),
        ("plots", "show"),
        ("plots", "roofline"),
    }


def test_every_room_and_every_figure_is_shown():
    texts = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    for room in ROOMS:
        assert texts.count(f".. automodule:: gnet_lib.{room}\n") == 1, room
    figures = {
        f"gnet_lib.plots.{name}"
        for name, value in vars(gnet_lib.plots).items()
        if inspect.isfunction(value)
        and not name.startswith("_")
        and value.__module__.startswith("gnet_lib.plots.")
    }
    assert len(figures) > 20 and not figures - set(shown())


# --- what a docstring has to say --------------------------------------------------------

CHECKS_OF_ARGUMENTS = re.compile(r"_?(require|check)_")


def sections(text: str) -> dict[str, str]:
    """The parts of a docstring after its description: name -> text."""
    parts = re.split(
        r"^(Args|Attributes|Shape|Returns|Yields|Raises|Warns|Example):\n",
        inspect.cleandoc(text),
        flags=re.MULTILINE,
    )
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def parameters(value) -> list[str]:
    """The arguments that a caller gives."""
    if hasattr(value, "_fields"):
        return list(value._fields)
    if inspect.isclass(value) and issubclass(value, Exception):
        return []
    names = list(inspect.signature(value).parameters)
    return [name for name in names if name not in ("self", "cls")]


def refuses(function) -> bool:
    """Whether the function itself refuses arguments, by raising or by calling a check."""
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))):
        if isinstance(node, ast.Raise):
            return True
        if isinstance(node, ast.Call) and CHECKS_OF_ARGUMENTS.match(getattr(node.func, "id", "")):
            return True
    return False


def entry_point(value):
    """The function that gets the arguments: of a class, the one that builds it."""
    if not inspect.isclass(value):
        return value
    own = vars(value)
    return (
        own.get("__init__", own.get("__post_init__"))
        if not dataclasses.is_dataclass(value)
        else own.get("__post_init__")
    )


def built_as_its_base(value) -> bool:
    """Whether a class takes its arguments from a class of this library."""
    if not inspect.isclass(value) or "__init__" in vars(value):
        return False
    return any(base.__module__.startswith("gnet_lib.") for base in value.__bases__)


def missing_in(value) -> list[str]:
    """What a docstring does not say."""
    said = sections(value.__doc__ or "")
    described = re.findall(r"^    (\w+): ", said.get("Args", ""), re.MULTILINE)
    # A class that is built like the one above it leaves the arguments to that one.
    wanted = [] if built_as_its_base(value) and not described else parameters(value)
    missing = [] if described == wanted else [f"Args are {described}, but should be {wanted}"]
    returns = inspect.isfunction(value) and inspect.signature(value).return_annotation not in (
        None,
        inspect.Signature.empty,
    )
    if returns and not {"Returns", "Yields"} & set(said):
        missing.append("Returns")
    for name in {"Returns", "Yields"} & set(said):
        if ":" in re.sub(r"`[^`]*`", "", said[name].strip().splitlines()[0]):
            missing.append(f"{name} has a colon, in front of which a type is read")
    entry = entry_point(value)
    if inspect.isfunction(entry) and refuses(entry) and "Raises" not in said:
        missing.append("Raises")
    return missing


def public_methods(value) -> dict[str, object]:
    """The methods that a page shows below a class."""
    own = {
        name: each.__func__ if isinstance(each, classmethod) else each
        for name, each in vars(value).items()
    }
    return {
        name: each
        for name, each in own.items()
        if inspect.isfunction(each) and not name.startswith("_")
    }


def described_objects(page: Path) -> dict[str, Any]:
    """The functions and classes that a page shows, by their full names."""
    values = {name: resolved(name) for name in shown(page)}
    return {
        name: value
        for name, value in values.items()
        if inspect.isfunction(value) or inspect.isclass(value)
    }


def all_missing_in(value) -> list[str]:
    """The same, also of the methods that a page shows; and whether there is an example."""
    found = missing_in(value)
    if inspect.isclass(value):
        methods = [each for each in public_methods(value).values() if each.__doc__]
        found += [missing for each in methods for missing in missing_in(each)]
    # What cannot be built by itself is shown by what is made of it.
    example = sections(value.__doc__ or "").get("Example", "")
    if not doctest.DocTestParser().get_examples(example) and value is not InceptionBase:
        found.append("Example")
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_docstrings_say_everything(page):
    missing = {name: all_missing_in(value) for name, value in described_objects(page).items()}
    assert not {name: found for name, found in missing.items() if found}


def silent(size: int) -> int:
    """A side.

    Args:
        sides: pixels.
    """
    return require_whole_number("size", size)


def sound(size: int) -> int:
    """A side.

    Args:
        size: pixels.

    Returns:
        Pixels.

    Raises:
        ValueError: for none.

    Example:
        >>> sound(1)
        1
    """
    if size < 1:
        raise ValueError("size must be at least 1")
    return size


def test_a_silent_docstring_is_noticed():
    missing = all_missing_in(silent)
    assert [each.split()[0] for each in missing] == ["Args", "Returns", "Raises", "Example"]
    assert all_missing_in(sound) == []


# One of each class that describes its attributes.
INSTANCES = (
    GoogLeNet(rows=DEEP_ROWS, image_size=28),
    AuxiliaryHead(8, 5, 10),
    InceptionBase(3, WIDTHS["3a"]),
)


def attributes_said(value) -> set[str]:
    """The attributes that a class describes."""
    return set(
        re.findall(r"^    (\w+): ", sections(value.__doc__).get("Attributes", ""), re.MULTILINE)
    )


def attributes_held(instance: nn.Module) -> set[str]:
    """What a module, or its class, keeps under a public name of its own."""
    own = set(vars(instance)) - set(vars(nn.Module()))
    own |= {name for name, _ in instance.named_children()}
    of_class = {name for name, value in vars(type(instance)).items() if not callable(value)}
    return {name for name in own | of_class if not name.startswith("_")}


@pytest.mark.parametrize("instance", INSTANCES, ids=lambda instance: type(instance).__name__)
def test_attributes_are_described(instance):
    assert attributes_said(type(instance)) == attributes_held(instance)


def test_every_class_that_describes_attributes_is_tried():
    values = [value for page in PAGES for value in described_objects(page).values()]
    told = {value for value in values if inspect.isclass(value) and attributes_said(value)}
    assert told == {type(instance) for instance in INSTANCES}


# --- examples run after a star import of their room --------------------------------------


DEFINITIONS = (ast.FunctionDef, ast.ClassDef)


def unknown_names(examples: list[doctest.Example], room) -> set[str]:
    """Names that an example uses, and that neither it nor ``from room import *`` brings."""
    tree = ast.parse("".join(example.source for example in examples))
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    made = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    made |= {node.name for node in ast.walk(tree) if isinstance(node, DEFINITIONS)}
    imported = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    }
    star = set(getattr(room, "__all__", ())) or {
        name for name in vars(room) if not name.startswith("_")
    }
    return {node.id for node in names} - made - imported - star - set(vars(builtins))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_examples_need_no_more_than_their_room(page):
    for name, value in described_objects(page).items():
        room = import_module(name.rpartition(".")[0])
        examples = doctest.DocTestParser().get_examples(value.__doc__)
        assert not unknown_names(examples, room), name


def test_a_name_from_nowhere_is_noticed():
    examples = doctest.DocTestParser().get_examples(
        ">>> import pandas\n>>> frame = pandas.DataFrame()\n>>> show(frame, mystery)\n"
    )
    assert unknown_names(examples, gnet_lib.plots) == {"mystery"}


# --- programs on the pages -------------------------------------------------------------


def failures_of(text: str) -> int:
    """How many examples of a page's own programs do not give what the page says."""
    program = "".join(re.findall(r"^```python\n(>>> .*?)^```$", text, re.MULTILINE | re.DOTALL))
    runner = doctest.DocTestRunner()
    runner.run(doctest.DocTestParser().get_doctest(program, {}, "page", None, None))
    return runner.failures


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_programs_of_a_page_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = page.read_text(encoding="utf-8")
    assert failures_of(text) == 0
    assert text.count(">>> ") == 0 or "```python\n>>> " in text


def test_a_wrong_program_is_noticed():
    assert (
        failures_of("A sum:\n\n```python\n>>> 1 + 1\n3\n```\n\n```python\n>>> 1 + 1\n2\n```\n") == 1
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page_says_what_its_examples_start_from(page):
    text = page.read_text(encoding="utf-8")
    rooms = re.findall(r"automodule:: gnet_lib\.(\w+)", text)
    assert all(f"`from gnet_lib.{room} import *`" in text for room in rooms)
    (brought,) = re.findall(r"^The examples run .* brings? (.*), too\.$", text, re.MULTILINE) or [
        ""
    ]
    for room in rooms:
        assert all(
            hasattr(import_module(f"gnet_lib.{room}"), name)
            for name in re.findall(r"`(\w+)`", brought)
        )


# --- links between the chapters and the reference ----------------------------------------------


def chapters_of_pages() -> set[tuple[str, str]]:
    """(page, chapter): what the pages of the reference say about where they are taught."""
    lines = {
        page.name: re.findall(
            r"^`gnet_lib\.\w+`.*\btaught in (.*)\.$", page.read_text(encoding="utf-8"), re.MULTILINE
        )
        for page in PAGES
    }
    return {
        (page, chapter)
        for page, found in lines.items()
        for line in found
        for chapter in re.findall(r"\]\(\.\./(\S+?\.ipynb)\)", line)
    }


def pages_of_chapters() -> set[tuple[str, str]]:
    """(page, chapter): what the chapters' summaries say about the library."""
    found = set()
    for path in BOOK.glob("*.ipynb"):
        (summary,) = [
            cell.source
            for cell in nbformat.read(path, as_version=4).cells
            if cell.source.startswith("## Summary")
        ]
        summary = summary.partition("## What comes next")[0]
        (line,) = re.findall(r"^\*\*In the library:\*\* (.*)\.$", summary, re.MULTILINE)
        found |= {(page, path.name) for page in re.findall(r"\]\(api/(\S+?\.md)\)", line)}
    return found


def test_chapters_and_reference_point_at_each_other():
    assert chapters_of_pages() == pages_of_chapters()
    assert {chapter for _, chapter in pages_of_chapters()} == {
        path.name for path in BOOK.glob("*.ipynb")
    }
    # The index, and two rooms that all chapters use, name no chapter of their own.
    assert {page for page, _ in chapters_of_pages()} == {page.name for page in PAGES} - {
        "index.md",
        "plots.md",
        "exercises.md",
    }


# --- glossary, index of symbols, references -------------------------------------------------


def page_text(name: str) -> str:
    """The prose of a page or chapter."""
    path = BOOK / name
    if path.suffix == ".md":
        return path.read_text(encoding="utf-8")
    return "\n".join(
        cell.source
        for cell in nbformat.read(path, as_version=4).cells
        if cell.cell_type == "markdown"
    )


LINKED = re.compile(r"\]\(([\w]+\.(?:ipynb|md))\)")


def glossary_entries(text: str) -> dict[str, str]:
    """Term -> what the glossary says about it."""
    (body,) = re.findall(r"```\{glossary\}\n:sorted:\n\n(.*?)```", text, re.DOTALL)
    return dict(entry.split("\n", 1) for entry in body.strip().split("\n\n"))


def untaught(term: str, said: str) -> list[str]:
    """Chapters that a term's entry names and that do not use the word."""
    stem = term.lower()[:-1]  # also "cross-entropies", "parameters"
    return (
        [name for name in LINKED.findall(said) if stem not in page_text(name).lower()]
        if LINKED.search(said)
        else ["no chapter"]
    )


def test_glossary_names_the_chapters_that_teach_a_term():
    terms = glossary_entries(page_text("glossary.md"))
    assert len(terms) > 50
    assert list(terms) == sorted(terms, key=str.lower)
    assert not {term: found for term, said in terms.items() if (found := untaught(term, said))}


def test_a_term_that_nobody_teaches_is_noticed():
    assert untaught("perplexity", "A word. [Chapter 1](01_why_cheaply.ipynb)") == [
        "01_why_cheaply.ipynb"
    ]
    assert untaught("convolution", "A word.") == ["no chapter"]


FORMULA = re.compile(
    r"\$\$(.+?)\$\$|(?<![\\$\w])\$(?!\d[^$]*\$\d)(?=\S)([^$\n]+?)(?<=\S)\$(?!\d)", re.DOTALL
)
GREEK = [
    "alpha",
    "beta",
    "gamma",
    "delta",
    "epsilon",
    "eta",
    "theta",
    "lambda",
    "mu",
    "pi",
    "rho",
    "sigma",
    "tau",
    "phi",
    "omega",
]


def symbols_in(tex: str) -> set[str]:
    """The letters of a formula, with their subscripts: ``c``, ``c_in``, ``sigma``."""
    tex = re.sub(r"\}_\{\\text\{[^}]*\}\}", "}", tex)  # words under a brace
    found = {
        f"{letter}_{index}" for letter, index in re.findall(r"([A-Za-z])_\\text\{(\w+)\}", tex)
    }
    tex = re.sub(r"[A-Za-z]_\\text\{\w+\}", " ", tex)
    tex = re.sub(r"\\text\{[^}]*\}", " ", tex)
    found |= {name for name in re.findall(r"\\([a-z]+)", tex) if name in GREEK}
    return found | set(re.findall(r"[A-Za-z]", re.sub(r"\\[A-Za-z]+", " ", tex)))


def symbols_of(text: str) -> set[str]:
    """The symbols of all formulas in a text, outside of code."""
    text = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
    return set().union(
        *(symbols_in(display or inline) for display, inline in FORMULA.findall(text)), set()
    )


def index_of_symbols(text: str) -> list[tuple[str, str]]:
    """(symbol, file of its chapter) of each line of the first table."""
    rows = re.findall(r"^\| \$(.+?)\$ \|.*\]\((\S+)\) \|$", text, re.MULTILINE)
    return [(next(iter(symbols_in(tex))), chapter) for tex, chapter in rows]


def chapters() -> list[str]:
    """The notebooks in the order of the book."""
    names = [Path(file).name for file in contents()]
    return [f"{name}.ipynb" for name in names if (BOOK / f"{name}.ipynb").is_file()]


@pytest.mark.parametrize(
    "tex, symbols",
    [
        (r"r < \frac{k^2 c\,m}{c + k^2 m} .", {"r", "k", "c", "m"}),
        (r"\underbrace{H \cdot W}_{\text{pixels}} \cdot c_\text{in}", {"H", "W", "c_in"}),
        (r"\text{multiply-adds} = L_\text{4a} + \tfrac{1}{2}\sigma^2", {"L_4a", "sigma"}),
        (r"\ln 10 \approx 2.30", set()),
    ],
)
def test_symbols_are_read(tex, symbols):
    assert symbols_in(tex) == symbols


def test_formulas_are_found_outside_of_code_and_prices():
    assert symbols_of("Costs $5 and $6, `$q$`, but $k^2$\n$$\nz = 1\n$$\n```\n$y$\n```") == {
        "k",
        "z",
    }


def test_every_symbol_is_in_the_index():
    index = index_of_symbols(page_text("symbols.md"))
    used = {name: symbols_of(page_text(name)) for name in chapters()}
    assert set().union(*used.values()) == {symbol for symbol, _ in index}
    assert not [(symbol, name) for symbol, name in index if symbol not in used[name]]
    first = {
        symbol: next(name for name in chapters() if symbol in used[name]) for symbol, _ in index
    }
    assert not {symbol: name for symbol, name in first.items() if (symbol, name) not in index}


DOI = re.compile(r"10\.\d{4,}/\S+")
ARXIV = re.compile(r"\d{4}\.\d{4,5}")


def without_address(entry) -> bool:
    """Whether a bibliography's entry has neither a DOI nor an arXiv number."""
    return not (
        DOI.fullmatch(entry.fields.get("doi", ""))
        or ARXIV.fullmatch(entry.fields.get("eprint", ""))
    )


def test_every_reference_has_an_address_and_is_cited():
    entries = parse_file(BOOK / "references.bib").entries
    assert not [key for key, entry in entries.items() if without_address(entry)]
    cited = re.findall(
        r"\{cite\}`([\w,]+)`",
        "\n".join(path.read_text(encoding="utf-8") for path in BOOK.glob("*.md")),
    )
    assert set(entries) == {key for keys in cited for key in keys.split(",")}


def test_a_reference_without_an_address_is_noticed():
    (entry,) = parse_string("@misc{a, title = {A}, doi = {see the web}}", "bibtex").entries.values()
    assert without_address(entry)


def test_papers_that_chapters_link_to_are_in_the_references():
    text = "\n".join(page_text(path.name) for path in BOOK.glob("*.ipynb"))
    linked = set(re.findall(r"https://arxiv\.org/abs/(\d{4}\.\d{4,5})", text))
    known = {
        entry.fields.get("eprint") for entry in parse_file(BOOK / "references.bib").entries.values()
    }
    assert linked and not linked - known


# --- inventories -------------------------------------------------------------------------

LINE = re.compile(r"^(\S+) py:(class|function|exception|data) 1 (\S+) -$")


def configuration() -> dict:
    return yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["sphinx"]["config"]


def test_inventories_are_what_the_list_says():
    assert {path.stem for path in INVENTORIES.glob("*.inv")} == set(read_entries())
    for title, project in read_entries().items():
        content = (INVENTORIES / f"{title}.inv").read_bytes()
        assert content == inventory(title, project), "run python tools/write_inventories.py"
        head, body = content.split(b"using zlib.\n")
        assert head.startswith(b"# Sphinx inventory version 2\n")
        lines = zlib.decompress(body).decode().splitlines()
        assert lines and all(LINE.match(line) for line in lines)


def test_configuration_names_every_inventory_and_its_address():
    expected = {
        title: [project["address"], f"book/_inv/{title}.inv"]
        for title, project in read_entries().items()
    }
    assert configuration()["intersphinx_mapping"] == expected


def test_what_the_inventories_name_exists():
    for project in read_entries().values():
        for name, _, _ in entries(project):
            module, _, attribute = name.rpartition(".")
            assert (
                hasattr(import_module(module), attribute)
                if module
                else hasattr(builtins, name) or name == "None"
            ), name


# --- the built pages ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def api_pages(whole_book):
    """The built pages of the reference, by name."""
    folder = whole_book[0] / "book/api"
    return {
        path.stem: BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        for path in folder.glob("*.html")
    }


def test_every_entry_of_the_inventories_is_used(api_pages):
    links = {
        link["href"] for page in api_pages.values() for link in page.select("a.reference.external")
    }
    addresses = {
        project["address"] + place
        for project in read_entries().values()
        for _, _, place in entries(project)
    }
    assert sorted(addresses - links) == [], "book/_inv/entries.toml has what no page links to"


def test_every_shown_name_has_its_place(api_pages):
    assert set(api_pages) == {page.stem for page in PAGES}
    places = {element["id"] for page in api_pages.values() for element in page.select("dt.sig[id]")}
    assert not set(shown()) - places


def test_examples_are_coloured_and_sections_are_set(api_pages):
    for name, page in api_pages.items():
        text = page.find("article").get_text()
        assert (
            not re.search(
                r"^\s*(Args|Returns|Raises|Example|Shape):\s*$(?!\n*\S)", text, re.MULTILINE
            )
            or "Args:" not in text
        ), name
        assert not re.search(r"\bArgs:|\bExample:", text), name
        for block in page.select("dd .highlight"):
            assert ">>>" in block.get_text() and block.select("span.gp"), name


def test_names_stand_in_the_general_index(whole_book):
    page = BeautifulSoup(
        (whole_book[0] / "genindex.html").read_text(encoding="utf-8"), "html.parser"
    )
    links = [str(link["href"]) for link in page.select("table.indextable a")]
    targets = {link.partition("#")[2] for link in links}
    assert not set(shown()) - targets


def test_a_path_is_named_alike_in_every_python():
    """Python 3.13 says pathlib._local.Path, which no inventory knows; the build then fails."""
    python_3_13 = ("(folder: str | ~pathlib._local.Path = 'results')", None)
    assert public_path(None, "function", "gnet_lib.read_record", None, None, *python_3_13) == (
        "(folder: str | ~pathlib.Path = 'results')",
        None,
    )
