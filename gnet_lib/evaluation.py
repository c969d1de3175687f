"""How good a model's answers are: the joint loss, and ``evaluate``.

Both read what a classifier returns: logits (N, num_classes), or a tuple of such logits whose
first entry is the network's own and whose others come from auxiliary classifiers.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gnet_lib._check import require_instance, require_model, require_number, require_whole_number
from gnet_lib._modes import evaluation_mode
from gnet_lib.data import ImageDataset, batches
from gnet_lib.device import device_of, memory_format, pick_device
from gnet_lib.history import Evaluation
from gnet_lib.safeguards import clear_memory_error

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
        label_smoothing: fraction of the target spread evenly over all classes, 0 to 1.

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
    require_number("aux_weight", aux_weight, at_least=0)
    require_number("label_smoothing", label_smoothing, at_least=0, at_most=1)
    logits, *auxiliary = outputs if isinstance(outputs, tuple) else (outputs,)
    loss = F.cross_entropy(logits, labels, label_smoothing=label_smoothing)
    for aux_logits in auxiliary:
        aux_loss = F.cross_entropy(aux_logits, labels, label_smoothing=label_smoothing)
        loss = loss + aux_weight * aux_loss
    return loss


def evaluate(
    model: nn.Module,
    image_set: ImageDataset,
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

    Returns:
        Loss, accuracy and number of images.

    Raises:
        ValueError: for no model, images that are not normalised, a set without images, labels that
            the model has no logit for, or a ``batch_size`` below 1.
        RuntimeError: when a GPU's memory does not suffice for a batch (an ``OutOfMemoryError``).

    Example:
        >>> images = ImageDataset(torch.zeros(3, 1, 28, 28), torch.tensor([0, 0, 1]))
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
        >>> _ = nn.init.zeros_(model[1].weight), nn.init.zeros_(model[1].bias)
        >>> result = evaluate(model, images)  # equal logits: class 0 is the first
        >>> print(f"{result.loss:.4f} {result.accuracy:.3f} {result.count}")
        2.3026 0.667 3
    """
    require_model("model", model)
    batch_size = require_whole_number("batch_size", batch_size)
    require_normalised("image_set", image_set)
    if device is not None:
        model.to(pick_device(device))
    device = device_of(model)
    require_logits("image_set", model, image_set)
    with clear_memory_error(device, batch_size):
        return _evaluate_in_batches(model, image_set, batch_size, device)


def _evaluate_in_batches(
    model: nn.Module, image_set: ImageDataset, batch_size: int, device: torch.device
) -> Evaluation:
    loss_sum, correct = 0.0, 0
    with evaluation_mode(model), torch.no_grad():
        for images, labels in batches(image_set, batch_size):
            images, labels = on_device(images, device), labels.to(device)
            logits = main_logits(model(images))  # (N, num_classes)
            loss_sum += F.cross_entropy(logits, labels, reduction="sum").item()
            correct += count_correct(logits, labels)
    return Evaluation(loss_sum / len(image_set), correct / len(image_set), len(image_set))


def count_correct(logits: Tensor, labels: Tensor) -> int:
    """How many images have their highest logit at their label."""
    return int((logits.argmax(dim=1) == labels).sum().item())


def on_device(images: Tensor, device: torch.device) -> Tensor:
    """Images on a device, in the order of memory that is fastest there."""
    return images.to(device, memory_format=memory_format(device))


# --- checks of model and images ---------------------------------------------------------


def require_normalised(name: str, image_set: ImageDataset) -> None:
    """A set that can be shown to a model: its images are no longer bytes."""
    wanted = "an ImageDataset, as ImageDataset(images, labels) builds it"
    require_instance(name, image_set, ImageDataset, wanted)
    if not image_set.images.is_floating_point():
        raise ValueError(
            f"{name} must hold normalised float images, but they are {image_set.images.dtype}; "
            f"call {name}.normalised(mean, std) first, with the training set's mean and std"
        )


def require_logits(name: str, model: nn.Module, image_set: ImageDataset) -> None:
    """Ask the model about one image: it needs a logit for every label that there is."""
    with evaluation_mode(model), torch.no_grad():
        logits = main_logits(model(image_set.images[:1].to(device_of(model))))
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
