"""Teachers from recordings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr
from rsatoolbox.data import Dataset
from rsatoolbox.rdm import calc_rdm

import tgsage.teacher as teachers
from tgsage.errors import TgsageError
from tgsage.rdm import category_means, rdm, subset
from tgsage.teacher.kinds.recordings.plugin import RecordedTeacher
from tgsage.teacher.settings import Geometry, Splits


def slow_patterns(assembly: xr.DataArray, region: str, stimulus_id: np.ndarray, zscore: bool) -> np.ndarray:
    """Mean responses site by site and stimulus by stimulus."""
    columns = []
    for site in range(assembly.sizes["neuroid"]):
        if str(assembly["region"].values[site]) != region:
            continue
        means = []
        for stimulus in stimulus_id:
            shown = [p for p, s in enumerate(assembly["stimulus_id"].values) if s == stimulus]
            means.append(sum(float(assembly.values[site, p]) for p in shown) / len(shown))
        column = np.array(means)
        columns.append((column - column.mean()) / column.std() if zscore else column)
    return np.array(columns).T


@pytest.mark.parametrize("zscore", [True, False])
@pytest.mark.parametrize(("metric", "theirs"), [("correlation", "correlation"), ("sqeuclidean", "euclidean")])
def test_rdm_is_that_of_a_slow_loop_and_rsatoolbox(
    make_assembly: Callable, zscore: bool, metric: str, theirs: str
) -> None:
    assembly = make_assembly(repeats=(1, 5))
    teacher = teachers.build(assembly, ["V4", "IT"], metric=metric, zscore=zscore)
    for region in ("V4", "IT"):
        target = teacher[region]
        patterns = slow_patterns(assembly, region, target["stimulus_id"].values, zscore)
        expected = calc_rdm(Dataset(patterns), method=theirs).get_vectors()[0]
        np.testing.assert_allclose(target["rdm"].values, expected, atol=1e-10)


def test_layout(make_assembly: Callable, make_stimuli: Callable) -> None:
    teacher = teachers.build(
        make_assembly(animals=2), {"early": "V4", "late": {"region": "IT", "weight": 2.0}},
        stimuli=make_stimuli(), resolution=12, name="monkey",
    )  # fmt: skip
    assert list(teacher.children) == ["early", "late"]
    assert {key: teacher.attrs[key] for key in ("teacher", "kind", "simulated", "rdm", "metric", "resolution",
    "of")} == {
        "teacher": "monkey", "kind": "recordings", "simulated": 1, "rdm": "image", "metric": "correlation",
        "resolution": 12, "of": "",
    }  # fmt: skip
    for name, region, sites, weight in (("early", "V4", 12, 1.0), ("late", "IT", 15, 2.0)):
        target = teacher[name]
        assert dict(target.sizes) == {"pair": 4950, "stimulus": 100, "part": 2, "y": 12, "x": 12, "rgb": 3}
        assert target["rdm"].dtype == np.float64
        assert target["images"].dtype == np.uint8
        assert list(target["part"].values) == ["reward", "report"]
        wanted = {
            "region": region, "n_sites": sites, "n_repeats": 4.0, "weight": weight, "metric": "correlation",
            "zscore": 1, "visual_degrees": 8.0, "network_degrees": 8.0, "padding": 127, "resample": "area",
            "simulated": 1, "n_animals": 2,
        }  # fmt: skip
        assert {key: target.attrs[key] for key in wanted} == wanted
        assert (target["animals_lower"].values <= target["animals_upper"].values).all()


def test_images_and_categories_follow_the_stimuli(make_assembly: Callable, make_stimuli: Callable) -> None:
    assembly, stimuli = make_assembly(), make_stimuli()
    target = teachers.build(assembly, "V4", stimuli=stimuli)["V4"]
    rows = {name: row for row, name in enumerate(stimuli["stimulus_id"].values)}
    for index, name in enumerate(target["stimulus_id"].values):
        assert (target["images"].values[index] == stimuli["images"].values[rows[name]]).all()
        assert target["category"].values[index] == stimuli["category"].values[rows[name]]


def test_geometry_is_applied(make_assembly: Callable, make_stimuli: Callable) -> None:
    geometry = Geometry(network_degrees=16, padding=3)
    teacher = teachers.build(make_assembly(), "V4", stimuli=make_stimuli(), resolution=16, geometry=geometry)
    images = teacher["V4"]["images"].values
    assert (images[:, :4] == 3).all()
    assert (images[:, 4:12, 4:12] != 3).any()
    assert teacher["V4"].attrs["network_degrees"] == 16


def test_splits_do_not_depend_on_the_region(make_assembly: Callable, make_stimuli: Callable) -> None:
    splits = Splits(choose=0.25, reward=0.5, report=0.25, seed=3)
    teacher = teachers.build(make_assembly(), ["V4", "IT"], stimuli=make_stimuli(), splits=splits)
    assert (teacher["V4"]["split"].values == teacher["IT"]["split"].values).all()
    assert sorted(set(teacher["V4"]["split"].values)) == ["choose", "report", "reward"]
    assert list(teacher["V4"]["part"].values) == ["choose", "reward", "report"]


def test_time_bins_are_averaged(make_assembly: Callable) -> None:
    assembly = make_assembly()
    binned = xr.concat([assembly - 1, assembly + 1], "time_bin").transpose(
        "neuroid", "presentation", "time_bin"
    )
    one, two = (teachers.build(given, "IT")["IT"]["rdm"].values for given in (assembly, binned))
    np.testing.assert_allclose(one, two, atol=1e-12)


def test_several_data_sets_with_different_stimuli(make_assembly: Callable, make_stimuli: Callable) -> None:
    settings = RecordedTeacher(
        kind="recordings",
        targets={
            "V4": {"recordings": "one", "region": "V4"},
            "IT": {"recordings": "two", "region": "IT", "weight": 0.5},
        },
    )
    # The second data set shows 30 of the first one's pictures under other names.
    one, two = make_stimuli(), make_stimuli(120, seed=5, prefix="t")
    position = {name: row for row, name in enumerate(two["stimulus_id"].values)}
    origin = {name: row for row, name in enumerate(one["stimulus_id"].values)}
    images = two["images"].values.copy()
    for index in range(30):
        images[position[f"t{index:03d}"]] = one["images"].values[origin[f"s{index:03d}"]]
    two = two.assign(images=(two["images"].dims, images))
    recordings = {"one": (make_assembly(), one), "two": (make_assembly(120, seed=9, prefix="t"), two)}
    teacher = teachers.make(settings, "both", recordings=recordings)
    assert teacher["V4"].sizes["stimulus"] == 100
    assert teacher["IT"].sizes["stimulus"] == 120
    first = dict(zip(teacher["V4"]["stimulus_id"].values, teacher["V4"]["split"].values, strict=True))
    second = dict(zip(teacher["IT"]["stimulus_id"].values, teacher["IT"]["split"].values, strict=True))
    assert all(first[f"s{index:03d}"] == second[f"t{index:03d}"] for index in range(30))


def test_crossnobis_of_equal_repetitions(make_assembly: Callable) -> None:
    assembly = make_assembly(repeats=4)
    target = teachers.build(assembly, "V4", metric="crossnobis", zscore=False)["V4"]
    sites = np.flatnonzero(assembly["region"].values == "V4")
    blocks = np.stack(
        [
            assembly.values[sites][:, assembly["stimulus_id"].values == name].T
            for name in target["stimulus_id"].values
        ]
    )
    np.testing.assert_allclose(target["rdm"].values, rdm(blocks, "crossnobis"), atol=1e-10)
    assert np.isfinite(target["ceiling_upper"].values).all()


def test_category_form(make_assembly: Callable, make_stimuli: Callable) -> None:
    assembly = make_assembly()
    teacher = teachers.build(assembly, "IT", stimuli=make_stimuli(), rdm="category")
    target = teacher["IT"]
    assert teacher.attrs["rdm"] == "category"
    assert target["category_rdm"].dims == ("part", "category_pair")
    assert target["category_rdm"].shape == (2, 10)
    assert list(target["category_name"].values) == ["boats", "cars", "chairs", "faces", "planes"]
    patterns = slow_patterns(assembly, "IT", target["stimulus_id"].values, True)
    for row, part in enumerate(target["part"].values):
        here = target["split"].values == part
        expected = rdm(category_means(patterns[here], target["category"].values[here]))
        np.testing.assert_allclose(target["category_rdm"].values[row], expected, atol=1e-10)
    # The image RDM stays what it is.
    plain = teachers.build(assembly, "IT", stimuli=make_stimuli())["IT"]["rdm"].values
    assert (target["rdm"].values == plain).all()


def test_averaged_responses_have_no_ceiling(make_assembly: Callable) -> None:
    target = teachers.build(make_assembly(repeats=1), "V4")["V4"]
    assert np.isnan(target["ceiling_lower"].values).all()
    assert np.isnan(target["ceiling_upper"].values).all()
    assert "one response" in target["ceiling_upper"].attrs["reason"]
    assert np.isfinite(target["rdm"].values).all()


def published(n: int = 100, measurements: int = 1) -> xr.Dataset:
    rng = np.random.default_rng(4)
    base = rng.random(n * (n - 1) // 2)
    rdms = base + 0.3 * rng.random((measurements, len(base)))
    return xr.Dataset(
        {"rdm": (("measurement", "pair"), rdms)},
        coords={
            "stimulus_id": ("stimulus", [f"s{index:03d}" for index in range(n)]),
            "animal": ("measurement", [f"subject_{index // 2}" for index in range(measurements)]),
        },
        attrs={"region": "IT", "n_sites": 674, "species": "monkey", "metric": "correlation"},
    )


def of_published(source: xr.Dataset, stimuli: xr.Dataset, **changes: Any) -> xr.DataTree:
    target = {"recordings": "rdms", "region": changes.pop("region", "IT")}
    settings = RecordedTeacher(kind="recordings", targets={"IT": target}, **changes)
    return teachers.make(settings, "published", recordings={"rdms": (source, stimuli)})


def test_a_published_rdm(make_stimuli: Callable) -> None:
    source, stimuli = published(), make_stimuli()
    target = of_published(source, stimuli)["IT"]
    assert (target["rdm"].values == source["rdm"].values[0]).all()
    assert target.attrs["n_sites"] == 674
    assert np.isnan(target["ceiling_upper"].values).all()
    assert "only one RDM" in target["ceiling_upper"].attrs["reason"]
    report = np.flatnonzero(target["split"].values == "report")
    assert len(report) == 30
    first, second = np.triu_indices(100, 1)
    inside = np.isin(first, report) & np.isin(second, report)
    assert (subset(target["rdm"].values, report) == source["rdm"].values[0][inside]).all()


def test_published_rdms_of_several_subjects(make_stimuli: Callable) -> None:
    source = published(measurements=8)
    target = of_published(source, make_stimuli())["IT"]
    assert target.attrs["n_animals"] == 4
    np.testing.assert_allclose(target["rdm"].values, source["rdm"].values.mean(axis=0))
    assert (target["ceiling_lower"].values > 0).all()
    assert (target["ceiling_lower"].values < target["ceiling_upper"].values).all()
    assert (target["animals_lower"].values < target["animals_upper"].values).all()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"region": "TI"}, r"unknown region.*'TI' \(did you mean 'IT'\?\)"),
        ({"metric": "cosine"}, "the published RDM is of metric 'correlation'"),
        ({"rdm": "category"}, "set rdm: image"),
        ({"noise": True}, "publish an RDM only"),
        ({"n_sites": 10}, "publish an RDM only"),
    ],
)
def test_what_a_published_rdm_cannot_do(make_stimuli: Callable, changes: dict, words: str) -> None:
    with pytest.raises(TgsageError, match=words):
        of_published(published(), make_stimuli(), **changes)


def _flat_site(assembly: xr.DataArray) -> xr.DataArray:
    assembly = assembly.copy(deep=True)
    assembly.values[3] = 2.0
    return assembly


def _nan(assembly: xr.DataArray) -> xr.DataArray:
    assembly = assembly.copy(deep=True)
    assembly.values[2, 7] = np.nan
    return assembly


def _dead_stimulus(assembly: xr.DataArray) -> xr.DataArray:
    assembly = assembly.copy(deep=True)
    assembly.values[:, assembly["stimulus_id"].values == "s042"] = 1.0
    return assembly


@pytest.mark.parametrize(
    ("prepare", "arguments", "words"),
    [
        (None, {"targets": "v4"}, r"unknown region of teacher 'recordings', target 'v4'.*did you mean 'V4'"),
        (_flat_site, {}, "site n3 never varies"),
        (_nan, {}, "site n2 has no finite response to stimulus"),
        (_dead_stimulus, {"zscore": False}, "distances of stimulus 's042' are undefined"),
        (lambda a: a.isel(neuroid=[0, 1]), {}, "has 2 sites, and at least 3"),
        (lambda a: a[:, a["stimulus_id"].values < "s060"], {}, "split 'report' has 18 of 60"),
        (lambda a: a.assign_coords(stimulus_id=a["stimulus_id"] + "x"), {}, "was shown and has no image"),
        (
            lambda a: a.isel(presentation=slice(1, None)),
            {"metric": "crossnobis"},
            "set selection.equal_repeats",
        ),
        (None, {"metric": "poisson"}, "set zscore: false"),
        (None, {"metric": "corelation"}, r"teacher recordings: metric: input should be 'correlation'"),
        (None, {"targets": []}, "no targets"),
        (None, {"targets": {"a/b": "V4"}}, "cannot name a target"),
        (None, {"stimuli": None, "rdm": "category"}, "needs the category of every stimulus"),
    ],
)
def test_bad_input_is_one_line(
    make_assembly: Callable, make_stimuli: Callable, prepare: Callable | None, arguments: dict, words: str
) -> None:
    assembly = make_assembly()
    assembly = prepare(assembly) if prepare else assembly
    arguments = {"targets": "V4", "stimuli": make_stimuli(), **arguments}
    with pytest.raises(TgsageError, match=words) as caught:
        teachers.build(assembly, **arguments)
    assert "\n" not in str(caught.value)


def test_a_category_that_a_split_lacks_is_named(make_assembly: Callable, make_stimuli: Callable) -> None:
    stimuli = make_stimuli()
    category = stimuli["category"].values.astype("<U8")
    category[0] = "alone"
    stimuli = stimuli.assign_coords(category=("stimulus", category))
    with pytest.raises(TgsageError, match="has no stimulus of category 'alone'"):
        teachers.build(make_assembly(), "V4", stimuli=stimuli, rdm="category")


@pytest.mark.parametrize("part", ["train", "test"])
@pytest.mark.parametrize("side", [16, 12])
def test_images_shared_with_the_task_are_refused(
    make_assembly: Callable, make_stimuli: Callable, make_task: Callable, part: str, side: int
) -> None:
    task, stimuli = make_task(side=side), make_stimuli()
    # Candidates see the stimulus as geometry shows it: that is what must not be among the task's images.
    seen = teachers.build(make_assembly(), "V4", stimuli=stimuli, task=task)["V4"]
    row = list(seen["stimulus_id"].values).index("s031")
    getattr(task, part).images[3] = seen["images"].values[row]
    with pytest.raises(TgsageError, match=f"stimulus 's031' is among the task's {part} images"):
        teachers.build(make_assembly(), "V4", stimuli=stimuli, task=task)


def test_validation_images_may_be_shared(
    make_assembly: Callable, make_stimuli: Callable, make_task: Callable
) -> None:
    task, stimuli = make_task(), make_stimuli()
    task.validation.images[0] = stimuli["images"].values[0]
    assert teachers.build(make_assembly(), "V4", stimuli=stimuli, task=task).attrs["resolution"] == 16


def test_controls_of_recordings_are_settings(make_assembly: Callable, make_stimuli: Callable) -> None:
    targets = {"V4": {"recordings": "one", "region": "V4"}, "IT": {"recordings": "one", "region": "IT"}}
    given = {"one": (make_assembly().assign_attrs(simulated=0), make_stimuli())}
    few = teachers.make(
        RecordedTeacher(kind="recordings", targets=targets, n_sites=5), "few", recordings=given
    )
    assert [few[region].attrs["n_sites"] for region in few.children] == [5, 5]
    assert few.attrs["control"] == "5 sites"
    assert few.attrs["simulated"] == 0
    noise = teachers.make(
        RecordedTeacher(kind="recordings", targets=targets, noise=True), "noise", recordings=given
    )
    assert noise.attrs["control"] == "noise"
    assert noise.attrs["simulated"] == 1
