"""Training: pick a device, the joint loss, evaluate, and ``fit`` with its checkpoint.

From small to large: device and seed, loss, evaluation, the history, one step, one
epoch, ``fit``; then what ``fit`` leans on: Ctrl-C, the checkpoint file and the checks
of the arguments.
"""

import functools
import hashlib
import itertools
import math
import numbers
import os
import random
import signal
import sys
import threading
import time
import warnings
import zipfile
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import OneCycleLR

from gnet_lib.cost import evaluation_mode
from gnet_lib.data import ImageSet, batches

DEVICES = ("cuda", "mps", "cpu")
CHECKPOINT_FORMAT = 1

Augment = Callable[..., Tensor]  # called as augment(images, generator=generator)


class NonFiniteLossError(RuntimeError):
    """The loss or its gradient became infinite or not a number, so training stopped."""


# --- device and seed ---------------------------------------------------------------------


def pick_device(wanted: str | torch.device | None = None) -> torch.device:
    """Choose where to compute: a CUDA GPU, else Apple's MPS, else the CPU.

    A device counts only when a small convolution and its gradient really ran on it: a
    GPU that is listed but does not work (an old driver, a card that this PyTorch was
    not built for) is left out with a ``RuntimeWarning`` that names the cause.

    Args:
        wanted: ``"cuda"``, ``"mps"`` or ``"cpu"``; None chooses. Where the wanted device
            does not work, the CPU is used, with the warning.

    Returns:
        The device, to be given to ``.to(device)``.

    Raises:
        ValueError: for any other name.

    Example:
        >>> pick_device("cpu")
        device(type='cpu')
    """
    candidates = [_parse_device(wanted)] if wanted is not None else _listed_accelerators()
    cpu = torch.device("cpu")
    for device, following in zip(candidates, [*candidates[1:], cpu]):
        try:
            try_device(device)
            return device
        except Exception as error:  # a broken driver may raise anything
            warnings.warn(
                f"the device {device} does not work ({_first_line(error)}); "
                f"{following} is used instead",
                RuntimeWarning,
                stacklevel=2,
            )
    return cpu


def try_device(device: torch.device) -> None:
    """Run a convolution of ones, whose answer is known, forwards and backwards."""
    images = torch.ones(1, 1, 4, 4, device=device)
    weight = torch.ones(1, 1, 3, 3, device=device, requires_grad=True)
    total = F.conv2d(images, weight).sum()  # four sums of nine ones
    total.backward()  # each of the nine weights met four ones
    if (total.item(), weight.grad.sum().item()) != (36.0, 36.0):
        raise RuntimeError("a convolution of ones gave a wrong result")


def _listed_accelerators() -> list[torch.device]:
    listed = {"cuda": torch.cuda.is_available, "mps": torch.backends.mps.is_available}
    return [torch.device(name) for name, is_available in listed.items() if is_available()]


def _parse_device(wanted: str | torch.device) -> torch.device:
    try:
        device = torch.device(wanted)
    except (RuntimeError, TypeError):  # torch does not know the name either
        device = None
    if device is None or device.type not in DEVICES:
        raise ValueError(
            f"device must be one of {', '.join(DEVICES)}, but it is {wanted!r}; "
            "leave it out to have the best working one chosen"
        )
    return device


def set_seed(seed: int) -> None:
    """Seed every generator in use: Python's, NumPy's and PyTorch's on all devices.

    Args:
        seed: a whole number from 0 to 2**32 - 1.

    Example:
        >>> set_seed(3)
        >>> first = torch.rand(2)
        >>> set_seed(3)
        >>> bool((torch.rand(2) == first).all())
        True
    """
    import numpy

    seed = _check_number("seed", seed)
    random.seed(seed)
    numpy.random.seed(seed)
    torch.manual_seed(seed)


# --- loss and evaluation -----------------------------------------------------------------


def main_logits(outputs: Tensor | tuple[Tensor, ...]) -> Tensor:
    """The logits that classify: the outputs themselves, or the first of several."""
    return outputs[0] if isinstance(outputs, tuple) else outputs


