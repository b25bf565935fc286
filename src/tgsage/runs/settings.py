"""Settings of a search, in the groups that its stages are given.

A stage gets only the group that it reads, so that a change runs again what depends on it and nothing else.
"""

from __future__ import annotations

from typing import Annotated, Literal

from ..guidance.settings import GuidanceSettings
from ..plugins import Choice, Field, Section
from ..samplers.settings import SamplerSettings
from ..spaces.settings import SpaceSettings
from ..training.settings import Recipe

__all__ = [
    "GuidanceSettings", "Maturing", "Measuring", "Proposing", "Recipe", "SamplerSettings", "Scoring",
    "SearchIdentity", "SearchSettings", "SpaceSettings",
]  # fmt: skip

CompareMethod = Literal["pearson", "spearman", "kendall", "rho_a", "cosine", "whitened"]


class Scoring(Section):
    """How a candidate is compared with a teacher."""

    compare: CompareMethod = "spearman"
    """Correlation of two RDMs: the paper's example is Pearson's, the field reports Spearman's."""
    layer_choice: Literal["same", "split"] = "same"
    """``same``: the layer is chosen where the reward is taken (the paper); ``split``: on other images."""
    batch_size: int = Field(default=256, ge=1)
    """Images at a time."""

    @property
    def chooses_elsewhere(self) -> bool:
        """Whether layers are chosen on other stimuli than those that reward."""
        return self.layer_choice == "split"

    @property
    def elsewhere_in_words(self) -> str:
        """The setting that has layers chosen elsewhere, for messages; empty where it does not."""
        return "scoring.layer_choice is 'split'" if self.chooses_elsewhere else ""

    def attributes(self) -> dict[str, str]:
        """Return what a scored file says of the method."""
        return {"method": self.compare, "layer_choice": self.layer_choice}


class SearchIdentity(Section):
    """Which search a file is of."""

    run: str
    """Name of the run."""
    arm: str
    """Name of the arm."""
    seed: int
    """Search seed."""


class Proposing(Section):
    """How a round's architectures are proposed."""

    space: Annotated[SpaceSettings, Choice("space")]
    """What may be proposed."""
    sampler: Annotated[SamplerSettings, Choice("sampler")]
    """Who proposes."""
    n: int
    """How many."""


class Maturing(Section):
    """How architectures are changed before they are trained to maturity."""

    space: Annotated[SpaceSettings, Choice("space")]
    """The space of that stage: the search's, or it with other widths, repeats or reductions."""
    transform: str | None
    """What is done to every architecture first, or None."""


class Measuring(Section):
    """How candidates are compared with their teachers."""

    scoring: Scoring
    """The method."""
    targets: list[str] = []
    """Targets of the teacher, in its order."""
    observed: list[str] = []
    """Targets of the teacher that is only observed, in its order."""


class SearchSettings(SearchIdentity):
    """``search.json``: what a search is, and how many candidates it will see."""

    teacher: str | None
    """Who guides."""
    observe: str | None
    """Who is only observed."""
    guidance: Annotated[GuidanceSettings, Choice("guidance")]
    """What turns measurements into a score."""
    sampler: Annotated[SamplerSettings, Choice("sampler")]
    """Who proposes."""
    scoring: Scoring
    """How candidates are compared with a teacher."""
    rounds: int
    """How many rounds."""
    lag: int
    """A round's proposals read the ledger of rounds before it by more than this."""
    total: int
    """How many candidates."""
    plugins: list[str] = []
    """Files of the user's own plugins."""

    @property
    def measured_with(self) -> str | None:
        """Name of the teacher whose targets are in the ledger: the one that guides, or the one observed."""
        return self.teacher or self.observe
