"""What a reader's module computes with known weights; afterwards it is as it was."""

import contextlib
import copy
import math
import sys
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

CAN_CHANGE = (list, dict, set, OrderedDict)


def output_with_known_weights(module: Any, batch: Any) -> tuple[int, Any]:
    """The number of a module's parameters, and its output when all weights are known ones.

    The module itself works, not a copy: maps that it keeps, generators, locks and open files
    cannot be copied.

    Args:
        module: any module, however it is wrapped, on any device and in any precision.
        batch: a batch in float32.

    Returns:
        (number of parameters, what the module puts out).

    Raises:
        NotImplementedError: if the module is on the meta device.
    """
    import torch

    module = _initialised(_unwrapped(module), batch)
    with _as_it_was(module), _uncompiled(), torch.no_grad():
        module.eval()
        _give_known_weights(module)
        before = _tensors(module)
        output = module(batch.clone())
        if set(map(id, _tensors(module))) != set(map(id, before)):  # made by the first call
            module.eval()
            _give_known_weights(module)
            output = module(batch.clone())
        return sum(parameter.numel() for parameter in module.parameters()), output


def _unwrapped(module: Any) -> Any:
    """The module inside of wrappers that choose devices."""
    from torch import nn

    while isinstance(module, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
        module = module.module
    return module


def _initialised(module: Any, batch: Any) -> Any:
    """The module; of one with layers that wait for their first input a copy that has seen one.

    Such a layer changes its class at its first input, which cannot be taken back.
    """
    import torch
    from torch.nn.parameter import is_lazy

    if not any(map(is_lazy, _tensors(module))):
        return module
    copied = copy.deepcopy(module)
    with torch.no_grad():
        copied.eval()(batch.clone())
    return copied


def _tensors(module: Any) -> list[Any]:
    """All parameters and buffers."""
    return [*module.parameters(), *module.buffers()]


def _give_known_weights(module: Any) -> None:
    """Fill every parameter with numbers that depend on its size alone, in float32 on the CPU.

    So two modules get the same weights, in whatever order they list them. Each tensor only
    changes what it points to, so its own numbers stay untouched.
    """
    import torch

    for tensor in _tensors(module):
        if tensor.is_meta:
            raise NotImplementedError("it is on the meta device, where nothing can be computed")
    for parameter in module.parameters():
        generator = torch.Generator().manual_seed(parameter.numel())
        drawn = torch.randn(parameter.numel(), generator=generator).reshape(parameter.shape)
        inputs = parameter[0].numel() if parameter.dim() > 1 else 1
        parameter.data = drawn / math.sqrt(inputs)
    for buffer in module.buffers():
        values = buffer.detach().clone().cpu()
        buffer.data = values.float() if values.is_floating_point() else values
    for layer in module.modules():
        if hasattr(layer, "reset_running_stats"):  # batch normalisation, perhaps after training
            layer.reset_running_stats()


def _uncompiled() -> Any:
    """Compiled modules work uncompiled: nobody waits for a compiler, or needs to have one."""
    if "torch._dynamo" not in sys.modules:  # nothing is compiled, and its import takes seconds
        return contextlib.nullcontext()
    import torch

    return torch.compiler.set_stance("force_eager")


@contextlib.contextmanager
def _as_it_was(module: Any) -> Iterator[None]:
    """Weights, buffers, modes and what the layers keep in attributes come back afterwards."""
    tensors = [(tensor, tensor.data) for tensor in _tensors(module)]
    modes = [(layer, layer.training) for layer in module.modules()]
    kept = [(vars(layer), _with_contents(vars(layer))) for layer in module.modules()]
    try:
        yield
    finally:
        for attributes, before in kept:
            _put_back(attributes, before)
        for tensor, data in tensors:
            tensor.data = data
        for layer, mode in modes:
            layer.training = mode


def _with_contents(attributes: dict) -> dict:
    """Name -> (value, its contents if these can change, else None)."""
    return {
        name: (value, copy.copy(value) if type(value) in CAN_CHANGE else None)
        for name, value in attributes.items()
    }


def _put_back(attributes: dict, before: dict) -> None:
    """Every attribute and what it held: none is new, none is lost."""
    for name in set(attributes) - set(before):
        del attributes[name]
    for name, (value, contents) in before.items():
        attributes[name] = value
        if contents is not None:
            value.clear()
            value.extend(contents) if isinstance(value, list) else value.update(contents)
