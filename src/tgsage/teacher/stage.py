"""The stage: from the settings of a teacher of any kind to the teacher and its file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import xarray as xr

from .. import recordings as readers
from .. import tasks
from ..errors import TgsageError
from .format import load, save

if TYPE_CHECKING:
    from ..tasks.task import Task
    from .settings import TeacherSettings

PathLike = str | os.PathLike[str]
Source = xr.DataArray | xr.Dataset
"""An assembly, or a published RDM."""
Recordings = Mapping[str, tuple[Source, xr.Dataset | None]]
"""By name of the data set: (assembly or published RDM, stimuli)."""


@dataclass(frozen=True, kw_only=True)
class TeacherContext:
    """What a teacher may be made of: the arguments of :func:`tgsage.teacher.make`, their files read."""

    task: Task | None = None
    recordings: Mapping[str, PathLike | tuple[Source, xr.Dataset | None]] = field(default_factory=dict)
    original: xr.DataTree | None = None
    method: str = "spearman"
    data_root: PathLike | None = None
    device: str = "cpu"

    def needed_task(self, name: str, kind: str) -> Task:
        """Return the task, or raise a TgsageError that names the teacher and its kind."""
        if self.task is None:
            raise TgsageError(f"teacher {name!r}: a teacher of kind {kind!r} needs the task")
        return self.task

    def needed_original(self, name: str, original: str) -> xr.DataTree:
        """Return the original, or raise a TgsageError that names both teachers."""
        if self.original is None:
            raise TgsageError(f"teacher {name!r}: needs the teacher {original!r}, which was not handed over")
        return self.original

    def loaded(self, datasets: Iterable[str]) -> Recordings:
        """Read those of these data sets that were handed over."""
        return {name: _loaded(self.recordings[name]) for name in datasets if name in self.recordings}


def _loaded(source: PathLike | tuple[Source, xr.Dataset | None]) -> tuple[Source, xr.Dataset | None]:
    if not isinstance(source, str | os.PathLike):
        return source
    folder = Path(source)
    stimuli = readers.load_stimuli(folder / "stimuli.h5")
    published = folder / "published_rdm.nc"
    if published.is_file():
        return readers.load_published_rdm(published), stimuli
    return readers.load(folder / "assembly.nc"), stimuli


def make(
    settings: TeacherSettings,
    name: str,
    *,
    task: Task | PathLike | None = None,
    recordings: Mapping[str, PathLike | tuple[Source, xr.Dataset | None]] | None = None,
    original: xr.DataTree | PathLike | None = None,
    method: str = "spearman",
    data_root: PathLike | None = None,
    device: str = "cpu",
) -> xr.DataTree:
    """Make a teacher, laid out as :mod:`tgsage.teacher.format` shows.

    Parameters
    ----------
    settings, name
        Settings of one of the kinds of teachers, and the teacher's name.
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
    """Make a teacher, and write its file ``teacher``.

    ``data`` is the configured data folder, and ``datasets`` are the files ``recordings/<dataset>/...`` that
    the teacher is made from. Other parameters are as for :func:`make`.
    """
    folders = {Path(file).parent.name: Path(file).parent for file in datasets}
    root = readers.data_root(data)
    save(
        make(
            settings,
            name,
            task=task,
            recordings=folders,
            original=original,
            method=compare,
            data_root=root,
            device=device,
        ),
        teacher,
    )