def joint_loss(
    outputs: Tensor | tuple[Tensor, ...],
    labels: Tensor,
    aux_weight: float = 0.3,
    label_smoothing: float = 0.0,
) -> Tensor:
    """Cross-entropy of the logits, plus ``aux_weight`` times that of each auxiliary one.

    Args:
        outputs: logits (N, num_classes), or a tuple of such logits whose first entry is
            the network's own and whose others come from auxiliary classifiers.
        labels: class numbers (N,).
        aux_weight: weight of each auxiliary classifier's loss, at least 0.
        label_smoothing: share of the target spread evenly over all classes, 0 to 1.

    Returns:
        The loss, averaged over the batch; a tensor of one number.

    Raises:
        ValueError: for an ``aux_weight`` or ``label_smoothing`` out of range.

    Example:
        >>> undecided = torch.zeros(4, 10)
        >>> labels = torch.arange(4)
        >>> round(joint_loss(undecided, labels).item(), 4)  # the logarithm of 10
        2.3026
        >>> round(joint_loss((undecided, undecided, undecided), labels).item(), 4)
        3.6841

    Source: section 5: the losses of the auxiliary classifiers are weighted by 0.3.
    """
    _check_number("aux_weight", aux_weight)
    _check_number("label_smoothing", label_smoothing)
    logits, *auxiliary = outputs if isinstance(outputs, tuple) else (outputs,)
    loss = F.cross_entropy(logits, labels, label_smoothing=label_smoothing)
    for aux_logits in auxiliary:
        aux_loss = F.cross_entropy(aux_logits, labels, label_smoothing=label_smoothing)
        loss = loss + aux_weight * aux_loss
    return loss


@dataclass(frozen=True)
class Evaluation:
    """What ``evaluate`` found: mean cross-entropy, accuracy from 0 to 1, images seen."""

    loss: float
    accuracy: float
    count: int


def evaluate(
    model: nn.Module,
    image_set: ImageSet,
    *,
    batch_size: int = 500,
    device: str | torch.device | None = None,
) -> Evaluation:
    """Measure a model on a set of images, in evaluation mode and without gradients.

    Every image counts the same, also those of a shorter last batch. Afterwards each
    layer is back in the mode (training or evaluation) that it came in.

    Args:
        model: a classifier whose output is logits (N, num_classes).
        image_set: normalised images and their labels.
        batch_size: images at a time; changes the memory needed, not the result.
        device: where to compute; the model moves there. None: where the model is.

    Raises:
        ValueError: for images that are not normalised, a set without images, or labels
            that the model has no logit for.

    Example:
        >>> images = ImageSet(torch.zeros(3, 1, 28, 28), torch.tensor([0, 0, 1]))
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
        >>> _ = nn.init.zeros_(model[1].weight), nn.init.zeros_(model[1].bias)
        >>> result = evaluate(model, images)  # equal logits: class 0 is the first
        >>> print(f"{result.loss:.4f} {result.accuracy:.3f} {result.count}")
        2.3026 0.667 3
    """
    _require_normalised("image_set", image_set)
    if device is not None:
        model.to(pick_device(device))
    device = _device_of(model)
    loss_sum, correct = 0.0, 0
    _require_logits("image_set", model, image_set)
    with evaluation_mode(model), torch.no_grad():
        for images, labels in batches(image_set, batch_size):
            labels = labels.to(device)
            logits = main_logits(model(_as_batch(images, device)))  # (N, num_classes)
            loss_sum += F.cross_entropy(logits, labels, reduction="sum").item()
            correct += _count_correct(logits, labels)
    return Evaluation(loss_sum / len(image_set), correct / len(image_set), len(image_set))


def _count_correct(logits: Tensor, labels: Tensor) -> int:
    return (logits.argmax(dim=1) == labels).sum().item()


def _device_of(model: nn.Module) -> torch.device:
    return next((parameter.device for parameter in model.parameters()), torch.device("cpu"))


def _as_batch(images: Tensor, device: torch.device) -> Tensor:
    """Images on the device, in the memory format that ``fit`` gives the weights."""
    if device.type == "mps":
        return images.to(device)
    return images.to(device, memory_format=torch.channels_last)


