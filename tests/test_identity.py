"""What a run is: everything that changes its result is seen, and nothing else.

Most tests are pairs that names and shapes do not tell apart.
"""

import dataclasses
import functools
import json
import os
import re
import subprocess
import sys
import time
import types
from collections.abc import Callable
from typing import Any

import numpy
import pytest
import torch
from conftest import ROOT
from tiny_training import Noise, tiny_model
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision import transforms as v1

from gnet_lib import InceptionWidths, LinearInception, MiniGoogLeNet, shift_and_flip
from gnet_lib.design import REDUCED, Design
from gnet_lib.identity import (
    describe,
    describe_network,
    describe_tensors,
    differences,
    plain_network,
)
from gnet_lib.inception import InceptionBase
from gnet_lib.variants import NotesInception


def changed(change: Callable[[Any], Any], build: Callable[[], nn.Module] = tiny_model) -> nn.Module:
    """A network, and what somebody did to it."""
    network = build()
    change(network)
    return network


def replaced(place: str, layer: nn.Module) -> nn.Module:
    return changed(lambda network: network.set_submodule(place, layer))


def defined(source: str) -> Any:
    """What a notebook's cell defines last."""
    names: dict[str, Any] = {"__name__": "__main__", "nn": nn, "torch": torch}
    exec(source, names)
    return names[list(names)[-1]]


CELL = """
def double(x):
    return 2 * x
SLOPE = 0.1
class Net(nn.Module):
    'A network.'
    times = 1
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(784, 10)
        self.seen = 0
    def forward(self, x):
        self.seen += 1  # a memory, no setting
        return self.fc(double(x).flatten(1)) * SLOPE * self.times
"""


def net(old: str = "", new: str = "") -> nn.Module:
    assert old in CELL
    return defined(CELL.replace(old, new))()


def mini(**settings: Any) -> nn.Module:
    return MiniGoogLeNet(width=0.25, **settings)


def heads_in_order(*names: str) -> nn.Module:
    return nn.ModuleDict({name: nn.Linear(4, 4) for name in names})


def tied(network: nn.Sequential) -> None:
    network[0].weight = network[1].weight


def pair() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))


def of_design(design: Design) -> nn.Module:
    """A module of a class of your own; all these classes have one name."""

    class Mine(InceptionBase):
        pass

    Mine.design = design
    return Mine(8, InceptionWidths(2, 2, 2, 2, 2, 2))


TURNED = dataclasses.replace(REDUCED, concat_order=REDUCED.concat_order[::-1])

