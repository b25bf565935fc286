"""Proposals and ledgers over files."""

from __future__ import annotations

import time

import numpy as np
import pytest
import xarray as xr
from search_files import MATURING, MEASURING, SEARCH, SPACE, TARGETS, files_of, measure_all

from tgsage import search, spaces
from tgsage.errors import TgsageError
from tgsage.guidance.paper.plugin import PPlusTg
from tgsage.runs import finalists, ledger, profiles
from tgsage.runs import rsa as rsa_file
from tgsage.runs.layout import SearchFolder, StageFolder
from tgsage.runs.records import read_proposals, read_trainings, write_settings
from tgsage.runs.settings import Proposing, Scoring, SearchSettings
from tgsage.samplers.random.plugin import RandomSettings
from tgsage.samplers.tpe.plugin import TpeSettings
from tgsage.search.collect import read_measured, tabulate
from tgsage.search.progress import scored_ledger

GUIDANCE = PPlusTg(name="p_plus_tg", alpha=0.5)


def _rounds(folder, n):
    """Files of the first n rounds, as the stages take them."""
    stages = [SearchFolder(str(folder)).round(number) for number in range(n)]
    return {
        "measurements": [stage.measurements for stage in stages],
        "round_profiles": [stage.profiles for stage in stages],
    }


def _propose(folder, number, sampler=None, n=4, heard=0, pending=()):
    search.propose_round(
        folder / f"round_{number}" / "proposals.json",
        search=SEARCH,
        proposing=Proposing(space=SPACE, sampler=sampler or RandomSettings(name="random"), n=n),
        round=number,
        guidance=GUIDANCE if heard else None,
        **_rounds(folder, heard),
        pending=pending,
    )


def _collect(folder, number, guidance=GUIDANCE, measuring=MEASURING):
    """Collect a round, and the rounds up to it."""
    files = SearchFolder(str(folder))
    stage = files.round(number)
    search.collect_round(
        stage.measurements,
        stage.profiles,
        **files_of([pack for rung in stage.rungs() for pack in rung.packs()]),
        measuring=measuring,
    )
    search.collect_search(files.ledger, files.profiles, **_rounds(folder, number + 1), guidance=guidance)


@pytest.fixture
def searched(tmp_path):
    """Two rounds of four, of which one candidate failed and one is invalid."""
    folder = tmp_path / "monkey" / "seed_3"
    _propose(folder, 0)
    measure_all(folder / "round_0", {1: "failed"})
    _collect(folder, 0)
    _propose(folder, 1, TpeSettings(name="tpe", startup=2), heard=1)
    measure_all(folder / "round_1", {2: "invalid"})
    _collect(folder, 1)
    return folder


def test_proposals_are_told_in_slot_order_with_their_keys(searched):
    told = read_proposals(searched / "round_1" / "proposals.json")
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
    table = ledger.read(searched / "ledger.csv")
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
    values = np.array([[0.1, 0.4, np.nan], [0.3, 0.2, 0.25]])  # (target, layer)
    (pack,) = measure_all(tmp_path / "round_0", rsa=values)
    (training,), (rsa,) = read_trainings(pack.training), rsa_file.load(pack.rsa)
    row = search.measurement(training, rsa, Scoring())
    assert (row["tg_V4"], row["layer_V4"], row["tg_IT"], row["layer_IT"]) == (0.4, "b", 0.3, "a")
    assert row["tg"] == pytest.approx(0.35)


def test_pending_proposals_are_not_proposed_again(tmp_path):
    _propose(tmp_path, 0, n=6)
    _propose(tmp_path, 1, n=6, pending=[tmp_path / "round_0" / "proposals.json"])
    keys = [
        item["candidate"]
        for number in range(2)
        for item in read_proposals(tmp_path / f"round_{number}" / "proposals.json")["proposals"]
    ]
    assert len(set(keys)) == 12


def test_finalists_are_the_best_scores(searched, tmp_path):
    path = searched / "ledger.csv"
    out = tmp_path / "finalists" / "proposals.json"
    search.propose_finalists(out, search=SEARCH, ledger=path, maturing=MATURING, top=3)
    table = ledger.read(path)
    best = table.dropna(subset="score").sort_values("score", ascending=False)["candidate"].tolist()[:3]
    assert [item["candidate"] for item in read_proposals(out)["proposals"]] == best


