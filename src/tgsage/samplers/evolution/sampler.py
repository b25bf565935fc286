"""Regularised (ageing) evolution (Real, Aggarwal, Huang and Le 2019)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..base import Sampler, SearchState

if TYPE_CHECKING:
    from ...spaces import Architecture
    from .plugin import EvolutionSettings


class EvolutionSampler(Sampler):
    """Mutates the best of a few candidates that are drawn from the youngest.

    The population consists of the last ``population`` candidates with a score, in the order of rounds and
    slots; older ones die, whatever their score. Until there are that many, candidates are drawn at random.
    For each proposal, ``tournament`` of the population are drawn without replacement, and one choice of the
    best of them is mutated. All proposals of a round come from the same population.
    """

    settings: EvolutionSettings

    def begin(self, state: SearchState) -> Callable[[], Architecture]:
        """Learn from the ledger; see the class for how."""
        space, rng = state.space, state.rng
        population = [trial for trial in state.trials if trial.ok][-self.settings.population :]
        if len(population) < self.settings.population:
            return lambda: space.sample(rng)
        size = min(self.settings.tournament, len(population))

        def ask() -> Architecture:
            drawn = rng.choice(len(population), size=size, replace=False)
            # Among equal scores, the youngest.
            best = max(drawn, key=lambda index: (population[index].score, index))
            return space.mutate(population[best].architecture, rng)

        return ask
