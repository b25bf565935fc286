"""NSGA-II (Deb et al. 2002): high scores and small networks at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from .. import optuna_study
from ..base import Sampler, SearchState, Trial

if TYPE_CHECKING:
    from ...spaces import Architecture
    from .plugin import Nsga2Settings


class Nsga2Sampler(Sampler):
    """Optuna's NSGA-II over two objectives: the score, and parameters or FLOPs.

    Optuna finds its generations through an attribute of each trial, and draws at random if that is absent.
    Hence each candidate of the ledger is given the generation in which it was proposed, which follows from
    the rounds that were known then. Candidates without a score or a size are failed trials of no generation.
    """

    settings: Nsga2Settings

    def begin(self, state: SearchState) -> Callable[[], Architecture]:
        """Learn from the ledger; see the class for how."""
        import optuna

        space = state.space
        key = optuna.samplers.NSGAIISampler._get_generation_key()
        with optuna_study.quiet():
            options = optuna_study.distributions(space)
            study = optuna.create_study(
                directions=["maximize", "minimize"],
                sampler=optuna.samplers.NSGAIISampler(
                    population_size=self.settings.population, seed=state.seed_for("nsga2")
                ),
            )
            numbers = generations(state.trials, self._size, self.settings.population, state.round)
            for trial, generation in zip(state.trials, numbers, strict=True):
                arch, values = trial.architecture, [trial.score, self._size(trial)]
                study.add_trial(
                    optuna_study.trial(space, arch, "FAIL", options)
                    if generation is None
                    else optuna_study.trial(space, arch, "COMPLETE", options, values, **{key: generation})
                )
        return optuna_study.asking(study, space)

    def _size(self, trial: Trial) -> float:
        return trial.parameters if self.settings.minimize == "parameters" else trial.flops


def generations(
    trials: tuple[Trial, ...], size: Callable[[Trial], float], population: int, round: int
) -> list[int | None]:
    """Return the generation in which each trial was proposed; None for those without a score or a size.

    A generation is full when it has ``population`` complete trials; proposals made while the newest known
    generation is full begin the next one. A round knows the rounds before it except for the lag, which is
    taken from the round that is proposed now and the last one in the ledger.
    """
    lag = round - trials[-1].round - 1 if trials else 0
    numbers: list[int | None] = []
    of_round: dict[int, int] = {}
    for trial in trials:
        if trial.round not in of_round:
            earlier = [
                number
                for other, number in zip(trials, numbers, strict=False)
                if number is not None and other.round < trial.round - lag
            ]
            newest = max(earlier, default=0)
            of_round[trial.round] = newest + (earlier.count(newest) >= population)
        numbers.append(of_round[trial.round] if trial.ok and math.isfinite(size(trial)) else None)
    return numbers
