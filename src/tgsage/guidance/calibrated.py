r"""Mature accuracy, predicted from what was measured of premature candidates.

Ridge regression (Hoerl and Kennard 1970) of known mature accuracies y on standardised features X. Features
are standardised with the mean and population standard deviation of the n rows that are fitted, y is centred:

.. math:: w = (X^T X + \lambda I)^{-1} X^T (y - \bar y), \qquad \hat y_i = \bar y + x_i^T w .

:math:`\lambda` is the one of ``n * PENALTIES`` with the least squared error in K-fold cross-validation; of
equal ones the largest. Standardisation is part of what is fitted in a fold. How good the fit is comes from a
second K-fold cross-validation around that one, so that the penalty was never chosen on what is judged.

The predictive standard deviation is that of the Bayesian linear model whose posterior mean ridge is (prior
:math:`w \sim N(0, \sigma^2 / \lambda)`, flat prior of the intercept; Bishop 2006, equations 3.53 to 3.59):

.. math:: s_i^2 = \sigma^2 (1 + 1 / n + x_i^T (X^T X + \lambda I)^{-1} x_i),

with :math:`\sigma^2 = RSS / (n - 1 - d)`, d the effective degrees of freedom
:math:`\mathrm{tr}\, X (X^T X + \lambda I)^{-1} X^T` (Hastie, Tibshirani and Friedman 2009, equation 3.50);
where fewer than one degree is left, :math:`\sigma` is the cross-validated error. It holds for candidates that
are drawn as those of known accuracy were. Finalists are not: they were chosen by their score.
"""

from __future__ import annotations

import importlib
import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr
from pydantic import model_validator
from scipy.stats import spearmanr

from ..config.guidance import CalibratedGuidance
from ..errors import TgsageError, nearest
from ..settings import Field, Section, checked, given
from ..store import seed_from, write_json
from . import readings
from .columns import EQUAL, Scorer, column, is_ok, of_ok
from .paper import score as paper_score

__all__ = ["Fitted", "Performance", "TeacherWorth", "features", "fit", "make", "read_mature"]

MISSING = 0.1
"""A feature that more than this share of the architectures lack is left out; otherwise they are."""
PENALTIES = tuple(10.0 ** (half / 2) for half in range(-10, 5))
"""Ridge penalties per fitted row that cross-validation chooses from, 1e-5 to 100."""

FORMAT = "tgsage calibrated guidance 1"

# Features of the ledger: name of the setting to name of the feature and how it comes from its column. Signs
# are such that more is better.
_OF_THE_LEDGER: dict[str, tuple[str, Callable[[np.ndarray], np.ndarray]]] = {
    "accuracy": ("accuracy", lambda values: values),
    "loss": ("negative_loss", np.negative),
    "training_loss_sum": ("negative_training_loss_sum", np.negative),
    "parameters": ("log_parameters", np.log),
}
_OF_THE_TEACHER: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "first": lambda rsa, untrained: readings.first(rsa),
    "max": lambda rsa, untrained: readings.largest(rsa),
    "mean": lambda rsa, untrained: readings.mean(rsa),
    "last": lambda rsa, untrained: readings.last(rsa),
    "gain": lambda rsa, untrained: readings.largest(rsa - untrained),
}
_GROUPS = (*_OF_THE_LEDGER, *_OF_THE_TEACHER)


class Performance(Section):
    """How well a regression predicts rows that it has not seen."""

    n: int = Field(ge=1)
    """Rows."""
    rmse: float = Field(ge=0, allow_inf_nan=False)
    """Root of the mean squared error of the predictions, a fraction like the accuracies."""
    r2: float | None
    """1 - squared error / squared deviation from the mean; below 0 where the mean predicts better. None where
    the accuracies are all equal."""
    spearman: float | None
    """Rank correlation of predicted and known accuracy; None where either is constant."""


