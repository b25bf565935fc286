"""NWB files, written here by pynwb itself with stand-in spikes and images."""

from __future__ import annotations

import builtins
import io
import pickle
import warnings
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from tgsage import plugins, recordings
from tgsage.errors import TgsageError
from tgsage.recordings.readers.nwb import extraction
from tgsage.recordings.readers.nwb.counting import covered

pynwb = pytest.importorskip("pynwb")

N_STIMULI, N_UNITS, N_ROWS = 6, 5, 24
WRITTEN: dict[bytes, bytes] = {}
"""Files by what is in them: pynwb takes a while to write one."""


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


class StandIn:
    """A stand-in session of which a test may change anything before ``write``."""

    def __init__(self, folder: Path):
        self.folder = folder
        generator = np.random.default_rng(19)
        self.stimuli = [f"image_{index}" for index in range(N_STIMULI)]
        self.images = generator.integers(0, 256, (N_STIMULI, 8, 6, 3), dtype=np.uint8)
        self.shown = [self.stimuli[index] for index in np.tile(generator.permutation(N_STIMULI), 4)]
        self.onsets = 1.0 + 0.25 * np.arange(N_ROWS) + generator.uniform(0, 0.01, N_ROWS)
        self.completed = [index != 3 for index in range(N_ROWS)]
        self.spikes = [np.sort(generator.uniform(0, 8, 400 + 90 * unit)) for unit in range(N_UNITS)]
        self.quality = ["good", "good", "noise", "good", "good"]
        self.locations = ["V4", "V4", "V4", "IT", "IT"]
        self.electrodes = [[unit] for unit in range(N_UNITS)]
        self.observed = [[[0.0, 4.0], [4.0, 9.0]] for _ in range(N_UNITS)]
        self.invalid: list[tuple[float, float]] = []
        self.subject: str | None = "monkey_1"
        self.template = "images"
        self.axes = "yx"
        self.zipped = True
        self.settings = {"source": "nwb", "file": "session.nwb", "stimulus_column": "stimulus_name"}

    def write(self, **changes):
        self.folder.mkdir(parents=True, exist_ok=True)
        key = pickle.dumps({name: value for name, value in vars(self).items() if name != "folder"})
        if key not in WRITTEN:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with pynwb.NWBHDF5IO(str(self.path), "w") as out:
                    out.write(self.file())
            WRITTEN[key] = self.path.read_bytes()
        self.path.write_bytes(WRITTEN[key])
        if self.zipped:
            with zipfile.ZipFile(self.folder / "images.zip", "w") as archive:
                for name, image in zip(self.stimuli, self.images, strict=True):
                    archive.writestr(f"set/{name}.png", png(image))
        images = {} if "image_template" in changes else {"images": "images.zip"}
        return plugins.settings("recordings", self.settings | images | changes)

    def file(self):
        file = pynwb.NWBFile(
            session_description="stand-in spikes, nothing was recorded",
            identifier="stand_in_1",
            session_start_time=datetime(2020, 1, 1, tzinfo=UTC),
        )
        if self.subject is not None:
            file.subject = pynwb.file.Subject(subject_id=self.subject, species="Macaca mulatta")
        device = file.create_device(name="array")
        group = file.create_electrode_group(name="g", description="g", location="mixed", device=device)
        for location in self.locations:
            file.add_electrode(location=location, group=group)
        file.add_unit_column("quality", "of sorting")
        file.add_unit_column("depth", "mm")
        for unit, times in enumerate(self.spikes):
            observed = {} if self.observed is None else {"obs_intervals": self.observed[unit]}
            file.add_unit(
                id=100 + unit, spike_times=times, quality=self.quality[unit], depth=unit / 10,
                electrodes=self.electrodes[unit], **observed,
            )  # fmt: skip
        file.add_trial_column("stimulus_name", "which image")
        file.add_trial_column("completed", "whether fixation was held")
        file.add_trial_column("object", "category")
        for name, onset, completed in zip(self.shown, self.onsets, self.completed, strict=True):
            file.add_trial(
                start_time=onset, stop_time=onset + 0.2, stimulus_name=name, completed=completed,
                object=f"object_{int(name[-1]) // 3 if name[-1:].isdigit() else 9}",
            )  # fmt: skip
        for start, stop in self.invalid:
            file.add_invalid_time_interval(start_time=start, stop_time=stop)
        pictures = self.images.swapaxes(1, 2) if self.axes == "xy" else self.images
        if self.template == "images":
            kind = pynwb.image.RGBImage
            file.add_stimulus_template(
                pynwb.base.Images(
                    name="pictures",
                    images=[
                        kind(name=name, data=data) for name, data in zip(self.stimuli, pictures, strict=True)
                    ],
                )
            )
        else:
            file.add_stimulus_template(
                pynwb.image.OpticalSeries(
                    name="pictures", data=pictures, unit="n.a.", format="raw", rate=1.0, distance=1.0,
                    field_of_view=[1.0, 1.0], orientation="up",
                )
            )  # fmt: skip
        return file

    @property
    def path(self) -> Path:
        return self.folder / "session.nwb"

    def make(self, **changes):
        return recordings.make(self.write(**changes), self.folder)


