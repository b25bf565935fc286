"""The plain HDF5 layout: files as docs/recordings/hdf5.md describes them, whole and spoilt."""

from __future__ import annotations

import warnings
from pathlib import Path

import h5py
import numpy as np
import pytest

from tgsage import plugins, recordings
from tgsage.errors import TgsageError
from tgsage.recordings.readers.hdf5 import reader
from tgsage.recordings.readers.hdf5.plugin import Hdf5Recordings

N_STIMULI, N_SITES = 9, 4


class Recorded:
    """A simulated file, which a test may spoil before ``write``; responses are Poisson counts."""

    def __init__(self, folder: Path, bins: int = 0):
        self.folder = folder
        generator = np.random.default_rng(17)
        shown = generator.permutation(np.repeat(np.arange(N_STIMULI), np.arange(N_STIMULI) % 3 + 1))
        names = np.array([f"image_{index}" for index in range(N_STIMULI)])
        shape = (N_SITES, len(shown), *([bins] if bins else []))
        self.attrs = {"units": "counts", "visual_degrees": 8.0, "identifier": "lab.Mine", "note": "simulated"}
        self.content: dict[str, object] = {
            "responses": generator.poisson(6.0, shape).astype(np.float32),
            "neuroid/neuroid_id": [f"site_{index}" for index in range(N_SITES)],
            "neuroid/region": ["V4", "V4", "IT", "IT"],
            "neuroid/animal": ["a", "b", "a", "b"],
            "neuroid/depth": np.linspace(0, 1, N_SITES),
            "presentation/stimulus_id": names[shown].tolist(),
            "presentation/session": np.arange(len(shown)) // 5,
            "stimuli/stimulus_id": names.tolist(),
            "stimuli/images": generator.integers(0, 256, (N_STIMULI, 8, 10, 3), dtype=np.uint8),
            "stimuli/category": ["cat", "dog", "cup"] * 3,
            "stimuli/x": np.arange(N_STIMULI) / 2,
        }
        if bins:
            self.content["time_bin/start"] = np.arange(bins) * 20
            self.content["time_bin/end"] = np.arange(bins) * 20 + 20

    def change(self, name: str, index, value) -> None:
        values = np.array(self.content[name])
        values[index] = value
        self.content[name] = values.tolist() if values.dtype.kind == "U" else values

    def write(self) -> dict[str, str]:
        self.folder.mkdir(exist_ok=True)
        with h5py.File(self.folder / "mine.h5", "w") as file:
            file.attrs.update(self.attrs)
            for name, values in self.content.items():
                file[name] = values
        return {"source": "hdf5", "file": "mine.h5"}


@pytest.fixture
def recorded(tmp_path):
    return Recorded(tmp_path / "data")


def make(recorded, **changes):
    settings = plugins.settings("recordings", recorded.write() | changes)
    return recordings.make(settings, recorded.folder)


@pytest.mark.parametrize("bins", [0, 3])
def test_what_is_in_the_file_is_in_the_assembly(tmp_path, bins):
    recorded = Recorded(tmp_path / "data", bins)
    assembly, stimuli = make(recorded)
    content = recorded.content
    assert assembly.dims == ("neuroid", "presentation", "time_bin")[: 3 if bins else 2]
    assert assembly.dtype == np.float32
    np.testing.assert_array_equal(assembly.values, content["responses"])
    for name in ("neuroid_id", "region", "animal", "depth"):
        np.testing.assert_array_equal(assembly[name].values, content[f"neuroid/{name}"])
    for name in ("stimulus_id", "session"):
        np.testing.assert_array_equal(assembly[name].values, content[f"presentation/{name}"])
    if bins:
        assert list(assembly.time_bin_start.values) == [0, 20, 40]
        assert list(assembly.time_bin_end.values) == [20, 40, 60]
    assert assembly.attrs["units"] == "counts"
    assert assembly.attrs["stimulus_set_identifier"] == "lab.Mine"
    assert assembly.attrs["note"] == "simulated"
    assert assembly.attrs["simulated"] == 0  # of our own simulated macaque; what is in this file is not known
    np.testing.assert_array_equal(stimuli.images.values, content["stimuli/images"])
    assert list(stimuli.category.values) == content["stimuli/category"]
    np.testing.assert_array_equal(stimuli.x_column.values, content["stimuli/x"])
    assert stimuli.attrs["visual_degrees"] == 8.0


