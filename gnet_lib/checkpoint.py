"""What keeps the work of a long run: Ctrl-C that waits, and the checkpoint file.

``fit`` in the room ``training`` uses both. A checkpoint holds all that changes in a run:
weights, optimiser, schedule, random generators, history and the place in the epoch. The
same call of ``fit`` goes on from there, exactly.
"""

import functools
import os
import random
import signal
import threading
import zipfile
import zlib
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from gnet_lib.data import ImageDataset

if TYPE_CHECKING:  # training imports this room, so this room cannot import training
    from gnet_lib.training import Augment, Run

CHECKPOINT_FORMAT = 1


# --- Ctrl-C ------------------------------------------------------------------------------


class StopOnInterrupt:
    """Turns the first Ctrl-C into a wish, ``requested``; a second one stops at once.

    An exception could arrive in the middle of the optimiser's step and leave half of the
    weights changed. Python lets only the main thread handle signals: in any other thread
    this does nothing, and Ctrl-C raises KeyboardInterrupt in the main one as always.
    """

    def __init__(self) -> None:
        self.requested = False
        self._former = None

    def __enter__(self) -> "StopOnInterrupt":
        former = signal.getsignal(signal.SIGINT)
        replaceable = former not in (None, signal.SIG_IGN)
        if replaceable and threading.current_thread() is threading.main_thread():
            self._former = signal.signal(signal.SIGINT, self._handle)
        return self

    def _handle(self, signal_number: int, frame: Any) -> None:
        # No print here: a signal may interrupt another print.
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True

    def __exit__(self, *exception: Any) -> None:
        if self._former is not None:
            signal.signal(signal.SIGINT, self._former)


def _place(run: "Run") -> str:
    if run.finished:
        return f"all {run.settings.epochs} epochs are complete"
    return (
        f"epoch {run.epoch} of {run.settings.epochs}, "
        f"after step {run.step} of {run.steps_per_epoch}"
    )


def interrupted_line(run: "Run", path: Path | None) -> str:
    """What ``fit`` says after Ctrl-C: how far it came, and how to go on."""
    line = f"stopped by Ctrl-C: {_place(run)}; the model keeps what it has learnt"
    if run.finished:
        return line
    if path is None:
        return f"{line}. To be able to go on after a stop, give fit a checkpoint=..."
    return f"{line}. To go on, call fit again with the same arguments ({path})"


# --- checkpoint --------------------------------------------------------------------------


def save_checkpoint(run: "Run", path: Path) -> None:
    """Store the run so that the file is at every moment the old one or the new one."""
    state = {
        "format": CHECKPOINT_FORMAT,
        "settings": run.identity,
        "device": run.device.type,
        "precision": precision_name(run),
        "epoch": run.epoch,
        "step": run.step,
        "totals": asdict(run.totals),
        "watched": run.watched,
        "rows": run.history.rows,
        "model": run.model.state_dict(),
        "optimizer": run.optimizer.state_dict(),
        "scheduler": run.scheduler.state_dict(),
        "random": random_states(run),
    }
    temporary = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        with open(temporary, "wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())  # on the disk before it takes the old one's name
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def resume(run: "Run", path: Path) -> None:
    """Bring a run to where its checkpoint left off; without a file do nothing."""
    if path.is_dir():
        raise ValueError(f"checkpoint must be the name of a file, but {path} is a folder")
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        return
    state = load_checkpoint(path)
    _require_same_run(run, state, path)
    run.model.load_state_dict(state["model"])
    run.optimizer.load_state_dict(state["optimizer"])
    run.scheduler.load_state_dict(state["scheduler"])
    run.epoch, run.step = state["epoch"], state["step"]
    run.totals = replace(run.totals, **state["totals"])
    run.watched = state["watched"]
    run.history.rows = state["rows"]
    same_device = state["device"] == run.device.type
    restore_random_states(run, state["random"], same_device)
    print(_resumed_line(run, path, state))


def load_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint file, for instance to evaluate its weights without a training set.

    Args:
        path: a file that ``fit`` wrote.

    Returns:
        What the file holds, on the CPU. ``"model"`` are the weights for
        ``model.load_state_dict``, ``"rows"`` those of the history, ``"epoch"`` and
        ``"step"`` where the run goes on, ``"settings"`` what the run was called with.

    Raises:
        ValueError: if the file is missing, damaged or no checkpoint.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from gnet_lib.training import fit
        >>> images = ImageDataset(torch.randn(8, 1, 28, 28), torch.arange(8))
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder) / "run.pt"
        ...     history = fit(model, images, epochs=2, batch_size=4, checkpoint=path, progress=False)
        ...     state = load_checkpoint(path)
        >>> len(state["rows"]), sorted(state["model"])
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
    return {"precision": "float32", "watched": [], **state}  # early files hold neither


def _require_same_run(run: "Run", state: dict[str, Any], path: Path) -> None:
    then = state["settings"]
    differences = [
        f"{name} is {then.get(name)!r} in the file and {value!r} in this call"
        for name, value in run.identity.items()
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
        checksum = zlib.crc32(tensor.contiguous().cpu().numpy(), checksum)
    return f"{len(image_set):,} images ({checksum:08x})"


def describe_augment(augment: "Augment | None") -> str | None:
    """The name of the function, and the arguments that ``functools.partial`` gave it."""
    if augment is None:
        return None
    if isinstance(augment, functools.partial):
        return f"{describe_augment(augment.func)} with {augment.args} {augment.keywords}"
    return getattr(augment, "__qualname__", type(augment).__qualname__)


def random_states(run: "Run") -> dict[str, Any]:
    """Where every random generator stands, in plain values and tensors."""
    import numpy

    name, keys, *rest = numpy.random.get_state()
    accelerator = None
    if run.device.type == "cuda":
        accelerator = torch.cuda.get_rng_state(run.device)
    elif run.device.type == "mps":
        accelerator = torch.mps.get_rng_state()
    return {
        "python": random.getstate(),
        "numpy": (name, keys.tolist(), *rest),
        "torch": torch.get_rng_state(),
        "accelerator": accelerator,
        "augment": run.generator.get_state(),
    }


def restore_random_states(run: "Run", states: dict[str, Any], same_device: bool) -> None:
    """Put every generator back; a device's own only on the same kind of device."""
    import numpy

    random.setstate(states["python"])
    numpy.random.set_state(states["numpy"])
    torch.set_rng_state(states["torch"])
    if same_device:
        run.generator.set_state(states["augment"])
        if run.device.type == "cuda":
            torch.cuda.set_rng_state(states["accelerator"], run.device)
        elif run.device.type == "mps":
            torch.mps.set_rng_state(states["accelerator"])


def precision_name(run: "Run") -> str:
    """``"bfloat16"`` or ``"float32"``: what the run's steps are computed in."""
    return str(run.precision).removeprefix("torch.")


def _resumed_line(run: "Run", path: Path, state: dict[str, Any]) -> str:
    if run.finished:
        return f"{path}: {_place(run)}; weights and history are loaded, nothing is left to train"
    line = f"resumed from {path}: {_place(run)}"
    device, precision = state["device"], state["precision"]
    if device != run.device.type:
        line += (
            f". It was stored on {device} and goes on on {run.device.type}, so dropout and "
            "augmentation will not be those of a run that was never stopped"
        )
    if precision != precision_name(run):
        line += (
            f". Its steps were computed in {precision} and go on in {precision_name(run)}, so "
            "its weights will not be exactly those of a run that was never stopped"
        )
    return line


def first_line(error: Exception) -> str:
    """The first line of an error's text, or the error's name where it has none."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__
