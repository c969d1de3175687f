"""What watches over a training run: each trouble is made, and one line has to name it."""

import math
import warnings
import weakref
from collections.abc import Iterator

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
from torch import Tensor, nn
from torch.nn import functional as F

from gnet_lib.data import ImageDataset
from gnet_lib.evaluation import evaluate
from gnet_lib.fashion_mnist import load_sample
from gnet_lib.safeguards import NonFiniteLossError, at_chance_level, ran_out_of_memory
from gnet_lib.training import shuffle_generator

# --- a loss that is not finite -----------------------------------------------------------


def test_a_loss_that_is_not_finite_stops_before_the_step(tmp_path):
    def spoil_third(images, generator, calls=[]):  # noqa: B006
        calls.append(1)
        return images * float("nan") if len(calls) == STEPS + 3 else images

    model, path = tiny_model(), tmp_path / "run.pt"
    expected = r"the loss is not finite \(loss nan\) in epoch 2, step 3\. .*learning_rate=0\.01\)"
    with pytest.raises(NonFiniteLossError, match=expected):
        run(model, augment=spoil_third, checkpoint=path)
    assert all(each.isfinite().all() for each in model.state_dict().values())
    assert (
        torch.load(path, weights_only=True)["progress"]["epoch"] == 2
    )  # the first epoch's end is kept
    assert not model.training


class Counting(nn.Module):
    """A network that puts a new tensor in place of a buffer at every step."""

    def __init__(self, fail_at: int = 0) -> None:
        super().__init__()
        self.inner, self.fail_at = tiny_model(), fail_at
        self.steps: Tensor
        self.register_buffer("steps", torch.zeros(1))

    def forward(self, images: Tensor) -> Tensor:
        logits = self.inner(images)
        if self.training:
            self.steps = self.steps + 1
            if self.steps == self.fail_at:
                raise OSError("the power went out")
        return logits


class HalfAStep(torch.optim.SGD):
    """An optimiser that is stopped in its seventh step, when the weights have moved."""

    def step(self, closure=None):
        super().step(closure)
        self.taken = getattr(self, "taken", 0) + 1
        if self.taken == 7:
            raise KeyboardInterrupt


def spoil_seventh(images, generator, calls=[]):  # noqa: B006
    calls.append(1)
    return images * float("nan") if len(calls) == 7 else images


@pytest.mark.parametrize(
    ("changes", "fail_at", "error"),
    [
        ({"augment": spoil_seventh}, 0, NonFiniteLossError),
        ({}, 7, OSError),
        ({"optimizer": HalfAStep, "learning_rate": 0.1}, 0, KeyboardInterrupt),
    ],
)
def test_a_step_that_fails_leaves_weights_and_buffers_as_before_it(changes, fail_at, error):
    def stop_before_seventh(images, generator):
        calls.append(1)
        if len(calls) == 7:
            raise EOFError
        return images

    expected, model, calls = Counting(), Counting(fail_at), []
    plain = torch.optim.SGD if "optimizer" in changes else None
    with pytest.raises(EOFError):
        run(expected, **{**changes, "augment": stop_before_seventh, "optimizer": plain})
    with pytest.raises(error):
        run(model, **changes)
    assert expected.steps == 6
    before, after = expected.state_dict(), model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


class InfiniteGradient(nn.Module):
    """A network whose loss is finite and whose gradient is not."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = tiny_model()

    def forward(self, images: Tensor) -> Tensor:
        logits = self.inner(images)
        if logits.requires_grad:
            logits.register_hook(lambda gradient: gradient * math.inf)
        return logits


def test_a_gradient_that_is_not_finite_stops_before_the_step():
    model = InfiniteGradient()
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


class SmallMemory(nn.Module):
    """A network on a GPU that has room for so many images; in training and in evaluation."""

    def __init__(self, training_room: int = 10**6, room: int = 10**6):
        super().__init__()
        self.layers = tiny_model()
        self.training_room, self.room = training_room, room
        self.last_maps: weakref.ref | None = None

    def forward(self, images: Tensor) -> Tensor:
        maps = self.layers[0](images)
        self.last_maps = weakref.ref(maps)
        if len(images) > (self.training_room if self.training else self.room):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 MiB.")
        return self.layers[1:](maps)


def test_a_full_gpu_ends_a_run_with_the_batch_size_and_what_to_do():
    model = SmallMemory(training_room=BATCH - 1)
    before = [each.clone() for each in model.parameters()]
    expected = rf"batch_size of {BATCH} \(CUDA out of memory.*smaller batch_size.*device='cpu'"
    with pytest.raises(torch.OutOfMemoryError, match=expected) as caught:
        run(model)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    assert not model.training
    # A notebook keeps the error; it must not keep the failed step's tensors alive.
    assert caught.value.__cause__ is not None
    assert model.last_maps is not None and model.last_maps() is None
    run(model, batch_size=BATCH - 1)  # what the error says helps


def test_a_full_gpu_ends_an_evaluation_with_its_batch_size():
    model = SmallMemory(room=5).train()
    with pytest.raises(torch.OutOfMemoryError, match="batch_size of 6 .*smaller batch_size"):
        evaluate(model, easy_set(20), batch_size=6)
    assert model.training
    assert evaluate(model, easy_set(20), batch_size=5).count == 20


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


def test_every_other_error_stays_what_it_is():
    def break_down(images: Tensor, generator: torch.Generator) -> Tensor:
        raise RuntimeError(CPU)

    with pytest.raises(RuntimeError, match="^.enforce fail"):
        run(tiny_model(), augment=break_down)


# --- a network that does not begin to learn ----------------------------------------------

CHANCE = "still at chance level: in steps 81 to 100 its loss was"


@pytest.fixture
def warned() -> Iterator[list[warnings.WarningMessage]]:
    """All that was warned about, also what would be said only once."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield caught


