"""Where to compute, how precisely, and from which random numbers.

``pick_device`` chooses a device that really works; ``choose_precision`` says what its
convolutions are computed in; ``set_seed`` makes a run repeatable, and ``RandomGenerators``
notes where every generator stands.
"""

import random
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import pairwise
from typing import Any

import numpy
import torch
from torch.nn import functional as F

from gnet_lib._check import first_line, require_whole_number, shown
from gnet_lib._modes import gradients_on

DEVICES = ("cuda", "mps", "cpu")
LARGEST_SEED = 2**32 - 1  # NumPy's generator takes no larger one


# --- device ------------------------------------------------------------------------------


def pick_device(device: str | torch.device | None = None) -> torch.device:
    """Choose where to compute: a CUDA GPU, else Apple's MPS, else the CPU.

    A device counts only when a small convolution and its gradient really ran on it: a
    GPU that is listed but does not work (an old driver, a card that this PyTorch was
    not built for) is left out with a ``RuntimeWarning`` that names the cause.

    Args:
        device: ``"cuda"``, ``"mps"`` or ``"cpu"``; None chooses. Where this device does not
            work, the CPU is used, with the warning.

    Returns:
        The device, to be given to ``.to(device)``.

    Raises:
        ValueError: for any other name.

    Example:
        >>> pick_device("cpu")
        device(type='cpu')
    """
    candidates = [_parse_device(device)] if device is not None else _listed_accelerators()
    cpu = torch.device("cpu")
    for candidate, following in pairwise([*candidates, cpu]):
        try:
            try_device(candidate)
            return candidate
        except Exception as error:  # a broken driver may raise anything
            warnings.warn(
                f"the device {candidate} does not work ({first_line(error)}); "
                f"{following} is used instead",
                RuntimeWarning,
                stacklevel=2,
            )
    return cpu


def try_device(device: torch.device) -> None:
    """Run a convolution of ones, whose answer is known, forwards and backwards."""
    with gradients_on():
        images = torch.ones(1, 1, 4, 4, device=device)
        weight = torch.ones(1, 1, 3, 3, device=device, requires_grad=True)
        total = F.conv2d(images, weight).sum()  # four sums of nine ones
        (gradient,) = torch.autograd.grad(total, weight)  # each of the nine weights met four ones
    if (total.item(), gradient.sum().item()) != (36.0, 36.0):
        raise RuntimeError("a convolution of ones gave a wrong result")


def _listed_accelerators() -> list[torch.device]:
    listed = {"cuda": torch.cuda.is_available, "mps": torch.backends.mps.is_available}
    return [torch.device(name) for name, is_available in listed.items() if is_available()]


def _parse_device(wanted: str | torch.device) -> torch.device:
    try:  # a number would be a device, too: True would be the second GPU
        device = torch.device(wanted) if isinstance(wanted, (str, torch.device)) else None
    except RuntimeError:  # torch does not know the name either
        device = None
    if device is None or device.type not in DEVICES:
        raise ValueError(
            f"device must be one of {', '.join(DEVICES)}, but it is {shown(wanted)}; "
            "leave it out to have the best working one chosen"
        )
    return device


def device_of(model: torch.nn.Module) -> torch.device:
    """Where a model's parameters are; of a model without any, the CPU."""
    return next((parameter.device for parameter in model.parameters()), torch.device("cpu"))


def memory_format(device: torch.device) -> torch.memory_format:
    """The order of images and of a convolution's weights in a device's memory.

    All channels of a pixel side by side (``channels_last``) are about twice as fast on a CPU.
    """
    return torch.preserve_format if device.type == "mps" else torch.channels_last


# --- precision ---------------------------------------------------------------------------


def computes_bfloat16(device: str | torch.device) -> bool:
    """Whether a device computes bfloat16 itself, which makes training faster on it.

    Elsewhere PyTorch computes bfloat16 too, but as a detour over float32, which costs
    time instead of saving it. The devices that do it themselves are NVIDIA GPUs since 2020
    (Ampere), AMD's that PyTorch supports, and x86 CPUs with the instructions AVX512_BF16
    or AMX. Apple's MPS is not counted among them.

    Args:
        device: ``"cuda"``, ``"mps"`` or ``"cpu"``.

    Returns:
        True where bfloat16 is the device's own, else False.

    Raises:
        ValueError: for any other name.

    Example:
        >>> computes_bfloat16("mps")
        False
    """
    kind = _parse_device(device).type
    if kind == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return kind == "cpu" and _cpu_computes_bfloat16()


