"""The commands of the Makefile and the tools behind them, also where something stands in their way."""

import copy
import errno
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import find_data as find_data_tool
import gnet_lib
import nbformat
import pytest
import refresh
import repository
import set_up
from built_book import copy_sources, jupyter_book
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
        (
            "/var/x/ipykernel_77/3141592.py:3: UserWarning: no GPU\n",
            "<cell>:3: UserWarning: no GPU\n",
        ),
        ("<object at 0x7f3a5c1d2e80>\n", "<object at 0x0>\n"),
        ("accuracy 0.8512, 0x10 is sixteen\n", "accuracy 0.8512, 0x10 is sixteen\n"),
    ],
)
def test_tidy_text(text, wanted):
    cell = new_code_cell(
        "x", execution_count=1, outputs=[new_output("stream", name="stdout", text=text)]
    )
    assert refresh.tidy(new_notebook(cells=[cell])).cells[0].outputs[0].text == wanted


def test_alternative_text_follows_the_figure():
    notebook = sound_notebook()
    (figure,) = [cell for cell in notebook.cells if cell.source == "plots.show(figure)"]
    figure.outputs[0].metadata.alt = "Now there are five bars."
    figure.metadata.mystnb["figure"] = {"name": "bars"}
    tidied = refresh.tidy(notebook)
    (cell,) = [cell for cell in tidied.cells if cell.source == "plots.show(figure)"]
    assert cell.metadata.mystnb == {
        "figure": {"name": "bars"},
        "image": {"alt": "Now there are five bars."},
    }
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
    path = chapter(
        "import os\nos.path.exists('chapter.ipynb'), os.environ['PYTHONHASHSEED'], hash('one')",
        "print('a')\nprint('b')",
    )
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
    assert {path.relative_to(project) for path in changed} == {
        path.relative_to(ROOT) for path in repository.places()
    }
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
    changed = text.replace(
        f'REPOSITORY = \\"{repository.current()}\\"', 'REPOSITORY = \\"some/other\\"'
    )
    assert changed != text
    path.write_text(changed, encoding="utf-8")
    assert any(path.name in line for line in repository.disagreements(project))
    repository.stamp(repository.current(), project)
    assert path.read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    "slug", ["googlenet", "https://gitlab.com/ada/googlenet", "ada/goog lenet", "ada/"]
)
def test_stamp_refuses_what_is_no_address(project, slug):
    with pytest.raises(ValueError, match=f"REPO must look like owner/name, .*got '{slug}'"):
        repository.stamp(slug, project)
    assert repository.disagreements(project) == []


@pytest.mark.parametrize(
    "address",
    [
        "ada/googlenet",
        "https://github.com/ada/googlenet",
        "https://github.com/ada/googlenet.git",
        "https://www.github.com/ada/googlenet/",
        "github.com/ada/googlenet",
        "git@github.com:ada/googlenet.git",
    ],
)
def test_an_address_as_it_is_copied_is_understood(project, capsys, address):
    assert repository.main([address], project) == 0
    assert repository.current(project) == "ada/googlenet"
    said = capsys.readouterr().out
    assert (
        "Next: commit these files, then `make book`. Hand-outs made before carry the old address"
        in said
    )


def test_other_repositories_stay_as_they_are():
    text = "[vision](https://github.com/pytorch/vision) [us](https://github.com/owner/name) (https://github.com/owner/name-else)"
    wanted = "[vision](https://github.com/pytorch/vision) [us](https://github.com/ada/g) (https://github.com/owner/name-else)"
    assert repository.with_links(text, "owner/name", "ada/g") == wanted


def test_launch_buttons_open_every_chapter_of_the_new_address(tmp_path):
    """The whole book, built with an address: one click from each notebook's page to Colab and to Binder."""
    copy_sources(tmp_path)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    repository.stamp("ada/googlenet-book", tmp_path)
    html = jupyter_book(tmp_path)
    chapters = sorted((tmp_path / "book").glob("*.ipynb"))
    assert chapters
    for path in chapters:
        page = (html / f"book/{path.stem}.html").read_text(encoding="utf-8")
        assert (
            page.count(
                f'href="https://colab.research.google.com/github/ada/googlenet-book/blob/main/book/{path.name}"'
            )
            == 1
        )
        assert (
            f'href="https://mybinder.org/v2/gh/ada/googlenet-book/main?urlpath=lab/tree/book/{path.name}"'
            in page
        )
        assert "colab-badge" not in page  # its picture would be asked of another host


# --- data -----------------------------------------------------------------------------


def find_data(**environment):
    """Run `make data`'s tool in a changed environment."""
    command = [sys.executable, str(ROOT / "tools/find_data.py")]
    return subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True
    )


def test_data_says_where_it_comes_from():
    done = find_data()
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Real Fashion-MNIST")