# --- history -----------------------------------------------------------------------------


@dataclass
class History:
    """What happened in training: one row (a dict) for each complete epoch.

    A row holds ``epoch`` (from 1), ``train_loss`` and ``train_accuracy`` (averaged over
    the epoch's steps, in training mode, on augmented images, while the weights still
    changed; the loss is the joint one), ``validation_loss`` and ``validation_accuracy``
    (cross-entropy alone, at the epoch's end; None without a validation set),
    ``learning_rate`` (of the epoch's last step), ``seconds`` (of training, without the
    validation) and ``images_per_second``. Accuracies run from 0 to 1.

    Example:
        >>> history = History()
        >>> history
        History(no complete epoch)
    """

    COLUMNS = (
        "epoch", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy",
        "learning_rate", "seconds", "images_per_second",
    )  # fmt: skip

    rows: list[dict[str, Any]] = field(default_factory=list)
    interrupted: bool = False

    def frame(self):
        """The rows as a pandas DataFrame."""
        import pandas

        frame = pandas.DataFrame(self.rows, columns=self.COLUMNS)
        # A column of nothing but None would be one of objects, which cannot be plotted.
        return frame.astype({name: float for name in self.COLUMNS if name != "epoch"})

    def plot(self, label: str = "training"):
        """Draw the learning curves; returns a matplotlib figure."""
        from gnet_lib import plots

        return plots.learning_curves({label: self})

    def best(self) -> dict[str, Any]:
        """The row of the highest validation accuracy (of training, without validation)."""
        if not self.rows:
            raise ValueError("this history has no complete epoch, so it has no best one")
        validated = self.rows[0]["validation_accuracy"] is not None
        column = "validation_accuracy" if validated else "train_accuracy"
        return max(self.rows, key=lambda row: row[column])

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


# --- one training run: its parts, a step, an epoch ---------------------------------------


@dataclass(frozen=True)
class Settings:
    """The numbers that decide how a run goes; a run resumes only with the same ones."""

    epochs: int
    batch_size: int
    learning_rate: float
    momentum: float
    weight_decay: float
    label_smoothing: float
    aux_weight: float
    seed: int

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():  # also makes NumPy's numbers plain ones
            object.__setattr__(self, name, _check_number(name, value))


@dataclass
class Totals:
    """What has been added up since the epoch began."""

    images: int = 0
    loss_sum: float = 0.0
    correct: int = 0
    seconds: float = 0.0
    learning_rate: float = 0.0


@dataclass
class Run:
    """Everything that a training run is made of; the checkpoint stores what changes."""

    model: nn.Module
    train: ImageSet
    validation: ImageSet | None
    settings: Settings
    augment: Augment | None
    device: torch.device
    optimizer: torch.optim.Optimizer
    scheduler: OneCycleLR
    generator: torch.Generator  # the augmentation's random numbers
    steps_per_epoch: int
    epoch: int = 1  # the one that is running
    step: int = 0  # steps done in it
    totals: Totals = field(default_factory=Totals)
    history: History = field(default_factory=History)

    @property
    def finished(self) -> bool:
        return self.epoch > self.settings.epochs

    @functools.cached_property  # the checksum of a large set takes a while
    def identity(self) -> dict[str, Any]:
        """Everything that must agree for a resumed run to be the same run."""
        return {
            **asdict(self.settings),
            "model": describe_model(self.model),
            "augment": describe_augment(self.augment),
            "train": describe_set(self.train),
            "validation": describe_set(self.validation),
        }


def train_step(run: Run, images: Tensor, labels: Tensor) -> None:
    """Forward, backward, and one step of the optimiser and of the learning rate."""
    settings = run.settings
    with mixed_precision(run.device):
        outputs = run.model(images)
        loss = joint_loss(outputs, labels, settings.aux_weight, settings.label_smoothing)
    run.optimizer.zero_grad()
    loss.backward()
    stop_unless_finite(run, loss)

    run.totals.learning_rate = run.optimizer.param_groups[0]["lr"]
    run.totals.images += len(labels)
    run.totals.loss_sum += loss.item() * len(labels)
    run.totals.correct += _count_correct(main_logits(outputs), labels)

    run.optimizer.step()
    run.scheduler.step()


