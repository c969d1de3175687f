"""What a reader's module computes with known weights; afterwards it is as it was."""

import contextlib
import copy
import math
import sys
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from gnet_lib._modes import left_as_it_was
from gnet_lib.identity import plain_network


def output_with_known_weights(module: nn.Module, batch: Tensor) -> tuple[int, Any]:
    """The number of a module's parameters, and its output when all weights are known ones.

    Args:
        module: any module, however it is wrapped, on any device and in any precision.
        batch: a batch in float32.

    Returns:
        (number of parameters, what the module puts out).

    Raises:
        NotImplementedError: if the module is on the meta device.
    """
    module = _initialised(plain_network(module), batch)
    with left_as_it_was(module), _uncompiled(), torch.no_grad():
        module.eval()
        _give_known_weights(module)
        before = _tensors(module)
        output = module(batch.clone())
        if set(map(id, _tensors(module))) != set(map(id, before)):  # made by the first call
            module.eval()
            _give_known_weights(module)
            output = module(batch.clone())
        return sum(parameter.numel() for parameter in module.parameters()), output


def _initialised(module: nn.Module, batch: Tensor) -> nn.Module:
    """The module; of one with layers that wait for their first input a copy that has seen one.

    Such a layer changes its class at its first input, which cannot be taken back.
    """
    if not any(map(is_lazy, _tensors(module))):
        return module
    copied = copy.deepcopy(module)
    with torch.no_grad():
        copied.eval()(batch.clone())
    return copied


def _tensors(module: nn.Module) -> list[Tensor]:
    """All parameters and buffers."""
    return [*module.parameters(), *module.buffers()]


def _give_known_weights(module: nn.Module) -> None:
    """Fill every parameter with numbers that depend on its size alone, in float32 on the CPU.

    So two modules get the same weights, in whatever order they list them.
    """
    for tensor in _tensors(module):
        if tensor.is_meta:
            raise NotImplementedError("it is on the meta device, where nothing can be computed")
    for parameter in module.parameters():
        generator = torch.Generator().manual_seed(parameter.numel())
        drawn = torch.randn(parameter.numel(), generator=generator).reshape(parameter.shape)
        inputs = parameter.shape[1:].numel()
        parameter.data = drawn / math.sqrt(inputs)
    for buffer in module.buffers():
        values = buffer.data.clone().cpu()
        buffer.data = values.float() if values.is_floating_point() else values
    for layer in module.modules():
        reset = getattr(layer, "reset_running_stats", None)
        if callable(reset):  # batch normalisation, perhaps after training
            reset()


def _uncompiled() -> Any:
    """Compiled modules work uncompiled: nobody waits for a compiler, or needs to have one."""
    if "torch._dynamo" not in sys.modules:  # nothing is compiled, and its import takes seconds
        return contextlib.nullcontext()
    return torch.compiler.set_stance("force_eager")
