"""A candidate, from a proposal to training.json, in a process of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tgsage import spaces
from tgsage.errors import TgsageError
from tgsage.store import Store
from tgsage.training import (
    Failure,
    Outcome,
    count_flops,
    count_parameters,
    feature_counts,
    job,
    train_candidate,
)
from tgsage.training.settings import Recipe

SPACE = {"name": "cell", "blocks": 1, "width": 4, "repeats": 1, "reductions": 1}
RECIPE = Recipe(epochs=1, batch_size=16, crop_padding=1, recompute_batchnorm=32, checkpoints=[0.0, 1.0])


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def proposal(seed: int = 0) -> dict:
    space = spaces.get(SPACE)
    arch = space.canonical(space.sample(np.random.default_rng(seed)))
    return {"slot": 3, "candidate": space.key(arch), "architecture": space.format(arch)}


def run(task_path: Path, store: Store, **changes) -> tuple[dict, dict]:
    arguments = {
        "proposal": proposal(),
        "recipe": RECIPE,
        "task_path": task_path,
        "space": SPACE,
        "store_root": store.root,
        "device": "cpu",
        "round": 2,
        **changes,
    }
    told, _ = train_candidate(**arguments)
    return told, json.loads(json.dumps(told, allow_nan=False))


FIELDS = [
    "status", "reason", "candidate", "architecture", "round", "slot", "parameters", "flops", "probes",
    "n_probes", "examples", "seconds", "training_loss_sum", "curve", "checkpoints", "store_key", "device",
    "processor", "recipe",
]  # fmt: skip


def test_a_good_candidate(task_path: Path, store: Store) -> None:
    told, written = run(task_path, store)
    assert told == written and list(written) == FIELDS
    assert (written["status"], written["reason"]) == ("ok", None)
    assert (written["round"], written["slot"], written["candidate"]) == (2, 3, proposal()["candidate"])
    space = spaces.get(SPACE)
    module = space.build(space.parse(written["architecture"]), 3)
    assert written["parameters"] == count_parameters(module)
    assert written["flops"] == count_flops(module, 16)
    assert written["probes"] == list(module.probe_names) and written["n_probes"] == len(module.probe_names)
    assert written["examples"] == 96 and written["seconds"] > 0 and written["device"] == "cpu"
    assert written["checkpoints"] == [{"share": 0, "examples": 0}, {"share": 1, "examples": 96}]
    assert len(written["curve"]) == 6 and Recipe(**written["recipe"]) == RECIPE
    assert store.intact(store.path("trained", written["store_key"]))


def test_a_candidate_from_the_store_is_charged_in_full(task_path: Path, store: Store) -> None:
    first, _ = run(task_path, store)
    again, _ = run(task_path, store, proposal={**proposal(), "round": 7, "slot": 0}, recipe=RECIPE.plain())
    assert [event["event"] for event in store.journal()] == ["write", "hit"]
    assert (again["round"], again["slot"]) == (7, 0)
    for name in set(FIELDS) - {"round", "slot"}:
        assert again[name] == first[name]


def test_two_stores_two_processes_one_result(task_path: Path, tmp_path: Path) -> None:
    weights = []
    for name in ("one", "two"):
        store = Store(tmp_path / name / "store")
        told, _ = run(task_path, store)
        weights.append((store.path("trained", told["store_key"]) / "weights.safetensors").read_bytes())
    assert weights[0] == weights[1]


def test_divergence_is_written_with_its_cost(task_path: Path, store: Store) -> None:
    recipe = RECIPE.model_copy(update={"learning_rate": 1e30, "clip_norm": None, "warmup": 0.0})
    _, written = run(task_path, store, recipe=recipe)
    assert written["status"] == "failed" and written["reason"].startswith("diverged: the loss became ")
    assert 0 < written["examples"] < 97 and written["seconds"] > 0 and written["parameters"] > 0
    assert written["checkpoints"] == [] and written["training_loss_sum"] is None
    assert store.intact(store.path("trained", written["store_key"]))


def test_a_timeout_is_written_and_not_stored(task_path: Path, store: Store) -> None:
    recipe = RECIPE.model_copy(update={"epochs": 1e5, "timeout_seconds": 2.0})
    _, written = run(task_path, store, recipe=recipe)
    assert (written["status"], written["reason"]) == ("timeout", "timeout: took longer than 2 s")
    assert written["seconds"] >= 2 and written["store_key"] is None
    assert written["parameters"] > 0 and written["flops"] > 0 and written["n_probes"] > 0
    assert [event for event in store.journal() if event["event"] == "write"] == []
    # The key is free again.
    told, _ = run(task_path, store)
    assert told["status"] == "ok"


@pytest.mark.parametrize(
    ("kind", "status"), [("crashed", "failed"), ("raised", "failed"), ("timeout", "timeout")]
)
def test_what_the_child_told_before_it_was_lost_is_counted(
    task_path: Path, store: Store, kind: str, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {"parameters": 10, "flops": 20, "probes": ["a", "b"], "examples": 64}
    lost = Outcome(None, Failure(kind, "why"), 1.5, told)
    monkeypatch.setattr(job, "run_isolated", lambda *_, **__: lost)
    _, written = run(task_path, store)
    assert (written["status"], written["reason"]) == (status, f"{kind}: why")
    assert (written["examples"], written["seconds"], written["n_probes"]) == (64, 1.5, 2)
    assert written["store_key"] is None


def test_what_is_wrong_with_the_set_up_is_raised(task_path: Path, store: Store, tmp_path: Path) -> None:
    with pytest.raises(TgsageError, match=r"nowhere\.h5: no such task file"):
        run(tmp_path / "nowhere.h5", store)
    with pytest.raises(TgsageError, match=r"recipe\.crop_padding: 20 pixels cannot be reflected"):
        run(task_path, store, recipe=RECIPE.model_copy(update={"crop_padding": 20}))
    with pytest.raises(TgsageError, match=r"recipe: epochs: .*greater than 0"):
        run(task_path, store, recipe={"epochs": 0})
    with pytest.raises(
        TgsageError, match=r"has the key .* in this space; they were made with other settings"
    ):
        run(task_path, store, space={**SPACE, "width": 8})
    assert not (store.root.parent / "slot_3").exists()


def too_many(features: Sequence[int]) -> None:
    raise TgsageError(f"{len(features)} layers of {features} features are too many")


def test_a_check_ends_the_job_before_anything_is_trained(task_path: Path, store: Store) -> None:
    space = spaces.get(SPACE)
    module = space.build(space.parse(proposal()["architecture"]), 3)
    counts = list(feature_counts(module, module.probe_names, (16, 16)).values())
    with pytest.raises(TgsageError, match=re.escape(f"layers of {counts} features are too many")):
        run(task_path, store, check=too_many)
    assert [event for event in store.journal() if event["event"] == "write"] == []
