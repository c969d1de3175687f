"""States that a ``with`` block puts a model or PyTorch in, and that end with it."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Put a model in evaluation mode; afterwards each layer is back in the mode it came in."""
    with _modes_restored(model):
        model.eval()
        yield


@contextmanager
def training_mode_without_traces(model: nn.Module) -> Iterator[None]:
    """Put a model in training mode; afterwards also its running averages are as they came."""
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    with _modes_restored(model):
        model.train()
        try:
            yield
        finally:
            with torch.no_grad():
                for name, buffer in model.named_buffers():
                    buffer.copy_(buffers[name])


@contextmanager
def _modes_restored(model: nn.Module) -> Iterator[None]:
    modes = [(layer, layer.training) for layer in model.modules()]
    try:
        yield
    finally:
        for layer, training in modes:
            layer.training = training


@contextmanager
def one_thread() -> Iterator[None]:
    """Let one thread compute."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
