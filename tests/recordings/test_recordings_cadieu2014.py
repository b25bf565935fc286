"""The package of Cadieu et al. 2014: a stand-in of its documented structure, whole and spoilt."""

from __future__ import annotations

import io
import shutil
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from PIL import Image
from pydantic import ValidationError

from tgsage import plugins, recordings
from tgsage.errors import TgsageError
from tgsage.recordings.readers.cadieu2014 import reader
from tgsage.recordings.readers.cadieu2014.plugin import Cadieu2014Recordings

N_STIMULI = 12
CATEGORIES = ("Animals", "Cars", "Chairs", "Faces", "Fruits", "Planes", "Tables")
SITES = {("V4", "multi"): 4, ("IT", "multi"): 6, ("V4", "single"): 2, ("IT", "single"): 3}
TOP = "PLoSCB2014_data_20141216"


def matlab(variables, **options):
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, variables, **options)
    return buffer.getvalue()


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


class Package:
    """A simulated package, which a test may spoil before ``write``; responses are random numbers."""

    def __init__(self, folder: Path):
        self.folder = folder
        generator = np.random.default_rng(13)
        self.images = generator.integers(0, 256, (N_STIMULI, 16, 16, 3), dtype=np.uint8)
        self.names = [f"images/{index * 7919:040x}.png" for index in range(N_STIMULI)]
        self.splits = generator.integers(0, 2, (N_STIMULI, 10))
        self.features = {key: generator.normal(size=(N_STIMULI, n)) for key, n in SITES.items()}
        rows = [
            f"{name} {CATEGORIES[index % 7]} {' '.join(map(str, splits))}"
            for index, (name, splits) in enumerate(zip(self.names, self.splits, strict=True))
        ]
        # Blanks fill the rows of a character matrix: categories differ in length.
        self.meta = {key: np.array(rows) for key in SITES}
        self.extra: dict[str, bytes] = {}
        self.mat: dict[tuple[str, str], bytes] = {}
        self.compressed = True
        self.skip: set[str] = set()
        self.top = f"{TOP}/"

    def file(self, region: str, kind: str) -> str:
        return f"{self.top}NeuralData_{region}_{kind}units.mat"

    def content(self) -> dict[str, bytes]:
        files = {}
        for key in SITES:
            variables = {"features": self.features[key], "meta": self.meta[key]}
            files[self.file(*key)] = self.mat.get(key) or matlab(variables, do_compression=self.compressed)
        for name, image in zip(self.names, self.images, strict=True):
            files[f"{self.top}{name}"] = png(image)
        files[f"{self.top}images/not_in_meta.png"] = png(self.images[0])
        files |= self.extra
        return {name: data for name, data in files.items() if name not in self.skip}

    def write(self, form: str = "zip") -> dict[str, str]:
        path = self.folder / f"{TOP}.zip"
        self.folder.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in self.content().items():
                archive.writestr(name, data)
        if form == "folder":
            with zipfile.ZipFile(path) as archive:
                archive.extractall(self.folder / "unpacked")
            path.unlink()
            path = self.folder / "unpacked"
        return {"source": "cadieu2014", "package": path.name}


@pytest.fixture
def package(tmp_path):
    return Package(tmp_path / "data")


def make(package, form="zip", **changes):
    settings = plugins.settings("recordings", package.write(form) | changes)
    return recordings.make(settings, package.folder)


def test_multi_units_of_both_regions(package):
    assembly, stimuli = make(package)
    expected = np.concatenate([package.features["V4", "multi"].T, package.features["IT", "multi"].T])
    assert assembly.dims == ("neuroid", "presentation")
    np.testing.assert_array_equal(assembly.values, expected)
    assert list(assembly.region.values) == ["V4"] * 4 + ["IT"] * 6
    assert assembly.neuroid_id.values[4] == "IT_multi_000"
    assert set(assembly.animal.values) == {"monkeys"}
    assert assembly.attrs["units"] == "rates"
    assert assembly.attrs["window_ms"] == [70, 170]
    assert assembly.attrs["simulated"] == 0
    np.testing.assert_array_equal(assembly.stimulus_id.values, stimuli.stimulus_id.values)
    np.testing.assert_array_equal(stimuli.images.values, package.images)
    assert list(stimuli.stimulus_id.values) == [Path(name).stem for name in package.names]
    assert list(stimuli.category.values) == [CATEGORIES[index % 7] for index in range(N_STIMULI)]
    for split in range(10):
        np.testing.assert_array_equal(stimuli[f"training_{split + 1}"].values, package.splits[:, split] == 1)
    assert stimuli.attrs["visual_degrees"] == 8.0


