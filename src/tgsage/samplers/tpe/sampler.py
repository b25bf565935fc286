"""The tree-structured Parzen estimator (Bergstra et al. 2011), used by Bashivan et al. 2019."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .. import optuna_study
from ..base import Sampler, SearchState

if TYPE_CHECKING:
    from ...spaces import Architecture
    from .plugin import TpeSettings


class TpeSampler(Sampler):
    """Optuna's TPE over all choices jointly, with a constant liar for pending candidates.

    Optuna is given the candidates in canonical form and in the order of rounds and slots. Those with a score
    are complete trials. Those that are ``failed``, ``invalid``, or without a finite score are pruned trials,
    which the estimator ranks below every complete one. Those with status ``timeout`` are failed trials, which
    it ignores, since a time limit depends on the machine. Pending ones are running trials.
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
            for trial in state.trials:
                values = [trial.score] if trial.ok else None
                outcome = "COMPLETE" if trial.ok else "FAIL" if trial.status == "timeout" else "PRUNED"
                study.add_trial(optuna_study.trial(space, trial.architecture, outcome, options, values))
            for arch in state.pending:
                study.add_trial(optuna_study.trial(space, arch, "RUNNING", options))
        return optuna_study.asking(study, space)