def test_repetitions_are_counted_in_the_order_of_the_file(recorded):
    assembly, _ = make(recorded)
    seen: dict[str, int] = {}
    for stimulus, repetition in zip(assembly.stimulus_id.values, assembly.repetition.values, strict=True):
        assert repetition == seen.get(stimulus, 0)
        seen[stimulus] = repetition + 1
    recorded.content["presentation/repetition"] = np.arange(assembly.sizes["presentation"]) + 7
    numbered, _ = make(recorded)
    np.testing.assert_array_equal(numbered.repetition.values, recorded.content["presentation/repetition"])


def test_what_may_be_left_out(recorded):
    for name in ("neuroid/animal", "neuroid/depth", "presentation/session", "stimuli/category", "stimuli/x"):
        del recorded.content[name]
    recorded.attrs = {"units": "rates"}
    assembly, stimuli = make(recorded, visual_degrees=5)
    assert set(assembly.animal.values) == {"unknown"}
    assert set(stimuli.category.values) == {""}
    assert stimuli.attrs["visual_degrees"] == 5.0
    assert assembly.attrs["stimulus_set_identifier"] == "mine"


def test_the_config_overrides_the_degrees_of_the_file(recorded):
    assert make(recorded, visual_degrees=3)[1].attrs["visual_degrees"] == 3.0


def test_grey_images_and_numeric_names(recorded):
    grey = recorded.content["stimuli/images"][..., :1]
    recorded.content["stimuli/images"] = grey
    names = {f"image_{index}": 100 + index for index in range(N_STIMULI)}
    for group in ("presentation", "stimuli"):
        recorded.content[f"{group}/stimulus_id"] = [
            names[name] for name in recorded.content[f"{group}/stimulus_id"]
        ]
    assembly, stimuli = make(recorded)
    np.testing.assert_array_equal(stimuli.images.values, np.repeat(grey, 3, axis=3))
    assert list(stimuli.stimulus_id.values[:2]) == ["100", "101"]
    assert set(assembly.stimulus_id.values) == set(stimuli.stimulus_id.values)


def test_rates_may_be_negative_and_integers_stay_integers(recorded):
    recorded.attrs["units"] = "rates"
    recorded.content["responses"] = np.asarray(recorded.content["responses"]).astype(np.int16) - 6
    assembly, _ = make(recorded)
    assert assembly.dtype == np.int16
    assert (assembly.values < 0).any()


def test_fixed_length_text_and_compression(recorded):
    plain = make(recorded)
    for name, values in recorded.content.items():
        if isinstance(values, list):
            recorded.content[name] = np.array(values, dtype="S12")
    recorded.write()
    with h5py.File(recorded.folder / "mine.h5", "r+") as file:
        values = file["responses"][()]
        del file["responses"]
        file.create_dataset("responses", data=values, compression="gzip", chunks=True)
    for one, other in zip(recordings.make(settings(), recorded.folder), plain, strict=True):
        assert one.identical(other)


def test_what_can_be_selected(tmp_path):
    recorded = Recorded(tmp_path / "data", 3)
    selection = {
        "window_ms": [20, 60],
        "region_column": "animal",
        "region_map": {"IT": {"a": "pIT", "b": "aIT"}},
        "equal_repeats": 1,
    }
    assembly, _ = make(recorded, selection=selection)
    assert assembly.shape == (N_SITES, N_STIMULI, 2)
    assert list(assembly.region.values) == ["V4", "V4", "pIT", "aIT"]


def test_the_files_go_through_the_pipelines_own(tmp_path):
    assembly, stimuli = make(Recorded(tmp_path / "data", 2))
    recordings.save(assembly, tmp_path / "assembly.nc")
    recordings.save_stimuli(stimuli, tmp_path / "stimuli.h5")
    assert recordings.load(tmp_path / "assembly.nc").equals(assembly)
    assert recordings.load_stimuli(tmp_path / "stimuli.h5").equals(stimuli)


