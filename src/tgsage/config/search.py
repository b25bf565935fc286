"""Who proposes, who judges, and for how long."""

from __future__ import annotations

from .base import Field, Section
from .guidance import Guidance
from .samplers import SamplerSource, TpeSampler
from .spaces import SpaceSource
from .training import Recipe


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
