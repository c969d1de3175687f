"""Recorded measurements: what took too long for a chapter, kept in a file with its origin.

The scripts in ``benchmarks/`` write them to ``book/results/``, as JSON.
"""

import json
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any
from urllib.request import urlopen

PLACEHOLDER = "owner/name"
TIMEOUT_SECONDS = 10


def read_record(name: str, folder: str | Path = "results") -> dict[str, Any]:
    """Read a recorded measurement of the book.

    A chapter runs in the folder ``book/``, where the records lie in ``results/``. On Colab
    there is the notebook alone; then the record comes from the book's repository.

    Args:
        name: the record's name without its ending, such as ``"latency"``.
        folder: where to look first.

    Returns:
        What the file holds; ``provenance`` says how it was made.

    Raises:
        FileNotFoundError: if it is not in the folder and this copy of the library does not
            know the address of its repository.
        OSError: if the repository cannot be reached or has no such record.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "latency.json").write_text('{"date": "2026-11-24"}')
        ...     read_record("latency", folder)
        {'date': '2026-11-24'}
    """
    file = Path(folder) / f"{name}.json"
    if file.exists():
        return json.loads(file.read_text(encoding="utf-8"))
    repository = repository_name()
    if repository == PLACEHOLDER:
        raise FileNotFoundError(
            f"there is no {file}, and this copy of the library does not know its repository; "
            "run the notebook in the folder book/, or set the address: make repository REPO=owner/name"
        )
    address = f"https://raw.githubusercontent.com/{repository}/HEAD/book/results/{name}.json"
    with urlopen(address, timeout=TIMEOUT_SECONDS) as answer:
        return json.load(answer)


def repository_name() -> str:
    """Owner and name of the public repository, from the metadata of the installed library."""
    try:
        addresses = metadata("gnet_lib").get_all("Project-URL") or []
    except PackageNotFoundError:
        return PLACEHOLDER
    for entry in addresses:
        label, _, address = entry.partition(", ")
        if label == "Repository":
            return "/".join(address.rstrip("/").split("/")[-2:])
    return PLACEHOLDER


def provenance(record: dict[str, Any]) -> str:
    """Say in three lines how a record was made: command, date, machine, versions.

    Args:
        record: what ``read_record`` returned.

    Returns:
        The three lines.

    Example:
        >>> machine = {"cpu": "Some CPU", "cores": 2, "threads": 1, "device": "cpu",
        ...            "python": "3.11.2", "torch": "2.14.1", "instructions": "AVX512"}
        >>> print(provenance({"command": "python benchmarks/x.py", "date": "2026-11-24",
        ...                "machine": machine}))
        Recorded on 2026-11-24 with: python benchmarks/x.py
        Some CPU (AVX512), 2 cores; 1 thread a run; on cpu
        Python 3.11.2, torch 2.14.1
    """
    made = record.get("results made", record)
    machine = made["machine"]
    threads = "1 thread" if machine["threads"] == 1 else f"{machine['threads']} threads"
    return (
        f"Recorded on {made['date']} with: {made.get('command', record['command'])}\n"
        f"{machine['cpu']} ({machine['instructions']}), {machine['cores']} cores; "
        f"{threads} a run; on {machine.get('device', 'cpu')}\n"
        f"Python {machine['python']}, torch {machine['torch']}"
    )