def settings(**changes):
    return Hdf5Recordings(source="hdf5", file="mine.h5", **changes)


def test_the_raw_file(tmp_path):
    assert settings().raw_files(tmp_path) == [tmp_path / "mine.h5"]


# What it says about bad files: spoil(recorded) before the file is written, damage(file, folder) after.


def without(name):
    return lambda r: r.content.pop(name)


def put(name, value):
    return lambda r: r.content.update({name: value})


def opened(function):
    def damage(folder):
        with h5py.File(folder / "mine.h5", "r+") as file:
            function(file, folder)

    return damage


def external_link(file, folder):
    with h5py.File(folder / "other.h5", "w") as other:
        other["responses"] = file["responses"][()]
    del file["responses"]
    file["responses"] = h5py.ExternalLink("other.h5", "/responses")


def external_storage(file, folder):
    (folder / "raw.bin").write_bytes(bytes(N_SITES * 8))
    del file["neuroid/depth"]
    file["neuroid"].create_dataset(
        "depth", (N_SITES,), "f8", external=[(str(folder / "raw.bin"), 0, N_SITES * 8)]
    )


def virtual(file, folder):
    layout = h5py.VirtualLayout((N_SITES,), "f8")
    with h5py.File(folder / "other.h5", "w") as other:
        layout[:] = h5py.VirtualSource(other.create_dataset("depth", data=np.arange(4.0)))
    del file["neuroid/depth"]
    file["neuroid"].create_virtual_dataset("depth", layout)


def huge(file, folder):
    del file["responses"]
    file.create_dataset("responses", (10**6, 10**6), "f4", chunks=(100, 100))


