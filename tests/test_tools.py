"""The commands of the Makefile and the tools behind them, also where something is in the way."""

import copy
import errno
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request

import fetch
import nbformat
import pytest
import refresh
import repository
import set_up
from conftest import ROOT
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from test_notebooks import sound_notebook

import gnet_lib

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


# --- what is fetched ------------------------------------------------------------------


def refuse(*words, **options):
    """A way that does not lead there."""
    raise fetch.NotThere("it rains")


def test_ways_are_tried_in_turn_and_each_says_what_it_does(capsys):
    ways = {"Looking": refuse, "Asking": lambda: "found", "Buying": pytest.fail}
    assert fetch.first_that_works(ways) == "found"
    assert capsys.readouterr().out.splitlines() == ["Looking ...", "Asking ..."]


def test_when_no_way_leads_there_all_are_named():
    with pytest.raises(fetch.NotThere) as caught:
        fetch.first_that_works({"Looking": refuse, "Asking": refuse})
    named = ["None of these ways led there:", "  Looking: it rains", "  Asking: it rains"]
    assert str(caught.value).splitlines() == named


def run_fetch(wanted, **environment):
    """Run the tool as `make data` and `make browser` do, in a changed environment."""
    command = [sys.executable, str(ROOT / "tools/fetch.py"), wanted]
    return subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True
    )


@pytest.mark.parametrize("wanted", ["data", "browser"])
def test_what_is_there_is_not_fetched(wanted):
    done = run_fetch(wanted)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2 and done.stdout.startswith("Looking for ")


