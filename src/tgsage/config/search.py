"""Who proposes, who judges, and for how long."""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import field_validator

from ..guidance.paper.plugin import PPlusTg
from ..guidance.settings import GuidanceSource
from ..plugins import Field, Section
from ..samplers.settings import SamplerSource
from ..samplers.tpe.plugin import TpeSettings
from ..spaces.settings import SpaceSource
from ..training.settings import Recipe


class Arm(Section):
    """Teacher x guidance x sampler."""

    teacher: str | None
    """Name of a teacher; null searches by accuracy alone."""
    guidance: GuidanceSource = PPlusTg(name="p_plus_tg")
    """What turns measurements into a score."""
    sampler: SamplerSource = TpeSettings(name="tpe")
    """Who proposes."""
    observe: str | None = None
    """A teacher whose similarity is measured and told, and does not steer. Beside a ``teacher`` it is a
    second one, e.g. the recordings beside their shuffled control."""


class Mature(Section):
    """What differs from the search where networks are trained to maturity."""

    space: dict[str, Any] = {}
    """Settings of the space that differ from the search's, such as ``{width: 32, repeats: 4}``, or
    ``{drop_reductions: 0}`` for reductions that were left out while searching; none that change the
    choices."""
    transform: Literal["separable"] | None = None
    """Change every architecture first: ``separable`` puts a 7x7 separable convolution in the place of each
    1x7-7x1 pair (space ``cell``)."""


class Finalists(Mature):
    """The best candidates of a search, trained to maturity."""

    top: int = Field(default=3, ge=1)
    """How many."""
    recipe: Recipe = Recipe()
    """How they are trained."""


class Final(Mature):
    """The best finalist, trained in full and tested."""

    recipe: Recipe = Recipe(images="train+validation")
    """How it is trained."""


class Halving(Section):
    """Successive halving within a round (Jamieson and Talwalkar 2016), over checkpoints of one schedule."""

    shares: list[float] = Field(min_length=1)
    """Shares of the premature recipe after which a round's candidates are judged, ascending, between 0 and 1;
    those that are kept go on with their own training."""
    keep: float = Field(default=0.5, gt=0, lt=1)
    """Share of the candidates that goes on from each rung, rounded up."""

    @field_validator("shares")
    @classmethod
    def _ascending(cls, shares: list[float]) -> list[float]:
        if any(not 0 < share < 1 for share in shares) or sorted(set(shares)) != shares:
            raise ValueError("must be ascending shares between 0 and 1, none twice")
        return shares


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
    halving: Halving | None = None
    """Judge a round's candidates earlier and let the better ones go on; null trains all of them alike."""
    finalists: Finalists = Finalists()
    """The best candidates, retrained."""
    final: Final = Final()
    """The winner, trained in full."""

    @property
    def rungs(self) -> list[tuple[float, int]]:
        """Share of the premature recipe and number of candidates of every rung; one without halving."""
        if self.halving is None:
            return [(1.0, self.candidates_per_round)]
        rungs = []
        number = self.candidates_per_round
        for share in (*self.halving.shares, 1.0):
            rungs.append((share, number))
            # Rounded first: 0.1 * 30 is a little more than 3.
            number = max(1, math.ceil(round(number * self.halving.keep, 9)))
        return rungs