@pytest.mark.parametrize("top", ["", f"{TOP}/"])
@pytest.mark.parametrize("compressed", [True, False])
def test_zip_and_unpacked_folder_are_one(package, top, compressed):
    package.top, package.compressed = top, compressed
    zipped = make(package)
    before = sorted(package.folder.rglob("*"))
    unpacked = make(package, "folder")
    for one, other in zip(zipped, unpacked, strict=True):
        assert one.identical(other)
    assert [path.name for path in before] == [f"{TOP}.zip"]  # nothing was extracted while reading the zip


@pytest.mark.parametrize(
    ("units", "sites", "averaged"),
    [("multi", 6, 47), ("single", 3, 6), ("both", 9, "47 (multi-unit) and 6 (single-unit)")],
)
def test_units(package, units, sites, averaged):
    assembly, _ = make(package, units=units, regions=["IT"])
    assert assembly.sizes["neuroid"] == sites
    assert set(assembly.region.values) == {"IT"}
    assert assembly.attrs["repeats_averaged"] == averaged
    if units == "both":
        assert list(assembly.unit.values) == ["multi"] * 6 + ["single"] * 3
    with pytest.raises(TgsageError, match="repetitions are published averaged"):
        recordings.reliability(assembly)


def test_what_can_be_selected(package):
    assembly, _ = make(package, selection={"window_ms": [70, 170], "equal_repeats": 1})
    assert assembly.shape == (10, N_STIMULI)
    with pytest.raises(TgsageError, match=r"the one window \[70, 170\] ms"):
        make(package, selection={"window_ms": [50, 150]})
    with pytest.raises(TgsageError, match="has 1 repetitions, fewer than 2"):
        make(package, selection={"equal_repeats": 2})


def test_the_files_go_through_the_pipelines_own(package, tmp_path):
    assembly, stimuli = make(package)
    recordings.save(assembly, tmp_path / "assembly.nc")
    recordings.save_stimuli(stimuli, tmp_path / "stimuli.h5")
    assert recordings.load(tmp_path / "assembly.nc").equals(assembly)
    assert recordings.load_stimuli(tmp_path / "stimuli.h5").equals(stimuli)


def test_settings_that_cannot_be():
    for wrong in ({"regions": []}, {"regions": ["V1"]}, {"units": "multiunit"}, {"visual_degrees": 0}):
        with pytest.raises(ValidationError):
            Cadieu2014Recordings(source="cadieu2014", **wrong)


# What it says about bad packages


def replace_mat(**variables):
    return lambda p: p.mat.update({("V4", "multi"): matlab(variables)})


def encrypt(folder):
    """Mark the entries as encrypted, which is enough to be refused."""
    path = folder / f"{TOP}.zip"
    content = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        position = content.find(mark)
        content[position + offset] |= 1
    path.write_bytes(bytes(content))


def truncated(package):
    whole = package.content()[package.file("V4", "multi")]
    package.mat["V4", "multi"] = whole[: len(whole) - 200]


def row(index, text):
    return lambda p: p.meta["V4", "multi"].__setitem__(index, text)


def shuffled(package):
    package.meta["IT", "multi"] = package.meta["IT", "multi"][::-1].copy()


def other_size(package):
    name = f"{package.top}{package.names[3]}"
    package.extra[name] = png(np.zeros((8, 8, 3), np.uint8))


