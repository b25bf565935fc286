"""Who proposes, who judges, and for how long."""

from __future__ import annotations

from typing import Annotated, Literal

from .base import Field, Section
from .spaces import CellSpace
from .training import Recipe


class Guidance(Section):
    """What turns a candidate's measurements into its score."""

    name: Literal["p_plus_tg", "p_only", "tg_only"] = "p_plus_tg"
    alpha: float = Field(default=1.0, ge=0)
    """Weight of teacher guidance in P + alpha * TG (Bashivan et al. 2019 use 1)."""


class RandomSampler(Section):
    """Uniform draws without repetition."""

    name: Literal["random"]


class TpeSampler(Section):
    """Optuna's tree-structured Parzen estimator."""

    name: Literal["tpe"]
    startup: int = Field(default=6, ge=1)
    """Candidates drawn at random before the estimator takes over."""


SamplerSource = Annotated[RandomSampler | TpeSampler, Field(discriminator="name")]


class Arm(Section):
    """Teacher x guidance x sampler."""

    teacher: str | None
    """Name of a teacher; null searches by accuracy alone."""
    guidance: Guidance = Guidance()
    sampler: SamplerSource = TpeSampler(name="tpe")
    observe: str | None = None
    """A teacher whose similarity is measured and told, and does not steer."""


class Finalists(Section):
    """The best candidates of a search, trained to maturity."""

    top: int = Field(default=3, ge=1)
    recipe: Recipe = Recipe()


class Final(Section):
    """The best finalist, trained in full and tested."""

    recipe: Recipe = Recipe(images="train+validation")


class Search(Section):
    """The search proper."""

    space: CellSpace
    rounds: int = Field(ge=1)
    """At most 100 (Snakemake's graph); ask for more candidates per round instead."""
    candidates_per_round: int = Field(ge=1)
    candidates_per_job: int = Field(default=1, ge=1)
    """Candidates packed into one job, each in a process of its own."""
    lag: int = Field(default=0, ge=0)
    """Proposals of round r read the ledger of rounds before r - lag."""
    seeds: list[int] = [0]
    arms: dict[str, Arm]
    premature: Recipe = Recipe()
    """The short training after which a candidate is judged."""
    finalists: Finalists = Finalists()
    final: Final = Final()
