"""The stage: from the settings of a teacher of any kind to the teacher."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

import xarray as xr

from .. import tasks
from .context import Source, TeacherContext
from .format import load

if TYPE_CHECKING:
    from ..tasks.task import Task
    from .settings import TeacherSettings


def make(
    settings: TeacherSettings,
    name: str,
    *,
    task: Task | str | os.PathLike[str] | None = None,
    recordings: Mapping[str, str | os.PathLike[str] | tuple[Source, xr.Dataset | None]] | None = None,
    original: xr.DataTree | str | os.PathLike[str] | None = None,
    method: str = "spearman",
    data_root: str | os.PathLike[str] | None = None,
    device: str = "cpu",
) -> xr.DataTree:
    """Make a teacher.

    Parameters
    ----------
    settings
        Of one of the kinds of teachers.
    name
        Of the teacher.
    task
        The task or its file. Gives the resolution, and the images that must not be among the stimuli. A
        network teacher learns it. Network, pretrained and encoded teachers have images of it as stimuli.
    recordings
        By name of the data set a folder ``recordings/<dataset>`` (``assembly.nc`` or ``published_rdm.nc``
        beside ``stimuli.h5``), or a pair (assembly or published RDM, stimuli).
    original
        For a control: the original teacher or its file.
    method
        Of comparison (``scoring.compare``), for noise ceilings.
    data_root
        Folder that relative ``weights`` of networks are looked for in.
    device
        Where networks run and are trained.

    Returns
    -------
    xarray.DataTree
        As :mod:`tgsage.teacher.format` shows.

    Raises
    ------
    TgsageError
        For whatever a user can put right.
    """
    context = TeacherContext(
        task=tasks.load(task) if isinstance(task, str | os.PathLike) else task,
        recordings=recordings or {},
        original=load(original) if isinstance(original, str | os.PathLike) else original,
        method=method,
        data_root=data_root,
        device=device,
    )
    teacher: xr.DataTree = settings.load()(settings, name, context)
    return teacher
