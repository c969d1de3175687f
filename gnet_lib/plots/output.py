"""Out of a figure: into a notebook, into a file, into a sentence for who cannot see it."""

import base64
from io import BytesIO
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from gnet_lib._check import (
    require_choice,
    require_instance,
    require_package,
    require_whole_number,
)
from gnet_lib.plots.style import STYLE


def show(figure: Figure, image_format: str = "svg") -> None:
    """Display a figure in a notebook, as SVG (drawings) or PNG (photographs).

    Outside of a notebook the content is printed, which is long.

    Args:
        figure: what a function of this room returned.
        image_format: ``"svg"`` or ``"png"``.

    Raises:
        ValueError: for another format, or what is no figure.
        ModuleNotFoundError: if IPython is not installed; ``svg_bytes`` and ``png_bytes`` need
            no other package.

    Example:
        >>> from gnet_lib import plots
        >>> plots.show(plots.break_even_dots())  # doctest: +ELLIPSIS
        {'image/svg+xml': '<?xml ... 'text/plain': "Figure: The paper's 18 reductions ...
    """
    require_choice("image_format", image_format, ("svg", "png"))
    require_package("IPython", "figures are shown by")
    from IPython.display import display

    if image_format == "svg":
        mime, data = "image/svg+xml", svg_bytes(figure).decode("utf-8")
    else:
        mime, data = "image/png", base64.b64encode(png_bytes(figure)).decode("ascii")
    alt = alt_text(figure)
    display({mime: data, "text/plain": f"Figure: {alt}"}, raw=True, metadata={"alt": alt})


def svg_bytes(figure: Figure) -> bytes:
    """A figure as the content of an SVG file; the same figure gives the same bytes.

    Args:
        figure: what a function of this room returned.

    Returns:
        What to write into a file whose name ends in .svg.

    Raises:
        ValueError: for what is no figure.

    Example:
        >>> from gnet_lib import plots
        >>> plots.svg_bytes(plots.break_even_dots())[:5]
        b'<?xml'
    """
    return _rendered(figure, "svg", metadata={"Date": None})


def png_bytes(figure: Figure, dpi: int = 110) -> bytes:
    """A figure as the content of a PNG file.

    Args:
        figure: what a function of this room returned.
        dpi: pixels an inch, at most 1200.

    Returns:
        What to write into a file whose name ends in .png.

    Raises:
        ValueError: for what is no figure, or another ``dpi``.

    Example:
        >>> from gnet_lib import plots
        >>> plots.png_bytes(plots.break_even_dots())[1:4]
        b'PNG'
    """
    return _rendered(figure, "png", dpi=require_whole_number("dpi", dpi, at_most=1200))


def _rendered(figure: Figure, image_format: str, **options: Any) -> bytes:
    _require_figure(figure)
    picture = BytesIO()
    with matplotlib.rc_context(STYLE):
        if isinstance(figure.get_layout_engine(), ConstrainedLayoutEngine):
            # Each drawing would move the layout by a hair, so the first one settles it.
            figure.savefig(BytesIO(), format="svg")
            figure.set_layout_engine("none")
        figure.savefig(picture, format=image_format, **options)
    return picture.getvalue()


def alt_text(figure: Figure) -> str:
    """The sentence that says what a figure of this room shows.

    Args:
        figure: what a function of this room returned.

    Returns:
        The sentence, for those who cannot see the picture.

    Raises:
        ValueError: for what is no figure.

    Example:
        >>> from gnet_lib import WIDTHS, plots
        >>> figure = plots.inception_diagram(192, WIDTHS["3a"], reveal=False)
        >>> plots.alt_text(figure).split(":")[0]
        'The reduced Inception module'
    """
    return str(_require_figure(figure).get_label())


def _require_figure(figure: Figure) -> Figure:
    wanted = "a matplotlib Figure, as the functions of gnet_lib.plots return it"
    return require_instance("figure", figure, Figure, wanted)
