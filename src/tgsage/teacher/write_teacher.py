"""The stage that makes a teacher, as a file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .. import recordings
from .. import teacher as teachers

if TYPE_CHECKING:
    from .settings import TeacherSettings

PathLike = str | os.PathLike[str]


def write_teacher(
    teacher: PathLike,
    *,
    name: str,
    settings: TeacherSettings,
    task: PathLike,
    compare: str,
    device: str,
    data: str | None,
    datasets: Sequence[PathLike] = (),
    original: PathLike | None = None,
) -> None:
    """Make a teacher, and write its file.

    Parameters
    ----------
    teacher
        File to write.
    name, settings
        The teacher's.
    task
        The task's file.
    compare
        Method of comparison, for noise ceilings.
    device
        Where networks run and are trained.
    data
        The configured data folder.
    datasets
        Files of the data sets that the teacher is made from: ``recordings/<dataset>/...``.
    original
        File of the teacher that it is made of; None if it is made of no other.
    """
    folders = {Path(file).parent.name: Path(file).parent for file in datasets}
    made = teachers.make(
        settings, name, task=task, recordings=folders, original=original, method=compare,
        data_root=recordings.data_root(data), device=device,
    )  # fmt: skip
    teachers.save(made, teacher)
