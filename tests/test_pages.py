"""Every page of the built book in a real browser: wide and narrow, light and dark.

What stands in the files (links, alternative texts) is checked in test_book.py; here is what only
a browser sees. The checks are the functions of page_checks.js and axe-core; each is tried on a
spoilt page. For the figures of all pages: python -m pytest tests/test_pages.py -s
"""

import io
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from browser import Visit, serving
from built_book import contents
from PIL import Image, ImageStat
from playwright.sync_api import TimeoutError

CHECKS = (Path(__file__).parent / "page_checks.js").read_text(encoding="utf-8")
ONCE = (
    "pictures",
    "fonts",
    "icons",
    "formulas",
    "markup",
    "headings",
    "tables",
    "numbers",
    "outputs",
)
EACH_LOOK = ("sideways", "figures")
WEIGHT_LIMIT = 1_500_000  # bytes of a page and its own pictures
PREPARE_LIMIT = 20_000  # milliseconds for mathematics, icons and charts

# axe-core looks for what WCAG 2.1 A and AA ask, and for what is good practice besides. Without
# preload: it would fetch the style sheets once more, and from wrong places.
AXE_CORE = Axe().axe_script
AXE = {"resultTypes": ["violations"], "preload": False}
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
STRUCTURE = {**AXE, "runOnly": STANDARDS, "rules": {"color-contrast": {"enabled": False}}}
LINKS = {**AXE, "runOnly": {"type": "rule", "values": ["link-in-text-block"]}}
CONTRAST = {**AXE, "runOnly": {"type": "rule", "values": ["color-contrast"]}}

# Width of the window in pixels, dark, what axe-core looks for beside contrast: the mode changes
# colours only, the width everything else.
LOOKS = [(1280, False, STRUCTURE), (1280, True, LINKS), (390, True, STRUCTURE)]


@dataclass
class Seen:
    """What came out when a page was looked at."""

    name: str
    complaints: list[str]
    outside: int
    findings: int
    weight: int


# --- looking at a page ----------------------------------------------------------------


def check(page, *names):
    """The complaints of some of our own checks."""
    return [complaint for name in names for complaint in page.evaluate(f"pageChecks.{name}()")]


def violations(page, options, where="document"):
    """The findings of axe-core, of any impact, one for each element."""
    run = f"async (options) => (await axe.run({where}, options)).violations"
    return [
        f"axe: {rule['id']} ({rule['impact']}): {node['html'][:120]}"
        for rule in page.evaluate(run, options)
        for node in rule["nodes"]
    ]


def contrast(page, judged):
    """The findings about texts whose look is none of those judged before, which are remembered."""
    looks = page.evaluate("(judged) => pageChecks.keepNewLooks(judged)", list(judged))
    judged.update(looks)
    return violations(page, CONTRAST, "{include: pageChecks.newTexts}") if looks else []


def bring_checks(page):
    """Load our own checks and axe-core into a page."""
    page.evaluate(f"void (window.pageChecks = {CHECKS})")
    page.evaluate(AXE_CORE)


def prepare(page):
    """Open every fold and wait for what scripts make; what is late, the checks complain of."""
    bring_checks(page)
    page.evaluate("pageChecks.unfold()")
    page.evaluate("pageChecks.thinOut()")
    with suppress(TimeoutError):
        page.wait_for_function("pageChecks.ready()", timeout=PREPARE_LIMIT)


def own_weight(html, visit):
    """Bytes of the page and its pictures, without what all pages share."""
    paths = {urlsplit(address).path.lstrip("/") for address in visit.loaded}
    return sum(
        (html / path).stat().st_size
        for path in paths
        if not path.startswith("_static/") and path != "searchindex.js" and (html / path).is_file()
    )


def look_at(visit, html, address, judged):
    """Open a page once and look at it in every way.

    Args:
        visit: the window.
        html: the folder that the address shows.
        address: of the page.
        judged: the looks of texts whose contrast was judged before; grows.
    """
    visit.resize(*LOOKS[0][:2])
    visit.open(address)
    prepare(visit.page)
    complaints, findings = check(visit.page, *ONCE), 0
    for width, dark, options in LOOKS:
        visit.look(width, dark)
        found = violations(visit.page, options) + contrast(visit.page, judged)
        findings += len(found)
        where = f"[{width} pixels, {'dark' if dark else 'light'}]"
        seen_here = check(visit.page, *EACH_LOOK) + found
        complaints += [f"{where} {complaint}" for complaint in seen_here]
    complaints += visit.complaints()
    weight = own_weight(html, visit)
    if weight > WEIGHT_LIMIT:
        complaints.append(f"weighs {weight:,} bytes")
    return Seen(urlsplit(address).path, complaints, len(visit.outside), findings, weight)


