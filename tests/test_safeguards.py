"""What watches over a training run: each trouble is made, and one line has to name it."""

import math
import warnings

import pytest
import torch
from tiny_training import (
    BATCH,
    STEPS,
    Noise,
    easy_set,
    one_thread,  # noqa: F401 (a fixture)
    run,
    tiny_model,
)
from torch import nn
from torch.nn import functional as F

from gnet_lib import safeguards, training
from gnet_lib.data import ImageDataset, load_fashion_mnist
from gnet_lib.googlenet import MiniGoogLeNet
from gnet_lib.safeguards import at_chance_level, ran_out_of_memory
from gnet_lib.training import NonFiniteLossError, evaluate

# --- a loss that is not finite -----------------------------------------------------------


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


# --- a GPU whose memory runs out ---------------------------------------------------------


class SmallMemory(nn.Sequential):
    """A network on a GPU that has room for so many images; in training and in evaluation."""

    def __init__(self, *layers: nn.Module, training_room: int = 10**6, room: int = 10**6):
        super().__init__(*layers)
        self.training_room, self.room = training_room, room
        self.seen = []

    def forward(self, images):
        if len(images) > (self.training_room if self.training else self.room):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 MiB.")
        if self.training:
            self.seen.append(len(images))
        return super().forward(images)


def plain_layers(seed: int = 0) -> list[nn.Module]:
    """Neither batch normalisation nor dropout: every image is computed by itself."""
    torch.manual_seed(seed)
    return [nn.Conv2d(1, 4, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(676, 10)]


class Headed(SmallMemory):
    """The same with an auxiliary answer."""

    def forward(self, images):
        logits = super().forward(images)
        return (logits, 2 * logits) if self.training else logits


@pytest.mark.parametrize("kind", [SmallMemory, Headed])
@pytest.mark.parametrize(
    ("batch_size", "room", "parts"),
    [
        (16, 8, [8, 8]), (16, 15, [8, 8]), (16, 4, [4, 4, 4, 4]), (16, 2, 8 * [2]),
        (15, 9, [8, 7]), (15, 5, [4, 4, 4, 3]),
    ],
)  # fmt: skip
def test_parts_of_a_batch_add_up_to_its_step(capsys, kind, batch_size, room, parts):
    whole, divided = kind(*plain_layers()), kind(*plain_layers(), training_room=room)
    settings = {"batch_size": batch_size, "label_smoothing": 0.1, "learning_rate": 0.05}
    expected = run(whole, **settings)
    assert capsys.readouterr().out == ""
    history = run(divided, **settings)

    steps = 90 // batch_size
    assert whole.seen == 2 * steps * [batch_size]
    assert divided.seen == 2 * steps * parts  # for the rest of the run, not for one step
    for one, other in zip(divided.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)
    assert not torch.equal(divided[0].weight, plain_layers()[0].weight)
    for row, other in zip(history.rows, expected.rows, strict=True):
        assert row["train_loss"] == pytest.approx(other["train_loss"], rel=1e-5)
        assert row["train_accuracy"] == other["train_accuracy"]
        assert row["learning_rate"] == other["learning_rate"]


def test_every_division_is_one_line_with_the_sizes(capsys):
    run(SmallMemory(*plain_layers(), training_room=5), batch_size=15)
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(
        "the GPU ran out of memory with 15 images at a time; each step of 15 is now computed "
        "in 2 parts of 7 or 8. Batch and learning rate stay the same"
    )
    assert "with 8 images at a time; each step of 15 is now" in second
    assert "computed in 4 parts of 3 or 4. Batch" in second


def test_memory_that_runs_out_on_the_way_back_leaves_no_half_gradient(monkeypatch):
    """The second part fails in its backward pass, when the first has left its gradient."""
    attempts, kept, backward = [], [], torch.Tensor.backward

    def fail_once(loss, *given, **named):
        attempts.append(1)
        backward(loss, *given, **named)
        if len(attempts) in (1, 3):  # undivided, then the second of two parts
            raise torch.OutOfMemoryError("CUDA out of memory")

    def note_gradients(device: torch.device) -> None:  # still there, they would stay there
        kept.append([each.grad for each in divided.parameters()])

    whole, divided = nn.Sequential(*plain_layers()), nn.Sequential(*plain_layers())
    run(whole)
    with monkeypatch.context() as patch:
        patch.setattr(training, "try_device", lambda device: None)  # goes backwards as well
        patch.setattr(torch.Tensor, "backward", fail_once)
        patch.setattr(safeguards, "free_memory", note_gradients)
        history = run(divided)
    assert len(attempts) == 1 + 2 + 4 * 2 * STEPS
    assert kept == 2 * [4 * [None]]
    for one, other in zip(divided.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)
    row = history.rows[0]  # counts no attempt that failed
    assert row["images_per_second"] * row["seconds"] == pytest.approx(STEPS * BATCH)


def test_each_kind_of_gpu_gives_its_own_memory_back(monkeypatch):
    emptied = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.append("cuda"))
    monkeypatch.setattr(torch.mps, "empty_cache", lambda: emptied.append("mps"))
    for name in ("cpu", "cuda", "mps"):
        safeguards.free_memory(torch.device(name))
    assert emptied == ["cuda", "mps"]


