"""Split-half reliability of recorded sites."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ... import recordings
from ...errors import TgsageError
from ...statistics import format_number
from .. import style, words
from ..data import TeacherData
from ..style import Drawing

LINE = 0.15
"""Height of a line of text, as a share of a panel."""


def reliability_drawings(data: TeacherData) -> list[Drawing]:
    """Draw the reliability of each of the teacher's recordings whose stimuli were repeated."""
    drawings = []
    for name, assembly in data.recordings.items():
        if (np.unique(assembly["stimulus_id"].values.astype(str), return_counts=True)[1] > 1).sum() < 3:
            continue  # Responses averaged over repetitions cannot be split in halves.
        values = recordings.reliability(assembly)
        if not np.isfinite(values.values).any():
            continue
        simulated = bool(assembly.attrs.get("simulated", data.teacher.attrs.get("simulated", 0)))
        drawings.append(
            Drawing(
                f"reliability_{style.file_name(name)}",
                reliability(values, mark=words.SIMULATED if simulated else ""),
                f"Split-half reliability of the sites of {name}, by region and animal.",
                f"Histograms of split-half reliability of {values.sizes['neuroid']} sites, median "
                f"{format_number(float(values.median()))}.",
            )
        )
    return drawings


@style.styled
def reliability(values: xr.DataArray, *, mark: str = "") -> Figure:
    """Draw histograms of the sites' reliabilities, a panel per region and an outline per animal.

    Parameters
    ----------
    values
        (neuroid) split-half reliabilities, Spearman-Brown corrected; coordinates region and animal, attribute
        n_splits. NaN (a site whose reliability is not defined) is counted and not drawn.
    mark
        Stands above the figure, e.g. what is simulated.

    Raises
    ------
    TgsageError
        If no site has a reliability.
    """
    numbers = values.values.astype(float)
    defined = np.isfinite(numbers)
    if not defined.any():
        raise TgsageError("reliability: no site has one; there is nothing to draw")
    region, animal = values["region"].values.astype(str), values["animal"].values.astype(str)
    regions, animals = list(dict.fromkeys(region)), list(dict.fromkeys(animal))
    colours = style.colours_of(animals)
    low = min(0.0, np.floor(np.nanmin(numbers) * 10) / 10)
    bins = np.linspace(low, 1, round((1 - low) / 0.05) + 1).tolist()
    figure = style.new(1.2 * len(regions) + 0.85, 5.2)
    panels = figure.subplots(len(regions), 1, sharex=True, squeeze=False)[:, 0]
    for panel, name in zip(panels, regions, strict=True):
        of_animals = [numbers[(region == name) & (animal == one) & defined] for one in animals]
        for line, (one, drawn) in enumerate(zip(animals, of_animals, strict=True)):
            if len(drawn):
                _histogram(panel, drawn, bins, one, colours[one], 0.94 - LINE * line)
        _headroom(panel, [drawn for drawn in of_animals if len(drawn)], bins)
        panel.set_ylabel(f"{name}\nsites")
        style.whole_numbers(panel.yaxis)
    panels[-1].set_xlabel("split-half reliability over stimuli (Spearman-Brown corrected)")
    panels[-1].set_xlim(low, 1)
    missing = int((~defined).sum())
    footnote = [f"n = {len(numbers) - missing} sites. Triangles: medians."]
    if "n_splits" in values.attrs:
        footnote.append(
            f"Each the mean of {int(values.attrs['n_splits'])} random halvings of the repetitions, "
            "corrected to their full number."
        )
    if missing:
        footnote.append(f"{missing} sites without a defined reliability left out.")
    style.annotate(figure, footnote, mark)
    return figure


def _histogram(
    panel: Axes, values: NDArray[np.float64], bins: list[float], name: str, colour: str, top: float
) -> None:
    """Draw the sites of one animal, their median, and a line of text."""
    panel.hist(values, bins, histtype="stepfilled", color=colour, alpha=0.18)
    panel.hist(values, bins, histtype="step", color=colour, linewidth=1.2)
    median = float(np.median(values))
    above = panel.get_xaxis_transform()
    panel.plot(median, 1.02, "v", color=colour, markersize=6, transform=above, clip_on=False)
    low, middle, high = map(format_number, (values.min(), median, values.max()))
    text = f"{name}: n = {len(values)}, median {middle}, range {low} to {high}"
    panel.annotate(text, (0.01, top), xycoords="axes fraction", fontsize=7, color=colour, va="top")


def _headroom(panel: Axes, drawn: Sequence[NDArray[np.float64]], bins: list[float]) -> None:
    """Leave room above the bars for the lines of text at the upper left, one for each histogram."""
    under_text = np.array(bins[:-1]) < bins[0] + 0.6 * (bins[-1] - bins[0])
    highest = max((np.histogram(values, bins)[0][under_text].max(initial=0) for values in drawn), default=0)
    panel.set_ylim(0, max(panel.get_ylim()[1], highest / max(0.94 - LINE * len(drawn), 0.3)))
