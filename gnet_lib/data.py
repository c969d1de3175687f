"""Images and their labels as tensors: one dataset, its batches, and a little augmentation."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from gnet_lib._check import require_instance, require_number, require_whole_number

IMAGE_SIZE = 28
CLASSES = 10


@dataclass(frozen=True, eq=False)  # eq=False: tensors have no single yes-or-no "=="
class ImageDataset:
    """Images and their labels, checked once when the dataset is made.

    Args:
        images: (N, 1, 28, 28); uint8 with 0 for black as loaded, or float32
            after ``normalised``.
        labels: (N,) int64, from 0 to 9.

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
                "images and labels must have the same length, but there are "
                f"{len(self.images)} images and {len(self.labels)} labels"
            )
        if self.images.device != self.labels.device:
            raise ValueError(
                "images and labels must be on the same device, but images are on "
                f"{self.images.device} and labels on {self.labels.device}: "
                "build the dataset on one device and move it with .to(device)"
            )
        lowest, highest = self.labels.min().item(), self.labels.max().item()
        if lowest < 0 or highest >= CLASSES:
            raise ValueError(f"labels must be from 0 to 9, but they are from {lowest} to {highest}")

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"ImageDataset({len(self):,} images, {self.images.dtype}, on {self.images.device})"

    def to(self, device: torch.device | str) -> "ImageDataset":
        """Return the same dataset on another device.

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
        # and needs no floating-point copy of all images.
        pixels_per_value = torch.bincount(self.images.flatten(), minlength=256)
        weights = pixels_per_value.cpu().double() / self.images.numel()
        values = torch.arange(256, dtype=torch.float64) / 255
        mean = (weights * values).sum()
        variance = (weights * (values - mean) ** 2).sum()
        return mean.item(), math.sqrt(variance.item())

    def normalised(self, mean: float, std: float) -> "ImageDataset":
        """Return the dataset as float32 with pixels (value / 255 - mean) / std.

        Use the *training* set's mean and standard deviation for every set:
        the test images must not influence how they are prepared.

        Args:
            mean: mean of the pixels on the scale 0..1.
            std: standard deviation on the same scale, above 0.

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
        mean = require_number("mean", mean)
        std = require_number("std", std, above=0)
        # In place, because a float copy of the training set is 188 MB.
        images = self.images.to(torch.float32).div_(255).sub_(mean).div_(std)
        return ImageDataset(images, self.labels)

    def stratified_subset(self, count: int, seed: int = 0) -> "ImageDataset":
        """Return a random subset in which every class is equally frequent.

        When ``count`` is not a multiple of ten, the first classes get one image
        more. The images keep the order they have in this dataset.

        Args:
            count: how many images, from 1 to the size of the dataset.
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
        count = require_whole_number("count", count, at_most=len(self))
        return self._select(self._balanced_choice(count, seed))

    def split(self, count: int, seed: int = 0) -> tuple["ImageDataset", "ImageDataset"]:
        """Hold ``count`` images out, for example to validate a model.

        Args:
            count: how many images to hold out, equally many of each class
                (chosen as by ``stratified_subset``); fewer than the dataset has.
            seed: the same seed gives the same split.

        Returns:
            (rest, held out); every image of this dataset is in exactly one of them.

        Raises:
            ValueError: ``count`` is out of range, or a class has too few images.

        Example:
            >>> import torch
            >>> images = torch.zeros(40, 1, 28, 28, dtype=torch.uint8)
            >>> whole = ImageDataset(images, labels=torch.arange(40) % 10)
            >>> [len(part) for part in whole.split(10)]
            [30, 10]
        """
        count = require_whole_number("count", count, at_most=len(self) - 1)
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
        for label in range(CLASSES):
            wanted = count // CLASSES + (label < count % CLASSES)
            positions = (labels == label).nonzero().flatten()
            if len(positions) < wanted:
                raise ValueError(
                    f"count={count} needs {wanted} images of each class, but class "
                    f"{label} has {len(positions)}: ask for fewer"
                )
            shuffled = torch.randperm(len(positions), generator=generator)
            is_chosen[positions[shuffled[:wanted]]] = True
        return is_chosen

    def _require_bytes(self, method: str) -> None:
        if self.images.dtype != torch.uint8:
            raise ValueError(
                f"images must be uint8 as loaded for {method}(), but they are "
                f"{self.images.dtype}: this dataset is already normalised, take the original one"
            )


def _check_images(images: Tensor) -> None:
    require_instance("images", images, Tensor, "a Tensor")
    if images.shape[1:] != (1, IMAGE_SIZE, IMAGE_SIZE) or len(images) == 0:
        raise ValueError(
            f"images must have the shape (N, 1, {IMAGE_SIZE}, {IMAGE_SIZE}) with N of at "
            f"least 1, but it is {tuple(images.shape)}"
        )
    if images.dtype not in (torch.uint8, torch.float32):
        raise ValueError(
            f"images must be uint8 (0..255) or float32 (normalised), but they are {images.dtype}"
        )


def _check_labels(labels: Tensor) -> None:
    require_instance("labels", labels, Tensor, "a Tensor")
    if labels.ndim != 1 or labels.dtype != torch.int64:
        raise ValueError(
            "labels must have the shape (N,) and the type torch.int64, but they have "
            f"{tuple(labels.shape)} and {labels.dtype}"
        )


# ------------------------------------------------- batches and augmentation


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
        ValueError: ``batch_size`` does not fit.

    Example:
        >>> import torch
        >>> images = torch.zeros(10, 1, 28, 28, dtype=torch.uint8)
        >>> whole = ImageDataset(images, labels=torch.arange(10))
        >>> [labels.tolist() for _, labels in batches(whole, 4)]
        [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    """
    count = len(dataset)
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
        raise ValueError(
            f"images must have the shape (N, C, H, W), but it is {tuple(images.shape)}"
        )
    count, channels, height, width = images.shape
    largest = min(height, width) - 1
    max_shift = require_whole_number("max_shift", max_shift, at_least=0, at_most=largest)

    source = torch.device("cpu") if generator is None else generator.device
    shifts = (-max_shift, max_shift + 1)
    down = torch.randint(*shifts, (count, 1), generator=generator, device=source)
    right = torch.randint(*shifts, (count, 1), generator=generator, device=source)
    is_mirrored = torch.rand((count, 1), generator=generator, device=source) < 0.5

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