def test_too_few_candidates_for_the_finalists_is_one_line(searched, tmp_path):
    with pytest.raises(TgsageError, match=r"6 candidates have a score.*asks for 7.*failed.*invalid"):
        search.propose_finalists(
            tmp_path / "p.json",
            search=SEARCH,
            ledger=searched / "ledger.csv",
            maturing=MATURING,
            top=7,
        )
    assert not (tmp_path / "p.json").exists()


def _retrain(searched, top, statuses):
    """Propose, measure and collect finalists."""
    path = searched / "ledger.csv"
    proposals = searched / "finalists" / "proposals.json"
    search.propose_finalists(proposals, search=SEARCH, ledger=path, maturing=MATURING, top=top)
    packs = measure_all(searched / "finalists", statuses, size=1)
    search.collect_finalists(
        searched / "finalists.csv", ledger=path, proposals=proposals, **files_of(packs), measuring=MEASURING
    )


def test_finalists_are_told_beside_what_they_were(searched):
    _retrain(searched, 2, {1: "timeout"})
    table = finalists.read(searched / "finalists.csv")
    early = ledger.read(searched / "ledger.csv").set_index("candidate")
    assert table["rank"].tolist() == [1, 2] and table["status"].tolist() == ["ok", "timeout"]
    assert table["premature_score"].tolist() == early.loc[table["candidate"], "score"].tolist()
    assert list(table.columns) == finalists.columns(TARGETS)
    best = searched / "final" / "proposals.json"
    search.propose_best(best, search=SEARCH, finalists=searched / "finalists.csv", maturing=MATURING)
    assert [item["candidate"] for item in read_proposals(best)["proposals"]] == [table["candidate"][0]]


def test_no_finalist_left_is_one_line(searched):
    _retrain(searched, 1, {0: "failed"})
    with pytest.raises(TgsageError, match="no finalist ended its training"):
        search.propose_best(
            searched / "p.json", search=SEARCH, finalists=searched / "finalists.csv", maturing=MATURING
        )


def _settings(**changes):
    return SearchSettings(
        **SEARCH.plain(),
        **{
            "teacher": "monkey", "observe": None, "guidance": GUIDANCE, "sampler": {"name": "random"},
            "scoring": Scoring(), "rounds": 3, "lag": 0, "total": 12, **changes,
        },
    )  # fmt: skip


def _announce(pack, settings, log=None):
    return search.announce(pack.rsa, training=pack.training, search=settings, log=log)


def test_a_line_per_candidate(searched, capsys, tmp_path):
    pack = StageFolder(str(searched / "round_1")).pack(1)
    (line,) = _announce(pack, _settings(), tmp_path / "log")
    table = ledger.read(searched / "ledger.csv")
    row = table.iloc[-1]
    assert line.startswith("monkey seed 3  round 1 slot 3  (8/12)  ")
    expected = f"accuracy {row['accuracy']:.3f}  TG {row['tg']:.3f}  score {row['score']:.3f}"
    assert expected in line and f"best {table['score'].max():.3f}" in line and line.endswith("left")
    assert capsys.readouterr().err == line + "\n" and (tmp_path / "log").read_text() == line + "\n"


def test_a_failure_is_told_with_its_reason(searched):
    lines = _announce(StageFolder(str(searched / "round_0")).pack(0), _settings())
    assert len(lines) == 3 and "slot 1" in lines[1] and "failed: some reason" in lines[1]


def test_mature_candidates_are_told_by_their_stage(searched):
    _retrain(searched, 1, {})
    (line,) = _announce(StageFolder(str(searched / "finalists")).pack(0), _settings())
    assert line.startswith("monkey seed 3  finalists 0  mature accuracy ")


def test_the_leaderboard_counts_what_no_ledger_holds_yet(searched):
    write_settings(searched / "search.json", search=_settings())
    (searched / "round_1" / "measurements.csv").unlink()
    run = searched.parents[1]
    (run / "search").mkdir()
    (run / "monkey").rename(run / "search" / "monkey")
    (found,) = search.leaderboard(run)
    assert (found["arm"], found["seed"], found["done"], found["total"]) == ("monkey", 3, 8, 12)
    assert found["counts"] == {"ok": 6, "failed": 1, "invalid": 1} and found["final"] is None
    scores = found["table"]["score"].dropna()
    assert scores.is_monotonic_decreasing and len(scores) == 6


