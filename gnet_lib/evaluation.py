"""How good a model's answers are: the joint loss, ``evaluate``, and the answers one by one.

All of them read what a classifier returns: logits (N, num_classes), or a tuple of such logits
whose first entry is the network's own and whose others come from auxiliary classifiers.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.parameter import is_lazy

from gnet_lib._check import (
    require_instance,
    require_items,
    require_model,
    require_number,
    require_whole_number,
    shown,
    stopped_with,
)
from gnet_lib._modes import evaluation_mode
from gnet_lib.data import AN_IMAGE_DATASET, ImageDataset, advice_for_labels, batches
from gnet_lib.device import device_of, memory_format, pick_device
from gnet_lib.history import Evaluation
from gnet_lib.safeguards import clear_memory_error, ran_out_of_memory

if TYPE_CHECKING:
    import pandas

LARGEST_CLASS = 9_999  # a table of all pairs grows with the square

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
        ValueError: for outputs that are no logits, labels that do not belong to them, or an
            ``aux_weight`` or ``label_smoothing`` out of range.

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
    _require_labels_of(outputs, labels)
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
        ValueError: for no model or one that these images do not fit, images that are not
            normalised, labels that the model has no logit for, or a ``batch_size`` below 1.
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
    device = _bring(model, device)
    require_logits("image_set", model, image_set)
    with clear_memory_error(device, batch_size):
        return _evaluate_in_batches(model, image_set, batch_size, device)


def _evaluate_in_batches(
    model: nn.Module, image_set: ImageDataset, batch_size: int, device: torch.device
) -> Evaluation:
    loss_sum, correct = 0.0, 0
    with evaluation_mode(model), torch.no_grad():
        for images, labels in batches(image_set, min(batch_size, len(image_set))):
            images, labels = on_device(images, device), labels.to(device)
            logits = main_logits(model(images))  # (N, num_classes)
            loss_sum += F.cross_entropy(logits, labels, reduction="sum").item()
            correct += count_correct(logits, labels)
    return Evaluation(loss_sum / len(image_set), correct / len(image_set), len(image_set))


def count_correct(logits: Tensor, labels: Tensor) -> int:
    """How many images have their highest logit at their label; with a NaN there is no highest."""
    right = (logits.argmax(dim=1) == labels) & ~logits.isnan().any(dim=1)
    return int(right.sum().item())


def on_device(images: Tensor, device: torch.device) -> Tensor:
    """Images on a device, in the order of memory that is fastest there."""
    return images.to(device, memory_format=memory_format(device))


def _bring(model: nn.Module, device: str | torch.device | None) -> torch.device:
    """Move a model to the device that somebody asked for; where it is now."""
    if device is not None:
        require_weights(model)
        model.to(pick_device(device))
    return device_of(model)


# --- the answers, image by image -----------------------------------------------------------


def predict(
    model: nn.Module,
    images: ImageDataset | Tensor,
    *,
    batch_size: int = 500,
    device: str | torch.device | None = None,
) -> Tensor:
    """The class that a model takes each image for: the one of the highest logit.

    As in ``evaluate``, the model answers in evaluation mode, and each of its layers is
    afterwards back in the mode that it came in.

    Args:
        model: a classifier whose output is logits (N, num_classes).
        images: normalised images: an ``ImageDataset``, or a tensor (N, C, H, W).
        batch_size: images at a time; changes the memory needed, not the result.
        device: where to compute; the model moves there. None: where the model is.

    Returns:
        Class numbers (N,), int64, on the CPU, in the order of the images.

    Raises:
        ValueError: for no model or one that these images do not fit, images that are not
            normalised, logits that are not a number, or a ``batch_size`` below 1.
        RuntimeError: when a GPU's memory does not suffice for a batch (an ``OutOfMemoryError``).

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(784, 3))
        >>> _ = nn.init.zeros_(model[1].weight), model[1].bias.data.copy_(torch.arange(3))
        >>> predict(model, torch.zeros(4, 1, 28, 28))  # the last class has the highest logit
        tensor([2, 2, 2, 2])
    """
    return _logits_of_all(model, images, batch_size, device).argmax(dim=1)


def class_probabilities(
    model: nn.Module,
    images: ImageDataset | Tensor,
    *,
    batch_size: int = 500,
    device: str | torch.device | None = None,
) -> Tensor:
    """How probable a model holds each class for each image: softmax of its logits.

    Args:
        model: a classifier whose output is logits (N, num_classes), as they come out of its
            last linear layer, without a softmax of its own.
        images: normalised images: an ``ImageDataset``, or a tensor (N, C, H, W).
        batch_size: images at a time; changes the memory needed, not the result.
        device: where to compute; the model moves there. None: where the model is.

    Returns:
        Probabilities (N, num_classes), float32, on the CPU; each row adds up to 1.

    Raises:
        ValueError: for no model or one that these images do not fit, images that are not
            normalised, logits that are not a number, or a ``batch_size`` below 1.
        RuntimeError: when a GPU's memory does not suffice for a batch (an ``OutOfMemoryError``).

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(784, 2))
        >>> _ = nn.init.zeros_(model[1].weight), nn.init.zeros_(model[1].bias)
        >>> class_probabilities(model, torch.zeros(3, 1, 28, 28))
        tensor([[0.5000, 0.5000],
                [0.5000, 0.5000],
                [0.5000, 0.5000]])
    """
    return _logits_of_all(model, images, batch_size, device).softmax(dim=1)


def _logits_of_all(
    model: nn.Module,
    images: ImageDataset | Tensor,
    batch_size: int,
    device: str | torch.device | None,
) -> Tensor:
    """Logits (N, num_classes) of all images, float32, on the CPU."""
    require_model("model", model)
    batch_size = require_whole_number("batch_size", batch_size)
    if isinstance(images, ImageDataset):
        require_normalised("images", images)
        images = images.images
    _require_batch_of_images("images", images)
    device = _bring(model, device)
    answer_for_one(model, images)
    parts = []
    with clear_memory_error(device, batch_size), evaluation_mode(model), torch.no_grad():
        for some in images.split(min(batch_size, len(images))):
            parts.append(main_logits(model(on_device(some, device))).float().cpu())
    return _require_numbers(torch.cat(parts))


def _require_numbers(logits: Tensor) -> Tensor:
    """Logits with which classes can be compared: not NaN, nor infinite so that softmax is NaN."""
    spoilt = int(logits.softmax(dim=1).isnan().any(dim=1).sum())
    if spoilt:
        raise ValueError(
            f"model must answer with numbers, but the logits of {spoilt} of {len(logits)} images "
            "are not a number; look for NaN or infinity in its weights and in the images"
        )
    return logits


def confusion_table(
    labels: Tensor | Iterable[int],
    predictions: Tensor | Iterable[int],
    class_names: tuple[str, ...] | list[str] | None = None,
) -> "pandas.DataFrame":
    """Count how often each class was taken for each.

    Args:
        labels: the true class numbers (N,); what PyTorch makes a tensor of will do, too.
        predictions: the class numbers that a model chose (N,), as ``predict`` returns them.
        class_names: a name for every class, in the order of their numbers. None: numbers,
            from 0 to the highest that occurs.

    Returns:
        A row for each true class, a column for each chosen one, and the number of images;
        what is right stands on the diagonal.

    Raises:
        ValueError: for class numbers that are none, two lengths, or too few names.

    Example:
        >>> table = confusion_table([0, 0, 1, 1], [0, 1, 1, 1], ["bag", "coat"])
        >>> table.to_numpy().tolist()
        [[1, 1], [0, 2]]
        >>> int(table.loc["bag", "coat"])  # bags that were taken for coats
        1
    """
    import pandas

    true, chosen = _class_numbers("labels", labels), _class_numbers("predictions", predictions)
    if len(true) != len(chosen):
        raise ValueError(
            "predictions must be as many as labels, but there are "
            f"{len(chosen)} predictions and {len(true)} labels"
        )
    classes = 1 + int(torch.cat([true, chosen]).max())
    names = list(range(classes))
    if class_names is not None:
        names = require_items("class_names", class_names, str, "texts, one a class", classes)
    counts = torch.bincount(true * len(names) + chosen, minlength=len(names) ** 2)
    return pandas.DataFrame(
        counts.view(len(names), len(names)).numpy(),
        index=pandas.Index(names, name="is"),
        columns=pandas.Index(names, name="taken for"),
    )


def _class_numbers(name: str, values: Any) -> Tensor:
    wanted = f"{name} must be class numbers (N,), of at least one image"
    try:
        if hasattr(values, "__array__") and not isinstance(values, Tensor):
            values = numpy.array(values, order="C")  # a column of a table has an index of its own
        numbers = torch.as_tensor(values).detach().cpu()
    except (TypeError, ValueError, RuntimeError, OverflowError):
        raise ValueError(f"{wanted}, but it is {shown(values)}") from None
    whole = not (numbers.is_floating_point() or numbers.is_complex() or numbers.dtype == torch.bool)
    if numbers.dim() != 1 or not len(numbers) or not whole:
        raise ValueError(f"{wanted}, but it is {shown(numbers)}")
    for number in (numbers.min().item(), numbers.max().item()):
        require_whole_number(f"each of {name}", number, at_least=0, at_most=LARGEST_CLASS)
    return numbers.long()


# --- checks of model and images ---------------------------------------------------------


def require_normalised(name: str, image_set: ImageDataset) -> None:
    """A set that can be shown to a model: its images are no longer bytes."""
    require_instance(name, image_set, ImageDataset, AN_IMAGE_DATASET)
    if not image_set.images.is_floating_point():
        raise ValueError(
            f"{name} must hold normalised float images, but they are {image_set.images.dtype}; "
            f"call {name}.normalised(mean, std) first, with the training set's mean and std"
        )


def _require_batch_of_images(name: str, images: Any) -> None:
    wanted = f"{name} must be an ImageDataset, or a tensor (N, C, H, W) of normalised float images"
    is_tensor = isinstance(images, Tensor)
    if not is_tensor or images.dim() != 4 or not len(images) or not images.is_floating_point():
        raise ValueError(f"{wanted}, but it is {shown(images)}{_advice_for_images(name, images)}")
    if images.is_meta:
        raise ValueError(f"{wanted}, but it is on the meta device, which keeps shapes alone")


def _advice_for_images(name: str, images: Any) -> str:
    """The next step towards images that a model can be shown, for the end of an error."""
    if isinstance(images, tuple) and images and isinstance(images[0], Tensor):
        return f"; of a pair (image, label) take the image, with a batch around it: {name}[0][None]"
    if isinstance(images, numpy.ndarray):
        return f"; make a tensor of it: torch.from_numpy({name})"
    if not isinstance(images, Tensor):
        return ""
    if images.dim() in (2, 3):
        around = "None, None" if images.dim() == 2 else "None"
        return f"; a single image needs a batch around it: {name}[{around}]"
    if images.dtype == torch.uint8:
        return "; call ImageDataset(images, labels).normalised(mean, std) first"
    return ""


def require_weights(model: nn.Module) -> None:
    """A model whose weights are numbers: not on the meta device, not waiting for an image."""
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if is_lazy(tensor):
            raise ValueError(
                f"model must know the shape of its weights, but {name} waits for a first batch; "
                "show it one: model(images)"
            )
        if tensor.is_meta:
            raise ValueError(
                f"model must hold its weights, but {name} is on the meta device, which keeps "
                "shapes alone; build the model outside of torch.device('meta')"
            )


def answer_for_one(model: nn.Module, images: Tensor) -> Tensor:
    """The logits (1, num_classes) of the first image: what does not fit is said at once."""
    require_weights(model)
    _require_same_type(model, images)
    one = images[:1].to(device_of(model))
    try:
        with evaluation_mode(model), torch.no_grad():
            outputs = model(one)
    except Exception as error:  # a model may fail in any way
        if isinstance(error, RuntimeError) and ran_out_of_memory(error, one.device):
            raise
        raise ValueError(
            f"model must take a batch of the shape {tuple(one.shape)}, but it stops with "
            f"{stopped_with(error)}"
        ) from error
    logits: Any = outputs[0] if isinstance(outputs, tuple) and outputs else outputs
    require_answers(logits, count=1)
    return logits


def _require_same_type(model: nn.Module, images: Tensor) -> None:
    types = {each.dtype for each in model.parameters() if each.is_floating_point()}
    if types and images.dtype not in types:
        found = ", ".join(sorted(str(each) for each in types))
        fix = "model.float()" if images.dtype == torch.float32 else f"model.to({images.dtype})"
        raise ValueError(
            f"model must have weights of the images' type, {images.dtype}, but they are {found}; "
            f"call {fix} first"
        )


def require_answers(outputs: Any, count: int) -> None:
    """What a model returned for some images: logits, or a tuple of such logits."""
    if not _are_logits(outputs, count):
        images = "1 image" if count == 1 else f"{count} images"
        raise ValueError(
            "model must return logits of the shape (N, num_classes), or a tuple of such logits, "
            f"but for {images} it returned {shown(outputs)}"
        )


def _are_logits(outputs: Any, count: int) -> bool:
    several = outputs if isinstance(outputs, tuple) else (outputs,)
    return bool(several) and all(
        isinstance(each, Tensor)
        and each.is_floating_point()
        and each.dim() == 2
        and len(each) == count
        and each.shape == several[0].shape
        for each in several
    )


def _require_labels_of(outputs: Any, labels: Any) -> None:
    """Logits and the class numbers of the same images, each with a logit of its own."""
    if not isinstance(labels, Tensor) or labels.dtype != torch.int64 or labels.dim() != 1:
        raise ValueError(
            f"labels must be class numbers (N,), of torch.int64, but it is {shown(labels)}"
        )
    if not len(labels) or not _are_logits(outputs, len(labels)):
        raise ValueError(
            "outputs must be logits (N, num_classes), or a tuple of such logits, with as many "
            f"rows as there are labels ({len(labels)}, at least 1), but it is {shown(outputs)}"
        )
    logits = main_logits(outputs)
    if logits.device != labels.device:
        raise ValueError(
            "labels must be on the device of the outputs, "
            f"{logits.device}, but they are on {labels.device}"
        )
    if labels.is_meta:  # shapes without numbers
        return
    lowest, highest = (int(each) for each in labels.aminmax())
    classes = logits.shape[1]
    if lowest < 0 or highest >= classes:
        raise ValueError(
            f"labels must be from 0 to {classes - 1}, one for each of {classes} logits, but they "
            f"are from {lowest} to {highest}" + advice_for_labels(lowest, highest, classes)
        )


def require_logits(name: str, model: nn.Module, image_set: ImageDataset) -> None:
    """Ask the model about one image: it needs a logit for every label that there is."""
    classes = answer_for_one(model, image_set.images).shape[1]
    lowest, highest = (int(each) for each in image_set.labels.aminmax())
    if highest >= classes:
        advice = advice_for_labels(lowest, highest, classes)
        raise ValueError(
            f"{name} must hold labels from 0 to {classes - 1}, because the model returns "
            f"{classes} logits, but it holds the label {highest}"
            + (advice or f"; build the model with num_classes={highest + 1} or more")
        )
