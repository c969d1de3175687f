"""What training and evaluation report: an evaluation, a run's history, and how far it is.

``Evaluation`` and ``History`` are what readers get; ``Progress`` is where a run is, and a
checkpoint stores it.
"""

from dataclasses import asdict, dataclass, field
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar

from gnet_lib._check import (
    require_bool,
    require_items,
    require_number,
    require_text,
    require_whole_number,
    shown,
)

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Evaluation:
    """What ``evaluate`` found.

    Args:
        loss: cross-entropy, averaged over the images.
        accuracy: fraction of the images classified correctly, from 0 to 1.
        count: how many images were seen.

    Raises:
        ValueError: for a loss that is no number, an accuracy out of range, or no image.

    Example:
        >>> Evaluation(loss=0.25, accuracy=0.9, count=10_000).accuracy
        0.9
    """

    loss: float
    accuracy: float
    count: int

    def __post_init__(self) -> None:
        # Not finite is a loss, too: that of a model that has gone astray.
        if isinstance(self.loss, bool) or not isinstance(self.loss, Real):
            raise ValueError(f"loss must be a number, but it is {shown(self.loss)}")
        require_number("accuracy", self.accuracy, at_least=0, at_most=1)
        require_whole_number("count", self.count)


@dataclass
class History:
    """What happened in training: one row (a dict) for each complete epoch.

    A row holds ``epoch`` (from 1), ``train_loss`` and ``train_accuracy`` (averaged over
    the epoch's steps, in training mode, on augmented images, while the weights still
    changed; the loss is the joint one), ``validation_loss`` and ``validation_accuracy``
    (cross-entropy alone, at the epoch's end; None without a validation set),
    ``learning_rate`` (of the epoch's last step), ``seconds`` (of training, without the
    validation) and ``images_per_second``. Accuracies run from 0 to 1.

    In a notebook, a history at the end of a cell shows its curves, as ``plot`` draws them.

    Args:
        rows: the rows so far; ``fit`` fills them.
        interrupted: whether Ctrl-C ended the training.

    Raises:
        ValueError: for rows that lack a column, or an ``interrupted`` that is not True or False.

    Example:
        >>> history = History()
        >>> history
        History(no complete epoch)
    """

    COLUMNS: ClassVar[tuple[str, ...]] = (
        "epoch", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy",
        "learning_rate", "seconds", "images_per_second",
    )  # fmt: skip

    rows: list[dict[str, Any]] = field(default_factory=list)
    interrupted: bool = False

    def __post_init__(self) -> None:
        require_bool("interrupted", self.interrupted)
        for row in require_items("rows", self.rows, dict, "dicts, one an epoch", at_least=0):
            missing = [name for name in self.COLUMNS if name not in row]
            if missing:
                raise ValueError(
                    f"rows must have the columns of History.COLUMNS, but one has no "
                    f"{', '.join(missing)}"
                )

    def frame(self) -> "pandas.DataFrame":
        """The rows as a table.

        Returns:
            One row an epoch, with the columns named above.
        """
        import pandas

        frame = pandas.DataFrame(self.rows, columns=list(self.COLUMNS))
        # A column of nothing but None would be one of objects, which cannot be plotted.
        return frame.astype({name: float for name in self.COLUMNS if name != "epoch"})

    def plot(self, label: str = "") -> "Figure":
        """Draw the learning curves: loss and accuracy, training beside validation.

        Args:
            label: name of the run, in front of "training" and "validation".

        Returns:
            The figure of ``plots.learning_curves``.

        Raises:
            ValueError: if no epoch is complete, or for a ``label`` that is no text.
        """
        from gnet_lib import plots  # not above: this room stands below that one

        return plots.learning_curves({require_text("label", label): self})

    def best(self) -> dict[str, Any]:
        """The row of the highest validation accuracy (of training, without validation).

        Returns:
            That row.

        Raises:
            ValueError: if no epoch is complete.
        """
        if not self.rows:
            raise ValueError("this history has no complete epoch, so it has no best one")
        validated = self.rows[0]["validation_accuracy"] is not None
        column = "validation_accuracy" if validated else "train_accuracy"
        return max(self.rows, key=lambda row: row[column])

    def _repr_mimebundle_(self, **wanted: Any) -> tuple[dict[str, str], dict[str, str]]:
        """What a notebook shows: the learning curves, and the line as everywhere else."""
        if not self.rows:
            return {"text/plain": repr(self)}, {}
        from gnet_lib import plots  # not above: this room stands below that one

        figure = self.plot()
        picture = plots.svg_bytes(figure).decode("utf-8")
        alt = plots.alt_text(figure)
        return {"image/svg+xml": picture, "text/plain": repr(self)}, {"alt": alt}

    def __repr__(self) -> str:
        stopped = ", interrupted" if self.interrupted else ""
        if not self.rows:
            return f"History(no complete epoch{stopped})"
        epochs = "1 epoch" if len(self.rows) == 1 else f"{len(self.rows)} epochs"
        return f"History({epochs}, last: {_results(self.rows[-1], ', ')}{stopped})"