def truncate(folder):
    content = (folder / "mine.h5").read_bytes()
    (folder / "mine.h5").write_bytes(content[: len(content) // 2])


MALFORMED = {
    "no file": (None, lambda f: (f / "mine.h5").unlink(), "no such file"),
    "truncated": (None, truncate, "cannot be read as HDF5, truncated or damaged"),
    "text": (None, lambda f: (f / "mine.h5").write_text("no"), "cannot be read as HDF5"),
    "no responses": (without("responses"), None, "has no responses; this file holds neuroid, presentation"),
    "responses of one dimension": (
        put("responses", np.ones(4)),
        None,
        r"responses are float64 of shape \(4,\)",
    ),
    "responses are text": (put("responses", ["a", "b"]), None, "responses are .* expected are numbers"),
    "responses are complex": (
        put("responses", np.ones((4, 18)) * 1j),
        None,
        "responses is of type complex128",
    ),
    "no units": (lambda r: r.attrs.pop("units"), None, "no attribute units; say 'counts'"),
    "attribute of several texts": (
        lambda r: r.attrs.update(authors=["A", "B"]),
        None,
        "attribute authors is neither text nor numbers",
    ),
    "no degrees": (
        lambda r: r.attrs.pop("visual_degrees"),
        None,
        "no attribute visual_degrees; add it, or set",
    ),
    "degrees are text": (lambda r: r.attrs.update(visual_degrees="8"), None, "visual_degrees is '8'"),
    "no neuroids": (
        lambda r: [r.content.pop(name) for name in list(r.content) if name.startswith("neuroid/")],
        None,
        "has no neuroid; this file holds",
    ),
    "group is a dataset": (
        lambda r: (
            [r.content.pop(name) for name in list(r.content) if name.startswith("neuroid/")]
            and r.content.update(neuroid=np.ones(4))
        ),
        None,
        "neuroid has to be a group",
    ),
    "no region": (without("neuroid/region"), None, "has no neuroid/region; neuroid holds animal, depth"),
    "no stimulus_id": (without("presentation/stimulus_id"), None, "has no presentation/stimulus_id"),
    "no images": (without("stimuli/images"), None, "has no stimuli/images; stimuli holds category"),
    "column too short": (
        put("neuroid/animal", ["a", "b"]),
        None,
        r"neuroid/animal has shape \(2,\), but responses have 4 along neuroid",
    ),
    "stimulus column too short": (put("stimuli/x", np.ones(3)), None, r"stimuli/x has shape \(3,\) for 9"),
    "column of two groups": (
        put("presentation/depth", np.ones(18)),
        None,
        "presentation/depth has the name of",
    ),
    "column named as a dimension": (
        put("neuroid/presentation", np.ones(4)),
        None,
        "neuroid/presentation has",
    ),
    "column is a group": (put("neuroid/more/depth", np.ones(4)), None, "neuroid/more has to be a dataset"),
    "images are floats": (put("stimuli/images", np.ones((9, 8, 8, 3))), None, "stimuli/images are float64"),
    "images with four channels": (
        put("stimuli/images", np.ones((9, 8, 8, 4), np.uint8)),
        None,
        r"images are uint8 of shape \(9, 8, 8, 4\)",
    ),
    "NaN": (
        lambda r: r.change("responses", (2, 5), np.nan),
        None,
        r"1 responses are NaN or infinite, the first of site site_2 to stimulus image_\d",
    ),
    "negative counts": (lambda r: r.change("responses", (2, 5), -1), None, "1 counts are negative"),
    "site twice": (
        lambda r: r.change("neuroid/neuroid_id", 1, "site_0"),
        None,
        "site_0 occurs more than once",
    ),
    "stimulus twice": (
        lambda r: r.change("stimuli/stimulus_id", 1, "image_0"),
        None,
        "stimulus image_1 of the assembly has no image|image_0 occurs more than once",
    ),
    "shown without image": (
        lambda r: r.change("presentation/stimulus_id", 0, "image_x"),
        None,
        r"stimulus image_x of the assembly has no image \(1 such of",
    ),
    "link to another file": (None, opened(external_link), "responses is a link to another file"),
    "numbers in another file": (
        None,
        opened(external_storage),
        "neuroid/depth has its values in another file",
    ),
    "virtual": (None, opened(virtual), "neuroid/depth is a virtual data set"),
    "too large": (None, opened(huge), "responses has 4000000000000 bytes, more than 8 GiB"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_bad_files_are_one_line(recorded, case):
    spoil, damage, message = MALFORMED[case]
    if spoil:
        spoil(recorded)
    recorded.write()
    if damage:
        damage(recorded.folder)
    with warnings.catch_warnings(), pytest.raises(TgsageError, match=message) as caught:
        warnings.simplefilter("error")
        recordings.make(settings(), recorded.folder)
    assert "\n" not in str(caught.value)
    assert "mine.h5: " in str(caught.value)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (without("time_bin/end"), "has no time_bin/end; time_bin holds start"),
        (put("time_bin/end", np.array([20, 40, 40])), "time_bin/start has to be before time_bin/end"),
        (put("time_bin/end", np.array([20.0, 40.0, np.nan])), "time_bin/start has to be before"),
        (put("time_bin/start", ["0", "20", "40"]), "time_bin/start has to be before"),
        (put("time_bin/start", np.arange(2)), r"time_bin/start has shape \(2,\), but responses have 3"),
    ],
)
def test_bad_time_bins_are_one_line(tmp_path, spoil, message):
    recorded = Recorded(tmp_path / "data", 3)
    spoil(recorded)
    with pytest.raises(TgsageError, match=message) as caught:
        make(recorded)
    assert "\n" not in str(caught.value)


def test_a_file_of_the_pipelines_own_is_not_this_layout(recorded, tmp_path):
    _, stimuli = make(recorded)
    recordings.save_stimuli(stimuli, recorded.folder / "mine.h5")
    with pytest.raises(TgsageError, match="has no attribute units"):
        recordings.make(settings(), recorded.folder)


def test_the_groups_have_what_the_reader_says(recorded):
    """The names in the reader's docstring are those that it asks for."""
    for group, names in reader.REQUIRED.items():
        for name in names:
            assert name in reader.__doc__.partition(f"{group}/")[2].partition("\n")[0]
