"""The public repository's address: one home, one command that writes it everywhere else.

    python tools/repository.py                 # print the address and check every place
    python tools/repository.py owner/name      # write it (`make repository REPO=owner/name`)

The address as the browser or `git clone` has it, https://github.com/owner/name.git, is understood.

Its home is `[project.urls] Repository` in pyproject.toml. The others are copies: the links
in README.md, CONTRIBUTING.md, CITATION.cff and the page for teachers, the launch buttons in
_config.yml, and in each notebook the badge and the line `REPOSITORY = "..."` of the set-up cell.
"""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PLACEHOLDER = "owner/name"

SLUG = r"[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+"
BLOCK = re.compile(r"(?<=# --- repository: begin ---\n).*?(?=# --- repository: end ---)", re.DOTALL)
# In the notebook's file the quotes of the source line are escaped.
NOTEBOOK_LINE = re.compile(r'(REPOSITORY = \\")(' + SLUG + r')(\\")')
NOTEBOOK_BADGE = re.compile(
    r"(\(https://colab\.research\.google\.com/github/)(" + SLUG + r")(/blob/main/)"
)
# How a link names a repository: GitHub, Colab (github/), shields.io (github/KIND/), Binder (gh/).
LINK_START = (
    r"((?:github\.com/|google\.com/github/|shields\.io/github/[\w/-]*?|mybinder\.org/v2/gh/))"
)


def slug_of(address: str) -> str:
    """owner/name from an address as people copy it; what is none comes back as it is."""
    bare = re.sub(
        r"^(https?://(www\.)?github\.com/|git@github\.com:|github\.com/)", "", address.strip()
    )
    return bare.removesuffix("/").removesuffix(".git")


def current(root: Path = ROOT) -> str:
    """The address in pyproject.toml, as owner/name."""
    with open(root / "pyproject.toml", "rb") as file:
        url = tomllib.load(file)["project"]["urls"]["Repository"]
    return url.removeprefix("https://github.com/")


def configuration(slug: str) -> str:
    """The block of _config.yml; launch buttons only when there is a repository to launch."""
    lines = [
        "repository:",
        f"  url: https://github.com/{slug}",
        "  branch: main",
        "launch_buttons:",
        "  notebook_interface: jupyterlab",
    ]
    if slug != PLACEHOLDER:
        lines += [
            "  colab_url: https://colab.research.google.com",
            "  binderhub_url: https://mybinder.org",
        ]
    return "\n".join(lines) + "\n"


def places(root: Path = ROOT) -> list[Path]:
    """Every file that carries the address, its home last: a run cut short is repeated whole."""
    names = ("README.md", "CONTRIBUTING.md", "CITATION.cff", "book/teachers.md", "_config.yml")
    files = [root / name for name in names if (root / name).is_file()]
    return files + sorted((root / "book").glob("*.ipynb")) + [root / "pyproject.toml"]


def addresses_in_use(root: Path = ROOT) -> set[str]:
    """The addresses that our own files name, also where a hand-made edit left them unequal."""
    found = {PLACEHOLDER, current(root)}
    configured = re.search(
        r"url: https://github\.com/(" + SLUG + ")",
        (root / "_config.yml").read_text(encoding="utf-8"),
    )
    found.update([configured[1]] if configured else [])
    for notebook in (root / "book").glob("*.ipynb"):
        found.update(
            match[2] for match in NOTEBOOK_LINE.finditer(notebook.read_text(encoding="utf-8"))
        )
    return found


def with_links(text: str, old: str, new: str) -> str:
    """The text with links to the old repository, and to its pages, turned to the new one."""
    text = re.sub(LINK_START + re.escape(old) + r"(?![\w-])", lambda found: found[1] + new, text)
    old_pages, new_pages = (
        f"{owner.lower()}.github.io/{name}" for owner, name in (old.split("/"), new.split("/"))
    )
    return text.replace(old_pages, new_pages)


def stamped(path: Path, olds: set[str], new: str) -> str:
    """The text of one file with the new address in place of the old ones."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        for pattern in (NOTEBOOK_LINE, NOTEBOOK_BADGE):
            text = pattern.sub(lambda found: found[1] + new + found[3], text)
        return text
    if path.name == "_config.yml":
        return BLOCK.sub(lambda found: configuration(new), text)
    for old in sorted(olds - {new}):
        text = with_links(text, old, new)
    return text


def disagreements(root: Path = ROOT) -> list[str]:
    """What is wrong with the copies of the address, one line a file."""
    slug, olds = current(root), addresses_in_use(root)
    wrong = []
    for path in places(root):
        text = path.read_text(encoding="utf-8")
        names_it = f'REPOSITORY = \\"{slug}\\"' if path.suffix == ".ipynb" else f"github.com/{slug}"
        if names_it not in text or stamped(path, olds, slug) != text:
            wrong.append(
                f"{path.relative_to(root)} does not carry the address {slug} of pyproject.toml: "
                f"run `make repository REPO={slug}`"
            )
    return wrong


def stamp(slug: str, root: Path = ROOT) -> list[Path]:
    """Write the address into every place and return the files that changed."""
    if not re.fullmatch(SLUG, slug):
        raise ValueError(
            f"REPO must look like owner/name, for example ada/googlenet-book; got {slug!r}"
        )
    olds = addresses_in_use(root)
    changed = []
    for path in places(root):
        text = stamped(path, olds, slug)
        if text != path.read_text(encoding="utf-8"):
            path.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Check without an argument, write with one."""
    if arguments:
        try:
            changed = stamp(slug_of(arguments[0]), root)
        except ValueError as error:
            print(error, file=sys.stderr)
            return 1
        print(
            "\n".join(f"wrote {path.relative_to(root)}" for path in changed) or "nothing to change"
        )
        if changed:
            print(
                "Next: commit these files, then `make book`. Hand-outs made before carry the old "
                "address: make them again."
            )
    print(
        f"The repository is {current(root)}"
        + (
            " (not set yet: make repository REPO=owner/name)"
            if current(root) == PLACEHOLDER
            else ""
        )
    )
    wrong = disagreements(root)
    print("\n".join(wrong), file=sys.stderr, end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
