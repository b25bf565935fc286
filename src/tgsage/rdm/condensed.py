"""What an RDM is made of, and the small operations on it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import TgsageError
from .arrays import Array, is_tensor, namespace, numbers, on_device, plain_numpy


def n_stimuli(n_pairs: int) -> int:
    """Return the number n of stimuli whose condensed RDM has n(n-1)/2 = ``n_pairs`` entries.

    Raises
    ------
    TgsageError
        If there is no such number.
    """
    n = (1 + math.isqrt(1 + 8 * n_pairs)) // 2 if n_pairs > 0 else 0
    if n < 2 or n * (n - 1) // 2 != n_pairs:
        raise TgsageError(
            f"{n_pairs} is not the number of pairs of any number of stimuli (n(n-1)/2: 1, 3, 6, 10, ...); "
            "an RDM has one entry for each pair above the diagonal"
        )
    return n


def subset(condensed: Array, index: npt.ArrayLike) -> Any:
    """Return the RDM of some of the stimuli, in the order given (so a permutation reorders it).

    Parameters
    ----------
    condensed
        (..., n(n-1)/2).
    index
        (m,) positions 0..n-1, no two equal, or a mask (n,) of booleans; m >= 2.

    Returns
    -------
    array or tensor
        (..., m(m-1)/2), same kind, dtype and device.

    Raises
    ------
    TgsageError
        If an index is out of range or occurs twice, or fewer than 2 stimuli remain.
    """
    values = _at_least_1d(condensed)
    n = n_stimuli(values.shape[-1])
    chosen = np.asarray(plain_numpy(index))
    if chosen.dtype == bool:
        if chosen.shape != (n,):
            raise TgsageError(f"the mask has shape {chosen.shape}, the RDM {n} stimuli")
        chosen = np.flatnonzero(chosen)
    if chosen.ndim != 1 or (chosen.size and chosen.dtype.kind not in "iu"):
        raise TgsageError("index must be a one-dimensional list of whole numbers, or a mask of booleans")
    chosen = chosen.astype(np.int64)
    if chosen.size < 2:
        raise TgsageError(f"a subset of an RDM needs at least 2 stimuli, got {chosen.size}")
    outside = chosen[(chosen < 0) | (chosen >= n)]
    if outside.size:
        raise TgsageError(f"stimulus {outside[0]} is not in the RDM, which has stimuli 0 to {n - 1}")
    distinct, counts = np.unique(chosen, return_counts=True)
    if distinct.size < chosen.size:
        raise TgsageError(f"stimulus {distinct[counts > 1][0]} occurs twice in the index")
    row, column = np.triu_indices(chosen.size, 1)
    first = np.minimum(chosen[row], chosen[column])
    second = np.maximum(chosen[row], chosen[column])
    pair = first * (2 * n - first - 1) // 2 + second - first - 1
    return values[..., on_device(values, pair)]


def average(rdms: Array | Sequence[Array]) -> Any:
    """Return the mean of RDMs; a pair that is NaN in one of them is NaN in the mean.

    Parameters
    ----------
    rdms
        (A, n(n-1)/2), or a sequence of A condensed RDMs.

    Returns
    -------
    array or tensor
        (n(n-1)/2,): float64 for numpy, the tensors' own floating dtype for torch.

    Raises
    ------
    TgsageError
        If there are none, or they have different numbers of pairs.
    """
    stacked: Any = rdms
    if isinstance(rdms, list | tuple):
        lengths = {int(np.prod(item.shape)) if hasattr(item, "shape") else len(item) for item in rdms}
        if len(lengths) > 1:
            raise TgsageError(f"RDMs to be averaged have different numbers of pairs: {sorted(lengths)}")
        if rdms and all(is_tensor(item) for item in rdms):
            stacked = namespace(rdms[0]).stack(list(rdms))
    values = numbers(stacked, "RDMs")
    if values.ndim != 2 or values.shape[0] == 0:
        raise TgsageError(f"average needs RDMs as (rdm, pair), at least one, got {tuple(values.shape)}")
    n_stimuli(values.shape[1])
    if not is_tensor(values):
        return values.mean(axis=0, dtype=np.float64)
    return (values if values.is_floating_point() else values.float()).mean(0)


def category_means(activations: Array, labels: Array | Sequence[str]) -> Any:
    """Average activations within categories: the rows of a category RDM (Bashivan et al. 2019).

    Parameters
    ----------
    activations
        (n, features).
    labels
        (n,): the category of each row; numbers or strings.

    Returns
    -------
    array or tensor
        (C, features), categories in sorted order of their labels (``numpy.unique``); float64 for numpy, for a
        tensor its own floating dtype (else float32) on its device.

    Raises
    ------
    TgsageError
        If activations are not two-dimensional or there is not one label for each row.
    """
    values = numbers(activations, "activations")
    if values.ndim != 2:
        raise TgsageError(
            f"category_means needs activations as (stimuli, features), got {tuple(values.shape)}"
        )
    names = np.asarray(plain_numpy(labels))
    if names.shape != (values.shape[0],):
        raise TgsageError(f"{values.shape[0]} rows of activations need as many labels, got {names.shape}")
    if not len(names):
        raise TgsageError("category_means needs at least one row of activations")
    categories, member = np.unique(names, return_inverse=True)
    if is_tensor(values) and not values.is_floating_point():
        values = values.float()
    dtype = {} if is_tensor(values) else {"dtype": np.float64}
    # A sum over the rows of each category in their order: on any device the same answer every time, which
    # scattered addition does not give, and a NaN stays in its own category, which a product with an
    # indicator matrix would not.
    order = np.argsort(member, kind="stable")
    groups = np.split(order, np.cumsum(np.bincount(member, minlength=categories.size))[:-1])
    rows = [values[on_device(values, group)].mean(0, **dtype) for group in groups]
    return namespace(values).stack(rows)


def _at_least_1d(condensed: Array) -> Any:
    values = numbers(condensed, "an RDM")
    if values.ndim < 1:
        raise TgsageError("an RDM is a vector of dissimilarities, got a single number")
    return values
