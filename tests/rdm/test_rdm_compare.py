"""Comparison of RDMs against definitions written out, and against scipy."""

from __future__ import annotations

import itertools
import typing

import numpy as np
import pytest
import scipy.stats
import torch

from tgsage.errors import TgsageError
from tgsage.rdm import METHODS, RANKED, comparable, compare, comparison, rdm, subset
from tgsage.rdm.ranks import centred_ranks, inversions
from tgsage.runs.settings import CompareMethod


def slow(a: np.ndarray, b: np.ndarray, method: str) -> float:
    """The similarity of two RDMs, from its definition."""
    m = len(a)
    if method == "cosine":
        return float(a @ b / np.sqrt((a @ a) * (b @ b)))
    if method == "kendall":
        score = sum(np.sign(a[i] - a[j]) * np.sign(b[i] - b[j]) for i in range(m) for j in range(i + 1, m))
        return float(score / (m * (m - 1) / 2))
    if method in ("spearman", "rho_a"):
        # The mean rank of a tied value: those below it, and half of those that equal it.
        a, b = (np.array([(v < u).sum() + ((v == u).sum() + 1) / 2 for u in v]) for v in (a, b))
    a, b = a - a.mean(), b - b.mean()
    if method == "rho_a":
        return float(12 * (a @ b) / (m**3 - m))
    weight = np.eye(m)
    if method == "whitened":
        n = int((1 + np.sqrt(1 + 8 * m)) / 2)
        contrasts = np.zeros((m, n))
        for pair, (i, j) in enumerate(itertools.combinations(range(n), 2)):
            contrasts[pair, i], contrasts[pair, j] = 1, -1
        # Diedrichsen et al. 2021: the covariance of distances estimated with independent equal noise.
        weight = np.linalg.inv((contrasts @ contrasts.T) ** 2)
    return float(a @ weight @ b / np.sqrt((a @ weight @ a) * (b @ weight @ b)))


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(1808)


def rdms(rng: np.random.Generator, n: int, count: int, ties: bool = False) -> np.ndarray:
    made = np.stack([rdm(rng.normal(size=(n, 6)), "sqeuclidean") for _ in range(count)])
    return np.round(made, 0) if ties else made


def test_methods_are_those_of_the_config() -> None:
    assert set(METHODS) == set(typing.get_args(CompareMethod))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("ties", [False, True])
def test_equals_the_definition(method: str, ties: bool, rng: np.random.Generator) -> None:
    a, b = rdms(rng, 9, 3, ties), rdms(rng, 9, 4, ties)
    assert not ties or len(np.unique(a[0])) < 20
    expected = [[slow(one, other, method) for other in b] for one in a]
    given = compare(a, b, method)
    assert given.shape == (3, 4) and given.dtype == np.float64
    np.testing.assert_allclose(given, expected, atol=1e-12)


@pytest.mark.parametrize("ties", [False, True])
def test_equals_scipy(ties: bool, rng: np.random.Generator) -> None:
    a, b = rdms(rng, 40, 1, ties)[0], rdms(rng, 40, 1, ties)[0]
    b = b + np.round(a / 2)
    assert compare(a, b, "pearson")[0, 0] == pytest.approx(scipy.stats.pearsonr(a, b)[0], abs=1e-12)
    assert compare(a, b, "spearman")[0, 0] == pytest.approx(scipy.stats.spearmanr(a, b)[0], abs=1e-12)
    if not ties:
        # Without ties tau-a and tau-b are one.
        assert compare(a, b, "kendall")[0, 0] == pytest.approx(scipy.stats.kendalltau(a, b)[0], abs=1e-12)


def test_rho_a_is_the_mean_over_random_tie_breaking(rng: np.random.Generator) -> None:
    a, b = rdms(rng, 8, 2, ties=True)
    drawn = [
        scipy.stats.spearmanr(a + 1e-6 * rng.random(a.size), b + 1e-6 * rng.random(b.size))[0]
        for _ in range(3000)
    ]
    error = np.std(drawn) / np.sqrt(3000)
    assert abs(compare(a, b, "rho_a")[0, 0] - np.mean(drawn)) < 4 * error
    assert abs(compare(a, b, "spearman")[0, 0] - np.mean(drawn)) > 4 * error


