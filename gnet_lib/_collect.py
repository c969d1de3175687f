"""From a data set of (image, label) pairs, as torchvision has them, to two tensors.

``ImageDataset.from_dataset`` is the door. What does not fit is said with the place where it
stands, what came, and what to change: a thousand files may be right and one of them wrong.
"""

import math
import re
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import numpy
import torch
from torch import Tensor
from torch.utils.data import ConcatDataset, DataLoader, IterableDataset, Subset

from gnet_lib._check import shown, stopped_with

LARGE = 1_000  # from so many images on, a bar shows how far the reading is
LARGEST_LABEL = 2**63 - 1

# Transforms that give another picture each time. (Normalize or Resize give always the same.)
BY_CHANCE = re.compile(r"\b\w*(?:Random|RandAugment|AutoAugment|TrivialAugment|AugMix|Jitter)\w*")

ADVICE_FOR_SIZES = (
    "give the data set a transform that makes them alike, for instance "
    "transforms.Compose([transforms.Resize(64), transforms.CenterCrop(64)])"
)
ADVICE_FOR_MODES = (
    "put transforms.Lambda(lambda picture: picture.convert('RGB')) first in its transform"
)


def read_pairs(dataset: Any) -> tuple[Tensor, Tensor]:
    """All images and labels of a data set.

    Args:
        dataset: has a length and gives (image, label) for each index from 0.

    Returns:
        Images (N, C, H, W) of type uint8 or float32, and labels (N,) of type int64.

    Raises:
        ValueError: for something else, or an item that does not fit; it says which.
    """
    count = _require_collection(dataset)
    _warn_of_chance(dataset)
    first, label = _read(dataset, 0)
    images = first.new_empty((count, *first.shape))
    labels = torch.empty(count, dtype=torch.int64)
    images[0], labels[0] = first, label
    for index in _with_bar(range(1, count)):
        image, label = _read(dataset, index)
        if image.shape != first.shape or image.dtype != first.dtype:
            raise ValueError(
                f"{_place(dataset, index)} is {shown(image)}, but the first one is "
                f"{shown(first)}: all must be alike; {_advice(image, first)}"
            )
        images[index], labels[index] = image, label
    return images, labels


def classes_of(dataset: Any) -> tuple[tuple[str, ...] | None, int | None]:
    """Names and number of a data set's classes, each None where the data set does not say.

    Args:
        dataset: one of torchvision, or a ``Subset`` or ``ConcatDataset`` of such.

    Returns:
        (names, number). Where a ``target_transform`` changes the labels, the names that the
        data set has are those of other labels, so they are left out.

    Raises:
        ValueError: if the parts of a ``ConcatDataset`` have different classes.
    """
    found = {_own_classes(part) for part in _parts(dataset)}
    if len(found) == 1:
        return found.pop()
    if (None, None) in found:
        return None, None
    raise ValueError(
        "dataset must have the same classes in all its parts, because a label is a place among "
        f"them, but they are {' and '.join(sorted(map(str, found)))}"
    )


def numbered_by_name(labels: Tensor, own: tuple[str, ...] | None, wanted: list[str]) -> Tensor:
    """Labels as places among the wanted names, if a data set's own names are among these.

    Args:
        labels: places among the data set's own names (N,).
        own: the names that the data set has; None for none.
        wanted: the names that the caller gives.

    Returns:
        Labels (N,). Where the wanted names are other names of the same classes, as they came.

    Raises:
        ValueError: if they cannot be, because they are not as many.
    """
    if own is None or list(own) == wanted:
        return labels
    if set(own) <= set(wanted) and int(labels.max()) < len(own):
        places = torch.tensor([wanted.index(name) for name in own], device=labels.device)
        return places[labels]
    if len(own) != len(wanted):
        raise ValueError(
            f"class_names must hold all names that dataset has, {shown(own)}, or replace each of "
            f"these {len(own)}, but they are {shown(wanted)}"
        )
    return labels


def _own_classes(part: Any) -> tuple[tuple[str, ...] | None, int | None]:
    if getattr(part, "target_transform", None) is not None:
        return None, None
    number = getattr(part, "num_classes", None)
    number = number if isinstance(number, int) else None
    names = getattr(part, "classes", getattr(part, "class_names", None))
    if not isinstance(names, (list, tuple)) or not names:
        return None, number
    # ImageNet has several names a class.
    words = [", ".join(name) if isinstance(name, tuple) else str(name) for name in names]
    return tuple(words), len(words)


def _parts(dataset: Any) -> Iterator[Any]:
    """The data sets that a data set is put together from, or itself."""
    if isinstance(dataset, Subset):
        yield from _parts(dataset.dataset)
    elif isinstance(dataset, ConcatDataset):
        for each in dataset.datasets:
            yield from _parts(each)
    else:
        yield dataset


# --- the data set as a whole -------------------------------------------------------------


