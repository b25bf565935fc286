"""A candidate of a real space, trained into a store and scored from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from scoring_fakes import easy_task, group, make_teacher

from tgsage import scoring, spaces
from tgsage.errors import TgsageError
from tgsage.runs import rsa as rsa_file
from tgsage.runs.settings import Scoring
from tgsage.scoring import candidate, needed_memory
from tgsage.scoring.memory import HELD, room_for_activations
from tgsage.store import Store
from tgsage.training import ensure_trained, evaluate
from tgsage.training.settings import Recipe

TASK = easy_task(16)
SPACE = spaces.get("cell", blocks=1, width=4, repeats=1, reductions=1)
ARCH = SPACE.canonical(SPACE.sample(np.random.default_rng(0)))
RECIPE = Recipe(epochs=1, batch_size=16, crop_padding=1, recompute_batchnorm=32, checkpoints=[0.0, 1.0])


def make_images(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    split = np.array(["reward", "report"])[np.arange(n) % 2]
    return rng.integers(0, 256, (n, 16, 16, 3), dtype=np.uint8), split, np.array(["a"] * n)


def make_targets(**options: Any) -> xr.DataTree:
    images, split, category = make_images(24)
    rng = np.random.default_rng(1)
    return make_teacher(
        {
            "V4": group(images, rng.normal(size=(24, 12)), split, category),
            "IT": group(images, rng.normal(size=(24, 12)), split, category, weight=2.0),
        },
        **options,
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, dict[str, Any]]:
    torch.set_num_threads(1)
    store = Store(tmp_path_factory.mktemp("store"))
    stored = ensure_trained(store, SPACE, ARCH, RECIPE, TASK, "cpu")
    record = stored.record
    told = ("status", "reason", "probes", "recipe", "parameters", "examples")
    return store, {
        **{name: record[name] for name in told},
        "candidate": SPACE.key(ARCH),
        "architecture": SPACE.format(ARCH),
        "store_key": stored.key,
    }


def scored(trained: tuple[Store, dict[str, Any]], teacher: xr.DataTree | None, **changes: Any) -> xr.Dataset:
    store, record = trained
    settings = changes.pop("settings", Scoring())
    return scoring.score_candidate({**record, **changes}, TASK, teacher, settings, store, SPACE, "cpu")


def test_every_checkpoint_split_target_and_layer(
    trained: tuple[Store, dict[str, Any]], tmp_path: Path
) -> None:
    store, record = trained
    teacher = make_targets(simulated=1)
    before = torch.get_rng_state()
    found = scored(trained, teacher)
    assert torch.equal(torch.get_rng_state(), before)
    assert dict(found.sizes) == {"checkpoint": 2, "split": 3, "target": 2, "layer": len(record["probes"])}
    assert list(found["layer"].values) == record["probes"]
    assert found["examples"].values.tolist() == [0, 64] and found["share"].values.tolist() == [0, 1]
    assert found["n_stimuli"].sel(target="V4").values.tolist() == [0, 12, 12]
    assert found["weight"].values.tolist() == [1, 2]
    assert np.isnan(found["ceiling_lower"].sel(split="choose")).all()
    assert found["ceiling_upper"].sel(split="report", target="IT") == 0.8
    assert np.isnan(found["rsa"].sel(split="choose")).all()
    assert found.attrs["status"] == "ok" and found.attrs["simulated"] == 1
    assert found.attrs["validation_seen"] == 0 and found.attrs["teacher_digest"] == "abc"
    for checkpoint in (0, 1):
        module = scoring.trained_module(record, TASK, store, SPACE, checkpoint=checkpoint)
        for split in ("reward", "report"):
            direct = scoring.score(module, None, teacher, split=split).transpose("target", "layer")
            np.testing.assert_allclose(
                found["rsa"].isel(checkpoint=checkpoint).sel(split=split), direct, atol=1e-9
            )
        told = evaluate(module, TASK.validation.images, TASK.validation.labels, mean=TASK.mean, std=TASK.std)
        assert float(found["accuracy"][checkpoint]) == told.accuracy
        assert float(found["loss"][checkpoint]) == pytest.approx(told.loss)
    assert not found["rsa"][0].equals(found["rsa"][1])
    rsa_file.save([found], tmp_path / "rsa.nc")
    xr.testing.assert_identical(rsa_file.load(tmp_path / "rsa.nc")[0], found)
    xr.testing.assert_identical(scored(trained, teacher), found)


def test_without_a_teacher_there_is_accuracy(trained: tuple[Store, dict[str, Any]], tmp_path: Path) -> None:
    found = scored(trained, None)
    assert found.sizes["target"] == 0 and found.sizes["checkpoint"] == 2
    assert found.attrs["status"] == "ok" and found.attrs["teacher"] == ""
    assert np.isfinite(found["accuracy"]).all()
    rsa_file.save([found], tmp_path / "rsa.nc")
    xr.testing.assert_identical(rsa_file.load(tmp_path / "rsa.nc")[0], found)


@pytest.mark.parametrize("status", ["failed", "timeout"])
def test_a_candidate_without_weights_has_an_empty_file(
    trained: tuple[Store, dict[str, Any]], status: str, tmp_path: Path
) -> None:
    found = scored(trained, make_targets(), status=status, reason="no luck", store_key=None, probes=[])
    assert found.sizes["checkpoint"] == 0 and found.sizes["target"] == 2
    assert (found.attrs["status"], found.attrs["reason"]) == (status, "no luck")
    rsa_file.save([found], tmp_path / "rsa.nc")
    assert rsa_file.load(tmp_path / "rsa.nc")[0].attrs["status"] == status
    with pytest.raises(TgsageError, match=f"is {status} .no luck. and has no weights"):
        scoring.trained_module({**trained[1], "status": status, "reason": "no luck"}, TASK, trained[0], SPACE)


def test_a_target_without_a_finite_layer_makes_the_candidate_invalid(
    trained: tuple[Store, dict[str, Any]],
) -> None:
    teacher = make_targets()
    teacher["IT"]["rdm"][:] = 1.0  # Without variance, no correlation is defined.
    found = scored(trained, teacher)
    assert found.attrs["status"] == "invalid"
    assert found.attrs["reason"] == "no layer has a finite similarity with target 'IT'"
    assert np.isnan(found["rsa"].sel(target="IT")).all()
    assert np.isfinite(found["rsa"].sel(target="V4", split="reward")).all()


def test_weights_heal_while_scoring(trained: tuple[Store, dict[str, Any]]) -> None:
    store, record = trained
    teacher = make_targets()
    before = scored(trained, teacher)
    (store.path("trained", record["store_key"]) / "weights.safetensors").unlink()
    xr.testing.assert_identical(scored(trained, teacher), before)


def test_other_settings_never_train_again(trained: tuple[Store, dict[str, Any]]) -> None:
    store, _ = trained

    def writes() -> int:
        return sum(event["event"] == "write" for event in store.journal())

    before = writes()
    teacher = make_targets()
    one = scored(trained, teacher)
    other = scored(trained, teacher, settings=Scoring(compare="pearson"))
    scored(trained, None)
    assert writes() == before
    assert not one["rsa"].equals(other["rsa"]) and one["accuracy"].equals(other["accuracy"])


def test_images_of_another_size_are_refused(trained: tuple[Store, dict[str, Any]]) -> None:
    images, split, category = make_images(24)
    teacher = make_teacher(
        {"V4": group(images[:, :8, :8], np.random.default_rng(0).normal(size=(24, 5)), split, category)}
    )
    with pytest.raises(
        TgsageError, match="its images are 8 pixels and the task's 16; make the teacher for this task"
    ):
        scored(trained, teacher)


def test_validation_images_that_were_trained_on_are_told(tmp_path: Path) -> None:
    store = Store(tmp_path)
    recipe = RECIPE.model_copy(update={"images": "train+validation", "checkpoints": [1.0]})
    stored = ensure_trained(store, SPACE, ARCH, recipe, TASK, "cpu")
    record = {
        **{name: stored.record[name] for name in ("status", "reason", "probes", "recipe")},
        "candidate": SPACE.key(ARCH), "architecture": SPACE.format(ARCH), "store_key": stored.key,
    }  # fmt: skip
    found = scoring.score_candidate(record, TASK, None, Scoring(), store, SPACE, "cpu")
    assert found.attrs["validation_seen"] == 1 and found.sizes["checkpoint"] == 1


def test_an_observed_teacher_is_measured_beside_the_first(
    trained: tuple[Store, dict[str, Any]], tmp_path: Path
) -> None:
    store, record = trained
    first = make_targets()
    images, split, category = make_images(24)
    patterns = np.random.default_rng(7).normal(size=(24, 12))
    second = make_teacher({"V4": group(images, patterns, split, category, weight=3.0)}, simulated=1)
    both = scoring.score_candidate(record, TASK, first, Scoring(), store, SPACE, "cpu", observed=second)
    # Sums of a product with more columns may differ in the last digit.
    np.testing.assert_allclose(both["rsa"], scored(trained, first)["rsa"], rtol=0, atol=1e-12)
    rsa_file.save([both], tmp_path / "rsa.nc")
    seen = rsa_file.observed_part(rsa_file.load(tmp_path / "rsa.nc")[0])
    alone = scored(trained, second)
    for name in ("rsa", "n_stimuli", "ceiling_lower", "weight"):
        np.testing.assert_allclose(seen[name].values, alone[name].values, rtol=0, atol=1e-12)
    ours, theirs = rsa_file.target_scores(seen, Scoring()), rsa_file.target_scores(alone, Scoring())
    assert ours.tg == pytest.approx(theirs.tg) and ours.targets["V4"].layer == theirs.targets["V4"].layer
    assert both.attrs["simulated"] == 1 and both.attrs["observed_teacher"] == "monkey"
    assert rsa_file.observed_part(scored(trained, first)) is None


def test_a_failed_candidate_has_no_observed_similarity_either(trained: tuple[Store, dict[str, Any]]) -> None:
    store, record = trained
    failed = {**record, "status": "failed", "reason": "diverged", "store_key": None}
    found = scoring.score_candidate(
        failed, TASK, make_targets(), Scoring(), store, SPACE, "cpu", observed=make_targets()
    )
    seen = rsa_file.observed_part(found)
    assert seen.sizes["checkpoint"] == 0 and np.isnan(rsa_file.target_scores(seen, Scoring()).tg)


def test_activations_are_held_where_the_job_has_memory_for_them(
    trained: tuple[Store, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher = make_targets()
    features, shape = [10_000, 500], {"resolution": 16, "batch_size": 256}
    least = needed_memory(features, [12, 12], n_targets=2, held=0, **shape)
    assert room_for_activations([teacher], features, **shape) == HELD
    assert room_for_activations([], features, memory=1, **shape) == HELD
    assert room_for_activations([teacher], features, memory=least + 1000, **shape) == 1000
    with pytest.raises(TgsageError, match=rf"needs {least / 1e6:,.0f} MB, .* has 100: run with --set-resour"):
        room_for_activations([teacher], features, memory=10**8, **shape)
    store, record = trained
    seen: list[int] = []
    original = candidate.similarities
    monkeypatch.setattr(
        candidate, "similarities", lambda *a, **k: seen.append(k["held"]) or original(*a, **k)
    )
    free = scoring.score_candidate(record, TASK, teacher, Scoring(), store, SPACE, "cpu")
    bound = scoring.score_candidate(record, TASK, teacher, Scoring(), store, SPACE, "cpu", memory=10**9)
    xr.testing.assert_identical(free, bound)
    assert seen[0] == HELD and 0 < seen[-1] < 10**9
