"""The noise ceilings of a teacher's targets, alone or beside a network's similarity."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...statistics import Correlation, finite_or_none, format_number, share_in_words, share_of_ceiling
from ...studies.similarity import ceilings as ceilings_of
from .. import style, words
from ..data import SearchData, TeacherData
from ..style import Drawing

PART_COLOURS = {
    part: style.PALETTE[colour]
    for part, colour in (("choose", "sky"), ("reward", "blue"), ("report", "orange"))
}
HALVES: dict[str, Any] = {"color": "white", "markeredgecolor": style.INK, "markersize": 4}


def ceilings_drawings(data: TeacherData) -> list[Drawing]:
    """Draw the noise ceilings of a teacher; the page shows them beside a network's similarity."""
    method = str(data.teacher.attrs.get("compare", "") or "")
    bounds = [
        f"{name} {' to '.join(map(format_number, finite))} on report images"
        if (finite := _finite(ceilings_of(target).get("report", ())))
        else f"{name} not available"
        for name, target in data.targets.items()
    ]
    return [
        Drawing(
            "ceilings",
            ceilings(data.targets, method=method, mark=data.mark),
            f"Noise ceilings of the teacher {data.name}{data.mark_in_caption}.",
            f"Noise ceilings: {'; '.join(bounds)}.",
            on_page=False,
        )
    ]


def similarity_drawings(data: SearchData) -> list[Drawing]:
    """Draw the final network's similarity beside the ceilings; nothing for a search without a teacher."""
    if not data.targets:
        return []
    scored = data.search.final["similarity"]
    figure = ceilings(
        data.targets,
        similarity={name: {"reward": one["reward"], "report": one["report"]} for name, one in scored.items()},
        intervals=data.intervals,
        method=data.search.settings.scoring.compare,
        mark=data.mark,
    )
    scores = "; ".join(f"{name} {text}" for name, text in data.similarities().items())
    return [
        Drawing(
            "similarity",
            figure,
            "Similarity of the final network's chosen layers beside the noise ceilings of the teacher.",
            f"Similarity on report images: {scores}.",
        )
    ]


@dataclass(frozen=True)
class _Row:
    """What the figure shows of one part of a target's stimuli."""

    y: float
    part: str
    n_stimuli: int
    ceiling: list[float]
    """The bounds that are known, the lower one first."""
    halves: float | None
    """Agreement of two halves of the measurements."""
    similarity: float | None
    interval: tuple[float, float] | None

    @property
    def values(self) -> list[float]:
        """All that is drawn."""
        single = [value for value in (self.halves, self.similarity) if value is not None]
        return [*self.ceiling, *single, *(self.interval or ())]


@style.styled
def ceilings(
    targets: Mapping[str, xr.Dataset],
    *,
    similarity: Mapping[str, Mapping[str, float | None]] | None = None,
    intervals: Mapping[str, Correlation] | None = None,
    method: str = "",
    mark: str = "",
) -> Figure:
    """Draw each target's noise ceiling, from lower to upper bound, on each part of the stimuli.

    Without a network's similarity, the agreement of halves that the ceiling was extrapolated from is drawn as
    a circle. With one, the raw similarity is a diamond, and its share of the ceiling stands beside the bar
    (:func:`tgsage.statistics.share_of_ceiling`).

    Parameters
    ----------
    targets
        Target to its group of the teacher.
    similarity
        Target to {"reward": value, "report": value}: a network's similarity, drawn as diamonds.
    intervals
        Target to the interval of its similarity on report images: drawn as a line through the diamond.
    method, mark
        As for :func:`tgsage.plots.layers`.
    """
    parts = list(dict.fromkeys(part for target in targets.values() for part in ceilings_of(target)))
    rows = _rows(targets, parts, similarity, intervals or {})
    figure = style.new(0.33 * len(targets) * max(len(parts), 1) + 1.25, 5.2 if similarity is None else 5.8)
    panel = figure.subplots()
    height = 0.72 * 0.78 / max(len(parts), 1)
    for row in rows:
        _draw_row(panel, row, height)
        text = _row_words(row, similarity is not None)
        style.note(panel, text, (1, row.y), (4, 0), ("axes fraction", "data"), linespacing=1.1)
        if not row.ceiling and similarity is None:
            style.note(panel, "ceiling not available", (0, row.y), (4, 0), fontstyle="italic")
    drawn = [value for row in rows for value in row.values]
    panel.set_xlim(1.1 * min([0.0, *drawn]), 1.05 * max([0.1, *drawn]) if drawn else 1.0)
    labels = ["\n".join(filter(None, (name, words.n_channels(target)))) for name, target in targets.items()]
    panel.set_yticks(range(len(targets)), labels)
    panel.tick_params(axis="y", length=0)
    panel.set_ylim(len(targets) - 0.5, -0.5)
    panel.set_xlabel(f"RDM similarity{f' ({words.method(method)})' if method else ''}")
    panel.axvline(0, color=style.INK, linewidth=0.7)
    has_ceilings = any(row.ceiling for row in rows)
    has_halves = any(row.halves is not None for row in rows)
    # A projecting cap would reach into the text.
    bar: dict[str, Any] = {"linewidth": 5, "solid_capstyle": "butt", "alpha": 0.5}
    handles = [
        style.handle(f"ceiling, {part}", color=PART_COLOURS.get(part, style.GREY), **bar)
        for part in parts
        if has_ceilings
    ]
    if has_halves:
        handles.append(style.handle("agreement of two halves", "o", **HALVES))
    if similarity:
        handles.append(style.handle("network", "D", markersize=4.5))
    if handles:
        figure.legend(handles=handles, loc=style.LEGEND, ncols=len(handles))
    diamonds = "Diamonds: raw similarity, not divided by a ceiling"
    share = "; its share of the ceiling's upper to lower bound stands on the right."
    footnote = [
        "Bars: lower to upper noise ceiling on the stimuli (n) of each part." if has_ceilings else "",
        "" if has_ceilings else f"Of each target, from above: {', '.join(parts)}.",
        "Circles: RDMs of two halves of the measurements, from which the bars are extrapolated."
        if has_halves
        else "",
        diamonds + (share if has_ceilings else ".") if similarity else "",
        "Lines through diamonds: bootstrap 95 % intervals over stimuli." if intervals else "",
        "" if all(row.ceiling for row in rows) else _reasons(targets),
    ]
    style.annotate(figure, footnote, mark)
    return figure


