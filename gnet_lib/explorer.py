"""The explorer: naive and reduced module side by side, with a slider for every width.

Built with Vega-Altair. The chart is a description (JSON) that the reader's browser draws and
computes, so it moves in a page without a Python kernel, too. What it computes stands in
three small tables of formulas below. They are text, because the browser evaluates them; the
tests compare what it shows with ``gnet_lib.cost``.
"""

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING

from gnet_lib.cost import inception_cost, total
from gnet_lib.paper import (
    BRANCHES,
    WIDTHS,
    InceptionWidths,
    inception_shapes,
    require_positive_int,
    require_widths,
)
from gnet_lib.plots import COLOURS, INK, path_outputs

if TYPE_CHECKING:
    import altair
    from IPython.display import HTML

MODULES = ("naive", "reduced")

# --- the formulas ------------------------------------------------------------------------

WEIGHTS = {
    "naive": {
        "1x1": "in_channels * c1x1",
        "3x3": "3*3 * in_channels * c3x3",
        "5x5": "5*5 * in_channels * c5x5",
        "pool": "0",
    },
    "reduced": {
        "1x1": "in_channels * c1x1",
        "3x3": "in_channels * c3x3_reduce + 3*3 * c3x3_reduce * c3x3",
        "5x5": "in_channels * c5x5_reduce + 5*5 * c5x5_reduce * c5x5",
        "pool": "in_channels * pool_proj",
    },
}
"""Weights of each path. Each is used once at each of the ``size * size`` pixels."""

BIASES = {
    "naive": {"1x1": "c1x1", "3x3": "c3x3", "5x5": "c5x5", "pool": "0"},
    "reduced": {
        "1x1": "c1x1",
        "3x3": "c3x3_reduce + c3x3",
        "5x5": "c5x5_reduce + c5x5",
        "pool": "pool_proj",
    },
}
"""Biases of each path."""

CHANNELS = {
    "naive": {"1x1": "c1x1", "3x3": "c3x3", "5x5": "c5x5", "pool": "in_channels"},
    "reduced": {"1x1": "c1x1", "3x3": "c3x3", "5x5": "c5x5", "pool": "pool_proj"},
}
"""Channels that each path puts out."""

MEASURES = {
    "multiply-adds": "Multiply-adds",
    "parameters": "Parameters",
    "channels": "Channels out",
}
"""What is counted, and its heading: multiply-adds for one image, parameters with biases."""


def formula(measure: str, module: str, path: str) -> str:
    """How a number is computed from the settings, as text.

    Args:
        measure: ``"multiply-adds"``, ``"parameters"`` or ``"channels"``.
        module: ``"naive"`` or ``"reduced"``.
        path: ``"1x1"``, ``"3x3"``, ``"5x5"`` or ``"pool"``.

    Returns:
        The formula, in the names of the sliders.

    Example:
        >>> formula("multiply-adds", "naive", "3x3")
        'size * size * (3*3 * in_channels * c3x3)'
    """
    if measure == "multiply-adds":
        return f"size * size * ({WEIGHTS[module][path]})"
    if measure == "parameters":
        return f"{WEIGHTS[module][path]} + {BIASES[module][path]}"
    return CHANNELS[module][path]


# --- the settings ------------------------------------------------------------------------

PATH_OF = {
    "c1x1": "1x1",
    "c3x3_reduce": "3x3",
    "c3x3": "3x3",
    "c5x5_reduce": "5x5",
    "c5x5": "5x5",
    "pool_proj": "pool",
}
"""The widths, and the path that each belongs to."""

LARGEST = {"in_channels": 1024, "size": 56, **dict.fromkeys(PATH_OF, 512)}
"""What a reader can set, and up to which number."""

OWN = "own"  # what is chosen when the setting is none of the paper's


def paper_settings() -> dict[str, dict[str, int]]:
    """The settings of the paper's nine modules at their places in the network.

    Returns:
        Module name -> name of a slider -> its number.

    Example:
        >>> paper_settings()["3a"]["in_channels"], paper_settings()["5b"]["size"]
        (192, 7)
    """
    return {
        layer.row.name: {
            "in_channels": layer.in_channels,
            "size": layer.in_size,
            **asdict(layer.row.widths),
        }
        for layer in inception_shapes()
    }


