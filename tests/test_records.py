"""Tests of gnet_lib.records: the folder first, then the repository, and a clear word else."""

import io
import json
from email.message import Message

import pytest
from gnet_lib import records
from gnet_lib.records import provenance, read_record, repository_name


@pytest.fixture
def asked(monkeypatch):
    """Addresses that were asked for; each is answered with its own text."""
    addresses = []

    def answer(address, timeout):
        addresses.append((address, timeout))
        return io.BytesIO(json.dumps({"from": address}).encode())

    monkeypatch.setattr(records, "urlopen", answer)
    return addresses


def installed_with(monkeypatch, *entries):
    message = Message()
    for entry in entries:
        message["Project-URL"] = entry
    monkeypatch.setattr(records, "metadata", lambda name: message)


def test_a_record_in_the_folder_is_read_without_asking_anybody(tmp_path, asked):
    (tmp_path / "some.json").write_text('{"value": "é"}', encoding="utf-8")
    assert read_record("some", tmp_path) == {"value": "é"}
    assert asked == []


def test_without_the_file_the_repository_is_asked(tmp_path, asked, monkeypatch):
    installed_with(
        monkeypatch,
        "Documentation, https://example.org/x/y",
        "Repository, https://github.com/ada/book/",
    )
    address = "https://raw.githubusercontent.com/ada/book/HEAD/book/results/some.json"
    assert read_record("some", tmp_path) == {"from": address}
    assert asked == [(address, records.TIMEOUT_SECONDS)]


def test_without_file_and_address_the_error_says_what_to_do(tmp_path, asked, monkeypatch):
    installed_with(monkeypatch, "Repository, https://github.com/owner/name")
    with pytest.raises(
        FileNotFoundError, match=r"no .*some\.json.*make repository REPO=owner/name"
    ):
        read_record("some", tmp_path)
    assert asked == []


def test_the_address_is_that_of_the_project_file():
    import tomllib
    from pathlib import Path

    project = tomllib.loads(
        Path(__file__).parents[1].joinpath("pyproject.toml").read_text(encoding="utf-8")
    )
    assert project["project"]["urls"]["Repository"].endswith(f"/{repository_name()}")


def test_a_library_that_is_not_installed_has_no_address(monkeypatch):
    def missing(name):
        raise records.PackageNotFoundError(name)

    monkeypatch.setattr(records, "metadata", missing)
    assert repository_name() == records.PLACEHOLDER
    installed_with(monkeypatch, "Documentation, https://example.org/x/y")
    assert repository_name() == records.PLACEHOLDER


MACHINE = {
    "cpu": "Some CPU", "instructions": "AVX2", "cores": 4, "threads": 2, "python": "3.12.1", "torch": "2.14.1",
}  # fmt: skip


def test_both_forms_of_a_record_say_how_they_were_made():
    old = {"command": "python benchmarks/a.py", "date": "2026-01-02", "machine": MACHINE}
    new = {
        "command": "python benchmarks/a.py",
        "results made": {
            "command": "python benchmarks/a.py --jobs 2", "date": "2026-01-02",
            "machine": {**MACHINE, "device": "NVIDIA X"},
        },
    }  # fmt: skip
    lines = provenance(old).splitlines()
    assert lines[0] == "Recorded on 2026-01-02 with: python benchmarks/a.py"
    assert lines[1] == "Some CPU (AVX2), 4 cores; 2 threads a run; on cpu"
    assert lines[2] == "Python 3.12.1, torch 2.14.1"
    assert provenance(new).splitlines()[0].endswith("with: python benchmarks/a.py --jobs 2")
    assert "on NVIDIA X" in provenance(new)
