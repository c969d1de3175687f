"""Training: pick a device, the joint loss, evaluate, and ``fit``.

From small to large: device and seed, loss, evaluation, the history, one step, one
epoch, ``fit`` and the checks of its arguments. Two rooms of their own hold what a long
run leans on: ``checkpoint`` (Ctrl-C, the file and the exact resume) and ``safeguards``
(a loss that is not finite, a GPU without memory, a network that does not learn).
"""

import functools
import hashlib
import itertools
import math
import numbers
import random
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import OneCycleLR

from gnet_lib.checkpoint import (
    StopOnInterrupt,
    describe_augment,
    describe_model,
    describe_set,
    first_line,
    interrupted_line,
    resume,
    save_checkpoint,
)
from gnet_lib._modes import evaluation_mode
from gnet_lib.data import ImageDataset, batches
from gnet_lib.safeguards import (
    NonFiniteLossError,  # noqa: F401 (at home in safeguards, offered here)
    divide_further,
    halve_evaluation_batch,
    ran_out_of_memory,
    stop_unless_finite,
    watch_for_chance,
)

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

DEVICES = ("cuda", "mps", "cpu")

Augment = Callable[..., Tensor]  # called as augment(images, generator=generator)


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
                f"the device {device} does not work ({first_line(error)}); "
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


def computes_bfloat16(device: str | torch.device) -> bool:
    """Whether a device computes bfloat16 itself, which makes training faster on it.

    Elsewhere PyTorch computes bfloat16 too, but as a detour over float32, which costs
    time instead of saving it. The devices that do it themselves are NVIDIA GPUs since 2020
    (Ampere), AMD's that PyTorch supports, and x86 CPUs with the instructions AVX512_BF16
    or AMX. Apple's MPS is not counted among them.

    Args:
        device: ``"cuda"``, ``"mps"`` or ``"cpu"``.

    Returns:
        True where bfloat16 is the device's own, else False.

    Raises:
        ValueError: for any other name.

    Example:
        >>> computes_bfloat16("mps")
        False
    """
    kind = _parse_device(device).type
    if kind == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return kind == "cpu" and _cpu_computes_bfloat16()


def _cpu_computes_bfloat16() -> bool:
    if hasattr(torch.cpu, "get_capabilities"):
        has = torch.cpu.get_capabilities()
        return bool(has.get("avx512_bf16") or has.get("amx_bf16"))
    # Older releases of PyTorch answer under private names only, or not at all.
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, lambda: False)() for name in names)


def set_seed(seed: int) -> None:
    """Seed every generator in use: Python's, NumPy's and PyTorch's on all devices.

    Args:
        seed: a whole number from 0 to 4294967295.

    Raises:
        ValueError: for any other seed.

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
    """What ``evaluate`` found.

    Args:
        loss: cross-entropy, averaged over the images.
        accuracy: share of the images classified correctly, from 0 to 1.
        count: how many images were seen.

    Example:
        >>> Evaluation(loss=0.25, accuracy=0.9, count=10_000).accuracy
        0.9
    """

    loss: float
    accuracy: float
    count: int


def evaluate(
    model: nn.Module,
    image_set: ImageDataset,
    *,
    batch_size: int = 500,
    device: str | torch.device | None = None,
) -> Evaluation:
    """Measure a model on a set of images, in evaluation mode and without gradients.

    Every image counts the same, also those of a shorter last batch. Afterwards each
    layer is back in the mode (training or evaluation) that it came in. A GPU whose memory
    runs out is given half as many images at a time, and a line says so.

    Args:
        model: a classifier whose output is logits (N, num_classes).
        image_set: normalised images and their labels.
        batch_size: images at a time; changes the memory needed, not the result.
        device: where to compute; the model moves there. None: where the model is.

    Returns:
        Loss, accuracy and number of images.

    Raises:
        ValueError: for images that are not normalised, a set without images, or labels
            that the model has no logit for.
        RuntimeError: when a GPU's memory does not suffice for a single image.

    Example:
        >>> images = ImageDataset(torch.zeros(3, 1, 28, 28), torch.tensor([0, 0, 1]))
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
    _require_logits("image_set", model, image_set)
    while True:
        try:
            return _evaluate_in_batches(model, image_set, batch_size, device)
        except RuntimeError as error:
            if not ran_out_of_memory(error, device):
                raise
        batch_size = halve_evaluation_batch(min(batch_size, len(image_set)), device)


