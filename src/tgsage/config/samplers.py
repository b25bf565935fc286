"""Who proposes the next architectures."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import create_model

from ..plugin_bases import SamplerSettings
from ..plugins import Choice, register
from ..settings import Field
from .user_class import UserFile, class_field


@register
class RandomSampler(SamplerSettings):
    """Uniform draws without repetition."""

    code: ClassVar[str] = "tgsage.samplers.random:RandomSampler"

    name: Literal["random"]
    """Selects this one."""


@register
class TpeSampler(SamplerSettings):
    """Optuna's tree-structured Parzen estimator."""

    code: ClassVar[str] = "tgsage.samplers.tpe:TpeSampler"

    name: Literal["tpe"]
    """Selects this one."""
    startup: int = Field(default=6, ge=1)
    """Candidates drawn at random before the estimator takes over."""


@register
class EvolutionSampler(SamplerSettings):
    """Regularised evolution (Real et al. 2019)."""

    code: ClassVar[str] = "tgsage.samplers.evolution:EvolutionSampler"

    name: Literal["evolution"]
    """Selects this one."""
    population: int = Field(default=20, ge=2)
    """The youngest candidates, of which parents are drawn; Real et al. use 100 in far longer searches."""
    tournament: int = Field(default=5, ge=1)
    """Of how many drawn candidates the best becomes a parent."""


@register
class ReinforceSampler(SamplerSettings):
    """REINFORCE with an LSTM controller (Zoph and Le 2017). On-policy: it may repeat a proposal."""

    code: ClassVar[str] = "tgsage.samplers.reinforce:ReinforceSampler"

    name: Literal["reinforce"]
    """Selects this one."""
    hidden: int = Field(default=35, ge=1)
    """Width of the LSTM."""
    learning_rate: float = Field(default=0.04, gt=0)
    """Of Adam, one step a round. Zoph and Le use 0.0006 in searches of 12,800 networks."""
    baseline_decay: float = Field(default=0.8, ge=0, lt=1)
    """Decay per round of the moving average that is subtracted from the score."""
    entropy: float = Field(default=0.001, ge=0)
    """Weight of the mean entropy of the choices, which keeps the policy from settling early."""


@register
class Nsga2Sampler(SamplerSettings):
    """Optuna's NSGA-II: score and size at once."""

    code: ClassVar[str] = "tgsage.samplers.nsga2:Nsga2Sampler"

    name: Literal["nsga2"]
    """Selects this one."""
    population: int = Field(default=20, ge=2)
    """Candidates with a score that make a generation."""
    minimize: Literal["parameters", "flops"] = "parameters"
    """The second objective."""


class _PythonSampler(SamplerSettings, UserFile):
    code: ClassVar[str] = "tgsage.spaces.user_class"
    name: Literal["python"]
    """Selects this one."""


PythonSampler = create_model(
    "PythonSampler",
    __base__=_PythonSampler,
    __doc__="A sampler of the user's own: a class in a Python file (docs/extending.md).",
    __module__=__name__,
    **class_field(),
)
register(PythonSampler)

SamplerSource = Annotated[SamplerSettings, Choice("sampler")]
