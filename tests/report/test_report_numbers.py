"""Every number of the page, computed again from the run's files with csv, json and xarray alone."""

from __future__ import annotations

import csv
import json
import math
import re
from pathlib import Path

import h5py
import pytest
import xarray as xr
from scipy.stats import spearmanr


@pytest.fixture(scope="module")
def numbers(page: str) -> dict:
    found = re.search(r'<script type="application/json" id="numbers">(.*?)</script>', page, re.S)
    return json.loads(found[1])


def rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as handle:
        return list(csv.DictReader(handle))


def number(text: str) -> float | None:
    return float(text) if text else None


SEARCHES = [("monkey", 0), ("none", 0), ("none", 1)]


@pytest.fixture(params=range(3), ids=lambda n: f"{SEARCHES[n][0]}-{SEARCHES[n][1]}")
def told_and_folder(request, numbers, reported_run):
    return _search(request.param, numbers, reported_run)


@pytest.fixture
def guided(numbers, reported_run):
    return _search(0, numbers, reported_run)


def _search(number, numbers, reported_run):
    arm, seed = SEARCHES[number]
    return numbers["searches"][number], reported_run / "search" / arm / f"seed_{seed}"


def test_searches_in_order(numbers):
    assert [(told["arm"], told["seed"]) for told in numbers["searches"]] == SEARCHES
    accuracies = [told["winner"]["finalist"]["accuracy"] for told in numbers["searches"]]
    assert numbers["best"] == accuracies.index(max(accuracies))
    none = max((1, 2), key=lambda n: accuracies[n])
    assert numbers["shown"] == [0, none]


def test_status_counts_and_size(told_and_folder):
    told, folder = told_and_folder
    ledger = rows(folder / "ledger.csv")
    assert told["candidates"] == len(ledger)
    assert told["rounds"] == len({row["round"] for row in ledger})
    assert told["distinct"] == len({row["candidate"] for row in ledger})
    for status, count in told["status"].items():
        assert count == sum(row["status"] == status for row in ledger)
    assert sum(told["status"].values()) == len(ledger)
    fine = [float(row["accuracy"]) for row in ledger if row["status"] == "ok"]
    assert told["best_premature_accuracy"] == max(fine)


def test_test_accuracy_and_winner(told_and_folder):
    told, folder = told_and_folder
    final = json.loads((folder / "final.json").read_text())
    assert told["test"] == final["test"]
    n, correct = told["test"]["n"], told["test"]["correct"]
    assert told["test"]["accuracy"] == correct / n
    z, p = 1.959963984540054, correct / n
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    expected = [(middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)]
    assert told["test"]["interval"] == pytest.approx(expected, abs=1e-9)
    assert told["chance"] == 1 / told["n_classes"]
    winner = told["winner"]
    for name in ("candidate", "architecture", "parameters", "flops", "premature", "finalist"):
        assert winner[name] == final[name]
    (early,) = [row for row in rows(folder / "ledger.csv") if row["candidate"] == winner["candidate"]]
    assert winner["premature"]["accuracy"] == float(early["accuracy"])
    assert (winner["premature"]["round"], winner["premature"]["slot"]) == (
        int(early["round"]),
        int(early["slot"]),
    )


def test_leaderboard(told_and_folder):
    told, folder = told_and_folder
    fine = [row for row in rows(folder / "ledger.csv") if row["status"] == "ok" and row["score"]]
    fine.sort(key=lambda row: (-float(row["score"]), int(row["round"]), int(row["slot"])))
    seen: list[dict[str, str]] = []
    for row in fine:
        if row["candidate"] not in [other["candidate"] for other in seen]:
            seen.append(row)
    assert len(told["leaderboard"]) == 10
    for rank, (entry, row) in enumerate(zip(told["leaderboard"], seen, strict=False), start=1):
        assert entry["rank"] == rank
        assert entry["candidate"] == row["candidate"]
        for name in ("accuracy", "tg", "score", "parameters", "flops"):
            assert entry[name] == number(row[name])
        for target, value in entry["targets"].items():
            assert value == float(row[f"tg_{target}"])
    targets = [name[3:] for name in fine[0] if name.startswith("tg_")]
    assert list(told["leaderboard"][0]["targets"]) == targets


def test_finalists(told_and_folder, numbers):
    told, folder = told_and_folder
    table = rows(folder / "finalists.csv")
    assert [row["candidate"] for row in told["finalists"]] == [row["candidate"] for row in table]
    n = numbers["task"]["n_validation"]
    for entry, row in zip(told["finalists"], table, strict=True):
        names = ["rank", "round", "slot", "accuracy", "tg", "parameters", "examples", "seconds"]
        for name in [*names, "premature_accuracy", "premature_tg", "premature_score"]:
            assert entry[name] == number(row[name]), name
        p, z = entry["accuracy"], 1.959963984540054
        half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        assert entry["interval"][1] - entry["interval"][0] == pytest.approx(2 * half, abs=1e-9)


