"""What the pages say about their own address: sitemap, canonical links, cards for sharing.

The address follows from the repository's, which `make repository REPO=owner/name` writes
into _config.yml: GitHub serves the book of owner/name at owner.github.io/name. While the
repository is the placeholder, the book has no address, and nothing here makes one up.
"""

import re

PLACEHOLDER = "owner/name"
CARD = "_static/social_card.png"
CARD_TAGS = (
    '<meta property="og:image:width" content="1200" />',
    '<meta property="og:image:height" content="630" />',
    '<meta name="twitter:card" content="summary_large_image" />',
)
NOT_IN_SITEMAP = ["search.html", "genindex.html"]


def base_address(repository_url: str) -> str | None:
    """Where GitHub serves a repository's pages; None for the placeholder and for none."""
    found = re.fullmatch(r"https://github\.com/([\w-]+)/([\w.-]+?)/?", repository_url or "")
    if not found or f"{found[1]}/{found[2]}" == PLACEHOLDER:
        return None
    owner, name = found[1].lower(), found[2]
    pages = f"https://{owner}.github.io/"
    return pages if name.lower() == f"{owner}.github.io" else f"{pages}{name}/"


def take_address(app, config):
    """Tell the extensions for sitemap and cards the address, when there is one."""
    address = base_address(config.html_theme_options.get("repository_url"))
    if address is None:
        return
    config.html_baseurl = config.ogp_site_url = address
    config.ogp_image, config.ogp_custom_meta_tags = address + CARD, CARD_TAGS
    config.sitemap_url_scheme, config.sitemap_excludes = "{link}", NOT_IN_SITEMAP
    app.setup_extension("sphinx_sitemap")  # it warns where there is no address


def drop_false_address(app, pagename, templatename, context, doctree):
    """Without an address a page has no og:url: opengraph would write a relative one."""
    if not app.config.ogp_site_url and "metatags" in context:
        context["metatags"] = re.sub(r'<meta property="og:url"[^>]*>\n?', "", context["metatags"])


def setup(app):
    """Register; opengraph itself stands in _config.yml."""
    app.connect("config-inited", take_address)
    app.connect("html-page-context", drop_false_address, priority=800)
    return {"version": "1.0", "parallel_read_safe": True, "parallel_write_safe": True}
