"""Settings of regularised evolution."""

from typing import ClassVar, Literal

from ...plugins import Field, register
from ..settings import SamplerSettings


@register
class EvolutionSettings(SamplerSettings):
    """Regularised evolution (Real et al. 2019)."""

    code: ClassVar[str] = "tgsage.samplers.evolution.sampler:EvolutionSampler"
    label: ClassVar[str] = "regularised evolution"

    name: Literal["evolution"]
    """Selects this one."""
    population: int = Field(default=20, ge=2)
    """The number of youngest candidates from which parents are drawn; Real et al. use 100 in far longer
    searches."""
    tournament: int = Field(default=5, ge=1)
    """The number of candidates that are drawn, the best of which becomes the parent."""
