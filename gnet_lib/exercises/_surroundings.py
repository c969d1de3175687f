"""A check neither depends on what a reader has set in torch, nor changes it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def plain_surroundings() -> Iterator[None]:
    """Torch as it is after its import; settings and random numbers come back afterwards.

    Otherwise ``torch.set_default_dtype(torch.float64)`` in a reader's notebook would give other
    inputs, and a function that draws numbers would disturb the reader's.
    """
    if "torch" not in sys.modules:  # nobody has set anything there; numbers and texts need none
        yield
        return
    import torch

    from gnet_lib._modes import gradients_on
    from gnet_lib.device import generators_restored

    cpu, dtype = torch.device("cpu"), torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        with cpu, generators_restored(cpu), gradients_on(), torch.autocast("cpu", enabled=False):
            yield
    finally:
        torch.set_default_dtype(dtype)
