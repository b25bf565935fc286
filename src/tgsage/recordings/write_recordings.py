"""The stages that read recordings, as files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .. import recordings

if TYPE_CHECKING:
    from .settings import RecordingsSettings

PathLike = str | os.PathLike[str]


def write_assembly(
    assembly: PathLike, stimuli: PathLike, *, settings: RecordingsSettings, data: str | None
) -> None:
    """Read a data set from the configured data folder, and write ``assembly.nc`` and ``stimuli.h5``."""
    responses, images = recordings.make(settings, recordings.data_root(data))
    recordings.save(responses, assembly)
    recordings.save_stimuli(images, stimuli)


def write_published_rdm(
    published_rdm: PathLike, stimuli: PathLike, *, settings: RecordingsSettings, data: str | None
) -> None:
    """Read a data set of which only RDMs are published, and write ``published_rdm.nc`` and ``stimuli.h5``."""
    rdms, images = recordings.make_published_rdm(settings, recordings.data_root(data))
    recordings.save_published_rdm(rdms, published_rdm)
    recordings.save_stimuli(images, stimuli)