# --- the book -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def html(whole_book):
    return whole_book[0]


@pytest.fixture(scope="module")
def address(html):
    with serving(html) as where:
        yield where


@pytest.fixture(scope="module")
def reader(chromium):
    """One window for all pages, so that the browser keeps what they share."""
    visit = Visit(chromium, "about:blank", calm=True)
    yield visit
    visit.close()


@pytest.fixture(scope="module")
def judged():
    """The looks of texts whose contrast was judged on one of the pages before."""
    return set()


@pytest.fixture(scope="module")
def report():
    """Collects what was seen; printed at the end for who asks (-s)."""
    seen: list[Seen] = []
    yield seen
    print("\n\n      bytes  outside requests  axe findings  page")
    for page in seen:
        print(f"{page.weight:>11,}  {page.outside:>16}  {page.findings:>12}  {page.name}")


@pytest.mark.parametrize("name", contents())
def test_page(reader, html, address, judged, report, name):
    seen = look_at(reader, html, f"{address}/{name}.html", judged)
    report.append(seen)
    assert seen.complaints == []


def test_pages_that_are_in_no_contents(reader, html, address, judged, report):
    """The search, the index, whatever else the builder adds; of the library's code the longest."""
    built = [path for path in html.rglob("*.html") if "_static" not in path.parts]
    code = [path for path in built if path.is_relative_to(html / "_modules/gnet_lib")]
    longest = max(code, key=lambda path: path.stat().st_size)
    names = {str(path.relative_to(html)) for path in {*built} - {*code} | {longest}}
    others = sorted(names - {f"{name}.html" for name in contents()} - {"index.html"})
    assert {"search.html", "genindex.html"} <= set(others)
    seen = [look_at(reader, html, f"{address}/{name}", judged) for name in others]
    report.extend(seen)
    assert not {page.name: page.complaints for page in seen if page.complaints}


def test_front_door_leads_to_the_first_page(reader, address):
    reader.open(f"{address}/index.html")
    reader.page.wait_for_url(f"{address}/{contents()[0]}.html")
    assert reader.complaints() == []


# --- search ---------------------------------------------------------------------------


def search(visit, address, words):
    """Search as a reader does, from the first page; gives the links that were found."""
    visit.resize(1280, dark=False)
    visit.open(f"{address}/{contents()[0]}.html")
    visit.page.keyboard.press("Control+k")
    visit.page.locator("#pst-search-dialog input").fill(words)
    visit.page.keyboard.press("Enter")
    visit.page.wait_for_url("**/search.html**")
    visit.page.wait_for_function(
        """/(finished|did not match|matching)/
        .test(document.querySelector("#search-results").textContent)"""
    )
    assert visit.complaints() == []
    found = visit.page.locator("#search-results li a")
    return found.evaluate_all("links => links.map(link => link.href)")


def test_search_finds_the_chapter(reader, address):
    first = search(reader, address, "auxiliary classifier")[:3]
    assert any("06_auxiliary_classifiers.html" in link for link in first), first
    reader.open(first[0])
    assert reader.page.locator("h1").count() and reader.complaints() == []


def test_search_for_what_is_not_there(reader, address):
    assert search(reader, address, "hippopotamus") == []


# --- keyboard -------------------------------------------------------------------------

# What has the focus, and whether one sees it: its looks, or those of a part of it, change with it.
ACTIVE = """() => {
    const properties = [
        "outlineStyle", "outlineWidth", "boxShadow", "backgroundColor", "borderColor",
        "textDecorationLine",
    ];
    const look = (part) => properties.map((name) => getComputedStyle(part)[name]);
    const looks = (element) => [element, ...element.children].flatMap(look).join();
    const element = document.activeElement, with_focus = looks(element);
    element.blur();
    const without = looks(element);
    element.focus();
    const {textContent, ariaLabel, title, name} = element;
    const text = (textContent.trim() || ariaLabel || title || name || "").slice(0, 40);
    return {text, in_main: Boolean(element.closest("main")), visible: with_focus !== without};
}"""


