"""Training: ``fit``.

From small to large: the steps of one epoch (``train_epoch``: forward, loss, backward,
optimiser, learning rate), ``fit`` around it, what ``fit`` says, and the checks of its
arguments. Rooms of their own hold what a long run leans on: ``evaluation`` (the loss, and how
good the answers are), ``_recipe`` (optimiser, schedule, augmentation, callback), ``device``,
``history``, ``checkpoint`` (Ctrl-C, the file and the exact resume), ``identity`` (is it the
same run?) and ``safeguards`` (a loss that is not finite, a GPU without memory, a network that
does not learn).
"""

import hashlib
import itertools
import sys
import time
import warnings
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler

from gnet_lib._check import (
    require_bool,
    require_model,
    require_number,
    require_whole_number,
    shown,
)
from gnet_lib._modes import TrainingMode, gradients_on
from gnet_lib._recipe import (
    Augment,
    Augmentation,
    Callback,
    OptimizerChoice,
    Recipe,
    ScheduleChoice,
    ask_callback,
    build_optimizer,
    build_schedule,
    next_learning_rate,
    optimizer_settings,
    options_restored,
)
from gnet_lib.checkpoint import Checkpoint, StopOnInterrupt
from gnet_lib.data import ImageDataset, batches
from gnet_lib.device import (
    LARGEST_SEED,
    RandomGenerators,
    autocast,
    choose_precision,
    device_of,
    generators_restored,
    memory_format,
    pick_device,
)
from gnet_lib.evaluation import (
    count_correct,
    evaluate,
    joint_loss,
    main_logits,
    on_device,
    require_answers,
    require_logits,
    require_normalised,
    require_weights,
)
from gnet_lib.history import Evaluation, History, Progress, epoch_line
from gnet_lib.identity import describe, describe_dataset, describe_network, plain_network
from gnet_lib.safeguards import (
    ChanceWatch,
    clear_memory_error,
    require_finite,
    undone_if_it_fails,
)

# --- one epoch ---------------------------------------------------------------------------


@dataclass
class Settings:
    """The numbers that decide how a run goes; a run resumes only with the same ones.

    What is None is left to an optimiser of the caller's.
    """

    epochs: int
    batch_size: int
    learning_rate: float | None
    momentum: float | None
    weight_decay: float | None
    label_smoothing: float
    aux_weight: float
    seed: int

    def __post_init__(self) -> None:
        self.epochs = require_whole_number("epochs", self.epochs)
        # Batch normalisation compares the images of a batch, so one alone will not do.
        self.batch_size = require_whole_number("batch_size", self.batch_size, at_least=2)
        if self.learning_rate is not None:
            self.learning_rate = require_number("learning_rate", self.learning_rate, above=0)
        if self.momentum is not None:
            self.momentum = require_number("momentum", self.momentum, at_least=0, below=1)
        if self.weight_decay is not None:
            self.weight_decay = require_number("weight_decay", self.weight_decay, at_least=0)
        self.label_smoothing = require_number(
            "label_smoothing", self.label_smoothing, at_least=0, at_most=1
        )
        self.aux_weight = require_number("aux_weight", self.aux_weight, at_least=0)
        self.seed = require_whole_number("seed", self.seed, at_least=0, at_most=LARGEST_SEED)


def train_epoch(
    model: nn.Module,
    steps: Iterable[tuple[Tensor, Tensor]],
    optimizer: torch.optim.Optimizer,
    scheduler: LRScheduler,
    settings: Settings,
    precision: torch.dtype,
    progress: Progress,
    watch: ChanceWatch,
) -> None:
    """Train on one batch after the other.

    Args:
        model: in training mode; returns logits (N, num_classes), or a tuple of such logits
            whose first entry is the network's own.
        steps: the batches: images (N, C, H, W) and labels (N,), on the model's device.
        optimizer: changes the weights.
        scheduler: changes the learning rate after every step.
        settings: the weights of the loss.
        precision: of convolutions and matrix products, ``torch.float32`` or ``torch.bfloat16``.
        progress: where the run is; every step is added.
        watch: sees every step's answers.

    Raises:
        NonFiniteLossError: when the loss or its gradient is no longer a finite number.
    """
    started = time.perf_counter()
    for images, labels in steps:
        with undone_if_it_fails(model):
            optimizer.zero_grad()
            with autocast(images.device, precision):
                outputs = model(images)  # logits (N, num_classes), or a tuple with the heads'
            outputs = _as_float32(outputs, len(labels))
            loss = joint_loss(outputs, labels, settings.aux_weight, settings.label_smoothing)
            loss.backward()  # leaves its gradient in every parameter
            require_finite(loss, optimizer, progress)

            learning_rate = float(optimizer.param_groups[0]["lr"])
            optimizer.step()  # changes the weights
            next_learning_rate(scheduler, progress.epochs * progress.steps_per_epoch)

        logits = main_logits(outputs).detach()
        watch.look(logits, labels)
        correct = count_correct(logits, labels)
        progress.count_step(len(labels), loss.item(), correct, learning_rate)
    progress.totals.seconds += time.perf_counter() - started


