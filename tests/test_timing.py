"""Stopwatch and roofline: bytes and peaks counted by hand, and once by running the real module."""

import pytest
import torch
from test_paper import MODULES

from gnet_lib import NAIVE, REDUCED, timing
from gnet_lib.inception import Inception, NaiveInception
from gnet_lib.paper import InceptionWidths
from gnet_lib.shapes import inception_shapes

LAYERS = {layer.row.name: layer for layer in inception_shapes()}
BOTH = pytest.mark.parametrize("module", [NaiveInception, Inception])


def bytes_seen_by_running(model, batch) -> int:
    """What every layer without children reads and writes, and its parameters, in bytes."""
    seen = []

    def note(layer, inputs, output):
        if not isinstance(layer, torch.nn.ReLU):  # in place: nothing moves that was not counted
            parameters = sum(each.numel() for each in layer.parameters())
            seen.append(inputs[0].numel() + output.numel() + parameters)

    leaves = [layer for layer in model.modules() if not list(layer.children())]
    handles = [layer.register_forward_hook(note) for layer in leaves]
    output = model(batch)
    for handle in handles:
        handle.remove()
    return 4 * (sum(seen) + 2 * output.numel())  # the concatenation reads and writes its output


@BOTH
@pytest.mark.parametrize("printed", MODULES, ids=lambda each: each.name)
def test_bytes_are_those_of_the_running_module(printed, module):
    model = module(printed.in_channels, printed.widths).to("meta")
    batch = torch.empty(1, printed.in_channels, printed.size, printed.size, device="meta")
    counted = timing.module_bytes(printed.in_channels, printed.widths, printed.size, module.design)
    assert counted == bytes_seen_by_running(model, batch)


def test_bytes_of_a_convolution_by_hand():
    # (2 + 3 channels) * 16 pixels, 9 * 2 * 3 weights and 3 biases, 4 bytes each
    assert timing.conv_bytes(2, 3, kernel_size=3, size=4) == 4 * (5 * 16 + 54 + 3)


def test_intensity_of_3a_by_hand():
    widths = LAYERS["3a"].row.widths
    for design, multiply_adds in ((NAIVE, 303_464_448), (REDUCED, 128_049_152)):
        moved = timing.module_bytes(192, widths, 28, design)
        assert timing.module_intensity(192, widths, 28, design) == 2 * multiply_adds / moved


@pytest.mark.parametrize("in_channels, widths, design, channels", [
    (192, (64, 96, 128, 16, 32, 32), NAIVE, 192 + 2 * 416),
    (192, (64, 96, 128, 16, 32, 32), REDUCED, 192 + 2 * 256),
    (528, (256, 160, 320, 32, 128, 128), REDUCED, 528 + 2 * 832),
    # More channels in than out: the pooled input beside the input is the worst moment.
    (100, (8, 8, 8, 8, 8, 8), REDUCED, 100 + 32 + 100),
])  # fmt: skip
def test_peak_by_hand(in_channels, widths, design, channels):
    peak = timing.peak_activation_bytes(in_channels, InceptionWidths(*widths), 7, design)
    assert peak == 4 * 49 * channels


@BOTH
def test_peak_is_what_is_alive_while_the_module_runs(module):
    """Replay the module layer by layer and add up which maps still exist."""
    layer = LAYERS["5a"]
    pixels, widths = layer.in_size**2, layer.row.widths
    inside = {
        "1x1": [],
        "3x3": [widths.c3x3_reduce],
        "5x5": [widths.c5x5_reduce],
        "pool": [layer.in_channels],
    }
    ends = {"1x1": widths.c1x1, "3x3": widths.c3x3, "5x5": widths.c5x5}
    ends["pool"] = layer.in_channels if module is NaiveInception else widths.pool_proj
    finished, worst = 0, 0
    for branch in ("1x1", "3x3", "5x5", "pool"):
        before = 0
        for channels in [*([] if module is NaiveInception else inside[branch]), ends[branch]]:
            worst = max(worst, layer.in_channels + finished + before + channels)
            before = channels
        finished += ends[branch]
    worst = max(worst, layer.in_channels + 2 * finished)
    assert (
        timing.peak_activation_bytes(layer.in_channels, widths, layer.in_size, module.design)
        == 4 * pixels * worst
    )


def test_the_roof():
    machine = timing.Machine(operations=100.0, bandwidth=10.0)
    assert [machine.limit(intensity) for intensity in (0, 1, 10, 50)] == [0, 10, 100, 100]


def test_measured_machine_is_plausible_and_leaves_the_threads_alone():
    threads = torch.get_num_threads()
    machine = timing.measure_machine(size=64, repeats=2)
    assert torch.get_num_threads() == threads
    # Any computer that runs PyTorch, and none that exists.
    assert 1e8 < machine.operations < 1e14
    assert 1e7 < machine.bandwidth < 1e13


def test_measured_limits_are_the_operations_over_the_fastest_time(monkeypatch):
    times = iter([2.0, 4.0, 0.5])  # matrix product, convolution, copy
    monkeypatch.setattr(timing, "_fastest_seconds", lambda work, repeats: next(times))
    machine = timing.measure_machine(size=100, repeats=1)
    assert machine.operations == max(2 * 100**3 / 2, 2 * 9 * 256 * 256 * 28 * 28 / 4)
    assert machine.bandwidth == 2 * 4 * (1600 * 400) / 0.5


@pytest.mark.parametrize("argument", ["size", "repeats"])
def test_refusals(argument):
    with pytest.raises(ValueError, match=f"{argument} must be .* but it is 0"):
        timing.measure_machine(**{argument: 0})
