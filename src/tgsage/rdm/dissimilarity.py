"""Activations to RDMs."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from threadpoolctl import ThreadpoolController

from ..errors import TgsageError, unknown
from .arrays import (
    Array,
    Values,
    as_tensor,
    device_type,
    floating,
    full_like,
    is_tensor,
    namespace,
    numbers,
    on_device,
    plain_numpy,
    working_dtype,
)

if TYPE_CHECKING:
    import torch

METRICS = ("correlation", "sqeuclidean", "cosine", "crossnobis", "poisson")

# Inner products are made of some rows and some features at a time: the memory beside input and output is
# bounded, and only the part right of the diagonal is computed.
_BLOCK_ROWS = {"cpu": 1024, "cuda": 4096}
_BLOCK_BYTES = {"cpu": 64 << 20, "cuda": 1 << 30}
# What is done row by row runs over as many rows as stay in a processor's cache.
_CHUNK_BYTES = {"cpu": 1 << 20, "cuda": 1 << 30}


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
    with _quiet(values):
        result = _of_patterns(values, metric, prior_lambda, prior_weight)
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

        strips = (similarity(start, stop) for start, stop in _strips(n, x))
        result = _condensed(terms, strips, 2 / n_features)
    return _restore(result, values)


class _Rows(NamedTuple):
    """What is to be done with each pattern."""

    numbers: Any
    """(4, n) mean, scale, rest, inverse: the pattern's place is ((x - mean) / scale - rest) * inverse."""
    odd: Any
    """(n,), whether scale is not 1 or rest not 0."""
    bad: Any
    """(n,), whether it has no distances: a value is not finite, or the metric is not defined for it."""
    key: Any
    """(n,), equal for equal patterns."""


def _of_patterns(values: Array, metric: str, prior_lambda: float, prior_weight: float) -> Any:
    x, dtype = _source(values)
    xp = namespace(x)
    facts = _row_facts(x, dtype, metric)
    label, first = _distinct(x, facts)
    if first is not None:
        facts = _Rows(*(fact[..., first] for fact in facts))
    n, n_features = facts.bad.shape[0], x.shape[1]
    bounded = metric in ("correlation", "cosine")
    terms = full_like(facts.key, (n,), 0.5 if bounded else 0)
    strips: list[Any] = []
    for columns in _column_blocks(n, n_features, facts.key):
        block = xp.empty((n, columns.stop - columns.start), dtype=dtype, device=x.device)
        for rows in _chunks(block):
            _place(x[rows if first is None else first[rows], columns], facts, rows, block[rows])
        left = right = block
        if metric == "sqeuclidean":
            # A shift changes no distance, and without a common offset nothing is lost to cancellation.
            block -= block.sum(0) / max(int((~facts.bad).sum()), 1)
            for rows in _chunks(block):
                terms[rows] += (block[rows] * block[rows]).sum(1) / n_features
        elif metric == "poisson":
            block += prior_lambda * prior_weight
            block /= 1 + prior_weight
            logarithm = xp.log(block)
            # sum (a - b)(log a - log b) is the same for a and log a shifted by any pattern each.
            block -= block.mean(0)
            logarithm -= logarithm.mean(0)
            terms += (block * logarithm).sum(1) / n_features
            left, right = xp.concatenate([block, logarithm], 1), xp.concatenate([logarithm, block], 1)
        for number, (start, stop) in enumerate(_strips(n, block)):
            products = _products(left, right, start, stop)
            if columns.start == 0:
                strips.append(products)
            else:
                strips[number] += products
    terms = xp.where(facts.bad | ~xp.isfinite(terms), full_like(terms, (), np.nan), terms)
    scale = {"sqeuclidean": 2 / n_features, "poisson": 1 / n_features}.get(metric, 1.0)
    # A strip is freed when it has been copied.
    consumed = (strips.pop(0) for _ in range(len(strips)))
    result = _condensed(terms, consumed, scale, (0.0, 2.0 if bounded else None))
    return result if label is None else _repeat(result, terms, label)


def _source(values: Array) -> tuple[Any, Any]:
    """Return the patterns where they are (they are copied block by block), and the dtype to compute in.

    On the host numpy does the work for tensors too: it has BLAS's product of a matrix with its own transpose,
    which is half of the product that torch makes.
    """
    tensor = as_tensor(values)
    if tensor is None:
        return values, np.dtype(np.float64)
    torch = namespace(tensor)
    if device_type(tensor) == "cpu":
        return plain_numpy(tensor), np.dtype(np.float64 if tensor.dtype == torch.float64 else np.float32)
    return tensor, working_dtype(tensor)


