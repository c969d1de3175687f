"""The book as others meet it: its address, its cards, its pictures, on paper, its links."""

import re
import shutil
from io import BytesIO
from xml.etree import ElementTree

import draw_logo
import draw_social_card
import pytest
import repository
import yaml
from browser import Visit, running_browser
from bs4 import BeautifulSoup
from built_book import jupyter_book
from conftest import BOOK, ROOT
from gnet_address import base_address
from PIL import Image, ImageChops, ImageStat

from gnet_lib.plots import png_bytes

# --- the book's own address -----------------------------------------------------------------


@pytest.mark.parametrize(
    "repository_url, address",
    [
        ("https://github.com/Ada/inception-book", "https://ada.github.io/inception-book/"),
        ("https://github.com/ada/ada.github.io", "https://ada.github.io/"),
        ("https://github.com/owner/name", None),
        ("https://github.com/owner/names", "https://owner.github.io/names/"),
        ("", None),
        (None, None),
    ],
)
def test_address_follows_from_the_repository(repository_url, address):
    assert base_address(repository_url) == address


def small_book(folder, slug: str):
    """Two pages with the book's settings, as they are after ``make repository REPO=slug``."""
    (folder / "book").mkdir(parents=True)
    settings = (ROOT / "_config.yml").read_text(encoding="utf-8")
    settings = repository.BLOCK.sub(lambda found: repository.configuration(slug), settings)
    (folder / "_config.yml").write_text(settings, encoding="utf-8")
    (folder / "_toc.yml").write_text(
        "format: jb-book\nroot: book/index\nchapters:\n- file: book/second\n", encoding="utf-8"
    )
    for name in ("_static", "_ext", "_inv"):
        shutil.copytree(BOOK / name, folder / "book" / name)
    shutil.copy(BOOK / "references.bib", folder / "book")
    for name in ("index", "second"):
        (folder / f"book/{name}.md").write_text(
            f"# The {name} page\n\nIts first sentence.\n", encoding="utf-8"
        )
    return jupyter_book(folder)


def head_of(path) -> dict[str, str]:
    """The descriptions in a page's head, by name, and its canonical address."""
    page = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
    found = {
        tag.get("property") or tag["name"]: tag["content"]
        for tag in page.find_all("meta", content=True)
        if tag.get("property") or tag.get("name")
    }
    return found | {"canonical": link["href"] for link in page.find_all("link", rel="canonical")}


def test_a_book_with_an_address_says_it(tmp_path):
    html = small_book(tmp_path / "book", "Ada/inception-book")
    address = "https://ada.github.io/inception-book/"
    head = head_of(html / "book/second.html")
    assert head["canonical"] == head["og:url"] == f"{address}book/second.html"
    assert (
        head["og:title"] == "The second page"
        and head["description"] == head["og:description"] == "Its first sentence."
    )
    assert (
        head["og:image"] == f"{address}_static/social_card.png"
        and (html / "_static/social_card.png").is_file()
    )
    assert (head["og:image:width"], head["og:image:height"]) == ("1200", "630")
    sitemap = ElementTree.parse(html / "sitemap.xml")
    assert [
        place.text for place in sitemap.iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")
    ] == [f"{address}book/index.html", f"{address}book/second.html"]


def test_a_book_without_an_address_makes_none_up(whole_book):
    html = whole_book[0]
    if repository.current() != repository.PLACEHOLDER:
        assert (html / "sitemap.xml").is_file()
        return
    assert not (html / "sitemap.xml").exists()
    for path in html.glob("book/**/*.html"):
        head = head_of(path)
        assert not {"canonical", "og:url", "og:image"} & set(head), path.name
        assert "owner.github.io" not in path.read_text(encoding="utf-8")


def test_every_page_has_a_title_and_a_description_of_its_own(whole_book):
    heads = {path.name: head_of(path) for path in whole_book[0].glob("book/**/*.html")}
    assert len(heads) > 25
    for name, head in heads.items():
        assert len(head["og:title"]) > 3 and len(head["description"]) > 40, name
        assert not re.search(r"[$\\]|!\[|\{\w+\}", head["description"]), name
    assert len({head["description"] for head in heads.values()}) == len(heads)


