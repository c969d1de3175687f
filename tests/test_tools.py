"""The tools behind `make refresh`, `make serve` and `make repository`."""

import copy
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import nbformat
import pytest
import refresh
import repository
from conftest import ROOT
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from test_notebooks import sound_notebook

# --- refresh --------------------------------------------------------------------------


def test_tidy_takes_out_what_differs_from_run_to_run():
    clean = sound_notebook()
    used = copy.deepcopy(clean)
    used.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {}}
    used.metadata.kernelspec.display_name = "gnet (python 3.12)"
    used.metadata.language_info.version = "3.12.9"
    for number, cell in enumerate(used.cells):
        cell.metadata["execution"] = {"iopub.status.busy": "2026-11-01T10:00:00Z"}
        cell.metadata["collapsed"] = False
        if cell.cell_type == "code":
            cell.execution_count = 10 + number
    assert refresh.tidy(used) == clean


def test_tidy_twice_is_tidy_once():
    clean = sound_notebook()
    assert refresh.tidy(clean) == clean
    assert nbformat.writes(refresh.tidy(clean)) == nbformat.writes(clean)


@pytest.mark.parametrize(
    "text, wanted",
    [
        ("/var/x/ipykernel_77/3141592.py:3: UserWarning: no GPU\n", "<cell>:3: UserWarning: no GPU\n"),
        ("<object at 0x7f3a5c1d2e80>\n", "<object at 0x0>\n"),
        ("accuracy 0.8512, 0x10 is sixteen\n", "accuracy 0.8512, 0x10 is sixteen\n"),
    ],
)
def test_tidy_text(text, wanted):
    cell = new_code_cell("x", execution_count=1, outputs=[new_output("stream", name="stdout", text=text)])
    assert refresh.tidy(new_notebook(cells=[cell])).cells[0].outputs[0].text == wanted


def test_alternative_text_follows_the_figure():
    notebook = sound_notebook()
    (figure,) = [cell for cell in notebook.cells if cell.source == "plots.show(figure)"]
    figure.outputs[0].metadata.alt = "Now there are five bars."
    figure.metadata.mystnb["figure"] = {"name": "bars"}
    tidied = refresh.tidy(notebook)
    (cell,) = [cell for cell in tidied.cells if cell.source == "plots.show(figure)"]
    assert cell.metadata.mystnb == {"figure": {"name": "bars"}, "image": {"alt": "Now there are five bars."}}
    cell.outputs = []
    cell.metadata.mystnb.pop("figure")
    assert "mystnb" not in refresh.tidy(tidied).cells[notebook.cells.index(figure)].metadata


@pytest.fixture
def chapter(tmp_path):
    """A small notebook on disk that has never been executed."""

    def write(*sources):
        path = tmp_path / "chapter.ipynb"
        cells = [new_markdown_cell("# A chapter"), *map(new_code_cell, sources)]
        nbformat.write(new_notebook(cells=cells), path)
        return path

    return write


def test_refresh_runs_in_the_notebooks_own_folder_and_repeats_itself(chapter):
    path = chapter("import os\nos.path.exists('chapter.ipynb'), os.environ['PYTHONHASHSEED'], hash('one')", "print('a')\nprint('b')")
    assert refresh.main([str(path)]) == 0
    first = path.read_text(encoding="utf-8")
    assert refresh.main([str(path)]) == 0
    assert path.read_text(encoding="utf-8") == first
    code = nbformat.read(path, as_version=4).cells[1:]
    assert [cell.execution_count for cell in code] == [1, 2]
    assert code[0].outputs[0].data["text/plain"].startswith("(True, '0', ")
    assert [output.text for output in code[1].outputs] == ["a\nb\n"]


def test_refresh_leaves_a_failing_notebook_as_it_was(chapter, capfd):
    path = chapter("1 + 1", "raise ValueError('c1x1 must be at least 1')")
    before = path.read_text(encoding="utf-8")
    assert refresh.main([str(path)]) == 1
    assert path.read_text(encoding="utf-8") == before
    assert "c1x1 must be at least 1" in capfd.readouterr().err


def test_refresh_names_a_missing_notebook(capsys):
    assert refresh.main(["book/none.ipynb"]) == 1
    assert "No such notebook: book/none.ipynb" in capsys.readouterr().err


# --- the repository's address ---------------------------------------------------------


@pytest.fixture
def project(tmp_path):
    """A copy of every file that carries the address."""
    for path in repository.places():
        target = tmp_path / path.relative_to(ROOT)
        target.parent.mkdir(exist_ok=True)
        shutil.copy(path, target)
    return tmp_path