@pytest.mark.parametrize("method", METHODS)
def test_torch_equals_numpy(method: str, rng: np.random.Generator) -> None:
    a, b = rdms(rng, 12, 2, ties=True), rdms(rng, 12, 3)
    expected = compare(a, b, method)
    for one, other in [
        (torch.from_numpy(a), torch.from_numpy(b)),
        (torch.from_numpy(a).float(), b),
        (a, torch.from_numpy(b)),
    ]:
        given = compare(one, other, method)
        assert isinstance(given, torch.Tensor) and given.dtype == torch.float64
        np.testing.assert_allclose(given.numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("method", [name for name in METHODS if name != "kendall"])
def test_what_other_devices_compute_equals_numpy(
    method: str, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = rdms(rng, 12, 5, ties=True), rdms(rng, 12, 2)
    a[1, 4] = np.nan
    a[2] = 3.0
    expected = compare(a, b, method)
    assert np.isnan(expected[1]).all()
    # Tensors on the host take numpy's way; here the tensors' own code runs on it.
    monkeypatch.setattr(comparison, "plain_numpy", lambda values: values)
    given = comparable(torch.from_numpy(a), method)
    assert isinstance(given.values, torch.Tensor)
    np.testing.assert_allclose(compare(given, b, method).numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_made_comparable_once_it_compares_the_same(
    method: str, dtype: type, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "_CHUNK", 10)
    a, b = rdms(rng, 12, 3, ties=True).astype(dtype), rdms(rng, 12, 4).astype(dtype)
    b[2, 7] = np.inf
    expected = compare(a, b, method)
    ready = comparable(b, method)
    np.testing.assert_array_equal(compare(a, ready, method), expected)
    np.testing.assert_array_equal(compare(comparable(a, method), ready, method), expected)
    tensor = compare(torch.from_numpy(a), ready, method)
    assert isinstance(tensor, torch.Tensor)
    np.testing.assert_array_equal(tensor.numpy(), expected)
    if method in RANKED:
        ranks = np.stack([centred_ranks(row) for row in b[[0, 1, 3]]])
        stored = comparable(ranks, method, ranked=True)
        np.testing.assert_array_equal(compare(a, stored, method), expected[:, [0, 1, 3]])
    other = "cosine" if method != "cosine" else "pearson"
    with pytest.raises(TgsageError, match=f"made ready for '{method}' cannot be compared by '{other}'"):
        compare(a, ready, other)


@pytest.mark.parametrize("method", METHODS)
def test_the_input_is_untouched(method: str, rng: np.random.Generator) -> None:
    a = rdms(rng, 6, 2)
    before = a.copy()
    tensor = torch.from_numpy(a.copy())
    a.flags.writeable = False
    compare(a, a, method)
    compare(tensor, tensor, method)
    np.testing.assert_array_equal(tensor.numpy(), before)


@pytest.mark.parametrize("method", METHODS)
def test_itself_symmetry_and_a_common_permutation(method: str, rng: np.random.Generator) -> None:
    a = rdms(rng, 14, 4)
    given = compare(a, a, method)
    np.testing.assert_allclose(np.diag(given), 1, atol=1e-12)
    np.testing.assert_allclose(given, given.T, atol=1e-12)
    assert (np.abs(given) <= 1).all()
    order = rng.permutation(14)
    np.testing.assert_allclose(compare(subset(a, order), subset(a, order), method), given, atol=1e-12)
    assert not np.allclose(compare(subset(a, order), a, method), given, atol=1e-3)


@pytest.mark.parametrize("method", ["spearman", "kendall", "rho_a"])
def test_ranks_do_not_see_a_monotone_change(method: str, rng: np.random.Generator) -> None:
    a, b = rdms(rng, 10, 2), rdms(rng, 10, 2)
    np.testing.assert_allclose(compare(np.exp(a), b, method), compare(a, b, method), atol=1e-14)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_rdm_with_a_gap_has_no_similarity_and_the_others_do(
    method: str, value: float, rng: np.random.Generator
) -> None:
    a, b = rdms(rng, 7, 3), rdms(rng, 7, 2)
    expected = compare(a, b, method)
    a[1, 5] = value
    given = compare(a, b, method)
    assert np.isnan(given[1]).all()
    np.testing.assert_allclose(given[[0, 2]], expected[[0, 2]], atol=1e-14)
    assert np.isnan(compare(b, a, method)[:, 1]).all()
    assert compare(torch.from_numpy(a), b, method)[1].isnan().all()


@pytest.mark.parametrize("constant", [0.0, 0.1, 1.0])
def test_an_rdm_without_variance(constant: float, rng: np.random.Generator) -> None:
    a, b = np.full((1, 45), constant), rdms(rng, 10, 2)
    for method in ("pearson", "spearman", "whitened"):
        assert np.isnan(compare(a, b, method)).all()
    for method in ("kendall", "rho_a"):
        np.testing.assert_array_equal(compare(a, b, method), 0)
    assert np.isnan(compare(a, b, "cosine")).all() == (constant == 0)


def test_a_dead_layer_is_nan_by_any_road(rng: np.random.Generator) -> None:
    target = rdms(rng, 10, 1)
    silent = np.zeros((10, 50))
    alike = np.repeat(rng.normal(size=(1, 50)), 10, axis=0)
    for layer in (silent, alike, torch.from_numpy(alike).float()):
        assert np.isnan(np.asarray(compare(rdm(layer), target, "spearman"))).all()
        assert np.isnan(np.asarray(compare(rdm(layer), target, "pearson"))).all()


@pytest.mark.parametrize("factor", [1e-200, 1e200])
def test_extreme_units(factor: float, rng: np.random.Generator) -> None:
    a, b = rdms(rng, 8, 2), rdms(rng, 8, 2)
    for method in METHODS:
        np.testing.assert_allclose(compare(a * factor, b, method), compare(a, b, method), atol=1e-12)


def test_a_large_offset(rng: np.random.Generator) -> None:
    a, b = rdms(rng, 8, 2), rdms(rng, 8, 2)
    for method in ("pearson", "whitened"):
        np.testing.assert_allclose(compare(a + 1e7, b, method), compare(a, b, method), atol=1e-8)


def test_whitened_of_many_stimuli_needs_no_pairs_by_pairs_matrix(rng: np.random.Generator) -> None:
    # 1,500 stimuli have 1.1 million pairs: their matrix would take 10 TB.
    a = rng.random((1, 1500 * 1499 // 2))
    assert compare(a, a, "whitened")[0, 0] == pytest.approx(1)
    noisy = compare(a, a + rng.random(a.shape), "whitened")[0, 0]
    assert noisy == pytest.approx(compare(a, a + rng.random(a.shape), "pearson")[0, 0], abs=0.01)


@pytest.mark.parametrize("n", [1, 2, 5, 31, 32, 33, 64, 65, 500])
@pytest.mark.parametrize("levels", [1, 2, 7, 10**6])
def test_inversions_counted_one_by_one(n: int, levels: int, rng: np.random.Generator) -> None:
    values = rng.integers(0, levels, size=n)
    expected = int(np.triu(values[:, None] > values[None, :], 1).sum())
    assert inversions(values) == expected


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "values",
    [
        [5.0],
        [2, 2, 2],
        [3, 1, 2],
        [0.0, -0.0, 1.0, -1.0, 0.0],
        [1, 2, 2, 0, 2, 1],
        [-1.5, -2.5, -1e-40, 1e-40, 0, -3e38, 3e38, np.inf, -np.inf, -2.5, np.inf],
    ],
)
def test_centred_ranks_are_scipys(values: list[float], dtype: type) -> None:
    array = np.array(values, dtype)
    expected = 2 * scipy.stats.rankdata(array) - (len(values) + 1)
    given = centred_ranks(array)
    assert given.dtype == np.int32
    np.testing.assert_array_equal(given, expected)
    np.testing.assert_array_equal(centred_ranks(torch.from_numpy(array)).numpy(), expected)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int32])
@pytest.mark.parametrize("levels", [3, 1000, 10**8])
def test_centred_ranks_of_many_values(dtype: type, levels: int, rng: np.random.Generator) -> None:
    # More than one chunk, with many ties and with few, of both signs.
    drawn = rng.integers(-levels, levels, 200_000) / (1 if dtype == np.int32 else 7)
    with np.errstate(over="ignore"):  # in float16, to infinity
        values = drawn.astype(dtype)
    np.testing.assert_array_equal(centred_ranks(values), 2 * scipy.stats.rankdata(values) - (values.size + 1))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: compare(np.ones(6), np.ones(6), "spearmann"), "did you mean 'spearman'"),
        (lambda: compare(np.ones(6), np.ones(10)), "6 pairs in a, 10 in b"),
        (lambda: compare(np.ones(5), np.ones(5)), "5 is not the number of pairs"),
        (lambda: compare(np.ones(1), np.ones(1)), "at least 3 stimuli, got 2"),
        (lambda: compare(np.ones(0), np.ones(0)), "0 is not the number of pairs"),
        (lambda: compare(np.ones((2, 4, 4)), np.ones(6)), r"condensed RDMs as \(rdm, pair\)"),
        (lambda: compare(np.array(["a"] * 6), np.ones(6)), "real numbers"),
        (lambda: compare(np.float64(3.0), np.ones(6)), "condensed"),
    ],
)
def test_bad_input_is_named(call: typing.Callable[[], object], words: str) -> None:
    with pytest.raises(TgsageError, match=words):
        call()


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("method", METHODS)
def test_cuda_equals_numpy(method: str, rng: np.random.Generator) -> None:
    a, b = rdms(rng, 30, 3, ties=True), rdms(rng, 30, 2)
    a[1, 3] = np.nan
    given = compare(torch.from_numpy(a).cuda(), b, method)
    assert given.device.type == "cuda"
    np.testing.assert_allclose(given.cpu().numpy(), compare(a, b, method), atol=1e-10)
