"""The store of trained networks: its key, its entries, and how they heal."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from training_fakes import TinySettings, TinySpace, easy_task, pretend_processor

from tgsage import config, spaces
from tgsage.errors import TgsageError
from tgsage.store import Store
from tgsage.store.processor import processor
from tgsage.training import (
    OutOfMemory,
    Stored,
    candidate_key,
    candidate_seed,
    ensure_trained,
    initial_module,
    keys,
    stored_candidate,
)
from tgsage.training.keys import versions
from tgsage.training.settings import Recipe

TASK = easy_task()
SPACE = TinySpace()
RECIPE = Recipe(epochs=1, batch_size=16, crop_padding=1, recompute_batchnorm=32, checkpoints=[0.0, 1.0])


def arch(flavour: str = "plain", width: int = 4):
    return SPACE.decode({"width": width, "flavour": flavour})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def ensure(store: Store, flavour: str = "plain", recipe: Recipe = RECIPE, **options) -> Stored:
    return ensure_trained(store, SPACE, arch(flavour), recipe, TASK, "cpu", **options)


def writes(store: Store) -> int:
    return sum(event["event"] == "write" for event in store.journal())


CHANGES = {
    "epochs": 2.0,
    "batch_size": 32,
    "learning_rate": 0.05,
    "warmup": 0.2,
    "momentum": 0.8,
    "weight_decay": 0.0,
    "label_smoothing": 0.1,
    "clip_norm": None,
    "flip": False,
    "crop_padding": 0,
    "average": None,
    "recompute_batchnorm": 0,
    "checkpoints": [1.0],
    "stop": 0.5,
    "images": "train+validation",
    "precision": "bfloat16",
    "channels_last": False,
    "threads": 2,
    "seed": 1,
}


def test_every_field_of_the_recipe_is_accounted_for() -> None:
    assert set(CHANGES) | {"timeout_seconds"} == set(Recipe.model_fields)


@pytest.mark.parametrize("field", list(CHANGES))
def test_what_can_change_the_weights_is_in_the_key(field: str) -> None:
    changed = RECIPE.model_copy(update={field: CHANGES[field]})
    assert candidate_key(SPACE, arch(), changed, TASK, "cpu") != candidate_key(
        SPACE, arch(), RECIPE, TASK, "cpu"
    )


def test_what_cannot_is_not() -> None:
    key = candidate_key(SPACE, arch(), RECIPE, TASK, "cpu")
    for update in ({"timeout_seconds": 3.0}, {"precision": "float32"}):
        assert candidate_key(SPACE, arch(), RECIPE.model_copy(update=update), TASK, "cpu") == key
    assert candidate_key(SPACE, arch("plain_too"), RECIPE, TASK, "cpu") == key
    renamed = SimpleNamespace(**{**vars(TASK), "name": "other name"})
    assert (
        candidate_key(SPACE, arch(), RECIPE, renamed, "auto" if not torch.cuda.is_available() else "cpu")
        == key
    )


def test_the_rest_of_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {candidate_key(SPACE, arch(), RECIPE, TASK, "cpu")}
    found.add(candidate_key(SPACE, arch(width=8), RECIPE, TASK, "cpu"))
    found.add(candidate_key(SPACE, arch(), RECIPE, easy_task(seed=1), "cpu"))
    found.add(candidate_key(TinySpace(TinySettings(depth=3)), arch(), RECIPE, TASK, "cpu"))
    for part in ("code", "space_code"):
        with monkeypatch.context() as patch:
            patch.setattr(keys, "versions", lambda space, part=part: {**versions(space), part: "other"})
            found.add(candidate_key(SPACE, arch(), RECIPE, TASK, "cpu"))
    with monkeypatch.context() as patch:
        patch.setattr(torch, "__version__", "9.9")
        found.add(candidate_key(SPACE, arch(), RECIPE, TASK, "cpu"))
    with monkeypatch.context() as patch:
        patch.setattr(keys, "device_class", lambda device: "NVIDIA H100 80GB HBM3")
        found.add(candidate_key(SPACE, arch(), RECIPE, TASK, "cpu"))
    assert len(found) == 8


def test_what_is_kept_leaves_the_streams_alone() -> None:
    seed = candidate_seed(SPACE, arch(), RECIPE, TASK)
    for field in ("average", "checkpoints", "precision", "threads", "channels_last", "recompute_batchnorm"):
        changed = RECIPE.model_copy(update={field: CHANGES[field]})
        assert candidate_seed(SPACE, arch(), changed, TASK) == seed
    assert candidate_seed(SPACE, arch("plain_too"), RECIPE, TASK) == seed
    for field in ("epochs", "seed", "learning_rate", "images"):
        changed = RECIPE.model_copy(update={field: CHANGES[field]})
        assert candidate_seed(SPACE, arch(), changed, TASK) != seed


def test_trained_once(store: Store) -> None:
    told: list[dict] = []
    before = torch.get_rng_state()
    first = ensure(store, report=told.append)
    assert torch.equal(torch.get_rng_state(), before)
    again = ensure(store, "plain_too", RECIPE.model_copy(update={"timeout_seconds": 9.0}))
    assert writes(store) == 1
    assert (again.key, again.record) == (first.key, first.record)
    record = first.record
    assert record["status"] == "ok" and record["reason"] is None
    assert record["examples"] == 96 and record["seconds"] > 0
    assert record["checkpoints"] == [{"share": 0.0, "examples": 0}, {"share": 1.0, "examples": 96}]
    assert record["probes"] == ["first", "norm", "second"] and record["parameters"] == 439
    assert record["flops"] > 0 and record["device"] == "cpu" and record["key"]["torch"] == torch.__version__
    assert record["processor"] == processor() and record["space"] == SPACE.settings.plain()
    assert told[0]["parameters"] == 439 and told[-1] == {"examples": 96}


def test_weights_by_checkpoint(store: Store) -> None:
    stored = ensure(store)
    seed = candidate_seed(SPACE, arch(), RECIPE, TASK)
    module = initial_module(SPACE, arch(), 3, seed)
    untrained = stored.load(0)
    assert untrained.keys() == module.state_dict().keys()
    assert torch.equal(untrained["first.weight"], module.first.weight)
    assert torch.equal(stored.load(-1)["first.weight"], stored.load(1)["first.weight"])
    assert not torch.equal(stored.load(1)["first.weight"], module.first.weight)
    module.load_state_dict(stored.load())
    for checkpoint in (2, -3):
        with pytest.raises(TgsageError, match=f"no checkpoint {checkpoint}; the entry has 2"):
            stored.load(checkpoint)


@pytest.mark.parametrize("damage", ["deleted", "corrupt", "truncated", "record"])
def test_lost_weights_come_back_bit_by_bit(store: Store, damage: str) -> None:
    stored = ensure(store)
    before = stored.load()
    weights = stored.folder / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    if damage == "deleted":
        weights.unlink()
    elif damage == "corrupt":
        content[-5] ^= 1
        weights.write_bytes(content)
    elif damage == "truncated":
        weights.write_bytes(content[:-100])
    else:
        (stored.folder / "record.json").write_text("{")
    healed = stored_candidate(store, stored.key, SPACE, arch(), RECIPE, TASK, "cpu")
    assert all(torch.equal(healed.load()[name], value) for name, value in before.items())
    unlike = {"seconds"}
    for name in set(stored.record) - unlike:
        assert healed.record[name] == stored.record[name]
    assert writes(store) == 2
    ensure(store)
    assert writes(store) == 2


def test_lost_weights_are_not_replaced_by_others(store: Store) -> None:
    stored = ensure(store)
    other = RECIPE.model_copy(update={"epochs": 2.0})
    # Intact, they are read whatever has changed since: another device, another version.
    assert stored_candidate(store, stored.key, SPACE, arch(), other, TASK, "cpu").record == stored.record
    (stored.folder / "weights.safetensors").unlink()
    with pytest.raises(TgsageError, match="the trained weights are lost, and code, versions, task, device"):
        stored_candidate(store, stored.key, SPACE, arch(), other, TASK, "cpu")


def test_the_dtype_follows_the_space_and_the_processor(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def recipe(precision: str) -> Recipe:
        return RECIPE.model_copy(update={"precision": precision})

    pretend_processor(monkeypatch, tmp_path, "avx2 avx512f avx512_bf16")
    assert ensure(store).record["key"]["dtype"] == "torch.float32"
    monkeypatch.setattr(TinySettings, "dense", True)
    chosen = ensure(store)
    assert chosen.record["key"]["dtype"] == "torch.bfloat16" and writes(store) == 2
    # The words of the recipe do not count, and the training has heeded the dtype.
    assert ensure(store, recipe=recipe("bfloat16")).key == chosen.key and writes(store) == 2
    exact = ensure(store, recipe=recipe("float32"))
    assert exact.key != chosen.key and writes(store) == 2
    assert not torch.equal(exact.load()["first.weight"], chosen.load()["first.weight"])
    # A processor of another kind reads what there is, and makes nothing else in its place.
    pretend_processor(monkeypatch, tmp_path, "avx2")
    assert candidate_key(SPACE, arch(), RECIPE, TASK, "cpu") == exact.key
    assert stored_candidate(store, chosen.key, SPACE, arch(), RECIPE, TASK, "cpu").key == chosen.key
    (chosen.folder / "weights.safetensors").unlink()
    with pytest.raises(TgsageError, match=r"device or processor have changed since \(the key would be"):
        stored_candidate(store, chosen.key, SPACE, arch(), RECIPE, TASK, "cpu")


def test_the_default_search_stays_in_float32(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_processor(monkeypatch, tmp_path, "avx2 avx512f avx512_bf16 amx_bf16")
    default = config.load(Path(__file__).parents[2] / "config" / "config.yaml")
    space = spaces.get(default.search.space)
    assert keys.with_precision(Recipe(), space, torch.device("cpu")).precision == "float32"
    listed = SimpleNamespace(of=spaces.get("nasbench201"))
    assert keys.with_precision(Recipe(), listed, torch.device("cpu")).precision == "bfloat16"


@pytest.mark.parametrize(
    ("flavour", "reason"),
    [
        ("broken", "cannot be built: ValueError: this one cannot be built"),
        ("misfit", "cannot be built: RuntimeError: "),
        ("explosive", "diverged: the loss became "),
    ],
)
def test_failures_of_the_candidates_own_are_entries(store: Store, flavour: str, reason: str) -> None:
    stored = ensure(store, flavour)
    assert stored.record["status"] == "failed" and stored.record["reason"].startswith(reason)
    assert "\n" not in stored.record["reason"]
    ensure(store, flavour)
    assert writes(store) == 1
    assert (stored.record["examples"] > 0) == (flavour == "explosive")
    assert (stored.record["seconds"] > 0) == (flavour == "explosive")
    json.dumps(stored.record, allow_nan=False)
    with pytest.raises(TgsageError, match="the entry has 0"):
        stored.load()


def test_lack_of_memory_is_not_an_entry(store: Store) -> None:
    with pytest.raises(OutOfMemory, match=r"out of memory: RuntimeError: .*can't allocate memory"):
        ensure(store, "hungry")
    assert writes(store) == 0


def test_a_recipe_that_does_not_fit_is_the_users_mistake(store: Store) -> None:
    with pytest.raises(TgsageError, match=r"recipe\.crop_padding"):
        ensure(store, recipe=RECIPE.model_copy(update={"crop_padding": 99}))
    assert writes(store) == 0
