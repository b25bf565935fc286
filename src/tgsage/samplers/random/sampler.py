"""Uniform random draws: the baseline of every comparison."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..base import Sampler, SearchState

if TYPE_CHECKING:
    from ...spaces import Architecture


class RandomSampler(Sampler):
    """Draws every choice uniformly. The ledger only says what was seen."""

    def begin(self, state: SearchState) -> Callable[[], Architecture]:
        """Learn from the ledger; see the class for how."""
        return lambda: state.space.sample(state.rng)
