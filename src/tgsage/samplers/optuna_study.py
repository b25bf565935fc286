"""Optuna studies made from a ledger; no state of Optuna is kept between rounds."""

from __future__ import annotations

import contextlib
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import optuna

    from ..spaces import Architecture, Space

_LOCK = threading.RLock()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence Optuna's log and its warnings about experimental features, and restore both afterwards."""
    import optuna

    # Verbosity and warning filters are global: threads must not restore each other's.
    with _LOCK:
        verbosity = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                yield
        finally:
            optuna.logging.set_verbosity(verbosity)


def distributions(space: Space) -> dict[str, optuna.distributions.BaseDistribution]:
    """Return the choices of a space as categorical distributions."""
    import optuna

    return {
        name: optuna.distributions.CategoricalDistribution(options) for name, options in space.choices.items()
    }


def trial(
    space: Space,
    arch: Architecture,
    state: str,
    options: dict[str, optuna.distributions.BaseDistribution],
    values: list[float] | None = None,
    **attributes: Any,
) -> optuna.trial.FrozenTrial:
    """Return a trial of an architecture; ``options`` are the space's :func:`distributions`."""
    import optuna

    return optuna.trial.create_trial(
        state=optuna.trial.TrialState[state],
        params=space.encode(arch),
        distributions=options,
        values=values,
        system_attrs=attributes or None,
    )


def asking(study: optuna.Study, space: Space) -> Callable[[], Architecture]:
    """Return a function that asks a study for one architecture after the other."""

    def ask() -> Architecture:
        with quiet():
            trial = study.ask()
            choices: dict[str, Any] = {
                name: trial.suggest_categorical(name, options) for name, options in space.choices.items()
            }
        return space.decode(choices)

    return ask
