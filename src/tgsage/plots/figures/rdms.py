"""RDMs: the teacher's, and below each that of the network's layer chosen for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from ...statistics import format_number, ranks
from ...studies.similarity import aligned_rdm
from ...teacher import targets_of
from .. import style, words
from ..data import SearchData, TeacherData
from ..style import Drawing

MAX_LABELS = 12
"""Categories that get a label each beside an RDM."""
MAX_CELLS = 320
"""Rows of an RDM that are drawn one by one; larger RDMs are drawn as means over square blocks."""


def search_rdms_drawings(data: SearchData) -> list[Drawing]:
    """Draw the teacher's RDMs above the network's; nothing for a search without a teacher."""
    if not data.targets:
        return []
    figure = rdms(
        data.targets,
        {} if data.search.rdms is None else targets_of(data.search.rdms),
        scores=data.similarities("\n"),
        mark=data.mark,
    )
    caption = (
        "The teacher's representational dissimilarity matrices over all its stimuli, and below each that "
        "of the final network's layer chosen for it. Numbers: similarity on report images."
    )
    if data.teacher is not None and data.teacher.attrs.get("rdm") == "category":
        caption += " The search itself compared matrices of category means."
    alt = f"Square matrices of the targets {', '.join(data.targets)} above those of the network."
    return [Drawing("rdms", figure, caption, alt)]


def teacher_rdms_drawings(data: TeacherData) -> list[Drawing]:
    """Draw a teacher's RDMs; the page shows them above a network's."""
    return [
        Drawing(
            "rdms",
            rdms(data.targets, mark=data.mark),
            f"Representational dissimilarity matrices of the teacher {data.name}{data.mark_in_caption}.",
            f"Square matrices of the targets {', '.join(data.targets)}.",
            on_page=False,
        )
    ]


@dataclass(frozen=True)
class StimulusOrder:
    """In which order an RDM's stimuli are drawn."""

    order: NDArray[np.int64]
    """(n,) positions in the RDM."""
    spans: list[tuple[str, int, int]]
    """(category, first, last + 1) in that order; empty where categories are unknown."""
    name: str


def order_of_stimuli(target: xr.Dataset) -> StimulusOrder:
    """Return the stimuli of a teacher's group by category.

    Without categories they are ordered as the leaves of an average-linkage tree of the RDM.
    """
    n = target.sizes["stimulus"]
    category = target["category"].values.astype(str) if "category" in target else np.full(n, "")
    if (category != "").all() and len(np.unique(category)) > 1:
        order = np.lexsort((target["stimulus_id"].values.astype(str), category))
        names, first = np.unique(category[order], return_index=True)
        last = [*first[1:], n]
        spans = [(str(name), int(a), int(b)) for name, a, b in zip(names, first, last, strict=True)]
        return StimulusOrder(order, spans, "ordered by category")
    dissimilarity = target["rdm"].values
    dissimilarity = dissimilarity - min(0.0, np.nanmin(dissimilarity))
    order = leaves_list(linkage(np.nan_to_num(dissimilarity), "average"))
    return StimulusOrder(order, [], "ordered by average-linkage clustering of the teacher's RDM")


