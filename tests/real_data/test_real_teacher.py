"""Teachers of real recordings, a real published RDM, and the real ResNet-56."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch
import xarray as xr
from rsatoolbox.data import Dataset
from rsatoolbox.rdm import calc_rdm

import tgsage.teacher as teachers
from tgsage import recordings, tasks
from tgsage.errors import TgsageError
from tgsage.rdm import compare
from tgsage.recordings.readers.brainio.plugin import BrainIORecordings
from tgsage.recordings.readers.cowley2023.plugin import Cowley2023Recordings
from tgsage.recordings.readers.kriegeskorte2008.plugin import Kriegeskorte2008Recordings
from tgsage.tasks.readers.cifar.plugin import Cifar10
from tgsage.teacher.kinds.network.plugin import NetworkTeacher
from tgsage.teacher.kinds.recordings.plugin import RecordedTeacher
from tgsage.teacher.learned_resnet import load_weights
from tgsage.teacher.resnet import IMAGENET_MEAN, IMAGENET_STD

V4 = BrainIORecordings(
    source="brainio",
    assembly="brainio/assy_cowley_V4Objects2023.nc",
    stimuli_csv="brainio/stimulus_cowley_V4Objects2023.csv",
    stimuli_zip="brainio/stimulus_cowley_V4Objects2023.zip",
)


@pytest.fixture(scope="module")
def monkey(data: Path) -> xr.DataTree:
    assembly, stimuli = recordings.make(V4, data)
    return teachers.build(assembly, "V4", stimuli=stimuli, resolution=32, ceiling_splits=10, name="monkey")


def test_v4_rdm_is_that_of_rsatoolbox(data: Path, monkey: xr.DataTree) -> None:
    # Read by hand: nothing of ours lies between the file and rsatoolbox.
    with xr.open_dataset(data / "brainio" / "assy_cowley_V4Objects2023.nc") as file:
        responses = file["data"].values[:, :, 0].T.astype(np.float64)
        shown = file["stimulus_id"].values.astype(str)
    names = monkey["V4"]["stimulus_id"].values
    means = np.array([responses[shown == name].mean(axis=0) for name in names])
    means = (means - means.mean(axis=0)) / means.std(axis=0)
    expected = calc_rdm(Dataset(means), method="correlation").get_vectors()[0]
    np.testing.assert_allclose(monkey["V4"]["rdm"].values, expected, atol=1e-6)


def test_v4_teacher(monkey: xr.DataTree) -> None:
    target = monkey["V4"]
    assert monkey.attrs["simulated"] == target.attrs["simulated"] == 0
    assert target.attrs["n_sites"] == 50
    assert target.sizes["stimulus"] == 640
    categories, splits = target["category"].values, target["split"].values
    for category in np.unique(categories):
        assert (splits[categories == category] == "report").sum() == 24
    lower, upper = teachers.ceiling(target, "report")
    assert 0.6 < lower < upper < 0.97


def test_v4_knows_categories_and_shuffled_v4_does_not(monkey: xr.DataTree) -> None:
    labels = teachers.image_teacher(monkey, "labels")["V4"]["rdm"].values
    real = compare(monkey["V4"]["rdm"].values, labels, "spearman")[0, 0]
    shuffled = compare(teachers.shuffled(monkey)["V4"]["rdm"].values, labels, "spearman")[0, 0]
    assert real > 0.05
    assert abs(shuffled) < 0.02


@pytest.mark.parametrize("species", ["monkey", "human"])
def test_published_rdm(data: Path, species: str, tmp_path: Path) -> None:
    source = Kriegeskorte2008Recordings(source="kriegeskorte2008", species=species)
    published, stimuli = recordings.make_published_rdm(source, data)
    region = published.attrs["region"]
    settings = RecordedTeacher(kind="recordings", targets={"IT": {"recordings": "k", "region": region}})
    folder = tmp_path / "k"
    recordings.save_published_rdm(published, folder / "published_rdm.nc")
    recordings.save_stimuli(stimuli, folder / "stimuli.h5")
    teacher = teachers.make(settings, species, recordings={"k": folder})
    target = teacher["IT"]
    assert target.sizes["stimulus"] == 92
    assert (target["split"].values == "report").sum() == 28
    assert target.attrs["published_rdm"] == 1
    if species == "monkey":
        assert target.attrs["n_sites"] == 674
        assert np.isnan(target["ceiling_lower"].values).all()
        raw = scipy.io.loadmat(data / "kriegeskorte2008" / "Kriegeskorte_Neuron2008_supplementalData.mat")
        entry = raw["RDMs_mIT_hIT_fig1"].ravel()[0]
        assert entry["name"][0] == "mIT_674neurons"
        assert np.array_equal(target["rdm"].values, entry["RDM"].ravel().astype(np.float64))
    else:
        assert target.attrs["n_animals"] == 4
        assert (target["ceiling_lower"].values < target["ceiling_upper"].values).all()
        monkeys, _ = recordings.make_published_rdm(
            Kriegeskorte2008Recordings(source="kriegeskorte2008"), data
        )
        # Kriegeskorte et al. 2008 report r = 0.49 for man and monkey.
        assert 0.3 < compare(target["rdm"].values, monkeys["rdm"].values[0], "pearson")[0, 0] < 0.6


def test_averaged_natural_images_have_no_ceiling(data: Path) -> None:
    assembly, stimuli = recordings.make(Cowley2023Recordings(source="cowley2023"), data)
    target = teachers.build(assembly, "V4", stimuli=stimuli, resolution=16)["V4"]
    assert target.attrs["n_sites"] == 89
    assert target.sizes["stimulus"] == 1200
    assert np.isnan(target["ceiling_upper"].values).all()
    with pytest.raises(TgsageError, match="rdm 'category' needs the category"):
        teachers.build(assembly, "V4", stimuli=stimuli, resolution=16, rdm="category")


def test_the_pages_tables_are_what_the_script_prints(data: Path, tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    spec = importlib.util.spec_from_file_location("real_teachers", root / "benchmarks" / "real_teachers.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    made, assemblies = script.build(data)
    page = (root / "docs" / "teachers.md").read_text()
    assert script.recordings_table(made, assemblies) in page
    assert script.ceilings_table(made) in page
    for path in script.draw(made, assemblies, tmp_path):
        assert f"figures/teachers/{path.name}" in page
        committed = root / "docs" / "figures" / "teachers" / path.name
        assert max(path.stat().st_size, committed.stat().st_size) < 300_000


@pytest.fixture(scope="module")
def cifar(data: Path) -> tasks.Task:
    return tasks.make(Cifar10(source="cifar10", n_train=500, n_validation=800, n_test=1000), data)


@pytest.mark.slow
def test_resnet56_reaches_its_accuracy(data: Path, cifar: tasks.Task) -> None:
    module = load_weights(data / "resnet_cifar10" / "resnet56-4bfd9763.th", 9, 16)
    scaled = (cifar.test.images.astype(np.float32) / 255 - IMAGENET_MEAN) / IMAGENET_STD
    batches = torch.from_numpy(scaled.transpose(0, 3, 1, 2).copy()).split(250)
    with torch.no_grad():
        named = torch.cat([module(batch).argmax(1) for batch in batches]).numpy()
    accuracy = (named == cifar.test.labels).mean()
    # 83.2 % on all 5,000 of these JPEG-compressed images; 3 standard errors of 1,000.
    assert abs(accuracy - 0.832) < 0.036


@pytest.mark.slow
def test_resnet56_as_teacher(data: Path, cifar: tasks.Task) -> None:
    settings = NetworkTeacher(
        kind="network",
        weights="resnet_cifar10/resnet56-4bfd9763.th",
        normalisation="imagenet",
        blocks_per_stack=9,
        n_stimuli=200,
    )
    teacher = teachers.make(settings, "resnet", task=cifar, data_root=data)
    # Validation images are split off the training images, which this network has learned.
    assert teacher.attrs["validation_accuracy"] > 0.85
    assert teacher.attrs["simulated"] == 0
    assert teacher["stack_1"].attrs["n_sites"] == 16 * 32 * 32
    assert teacher["stack_1"].attrs["subsamples"] == 10
    labels = teachers.image_teacher(teacher, "labels")["stack_1"]["rdm"].values
    similarity = [compare(target["rdm"].values, labels)[0, 0] for target in teacher.children.values()]
    print(
        "\nsimilarity with the classes, by stack:",
        np.round(similarity, 3),
        teacher.attrs["validation_accuracy"],
    )
    # Classes come apart in the last stack only.
    assert max(similarity[:2]) < 0.2 < similarity[2]
