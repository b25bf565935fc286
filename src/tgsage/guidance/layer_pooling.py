"""Pooling of similarities over layers: one number per candidate and target.

All functions take similarities (rows, targets, layers), with layers in the order of depth and NaN for layers
that are absent or dead (their activations do not differ between images). Dead layers are ignored, as in
:func:`tgsage.runs.rsa.target_scores`. Unless stated otherwise, they return (rows, targets), NaN if no layer
is left.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import TgsageError
from .base import Array


def largest(similarities: Array) -> Array:
    """Return the maximum over layers, the paper's S_i."""
    largest = np.where(np.isfinite(similarities), similarities, -np.inf).max(axis=2, initial=-np.inf)
    return np.where(np.isfinite(largest), largest, np.nan)


def mean(similarities: Array) -> Array:
    """Return the mean over layers."""
    return weighted(similarities, np.ones((len(similarities), similarities.shape[2])))


def first(similarities: Array) -> Array:
    """Return the value of the shallowest live layer.

    In every space, the first layer is the first *searched* cell or layer (``cells.0``, ``layers.0``, or the
    last cell of the first stack with ``probes: stages`` of nasbench201), since the stem is no probe.
    """
    if similarities.shape[2] == 0:
        return np.full(similarities.shape[:2], np.nan)
    index = np.isfinite(similarities).argmax(axis=2)
    values: Array = np.take_along_axis(similarities, index[:, :, None], axis=2)[:, :, 0]
    return values


def last(similarities: Array) -> Array:
    """Return the value of the deepest live layer."""
    return first(similarities[:, :, ::-1])


def weighted(similarities: Array, weights: Array) -> Array:
    """Return the mean over live layers with weights >= 0, (rows, layers); NaN if all of them are 0."""
    live = np.isfinite(similarities)
    live_weights = np.where(live, np.broadcast_to(weights[:, None, :], similarities.shape), 0.0)
    total = live_weights.sum(axis=2)
    values = (live_weights * np.where(live, similarities, 0.0)).sum(axis=2)
    return np.asarray(np.divide(values, total, out=np.full(total.shape, np.nan), where=total > 0))


def depth_weights(weights: list[float], numbers: NDArray[np.int_], depth: int) -> Array:
    """Interpolate weights over relative depth onto the layers of each candidate.

    Weight k of m is at the relative depth k / (m - 1), and layer j of n at j / (n - 1); weights are linear in
    between. A single weight applies to every layer; a single layer has weight 1.

    ``numbers`` (rows,) holds the number of layers of each candidate, 0 to ``depth``, the number of layers of
    the profiles. In the result (rows, depth), the weights of a candidate's layers sum to 1, and the rest are
    0. A TgsageError if the weights are 0 at every layer of a candidate.
    """
    interpolated = np.zeros((len(numbers), depth))
    for n in np.unique(numbers):
        if n == 0:
            continue
        of_layers = np.ones(n)
        if n > 1 and len(weights) > 1:
            of_layers = np.interp(np.linspace(0, 1, n), np.linspace(0, 1, len(weights)), weights)
        if of_layers.sum() <= 0:
            raise TgsageError(
                f"guidance.weights: are 0 at every layer of a candidate with {n} layers; give more depths a "
                "weight"
            )
        interpolated[numbers == n, :n] = of_layers / of_layers.sum()
    return interpolated


def gains(similarities: Array, untrained: Array, rows: NDArray[np.bool_]) -> Array:
    """Return what training added to every layer, (rows, targets, layers).

    A TgsageError if the untrained network of none of the candidates that are ok, ``rows``, was kept.
    """
    if rows.any() and not np.isfinite(untrained[rows]).any():
        raise TgsageError(
            "guidance: 'gain' needs the similarity of the untrained networks, and none was kept; add 0 to "
            "search.premature.checkpoints"
        )
    return similarities - untrained
