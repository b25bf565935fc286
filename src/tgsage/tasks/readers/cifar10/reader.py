"""CIFAR-10 (Krizhevsky 2009) from its standard python pickles."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...pickles import batch, field, read_pickle, texts
from ...published import Published, split_task
from ...task import Task

if TYPE_CHECKING:
    from .plugin import Cifar10

BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))


def read(settings: Cifar10, data_root: Path, scratch: Path | None = None) -> Task:
    """Read the task: validation is split off the training images, test images stay test images.

    A training image that equals a test image, or an earlier training image, is left out, and so is a test
    image that equals an earlier one: where the published parts overlap, the training set gives way.

    Raises
    ------
    TgsageError
        If a batch is missing, truncated or of the wrong shape, a label is out of range, or more images are
        asked for than there are.
    """
    folder = data_root / settings.folder
    meta = folder / "batches.meta"
    names = texts(field(read_pickle(meta), "label_names", meta))
    parts = {
        part: (batch(folder / name, len(names)) for name in files)
        for part, files in (("train", BATCHES), ("test", ("test_batch",)))
    }
    return split_task(Published("cifar10", str(folder), names, parts), settings, scratch)


def raw_files(settings: Cifar10, data_root: Path) -> list[Path]:
    """The files that :func:`read` reads, whether they exist or not."""
    return [data_root / settings.folder / name for name in ("batches.meta", *BATCHES, "test_batch")]