def _results(row: dict[str, Any], separator: str) -> str:
    parts = [f"loss {row['train_loss']:.3f}", f"accuracy {row['train_accuracy']:.1%}"]
    if row["validation_accuracy"] is not None:
        parts.append(f"validation {row['validation_accuracy']:.1%}")
    return separator.join(parts).replace("%", " %")


def epoch_line(row: dict[str, Any], epochs: int) -> str:
    """A row of the history as ``fit`` prints it."""
    return (
        f"epoch {row['epoch']}/{epochs}  {_results(row, '  ')}  "
        f"{row['seconds']:.0f} s  {row['images_per_second']:,.0f} images/s"
    )


@dataclass
class Totals:
    """What has been added up since the epoch began."""

    images: int = 0
    loss_sum: float = 0.0
    correct: int = 0
    seconds: float = 0.0
    learning_rate: float = 0.0  # of the last step

    def mean_loss(self) -> float:
        """The loss, averaged over the images."""
        return self.loss_sum / self.images


@dataclass
class Progress:
    """Where a run is; a checkpoint stores it as a dict."""

    epochs: int  # of the whole run
    steps_per_epoch: int
    epoch: int = 1  # the one that is running
    step: int = 0  # steps done in it
    totals: Totals = field(default_factory=Totals)  # of these steps
    rows: list[dict[str, Any]] = field(default_factory=list)  # of the epochs before

    @property
    def finished(self) -> bool:
        """Whether all epochs are complete."""
        return self.epoch > self.epochs

    @property
    def done(self) -> float:
        """The share of all steps that are done, from 0 to 1."""
        steps = (self.epoch - 1) * self.steps_per_epoch + self.step
        return steps / (self.epochs * self.steps_per_epoch)

    @property
    def place(self) -> str:
        """How far the run has come, for a message."""
        if self.finished:
            return f"all {self.epochs} epochs are complete"
        return (
            f"epoch {self.epoch} of {self.epochs}, after step {self.step} of {self.steps_per_epoch}"
        )

    def count_step(self, images: int, loss: float, correct: int, learning_rate: float) -> None:
        """Add a step: its images, their mean loss, how many were classified correctly."""
        self.step += 1
        self.totals.images += images
        self.totals.loss_sum += loss * images
        self.totals.correct += correct
        self.totals.learning_rate = learning_rate

    def finish_epoch(self, validation: Evaluation | None) -> None:
        """Add the epoch's row, in the order of ``History.COLUMNS``, and begin the next."""
        totals = self.totals
        self.rows.append(
            {
                "epoch": self.epoch,
                "train_loss": totals.mean_loss(),
                "train_accuracy": totals.correct / totals.images,
                "validation_loss": validation.loss if validation else None,
                "validation_accuracy": validation.accuracy if validation else None,
                "learning_rate": totals.learning_rate,
                "seconds": totals.seconds,
                "images_per_second": totals.images / totals.seconds,
            }
        )
        self.epoch, self.step, self.totals = self.epoch + 1, 0, Totals()

    def state_dict(self) -> dict[str, Any]:
        """All of it in plain values."""
        return asdict(self)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go to where another run was."""
        self.epoch, self.step, self.rows = state["epoch"], state["step"], state["rows"]
        self.totals = Totals(**state["totals"])
