"""What a run is: its network, its images and its recipe, in words that can be compared.

A checkpoint goes on only with the run that wrote it. Names and shapes do not tell runs apart:
a module with a ReLU and one without have the same tensors. So a run is described by the
settings that its result depends on (``describe`` says what counts as one), in nested dicts of
plain values. A file can hold them, and they say what is different. Images, weights and code
stand there as checksums.
"""

import dataclasses
import enum
import functools
import re
import types
from collections.abc import Iterator, Mapping
from numbers import Number
from typing import Any

import numpy
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from gnet_lib._check import require_instance, require_items, require_mapping, require_model
from gnet_lib._code import (
    checksum,
    class_name,
    code_of,
    is_installed,
    set_when_called,
    used_by,
)
from gnet_lib.data import ImageDataset

LONGEST_TEXT = 120  # in a message
CUT = "... and so on"
MEMORY = "empty when the run began"
PLAIN = (types.NoneType, str, bytes, Number, enum.Enum, torch.dtype, torch.device)

# --- any value ---------------------------------------------------------------------------


def describe(value: Any) -> Any:
    """Any value in plain ones: a function by its code, an object by its settings.

    A function of your own is described by its code and by what it holds: defaults, and what it
    takes from its notebook and from the function around it. A function or class of an installed
    package is described by its name.

    A partial is described by all of its arguments, an optimiser by its options, a network by
    its layers and weights. Any other object is described by its fields if it is a dataclass,
    else by its own ``__repr__`` if its class has one, else by its attributes, with the code of
    its class if that is your own.

    Some of what a function or an object holds is its memory and no setting: what it sets itself
    when it is called, and a list, dict or set that is empty when the run begins. Hooks, a tensor
    that a layer holds outside of its state dict, and a file of yours that is used as
    ``module.function`` are not looked into.

    Args:
        value: a number, text, tensor, function, ``functools.partial``, optimiser,
            transform of torchvision, or any other object.

    Returns:
        Nested dicts and lists of plain values, without addresses in memory.

    Example:
        >>> from functools import partial
        >>> adam = partial(torch.optim.Adam, weight_decay=0.01)
        >>> describe(adam)["keywords"]
        {'weight_decay': 0.01}
        >>> describe(lambda: 1) == describe(lambda: 2)
        False
    """
    described = _describe(value, [])
    if isinstance(value, nn.Module):
        described["weights"] = describe_tensors(value.state_dict())
    return described


def _describe(value: Any, met: list[Any]) -> Any:
    """Describe a value; what was ``met`` before is named by its number, so that a circle ends."""
    if isinstance(value, PLAIN):
        storable = type(value) in (types.NoneType, bool, int, float, str)
        return value if storable and value == value else repr(value)  # nan equals nothing
    if isinstance(value, Tensor):
        return _tensor_text(value)
    if isinstance(value, numpy.ndarray):
        return f"{value.dtype} {value.shape} ({checksum(value.tobytes())})"
    if isinstance(value, (list, set, dict)) and not value:
        return MEMORY
    if isinstance(value, (list, tuple)):
        return [_describe(each, met) for each in value]
    if isinstance(value, (set, frozenset)):  # in an order that every process finds
        return sorted(repr(_describe(each, met)) for each in value)
    if isinstance(value, Mapping):
        return _entries(value, met)
    if isinstance(value, types.ModuleType):
        return f"module {value.__name__}"
    for number, each in enumerate(met):
        if each is value:
            return f"the same as number {number}"
    met.append(value)
    if isinstance(value, functools.partial):
        given = {"arguments": value.args, "keywords": value.keywords}
        return {"": "partial", "function": _describe(value.func, met), **_entries(given, met)}
    if isinstance(value, types.FunctionType):
        return _function(value, met)
    if isinstance(value, types.MethodType):
        given = {"function": value.__func__, "of": value.__self__}
        return _describe(given, met)
    if isinstance(value, type):
        return _class(value, met)
    if isinstance(value, nn.Module):
        return _network(value, met)
    if isinstance(value, torch.optim.Optimizer):
        return _optimizer(value, met)
    return _object(value, met)