NETWORKS = {
    "a module without its ReLU": (mini(), mini(module=LinearInception), r"relu is 'ReLU\(\)'"),
    "order of concatenation": (mini(), mini(module=NotesInception), "concat_order"),
    "order in a design of your own": (of_design(REDUCED), of_design(TURNED), "concat_order"),
    "dropout": (mini(), mini(dropout=0.1), "dropout"),
    "rate of a dropout": (tiny_model(), tiny_model(dropout=0.3), r"p=0\.3"),
    "kind of pooling": (tiny_model(), replaced("3", nn.AdaptiveMaxPool2d(4)), "AdaptiveMaxPool2d"),
    "stride": (tiny_model(), replaced("0", nn.Conv2d(1, 4, 3, padding=1)), "stride"),
    "eps": (tiny_model(), changed(lambda network: setattr(network[1], "eps", 0.1)), "eps=0.1"),
    "a frozen bias": (
        tiny_model(), changed(lambda network: network[6].bias.requires_grad_(False)),
        "6.bias is 'trainable .*' in the file and 'frozen",
    ),
    "a function as attribute": (
        changed(lambda network: setattr(network, "act", F.relu)),
        changed(lambda network: setattr(network, "act", F.gelu)), "act is .*relu' .*gelu",
    ),
    "another forward of that name": (net(), net("flatten(1)", "flatten(1).abs()"), "class.forward"),
    "a constant in the forward": (net(), net("2 * x", "3 * x"), "double"),
    "a value that the forward reads": (net(), net("0.1", "0.2"), r"SLOPE is 0\.1 .* and 0\.2"),
    "a value of the class": (net(), net("times = 1", "times = 3"), "times is 1 .* and 3 "),
    "order of the parts": (heads_in_order("a", "b"), heads_in_order("b", "a"), r"\['a', 'b'\]"),
    "tied weights": (pair(), changed(tied, pair), "as 0.weight"),
    "one layer in two places": (
        pair(), changed(lambda network: network.set_submodule("1", network[0]), pair),
        "the same layer as 0",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_that_compute_something_else_differ(name):
    one, other, said = NETWORKS[name]
    then, now = describe_network(one), describe_network(other)
    assert describe_network(one) == then
    (found,) = differences({"model": then}, {"model": now}).values()
    assert re.search(said, found), found
    assert len(found) < 500


def test_what_does_not_change_the_result_does_not_count():
    before = describe_network(net())
    told = net("'A network.'", "'The same network, described at length.'")
    assert describe_network(told) == before
    assert describe_network(net("SLOPE = 0.1", "# A comment.\n\nSLOPE = 0.1")) == before
    network = net()
    network(torch.zeros(1, 28, 28))  # counts in self.seen
    network.register_forward_hook(lambda layer, given, output: setattr(layer, "map", output))
    network(torch.zeros(1, 28, 28))
    assert describe_network(network.to(memory_format=torch.channels_last)) == before


def test_a_constant_that_no_state_dict_shows_counts():
    def normalising(mean: float) -> nn.Module:
        layer = nn.Identity()
        layer.register_buffer("mean", torch.tensor(mean), persistent=False)
        return layer

    assert describe_network(normalising(0.5)) == describe_network(normalising(0.5))
    assert describe_network(normalising(0.5)) != describe_network(normalising(0.4))


def test_a_wrapped_network_is_the_plain_one():
    network = tiny_model()
    wrapped: Any = torch.compile(nn.DataParallel(nn.DataParallel(network)), backend="eager")
    assert plain_network(wrapped) is network
    assert describe_network(wrapped) == describe_network(network)
    pairs = zip(wrapped.parameters(), network.parameters(), strict=True)
    assert all(one is other for one, other in pairs)


def test_a_large_network_is_described_quickly():
    network = MiniGoogLeNet()
    describe_network(network)
    started = time.perf_counter()
    describe_network(network)
    assert time.perf_counter() - started < 0.1  # about 0.015


# --- tensors -----------------------------------------------------------------------------


def test_the_same_bytes_in_another_shape_or_kind_are_other_data():
    tensor = torch.arange(6.0)
    shapes = [tensor, tensor.reshape(2, 3), tensor.reshape(3, 2), tensor.view(torch.int32)]
    assert len({describe_tensors({"x": each}) for each in shapes}) == 4
    assert describe_tensors({"x": tensor}) != describe_tensors({"y": tensor})
    maps = torch.randn(2, 3, 4, 4)
    turned = maps.to(memory_format=torch.channels_last)  # other strides, the same values
    assert describe_tensors({"x": maps}) == describe_tensors({"x": turned})


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.bool, torch.complex64, torch.int64])
def test_tensors_of_every_kind_and_size_can_be_described(kind):
    for tensor in (torch.ones(()), torch.ones(0, 3), torch.ones(2, 3)):
        one, other = tensor.to(kind), torch.zeros_like(tensor).to(kind)
        assert (describe(one) == describe(other)) == (tensor.numel() == 0)


# --- functions and objects ---------------------------------------------------------------


class Brighter:
    """An augmentation with a setting and a memory."""

    def __init__(self, amount: float) -> None:
        self.amount, self.calls = amount, 0

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        self.calls += 1
        return images + self.amount


def around(value: Any) -> Callable[..., Any]:
    return lambda x: x * value


def with_default(x: Tensor, factor: float = 1.0, *, shift: float = 0.0) -> Tensor:
    return factor * x + shift


def with_other_default(function: Any, **changes: Any) -> Callable[..., Any]:
    copied = types.FunctionType(function.__code__, function.__globals__, function.__name__)
    copied.__defaults__ = changes.get("defaults", function.__defaults__)
    copied.__kwdefaults__ = changes.get("kwdefaults", function.__kwdefaults__)
    return copied