V4_FILE = f"{TOP}/NeuralData_V4_multiunits.mat"
MALFORMED = {
    "no package": (None, lambda f: (f / f"{TOP}.zip").unlink(), r"20141216\.zip: no such file or folder"),
    "not a zip": (None, lambda f: (f / f"{TOP}.zip").write_text("no"), "cannot be read as a zip"),
    "zip truncated": (
        None,
        lambda f: (f / f"{TOP}.zip").write_bytes((f / f"{TOP}.zip").read_bytes()[:5000]),
        "cannot be read as a zip",
    ),
    "no .mat file": (lambda p: p.skip.add(V4_FILE), None, "holds no file NeuralData_V4_multiunits"),
    "two of a kind": (
        lambda p: p.extra.update({"copy/NeuralData_V4_multiunits.mat": b"x"}),
        None,
        "several files NeuralData_V4_multiunits",
    ),
    ".mat truncated": (truncated, None, r"V4_multiunits\.mat: cannot be read as a MATLAB file"),
    ".mat is text": (lambda p: p.mat.update({("V4", "multi"): b"no" * 200}), None, "Unknown mat file type"),
    ".mat encrypted": (None, encrypt, r"V4_multiunits\.mat. is encrypted"),
    "no features": (replace_mat(meta=np.array(["a b"])), None, "has no features; is this the published file"),
    "features are a cell array": (
        replace_mat(features=np.array([[1, "a"]], dtype=object), meta=np.array(["a b"])),
        None,
        "features is a struct or cell array, not a plain array",
    ),
    "features are complex": (
        replace_mat(features=np.ones((12, 4)) * 1j, meta=np.array(["a b"])),
        None,
        "features are complex128",
    ),
    "features without sites": (
        lambda p: p.features.update({("V4", "multi"): np.empty((12, 0))}),
        None,
        r"features are float64 of shape \(12, 0\)",
    ),
    "meta is a struct or cell array": (
        replace_mat(features=np.ones((12, 4)), meta={"file": 1}),
        None,
        "meta is a struct or cell array",
    ),
    "meta are numbers": (
        replace_mat(features=np.ones((12, 4)), meta=np.ones((12, 4))),
        None,
        "meta is float64 of shape .*expected is text",
    ),
    "meta too short": (
        lambda p: p.meta.update({("V4", "multi"): p.meta["V4", "multi"][:7]}),
        None,
        "meta is text of 7 rows.*12 images",
    ),
    "row without category": (row(2, "images/a.png"), None, "row 3 of meta is 'images/a.png *'; expected"),
    "row with another split": (row(2, "images/a.png Cars 1 2"), None, "row 3 of meta .*0 or 1"),
    "row with fewer splits": (row(2, "images/a.png Cars 1 0"), None, "row 3 of meta has 2 splits, row 1 10"),
    "image twice": (
        lambda p: p.meta["V4", "multi"].__setitem__(2, p.meta["V4", "multi"][1]),
        None,
        r"names the image images/0+1eef\.png more than once",
    ),
    "regions of other images": (
        shuffled,
        None,
        r"IT_multiunits\.mat: row 1 of meta is image .*, but images/0+",
    ),
    "image missing": (
        lambda p: p.skip.add(f"{p.top}{p.names[3]}"),
        None,
        r"meta names the image .*5ccd\.png, which is not there \(1 such of 12\)",
    ),
    "image damaged": (
        lambda p: p.extra.update({f"{p.top}{p.names[3]}": b"no image"}),
        None,
        r"5ccd\.png cannot be decoded",
    ),
    "image of another size": (other_size, None, "several sizes"),
    "NaN": (
        lambda p: p.features["V4", "multi"].__setitem__((3, 1), np.nan),
        None,
        "1 responses are NaN or infinite, the first of site V4_multi_001 to stimulus 0+5ccd",
    ),
    "constant": (
        lambda p: p.features["V4", "multi"].__setitem__((slice(None), 1), 2.0),
        None,
        "site V4_multi_001 never varies",
    ),
    "points outside": (lambda p: p.extra.update({"../out.mat": b"x"}), None, "points outside the archive"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_bad_packages_are_one_line(package, case):
    spoil, damage, message = MALFORMED[case]
    if spoil:
        spoil(package)
    settings = Cadieu2014Recordings(**package.write())
    if damage:
        damage(package.folder)
    before = sorted(package.folder.parent.rglob("*"))
    with warnings.catch_warnings(), pytest.raises(TgsageError, match=message) as caught:
        warnings.simplefilter("error")
        recordings.make(settings, package.folder)
    assert "\n" not in str(caught.value)
    assert TOP in str(caught.value) or case == "constant"
    assert sorted(package.folder.parent.rglob("*")) == before


@pytest.mark.parametrize("form", ["zip", "folder"])
def test_sizes_are_bounded(package, form, monkeypatch):
    monkeypatch.setattr(reader, "MAX_FILE_BYTES", 100)
    with pytest.raises(TgsageError, match=r"V4_multiunits\.mat is \d+ bytes, more than 0 MiB"):
        make(package, form)


def test_a_package_of_another_folder_is_read_from_there(package, tmp_path):
    package.write("folder")
    shutil.move(package.folder / "unpacked", tmp_path / "elsewhere")
    settings = Cadieu2014Recordings(source="cadieu2014", package=str(tmp_path / "elsewhere" / TOP))
    assert recordings.make(settings, "/nowhere")[0].sizes["neuroid"] == 10


@pytest.mark.parametrize("form", ["zip", "folder"])
def test_the_raw_files_are_those_that_are_needed(package, form):
    settings = Cadieu2014Recordings(**package.write(form), units="single")
    expected = recordings.make(settings, package.folder)
    files = settings.raw_files(package.folder)
    if form == "folder":
        assert sum(path.suffix == ".mat" for path in files) == 2
        for path in package.folder.rglob("*"):
            if path.is_file() and path not in files:
                path.unlink()
    else:
        assert files == [package.folder / f"{TOP}.zip"]
    assert recordings.make(settings, package.folder)[0].identical(expected[0])
    missing = Cadieu2014Recordings(source="cadieu2014")
    assert missing.raw_files(package.folder) == [package.folder / "cadieu2014" / f"{TOP}.zip"]