@pytest.mark.parametrize(("batch_size", "room", "last"), [(16, 1, 2), (15, 1, 4), (3, 2, 3)])
def test_less_than_two_images_at_a_time_is_given_up(batch_size, room, last):
    model = SmallMemory(*plain_layers(), training_room=room)
    before = [each.clone() for each in model.parameters()]
    expected = f"even with {last} images at a time.*smaller network.*nvidia-smi.*device='cpu'"
    with pytest.raises(RuntimeError, match=expected):
        run(model, batch_size=batch_size)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    assert not model.training


CUBLAS = "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"
MPS = "MPS backend out of memory (MPS allocated: 9.05 GB, max allowed: 9.07 GB)."
CPU = "[enforce fail at alloc_cpu.cpp:1] DefaultCPUAllocator: can't allocate memory: 9 bytes"


@pytest.mark.parametrize(
    ("error", "device", "expected"),
    [
        (torch.OutOfMemoryError("anything"), "cuda", True),
        (RuntimeError(CUBLAS), "cuda", True),
        (RuntimeError("CUDA error: device-side assert triggered"), "cuda", False),
        (RuntimeError(MPS), "mps", True),
        (RuntimeError(CPU), "cpu", False),
        (RuntimeError("out of memory"), "cpu", False),
    ],
)
def test_which_errors_mean_a_full_gpu(error, device, expected):
    assert ran_out_of_memory(error, torch.device(device)) is expected


def test_every_other_error_stays_what_it_is(capsys):
    class Broken(nn.Sequential):
        def forward(self, images):
            if self.training:
                raise RuntimeError(CPU)
            return super().forward(images)

    with pytest.raises(RuntimeError, match="^.enforce fail"):
        run(Broken(*plain_layers()))
    assert capsys.readouterr().out == ""


def test_an_evaluation_halves_its_batch_without_another_result(capsys):
    images = easy_set(50)
    expected = evaluate(SmallMemory(*plain_layers()), images)
    assert capsys.readouterr().out == ""
    result = evaluate(SmallMemory(*plain_layers(), room=13), images)
    assert result.loss == pytest.approx(expected.loss, rel=1e-6)
    assert (result.accuracy, result.count) == (expected.accuracy, 50)
    lines = capsys.readouterr().out.splitlines()
    told = "ran out of memory with {} images at a time; the evaluation goes on with {},"
    assert len(lines) == 2  # 500 do not exist, so 50 is the first attempt
    assert told.format(50, 25) in lines[0] and told.format(25, 12) in lines[1]


def test_an_evaluation_gives_up_below_one_image(capsys):
    model, calls = nn.Sequential(*plain_layers()).train(), []

    def run_out(layer, given, output) -> None:
        calls.append(len(output))
        if len(calls) > 1:  # the first call is evaluate's question about the logits
            raise torch.OutOfMemoryError("CUDA out of memory")

    model[0].register_forward_hook(run_out)
    with pytest.raises(RuntimeError, match="with a single image.*device='cpu'"):
        evaluate(model, easy_set(5))
    assert calls == [1, 5, 2, 1]
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert model.training


# --- a network that does not begin to learn ----------------------------------------------

CHANCE = "still at chance level: in steps 81 to 100 its loss was"


@pytest.fixture
def warned():
    """All that was warned about, also what would be said only once."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield caught


def chance_warnings(caught) -> list:
    return [each for each in caught if CHANCE in str(each.message)]


def shuffled_labels(count: int = 1600) -> ImageDataset:
    """Images with other images' labels: nothing is to be learnt from them."""
    train = easy_set(count)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(1))
    return ImageDataset(train.images, train.labels[order])


def test_labels_of_other_images_are_noticed(warned):
    history = run(tiny_model(), shuffled_labels(1760), epochs=1)
    assert len(history.rows) == 1  # the training went on
    caught = chance_warnings(warned)
    assert len(caught) == 1
    assert caught[0].category is RuntimeWarning
    assert caught[0].filename.endswith("tiny_training.py")  # the line that called fit
    text = str(caught[0].message)
    assert "guessing among 10 classes: 2.303" in text and "(guessing: 10.0 %)" in text
    for cause in ("learning rate", "shuffled", "normalised", "softmax", "chapter 6"):
        assert cause in text


