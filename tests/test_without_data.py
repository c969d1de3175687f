"""A reader offline, without the data set: each chapter does what `python -m gnet_lib` says of it.

The chapters that load Fashion-MNIST are executed where only the library's sample can be found.
One that runs on the sample must say so in every cell whose output is then not the stored one.
"""

import nbformat
import pytest
import refresh
from colab import comparable
from conftest import BOOK
from hand_out import short_name
from nbclient.exceptions import CellExecutionError

from gnet_lib.__main__ import NEED_ALL_IMAGES, ON_THE_SAMPLE
from gnet_lib.fashion_mnist import FashionMNIST, SampleOnlyError, load_sample

# Runs before the chapter's own cells: neither Debian's package nor a mirror is there.
NOWHERE = """
from pathlib import Path
from gnet_lib import fashion_mnist
fashion_mnist.DEBIAN_FOLDER = Path("nowhere")
fashion_mnist.MIRRORS = ("http://127.0.0.1:9/",)
"""


def code_cells(notebook):
    """The cells that run."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def loads_data(path):
    """Whether a chapter's own code loads Fashion-MNIST."""
    notebook = nbformat.read(path, as_version=4)
    return any("load_fashion_mnist(" in cell.source for cell in code_cells(notebook))


CHAPTERS = {short_name(path): path for path in sorted(BOOK.glob("*.ipynb")) if loads_data(path)}


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """A folder to work in, for kernels that find no data of this computer."""
    for variable in ("GNET_DATA", "MPLBACKEND"):
        monkeypatch.delenv(variable, raising=False)
    for variable in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.setenv("no_proxy", "*")
    return tmp_path


def execute(name, folder):
    """The chapter as it is stored, as it comes out here, and the error that stopped it, if any."""
    stored, executed = (nbformat.read(CHAPTERS[name], as_version=4) for _ in range(2))
    executed.cells.insert(0, nbformat.v4.new_code_cell(NOWHERE))
    for cell in code_cells(executed):
        cell.outputs = []
    error = None
    try:
        refresh.execute(executed, folder)
    except CellExecutionError as stopped:
        error = stopped
    del executed.cells[0]
    return code_cells(stored), code_cells(executed), error


def printed(cell):
    """What a cell has printed."""
    return "".join(output.get("text", "") for output in cell.outputs)


def shown(cell):
    """What must be equal wherever the data are the same; nothing where it differs anyway."""
    if "nbval-ignore-output" in cell.metadata.get("tags", []):
        return None
    return [comparable(output) for output in cell.outputs]


def test_the_environment_check_speaks_of_every_chapter_with_data():
    assert sorted(CHAPTERS) == sorted(ON_THE_SAMPLE + NEED_ALL_IMAGES)


@pytest.mark.parametrize("name", ON_THE_SAMPLE)
def test_a_chapter_runs_on_the_sample_and_says_so(name, offline):
    """Up to half a minute each: of the training only a part is left."""
    stored, executed, error = execute(name, offline)
    assert error is None, error
    silent = [
        new.source
        for old, new in zip(stored, executed, strict=True)
        if (shown(new) is None or shown(new) != shown(old)) and "SAMPLE" not in printed(new)
    ]
    assert silent == []
    assert sum("SAMPLE" in printed(cell) for cell in executed) >= 4


@pytest.mark.parametrize("name", NEED_ALL_IMAGES)
def test_a_chapter_that_needs_all_images_stops_where_it_loads_them(name, offline):
    _, executed, error = execute(name, offline)
    assert error is not None and error.ename == "SampleOnlyError"
    last = next(i for i, cell in enumerate(executed) if "load_fashion_mnist(" in cell.source)
    assert not any(cell.outputs for cell in executed[last + 1 :])
    (said,) = [output for output in executed[last].outputs if output.output_type == "error"]
    assert len(said.traceback) == 1, "a sentence and no traceback"
    assert "70,000 images" in said.evalue and "GNET_DATA" in said.evalue


# --- the two lines that say it --------------------------------------------------------


def test_the_sample_is_refused_and_announced(capsys):
    sample = load_sample()
    with pytest.raises(SampleOnlyError, match=r"all 70,000 .* its sample of 4,000: connect"):
        sample.require_all()
    sample.say_if_sample()
    assert "SAMPLE (3,000 training and 1,000 test images of 70,000)" in capsys.readouterr().out


def test_nothing_is_said_of_the_whole_data_set(capsys):
    sample = load_sample()
    whole = FashionMNIST(sample.train, sample.test, origin="all are here", is_sample=False)
    whole.require_all()
    whole.say_if_sample()
    assert capsys.readouterr().out == ""
