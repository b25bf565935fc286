"""NSGA-II (Deb et al. 2002): high scores and small networks at once."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

import optuna
from optuna.trial import FrozenTrial, TrialState

from .. import optuna_study
from ..base import Sampler, SearchState, Trial

if TYPE_CHECKING:
    from ...spaces import Architecture
    from .plugin import Nsga2Settings


class Nsga2Sampler(Sampler):
    """Optuna's NSGA-II over two objectives: the score, and parameters or FLOPs.

    Each candidate of the ledger belongs to the generation in which it was proposed, which follows from the
    rounds that were known then. Candidates without a score or a size belong to none. The parents of a
    generation are selected from the generation before it and from that one's own parents; Optuna selects
    them, and its study holds the parents of the generation that is proposed.
    """

    settings: Nsga2Settings

    def begin(self, state: SearchState) -> Callable[[], Architecture]:
        """Learn from the ledger; see the class for how."""
        population, space = self.settings.population, state.space
        numbers = generations(state.trials, self._size, population, state.round)
        members: dict[int, list[FrozenTrial]] = {}
        for row, (trial, number) in enumerate(zip(state.trials, numbers, strict=True)):
            if number is not None:
                members.setdefault(number, []).append(self._measured(row, trial))
        newest = max(members, default=0)
        generation = newest + (len(members.get(newest, ())) >= population)
        with optuna_study.quiet():
            options = optuna_study.distributions(space)
            sampler = _Sampler(population, state.seed_for("nsga2"), generation)
            study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
            selected = [trial.number for trial in _Selection(population, members).of(study, generation)]
            rows = sorted(selected)
            for trial in (state.trials[row] for row in rows):
                values = [trial.score, self._size(trial)]
                study.add_trial(optuna_study.trial(space, trial.architecture, "COMPLETE", options, values))
            known = study.get_trials(deepcopy=False)
            sampler.parents = [known[rows.index(row)] for row in selected]
        return optuna_study.asking(study, space)

    def _size(self, trial: Trial) -> float:
        return trial.parameters if self.settings.minimize == "parameters" else trial.flops

    def _measured(self, row: int, trial: Trial) -> FrozenTrial:
        """What selection reads of a trial: its values, and a number."""
        return FrozenTrial(
            number=row, trial_id=row, state=TrialState.COMPLETE, value=None,
            values=[trial.score, self._size(trial)], datetime_start=None, datetime_complete=None, params={},
            distributions={}, user_attrs={}, system_attrs={}, intermediate_values={},
        )  # fmt: skip


class _Selection(optuna.samplers.NSGAIISampler):
    """Selects parents one generation after the other; Optuna goes back to the first one by recursion."""

    def __init__(self, population: int, members: dict[int, list[FrozenTrial]]):
        super().__init__(population_size=population)
        self.members = members
        self.parents: list[list[FrozenTrial]] = [[]]

    def of(self, study: optuna.Study, generation: int) -> list[FrozenTrial]:
        """Return the parents of a generation."""
        while len(self.parents) <= generation:
            self.parents.append(self.select_parent(study, len(self.parents)))
        return self.parents[generation]

    def get_population(self, study: optuna.Study, generation: int) -> list[FrozenTrial]:  # noqa: ARG002
        return self.members[generation]

    def get_parent_population(self, study: optuna.Study, generation: int) -> list[FrozenTrial]:  # noqa: ARG002
        return self.parents[generation]


class _Sampler(optuna.samplers.NSGAIISampler):
    """Proposes a generation of which the parents are known."""

    parents: list[FrozenTrial]

    def __init__(self, population: int, seed: int, generation: int):
        super().__init__(population_size=population, seed=seed)
        self.generation = generation

    def get_trial_generation(self, study: optuna.Study, trial: FrozenTrial) -> int:  # noqa: ARG002
        return self.generation

    def select_parent(self, study: optuna.Study, generation: int) -> list[FrozenTrial]:  # noqa: ARG002
        return self.parents


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
    known: Counter[int] = Counter()
    heard = 0
    for trial in trials:
        if trial.round not in of_round:
            while trials[heard].round < trial.round - lag:
                number = numbers[heard]
                known.update(() if number is None else (number,))
                heard += 1
            newest = max(known, default=0)
            of_round[trial.round] = newest + (known[newest] >= population)
        numbers.append(of_round[trial.round] if trial.ok and math.isfinite(size(trial)) else None)
    return numbers
