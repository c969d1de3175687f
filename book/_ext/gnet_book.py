"""The book's own Sphinx extension: pages that ask no other host for anything.

jupyter-book always loads sphinx-thebe, which adds its script twice to every page, the
address of a package network, and a block that names somebody's Binder repository. The
book runs no code in the browser, so all of it leaves again here.

Where a page holds a chart of Vega-Altair, its three scripts come from the book, too.

What a screen reader would stumble over is mended: the empty corner of a table is no header, the
entries of the bibliography carry no roles that have left the standard, and the arguments of a long
signature are no list of definitions.

Who comes to the book's address without a page's name is sent on to the first page.
"""

import html
import re

from docutils import nodes

THEBE_MARKS = ("thebe", "THEBE", "kernelName")


def is_thebe(text: str) -> bool:
    """Whether a script, a file name or a raw block belongs to thebe."""
    return any(mark in text for mark in THEBE_MARKS)


def drop_thebe_files(app, pagename, templatename, context, doctree):
    """Take thebe's scripts and styles off the page's list of files."""
    for kind in ("script_files", "css_files"):
        kept = []
        for entry in context.get(kind, []):
            filename = str(getattr(entry, "filename", entry) or "")
            body = str(getattr(entry, "attributes", {}).get("body") or "")
            if not is_thebe(filename) and not is_thebe(body):
                kept.append(entry)
        context[kind] = kept


def drop_thebe_nodes(app, doctree, docname):
    """Take thebe's raw HTML blocks out of the page."""
    for node in list(doctree.findall(nodes.raw)):
        text = node.astext()
        is_configuration = "text/x-thebe-config" in text or text.startswith("<script>kernelName")
        if is_configuration and node.parent is not None:
            node.parent.remove(node)


def drop_thebe_copies(app, exception):
    """Delete the script and style that sphinx-thebe copied into the built book."""
    if exception is None and app.builder.format == "html":
        for path in app.outdir.glob("_static/**/*thebe*"):
            path.unlink()


# A stored chart fetches Vega from a package network, unless this variable says that the
# versions that its Altair asks for are there; `book/_static/vega/README.md` renews them.
VEGA_SCRIPTS = ("vega/vega.min.js", "vega/vega-lite.min.js", "vega/vega-embed.min.js")
VEGA_VERSIONS = (
    'var VEGA_DEBUG = {"vega_version": "6", "vegalite_version": "6.4.1", "vegaembed_version": "7"};'
)

# A chart measures its place while the page is still read; the bar on the right comes later and
# makes it narrower. So it measures again when everything is there.
MEASURE_AGAIN = 'addEventListener("load", () => dispatchEvent(new Event("resize")));'


def add_vega(app, pagename, templatename, context, doctree):
    """Give a page with a chart the book's own copy of Vega; other pages stay light."""
    if "vegaEmbed(" in context.get("body", ""):
        app.add_js_file(None, body=f"{VEGA_VERSIONS} {MEASURE_AGAIN}")
        for script in VEGA_SCRIPTS:
            app.add_js_file(script)


EMPTY_HEADER = re.compile(r"<th\b([^>]*)>(?:\s|</?p>)*</th>")
OLD_ROLES = re.compile(
    r' role="(?:doc-biblioentry|doc-backlink)"|(?<=<div) role="list"(?= class="citation-list")'
)
SIGNATURE_LINES = re.compile(r"<dl>\n(<dd>.*?)</dl>", re.DOTALL)


def as_lines(found: re.Match) -> str:
    """The arguments of a signature, one a line, without the list that Sphinx puts around them."""
    lines = found[1].replace("<dd>", '<span class="sig-line">').replace("</dd>", "</span>")
    return f'<span class="sig-lines">{lines}</span>'


def mend_structure(app, pagename, templatename, context, doctree):
    """Give headers, entries of the bibliography and signatures the structure that they have."""
    if "body" in context:
        body = EMPTY_HEADER.sub(r"<td\1></td>", context["body"])
        context["body"] = SIGNATURE_LINES.sub(as_lines, OLD_ROLES.sub("", body))


def public_path(app, what, name, obj, options, signature, returns):
    """Name pathlib's classes as their documentation does; Python 3.13 keeps them elsewhere."""
    return tuple(
        text and text.replace("pathlib._local.", "pathlib.") for text in (signature, returns)
    )


# jupyter-book writes such a page itself where there is none: without language, title, icon or link.
FRONT_DOOR = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>{title}</title>
<meta http-equiv="refresh" content="0; url={first_page}">
<link rel="icon" href="_static/favicon.svg" type="image/svg+xml">
<p><a href="{first_page}">{title}</a></p>
</html>
"""


def write_front_door(app, exception):
    """Write the page at the book's bare address, which leads to the first page."""
    if exception is None and app.builder.name == "html":
        first_page = app.builder.get_target_uri(app.config.root_doc)
        text = FRONT_DOOR.format(title=html.escape(app.config.html_title), first_page=first_page)
        (app.outdir / "index.html").write_text(text, encoding="utf-8")


def setup(app):
    """Register after sphinx-thebe (priority above 500), so that there is something to drop."""
    app.connect("html-page-context", add_vega, priority=800)
    app.connect("html-page-context", mend_structure, priority=800)
    app.connect("html-page-context", drop_thebe_files, priority=900)
    app.connect("doctree-resolved", drop_thebe_nodes, priority=900)
    app.connect("build-finished", drop_thebe_copies, priority=900)
    app.connect("build-finished", write_front_door, priority=900)
    if "sphinx.ext.autodoc" in app.extensions:
        app.connect("autodoc-process-signature", public_path)
    return {"version": "1.0", "parallel_read_safe": True, "parallel_write_safe": True}
