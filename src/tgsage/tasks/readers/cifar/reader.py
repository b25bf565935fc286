"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009) from their standard python pickles."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...pickles import as_text, batch, field, read_pickle
from ...published import Published, split_task
from ...task import Task

if TYPE_CHECKING:
    from .plugin import CifarSettings


def read(settings: CifarSettings, data_root: Path, scratch: Path | None = None) -> Task:
    """Read the task: validation is split off the training images, test images stay test images.

    A training image that equals a test image, or an earlier training image, is left out, and so is a test
    image that equals an earlier one: where the published parts overlap, the training set gives way.

    Raises
    ------
    TgsageError
        If a file is missing, truncated or of the wrong shape, a label is out of range, or more images are
        asked for than there are.
    """
    folder, kind = data_root / settings.folder, settings.label_kind()
    meta = folder / settings.meta
    names = [as_text(name) for name in field(read_pickle(meta), f"{kind}label_names", meta)]
    parts = {
        part: (batch(folder / file, len(names), f"{kind}labels") for file in files)
        for part, files in settings.batches.items()
    }
    return split_task(Published(settings.plugin_name(), str(folder), names, parts), settings, scratch)


def raw_files(settings: CifarSettings, data_root: Path) -> list[Path]:
    """Return the files that :func:`read` reads, whether they exist or not."""
    names = [settings.meta, *(file for files in settings.batches.values() for file in files)]
    return [data_root / settings.folder / name for name in names]
