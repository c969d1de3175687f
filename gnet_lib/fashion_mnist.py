"""Fashion-MNIST: find it, check it, and hold it as tensors.

The data set is four files, usually packed with gzip. ``load_fashion_mnist`` looks for
them in this order:

1. the folder given as ``root``;
2. the folder named by the environment variable GNET_DATA;
3. this library's folder in the user's cache;
4. the folder of the Debian package dataset-fashion-mnist;
5. a download, which is kept in the user's cache;
6. the small sample of real images that comes with this library.

Whatever is found is checked down to its MD5 before a single image is used.

Source: Xiao, Rasul, Vollgraf, "Fashion-MNIST: a Novel Image Dataset for
Benchmarking Machine Learning Algorithms", arXiv 1708.07747 (2017).
"""

import gzip
import hashlib
import http.client
import os
import sys
import tempfile
import urllib.request
import uuid
import warnings
import zlib
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import torch

from gnet_lib._check import require_bool, require_instance, require_text, shown
from gnet_lib.data import ImageDataset

CLASS_NAMES: tuple[str, ...] = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
"""The ten classes; a label is a position in this tuple."""

IMAGE_SIZE = 28

# MD5 of the *unpacked* files. The packed files differ from place to place: gzip stores a
# name and a time in its header, and Debian removes both. Since each file is known to the
# last byte, nothing in it has to be parsed.
FULL_MD5 = {
    "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
    "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
    "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
    "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
}
# The same four names, but with the first 300 training images and the first
# 100 test images of each class (written by tools/make_sample.py).
SAMPLE_MD5 = {
    "train-images-idx3-ubyte": "b8ec442bdb1d60df0b7867fab59457b2",
    "train-labels-idx1-ubyte": "d69dbca8a65b0708aa07ff60dd759d96",
    "t10k-images-idx3-ubyte": "c5442ce2f064c32bf3ec2983a505322f",
    "t10k-labels-idx1-ubyte": "a00963b89d54a5ab6dc42b2b2c57c0e7",
}

DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
SAMPLE_FOLDER = Path(__file__).parent / "sample"
MIRRORS = (
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",  # torchvision's
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",  # that of Keras
)
HOW_TO_GET_ALL = (
    "connect to the internet and load again, or (on Debian and Ubuntu) run `sudo apt-get install "
    "dataset-fashion-mnist`, or put the four files into a folder and name it in the environment "
    "variable GNET_DATA"
)
TIMEOUT_SECONDS = 10  # to connect, and for each wait after that

REAL_ORIGIN = "Real Fashion-MNIST, MD5 verified, from"
SAMPLE_ORIGIN = "Only the SAMPLE of Fashion-MNIST that is bundled with gnet_lib"


class CorruptDataError(ValueError):
    """A data file is damaged, is not what its name says, or cannot be read.

    Example:
        >>> issubclass(CorruptDataError, ValueError)
        True
    """


