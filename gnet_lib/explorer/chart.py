"""The explorer's chart: bars for every branch and for the module, of two designs."""

from typing import TYPE_CHECKING, cast

from gnet_lib._check import require_package
from gnet_lib.design import NAIVE, REDUCED, require_designs
from gnet_lib.explorer.formulas import MEASURES, MODULE, Designs, branches_of, setting
from gnet_lib.explorer.signals import signals
from gnet_lib.paper import WIDTHS, InceptionWidths
from gnet_lib.plots import INK, branch_colour

if TYPE_CHECKING:
    import altair

LINE = 15  # pixels; the places below are counted in lines
LEFT, RIGHT = 58, 100  # pixels beside the bars, for names and numbers
DESCRIPTION = (
    "Bars for the branches of an Inception module and for the whole module, {first} (outlined) "
    "above {second} (filled): multiply-adds, parameters and channels out, as in the table below."
)


def explorer_chart(
    in_channels: int = 192,
    widths: InceptionWidths = WIDTHS["3a"],
    size: int = 28,
    designs: Designs = (NAIVE, REDUCED),
) -> "altair.LayerChart":
    """The explorer's chart by itself.

    It belongs into the page that ``module_explorer`` makes: there its sliders have a place.

    Args:
        in_channels: channels of the module's input at the start.
        widths: the widths at the start.
        size: height and width of the map in pixels at the start.
        designs: the two designs; the first is outlined, the second filled.

    Returns:
        The chart.

    Raises:
        ModuleNotFoundError: if altair is not installed.
        ValueError: for a bad argument.

    Example:
        >>> explorer_chart().to_dict()["background"]
        'white'
    """
    start = setting(in_channels, widths, size)
    first, second = (design.name for design in require_designs(designs, count=2))
    alt = altair_package()
    bars, notes, height = _places(designs)
    y = alt.Scale(domain=[0, height], reverse=True)
    chart = alt.layer(
        _headings(alt, notes, y, designs),
        _bars(alt, bars, y, designs),
        _numbers(alt, bars, y, designs),
    )
    patches = [
        {"op": "add", "path": "/signals/-", "value": signal} for signal in signals(start, designs)
    ]
    chart = (
        chart.properties(
            width="container",
            height=round(LINE * height),
            background="white",
            # single bars are silent (aria=False): the table says it better
            description=DESCRIPTION.format(first=first, second=second),
            usermeta={
                "embedOptions": {
                    "actions": False,
                    "renderer": "svg",
                    "bind": "#module-explorer-sliders",
                    "patch": patches,
                }
            },
        )
        .configure(font="sans-serif")
        .configure_view(stroke=None)
    )
    return cast("altair.LayerChart", chart)


def altair_package():
    """The package altair, or an error that says how to get it."""
    require_package("altair", "the explorer is drawn by")
    import altair

    return altair


def _places(designs: Designs) -> tuple[list[dict], list[dict], float]:
    """The bars, the texts beside them, and the height of all, in lines.

    The bar of the row ``"module"`` is made of its branches.
    """
    branches = branches_of(designs)
    bars, notes, y = [], [], 0.0
    for measure, title in MEASURES.items():
        notes.append({"measure": measure, "y": y + 0.6, "heading": title})
        y += 1.5
        for row in (*branches, MODULE) if measure != "channels" else (MODULE,):
            notes.append({"measure": measure, "y": y + 0.95, "row": row})
            for design, top in zip(designs, (y, y + 1), strict=True):
                for order, branch in enumerate(branches if row == MODULE else (row,)):
                    bars.append(
                        {
                            "measure": measure,
                            "row": row,
                            "module": design.name,
                            "branch": branch,
                            "order": order,
                            "top": round(top, 2),
                            "bottom": round(top + 0.85, 2),
                        }
                    )
            y += 2.4
        y += 0.6
    return bars, [note | {"y": round(note["y"], 2)} for note in notes], round(y, 2)


