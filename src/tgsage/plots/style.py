"""How every figure looks and is saved. Matplotlib's global state stays as it is."""

from __future__ import annotations

import io
import os
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator

from ..store import replacing

PALETTE = {
    "blue": "#0072B2",
    "vermillion": "#D55E00",
    "green": "#009E73",
    "purple": "#CC79A7",
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "black": "#222222",
    "yellow": "#F0E442",
}
"""Colours that stay apart for colour-blind readers (Okabe and Ito 2008), in order of use."""

COLOURS = tuple(PALETTE.values())
USUAL = {"monkey": "blue", "network": "green", "none": "black", "shuffled": "vermillion", "random": "purple"}
"""Colours of usual arms, the same in every figure."""
INK, GREY, PALE = "#222222", "#6b6b6b", "#d9d9d9"
DASHES = ("-", (0, (5, 1.6)), (0, (1.2, 1.2)), (0, (6, 1.4, 1.2, 1.4)))
"""Line styles of arms in order: lines that lie on each other stay visible."""
WIDTH = 7.2
"""Inches: the full width (183 mm) of a two-column journal page."""

DPI = 200
"""Resolution of a PNG."""
MAX_ELEMENTS = 1000
"""Candidates up to which each has elements of its own in an SVG."""

STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same figure on every machine
    **dict.fromkeys(("font.size", "axes.labelsize"), 8),
    **dict.fromkeys(("xtick.labelsize", "ytick.labelsize", "legend.fontsize"), 7.5),
    **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK),
    **dict.fromkeys(("axes.linewidth", "xtick.major.width", "ytick.major.width"), 0.7),
    **dict.fromkeys(("xtick.major.size", "ytick.major.size"), 3),
    **dict.fromkeys(("figure.facecolor", "savefig.facecolor"), "white"),
    **dict.fromkeys(("axes.spines.top", "axes.spines.right", "legend.frameon"), False),
    "axes.titlesize": 8.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "legend.handletextpad": 0.4,
    "lines.linewidth": 1.4,
    "lines.markersize": 4.5,
    "hatch.linewidth": 0.5,
    "image.interpolation": "nearest",
    "svg.fonttype": "path",
    "svg.hashsalt": "tgsage",
    "path.simplify": True,
}

# A user's matplotlibrc must not change the figures: matplotlib's defaults first, then the style.
styled = matplotlib.style.context(["default", STYLE])
"""Makes a function draw under the package's style, and leaves matplotlib's settings as they were."""

LEGEND: Final = "outside upper right"
"""Where the legends of whole figures are."""


@dataclass(frozen=True)
class Drawing:
    """A figure with the words that go with it."""

    name: str
    """File name without its ending."""
    figure: Figure
    caption: str
    alt: str
    """What a reader who cannot see the figure should know."""
    on_page: bool = True
    """Whether the run's page shows it."""


def new(height: float, width: float = WIDTH) -> Figure:
    """Return an empty figure of a size in inches, with matplotlib's constrained layout and without pyplot."""
    layout = ConstrainedLayoutEngine(w_pad=4 / 72, h_pad=4 / 72, wspace=0.03, hspace=0.03)
    return Figure(figsize=(width, height), layout=layout)


def as_image(figure: Figure, points: int) -> bool:
    """Whether an SVG shall hold that many points as an image, so that its size does not grow with them.

    The image has the resolution of the PNG.
    """
    if points > MAX_ELEMENTS:
        figure.set_dpi(DPI)
    return points > MAX_ELEMENTS


def annotate(figure: Figure, sentences: Iterable[str], mark: str = "") -> None:
    """Write the footnote below a figure, and a mark above it.

    Parameters
    ----------
    sentences
        What stands below: n, the meaning of intervals, order, scale. Empty ones are left out.
    mark
        What of the figure is simulated, encoded or a control.
    """
    if text := " ".join(filter(None, sentences)):
        columns = int(figure.get_figwidth() * 18.5)
        # Wrapped by hand: the constrained layout does not see matplotlib's own wrapping.
        figure.supxlabel(
            textwrap.fill(text, columns), x=0.01, ha="left", fontsize=7, color=GREY, linespacing=1.3
        )
    if mark:
        title = figure.suptitle(
            mark, x=0.01, ha="left", fontsize=7.5, fontweight="bold", color=PALETTE["vermillion"]
        )
        _make_room(figure, title)


