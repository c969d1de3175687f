"""GoogLeNet as others build it, from our own parts: the lecture notes, and torchvision.

Most people who run "GoogLeNet" run torchvision's network. It is not quite the paper's.
Every difference is one line below, and the result is proven: with the same weights it
gives the same outputs as ``torchvision.models.googlenet``.
"""

import warnings
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import nn

from gnet_lib._check import require_instance, shown
from gnet_lib.design import NOTES, TORCHVISION
from gnet_lib.googlenet import GoogLeNet
from gnet_lib.inception import Inception
from gnet_lib.paper import TABLE_1, Convolution, MaxPool, Row

# --- the lecture notes -------------------------------------------------------------------


def _as_in_the_notes(row: Row) -> Row:
    if isinstance(row, Convolution):
        return replace(row, reduce=None)
    if isinstance(row, MaxPool):
        return replace(row, padding=1, ceil_mode=False)
    return row


NOTES_ROWS: tuple[Row, ...] = tuple(_as_in_the_notes(row) for row in TABLE_1)
"""The rows as the notes build them, the lecture notes that this book grew from.

They have no 1x1 convolution in the stem, and their pooling is padded.
"""


class NotesInception(Inception):
    """The same module with the branches concatenated in the notes' order: pool, 5x5, 3x3, 1x1.

    The notes are the lecture notes that this book grew from. Any fixed order works, since
    the next layer learns which channel is which.

    Example:
        >>> from gnet_lib.paper import WIDTHS
        >>> NotesInception(192, WIDTHS["3a"]).concat_order
        ('pool', '5x5', '3x3', '1x1')
    """

    design = NOTES


def notes_variant(in_channels: int = 1, num_classes: int = 10) -> GoogLeNet:
    """The network exactly as the notes build it, the lecture notes that this book grew from.

    It differs from the paper's in five things: no 1x1 convolution in front of the
    stem's 3x3 one, no normalisation, no dropout, no auxiliary classifiers, and the
    branches of a module are concatenated in reverse. Its pooling is padded by 1 and
    rounds down, which gives the same sizes at 224x224.

    Args:
        in_channels: channels of the images.
        num_classes: number of classes.

    Returns:
        The network, with fresh weights.

    Raises:
        ValueError: for a bad argument.

    Example:
        >>> model = notes_variant(in_channels=3, num_classes=1000)
        >>> sum(parameter.numel() for parameter in model.parameters())
        6994392
    """
    return GoogLeNet(
        in_channels,
        num_classes,
        aux=False,
        norm="none",
        module=NotesInception,
        dropout=0.0,
        rows=NOTES_ROWS,
    )


# --- torchvision -------------------------------------------------------------------------

TORCHVISION_ROWS: tuple[Row, ...] = tuple(
    replace(row, kernel_size=2) if row.name == "pool4" else row for row in TABLE_1
)
"""The rows as torchvision builds them, where the last pooling looks at 2x2 values, not at 3x3."""

TORCHVISION_NORM_EPS = 0.001
"""What torchvision's batch normalisation adds to a variance; PyTorch's default is 0.00001."""

TORCHVISION_DROPOUT = 0.2
"""Dropout in front of torchvision's last linear layer; the paper has 0.4."""

TORCHVISION_AUX_SIZE = 4
"""torchvision's heads pool adaptively to 4x4, whatever the size of the map."""


class TorchvisionInception(Inception):
    """The Inception module of torchvision: the branch called "5x5" has a 3x3 kernel.

    Example:
        >>> from gnet_lib.paper import WIDTHS
        >>> module = TorchvisionInception(192, WIDTHS["3a"])
        >>> module.branches["5x5"].conv.conv.kernel_size
        (3, 3)

    Source: https://github.com/pytorch/vision/issues/906
    """

    design = TORCHVISION


def torchvision_variant(num_classes: int = 1000, *, aux: bool = True) -> GoogLeNet:
    """``torchvision.models.googlenet`` in our own parts, for images of three channels.

    It differs from the paper's network in six things: the 3x3 kernel in place of the
    5x5, the last pooling of 2x2, batch normalisation (without biases) in place of local
    response normalisation, its epsilon of 0.001, heads that pool adaptively, and a
    dropout of 20 % in place of 40 %. With ``aux``, images must have 224x224 pixels in
    training.

    torchvision's option ``transform_input``, which rescales the images first, is not
    part of it.

    Args:
        num_classes: number of classes.
        aux: whether to build the two auxiliary classifiers.

    Returns:
        The network, with fresh weights; it turns images (N, 3, H, W) into logits
        (N, num_classes).

    Raises:
        ValueError: if ``num_classes`` is not a whole number of at least 1.

    Example:
        >>> model = torchvision_variant(aux=False)
        >>> sum(parameter.numel() for parameter in model.parameters())
        6624904
    """
    model = GoogLeNet(
        num_classes=num_classes,
        aux=aux,
        norm="batch",
        module=TorchvisionInception,
        dropout=TORCHVISION_DROPOUT,
        rows=TORCHVISION_ROWS,
    )
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.eps = TORCHVISION_NORM_EPS
    for head in model.heads.values():
        head.pool = nn.AdaptiveAvgPool2d(TORCHVISION_AUX_SIZE)
    return model


