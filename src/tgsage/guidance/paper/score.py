"""P + alpha * TG (Bashivan, Tensen and DiCarlo 2019) and its two extremes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import TgsageError
from .columns import Scorer, accuracy, column, is_ok, moments, of_ok

OBSERVED = "observed_tg"
"""Column of the TG with the teacher that an arm observes beside its own."""


def score(ledger: pd.DataFrame, alpha: float = 1.0) -> pd.Series:
    """Return P + alpha * TG of every candidate.

    Parameters
    ----------
    ledger
        With the columns status, accuracy (a fraction) and tg.
    alpha
        Weight of teacher guidance, at least 0. The paper finds 1 near the optimum after about two epochs.
        With 0 the score is P, also where TG is missing.

    Returns
    -------
    pandas.Series
        float64, named ``score``, on the ledger's index; NaN for candidates that are not ok, and for those
        whose P or TG is missing.

    Raises
    ------
    TgsageError
        If alpha is negative, a column is missing, or an accuracy is no fraction.
    """
    if not np.isfinite(alpha) or alpha < 0:
        raise TgsageError(f"guidance.alpha: {alpha} is not a number >= 0")
    p = accuracy(ledger)
    return of_ok(ledger, p if alpha == 0 else p + alpha * column(ledger, "tg"))


def p_plus_tg(ledger: pd.DataFrame, alpha: float = 1.0) -> pd.Series:
    """The paper's score; the same as :func:`score`."""
    return score(ledger, alpha)


def p_only(ledger: pd.DataFrame, alpha: float = 1.0) -> pd.Series:
    """Validation accuracy alone; alpha is not used."""
    return of_ok(ledger, accuracy(ledger))


def tg_only(ledger: pd.DataFrame, alpha: float = 1.0) -> pd.Series:
    """Teacher guidance alone; alpha is not used, for it would not change the order."""
    return of_ok(ledger, column(ledger, "tg"))


def scheduled(ledger: pd.DataFrame, schedule: dict[float, float]) -> np.ndarray:
    """Alpha of every row, from the examples that it was trained on.

    Piecewise linear between the points of the schedule and constant outside. The paper finds that alpha
    above 1 helps below about 2.5 epochs and hurts later.

    Raises
    ------
    TgsageError
        If the examples of an ok row are missing.
    """
    examples = column(ledger, "examples").to_numpy()
    for row in np.flatnonzero(is_ok(ledger) & ~np.isfinite(examples)):
        raise TgsageError(
            f"guidance.schedule: row {ledger.index[row]} of the ledger does not say how many examples it was "
            "trained on; use a fixed alpha"
        )
    amounts = sorted(schedule)
    return np.interp(examples, amounts, [schedule[amount] for amount in amounts])


def matched(ledger: pd.DataFrame) -> np.ndarray:
    """TG with the mean and standard deviation of the observed teacher's, (rows,).

    TG' = mean(O) + (TG - mean(TG)) sd(O) / sd(TG), O the TG with the observed teacher; means and population
    standard deviations over the ok rows that have both. Where TG does not vary (one such row, or all equal),
    nothing can be scaled and TG' is mean(O) + TG - mean(TG), which is mean(O) up to rounding.

    Raises
    ------
    TgsageError
        If the arm observes no teacher, or no row that has a TG has an observed one.
    """
    if OBSERVED not in ledger.columns:
        raise TgsageError(
            f"guidance.match_variance: the ledger has no column {OBSERVED!r}; let the arm observe the "
            "original teacher (observe: <its name>)"
        )
    tg, observed = column(ledger, "tg").to_numpy(), column(ledger, OBSERVED).to_numpy()
    measured = is_ok(ledger) & np.isfinite(tg)
    both = measured & np.isfinite(observed)
    if not measured.any():
        return np.full(len(ledger), np.nan)
    if not both.any():
        raise TgsageError(
            f"guidance.match_variance: {OBSERVED!r} is missing in every row; score the candidates against "
            "the observed teacher"
        )
    (mean, deviation), (target, wanted) = moments(tg[both]), moments(observed[both])
    return target + (tg - mean) * (wanted / deviation if deviation else 1.0)


def make(settings: Any) -> Scorer:
    """The function of p_plus_tg, p_only or tg_only."""
    if settings.name == "p_only":
        return lambda ledger, profiles=None: p_only(ledger)
    if settings.name == "tg_only":
        return lambda ledger, profiles=None: tg_only(ledger)

    def scored(ledger: pd.DataFrame, profiles: xr.Dataset | None = None) -> pd.Series:
        tg = matched(ledger) if settings.match_variance else column(ledger, "tg").to_numpy()
        alpha: Any = settings.alpha
        if settings.schedule is not None:
            alpha = scheduled(ledger, settings.schedule)
        # As in `score`: with alpha 0 a missing TG does not matter.
        guided = np.where(np.asarray(alpha) == 0, 0.0, alpha * tg)
        return of_ok(ledger, accuracy(ledger).to_numpy() + guided)

    return scored
