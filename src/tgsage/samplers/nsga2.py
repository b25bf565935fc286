"""NSGA-II (Deb et al. 2002): high scores and small networks at once."""

from __future__ import annotations

import math
from collections.abc import Callable

from ..config.samplers import Nsga2Sampler as Settings
from ..spaces.base import Architecture
from . import optuna_study
from .base import Sampler, Situation, Trial


class Nsga2Sampler(Sampler):
    """Optuna's NSGA-II over two objectives: the score, and parameters or FLOPs.

    Optuna finds its generations through an attribute of each trial, and draws at random where that is
    absent. So each candidate of the ledger is given the generation it had when it was proposed, which follows
    from the rounds known by then. Candidates without a score or a size are told as failed, and belong to no
    generation.
    """

    name = "nsga2"
    settings: Settings

    def begin(self, situation: Situation) -> Callable[[], Architecture]:
        import optuna

        space = situation.space
        key = optuna.samplers.NSGAIISampler._get_generation_key()
        with optuna_study.quiet():
            options = optuna_study.distributions(space)
            study = optuna.create_study(
                directions=["maximize", "minimize"],
                sampler=optuna.samplers.NSGAIISampler(
                    population_size=self.settings.population, seed=situation.seed_for("nsga2")
                ),
            )
            of = generations(situation.trials, self._size, self.settings.population, situation.round)
            for trial, generation in zip(situation.trials, of, strict=True):
                if generation is None:
                    told = optuna_study.trial(space, trial.architecture, "FAIL", options)
                else:
                    values = [trial.score, self._size(trial)]
                    told = optuna_study.trial(
                        space, trial.architecture, "COMPLETE", options, values, **{key: generation}
                    )
                study.add_trial(told)

        def ask() -> Architecture:
            with optuna_study.quiet():
                return optuna_study.ask(study, space)

        return ask

    def _size(self, trial: Trial) -> float:
        return trial.parameters if self.settings.minimize == "parameters" else trial.flops


def generations(
    trials: tuple[Trial, ...], size: Callable[[Trial], float], population: int, round: int
) -> list[int | None]:
    """The generation in which each trial was proposed; None for those without a score or a size.

    A generation is full with ``population`` complete trials; what is proposed while the newest known
    generation is full begins the next. A round knows the rounds before it, less the lag: that of the round
    proposed for now, which is its distance from the last round in the ledger.
    """
    lag = round - trials[-1].round - 1 if trials else 0
    found: list[int | None] = []
    current: dict[int, int] = {}
    for trial in trials:
        if trial.round not in current:
            known = [
                generation
                for earlier, generation in zip(trials, found, strict=False)
                if generation is not None and earlier.round < trial.round - lag
            ]
            newest = max(known, default=0)
            current[trial.round] = newest + (known.count(newest) >= population)
        found.append(current[trial.round] if trial.ok and math.isfinite(size(trial)) else None)
    return found
