"""Readings of the profile and the guidances that are made of them, against loops and scipy."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import xarray as xr
from guidance_tables import TARGETS, made_up

from tgsage import guidance, spaces
from tgsage.errors import TgsageError
from tgsage.guidance import base, layer_pooling

NAN = math.nan


def _ok(table):
    return (table["status"] == "ok").to_numpy()


# Readings, written down once more for one candidate and one target.


def _live(layers):
    return [(j, value) for j, value in enumerate(layers) if not math.isnan(value)]


def _slow(name, layers, before, number, weights):
    live = _live(layers)
    if name == "gain":
        live = _live([after - untrained for after, untrained in zip(layers, before, strict=True)])
    if not live:
        return NAN
    values = [value for _, value in live]
    if name == "first":
        return values[0]
    if name == "last":
        return values[-1]
    if name in ("max", "gain"):
        return max(values)
    if name == "mean":
        return sum(values) / len(values)
    total, weighed = 0.0, 0.0
    for j, value in live:
        place = (len(weights) - 1) * (j / (number - 1))
        below = min(int(place), len(weights) - 2)
        weight = weights[below] + (place - below) * (weights[below + 1] - weights[below])
        total, weighed = total + weight, weighed + weight * value
    return weighed / total


WEIGHTS = [3.0, 0.5, 1.0]


@pytest.mark.parametrize("name", ["first", "last", "max", "mean", "gain", "weights"])
def test_readings_against_a_loop(name):
    table, profiles = made_up(40, seed=2)
    values, before = profiles["rsa"].values, profiles["untrained"].values
    numbers = table["probes"].to_numpy(int)
    fast = {
        "first": layer_pooling.first, "last": layer_pooling.last, "max": layer_pooling.largest,
        "mean": layer_pooling.mean,
        "gain": lambda v: layer_pooling.largest(layer_pooling.gains(v, before, _ok(table))),
        "weights": lambda v: layer_pooling.weighted(
            v, layer_pooling.depth_weights(WEIGHTS, numbers, v.shape[2])
        ),
    }[name](values)  # fmt: skip
    expected = [
        [_slow(name, values[i, t], before[i, t], numbers[i], WEIGHTS) for t in range(len(TARGETS))]
        for i in range(len(table))
    ]
    np.testing.assert_allclose(fast, expected, rtol=1e-12)
    assert np.isnan(fast[~_ok(table)]).all() and np.isfinite(fast[_ok(table)]).all()


def test_readings_of_no_layers_and_of_dead_layers():
    for read in (layer_pooling.first, layer_pooling.last, layer_pooling.largest, layer_pooling.mean):
        assert np.isnan(read(np.full((2, 1, 0), NAN))).all()
        assert np.isnan(read(np.full((2, 1, 3), NAN))).all()
        assert read(np.array([[[NAN, -0.2, NAN]]])) == -0.2


def test_depth_weights_by_hand():
    found = layer_pooling.depth_weights([1, 0, 3], np.array([1, 2, 3, 5, 0]), 5)
    np.testing.assert_allclose(
        found,
        [
            [1, 0, 0, 0, 0],
            [0.25, 0.75, 0, 0, 0],
            [0.25, 0, 0.75, 0, 0],
            np.array([1, 0.5, 0, 1.5, 3]) / 6,
            [0, 0, 0, 0, 0],
        ],
    )
    np.testing.assert_allclose(layer_pooling.depth_weights([7], np.array([4]), 4), [[0.25] * 4])
    with pytest.raises(TgsageError, match="0 at every layer of a candidate with 2 layers"):
        layer_pooling.depth_weights([0, 1, 0], np.array([3, 2]), 3)


SEARCHED = {
    "cell": ("cell", {"blocks": 2}, "cells.0"),
    "cell, stem reductions": ("cell", {"blocks": 2, "stem_reductions": 2}, "cells.0"),
    "nasbench201": ("nasbench201", {"repeats": 1}, "cells.0"),
    # The last cell of the first stack.
    "nasbench201, stages": ("nasbench201", {"repeats": 2, "probes": "stages"}, "cells.1"),
    "convnet10": ("convnet10", {}, "layers.0"),
}


@pytest.mark.parametrize("case", SEARCHED)
def test_the_first_probe_is_the_first_searched_part(case):
    name, settings, expected = SEARCHED[case]
    space = spaces.get(name, **settings)
    network = space.build(space.sample(np.random.default_rng(0)), 10)
    assert network.probe_names[0] == expected
    assert not any("stem" in probe for probe in network.probe_names)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 3.0])
def test_ranks_against_scipy(alpha):
    table, _ = made_up(40)
    table.loc[5, "tg"] = NAN
    table["tg"] = table["tg"].round(1)  # ties
    scores = guidance.get("rank", alpha=alpha)(table)
    kept = table[_ok(table) & (table["tg"].notna() if alpha else True)]
    expected = scipy.stats.rankdata(kept["accuracy"])
    if alpha:
        expected = expected + alpha * scipy.stats.rankdata(kept["tg"])
    np.testing.assert_allclose(scores[kept.index], expected / ((1 + alpha) * len(kept)))
    assert scores.drop(kept.index).isna().all()
    assert scores.min() > 0 and scores.max() <= 1


def test_rank_of_the_best_in_both_is_one():
    table, _ = made_up(20, failing=False)
    table.loc[7, ["accuracy", "tg"]] = 0.99
    assert guidance.get("rank", alpha=2.5)(table)[7] == 1


@pytest.mark.parametrize("ceiling", ["lower", "upper"])
def test_ceiled_against_a_loop(ceiling):
    table, profiles = made_up(20)
    profiles = profiles.assign_coords(weight=("target", [1.0, 3.0])).isel(target=[1, 0])
    table.loc[4, "tg_V4"] = 0.95  # above its ceiling
    scores = guidance.get("ceiled", alpha=0.7, ceiling=ceiling)(table, profiles)
    for i, row in table.iterrows():
        total = 0.0
        for name, weight in (("V4", 1.0), ("IT", 3.0)):
            total += weight * row[f"tg_{name}"] / float(profiles[f"ceiling_{ceiling}"].sel(target=name))
        expected = row["accuracy"] + 0.7 * total / 4 if row["status"] == "ok" else NAN
        assert scores[i] == pytest.approx(expected, nan_ok=True)


def test_ceilings_that_are_absent_or_too_small():
    table, profiles = made_up(8)
    without = profiles.assign(ceiling_upper=("target", [0.8, NAN]))
    with pytest.raises(TgsageError, match="target 'IT' has no noise ceiling"):
        guidance.get("ceiled")(table, without)
    raw = guidance.get("ceiled", without_ceiling="raw")(table, without)
    expected = table["accuracy"] + (table["tg_V4"] / 0.8 + table["tg_IT"]) / 2
    np.testing.assert_allclose(raw[_ok(table)], expected[_ok(table)])
    # Declaring that some have none excuses no ceiling that cannot be divided by.
    for value in (-0.2, 0.0, 1e-6, 0.04):
        small = profiles.assign(ceiling_upper=("target", [value, NAN]))
        with pytest.raises(TgsageError, match=r"upper noise ceiling of target 'V4' is .*no reliable RDM"):
            guidance.get("ceiled", without_ceiling="raw")(table, small)
    with pytest.raises(TgsageError, match="profiles have the targets V4 and the ledger V4, IT"):
        guidance.get("ceiled")(table, profiles.isel(target=[0]))


@pytest.mark.parametrize(
    ("settings", "reading"),
    [
        ({"reading": "max"}, layer_pooling.largest),
        ({"reading": "first"}, layer_pooling.first),
        ({"reading": "mean"}, layer_pooling.mean),
    ],
    ids=lambda value: value["reading"] if isinstance(value, dict) else "",
)
def test_profile_against_scipys_zscores(settings, reading):
    table, profiles = made_up(30)
    profiles = profiles.assign_coords(weight=("target", [2.0, 1.0]))
    scores = guidance.get("profile", alpha=0.5, **settings)(table, profiles)
    read = reading(profiles["rsa"].values) @ np.array([2, 1]) / 3
    ok = _ok(table)
    expected = scipy.stats.zscore(table["accuracy"][ok]) + 0.5 * scipy.stats.zscore(read[ok])
    np.testing.assert_allclose(scores[ok], expected, atol=1e-12)
    assert scores[~ok].isna().all()
    raw = guidance.get("profile", alpha=0.5, zscore=False, **settings)(table, profiles)
    np.testing.assert_allclose(raw[ok], table["accuracy"][ok] + 0.5 * read[ok])


def test_profile_with_the_maximum_and_no_zscores_is_the_papers_score():
    table, profiles = made_up(30)
    found = guidance.get("profile", reading="max", zscore=False, alpha=2)(table, profiles)
    np.testing.assert_allclose(found, guidance.score(table, 2), rtol=1e-12)


def test_gain_of_the_best_layer_and_of_the_mean():
    table, profiles = made_up(10)
    gained = (profiles["rsa"] - profiles["untrained"]).values
    ok = _ok(table)
    for over, reduce in (("max", np.nanmax), ("mean", np.nanmean)):
        scores = guidance.get("profile", reading="gain", over=over, zscore=False)(table, profiles)
        expected = table["accuracy"][ok] + reduce(gained[ok], axis=2).mean(axis=1)
        np.testing.assert_allclose(scores[ok], expected)


def test_gain_without_the_untrained_network_is_an_error():
    table, profiles = made_up(10, untrained=False)
    function = guidance.get("profile", reading="gain")
    with pytest.raises(TgsageError, match=r"add 0 to search.premature.checkpoints"):
        function(table, profiles)
    assert function(table.assign(status="failed"), profiles).isna().all()


def test_weights_need_the_number_of_probes():
    table, profiles = made_up(10)
    table.loc[2, "probes"] = NAN
    with pytest.raises(TgsageError, match="row 2 of the ledger has nan probes"):
        guidance.get("profile", reading="weights", weights=[1, 2])(table, profiles)


def test_zscores_of_equal_values_are_zero():
    assert base.zscores(np.array([0.1 + 0.2, 0.3, NAN])).tolist()[:2] == [0, 0]
    assert np.isnan(base.zscores(np.array([NAN, NAN]))).all()
    spread = np.array([0.3, 0.30001])
    np.testing.assert_allclose(base.zscores(spread), [-1, 1], rtol=1e-6)


# What holds for every guidance.

EVERY = {
    "p_plus_tg": {},
    "scheduled": {"name": "p_plus_tg", "schedule": {1000: 2, 4000: 0.5}},
    "matched": {"name": "p_plus_tg", "match_variance": True},
    "p_only": {},
    "tg_only": {},
    "rank": {"alpha": 2},
    "ceiled": {"alpha": 0.5},
    "first": {"name": "profile"},
    "max": {"name": "profile", "reading": "max"},
    "mean": {"name": "profile", "reading": "mean"},
    "gain": {"name": "profile", "reading": "gain"},
    "weights": {"name": "profile", "reading": "weights", "weights": [1, 2, 1]},
    "calibrated": {"name": "calibrated", "kappa": 1},
    "calibrated, too few": {"name": "calibrated", "minimum": 1000},
}


@pytest.fixture(params=EVERY)
def function(request, tmp_path):
    values = {"name": request.param, **EVERY[request.param]}
    if values["name"] == "calibrated":
        values["mature"] = str(tmp_path / "mature.csv")
        quality = np.random.default_rng(0).uniform(0.3, 0.9, 60)
        architectures = made_up(60, observed=True)[0]["architecture"]
        pd.DataFrame({"architecture": architectures, "accuracy": quality}).to_csv(values["mature"])
    return guidance.get(values)


def test_the_order_of_rows_does_not_matter_and_nothing_is_changed(function):
    table, profiles = made_up(60, observed=True)
    table_before, profiles_before = table.copy(deep=True), profiles.copy(deep=True)
    scores = function(table, profiles)
    pd.testing.assert_frame_equal(table, table_before, check_exact=True)
    xr.testing.assert_identical(profiles, profiles_before)
    order = np.random.default_rng(1).permutation(60)
    order = order[np.argsort(table["round"].to_numpy()[order], kind="stable")]
    moved = function(table.iloc[order], profiles.isel(row=order))
    assert moved.index.tolist() == table.index[order].tolist() and moved.name == "score"
    pd.testing.assert_series_equal(moved.sort_index(), scores, rtol=0, atol=1e-13)


def test_only_ok_rows_have_scores_and_failed_ones_tell_nothing(function):
    table, profiles = made_up(60, observed=True)
    scores = function(table, profiles)
    ok = _ok(table)
    assert scores[ok].notna().all() and scores[~ok].isna().all() and scores.dtype == "float64"
    # Whatever stands in rows that are not ok.
    wild = table.copy()
    wild.loc[~ok, ["accuracy", "loss", "tg", "observed_tg", "tg_V4", "tg_IT"]] = 0.77
    noisy = profiles.copy(deep=True)
    for name in ("rsa", "untrained"):
        noisy[name].values[~ok] = 0.9
    pd.testing.assert_series_equal(function(wild, noisy), scores, check_exact=True)


def test_a_missing_measurement_is_a_missing_score(function):
    table, profiles = made_up(60, observed=True)
    needs = ["accuracy", "tg", "observed_tg", "tg_V4", "tg_IT", "loss"]
    table.loc[8, needs] = NAN
    profiles["rsa"].values[8] = NAN
    profiles["untrained"].values[8] = NAN
    scores = function(table, profiles)
    assert np.isnan(scores[8])
    ok = _ok(table) & (table.index != 8)
    rest = function(table[ok], profiles.isel(row=np.flatnonzero(ok)))
    pd.testing.assert_series_equal(scores[ok], rest, rtol=0, atol=1e-12)


def test_one_row(function):
    table, profiles = made_up(1, failing=False, observed=True)
    scores = function(table, profiles)
    assert len(scores) == 1 and np.isfinite(scores[0])


def test_all_failed_and_no_rows(function):
    table, profiles = made_up(20, observed=True)
    assert function(table.assign(status="failed"), profiles).isna().all()
    empty = function(table.iloc[:0], profiles.isel(row=[]))
    assert len(empty) == 0 and empty.name == "score" and empty.dtype == "float64"
