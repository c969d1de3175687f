"""Write the inventories by which the reference links to other projects' documentation.

    python tools/write_inventories.py        # book/_inv/entries.toml -> book/_inv/*.inv

An inventory (objects.inv) says where each name is documented. Sphinx would fetch the real
ones when it builds; these hold the few names that the book needs, so it builds offline.
"""

import tomllib
import zlib
from pathlib import Path

INVENTORIES = Path(__file__).resolve().parents[1] / "book" / "_inv"
HEADER = (
    "# Sphinx inventory version 2\n# Project: {}\n# Version: \n"
    "# The remainder of this file is compressed using zlib.\n"
)


def kind(name: str) -> str:
    """What Sphinx calls a name: an exception, a class (types start with a capital), a function."""
    last = name.rpartition(".")[2]
    if last.endswith(("Error", "Warning")):
        return "exception"
    if last == "None":
        return "data"
    is_class = last[0].isupper() or "." not in name or name == "torch.device"
    return "class" if is_class else "function"


def entries(project: dict) -> list[tuple[str, str, str]]:
    """(name, kind, place below the project's address) of everything a project is asked for."""
    places = {place: names for place, names in project.items() if place != "address"}
    return [
        (name, kind(name), place.replace("$", name))
        for place, names in places.items()
        for name in names
    ]


def inventory(title: str, project: dict) -> bytes:
    """The file's content; the same entries give the same bytes."""
    lines = "".join(
        f"{name} py:{what} 1 {place} -\n" for name, what, place in sorted(entries(project))
    )
    return HEADER.format(title).encode() + zlib.compress(lines.encode(), level=9)


def read_entries(folder: Path = INVENTORIES) -> dict[str, dict]:
    """The readable list: project -> its address, and place -> names."""
    return tomllib.loads((folder / "entries.toml").read_text(encoding="utf-8"))


if __name__ == "__main__":
    for title, project in read_entries().items():
        (INVENTORIES / f"{title}.inv").write_bytes(inventory(title, project))
        print(f"wrote book/_inv/{title}.inv, {len(entries(project))} names")
