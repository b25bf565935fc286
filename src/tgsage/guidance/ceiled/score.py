"""P + alpha * TG with the similarity with each target as a share of its noise ceiling."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from ...errors import TgsageError
from ..base import Array, Scorer, column, combined, of_ok, targets

if TYPE_CHECKING:
    from .plugin import CeiledGuidance

LEAST_CEILING = 0.05
"""Division by a smaller ceiling would give the noisiest target the greatest weight."""


def divisors(profiles: xr.Dataset, settings: CeiledGuidance) -> Array:
    """Return what the similarity with each target is divided by, (targets,).

    A TgsageError if a target lacks a ceiling and the settings do not allow it, or if a ceiling is too small.
    """
    ceilings = profiles[f"ceiling_{settings.ceiling}"].values.astype("float64")
    for index, (target, value) in enumerate(zip(profiles["target"].values, ceilings, strict=True)):
        if not np.isfinite(value):
            if settings.without_ceiling == "error":
                raise TgsageError(
                    f"guidance ceiled: target {str(target)!r} has no noise ceiling (only an RDM is "
                    "published, or too few repetitions); declare without_ceiling: raw, or choose another "
                    "guidance"
                )
            ceilings[index] = 1.0
        elif value < LEAST_CEILING:
            raise TgsageError(
                f"guidance ceiled: the {settings.ceiling} noise ceiling of target {str(target)!r} is "
                f"{value:.3g}, less than {LEAST_CEILING}: its recordings hold no reliable RDM; leave the "
                "target out, or choose another guidance"
            )
    return np.asarray(ceilings)


def make(settings: CeiledGuidance) -> Scorer:
    """Return P + alpha * the weighted mean over targets of S_i / ceiling_i.

    S_i is the ledger's ``tg_<target>``. Shares above 1 are possible and are kept.
    """

    def scored(ledger: pd.DataFrame, profiles: xr.Dataset | None = None) -> pd.Series:
        assert profiles is not None
        names = [str(name) for name in profiles["target"].values]
        if set(names) != set(targets(ledger)):
            raise TgsageError(
                f"guidance ceiled: the profiles have the targets {', '.join(names)} and the ledger "
                f"{', '.join(targets(ledger)) or 'none'}; collect the round again"
            )
        shares = np.stack([column(ledger, f"tg_{name}").to_numpy() for name in names], axis=1)
        shares = shares / divisors(profiles, settings)
        mean = np.average(shares, axis=1, weights=profiles["weight"].values)
        p, guided = combined(ledger, mean, settings.alpha)
        return of_ok(ledger, p + settings.alpha * guided)

    return scored
