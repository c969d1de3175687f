"""Where to compute and how precisely: a device counts when it works, bfloat16 when it is native."""

import random
import warnings

import numpy
import pytest
import torch
from torch.nn import functional as F

from gnet_lib import device
from gnet_lib.device import choose_precision, computes_bfloat16, pick_device, set_seed

CPU = torch.device("cpu")

# --- device ------------------------------------------------------------------------------


def list_devices(monkeypatch, **listed: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: listed.get("cuda", False))
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: listed.get("mps", False))


def break_devices(monkeypatch, *broken: str) -> None:
    def try_device(device: torch.device) -> None:
        if device.type in broken:
            raise RuntimeError(f"no kernel image for {device}\nCUDA kernel errors might ...")

    monkeypatch.setattr(device, "try_device", try_device)


def test_without_an_accelerator_the_cpu_is_taken_in_silence(monkeypatch):
    list_devices(monkeypatch)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert pick_device() == CPU


@pytest.mark.parametrize(
    ("listed", "chosen"), [(("cuda", "mps"), "cuda"), (("mps",), "mps"), (("cuda",), "cuda")]
)
def test_a_working_accelerator_is_taken(monkeypatch, listed, chosen):
    list_devices(monkeypatch, **dict.fromkeys(listed, True))
    break_devices(monkeypatch)
    assert pick_device() == torch.device(chosen)


@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_a_listed_but_broken_accelerator_is_left_out_and_named(monkeypatch, name):
    list_devices(monkeypatch, **{name: True})
    break_devices(monkeypatch, name)
    expected = rf"the device {name} does not work \(no kernel image for {name}\); cpu is used"
    with pytest.warns(RuntimeWarning, match=expected) as caught:
        assert pick_device() == CPU
    assert len(caught) == 1
    assert caught[0].filename == __file__  # it points at the caller's line


def test_the_next_accelerator_follows_a_broken_one(monkeypatch):
    list_devices(monkeypatch, cuda=True, mps=True)
    break_devices(monkeypatch, "cuda")
    with pytest.warns(RuntimeWarning, match="cuda does not work .*; mps is used instead"):
        assert pick_device() == torch.device("mps")


@pytest.mark.parametrize("wanted", ["cuda", "cuda:1", torch.device("mps")])
def test_an_unusable_wanted_device_falls_back_to_the_cpu(monkeypatch, wanted):
    list_devices(monkeypatch)
    break_devices(monkeypatch, "cuda", "mps")
    with pytest.warns(RuntimeWarning, match=rf"{wanted} does not work .*; cpu is used instead"):
        assert pick_device(wanted) == CPU


@pytest.mark.parametrize("wanted", ["gpu", "xpu", "cuda:first", "", 3.5])
def test_an_unknown_device_is_refused(wanted):
    with pytest.raises(ValueError, match=rf"device .* cuda, mps, cpu, but it is {wanted!r}"):
        pick_device(wanted)


def test_the_probe_runs_a_convolution_and_looks_at_its_result(monkeypatch):
    convolve = F.conv2d
    device.try_device(CPU)
    with monkeypatch.context() as patch:
        patch.setattr(F, "conv2d", lambda *given: 2 * convolve(*given))
        with pytest.raises(RuntimeError, match="wrong result"):
            device.try_device(CPU)
    # Right forwards, wrong backwards:
    with monkeypatch.context() as patch:
        patch.setattr(F, "conv2d", lambda *given: 0 * convolve(*given) + 9)
        with pytest.raises(RuntimeError, match="wrong result"):
            device.try_device(CPU)


@pytest.mark.parametrize("without", [torch.no_grad, torch.inference_mode])
def test_a_device_works_also_where_the_caller_wants_no_gradients(without):
    with warnings.catch_warnings(), without():
        warnings.simplefilter("error")
        assert pick_device("cpu") == CPU


# --- precision ---------------------------------------------------------------------------


def say_capabilities(monkeypatch, **capabilities: bool) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)


def test_a_cpu_computes_bfloat16_when_it_lists_an_instruction_for_it(monkeypatch):
    for listed, expected in [
        ({"avx512_bf16": True, "amx_bf16": False}, True),
        ({"avx512_bf16": False, "amx_bf16": True}, True),
        ({"avx512_bf16": False, "amx_bf16": False, "avx512_f": True}, False),
        ({"neon": True}, False),
    ]:
        say_capabilities(monkeypatch, **listed)
        assert computes_bfloat16("cpu") is expected


@pytest.mark.parametrize("instruction", ["_is_avx512_bf16_supported", "_is_amx_tile_supported"])
def test_an_older_pytorch_is_asked_in_its_own_way(monkeypatch, instruction):
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    for name in names:
        monkeypatch.setattr(torch.cpu, name, lambda: False, raising=False)
    assert computes_bfloat16("cpu") is False
    monkeypatch.setattr(torch.cpu, instruction, lambda: True)
    assert computes_bfloat16("cpu") is True
    for name in names:  # older still
        monkeypatch.delattr(torch.cpu, name)
    assert computes_bfloat16("cpu") is False


def test_this_cpu_is_described_as_its_system_describes_it():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            flags = set(file.read().split())
    except FileNotFoundError:  # not Linux: at least the answer is plain
        assert computes_bfloat16("cpu") in (True, False)
        return
    assert computes_bfloat16("cpu") is bool({"avx512_bf16", "amx_bf16"} & flags)


def test_a_gpu_counts_only_without_emulation(monkeypatch):
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation
    )
    assert computes_bfloat16("cuda") is False
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    assert computes_bfloat16("cuda:0") is True
    assert computes_bfloat16("mps") is False
    with pytest.raises(ValueError, match="cuda, mps, cpu, but it is 'tpu'"):
        computes_bfloat16("tpu")


@pytest.mark.parametrize(
    ("mixed_precision", "native", "expected"),
    [
        (None, True, torch.bfloat16), (None, False, torch.float32),
        (True, False, torch.bfloat16), (False, True, torch.float32),
    ],
)  # fmt: skip
def test_the_device_decides_unless_the_caller_does(monkeypatch, mixed_precision, native, expected):
    monkeypatch.setattr(device, "computes_bfloat16", lambda device: native)
    assert choose_precision(mixed_precision, CPU) == expected


@pytest.mark.parametrize("wanted", ["yes", 1, 0.0, torch.bfloat16])
def test_mixed_precision_is_yes_or_no_or_none(wanted):
    with pytest.raises(ValueError, match=f"mixed_precision .*, but it is {wanted!r}"):
        choose_precision(wanted, CPU)


# --- random numbers ----------------------------------------------------------------------


def draw() -> tuple[float, ...]:
    return random.random(), numpy.random.rand(), torch.rand(1).item()


def test_set_seed_repeats_every_generator():
    set_seed(5)
    first = draw()
    set_seed(5)
    assert draw() == first
    set_seed(6)
    assert not set(draw()) & set(first)


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, True])
def test_a_seed_that_not_every_generator_takes_is_refused(seed):
    with pytest.raises(ValueError, match=f"seed .* from 0 to 4294967295, but it is {seed!r}"):
        set_seed(seed)


def test_generators_go_back_to_where_they_stood():
    own = torch.Generator()
    generators = device.RandomGenerators(CPU, own)
    state = generators.state_dict()
    first = (*draw(), torch.rand(1, generator=own).item())
    generators.load_state_dict(state)
    assert (*draw(), torch.rand(1, generator=own).item()) == first
