"""Control teachers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr
from scipy.spatial.distance import squareform

import tgsage.teacher as teachers
from tgsage.errors import TgsageError
from tgsage.rdm import compare, rdm, subset
from tgsage.recordings import stimulus_means
from tgsage.teacher.kinds.images.features import gabor_energy
from tgsage.teacher.settings import Splits


@pytest.fixture
def teacher(make_assembly: Callable, make_stimuli: Callable) -> xr.DataTree:
    splits = Splits(choose=0.2, reward=0.5, report=0.3)
    return teachers.build(make_assembly(), ["V4", "IT"], stimuli=make_stimuli(), splits=splits, name="monkey")


def rdm_of(target: xr.DataTree, part: str) -> np.ndarray:
    return subset(target["rdm"].values, np.flatnonzero(target["split"].values == part))


@pytest.mark.parametrize("within", ["all", "category"])
def test_shuffling_keeps_the_distances_of_every_part(teacher: xr.DataTree, within: str) -> None:
    other = teachers.shuffled(teacher, within=within, seed=3)
    for region in ("V4", "IT"):
        for name in ("stimulus_id", "split", "category", "images", "ceiling_lower", "ceiling_upper"):
            assert (other[region][name].values == teacher[region][name].values).all()
        for part in ("choose", "reward", "report"):
            before, after = rdm_of(teacher[region], part), rdm_of(other[region], part)
            assert (np.sort(before) == np.sort(after)).all()
            assert (before != after).mean() > 0.5
            if within == "all":
                assert abs(compare(before, after, "spearman")[0, 0]) < 0.35
    assert other.attrs["kind"] == "shuffled"
    assert other.attrs["of"] == "monkey"
    assert other.attrs["of_digest"] == teacher.attrs["digest"]
    assert other.attrs["digest"] != teacher.attrs["digest"]


def _labels(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Which stimulus's row each row of the shuffled RDM is: rows have the same values in another order."""
    one, two = np.sort(squareform(before), axis=1), np.sort(squareform(after), axis=1)
    return np.array([int(np.abs(one - row).max(axis=1).argmin()) for row in two])


def test_it_is_one_permutation_of_stimuli_for_all_regions(teacher: xr.DataTree) -> None:
    other = teachers.shuffled(teacher)
    orders = [_labels(teacher[region]["rdm"].values, other[region]["rdm"].values) for region in ("V4", "IT")]
    assert (orders[0] == orders[1]).all()
    assert sorted(orders[0]) == list(range(100))
    split = teacher["V4"]["split"].values
    assert (split[orders[0]] == split).all()
    for region in ("V4", "IT"):
        assert (subset(teacher[region]["rdm"].values, orders[0]) == other[region]["rdm"].values).all()


def test_within_categories_the_category_stays(teacher: xr.DataTree) -> None:
    other = teachers.shuffled(teacher, within="category")
    order = _labels(teacher["IT"]["rdm"].values, other["IT"]["rdm"].values)
    category = teacher["IT"]["category"].values
    assert (category[order] == category).all()
    assert (order != np.arange(100)).mean() > 0.5


def test_the_seed_decides(teacher: xr.DataTree) -> None:
    one, same, two = (teachers.shuffled(teacher, seed=seed) for seed in (1, 1, 2))
    assert one.attrs["digest"] == same.attrs["digest"] != two.attrs["digest"]


def test_shuffled_category_rdm(make_assembly: Callable, make_stimuli: Callable) -> None:
    teacher = teachers.build(make_assembly(), "IT", stimuli=make_stimuli(), rdm="category")
    other = teachers.shuffled(teacher)
    before, after = teacher["IT"]["category_rdm"].values, other["IT"]["category_rdm"].values
    orders = [_labels(one, two) for one, two in zip(before, after, strict=True)]
    assert (orders[0] == orders[1]).all()
    assert (orders[0] != np.arange(5)).any()
    with pytest.raises(TgsageError, match="scored by category RDMs"):
        teachers.shuffled(teacher, within="category")


