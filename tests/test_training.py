"""Training against independent truth: hand computations, a plain PyTorch loop, itself."""

import functools
import io
import math
import os
import random
import re
import signal
import threading
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy
import pytest
import torch
from matplotlib.figure import Figure
from torch import nn
from torch.nn import functional as F

from gnet_lib import training
from gnet_lib.data import ImageSet
from gnet_lib.training import (
    Evaluation,
    History,
    NonFiniteLossError,
    evaluate,
    fit,
    joint_loss,
    pick_device,
    set_seed,
)

TIMES = ("seconds", "images_per_second")
BATCH, COUNT = 16, 90  # five steps an epoch, ten images left over
STEPS = COUNT // BATCH


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """These models are so small that threads only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def easy_set(count: int = COUNT, seed: int = 0) -> ImageSet:
    """Class k lights the k-th of sixteen 7x7 squares, under noise."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 10
    squares = F.one_hot(labels, 16).float().reshape(count, 1, 4, 4)
    images = squares.repeat_interleave(7, dim=2).repeat_interleave(7, dim=3)
    return ImageSet(images + 0.5 * torch.randn(count, 1, 28, 28, generator=generator), labels)


def tiny_model(seed: int = 0, dropout: float = 0.2, classes: int = 10) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, stride=2, padding=1),  # (N, 4, 14, 14)
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(4),  # (N, 4, 4, 4)
        nn.Flatten(),
        nn.Dropout(dropout),
        nn.Linear(64, classes),
    )


class Noise:
    """An augmentation that draws from every generator, and can press Ctrl-C or crash."""

    def __init__(self, interrupt_at: int = 0, presses: int = 1, crash_at: int = 0) -> None:
        self.calls = 0
        self.interrupt_at, self.presses, self.crash_at = interrupt_at, presses, crash_at

    def __call__(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        self.calls += 1
        if self.calls == self.crash_at:
            raise OSError("the power went out")
        if self.calls == self.interrupt_at:
            for _ in range(self.presses):
                os.kill(os.getpid(), signal.SIGINT)
        shift = 0.1 * random.random() + 0.1 * numpy.random.rand()
        return images + shift + 0.1 * torch.randn(images.shape, generator=generator)


def run(model: nn.Module, train: ImageSet | None = None, **changes) -> History:
    arguments = {"epochs": 2, "batch_size": BATCH, "device": "cpu", "progress": False}
    return fit(model, train or easy_set(), **{**arguments, **changes})


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def without_times(history: History) -> list[dict]:
    return [{k: v for k, v in row.items() if k not in TIMES} for row in history.rows]


# --- device and seed ---------------------------------------------------------------------


def list_devices(monkeypatch, **listed: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: listed.get("cuda", False))
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: listed.get("mps", False))


def break_devices(monkeypatch, *broken: str) -> None:
    def try_device(device: torch.device) -> None:
        if device.type in broken:
            raise RuntimeError(f"no kernel image for {device}\nCUDA kernel errors might ...")

    monkeypatch.setattr(training, "try_device", try_device)


def test_without_an_accelerator_the_cpu_is_taken_in_silence(monkeypatch):
    list_devices(monkeypatch)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert pick_device() == torch.device("cpu")


@pytest.mark.parametrize(
    ("listed", "chosen"), [(("cuda", "mps"), "cuda"), (("mps",), "mps"), (("cuda",), "cuda")]
)
def test_a_working_accelerator_is_taken(monkeypatch, listed, chosen):
    list_devices(monkeypatch, **dict.fromkeys(listed, True))
    break_devices(monkeypatch)
    assert pick_device() == torch.device(chosen)


@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_a_listed_but_broken_accelerator_is_left_out_and_named(monkeypatch, name):
    list_devices(monkeypatch, **{name: True})
    break_devices(monkeypatch, name)
    expected = rf"the device {name} does not work \(no kernel image for {name}\); cpu is used"
    with pytest.warns(RuntimeWarning, match=expected) as caught:
        assert pick_device() == torch.device("cpu")
    assert len(caught) == 1
    assert caught[0].filename == __file__  # it points at the caller's line


def test_the_next_accelerator_follows_a_broken_one(monkeypatch):
    list_devices(monkeypatch, cuda=True, mps=True)
    break_devices(monkeypatch, "cuda")
    with pytest.warns(RuntimeWarning, match="cuda does not work .*; mps is used instead"):
        assert pick_device() == torch.device("mps")


