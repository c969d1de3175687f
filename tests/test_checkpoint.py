"""Ctrl-C and the checkpoint: a run that is cut off ends as if it had not been."""

import errno
import functools
import io
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import ROOT
from tiny_training import (
    STEPS,
    Noise,
    easy_set,
    one_thread,  # noqa: F401 (a fixture)
    run,
    same_weights,
    tiny_model,
    without_times,
)
from torch import nn
from torch.optim.lr_scheduler import LinearLR
from torchvision.transforms import v2

from gnet_lib import LinearInception, MiniGoogLeNet
from gnet_lib.checkpoint import load_checkpoint, save_checkpoint
from gnet_lib.device import set_seed
from gnet_lib.evaluation import evaluate
from gnet_lib.history import History
from gnet_lib.variants import NotesInception

# --- Ctrl-C and exact resume -------------------------------------------------------------


@functools.cache
def whole_run(mixed: bool = False) -> tuple[nn.Module, History]:
    """Three epochs without a stop."""
    model = tiny_model()
    validation = easy_set(30, seed=1)
    return model, run(
        model, augment=Noise(), validation=validation, epochs=3, mixed_precision=mixed
    )


@pytest.mark.parametrize(
    "stop_at, mixed",
    [(1, False), (STEPS, False), (STEPS + 2, False), (STEPS + 2, True), (3 * STEPS - 1, False)],
)
def test_an_interrupted_and_resumed_run_is_the_uninterrupted_one(tmp_path, capsys, stop_at, mixed):
    path = tmp_path / "run.pt"
    settings = {"validation": easy_set(30, seed=1), "epochs": 3, "mixed_precision": mixed}
    whole, expected = whole_run(mixed)

    handler = signal.getsignal(signal.SIGINT)
    first = tiny_model()
    stopped = run(first, augment=Noise(interrupt_at=stop_at), checkpoint=path, **settings)
    assert signal.getsignal(signal.SIGINT) is handler
    assert stopped.interrupted
    assert len(stopped.rows) == stop_at // STEPS
    assert not same_weights(first, tiny_model())  # what was learnt is kept
    where = f"epoch {stop_at // STEPS + 1} of 3, after step {stop_at % STEPS} of {STEPS}"
    told = capsys.readouterr().out
    assert where in told and str(path) in told

    second, noise = tiny_model(), Noise()
    set_seed(99)  # other random numbers
    resumed = run(second, augment=noise, checkpoint=path, **settings)
    assert capsys.readouterr().out == f"resumed from {path}: {where}\n"
    assert noise.calls == 3 * STEPS - stop_at
    assert not resumed.interrupted
    assert same_weights(second, whole)
    assert without_times(resumed) == without_times(expected)


def test_a_crashed_run_resumes_from_its_last_epoch(tmp_path):
    path, settings = tmp_path / "run.pt", {"validation": easy_set(30, seed=1), "epochs": 3}
    with pytest.raises(OSError, match="power"):
        run(tiny_model(), augment=Noise(crash_at=2 * STEPS + 3), checkpoint=path, **settings)
    again, noise = tiny_model(), Noise()
    resumed = run(again, augment=noise, checkpoint=path, **settings)
    whole, expected = whole_run()
    assert noise.calls == STEPS
    assert same_weights(again, whole)
    assert without_times(resumed) == without_times(expected)


def test_a_run_may_be_interrupted_again_and_again(tmp_path):
    whole, model = tiny_model(), tiny_model()
    run(whole, augment=Noise(), epochs=1)
    for _ in range(STEPS - 1):
        again = Noise(interrupt_at=1)
        assert run(model, augment=again, epochs=1, checkpoint=tmp_path / "run.pt").interrupted
    run(model, augment=Noise(), epochs=1, checkpoint=tmp_path / "run.pt")
    assert same_weights(model, whole)


