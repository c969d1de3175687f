"""The pictures of a data set."""

from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from gnet_lib._check import require_whole_number
from gnet_lib.plots.style import finish, new_panels

if TYPE_CHECKING:
    from torch import Tensor


def image_grid(images: "Tensor", titles: list[str], columns: int = 10) -> Figure:
    """Small pictures in rows, each with a title of its own.

    Args:
        images: (N, 1, H, W), grey values of any range.
        titles: N titles, of one or two lines.
        columns: pictures in a row.

    Returns:
        The figure.

    Raises:
        ValueError: if there are no images, not as many titles as images, or ``columns`` is
            not a whole number of at least 1.

    Example:
        >>> import torch
        >>> from gnet_lib import plots
        >>> plots.alt_text(plots.image_grid(torch.rand(2, 1, 28, 28), titles=["a bag", "a coat"]))
        '2 images: a bag, a coat.'
    """
    columns = require_whole_number("columns", columns)
    if len(images) == 0:
        raise ValueError("images must be at least one, but there are none")
    if len(images) != len(titles):
        raise ValueError(f"titles must be {len(images)}, one an image, but there are {len(titles)}")
    rows = -(-len(images) // columns)
    figure, grid = new_panels(0.98 * rows * 10 / columns, columns, rows)
    for axes in grid:  # also those of the last row that stay empty
        axes.axis("off")
    for axes, image, title in zip(grid, images, titles, strict=False):
        axes.imshow(image[0].cpu().numpy(), cmap="gray")
        axes.set_title(title, fontsize=7, loc="center", pad=2)
    names = ", ".join(title.replace("\n", " ") for title in dict.fromkeys(titles))
    return finish(figure, f"{len(images)} images: {names}.")
