"""The stage: from the settings of any kind of teacher to the teacher."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from ..errors import TgsageError, unknown

# Dotted modules under tgsage that each kind runs. They are imported by name, so that the code digest of one
# kind does not hold the code of another.
_MODULES = {
    "recordings": ("teacher.recorded",),
    "shuffled": ("teacher.controls",),
    "images": ("teacher.images",),
    "network": ("teacher.network",),
}


def stage_modules(kind: str) -> tuple[str, ...]:
    """Modules whose code decides a kind of teacher: ``stage_digest(*stage_modules(settings.kind))``."""
    if kind not in _MODULES:
        raise unknown("kind of teacher", kind, _MODULES)
    return ("teacher.sources", *_MODULES[kind])


def make(
    settings: Any,
    name: str,
    *,
    task: Any = None,
    recordings: Mapping[str, Any] | None = None,
    of: xr.DataTree | str | os.PathLike[str] | None = None,
    method: str = "spearman",
    data_root: str | os.PathLike[str] | None = None,
    device: str = "cpu",
) -> xr.DataTree:
    """Make a teacher.

    Parameters
    ----------
    settings
        One of the kinds of :data:`tgsage.config.teacher.TeacherSource`.
    name
        Of the teacher.
    task
        :class:`tgsage.tasks.Task` or its file: gives the resolution, and the images that must not be among
        the stimuli. A network teacher learns it, or was trained on it.
    recordings
        For ``recordings``: by name of the data set a folder ``recordings/<dataset>`` (``assembly.nc`` or
        ``published_rdm.nc`` beside ``stimuli.h5``), or a pair (assembly or published RDM, stimuli).
    of
        For ``shuffled`` and ``images``: the original teacher or its file.
    method
        Of comparison (``scoring.compare``), for noise ceilings.
    data_root
        For ``network``: folder that a relative ``weights`` is looked for in.
    device
        For ``network``: where it is trained.

    Raises
    ------
    TgsageError
        For whatever a user can put right.
    """
    kind = settings.kind
    if kind not in _MODULES:
        raise unknown("kind of teacher", kind, _MODULES)
    module = importlib.import_module(f"tgsage.{_MODULES[kind][-1]}")
    if isinstance(task, str | os.PathLike):
        task = importlib.import_module("tgsage.tasks").load(task)
    if kind == "recordings":
        wanted = {target.recordings for target in settings.targets.values()}
        loaded = {
            dataset: _recordings(source)
            for dataset, source in (recordings or {}).items()
            if dataset in wanted
        }
        return module.make_recorded(settings, name, loaded, task=task, method=method)
    if kind == "network":
        if task is None:
            raise TgsageError(f"teacher {name!r}: a network teacher needs the task")
        return module.network_teacher(settings, name, task, data_root=data_root, device=device)
    if of is None:
        raise TgsageError(f"teacher {name!r}: needs the teacher {settings.of!r}, which was not handed over")
    if isinstance(of, str | os.PathLike):
        of = importlib.import_module("tgsage.teacher.files").load(of)
    if kind == "images":
        return module.image_teacher(
            of, settings.features, metric=settings.metric, seed=settings.seed, name=name
        )
    return module.shuffled(of, within=settings.within, seed=settings.seed, name=name)


def _recordings(source: Any) -> tuple[Any, Any]:
    """Assembly or published RDM, and stimuli."""
    if not isinstance(source, str | os.PathLike):
        return source
    io = importlib.import_module("tgsage.recordings")
    folder = Path(source)
    stimuli = io.load_stimuli(folder / "stimuli.h5")
    if (folder / "published_rdm.nc").is_file():
        return io.load_published_rdm(folder / "published_rdm.nc"), stimuli
    return io.load(folder / "assembly.nc"), stimuli