def adam(**options: Any) -> torch.optim.Optimizer:
    return torch.optim.Adam(nn.Linear(2, 3).parameters(), **options)


PAIRS = {
    "lambdas": (lambda x: x + 1, lambda x: x + 2),
    "names in lambdas": (lambda x: x.sin(), lambda x: x.cos()),
    "lambdas within": (lambda x: [y + 1 for y in x], lambda x: [y + 2 for y in x]),
    "sets of constants": (lambda x: x in {"a", "b"}, lambda x: x in {"a", "c"}),
    "closures": (around(2), around(3)),
    "closures over transforms": (around([Brighter(0.1)]), around([Brighter(0.2)])),
    "arrays": (numpy.zeros(3), numpy.ones(3)),
    "closures over functions": (around(around(2)), around(around(3))),
    "defaults": (with_default, with_other_default(with_default, defaults=(2.0,))),
    "keyword defaults": (with_default, with_other_default(with_default, kwdefaults={"shift": 1})),
    "partials": (
        functools.partial(shift_and_flip, max_shift=2),
        functools.partial(shift_and_flip, max_shift=4),
    ),
    "functions of a package": (F.relu, F.gelu),
    "functions built in": (torch.sin, torch.cos),
    "methods": (Brighter(0.1).__call__, Brighter(0.2).__call__),
    "objects": (Brighter(0.1), Brighter(0.2)),
    "cached functions": (functools.cache(around(2)), functools.cache(around(3))),
    "networks with other weights": (tiny_model(0), tiny_model(1)),
    "long texts": ("a" * 500 + "b", "a" * 500 + "c"),
    "long lists": ([0] * 500 + [1], [0] * 500 + [2]),
    "dicts": ({"a": {"b": 1}}, {"a": {"b": 2}}),
}  # fmt: skip


@pytest.mark.parametrize("name", PAIRS)
def test_values_that_do_something_else_differ(name):
    one, other = PAIRS[name]
    assert describe(one) == describe(one)
    assert differences({"augment": describe(one)}, {"augment": describe(other)})


def test_optimisers_and_transforms_that_do_something_else_differ():
    # Not above, because they take seconds to import; the process below does without them.
    from torchvision.transforms import v2

    crop, erase = v2.RandomCrop(28, padding=2), v2.RandomErasing()
    for one, other in (
        (adam(), torch.optim.AdamW(nn.Linear(2, 3).parameters())),
        (adam(betas=(0.9, 0.999)), adam(betas=(0.8, 0.999))),
        (v2.RandomHorizontalFlip(0.5), v2.RandomHorizontalFlip(0.3)),
        (v2.Compose([crop, erase]), v2.Compose([erase, crop])),
        (v2.Compose([v2.Lambda(around(1))]), v2.Compose([v2.Lambda(around(2))])),
        (v2.RandomHorizontalFlip(), v2.RandomVerticalFlip()),
    ):
        assert describe(one) == describe(one)
        assert differences({"augment": describe(one)}, {"augment": describe(other)})


def printable() -> str:
    """Every description above, as one text."""
    networks = {name: describe_network(one) for name, (one, *_) in NETWORKS.items()}
    values = {name: describe(one) for name, (one, _) in PAIRS.items()}
    tensors = describe_tensors(tiny_model().state_dict())
    return json.dumps([networks, values, tensors], sort_keys=True)


def test_a_new_process_describes_everything_in_the_same_words():
    """With another seed of Python's hashes, so that sets come in another order."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    done = subprocess.run(
        [sys.executable, "-c", "import test_identity; print(test_identity.printable())"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": paths, "PYTHONHASHSEED": "7"},
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == json.loads(printable())


def test_what_changes_as_it_is_called_is_no_setting():
    brighter = Brighter(0.1)
    before = describe(brighter)
    brighter(torch.zeros(1), torch.Generator())
    assert brighter.calls == 1 and describe(brighter) == before

    counting = defined(
        "calls = 0\ndef build():\n  mine = 0\n  def augment(images, generator):\n"
        "    global calls\n    nonlocal mine\n    calls, mine = calls + 1, mine + 1\n"
        "    return images\n  return augment"
    )()
    before = describe(counting)
    counting(torch.zeros(1), None)
    assert describe(counting) == before


REMEMBERING = """
seen, latest, book = [], None, {}
def build():
    mine = []
    def augment(images, unused=[]):
        global latest
        latest = images.sum()
        for memory in (seen, mine, unused):
            memory.append(latest)
        book[len(seen)] = latest
        return images
    return augment