def module_explorer(
    in_channels: int = 192, widths: InceptionWidths = WIDTHS["3a"], size: int = 28
) -> "HTML":
    """Naive and reduced module side by side, with a slider for every width.

    Choosing one of the paper's modules sets all sliders. The own setting stands below the
    chart as a line of Python. One explorer fits on a page.

    Args:
        in_channels: channels of the module's input at the start.
        widths: the widths at the start.
        size: height and width of the map in pixels at the start.

    Returns:
        What a notebook shows when it is the last line of a cell.

    Raises:
        ModuleNotFoundError: if altair is not installed.
        ValueError: for a bad argument.

    Example:
        >>> "vegaEmbed" in module_explorer().data
        True
    """
    from IPython.display import HTML

    chart = _chart_as_html(explorer_chart(in_channels, widths, size))
    return HTML(_page(chart, _numbers_at(in_channels, widths, size), widths))


def explorer_chart(
    in_channels: int = 192, widths: InceptionWidths = WIDTHS["3a"], size: int = 28
) -> "altair.LayerChart":
    """The explorer's chart by itself.

    It belongs into the page that ``module_explorer`` makes: there its sliders have a place.

    Args:
        in_channels: channels of the module's input at the start.
        widths: the widths at the start.
        size: height and width of the map in pixels at the start.

    Returns:
        The chart.

    Raises:
        ModuleNotFoundError: if altair is not installed.
        ValueError: for a bad argument.

    Example:
        >>> explorer_chart().to_dict()["background"]
        'white'
    """
    start = _start(in_channels, widths, size)
    alt = _altair()
    bars, notes, height = _places()
    y = alt.Scale(domain=[0, height], reverse=True)
    chart = alt.layer(_headings(alt, notes, y), _bars(alt, bars, y), _numbers(alt, bars, y))
    return (
        chart.properties(
            width="container",
            height=round(LINE * height),
            background="white",
            description=DESCRIPTION,  # single bars are silent (aria=False): the table says it better
            usermeta={
                "embedOptions": {
                    "actions": False,
                    "renderer": "svg",
                    "bind": "#module-explorer-sliders",
                    "patch": [
                        {"op": "add", "path": "/signals/-", "value": signal}
                        for signal in _signals(start)
                    ],
                }
            },
        )
        .configure(font="sans-serif")
        .configure_view(stroke=None)
    )


def _start(in_channels: int, widths: InceptionWidths, size: int) -> dict[str, int]:
    in_channels = require_positive_int("in_channels", in_channels)
    require_widths(widths)
    size = require_positive_int("size", size)
    return {"in_channels": in_channels, "size": size, **asdict(widths)}


def _altair():
    try:
        import altair
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "the explorer is drawn by the package altair, which is not installed; "
            "run: pip install altair"
        ) from error
    return altair


# --- what the browser computes -----------------------------------------------------------


def _signals(start: dict[str, int]) -> list[dict]:
    """Signals that are added to the chart: sliders, choice, numbers, and texts of the page.

    Vega-Lite, which Altair writes, has parameters with sliders, but none of them can also
    follow a choice. A signal of Vega, the language below it, can. vega-embed, which puts
    the chart into the page, adds these signals to those that it finds there (``patch``).
    """
    presets = paper_settings()
    name_of = {_key(values): name for name, values in presets.items()}
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
        {"name": "values", "update": _for_all(formula)},
        {"name": "totals", "update": _for_all_modules(_sum_of_paths)},
        {"name": "scale_ends", "update": _scale_ends()},
        *(_shown(*cell, f"format({_current(*cell)}, ',')") for cell in CELLS),
        _shown("code", _line_of_code()),
        _sentence_later(),
    ]


def _key(values: dict[str, int]) -> str:
    return " ".join(str(values[name]) for name in LARGEST)


