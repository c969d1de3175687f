"""Tests of gnet_lib.data. None of them needs a network.

Truth from outside: torchvision's own MD5 sums and its own reader of the files,
and the replicate padding of torch.
"""

import doctest
import gzip
import hashlib
import importlib.util
import math
import os
import socket
import struct
import subprocess
import sys
import threading
import urllib.request
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
import torchvision

from gnet_lib import data
from gnet_lib.data import (
    CLASS_NAMES,
    CorruptDataError,
    ImageDataset,
    batches,
    load_fashion_mnist,
    load_sample,
    shift_and_flip,
)

REPOSITORY = Path(__file__).parent.parent
NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
REAL_LINE = "Fashion-MNIST: 20 training and 10 test images, real data, MD5 verified\n"


# ------------------------------------------------------------------ fixtures


@pytest.fixture(scope="session")
def real_data_folder() -> Path:
    """The folder with the four packed files of the real data set."""

    candidates = [Path("/usr/share/datasets/fashion-mnist"), data._user_cache()]
    if os.environ.get("GNET_DATA"):
        named = Path(os.environ["GNET_DATA"])
        candidates += [named, named / "raw", named / "FashionMNIST" / "raw"]
    for folder in candidates:
        if all((folder / f"{name}.gz").is_file() for name in NAMES):
            return folder
    pytest.fail(
        "This test needs the real Fashion-MNIST files (packed, .gz). Install them with "
        "`make data` or `sudo apt-get install dataset-fashion-mnist`, or put them into "
        "a folder and name it in the environment variable GNET_DATA."
    )


@pytest.fixture(scope="session")
def real_data(real_data_folder):
    return load_fashion_mnist(real_data_folder, quiet=True)


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


@pytest.fixture(autouse=True)
def nothing_installed(monkeypatch, tmp_path):
    """Every test starts without data on the computer and without a network."""
    monkeypatch.delenv("GNET_DATA", raising=False)
    for variable in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(variable, str(tmp_path / "cache-home"))
    monkeypatch.setenv("no_proxy", "*")  # the tests' own server is on this computer
    monkeypatch.setattr(data, "DEBIAN_FOLDER", tmp_path / "debian")
    monkeypatch.setattr(data, "_mirrors", lambda: ["http://127.0.0.1:9/"])


@pytest.fixture
def cache(tmp_path) -> Path:
    return tmp_path / "cache-home" / "gnet_lib" / "fashion-mnist"


def idx_images(count: int, size: int = 28, magic: int = 2051) -> bytes:
    generator = torch.Generator().manual_seed(count)
    pixels = torch.randint(256, (count, size, size), generator=generator)
    header = struct.pack(">IIII", magic, count, size, size)
    return header + bytes(pixels.flatten().tolist())


def idx_labels(labels: list[int], magic: int = 2049) -> bytes:
    return struct.pack(">II", magic, len(labels)) + bytes(labels)


@pytest.fixture
def tiny(monkeypatch) -> dict[str, bytes]:
    """Four small files that take the place of the real ones, MD5 and all."""
    contents = {
        "train-images-idx3-ubyte": idx_images(20),
        "train-labels-idx1-ubyte": idx_labels([i % 10 for i in range(20)]),
        "t10k-images-idx3-ubyte": idx_images(10),
        "t10k-labels-idx1-ubyte": idx_labels(list(range(10))),
    }
    expect(monkeypatch, contents)
    return contents


def expect(monkeypatch, contents: dict[str, bytes]) -> None:
    """Make gnet_lib expect the MD5 sums of these files."""
    for name, content in contents.items():
        monkeypatch.setitem(data.FULL_MD5, name, hashlib.md5(content).hexdigest())


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

            def log_message(self, *args) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.http.server_port}/"

    def offer(self, contents: dict[str, bytes]) -> None:
        for name, content in contents.items():
            self.answers[f"{name}.gz"] = gzip.compress(content)


@pytest.fixture
def server(monkeypatch):
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setattr(data, "_mirrors", lambda: [server.address])
    yield server
    server.http.shutdown()
    server.http.server_close()
    thread.join()


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# ------------------------------------------------------------- the real data


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


