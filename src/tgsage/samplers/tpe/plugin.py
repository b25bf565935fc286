"""Settings of the tree-structured Parzen estimator."""

from typing import ClassVar, Literal

from ...plugins import Field, register
from ..settings import SamplerSettings


@register
class TpeSettings(SamplerSettings):
    """Optuna's tree-structured Parzen estimator."""

    code: ClassVar[str] = "tgsage.samplers.tpe.sampler:TpeSampler"
    label: ClassVar[str] = "TPE"

    name: Literal["tpe"]
    """Selects this one."""
    startup: int = Field(default=6, ge=1)
    """Candidates drawn at random before the estimator takes over."""
    history: int = Field(default=1000, ge=250)
    """Candidates that the estimator learns from: the 25 best, and the most recent of the others. A proposal
    takes time in proportion to it; a search that is no longer is not changed by it."""
