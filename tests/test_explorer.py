"""The explorer in a real browser: its numbers are those of ``gnet_lib.cost``, whatever is set.

Its page is in the small book, which has the book's own settings, scripts and styles.
"""

import gzip
import io
import random
import re
import sys

import altair
import pytest
from browser import Visit
from bs4 import BeautifulSoup
from built_book import ANOTHER_START
from conftest import ROOT
from IPython.display import HTML
from PIL import Image, ImageStat
from printed_table import MODULES

from gnet_lib import WIDTHS, InceptionWidths, inception_cost, plots
from gnet_lib.design import NAIVE, REDUCED
from gnet_lib.explorer import (
    CELLS,
    LARGEST,
    WIDTH_BRANCHES,
    explorer_chart,
    formula,
    module_explorer,
)

DESIGNS = {"naive": NAIVE, "reduced": REDUCED}
BRANCHES = ("1x1", "3x3", "5x5", "pool")
MEASURES = ("multiply-adds", "parameters", "channels")
COMPRESSED_LIMIT = 1_000_000  # bytes that the explorer may add to a page


# --- truth from outside ---------------------------------------------------------------


def split(setting):
    """(in_channels, widths, size) of a setting."""
    widths = InceptionWidths(**{name: setting[name] for name in WIDTH_BRANCHES})
    return setting["in_channels"], widths, setting["size"]


def expected(setting):
    """(measure, module, row) -> number, from ``gnet_lib.cost`` and the definition of the output."""
    in_channels, widths, size = split(setting)
    convolved = {"1x1": widths.c1x1, "3x3": widths.c3x3, "5x5": widths.c5x5}
    pooled = {"naive": in_channels, "reduced": widths.pool_proj}
    numbers = {}
    for module, design in DESIGNS.items():
        costs = inception_cost(in_channels, widths, size, design)
        outputs = {**convolved, "pool": pooled[module]}
        for branch in BRANCHES:
            numbers["multiply-adds", module, branch] = costs[branch].multiply_adds
            numbers["parameters", module, branch] = costs[branch].parameters
            numbers["channels", module, branch] = outputs[branch]
        for measure in MEASURES:
            whole = sum(numbers[measure, module, branch] for branch in BRANCHES)
            numbers[measure, module, "module"] = whole
    return numbers


def setting_of(printed):
    """The setting of one of the paper's modules, as printed."""
    widths = {name: getattr(printed.widths, name) for name in WIDTH_BRANCHES}
    return {"in_channels": printed.in_channels, "size": printed.size, **widths}


PAPER = {printed.name: setting_of(printed) for printed in MODULES}


def random_settings(count, seed):
    """Settings anywhere on the sliders."""
    draw = random.Random(seed)
    return [
        {name: draw.randint(1, largest) for name, largest in LARGEST.items()} for _ in range(count)
    ]


def test_formulas_without_a_browser():
    for setting in [*PAPER.values(), *random_settings(300, seed=1)]:
        numbers = expected(setting)
        for measure, module, row in CELLS:
            if row != "module":
                text = formula(measure, DESIGNS[module], row)
                assert eval(text, dict(setting)) == numbers[measure, module, row]


# --- the page -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def book(small_book):
    """Where the pages with the explorer lie, and others without a chart."""
    return small_book / "book"