def test_all_places_agree():
    assert repository.disagreements() == []


def test_stamp_reaches_every_place(project):
    changed = repository.stamp("ada-l/gnet.book", project)
    assert {path.relative_to(project) for path in changed} == {path.relative_to(ROOT) for path in repository.places()}
    assert repository.current(project) == "ada-l/gnet.book"
    assert repository.disagreements(project) == []
    assert "colab_url" in (project / "_config.yml").read_text(encoding="utf-8")
    assert repository.stamp("ada-l/gnet.book", project) == []


def test_stamp_can_be_undone(project):
    before = {path: path.read_text(encoding="utf-8") for path in repository.places(project)}
    repository.stamp("ada/googlenet", project)
    repository.stamp(repository.current(), project)
    assert {path: path.read_text(encoding="utf-8") for path in repository.places(project)} == before


@pytest.mark.parametrize("name", ["pyproject.toml", "_config.yml", "CITATION.cff", "README.md"])
def test_one_place_changed_by_hand_is_noticed(project, name):
    path = project / name
    text = path.read_text(encoding="utf-8")
    address = f"github.com/{repository.current()}"
    assert address in text
    path.write_text(text.replace(address, "github.com/someone/else"), encoding="utf-8")
    assert repository.disagreements(project)


def test_one_notebook_changed_by_hand_is_noticed_and_mended(project):
    path = next(path for path in repository.places(project) if path.suffix == ".ipynb")
    text = path.read_text(encoding="utf-8")
    changed = text.replace(f'REPOSITORY = \\"{repository.current()}\\"', 'REPOSITORY = \\"some/other\\"')
    assert changed != text
    path.write_text(changed, encoding="utf-8")
    assert any(path.name in line for line in repository.disagreements(project))
    repository.stamp(repository.current(), project)
    assert path.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("slug", ["googlenet", "https://github.com/ada/googlenet", "ada/goog lenet", "ada/"])
def test_stamp_refuses_what_is_no_address(project, slug):
    with pytest.raises(ValueError, match=f"REPO must look like owner/name, .*got '{slug}'"):
        repository.stamp(slug, project)
    assert repository.disagreements(project) == []


def test_other_repositories_stay_as_they_are():
    text = "[vision](https://github.com/pytorch/vision) [us](https://github.com/owner/name) (https://github.com/owner/name-else)"
    wanted = "[vision](https://github.com/pytorch/vision) [us](https://github.com/ada/g) (https://github.com/owner/name-else)"
    assert repository.with_links(text, "owner/name", "ada/g") == wanted


# --- data -----------------------------------------------------------------------------


def find_data(**environment):
    """Run `make data`'s tool in a changed environment."""
    command = [sys.executable, str(ROOT / "tools/find_data.py")]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True)


def test_data_says_where_it_comes_from():
    done = find_data()
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Real Fashion-MNIST")


def test_data_names_a_wrong_folder_without_a_traceback(tmp_path):
    done = find_data(GNET_DATA=str(tmp_path))
    assert done.returncode == 1
    assert "GNET_DATA must name a folder" in done.stderr and "Traceback" not in done.stderr


# --- serve ----------------------------------------------------------------------------


def free_port():
    """A port that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_serve_shows_the_book_on_this_machine_only(tmp_path):
    tool = tmp_path / "tools" / "serve.py"
    tool.parent.mkdir()
    shutil.copy(ROOT / "tools/serve.py", tool)
    (tmp_path / "_build/html").mkdir(parents=True)
    (tmp_path / "_build/html/index.html").write_text("the book", encoding="utf-8")
    port = free_port()
    server = subprocess.Popen([sys.executable, str(tool), str(port)], stdout=subprocess.PIPE, text=True, cwd=os.sep)
    try:
        assert f"http://127.0.0.1:{port}" in server.stdout.readline()
        assert urllib.request.urlopen(f"http://127.0.0.1:{port}/").read() == b"the book"
    finally:
        server.terminate()
        server.wait(10)
        server.stdout.close()


def test_serve_says_that_a_port_is_taken():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        started = time.monotonic()
        done = subprocess.run([sys.executable, str(ROOT / "tools/serve.py"), str(port)], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and time.monotonic() - started < 30
    assert done.stderr.splitlines() == [f"Port {port} cannot be used (Address already in use). Try another: make serve PORT={port + 1}"]
