"""Who proposes, who judges, and for how long."""

from __future__ import annotations

from typing import Annotated, Literal

from .base import Field, Section
from .spaces import SpaceSource
from .training import Recipe


class Guidance(Section):
    """What turns a candidate's measurements into its score."""

    name: Literal["p_plus_tg", "p_only", "tg_only"] = "p_plus_tg"
    """Selects this one."""
    alpha: float = Field(default=1.0, ge=0)
    """Weight of teacher guidance in P + alpha * TG (Bashivan et al. 2019 use 1)."""


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


SamplerSource = Annotated[
    RandomSampler | TpeSampler | EvolutionSampler | ReinforceSampler | Nsga2Sampler,
    Field(discriminator="name"),
]


class Arm(Section):
    """Teacher x guidance x sampler."""

    teacher: str | None
    """Name of a teacher; null searches by accuracy alone."""
    guidance: Guidance = Guidance()
    """What turns measurements into a score."""
    sampler: SamplerSource = TpeSampler(name="tpe")
    """Who proposes."""
    observe: str | None = None
    """A teacher whose similarity is measured and told, and does not steer."""


class Finalists(Section):
    """The best candidates of a search, trained to maturity."""

    top: int = Field(default=3, ge=1)
    """How many."""
    recipe: Recipe = Recipe()
    """How they are trained."""


class Final(Section):
    """The best finalist, trained in full and tested."""

    recipe: Recipe = Recipe(images="train+validation")
    """How they are trained."""


class Search(Section):
    """The search proper."""

    space: SpaceSource
    """Which architectures may be proposed."""
    rounds: int = Field(ge=1)
    """At most 100 (Snakemake's graph); ask for more candidates per round instead."""
    candidates_per_round: int = Field(ge=1)
    """Slots of a round; they train and are scored side by side."""
    candidates_per_job: int = Field(default=1, ge=1)
    """Candidates packed into one job, each in a process of its own."""
    lag: int = Field(default=0, ge=0)
    """Proposals of round r read the ledger of rounds before r - lag."""
    seeds: list[int] = [0]
    """Search seeds; every arm is repeated with each."""
    arms: dict[str, Arm]
    """Searches by name: teacher, guidance and sampler."""
    premature: Recipe = Recipe()
    """The short training after which a candidate is judged."""
    finalists: Finalists = Finalists()
    """The best candidates, retrained."""
    final: Final = Final()
    """The winner, trained in full."""
