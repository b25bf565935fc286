"""Settings of the guidance by predicted mature accuracy."""

from typing import ClassVar, Literal, Self, get_args

from pydantic import field_validator, model_validator

from ...plugins import Field, register
from ..settings import GuidanceSettings, Weight

LedgerFeature = Literal["accuracy", "loss", "training_loss_sum", "parameters"]
TeacherFeature = Literal["first", "max", "mean", "last", "gain"]


@register
class CalibratedGuidance(GuidanceSettings):
    """Mature accuracy, predicted by ridge regression on the measurements of premature candidates."""

    code: ClassVar[str] = "tgsage.guidance.calibrated.fitting:make"
    label: ClassVar[str] = "the mature accuracy that a fitted regression predicts"
    needs_teacher: ClassVar[bool] = False

    name: Literal["calibrated"]
    """Selects this one."""
    mature: str | None = None
    """csv of known mature accuracies with a column ``architecture``; weights are learned again whenever a
    round is collected. Relative to the working folder."""
    column: str = "accuracy"
    """Column of ``mature`` that holds the accuracy."""
    percent: bool = False
    """Whether that column is in percent instead of fractions."""
    fitted: str | None = None
    """A file of weights that were learned before, instead of ``mature``."""
    features: list[LedgerFeature | TeacherFeature] | None = Field(default=None, min_length=1)
    """What is regressed on: accuracy, minus loss, minus training_loss_sum, log of parameters, and per target
    the similarity of the first, best and last layer, the mean over layers and the largest gain by training;
    null takes all that there are."""
    minimum: int = Field(default=20, ge=10)
    """Number of candidates with a known mature accuracy below which the score is P + TG, and says so."""
    folds: int = Field(default=5, ge=2, le=10)
    """Folds of the cross-validation that chooses the penalty, and of the one around it that judges."""
    seed: int = Field(default=0, ge=0)
    """Of the folds."""
    kappa: Weight = 0.0
    """Predictive standard deviations that are subtracted from the predicted accuracy."""

    @property
    def needs_profiles(self) -> bool:
        """Whether a feature is made from profiles."""
        return self.features is None or not set(self.features) <= set(get_args(LedgerFeature))

    @property
    def needs_untrained(self) -> bool:
        """Whether the gain by training is asked for by name."""
        return "gain" in (self.features or ())

    def files(self) -> list[str]:
        """Return the csv of accuracies or the file of weights."""
        return [file for file in (self.mature, self.fitted) if file]

    @field_validator("features")
    @classmethod
    def _each_once(cls, features: list[str] | None) -> list[str] | None:
        if features is not None and len(set(features)) < len(features):
            raise ValueError("names a feature twice")
        return features

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.mature is None) == (self.fitted is None):
            raise ValueError(
                "name either mature (a csv of accuracies to learn from) or fitted (learned weights)"
            )
        return self
