"""Fashion-MNIST: find it, check it, and hold it as tensors.

The data set is four files in the IDX format, usually packed with gzip.
``load_fashion_mnist`` looks for them in this order:

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
import math
import os
import struct
import sys
import tempfile
import urllib.request
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, NamedTuple

import torch
from torch import Tensor

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

# MD5 of the *unpacked* files. The packed files differ from place to place:
# gzip stores a name and a time in its header, and Debian removes both.
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
# Used after torchvision's own list: the copy that Keras downloads from.
HTTPS_MIRROR = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
TIMEOUT_SECONDS = 10  # to connect, and for each wait after that

# The first four bytes of an IDX file say what it holds.
IMAGES_MAGIC = 2051
LABELS_MAGIC = 2049

REAL_ORIGIN = "Real Fashion-MNIST, MD5 verified, from"
SAMPLE_ORIGIN = "Only the SAMPLE of Fashion-MNIST that is bundled with gnet_lib"
HOW_TO_GET_THE_DATA = (
    "To get the real data: connect to the internet and load again, or (on "
    "Debian and Ubuntu) run `sudo apt-get install dataset-fashion-mnist`, or put "
    "the four files into a folder and name it in the environment variable GNET_DATA."
)


class CorruptDataError(ValueError):
    """A data file is damaged or is not what its name says.

    Example:
        >>> issubclass(CorruptDataError, ValueError)
        True
    """


# ---------------------------------------------------------------- image sets


@dataclass(frozen=True, eq=False)  # eq=False: tensors have no single yes-or-no "=="
class ImageDataset:
    """Images and their labels, checked once when the set is made.

    Args:
        images: (N, 1, 28, 28); uint8 with 0 for black as loaded, or float32
            after ``normalised``.
        labels: (N,) int64, each a position in ``CLASS_NAMES``.

    Raises:
        ValueError: a shape, type, length or label does not fit.

    Example:
        >>> import torch
        >>> images = torch.zeros(20, 1, 28, 28, dtype=torch.uint8)
        >>> ImageDataset(images, labels=torch.arange(20) % 10)
        ImageDataset(20 images, torch.uint8, on cpu)
    """

    images: Tensor
    labels: Tensor

    def __post_init__(self) -> None:
        _check_images(self.images)
        _check_labels(self.labels)
        if len(self.images) != len(self.labels):
            raise ValueError(
                "images and labels must have the same length; got "
                f"{len(self.images)} images and {len(self.labels)} labels"
            )
        if self.images.device != self.labels.device:
            raise ValueError(
                "images and labels must be on the same device; got images on "
                f"{self.images.device} and labels on {self.labels.device}: "
                "build the set on one device and move it with .to(device)"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"ImageDataset({len(self):,} images, {self.images.dtype}, on {self.images.device})"

    def to(self, device: torch.device | str) -> "ImageDataset":
        """Return the same set on another device.

        Args:
            device: where to, for example "cuda" or "cpu".

        Returns:
            An ``ImageDataset`` whose images and labels are on ``device``.

        Example:
            >>> import torch
            >>> tiny = ImageDataset(torch.zeros(1, 1, 28, 28), torch.zeros(1).long())
            >>> tiny.to("cpu").images.device
            device(type='cpu')
        """
        return ImageDataset(self.images.to(device), self.labels.to(device))

    def mean_and_std(self) -> tuple[float, float]:
        """Return mean and standard deviation of all pixels, scaled to 0..1.

        Returns:
            (mean, standard deviation) over every pixel of every image.

        Raises:
            ValueError: the images are no longer uint8.

        Example:
            >>> import torch
            >>> images = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
            >>> images[1] = 255  # one image all black, one all white
            >>> ImageDataset(images, torch.tensor([0, 1])).mean_and_std()
            (0.5, 0.5)
        """
        self._require_bytes("mean_and_std")
        # There are only 256 possible pixel values, so counting them is exact
        # and needs no floating-point copy of the whole set.
        pixels_per_value = torch.bincount(self.images.flatten(), minlength=256)
        weights = pixels_per_value.cpu().double() / self.images.numel()
        values = torch.arange(256, dtype=torch.float64) / 255
        mean = (weights * values).sum()
        variance = (weights * (values - mean) ** 2).sum()
        return mean.item(), math.sqrt(variance.item())

    def normalised(self, mean: float, std: float) -> "ImageDataset":
        """Return the set as float32 with pixels (value / 255 - mean) / std.

        Use the *training* set's mean and standard deviation for every set:
        the test images must not influence how they are prepared.

        Args:
            mean: mean of the pixels on the scale 0..1.
            std: standard deviation on the same scale, above 0.

        Returns:
            A new ``ImageDataset`` with float32 images.

        Raises:
            ValueError: the set is already float32, or a number is not usable.

        Example:
            >>> import torch
            >>> white = torch.full((1, 1, 28, 28), 255, dtype=torch.uint8)
            >>> ImageDataset(white, torch.tensor([3])).normalised(0.5, 0.25).images.max()
            tensor(2.)
        """
        self._require_bytes("normalised")
        if not math.isfinite(mean):
            raise ValueError(f"mean must be a finite number; got {mean}")
        if not (math.isfinite(std) and std > 0):
            raise ValueError(
                f"std must be a finite number above 0; got {std}: "
                "take both numbers from mean_and_std() of the training set"
            )
        # In place, because a float copy of the training set is 188 MB.
        images = self.images.to(torch.float32).div_(255).sub_(mean).div_(std)
        return ImageDataset(images, self.labels)

    def stratified_subset(self, count: int, seed: int = 0) -> "ImageDataset":
        """Return a random subset in which every class is equally frequent.

        When ``count`` is not a multiple of ten, the first classes get one image
        more. The images keep the order they have in this set.

        Args:
            count: how many images, from 1 to the size of the set.
            seed: the same seed gives the same images, on every device.

        Returns:
            A new ``ImageDataset`` with ``count`` images.

        Raises:
            ValueError: ``count`` is out of range, or a class has too few images.

        Example:
            >>> import torch
            >>> images = torch.zeros(40, 1, 28, 28, dtype=torch.uint8)
            >>> whole = ImageDataset(images, labels=torch.arange(40) % 10)
            >>> whole.stratified_subset(20).labels.bincount().tolist()
            [2, 2, 2, 2, 2, 2, 2, 2, 2, 2]
        """
        _check_count(count, largest=len(self))
        return self._select(self._balanced_choice(count, seed))

    def split(self, count: int, seed: int = 0) -> tuple["ImageDataset", "ImageDataset"]:
        """Hold ``count`` images out, for example to validate a model.

        Args:
            count: how many images to hold out, equally many of each class
                (chosen as by ``stratified_subset``); fewer than the set has.
            seed: the same seed gives the same split.

        Returns:
            (rest, held out); every image of this set is in exactly one of them.

        Raises:
            ValueError: ``count`` is out of range, or a class has too few images.

        Example:
            >>> import torch
            >>> images = torch.zeros(40, 1, 28, 28, dtype=torch.uint8)
            >>> whole = ImageDataset(images, labels=torch.arange(40) % 10)
            >>> [len(part) for part in whole.split(10)]
            [30, 10]
        """
        _check_count(count, largest=len(self) - 1)
        is_held_out = self._balanced_choice(count, seed)
        return self._select(~is_held_out), self._select(is_held_out)

    def _select(self, is_chosen: Tensor) -> "ImageDataset":
        is_chosen = is_chosen.to(self.labels.device)
        return ImageDataset(self.images[is_chosen], self.labels[is_chosen])

    def _balanced_choice(self, count: int, seed: int) -> Tensor:
        """Choose ``count`` images, equally many per class: a (N,) bool mask."""
        generator = torch.Generator().manual_seed(seed)
        labels = self.labels.cpu()
        is_chosen = torch.zeros(len(labels), dtype=torch.bool)
        for label, name in enumerate(CLASS_NAMES):
            wanted = count // len(CLASS_NAMES) + (label < count % len(CLASS_NAMES))
            positions = (labels == label).nonzero().flatten()
            if len(positions) < wanted:
                raise ValueError(
                    f"count={count} needs {wanted} images of each class, but class "
                    f"{label} ({name}) has {len(positions)}: ask for fewer"
                )
            shuffled = torch.randperm(len(positions), generator=generator)
            is_chosen[positions[shuffled[:wanted]]] = True
        return is_chosen

    def _require_bytes(self, method: str) -> None:
        if self.images.dtype != torch.uint8:
            raise ValueError(
                f"{method}() needs images of type uint8 as loaded; got "
                f"{self.images.dtype}: this set is already normalised, "
                "call it on the original set"
            )


@dataclass(frozen=True, eq=False)
class FashionMNIST:
    """What ``load_fashion_mnist`` returns.

    Args:
        train: the training images (60,000 in the real data set).
        test: the test images (10,000 in the real data set).
        origin: a sentence that says where the images come from.
        is_sample: True when these are only the few images bundled with the library.

    Example:
        >>> sample = load_sample()
        >>> sample.train, sample.is_sample
        (ImageDataset(3,000 images, torch.uint8, on cpu), True)
    """

    train: ImageDataset
    test: ImageDataset
    origin: str
    is_sample: bool


def _check_images(images: Tensor) -> None:
    expected = f"(N, 1, {IMAGE_SIZE}, {IMAGE_SIZE}) with N of at least 1"
    if not isinstance(images, Tensor):
        raise ValueError(f"images must be a Tensor; got {type(images).__name__}")
    if images.shape[1:] != (1, IMAGE_SIZE, IMAGE_SIZE) or len(images) == 0:
        raise ValueError(f"images must have the shape {expected}; got {tuple(images.shape)}")
    if images.dtype not in (torch.uint8, torch.float32):
        raise ValueError(
            f"images must be uint8 (0..255) or float32 (normalised); got {images.dtype}"
        )


def _check_labels(labels: Tensor) -> None:
    if not isinstance(labels, Tensor):
        raise ValueError(f"labels must be a Tensor; got {type(labels).__name__}")
    if labels.ndim != 1 or labels.dtype != torch.int64:
        raise ValueError(
            "labels must have the shape (N,) and the type torch.int64; got "
            f"{tuple(labels.shape)} and {labels.dtype}"
        )
    if len(labels) and not (0 <= labels.min() and labels.max() <= 9):
        raise ValueError(
            "labels must be from 0 to 9; got values from "
            f"{labels.min().item()} to {labels.max().item()}"
        )


def _check_count(count: int, largest: int) -> None:
    if not isinstance(count, int) or isinstance(count, bool):
        raise ValueError(f"count must be a whole number; got {count!r}")
    if not 1 <= count <= largest:
        raise ValueError(f"count must be from 1 to {largest}; got {count}")


# ------------------------------------------------- batches and augmentation


def batches(
    image_set: ImageDataset,
    batch_size: int,
    *,
    generator: torch.Generator | None = None,
    drop_last: bool = False,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Walk through a set once, batch by batch.

    Args:
        image_set: the images to walk through.
        batch_size: images in a batch, at least 1.
        generator: shuffles the images; without it they come in their stored order.
        drop_last: leave out the last batch when it is smaller than the others.

    Returns:
        An iterator over (images, labels).

    Raises:
        ValueError: ``batch_size`` is below 1, or ``drop_last`` would leave no batch.

    Example:
        >>> import torch
        >>> images = torch.zeros(10, 1, 28, 28, dtype=torch.uint8)
        >>> whole = ImageDataset(images, labels=torch.arange(10))
        >>> [labels.tolist() for _, labels in batches(whole, 4)]
        [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    """
    if not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(f"batch_size must be a whole number of at least 1; got {batch_size!r}")
    count = len(image_set)
    if drop_last and batch_size > count:
        raise ValueError(
            f"batch_size must be at most {count} (the size of the set) when "
            f"drop_last=True; got {batch_size}: no batch would be left"
        )
    if generator is None:
        order = torch.arange(count)
    else:
        order = torch.randperm(count, generator=generator, device=generator.device)
    order = order.to(image_set.images.device)
    end = count - count % batch_size if drop_last else count
    chosen = (order[start : start + batch_size] for start in range(0, end, batch_size))
    return ((image_set.images[index], image_set.labels[index]) for index in chosen)


