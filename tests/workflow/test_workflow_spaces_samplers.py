"""Every sampler on every space, and what a round can be made of, through Snakemake on tiny configurations."""

from __future__ import annotations

import copy
import csv
import json
import re
from typing import Any

import numpy as np
import pytest
import yaml

from helpers.workspaces import ROOT, TINY, Workspace, make_workspace
from tgsage import plugins, spaces

CELL = {"name": "cell", "blocks": 1, "width": 4, "reductions": 1}
SPACES: dict[str, dict[str, Any]] = {
    "cell": CELL,
    "nasbench201": {"name": "nasbench201", "width": 4, "repeats": 1},
    "convnet10": {"name": "convnet10", "filters": [4, 6], "heights": [1, 3], "widths": [1, 3]},
    "convnet20": {"name": "convnet20", "filters": [4, 6], "heights": [1, 3], "widths": [1, 3]},
    "list": {"name": "list", "file": "cells.csv", "of": CELL},
}
SAMPLERS: dict[str, dict[str, Any]] = {
    "random": {"name": "random"},
    "tpe": {"name": "tpe", "startup": 2},
    "evolution": {"name": "evolution", "population": 2, "tournament": 2},
    "reinforce": {"name": "reinforce", "hidden": 4},
    "nsga2": {"name": "nsga2", "population": 2},
}
ROUNDS, SLOTS = 2, 2


