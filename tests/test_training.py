"""Training against independent truth: hand computations, a plain PyTorch loop, itself."""

import contextlib
import functools
import math
import random
import re
import signal
from typing import Any

import numpy
import pytest
import torch
import torchvision
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
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    MultiStepLR,
    OneCycleLR,
    ReduceLROnPlateau,
    SequentialLR,
)
from torchvision.transforms import v2

from gnet_lib import TABLE_1, GoogLeNet, MiniGoogLeNet, scale_rows, training
from gnet_lib.augmentation import small_first
from gnet_lib.data import ImageDataset
from gnet_lib.evaluation import evaluate, joint_loss
from gnet_lib.history import History
from gnet_lib.training import evaluation_batch, shuffle_generator


class WithHead(nn.Module):
    """Two answers in training, one in evaluation."""

    def __init__(self) -> None:
        super().__init__()
        self.main, self.head = tiny_model(0), tiny_model(1)

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        logits = self.main(images)
        return (logits, self.head(images)) if self.training else logits


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


# --- fit leaves no trace -------------------------------------------------------------------


def states() -> list[Any]:
    return [random.getstate(), str(numpy.random.get_state()), torch.get_rng_state().tolist()]


@pytest.mark.parametrize(
    ("changes", "error"),
    [({}, None), ({"augment": Noise(crash_at=3)}, OSError), ({"epochs": 0}, ValueError),
     ({"augment": Noise(interrupt_at=3, presses=2)}, KeyboardInterrupt)],
)  # fmt: skip
def test_the_callers_random_numbers_go_on_as_if_nothing_had_been(changes, error):
    model, before = tiny_model(), states()
    with pytest.raises(error) if error else contextlib.nullcontext():
        run(model, **{"augment": Noise(), **changes})
    assert states() == before


def test_a_search_of_random_settings_draws_new_ones():
    rates = []
    for _ in range(3):
        rates.append(10 ** random.uniform(-3, -1))
        run(tiny_model(), epochs=1, learning_rate=rates[-1])
    assert len(set(rates)) == 3


def test_no_gradient_is_left_and_none_is_needed_around():
    model = tiny_model()
    with torch.no_grad():
        run(model, epochs=1)
    assert all(each.grad is None and each.requires_grad for each in model.parameters())
    assert torch.is_grad_enabled() and not same_weights(model, tiny_model())


def with_body() -> nn.Sequential:
    """A body of five layers, with normalisation and dropout, and a last layer."""
    layers = [*tiny_model(), nn.Linear(10, 10)]
    return nn.Sequential(nn.Sequential(*layers[:-1]), layers[-1])


def parts_in_training(model: nn.Sequential) -> set[str]:
    """The layers that were in training mode in a step of a run."""
    found = set()
    names = {layer: name for name, layer in model.named_modules()}
    hook = nn.modules.module.register_module_forward_hook(
        lambda layer, *_: found.add(names[layer]) if layer.training else None
    )
    run(model)
    hook.remove()
    return found


def test_a_frozen_body_stays_as_it_is():
    model = with_body()
    model[0].requires_grad_(False)
    before = {name: value.clone() for name, value in model[0].state_dict().items()}
    assert parts_in_training(model) == {"", "1"}
    assert all(torch.equal(before[name], value) for name, value in model[0].state_dict().items())
    assert not any(layer.training for layer in model.modules())


def test_a_layer_that_came_in_evaluation_mode_stays_in_it():
    model = with_body()
    model.get_submodule("0.1").eval()
    average = model.get_buffer("0.1.running_mean").clone()
    assert "0.1" not in parts_in_training(model) and torch.equal(
        model.get_buffer("0.1.running_mean"), average
    )
    # Now all of it is in evaluation mode, which says nothing about its layers.
    assert "0.1" in parts_in_training(model)