def shift_and_flip(
    images: Tensor, max_shift: int = 2, generator: torch.Generator | None = None
) -> Tensor:
    """Move each image a little and mirror half of them, at random.

    Every image gets its own shift, the same chance for each whole number of
    pixels from -max_shift to max_shift, down and to the right, and is mirrored
    left to right with probability one half. Pixels that move in from outside
    repeat the edge. So no background value has to be known, and the function
    is right for uint8 and for normalised images alike, whose black is not 0.

    Args:
        images: (N, C, H, W), any type, on any device.
        max_shift: largest shift in pixels, from 0 to less than H and W.
        generator: the source of chance (on the CPU); the same state gives the
            same result. Without it torch's global generator is used.

    Returns:
        A new tensor with the shape, type and device of ``images``.

    Raises:
        ValueError: ``images`` has not four dimensions, or ``max_shift`` does not fit.

    Example:
        >>> import torch
        >>> images = torch.rand(8, 1, 28, 28)
        >>> generator = torch.Generator().manual_seed(0)
        >>> shift_and_flip(images, generator=generator).shape
        torch.Size([8, 1, 28, 28])
    """
    if images.ndim != 4:
        raise ValueError(f"images must have the shape (N, C, H, W); got {tuple(images.shape)}")
    count, channels, height, width = images.shape
    if not isinstance(max_shift, int) or not 0 <= max_shift < min(height, width):
        raise ValueError(
            f"max_shift must be a whole number from 0 to {min(height, width) - 1} "
            f"for images of {height}x{width}; got {max_shift!r}"
        )

    source = "cpu" if generator is None else generator.device
    chance = {"generator": generator, "device": source}
    down = torch.randint(-max_shift, max_shift + 1, (count, 1), **chance)
    right = torch.randint(-max_shift, max_shift + 1, (count, 1), **chance)
    is_mirrored = torch.rand((count, 1), **chance) < 0.5

    # For each row and column of the result: which one of the original it shows.
    # `clamp` is what repeats the edge.
    row = torch.arange(height, device=source) - down  # (N, H)
    column = torch.arange(width, device=source) - right  # (N, W)
    row = row.clamp(0, height - 1)
    column = column.clamp(0, width - 1)
    column = torch.where(is_mirrored, width - 1 - column, column)

    device = images.device
    image = torch.arange(count, device=device)
    channel = torch.arange(channels, device=device)
    return images[
        image[:, None, None, None],
        channel[None, :, None, None],
        row.to(device)[:, None, :, None],
        column.to(device)[:, None, None, :],
    ]  # the four indices broadcast to (N, C, H, W)


