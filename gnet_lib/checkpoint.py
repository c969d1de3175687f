"""What keeps the work of a long run: Ctrl-C that waits, and the checkpoint file.

``fit`` in the room ``training`` uses both. This room knows nothing of a run: it stores and
reads a dict of plain values and tensors, whole or not at all, and compares what two runs
were called with.
"""

import functools
import os
import signal
import threading
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from gnet_lib._check import first_line
from gnet_lib.data import ImageDataset

CHECKPOINT_FORMAT = 2


# --- Ctrl-C ------------------------------------------------------------------------------


class StopOnInterrupt:
    """Turns the first Ctrl-C into a wish, ``requested``; a second one stops at once.

    An exception could arrive in the middle of the optimiser's step and leave half of the
    weights changed. Python lets only the main thread handle signals: in any other thread
    this does nothing, and Ctrl-C raises KeyboardInterrupt in the main one as always.
    """

    def __init__(self) -> None:
        self.requested = False
        self._former: Any = None

    def __enter__(self) -> "StopOnInterrupt":
        former = signal.getsignal(signal.SIGINT)
        replaceable = former not in (None, signal.SIG_IGN)
        if replaceable and threading.current_thread() is threading.main_thread():
            self._former = signal.signal(signal.SIGINT, self._handle)
        return self

    def _handle(self, signal_number: int, frame: FrameType | None) -> None:
        # No print here: a signal may interrupt another print.
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True

    def __exit__(self, *exception: Any) -> None:
        if self._former is not None:
            signal.signal(signal.SIGINT, self._former)


# --- the file ----------------------------------------------------------------------------


def save_checkpoint(state: dict[str, Any], path: Path) -> None:
    """Store a dict so that the file is at every moment the old one or the new one."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        with open(temporary, "wb") as file:
            torch.save({"format": CHECKPOINT_FORMAT, **state}, file)
            file.flush()
            os.fsync(file.fileno())  # on the disk before it takes the old one's name
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def load_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint file, for instance to evaluate its weights without a training set.

    Args:
        path: a file that ``fit`` wrote.

    Returns:
        What the file holds, on the CPU. ``"model"`` are the weights for
        ``model.load_state_dict``, ``"progress"`` the rows of the history and where the run
        goes on, ``"settings"`` what the run was called with.

    Raises:
        ValueError: if the file is missing, damaged or no checkpoint.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from gnet_lib.training import fit
        >>> images = ImageDataset(torch.randn(8, 1, 28, 28), torch.arange(8))
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder) / "run.pt"
        ...     _ = fit(model, images, epochs=2, batch_size=4, checkpoint=path, progress=False)
        ...     state = load_checkpoint(path)
        >>> len(state["progress"]["rows"]), sorted(state["model"])
        (2, ['1.bias', '1.weight'])
    """
    try:
        with zipfile.ZipFile(path) as archive:  # PyTorch itself checks no checksums
            if damaged := archive.testzip():
                raise zipfile.BadZipFile(f"the checksum of {damaged} is wrong")
        # weights_only: nothing but tensors and plain values, so no code can hide in it.
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file may fail in any way
        raise ValueError(
            f"checkpoint {path} cannot be read: {first_line(error)}. It is damaged or no "
            "checkpoint; delete it to start anew, or give another name"
        ) from error
    found = state.get("format") if isinstance(state, dict) else None
    if found != CHECKPOINT_FORMAT:
        raise ValueError(
            f"checkpoint {path} must be one of fit's, in format {CHECKPOINT_FORMAT}, but its "
            f"format is {found!r}; delete it to start anew, or give another name"
        )
    return state


class Stateful(Protocol):
    """What can say in plain values and tensors where it is, and go back there."""

    def state_dict(self) -> dict[str, Any]:
        """Where it is."""
        ...

    def load_state_dict(self, state: dict[str, Any], /) -> Any:
        """Go there."""
        ...


class Checkpoint:
    """The file of a run: what the run was called with, and where each of its parts is.

    Args:
        path: of the file; its folder is made.
        head: plain values to be stored with the parts. A file goes on with a run only if its
            ``"settings"`` are the same.
        parts: what changes as the run goes on, by name.
    """

    def __init__(self, path: Path, head: dict[str, Any], parts: Mapping[str, Stateful]) -> None:
        if path.is_dir():
            raise ValueError(f"checkpoint must be the name of a file, but {path} is a folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self.head, self.parts = path, head, parts

    def save(self) -> None:
        """Store where every part is."""
        states = {name: part.state_dict() for name, part in self.parts.items()}
        save_checkpoint({**self.head, **states}, self.path)

    def load(self) -> dict[str, Any]:
        """Bring every part to where the file left it; what the file holds, if there is one."""
        if not self.path.exists():
            return {}
        stored = load_checkpoint(self.path)
        _require_same_settings(stored["settings"], self.head["settings"], self.path)
        for name, part in self.parts.items():
            part.load_state_dict(stored[name])
        return stored


# --- is it the same run? -----------------------------------------------------------------


def _require_same_settings(then: dict[str, Any], now: dict[str, Any], path: Path) -> None:
    differences = [
        f"{name} is {then.get(name)!r} in the file and {value!r} in this call"
        for name, value in now.items()
        if then.get(name) != value
    ]
    if differences:
        raise ValueError(
            f"checkpoint {path} is of another run: {'; '.join(differences)}. Use the same "
            "settings to go on, or delete the file to start anew"
        )


def describe_model(model: nn.Module) -> str:
    """A short text that a model of other layers or sizes would not share."""
    tensors = model.state_dict()
    shapes = [(name, tuple(tensor.shape)) for name, tensor in tensors.items()]
    size = sum(each.numel() for each in model.parameters() if each.requires_grad)
    checksum = zlib.crc32(repr(shapes).encode())
    return f"{type(model).__name__} of {size:,} trainable parameters ({checksum:08x})"


def describe_set(image_set: ImageDataset | None) -> str | None:
    """A short text that other images or labels would not share."""
    if image_set is None:
        return None
    checksum = 0
    for tensor in (image_set.images, image_set.labels):
        checksum = zlib.crc32(tensor.contiguous().cpu().numpy().data, checksum)
    return f"{len(image_set):,} images ({checksum:08x})"


def describe_augment(augment: Callable[..., Tensor] | None) -> str | None:
    """The name of the function, and the arguments that ``functools.partial`` gave it."""
    if augment is None:
        return None
    if isinstance(augment, functools.partial):
        return f"{describe_augment(augment.func)} with {augment.args} {augment.keywords}"
    return getattr(augment, "__qualname__", type(augment).__qualname__)
