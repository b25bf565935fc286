"""Stratified draws of labelled images, and subsets of classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import TgsageError, unknown
from ..store import seed_from


def stratified(labels: np.ndarray, sizes: Sequence[int], seed: int, where: str) -> list[np.ndarray]:
    """Draw disjoint index sets that hold the classes in the proportions of ``labels``.

    Parameters
    ----------
    labels
        (n,) int.
    sizes
        Number of images of each set. The classes' shares are rounded so that they add up (largest
        remainders, the lower class first where equal).
    seed
        Of the draw.

    Returns
    -------
    list
        Sorted indices into ``labels``, one array per size.

    Raises
    ------
    TgsageError
        If fewer images are there than asked for, or a set is smaller than the number of classes.
    """
    classes, counts = np.unique(labels, return_counts=True)
    if sum(sizes) > len(labels):
        raise TgsageError(
            f"{where}: {sum(sizes)} images are asked for and {len(labels)} are there; lower the numbers"
        )
    for size in sizes:
        if size < len(classes):
            raise TgsageError(
                f"{where}: a part of {size} images cannot hold {len(classes)} classes; ask for more images"
            )
    rng = np.random.default_rng(seed_from("task split", seed))
    pools = {label: rng.permutation(np.flatnonzero(labels == label)) for label in classes}
    drawn = []
    for size in sizes:
        left = np.array([len(pools[label]) for label in classes])
        exact = size * counts / counts.sum()
        shares = np.floor(exact).astype(int)
        shares[np.argsort(shares - exact, kind="stable")[: size - shares.sum()]] += 1
        quota = np.minimum(shares, left)
        # Where a class has run out, the others make up for it.
        while quota.sum() < size:
            quota[np.argmax(left - quota)] += 1
        of_classes = []
        for label, number in zip(classes, quota, strict=True):
            of_classes.append(pools[label][:number])
            pools[label] = pools[label][number:]
        drawn.append(np.sort(np.concatenate(of_classes)))
    return drawn


def renumbering(names: Sequence[str], wanted: Sequence[str] | None, key: str) -> np.ndarray:
    """Return, for every class of ``names``, its number in the order of ``wanted``; -1 for those left out.

    Raises
    ------
    TgsageError
        If a wanted class does not exist, is named twice, or is the only one.
    """
    if wanted is None:
        return np.arange(len(names))
    if len(wanted) < 2:
        raise TgsageError(f"{key}: names {len(wanted)} classes; a task needs at least 2")
    if len(set(wanted)) != len(wanted):
        raise TgsageError(f"{key}: a class is named twice")
    renumber = np.full(len(names), -1)
    for number, name in enumerate(wanted):
        if name not in names:
            raise unknown("class", name, names)
        renumber[list(names).index(name)] = number
    return renumber