def test_the_numbers_are_those_of_steps_81_to_100(warned):
    """At learning rate 1e-9 the weights stay, so that one pass computes what they do."""
    train = easy_set(1600, seed=2)
    model = tiny_model(dropout=0.0)
    run(model, train, epochs=1, learning_rate=1e-9, label_smoothing=0.3)
    order = torch.randperm(1600, generator=training.shuffle_generator(0, 1))[
        80 * BATCH : 100 * BATCH
    ]
    losses, right = [], 0
    fresh = tiny_model(dropout=0.0).train()
    with torch.no_grad():
        for chosen in order.split(BATCH):
            logits = fresh(train.images[chosen])
            losses.append(F.cross_entropy(logits, train.labels[chosen]).item())
            right += (logits.argmax(dim=1) == train.labels[chosen]).sum().item()
    text = str(chance_warnings(warned)[0].message)
    assert f"its loss was {sum(losses) / 20:.3f} (" in text
    assert f"its accuracy {100 * right / 320:.1f} % (" in text


@pytest.mark.parametrize("seed", range(4))
def test_a_learning_rate_far_too_low_is_noticed(warned, seed):
    run(tiny_model(seed), easy_set(1600), epochs=1, learning_rate=1e-9)
    assert len(chance_warnings(warned)) == 1


def test_a_run_of_99_steps_is_too_short_to_judge(warned):
    run(tiny_model(), shuffled_labels(99 * BATCH), epochs=1)
    assert not chance_warnings(warned)


def test_steps_count_through_all_epochs(warned):
    run(tiny_model(), easy_set(10 * BATCH), epochs=10, learning_rate=1e-9)
    assert len(chance_warnings(warned)) == 1


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_a_network_that_learns_is_left_alone(warned, smoothing):
    run(tiny_model(), easy_set(1600), epochs=1, label_smoothing=smoothing)
    assert not chance_warnings(warned)


def test_an_auxiliary_answer_does_not_count(warned):
    class Heads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.main, self.head = tiny_model(0), tiny_model(1)

        def forward(self, images):
            logits = self.main(images)
            return (logits, 100 * self.head(images)) if self.training else logits

    run(Heads(), easy_set(1600), epochs=1, aux_weight=0.0)
    assert not chance_warnings(warned)


def test_real_images_are_learnt_in_time(warned):
    data = load_fashion_mnist(download=False, quiet=True)
    train = data.train.stratified_subset(1600).normalised(*data.train.mean_and_std())
    run(MiniGoogLeNet(), train, epochs=1)
    assert not chance_warnings(warned)


@pytest.mark.parametrize("stop_at", [50, 80, 90, 99, 100, 110])
def test_a_resumed_run_warns_once_and_as_an_uninterrupted_one(tmp_path, warned, stop_at):
    train = shuffled_labels(120 * BATCH)
    run(tiny_model(), train, epochs=1, augment=Noise())
    expected = str(chance_warnings(warned)[0].message)
    del warned[:]
    path = tmp_path / "run.pt"
    run(tiny_model(), train, epochs=1, augment=Noise(interrupt_at=stop_at), checkpoint=path)
    assert len(chance_warnings(warned)) == (stop_at >= 100)
    run(tiny_model(), train, epochs=1, augment=Noise(), checkpoint=path)
    assert [str(each.message) for each in chance_warnings(warned)] == [expected]


@pytest.mark.parametrize(
    ("loss", "spread", "accuracy", "classes", "expected"),
    [
        # 400 images: the standard error of the mean loss is spread / 20.
        (math.log(10) - 0.14, 1.0, 0.1, 10, True),
        (math.log(10) - 0.16, 1.0, 0.1, 10, False),
        (math.log(10) - 0.16, 2.0, 0.1, 10, True),
        (math.log(2) - 0.10, 0.5, 0.6, 2, False),
        (3.0, 1.0, 0.38, 10, True),  # 0.1 + 3 * sqrt(0.1 * 0.9 / 10) is 0.385
        (3.0, 1.0, 0.39, 10, False),
        (5.0, 1.0, 0.03, 100, True),  # 0.01 + 3 * sqrt(0.01 * 0.99 / 100) is 0.040
        (5.0, 1.0, 0.05, 100, False),
        (0.0, 0.0, 1.0, 1, False),  # a single class: nothing to guess
    ],
)
def test_clearly_better_means_three_standard_errors(loss, spread, accuracy, classes, expected):
    ones = torch.ones(200)
    unit = torch.cat([ones, -ones])  # mean 0; spread 1 but for the n - 1
    correct = (torch.arange(400) < round(400 * accuracy)).float()
    assert at_chance_level(loss + spread * unit, correct, classes) is expected


def test_an_untrained_network_counts_as_one_whatever_its_luck():
    """Without training, a third of all networks get more than the 11.8 % that three
    standard errors over independent images would allow."""
    data = load_fashion_mnist(download=False, quiet=True)
    images = data.train.stratified_subset(1000).normalised(*data.train.mean_and_std())
    lucky = 0
    for seed in range(20):
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
        with torch.no_grad():
            logits = model(images.images)
        losses = F.cross_entropy(logits, images.labels, reduction="none")
        correct = (logits.argmax(dim=1) == images.labels).float()
        lucky += correct.mean().item() > 0.1 + 3 * math.sqrt(0.1 * 0.9 / 1000)
        assert at_chance_level(losses, correct, 10)
    assert lucky > 0