# -------------------------------------------------------------- finding files


class _Place(NamedTuple):
    """A folder that may hold the four files, and what to say about it."""

    folder: Path
    origin: str  # a sentence, without its full stop
    fix: str  # what a reader does about a damaged file there
    is_sample: bool = False


def load_fashion_mnist(
    root: str | os.PathLike | None = None,
    *,
    download: bool = True,
    quiet: bool = False,
) -> FashionMNIST:
    """Find Fashion-MNIST, check every file, and return it as tensors.

    The search order stands at the top of this room. A folder may hold the four
    files packed (.gz) or unpacked, directly or in ``raw`` or ``FashionMNIST/raw``
    as torchvision leaves them. A damaged file is never used: in this library's
    own cache it is downloaded again, everywhere else it is an error.

    Args:
        root: the one folder to look in. Without it (and without the environment
            variable GNET_DATA) the usual places are searched.
        download: allow a download (30 MB) when no folder has the data.
        quiet: do not print the line that says what was loaded. Warnings and the
            progress of a download are shown all the same.

    Returns:
        The training and the test images, with their origin.

    Raises:
        ValueError: ``root`` or GNET_DATA names a folder without the data.
        CorruptDataError: a file is damaged.

    Warns:
        UserWarning: the real data could not be had and the bundled sample is used.

    Example:
        >>> data = load_fashion_mnist(quiet=True)
        >>> data.train.images.shape[1:]
        torch.Size([1, 28, 28])
    """
    place = _named_place(root)
    if place is not None:
        data = _read_place(place)
    else:
        data = _search_usual_places(download)
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
    return _read_place(_Place(SAMPLE_FOLDER, SAMPLE_ORIGIN, fix, is_sample=True))


