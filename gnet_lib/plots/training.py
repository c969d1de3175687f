"""How runs of a training went: their curves, their chance and their drift."""

from collections.abc import Mapping
from itertools import chain, cycle, product
from numbers import Real
from typing import TYPE_CHECKING, Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from gnet_lib._check import (
    require_choice,
    require_instance,
    require_items,
    require_mapping,
    require_number,
    require_table,
    require_text,
    shown,
)
from gnet_lib.history import History
from gnet_lib.plots.style import (
    INK,
    LABEL,
    NOTE,
    PLAIN,
    SMALL,
    SOFT,
    WHITE,
    Look,
    add_legend,
    finish,
    new_figure,
    new_panels,
    plain_axis,
)

if TYPE_CHECKING:
    import pandas


def learning_curves(histories: dict[str, History]) -> Figure:
    """Accuracy on held-out images, against epochs and against seconds of training.

    Args:
        histories: name -> what ``fit`` returned. A name with "naive" in it is drawn outlined.

    Returns:
        The figure.

    Raises:
        ValueError: for anything but histories by name.

    Example:
        >>> from gnet_lib import History, plots
        >>> row = dict.fromkeys(History.COLUMNS, 0.5) | {"epoch": 1}
        >>> histories = {"naive": History([row]), "reduced": History([row])}
        >>> plots.alt_text(plots.learning_curves(histories)).split(":")[0]
        'Learning curves of naive and reduced'
    """
    require_mapping("histories", histories, History, "a History, as fit returns it", at_least=1)
    figure, (left, right) = new_panels(2.9, columns=2, sharey=True)
    for name, history in histories.items():
        frame = history.frame()
        colour, face = (INK, WHITE) if "naive" in name else (PLAIN, PLAIN)
        look: Look = {"color": colour, "marker": "o", "markerfacecolor": face, "label": name}
        accuracy = 100 * frame["validation_accuracy"]
        left.plot(frame["epoch"], accuracy, **look)
        right.plot(frame["seconds"].cumsum(), accuracy, **look)
    left.set_xlabel("epoch")
    left.set_ylabel("accuracy on held-out images, %")
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    right.set_xlabel("seconds of training")
    right.set_xlim(0)
    add_legend(left)
    return finish(
        figure,
        f"Learning curves of {' and '.join(histories)}: accuracy on held-out images "
        "by epoch on the left, by seconds of training on the right.",
    )


def accuracy_curves(
    runs: dict[str, list[list[dict]]],
    levels: dict[str, float],
    across: str = "seconds",
    highlight: str = "ours",
) -> Figure:
    """Accuracy of recorded runs as training goes on, with the levels to be reached.

    Args:
        runs: name -> runs of this name, each a list of rows with an ``accuracy`` from 0 to 1
            and the column named by ``across``.
        levels: name of a level -> accuracy from 0 to 1; each is a thin line.
        across: ``"seconds"`` (drawn on a logarithmic axis) or ``"epoch"``.
        highlight: the name that is drawn in colour.

    Returns:
        The figure.

    Raises:
        ValueError: for another ``across``, a run without rows or without their columns, a level
            that is not from 0 to 1, or a ``highlight`` that is no text.

    Example:
        >>> from gnet_lib import plots
        >>> rows = [{"seconds": 1.0, "accuracy": 0.7}, {"seconds": 2.0, "accuracy": 0.8}]
        >>> plots.alt_text(plots.accuracy_curves({"ours": [rows]}, levels={"a linear model": 0.84}))
        'Test accuracy by seconds of training: ours ends with 80.0% at seconds 2.'
    """
    require_choice("across", across, ("seconds", "epoch"))
    require_text("highlight", highlight)
    for name, level in require_mapping("levels", levels, Real, "an accuracy").items():
        require_number(f"levels[{name!r}]", level, at_least=0, at_most=1)
    require_mapping("runs", runs, list, "a list of runs", at_least=1)
    empty = [name for name, several in runs.items() if not (several and all(several))]
    if empty:
        raise ValueError(
            f"runs must have at least one row each, but those of {', '.join(empty)} have none"
        )
    for row in chain.from_iterable(chain.from_iterable(runs.values())):
        if not isinstance(row, Mapping) or not {"accuracy", across} <= set(row):
            raise ValueError(
                f"runs must hold rows with accuracy and {across}, but one is {shown(row)}"
            )
    figure, axes = new_figure(3.4)
    for line_style, (name, several) in zip(cycle(("--", ":", "-.")), runs.items(), strict=False):
        colour, line_style = (PLAIN, "-") if name == highlight else (INK, line_style)
        look: Look = {"color": colour, "linestyle": line_style, "linewidth": 1.4}
        labels = [name] + [None] * (len(several) - 1)  # one entry in the legend for all runs
        for rows, label in zip(several, labels, strict=True):
            accuracies = [100 * row["accuracy"] for row in rows]
            axes.plot([row[across] for row in rows], accuracies, **look, label=label)
    _draw_levels(axes, levels)
    if across == "seconds":
        axes.set_xscale("log")
        plain_axis(axes.xaxis)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("seconds of training (logarithmic)" if across == "seconds" else "epoch")
    axes.set_ylabel("accuracy on test images, %")
    # Above the axes, where no curve can run through it.
    add_legend(axes, loc="lower left", bbox_to_anchor=(0, 1), ncols=len(runs))
    ends = "; ".join(_ends(name, several, across) for name, several in runs.items())
    return finish(figure, f"Test accuracy by {across} of training: {ends}.")


