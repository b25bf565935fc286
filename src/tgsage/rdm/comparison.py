"""RDMs to similarities."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import TgsageError, unknown
from .arrays import Array, Values, as_tensor, full_like, is_tensor, namespace, numbers, plain_numpy
from .condensed import n_stimuli
from .ranks import centred_ranks, concordance, dense_ranks

METHODS = ("pearson", "spearman", "kendall", "rho_a", "cosine", "whitened")
RANKED = ("spearman", "kendall", "rho_a")
"""Methods for which the order of an RDM's entries is all that counts."""

# Inner products of ranks are taken some at a time, which stay in a processor's cache as float64.
_CHUNK = 1 << 15


@dataclass(frozen=True, eq=False)
class Comparable:
    """RDMs made ready for a method of comparison, once for however many they are compared with.

    A similarity is the inner product of two rows of ``values`` over their ``lengths``, (A,) float64, NaN for
    an RDM that has none. Rows are float64, or int32 where they are ranks. For ``kendall`` they are ranks
    without gaps, and the lengths are numbers of tied pairs.
    """

    method: str
    n_pairs: int
    values: Any
    lengths: Any


def comparable(rdms: Array, method: str = "spearman", *, ranked: bool = False) -> Comparable:
    """Do once what :func:`compare` needs of an RDM, which is mostly to rank it.

    Parameters
    ----------
    rdms, method
        As for :func:`compare`.
    ranked
        The numbers are no RDMs but the ranks of their entries, as :func:`tgsage.rdm.ranks.centred_ranks`
        returns them; for a method of :data:`RANKED`.

    Raises
    ------
    TgsageError
        As :func:`compare`.
    """
    if method not in METHODS:
        raise unknown("comparison method", method, METHODS)
    rows = numbers(rdms, "RDMs")
    if rows.ndim == 1:
        rows = rows[None]
    if rows.ndim != 2:
        raise TgsageError(f"compare needs condensed RDMs as (rdm, pair), got shape {tuple(rows.shape)}")
    n_pairs = rows.shape[1]
    n = n_stimuli(n_pairs)
    if n < 3:
        raise TgsageError(f"comparing RDMs needs at least 3 stimuli, got {n}")
    # On the host numpy does the work for tensors too: its sort is several times faster.
    if not is_tensor(rows) or rows.device.type == "cpu" or method == "kendall":
        rows = plain_numpy(rows)
    with np.errstate(all="ignore"):
        good = namespace(rows).isfinite(rows).all(1)
        if method == "kendall":
            values, lengths = _dense(rows, good)
        elif method in RANKED:
            # What is not finite gets ranks too, and a length of NaN.
            ranks = rows if ranked else [centred_ranks(row) for row in rows]
            values = ranks[0][None] if len(ranks) == 1 else namespace(rows).stack(list(ranks))
            lengths = _rank_lengths(values, good, method)
        else:
            values = _vectors(rows, good, n, method)
            lengths = full_like(values, (rows.shape[0],), 1)
    return Comparable(method, n_pairs, values, lengths)


def compare(a: Array | Comparable, b: Array | Comparable, method: str = "spearman") -> Any:
    """Similarity of every RDM in ``a`` with every RDM in ``b``.

    Parameters
    ----------
    a, b
        (A, n(n-1)/2) and (B, n(n-1)/2), n >= 3 stimuli; a vector counts as one RDM. Or what
        :func:`comparable` made of them for this method.
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
        If the method is unknown or not the one that the RDMs were made ready for, the numbers of pairs differ
        or belong to no number of stimuli, or there are fewer than 3 stimuli.

    Examples
    --------
    >>> compare([1.0, 2.0, 4.0], [[1.0, 3.0, 2.0], [0.0, 0.0, 1.0]], "kendall").round(3)
    array([[0.333, 0.667]])
    """
    if method not in METHODS:
        raise unknown("comparison method", method, METHODS)
    left = a if isinstance(a, Comparable) else comparable(a, method)
    right = left if a is b else b if isinstance(b, Comparable) else comparable(b, method)
    for side in (left, right):
        if side.method != method:
            raise TgsageError(f"RDMs made ready for {side.method!r} cannot be compared by {method!r}")
    if left.n_pairs != right.n_pairs:
        raise TgsageError(
            f"RDMs of unequal size cannot be compared: {left.n_pairs} pairs in a, {right.n_pairs} in b"
        )
    given = [side.values if isinstance(side, Comparable) else side for side in (a, b)]
    device = next((values.device for values in map(as_tensor, given) if values is not None), None)
    with np.errstate(all="ignore"):
        if method == "kendall":
            result = _kendall(left, right)
        else:
            if is_tensor(left.values) or is_tensor(right.values):
                left, right = _moved(left, device), _moved(right, device)
            lengths = left.lengths[:, None] * right.lengths[None, :]
            result = namespace(lengths).clip(_inner_products(left.values, right.values) / lengths, -1, 1)
    return result if device is None else sys.modules["torch"].asarray(result, device=device)


