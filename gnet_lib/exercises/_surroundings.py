"""A check neither depends on what a reader has set in torch, nor changes it."""

import contextlib
import random
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def plain_surroundings() -> Iterator[None]:
    """Torch as it is after its import; settings and random numbers come back afterwards.

    Otherwise ``torch.set_default_dtype(torch.float64)`` in a reader's notebook would give other
    inputs, and a function that draws numbers would disturb the reader's.
    """
    with _random_numbers_kept(), _plain_torch() if "torch" in sys.modules else _later_torch():
        yield


@contextlib.contextmanager
def _random_numbers_kept() -> Iterator[None]:
    """Python's and NumPy's random numbers go on as if nothing had happened."""
    numpy = sys.modules.get("numpy")
    state, numpy_state = random.getstate(), numpy.random.get_state() if numpy else None
    try:
        yield
    finally:
        random.setstate(state)
        if numpy:
            numpy.random.set_state(numpy_state)


@contextlib.contextmanager
def _plain_torch() -> Iterator[None]:
    import torch

    dtype = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        with (
            torch.random.fork_rng(devices=[]),
            torch.device("cpu"),
            torch.inference_mode(False),
            torch.enable_grad(),
            torch.autocast("cpu", enabled=False),
        ):
            yield
    finally:
        torch.set_default_dtype(dtype)


@contextlib.contextmanager
def _later_torch() -> Iterator[None]:
    """Nobody has set anything. If the check imports torch, its generator is left as a new one."""
    try:
        yield
    finally:
        if torch := sys.modules.get("torch"):
            torch.default_generator.manual_seed(torch.Generator().initial_seed())
