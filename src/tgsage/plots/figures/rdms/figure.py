"""Figures of representational similarity: layers against targets, and the RDMs themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform
from scipy.stats import rankdata

from .. import statistics
from ..errors import TgsageError
from ..statistics import format_number
from . import files, style

SPLIT_WORDS = {
    "choose": "images that chose the layer",
    "reward": "images that rewarded the search",
    "report": "images used for neither",
}
LEAST_SCALE = 0.2
"""Smallest upper end of the colours of similarities."""
MOST_LABELS = 12
"""Categories that get a label each beside an RDM."""
MOST_CELLS = 320
"""Rows of an RDM that are drawn one by one; larger RDMs are drawn as means over square blocks."""
CEILING_ROWS = 0.46
"""Inches for the ceilings below a map of layers."""


@style.styled
def layers(
    rsa: xr.Dataset,
    ceilings: Mapping[str, Mapping[str, tuple[float, float]]],
    *,
    chosen: Mapping[str, str | None],
    splits: Sequence[str] = ("reward", "report"),
    checkpoints: Literal["last", "all"] = "last",
    method: str = "spearman",
    simulated: bool | str = False,
) -> Figure:
    """Draw the similarity of every layer with every target, with the noise ceilings below.

    Parameters
    ----------
    rsa
        ``rsa`` (checkpoint, split, target, layer) and ``n_stimuli`` (split, target), as in ``rsa.nc``; NaN
        is a dead layer.
    ceilings
        Target to split to (lower, upper) noise ceiling; NaN, or absent, is told as not available.
    chosen
        Target to its layer, which is framed.
    splits
        Columns of the figure.
    checkpoints
        "last", or "all": a row of maps per checkpoint, from the untrained network on.
    method
        How RDMs were compared, for the colour bar.
    """
    values = rsa["rsa"]
    splits = [split for split in splits if split in values["split"].values]
    targets = [str(name) for name in values["target"].values]
    names = [str(name) for name in values["layer"].values]
    if not targets or not splits or not values.sizes["checkpoint"]:
        raise TgsageError("rsa: holds no target, split or checkpoint; there is nothing to draw")
    rows = [values.sizes["checkpoint"] - 1] if checkpoints == "last" else range(values.sizes["checkpoint"])
    drawn = values.sel(split=splits).values
    finite = drawn[np.isfinite(drawn)]
    # Values near zero, as of a shuffled teacher, must not look like structure.
    norm = Normalize(min(0.0, finite.min(initial=0)), max(finite.max(initial=0), LEAST_SCALE))
    height = 0.26 * len(names) + CEILING_ROWS
    width = max(4.4, min(style.WIDTH, 2.4 + 1.1 * len(targets) * len(splits)))
    figure = style.new((height + 0.4) * len(rows) + 0.75, width)
    grid = figure.subplots(
        2 * len(rows), len(splits), squeeze=False, sharex="col",
        gridspec_kw={"height_ratios": [0.26 * len(names), CEILING_ROWS] * len(rows)},
    )  # fmt: skip
    size = float(np.clip(7 * (width - 2.4) / (0.66 * len(targets) * len(splits)), 4.5, 7))
    for row, checkpoint in enumerate(rows):
        for column, split in enumerate(splits):
            panel, below = grid[2 * row, column], grid[2 * row + 1, column]
            shown = values.isel(checkpoint=checkpoint).sel(split=split).transpose("layer", "target").values
            _layer_map(panel, shown, targets, names if column == 0 else [""] * len(names), norm)
            for position, target in enumerate(targets):
                if chosen.get(target) in names:
                    panel.add_patch(
                        Rectangle(
                            (position - 0.5, names.index(chosen[target]) - 0.5), 1, 1, fill=False,
                            edgecolor=style.PALETTE["vermillion"], linewidth=2, zorder=5, clip_on=False,
                        )
                    )  # fmt: skip
            title = f"{split}: {SPLIT_WORDS.get(split, 'images')}"
            if len(rows) > 1:
                examples = int(rsa["examples"].values[checkpoint]) if "examples" in rsa else None
                told = f"checkpoint {checkpoint}" if examples is None else f"after {examples:,} examples"
                title = f"{split}, {'untrained' if examples == 0 else told}"
            panel.set_title(title, fontsize=7.5, fontweight="normal")
            _ceiling_rows(
                below,
                [ceilings.get(target, {}).get(split, (np.nan, np.nan)) for target in targets],
                [
                    shown[names.index(chosen[target]), position] if chosen.get(target) in names else np.nan
                    for position, target in enumerate(targets)
                ],
                size,
            )
            if column == 0:
                below.set_yticks([0, 1], ["noise ceiling", "framed / ceiling"])
                panel.set_ylabel("layer, shallow to deep")
            numbers = rsa["n_stimuli"].sel(split=split, target=targets).values
            below.set_xticks(
                range(len(targets)),
                [f"{t}\nn = {n:,}" for t, n in zip(targets, numbers, strict=True)],
                fontsize=size,
            )
    bar = figure.colorbar(ScalarMappable(norm, "cividis"), ax=grid[:, -1], aspect=25, shrink=0.9)
    bar.set_label(f"RDM similarity ({style.method_name(method)})")
    bar.outline.set_visible(False)
    dead = bool(np.isnan(values.isel(checkpoint=list(rows)).sel(split=splits).values).any())
    style.annotate(
        figure,
        [
            "Framed: the layer chosen for the target.",
            "Noise ceiling: lower to upper bound of what the recordings allow on these images. Maps show raw "
            "similarities; framed / ceiling: a framed one as a share of the upper to the lower bound.",
            "n: stimuli.",
            "Hatched: no value, the layer gives some stimulus a constant pattern." if dead else "",
        ],
        simulated,
    )
    return figure


def _layer_map(
    panel: Axes, values: NDArray[np.float64], targets: Sequence[str], names: Sequence[str], norm: Normalize
) -> None:
    panel.set_facecolor("#efefef")
    panel.imshow(values, cmap="cividis", norm=norm, aspect="auto")
    for row, column in np.ndindex(values.shape):
        value = values[row, column]
        if np.isnan(value):
            panel.add_patch(
                Rectangle(
                    (column - 0.5, row - 0.5),
                    1,
                    1,
                    facecolor="#efefef",
                    edgecolor="#b5b5b5",
                    hatch="////",
                    linewidth=0,
                )
            )
        else:
            dark = norm(value) < 0.55
            panel.text(
                column,
                row,
                format_number(value),
                ha="center",
                va="center",
                fontsize=7,
                color="white" if dark else style.INK,
            )
    panel.set_yticks(range(len(names)), names)
    panel.tick_params(length=0, labelbottom=False)
    panel.spines[:].set_visible(False)
    panel.set_xticks(np.arange(len(targets) - 1) + 0.5, minor=True)
    panel.set_yticks(np.arange(len(names) - 1) + 0.5, minor=True)
    panel.grid(which="minor", color="white", linewidth=1)
    panel.tick_params(which="minor", length=0)


def _ceiling_rows(
    panel: Axes, bounds: Sequence[tuple[float, float]], framed: Sequence[float], size: float
) -> None:
    """Below a map: the ceiling of each target, and which part of it the framed layer's similarity is."""
    panel.set_xlim(-0.5, len(bounds) - 0.5)
    panel.set_ylim(1.5, -0.5)
    panel.set_yticks([])
    panel.tick_params(which="both", length=0)
    panel.spines[:].set_visible(False)
    for position, ((lower, upper), value) in enumerate(zip(bounds, framed, strict=True)):
        if not (np.isfinite(lower) or np.isfinite(upper)):
            panel.text(
                position, 0.5, "not\navailable", ha="center", va="center", fontsize=size, color=style.GREY,
                linespacing=1.0,
            )  # fmt: skip
            continue
        share = statistics.share_of_ceiling(value, lower, upper)
        for row, words in enumerate(
            (f"{_bound(lower)} to {_bound(upper)}", statistics.share_in_words(share) if share else "–")
        ):
            panel.text(position, row, words, ha="center", va="center", fontsize=size)


