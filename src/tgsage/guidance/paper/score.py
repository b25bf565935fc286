"""P + alpha * TG (Bashivan, Tensen and DiCarlo 2019) and its two extremes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from ...errors import TgsageError
from ..base import Array, Scorer, accuracy, column, is_ok, moments, of_ok

if TYPE_CHECKING:
    from .plugin import POnly, PPlusTg, TgOnly

OBSERVED_TG = "observed_tg"
"""Column of the TG with the second teacher that an arm observes."""


def score(ledger: pd.DataFrame, alpha: float = 1.0) -> pd.Series:
    """Return P + alpha * TG of every candidate.

    Parameters
    ----------
    ledger
        With the columns status, accuracy (a fraction) and tg.
    alpha
        Weight of teacher guidance, at least 0. The paper finds 1 near the optimum after about two epochs.
        If it is 0, the score is P, even if TG is missing.

    Returns
    -------
    pandas.Series
        float64, named ``score``, on the ledger's index; NaN for candidates that are not ok or lack P or TG.

    Raises
    ------
    TgsageError
        If alpha is negative, a column is missing, or an accuracy is no fraction.
    """
    if not np.isfinite(alpha) or alpha < 0:
        raise TgsageError(f"guidance.alpha: {alpha} is not a number >= 0")
    p = accuracy(ledger)
    return of_ok(ledger, p if alpha == 0 else p + alpha * column(ledger, "tg"))


def scheduled(ledger: pd.DataFrame, schedule: dict[float, float]) -> Array:
    """Return the alpha of every row, which depends on the number of examples that it was trained on.

    Alpha is linear between the points of the schedule and constant outside. The paper finds that alpha above
    1 helps below about 2.5 epochs and hurts later. A TgsageError if an ok row does not say its examples.
    """
    examples = column(ledger, "examples").to_numpy()
    for row in np.flatnonzero(is_ok(ledger) & ~np.isfinite(examples)):
        raise TgsageError(
            f"guidance.schedule: row {ledger.index[int(row)]} of the ledger does not say how many examples "
            "it was trained on; use a fixed alpha"
        )
    amounts = sorted(schedule)
    return np.asarray(np.interp(examples, amounts, [schedule[amount] for amount in amounts]))


def matched(ledger: pd.DataFrame) -> Array:
    """Return TG with the mean and standard deviation of the observed teacher's TG, (rows,).

    TG' = mean(O) + (TG - mean(TG)) sd(O) / sd(TG), where O is the TG with the observed teacher, and means and
    population standard deviations are over the ok rows that have both. If TG does not vary, nothing can be
    scaled, and TG' is mean(O) + TG - mean(TG), which is mean(O) up to rounding. A TgsageError if the arm
    observes no teacher, or no row that has a TG has an observed one.
    """
    if OBSERVED_TG not in ledger.columns:
        raise TgsageError(
            f"guidance.match_variance: the ledger has no column {OBSERVED_TG!r}; let the arm observe the "
            "original teacher (observe: <its name>)"
        )
    tg, observed = column(ledger, "tg").to_numpy(), column(ledger, OBSERVED_TG).to_numpy()
    measured = is_ok(ledger) & np.isfinite(tg)
    both = measured & np.isfinite(observed)
    if not measured.any():
        return np.full(len(ledger), np.nan)
    if not both.any():
        raise TgsageError(
            f"guidance.match_variance: {OBSERVED_TG!r} is missing in every row; score the candidates against "
            "the observed teacher"
        )
    (mean, deviation), (observed_mean, observed_deviation) = moments(tg[both]), moments(observed[both])
    scaled: Array = observed_mean + (tg - mean) * (observed_deviation / deviation if deviation else 1.0)
    return scaled


def make_p_only(_settings: POnly) -> Scorer:
    """Return validation accuracy alone."""
    return lambda ledger, profiles=None: of_ok(ledger, accuracy(ledger))  # noqa: ARG005


def make_tg_only(_settings: TgOnly) -> Scorer:
    """Return teacher guidance alone."""
    return lambda ledger, profiles=None: of_ok(ledger, column(ledger, "tg"))  # noqa: ARG005


def make_p_plus_tg(settings: PPlusTg) -> Scorer:
    """Return P + alpha * TG with a fixed or scheduled alpha and, if set so, matched TG."""

    def scored(ledger: pd.DataFrame, profiles: xr.Dataset | None = None) -> pd.Series:  # noqa: ARG001
        tg = matched(ledger) if settings.match_variance else column(ledger, "tg").to_numpy()
        alpha: Any = settings.alpha
        if settings.schedule is not None:
            alpha = scheduled(ledger, settings.schedule)
        # As in `score`, a missing TG does not matter if alpha is 0.
        guided = np.where(np.asarray(alpha) == 0, 0.0, alpha * tg)
        return of_ok(ledger, accuracy(ledger).to_numpy() + guided)

    return scored
