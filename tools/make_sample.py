"""Write the sample of Fashion-MNIST that is bundled with gnet_lib.

The sample holds real images: the first 300 training images and the first 100
test images of each class, in the order of the original files and in the same
format. Run it from the root of the repository, with the real data installed:

    python tools/make_sample.py

It prints the MD5 of each unpacked file, as they stand in gnet_lib/fashion_mnist.py.
"""

import gzip
import hashlib
import struct
import sys
from pathlib import Path

import torch

from gnet_lib.data import ImageDataset
from gnet_lib.fashion_mnist import SAMPLE_FOLDER, load_fashion_mnist

TRAIN_PER_CLASS = 300
TEST_PER_CLASS = 100

# An IDX file starts with a number that says what it holds, then come its sizes.
IMAGES_MAGIC = 2051
LABELS_MAGIC = 2049


def first_of_each_class(dataset: ImageDataset, per_class: int) -> ImageDataset:
    """Return the first `per_class` images of each class, in their stored order."""
    is_class = torch.nn.functional.one_hot(dataset.labels, 10)  # (N, 10)
    seen_so_far = is_class.cumsum(dim=0)
    rank_in_class = (seen_so_far * is_class).sum(dim=1)  # 1 for a class's first
    is_chosen = rank_in_class <= per_class
    return ImageDataset(dataset.images[is_chosen], dataset.labels[is_chosen])


def images_as_idx(dataset: ImageDataset) -> bytes:
    """Return the images in the IDX format."""
    count, _, height, width = dataset.images.shape
    header = struct.pack(">4I", IMAGES_MAGIC, count, height, width)
    return header + dataset.images.numpy().tobytes()


def labels_as_idx(dataset: ImageDataset) -> bytes:
    """Return the labels in the IDX format."""
    header = struct.pack(">2I", LABELS_MAGIC, len(dataset))
    return header + dataset.labels.to(torch.uint8).numpy().tobytes()


def sample_files(root: str | Path | None = None) -> dict[str, bytes]:
    """Make the sample's files from the real data.

    Args:
        root: the folder of the real data, as for `load_fashion_mnist`.

    Returns:
        The unpacked content of each file, by name.
    """
    data = load_fashion_mnist(root, download=False, quiet=True)
    if data.is_sample:
        raise SystemExit("The sample is made from the real data, which is missing.")
    train = first_of_each_class(data.train, TRAIN_PER_CLASS)
    test = first_of_each_class(data.test, TEST_PER_CLASS)
    return {
        "train-images-idx3-ubyte": images_as_idx(train),
        "train-labels-idx1-ubyte": labels_as_idx(train),
        "t10k-images-idx3-ubyte": images_as_idx(test),
        "t10k-labels-idx1-ubyte": labels_as_idx(test),
    }


def main() -> int:
    """Write the four files and print their MD5; 0, since nothing else can happen."""
    for name, content in sample_files().items():
        # mtime=0: the same content always gives the same packed file.
        packed = gzip.compress(content, compresslevel=9, mtime=0)
        (SAMPLE_FOLDER / f"{name}.gz").write_bytes(packed)
        print(f'    "{name}": "{hashlib.md5(content).hexdigest()}",')
    return 0


if __name__ == "__main__":
    sys.exit(main())
