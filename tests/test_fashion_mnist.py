"""Tests of gnet_lib.fashion_mnist. None of them needs a network.

Truth from outside: torchvision's own MD5 sums and its own reader of the files.
"""

import doctest
import errno
import gzip
import hashlib
import os
import signal
import socket
import struct
import sys
import tempfile
import threading
import time
import urllib.request
import warnings
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import make_sample
import pytest
import torch
import torchvision

from gnet_lib import fashion_mnist
from gnet_lib.fashion_mnist import (
    CLASS_NAMES,
    CorruptDataError,
    FashionMNIST,
    cache_folder,
    load_fashion_mnist,
    load_sample,
)

NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
REAL_LINE = "Fashion-MNIST: 20 training and 10 test images, real data, MD5 verified\n"
NOBODY = "http://127.0.0.1:9/"  # no server listens there


# --- fixtures ----------------------------------------------------------------------------


@pytest.fixture(scope="session")
def real_data_folder() -> Path:
    """The folder with the four packed files of the real data set."""
    candidates = [Path("/usr/share/datasets/fashion-mnist"), cache_folder()]
    if os.environ.get("GNET_DATA"):
        candidates.append(Path(os.environ["GNET_DATA"]))
    for folder in candidates:
        if all((folder / f"{name}.gz").is_file() for name in NAMES):
            return folder
    pytest.fail(
        "This test needs the real Fashion-MNIST files (packed, .gz). Install them with "
        "`make data` or `sudo apt-get install dataset-fashion-mnist`, or put them into "
        "a folder and name it in the environment variable GNET_DATA."
    )


@pytest.fixture(scope="session")
def unpacked_root(real_data_folder, tmp_path_factory) -> Path:
    """A folder as torchvision leaves it: root/FashionMNIST/raw, unpacked."""
    root = tmp_path_factory.mktemp("torchvision-root")
    raw = root / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for name in NAMES:
        packed = (real_data_folder / f"{name}.gz").read_bytes()
        (raw / name).write_bytes(gzip.decompress(packed))
    return root


@pytest.fixture(scope="session")
def real_data(unpacked_root) -> FashionMNIST:
    return load_fashion_mnist(unpacked_root, quiet=True)


@pytest.fixture(autouse=True)
def nothing_installed(monkeypatch, tmp_path):
    """Every test starts without data on the computer and without a network."""
    monkeypatch.delenv("GNET_DATA", raising=False)
    for variable in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(variable, str(tmp_path / "cache-home"))
    monkeypatch.setenv("no_proxy", "*")  # the tests' own server is on this computer
    monkeypatch.setattr(fashion_mnist, "DEBIAN_FOLDER", tmp_path / "debian")
    monkeypatch.setattr(fashion_mnist, "MIRRORS", (NOBODY,))


@pytest.fixture
def cache(tmp_path) -> Path:
    return tmp_path / "cache-home" / "gnet_lib" / "fashion-mnist"


def idx_images(count: int) -> bytes:
    generator = torch.Generator().manual_seed(count)
    pixels = torch.randint(256, (count, 28, 28), generator=generator)
    return struct.pack(">IIII", 2051, count, 28, 28) + bytes(pixels.flatten().tolist())


def idx_labels(labels: list[int]) -> bytes:
    return struct.pack(">II", 2049, len(labels)) + bytes(labels)


@pytest.fixture
def tiny(monkeypatch) -> dict[str, bytes]:
    """Four small files that take the place of the real ones, MD5 and all."""
    contents = {
        "train-images-idx3-ubyte": idx_images(20),
        "train-labels-idx1-ubyte": idx_labels([i % 10 for i in range(20)]),
        "t10k-images-idx3-ubyte": idx_images(10),
        "t10k-labels-idx1-ubyte": idx_labels(list(range(10))),
    }
    for name, content in contents.items():
        monkeypatch.setitem(fashion_mnist.FULL_MD5, name, hashlib.md5(content).hexdigest())
    return contents


def write(folder: Path, contents: dict[str, bytes], packed: bool = True) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        if packed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (folder / name).write_bytes(content)
    return folder


