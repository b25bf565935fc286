"""P + alpha * TG with the similarity of each target as a share of what its recordings allow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import TgsageError
from ..runs.ledger import targets as ledger_targets
from .columns import Scorer, column, combined, needed, of_ok, over_targets

LEAST_CEILING = 0.05
"""A smaller ceiling would make a target of noise the heaviest of all."""


def divisors(profiles: xr.Dataset, settings: Any) -> np.ndarray:
    """What the similarity with each target is divided by, (targets,).

    Raises
    ------
    TgsageError
        If a target has no ceiling and that was not declared, or one too small to divide by.
    """
    found = []
    for target, value in zip(
        profiles["target"].values, profiles[f"ceiling_{settings.ceiling}"].values, strict=True
    ):
        if not np.isfinite(value):
            if settings.without_ceiling == "error":
                raise TgsageError(
                    f"guidance ceiled: target {str(target)!r} has no noise ceiling (only an RDM is "
                    "published, or too few repetitions); declare without_ceiling: raw, or choose another "
                    "guidance"
                )
            value = 1.0
        elif value < LEAST_CEILING:
            raise TgsageError(
                f"guidance ceiled: the {settings.ceiling} noise ceiling of target {str(target)!r} is "
                f"{value:.3g}, less than {LEAST_CEILING}: its recordings hold no reliable RDM; leave the "
                "target out, or choose another guidance"
            )
        found.append(float(value))
    return np.array(found)


def make(settings: Any) -> Scorer:
    """P + alpha * the weighted mean over targets of S_i / ceiling_i.

    S_i is the ledger's ``tg_<target>``. A share above 1 is possible and is kept.
    """

    def scored(ledger: pd.DataFrame, profiles: xr.Dataset | None = None) -> pd.Series:
        profiles = needed(profiles, "ceiled")
        names = [str(name) for name in profiles["target"].values]
        if set(names) != set(ledger_targets(ledger)):
            raise TgsageError(
                f"guidance ceiled: the profiles have the targets {', '.join(names)} and the ledger "
                f"{', '.join(ledger_targets(ledger)) or 'none'}; collect the round again"
            )
        shares = np.stack([column(ledger, f"tg_{name}").to_numpy() for name in names], axis=1)
        shares = shares / divisors(profiles, settings)
        p, guided = combined(ledger, over_targets(shares, profiles["weight"].values), settings.alpha)
        return of_ok(ledger, p + settings.alpha * guided)

    return scored
