"""Tests of gnet_lib.timing.

Truth from outside: a stopwatch whose time is known, and bytes and peaks counted by hand
and by running the real module.
"""

import dataclasses
import weakref
from typing import Any

import numpy as np
import pytest
import torch
from printed_table import MODULES
from probes import frozen_in_part, on_meta, refuses, snapshot
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from gnet_lib import timing
from gnet_lib.design import NAIVE, REDUCED, Conv, Design, Pool
from gnet_lib.googlenet import MiniGoogLeNet
from gnet_lib.inception import Inception, InceptionBase, NaiveInception
from gnet_lib.paper import WIDTHS, InceptionWidths


class TwoBranches(InceptionBase):
    """A pooling at the end of a branch, a kernel that is no square, an order of its own."""

    design = Design(
        "two branches",
        {"wide": (Conv(1, "c3x3"), Pool(5)), "flat": (Conv((3, 5), "pool_proj"),)},
        concat_order=("flat", "wide"),
    )


KINDS = pytest.mark.parametrize("kind", [NaiveInception, Inception, TwoBranches])

# --- the stopwatch -----------------------------------------------------------------------


class Clock(nn.Module):
    """A network whose passes take the seconds that it is given, on a clock of its own."""

    def __init__(self, seconds: list[float]) -> None:
        super().__init__()
        self.seconds, self.now, self.seen = iter(seconds), 0.0, []

    def forward(self, x):
        self.now += next(self.seconds)
        self.seen.append((self.training, torch.get_num_threads(), torch.is_grad_enabled()))
        return x


@pytest.fixture
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("seconds, repeats, fastest", [
    ([0.5, 0.25, 4.0, 2.0, 3.0], 3, 2000),  # the two fastest are not timed
    ([0.0, 0.0, 4.0], 1, 4000),
])  # fmt: skip
def test_latency_is_the_fastest_timed_pass_in_milliseconds(
    monkeypatch, three_threads, seconds, repeats, fastest
):
    model = Clock(seconds)
    monkeypatch.setattr(timing.time, "perf_counter", lambda: model.now)
    assert timing.latency_ms(model, torch.zeros(1), repeats) == fastest
    # In evaluation, on one thread, without a graph.
    assert model.seen == [(False, 1, False)] * len(seconds)
    assert torch.get_num_threads() == 3 and model.training


def test_latency_times_twenty_passes_unless_told_otherwise():
    model = Clock([0.0] * 100)
    timing.latency_ms(model, torch.zeros(1))
    assert len(model.seen) == 2 + 20


def test_latency_leaves_the_model_and_the_random_numbers_alone(three_threads):
    model = frozen_in_part()
    before = snapshot(model)
    timing.latency_ms(model, torch.zeros(2, 1, 28, 28), repeats=2)
    assert snapshot(model) == before
    with pytest.raises(ValueError, match="images must have the shape"):
        timing.latency_ms(model, torch.zeros(1, 3, 28, 28))
    assert snapshot(model) == before  # an error makes no difference
    assert torch.get_num_threads() == 3


# --- the machine -------------------------------------------------------------------------


def test_the_roof():
    machine = timing.Machine(operations=100.0, bandwidth=10.0)
    assert [machine.limit(intensity) for intensity in (0, 1, 10, 50)] == [0, 10, 100, 100]
    with pytest.raises(dataclasses.FrozenInstanceError):
        machine.__setattr__("bandwidth", 20.0)


def test_measured_machine_is_plausible_and_leaves_the_threads_alone(three_threads):
    machine = timing.measure_machine(size=64, repeats=1)
    assert torch.get_num_threads() == 3
    # Any computer that runs PyTorch, and none that exists.
    assert 1e8 < machine.operations < 1e14
    assert 1e7 < machine.bandwidth < 1e13


# What one call does, from the tensors that it gets and gives: two operations a multiply-add, or
# bytes of float32 that are read and written.
DOES = {
    "mm": lambda result, a, b: 2 * result.numel() * a.shape[1],
    "conv2d": lambda result, maps, weight: 2 * result.numel() * weight[0].numel(),
    "copy_": lambda result, target, source: 2 * 4 * source.numel(),
}