@pytest.mark.parametrize("wanted", ["cuda", "cuda:1", torch.device("mps")])
def test_an_unusable_wanted_device_falls_back_to_the_cpu(monkeypatch, wanted):
    list_devices(monkeypatch)
    break_devices(monkeypatch, "cuda", "mps")
    with pytest.warns(RuntimeWarning, match=rf"{wanted} does not work .*; cpu is used instead"):
        assert pick_device(wanted) == torch.device("cpu")


@pytest.mark.parametrize("wanted", ["gpu", "xpu", "cuda:first", "", 3.5])
def test_an_unknown_device_is_refused(wanted):
    with pytest.raises(ValueError, match=rf"one of cuda, mps, cpu, but it is {wanted!r}"):
        pick_device(wanted)


def test_the_probe_runs_a_convolution_and_looks_at_its_result(monkeypatch):
    cpu, convolve = torch.device("cpu"), F.conv2d
    training.try_device(cpu)
    with monkeypatch.context() as patch:
        patch.setattr(F, "conv2d", lambda *given: 2 * convolve(*given))
        with pytest.raises(RuntimeError, match="wrong result"):
            training.try_device(cpu)
    # Right forwards, wrong backwards:
    with monkeypatch.context() as patch:
        patch.setattr(F, "conv2d", lambda *given: 0 * convolve(*given) + 9)
        with pytest.raises(RuntimeError, match="wrong result"):
            training.try_device(cpu)


def test_set_seed_repeats_every_generator():
    def draw() -> tuple:
        set_seed(5)
        return random.random(), numpy.random.rand(), torch.rand(1).item()

    assert draw() == draw()
    set_seed(6)
    assert (random.random(), numpy.random.rand(), torch.rand(1).item()) != draw()


# --- loss and evaluation -----------------------------------------------------------------


class Outputs(NamedTuple):
    logits: torch.Tensor
    aux_4a: torch.Tensor
    aux_4d: torch.Tensor


def cross_entropy_by_hand(logits: list[float], label: int, smoothing: float = 0.0) -> float:
    log_sum = math.log(sum(math.exp(each) for each in logits))
    losses = [log_sum - each for each in logits]
    return (1 - smoothing) * losses[label] + smoothing * sum(losses) / len(losses)


@pytest.mark.parametrize(("aux_weight", "smoothing"), [(0.3, 0.0), (0.5, 0.1), (0, 0.0)])
def test_joint_loss_equals_a_hand_computation(aux_weight, smoothing):
    heads = [[[1.0, 2.0, -1.0], [0.0, 0.5, 3.0]], [[0.1, 0.2, 0.3], [2.0, 1.0, 0.0]],
             [[-1.0, 0.0, 1.0], [4.0, 0.0, 0.0]]]  # fmt: skip
    labels = [1, 0]
    means = [
        sum(cross_entropy_by_hand(row, label, smoothing) for row, label in zip(head, labels)) / 2
        for head in heads
    ]
    expected = means[0] + aux_weight * (means[1] + means[2])
    outputs = Outputs(*(torch.tensor(head) for head in heads))
    loss = joint_loss(outputs, torch.tensor(labels), aux_weight, smoothing)
    assert loss.item() == pytest.approx(expected, rel=1e-6)
    alone = joint_loss(outputs.logits, torch.tensor(labels), aux_weight, smoothing)
    assert alone.item() == pytest.approx(means[0], rel=1e-6)


@pytest.mark.parametrize("aux_weight", [-0.1, float("nan"), "much"])
def test_joint_loss_refuses_a_bad_weight(aux_weight):
    with pytest.raises(ValueError, match=f"aux_weight .* at least 0, but it is {aux_weight!r}"):
        joint_loss(torch.zeros(1, 2), torch.zeros(1).long(), aux_weight)


def test_evaluate_equals_a_hand_computation_with_an_uneven_last_batch():
    images = easy_set(11)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    weight, bias = (each.detach().double().numpy() for each in model.parameters())
    logits = images.images.flatten(1).double().numpy() @ weight.T + bias
    labels = images.labels.numpy()
    losses = [cross_entropy_by_hand(list(row), label) for row, label in zip(logits, labels)]

    result = evaluate(model, images, batch_size=4)  # 4 + 4 + 3

    assert result.count == 11
    assert result.loss == pytest.approx(sum(losses) / 11, rel=1e-5)
    assert result.accuracy == (logits.argmax(axis=1) == labels).mean()


