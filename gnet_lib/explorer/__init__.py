"""The explorer: two designs of a module side by side, with a slider for every width.

Built with Vega-Altair. The chart is a description (JSON) that the reader's browser draws and
computes, so it moves in a page without a Python kernel, too. ``formulas`` writes what it
computes, as text, because the browser evaluates it; ``chart`` draws the bars, ``page`` puts
sliders, sentence and table around them.
"""

from gnet_lib.explorer.chart import explorer_chart
from gnet_lib.explorer.formulas import CELLS, LARGEST, WIDTH_BRANCHES, formula, paper_settings
from gnet_lib.explorer.page import module_explorer

__all__ = [
    "CELLS",
    "LARGEST",
    "WIDTH_BRANCHES",
    "explorer_chart",
    "formula",
    "module_explorer",
    "paper_settings",
]
