"""The ledger: columns, exact round trip, and what it refuses."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from tgsage.errors import TgsageError
from tgsage.runs import ledger

TARGETS = ["V4", "pIT"]


def row(round_=0, slot=0, **values):
    return {
        "round": round_,
        "slot": slot,
        "candidate": f"{round_:08x}{slot:08x}",
        "status": "ok",
        "architecture": '{"space":"cell","choices":{"a":"x, \\"y\\""}}',
        **values,
    }


def test_column_order():
    assert ledger.columns(TARGETS) == [
        "round", "slot", "candidate", "status", "architecture", "parameters", "flops", "probes", "examples",
        "accuracy", "loss", "training_loss_sum", "tg", "tg_V4", "tg_pIT", "layer_V4", "layer_pIT", "score",
        "processor", "seconds",
    ]  # fmt: skip
    assert list(ledger.build([], TARGETS).columns) == ledger.columns(TARGETS)
    assert ledger.targets(ledger.build([], TARGETS)) == TARGETS
    assert ledger.targets(ledger.build([], [])) == []


def test_rows_are_sorted_and_missing_values_are_nan():
    made = ledger.build([row(1, 0), row(0, 1, accuracy=None), row(0, 0, layer_V4="cells.0")], TARGETS)
    assert list(zip(made["round"], made["slot"], strict=True)) == [(0, 0), (0, 1), (1, 0)]
    assert made["layer_V4"][0] == "cells.0" and math.isnan(made["layer_V4"][1])
    for name in ("accuracy", "tg", "tg_V4", "parameters", "score"):
        assert made[name].dtype == np.float64 and made[name].isna().all()
    assert made["round"].dtype == made["slot"].dtype == np.int64


def test_round_trip_is_bit_for_bit(tmp_path):
    rng = np.random.default_rng(0)
    rows = []
    for index in range(300):
        # Any bit pattern that is a finite double, denormals included; then the usual suspects.
        values = np.frombuffer(rng.bytes(8 * 6), "float64")
        values = np.where(np.isfinite(values), values, 0.1 + 0.2)
        names = ("accuracy", "loss", "training_loss_sum", "tg", "tg_V4", "seconds")
        rows.append(row(index // 8, index % 8, **dict(zip(names, values.tolist(), strict=True))))
    rows[0].update(loss=math.inf, tg=-0.0, parameters=2**53 - 1, flops=10**12, layer_V4='a,b\n"c"')
    rows[1].update(status="failed", accuracy=None, loss=math.nan)
    made = ledger.build(rows, TARGETS)
    ledger.write(made, tmp_path / "ledger.csv")
    back = ledger.read(tmp_path / "ledger.csv")
    pd.testing.assert_frame_equal(made, back, check_exact=True)
    for name in made.columns:
        if made[name].dtype == np.float64:
            assert made[name].to_numpy().tobytes() == back[name].to_numpy().tobytes()
    text = (tmp_path / "ledger.csv").read_text()
    ledger.write(back, tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_text() == text
    assert f",{2**53 - 1},{10**12}," in text and "nan" not in text and "\r" not in text


def test_empty_ledger_round_trips(tmp_path):
    made = ledger.build([], TARGETS)
    ledger.write(made, tmp_path / "ledger.csv")
    pd.testing.assert_frame_equal(made, ledger.read(tmp_path / "ledger.csv"))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([row(status="okay")], "unknown status 'okay'.*did you mean 'ok'"),
        ([row(acuracy=0.1)], "unknown column 'acuracy'.*did you mean 'accuracy'"),
        ([row(tg_V1=0.1)], "unknown column 'tg_V1'"),
        ([row(), row()], "round 0, slot 0 is there twice"),
        ([row(status=None)], "row 0: status is missing"),
        ([row(architecture=math.nan)], "row 0: architecture is missing"),
        ([row(loss="much")], "row 0: loss is not a number: 'much'"),
        ([row(parameters=1.5)], "parameters is not a whole number"),
        ([row(round_=-1)], "round is not a whole number"),
    ],
)
def test_build_says_what_is_wrong(rows, message):
    with pytest.raises(TgsageError, match=message) as caught:
        ledger.build(rows, TARGETS)
    assert "\n" not in str(caught.value)


def test_read_says_what_is_wrong(tmp_path):
    path = tmp_path / "ledger.csv"
    with pytest.raises(TgsageError, match="no such ledger; run the stage"):
        ledger.read(path)
    path.write_text("")
    with pytest.raises(TgsageError, match="is empty"):
        ledger.read(path)
    ledger.write(ledger.build([row()], TARGETS), path)
    good = path.read_text()
    cases = {
        good.replace(",score,", ",socre,"): "column 'score' is missing",
        good.replace(",layer_V4", ""): "more fields than there are columns",
        good.replace("round,slot", "slot,round"): "'slot' is out of place",
        good.replace(",seconds", ",seconds,extra"): "unknown ledger column 'extra'",
        good.replace(",ok,", ",done,"): "unknown status 'done'",
        good + "1,2\n": "row 1: candidate is missing",
        good.rstrip("\n") + ",3\n": "cannot be read as a ledger",
        good.replace("0,0,", "0,0.5,", 1): "row 0: slot is not a whole number",
    }
    for text, message in cases.items():
        path.write_text(text)
        with pytest.raises(TgsageError, match=message) as caught:
            ledger.read(path)
        assert str(path) in str(caught.value)


def test_a_ledger_without_processors_is_of_an_earlier_version(tmp_path):
    path = tmp_path / "ledger.csv"
    ledger.write(ledger.build([row(processor="AMD EPYC family 25"), row(slot=1)], TARGETS), path)
    assert ledger.processors(ledger.read(path)) == ["AMD EPYC family 25"]
    pd.read_csv(path).drop(columns="processor").to_csv(path, index=False)
    table = ledger.read(path)
    assert list(table.columns) == ledger.columns(TARGETS) and ledger.processors(table) == []


def test_keys_stay_text_where_they_look_like_numbers_or_like_nothing(tmp_path):
    keys = ["007", "1e5", "NA", "nan", "True"]
    made = ledger.build([row(slot=slot, candidate=key) for slot, key in enumerate(keys)], TARGETS)
    ledger.write(made, tmp_path / "ledger.csv")
    assert ledger.read(tmp_path / "ledger.csv")["candidate"].tolist() == keys


def test_write_refuses_what_is_no_ledger(tmp_path):
    made = ledger.build([row()], TARGETS)
    with pytest.raises(TgsageError, match="'tg' is missing"):
        ledger.write(made.drop(columns="tg"), tmp_path / "ledger.csv")
    assert not (tmp_path / "ledger.csv").exists()


def test_rounds_put_together_are_the_ledger_without_scores(tmp_path):
    whole = ledger.build([row(round=number, slot=slot) for number in range(3) for slot in range(2)], TARGETS)
    paths = [tmp_path / f"{number}.csv" for number in range(3)]
    for (_, rows), path in zip(whole.groupby("round"), paths, strict=True):
        ledger.write_round(rows, path)
        assert "score" not in path.read_text().splitlines()[0].split(",")
    ledger.write(whole, tmp_path / "ledger.csv")
    expected = ledger.read(tmp_path / "ledger.csv").assign(score=np.nan)
    pd.testing.assert_frame_equal(ledger.read_rounds(paths), expected)
    assert ledger.read_rounds([]).empty and list(ledger.read_rounds([]).columns) == ledger.columns([])


def test_of_several_rounds_the_broken_one_is_named(tmp_path):
    paths = [tmp_path / f"{number}.csv" for number in range(2)]
    for number, path in enumerate(paths):
        ledger.write_round(ledger.build([row(round=number)], TARGETS), path)
    text = paths[1].read_text()
    for broken, message in (
        (text.replace("1,0,", "1,0.5,", 1), "1.csv: row 0: slot is not a whole number"),
        (text.replace("_V4", "_V1"), "1.csv: has other columns than .*0.csv; collect the rounds again"),
        (text.replace("1,0,", "0,0,", 1), "0.csv to .*1.csv: round 0, slot 0 is there twice"),
    ):
        paths[1].write_text(broken)
        with pytest.raises(TgsageError, match=message):
            ledger.read_rounds(paths)
