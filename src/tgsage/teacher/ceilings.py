r"""Noise ceilings: what a model could score against a measured RDM, given how noisy that RDM is.

A model's score is its correlation with the RDM of the *full* data, :math:`R` repetitions of every stimulus.
Write :math:`\tau` for the score of the true model, whose RDM is that of the same sites without noise, and
:math:`\rho(R)` for the correlation of two such RDMs from independent recordings of these sites with :math:`R`
repetitions each. If the measured RDM is a multiple of the true one plus independent noise,
:math:`\tau=\sqrt{\rho(R)}` (the attenuation formula, Spearman 1904).

Only halves of the data are independent: :math:`\rho(R/2)` is measured, as the mean correlation of the RDMs of
many random halvings of the repetitions, and :math:`\rho(R)` is extrapolated. With :math:`x=1/\rho-1`, the
ratio of noise to signal variance over the pairs of an RDM,

* Spearman-Brown has :math:`x(R)=x(R/2)/2`: the noise of a distance shrinks as :math:`1/R`. That is so for the
  product of a pattern's signal with another pattern's noise.
* An inner product or distance of two noisy patterns also has a term of noise times noise, which shrinks as
  :math:`1/R^2`: :math:`x(R)=x(R/2)/4` where it dominates (few repetitions, weak signal).

The truth lies between the two. Hence the bounds that are reported:

``lower``
    :math:`\rho(R)` by Spearman-Brown, a conservative extrapolation: the score of *another recording of the
    same sites with as many repetitions*. It is Brain-Score's internal consistency (Schrimpf et al. 2018) at
    the level of the RDM and, like the lower bound of Nili et al. 2014, can be reached without knowing the
    answer.
``upper``
    :math:`\sqrt{\rho(R)}` with the :math:`1/R^2` extrapolation, from the upper end of a one-sided 95 %
    interval of :math:`\rho(R/2)` (jackknife over stimuli): what the noiseless RDM of these sites would score
    is below it in at least 95 % of data sets. It is not to be reached in expectation; single scores above it
    are possible, and are not an error.

On 200 simulated recordings (Gaussian and Poisson noise, 2 to 10 repetitions, correlated noise, unequal
counts, 28 to 100 stimuli) the interval covered the expected score of the true RDM in 98.5 %; its mean width
was 0.28, and less than 0.15 where that score is above 0.9. It is conservative on purpose: in 200 other
simulations of this kind Spearman-Brown's :math:`\sqrt\rho` with the same margin on both sides covered 80 %.
``tests/teacher/test_teacher_ceilings_coverage.py`` repeats this. Both bounds are about the *sites that were
recorded*; :func:`animal_bounds` says how far animals agree.

References
----------
Spearman 1904, Am. J. Psychol. 15; Spearman 1910 and Brown 1910, Br. J. Psychol. 3; Nili et al. 2014, PLoS
Comput. Biol. 10:e1003553; Schrimpf et al. 2018, bioRxiv 407007; Schütt et al. 2023, eLife 12:e82566 (bounds
depend on the method of comparison, and are computed with it).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from ..errors import TgsageError
from ..rdm import category_means, compare, n_stimuli, rdm, subset
from ..recordings.split_half import halvings
from .patterns import standardised

Z_95 = 1.6448536269514722
"""Standard normal quantile of a one-sided 95 % interval."""
JACKKNIFE_GROUPS = 10
JACKKNIFE_HALVINGS = 5
"""Halvings whose mean is jackknifed: the spread over stimuli hardly depends on their number."""


@dataclass(frozen=True)
class Ceiling:
    """Noise ceiling of one RDM on one set of stimuli."""

    lower: float
    """Expected score of a second recording of the same size (Spearman-Brown)."""
    upper: float
    """Upper limit of the expected score of the noiseless RDM."""
    split_half: float
    """Mean correlation of the RDMs of two halves of the repetitions, not extrapolated."""
    reason: str = ""
    """Why the values are NaN, where they are."""


def absent(reason: str) -> Ceiling:
    """Return a ceiling that is unknown, with the reason."""
    return Ceiling(np.nan, np.nan, np.nan, reason)


def noise_ceiling(
    presentations: np.ndarray,
    stimulus: np.ndarray,
    parts: Mapping[str, np.ndarray],
    *,
    metric: str = "correlation",
    zscore: bool = True,
    method: str = "spearman",
    categories: np.ndarray | None = None,
    n_splits: int = 20,
    seed: int = 0,
) -> dict[str, Ceiling]:
    """Noise ceiling of the RDM of one region, for each part of the stimuli.

    The module's documentation has the formulas and what the bounds mean. The halves go through what the
    full data go through: means over repetitions, z-scores over all stimuli, RDM, comparison.

    Parameters
    ----------
    presentations
        (presentations, sites): one response per presentation.
    stimulus
        (presentations,) of int: index of the stimulus shown.
    parts
        Indices of the stimuli of each part. Stimuli shown once drop out; a part of which fewer than half
        the stimuli were shown twice has no ceiling.
    metric, zscore
        As for the RDM.
    method
        Of comparison, as models are scored.
    categories
        (stimuli,) labels: the ceiling of the category RDM. None: of the image RDM.
    n_splits, seed
        Random halvings, and their seed.

    Returns
    -------
    dict
        :class:`Ceiling` by name of part, NaN with a reason where there are too few repetitions.
    """
    stimulus = np.asarray(stimulus)
    counts = np.bincount(stimulus)
    least = 4 if metric == "crossnobis" else 2
    repeated = counts >= least
    usable: dict[str, np.ndarray] = {}
    ceilings: dict[str, Ceiling] = {}
    for part, members in parts.items():
        kept = np.asarray(members)[repeated[members]]
        if 2 * len(kept) < len(members) or len(kept) < 3:
            ceilings[part] = absent(f"{len(kept)} of {len(members)} stimuli have {least} or more repetitions")
        else:
            usable[part] = kept
    if not usable:
        return ceilings
    rows = np.flatnonzero(repeated[stimulus])
    position = np.cumsum(repeated) - 1
    shown, data = position[stimulus[rows]], np.asarray(presentations, np.float64)[rows]
    counts = counts[repeated]
    agreement = {part: _Agreement(method) for part in usable}
    shares = []
    for labels in halvings(shown, n_splits, np.random.default_rng(seed), odd="coin"):
        masks = labels == 0, labels == 1
        halves = [_responses(data, shown, mask, zscore, metric) for mask in masks]
        repeats = [np.bincount(shown[mask], minlength=len(counts)) for mask in masks]
        shares.append(np.mean([np.mean(1 / half) for half in repeats]))
        for part, kept in usable.items():
            index = position[kept]
            patterns = [half[index] for half in halves]
            if categories is not None:
                patterns = [category_means(half, np.asarray(categories)[kept]) for half in patterns]
            agreement[part].add(*(np.asarray(rdm(half, metric)) for half in patterns))
    # How much less noise variance the mean of all repetitions has than that of a half.
    shrinkage = float(np.mean(1 / counts) / np.mean(shares))
    ceilings.update({part: agreement[part].ceiling(shrinkage) for part in usable})
    return {part: ceilings[part] for part in parts}


def bounds(split_half: float, error: float, shrinkage: float, *, power: float = 2) -> tuple[float, float]:
    """Extrapolate the agreement of halves to the lower and upper bound of the full data.

    With r the mean correlation of the RDMs of two halves, e its standard error, q the noise variance of the
    full data over that of a half (``shrinkage``, 1/2 for equal halves) and p the ``power`` of q by which the
    upper bound has noise shrink, 2 where noise multiplies noise: lower = r / (r + q (1 - r)),
    Spearman-Brown for q = 1/2 (r itself where it is negative), and upper = sqrt(h / (h + q^p (1 - h))) at
    h = min(1, r + 1.645 e), 0 where h is negative.
    """
    lower = split_half if split_half <= 0 else split_half / (split_half + shrinkage * (1 - split_half))
    high = min(1.0, split_half + Z_95 * error)
    upper = 0.0 if high <= 0 else float(np.sqrt(high / (high + shrinkage**power * (1 - high))))
    return float(lower), upper


def measurement_ceiling(
    rdms: np.ndarray, parts: Mapping[str, np.ndarray], *, method: str, n_splits: int = 20, seed: int = 0
) -> dict[str, Ceiling]:
    """Noise ceiling of the mean of several published RDMs (measurements, pairs), by halving the measurements.

    The noise of a mean of RDMs shrinks as 1/M whatever it consists of, so both bounds are extrapolated by
    Spearman-Brown; ``upper`` keeps the margin of its standard error. NaN for fewer than two RDMs. Parameters
    are otherwise as for :func:`noise_ceiling`.
    """
    m = len(rdms)
    if m < 2:
        return {part: absent("only one RDM is published, without repetitions") for part in parts}
    rng = np.random.default_rng(seed)
    agreement = {part: _Agreement(method) for part in parts}
    for _ in range(n_splits):
        order = rng.permutation(m)
        cut = (m + int(rng.integers(0, 2))) // 2
        one, two = rdms[order[:cut]].mean(axis=0), rdms[order[cut:]].mean(axis=0)
        for part, members in parts.items():
            agreement[part].add(subset(one, members), subset(two, members))
    shrinkage = (1 / m) / float(np.mean([1 / (m // 2), 1 / (m - m // 2)]))
    return {part: agreement[part].ceiling(shrinkage, power=1) for part in parts}


def animal_bounds(rdms: np.ndarray, method: str) -> tuple[float, float]:
    """Bounds over animals (or subjects) after Nili et al. 2014.

    Each animal's RDM is compared with the mean RDM of the others (lower: the mean of these comparisons) and
    with the mean RDM of all including itself (upper). RDMs are brought to the scale of the comparison before
    they are averaged: ranks for rank correlations, zero mean and unit variance for Pearson, unit length for
    the cosine. With two animals the lower bound is just their correlation. These bounds say how far animals
    agree with *one animal's* RDM, and are not a limit for scores against the RDM of the pooled sites.

    Parameters
    ----------
    rdms
        (animals, pairs), from the sites of one animal each.
    method
        Of comparison.

    Returns
    -------
    tuple
        (lower, upper), NaN for fewer than two animals.
    """
    if len(rdms) < 2:
        return np.nan, np.nan
    if method in ("spearman", "kendall", "rho_a"):
        # Imported here: it takes half a second, and whoever reads a teacher imports this module.
        from scipy.stats import rankdata

        scaled = rankdata(rdms, axis=1)
    elif method == "cosine":
        scaled = rdms / np.linalg.norm(rdms, axis=1, keepdims=True)
    else:
        scaled = rdms - rdms.mean(axis=1, keepdims=True)
        scaled = scaled / scaled.std(axis=1, keepdims=True)
    total, n = scaled.sum(axis=0), len(rdms)
    lower = np.mean(
        [_one(row, (total - one) / (n - 1), method) for row, one in zip(rdms, scaled, strict=True)]
    )
    upper = np.mean([_one(row, total / n, method) for row in rdms])
    return float(lower), float(upper)


def _one(a: np.ndarray, b: np.ndarray, method: str) -> float:
    return float(compare(a, b, method)[0, 0])


def _responses(
    data: np.ndarray, shown: np.ndarray, half: np.ndarray, zscore: bool, metric: str
) -> np.ndarray:
    """Return means (stimuli, sites); for crossnobis (stimuli, repetitions, sites)."""
    n = int(shown.max()) + 1
    counts = np.bincount(shown[half], minlength=n)
    rows = np.flatnonzero(half)
    averaging = sparse.csr_matrix((1 / counts[shown[rows]], (shown[rows], rows)), shape=(n, len(shown)))
    means = averaging @ data
    if metric != "crossnobis":
        return standardised(means) if zscore else means
    # An equal number of repetitions of all stimuli is what crossnobis takes: as many as the least has.
    repeats = int(counts.min())
    order = rows[np.argsort(shown[rows], kind="stable")]
    start = np.cumsum(counts) - counts
    blocks: np.ndarray = data[order[start[:, None] + np.arange(repeats)]]
    if zscore:
        deviation = means.std(axis=0)
        blocks = (blocks - means.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)
    return blocks


class _Agreement:
    """Agreement of the RDMs of halves, and its standard error: nothing as large as an RDM is kept."""

    def __init__(self, method: str):
        self._method = method
        self._values: list[float] = []
        self._left_out: list[list[float]] = []

    def add(self, one: np.ndarray, two: np.ndarray) -> None:
        """Add the RDMs of two halves."""
        self._values.append(_one(one, two, self._method))
        if len(self._left_out) < JACKKNIFE_HALVINGS:
            self._left_out.append(self._without_each_group(one, two))

    def ceiling(self, shrinkage: float, *, power: float = 2) -> Ceiling:
        """Extrapolate to the full data, as :func:`bounds` does."""
        if not np.isfinite(self._values).all():
            return absent("the RDM of half the repetitions is undefined")
        # Delete-a-group jackknife over stimuli, of the mean over halvings.
        estimates = np.mean(self._left_out, axis=0)
        k = len(estimates)
        error = float(np.sqrt((k - 1) / k * ((estimates - estimates.mean()) ** 2).sum()))
        if not np.isfinite(error):
            return absent("the RDM of half the repetitions is undefined on some of the stimuli")
        split_half = float(np.mean(self._values))
        lower, upper = bounds(split_half, error, shrinkage, power=power)
        return Ceiling(lower, upper, split_half)

    def _without_each_group(self, one: np.ndarray, two: np.ndarray) -> list[float]:
        n = n_stimuli(len(one))
        if n < 4:
            raise TgsageError(f"noise ceiling: {n} stimuli or categories are too few; use at least 4")
        # Stimuli come in the order of the data; a group takes every tenth, whatever blocks they came in.
        group = np.arange(n) % min(JACKKNIFE_GROUPS, n)
        kept = [np.flatnonzero(group != left_out) for left_out in range(group.max() + 1)]
        return [_one(subset(one, index), subset(two, index), self._method) for index in kept]
