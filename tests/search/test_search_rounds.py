"""Proposals and ledgers over files."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from search_files import SPACE, TARGETS, measure_all

from tgsage import ledger, search, spaces
from tgsage.config.guidance import Guidance
from tgsage.config.samplers import RandomSampler, TpeSampler
from tgsage.errors import TgsageError
from tgsage.search.files import read_json
from tgsage.store import write_json

GUIDANCE = Guidance(name="p_plus_tg", alpha=0.5)


def _propose(folder, number, sampler=None, n=4, ledger_path=None, pending=()):
    search.propose_round(
        folder / f"round_{number}" / "proposals.json",
        space=SPACE, sampler=sampler or RandomSampler(name="random"), n=n, run="r", arm="monkey", seed=3,
        round=number, ledger_path=ledger_path, pending=pending,
    )  # fmt: skip


def _collect(folder, number, guidance=GUIDANCE, n=4):
    slots = [folder / f"round_{number}" / f"slot_{slot}" for slot in range(n)]
    previous = folder / f"round_{number - 1}" / "ledger.csv" if number else None
    search.collect_round(
        folder / f"round_{number}" / "ledger.csv",
        previous=previous,
        trainings=[slot / "training.json" for slot in slots],
        rsas=[slot / "rsa.nc" for slot in slots],
        guidance_settings=guidance,
        targets=TARGETS,
        layer_choice="same",
    )


@pytest.fixture
def searched(tmp_path):
    """Two rounds of four, of which one candidate failed and one is invalid."""
    folder = tmp_path / "monkey" / "seed_3"
    _propose(folder, 0)
    measure_all(folder / "round_0", {1: "failed"})
    _collect(folder, 0)
    _propose(folder, 1, TpeSampler(name="tpe", startup=2), ledger_path=folder / "round_0" / "ledger.csv")
    measure_all(folder / "round_1", {2: "invalid"})
    _collect(folder, 1)
    return folder


def test_proposals_are_told_in_slot_order_with_their_keys(searched):
    told = read_json(searched / "round_1" / "proposals.json")
    space = spaces.get(SPACE)
    assert [item["slot"] for item in told["proposals"]] == [0, 1, 2, 3]
    assert all(
        space.key(space.parse(item["architecture"])) == item["candidate"] for item in told["proposals"]
    )
    assert (told["run"], told["arm"], told["seed"], told["round"], told["stage"]) == (
        "r",
        "monkey",
        3,
        1,
        "round_1",
    )


def test_the_ledger_is_cumulative_and_scores_are_p_plus_alpha_tg(searched):
    table = ledger.read(searched / "round_1" / "ledger.csv")
    assert list(zip(table["round"], table["slot"], strict=True)) == [
        (r, s) for r in range(2) for s in range(4)
    ]
    assert table["status"].tolist() == ["ok", "failed", "ok", "ok", "ok", "ok", "invalid", "ok"]
    ok = table[table["status"] == "ok"]
    np.testing.assert_allclose(ok["tg"], (ok["tg_V4"] + ok["tg_IT"]) / 2)
    np.testing.assert_allclose(ok["score"], ok["accuracy"] + 0.5 * ok["tg"])
    assert table.loc[table["status"] != "ok", "score"].isna().all()
    # What a failure has cost is counted.
    assert (table["examples"] == 512).all()


def test_teacher_guidance_is_the_maximum_over_layers_of_the_reward_split(tmp_path):
    _propose(tmp_path, 0, n=1)
    rsa = np.array([[0.1, 0.4, np.nan], [0.3, 0.2, 0.25]])  # (target, layer)
    measure_all(tmp_path / "round_0", rsa=rsa)
    slot = tmp_path / "round_0" / "slot_0"
    row = search.measurement(slot / "training.json", slot / "rsa.nc", "same")
    assert (row["tg_V4"], row["layer_V4"], row["tg_IT"], row["layer_IT"]) == (0.4, "b", 0.3, "a")
    assert row["tg"] == pytest.approx(0.35)


def test_pending_proposals_are_not_proposed_again(tmp_path):
    _propose(tmp_path, 0, n=6)
    _propose(tmp_path, 1, n=6, pending=[tmp_path / "round_0" / "proposals.json"])
    keys = [
        item["candidate"]
        for number in range(2)
        for item in read_json(tmp_path / f"round_{number}" / "proposals.json")["proposals"]
    ]
    assert len(set(keys)) == 12


def test_finalists_are_the_best_scores(searched, tmp_path):
    path = searched / "round_1" / "ledger.csv"
    out = tmp_path / "finalists" / "proposals.json"
    search.propose_finalists(out, space=SPACE, ledger_path=path, top=3, run="r", arm="monkey", seed=3)
    table = ledger.read(path)
    best = table.dropna(subset="score").sort_values("score", ascending=False)["candidate"].tolist()[:3]
    assert [item["candidate"] for item in read_json(out)["proposals"]] == best


def test_too_few_candidates_for_the_finalists_is_one_line(searched, tmp_path):
    with pytest.raises(TgsageError, match=r"6 candidates have a score.*asks for 7.*failed.*invalid"):
        search.propose_finalists(
            tmp_path / "p.json", space=SPACE, ledger_path=searched / "round_1" / "ledger.csv", top=7,
            run="r", arm="monkey", seed=3,
        )  # fmt: skip
    assert not (tmp_path / "p.json").exists()


def test_finalists_are_told_beside_what_they_were(searched):
    path = searched / "round_1" / "ledger.csv"
    out = searched / "finalists" / "proposals.json"
    search.propose_finalists(out, space=SPACE, ledger_path=path, top=2, run="r", arm="monkey", seed=3)
    measure_all(searched / "finalists", {1: "timeout"})
    slots = [searched / "finalists" / f"slot_{slot}" for slot in range(2)]
    search.collect_finalists(
        searched / "finalists.csv", ledger_path=path, trainings=[s / "training.json" for s in slots],
        rsas=[s / "rsa.nc" for s in slots], targets=TARGETS, layer_choice="same",
    )  # fmt: skip
    table = pd.read_csv(searched / "finalists.csv")
    early = ledger.read(path).set_index("candidate")
    assert table["rank"].tolist() == [1, 2] and table["status"].tolist() == ["ok", "timeout"]
    assert table["premature_score"].tolist() == early.loc[table["candidate"], "score"].tolist()
    best = searched / "final" / "proposals.json"
    search.propose_best(
        best, space=SPACE, finalists_path=searched / "finalists.csv", run="r", arm="monkey", seed=3
    )
    assert [item["candidate"] for item in read_json(best)["proposals"]] == [table["candidate"][0]]


def test_no_finalist_left_is_one_line(searched):
    path = searched / "round_1" / "ledger.csv"
    search.propose_finalists(
        searched / "finalists" / "proposals.json", space=SPACE, ledger_path=path, top=1, run="r",
        arm="monkey", seed=3,
    )  # fmt: skip
    measure_all(searched / "finalists", {0: "failed"})
    slot = searched / "finalists" / "slot_0"
    search.collect_finalists(
        searched / "finalists.csv", ledger_path=path, trainings=[slot / "training.json"],
        rsas=[slot / "rsa.nc"], targets=TARGETS, layer_choice="same",
    )  # fmt: skip
    with pytest.raises(TgsageError, match="no finalist ended its training"):
        search.propose_best(
            searched / "p.json", space=SPACE, finalists_path=searched / "finalists.csv", run="r",
            arm="monkey", seed=3,
        )  # fmt: skip


@pytest.fixture
def settings(searched):
    write_json(
        searched / "search.json",
        {
            "run": "r", "arm": "monkey", "seed": 3, "guidance": GUIDANCE.plain(), "layer_choice": "same",
            "rounds": 3, "lag": 0, "total": 12,
        },
    )  # fmt: skip
    return searched / "search.json"


def test_a_line_per_candidate(searched, settings, capsys, tmp_path):
    slot = searched / "round_1" / "slot_3"
    line = search.announce(slot / "rsa.nc", settings, tmp_path / "log")
    table = ledger.read(searched / "round_1" / "ledger.csv")
    row = table.iloc[-1]
    assert line.startswith("monkey seed 3  round 1 slot 3  (8/12)  ")
    expected = f"accuracy {row['accuracy']:.3f}  TG {row['tg']:.3f}  score {row['score']:.3f}"
    assert expected in line and f"best {table['score'].max():.3f}" in line and line.endswith("left")
    assert capsys.readouterr().err == line + "\n" and (tmp_path / "log").read_text() == line + "\n"


def test_a_failure_is_told_with_its_reason(searched, settings):
    assert "failed: some reason" in search.announce(searched / "round_0" / "slot_1" / "rsa.nc", settings)


def test_the_leaderboard_counts_what_no_ledger_holds_yet(searched, settings):
    (searched / "round_1" / "ledger.csv").unlink()
    run = searched.parents[1]
    (run / "search").mkdir()
    (run / "monkey").rename(run / "search" / "monkey")
    (found,) = search.leaderboard(run)
    assert (found["arm"], found["seed"], found["done"], found["total"]) == ("monkey", 3, 8, 12)
    assert found["counts"] == {"ok": 6, "failed": 1, "invalid": 1} and found["final"] is None
    scores = found["table"]["score"].dropna()
    assert scores.is_monotonic_decreasing and len(scores) == 6


def test_files_of_an_earlier_run_are_not_counted(searched, settings):
    """After a change, round 0 is proposed anew; what lies in round 1 is of the past."""
    time.sleep(0.02)
    _collect(searched, 0)
    from tgsage.search.progress import measured

    assert len(measured(searched, "same")) == 4