class Explorer(Visit):
    """A page with the explorer, with what a reader does on it."""

    def __init__(self, chromium, folder, **window):
        super().__init__(chromium, "about:blank", **window)
        self.folder = folder

    def start(self, name="explorer", *, width=1280, dark=False):
        """Open a page anew, in a window of this width."""
        self.resize(width, dark)
        self.open((self.folder / f"{name}.html").as_uri())
        self.page.wait_for_selector("#module-explorer svg")

    def slider(self, name):
        return self.page.locator(f"#module-explorer-sliders input[name={name}]")

    def choose(self, module):
        self.page.check(f"#module-explorer-presets input[value='{module}']")
        self.settle()

    def chosen(self):
        return self.page.locator("#module-explorer-presets input:checked").get_attribute("value")

    def move(self, setting):
        """Put every slider where it belongs, with the event that a hand would cause."""
        self.page.evaluate(
            """setting => { for (const [name, value] of Object.entries(setting)) {
            const slider = document.querySelector(`#module-explorer-sliders input[name=${name}]`);
            slider.value = value;
            slider.dispatchEvent(new Event("input", {bubbles: true}));
        } }""",
            setting,
        )
        self.settle()

    def settle(self):
        """Wait for the choice to follow, too (20 ms) and for the drawing of it."""
        self.page.evaluate("new Promise((done) => setTimeout(done, 40))")
        self.drawn()

    def drawn(self):
        """Wait for two frames: what was to be drawn when the first began is there by the second."""
        self.page.evaluate(
            "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )

    def setting(self):
        values = self.page.evaluate(
            """[...document.querySelectorAll("#module-explorer-sliders input")]
            .map((slider) => [slider.name, Number(slider.value)])"""
        )
        return dict(values)

    def text(self, *name):
        return self.page.locator(f"#module-explorer-{'-'.join(name)}").text_content()

    def numbers(self):
        """(measure, module, row) -> number, as the page's table shows them."""
        shown = dict(
            self.page.evaluate(
                """[...document.querySelectorAll(".module-explorer output")]
                .map((output) => [output.id, output.value])"""
            )
        )
        return {
            cell: int(shown["module-explorer-" + "-".join(cell)].replace(",", "")) for cell in CELLS
        }

    def cut(self):
        """Pixels by which the longest text leaves the chart on its right."""
        return self.page.evaluate("""() => {
            const right = (element) => element.getBoundingClientRect().right;
            const chart = document.querySelector('#module-explorer svg');
            return Math.max(...[...chart.querySelectorAll('text')].map(right)) - right(chart);
        }""")

    def labels(self):
        """The texts in the chart."""
        return self.page.locator("#module-explorer svg text").all_text_contents()

    def bars(self):
        """(width in pixels, fill, stroke) of every bar, in the order of the drawing."""
        return self.page.evaluate(
            """[...document.querySelectorAll("#module-explorer svg .mark-rect > path")].map((bar) =>
            [bar.getBBox().width, bar.getAttribute("fill"), bar.getAttribute("stroke")])"""
        )


@pytest.fixture(scope="module")
def window(chromium, book):
    """One window for all tests, so that the browser keeps the scripts that it has read."""
    explorer = Explorer(chromium, book)
    yield explorer
    explorer.close()


@pytest.fixture
def explorer(window):
    """The page, freshly opened; at the end nothing may have gone wrong on it."""
    window.start()
    yield window
    assert window.complaints() == []


def assert_shows(explorer, setting):
    """Sliders, table, line of code and labels in the chart all tell the same, true, numbers."""
    numbers = expected(setting)
    assert explorer.setting() == setting
    assert explorer.numbers() == numbers
    assert eval(explorer.text("code"), {"InceptionWidths": InceptionWidths}) == split(setting)[1]
    labels = explorer.labels()
    for module in DESIGNS:
        counts = [
            as_number(label.removesuffix(f" {module}"))
            for label in labels
            if label.endswith(f" {module}") and "=" not in label
        ]
        for count, measure in zip(counts, MEASURES, strict=True):
            wanted = numbers[measure, module, "module"]
            assert count == pytest.approx(wanted, rel=0.00501)  # three digits
    ratios = [float(label.split(" = ")[1].split(" × ")[0]) for label in labels if " = " in label]
    for ratio, measure in zip(ratios, MEASURES, strict=True):
        naive, reduced = (numbers[measure, module, "module"] for module in DESIGNS)
        assert ratio == pytest.approx(naive / reduced, abs=0.00501)


def as_number(label):
    """The number that a label in the chart stands for: '128 M' -> 128000000."""
    digits, _, unit = label.partition(" ")
    return float(digits) * {"": 1, "K": 1e3, "M": 1e6, "G": 1e9}[unit]


# --- numbers --------------------------------------------------------------------------


def test_starts_with_the_first_module(explorer):
    assert explorer.chosen() == "3a"
    assert_shows(explorer, PAPER["3a"])


def test_every_module_of_the_paper(explorer):
    for name in [*PAPER, *reversed(PAPER)]:
        explorer.choose(name)
        assert explorer.chosen() == name
        assert_shows(explorer, PAPER[name])


def test_random_settings(explorer):
    for setting in [*random_settings(20, seed=8), dict.fromkeys(LARGEST, 1), LARGEST]:
        explorer.move(setting)
        assert explorer.chosen() == "own"
        assert_shows(explorer, setting)
        assert explorer.cut() <= 0.5


def test_choice_follows_the_sliders_and_back(explorer):
    explorer.move(PAPER["4e"])
    assert explorer.chosen() == "4e"
    explorer.move(PAPER["4e"] | {"c5x5": 127})
    assert explorer.chosen() == "own"
    explorer.choose("4e")  # the module that was left comes back
    assert_shows(explorer, PAPER["4e"])
    explorer.choose("own")  # keeps what is set
    assert_shows(explorer, PAPER["4e"])


def test_sentence_follows_when_the_slider_rests(explorer):
    numbers = expected(PAPER["5b"])
    before = explorer.text("sentence")
    explorer.choose("5b")
    assert explorer.text("sentence") == before  # a screen reader is not interrupted at every step
    explorer.page.wait_for_timeout(500)
    naive, reduced = (f"{numbers['multiply-adds', module, 'module']:,}" for module in DESIGNS)
    sentence = explorer.text("sentence")
    assert f"naive module needs {naive} " in sentence and f"needs {reduced} " in sentence


@pytest.mark.parametrize("name", ["3a", "5b"])
def test_bars_are_to_scale(explorer, name):
    """Both modules share one scale; naive is outlined, reduced filled, in the house's colours."""
    explorer.choose(name)
    numbers, bars = expected(PAPER[name]), explorer.bars()
    one_by_one_then_whole = [*BRANCHES, *BRANCHES]
    rows: dict[str, list[str]] = dict.fromkeys(MEASURES, one_by_one_then_whole)
    rows["channels"] = [*BRANCHES]  # of the whole module only
    wanted = [
        (measure, module, branch)
        for module in DESIGNS
        for measure in MEASURES
        for branch in rows[measure]
    ]
    assert len(bars) == len(wanted) == 40
    for measure in MEASURES:
        mine = [
            (width, numbers[cell])
            for (width, _, _), cell in zip(bars, wanted, strict=True)
            if cell[0] == measure
        ]
        scale = max(width / value for width, value in mine if value)
        assert all(abs(width - scale * value) < 0.5 for width, value in mine)
    for (_, fill, stroke), (_, module, branch) in zip(bars, wanted, strict=True):
        colour = plots.COLOURS[branch]
        assert (stroke, fill) == (colour, "white" if module == "naive" else colour)


def test_says_where_a_reduction_costs_more(explorer):
    c, m = PAPER["3a"]["in_channels"], PAPER["3a"]["c3x3"]
    most = next(r for r in range(512, 0, -1) if c * r + 9 * r * m <= 9 * c * m)
    explorer.move({"c3x3_reduce": most})
    assert not [label for label in explorer.labels()[:30] if "(more)" in label and " M" in label]
    explorer.move({"c3x3_reduce": most + 1})
    assert [label for label in explorer.labels() if "(more)" in label and " M" in label] == [
        "174 M (more)"
    ]


# --- hands ----------------------------------------------------------------------------


def test_keyboard(explorer):
    explorer.slider("c3x3_reduce").focus()
    for key, value in (("ArrowRight", 97), ("ArrowLeft", 96), ("Home", 1), ("End", 512)):
        explorer.page.keyboard.press(key)
        explorer.settle()
        assert_shows(explorer, PAPER["3a"] | {"c3x3_reduce": value})
    explorer.choose("3a")
    explorer.page.locator("#module-explorer-presets input:checked").focus()
    explorer.page.keyboard.press("ArrowRight")
    explorer.settle()
    assert_shows(explorer, PAPER["3b"])


def test_every_control_is_reached_by_tab_and_has_a_name(explorer):
    explorer.page.locator("#module-explorer-presets input:checked").focus()
    reached = []
    for _ in range(10):
        explorer.page.keyboard.press("Tab")
        reached.append(
            explorer.page.evaluate(
                "document.activeElement.name || document.activeElement.textContent.trim()"
            )
        )
    assert reached == [*LARGEST, "Copy", "The exact numbers"]
    for name in LARGEST:
        assert explorer.page.get_by_role("slider", name=re.compile(rf"^{name}\b")).count() == 1
    assert (
        explorer.page.get_by_role("radiogroup", name="A module of the paper")
        .get_by_role("radio")
        .count()
        == 10
    )


def test_mouse_drags_a_slider(explorer):
    box = explorer.slider("c5x5").bounding_box()
    middle = box["y"] + box["height"] / 2
    explorer.page.mouse.move(box["x"] + 15, middle)
    explorer.page.mouse.down()
    explorer.page.mouse.move(box["x"] + box["width"] / 2, middle, steps=5)
    explorer.page.mouse.up()
    explorer.settle()
    assert 230 < explorer.setting()["c5x5"] < 280
    assert_shows(explorer, explorer.setting())


def test_copy_gives_the_line(explorer):
    explorer.choose("4d")
    explorer.move({"pool_proj": 65})
    explorer.page.get_by_role("button", name="Copy", exact=True).click()
    explorer.page.get_by_role("button", name="Copied", exact=True).wait_for()
    line = explorer.page.evaluate("navigator.clipboard.readText()")
    assert (
        eval(line, {"InceptionWidths": InceptionWidths})
        == split(PAPER["4d"] | {"pool_proj": 65})[1]
    )
    assert explorer.page.evaluate("getSelection().toString()") == line


def box_of(locator) -> dict[str, float]:
    """Where an element that one sees stands: x, y, width and height in pixels."""
    box = locator.bounding_box()
    assert box is not None
    return dict(box)


def test_touch_on_a_phone(chromium, book):
    visit = Explorer(chromium, book, touch=True)
    visit.start(width=390)
    box = box_of(visit.slider("c1x1"))
    assert box["width"] > 120 and box["height"] >= 24
    visit.page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    visit.settle()
    assert 240 < visit.setting()["c1x1"] < 273
    assert_shows(visit, visit.setting())
    label = box_of(visit.page.locator("#module-explorer-presets label", has_text="5a"))
    assert label["width"] >= 24 and label["height"] >= 24
    visit.page.touchscreen.tap(label["x"] + label["width"] / 2, label["y"] + label["height"] / 2)
    visit.settle()
    assert_shows(visit, PAPER["5a"])
    assert visit.complaints() == []
    visit.close()


# --- looks ----------------------------------------------------------------------------


@pytest.mark.parametrize("width", [320, 390, 800, 1280])
def test_nothing_scrolls_sideways(window, width):
    window.start(width=width)
    window.drawn()
    assert window.overflow() <= 0
    chart = window.page.locator("#module-explorer svg").bounding_box()
    # Drawn for the place that it has, not for the one that it had while the page was read.
    drawn = int(window.page.locator("#module-explorer svg").get_attribute("width"))
    assert drawn == window.page.evaluate("document.querySelector('#module-explorer').clientWidth")
    assert chart["x"] >= 0 and chart["x"] + chart["width"] <= width
    assert window.cut() <= 0.5
    assert window.complaints() == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_light_and_dark(window, dark):
    window.start(dark=dark)
    window.drawn()
    shot = window.page.locator(".module-explorer").screenshot()
    picture = Image.open(io.BytesIO(shot)).convert("L")
    seen = ImageStat.Stat(picture)
    mean, ((darkest, brightest),) = seen.mean[0], seen.extrema
    assert mean < 70 if dark else mean > 190
    assert brightest > 180 and darkest < 90  # something can be read


# --- the page without the browser's help ----------------------------------------------


def source(explorer: HTML) -> str:
    """The HTML of an explorer."""
    assert isinstance(explorer.data, str)
    return explorer.data


def test_numbers_stand_in_the_page_without_scripts():
    page = BeautifulSoup(source(module_explorer(480, WIDTHS["4a"], 14)), "html.parser")
    said = {element["id"]: element.get_text() for element in page.find_all(id=True)}
    numbers = {
        cell: int(said["module-explorer-" + "-".join(cell)].replace(",", "")) for cell in CELLS
    }
    assert numbers == expected(PAPER["4a"])
    line = said["module-explorer-code"]
    assert eval(line, {"InceptionWidths": InceptionWidths}) == WIDTHS["4a"]


def test_the_same_in_every_run():
    assert module_explorer().data == module_explorer().data


def test_another_start(window):
    window.start("another_start")
    assert window.chosen() == "own"
    assert_shows(window, ANOTHER_START)
    assert window.complaints() == []


# --- no other host --------------------------------------------------------------------


def test_vega_comes_from_the_book(explorer):
    scripts = [address for address in explorer.loaded if "/vega" in address]
    assert re.findall(r"_static/vega/([\w.-]+)", " ".join(scripts)) == [
        "vega.min.js",
        "vega-lite.min.js",
        "vega-embed.min.js",
    ]
    # What is there is what the page says is there, and what Altair asks for.
    said = explorer.page.evaluate("VEGA_DEBUG")
    assert said == {
        "vega_version": altair.VEGA_VERSION,
        "vegalite_version": altair.VEGALITE_VERSION,
        "vegaembed_version": altair.VEGAEMBED_VERSION,
    }
    there = explorer.page.evaluate("[vega.version, vegaLite.version, vegaEmbed.version]")
    for version, asked in zip(there, said.values(), strict=True):
        assert (version + ".").startswith(asked + ".")


def test_other_pages_stay_light(chromium, book):
    visit = Visit(chromium, (book / "second.html").as_uri())
    assert visit.loaded and not [address for address in visit.loaded if "vega" in address]
    assert visit.complaints() == []
    visit.close()


def test_size():
    scripts = sum(
        len(gzip.compress(path.read_bytes())) for path in (ROOT / "book/_static/vega").glob("*.js")
    )
    assert scripts + len(gzip.compress(source(module_explorer()).encode())) < COMPRESSED_LIMIT


def test_a_page_that_asks_elsewhere_is_noticed(chromium, tmp_path):
    page = tmp_path / "page.html"
    page.write_text(
        "<script src='https://cdn.example.org/vega.js'></script>"
        "<script>throw new Error('oh')</script>",
        encoding="utf-8",
    )
    visit = Visit(chromium, page.as_uri())
    assert visit.outside == ["https://cdn.example.org/vega.js"]
    assert (
        "asked another host: https://cdn.example.org/vega.js" in visit.complaints()
        and "oh" in visit.complaints()
    )
    visit.close()


# --- refusals -------------------------------------------------------------------------


def test_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "altair", None)
    with pytest.raises(ModuleNotFoundError, match="pip install altair"):
        module_explorer()


@pytest.mark.parametrize(
    "start, message",
    [
        ({"in_channels": 0}, "^in_channels .* 0"),
        ({"size": 7.5}, "^size .* 7.5"),
        ({"widths": (64, 96, 128, 16, 32, 32)}, r"^widths .* InceptionWidths.* \(64, 96"),
    ],
)
@pytest.mark.parametrize("function", [module_explorer, explorer_chart])
def test_refuses_a_bad_start(function, start, message):
    with pytest.raises(ValueError, match=message):
        function(**start)
