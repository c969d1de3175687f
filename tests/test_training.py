"""Training against independent truth: hand computations, a plain PyTorch loop, itself."""

import contextlib
import math
import re
from typing import Any, NamedTuple

import numpy
import pytest
import torch
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
from torch import Tensor, nn
from torch.nn import functional as F

from gnet_lib import training
from gnet_lib.data import ImageDataset
from gnet_lib.history import History
from gnet_lib.training import evaluate, evaluation_batch, joint_loss, shuffle_generator

# --- loss and evaluation -----------------------------------------------------------------


class Outputs(NamedTuple):
    logits: Tensor
    aux_4a: Tensor
    aux_4d: Tensor


class WithHead(nn.Module):
    """Two answers in training, one in evaluation."""

    def __init__(self) -> None:
        super().__init__()
        self.main, self.head = tiny_model(0), tiny_model(1)

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        logits = self.main(images)
        return (logits, self.head(images)) if self.training else logits


def cross_entropy_by_hand(logits: list[float], label: int, smoothing: float = 0.0) -> float:
    log_sum = math.log(sum(math.exp(each) for each in logits))
    losses = [log_sum - each for each in logits]
    return (1 - smoothing) * losses[label] + smoothing * sum(losses) / len(losses)


@pytest.mark.parametrize(("aux_weight", "smoothing"), [(0.3, 0.0), (0.5, 0.1), (0, 0.0)])
def test_joint_loss_equals_a_hand_computation(aux_weight, smoothing):
    heads = [[[1.0, 2.0, -1.0], [0.0, 0.5, 3.0]], [[0.1, 0.2, 0.3], [2.0, 1.0, 0.0]],
             [[-1.0, 0.0, 1.0], [4.0, 0.0, 0.0]]]  # fmt: skip
    labels = [1, 0]
    means = [sum(map(cross_entropy_by_hand, head, labels, [smoothing] * 2)) / 2 for head in heads]
    expected = means[0] + aux_weight * (means[1] + means[2])
    outputs = Outputs(*(torch.tensor(head) for head in heads))
    loss = joint_loss(outputs, torch.tensor(labels), aux_weight, smoothing)
    assert loss.item() == pytest.approx(expected, rel=1e-6)
    alone = joint_loss(outputs.logits, torch.tensor(labels), aux_weight, smoothing)
    assert alone.item() == pytest.approx(means[0], rel=1e-6)


@pytest.mark.parametrize("name, value", [("aux_weight", -0.1), ("label_smoothing", float("nan"))])
def test_joint_loss_refuses_a_bad_weight(name, value):
    with pytest.raises(ValueError, match=f"{name} .*, but it is {value!r}"):
        joint_loss(torch.zeros(1, 2), torch.zeros(1).long(), **{name: value})


def test_evaluate_equals_a_hand_computation_with_an_uneven_last_batch():
    images = easy_set(11)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    weight, bias = (each.detach().double().numpy() for each in model.parameters())
    logits = images.images.flatten(1).double().numpy() @ weight.T + bias
    labels = images.labels.numpy()
    losses = list(map(cross_entropy_by_hand, logits.tolist(), labels.tolist()))

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
    with pytest.raises(ValueError, match=r"model .* \(1, 1, 28, 28\), .* channels"):
        evaluate(model, easy_set(4))
    assert model.training


def test_evaluate_takes_the_first_of_several_outputs():
    class Twice(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
            logits = self.inner(images)
            return logits, -logits

    plain = tiny_model()
    assert evaluate(Twice(plain), easy_set()) == evaluate(plain, easy_set())


def test_a_gpu_evaluates_no_more_images_at_a_time_than_it_trains_on():
    assert evaluation_batch(torch.device("cuda"), batch_size=32) == 32
    assert evaluation_batch(torch.device("mps"), batch_size=4096) == 500
    assert evaluation_batch(torch.device("cpu"), batch_size=32) == 500


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


@pytest.mark.parametrize("mixed, momentum", [(False, 0.8), (True, 0.8), (False, 0)])
def test_fit_equals_a_plain_pytorch_loop(mixed, momentum):
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
        lr=0.2, momentum=momentum, nesterov=momentum > 0,
    )  # fmt: skip
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 0.2, total_steps=2 * STEPS, cycle_momentum=False
    )
    losses = []
    for epoch in (1, 2):
        order = torch.randperm(COUNT, generator=shuffle_generator(3, epoch))
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
        model, train, learning_rate=0.2, momentum=momentum, weight_decay=0.01,
        label_smoothing=0.1, seed=3, mixed_precision=mixed,
    )  # fmt: skip

    for name, value in plain.state_dict().items():
        torch.testing.assert_close(model.state_dict()[name], value, rtol=1e-4, atol=1e-6)
    means = [sum(losses[:STEPS]) / STEPS, sum(losses[STEPS:]) / STEPS]
    assert [row["train_loss"] for row in history.rows] == pytest.approx(means, rel=1e-5)


def test_the_learning_rate_follows_one_cycle():
    """From 1/25 up over the first 30 % of the steps, down to 1/250,000; half cosines."""
    history = run(tiny_model(), epochs=4, learning_rate=0.5)

    def half_cosine(start: float, end: float, fraction: float) -> float:
        return end + (start - end) * (1 + math.cos(math.pi * fraction)) / 2

    top = 0.3 * 4 * STEPS - 1  # counted from 0
    expected = [half_cosine(0.02, 0.5, (STEPS - 1) / top)]
    for epoch in (2, 3, 4):
        fraction = (epoch * STEPS - 1 - top) / (4 * STEPS - 1 - top)
        expected.append(half_cosine(0.5, 0.5 / 250_000, fraction))
    assert [row["learning_rate"] for row in history.rows] == pytest.approx(expected)


