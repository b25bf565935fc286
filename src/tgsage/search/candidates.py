"""Training and scoring a pack of candidates, one after the other; of the winner also its test."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from .. import plugins
from ..errors import TgsageError
from ..runs import rsa as rsa_file
from ..runs.records import PathLike, read_proposals, write_trainings
from ..training.isolation import run_isolated
from ..training.job import train_candidate

if TYPE_CHECKING:
    import xarray as xr

    from ..runs.settings import Recipe, Scoring, SpaceSettings
    from ..tasks import Task

PRELOAD = ("tgsage.search.preloaded",)
"""What the processes in which candidates are trained and scored have imported; this one needs no torch."""


def train_and_score(  # noqa: PLR0913
    training: PathLike,
    rsa: PathLike,
    *,
    proposals: PathLike,
    positions: Sequence[int],
    task: PathLike,
    space: SpaceSettings,
    recipe: Recipe,
    scoring: Scoring,
    store: PathLike,
    device: str,
    earlier: Sequence[float] = (),
    teacher_file: PathLike | None = None,
    observed_file: PathLike | None = None,
    mem_mb: int | None = None,
) -> None:
    """Train some of a stage's proposals, or take them from the store, and compare them with their teachers.

    Each candidate is trained and scored in a process of its own, and takes no longer than the recipe's time
    limit for either. What goes wrong with one is its row's reason and touches no other.

    Parameters
    ----------
    training, rsa
        ``training.json`` and ``rsa.nc`` to write.
    proposals, positions
        ``proposals.json`` of the stage, and which of its proposals, counted from 0.
    task, space, recipe, store, device, earlier
        As in :func:`tgsage.training.train_candidate`.
    scoring
        As in :func:`tgsage.scoring.score_candidate`.
    teacher_file, observed_file
        The teacher, and a second one that is only observed; None without one.
    mem_mb
        Memory of this job in MB (10^6 bytes). A comparison with the teachers that needs more is refused
        before anything is trained.

    Raises
    ------
    TgsageError
        For what is wrong with the set-up rather than with a candidate.
    """
    stage = read_proposals(proposals)
    files = [None if file is None else str(file) for file in (task, teacher_file, observed_file)]
    memory = None if mem_mb is None else mem_mb * 10**6
    check = functools.partial(_fits, files, scoring, memory)
    score = functools.partial(_score_here, files, space.plain(), scoring, str(store), device, memory)
    trainings, scored = [], []
    for position in positions:
        record, outcome = train_candidate(
            stage["proposals"][position], recipe, task, space, store, device,
            round=stage["round"], earlier=earlier, preload=PRELOAD, check=check, then=score,
        )  # fmt: skip
        trainings.append(record)
        lost = record
        if outcome is not None and outcome.failure is not None:
            failure = outcome.failure
            status = "timeout" if failure.kind == "timeout" else "failed"
            lost = {**record, "status": status, "reason": f"scoring: {failure.kind}: {failure.reason}"}
        if outcome is None or outcome.failure is not None:
            # The row of a candidate that has no similarities still names the teacher's targets.
            arguments = (lost, str(task), score, plugins.loaded_files())
            outcome = run_isolated(_score_lost_here, arguments, preload=PRELOAD)
        if outcome.failure is not None:
            raise TgsageError(f"candidate {record['candidate']}: scoring: {outcome.failure.reason}")
        scored.append(outcome.value)
    write_trainings(training, trainings)
    rsa_file.save(scored, rsa)


def train_and_test_winner(  # noqa: PLR0913
    training: PathLike,
    rsa: PathLike,
    final: PathLike,
    best_architecture: PathLike,
    rdms: PathLike,
    *,
    ledger: PathLike,
    finalists: PathLike,
    proposals: PathLike,
    task: PathLike,
    space: SpaceSettings,
    recipe: Recipe,
    scoring: Scoring,
    store: PathLike,
    device: str,
    teacher_file: PathLike | None = None,
    observed_file: PathLike | None = None,
    mem_mb: int | None = None,
) -> None:
    """Train, score and test the one proposal of the final stage.

    Parameters
    ----------
    training, rsa, proposals, task, space, recipe, scoring, store, device, teacher_file, observed_file, mem_mb
        As in :func:`train_and_score`.
    final, best_architecture, rdms, ledger, finalists
        As in :func:`tgsage.search.test_winner`.

    Raises
    ------
    TgsageError
        If the winner's training, scoring or test did not end well.
    """
    train_and_score(
        training, rsa, proposals=proposals, positions=[0], task=task, space=space, recipe=recipe,
        scoring=scoring, store=store, device=device, teacher_file=teacher_file, observed_file=observed_file,
        mem_mb=mem_mb,
    )  # fmt: skip
    written = {"final": final, "best_architecture": best_architecture, "rdms": rdms}
    read = {"ledger": ledger, "finalists": finalists, "proposals": proposals, "training_file": training}
    read |= {"rsa": rsa, "task": task, "store": store}
    given = {**written, **read, "teacher_file": teacher_file, "observed_file": observed_file}
    paths = {name: None if path is None else str(path) for name, path in given.items()}
    arguments = ({**paths, "scoring": scoring, "device": device}, space.plain(), plugins.loaded_files())
    outcome = run_isolated(_test_here, arguments, preload=PRELOAD)
    if outcome.failure is not None:
        raise TgsageError(f"{final}: the winner's test {outcome.failure.kind}: {outcome.failure.reason}")


def _test_here(arguments: dict[str, Any], space: dict[str, Any], plugin_files: tuple[str, ...]) -> None:
    """What the child runs."""
    from .final_test import test_winner

    plugins.load_files(plugin_files)
    test_winner(space=plugins.settings("space", space), **arguments)


def _score_here(
    files: Sequence[str | None],
    space: dict[str, Any],
    scoring: Scoring,
    store_root: str,
    device: str,
    memory: int | None,
    record: dict[str, Any],
    task: Task,
) -> xr.Dataset:
    """What the child runs when it has trained."""
    from .. import scoring as scores
    from .. import spaces, teacher
    from ..store import Store

    guide, observed = (None if file is None else teacher.load(file) for file in files[1:])
    return scores.score_candidate(
        record, task, guide, scoring, Store(store_root), spaces.get(space), device,
        observed=observed, memory=memory,
    )  # fmt: skip


def _score_lost_here(
    record: dict[str, Any], task: str, score: Callable[..., xr.Dataset], plugin_files: tuple[str, ...]
) -> xr.Dataset:
    """What a child runs for a candidate that was lost; it builds no network."""
    from .. import tasks

    plugins.load_files(plugin_files)
    return score(record, tasks.load(task))


def _fits(files: Sequence[str | None], scoring: Scoring, memory: int | None, features: Sequence[int]) -> None:
    """Refuse, in the child, what could be trained and not be scored."""
    from .. import tasks, teacher
    from ..scoring.memory import room_for_activations

    task, *teachers = files
    assert task is not None
    room_for_activations(
        [teacher.load(file) for file in teachers if file is not None],
        features,
        resolution=tasks.load(task).resolution,
        batch_size=scoring.batch_size,
        memory=memory,
    )
