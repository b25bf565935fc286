"""Similarity of layers and targets: against a slow loop with scipy, one image and one pair at a time."""

from __future__ import annotations

import errno
import functools
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from scipy import stats
from scoring_fakes import ProbedNet, group, make_teacher, probed_net, stimuli

from tgsage import scoring
from tgsage.errors import TgsageError
from tgsage.rdm import METHODS, RANKED
from tgsage.runs.rsa import SPLITS
from tgsage.scoring import needed_memory, similarity
from tgsage.scoring.memory import HELD
from tgsage.teacher.ranks import with_ranks

MEAN, STD = np.array([0.4, 0.5, 0.6]), np.array([0.2, 0.3, 0.25])


def slow_layers(net: ProbedNet, images: np.ndarray) -> dict[str, np.ndarray]:
    net.eval()
    rows: dict[str, list[np.ndarray]] = {"norm": [], "two": [], "dead": []}
    for image in images:
        pixels = ((image / 255 - MEAN) / STD).transpose(2, 0, 1)[None]
        with torch.no_grad():
            norm = net.norm(net.one(torch.from_numpy(pixels).float()))
            two = net.two(torch.relu(norm))
        rows["norm"].append(norm.numpy().ravel())
        rows["two"].append(two.numpy().ravel())
        rows["dead"].append(np.zeros(two.numel()))
    return {name: np.array(values, dtype=np.float64) for name, values in rows.items()}


def slow_distances(patterns: np.ndarray, metric: str) -> np.ndarray:
    found = []
    for i in range(len(patterns)):
        for j in range(i + 1, len(patterns)):
            if metric == "correlation":
                found.append(1 - stats.pearsonr(patterns[i], patterns[j])[0])
            else:
                found.append(np.mean((patterns[i] - patterns[j]) ** 2))
    return np.array(found)


@pytest.fixture
def teacher() -> xr.DataTree:
    """V4 and IT share their stimuli; DIFFERENT has its own, and another metric."""
    rng = np.random.default_rng(1)
    images, split, category = stimuli(24, 0)
    others, other_split, other_category = stimuli(18, 9)
    return make_teacher(
        {
            "V4": group(images, rng.normal(size=(24, 12)), split, category),
            "IT": group(images, rng.normal(size=(24, 7)), split, category, weight=3.0),
            "DIFFERENT": group(
                others, rng.normal(size=(18, 5)), other_split, other_category, metric="crossnobis"
            ),
        },
        simulated=1,
    )


