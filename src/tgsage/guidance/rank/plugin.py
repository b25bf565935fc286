"""Settings of the guidance by ranks."""

from typing import ClassVar, Literal

from ...plugins import register
from ..settings import GuidanceSettings, Weight


@register
class RankGuidance(GuidanceSettings):
    """The weighted sum of the ranks of P and TG."""

    code: ClassVar[str] = "tgsage.guidance.rank.score:make"
    label: ClassVar[str] = "the sum of the ranks of P and TG"

    name: Literal["rank"]
    """Selects this one."""
    alpha: Weight = 1.0
    """Weight of the rank of TG."""
