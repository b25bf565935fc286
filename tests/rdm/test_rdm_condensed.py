"""The small operations on condensed RDMs."""

from __future__ import annotations

import typing

import numpy as np
import pytest
import scipy.spatial.distance as distance
import torch

from tgsage.errors import TgsageError
from tgsage.rdm import average, category_means, n_stimuli, rdm, subset


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(92)


def test_order_is_that_of_triu_indices_and_scipy(rng: np.random.Generator) -> None:
    x = rng.normal(size=(7, 4))
    condensed = rdm(x, "sqeuclidean")
    np.testing.assert_allclose(condensed, distance.pdist(x, "sqeuclidean") / 4)
    np.testing.assert_array_equal(distance.squareform(condensed)[np.triu_indices(7, 1)], condensed)
    np.testing.assert_allclose(rdm(x, "correlation"), distance.pdist(x, "correlation"))
    np.testing.assert_allclose(rdm(x, "cosine"), distance.pdist(x, "cosine"))


@pytest.mark.parametrize("n", [2, 3, 4, 92, 5760])
def test_n_stimuli(n: int) -> None:
    assert n_stimuli(n * (n - 1) // 2) == n


@pytest.mark.parametrize("pairs", [-1, 0, 2, 4, 5, 4187])
def test_not_a_number_of_pairs(pairs: int) -> None:
    with pytest.raises(TgsageError, match="not the number of pairs"):
        n_stimuli(pairs)


@pytest.mark.parametrize("kind", ["numpy", "torch"])
def test_subset_is_the_rdm_of_the_subset(kind: str, rng: np.random.Generator) -> None:
    x = rng.normal(size=(11, 6))
    whole = np.stack([rdm(x), rdm(x, "cosine")])
    given = whole if kind == "numpy" else torch.from_numpy(whole)
    for index in ([3, 0, 7], [10, 9], list(range(11)), rng.permutation(11), np.arange(11) % 3 == 0):
        expected = np.stack([rdm(x[index]), rdm(x[index], "cosine")])
        np.testing.assert_allclose(np.asarray(subset(given, index)), expected, atol=1e-14)
        np.testing.assert_allclose(np.asarray(subset(given[1], index)), expected[1], atol=1e-14)
    np.testing.assert_array_equal(
        np.asarray(subset(given, torch.tensor([1, 5, 2]))), np.asarray(subset(given, [1, 5, 2]))
    )


def test_average(rng: np.random.Generator) -> None:
    a = rng.random((4, 15))
    np.testing.assert_allclose(average(a), a.mean(0))
    np.testing.assert_allclose(average(list(a)), a.mean(0))
    np.testing.assert_allclose(average(list(torch.from_numpy(a))).numpy(), a.mean(0))
    assert average(torch.from_numpy(a).float()).dtype == torch.float32
    a[2, 7] = np.nan
    assert np.flatnonzero(np.isnan(average(a))).tolist() == [7]


@pytest.mark.parametrize(
    "labels", [[2, 0, 2, 1, 0, 2], ["planes", "boats", "planes", "faces", "boats", "planes"]]
)
def test_category_means(labels: list, rng: np.random.Generator) -> None:
    x = rng.normal(size=(6, 5)).astype(np.float32)
    expected = np.stack([x[[1, 4]].mean(0), x[[3]].mean(0), x[[0, 2, 5]].mean(0)])
    given = category_means(x, labels)
    assert given.dtype == np.float64
    # sorted: boats < faces < planes, 0 < 1 < 2
    np.testing.assert_allclose(given, expected, rtol=1e-6)
    tensor = category_means(torch.from_numpy(x), labels)
    assert tensor.dtype == torch.float32
    np.testing.assert_allclose(tensor.numpy(), expected, rtol=1e-6)


def test_category_means_keep_a_nan_in_its_category() -> None:
    x = np.array([[1.0, 2.0], [np.nan, 4.0], [5.0, 6.0]])
    expected = [[3.0, 4.0], [np.nan, 4.0]]
    np.testing.assert_array_equal(category_means(x, [0, 1, 0]), expected)
    np.testing.assert_array_equal(
        category_means(torch.from_numpy(x), torch.tensor([0, 1, 0])).numpy(), expected
    )
    assert category_means(torch.tensor([[1], [2]]), [3, 3]).tolist() == [[1.5]]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: subset(np.ones(6), [0, 4]), "stimulus 4 is not in the RDM"),
        (lambda: subset(np.ones(6), [0, -1]), "stimulus -1 is not in the RDM"),
        (lambda: subset(np.ones(6), [0, 1, 1]), "stimulus 1 occurs twice"),
        (lambda: subset(np.ones(6), [2]), "at least 2 stimuli, got 1"),
        (lambda: subset(np.ones(6), []), "at least 2 stimuli, got 0"),
        (lambda: subset(np.ones(6), [0.5, 1.5]), "whole numbers"),
        (lambda: subset(np.ones(6), [True, False]), "mask"),
        (lambda: average([np.ones(3), np.ones(6)]), r"\[3, 6\]"),
        (lambda: average([]), "at least one"),
        (lambda: average(np.ones(6)), r"\(rdm, pair\)"),
        (lambda: average(np.ones((2, 5))), "not the number of pairs"),
        (lambda: category_means(np.ones(3), [0, 1, 2]), "stimuli, features"),
        (lambda: category_means(np.ones((3, 2)), [0, 1]), "3 rows"),
        (lambda: category_means(np.ones((0, 2)), []), "at least one row"),
    ],
)
def test_bad_input_is_named(call: typing.Callable[[], object], words: str) -> None:
    with pytest.raises(TgsageError, match=words):
        call()
