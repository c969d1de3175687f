"""What keeps the work of a long run: Ctrl-C that waits, and the checkpoint file.

``fit`` in the room ``training`` uses both. This room stores and reads a dict of plain values
and tensors, whole or not at all; it goes on only with the run that wrote the file, and never
replaces the file of another one.
"""

import glob
import io
import os
import re
import signal
import threading
import time
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import torch

from gnet_lib._check import first_line, shown
from gnet_lib.identity import describe_tensors, differences

CHECKPOINT_FORMAT = 3
STALE_AFTER = 3600  # seconds; no file takes that long to write
NAMED_DIFFERENCES = 3


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


def checkpoint_path(name: str | Path) -> Path:
    """The path that a name means; ``~`` is the home folder."""
    if not isinstance(name, (str, os.PathLike)):
        raise ValueError(f"checkpoint must be the name of a file, but it is {shown(name)}")
    try:
        return Path(name).expanduser()
    except (RuntimeError, TypeError) as error:  # nobody has that home; a path of bytes
        raise ValueError(f"checkpoint must be the name of a file, but {name!r}: {error}") from error


def save_checkpoint(state: dict[str, Any], path: Path) -> None:
    """Store a dict so that the file is at every moment the old one or the new one.

    A link stays: the file that it leads to is replaced.
    """
    target = Path(os.path.realpath(path))
    temporary = _write_beside(state, target)
    try:
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def _write_beside(state: dict[str, Any], target: Path) -> Path:
    """Write a dict to a file next to the one that it is to replace."""
    # Into memory first: a full disk is then told of by Python, in words.
    content = io.BytesIO()
    torch.save({"format": CHECKPOINT_FORMAT, **state}, content)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f"{target.name}.{os.getpid()}-{threading.get_ident()}.partial")
    try:
        with open(temporary, "wb") as file:
            file.write(content.getbuffer())
            file.flush()
            os.fsync(file.fileno())  # on the disk before it takes the old one's name
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def load_checkpoint(checkpoint: str | Path) -> dict[str, Any]:
    """Read a checkpoint file, for instance to evaluate its weights without a training set.

    To train longer than the run did, load its weights and begin a new run with a file of its
    own: ``model.load_state_dict(load_checkpoint("run.pt")["model"])``, then
    ``fit(model, images, epochs=10, checkpoint="longer.pt")``.

    Args:
        checkpoint: a file that ``fit`` wrote; ``~`` is the home folder.

    Returns:
        What the file holds, on the CPU. ``"model"`` are the weights for
        ``model.load_state_dict``, ``"progress"`` the rows of the history and where the run
        goes on, ``"settings"`` a description of the run: see ``gnet_lib.identity``.

    Raises:
        ValueError: if the file is missing, damaged or no checkpoint.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from torch import nn
        >>> from gnet_lib import ImageDataset, fit
        >>> images = ImageDataset(torch.randn(8, 1, 28, 28), torch.arange(8))
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder) / "run.pt"
        ...     _ = fit(model, images, epochs=2, batch_size=4, checkpoint=path, progress=False)
        ...     state = load_checkpoint(path)
        >>> len(state["progress"]["rows"]), sorted(state["model"])
        (2, ['1.bias', '1.weight'])
    """
    path = checkpoint_path(checkpoint)
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise ValueError(f"checkpoint {path} is missing: there is no such file") from error
    except (OSError, ValueError) as error:  # Python's ValueError: a name that cannot be one
        raise ValueError(
            f"checkpoint must be the name of a file that can be read, but {path} cannot: "
            f"{first_line(error)}"
        ) from error
    return _unpack(content, path)


def _unpack(content: bytes, path: Path) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:  # PyTorch checks no checksums
            if damaged := archive.testzip():
                raise zipfile.BadZipFile(f"the checksum of {damaged} is wrong")
        # weights_only: nothing but tensors and plain values, so no code can hide in it.
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
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


# --- the file of a run -------------------------------------------------------------------


class Stateful(Protocol):
    """What can say in plain values and tensors where it is, and go back there."""

    def state_dict(self) -> dict[str, Any]:
        """Where it is."""
        ...

    def load_state_dict(self, state: dict[str, Any], /) -> Any:
        """Go there."""
        ...


