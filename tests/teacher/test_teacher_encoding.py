"""The regressions of encoded teachers against scikit-learn and slow loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.cross_decomposition import PLSRegression
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge

from tgsage.errors import TgsageError
from tgsage.teacher.kinds.encoded.encoding import (
    cross_validate,
    fold_labels,
    noise_corrected,
    pearson,
    pls,
    predict,
    reduce,
    ridge,
    standardise,
)

PENALTIES = [1e-4, 1e-2, 0.1, 1.0, 10.0]


def draw(n: int, size: int, sites: int = 6, noise: float = 1.0, seed: int = 0) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, size)) @ np.diag(np.linspace(2, 0.2, size)) + 3
    y = x @ rng.normal(size=(size, sites)) / np.sqrt(size) + noise * rng.normal(size=(n, sites)) - 5
    return x, y, rng.normal(size=(9, size)) + 3


@pytest.mark.parametrize(("n", "size"), [(40, 12), (25, 60), (30, 30)])
def test_ridge_is_that_of_sklearn(n: int, size: int) -> None:
    x, y, other = draw(n, size)
    result = ridge(PENALTIES)(*map(torch.from_numpy, (x, y, other)))[0]
    assert result.shape == (len(PENALTIES), 9, 6)
    for row, penalty in zip(result.numpy(), PENALTIES, strict=True):
        np.testing.assert_allclose(row, Ridge(alpha=penalty * n).fit(x, y).predict(other), atol=1e-9)


@pytest.mark.parametrize(("n", "size"), [(40, 12), (25, 60)])
def test_pls_is_that_of_sklearn(n: int, size: int) -> None:
    x, y, other = draw(n, size)
    numbers = [1, 2, 5, 11]
    result = pls(numbers)(*map(torch.from_numpy, (x, y, other)))[0]
    for row, number in zip(result.numpy(), numbers, strict=True):
        theirs = PLSRegression(number, scale=False, max_iter=20_000, tol=1e-16).fit(x, y).predict(other)
        np.testing.assert_allclose(row, theirs, atol=1e-5)


def test_pls_stops_where_nothing_is_left() -> None:
    x, y, other = draw(30, 5, noise=0.0)
    result = pls([5])(*map(torch.from_numpy, (x, y, other)))[0].numpy()
    doubled = np.concatenate([x, x], axis=1), np.concatenate([other, other], axis=1)
    again = pls([9])(torch.from_numpy(doubled[0]), torch.from_numpy(y), torch.from_numpy(doubled[1]))[0]
    np.testing.assert_allclose(again.numpy(), result, atol=1e-6)
    with pytest.raises(TgsageError, match="components: 6 are more than the 5 dimensions"):
        pls([2, 6])(*map(torch.from_numpy, (x, y, other)))


@pytest.mark.parametrize(("n", "size"), [(30, 80), (80, 30)])
def test_principal_components_are_those_of_sklearn(n: int, size: int) -> None:
    x, _, other = draw(n, size)
    middle = x.mean(0)
    recorded, shown = reduce(torch.from_numpy(x - middle), torch.from_numpy(other - middle), "pca", 7)
    theirs = PCA(7, svd_solver="full").fit(x)
    scores = theirs.transform(x)
    length = np.sqrt((scores**2).sum(1).mean())
    # Components are known up to their sign.
    sign = np.sign((recorded.numpy() * scores).sum(0))
    np.testing.assert_allclose(recorded.numpy() * sign, scores / length, atol=1e-8)
    np.testing.assert_allclose(shown.numpy() * sign, theirs.transform(other) / length, atol=1e-8)
    assert (recorded.numpy() ** 2).sum(1).mean() == pytest.approx(1)


def test_small_layers_are_not_reduced_and_projections_keep_distances() -> None:
    x = torch.from_numpy(np.random.default_rng(1).normal(size=(20, 6)))
    recorded, shown = reduce(x, x[:3], "pca", 6)
    np.testing.assert_allclose(recorded[:3], shown)
    np.testing.assert_allclose(recorded / recorded[0, 0], x / x[0, 0])
    wide = torch.from_numpy(np.random.default_rng(1).normal(size=(20, 9000)))
    one, again, other = (reduce(wide, wide, "projection", 2000, seed)[0] for seed in (0, 0, 1))
    assert (one == again).all()
    assert (one != other).any()
    exact = torch.pdist(wide) / wide.square().sum(1).mean().sqrt()
    np.testing.assert_allclose(torch.pdist(one), exact, rtol=0.15)


def test_components_that_are_rounding_errors_are_left_out() -> None:
    x = torch.from_numpy(np.random.default_rng(2).normal(size=(50, 3)))
    x -= x.mean(0)
    assert reduce(x @ torch.ones(3, 90).double().cumsum(1), x[:4] @ torch.ones(3, 90).double(), "pca", 40)[
        0
    ].shape == (50, 1)


def test_features_are_standardised_by_the_recorded_stimuli_with_a_floor() -> None:
    rng = np.random.default_rng(0)
    recorded = rng.normal(size=(200, 50)) * 2 + 7
    recorded[:, 0] = 4.0
    recorded[0, 0] = 4.01
    shown = np.full((1, 50), 9.0)
    ours, theirs = standardise(torch.from_numpy(recorded), torch.from_numpy(shown))
    np.testing.assert_allclose(ours[:, 1:].mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(ours[:, 1:].std(0, correction=0), 1, atol=1e-4)
    # Its own deviation, 0.0007, would make of the difference of 5 a value of 7,000.
    assert 20 < float(theirs[0, 0]) < 30
    with pytest.raises(TgsageError, match="the same for all recorded stimuli"):
        standardise(torch.ones(5, 3), torch.zeros(2, 3))
    with pytest.raises(TgsageError, match="not all finite"):
        standardise(torch.full((5, 3), torch.inf), torch.zeros(2, 3))


def slow_cross_validation(features: dict, y: np.ndarray, fold: np.ndarray, per: str) -> tuple:
    """Every fit on its own, with scikit-learn."""
    y = (y - y.mean(0)) / y.std(0)
    sites = range(y.shape[1])

    def error(layer: str, penalty: float, train: np.ndarray, test: np.ndarray) -> np.ndarray:
        fit = Ridge(alpha=penalty * train.sum()).fit(features[layer][train], y[train])
        return ((fit.predict(features[layer][test]) - y[test]) ** 2).sum(0)

    def choose(among: np.ndarray) -> tuple[str, list[float]]:
        """Layer and penalties by the folds that are in ``among``."""
        best = None
        total = ((y[among] - y[among].mean(0)) ** 2).sum(0)
        for layer in features:
            losses = {}
            for penalty in PENALTIES:
                losses[penalty] = 0
                for inner in np.unique(fold[among]):
                    losses[penalty] = losses[penalty] + error(
                        layer, penalty, among & (fold != inner), among & (fold == inner)
                    )
            if per == "site":
                chosen = [min(PENALTIES, key=lambda p: losses[p][site]) for site in sites]
            else:
                chosen = [min(PENALTIES, key=lambda p: (losses[p] / total).mean())] * len(sites)
            score = np.median([1 - losses[chosen[site]][site] / total[site] for site in sites])
            if best is None or score > best[0]:
                best = (score, layer, chosen)
        return best[1], best[2]

    r, made = np.zeros((fold.max() + 1, len(sites))), np.zeros(y.shape)
    layers = []
    for outer in np.unique(fold):
        layer, chosen = choose(fold != outer)
        layers.append(layer)
        for site in sites:
            train, test = fold != outer, fold == outer
            fit = Ridge(alpha=chosen[site] * train.sum()).fit(features[layer][train], y[train, site])
            made[test, site] = fit.predict(features[layer][test])
            r[outer, site] = np.corrcoef(made[test, site], y[test, site])[0, 1]
    layer, chosen = choose(np.ones(len(y), bool))
    return layer, chosen, r.mean(0), tuple(layers), made


@pytest.mark.parametrize("per", ["site", "region"])
@pytest.mark.parametrize("seed", [0, 3])
def test_nested_cross_validation_is_that_of_a_slow_loop(per: str, seed: int) -> None:
    x, y, _ = draw(48, 10, sites=4, noise=2.0, seed=seed)
    rng = np.random.default_rng(seed)
    features = {"a": x + rng.normal(size=x.shape), "b": x[:, ::2] + 0.7 * rng.normal(size=(48, 5))}
    fold = fold_labels(48, 4, seed)
    layer, chosen, r, layers, made = slow_cross_validation(features, y, fold, per)
    result = cross_validate(
        {name: torch.from_numpy(value) for name, value in features.items()}, y, fold, ridge(PENALTIES), per
    )
    assert result.layer == layer
    assert result.fold_layers == layers
    assert [PENALTIES[number] for number in result.candidate] == chosen
    np.testing.assert_allclose(result.predictivity, r, atol=1e-9)
    np.testing.assert_allclose(result.held_out, made * y.std(0) + y.mean(0), atol=1e-9)


def test_held_out_responses_have_no_part_in_their_prediction() -> None:
    """With as many features as stimuli everything can be fitted, and nothing can be predicted."""
    rng = np.random.default_rng(5)
    x, y = torch.from_numpy(rng.normal(size=(100, 300))), rng.normal(size=(100, 40))
    features = {name: x + 0.1 * torch.from_numpy(rng.normal(size=x.shape)) for name in "abcdef"}
    result = cross_validate(features, y, fold_labels(100, 5, 0), ridge(PENALTIES))
    assert abs(result.predictivity.mean()) < 0.06
    fitted = predict(x, y, x, ridge([1e-8]), np.zeros(40, int))
    assert pearson(fitted, y).min() > 0.99


@pytest.mark.parametrize("make", [lambda: ridge(PENALTIES), lambda: pls([1, 2, 6, 12])])
def test_what_can_be_predicted_is_predicted_in_the_units_of_the_responses(make) -> None:
    x, y, other = draw(200, 12, sites=5, noise=0.01)
    y = y * [1, 10, 100, 1000, 1e-6] + [0, 5, 0, -7, 3e-6]
    model = make()
    result = cross_validate({"x": torch.from_numpy(x)}, y, fold_labels(200, 5, 0), model)
    assert result.predictivity.min() > 0.98
    made = predict(torch.from_numpy(x), y, torch.from_numpy(other), model, result.candidate)
    line = np.linalg.lstsq(np.c_[x, np.ones(200)], y, rcond=None)[0]
    expected = np.c_[other, np.ones(9)] @ line
    for site in range(5):
        assert np.corrcoef(made[:, site], expected[:, site])[0, 1] > 0.99
    assert (abs(made - expected) < 0.3 * y.std(0)).all()


def test_folds_are_of_one_size_and_keep_equal_pictures_together() -> None:
    fold = fold_labels(103, 5, 0)
    assert sorted(np.bincount(fold)) == [20, 20, 21, 21, 21]
    assert (fold == fold_labels(103, 5, 0)).all()
    assert (fold != fold_labels(103, 5, 1)).any()
    pictures = [str(index // 2) for index in range(100)]
    fold = fold_labels(100, 5, 0, pictures)
    assert (fold[::2] == fold[1::2]).all()
    assert (np.bincount(fold) == 20).all()
    with pytest.raises(TgsageError, match="5 folds of 10 different stimuli"):
        fold_labels(20, 5, 0, [str(index // 2) for index in range(20)])


def test_noise_correction_recovers_the_correlation_with_the_noiseless_response() -> None:
    rng = np.random.default_rng(0)
    n, repeats = 20_000, 6
    signal = rng.normal(size=n)
    guess = 0.7 * signal + np.sqrt(1 - 0.49) * rng.normal(size=n)
    trials = signal[:, None] + 2.0 * rng.normal(size=(n, repeats))
    mean = trials.mean(1)
    reliability = 1 / (1 + 4 / repeats)
    measured = np.corrcoef(guess, mean)[0, 1]
    assert measured < 0.6
    corrected = noise_corrected(np.array([measured]), np.array([reliability]))
    assert corrected[0] == pytest.approx(np.corrcoef(guess, signal)[0, 1], abs=0.02)
    assert np.isnan(noise_corrected(np.array([0.5, 0.5, 0.5]), np.array([np.nan, 0.0, -0.2]))).all()


def test_correlation_of_constants() -> None:
    rng = np.random.default_rng(0)
    predicted, measured = rng.normal(size=(30, 3)), rng.normal(size=(30, 3))
    predicted[:, 1] = 0.1
    measured[:, 2] = 5.0
    result = pearson(predicted, measured)
    assert result[0] == pytest.approx(np.corrcoef(predicted[:, 0], measured[:, 0])[0, 1])
    assert result[1] == 0
    assert np.isnan(result[2])