def train_epoch(run: Run, stop: "StopOnInterrupt", progress: bool) -> None:
    """Train from ``run.step`` to the epoch's end, or until somebody asks to stop."""
    size = run.settings.batch_size
    shuffle = shuffle_generator(run.settings.seed, run.epoch)
    steps = batches(run.train, size, generator=shuffle, drop_last=True)
    run.model.train()
    with progress_bar(run, progress) as bar:
        started = time.perf_counter()
        for images, labels in itertools.islice(steps, run.step, None):
            if stop.requested:
                break
            if run.augment is not None:
                images = run.augment(images, generator=run.generator)
            train_step(run, _as_batch(images, run.device), labels)
            run.step += 1
            bar.set_postfix_str(f"loss {_mean_loss(run):.3f}", refresh=False)
            bar.update(size)
        run.totals.seconds += time.perf_counter() - started


def finish_epoch(run: Run) -> None:
    """Validate, add the epoch's row to the history, and get ready for the next one."""
    checked = evaluate(run.model, run.validation) if run.validation is not None else None
    totals = run.totals
    run.history.rows.append({
        "epoch": run.epoch,
        "train_loss": _mean_loss(run),
        "train_accuracy": totals.correct / totals.images,
        "validation_loss": checked.loss if checked else None,
        "validation_accuracy": checked.accuracy if checked else None,
        "learning_rate": totals.learning_rate,
        "seconds": totals.seconds,
        "images_per_second": totals.images / totals.seconds,
    })
    run.epoch, run.step, run.totals = run.epoch + 1, 0, Totals()


def shuffle_generator(seed: int, epoch: int) -> torch.Generator:
    """The random numbers that shuffle one epoch.

    They follow from the seed and the epoch alone, so that a run resumed in the middle of
    an epoch knows which images are still to come. They are the same on every device.
    """
    return torch.Generator().manual_seed(_derived_seed("shuffle", seed, epoch))


def _derived_seed(*parts: str | int) -> int:
    # Hashed, because PyTorch's CPU generator looks at 32 bits of a seed: sums such as
    # seed + epoch would give two runs the same shuffles, one epoch apart.
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:4], "big")


def _mean_loss(run: Run) -> float:
    return run.totals.loss_sum / run.totals.images


def mixed_precision(device: torch.device) -> AbstractContextManager:
    """bfloat16 where the GPU computes it natively; plain float32 everywhere else."""
    if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return nullcontext()


def stop_unless_finite(run: Run, loss: Tensor) -> None:
    """Raise before the optimiser's step, so that the weights are still good."""
    gradients = [each.grad for each in run.model.parameters() if each.grad is not None]
    if not math.isfinite(loss.item()):
        what = "loss"
    elif not torch.nn.utils.get_total_norm(gradients).isfinite():
        what = "gradient"
    else:
        return
    raise NonFiniteLossError(
        f"the {what} is not finite (loss {loss.item()}) in epoch {run.epoch}, step "
        f"{run.step + 1} of {run.steps_per_epoch}, at learning rate "
        f"{run.optimizer.param_groups[0]['lr']:.3g}. Usual causes: a learning rate that is "
        f"too high (try learning_rate={run.settings.learning_rate / 10:.3g}), images that "
        "are not normalised or hold NaN (look at their mean and standard deviation; an "
        "augment function can bring them in), a network without normalisation that starts "
        "badly. The weights are those from before this step."
    )


def progress_bar(run: Run, progress: bool):
    """A bar on stderr that vanishes at the end: rate, remaining time, running loss."""
    from tqdm import tqdm

    size = run.settings.batch_size
    return tqdm(
        desc=f"epoch {run.epoch}/{run.settings.epochs}",
        total=run.steps_per_epoch * size,
        initial=run.step * size,
        unit=" images",
        unit_scale=True,
        leave=False,
        disable=not progress,
        file=sys.stderr,
    )


