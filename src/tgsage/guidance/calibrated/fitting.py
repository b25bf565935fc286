"""Learning to predict mature accuracy."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from ... import plugins
from ...errors import TgsageError
from ...store import seed_from
from ..columns import EQUAL, Array, column, is_ok
from . import ridge
from .features import GROUPS, OF_THE_TEACHER, feature_names, feature_table
from .fitted import Fitted, TeacherWorth
from .mature import as_fractions, read_mature

if TYPE_CHECKING:
    from .plugin import CalibratedGuidance

MISSING = 0.1
"""A feature that a larger share of the architectures lacks is left out; otherwise the architectures are."""


def fit(
    ledger: pd.DataFrame,
    profiles: xr.Dataset | None,
    mature: pd.Series | pd.DataFrame | str | os.PathLike[str],
    settings: CalibratedGuidance | Mapping[str, Any] | None = None,
) -> Fitted:
    """Learn to predict mature accuracy.

    Parameters
    ----------
    ledger, profiles
        As for :func:`tgsage.guidance.get`. The rows that are ok and whose architecture has, as text, a known
        accuracy are fitted: the first row of each architecture by round and slot.
    mature
        Fractions by architecture, a table with the columns architecture and accuracy, or the csv of one.
    settings
        Of these, features, minimum, folds and seed are used (and column and percent, for a csv).

    Returns
    -------
    Fitted
        Without weights, but with a note, if there are fewer than ``settings.minimum`` rows to fit. A feature
        that does not vary, or that more than a tenth of the rows lack, is left out and named in ``dropped``;
        a row that lacks any other feature is not fitted.

    Raises
    ------
    TgsageError
        If features of the teacher are named in the settings and there are no profiles with targets.
    """
    chosen = _settings(settings)
    if isinstance(mature, str | os.PathLike):
        known = read_mature(mature, chosen.column, percent=chosen.percent)
    else:
        known = as_fractions(mature)
    groups, targets = _groups_and_targets(chosen, profiles)
    table = feature_table(ledger, profiles, groups, targets)
    matching = _matching_rows(ledger, known)
    dropped = _dropped(table.iloc[matching])
    kept = [name for name in table.columns if name not in dropped]
    rows = matching[np.isfinite(table[kept].to_numpy()[matching]).all(axis=1)]
    about: dict[str, Any] = {
        "groups": groups,
        "targets": targets,
        "n": len(rows),
        "left_out": len(matching) - len(rows),
        "minimum": chosen.minimum,
        "dropped": dropped,
    }
    if len(rows) < chosen.minimum:
        return Fitted(
            **about,
            note=f"{len(rows)} candidates have a known mature accuracy and every feature, and "
            f"{chosen.minimum} are needed: the score is P + TG",
        )
    examples = column(ledger, "examples").to_numpy()[rows] if "examples" in ledger.columns else np.empty(0)
    examples = examples[np.isfinite(examples)]
    about["examples"] = [float(examples.min()), float(examples.max())] if len(examples) else []
    if not kept:
        return Fitted(
            **about,
            note="no feature varies among the candidates of known mature accuracy: the score is P + TG",
        )
    y = known.loc[ledger["architecture"].iloc[rows]].to_numpy()
    x = table[kept].to_numpy()[rows]
    sizes = feature_table(ledger, None, ["parameters"], []).iloc[rows, 0].to_numpy()
    names = feature_names(groups, targets)
    of_teacher = {name for group in OF_THE_TEACHER for name in names.get(group, [])}
    return Fitted(**about, features=kept, **_regression(x, y, [n in of_teacher for n in kept], sizes, chosen))


def _regression(
    x: Array, y: Array, of_teacher: list[bool], sizes: Array, settings: CalibratedGuidance
) -> dict[str, Any]:
    """Return the fields of a :class:`Fitted` that the regression decides."""
    fold = ridge.random_folds(len(y), settings.folds, seed_from("calibrated guidance", settings.seed))

    def held_out(columns: NDArray[np.int_]) -> Array:
        return ridge.predict_held_out(x[:, columns], y, fold, settings.folds, settings.seed)

    with_teacher = ridge.performance(y, held_out(np.arange(x.shape[1])))
    own, taught = np.flatnonzero(~np.array(of_teacher)), np.flatnonzero(of_teacher)
    worth = None
    if len(taught):
        alone = held_out(taught)
        worth = TeacherWorth(
            performance=ridge.performance(y, alone),
            spearman_given_parameters=ridge.partial_spearman(alone, y, sizes),
        )
    penalty = ridge.best_penalty(x, y, fold)
    means, sds, weights, intercept = ridge.regress(x, y, penalty)
    inverse, sigma = ridge.uncertainty(x, y, penalty, fallback=with_teacher.rmse)
    return {
        "means": means.tolist(),
        "sds": sds.tolist(),
        "weights": weights.tolist(),
        "intercept": intercept,
        "penalty": penalty,
        "inverse": inverse.tolist(),
        "residual_sd": sigma,
        "with_teacher": with_teacher,
        "without_teacher": ridge.performance(y, held_out(own)) if len(own) else None,
        "teacher": worth,
    }


def _settings(settings: CalibratedGuidance | Mapping[str, Any] | None) -> CalibratedGuidance:
    if settings is None or isinstance(settings, Mapping):
        settings = {"name": "calibrated", **(settings or {})}
        if not settings.get("mature") and not settings.get("fitted"):
            settings["mature"] = "given as an argument"
    chosen: CalibratedGuidance = plugins.settings("guidance", settings)
    return chosen


def _groups_and_targets(
    settings: CalibratedGuidance, profiles: xr.Dataset | None
) -> tuple[list[str], list[str]]:
    """Return the requested features, and the targets that those of the teacher are made of."""
    groups = list(settings.features or GROUPS)
    taught = [group for group in groups if group in OF_THE_TEACHER]
    targets = [] if profiles is None or not taught else [str(name) for name in profiles["target"].values]
    if taught and not targets and settings.features is not None:
        raise TgsageError(
            f"guidance calibrated: the features {', '.join(taught)} need the profiles beside the ledger, "
            "with at least one target"
        )
    return groups, targets


def _matching_rows(ledger: pd.DataFrame, known: pd.Series) -> NDArray[np.int_]:
    """Return the position of the first ok row of each known architecture, sorted by their texts."""
    table = ledger[["round", "slot", "architecture"]].reset_index(drop=True)
    table = table[is_ok(ledger) & ledger["architecture"].isin(known.index).to_numpy()]
    first = table.sort_values(["round", "slot"], kind="stable").drop_duplicates("architecture")
    return first.sort_values("architecture", kind="stable").index.to_numpy()


def _dropped(table: pd.DataFrame) -> dict[str, str]:
    """Return the features that cannot be fitted, and why."""
    reasons = {}
    for name in table.columns:
        values = table[name].to_numpy()
        present = values[np.isfinite(values)]
        if len(values) - len(present) > MISSING * len(values):
            reasons[str(name)] = f"missing in {len(values) - len(present)} of {len(values)} candidates"
        elif len(present) and np.ptp(present) <= EQUAL * np.abs(present).max():
            reasons[str(name)] = "does not vary among the candidates"
    return reasons
