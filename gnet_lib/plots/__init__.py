"""Every figure of the book, and the one place that knows its colours, sizes and fonts.

House rules: the four branches of a module have four fixed colours (safe for the colour-blind,
after Okabe and Ito); naive is outlined, reduced is filled; things to be compared share one
scale; labels stand beside what they name. Every function returns a matplotlib ``Figure``
whose label is a sentence that says what the figure shows: it is the figure's alt text, and
its numbers are computed from the same data. ``show`` puts the figure into a notebook.
"""

from gnet_lib.plots.comparison import (
    NETWORK_MARKS,
    comparison_dots,
    lead_intervals,
    rate_search,
)
from gnet_lib.plots.costs import (
    channel_growth,
    module_cost_bars,
    network_cost_bars,
    printed_against_computed,
)
from gnet_lib.plots.diagrams import convolution_diagram, network_diagram
from gnet_lib.plots.gradients import row_lines, singular_values, start_dots
from gnet_lib.plots.images import image_grid
from gnet_lib.plots.modules import (
    branch_cost_bars,
    break_even_dots,
    inception_diagram,
    reduction_lines,
)
from gnet_lib.plots.networks import network_map, price_bars
from gnet_lib.plots.output import alt_text, png_bytes, show, svg_bytes
from gnet_lib.plots.style import COLOURS, INK, PLAIN, SOFT, STYLE, branch_colour
from gnet_lib.plots.timing import latency_bars, roofline
from gnet_lib.plots.training import accuracy_curves, change_dots, drift_lines, learning_curves

__all__ = [
    "COLOURS",
    "INK",
    "PLAIN",
    "SOFT",
    "STYLE",
    "alt_text",
    "branch_colour",
    "png_bytes",
    "show",
    "svg_bytes",
    "branch_cost_bars",
    "break_even_dots",
    "inception_diagram",
    "reduction_lines",
    "convolution_diagram",
    "network_diagram",
    "channel_growth",
    "module_cost_bars",
    "network_cost_bars",
    "printed_against_computed",
    "latency_bars",
    "roofline",
    "network_map",
    "price_bars",
    "image_grid",
    "accuracy_curves",
    "change_dots",
    "drift_lines",
    "learning_curves",
    "row_lines",
    "singular_values",
    "start_dots",
    "NETWORK_MARKS",
    "comparison_dots",
    "lead_intervals",
    "rate_search",
]