class Server:
    """A web server on this computer that serves `answers` and counts requests."""

    def __init__(self) -> None:
        self.answers: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.promised_too_much = 0  # bytes announced in the header but not sent
        self.hold: threading.Event | None = None  # how long an answer is left open
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.lstrip("/")
                server.requests.append(name)
                if name not in server.answers:
                    self.send_error(404)
                    return
                content = server.answers[name]
                self.send_response(200)
                length = len(content) + server.promised_too_much
                self.send_header("Content-Length", str(length))
                self.end_headers()
                self.wfile.write(content)
                if server.hold is not None:
                    self.wfile.flush()
                    server.hold.wait(60)

            def log_message(self, format: str, *args) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.http.server_port}/"

    def offer(self, contents: dict[str, bytes]) -> None:
        for name, content in contents.items():
            self.answers[f"{name}.gz"] = gzip.compress(content)


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setattr(fashion_mnist, "MIRRORS", (server.address,))
    yield server
    server.http.shutdown()
    server.http.server_close()
    thread.join()


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# --- the real data -----------------------------------------------------------------------


def test_the_files_are_those_of_torchvision(real_data_folder):
    # The published files differ from Debian's in the gzip header only: rebuilt
    # with the published name and time they must have torchvision's MD5 sums.
    # A packed file of any origin is accepted here.
    found = {}
    for name in NAMES:
        packed = (real_data_folder / f"{name}.gz").read_bytes()
        flags, has_name = packed[3], 8
        assert flags in (0, has_name)
        body = packed[10:]
        if flags == has_name:
            body = body[body.index(b"\0") + 1 :]
        seconds = 1504176627 if name.startswith("t10k") else 1504176606
        header = b"\x1f\x8b\x08\x08" + struct.pack("<I", seconds) + b"\x00\x03"
        rebuilt = header + name.encode() + b"\0" + body
        found[f"{name}.gz"] = hashlib.md5(rebuilt).hexdigest()
    assert found == dict(torchvision.datasets.FashionMNIST.resources)


def test_real_data_equals_what_torchvision_reads(real_data, unpacked_root):
    assert str(unpacked_root / "FashionMNIST" / "raw") in real_data.origin
    assert not real_data.is_sample
    for ours, is_train in ((real_data.train, True), (real_data.test, False)):
        theirs = torchvision.datasets.FashionMNIST(unpacked_root, train=is_train)
        assert torch.equal(ours.images[:, 0], theirs.data)
        assert torch.equal(ours.labels, theirs.targets)
        assert ours.labels.dtype == torch.int64
    assert list(CLASS_NAMES) == torchvision.datasets.FashionMNIST.classes


def test_real_data_counts_and_statistics(real_data):
    assert real_data.train.images.shape == (60_000, 1, 28, 28)
    assert real_data.train.labels.bincount().tolist() == [6000] * 10
    assert real_data.test.labels.bincount().tolist() == [1000] * 10
    # the two numbers that tutorials give for the training images
    mean, std = real_data.train.mean_and_std()
    assert (round(mean, 4), round(std, 4)) == (0.2860, 0.3530)
    normalised = real_data.test.normalised(mean, std).images
    plain = (real_data.test.images.double() / 255 - mean) / std
    torch.testing.assert_close(normalised.double(), plain, rtol=0, atol=1e-5)


# --- search order ------------------------------------------------------------------------


def test_search_order(tiny, tmp_path, cache, monkeypatch, server, capsys):
    # Every place has the data: they are taken away one after the other.
    server.offer(tiny)
    root = write(tmp_path / "root", tiny)
    named = write(tmp_path / "named", tiny, packed=False)
    debian = write(tmp_path / "debian", tiny)
    write(cache, tiny)
    monkeypatch.setenv("GNET_DATA", str(named))

    def origin(root=None) -> str:
        loaded = load_fashion_mnist(root)
        assert capsys.readouterr().out == REAL_LINE  # the same wherever it is from
        assert (len(loaded.train), len(loaded.test)) == (20, 10)
        assert not loaded.is_sample
        return loaded.origin

    real = "Real Fashion-MNIST, MD5 verified, from"
    assert origin(root) == origin(str(root)) == f"{real} the folder {root}, which root names."
    assert origin() == f"{real} the folder {named}, which GNET_DATA names."
    monkeypatch.setenv("GNET_DATA", "")  # empty counts as not set
    assert origin() == f"{real} the user's cache, {cache}."
    for path in cache.iterdir():
        path.unlink()
    assert origin() == f"{real} the Debian package dataset-fashion-mnist, {debian}."
    assert server.requests == []
    (debian / "t10k-labels-idx1-ubyte.gz").unlink()  # incomplete: as good as absent
    assert origin() == f"{real} the user's cache, {cache}."
    assert server.requests == [f"{name}.gz" for name in NAMES]
    assert names_in(cache) == sorted(f"{name}.gz" for name in NAMES)
    origin()  # the second time nothing is downloaded
    assert len(server.requests) == 4