class TeacherWorth(Section):
    """What the teacher's features tell alone."""

    performance: Performance
    """Of the regression on the teacher's features only."""
    spearman_given_parameters: float | None
    """Partial rank correlation of its predictions with the known accuracy, given the number of parameters."""


class Fitted(Section):
    """Learnt weights: what :func:`fit` returns and a small JSON file holds."""

    format: Literal["tgsage calibrated guidance 1"] = "tgsage calibrated guidance 1"
    """What kind of file this is."""
    groups: list[str]
    """Features that were asked for, as in the settings."""
    targets: list[str]
    """The teacher's targets; empty if no feature is the teacher's."""
    n: int = Field(ge=0)
    """Architectures that are fitted: of known mature accuracy, and with every feature."""
    left_out: int = Field(default=0, ge=0)
    """Architectures of known mature accuracy that lack a feature."""
    minimum: int = Field(ge=1)
    """Below as many nothing is fitted."""
    note: str = ""
    """Why nothing is fitted, where that is so: the score is P + TG then."""
    dropped: dict[str, str] = Field(default={})
    """Features that are not part of the fit, and why."""
    examples: list[float] = Field(default=[])
    """Least and largest number of examples that the fitted candidates were trained on."""
    features: list[str] = Field(default=[])
    """Names, in the order of what follows."""
    means: list[float] = Field(default=[])
    """Of each feature over the fitted rows."""
    sds: list[float] = Field(default=[])
    """Population standard deviation of each feature over the fitted rows."""
    weights: list[float] = Field(default=[])
    """Of the standardised features."""
    intercept: float = 0.0
    """Mean of the known accuracies."""
    penalty: float | None = None
    """Lambda; None if nothing is fitted."""
    inverse: list[list[float]] = Field(default=[])
    """(X^T X + lambda I)^-1, for the predictive standard deviation."""
    residual_sd: float = Field(default=0.0, ge=0)
    """Sigma."""
    with_teacher: Performance | None = None
    """Cross-validated, of this fit."""
    without_teacher: Performance | None = None
    """The same fit on the same rows and folds without the teacher's features; None if no others are left."""
    teacher: TeacherWorth | None = None
    """The same with the teacher's features alone; None if there are none."""

    @model_validator(mode="after")
    def _whole(self) -> Fitted:
        p = len(self.features)
        for name in ("means", "sds", "weights", "inverse"):
            if len(getattr(self, name)) != p:
                raise ValueError(f"{name}: has {len(getattr(self, name))} entries for {p} features")
        if any(len(row) != p for row in self.inverse):
            raise ValueError(f"inverse: is not {p} by {p}")
        numbers = [*self.means, *self.sds, *self.weights, self.intercept, self.residual_sd]
        numbers += [value for row in self.inverse for value in row]
        if not np.isfinite(numbers).all():
            raise ValueError("holds a number that is not finite")
        if any(sd <= 0 for sd in self.sds):
            raise ValueError("sds: are not all positive")
        if self.is_fit != (p > 0):
            raise ValueError("penalty: belongs to a fit with features, and it needs one")
        if not self.is_fit and not self.note:
            raise ValueError("note: must say why nothing is fitted")
        for group in self.groups:
            if group not in _GROUPS:
                raise ValueError(f"groups: unknown feature {group!r}{nearest(group, _GROUPS)}")
        known = {name for names in self._names().values() for name in names}
        for name in (*self.features, *self.dropped):
            if name not in known:
                raise ValueError(f"features: {name!r} is none of those that groups and targets make")
        return self

    @property
    def is_fit(self) -> bool:
        """Whether there are weights; otherwise the score is P + TG."""
        return self.penalty is not None

    def _names(self) -> dict[str, list[str]]:
        return _feature_names(self.groups, self.targets)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write as JSON, whole or not at all."""
        write_json(path, self.plain())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Fitted:
        """Read what :meth:`save` wrote.

        Raises
        ------
        TgsageError
            If there is no such file, or its content is not a fit; names the file and the key.
        """
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise TgsageError(f"{path}: no such file; make one with tgsage fit-guidance") from None
        except (OSError, ValueError) as error:
            raise TgsageError(f"{path}: cannot be read as JSON: {error}") from None
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise TgsageError(f"{path}: is no fitted guidance (format {FORMAT!r}); fit one anew")
        return checked(f"{path}", cls, content)

    def predict(self, ledger: pd.DataFrame, profiles: xr.Dataset | None = None) -> pd.DataFrame:
        """Predict mature accuracy.

        Parameters
        ----------
        ledger, profiles
            As for :func:`tgsage.guidance.get`.

        Returns
        -------
        pandas.DataFrame
            On the ledger's index: ``predicted``, the mature accuracy as a fraction (not clipped), and ``sd``,
            its predictive standard deviation. NaN where the row is not ok or lacks a feature.

        Raises
        ------
        TgsageError
            If nothing is fitted, or the ledger and profiles have other targets, or lack a feature altogether.
        """
        if not self.is_fit:
            raise TgsageError(f"guidance calibrated: nothing is fitted: {self.note}")
        table = features(ledger, profiles, self.groups, self._wanted_targets(profiles))
        ok = is_ok(ledger)
        table = table[self.features]
        if ok.any():
            lacking = [name for name in self.features if not np.isfinite(table[name].to_numpy()[ok]).any()]
            if lacking:
                raise TgsageError(
                    f"guidance calibrated: was fitted with {', '.join(lacking)}, which no candidate here "
                    "has; measure it, or fit without it"
                )
        x = (table.to_numpy() - np.array(self.means)) / np.array(self.sds)
        predicted = self.intercept + x @ np.array(self.weights)
        leverage = np.einsum("ip,pq,iq->i", x, np.array(self.inverse), x)
        sd = self.residual_sd * np.sqrt(1 + 1 / self.n + leverage)
        usable = ok & np.isfinite(x).all(axis=1)
        found = {"predicted": np.where(usable, predicted, np.nan), "sd": np.where(usable, sd, np.nan)}
        return pd.DataFrame(found, index=ledger.index)

    def _wanted_targets(self, profiles: xr.Dataset | None) -> list[str]:
        """The file's targets, if profiles have the same; their order does not matter."""
        if not self.targets:
            return []
        measured = [] if profiles is None else [str(name) for name in profiles["target"].values]
        if set(measured) != set(self.targets):
            raise TgsageError(
                f"guidance calibrated: was fitted for the targets {', '.join(self.targets)}, and these "
                f"candidates were compared with {', '.join(measured) or 'none'}; fit anew"
            )
        return self.targets


