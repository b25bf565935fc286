"""How a search went: every candidate in order of round and slot, and the best so far."""

from __future__ import annotations

from collections.abc import Sequence

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

AXIS_NAMES = {"accuracy": "P\nvalidation accuracy", "tg": "TG\nmean RDM correlation"}


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
    n_validation
        Number of images on which P was measured; draws Wilson's 95 % intervals.
    chance
        Accuracy of a guess; draws a dotted line.
    winner
        Key of the candidate that was trained in full; it is ringed.
    note
        A sentence for the footnote, e.g. the noise ceiling of TG.
    mark
        Stands above the figure, e.g. what is simulated.
    """
    ledger = ledger.sort_values(["round", "slot"], kind="stable")
    columns = ["accuracy", "tg", "score"] if ledger["tg"].notna().any() else ["accuracy"]
    figure = style.new(1.75 * len(columns) + 0.75)
    panels: list[Axes] = list(figure.subplots(len(columns), 1, sharex=True, squeeze=False)[:, 0])
    colour = style.colours_of([arm])[arm]
    for panel, column in zip(panels, columns, strict=True):
        _candidates(panel, ledger, column, colour, winner)
        panel.set_ylabel(AXIS_NAMES.get(column) or _score_name(ledger))
        if column == "accuracy" and n_validation:
            _intervals(panel, ledger, colour, n_validation)
        _limits(panel, chance if column == "accuracy" else None)
    panels[-1].set_xlim(0.25, len(ledger) + 0.75)
    panels[-1].set_xlabel("candidate, in order of round and slot")
    style.whole_numbers(panels[-1].xaxis, min_n_ticks=1)
    _rounds(panels, ledger["round"].to_numpy())
    n_ok = int((ledger["status"] == "ok").sum())
    _legend(figure, colour, has_winner=winner is not None, has_failures=n_ok < len(ledger))
    intervals = f"Bars: Wilson 95 % intervals, {n_validation} validation images." if n_validation else ""
    style.annotate(figure, [f"{arm}: n = {len(ledger)}, {n_ok} ok.", intervals, note], mark)
    return figure


def _values(ledger: pd.DataFrame, column: str) -> NDArray[np.float64]:
    return np.where(ledger["status"] == "ok", ledger[column].to_numpy(dtype=float), np.nan)


def _score_name(ledger: pd.DataFrame) -> str:
    return f"score\n{words.score_formula(inferred_alpha(ledger)) or 'of the arm’s own guidance'}"


def _candidates(panel: Axes, ledger: pd.DataFrame, column: str, colour: str, winner: str | None) -> None:
    """Draw one point a candidate, the best so far, a ring around the winner, and crosses for failures."""
    order, values = np.arange(1, len(ledger) + 1), _values(ledger, column)
    panel.plot(order, values, "o", color=colour, alpha=0.75, markersize=3.6, markeredgewidth=0, zorder=3)
    if np.isfinite(values).any():
        panel.step(order, running_best(values), where="post", color=colour, linewidth=1.4, zorder=2.5)
    if winner is not None:
        ringed = (ledger["candidate"] == winner).to_numpy() & np.isfinite(values)
        panel.plot(
            order[ringed],
            values[ringed],
            "o",
            markersize=9,
            markerfacecolor="none",
            markeredgecolor=colour,
            markeredgewidth=1.2,
            zorder=4,
        )
    failed = order[(ledger["status"] != "ok").to_numpy()]
    panel.plot(
        failed,
        np.full(len(failed), 0.035),
        "x",
        color=colour,
        markersize=4,
        markeredgewidth=1.1,
        transform=panel.get_xaxis_transform(),
        zorder=3,
    )


def _intervals(panel: Axes, ledger: pd.DataFrame, colour: str, n_validation: int) -> None:
    low, high = wilson_of_accuracy(_values(ledger, "accuracy"), n_validation)
    panel.vlines(np.arange(1, len(ledger) + 1), low, high, color=colour, alpha=0.35, linewidth=0.8, zorder=2)


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


def _legend(figure: Figure, colour: str, *, has_winner: bool, has_failures: bool) -> None:
    handles = [style.handle("candidate, and best so far", "o", color=colour, markersize=3.6, linewidth=1.4)]
    if has_winner:
        handles.append(
            style.handle(
                "trained in full and tested", "o", color=colour, markersize=8, markerfacecolor="none"
            )
        )
    if has_failures:
        handles.append(style.handle("failed, invalid or timed out", "x", color=colour, markersize=4))
    figure.legend(handles=handles, loc=style.LEGEND, ncols=len(handles), columnspacing=1.4)