def _epoch_line(run: Run) -> str:
    row = run.history.rows[-1]
    return (
        f"epoch {row['epoch']}/{run.settings.epochs}  {_results(row, '  ')}  "
        f"{row['seconds']:.0f} s  {row['images_per_second']:,.0f} images/s"
    )


# --- fit ---------------------------------------------------------------------------------


def fit(
    model: nn.Module,
    train: ImageSet,
    validation: ImageSet | None = None,
    *,
    epochs: int,
    batch_size: int = 128,
    learning_rate: float = 0.1,
    momentum: float = 0.9,
    weight_decay: float = 5e-4,
    label_smoothing: float = 0.0,
    aux_weight: float = 0.3,
    augment: Augment | None = None,
    device: str | torch.device | None = None,
    seed: int = 0,
    checkpoint: str | Path | None = None,
    progress: bool = True,
) -> History:
    """Train a classifier with SGD, Nesterov momentum and a one-cycle learning rate.

    The learning rate climbs for the first 30 % of all steps from a twenty-fifth to
    ``learning_rate``, then falls to almost 0. Each epoch shuffles anew and leaves out the
    images that do not fill a last batch. The images move to the device once, as a whole.
    The model is trained in place and comes back in evaluation mode, on the device, with
    its convolutions' weights in ``channels_last`` memory format (about twice as fast on a
    CPU; a model of your own needs ``flatten`` in place of ``view``).

    Ctrl-C ends the current step and returns what was learnt (``history.interrupted``); a
    second Ctrl-C stops at once. With ``checkpoint`` the run is stored at every epoch's end
    and at Ctrl-C; the same call again goes on from there and, on a CPU, ends with exactly
    the weights of a run that was never stopped.

    Args:
        model: returns logits (N, num_classes), or a tuple whose first entry they are. To
            make its first weights repeatable, call ``set_seed`` before building it.
        train: normalised images and labels to learn from.
        validation: a set to evaluate at every epoch's end; None for none.
        epochs: how often to go through the training images.
        batch_size: images a step.
        learning_rate: the highest learning rate of the cycle.
        momentum: 0 to below 1; with 0 it is plain SGD.
        weight_decay: pull of the weights towards 0; biases and normalisation are left out.
        label_smoothing: share of the target spread evenly over all classes.
        aux_weight: weight of each auxiliary classifier's loss.
        augment: called as ``augment(images, generator=generator)`` on every batch, on the
            device; give it random numbers from the generator only.
        device: as for ``pick_device``.
        seed: decides the shuffles, the dropout and the augmentation. All global random
            generators are seeded with it.
        checkpoint: file to store the run in, and to resume it from.
        progress: show the bar and a line for each epoch.

    Returns:
        The history of all complete epochs.

    Raises:
        ValueError: for a bad argument, or a checkpoint that is damaged or of another run.
        NonFiniteLossError: when the loss or its gradient is no longer a finite number.

    Example:
        >>> set_seed(0)
        >>> images = ImageSet(torch.randn(8, 1, 28, 28), torch.arange(8))
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
        >>> history = fit(model, images, epochs=2, batch_size=4, device="cpu", progress=False)
        >>> [row["epoch"] for row in history.rows]
        [1, 2]
    """
    settings = Settings(
        epochs, batch_size, learning_rate, momentum, weight_decay, label_smoothing,
        aux_weight, seed,
    )  # fmt: skip
    _require_normalised("train", train)
    _require_a_batch(train, settings.batch_size)
    if validation is not None:
        _require_normalised("validation", validation)
    run = start_run(model, train, validation, settings, augment, pick_device(device))
    path = None if checkpoint is None else Path(checkpoint)
    if path is not None:
        resume(run, path)
    try:
        with StopOnInterrupt() as stop:
            while not run.finished and not stop.requested:
                train_epoch(run, stop, progress)
                epoch_complete = run.step == run.steps_per_epoch
                if epoch_complete:
                    finish_epoch(run)
                if path is not None:
                    save_checkpoint(run, path)
                if epoch_complete and progress:
                    print(_epoch_line(run))
    finally:
        model.eval()
    run.history.interrupted = stop.requested
    if stop.requested:
        print(_interrupted_line(run, path))
    return run.history