def test_data_names_a_wrong_folder_without_a_traceback(tmp_path):
    done = find_data(GNET_DATA=str(tmp_path))
    assert done.returncode == 1
    assert "GNET_DATA must name a folder" in done.stderr and "Traceback" not in done.stderr


def test_data_that_is_nowhere_is_a_problem_with_ways_out(tmp_path, monkeypatch, capsys):
    """No data on this computer and no network: the library's own words, then what they mean here."""
    monkeypatch.delenv("GNET_DATA", raising=False)
    monkeypatch.setattr(gnet_lib.data, "DEBIAN_FOLDER", tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    def no_network(*arguments, **options):
        raise OSError("no network")

    monkeypatch.setattr(gnet_lib.data.urllib.request, "urlopen", no_network)
    assert find_data_tool.main() == 1
    said = capsys.readouterr().err.splitlines()
    assert said[-1] == find_data_tool.NEEDED and len(said) == 2
    assert all(
        way in said[0]
        for way in (
            "connect to the internet",
            "sudo apt-get install dataset-fashion-mnist",
            "GNET_DATA",
        )
    )


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
    server = subprocess.Popen(
        [sys.executable, str(tool), str(port)], stdout=subprocess.PIPE, text=True, cwd=os.sep
    )
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
        done = subprocess.run(
            [sys.executable, str(ROOT / "tools/serve.py"), str(port)],
            capture_output=True,
            text=True,
            timeout=30,
        )
    assert done.returncode == 1 and time.monotonic() - started < 30
    assert done.stderr.splitlines() == [
        f"Port {port} cannot be used (Address already in use). Try another: make serve PORT={port + 1}"
    ]


@pytest.mark.parametrize("port", ["http", "0", "70000", "-1", "80 81"])
def test_serve_says_what_a_port_is(port):
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools/serve.py"), port],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"PORT must be a number from 1 to 65535, for example 8000; got {port!r}"
    ]


# --- what a newcomer meets ------------------------------------------------------------

# The environment's Python in the tests below: all it does is to answer for pip, with the
# file `pip` beside it.
FAKE_PYTHON = """#!/bin/sh
case "$*" in "-m pip install"*) exec sh "$(dirname "$0")/pip" "$@" ;; esac
"""
PIP_WORKS = "echo Successfully installed torch"
OFFLINE = "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError(...)': /simple/torch/"
MISSING = "ERROR: No matching distribution found for torch==2.14.1"
FULL = "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"


def write_script(path, text):
    """A file that can be run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


class Newcomer:
    """A fresh copy of the project, in a folder with a space in its name, and `make` in it."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("Makefile", "requirements.txt", "pyproject.toml", "tools/set_up.py"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)

    def pip(self, script):
        """Give the project an environment whose pip does this."""
        write_script(self.folder / ".venv/bin/python", FAKE_PYTHON)
        write_script(self.folder / ".venv/bin/pip", script)

    def make(self, *arguments, **environment):
        command = [
            "make",
            "--no-print-directory",
            *(arguments or ("setup", f"PYTHON={sys.executable}")),
        ]
        return subprocess.run(
            command,
            cwd=self.folder,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
        )

    def is_ready(self):
        return (self.folder / ".venv/.ready").exists()


@pytest.fixture
def newcomer(tmp_path):
    return Newcomer(tmp_path / "my course")


def last_word(done):
    """What the reader sees last, above make's own line."""
    assert done.returncode != 0 and "Traceback" not in done.stderr
    return [line for line in done.stderr.splitlines() if line and not line.startswith("make")][-1]


def test_an_old_python_is_named(newcomer, tmp_path):
    write_script(
        tmp_path / "old/python3",
        '#!/bin/sh\n[ "$1" = --version ] && { echo Python 3.8.18; exit; }\nexit 1\n',
    )
    done = newcomer.make("setup", PATH=f"{tmp_path / 'old'}:{os.environ['PATH']}")
    assert last_word(done) == (
        "Python 3.11 or newer is needed, but 'python3 --version' says: Python 3.8.18. Name another: make PYTHON=python3.12 ..."
    )
    newcomer.pip(PIP_WORKS)
    assert newcomer.make().returncode == 0 and newcomer.is_ready()


def test_a_python_that_is_not_there_is_named(newcomer):
    done = newcomer.make("book", "PYTHON=python3.99")
    assert re.search(
        r"Python 3\.11 or newer is needed, but 'python3\.99 --version' says: .*not found",
        last_word(done),
    )


