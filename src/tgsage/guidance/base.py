"""What all guidances have in common: how they are called, and what they read of ledger and profiles."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from .. import plugins
from ..errors import TgsageError

if TYPE_CHECKING:
    from .settings import GuidanceSettings

Array = NDArray[np.floating[Any]]

EQUAL = 1e-12
"""Values whose range is at most this share of the largest of them are equal up to rounding."""


class Scorer(Protocol):
    """A function from a ledger and its profiles to scores."""

    def __call__(self, ledger: pd.DataFrame, profiles: xr.Dataset | None = None) -> pd.Series:
        """Return one score per row of the ledger; see :func:`tgsage.guidance.get`."""


def get(settings: GuidanceSettings | Mapping[str, Any] | str, **options: Any) -> Scorer:
    """Return the function ``(ledger, profiles=None) -> scores`` of a guidance.

    Parameters
    ----------
    settings
        The settings of a guidance, the same as a mapping, or a guidance's name.
    **options
        Settings that differ from the default, or from ``settings``, e.g. ``alpha``.

    Returns
    -------
    callable
        Pure. Takes a ledger and, if ``settings.needs_profiles``, its profiles: an ``xarray.Dataset`` aligned
        to the ledger's rows with ``rsa`` and ``untrained`` (row, target, layer), ``ceiling_lower`` and
        ``ceiling_upper`` (target), and the coordinates ``round`` and ``slot`` (row), ``target`` and
        ``weight`` (target). Returns scores (float64, named ``score``) on the ledger's index, NaN for
        candidates that are not ok or lack a measurement that the score needs. A ``"note"`` in ``attrs`` is a
        remark for people.

    Raises
    ------
    TgsageError
        If there is no such guidance, a setting is unknown or out of range, or a file cannot be read. The
        function raises one if a column or the profiles are missing, or if they do not fit each other.
    """
    section: GuidanceSettings = plugins.settings("guidance", settings, **options)
    function: Scorer = section.load()(section)

    def scored(ledger: pd.DataFrame, profiles: xr.Dataset | None = None) -> pd.Series:
        if section.needs_profiles and (profiles is None or profiles.sizes["target"] == 0):
            name = section.plugin_name()
            if profiles is None:
                raise TgsageError(
                    f"guidance {name}: needs the profiles beside the ledger; hand over profiles.nc"
                )
            raise TgsageError(f"guidance {name}: the profiles have no target; give the arm a teacher")
        if profiles is not None:
            check_alignment(ledger, profiles)
        return function(ledger, profiles).rename("score")

    return scored


def column(ledger: pd.DataFrame, name: str) -> pd.Series:
    """Return a column of numbers; a TgsageError if the ledger lacks it."""
    if name not in ledger.columns:
        raise TgsageError(f"guidance: the ledger has no column {name!r}")
    return ledger[name].astype("float64")


def targets(ledger: pd.DataFrame) -> list[str]:
    """Return the names of the teacher's targets in the order of the ledger's columns."""
    return [name.removeprefix("tg_") for name in ledger.columns if name.startswith("tg_")]


def accuracy(ledger: pd.DataFrame) -> pd.Series:
    """Return P, fractions in [0, 1]; a TgsageError if the column is missing or a value is no fraction."""
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

    Both are arrays (rows,), NaN in the rows that get no score. If ``alpha``, the weight of ``other`` (rows,),
    is 0, undefined values of ``other`` do not matter and become 0.
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
    """Raise a TgsageError, naming the first row that differs, unless profiles have the ledger's rows."""
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
