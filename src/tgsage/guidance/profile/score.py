"""P and a reading of the whole profile (layers by targets) instead of its maximum."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from ...errors import TgsageError
from .. import layer_pooling
from ..base import Array, Scorer, column, combined, is_ok, of_ok, zscores

if TYPE_CHECKING:
    from .plugin import ProfileGuidance


def reading(ledger: pd.DataFrame, profiles: xr.Dataset, settings: ProfileGuidance) -> Array:
    """Return the weighted mean over targets of the pooled similarities of every candidate, (rows,)."""
    values = profiles["rsa"].transpose("row", "target", "layer").values
    if settings.reading == "max":
        pooled = layer_pooling.largest(values)
    elif settings.reading == "first":
        pooled = layer_pooling.first(values)
    elif settings.reading == "mean":
        pooled = layer_pooling.mean(values)
    elif settings.reading == "gain":
        untrained = profiles["untrained"].transpose("row", "target", "layer").values
        gained = layer_pooling.gains(values, untrained, is_ok(ledger))
        pooled = layer_pooling.largest(gained) if settings.over == "max" else layer_pooling.mean(gained)
    else:
        assert settings.weights is not None
        numbers = _numbers(ledger, values.shape[2])
        pooled = layer_pooling.weighted(
            values, layer_pooling.depth_weights(settings.weights, numbers, values.shape[2])
        )
    return np.asarray(np.average(pooled, axis=1, weights=profiles["weight"].values))


def _numbers(ledger: pd.DataFrame, depth: int) -> NDArray[np.int_]:
    """Return the number of layers of each ok candidate, and 0 for the others."""
    numbers = column(ledger, "probes").to_numpy()
    ok = is_ok(ledger)
    wrong = np.flatnonzero(ok & ~((numbers >= 1) & (numbers <= depth)))
    if len(wrong):
        raise TgsageError(
            f"guidance profile: row {ledger.index[wrong[0]]} of the ledger has {numbers[wrong[0]]:g} probes, "
            f"and the profiles hold {depth} layers; collect the round again"
        )
    return np.where(ok, numbers, 0).astype(int)


def make(settings: ProfileGuidance) -> Scorer:
    """Return z(P) + alpha * z(reading) with z-scores over the ok rows that have both, or with raw values."""

    def scored(ledger: pd.DataFrame, profiles: xr.Dataset | None = None) -> pd.Series:
        assert profiles is not None
        p, read = combined(ledger, reading(ledger, profiles, settings), settings.alpha)
        if settings.zscore:
            p, read = zscores(p), zscores(read)
        return of_ok(ledger, p + settings.alpha * read)

    return scored