@pytest.mark.parametrize(
    "pip, advice",
    [
        (
            f'echo "{OFFLINE}" >&2; echo "{MISSING}" >&2; exit 1',
            r"There is no connection, or it broke: .* Check the network\. Then run the same command again",
        ),
        (
            f'echo "{FULL}" >&2; exit 1',
            r"The disk is full\. The environment needs up to 8 GB; [\d.]+ GB are free here and .* Then run the same command again",
        ),
        (
            f'echo "{MISSING}" >&2; exit 1',
            r"torch==2\.14\.1 cannot be had for Python 3\.\d+.* Try another Python, 3\.11 to 3\.13: make setup PYTHON=",
        ),
        (
            "kill -9 $$",
            r"pip did not finish; .* Then run the same command again: .* begin anew: make clean",
        ),
        ("kill -2 $PPID; sleep 5; exit 1", r"Stopped\. Then run the same command again"),
    ],
    ids=["no network", "full disk", "no build", "killed", "Ctrl-C"],
)
def test_what_stops_pip_is_said_last_and_the_second_try_works(newcomer, pip, advice):
    newcomer.pip(pip)
    done = newcomer.make()
    assert re.match(advice, last_word(done)), done.stderr
    assert not newcomer.is_ready()
    newcomer.pip(PIP_WORKS)
    assert newcomer.make().returncode == 0 and newcomer.is_ready()
    assert "Installing" not in newcomer.make().stdout, "what is ready is left alone"


def test_pip_is_asked_for_the_pins_and_the_library(newcomer):
    newcomer.pip('echo "$@"')
    assert (
        "-m pip install --disable-pip-version-check -r requirements.txt -e .\n"
        in newcomer.make().stdout
    )


def test_without_make_the_readme_names_the_same_commands():
    without = (
        (ROOT / "README.md")
        .read_text(encoding="utf-8")
        .partition("**No make?**")[2]
        .partition("\n")[0]
    )
    makefile = (
        (ROOT / "Makefile")
        .read_text(encoding="utf-8")
        .replace("$(VENV)", ".venv")
        .replace("$(BIN)", ".venv/bin")
        .replace('"$(PYTHON)"', "python3")
    )
    commands = re.findall(r"`([^`]+)`", without)
    assert len(commands) == 3 and all(
        re.sub(" tests$", "", command) in makefile for command in commands
    )


@pytest.mark.parametrize(
    "number, advice",
    [
        (errno.EROFS, "Nothing can be written here (Read-only file system)"),
        (errno.EACCES, "Nothing can be written here (Permission denied)"),
        (errno.ENOSPC, "The disk is full"),
    ],
)
def test_a_folder_that_takes_no_files(monkeypatch, capsys, number, advice):
    def refuse(dir):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(set_up.tempfile, "TemporaryFile", refuse)
    assert set_up.main([".venv"]) == 1
    assert capsys.readouterr().err.strip().startswith(advice)


def test_little_room_is_said_before_the_long_wait(monkeypatch, capsys):
    monkeypatch.setattr(set_up, "free_gb", lambda folder: 3.2)
    set_up.check_folder()
    assert (
        capsys.readouterr().out
        == "Only 3.2 GB are free here. The environment needs up to 8 GB; going on all the same.\n"
    )


def test_python_without_ensurepip_is_named(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(set_up.importlib.util, "find_spec", lambda name: None)
    assert set_up.main([str(tmp_path / "absent")]) == 1
    assert "sudo apt install python3-venv" in capsys.readouterr().err


def test_an_environment_that_cannot_be_made(monkeypatch, capsys, tmp_path):
    (tmp_path / "file").write_text("")
    assert set_up.main([str(tmp_path / "file" / ".venv")]) == 1
    assert "could not be made; the line above says why" in capsys.readouterr().err


def test_a_half_made_environment_is_made_anew(tmp_path):
    """Interrupted while pip was unpacked: pip is there, and does not run."""
    folder = tmp_path / "my course" / ".venv"
    wanted = ["--quiet", "--no-index", "pip"]  # has nothing to do, but must run
    assert set_up.main([str(folder), *wanted]) == 0
    (cli,) = folder.glob("lib/python3*/site-packages/pip/_internal/cli/main.py")
    cli.unlink()
    assert not set_up.works(folder / "bin/python")
    assert set_up.main([str(folder), *wanted]) == 0
    assert cli.exists() and set_up.works(folder / "bin/python")


def test_serving_without_a_book_says_what_comes_first(newcomer):
    done = newcomer.make("serve")
    assert (
        done.returncode != 0
        and "There is no built book yet. Run first: make book" in done.stdout + done.stderr
    )


@pytest.mark.parametrize(
    "environment, advice",
    [
        (
            {"CHROMIUM": "/nowhere"},
            "CHROMIUM must name a browser that can be run, but it is '/nowhere'",
        ),
        (
            {"CHROMIUM": "", "PATH": ""},
            "Install Chromium (Debian, Ubuntu: sudo apt install chromium)",
        ),
    ],
)
def test_a_missing_browser_is_said_before_the_tests(environment, advice):
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests/browser.py")],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert advice in last_word(done) and len(done.stderr.splitlines()) == 1
