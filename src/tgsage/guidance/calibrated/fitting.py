"""Learning to predict mature accuracy: known accuracies, the fit, and the guidance that scores by it."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from ... import plugins
from ...errors import TgsageError, nearest
from ...spaces import as_in_ledgers
from ...store import seed_from
from ..base import EQUAL, Array, Scorer, column, is_ok
from . import ridge
from .fitted import GROUPS, OF_THE_TEACHER, Fitted, TeacherWorth, feature_names, feature_table

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
    if settings is None or isinstance(settings, Mapping):
        settings = {"name": "calibrated", **(settings or {})}
        if not settings.get("mature") and not settings.get("fitted"):
            settings["mature"] = "given as an argument"
    chosen: CalibratedGuidance = plugins.settings("guidance", settings)
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


def read_mature(
    path: str | os.PathLike[str], column: str = "accuracy", *, percent: bool = False
) -> pd.Series:
    """Read known mature accuracies from a file.

    Parameters
    ----------
    path
        csv with a column ``architecture``: texts as in a ledger, or strings of a benchmark.
    column
        The column of accuracies. Rows without one (failed finalists) are left out.
    percent
        Whether accuracies are in percent.

    Returns
    -------
    pandas.Series
        Fractions by architecture, sorted by their texts; the mean over the rows of an architecture.

    Raises
    ------
    TgsageError
        If the file cannot be read, or a column or row is wrong.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except FileNotFoundError:
        raise TgsageError(f"{path}: no such file of mature accuracies") from None
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise TgsageError(f"{path}: cannot be read as csv: {error}") from None
    for name in ("architecture", column):
        if name not in table.columns:
            raise TgsageError(f"{path}: has no column {name!r}{nearest(name, table.columns)}")
    values = []
    for row, text in enumerate(table[column], start=2):
        try:
            value = float(text) if text.strip() else math.nan
        except ValueError:
            raise TgsageError(f"{path}: line {row}: {column} is not a number: {text!r}") from None
        value = value / 100 if percent else value
        if not math.isnan(value) and not 0 <= value <= 1:
            hint = (
                "a percentage between 0 and 100"
                if percent
                else "a fraction; set percent: true if it is in percent"
            )
            raise TgsageError(f"{path}: line {row}: {column} {text} is not {hint}")
        values.append(value)
    texts = []
    for row, text in enumerate(table["architecture"], start=2):
        if not text.strip():
            raise TgsageError(f"{path}: line {row}: the architecture is missing")
        try:
            texts.append(as_in_ledgers(text))
        except TgsageError as error:
            raise TgsageError(f"{path}: line {row}: {error}") from None
    known = pd.Series(values, index=texts, dtype="float64", name="accuracy").dropna()
    if known.empty:
        raise TgsageError(f"{path}: holds no accuracy in column {column!r}")
    return known.groupby(level=0, sort=True).mean()


def as_fractions(mature: pd.Series | pd.DataFrame) -> pd.Series:
    """Return known mature accuracies as :func:`read_mature` does.

    A TgsageError if a table lacks the column architecture or accuracy, or an accuracy is not a fraction.
    """
    if isinstance(mature, pd.DataFrame):
        for name in ("architecture", "accuracy"):
            if name not in mature.columns:
                raise TgsageError(f"guidance calibrated: the mature accuracies have no column {name!r}")
        mature = mature.set_index("architecture")["accuracy"]
    known = mature.astype("float64").dropna()
    if ((known < 0) | (known > 1)).any():
        raise TgsageError("guidance calibrated: a mature accuracy is not a fraction in [0, 1]")
    return known.groupby(level=0, sort=True).mean()


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
        return lambda ledger, profiles=None: fitted.scores(ledger, profiles, settings.kappa)
    assert settings.mature is not None
    known = read_mature(settings.mature, settings.column, percent=settings.percent)
    return lambda ledger, profiles=None: fit(ledger, profiles, known, settings).scores(
        ledger, profiles, settings.kappa
    )