def test_a_resumed_run_keeps_the_layers_that_stay(tmp_path):
    whole, resumed, other = tiny_model(), tiny_model(), tiny_model()
    whole[1].eval()
    resumed[1].eval()
    path = tmp_path / "run.pt"
    run(whole, augment=Noise())
    run(resumed, augment=Noise(interrupt_at=STEPS + 2), checkpoint=path)
    with pytest.raises(ValueError, match=r"evaluation is \['1'\] in the file"):
        run(other, augment=Noise(), checkpoint=path)
    run(resumed, augment=Noise(), checkpoint=path)
    assert same_weights(whole, resumed)


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
    with pytest.raises(ValueError, match=r"train .*from_dataset.*, but it is \[1, 2\]"):
        run(tiny_model(), no_set)
    with pytest.raises(ValueError, match="train .* batch of 16 images, but it holds 15"):
        run(tiny_model(), easy_set(15))


def test_a_validation_set_of_other_classes_is_refused():
    """A folder that lacks a class gives the next ones other numbers, and the loss says nothing."""
    images, labels = torch.zeros(18, 1, 28, 28), torch.arange(18) % 2
    train, other = (ImageDataset(images, labels, [*names]) for names in ("abc", "ac"))
    with pytest.raises(ValueError, match=r"validation .* \('a', 'b', 'c'\), .* \('a', 'c'\)"):
        run(tiny_model(), train, validation=other)
    for validation in (train[:4], ImageDataset(images, labels)):  # as named, and without names
        run(tiny_model(), train, validation=validation, epochs=1)


def test_images_that_do_not_look_normalised_are_noted():
    large = ImageDataset(easy_set().images * 255, easy_set().labels)
    with pytest.warns(RuntimeWarning, match="images of validation .*normalised") as noted:
        run(tiny_model(), validation=large, epochs=1)
    assert len(noted) == 1


def test_labels_without_a_logit_are_refused():
    few = ImageDataset(torch.zeros(20, 1, 28, 28), torch.arange(20) % 5)
    model = tiny_model(classes=5)
    with pytest.raises(ValueError, match="train .* from 0 to 4, .* 5 logits, .* the label 9;"):
        run(model)
    with pytest.raises(ValueError, match="validation .* from 0 to 4, .* num_classes=10 or more"):
        run(model, few, validation=easy_set(20))
    from_1 = ImageDataset(few.images, few.labels + 1)
    with pytest.raises(ValueError, match="train .* the label 5; labels begin at 0: .*labels - 1"):
        run(model, from_1)
    with pytest.raises(ValueError, match="image_set .* from 0 to 4, .* the label 9"):
        evaluate(model, easy_set(20))


def test_a_model_that_returns_no_logits_is_refused():
    with pytest.raises(ValueError, match=r"\(N, num_classes\), .* \(1, 10, 28, 28\)"):
        run(nn.Sequential(nn.Conv2d(1, 10, 1)))


def test_a_model_whose_logits_have_no_gradient_is_refused():
    model = nn.Sequential(*tiny_model(), nn.Identity())
    model[-1].register_forward_hook(lambda layer, given, logits: logits.detach())
    with pytest.raises(ValueError, match="model must .* no gradient"):
        run(model)


def test_a_model_without_trainable_parameters_is_refused():
    with pytest.raises(ValueError, match="model .* none .*requires_grad=True"):
        run(tiny_model().requires_grad_(False))


# --- the caller's own optimiser, schedule, augmentation and callback -----------------------

ADAMW = functools.partial(torch.optim.AdamW, betas=(0.9, 0.95))


def cosine(optimizer: torch.optim.Optimizer, steps: int) -> CosineAnnealingLR:
    return CosineAnnealingLR(optimizer, steps)