def test_what_cannot_be_shuffled(
    teacher: xr.DataTree, make_assembly: Callable, make_stimuli: Callable
) -> None:
    with pytest.raises(TgsageError, match="is itself shuffled"):
        teachers.shuffled(teachers.shuffled(teacher))
    with pytest.raises(TgsageError, match="did you mean 'category'"):
        teachers.shuffled(teacher, within="categories")
    with pytest.raises(TgsageError, match="have no categories"):
        teachers.shuffled(teachers.build(make_assembly(), "V4"), within="category")
    stimuli = make_stimuli()
    alone = stimuli.assign_coords(category=("stimulus", [f"c{row}" for row in range(100)]))
    with pytest.raises(TgsageError, match="no two stimuli"):
        teachers.shuffled(teachers.build(make_assembly(), "V4", stimuli=alone), within="category")


def test_pixels_and_labels(teacher: xr.DataTree) -> None:
    pixels = teachers.image_teacher(teacher, "pixels")
    flat = teacher["V4"]["images"].values.reshape(100, -1).astype(float)
    np.testing.assert_allclose(squareform(pixels["V4"]["rdm"].values), 1 - np.corrcoef(flat), atol=1e-10)
    labels = teachers.image_teacher(teacher, "labels")
    category = teacher["IT"]["category"].values
    assert (squareform(labels["IT"]["rdm"].values) == (category[:, None] != category)).all()
    for control in (pixels, labels):
        assert list(control.children) == ["V4", "IT"]
        assert (control["V4"]["split"].values == teacher["V4"]["split"].values).all()
        assert np.isnan(control["V4"]["ceiling_upper"].values).all()
        assert "no measurement noise" in control["V4"]["ceiling_upper"].attrs["reason"]
        assert control.attrs["of"] == "monkey"


def test_untrained_network_is_fixed_by_its_seed(teacher: xr.DataTree) -> None:
    one, same, two = (teachers.image_teacher(teacher, "untrained", seed=seed) for seed in (1, 1, 2))
    assert (one["V4"]["rdm"].values == same["V4"]["rdm"].values).all()
    assert (one["V4"]["rdm"].values != two["V4"]["rdm"].values).any()
    assert np.isfinite(one["V4"]["rdm"].values).all()


def test_gabor_energy_is_blind_to_phase_and_not_to_orientation() -> None:
    y, x = np.mgrid[0:32, 0:32]

    def grating(angle: float, phase: float) -> np.ndarray:
        wave = np.cos(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / 5 + phase)
        return np.repeat((127 + 100 * wave)[..., None], 3, axis=-1).astype(np.uint8)

    images = np.stack([grating(0, 0), grating(0, np.pi / 2), grating(np.pi / 2, 0), grating(np.pi / 8, 0)])
    features = gabor_energy(images)
    assert features.shape == (4, 3 * 8 * 64)
    same, across, near = rdm(features)[:3]
    assert same < 0.02
    assert across > 0.5
    assert same < near < across
    # The filter that answers most has the grating's wavelength (second of three) and orientation (first of
    # eight).
    assert features[0].reshape(3, 8, 64).mean(axis=2).argmax() == 8


def test_gabor_energy_against_a_slow_loop() -> None:
    from tgsage.teacher.kinds.images.features import _gabor

    images = np.random.default_rng(0).integers(0, 256, (1, 16, 16, 3), dtype=np.uint8)
    grey = images[0].astype(float) @ [0.299, 0.587, 0.114] / 255
    grey -= grey.mean()
    even, odd = _gabor(3.0, np.pi / 8)
    radius = len(even) // 2
    energy = np.zeros((16, 16))
    for row in range(16):
        for column in range(16):
            sums = [0.0, 0.0]
            for dy in range(-radius, radius + 1):
                for dx in range(-radius, radius + 1):
                    if 0 <= row - dy < 16 and 0 <= column - dx < 16:
                        for index, kernel in enumerate((even, odd)):
                            sums[index] += kernel[dy + radius, dx + radius] * grey[row - dy, column - dx]
            energy[row, column] = np.hypot(*sums)
    expected = energy.reshape(8, 2, 8, 2).mean(axis=(1, 3)).ravel()
    np.testing.assert_allclose(gabor_energy(images)[0, 64:128], expected, atol=1e-9)