def test_evaluate_uses_evaluation_mode_and_restores_every_layer():
    model = tiny_model(dropout=0.9).train()
    model[1].eval()  # somebody froze the normalisation
    seen = []
    model[5].register_forward_hook(
        lambda layer, *_: seen.append((layer.training, torch.is_grad_enabled()))
    )
    before = {name: value.clone() for name, value in model.state_dict().items()}
    evaluate(model, easy_set(20), batch_size=8)
    assert set(seen) == {(False, False)}
    assert [each.training for each in model] == [True, False, True, True, True, True, True]
    assert model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_evaluate_restores_the_mode_after_an_error():
    model = nn.Sequential(nn.Conv2d(3, 10, 1)).train()
    with pytest.raises(RuntimeError, match="channels"):
        evaluate(model, easy_set(4))
    assert model.training


def test_evaluate_takes_the_first_of_several_outputs():
    class Twice(nn.Sequential):
        def forward(self, images):
            logits = super().forward(images)
            return logits, -logits

    plain = tiny_model()
    assert evaluate(Twice(*plain), easy_set()) == evaluate(plain, easy_set())


# --- fit learns, repeatably and as a plain loop would ------------------------------------


def test_fit_learns_an_easy_set():
    model = tiny_model()
    validation = easy_set(50, seed=1)
    assert evaluate(model, validation).accuracy < 0.3
    history = run(model, easy_set(300), validation=validation, epochs=4)
    assert history.rows[-1]["validation_accuracy"] > 0.9
    assert history.rows[-1]["train_loss"] < history.rows[0]["train_loss"]
    assert not history.interrupted
    assert not any(module.training for module in model.modules())
    last = evaluate(model, validation)  # what the history holds is the finished model's
    assert last.loss == pytest.approx(history.rows[-1]["validation_loss"], rel=1e-5)


def test_equal_seeds_give_equal_weights_and_others_do_not():
    def trained(seed: int) -> nn.Module:
        model = tiny_model()
        run(model, augment=Noise(), seed=seed)
        return model

    assert same_weights(trained(1), trained(1))
    assert not same_weights(trained(1), trained(2))


def test_fit_equals_a_plain_pytorch_loop():
    """SGD, Nesterov, one cycle, decay on the two weights only; no dropout."""
    train = easy_set()
    plain = tiny_model(dropout=0.0)
    conv, norm, linear = plain[0], plain[1], plain[6]
    optimizer = torch.optim.SGD(
        [
            {"params": [conv.weight, linear.weight], "weight_decay": 0.01},
            {"params": [conv.bias, norm.weight, norm.bias, linear.bias], "weight_decay": 0},
        ],
        lr=0.2, momentum=0.8, nesterov=True,
    )  # fmt: skip
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 0.2, total_steps=2 * STEPS, cycle_momentum=False
    )
    losses = []
    for epoch in (1, 2):
        order = torch.randperm(COUNT, generator=training.shuffle_generator(3, epoch))
        for start in range(0, STEPS * BATCH, BATCH):
            chosen = order[start : start + BATCH]
            loss = F.cross_entropy(
                plain(train.images[chosen]), train.labels[chosen], label_smoothing=0.1
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())

    model = tiny_model(dropout=0.0)
    history = run(
        model, train, learning_rate=0.2, momentum=0.8, weight_decay=0.01,
        label_smoothing=0.1, seed=3,
    )  # fmt: skip

    for name, value in plain.state_dict().items():
        torch.testing.assert_close(model.state_dict()[name], value, rtol=1e-4, atol=1e-6)
    means = [sum(losses[:STEPS]) / STEPS, sum(losses[STEPS:]) / STEPS]
    assert [row["train_loss"] for row in history.rows] == pytest.approx(means, rel=1e-5)


def test_the_learning_rate_follows_one_cycle():
    """From 1/25 up over the first 30 % of the steps, down to 1/250,000; half cosines."""
    history = run(tiny_model(), epochs=4, learning_rate=0.5)

    def half_cosine(start: float, end: float, share: float) -> float:
        return end + (start - end) * (1 + math.cos(math.pi * share)) / 2

    top = 0.3 * 4 * STEPS - 1  # counted from 0
    expected = [half_cosine(0.02, 0.5, (STEPS - 1) / top)]
    for epoch in (2, 3, 4):
        share = (epoch * STEPS - 1 - top) / (4 * STEPS - 1 - top)
        expected.append(half_cosine(0.5, 0.5 / 250_000, share))
    assert [row["learning_rate"] for row in history.rows] == pytest.approx(expected)


