"""What turns the measurements of candidates into scores."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal

from pydantic import field_validator, model_validator

from ..plugin_bases import GuidanceSettings
from ..plugins import Choice, register
from ..settings import Field

Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]

Feature = Literal[
    "accuracy", "loss", "training_loss_sum", "parameters", "first", "max", "mean", "last", "gain"
]


@register
class PPlusTg(GuidanceSettings):
    """P + alpha * TG, the paper's score."""

    code: ClassVar[str] = "tgsage.guidance.paper"

    name: Literal["p_plus_tg"]
    """Selects this one."""
    alpha: Weight = 1.0
    """Weight of teacher guidance in P + alpha * TG (Bashivan et al. 2019 use 1)."""
    schedule: dict[float, Weight] | None = Field(default=None, min_length=1)
    """Takes the place of ``alpha``: examples trained on to alpha, linear in between and constant outside,
    e.g. ``{0: 2.0, 125000: 1.0}``."""
    match_variance: bool = False
    """Give TG the mean and standard deviation, over the candidates so far, of the TG of the teacher that the
    arm observes: for the shuffled control, so that alpha means the same as in the arm it controls."""

    @field_validator("schedule")
    @classmethod
    def _amounts(cls, schedule: dict[float, float] | None) -> dict[float, float] | None:
        for amount in schedule or {}:
            if not math.isfinite(amount) or amount < 0:
                raise ValueError(f"{amount:g} is no number of examples")
        return schedule

    @model_validator(mode="after")
    def _one_alpha(self) -> PPlusTg:
        if self.schedule is not None and self.alpha != 1.0:
            raise ValueError(
                f"alpha: {self.alpha:g} stands beside a schedule, which takes its place; remove one"
            )
        return self


@register
class POnly(GuidanceSettings):
    """P alone: validation accuracy."""

    code: ClassVar[str] = "tgsage.guidance.paper"

    name: Literal["p_only"]
    """Selects this one."""
    alpha: Weight = 1.0
    """Not used; may stand here, so that an arm is changed by its name alone."""


@register
class TgOnly(GuidanceSettings):
    """TG alone: similarity with the teacher."""

    code: ClassVar[str] = "tgsage.guidance.paper"

    name: Literal["tg_only"]
    """Selects this one."""
    alpha: Weight = 1.0
    """Not used, for it would not change the order; may stand here as in ``p_only``."""


@register
class RankGuidance(GuidanceSettings):
    """Ranks of P and TG, summed."""

    code: ClassVar[str] = "tgsage.guidance.rank"

    name: Literal["rank"]
    """Selects this one."""
    alpha: Weight = 1.0
    """Weight of the rank of TG."""


@register
class CeiledGuidance(GuidanceSettings):
    """P + alpha * TG, each target's similarity divided by its noise ceiling."""

    code: ClassVar[str] = "tgsage.guidance.ceiled"

    name: Literal["ceiled"]
    """Selects this one."""
    alpha: Weight = 1.0
    """Weight of the ceiled teacher guidance."""
    ceiling: Literal["upper", "lower"] = "upper"
    """``upper``: what the noiseless RDM would score at most; ``lower``: what a second recording would."""
    without_ceiling: Literal["error", "raw"] = "error"
    """What becomes of a target of which only an RDM is published: an error, or its raw similarity."""


@register
class ProfileGuidance(GuidanceSettings):
    """Z-scores of P and of a reading of the whole profile, layers by targets."""

    code: ClassVar[str] = "tgsage.guidance.profile"

    name: Literal["profile"]
    """Selects this one."""
    alpha: Weight = 1.0
    """Weight of the reading."""
    reading: Literal["max", "first", "mean", "gain", "weights"] = "first"
    """Similarity of the best layer (the paper's), of the first searched cell or layer, the mean over layers,
    what training added, or a weighted mean over layers."""
    over: Literal["max", "mean"] = "max"
    """For ``gain``: the largest or the mean gain over layers."""
    weights: list[Weight] | None = Field(default=None, min_length=1)
    """For ``weights``: at equal steps of relative depth, from the first layer to the last; interpolated onto
    a candidate's own number of layers."""
    zscore: bool = True
    """Z-score both over the candidates so far; false adds the raw values."""

    @model_validator(mode="after")
    def _weights_where_they_are_read(self) -> ProfileGuidance:
        if (self.weights is not None) != (self.reading == "weights"):
            raise ValueError("weights: belong to reading 'weights', and it needs them")
        if self.weights is not None and not any(self.weights):
            raise ValueError("weights: are all zero")
        return self


@register
class CalibratedGuidance(GuidanceSettings):
    """Mature accuracy, predicted by ridge regression on what was measured of premature candidates."""

    code: ClassVar[str] = "tgsage.guidance.calibrated"

    name: Literal["calibrated"]
    """Selects this one."""
    mature: str | None = None
    """csv of known mature accuracies with a column ``architecture``; weights are learnt anew whenever a round
    is collected. Relative to the working folder."""
    column: str = "accuracy"
    """Column of ``mature`` that holds the accuracy."""
    percent: bool = False
    """Whether that column is in percent instead of fractions."""
    fitted: str | None = None
    """A file of weights that were learnt before, instead of ``mature``."""
    features: list[Feature] | None = Field(default=None, min_length=1)
    """What is regressed on: accuracy, minus loss, minus training_loss_sum, log of parameters, and per target
    the similarity of the first, best and last layer, the mean over layers and the largest gain by training;
    null takes all that there are."""
    minimum: int = Field(default=20, ge=10)
    """Candidates of known mature accuracy below which the score is P + TG, and says so."""
    folds: int = Field(default=5, ge=2, le=10)
    """Folds of the cross-validation that chooses the penalty, and of the one around it that judges."""
    seed: int = Field(default=0, ge=0)
    """Of the folds."""
    kappa: Weight = 0.0
    """Predictive standard deviations that are subtracted from the predicted accuracy."""

    @field_validator("features")
    @classmethod
    def _each_once(cls, features: list[str] | None) -> list[str] | None:
        if features is not None and len(set(features)) < len(features):
            raise ValueError("names a feature twice")
        return features

    @model_validator(mode="after")
    def _one_origin(self) -> CalibratedGuidance:
        if (self.mature is None) == (self.fitted is None):
            raise ValueError(
                "name either mature (a csv of accuracies to learn from) or fitted (learnt weights)"
            )
        return self


GuidanceSource = Annotated[GuidanceSettings, Choice("guidance")]