def test_an_interruption_without_checkpoint_keeps_the_weights(capsys):
    whole, model = tiny_model(), tiny_model()
    history = run(model, augment=Noise(interrupt_at=STEPS))
    assert history.interrupted and len(history.rows) == 1
    assert "checkpoint=" in capsys.readouterr().out
    assert not model.training
    evaluate(model, easy_set())  # still usable

    # The same five steps of the same schedule, stopped by an error instead of a signal:
    with pytest.raises(OSError, match="power"):
        run(whole, augment=Noise(crash_at=STEPS + 1))
    assert same_weights(model, whole)
    assert not whole.training


def test_ctrl_c_in_the_last_step_is_not_swallowed(tmp_path, capsys):
    path = tmp_path / "run.pt"
    history = run(tiny_model(), augment=Noise(interrupt_at=2 * STEPS), checkpoint=path)
    assert history.interrupted and len(history.rows) == 2
    assert "all 2 epochs are complete" in capsys.readouterr().out


def test_a_second_ctrl_c_stops_at_once():
    handler, noise = signal.getsignal(signal.SIGINT), Noise(interrupt_at=3, presses=2)
    model = tiny_model()
    with pytest.raises(KeyboardInterrupt):
        run(model, augment=noise)
    assert noise.calls == 3
    assert signal.getsignal(signal.SIGINT) is handler
    assert not model.training


def test_an_ignored_ctrl_c_stays_ignored():
    former = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert not run(tiny_model(), augment=Noise(interrupt_at=2)).interrupted
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, former)


def test_fit_works_outside_the_main_thread():
    histories = []
    thread = threading.Thread(target=lambda: histories.append(run(tiny_model())))
    thread.start()
    thread.join()
    assert len(histories[0].rows) == 2


# --- the file ----------------------------------------------------------------------------


def test_a_complete_checkpoint_is_loaded_and_not_trained_again(tmp_path, capsys):
    path = tmp_path / "new folder" / "run.pt"
    trained, noise = tiny_model(), Noise()
    history = run(trained, augment=Noise(), checkpoint=str(path))
    assert capsys.readouterr().out == ""
    loaded = tiny_model()
    again = run(loaded, augment=noise, checkpoint=path)
    assert "all 2 epochs are complete" in capsys.readouterr().out
    assert noise.calls == 0
    assert again == history
    assert same_weights(loaded, trained)
    assert not loaded.training


def test_what_is_stored_comes_back(tmp_path):
    state = {"settings": {"epochs": 2}, "model": {"weight": torch.arange(3.0)}, "rows": [1, None]}
    save_checkpoint(state, tmp_path / "run.pt")
    loaded = load_checkpoint(tmp_path / "run.pt")
    assert torch.equal(loaded["model"].pop("weight"), torch.arange(3.0))
    assert loaded == {"settings": {"epochs": 2}, "model": {}, "rows": [1, None], "format": 3}


def write_half(state: Any, file: io.BufferedWriter) -> None:
    file.write(b"half of a check")
    raise OSError("No space left on device")


def fail(*given: Any) -> None:
    raise OSError("No space left on device")


