"""NSGA-II (Deb et al. 2002): high scores and small networks at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import numpy as np
import pandas as pd

from ..config.samplers import Nsga2Sampler as Settings
from ..errors import TgsageError, unknown
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


def pareto_front(
    ledger: pd.DataFrame, minimize: Literal["parameters", "flops"] = "parameters"
) -> pd.DataFrame:
    """The candidates than which none has both a higher score and a smaller network.

    Parameters
    ----------
    ledger
        Results (``tgsage.ledger``); of its columns status, candidate, score and ``minimize`` are read.
    minimize
        What is to be small.

    Returns
    -------
    pandas.DataFrame
        Rows of the ledger, each candidate once (its first row), from the smallest network to the largest. One
        candidate dominates another if it is no worse in both and better in one; equals are both on the front.
        Candidates that are not ``ok``, and those without a finite score or size, are left out.

    Raises
    ------
    TgsageError
        If ``minimize`` is neither of the two, or a column is missing.
    """
    if minimize not in ("parameters", "flops"):
        raise unknown("objective of a Pareto front", str(minimize), ("parameters", "flops"))
    for name in ("status", "candidate", "score", minimize):
        if name not in ledger.columns:
            raise TgsageError(f"pareto_front: the ledger has no column {name!r}")
    usable = (ledger["status"] == "ok") & np.isfinite(ledger[["score", minimize]].astype(float)).all(axis=1)
    table = ledger[usable].drop_duplicates("candidate")
    table = table.sort_values([minimize, "score"], ascending=[True, False], kind="stable")
    sizes, scores = (table[name].to_numpy(float) for name in (minimize, "score"))
    # On the front: the best of its size, and better than everything smaller.
    best = np.maximum.accumulate(np.append(-np.inf, scores))[:-1]
    first = np.append(True, sizes[1:] != sizes[:-1])
    opens = first & (scores > best)
    # Equals of the one that opened the front at its size.
    group = np.cumsum(first) - 1
    return table[opens[first][group] & (scores == scores[first][group])] if len(table) else table
