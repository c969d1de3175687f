"""Whether two answers are the same, up to rounding."""

import math
from numbers import Real
from typing import Any


def plain(answer: Any) -> Any:
    """A single number out of a table or a tensor as Python's own."""
    single = hasattr(answer, "item") and not getattr(answer, "shape", ())
    return answer.item() if single else answer


def is_number(value: Any) -> bool:
    """Whether it is a real number; True and False are none here."""
    return isinstance(value, Real) and not isinstance(value, bool)


def as_float(value: Any) -> float:
    """The number as a float; a whole number too large for one becomes infinite."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def alike(one: Any, other: Any) -> bool:
    """Equal; numbers and tensors up to rounding, modules by their weights."""
    from torch import nn

    if isinstance(one, (tuple, list)) and isinstance(other, (tuple, list)):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, nn.Module) and isinstance(other, nn.Module):
        return alike(list(one.state_dict().values()), list(other.state_dict().values()))
    one, other = plain(one), plain(other)
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return alike_numbers(one, other)


def alike_numbers(one: Any, other: Any) -> bool:
    """Equal up to rounding, if torch can read both as numbers; otherwise equal for Python."""
    import torch

    try:
        mine, theirs = torch.as_tensor(one).double(), torch.as_tensor(other).double()
    except (TypeError, ValueError, RuntimeError):
        return bool(one == other)
    if mine.shape != theirs.shape:
        return False
    rounding = 1e-4 * max(theirs.abs().max().item(), 1e-12) if theirs.numel() else 0
    return torch.allclose(mine, theirs, rtol=0, atol=rounding)


def give_known_weights(module: Any) -> None:
    """Fill every parameter with numbers that depend on its size alone.

    So two modules get the same weights, in whatever order they list them.
    """
    import torch

    for parameter in module.parameters():
        generator = torch.Generator().manual_seed(parameter.numel())
        drawn = torch.randn(parameter.numel(), generator=generator).reshape(parameter.shape)
        inputs = parameter[0].numel() if parameter.dim() > 1 else 1
        parameter.copy_(drawn / math.sqrt(inputs))
    for layer in module.modules():
        if hasattr(layer, "reset_running_stats"):  # batch normalisation, perhaps after training
            layer.reset_running_stats()
