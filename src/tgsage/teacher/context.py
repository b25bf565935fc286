"""What a kind of teacher gets to make a teacher of."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import xarray as xr

from .. import recordings as parts
from ..errors import TgsageError

if TYPE_CHECKING:
    from ..tasks.task import Task

Source = xr.DataArray | xr.Dataset
"""An assembly, or a published RDM."""
Recordings = Mapping[str, tuple[Source, xr.Dataset | None]]
"""By name of the data set: (assembly or published RDM, stimuli)."""


@dataclass(frozen=True, kw_only=True)
class TeacherContext:
    """What a teacher may be made of: the arguments of :func:`tgsage.teacher.make`, their files read."""

    task: Task | None = None
    recordings: Mapping[str, str | os.PathLike[str] | tuple[Source, xr.Dataset | None]] = field(
        default_factory=dict
    )
    original: xr.DataTree | None = None
    method: str = "spearman"
    data_root: str | os.PathLike[str] | None = None
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


def _loaded(
    source: str | os.PathLike[str] | tuple[Source, xr.Dataset | None],
) -> tuple[Source, xr.Dataset | None]:
    if not isinstance(source, str | os.PathLike):
        return source
    folder = Path(source)
    stimuli = parts.load_stimuli(folder / "stimuli.h5")
    published = folder / "published_rdm.nc"
    if published.is_file():
        return parts.load_published_rdm(published), stimuli
    return parts.load(folder / "assembly.nc"), stimuli