@pytest.mark.parametrize(
    "wanted, name, allowed",
    [("data", "GNET_DATA", "a folder"), ("browser", "CHROMIUM", "a browser that can be run")],
)
def test_a_wrong_name_is_said_in_one_line(wanted, name, allowed, tmp_path):
    done = run_fetch(wanted, **{name: str(tmp_path)})
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
    assert f"{name} must name {allowed}" in done.stderr


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """A computer with neither data nor browser, for an ordinary user; gives its home."""
    for name in ("GNET_DATA", "CHROMIUM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(fetch, "CACHE", tmp_path / "gnet_lib")
    monkeypatch.setattr(fetch, "UNPACKED_BROWSER", tmp_path / "gnet_lib/chromium/run")
    monkeypatch.setattr(fetch, "MAC", ())
    monkeypatch.setattr(fetch, "drivers_own", lambda: str(tmp_path / "nowhere"))
    monkeypatch.setattr(fetch.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(gnet_lib.fashion_mnist, "DEBIAN_FOLDER", tmp_path / "debian")
    monkeypatch.setattr(gnet_lib.fashion_mnist, "MIRRORS", ("http://127.0.0.1:9/",))
    return tmp_path


@pytest.mark.parametrize(
    "wanted, ways", [("data", fetch.DATA_WAYS), ("browser", fetch.BROWSER_WAYS)]
)
def test_a_computer_where_nothing_can_be_had(bare, capsys, wanted, ways):
    assert fetch.main([wanted]) == 1
    said = capsys.readouterr()
    assert said.out.splitlines() == [f"{way} ..." for way in ways]
    named = said.err.strip().splitlines()[1:-1]
    assert [line.strip().partition(": ")[0] for line in named] == list(ways)
    assert said.err.strip().endswith("Then run the same command again.")


@pytest.mark.parametrize(
    "user, sudo, before",
    [(0, "exit 1", []), (1000, "exit 0", ["sudo", "-n", "DEBIAN_FRONTEND=noninteractive"])],
)
def test_who_may_install(bare, monkeypatch, user, sudo, before):
    monkeypatch.setattr(fetch.os, "geteuid", lambda: user)
    for name in ("apt-get", "sudo"):
        write_script(bare / "bin" / name, f"#!/bin/sh\n{sudo}\n")
    assert fetch.as_root() == before


def test_a_user_whose_sudo_wants_a_password_does_not_install(bare):
    write_script(bare / "bin/apt-get", "#!/bin/sh\n")
    write_script(bare / "bin/sudo", "#!/bin/sh\nexit 1\n")
    with pytest.raises(fetch.NotThere, match="not root, and sudo wants a password"):
        fetch.install("chromium")


# What an ordinary user's apt-get does here: it writes down what it is asked, and puts a package
# where it is told to.
FAKE_APT = """#!/bin/sh
echo "$*" >> "{log}"
for word in "$@"; do
  case "$word" in
    Dir::Cache::archives=*) archives="${{word#*=}}" ;;
    --download-only) : > "$archives/a_1.0_all.deb" ;;
  esac
done
"""


def test_a_user_gets_packages_unpacked_and_the_system_stays_as_it_is(bare):
    log = bare / "asked"
    write_script(bare / "bin/apt-get", FAKE_APT.format(log=log))
    write_script(bare / "bin/dpkg-deb", '#!/bin/sh\n[ "$1" = --extract ] && : > "$3/${2##*/}"\n')
    fetch.unpack(bare / "unpacked", "a", "b")
    assert (bare / "unpacked/a_1.0_all.deb").is_file()
    update, install = log.read_text().splitlines()
    assert update.endswith(" update") and install.endswith(" --download-only a b")
    assert all(
        "Dir::State::lists=/tmp" in line or "Dir::State::lists=/" in line
        for line in (update, install)
    )


def test_unpacked_data_is_where_the_library_finds_it(bare, monkeypatch, capsys):
    def unpack(folder, package):
        files = folder / gnet_lib.fashion_mnist.DEBIAN_FOLDER.relative_to("/")
        shutil.copytree(gnet_lib.fashion_mnist.SAMPLE_FOLDER, files)

    monkeypatch.setattr(fetch, "unpack", unpack)
    monkeypatch.setattr(gnet_lib.fashion_mnist, "FULL_MD5", gnet_lib.fashion_mnist.SAMPLE_MD5)
    assert fetch.unpack_data().startswith("Real Fashion-MNIST")
    assert fetch.main(["data"]) == 0
    assert (
        capsys.readouterr().out.splitlines()[0] == "Looking for Fashion-MNIST on this computer ..."
    )


def unpacking(script):
    """Unpack a browser that is this script, and a library."""

    def unpack(folder, *packages):
        write_script(folder / "usr/lib/chromium/chromium", script)
        (folder / "usr/lib/here").mkdir()
        (folder / "usr/lib/here/libnss3.so").touch()

    return unpack


def test_an_unpacked_browser_finds_its_libraries_and_is_found_again(bare, monkeypatch):
    monkeypatch.setattr(fetch, "unpack", unpacking('#!/bin/sh\necho "$LD_LIBRARY_PATH"\n'))
    path = fetch.unpack_browser()
    folder = bare / "gnet_lib/chromium/usr/lib/here"
    assert subprocess.run([path], capture_output=True, text=True).stdout.strip() == str(folder)
    assert fetch.find_browser() == path
    write_script(bare / "bin/google-chrome", "#!/bin/sh\n")
    assert fetch.find_browser() == str(bare / "bin/google-chrome"), "the system's comes first"


def test_an_unpacked_browser_that_does_not_run_is_none(bare, monkeypatch):
    monkeypatch.setattr(fetch, "unpack", unpacking("#!/bin/sh\necho no libgtk\nexit 127\n"))
    with pytest.raises(fetch.NotThere, match="no libgtk"):
        fetch.unpack_browser()
    with pytest.raises(fetch.NotThere, match="none was found"):
        fetch.find_browser()


# --- serve ----------------------------------------------------------------------------


def free_port():
    """A port that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_serve_shows_the_book_on_this_machine_only(newcomer):
    page = newcomer.folder / "_build/html/index.html"
    page.parent.mkdir(parents=True)
    page.write_text("the book", encoding="utf-8")
    port = free_port()
    command = ["make", "--no-print-directory", "serve", f"PORT={port}", f"PYTHON={sys.executable}"]
    with subprocess.Popen(
        command,
        cwd=newcomer.folder,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as server:
        try:
            assert server.stdout
            assert f"Serving HTTP on 127.0.0.1 port {port}" in server.stdout.readline()
            assert urllib.request.urlopen(f"http://127.0.0.1:{port}/").read() == b"the book"
        finally:
            os.killpg(server.pid, signal.SIGTERM)


# --- what a newcomer meets ------------------------------------------------------------

# The environment's Python in the tests below: all it does is to answer for uv, with the file
# `uv` beside it. What pip is asked for, it has.
FAKE_PYTHON = """#!/bin/sh
case "$*" in "-m uv "*) exec sh "$(dirname "$0")/uv" "$@" ;; esac
"""
UV_WORKS = "echo Installed 150 packages"
# As uv says it, each.
OFFLINE = "error: Failed to download `torch==2.14.1`\n  cause: dns error"
MISSING = (
    "error: Distribution `torch==2.14.1 @ registry+https://pypi.org/simple` can't be installed"
)
FULL = "  cause: failed to write to file `a.py`: No space left on device (os error 28)"
# As pip says it, of uv itself.
PIP_OFFLINE = (
    "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError(...)'\n"
    "ERROR: No matching distribution found for uv==0.13.9"
)


def write_script(path, text):
    """A file that can be run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


class Newcomer:
    """A fresh copy of the project, in a folder with a space in its name, and `make` in it."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("Makefile", "uv.lock", "pyproject.toml", "tools/set_up.py"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)

    def uv(self, script):
        """Give the project an environment whose uv does this."""
        write_script(self.folder / ".venv/bin/python", FAKE_PYTHON)
        write_script(self.folder / ".venv/bin/uv", script)

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
        return (self.folder / ".venv/.ready-dev").exists()


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
        "Python 3.11 or newer is needed, but 'python3 --version' says: Python 3.8.18. "
        "Name another: make PYTHON=python3.12 ..."
    )
    newcomer.uv(UV_WORKS)
    assert newcomer.make().returncode == 0 and newcomer.is_ready()


def test_a_python_that_is_not_there_is_named(newcomer):
    done = newcomer.make("book", "PYTHON=python3.99")
    assert re.search(
        r"Python 3\.11 or newer is needed, but 'python3\.99 --version' says: .*not found",
        last_word(done),
    )


AGAIN = r"Then run the same command again"


def complaining(text):
    """What fails with these words."""
    return f"cat >&2 <<'END'\n{text}\nEND\nexit 1"


@pytest.mark.parametrize(
    "uv, advice",
    [
        (complaining(OFFLINE), rf"There is no connection, or it broke: .* network\. {AGAIN}"),
        (complaining(PIP_OFFLINE), rf"There is no connection, or it broke: .* network\. {AGAIN}"),
        (complaining(FULL), rf"The disk is full\. .* up to 0\.5 GB; [\d.]+ GB are free .* {AGAIN}"),
        (complaining(MISSING), r"torch==2\.14\.1 cannot be had for Python 3\.\d+.* Try another"),
        ("kill -9 $$", rf"The installation did not finish; .* {AGAIN}: .* begin anew: make clean"),
        ("kill -2 $PPID; sleep 5; exit 1", rf"Stopped\. {AGAIN}"),
    ],
    ids=["no network", "no network for pip", "full disk", "no build", "killed", "Ctrl-C"],
)
def test_what_stops_uv_is_said_last_and_the_second_try_works(newcomer, uv, advice):
    newcomer.uv(uv)
    done = newcomer.make()
    assert re.match(advice, last_word(done)), done.stderr
    assert not newcomer.is_ready()
    newcomer.uv(UV_WORKS)
    assert newcomer.make().returncode == 0 and newcomer.is_ready()
    assert "Installing" not in newcomer.make().stdout, "what is ready is left alone"


def test_the_book_asks_for_little_and_the_tests_for_the_rest(newcomer):
    newcomer.uv('echo "$@"')
    sync = "-m uv sync --frozen --inexact --python .venv/bin/python"
    first = newcomer.make(".venv/.ready-book", f"PYTHON={sys.executable}").stdout
    assert f"{sync} --only-group book\n" in first and "--group dev" not in first
    then = newcomer.make().stdout
    assert f"{sync} --group dev\n" in then and "--only-group" not in then


def test_colabs_versions_come_from_their_file(tmp_path):
    bring_uv, install = set_up.install_commands(tmp_path, ["-r", "requirements-colab.txt"])
    assert bring_uv[-1] == set_up.UV
    assert install[-3:] == [tmp_path / "bin/python", "-r", "requirements-colab.txt"]


def test_torch_without_gpu_code_stays(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert set_up.without_gpu_code(tmp_path) == []
    (tmp_path / "lib/python3.12/site-packages/torch-2.14.1+cpu.dist-info").mkdir(parents=True)
    left_out = {option.partition("=")[2] for option in set_up.without_gpu_code(tmp_path)}
    assert {"torch", "torchvision", "triton", "nvidia-cublas", "cuda-bindings"} <= left_out
    assert not {"torchinfo", "numpy"} & left_out


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
        .replace("$*", "dev")
    )
    commands = re.findall(r"`([^`]+)`", without.partition("**No uv?**")[0])
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
    assert set_up.main([".venv", "book"]) == 1
    assert capsys.readouterr().err.strip().startswith(advice)


def test_little_room_is_said_before_the_long_wait(monkeypatch, capsys):
    monkeypatch.setattr(set_up, "free_gb", lambda folder: 3.2)
    set_up.check_folder(8)
    said = "Only 3.2 GB are free here. The environment needs up to 8 GB; going on all the same.\n"
    assert capsys.readouterr().out == said


def test_python_without_ensurepip_is_named(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(set_up.importlib.util, "find_spec", lambda name: None)
    assert set_up.main([str(tmp_path / "absent"), "book"]) == 1
    assert "sudo apt install python3-venv" in capsys.readouterr().err


def test_an_environment_that_cannot_be_made(monkeypatch, capsys, tmp_path):
    (tmp_path / "file").write_text("")
    assert set_up.main([str(tmp_path / "file" / ".venv"), "book"]) == 1
    assert "could not be made; the line above says why" in capsys.readouterr().err


def test_a_half_made_environment_is_made_anew(tmp_path, monkeypatch):
    """Interrupted while pip was unpacked: pip is there, and does not run."""
    monkeypatch.setattr(set_up, "install_commands", lambda folder, wanted: [])
    folder = tmp_path / "my course" / ".venv"
    assert set_up.main([str(folder), "book"]) == 0
    (cli,) = folder.glob("lib/python3*/site-packages/pip/_internal/cli/main.py")
    cli.unlink()
    assert not set_up.works(folder / "bin/python")
    assert set_up.main([str(folder), "book"]) == 0
    assert cli.exists() and set_up.works(folder / "bin/python")


def test_serving_without_a_book_says_what_comes_first(newcomer):
    done = newcomer.make("serve")
    assert (
        done.returncode != 0
        and "There is no built book yet. Run first: make book" in done.stdout + done.stderr
    )
