"""How a target arranges its stimuli."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from numpy.typing import NDArray

from ...errors import TgsageError
from ...statistics import classical_mds, format_number, stress
from .. import style
from ..data import TeacherData
from ..style import Drawing

MAX_CATEGORIES = 12
"""Categories up to which stimuli have the colours of their categories."""
SIDE = 0.3
"""Inches of a thumbnail."""
WIDTH = 6.0


def stimuli_drawings(data: TeacherData) -> list[Drawing]:
    """Draw the stimuli of each target with images and a defined RDM; the page shows those of the last."""
    drawable = {
        name: target
        for name, target in data.targets.items()
        if "images" in target and np.isfinite(target["rdm"].values).all()
    }
    return [
        Drawing(
            f"stimuli_{style.file_name(name)}",
            stimuli(name, target, mark=data.mark),
            f"The stimuli of the target {name}{data.mark_in_caption}, near each other where its responses "
            "are alike.",
            f"{target.sizes['stimulus']} stimuli in two dimensions.",
            on_page=name == list(drawable)[-1],
        )
        for name, target in drawable.items()
    ]


class _Look(NamedTuple):
    """How the stimuli of a category are drawn."""

    colour: str
    second: bool
    """Whether the colour is used for the second time: triangles for dots, dashed frames."""


@style.styled
def stimuli(name: str, target: xr.Dataset, *, most: int = 90, mark: str = "") -> Figure:
    """Draw the stimuli where the target's RDM puts them in two dimensions.

    Classical multidimensional scaling (Torgerson 1952) of the RDM as squared distances. A thumbnail that
    would hide another becomes a dot. With more categories than colours, the others have the same colours
    again, with triangles for dots and dashed frames.

    Parameters
    ----------
    name
        Of the target.
    target
        Its group: ``rdm`` (pair), ``images`` (stimulus, y, x, rgb), ``category`` (stimulus).
    most
        Largest number of thumbnails.
    mark
        Stands above the figure, e.g. what is simulated.

    Raises
    ------
    TgsageError
        If the RDM has a NaN.
    """
    if not np.isfinite(target["rdm"].values).all():
        raise TgsageError(f"target {name}: its RDM has undefined values; it cannot be arranged in a plane")
    positions, share = classical_mds(target["rdm"].values)
    n = len(positions)
    category = target["category"].values.astype(str) if "category" in target else np.full(n, "")
    looks = _looks(category)
    of_stimuli = [looks.get(one, _Look("#9a9a9a", False)) for one in category]
    images = target["images"].values
    spread = np.ptp(positions, axis=0)
    height = float(np.clip(WIDTH * spread[1] / max(spread[0], 1e-12), 3.0, 6.0))
    figure = style.new(height + (0.75 if looks else 0.45), WIDTH)
    panel = figure.subplots()
    panel.set_aspect("equal")
    lowest, highest = positions.min(0) - 0.06 * spread, positions.max(0) + 0.06 * spread
    panel.set_xlim(lowest[0], highest[0])
    panel.set_ylim(lowest[1], highest[1])
    thumbnails = _thumbnails(positions, category, SIDE * spread[0] * 1.12 / (WIDTH - 0.8), most)
    _dots(panel, positions, np.setdiff1d(np.arange(n), thumbnails), of_stimuli)
    for index in thumbnails:
        _thumbnail(panel, images[index], positions[index], of_stimuli[index], 1.6 if looks else 0.5)
    panel.set_xticks([])
    panel.set_yticks([])
    panel.set_xlabel("first dimension (arbitrary units)")
    panel.set_ylabel("second dimension (same units)")
    if looks:
        markers = {one: "^" if look.second else "s" for one, look in looks.items()}
        handles = [style.handle(one, marker, color=looks[one].colour) for one, marker in markers.items()]
        columns = min(4 if len(looks) <= 8 else 5, len(looks))
        figure.legend(handles=handles, loc=style.LEGEND, ncols=columns, handletextpad=0.1, columnspacing=0.9)
    footnote = [
        f"{name}: n = {n:,} stimuli, {len(thumbnails)} as thumbnails of {images.shape[1]} × "
        f"{images.shape[2]} pixels as the network gets them, the others as dots.",
        "Classical MDS of the RDM read as squared distances; the two dimensions carry "
        f"{100 * share:.0f} % of the sum of its positive eigenvalues, Kruskal's stress-1 is "
        f"{format_number(stress(target['rdm'].values, positions))}.",
    ]
    style.annotate(figure, footnote, mark)
    return figure


def _looks(category: NDArray[np.str_]) -> dict[str, _Look]:
    """Return how each category is drawn; empty where there are none, one, or too many."""
    names = sorted(set(category) - {""})
    if not 1 < len(names) <= MAX_CATEGORIES:
        return {}
    n = len(style.COLOURS)
    return {name: _Look(style.COLOURS[number % n], number >= n) for number, name in enumerate(names)}


def _thumbnails(
    positions: NDArray[np.float64], category: NDArray[np.str_], clear: float, most: int
) -> list[int]:
    """Choose stimuli at least ``clear`` apart along one of the two dimensions, one category after another."""
    turn = np.zeros(len(positions), int)
    for one in set(category):
        members = np.flatnonzero(category == one)
        turn[members] = np.arange(len(members))
    chosen: list[int] = []
    for index in np.argsort(turn, kind="stable"):
        distances = np.abs(positions[chosen] - positions[index]).max(1)
        if len(chosen) < most and distances.min(initial=np.inf) > clear:
            chosen.append(int(index))
    return chosen


def _dots(panel: Axes, positions: NDArray[np.float64], dots: NDArray[np.int64], looks: list[_Look]) -> None:
    for second, marker, size in ((False, "o", 7), (True, "^", 9)):
        drawn = [index for index in dots if looks[index].second == second]
        if drawn or not second:
            colours = [looks[index].colour for index in drawn]
            x, y = positions[drawn].T
            panel.scatter(x, y, s=size, zorder=1, linewidths=0, marker=marker, c=colours)


def _thumbnail(
    panel: Axes, image: NDArray[np.uint8], position: NDArray[np.float64], look: _Look, line: float
) -> None:
    dashes = (0, (2, 1)) if look.second else "-"
    frame = {"edgecolor": look.colour, "linestyle": dashes, "linewidth": line, "boxstyle": "square,pad=0"}
    picture = OffsetImage(image, zoom=SIDE * 72 / image.shape[1], resample=False)
    panel.add_artist(AnnotationBbox(picture, tuple(position), pad=0.12, zorder=2, bboxprops=frame))
