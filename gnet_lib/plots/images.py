"""The pictures of a data set."""

from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from gnet_lib._check import require_items, require_whole_number, shown
from gnet_lib.plots.style import finish, new_panels


def image_grid(images: Tensor | list[Tensor], titles: list[str], columns: int = 10) -> Figure:
    """Small pictures in rows, each with a title of its own.

    Args:
        images: (N, 1, H, W), grey values of any range; or (N, 3, H, W) in colour, as uint8
            or float. Floats beyond 0..1 (normalised ones) are stretched, each picture from its
            lowest value to its highest. Or a list of such pictures, (1, H, W) or (3, H, W),
            which may differ in size; each is drawn as large as the others.
        titles: N titles, of one or two lines.
        columns: pictures in a row.

    Returns:
        The figure.

    Raises:
        ValueError: if ``images`` are none or of another shape, not as many titles as images,
            or ``columns`` is not a whole number of at least 1.

    Example:
        >>> import torch
        >>> from gnet_lib import plots
        >>> plots.alt_text(plots.image_grid(torch.rand(2, 1, 28, 28), titles=["a bag", "a coat"]))
        '2 images: a bag, a coat.'
    """
    columns = require_whole_number("columns", columns)
    if isinstance(images, list):
        sizes = [_require_pictures(_batch_of_one(image)) for image in images]
        height, width = sizes[0] if sizes else _require_pictures(torch.empty(0, 1, 1, 1))
    else:
        height, width = _require_pictures(images)
    require_items("titles", titles, str, "texts, one an image,")
    if len(images) != len(titles):
        raise ValueError(f"titles must be {len(images)}, one an image, but there are {len(titles)}")
    rows = -(-len(images) // columns)
    in_row = 0.72 * height / width + 0.26  # inches among ten columns: the picture, its title
    figure, grid = new_panels(in_row * rows * 10 / columns, columns, rows)
    for axes in grid:  # also those of the last row that stay empty
        axes.axis("off")
    for axes, image, title in zip(grid, images, titles, strict=False):
        axes.imshow(_drawable(image.cpu()).numpy(), cmap="gray")
        axes.set_title(title, fontsize=7, loc="center", pad=2)
    names = ", ".join(title.replace("\n", " ") for title in dict.fromkeys(titles))
    return finish(figure, f"{len(images)} images: {names}.")


def _batch_of_one(image: Any) -> Any:
    return image[None] if isinstance(image, Tensor) else image


def _require_pictures(images: Tensor) -> tuple[int, int]:
    """Height and width of pictures that can be shown."""
    shape = tuple(images.shape) if isinstance(images, Tensor) else ()
    if len(shape) != 4 or shape[1] not in (1, 3):
        raise ValueError(
            "images must be a Tensor (N, 1, H, W), or (N, 3, H, W) in colour, but it is "
            f"{shape or shown(images)}"
        )
    if images.is_complex() or images.is_meta:
        raise ValueError(
            f"images must hold real numbers, but they are {images.dtype} on {images.device}"
        )
    if 0 in shape:
        raise ValueError(f"images must be at least one, but there are none: {shape}")
    return shape[2], shape[3]


def _drawable(image: Tensor) -> Tensor:
    """(H, W) in grey, which matplotlib stretches itself, or (H, W, 3) within its range."""
    if len(image) == 1:
        return image[0]
    if image.is_floating_point() and (image.min() < 0 or image.max() > 1):
        image = image - image.min()
        image = image / image.max().clamp(min=1e-12)  # one colour all over is black
    return image.permute(1, 2, 0)
