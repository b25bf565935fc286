"""CIFAR-100 (Krizhevsky 2009) from its standard python pickles."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...pickles import batch, field, read_pickle, texts
from ...published import Published, split_task
from ...task import Task

if TYPE_CHECKING:
    from .plugin import Cifar100


def read(settings: Cifar100, data_root: Path, scratch: Path | None = None) -> Task:
    """Read the task with its fine or its coarse labels; validation is split off the training images.

    Raises
    ------
    TgsageError
        If a file is missing, truncated or of the wrong shape, a label is out of range, or more images are
        asked for than there are.
    """
    folder = data_root / settings.folder
    meta = folder / "meta"
    names = texts(field(read_pickle(meta), f"{settings.labels}_label_names", meta))
    parts = {
        part: (batch(folder / name, len(names), f"{settings.labels}_labels") for name in (part,))
        for part in ("train", "test")
    }
    return split_task(Published("cifar100", str(folder), names, parts), settings, scratch)


def raw_files(settings: Cifar100, data_root: Path) -> list[Path]:
    """The files that :func:`read` reads, whether they exist or not."""
    return [data_root / settings.folder / name for name in ("meta", "train", "test")]