def _as_float32(outputs: Any, count: int) -> Tensor | tuple[Tensor, ...]:
    # bfloat16 has three digits: enough for a layer, too few for the logarithm of a loss.
    require_answers(outputs, count)
    if not main_logits(outputs).requires_grad:
        raise ValueError(
            "model must compute its logits from weights that are trained, but no gradient leads "
            "back from them; look for detach() or no_grad() in its forward"
        )
    if isinstance(outputs, tuple):
        return tuple(each.float() for each in outputs)
    return outputs.float()


def steps_to_come(
    train: ImageDataset,
    settings: Settings,
    progress: Progress,
    augment: Augmentation | None,
    generator: torch.Generator,
    stop: StopOnInterrupt,
    show_bar: bool,
) -> Generator[tuple[Tensor, Tensor], None, None]:
    """The epoch's batches from ``progress.step`` on, until somebody asks to stop."""
    shuffle = shuffle_generator(settings.seed, progress.epoch)
    whole_epoch = batches(train, settings.batch_size, generator=shuffle, drop_last=True)
    with _progress_bar(progress, settings.batch_size, show_bar) as bar:
        for images, labels in itertools.islice(whole_epoch, progress.step, None):
            if stop.requested:
                return
            if augment is not None:
                images = augment(images, generator, progress.done)
            yield on_device(images, images.device), labels
            # Here the step with this batch has been done.
            bar.set_postfix_str(f"loss {progress.totals.mean_loss():.3f}", refresh=False)
            bar.update(len(labels))


def shuffle_generator(seed: int, epoch: int) -> torch.Generator:
    """The random numbers that shuffle one epoch.

    They follow from the seed and the epoch alone, so that a run resumed in the middle of
    an epoch knows which images are still to come. They are the same on every device.
    """
    return torch.Generator().manual_seed(derived_seed("shuffle", seed, epoch))


def derived_seed(*parts: str | int) -> int:
    """A seed of its own for each purpose.

    Hashed, because PyTorch's CPU generator looks at 32 bits of a seed: sums such as
    seed + epoch would give two runs the same shuffles, one epoch apart.
    """
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:4], "big")


def _progress_bar(progress: Progress, batch_size: int, show: bool) -> Any:
    """A bar on stderr that vanishes at the end: rate, remaining time, running loss."""
    from tqdm import tqdm

    return tqdm(
        desc=f"epoch {progress.epoch}/{progress.epochs}",
        total=progress.steps_per_epoch * batch_size,
        initial=progress.step * batch_size,
        unit=" images",
        unit_scale=True,
        leave=False,
        disable=not show,
        file=sys.stderr,
    )


# --- fit ---------------------------------------------------------------------------------


