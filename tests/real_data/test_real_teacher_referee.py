"""The real V4 teacher, all of its numbers computed a second time by rsatoolbox and by plain loops.

Session 210325 of Cowley et al. 2023 as a BrainIO package: 50 sites, 640 stimuli, 4,840 presentations. What
the referees read, they read from the published file; of the package under test they take the random halvings
where a number is to be equal and not merely close.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from rsatoolbox.data import Dataset
from rsatoolbox.inference import boot_noise_ceiling
from rsatoolbox.rdm import RDMs, calc_rdm
from rsatoolbox.rdm import compare as their_compare

import tgsage.teacher as teachers
from tgsage import recordings
from tgsage.recordings import split_half
from tgsage.recordings.readers.kriegeskorte2008.plugin import Kriegeskorte2008Recordings
from tgsage.store import seed_from

HALVINGS = 4
"""Of the teacher under test; rsatoolbox takes them all."""
PARTS = ("reward", "report")


@pytest.fixture(scope="module")
def published(data: Path) -> tuple[np.ndarray, np.ndarray]:
    """Counts (4840 presentations, 50 sites) and names of the stimuli, straight from the file."""
    with xr.open_dataset(data / "brainio" / "assy_cowley_V4Objects2023.nc") as file:
        counts = file["data"].values[:, :, 0].T.astype(np.float64)
        return counts, file["stimulus_id"].values.astype(str)


@pytest.fixture(scope="module")
def assembly(data: Path) -> tuple[xr.DataArray, xr.Dataset]:
    source = recordings.card("cowley_v4_objects").source
    assert source.source == "brainio"
    return recordings.make(source, data)


@pytest.fixture(scope="module")
def target(assembly: tuple[xr.DataArray, xr.Dataset]) -> xr.Dataset:
    tree = teachers.build(
        assembly[0], "V4", stimuli=assembly[1], resolution=32, ceiling_splits=HALVINGS, name="monkey"
    )
    return tree["V4"].to_dataset()


def their_rdm(means: np.ndarray) -> RDMs:
    """Sites z-scored over stimuli, then 1 - Pearson's r of every pair of stimuli."""
    means = (means - means.mean(axis=0)) / means.std(axis=0)
    return calc_rdm(
        Dataset(means, obs_descriptors={"stimulus": np.arange(len(means))}), "correlation", "stimulus"
    )


def means_of(counts: np.ndarray, shown: np.ndarray, names: np.ndarray, kept: np.ndarray) -> np.ndarray:
    return np.array([counts[kept & (shown == name)].mean(axis=0) for name in names])


def test_size_of_the_published_data(
    published: tuple[np.ndarray, np.ndarray], assembly: tuple[xr.DataArray, xr.Dataset], target: xr.Dataset
) -> None:
    counts, shown = published
    assert counts.shape == (4840, 50)
    times = np.unique(shown, return_counts=True)[1]
    assert (len(times), times.min(), times.max()) == (640, 6, 10)
    assert assembly[0].sizes["neuroid"] == target.attrs["n_sites"] == 50
    assert target.attrs["n_repeats"] == np.median(times)
    assert [(target["split"].values == part).sum() for part in PARTS] == [448, 192]


def test_rdm_of_every_part_is_rsatoolboxs(
    published: tuple[np.ndarray, np.ndarray], target: xr.Dataset
) -> None:
    counts, shown = published
    names = target["stimulus_id"].values.astype(str)
    theirs = their_rdm(means_of(counts, shown, names, np.ones(len(shown), bool)))
    np.testing.assert_allclose(target["rdm"].values, theirs.get_vectors()[0], atol=1e-6)
    first, second = np.triu_indices(640, 1)
    for part in PARTS:
        inside = target["split"].values == part
        both = inside[first] & inside[second]
        part_of = theirs.subset_pattern("stimulus", np.flatnonzero(inside)).get_vectors()[0]
        np.testing.assert_allclose(target["rdm"].values[both], part_of, atol=1e-6)