def _after_input(expression: str, milliseconds: int) -> dict:
    return {
        "events": {"source": "window", "type": "input", "debounce": milliseconds},
        "update": expression,
    }


def _slider(name: str, start: int) -> dict:
    largest = max(LARGEST[name], start)
    return {
        "name": name,
        "value": start,
        "bind": {"input": "range", "min": 1, "max": largest, "step": 1, "name": name},
        "on": [
            {
                "events": {"signal": "preset"},
                "update": f"preset == '{OWN}' ? {name} : presets[preset].{name}",
            }
        ],
    }


def _object(entries: dict[str, str]) -> str:
    return "{" + ", ".join(f"'{name}': {expression}" for name, expression in entries.items()) + "}"


def _for_all_modules(expression: Callable[[str, str], str]) -> str:
    """An object of objects: measure -> module -> what ``expression`` says."""
    return _object(
        {
            measure: _object({module: expression(measure, module) for module in MODULES})
            for measure in MEASURES
        }
    )


def _for_all(expression: Callable[[str, str, str], str]) -> str:
    """The same with one level more: measure -> module -> path."""
    return _for_all_modules(
        lambda measure, module: _object(
            {path: expression(measure, module, path) for path in BRANCHES}
        )
    )


def _current(measure: str, module: str, row: str) -> str:
    """The expression of a number at the moment; the row is a path or ``"module"``."""
    if row == "module":
        return f"totals['{measure}'].{module}"
    return f"values['{measure}'].{module}['{row}']"


def _sum_of_paths(measure: str, module: str) -> str:
    return " + ".join(_current(measure, module, path) for path in BRANCHES)


SCALE_STEPS = (1, 1.5, 2, 3, 4, 6, 8)


def _scale_ends() -> str:
    """Where the scale of each measure ends: at the next of 1, 1.5, 2, 3, 4, 6, 8 and zeros.

    So a bar grows under the reader's hand, where a scale that always fits would shrink all
    the others instead.
    """

    def end(measure):
        naive, reduced = (_current(measure, module, "module") for module in MODULES)
        largest = f"max({naive}, {reduced})"
        power = f"pow(10, floor(log({largest}) / LN10))"
        steps = " : ".join(f"{largest} <= {step} * {power} ? {step}" for step in SCALE_STEPS)
        return f"{power} * ({steps} : 10)"

    return _object({measure: end(measure) for measure in MEASURES})


# --- texts of the page that follow the sliders -------------------------------------------

ROWS = (*BRANCHES, "module")
CELLS = [(measure, module, row) for row in ROWS for measure in MEASURES for module in MODULES]
"""The numbers of the page's table, in its order."""


def _shown(*names: str) -> dict:
    """A signal whose text the browser writes into the page's element of the same name."""
    *name, expression = names
    return {
        "name": "_".join(["shown", *name]).replace("-", "_"),
        "update": expression,
        "bind": {"element": f"#module-explorer-{'-'.join(name)}"},
    }


def _line_of_code() -> str:
    arguments = " + ', ".join(f"{name}=' + {name}" for name in PATH_OF)
    return f"'InceptionWidths({arguments} + ')'"


SENTENCE = (
    "The naive module needs {} multiply-adds and has {} parameters; the reduced one needs {} "
    "and has {}."
)
SENTENCE_NUMBERS = [
    (measure, module, "module") for module in MODULES for measure in ("multiply-adds", "parameters")
]


def _sentence_later() -> dict:
    """The sentence below the chart. It is read aloud, so it waits until the slider rests."""
    parts = [json.dumps(part) for part in SENTENCE.split("{}")]
    numbers = [f"format({_current(*number)}, ',')" for number in SENTENCE_NUMBERS]
    expression = " + ".join(part for pair in zip(parts, numbers) for part in pair)
    signal = _shown("sentence", f"{expression} + {parts[-1]}")
    signal["on"] = [_after_input(signal.pop("update"), milliseconds=400)]
    return signal