@pytest.mark.parametrize(
    ("split", "method", "held"),
    [
        (None, "spearman", 1),
        (None, "pearson", HELD),
        ("choose", "spearman", HELD),
        ("reward", "pearson", 1),
        ("report", "spearman", HELD),
    ],
)
def test_score_equals_the_slow_loop(
    teacher: xr.DataTree, split: str | None, method: str, held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited = functools.partial(similarity.similarities, held=held)
    monkeypatch.setattr(similarity, "similarities", limited)
    net = probed_net()
    found = scoring.score(
        net,
        None,
        teacher,
        layers=["two", "norm"],
        method=method,
        split=split,
        mean=MEAN,
        std=STD,
        batch_size=7,
    )
    assert found.dims == ("layer", "target") and found.dtype == np.float64
    assert list(found.target.values) == ["V4", "IT", "DIFFERENT"]
    assert found.attrs == {"method": method, "split": split or "all", "teacher": "monkey", "simulated": 1}
    correlate = {"spearman": stats.spearmanr, "pearson": stats.pearsonr}[method]
    for name, target in teacher.children.items():
        n = target.sizes["stimulus"]
        members = np.arange(n) if split is None else np.flatnonzero(target["split"].values == split)
        square = np.zeros((n, n))
        square[np.triu_indices(n, 1)] = target["rdm"].values
        wanted = (square + square.T)[np.ix_(members, members)][np.triu_indices(len(members), 1)]
        metric = "sqeuclidean" if target.attrs["metric"] == "crossnobis" else "correlation"
        for layer, patterns in slow_layers(net, target["images"].values[members]).items():
            if layer != "dead":
                value = correlate(slow_distances(patterns, metric), wanted)[0]
                assert float(found.sel(layer=layer, target=name)) == pytest.approx(value, abs=2e-4)


OPTIONS: dict[str, Any] = {"method": "spearman", "mean": MEAN, "std": STD, "device": None, "batch_size": 4}
LAYERS = ["norm", "two", "dead"]


@pytest.mark.parametrize("held", [1, HELD])
def test_every_image_passes_once(teacher: xr.DataTree, held: int) -> None:
    shown: list[torch.Tensor] = []
    net = probed_net()
    net.register_forward_pre_hook(lambda _, inputs: shown.append(inputs[0]))
    prepared = similarity.prepare(teacher, None, SPLITS)
    found = similarity.similarities(net, prepared, LAYERS, held=held, **OPTIONS)
    assert set(found) == {(split, name) for split in SPLITS for name in ("V4", "IT", "DIFFERENT")}
    # A single image only tells how many features there are: parts are of 8 and 6 images.
    seen = torch.cat([batch for batch in shown if len(batch) > 1]).numpy()
    images = np.concatenate([teacher[name]["images"].values for name in ("V4", "DIFFERENT")])
    expected = np.sort(((images / 255 - MEAN) / STD).sum((1, 2, 3)))
    assert len(seen) == len(images) and np.diff(expected).min() > 1e-3
    np.testing.assert_allclose(np.sort(seen.sum((1, 2, 3))), expected, atol=5e-4)


def test_activations_in_a_file_are_those_in_memory(teacher: xr.DataTree) -> None:
    prepared = similarity.prepare(teacher, None, SPLITS)
    inside, outside = (
        similarity.similarities(probed_net(), prepared, LAYERS, held=held, **OPTIONS) for held in (HELD, 1)
    )
    for key, values in inside.items():
        np.testing.assert_array_equal(outside[key], values)


def test_a_full_disk_is_told_in_one_line(teacher: xr.DataTree, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    prepared = similarity.prepare(teacher, None, SPLITS)
    with pytest.raises(TgsageError, match="No space left on device; set TMPDIR"):
        similarity.similarities(probed_net(), prepared, LAYERS, held=1, **OPTIONS)


def test_parts_that_overlap_are_compared_as_if_alone(teacher: xr.DataTree) -> None:
    # As with an observed teacher of the same images that splits them otherwise.
    net, prepared = probed_net(), similarity.prepare(teacher, None, [*SPLITS, None])
    together = similarity.similarities(net, prepared, LAYERS, **OPTIONS)
    for split in [*SPLITS, None]:
        alone = similarity.similarities(net, similarity.prepare(teacher, None, [split]), LAYERS, **OPTIONS)
        assert len(alone) == 3
        for key, values in alone.items():
            np.testing.assert_allclose(together[key], values, atol=1e-6)


@pytest.mark.parametrize("form", ["image", "category"])
def test_ranks_of_the_file_are_used(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images, split, category = stimuli(45, 0)
    patterns = np.random.default_rng(3).normal(size=(45, 9))
    target = group(images, patterns, split, category, category_form=form == "category")
    tree = xr.DataTree.from_dict(
        {"/": xr.Dataset(attrs={"rdm": form}), "/IT": with_ranks(target, form == "category")}
    )
    net, plain = probed_net(), make_teacher({"IT": target}, rdm=form)
    made: list[str] = []
    original = similarity.comparable

    def counted(rdms: Any, method: str, **options: Any) -> Any:
        made.append("stored" if options else "ranked")
        return original(rdms, method, **options)

    monkeypatch.setattr(similarity, "comparable", counted)
    for method in METHODS:
        options = OPTIONS | {"method": method}
        expected = similarity.similarities(net, similarity.prepare(plain, None, SPLITS), LAYERS, **options)
        prepared = similarity.prepare(tree, None, SPLITS)
        made.clear()
        for _checkpoint in range(2):
            found = similarity.similarities(net, prepared, LAYERS, **options)
            for key, values in expected.items():
                np.testing.assert_array_equal(found[key], values)
        # The target's three parts once; each of three layers on each part at both checkpoints.
        assert len(made) == 3 + 2 * 3 * 3
        assert made.count("stored") == (3 if method in RANKED else 0)
    tree["IT"]["rdm" if form == "image" else "category_rdm"].values[..., 0] += 1
    with pytest.raises(TgsageError, match="target 'IT': 'ranks' are of another RDM; drop them"):
        similarity.prepare(tree, None, SPLITS)


def test_a_dead_layer_is_nan_and_nothing_else_is(teacher: xr.DataTree) -> None:
    found = scoring.score(probed_net(), None, teacher)
    assert list(found.layer.values) == ["norm", "two", "dead"]
    assert found.sel(layer="dead").isnull().all()
    assert found.sel(layer=["norm", "two"]).notnull().all()


def test_a_layer_dead_for_one_stimulus_is_nan_only_where_that_stimulus_is() -> None:
    images, split, category = stimuli(24, 0)
    rng = np.random.default_rng(1)
    teacher = make_teacher({"V4": group(images, rng.normal(size=(24, 12)), split, category)})
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 1, bias=False), torch.nn.ReLU())
    with torch.no_grad():
        net[0].weight.uniform_(0.1, 1, generator=torch.Generator().manual_seed(0))
    victim = int(np.flatnonzero(split == "choose")[0])
    teacher["V4"]["images"][victim] = 0  # A black image, no bias: a constant pattern.
    assert np.isnan(scoring.score(net, None, teacher, layers=["1"], split="choose")).all()
    assert np.isfinite(scoring.score(net, None, teacher, layers=["1"], split="reward")).all()
    assert np.isnan(scoring.score(net, None, teacher, layers=["1"])).all()


def test_category_form(teacher: xr.DataTree) -> None:
    rng = np.random.default_rng(3)
    images, split, category = stimuli(45, 0)
    tree = make_teacher(
        {"IT": group(images, rng.normal(size=(45, 9)), split, category, category_form=True)}, rdm="category"
    )
    net = probed_net()
    found = scoring.score(net, None, tree, split="reward", mean=MEAN, std=STD, layers=["norm", "two"])
    members = np.flatnonzero(split == "reward")
    row = list(tree["IT"]["part"].values).index("reward")
    for layer, patterns in slow_layers(net, images[members]).items():
        if layer == "dead":
            continue
        means = np.array([patterns[category[members] == name].mean(0) for name in sorted(set(category))])
        value = stats.spearmanr(slow_distances(means, "correlation"), tree["IT"]["category_rdm"].values[row])[
            0
        ]
        assert float(found.sel(layer=layer, target="IT")) == pytest.approx(value, abs=1e-6)
    with pytest.raises(TgsageError, match="name a split"):
        scoring.score(net, None, tree)


def test_stimuli_of_ones_own(teacher: xr.DataTree) -> None:
    net = probed_net()
    del teacher["DIFFERENT"]
    own = teacher["V4"].to_dataset()
    order = np.random.default_rng(0).permutation(24)
    shuffled = xr.Dataset(
        {
            "images": (("stimulus", "y", "x", "rgb"), own["images"].values[order]),
            "stimulus_id": ("stimulus", own["stimulus_id"].values[order]),
        }
    )
    xr.testing.assert_equal(scoring.score(net, shuffled, teacher), scoring.score(net, None, teacher))
    with pytest.raises(
        TgsageError, match=r"target 'V4': stimulus 's\d+' is not among the 20 stimuli given \(4 missing"
    ):
        scoring.score(net, shuffled.isel(stimulus=slice(20)), teacher)
    without = make_teacher({name: teacher[name].to_dataset().drop_vars("images") for name in ("V4", "IT")})
    xr.testing.assert_equal(scoring.score(net, shuffled, without), scoring.score(net, None, teacher))
    with pytest.raises(TgsageError, match="was made without images"):
        scoring.score(net, None, without)


def test_normalisation_left_by_training_is_used(teacher: xr.DataTree) -> None:
    net = probed_net()
    plain = scoring.score(net, None, teacher)
    told = scoring.score(net, None, teacher, mean=MEAN, std=STD)
    net.normalisation = (MEAN, STD)
    assert not plain.equals(told)
    xr.testing.assert_equal(scoring.score(net, None, teacher), told)


def test_any_module_and_what_is_wrong_with_a_call(teacher: xr.DataTree) -> None:
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU())
    net.train()
    assert scoring.score(net, None, teacher, layers=["0"]).shape == (1, 3)
    assert net.training
    with pytest.raises(TgsageError, match=r"Sequential has no probe_names; say layers="):
        scoring.score(net, None, teacher)
    with pytest.raises(TgsageError, match=r"unknown split 'rewards' \(did you mean 'reward'\?\)"):
        scoring.score(net, None, teacher, layers=["0"], split="rewards")
    with pytest.raises(TgsageError, match="spearman"):
        scoring.score(net, None, teacher, layers=["0"], method="spearmen")
    for target in teacher.children.values():
        target["split"][:] = "reward"
    with pytest.raises(TgsageError, match="'V4' has no stimuli in split 'choose'"):
        scoring.score(net, None, teacher, layers=["0"], split="choose")


