"""Whether accuracy and teacher guidance agree over the candidates of a search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm
from matplotlib.figure import Figure

from ...statistics import format_number, spearman, wilson_of_accuracy
from ...studies.similarity import inferred_alpha
from .. import style, words
from ..data import SearchData
from ..style import Drawing


def p_against_tg_drawings(data: SearchData) -> list[Drawing]:
    """Draw P against TG; nothing for a search without a teacher."""
    if not data.targets:
        return []
    figure = p_against_tg(
        data.ledger,
        finalists=list(data.search.finalists["candidate"]),
        winner=data.search.final["candidate"],
        n_validation=data.n_validation,
        note=data.tg_ceiling,
        mark=data.mark,
    )
    ok = data.ledger[data.ledger["status"] == "ok"]
    return [
        Drawing(
            "p_against_tg",
            figure,
            "Validation accuracy against teacher guidance after premature training, one point a candidate.",
            f"Scatter of P against TG; Spearman correlation {spearman(ok['tg'], ok['accuracy'])}.",
        )
    ]


@style.styled
def p_against_tg(
    ledger: pd.DataFrame,
    *,
    finalists: Sequence[str] = (),
    winner: str | None = None,
    n_validation: int | None = None,
    note: str = "",
    mark: str = "",
) -> Figure:
    """Draw accuracy against teacher guidance, one point a candidate, with lines of equal score.

    The lines have the α that the ledger's scores have; without one there are no lines.

    Parameters
    ----------
    ledger
        Of one arm; candidates that are not ok, or lack P or TG, are counted and not drawn.
    finalists, winner
        Keys of the candidates that were retrained, and of the one that was tested.
    n_validation
        Number of images on which P was measured; draws Wilson's 95 % intervals.
    note
        A sentence for the footnote, e.g. the noise ceiling of TG.
    mark
        Stands above the figure, e.g. what is simulated.
    """
    alpha = inferred_alpha(ledger)
    whole = ledger[(ledger["status"] == "ok") & ledger["accuracy"].notna() & ledger["tg"].notna()]
    tg, accuracy = whole["tg"].to_numpy(dtype=float), whole["accuracy"].to_numpy(dtype=float)
    rounds = np.unique(ledger["round"])
    figure = style.new(4.0, 5.2)
    panel = figure.subplots()
    many = style.as_image(figure, len(whole))
    if n_validation and len(whole):
        low, high = wilson_of_accuracy(accuracy, n_validation)
        panel.vlines(tg, low, high, color=style.PALE, linewidth=0.8, zorder=1, rasterized=many)
    # Rounds may have gaps between them.
    edges = np.arange(rounds.min() - 0.5, rounds.max() + 1) if len(rounds) > 1 else None
    points = panel.scatter(
        tg,
        accuracy,
        c=whole["round"].to_numpy(),
        cmap="viridis",
        norm=None if edges is None else BoundaryNorm(edges, 256),
        s=26,
        edgecolors="white",
        linewidths=0.5,
        zorder=3,
        rasterized=many,
    )
    _rings(panel, whole, finalists, winner)
    panel.margins(0.07)
    panel.set_xlabel("TG: mean over targets of the best layer's RDM correlation")
    panel.set_ylabel("P: validation accuracy after premature training")
    has_lines = _equal_scores(panel, alpha)
    if len(rounds) > 1:
        ticks, pad = rounds[:: max(1, len(rounds) // 10)].tolist(), 0.1 if has_lines else 0.02
        bar = figure.colorbar(points, ax=panel, ticks=ticks, pad=pad, aspect=30)
        bar.set_label("round")
        bar.ax.tick_params(length=0)
        bar.outline.set_visible(False)
    if panel.get_legend_handles_labels()[0]:
        figure.legend(loc=style.LEGEND, ncols=2)
    correlation = spearman(tg, accuracy)
    in_brackets = "; in brackets the bootstrap 95 % interval" if np.isfinite(correlation.low) else ""
    left_out = len(ledger) - len(whole)
    footnote = [
        f"Spearman correlation of P and TG {correlation}{in_brackets}.",
        f"{left_out} candidate{'s' * (left_out != 1)} without both values left out." if left_out else "",
        f"Grey lines: equal score ({words.score_formula(alpha)})." if has_lines else "",
        f"Bars: Wilson 95 % intervals, {n_validation} validation images." if n_validation else "",
        note,
    ]
    style.annotate(figure, footnote, mark)
    return figure


def _rings(panel: Axes, whole: pd.DataFrame, finalists: Sequence[str], winner: str | None) -> None:
    rings = (
        (list(finalists), 70, style.INK, "finalist"),
        ([winner], 130, style.PALETTE["vermillion"], "trained in full and tested"),
    )
    for keys, size, colour, label in rings:
        ringed = whole[whole["candidate"].isin([key for key in keys if key])]
        if len(ringed):
            x, y = (ringed[column].to_numpy(dtype=float) for column in ("tg", "accuracy"))
            look: dict[str, Any] = {"facecolors": "none", "edgecolors": colour, "linewidths": 1.1}
            panel.scatter(x, y, s=size, zorder=4, label=label, **look)


def _equal_scores(panel: Axes, alpha: float | None) -> bool:
    """Draw lines of equal P + α·TG, each with its score where it meets the right, upper or left edge."""
    if alpha is None or not np.isfinite(alpha):
        return False
    (left, right), (bottom, top) = panel.get_xlim(), panel.get_ylim()
    corners = [y + alpha * x for x in (left, right) for y in (bottom, top)]
    # The next 1, 2 or 5 times a power of ten.
    ninth = (max(corners) - min(corners)) / 9
    multiples = np.array([1, 2, 5, 10]) * 10.0 ** np.floor(np.log10(ninth))
    step = float(multiples[multiples >= ninth * 0.999][0])
    digits = max(1, -int(np.floor(np.log10(step))))
    for score in np.arange(np.ceil(min(corners) / step), np.floor(max(corners) / step) + 1) * step:
        at_left, at_right = score - alpha * left, score - alpha * right
        at_top = (score - top) / alpha if alpha > 0 else np.nan
        panel.plot([left, right], [at_left, at_right], color="#bdbdbd", linewidth=0.7, zorder=0.5)
        label = format_number(score, digits)
        if bottom < at_right < top:
            style.note(panel, label, (right, at_right), (3, 0), fontsize=6.5, ha="left", va="center")
        elif left < at_top < right:
            style.note(panel, label, (at_top, top), (0, 2), fontsize=6.5, ha="center", va="bottom")
        elif bottom < at_left < top:
            style.note(panel, label, (left, at_left), (3, 1), fontsize=6.5, ha="left", va="bottom")
    panel.set_xlim(left, right)
    panel.set_ylim(bottom, top)
    return True