def test_auxiliary_outputs_are_trained_with_their_weight():
    class WithHead(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.main, self.head = tiny_model(0), tiny_model(1)

        def forward(self, images):
            logits = self.main(images)
            return (logits, self.head(images)) if self.training else logits

    ignored, trained = WithHead(), WithHead()
    head_before = trained.head[6].weight.clone()
    run(ignored, aux_weight=0.0, weight_decay=0.0)
    run(trained, aux_weight=0.3, weight_decay=0.0)
    assert torch.equal(ignored.head[6].weight, head_before)
    assert not torch.equal(trained.head[6].weight, head_before)


def test_momentum_0_is_plain_sgd():
    history = run(tiny_model(), momentum=0)
    assert len(history.rows) == 2


def test_frozen_parameters_stay():
    model = tiny_model()
    model[0].requires_grad_(False)
    before = model[0].weight.clone()
    run(model)
    assert torch.equal(model[0].weight, before)


def test_every_epoch_shuffles_in_another_order():
    def order(seed: int, epoch: int) -> list[int]:
        return torch.randperm(50, generator=training.shuffle_generator(seed, epoch)).tolist()

    orders = [order(seed, epoch) for seed in range(4) for epoch in range(1, 5)]
    assert order(2, 3) == orders[2 * 4 + 2]
    assert len({tuple(each) for each in orders}) == 16  # seed 1, epoch 2 is not seed 2, epoch 1


# --- what fit shows ----------------------------------------------------------------------


def test_progress_shows_a_bar_and_one_line_an_epoch(capsys):
    run(tiny_model(), validation=easy_set(20, seed=1), progress=True)
    shown = capsys.readouterr()
    lines = shown.out.splitlines()
    assert len(lines) == 2
    numbers = r"loss \d\.\d{3}  accuracy \d+\.\d %  validation \d+\.\d %  \d+ s  [\d,]+ images/s"
    for epoch, line in enumerate(lines, start=1):
        assert re.fullmatch(rf"epoch {epoch}/2  {numbers}", line), line
    assert "epoch 1/2" in shown.err and "images/s" in shown.err


def test_progress_false_is_silent(capsys):
    run(tiny_model(), progress=False)
    assert capsys.readouterr() == ("", "")


# --- Ctrl-C and checkpoints --------------------------------------------------------------


@pytest.mark.parametrize("stop_at", [1, 3, STEPS, STEPS + 2, 3 * STEPS - 1])
def test_an_interrupted_and_resumed_run_is_the_uninterrupted_one(tmp_path, capsys, stop_at):
    validation, path = easy_set(30, seed=1), tmp_path / "run.pt"
    whole = tiny_model()
    expected = run(whole, validation=validation, epochs=3, augment=Noise())

    handler = signal.getsignal(signal.SIGINT)
    first = tiny_model()
    stopped = run(
        first, validation=validation, epochs=3, augment=Noise(interrupt_at=stop_at),
        checkpoint=path,
    )  # fmt: skip
    assert signal.getsignal(signal.SIGINT) is handler
    assert stopped.interrupted
    assert len(stopped.rows) == stop_at // STEPS
    assert not same_weights(first, tiny_model())  # what was learnt is kept
    epoch, step = stop_at // STEPS + 1, stop_at % STEPS
    where = f"epoch {epoch} of 3, after step {step} of {STEPS}"
    told = capsys.readouterr().out
    assert f"stopped by Ctrl-C: {where}; the model keeps what it has learnt" in told
    assert f"call fit again with the same arguments ({path})" in told

    second, noise = tiny_model(seed=99), Noise()  # other weights, other random numbers
    set_seed(99)
    resumed = run(second, validation=validation, epochs=3, augment=noise, checkpoint=path)
    assert f"resumed from {path}: {where}" in capsys.readouterr().out
    assert noise.calls == 3 * STEPS - stop_at
    assert not resumed.interrupted
    assert same_weights(second, whole)
    assert without_times(resumed) == without_times(expected)


def test_a_crashed_run_resumes_from_its_last_epoch(tmp_path):
    whole = tiny_model()
    expected = run(whole, epochs=3, augment=Noise())
    path = tmp_path / "run.pt"
    with pytest.raises(OSError, match="power"):
        crash = Noise(crash_at=2 * STEPS + 3)
        run(tiny_model(), epochs=3, augment=crash, checkpoint=path)
    again, noise = tiny_model(seed=99), Noise()
    resumed = run(again, epochs=3, augment=noise, checkpoint=path)
    assert noise.calls == STEPS
    assert same_weights(again, whole)
    assert without_times(resumed) == without_times(expected)


def test_a_run_may_be_interrupted_again_and_again(tmp_path):
    whole, model = tiny_model(), tiny_model()
    run(whole, augment=Noise())
    for _ in range(2 * STEPS - 1):
        stopped = run(model, augment=Noise(interrupt_at=1), checkpoint=tmp_path / "run.pt")
        assert stopped.interrupted
    run(model, augment=Noise(), checkpoint=tmp_path / "run.pt")
    assert same_weights(model, whole)


def test_an_interruption_without_checkpoint_keeps_the_weights(capsys):
    whole, model = tiny_model(), tiny_model()
    history = run(model, augment=Noise(interrupt_at=STEPS))
    assert history.interrupted and len(history.rows) == 1
    assert "give fit a checkpoint=" in capsys.readouterr().out
    assert not model.training
    evaluate(model, easy_set())  # still usable

    # The same five steps of the same schedule, stopped by an error instead of a signal:
    with pytest.raises(OSError, match="power"):
        run(whole, augment=Noise(crash_at=STEPS + 1))
    assert same_weights(model, whole)
    assert not whole.training


def test_ctrl_c_in_the_last_step_is_not_swallowed(tmp_path, capsys):
    history = run(
        tiny_model(), augment=Noise(interrupt_at=2 * STEPS), checkpoint=tmp_path / "run.pt"
    )
    assert history.interrupted and len(history.rows) == 2
    assert "stopped by Ctrl-C: all 2 epochs are complete" in capsys.readouterr().out


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


def test_a_complete_checkpoint_is_loaded_and_not_trained_again(tmp_path, capsys):
    path = tmp_path / "new folder" / "run.pt"
    trained, noise = tiny_model(), Noise()
    history = run(trained, augment=Noise(), checkpoint=str(path))
    assert capsys.readouterr().out == ""
    loaded = tiny_model(seed=99)
    again = run(loaded, augment=noise, checkpoint=path)
    assert "all 2 epochs are complete; weights and history are loaded" in capsys.readouterr().out
    assert noise.calls == 0
    assert again == history
    assert same_weights(loaded, trained)
    assert not loaded.training


def write_half(state, file) -> None:
    file.write(b"half of a check")
    raise OSError("No space left on device")


def fail(*given) -> None:
    raise OSError("No space left on device")


@pytest.mark.parametrize(
    ("module", "name", "broken"),
    [(torch, "save", write_half), (os, "replace", fail), (os, "fsync", fail)],
)
def test_a_failed_write_leaves_the_old_checkpoint(tmp_path, monkeypatch, module, name, broken):
    path = tmp_path / "run.pt"
    run(tiny_model(), augment=Noise(interrupt_at=3), checkpoint=path)
    before = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(module, name, broken)
        with pytest.raises(OSError, match="No space left"):
            run(tiny_model(), augment=Noise(), checkpoint=path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    assert len(run(tiny_model(), augment=Noise(), checkpoint=path).rows) == 2


def test_the_new_checkpoint_is_synced_before_it_takes_the_name(tmp_path, monkeypatch):
    calls = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(
            os, name, lambda *given, n=name, r=real: (calls.append((n, given)), r(*given))[1]
        )
    run(tiny_model(), epochs=1, checkpoint=tmp_path / "run.pt")
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
    arguments = {"model": tiny_model(seed=7), "augment": Noise(), name: other}
    model = arguments["model"]
    before = {key: value.clone() for key, value in model.state_dict().items()}
    stored = half_run.read_bytes()
    with pytest.raises(ValueError, match=f"{message}.*or delete the file") as caught:
        run(**arguments, checkpoint=half_run)
    assert str(half_run) in str(caught.value)
    assert str(caught.value).count(" in this call") == 1  # that setting and no other
    assert half_run.read_bytes() == stored
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


def test_arguments_of_a_partial_augmentation_count(tmp_path):
    def scale(images, factor, generator):
        return factor * images

    path = tmp_path / "run.pt"
    run(tiny_model(), augment=functools.partial(scale, factor=2), checkpoint=path)
    with pytest.raises(ValueError, match=r"'factor': 2\}.* in the file and .*'factor': 3\}"):
        run(tiny_model(), augment=functools.partial(scale, factor=3), checkpoint=path)


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
    with pytest.raises(ValueError, match=r"damaged\.pt cannot be read: .*delete it to start"):
        run(tiny_model(), augment=Noise(), checkpoint=path)


def test_a_checkpoint_of_another_format_is_refused(tmp_path):
    path = tmp_path / "weights.pt"
    torch.save(tiny_model().state_dict(), path)
    with pytest.raises(ValueError, match="in format 1, but its format is None"):
        run(tiny_model(), checkpoint=path)
    torch.save({"format": 2}, path)
    with pytest.raises(ValueError, match="in format 1, but its format is 2"):
        run(tiny_model(), checkpoint=path)


def test_a_folder_is_no_checkpoint(tmp_path):
    with pytest.raises(ValueError, match=f"the name of a file, but {tmp_path} is a folder"):
        run(tiny_model(), checkpoint=tmp_path)


def test_going_on_on_another_device_says_what_changes(tmp_path, half_run, capsys):
    state = torch.load(half_run, weights_only=True)
    path = tmp_path / "from_a_gpu.pt"
    # A GPU's generator has a state of 16 bytes, which the CPU's does not take.
    states = {**state["random"], "augment": torch.zeros(16, dtype=torch.uint8)}
    torch.save({**state, "device": "cuda", "random": states}, path)
    history = run(tiny_model(), augment=Noise(), checkpoint=path)
    assert len(history.rows) == 2
    assert "stored on cuda and goes on on cpu" in capsys.readouterr().out


# --- errors ------------------------------------------------------------------------------


def test_a_loss_that_is_not_finite_stops_before_the_step(tmp_path):
    def spoil_third(images, generator, calls=[]):  # noqa: B006
        calls.append(1)
        return images * float("nan") if len(calls) == STEPS + 3 else images

    model, path = tiny_model(), tmp_path / "run.pt"
    expected = (
        rf"the loss is not finite \(loss nan\) in epoch 2, step 3 of {STEPS}, at learning rate "
        r"0\.0\d+\. Usual causes: .*learning_rate=0\.01\), images that are not normalised"
    )
    with pytest.raises(NonFiniteLossError, match=expected):
        run(model, augment=spoil_third, checkpoint=path)
    assert all(each.isfinite().all() for each in model.parameters())
    assert torch.load(path, weights_only=True)["epoch"] == 2  # the first epoch's end is kept
    assert not model.training


class InfiniteGradient(torch.autograd.Function):
    @staticmethod
    def forward(context, logits):
        return logits.clone()

    @staticmethod
    def backward(context, gradient):
        return gradient * float("inf")


def test_a_gradient_that_is_not_finite_stops_before_the_step():
    class Bad(nn.Sequential):
        def forward(self, images):
            return InfiniteGradient.apply(super().forward(images))

    model = Bad(*tiny_model())
    before = [each.clone() for each in model.parameters()]
    with pytest.raises(NonFiniteLossError, match=r"the gradient is not finite \(loss \d"):
        run(model)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_a_learning_rate_far_too_high_leaves_finite_weights():
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 50), nn.Linear(50, 10))
    with pytest.raises(NonFiniteLossError, match="too high"):
        run(model, epochs=20, learning_rate=1e6)
    assert all(each.isfinite().all() for each in model.parameters())


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("epochs", 0, "a whole number at least 1"),
        ("epochs", 1.5, "a whole number at least 1"),
        ("epochs", True, "a whole number at least 1"),
        ("batch_size", 1, "a whole number at least 2"),
        ("learning_rate", 0, "a finite number above 0"),
        ("learning_rate", float("inf"), "a finite number above 0"),
        ("learning_rate", "fast", "a finite number above 0"),
        ("momentum", 1.0, "at least 0 and below 1"),
        ("momentum", -0.1, "at least 0 and below 1"),
        ("weight_decay", -1, "at least 0"),
        ("label_smoothing", 1.1, "from 0 to 1"),
        ("aux_weight", -0.3, "at least 0"),
        ("seed", -1, "a whole number from 0 to 4294967295"),
        ("seed", 2**32, "a whole number from 0 to 4294967295"),
    ],
)
def test_bad_numbers_are_refused_before_any_work(name, value, allowed):
    model = tiny_model()
    with pytest.raises(ValueError, match=f"^{name} must be .*{allowed}, but it is {value!r}"):
        run(model, **{name: value})
    assert same_weights(model, tiny_model())


