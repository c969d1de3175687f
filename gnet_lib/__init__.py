"""gnet_lib: the small library behind the book on GoogLeNet (arXiv 1409.4842).

One room a purpose: ``paper`` (the table), ``inception`` (the two modules), ``googlenet``
(whole networks), ``variants`` (the notes' and torchvision's network), ``cost`` (what they
cost), ``timing`` (stopwatch and roofline), ``data`` (Fashion-MNIST), ``device`` (where
to compute, and the seed), ``training`` (fit and evaluate) with ``history`` (what it reports),
``checkpoint`` (Ctrl-C and exact resume) and ``safeguards`` (what watches over a run),
``diagnostics`` (first weights, signal and gradient, row by row),
``records`` (what was measured once and kept), ``plots`` (every figure of the book),
``explorer`` (a module with sliders) and ``exercises`` (checkers of a reader's answers).

A name is looked up in its room when it is first used, so that importing the library
stays quick.
"""

# An old Python cannot read every annotation; so `python -m gnet_lib` gets as far as saying so.
from __future__ import annotations

from importlib import import_module

__version__ = "0.1.0"

_ROOMS = {
    "paper": (
        "InceptionWidths",
        "PRINTED",
        "TABLE_1",
        "WIDTHS",
        "scale_rows",
    ),
    "design": ("Conv", "Design", "NAIVE", "Pool", "REDUCED"),
    "shapes": ("inception_shapes", "layer_shapes"),
    "inception": ("Inception", "InceptionBase", "LinearInception", "NaiveInception"),
    "googlenet": ("AuxiliaryHead", "GoogLeNet", "GoogLeNetOutputs", "MiniGoogLeNet"),
    "variants": ("load_torchvision_weights", "notes_variant", "torchvision_variant"),
    "cost": (
        "Cost",
        "compare_branches",
        "compare_modules",
        "stacked_naive_costs",
        "conv_cost",
        "inception_cost",
        "linear_cost",
        "network_cost",
        "format_table",
        "compare_with_table_1",
        "torchinfo_cost",
        "torchinfo_layers",
    ),
    "timing": (
        "latency_ms",
        "Machine",
        "measure_machine",
        "module_bytes",
        "module_intensity",
        "peak_activation_bytes",
    ),
    "data": (
        "CLASS_NAMES",
        "CorruptDataError",
        "FashionMNIST",
        "ImageDataset",
        "load_fashion_mnist",
        "shift_and_flip",
    ),
    "device": ("computes_bfloat16", "pick_device", "set_seed"),
    "history": ("Evaluation", "History"),
    "checkpoint": (),
    "safeguards": ("NonFiniteLossError",),
    "training": ("evaluate", "fit", "joint_loss"),
    "diagnostics": ("activation_std", "gradient_norms", "initialise"),
    "records": ("provenance", "read_record"),
    "plots": (),
    "explorer": ("explorer_chart", "module_explorer"),
    "exercises": ("check", "checked"),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = [*_ROOM_OF, *_ROOMS]


def __getattr__(name: str):
    if name in _ROOMS:
        return import_module(f"gnet_lib.{name}")
    if name in _ROOM_OF:
        return getattr(import_module(f"gnet_lib.{_ROOM_OF[name]}"), name)
    raise AttributeError(f"gnet_lib has no {name!r}; it has: {', '.join(sorted(__all__))}")


def __dir__() -> list[str]:
    return sorted(__all__)