def _entries(values: Mapping[Any, Any], met: list[Any]) -> dict[str, Any]:
    return {str(name): _describe(value, met) for name, value in values.items()}


def _function(function: Any, met: list[Any]) -> Any:
    # torch.compile keeps the function that it has wrapped.
    function = getattr(function, "_torchdynamo_orig_callable", function)
    used = _entries(used_by(function), met)
    if is_installed(function) and "<" not in function.__qualname__:  # no lambda
        return {"": f"{function.__module__}.{function.__qualname__}", **used}
    defaults = dict(enumerate(function.__defaults__ or ())) | (function.__kwdefaults__ or {})
    given = {f"default {name}": value for name, value in defaults.items()}
    name = f"{function.__qualname__} ({code_of(function)})"
    return {"": name, **_entries(given, met), **used}


def _class(kind: type, met: list[Any]) -> Any:
    """A class of a package by its name, one of your own by its functions and values, too."""
    if is_installed(kind):
        return f"{kind.__module__}.{kind.__qualname__}"
    content: dict[str, Any] = {"built on": tuple(map(class_name, kind.__mro__[1:-1]))}
    for each in reversed(kind.__mro__):  # what stands below replaces what stands above
        for name, value in () if is_installed(each) else vars(each).items():
            # Of a static or class method, or of a property, the function within.
            value = getattr(value, "__func__", getattr(value, "fget", value))
            if isinstance(value, types.FunctionType) or not name.startswith("__"):
                content[name] = value
    return {"": kind.__qualname__, **_entries(content, met)}


def _own_class(value: Any, met: list[Any]) -> dict[str, Any]:
    return {} if is_installed(type(value)) else {"class": _describe(type(value), met)}


