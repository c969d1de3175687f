"""Images and their labels as tensors: one dataset, and its batches.

Any images that fit into memory: of any size, square or not, grey or in colour, of any number
of classes. ``ImageDataset.from_dataset`` reads them from a data set of torchvision's kind, for
instance from a folder of pictures.
"""

import math
import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, overload

import numpy
import torch
from torch import Tensor
from torch.utils.data import Dataset

from gnet_lib._check import (
    require_bool,
    require_generator,
    require_instance,
    require_items,
    require_number,
    require_whole_number,
    shown,
)
from gnet_lib._collect import classes_of, numbered_by_name, read_pairs
from gnet_lib.device import LARGEST_SEED

PerChannel: TypeAlias = float | Sequence[float] | Tensor
"""One number for all channels, or one for each."""

AN_IMAGE_DATASET = (
    "an ImageDataset, as ImageDataset(images, labels) or ImageDataset.from_dataset(...) builds it"
)

# ------------------------------------------------------------------ datasets


@dataclass(frozen=True, eq=False, init=False)  # eq=False: tensors have no single yes-or-no "=="
class ImageDataset(Dataset[tuple[Tensor, int]]):
    """Images and their labels, checked once when the dataset is made.

    ``dataset[3]`` is one image and its label, ``dataset[:100]`` a dataset of the first hundred.
    So are ``dataset[[5, 2]]`` and ``dataset[dataset.labels == 1]``, of the images that a list
    names or a mask has True for. ``for image, label in dataset`` goes through them all, so that
    PyTorch's ``DataLoader`` takes it, too.

    Args:
        images: (N, C, H, W); uint8 with 0 for black as loaded, or float32
            after ``normalised``.
        labels: (N,) int64, whole numbers from 0.
        class_names: the name of each label, in order; None when there are none.
        num_classes: how many classes there are. None: as many as names, or without names the
            highest label + 1. Whatever is made from this dataset keeps names and number, also
            a part in which some class is absent.

    Raises:
        ValueError: a shape, type, length, label or name does not fit.

    Example:
        >>> import torch
        >>> images = torch.zeros(20, 1, 28, 28, dtype=torch.uint8)
        >>> dataset = ImageDataset(images, labels=torch.arange(20) % 10)
        >>> dataset
        ImageDataset(20 images of 1x28x28 in 10 classes, torch.uint8, on cpu)
        >>> image, label = dataset[-1]
        >>> image.shape, label
        (torch.Size([1, 28, 28]), 9)
    """

    images: Tensor
    labels: Tensor
    class_names: tuple[str, ...] | None
    num_classes: int

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        class_names: Sequence[str] | None = None,
        num_classes: int | None = None,
    ) -> None:
        _check_images(images)
        _check_labels(labels)
        if len(images) != len(labels):
            raise ValueError(
                "images and labels must have the same length, but there are "
                f"{len(images)} images and {len(labels)} labels"
            )
        if images.device != labels.device:
            raise ValueError(
                "images and labels must be on the same device, but images are on "
                f"{images.device} and labels on {labels.device}: "
                "build the dataset on one device and move it with .to(device)"
            )
        names = None
        if class_names is not None:
            names = tuple(require_items("class_names", class_names, str, "texts, one a class"))
        number = _number_of_classes(labels, names, num_classes)
        # Nobody else can set them: the dataset is frozen.
        vars(self).update(images=images, labels=labels, class_names=names, num_classes=number)

    @classmethod
    def from_dataset(cls, dataset: Any, class_names: Sequence[str] | None = None) -> "ImageDataset":
        """Read a data set of (image, label) pairs into memory.

        That is what torchvision's data sets are, ``ImageFolder`` among them, and PyTorch's
        ``TensorDataset``, ``Subset`` and ``ConcatDataset``; a list of pairs will do as well.
        Each image is read once. So a transform that brings them to one size belongs to
        ``dataset``, and one that draws by chance does not (give it to ``fit`` as ``augment``).
        Leave out ``ToTensor``, too: pixels stay bytes until ``normalised``.

        Args:
            dataset: has a length and gives (image, label) for each index. Images are PIL
                images (grey or RGB), or tensors (C, H, W) of type uint8 or float32, all of one
                size; labels are whole numbers from 0.
            class_names: the name of each label. None takes ``dataset.classes`` where it
                exists and no ``target_transform`` has changed the labels. Where all of those
                are among the names given here, each label becomes its name's place here; so
                ``class_names=train.class_names`` is right for a folder that lacks a class.
                Else the names given here replace them, and must be as many.

        Returns:
            An ``ImageDataset``.

        Raises:
            ValueError: for something else, or for an item that does not fit; it says which.

        Warns:
            UserWarning: a transform of the data set draws by chance.

        Example:
            >>> from torchvision.datasets import FakeData
            >>> ImageDataset.from_dataset(FakeData(size=6, image_size=(3, 24, 32), num_classes=4))
            ImageDataset(6 images of 3x24x32 in 4 classes, torch.uint8, on cpu)
        """
        if isinstance(dataset, ImageDataset):
            names, number = dataset.class_names, dataset.num_classes
            images, labels = dataset.images, dataset.labels
        else:
            images, labels = read_pairs(dataset)
            names, number = classes_of(dataset)
        if class_names is not None:
            wanted = require_items("class_names", class_names, str, "texts, one a class")
            labels = numbered_by_name(labels, names, wanted)
            names, number = wanted, None
        return cls(images, labels, names, number)

    def __len__(self) -> int:
        return len(self.labels)

    @overload
    def __getitem__(self, index: slice | list[int] | list[bool] | Tensor) -> "ImageDataset": ...

    @overload
    def __getitem__(self, index: int) -> tuple[Tensor, int]: ...

    def __getitem__(self, index: Any) -> "tuple[Tensor, int] | ImageDataset":
        if isinstance(index, (slice, list)) or getattr(index, "ndim", 0):
            places = _places(index, len(self))
            if isinstance(places, Tensor):
                places = places.to(self.labels.device)
            return self._with(self.images[places], self.labels[places])
        try:
            place = operator.index(index)
        except (TypeError, ValueError, RuntimeError):  # the last: a tensor without memory
            raise ValueError(f"{WANTED_INDEX}, but it is {shown(index)}") from None
        _require_place(place, place, len(self))
        return self.images[place], int(self.labels[place])

    def __iter__(self) -> Iterator[tuple[Tensor, int]]:
        return zip(self.images, self.labels.tolist(), strict=True)

    def __repr__(self) -> str:
        size = "x".join(map(str, self.images.shape[1:]))
        classes = "1 class" if self.num_classes == 1 else f"{self.num_classes} classes"
        return (
            f"ImageDataset({len(self):,} images of {size} in {classes}, "
            f"{self.images.dtype}, on {self.images.device})"
        )

    def to(self, device: torch.device | str) -> "ImageDataset":
        """Return the same dataset on another device.

        Args:
            device: where to, for example "cuda" or "cpu".

        Returns:
            An ``ImageDataset`` whose images and labels are on ``device``.

        Raises:
            ValueError: there is no such device here.

        Example:
            >>> import torch
            >>> tiny = ImageDataset(torch.zeros(1, 1, 28, 28), torch.zeros(1).long())
            >>> tiny.to("cpu").images.device
            device(type='cpu')
        """
        try:
            there = torch.empty(0, device=torch.device(device)).device
        except (RuntimeError, TypeError, ValueError, AssertionError) as error:
            raise ValueError(
                f"device must be one that works here, for instance 'cpu', but it is "
                f"{shown(device)}: pick_device() chooses one"
            ) from error
        return self._with(self.images.to(there), self.labels.to(there))

    def mean_and_std(self) -> tuple[float, float]:
        """Return mean and standard deviation of all pixels, scaled to 0..1.

        Returns:
            (mean, standard deviation) over every pixel of every image and channel.

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
        return _mean_and_std(self.images)

    def channel_mean_and_std(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return mean and standard deviation of each channel's pixels, scaled to 0..1.

        Returns:
            (means, standard deviations), each with one number a channel, as ``normalised``
            takes them. For grey images they are those of ``mean_and_std``.

        Raises:
            ValueError: the images are no longer uint8.

        Example:
            >>> import torch
            >>> images = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
            >>> images[0, 0] = 255  # the first of two images is all red
            >>> ImageDataset(images, torch.tensor([0, 1])).channel_mean_and_std()
            ((0.5, 0.0, 0.0), (0.5, 0.0, 0.0))
        """
        self._require_bytes("channel_mean_and_std")
        means, stds = zip(*map(_mean_and_std, self.images.unbind(dim=1)), strict=True)
        return means, stds

    def normalised(self, mean: PerChannel, std: PerChannel) -> "ImageDataset":
        """Return the dataset as float32 with pixels (value / 255 - mean) / std.

        Use the *training* set's mean and standard deviation for every set:
        the test images must not influence how they are prepared.

        Args:
            mean: mean of the pixels on the scale 0..1; a number, or one a channel.
            std: standard deviation on the same scale, above 0 and at most 1; a number, or one a
                channel.

        Returns:
            A new ``ImageDataset`` with float32 images.

        Raises:
            ValueError: the images are already float32, or a number is not usable.

        Example:
            >>> import torch
            >>> white = torch.full((1, 1, 28, 28), 255, dtype=torch.uint8)
            >>> ImageDataset(white, torch.tensor([3])).normalised(0.5, 0.25).images.max()
            tensor(2.)
        """
        self._require_bytes("normalised")
        channels = self.images.shape[1]
        means = _per_channel("mean", mean, channels, at_least=0).to(self.images.device)
        stds = _per_channel("std", std, channels, above=0).to(self.images.device)
        # In place, because a float copy of the training set is 188 MB.
        images = self.images.to(torch.float32).div_(255).sub_(means).div_(stds)
        return self._with(images, self.labels)

    def stratified_subset(
        self, count: int, seed: int = 0, *, balanced: bool = True
    ) -> "ImageDataset":
        """Return a random subset in which every class is equally frequent.

        Only the classes that this dataset has images of take part. When ``count`` is not a
        multiple of their number, the first ones get one image more. The images keep the order
        they have in this dataset.

        Args:
            count: how many images, from 1 to the size of the dataset.
            seed: the same seed gives the same images, on every device.
            balanced: False takes the same fraction of every class instead, so that the classes
                are as frequent as they are in this dataset; of a rare one that may be none.

        Returns:
            A new ``ImageDataset`` with ``count`` images.

        Raises:
            ValueError: ``count`` or ``seed`` is out of range, or a class has too few images.

        Example:
            >>> import torch
            >>> images = torch.zeros(40, 1, 28, 28, dtype=torch.uint8)
            >>> whole = ImageDataset(images, labels=torch.arange(40) % 10)
            >>> whole.stratified_subset(20).labels.bincount().tolist()
            [2, 2, 2, 2, 2, 2, 2, 2, 2, 2]
        """
        count = require_whole_number("count", count, at_most=len(self))
        return self._select(self._choice(count, seed, balanced, to_keep=0))

    def split(
        self, count: int, seed: int = 0, *, balanced: bool = True
    ) -> tuple["ImageDataset", "ImageDataset"]:
        """Hold ``count`` images out, for example to validate a model.

        Args:
            count: how many images to hold out, equally many of each class
                (chosen as by ``stratified_subset``); fewer than the dataset has.
            seed: the same seed gives the same split.
            balanced: False holds the same fraction of every class out instead, which is the
                split for classes of different sizes; of a rare one that may be none.

        Returns:
            (rest, held out); every image of this dataset is in exactly one of them, and the
            rest has at least one of every class.

        Raises:
            ValueError: ``count`` or ``seed`` is out of range, a class has too few images, or
                there is only one image.

        Example:
            >>> import torch
            >>> images = torch.zeros(40, 1, 28, 28, dtype=torch.uint8)
            >>> whole = ImageDataset(images, labels=torch.arange(40) % 10)
            >>> [len(part) for part in whole.split(10)]
            [30, 10]
            >>> rare = ImageDataset(images, labels=(torch.arange(40) >= 36).long())  # 36 and 4
            >>> [part.labels.bincount().tolist() for part in rare.split(10, balanced=False)]
            [[27, 3], [9, 1]]
        """
        if len(self) == 1:
            raise ValueError("split needs at least 2 images, but the dataset has 1")
        count = require_whole_number("count", count, at_most=len(self) - 1)
        is_held_out = self._choice(count, seed, balanced, to_keep=1)
        return self._select(~is_held_out), self._select(is_held_out)

    def _select(self, is_chosen: Tensor) -> "ImageDataset":
        is_chosen = is_chosen.to(self.labels.device)
        return self._with(self.images[is_chosen], self.labels[is_chosen])

    def _with(self, images: Tensor, labels: Tensor) -> "ImageDataset":
        """Other images of the same classes."""
        return ImageDataset(images, labels, self.class_names, self.num_classes)

    def _choice(self, count: int, seed: int, balanced: bool, to_keep: int) -> Tensor:
        """Choose ``count`` images and leave ``to_keep`` of each class: a (N,) bool mask."""
        seed = require_whole_number("seed", seed, at_least=0, at_most=LARGEST_SEED)
        require_bool("balanced", balanced)
        generator = torch.Generator().manual_seed(seed)
        labels = self.labels.cpu()
        is_chosen = torch.zeros(len(labels), dtype=torch.bool)
        present, sizes = (each.tolist() for each in labels.unique(return_counts=True))
        if balanced:
            wanted = [
                count // len(sizes) + (rank < count % len(sizes)) for rank in range(len(sizes))
            ]
            self._require_enough(count, wanted, present, sizes, to_keep)
        else:
            wanted = _in_proportion(count, sizes, to_keep)
        for label, number in zip(present, wanted, strict=True):
            positions = (labels == label).nonzero().flatten()
            shuffled = torch.randperm(len(positions), generator=generator)
            is_chosen[positions[shuffled[:number]]] = True
        return is_chosen

    def _require_enough(
        self, count: int, wanted: list[int], present: list[int], sizes: list[int], to_keep: int
    ) -> None:
        for label, number, size in zip(present, wanted, sizes, strict=True):
            if number + to_keep > size:
                name = f" ({self.class_names[label]})" if self.class_names else ""
                kept = ", one of which has to stay in the rest" if to_keep else ""
                most = (min(sizes) - to_keep) * len(sizes)
                fewer = f"ask for {most} or fewer, or " if most else ""
                raise ValueError(
                    f"count={count} needs {number} images of class {label}{name}, which has "
                    f"{size}{kept}: {fewer}take the same fraction of every class, balanced=False"
                )

    def _require_bytes(self, method: str) -> None:
        if self.images.dtype == torch.uint8:
            return
        advice = (
            "take the dataset from before normalised(); and if they come from "
            "transforms.ToTensor(), leave it out or use transforms.PILToTensor()"
        )
        lowest, highest = (each.item() for each in self.images.aminmax())
        if lowest >= 0 and 1 < highest <= 255:
            advice = (
                f"they look like bytes (from {lowest:g} to {highest:g}), so build the dataset of "
                "images.to(torch.uint8)"
            )
        raise ValueError(
            f"images must be uint8, from 0 to 255, for {method}(), but they are "
            f"{self.images.dtype}: {advice}"
        )


