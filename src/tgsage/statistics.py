"""The statistics of figures, pages and studies: intervals, rank correlations, shares of a noise ceiling."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import pdist, squareform
from scipy.special import ndtri

from .store import seed_from

MIN_POINTS = 5
"""Fewest points for which a bootstrap interval is given."""
INTERVAL = [(1 - 0.95) / 2, (1 + 0.95) / 2]
"""Quantiles between which a bootstrap interval lies."""

RESAMPLED_TOGETHER = 1 << 14
"""Points of resamples that are ranked at a time; memory does not grow with the number of points."""


def finite_or_none(value: Any) -> float | None:
    """Return a number as JSON may hold it: None for what is missing, text, or not finite."""
    if value is None or isinstance(value, str) or not math.isfinite(value):
        return None
    return float(value)


def format_number(value: float, digits: int = 2) -> str:
    """Format a number with a real minus sign, and no minus before zero."""
    text = f"{value:.{digits}f}"
    return text.replace("-", "" if not float(text) else "−")


@dataclass(frozen=True)
class Correlation:
    """A correlation with its bootstrap interval; all NaN where it is not defined."""

    value: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        if not np.isfinite(self.value):
            return f"not defined (n = {self.n})"
        if not np.isfinite(self.low):
            return f"{format_number(self.value)} (n = {self.n}: too few for an interval)"
        low, high = format_number(self.low), format_number(self.high)
        return f"{format_number(self.value)} [{low}, {high}] (n = {self.n})"


def wilson(correct: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Return Wilson's score interval of a proportion (Wilson 1927)."""
    low, high = _wilson(np.array(correct, dtype=float), n, level)
    return float(low), float(high)


def wilson_of_accuracy(accuracy: ArrayLike, n: int) -> NDArray[np.float64]:
    """Return the Wilson intervals (2, k) of accuracies (k,), each measured on n images; NaN stays NaN."""
    return _wilson(np.round(np.asarray(accuracy, dtype=float).ravel() * n), n, 0.95)


def _wilson(correct: NDArray[np.float64], n: int, level: float) -> NDArray[np.float64]:
    # Newcombe 1998, Stat. Med. 17, in the order of scipy.stats.binomtest, which takes a millisecond for each
    # because it also tests.
    z = ndtri(0.5 + 0.5 * level)
    p = correct / n
    denominator = 2 * (n + z**2)
    centre = (2 * n * p + z**2) / denominator
    half = z / denominator * np.sqrt(4 * n * p * (1 - p) + z**2)
    low, high = np.where(correct == 0, 0.0, centre - half), np.where(correct == n, 1.0, centre + half)
    return np.stack([low, high])


def ranks(values: ArrayLike) -> NDArray[np.float64]:
    """Return ranks 1..n of values (n,) without NaN, tied ones sharing the mean of theirs."""
    return _average_ranks(_codes(values))


def _codes(values: ArrayLike) -> NDArray[np.int64]:
    """Number values by size, equal ones alike, so that their resamples are ranked without sorting."""
    codes: NDArray[np.int64] = np.unique(values, return_inverse=True)[1]
    return codes