def start_run(
    model: nn.Module,
    train: ImageSet,
    validation: ImageSet | None,
    settings: Settings,
    augment: Augment | None,
    device: torch.device,
) -> Run:
    """Move model and images to the device, seed, and build optimiser and schedule."""
    model.to(device)
    if device.type != "mps":
        model.to(memory_format=torch.channels_last)
    for name, image_set in (("train", train), ("validation", validation)):
        if image_set is not None:
            _require_logits(name, model, image_set)
    train = train.to(device)
    validation = None if validation is None else validation.to(device)

    set_seed(settings.seed)
    steps_per_epoch = len(train) // settings.batch_size
    optimizer = torch.optim.SGD(
        parameter_groups(model, settings.weight_decay),
        lr=settings.learning_rate,
        momentum=settings.momentum,
        nesterov=settings.momentum > 0,
    )
    scheduler = OneCycleLR(
        optimizer,
        max_lr=settings.learning_rate,
        total_steps=settings.epochs * steps_per_epoch,
        cycle_momentum=False,  # else it would overrule the argument momentum
    )
    generator = torch.Generator(device).manual_seed(_derived_seed("augment", settings.seed))
    return Run(
        model, train, validation, settings, augment, device, optimizer, scheduler, generator,
        steps_per_epoch,
    )  # fmt: skip


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """The trainable parameters in two groups: with weight decay and without.

    Decay keeps a layer from relying on large weights. A bias or a normalisation's scale
    and shift has one number a channel: too few to overfit with, and pulling a scale
    towards 0 would switch its channel off. These are the parameters of one dimension.
    """
    trainable = [each for each in model.parameters() if each.requires_grad]
    if not trainable:
        raise ValueError(
            "model must have parameters to train, but none of its parameters has "
            "requires_grad=True"
        )
    decayed = [each for each in trainable if each.dim() > 1]
    spared = [each for each in trainable if each.dim() <= 1]
    groups = (decayed, weight_decay), (spared, 0.0)
    return [{"params": group, "weight_decay": decay} for group, decay in groups if group]


# --- Ctrl-C ------------------------------------------------------------------------------


class StopOnInterrupt:
    """Turns the first Ctrl-C into a wish, ``requested``; a second one stops at once.

    An exception could arrive in the middle of the optimiser's step and leave half of the
    weights changed. Python lets only the main thread handle signals: in any other thread
    this does nothing, and Ctrl-C raises KeyboardInterrupt in the main one as always.
    """

    def __init__(self) -> None:
        self.requested = False
        self._former = None

    def __enter__(self) -> "StopOnInterrupt":
        former = signal.getsignal(signal.SIGINT)
        replaceable = former not in (None, signal.SIG_IGN)
        if replaceable and threading.current_thread() is threading.main_thread():
            self._former = signal.signal(signal.SIGINT, self._handle)
        return self

    def _handle(self, signal_number: int, frame: Any) -> None:
        # No print here: a signal may interrupt another print.
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True

    def __exit__(self, *exception: Any) -> None:
        if self._former is not None:
            signal.signal(signal.SIGINT, self._former)


def _place(run: Run) -> str:
    if run.finished:
        return f"all {run.settings.epochs} epochs are complete"
    return (
        f"epoch {run.epoch} of {run.settings.epochs}, "
        f"after step {run.step} of {run.steps_per_epoch}"
    )


def _interrupted_line(run: Run, path: Path | None) -> str:
    line = f"stopped by Ctrl-C: {_place(run)}; the model keeps what it has learnt"
    if run.finished:
        return line
    if path is None:
        return f"{line}. To be able to go on after a stop, give fit a checkpoint=..."
    return f"{line}. To go on, call fit again with the same arguments ({path})"


# --- checkpoint --------------------------------------------------------------------------