@pytest.mark.parametrize(
    ("module", "name", "broken"),
    [(torch, "save", write_half), (os, "replace", fail), (os, "fsync", fail)],
)
def test_a_failed_write_leaves_the_old_checkpoint(tmp_path, monkeypatch, module, name, broken):
    path = tmp_path / "run.pt"
    save_checkpoint({"epoch": 1}, path)
    before = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(module, name, broken)
        with pytest.raises(OSError, match="No space left"):
            save_checkpoint({"epoch": 2}, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_the_new_checkpoint_is_synced_before_it_takes_the_name(tmp_path, monkeypatch):
    calls = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(
            os, name, lambda *given, n=name, r=real: (calls.append((n, given)), r(*given))[1]
        )
    save_checkpoint({"epoch": 1}, tmp_path / "run.pt")
    assert [name for name, _ in calls] == ["fsync", "replace"]
    source, target = calls[1][1]
    assert Path(source).parent == Path(target).parent == tmp_path


OTHER_SETTINGS = {
    "epochs": (3, "epochs is 2 in the file and 3 in this call"),
    "batch_size": (8, "batch_size is 16 in the file and 8"),
    "learning_rate": (0.2, "learning_rate is 0.1 in the file and 0.2"),
    "momentum": (0.8, "momentum is 0.9 in the file and 0.8"),
    "weight_decay": (0.0, "weight_decay is 0.0005 in the file and 0.0"),
    "label_smoothing": (0.1, "label_smoothing is 0.0 in the file and 0.1"),
    "aux_weight": (0.5, "aux_weight is 0.3 in the file and 0.5"),
    "seed": (4, "seed is 0 in the file and 4"),
    "augment": (None, r"augment is 'Noise\(\)' in the file and None"),
    "validation": (easy_set(20), "validation is None in the file and '20 images'"),
    "train": (easy_set(seed=5), r"train: images is 'float32 90x1x28x28 \(\w{8}\)' in the file and"),
    "model": (tiny_model(classes=11), r"model: 6 is 'Linear\(.*=10,.* and 'Linear\(.*=11,"),
}


@pytest.fixture(scope="module")
def half_run(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("half") / "run.pt"
    run(tiny_model(), augment=Noise(interrupt_at=3), checkpoint=path)
    return path


@pytest.mark.parametrize("name", OTHER_SETTINGS)
def test_other_settings_are_refused_and_named(half_run, name):
    other, message = OTHER_SETTINGS[name]
    arguments: dict[str, Any] = {"model": tiny_model(), "augment": Noise(), name: other}
    model = arguments["model"]
    before = {key: value.clone() for key, value in model.state_dict().items()}
    stored = half_run.read_bytes()
    with pytest.raises(ValueError, match=message) as caught:
        run(**arguments, checkpoint=half_run)
    assert str(half_run) in str(caught.value)
    assert str(caught.value).count(" in this call") == 1  # that setting and no other
    assert half_run.read_bytes() == stored
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


def test_arguments_of_a_partial_augmentation_count(tmp_path):
    def scale(images, factor, generator):
        return factor * images

    path = tmp_path / "run.pt"
    run(tiny_model(), epochs=1, augment=functools.partial(scale, factor=2), checkpoint=path)
    with pytest.raises(ValueError, match=r"augment: keywords\.factor is 2 in the file and 3 in"):
        run(tiny_model(), epochs=1, augment=functools.partial(scale, factor=3), checkpoint=path)


def flip_a_weight_bit(content: bytes) -> bytes:
    weights = torch.load(io.BytesIO(content), weights_only=True)["model"]["6.weight"]
    where = content.index(weights.numpy().tobytes()) + 100
    return content[:where] + bytes([content[where] ^ 1]) + content[where + 1 :]


@pytest.mark.parametrize(
    "damage",
    [lambda content: b"", lambda content: b"not a checkpoint", lambda content: content[:-500],
     lambda content: content[: len(content) // 2], flip_a_weight_bit],
    ids=["empty", "garbage", "tail missing", "half", "bit flip"],
)  # fmt: skip
def test_a_damaged_checkpoint_is_refused_and_named(tmp_path, half_run, damage):
    path = tmp_path / "damaged.pt"
    path.write_bytes(damage(half_run.read_bytes()))
    with pytest.raises(ValueError, match=r"damaged\.pt cannot be read"):
        run(tiny_model(), augment=Noise(), checkpoint=path)


@pytest.mark.parametrize("state, found", [(tiny_model().state_dict(), None), ({"format": 2}, 2)])
def test_a_checkpoint_of_another_format_is_refused(tmp_path, state, found):
    path = tmp_path / "weights.pt"
    torch.save(state, path)
    with pytest.raises(ValueError, match=f"checkpoint .* format 3, .* is {found}"):
        run(tiny_model(), checkpoint=path)


def test_a_folder_is_no_checkpoint(tmp_path):
    with pytest.raises(ValueError, match=f"checkpoint .* file, but {tmp_path} is a folder"):
        run(tiny_model(), checkpoint=tmp_path)


def test_going_on_on_another_device_says_what_changes(tmp_path, half_run, capsys):
    state = torch.load(half_run, weights_only=True)
    path = tmp_path / "from_a_gpu.pt"
    # A GPU's generator has a state of 16 bytes, which the CPU's does not take.
    states = {**state["random"], "device": "cuda", "augment": torch.zeros(16, dtype=torch.uint8)}
    torch.save({**state, "device": "cuda", "random": states}, path)
    history = run(tiny_model(), augment=Noise(), checkpoint=path)
    assert len(history.rows) == 2
    assert "stored on cuda and goes on on cpu" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("then", "now", "said"),
    [(True, False, "in bfloat16 and go on in float32"), (False, True, "float32 and go on in bf")],
)
def test_going_on_in_another_precision_says_what_changes(tmp_path, capsys, then, now, said):
    path, model = tmp_path / "run.pt", tiny_model()
    run(tiny_model(), augment=Noise(interrupt_at=3), checkpoint=path, mixed_precision=then)
    capsys.readouterr()
    history = run(model, augment=Noise(), checkpoint=path, mixed_precision=now)
    assert len(history.rows) == 2
    assert said in capsys.readouterr().out


# --- the same run, or another one --------------------------------------------------------


@pytest.fixture(scope="module")
def mini_run(tmp_path_factory) -> Path:
    """A finished run of the book's small network."""
    path = tmp_path_factory.mktemp("mini") / "run.pt"
    set_seed(0)
    run(MiniGoogLeNet(width=0.25), easy_set(32), epochs=1, checkpoint=path)
    return path


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"module": LinearInception}, "body.3a.*ReLU.* and .*Identity"),
        ({"module": NotesInception}, "body.3a.concat_order is .*'1x1'.* and .*'pool'"),
        ({"dropout": 0.3}, r"dropout is 'Dropout\(.* and 'Dropout\(p=0\.3"),
    ],
)
def test_a_network_with_the_same_tensors_is_another_run(mini_run, settings, said):
    set_seed(0)
    other = MiniGoogLeNet(width=0.25, **settings)
    before = mini_run.read_bytes()
    with pytest.raises(ValueError, match=rf"checkpoint .* another run: model: {said}"):
        run(other, easy_set(32), epochs=1, checkpoint=mini_run)
    assert mini_run.read_bytes() == before


