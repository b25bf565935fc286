"""What guidances read from a ledger and from its profiles."""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from ..errors import TgsageError

Array = NDArray[np.floating[Any]]


class Scorer(Protocol):
    """A function from a ledger and its profiles to scores."""

    def __call__(self, ledger: pd.DataFrame, profiles: xr.Dataset | None = None) -> pd.Series:
        """Return one score per row of the ledger; see :func:`tgsage.guidance.get`."""


EQUAL = 1e-12
"""Values whose range is at most this share of the largest of them are equal up to rounding."""


def column(ledger: pd.DataFrame, name: str) -> pd.Series:
    """Return a column of numbers.

    Raises
    ------
    TgsageError
        If the ledger has no such column.
    """
    if name not in ledger.columns:
        raise TgsageError(f"guidance: the ledger has no column {name!r}")
    return ledger[name].astype("float64")


def targets(ledger: pd.DataFrame) -> list[str]:
    """Return the names of the teacher's targets in the order of the ledger's columns."""
    return [name.removeprefix("tg_") for name in ledger.columns if name.startswith("tg_")]


def accuracy(ledger: pd.DataFrame) -> pd.Series:
    """Return P, fractions in [0, 1].

    Raises
    ------
    TgsageError
        If the column is missing, or a value is no fraction.
    """
    values = column(ledger, "accuracy")
    wrong = values[(values < 0) | (values > 1)]
    if len(wrong):
        raise TgsageError(
            f"guidance: accuracy {wrong.iloc[0]} in row {wrong.index[0]} of the ledger is not a fraction in "
            "[0, 1]"
        )
    return values


def is_ok(ledger: pd.DataFrame) -> NDArray[np.bool_]:
    """Return which rows are ok, (rows,)."""
    if "status" not in ledger.columns:
        raise TgsageError("guidance: the ledger has no column 'status'")
    return (ledger["status"] == "ok").to_numpy()


def of_ok(ledger: pd.DataFrame, values: pd.Series | Array) -> pd.Series:
    """Return values as scores: float64 on the ledger's index, NaN if the row is not ok."""
    scores = pd.Series(np.asarray(values, dtype="float64"), index=ledger.index)
    return scores.where(is_ok(ledger)).rename("score")


def combined(ledger: pd.DataFrame, other: Array, alpha: float) -> tuple[Array, Array]:
    """Return P and what is added to it.

    Parameters
    ----------
    ledger
        With the columns status and accuracy.
    other
        (rows,), NaN if undefined.
    alpha
        Weight of ``other``; if it is 0, undefined values do not matter and become 0.

    Returns
    -------
    tuple
        Two arrays (rows,), both NaN in the rows that get no score.
    """
    p = accuracy(ledger).to_numpy(copy=True)
    other = np.nan_to_num(other, nan=0.0) if alpha == 0 else np.array(other, dtype="float64")
    usable = is_ok(ledger) & np.isfinite(p) & np.isfinite(other)
    p[~usable] = other[~usable] = np.nan
    return p, other


def moments(values: Array) -> tuple[float, float]:
    """Return the mean and the population standard deviation.

    The deviation is 0 if the values are equal up to rounding. The sums are exact (``math.fsum``), so that the
    order of the values does not matter.
    """
    mean = math.fsum(values) / len(values)
    if np.ptp(values) <= EQUAL * np.abs(values).max():
        return mean, 0.0
    return mean, math.sqrt(math.fsum((values - mean) ** 2) / len(values))


def zscores(values: Array) -> Array:
    """Return z-scores of the finite values, or zeros if they are equal; NaN stays NaN."""
    finite = np.isfinite(values)
    scaled = np.full(len(values), np.nan)
    if finite.any():
        mean, deviation = moments(values[finite])
        scaled[finite] = (values[finite] - mean) / deviation if deviation else 0.0
    return scaled


def check_alignment(ledger: pd.DataFrame, profiles: xr.Dataset) -> None:
    """Check that profiles have the ledger's rows, in its order.

    Raises
    ------
    TgsageError
        Naming the first row that differs.
    """
    places = list(zip(ledger["round"].tolist(), ledger["slot"].tolist(), strict=True))
    profiled = list(zip(profiles["round"].values.tolist(), profiles["slot"].values.tolist(), strict=True))
    if len(places) != len(profiled):
        raise TgsageError(
            f"guidance: the profiles have {len(profiled)} rows and the ledger {len(places)}; collect the "
            "round again"
        )
    for row, (place, other) in enumerate(zip(places, profiled, strict=True)):
        if place != other:
            raise TgsageError(
                f"guidance: row {row} is round {place[0]}, slot {place[1]} in the ledger and round "
                f"{other[0]}, slot {other[1]} in the profiles; collect the round again"
            )


def needed(profiles: xr.Dataset | None, name: str) -> xr.Dataset:
    """Return the profiles that a guidance needs.

    Raises
    ------
    TgsageError
        If there are none, or they have no target.
    """
    if profiles is None:
        raise TgsageError(f"guidance {name}: needs the profiles beside the ledger; hand over profiles.nc")
    if profiles.sizes["target"] == 0:
        raise TgsageError(f"guidance {name}: the profiles have no target; give the arm a teacher")
    return profiles


def over_targets(values: Array, weights: Array) -> Array:
    """Return the weighted mean over targets, (rows, targets) -> (rows,); NaN if one is undefined."""
    return np.asarray(np.average(values, axis=1, weights=weights))