def test_files_of_an_earlier_run_are_not_counted(searched):
    """After a change, round 0 is proposed anew; what lies in round 1 is of the past."""
    time.sleep(0.02)
    _collect(searched, 0)
    assert len(scored_ledger(SearchFolder(str(searched)), _settings())) == 4


def test_a_ledger_says_which_processors_its_candidates_were_trained_on(tmp_path, capsys):
    for number, instructions in enumerate((["avx2"], ["avx2", "avx512f"])):
        processor = {
            "vendor": "AuthenticAMD", "family": str(25 + number), "model": "1", "name": "AMD EPYC",
            "instructions": instructions, "torch": "AVX2", "gpu": None,
        }  # fmt: skip
        _propose(tmp_path, number)
        measure_all(tmp_path / f"round_{number}", processor=processor)
        assert capsys.readouterr().err == ""
        _collect(tmp_path, number)
    table = ledger.read(tmp_path / "ledger.csv")
    assert ledger.processors(table) == ["AMD EPYC family 25, AVX2", "AMD EPYC family 26, AVX-512"]
    assert "several kinds: AMD EPYC family 25, AVX2; AMD EPYC family 26, AVX-512" in capsys.readouterr().err


def test_profiles_are_in_the_order_of_the_ledger_and_hold_every_layer(searched):
    table = ledger.read(searched / "ledger.csv")
    found = profiles.load(searched / "profiles.nc")
    assert list(zip(found["round"].values, found["slot"].values, strict=True)) == list(
        zip(table["round"], table["slot"], strict=True)
    )
    assert found["target"].values.tolist() == list(TARGETS)
    best = found["rsa"].max("layer")
    for row, status in enumerate(table["status"]):
        if status == "ok":
            np.testing.assert_array_equal(best[row], table.loc[row, ["tg_V4", "tg_IT"]].astype(float))
            pack = StageFolder(str(searched / f"round_{row // 4}")).pack(row % 4 // 3)
            rsa = rsa_file.load(pack.rsa)[row % 4 % 3]["rsa"]
            np.testing.assert_array_equal(found["untrained"][row], rsa.sel(split="reward")[0])
        else:
            assert found["rsa"][row].isnull().all() and found["untrained"][row].isnull().all()


def test_profiles_of_candidates_of_different_depth_are_padded():
    def one(depth, shares):
        values = np.arange(len(shares) * 3 * 1 * depth, dtype=float).reshape(len(shares), 3, 1, depth)
        bounds = ("split", "target"), np.full((3, 1), 0.5)
        return xr.Dataset(
            {
                "rsa": (("checkpoint", "split", "target", "layer"), values),
                "ceiling_lower": bounds,
                "ceiling_upper": bounds,
            },
            coords={
                "share": ("checkpoint", shares),
                "split": ["choose", "reward", "report"],
                "target": ["V4"],
                "weight": ("target", [1.0]),
            },
            attrs={"status": "ok"},
        )

    first = profiles.build([(0, 1)], [one(2, [0.0, 1.0])])
    second = profiles.build([(0, 0)], [one(4, [1.0])])
    both = profiles.joined([first, second])
    assert both["slot"].values.tolist() == [0, 1]
    assert both["rsa"].values[0].tolist() == [[4, 5, 6, 7]] and both["untrained"][0].isnull().all()
    np.testing.assert_array_equal(both["rsa"].values[1], [[8, 9, np.nan, np.nan]])
    np.testing.assert_array_equal(both["untrained"].values[1], [[2, 3, np.nan, np.nan]])
    assert both["ceiling_upper"].values.tolist() == [0.5] and both["weight"].values.tolist() == [1.0]


def _promote(before, promoted, n, rung):
    stage = StageFolder(str(before))
    search.promote(
        promoted,
        proposals=stage.proposals,
        **files_of(stage.packs()),
        n=n,
        rung=rung,
        measuring=MEASURING,
        guidance=GUIDANCE,
    )


@pytest.fixture
def halved(tmp_path):
    """A round of four of which two went on, and of these one."""
    folder = tmp_path / "monkey" / "seed_3"
    _propose(folder, 0)
    measure_all(folder / "round_0", {1: "failed"}, examples=100)
    before = folder / "round_0"
    for rung, n in ((1, 2), (2, 1)):
        after = folder / "round_0" / f"rung_{rung}"
        _promote(before, after / "proposals.json", n, rung)
        # Numbers follow from the key, so that the order of the rungs' scores is that of the first.
        measure_all(after, examples=100 * 2**rung)
        before = after
    return folder


def test_the_better_ones_go_on_and_keep_their_slots(halved):
    round_0 = halved / "round_0"
    first, _ = tabulate(read_measured(**files_of(StageFolder(str(round_0)).packs())), Scoring(), TARGETS, ())
    first["score"] = first["accuracy"] + 0.5 * first["tg"]
    best = first.dropna(subset="score").sort_values("score", ascending=False)["slot"].tolist()
    for rung, n in ((1, 2), (2, 1)):
        told = read_proposals(round_0 / f"rung_{rung}" / "proposals.json")
        assert [item["slot"] for item in told["proposals"]] == best[:n]
        assert told["stage"] == f"round_0/rung_{rung}" and told["round"] == 0
        (pack,) = StageFolder(str(round_0 / f"rung_{rung}")).packs()
        for record, item in zip(read_trainings(pack.training), told["proposals"], strict=True):
            assert record["slot"] == item["slot"] and record["candidate"] == item["candidate"]


def test_of_every_candidate_the_last_rung_counts(halved):
    _collect(halved, 0)
    table = ledger.read(halved / "ledger.csv")
    assert table["slot"].tolist() == [0, 1, 2, 3]
    assert sorted(table["examples"]) == [100, 100, 200, 400]
    best = table.loc[table["score"].idxmax()]
    assert best["examples"] == 400
    assert profiles.load(halved / "profiles.nc").sizes["row"] == 4


def test_failed_candidates_go_on_only_where_there_are_too_few(tmp_path):
    _propose(tmp_path, 0)
    measure_all(tmp_path / "round_0", {0: "failed", 2: "timeout", 3: "failed"})
    _promote(tmp_path / "round_0", tmp_path / "p.json", 2, 1)
    assert [item["slot"] for item in read_proposals(tmp_path / "p.json")["proposals"]] == [1, 0]


def test_a_rung_is_told_in_the_line_of_a_candidate(halved):
    stage = halved / "round_0" / "rung_2"
    (line,) = _announce(StageFolder(str(stage)).pack(0), _settings(rounds=1, total=4))
    slot = read_proposals(stage / "proposals.json")["proposals"][0]["slot"]
    assert line.startswith(f"monkey seed 3  round 0 rung 2 slot {slot}  (4/4)  accuracy")


def test_an_observed_teacher_has_columns_of_its_own(tmp_path):
    _propose(tmp_path, 0)
    measure_all(tmp_path / "round_0", {1: "failed"}, observed=True)
    _collect(tmp_path, 0, measuring=MEASURING.model_copy(update={"observed": list(TARGETS)}))
    table = ledger.read(tmp_path / "ledger.csv")
    assert ledger.targets(table) == list(TARGETS)
    assert list(table.columns) == ledger.columns(TARGETS, TARGETS)
    ok = table[table["status"] == "ok"]
    np.testing.assert_allclose(ok["observed_tg"], ok["tg"] / 2)
    assert ok["observed_layer_V4"].tolist() == ok["layer_V4"].tolist()
    assert table.loc[1].filter(like="observed_").isna().all()
    # It steers nothing.
    np.testing.assert_allclose(ok["score"], ok["accuracy"] + 0.5 * ok["tg"])


def test_finalists_may_be_trained_in_a_wider_network(searched, tmp_path):
    path = searched / "ledger.csv"
    out = tmp_path / "finalists" / "proposals.json"
    wider = SPACE.model_copy(update={"width": 8, "repeats": 2})
    search.propose_finalists(
        out, search=SEARCH, ledger=path, maturing=MATURING.model_copy(update={"space": wider}), top=2
    )
    table = ledger.read(path).set_index("candidate")
    for item in read_proposals(out)["proposals"]:
        assert item["architecture"] == table.loc[item["searched"], "architecture"]
        arch = spaces.get(wider).parse(item["architecture"])
        assert spaces.get(wider).key(arch) == item["candidate"]


def test_an_unknown_transform_is_one_line(searched, tmp_path):
    with pytest.raises(TgsageError, match="knows no transform 'upside_down'"):
        search.propose_finalists(
            tmp_path / "p.json",
            search=SEARCH,
            ledger=searched / "ledger.csv",
            maturing=MATURING.model_copy(update={"transform": "upside_down"}),
            top=1,
        )
