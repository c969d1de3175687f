"""The explorer in a real browser: its numbers are those of ``gnet_lib.cost``, whatever is set.

The page is a book of one page, built with the book's own settings, scripts and styles.
"""

import gzip
import io
import random
import re
import shutil
import sys

import altair
import nbformat
import pytest
from browser import Visit, running_browser
from bs4 import BeautifulSoup
from built_book import jupyter_book
from conftest import ROOT
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image, ImageStat
from test_paper import MODULES

from gnet_lib import WIDTHS, InceptionWidths, inception_cost, plots
from gnet_lib.explorer import CELLS, LARGEST, PATH_OF, explorer_chart, formula, module_explorer
from gnet_lib.paper import BRANCHES

COMPRESSED_LIMIT = 1_000_000  # bytes that the explorer may add to a page


# --- truth from outside ---------------------------------------------------------------


def split(setting):
    """(in_channels, widths, size) of a setting."""
    widths = InceptionWidths(**{name: setting[name] for name in PATH_OF})
    return setting["in_channels"], widths, setting["size"]


def expected(setting):
    """(measure, module, row) -> number, from ``gnet_lib.cost`` and the definition of the output."""
    in_channels, widths, size = split(setting)
    numbers = {}
    for module in ("naive", "reduced"):
        costs = inception_cost(in_channels, widths, size, naive=module == "naive")
        outputs = plots.path_outputs(in_channels, widths, naive=module == "naive")
        for path in BRANCHES:
            numbers["multiply-adds", module, path] = costs[path].multiply_adds
            numbers["parameters", module, path] = costs[path].parameters
            numbers["channels", module, path] = outputs[path]
        for measure in ("multiply-adds", "parameters", "channels"):
            numbers[measure, module, "module"] = sum(
                numbers[measure, module, path] for path in BRANCHES
            )
    return numbers


def setting_of(printed):
    """The setting of one of the paper's modules, as printed."""
    widths = {name: getattr(printed.widths, name) for name in PATH_OF}
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
                assert (
                    eval(formula(measure, module, row), dict(setting))
                    == numbers[measure, module, row]
                )


# --- the page -------------------------------------------------------------------------


def build(folder, html):
    """A book of two pages with the book's settings: one with the explorer, one without a chart."""
    (folder / "book").mkdir(parents=True)
    shutil.copy(ROOT / "_config.yml", folder)
    for name in ("_static", "_ext", "_inv", "references.bib"):
        copier = shutil.copytree if (ROOT / "book" / name).is_dir() else shutil.copy
        copier(ROOT / "book" / name, folder / "book" / name)
    (folder / "_toc.yml").write_text(
        "format: jb-book\nroot: book/explorer\nchapters:\n- file: book/plain\n", encoding="utf-8"
    )
    (folder / "book/plain.md").write_text("# A page without a chart\n\nText.\n", encoding="utf-8")
    output = new_output(
        "execute_result", {"text/html": html, "text/plain": "HTML"}, execution_count=1
    )
    cells = [
        new_markdown_cell("# The explorer\n\nText.\n\n## A section"),
        new_code_cell("module_explorer()", outputs=[output], execution_count=1),
    ]
    kernel = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    nbformat.write(new_notebook(cells=cells, metadata=kernel), folder / "book/explorer.ipynb")
    return jupyter_book(folder) / "book"


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    return build(tmp_path_factory.mktemp("explorer") / "book", module_explorer().data)


@pytest.fixture(scope="module")
def chromium():
    with running_browser() as browser:
        yield browser


