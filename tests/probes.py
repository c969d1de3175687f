"""Questions that several test files ask: of a model, and of a call that must be refused."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from gnet_lib.googlenet import MiniGoogLeNet


def refuses(
    call: Callable[..., object], argument: str, value: object, allowed: str = "", **sound: Any
) -> None:
    """The error must begin with the argument's name, say what is allowed, and show what came.

    ``sound`` are the other arguments; one of the same name is replaced by the value.
    """
    came = "the class " + value.__name__ if isinstance(value, type) else repr(value)
    message = rf"^{re.escape(argument)} must .*{re.escape(allowed)}.*, but .*{re.escape(came)}"
    with pytest.raises(ValueError, match=message):
        call(**{**sound, argument: value})


# Of models: Any, because torch knows of each part only that it is a Tensor or a Module.


def on_meta(build: Callable[[], Any]) -> Any:
    """A network without memory, for questions about shapes only."""
    with torch.device("meta"):
        return build()


def multiply_adds_of_torch(model: nn.Module, input_size: tuple[int, ...]) -> float:
    """By torch's own counter, which takes a multiply-add as two operations."""
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        model.eval()(torch.zeros(input_size))
    return counter.get_total_flops() / 2


def weights_of(model: nn.Module) -> int:
    """Weights of convolutions and linear layers, without biases."""
    layers = [layer for layer in model.modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]
    return sum(layer.weight.numel() for layer in layers)


def leaves_at_work(model: nn.Module, *inputs: torch.Tensor) -> list[nn.Module]:
    """The layers in the order in which a forward pass uses them."""
    used, hooks = [], []
    for module in model.modules():
        if not list(module.children()):
            hooks.append(module.register_forward_hook(lambda layer, *_: used.append(layer)))
    with torch.no_grad():
        model(*inputs)
    for hook in hooks:
        hook.remove()
    return used


def randomise_normalisation(model: nn.Module) -> None:
    """Give batch normalisation statistics and weights that are not 0 and 1."""
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            assert layer.running_var is not None and layer.running_mean is not None
            for tensor in (layer.running_var, layer.weight.data):
                tensor.uniform_(0.5, 2)
            for tensor in (layer.running_mean, layer.bias.data):
                tensor.uniform_(-1, 1)


def frozen_in_part() -> Any:
    """A network in training, of which one module is in evaluation and keeps its weights."""
    model: Any = MiniGoogLeNet(dropout=0.5).train()
    model.body["3a"].eval().requires_grad_(False)
    return model


def snapshot(model: nn.Module) -> dict[str, Any]:
    """What measuring must leave alone, of the model and of the random numbers."""
    return {
        "modes": {name: module.training for name, module in model.named_modules()},
        "weights": {name: tensor.numpy().tobytes() for name, tensor in model.state_dict().items()},
        "trained": [parameter.requires_grad for parameter in model.parameters()],
        "hooks": [
            len(each._forward_hooks) + len(each._forward_pre_hooks) for each in model.modules()
        ],
        "random numbers": torch.get_rng_state().numpy().tobytes(),
    }
