"""The Inception modules written out by hand in plain torch: truth from outside for the designs.

Their parts have the library's names and are built in the library's order, so that the names of
saved weights and, after one seed, the weights themselves can be compared.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence

import torch
from torch import nn

from gnet_lib.paper import InceptionWidths

Kernel = int | tuple[int, int]


def unit(
    inputs: int, outputs: int, kernel: Kernel, batch_norm: bool = False, relu: bool = True
) -> nn.Sequential:
    """A convolution that keeps the map's size (torch works out the padding), and its ReLU."""
    conv = nn.Conv2d(inputs, outputs, kernel, padding="same", bias=not batch_norm)
    layers: OrderedDict[str, nn.Module] = OrderedDict(conv=conv)
    if batch_norm:
        layers["norm"] = nn.BatchNorm2d(outputs)
    layers["relu"] = nn.ReLU() if relu else nn.Identity()
    return nn.Sequential(layers)


def chain(**layers: nn.Module) -> nn.Sequential:
    """Layers one behind the other, by name."""
    return nn.Sequential(OrderedDict(layers))


class Branches(nn.Module):
    """Branches over one input, their outputs side by side."""

    def __init__(self, branches: Mapping[str, nn.Module], order: Sequence[str]) -> None:
        super().__init__()
        self.branches, self.order = nn.ModuleDict(dict(branches)), order

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.branches[name](x) for name in self.order], dim=1)


AS_DRAWN = ("1x1", "3x3", "5x5", "pool")


def naive(inputs: int, w: InceptionWidths, batch_norm: bool) -> Branches:
    """Figure 2(a) of the paper."""
    branches = {
        "1x1": unit(inputs, w.c1x1, 1, batch_norm),
        "3x3": unit(inputs, w.c3x3, 3, batch_norm),
        "5x5": unit(inputs, w.c5x5, 5, batch_norm),
        "pool": nn.MaxPool2d(3, stride=1, padding=1),
    }
    return Branches(branches, AS_DRAWN)


def reduced(
    inputs: int,
    w: InceptionWidths,
    batch_norm: bool,
    *,
    relu: bool = True,
    five: Mapping[str, Kernel] = {"conv": 5},
    order: Sequence[str] = AS_DRAWN,
) -> Branches:
    """Figure 2(b) of the paper; or without a ReLU in its reductions, or with another 5x5."""
    branches = {
        "1x1": unit(inputs, w.c1x1, 1, batch_norm),
        "3x3": chain(
            reduce=unit(inputs, w.c3x3_reduce, 1, batch_norm, relu),
            conv=unit(w.c3x3_reduce, w.c3x3, 3, batch_norm),
        ),
        "5x5": chain(reduce=unit(inputs, w.c5x5_reduce, 1, batch_norm, relu)),
        "pool": nn.Sequential(),
    }
    channels = w.c5x5_reduce
    for name, kernel in five.items():
        branches["5x5"].add_module(name, unit(channels, w.c5x5, kernel, batch_norm))
        channels = w.c5x5
    branches["pool"] = chain(
        pool=nn.MaxPool2d(3, stride=1, padding=1), project=unit(inputs, w.pool_proj, 1, batch_norm)
    )
    return Branches(branches, order)
