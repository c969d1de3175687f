"""What watches over a training run and says what is wrong.

Three troubles: a loss that is no longer finite, a GPU whose memory runs out, and a network
that does not begin to learn. ``fit`` in the room ``training`` calls these functions.
"""

import math
import warnings
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

if TYPE_CHECKING:  # training imports this room, so this room cannot import training
    from gnet_lib.training import Run

WATCH_FROM, WATCH_TO = 81, 100  # the steps that show whether a network begins to learn


# --- a loss that is not finite -----------------------------------------------------------


class NonFiniteLossError(RuntimeError):
    """The loss or its gradient became infinite or not a number, so training stopped.

    The weights are those of the last good step.

    Example:
        >>> issubclass(NonFiniteLossError, RuntimeError)
        True
    """


def stop_unless_finite(run: "Run", loss: Tensor) -> None:
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


# --- a GPU whose memory runs out ---------------------------------------------------------


def ran_out_of_memory(error: RuntimeError, device: torch.device) -> bool:
    """Whether an error means that a GPU's memory is full; a CPU's never counts."""
    if isinstance(error, torch.OutOfMemoryError):  # CUDA's
        return True
    # MPS has no class for it, and CUDA's libraries report it in their own words.
    words = ("out of memory", "ALLOC_FAILED")
    return device.type != "cpu" and any(each in str(error) for each in words)


def free_memory(device: torch.device) -> None:
    """Give back what PyTorch keeps for later, so that smaller pieces find room."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


def divide_further(run: "Run") -> None:
    """Have a batch computed in twice as many parts, unless they would become too small."""
    batch_size = run.settings.batch_size
    before, parts = math.ceil(batch_size / run.parts), 2 * run.parts
    if batch_size // parts < 2:  # batch normalisation needs two images
        raise RuntimeError(
            f"the GPU ran out of memory even with {before} images at a time. Use a smaller "
            "network or smaller images, end other programs that use this GPU (nvidia-smi "
            "lists them; another notebook's kernel may be one), or train with device='cpu'"
        )
    free_memory(run.device)
    run.parts = parts
    _print_above_bar(
        f"the GPU ran out of memory with {before} images at a time; each step of "
        f"{batch_size} is now computed in {parts} parts of {_part_sizes(batch_size, parts)}. "
        "Batch and learning rate stay the same; batch normalisation sees one part at a time"
    )


def _part_sizes(batch_size: int, parts: int) -> str:
    smallest, left_over = divmod(batch_size, parts)
    return f"{smallest} or {smallest + 1}" if left_over else f"{smallest}"


def halve_evaluation_batch(batch_size: int, device: torch.device) -> int:
    """Half of an evaluation's batch, said in a line."""
    if batch_size == 1:
        raise RuntimeError(
            "the GPU ran out of memory with a single image. End other programs that use "
            "this GPU (nvidia-smi lists them), or evaluate with device='cpu'"
        )
    free_memory(device)
    _print_above_bar(
        f"the GPU ran out of memory with {batch_size} images at a time; the evaluation goes "
        f"on with {batch_size // 2}, which does not change its result"
    )
    return batch_size // 2


def _print_above_bar(line: str) -> None:
    from tqdm import tqdm

    tqdm.write(line)


# --- a network that does not begin to learn ----------------------------------------------


def watch_for_chance(run: "Run", logits: Tensor, labels: Tensor) -> None:
    """Note how steps 81 to 100 of a run do; warn if that is no better than guessing.

    Only the main logits count, with the plain cross-entropy: the joint loss of a network
    with auxiliary classifiers or of smoothed labels has another chance level.
    """
    step = (run.epoch - 1) * run.steps_per_epoch + run.step + 1
    if WATCH_FROM <= step <= WATCH_TO:
        losses = F.cross_entropy(logits, labels, reduction="none")
        correct = logits.argmax(dim=1) == labels
        run.watched += torch.stack([losses, correct.float()], dim=1).tolist()
    if step == WATCH_TO:
        losses, correct = torch.tensor(run.watched).unbind(dim=1)
        run.watched = []
        classes = len(run.train.labels.unique())
        if at_chance_level(losses, correct, classes):
            line = _chance_line(losses.mean().item(), correct.mean().item(), classes)
            warnings.warn(line, RuntimeWarning, stacklevel=5)  # 5: the line that called fit


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

    Example:
        >>> losses = torch.full((2560,), math.log(10))
        >>> at_chance_level(losses, correct=torch.zeros(2560), classes=10)
        True
        >>> at_chance_level(losses - 0.1, correct=torch.zeros(2560), classes=10)
        False
    """
    if classes < 2:
        return False
    loss_error = losses.std().item() / math.sqrt(len(losses))
    learnt_loss = losses.mean().item() < math.log(classes) - 3 * loss_error
    guessing = 1 / classes
    accuracy_error = math.sqrt(guessing * (1 - guessing) / classes)
    learnt_accuracy = correct.mean().item() > guessing + 3 * accuracy_error
    return not (learnt_loss or learnt_accuracy)


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
