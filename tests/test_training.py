"""Training against independent truth: hand computations, a plain PyTorch loop, itself."""

import contextlib
import math
import random
import re
import warnings
from typing import NamedTuple

import numpy
import pytest
import torch
from matplotlib.figure import Figure
from tiny_training import (
    BATCH,
    COUNT,
    STEPS,
    Noise,
    easy_set,
    one_thread,  # noqa: F401 (a fixture)
    run,
    same_weights,
    tiny_model,
)
from torch import nn
from torch.nn import functional as F

from gnet_lib import training
from gnet_lib.data import ImageDataset
from gnet_lib.training import (
    Evaluation,
    History,
    computes_bfloat16,
    evaluate,
    joint_loss,
    pick_device,
    set_seed,
)

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


@pytest.mark.parametrize("mixed", [False, True])
def test_fit_equals_a_plain_pytorch_loop(mixed):
    """SGD, Nesterov, one cycle, decay on the two weights only; no dropout."""
    train = easy_set()
    plain = tiny_model(dropout=0.0).to(memory_format=torch.channels_last)
    autocast = torch.autocast("cpu", torch.bfloat16) if mixed else contextlib.nullcontext()
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
            with autocast:
                logits = plain(train.images[chosen].to(memory_format=torch.channels_last))
            loss = F.cross_entropy(logits.float(), train.labels[chosen], label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())

    model = tiny_model(dropout=0.0)
    history = run(
        model, train, learning_rate=0.2, momentum=0.8, weight_decay=0.01,
        label_smoothing=0.1, seed=3, mixed_precision=mixed,
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


# --- mixed precision ---------------------------------------------------------------------


def types_in_training(monkeypatch, **changes) -> dict[str, set[torch.dtype]]:
    """What one run computed in: the convolution in training, in evaluation; loss; weights."""
    model, seen = tiny_model(), {"training": set(), "evaluation": set(), "loss": set()}

    def note_convolution(layer, given, output) -> None:
        seen["training" if layer.training else "evaluation"].add(output.dtype)

    def note_loss(outputs, *given):
        seen["loss"].add(outputs.dtype)
        return joint_loss(outputs, *given)

    model[0].register_forward_hook(note_convolution)
    monkeypatch.setattr(training, "joint_loss", note_loss)
    run(model, validation=easy_set(20), **changes)
    seen["weights"] = {each.dtype for each in model.parameters()}
    return seen


@pytest.mark.parametrize(
    ("mixed_precision", "native", "expected"),
    [
        (None, True, torch.bfloat16), (None, False, torch.float32),
        (True, False, torch.bfloat16), (False, True, torch.float32),
    ],
)  # fmt: skip
def test_only_the_layers_in_training_compute_in_bfloat16(
    monkeypatch, mixed_precision, native, expected
):
    monkeypatch.setattr(training, "computes_bfloat16", lambda device: native)
    types = types_in_training(monkeypatch, mixed_precision=mixed_precision)
    assert types["training"] == {expected}
    assert types["evaluation"] == types["loss"] == types["weights"] == {torch.float32}


def test_the_loss_of_every_output_is_computed_in_float32():
    wide = torch.tensor([[1.001, 0.0]])  # bfloat16 knows no number between 1 and 1.0078
    both = training._as_float32(Outputs(*(wide.bfloat16() for _ in range(3))))
    assert [each.dtype for each in both] == 3 * [torch.float32]
    assert joint_loss(both, torch.tensor([0])).dtype == torch.float32


@pytest.mark.parametrize("wanted", ["yes", 1, 0.0, torch.bfloat16])
def test_mixed_precision_is_yes_or_no_or_none(wanted):
    with pytest.raises(ValueError, match=f"True, False or None .*, but it is {wanted!r}"):
        run(tiny_model(), mixed_precision=wanted)


def say_capabilities(monkeypatch, **capabilities: bool) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)


