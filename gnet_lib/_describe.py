"""Any value in nested dicts and lists of plain ones: what the room ``identity`` compares.

A description holds everything that the value's work depends on and nothing else: no
addresses in memory, no state that changes as it works. So it is the same in every process.
"""

import dataclasses
import enum
import functools
import re
import sys
import sysconfig
import types
from collections.abc import Iterator, Mapping
from numbers import Integral, Real
from typing import Any

import numpy
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler

from gnet_lib._code import changed_at_work, checksum, code_of, functions_of, names_in

LONGEST_TEXT = 120  # longer ones are cut, and their checksum is added
MOST_ENTRIES = 100  # of a list or dict that is described one by one
MOST_LEVELS = 20  # of values within values

Description = Any  # None, a bool, number or text, or lists and dicts of descriptions

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_PLAIN = (str, bytes, Integral, Real, complex, enum.Enum, torch.dtype, torch.device)
_OF_EVERY_MODULE = frozenset(vars(nn.Module())) | {"_compiled_call_impl"}  # PyTorch's own


# --- names and texts ---------------------------------------------------------------------


def is_installed(value: Any) -> bool:
    """Whether a function or class comes from Python, from this library or another package."""
    module = getattr(value, "__module__", None) or "__main__"
    if module == "__main__":
        return False
    if module.partition(".")[0] in {"torch", "torchvision", "gnet_lib"}:
        return True
    if module not in sys.modules:
        return False
    file = getattr(sys.modules[module], "__file__", None)
    if file is None:  # built into Python
        return module in sys.builtin_module_names
    standard = sysconfig.get_path("stdlib")
    return (
        file.startswith(standard) or re.search(r"[\\/](site|dist)-packages[\\/]", file) is not None
    )


def class_name(kind: type) -> str:
    """The bare name of a class of PyTorch's layers, of this library or your own, else the full."""
    bare = ("torch.nn.modules.", "gnet_lib.", "builtins")
    if kind.__module__.startswith(bare) or not is_installed(kind):
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"


def shape_text(tensor: Tensor) -> str:
    """Kind and shape of a tensor."""
    kind = str(tensor.dtype).removeprefix("torch.")
    return f"{kind} {'x'.join(map(str, tensor.shape)) or 'number'}"


def tensor_text(tensor: Tensor) -> str:
    """Kind, shape and checksum of a tensor: the same bytes in another shape are other data."""
    if tensor.layout is not torch.strided or tensor.is_quantized:
        return f"{shape_text(tensor)} ({checksum(repr(tensor))})"
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return f"{shape_text(tensor)} ({checksum(flat.view(torch.uint8).numpy().data)})"


def short_text(text: str) -> str:
    """A text without addresses; of a long one the beginning and the checksum."""
    text = _ADDRESS.sub("", text)
    if len(text) <= LONGEST_TEXT:
        return text
    return f"{text[: LONGEST_TEXT // 2]}... ({len(text)} characters, {checksum(text)})"


def is_plain(value: Any) -> bool:
    """Whether a value is made of numbers, texts, functions and dataclasses alone."""
    if isinstance(value, (list, tuple, set, frozenset)):
        return all(map(is_plain, value))
    if isinstance(value, Mapping):
        return all(map(is_plain, value.values()))
    return (
        value is None
        or isinstance(value, _PLAIN)
        or callable(value)
        or dataclasses.is_dataclass(value)
    )


# --- any value ---------------------------------------------------------------------------