def _cpu_computes_bfloat16() -> bool:
    if hasattr(torch.cpu, "get_capabilities"):
        has = torch.cpu.get_capabilities()
        return bool(has.get("avx512_bf16") or has.get("amx_bf16"))
    # Older releases of PyTorch answer under private names only, or not at all.
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, lambda: False)() for name in names)


def choose_precision(mixed_precision: bool | None, device: torch.device) -> torch.dtype:
    """What ``fit``'s argument means on a device: bfloat16 or float32."""
    if not (mixed_precision is None or isinstance(mixed_precision, bool)):
        raise ValueError(
            "mixed_precision must be True, False or None (the device decides), but it is "
            f"{shown(mixed_precision)}"
        )
    if mixed_precision is None:
        mixed_precision = computes_bfloat16(device)
    return torch.bfloat16 if mixed_precision else torch.float32


def autocast(device: torch.device, precision: torch.dtype) -> AbstractContextManager[Any]:
    """Have convolutions and matrix products computed in a precision, in a ``with`` block."""
    if precision == torch.float32:
        return nullcontext()
    return torch.autocast(device.type, dtype=precision)


# --- random numbers ----------------------------------------------------------------------


def set_seed(seed: int) -> None:
    """Seed every generator in use: Python's, NumPy's and PyTorch's on all devices.

    Args:
        seed: a whole number from 0 to 4294967295.

    Raises:
        ValueError: for any other seed.

    Example:
        >>> set_seed(3)
        >>> first = torch.rand(2)
        >>> set_seed(3)
        >>> bool((torch.rand(2) == first).all())
        True
    """
    seed = require_whole_number("seed", seed, at_least=0, at_most=LARGEST_SEED)
    random.seed(seed)
    numpy.random.seed(seed)
    torch.manual_seed(seed)


class GlobalGenerators:
    """The generators that every program shares: Python's, NumPy's, PyTorch's, a device's.

    Args:
        device: where a run computes; a GPU has a generator of its own.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def seed(self, seed: int) -> None:
        """Seed each of them, and no other device's."""
        random.seed(seed)
        numpy.random.seed(seed)
        torch.default_generator.manual_seed(seed)
        if self.device.type == "cuda":
            with torch.cuda.device(self.device):
                torch.cuda.manual_seed(seed)
        elif self.device.type == "mps":
            torch.mps.manual_seed(seed)

    def state_dict(self) -> dict[str, Any]:
        """Where each of them stands, in plain values and tensors."""
        name, keys, *rest = numpy.random.get_state(legacy=True)
        accelerator = None
        if self.device.type == "cuda":
            accelerator = torch.cuda.get_rng_state(self.device)
        elif self.device.type == "mps":
            accelerator = torch.mps.get_rng_state()
        return {
            "device": self.device.type,
            "python": random.getstate(),
            "numpy": (name, numpy.asarray(keys).tolist(), *rest),
            "torch": torch.get_rng_state(),
            "accelerator": accelerator,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put each of them back; a device's own only on the same kind of device."""
        random.setstate(state["python"])
        numpy.random.set_state(state["numpy"])
        torch.set_rng_state(state["torch"])
        if state["device"] != self.device.type:
            return
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(state["accelerator"], self.device)
        elif self.device.type == "mps":
            torch.mps.set_rng_state(state["accelerator"])


class RandomGenerators(GlobalGenerators):
    """All generators that a run draws from: the global ones, and the augmentation's own.

    Args:
        device: where the run computes; a GPU has a generator of its own.
        augment: the generator that the augmentation is called with.
    """

    def __init__(self, device: torch.device, augment: torch.Generator) -> None:
        super().__init__(device)
        self.augment = augment

    def state_dict(self) -> dict[str, Any]:
        """Where every generator stands, in plain values and tensors."""
        return {**super().state_dict(), "augment": self.augment.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put every generator back; a device's own only on the same kind of device."""
        super().load_state_dict(state)
        if state["device"] == self.device.type:
            self.augment.set_state(state["augment"])


@contextmanager
def generators_restored(device: torch.device) -> Iterator[GlobalGenerators]:
    """Have the global generators to oneself; afterwards each is where it was."""
    generators = GlobalGenerators(device)
    before = generators.state_dict()
    try:
        yield generators
    finally:
        generators.load_state_dict(before)