def test_pixels_and_labels_come_out_as_they_went_in(tiny, tmp_path):
    loaded = load_fashion_mnist(write(tmp_path / "root", tiny), quiet=True)
    content = tiny["train-images-idx3-ubyte"]
    assert bytes(loaded.train.images.flatten().tolist()) == content[16:]
    assert loaded.test.labels.tolist() == list(range(10))


def test_packed_file_goes_before_the_unpacked_one(tiny, tmp_path):
    root = write(tmp_path / "root", tiny)
    (root / "train-images-idx3-ubyte").write_bytes(b"left over")
    assert len(load_fashion_mnist(root, quiet=True).train) == 20


@pytest.mark.parametrize("named_by", ["root", "GNET_DATA"])
def test_named_folder_without_data_is_an_error(tiny, tmp_path, cache, monkeypatch, named_by):
    write(cache, tiny)  # must not be used instead
    absent, half = tmp_path / "absent", tmp_path / "half"
    lost = {name: tiny.pop(name) for name in NAMES[1:3]}
    write(half, tiny)
    for folder, missing in ((absent, NAMES), (half, lost)):
        monkeypatch.setenv("GNET_DATA", str(folder))
        with pytest.raises(ValueError, match=f"{named_by} must .*{', '.join(missing)}:") as caught:
            load_fashion_mnist(folder if named_by == "root" else None)
        assert str(folder) in str(caught.value)


def test_root_of_a_wrong_type():
    with pytest.raises(ValueError, match="root must be .* 3"):
        load_fashion_mnist(3)  # pyright: ignore[reportArgumentType]


def test_user_cache_on_each_system(monkeypatch, tmp_path):
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    monkeypatch.setattr(sys, "platform", "win32")
    assert cache_folder() == tmp_path / "local" / "gnet_lib" / "fashion-mnist"
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "gnet_lib" / "fashion-mnist"


# --- damaged files -----------------------------------------------------------------------


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_one_flipped_bit_in_any_file_is_noticed(tiny, tmp_path, name, packed):
    expected = fashion_mnist.FULL_MD5[name]
    tiny[name] = tiny[name][:-1] + bytes([tiny[name][-1] ^ 1])
    found = hashlib.md5(tiny[name]).hexdigest()
    root = write(tmp_path / "root", tiny, packed)
    path = root / (f"{name}.gz" if packed else name)
    with pytest.raises(CorruptDataError, match=f"{expected}.*{found}.*Put a fresh copy") as caught:
        load_fashion_mnist(root)
    assert str(caught.value).startswith(f"{path} is damaged")


