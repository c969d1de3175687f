"""A real browser for tests of built pages: no window, cut off from every network.

    with running_browser() as browser:
        visit = Visit(browser, (html / "index.html").as_uri(), width=390, dark=True)
        visit.page.locator("h1").inner_text()
        visit.complaints()   # requests to other hosts, errors of scripts

The browser is Chromium or Chrome, as tools/fetch.py finds it; nothing is downloaded here.
"""

import functools
import http.server
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from fetch import find_browser
from playwright.sync_api import Browser, ConsoleMessage, Request, sync_playwright

FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip
# What belongs to the page itself.
LOCAL_SCHEMES = {"file", "data", "blob", "about"}


@contextmanager
def running_browser():
    """The browser, with a fresh profile; closed at the end."""
    path = find_browser()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files without a line for each of them."""

    protocol_version = "HTTP/1.1"  # one connection for many files

    def log_message(self, format, *args):
        pass

    def handle(self):
        with suppress(ConnectionError):  # the browser turned to another page
            super().handle()


@contextmanager
def serving(folder: Path):
    """A folder's address on this machine, for as long as the block lasts; search needs one."""
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(QuietHandler, directory=folder)
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def is_local(address: str) -> bool:
    """Whether an address stays on this machine."""
    parts = urlsplit(address)
    return parts.scheme in LOCAL_SCHEMES or parts.hostname == "127.0.0.1"


class Visit:
    """A page opened in a window of its own, with everything that went wrong on it.

    Args:
        browser: from ``running_browser``.
        address: of the page, ``file://...`` or ``http://127.0.0.1:...``.
        width: of the window in pixels.
        height: of the window in pixels.
        dark: whether the reader's system is dark.
        touch: whether the reader has a touch screen.
        calm: whether the reader asked for no motion, so that nothing fades in or out.
    """

    def __init__(
        self,
        browser: Browser,
        address: str,
        *,
        width: int = 1280,
        height: int = 900,
        dark: bool = False,
        touch: bool = False,
        calm: bool = False,
    ):
        self.context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            has_touch=touch,
            reduced_motion="reduce" if calm else "no-preference",
            permissions=["clipboard-read", "clipboard-write"],
        )
        self.context.set_default_timeout(
            120_000
        )  # milliseconds: a busy computer is not a fault of the page
        self.page = self.context.new_page()
        self.page.on("request", self._asked)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("requestfailed", self._failed)
        self.open(address)

    def open(self, address: str) -> None:
        """Go to a page, the first or another one, and forget what went wrong on the one before."""
        self.outside: list[str] = []
        self.errors: list[str] = []
        self.loaded: list[str] = []
        self.page.goto(address, wait_until="load")

    def _asked(self, request: Request) -> None:
        (self.loaded if is_local(request.url) else self.outside).append(request.url)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(
                f"{message.text} ({message.location['url']})"
                if "Failed to load" in message.text
                else message.text
            )

    def _failed(self, request: Request) -> None:
        # What the browser gave up itself, when it went on to another page, is no fault.
        if is_local(request.url) and request.failure != "net::ERR_ABORTED":
            self.errors.append(f"could not be loaded: {request.url}")

    def complaints(self) -> list[str]:
        """Requests to other hosts, and errors and warnings of the page's scripts."""
        return [f"asked another host: {address}" for address in self.outside] + self.errors

    def resize(self, width: int, dark: bool) -> None:
        """Change the window's width and whether the reader's system is dark."""
        self.page.set_viewport_size({"width": width, "height": 900})
        self.page.emulate_media(color_scheme="dark" if dark else "light")

    def look(self, width: int, dark: bool) -> None:
        """The same, on an open page of the book: waits until the page has followed."""
        self.resize(width, dark)
        self.page.wait_for_function(
            "dark => document.documentElement.dataset.theme === (dark ? 'dark' : 'light')", arg=dark
        )
        # Two frames: in the first the page is laid out anew, then book.js sees which boxes scroll.
        self.page.evaluate(
            "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )

    def overflow(self) -> int:
        """Pixels by which the page is wider than the window."""
        return self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )

    def close(self) -> None:
        """Close the window."""
        self.context.close()
