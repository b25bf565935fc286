"""Similarity of a finished search with its teacher: order of stimuli, intervals, and the α of its scores."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest
import xarray as xr
from scipy.spatial.distance import squareform

from helpers import made_up_run
from tgsage.errors import TgsageError
from tgsage.runs import search_files
from tgsage.studies.similarity import aligned_rdm, inferred_alpha, similarity_intervals
from tgsage.teacher import load, targets_of


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return made_up_run.make_run(tmp_path_factory.mktemp("studies"), arms=("monkey",))


@pytest.fixture(scope="module")
def search(run):
    return search_files.read_search(run / "search/monkey/seed_0")


@pytest.fixture(scope="module")
def teacher(run):
    return load(run / "teachers/monkey.nc")


def test_a_networks_stimuli_are_put_into_the_teachers_order(search, teacher):
    target = targets_of(teacher)["V4"]
    network = search.rdms["V4"].to_dataset()
    n = network.sizes["stimulus"]
    order = np.random.default_rng(0).permutation(n)
    square = squareform(network["rdm"].values)
    moved = xr.Dataset(
        {"rdm": ("pair", squareform(square[np.ix_(order, order)]))},
        coords={"stimulus_id": ("stimulus", network["stimulus_id"].values[order])},
    )
    np.testing.assert_array_equal(aligned_rdm(moved, target, "V4"), network["rdm"].values)
    foreign = moved.assign_coords(stimulus_id=("stimulus", [f"other_{i}" for i in range(n)]))
    with pytest.raises(TgsageError, match=r"rdms\.nc: V4"):
        aligned_rdm(foreign, target, "V4")
    with pytest.raises(TgsageError, match="pairs"):
        aligned_rdm(foreign.drop_vars("stimulus_id").isel(pair=slice(10)), target, "V4")


def test_intervals_contain_the_similarity_that_was_scored(search, teacher):
    intervals = similarity_intervals(search, teacher)
    assert set(intervals) == {"V4", "pIT", "aIT"}
    for target, interval in intervals.items():
        assert interval.value == pytest.approx(search.final["similarity"][target]["report"], abs=1e-9)
        assert interval.low < interval.value < interval.high
        assert interval.n == search.final["similarity"][target]["n_stimuli_report"]


def test_no_interval_where_the_stored_rdm_is_not_the_one_that_was_scored(search, teacher):
    final = copy.deepcopy(search.final)
    final["similarity"]["V4"]["report"] += 0.1
    final["similarity"]["pIT"]["report"] = None
    other = dataclasses.replace(search, final=final)
    assert set(similarity_intervals(other, teacher)) == {"aIT"}


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0, 3.0])
def test_alpha_is_found_in_the_scores(search, alpha):
    ledger = search.ledger.assign(score=search.ledger["accuracy"] + alpha * search.ledger["tg"])
    assert inferred_alpha(ledger) == pytest.approx(alpha, abs=1e-9)


def test_alpha_of_other_scores(search):
    ledger = search.ledger
    assert inferred_alpha(ledger.assign(score=ledger["tg"])) == np.inf
    assert inferred_alpha(ledger.assign(score=ledger["accuracy"] * ledger["tg"])) is None
    assert inferred_alpha(ledger.assign(score=np.nan)) is None
