"""What a run is: its network, its images and its recipe, in words that can be compared.

A checkpoint goes on only with the run that wrote it. Names and shapes do not tell runs apart:
a module with a ReLU and one without have the same tensors. So a run is described by
everything that its result depends on, in nested dicts of plain values. A file can hold them,
and they say what is different. Long values stand there as checksums.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn

from gnet_lib._check import shown
from gnet_lib._code import checksum
from gnet_lib._describe import Describer, tensor_text
from gnet_lib.data import ImageDataset

# --- the network -------------------------------------------------------------------------


def plain_network(model: nn.Module) -> nn.Module:
    """The network itself, without what ``torch.compile`` or several GPUs wrap around it.

    Args:
        model: a network, or one within ``torch.compile(...)``, ``nn.DataParallel`` or
            ``DistributedDataParallel``, or within several of them.

    Returns:
        The network within; its parameters are those of ``model``, in the same order.

    Example:
        >>> network = nn.Linear(2, 3)
        >>> plain_network(nn.DataParallel(network)) is network
        True
    """
    several_gpus = (nn.DataParallel, torch.nn.parallel.DistributedDataParallel)
    while True:
        if isinstance(model, several_gpus):
            model = model.module
        elif "_orig_mod" in dict(model.named_children()):  # of torch.compile
            model = model.get_submodule("_orig_mod")
        else:
            return model


def describe_network(model: nn.Module) -> dict[str, Any]:
    """What a network computes: its layers, their settings, and the code of your own classes.

    The weights' values are not part of it; they are what ``describe_tensors`` is for.

    Args:
        model: a network, plain or wrapped.

    Returns:
        For each layer by name its class, its settings, and the kind of each of its tensors,
        also whether it is frozen.

    Example:
        >>> network = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
        >>> network[0].bias.requires_grad = False
        >>> describe_network(network)["0"]["bias"]
        'frozen float32 3'
        >>> describe_network(network)["1"]
        {'': 'ReLU()', 'inplace': False}
    """
    return Describer().network(plain_network(model))


def describe_modes(model: nn.Module) -> dict[str, str]:
    """For each layer by name whether it is in training or in evaluation mode.

    Args:
        model: a network, plain or wrapped.

    Returns:
        ``"training"`` or ``"evaluation"``. A network that is in evaluation mode as a whole
        may have come from ``fit`` or ``evaluate``: its layers' modes say nothing, and all
        are called ``"training"``.

    Example:
        >>> network = nn.Sequential(nn.Linear(2, 3), nn.Dropout())
        >>> _ = network[1].eval()
        >>> describe_modes(network)
        {'': 'training', '0': 'training', '1': 'evaluation'}
    """
    network = plain_network(model)
    told = network.training
    return {
        name: "evaluation" if told and not layer.training else "training"
        for name, layer in network.named_modules()
    }


def restore_modes(model: nn.Module, modes: Mapping[str, str]) -> None:
    """Put each layer in the mode that ``describe_modes`` found.

    Args:
        model: a network, plain or wrapped.
        modes: what ``describe_modes`` returned for the same network.

    Example:
        >>> network = nn.Sequential(nn.Linear(2, 3), nn.Dropout())
        >>> restore_modes(network, {"": "training", "0": "training", "1": "evaluation"})
        >>> network[1].training
        False
    """
    for name, layer in plain_network(model).named_modules():
        layer.training = modes[name] == "training"


# --- tensors, images, and any value ------------------------------------------------------


def describe_tensors(tensors: Mapping[str, Any]) -> str:
    """A checksum of a state dict: of each tensor's name, kind, shape and bytes.

    Args:
        tensors: what ``state_dict()`` returned, on any device.

    Returns:
        Eight digits.

    Example:
        >>> network = nn.Linear(2, 3)
        >>> before = describe_tensors(network.state_dict())
        >>> _ = nn.init.zeros_(network.bias)
        >>> describe_tensors(network.state_dict()) == before
        False
    """
    return checksum(repr([(name, describe(value)) for name, value in tensors.items()]))


def describe_set(image_set: ImageDataset | None) -> dict[str, Any] | None:
    """How many images there are, and kind, shape and checksum of images and labels.

    Args:
        image_set: a set of images, or None.

    Returns:
        Plain values, or None for None.

    Example:
        >>> images = ImageDataset(torch.zeros(2, 1, 28, 28), torch.tensor([0, 1]))
        >>> describe_set(images)["labels"]
        'int64 2 (20114bcb)'
    """
    if image_set is None:
        return None
    return {
        "": f"{len(image_set):,} images",
        "images": tensor_text(image_set.images),
        "labels": tensor_text(image_set.labels),
    }


def describe(value: Any) -> Any:
    """Any value in plain ones: a function by what it does, an object by its settings.

    A function is described by its code, its defaults, the values that it holds from around
    it, and what it reads of its module or notebook. So two lambdas differ, and the same one
    is the same in a new process. What it changes there itself is its memory, not a setting.

    An object is described by its own ``__repr__`` if its class has one, else by its
    attributes; those that change when it is called are left out. Of a class of your own the
    code counts, too. What an installed package brings is described by its name.

    Args:
        value: a number, text, tensor, function, ``functools.partial``, optimiser,
            transform of torchvision, or any other object.

    Returns:
        Nested dicts and lists of plain values, without addresses in memory.

    Example:
        >>> from functools import partial
        >>> adam = partial(torch.optim.Adam, weight_decay=0.01)
        >>> describe(adam)["keywords"]
        {'weight_decay': 0.01}
        >>> describe(lambda: 1) == describe(lambda: 2)
        False
    """
    return Describer()(value)


# --- is it the same? ---------------------------------------------------------------------


def differences(
    then: Mapping[str, Any], now: Mapping[str, Any], ignored: tuple[str, ...] = ()
) -> dict[str, str]:
    """What is different between two descriptions.

    Args:
        then: the description in a file.
        now: the one of this call.
        ignored: entries that do not count.

    Returns:
        For each entry that differs a few words, with the first difference that can be shown.

    Example:
        >>> then = {"epochs": 2, "model": {"relu": "ReLU()", "fc": "Linear(4, 2)"}}
        >>> now = {"epochs": 2, "model": {"relu": "Identity()", "fc": "Linear(4, 3)"}}
        >>> print(differences(then, now)["model"])
        model: relu is 'ReLU()' in the file and 'Identity()' in this call (and 1 more there)
    """
    names = [*now, *(name for name in then if name not in now)]
    unequal = [name for name in names if then.get(name) != now.get(name)]
    return {
        name: _difference(name, then.get(name), now.get(name))
        for name in unequal
        if name not in ignored
    }


def _difference(name: str, then: Any, now: Any) -> str:
    one, other = dict(_leaves(then)), dict(_leaves(now))
    places = [*other, *(place for place in one if place not in other)]
    unequal = [place for place in places if _shown(one, place) != _shown(other, place)]
    # Of a long text only the beginning is shown, which may well be equal.
    first = min(unequal, key=lambda at: " characters, " in _shown(one, at), default="")
    where = f"{name}: {first}" if first else name
    more = f" (and {len(unequal) - 1} more there)" if len(unequal) > 1 else ""
    return (
        f"{where} is {_shown(one, first)} in the file and {_shown(other, first)} in this call{more}"
    )


def _leaves(description: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """The plain values within, with their places: ``a.b`` is the entry b of the entry a."""
    if isinstance(description, dict) and description:
        entries = description.items()
    elif isinstance(description, list) and any(isinstance(each, dict) for each in description):
        entries = enumerate(description)
    else:
        yield place, description
        return
    for key, value in entries:
        yield from _leaves(value, f"{place}.{key}".strip("."))


def _shown(leaves: Mapping[str, Any], place: str) -> str:
    return shown(leaves[place]) if place in leaves else "absent"
