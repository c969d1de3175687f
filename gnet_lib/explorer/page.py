"""The explorer's page: sliders, sentence, line of code and table around the chart."""

from importlib.resources import files
from typing import TYPE_CHECKING

from gnet_lib._check import require_package
from gnet_lib.design import NAIVE, REDUCED
from gnet_lib.explorer.chart import altair_package, explorer_chart
from gnet_lib.explorer.formulas import (
    MEASURES,
    MODULE,
    WIDTH_BRANCHES,
    Cell,
    Designs,
    branches_of,
    cells_of,
    start_numbers,
)
from gnet_lib.explorer.signals import element_id, sentence_cells, sentence_parts
from gnet_lib.paper import WIDTHS, InceptionWidths
from gnet_lib.plots import branch_colour

if TYPE_CHECKING:
    import altair
    from IPython.display import HTML


def module_explorer(
    in_channels: int = 192,
    widths: InceptionWidths = WIDTHS["3a"],
    size: int = 28,
    designs: Designs = (NAIVE, REDUCED),
) -> "HTML":
    """Two designs of a module side by side, with a slider for every width.

    Choosing one of the paper's modules sets all sliders. The own setting stands below the
    chart as a line of Python. One explorer fits on a page.

    Args:
        in_channels: channels of the module's input at the start.
        widths: the widths at the start.
        size: height and width of the map in pixels at the start.
        designs: the two designs; the first is outlined, the second filled.

    Returns:
        What a notebook shows when it is the last line of a cell.

    Raises:
        ModuleNotFoundError: if altair or IPython is not installed.
        ValueError: for a bad argument.

    Example:
        >>> "vegaEmbed" in module_explorer().data
        True
    """
    require_package("IPython", "the explorer is shown by")
    from IPython.display import HTML

    chart = _chart_as_html(explorer_chart(in_channels, widths, size, designs))
    numbers = start_numbers(designs, in_channels, widths, size)
    return HTML(_page(chart, numbers, widths, designs))


def _page(chart: str, numbers: dict[Cell, str], widths: InceptionWidths, designs: Designs) -> str:
    rows = ""
    for row in (*branches_of(designs), MODULE):
        cells = [
            f"<td>{_output(*cell, numbers[cell])}</td>"
            for cell in cells_of(designs)
            if cell[2] == row
        ]
        rows += f'<tr><th scope="row">{row}</th>{"".join(cells)}</tr>\n'
    *parts, end = sentence_parts(designs)
    cells_in_it = zip(parts, sentence_cells(designs), strict=True)
    return PAGE.format(
        style=_style() + _slider_colours(),
        sentence="".join(part + numbers[cell] for part, cell in cells_in_it) + end,
        code=_output("code", str(widths)),  # a dataclass writes itself as a line of Python
        copy=COPY,
        kinds="".join(
            f'<th scope="col">{design.name}</th>' for _ in MEASURES for design in designs
        ),
        rows=rows,
        chart=chart,
    )


def _output(*names: str) -> str:
    *name, text = names
    return f'<output id="{element_id(*name)}" aria-live="off">{text}</output>'


def _style() -> str:
    return files("gnet_lib.explorer").joinpath("page.css").read_text(encoding="utf-8")


def _slider_colours() -> str:
    return "".join(
        f"#module-explorer-sliders input[name={width}] {{ --branch: {branch_colour(branch)}; }}\n"
        for width, branch in WIDTH_BRANCHES.items()
    )


def _chart_as_html(chart: "altair.LayerChart") -> str:
    alt = altair_package()
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
<tr><th rowspan="2" scope="col">branch</th>
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