def test_a_class_defined_again_with_another_forward_is_another_run(tmp_path):
    cell = (
        "class Net(nn.Module):\n  def __init__(self):\n    super().__init__()\n"
        "    self.fc = nn.Linear(784, 10)\n  def forward(self, x):\n"
        "    return self.fc(x.flatten(1))"
    )
    path = tmp_path / "run.pt"
    for source in (cell, cell.replace("flatten(1)", "flatten(1).relu()")):
        names: dict[str, Any] = {"nn": nn, "__name__": "__main__"}
        exec(source, names)
        set_seed(0)
        if source == cell:
            run(names["Net"](), checkpoint=path)
        else:
            with pytest.raises(ValueError, match=r"model: class\.forward is 'Net\.forward"):
                run(names["Net"](), checkpoint=path)


@pytest.mark.parametrize(
    ("name", "one", "other", "said"),
    [
        ("optimizer", torch.optim.AdamW, torch.optim.Adam, "AdamW' in the file and '.*Adam'"),
        (
            "optimizer", functools.partial(torch.optim.SGD, lr=0.1, momentum=0.9, nesterov=False),
            functools.partial(torch.optim.SGD, lr=0.1, momentum=0.9, nesterov=True),
            "nesterov is False in",
        ),
        (
            "schedule", lambda optimizer, steps: LinearLR(optimizer, 1.0),
            lambda optimizer, steps: LinearLR(optimizer, 0.5), "is '.*<lambda>.*' in the file and",
        ),
        ("augment", v2.RandomHorizontalFlip(0.5), v2.RandomHorizontalFlip(0.1), r"p=0\.5"),
    ],
)  # fmt: skip
def test_another_recipe_is_another_run(tmp_path, name, one, other, said):
    path = tmp_path / "run.pt"
    history = run(tiny_model(), epochs=1, checkpoint=path, **{name: one})
    assert run(tiny_model(), epochs=1, checkpoint=path, **{name: one}) == history
    with pytest.raises(ValueError, match=f"another run: {name}.*{said}"):
        run(tiny_model(), epochs=1, checkpoint=path, **{name: other})