def _rows(
    targets: Mapping[str, xr.Dataset],
    parts: Sequence[str],
    similarity: Mapping[str, Mapping[str, float | None]] | None,
    intervals: Mapping[str, Correlation],
) -> list[_Row]:
    rows = []
    step = 0.78 / max(len(parts), 1)
    for position, (name, target) in enumerate(targets.items()):
        bounds = ceilings_of(target)
        for number, part in enumerate(parts):
            y = position + (number - (len(parts) - 1) / 2) * step
            n_stimuli = int((target["split"].values.astype(str) == part).sum())
            finite = _finite(bounds.get(part, ()))
            has_halves = similarity is None and finite and "split_half" in target
            halves = float(target["split_half"].sel(part=part)) if has_halves else None
            value = finite_or_none((similarity or {}).get(name, {}).get(part))
            drawn = intervals.get(name) if part == "report" and value is not None else None
            interval = (drawn.low, drawn.high) if drawn and np.isfinite(drawn.low) else None
            rows.append(_Row(y, part, n_stimuli, finite, halves, value, interval))
    return rows


def _finite(values: Sequence[float]) -> list[float]:
    return [value for value in values if np.isfinite(value)]


def _draw_row(panel: Axes, row: _Row, height: float) -> None:
    y, colour = row.y, PART_COLOURS.get(row.part, style.GREY)
    if row.ceiling:
        low, high = min(row.ceiling), max(row.ceiling)
        panel.barh(y, high - low, height=height, left=low, color=colour, alpha=0.35, zorder=2)
        for bound in row.ceiling:
            ends = [y - height / 2, y + height / 2]
            panel.plot([bound, bound], ends, color=colour, linewidth=2, zorder=3)
    if row.halves is not None:
        panel.plot(row.halves, y, "o", zorder=4, **HALVES)
    if row.similarity is not None:
        panel.plot(row.similarity, y, "D", color=style.INK, markersize=4.5, zorder=4)
    if row.interval is not None:
        panel.plot(row.interval, [y, y], color=style.INK, linewidth=1.2, zorder=4)


def _row_words(row: _Row, has_network: bool) -> str:
    """Return what stands on the right of a row."""
    text = f"n = {row.n_stimuli:,}"
    if row.ceiling:
        text = f"{' to '.join(map(format_number, row.ceiling))}, {text}"
    elif has_network:
        text = f"ceiling not available, {text}"
    if row.similarity is not None:
        text += f"\n{format_number(row.similarity)}"
        share = share_of_ceiling(row.similarity, *row.ceiling)
        text += f" is {share_in_words(share)} of it" if share else ""
    return text


def _reasons(targets: Mapping[str, xr.Dataset]) -> str:
    """Return why ceilings are missing, as the teacher's file has it, each reason once."""
    names: dict[str, list[str]] = {}
    for name, target in targets.items():
        # A target's own reason, once where it is the same for every part.
        text, parts = str(target["ceiling_lower"].attrs.get("reason", "")), list(ceilings_of(target))
        of_parts = re.split(rf"(?:^|; )(?:{'|'.join(map(re.escape, parts))}): ", text)[1:]
        if len(of_parts) == len(parts) and len(set(of_parts)) == 1:
            text = of_parts[0]
        if text:
            names.setdefault(text, []).append(name)
    reasons = "; ".join(f"{', '.join(with_it)}: {reason}" for reason, with_it in names.items())
    return (
        f"No ceiling: {reasons}."
        if reasons
        else "A ceiling needs repeated presentations, or several animals."
    )