def test_expected_md5_is_that_of_the_unpacked_files(unpacked_root):
    raw = unpacked_root / "FashionMNIST" / "raw"
    found = {name: hashlib.md5((raw / name).read_bytes()).hexdigest() for name in NAMES}
    assert found == data.FULL_MD5


def test_real_data_equals_what_torchvision_reads(real_data, unpacked_root):
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


def test_unpacked_files_in_torchvisions_folders(unpacked_root, capsys):
    line = "Fashion-MNIST: 60,000 training and 10,000 test images, real data, MD5 verified"
    for folder in (unpacked_root, unpacked_root / "FashionMNIST"):
        loaded = load_fashion_mnist(folder)
        assert str(unpacked_root / "FashionMNIST" / "raw") in loaded.origin
        assert not loaded.is_sample
        assert capsys.readouterr().out.strip() == line


# --------------------------------------------------------------- search order


def test_search_order(tiny, tmp_path, cache, monkeypatch, server, capsys):
    # Every place has the data: they are taken away one after the other.
    server.offer(tiny)
    write(tmp_path / "root", tiny)
    write(tmp_path / "named", tiny, packed=False)
    write(tmp_path / "debian", tiny)
    write(cache, tiny)
    monkeypatch.setenv("GNET_DATA", str(tmp_path / "named"))

    def origin(root=None) -> str:
        loaded = load_fashion_mnist(root)
        assert capsys.readouterr().out == REAL_LINE  # the same wherever it is from
        assert (len(loaded.train), len(loaded.test)) == (20, 10)
        assert not loaded.is_sample
        return loaded.origin

    real = "Real Fashion-MNIST, MD5 verified, from"
    root, named = tmp_path / "root", tmp_path / "named"
    assert origin(root) == f"{real} the folder {root}, which root names."
    assert origin(str(root)) == origin(root)
    assert origin() == f"{real} the folder {named}, which GNET_DATA names."
    monkeypatch.setenv("GNET_DATA", "")  # empty counts as not set
    assert origin() == f"{real} the user's cache, {cache}."
    for path in cache.iterdir():
        path.unlink()
    debian = tmp_path / "debian"
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


def test_quiet_prints_nothing(tiny, tmp_path, capsys):
    load_fashion_mnist(write(tmp_path / "root", tiny), quiet=True)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("named_by", ["root", "GNET_DATA"])
def test_named_folder_without_data_is_an_error(tiny, tmp_path, cache, monkeypatch, named_by):
    write(cache, tiny)  # must not be used instead

    def load(folder):
        if named_by == "root":
            return load_fashion_mnist(folder)
        monkeypatch.setenv("GNET_DATA", str(folder))
        return load_fashion_mnist()

    with pytest.raises(ValueError) as caught:
        load(tmp_path / "absent")
    message = str(caught.value)
    assert message.startswith(f"{named_by} must name a folder with the four files")
    assert all(name in message for name in NAMES)
    assert f"got '{tmp_path / 'absent'}', which is not a folder" in message
    assert "put the files there, or" in message

    del tiny["train-labels-idx1-ubyte"], tiny["t10k-images-idx3-ubyte"]
    missing = "where train-labels-idx1-ubyte and t10k-images-idx3-ubyte cannot be found"
    with pytest.raises(ValueError, match=missing):
        load(write(tmp_path / "half", tiny))


def test_root_of_a_wrong_type():
    with pytest.raises(ValueError, match="root must be the path of a folder; got int"):
        load_fashion_mnist(3)


def test_user_cache_on_each_system(monkeypatch, tmp_path):
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    monkeypatch.setattr(sys, "platform", "win32")
    assert data._user_cache() == tmp_path / "local" / "gnet_lib" / "fashion-mnist"
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert data._user_cache() == tmp_path / ".cache" / "gnet_lib" / "fashion-mnist"


# ------------------------------------------------------------- damaged files


def labels_up_to(highest: int) -> bytes:
    return idx_labels([*range(9), highest])


