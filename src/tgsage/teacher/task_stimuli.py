"""Images of the task itself as a teacher's stimuli."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import TgsageError
from ..store import seed_from
from ..tasks import image_hashes


def task_stimuli(
    n_stimuli: int, seed: int, name: str, task: Any
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pick validation images, balanced over classes, none of which is also a training or test image.

    Parameters
    ----------
    n_stimuli
        How many.
    seed
        Of the draw; the same for every teacher whose RDMs are taken on a task's own images.
    name
        Of the teacher, for messages.
    task
        :class:`tgsage.tasks.Task`.

    Returns
    -------
    tuple
        Images uint8 (n, y, x, 3), labels (n,), and their places among the validation images (n,).

    Raises
    ------
    TgsageError
        If the task has too few.
    """
    part = task.validation
    forbidden = {picture for other in (task.train, task.test) for picture in image_hashes(other.images)}
    rng = np.random.default_rng(seed_from("network teacher stimuli", seed, task.digest))
    order = rng.permutation(len(part.labels))
    hashes = image_hashes(part.images)
    order = order[[hashes[row] not in forbidden for row in order]]
    if len(order) < n_stimuli:
        raise TgsageError(
            f"teacher {name!r}: n_stimuli is {n_stimuli} and the task has {len(order)} validation "
            "images that are not training or test images; lower n_stimuli or raise the task's n_validation"
        )
    # How many of its class came before: sorting by it takes the first of every class, then the second, …
    rank = np.empty(len(order), int)
    for label in range(task.n_classes):
        members = np.flatnonzero(part.labels[order] == label)
        rank[members] = np.arange(len(members))
    index = np.sort(order[np.argsort(rank, kind="stable")[:n_stimuli]])
    return np.asarray(part.images[index]), part.labels[index], index
