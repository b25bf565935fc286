"""The stage: from the settings of a source to a checked task."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import unknown
from .files import save
from .task import Task, validate

# By name, not by import: the digest of a stage follows imports, and one source's stage must not contain
# the reader of another.
_READERS = {
    "rendered": "demo.rendered_objects.reader",
    "cifar10": "tasks.readers.cifar10",
    "cifar100": "tasks.readers.cifar100",
    "tiny_imagenet": "tasks.readers.tiny_imagenet",
    "downsampled_imagenet": "tasks.readers.downsampled_imagenet",
    "image_folder": "tasks.readers.image_folder",
    "arrays": "tasks.readers.arrays",
    "fashion_mnist": "tasks.readers.fashion_mnist",
}
_WITHOUT_FILES = ("rendered",)
"""Sources that read nothing from outside."""


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


def raw_files(settings: Any, data_root: str | os.PathLike[str]) -> list[Path]:
    """The downloaded files that a source reads, so that a workflow can see when one was replaced.

    Parameters
    ----------
    settings, data_root
        As for :func:`make`.

    Returns
    -------
    list
        In a fixed order, whether they exist or not. Empty for rendered tasks.

    Raises
    ------
    TgsageError
        If there is no such source.
    """
    if settings.source in _WITHOUT_FILES:
        return []
    return _reader(settings.source).raw_files(settings, Path(data_root))


def make(settings: Any, data_root: str | os.PathLike[str], scratch: Path | None = None) -> Task:
    """Make a task, in memory.

    Parameters
    ----------
    settings
        One of the sources of :data:`tgsage.config.task.TaskSource`.
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
    """
    task = _reader(settings.source).read(settings, Path(data_root), scratch)
    validate(task, f"task {settings.source}")
    return task


def write(settings: Any, data_root: str | os.PathLike[str], path: str | os.PathLike[str]) -> None:
    """Make a task and write it to its file, without ever having all images in memory.

    Images wait in a temporary file in the folder of ``path``, which has no name, so that nothing is left of
    it whatever happens; the disk must hold the task twice. The file is the same as that of :func:`make` and
    :func:`save`.

    Parameters
    ----------
    settings, data_root
        As for :func:`make`.
    path
        Of the task's file.

    Raises
    ------
    TgsageError
        One line naming the file or key that is wrong.
    """
    folder = Path(path).parent
    folder.mkdir(parents=True, exist_ok=True)
    save(make(settings, data_root, folder), path)


def _reader(source: str) -> ModuleType:
    if source not in _READERS:
        raise unknown("source of a task", source, _READERS)
    return importlib.import_module(f"{__package__.partition('.')[0]}.{_READERS[source]}")
