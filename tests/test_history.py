"""What training reports: rows, their table, the best one, and a line."""

from typing import Any

import pytest
from IPython.core.formatters import DisplayFormatter
from matplotlib.figure import Figure

from gnet_lib.history import Evaluation, History, Progress, epoch_line


def history_of(*validation: float | None) -> History:
    values = dict.fromkeys(History.COLUMNS, 0.5)
    return History(
        [
            {
                **values,
                "epoch": epoch,
                "train_accuracy": epoch / 10,
                "validation_accuracy": accuracy,
            }
            for epoch, accuracy in enumerate(validation, start=1)
        ]
    )


def test_a_row_holds_the_means_of_its_epoch():
    progress = Progress(epochs=2, steps_per_epoch=2)
    progress.count_step(images=10, loss=2.0, correct=3, learning_rate=0.1)
    progress.count_step(images=30, loss=1.0, correct=17, learning_rate=0.2)
    progress.totals.seconds = 4.0
    progress.finish_epoch(Evaluation(loss=0.7, accuracy=0.6, count=5))
    assert progress.rows == [
        {
            "epoch": 1, "train_loss": 1.25, "train_accuracy": 0.5, "validation_loss": 0.7,
            "validation_accuracy": 0.6, "learning_rate": 0.2, "seconds": 4.0,
            "images_per_second": 10.0,
        }
    ]  # fmt: skip
    assert tuple(progress.rows[0]) == History.COLUMNS
    assert (progress.epoch, progress.step, progress.totals.images) == (2, 0, 0)


def test_the_table_has_the_columns_and_a_row_an_epoch():
    frame = history_of(0.5, 0.9).frame()
    assert list(frame.columns) == list(History.COLUMNS)
    assert frame["epoch"].tolist() == [1, 2]
    assert frame["validation_accuracy"].tolist() == [0.5, 0.9]


def test_without_validation_its_columns_are_empty_numbers():
    column = history_of(None, None).frame()["validation_accuracy"]
    assert column.isna().tolist() == [True, True]
    assert column.dtype == float
    assert History().frame().shape == (0, 8)


def test_best_is_the_highest_validation_accuracy():
    assert history_of(0.5, 0.9, 0.9, 0.7).best()["epoch"] == 2
    assert history_of(None, None, None).best()["epoch"] == 3
    with pytest.raises(ValueError, match="no complete epoch"):
        History().best()


def test_a_history_says_in_one_line_what_it_holds():
    assert repr(History()) == "History(no complete epoch)"
    one = history_of(0.849)
    one.interrupted = True
    assert repr(one) == (
        "History(1 epoch, last: loss 0.500, accuracy 10.0 %, validation 84.9 %, interrupted)"
    )
    assert repr(history_of(None, None)) == "History(2 epochs, last: loss 0.500, accuracy 20.0 %)"


def test_the_line_of_an_epoch_holds_its_numbers():
    row = {**history_of(0.849).rows[0], "seconds": 12.4, "images_per_second": 4321.0}
    line = epoch_line(row, epochs=3)
    for part in ("1/3", "loss 0.500", "accuracy 10.0 %", "validation 84.9 %", "12 s", "4,321 im"):
        assert part in line


def test_a_history_draws_its_curves():
    assert isinstance(history_of(0.5, 0.9).plot(label="mine"), Figure)
    with pytest.raises(ValueError, match="complete epoch"):
        History().plot()


def test_a_notebook_shows_the_curves_and_everything_else_the_line():
    history = history_of(0.5, 0.9)
    shown, about = DisplayFormatter().format(history)
    assert shown["image/svg+xml"].startswith("<?xml") and "accuracy 90.0%" in about["alt"]
    assert shown["text/plain"] == repr(history)
    assert DisplayFormatter().format(History())[0] == {"text/plain": "History(no complete epoch)"}


@pytest.mark.parametrize(
    ("rows", "interrupted", "said"),
    [
        (None, False, "rows .* None"), ([1], False, "rows .* 1"),
        ([{"epoch": 1}], False, "rows .* train_loss"), ([], 1, "interrupted .* 1"),
    ],
)  # fmt: skip
def test_a_history_of_something_else_is_refused(rows: Any, interrupted: Any, said):
    with pytest.raises(ValueError, match=said):
        History(rows, interrupted)


def test_an_evaluation_cannot_be_changed():
    with pytest.raises(AttributeError, match="loss"):
        setattr(Evaluation(1.0, 0.5, 3), "loss", 0.0)  # noqa: B010 (a checker of types knows)