def _bound(value: float) -> str:
    return format_number(value) if np.isfinite(value) else "?"


def order_of_stimuli(target: xr.Dataset) -> tuple[NDArray[np.int64], list[tuple[str, int, int]], str]:
    """In which order to draw an RDM's stimuli.

    Parameters
    ----------
    target
        A group of a teacher: ``rdm`` (pair), ``stimulus_id`` and ``category`` (stimulus).

    Returns
    -------
    tuple
        Order (n,); (category, first, last + 1) in that order, empty where categories are unknown; and the
        order in words. Without categories: leaves of an average-linkage tree of the teacher's own RDM.
    """
    n = target.sizes["stimulus"]
    category = target["category"].values.astype(str) if "category" in target else np.full(n, "")
    if (category != "").all() and len(np.unique(category)) > 1:
        order = np.lexsort((target["stimulus_id"].values.astype(str), category))
        names, first = np.unique(category[order], return_index=True)
        last = [*first[1:], n]
        spans = [(str(name), int(a), int(b)) for name, a, b in zip(names, first, last, strict=True)]
        return order, spans, "ordered by category"
    dissimilarity = target["rdm"].values
    dissimilarity = dissimilarity - min(0.0, np.nanmin(dissimilarity))
    order = leaves_list(linkage(np.nan_to_num(dissimilarity), "average"))
    return order, [], "ordered by average-linkage clustering of the teacher's RDM"


