"""What earlier code has trained: adopted where today's code trains the same bits, else refused."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from training_fakes import easy_task, pretend_processor

import tgsage
from tgsage import spaces, tasks
from tgsage.errors import TgsageError
from tgsage.store import Store, digest
from tgsage.training import adopt as adoption
from tgsage.training import cache, ensure_trained
from tgsage.training.adopt import adopt, unreached
from tgsage.training.settings import Recipe
from tgsage.training.sgd import SGD

CELL = {"name": "cell", "blocks": 1, "width": 4, "repeats": 1, "reductions": 1}
SPACE = spaces.get(CELL)
TASK = easy_task(size=16)
RECIPE = Recipe(epochs=0.5, batch_size=16, crop_padding=1, recompute_batchnorm=32, checkpoints=[0.0, 1.0])
HALF = RECIPE.model_copy(update={"stop": 0.5})
DIVERGING = RECIPE.model_copy(update={"learning_rate": 1e30, "clip_norm": None, "warmup": 0.0})


def arch(seed: int):
    return SPACE.canonical(SPACE.sample(np.random.default_rng(seed)))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def train_before(store: Store, monkeypatch: pytest.MonkeyPatch) -> Callable[..., cache.Stored]:
    """Train as under an older torch: the key says so, and nothing else."""

    def train(number: int = 0, recipe: Recipe = RECIPE, space=SPACE, task=TASK) -> cache.Stored:
        with monkeypatch.context() as patch:
            patch.setattr(torch, "__version__", "0.9")
            return ensure_trained(store, space, arch(number), recipe, task, "cpu")

    return train


def rewrite(stored: cache.Stored, **changes) -> None:
    """Change a record, and its manifest with it."""
    (stored.folder / cache.RECORD).write_text(json.dumps({**stored.record, **changes}))
    mend(stored.folder, cache.RECORD)


def mend(folder: Path, name: str) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))


def events(store: Store) -> list[str]:
    return [str(event["event"]) for event in store.journal()]


def test_all_are_adopted_after_samples_came_out_the_same(store: Store, train_before) -> None:
    before = [train_before(number) for number in range(4)]
    before.append(train_before(0, HALF))
    before.append(train_before(0, DIVERGING))
    assert unreached(store) == (6, 6)
    said: list[str] = []
    done = adopt(store, [easy_task(seed=9), TASK], samples=2, report=said.append)
    assert (done.trained, done.adopted, done.left_out, done.difference) == (2, 6, {}, None)
    assert len(said) == 2 and "of space cell anew" in said[0]
    adopted = [event for event in store.journal() if event["event"] == "adopted"]
    assert {event["from"] for event in adopted} == {stored.key for stored in before}
    assert unreached(store) == (0, 12)
    for number, recipe, old in ((2, RECIPE, before[2]), (0, HALF, before[4]), (0, DIVERGING, before[5])):
        found = ensure_trained(store, SPACE, arch(number), recipe, TASK, "cpu")
        assert events(store)[-1] == "hit" and found.key != old.key and store.intact(found.folder)
        assert found.record == {**old.record, "key": found.record["key"]}
        assert digest(found.record["key"]) == found.key and found.record["key"]["torch"] == torch.__version__
        for file in (cache.WEIGHTS, cache.RESUME):
            if (old.folder / file).exists():
                assert os.path.samefile(found.folder / file, old.folder / file)
    # Nothing is left to adopt, and what was adopted can be adopted again.
    assert adopt(store, [TASK]).adopted == 0


def test_an_entry_keeps_its_dtype(
    store: Store, train_before, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend_processor(monkeypatch, tmp_path, "avx2 avx512f avx512_bf16")
    adoption._processor.cache_clear()
    exact = train_before(0)
    half = train_before(1, RECIPE.model_copy(update={"precision": "bfloat16"}))
    # Since then `auto` has come to mean bfloat16 in this space.
    monkeypatch.setattr(type(SPACE.settings), "dense", True)
    done = adopt(store, [TASK])
    adoption._processor.cache_clear()
    assert (done.trained, done.adopted, done.difference) == (2, 2, None)
    for number, precision, old in ((0, "float32", exact), (1, "auto", half)):
        recipe = RECIPE.model_copy(update={"precision": precision})
        found = ensure_trained(store, SPACE, arch(number), recipe, TASK, "cpu")
        assert events(store)[-1] == "hit" and os.path.samefile(
            found.folder / cache.WEIGHTS, old.folder / cache.WEIGHTS
        )


@pytest.mark.parametrize("samples", [1, 3])
def test_one_difference_and_nothing_is_adopted(
    store: Store, train_before, monkeypatch: pytest.MonkeyPatch, samples: int
) -> None:
    for number in range(3):
        train_before(number)
    real = SGD.step
    monkeypatch.setattr(SGD, "step", lambda self, rate: real(self, rate * (1 + 1e-6)))
    done = adopt(store, [TASK], samples=samples)
    assert done.trained == 1 and done.adopted == 0 and "adopted" not in events(store)
    first = min(path.name for path in store.folders("trained"))
    assert done.difference is not None and f"/{first}: " in done.difference
    monkeypatch.undo()
    weights = store.path("trained", first) / cache.WEIGHTS
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1  # of the last tensor, at the last checkpoint
    weights.write_bytes(content)
    assert adopt(store, [TASK]).left_out == {"damaged": 1}


def test_the_tensor_that_differs_is_named(store: Store, train_before) -> None:
    stored = train_before()
    tensors = load_file(stored.folder / cache.WEIGHTS)
    name = max(name for name in tensors if name.startswith("1/") and tensors[name].is_floating_point())
    tensors[name] = tensors[name] + 0.25
    save_file(tensors, stored.folder / cache.WEIGHTS)
    mend(stored.folder, cache.WEIGHTS)
    assert adopt(store, [TASK]).difference == (
        f"{stored.folder}: checkpoint 1, tensor {name[2:]}: largest absolute difference 0.25"
    )


def test_what_is_left_out(store: Store, train_before) -> None:
    other = train_before(0)
    rewrite(other, processor={**other.record["processor"], "family": "1"})
    rewrite(train_before(1), processor=None)
    train_before(2, task=easy_task(size=16, seed=5))
    unknown = train_before(3)
    rewrite(unknown, space={"name": "nowhere"})
    renamed = train_before(4)
    rewrite(renamed, key={**renamed.record["key"], "space_key": "0" * 16})
    gone = train_before(5)
    (gone.folder / cache.RECORD).write_text("{")
    old = train_before(6)
    rewrite(old, space=None)
    gpu = train_before(7)
    rewrite(gpu, key={**gpu.record["key"], "device": "NVIDIA H100 80GB HBM3"})
    good = train_before(8)
    assert unreached(store) == (9, 9)
    done = adopt(store, [TASK])
    assert done.adopted == done.trained == 1
    expected = {
        "made on another kind of processor": 2 + torch.cuda.is_available(),
        "made on a GPU, and there is none here": int(not torch.cuda.is_available()),
        "of a task that was not given": 1,
        "of a space or a recipe that is unknown today": 1,
        "of a space whose canonical forms or keys have changed": 1,
        "damaged": 1,
        "made by a version that did not note the settings of the space": 1,
    }
    assert done.left_out == {reason: number for reason, number in expected.items() if number}
    assert store.journal()[-1]["from"] == good.key and unreached(store) == (8, 10)
    with pytest.raises(TgsageError, match="at least one entry"):
        adopt(store, [TASK], samples=0)


def test_architectures_of_a_list(store: Store, train_before, tmp_path: Path) -> None:
    (tmp_path / "pool.json").write_text(json.dumps([SPACE.format(arch(0)), SPACE.format(arch(1))]))
    listed = spaces.get("list", file=str(tmp_path / "pool.json"), of=CELL)
    stored = train_before(1, space=listed)
    assert stored.record["space"]["name"] == "cell" and stored.record["key"]["space"] == "list"
    (tmp_path / "pool.json").unlink()
    assert adopt(store, [TASK]).adopted == 1


SCRIPT = """
import sys
from tgsage import spaces, tasks
from tgsage.store import Store
from tgsage.training import ensure_trained
from tgsage.training.settings import Recipe
task = tasks.load("results/run/task/easy.h5")
space = spaces.get({"name": "cell", "blocks": 1, "width": 4, "repeats": 1, "reductions": 1})
arch = next(space.all())
recipe = Recipe(epochs=0.5, batch_size=16, crop_padding=1, recompute_batchnorm=32, checkpoints=[0.0, 1.0])
print(ensure_trained(Store("results/store"), space, arch, recipe, task, "cpu").key)
"""


@pytest.mark.slow
def test_the_command_after_an_edit_of_the_code(tmp_path: Path) -> None:
    package = tmp_path / "src" / "tgsage"
    shutil.copytree(Path(tgsage.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    parts = {
        name: tasks.Part(getattr(TASK, name).images, getattr(TASK, name).labels)
        for name in ("train", "validation", "test")
    }
    path = tmp_path / "results" / "run" / "task" / "easy.h5"
    tasks.save(tasks.Task(name="easy", classes=("a", "b", "c"), simulated=True, **parts), path)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(tmp_path / "src")},
            capture_output=True,
            text=True,
        )

    def edit(file: str, old: str, new: str) -> None:
        text = (package / file).read_text()
        assert old in text
        (package / file).write_text(text.replace(old, new))

    first = run("-c", SCRIPT).stdout
    assert "reached by no key" not in run("-m", "tgsage.cli", "store").stdout
    edit("training/loop.py", "[step] = loss.detach()", "[step] = loss.detach() + 0")
    told = run("-m", "tgsage.cli", "store").stdout
    assert "1 of 1 entries are reached by no key of today's code; `tgsage store adopt` may bring" in told
    done = run("-m", "tgsage.cli", "store", "adopt")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("1 trained anew, all the same; 1 entries adopted\n")
    second = run("-c", SCRIPT).stdout
    assert len(first) == len(second) == 65 and first != second
    journal = Store(tmp_path / "results" / "store").journal()
    assert [event["event"] for event in journal] == ["write", "adopted", "hit"]

    edit("training/sgd.py", "lr=learning_rate,", "lr=learning_rate * 1.001,")
    done = run("-m", "tgsage.cli", "store", "adopt")
    assert done.returncode == 1 and "nothing was adopted" in done.stderr and "Traceback" not in done.stderr
    assert len(Store(tmp_path / "results" / "store").journal()) == 3