def _evaluate_in_batches(
    model: nn.Module, image_set: ImageDataset, batch_size: int, device: torch.device
) -> Evaluation:
    loss_sum, correct = 0.0, 0
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

    Args:
        rows: the rows so far; ``fit`` fills them.
        interrupted: whether Ctrl-C ended the training.

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

    def frame(self) -> "pandas.DataFrame":
        """The rows as a table.

        Returns:
            One row an epoch, with the columns named above.
        """
        import pandas

        frame = pandas.DataFrame(self.rows, columns=self.COLUMNS)
        # A column of nothing but None would be one of objects, which cannot be plotted.
        return frame.astype({name: float for name in self.COLUMNS if name != "epoch"})

    def plot(self, label: str = "training") -> "Figure":
        """Draw the learning curves.

        Args:
            label: name of the curve.

        Returns:
            The figure of ``plots.learning_curves``.
        """
        from gnet_lib import plots

        return plots.learning_curves({label: self})

    def best(self) -> dict[str, Any]:
        """The row of the highest validation accuracy (of training, without validation).

        Returns:
            That row.

        Raises:
            ValueError: if no epoch is complete.
        """
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
    train: ImageDataset
    validation: ImageDataset | None
    settings: Settings
    augment: Augment | None
    device: torch.device
    optimizer: torch.optim.Optimizer
    scheduler: OneCycleLR
    generator: torch.Generator  # the augmentation's random numbers
    steps_per_epoch: int
    precision: torch.dtype = torch.float32  # what convolutions and products are computed in
    parts: int = 1  # how many pieces a batch is computed in, for want of memory
    watched: list[list[float]] = field(default_factory=list)  # see watch_for_chance
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
    loss, logits = compute_gradients(run, images, labels)
    stop_unless_finite(run, loss)
    watch_for_chance(run, logits, labels)

    run.totals.learning_rate = run.optimizer.param_groups[0]["lr"]
    run.totals.images += len(labels)
    run.totals.loss_sum += loss.item() * len(labels)
    run.totals.correct += _count_correct(logits, labels)

    run.optimizer.step()
    run.scheduler.step()