@pytest.fixture
def chapter(reader, address):
    """A chapter with folds, wide tables and code, on a phone's width."""
    reader.resize(390, dark=False)
    reader.open(f"{address}/book/05_googlenet.html")
    yield reader
    assert reader.complaints() == []


def test_skip_link_leads_to_the_text(chapter):
    chapter.page.keyboard.press("Tab")
    assert chapter.page.evaluate(ACTIVE)["text"] == "Skip to main content"
    assert chapter.page.evaluate("document.activeElement.getBoundingClientRect().top") >= 0
    chapter.page.keyboard.press("Enter")
    chapter.page.keyboard.press("Tab")
    assert chapter.page.evaluate(ACTIVE)["in_main"]


@pytest.mark.parametrize("width", [1280, 390])
def test_focus_is_visible(chapter, width):
    chapter.resize(width, dark=False)
    stops = []
    for _ in range(60):
        chapter.page.keyboard.press("Tab")
        stops.append(chapter.page.evaluate(ACTIVE))
    assert len({stop["text"] for stop in stops}) > 20
    assert not [stop for stop in stops if not stop["visible"]]


def test_folds_open_with_the_keyboard(chapter):
    folds = chapter.page.locator("article details")
    assert folds.count() > 0
    for index in range(folds.count()):
        folds.nth(index).locator("> summary").focus()
        chapter.page.keyboard.press("Enter")
        assert folds.nth(index).evaluate("fold => fold.open")


def test_boxes_scroll_with_the_keyboard(chapter):
    boxes = chapter.page.locator("article .output.text_html[tabindex='0']")
    boxes.first.wait_for()
    boxes.first.focus()
    for _ in range(3):
        chapter.page.keyboard.press("ArrowRight")
    chapter.page.wait_for_function("document.activeElement.scrollLeft > 0")


# --- figures in the dark --------------------------------------------------------------


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_diagrams_follow_the_mode(reader, address, dark):
    reader.resize(1280, dark)
    reader.open(f"{address}/book/04_reduced_module.html")
    for figure in reader.page.locator("article img[src$='.svg']").all():
        picture = Image.open(io.BytesIO(figure.screenshot())).convert("L")
        mean = ImageStat.Stat(picture).mean[0]
        assert mean < 90 if dark else mean > 180


# --- each check must be able to complain ----------------------------------------------

# Each fault gives one complaint.
SPOILT = {
    "pictures": ['<img src="data:image/png;base64,AAAA" alt="A picture">'],
    "fonts": [
        "<style>@font-face { font-family: Nowhere; src: url(data:font/woff2;base64,AAAA); } "
        "p { font-family: Nowhere; }</style><p>Text</p>"
    ],
    "icons": ['<button><i class="fa-solid fa-list"></i></button>'],
    "formulas": [
        '<span class="math">\\(x\\)</span>',
        "<mjx-container><mjx-merror>Undefined control sequence</mjx-merror></mjx-container>",
        '<mjx-container><mjx-mtext style="color: red">\\multiply</mjx-mtext></mjx-container>',
    ],
    "markup": [
        "<p>It costs $k^2$ times as much.</p>",
        "<p>It costs \\(k^2\\) times as much.</p>",
        "<p>**Predict.** How many?</p>",
        "<p>See {ref}<code>here</code>.</p>",
        "<p>:::{note}</p>",
        "<p>See [the paper](https://arxiv.org/abs/1409.4842).</p>",
    ],
    "headings": ["<main><h1>One</h1><h1>Two</h1>", "<h3>Three</h3></main>"],
    "tables": ["<table><tr><td>1</td></tr></table>"],
    "numbers": [
        "<table><thead><tr><th>n</th></tr></thead><tr><td>1</td></tr><tr><td>20</td></tr></table>",
        '<table><tr><th>n</th></tr><tr><td style="text-align: right">163696</td></tr></table>',
    ],
    "outputs": [f'<div class="cell_output"><pre>{"line<br>" * 60}</pre></div>'],
    "sideways": ['<div style="overflow: hidden"><p style="width: 600px">Cut off</p></div>'],
    "figures": [
        '<div style="overflow-x: auto"><img style="width: 600px" alt="A picture" '
        "src=\"data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'/>\"></div>"
    ],
}