def _numbers_at(
    in_channels: int, widths: InceptionWidths, size: int
) -> dict[tuple[str, str, str], str]:
    """The numbers before anything is moved, from ``gnet_lib.cost``: they need no browser."""
    numbers = {}
    for module in MODULES:
        costs = inception_cost(in_channels, widths, size, naive=module == "naive")
        channels = path_outputs(in_channels, widths, naive=module == "naive")
        costs["module"], channels["module"] = total(costs), sum(channels.values())
        for row in ROWS:
            numbers["multiply-adds", module, row] = f"{costs[row].multiply_adds:,}"
            numbers["parameters", module, row] = f"{costs[row].parameters:,}"
            numbers["channels", module, row] = f"{channels[row]:,}"
    return numbers


def _page(chart: str, numbers: dict[tuple[str, str, str], str], widths: InceptionWidths) -> str:
    rows = ""
    for row in ROWS:
        cells = [f"<td>{_output(*cell, numbers[cell])}</td>" for cell in CELLS if cell[2] == row]
        rows += f'<tr><th scope="row">{row}</th>{"".join(cells)}</tr>\n'
    return PAGE.format(
        style=STYLE + _slider_colours(),
        sentence=SENTENCE.format(*(numbers[number] for number in SENTENCE_NUMBERS)),
        code=_output("code", str(widths)),  # a dataclass writes itself as a line of Python
        copy=COPY,
        kinds="".join(f'<th scope="col">{module}</th>' for _ in MEASURES for module in MODULES),
        rows=rows,
        chart=chart,
    )


def _output(*names: str) -> str:
    *name, text = names
    return f'<output id="module-explorer-{"-".join(name)}" aria-live="off">{text}</output>'


def _slider_colours() -> str:
    return "".join(
        f"#module-explorer-sliders input[name={name}] {{ --path: {COLOURS[path]}; }}\n"
        for name, path in PATH_OF.items()
    )


def _chart_as_html(chart: "altair.LayerChart") -> str:
    alt = _altair()
    from altair.utils.html import spec_to_html

    return spec_to_html(
        chart.to_dict(),
        mode="vega-lite",
        vega_version=alt.VEGA_VERSION,
        vegalite_version=alt.VEGALITE_VERSION,
        vegaembed_version=alt.VEGAEMBED_VERSION,
        template="universal",  # the browser fetches Vega unless the page has it
        # Altair would draw a name at random; with a fixed one, every run stores the same.
        output_div="module-explorer",
        fullhtml=False,
    ).strip()


# The chart comes last, because it looks for its places when it starts; the style puts it first.
PAGE = """<style>
{style}</style>
<div class="module-explorer">
<div id="module-explorer-presets" role="radiogroup" aria-label="A module of the paper"></div>
<div id="module-explorer-sliders" role="group" aria-label="Input and widths"></div>
<noscript>Bars and sliders need JavaScript. The numbers below stay where they are.</noscript>
<p><output id="module-explorer-sentence">{sentence}</output></p>
<p class="module-explorer-code"><code>{code}</code>
<button type="button" onclick="{copy}">Copy</button></p>
<details>
<summary>The exact numbers</summary>
<table class="dataframe">
<thead>
<tr><th rowspan="2" scope="col">path</th>
<th colspan="2" scope="colgroup">multiply-adds</th><th colspan="2" scope="colgroup">parameters</th>
<th colspan="2" scope="colgroup">channels out</th></tr>
<tr>{kinds}</tr>
</thead>
<tbody>
{rows}</tbody>
</table>
</details>
<div class="module-explorer-chart">
{chart}
</div>
</div>"""

# Where the browser does not let a page copy, the line is at least selected.
COPY = (
    "const line = document.getElementById('module-explorer-code');"
    "getSelection().selectAllChildren(line);"
    "const say = (word) => { this.textContent = word; };"
    "navigator.clipboard?.writeText(line.value).then("
    "() => { say('Copied'); setTimeout(() => say('Copy'), 2000); }, () => say('Selected'))"
)