def test_damaged_gzip_at_every_place_in_the_file(tiny, tmp_path):
    # Cut short or with one byte changed, wherever: never the wrong data. (A change
    # of the header's time or system byte is harmless, and then the data is right.)
    root = write(tmp_path / "root", tiny)
    path = root / "t10k-images-idx3-ubyte.gz"
    whole = path.read_bytes()
    for length in (0, 1, 9, 10, 11, len(whole) // 2, len(whole) - 8, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(CorruptDataError, match="t10k-images-idx3-ubyte.gz is damaged"):
            load_fashion_mnist(root)
    harmless = {4, 5, 6, 7, 8, 9}
    for position in [*range(12), 100, len(whole) // 2, len(whole) - 6, len(whole) - 1]:
        changed = bytearray(whole)
        changed[position] ^= 0x55
        path.write_bytes(changed)
        if position in harmless:
            assert len(load_fashion_mnist(root, quiet=True).test) == 10
        else:
            with pytest.raises(CorruptDataError, match="is damaged"):
                load_fashion_mnist(root)


def test_damaged_file_of_the_debian_package(tiny, tmp_path):
    debian = write(tmp_path / "debian", tiny)
    (debian / "train-labels-idx1-ubyte.gz").write_bytes(b"")
    with pytest.raises(CorruptDataError, match="--reinstall dataset-fashion-mnist"):
        load_fashion_mnist()


# --- the cache ---------------------------------------------------------------------------


@pytest.mark.parametrize("packed", [True, False])
def test_damaged_file_in_the_cache_is_downloaded_again(tiny, cache, server, capsys, packed):
    name = "t10k-labels-idx1-ubyte"
    path = write(cache, tiny, packed) / (f"{name}.gz" if packed else name)
    path.write_bytes(path.read_bytes()[:-3])
    server.offer(tiny)
    loaded = load_fashion_mnist()
    assert loaded.test.labels.tolist() == list(range(10))
    assert server.requests == [f"{name}.gz"]  # only the damaged one
    first, second = capsys.readouterr().out.splitlines(keepends=True)
    assert first.startswith(f"{path} is damaged")
    assert first.endswith("Downloading it again.\n")
    assert second == REAL_LINE


def test_damaged_cache_without_download_is_an_error(tiny, cache):
    write(cache, tiny)
    (cache / "t10k-labels-idx1-ubyte.gz").write_bytes(b"")
    with pytest.raises(CorruptDataError, match=r"load_fashion_mnist\(download=True\)"):
        load_fashion_mnist(download=False)


def test_damaged_cache_that_cannot_be_repaired(tiny, tmp_path, cache):
    write(cache, tiny)
    (cache / "t10k-labels-idx1-ubyte.gz").write_bytes(b"")
    with pytest.warns(UserWarning, match="the download failed .*127.0.0.1:9"):
        assert load_fashion_mnist().is_sample
    write(tmp_path / "debian", tiny)  # real and whole: better than the sample
    assert "Debian package" in load_fashion_mnist().origin


# --- download ----------------------------------------------------------------------------


def test_mirrors_are_torchvisions_and_one_by_https(monkeypatch):
    monkeypatch.undo()  # the fixture above has replaced them
    assert list(fashion_mnist.MIRRORS[:-1]) == torchvision.datasets.FashionMNIST.mirrors
    assert fashion_mnist.MIRRORS[-1].startswith("https://")
    assert all(mirror.endswith("/") for mirror in fashion_mnist.MIRRORS)


def test_next_mirror_is_tried_and_progress_shown(tiny, server, monkeypatch, capsys):
    server.offer(tiny)
    monkeypatch.setattr(fashion_mnist, "MIRRORS", (NOBODY, server.address))
    assert not load_fashion_mnist(quiet=True).is_sample
    shown = capsys.readouterr()
    assert shown.out == ""
    assert all(f"{name}: 100%" in shown.err for name in NAMES)


def test_every_address_gets_the_timeout(tiny, cache, monkeypatch):
    seen = []

    def no_network(address, timeout):
        seen.append((address, timeout))
        raise OSError("no network")

    monkeypatch.setattr(urllib.request, "urlopen", no_network)
    monkeypatch.setattr(fashion_mnist, "MIRRORS", ("http://one/", "https://two/"))
    with pytest.warns(UserWarning, match="http://one/: no network; https://two/: no network"):
        load_fashion_mnist()
    name = "train-images-idx3-ubyte.gz"
    assert seen == [(f"http://one/{name}", 10), (f"https://two/{name}", 10)]
    assert names_in(cache) == []


def test_server_that_never_answers(tiny, cache, monkeypatch):
    monkeypatch.setattr(fashion_mnist, "TIMEOUT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        monkeypatch.setattr(fashion_mnist, "MIRRORS", (address,))
        with pytest.warns(UserWarning, match="timed out"):
            assert load_fashion_mnist().is_sample
    assert names_in(cache) == []


def test_interrupted_download_leaves_nothing_behind(tiny, cache, server):
    server.offer(tiny)
    name = "train-labels-idx1-ubyte.gz"
    server.answers[name] = server.answers[name][:-5]
    server.promised_too_much = 5
    with pytest.warns(UserWarning, match=f"{name} is damaged"):
        assert load_fashion_mnist().is_sample
    # The file before it had arrived whole and is kept; nothing else is there.
    assert names_in(cache) == ["train-images-idx3-ubyte.gz"]

    server.offer(tiny)
    server.promised_too_much = 0
    server.requests.clear()
    assert not load_fashion_mnist().is_sample
    assert len(server.requests) == 3  # goes on where it had stopped


@pytest.mark.parametrize(
    "answer",
    [b"<html>Please log in</html>", gzip.compress(b"another"), None],
    ids=["a page", "another file", "nothing"],
)
def test_answer_that_is_not_the_file(tiny, cache, server, answer):
    if answer is not None:  # else the server says 404
        server.answers["train-images-idx3-ubyte.gz"] = answer
    with pytest.warns(UserWarning, match="HTTP Error 404" if answer is None else "is damaged"):
        assert load_fashion_mnist().is_sample
    assert names_in(cache) == []


def test_ctrl_c_while_a_file_is_stored(tiny, cache, server, monkeypatch):
    server.offer(tiny)

    def pressed(self: Path, target: Path) -> None:
        assert names_in(cache) == [self.name] != [target.name]  # under another name first
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", pressed)
    with pytest.raises(KeyboardInterrupt):
        load_fashion_mnist()
    assert names_in(cache) == []


def test_cache_that_cannot_be_written(tiny, tmp_path, server):
    server.offer(tiny)
    (tmp_path / "cache-home").write_text("a file where a folder should be")
    with pytest.warns(UserWarning, match="the download failed"):
        assert load_fashion_mnist().is_sample
    assert server.requests == []


# --- where files lie, and who else is there ----------------------------------------------


def in_another_process(work) -> int:
    """Start a copy of this process that does the work; 0 is its code when all went well."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    return child


def exit_code(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def load_real() -> None:
    assert not load_fashion_mnist(quiet=True).is_sample


def wait_for(condition) -> None:
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    raise TimeoutError


def test_killed_while_a_file_is_stored(tiny, cache, server, monkeypatch):
    server.offer(tiny)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", lambda self, target: time.sleep(60))  # all is written
        child = in_another_process(load_real)
        wait_for(lambda: list(cache.glob("*.part")))
    os.kill(child, signal.SIGKILL)
    assert exit_code(child) == -signal.SIGKILL
    (left,) = names_in(cache)
    assert left.endswith(".part")
    load_real()  # what was left stands in nobody's way
    assert set(names_in(cache)) == {left, *(f"{name}.gz" for name in NAMES)}


def test_killed_while_a_file_arrives(tiny, cache, server):
    server.offer(tiny)
    server.promised_too_much = 5  # the end of the first file never comes
    server.hold = threading.Event()
    child = in_another_process(load_real)
    wait_for(lambda: server.requests)
    os.kill(child, signal.SIGKILL)
    assert exit_code(child) == -signal.SIGKILL
    server.hold.set()
    assert names_in(cache) == []


def test_two_processes_download_at_once(tiny, cache, server):
    server.offer(tiny)
    children = [in_another_process(load_real) for _ in range(3)]
    assert [exit_code(child) for child in children] == [0, 0, 0]
    assert names_in(cache) == sorted(f"{name}.gz" for name in NAMES)
    load_real()


@pytest.mark.parametrize("umask, mode", [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_cache_is_as_readable_as_the_umask_says(tiny, cache, server, umask, mode):
    server.offer(tiny)
    before = os.umask(umask)
    try:
        load_real()
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in cache.iterdir()} == {mode}


def test_disk_without_room(tiny, cache, server):
    resource = pytest.importorskip("resource")
    server.offer(tiny)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))  # bytes a file
    name = "train-images-idx3-ubyte.gz"
    try:
        with pytest.warns(UserWarning, match=f"{cache / name} cannot be written: .*SAMPLE"):
            assert load_fashion_mnist(quiet=True).is_sample
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert names_in(cache) == []


def test_file_that_may_not_be_read(tiny, tmp_path, cache, server, monkeypatch):
    read = Path.read_bytes
    name = "t10k-labels-idx1-ubyte.gz"

    def refuse(path: Path) -> bytes:
        if path in (cache / name, tmp_path / "root" / name):
            raise PermissionError(errno.EACCES, "Permission denied")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    root = write(tmp_path / "root", tiny)
    with pytest.raises(CorruptDataError, match=f"{root / name} cannot be read: Permission denied"):
        load_fashion_mnist(root)
    write(cache, tiny)
    with pytest.raises(CorruptDataError, match=f"{cache / name} cannot be read"):
        load_fashion_mnist(download=False)
    with pytest.warns(UserWarning, match="the download failed .*SAMPLE"):
        assert load_fashion_mnist(quiet=True).is_sample
    assert server.requests  # it was tried


def test_home_is_meant_by_a_tilde(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path / "mine", tiny)
    assert str(tmp_path / "mine") in load_fashion_mnist("~/mine", quiet=True).origin
    monkeypatch.setenv("GNET_DATA", "~/mine")
    assert str(tmp_path / "mine") in load_fashion_mnist(quiet=True).origin
    monkeypatch.setenv("XDG_CACHE_HOME", "~/kept")
    assert cache_folder() == tmp_path / "kept" / "gnet_lib" / "fashion-mnist"
    for root in ("~nobody-of-this-name/data", b"data", [], True):
        with pytest.raises(ValueError, match="root must be"):
            load_fashion_mnist(root)  # pyright: ignore[reportArgumentType]


def test_user_without_a_home(monkeypatch):
    def nowhere(path: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "expanduser", nowhere)
    assert cache_folder() == Path(tempfile.gettempdir()) / "gnet_lib" / "fashion-mnist"


def test_links(tiny, tmp_path, cache, server):
    server.offer(tiny)
    real = write(tmp_path / "real", tiny)
    cache.parent.mkdir(parents=True)
    cache.symlink_to(real)  # the folder
    load_real()
    assert server.requests == []
    name = "t10k-labels-idx1-ubyte.gz"
    (real / name).unlink()
    (real / name).symlink_to(tmp_path / "gone")  # a file that is no longer there
    load_real()
    assert server.requests == [name] and not (tmp_path / "gone").exists()


@pytest.mark.parametrize("bad", [None, 1, "no", []])
def test_switches_that_are_not_true_or_false(bad):
    for name in ("download", "quiet"):
        with pytest.raises(ValueError, match=f"{name} must be True or False"):
            load_fashion_mnist(**{name: bad})


# --- the sample --------------------------------------------------------------------------


def test_sample_is_loud(capsys):
    with pytest.warns(UserWarning) as caught:
        loaded = load_fashion_mnist(download=False)
    (warning,) = caught
    assert warning.filename == __file__  # points to the line that loads
    for words in ("switched off", "SAMPLE", "dataset-fashion-mnist", "GNET_DATA"):
        assert words in str(warning.message)
    assert loaded.is_sample
    assert "SAMPLE" in loaded.origin and "switched off" in loaded.origin
    assert "SAMPLE: only 3,000 training and 1,000 test images" in capsys.readouterr().out
    with pytest.warns(UserWarning, match="SAMPLE"):
        load_fashion_mnist(download=False, quiet=True)
    assert capsys.readouterr().out == ""


def test_no_warning_with_the_real_data(tiny, tmp_path):
    root = write(tmp_path / "root", tiny)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_fashion_mnist(root)
        load_sample()  # asked for by its name: nothing to warn of


def test_damaged_sample_is_an_error(tmp_path, monkeypatch):
    for path in fashion_mnist.SAMPLE_FOLDER.glob("*.gz"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(fashion_mnist, "SAMPLE_FOLDER", tmp_path)
    assert load_sample().is_sample
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(b""))
    with pytest.raises(CorruptDataError, match="Install gnet_lib again"):
        load_sample()


def test_sample_is_made_from_the_real_data(real_data, unpacked_root):
    # First by a plain loop here, then by the tool that has written the files.
    for ours, whole, per_class in (
        (load_sample().train, real_data.train, 300),
        (load_sample().test, real_data.test, 100),
    ):
        seen = [0] * 10
        chosen = []
        for position, label in enumerate(whole.labels.tolist()):
            if seen[label] < per_class:
                seen[label] += 1
                chosen.append(position)
        assert seen == [per_class] * 10
        assert torch.equal(ours.images, whole.images[chosen])
        assert torch.equal(ours.labels, whole.labels[chosen])
    assert make_sample.sample_files(unpacked_root) == {
        name: gzip.decompress((fashion_mnist.SAMPLE_FOLDER / f"{name}.gz").read_bytes())
        for name in NAMES
    }


def test_sample_has_its_licence_and_nothing_else():
    assert names_in(fashion_mnist.SAMPLE_FOLDER) == sorted(
        ["LICENSE", *(f"{name}.gz" for name in NAMES)]
    )
    assert "Copyright (c) 2017 Zalando SE" in (fashion_mnist.SAMPLE_FOLDER / "LICENSE").read_text()


# --- the room ----------------------------------------------------------------------------


def test_examples_in_the_docstrings(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("GNET_DATA", str(write(tmp_path / "named", tiny)))
    result = doctest.testmod(fashion_mnist)
    assert result.failed == 0
    assert result.attempted >= 7
