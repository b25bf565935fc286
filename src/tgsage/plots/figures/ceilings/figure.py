"""Figures of a teacher: reliability of its sites, its ceilings, and how it arranges its stimuli."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.offsetbox import AnnotationBbox, OffsetImage

from ..errors import TgsageError
from ..statistics import Correlation, classical_mds, format_number, share_in_words, share_of_ceiling, stress
from . import style
from .files import ceiling, ceiling_splits, channels, n_stimuli
from .similarity import MOST_LABELS

SPLIT_COLOURS = {
    "choose": style.PALETTE["sky"],
    "reward": style.PALETTE["blue"],
    "report": style.PALETTE["orange"],
}


@style.styled
def reliability(values: xr.DataArray, *, simulated: bool | str = False) -> Figure:
    """Draw histograms of the sites' reliabilities, a panel per region and an outline per animal.

    Parameters
    ----------
    values
        (neuroid) split-half reliabilities, Spearman-Brown corrected; coordinates region and animal, attribute
        n_splits. NaN (a site whose reliability is not defined) is counted and not drawn.

    Raises
    ------
    TgsageError
        If no site has a reliability.
    """
    numbers = values.values.astype(float)
    if not np.isfinite(numbers).any():
        raise TgsageError("reliability: no site has one; there is nothing to draw")
    region, animal = values["region"].values.astype(str), values["animal"].values.astype(str)
    regions, animals = list(dict.fromkeys(region)), list(dict.fromkeys(animal))
    colours = style.colours_of(animals)
    low = min(0.0, np.floor(np.nanmin(numbers) * 10) / 10)
    bins = np.linspace(low, 1, round((1 - low) / 0.05) + 1)
    figure = style.new(1.2 * len(regions) + 0.85, 5.2)
    panels = figure.subplots(len(regions), 1, sharex=True, squeeze=False)[:, 0]
    for panel, name in zip(panels, regions, strict=True):
        counted = []
        for line, one in enumerate(animals):
            own = numbers[(region == name) & (animal == one) & np.isfinite(numbers)]
            if not len(own):
                continue
            counted.append(own)
            panel.hist(own, bins, histtype="stepfilled", color=colours[one], alpha=0.18)
            panel.hist(own, bins, histtype="step", color=colours[one], linewidth=1.2)
            panel.plot(
                np.median(own),
                1.02,
                "v",
                color=colours[one],
                markersize=6,
                transform=panel.get_xaxis_transform(),
                clip_on=False,
            )
            panel.annotate(
                f"{one}: n = {len(own)}, median {format_number(np.median(own))}, range "
                f"{format_number(own.min())} to {format_number(own.max())}", (0.01, 0.94 - 0.15 * line),
                xycoords="axes fraction", fontsize=7, color=colours[one], va="top",
            )  # fmt: skip
        _headroom(panel, counted, bins)
        panel.set_ylabel(f"{name}\nsites")
        panel.yaxis.get_major_locator().set_params(integer=True)
    panels[-1].set_xlabel("split-half reliability over stimuli (Spearman-Brown corrected)")
    panels[-1].set_xlim(low, 1)
    missing = int(np.isnan(numbers).sum())
    style.annotate(
        figure,
        [
            f"n = {len(numbers) - missing} sites. Triangles: medians.",
            f"Each the mean of {int(values.attrs['n_splits'])} random halvings of the repetitions, "
            "corrected to their full number."
            if "n_splits" in values.attrs
            else "",
            f"{missing} sites without a defined reliability left out." if missing else "",
        ],
        simulated,
    )
    return figure


def _headroom(panel: Axes, drawn: Sequence[np.ndarray], bins: np.ndarray) -> None:
    """Leave room above the bars for the lines of text at the upper left, one for each histogram."""
    below = bins[:-1] < bins[0] + 0.6 * (bins[-1] - bins[0])
    highest = max((np.histogram(own, bins)[0][below].max(initial=0) for own in drawn), default=0)
    panel.set_ylim(0, max(panel.get_ylim()[1], highest / max(0.94 - 0.15 * len(drawn), 0.3)))


@style.styled
def ceilings(
    targets: Mapping[str, xr.Dataset],
    *,
    similarity: Mapping[str, Mapping[str, float | None]] | None = None,
    intervals: Mapping[str, Correlation] | None = None,
    method: str = "",
    simulated: bool | str = False,
) -> Figure:
    """Draw each target's noise ceiling, from lower to upper bound, on each part of the stimuli.

    Without a network's similarity, the agreement of halves that the ceiling was extrapolated from is drawn as
    a circle. With one, the raw similarity is a diamond, and beside the bar stands which part of the ceiling
    it is (:func:`tgsage.statistics.share_of_ceiling`).

    Parameters
    ----------
    targets
        Target to its group of the teacher.
    similarity
        Target to {"reward": value, "report": value}: a network's similarity, drawn as diamonds.
    intervals
        Target to the interval of its similarity on report images: drawn as a line through the diamond.
    method
        How RDMs were compared, for the axis.
    """
    names = list(targets)
    splits = list(dict.fromkeys(split for target in targets.values() for split in ceiling_splits(target)))
    figure = style.new(0.33 * len(names) * max(len(splits), 1) + 1.25, 5.2 if similarity is None else 5.8)
    panel = figure.subplots()
    width = 0.78 / max(len(splits), 1)
    known, halves, lines, drawn = False, False, [], []
    for row, name in enumerate(names):
        for number, split in enumerate(splits):
            y = row + (number - (len(splits) - 1) / 2) * width
            lower, upper = ceiling(targets[name], split)
            finite = [value for value in (lower, upper) if np.isfinite(value)]
            own = (similarity or {}).get(name, {}).get(split)
            drawn += finite + _similarity(panel, y, own, (intervals or {}).get(name), split)
            words = f"n = {n_stimuli(targets[name], split):,}"
            if finite:
                known = True
                _bar(panel, y, width, finite, SPLIT_COLOURS.get(split, style.GREY))
                words = f"{' to '.join(map(format_number, finite))}, {words}"
            else:
                lines.append(y)
                words = words if similarity is None else f"ceiling not available, {words}"
            if similarity is None and finite and "split_half" in targets[name]:
                raw = float(targets[name]["split_half"].sel(part=split))
                panel.plot(raw, y, "o", color="white", markeredgecolor=style.INK, markersize=4, zorder=4)
                halves, drawn = True, [*drawn, raw]
            if own is not None and np.isfinite(own):
                share = share_of_ceiling(own, lower, upper)
                words += f"\n{format_number(own)}{f' is {share_in_words(share)} of it' if share else ''}"
            panel.annotate(
                words, (1, y), xycoords=("axes fraction", "data"),
                xytext=(4, 0), textcoords="offset points", va="center", fontsize=7, color=style.GREY,
                annotation_clip=False, linespacing=1.1,
            )  # fmt: skip
    panel.set_xlim(1.1 * min([0.0, *drawn]), 1.05 * max([0.1, *drawn]) if drawn else 1.0)
    for y in lines if similarity is None else ():
        panel.annotate(
            "ceiling not available",
            (0, y),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
            color=style.GREY,
            fontstyle="italic",
        )
    panel.set_yticks(range(len(names)), [_target_label(name, targets[name]) for name in names])
    panel.tick_params(axis="y", length=0)
    panel.set_ylim(len(names) - 0.5, -0.5)
    panel.set_xlabel(f"RDM similarity{f' ({style.method_name(method)})' if method else ''}")
    panel.axvline(0, color=style.INK, linewidth=0.7)
    handles = [
        Line2D(
            [],
            [],
            color=SPLIT_COLOURS.get(split, style.GREY),
            linewidth=5,
            solid_capstyle="butt",  # A projecting cap would reach into the words.
            alpha=0.5,
            label=f"ceiling, {split}",
        )
        for split in splits
        if known
    ]
    if halves:
        handles.append(
            Line2D(
                [], [], color="white", markeredgecolor=style.INK, marker="o", linewidth=0, markersize=4,
                label="agreement of two halves",
            )
        )  # fmt: skip
    if similarity:
        handles.append(
            Line2D([], [], color=style.INK, marker="D", linewidth=0, markersize=4.5, label="network")
        )
    if handles:
        figure.legend(handles=handles, loc=style.LEGEND, ncols=len(handles))
    style.annotate(
        figure,
        [
            "Bars: lower to upper noise ceiling on the stimuli (n) of each part." if known else "",
            "" if known else f"Of each target, from above: {', '.join(splits)}.",
            "Circles: RDMs of two halves of the measurements, from which the bars are extrapolated."
            if halves
            else "",
            "Diamonds: raw similarity, not divided by a ceiling"
            + ("; its share of the ceiling's upper to lower bound stands on the right." if known else ".")
            if similarity
            else "",
            "Lines through diamonds: bootstrap 95 % intervals over stimuli." if intervals else "",
            _reasons(targets) if lines else "",
        ],
        simulated,
    )
    return figure


def _bar(panel: Axes, y: float, width: float, bounds: Sequence[float], colour: str) -> None:
    panel.barh(
        y,
        max(bounds) - min(bounds),
        height=0.72 * width,
        left=min(bounds),
        color=colour,
        alpha=0.35,
        zorder=2,
    )
    for value in bounds:
        panel.plot([value, value], [y - 0.36 * width, y + 0.36 * width], color=colour, linewidth=2, zorder=3)


def _similarity(
    panel: Axes, y: float, value: float | None, interval: Correlation | None, split: str
) -> list[float]:
    """A network's similarity and its interval; returns what was drawn."""
    if value is None or not np.isfinite(value):
        return []
    panel.plot(value, y, "D", color=style.INK, markersize=4.5, zorder=4)
    if split != "report" or interval is None or not np.isfinite(interval.low):
        return [value]
    panel.plot([interval.low, interval.high], [y, y], color=style.INK, linewidth=1.2, zorder=4)
    return [value, interval.low, interval.high]