def _row_facts(x: Any, dtype: Any, metric: str) -> _Rows:
    xp = namespace(x)
    n, n_features = x.shape
    numbers = xp.zeros((4, n), dtype=dtype, device=x.device)
    numbers[1::2] = 1
    odd, bad = xp.zeros((2, n), dtype=xp.bool, device=x.device)
    facts = _Rows(numbers, odd, bad, xp.zeros((n,), dtype=dtype, device=x.device))
    mean, _, _, inverse = numbers
    tiny = float(xp.finfo(dtype).tiny) * 1e10
    for rows in _chunks(x):
        part = x[rows]
        part = part.to(dtype).contiguous() if is_tensor(part) else np.ascontiguousarray(part, dtype)
        if metric in ("sqeuclidean", "poisson"):
            facts.key[rows] = part.mean(1)
            bad[rows] = ~xp.isfinite(facts.key[rows])
            if bool(bad[rows].any()):  # of a value that is not finite, or of large ones in their sum
                bad[rows] = ~xp.isfinite(part).all(1)
            if metric == "poisson":
                _check_rates(part, bad[rows], rows.start)
            continue
        squares = part
        if metric == "correlation":
            mean[rows] = part.mean(1)
            squares = part - mean[rows, None]
        # sum(), not einsum() or norm(): it adds pairwise, the others lose digits with many features.
        length = (squares * squares).sum(1)
        inverse[rows] = length**-0.5
        # Squares that overflowed or vanished, or a spread so small beside the mean that its rounding shows.
        odd[rows] = ~(xp.isfinite(length) & (length > n_features * (tiny + 1e-4 * mean[rows] ** 2)))
        if bool(odd[rows].any()):
            index = rows.start + plain_numpy(odd[rows]).nonzero()[0]
            numbers[:, index], bad[index] = _odd_rows(x[index], dtype, metric)
        facts.key[rows] = mean[rows] if metric == "correlation" else inverse[rows]
    return facts


def _odd_rows(part: Any, dtype: Any, metric: str) -> tuple[Any, Any]:
    """Return the numbers (4, rows) that bring rows of any size and offset to length 1, and who has none."""
    xp = namespace(part)
    part = part.to(dtype) if is_tensor(part) else part.astype(dtype)
    low, high = xp.amin(part, 1), xp.amax(part, 1)
    bad = ~(xp.isfinite(low) & xp.isfinite(high))
    part[bad] = low[bad] = high[bad] = 0
    # The largest value becomes 1, so that no square overflows or vanishes.
    if metric == "correlation":
        mean = part.mean(1)
        scale = xp.maximum(high - mean, mean - low)
    else:
        mean = xp.zeros_like(low)
        scale = xp.maximum(abs(low), abs(high))
    scale = xp.where(scale > 0, scale, xp.ones_like(scale))
    part -= mean[:, None]
    part /= scale[:, None]
    # Once more: the first mean of large values with a small spread was itself rounded. What that leaves of a
    # constant pattern has become all 1 or all -1 by now, and goes to exactly 0.
    rest = part.mean(1) if metric == "correlation" else mean
    part -= rest[:, None]
    length = xp.sqrt((part * part).sum(1))
    bad |= ~(xp.isfinite(length) & (length > 0))
    return xp.stack([mean, scale, rest, 1 / xp.where(bad, xp.ones_like(length), length)]), bad


def _place(part: Any, facts: _Rows, rows: slice, target: Any) -> None:
    """Write some features of some patterns into ``target`` as they enter inner products."""
    mean, scale, rest, inverse = facts.numbers[:, rows, None]
    namespace(part).subtract(part, mean, out=target)
    if bool(facts.odd[rows].any()):
        target /= scale
        target -= rest
    target *= inverse
    if bool(facts.bad[rows].any()):
        target[facts.bad[rows]] = 0


def _check_rates(part: Any, bad: Any, start: int) -> None:
    """Refuse negative rates in rows of the input that begin at row ``start``."""
    negative = (part < 0).any(1) & ~bad
    if bool(negative.any()):
        row = int(plain_numpy(negative).argmax())
        raise TgsageError(
            f"metric 'poisson' needs rates that are not negative; row {start + row} has "
            f"{float(part[row].min()):g} (z-scored or baseline-subtracted rates are no counts)"
        )