def read_mature(
    path: str | os.PathLike[str], column: str = "accuracy", *, percent: bool = False
) -> pd.Series:
    """Read known mature accuracies.

    Parameters
    ----------
    path
        csv with the column ``architecture``: the text of a ledger, or a string of NAS-Bench-201.
    column
        Its column of accuracies. Rows without one (finalists that failed) are left out.
    percent
        Whether accuracies are in percent.

    Returns
    -------
    pandas.Series
        Fractions by architecture, in the order of their text; the mean where one is there more than once.

    Raises
    ------
    TgsageError
        One line that names the file, and the column or row that is wrong.
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
    texts = _as_in_ledgers(table["architecture"].tolist(), path)
    known = pd.Series(values, index=texts, dtype="float64", name="accuracy").dropna()
    if known.empty:
        raise TgsageError(f"{path}: holds no accuracy in column {column!r}")
    return known.groupby(level=0, sort=True).mean()


def _as_in_ledgers(texts: list[str], path: str | os.PathLike[str]) -> list[str]:
    """Strings of NAS-Bench-201 as a ledger writes them: the same choices, and not their canonical form."""
    found = []
    space = None
    for row, text in enumerate(texts, start=2):
        if not text.strip():
            raise TgsageError(f"{path}: line {row}: the architecture is missing")
        if text.startswith("|"):
            # By name: it loads torch, and the code of a space is no part of a guidance's.
            space = space or importlib.import_module("tgsage.spaces").get("nasbench201")
            try:
                text = space.format(space.parse_published(text))
            except TgsageError as error:
                raise TgsageError(f"{path}: line {row}: {error}") from None
        found.append(text)
    return found


def _feature_names(groups: Sequence[str], targets: Sequence[str]) -> dict[str, list[str]]:
    """Names of the features of each group."""
    return {
        group: [_OF_THE_LEDGER[group][0]] if group in _OF_THE_LEDGER else [f"{group}_{t}" for t in targets]
        for group in groups
        if group in _GROUPS
    }


def features(
    ledger: pd.DataFrame, profiles: xr.Dataset | None, groups: Sequence[str], targets: Sequence[str]
) -> pd.DataFrame:
    """Every feature of every row, NaN where it is missing.

    Parameters
    ----------
    groups
        As the setting ``features``.
    targets
        Of the profiles; ``<group>_<target>`` is made of each.
    """
    made: dict[str, np.ndarray] = {}
    values: tuple[np.ndarray, np.ndarray] | None = None
    for group in groups:
        if group in _OF_THE_LEDGER:
            name, change = _OF_THE_LEDGER[group]
            raw = column(ledger, group).to_numpy()
            made[name] = change(np.where(raw > 0, raw, np.nan) if group == "parameters" else raw)
        elif profiles is not None and targets:
            if values is None:
                chosen = profiles.sel(target=list(targets)).transpose("row", "target", "layer")
                values = chosen["rsa"].values, chosen["untrained"].values
            read = _OF_THE_TEACHER[group](*values)
            made |= {f"{group}_{target}": read[:, k] for k, target in enumerate(targets)}
    table = pd.DataFrame(made, index=ledger.index, dtype="float64")
    return table.where(np.isfinite(table))


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
        As for :func:`tgsage.guidance.get`. Rows that are ok and whose architecture is, as text, one of
        ``mature`` are fitted: each architecture once, the first by round and slot.
    mature
        Fractions by architecture, a table with the columns architecture and accuracy, or the csv of one.
    settings
        Features, minimum, folds and seed are read (and column and percent, for a csv).

    Returns
    -------
    Fitted
        Without weights, and with a note, if there are fewer than ``settings.minimum`` rows to fit. A feature
        that does not vary, or that more than a tenth of the rows lack, is left out of everything and named in
        ``dropped``; a row that lacks any other feature is not fitted.

    Raises
    ------
    TgsageError
        If the teacher's features are asked for by name and there are no profiles with targets.
    """
    chosen = _settings(settings)
    known = _known(mature, chosen)
    groups = list(chosen.features or _GROUPS)
    targets = [] if profiles is None else [str(name) for name in profiles["target"].values]
    if not any(group in _OF_THE_TEACHER for group in groups):
        targets = []
    elif not targets and chosen.features is not None:
        raise TgsageError(
            f"guidance calibrated: the features {', '.join(g for g in groups if g in _OF_THE_TEACHER)} need "
            "the profiles beside the ledger, with at least one target"
        )
    table = features(ledger, profiles, groups, targets)
    matching = _matching_rows(ledger, known)
    dropped = _dropped(table.iloc[matching])
    kept = [name for name in table.columns if name not in dropped]
    rows = matching[np.isfinite(table[kept].to_numpy()[matching]).all(axis=1)]
    about: dict[str, Any] = {
        "groups": groups, "targets": targets, "n": len(rows), "left_out": len(matching) - len(rows),
        "minimum": chosen.minimum, "dropped": dropped,
    }  # fmt: skip
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
    names = _feature_names(groups, targets)
    of_teacher = {name for group in _OF_THE_TEACHER for name in names.get(group, [])}
    own = [k for k, name in enumerate(kept) if name not in of_teacher]
    taught = [k for k, name in enumerate(kept) if name in of_teacher]
    fold = _folds(len(y), chosen.folds, seed_from("calibrated guidance", chosen.seed))

    def held_out(columns: list[int]) -> np.ndarray:
        return _out_of_fold(x[:, columns], y, fold, chosen.folds, chosen.seed)

    everything = held_out(list(range(len(kept))))
    with_teacher = _performance(y, everything)
    worth = None
    if taught:
        alone = held_out(taught)
        size = features(ledger, None, ["parameters"], []).iloc[rows, 0].to_numpy()
        worth = TeacherWorth(
            performance=_performance(y, alone), spearman_given_parameters=_partial(alone, y, size)
        )
    penalty = _penalty(x, y, fold)
    means, sds, weights, intercept = _ridge(x, y, penalty)
    z = (x - means) / sds
    inverse = np.linalg.inv(z.T @ z + penalty * np.eye(len(kept)))
    freedom = len(y) - 1 - float((inverse * (z.T @ z)).sum())
    residual = y - intercept - z @ weights
    sigma = math.sqrt(float(residual @ residual) / freedom) if freedom >= 1 else with_teacher.rmse
    return Fitted(
        **about,
        features=kept,
        means=means.tolist(),
        sds=sds.tolist(),
        weights=weights.tolist(),
        intercept=float(intercept),
        penalty=float(penalty),
        inverse=inverse.tolist(),
        residual_sd=sigma,
        with_teacher=with_teacher,
        without_teacher=_performance(y, held_out(own)) if own else None,
        teacher=worth,
    )