def _bars(alt, bars: list[dict], y, designs: Designs) -> "altair.LayerChart":
    """The bars: the first design outlined, the second filled, both on one scale."""
    branches = branches_of(designs)
    first, second = (f"datum.module == '{design.name}'" for design in designs)
    colours = alt.Scale(domain=list(branches), range=[branch_colour(each) for each in branches])
    base = _with_values(alt, bars).encode(
        x=_x(alt, "start_fraction"),
        x2="end_fraction",
        y=alt.Y("top:Q", axis=None, scale=y),
        y2="bottom",
        stroke=alt.Stroke("branch:N", scale=colours, legend=None),
        tooltip=["module:N", "branch:N", alt.Tooltip("value:Q", format=",")],
    )
    outlined = base.transform_filter(first).mark_rect(fill="white", aria=False)
    filled = (
        base.transform_filter(second)
        .mark_rect(aria=False)
        .encode(fill=alt.Fill("branch:N", scale=colours, legend=None))
    )
    return alt.layer(outlined, filled)


def _with_values(alt, bars: list[dict]) -> "altair.Chart":
    """Each bar with its value, and with its two ends as fractions of the scale's length."""
    return (
        alt.Chart(alt.Data(values=bars))
        .transform_calculate(value="values[datum.measure][datum.module][datum.branch]")
        .transform_stack(
            as_=["start", "end"],
            stack="value",
            groupby=["measure", "row", "module"],
            sort=[alt.SortField("order")],
        )
        .transform_calculate(
            start_fraction="datum.start / scale_ends[datum.measure]",
            end_fraction="datum.end / scale_ends[datum.measure]",
        )
    )


def _x(alt, field: str) -> "altair.X":
    ends = [LEFT, alt.expr(f"width - {RIGHT}")]
    return alt.X(f"{field}:Q", axis=None, scale=alt.Scale(domain=[0, 1], range=ends))


def _numbers(alt, bars: list[dict], y, designs: Designs) -> "altair.Chart":
    """The number at the end of each bar; where the second design costs more, it says so."""
    last = len(branches_of(designs)) - 1
    ends = _with_values(alt, bars).transform_filter(
        f"datum.row != 'module' || datum.order == {last}"
    )
    first, second = (design.name for design in designs)
    before = f"values[datum.measure]['{first}'][datum.branch]"
    more = f"datum.module == '{second}' && {before} > 0 && datum.value > {before}"
    behind = f"datum.row == 'module' ? ' ' + datum.module : {more} ? ' (more)' : ''"
    return (
        ends.transform_calculate(
            text=f"{_short('datum.end')} + ({behind})", middle="(datum.top + datum.bottom) / 2"
        )
        .mark_text(align="left", dx=5, baseline="middle", fontSize=11.5, color=INK, aria=False)
        .encode(x=_x(alt, "end_fraction"), y=alt.Y("middle:Q", axis=None, scale=y), text="text:N")
    )


def _short(number: str) -> str:
    """The expression that writes a count in three digits: 128049152 -> '128 M'."""
    text = f"format({number}, '.3~s')"
    for letter, unit in (("k", " K"), ("M", " M"), ("G", " G")):
        text = f"replace({text}, '{letter}', '{unit}')"
    return text


def _headings(alt, notes: list[dict], y, designs: Designs) -> "altair.LayerChart":
    """What is counted, with the ratio of the whole modules, and the names of the rows."""
    first, second = (design.name for design in designs)
    quotient = f"totals[datum.measure]['{first}'] / totals[datum.measure]['{second}']"
    ratio = f"format({quotient}, '.2f')"
    base = alt.Chart(alt.Data(values=notes)).encode(
        x=alt.value(0), y=alt.Y("y:Q", axis=None, scale=y), text="text:N"
    )
    headings = base.transform_filter("isValid(datum.heading)").transform_calculate(
        text=f"datum.heading + ': {first} = ' + {ratio} + ' × {second}'"
    )
    names = base.transform_filter("isValid(datum.row)").transform_calculate(text="datum.row")
    style = {"align": "left", "baseline": "middle", "color": INK, "aria": False}
    return alt.layer(
        headings.mark_text(fontSize=13, fontWeight="bold", **style),
        names.mark_text(fontSize=12, **style),
    )
