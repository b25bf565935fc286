"""What every guidance reads of a ledger and of its profiles."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import TgsageError

Scorer = Callable[[pd.DataFrame, xr.Dataset | None], pd.Series]

EQUAL = 1e-12
"""Values whose range is at most this share of the largest of them are held to be equal: rounding."""


def column(ledger: pd.DataFrame, name: str) -> pd.Series:
    """A column of numbers.

    Raises
    ------
    TgsageError
        If there is none of that name.
    """
    if name not in ledger.columns:
        raise TgsageError(f"guidance: the ledger has no column {name!r}")
    return ledger[name].astype("float64")


def accuracy(ledger: pd.DataFrame) -> pd.Series:
    """P, fractions in [0, 1].

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


def is_ok(ledger: pd.DataFrame) -> np.ndarray:
    """Which rows are ok, (rows,) of bool."""
    if "status" not in ledger.columns:
        raise TgsageError("guidance: the ledger has no column 'status'")
    return (ledger["status"] == "ok").to_numpy()


def of_ok(ledger: pd.DataFrame, values: pd.Series | np.ndarray) -> pd.Series:
    """The values as scores: float64 on the ledger's index, NaN where the row is not ok."""
    scores = pd.Series(np.asarray(values, dtype="float64"), index=ledger.index)
    return scores.where(is_ok(ledger)).rename("score")


def combined(ledger: pd.DataFrame, other: np.ndarray, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """P and what is added to it, over the rows that get a score.

    Parameters
    ----------
    other
        (rows,), NaN where undefined.
    alpha
        Weight of ``other``; with 0 its undefined values do not matter and become 0.

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


def moments(values: np.ndarray) -> tuple[float, float]:
    """Mean and population standard deviation; 0 where the values are equal up to rounding.

    The sums are exact (``math.fsum``), so that the order of the values does not matter.
    """
    mean = math.fsum(values) / len(values)
    if np.ptp(values) <= EQUAL * np.abs(values).max():
        return mean, 0.0
    return mean, math.sqrt(math.fsum((values - mean) ** 2) / len(values))


def zscores(values: np.ndarray) -> np.ndarray:
    """Z-score the finite values; zeros where they are equal; NaN stays NaN."""
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
    for row, (wanted, found) in enumerate(zip(places, profiled, strict=True)):
        if wanted != found:
            raise TgsageError(
                f"guidance: row {row} is round {wanted[0]}, slot {wanted[1]} in the ledger and round "
                f"{found[0]}, slot {found[1]} in the profiles; collect the round again"
            )


def needed(profiles: xr.Dataset | None, name: str) -> xr.Dataset:
    """The profiles, which this guidance cannot do without.

    Raises
    ------
    TgsageError
        If there are none, or they are of no target.
    """
    if profiles is None:
        raise TgsageError(f"guidance {name}: needs the profiles beside the ledger; hand over profiles.nc")
    if profiles.sizes["target"] == 0:
        raise TgsageError(f"guidance {name}: the profiles have no target; give the arm a teacher")
    return profiles


def over_targets(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted mean over targets, (rows, targets) -> (rows,); NaN where one is undefined."""
    return np.average(values, axis=1, weights=weights)
