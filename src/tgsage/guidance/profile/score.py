"""P and a reading of the whole profile, layers by targets, instead of its maximum."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import TgsageError
from . import readings
from .columns import Scorer, column, combined, is_ok, needed, of_ok, over_targets, zscores


def reading(ledger: pd.DataFrame, profiles: xr.Dataset, settings: Any) -> np.ndarray:
    """The reading of every candidate: per target, then the weighted mean over targets; (rows,)."""
    values = profiles["rsa"].transpose("row", "target", "layer").values
    if settings.reading == "max":
        found = readings.largest(values)
    elif settings.reading == "first":
        found = readings.first(values)
    elif settings.reading == "mean":
        found = readings.mean(values)
    elif settings.reading == "gain":
        untrained = profiles["untrained"].transpose("row", "target", "layer").values
        gained = readings.gains(values, untrained, is_ok(ledger))
        found = readings.largest(gained) if settings.over == "max" else readings.mean(gained)
    else:
        numbers = _numbers(ledger, values.shape[2])
        found = readings.weighted(values, readings.depth_weights(settings.weights, numbers, values.shape[2]))
    return over_targets(found, profiles["weight"].values)


def _numbers(ledger: pd.DataFrame, depth: int) -> np.ndarray:
    """How many layers each ok candidate has; 0 for the others."""
    numbers = column(ledger, "probes").to_numpy()
    ok = is_ok(ledger)
    wrong = np.flatnonzero(ok & ~((numbers >= 1) & (numbers <= depth)))
    if len(wrong):
        raise TgsageError(
            f"guidance profile: row {ledger.index[wrong[0]]} of the ledger has {numbers[wrong[0]]:g} probes, "
            f"and the profiles hold {depth} layers; collect the round again"
        )
    return np.where(ok, numbers, 0).astype(int)


def make(settings: Any) -> Scorer:
    """z(P) + alpha * z(reading), z-scores over the ok rows that have both; or the raw values."""

    def scored(ledger: pd.DataFrame, profiles: xr.Dataset | None = None) -> pd.Series:
        profiles = needed(profiles, "profile")
        p, read = combined(ledger, reading(ledger, profiles, settings), settings.alpha)
        if settings.zscore:
            p, read = zscores(p), zscores(read)
        return of_ok(ledger, p + settings.alpha * read)

    return scored
