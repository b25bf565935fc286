"""Similarity of every layer with every target, beside the noise ceilings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from ...errors import TgsageError
from ...statistics import format_number, share_in_words, share_of_ceiling
from ...studies.similarity import ceilings as ceilings_of
from .. import style, words
from ..data import SearchData
from ..style import Drawing

PART_WORDS = {
    "choose": "images that chose the layer",
    "reward": "images that rewarded the search",
    "report": "images used for neither",
}
MIN_SCALE = 0.2
"""Smallest upper end of the colours of similarities."""
CEILING_ROWS = 0.46
"""Inches for the ceilings below a map of layers."""
MAX_ON_PAGE = 3
"""Checkpoints up to which the page shows similarity at each of them, and not only at the last."""
DEAD = "#efefef"
FRAME: dict[str, Any] = {
    "fill": False,
    "edgecolor": style.PALETTE["vermillion"],
    "linewidth": 2,
    "zorder": 5,
    "clip_on": False,
}


def layers_drawings(data: SearchData) -> list[Drawing]:
    """Draw the layers after training and at each checkpoint; nothing for a search without a teacher."""
    if not data.targets:
        return []
    bounds = {name: ceilings_of(target) for name, target in data.targets.items()}
    present = {part for target in data.targets.values() for part in target["split"].values.astype(str)}
    shared: dict[str, Any] = {
        "chosen": {name: scored["layer"] for name, scored in data.search.final["similarity"].items()},
        "parts": [part for part in PART_WORDS if part in present],
        "method": data.search.settings.scoring.compare,
        "mark": data.mark,
    }
    scores = "; ".join(f"{name} {text}" for name, text in data.similarities().items())
    show_all = data.search.rsa.sizes["checkpoint"] <= MAX_ON_PAGE
    return [
        Drawing(
            "layers",
            layers(data.search.rsa, bounds, **shared),
            "Similarity of every layer of the final network with every target. Layers are chosen without the "
            "report images, so the framed values on report images are not inflated by the choice.",
            "Heat map of layers against targets. Similarity of the chosen layers on report images: "
            f"{scores}.",
            on_page=not show_all,
        ),
        Drawing(
            "layers_over_training",
            layers(data.search.rsa, bounds, checkpoints="all", **shared),
            "Similarity of every layer with every target at each checkpoint of the final training. Layers "
            "are chosen after training and without the report images.",
            "Heat maps of layers against targets, a row per checkpoint of the training.",
            on_page=show_all,
        ),
    ]


@style.styled
def layers(
    rsa: xr.Dataset,
    ceilings: Mapping[str, Mapping[str, tuple[float, float]]],
    *,
    chosen: Mapping[str, str | None],
    parts: Sequence[str] = ("reward", "report"),
    checkpoints: Literal["last", "all"] = "last",
    method: str = "spearman",
    mark: str = "",
) -> Figure:
    """Draw the similarity of every layer with every target, with the noise ceilings below.

    Parameters
    ----------
    rsa
        ``rsa`` (checkpoint, split, target, layer) and ``n_stimuli`` (split, target), as in ``rsa.nc``; NaN
        is a dead layer.
    ceilings
        Target to part of the stimuli to (lower, upper) noise ceiling; NaN, or none, is not available.
    chosen
        Target to its layer, which is framed.
    parts
        Parts of the stimuli, the columns of the figure.
    checkpoints
        "last", or "all": a row of maps per checkpoint, from the untrained network on.
    method
        How RDMs were compared, for the colour bar.
    mark
        Stands above the figure, e.g. what is simulated.

    Raises
    ------
    TgsageError
        If there is no target, part or checkpoint.
    """
    values = rsa["rsa"].transpose("checkpoint", "split", "layer", "target")
    parts = [part for part in parts if part in values["split"].values]
    targets, names = ([str(name) for name in values[axis].values] for axis in ("target", "layer"))
    if not targets or not parts or not values.sizes["checkpoint"]:
        raise TgsageError("rsa: holds no target, split or checkpoint; there is nothing to draw")
    last = values.sizes["checkpoint"] - 1
    rows = [last] if checkpoints == "last" else list(range(last + 1))
    drawn = values.isel(checkpoint=rows).sel(split=parts)
    # Of all checkpoints, so that the last one looks the same in both figures. Values near zero, as of a
    # shuffled teacher, must not look like structure.
    of_parts = values.sel(split=parts).values
    finite = of_parts[np.isfinite(of_parts)]
    norm = Normalize(min(0.0, finite.min(initial=0)), max(finite.max(initial=0), MIN_SCALE))
    figure, grid, size = _grid(len(names), len(targets), len(parts), len(rows))
    # The row of each target's chosen layer; None where it has none.
    framed = [names.index(layer) if (layer := chosen.get(target)) in names else None for target in targets]
    for (row, column), panel in np.ndenumerate(grid[::2]):
        part, shown = parts[column], drawn.values[row, column]
        below = grid[2 * row + 1, column]
        _layer_map(panel, shown, names if column == 0 else [""] * len(names), norm)
        for i, frame in enumerate(framed):
            if frame is not None:
                panel.add_patch(Rectangle((i - 0.5, frame - 0.5), 1, 1, **FRAME))
        if len(rows) == 1:
            title = f"{part}: {PART_WORDS.get(part, 'images')}"
        else:
            title = f"{part}, {_checkpoint(rsa, rows[row])}"
        panel.set_title(title, fontsize=7.5, fontweight="normal")
        bounds = [ceilings.get(target, {}).get(part, (np.nan, np.nan)) for target in targets]
        at_frame = [np.nan if frame is None else shown[frame, i] for i, frame in enumerate(framed)]
        _ceiling_rows(below, bounds, at_frame, size)
        if column == 0:
            below.set_yticks([0, 1], ["noise ceiling", "framed / ceiling"])
            panel.set_ylabel("layer, shallow to deep")
        numbers = rsa["n_stimuli"].sel(split=part, target=targets).values
        labels = [f"{target}\nn = {n:,}" for target, n in zip(targets, numbers, strict=True)]
        below.set_xticks(range(len(targets)), labels, fontsize=size)
    bar = figure.colorbar(ScalarMappable(norm, "cividis"), ax=grid[:, -1], aspect=25, shrink=0.9)
    bar.set_label(f"RDM similarity ({words.method(method)})")
    bar.outline.set_visible(False)
    footnote = [
        "Framed: the layer chosen for the target.",
        "Noise ceiling: lower to upper bound of what the recordings allow on these images. Maps show raw "
        "similarities; framed / ceiling: a framed one as a share of the upper to the lower bound.",
        "n: stimuli.",
    ]
    if np.isnan(drawn.values).any():
        footnote.append("Hatched: no value, the layer gives some stimulus a constant pattern.")
    style.annotate(figure, footnote, mark)
    return figure


def _grid(
    n_layers: int, n_targets: int, n_parts: int, n_checkpoints: int
) -> tuple[Figure, NDArray[np.object_], float]:
    """Return an empty figure, its panels (maps and ceilings in turn), and the size of text below a map."""
    heights = [0.26 * n_layers, CEILING_ROWS]
    width = max(4.4, min(style.WIDTH, 2.4 + 1.1 * n_targets * n_parts))
    figure = style.new((sum(heights) + 0.4) * n_checkpoints + 0.75, width)
    grid = figure.subplots(
        2 * n_checkpoints,
        n_parts,
        squeeze=False,
        sharex="col",
        gridspec_kw={"height_ratios": heights * n_checkpoints},
    )
    return figure, grid, float(np.clip(7 * (width - 2.4) / (0.66 * n_targets * n_parts), 4.5, 7))


def _checkpoint(rsa: xr.Dataset, checkpoint: int) -> str:
    if "examples" not in rsa:
        return f"checkpoint {checkpoint}"
    examples = int(rsa["examples"].values[checkpoint])
    return f"after {examples:,} examples" if examples else "untrained"


def _layer_map(panel: Axes, values: NDArray[np.float64], labels: Sequence[str], norm: Normalize) -> None:
    """Draw similarities (layer, target) as colours and numbers; dead layers are hatched."""
    panel.set_facecolor(DEAD)
    panel.imshow(values, cmap="cividis", norm=norm, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        if np.isnan(value):
            corner = (column - 0.5, row - 0.5)
            look: dict[str, Any] = {"facecolor": DEAD, "edgecolor": "#b5b5b5", "hatch": "////"}
            panel.add_patch(Rectangle(corner, 1, 1, linewidth=0, **look))
        else:
            colour = "white" if norm(value) < 0.55 else style.INK
            text = format_number(value)
            panel.text(column, row, text, ha="center", va="center", fontsize=7, color=colour)
    n_layers, n_targets = values.shape
    panel.set_yticks(range(n_layers), labels)
    panel.tick_params(length=0, labelbottom=False)
    panel.spines[:].set_visible(False)
    panel.set_xticks(np.arange(n_targets - 1) + 0.5, minor=True)
    panel.set_yticks(np.arange(n_layers - 1) + 0.5, minor=True)
    panel.grid(which="minor", color="white", linewidth=1)
    panel.tick_params(which="minor", length=0)


def _ceiling_rows(
    panel: Axes, bounds: Sequence[tuple[float, float]], framed: Sequence[float], size: float
) -> None:
    """Write below a map each target's ceiling, and how much of it the framed similarity is."""
    panel.set_xlim(-0.5, len(bounds) - 0.5)
    panel.set_ylim(1.5, -0.5)
    panel.set_yticks([])
    panel.tick_params(which="both", length=0)
    panel.spines[:].set_visible(False)
    look: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": size}
    for column, ((lower, upper), value) in enumerate(zip(bounds, framed, strict=True)):
        if not (np.isfinite(lower) or np.isfinite(upper)):
            panel.text(column, 0.5, "not\navailable", color=style.GREY, linespacing=1.0, **look)
            continue
        share = share_of_ceiling(value, lower, upper)
        low, high = (format_number(bound) if np.isfinite(bound) else "?" for bound in (lower, upper))
        panel.text(column, 0, f"{low} to {high}", **look)
        panel.text(column, 1, share_in_words(share) if share else "–", **look)
