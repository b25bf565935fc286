"""Settings of the guidance with similarities as shares of their noise ceilings."""

from typing import ClassVar, Literal

from ...plugins import register
from ..settings import GuidanceSettings, Weight


@register
class CeiledGuidance(GuidanceSettings):
    """P + alpha * TG, where the similarity with each target is divided by its noise ceiling."""

    code: ClassVar[str] = "tgsage.guidance.ceiled.score:make"
    label: ClassVar[str] = "P + TG over its noise ceiling"

    name: Literal["ceiled"]
    """Selects this one."""
    alpha: Weight = 1.0
    """Weight of the ceiled teacher guidance."""
    ceiling: Literal["upper", "lower"] = "upper"
    """``upper``: what the noiseless RDM would score at most; ``lower``: what a second recording would."""
    without_ceiling: Literal["error", "raw"] = "error"
    """What becomes of a target of which only an RDM is published: an error, or its raw similarity."""

    @property
    def needs_profiles(self) -> bool:
        """Whether the scores are made from profiles: they hold the ceilings."""
        return True
