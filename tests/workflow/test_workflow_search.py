"""A whole search through Snakemake, on the tiny configuration, and what makes it run again."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys

import pytest
import yaml

from helpers.workspaces import ROOT, TINY
from tgsage.plugins import every
from tgsage.runs.stage_calls import typed_values
from tgsage.search.candidates import PRELOAD
from tgsage.store.code import closure, is_infrastructure, plugin_modules

SEARCH = ("search", "monkey", "seed_0")
EXAMPLES = sorted((ROOT / "config/examples").glob("*.yaml"))
NAS_BENCH_201 = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|avg_pool_3x3~1|nor_conv_1x1~2|"


TARGET = "results/tiny/search/monkey/seed_0"


def test_a_search_leaves_what_the_design_says(searched):
    workspace, _ = searched
    rows = workspace.ledger()
    assert list(rows[0]) == [
        "round", "slot", "candidate", "status", "architecture", "parameters", "flops", "probes", "examples",
        "accuracy", "loss", "training_loss_sum", "tg", "tg_V4", "tg_IT", "layer_V4", "layer_IT", "score",
        "processor", "seconds",
    ]  # fmt: skip
    assert [(row["round"], row["slot"]) for row in rows] == [
        (str(r), str(s)) for r in range(2) for s in range(3)
    ]
    assert len({row["candidate"] for row in rows}) == 6
    ok = [row for row in rows if row["status"] == "ok"]
    assert len(ok) >= 5
    for row in ok:
        assert float(row["tg"]) == pytest.approx((float(row["tg_V4"]) + float(row["tg_IT"])) / 2)
        assert float(row["score"]) == pytest.approx(float(row["accuracy"]) + float(row["tg"]))
    final = json.loads(workspace.path(*SEARCH, "final.json").read_text())
    assert final["test"]["n"] == 128 and final["simulated"] is True
    assert final["candidate"] in {row["candidate"] for row in rows}
    for name in ("finalists.csv", "best_architecture.json", "round_0/measurements.csv", "search.json"):
        assert workspace.path(*SEARCH, name).exists()
    assert "simulated" in workspace.path("report.html").read_text()
    figures = list(workspace.path("figures", "monkey", "seed_0").glob("*.svg"))
    assert len(figures) >= 5


def test_every_finished_candidate_is_told_in_one_line(searched):
    _, output = searched
    lines = re.findall(r"^monkey seed 0  round \d slot \d  \(\d/6\).*$", output, flags=re.M)
    assert len(lines) == 6
    told = [line for line in lines if "accuracy" in line]
    assert told and all(
        re.search(r"accuracy \d\.\d+  TG -?\d\.\d+  score .* best .* left$", line) for line in told
    )


def test_a_person_sees_the_search_and_not_snakemakes_reasons(searched):
    workspace, output = searched
    for word in ("Reason:", "input:", "jobid:", "rule ", "steps (", "Select jobs", "Job stats"):
        assert word not in output
    for line in (
        "Read the recordings simulated_macaque",
        "Train and score pack 1 of round_0, monkey, seed 0",
    ):
        assert line in output.splitlines()
    assert len(output.splitlines()) < 60
    (log,) = (workspace.folder / ".snakemake" / "log").glob("*.log")
    full = log.read_text()
    assert str(log.name) in output and "Reason: Missing output files" in full and "steps (100%) done" in full


def test_a_second_call_has_nothing_to_do(searched):
    workspace, _ = searched
    assert "Nothing to be done" in workspace.snakemake("search_with_monkey_teacher")


def test_a_job_loads_no_code_that_its_digest_leaves_out(searched):
    """Modules that every job loads (to be called, and to check settings) decide no numbers."""
    workspace, _ = searched
    drawn = {"arm_figures": "search", "teacher_figures": "teacher", "page": "comparison"}
    told = [json.loads(path.read_text()) for path in sorted((workspace.folder / "loaded").glob("*.json"))]
    jobs = [one for one in told if "rule" in one]
    rules = {job["rule"] for job in jobs}
    assert {"recordings", "task", "propose", "train_and_score", "train_and_test_winner", *drawn} <= rules
    # Candidates of all stages have one rule, so that a profile can say what its jobs may use.
    assert len([rule for rule in rules if re.match(r"train|score", rule)]) == 2
    forked = {job["pid"]: [one for one in told if one.get("job") == job["pid"]] for job in jobs}
    assert all(forked[job["pid"]] for job in jobs if job["rule"].startswith("train_"))
    root = workspace.folder / "src" / "tgsage"
    surplus = {}
    for job in jobs:
        params = job["params"]
        stages = [params[name] for name in ("call", "after") if name in params]
        settings = [typed_values(stage, params) for stage in stages]
        figures = [one.code_module() for one in every("figure") if one.of == drawn.get(job["rule"])]
        roots = [stage.partition(":")[0] for stage in stages]
        graph = closure("tgsage.runs.stage_calls", *roots, *plugin_modules(settings), *figures, root=root)
        loaded = {module for one in (job, *forked[job["pid"]]) for module in one["modules"]}
        surplus[job["rule"]] = [
            module
            for module in loaded.difference(PRELOAD)
            if module not in graph
            and not is_infrastructure(module)
            and closure(module, root=root)[module].defines
        ]
    assert not any(surplus.values()), surplus


def test_proposals_and_ledger_name_the_same_candidates(searched):
    workspace, _ = searched
    rows = workspace.ledger()
    for number in range(2):
        told = json.loads(workspace.path(*SEARCH, f"round_{number}", "proposals.json").read_text())
        expected = [row["candidate"] for row in rows if row["round"] == str(number)]
        assert [item["candidate"] for item in told["proposals"]] == expected


def test_the_snakefile_takes_a_dry_run_of_the_default():
    """Every target of the shipped default can be planned."""
    targets = ["search_with_monkey_teacher", "search_without_teacher", "teacher", "all"]
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "-n", "-q", "--cores", "2", *targets, "--nolock"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "path", sorted((ROOT / "config/examples").glob("*.yaml")), ids=lambda path: path.stem
)
def test_every_example_can_be_planned(path, tmp_path):
    (tmp_path / "pool.csv").write_text("architecture,accuracy\n" + f"{NAS_BENCH_201},91.2\n")
    arm = next(iter(yaml.safe_load(path.read_text())["search"]["arms"]))
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "-n", "-q", "--cores", "2", "--directory", tmp_path,
         f"search_with_{arm}_teacher", "teacher", "--configfile", path],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "change",
    [
        "alpha",
        pytest.param("compare", marks=pytest.mark.slow),
        pytest.param("metric", marks=pytest.mark.slow),
    ],
)
def test_changing_the_score_trains_nothing(again, change):
    before = again.store_events()
    config = copy.deepcopy(TINY)
    if change == "alpha":
        config["search"]["arms"]["monkey"]["guidance"]["alpha"] = 0.25
    elif change == "compare":
        config["scoring"] = {"compare": "pearson"}
    else:
        config["teachers"]["monkey"]["metric"] = "sqeuclidean"
    again.write_config(config)
    rows = again.ledger()
    # The ledgers of the rounds; finalists may be others, and are then trained for the first time.
    again.snakemake(f"{TARGET}/ledger.csv")
    assert again.store_events()["write"] == before["write"]
    changed = again.ledger()
    assert [row["candidate"] for row in changed] == [row["candidate"] for row in rows]
    assert [row["accuracy"] for row in changed] == [row["accuracy"] for row in rows]
    assert [row["score"] for row in changed] != [row["score"] for row in rows]
    if change == "alpha":
        # Proposals depend on the scores of earlier rounds only, so those of the first stay.
        assert again.ran().keys() == {"collect", "propose", "train_and_score", "ledger"}
        assert again.ran()["propose"] == 1


def test_a_docstring_reruns_nothing_and_a_changed_loop_retrains(again):
    again.edit("src/tgsage/training/loop.py", '"""', '"""Another sentence. ')
    assert "Nothing to be done" in again.snakemake("search_with_monkey_teacher")
    before = again.store_events()
    loop = (again.folder / "src/tgsage/training/loop.py").read_text()
    indent, loss = re.search(r"^( +)(\w+)\.backward\(\)", loop, flags=re.M).groups()
    halved = f"{indent}({loss} * 0.5).backward()"
    again.edit("src/tgsage/training/loop.py", f"{indent}{loss}.backward()", halved)
    again.snakemake(f"{TARGET}/round_0/measurements.csv")
    assert again.store_events()["write"] - before["write"] == 3
    ran = again.ran()
    assert ran["train_and_score"] == 2 and ran["recordings"] == 0 and ran["task"] == 0


def test_a_deleted_weight_file_heals(again):
    before = again.store_events()
    rsa = again.path(*SEARCH, "round_0", "pack_0", "rsa.nc")
    training = json.loads(rsa.with_name("training.json").read_text())["candidates"][0]
    key = training["store_key"]
    weights = again.folder / "results/store/trained" / key[:2] / key / "weights.safetensors"
    rows = again.ledger()
    weights.unlink()
    rsa.unlink()
    again.snakemake(f"{TARGET}/round_0/pack_0/rsa.nc")
    assert weights.exists()
    again.snakemake(f"{TARGET}/ledger.csv")
    assert again.store_events()["write"] - before["write"] == 1
    # It took its time anew.
    mended = [{**row, "seconds": old["seconds"]} for row, old in zip(again.ledger(), rows, strict=True)]
    assert mended == rows


def test_a_mistake_in_the_config_is_told_in_one_line(again):
    config = copy.deepcopy(TINY)
    config["search"]["premature"]["epoch"] = 3
    again.write_config(config)
    output = again.snakemake("search_with_monkey_teacher", fails=True)
    assert "unknown key search.premature.epoch (did you mean 'epochs'?)" in output
    assert "Traceback" not in output


def test_a_missing_file_is_told_in_one_line(workspace):
    config = copy.deepcopy(TINY)
    config["task"] = {"source": "cifar10", "n_validation": 100}
    workspace.write_config(config)
    output = workspace.snakemake("results/tiny/task/cifar10.h5", fails=True)
    assert "Traceback" not in output
    line = next(line for line in output.splitlines() if line.startswith("tgsage: "))
    assert "cifar-10-batches-py" in line
    assert not list(workspace.path().glob("task/*"))


def test_status_shows_the_leaderboard(searched, capsys):
    from tgsage.cli import main

    workspace, _ = searched
    assert main(["status", str(workspace.path()), "--top", "3"]) == 0
    shown = capsys.readouterr().out
    assert "monkey, seed 0: 6 of 6 candidates" in shown and "test accuracy" in shown


@pytest.mark.slow
def test_the_ledger_does_not_depend_on_cores_or_packing(searched, workspace):
    reference = searched[0].ledger()
    config = copy.deepcopy(TINY)
    config["search"]["candidates_per_job"] = 1
    workspace.write_config(config)
    workspace.snakemake(f"{TARGET}/ledger.csv", cores=1)
    assert [{**row, "seconds": ""} for row in workspace.ledger()] == [
        {**row, "seconds": ""} for row in reference
    ]


@pytest.mark.slow
def test_killed_and_resumed_equals_uninterrupted(searched, workspace):
    import os
    import signal
    import subprocess
    import sys
    import time

    target = f"{TARGET}/ledger.csv"
    command = [sys.executable, "-m", "snakemake", target, "--cores", "2", "--configfile", "tiny.yaml"]
    child = subprocess.Popen(
        command, cwd=workspace.folder, env=workspace.environment(),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    deadline = time.time() + 300
    while not workspace.path(*SEARCH, "round_0", "measurements.csv").exists():
        assert time.time() < deadline and child.poll() is None
        time.sleep(0.05)
    time.sleep(1.0)
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    workspace.snakemake("--unlock")
    workspace.snakemake("--rerun-incomplete", target)
    assert [{**row, "seconds": ""} for row in workspace.ledger()] == [
        {**row, "seconds": ""} for row in searched[0].ledger()
    ]