def test_a_cpu_computes_bfloat16_when_it_lists_an_instruction_for_it(monkeypatch):
    for listed, expected in [
        ({"avx512_bf16": True, "amx_bf16": False}, True),
        ({"avx512_bf16": False, "amx_bf16": True}, True),
        ({"avx512_bf16": False, "amx_bf16": False, "avx512_f": True}, False),
        ({"neon": True}, False),
    ]:
        say_capabilities(monkeypatch, **listed)
        assert computes_bfloat16("cpu") is expected


@pytest.mark.parametrize("instruction", ["_is_avx512_bf16_supported", "_is_amx_tile_supported"])
def test_an_older_pytorch_is_asked_in_its_own_way(monkeypatch, instruction):
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    for name in names:
        monkeypatch.setattr(torch.cpu, name, lambda: False, raising=False)
    assert computes_bfloat16("cpu") is False
    monkeypatch.setattr(torch.cpu, instruction, lambda: True)
    assert computes_bfloat16("cpu") is True
    for name in names:  # older still
        monkeypatch.delattr(torch.cpu, name)
    assert computes_bfloat16("cpu") is False


def test_this_cpu_is_described_as_its_system_describes_it():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            flags = set(file.read().split())
    except FileNotFoundError:  # not Linux: at least the answer is plain
        assert computes_bfloat16("cpu") in (True, False)
        return
    assert computes_bfloat16("cpu") is bool({"avx512_bf16", "amx_bf16"} & flags)


def test_a_gpu_counts_only_without_emulation(monkeypatch):
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation
    )
    assert computes_bfloat16("cuda") is False
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    assert computes_bfloat16("cuda:0") is True
    assert computes_bfloat16("mps") is False
    with pytest.raises(ValueError, match="one of cuda, mps, cpu, but it is 'tpu'"):
        computes_bfloat16("tpu")


# --- what fit shows ----------------------------------------------------------------------


def test_progress_shows_a_bar_and_one_line_an_epoch(capsys):
    run(tiny_model(), validation=easy_set(20, seed=1), progress=True)
    shown = capsys.readouterr()
    lines = shown.out.splitlines()
    assert len(lines) == 2
    numbers = r"loss \d\.\d{3}  accuracy \d+\.\d %  validation \d+\.\d %  \d+ s  [\d,]+ images/s"
    for epoch, line in enumerate(lines, start=1):
        assert re.fullmatch(rf"epoch {epoch}/2  {numbers}", line), line
    # Images done of all, time gone and to come ("?" at first), rate.
    bar = r"epoch 1/2: .*/80\.0 \[\d\d:\d\d<(\?|\d\d:\d\d), .*images/s"
    assert re.search(bar, shown.err)


def test_progress_false_is_silent(capsys):
    run(tiny_model(), progress=False)
    assert capsys.readouterr() == ("", "")


# --- errors ------------------------------------------------------------------------------


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
    bytes_set = ImageDataset(torch.zeros(20, 1, 28, 28, dtype=torch.uint8), torch.arange(20) % 10)
    with pytest.raises(ValueError, match=r"torch\.uint8; call train\.normalised\(mean, std\)"):
        run(tiny_model(), bytes_set)
    with pytest.raises(ValueError, match=r"torch\.uint8; call validation\.normalised"):
        run(tiny_model(), validation=bytes_set)
    with pytest.raises(ValueError, match=r"torch\.uint8; call image_set\.normalised"):
        evaluate(tiny_model(), bytes_set)
    with pytest.raises(ValueError, match="train must be an ImageDataset, but it is a list"):
        run(tiny_model(), [1, 2])
    with pytest.raises(ValueError, match="batch of 16 images, but it holds 15; .* at most 15"):
        run(tiny_model(), easy_set(15))


def test_labels_without_a_logit_are_refused():
    few = ImageDataset(torch.zeros(20, 1, 28, 28), torch.arange(20) % 5)
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