def _in_proportion(count: int, sizes: list[int], to_keep: int) -> list[int]:
    """Divide ``count`` among classes by their sizes: whole parts, then the largest remainders."""
    total, most = sum(sizes), [size - to_keep for size in sizes]
    if count > sum(most):
        raise ValueError(
            f"count must be at most {sum(most)}, so that one image of each of {len(sizes)} classes "
            f"stays in the rest, but it is {count}"
        )
    parts = [count * size // total for size in sizes]
    while sum(parts) < count:
        with_room = [rank for rank in range(len(sizes)) if parts[rank] < most[rank]]
        parts[max(with_room, key=lambda rank: count * sizes[rank] - total * parts[rank])] += 1
    return parts


WANTED_INDEX = (
    "index must be a whole number, a slice, a list of whole numbers, or True or False for each "
    "image"
)


def _places(index: Any, count: int) -> slice | Tensor:
    """The places of several of ``count`` images: a slice, or whole numbers (M,)."""
    try:
        if isinstance(index, slice):
            run = range(count)[index]
            if run and run.step > 0:
                return index  # which costs no memory: the part looks at the same images
            places = torch.tensor(run, dtype=torch.int64)  # a tensor cannot be cut backwards
        else:
            is_tensor = isinstance(index, Tensor)
            places = index.cpu() if is_tensor else torch.from_numpy(numpy.array(index, order="C"))
    except (TypeError, ValueError, RuntimeError, NotImplementedError):
        raise ValueError(f"{WANTED_INDEX}, but it is {shown(index)}") from None
    if places.dtype == torch.bool and places.shape == (count,):
        places = places.nonzero().flatten()
    if not places.numel():
        raise ValueError(f"index must choose an image, but {shown(index)} chooses none")
    is_whole = not (places.is_floating_point() or places.is_complex())
    if places.ndim != 1 or not is_whole or places.dtype == torch.bool:
        raise ValueError(f"{WANTED_INDEX}, but it is {shown(index)} for {count} images")
    _require_place(int(places.min()), int(places.max()), count)
    return places.long()


def _require_place(lowest: int, highest: int, count: int) -> None:
    for place in (lowest, highest):
        if not -count <= place < count:
            raise IndexError(f"index must be from {-count} to {count - 1}, but is {place}")


def _check_images(images: Tensor) -> None:
    require_instance("images", images, Tensor, "a Tensor (torch.from_numpy makes one of an array)")
    shape = tuple(images.shape)
    if images.ndim != 4 or 0 in shape:
        raise ValueError(
            "images must have the shape (N, C, H, W) with each of at least 1, C being 1 for "
            f"grey and 3 for colour, but it is {shape}"
        )
    if shape[3] in (1, 3, 4) and shape[1] > 4:
        raise ValueError(
            f"images must have the shape (N, C, H, W), but {shape} looks like (N, H, W, C): "
            "use images.permute(0, 3, 1, 2)"
        )
    if images.dtype not in (torch.uint8, torch.float32):
        raise ValueError(
            f"images must be uint8 (0..255) or float32 (normalised), but they are {images.dtype}"
        )


def _check_labels(labels: Tensor) -> None:
    require_instance("labels", labels, Tensor, "a Tensor (torch.tensor makes one of a list)")
    if labels.ndim != 1 or labels.dtype != torch.int64:
        raise ValueError(
            "labels must have the shape (N,) and the type torch.int64, but they have "
            f"{tuple(labels.shape)} and {labels.dtype}"
        )


def _number_of_classes(
    labels: Tensor, class_names: tuple[str, ...] | None, num_classes: int | None
) -> int:
    """The number of classes; every label has to lie below it."""
    lowest, highest = int(labels.min()), int(labels.max())
    if num_classes is not None:
        number = require_whole_number("num_classes", num_classes)
        if class_names is not None and number != len(class_names):
            raise ValueError(
                f"num_classes must be {len(class_names)}, the number of class_names, "
                f"but it is {number}"
            )
    else:
        number = highest + 1 if class_names is None else len(class_names)
    if lowest < 0 or highest >= number:
        allowed = f"from 0 to {number - 1}" if number > 0 else "at least 0"
        raise ValueError(
            f"labels must be {allowed}, but they are from {lowest} to {highest}"
            + advice_for_labels(lowest, highest, number)
        )
    return number


def advice_for_labels(lowest: int, highest: int, classes: int) -> str:
    """What helps where somebody counts the classes from 1, for the end of an error."""
    from_1 = lowest == 1 and highest == classes
    return "; labels begin at 0: use labels - 1" if from_1 else ""


def _mean_and_std(pixels: Tensor) -> tuple[float, float]:
    """Of bytes, on the scale 0..1."""
    # There are only 256 possible pixel values, so counting them is exact
    # and needs no floating-point copy of all images.
    pixels_per_value = torch.bincount(pixels.flatten(), minlength=256)
    weights = pixels_per_value.cpu().double() / pixels.numel()
    values = torch.arange(256, dtype=torch.float64) / 255
    mean = (weights * values).sum()
    variance = (weights * (values - mean) ** 2).sum()
    return mean.item(), math.sqrt(variance.item())


def _per_channel(name: str, value: PerChannel, channels: int, **bounds: float) -> Tensor:
    """A number on the scale 0..1, or one a channel, as a tensor (1, 1, 1) or (C, 1, 1)."""
    is_array = isinstance(value, (Tensor, numpy.ndarray, numpy.generic))
    if isinstance(value, Tensor) and value.is_meta:
        raise ValueError(f"{name} must hold numbers, but it is {shown(value)}")
    values = value.tolist() if is_array else value
    if not isinstance(values, (list, tuple)):
        values = [values]
    elif len(values) != channels:
        raise ValueError(
            f"{name} must be a number or {channels}, one a channel, but it is {shown(value)}"
        )
    numbers = [require_number(name, each, **bounds) for each in values]
    if max(numbers) > 1:
        raise ValueError(
            f"{name} must be on the scale 0..1, but it is {shown(value)}; divide what was measured "
            "on 0..255 by 255"
        )
    return torch.tensor(numbers, dtype=torch.float32).view(-1, 1, 1)


# ------------------------------------------------------------------ batches


def batches(
    dataset: ImageDataset,
    batch_size: int,
    *,
    generator: torch.Generator | None = None,
    drop_last: bool = False,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Walk through a dataset once, batch by batch.

    Args:
        dataset: the images to walk through.
        batch_size: images in a batch, at least 1; with ``drop_last`` at most all of them.
        generator: shuffles the images; without it they come in their stored order.
        drop_last: leave out the last batch when it is smaller than the others.

    Returns:
        An iterator over (images, labels).

    Raises:
        ValueError: ``batch_size`` or another argument does not fit.

    Example:
        >>> import torch
        >>> images = torch.zeros(10, 1, 28, 28, dtype=torch.uint8)
        >>> whole = ImageDataset(images, labels=torch.arange(10))
        >>> [labels.tolist() for _, labels in batches(whole, 4)]
        [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    """
    count = len(require_instance("dataset", dataset, ImageDataset, AN_IMAGE_DATASET))
    require_generator(generator)
    require_bool("drop_last", drop_last)
    batch_size = require_whole_number(
        "batch_size", batch_size, at_most=count if drop_last else None
    )
    if generator is None:
        order = torch.arange(count)
    else:
        order = torch.randperm(count, generator=generator, device=generator.device)
    order = order.to(dataset.images.device)
    end = count - count % batch_size if drop_last else count
    chosen = (order[start : start + batch_size] for start in range(0, end, batch_size))
    return ((dataset.images[index], dataset.labels[index]) for index in chosen)
