"""What ``fit`` trains with: the optimiser, its schedule, the augmentation, the callback.

Each comes from the caller, or is the book's own where the caller gives None. What a caller
gives is tried and refused here, before any work; nothing of it is silently left out.
"""

import copy
import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

import numpy
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from gnet_lib._check import shown, stopped_with
from gnet_lib.device import generators_restored
from gnet_lib.history import History
from gnet_lib.optimizers import one_cycle

T = TypeVar("T")
ParameterGroups: TypeAlias = list[dict[str, Any]]
OptimizerChoice: TypeAlias = Optimizer | Callable[[ParameterGroups], Optimizer] | None
ScheduleChoice: TypeAlias = Callable[[Optimizer, int], LRScheduler] | None
Augment: TypeAlias = Callable[..., Tensor]  # augment(images, generator=...), or augment(images)
Callback: TypeAlias = Callable[[nn.Module, History], bool | None]


@dataclass(frozen=True)
class Recipe:
    """What the caller of ``fit`` chose; None is the book's own."""

    optimizer: OptimizerChoice
    schedule: ScheduleChoice
    augment: Augment | Sequence[Augment] | None
    callback: Callback | None
    augmentation: "Augmentation | None" = field(init=False, default=None)  # calls ``augment``

    def __post_init__(self) -> None:
        if self.augment is not None:
            augmentation = Augmentation(self.augment)
            object.__setattr__(self, "augmentation", augmentation)  # frozen
        if self.callback is not None:
            _require_callback(self.callback)


# --- the optimiser -----------------------------------------------------------------------

SGD_SETTINGS = {"learning_rate": 0.1, "momentum": 0.9, "weight_decay": 5e-4}


def optimizer_settings(choice: OptimizerChoice, **given: float | None) -> dict[str, float | None]:
    """Learning rate, momentum and weight decay, where the optimiser leaves them to ``fit``."""
    if choice is None:
        return {name: SGD_SETTINGS[name] if it is None else it for name, it in given.items()}
    own = list(given) if isinstance(choice, Optimizer) else ["momentum"]
    for name in own:
        if given[name] is not None:
            raise ValueError(
                f"{name} must be left out where optimizer brings its own, but it is "
                f"{shown(given[name])}; say it where the optimizer is built"
            )
    return given


def build_optimizer(
    choice: OptimizerChoice,
    model: nn.Module,
    learning_rate: float | None,
    momentum: float | None,
    weight_decay: float | None,
) -> Optimizer:
    """The optimiser of a run: the book's SGD, the caller's own, or what the caller builds."""
    groups = parameter_groups(model, learning_rate, weight_decay)
    if choice is None:
        momentum = momentum or 0.0
        return torch.optim.SGD(groups, momentum=momentum, nesterov=momentum > 0)
    if isinstance(choice, Optimizer):
        optimizer = choice
    else:
        optimizer = _built(choice, (groups,), Optimizer, WANTED_OPTIMIZER)
    _require_no_closure(optimizer)
    _require_no_schedule(optimizer)
    _require_parameters_of(model, optimizer)
    if weight_decay is not None and "weight_decay" not in optimizer.defaults:
        raise ValueError(
            f"weight_decay must be left out, because {type(optimizer).__name__} knows none, but "
            f"it is {weight_decay}"
        )
    # What it remembers of earlier runs follows the weights to their device.
    optimizer.load_state_dict(optimizer.state_dict())
    return optimizer


