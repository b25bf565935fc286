"""Scoring a pack of candidates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import scoring as scores
from .. import spaces, tasks, teacher
from ..runs import rsa as rsa_file
from ..runs.records import PathLike, read_trainings
from ..store import Store

if TYPE_CHECKING:
    from ..runs.settings import Scoring, SpaceSettings


def score_pack(
    rsa: PathLike,
    *,
    training: PathLike,
    task: PathLike,
    space: SpaceSettings,
    scoring: Scoring,
    store: PathLike,
    device: str,
    teacher_file: PathLike | None = None,
    observed_file: PathLike | None = None,
) -> None:
    """Compare the candidates of a pack with their teachers, and write ``rsa.nc``.

    Parameters
    ----------
    rsa
        ``rsa.nc`` to write.
    training, task
        ``training.json`` of the pack, and the task's file.
    space, scoring, store, device
        As in :func:`tgsage.scoring.score_candidate`.
    teacher_file, observed_file
        The teacher, and a second one that is only observed; None without one.
    """
    loaded_task = tasks.load(task)
    guide, observed = (None if file is None else teacher.load(file) for file in (teacher_file, observed_file))
    candidates = [
        scores.score_candidate(
            record, loaded_task, guide, scoring, Store(store), spaces.get(space), device, observed=observed
        )
        for record in read_trainings(training)
    ]
    rsa_file.save(candidates, rsa)