def ranked_square(condensed: NDArray[np.float64], order: NDArray[np.int64]) -> NDArray[np.float64]:
    """The square of an RDM's ranks, scaled to 0 (most similar pair) to 1; NaN on the diagonal."""
    ranks = rankdata(condensed, nan_policy="omit")
    counted = np.isfinite(condensed).sum()
    square = squareform((ranks - 1) / max(counted - 1, 1), checks=False)
    np.fill_diagonal(square, np.nan)
    return square[np.ix_(order, order)]


def block_side(n: int) -> int:
    """Side of the blocks over which an RDM of n stimuli is averaged to be drawn; 1 draws every pair."""
    return -(-n // MOST_CELLS)


def in_blocks(square: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """Means over blocks of side × side cells, NaN left out; blocks at the end are smaller where needed."""
    if side == 1:
        return square
    n = len(square)
    starts = np.arange(0, n, side)
    finite = np.isfinite(square)
    total, count = np.where(finite, square, 0.0), finite.astype(float)
    for axis in (0, 1):
        total, count = (np.add.reduceat(values, starts, axis=axis) for values in (total, count))
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def aligned(rdm: xr.Dataset, target: xr.Dataset, name: str) -> NDArray[np.float64]:
    """A network's condensed RDM in the order of the teacher's stimuli.

    Raises
    ------
    TgsageError
        If the stimuli are not the same.
    """
    values = rdm["rdm"].values.astype(float)
    wanted = target["stimulus_id"].values.astype(str)
    if "stimulus_id" not in rdm:
        if len(values) != target.sizes["pair"]:
            raise TgsageError(
                f"rdms.nc: {name}: {len(values)} pairs, the teacher has {target.sizes['pair']}; make it again"
            )
        return values
    own = rdm["stimulus_id"].values.astype(str)
    position = {stimulus: number for number, stimulus in enumerate(own)}
    if set(own) != set(wanted):
        raise TgsageError(f"rdms.nc: {name}: its stimuli are not those of the teacher; make it again")
    order = np.array([position[stimulus] for stimulus in wanted])
    return squareform(squareform(values)[np.ix_(order, order)], checks=False)


@style.styled
def rdms(
    teacher: Mapping[str, xr.Dataset],
    network: Mapping[str, xr.Dataset] | None = None,
    *,
    told: Mapping[str, str] | None = None,
    simulated: bool | str = False,
) -> Figure:
    """Draw the targets' RDMs and, below each, the RDM of the network's layer nearest to it.

    Parameters
    ----------
    teacher
        Target to its group: ``rdm`` (pair), ``stimulus_id``, ``category`` (stimulus).
    network
        Target to ``rdm`` (pair), ``stimulus_id`` (stimulus), attrs ``layer``; None draws the teacher alone.
    told
        Target to a line below the network's RDM, e.g. the similarity on report images.
    """
    names = list(teacher)
    rows = 1 if network is None else 2
    side = min(2.1, (style.WIDTH - 1.75) / max(len(names), 1))
    ordered = {name: order_of_stimuli(target) for name, target in teacher.items()}
    kinds = {name: [span[0] for span in spans] for name, (_, spans, _) in ordered.items()}
    # Categories that are not those beside the first column stand below their own.
    below = {name for name in names if kinds[name] != kinds[names[0]] and len(kinds[name]) <= MOST_LABELS}
    longest = max((len(kind) for name in below for kind in kinds[name]), default=0)
    lines = (0.42 if told else 0.0) + 0.052 * longest
    figure = style.new(
        (side + 0.28) * rows + lines + 0.6, min(style.WIDTH, max(4.6, 1.75 + side * len(names)))
    )
    grid = figure.subplots(rows, len(names), squeeze=False)
    image = None
    for column, name in enumerate(names):
        target = teacher[name]
        order, spans, _ = ordered[name]
        title = ", ".join(filter(None, (name, files.channels(target))))
        panels = [(grid[0, column], target["rdm"].values, title)]
        if network is not None and name in network:
            layer = network[name].attrs.get("layer", "?")
            panels.append((grid[1, column], aligned(network[name], target, name), f"network: {layer}"))
        elif network is not None:
            grid[1, column].axis("off")
            grid[1, column].text(0.5, 0.5, "no layer", ha="center", va="center", color=style.GREY)
        for panel, values, title in panels:
            n = target.sizes["stimulus"]
            image = panel.imshow(
                in_blocks(ranked_square(values, order), block_side(n)), cmap="cividis", vmin=0, vmax=1,
                extent=(-0.5, n - 0.5, n - 0.5, -0.5),
            )  # fmt: skip
            panel.set_title(title)
            panel.spines[:].set_visible(False)
            lowest = panel is panels[-1][0]
            _categories(panel, spans, "left" if column == 0 else "below" if lowest and name in below else "")
        if told and name in told and network is not None and name in network:
            grid[1, column].set_xlabel(told[name], fontsize=7)
    bar = figure.colorbar(image, ax=grid, aspect=30, shrink=0.7, ticks=[0, 1])
    bar.set_ticklabels(["most\nsimilar", "least\nsimilar"])
    metrics = {files.metric(target) for target in teacher.values()}
    metric = metrics.pop() if len(metrics) == 1 else ""
    bar.set_label("rank of dissimilarity" + (f"\n({metric})" if metric else ""), labelpad=2)
    bar.outline.set_visible(False)
    style.annotate(
        figure,
        [
            _orders(teacher, {name: words for name, (_, _, words) in ordered.items()}),
            "Colours are ranks within each matrix (ties averaged), so they show order, not size.",
            _sizes_of_dissimilarities(teacher) if network is None else "",
        ],
        simulated,
    )
    return figure


def _orders(teacher: Mapping[str, xr.Dataset], orders: Mapping[str, str]) -> str:
    """How many stimuli each target has and how they are drawn, once where all targets agree."""
    told = {}
    for name, target in teacher.items():
        n = target.sizes["stimulus"]
        told[name] = f"n = {n:,} stimuli, {orders[name]}"
        if (side := block_side(n)) > 1:
            told[name] += f", drawn as mean ranks of {side} × {side} pairs"
    if len(set(told.values())) == 1:
        return f"{next(iter(told.values()))}."
    return "; ".join(f"{name}: {words}" for name, words in told.items()) + "."


def _sizes_of_dissimilarities(teacher: Mapping[str, xr.Dataset]) -> str:
    """Median dissimilarity of each target, which ranks do not show."""
    told = []
    for name, target in teacher.items():
        low, middle, high = np.nanquantile(target["rdm"].values, [0.05, 0.5, 0.95])
        told.append(f"{name} {format_number(middle)} ({format_number(low)} to {format_number(high)})")
    return f"Median dissimilarity (5 to 95 %): {', '.join(told)}."


def _categories(panel: Axes, spans: Sequence[tuple[str, int, int]], labels: str) -> None:
    """Lines between categories, and their names on the left, below, or nowhere."""
    panel.set_xticks([])
    panel.set_yticks([])
    for _, first, _ in spans[1:]:
        panel.axhline(first - 0.5, color="white", linewidth=0.6)
        panel.axvline(first - 0.5, color="white", linewidth=0.6)
    if labels and spans and len(spans) <= MOST_LABELS:
        middles, names = [(first + last - 1) / 2 for _, first, last in spans], [name for name, _, _ in spans]
        if labels == "left":
            panel.set_yticks(middles, names)
        else:
            # Upright: slanted names would reach below the neighbour and push the matrices apart.
            panel.set_xticks(middles, names, rotation=90, fontsize=6.5)
        panel.tick_params(length=0, pad=2)