def test_cost(told_and_folder):
    told, folder = told_and_folder
    ledger, finalists = rows(folder / "ledger.csv"), rows(folder / "finalists.csv")
    (training,) = json.loads((folder / "final/pack_0/training.json").read_text())["candidates"]
    cost = told["cost"]
    for name in ("examples", "seconds"):
        parts = [
            math.fsum(float(row[name]) for row in ledger),
            math.fsum(float(row[name]) for row in finalists),
            training[name],
        ]
        assert [cost[stage][name] for stage in ("search", "finalists", "final")] == pytest.approx(parts)
        assert cost["total"][name] == pytest.approx(math.fsum(parts))
        bad = [float(row[name]) for row in ledger if row["status"] != "ok"]
        assert cost["of_which_not_ok"][name] == pytest.approx(math.fsum(bad))
    assert cost["of_which_not_ok"]["candidates"] == 2
    final = json.loads((folder / "final.json").read_text())["cost"]
    assert final["examples_search"] == cost["search"]["examples"]


def test_without_a_teacher_there_is_no_similarity(numbers):
    for told in numbers["searches"][1:]:
        assert told["similarity"] == {} and told["p_tg_correlation"]["value"] is None


def test_similarity_is_that_of_rsa_nc(guided, reported_run):
    told, folder = guided
    rsa = xr.load_dataset(folder / "final/pack_0/rsa.nc", group="candidate_0")["rsa"].isel(checkpoint=-1)
    assert list(told["similarity"]) == ["V4", "pIT", "aIT"]
    for target, entry in told["similarity"].items():
        reward = rsa.sel(split="reward", target=target)
        assert entry["layer"] == str(reward.layer[int(reward.argmax("layer"))].values)
        assert entry["reward"] == pytest.approx(float(reward.max()))
        report = float(rsa.sel(split="report", target=target, layer=entry["layer"]))
        assert entry["report"] == pytest.approx(report)
        assert entry["interval"][0] < report < entry["interval"][1]
        group = xr.load_dataset(reported_run / "teachers" / "monkey.nc", group=target)
        assert entry["n_stimuli_report"] == int((group["split"] == "report").sum())
        for bound in ("lower", "upper"):
            value = float(group[f"ceiling_{bound}"][list(group["part"].values).index("report")])
            assert entry[f"ceiling_{bound}"] == (None if math.isnan(value) else value)


def test_correlation_of_p_and_tg(guided):
    told, folder = guided
    pairs = [
        (float(row["tg"]), float(row["accuracy"]))
        for row in rows(folder / "ledger.csv")
        if row["status"] == "ok" and row["tg"]
    ]
    found = told["p_tg_correlation"]
    assert found["n"] == len(pairs)
    assert found["value"] == pytest.approx(spearmanr(*zip(*pairs, strict=True)).statistic)
    assert found["low"] < found["value"] < found["high"]


def test_task_and_teacher(numbers, reported_run):
    with h5py.File(reported_run / "task" / "rendered.h5") as file:
        for part in ("train", "validation", "test"):
            assert numbers["task"][f"n_{part}"] == len(file[f"{part}/labels"])
        assert numbers["task"]["digest"] == file.attrs["digest"]
        assert numbers["task"]["classes"] == json.loads(file.attrs["classes"])
    assert list(numbers["teachers"]) == ["monkey"]
    teacher = numbers["teachers"]["monkey"]
    for target, entry in teacher["targets"].items():
        group = xr.load_dataset(reported_run / "teachers" / "monkey.nc", group=target)
        splits = list(group["split"].values)
        assert entry["n_stimuli"] == len(splits)
        assert (entry["n_choose"], entry["n_reward"], entry["n_report"]) == (
            0, splits.count("reward"), splits.count("report"),
        )  # fmt: skip
        assert entry["n_sites"] == group.attrs["n_sites"]
    root = xr.load_dataset(reported_run / "teachers" / "monkey.nc")
    assert teacher["digest"] == root.attrs["digest"]
    assert teacher["words"] == "Simulated recordings." and teacher["is_control"] is False
    assert numbers["simulated"] == {"recordings": True, "images": True}


def test_headline_is_written_out(numbers, page):
    best = numbers["searches"][numbers["best"]]
    headline = page[page.index('class="headline"') : page.index("</dl>")]
    assert f"{100 * best['test']['accuracy']:.1f} %" in headline
    assert f"{100 * best['test']['interval'][0]:.1f} to {100 * best['test']['interval'][1]:.1f} %" in headline
    early, late = best["winner"]["premature"]["accuracy"], best["winner"]["finalist"]["accuracy"]
    assert f"{100 * early:.1f} → {100 * late:.1f} %" in headline