def save_checkpoint(run: Run, path: Path) -> None:
    """Store the run so that the file is at every moment the old one or the new one."""
    state = {
        "format": CHECKPOINT_FORMAT,
        "settings": run.identity,
        "device": run.device.type,
        "epoch": run.epoch,
        "step": run.step,
        "totals": asdict(run.totals),
        "rows": run.history.rows,
        "model": run.model.state_dict(),
        "optimizer": run.optimizer.state_dict(),
        "scheduler": run.scheduler.state_dict(),
        "random": random_states(run),
    }
    temporary = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        with open(temporary, "wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())  # on the disk before it takes the old one's name
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def resume(run: Run, path: Path) -> None:
    """Bring a run to where its checkpoint left off; without a file do nothing."""
    if path.is_dir():
        raise ValueError(f"checkpoint must be the name of a file, but {path} is a folder")
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        return
    state = load_checkpoint(path)
    _require_same_run(run, state, path)
    run.model.load_state_dict(state["model"])
    run.optimizer.load_state_dict(state["optimizer"])
    run.scheduler.load_state_dict(state["scheduler"])
    run.epoch, run.step = state["epoch"], state["step"]
    run.totals = Totals(**state["totals"])
    run.history.rows = state["rows"]
    same_device = state["device"] == run.device.type
    restore_random_states(run, state["random"], same_device)
    print(_resumed_line(run, path, state["device"]))


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint file; a damaged one is a ``ValueError`` that names it."""
    try:
        with zipfile.ZipFile(path) as archive:  # PyTorch itself checks no checksums
            if damaged := archive.testzip():
                raise zipfile.BadZipFile(f"the checksum of {damaged} is wrong")
        # weights_only: nothing but tensors and plain values, so no code can hide in it.
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file may fail in any way
        raise ValueError(
            f"checkpoint {path} cannot be read: {_first_line(error)}. It is damaged or no "
            "checkpoint; delete it to start anew, or give another name"
        ) from error
    found = state.get("format") if isinstance(state, dict) else None
    if found != CHECKPOINT_FORMAT:
        raise ValueError(
            f"checkpoint {path} must be one of fit's, in format {CHECKPOINT_FORMAT}, but its "
            f"format is {found!r}; delete it to start anew, or give another name"
        )
    return state


def _require_same_run(run: Run, state: dict[str, Any], path: Path) -> None:
    then = state["settings"]
    differences = [
        f"{name} is {then.get(name)!r} in the file and {value!r} in this call"
        for name, value in run.identity.items()
        if then.get(name) != value
    ]
    if differences:
        raise ValueError(
            f"checkpoint {path} is of another run: {'; '.join(differences)}. Use the same "
            "settings to go on, or delete the file to start anew"
        )


def describe_model(model: nn.Module) -> str:
    """A short text that a model of other layers or sizes would not share."""
    tensors = model.state_dict()
    shapes = [(name, tuple(tensor.shape)) for name, tensor in tensors.items()]
    size = sum(each.numel() for each in model.parameters() if each.requires_grad)
    checksum = zlib.crc32(repr(shapes).encode())
    return f"{type(model).__name__} of {size:,} trainable parameters ({checksum:08x})"


def describe_set(image_set: ImageSet | None) -> str | None:
    """A short text that other images or labels would not share."""
    if image_set is None:
        return None
    checksum = 0
    for tensor in (image_set.images, image_set.labels):
        checksum = zlib.crc32(tensor.contiguous().cpu().numpy(), checksum)
    return f"{len(image_set):,} images ({checksum:08x})"


def describe_augment(augment: Augment | None) -> str | None:
    """The name of the function, and the arguments that ``functools.partial`` gave it."""
    if augment is None:
        return None
    if isinstance(augment, functools.partial):
        return f"{describe_augment(augment.func)} with {augment.args} {augment.keywords}"
    return getattr(augment, "__qualname__", type(augment).__qualname__)


def random_states(run: Run) -> dict[str, Any]:
    """Where every random generator stands, in plain values and tensors."""
    import numpy

    name, keys, *rest = numpy.random.get_state()
    accelerator = None
    if run.device.type == "cuda":
        accelerator = torch.cuda.get_rng_state(run.device)
    elif run.device.type == "mps":
        accelerator = torch.mps.get_rng_state()
    return {
        "python": random.getstate(),
        "numpy": (name, keys.tolist(), *rest),
        "torch": torch.get_rng_state(),
        "accelerator": accelerator,
        "augment": run.generator.get_state(),
    }


def restore_random_states(run: Run, states: dict[str, Any], same_device: bool) -> None:
    """Put every generator back; a device's own only on the same kind of device."""
    import numpy

    random.setstate(states["python"])
    numpy.random.set_state(states["numpy"])
    torch.set_rng_state(states["torch"])
    if same_device:
        run.generator.set_state(states["augment"])
        if run.device.type == "cuda":
            torch.cuda.set_rng_state(states["accelerator"], run.device)
        elif run.device.type == "mps":
            torch.mps.set_rng_state(states["accelerator"])


def _resumed_line(run: Run, path: Path, device: str) -> str:
    if run.finished:
        return f"{path}: {_place(run)}; weights and history are loaded, nothing is left to train"
    line = f"resumed from {path}: {_place(run)}"
    if device != run.device.type:
        line += (
            f". It was stored on {device} and goes on on {run.device.type}, so dropout and "
            "augmentation will not be those of a run that was never stopped"
        )
    return line


# --- checks of the arguments -------------------------------------------------------------

LIMITS: dict[str, tuple[type, str, Callable[[Any], bool]]] = {
    "epochs": (int, "at least 1", lambda value: value >= 1),
    # Batch normalisation compares the images of a batch, so one alone will not do.
    "batch_size": (int, "at least 2", lambda value: value >= 2),
    "learning_rate": (float, "above 0", lambda value: value > 0),
    "momentum": (float, "at least 0 and below 1", lambda value: 0 <= value < 1),
    "weight_decay": (float, "at least 0", lambda value: value >= 0),
    "label_smoothing": (float, "from 0 to 1", lambda value: 0 <= value <= 1),
    "aux_weight": (float, "at least 0", lambda value: value >= 0),
    "seed": (int, "from 0 to 4294967295", lambda value: 0 <= value < 2**32),
}


def _check_number(name: str, value: Any) -> int | float:
    """The value as a plain int or float, or a ``ValueError``."""
    kind, allowed, is_allowed = LIMITS[name]
    expected, words = {
        int: (numbers.Integral, "a whole number"),
        float: (numbers.Real, "a finite number"),
    }[kind]
    is_number = isinstance(value, expected) and not isinstance(value, bool)
    if not (is_number and math.isfinite(value) and is_allowed(value)):
        raise ValueError(f"{name} must be {words} {allowed}, but it is {value!r}")
    return kind(value)


def _require_normalised(name: str, image_set: ImageSet) -> None:
    if not isinstance(image_set, ImageSet):
        raise ValueError(
            f"{name} must be an ImageSet, but it is a {type(image_set).__name__}; build one "
            "with ImageSet(images, labels)"
        )
    if not image_set.images.is_floating_point():
        raise ValueError(
            f"{name} must hold normalised float images, but they are {image_set.images.dtype}; "
            f"call {name}.normalised(mean, std) first, with the training set's mean and std"
        )


def _require_a_batch(train: ImageSet, batch_size: int) -> None:
    if len(train) < batch_size:
        raise ValueError(
            f"train must hold at least one batch of {batch_size} images, but it holds "
            f"{len(train)}; use a batch_size of at most {len(train)}"
        )


def _require_logits(name: str, model: nn.Module, image_set: ImageSet) -> None:
    """Ask the model about one image: it needs a logit for every label that there is."""
    with evaluation_mode(model), torch.no_grad():
        logits = main_logits(model(image_set.images[:1].to(_device_of(model))))
    if logits.dim() != 2 or len(logits) != 1:
        raise ValueError(
            "model must return logits of the shape (N, num_classes), but for 1 image it "
            f"returned {tuple(logits.shape)}"
        )
    classes, highest = logits.shape[1], image_set.labels.max().item()
    if highest >= classes:
        raise ValueError(
            f"{name} must hold labels from 0 to {classes - 1}, because the model returns "
            f"{classes} logits, but it holds the label {highest}; build the model with "
            f"num_classes={highest + 1} or more"
        )


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
