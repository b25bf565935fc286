"""A fitted guidance: its features, the format of its file, and its predictions."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
import xarray as xr
from pydantic import model_validator

from ...errors import TgsageError, nearest
from ...plugins import Field, Section, checked
from ...store import write_json
from .. import layer_pooling
from ..base import Array, column, is_ok, of_ok
from ..paper.score import score

# Name of the setting to name of the feature and how it is made from the ledger's column. More is better.
_OF_THE_LEDGER: dict[str, tuple[str, Callable[[Array], Any]]] = {
    "accuracy": ("accuracy", np.asarray),
    "loss": ("negative_loss", np.negative),
    "training_loss_sum": ("negative_training_loss_sum", np.negative),
    "parameters": ("log_parameters", np.log),
}
# How features are made from the similarities of trained and of untrained networks.
OF_THE_TEACHER: dict[str, Callable[[Array, Array], Array]] = {
    "first": lambda rsa, untrained: layer_pooling.first(rsa),  # noqa: ARG005
    "max": lambda rsa, untrained: layer_pooling.largest(rsa),  # noqa: ARG005
    "mean": lambda rsa, untrained: layer_pooling.mean(rsa),  # noqa: ARG005
    "last": lambda rsa, untrained: layer_pooling.last(rsa),  # noqa: ARG005
    "gain": lambda rsa, untrained: layer_pooling.largest(rsa - untrained),
}
GROUPS = (*_OF_THE_LEDGER, *OF_THE_TEACHER)


def feature_names(groups: Sequence[str], targets: Sequence[str]) -> dict[str, list[str]]:
    """Return the names of the features of each group."""
    return {
        group: [_OF_THE_LEDGER[group][0]] if group in _OF_THE_LEDGER else [f"{group}_{t}" for t in targets]
        for group in groups
        if group in GROUPS
    }


def feature_table(
    ledger: pd.DataFrame, profiles: xr.Dataset | None, groups: Sequence[str], targets: Sequence[str]
) -> pd.DataFrame:
    """Return every feature of every row, NaN if it is missing.

    ``groups`` are as in the setting ``features``. Those of the teacher make a feature ``<group>_<target>`` of
    each of the ``targets``.
    """
    columns: dict[str, Array] = {}
    similarities: tuple[Array, Array] | None = None
    for group in groups:
        if group in _OF_THE_LEDGER:
            name, change = _OF_THE_LEDGER[group]
            raw = column(ledger, group).to_numpy()
            columns[name] = change(np.where(raw > 0, raw, np.nan) if group == "parameters" else raw)
        elif profiles is not None and targets:
            if similarities is None:
                chosen = profiles.sel(target=list(targets)).transpose("row", "target", "layer")
                similarities = chosen["rsa"].values, chosen["untrained"].values
            pooled = OF_THE_TEACHER[group](*similarities)
            columns |= {f"{group}_{target}": pooled[:, k] for k, target in enumerate(targets)}
    table = pd.DataFrame(columns, index=ledger.index, dtype="float64")
    return table.where(np.isfinite(table))


class Performance(Section):
    """How well a regression predicts rows that it was not fitted to."""

    n: int = Field(ge=1)
    """Number of rows."""
    rmse: float = Field(ge=0, allow_inf_nan=False)
    """Root of the mean squared error of the predictions; a fraction, as the accuracies are."""
    r2: float | None
    """1 - squared error / squared deviation from the mean; below 0 if the mean predicts better. None if all
    accuracies are equal."""
    spearman: float | None
    """Rank correlation of predicted and known accuracy; None if either is constant."""


class TeacherWorth(Section):
    """What the teacher's features predict alone."""

    performance: Performance
    """That of the regression on the teacher's features only."""
    spearman_given_parameters: float | None
    """Partial rank correlation of its predictions with known accuracy, given the number of parameters."""


