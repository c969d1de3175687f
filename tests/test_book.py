"""The built book: it builds from nothing without a warning, and its pages are whole.

Each check of a page is a function that returns complaints, and is tried on a spoilt page.
"""

import os
import re
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup, Tag
from bs4.element import NavigableString
from built_book import contents
from conftest import ROOT
from repository import PLACEHOLDER, current

BUILD_LIMIT_SECONDS = 30
CODE = {"script", "style", "pre", "code", "svg"}
MATHJAX = (ROOT / "book/_static/mathjax/tex-chtml.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def html(whole_book):
    return whole_book[0]


@pytest.fixture(scope="module")
def pages(html):
    """Every page of the book, parsed, by its path below the folder of pages."""
    return {
        str(path.relative_to(html)): BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        for path in sorted(html.rglob("*.html"))
        if "_static" not in path.parts
    }


# --- checks of one page ---------------------------------------------------------------

# Elements whose address the browser fetches by itself when it opens the page.
FETCHED = (
    ("script", "src"),
    ("img", "src"),
    ("iframe", "src"),
    ("source", "src"),
    ("video", "src"),
    ("embed", "src"),
    ("object", "data"),
)
FETCHED_LINKS = {
    "stylesheet",
    "icon",
    "shortcut icon",
    "preload",
    "prefetch",
    "preconnect",
    "dns-prefetch",
    "modulepreload",
    "manifest",
}


def is_elsewhere(address):
    """Whether an address names a host (data: addresses and relative paths do not)."""
    return bool(re.match(r"(https?:|wss?:)?//", address.strip()))


def requests_elsewhere(page):
    """What the page would fetch from another host on its own."""
    found = [
        element[name]
        for tag, name in FETCHED
        for element in page.find_all(tag)
        if is_elsewhere(element.get(name) or "")
    ]
    for link in page.find_all("link", href=True):
        if " ".join(link.get("rel", [])) in FETCHED_LINKS and is_elsewhere(link["href"]):
            found.append(link["href"])
    styles = [style.get_text() for style in page.find_all("style")] + [
        element["style"] for element in page.find_all(style=True)
    ]
    return found + [address for style in styles for address in style_requests(style)]


def style_requests(css):
    """What a style sheet fetches from another host: url(...), @import, fonts."""
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    addresses = re.findall(r"""url\(\s*["']?([^"')]+)""", css) + re.findall(
        r"""@import\s+["']([^"']+)""", css
    )
    return [address for address in addresses if is_elsewhere(address)]


def traces_of_thebe(page):
    """Scripts that our extension takes out."""
    return [
        str(script)[:80]
        for script in page.find_all("script")
        if re.search("thebe|kernelName", str(script), re.IGNORECASE)
    ]


def pictures_without_words(page):
    """Pictures in the text whose alternative text is missing, a path or a file's name."""
    article = page.find("article") or page
    texts = [image.get("alt", "").strip() for image in article.find_all("img")]
    return [
        text or "(none)"
        for text in texts
        if len(text.split()) < 3 or re.search(r"_images|\.(png|svg|jpe?g)$", text)
    ]


def readable_text(element):
    """An element's text as a reader sees it, without code and mathematics."""
    texts = []
    for child in element.children:
        if type(child) is NavigableString:
            texts.append(child)
        elif isinstance(child, Tag) and not is_code_or_mathematics(child):
            texts.append(readable_text(child))
    return "".join(texts)


def is_code_or_mathematics(element):
    """Whether Markdown's own signs may stand in an element."""
    return element.name in CODE or "math" in element.get("class", [])


def raw_markup(page):
    """Mathematics, roles or Markdown that reached the reader unrendered."""
    text = readable_text(page.find("article") or page)
    patterns = (
        r"\$[A-Za-z\\][^$\n]{0,80}\$",
        r"\$\$",
        r"\\(?:frac|times|text|begin|cdot)\b",
        r"\{[a-z]+(?::[a-z]+)?\}",
        r"\*\*[^*\n]+\*\*",
        r"^:{3,}",
        r"```",
    )
    return [found[0] for pattern in patterns for found in re.finditer(pattern, text, re.MULTILINE)]


def empty_numbers(page):
    """Cells and outputs that say nan."""
    cells = [cell.get_text().strip() for cell in page.find_all("td")]
    outputs = [output.get_text() for output in page.select(".cell_output")]
    return [text for text in cells if text.lower() in ("nan", "nat")] + [
        found for text in outputs for found in re.findall(r"\bnan\b", text, re.IGNORECASE)
    ]


def autoloaded_macros():
    """Macros that MathJax would fetch from a file that we do not carry along."""
    (table,) = re.findall(r"autoload:\(0,\w+\.expandable\)\(\{(.*?)\}\)", MATHJAX)
    return set(re.findall(r'"(\w+)"', table)) | set(re.findall(r"(\w+):\[\"\1\"", table))


def unknown_mathematics(page):
    """TeX macros and environments that our MathJax prints in red instead of setting them."""
    tex = " ".join(element.get_text() for element in page.select(".math"))
    names = set(re.findall(r"\\([A-Za-z]+)", tex)) | set(
        re.findall(r"\\begin\{([A-Za-z]+)\*?\}", tex)
    )
    return sorted(
        name
        for name in names
        if name in autoloaded_macros() or not re.search(rf'[{{,]"?(?:\\\\)?{name}"?:', MATHJAX)
    )


def elsewhere_repository(page):
    """Links to jupyter-book's own repository, or to nobody's, instead of ours."""
    wrong = ["executablebooks"] + (
        [f"github.com/{PLACEHOLDER}"] if current() == PLACEHOLDER else []
    )
    return [
        link["href"]
        for link in page.find_all("a", href=True)
        if any(word in link["href"] for word in wrong)
    ]


CHECKS = [
    requests_elsewhere,
    traces_of_thebe,
    pictures_without_words,
    raw_markup,
    empty_numbers,
    unknown_mathematics,
    elsewhere_repository,
]


# --- the book -------------------------------------------------------------------------


def test_every_page_is_there(pages):
    assert set(pages) >= {f"{name}.html" for name in contents()} | {"index.html", "search.html"}


def test_the_bare_address_leads_to_the_first_page_and_has_an_icon(html, pages):
    door, first = pages["index.html"], f"{contents()[0]}.html"
    assert door.select_one("meta[http-equiv=refresh]")["content"] == f"0; url={first}"
    assert [link["href"] for link in door.select("p a")] == [first]
    assert door.title.text == pages[first].title.text.split(" — ")[0]
    # Without one a browser asks for /favicon.ico, which is not there.
    assert (html / door.select_one("link[rel=icon]")["href"]).is_file()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_pages(pages, check):
    complaints = {name: check(page) for name, page in pages.items()}
    assert not {name: found for name, found in complaints.items() if found}


def test_style_sheets_ask_no_other_host(html):
    sheets = list(html.rglob("*.css"))
    assert sheets
    assert not {
        sheet.name: found
        for sheet in sheets
        if (found := style_requests(sheet.read_text(encoding="utf-8")))
    }


def test_links_and_files_of_pages_exist(html, pages):
    places = {
        name: {element["id"] for element in page.find_all(id=True)} for name, page in pages.items()
    }
    missing = []
    for name, page in pages.items():
        elements = page.find_all(href=True) + page.find_all(src=True)
        for address in {element.get("href") or element["src"] for element in elements}:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            path = (html / name).parent / unquote(parts.path) if parts.path else html / name
            there = places.get(os.path.relpath(path, html))
            # "#" alone is the top; the theme's buttons use it.
            lost = there is not None and parts.fragment and unquote(parts.fragment) not in there
            if lost or not path.exists():
                missing.append(f"{name}: {address}")
    assert not missing


def test_mathematics_has_its_script_and_fonts(html, pages):
    scripts = {
        script["src"].partition("?")[0]
        for page in pages.values()
        for script in page.find_all("script", src=True)
        if "mathjax" in script["src"]
    }
    assert scripts == {"../_static/mathjax/tex-chtml.js"}
    fonts = html / "_static/mathjax/output/chtml/fonts/woff-v2"
    named = set(re.findall(r"%%URL%%/(MathJax_[\w-]+\.woff)", MATHJAX))
    assert named and not {name for name in named if not (fonts / name).is_file()}


def test_thebe_is_not_copied_either(html):
    assert not list((html / "_static").rglob("*thebe*"))


def test_build_is_fast(whole_book):
    assert whole_book[1] < BUILD_LIMIT_SECONDS, (
        f"the build took {whole_book[1]:.0f} processor seconds"
    )


# --- each check must be able to complain ----------------------------------------------

# Each fault gives one complaint.
SPOILT = {
    requests_elsewhere: [
        '<script src="https://cdn.example.org/mathjax.js"></script>',
        '<script src="//cdn.example.org/mathjax.js"></script>',
        '<link rel="stylesheet" href="https://fonts.example.org/a.css">',
        '<link rel="preload" href="https://fonts.example.org/a.woff2">',
        '<img src="https://img.example.org/badge.svg" alt="a badge of ours">',
        "<style>@import 'https://fonts.example.org/a.css';</style>",
        '<p style="background: url(https://img.example.org/a.png)"></p>',
    ],
    traces_of_thebe: [
        '<script async="async" src="_static/sphinx-thebe.js"></script>',
        "<script>kernelName = 'python3'</script>",
    ],
    pictures_without_words: [
        '<img src="a.svg">',
        '<img src="a.svg" alt="../_images/a.svg">',
        '<img src="a.svg" alt="Figure">',
    ],
    raw_markup: [
        "<p>costs $k^2$ times</p>",
        "<summary>\\frac{1}{2}</summary>",
        "<p>see {numref}<code>fig</code></p>",
        "<p>**Predict.** How many?</p>",
    ],
    empty_numbers: [
        "<table><tr><td>NaN</td></tr></table>",
        '<div class="cell_output"><pre>loss nan</pre></div>',
    ],
    unknown_mathematics: [
        '<span class="math">\\(\\multiplyadds\\)</span>',
        '<span class="math">\\(\\cancel{x}\\)</span>',
        '<div class="math">\\begin{equations}x\\end{equations}</div>',
    ],
    elsewhere_repository: ['<a href="https://mybinder.org/v2/gh/executablebooks/jupyter-book/a">'],
}

SOUND = """
<article><p>It costs $5 and $6, <code>{numref}</code>, see
<a href="https://arxiv.org/abs/1409.4842">the paper</a>.</p>
<img src="a.svg" alt="Four bars, one for each path."><table><tr><td>1</td></tr></table>
<div class="math">
\\[\\begin{aligned} M &amp;= H \\, W \\times \\frac{k^2}{2} \\cdot C_\\text{in} \\end{aligned}\\]
</div></article>
"""


def test_sound_page_has_no_fault():
    page = BeautifulSoup(SOUND, "html.parser")
    assert not {check.__name__: found for check in CHECKS if (found := check(page))}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_check_notices(check):
    faults = SPOILT[check]
    assert len(check(BeautifulSoup("".join(faults), "html.parser"))) == len(faults)
