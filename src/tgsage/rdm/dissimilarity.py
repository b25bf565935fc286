"""Activations to RDMs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import TgsageError, unknown
from .arrays import (
    Array,
    Values,
    device_type,
    floating,
    full_like,
    is_tensor,
    namespace,
    numbers,
    on_device,
    plain_numpy,
)

if TYPE_CHECKING:
    import torch

METRICS = ("correlation", "sqeuclidean", "cosine", "crossnobis", "poisson")

# Similarities are made some rows at a time: the memory beside input and output does not grow with n squared,
# and only the part right of the diagonal is computed.
_BLOCK_ROWS = {"cpu": 128, "cuda": 4096}
_BLOCK_BYTES = {"cpu": 64 << 20, "cuda": 1 << 30}
# Row-wise preparation runs over as many rows as stay in a processor's cache.
_CHUNK_BYTES = {"cpu": 2 << 20, "cuda": 1 << 30}


def rdm(
    activations: Array,
    metric: str = "correlation",
    *,
    precision: Array | None = None,
    prior_lambda: float = 1.0,
    prior_weight: float = 0.1,
) -> Any:
    """Dissimilarity of every pair of activation patterns.

    Parameters
    ----------
    activations
        (n, features): one pattern for each of n >= 2 stimuli; for ``crossnobis`` (n, repeats, features).
    metric
        ``correlation``: 1 - Pearson's r of two patterns (Kriegeskorte et al. 2008), in [0, 2].
        ``sqeuclidean``: squared Euclidean distance divided by the number of features; rsatoolbox calls it
        'euclidean'.
        ``cosine``: 1 - cosine of the angle between two patterns, in [0, 2].
        ``crossnobis``: see :func:`crossnobis`.
        ``poisson``: symmetrised Kullback-Leibler divergence of Poisson distributions with the patterns as
        rates, divided by the number of features, rates first drawn towards the prior: (rate + prior_lambda *
        prior_weight) / (1 + prior_weight). As rsatoolbox's ``calc_rdm_poisson``; rates in spikes per window,
        not negative.
    precision
        (features, features), for ``crossnobis`` only.
    prior_lambda, prior_weight
        Rate and weight of the prior, for ``poisson`` only; both positive.

    Returns
    -------
    array or tensor
        (n(n-1)/2,) in the order of ``numpy.triu_indices(n, 1)``. numpy is computed in and returned as
        float64; a tensor stays on its device, float64 if it was, else float32, and carries no gradient. A
        pattern with a value that is not finite has NaN with all others; so has, for ``correlation``, a
        constant pattern and, for ``cosine``, one that is all zero. Equal patterns have distance 0 exactly,
        and equal distances to any third.

    Raises
    ------
    TgsageError
        If the metric is unknown, the shape is wrong, there are fewer than 2 patterns, or a rate is negative.

    Examples
    --------
    >>> rdm([[0.0, 1.0], [1.0, 1.0], [3.0, 1.0]], "sqeuclidean")
    array([0.5, 4.5, 2. ])
    """
    if metric not in METRICS:
        raise unknown("RDM metric", metric, METRICS)
    if metric == "crossnobis":
        return crossnobis(activations, precision)
    if precision is not None:
        raise TgsageError(f"a noise precision belongs to metric 'crossnobis', not to {metric!r}")
    if metric == "poisson" and not (prior_lambda > 0 and prior_weight > 0):
        raise TgsageError(
            f"prior_lambda and prior_weight must be positive, got {prior_lambda} and {prior_weight}"
        )
    values = numbers(activations, "activations")
    if values.ndim != 2:
        raise TgsageError(
            f"an RDM needs activations as (stimuli, features), got {tuple(values.shape)}; "
            "flatten the features"
        )
    if values.shape[0] < 2 or values.shape[1] < 1:
        raise TgsageError(f"an RDM needs at least 2 stimuli and 1 feature, got shape {tuple(values.shape)}")
    xp = namespace(values)
    with _quiet(values):
        x = floating(values)
        low, high = _row_range(x)
        # A NaN or an infinity anywhere in a row shows in its minimum or maximum.
        bad = ~(xp.isfinite(low) & xp.isfinite(high))
        if bool(bad.any()):
            x[bad] = 0
            low[bad] = 0
            high[bad] = 0
        label, first = _distinct(x, low, high, bad)
        if first is not None:
            x, low, high, bad = x[first], low[first], high[first], bad[first]

        n_features = x.shape[1]
        left = right = x
        scale = 1.0
        if metric in ("correlation", "cosine"):
            terms = _unit_rows(x, low, high, centre=metric == "correlation")
        elif metric == "sqeuclidean":
            # A shift changes no distance, and without a common offset nothing is lost to cancellation.
            x -= x.sum(0) / max(int((~bad).sum()), 1)
            terms = (x * x).sum(1) / n_features
            scale = 2 / n_features
        else:
            _check_rates(low, first)
            x += prior_lambda * prior_weight
            x /= 1 + prior_weight
            logarithm = xp.log(x)
            # sum (a - b)(log a - log b) is the same for a and log a shifted by any pattern each.
            x -= x.mean(0)
            logarithm -= logarithm.mean(0)
            terms = (x * logarithm).sum(1) / n_features
            left, right = xp.concatenate([x, logarithm], 1), xp.concatenate([logarithm, x], 1)
            scale = 1 / n_features
        terms = xp.where(bad | ~xp.isfinite(terms), full_like(terms, (), np.nan), terms)

        bounds = (0.0, 2.0 if metric in ("correlation", "cosine") else None)
        result = _pairwise(terms, lambda i, j: left[i:j] @ right[i:].T, scale, bounds, left is right)
        if label is not None:
            result = _repeat(result, terms, label)
    return _restore(result, values)


def crossnobis(measurements: Array, precision: Array | None = None, *, center: bool = True) -> Any:
    """Cross-validated squared Mahalanobis distance over the number of features (Walther et al. 2016).

    The inner product of two patterns is the mean of x P y over all pairs of measurements x, y from
    *different* repetitions, so that noise is never multiplied with itself and the expected distance of two
    equal patterns is 0 (single distances may be negative, and are not clipped). With equal numbers of
    repetitions this is leave-one-repetition-out cross-validation as in rsatoolbox's ``calc_rdm_crossnobis``;
    with unequal numbers it is the estimator of its ``calc_rdm_unbalanced`` with the repetition as
    ``cv_descriptor``.

    Parameters
    ----------
    measurements
        (n, repeats, features), n >= 2, repeats >= 2. A repetition that a stimulus does not have is all NaN.
    precision
        (features, features): inverse of the noise covariance of one measurement; None means the identity.
    center
        Subtract the mean over all measurements from each feature first. It changes nothing with equal
        repeats. With unequal repeats the estimator is not blind to a common offset: the noise times that
        offset remains in the distances. Centred it still has no bias and that variance is gone; False is
        what rsatoolbox does.

    Returns
    -------
    array or tensor
        (n(n-1)/2,) in the order of ``numpy.triu_indices(n, 1)``, kind and dtype as for :func:`rdm`. NaN for
        the pairs of a stimulus that has fewer than 2 repetitions or a repetition that is only partly finite.

    Raises
    ------
    TgsageError
        If the shape is wrong, there are fewer than 2 stimuli or repetitions, no stimulus was shown twice, or
        the precision is no symmetric finite (features, features) matrix.
    """
    values = numbers(measurements, "measurements")
    if values.ndim != 3:
        raise TgsageError(
            "crossnobis needs measurements as (stimuli, repeats, features), a missing repeat all NaN; got "
            f"{tuple(values.shape)}"
        )
    n, n_repeats, n_features = values.shape
    if n < 2 or n_repeats < 2 or n_features < 1:
        raise TgsageError(
            f"crossnobis needs at least 2 stimuli, 2 repeats and 1 feature, got {tuple(values.shape)}"
        )
    xp = namespace(values)
    with _quiet(values):
        x = floating(values)
        here = xp.isfinite(x).all(2)
        broken = (~here & ~xp.isnan(x).all(2)).any(1)
        if not bool((here.sum(1) > 1).any()) and not bool(broken.any()):
            raise TgsageError(
                "crossnobis needs stimuli with at least 2 repeats; no stimulus was shown twice here"
            )
        x[~here] = 0
        present = here.to(x.dtype) if is_tensor(x) else here.astype(x.dtype)
        if center:
            x -= x.sum((0, 1)) / max(int(here.sum()), 1)
            x[~here] = 0
        weighted = x if precision is None else x @ _precision(precision, x)
        total, weighted_total = x.sum(1), weighted.sum(1)
        count = present.sum(1)

        # Sum over different repetitions = sum over all - sum over equal ones.
        self_pairs = count * count - count
        self_sum = (total * weighted_total).sum(1) - (x * weighted).sum((1, 2))
        terms = self_sum / self_pairs / n_features
        terms = xp.where(broken | (count < 2), full_like(terms, (), np.nan), terms)
        flat, weighted_flat = x.reshape(n, -1), weighted.reshape(n, -1)

        def similarity(i: int, j: int) -> Any:
            sums = total[i:j] @ weighted_total[i:].T
            sums -= flat[i:j] @ weighted_flat[i:].T
            sums /= count[i:j, None] * count[None, i:] - present[i:j] @ present[i:].T
            return sums

        result = _pairwise(terms, similarity, 2 / n_features)
    return _restore(result, values)


def _check_rates(low: Values, first: Values | None) -> None:
    """Refuse negative rates; ``first`` says which row of the input each row is, where that differs."""
    if bool((low < 0).any()):
        worst = int(plain_numpy(low).argmin())
        row = worst if first is None else int(plain_numpy(first)[worst])
        raise TgsageError(
            f"metric 'poisson' needs rates that are not negative; row {row} has {float(low.min()):g} "
            "(z-scored or baseline-subtracted rates are no counts)"
        )


def _row_range(x: Values) -> tuple[Values, Values]:
    xp = namespace(x)
    low, high = full_like(x, (x.shape[0],), 0), full_like(x, (x.shape[0],), 0)
    for rows in _chunks(x):
        low[rows], high[rows] = xp.amin(x[rows], 1), xp.amax(x[rows], 1)
    return low, high


def _unit_rows(x: Values, low: Values, high: Values, *, centre: bool) -> Values:
    """Scale rows to length 1, in place; return half of each squared length, NaN where there is none."""
    xp = namespace(x)
    terms = full_like(x, (x.shape[0],), 0.5)
    for rows in _chunks(x):
        part = x[rows]
        # The largest value becomes 1, so that no square overflows or vanishes.
        if centre:
            mean = part.mean(1)
            scale = xp.maximum(high[rows] - mean, mean - low[rows])
            part -= mean[:, None]
        else:
            scale = xp.maximum(abs(low[rows]), abs(high[rows]))
        part /= xp.where(scale > 0, scale, scale * 0 + 1)[:, None]
        if centre:
            # Once more: the first mean of large values with a small spread was itself rounded. What that
            # leaves of a constant pattern has become all 1 or all -1 by now, and goes to exactly 0.
            part -= part.mean(1)[:, None]
        # sum(), not einsum() or norm(): it adds pairwise, the others lose digits with many features.
        length = xp.sqrt((part * part).sum(1))
        part /= xp.where(length > 0, length, length * 0 + 1)[:, None]
        terms[rows] = xp.where(xp.isfinite(length) & (length > 0), terms[rows], full_like(terms, (), np.nan))
    return terms


def _distinct(x: Values, low: Values, high: Values, bad: Values) -> tuple[Values, Values] | tuple[None, None]:
    """Find rows that are equal: the label of each row, and one row for each label; None, None if all differ.

    Only distinct rows are compared then. Rounding would otherwise make small unequal distances from equal
    patterns: a layer that answers alike to all images would be ranked by noise.
    """
    n, n_features = x.shape
    probe = np.linspace(0, n_features - 1, min(n_features, 6)).astype(np.int64)
    some = x[:, on_device(x, probe)]
    key = np.column_stack([plain_numpy(part) for part in (low, high, some)] + [plain_numpy(bad)])
    _, group, size = np.unique(key, axis=0, return_inverse=True, return_counts=True)
    group = group.ravel()
    if size.size == n:
        return None, None
    label = np.arange(n)
    for shared in np.flatnonzero(size > 1):
        left = np.flatnonzero(group == shared)
        while left.size > 1:
            same = np.ones(left.size, dtype=bool)
            for position, row in enumerate(left):
                same[position] = bool((x[int(row)] == x[int(left[0])]).all())
            label[left[same]] = left[0]
            left = left[~same]
    first, label = np.unique(label, return_inverse=True)
    if first.size == n:
        return None, None
    return on_device(x, label), on_device(x, first)


def _pairwise(
    terms: Values,
    similarity: Callable[[int, int], Values],
    scale: float,
    bounds: tuple[float, float | None] | None = None,
    symmetric: bool = False,
) -> Values:
    """Return the distances terms_i + terms_j - scale * similarity_ij, condensed, within bounds.

    ``similarity(i, j)`` is new, rows i to j-1 by columns i to n-1; ``symmetric``: of a matrix with itself.
    """
    n = terms.shape[0]
    xp = namespace(terms)
    device = device_type(terms)
    most = max(_BLOCK_BYTES.get(device, 64 << 20) // max(n * terms.dtype.itemsize, 1), 1)
    # numpy halves the work itself where a whole matrix meets its own transpose (BLAS syrk).
    rows = n if symmetric and not is_tensor(terms) and most >= n else min(_BLOCK_ROWS.get(device, 128), most)
    result = full_like(terms, (n * (n - 1) // 2,), 0)
    end = 0
    for start in range(0, n - 1, rows):
        stop = min(start + rows, n)
        block = similarity(start, stop)
        block *= -scale
        block += terms[start:stop, None]
        block += terms[None, start:]
        if bounds is not None:
            block = xp.clip(block, *bounds)
        begin, end = end, end + (stop - start) * (2 * n - start - stop - 1) // 2
        if device == "cpu":
            # The host's fastest loop is numpy's, over rows; it sees the same memory as the tensor.
            _copy_rows(plain_numpy(block), plain_numpy(result)[begin:end])
        else:
            result[begin:end] = _masked(block)
    return result


def _copy_rows(block: np.ndarray, target: np.ndarray) -> None:
    """Copy what lies above the diagonal of a block that begins on it into its part of a condensed RDM."""
    end = 0
    for row in range(block.shape[0]):
        begin, end = end, end + block.shape[1] - 1 - row
        target[begin:end] = block[row, row + 1 :]


def _masked(block: Values) -> Values:
    """As :func:`_copy_rows` in one operation: on a device, one for each row would be slow."""
    xp = namespace(block)
    part: Values = block[xp.triu(xp.ones(block.shape, dtype=xp.bool, device=block.device), 1)]
    return part


def _repeat(condensed: Values, terms: Values, label: Values) -> Values:
    """RDM of rows from the RDM of distinct rows; ``label`` says which distinct row each row is."""
    n, n_distinct = label.shape[0], terms.shape[0]
    xp = namespace(terms)
    result = full_like(terms, (n * (n - 1) // 2,), 0)
    # Behind the distances between distinct rows: that of each to itself, 0 or NaN.
    table = xp.concatenate([condensed, terms * 0])
    end = 0
    for row in range(n - 1):
        begin, end = end, end + n - 1 - row
        one, other = label[row], label[row + 1 :]
        first, second = xp.minimum(one, other), xp.maximum(one, other)
        pair = first * (2 * n_distinct - first - 1) // 2 + second - first - 1
        result[begin:end] = table[xp.where(first == second, condensed.shape[0] + first, pair)]
    return result


def _precision(precision: Array, x: Values) -> Values:
    host = plain_numpy(numbers(precision, "the noise precision")).astype(np.float64)
    n_features = x.shape[-1]
    if host.shape != (n_features, n_features):
        raise TgsageError(
            f"the noise precision must be ({n_features}, {n_features}), features by features, got "
            f"{host.shape}"
        )
    if not np.isfinite(host).all() or not np.allclose(host, host.T, atol=1e-8 * abs(host).max()):
        raise TgsageError("the noise precision must be finite and symmetric")
    moved: Values = namespace(x).asarray(host, dtype=x.dtype, device=x.device)
    return moved


def _chunks(x: np.ndarray | torch.Tensor) -> list[slice]:
    device = device_type(x)
    rows = max(_CHUNK_BYTES.get(device, 2 << 20) // (x.shape[1] * x.dtype.itemsize), 1)
    return [slice(start, start + rows) for start in range(0, x.shape[0], rows)]


@contextlib.contextmanager
def _quiet(values: np.ndarray | torch.Tensor) -> Iterator[None]:
    """No warnings for the NaN that are meant, and no autocast, which would round products to three digits."""
    if is_tensor(values):
        torch = namespace(values)
        with torch.no_grad(), torch.autocast(device_type(values), enabled=False):
            yield
    else:
        with np.errstate(all="ignore"):
            yield


def _restore(result: Values, values: Values) -> Values:
    """Go back to float32 where float64 was only the way around coarse products."""
    xp = namespace(values)
    if is_tensor(values) and values.dtype != xp.float64:
        result = xp.asarray(result, dtype=xp.float32)
    return result
