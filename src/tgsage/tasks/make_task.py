"""From the settings of a source to a checked task."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import plugins
from ..store import data_root as find_data_root
from .task import Task, validate
from .task_files import save

if TYPE_CHECKING:
    from .settings import TaskSettings


def make(
    settings: TaskSettings | Mapping[str, Any], data_root: str | os.PathLike[str], scratch: Path | None = None
) -> Task:
    """Make a task, in memory.

    Parameters
    ----------
    settings
        Any source of a task, or the same as a mapping.
    data_root
        Folder in which relative folders of published data are looked for.
    scratch
        Folder for a temporary file of the images, as :func:`write` uses it; None keeps them in memory.

    Returns
    -------
    Task
        Its parts are disjoint by content, stratified by class, and follow from the settings' seed.

    Raises
    ------
    TgsageError
        One line naming the file or key that is wrong.

    Examples
    --------
    >>> make({"source": "cifar10", "n_train": 5000}, "neural_data/raw")
    """
    source: TaskSettings = plugins.settings("task", settings)
    task: Task = source.load().read(source, Path(data_root), scratch)
    validate(task, f"task {source.plugin_name()}")
    return task


def write(
    settings: TaskSettings | Mapping[str, Any],
    data_root: str | os.PathLike[str],
    path: str | os.PathLike[str],
) -> None:
    """Make a task and write it to its file, without ever having all images in memory.

    Images wait in a temporary file in the folder of ``path``, which has no name, so that nothing is left of
    it whatever happens; the disk must hold the task twice. The file is the same as that of :func:`make` and
    :func:`save`.

    Parameters, but for the file's ``path``, and errors are as for :func:`make`.
    """
    folder = Path(path).parent
    folder.mkdir(parents=True, exist_ok=True)
    save(make(settings, data_root, folder), path)


def write_task(task: str | os.PathLike[str], *, settings: TaskSettings, data: str | None) -> None:
    """Make a task, and write its file, as the rule ``task``; ``data`` is the configured data folder."""
    write(settings, find_data_root(data), task)
