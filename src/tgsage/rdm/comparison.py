"""RDMs to similarities."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import TgsageError, unknown
from .arrays import Array, Values, full_like, is_tensor, namespace, numbers, plain_numpy
from .condensed import n_stimuli
from .ranks import average_ranks, concordance, dense_ranks

if TYPE_CHECKING:
    import torch

METHODS = ("pearson", "spearman", "kendall", "rho_a", "cosine", "whitened")


def compare(a: Array, b: Array, method: str = "spearman") -> Any:
    """Similarity of every RDM in ``a`` with every RDM in ``b``.

    Parameters
    ----------
    a, b
        (A, n(n-1)/2) and (B, n(n-1)/2), n >= 3 stimuli; a vector counts as one RDM.
    method
        ``pearson``: correlation of the entries.
        ``spearman``: correlation of their ranks, ties sharing the mean of theirs. It favours RDMs with ties.
        ``kendall``: tau-a, (concordant - discordant pairs) / all pairs; exact.
        ``rho_a``: Spearman's rho expected when ties are broken at random (Schuett et al. 2023, eLife 12,
        e82566); fair to RDMs with ties, and as quick as Spearman.
        ``cosine``: cosine of the angle between the vectors, for ratio scales such as cross-validated
        distances.
        ``whitened``: Pearson correlation after whitening by the covariance that distance estimates have
        because pairs share stimuli (Diedrichsen et al. 2021, "Comparing representational geometries using
        whitened unbiased-distance-matrix similarity"); noise equal and independent over stimuli;
        rsatoolbox's 'corr_cov'.

    Returns
    -------
    array or tensor
        (A, B) float64 in [-1, 1]; a tensor if ``a`` or ``b`` is one, on its device. NaN for an RDM with an
        entry that is not finite: pairs are never dropped. NaN also for an RDM without variance (without
        length for ``cosine``); ``kendall`` and ``rho_a`` are defined there and give 0.

    Raises
    ------
    TgsageError
        If the method is unknown, the numbers of pairs differ or belong to no number of stimuli, or there are
        fewer than 3 stimuli.

    Examples
    --------
    >>> compare([1.0, 2.0, 4.0], [[1.0, 3.0, 2.0], [0.0, 0.0, 1.0]], "kendall").round(3)
    array([[0.333, 0.667]])
    """
    if method not in METHODS:
        raise unknown("comparison method", method, METHODS)
    same = a is b
    first, second = _rows(a, "a"), _rows(b, "b")
    if first.shape[1] != second.shape[1]:
        raise TgsageError(
            f"RDMs of unequal size cannot be compared: {first.shape[1]} pairs in a, {second.shape[1]} in b"
        )
    n = n_stimuli(first.shape[1])
    if n < 3:
        raise TgsageError(f"comparing RDMs needs at least 3 stimuli, got {n}")
    device = next((values.device for values in (first, second) if is_tensor(values)), None)
    # On the host numpy does the work for tensors too: its sort is several times faster.
    if device is None or device.type == "cpu" or method == "kendall":
        first, second = plain_numpy(first), plain_numpy(second)
    else:
        first, second = _tensor(first, device), _tensor(second, device)
    with np.errstate(all="ignore"):
        if method == "kendall":
            result = _kendall(first, second)
        else:
            left = _vectors(first, n, method)
            right = left if same else _vectors(second, n, method)
            result = namespace(first).clip(left @ right.T, -1, 1)
    return result if device is None else _tensor(result, device)


def _rows(values: Array, name: str) -> Any:
    rdms = numbers(values, f"RDMs {name}")
    if rdms.ndim == 1:
        rdms = rdms[None]
    if rdms.ndim != 2:
        raise TgsageError(
            f"compare needs condensed RDMs as (rdm, pair), got shape {tuple(rdms.shape)} for {name}"
        )
    return rdms


def _tensor(values: Array, device: torch.device) -> torch.Tensor:
    tensor: torch.Tensor = sys.modules["torch"].asarray(values, device=device)
    return tensor


def _vectors(rdms: Values, n: int, method: str) -> Values:
    """Return float64 vectors whose inner products are the similarities; NaN where an RDM has none."""
    xp = namespace(rdms)
    n_pairs = rdms.shape[1]
    one: Values = xp.asarray(1, dtype=xp.float64, device=rdms.device)
    vectors: Values
    good = xp.isfinite(rdms).all(1)
    if method in ("spearman", "rho_a"):
        # Each RDM is ranked once, however many it is compared with.
        vectors = full_like(one, tuple(rdms.shape), 0)
        for row, usable in enumerate(good.tolist()):
            if usable:
                vectors[row] = average_ranks(rdms[row]) - (n_pairs + 1) / 2
    else:
        vectors = xp.where(good[:, None], xp.asarray(rdms, dtype=xp.float64), one)
        # The largest becomes 1, so that no square overflows or vanishes, and entries that are all alike
        # become 0 exactly below: divided by their length of 0 they are NaN.
        vectors /= xp.amax(abs(vectors), 1)[:, None]
        if method != "cosine":
            vectors -= vectors.mean(1)[:, None]
    if method == "whitened":
        vectors = _whiten(vectors, n)
    if method == "rho_a":
        # Schuett et al. 2023: 12 / (m^3 - m) times the inner product of centred ranks.
        vectors *= (12 / (float(n_pairs) ** 3 - n_pairs)) ** 0.5
    else:
        vectors /= xp.sqrt((vectors * vectors).sum(1))[:, None]
    vectors[~good] = np.nan
    return vectors


def _whiten(centred: Values, n: int) -> Values:
    """Return (A, n(n-1)/2 + n) vectors whose cosine is that of the RDMs in the metric of V^-1.

    V = (C C^T) squared entry by entry, C the matrix of pairwise contrasts, is the covariance of distance
    estimates up to a factor. d^T V^-1 e is, up to a factor, the inner product of the doubly centred
    second-moment matrices -H D H / 2 (Diedrichsen et al. 2021; linear CKA), so nothing of size pairs x pairs
    is ever made.
    """
    xp = namespace(centred)
    total = full_like(centred, (centred.shape[0], n), 0)
    end = 0
    for row in range(n - 1):
        begin, end = end, end + n - 1 - row
        part = centred[:, begin:end]
        total[:, row] += part.sum(1)
        total[:, row + 1 :] += part
    mean = total / n
    grand = mean.mean(1)[:, None]
    vectors: Values = xp.concatenate([centred, grand - 2 * mean], 1)
    end = 0
    for row in range(n - 1):
        begin, end = end, end + n - 1 - row
        vectors[:, begin:end] += grand - mean[:, row, None] - mean[:, row + 1 :]
    # Entries off the diagonal stand in the matrix twice.
    vectors[:, : centred.shape[1]] *= 2**0.5
    return vectors


def _kendall(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    result = np.full((a.shape[0], b.shape[0]), np.nan)
    left, right = ([dense_ranks(row) if np.isfinite(row).all() else None for row in rdms] for rdms in (a, b))
    for i, one in enumerate(left):
        for j, other in enumerate(right):
            if one is not None and other is not None:
                difference, total = concordance(*one, *other)
                result[i, j] = difference / total
    return result