@pytest.mark.slow
@pytest.mark.parametrize("held", [1 << 20, HELD])
def test_memory_of_many_stimuli_and_features(held: int) -> None:
    # The 600 stimuli of a part x 65,536 features are 157 MB a layer; three of them are held, or none.
    code = f"""
import re, numpy as np, torch, xarray as xr
from tgsage.scoring import similarity
torch.set_num_threads(1)
rng = np.random.default_rng(0)
n = 1200
images = rng.integers(0, 256, (n, 32, 32, 3), dtype=np.uint8)
net = torch.nn.Sequential(*[torch.nn.Conv2d(3 if k == 0 else 64, 64, 1) for k in range(3)])
target = xr.Dataset({{
    "rdm": ("pair", rng.random(n * (n - 1) // 2)),
    "stimulus_id": ("stimulus", [f"s{{k}}" for k in range(n)]),
    "split": ("stimulus", np.array(["reward", "report"])[np.arange(n) % 2]),
    "images": (("stimulus", "y", "x", "rgb"), images)}})
teacher = xr.DataTree.from_dict({{"/": xr.Dataset(attrs={{"rdm": "image"}}), "/IT": target}})
prepared = similarity.prepare(teacher, None, ["reward", "report"])
peak = []
def look(*_):
    peak.append(int(re.search(r"RssAnon:\\s+(\\d+)", open("/proc/self/status").read())[1]))
net[2].register_forward_hook(look)
original = similarity.compare
similarity.compare = lambda *a: (look(), original(*a))[1]
similarity.similarities(net, prepared, ["0", "1", "2"], method="spearman", mean=[0.5] * 3, std=[0.2] * 3,
                        device=None, batch_size=64, held={held})
print(max(peak) * 1024)
"""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    limit = needed_memory([65536] * 3, [600, 600], n_targets=1, resolution=32, batch_size=64, held=held)
    assert limit / 3 < int(answer.stdout) < limit
