"""Stimuli that choose, reward and report."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from pydantic import ValidationError

from tgsage.errors import TgsageError
from tgsage.teacher.settings import Splits
from tgsage.teacher.splits import assign_splits

THREE = Splits(choose=0.2, reward=0.5, report=0.3)


@pytest.mark.parametrize("n_categories", [1, 3, 8])
@pytest.mark.parametrize("n", [100, 137, 640])
def test_parts_are_exact_and_stratified(n: int, n_categories: int) -> None:
    rng = np.random.default_rng(n)
    categories = rng.choice([f"c{index}" for index in range(n_categories)], n)
    assigned = assign_splits(categories, THREE, where="here")
    counts = Counter(assigned.tolist())
    assert sum(counts.values()) == n
    for part, share in (("choose", 0.2), ("reward", 0.5), ("report", 0.3)):
        assert abs(counts[part] - share * n) <= 1
        for category in np.unique(categories):
            members = categories == category
            assert abs((assigned[members] == part).sum() - share * members.sum()) < 2


def test_the_seed_decides() -> None:
    categories = ["a", "b"] * 60
    one = assign_splits(categories, Splits(seed=1), where="here")
    assert (one == assign_splits(categories, Splits(seed=1), where="here")).all()
    assert (one != assign_splits(categories, Splits(seed=2), where="here")).any()
    assert set(one) == {"reward", "report"}


def test_equal_pictures_stay_together_within_and_across_data_sets() -> None:
    pictures = [f"p{index // 2}" for index in range(200)]
    known: dict[str, str] = {}
    first = assign_splits([""] * 200, THREE, where="here", pictures=pictures, part_of_picture=known)
    assert (first[::2] == first[1::2]).all()
    others = [f"p{index}" for index in range(50)] + [f"q{index}" for index in range(150)]
    second = assign_splits([""] * 200, THREE, where="there", pictures=others, part_of_picture=known)
    assert (second[:50] == first[:100:2]).all()


def test_a_part_that_is_too_small_is_refused() -> None:
    with pytest.raises(TgsageError, match=r"here: split 'report' has 18 of 60 stimuli.*at least 20"):
        assign_splits([""] * 60, Splits(), where="here")
    assign_splits([""] * 67, Splits(), where="here")


def test_shares_must_sum_to_one() -> None:
    with pytest.raises(ValidationError, match=r"choose \+ reward \+ report is 1.2"):
        Splits(choose=0.2)