def built(model: nn.Module) -> torch.optim.Optimizer:
    """The same optimiser as ``ADAMW`` at 0.01 and with a decay of 0.1, built beforehand."""
    norms = [each for each in model.parameters() if each.dim() <= 1]
    weights = [each for each in model.parameters() if each.dim() > 1]
    groups = [{"params": weights}, {"params": norms, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=0.01, weight_decay=0.1, betas=(0.9, 0.95))


@pytest.mark.parametrize("ready", [False, True])
def test_another_optimiser_and_schedule_equal_a_plain_loop(ready):
    train, plain = easy_set(), tiny_model(dropout=0.0).to(memory_format=torch.channels_last)
    optimizer = built(plain)
    schedule, rates = CosineAnnealingLR(optimizer, 2 * STEPS), []
    for epoch in (1, 2):
        order = torch.randperm(COUNT, generator=shuffle_generator(0, epoch))
        for start in range(0, STEPS * BATCH, BATCH):
            chosen = order[start : start + BATCH]
            optimizer.zero_grad()
            F.cross_entropy(plain(train.images[chosen]), train.labels[chosen]).backward()
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.step()

    model = tiny_model(dropout=0.0)
    own = built(model)
    given = {"optimizer": own} if ready else {
        "optimizer": ADAMW, "learning_rate": 0.01, "weight_decay": 0.1,
    }  # fmt: skip
    history = run(model, train, schedule=cosine, **given)
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(model.state_dict()[name], value, rtol=1e-4, atol=1e-6)
    assert [row["learning_rate"] for row in history.rows] == [rates[STEPS - 1], rates[-1]]
    assert set(own.param_groups[0]) == set(built(model).param_groups[0])  # no schedule is left
    assert own.param_groups[0]["lr"] == 0.01


def test_a_factory_keeps_its_own_settings_unless_others_are_given():
    def note(groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        seen.append([{name: group[name] for name in group if name != "params"} for group in groups])
        return torch.optim.Adam(groups)

    seen: list[Any] = []
    run(tiny_model(), epochs=1, optimizer=note)
    run(tiny_model(), epochs=1, optimizer=note, learning_rate=0.02, weight_decay=0.3)
    assert seen == [
        [{}, {"weight_decay": 0.0}],
        [{"lr": 0.02, "weight_decay": 0.3}, {"lr": 0.02, "weight_decay": 0.0}],
    ]


def test_one_cycle_climbs_to_each_groups_own_rate():
    def two_rates(groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        (body, rest), rates = groups, (0.01, 0.02)
        kept.append(torch.optim.SGD([body | {"lr": rates[0]}, rest | {"lr": rates[1]}]))
        return kept[-1]

    def note(*given: Any) -> None:
        highest.append([group["max_lr"] for group in kept[0].param_groups])

    kept: list[torch.optim.Optimizer] = []
    highest: list[Any] = []
    run(tiny_model(), epochs=1, optimizer=two_rates, callback=note)
    assert highest == [[0.01, 0.02]]


def test_augmentations_are_called_in_turn_and_told_how_much_is_done():
    def double(images: torch.Tensor) -> torch.Tensor:
        return 2 * images

    def note(images: torch.Tensor, done: float) -> torch.Tensor:
        seen.append((done, images.abs().max().item()))
        return images[:, :, ::2, ::2]  # another size

    def also(images: torch.Tensor, generator: torch.Generator, done: float = 5) -> torch.Tensor:
        assert images.shape[2:] == (14, 14) and done == seen[-1][0]
        return images + torch.rand((), generator=generator)

    seen: list[tuple[float, float]] = []
    run(tiny_model(), epochs=2, augment=[double, note, also])
    assert [done for done, _ in seen] == [step / (2 * STEPS) for step in range(2 * STEPS)]
    largest = easy_set().images.abs().max().item()
    assert max(value for _, value in seen) in (pytest.approx(2 * largest), pytest.approx(2 * 3.5))


def test_small_first_goes_on_where_a_stopped_run_was(tmp_path):
    half = functools.partial(small_first, size=14, until=0.7)
    whole, stopped = tiny_model(), tiny_model()
    run(whole, augment=[Noise(), half], epochs=2)
    file = {"checkpoint": tmp_path / "run.pt"}
    run(stopped, augment=[Noise(interrupt_at=STEPS + 1), half], epochs=2, **file)
    run(stopped, augment=[Noise(), half], epochs=2, **file)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, stopped.state_dict()[name])
    with pytest.raises(ValueError, match=r"augment.*0\.7 .*0\.6"):
        other = functools.partial(half, until=0.6)
        run(tiny_model(), augment=[Noise(), other], epochs=2, **file)


def too_short(optimizer: torch.optim.Optimizer, total_steps: int) -> SequentialLR:
    one_cycle = OneCycleLR(optimizer, 0.1, total_steps=total_steps - 7)
    return SequentialLR(optimizer, [one_cycle, CosineAnnealingLR(optimizer, 3)], [8])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"optimizer": "adam"}, "optimizer .* 'adam'"),
        ({"optimizer": list}, "optimizer .* a list of 2"),
        ({"optimizer": torch.optim.LBFGS}, "optimizer .* LBFGS"),
        ({"optimizer": built}, "optimizer .* stops with AttributeError"),
        ({"optimizer": ADAMW, "momentum": 0.9}, r"momentum must be left out .* 0\.9"),
        ({"optimizer": torch.optim.Rprop, "weight_decay": 0.1}, "weight_decay .* Rprop"),
        ({"schedule": 3}, "schedule .* 3"), ({"schedule": lambda *given: None}, "schedule .* None"),
        ({"schedule": lambda optimizer, steps: ReduceLROnPlateau(optimizer)}, "ReduceLROnPlateau"),
        ({"callback": 3}, "callback .* 3"),
        ({"callback": lambda model: None}, r"callback .*model\)"),
        ({"callback": lambda *given: 1}, "callback must return .* 1"),
        ({"augment": "flip"}, r"augment .*augment\(images\), .* 'flip'"),
        ({"augment": v2.RandomHorizontalFlip}, r"augment .* class .*; .*RandomHorizontalFlip\(\)"),
        ({"augment": lambda images: images.numpy()}, "augment must return .* 16 .*ndarray"),
        ({"augment": lambda images: images[:3]}, r"augment must return .* 16 .*\(3, 1, 28, 28\)"),
        ({"augment": lambda images: images.double()}, "augment must return .*float32, .*float64"),
        ({"augment": [torch.clone, "flip"]}, r"augment .* list of such, .* 'flip'"),
        ({"augment": [torch.clone, lambda images: 1]}, r"augment\[1\] must return .* 1"),
        ({"augment": torchvision.transforms.ToTensor()}, r"augment .*, 28\), .* with TypeError"),
        ({"schedule": lambda optimizer, steps: OneCycleLR(optimizer, 0.1, total_steps=steps - 7)},
         "schedule must last for all 10 steps, .* after 3;"),
        ({"schedule": too_short}, "schedule must last for all 10 steps, .* ValueError: Tried"),
        ({"progress": None}, "progress .* None"), ({"device": True}, "device .* True"),
    ],
)  # fmt: skip
def test_what_fit_cannot_work_with_is_refused(changes, said):
    with pytest.raises(ValueError, match=said):
        run(tiny_model(), **changes)


