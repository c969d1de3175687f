"""A hundred modules of random sizes: three ways of counting must agree on every one.

The closed formulas, torchinfo (after taking the biases apart) and PyTorch's own counter of
FLOPs, which knows nothing of the other two. The modules live on the device "meta", where
tensors have shapes and no numbers, so that large ones cost nothing.
"""

import random

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from gnet_lib.cost import inception_cost, torchinfo_cost, total
from gnet_lib.inception import Inception, NaiveInception
from gnet_lib.paper import InceptionWidths

GROUPS, IN_A_GROUP = 2, 25  # times two modules: 100


def random_setting(chance: random.Random) -> tuple[int, InceptionWidths, int]:
    """Input channels, widths and map size, from tiny to larger than any of the paper's."""
    widths = InceptionWidths(*(chance.randint(1, 600) for _ in range(6)))
    return chance.randint(1, 1200), widths, chance.randint(1, 64)


def flops_of(model: torch.nn.Module, batch: torch.Tensor) -> int:
    with FlopCounterMode(display=False) as counter:
        model(batch)
    return counter.get_total_flops()


@pytest.mark.parametrize("group", range(GROUPS))
def test_three_counts_agree(group):
    chance = random.Random(group)
    for _ in range(IN_A_GROUP):
        in_channels, widths, size = random_setting(chance)
        for module in (NaiveInception, Inception):
            with torch.device("meta"):
                model = module(in_channels, widths)
                batch = torch.empty(1, in_channels, size, size)
            formula = total(inception_cost(in_channels, widths, size, module.design))
            setting = f"{module.__name__}({in_channels}, {widths}) on {size}x{size}"
            assert torchinfo_cost(model, tuple(batch.shape)) == formula, setting
            assert flops_of(model, batch) == 2 * formula.multiply_adds, setting
            assert sum(p.numel() for p in model.parameters()) == formula.parameters, setting
