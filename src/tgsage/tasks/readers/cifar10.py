"""CIFAR-10 (Krizhevsky 2009) from its standard python pickles."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...config.task import Cifar10
from ...errors import TgsageError
from ..split import keep_classes, resized, stratified, without_repeats
from ..task import Part, Task, image_hashes
from .pickles import field, images, read_pickle, texts

BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))


def read(settings: Cifar10, data_root: Path) -> Task:
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
    pool = _join([_batch(folder / name, len(names)) for name in BATCHES])
    test = _batch(folder / "test_batch", len(names))
    # Resized first: what is told apart, and split, is what the networks will see.
    pool, test = (Part(resized(part.images, settings.resolution), part.labels) for part in (pool, test))
    test = keep_classes(without_repeats(test), names, settings.classes, "task.classes")
    pool = keep_classes(
        without_repeats(pool, image_hashes(test.images)), names, settings.classes, "task.classes"
    )
    n_train = settings.n_train or len(pool) - settings.n_validation
    if n_train < 1:
        raise TgsageError(
            f"task.n_validation: {settings.n_validation} leaves no training image of {len(pool)}; lower it"
        )
    where = f"{folder}, training images"
    train, validation = stratified(pool.labels, [n_train, settings.n_validation], settings.seed, where)
    tested = [np.arange(len(test))]
    if settings.n_test is not None:
        tested = stratified(test.labels, [settings.n_test], settings.seed, f"{folder}, test images")

    def part(source: Part, index: np.ndarray) -> Part:
        return Part(source.images[index], source.labels[index])

    return Task(
        name="cifar10",
        train=part(pool, train),
        validation=part(pool, validation),
        test=part(test, tested[0]),
        classes=tuple(settings.classes or names),
    )


def _batch(path: Path, n_classes: int) -> Part:
    content = read_pickle(path)
    pictures = images(content, path)
    try:
        labels = np.asarray(field(content, "labels", path))
    except ValueError:  # a ragged list
        labels = np.empty(0)
    if labels.shape != (len(pictures),) or labels.dtype.kind not in "iu":
        raise TgsageError(f"{path}: has {len(pictures)} images and labels {labels.shape}; download it again")
    outside = np.flatnonzero((labels < 0) | (labels >= n_classes))
    if len(outside):
        raise TgsageError(
            f"{path}: image {outside[0]} has label {labels[outside[0]]}, which is none of the {n_classes} "
            "classes; download it again"
        )
    return Part(pictures, labels.astype(np.int64))


def _join(parts: list[Part]) -> Part:
    return Part(
        np.concatenate([part.images for part in parts]), np.concatenate([part.labels for part in parts])
    )
