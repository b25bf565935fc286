"""Settings of NSGA-II."""

from typing import ClassVar, Literal

from ...plugins import Field, register
from ..settings import SamplerSettings


@register
class Nsga2Settings(SamplerSettings):
    """Optuna's NSGA-II: score and size at once."""

    code: ClassVar[str] = "tgsage.samplers.nsga2.sampler:Nsga2Sampler"
    label: ClassVar[str] = "NSGA-II"

    name: Literal["nsga2"]
    """Selects this one."""
    population: int = Field(default=20, ge=2)
    """Number of candidates with a score that make a generation."""
    minimize: Literal["parameters", "flops"] = "parameters"
    """The second objective."""