def _object(value: Any, met: list[Any]) -> Any:
    kind = type(value)
    if callable(inner := getattr(value, "__wrapped__", None)):  # as of functools.cache
        return {"": class_name(kind), "function": _describe(inner, met)}
    values = dict(getattr(value, "__dict__", {}))
    text = class_name(kind)
    if dataclasses.is_dataclass(value):
        values = {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
    elif kind.__repr__ is not object.__repr__:
        text = _without_addresses(repr(value))
        # A transform of torchvision's shows no more of a function than its name.
        values = values if callable(value) and is_installed(kind) else {}
    elif is_installed(kind):  # a logger, a source of random numbers
        values = {}
    values = {name: each for name, each in values.items() if name not in set_when_called(kind)}
    return {"": text, **_entries(values, met), **_own_class(value, met)}


def _without_addresses(text: str) -> str:
    return re.sub(r" at 0x[0-9a-fA-F]+", "", text)


def _optimizer(optimizer: torch.optim.Optimizer, met: list[Any]) -> Any:
    """An optimiser by its options; the parameters by their shapes."""
    groups = [
        {**group, "params": [_shape_text(each) for each in group["params"]]}
        for group in optimizer.param_groups
    ]
    kind = class_name(type(optimizer))
    return {"": kind, "groups": _describe(groups, met), **_own_class(optimizer, met)}


# --- the network -------------------------------------------------------------------------


def plain_network(model: nn.Module) -> nn.Module:
    """The network itself, without what ``torch.compile`` or several GPUs wrap around it.

    Args:
        model: a network, or one within ``torch.compile(...)``, ``nn.DataParallel`` or
            ``DistributedDataParallel``, or within several of them.

    Returns:
        The network within; its parameters are those of ``model``, in the same order.

    Raises:
        ValueError: for anything but a network.

    Example:
        >>> network = nn.Linear(2, 3)
        >>> plain_network(nn.DataParallel(network)) is network
        True
    """
    require_model("model", model)
    several_gpus = (nn.DataParallel, torch.nn.parallel.DistributedDataParallel)
    while True:
        if isinstance(model, several_gpus):
            model = model.module
        elif "_orig_mod" in dict(model.named_children()):  # of torch.compile
            model = model.get_submodule("_orig_mod")
        else:
            return model


def describe_network(model: nn.Module) -> dict[str, Any]:
    """What a network computes: its layers, their settings, and the code of your own classes.

    The weights' values are not part of it; they are what ``describe_tensors`` is for.

    Args:
        model: a network, plain or wrapped.

    Returns:
        For each layer by name its class, its settings as in ``describe``, and dtype and shape
        of each of its tensors, also whether it is frozen.

    Raises:
        ValueError: for anything but a network.

    Example:
        >>> network = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
        >>> network[0].bias.requires_grad = False
        >>> describe_network(network)["0"]["bias"]
        'frozen float32 3'
        >>> describe_network(network)["1"]
        {'': 'ReLU()', 'inplace': False}
    """
    return _describe(plain_network(model), [])


def _network(network: nn.Module, met: list[Any]) -> dict[str, Any]:
    described: dict[str, Any] = {}
    places: dict[int, str] = {}  # of what may stand in several: its first place
    for name, layer in network.named_modules(remove_duplicate=False):
        first = places.setdefault(id(layer), name)
        same = f"the same layer as {first or 'the whole network'}"
        described[name] = _layer(name, layer, places, met) if first == name else same
    return described


def _layer(name: str, layer: nn.Module, places: dict[int, str], met: list[Any]) -> Any:
    text = f"{class_name(type(layer))}({_without_addresses(layer.extra_repr())})"
    described = {"": text, **_entries(_attributes(layer), met)}
    for key, tensor in [
        *layer.named_parameters(recurse=False, remove_duplicate=False),
        *layer.named_buffers(recurse=False, remove_duplicate=False),
    ]:
        first = places.setdefault(id(tensor), place := f"{name}.{key}")
        described[key] = _tensor(layer, key, tensor) if first == place else f"as {first}"
    if len(parts := [part for part, _ in layer.named_children()]) > 1:
        described["order of parts"] = parts
    return {**described, **_own_class(layer, met)}


def _attributes(layer: nn.Module) -> dict[str, Any]:
    """What a layer holds beside its tensors and layers, and does not set when it is called.

    A tensor that is neither parameter nor buffer is left out: often it is a map that somebody
    keeps to look at.
    """
    left_out = {*vars(nn.Module()), "_compiled_call_impl", *set_when_called(type(layer))}
    internal = "_" if is_installed(type(layer)) else "__"
    return {
        name: value
        for name, value in vars(layer).items()
        if name not in left_out and not name.startswith(internal) and not isinstance(value, Tensor)
    }


def _tensor(layer: nn.Module, name: str, tensor: Tensor) -> str:
    if isinstance(tensor, nn.Parameter):
        return f"{'trainable' if tensor.requires_grad else 'frozen'} {_shape_text(tensor)}"
    if name in layer._non_persistent_buffers_set - set_when_called(type(layer)):
        return f"constant {_tensor_text(tensor)}"  # a state dict would not show its values
    return f"buffer {_shape_text(tensor)}"


# --- tensors and images ------------------------------------------------------------------


def describe_tensors(tensors: Mapping[str, Any]) -> str:
    """A checksum of a state dict: of each tensor's name, dtype, shape and bytes.

    Args:
        tensors: what ``state_dict()`` returned, on any device.

    Returns:
        Eight hexadecimal digits.

    Raises:
        ValueError: for anything but tensors by name.

    Example:
        >>> network = nn.Linear(2, 3)
        >>> before = describe_tensors(network.state_dict())
        >>> _ = nn.init.zeros_(network.bias)
        >>> describe_tensors(network.state_dict()) == before
        False
    """
    require_mapping("tensors", tensors, object, "a tensor, as state_dict() returns them")
    return checksum(repr([(name, _describe(value, [])) for name, value in tensors.items()]))


def describe_dataset(dataset: ImageDataset | None) -> dict[str, Any] | None:
    """How many images there are, and dtype, shape and checksum of images and labels.

    Args:
        dataset: images with labels, or None.

    Returns:
        Plain values, or None for None.

    Raises:
        ValueError: for anything else.

    Example:
        >>> images = ImageDataset(torch.zeros(2, 1, 28, 28), torch.tensor([0, 1]))
        >>> describe_dataset(images)["labels"]
        'int64 2 (20114bcb)'
    """
    if dataset is None:
        return None
    require_instance("dataset", dataset, ImageDataset, "an ImageDataset or None")
    return {
        "": f"{len(dataset):,} images",
        "images": _tensor_text(dataset.images),
        "labels": _tensor_text(dataset.labels),
    }


def _shape_text(tensor: Tensor) -> str:
    if is_lazy(tensor):
        return "not built yet"
    dtype = str(tensor.dtype).removeprefix("torch.")
    return f"{dtype} {'x'.join(map(str, tensor.shape)) or 'number'}"


def _tensor_text(tensor: Tensor) -> str:
    """Dtype, shape and checksum of a tensor: the same bytes in another shape are other data."""
    if tensor.is_meta:
        return f"{_shape_text(tensor)}, without values"
    if tensor.layout is not torch.strided or tensor.is_quantized:
        return f"{_shape_text(tensor)} ({checksum(repr(tensor))})"
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return f"{_shape_text(tensor)} ({checksum(flat.view(torch.uint8).numpy().data)})"


# --- is it the same? ---------------------------------------------------------------------


def differences(
    then: Mapping[str, Any], now: Mapping[str, Any], ignored: tuple[str, ...] = ()
) -> dict[str, str]:
    """What is different between two descriptions.

    Args:
        then: the description in a file.
        now: the one of this call.
        ignored: entries that do not count.

    Returns:
        For each entry that differs a few words, with the first difference.

    Raises:
        ValueError: for anything but entries by name.

    Example:
        >>> then = {"epochs": 2, "model": {"relu": "ReLU()", "fc": "Linear(4, 2)"}}
        >>> now = {"epochs": 2, "model": {"relu": "Identity()", "fc": "Linear(4, 3)"}}
        >>> print(differences(then, now)["model"])
        model: relu is 'ReLU()' in the file and 'Identity()' in this call (and 1 more there)
    """
    require_mapping("then", then, object, "what describes it")
    require_mapping("now", now, object, "what describes it")
    require_items("ignored", ignored, str, "names of entries", at_least=0)
    now = _without_memory(now, then)
    return {
        name: _difference(name, then.get(name), now.get(name))
        for name in {**now, **then}
        if name not in ignored and then.get(name) != now.get(name)
    }


def _without_memory(now: Any, then: Any) -> Any:
    """The description with nothing in it where the run began with nothing."""
    if then == MEMORY:
        return MEMORY
    if isinstance(now, Mapping) and isinstance(then, Mapping):
        return {name: _without_memory(value, then.get(name)) for name, value in now.items()}
    if isinstance(now, list) and isinstance(then, list) and len(now) == len(then):
        return [_without_memory(*pair) for pair in zip(now, then, strict=True)]
    return now


def _difference(name: str, then: Any, now: Any) -> str:
    one, other = dict(_leaves(then)), dict(_leaves(now))
    texts = {place: (_shown(one, place), _shown(other, place)) for place in {**other, **one}}
    unequal = [place for place, (before, after) in texts.items() if before != after]
    first = min(unequal, key=lambda place: CUT in "".join(texts[place]))  # one shown in full
    where = f"{name}: {first}" if first else name
    before, after = texts[first]
    more = f" (and {len(unequal) - 1} more there)" if len(unequal) > 1 else ""
    return f"{where} is {before} in the file and {after} in this call{more}"


def _leaves(description: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """The plain values within, with their places: ``a.b`` is the entry b of the entry a."""
    if isinstance(description, dict) and description:
        entries = description.items()
    elif isinstance(description, list) and any(isinstance(each, dict) for each in description):
        entries = enumerate(description)
    else:
        yield place, description
        return
    for key, value in entries:
        yield from _leaves(value, f"{place}.{key}".strip("."))


def _shown(leaves: Mapping[str, Any], place: str) -> str:
    text = repr(leaves[place]) if place in leaves else "absent"
    if len(text) <= LONGEST_TEXT:
        return text
    return f"{text[: LONGEST_TEXT // 2]}{CUT} ({checksum(text)})"