class Stopwatch:
    """A clock that moves by the given seconds whenever one of the three works."""

    def __init__(self, seconds: dict[str, float]) -> None:
        self.seconds, self.now = seconds, 0.0
        self.passes, self.done = dict.fromkeys(seconds, 0), dict.fromkeys(seconds, 0)

    def watch(self, name: str, work: Any) -> Any:
        def watched(*arguments: Any, **options: Any) -> Any:
            assert torch.get_num_threads() == 1
            result = work(*arguments, **options)
            self.now += self.seconds[name]
            self.passes[name] += 1
            self.done[name] = DOES[name](result, *arguments)
            return result

        return watched


@pytest.mark.parametrize("seconds, faster", [
    ({"mm": 2.0, "conv2d": 4.0, "copy_": 0.5}, "conv2d"),
    ({"mm": 0.001, "conv2d": 4.0, "copy_": 0.5}, "mm"),
], ids=["convolution", "product"])  # fmt: skip
def test_measured_limits_are_what_was_done_in_the_fastest_time(monkeypatch, seconds, faster):
    """A product of 100x100 matrices, a 3x3 convolution of 256 channels, a copy of 64 matrices."""
    stopwatch = Stopwatch(seconds)
    monkeypatch.setattr(timing.time, "perf_counter", lambda: stopwatch.now)
    for place, name in ((torch, "mm"), (torch, "conv2d"), (torch.Tensor, "copy_")):
        monkeypatch.setattr(place, name, stopwatch.watch(name, getattr(place, name)))
    machine = timing.measure_machine(size=100)
    assert stopwatch.done == {
        "mm": 2 * 100**3, "conv2d": 2 * 9 * 256 * 256 * 28 * 28, "copy_": 2 * 4 * 64 * 100**2,
    }  # fmt: skip
    assert machine.operations == pytest.approx(stopwatch.done[faster] / seconds[faster], rel=1e-9)
    assert machine.bandwidth == stopwatch.done["copy_"] / 0.5
    assert stopwatch.passes == dict.fromkeys(seconds, 2 + 10)  # the first two are not timed


# --- what a module moves -----------------------------------------------------------------


def bytes_seen_by_running(model: nn.Module, batch: torch.Tensor) -> int:
    """What every layer without children reads and writes, and its parameters, in bytes."""
    seen = []

    def note(layer, inputs, output):
        if not isinstance(layer, nn.ReLU):  # at best it works on what its convolution still holds
            parameters = sum(each.numel() for each in layer.parameters())
            seen.append(inputs[0].numel() + output.numel() + parameters)

    leaves = [layer for layer in model.modules() if not list(layer.children())]
    handles = [layer.register_forward_hook(note) for layer in leaves]
    output = model(batch)
    for handle in handles:
        handle.remove()
    return 4 * (sum(seen) + 2 * output.numel())  # the concatenation reads and writes its output


@KINDS
@pytest.mark.parametrize("printed", MODULES, ids=lambda each: each.name)
def test_bytes_are_those_of_the_running_module(printed, kind):
    model = on_meta(lambda: kind(printed.in_channels, printed.widths))
    batch = torch.empty(1, printed.in_channels, printed.size, printed.size, device="meta")
    counted = timing.module_bytes(printed.in_channels, printed.widths, printed.size, kind.design)
    assert counted == bytes_seen_by_running(model, batch)


def test_bytes_of_a_convolution_by_hand():
    # (2 + 3 channels) * 16 pixels, 9 * 2 * 3 weights and 3 biases, 4 bytes each
    assert timing.conv_bytes(2, 3, kernel_size=3, size=4) == 4 * (5 * 16 + 54 + 3)
    assert timing.conv_bytes(1, 1, (1, 3), 1) == 4 * (2 + 3 + 1)


def test_intensity_of_3a_by_hand():
    for design, multiply_adds in ((NAIVE, 303_464_448), (REDUCED, 128_049_152)):
        moved = timing.module_bytes(192, WIDTHS["3a"], 28, design)
        intensity = timing.module_intensity(192, WIDTHS["3a"], 28, design)
        assert intensity == 2 * multiply_adds / moved