DAMAGED = {
    "wrong image magic": (
        "t10k-images-idx3-ubyte",
        idx_images(10, magic=2049),
        "expected the IDX magic number 2051, found 2049",
    ),
    "wrong label magic": (
        "t10k-labels-idx1-ubyte",
        idx_labels(list(range(10)), magic=2051),
        "expected the IDX magic number 2049, found 2051",
    ),
    "images too short": (
        "t10k-images-idx3-ubyte",
        idx_images(10)[:-1],
        "expected 7,856 bytes unpacked, as its header says, found 7,855 bytes",
    ),
    "images too long": (
        "t10k-images-idx3-ubyte",
        idx_images(10) + b"\0",
        "expected 7,856 bytes unpacked, as its header says, found 7,857 bytes",
    ),
    "labels too short": (
        "t10k-labels-idx1-ubyte",
        idx_labels(list(range(10)))[:-2],
        "expected 18 bytes unpacked, as its header says, found 16 bytes",
    ),
    "no header": (
        "t10k-images-idx3-ubyte",
        b"\0\0\x08\x03",
        "expected an IDX header of 16 bytes, found 4 bytes in all",
    ),
    "empty": (
        "t10k-labels-idx1-ubyte",
        b"",
        "expected an IDX header of 8 bytes, found 0 bytes in all",
    ),
    "no labels": (
        "t10k-labels-idx1-ubyte",
        idx_labels([]),
        "expected at least one label, found none",
    ),
    "no images": (
        "t10k-images-idx3-ubyte",
        idx_images(0),
        "expected at least one image of 28x28 pixels, found 0 of 28x28",
    ),
    "wrong size": (
        "t10k-images-idx3-ubyte",
        idx_images(10, size=32),
        "expected at least one image of 28x28 pixels, found 10 of 32x32",
    ),
    "label out of range": (
        "t10k-labels-idx1-ubyte",
        labels_up_to(10),
        "expected labels from 0 to 9, found a 10",
    ),
    "more labels than images": (
        "t10k-labels-idx1-ubyte",
        idx_labels([1] * 11),
        "expected 10 labels, as many as t10k-images-idx3-ubyte.gz has images, found 11 labels",
    ),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_damaged_content(tiny, tmp_path, kind, monkeypatch):
    name, content, message = DAMAGED[kind]
    tiny[name] = content
    expect(monkeypatch, tiny)  # the MD5 fits, so the check under test must notice
    root = write(tmp_path / "root", tiny)
    with pytest.raises(CorruptDataError) as caught:
        load_fashion_mnist(root)
    assert f"{root / name}.gz is damaged: {message}" in str(caught.value)
    assert "Put a fresh copy of the file there" in str(caught.value)
    if not kind.startswith("more labels"):  # names the packed file
        (root / f"{name}.gz").unlink()
        (root / name).write_bytes(content)  # the same guard for an unpacked file
        with pytest.raises(CorruptDataError, match="is damaged") as caught:
            load_fashion_mnist(root)
        assert f"{root / name} is damaged: {message}" in str(caught.value)


def test_flipped_pixel_in_an_unpacked_file(tiny, tmp_path):
    root = write(tmp_path / "root", tiny, packed=False)
    path = root / "train-images-idx3-ubyte"
    content = bytearray(path.read_bytes())
    content[1000] ^= 1  # a perfectly good file but for one bit of one pixel
    path.write_bytes(content)
    expected = data.FULL_MD5[path.name]
    found = hashlib.md5(content).hexdigest()
    with pytest.raises(CorruptDataError) as caught:
        load_fashion_mnist(root)
    assert f"expected the MD5 {expected} (unpacked), found {found}" in str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_md5_of_every_file_is_checked(tiny, tmp_path, monkeypatch, name):
    root = write(tmp_path / "root", tiny)
    monkeypatch.setitem(data.FULL_MD5, name, "0" * 32)
    with pytest.raises(CorruptDataError, match=f"{name}.gz is damaged.*MD5 {'0' * 32}"):
        load_fashion_mnist(root)


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


def test_not_a_gzip_file_at_all(tiny, tmp_path):
    root = write(tmp_path / "root", tiny)
    (root / "train-labels-idx1-ubyte.gz").write_bytes(b"<html>Please log in</html>")
    message = "expected a complete gzip file, found 26 bytes that cannot be unpacked"
    with pytest.raises(CorruptDataError, match=message):
        load_fashion_mnist(root)


def test_damaged_file_of_the_debian_package(tiny, tmp_path):
    debian = write(tmp_path / "debian", tiny)
    (debian / "train-labels-idx1-ubyte.gz").write_bytes(b"")
    with pytest.raises(CorruptDataError, match="--reinstall dataset-fashion-mnist"):
        load_fashion_mnist()


# ------------------------------------------------------------------ the cache


def test_damaged_cache_is_downloaded_again(tiny, cache, server, capsys):
    write(cache, tiny)
    path = cache / "t10k-labels-idx1-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-3])
    server.offer(tiny)
    loaded = load_fashion_mnist()
    assert loaded.test.labels.tolist() == list(range(10))
    assert server.requests == ["t10k-labels-idx1-ubyte.gz"]  # only the damaged one
    first, second = capsys.readouterr().out.splitlines(keepends=True)
    assert first.startswith(f"{path} is damaged: expected a complete gzip file")
    assert first.endswith("Downloading it again.\n")
    assert second == REAL_LINE


def test_damaged_unpacked_file_in_the_cache(tiny, cache, server):
    write(cache / "raw", tiny, packed=False)
    (cache / "raw" / "t10k-labels-idx1-ubyte").write_bytes(b"junk")
    server.offer(tiny)
    assert load_fashion_mnist().test.labels.tolist() == list(range(10))
    assert server.requests == ["t10k-labels-idx1-ubyte.gz"]


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


# ------------------------------------------------------------------- download


def test_mirrors_are_torchvisions_and_one_by_https(monkeypatch):
    monkeypatch.undo()  # the fixture above has replaced _mirrors
    theirs = torchvision.datasets.FashionMNIST.mirrors
    assert data._mirrors() == [*theirs, data.HTTPS_MIRROR]
    assert data.HTTPS_MIRROR.startswith("https://")
    assert all(mirror.endswith("/") for mirror in data._mirrors())
    monkeypatch.setitem(sys.modules, "torchvision.datasets", None)  # cannot be imported
    assert data._mirrors() == [data.HTTPS_MIRROR]


def test_next_mirror_is_tried(tiny, cache, server, monkeypatch):
    server.offer(tiny)
    monkeypatch.setattr(data, "_mirrors", lambda: ["http://127.0.0.1:9/", server.address])
    assert not load_fashion_mnist().is_sample


def test_every_address_gets_the_timeout(tiny, cache, monkeypatch):
    seen = []

    def no_network(address, timeout):
        seen.append((address, timeout))
        raise OSError("no network")

    monkeypatch.setattr(urllib.request, "urlopen", no_network)
    monkeypatch.setattr(data, "_mirrors", lambda: ["http://one/", "https://two/"])
    with pytest.warns(UserWarning, match="http://one/: no network; https://two/: no network"):
        load_fashion_mnist()
    name = "train-images-idx3-ubyte.gz"
    assert seen == [(f"http://one/{name}", 10), (f"https://two/{name}", 10)]
    assert names_in(cache) == []


def test_server_that_never_answers(tiny, cache, monkeypatch):
    monkeypatch.setattr(data, "TIMEOUT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        monkeypatch.setattr(data, "_mirrors", lambda: [address])
        with pytest.warns(UserWarning, match="timed out"):
            assert load_fashion_mnist().is_sample
    assert names_in(cache) == []


def test_interrupted_download_leaves_nothing_behind(tiny, cache, server):
    server.offer(tiny)
    name = "train-labels-idx1-ubyte.gz"
    server.answers[name] = server.answers[name][:-5]
    server.promised_too_much = 5
    with pytest.warns(UserWarning, match=f"{name} is damaged: expected a complete gzip"):
        assert load_fashion_mnist().is_sample
    # The file before it had arrived whole and is kept; nothing else is there.
    assert names_in(cache) == ["train-images-idx3-ubyte.gz"]

    server.offer(tiny)
    server.promised_too_much = 0
    server.requests.clear()
    assert not load_fashion_mnist().is_sample
    assert len(server.requests) == 3  # goes on where it had stopped


def test_downloaded_file_with_the_wrong_content(tiny, cache, server):
    server.offer(tiny)
    server.offer({"train-images-idx3-ubyte": idx_images(20)[:-1] + b"x"})
    with pytest.warns(UserWarning, match="train-images-idx3-ubyte.gz is damaged.*MD5"):
        assert load_fashion_mnist().is_sample
    assert names_in(cache) == []


def test_file_that_the_server_lacks(tiny, cache, server):
    with pytest.warns(UserWarning, match="HTTP Error 404"):
        assert load_fashion_mnist().is_sample
    assert names_in(cache) == []


def test_ctrl_c_during_a_download(tiny, cache, monkeypatch):
    class Response:
        headers = {}
        blocks = iter([b"first block"])

        def __enter__(self):
            return self

        def __exit__(self, *details):
            return None

        def read(self, size):
            for block in self.blocks:
                assert len(names_in(cache)) == 1  # the temporary file
                return block
            raise KeyboardInterrupt

    monkeypatch.setattr(urllib.request, "urlopen", lambda *a, **k: Response())
    with pytest.raises(KeyboardInterrupt):
        load_fashion_mnist()
    assert names_in(cache) == []


def test_cache_that_cannot_be_written(tiny, tmp_path, server):
    server.offer(tiny)
    (tmp_path / "cache-home").write_text("a file where a folder should be")
    with pytest.warns(UserWarning, match="the download failed"):
        assert load_fashion_mnist().is_sample
    assert server.requests == []


def test_download_shows_its_progress(tiny, cache, server, capsys):
    server.offer(tiny)
    load_fashion_mnist(quiet=True)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert all(f"{name}: 100%" in shown.err for name in NAMES)


# ----------------------------------------------------------------- the sample


def test_sample_is_loud(capsys):
    with pytest.warns(UserWarning) as caught:
        loaded = load_fashion_mnist(download=False)
    (warning,) = caught
    assert warning.filename == __file__  # points to the line that loads
    assert "downloading was switched off" in str(warning.message)
    assert "Only the small SAMPLE" in str(warning.message)
    assert "sudo apt-get install dataset-fashion-mnist" in str(warning.message)
    assert "GNET_DATA" in str(warning.message)
    assert loaded.is_sample
    assert loaded.origin == (
        "Only the SAMPLE of Fashion-MNIST that is bundled with gnet_lib, because no "
        "copy is on this computer and downloading was switched off."
    )
    line = capsys.readouterr().out
    assert line.startswith("Fashion-MNIST SAMPLE: only 3,000 training and 1,000 test images")
    assert "too few for the accuracies in this book" in line


def test_quiet_does_not_silence_the_warning(capsys):
    with pytest.warns(UserWarning, match="SAMPLE"):
        load_fashion_mnist(download=False, quiet=True)
    assert capsys.readouterr().out == ""


def test_no_warning_with_the_real_data(tiny, tmp_path):
    root = write(tmp_path / "root", tiny)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_fashion_mnist(root)
        load_sample()  # asked for by its name: nothing to warn of


def test_sample_is_balanced():
    sample = load_sample()
    assert sample.train.images.shape == (3000, 1, 28, 28)
    assert sample.train.labels.bincount().tolist() == [300] * 10
    assert sample.test.labels.bincount().tolist() == [100] * 10


def test_damaged_sample_is_an_error(tmp_path, monkeypatch):
    for path in data.SAMPLE_FOLDER.glob("*.gz"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(data, "SAMPLE_FOLDER", tmp_path)
    assert load_sample().is_sample
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(b""))
    with pytest.raises(CorruptDataError, match="Install gnet_lib again"):
        load_sample()


def test_sample_is_made_from_the_real_data(real_data, real_data_folder):
    # First by a plain loop here, then by the tool that has written the files.
    for name, ours, whole, per_class in (
        ("train", load_sample().train, real_data.train, 300),
        ("test", load_sample().test, real_data.test, 100),
    ):
        seen = [0] * 10
        chosen = []
        for position, label in enumerate(whole.labels.tolist()):
            if seen[label] < per_class:
                seen[label] += 1
                chosen.append(position)
        assert torch.equal(ours.images, whole.images[chosen]), name
        assert torch.equal(ours.labels, whole.labels[chosen]), name

    path = REPOSITORY / "tools" / "make_sample.py"
    specification = importlib.util.spec_from_file_location("make_sample", path)
    tool = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(tool)
    made = tool.sample_files(real_data_folder)
    bundled = {
        name: gzip.decompress((data.SAMPLE_FOLDER / f"{name}.gz").read_bytes()) for name in NAMES
    }
    assert made == bundled


def test_sample_has_its_licence_and_nothing_else():
    assert names_in(data.SAMPLE_FOLDER) == sorted(["LICENSE", *(f"{name}.gz" for name in NAMES)])
    licence = (data.SAMPLE_FOLDER / "LICENSE").read_text()
    assert "Copyright (c) 2017 Zalando SE" in licence
    assert "Permission is hereby granted, free of charge" in licence
    assert "github.com/zalandoresearch/fashion-mnist" in licence


# ------------------------------------------------------------------ image sets


def small_set(count: int = 40) -> ImageDataset:
    """Images that all differ, with the labels 0 to 9 in turn."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (count, 1, 28, 28), generator=generator)
    return ImageDataset(images.to(torch.uint8), torch.arange(count) % 10)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"images": [1, 2]}, "images must be a Tensor; got list"),
        (
            {"images": torch.zeros(4, 28, 28)},
            r"shape \(N, 1, 28, 28\) with N of at least 1; got \(4, 28, 28\)",
        ),
        ({"images": torch.zeros(4, 3, 28, 28)}, r"got \(4, 3, 28, 28\)"),
        ({"images": torch.zeros(0, 1, 28, 28)}, r"got \(0, 1, 28, 28\)"),
        ({"images": torch.zeros(4, 1, 28, 28).double()}, "got torch.float64"),
        ({"images": torch.zeros(3, 1, 28, 28)}, "got 3 images and 4 labels"),
        ({"labels": (1, 2)}, "labels must be a Tensor; got tuple"),
        ({"labels": torch.zeros(4, 1).long()}, r"got \(4, 1\) and torch.int64"),
        ({"labels": torch.zeros(4)}, r"torch.int64; got \(4,\) and torch.float32"),
        ({"labels": torch.tensor([0, 3, 10, 1])}, "got values from 0 to 10"),
        ({"labels": torch.tensor([0, 3, -1, 1])}, "got values from -1 to 3"),
        (
            {"labels": torch.zeros(4, device="meta").long()},
            "got images on cpu and labels on meta",
        ),
    ],
)
def test_image_set_refuses(change, message, monkeypatch):
    parts = {"images": torch.zeros(4, 1, 28, 28), "labels": torch.zeros(4).long()}
    ImageDataset(**parts)  # is fine
    if "meta" in message:  # the values of a meta tensor cannot be looked at
        monkeypatch.setattr(data, "_check_labels", lambda labels: None)
    with pytest.raises(ValueError, match=message):
        ImageDataset(**{**parts, **change})


def test_image_set_is_short_in_print():
    assert repr(small_set()) == "ImageDataset(40 images, torch.uint8, on cpu)"
    assert len(small_set()) == 40


def test_mean_and_std_by_hand():
    whole = small_set()
    scaled = whole.images.double() / 255
    mean, std = whole.mean_and_std()
    assert math.isclose(mean, scaled.mean().item(), rel_tol=1e-12)
    assert math.isclose(std, scaled.std(unbiased=False).item(), rel_tol=1e-12)


def test_normalising():
    whole = small_set()
    before = whole.images.clone()
    normalised = whole.normalised(0.25, 0.5)
    assert normalised.images.dtype == torch.float32
    torch.testing.assert_close(normalised.images, (before / 255 - 0.25) / 0.5)
    assert torch.equal(whole.images, before)  # the original is untouched
    with pytest.raises(ValueError, match=r"mean_and_std\(\) needs .*got torch.float32"):
        normalised.mean_and_std()
    with pytest.raises(ValueError, match=r"normalised\(\) needs .*got torch.float32"):
        normalised.normalised(0.25, 0.5)
    for std in (0, -1, math.nan, math.inf):
        with pytest.raises(ValueError, match=f"std must be .*above 0; got {std}"):
            whole.normalised(0.25, std)
    with pytest.raises(ValueError, match="mean must be a finite number; got nan"):
        whole.normalised(math.nan, 1)


def test_stratified_subset_is_balanced_random_and_repeatable():
    whole = load_sample().train
    some = whole.stratified_subset(200)
    assert some.labels.bincount().tolist() == [20] * 10
    assert torch.equal(some.images, whole.stratified_subset(200).images)
    assert not torch.equal(some.images, whole.stratified_subset(200, seed=1).images)
    assert whole.stratified_subset(13).labels.bincount().tolist() == [2, 2, 2] + [1] * 7
    assert torch.equal(whole.stratified_subset(3000).images, whole.images)  # the order is kept


def test_stratified_subset_keeps_images_and_labels_together():
    images = torch.zeros(40, 1, 28, 28, dtype=torch.uint8)
    images += torch.arange(40, dtype=torch.uint8)[:, None, None, None]
    some = ImageDataset(images, torch.arange(40) % 10).stratified_subset(20)
    assert torch.equal(some.images[:, 0, 0, 0] % 10, some.labels)


def test_split_is_a_partition():
    images = torch.zeros(40, 1, 28, 28, dtype=torch.uint8)
    images += torch.arange(40, dtype=torch.uint8)[:, None, None, None]
    whole = ImageDataset(images, torch.arange(40) % 10)
    rest, held_out = whole.split(10)
    assert held_out.labels.bincount().tolist() == [1] * 10
    numbers = torch.cat([rest.images, held_out.images])[:, 0, 0, 0]
    assert sorted(numbers.tolist()) == list(range(40))
    assert torch.equal(held_out.images, whole.split(10)[1].images)
    assert not torch.equal(held_out.images, whole.split(10, seed=1)[1].images)


@pytest.mark.parametrize("count", [0, -1, 41])
def test_stratified_subset_out_of_range(count):
    with pytest.raises(ValueError, match=f"count must be from 1 to 40; got {count}"):
        small_set().stratified_subset(count)


def test_counts_that_do_not_fit():
    with pytest.raises(ValueError, match="count must be from 1 to 39; got 40"):
        small_set().split(40)
    with pytest.raises(ValueError, match="count must be a whole number; got 2.0"):
        small_set().stratified_subset(2.0)
    lopsided = ImageDataset(small_set().images, torch.zeros(40).long())
    with pytest.raises(
        ValueError, match=r"count=20 needs 2 images of each class, but class 1 \(Trouser\)"
    ):
        lopsided.stratified_subset(20)


# ------------------------------------------------- batches and augmentation


def test_batches_in_order():
    whole = small_set()
    parts = list(batches(whole, 16))
    assert [len(labels) for _, labels in parts] == [16, 16, 8]
    assert torch.equal(torch.cat([images for images, _ in parts]), whole.images)
    assert torch.equal(torch.cat([labels for _, labels in parts]), whole.labels)
    kept = list(batches(whole, 16, drop_last=True))
    assert [len(labels) for _, labels in kept] == [16, 16]
    assert len(list(batches(whole, 20, drop_last=True))) == 2
    assert len(list(batches(whole, 100))) == 1


def test_batches_shuffled():
    whole = small_set()

    def epoch(generator):
        parts = list(batches(whole, 16, generator=generator))
        return tuple(torch.cat(part) for part in zip(*parts))

    generator = torch.Generator().manual_seed(3)
    images, labels = epoch(generator)
    order = torch.randperm(40, generator=torch.Generator().manual_seed(3))
    assert torch.equal(images, whole.images[order])
    assert torch.equal(labels, whole.labels[order])
    assert not torch.equal(images, epoch(generator)[0])  # the next epoch differs
    again = epoch(torch.Generator().manual_seed(3))[0]
    assert torch.equal(images, again)


def test_batches_refuses_at_the_call():
    for batch_size in (0, -1, 2.5):
        with pytest.raises(ValueError, match=f"batch_size .*; got {batch_size}"):
            batches(small_set(), batch_size)
    with pytest.raises(ValueError, match="at most 40 .*; got 41: no batch would be left"):
        batches(small_set(), 41, drop_last=True)


def shifted_by_torch(images, down, right):
    """Shift by torch's replicate padding and a crop: another way to the same."""
    height, width = images.shape[2:]
    padded = torch.nn.functional.pad(images, (3, 3, 3, 3), mode="replicate")
    return padded[:, :, 3 - down : 3 - down + height, 3 - right : 3 - right + width]


@pytest.mark.parametrize("shape", [(600, 1, 28, 28), (600, 3, 9, 7)])
def test_shift_and_flip_against_replicate_padding(shape):
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(shape, generator=generator)
    result = shift_and_flip(images, max_shift=2, generator=generator)
    counts = {}
    for down in range(-2, 3):
        for right in range(-2, 3):
            for is_mirrored in (False, True):
                candidate = shifted_by_torch(images, down, right)
                if is_mirrored:
                    candidate = candidate.flip(3)
                same = (candidate == result).flatten(1).all(dim=1)
                counts[down, right, is_mirrored] = same.sum().item()
    # Each image is exactly one of the 50 possible ones, and each is about equally
    # frequent: 12 of 600 on average, with a standard deviation of 3.4.
    assert sum(counts.values()) == 600
    assert min(counts.values()) >= 1 and max(counts.values()) <= 30
    mirrored = sum(number for key, number in counts.items() if key[2])
    assert 240 <= mirrored <= 360


def test_shift_and_flip_keeps_type_and_does_not_touch_its_input():
    images = small_set().images
    before = images.clone()
    by_byte = shift_and_flip(images, generator=torch.Generator().manual_seed(5))
    by_float = shift_and_flip(images.float(), generator=torch.Generator().manual_seed(5))
    assert by_byte.dtype == torch.uint8 and by_float.dtype == torch.float32
    assert torch.equal(by_byte.float(), by_float)
    assert torch.equal(images, before)


def test_shift_and_flip_is_repeatable_with_the_global_generator():
    images = small_set().images
    torch.manual_seed(7)
    first, second = shift_and_flip(images), shift_and_flip(images)
    torch.manual_seed(7)
    assert torch.equal(first, shift_and_flip(images))
    assert not torch.equal(first, second)


def test_shift_and_flip_without_shift_only_mirrors():
    images = small_set().images
    result = shift_and_flip(images, max_shift=0)
    is_same = (result == images).flatten(1).all(dim=1)
    is_mirrored = (result == images.flip(3)).flatten(1).all(dim=1)
    assert torch.equal(is_same, ~is_mirrored)
    assert is_same.any() and is_mirrored.any()


def test_shift_and_flip_keeps_the_background_of_normalised_images():
    images = torch.full((50, 1, 28, 28), -0.81)
    images[:, :, 5:20, 5:20] = 2.0  # an object that does not touch the edge
    result = shift_and_flip(images, max_shift=3)
    assert set(result.unique().tolist()) == set(images.unique().tolist())
    assert ((result == 2.0).sum(dim=(1, 2, 3)) == 15 * 15).all()


def test_shift_and_flip_refuses():
    with pytest.raises(ValueError, match=r"shape \(N, C, H, W\); got \(28, 28\)"):
        shift_and_flip(torch.zeros(28, 28))
    for max_shift in (-1, 28, 1.5):
        with pytest.raises(ValueError, match=f"from 0 to 27 .*28x28; got {max_shift}"):
            shift_and_flip(torch.zeros(1, 1, 28, 28), max_shift)


# -------------------------------------------------------------------- the room


def test_examples_in_the_docstrings(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("GNET_DATA", str(write(tmp_path / "named", tiny)))
    result = doctest.testmod(data)
    assert result.failed == 0
    assert result.attempted >= 20


def test_import_is_light():
    heavy = ("torchvision", "pandas", "matplotlib")
    code = f"import gnet_lib.data, sys; print([n for n in {heavy} if n in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY
    )
    assert done.stdout.strip() == "[]", done.stderr