def test_an_optimiser_of_another_model_or_with_a_schedule_is_refused():
    model, other = tiny_model(), tiny_model()
    scheduled, lbfgs = built(model), torch.optim.LBFGS(model.parameters())
    CosineAnnealingLR(scheduled, 3)
    for optimizer, changes, said in [
        (built(other), {}, "optimizer .* 6 of its 6"),
        (torch.optim.SGD(list(model[0].parameters())[:1]), {}, r"leaves out 5, .* 0\.bias"),
        (scheduled, {}, "optimizer .* scheduler"), (lbfgs, {}, "LBFGS.* closure"),
        (built(model), {"learning_rate": 0.1}, r"learning_rate must be left out .* 0\.1"),
    ]:  # fmt: skip
        with pytest.raises(ValueError, match=said):
            run(model, optimizer=optimizer, **changes)


def draw(model: nn.Module, history: History) -> None:
    """A callback that spoils what it can reach: modes, random numbers, the history."""
    model.train()
    _ = torch.rand(3), random.random(), numpy.random.rand()
    history.rows.clear()


def test_a_callback_sees_every_epoch_and_changes_nothing():
    def look(model: nn.Module, history: History) -> None:
        seen.append((len(history.rows), any(layer.training for layer in model.modules())))
        draw(model, history)

    plain, watched, seen = tiny_model(), tiny_model(), []
    run(plain, epochs=3, augment=Noise())
    history = run(watched, epochs=3, augment=Noise(), callback=look)
    assert seen == [(1, False), (2, False), (3, False)] and len(history.rows) == 3
    assert same_weights(plain, watched)


