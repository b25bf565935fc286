"""Digests of values."""

from __future__ import annotations

import numpy as np
import pytest

from tgsage.store import digest, seed_from


def test_equal_values_have_equal_digests():
    assert digest({"a": 1, "b": [1.5, None]}) == digest({"b": (1.5, None), "a": 1})
    array = np.arange(6, dtype="<i4").reshape(2, 3)
    assert digest(array) == digest(array.astype(">i4")) == digest(np.asfortranarray(array))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 2),
        (1, "1"),
        (["ab", "c"], ["a", "bc"]),
        ([[1], 2], [1, [2]]),
        (np.zeros(2, np.float32), np.zeros(2, np.float64)),
        (np.zeros((2, 3)), np.zeros((3, 2))),
        (np.array(["a", "b"]), np.array(["b", "a"])),
        ({"a": 1}, {"b": 1}),
    ],
)
def test_different_values_have_different_digests(one, other):
    assert digest(one) != digest(other)


def test_seeds_are_stable_and_independent():
    assert seed_from("training", 0) == seed_from("training", 0)
    seeds = {seed_from("training", number) for number in range(1000)}
    assert len(seeds) == 1000 and all(0 <= seed < 2**63 for seed in seeds)
