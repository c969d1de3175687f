"""Signal and gradient, row by row, and which runs start to learn."""

from collections.abc import Mapping
from itertools import cycle
from typing import TYPE_CHECKING, Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from gnet_lib._check import (
    require_mapping,
    require_number,
    require_table,
    require_text,
    shown,
)
from gnet_lib.paper import AUX_AFTER
from gnet_lib.plots.style import (
    COLOURS,
    INK,
    LABEL,
    PLAIN,
    SMALL,
    SOFT,
    WHITE,
    Look,
    add_legend,
    finish,
    new_figure,
    new_panels,
)

if TYPE_CHECKING:
    import pandas

LOOKS: tuple[Look, ...] = (
    {"color": INK, "marker": "o", "markerfacecolor": WHITE, "linestyle": "--"},
    {"color": PLAIN, "marker": "o"},
    {"color": COLOURS["3x3"], "marker": "s"},
    {"color": COLOURS["5x5"], "marker": "D"},
)
"""How the lines of a panel are told apart, in their order."""


def row_lines(panels: dict[str, dict[str, dict[str, float]]], quantity: str) -> Figure:
    """A quantity of each row of a network, on a logarithmic scale that all panels share.

    Args:
        panels: title of a panel -> name of a line -> name of a row -> value, as
            ``gradient_norms`` and ``activation_std`` return it. The first line of a panel is
            outlined, the second filled, others are plain; there is a look for four.
        quantity: what is shown, the label of the vertical axis.

    Returns:
        The figure.

    Raises:
        ValueError: if there is no panel, a panel has no line or more than four, a line has
            fewer than two rows, or a value is not above 0.

    Example:
        >>> from gnet_lib import plots
        >>> norms = {"conv1": 0.001, "3a": 0.1}
        >>> figure = plots.row_lines({"He": {"without heads": norms}}, quantity="gradient")
        >>> plots.alt_text(figure)
        'By row of the network, gradient. He, without heads: 1e-03 at conv1, 1e-01 at 3a.'
    """
    lines = _require_lines(panels)
    require_text("quantity", quantity)
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    figure, grid = new_panels(0.6 + 2.5 * rows, columns, rows, sharey=True)
    for axes in grid[len(panels) :]:
        axes.axis("off")
    for axes, (title, several) in zip(grid, panels.items(), strict=False):
        _draw_row_lines(axes, several)
        axes.set_title(title, loc="left")
    for axes in grid[::columns]:
        axes.set_ylabel(quantity)
    parts = [f"{title}, {name}: {_first_and_last(values)}" for title, name, values in lines]
    return finish(figure, f"By row of the network, {quantity}. {'; '.join(parts)}.")


def _require_lines(panels: dict[str, dict[str, dict[str, float]]]) -> list[tuple[str, str, dict]]:
    """All lines as (title of the panel, name, values), fit to be drawn."""
    require_mapping("panels", panels, Mapping, "a dict of its lines", at_least=1)
    lines = []
    for title, several in panels.items():
        if not 1 <= len(several) <= len(LOOKS):
            raise ValueError(
                f"panels must have one to {len(LOOKS)} lines each, but {title!r} has {len(several)}"
            )
        require_mapping("panels", several, Mapping, "a dict of its rows")
        lines += [(title, name, values) for name, values in several.items()]
    for title, name, values in lines:
        for value in values.values():
            if not isinstance(value, (int, float)) or not value > 0:  # NaN is not, either
                raise ValueError(
                    f"panels must hold values above 0, but {name!r} of {title!r} has {shown(value)}"
                )
        if len(values) < 2:
            raise ValueError(
                f"panels must have lines of at least two rows, but {name!r} of {title!r} has "
                f"{len(values)}"
            )
    return lines


def _draw_row_lines(axes: Axes, several: dict[str, dict[str, float]]) -> None:
    for look, (name, values) in zip(LOOKS, several.items(), strict=False):
        rows, heights = list(values), list(values.values())
        axes.plot(rows, heights, **look, markersize=4.5, linewidth=1.2, label=name)
    axes.set_yscale("log")
    axes.tick_params(axis="x", rotation=90, labelsize=LABEL)
    for name in AUX_AFTER:
        # The axis is one of names, which the types of matplotlib do not know.
        x: Any = name
        axes.axvline(x, color=SOFT, linewidth=0.8, linestyle=":", zorder=0)
    add_legend(axes, fontsize=SMALL)


def _first_and_last(values: dict[str, float]) -> str:
    (first, *_, last) = values
    return f"{values[first]:.0e} at {first}, {values[last]:.0e} at {last}"