def ranked_square(condensed: NDArray[np.float64], order: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the square of an RDM's ranks, from 0 (most similar pair) to 1, with NaN on the diagonal."""
    known = ~np.isnan(condensed)
    share = np.full(len(condensed), np.nan)
    share[known] = (ranks(condensed[known]) - 1) / max(np.isfinite(condensed).sum() - 1, 1)
    square: NDArray[np.float64] = squareform(share, checks=False)
    np.fill_diagonal(square, np.nan)
    return square[np.ix_(order, order)]


def block_side(n: int) -> int:
    """Return the side of the blocks over which an RDM of n stimuli is averaged; 1 draws every pair."""
    return -(-n // MAX_CELLS)


def in_blocks(square: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """Return means over blocks of side × side cells without NaN; the last blocks may be smaller."""
    if side == 1:
        return square
    starts = np.arange(0, len(square), side)
    finite = np.isfinite(square)
    total, count = np.where(finite, square, 0.0), finite.astype(float)
    for axis in (0, 1):
        total, count = (np.add.reduceat(values, starts, axis=axis) for values in (total, count))
    means: NDArray[np.float64] = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
    return means


@style.styled
def rdms(
    teacher: Mapping[str, xr.Dataset],
    network: Mapping[str, xr.Dataset] | None = None,
    *,
    scores: Mapping[str, str] | None = None,
    mark: str = "",
) -> Figure:
    """Draw the targets' RDMs and, below each, the RDM of the network's layer nearest to it.

    Parameters
    ----------
    teacher
        Target to its group: ``rdm`` (pair), ``stimulus_id``, ``category`` (stimulus).
    network
        Target to ``rdm`` (pair), ``stimulus_id`` (stimulus), attrs ``layer``; None draws the teacher alone.
    scores
        Target to a line below the network's RDM, e.g. the similarity on report images.
    mark
        Stands above the figure, e.g. what is simulated.
    """
    orders = {name: order_of_stimuli(target) for name, target in teacher.items()}
    categories = {name: [category for category, *_ in order.spans] for name, order in orders.items()}
    first = next(iter(categories.values()))
    # Categories that are not those beside the first column stand below their column.
    below = {name: names for name, names in categories.items() if names != first and len(names) <= MAX_LABELS}
    longest = max((len(category) for names in below.values() for category in names), default=0)
    rows, side = (1 if network is None else 2), min(2.1, (style.WIDTH - 1.75) / len(teacher))
    figure = style.new(
        (side + 0.28) * rows + (0.42 if scores else 0.0) + 0.052 * longest + 0.6,
        min(style.WIDTH, max(4.6, 1.75 + side * len(teacher))),
    )
    grid = figure.subplots(rows, len(teacher), squeeze=False)
    for column, (name, target) in enumerate(teacher.items()):
        matrices = [(target["rdm"].values, ", ".join(filter(None, (name, words.n_channels(target)))))]
        if network is not None and name in network:
            layer = network[name].attrs.get("layer", "?")
            matrices.append((aligned_rdm(network[name], target, name), f"network: {layer}"))
            grid[1, column].set_xlabel((scores or {}).get(name, ""), fontsize=7)
        elif network is not None:
            grid[1, column].axis("off")
            grid[1, column].text(0.5, 0.5, "no layer", ha="center", va="center", color=style.GREY)
        for row, (values, title) in enumerate(matrices):
            image = _matrix(grid[row, column], values, orders[name].order, title)
            lowest = row == len(matrices) - 1
            labels = "left" if column == 0 else "below" if lowest and name in below else ""
            _categories(grid[row, column], orders[name].spans, labels)
    bar = figure.colorbar(image, ax=grid, aspect=30, shrink=0.7, ticks=[0, 1])
    bar.ax.set_yticklabels(["most\nsimilar", "least\nsimilar"])
    metrics = {words.metric(target) for target in teacher.values()}
    metric = metrics.pop() if len(metrics) == 1 else ""
    bar.set_label("rank of dissimilarity" + (f"\n({metric})" if metric else ""), labelpad=2)
    bar.outline.set_visible(False)
    footnote = [
        _orders(teacher, orders),
        "Colours are ranks within each matrix (ties averaged), so they show order, not size.",
        _sizes_of_dissimilarities(teacher) if network is None else "",
    ]
    style.annotate(figure, footnote, mark)
    return figure


def _matrix(panel: Axes, rdm: NDArray[np.float64], order: NDArray[np.int64], title: str) -> AxesImage:
    n = len(order)
    panel.set_title(title)
    panel.spines[:].set_visible(False)
    shown = in_blocks(ranked_square(rdm, order), block_side(n))
    # The extent counts stimuli, so that lines between categories are where they would be without blocks.
    return panel.imshow(shown, cmap="cividis", vmin=0, vmax=1, extent=(-0.5, n - 0.5, n - 0.5, -0.5))


def _orders(teacher: Mapping[str, xr.Dataset], orders: Mapping[str, StimulusOrder]) -> str:
    """Return how many stimuli each target has and how they are drawn, once where all targets agree."""
    texts = {}
    for name, target in teacher.items():
        n = target.sizes["stimulus"]
        texts[name] = f"n = {n:,} stimuli, {orders[name].name}"
        if (side := block_side(n)) > 1:
            texts[name] += f", drawn as mean ranks of {side} × {side} pairs"
    if len(set(texts.values())) == 1:
        return f"{next(iter(texts.values()))}."
    return "; ".join(f"{name}: {text}" for name, text in texts.items()) + "."


def _sizes_of_dissimilarities(teacher: Mapping[str, xr.Dataset]) -> str:
    """Return the median dissimilarity of each target, which ranks do not show."""
    texts = []
    for name, target in teacher.items():
        low, middle, high = map(format_number, np.nanquantile(target["rdm"].values, [0.05, 0.5, 0.95]))
        texts.append(f"{name} {middle} ({low} to {high})")
    return f"Median dissimilarity (5 to 95 %): {', '.join(texts)}."


def _categories(panel: Axes, spans: Sequence[tuple[str, int, int]], labels: str) -> None:
    """Draw lines between categories, and write their names on the left, below, or nowhere."""
    panel.set_xticks([])
    panel.set_yticks([])
    for _, first, _ in spans[1:]:
        panel.axhline(first - 0.5, color="white", linewidth=0.6)
        panel.axvline(first - 0.5, color="white", linewidth=0.6)
    if labels and spans and len(spans) <= MAX_LABELS:
        middles, names = [(first + last - 1) / 2 for _, first, last in spans], [name for name, _, _ in spans]
        if labels == "left":
            panel.set_yticks(middles, names)
        else:
            # Upright: slanted names would reach below the neighbour and push the matrices apart.
            panel.set_xticks(middles, names, rotation=90, fontsize=6.5)
        panel.tick_params(length=0, pad=2)