def test_what_a_function_of_a_notebook_only_remembers_makes_no_other_run(tmp_path):
    seen = []

    def augment(images: torch.Tensor) -> torch.Tensor:
        seen.append(images.mean().item())
        return images

    path = tmp_path / "run.pt"
    history = run(tiny_model(), augment=augment, checkpoint=path)
    assert run(tiny_model(), augment=augment, checkpoint=path) == history
    assert len(seen) == 2 * STEPS


def test_an_optimizer_already_built_is_the_same_one_when_the_run_goes_on(tmp_path):
    def built(model: nn.Module, rate: float = 0.01) -> torch.optim.Optimizer:
        return torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9)

    path, model, whole, other = tmp_path / "run.pt", tiny_model(), tiny_model(), tiny_model()
    run(whole, optimizer=built(whole), augment=Noise())
    optimizer = built(model)
    run(model, optimizer=optimizer, augment=Noise(interrupt_at=STEPS + 2), checkpoint=path)
    with pytest.raises(ValueError, match="optimizer: groups"):
        run(other, optimizer=built(other, 0.02), augment=Noise(), checkpoint=path)
    run(model, optimizer=optimizer, augment=Noise(), checkpoint=path)
    assert same_weights(model, whole)


def test_frozen_parts_and_parts_in_evaluation_mode_belong_to_a_run(half_run):
    frozen, still = tiny_model(), tiny_model()
    frozen[0].requires_grad_(False)
    still[1].eval()
    for model, said in (
        (frozen, "0.weight is 'trainable"),
        (still, r"evaluation is \[\] in the file and \['1'\]"),
    ):
        with pytest.raises(ValueError, match=said):
            run(model, augment=Noise(), checkpoint=half_run)


def test_parts_in_evaluation_mode_are_remembered_for_a_model_that_fit_returned(tmp_path):
    path, model = tmp_path / "run.pt", tiny_model()
    model[1].eval()
    run(model, augment=Noise(interrupt_at=3), checkpoint=path)
    assert not any(layer.training for layer in model.modules())  # fit returns it like this
    run(model, augment=Noise(interrupt_at=3), checkpoint=path)
    assert load_checkpoint(path)["settings"]["stays in evaluation"] == ["1"]


def test_other_first_weights_are_refused_and_the_stored_ones_are_welcome(tmp_path, half_run):
    path = tmp_path / "run.pt"
    shutil.copy(half_run, path)
    other = tiny_model(seed=99)
    with pytest.raises(ValueError, match=r"other weights .* set_seed .*load_checkpoint\("):
        run(other, augment=Noise(), checkpoint=path)
    assert same_weights(other, tiny_model(seed=99))
    assert path.read_bytes() == half_run.read_bytes()
    other.load_state_dict(load_checkpoint(path)["model"])
    assert len(run(other, augment=Noise(), checkpoint=path).rows) == 2
    # Still the run of the first weights:
    assert len(run(tiny_model(), augment=Noise(), checkpoint=path).rows) == 2


def test_a_finished_run_is_trained_longer_as_a_new_run(tmp_path):
    path, model = tmp_path / "run.pt", tiny_model()
    run(model, checkpoint=path)
    with pytest.raises(ValueError, match=r"epochs is 2 in the file and 4 .*load_state_dict\("):
        run(tiny_model(), epochs=4, checkpoint=path)
    longer = tiny_model(seed=5)
    longer.load_state_dict(load_checkpoint(path)["model"])
    assert same_weights(longer, model)
    history = run(longer, epochs=2, learning_rate=0.01, checkpoint=tmp_path / "longer.pt")
    assert len(history.rows) == 2
    assert not same_weights(longer, model)