class Explorer(Visit):
    """The explorer's page, with what a reader does on it."""

    def __init__(self, chromium, folder, **window):
        super().__init__(chromium, (folder / "explorer.html").as_uri(), **window)
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
        self.page.wait_for_timeout(120)

    def setting(self):
        values = self.page.evaluate(
            "[...document.querySelectorAll('#module-explorer-sliders input')].map(slider => [slider.name, Number(slider.value)])"
        )
        return dict(values)

    def text(self, *name):
        return self.page.locator(f"#module-explorer-{'-'.join(name)}").text_content()

    def numbers(self):
        """(measure, module, row) -> number, as the page's table shows them."""
        shown = dict(
            self.page.evaluate(
                "[...document.querySelectorAll('.module-explorer output')].map(output => [output.id, output.value])"
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
        return self.page.evaluate("""() => [...document.querySelectorAll('#module-explorer svg .mark-rect > path')].map(
            bar => [bar.getBBox().width, bar.getAttribute('fill'), bar.getAttribute('stroke')])""")


@pytest.fixture
def explorer(chromium, book):
    """The page, freshly opened; at the end nothing may have gone wrong on it."""
    visit = Explorer(chromium, book)
    yield visit
    assert visit.complaints() == []
    visit.close()


def assert_shows(explorer, setting):
    """Sliders, table, line of code and labels in the chart all tell the same, true, numbers."""
    numbers = expected(setting)
    assert explorer.setting() == setting
    assert explorer.numbers() == numbers
    assert eval(explorer.text("code"), {"InceptionWidths": InceptionWidths}) == split(setting)[1]
    labels = explorer.labels()
    for module in ("naive", "reduced"):
        counts = [
            as_number(label.removesuffix(f" {module}"))
            for label in labels
            if label.endswith(f" {module}") and "=" not in label
        ]
        assert len(counts) == 3
        for count, measure in zip(counts, ("multiply-adds", "parameters", "channels")):
            assert count == pytest.approx(
                numbers[measure, module, "module"], rel=0.00501
            )  # three digits
    ratios = [float(label.split(" = ")[1].split(" × ")[0]) for label in labels if " = " in label]
    assert ratios == [
        pytest.approx(
            numbers[measure, "naive", "module"] / numbers[measure, "reduced", "module"], abs=0.00501
        )
        for measure in ("multiply-adds", "parameters", "channels")
    ]


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
    naive, reduced = (
        f"{expected(PAPER['5b'])['multiply-adds', module, 'module']:,}"
        for module in ("naive", "reduced")
    )
    before = explorer.text("sentence")
    explorer.choose("5b")
    assert explorer.text("sentence") == before  # a screen reader is not interrupted at every step
    explorer.page.wait_for_timeout(500)
    assert f"naive module needs {naive} " in explorer.text(
        "sentence"
    ) and f"needs {reduced} " in explorer.text("sentence")


@pytest.mark.parametrize("name", ["3a", "5b"])
def test_bars_are_to_scale(explorer, name):
    """Naive and reduced share one scale; naive is outlined, reduced filled, in the house's colours."""
    explorer.choose(name)
    numbers, bars = expected(PAPER[name]), explorer.bars()
    rows = {
        "multiply-adds": (*BRANCHES, "module"),
        "parameters": (*BRANCHES, "module"),
        "channels": ("module",),
    }
    wanted = [
        (measure, module, path)
        for module in ("naive", "reduced") for measure in rows for row in rows[measure]
        for path in (BRANCHES if row == "module" else (row,))
    ]  # fmt: skip
    assert len(bars) == len(wanted) == 40
    for measure in rows:
        mine = [
            (bar, numbers[measure, module, path])
            for bar, (of, module, path) in zip(bars, wanted)
            if of == measure
        ]
        scale = max(width / value for (width, _, _), value in mine if value)
        assert all(abs(width - scale * value) < 0.5 for (width, _, _), value in mine)
    for (_, fill, stroke), (_, module, path) in zip(bars, wanted):
        assert stroke == plots.COLOURS[path] and fill == (
            "white" if module == "naive" else plots.COLOURS[path]
        )


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


def test_touch_on_a_phone(chromium, book):
    visit = Explorer(chromium, book, width=390, height=844, touch=True)
    box = visit.slider("c1x1").bounding_box()
    assert box["width"] > 120 and box["height"] >= 24
    visit.page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    visit.settle()
    assert 240 < visit.setting()["c1x1"] < 273
    assert_shows(visit, visit.setting())
    label = visit.page.locator("#module-explorer-presets label", has_text="5a").bounding_box()
    assert label["width"] >= 24 and label["height"] >= 24
    visit.page.touchscreen.tap(label["x"] + label["width"] / 2, label["y"] + label["height"] / 2)
    visit.settle()
    assert_shows(visit, PAPER["5a"])
    assert visit.complaints() == []
    visit.close()


# --- looks ----------------------------------------------------------------------------


@pytest.mark.parametrize("width", [320, 390, 800, 1280])
def test_nothing_scrolls_sideways(chromium, book, width):
    visit = Explorer(chromium, book, width=width, height=844)
    visit.page.wait_for_timeout(150)
    assert visit.overflow() <= 0
    chart = visit.page.locator("#module-explorer svg").bounding_box()
    # Drawn for the place that it has, not for the one that it had while the page was read.
    drawn = int(visit.page.locator("#module-explorer svg").get_attribute("width"))
    assert drawn == visit.page.evaluate("document.querySelector('#module-explorer').clientWidth")
    assert chart["x"] >= 0 and chart["x"] + chart["width"] <= width
    assert visit.cut() <= 0.5
    assert visit.complaints() == []
    visit.close()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_light_and_dark(chromium, book, dark):
    visit = Explorer(chromium, book, dark=dark)
    visit.page.wait_for_timeout(150)
    picture = Image.open(io.BytesIO(visit.page.locator(".module-explorer").screenshot())).convert(
        "L"
    )
    mean, (darkest, brightest) = ImageStat.Stat(picture).mean[0], picture.getextrema()
    assert mean < 70 if dark else mean > 190
    assert brightest > 180 and darkest < 90  # something can be read
    visit.close()


# --- the page without the browser's help ----------------------------------------------


def test_numbers_stand_in_the_page_without_scripts():
    page = BeautifulSoup(module_explorer(480, WIDTHS["4a"], 14).data, "html.parser")
    numbers = {
        cell: int(page.find(id="module-explorer-" + "-".join(cell)).get_text().replace(",", ""))
        for cell in CELLS
    }
    assert numbers == expected(PAPER["4a"])
    assert (
        eval(page.find(id="module-explorer-code").get_text(), {"InceptionWidths": InceptionWidths})
        == WIDTHS["4a"]
    )


def test_the_same_in_every_run():
    assert module_explorer().data == module_explorer().data


def test_another_start(chromium, tmp_path):
    widths = InceptionWidths(10, 20, 700, 5, 6, 7)
    visit = Explorer(chromium, build(tmp_path / "book", module_explorer(33, widths, 60).data))
    assert visit.chosen() == "own"
    assert_shows(
        visit,
        {
            "in_channels": 33,
            "size": 60,
            "c1x1": 10,
            "c3x3_reduce": 20,
            "c3x3": 700,
            "c5x5_reduce": 5,
            "c5x5": 6,
            "pool_proj": 7,
        },
    )
    assert visit.complaints() == []
    visit.close()


# --- no other host --------------------------------------------------------------------


def test_vega_comes_from_the_book(chromium, book):
    visit = Explorer(chromium, book)
    scripts = [address for address in visit.loaded if "/vega" in address]
    assert [re.search(r"_static/vega/([\w.-]+)", address)[1] for address in scripts] == [
        "vega.min.js",
        "vega-lite.min.js",
        "vega-embed.min.js",
    ]
    # What is there is what the page says is there, and what Altair asks for.
    said = visit.page.evaluate("VEGA_DEBUG")
    assert said == {
        "vega_version": altair.VEGA_VERSION,
        "vegalite_version": altair.VEGALITE_VERSION,
        "vegaembed_version": altair.VEGAEMBED_VERSION,
    }
    there = visit.page.evaluate("[vega.version, vegaLite.version, vegaEmbed.version]")
    for version, asked in zip(there, said.values()):
        assert (version + ".").startswith(asked + ".")
    visit.close()


def test_other_pages_stay_light(chromium, book):
    visit = Visit(chromium, (book / "plain.html").as_uri())
    assert visit.loaded and not [address for address in visit.loaded if "vega" in address]
    assert visit.complaints() == []
    visit.close()


def test_size():
    scripts = sum(
        len(gzip.compress(path.read_bytes())) for path in (ROOT / "book/_static/vega").glob("*.js")
    )
    assert scripts + len(gzip.compress(module_explorer().data.encode())) < COMPRESSED_LIMIT


def test_a_page_that_asks_elsewhere_is_noticed(chromium, tmp_path):
    page = tmp_path / "page.html"
    page.write_text(
        "<script src='https://cdn.example.org/vega.js'></script><script>throw new Error('oh')</script>",
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
    with pytest.raises(
        ModuleNotFoundError, match="package altair, which is not installed; run: pip install altair"
    ):
        module_explorer()


@pytest.mark.parametrize("start, message", [
    ({"in_channels": 0}, "in_channels must be a whole number of at least 1, but it is 0"),
    ({"size": 7.5}, "size must be a whole number of at least 1, but it is 7.5"),
    ({"widths": (64, 96, 128, 16, 32, 32)}, r"widths must be InceptionWidths\(c1x1, .*\), but it is \(64, 96"),
])  # fmt: skip
@pytest.mark.parametrize("function", [module_explorer, explorer_chart])
def test_refuses_a_bad_start(function, start, message):
    with pytest.raises(ValueError, match=message):
        function(**start)
