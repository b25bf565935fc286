"""Guidance: P + alpha * TG, its extremes and settings, and what is common to all guidances."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from guidance_tables import made_up

from tgsage import guidance, plugins
from tgsage.config.search import Arm
from tgsage.errors import TgsageError
from tgsage.guidance.paper.plugin import PPlusTg
from tgsage.plugins import Section
from tgsage.runs import ledger


@pytest.fixture
def table():
    rows = [
        {"status": "ok", "accuracy": 0.5, "tg": 0.2},
        {"status": "ok", "accuracy": 0.4, "tg": -0.1},
        {"status": "failed", "accuracy": 0.9, "tg": 0.9},
        {"status": "ok", "accuracy": 0.3, "tg": None},
        {"status": "timeout", "accuracy": None, "tg": None},
    ]
    common = {"round": 0, "candidate": "0", "architecture": "{}"}
    return ledger.build([{**common, **row, "slot": slot} for slot, row in enumerate(rows)], [])


def same(found, expected):
    assert found.name == "score" and found.dtype == "float64"
    assert found.tolist() == pytest.approx(expected, nan_ok=True)


NAN = math.nan


def test_scores_by_hand(table):
    same(guidance.score(table), [0.7, 0.3, NAN, NAN, NAN])
    same(guidance.score(table, alpha=2), [0.9, 0.2, NAN, NAN, NAN])
    same(guidance.score(table, alpha=0), [0.5, 0.4, NAN, 0.3, NAN])
    same(guidance.get("p_only")(table), [0.5, 0.4, NAN, 0.3, NAN])
    same(guidance.get("tg_only")(table), [0.2, -0.1, NAN, NAN, NAN])


def test_get_by_name_settings_and_mapping(table):
    expected = [1.1, 0.1, NAN, NAN, NAN]
    same(guidance.get("p_plus_tg", alpha=3)(table), expected)
    same(guidance.get(PPlusTg(name="p_plus_tg", alpha=3))(table), expected)
    same(guidance.get({"name": "p_plus_tg", "alpha": 3})(table), expected)
    pd.testing.assert_series_equal(guidance.get("p_plus_tg")(table), guidance.score(table), check_exact=True)


def test_scores_keep_the_index(table):
    part = table.iloc[[3, 0]]
    assert guidance.score(part).index.tolist() == [3, 0]


def test_one_line_errors(table):
    with pytest.raises(TgsageError, match=r"unknown guidance 'p_plus'.*did you mean 'p_plus_tg'"):
        guidance.get("p_plus")
    with pytest.raises(TgsageError, match=r"guidance p_plus_tg: alhpa: unknown setting.*'alpha'"):
        guidance.get("p_plus_tg", alhpa=1)
    with pytest.raises(TgsageError, match=r"guidance p_plus_tg: alpha: .*greater than or equal to 0"):
        guidance.get("p_plus_tg", alpha=-1)
    with pytest.raises(TgsageError, match=r"guidance.alpha: -1 is not a number >= 0"):
        guidance.score(table, alpha=-1)
    with pytest.raises(TgsageError, match="no column 'tg'"):
        guidance.score(table.drop(columns="tg"))
    with pytest.raises(TgsageError, match=r"accuracy 50.0 in row 0 .* not a fraction"):
        guidance.score(table.assign(accuracy=[50.0, 0.4, 0.9, 0.3, NAN]))


# What is wrong in a section, and words of the line that says so.
WRONG = {
    "negative alpha": ({"name": "rank", "alpha": -0.1}, "alpha"),
    "infinite alpha": ({"name": "rank", "alpha": math.inf}, "alpha"),
    "alpha beside a schedule": ({"name": "p_plus_tg", "alpha": 2, "schedule": {0: 1}}, "remove one"),
    "negative amount": ({"name": "p_plus_tg", "schedule": {-1: 1}}, "no number of examples"),
    "negative alpha in a schedule": ({"name": "p_plus_tg", "schedule": {0: -1}}, "schedule.0"),
    "empty schedule": ({"name": "p_plus_tg", "schedule": {}}, "schedule"),
    "unknown ceiling": ({"name": "ceiled", "ceiling": "middle"}, "ceiling"),
    "unknown reading": ({"name": "profile", "reading": "median"}, "reading"),
    "weights missing": ({"name": "profile", "reading": "weights"}, "weights"),
    "weights not read": ({"name": "profile", "reading": "max", "weights": [1]}, "weights"),
    "weights all zero": ({"name": "profile", "reading": "weights", "weights": [0, 0]}, "all zero"),
    "negative weight": ({"name": "profile", "reading": "weights", "weights": [1, -1]}, "weights.1"),
    "calibrated on nothing": ({"name": "calibrated"}, "name either mature"),
    "calibrated twice": ({"name": "calibrated", "mature": "a", "fitted": "b"}, "name either mature"),
    "feature twice": ({"name": "calibrated", "mature": "a", "features": ["max", "max"]}, "twice"),
    "unknown feature": ({"name": "calibrated", "mature": "a", "features": ["maximum"]}, "features.0"),
    "too small a minimum": ({"name": "calibrated", "mature": "a", "minimum": 3}, "minimum"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_settings_are_one_line(case):
    values, words = WRONG[case]
    with pytest.raises(TgsageError) as raised:
        guidance.get(values)
    message = str(raised.value)
    assert f"guidance {values['name']}" in message and words in message and "\n" not in message


@pytest.mark.parametrize(
    "values",
    [
        {"name": "p_plus_tg", "alpha": 1.0},
        {"name": "p_only"},
        {"name": "tg_only"},
        {"name": "p_plus_tg", "schedule": {0: 2, 125000: 1}},
        {"name": "profile", "reading": "weights", "weights": [0, 1]},
        {"name": "calibrated", "fitted": "a.json"},
    ],
    ids=str,
)
def test_plain_values_come_back_as_the_same_settings(values):
    arm = Arm(teacher="monkey", guidance=values)
    assert isinstance(arm.guidance, Section)
    assert plugins.settings("guidance", arm.guidance.plain()) == arm.guidance


def test_an_arm_has_the_papers_score_by_default():
    assert Arm(teacher="monkey").guidance == PPlusTg(name="p_plus_tg", alpha=1)


def test_what_guidances_need():
    def of(name, **options):
        return plugins.settings("guidance", name, **options)

    needs_profiles = {plugin.plugin_name() for plugin in plugins.every("guidance")} - {"calibrated"}
    assert {name for name in needs_profiles if of(name).needs_profiles} == {"ceiled", "profile"}
    assert of("calibrated", mature="m.csv").needs_profiles
    assert of("calibrated", mature="m.csv", features=["accuracy", "gain"]).needs_profiles
    assert not of("calibrated", mature="m.csv", features=["accuracy", "parameters"]).needs_profiles
    assert of("calibrated", mature="m.csv").files() == ["m.csv"]
    assert of("calibrated", fitted="f.json").files() == ["f.json"]
    assert of("rank").files() == []
    assert [of(name).needs_teacher for name in ("p_only", "rank")] == [False, True]


def test_names_in_words():
    words = [plugins.settings("guidance", name, **options).in_words() for name, options in (
        ("p_plus_tg", {}), ("p_plus_tg", {"alpha": 2}), ("p_plus_tg", {"schedule": {0: 1}}), ("p_only", {}),
    )]  # fmt: skip
    assert words == ["P + TG", "P + 2·TG", "P + α·TG, α by the amount of training", "P alone"]


def test_alpha_follows_the_examples():
    table, _ = made_up(12)
    table["examples"] = [0, 500, 1000, 2000, 3000, 4000, 8000, 1500, 2500, 100, 1e9, 1000]
    scores = guidance.get("p_plus_tg", schedule={3000: 0.5, 1000: 2.0})(table)
    expected = []
    for _, row in table.iterrows():
        if row["examples"] <= 1000:
            alpha = 2.0
        elif row["examples"] >= 3000:
            alpha = 0.5
        else:
            alpha = 2.0 - 1.5 * (row["examples"] - 1000) / 2000
        expected.append(row["accuracy"] + alpha * row["tg"] if row["status"] == "ok" else NAN)
    same(scores, expected)
    one = guidance.get("p_plus_tg", schedule={700: 3})(table)
    same(one, guidance.score(table, 3).tolist())


def test_a_schedule_that_ends_with_p_alone_does_without_tg(table):
    table["examples"] = [0.0, 1000.0, 0.0, 1000.0, 0.0]
    same(guidance.get("p_plus_tg", schedule={0: 1, 1000: 0})(table), [0.7, 0.4, NAN, 0.3, NAN])
    table.loc[3, "examples"] = NAN
    with pytest.raises(TgsageError, match=r"row 3 .* how many examples"):
        guidance.get("p_plus_tg", schedule={0: 1})(table)


def test_matched_variance():
    table, _ = made_up(40, observed=True)
    scores = guidance.get("p_plus_tg", alpha=2, match_variance=True)(table)
    ok = (table["status"] == "ok").to_numpy()
    added = ((scores - table["accuracy"]) / 2)[ok]
    observed = table["observed_tg"][ok]
    assert added.mean() == pytest.approx(observed.mean(), abs=1e-12)
    assert added.std() == pytest.approx(observed.std(), abs=1e-12)
    # The order is that of TG, and failed rows are not part of the statistics.
    assert np.corrcoef(added, table["tg"][ok])[0, 1] == pytest.approx(1)
    wild = table.copy()
    wild.loc[~ok, ["tg", "observed_tg", "accuracy"]] = [5.0, -7.0, 0.5]
    pd.testing.assert_series_equal(
        guidance.get("p_plus_tg", alpha=2, match_variance=True)(wild), scores, check_exact=True
    )


def test_matched_variance_of_what_does_not_vary():
    table, _ = made_up(1, failing=False, observed=True)
    score = guidance.get("p_plus_tg", match_variance=True)(table)
    assert score[0] == pytest.approx(table["accuracy"][0] + table["observed_tg"][0])
    table, _ = made_up(8, failing=False, observed=True)
    table["tg"] = 0.3
    scores = guidance.get("p_plus_tg", match_variance=True)(table)
    assert np.ptp(scores - table["accuracy"]) < 1e-12
    assert (scores - table["accuracy"]).mean() == pytest.approx(table["observed_tg"].mean())


def test_matched_variance_needs_an_observed_teacher():
    table, _ = made_up(8)
    function = guidance.get("p_plus_tg", match_variance=True)
    with pytest.raises(TgsageError, match="no column 'observed_tg'; let the arm observe"):
        function(table)
    with pytest.raises(TgsageError, match="'observed_tg' is missing in every row"):
        function(table.assign(observed_tg=NAN))
    assert function(table.assign(status="failed", observed_tg=NAN)).isna().all()


def test_profiles_must_be_those_of_the_ledger():
    table, profiles = made_up(12)
    for name in ("p_plus_tg", "profile", "ceiled"):
        function = guidance.get(name)
        with pytest.raises(TgsageError, match=r"row 0 is round 0, slot 0 in the ledger and round 1, slot 1"):
            function(table, profiles.isel(row=slice(None, None, -1)))
        with pytest.raises(TgsageError, match="profiles have 11 rows and the ledger 12"):
            function(table, profiles.isel(row=slice(11)))
    with pytest.raises(TgsageError, match="guidance profile: needs the profiles"):
        guidance.get("profile")(table)
    with pytest.raises(TgsageError, match="guidance ceiled: the profiles have no target"):
        guidance.get("ceiled")(table, profiles.isel(target=[]))