def slow_reliability(
    counts: np.ndarray, shown: np.ndarray, halves: list[tuple[list[np.ndarray], list[np.ndarray]]]
) -> np.ndarray:
    """Split-half reliability of each site: a loop over halvings, stimuli and sites."""
    values = []
    for site in range(counts.shape[1]):
        correlations = []
        for first, second in halves:
            one = [np.mean([counts[row, site] for row in rows]) for rows in first]
            two = [np.mean([counts[row, site] for row in rows]) for rows in second]
            correlations.append(np.corrcoef(one, two)[0, 1])
        r = np.mean(correlations)
        values.append(2 * r / (1 + r))
    return np.array(values)


def test_reliability_is_that_of_a_slow_loop(
    published: tuple[np.ndarray, np.ndarray], assembly: tuple[xr.DataArray, xr.Dataset]
) -> None:
    counts, shown = published
    names, codes = np.unique(shown, return_inverse=True)
    labels = split_half.halvings(codes, 2, np.random.default_rng(seed_from("reliability", 0)))
    halves = [
        tuple(
            [np.flatnonzero((codes == stimulus) & (label == half)) for stimulus in range(len(names))]
            for half in (0, 1)
        )
        for label in labels
    ]
    for first, second in halves:  # disjoint and as large as each other
        assert all(len(a) == len(b) >= 3 and not set(a) & set(b) for a, b in zip(first, second, strict=True))
    some = [0, 17, 49]
    ours = recordings.reliability(assembly[0], n_splits=2, seed=0).values[some]
    np.testing.assert_allclose(ours, slow_reliability(counts[:, some], shown, halves), rtol=1e-9)


def test_median_reliability_with_halvings_of_the_referees_own(
    published: tuple[np.ndarray, np.ndarray], assembly: tuple[xr.DataArray, xr.Dataset]
) -> None:
    """100 halvings each, ours of seed 0 and theirs of seed 2024: medians over 50 sites within 0.005."""
    counts, shown = published
    rows = [np.flatnonzero(shown == name) for name in np.unique(shown)]
    rng = np.random.default_rng(2024)
    total = np.zeros(counts.shape[1])
    for _ in range(100):
        one, two = np.empty((640, 50)), np.empty((640, 50))
        for stimulus, own in enumerate(rows):
            order, half = rng.permutation(own), len(own) // 2
            one[stimulus] = counts[order[:half]].mean(axis=0)
            two[stimulus] = counts[order[half : 2 * half]].mean(axis=0)
        total += [np.corrcoef(one[:, site], two[:, site])[0, 1] for site in range(counts.shape[1])]
    theirs = 2 * (total / 100) / (1 + total / 100)
    ours = recordings.reliability(assembly[0], n_splits=100, seed=0).values
    assert np.median(ours) == pytest.approx(np.median(theirs), abs=0.005)
    np.testing.assert_allclose(ours, theirs, atol=0.02)


def their_ceiling(
    pairs: list[tuple[RDMs, RDMs]], inside: np.ndarray, shrinkage: float
) -> tuple[float, float, float]:
    """Split-half agreement by rsatoolbox, then the formulas of the documentation written out."""
    members = np.flatnonzero(inside)
    agreements, left_out = [], []
    for one, two in pairs:
        one, two = (half.subset_pattern("stimulus", members) for half in (one, two))
        agreements.append(their_compare(one, two, "spearman")[0, 0])
        # rsatoolbox's leave-one-out noise ceiling of two RDMs has this correlation as its lower bound.
        stacked = RDMs(np.vstack([one.get_vectors(), two.get_vectors()]))
        assert boot_noise_ceiling(stacked, method="spearman")[0] == pytest.approx(agreements[-1], abs=1e-9)
        squares = [half.get_matrices()[0] for half in (one, two)]
        group = np.arange(len(members)) % 10
        values = []
        for one_group in range(10):
            kept = np.flatnonzero(group != one_group)
            reduced = [RDMs(square[np.ix_(kept, kept)][None]) for square in squares]
            values.append(their_compare(*reduced, "spearman")[0, 0])
        left_out.append(values)
    r = np.mean(agreements)
    estimates = np.mean(left_out, axis=0)
    error = np.sqrt(9 / 10 * np.sum((estimates - estimates.mean()) ** 2))
    lower = r / (r + shrinkage * (1 - r))
    high = min(1.0, r + 1.6448536269514722 * error)
    return r, lower, np.sqrt(high / (high + shrinkage**2 * (1 - high)))


