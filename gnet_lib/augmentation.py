"""What changes a batch of training images: moved, mirrored, partly erased, made smaller.

Each function takes a whole batch on its device, and can be given to ``fit`` as ``augment``,
alone or several in a list.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from gnet_lib._check import (
    require_generator,
    require_instance,
    require_number,
    require_whole_number,
)


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
        ValueError: ``images`` has not four dimensions, or another argument does not fit.

    Example:
        >>> images = torch.rand(8, 1, 28, 28)
        >>> generator = torch.Generator().manual_seed(0)
        >>> shift_and_flip(images, generator=generator).shape
        torch.Size([8, 1, 28, 28])
    """
    _require_images(images)
    require_generator(generator)
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


def erase_rectangles(
    images: Tensor, chance: float = 0.5, generator: torch.Generator | None = None
) -> Tensor:
    """Cover a rectangle in some of the images with noise, at random.

    A network that has to recognise a shoe by what is left of it cannot rely on one detail. Area
    and shape of each rectangle are drawn: from 2 to 33 % of the image, from about three times
    as high as wide to three times as wide as high. What would not fit is cut. The noise is as
    dark and as bright as the batch, each value in between with the same chance.

    Args:
        images: (N, C, H, W), floats or uint8, on any device.
        chance: of each image to be covered, from 0 to 1.
        generator: the source of chance (on the CPU); the same state gives the
            same result. Without it torch's global generator is used.

    Returns:
        A new tensor with the shape, type and device of ``images``.

    Raises:
        ValueError: ``images`` are of another shape or type, or another argument does not fit.

    Example:
        >>> images = torch.ones(8, 1, 28, 28)
        >>> images[:, :, 0, 0] = 0  # else the noise would be ones as well
        >>> generator = torch.Generator().manual_seed(0)
        >>> covered = (erase_rectangles(images, generator=generator) != images).flatten(1).any(1)
        >>> covered.tolist()
        [True, True, True, True, True, False, False, False]

    Source: Zhong and others 2017, "Random Erasing Data Augmentation" (arXiv 1708.04896).
    """
    _require_images(images)
    if not (images.is_floating_point() or images.dtype == torch.uint8):
        raise ValueError(f"images must be floats or uint8, but they are {images.dtype}")
    chance = require_number("chance", chance, at_least=0, at_most=1)
    require_generator(generator)
    count, _, height, width = images.shape
    source = torch.device("cpu") if generator is None else generator.device

    def drawn(low: float, high: float) -> Tensor:
        """A number for each image, every value in between with the same chance."""
        return low + (high - low) * torch.rand((count, 1), generator=generator, device=source)

    area = drawn(*ERASED_AREA) * height * width
    ratio = drawn(*(math.log(each) for each in ERASED_RATIO)).exp()  # height by width
    rows = (area * ratio).sqrt().clamp(max=height)
    columns = (area / ratio).sqrt().clamp(max=width)
    in_rows = _between(drawn(0, 1) * (height - rows), rows, height)  # (N, H)
    in_columns = _between(drawn(0, 1) * (width - columns), columns, width)  # (N, W)
    is_chosen = drawn(0, 1) < chance  # (N, 1)
    is_covered = (in_rows & is_chosen)[:, None, :, None] & in_columns[:, None, None, :]

    low, high = images.aminmax()
    noise = torch.rand(images.shape, generator=generator, device=source).to(images.device)
    noise = (low + (high - low) * noise).to(images.dtype)
    return torch.where(is_covered.to(images.device), noise, images)


ERASED_AREA = (0.02, 0.33)
ERASED_RATIO = (0.3, 1 / 0.3)


def _between(start: Tensor, length: Tensor, size: int) -> Tensor:
    """Which of ``size`` places lie in each image's span: (N, 1), (N, 1) -> (N, size)."""
    places = torch.arange(size, device=start.device)
    return (places >= start) & (places < start + length)


def small_first(images: Tensor, done: float, size: int = 20, until: float = 0.5) -> Tensor:
    """Make the images smaller in the first part of a run.

    Half the pixels are half the arithmetic, and a network that ends in global average pooling
    takes both sizes with the same weights. What it learns from small images first it needs not
    learn from large ones.

    A network in the middle of its small images is poor at large ones, also because its
    normalisation has averages of small ones only: what ``fit`` reports of a validation set is
    low until the size has changed.

    Args:
        images: (N, C, H, W), floats.
        done: share of the run that is over, from 0 to 1; ``fit`` says it.
        size: height in pixels of the smaller images; their width is in proportion.
        until: share of the run that sees them.

    Returns:
        The images, smaller or as they were.

    Raises:
        ValueError: for images of another shape or type, or a bad argument.

    Example:
        >>> images = torch.rand(8, 1, 28, 28)
        >>> small_first(images, done=0.1).shape, small_first(images, done=0.9).shape
        (torch.Size([8, 1, 20, 20]), torch.Size([8, 1, 28, 28]))

    Source: "progressive learning", Tan and Le 2021, "EfficientNetV2" (arXiv 2104.00298); what
    another size does to a trained network: Touvron and others 2019 (arXiv 1906.06423).
    """
    _require_images(images)
    if not images.is_floating_point():
        raise ValueError(
            f"images must be floats, as normalised ones are, but they are {images.dtype}"
        )
    done = require_number("done", done, at_least=0, at_most=1)
    until = require_number("until", until, at_least=0, at_most=1)
    height, width = images.shape[2:]
    size = require_whole_number("size", size, at_most=height)
    if done >= until:
        return images
    smaller = (size, max(1, round(size * width / height)))
    small = F.interpolate(images.float(), smaller, mode="bilinear", antialias=True)
    return small.to(images.dtype)


def _require_images(images: Tensor) -> None:
    require_instance("images", images, Tensor, "a Tensor")
    if images.ndim != 4 or 0 in images.shape:
        raise ValueError(
            f"images must have the shape (N, C, H, W), but it is {tuple(images.shape)}"
        )
