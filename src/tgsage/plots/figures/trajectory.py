"""How a search went: every candidate in order of round and slot, and the best so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ...statistics import running_best, wilson_of_accuracy
from ...studies.similarity import inferred_alpha
from .. import style, words
from ..data import SearchData
from ..style import Drawing


def trajectory_drawings(data: SearchData) -> list[Drawing]:
    """Draw the trajectory of a search."""
    ledger, final = data.ledger, data.search.final
    figure = trajectory(
        ledger,
        data.search.arm,
        n_validation=data.n_validation,
        chance=final["chance"],
        winner=final["candidate"],
        note=data.tg_ceiling,
        mark=data.mark,
    )
    return [
        Drawing(
            "trajectory",
            figure,
            f"The search {data.search.name}: every candidate in the order of proposal. Lines: best so far.",
            f"Accuracy, teacher guidance and score of {len(ledger)} candidates, "
            f"{int((ledger['status'] == 'ok').sum())} of them ok; the best premature validation accuracy is "
            f"{float(ledger['accuracy'].max()):.3f}.",
        )
    ]


@style.styled
def trajectory(
    ledger: pd.DataFrame,
    arm: str,
    *,
    n_validation: int | None = None,
    chance: float | None = None,
    winner: str | None = None,
    note: str = "",
    mark: str = "",
) -> Figure:
    """Draw P, TG and score of every candidate in order of round and slot, and the best so far.

    Parameters
    ----------
    ledger
        Of one search. TG and score are left out where no candidate has a TG.
    arm
        Name of the arm; decides the colour.
    chance
        Accuracy of a guess; draws a dotted line.
    n_validation, winner, note, mark
        As for :func:`tgsage.plots.p_against_tg`.
    """
    ledger = ledger.sort_values(["round", "slot"], kind="stable")
    columns = ["accuracy", "tg", "score"] if ledger["tg"].notna().any() else ["accuracy"]
    figure = style.new(1.75 * len(columns) + 0.75)
    panels: list[Axes] = list(figure.subplots(len(columns), 1, sharex=True, squeeze=False)[:, 0])
    colour = style.colours_of([arm])[arm]
    formula = words.score_formula(inferred_alpha(ledger)) or "of the arm’s own guidance"
    labels = {
        "accuracy": "P\nvalidation accuracy",
        "tg": "TG\nmean RDM correlation",
        "score": f"score\n{formula}",
    }
    order, ok = np.arange(1, len(ledger) + 1), (ledger["status"] == "ok").to_numpy()
    many: dict[str, Any] = {"rasterized": style.as_image(figure, len(ledger))}
    for panel, column in zip(panels, columns, strict=True):
        values = np.where(ok, ledger[column].to_numpy(dtype=float), np.nan)
        _candidates(panel, values, ok, (ledger["candidate"] == winner).to_numpy(), colour, many)
        panel.set_ylabel(labels[column])
        if column == "accuracy" and n_validation:
            low, high = wilson_of_accuracy(values, n_validation)
            panel.vlines(order, low, high, color=colour, alpha=0.35, linewidth=0.8, zorder=2, **many)
        _limits(panel, chance if column == "accuracy" else None)
    panels[-1].set_xlim(0.25, len(ledger) + 0.75)
    panels[-1].set_xlabel("candidate, in order of round and slot")
    style.whole_numbers(panels[-1].xaxis, min_n_ticks=1)
    _rounds(panels, ledger["round"].to_numpy())
    look: dict[str, Any] = {"color": colour}
    handles = [style.handle("candidate, and best so far", "o", markersize=3.6, linewidth=1.4, **look)]
    if winner is not None:
        ring = style.handle("trained in full and tested", "o", markersize=8, markerfacecolor="none", **look)
        handles.append(ring)
    if not ok.all():
        handles.append(style.handle("failed, invalid or timed out", "x", markersize=4, **look))
    figure.legend(handles=handles, loc=style.LEGEND, ncols=len(handles), columnspacing=1.4)
    intervals = f"Bars: Wilson 95 % intervals, {n_validation} validation images." if n_validation else ""
    style.annotate(figure, [f"{arm}: n = {len(ledger)}, {ok.sum()} ok.", intervals, note], mark)
    return figure


def _candidates(
    panel: Axes,
    values: NDArray[np.float64],
    ok: NDArray[np.bool_],
    won: NDArray[np.bool_],
    colour: str,
    many: Mapping[str, Any],
) -> None:
    """Draw one point a candidate, the best so far, a ring around the winner, and crosses for failures."""
    order = np.arange(1, len(values) + 1)
    dot: dict[str, Any] = {"color": colour, "alpha": 0.75, "markersize": 3.6, "markeredgewidth": 0, **many}
    panel.plot(order, values, "o", zorder=3, **dot)
    if np.isfinite(values).any():
        panel.step(order, running_best(values), where="post", color=colour, linewidth=1.4, zorder=2.5)
    won = won & np.isfinite(values)
    ring: dict[str, Any] = {"markerfacecolor": "none", "markeredgecolor": colour, "markeredgewidth": 1.2}
    if won.any():
        panel.plot(order[won], values[won], "o", markersize=9, zorder=4, **ring)
    cross: dict[str, Any] = {"color": colour, "markersize": 4, "markeredgewidth": 1.1, "zorder": 3, **many}
    bottom = np.full((~ok).sum(), 0.035)
    panel.plot(order[~ok], bottom, "x", transform=panel.get_xaxis_transform(), **cross)


def _limits(panel: Axes, chance: float | None) -> None:
    """Leave room for the crosses below the values, and draw the accuracy of a guess."""
    low, high = panel.get_ylim()
    if chance is not None:
        low, high = min(low, chance), max(high, chance)
        panel.axhline(chance, color=style.GREY, linewidth=0.8, linestyle=":", zorder=1)
        style.note(panel, "chance", (1, chance), (3, 0), ("axes fraction", "data"))
    panel.set_ylim(low - 0.12 * (high - low), high + 0.04 * (high - low))


def _rounds(panels: Sequence[Axes], rounds: NDArray[np.int64]) -> None:
    """Shade every second round and number the rounds."""
    numbers = np.unique(rounds)
    every = max(1, -(-len(numbers) // 15))
    for position, number in enumerate(numbers):
        inside = np.flatnonzero(rounds == number) + 1
        if position % 2:
            for panel in panels:
                panel.axvspan(inside[0] - 0.5, inside[-1] + 0.5, color="#f3f3f3", linewidth=0, zorder=0)
        if position % every == 0:
            text = f"{number}" if position else f"round {number}"
            middle = (float(inside.mean()), 1.0)
            style.note(panels[0], text, middle, (0, 3), ("data", "axes fraction"), ha="center", va="baseline")
