"""States that a ``with`` block puts a model or PyTorch in, and that end with it."""

import copy
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Put a model in evaluation mode; afterwards each layer is back in the mode it came in."""
    with _modes_restored(model):
        model.eval()
        yield


@contextmanager
def _modes_restored(model: nn.Module) -> Iterator[None]:
    modes = [(layer, layer.training) for layer in model.modules()]
    try:
        yield
    finally:
        for layer, training in modes:
            layer.training = training


@contextmanager
def left_as_it_was(model: nn.Module) -> Iterator[None]:
    """Let a model work on copies of its tensors; afterwards all that its layers hold is back.

    The model itself works: maps that it keeps, lambdas, generators, locks and open files
    cannot be copied. What is deep inside of an object of another class is left to that object.
    """
    layers = list(model.modules())
    held = [(vars(layer), _with_contents(vars(layer))) for layer in layers]
    tensors = [*model.parameters(), *model.buffers()]
    tensors += [each for layer in layers for each in vars(layer).values() if _is_tensor(each)]
    data = [(tensor, tensor.data) for tensor in tensors]
    with _modes_restored(model):
        try:
            for tensor in tensors:
                tensor.data = tensor.data.clone()
            yield
        finally:
            for attributes, before in held:
                _put_back(attributes, before)
            for tensor, own in data:
                tensor.data = own


@contextmanager
def training_mode_without_traces(model: nn.Module) -> Iterator[None]:
    """Put a model in training mode; afterwards also its running averages are as they came."""
    with left_as_it_was(model):
        model.train()
        yield


def _is_tensor(value: Any) -> bool:
    return isinstance(value, torch.Tensor)


def _with_contents(attributes: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Name -> (value, its contents if these can change, else None)."""
    can_change = (list, dict, set, OrderedDict)
    return {
        name: (value, copy.copy(value) if type(value) in can_change else None)
        for name, value in attributes.items()
    }


def _put_back(attributes: dict[str, Any], before: dict[str, tuple[Any, Any]]) -> None:
    """Every attribute and what it held: none is new, none is lost."""
    for name in set(attributes) - set(before):
        del attributes[name]
    for name, (value, contents) in before.items():
        attributes[name] = value
        if contents is not None:
            value.clear()
            value.extend(contents) if isinstance(value, list) else value.update(contents)


class TrainingMode:
    """Which layers are trained in training mode, and which stay in evaluation mode.

    A module whose parameters are all frozen stays: its running averages and its dropout
    belong to what is frozen. So does a layer that came in evaluation mode while the model
    around it came in training mode. A model that came in evaluation mode as a whole says
    nothing about its layers: that is how ``fit`` and ``evaluate`` leave one.

    Args:
        model: as the caller gave it.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        layers = dict(model.named_modules())
        stay = [layer for layer in layers.values() if model.training and not layer.training]
        for layer in layers.values():
            if _frozen(layer):
                stay += layer.modules()
        self.stay = sorted(name for name, layer in layers.items() if layer in set(stay))

    def enter(self) -> None:
        """Put the model in training mode, apart from the layers that stay."""
        self.model.train()
        for name in self.stay:
            self.model.get_submodule(name).training = False


def _frozen(layer: nn.Module) -> bool:
    parameters = list(layer.parameters())
    return bool(parameters) and not any(each.requires_grad for each in parameters)


@contextmanager
def gradients_on() -> Iterator[None]:
    """Let PyTorch note what gradients need, also within a caller's ``no_grad`` block."""
    with torch.inference_mode(False), torch.enable_grad():
        yield


@contextmanager
def one_thread() -> Iterator[None]:
    """Let one thread compute."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
