"""Recorded measurements: what took too long for a chapter, kept in a file with its origin.

The scripts in ``benchmarks/`` write them to ``gnet_lib/results/``, as JSON; they come with
the library, so that a chapter finds them wherever it runs.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gnet_lib._check import require_choice, shown

FOLDER = Path(__file__).parent / "results"


def read_record(name: str) -> dict[str, Any]:
    """Read a recorded measurement of the book.

    Args:
        name: the record's name, such as ``"latency"``.

    Returns:
        What the file holds; ``provenance`` says how it was made.

    Raises:
        ValueError: if there is no such record.

    Example:
        >>> read_record("latency")["command"]
        'python benchmarks/latency.py'
    """
    require_choice("name", name, sorted(file.stem for file in FOLDER.glob("*.json")))
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def provenance(record: dict[str, Any]) -> str:
    """Say in three lines how a record was made: command, date, machine, versions.

    Args:
        record: what ``read_record`` returned.

    Returns:
        The three lines.

    Raises:
        ValueError: for what is no such record.

    Example:
        >>> machine = {"cpu": "Some CPU", "cores": 2, "threads": 1, "device": "cpu",
        ...            "python": "3.11.2", "torch": "2.14.1", "instructions": "AVX512"}
        >>> print(provenance({"command": "python benchmarks/x.py", "date": "2026-11-24",
        ...                "machine": machine}))
        Recorded on 2026-11-24 with: python benchmarks/x.py
        Some CPU (AVX512), 2 cores; 1 thread a run; on cpu
        Python 3.11.2, torch 2.14.1
    """
    made = record.get("results made", record) if isinstance(record, Mapping) else None
    if not isinstance(made, Mapping) or not {"date", "machine"} <= set(made):
        raise ValueError(
            "record must say how it was made, as those of read_record do, but it is "
            f"{shown(record)}"
        )
    machine = made["machine"]
    threads = "1 thread" if machine["threads"] == 1 else f"{machine['threads']} threads"
    return (
        f"Recorded on {made['date']} with: {made.get('command', record['command'])}\n"
        f"{machine['cpu']} ({machine['instructions']}), {machine['cores']} cores; "
        f"{threads} a run; on {machine['device']}\n"
        f"Python {machine['python']}, torch {machine['torch']}"
    )
