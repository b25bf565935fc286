"""Statistics against closed forms, slow loops and scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform
from scipy.stats import binomtest, rankdata, spearmanr

from tgsage import statistics
from tgsage.store import seed_from


def test_wilson_is_scipys():
    counts = np.r_[0, 1, 13, 400, 799, 800]
    expected = [binomtest(int(count), 800).proportion_ci(0.9, method="wilson") for count in counts]
    assert [statistics.wilson(int(count), 800, 0.9) for count in counts] == [tuple(one) for one in expected]
    assert statistics.wilson(20, 20) == tuple(binomtest(20, 20).proportion_ci(method="wilson"))


def test_wilson_of_accuracies_keeps_missing_ones_missing():
    bounds = statistics.wilson_of_accuracy([0.5, np.nan, 1 / 3], 100)
    assert bounds.shape == (2, 3)
    assert tuple(bounds[:, 0]) == statistics.wilson(50, 100)
    assert tuple(bounds[:, 2]) == statistics.wilson(33, 100)
    assert np.isnan(bounds[:, 1]).all()


def test_ranks_are_scipys():
    values = np.random.default_rng(0).integers(0, 20, 50) - 7.5
    np.testing.assert_array_equal(statistics.ranks(values), rankdata(values))
    assert statistics.ranks([]).shape == (0,)


def test_spearman_value_and_interval_equal_a_loop_of_scipys(monkeypatch):
    monkeypatch.setattr(statistics, "RESAMPLED_TOGETHER", 24 * 7)
    rng = np.random.default_rng(1)
    x = rng.integers(0, 6, 25).astype(float)  # ties
    y = x + rng.normal(0, 2, 25)
    x[3] = np.nan
    found = statistics.spearman(x, y, resamples=300, seed=4)
    x, y = np.delete(x, 3), np.delete(y, 3)
    assert found.n == 24
    assert found.value == pytest.approx(spearmanr(x, y).statistic, abs=1e-12)
    draws = np.random.default_rng(seed_from("plots.statistics.spearman", 4)).integers(24, size=(300, 24))
    values = [spearmanr(x[draw], y[draw]).statistic for draw in draws]
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(values, [0.025, 0.975])), abs=1e-12)


def test_spearman_of_too_little():
    assert np.isnan(statistics.spearman([1, 2], [1, 2]).value)
    few = statistics.spearman([1, 2, 3, 4], [1, 3, 2, 4])
    assert few.value == pytest.approx(0.8) and np.isnan(few.low)
    assert "too few" in str(few)
    assert np.isnan(statistics.spearman(np.ones(9), np.arange(9)).value)
    assert "not defined" in str(statistics.spearman(np.ones(9), np.arange(9)))


@pytest.mark.parametrize("method", ["spearman", "pearson"])
def test_rdm_similarity_equals_a_loop_that_leaves_out_pairs_of_a_stimulus_with_itself(method):
    rng = np.random.default_rng(2)
    a, b = pdist(rng.normal(size=(12, 3))), pdist(rng.normal(size=(12, 3)))
    b += a
    found = statistics.rdm_similarity(a, b, method=method, resamples=40, seed=3)

    def correlate(x, y):
        return spearmanr(x, y).statistic if method == "spearman" else np.corrcoef(x, y)[0, 1]

    assert found.n == 12
    assert found.value == pytest.approx(correlate(a, b), abs=1e-12)
    square_a, square_b = squareform(a), squareform(b)
    draws = np.random.default_rng(seed_from("plots.statistics.rdm_similarity", 3))
    values = []
    for _ in range(40):
        drawn = draws.integers(12, size=12)
        pairs_a, pairs_b = [], []
        for i in range(12):
            for j in range(i + 1, 12):
                if drawn[i] != drawn[j]:
                    pairs_a.append(square_a[drawn[i], drawn[j]])
                    pairs_b.append(square_b[drawn[i], drawn[j]])
        values.append(correlate(pairs_a, pairs_b))
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(values, [0.025, 0.975])), abs=1e-12)


def test_rdm_similarity_refuses_other_methods():
    with pytest.raises(ValueError, match="kendall"):
        statistics.rdm_similarity(np.ones(10), np.ones(10), method="kendall")


def test_running_best_equals_a_loop():
    values = [np.nan, 0.2, 0.1, np.nan, 0.5, 0.4]
    best, expected = np.nan, []
    for value in values:
        if not np.isnan(value) and (np.isnan(best) or value > best):
            best = value
        expected.append(best)
    np.testing.assert_array_equal(statistics.running_best(values), expected)
    assert statistics.running_best([]).size == 0


def test_classical_mds_recovers_points_in_a_plane():
    points = np.random.default_rng(5).normal(size=(20, 2))
    found, share = statistics.classical_mds(pdist(points) ** 2)
    np.testing.assert_allclose(pdist(found), pdist(points), atol=1e-9)
    assert share == pytest.approx(1)


def test_classical_mds_tells_the_share_of_two_of_many_dimensions():
    points = np.random.default_rng(6).normal(size=(30, 6)) * [5, 3, 1, 1, 1, 1]
    _, share = statistics.classical_mds(pdist(points) ** 2)
    variances = np.linalg.svd(points - points.mean(0), compute_uv=False) ** 2
    assert share == pytest.approx(variances[:2].sum() / variances.sum())


def test_stress_is_that_of_sklearns_isotonic_regression():
    from sklearn.isotonic import IsotonicRegression

    rng = np.random.default_rng(2)
    positions = rng.normal(size=(12, 2))
    dissimilarity = pdist(positions) ** 2 + rng.normal(size=66)
    distance = pdist(positions)
    fitted = IsotonicRegression().fit_transform(dissimilarity, distance)
    expected = np.sqrt(((distance - fitted) ** 2).sum() / (distance**2).sum())
    assert statistics.stress(dissimilarity, positions) == pytest.approx(expected, abs=1e-12)
    # Any monotone function of the distances is arranged without stress, ties included.
    assert statistics.stress(np.floor(distance * 2), positions) == pytest.approx(0, abs=1e-12)
    assert statistics.stress(-distance, positions) > 0.1
    assert math.isnan(statistics.stress(dissimilarity, np.zeros((12, 2))))


@pytest.mark.parametrize(
    "value, lower, upper, share, words",
    [
        (0.25, 0.5, 0.8, (0.3125, 0.5), "31 to 50 %"),
        (-0.1, 0.5, 0.8, (-0.2, -0.125), "−20 to −12 %"),
        (0.9, 0.6, 0.9, (1.0, 1.5), "100 to 150 %"),
        (0.25, np.nan, 0.5, (0.5, 0.5), "50 %"),
        (0.25, -0.1, 0.5, (0.5, 0.5), "50 %"),
        (0.25, None, None, None, "not available"),
        (None, 0.5, 0.8, None, "not available"),
        (np.nan, 0.5, 0.8, None, "not available"),
    ],
)
def test_share_of_ceiling(value, lower, upper, share, words):
    found = statistics.share_of_ceiling(value, lower, upper)
    assert found == (None if share is None else pytest.approx(share))
    assert statistics.share_in_words(found) == words