def _distinct(x: Values, facts: _Rows) -> tuple[Values, Values] | tuple[None, None]:
    """Find rows that are equal: the label of each row, and one row for each label; None, None if all differ.

    Only distinct rows are compared then. Rounding would otherwise make small unequal distances from equal
    patterns: a layer that answers alike to all images would be ranked by noise.
    """
    n, n_features = x.shape
    key, bad = plain_numpy(facts.key), plain_numpy(facts.bad)
    candidates = np.flatnonzero(~bad)
    _, group, size = np.unique(key[candidates], return_inverse=True, return_counts=True)
    candidates = candidates[size[group] > 1]
    if candidates.size == 0:
        return None, None
    probe = np.linspace(0, n_features - 1, min(n_features, 6)).astype(np.int64)
    some = plain_numpy(x[on_device(x, candidates)][:, on_device(x, probe)])
    _, group, size = np.unique(
        np.column_stack([key[candidates], some]), axis=0, return_inverse=True, return_counts=True
    )
    group = group.ravel()
    label = np.arange(n)
    for shared in np.flatnonzero(size > 1):
        left = candidates[group == shared]
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


def _column_blocks(n: int, n_features: int, like: Values) -> list[slice]:
    """Split features into equal blocks of bounded size."""
    most = max(_BLOCK_BYTES.get(device_type(like), 64 << 20) // (n * like.dtype.itemsize), 1)
    width = -(-n_features // -(-n_features // most))
    return [slice(begin, min(begin + width, n_features)) for begin in range(0, n_features, width)]


def _strips(n: int, like: Values) -> list[tuple[int, int]]:
    """Split the rows of an RDM into strips of bounded size: first row, and the row after the last."""
    device = device_type(like)
    most = max(_BLOCK_BYTES.get(device, 64 << 20) // (n * like.dtype.itemsize), 1)
    rows = min(_BLOCK_ROWS.get(device, 1024), most)
    return [(start, min(start + rows, n)) for start in range(0, n - 1, rows)]


def _products(left: Any, right: Any, start: int, stop: int) -> Any:
    """Inner products of rows start to stop-1 with rows from start on."""
    if left is not right or is_tensor(left):
        return left[start:stop] @ right[start:].T
    rows = left[start:stop]
    products = np.empty((stop - start, len(left) - start), left.dtype)
    # A matrix with its own transpose: numpy calls BLAS's syrk, which computes one half.
    np.matmul(rows, rows.T, out=products[:, : stop - start])
    np.matmul(rows, left[stop:].T, out=products[:, stop - start :])
    return products


def _condensed(
    terms: Values,
    strips: Iterable[Values],
    scale: float,
    bounds: tuple[float, float | None] | None = None,
) -> Values:
    """Return the distances terms_i + terms_j - scale * similarity_ij, condensed, within bounds.

    ``strips`` are similarities as :func:`_strips` splits them, each from its first row's column on; they are
    overwritten.
    """
    n = terms.shape[0]
    xp = namespace(terms)
    result = full_like(terms, (n * (n - 1) // 2,), 0)
    start = end = 0
    for strip in strips:
        for rows in _chunks(strip):
            block = strip[rows, rows.start :]
            block *= -scale
            block += terms[start : start + block.shape[0], None]
            block += terms[None, start:]
            if bounds is not None:
                xp.clip(block, *bounds, out=block)
            stop = start + block.shape[0]
            begin, end = end, end + (stop - start) * (2 * n - start - stop - 1) // 2
            if device_type(block) == "cpu":
                # The host's fastest loop is numpy's, over rows; it sees the same memory as the tensor.
                _copy_rows(plain_numpy(block), plain_numpy(result)[begin:end])
            else:
                result[begin:end] = _masked(block)
            start = stop
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
    n, width = x.shape
    rows = max(_CHUNK_BYTES.get(device_type(x), 1 << 20) // (width * x.dtype.itemsize), 1)
    return [slice(start, min(start + rows, n)) for start in range(0, n, rows)]


@contextlib.contextmanager
def _quiet(values: np.ndarray | torch.Tensor) -> Iterator[None]:
    """No warnings for the NaN that are meant, and for a tensor what torch would do in numpy's place.

    That is its number of threads, since BLAS rounds differently with another; and no autocast, which would
    round products to three digits.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(np.errstate(all="ignore"))
        if is_tensor(values):
            torch = namespace(values)
            stack.enter_context(_libraries().limit(limits=torch.get_num_threads(), user_api="blas"))
            stack.enter_context(torch.no_grad())
            stack.enter_context(torch.autocast(device_type(values), enabled=False))
        yield


@functools.cache
def _libraries() -> ThreadpoolController:
    """Find numpy's BLAS, which takes milliseconds."""
    return ThreadpoolController()


def _restore(result: Values, values: Values) -> Values:
    """Give a tensor for a tensor, and float32 where float64 was only the way around coarse products."""
    tensor = as_tensor(values)
    if tensor is not None:
        torch = namespace(tensor)
        dtype = torch.float64 if tensor.dtype == torch.float64 else torch.float32
        result = torch.asarray(result, dtype=dtype)
    return result