def compute_gradients(run: Run, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The loss and the main logits of a batch, whose gradient is left in the parameters.

    A GPU whose memory runs out gets the batch in more and smaller parts: from then on to
    the run's end, so that it is not asked again and again for what it does not have.
    """
    while True:
        run.optimizer.zero_grad()
        try:
            return accumulate_gradients(run, images, labels)
        except RuntimeError as error:
            if not ran_out_of_memory(error, run.device):
                raise
        # Not inside of except: there the error still holds the failed attempt's tensors.
        run.optimizer.zero_grad()
        divide_further(run)


def accumulate_gradients(run: Run, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Forward and backward, in ``run.parts`` parts whose gradients add up."""
    settings, losses, logits = run.settings, [], []
    parts = images.tensor_split(run.parts), labels.tensor_split(run.parts)
    for part_images, part_labels in zip(*parts, strict=True):
        with autocast(run):
            outputs = _as_float32(run.model(part_images))
        loss = joint_loss(outputs, part_labels, settings.aux_weight, settings.label_smoothing)
        loss = loss * (len(part_labels) / len(labels))  # its share in the batch's mean
        loss.backward()
        losses.append(loss.detach())
        logits.append(main_logits(outputs).detach())
    return sum(losses), torch.cat(logits)


def autocast(run: Run) -> AbstractContextManager:
    """Has convolutions and matrix products computed in the run's precision."""
    if run.precision == torch.float32:
        return nullcontext()
    return torch.autocast(run.device.type, dtype=run.precision)


def _as_float32(outputs: Tensor | tuple[Tensor, ...]) -> Tensor | tuple[Tensor, ...]:
    # bfloat16 has three digits: enough for a layer, too few for the logarithm of a loss.
    if isinstance(outputs, tuple):
        return tuple(each.float() for each in outputs)
    return outputs.float()


def train_epoch(run: Run, stop: StopOnInterrupt, progress: bool) -> None:
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
    run.history.rows.append(
        {
            "epoch": run.epoch,
            "train_loss": _mean_loss(run),
            "train_accuracy": totals.correct / totals.images,
            "validation_loss": checked.loss if checked else None,
            "validation_accuracy": checked.accuracy if checked else None,
            "learning_rate": totals.learning_rate,
            "seconds": totals.seconds,
            "images_per_second": totals.images / totals.seconds,
        }
    )
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
    train: ImageDataset,
    validation: ImageDataset | None = None,
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
    mixed_precision: bool | None = None,
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
    and at Ctrl-C; the same call again goes on from there and, on the same CPU, ends with
    exactly the weights of a run that was never stopped.

    A GPU whose memory runs out computes each batch in two parts from then on, or four, and
    so on; a line says so. Gradients of the parts are added up before the step, so batch and
    learning rate stay what they are; only batch normalisation sees fewer images at a time,
    and dropout draws other numbers. A network that is still at chance level after the
    run's first 100 steps causes a ``RuntimeWarning`` with the usual reasons.

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
        mixed_precision: None computes convolutions and matrix products of the training
            steps in bfloat16 where ``computes_bfloat16(device)``; True does so on every
            device, which is slow where it is not the device's own; False computes in
            float32 everywhere. Weights, loss and all evaluation are float32 in any case. A
            resumed run may change it, as it may change the device: a line says so.

    Returns:
        The history of all complete epochs.

    Raises:
        ValueError: for a bad argument, or a checkpoint that is damaged or of another run.
        NonFiniteLossError: when the loss or its gradient is no longer a finite number.
        RuntimeError: when a GPU's memory does not suffice for two images at a time.

    Example:
        >>> set_seed(0)
        >>> images = ImageDataset(torch.randn(8, 1, 28, 28), torch.arange(8))
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
    device = pick_device(device)
    precision = choose_precision(mixed_precision, device)
    run = start_run(model, train, validation, settings, augment, device, precision)
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
        print(interrupted_line(run, path))
    return run.history


def start_run(
    model: nn.Module,
    train: ImageDataset,
    validation: ImageDataset | None,
    settings: Settings,
    augment: Augment | None,
    device: torch.device,
    precision: torch.dtype,
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
        steps_per_epoch, precision,
    )  # fmt: skip


def choose_precision(mixed_precision: bool | None, device: torch.device) -> torch.dtype:
    """What ``fit``'s argument means on a device: bfloat16 or float32."""
    if not (mixed_precision is None or isinstance(mixed_precision, bool)):
        raise ValueError(
            "mixed_precision must be True, False or None (the device decides), but it is "
            f"{mixed_precision!r}"
        )
    if mixed_precision is None:
        mixed_precision = computes_bfloat16(device)
    return torch.bfloat16 if mixed_precision else torch.float32


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """The trainable parameters in two groups: with weight decay and without.

    Decay keeps a layer from relying on large weights. A bias or a normalisation's scale
    and shift has one number a channel: too few to overfit with, and pulling a scale
    towards 0 would switch its channel off. These are the parameters of one dimension.
    """
    trainable = [each for each in model.parameters() if each.requires_grad]
    if not trainable:
        raise ValueError(
            "model must have parameters to train, but none of its parameters has requires_grad=True"
        )
    decayed = [each for each in trainable if each.dim() > 1]
    spared = [each for each in trainable if each.dim() <= 1]
    groups = (decayed, weight_decay), (spared, 0.0)
    return [{"params": group, "weight_decay": decay} for group, decay in groups if group]


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


def _require_normalised(name: str, image_set: ImageDataset) -> None:
    if not isinstance(image_set, ImageDataset):
        raise ValueError(
            f"{name} must be an ImageDataset, but it is a {type(image_set).__name__}; build one "
            "with ImageDataset(images, labels)"
        )
    if not image_set.images.is_floating_point():
        raise ValueError(
            f"{name} must hold normalised float images, but they are {image_set.images.dtype}; "
            f"call {name}.normalised(mean, std) first, with the training set's mean and std"
        )


def _require_a_batch(train: ImageDataset, batch_size: int) -> None:
    if len(train) < batch_size:
        raise ValueError(
            f"train must hold at least one batch of {batch_size} images, but it holds "
            f"{len(train)}; use a batch_size of at most {len(train)}"
        )


def _require_logits(name: str, model: nn.Module, image_set: ImageDataset) -> None:
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
