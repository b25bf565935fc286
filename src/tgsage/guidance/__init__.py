"""From a ledger to scores: P + alpha * TG (Bashivan, Tensen and DiCarlo 2019) and its two extremes.

P is the validation accuracy of the premature network, a fraction in [0, 1]; TG the mean, over the teacher's
targets, of the similarity of the candidate's best layer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from ..config.guidance import Guidance
from ..errors import TgsageError, unknown

__all__ = ["NAMES", "get", "p_only", "p_plus_tg", "score", "tg_only"]


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
    accuracy = _accuracy(ledger)
    return _of_ok(ledger, accuracy if alpha == 0 else accuracy + alpha * _column(ledger, "tg"))


def p_plus_tg(ledger: pd.DataFrame, alpha: float = 1.0) -> pd.Series:
    """The paper's score; the same as :func:`score`."""
    return score(ledger, alpha)


def p_only(ledger: pd.DataFrame, alpha: float = 1.0) -> pd.Series:
    """Validation accuracy alone; alpha is not used."""
    return _of_ok(ledger, _accuracy(ledger))


def tg_only(ledger: pd.DataFrame, alpha: float = 1.0) -> pd.Series:
    """Teacher guidance alone; alpha is not used, for it would not change the order."""
    return _of_ok(ledger, _column(ledger, "tg"))


_FUNCTIONS: dict[str, Callable[[pd.DataFrame, float], pd.Series]] = {
    "p_plus_tg": p_plus_tg,
    "p_only": p_only,
    "tg_only": tg_only,
}

NAMES = tuple(_FUNCTIONS)
"""Names of the guidances."""


def get(settings: Guidance | Mapping[str, Any] | str, **options: Any) -> Callable[[pd.DataFrame], pd.Series]:
    """Return the function from a ledger to its scores.

    Parameters
    ----------
    settings
        ``tgsage.config.guidance.Guidance``, the same as a mapping, or a name.
    **options
        Settings that differ from the default, e.g. ``alpha``.
    """
    if isinstance(settings, str):
        given: dict[str, Any] = {"name": settings}
    elif isinstance(settings, Guidance):
        given = settings.plain()
    else:
        given = dict(settings)
    given.update(options)
    name, alpha = given.pop("name", "p_plus_tg"), given.pop("alpha", 1.0)
    if name not in _FUNCTIONS:
        raise unknown("guidance", str(name), _FUNCTIONS)
    if given:
        raise unknown("setting of guidance", next(iter(given)), ("name", "alpha"))
    if not np.isfinite(alpha) or alpha < 0:
        raise TgsageError(f"guidance.alpha: {alpha} is not a number >= 0")
    function = _FUNCTIONS[name]
    return lambda ledger: function(ledger, alpha)


def _column(ledger: pd.DataFrame, name: str) -> pd.Series:
    if name not in ledger.columns:
        raise TgsageError(f"guidance: the ledger has no column {name!r}")
    return ledger[name].astype("float64")


def _accuracy(ledger: pd.DataFrame) -> pd.Series:
    accuracy = _column(ledger, "accuracy")
    wrong = accuracy[(accuracy < 0) | (accuracy > 1)]
    if len(wrong):
        raise TgsageError(
            f"guidance: accuracy {wrong.iloc[0]} in row {wrong.index[0]} of the ledger is not a fraction in "
            "[0, 1]"
        )
    return accuracy


def _of_ok(ledger: pd.DataFrame, values: pd.Series) -> pd.Series:
    if "status" not in ledger.columns:
        raise TgsageError("guidance: the ledger has no column 'status'")
    return values.where(ledger["status"] == "ok").rename("score")