def _named_place(root: str | os.PathLike | None) -> _Place | None:
    """Return the place that the reader named, or None if none was named."""
    if root is not None:
        if not isinstance(root, (str, os.PathLike)):
            raise ValueError(f"root must be the path of a folder; got {type(root).__name__}")
        named_by, folder = "root", root
        undo = "leave root out to search the usual places"
    elif os.environ.get("GNET_DATA"):
        named_by, folder = "GNET_DATA", os.environ["GNET_DATA"]
        undo = "unset the environment variable GNET_DATA"
    else:
        return None
    folder = Path(folder).expanduser()
    found = _folder_with_all_files(folder)
    if found is None:
        raise ValueError(
            f"{named_by} must name a folder with the four files of Fashion-MNIST "
            f"({', '.join(FULL_MD5)}; packed as .gz or not); got {str(folder)!r}, "
            f"{_what_is_there(folder)}: put the files there, or {undo}"
        )
    return _Place(
        found,
        f"{REAL_ORIGIN} the folder {found}, which {named_by} names",
        f"Put a fresh copy of the file there, or {undo}.",
    )


def _search_usual_places(download: bool) -> FashionMNIST:
    cache = _user_cache()
    cache_place = _Place(
        cache,
        f"{REAL_ORIGIN} the user's cache, {cache}",
        "Call load_fashion_mnist(download=True) to fetch the file again, or delete it.",
    )
    debian_place = _Place(
        DEBIAN_FOLDER,
        f"{REAL_ORIGIN} the Debian package dataset-fashion-mnist, {DEBIAN_FOLDER}",
        "Run `sudo apt-get install --reinstall dataset-fashion-mnist`.",
    )
    if _folder_with_all_files(cache):
        try:
            return _read_place(cache_place)
        except CorruptDataError:
            if not download:
                raise
    elif _folder_with_all_files(DEBIAN_FOLDER):
        return _read_place(debian_place)

    cause = "no copy is on this computer and downloading was switched off"
    if download:
        try:
            _fill_cache(cache)
            return _read_place(cache_place)
        except _DOWNLOAD_FAILURES as error:
            cause = f"the download failed ({error})"
    # Still here with Debian's package installed: the cache could not be repaired.
    if _folder_with_all_files(DEBIAN_FOLDER):
        return _read_place(debian_place)
    return _fall_back_to_sample(cause)


