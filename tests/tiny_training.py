"""What the tests of training share: a small model, an easy set, and a run that can be cut off."""

import os
import random
import signal

import numpy
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from gnet_lib.data import ImageDataset
from gnet_lib.training import History, fit

TIMES = ("seconds", "images_per_second")
BATCH, COUNT = 16, 90  # five steps an epoch, ten images left over
STEPS = COUNT // BATCH


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """These models are so small that threads only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def easy_set(count: int = COUNT, seed: int = 0) -> ImageDataset:
    """Class k lights the k-th of sixteen 7x7 squares, under noise."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 10
    squares = F.one_hot(labels, 16).float().reshape(count, 1, 4, 4)
    images = squares.repeat_interleave(7, dim=2).repeat_interleave(7, dim=3)
    return ImageDataset(images + 0.5 * torch.randn(count, 1, 28, 28, generator=generator), labels)


def tiny_model(seed: int = 0, dropout: float = 0.2, classes: int = 10) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, stride=2, padding=1),  # (N, 4, 14, 14)
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(4),  # (N, 4, 4, 4)
        nn.Flatten(),
        nn.Dropout(dropout),
        nn.Linear(64, classes),
    )


class Noise:
    """An augmentation that draws from every generator, and can press Ctrl-C or crash."""

    def __init__(self, interrupt_at: int = 0, presses: int = 1, crash_at: int = 0) -> None:
        self.calls = 0
        self.interrupt_at, self.presses, self.crash_at = interrupt_at, presses, crash_at

    def __repr__(self) -> str:
        """What a checkpoint knows it by: pressing Ctrl-C makes it no other augmentation."""
        return "Noise()"

    def __call__(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        self.calls += 1
        if self.calls == self.crash_at:
            raise OSError("the power went out")
        if self.calls == self.interrupt_at:
            for _ in range(self.presses):
                os.kill(os.getpid(), signal.SIGINT)
        shift = 0.1 * random.random() + 0.1 * numpy.random.rand()
        return images + shift + 0.1 * torch.randn(images.shape, generator=generator)


def run(model: nn.Module, train: ImageDataset | None = None, **changes) -> History:
    """``fit`` with few images, silent, and in float32: the same on every machine."""
    arguments = {
        "epochs": 2, "batch_size": BATCH, "device": "cpu", "progress": False,
        "mixed_precision": False,
    }  # fmt: skip
    return fit(model, train or easy_set(), **{**arguments, **changes})


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def without_times(history: History) -> list[dict]:
    return [{k: v for k, v in row.items() if k not in TIMES} for row in history.rows]