def _require_collection(dataset: Any) -> int:
    """The number of items, at least 1."""
    if isinstance(dataset, DataLoader):
        wrong = "a DataLoader: give its data set, from_dataset(loader.dataset)"
    elif isinstance(dataset, IterableDataset):
        wrong = "an IterableDataset: collect its pairs first, from_dataset(list(dataset))"
    elif isinstance(dataset, (Tensor, numpy.ndarray)):
        wrong = f"a {type(dataset).__name__}: ImageDataset(images, labels) takes two tensors"
    elif isinstance(dataset, (str, bytes, dict, type)) or not (
        hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")
    ):
        wrong = f"{shown(dataset)}: give for instance torchvision.datasets.ImageFolder(folder)"
    elif len(dataset) == 0:
        wrong = f"empty: {shown(dataset)}"
    else:
        return len(dataset)
    raise ValueError(
        f"dataset must be a collection of (image, label) pairs with a length, but it is {wrong}"
    )


def _warn_of_chance(dataset: Any) -> None:
    """Every image is read once, so what a transform draws would stay as it fell."""
    for part in _parts(dataset):
        transform = getattr(part, "transform", None)
        found = transform is not None and BY_CHANCE.search(repr(transform))
        if found:
            warnings.warn(
                f"the transform of dataset has {found[0]}: every image is read once and keeps "
                "what was drawn for it. Leave it out, and give fit an augment function",
                stacklevel=4,  # the line that called from_dataset
            )


def _with_bar(indices: range) -> Any:
    from tqdm import tqdm

    return tqdm(
        indices,
        desc="reading",
        unit=" images",
        leave=False,
        disable=len(indices) < LARGE,
        file=sys.stderr,
    )


# --- one item ----------------------------------------------------------------------------


def _read(dataset: Any, index: int) -> tuple[Tensor, int]:
    """The image (C, H, W) and the label of one item."""
    place = _place(dataset, index)
    try:
        item = dataset[index]
    except Exception as error:  # a reader of files, or a transform, may raise anything
        raise ValueError(
            f"{place} cannot be read, {stopped_with(error)}; mend it or leave it out"
        ) from error
    if not isinstance(item, (tuple, list)) or len(item) != 2:
        raise ValueError(f"{place} must be a pair (image, label), but it is {shown(item)}")
    image, label = item
    return _pixels(image, place), _whole_label(label, place)


def _pixels(image: Any, place: str) -> Tensor:
    """An image as (C, H, W), uint8 or float32."""
    if hasattr(image, "getbands"):  # a PIL image, which torchvision knows how to read
        from torchvision.transforms.functional import pil_to_tensor

        if image.mode not in ("L", "RGB"):
            deep = image.mode.startswith(("I", "F"))
            advice = "bring its values to 0..255 and to mode L" if deep else ADVICE_FOR_MODES
            raise ValueError(
                f"{place} must be a picture of mode L (grey) or RGB, but it is of mode "
                f"{image.mode}: {advice}"
            )
        return pil_to_tensor(image)
    if isinstance(image, Tensor):
        if image.ndim == 3 and image.numel() and image.dtype in (torch.uint8, torch.float32):
            return image.detach()
        raise ValueError(
            f"{place} must be an image of the shape (C, H, W), as uint8 or float32, but it is "
            f"{shown(image)}"
        )
    raise ValueError(
        f"{place} must be a PIL image or a tensor (C, H, W), but it is {shown(image)}: "
        "PIL.Image.fromarray or transforms.PILToTensor() makes one"
    )


def _whole_label(label: Any, place: str) -> int:
    """A label as an int: a whole number, or an array that holds just one."""
    is_array = isinstance(label, (Tensor, numpy.ndarray, numpy.generic))
    count = math.prod(label.shape) if is_array else 1
    value = label.item() if is_array and count == 1 else label
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST_LABEL:
        return value
    if isinstance(value, str):
        advice = "number the names, for instance by names.index(label)"
    elif count > 1:
        advice = "of a one-hot vector take label.argmax()"
    else:
        advice = "target_transform=int makes a whole number of 3.0 or True"
    raise ValueError(
        f"{place} must have a whole number of at least 0 as its label, but it is "
        f"{shown(label)}: {advice}"
    )


# --- words -------------------------------------------------------------------------------


def _place(dataset: Any, index: int) -> str:
    """How an error names an item; of a folder, with the file."""
    place = f"item {index} of dataset"
    if isinstance(dataset, Subset):
        dataset, index = dataset.dataset, dataset.indices[index]
    files = getattr(dataset, "samples", None)  # ImageFolder's: (file, label) of each item
    if not isinstance(files, list) or not isinstance(files[index], tuple):
        return place
    return f"{place} ({files[index][0]})"


def _advice(image: Tensor, first: Tensor) -> str:
    if image.dtype != first.dtype:
        return "give all of them the same transform"
    return ADVICE_FOR_MODES if image.shape[1:] == first.shape[1:] else ADVICE_FOR_SIZES
