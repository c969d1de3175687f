"""Ctrl-C and the checkpoint: a run that is cut off ends as if it had not been."""

import functools
import io
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
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

from gnet_lib.checkpoint import load_checkpoint, save_checkpoint
from gnet_lib.device import set_seed
from gnet_lib.evaluation import evaluate
from gnet_lib.history import History

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

    second, noise = tiny_model(seed=99), Noise()  # other weights, other random numbers
    set_seed(99)
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
    again, noise = tiny_model(seed=99), Noise()
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
    loaded = tiny_model(seed=99)
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
    assert loaded == {"settings": {"epochs": 2}, "model": {}, "rows": [1, None], "format": 2}


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
    "augment": (None, "augment is 'Noise' in the file and None"),
    "validation": (easy_set(20), r"validation is None in the file and '20 images \(\w{8}\)'"),
    "train": (easy_set(seed=5), r"train is '90 images \(\w+\)' in the file and '90 images"),
    "model": (tiny_model(classes=11), r"model is 'Sequential of 698 .* and 'Sequential of 763"),
}


@pytest.fixture(scope="module")
def half_run(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("half") / "run.pt"
    run(tiny_model(), augment=Noise(interrupt_at=3), checkpoint=path)
    return path


@pytest.mark.parametrize("name", OTHER_SETTINGS)
def test_other_settings_are_refused_and_named(half_run, name):
    other, message = OTHER_SETTINGS[name]
    arguments: dict[str, Any] = {"model": tiny_model(seed=7), "augment": Noise(), name: other}
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
    with pytest.raises(ValueError, match=r"'factor': 2\}.* in the file and .*'factor': 3\}"):
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


@pytest.mark.parametrize("state, found", [(tiny_model().state_dict(), None), ({"format": 1}, 1)])
def test_a_checkpoint_of_another_format_is_refused(tmp_path, state, found):
    path = tmp_path / "weights.pt"
    torch.save(state, path)
    with pytest.raises(ValueError, match=f"checkpoint .* format 2, .* is {found}"):
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