class Checkpoint:
    """The file of a run: what the run is, and where each of its parts is.

    Args:
        name: of the file; its folder is made.
        head: plain values to be stored with the parts. ``"settings"`` describe the run: a
            file goes on only with the same ones.
        parts: what changes as the run goes on, by name; a ``"model"`` and the ``"progress"``
            are among them.
        unknown: settings that this call says nothing about; those of the file hold.
    """

    def __init__(
        self,
        name: str | Path,
        head: dict[str, Any],
        parts: Mapping[str, Stateful],
        unknown: tuple[str, ...] = (),
    ) -> None:
        self.path, self.parts, self.unknown = checkpoint_path(name), parts, unknown
        # Found once: the program may change its folder during the run.
        self.target = Path(os.path.realpath(self.path))
        self.head = {**head, "first weights": describe_tensors(parts["model"].state_dict())}
        self.written: Signature | None = None  # of the file, as this run left or found it
        self.up_to_date = False

    def load(self) -> dict[str, Any]:
        """Bring every part to where the file left it; what the file holds, if there is one.

        Before that it is made sure that the file is this run's, and that it can be written.
        """
        with _clear_path_error(self.path):
            if self.target.exists() and not self.target.is_file():
                kind = "a folder" if self.target.is_dir() else "no ordinary file"
                raise ValueError(
                    f"checkpoint must be the name of a file, but {self.path} is {kind}"
                )
            self.written = signature(self.target)
        stored = self._read() if self.written else {}
        if stored:
            self._require_this_run(stored)
            self.head |= {key: stored[key] for key in ("settings", "first weights")}
        if not stored or stored["progress"]["epoch"] <= stored["progress"]["epochs"]:
            self._rehearse()
        for name, part in self.parts.items() if stored else ():
            part.load_state_dict(stored[name])
        return stored

    def save(self) -> None:
        """Store where every part is, or warn that it cannot be done: the run goes on."""
        try:
            trouble = self._other_owner()
            if trouble is None:
                save_checkpoint({**self.head, **self._states()}, self.target)
                self.written = signature(self.target)
        except (OSError, RuntimeError) as error:  # PyTorch's own is a RuntimeError
            before = "The file is as it was before" if self.written else "There is no file yet"
            trouble = f"{first_line(error)}. {before}"
        self.up_to_date = trouble is None
        if trouble is not None:
            warnings.warn(
                f"checkpoint {self.path} could not be stored: {trouble}. The training goes on, "
                "and fit tries again at the next epoch's end",
                RuntimeWarning,
                stacklevel=4,  # the line that called fit
            )

    def _read(self) -> dict[str, Any]:
        stored = load_checkpoint(self.target)
        if missing := [name for name in (*self.head, *self.parts) if name not in stored]:
            raise ValueError(
                f"checkpoint {self.path} must hold a whole run, but {', '.join(missing)} is "
                "missing; delete it to start anew, or give another name"
            )
        return stored

    def _states(self) -> dict[str, Any]:
        return {name: part.state_dict() for name, part in self.parts.items()}

    def _other_owner(self) -> str | None:
        """Why the file must stay: it has become another run's, or is further than this one."""
        found = signature(self.target)
        if found is None or found == self.written:
            return None
        try:
            there = self._read()
        except ValueError as error:
            return f"something else has taken its place ({error})"
        if unequal := self._other_run(there, self.head):
            return (
                f"it now belongs to another run ({unequal}), which is left as it is. Give each "
                "run a file of its own"
            )
        theirs, own = there["progress"], self.parts["progress"].state_dict()
        if (theirs["epoch"], theirs["step"]) > (own["epoch"], own["step"]):
            return (
                "another process trains the same run in the same file and is further, at epoch "
                f"{theirs['epoch']}, step {theirs['step']}; its file is kept"
            )
        return None

    # --- is it the same run? -------------------------------------------------------------

    def _other_run(self, stored: Mapping[str, Any], now: Mapping[str, Any]) -> str:
        """In which settings, or else in that the first weights, a stored run is another one."""
        found = differences(stored["settings"], now["settings"])
        if not found and stored["first weights"] != now["first weights"]:
            return "the first weights are others"
        return _listed(found)

    def _require_this_run(self, stored: dict[str, Any]) -> None:
        found = differences(stored["settings"], self.head["settings"], self.unknown)
        if list(found) == ["epochs"]:
            raise ValueError(
                f"checkpoint {self.path} is of another run: {found['epochs']}. The learning "
                "rate of each step depends on the number of epochs, so a run cannot be made "
                "longer. To train on from its weights, begin a new run with another file: "
                f'model.load_state_dict(load_checkpoint("{self.path}")["model"]), then '
                'fit(..., checkpoint="longer.pt")'
            )
        if found:
            raise ValueError(
                f"checkpoint {self.path} is of another run: {_listed(found)}. Use the same "
                "settings to go on, delete the file to start anew, or give another name"
            )
        possible = stored["first weights"], describe_tensors(stored["model"])
        if self.head["first weights"] not in possible:
            raise ValueError(
                f"checkpoint {self.path} is of another run: the model has other weights in "
                "this call than that run began with. Call set_seed with the same seed before "
                "building the model, or load what is stored, "
                f'model.load_state_dict(load_checkpoint("{self.path}")["model"]); to start '
                "anew, delete the file or give another name"
            )

    # --- can it be written? --------------------------------------------------------------

    def _rehearse(self) -> None:
        """Store everything beside the file, read it and remove it: better now than in an hour."""
        states = self._states()
        with _clear_path_error(self.path), _clear_content_error(list(states)):
            temporary = _write_beside({**self.head, **states}, self.target)
            try:
                torch.load(temporary, map_location="cpu", weights_only=True)
            finally:
                temporary.unlink()
        _remove_stale(self.target)


def _listed(found: Mapping[str, str]) -> str:
    named = list(found.values())[:NAMED_DIFFERENCES]
    more = len(found) - len(named)
    return "; ".join([*named, f"and {more} more"] if more else named)


@contextmanager
def _clear_path_error(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ValueError(
            f"checkpoint must be the name of a file that can be written, but {path} cannot: "
            f"{first_line(error)}. Give the name of a file in another folder"
        ) from error


@contextmanager
def _clear_content_error(parts: list[str]) -> Iterator[None]:
    try:
        yield
    except OSError:  # of the place, not of the content
        raise
    except Exception as error:
        # Of what it will not read PyTorch tells in a later line.
        cause = re.search("Unsupported.*GLOBAL [^ ]+", str(error))
        raise ValueError(
            f"checkpoint cannot hold this run: the state_dict of each part ({', '.join(parts)}) "
            "must consist of plain values and tensors, but storing and reading them failed: "
            f"{cause.group() if cause else first_line(error)}; leave checkpoint out"
        ) from error


def _remove_stale(target: Path) -> None:
    """Remove what processes that were killed in the middle of writing left behind."""
    for left in target.parent.glob(f"{glob.escape(target.name)}.*.partial"):
        with suppress(OSError):  # it does no harm where it stays
            if time.time() - left.stat().st_mtime > STALE_AFTER:
                left.unlink()


Signature = tuple[int, int, int]


def signature(path: Path) -> Signature | None:
    """What shows at a glance that a file is another one; None if there is no file."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
