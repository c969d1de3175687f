"""What watches over a training run and says what is wrong.

Three troubles: a loss that is no longer finite, a GPU whose memory runs out, and a network
that does not begin to learn. A step that fails leaves the model as it was before it. ``fit``
in the room ``training`` calls these.
"""

import math
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gnet_lib._check import first_line, require_whole_number, shown
from gnet_lib.history import Progress

WATCH_FROM, WATCH_TO = 81, 100  # the steps that show whether a network begins to learn


# --- a step that fails ---------------------------------------------------------------------


@contextmanager
def undone_if_it_fails(model: nn.Module) -> Iterator[None]:
    """Around a step: when it ends with an error, weights and running averages are as before.

    The pass forwards changes the running averages, the optimiser the weights, and an error
    or a second Ctrl-C can come in the middle of either.
    """
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    try:
        yield
    except BaseException:  # Ctrl-C, too
        model.load_state_dict(before)
        raise


# --- a loss that is not finite -----------------------------------------------------------


class NonFiniteLossError(RuntimeError):
    """The loss or its gradient became infinite or not a number, so training stopped.

    The weights and the running averages are those of the last good step.

    Example:
        >>> issubclass(NonFiniteLossError, RuntimeError)
        True
    """


def require_finite(loss: Tensor, optimizer: torch.optim.Optimizer, progress: Progress) -> None:
    """Raise unless loss and gradient are finite: before a step, while the weights are good."""
    trained = [each for group in optimizer.param_groups for each in group["params"]]
    gradients = [each.grad for each in trained if each.grad is not None]
    if not math.isfinite(loss.item()):
        what = "loss"
    elif not torch.nn.utils.get_total_norm(gradients).isfinite():
        what = "gradient"
    else:
        return
    # One cycle notes in each group what it climbs to; another schedule has only its rate now.
    group = optimizer.param_groups[0]
    learning_rate = float(group.get("max_lr", group["lr"]))
    raise NonFiniteLossError(
        f"the {what} is not finite (loss {loss.item()}) in epoch {progress.epoch}, step "
        f"{progress.step + 1}. Usual causes: a learning rate that is too high (it "
        f"{'climbs to' if 'max_lr' in group else 'is'} {learning_rate:.3g}; try "
        f"learning_rate={learning_rate / 10:.3g}), images that are not "
        "normalised or hold NaN (look at their mean and standard deviation; an augment function "
        "can bring them in), a network without normalisation that starts badly. The weights and "
        "running averages are those from before this step."
    )


# --- a GPU whose memory runs out ---------------------------------------------------------


@contextmanager
def clear_memory_error(device: torch.device, batch_size: int) -> Iterator[None]:
    """Have a GPU's full memory said with the batch size, and with what to do about it."""
    try:
        yield
    except RuntimeError as error:
        if not ran_out_of_memory(error, device):
            raise
        # A notebook keeps its last error, and with it the failed step's tensors. They are let
        # go here, so that the next try finds the memory free.
        traceback.clear_frames(error.__traceback__)
        raise torch.OutOfMemoryError(
            f"the GPU ran out of memory with a batch_size of {batch_size} ({first_line(error)}). "
            "Use a smaller batch_size, a smaller network or smaller images, end other programs "
            "that use this GPU (nvidia-smi lists them; another notebook's kernel may be one), "
            "or compute with device='cpu'"
        ) from error


def ran_out_of_memory(error: RuntimeError, device: torch.device) -> bool:
    """Whether an error means that a GPU's memory is full; a CPU's never counts."""
    if isinstance(error, torch.OutOfMemoryError):  # CUDA's
        return True
    # MPS has no class for it, and CUDA's libraries report it in their own words.
    words = ("out of memory", "ALLOC_FAILED")
    return device.type != "cpu" and any(each in str(error) for each in words)


# --- a network that does not begin to learn ----------------------------------------------


