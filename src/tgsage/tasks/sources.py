"""The stage: from the settings of a source to a checked task."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

from ..errors import unknown
from .task import Task, validate

# By name, not by import: the digest of a stage follows imports, and one source's stage must not contain
# the reader of another.
_READERS = {
    "rendered": "tasks.readers.rendered",
    "cifar10": "tasks.readers.cifar10",
}


def stage_modules(source: str) -> tuple[str, ...]:
    """Dotted names (under tgsage) of the modules that a source's stage runs, for ``stage_digest``.

    Raises
    ------
    TgsageError
        If there is no such source.
    """
    if source not in _READERS:
        raise unknown("source of a task", source, _READERS)
    return (_READERS[source], "tasks.sources", "tasks.files")


def make(settings: Any, data_root: str | os.PathLike[str]) -> Task:
    """Make a task.

    Parameters
    ----------
    settings
        One of the sources of :data:`tgsage.config.task.TaskSource`.
    data_root
        Folder in which relative folders of published data are looked for.

    Returns
    -------
    Task
        Its parts are disjoint by content, stratified by class, and follow from the settings' seed.

    Raises
    ------
    TgsageError
        One line naming the file or key that is wrong.
    """
    if settings.source not in _READERS:
        raise unknown("source of a task", settings.source, _READERS)
    package = __package__.partition(".")[0]
    reader = importlib.import_module(f"{package}.{_READERS[settings.source]}")
    task = reader.read(settings, Path(data_root))
    validate(task, f"task {settings.source}")
    return task
