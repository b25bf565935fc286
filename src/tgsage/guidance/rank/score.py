"""Ranks of P and TG, which have the same scale in every search, whatever the spread of P and TG."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr
from scipy.stats import rankdata

from ..base import Scorer, column, combined, of_ok

if TYPE_CHECKING:
    from .plugin import RankGuidance


def make(settings: RankGuidance) -> Scorer:
    """Return (rank P + alpha * rank TG) / ((1 + alpha) n), in (0, 1].

    Ranks are average ranks from 1, the lowest, to n over the n ok rows that have both.
    """

    def scored(ledger: pd.DataFrame, profiles: xr.Dataset | None = None) -> pd.Series:  # noqa: ARG001
        p, tg = combined(ledger, column(ledger, "tg").to_numpy(), settings.alpha)
        rows = np.flatnonzero(np.isfinite(p))
        scores = np.full(len(ledger), np.nan)
        if len(rows):
            total = rankdata(p[rows]) + settings.alpha * rankdata(tg[rows])
            scores[rows] = total / ((1 + settings.alpha) * len(rows))
        return of_ok(ledger, scores)

    return scored