def _settings(settings: CalibratedGuidance | Mapping[str, Any] | None) -> CalibratedGuidance:
    if isinstance(settings, CalibratedGuidance):
        return settings
    values = {"name": "calibrated", **given(settings or {}, {})}
    if not values.get("mature") and not values.get("fitted"):
        values["mature"] = "handed over"
    return checked("guidance calibrated", CalibratedGuidance, values)


def _known(mature: Any, settings: CalibratedGuidance) -> pd.Series:
    if isinstance(mature, str | os.PathLike):
        return read_mature(mature, settings.column, percent=settings.percent)
    if isinstance(mature, pd.DataFrame):
        for name in ("architecture", "accuracy"):
            if name not in mature.columns:
                raise TgsageError(f"guidance calibrated: the mature accuracies have no column {name!r}")
        mature = mature.set_index("architecture")["accuracy"]
    known = mature.astype("float64").dropna()
    if ((known < 0) | (known > 1)).any():
        raise TgsageError("guidance calibrated: a mature accuracy is not a fraction in [0, 1]")
    return known.groupby(level=0, sort=True).mean()


def _matching_rows(ledger: pd.DataFrame, known: pd.Series) -> np.ndarray:
    """Positions of the ok rows of known accuracy, each architecture's first, in the order of their text."""
    table = ledger[["round", "slot", "architecture"]].reset_index(drop=True)
    table = table[is_ok(ledger) & ledger["architecture"].isin(known.index).to_numpy()]
    first = table.sort_values(["round", "slot"], kind="stable").drop_duplicates("architecture")
    return first.sort_values("architecture", kind="stable").index.to_numpy()


