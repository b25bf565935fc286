"""One number per candidate and target out of the similarities of its layers.

All functions take similarities (rows, targets, layers), layers in order of depth and NaN where there is no
such layer or it is dead, and return (rows, targets): NaN where no layer is left. A dead layer (its
activations do not differ between images) says nothing and is passed over, as in
:func:`tgsage.runs.rsa.target_scores`.
"""

from __future__ import annotations

import numpy as np

from ..errors import TgsageError


def largest(similarities: np.ndarray) -> np.ndarray:
    """The paper's S_i: the maximum over layers."""
    held = np.where(np.isfinite(similarities), similarities, -np.inf).max(axis=2, initial=-np.inf)
    return np.where(np.isfinite(held), held, np.nan)


def mean(similarities: np.ndarray) -> np.ndarray:
    """Mean over layers."""
    return weighted(similarities, np.ones((len(similarities), similarities.shape[2])))


def first(similarities: np.ndarray) -> np.ndarray:
    """The shallowest live layer.

    Index 0 of the profile unless that layer is dead. In every space it is the first *searched* cell or layer
    (``cells.0``, ``layers.0``; with ``probes: stages`` of nasbench201 the last cell of the first stack); the
    stem is no probe.
    """
    if similarities.shape[2] == 0:
        return np.full(similarities.shape[:2], np.nan)
    index = np.isfinite(similarities).argmax(axis=2)
    return np.take_along_axis(similarities, index[:, :, None], axis=2)[:, :, 0]


def last(similarities: np.ndarray) -> np.ndarray:
    """The deepest live layer."""
    return first(similarities[:, :, ::-1])


def weighted(similarities: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted mean over live layers.

    Parameters
    ----------
    weights
        (rows, layers), at least 0. NaN comes out where the weights of all live layers are 0.
    """
    live = np.isfinite(similarities)
    held = np.where(live, np.broadcast_to(weights[:, None, :], similarities.shape), 0.0)
    total = held.sum(axis=2)
    values = (held * np.where(live, similarities, 0.0)).sum(axis=2)
    return np.divide(values, total, out=np.full(total.shape, np.nan), where=total > 0)


def depth_weights(weights: list[float], numbers: np.ndarray, depth: int) -> np.ndarray:
    """Interpolate weights over relative depth onto candidates' own numbers of layers.

    Weight k of m belongs to the relative depth k / (m - 1), layer j of n to j / (n - 1); linear in between. A
    single weight is that of every layer; a single layer has weight 1.

    Parameters
    ----------
    weights
        At least 0, not all 0.
    numbers
        (rows,): layers of each candidate, 0 to ``depth``.
    depth
        Layers of the profiles.

    Returns
    -------
    numpy.ndarray
        (rows, depth); the weights of a row's own layers sum to 1, the rest are 0.

    Raises
    ------
    TgsageError
        If the weights are 0 at every layer of a candidate.
    """
    found = np.zeros((len(numbers), depth))
    for n in np.unique(numbers):
        if n == 0:
            continue
        places = np.linspace(0, 1, n) if n > 1 else np.zeros(1)
        own = np.interp(places, np.linspace(0, 1, len(weights)), weights) if len(weights) > 1 else np.ones(n)
        if n == 1:
            own = np.ones(1)
        if own.sum() <= 0:
            raise TgsageError(
                f"guidance.weights: are 0 at every layer of a candidate with {n} layers; give more depths a "
                "weight"
            )
        found[numbers == n, :n] = own / own.sum()
    return found


def gains(similarities: np.ndarray, untrained: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """What training added to every layer, (rows, targets, layers).

    Parameters
    ----------
    untrained
        Like ``similarities``, of the untrained network.
    rows
        (rows,) of bool: the candidates that are ok.

    Raises
    ------
    TgsageError
        If the untrained network was kept of none of them.
    """
    if rows.any() and not np.isfinite(untrained[rows]).any():
        raise TgsageError(
            "guidance: 'gain' needs the similarity of the untrained networks, and none was kept; add 0 to "
            "search.premature.checkpoints"
        )
    return similarities - untrained