class ChanceWatch:
    """Notes how steps 81 to 100 of a run do; warns if that is no better than guessing.

    Only the main logits count, with the plain cross-entropy: the joint loss of a network
    with auxiliary classifiers or of smoothed labels has another chance level.

    Args:
        classes: how many classes the training set has.
    """

    def __init__(self, classes: int) -> None:
        self.classes = classes
        self.step = 0  # steps seen
        self.noted: list[list[float]] = []  # loss, and 1 if correct, of each image

    def look(self, logits: Tensor, labels: Tensor) -> None:
        """See the next step's answers."""
        self.step += 1
        if WATCH_FROM <= self.step <= WATCH_TO:
            losses = F.cross_entropy(logits, labels, reduction="none")
            correct = logits.argmax(dim=1) == labels
            self.noted += torch.stack([losses, correct.float()], dim=1).tolist()
        if self.step == WATCH_TO:
            losses, correct = torch.tensor(self.noted).unbind(dim=1)
            self.noted = []
            if at_chance_level(losses, correct, self.classes):
                line = _chance_line(losses.mean().item(), correct.mean().item(), self.classes)
                warnings.warn(line, RuntimeWarning, stacklevel=5)  # 5: the line that called fit

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint stores."""
        return {"step": self.step, "noted": self.noted}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where another watch was."""
        self.step, self.noted = state["step"], state["noted"]


def at_chance_level(losses: Tensor, correct: Tensor, classes: int) -> bool:
    """Whether a network's answers are no better than guesses, as far as luck allows to say.

    They are better where the mean loss lies clearly below that of equal probabilities,
    ``ln(classes)``, or the accuracy clearly above ``1 / classes``. Clearly means by three
    standard errors. For the loss that is the spread of the images' losses over the root of
    their number. For the accuracy it is that of guessing class by class: a network that
    has learnt nothing still gives all images of a class much the same answer, so that its
    luck counts classes and not images. (Untrained networks reach 17 % on ten classes.)

    Args:
        losses: cross-entropy of each image (N,).
        correct: 1 for each image classified correctly, else 0 (N,).
        classes: how many classes there are, of about the same size.

    Returns:
        True where the answers could be guesses; False for fewer than two classes.

    Raises:
        ValueError: for anything but two tensors of as many numbers, or no class.

    Example:
        >>> losses = torch.full((2560,), math.log(10))
        >>> at_chance_level(losses, correct=torch.zeros(2560), classes=10)
        True
        >>> at_chance_level(losses - 0.1, correct=torch.zeros(2560), classes=10)
        False
    """
    classes = require_whole_number("classes", classes)
    for name, numbers in {"losses": losses, "correct": correct}.items():
        _require_numbers(name, numbers, of=losses)
    if classes < 2:
        return False
    loss_error = losses.std().item() / math.sqrt(len(losses))
    learnt_loss = losses.mean().item() < math.log(classes) - 3 * loss_error
    guessing = 1 / classes
    accuracy_error = math.sqrt(guessing * (1 - guessing) / classes)
    learnt_accuracy = correct.float().mean().item() > guessing + 3 * accuracy_error
    return not (learnt_loss or learnt_accuracy)


def _require_numbers(name: str, numbers: Tensor, of: Tensor) -> None:
    wanted = f"{name} must be a tensor (N,) of real numbers, one an image"
    if not isinstance(numbers, Tensor):
        raise ValueError(f"{wanted}, but it is {shown(numbers)}")
    real = name == "correct" or numbers.is_floating_point()
    fits = numbers.dim() == 1 and 0 < len(numbers) == len(of) and not numbers.is_meta
    if not (real and fits) or numbers.is_complex():
        kind = f"{tuple(numbers.shape)} of {numbers.dtype} on {numbers.device}"
        raise ValueError(f"{wanted}, but it is {kind}")


def _chance_line(loss: float, accuracy: float, classes: int) -> str:
    return (
        f"the network is still at chance level: in steps {WATCH_FROM} to {WATCH_TO} its loss "
        f"was {loss:.3f} (guessing among {classes} classes: {math.log(classes):.3f}) and its "
        f"accuracy {100 * accuracy:.1f} % (guessing: {100 / classes:.1f} %). The training "
        "goes on. Usual causes: a learning rate that is too high or too low; labels that do "
        "not belong to their images, because only one of the two was shuffled; images that "
        "are not normalised; logits that went through softmax before the loss; a deep "
        "network without normalisation whose first weights let the signal fade out (give it "
        "batch normalisation or He initialisation; see chapter 6)"
    )