def test_a_callback_cannot_unfreeze_what_the_optimiser_does_not_hold():
    def unfreeze(model: nn.Module, history: History) -> None:
        model.requires_grad_(True)

    def unfreeze_and_end(model: nn.Module, history: History) -> bool:
        model.requires_grad_(True)
        return True

    model, other = tiny_model(), tiny_model()
    model[0].requires_grad_(False)
    other[0].requires_grad_(False)
    with pytest.raises(ValueError, match=r"callback .* 2 such, .* 0\.weight; .*return True"):
        run(model, callback=unfreeze)
    assert all(each.grad is None for each in model.parameters())
    assert len(run(other, callback=unfreeze_and_end).rows) == 1
    assert len(run(other, callback=unfreeze).rows) == 2  # a new run's optimiser holds them all


def test_a_callback_ends_a_run_and_the_same_call_goes_on(tmp_path):
    def stop(model: nn.Module, history: History) -> bool:
        asked.append(len(history.rows))
        return True

    whole, model, asked, path = tiny_model(), tiny_model(), [], tmp_path / "run.pt"
    run(whole, epochs=3, augment=Noise())
    lengths = [
        len(run(model, epochs=3, augment=Noise(), callback=stop, checkpoint=path).rows)
        for _ in range(4)
    ]
    assert lengths == [1, 2, 3, 3]
    assert asked == [1, 2, 3]  # the fourth call had nothing to train
    assert same_weights(whole, model)


class Mirror(Noise):
    """torchvision's flip: it takes no generator, and can press Ctrl-C."""

    flip = v2.RandomHorizontalFlip()

    def __call__(self, images: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        self.calls += 1
        if self.calls == self.interrupt_at:
            signal.raise_signal(signal.SIGINT)
        return self.flip(images)


@pytest.mark.parametrize("schedule", [cosine, lambda optimizer, steps: MultiStepLR(optimizer, [3])])
def test_a_resumed_run_of_ones_own_recipe_is_the_uninterrupted_one(tmp_path, schedule):
    """torchvision's transforms draw from the global generators, which the file holds."""
    recipe = {"optimizer": ADAMW, "schedule": schedule, "callback": draw}
    whole, stopped, path = tiny_model(), tiny_model(), tmp_path / "run.pt"
    run(whole, augment=Mirror(), **recipe)
    assert run(
        stopped, augment=Mirror(interrupt_at=STEPS + 2), checkpoint=path, **recipe
    ).interrupted
    run(stopped, augment=Mirror(), checkpoint=path, **recipe)
    assert same_weights(whole, stopped)


# --- networks of all kinds -----------------------------------------------------------------


def some_images(count: int, shape: tuple[int, int, int], classes: int) -> ImageDataset:
    images = torch.randn(count, *shape, generator=torch.Generator().manual_seed(0))
    return ImageDataset(images, torch.arange(count) % classes)


@pytest.mark.parametrize(
    ("build", "shape", "classes"),
    [
        (lambda: GoogLeNet(3, 7, rows=scale_rows(TABLE_1, 1 / 16), image_size=96), (3, 96, 96), 7),
        (lambda: GoogLeNet(1, 10, rows=scale_rows(TABLE_1, 1 / 16), aux=False), (1, 48, 80), 10),
        (lambda: MiniGoogLeNet(3, 100, width=0.25), (3, 32, 32), 100),
        (lambda: torchvision.models.GoogLeNet(10, init_weights=False), (3, 64, 64), 10),
    ],
    ids=["with heads", "not square", "100 classes", "torchvision's"],
)
def test_networks_of_all_kinds_are_trained(build, shape, classes):
    model, images = build(), some_images(max(8, classes), shape, classes)
    before = {name: each.clone() for name, each in model.named_parameters()}
    history = run(model, images, validation=images, batch_size=4, epochs=1, learning_rate=1e-3)
    assert 0 < history.rows[0]["validation_loss"] < 100
    same = [name for name, each in model.named_parameters() if torch.equal(each, before[name])]
    # Far from the answers, a network without batch normalisation hardly moves.
    assert not [name for name in same if name.startswith(("fc.", "heads.", "aux"))]