@pytest.fixture(scope="module")
def ground(tmp_path_factory) -> Workspace:
    """A workspace whose recordings, task and teacher are made once: spaces change nothing about them."""
    workspace = make_workspace(tmp_path_factory.mktemp("spaces"))
    space = spaces.get(CELL)
    rng = np.random.default_rng(0)
    with open(workspace.folder / "cells.csv", "w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["architecture"])
        writer.writerows([space.format(space.sample(rng))] for _ in range(40))
    return workspace


def test_none_was_forgotten():
    assert set(SPACES) == {plugin.plugin_name() for plugin in plugins.every("space")}
    assert set(SAMPLERS) == {plugin.plugin_name() for plugin in plugins.every("sampler")}


@pytest.mark.slow
@pytest.mark.parametrize("name", SPACES)
def test_every_sampler_searches_the_space(ground, name):
    config = copy.deepcopy(TINY)
    config["search"] |= {
        "space": SPACES[name],
        "rounds": ROUNDS,
        "candidates_per_round": SLOTS,
        "candidates_per_job": SLOTS,
        "arms": {
            sampler: {"teacher": "monkey", "guidance": {"name": "p_plus_tg"}, "sampler": settings}
            for sampler, settings in SAMPLERS.items()
        },
    }
    config["report"] = {"arms": ["random"]}
    ground.write_config(config)
    ground.snakemake(*(f"results/tiny/search/{arm}/seed_0/ledger.csv" for arm in SAMPLERS))
    settings = SPACES[name] | ({"file": str(ground.folder / "cells.csv")} if name == "list" else {})
    space = spaces.get(settings)
    for arm in SAMPLERS:
        rows = ground.ledger(arm)
        assert len(rows) == ROUNDS * SLOTS
        assert {row["status"] for row in rows} <= {"ok", "failed", "invalid"}
        # A convnet of a few steps may be flat, and is then told as invalid; most are not.
        assert sum(row["status"] == "ok" for row in rows) >= 2
        for row in rows:
            arch = space.parse(row["architecture"])
            assert space.key(arch) == row["candidate"]
            if row["status"] == "ok":
                assert float(row["score"]) == pytest.approx(float(row["accuracy"]) + float(row["tg"]))
        if arm != "reinforce":
            assert len({row["candidate"] for row in rows}) == len(rows)


@pytest.mark.slow
def test_halving_with_a_control_that_is_compared_with_the_real_teacher(workspace):
    """Rungs, a second teacher that is observed, and finalists in a wider, separable network."""
    config = copy.deepcopy(TINY)
    config["teachers"]["shuffled"] = {"kind": "shuffled", "of": "monkey"}
    arm = config["search"]["arms"]["monkey"]
    config["search"]["arms"]["shuffled"] = {
        **arm,
        "teacher": "shuffled",
        "observe": "monkey",
        "guidance": {"name": "p_plus_tg", "match_variance": True},
    }
    config["search"] |= {
        "rounds": 1,
        "candidates_per_round": 4,
        "candidates_per_job": 4,
        "halving": {"shares": [0.5], "keep": 0.5},
    }
    config["search"]["premature"]["epochs"] = 2
    config["search"]["finalists"] |= {"space": {"width": 8}, "transform": "separable"}
    config["search"]["final"] |= {"space": {"width": 8, "repeats": 2}}
    workspace.write_config(config)
    workspace.snakemake("compare_guidance")
    for name in ("monkey", "shuffled"):
        rows = workspace.ledger(name)
        # 128 images, two passes: half of them for everyone, the rest for half of them.
        assert sorted(int(row["examples"]) for row in rows) == [128, 128, 256, 256]
        folder = workspace.path("search", name, "seed_0")
        told = json.loads((folder / "round_0/rung_1/proposals.json").read_text())["proposals"]
        assert len(told) == 2
        final = json.loads((folder / "final.json").read_text())
        best = json.loads((folder / "best_architecture.json").read_text())
        assert best["space"]["width"] == 8 and best["space"]["repeats"] == 2
        assert final["candidate"] in {row["candidate"] for row in rows}
    journal = workspace.store_events()
    assert journal["write"] > 0
    rows = workspace.ledger("shuffled")
    assert all(float(row["observed_tg"]) == pytest.approx(
        (float(row["observed_tg_V4"]) + float(row["observed_tg_IT"])) / 2) for row in rows)  # fmt: skip
    table = {row["arm"]: row for row in workspace.read_csv("studies", "comparison.csv")}
    assert table["shuffled"]["similarity_with"] == table["monkey"]["similarity_with"] == "monkey"
    final = json.loads(workspace.path("search", "shuffled", "seed_0", "final.json").read_text())
    observed = final["observed"]["similarity"]["V4"]["report"]
    assert float(table["shuffled"]["report_V4"]) == pytest.approx(observed)


@pytest.mark.slow
def test_plugins_in_files(workspace):
    """The files of docs/extending.md through the workflow; a changed file trains again."""
    page = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    for name, text in re.findall(r"^`(\w+\.py)`:\n\n```python\n(.*?)```", page, flags=re.M | re.S):
        (workspace.folder / name).write_text(text, encoding="utf-8")
    shown = yaml.safe_load(re.search(r"```yaml\n(.*?)```", page, flags=re.S).group(1))
    config = copy.deepcopy(TINY)
    config["plugins"] = shown["plugins"]
    config["search"] |= {"space": shown["search"]["space"], "rounds": ROUNDS, "candidates_per_round": SLOTS}
    config["search"]["arms"]["monkey"] |= shown["search"]["arms"]["monkey"]
    workspace.write_config(config)
    ledger = "results/tiny/search/monkey/seed_0/ledger.csv"
    workspace.snakemake(ledger)
    rows = workspace.ledger()
    assert len({row["candidate"] for row in rows}) == len(rows) == ROUNDS * SLOTS
    assert {row["status"] for row in rows} == {"ok"}
    assert "Nothing to be done" in workspace.snakemake(ledger)
    before = workspace.store_events()["write"]
    path = workspace.folder / "my_space.py"
    path.write_text(path.read_text(encoding="utf-8") + "\nCHANGED = True\n", encoding="utf-8")
    workspace.snakemake("results/tiny/search/monkey/seed_0/round_0/measurements.csv")
    assert workspace.store_events()["write"] == before + SLOTS


MISTAKES = {
    "an override that changes the choices": (
        lambda c: c["search"]["finalists"].update(space={"blocks": 3}),
        "search.finalists.space: blocks: changes the choices",
    ),
    "an unknown override": (
        lambda c: c["search"]["final"].update(space={"widht": 8}),
        "search.final.space: unknown override of space cell 'widht' (did you mean 'width'?)",
    ),
    "no file of plugins": (lambda c: c.update(plugins=["nope.py"]), "plugins: nope.py: no such file"),
    "an unknown space": (
        lambda c: c["search"].update(space={"name": "cel"}),
        "search.space.name: unknown value 'cel' (did you mean 'cell'?)",
    ),
    "no file of the guidance": (
        lambda c: c["search"]["arms"]["monkey"].update(
            guidance={"name": "calibrated", "fitted": "nope.json"}
        ),
        "search.arms.monkey.guidance: nope.json: no such file",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_is_missing_is_told_before_anything_runs(workspace, mistake):
    change, words = MISTAKES[mistake]
    config = copy.deepcopy(TINY)
    change(config)
    workspace.write_config(config)
    output = workspace.snakemake("-n", "search_with_monkey_teacher", fails=True)
    assert words in output and "Traceback (most recent call last)" not in output


@pytest.mark.slow
def test_a_file_that_another_arm_lacks_is_no_hindrance(workspace):
    """Its weights may be what this arm's search is made for."""
    config = copy.deepcopy(TINY)
    arms = config["search"]["arms"]
    arms["later"] = {**arms["monkey"], "guidance": {"name": "calibrated", "fitted": "nope.json"}}
    workspace.write_config(config)
    assert "propose" in workspace.snakemake("-n", "search_with_monkey_teacher")
    output = workspace.snakemake("-n", "compare_guidance", fails=True)
    assert "search.arms.later.guidance: nope.json: no such file" in output