def _reasons(targets: Mapping[str, xr.Dataset]) -> str:
    """Why ceilings are missing, in the words of the teacher's file, each reason once."""
    told: dict[str, list[str]] = {}
    for name, target in targets.items():
        if reason := _reason(target):
            told.setdefault(reason, []).append(name)
    words = "; ".join(f"{', '.join(names)}: {reason}" for reason, names in told.items())
    return f"No ceiling: {words}." if words else "A ceiling needs repeated presentations, or several animals."


def _reason(target: xr.Dataset) -> str:
    """The file's reason; once, where it is the same for every part."""
    text, parts = str(target["ceiling_lower"].attrs.get("reason", "")), ceiling_splits(target)
    of_parts = re.split(rf"(?:^|; )(?:{'|'.join(map(re.escape, parts))}): ", text)[1:]
    return of_parts[0] if len(of_parts) == len(parts) and len(set(of_parts)) == 1 else text


def _target_label(name: str, target: xr.Dataset) -> str:
    return "\n".join(filter(None, (name, channels(target))))


@style.styled
def stimuli(name: str, target: xr.Dataset, *, most: int = 90, simulated: bool | str = False) -> Figure:
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
    names = sorted(set(category) - {""})
    coloured = 1 < len(names) <= MOST_LABELS
    looks = {
        one: (style.COLOURS[number % len(style.COLOURS)], number >= len(style.COLOURS))
        for number, one in enumerate(names if coloured else [])
    }
    plain = ("#9a9a9a", False)
    spread = np.ptp(positions, axis=0)
    width, height = 6.0, float(np.clip(6.0 * spread[1] / max(spread[0], 1e-12), 3.0, 6.0))
    figure = style.new(height + (0.75 if coloured else 0.45), width)
    panel = figure.subplots()
    panel.set_aspect("equal")
    panel.set_xlim(positions[:, 0].min() - 0.06 * spread[0], positions[:, 0].max() + 0.06 * spread[0])
    panel.set_ylim(positions[:, 1].min() - 0.06 * spread[1], positions[:, 1].max() + 0.06 * spread[1])
    side_inches = 0.3
    clear = side_inches * spread[0] * 1.12 / (width - 0.8)
    shown: list[int] = []
    images = target["images"].values
    # Spread over the categories: the first of each, then the second of each, and so on.
    turn = np.zeros(n, int)
    for one in set(category):
        members = np.flatnonzero(category == one)
        turn[members] = np.arange(len(members))
    for index in np.argsort(turn, kind="stable"):
        apart = np.abs(positions[shown] - positions[index]).max(1) if shown else np.array([np.inf])
        if len(shown) < most and apart.min() > clear:
            shown.append(int(index))
    dots = np.setdiff1d(np.arange(n), shown)
    for again, marker in ((False, "o"), (True, "^")):
        own = [index for index in dots if looks.get(category[index], plain)[1] == again]
        if own or not again:
            panel.scatter(
                positions[own, 0], positions[own, 1], s=9 if again else 7, zorder=1, linewidths=0,
                marker=marker, c=[looks.get(category[index], plain)[0] for index in own],
            )  # fmt: skip
    for index in shown:
        colour, again = looks.get(category[index], plain)
        picture = OffsetImage(images[index], zoom=side_inches * 72 / images.shape[2], resample=False)
        panel.add_artist(
            AnnotationBbox(
                picture, positions[index], pad=0.12, zorder=2,
                bboxprops={
                    "edgecolor": colour, "linestyle": (0, (2, 1)) if again else "-",
                    "linewidth": 1.6 if coloured else 0.5, "boxstyle": "square,pad=0",
                },
            )
        )  # fmt: skip
    panel.set_xticks([])
    panel.set_yticks([])
    panel.set_xlabel("first dimension (arbitrary units)")
    panel.set_ylabel("second dimension (same units)")
    if coloured:
        handles = [
            Line2D([], [], marker="^" if again else "s", linewidth=0, color=colour, label=one)
            for one, (colour, again) in looks.items()
        ]
        figure.legend(
            handles=handles,
            loc=style.LEGEND,
            ncols=min(4 if len(names) <= 8 else 5, len(names)),
            handletextpad=0.1,
            columnspacing=0.9,
        )
    style.annotate(
        figure,
        [
            f"{name}: n = {n:,} stimuli, {len(shown)} as thumbnails of {images.shape[1]} × {images.shape[2]} "
            "pixels as the network gets them, the others as dots.",
            "Classical MDS of the RDM read as squared distances; the two dimensions carry "
            f"{100 * share:.0f} % of the sum of its positive eigenvalues, Kruskal's stress-1 is "
            f"{format_number(stress(target['rdm'].values, positions))}.",
        ],
        simulated,
    )
    return figure