@pytest.mark.parametrize("first", ["wrapped", "plain"])
def test_a_wrapped_network_and_the_plain_one_are_one_run(tmp_path, first):
    whole, expected = whole_run()
    path, settings = tmp_path / "run.pt", {"validation": easy_set(30, seed=1), "epochs": 3}
    plain, network = tiny_model(), tiny_model()
    wrapped: Any = torch.compile(nn.DataParallel(network), backend="eager")
    begins, goes_on = (wrapped, plain) if first == "wrapped" else (plain, wrapped)
    run(begins, augment=Noise(interrupt_at=STEPS + 2), checkpoint=path, **settings)
    assert load_checkpoint(path)["model"].keys() == tiny_model().state_dict().keys()
    resumed = run(goes_on, augment=Noise(), checkpoint=path, **settings)
    assert same_weights(goes_on, whole)
    assert without_times(resumed) == without_times(expected)


# --- where it cannot be stored -----------------------------------------------------------


def break_saving_at(monkeypatch, call: int, error: Exception) -> None:
    """From one call of fsync on, every one fails; the first is fit's rehearsal."""
    real, calls = os.fsync, []

    def fsync(file: int) -> None:
        calls.append(file)
        if len(calls) >= call:
            raise error
        real(file)

    monkeypatch.setattr(os, "fsync", fsync)


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (RuntimeError("[enforce fail] . PytorchStreamWriter failed"), "PytorchStreamWriter failed"),
    ],
)
def test_a_disk_that_fills_up_does_not_end_the_run(tmp_path, monkeypatch, error, cause):
    path, model = tmp_path / "run.pt", tiny_model()
    whole, expected = whole_run()
    settings = {"validation": easy_set(30, seed=1), "epochs": 3}
    with monkeypatch.context() as patch:
        break_saving_at(patch, 3, error)  # the second epoch's end
        with pytest.warns(RuntimeWarning, match=rf"run\.pt could not be stored: .*{cause}") as said:
            history = run(model, augment=Noise(), checkpoint=path, **settings)
    assert said[0].filename.endswith("tiny_training.py")  # the line that called fit
    assert same_weights(model, whole) and without_times(history) == without_times(expected)
    assert os.listdir(tmp_path) == ["run.pt"]
    assert load_checkpoint(path)["progress"]["epoch"] == 2  # the first epoch's is whole
    again = tiny_model()
    run(again, augment=Noise(), checkpoint=path, **settings)
    assert same_weights(again, whole)


def test_ctrl_c_without_room_to_store_does_not_promise_to_go_on(tmp_path, monkeypatch, capsys):
    break_saving_at(monkeypatch, 2, OSError(errno.ENOSPC, "No space left on device"))
    with pytest.warns(RuntimeWarning, match="No space left"):
        run(tiny_model(), augment=Noise(interrupt_at=3), checkpoint=tmp_path / "run.pt")
    assert "could not be stored" in (told := capsys.readouterr().out) and "go on" not in told


def full_disk(*given: Any, **options: Any) -> Any:
    raise PermissionError(errno.EROFS, "Read-only file system")


def test_a_place_that_cannot_be_written_is_found_before_the_training(tmp_path, monkeypatch):
    (tmp_path / "notes").write_text("a file")
    noise = Noise()
    for path in (tmp_path / "notes" / "run.pt", tmp_path / ("long" * 80)):
        with pytest.raises(ValueError, match=f"checkpoint must be .* {path} cannot"):
            run(tiny_model(), augment=noise, checkpoint=path)
    monkeypatch.setattr("gnet_lib.checkpoint.open", full_disk, raising=False)
    with pytest.raises(ValueError, match=r"run\.pt cannot: .*Read-only file system"):
        run(tiny_model(), augment=noise, checkpoint=tmp_path / "run.pt")
    assert noise.calls == 0
    assert os.listdir(tmp_path) == ["notes"]