@pytest.mark.parametrize("in_channels, widths, design, channels", [
    (192, (64, 96, 128, 16, 32, 32), NAIVE, 192 + 2 * 416),
    (192, (64, 96, 128, 16, 32, 32), REDUCED, 192 + 2 * 256),
    (528, (256, 160, 320, 32, 128, 128), REDUCED, 528 + 2 * 832),
    # More channels in than out: the pooled input beside the input is the worst moment, when
    # the ReLU behind the projection writes beside what it reads.
    (100, (8, 8, 8, 8, 8, 8), REDUCED, 100 + 3 * 8 + 100 + 2 * 8),
    # A wide reduction before and behind its ReLU, and the first branch's output.
    (10, (8, 200, 40, 8, 8, 8), REDUCED, 10 + 8 + 2 * 200),
    # The outputs of both branches and their concatenation, which are more than any layer needs.
    (10, (8, 8, 40, 8, 8, 5), TwoBranches.design, 10 + 2 * (40 + 5)),
    (10, (8, 8, 40, 8, 8, 5), REDUCED.variant("long", {
        "1x1": (Conv(1, "c3x3", "one"), Conv(1, "c3x3", "two"), Conv(1, "pool_proj", "three")),
        "3x3": (Conv(1, "c1x1"),),
    }), 10 + 40 + 2 * 40),
])  # fmt: skip
def test_peak_by_hand(in_channels, widths, design, channels):
    peak = timing.peak_activation_bytes(in_channels, InceptionWidths(*widths), 7, design)
    assert peak == 4 * 49 * channels


class LiveMaps(TorchDispatchMode):
    """The most bytes of maps that exist at one time, by what becomes of every tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: dict[weakref.ref, int] = {}
        self.most = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        maps = out[:1] if isinstance(out, tuple) else [out]  # a pooling also says where it found it
        for each in maps:
            if isinstance(each, torch.Tensor):
                self.sizes[weakref.ref(each, self.sizes.pop)] = each.nbytes
        self.most = max(self.most, sum(self.sizes.values()))
        return out


@KINDS
@pytest.mark.parametrize("in_channels", [3, 80])
def test_peak_is_what_is_alive_while_the_module_runs(kind, in_channels):
    widths = InceptionWidths(8, 16, 24, 4, 12, 6)
    model = on_meta(lambda: kind(in_channels, widths))
    batch = torch.empty(1, in_channels, 7, 7, device="meta")
    peak = timing.peak_activation_bytes(in_channels, widths, 7, kind.design)
    with torch.no_grad(), LiveMaps() as live:
        model(batch)
    assert peak == batch.nbytes + live.most


def test_numbers_out_of_a_table_do_not_overflow():
    channels, size = np.array([192, 28], dtype=np.uint8)
    for count in (timing.module_bytes, timing.peak_activation_bytes):
        assert count(channels, WIDTHS["3a"], size) == count(192, WIDTHS["3a"], 28)
        assert type(count(channels, WIDTHS["3a"], size)) is int
    assert timing.conv_bytes(channels, channels, 1, size) == timing.conv_bytes(192, 192, 1, 28)


# --- refusals ----------------------------------------------------------------------------


@pytest.mark.parametrize("argument", ["size", "repeats"])
def test_measuring_checks_its_numbers(argument):
    refuses(timing.measure_machine, argument, 0, size=1)


def test_latency_checks_its_repeats():
    refuses(timing.latency_ms, "repeats", 0, model=MiniGoogLeNet(), batch=torch.zeros(1))


@pytest.mark.parametrize("argument, bad", [
    ("in_channels", 0), ("widths", (64, 96)), ("size", 0), ("design", "naive"),
])  # fmt: skip
@pytest.mark.parametrize("count", [
    timing.module_bytes, timing.module_intensity, timing.peak_activation_bytes,
], ids=lambda count: count.__name__)  # fmt: skip
def test_counts_of_a_module_check_their_arguments(count, argument, bad):
    sound: Any = {"in_channels": 192, "widths": WIDTHS["3a"], "size": 28}
    refuses(count, argument, bad, **sound)


@pytest.mark.parametrize("argument", ["in_channels", "out_channels", "kernel_size", "size"])
def test_bytes_of_a_convolution_check_every_number(argument):
    refuses(timing.conv_bytes, argument, 0, in_channels=1, out_channels=1, kernel_size=1, size=1)
