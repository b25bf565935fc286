"""How candidates are compared with teachers."""

from __future__ import annotations

from typing import Literal

from ..settings import Field, Section

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

    def attributes(self) -> dict[str, str]:
        """Return what a scored file says of the method."""
        return {"method": self.compare, "layer_choice": self.layer_choice}