SOUND = """<main><article><h1>Title</h1><h2>Part</h2>
<p>It costs $5, <code>**kwargs</code> and
<span class="math"><mjx-container>x</mjx-container></span>.</p>
<i class="fa-solid"><svg></svg></i><div class="cell_output"><pre>short</pre></div>
<div style="overflow-x: auto" tabindex="0"><table style="width: 600px">
<thead><tr><td></td><th>parameters</th><th>name</th></tr></thead>
<tbody><tr><td>1</td><td style="text-align: right">163,696</td><td>conv1</td></tr></tbody>
</table></div>
<img alt="A picture"
src="data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' width='40' height='40'/>">
</article></main>"""


@pytest.fixture(scope="module")
def blank(chromium):
    """A narrow window for made-up pages."""
    visit = Visit(chromium, "about:blank", width=390, calm=True)
    yield visit.page
    visit.close()


def show(page, body):
    head = '<!DOCTYPE html><html lang="en"><head><title>A page</title></head>'
    page.set_content(f"{head}<body>{body}</body></html>")
    bring_checks(page)


def test_sound_page_has_no_fault(blank):
    show(blank, SOUND)
    assert (
        check(blank, *ONCE, *EACH_LOOK) + violations(blank, STRUCTURE) + contrast(blank, set())
        == []
    )


@pytest.mark.parametrize("name", [*ONCE, *EACH_LOOK])
def test_check_notices(blank, name):
    show(blank, "".join(SPOILT[name]))
    blank.evaluate("document.fonts.ready")
    assert len(check(blank, name)) == len(SPOILT[name])


def test_axe_notices(blank):
    show(blank, SOUND + '<main><p style="color: #999">Pale</p><img src="x.png"></main>')
    found = violations(blank, STRUCTURE) + contrast(blank, set())
    assert {finding.split()[1] for finding in found} >= {
        "color-contrast",
        "image-alt",
        "landmark-no-duplicate-main",
    }


def test_contrast_is_judged_once_for_each_look(blank):
    """Also of code, of which pages hold too much to look through it whole."""
    code = '<span class="n">name</span> <span class="k">def</span> ' * 5
    texts = "<p>Pale</p><p>Pale</p>"
    style = ".n { color: #bbb; } div.grey { background: #999; } p { color: #888; }"
    body = f'<div class="highlight"><pre>{code}</pre></div>{texts}<div class="grey">{texts}</div>'
    show(blank, f"<style>{style}</style><main>{body}</main>")
    prepare(blank)
    assert blank.locator(".highlight span").count() == 2
    judged = set()
    found = [finding.rpartition(": ")[2] for finding in contrast(blank, judged)]
    assert sorted(found) == ["<p>Pale</p>", "<p>Pale</p>", '<span class="n">name</span>']
    assert contrast(blank, judged) == []


def test_invisible_focus_is_noticed(blank):
    for style, visible in (("", True), ("a:focus { outline: none; }", False)):
        show(blank, f'<style>{style}</style><a href="#x">A link</a>')
        blank.keyboard.press("Tab")
        assert blank.evaluate(ACTIVE) == {"text": "A link", "in_main": False, "visible": visible}


def test_spoilt_page_is_noticed(reader, html, tmp_path):
    """A real page of the book with everything wrong that the network and the scripts can do."""
    (tmp_path / "_static").symlink_to(html / "_static")
    (tmp_path / "book").mkdir()
    page = (html / f"{contents()[0]}.html").read_text(encoding="utf-8")
    faults = (
        '<img src="https://img.example.org/badge.svg" alt="A badge of ours">'
        '<img src="../none.png" alt="Not there at all">'
        '<script>throw new Error("a script broke")</script><button></button>'
        f'<p style="width: 2000px">{"x" * WEIGHT_LIMIT}</p></article>'
    )
    (tmp_path / "book/page.html").write_text(page.replace("</article>", faults), encoding="utf-8")
    with serving(tmp_path) as address:
        seen = look_at(reader, tmp_path, f"{address}/book/page.html", set())
    complaints = "\n".join(seen.complaints)
    assert (seen.outside, seen.findings > 0, seen.weight > WEIGHT_LIMIT) == (1, True, True)
    for words in (
        "asked another host: https://img.example.org/badge.svg",
        "404",
        "a script broke",
        "picture not loaded",
        "wider than the window",
        "axe: button-name",
        "weighs 1,5",
    ):
        assert words in complaints, words
