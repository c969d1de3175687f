"""Tests of gnet_lib.records. What stands in the records, the tests of the benchmarks check."""

import json

import pytest

from gnet_lib.records import FOLDER, provenance, read_record


def test_every_record_is_read_and_says_how_it_was_made(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # wherever a chapter runs
    files = sorted(FOLDER.glob("*.json"))
    assert files
    for file in files:
        record = read_record(file.stem)
        assert record == json.loads(file.read_text(encoding="utf-8"))
        first, *others = provenance(record).splitlines()
        assert f" with: python benchmarks/{file.stem}.py" in first
        assert len(others) == 2


def test_an_unknown_record_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"name must .*fair, heads.*'speed'"):
        read_record("speed")


MACHINE = {
    "cpu": "Some CPU",
    "instructions": "AVX2",
    "cores": 4,
    "threads": 2,
    "device": "NVIDIA X",
    "python": "3.12.1",
    "torch": "2.14.1",
}


def test_both_forms_of_a_record_say_how_they_were_made():
    made = {"command": "python benchmarks/a.py", "date": "2026-01-02", "machine": MACHINE}
    lines = [
        "Recorded on 2026-01-02 with: python benchmarks/a.py",
        "Some CPU (AVX2), 4 cores; 2 threads a run; on NVIDIA X",
        "Python 3.12.1, torch 2.14.1",
    ]
    assert provenance(made).splitlines() == lines
    with_parts = {
        "command": "python benchmarks/a.py",
        "results made": {**made, "command": "python benchmarks/a.py --jobs 2"},
    }
    assert provenance(with_parts).splitlines() == [f"{lines[0]} --jobs 2", *lines[1:]]
