"""The tree-structured Parzen estimator (Bergstra et al. 2011), used by Bashivan et al. 2019."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from .. import optuna_study
from ..base import Sampler, SearchState, Trial

if TYPE_CHECKING:
    from ...spaces import Architecture
    from .plugin import TpeSettings

BEST = 25
"""How many candidates Optuna's estimator takes for good ones: the best tenth, and at most so many."""


class TpeSampler(Sampler):
    """Optuna's TPE over all choices jointly, with a constant liar for pending candidates.

    Optuna is given the candidates in canonical form and in the order of rounds and slots. Those with a score
    are complete trials. Those that are ``failed``, ``invalid``, or without a finite score are pruned trials,
    which the estimator ranks below every complete one. Those with status ``timeout`` are failed trials, which
    it ignores, since a time limit depends on the machine. Pending ones are running trials.

    Of more than ``history`` candidates Optuna is given the 25 best and the most recent. So the density of the
    good ones is that of the whole ledger. The density of the others, of which Optuna weights the older less
    (linearly with age), is estimated from the recent ones.
    """

    settings: TpeSettings

    def begin(self, state: SearchState) -> Callable[[], Architecture]:
        """Learn from the ledger; see the class for how."""
        import optuna

        space = state.space
        with optuna_study.quiet():
            options = optuna_study.distributions(space)
            study = optuna.create_study(
                direction="maximize",
                sampler=optuna.samplers.TPESampler(
                    multivariate=True,
                    group=True,
                    constant_liar=True,
                    n_startup_trials=self.settings.startup,
                    seed=state.seed_for("tpe"),
                ),
            )
            for trial in remembered(state.trials, self.settings.history):
                values = [trial.score] if trial.ok else None
                outcome = "COMPLETE" if trial.ok else "PRUNED"
                study.add_trial(optuna_study.trial(space, trial.architecture, outcome, options, values))
            for arch in state.pending:
                study.add_trial(optuna_study.trial(space, arch, "RUNNING", options))
        return optuna_study.asking(study, space)


def remembered(trials: Sequence[Trial], history: int) -> list[Trial]:
    """Return the trials that the estimator learns from, at most ``history`` (>= 25), in their order."""
    learned = [trial for trial in trials if trial.status != "timeout"]
    if len(learned) <= history:
        return learned
    # As Optuna ranks them: equal ones, and those without a score, in their order.
    ranks = sorted(
        range(len(learned)),
        key=lambda row: learned[row].score if learned[row].ok else -math.inf,
        reverse=True,
    )
    rows = sorted((*ranks[:BEST], *sorted(ranks[BEST:])[BEST - history :]))
    return [learned[row] for row in rows]
