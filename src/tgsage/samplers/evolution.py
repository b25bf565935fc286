"""Regularised (ageing) evolution (Real, Aggarwal, Huang and Le 2019)."""

from __future__ import annotations

from collections.abc import Callable

from ..config.samplers import EvolutionSampler as Settings
from ..spaces.base import Architecture
from .base import Sampler, Situation


class EvolutionSampler(Sampler):
    """Mutations of the best of a few, drawn from the youngest candidates.

    The population is the last ``population`` candidates with a score, in the order of rounds and slots: the
    oldest die, whatever their score. Until there are that many, candidates are drawn at random. Each proposal
    draws ``tournament`` of the population without replacement and mutates one choice of the best of them. All
    proposals of a round come from the same population. Candidates without a score have no offspring.
    """

    name = "evolution"
    settings: Settings

    def begin(self, situation: Situation) -> Callable[[], Architecture]:
        space, rng = situation.space, situation.rng
        population = [trial for trial in situation.trials if trial.ok][-self.settings.population :]
        if len(population) < self.settings.population:
            return lambda: space.sample(rng)
        size = min(self.settings.tournament, len(population))

        def ask() -> Architecture:
            drawn = rng.choice(len(population), size=size, replace=False)
            # Of equals the youngest.
            best = max(drawn, key=lambda index: (population[index].score, index))
            return space.mutate(population[best].architecture, rng)

        return ask
