"""Similarity of layers and targets: against a slow loop with scipy, one image and one pair at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import xarray as xr
from scipy import stats
from scoring_fakes import ProbedNet, group, make_teacher, probed_net, stimuli

from tgsage import scoring
from tgsage.errors import TgsageError
from tgsage.scoring import similarity

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
    ("split", "method", "memory"),
    [
        (None, "spearman", 1),
        (None, "pearson", 1 << 28),
        ("choose", "spearman", 1 << 28),
        ("reward", "pearson", 1),
        ("report", "spearman", 1 << 28),
    ],
)
def test_score_equals_the_slow_loop(
    teacher: xr.DataTree, split: str | None, method: str, memory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(similarity, "MEMORY", memory)
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


def test_targets_with_the_same_images_share_the_pass(
    teacher: xr.DataTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes = []
    original = similarity.activations

    def counted(module, images, layers, **options):
        passes.append((len(images), tuple(layers)))
        return original(module, images, layers, **options)

    monkeypatch.setattr(similarity, "activations", counted)
    scoring.score(probed_net(), None, teacher)
    assert passes == [(24, ("norm", "two", "dead")), (18, ("norm", "two", "dead"))]
    passes.clear()
    monkeypatch.setattr(similarity, "MEMORY", 1)
    scoring.score(probed_net(), None, teacher)
    assert passes == [(n, (layer,)) for n in (24, 18) for layer in ("norm", "two", "dead")]


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
def test_memory_of_many_stimuli_and_features() -> None:
    # 1,200 stimuli x 65,536 features are 315 MB a layer, and three of them do not fit at a time.
    import subprocess
    import sys

    code = """
import resource, numpy as np, torch, xarray as xr
from tgsage import scoring
torch.set_num_threads(1)
rng = np.random.default_rng(0)
n = 1200
images = rng.integers(0, 256, (n, 32, 32, 3), dtype=np.uint8)
net = torch.nn.Sequential(*[torch.nn.Conv2d(3 if k == 0 else 64, 64, 1) for k in range(3)])
target = xr.Dataset({
    "rdm": ("pair", rng.random(n * (n - 1) // 2)),
    "stimulus_id": ("stimulus", [f"s{k}" for k in range(n)]),
    "split": ("stimulus", np.array(["reward", "report"])[np.arange(n) % 2]),
    "images": (("stimulus", "y", "x", "rgb"), images)})
teacher = xr.DataTree.from_dict({"/": xr.Dataset(attrs={"rdm": "image"}), "/IT": target})
scoring.score(net, None, teacher, layers=["0", "1", "2"], split="reward", batch_size=64)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(answer.stdout) < 1500