def _make_room(figure: Figure, title: Text) -> None:
    """Put a legend that would overlap the text at the upper left into fewer columns."""
    renderer: RendererAgg = FigureCanvasAgg(figure).get_renderer()
    room = figure.bbox.width - title.get_window_extent(renderer).width - 0.04 * figure.bbox.width
    for original in list(figure.legends):
        legend = original
        handles = [handle for handle in legend.legend_handles if handle is not None]
        columns = len(handles)
        while columns > 1 and legend.get_window_extent(renderer).width > room:
            # The number of columns of an existing legend cannot change, so a new legend replaces it.
            columns -= 1
            legend.remove()
            legend = figure.legend(handles=handles, loc=LEGEND, ncols=columns)


def note(
    panel: Axes,
    text: str,
    at: tuple[float, float],
    offset: tuple[float, float],
    coordinates: Any = "data",
    **look: Any,
) -> None:
    """Write grey text beside a point, ``offset`` in printer's points; it may stand outside the axes."""
    look = {"fontsize": 7, "color": GREY, "va": "center", "annotation_clip": False, **look}
    panel.annotate(text, at, xycoords=coordinates, xytext=offset, textcoords="offset points", **look)


def handle(label: str, marker: str = "", **look: Any) -> Line2D:
    """Return a legend's entry: a marker without a line, or, without a marker, a line."""
    look = {"color": INK, "linewidth": 0} | look if marker else {"color": INK} | look
    return Line2D([], [], marker=marker, label=label, **look)


def file_name(name: str) -> str:
    """Return a name with what a file's name may not have replaced."""
    return "".join(character if character.isalnum() or character in "-_." else "_" for character in name)


def whole_numbers(axis: Axis, **options: Any) -> None:
    """Put an axis' ticks at whole numbers."""
    locator = axis.get_major_locator()
    assert isinstance(locator, MaxNLocator)  # as long as the axis is linear
    locator.set_params(integer=True, **options)


def colours_of(names: Iterable[str]) -> dict[str, str]:
    """Return a colour for each name: usual arms have theirs, others what is left."""
    names = list(names)
    colours = {name: PALETTE[USUAL[name]] for name in names if name in USUAL}
    left = [colour for colour in COLOURS if colour not in colours.values()]
    for number, name in enumerate(name for name in names if name not in colours):
        colours[name] = left[number % len(left)]
    return {name: colours[name] for name in names}


def svg(figure: Figure) -> bytes:
    """Return the figure as SVG: the same bytes for the same figure, text as outlines, no date."""
    return _rendered(figure, "svg")


def png(figure: Figure, dpi: int = DPI) -> bytes:
    """Return the figure as PNG, the same bytes for the same figure."""
    return _rendered(figure, "png", dpi=dpi)


@styled
def _rendered(figure: Figure, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    if kind == "svg":
        # What `savefig` does, without the draw that only lays the figure out: drawing does so, too.
        FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None, "Creator": "tgsage"})
    else:
        figure.savefig(buffer, format=kind, metadata={"Software": None}, **options)
    return buffer.getvalue()


def save(figure: Figure, stem: str | os.PathLike[str]) -> None:
    """Write ``<stem>.svg`` and ``<stem>.png`` (:data:`DPI`), each whole or not at all."""
    for ending, render in (("svg", svg), ("png", png)):
        with replacing(Path(f"{os.fspath(stem)}.{ending}")) as temporary:
            temporary.write_bytes(render(figure))
        # Both files have the layout of the first, which is not computed again.
        figure.set_layout_engine("none")