def _moved(side: Comparable, device: Any) -> Comparable:
    torch = sys.modules["torch"]
    values, lengths = (torch.asarray(one, device=device).double() for one in (side.values, side.lengths))
    return Comparable(side.method, side.n_pairs, values, lengths)


def _inner_products(left: Any, right: Any) -> Any:
    """Inner products in float64 of all rows with all, (A, B)."""
    if is_tensor(left):
        return left @ right.T
    # Not by BLAS, which adds up otherwise with another number of threads.
    total = np.zeros((left.shape[0], right.shape[0]))
    for start in range(0, left.shape[1], _CHUNK):
        one, other = (np.asarray(rows[:, start : start + _CHUNK], np.float64) for rows in (left, right))
        total += np.einsum("ai,bi->ab", one, other)
    return total


def _rank_lengths(ranks: Values, good: Values, method: str) -> Values:
    xp = namespace(ranks)
    n_pairs = float(ranks.shape[1])
    if method == "rho_a":
        # Schuett et al. 2023: 12 / (m^3 - m) times the inner product of centred ranks; here they are doubled.
        lengths = [((n_pairs**3 - n_pairs) / 3) ** 0.5] * ranks.shape[0]
    else:
        lengths = [float(_inner_products(row[None], row[None])[0, 0]) ** 0.5 for row in ranks]
    tensor = xp.asarray(lengths, dtype=xp.float64, device=ranks.device)
    result: Values = xp.where(good, tensor, xp.nan)
    return result


def _vectors(rdms: Values, good: Values, n: int, method: str) -> Values:
    """Return float64 vectors whose inner products are the similarities; NaN where an RDM has none."""
    xp = namespace(rdms)
    one: Values = xp.asarray(1, dtype=xp.float64, device=rdms.device)
    vectors: Values = xp.where(good[:, None], xp.asarray(rdms, dtype=xp.float64), one)
    # The largest becomes 1, so that no square overflows or vanishes, and entries that are all alike become 0
    # exactly below: divided by their length of 0 they are NaN.
    vectors /= xp.amax(abs(vectors), 1)[:, None]
    if method != "cosine":
        vectors -= vectors.mean(1)[:, None]
    if method == "whitened":
        vectors = _whiten(vectors, n)
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


def _dense(rdms: np.ndarray, good: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return ranks without gaps, zeros for an RDM that is not finite, and numbers of tied pairs."""
    ranks = np.zeros(rdms.shape, np.int64)
    ties = np.full(len(rdms), np.nan)
    for row in np.flatnonzero(good):
        ranks[row], ties[row] = dense_ranks(rdms[row])
    return ranks, ties


def _kendall(a: Comparable, b: Comparable) -> np.ndarray:
    result = np.full((len(a.lengths), len(b.lengths)), np.nan)
    for i in np.flatnonzero(np.isfinite(a.lengths)):
        for j in np.flatnonzero(np.isfinite(b.lengths)):
            difference, total = concordance(a.values[i], int(a.lengths[i]), b.values[j], int(b.lengths[j]))
            result[i, j] = difference / total
    return result