def chance_warnings(caught: list[warnings.WarningMessage]) -> list[warnings.WarningMessage]:
    return [each for each in caught if CHANCE in str(each.message)]


def shuffled_labels(count: int) -> ImageDataset:
    """Images with other images' labels: nothing is to be learnt from them."""
    train = easy_set(count)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(1))
    return ImageDataset(train.images, train.labels[order])


@pytest.fixture(scope="module")
def real_images() -> ImageDataset:
    """1,000 images of Fashion-MNIST, as many of each class."""
    sample = load_sample().train
    return sample.stratified_subset(1000).normalised(*sample.mean_and_std())


def test_labels_of_other_images_are_noticed(warned):
    history = run(tiny_model(), shuffled_labels(1760), epochs=1)
    assert len(history.rows) == 1  # the training went on
    caught = chance_warnings(warned)
    assert len(caught) == 1
    assert caught[0].category is RuntimeWarning
    assert caught[0].filename.endswith("tiny_training.py")  # the line that called fit
    text = str(caught[0].message)
    assert "10 classes: 2.303" in text and "10.0 %" in text


def test_the_numbers_are_those_of_steps_81_to_100(warned):
    """At learning rate 1e-9 the weights stay, so that one pass computes what they do."""
    train = easy_set(1600, seed=2)
    model = tiny_model(dropout=0.0)
    run(model, train, epochs=1, learning_rate=1e-9, label_smoothing=0.3)
    order = torch.randperm(1600, generator=shuffle_generator(0, 1))
    order = order[80 * BATCH : 100 * BATCH]
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

        def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
            logits = self.main(images)
            return (logits, 100 * self.head(images)) if self.training else logits

    run(Heads(), easy_set(1600), epochs=1, aux_weight=0.0)
    assert not chance_warnings(warned)


def test_real_images_are_learnt_in_time(warned, real_images):
    run(tiny_model(), real_images, batch_size=10, epochs=1)
    assert not chance_warnings(warned)


@pytest.fixture(scope="module")
def warning_without_a_stop() -> str:
    with pytest.warns(RuntimeWarning, match=CHANCE) as caught:
        run(tiny_model(), shuffled_labels(105 * BATCH), epochs=1, augment=Noise())
    return str(caught[0].message)


@pytest.mark.parametrize("stop_at", [80, 90, 100])
def test_a_resumed_run_warns_once_and_as_an_uninterrupted_one(
    tmp_path, warning_without_a_stop, warned, stop_at
):
    train, path = shuffled_labels(105 * BATCH), tmp_path / "run.pt"
    run(tiny_model(), train, epochs=1, augment=Noise(interrupt_at=stop_at), checkpoint=path)
    assert len(chance_warnings(warned)) == (stop_at >= 100)
    run(tiny_model(), train, epochs=1, augment=Noise(), checkpoint=path)
    assert [str(each.message) for each in chance_warnings(warned)] == [warning_without_a_stop]


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


def test_an_untrained_network_counts_as_one_whatever_its_luck(real_images):
    """Without training, a third of all networks get more than the 11.8 % that three
    standard errors over independent images would allow.
    """
    lucky = 0
    for seed in range(20):
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
        with torch.no_grad():
            logits = model(real_images.images)
        losses = F.cross_entropy(logits, real_images.labels, reduction="none")
        correct = (logits.argmax(dim=1) == real_images.labels).float()
        lucky += correct.mean().item() > 0.1 + 3 * math.sqrt(0.1 * 0.9 / 1000)
        assert at_chance_level(losses, correct, 10)
    assert lucky > 0
