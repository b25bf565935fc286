"""The tree-structured Parzen estimator (Bergstra et al. 2011), used by Bashivan et al. 2019."""

from __future__ import annotations

from collections.abc import Callable

from ..config.samplers import TpeSampler as Settings
from ..spaces.base import Architecture
from . import optuna_study
from .base import Sampler, Situation


class TpeSampler(Sampler):
    """Optuna's TPE over all choices jointly, with the constant liar for what is running.

    Told are, in the order of rounds and slots and in canonical form: candidates with a score as complete;
    ``failed`` and ``invalid`` ones, and those without a finite score, as pruned, which the estimator holds
    to be worse than every complete one; ``timeout`` as failed, which it ignores, for a time limit says
    something of the machine. What is pending is told as running.
    """

    name = "tpe"
    settings: Settings

    def begin(self, situation: Situation) -> Callable[[], Architecture]:
        import optuna

        space = situation.space
        with optuna_study.quiet():
            options = optuna_study.distributions(space)
            study = optuna.create_study(
                direction="maximize",
                sampler=optuna.samplers.TPESampler(
                    multivariate=True,
                    group=True,
                    constant_liar=True,
                    n_startup_trials=self.settings.startup,
                    seed=situation.seed_for("tpe"),
                ),
            )
            for item in situation.trials:
                if item.ok:
                    told = optuna_study.trial(space, item.architecture, "COMPLETE", options, [item.score])
                else:
                    state = "FAIL" if item.status == "timeout" else "PRUNED"
                    told = optuna_study.trial(space, item.architecture, state, options)
                study.add_trial(told)
            for arch in situation.pending:
                study.add_trial(optuna_study.trial(space, arch, "RUNNING", options))

        def ask() -> Architecture:
            with optuna_study.quiet():
                return optuna_study.ask(study, space)

        return ask
