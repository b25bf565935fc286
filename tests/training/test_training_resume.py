"""Trainings that stop and go on: bit for bit those that did not stop."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from training_fakes import TinySpace, easy_task, tiny_net

from tgsage import spaces
from tgsage.errors import TgsageError
from tgsage.store import Store
from tgsage.training import (
    Diverged,
    Failure,
    Outcome,
    OutOfMemory,
    Stored,
    Trained,
    TrainingState,
    cache,
    candidate_key,
    candidate_seed,
    ensure_trained,
    initial_module,
    job,
    stored_candidate,
    train,
    train_candidate,
)
from tgsage.training.data import batches
from tgsage.training.settings import Recipe

TASK = easy_task(n_train=53)
RECIPE = Recipe(
    epochs=2.7,
    batch_size=7,
    learning_rate=0.2,
    label_smoothing=0.1,
    weight_decay=0.01,
    clip_norm=0.5,
    crop_padding=1,
    average=0.9,
    recompute_batchnorm=20,
    checkpoints=[0.0, 0.1, 0.4, 0.8, 1.0],
)
"""20 steps of 7 images; a pass has 7.57 steps."""


class MixedNet(nn.Module):
    """Layers and tensors of every kind that a training keeps."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, padding=1, bias=False)
        self.depthwise = nn.Conv2d(6, 6, 3, padding=1, groups=6)
        self.pointwise = nn.Conv2d(6, 8, 1)
        self.norms = nn.ModuleList([nn.BatchNorm2d(6), nn.BatchNorm2d(8, affine=False), nn.GroupNorm(2, 8)])
        self.dropout = nn.Dropout(0.3)
        self.shrink = nn.Conv2d(8, 1, 1)
        self.head = nn.Linear(64, 3)
        self.tied = self.head
        self.unused = nn.Linear(2, 2)
        self.frozen = nn.Parameter(torch.full((8, 1, 1), 0.5), requires_grad=False)
        self.register_buffer("seen", torch.zeros(()), persistent=False)
        self.register_buffer("empty", torch.zeros(0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.seen += 1
        x = torch.relu(self.norms[0](self.stem(x)))
        x = torch.relu(self.norms[1](self.pointwise(self.depthwise(x)))) * self.frozen
        x = self.shrink(self.dropout(self.norms[2](x))).flatten(1)
        # A buffer that is in no state dict decides something too.
        return self.head(x) * (1 + 0.01 * self.seen)


def mixed_net() -> MixedNet:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return MixedNet()


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(
        torch.equal(one[name], other[name]) and one[name].dtype == other[name].dtype for name in one
    )


def assert_same(one: Trained, other: Trained) -> None:
    assert [(kept.share, kept.examples) for kept in one.checkpoints] == [
        (kept.share, kept.examples) for kept in other.checkpoints
    ]
    for mine, theirs in zip(one.checkpoints, other.checkpoints, strict=True):
        assert same(mine.state, theirs.state)
    assert one.curve == other.curve
    assert (one.training_loss_sum, one.examples) == (other.training_loss_sum, other.examples)
    assert (one.resume is None) == (other.resume is None)
    if one.resume is not None:
        assert same(dict(one.resume.tensors), dict(other.resume.tensors))


def until(recipe: Recipe, stop: float) -> Recipe:
    return recipe.model_copy(update={"stop": stop})


def in_stages(stops: list[float], recipe: Recipe, make=mixed_net, task=TASK) -> list[Trained]:
    """Train a new module at every stage, as another process would."""
    found: list[Trained] = []
    for stop in stops:
        state = found[-1].resume if found else None
        torch.rand(5)  # Whatever the caller's stream is at.
        found.append(train(make(), task, until(recipe, stop), 5, resume=state))
    return found


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    "update",
    [
        {},
        {"average": None},
        {"channels_last": False},
        {"batch_size": 16, "epochs": 0.9},
        pytest.param({"momentum": 0.0}, marks=SLOW),
        pytest.param({"batch_size": 53, "epochs": 11.0}, marks=SLOW),
        pytest.param({"recompute_batchnorm": 0, "flip": False, "crop_padding": 0}, marks=SLOW),
        pytest.param({"images": "train+validation", "epochs": 1.5}, marks=SLOW),
        pytest.param({"precision": "bfloat16"}, marks=SLOW),
        pytest.param({"checkpoints": [1.0]}, marks=SLOW),
    ],
    ids=lambda update: ",".join(update) or "as it is",
)
def test_stages_are_one_go(update: dict) -> None:
    recipe = RECIPE.model_copy(update=update)
    stops = [0.13, 0.4, 0.77, 1.0]  # Two at no checkpoint.
    direct = [train(mixed_net(), TASK, until(recipe, stop), 5) for stop in stops]
    for whole, pieced in zip(direct, in_stages(stops, recipe), strict=True):
        assert_same(whole, pieced)
    assert_same(in_stages([0.13, 1.0], recipe)[-1], direct[-1])


@pytest.mark.slow
def test_stages_on_two_threads_are_one_go() -> None:
    recipe = RECIPE.model_copy(update={"threads": 2})
    assert_same(in_stages([0.4, 1.0], recipe)[-1], train(mixed_net(), TASK, recipe, 5))


@pytest.mark.slow
def test_every_single_step_is_a_stage() -> None:
    stops = [step / 20 for step in range(1, 21)]
    stages = in_stages(stops, RECIPE)
    assert [stage.examples for stage in stages] == [7 * step for step in range(1, 21)]
    assert_same(stages[-1], train(mixed_net(), TASK, RECIPE, 5))


def test_a_stop_keeps_the_schedule_of_the_whole() -> None:
    whole = train(mixed_net(), TASK, RECIPE, 5)
    part = train(mixed_net(), TASK, until(RECIPE, 0.4), 5)
    assert [(kept.share, kept.examples) for kept in part.checkpoints] == [(0.0, 0), (0.1, 14), (0.4, 56)]
    for mine, theirs in zip(part.checkpoints, whole.checkpoints, strict=False):
        assert (mine.share, mine.examples) == (theirs.share, theirs.examples)
        assert same(mine.state, theirs.state)
    # 20 steps, so that the whole curve has a point for each.
    assert part.curve == whole.curve[:8] and part.examples == 56
    assert part.training_loss_sum == pytest.approx(sum(point["loss"] for point in part.curve) * 7 / 53)
    assert whole.resume is None and part.resume is not None and part.resume.step == 8
    between = train(mixed_net(), TASK, until(RECIPE, 0.13), 5)
    assert [(kept.share, kept.examples) for kept in between.checkpoints] == [(0.0, 0), (0.1, 14), (0.13, 21)]
    assert train(mixed_net(), TASK, until(RECIPE, 0.001), 5).examples == 7


def test_stops_that_fall_on_one_step() -> None:
    recipe = RECIPE.model_copy(update={"checkpoints": [0.0, 0.01, 0.02, 0.15, 0.16, 1.0]})
    stops = [0.001, 0.015, 0.15, 0.155, 0.3]
    for stop, pieced in zip(stops, in_stages(stops, recipe), strict=True):
        assert_same(pieced, train(mixed_net(), TASK, until(recipe, stop), 5))


def test_the_module_is_as_after_one_go() -> None:
    module = mixed_net()
    state = train(mixed_net(), TASK, until(RECIPE, 0.5), 5).resume
    result = train(module, TASK, RECIPE, 5, resume=state)
    assert same(dict(module.state_dict()), result.checkpoints[-1].state) and not module.training
    # What is continued from is not used up.
    assert_same(train(mixed_net(), TASK, RECIPE, 5, resume=state), result)


@pytest.mark.parametrize(
    "kind",
    [
        "parameters/stem", "buffers/seen", "buffers/norms.0.running_var", "velocity/head", "average/stem",
        "random/cpu", "losses",
    ],
)  # fmt: skip
def test_everything_that_is_saved_is_needed(kind: str) -> None:
    # Running statistics show where they are not recomputed.
    recipe = RECIPE.model_copy(update={"recompute_batchnorm": 0})
    state = train(mixed_net(), TASK, until(recipe, 0.5), 5).resume
    assert state is not None
    changed = dict(state.tensors)
    name = min(name for name in changed if name.startswith(kind))
    other = torch.Generator().manual_seed(9).get_state()
    changed[name] = other if kind == "random/cpu" else changed[name] * 1.5
    direct = train(mixed_net(), TASK, recipe, 5)
    result = train(mixed_net(), TASK, recipe, 5, resume=dataclasses.replace(state, tensors=changed))
    with pytest.raises(AssertionError):
        assert_same(result, direct)


def test_a_layer_that_draws_in_evaluation_too() -> None:
    class Restless(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = tiny_net()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.inner(nn.functional.dropout(x, 0.2, training=True))

    # The stop adds a checkpoint, whose forward passes draw.
    staged = in_stages([0.33, 1.0], RECIPE, Restless)[-1]
    assert_same(staged, train(Restless(), TASK, RECIPE, 5))


@pytest.mark.parametrize(
    ("change", "recipe", "message"),
    [
        ("step", until(RECIPE, 0.3), r"recipe\.stop: 0\.3 of the training is step 6, .* from has 10"),
        ("shape", RECIPE, r"of another module, recipe or device: buffers/seen is \(3,\) there and \(\) here"),
        ("name", RECIPE, r"parameters/stem\.weight is absent there and \(6, 3, 3, 3\) here"),
        ("none", RECIPE.model_copy(update={"average": None}), r"average/\S+ is \(6,\) there and absent here"),
        ("none", RECIPE.model_copy(update={"checkpoints": [0.3, 1.0]}), "kept none at 0.3"),
        ("none", RECIPE.model_copy(update={"epochs": 4.0}), "kept none at 0.1"),
    ],
)
def test_another_training_cannot_be_continued(change: str, recipe: Recipe, message: str) -> None:
    state = train(mixed_net(), TASK, until(RECIPE, 0.5), 5).resume
    assert state is not None
    tensors = dict(state.tensors)
    if change == "shape":
        tensors["buffers/seen"] = torch.zeros(3)
    elif change == "name":
        del tensors["parameters/stem.weight"]
    with pytest.raises(TgsageError, match=message) as caught:
        train(mixed_net(), TASK, recipe, 5, resume=TrainingState(tensors, state.checkpoints, 0.0))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("n", [10, 4, 11])
@pytest.mark.parametrize("skip", [0, 1, 2, 3, 5, 10, 23])
def test_batches_can_be_left_out(n: int, skip: int) -> None:
    options = {"flip": True, "crop_padding": 2, "device": torch.device("cpu")}
    whole = list(itertools.islice(batches(n, 4, 3, **options), skip + 6))[skip:]
    for one, other in zip(whole, batches(n, 4, 3, skip=skip, **options), strict=False):
        assert all(torch.equal(mine, theirs) for mine, theirs in zip(one, other, strict=True))


@pytest.mark.parametrize("stop", [0.0, -0.1, 1.5, float("nan")])
def test_a_stop_is_a_share(stop: float) -> None:
    with pytest.raises(ValueError, match="stop"):
        Recipe(stop=stop)


# In the store.


class Tipping(nn.Module):
    """Answers with something infinite from its 13th step on."""

    def __init__(self, inner: nn.Module):
        super().__init__()
        self.inner = inner
        self.probe_names = ("inner.first",)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        late = self.training and int(self.inner.norm.num_batches_tracked) >= 12
        return self.inner(x) / (0.0 if late else 1.0)


class StagedSpace(TinySpace):
    """The tiny space, in which ``explosive`` explodes late."""

    def _assemble(self, arch, n_classes: int, in_channels: int) -> nn.Module:
        if arch["flavour"] == "explosive":
            return Tipping(tiny_net())
        return super()._assemble(arch, n_classes, in_channels)


SPACE = StagedSpace()


def arch(flavour: str = "dropout"):
    return SPACE.decode({"width": 4, "flavour": flavour})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def ensure(store: Store, stop: float, earlier=(), flavour: str = "dropout", **options) -> Stored:
    recipe = until(RECIPE, stop)
    return ensure_trained(store, SPACE, arch(flavour), recipe, TASK, "cpu", earlier=earlier, **options)


def events(store: Store) -> list[tuple[str, str]]:
    return [(str(event["event"]), str(event["key"])) for event in store.journal()]


def assert_same_entry(one: Stored, other: Stored) -> None:
    assert one.key == other.key
    unlike = {"seconds"}
    assert {k: v for k, v in one.record.items() if k not in unlike} == {
        k: v for k, v in other.record.items() if k not in unlike
    }
    names = {path.name for path in one.folder.iterdir()}
    assert names == {path.name for path in other.folder.iterdir()}
    for name in names & {cache.WEIGHTS, cache.RESUME}:
        assert (one.folder / name).read_bytes() == (other.folder / name).read_bytes()


def test_the_key_has_the_stop_and_the_seed_has_not() -> None:
    stops = (0.25, 0.5, 1.0)
    assert len({candidate_key(SPACE, arch(), until(RECIPE, stop), TASK, "cpu") for stop in stops}) == 3
    assert len({candidate_seed(SPACE, arch(), until(RECIPE, stop), TASK) for stop in stops}) == 1


def test_rungs_in_the_store(store: Store, tmp_path: Path) -> None:
    rungs = [0.25, 0.55, 1.0]
    pieced = [ensure(store, stop, rungs) for stop in rungs]
    keys = [stored.key for stored in pieced]
    # The first asks for nothing earlier; each later one finds the one before.
    assert events(store) == [
        ("write", keys[0]), ("hit", keys[0]), ("write", keys[1]), ("hit", keys[1]), ("write", keys[2]),
    ]  # fmt: skip
    for stop, stored in zip(rungs, pieced, strict=True):
        assert_same_entry(stored, ensure(Store(tmp_path / f"whole_{stop}"), stop))
    assert [kept["share"] for kept in pieced[1].record["checkpoints"]] == [0.0, 0.1, 0.4, 0.55]
    assert pieced[2].n_checkpoints == 5
    assert [(stored.folder / cache.RESUME).exists() for stored in pieced] == [True, True, False]
    tensors = load_file(pieced[0].folder / cache.RESUME)
    assert {name.split("/")[0] for name in tensors} == {
        "parameters", "buffers", "velocity", "average", "losses", "random"
    }  # fmt: skip
    assert ensure(store, 1.0, rungs).record == pieced[2].record


@pytest.mark.parametrize("damage", ["nothing stored", "resume deleted", "resume corrupt", "weights corrupt"])
def test_what_is_lost_on_the_way_does_not_change_the_answer(
    store: Store, tmp_path: Path, damage: str
) -> None:
    if damage != "nothing stored":
        first = ensure(store, 0.25)
        path = first.folder / (cache.WEIGHTS if damage == "weights corrupt" else cache.RESUME)
        if damage == "resume deleted":
            path.unlink()
        else:
            content = bytearray(path.read_bytes())
            content[-5] ^= 1
            path.write_bytes(content)
    last = ensure(store, 0.55, [0.25])
    assert_same_entry(last, ensure(Store(tmp_path / "whole"), 0.55))
    assert [event for event, _ in events(store)] == {"nothing stored": ["write"]}.get(
        damage, ["write", "refused", "write"]
    )
    # The earlier entry heals when it is asked for, and is found again.
    assert_same_entry(ensure(store, 0.25), ensure(Store(tmp_path / "whole"), 0.25))
    (last.folder / cache.WEIGHTS).unlink()
    recipe = until(RECIPE, 0.55)
    again = stored_candidate(store, last.key, SPACE, arch(), recipe, TASK, "cpu", earlier=[0.25])
    assert_same_entry(again, ensure(Store(tmp_path / "whole"), 0.55))
    assert [event for event, _ in events(store)][-3:] == ["refused", "hit", "write"]


def test_the_latest_intact_stop_is_taken(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[int | None] = []
    real = cache.train

    def watched(*arguments, resume, **options):
        found.append(None if resume is None else resume.step)
        return real(*arguments, resume=resume, **options)

    monkeypatch.setattr(cache, "train", watched)
    ensure(store, 0.2)
    middle = ensure(store, 0.5)
    ensure(store, 0.6, [0.5, 0.2, 0.5, 0.9, 1.0])
    (middle.folder / cache.RESUME).unlink()
    ensure(store, 0.7, [0.2, 0.5])
    # Another recipe's entry is another's.
    other = RECIPE.model_copy(update={"learning_rate": 0.1})
    ensure_trained(store, SPACE, arch(), other, TASK, "cpu", earlier=[0.2, 0.5, 0.6])
    assert found == [None, None, 10, 4, None]


def test_an_entry_that_is_pruned_while_it_is_read(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    first = ensure(store, 0.25)
    monkeypatch.setattr(cache, "load_file", lambda path: load_file(path.with_name("gone")))
    expected = ensure(Store(store.root / "other"), 0.5)
    assert_same_entry(ensure(store, 0.5, [0.25]), expected)
    assert first.folder.exists()


@pytest.mark.parametrize("share", [0.0, -0.5, 1.2, float("nan")])
def test_shares_that_are_none(store: Store, share: float) -> None:
    with pytest.raises(TgsageError, match=r"^earlier: .* is no share of a training"):
        ensure(store, 1.0, [0.5, share])
    assert not store.root.exists()


def test_divergence_in_the_second_stage(store: Store, tmp_path: Path) -> None:
    first = ensure(store, 0.5, flavour="explosive")
    assert first.record["status"] == "ok"
    second = ensure(store, 0.8, [0.5], flavour="explosive")
    assert second.record["reason"].startswith("diverged: the loss became ")
    assert "at step 13 of 20" in second.record["reason"]
    assert second.record["examples"] == 13 * 7 and second.record["seconds"] > first.record["seconds"]
    assert_same_entry(second, ensure(Store(tmp_path / "whole"), 0.8, flavour="explosive"))
    # It has nothing to continue from; whoever goes on is told the same.
    third = ensure(store, 1.0, [0.5, 0.8], flavour="explosive")
    assert third.record["reason"] == second.record["reason"]
    assert_same_entry(third, ensure(Store(tmp_path / "whole"), 1.0, flavour="explosive"))


def test_costs_add_up(store: Store) -> None:
    told: list[dict] = []
    first = ensure(store, 0.5)
    # As if the first stage had been slow.
    record = {**first.record, "seconds": 1000.0}
    manifest = json.loads((first.folder / "manifest.json").read_text())
    (first.folder / cache.RECORD).write_text(json.dumps(record))
    manifest["files"][cache.RECORD] = _sha256(first.folder / cache.RECORD)
    (first.folder / "manifest.json").write_text(json.dumps(manifest))
    last = ensure(store, 1.0, [0.5], report=told.append)
    assert 1000 < last.record["seconds"] < 1060 and last.record["examples"] == 140
    assert {"seconds_before": 1000.0, "examples": 70} in told
    seen = [line["examples"] for line in told if "examples" in line]
    assert seen == sorted(seen) and seen[0] == 70 and seen[-1] == 140


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_lack_of_memory_in_the_second_stage(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    ensure(store, 0.5)

    def hungry(*_, **__):
        raise MemoryError

    monkeypatch.setattr(cache, "train", hungry)
    with pytest.raises(OutOfMemory) as caught:
        ensure(store, 1.0, [0.5])
    assert caught.value.examples == 70


def test_divergence_costs_what_came_before() -> None:
    state = train(tiny_net(), TASK, until(RECIPE, 0.5), 5).resume
    assert state is not None
    hot = RECIPE.model_copy(update={"learning_rate": 1e30, "clip_norm": None})
    with pytest.raises(Diverged) as caught:
        train(tiny_net(), TASK, hot, 5, resume=dataclasses.replace(state, seconds=500.0))
    assert 500 < caught.value.seconds < 560 and 70 < caught.value.examples <= 140
    assert len(caught.value.curve) >= 10


# In a process of its own.

CELL = {"name": "cell", "blocks": 1, "width": 4, "repeats": 1, "reductions": 1}
SHORT = Recipe(epochs=1, batch_size=16, crop_padding=1, recompute_batchnorm=32)


def run(task_path: Path, store: Store, stop: float, earlier: list[float], **update) -> dict:
    space = spaces.get(CELL)
    arch = space.canonical(space.sample(np.random.default_rng(0)))
    recipe = SHORT.model_copy(update={"stop": stop, **update})
    proposal = {"slot": 0, "round": 1, "architecture": space.format(arch)}
    return train_candidate(proposal, recipe, task_path, CELL, store.root, "cpu", earlier=earlier)[0]


def test_processes_in_turn(task_path: Path, store: Store, tmp_path: Path) -> None:
    first = run(task_path, store, 0.5, [])
    last = run(task_path, store, 1.0, [0.5])
    whole = run(task_path, Store(tmp_path / "other" / "store"), 1.0, [])
    assert list(last) == list(whole)
    assert {name: value for name, value in last.items() if name != "seconds"} == {
        name: value for name, value in whole.items() if name != "seconds"
    }
    assert (first["examples"], last["examples"]) == (48, 96) and last["seconds"] > first["seconds"]
    assert first["checkpoints"][-1] == {"share": 0.5, "examples": 48} and first["recipe"]["stop"] == 0.5
    assert [event["event"] for event in store.journal()] == ["write", "hit", "write"]
    files = [
        Store(root).path("trained", last["store_key"]) / cache.WEIGHTS
        for root in (store.root, tmp_path / "other/store")
    ]
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize("kind", ["timeout", "crashed"])
def test_a_child_that_is_lost_costs_the_earlier_part_too(
    task_path: Path, store: Store, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {"parameters": 10, "flops": 20, "probes": ["a"], "examples": 64, "seconds_before": 7.0}
    lost = Outcome(None, Failure(kind, "why"), 1.5, told)
    monkeypatch.setattr(job, "run_isolated", lambda *_, **__: lost)
    written = run(task_path, store, 1.0, [0.5])
    assert (written["seconds"], written["examples"]) == (8.5, 64) and "seconds_before" not in written


@pytest.mark.slow
def test_a_timeout_in_the_second_stage(task_path: Path, store: Store) -> None:
    long = {"epochs": 1e4, "timeout_seconds": 2.0}  # 60,000 steps
    first = run(task_path, store, 1e-4, [], **long)
    assert first["status"] == "ok" and first["examples"] == 96
    written = run(task_path, store, 0.1, [1e-4], **long)
    assert written["status"] == "timeout" and written["examples"] >= 96
    assert written["seconds"] >= 2 + first["seconds"]


@pytest.mark.parametrize(
    "name",
    [
        "cell",
        pytest.param("nasbench201", marks=pytest.mark.slow),
        pytest.param("convnet20", marks=pytest.mark.slow),
    ],
)
def test_networks_of_the_spaces_can_be_continued(name: str) -> None:
    task = easy_task(n_train=40, size=16)
    recipe = SHORT.model_copy(update={"epochs": 2.0, "batch_size": 8})
    space = spaces.get(CELL if name == "cell" else name)
    arch = space.sample(np.random.default_rng(1))

    def make() -> nn.Module:
        return initial_module(space, arch, 3, 1)

    staged = in_stages([0.3, 0.7, 1.0], recipe, make, task)[-1]
    assert_same(staged, train(make(), task, recipe, 5))


def test_tasks_without_files() -> None:
    # The loop reads nothing of a task but its parts and moments.
    bare = SimpleNamespace(train=TASK.train, validation=TASK.validation, mean=TASK.mean, std=TASK.std)
    assert train(tiny_net(), bare, until(RECIPE, 0.1), 0).resume is not None