# --- pictures drawn by code ------------------------------------------------------------------


def test_social_card_is_as_the_code_draws_it():
    stored = Image.open(draw_social_card.CARD).convert("RGB")
    drawn = Image.open(
        BytesIO(png_bytes(draw_social_card.social_card(), dpi=draw_social_card.DPI))
    ).convert("RGB")
    assert stored.size == drawn.size == (1200, 630)
    assert max(ImageStat.Stat(ImageChops.difference(stored, drawn)).mean) < 0.5
    assert draw_social_card.CARD.stat().st_size < 300_000


@pytest.mark.parametrize("name", ["logo.svg", "favicon.svg"])
def test_logo_is_as_the_code_draws_it(name):
    assert (draw_logo.STATIC / name).read_text(encoding="utf-8") == draw_logo.svg(
        "Four parallel branches that join again"
    )


# --- on paper ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def printed(whole_book):
    """A chapter as the printer gets it, for a reader whose screen is dark."""
    with running_browser() as browser:
        visit = Visit(
            browser, (whole_book[0] / "book/03_one_by_one.html").as_uri(), width=720, dark=True
        )
        visit.page.emulate_media(media="print")
        yield visit.page


def test_print_shows_the_text_and_hides_the_rest(printed):
    assert (
        printed.locator("article h1").is_visible()
        and printed.locator("article table").first.is_visible()
    )
    for screen_only in (
        ".bd-header-article",
        ".bd-sidebar-primary",
        ".bd-sidebar-secondary",
        ".prev-next-area",
        ".copybtn",
        "#jb-print-docs-body",
    ):
        found = printed.locator(screen_only).all()
        assert found and not any(each.is_visible() for each in found), screen_only


def test_print_opens_what_is_folded(printed):
    hidden = """[...document.querySelectorAll("article details")].filter((box) =>
        [...box.querySelectorAll(":scope > :not(summary)")].some((part) => !part.checkVisibility({contentVisibilityAuto: true})))"""
    assert printed.locator("article details").count() > 4
    assert printed.evaluate(f"{hidden}.length") == 0
    printed.emulate_media(media="screen")
    assert printed.evaluate(f"{hidden}.length") > 0, (
        "on the screen they are folded, and this check sees it"
    )
    printed.emulate_media(media="print")


def test_print_cuts_nothing_off_and_is_black_on_white(printed):
    wide = """[...document.querySelectorAll("article pre, article table, article img")]
        .filter((box) => box.getBoundingClientRect().right > document.documentElement.clientWidth + 1 || box.scrollWidth > box.clientWidth + 1)
        .map((box) => box.outerHTML.slice(0, 80))"""
    assert printed.evaluate(wide) == []
    colours = printed.evaluate(
        "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    )
    assert colours == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]
    filters = """[...document.querySelectorAll("article img")].map((image) => getComputedStyle(image).filter)"""
    assert set(printed.evaluate(filters)) == {"none"}


# --- link check ----------------------------------------------------------------------------


def test_link_check_spares_only_those_who_refuse():
    settings = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["sphinx"][
        "config"
    ]
    spared = [re.compile(pattern) for pattern in settings["linkcheck_ignore"]]
    asked = [
        "https://arxiv.org/abs/1409.4842",
        "https://github.com/pytorch/vision/issues/906",
        "https://doi.org/10.1007/3-540-49430-8_2",
        "https://github.com/owner2/name",
    ]
    refusing = [
        "https://doi.org/10.1145/3065386",
        "https://doi.org/10.1109/CVPR.2015.7298594",
        "https://colab.research.google.com/github/owner/name/blob/main/book/x.ipynb",
    ]
    assert not [address for address in asked if any(pattern.match(address) for pattern in spared)]
    assert all(any(pattern.match(address) for pattern in spared) for address in refusing)