class Describer:
    """Describes one value, and all that belongs to it.

    What was met before is named by its number, so that a circle ends.
    """

    def __init__(self) -> None:
        # The values themselves are kept, too: else another could get the same id.
        self.met: dict[int, tuple[int, Any]] = {}
        self.level = 0
        # The first that fits describes a value; what none fits is an object like any other.
        self.kinds: tuple[tuple[Any, Any], ...] = (
            (functools.partial, self.partial),
            (types.FunctionType, self.function),
            (types.MethodType, self.method),
            ((types.BuiltinFunctionType, types.MethodDescriptorType), self.built_in),
            (type, self.kind),
            (nn.Module, self.network_with_weights),
            (torch.optim.Optimizer, self.optimizer),
            (LRScheduler, self.schedule),
        )

    def __call__(self, value: Any) -> Description:
        """Describe a value."""
        if value is None or isinstance(value, (bool, numpy.bool_)):
            return None if value is None else bool(value)
        if isinstance(value, (enum.Enum, torch.dtype, torch.device, complex)):
            return str(value)
        if isinstance(value, str):
            return short_text(value)
        if isinstance(value, Integral):
            return int(value)
        if isinstance(value, Real):
            number = float(value)
            return number if number - number == 0 else str(number)  # a nan equals nothing
        if isinstance(value, types.ModuleType):
            return f"module {value.__name__}"
        if self.level >= MOST_LEVELS:
            return class_name(type(value))
        self.level += 1
        try:
            return self.large(value)
        finally:
            self.level -= 1

    def large(self, value: Any) -> Description:
        """Describe what consists of several values."""
        if isinstance(value, Tensor):
            return tensor_text(value)
        if isinstance(value, numpy.ndarray):
            shape = "x".join(map(str, value.shape))
            return f"{value.dtype} {shape} ({checksum(value.tobytes())})"
        if isinstance(value, (bytes, bytearray)):
            return f"{len(value)} bytes ({checksum(bytes(value))})"
        if isinstance(value, (list, tuple)):
            return self.entries([self(each) for each in value])
        if isinstance(value, Mapping):
            return self.mapping(value)
        if isinstance(value, (set, frozenset)):  # in an order that every process finds
            return self.entries(sorted(repr(self(each)) for each in value))
        if id(value) in self.met:
            return f"{class_name(type(value))}, number {self.met[id(value)][0]} of those above"
        self.meet(value)
        for kind, describe in self.kinds:
            if isinstance(value, kind):
                return describe(value)
        return self.object(value)

    def meet(self, value: Any) -> None:
        """Give a value a number."""
        self.met.setdefault(id(value), (len(self.met) + 1, value))

    def entries(self, described: list[Description]) -> Description:
        """A list, or of a long one the length and the checksum."""
        if len(described) > MOST_ENTRIES:
            return f"{len(described)} entries ({checksum(repr(described))})"
        return described

    def mapping(self, value: Mapping[Any, Any]) -> Description:
        """A dict with texts as keys, or of a long one the length and the checksum."""
        pairs = [(short_text(str(key)), self(each)) for key, each in value.items()]
        if len(pairs) > MOST_ENTRIES or len(dict(pairs)) < len(pairs):
            return f"{len(pairs)} entries ({checksum(repr(pairs))})"
        return dict(pairs)

    # --- functions -----------------------------------------------------------------------

    def function(self, function: Any) -> Description:
        """A function by its code and by what it holds; one of a package by its name."""
        if (inner := getattr(function, "_torchdynamo_orig_callable", None)) is not None:
            return self(inner)  # torch.compile has wrapped it
        around = self.around(function)
        if is_installed(function) and "<" not in function.__qualname__:  # no lambda, no closure
            name = f"{function.__module__}.{function.__qualname__}"
            return {"": name, "around it": around} if around else name
        held = {
            "defaults": self(function.__defaults__ or ()),
            "keyword defaults": self(function.__kwdefaults__ or {}),
            "around it": around,
            "reads": {} if is_installed(function) else self.read_by(function),
        }
        name = f"{function.__qualname__} ({code_of(function)})"
        return {"": name, **{key: value for key, value in held.items() if value}}

    def around(self, function: Any) -> dict[str, Description]:
        """The values that a function holds from the function around it.

        What it changes there itself is its memory and no setting.
        """
        names = function.__code__.co_freevars
        changed = names_in(function.__code__).changed | {"__class__"}
        described = {}
        for name, cell in zip(names, function.__closure__ or (), strict=True):
            if name not in changed:
                try:
                    described[name] = self(cell.cell_contents)
                except ValueError:  # Python's own, for a cell without content
                    described[name] = "not there yet"
        return described

    def read_by(self, function: Any) -> dict[str, Description]:
        """The values of a module or notebook that a function reads and does not change."""
        names, outside = names_in(function.__code__), function.__globals__
        return {
            name: self(outside[name])
            for name in sorted(names.read - names.changed)
            if name in outside
        }

    def partial(self, value: "functools.partial[Any]") -> Description:
        """The function, and the arguments that it was given."""
        given = {"arguments": self(value.args), "keywords": self(value.keywords)}
        given = {name: each for name, each in given.items() if each}
        return {"": "partial", "function": self(value.func), **given}

    def method(self, value: types.MethodType) -> Description:
        """The function, and the object that it belongs to."""
        return {"function": self(value.__func__), "of": self(value.__self__)}

    def built_in(self, value: Any) -> Description:
        """The name of a function that is not written in Python."""
        owner = getattr(value, "__self__", None)
        if owner is None or isinstance(owner, (types.ModuleType, type)):
            return f"{getattr(value, '__module__', None) or 'builtins'}.{value.__qualname__}"
        return {"": value.__qualname__, "of": self(owner)}

    # --- classes and objects -------------------------------------------------------------

    def kind(self, kind: type) -> Description:
        """A class of a package by its name; one of your own by its functions and values, too."""
        if is_installed(kind):
            return f"{kind.__module__}.{kind.__qualname__}"
        described: dict[str, Description] = {
            "": kind.__qualname__,
            "built on": [class_name(each) for each in kind.__mro__[1:-1]],
        }
        for each in reversed(kind.__mro__):  # what stands below replaces what stands above
            if not is_installed(each):
                functions = functions_of(each)
                described |= {name: self(function) for name, function in functions.items()}
                described |= {
                    name: self(value)
                    for name, value in vars(each).items()
                    if not name.startswith("__") and name not in functions and is_plain(value)
                }
        return described

    def own_class(self, kind: type) -> dict[str, Description]:
        """The code behind an object, if its class is your own."""
        return {} if is_installed(kind) else {"class": self(kind)}

    def object(self, value: Any) -> Description:
        """An object by what it says of itself, else by its attributes."""
        kind = type(value)
        if callable(inner := getattr(value, "__wrapped__", None)):  # as of functools.cache
            return {"": class_name(kind), "function": self(inner)}
        if isinstance(code := getattr(value, "code", None), str):  # as of torch.jit.script
            return {"": class_name(kind), "code": checksum(code)}
        if dataclasses.is_dataclass(value):
            settings = {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
        elif kind.__repr__ is not object.__repr__:
            return {"": short_text(repr(value)), **self.own_class(kind)}
        else:
            settings = getattr(value, "__dict__", {})
        return self.settings(value, settings)

    def settings(self, value: Any, settings: Mapping[str, Any]) -> dict[str, Description]:
        """An object by some of its attributes, without those that change as it works."""
        kind = type(value)
        kept = {name: each for name, each in settings.items() if name not in changed_at_work(kind)}
        described = {name: self(each) for name, each in kept.items()}
        return {"": class_name(kind), **described, **self.own_class(kind)}

    def optimizer(self, optimizer: torch.optim.Optimizer) -> Description:
        """An optimiser by its options, as they were before a schedule changed them."""
        groups = []
        for group in optimizer.param_groups:
            options = {name: value for name, value in group.items() if name != "params"}
            if "initial_lr" in options:
                options["lr"] = options.pop("initial_lr")
            if "max_momentum" in options:
                defaults = optimizer.defaults
                options |= {key: defaults[key] for key in ("momentum", "betas") if key in defaults}
            groups.append({**options, "params": [shape_text(each) for each in group["params"]]})
        return {"": class_name(type(optimizer)), "groups": self(groups)}

    def schedule(self, schedule: LRScheduler) -> Description:
        """A schedule by its settings, without the optimiser that it drives."""
        settings = {name: each for name, each in vars(schedule).items() if name != "optimizer"}
        return self.settings(schedule, settings)

    # --- networks ------------------------------------------------------------------------

    def network_with_weights(self, network: nn.Module) -> Description:
        """A network that is part of something else: its weights are a setting, too."""
        described = self.network(network)
        if tensors := network.state_dict():
            described["weights"] = checksum(repr(self.mapping(tensors)))
        return described

    def network(self, network: nn.Module) -> dict[str, Description]:
        """The layers by name, and the classes of your own."""
        for layer in network.modules():
            self.meet(layer)
        described: dict[str, Description] = {}
        places: dict[int, str] = {}  # of what may stand in several: its first place
        for name, layer in network.named_modules(remove_duplicate=False):
            described[name] = self.layer(name, layer, places)
        own = {type(layer): None for layer in network.modules() if not is_installed(type(layer))}
        for number, kind in enumerate(own):
            name = f"class {kind.__qualname__}"
            # A notebook may have defined two classes of one name.
            described[f"{name} ({number})" if name in described else name] = self(kind)
        return described

    def layer(self, name: str, layer: nn.Module, places: dict[int, str]) -> Description:
        """A layer's class, settings and tensors."""
        if (first := places.setdefault(id(layer), name)) != name:
            return f"the same layer as {first or 'the whole network'}"
        described: dict[str, Description] = {
            "": f"{class_name(type(layer))}({short_text(layer.extra_repr())})"
        }
        if isinstance(code := getattr(layer, "code", None), str):  # of a traced network
            described["code"] = checksum(code)
        described |= {key: self(value) for key, value in self.layer_settings(layer)}
        for key, tensor in _own_tensors(layer):
            place = f"{name}.{key}"
            first = places.setdefault(id(tensor), place)
            described[key] = _tensor_kind(layer, key, tensor) if first == place else f"as {first}"
        parts = [part for part, _ in layer.named_children()]
        return {**described, "order": parts} if len(parts) > 1 else described

    def layer_settings(self, layer: nn.Module) -> Iterator[tuple[str, Any]]:
        """The plain values and functions among a layer's attributes.

        Tensors and other objects are often only kept there for a while, by a hook. So they
        count only where the layer's own ``__init__`` sets them.
        """
        kind = type(layer)
        own = _set_by_init(kind)
        left_out = _OF_EVERY_MODULE | changed_at_work(kind, nn.Module)
        for name, value in vars(layer).items():
            internal = name.startswith("_") and is_installed(kind)  # may be called otherwise soon
            setting = value is not None and (is_plain(value) or name in own)
            if setting and not internal and name not in left_out:
                yield name, value


def _set_by_init(kind: type) -> frozenset[str]:
    own = [functions_of(each).get("__init__") for each in kind.__mro__ if not is_installed(each)]
    names = [names_in(function.__code__).set_attributes for function in own if function]
    return frozenset().union(*names)


def _own_tensors(layer: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from layer.named_parameters(recurse=False, remove_duplicate=False)
    yield from layer.named_buffers(recurse=False, remove_duplicate=False)


def _tensor_kind(layer: nn.Module, name: str, tensor: Tensor) -> str:
    if isinstance(tensor, nn.Parameter):
        return f"{'trainable' if tensor.requires_grad else 'frozen'} {shape_text(tensor)}"
    changes = name in changed_at_work(type(layer), nn.Module)
    if name in layer._non_persistent_buffers_set and not changes:
        return f"constant {tensor_text(tensor)}"  # a state dict would not show its values
    return f"buffer {shape_text(tensor)}"