def fit(
    model: nn.Module,
    train: ImageDataset,
    validation: ImageDataset | None = None,
    *,
    epochs: int,
    batch_size: int = 128,
    learning_rate: float | None = None,
    momentum: float | None = None,
    weight_decay: float | None = None,
    label_smoothing: float = 0.0,
    aux_weight: float = 0.3,
    augment: Augment | Sequence[Augment] | None = None,
    optimizer: OptimizerChoice = None,
    schedule: ScheduleChoice = None,
    callback: Callback | None = None,
    device: str | torch.device | None = None,
    seed: int = 0,
    checkpoint: str | Path | None = None,
    progress: bool = True,
    mixed_precision: bool | None = None,
) -> History:
    """Train a classifier: by default with SGD, Nesterov momentum and a one-cycle learning rate.

    The learning rate climbs for the first 30 % of all steps from a twenty-fifth to
    ``learning_rate``, then falls to almost 0. Each epoch shuffles anew and leaves out the
    images that do not fill a last batch. The images move to the device once, as a whole.
    The model is trained in place and comes back in evaluation mode, on the device, with
    its convolutions' weights in ``channels_last`` memory format (about twice as fast on a
    CPU; a model of your own needs ``flatten`` in place of ``view``).

    What is frozen stays: a module all of whose parameters have ``requires_grad=False`` is
    kept in evaluation mode with everything inside of it, so that neither its running
    averages nor its dropout change. So is a layer that comes in evaluation mode inside of a
    model in training mode. A model that comes in evaluation mode as a whole (as ``fit`` and
    ``evaluate`` leave it) is trained as usual.

    Nothing else is left behind: Python's, NumPy's and PyTorch's global random generators
    stand afterwards where they stood before, and no gradient is kept. A step that fails, be
    it by an error, a full memory or a second Ctrl-C, leaves weights and running averages as
    they were before it.

    Ctrl-C ends the current step and returns what was learnt (``history.interrupted``); a
    second Ctrl-C stops at once. With ``checkpoint`` the run is stored at every epoch's end
    and at Ctrl-C; the same call again goes on from there and, on the same CPU, ends with
    exactly the weights of a run that was never stopped. The same call means the same
    network, images and settings, and a model that has either the run's first weights (built
    anew after the same ``set_seed``) or those in the file; anything else is refused, by name.
    A file that cannot be stored, or that another run has taken, causes a ``RuntimeWarning``,
    and the training goes on.

    The learning rate of each step depends on ``epochs``, so a finished run cannot be made
    longer. To train on from its weights, begin a new run with a file of its own:
    ``model.load_state_dict(load_checkpoint("run.pt")["model"])``, then
    ``fit(..., checkpoint="longer.pt")``.

    A network that is still at chance level after the run's first 100 steps causes a
    ``RuntimeWarning`` with the usual reasons.

    Args:
        model: returns logits (N, num_classes), or a tuple of such logits whose first entry
            is the network's own. It may be compiled (``torch.compile``), or within
            ``nn.DataParallel``. To make its first weights repeatable, call ``set_seed``
            before building it.
        train: normalised images and labels to learn from.
        validation: a set to evaluate at every epoch's end, with the class names of ``train``
            where both have names; None for none.
        epochs: how often to go through the training images.
        batch_size: images a step, at least 2; a smaller one needs less memory.
        learning_rate: the height of the one cycle, or the rate that a ``schedule`` of your
            own begins from. None is 0.1; with an ``optimizer``, its own default. Leave it out
            where ``optimizer`` is built already.
        momentum: 0 to below 1; with 0 it is plain SGD. None is 0.9. Leave it out where there
            is an ``optimizer``: say it there.
        weight_decay: pull of the weights towards 0; biases and normalisation are left out.
            None is 0.0005; with an ``optimizer``, its own default. Leave it out where
            ``optimizer`` is built already.
        label_smoothing: fraction of the target spread evenly over all classes.
        aux_weight: weight of each auxiliary classifier's loss.
        augment: called on every batch, on the device, as ``augment(images,
            generator=generator)``, to draw from this generator only; or, where it takes no
            generator, as ``augment(images)``, to draw from the global generators, which
            belong to the run and are stored with it. One that has an argument ``done`` gets
            the share of the run that is over, from 0 to below 1, too. A list is called one
            after the other. The images may change their size. A transform of torchvision's
            draws once for the whole batch: all of its images are mirrored, or none.
        optimizer: None is SGD. Else what builds an optimiser from parameter groups, for
            instance ``torch.optim.AdamW`` or ``functools.partial(torch.optim.AdamW, lr=1e-3,
            betas=(0.9, 0.95))``: it is called with a list of dicts of ``params``, and of
            ``lr`` and ``weight_decay`` where these are given here (``weight_decay`` 0 for
            biases and normalisation in any case). Or an optimiser that holds this model's
            parameters: it is used as it is, and has its own learning rate again afterwards.
        schedule: None is one cycle, with each group's own learning rate as its height. Else
            called as ``schedule(optimizer, total_steps)``; the scheduler that it returns
            takes a step after each step of the training.
        callback: called at every epoch's end as ``callback(model, history)``, with the model
            in evaluation mode; True ends the training there. It may draw random numbers,
            which does not change the run. It is called when the epoch has been stored, and
            not again for epochs that come from the file: the same call on a run that it has
            ended goes on with the next epoch. It must not make parameters trainable: for
            that, end this training and begin another.
        device: as for ``pick_device``.
        seed: decides the shuffles, the dropout and the augmentation. All global random
            generators are seeded with it for the length of the run.
        checkpoint: file to store the run in, and to resume it from; ``~`` is the home folder.
        progress: show the bar and a line for each epoch.
        mixed_precision: None computes convolutions and matrix products of the training
            steps in bfloat16 where ``computes_bfloat16(device)``; True does so on every
            device, which is slow where it is not the device's own; False computes in
            float32 everywhere. Weights, loss and all evaluation are float32 in any case. A
            resumed run may change it, as it may change the device: a line says so.

    Returns:
        The history of all complete epochs.

    Raises:
        ValueError: for a bad argument, a model that does not fit these images, or a
            checkpoint that is damaged, of another run, or in a place where it cannot be
            written.
        NonFiniteLossError: when the loss or its gradient is no longer a finite number.
        RuntimeError: when a GPU's memory does not suffice for a step (an ``OutOfMemoryError``).

    Example:
        >>> images = ImageDataset(torch.randn(8, 1, 28, 28), torch.arange(8))
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
        >>> history = fit(model, images, epochs=2, batch_size=4, device="cpu", progress=False)
        >>> [row["epoch"] for row in history.rows]
        [1, 2]
        >>> history = fit(
        ...     model, images, epochs=2, batch_size=4, device="cpu", progress=False,
        ...     optimizer=torch.optim.AdamW, learning_rate=1e-3,
        ...     callback=lambda model, history: history.rows[-1]["train_loss"] < 100,
        ... )
        >>> len(history.rows)  # the callback has ended it
        1
    """
    require_model("model", model)
    left = optimizer_settings(
        optimizer, learning_rate=learning_rate, momentum=momentum, weight_decay=weight_decay
    )
    settings = Settings(
        epochs, batch_size, **left, label_smoothing=label_smoothing, aux_weight=aux_weight,
        seed=seed,
    )  # fmt: skip
    recipe = Recipe(optimizer, schedule, augment, callback)
    require_bool("progress", progress)
    _require_sets(train, validation, settings.batch_size)
    device = pick_device(device)
    precision = choose_precision(mixed_precision, device)
    with generators_restored(device) as generators, gradients_on():
        generators.seed(settings.seed)
        train, validation = _move(model, train, validation, device)
        ready = build_optimizer(
            optimizer, model, settings.learning_rate, settings.momentum, settings.weight_decay
        )
        with options_restored(ready):
            return _train(
                model, train, validation, settings, recipe, ready, device, precision,
                checkpoint, progress,
            )  # fmt: skip