def _average_ranks(codes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Rank codes along the last axis."""
    rows = np.atleast_2d(codes)
    n_codes = int(rows.max(initial=0)) + 1
    places = rows + n_codes * np.arange(len(rows))[:, None]
    counts = np.bincount(places.ravel(), minlength=len(rows) * n_codes).reshape(len(rows), n_codes)
    found = (np.cumsum(counts, 1) - (counts - 1) / 2).ravel()[places]
    return np.asarray(found.reshape(codes.shape))


def spearman(x: ArrayLike, y: ArrayLike, *, resamples: int = 2000, seed: int = 0) -> Correlation:
    """Return Spearman's correlation with a 95 % percentile bootstrap interval over the points (Efron 1979).

    Parameters
    ----------
    x, y
        (n,) values; pairs with a NaN are left out.
    resamples
        Number of resamples. Those in which one variable is constant have no correlation and are left out.

    Returns
    -------
    Correlation
        Average ranks for ties. No interval below 5 points.
    """
    first, second = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    both = np.isfinite(first) & np.isfinite(second)
    first, second = first[both], second[both]
    n = len(first)
    if n < 3:
        return Correlation(np.nan, np.nan, np.nan, n)
    codes = _codes(first), _codes(second)
    value = float(_pearson(*map(_average_ranks, codes)))
    if n < MIN_POINTS or not np.isfinite(value):
        return Correlation(value, np.nan, np.nan, n)
    rng = np.random.default_rng(seed_from("plots.statistics.spearman", seed))
    values = np.empty(resamples)
    together = max(1, RESAMPLED_TOGETHER // n)
    for start in range(0, resamples, together):
        part = values[start : start + together]
        drawn = rng.integers(n, size=(len(part), n))
        part[:] = _pearson(*(_average_ranks(code[drawn]) for code in codes))
    return _with_interval(value, values, n)


def _with_interval(value: float, resampled: NDArray[np.float64], n: int) -> Correlation:
    """Add the percentile interval of resampled correlations; resamples without a correlation are left out."""
    resampled = resampled[np.isfinite(resampled)]
    if not len(resampled):
        return Correlation(value, np.nan, np.nan, n)
    low, high = np.quantile(resampled, INTERVAL)
    return Correlation(value, float(low), float(high), n)


def _pearson(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the correlation along the last axis; NaN where one side is constant."""
    a = a - a.mean(-1, keepdims=True)
    b = b - b.mean(-1, keepdims=True)
    norm = np.sqrt((a * a).sum(-1) * (b * b).sum(-1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(norm > 0, (a * b).sum(-1) / norm, np.nan)


def rdm_similarity(
    a: ArrayLike, b: ArrayLike, *, method: str = "spearman", resamples: int = 400, seed: int = 0
) -> Correlation:
    """Return the correlation of two RDMs with a bootstrap interval over stimuli.

    Stimuli are drawn with replacement. Pairs of a stimulus with itself have a dissimilarity of zero by
    definition and are left out (Nili et al. 2014; as in rsatoolbox). The interval says what other stimuli of
    the same kind would give, and nothing about other sites, animals or training seeds.

    Parameters
    ----------
    a, b
        Condensed RDMs (n(n-1)/2,) of the same n stimuli.
    method
        "spearman" or "pearson"; other methods get no interval here and raise ValueError.

    Returns
    -------
    Correlation
        ``n`` is the number of stimuli.
    """
    if method not in ("spearman", "pearson"):
        raise ValueError(f"no bootstrap for method {method!r}")
    first, second = squareform(np.asarray(a, dtype=float)), squareform(np.asarray(b, dtype=float))
    n = len(first)
    rank: Callable[[Any], NDArray[np.float64]] = np.asarray
    if method == "spearman":
        first, second, rank = _codes(first).reshape(n, n), _codes(second).reshape(n, n), _average_ranks
    upper = np.triu_indices(n, 1)
    value = float(_pearson(rank(first[upper]), rank(second[upper])))
    if n < MIN_POINTS or not np.isfinite(value):
        return Correlation(value, np.nan, np.nan, n)
    rng = np.random.default_rng(seed_from("plots.statistics.rdm_similarity", seed))
    values = np.empty(resamples)
    for sample in range(resamples):
        drawn = rng.integers(n, size=n)
        left, right = drawn[upper[0]], drawn[upper[1]]
        apart = left != right
        pairs = left[apart], right[apart]
        values[sample] = _pearson(rank(first[pairs]), rank(second[pairs]))
    return _with_interval(value, values, n)


def running_best(values: ArrayLike) -> NDArray[np.float64]:
    """Return the largest value so far; NaN before the first finite one."""
    numbers = np.asarray(values, dtype=float)
    return np.fmax.accumulate(numbers) if len(numbers) else numbers


def classical_mds(squared: ArrayLike, dimensions: int = 2) -> tuple[NDArray[np.float64], float]:
    """Return the classical (Torgerson) multidimensional scaling of squared distances.

    Parameters
    ----------
    squared
        Condensed (n(n-1)/2,) squared distances. One minus a correlation is half the squared Euclidean
        distance of standardised patterns, so an RDM of that kind is taken as it stands.

    Returns
    -------
    tuple
        Coordinates (n, dimensions), each with a fixed sign (its largest entry is positive), and the share
        of the sum of positive eigenvalues that they carry.
    """
    matrix = squareform(np.asarray(squared, dtype=float))
    centred = matrix - matrix.mean(0) - matrix.mean(1)[:, None] + matrix.mean()
    eigenvalues, vectors = np.linalg.eigh(-0.5 * centred)
    order = np.argsort(eigenvalues)[::-1][:dimensions]
    chosen = np.clip(eigenvalues[order], 0, None)
    positions = vectors[:, order] * np.sqrt(chosen)
    extreme = np.abs(positions).argmax(0)
    positions = positions * np.where(positions[extreme, np.arange(dimensions)] < 0, -1, 1)
    total = eigenvalues[eigenvalues > 0].sum()
    return positions, float(chosen.sum() / total) if total > 0 else np.nan


def stress(dissimilarity: ArrayLike, positions: ArrayLike) -> float:
    """Return Kruskal's stress-1 of an arrangement of stimuli: 0 where distances keep the order of the RDM.

    The root of the sum of (d - d')² over that of d², where d is the distance of a pair in the arrangement and
    d' its monotone regression on the dissimilarity; pairs of equal dissimilarity may differ in d' (Kruskal
    1964, Psychometrika 29, the primary approach to ties).

    Parameters
    ----------
    dissimilarity
        Condensed (n(n-1)/2,).
    positions
        (n, dimensions).
    """
    # Imported here: a fifth of a second that only a teacher's figures need.
    from scipy.optimize import isotonic_regression

    distance = pdist(positions)
    distance = distance[np.lexsort((distance, np.asarray(dissimilarity, dtype=float)))]
    total = float((distance * distance).sum())
    if not total:
        return float("nan")
    residual = distance - isotonic_regression(distance).x
    return float(np.sqrt((residual * residual).sum() / total))


def over_ceiling(value: float | None, ceiling: float | None) -> float | None:
    """Return a similarity divided by a bound of its noise ceiling.

    None where the similarity or the bound is missing or not finite, or where the bound is not positive.
    """
    value, ceiling = finite_or_none(value), finite_or_none(ceiling)
    return None if value is None or ceiling is None or ceiling <= 0 else value / ceiling


def share_of_ceiling(value: float | None, *bounds: float | None) -> tuple[float, float] | None:
    """Return a similarity as a fraction of the upper and of the lower bound of its noise ceiling.

    The score of the true model lies between the bounds, so the result is a range, the smaller fraction first.
    Figures show the raw similarity beside it, because a fraction of a low ceiling is not comparable with one
    of a high ceiling. A fraction above 1 is possible: the lower bound is no limit.

    Returns
    -------
    tuple
        None where the similarity is not known or no known bound is positive. Where only one bound is, both
        fractions are of that bound.
    """
    shares = [share for bound in bounds if (share := over_ceiling(value, bound)) is not None]
    return (min(shares), max(shares)) if shares else None


def share_in_words(share: tuple[float, float] | None) -> str:
    """Return ``27 to 35 %``, or "not available" where there is no ceiling."""
    if share is None:
        return "not available"
    low, high = (format_number(100 * fraction, 0) for fraction in share)
    return f"{low} %" if low == high else f"{low} to {high} %"