def test_auxiliary_outputs_are_trained_with_their_weight():
    ignored, trained = WithHead(), WithHead()
    head_before = trained.get_parameter("head.6.weight").clone()
    run(ignored, aux_weight=0.0, weight_decay=0.0)
    run(trained, aux_weight=0.3, weight_decay=0.0)
    assert torch.equal(ignored.get_parameter("head.6.weight"), head_before)
    assert not torch.equal(trained.get_parameter("head.6.weight"), head_before)


def test_a_model_in_evaluation_mode_is_trained_in_training_mode():
    one, other = tiny_model(), tiny_model().eval()
    run(one, epochs=1)
    run(other, epochs=1)
    assert same_weights(one, other)


def test_frozen_parameters_stay():
    model = tiny_model()
    model[0].requires_grad_(False)
    before = model.get_parameter("0.weight").clone()
    run(model)
    assert torch.equal(model.get_parameter("0.weight"), before)


def test_every_epoch_shuffles_in_another_order():
    def order(seed: int, epoch: int) -> list[int]:
        return torch.randperm(50, generator=shuffle_generator(seed, epoch)).tolist()

    orders = [order(seed, epoch) for seed in range(4) for epoch in range(1, 5)]
    assert order(2, 3) == orders[2 * 4 + 2]
    assert len({tuple(each) for each in orders}) == 16  # seed 1, epoch 2 is not seed 2, epoch 1


@pytest.mark.parametrize("mixed, expected", [(True, torch.bfloat16), (False, torch.float32)])
def test_only_the_layers_in_training_compute_in_bfloat16(monkeypatch, mixed, expected):
    model, in_training, elsewhere = WithHead(), set(), set()

    def note_convolution(layer: nn.Module, given: Any, output: Tensor) -> None:
        (in_training if layer.training else elsewhere).add(output.dtype)

    def note_loss(outputs: tuple[Tensor, Tensor], *given: Any) -> Tensor:
        elsewhere.update(each.dtype for each in outputs)
        return joint_loss(outputs, *given)

    model.main[0].register_forward_hook(note_convolution)
    monkeypatch.setattr(training, "joint_loss", note_loss)
    run(model, validation=easy_set(20), mixed_precision=mixed, epochs=1)
    assert in_training == {expected}
    assert elsewhere == {torch.float32}  # every output's loss, and the evaluation
    assert {each.dtype for each in model.parameters()} == {torch.float32}


# --- what fit reports --------------------------------------------------------------------


def test_rows_count_the_images_of_whole_batches():
    history = run(tiny_model(), validation=easy_set(20))
    assert [row["epoch"] for row in history.rows] == [1, 2]
    for row in history.rows:
        assert tuple(row) == History.COLUMNS
        assert row["seconds"] * row["images_per_second"] == pytest.approx(STEPS * BATCH)
        assert (row["train_accuracy"] * STEPS * BATCH) % 1 == pytest.approx(0, abs=1e-9)
    without = run(tiny_model(), epochs=1).rows[0]
    assert (without["validation_loss"], without["validation_accuracy"]) == (None, None)


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
    ("name", "value"),
    [
        ("epochs", 0), ("epochs", 1.5), ("batch_size", 1), ("learning_rate", 0),
        ("learning_rate", float("inf")), ("learning_rate", "fast"), ("momentum", 1.0),
        ("momentum", -0.1), ("weight_decay", -1), ("label_smoothing", 1.1),
        ("aux_weight", -0.3), ("seed", -1), ("seed", 2**32), ("mixed_precision", "yes"),
    ],
)  # fmt: skip
def test_bad_arguments_are_refused_before_any_work(name, value):
    model = tiny_model()
    with pytest.raises(ValueError, match=f"^{name} must be .*, but it is {value!r}"):
        run(model, **{name: value})
    assert same_weights(model, tiny_model())


def test_numpy_numbers_are_welcome(tmp_path):
    path = tmp_path / "run.pt"
    run(tiny_model(), epochs=numpy.int64(1), learning_rate=numpy.float64(0.1), checkpoint=path)
    again = run(tiny_model(), epochs=1, checkpoint=path)
    assert len(again.rows) == 1


def test_bad_sets_are_refused():
    bytes_set = ImageDataset(torch.zeros(20, 1, 28, 28, dtype=torch.uint8), torch.arange(20) % 10)
    with pytest.raises(ValueError, match=r"train .*torch\.uint8"):
        run(tiny_model(), bytes_set)
    with pytest.raises(ValueError, match=r"validation .*torch\.uint8"):
        run(tiny_model(), validation=bytes_set)
    with pytest.raises(ValueError, match=r"image_set .*torch\.uint8"):
        evaluate(tiny_model(), bytes_set)
    no_set: Any = [1, 2]
    with pytest.raises(ValueError, match=r"train .*ImageDataset.*, but it is \[1, 2\]"):
        run(tiny_model(), no_set)
    with pytest.raises(ValueError, match="train .* batch of 16 images, but it holds 15"):
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
    with pytest.raises(ValueError, match=r"\(N, num_classes\), .* \(1, 10, 28, 28\)"):
        run(nn.Sequential(nn.Conv2d(1, 10, 1)))


def test_a_model_without_trainable_parameters_is_refused():
    with pytest.raises(ValueError, match="model .* none .*requires_grad=True"):
        run(tiny_model().requires_grad_(False))