def parameter_groups(
    model: nn.Module, learning_rate: float | None, weight_decay: float | None
) -> ParameterGroups:
    """The trainable parameters in two groups: with weight decay and without.

    Decay keeps a layer from relying on large weights. A bias or a normalisation's scale
    and shift has one number a channel: too few to overfit with, and pulling a scale
    towards 0 would switch its channel off. These are the parameters of one dimension.

    What is None stands in no group, so that the optimiser's own default holds.
    """
    trainable = [each for each in model.parameters() if each.requires_grad]
    if not trainable:
        raise ValueError(
            "model must have parameters to train, but none of its parameters has requires_grad=True"
        )
    decayed = [each for each in trainable if each.dim() > 1]
    spared = [each for each in trainable if each.dim() <= 1]
    rate = {} if learning_rate is None else {"lr": learning_rate}
    decay = {} if weight_decay is None else {"weight_decay": weight_decay}
    groups = [
        {"params": decayed, **rate, **decay},
        {"params": spared, **rate, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


WANTED_OPTIMIZER = (
    "optimizer must be None, an optimizer of the model's parameters, or what builds one from "
    "parameter groups, for instance torch.optim.AdamW"
)


def _built(choice: Any, given: tuple[Any, ...], kind: type[T], wanted: str) -> T:
    """What a function or class of the caller's builds, or an error that says what is wanted."""
    if not callable(choice):
        raise ValueError(f"{wanted}, but it is {shown(choice)}")
    try:
        built = choice(*given)
    except Exception as error:  # a function of the caller's may fail in any way
        raise ValueError(f"{wanted}, but it stops with {stopped_with(error)}") from error
    if not isinstance(built, kind):
        raise ValueError(f"{wanted}, but it returned {shown(built)}")
    return built


def _require_no_closure(optimizer: Optimizer) -> None:
    closure = inspect.signature(type(optimizer).step).parameters.get("closure")
    if closure is not None and closure.default is inspect.Parameter.empty:
        raise ValueError(
            "optimizer must take a step from the gradient of one batch, but "
            f"{type(optimizer).__name__}.step() asks for a closure, to compute the loss several "
            "times; use another one, for instance torch.optim.AdamW"
        )


def _require_no_schedule(optimizer: Optimizer) -> None:
    if any("initial_lr" in group for group in optimizer.param_groups):
        raise ValueError(
            "optimizer must have no scheduler yet, because fit would never call it; build the "
            "scheduler in schedule=lambda optimizer, total_steps: ..."
        )


def _require_parameters_of(model: nn.Module, optimizer: Optimizer) -> None:
    held = _held(optimizer)
    foreign = len(held - {id(each) for each in model.parameters()})
    left_out = _left_out(model, optimizer)
    if foreign:
        raise ValueError(
            f"optimizer must hold parameters of this model only, but {foreign} of its {len(held)} "
            "are others; build it from model.parameters(), after the model's last change"
        )
    if left_out:
        raise ValueError(
            "optimizer must hold every parameter that is to be trained, but it leaves out "
            f"{len(left_out)}, for instance {left_out[0]}; those that are to stay as they are "
            "need requires_grad_(False)"
        )


def _held(optimizer: Optimizer) -> set[int]:
    """The parameters of an optimiser, by identity: tensors have no single yes-or-no "=="."""
    return {id(each) for group in optimizer.param_groups for each in group["params"]}


def _left_out(model: nn.Module, optimizer: Optimizer) -> list[str]:
    """The names of those trainable parameters that an optimiser would not change."""
    held = _held(optimizer)
    named = model.named_parameters()
    return [name for name, each in named if each.requires_grad and id(each) not in held]


@contextmanager
def options_restored(optimizer: Optimizer) -> Iterator[None]:
    """Afterwards an optimiser has the learning rate and all other options that it came with.

    A schedule changes them, and a caller's own optimiser would begin its next run with the
    last learning rate of this one.
    """
    options = [
        copy.deepcopy({name: value for name, value in group.items() if name != "params"})
        for group in optimizer.param_groups
    ]
    try:
        yield
    finally:
        for group, before in zip(optimizer.param_groups, options, strict=True):
            parameters = group["params"]
            group.clear()
            group.update(params=parameters, **before)


# --- its schedule --------------------------------------------------------------------------


def build_schedule(choice: ScheduleChoice, optimizer: Optimizer, total_steps: int) -> LRScheduler:
    """What changes the learning rate after every step: one cycle, or what the caller builds."""
    if choice is None:
        return one_cycle(optimizer, total_steps)
    wanted = (
        "schedule must be None, or what builds a scheduler from an optimizer and the number of "
        "all steps, for instance torch.optim.lr_scheduler.CosineAnnealingLR"
    )
    scheduler = _built(choice, (optimizer, total_steps), LRScheduler, wanted)
    if isinstance(scheduler, ReduceLROnPlateau):
        raise ValueError(f"{wanted}, but ReduceLROnPlateau waits for a measure at every step")
    if scheduler.optimizer is not optimizer:
        raise ValueError(f"{wanted}, but it returned one of another optimizer")
    its_steps = getattr(scheduler, "total_steps", total_steps)  # OneCycleLR ends with an error
    if isinstance(its_steps, int) and its_steps < total_steps:
        raise ValueError(
            f"schedule must last for all {total_steps} steps, but it ends after {its_steps}; "
            "build it with the total_steps that it is given"
        )
    return scheduler


def next_learning_rate(scheduler: LRScheduler, total_steps: int) -> None:
    """A step of the schedule; one of the caller's may end too early, or fail in any way."""
    try:
        scheduler.step()
    except Exception as error:
        raise ValueError(
            f"schedule must last for all {total_steps} steps, but it stops with "
            f"{stopped_with(error)}; build it with the total_steps that it is given"
        ) from error


# --- the augmentation ----------------------------------------------------------------------


class Augmentation:
    """What a caller does to each batch: one function, or several in turn.

    Args:
        augment: takes images and a generator, as the book's do, or images alone, as
            torchvision's transforms do; those draw from the global generators. One with an
            argument ``done`` gets the share of the run that is over. Or a list of such.
    """

    def __init__(self, augment: Augment | Sequence[Augment]) -> None:
        several = isinstance(augment, (list, tuple))
        listed: list[Any] = list(augment) if several else [augment]
        self.steps = [
            (each, _keywords_of(each), f"augment[{place}]" if several else "augment")
            for place, each in enumerate(listed)
        ]

    def __call__(self, images: Tensor, generator: torch.Generator, done: float) -> Tensor:
        """The images of a batch, changed: as many, of the same type, in the same place."""
        given = {"generator": generator, "done": done}
        for augment, keywords, name in self.steps:
            images = _changed(augment, images, {each: given[each] for each in keywords}, name)
        return images


def _changed(augment: Augment, images: Tensor, given: dict[str, Any], name: str) -> Tensor:
    wanted = f"{name} must return a tensor of {len(images)} images of {images.dtype}"
    try:
        changed = augment(images, **given)
    except Exception as error:  # a function of the caller's may fail in any way
        # A file that fails or a full memory is no mistake in the function.
        is_full = any(words in str(error) for words in ("memory", "ALLOC_FAILED"))
        if is_full or isinstance(error, (OSError, EOFError)):
            raise
        raise ValueError(
            f"{wanted} from a tensor {tuple(images.shape)}, but it stops with {stopped_with(error)}"
        ) from error
    if not isinstance(changed, Tensor):
        raise ValueError(f"{wanted}, but it returned {shown(changed)}")
    if changed.dim() != 4 or len(changed) != len(images) or changed.dtype != images.dtype:
        raise ValueError(f"{wanted}, but it returned {tuple(changed.shape)} of {changed.dtype}")
    if changed.device != images.device:
        raise ValueError(f"{wanted} on {images.device}, but they are on {changed.device}")
    return changed


def _keywords_of(augment: Any) -> list[str]:
    """Which of ``generator`` and ``done`` a function or module is given, as it takes them."""
    is_class = isinstance(augment, type)  # it can be called, too, and gives no images
    if callable(augment) and not is_class:
        signature = _signature(augment)
        if signature is None:
            return []
        done = ["done"] if "done" in signature.parameters else []
        for keywords in (["generator", *done], done):
            if _takes(signature, 1, *keywords):
                return keywords
    built = f"; build one: {augment.__name__}()" if is_class else ""
    raise ValueError(
        "augment must be None, or be called as augment(images, generator=generator) or "
        f"augment(images), or be a list of such, but it is {shown(augment)}{built}"
    )


def _signature(function: Any) -> inspect.Signature | None:
    # A module passes on whatever it is given; what it takes, its forward says.
    target = function.forward if isinstance(function, nn.Module) else function
    try:
        return inspect.signature(target)
    except (TypeError, ValueError):  # a function in C says nothing about itself
        return None


def _takes(signature: inspect.Signature, count: int, *names: str) -> bool:
    """Whether a function can be called with so many values, and with these names besides."""
    try:
        signature.bind(*[None] * count, **dict.fromkeys(names))
    except TypeError:
        return False
    return True


# --- the callback --------------------------------------------------------------------------


def ask_callback(
    callback: Callback | None,
    model: nn.Module,
    optimizer: Optimizer,
    rows: list[dict[str, Any]],
    device: torch.device,
) -> bool:
    """Show an epoch's end to the caller; whether the training is to end there."""
    if callback is None:
        return False
    model.eval()
    with generators_restored(device):
        answer = callback(model, History([dict(row) for row in rows]))
    if answer is not None and not isinstance(answer, (bool, numpy.bool_)):
        raise ValueError(
            "callback must return True to end the training, or False or None to go on, but it "
            f"returned {shown(answer)}"
        )
    if not answer:
        _require_still_held(model, optimizer)
    return bool(answer)


def _require_still_held(model: nn.Module, optimizer: Optimizer) -> None:
    """The training goes on, so the optimiser must know whatever the callback has unfrozen."""
    left_out = _left_out(model, optimizer)
    if left_out:
        raise ValueError(
            "callback must not make parameters trainable, because the optimizer of this run does "
            f"not hold them, but there are {len(left_out)} such, for instance {left_out[0]}; end "
            "the training there (return True) and call fit again"
        )


def _require_callback(callback: Any) -> None:
    wanted = "callback must be None, or be called as callback(model, history)"
    if not callable(callback):
        raise ValueError(f"{wanted}, but it is {shown(callback)}")
    signature = _signature(callback)
    if signature is not None and not _takes(signature, 2):
        raise ValueError(f"{wanted}, but it takes {signature}")
