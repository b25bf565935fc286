"""Who proposes the next architectures."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import create_model

from .base import Field, Section
from .user_class import UserFile, class_field


class SamplerSettings(Section):
    """What every sampler has: constraints that cost no training."""

    max_parameters: int | None = Field(default=None, ge=1)
    """Propose no network with more trainable parameters; null does not limit."""
    max_flops: int | None = Field(default=None, ge=1)
    """Propose no network whose forward pass of one image takes more FLOPs (2 x multiply-adds)."""
    constraint_resolution: int = Field(default=32, ge=1)
    """Side of the images, in pixels, for which ``max_flops`` is counted."""
    constraint_classes: int = Field(default=10, ge=1)
    """Classes of the networks whose parameters and FLOPs are counted."""


class RandomSampler(SamplerSettings):
    """Uniform draws without repetition."""

    name: Literal["random"]
    """Selects this one."""


class TpeSampler(SamplerSettings):
    """Optuna's tree-structured Parzen estimator."""

    name: Literal["tpe"]
    """Selects this one."""
    startup: int = Field(default=6, ge=1)
    """Candidates drawn at random before the estimator takes over."""


class EvolutionSampler(SamplerSettings):
    """Regularised evolution (Real et al. 2019)."""

    name: Literal["evolution"]
    """Selects this one."""
    population: int = Field(default=20, ge=2)
    """The youngest candidates, of which parents are drawn; Real et al. use 100 in far longer searches."""
    tournament: int = Field(default=5, ge=1)
    """Of how many drawn candidates the best becomes a parent."""


class ReinforceSampler(SamplerSettings):
    """REINFORCE with an LSTM controller (Zoph and Le 2017). On-policy: it may repeat a proposal."""

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


class Nsga2Sampler(SamplerSettings):
    """Optuna's NSGA-II: score and size at once."""

    name: Literal["nsga2"]
    """Selects this one."""
    population: int = Field(default=20, ge=2)
    """Candidates with a score that make a generation."""
    minimize: Literal["parameters", "flops"] = "parameters"
    """The second objective."""


class _PythonSampler(SamplerSettings, UserFile):
    name: Literal["python"]
    """Selects this one."""


PythonSampler = create_model(
    "PythonSampler",
    __base__=_PythonSampler,
    __doc__="A sampler of the user's own: a class in a Python file (docs/extending.md).",
    __module__=__name__,
    **class_field(),
)

SamplerSource = Annotated[
    RandomSampler | TpeSampler | EvolutionSampler | ReinforceSampler | Nsga2Sampler | PythonSampler,
    Field(discriminator="name"),
]
