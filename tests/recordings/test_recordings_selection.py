"""What a selection keeps, changes and refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tgsage import recordings
from tgsage.config import load
from tgsage.errors import TgsageError
from tgsage.recordings import Selection


def test_the_default_changes_nothing(small_assembly):
    assembly = small_assembly(bins=3)
    assert recordings.select(assembly, Selection()).identical(assembly)


def test_animals(small_assembly):
    kept = recordings.select(small_assembly(), Selection(animals=["b"]))
    assert set(kept.animal.values) == {"b"}
    assert kept.sizes["neuroid"] == 2


def test_window_keeps_the_bins_inside(small_assembly):
    assembly = small_assembly(bins=5)  # -50 to 200 ms
    kept = recordings.select(assembly, Selection(window_ms=(0, 120)))
    assert list(kept.time_bin_start.values) == [0, 50]
    np.testing.assert_array_equal(kept.values, assembly.values[:, :, 1:3])


@pytest.mark.parametrize("unit", ["counts", "rates"])
def test_baseline_is_each_sites_mean_rate(small_assembly, unit):
    assembly = small_assembly(bins=4)
    # The last bin is twice as long: of counts, twice the baseline belongs to it.
    assembly["time_bin_end"] = ("time_bin", [0, 50, 100, 200])
    assembly.attrs["units"] = unit
    kept = recordings.select(assembly, Selection(window_ms=(50, 200), baseline_ms=(-50, 0)))
    for site in range(assembly.sizes["neuroid"]):
        before = assembly.values[site, :, 0].astype(float).mean()
        expected = assembly.values[site, :, 2:] - before * np.array([1, 2 if unit == "counts" else 1])
        np.testing.assert_allclose(kept.values[site], expected, rtol=1e-5, atol=1e-5)
    assert kept.attrs["units"] == f"{unit}, baseline subtracted"
    assert (kept.values < 0).any()
    recordings.validate(kept)  # negative values are no counts any more
    assert assembly.attrs["units"] == unit


def test_region_map_splits_by_a_column(small_assembly):
    assembly = small_assembly()
    kept = recordings.select(
        assembly,
        Selection(region_map={"IT": {"pIT": "posterior", "aIT": "anterior"}}, region_column="subregion"),
    )
    assert list(kept.region.values) == ["V4", "V4", "posterior", "anterior", "anterior"]
    assert list(assembly.region.values) == ["V4", "V4", "IT", "IT", "IT"]


def test_equal_repeats(small_assembly):
    assembly = small_assembly()
    kept = recordings.select(assembly, Selection(equal_repeats=2, seed=4))
    assert (recordings.repeats(kept) == 2).all()
    pairs = set(zip(kept.stimulus_id.values, kept.repetition.values, strict=True))
    assert len(pairs) == kept.sizes["presentation"] == 24
    everything = list(zip(assembly.stimulus_id.values, assembly.repetition.values, strict=True))
    # Order and values are those of the original.
    where = [
        everything.index(pair) for pair in zip(kept.stimulus_id.values, kept.repetition.values, strict=True)
    ]
    assert where == sorted(where)
    np.testing.assert_array_equal(kept.values, assembly.values[:, where])
    assert kept.identical(recordings.select(assembly, Selection(equal_repeats=2, seed=4)))
    assert not kept.identical(recordings.select(assembly, Selection(equal_repeats=2, seed=5)))


def test_equal_repeats_are_fair_draws_of_whole_presentations(small_assembly):
    """Every presentation of a stimulus is kept as often as any other, for all sites at once."""
    repeats = [2, 3, 5, 8]
    assembly = small_assembly(repeats)
    everything = list(zip(assembly.stimulus_id.values, assembly.repetition.values, strict=True))
    kept = np.zeros(len(everything))
    n_seeds = 300
    for seed in range(n_seeds):
        part = recordings.select(assembly, Selection(equal_repeats=2, seed=seed))
        for pair in zip(part.stimulus_id.values, part.repetition.values, strict=True):
            kept[everything.index(pair)] += 1
    for index, n in enumerate(repeats):
        mine = kept[assembly.stimulus_id.values == f"image_{index:02d}"] / n_seeds
        assert mine.sum() == pytest.approx(2)
        # Four standard errors of a share of 300 draws.
        assert np.abs(mine - 2 / n).max() <= 4 * np.sqrt(2 / n * (1 - 2 / n) / n_seeds)


def test_means_of_equal_repeats_are_those_of_a_slow_loop(small_assembly):
    assembly = small_assembly([3, 4, 9, 5, 3])
    kept = recordings.select(assembly, Selection(equal_repeats=3, seed=1))
    means = recordings.stimulus_means(kept)
    assert (means.n_repeats == 3).all()
    for column, stimulus in enumerate(means.stimulus_id.values):
        total = np.zeros(assembly.sizes["neuroid"])
        for name, repetition in zip(kept.stimulus_id.values, kept.repetition.values, strict=True):
            if name == stimulus:
                same = (assembly.stimulus_id.values == name) & (assembly.repetition.values == repetition)
                total += assembly.values[:, np.flatnonzero(same)[0]]
        np.testing.assert_allclose(means.values[:, column], total / 3, rtol=1e-12)


def test_region_map_of_several_regions_by_a_column_of_numbers(small_assembly):
    """As a slow loop over sites; regions that the map does not name stay; values stay."""
    assembly = small_assembly().assign_coords(
        region=("neuroid", ["V4", "V4", "IT", "IT", "V1"]), array=("neuroid", [1, 2, 1, 2, 2])
    )
    names = {"V4": {"1": "V4 posterior", "2": "V4"}, "IT": {"1": "pIT", "2": "aIT"}}
    kept = recordings.select(assembly, Selection(region_map=names, region_column="array"))
    expected = []
    for region, array in zip(assembly.region.values, assembly.array.values, strict=True):
        expected.append(names[region][str(array)] if region in names else region)
    assert list(kept.region.values) == expected == ["V4 posterior", "V4", "pIT", "aIT", "V1"]
    np.testing.assert_array_equal(kept.values, assembly.values)


def test_the_paper_s_three_regions(small_assembly):
    """The map of config/paper/study4_296_sites.yaml: two of three parts of IT become one region."""
    path = Path(__file__).resolve().parents[2] / "config" / "paper" / "study4_296_sites.yaml"
    selection = load(path).recordings["hvm"].selection
    assembly = small_assembly().assign_coords(subregion=("neuroid", ["V4", "V4", "pIT", "cIT", "aIT"]))
    kept = recordings.select(assembly, selection)
    assert list(kept.region.values) == ["V4", "V4", "pIT", "aIT", "aIT"]


def test_minimal_reliability_drops_noise_and_dead_sites(small_assembly):
    assembly = small_assembly([6] * 12)
    assembly[0] = 0
    assembly[3] = assembly["repetition"] % 2  # differs between repetitions only
    values = recordings.reliability(assembly).values
    assert np.isnan(values[0])
    assert values[3] < 0.5 < np.nanmin(values[[1, 2, 4]])
    kept = recordings.select(assembly, Selection(minimal_reliability=0.5))
    assert list(kept.neuroid_id.values) == ["site_1", "site_2", "site_4"]


def test_drop_constant_sites(small_assembly):
    assembly = small_assembly()
    assembly[2] = 5
    kept = recordings.select(assembly, Selection(drop_constant_sites=True))
    assert "site_2" not in kept.neuroid_id.values
    assert kept.sizes["neuroid"] == 4
    recordings.validate(kept)


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        ({"animals": ["c"]}, r"unknown animal 'c'.*valid: a, b"),
        ({"animals": []}, "names no animal"),
        ({"window_ms": (400, 500)}, "no time bin lies inside .* 5 bins from -50 to 200 ms"),
        ({"window_ms": (100, 50)}, "the start comes first"),
        ({"baseline_ms": (-500, -400)}, "baseline_ms: no time bin"),
        ({"region_map": {"IT": {}}}, "region_column"),
        ({"region_map": {"IT": {}}, "region_column": "subregio"}, "did you mean 'subregion'"),
        ({"region_map": {"PIT": {}}, "region_column": "subregion"}, "valid: IT, V4"),
        ({"region_map": {"IT": {"pIT": "p"}}, "region_column": "subregion"}, "nothing about subregion = aIT"),
        ({"equal_repeats": 3}, r"stimulus image_\d+ has 2 repetitions, fewer than 3"),
        ({"minimal_reliability": 1.0}, "no site reaches 1; the best of 5 has 0"),
    ],
)
def test_what_cannot_be_selected_is_one_line(small_assembly, selection, message):
    with pytest.raises(TgsageError, match=message) as caught:
        recordings.select(small_assembly(bins=5), Selection(**selection))
    assert "\n" not in str(caught.value)


def test_window_without_bins(small_assembly):
    assembly = small_assembly()
    with pytest.raises(TgsageError, match="no time bins"):
        recordings.select(assembly, Selection(window_ms=(50, 150)))
    assembly.attrs["window_ms"] = [50, 150]
    assert recordings.select(assembly, Selection(window_ms=(50, 150))).identical(assembly)
    with pytest.raises(TgsageError, match=r"the one window \[50, 150\] ms"):
        recordings.select(assembly, Selection(window_ms=(70, 170)))
