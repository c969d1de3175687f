"""What the browser computes while a reader moves the sliders, as signals of Vega.

Vega-Lite, which Altair writes, has parameters with sliders, but none of them can also follow
a choice. A signal of Vega, the language below it, can. vega-embed, which puts the chart into
the page, adds these signals to those that it finds there (``patch``).
"""

import json
import re
from typing import Any

from gnet_lib.explorer.formulas import (
    LARGEST,
    MEASURES,
    MODULE,
    WIDTH_BRANCHES,
    Cell,
    Designs,
    cells_of,
    current,
    js_object,
    paper_settings,
    totals,
    values,
)

Signal = dict[str, Any]

OWN = "own"  # what is chosen when the setting is none of the paper's
SCALE_STEPS = (1, 1.5, 2, 3, 4, 6, 8)

# The numbers stand where the # are.
SENTENCE = (
    "The {first} module needs # multiply-adds and has # parameters; the {second} one needs # "
    "and has #."
)


def signals(start: dict[str, int], designs: Designs) -> list[Signal]:
    """Signals that are added to the chart: sliders, choice, numbers, and texts of the page."""
    presets = paper_settings()
    name_of = {_key(setting): name for name, setting in presets.items()}
    key_now = f"join([{', '.join(LARGEST)}], ' ')"
    return [
        {"name": "presets", "value": presets},
        {"name": "preset_of", "value": name_of},
        {
            "name": "preset",
            "value": name_of.get(_key(start), OWN),
            "bind": {
                "input": "radio",
                "options": [*presets, OWN],
                "name": "module",
                "element": "#module-explorer-presets",
            },
            # Shortly after a slider was moved: is this one of the paper's modules?
            "on": [_after_input(f"preset_of[{key_now}] || '{OWN}'", milliseconds=20)],
        },
        *(_slider(name, start[name]) for name in LARGEST),
        {"name": "values", "update": values(designs)},
        {"name": "totals", "update": totals(designs)},
        {"name": "scale_ends", "update": _scale_ends(designs)},
        *(_shown(*cell, f"format({current(*cell)}, ',')") for cell in cells_of(designs)),
        _shown("code", _line_of_code()),
        _sentence_later(designs),
    ]


def _key(setting: dict[str, int]) -> str:
    return " ".join(str(setting[name]) for name in LARGEST)


def _after_input(expression: str, milliseconds: int) -> Signal:
    return {
        "events": {"source": "window", "type": "input", "debounce": milliseconds},
        "update": expression,
    }


def _slider(name: str, start: int) -> Signal:
    largest = max(LARGEST[name], start)
    chosen = f"preset == '{OWN}' ? {name} : presets[preset].{name}"
    return {
        "name": name,
        "value": start,
        "bind": {"input": "range", "min": 1, "max": largest, "step": 1, "name": name},
        "on": [{"events": {"signal": "preset"}, "update": chosen}],
    }


def _scale_ends(designs: Designs) -> str:
    """Where the scale of each measure ends: at the next of 1, 1.5, 2, 3, 4, 6, 8 and zeros.

    So a bar grows under the reader's hand, where a scale that always fits would shrink all
    the others instead.
    """

    def end(measure: str) -> str:
        first, second = (current(measure, design.name, MODULE) for design in designs)
        largest = f"max({first}, {second})"
        power = f"pow(10, floor(log({largest}) / LN10))"
        steps = " : ".join(f"{largest} <= {step} * {power} ? {step}" for step in SCALE_STEPS)
        return f"{power} * ({steps} : 10)"

    return js_object((measure, end(measure)) for measure in MEASURES)


# --- texts of the page that follow the sliders -------------------------------------------


def element_id(*name: str) -> str:
    """The id of the page's element that shows a number or a text."""
    return re.sub(r"[^\w-]", "-", "-".join(["module-explorer", *name]))


def _shown(*names: str) -> Signal:
    """A signal whose text the browser writes into the page's element of the same name."""
    *name, expression = names
    return {
        "name": re.sub(r"\W", "_", "_".join(["shown", *name])),
        "update": expression,
        "bind": {"element": f"#{element_id(*name)}"},
    }


def _line_of_code() -> str:
    arguments = " + ', ".join(f"{name}=' + {name}" for name in WIDTH_BRANCHES)
    return f"'InceptionWidths({arguments} + ')'"


def sentence_parts(designs: Designs) -> list[str]:
    """The sentence around its numbers: one part more than there are numbers."""
    first, second = (design.name for design in designs)
    return SENTENCE.format(first=first, second=second).split("#")


def sentence_cells(designs: Designs) -> list[Cell]:
    """The numbers of the sentence, in its order."""
    return [
        (measure, design.name, MODULE)
        for design in designs
        for measure in ("multiply-adds", "parameters")
    ]


def _sentence_later(designs: Designs) -> Signal:
    """The sentence below the chart. It is read aloud, so it waits until the slider rests."""
    *parts, end = map(json.dumps, sentence_parts(designs))
    numbers = [f"format({current(*cell)}, ',')" for cell in sentence_cells(designs)]
    pairs = [f"{part} + {number}" for part, number in zip(parts, numbers, strict=True)]
    signal = _shown("sentence", " + ".join([*pairs, end]))
    signal["on"] = [_after_input(signal.pop("update"), milliseconds=400)]
    return signal
