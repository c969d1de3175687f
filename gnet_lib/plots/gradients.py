"""Signal and gradient, row by row, and which runs start to learn."""

from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gnet_lib.paper import AUX_AFTER
from gnet_lib.plots.style import COLOURS, INK, PLAIN, SOFT, finish, new_panels

if TYPE_CHECKING:
    import pandas


def row_lines(panels: dict[str, dict[str, dict[str, float]]], quantity: str) -> Figure:
    """A quantity of each row of a network, on a logarithmic scale that all panels share.

    Args:
        panels: title of a panel -> name of a line -> name of a row -> value, as
            ``gradient_norms`` and ``activation_std`` return it. The first line of a panel is
            outlined, the second filled, others are plain.
        quantity: what is shown, the label of the vertical axis.

    Returns:
        The figure.

    Raises:
        ValueError: if there is no panel, or a value is not above 0.

    Example:
        >>> from gnet_lib import plots
        >>> norms = {"conv1": 0.001, "3a": 0.1}
        >>> plots.alt_text(plots.row_lines({"He": {"without heads": norms}}, quantity="gradient"))
        'By row of the network, gradient. He, without heads: 1e-03 at conv1, 1e-01 at 3a.'
    """
    if not panels:
        raise ValueError("panels must be at least one, but there are none")
    lines = [(title, *line) for title, several in panels.items() for line in several.items()]
    for title, name, values in lines:
        bad = [value for value in values.values() if not value > 0]  # catches NaN, too
        if bad:
            raise ValueError(
                f"panels must hold values above 0, but {name!r} of {title!r} has {bad[0]}"
            )
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


def _draw_row_lines(axes: Axes, several: dict[str, dict[str, float]]) -> None:
    styles = [
        {"color": INK, "marker": "o", "markerfacecolor": "white", "linestyle": "--"},
        {"color": PLAIN, "marker": "o"},
        {"color": COLOURS["3x3"], "marker": "s"},
        {"color": COLOURS["5x5"], "marker": "D"},
    ]
    for style, (name, values) in zip(styles, several.items(), strict=False):
        axes.plot(
            list(values), list(values.values()), **style, markersize=4.5, linewidth=1.2, label=name
        )
    axes.set_yscale("log")
    axes.tick_params(axis="x", rotation=90, labelsize=8.5)
    for name in AUX_AFTER:
        axes.axvline(name, color=SOFT, linewidth=0.8, linestyle=":", zorder=0)
    axes.legend(fontsize=8, frameon=False)


def _first_and_last(values: dict[str, float]) -> str:
    (first, *_, last) = values
    return f"{values[first]:.0e} at {first}, {values[last]:.0e} at {last}"


def start_dots(runs: "pandas.DataFrame", chance: float, started: float) -> Figure:
    """Which short runs started to learn: a dot for each run, with and without heads.

    Args:
        runs: columns ``start`` (a panel each), ``learning_rate``, ``heads`` (true or false)
            and ``accuracy`` from 0 to 1.
        chance: the accuracy of guessing, from 0 to 1.
        started: the accuracy above which a run counts as started, from 0 to 1.

    Returns:
        The figure.

    Example:
        >>> import pandas
        >>> from gnet_lib import plots
        >>> run = {"start": "he", "learning_rate": 0.1, "heads": True, "accuracy": 0.8}
        >>> runs = pandas.DataFrame([run, run | {"heads": False}])
        >>> plots.alt_text(plots.start_dots(runs, chance=0.1, started=0.3)).split(": ")[1]
        'he 1 of 1 without heads and 1 of 1 with them.'
    """
    starts, rates = list(dict.fromkeys(runs["start"])), sorted(set(runs["learning_rate"]))
    figure, grid = new_panels(3.0, columns=len(starts), sharey=True)
    for axes, start in zip(grid, starts, strict=True):
        for heads, face, offset in ((False, "white", -0.13), (True, PLAIN, 0.13)):
            chosen = runs[(runs["start"] == start) & (runs["heads"] == heads)]
            places = [rates.index(rate) + offset for rate in chosen["learning_rate"]]
            axes.plot(
                places,
                100 * chosen["accuracy"],
                "o",
                color=INK,
                markerfacecolor=face,
                markersize=6,
                label="with heads" if heads else "without heads",
            )
        axes.axhline(100 * chance, color=SOFT, linewidth=0.8)
        axes.axhline(100 * started, color=SOFT, linewidth=0.8, linestyle=":")
        axes.set_xticks(range(len(rates)), [f"{rate:g}" for rate in rates])
        axes.set_xlim(-0.5, len(rates) - 0.5)
        axes.set_xlabel("learning rate")
        axes.set_title(start, loc="left")
    grid[0].set_ylabel("accuracy, %")
    grid[0].set_ylim(0)
    grid[0].legend(fontsize=8.5, loc="upper left", frameon=False)
    parts = [_started(start, runs[runs["start"] == start], started) for start in starts]
    return finish(
        figure,
        (
            f"Accuracy of {len(runs)} short runs by initialisation and learning rate. Above "
            f"{started:.0%} are: {'; '.join(parts)}."
        ),
    )


def _started(start: str, runs: "pandas.DataFrame", bound: float) -> str:
    with_heads, without = runs[runs["heads"]], runs[~runs["heads"]]
    counts = [
        f"{(some['accuracy'] > bound).sum()} of {len(some)}" for some in (without, with_heads)
    ]
    return f"{start} {counts[0]} without heads and {counts[1]} with them"