def test_a_finished_run_can_be_read_where_nothing_can_be_written(mini_run, monkeypatch):
    monkeypatch.setattr("gnet_lib.checkpoint.open", full_disk, raising=False)
    set_seed(0)
    history = run(MiniGoogLeNet(width=0.25), easy_set(32), epochs=1, checkpoint=mini_run)
    assert len(history.rows) == 1


def test_what_no_file_can_hold_is_found_before_the_training(tmp_path):
    class WithObject(nn.Sequential):
        def get_extra_state(self) -> Any:
            return Noise()

        def set_extra_state(self, state: Any) -> None:
            pass

    with pytest.raises(ValueError, match="checkpoint cannot hold this run: .*model.*Noise"):
        run(WithObject(tiny_model()), checkpoint=tmp_path / "run.pt")
    assert not os.listdir(tmp_path)


def test_a_folder_that_disappears_is_made_again(tmp_path):
    folder = tmp_path / "runs"

    def remove(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        shutil.rmtree(folder, ignore_errors=True)
        return images

    run(tiny_model(), augment=remove, checkpoint=folder / "run.pt")
    assert load_checkpoint(folder / "run.pt")["progress"]["epoch"] == 3


# --- two runs with one file --------------------------------------------------------------


class Overwrite(Noise):
    """Noise that, at one step, puts another file in place of this run's."""

    def __init__(self, copied: tuple[Path, Path] | None = None, at: int = 0, interrupt_at: int = 0):
        super().__init__(interrupt_at)
        self.copied, self.at = copied, at

    def __call__(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        images = super().__call__(images, generator)
        if self.copied and self.calls == self.at:
            shutil.copy(*self.copied)
        return images


def test_another_runs_file_is_not_overwritten(tmp_path, half_run):
    path, model = tmp_path / "run.pt", tiny_model()
    noise = Overwrite((half_run, path), at=STEPS + 1)
    with pytest.warns(RuntimeWarning, match=r"run\.pt .*another run \(augment.* in the file and"):
        history = run(model, augment=noise, checkpoint=path)
    assert len(history.rows) == 2  # the run went on
    assert path.read_bytes() == half_run.read_bytes()


def test_a_run_of_other_first_weights_is_another_one(tmp_path):
    other, path = tmp_path / "other.pt", tmp_path / "run.pt"
    run(tiny_model(seed=5), augment=Overwrite(), checkpoint=other)
    with pytest.warns(RuntimeWarning, match="first weights"):
        run(tiny_model(), augment=Overwrite((other, path), at=2), checkpoint=path)
    assert path.read_bytes() == other.read_bytes()


def test_something_else_in_the_files_place_stays(tmp_path):
    other, path = tmp_path / "notes.txt", tmp_path / "run.pt"
    other.write_text("no checkpoint")
    with pytest.warns(RuntimeWarning, match="something else"):
        run(tiny_model(), augment=Overwrite((other, path), at=2), checkpoint=path)
    assert path.read_text() == "no checkpoint"


@pytest.mark.parametrize("theirs", [STEPS + 3, 2])
def test_of_two_processes_with_one_run_the_further_one_is_kept(tmp_path, recwarn, theirs):
    other, path = tmp_path / "other.pt", tmp_path / "run.pt"
    run(tiny_model(), augment=Overwrite(interrupt_at=theirs), checkpoint=other)
    noise = Overwrite((other, path), at=3, interrupt_at=STEPS + 1)
    run(tiny_model(), augment=noise, checkpoint=path)  # stored at STEPS, and one step later
    further = theirs > STEPS
    assert (path.read_bytes() == other.read_bytes()) == further
    said = [str(each.message) for each in recwarn if each.category is RuntimeWarning]
    assert bool(said) == further and all("further, at epoch 2, step 3" in each for each in said)


# --- names and killed processes ----------------------------------------------------------


def test_the_home_folder_may_be_called_by_its_sign(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    run(tiny_model(), checkpoint="~/runs/run.pt")
    assert os.listdir(tmp_path) == ["runs"]
    assert load_checkpoint("~/runs/run.pt")["progress"]["epoch"] == 3


def test_a_link_stays_a_link(tmp_path):
    far, link = tmp_path / "far" / "run.pt", tmp_path / "run.pt"
    link.symlink_to(far)  # not there yet
    run(tiny_model(), augment=Noise(interrupt_at=3), checkpoint=link)
    assert link.is_symlink() and far.is_file()
    assert len(run(tiny_model(), augment=Noise(), checkpoint=link).rows) == 2
    assert link.is_symlink() and load_checkpoint(far)["progress"]["epoch"] == 3
    assert os.listdir(far.parent) == ["run.pt"]


def test_a_relative_name_stays_the_same_file_when_the_program_changes_its_folder(
    tmp_path, monkeypatch
):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)

    def leave(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        os.chdir(tmp_path / "elsewhere")
        return images

    run(tiny_model(), augment=leave, checkpoint="run.pt")
    assert (tmp_path / "run.pt").is_file() and not os.listdir(tmp_path / "elsewhere")


@pytest.mark.parametrize(
    ("name", "said"),
    [("run.pt", "is missing"), (".", "cannot: .*directory"), (5, "but it is 5"),
     ("~nobody_here/run.pt", "home"), ("run\0.pt", "cannot: .*null")],
)  # fmt: skip
def test_a_file_that_is_not_there_is_called_missing(tmp_path, monkeypatch, name, said):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=f"^checkpoint .*{said}"):
        load_checkpoint(name)


def test_a_new_file_has_the_rights_of_every_new_file(tmp_path):
    former = os.umask(0o027)
    try:
        save_checkpoint({"epoch": 1}, tmp_path / "run.pt")
    finally:
        os.umask(former)
    assert (tmp_path / "run.pt").stat().st_mode & 0o777 == 0o640


KILLED_AGAIN_AND_AGAIN = """
import os, random, signal, sys, time
from pathlib import Path
import torch
from gnet_lib.checkpoint import load_checkpoint, save_checkpoint

torch.set_num_threads(1)
path, kills, half_written = Path(sys.argv[1]), 0, set()
state = {"number": 0, "model": torch.zeros(200_000)}
save_checkpoint(state, path)
while kills < 15 or (not half_written and kills < 200):
    before = path.stat().st_mtime_ns
    number = load_checkpoint(path)["number"]
    child = os.fork()
    if child == 0:
        while True:
            number += 1
            save_checkpoint({**state, "number": number}, path)
    while path.stat().st_mtime_ns == before:  # it has not begun
        time.sleep(0.001)
    time.sleep(random.uniform(0, 0.01))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    kills += 1
    assert load_checkpoint(path)["number"] > number
    half_written.update(path.parent.glob("*.partial"))
print(len(half_written))
"""


def test_a_process_killed_at_any_moment_leaves_a_whole_file(tmp_path):
    path = tmp_path / "run.pt"
    arguments = [sys.executable, "-c", KILLED_AGAIN_AND_AGAIN, str(path)]
    done = subprocess.run(arguments, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0  # some were killed in the middle of writing


def test_what_killed_processes_left_behind_does_no_harm_and_goes(tmp_path):
    old, new, others = (
        tmp_path / name
        for name in ("run.pt.123-4.partial", "run.pt.5-6.partial", "another.pt.1-2.partial")
    )
    for left in (old, new, others):
        left.write_bytes(b"half of a check")
    for left in (old, others):
        os.utime(left, (0, 0))
    run(tiny_model(), checkpoint=tmp_path / "run.pt")
    assert {each.name for each in tmp_path.iterdir()} == {"run.pt", new.name, others.name}