@pytest.mark.parametrize(
    ("features", "words"),
    [("pixel", "did you mean 'pixels'"), ("pixels", "has no images"), ("labels", "category")],
)
def test_what_image_teachers_need(make_assembly: Callable, features: str, words: str) -> None:
    with pytest.raises(TgsageError, match=words):
        teachers.image_teacher(teachers.build(make_assembly(), "V4"), features)


def test_image_teacher_of_category_rdms(make_assembly: Callable, make_stimuli: Callable) -> None:
    teacher = teachers.build(make_assembly(), "IT", stimuli=make_stimuli(), rdm="category")
    pixels = teachers.image_teacher(teacher, "pixels")
    report = teacher["IT"]["split"].values == "report"
    flat = teacher["IT"]["images"].values.reshape(100, -1).astype(float)[report]
    names = teacher["IT"]["category"].values[report]
    means = np.array([flat[names == name].mean(axis=0) for name in np.unique(names)])
    np.testing.assert_allclose(
        squareform(pixels["IT"]["category_rdm"].values[1]), 1 - np.corrcoef(means), atol=1e-10
    )
    with pytest.raises(TgsageError, match="all equally far apart"):
        teachers.image_teacher(teacher, "labels")


def test_subsampled_sites(make_assembly: Callable) -> None:
    assembly = make_assembly()
    few = teachers.subsample_sites(assembly, 5, seed=1)
    assert list(np.unique(few["region"].values, return_counts=True)[1]) == [5, 5]
    names = list(assembly["neuroid_id"].values)
    assert [names.index(name) for name in few["neuroid_id"].values] == sorted(
        names.index(name) for name in few["neuroid_id"].values
    )
    assert set(few["neuroid_id"].values) != set(
        teachers.subsample_sites(assembly, 5, seed=2)["neuroid_id"].values
    )
    with pytest.raises(TgsageError, match="region 'V4' has 12 sites, of which 13"):
        teachers.subsample_sites(assembly, 13, regions=["V4"])
    with pytest.raises(TgsageError, match="unknown region 'V1'"):
        teachers.subsample_sites(assembly, 3, regions=["V1"])


def test_noise_has_the_mean_covariance_and_reliability_of_the_recordings(make_assembly: Callable) -> None:
    # Many stimuli, so that sampling error is small; few dimensions, so that a wrong spectrum shows.
    assembly = make_assembly(320, {"IT": 16}, repeats=(3, 5), snr=0.7)
    noise = teachers.noise_recordings(assembly, seed=5)
    assert noise.attrs["simulated"] == 1
    assert (noise["stimulus_id"].values == assembly["stimulus_id"].values).all()
    means = [stimulus_means(given).values for given in (assembly, noise)]
    scale = means[0].std(axis=1)
    assert np.abs((means[0].mean(axis=1) - means[1].mean(axis=1)) / scale).max() < 0.1
    spectra = [np.linalg.eigvalsh(np.corrcoef(one))[::-1] for one in means]
    np.testing.assert_allclose(spectra[0], spectra[1], atol=0.3)
    first, second = (teachers.build(given, "IT", ceiling_splits=4)["IT"] for given in (assembly, noise))
    np.testing.assert_allclose(first["split_half"].values, second["split_half"].values, atol=0.06)
    assert abs(compare(first["rdm"].values, second["rdm"].values, "spearman")[0, 0]) < 0.05


def test_noise_for_averaged_responses_has_their_covariance_exactly(make_assembly: Callable) -> None:
    assembly = make_assembly(repeats=1)
    noise = teachers.noise_recordings(assembly)
    for region in ("V4", "IT"):
        sites = assembly["region"].values == region
        one, two = assembly.values[sites], noise.values[sites]
        np.testing.assert_allclose(one.mean(axis=1), two.mean(axis=1), atol=1e-9)
        np.testing.assert_allclose(np.cov(one), np.cov(two), atol=1e-8 * np.cov(one).max())
