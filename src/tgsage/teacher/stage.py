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
    "recordings": ("teacher.kinds.recordings.teacher",),
    "shuffled": ("teacher.kinds.shuffled.teacher",),
    "images": ("teacher.kinds.images.teacher",),
    "network": ("teacher.kinds.network.teacher",),
    "pretrained": ("teacher.kinds.pretrained.teacher",),
    "encoded": ("teacher.kinds.encoded.teacher",),
    "encoded_control": ("teacher.kinds.encoded_control.teacher",),
}


def stage_modules(kind: str) -> tuple[str, ...]:
    """Modules whose code decides a kind of teacher: ``stage_digest(*stage_modules(settings.kind))``."""
    if kind not in _MODULES:
        raise unknown("kind of teacher", kind, _MODULES)
    return ("teacher.stage", *_MODULES[kind])


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
        the stimuli. A network teacher learns it, or was trained on it. Network, pretrained and encoded
        teachers have images of it as stimuli.
    recordings
        For ``recordings``, ``encoded`` and ``encoded_control``: by name of the data set a folder
        ``recordings/<dataset>`` (``assembly.nc`` or ``published_rdm.nc`` beside ``stimuli.h5``), or a pair
        (assembly or published RDM, stimuli).
    of
        For ``shuffled``, ``images`` and ``encoded_control``: the original teacher or its file.
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
    kind = settings.kind
    if kind not in _MODULES:
        raise unknown("kind of teacher", kind, _MODULES)
    module = importlib.import_module(f"tgsage.{_MODULES[kind][-1]}")
    if isinstance(task, str | os.PathLike):
        task = importlib.import_module("tgsage.tasks").load(task)
    if kind == "recordings":
        loaded = _wanted(settings.targets, recordings)
        return module.make_recorded(settings, name, loaded, task=task, method=method)
    networks = {"data_root": data_root, "device": device}
    if task is None and kind in ("network", "pretrained", "encoded", "encoded_control"):
        raise TgsageError(f"teacher {name!r}: a teacher of kind {kind!r} needs the task")
    if kind == "network":
        return module.network_teacher(settings, name, task, **networks)
    if kind == "pretrained":
        return module.pretrained_teacher(settings, name, task, **networks)
    if kind == "encoded":
        loaded = _wanted(settings.targets, recordings)
        return module.encoded_teacher(settings, name, loaded, task, **networks)
    if of is None:
        raise TgsageError(f"teacher {name!r}: needs the teacher {settings.of!r}, which was not handed over")
    if isinstance(of, str | os.PathLike):
        of = importlib.import_module("tgsage.teacher.format").load(of)
    if kind == "encoded_control":
        datasets = {group.attrs.get("recordings", "") for group in of.children.values()}
        loaded = {one: _recordings(source) for one, source in (recordings or {}).items() if one in datasets}
        return module.encoded_control(settings, name, of, loaded, task, **networks)
    if kind == "images":
        return module.image_teacher(
            of, settings.features, metric=settings.metric, seed=settings.seed, name=name
        )
    return module.shuffled(of, within=settings.within, seed=settings.seed, name=name)


def _wanted(targets: Mapping[str, Any], recordings: Mapping[str, Any] | None) -> dict[str, tuple[Any, Any]]:
    """The recordings that some target is of."""
    wanted = {target.recordings for target in targets.values()}
    return {
        dataset: _recordings(source) for dataset, source in (recordings or {}).items() if dataset in wanted
    }


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