STAYS = "stays in evaluation"  # among the settings in the file


def _train(
    model: nn.Module,
    train: ImageDataset,
    validation: ImageDataset | None,
    settings: Settings,
    recipe: Recipe,
    optimizer: torch.optim.Optimizer,
    device: torch.device,
    precision: torch.dtype,
    checkpoint: str | Path | None,
    progress: bool,
) -> History:
    """All epochs, from where the file left off or from the first; ``fit`` has checked it all."""
    reached = Progress(settings.epochs, steps_per_epoch=len(train) // settings.batch_size)
    total_steps = settings.epochs * reached.steps_per_epoch
    network = plain_network(model)
    modes = TrainingMode(network)
    # Before the schedule changes the optimiser's options.
    identity = {} if checkpoint is None else _identity(settings, model, recipe, train, validation)
    scheduler = build_schedule(recipe.schedule, optimizer, total_steps)
    augment = recipe.augmentation
    generator = torch.Generator(device).manual_seed(derived_seed("augment", settings.seed))
    watch = ChanceWatch(classes=len(train.labels.unique()))

    file = None
    if checkpoint is not None:
        parts = {
            "model": network, "optimizer": optimizer, "scheduler": scheduler,
            "progress": reached, "watch": watch, "random": RandomGenerators(device, generator),
        }  # fmt: skip
        head = {
            "settings": {**identity, STAYS: modes.stay},
            "device": device.type,
            "precision": str(precision).removeprefix("torch."),
        }
        # A model that fit returned is in evaluation mode as a whole, which says nothing.
        file = Checkpoint(checkpoint, head, parts, unknown=() if network.training else (STAYS,))
        if stored := file.load():
            modes.stay = stored["settings"][STAYS]
            print(_resumed_line(reached, file.path, stored, head))
    try:
        with StopOnInterrupt() as stop:
            ended = False
            while not (reached.finished or stop.requested or ended):
                modes.enter()
                steps = steps_to_come(train, settings, reached, augment, generator, stop, progress)
                with closing(steps), clear_memory_error(device, settings.batch_size):
                    train_epoch(
                        model, steps, optimizer, scheduler, settings, precision, reached, watch
                    )
                epoch_complete = reached.step == reached.steps_per_epoch
                if epoch_complete:
                    reached.finish_epoch(_validate(model, validation, settings.batch_size))
                if file is not None:
                    file.save()
                if epoch_complete and progress:
                    print(epoch_line(reached.rows[-1], settings.epochs))
                if epoch_complete:
                    ended = ask_callback(recipe.callback, model, optimizer, reached.rows, device)
    finally:
        model.eval()
        optimizer.zero_grad()  # the last step's gradients are of no use to anybody
    if stop.requested:
        print(_interrupted_line(reached, file))
    return History(reached.rows, interrupted=stop.requested)


def _move(
    model: nn.Module, train: ImageDataset, validation: ImageDataset | None, device: torch.device
) -> tuple[ImageDataset, ImageDataset | None]:
    """Bring model and sets to the device; the model has to have a logit for every label."""
    require_weights(model)
    model.to(device)
    model.to(memory_format=memory_format(device))
    require_logits("train", model, train)
    if validation is None:
        return train.to(device), None
    require_logits("validation", model, validation)
    return train.to(device), validation.to(device)


def _validate(
    model: nn.Module, validation: ImageDataset | None, batch_size: int
) -> Evaluation | None:
    if validation is None:
        return None
    at_a_time = evaluation_batch(device_of(model), batch_size)
    return evaluate(model, validation, batch_size=at_a_time)


def evaluation_batch(device: torch.device, batch_size: int) -> int:
    """How many images ``fit`` evaluates at a time: on a GPU no more than a step had memory for."""
    return 500 if device.type == "cpu" else min(500, batch_size)


def _identity(
    settings: Settings,
    model: nn.Module,
    recipe: Recipe,
    train: ImageDataset,
    validation: ImageDataset | None,
) -> dict[str, Any]:
    """Everything that must agree for a resumed run to be the same run."""
    return {
        **asdict(settings),
        "model": describe_network(model),
        "augment": describe(recipe.augment),
        "optimizer": describe(recipe.optimizer),
        "schedule": describe(recipe.schedule),
        "train": describe_dataset(train),
        "validation": describe_dataset(validation),
    }


# --- what fit says -----------------------------------------------------------------------


def _interrupted_line(reached: Progress, file: Checkpoint | None) -> str:
    """How far it came before Ctrl-C, and how to go on."""
    line = f"stopped by Ctrl-C: {reached.place}; the model keeps what it has learnt"
    if reached.finished:
        return line
    if file is None:
        return f"{line}. To be able to go on after a stop, give fit a checkpoint=..."
    if not file.up_to_date:
        return f"{line}, but {file.path} could not be stored: see the warning"
    return f"{line}. To go on, call fit again with the same arguments ({file.path})"


def _resumed_line(
    reached: Progress, path: Path, stored: dict[str, Any], now: dict[str, Any]
) -> str:
    """Where it goes on, and what will not be as in a run that was never stopped."""
    if reached.finished:
        return f"{path}: {reached.place}; weights and history are loaded, nothing is left to train"
    line = f"resumed from {path}: {reached.place}"
    if stored["device"] != now["device"]:
        line += (
            f". It was stored on {stored['device']} and goes on on {now['device']}, so dropout "
            "and augmentation will not be those of a run that was never stopped"
        )
    if stored["precision"] != now["precision"]:
        line += (
            f". Its steps were computed in {stored['precision']} and go on in "
            f"{now['precision']}, so its weights will not be exactly those of a run that was "
            "never stopped"
        )
    return line


# --- checks of the arguments -------------------------------------------------------------


def _require_sets(train: ImageDataset, validation: ImageDataset | None, batch_size: int) -> None:
    require_normalised("train", train)
    _warn_of_large_values("train", train)
    if len(train) < batch_size:
        raise ValueError(
            f"train must hold at least one batch of {batch_size} images, but it holds "
            f"{len(train)}; use a batch_size of at most {len(train)}"
        )
    if validation is None:
        return
    require_normalised("validation", validation)
    _warn_of_large_values("validation", validation)
    names, others = train.class_names, validation.class_names
    if names is not None and others is not None and names != others:
        raise ValueError(
            f"validation must have train's class names, {shown(names)}, because a label is a place "
            f"among them, but it has {shown(others)}; ImageDataset.from_dataset(..., "
            "class_names=train.class_names) numbers its labels by these names"
        )


LARGE_VALUE = 50  # normalised images are within a few standard deviations of 0


def _warn_of_large_values(name: str, image_set: ImageDataset) -> None:
    lowest, highest = (each.item() for each in image_set.images.aminmax())
    if max(-lowest, highest) > LARGE_VALUE:
        warnings.warn(
            f"the images of {name} do not look normalised, because they are from {lowest:g} to "
            f"{highest:g}; if they are bytes as floats, build the ImageDataset of "
            "images.to(torch.uint8) and call normalised(mean, std)",
            RuntimeWarning,
            stacklevel=4,  # the line that called fit
        )