STYLE = """.module-explorer { display: flex; flex-wrap: wrap; gap: 0.75rem 1.75rem; max-width: 60rem; }
.module-explorer > * { flex: 1 1 100%; min-width: 0; margin: 0; order: 3; }
.module-explorer > #module-explorer-presets { order: 0; }
.module-explorer > #module-explorer-sliders { order: 1; flex: 1 1 9.5rem; }
.module-explorer > .module-explorer-chart { order: 2; flex: 3 1 24rem; }
#module-explorer.vega-embed { display: block; width: 100%; padding: 0; }
.module-explorer .vega-bind-radio, #module-explorer-presets .vega-bind { display: flex; flex-wrap: wrap; gap: 0.3rem; align-items: center; }
#module-explorer-presets .vega-bind-name { margin-right: 0.5rem; }
#module-explorer-presets label { position: relative; padding: 0.2rem 0.6rem; border: 1px solid #8888; border-radius: 1rem; }
#module-explorer-presets label:has(:checked) { background: #4a6fa5; border-color: #4a6fa5; color: white; }
#module-explorer-presets label:has(:focus-visible) { outline: 2px solid #4a6fa5; outline-offset: 2px; }
#module-explorer-presets input { position: absolute; inset: 0; margin: 0; opacity: 0; cursor: pointer; }
#module-explorer-sliders { display: grid; gap: 0.25rem 1.75rem; align-content: space-between;
  grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); }
#module-explorer-sliders label { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 0.5rem; }
#module-explorer-sliders label > :last-child { font-variant-numeric: tabular-nums; font-weight: 600; }
#module-explorer-sliders input { appearance: none; order: 3; flex: 1 0 100%; width: 100%; height: 1.75rem;
  margin: 0; background: none; cursor: pointer; touch-action: pan-y; --path: #4a6fa5; }
#module-explorer-sliders input::-webkit-slider-runnable-track { height: 4px; border-radius: 2px; background: #8888; }
#module-explorer-sliders input::-moz-range-track { height: 4px; border-radius: 2px; background: #8888; }
#module-explorer-sliders input::-webkit-slider-thumb { appearance: none; width: 20px; height: 20px; margin-top: -8px;
  border: 0; border-radius: 50%; background: var(--path); }
#module-explorer-sliders input::-moz-range-thumb { width: 20px; height: 20px; border: 0; border-radius: 50%;
  background: var(--path); }
#module-explorer-sliders input:focus-visible { outline: 2px solid var(--path); outline-offset: 1px; border-radius: 4px; }
.module-explorer-code { display: flex; flex-wrap: wrap; gap: 0.5rem; align-items: center; }
.module-explorer-code code { flex: 0 1 auto; overflow-wrap: anywhere; }
.module-explorer-code button { cursor: pointer; padding: 0.2rem 0.7rem; border: 1px solid #8888; border-radius: 1rem;
  background: none; color: inherit; font: inherit; }
.module-explorer details { overflow-x: auto; }
.module-explorer td { text-align: right; font-variant-numeric: tabular-nums; }
"""


# --- what is drawn -----------------------------------------------------------------------

LINE = 15  # pixels; the places below are counted in lines
LEFT, RIGHT = 58, 100  # pixels beside the bars, for names and numbers
DESCRIPTION = (
    "Bars for the four paths of an Inception module and for the whole module, naive (outlined) "
    "above reduced (filled): multiply-adds, parameters and channels out, as in the table below."
)


def _places() -> tuple[list[dict], list[dict], float]:
    """The bars, the texts beside them, and the height of all, in lines.

    The bar of the row ``"module"`` is made of its four paths.
    """
    bars, notes, y = [], [], 0.0
    for measure, title in MEASURES.items():
        notes.append({"measure": measure, "y": y + 0.6, "heading": title})
        y += 1.5
        for row in ROWS if measure != "channels" else ("module",):
            notes.append({"measure": measure, "y": y + 0.95, "row": row})
            for module, top in zip(MODULES, (y, y + 1)):
                for order, path in enumerate(BRANCHES if row == "module" else (row,)):
                    bars.append(
                        {
                            "measure": measure,
                            "row": row,
                            "module": module,
                            "path": path,
                            "order": order,
                            "top": round(top, 2),
                            "bottom": round(top + 0.85, 2),
                        }
                    )
            y += 2.4
        y += 0.6
    return bars, [note | {"y": round(note["y"], 2)} for note in notes], round(y, 2)


