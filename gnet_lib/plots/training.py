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
    SPARE,
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


CURVES = {"loss": "loss", "accuracy": "accuracy, %"}
PARTS = {"train": "training", "validation": "validation"}
PART_LOOKS: dict[str, Look] = {
    "train": {"linestyle": ":", "marker": ".", "markersize": 5},
    "validation": {"linestyle": "-", "marker": "o"},
}


def learning_curves(histories: dict[str, History], across: str = "epoch") -> Figure:
    """Loss and accuracy of one run or several: training beside validation.

    Training is dotted, validation drawn through. The training's loss is the one that is
    minimised, with label smoothing and auxiliary classifiers where there are any; that of
    validation is the cross-entropy alone.

    Args:
        histories: name -> what ``fit`` returned. A name with "naive" in it is drawn outlined;
            an empty one leaves only "training" and "validation" to the legend.
        across: ``"epoch"``, or ``"seconds"`` of training.

    Returns:
        The figure.

    Raises:
        ValueError: for no history, one without a complete epoch, or another ``across``.

    Example:
        >>> from gnet_lib import History, plots
        >>> row = dict.fromkeys(History.COLUMNS, 0.5) | {"epoch": 1}
        >>> histories = {"naive": History([row]), "reduced": History([row])}
        >>> plots.alt_text(plots.learning_curves(histories)).split(":")[0]
        'Learning curves of naive and reduced'
    """
    _require_histories(histories)
    require_choice("across", across, ("epoch", "seconds"))
    figure, panels = new_panels(2.9, columns=2)
    colours = cycle((PLAIN, SPARE, SOFT))
    for name, history in histories.items():
        colour = INK if "naive" in name else next(colours)
        frame = history.frame()
        places = frame["epoch"] if across == "epoch" else frame["seconds"].cumsum()
        for axes, column in zip(panels, CURVES, strict=True):
            for part in _parts(history):
                face = WHITE if "naive" in name else colour
                look: Look = {"color": colour, "markerfacecolor": face, **PART_LOOKS[part]}
                label = f"{name} {PARTS[part]}".strip()
                values = frame[f"{part}_{column}"] * (100 if column == "accuracy" else 1)
                axes.plot(places, values, **look, label=label)
    for axes, label in zip(panels, CURVES.values(), strict=True):
        axes.set_ylabel(label)
        axes.set_xlabel(across if across == "epoch" else "seconds of training")
        if across == "epoch":
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        else:
            axes.set_xlim(0)
    # Above the axes, where no curve can run through it.
    add_legend(panels[0], fontsize=SMALL, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    of = f" of {names}" if (names := " and ".join(filter(None, histories))) else ""
    ends = "; ".join(_last_values(name, history) for name, history in histories.items())
    return finish(
        figure,
        f"Learning curves{of}: loss on the left, accuracy on the right, by {across}; {ends}.",
    )


def _require_histories(histories: Any) -> None:
    require_mapping("histories", histories, History, "what fit returned", at_least=1)
    for name, history in histories.items():
        if not history.rows:
            raise ValueError(
                f"histories must have a complete epoch each, but {name or 'this one'} has none"
            )


def _parts(history: History) -> list[str]:
    """The parts that a run has numbers of: without a validation set, training alone."""
    return [part for part in PARTS if history.rows[-1][f"{part}_accuracy"] is not None]


def _last_values(name: str, history: History) -> str:
    last = history.rows[-1]
    values = [
        f"{PARTS[part]} ends with loss {last[f'{part}_loss']:.3f} and accuracy "
        f"{last[f'{part}_accuracy']:.1%}"
        for part in _parts(history)
    ]
    return f"{name}: {', '.join(values)}".removeprefix(": ")


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
        accuracies: name of a change -> accuracy from 0 to 1. A name that comes several times
            is one change with several seeds: a dot each, their mean as an upright line.
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
    named = {str(name): accuracies[accuracies.index == name] for name in accuracies.index.unique()}
    seeds_of = dict(sorted(named.items(), key=lambda item: item[1].mean()))
    figure, axes = new_figure(0.9 + 0.24 * len(seeds_of))
    axes.axvspan(100 * low, 100 * high, color=SOFT, alpha=0.3, linewidth=0)
    beside = {"textcoords": "offset points", "va": "center", "fontsize": SMALL}
    for position, seeds in enumerate(seeds_of.values()):
        percent, mean = 100 * seeds, seeds.mean()
        axes.plot(percent, [position] * len(seeds), "o", color=PLAIN)
        if len(seeds) > 1:
            axes.plot(100 * mean, position, "|", color=INK, markersize=11, markeredgewidth=1.4)
        axes.annotate(f"{mean:.2%}", (percent.max(), position), (6, 0), **beside)
    axes.set_yticks(range(len(seeds_of)), list(seeds_of))
    axes.margins(x=0.12)
    axes.set_xlabel("accuracy on held-out training images, %")
    axes.set_title("grey: the same settings with other seeds", loc="right", fontsize=NOTE)
    means = [seeds.mean() for seeds in seeds_of.values()]
    better, worse = sum(mean > high for mean in means), sum(mean < low for mean in means)
    return finish(
        figure,
        f"Accuracy after {len(means)} single changes. Other seeds alone give {low:.2%} to "
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
