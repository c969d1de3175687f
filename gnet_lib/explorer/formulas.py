"""What the explorer computes: formulas in the names of its sliders, read off a ``Design``.

They are text, because the reader's browser evaluates them. The tests compare what they give
with ``gnet_lib.cost``.
"""

from collections.abc import Iterable
from dataclasses import asdict

from gnet_lib._check import require_choice, require_text, require_whole_number
from gnet_lib.cost import Cost, inception_cost, total
from gnet_lib.design import NAIVE, REDUCED, Conv, Design, PlacedLayer, require_design
from gnet_lib.paper import InceptionWidths, require_widths
from gnet_lib.shapes import inception_shapes

Designs = tuple[Design, Design]  # the first is drawn outlined, the second filled

MEASURES = {
    "multiply-adds": "Multiply-adds",
    "parameters": "Parameters",
    "channels": "Channels out",
}
"""What is counted, and its heading: multiply-adds for one image, parameters with biases."""

# --- the settings ------------------------------------------------------------------------

WIDTH_BRANCHES = {
    layer.width: branch
    for branch, layers in REDUCED.branches.items()
    for layer in layers
    if isinstance(layer, Conv)
}
"""The widths, and the branch that each belongs to."""

LARGEST = {"in_channels": 1024, "size": 56, **dict.fromkeys(WIDTH_BRANCHES, 512)}
"""What a reader can set, and up to which number."""


def paper_settings() -> dict[str, dict[str, int]]:
    """The settings of the paper's nine modules at their places in the network.

    Returns:
        Module name -> name of a slider -> its number.

    Example:
        >>> paper_settings()["3a"]["in_channels"], paper_settings()["5b"]["size"]
        (192, 7)
    """
    return {
        layer.row.name: setting(layer.in_channels, layer.row.widths, layer.in_size)
        for layer in inception_shapes()
    }


def setting(in_channels: int, widths: InceptionWidths, size: int) -> dict[str, int]:
    """Where the sliders stand.

    Args:
        in_channels: channels of the module's input.
        widths: the module's widths.
        size: height and width of the map in pixels.

    Returns:
        Name of a slider -> its number.

    Raises:
        ValueError: for a bad argument.
    """
    in_channels = require_whole_number("in_channels", in_channels)
    size = require_whole_number("size", size)
    return {"in_channels": in_channels, "size": size, **asdict(require_widths(widths))}


# --- one number --------------------------------------------------------------------------


def formula(measure: str, design: Design, branch: str) -> str:
    """How a number is computed from the settings, as text.

    Args:
        measure: ``"multiply-adds"``, ``"parameters"`` or ``"channels"``.
        design: the module's design.
        branch: name of a branch; one that the design does not have costs nothing.

    Returns:
        The formula, in the names of the sliders.

    Raises:
        ValueError: for another measure, what is no design, or a name that is no text.

    Example:
        >>> from gnet_lib.design import NAIVE
        >>> formula("multiply-adds", NAIVE, "3x3")
        'size * size * (3*3 * in_channels * c3x3)'
    """
    require_choice("measure", measure, MEASURES)
    require_text("branch", branch)
    layers = require_design(design).layers("in_channels", str).get(branch, [])
    convolutions = [placed for placed in layers if isinstance(placed.layer, Conv)]
    if measure == "channels":
        return layers[-1].out_channels if layers else "0"
    weights = " + ".join(map(_weights, convolutions)) or "0"
    if measure == "multiply-adds":  # each weight is used once at each pixel
        return f"size * size * ({weights})"
    biases = " + ".join(placed.out_channels for placed in convolutions) or "0"
    return f"{weights} + {biases}"


def _weights(placed: PlacedLayer[str]) -> str:
    height, width = placed.layer.kernel
    factor = "" if height == width == 1 else f"{height}*{width} * "
    return f"{factor}{placed.in_channels} * {placed.out_channels}"


# --- all numbers of a page ---------------------------------------------------------------

MODULE = "module"  # the row of the whole module
Cell = tuple[str, str, str]  # measure, name of the design, row


def branches_of(designs: Designs) -> tuple[str, ...]:
    """The branches of both designs, in their order."""
    return tuple(dict.fromkeys(branch for design in designs for branch in design.branches))


def cells_of(designs: Designs) -> list[Cell]:
    """The numbers of the page's table, in its order: row by row."""
    return [
        (measure, design.name, row)
        for row in (*branches_of(designs), MODULE)
        for measure in MEASURES
        for design in designs
    ]


CELLS = cells_of((NAIVE, REDUCED))
"""The numbers of the table, naive beside reduced."""


def current(measure: str, name: str, row: str) -> str:
    """The expression of a number at the moment; the row is a branch or ``"module"``."""
    if row == MODULE:
        return f"totals['{measure}']['{name}']"
    return f"values['{measure}']['{name}']['{row}']"


def values(designs: Designs) -> str:
    """All numbers of the branches: an object measure -> design -> branch -> number."""
    branches = branches_of(designs)
    return js_object(
        (
            measure,
            design.name,
            js_object((each, formula(measure, design, each)) for each in branches),
        )
        for measure in MEASURES
        for design in designs
    )


def totals(designs: Designs) -> str:
    """The sums over the branches: an object measure -> design -> number."""
    branches = branches_of(designs)
    return js_object(
        (measure, design.name, " + ".join(current(measure, design.name, each) for each in branches))
        for measure in MEASURES
        for design in designs
    )


def js_object(entries: Iterable[tuple[str, ...]]) -> str:
    """An object of JavaScript from (name, ..., name, expression), one level for each name."""
    nested: dict[str, list[tuple[str, ...]]] = {}
    for name, *rest in entries:
        nested.setdefault(name, []).append(tuple(rest))
    parts = [
        f"'{name}': {rests[0][0] if len(rests[0]) == 1 else js_object(rests)}"
        for name, rests in nested.items()
    ]
    return "{" + ", ".join(parts) + "}"


def start_numbers(
    designs: Designs, in_channels: int, widths: InceptionWidths, size: int
) -> dict[Cell, str]:
    """The numbers before anything is moved, from ``gnet_lib.cost``: they need no browser."""
    numbers = {}
    for design in designs:
        costs = inception_cost(in_channels, widths, size, design)
        channels = design.branch_channels(in_channels, widths)
        costs[MODULE], channels[MODULE] = total(costs), sum(channels.values())
        for row in (*branches_of(designs), MODULE):
            cost = costs.get(row, Cost())
            numbers["multiply-adds", design.name, row] = f"{cost.multiply_adds:,}"
            numbers["parameters", design.name, row] = f"{cost.parameters:,}"
            numbers["channels", design.name, row] = f"{channels.get(row, 0):,}"
    return numbers
