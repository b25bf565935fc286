"""Noise ceilings: against slow loops and the formulas they stand for."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import pearsonr, rankdata, spearmanr

from tgsage.recordings.split_half import halvings
from tgsage.teacher.ceilings import animal_bounds, bounds, measurement_ceiling, noise_ceiling

METHODS = {
    "spearman": lambda a, b: spearmanr(a, b).statistic,
    "pearson": lambda a, b: pearsonr(a, b).statistic,
}


def presentations(n: int = 24, sites: int = 9, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    counts = rng.integers(2, 6, n)
    shown = rng.permutation(np.repeat(np.arange(n), counts))
    return rng.normal(size=(n, sites))[shown] + rng.normal(size=(len(shown), sites)), shown, counts


def slow_rdm(data: np.ndarray, shown: np.ndarray, mask: np.ndarray, n: int, zscore: bool) -> np.ndarray:
    means = np.array(
        [
            [data[(shown == stimulus) & mask, site].mean() for site in range(data.shape[1])]
            for stimulus in range(n)
        ]
    )
    if zscore:
        for site in range(data.shape[1]):
            means[:, site] = (means[:, site] - means[:, site].mean()) / means[:, site].std()
    square = np.empty((n, n))
    for i, a in enumerate(means - means.mean(axis=1, keepdims=True)):
        for j, b in enumerate(means - means.mean(axis=1, keepdims=True)):
            square[i, j] = 1 - (a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum())
    return square


@pytest.mark.parametrize("zscore", [True, False])
@pytest.mark.parametrize("method", ["spearman", "pearson"])
def test_agreement_of_halves_is_that_of_a_slow_loop(method: str, zscore: bool) -> None:
    data, shown, counts = presentations()
    parts = {"reward": np.arange(0, 24, 2), "report": np.arange(1, 24, 2)}
    result = noise_ceiling(data, shown, parts, zscore=zscore, method=method, n_splits=3, seed=4)
    values: dict[str, list[float]] = {part: [] for part in parts}
    inverse = []
    for labels in halvings(shown, 3, np.random.default_rng(4), odd="coin"):
        first, second = labels == 0, labels == 1
        one, two = (slow_rdm(data, shown, mask, 24, zscore) for mask in (first, second))
        for mask in (first, second):
            inverse += [1 / (mask & (shown == stimulus)).sum() for stimulus in range(24)]
        for part, members in parts.items():
            pairs = [(i, j) for i in members for j in members if i < j]
            values[part].append(METHODS[method]([one[p] for p in pairs], [two[p] for p in pairs]))
    shrinkage = np.mean(1 / counts) / np.mean(inverse)
    for part in parts:
        half = np.mean(values[part])
        assert result[part].split_half == pytest.approx(half, abs=1e-10)
        assert result[part].lower == pytest.approx(half / (half + shrinkage * (1 - half)), abs=1e-10)
        assert result[part].upper > np.sqrt(result[part].lower)


def test_halves_are_disjoint_and_whole() -> None:
    _, shown, counts = presentations()
    sizes = []
    for labels in halvings(shown, 200, np.random.default_rng(0), odd="coin"):
        first, second = labels == 0, labels == 1
        assert (first ^ second).all()
        in_first = np.bincount(shown[first], minlength=24)
        assert ((in_first == counts // 2) | (in_first == (counts + 1) // 2)).all()
        sizes.append(in_first)
    # Every presentation is in the first half about every other time; the odd one falls to either half.
    odd = counts % 2 == 1
    assert np.abs(np.mean(sizes, axis=0) - counts / 2)[odd].max() < 0.15


def test_bounds_are_spearman_brown_and_attenuation() -> None:
    lower, upper = bounds(0.5, 0.0, 0.5)
    assert lower == pytest.approx(2 * 0.5 / 1.5)
    # Noise times noise: x(R) = x(R/2) / 4 with x = 1 / 0.5 - 1 = 1, so rho = 0.8.
    assert upper == pytest.approx(np.sqrt(0.8))
    assert bounds(0.5, 0.0, 0.5, power=1)[1] == pytest.approx(np.sqrt(lower))
    assert bounds(1.0, 0.0, 0.5) == (1.0, 1.0)
    assert bounds(-0.1, 0.01, 0.5) == (-0.1, 0.0)
    assert bounds(0.9, 0.1, 0.5)[1] == 1.0
    assert bounds(0.5, 0.02, 0.5)[1] > upper


def test_without_noise_both_bounds_are_one_and_without_signal_near_zero() -> None:
    data, shown, _ = presentations(60)
    clean = np.random.default_rng(1).normal(size=(60, 9))[shown]
    result = noise_ceiling(clean, shown, {"all": np.arange(60)})["all"]
    assert result.lower == pytest.approx(1)
    assert result.upper == pytest.approx(1)
    noise = np.random.default_rng(2).normal(size=data.shape)
    result = noise_ceiling(noise, shown, {"all": np.arange(60)})["all"]
    assert abs(result.lower) < 0.1
    assert result.upper < 0.5


def test_stimuli_shown_once_drop_out_or_leave_no_ceiling() -> None:
    data, shown, _ = presentations()
    kept = np.concatenate([np.flatnonzero(shown >= 10), [np.flatnonzero(shown == s)[0] for s in range(10)]])
    parts = {"few": np.arange(0, 12), "most": np.arange(8, 24), "repeated": np.arange(10, 24)}
    result = noise_ceiling(data[kept], shown[kept], parts)
    assert np.isnan(result["few"].lower)
    assert "2 of 12 stimuli" in result["few"].reason
    assert result["most"] == result["repeated"]


def test_category_form_is_the_ceiling_of_the_category_rdm() -> None:
    data, shown, _counts = presentations()
    labels = np.array([f"c{stimulus % 6}" for stimulus in range(24)])
    result = noise_ceiling(data, shown, {"all": np.arange(24)}, categories=labels, n_splits=2, seed=1)["all"]
    values = []
    for halves in halvings(shown, 2, np.random.default_rng(1), odd="coin"):
        rdms = []
        for mask in (halves == 0, halves == 1):
            means = np.array([data[(shown == s) & mask].mean(axis=0) for s in range(24)])
            means = (means - means.mean(axis=0)) / means.std(axis=0)
            square = 1 - np.corrcoef([means[c::6].mean(axis=0) for c in range(6)])
            rdms.append(square[np.triu_indices(6, 1)])
        values.append(spearmanr(*rdms).statistic)
    assert result.split_half == pytest.approx(np.mean(values), abs=1e-10)


def test_animal_bounds_are_those_of_nili() -> None:
    rng = np.random.default_rng(0)
    rdms = rng.random(190) + 0.5 * rng.random((4, 190))
    lower, upper = animal_bounds(rdms, "spearman")
    ranks = [rankdata(row) for row in rdms]
    others = [np.mean([ranks[b] for b in range(4) if b != a], axis=0) for a in range(4)]
    assert lower == pytest.approx(np.mean([spearmanr(rdms[a], others[a]).statistic for a in range(4)]))
    assert upper == pytest.approx(np.mean([spearmanr(row, np.mean(ranks, axis=0)).statistic for row in rdms]))
    # No single RDM can be closer to all of them, in Pearson's sense, than the mean of their z-scores.
    _, best = animal_bounds(rdms, "pearson")
    for _ in range(200):
        model = rdms.mean(axis=0) + 0.2 * rng.normal(size=190)
        assert np.mean([pearsonr(model, row).statistic for row in rdms]) <= best + 1e-12


def test_two_animals_have_their_correlation_as_lower_bound() -> None:
    rdms = np.random.default_rng(3).random((2, 66))
    for method, value in METHODS.items():
        assert animal_bounds(rdms, method)[0] == pytest.approx(value(*rdms))
    assert np.isnan(animal_bounds(rdms[:1], "pearson")).all()


def test_agreement_with_rsatoolbox_on_animals() -> None:
    from rsatoolbox.inference import boot_noise_ceiling
    from rsatoolbox.rdm import RDMs

    rng = np.random.default_rng(5)
    rdms = rng.random(190) + 0.5 * rng.random((5, 190))
    for method, theirs in (("spearman", "spearman"), ("pearson", "corr"), ("cosine", "cosine")):
        expected = boot_noise_ceiling(RDMs(rdms), method=theirs, rdm_descriptor="index")
        np.testing.assert_allclose(animal_bounds(rdms, method), expected, atol=1e-8)


def test_published_rdms_are_halved_and_extrapolated_linearly() -> None:
    rng = np.random.default_rng(6)
    n, m = 60, 6
    truth = rng.random(n * (n - 1) // 2)
    scores, covered = [], 0
    for seed in range(20):
        rdms = truth + 0.6 * rng.normal(size=(m, len(truth)))
        scores.append(pearsonr(truth, rdms.mean(axis=0)).statistic)
        result = measurement_ceiling(rdms, {"all": np.arange(n)}, method="pearson", seed=seed)["all"]
        covered += result.lower <= scores[-1] <= result.upper
    assert covered >= 18
    assert result.upper - np.mean(scores) < 0.1