def _fall_back_to_sample(cause: str) -> FashionMNIST:
    warnings.warn(
        f"Fashion-MNIST was not found: {cause}. Only the small SAMPLE that is "
        f"bundled with gnet_lib is loaded. {HOW_TO_GET_THE_DATA}",
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


def _user_cache() -> Path:
    """Return this library's folder in the user's cache (it need not exist)."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "gnet_lib" / "fashion-mnist"


def _find_file(folder: Path, name: str) -> Path | None:
    """Return the packed file if there is one, else the unpacked one, else None."""
    for path in (folder / f"{name}.gz", folder / name):
        if path.is_file():
            return path
    return None


def _folder_with_all_files(folder: Path) -> Path | None:
    """Return ``folder`` or the sub-folder of it that has all four files."""
    for candidate in (folder, folder / "raw", folder / "FashionMNIST" / "raw"):
        if all(_find_file(candidate, name) for name in FULL_MD5):
            return candidate
    return None


def _what_is_there(folder: Path) -> str:
    if not folder.is_dir():
        return "which is not a folder"
    missing = [name for name in FULL_MD5 if _find_file(folder, name) is None]
    return f"where {' and '.join(missing)} cannot be found"


# ------------------------------------------------- reading and checking files


def _read_place(place: _Place) -> FashionMNIST:
    """Read and check the four files of a place that has them."""
    folder = _folder_with_all_files(place.folder)
    assert folder is not None, f"{place.folder} must be checked before it is read"
    return FashionMNIST(
        train=_read_image_set(folder, "train", place),
        test=_read_image_set(folder, "t10k", place),
        origin=f"{place.origin}.",
        is_sample=place.is_sample,
    )


def _read_image_set(folder: Path, part: str, place: _Place) -> ImageDataset:
    """Read one image file and the label file that belongs to it."""
    image_name, label_name = f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte"
    image_path = _find_file(folder, image_name)
    label_path = _find_file(folder, label_name)
    image_bytes = _unpacked(image_path, place.fix)
    label_bytes = _unpacked(label_path, place.fix)
    images = _parse_images(image_bytes, image_path, place.fix)
    labels = _parse_labels(label_bytes, label_path, place.fix)
    if len(images) != len(labels):
        raise _corrupt(
            label_path,
            f"{len(images)} labels, as many as {image_path.name} has images",
            f"{len(labels)} labels",
            place.fix,
        )
    md5 = SAMPLE_MD5 if place.is_sample else FULL_MD5
    _check_md5(image_bytes, image_path, md5[image_name], place.fix)
    _check_md5(label_bytes, label_path, md5[label_name], place.fix)
    return ImageDataset(images, labels)


def _corrupt(source: Path | str, expected: str, found: str, fix: str) -> CorruptDataError:
    """Make the error for a damaged file; ``source`` is its path or its address."""
    message = f"{source} is damaged: expected {expected}, found {found}. {fix}"
    return CorruptDataError(message.strip())


def _unpacked(path: Path, fix: str) -> bytes:
    """Return the bytes of a file, unpacked if its name ends in .gz."""
    content = path.read_bytes()
    return _gunzip(content, path, fix) if path.suffix == ".gz" else content


def _gunzip(content: bytes, source: Path | str, fix: str) -> bytes:
    try:
        return gzip.decompress(content)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        found = f"{len(content):,} bytes that cannot be unpacked ({error})"
        raise _corrupt(source, "a complete gzip file", found, fix) from error


def _parse_header(content: bytes, magic: int, fields: int, path: Path, fix: str) -> tuple[int, ...]:
    """Check the magic number of an IDX file and return its sizes.

    The header is a row of big-endian 32-bit numbers: the magic number, then
    one size for each dimension.
    """
    header_length = 4 * (1 + fields)
    if len(content) < header_length:
        expected = f"an IDX header of {header_length} bytes"
        raise _corrupt(path, expected, f"{len(content)} bytes in all", fix)
    found, *sizes = struct.unpack_from(f">{1 + fields}I", content)
    if found != magic:
        raise _corrupt(path, f"the IDX magic number {magic}", str(found), fix)
    expected_length = header_length + math.prod(sizes)
    if len(content) != expected_length:
        expected = f"{expected_length:,} bytes unpacked, as its header says"
        raise _corrupt(path, expected, f"{len(content):,} bytes", fix)
    return tuple(sizes)


def _parse_images(content: bytes, path: Path, fix: str) -> Tensor:
    """Return the images of an IDX file: (N, 1, 28, 28) uint8."""
    count, height, width = _parse_header(content, IMAGES_MAGIC, 3, path, fix)
    if (height, width) != (IMAGE_SIZE, IMAGE_SIZE) or count == 0:
        expected = f"at least one image of {IMAGE_SIZE}x{IMAGE_SIZE} pixels"
        raise _corrupt(path, expected, f"{count} of {height}x{width}", fix)
    # bytearray: torch wants memory that it may write to.
    pixels = torch.frombuffer(bytearray(content), dtype=torch.uint8, offset=16)
    return pixels.reshape(count, 1, height, width)


def _parse_labels(content: bytes, path: Path, fix: str) -> Tensor:
    """Return the labels of an IDX file: (N,) int64."""
    (count,) = _parse_header(content, LABELS_MAGIC, 1, path, fix)
    if count == 0:
        raise _corrupt(path, "at least one label", "none", fix)
    labels = torch.frombuffer(bytearray(content), dtype=torch.uint8, offset=8)
    if labels.max() > 9:
        raise _corrupt(path, "labels from 0 to 9", f"a {labels.max().item()}", fix)
    return labels.to(torch.int64)


def _check_md5(content: bytes, source: Path | str, expected: str, fix: str) -> None:
    # MD5 finds accidents, which is all it is used for here.
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if found != expected:
        raise _corrupt(source, f"the MD5 {expected} (unpacked)", found, fix)


# --------------------------------------------------------------- downloading

# What an unreachable, slow, wrong or interrupted server can lead to, and a
# cache that cannot be written. (URLError and timeouts are kinds of OSError.)
_DOWNLOAD_FAILURES = (OSError, http.client.HTTPException, CorruptDataError)


def _fill_cache(cache: Path) -> None:
    """Download every file that the cache lacks or has only damaged."""
    cache.mkdir(parents=True, exist_ok=True)
    folder = _folder_with_all_files(cache) or cache
    for name in FULL_MD5:
        path = _find_file(folder, name)
        if path is None or _is_damaged(path, FULL_MD5[name]):
            _download_file(name, folder)


def _is_damaged(path: Path, md5: str) -> bool:
    try:
        _check_md5(_unpacked(path, fix=""), path, md5, fix="")
    except CorruptDataError as error:
        print(f"{error} Downloading it again.")
        return True
    return False


def _download_file(name: str, folder: Path) -> None:
    """Try one mirror after the other; raise what went wrong if all fail."""
    problems = []
    for mirror in _mirrors():
        try:
            return _download_from(f"{mirror}{name}.gz", name, folder)
        except _DOWNLOAD_FAILURES as error:
            problems.append(f"{mirror}: {error}")
    raise OSError("; ".join(problems))


def _mirrors() -> list[str]:
    """Return the addresses to download from: torchvision's, then one by https."""
    try:
        from torchvision.datasets import FashionMNIST as TorchvisionFashionMNIST
    except (ImportError, RuntimeError):  # RuntimeError: does not match this torch
        return [HTTPS_MIRROR]
    return [*TorchvisionFashionMNIST.mirrors, HTTPS_MIRROR]


def _download_from(address: str, name: str, folder: Path) -> None:
    """Download one packed file, check it, and only then give it its name."""
    handle, temporary_name = tempfile.mkstemp(dir=folder, prefix=f"{name}.", suffix=".part")
    temporary = Path(temporary_name)
    try:
        with os.fdopen(handle, "wb") as file:
            _copy_with_progress(address, file, name)
        content = _gunzip(temporary.read_bytes(), address, fix="")
        _check_md5(content, address, FULL_MD5[name], fix="")
        os.replace(temporary, folder / f"{name}.gz")
    finally:  # also after Ctrl-C
        temporary.unlink(missing_ok=True)


def _copy_with_progress(address: str, file: BinaryIO, name: str) -> None:
    from tqdm import tqdm

    with urllib.request.urlopen(address, timeout=TIMEOUT_SECONDS) as response:
        size = response.headers.get("Content-Length")
        total = int(size) if size else None
        with tqdm(total=total, desc=name, unit="B", unit_scale=True) as progress:
            while block := response.read(2**16):
                file.write(block)
                progress.update(len(block))