def _draw_levels(axes: Axes, levels: dict[str, float]) -> None:
    """A thin line a level, with its name on the right; no two names on top of each other."""
    height = 0.0
    for name, level in sorted(levels.items(), key=lambda item: item[1]):
        axes.axhline(100 * level, color=SOFT, linewidth=0.7, zorder=0)
        bottom, top = axes.get_ylim()
        height = max(100 * level, height + 0.05 * (top - bottom))
        across = axes.get_yaxis_transform()
        axes.text(1.01, height, name, transform=across, va="center", fontsize=SMALL)


def _ends(name: str, several: list[list[dict]], across: str) -> str:
    parts = [f"{rows[-1]['accuracy']:.1%} at {across} {rows[-1][across]:,.0f}" for rows in several]
    return f"{name} ends with {', '.join(parts)}"


def change_dots(accuracies: "pandas.Series", by_chance: list[float]) -> Figure:
    """What each single change of a recipe did, beside what the seed alone does.

    Args:
        accuracies: name of a change -> accuracy from 0 to 1.
        by_chance: accuracies of runs that changed nothing but the seed; the band between
            the lowest and the highest of them is grey.

    Returns:
        The figure.

    Raises:
        ValueError: if ``accuracies`` is no such series, or ``by_chance`` has fewer than two
            accuracies.

    Example:
        >>> import pandas
        >>> from gnet_lib import plots
        >>> figure = plots.change_dots(pandas.Series({"no shifts": 0.90}), by_chance=[0.91, 0.92])
        >>> plots.alt_text(figure).split('. ')[0]
        'Accuracy after 1 single changes'
    """
    import pandas

    require_instance("accuracies", accuracies, pandas.Series, "a pandas.Series of accuracies")
    for accuracy in require_items("by_chance", by_chance, Real, "accuracies", at_least=2):
        require_number("by_chance", accuracy, at_least=0, at_most=1)
    low, high = min(by_chance), max(by_chance)
    accuracies = accuracies.sort_values()
    figure, axes = new_figure(0.9 + 0.24 * len(accuracies))
    axes.axvspan(100 * low, 100 * high, color=SOFT, alpha=0.3, linewidth=0)
    axes.plot(100 * accuracies, range(len(accuracies)), "o", color=PLAIN)
    beside = {"textcoords": "offset points", "va": "center", "fontsize": SMALL}
    for position, value in enumerate(accuracies):
        axes.annotate(f"{value:.2%}", (100 * value, position), (6, 0), **beside)
    axes.set_yticks(range(len(accuracies)), accuracies.index)
    axes.margins(x=0.12)
    axes.set_xlabel("accuracy on held-out training images, %")
    axes.set_title("grey: the same settings with other seeds", loc="right", fontsize=NOTE)
    better, worse = (accuracies > high).sum(), (accuracies < low).sum()
    return finish(
        figure,
        f"Accuracy after {len(accuracies)} single changes. Other seeds alone give {low:.2%} to "
        f"{high:.2%}; {better} changes are above that, {worse} below, the others within.",
    )


def drift_lines(differences: "pandas.DataFrame") -> Figure:
    """How far runs of the same training drift away from a reference run, step by step.

    Args:
        differences: one column a run, one row a step (the index is the step's number); each
            value is the run's distance from the reference as a fraction of it. The axis is
            logarithmic, so a distance of 0 is not drawn.

    Returns:
        The figure.

    Raises:
        ValueError: for a table without rows or of other things than numbers.

    Example:
        >>> import pandas
        >>> from gnet_lib import plots
        >>> runs = {"a second run": [0.0, 0.0], "a GPU": [0.0001, 0.01]}
        >>> plots.alt_text(plots.drift_lines(pandas.DataFrame(runs))).split(": ")[1]
        'a second run no difference; a GPU from 1e-04 to 5e-03.'
    """
    require_table("differences", differences, numbers=None)
    figure, axes = new_figure(3.6)
    looks = cycle(product((PLAIN, INK, SOFT), ("-", ":")))
    for (colour, line), (name, column) in zip(looks, differences.items(), strict=False):
        away = column.where(column > 0)
        axes.plot(column.index, away, color=colour, linestyle=line, label=name)
    axes.set_yscale("log")
    axes.set_xlabel("step of training")
    axes.set_ylabel("distance from the reference's loss")
    add_legend(axes, loc="lower right", fontsize=LABEL)
    parts = "; ".join(f"{name} {_drift(column)}" for name, column in differences.items())
    return finish(
        figure,
        f"Distance of the loss from a reference run over {len(differences)} steps, first "
        f"(where it is not 0) and as the median of the last ten: {parts}.",
    )


def _drift(column: Any) -> str:
    away = column[column > 0]
    if away.empty:
        return "no difference"
    return f"from {away.iloc[0]:.0e} to {column.iloc[-10:].median():.0e}"
