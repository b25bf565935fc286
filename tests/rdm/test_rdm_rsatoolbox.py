"""rsatoolbox 0.3 as the referee, on random numbers and on recordings from the macaque."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch
import xarray as xr
from scipy.spatial.distance import squareform

from tgsage.rdm import METHODS, compare, crossnobis, rdm, subset

rsatoolbox = pytest.importorskip("rsatoolbox")
from rsatoolbox.data import Dataset  # noqa: E402
from rsatoolbox.rdm import calc_rdm, calc_rdm_unbalanced  # noqa: E402
from rsatoolbox.rdm import compare as their_compare  # noqa: E402

TOLERANCE = 1e-6
THEIR_METRIC = {
    "correlation": "correlation", "sqeuclidean": "euclidean", "poisson": "poisson",
}  # fmt: skip
THEIR_METHOD = {
    "pearson": "corr", "spearman": "spearman", "kendall": "tau-a", "rho_a": "rho-a", "cosine": "cosine",
    "whitened": "corr_cov",
}  # fmt: skip


def theirs(x: np.ndarray, metric: str) -> np.ndarray:
    return calc_rdm(Dataset(x.astype(np.float64)), method=THEIR_METRIC[metric]).get_vectors()[0]


def their_crossnobis(x: np.ndarray, precision: np.ndarray | None, balanced: bool) -> np.ndarray:
    stimulus, repetition = (
        axis[~np.isnan(x).any(2)] for axis in np.meshgrid(*map(np.arange, x.shape[:2]), indexing="ij")
    )
    dataset = Dataset(
        np.ascontiguousarray(x[stimulus, repetition]),
        obs_descriptors={"stimulus": stimulus, "repetition": repetition},
    )
    options = {"descriptor": "stimulus", "cv_descriptor": "repetition", "noise": precision}
    function = calc_rdm if balanced else calc_rdm_unbalanced
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(dataset, method="crossnobis", **options).get_vectors()[0]


@pytest.fixture(scope="module")
def v4(data: Path) -> np.ndarray:
    """Rates of V4 sites: (stimulus, repetition, site), a repetition that was not recorded all NaN."""
    path = next((data / "brainio").glob("assy_*.nc"))
    with xr.open_dataset(path) as file:
        assembly = file["data"].isel(time_bin=0).transpose("presentation", "neuroid").load()
    names, stimulus = np.unique(assembly["stimulus_id"].values, return_inverse=True)
    # Counted anew within each stimulus, whatever the file's own numbers are.
    repetition = np.array([(stimulus[:row] == name).sum() for row, name in enumerate(stimulus)])
    values = np.full((len(names), repetition.max() + 1, assembly.sizes["neuroid"]), np.nan)
    values[stimulus, repetition] = assembly.values
    return values


@pytest.fixture(scope="module")
def published(data: Path) -> tuple[np.ndarray, np.ndarray]:
    """RDMs of 92 objects: human IT (8, pairs) and monkey IT (1, pairs), Kriegeskorte et al. 2008."""
    folder = data / "kriegeskorte2008"
    human = scipy.io.loadmat(folder / "92_brainRDMs.mat")["RDMs"]
    figure = scipy.io.loadmat(folder / "Kriegeskorte_Neuron2008_supplementalData.mat")["RDMs_mIT_hIT_fig1"]
    monkey = next(entry for entry in figure.ravel() if "mIT" in str(entry["name"]))
    return (np.stack([squareform(entry["RDM"], checks=False) for entry in human.ravel()]), monkey["RDM"])


@pytest.mark.parametrize("metric", THEIR_METRIC)
def test_metrics_on_random_patterns(metric: str) -> None:
    x = np.random.default_rng(0).gamma(2.0, size=(60, 90))
    np.testing.assert_allclose(rdm(x, metric), theirs(x, metric), atol=TOLERANCE)


@pytest.mark.parametrize("metric", THEIR_METRIC)
def test_metrics_on_v4(metric: str, v4: np.ndarray) -> None:
    means = np.nanmean(v4, 1)
    assert means.shape == (640, 50)
    expected = theirs(means, metric)
    np.testing.assert_allclose(rdm(means, metric), expected, atol=TOLERANCE)
    single = rdm(torch.from_numpy(means).float(), metric)
    np.testing.assert_allclose(single.numpy(), expected, atol=1e-5 * max(1.0, expected.max()))


@pytest.mark.parametrize("balanced", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_crossnobis_on_random_patterns(balanced: bool, weighted: bool) -> None:
    rng = np.random.default_rng(1)
    x = 3 + rng.normal(size=(14, 5, 8))
    if not balanced:
        for stimulus in range(14):
            x[stimulus, rng.permutation(5)[: stimulus % 4]] = np.nan
    root = rng.normal(size=(8, 8))
    precision = root @ root.T if weighted else None
    np.testing.assert_allclose(
        crossnobis(x, precision, center=False), their_crossnobis(x, precision, balanced), atol=TOLERANCE
    )
    centred = x - np.nanmean(x, (0, 1))
    np.testing.assert_allclose(
        crossnobis(x, precision), their_crossnobis(centred, precision, balanced), atol=TOLERANCE
    )


def test_crossnobis_on_v4(v4: np.ndarray) -> None:
    some = v4[::8]
    counts = (~np.isnan(some).any(2)).sum(1)
    assert len(some) == 80 and counts.min() < counts.max()
    np.testing.assert_allclose(
        crossnobis(some, center=False), their_crossnobis(some, None, False), atol=TOLERANCE
    )
    common = some[:, : counts.min()]
    # The noise precision as in Walther et al.: inverse covariance of residuals, a little on its diagonal.
    residual = (common - common.mean(1, keepdims=True)).reshape(-1, common.shape[2])
    covariance = residual.T @ residual / len(residual)
    precision = np.linalg.inv(
        covariance + 0.1 * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    )
    precision = (precision + precision.T) / 2
    np.testing.assert_allclose(
        crossnobis(common, precision), their_crossnobis(common, precision, True), atol=TOLERANCE
    )


def their_similarity(a: np.ndarray, b: np.ndarray, method: str) -> np.ndarray:
    with warnings.catch_warnings():
        # Their own code triggers deprecations of scipy.
        warnings.simplefilter("ignore")
        return their_compare(a, b, method=THEIR_METHOD[method])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("ties", [False, True])
def test_methods_on_random_rdms(method: str, ties: bool) -> None:
    rng = np.random.default_rng(2)
    a, b = rng.random((3, 300)), rng.random((2, 300))
    if ties:
        a, b = np.round(a, 1), np.round(b, 1)
    np.testing.assert_allclose(compare(a, b, method), their_similarity(a, b, method), atol=TOLERANCE)


@pytest.mark.parametrize("method", METHODS)
def test_methods_on_published_rdms(method: str, published: tuple[np.ndarray, np.ndarray]) -> None:
    human, monkey = published
    assert human.shape == (8, 4186) and monkey.shape == (1, 4186)
    np.testing.assert_allclose(
        compare(human, monkey, method), their_similarity(human, monkey, method), atol=TOLERANCE
    )


@pytest.mark.parametrize("method", METHODS)
def test_methods_on_v4_with_300_stimuli(method: str, v4: np.ndarray) -> None:
    # Two halves of the sites, as two animals would be.
    means = np.nanmean(v4, 1)
    chosen = np.arange(0, 600, 2)
    a, b = subset(rdm(means[:, ::2]), chosen)[None], subset(rdm(means[:, 1::2]), chosen)[None]
    given = compare(a, b, method)
    np.testing.assert_allclose(given, their_similarity(a, b, method), atol=TOLERANCE)
    assert 0.05 < given[0, 0] < 1