"""


def test_what_is_empty_at_first_is_a_memory_and_no_setting():
    augment = defined(REMEMBERING)()
    cell = CELL.replace("self.seen = 0", "self.seen = []")
    network = defined(cell.replace("self.seen += 1", "self.seen.append(x)"))()
    before = {"augment": describe(augment), "model": describe_network(network)}
    augment(torch.ones(2))
    network(torch.ones(1, 28, 28))
    assert len(network.seen) == 1
    after = {"augment": describe(augment), "model": describe_network(network)}
    assert after != before and differences(before, after) == {}


class Scaled(nn.Module):
    """A network that takes its settings as coursework often does."""

    def __init__(self, settings: Any) -> None:
        super().__init__()
        self.settings = settings


class Clipping(torch.optim.SGD):
    limit = 1.0


class ClippingMore(Clipping):
    limit = 0.1


def sgd_of(kind: type[torch.optim.SGD]) -> torch.optim.SGD:
    optimizer = kind([nn.Parameter(torch.zeros(2))], lr=0.1)
    kind.__qualname__ = "Clipping"  # as if a cell had been run again
    return optimizer


@pytest.mark.parametrize(
    "one, other",
    [
        (Scaled({"scale": 1.0}), Scaled({"scale": 0.01})),
        (Scaled([1, 2]), Scaled([1, 3])),
        (Scaled(types.SimpleNamespace(scale=1.0)), Scaled(types.SimpleNamespace(scale=0.1))),
        (Scaled(Brighter(0.1)), Scaled(Brighter(0.2))),
        (Scaled({"act": nn.ReLU()}), Scaled({"act": nn.Sigmoid()})),
        (v1.Compose([v1.Lambda(lambda x: x / 2)]), v1.Compose([v1.Lambda(lambda x: -9 * x)])),
        (v1.RandomApply([v1.Lambda(torch.abs)]), v1.RandomApply([v1.Lambda(torch.neg)])),
        (sgd_of(Clipping), sgd_of(ClippingMore)),
    ],
)
def test_settings_within_others_are_seen(one, other):
    def of(value: Any) -> dict[str, Any]:
        return {"it": describe_network(value) if isinstance(value, Scaled) else describe(value)}

    assert differences(of(one), of(one)) == {}
    assert differences(of(one), of(other))


def test_a_circle_ends():
    def first(n: int) -> int:
        return second(n - 1) if n else 0

    def second(n: int) -> int:
        return first(n - 1) if n else 1

    brighter = Brighter(0.1)
    vars(brighter)["self"] = brighter
    assert describe(first) != describe(second)
    assert describe(brighter)["amount"] == 0.1


def test_an_object_with_a_text_of_its_own_is_described_by_it():
    assert describe(Noise(interrupt_at=3)) == describe(Noise())


# --- differences -------------------------------------------------------------------------


def test_a_difference_is_named_with_its_place_and_both_values():
    then = {"epochs": 2, "model": {"fc": {"": "Linear(2)", "p": [1, 2]}}, "augment": None}
    now = {"epochs": 3, "model": {"fc": {"": "Linear(2)", "p": [1, 3]}}, "augment": {"": "flip"}}
    assert differences(then, now) == {
        "epochs": "epochs is 2 in the file and 3 in this call",
        "model": "model: fc.p is [1, 2] in the file and [1, 3] in this call",
        "augment": "augment is None in the file and 'flip' in this call",
    }
    assert list(differences(then, now, ignored=("model", "epochs"))) == ["augment"]
    assert differences(now, {"epochs": 3})["model"].count("absent") == 1
    assert differences(then, then) == {}
