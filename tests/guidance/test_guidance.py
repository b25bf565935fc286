"""Guidance: P + alpha * TG and its relatives."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from tgsage import guidance, ledger
from tgsage.config.guidance import Guidance
from tgsage.errors import TgsageError


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
    same(guidance.p_only(table), [0.5, 0.4, NAN, 0.3, NAN])
    same(guidance.tg_only(table), [0.2, -0.1, NAN, NAN, NAN])


def test_get_by_name_settings_and_mapping(table):
    expected = [1.1, 0.1, NAN, NAN, NAN]
    same(guidance.get("p_plus_tg", alpha=3)(table), expected)
    same(guidance.get(Guidance(alpha=3))(table), expected)
    same(guidance.get({"name": "p_plus_tg", "alpha": 3})(table), expected)
    for name in guidance.NAMES:
        pd.testing.assert_series_equal(
            guidance.get(name)(table), getattr(guidance, name)(table), check_exact=True
        )
    assert set(guidance.NAMES) == set(Guidance.model_json_schema()["properties"]["name"]["enum"])


def test_scores_keep_the_index(table):
    part = table.iloc[[3, 0]]
    assert guidance.score(part).index.tolist() == [3, 0]


def test_one_line_errors(table):
    with pytest.raises(TgsageError, match=r"unknown guidance 'p_plus'.*did you mean 'p_plus_tg'"):
        guidance.get("p_plus")
    with pytest.raises(TgsageError, match="unknown setting of guidance 'alhpa'"):
        guidance.get("p_plus_tg", alhpa=1)
    with pytest.raises(TgsageError, match=r"guidance.alpha: -1 is not a number >= 0"):
        guidance.get("p_plus_tg", alpha=-1)
    with pytest.raises(TgsageError, match="no column 'tg'"):
        guidance.score(table.drop(columns="tg"))
    with pytest.raises(TgsageError, match=r"accuracy 50.0 in row 0 .* not a fraction"):
        guidance.score(table.assign(accuracy=[50.0, 0.4, 0.9, 0.3, NAN]))