@pytest.mark.slow
def test_ceilings_are_rsatoolboxs_agreement_of_halves_extrapolated(
    published: tuple[np.ndarray, np.ndarray], target: xr.Dataset
) -> None:
    """The same four halvings of the repetitions, everything after them by rsatoolbox: equal to 1e-6."""
    counts, shown = published
    names = target["stimulus_id"].values.astype(str)
    index = np.array([np.flatnonzero(names == name)[0] for name in shown])
    times = np.bincount(index)
    rng = np.random.default_rng(seed_from("noise ceiling", "recordings", "V4", 0))
    pairs, inverse = [], []
    for labels in split_half.halvings(index, HALVINGS, rng, odd="coin"):
        first, second = labels == 0, labels == 1
        pairs.append(tuple(their_rdm(means_of(counts, shown, names, half)) for half in (first, second)))
        inverse += [np.mean(1 / np.bincount(index[half], minlength=640)) for half in (first, second)]
    shrinkage = np.mean(1 / times) / np.mean(inverse)
    assert shrinkage == pytest.approx(0.5, abs=0.02)
    for part in PARTS:
        expected = their_ceiling(pairs, target["split"].values == part, shrinkage)
        own = target.sel(part=part)
        given = [float(own[name]) for name in ("split_half", "ceiling_lower", "ceiling_upper")]
        np.testing.assert_allclose(given, expected, atol=1e-6)


@pytest.mark.slow
def test_ceilings_hardly_depend_on_the_halvings(
    published: tuple[np.ndarray, np.ndarray], target: xr.Dataset
) -> None:
    """Eight halvings of the referee's own (seed 7), agreement by rsatoolbox: within 0.01 of ours."""
    counts, shown = published
    names = target["stimulus_id"].values.astype(str)
    rng = np.random.default_rng(7)
    inside = np.flatnonzero(target["split"].values == "report")
    agreements = []
    for _ in range(8):
        first = np.zeros(len(shown), bool)
        for name in names:
            own = rng.permutation(np.flatnonzero(shown == name))
            first[own[: (len(own) + rng.integers(2)) // 2]] = True
        one, two = (
            their_rdm(means_of(counts, shown, names, half)).subset_pattern("stimulus", inside)
            for half in (first, ~first)
        )
        agreements.append(their_compare(one, two, "spearman")[0, 0])
    r = np.mean(agreements)
    own = target.sel(part="report")
    assert float(own["split_half"]) == pytest.approx(r, abs=0.01)
    assert float(own["ceiling_lower"]) == pytest.approx(2 * r / (1 + r), abs=0.01)


def test_bounds_over_human_subjects_are_rsatoolboxs(data: Path) -> None:
    """Four subjects' IT, mean of two sessions each: the leave-one-subject-out bounds of Nili et al. 2014."""
    source = Kriegeskorte2008Recordings(source="kriegeskorte2008", species="human")
    published, stimuli = recordings.make_published_rdm(source, data)
    from tgsage.teacher.kinds.recordings.plugin import RecordedTeacher

    settings = RecordedTeacher(kind="recordings", targets={"IT": {"recordings": "k", "region": "IT"}})
    target = teachers.make(settings, "human", recordings={"k": (published, stimuli)})["IT"].to_dataset()
    names = published["animal"].values.astype(str)
    subjects = np.array([published["rdm"].values[names == name].mean(axis=0) for name in np.unique(names)])
    assert subjects.shape == (4, 4186)
    np.testing.assert_allclose(target["rdm"].values, subjects.mean(axis=0), atol=1e-12)
    for part in PARTS:
        inside = np.flatnonzero(target["split"].values == part)
        rdms = RDMs(subjects).subset_pattern("index", inside)
        expected = boot_noise_ceiling(rdms, method="spearman", rdm_descriptor="index")
        own = target.sel(part=part)
        given = float(own["animals_lower"]), float(own["animals_upper"])
        np.testing.assert_allclose(given, expected, atol=1e-6)
