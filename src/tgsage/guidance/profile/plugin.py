"""Settings of the guidance by a reading of the profile."""

from typing import ClassVar, Literal, Self

from pydantic import model_validator

from ...plugins import Field, register
from ..settings import GuidanceSettings, Weight


@register
class ProfileGuidance(GuidanceSettings):
    """Z-scores of P and of a reading of the whole profile, layers by targets."""

    code: ClassVar[str] = "tgsage.guidance.profile.score:make"
    label: ClassVar[str] = "P and the profile of similarities over layers"

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

    @property
    def needs_profiles(self) -> bool:
        """Whether the scores are made from profiles."""
        return True

    @property
    def needs_untrained(self) -> bool:
        """Whether the reading is the gain by training."""
        return self.reading == "gain"

    @model_validator(mode="after")
    def _weights_where_they_are_read(self) -> Self:
        if (self.weights is not None) != (self.reading == "weights"):
            raise ValueError("weights: belong to reading 'weights', and it needs them")
        if self.weights is not None and not any(self.weights):
            raise ValueError("weights: are all zero")
        return self