def _dropped(taken: pd.DataFrame) -> dict[str, str]:
    """Features that cannot be fitted, and why."""
    found = {}
    for name in taken.columns:
        values = taken[name].to_numpy()
        there = values[np.isfinite(values)]
        if len(values) - len(there) > MISSING * len(values):
            found[str(name)] = f"missing in {len(values) - len(there)} of {len(values)} candidates"
        elif len(there) and np.ptp(there) <= EQUAL * np.abs(there).max():
            found[str(name)] = "does not vary among the candidates"
    return found


def _folds(n: int, k: int, seed: int) -> np.ndarray:
    """The fold of every row: 0 to k - 1 in sizes that differ by at most one, at random."""
    fold = np.empty(n, dtype=int)
    fold[np.random.default_rng(seed).permutation(n)] = np.arange(n) % k
    return fold


def _standard(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means and population standard deviations; of a feature that does not vary here, 1."""
    deviation = x.std(axis=0)
    return x.mean(axis=0), np.where(np.ptp(x, axis=0) > 0, deviation, 1.0)


def _ridge(x: np.ndarray, y: np.ndarray, penalty: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Means, standard deviations, weights of the standardised features, intercept."""
    means, sds = _standard(x)
    z = (x - means) / sds
    intercept = float(y.mean())
    weights = np.linalg.solve(z.T @ z + penalty * np.eye(z.shape[1]), z.T @ (y - intercept))
    return means, sds, weights, intercept


def _penalty(x: np.ndarray, y: np.ndarray, fold: np.ndarray) -> float:
    """The penalty with the least squared error over all folds; of equal ones the largest."""
    penalties = len(y) * np.array(PENALTIES)
    errors = np.zeros(len(penalties))
    for left_out in np.unique(fold):
        test = fold == left_out
        means, sds = _standard(x[~test])
        u, s, vt = np.linalg.svd((x[~test] - means) / sds, full_matrices=False)
        centre = y[~test].mean()
        # All penalties at once: w = V s / (s^2 + lambda) U'y.
        weights = vt.T @ ((s / (s**2 + penalties[:, None])) * (u.T @ (y[~test] - centre))).T
        predicted = centre + ((x[test] - means) / sds) @ weights
        errors += ((y[test][:, None] - predicted) ** 2).sum(axis=0)
    return float(penalties[np.flatnonzero(errors == errors.min())[-1]])


def _out_of_fold(x: np.ndarray, y: np.ndarray, fold: np.ndarray, k: int, seed: int) -> np.ndarray:
    """Predict every row by a fit on the other folds, whose penalty was chosen within those."""
    predicted = np.empty(len(y))
    for left_out in np.unique(fold):
        test = fold == left_out
        own = _folds(int((~test).sum()), k, seed_from("calibrated guidance", seed, int(left_out)))
        penalty = _penalty(x[~test], y[~test], own)
        means, sds, weights, intercept = _ridge(x[~test], y[~test], penalty)
        predicted[test] = intercept + ((x[test] - means) / sds) @ weights
    return predicted


def _performance(y: np.ndarray, predicted: np.ndarray) -> Performance:
    squared = float(((y - predicted) ** 2).sum())
    total = float(((y - y.mean()) ** 2).sum())
    return Performance(
        n=len(y),
        rmse=math.sqrt(squared / len(y)),
        r2=1 - squared / total if total > 0 else None,
        spearman=_spearman(y, predicted),
    )


def _spearman(a: np.ndarray, b: np.ndarray) -> float | None:
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    return float(spearmanr(a, b).statistic)


def _partial(a: np.ndarray, b: np.ndarray, given: np.ndarray) -> float | None:
    """Partial rank correlation: that of the residuals of ranks after regression on the ranks of ``given``."""
    if not np.isfinite(given).all():
        return None
    ab, ag, bg = _spearman(a, b), _spearman(a, given), _spearman(b, given)
    if ab is None or ag is None or bg is None:
        return None
    left = (1 - ag**2) * (1 - bg**2)
    return float((ab - ag * bg) / math.sqrt(left)) if left > EQUAL else None


def scores_of(
    fitted: Fitted, ledger: pd.DataFrame, profiles: xr.Dataset | None, kappa: float = 0.0
) -> pd.Series:
    """Predicted mature accuracy minus ``kappa`` predictive standard deviations; P + TG if nothing is fitted.

    A note in ``attrs`` says if that was so, and how many ok candidates lack a feature and have no score.
    """
    if not fitted.is_fit:
        scores = paper_score(ledger, 1.0)
        scores.attrs["note"] = f"guidance calibrated: {fitted.note}"
        return scores
    found = fitted.predict(ledger, profiles)
    scores = of_ok(ledger, found["predicted"] - kappa * found["sd"])
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
    """Mature accuracy as predicted by weights of a file, or by weights learnt from the ledger itself."""
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