def test_numpy_numbers_are_welcome(tmp_path):
    path = tmp_path / "run.pt"
    run(tiny_model(), epochs=numpy.int64(1), learning_rate=numpy.float64(0.1), checkpoint=path)
    again = run(tiny_model(), epochs=1, checkpoint=path)
    assert len(again.rows) == 1


def test_bad_sets_are_refused():
    bytes_set = ImageSet(torch.zeros(20, 1, 28, 28, dtype=torch.uint8), torch.arange(20) % 10)
    with pytest.raises(ValueError, match=r"torch\.uint8; call train\.normalised\(mean, std\)"):
        run(tiny_model(), bytes_set)
    with pytest.raises(ValueError, match=r"torch\.uint8; call validation\.normalised"):
        run(tiny_model(), validation=bytes_set)
    with pytest.raises(ValueError, match=r"torch\.uint8; call image_set\.normalised"):
        evaluate(tiny_model(), bytes_set)
    with pytest.raises(ValueError, match="train must be an ImageSet, but it is a list"):
        run(tiny_model(), [1, 2])
    with pytest.raises(ValueError, match="batch of 16 images, but it holds 15; .* at most 15"):
        run(tiny_model(), easy_set(15))


def test_labels_without_a_logit_are_refused():
    few = ImageSet(torch.zeros(20, 1, 28, 28), torch.arange(20) % 5)
    model = tiny_model(classes=5)
    with pytest.raises(ValueError, match="train .* from 0 to 4, .* 5 logits, .* the label 9;"):
        run(model)
    with pytest.raises(ValueError, match="validation .* from 0 to 4, .* num_classes=10 or more"):
        run(model, few, validation=easy_set(20))
    with pytest.raises(ValueError, match="image_set .* from 0 to 4, .* the label 9"):
        evaluate(model, easy_set(20))


