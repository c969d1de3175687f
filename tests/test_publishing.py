"""The book as others meet it: its address, its cards, its pictures, on paper, its links."""

import re
from io import BytesIO
from xml.etree import ElementTree

import draw_logo
import draw_social_card
import pytest
import repository
import yaml
from browser import Visit
from bs4 import BeautifulSoup
from built_book import SLUG, SMALL_PAGES
from conftest import ROOT
from gnet_address import base_address
from PIL import Image, ImageChops, ImageStat

from gnet_lib.plots import png_bytes

SITEMAP = "http://www.sitemaps.org/schemas/sitemap/0.9"

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


def head_of(path) -> dict[str, str]:
    """The descriptions in a page's head, by name, and its canonical address."""
    head = path.read_text(encoding="utf-8").partition("</head>")[0]
    page, found = BeautifulSoup(head, "html.parser"), {}
    for tag in page.find_all("meta", content=True):
        found[str(tag.get("property") or tag.get("name"))] = str(tag["content"])
    for link in page.find_all("link", rel="canonical"):
        found["canonical"] = str(link["href"])
    return found


def test_a_book_with_an_address_says_it(small_book):
    address = "https://ada.github.io/inception-book/"
    head = head_of(small_book / "book/second.html")
    assert head["canonical"] == head["og:url"] == f"{address}book/second.html"
    assert head["og:title"] == "The second page"
    assert head["description"] == head["og:description"] == "Its first sentence."
    assert head["og:image"] == f"{address}_static/social_card.png"
    assert (small_book / "_static/social_card.png").is_file()
    assert (head["og:image:width"], head["og:image:height"]) == ("1200", "630")
    sitemap = ElementTree.parse(small_book / "sitemap.xml")
    places = [place.text for place in sitemap.iter(f"{{{SITEMAP}}}loc")]
    assert set(places) == {f"{address}book/{name}.html" for name in SMALL_PAGES}


def test_launch_buttons_open_a_notebook_at_its_address(small_book):
    page = (small_book / "book/explorer.html").read_text(encoding="utf-8")
    colab = f"https://colab.research.google.com/github/{SLUG}/blob/main/book/explorer.ipynb"
    assert page.count(f'href="{colab}"') == 1
    binder = f"https://mybinder.org/v2/gh/{SLUG}/main?urlpath=lab/tree/book/explorer.ipynb"
    assert page.count(f'href="{binder}"') == 1
    assert "colab-badge" not in page  # its picture would be asked of another host


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
def printed(chromium, whole_book):
    """A chapter as the printer gets it, for a reader whose screen is dark."""
    chapter = (whole_book[0] / "book/03_one_by_one.html").as_uri()
    visit = Visit(chromium, chapter, width=720, dark=True)
    visit.page.emulate_media(media="print")
    yield visit.page
    visit.close()


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
        [...box.querySelectorAll(":scope > :not(summary)")].some((part) =>
            !part.checkVisibility({contentVisibilityAuto: true})))"""
    assert printed.locator("article details").count() > 4
    assert printed.evaluate(f"{hidden}.length") == 0
    printed.emulate_media(media="screen")
    assert printed.evaluate(f"{hidden}.length") > 0, (
        "on the screen they are folded, and this check sees it"
    )
    printed.emulate_media(media="print")


def test_print_cuts_nothing_off_and_is_black_on_white(printed):
    wide = """[...document.querySelectorAll("article pre, article table, article img")]
        .filter((box) => box.scrollWidth > box.clientWidth + 1 ||
            box.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
        .map((box) => box.outerHTML.slice(0, 80))"""
    assert printed.evaluate(wide) == []
    colours = printed.evaluate(
        "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    )
    assert colours == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]
    filters = """[...document.querySelectorAll("article img")]
        .map((image) => getComputedStyle(image).filter)"""
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
