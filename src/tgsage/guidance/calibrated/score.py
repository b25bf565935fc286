"""Scores from predicted mature accuracy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import xarray as xr

from ...errors import TgsageError
from ..columns import Scorer, is_ok, of_ok
from ..paper.score import score as paper_score
from .fitted import Fitted
from .fitting import fit
from .mature import read_mature

if TYPE_CHECKING:
    from .plugin import CalibratedGuidance


def scores_of(
    fitted: Fitted, ledger: pd.DataFrame, profiles: xr.Dataset | None, kappa: float = 0.0
) -> pd.Series:
    """Return predicted mature accuracy minus ``kappa`` predictive standard deviations.

    If nothing is fitted, the scores are P + TG. A note in ``attrs`` says so, and how many ok candidates have
    no score because they lack a feature.
    """
    if not fitted.is_fit:
        scores = paper_score(ledger, 1.0)
        scores.attrs["note"] = f"guidance calibrated: {fitted.note}"
        return scores
    table = fitted.predict(ledger, profiles)
    scores = of_ok(ledger, table["predicted"] - kappa * table["sd"])
    notes = []
    lacking = int((is_ok(ledger) & scores.isna().to_numpy()).sum())
    if lacking:
        notes.append(f"{lacking} ok candidates lack a feature of the fit and have no score")
    if fitted.examples and "examples" in ledger.columns:
        examples = ledger.loc[is_ok(ledger), "examples"].dropna()
        outside = int(((examples < fitted.examples[0]) | (examples > fitted.examples[1])).sum())
        if outside:
            notes.append(
                f"{outside} candidates were trained on fewer or more examples than those that were fitted "
                f"({fitted.examples[0]:.0f} to {fitted.examples[1]:.0f})"
            )
    if notes:
        scores.attrs["note"] = "guidance calibrated: " + "; ".join(notes)
    return scores


def make(settings: CalibratedGuidance) -> Scorer:
    """Return the guidance by weights from a file, or by weights that are learned from the ledger itself."""
    if settings.fitted is not None:
        fitted = Fitted.load(settings.fitted)
        if settings.features is not None and set(settings.features) != set(fitted.groups):
            raise TgsageError(
                f"guidance calibrated: {settings.fitted} was fitted with the features "
                f"{', '.join(fitted.groups)}, and {', '.join(settings.features)} are set; leave features "
                "out, or fit anew"
            )
        return lambda ledger, profiles=None: scores_of(fitted, ledger, profiles, settings.kappa)
    assert settings.mature is not None
    known = read_mature(settings.mature, settings.column, percent=settings.percent)
    return lambda ledger, profiles=None: scores_of(
        fit(ledger, profiles, known, settings), ledger, profiles, settings.kappa
    )