@pytest.fixture
def session(tmp_path) -> StandIn:
    return StandIn(tmp_path / "data")


def slow_counts(session, edges_ms):
    """One spike after the other, as one would do it by hand."""
    counts = np.zeros((len(session.spikes), len(session.onsets), len(edges_ms) - 1), int)
    for unit, times in enumerate(session.spikes):
        for row, onset in enumerate(session.onsets):
            for time in times:
                for index in range(len(edges_ms) - 1):
                    low, high = onset + edges_ms[index] / 1000, onset + edges_ms[index + 1] / 1000
                    counts[unit, row, index] += low <= time < high
    return counts


def test_counts_of_one_window(session):
    assembly, stimuli = session.make(category_column="object")
    np.testing.assert_array_equal(assembly.values, slow_counts(session, [70, 170])[:, :, 0])
    assert assembly.values.sum() > 50 and assembly.dims == ("neuroid", "presentation")
    assert list(assembly.neuroid_id.values) == ["100", "101", "102", "103", "104"]
    assert list(assembly.region.values) == session.locations
    assert set(assembly.animal.values) == {"monkey_1"}
    assert list(assembly.stimulus_id.values) == session.shown
    assert list(assembly.repetition.values) == [row // N_STIMULI for row in range(N_ROWS)]
    assert list(assembly.quality.values) == session.quality
    np.testing.assert_array_equal(assembly.depth.values, np.arange(5) / 10)
    assert assembly.attrs["units"] == "counts" and assembly.attrs["simulated"] == 0
    assert assembly.attrs["bin_ms"] == 100.0 and assembly.attrs["window_ms"] == [70.0, 170.0]
    assert assembly.attrs["stimulus_set_identifier"] == stimuli.attrs["stimulus_set_identifier"]
    assert list(stimuli.stimulus_id.values) == session.stimuli
    assert list(stimuli.category.values) == ["object_0"] * 3 + ["object_1"] * 3
    np.testing.assert_array_equal(stimuli.images.values, session.images)


def test_counts_in_bins(session):
    # Spikes on the very edges: onset, inner edges, end of the window.
    session.onsets = 1.0 + 0.25 * np.arange(N_ROWS)
    session.spikes[0] = np.sort((session.onsets[:, None] + np.array([-0.05, 0.0, 0.05, 0.2])).ravel())
    assembly, _ = session.make(window_ms=[-50, 200], bin_ms=50)
    edges = [-50, 0, 50, 100, 150, 200]
    np.testing.assert_array_equal(assembly.values, slow_counts(session, edges))
    assert list(assembly.time_bin_start.values) == edges[:-1]
    assert list(assembly.time_bin_end.values) == edges[1:]
    assert assembly.attrs["bin_ms"] == 50.0
    whole, _ = session.make(window_ms=[-50, 200])
    np.testing.assert_array_equal(assembly.values.sum(axis=2), whole.values)
    selected, _ = session.make(
        window_ms=[-50, 200], bin_ms=50, selection={"window_ms": [50, 150], "drop_constant_sites": True}
    )
    assert selected.sizes["time_bin"] == 2


def test_spikes_in_any_order_are_counted(session):
    whole, _ = session.make()
    session.spikes = [np.random.default_rng(1).permutation(times) for times in session.spikes]
    np.testing.assert_array_equal(session.make()[0].values, whole.values)


def test_uneven_bins_are_refused(session):
    with pytest.raises(TgsageError, match="do not divide the window of 100 ms evenly"):
        session.write(bin_ms=30)


def test_filters(session):
    assembly, stimuli = session.make(
        units={"quality": ["good"]}, presentations={"completed": [True]}, leave_out=["image_2"]
    )
    rows = [row for row in range(N_ROWS) if session.completed[row] and session.shown[row] != "image_2"]
    np.testing.assert_array_equal(assembly.values, slow_counts(session, [70, 170])[[0, 1, 3, 4]][:, rows, 0])
    assert "image_2" not in stimuli.stimulus_id.values and stimuli.sizes["stimulus"] == 5


@pytest.mark.parametrize("axes", ["xy", "yx"])
@pytest.mark.parametrize("template", ["images", "series"])
def test_images_of_the_file_itself(session, axes, template):
    session.axes, session.template = axes, template
    expected, (_, from_zip) = session.images, session.make()
    if template == "series":
        session.stimuli = [str(index) for index in range(N_STIMULI)]
        session.shown = [name[-1] for name in session.shown]
    _, stimuli = session.make(image_template="pictures", image_axes=axes)
    np.testing.assert_array_equal(stimuli.images.values, expected)
    np.testing.assert_array_equal(stimuli.images.values, from_zip.images.values)
    assert list(stimuli.stimulus_id.values) == session.stimuli


def test_images_of_a_folder(session, tmp_path):
    settings = session.write(images=str(tmp_path / "pictures"))
    for name, image in zip(session.stimuli, session.images, strict=True):
        (tmp_path / "pictures" / "a").mkdir(parents=True, exist_ok=True)
        (tmp_path / "pictures" / "a" / f"{name}.png").write_bytes(png(image))
    _, stimuli = recordings.make(settings, session.folder)
    np.testing.assert_array_equal(stimuli.images.values, session.images)
    files = settings.raw_files(session.folder)
    assert files == [session.path, *(tmp_path / "pictures" / "a" / f"{name}.png" for name in session.stimuli)]


def test_template_axes_have_to_be_said(session):
    with pytest.raises(TgsageError, match="image_axes: say whether"):
        session.write(image_template="pictures")
    with pytest.raises(TgsageError, match="either images or image_template"):
        session.write(image_template="pictures", image_axes="xy", images="images.zip")


def test_regions_of_a_units_column_and_of_several_electrodes(session):
    session.electrodes = [[0, 1], [1], [2], [3, 4], [4]]
    assert list(session.make()[0].region.values) == session.locations
    assert list(session.make(region_column="quality")[0].region.values) == session.quality


def test_windows_that_were_not_observed(session):
    """Unit 102 was observed until 5 s only; an invalid time lies in the window of row 2."""
    session.observed[2] = [[0.0, 5.0]]
    late = [row for row in range(N_ROWS) if session.onsets[row] + 0.17 > 5.0]
    assert 3 < len(late) < N_ROWS
    with pytest.raises(TgsageError, match=rf"row {late[0]} of trials \(stimulus .*obs_intervals of unit 102"):
        session.make()
    counts = slow_counts(session, [70, 170])[:, :, 0]
    assembly, _ = session.make(unobserved="drop_presentations")
    np.testing.assert_array_equal(assembly.values, np.delete(counts, late, axis=1))
    assembly, _ = session.make(unobserved="drop_units")
    np.testing.assert_array_equal(assembly.values, np.delete(counts, 2, axis=0))
    # A unit that is filtered out is not asked.
    assert session.make(units={"quality": ["good"]})[0].sizes["presentation"] == N_ROWS

    session.observed[2] = session.observed[0]
    session.invalid = [(session.onsets[2] + 0.1, session.onsets[2] + 0.11), (99.0, 100.0)]
    with pytest.raises(TgsageError, match=r"row 2 of trials .* touches the file's invalid_times"):
        session.make()
    for way in ("drop_presentations", "drop_units"):
        np.testing.assert_array_equal(session.make(unobserved=way)[0].values, np.delete(counts, 2, axis=1))


def test_covered_against_a_slow_loop():
    generator = np.random.default_rng(5)
    for n in (0, 1, 2, 7):
        intervals = np.sort(generator.integers(0, 30, (n, 2)), axis=1).astype(float)
        starts = generator.integers(0, 28, 200).astype(float)
        ends = starts + generator.integers(1, 6, 200)
        expected = []
        for start, end in zip(starts, ends, strict=True):
            # Whole numbers: every piece between two of them has to lie in an interval.
            pieces = [
                any(low <= piece and piece + 1 <= high for low, high in intervals)
                for piece in range(int(start), int(end))
            ]
            expected.append(all(pieces))
        np.testing.assert_array_equal(covered(intervals, starts, ends), expected)


def test_saved_and_loaded(session, tmp_path):
    assembly, _ = session.make(bin_ms=20)
    recordings.save(assembly, tmp_path / "assembly.nc")
    loaded = recordings.load(tmp_path / "assembly.nc")
    np.testing.assert_array_equal(loaded.values, assembly.values)
    assert recordings.content_digest(loaded) == recordings.content_digest(assembly)


def test_without_pynwb(session, monkeypatch):
    settings = session.write()
    original = builtins.__import__

    def absent(name, *arguments, **keywords):
        if name == "pynwb":
            raise ImportError(name)
        return original(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(TgsageError, match=r"pip install 'tgsage\[nwb\]'"):
        recordings.make(settings, session.folder)


# Malformed files: spoil(session) before writing, damage(file) after, changes to the settings, the message.


def link_out(path, name="general/secret"):
    with h5py.File(path, "a") as file:
        file[name] = h5py.ExternalLink("images.zip", "/secret")


def stored_outside(path):
    with h5py.File(path, "a") as file:
        file.create_dataset("general/raw", shape=(8,), dtype="u1", external=[("images.zip", 0, 8)])


def virtual(path):
    layout = h5py.VirtualLayout(shape=(5,), dtype="i8")
    layout[:] = h5py.VirtualSource("other.h5", "secret", shape=(5,))
    with h5py.File(path, "a") as file:
        file.create_virtual_dataset("general/virtual", layout)


def delete(*names):
    def damage(path):
        with h5py.File(path, "a") as file:
            for name in names:
                del file[name]

    return damage


def overwrite(name, value):
    def damage(path):
        with h5py.File(path, "a") as file:
            file[name][...] = value

    return damage


def truncate(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def empty_hdf5(path):
    with h5py.File(path, "w") as file:
        file["x"] = 1


BAD = {
    "no file": (None, Path.unlink, {}, "no such file"),
    "truncated": (None, truncate, {}, "cannot be read as HDF5"),
    "no HDF5": (None, lambda path: path.write_text("no"), {}, "cannot be read as HDF5"),
    "HDF5, not NWB": (None, empty_hdf5, {}, "cannot be read as NWB 2"),
    "external link": (None, link_out, {}, "general/secret is a link to another file"),
    "external storage": (None, stored_outside, {}, "general/raw has its values in another file"),
    "virtual data set": (None, virtual, {}, "general/virtual is a virtual data set"),
    "no units": (None, delete("units"), {}, "has no units"),
    "no such table": (None, None, {"table": "trails"}, "unknown table .*did you mean 'trials'"),
    "no stimulus column": (None, None, {"stimulus_column": "stimulus"}, "column of table .*'stimulus_name'"),
    "no start column": (None, None, {"start_column": "onset"}, "unknown column of table trials"),
    "start column of text": (None, None, {"start_column": "object"}, "holds no times"),
    "no category column": (None, None, {"category_column": "kind"}, "unknown column of table trials"),
    "no region column": (None, None, {"region_column": "area"}, "unknown region_column"),
    "no unit column": (None, None, {"units": {"grade": ["good"]}}, "unknown column .*units.*'grade'"),
    "no unit of that value": (None, None, {"units": {"quality": ["god"]}}, "did you mean 'good'"),
    "nothing to leave out": (None, None, {"leave_out": ["blank"]}, "unknown stimulus in leave_out"),
    "NaN onset": (lambda s: s.onsets.__setitem__(5, np.nan), None, {}, "row 5 of trials has no start_time"),
    "NaN spike": (
        None, overwrite("units/spike_times", np.nan), {}, "spike_times of unit 100 have NaN",
    ),
    "index beyond the spikes": (
        None, overwrite("units/spike_times_index", 60000), {}, "does not fit its",
    ),
    "unit in two regions": (
        lambda s: s.electrodes.__setitem__(1, [1, 4]), None, {}, "unit 101 lies in IT and V4",
    ),
    "unit without electrode": (
        lambda s: s.electrodes.__setitem__(1, []), None, {}, "unit 101 has no region",
    ),
    "outside obs_intervals": (
        lambda s: s.observed.__setitem__(3, [[0.0, 2.0]]), None, {}, "obs_intervals of unit 103",
    ),
    "reversed obs_intervals": (
        lambda s: s.observed.__setitem__(3, [[9.0, 2.0]]), None, {}, "one that ends before it starts",
    ),
    "nothing observed": (
        lambda s: s.observed.__setitem__(3, [[90.0, 91.0]]), None, {"unobserved": "drop_presentations"},
        "nothing is left by unobserved",
    ),
    "a stimulus of two categories": (
        None, None, {"category_column": "completed"}, "image_.* has several values in column completed",
    ),
    "stimulus without image": (
        lambda s: s.shown.__setitem__(0, "image_9"), None, {},
        r"images\.zip: holds no image image_9",
    ),
    "no zip": (None, lambda path: (path.parent / "images.zip").unlink(), {}, r"images\.zip: no such file"),
    "no such template": (
        None, None, {"image_template": "picture", "image_axes": "xy"}, "did you mean 'pictures'",
    ),
    "stimulus without template image": (
        lambda s: s.shown.__setitem__(0, "image_9"), None,
        {"image_template": "pictures", "image_axes": "xy"}, "pictures has no image for stimulus image_9",
    ),
    "template of numbers that are no pixels": (
        lambda s: (setattr(s, "images", s.images / 255), setattr(s, "zipped", False)), None,
        {"image_template": "pictures", "image_axes": "xy"}, "image image_0 of pictures is float64",
    ),
    "a window without spikes": (
        lambda s: s.spikes.__setitem__(0, np.array([0.1])), None, {}, "site 100 never varies",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_files_are_one_line(session, case):
    spoil, damage, changes, message = BAD[case]
    if spoil:
        spoil(session)
    settings = session.write(**changes)
    if damage:
        damage(session.path)
    before = sorted(session.folder.rglob("*"))
    with warnings.catch_warnings(), pytest.raises(TgsageError, match=message) as caught:
        warnings.simplefilter("error")
        recordings.make(settings, session.folder)
    assert "\n" not in str(caught.value)
    assert str(session.folder) in str(caught.value) or "never varies" in message
    assert sorted(session.folder.rglob("*")) == before


def test_a_link_within_the_file_is_no_harm(session):
    settings = session.write()
    with h5py.File(session.path, "a") as file:
        file["scratch_link"] = h5py.SoftLink("/units")
    assert recordings.make(settings, session.folder)[0].sizes["neuroid"] == N_UNITS


def test_series_of_external_images(session):
    session.template = "none"
    with pytest.raises(TgsageError, match="names files outside of it"):
        extraction._template(
            type("File", (), {
                "stimulus": {},
                "stimulus_template": {
                    "movie": pynwb.image.ImageSeries(
                        name="movie", external_file=["/etc/movie.avi"], format="external",
                        timestamps=[0.0], starting_frame=[0],
                    )
                },
            })(),
            np.array(["0"]), session.path,
            plugins.settings("recordings", session.settings, image_template="movie", image_axes="xy"),
        )  # fmt: skip