def _bars(alt, bars: list[dict], y) -> "altair.LayerChart":
    """The bars: naive outlined, reduced filled, both on one scale."""
    colours = alt.Scale(domain=list(BRANCHES), range=[COLOURS[path] for path in BRANCHES])
    base = _with_values(alt, bars).encode(
        x=_x(alt, "start_share"),
        x2="end_share",
        y=alt.Y("top:Q", axis=None, scale=y),
        y2="bottom",
        stroke=alt.Stroke("path:N", scale=colours, legend=None),
        tooltip=["module:N", "path:N", alt.Tooltip("value:Q", format=",")],
    )
    naive = base.transform_filter("datum.module == 'naive'").mark_rect(fill="white", aria=False)
    reduced = (
        base.transform_filter("datum.module == 'reduced'")
        .mark_rect(aria=False)
        .encode(fill=alt.Fill("path:N", scale=colours, legend=None))
    )
    return alt.layer(naive, reduced)


def _with_values(alt, bars: list[dict]) -> "altair.Chart":
    """Each bar with its value, and with its two ends as shares of the scale's length."""
    return (
        alt.Chart(alt.Data(values=bars))
        .transform_calculate(value="values[datum.measure][datum.module][datum.path]")
        .transform_stack(
            as_=["start", "end"],
            stack="value",
            groupby=["measure", "row", "module"],
            sort=[alt.SortField("order")],
        )
        .transform_calculate(
            start_share="datum.start / scale_ends[datum.measure]",
            end_share="datum.end / scale_ends[datum.measure]",
        )
    )


def _x(alt, field: str) -> "altair.X":
    ends = [LEFT, alt.expr(f"width - {RIGHT}")]
    return alt.X(f"{field}:Q", axis=None, scale=alt.Scale(domain=[0, 1], range=ends))


def _numbers(alt, bars: list[dict], y) -> "altair.Chart":
    """The number at the end of each bar; where the reduced path costs more, it says so."""
    ends = _with_values(alt, bars).transform_filter("datum.row != 'module' || datum.order == 3")
    naive = "values[datum.measure].naive[datum.path]"
    more = f"datum.module == 'reduced' && datum.path != 'pool' && datum.value > {naive}"
    behind = f"datum.row == 'module' ? ' ' + datum.module : {more} ? ' (more)' : ''"
    return (
        ends.transform_calculate(
            text=f"{_short('datum.end')} + ({behind})", middle="(datum.top + datum.bottom) / 2"
        )
        .mark_text(align="left", dx=5, baseline="middle", fontSize=11.5, color=INK, aria=False)
        .encode(x=_x(alt, "end_share"), y=alt.Y("middle:Q", axis=None, scale=y), text="text:N")
    )


def _short(number: str) -> str:
    """The expression that writes a count in three digits: 128049152 -> '128 M'."""
    text = f"format({number}, '.3~s')"
    for letter, unit in (("k", " K"), ("M", " M"), ("G", " G")):
        text = f"replace({text}, '{letter}', '{unit}')"
    return text


def _headings(alt, notes: list[dict], y) -> "altair.LayerChart":
    """What is counted, with the ratio of the whole modules, and the names of the rows."""
    ratio = "format(totals[datum.measure].naive / totals[datum.measure].reduced, '.2f')"
    base = alt.Chart(alt.Data(values=notes)).encode(
        x=alt.value(0), y=alt.Y("y:Q", axis=None, scale=y), text="text:N"
    )
    headings = base.transform_filter("isValid(datum.heading)").transform_calculate(
        text=f"datum.heading + ': naive = ' + {ratio} + ' × reduced'"
    )
    names = base.transform_filter("isValid(datum.row)").transform_calculate(text="datum.row")
    style = {"align": "left", "baseline": "middle", "color": INK, "aria": False}
    return alt.layer(
        headings.mark_text(fontSize=13, fontWeight="bold", **style),
        names.mark_text(fontSize=12, **style),
    )