def test_a_model_that_returns_no_logits_is_refused():
    with pytest.raises(ValueError, match=r"\(N, num_classes\), .* returned \(1, 10, 28, 28\)"):
        run(nn.Sequential(nn.Conv2d(1, 10, 1)))


def test_a_model_without_trainable_parameters_is_refused():
    with pytest.raises(ValueError, match="parameters to train, but none .*requires_grad=True"):
        run(tiny_model().requires_grad_(False))


# --- history -----------------------------------------------------------------------------


def history_of(*validation: float | None) -> History:
    values = dict.fromkeys(History.COLUMNS, 0.5)
    return History([
        {**values, "epoch": epoch, "train_accuracy": epoch / 10, "validation_accuracy": accuracy}
        for epoch, accuracy in enumerate(validation, start=1)
    ])


def test_rows_and_frame_have_the_promised_columns():
    history = run(tiny_model(), validation=easy_set(20))
    columns = ["epoch", "train_loss", "train_accuracy", "validation_loss",
               "validation_accuracy", "learning_rate", "seconds", "images_per_second"]  # fmt: skip
    assert all(list(row) == columns for row in history.rows)
    frame = history.frame()
    assert list(frame.columns) == columns
    assert list(frame["epoch"]) == [1, 2]
    assert frame["train_loss"].tolist() == [row["train_loss"] for row in history.rows]
    for row in history.rows:
        assert row["seconds"] * row["images_per_second"] == pytest.approx(STEPS * BATCH)
        assert 0 <= row["train_accuracy"] <= 1


def test_without_validation_its_columns_are_empty_numbers():
    history = run(tiny_model())
    assert history.rows[0]["validation_loss"] is None
    assert history.rows[0]["validation_accuracy"] is None
    frame = history.frame()
    assert frame["validation_accuracy"].isna().all()
    assert frame["validation_accuracy"].dtype == float
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


def test_a_history_draws_its_curves():
    assert isinstance(history_of(0.5, 0.9).plot(label="mine"), Figure)


def test_an_evaluation_cannot_be_changed():
    with pytest.raises(AttributeError, match="cannot assign to field 'loss'"):
        Evaluation(1.0, 0.5, 3).loss = 0.0
