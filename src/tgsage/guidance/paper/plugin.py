"""Settings of the paper's score and of its two extremes."""

import math
from typing import ClassVar, Literal, Self

from pydantic import field_validator, model_validator

from ...plugins import Field, register
from ..settings import GuidanceSettings, Weight


@register
class PPlusTg(GuidanceSettings):
    """P + alpha * TG, the paper's score."""

    code: ClassVar[str] = "tgsage.guidance.paper.score:make_p_plus_tg"

    name: Literal["p_plus_tg"]
    """Selects this one."""
    alpha: Weight = 1.0
    """Weight of teacher guidance in P + alpha * TG (Bashivan et al. 2019 use 1)."""
    schedule: dict[float, Weight] | None = Field(default=None, min_length=1)
    """Replaces ``alpha``: number of training examples to alpha, linear in between and constant outside, e.g.
    ``{0: 2.0, 125000: 1.0}``."""
    match_variance: bool = False
    """Give TG the mean and standard deviation, over the candidates so far, of the TG of the teacher that the
    arm observes: for the shuffled control, so that alpha means the same as in the arm it controls."""

    def check(self, arm: str, *, teacher: str | None, observe: str | None, keeps_untrained: bool) -> None:
        """Raise a ValueError if the arm lacks a teacher, or the one whose variance is to be matched."""
        super().check(arm, teacher=teacher, observe=observe, keeps_untrained=keeps_untrained)
        if self.match_variance and observe is None:
            raise ValueError(
                f"search.arms.{arm}: guidance.match_variance needs the teacher whose TG is to be matched; "
                "name it under observe"
            )

    def in_words(self) -> str:
        """Return the formula."""
        if self.schedule is not None:
            return "P + α·TG, α by the amount of training"
        return "P + TG" if self.alpha == 1 else f"P + {self.alpha:g}·TG"

    @field_validator("schedule")
    @classmethod
    def _amounts(cls, schedule: dict[float, float] | None) -> dict[float, float] | None:
        for amount in schedule or {}:
            if not math.isfinite(amount) or amount < 0:
                raise ValueError(f"{amount:g} is no number of examples")
        return schedule

    @model_validator(mode="after")
    def _one_alpha(self) -> Self:
        if self.schedule is not None and self.alpha != 1.0:
            raise ValueError(f"alpha: {self.alpha:g} stands beside a schedule, which replaces it; remove one")
        return self


@register
class POnly(GuidanceSettings):
    """P alone: validation accuracy."""

    code: ClassVar[str] = "tgsage.guidance.paper.score:make_p_only"
    label: ClassVar[str] = "P alone"
    needs_teacher: ClassVar[bool] = False

    name: Literal["p_only"]
    """Selects this one."""


@register
class TgOnly(GuidanceSettings):
    """TG alone: similarity with the teacher."""

    code: ClassVar[str] = "tgsage.guidance.paper.score:make_tg_only"
    label: ClassVar[str] = "TG alone"

    name: Literal["tg_only"]
    """Selects this one."""