class Fitted(Section):
    """Learned weights: what :func:`fit` returns and a small JSON file holds."""

    format: Literal["tgsage calibrated guidance 1"] = "tgsage calibrated guidance 1"
    """What kind of file this is."""
    groups: list[str]
    """The requested features, as in the settings."""
    targets: list[str]
    """The teacher's targets; empty if no feature depends on the teacher."""
    n: int = Field(ge=0)
    """Number of fitted architectures: those with a known mature accuracy and every feature."""
    left_out: int = Field(default=0, ge=0)
    """Number of architectures with a known mature accuracy that lack a feature."""
    minimum: int = Field(ge=1)
    """Nothing is fitted to fewer architectures."""
    note: str = ""
    """Why nothing is fitted, if so; the score is P + TG then."""
    dropped: dict[str, str] = Field(default={})
    """Names of the features that are not part of the fit, and why."""
    examples: list[float] = Field(default=[])
    """Least and largest number of examples that the fitted candidates were trained on."""
    features: list[str] = Field(default=[])
    """Names of the fitted features, in the order of the following fields."""
    means: list[float] = Field(default=[])
    """Mean of each feature over the fitted rows."""
    sds: list[float] = Field(default=[])
    """Population standard deviation of each feature over the fitted rows."""
    weights: list[float] = Field(default=[])
    """Weights of the standardised features."""
    intercept: float = 0.0
    """Mean of the known accuracies."""
    penalty: float | None = None
    """Lambda; None if nothing is fitted."""
    inverse: list[list[float]] = Field(default=[])
    """(X^T X + lambda I)^-1, for the predictive standard deviation."""
    residual_sd: float = Field(default=0.0, ge=0)
    """Sigma."""
    with_teacher: Performance | None = None
    """Cross-validated performance of this fit."""
    without_teacher: Performance | None = None
    """Performance on the same rows and folds without the teacher's features; None if no others are left."""
    teacher: TeacherWorth | None = None
    """Performance with the teacher's features alone; None if there are none."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
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
            if group not in GROUPS:
                raise ValueError(f"groups: unknown feature {group!r}{nearest(group, GROUPS)}")
        known = {name for names in feature_names(self.groups, self.targets).values() for name in names}
        for name in (*self.features, *self.dropped):
            if name not in known:
                raise ValueError(f"features: {name!r} is none of those that groups and targets make")
        return self

    @property
    def is_fit(self) -> bool:
        """Whether there are weights; otherwise the score is P + TG."""
        return self.penalty is not None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fit as JSON."""
        write_json(path, self.plain())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Fitted:
        """Read what :meth:`save` wrote.

        Raises
        ------
        TgsageError
            If there is no such file, or its content is not a fit.
        """
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise TgsageError(f"{path}: no such file; make one with tgsage fit-guidance") from None
        except (OSError, ValueError) as error:
            raise TgsageError(f"{path}: cannot be read as JSON: {error}") from None
        form = cls.model_fields["format"].default
        if not isinstance(content, dict) or content.get("format") != form:
            raise TgsageError(f"{path}: is no fitted guidance (format {form!r}); fit one anew")
        return checked(f"{path}", cls, content)

    def predict(self, ledger: pd.DataFrame, profiles: xr.Dataset | None = None) -> pd.DataFrame:
        """Predict the mature accuracy of candidates.

        Parameters
        ----------
        ledger, profiles
            As for :func:`tgsage.guidance.get`.

        Returns
        -------
        pandas.DataFrame
            On the ledger's index: ``predicted``, the mature accuracy as a fraction (not clipped), and ``sd``,
            its predictive standard deviation. NaN if the row is not ok or lacks a feature.

        Raises
        ------
        TgsageError
            If nothing is fitted, the profiles have other targets, or no candidate has some feature.
        """
        if not self.is_fit:
            raise TgsageError(f"guidance calibrated: nothing is fitted: {self.note}")
        table = feature_table(ledger, profiles, self.groups, self._wanted_targets(profiles))
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
        return pd.DataFrame(
            {"predicted": np.where(usable, predicted, np.nan), "sd": np.where(usable, sd, np.nan)},
            index=ledger.index,
        )

    def scores(
        self, ledger: pd.DataFrame, profiles: xr.Dataset | None = None, kappa: float = 0.0
    ) -> pd.Series:
        """Return predicted mature accuracy minus ``kappa`` predictive standard deviations.

        If nothing is fitted, the scores are P + TG. A note in ``attrs`` says so, and how many ok candidates
        have no score because they lack a feature.
        """
        if not self.is_fit:
            scores = score(ledger)
            scores.attrs["note"] = f"guidance calibrated: {self.note}"
            return scores
        table = self.predict(ledger, profiles)
        scores = of_ok(ledger, table["predicted"] - kappa * table["sd"])
        notes = []
        lacking = int((is_ok(ledger) & scores.isna().to_numpy()).sum())
        if lacking:
            notes.append(f"{lacking} ok candidates lack a feature of the fit and have no score")
        if self.examples and "examples" in ledger.columns:
            examples = ledger.loc[is_ok(ledger), "examples"].dropna()
            outside = int(((examples < self.examples[0]) | (examples > self.examples[1])).sum())
            if outside:
                notes.append(
                    f"{outside} candidates were trained on fewer or more examples than those that were "
                    f"fitted ({self.examples[0]:.0f} to {self.examples[1]:.0f})"
                )
        if notes:
            scores.attrs["note"] = "guidance calibrated: " + "; ".join(notes)
        return scores

    def _wanted_targets(self, profiles: xr.Dataset | None) -> list[str]:
        """Return the targets of the fit, if the profiles have the same in any order."""
        if not self.targets:
            return []
        measured = [] if profiles is None else [str(name) for name in profiles["target"].values]
        if set(measured) != set(self.targets):
            raise TgsageError(
                f"guidance calibrated: was fitted for the targets {', '.join(self.targets)}, and these "
                f"candidates were compared with {', '.join(measured) or 'none'}; fit anew"
            )
        return self.targets
