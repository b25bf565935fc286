"""Ranks with ties, and the number of discordant pairs."""

from __future__ import annotations

from typing import Any

import numpy as np

from .arrays import is_tensor, namespace

_BRUTE_FORCE = 32
_CHUNK = 1 << 16


def centred_ranks(values: Any) -> Any:
    """Return 2 r - (n + 1) for the ranks r = 1..n of (n,) values without NaN, tied values sharing the mean.

    Twice a rank and twice the mean of all are whole numbers: int32 holds them, which takes half the memory of
    float64 and is exact.

    Returns
    -------
    array or tensor
        (n,) int32 (int64 from 2^31 values on); for a tensor float64 on its device.
    """
    if is_tensor(values):
        xp = namespace(values)
        ordered, order = xp.sort(values)
        _, group, count = xp.unique_consecutive(ordered, return_inverse=True, return_counts=True)
        count = count.double()
        ranks = xp.empty(values.shape, dtype=xp.float64, device=values.device)
        ranks[order] = (2 * xp.cumsum(count, 0) - count - values.shape[0])[group]
        return ranks
    n = values.size
    if values.dtype == np.float32 and n < 2**31:
        order, ordered = _sorted_float32(values)
    else:
        # Not stable, hence fast (vectorised in numpy): tied values get one rank, whatever their order.
        order = np.argsort(values)
        ordered = values[order]
    edges = np.concatenate([[0], np.flatnonzero(ordered[1:] != ordered[:-1]) + 1, [n]])
    del ordered
    shared = (edges[:-1] + edges[1:] - n).astype(np.int32 if n < 2**31 else np.int64)
    ranks = np.empty(n, shared.dtype)
    ranks[order] = shared if shared.size == n else np.repeat(shared, np.diff(edges))
    return ranks


def _sorted_float32(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the order of float32 values, and integers in that order, equal where the values are.

    Value and position share one 64-bit number: numpy sorts numbers with vector instructions, and carries no
    index along. That is three times as fast as an argsort of 500,000 values, and nine times of 16 million.
    """
    pairs = np.empty(values.size, np.int64)
    for start in range(0, values.size, _CHUNK):
        # Adding 0 makes -0 into 0. The bits of floats have the order of whole numbers, below 0 the reverse.
        bits = (values[start : start + _CHUNK] + np.float32(0)).view(np.int32)
        bits ^= (bits >> 31) & np.int32(0x7FFFFFFF)
        part = pairs[start : start + _CHUNK]
        part[...] = bits
        part <<= 32
        part |= np.arange(start, start + part.size)
    pairs.sort()
    ordered = (pairs >> 32).astype(np.int32)
    pairs &= 0xFFFFFFFF
    return pairs, ordered


def dense_ranks(values: np.ndarray) -> tuple[np.ndarray, int]:
    """Return ranks 0, 1, 2, ... without gaps, tied values sharing one, and the number of tied pairs."""
    order = np.argsort(values)
    ordered = values[order]
    group = np.cumsum(np.concatenate([[0], ordered[1:] != ordered[:-1]]), dtype=np.int64)
    ranks = np.empty(values.size, dtype=np.int64)
    ranks[order] = group
    return ranks, _pairs(np.bincount(group))


def concordance(a: np.ndarray, ties_a: int, b: np.ndarray, ties_b: int) -> tuple[int, int]:
    """Return (concordant - discordant pairs, all pairs) of two rankings: Kendall's tau-a is their quotient.

    Knight's (1966) way, O(n log n) up to the sorting inside: order by a, then b; the discordant pairs are the
    inversions that remain in b. Whole numbers throughout, so exact. Arguments as from :func:`dense_ranks`.
    """
    n = a.size
    width = int(b.max()) + 1
    key = np.sort(a * width + b)
    new = np.concatenate([[True], key[1:] != key[:-1], [True]])
    ties_both = _pairs(np.diff(np.flatnonzero(new)))
    total = n * (n - 1) // 2
    return total - ties_a - ties_b + ties_both - 2 * inversions(key % width), total


def inversions(values: np.ndarray) -> int:
    """Count pairs i < j of (n,) integers >= 0 with values[i] > values[j].

    A merge sort whose every level is one array operation.
    """
    n = values.size
    if n < 2:
        return 0
    # Padded at the end with a largest value, which adds no inversion.
    beyond = int(values.max()) + 1
    padded = np.full(max(_BRUTE_FORCE, 1 << (n - 1).bit_length()), beyond, dtype=np.int64)
    padded[:n] = values
    runs = padded.reshape(-1, _BRUTE_FORCE)
    count = sum(int(np.count_nonzero(runs[:, :-step] > runs[:, step:])) for step in range(1, _BRUTE_FORCE))
    runs = np.sort(runs, axis=1)
    while runs.shape[0] > 1:
        left, right = runs[0::2], runs[1::2]
        n_runs, length = left.shape
        # An offset for each run lets one search serve all of them: the left halves together are sorted.
        offset = np.arange(n_runs, dtype=np.int64)[:, None] * (beyond + 1)
        not_above = np.searchsorted((left + offset).ravel(), (right + offset).ravel(), side="right")
        before = int(not_above.sum()) - length * length * n_runs * (n_runs - 1) // 2
        count += n_runs * length * length - before
        # Stable: a merge, since both halves are sorted already.
        runs = np.sort(runs.reshape(n_runs, -1), axis=1, kind="stable")
    return count


def _pairs(counts: np.ndarray) -> int:
    counts = counts.astype(np.int64)
    return int((counts * (counts - 1) // 2).sum())