COUNTER = "num_batches_tracked"


def load_torchvision_weights(
    model: GoogLeNet, theirs: nn.Module | Mapping[str, torch.Tensor]
) -> None:
    """Copy the weights of ``torchvision.models.googlenet`` into ``torchvision_variant``.

    The layers have other names there, but both networks list them in the same order: the
    stem, the modules branch by branch, the head behind 4a, the head behind 4d, the last
    linear layer. So the first weight goes to the first, the second to the second, and
    every pair must have one shape.

    Args:
        model: what ``torchvision_variant`` returned; its weights are replaced.
        theirs: what ``torchvision.models.googlenet`` returned; or its ``state_dict()``, which
            is also what torchvision's file of weights holds, in any order. Batch
            normalisation's counters ``num_batches_tracked`` may be missing, as in older files;
            they are 0 then, and do not matter in evaluation. A ``state_dict()`` cannot tell
            whether its network rescales its input (``transform_input=True``), as torchvision's
            with the published weights does and ``model`` does not.

    Raises:
        ValueError: if ``theirs`` is neither, if it lacks a tensor, if the two do not have the
            same number of weights, or if the shapes of a pair differ. ``model`` is unchanged
            then.

    Warns:
        UserWarning: if ``theirs`` is a network that rescales its input, which ``model`` does not.

    Example:
        >>> import torchvision
        >>> theirs = torchvision.models.googlenet(weights=None, init_weights=False)
        >>> model = torchvision_variant()
        >>> load_torchvision_weights(model, theirs)
        >>> bool((model.fc.weight == theirs.fc.weight).all())
        True
    """
    require_instance("model", model, GoogLeNet, "a network that torchvision_variant() built")
    ours, weights = model.state_dict(), _weights_in_order(theirs)
    if len(ours) != len(weights):
        raise ValueError(
            f"theirs must have as many tensors as model, {len(ours)}, but it has "
            f"{len(weights)}; build both with auxiliary classifiers (aux=True here, "
            "aux_logits=True in torchvision), or both without"
        )
    for (name, tensor), (their_name, their_tensor) in zip(
        ours.items(), weights.items(), strict=True
    ):
        if tensor.shape != their_tensor.shape:
            raise ValueError(
                f"theirs must have {name} of shape {tuple(tensor.shape)}, but its "
                f"{their_name} has {tuple(their_tensor.shape)}; build model with "
                "torchvision_variant(), with the same number of classes"
            )
    if getattr(theirs, "transform_input", False):
        warnings.warn(
            "theirs has transform_input=True: it rescales the images before its first layer, "
            "and model does not. Set theirs.transform_input = False to compare the two.",
            stacklevel=2,
        )
    model.load_state_dict(dict(zip(ours, weights.values(), strict=True)))


def _weights_in_order(theirs: nn.Module | Mapping[str, torch.Tensor]) -> Mapping[str, torch.Tensor]:
    if isinstance(theirs, nn.Module):
        return theirs.state_dict()
    if not isinstance(theirs, Mapping):
        raise ValueError(
            "theirs must be what torchvision.models.googlenet() returned, or its state_dict(), "
            f"but it is {shown(theirs)}"
        )
    from torchvision.models import googlenet

    # A file may list its tensors in another order, for instance that of the alphabet.
    with torch.device("meta"):
        names = list(googlenet(weights=None, init_weights=False).state_dict())
    unknown = [name for name in theirs if name not in names]
    if unknown or not all(isinstance(each, torch.Tensor) for each in theirs.values()):
        raise ValueError(
            "theirs must hold the tensors of torchvision's googlenet by their names there, "
            f"such as {names[0]}, but it has {', '.join(map(str, unknown[:3])) or 'other values'}"
        )
    return _complete({name: theirs[name] for name in names if name in theirs}, names)


def _complete(weights: dict[str, torch.Tensor], names: list[str]) -> dict[str, torch.Tensor]:
    """The tensors of these names in their order, without the heads' where there are no heads.

    PyTorch counts the batches of a normalisation since version 0.4.1; older files lack that.
    """
    has_heads = any(name.startswith("aux") for name in weights)
    needed = [name for name in names if has_heads or not name.startswith("aux")]
    missing = [name for name in needed if name not in weights and not name.endswith(COUNTER)]
    if missing:
        raise ValueError(
            f"theirs must hold every tensor of torchvision's googlenet, but {len(missing)} of "
            f"{len(needed)} are missing, such as {missing[0]}"
        )
    return {name: weights.get(name, torch.tensor(0)) for name in needed}
