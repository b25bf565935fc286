"""Proposals do not change: those of every sampler in every space, as they were when they were recorded."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import pytest
from made_up_results import OWN, SMALL, search, small, small_spaces

from helpers.plugin_files import registered

RECORDED = json.loads(Path(__file__).with_name("recorded_proposals.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def every_space(tmp_path_factory):
    with registered(OWN):
        yield small_spaces(tmp_path_factory.mktemp("listed"))


def searched(space, name):
    """Keys of the proposals of four rounds: once with failures, once two rounds behind the ledger."""
    failing, _ = search(space, small(name), 4, 4, seed=5, failed=(1,))
    lagging, _ = search(space, small(name), 4, 3, seed=6, lag=1)
    return {
        "rounds": [" ".join(space.key(arch) for arch in archs) for archs in failing],
        "lagged": [" ".join(space.key(arch) for arch in archs) for archs in lagging],
    }


@pytest.mark.parametrize("name", [name for name in SMALL if name != "climber"])
def test_proposals_are_those_that_were_recorded(every_space, name):
    others = {package: version(package) for package in RECORDED["versions"]}
    if name in ("tpe", "nsga2") and others != RECORDED["versions"]:
        pytest.skip(f"recorded with {RECORDED['versions']}, and Optuna's draws are its own: {others}")
    found = {space: searched(every_space[space], name) for space in every_space if space != "columns"}
    assert found == {space: RECORDED["keys"][f"{space}-{name}"] for space in found}