def singular_values(matrices: dict[str, Tensor]) -> Figure:
    """In how many directions a step changes a layer: the singular values of matrices, in order.

    Args:
        matrices: name -> matrix (rows, columns) with at least one value that is not 0. Each
            one's largest singular value is drawn as 1.

    Returns:
        The figure.

    Raises:
        ValueError: for no matrix, or one of another shape, or of zeros.

    Example:
        >>> import torch
        >>> from gnet_lib import plots
        >>> figure = plots.singular_values({"a gradient": torch.diag(torch.tensor([4.0, 1.0]))})
        >>> plots.alt_text(figure).split(": ")[1]
        'a gradient 0.25.'
    """
    require_mapping("matrices", matrices, Tensor, "a matrix", at_least=1)
    figure, axes = new_figure(2.6)
    halves = []
    for look, (name, matrix) in zip(cycle(LOOKS), matrices.items(), strict=False):
        if matrix.dim() != 2 or not matrix.is_floating_point() or not matrix.count_nonzero():
            raise ValueError(
                f"matrices must be floats (rows, columns), not all 0, but {name!r} is "
                f"{tuple(matrix.shape)} of {matrix.dtype}"
            )
        values = torch.linalg.svdvals(matrix.detach().float().cpu())
        values = values / values[0]
        places = range(1, len(values) + 1)
        axes.plot(places, values.tolist(), **look, markersize=5, linewidth=1, label=name)
        halves.append(f"{name} {values[len(values) // 2].item():.2f}")
    axes.set_ylim(0, 1.08)
    axes.set_xlabel("direction, the strongest first")
    axes.set_ylabel("singular value, largest = 1")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    add_legend(axes, loc="lower left", bbox_to_anchor=(0, 1), ncols=len(matrices))
    return finish(
        figure,
        "Singular values in order, each as a share of the largest; the one in the middle of the "
        f"row is: {', '.join(halves)}.",
    )


def start_dots(runs: "pandas.DataFrame", chance: float, started: float) -> Figure:
    """Which short runs started to learn: a dot for each run, with and without heads.

    Args:
        runs: columns ``start`` (a panel each), ``learning_rate``, ``heads`` (true or false)
            and ``accuracy`` from 0 to 1.
        chance: the accuracy of guessing, from 0 to 1.
        started: the accuracy above which a run counts as started, from 0 to 1.

    Returns:
        The figure.

    Raises:
        ValueError: for a table without these columns, or an accuracy that is not from 0 to 1.

    Example:
        >>> import pandas
        >>> from gnet_lib import plots
        >>> run = {"start": "he", "learning_rate": 0.1, "heads": True, "accuracy": 0.8}
        >>> runs = pandas.DataFrame([run, run | {"heads": False}])
        >>> plots.alt_text(plots.start_dots(runs, chance=0.1, started=0.3)).split(": ")[1]
        'he 1 of 1 without heads and 1 of 1 with them.'
    """
    words, numbers = ["start", "heads"], ["learning_rate", "accuracy"]
    require_table("runs", runs, words, numbers)
    require_number("chance", chance, at_least=0, at_most=1)
    require_number("started", started, at_least=0, at_most=1)
    rates = sorted(set(runs["learning_rate"]))
    starts = {str(start): group for start, group in runs.groupby("start", sort=False)}
    figure, panels = new_panels(3.0, columns=len(starts), sharey=True)
    for axes, (start, group) in zip(panels, starts.items(), strict=True):
        _draw_starts(axes, group, rates)
        axes.axhline(100 * chance, color=SOFT, linewidth=0.8)
        axes.axhline(100 * started, color=SOFT, linewidth=0.8, linestyle=":")
        axes.set_title(start, loc="left")
    panels[0].set_ylabel("accuracy, %")
    panels[0].set_ylim(0)
    add_legend(panels[0], fontsize=LABEL, loc="upper left")
    parts = [f"{start} {_started(group, started)}" for start, group in starts.items()]
    return finish(
        figure,
        f"Accuracy of {len(runs)} short runs by initialisation and learning rate. Above "
        f"{started:.0%} are: {'; '.join(parts)}.",
    )


def _draw_starts(axes: Axes, runs: "pandas.DataFrame", rates: list[float]) -> None:
    for heads, name, face, offset in (
        (False, "without heads", WHITE, -0.13),
        (True, "with heads", PLAIN, 0.13),
    ):
        chosen = runs[runs["heads"] == heads]
        places = [rates.index(rate) + offset for rate in chosen["learning_rate"]]
        look: Look = {"color": INK, "markerfacecolor": face, "markersize": 6}
        axes.plot(places, 100 * chosen["accuracy"], "o", **look, label=name)
    axes.set_xticks(range(len(rates)), [f"{rate:g}" for rate in rates])
    axes.set_xlim(-0.5, len(rates) - 0.5)
    axes.set_xlabel("learning rate")


def _started(runs: "pandas.DataFrame", bound: float) -> str:
    without, with_heads = (
        f"{(some > bound).sum()} of {len(some)}"
        for some in (runs["accuracy"][runs["heads"] == heads] for heads in (False, True))
    )
    return f"{without} without heads and {with_heads} with them"