class SampleOnlyError(ValueError):
    """All images of Fashion-MNIST are needed, and only the bundled sample is here.

    Example:
        >>> issubclass(SampleOnlyError, ValueError)
        True
    """

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows: the sentence alone, because no line of code is wrong."""
        return [f"{type(self).__name__}: {self}"]


@dataclass(frozen=True, eq=False)
class FashionMNIST:
    """What ``load_fashion_mnist`` returns.

    Args:
        train: the training images (60,000 in the real data set).
        test: the test images (10,000 in the real data set).
        origin: a sentence that says where the images come from.
        is_sample: True when these are only the few images bundled with the library.

    Raises:
        ValueError: for an argument of another type.

    Example:
        >>> sample = load_sample()
        >>> sample.train, sample.is_sample
        (ImageDataset(3,000 images of 1x28x28 in 10 classes, torch.uint8, on cpu), True)
    """

    train: ImageDataset
    test: ImageDataset
    origin: str
    is_sample: bool

    def __post_init__(self) -> None:
        require_instance("train", self.train, ImageDataset, "an ImageDataset")
        require_instance("test", self.test, ImageDataset, "an ImageDataset")
        require_text("origin", self.origin)
        require_bool("is_sample", self.is_sample)

    def require_all(self) -> None:
        """Refuse to go on with the sample, where only the whole data set has an answer.

        Raises:
            SampleOnlyError: these are only the images bundled with the library.

        Example:
            >>> load_sample().require_all()  # doctest: +ELLIPSIS
            Traceback (most recent call last):
            gnet_lib.fashion_mnist.SampleOnlyError: all 70,000 images of Fashion-MNIST are ...
        """
        if self.is_sample:
            count = len(self.train) + len(self.test)
            raise SampleOnlyError(
                "all 70,000 images of Fashion-MNIST are needed here (60,000 for training, 10,000 "
                f"for tests), but this is its sample of {count:,}: {HOW_TO_GET_ALL}"
            )

    def say_if_sample(self) -> None:
        """Print that numbers come from the sample; of the whole data set print nothing.

        Example:
            >>> load_sample().say_if_sample()  # doctest: +ELLIPSIS
            From the SAMPLE (3,000 training and 1,000 test images of 70,000): other numbers ...
        """
        if self.is_sample:
            print(
                f"From the SAMPLE ({len(self.train):,} training and {len(self.test):,} test images "
                "of 70,000): other numbers than in the text."
            )


# ------------------------------------------------------------- finding the files


class _Place(NamedTuple):
    """A folder that may hold the four files, and what to say about it."""

    folder: Path
    origin: str  # a sentence
    fix: str  # what a reader does about a damaged file there
    is_sample: bool = False


def load_fashion_mnist(
    root: str | os.PathLike[str] | None = None,
    *,
    download: bool = True,
    quiet: bool = False,
) -> FashionMNIST:
    """Find Fashion-MNIST, check every file, and return it as tensors.

    The search order stands at the top of this room. A folder may hold the four files packed
    (.gz) or unpacked, directly or in ``raw`` or ``FashionMNIST/raw`` as torchvision leaves
    them. A damaged file is never used: in this library's own cache it is replaced by a
    download, everywhere else it is an error.

    Args:
        root: the one folder to look in. Without it (and without the environment
            variable GNET_DATA) the usual places are searched.
        download: allow a download (30 MB) when no folder has the data.
        quiet: do not print the line that says what was loaded. Warnings and the
            progress of a download are shown all the same.

    Returns:
        The training and the test images, with their origin.

    Raises:
        ValueError: ``root`` or GNET_DATA names a folder without the data, or ``download`` or
            ``quiet`` is not True or False.
        CorruptDataError: a file is damaged.

    Warns:
        UserWarning: the real data could not be had and the bundled sample is used.

    Example:
        >>> data = load_fashion_mnist(quiet=True)
        >>> data.train.images.shape[1:]
        torch.Size([1, 28, 28])
    """
    require_bool("download", download)
    require_bool("quiet", quiet)
    place = _named_place(root)
    data = _search_usual_places(download) if place is None else _read(place)
    if not quiet:
        print(_summary(data))
    return data


def load_sample() -> FashionMNIST:
    """Load the small sample that is bundled with the library, without a search.

    Returns:
        3,000 training and 1,000 test images, the first 300 and the first 100 of
        each class of Fashion-MNIST.

    Example:
        >>> len(load_sample().train)
        3000
    """
    fix = "Install gnet_lib again."
    return _read(_Place(SAMPLE_FOLDER, f"{SAMPLE_ORIGIN}.", fix, is_sample=True))


def cache_folder() -> Path:
    """Return this library's folder in the user's cache, which need not exist.

    Returns:
        Where a download is kept; it may be deleted at any time. A user without a home, as in
        some containers, has it where the system keeps temporary files.

    Example:
        >>> cache_folder().name
        'fashion-mnist'
    """
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    try:
        folder = Path(base).expanduser()
    except RuntimeError:  # nobody knows where ~ is
        folder = Path(tempfile.gettempdir())
    return folder / "gnet_lib" / "fashion-mnist"


def _named_place(root: str | os.PathLike[str] | None) -> _Place | None:
    """Return the place that the reader named, or None if none was named."""
    if root is not None:
        name, folder, undo = "root", root, "leave root out to search the usual places"
    elif folder := os.environ.get("GNET_DATA"):
        name, undo = "GNET_DATA", "unset the environment variable GNET_DATA"
    else:
        return None
    if not isinstance(folder, (str, os.PathLike)):
        raise ValueError(f"{name} must be the path of a folder, but it is {shown(folder)}")
    try:
        folder = Path(folder).expanduser()
    except (RuntimeError, TypeError) as error:  # ~nobody, or a path of bytes
        raise ValueError(
            f"{name} must be the path of a folder, but it is {shown(folder)} ({error})"
        ) from error
    found = _folder_with_all_files(folder)
    if found is None:
        missing = [file for file in FULL_MD5 if not os.path.isfile(_file(folder, file))]
        raise ValueError(
            f"{name} must name a folder with the four files of Fashion-MNIST, packed as .gz or "
            f"not, but {folder} lacks {', '.join(missing)}: put the files there, or {undo}"
        )
    return _Place(
        found,
        f"{REAL_ORIGIN} the folder {found}, which {name} names.",
        f"Put a fresh copy of the file there, or {undo}.",
    )


def _search_usual_places(download: bool) -> FashionMNIST:
    folder = cache_folder()
    cache = _Place(
        folder,
        f"{REAL_ORIGIN} the user's cache, {folder}.",
        "Call load_fashion_mnist(download=True) to fetch the file again, or delete it.",
    )
    debian = _Place(
        DEBIAN_FOLDER,
        f"{REAL_ORIGIN} the Debian package dataset-fashion-mnist, {DEBIAN_FOLDER}.",
        "Run `sudo apt-get install --reinstall dataset-fashion-mnist`.",
    )
    if _folder_with_all_files(cache.folder):
        try:
            return _read(cache)
        except CorruptDataError:
            if not download:
                raise
    if _folder_with_all_files(debian.folder):
        return _read(debian)
    if not download:
        return _fall_back_to_sample("no copy is on this computer and downloading was switched off")
    try:
        _fill(cache.folder)
        return _read(cache)
    except _DOWNLOAD_FAILURES as error:
        return _fall_back_to_sample(f"the download failed ({error})")


def _fall_back_to_sample(cause: str) -> FashionMNIST:
    warnings.warn(
        f"Fashion-MNIST was not found: {cause}. Only the small SAMPLE that is bundled with "
        f"gnet_lib is loaded. To get the real data: {HOW_TO_GET_ALL}.",
        stacklevel=4,  # the line that called load_fashion_mnist
    )
    return replace(load_sample(), origin=f"{SAMPLE_ORIGIN}, because {cause}.")


def _summary(data: FashionMNIST) -> str:
    """One line, the same on every computer that has the same images."""
    counts = f"{len(data.train):,} training and {len(data.test):,} test images"
    if data.is_sample:
        return (
            f"Fashion-MNIST SAMPLE: only {counts} of the real data set. Good for "
            "trying out every step, too few for the accuracies in this book."
        )
    return f"Fashion-MNIST: {counts}, real data, MD5 verified"


def _file(folder: Path, name: str) -> Path:
    """The packed file if there is one, else the unpacked one (which need not be there)."""
    packed = folder / f"{name}.gz"
    return packed if os.path.isfile(packed) else folder / name


def _folder_with_all_files(folder: Path) -> Path | None:
    """Return ``folder`` or the sub-folder of it that has all four files."""
    for candidate in (folder, folder / "raw", folder / "FashionMNIST" / "raw"):
        if all(os.path.isfile(_file(candidate, name)) for name in FULL_MD5):
            return candidate
    return None


# ------------------------------------------------ reading, checking, downloading


def _read(place: _Place) -> FashionMNIST:
    """Read and check the four files of a place."""
    folder = _folder_with_all_files(place.folder) or place.folder
    expected = SAMPLE_MD5 if place.is_sample else FULL_MD5
    files = [_verified(_file(folder, name), md5, place.fix) for name, md5 in expected.items()]
    train, test = _as_dataset(*files[:2]), _as_dataset(*files[2:])
    return FashionMNIST(train, test, place.origin, place.is_sample)


def _verified(path: Path, md5: str, fix: str = "") -> bytes:
    """Return the bytes of a file, unpacked, or raise if they are not the right ones."""
    try:
        content = path.read_bytes()
    except OSError as error:  # for instance another user's file
        cause = error.strerror or error
        raise CorruptDataError(f"{path} cannot be read: {cause}. {fix}".strip()) from error
    return _unpacked(content, path, md5, fix)


def _unpacked(content: bytes, source: Path | str, md5: str, fix: str = "") -> bytes:
    """The same of bytes that came from a file or from an address."""
    problem = None
    if content.startswith(b"\x1f\x8b"):  # how every gzip file starts
        try:
            content = gzip.decompress(content)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            problem = f"it cannot be unpacked ({error})"
    # MD5 finds accidents, which is all it is used for here.
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if found != md5:
        problem = problem or f"expected the MD5 {md5} (unpacked), found {found}"
        raise CorruptDataError(f"{source} is damaged: {problem}. {fix}".strip())
    return content


def _as_dataset(image_file: bytes, label_file: bytes) -> ImageDataset:
    """Leave the headers out; bytearray, because torch wants memory that it may write to."""
    pixels = torch.frombuffer(bytearray(image_file), dtype=torch.uint8, offset=16)
    labels = torch.frombuffer(bytearray(label_file), dtype=torch.uint8, offset=8)
    images = pixels.reshape(-1, 1, IMAGE_SIZE, IMAGE_SIZE)
    return ImageDataset(images, labels.to(torch.int64), CLASS_NAMES)


# What an unreachable, slow, wrong or interrupted server can lead to, and a
# cache that cannot be written. (URLError and timeouts are kinds of OSError.)
_DOWNLOAD_FAILURES = (OSError, http.client.HTTPException, CorruptDataError)


def _fill(cache: Path) -> None:
    """Download every file that the cache lacks or has only damaged."""
    cache.mkdir(parents=True, exist_ok=True)
    for name, md5 in FULL_MD5.items():
        path = _file(cache, name)
        try:
            if os.path.isfile(path) and _verified(path, md5):
                continue
        except CorruptDataError as error:
            print(f"{error} Downloading it again.")
        _store(_download(name, md5), cache / f"{name}.gz")


def _download(name: str, md5: str) -> bytes:
    """Try one mirror after the other; raise what went wrong if all fail."""
    problems = []
    for mirror in MIRRORS:
        address = f"{mirror}{name}.gz"
        try:
            content = _fetch(address, name)
            _unpacked(content, address, md5)
            return content
        except _DOWNLOAD_FAILURES as error:
            problems.append(f"{mirror}: {error}")
    raise OSError("; ".join(problems))


def _fetch(address: str, name: str) -> bytes:
    """Return what lies at the address, and show how far it is."""
    from tqdm import tqdm

    with urllib.request.urlopen(address, timeout=TIMEOUT_SECONDS) as response:
        size = response.headers.get("Content-Length")
        total = int(size) if size and size.isdecimal() else None
        with tqdm.wrapattr(response, "read", total=total, desc=name) as stream:
            return b"".join(iter(lambda: stream.read(2**16), b""))


def _store(content: bytes, path: Path) -> None:
    """Write a file so that it is there whole or not at all, whoever else writes it now.

    The name of the part is drawn anew each time: several users and computers may share the
    folder. The rights are those of any new file, so that others can read what is kept.
    """
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
    try:
        with temporary.open("xb") as file:
            file.write(content)
        temporary.replace(path)
    except OSError as error:  # a full disk does not say which file it was
        raise OSError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
