"""The readers of published layouts: what they make of good files, and what they say about bad ones."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest
from PIL import Image

from tgsage import plugins, recordings
from tgsage.errors import TgsageError


def make(package, **changes):
    settings = plugins.settings("recordings", package.write(**changes.pop("write", {})) | changes)
    published = settings.source == "kriegeskorte2008"
    return (recordings.make_published_rdm if published else recordings.make)(settings, package.folder)


def truncate(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def jpeg(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="JPEG")
    return buffer.getvalue()


# What they make of good files


def test_brainio(brainio_package):
    assembly, stimuli = make(brainio_package)
    np.testing.assert_array_equal(assembly.values, brainio_package.assembly.values)
    assert assembly.attrs["units"] == "counts"
    assert assembly.attrs["simulated"] == stimuli.attrs["simulated"] == 0
    assert assembly.attrs["stimulus_set_identifier"] == "lab.Test2020"
    np.testing.assert_array_equal(stimuli.images.values, brainio_package.images)
    assert list(stimuli.category.values) == list(brainio_package.table.object_name)
    np.testing.assert_array_equal(stimuli.x_column.values, brainio_package.table.x)
    assert stimuli.attrs["visual_degrees"] == 8.0


def test_brainio_with_old_names(brainio_package):
    assembly, stimuli = make(brainio_package)
    brainio_package.assembly = brainio_package.assembly.rename({"stimulus_id": "image_id"})
    brainio_package.variable = "dicarlo.MajajHong2015.public"
    brainio_package.table = brainio_package.table.rename(columns={"stimulus_id": "image_id"})
    old_assembly, old_stimuli = make(brainio_package)
    assert old_assembly.identical(assembly)
    assert old_stimuli.identical(stimuli)


@pytest.mark.parametrize("column", [None, "file"])
def test_brainio_image_column(brainio_package, column):
    table = brainio_package.table
    brainio_package.table = (
        table.rename(columns={"filename": "file"}) if column else table.drop(columns="filename")
    )
    _, stimuli = make(brainio_package, image_column=column)
    np.testing.assert_array_equal(stimuli.images.values, brainio_package.images)


def test_stimuli_follow_the_selection(brainio_package):
    brainio_package.assembly[0] = 0
    assembly, stimuli = make(
        brainio_package, selection={"animals": ["b"], "drop_constant_sites": True, "equal_repeats": 2}
    )
    assert assembly.shape == (2, 24, 1)
    assert stimuli.sizes["stimulus"] == 12


def test_cowley_raw(cowley_folder):
    assembly, stimuli = make(cowley_folder)
    raw = cowley_folder.raw
    assert assembly.sizes["presentation"] == np.isfinite(raw[0]).sum()
    for column in range(assembly.sizes["presentation"]):
        image = int(assembly.stimulus_id.values[column][5:]) - 1
        repetition = assembly.repetition.values[column]
        np.testing.assert_array_equal(assembly.values[:, column], raw[:, image, repetition])
    assert list(assembly.neuroid_id.values[:2]) == ["210325_000", "210325_001"]
    assert set(assembly.region.values) == {"V4"}
    assert set(assembly.animal.values) == {"PE"}
    np.testing.assert_array_equal(stimuli.images.values, cowley_folder.images)
    assert set(stimuli.category.values) == {""}


def test_cowley_averaged(cowley_folder):
    assembly, _ = make(cowley_folder, write={"responses": "averaged"})
    raw, _ = make(cowley_folder)
    np.testing.assert_allclose(assembly.values, recordings.stimulus_means(raw).values, rtol=1e-12)
    assert (assembly.repetition == 0).all()
    assert assembly.attrs["repeats_averaged"] == 8
    with pytest.raises(TgsageError, match="published averaged"):
        recordings.reliability(assembly)


def test_images_go_by_number_not_by_name(cowley_folder):
    """image10 comes after image2."""
    cowley_folder.files = {
        f"image{index + 1}.png": content for index, content in enumerate(cowley_folder.files.values())
    }
    _, stimuli = make(cowley_folder)
    np.testing.assert_array_equal(stimuli.images.values, cowley_folder.images)


def test_kriegeskorte_monkey(kriegeskorte_folder):
    published, stimuli = make(kriegeskorte_folder)
    assert published.rdm.dims == ("measurement", "pair")
    np.testing.assert_array_equal(published.rdm.values, kriegeskorte_folder.upper[:1])
    assert published.attrs["n_sites"] == 674
    assert published.attrs["visual_degrees"] == stimuli.attrs["visual_degrees"] == 7.0
    np.testing.assert_array_equal(stimuli.images.values, np.stack(kriegeskorte_folder.images))
    assert list(stimuli.category.values[:5]) == ["kind 0"] * 4 + ["kind 1"]
    assert stimuli.human.dtype == bool


def test_kriegeskorte_human(kriegeskorte_folder):
    published, stimuli = make(kriegeskorte_folder, write={"species": "human"})
    np.testing.assert_array_equal(published.rdm.values, kriegeskorte_folder.upper[1:])
    assert list(published.measurement.values[:3]) == ["BE_1", "BE_2", "KO_1"]
    assert stimuli.attrs["visual_degrees"] == 2.9
    some, _ = make(kriegeskorte_folder, write={"species": "human"}, selection={"animals": ["KO"]})
    assert list(some.measurement.values) == ["KO_1", "KO_2"]
    assert some.attrs["n_animals"] == 1


def test_each_source_through_the_right_door(kriegeskorte_folder, brainio_package):
    rdms = plugins.settings("recordings", kriegeskorte_folder.write())
    with pytest.raises(TgsageError, match="make_published_rdm"):
        recordings.make(rdms, kriegeskorte_folder.folder)
    responses = plugins.settings("recordings", brainio_package.write())
    with pytest.raises(TgsageError, match="use make instead"):
        recordings.make_published_rdm(responses, brainio_package.folder)


# What they say about bad ones: spoil(package) before the files are written, damage(folder) after.


def spoil_assembly(function):
    return lambda package: setattr(package, "assembly", function(package.assembly))


def set_value(index, value):
    def spoil(package):
        package.assembly[index] = value

    return spoil


def rename_site(package):
    names = package.assembly.neuroid_id.values.copy()
    names[1] = names[0]
    package.assembly = package.assembly.assign_coords(neuroid_id=("neuroid", names))


def same_repetition(package):
    package.assembly = package.assembly.assign_coords(
        repetition=("presentation", np.zeros(package.assembly.sizes["presentation"], int))
    )


BRAINIO = {
    "no assembly": (None, lambda f: (f / "assembly.nc").unlink(), r"assembly\.nc: no such file"),
    "assembly truncated": (
        None,
        lambda f: truncate(f / "assembly.nc"),
        r"assembly\.nc: cannot be read as netCDF",
    ),
    "no csv": (None, lambda f: (f / "stimuli.csv").unlink(), r"stimuli\.csv: no such file"),
    "csv empty": (
        None,
        lambda f: (f / "stimuli.csv").write_bytes(b""),
        r"stimuli\.csv: cannot be read as csv",
    ),
    "csv binary": (None, lambda f: (f / "stimuli.csv").write_bytes(b"\xff\xfe\x00\x80a"), r"stimuli\.csv"),
    "csv without ids": (
        lambda p: setattr(p, "table", p.table.drop(columns="stimulus_id")),
        None,
        "no column stimulus_id",
    ),
    "csv with an id twice": (
        lambda p: p.table.__setitem__("stimulus_id", "image_00"),
        None,
        "image_00 occurs more",
    ),
    "no zip": (None, lambda f: (f / "stimuli.zip").unlink(), r"stimuli\.zip: no such file or folder"),
    "zip truncated": (None, lambda f: truncate(f / "stimuli.zip"), r"stimuli\.zip: cannot be read as a zip"),
    "image missing": (
        lambda p: p.files.pop("image_03.png"),
        None,
        r"stimuli\.zip: holds no image image_03\.png",
    ),
    "image nobody names": (
        lambda p: p.files.update(extra=b"", **{"z.png": b"x"}),
        None,
        r"z\.png belongs to no",
    ),
    "image truncated": (
        lambda p: p.files.update({"image_02.png": p.files["image_02.png"][:300]}),
        None,
        r"stimuli\.zip: image_02\.png cannot be decoded",
    ),
    "image of another size": (
        lambda p: p.files.update({"image_05.png": jpeg(np.zeros((9, 8, 3), np.uint8))}),
        None,
        r"several sizes: image_00\.png is 16x16 and image_05\.png is 8x9",
    ),
    "shown without image": (
        lambda p: (setattr(p, "table", p.table.iloc[1:]), p.files.pop("image_00.png")),
        None,
        "stimulus image_00 of the assembly has no image",
    ),
    "image never shown": (
        spoil_assembly(lambda a: a.isel(presentation=a.stimulus_id.values != "image_07")),
        None,
        "image image_07 was never shown",
    ),
    "NaN": (set_value((1, 1), np.nan), None, r"assembly\.nc: 1 responses are NaN"),
    "negative": (set_value((1, 1), -2), None, "counts are negative"),
    "constant": (set_value(2, 4), None, "site site_2 never varies"),
    "site twice": (rename_site, None, "neuroid_id site_0 occurs more than once"),
    "repetition twice": (same_repetition, None, r"stimulus image_\d+ has repetition 0 more than once"),
    "no region": (
        spoil_assembly(lambda a: a.drop_vars("region")),
        None,
        "coordinate region on neuroid is missing",
    ),
    "no presentations": (spoil_assembly(lambda a: a.isel(presentation=[])), None, "presentation is empty"),
}


def set_raw(index, value):
    return lambda package: package.raw.__setitem__(index, value)


def raw_file(folder):
    return folder / "responses_raw" / "responses_210325.npy"


def image_file(folder):
    return folder / "images" / "images_210325.zip"


COWLEY = {
    "no responses": (
        None,
        lambda f: raw_file(f).rename(f / "responses_raw" / "responses_201016.npy"),
        r"responses_210325\.npy: no such file; sessions with raw responses here: 201016",
    ),
    "responses truncated": (None, lambda f: truncate(raw_file(f)), r"\.npy: cannot be read as npy"),
    "responses are text": (None, lambda f: raw_file(f).write_text("no"), "cannot be read as npy"),
    "responses are objects": (
        None,
        lambda f: np.save(raw_file(f), np.array([{}, None]), allow_pickle=True),
        "cannot be read as npy",
    ),
    "responses of another shape": (
        lambda p: setattr(p, "raw", p.averaged),
        None,
        r"shape \(5, 12\); expected",
    ),
    "no images": (None, lambda f: image_file(f).unlink(), r"images_210325\.zip: no such file or folder"),
    "images truncated": (None, lambda f: truncate(image_file(f)), "cannot be read as a zip"),
    "image missing": (lambda p: p.files.pop("image0003.png"), None, "holds no image number 3"),
    "image without responses": (
        lambda p: p.files.update({"image0013.png": p.files["image0001.png"]}),
        None,
        r"image image0013\.png has no responses",
    ),
    "image without number": (lambda p: p.files.update({"cat.png": b""}), None, r"cat\.png has no number"),
    "image of another size": (
        lambda p: p.files.update({"image0004.png": jpeg(np.zeros((8, 8, 3), np.uint8))}),
        None,
        "several sizes",
    ),
    "NaN in one neuron": (set_raw((2, 3, 0), np.nan), None, "neuron 2 to image0004 is NaN in repetition 0"),
    "no repetition": (set_raw((slice(None), 5), np.nan), None, "image0006 has no repetition at all"),
    "infinite": (set_raw((1, 1, 1), np.inf), None, "NaN or infinite"),
    "negative": (set_raw((1, 1, 1), -1), None, "counts are negative"),
    "constant": (lambda p: p.raw.__setitem__(3, p.raw[3] * 0 + 2), None, "210325_003 never varies"),
}


def supplement(folder):
    return folder / "Kriegeskorte_Neuron2008_supplementalData.mat"


def one_small_image(package):
    package.images[4] = package.images[4][:8]


KRIEGESKORTE = {
    "no file": (None, lambda f: supplement(f).unlink(), r"supplementalData\.mat: no such file"),
    "truncated": (
        None,
        lambda f: truncate(supplement(f)),
        r"supplementalData\.mat: cannot be read as a MATLAB",
    ),
    "text": (None, lambda f: supplement(f).write_text("no"), "cannot be read as a MATLAB"),
    "no human file": (None, lambda f: (f / "92_brainRDMs.mat").unlink(), r"92_brainRDMs\.mat: no such file"),
    "human truncated": (
        None,
        lambda f: truncate(f / "92_brainRDMs.mat"),
        r"92_brainRDMs\.mat: cannot be read",
    ),
    "no stimuli": (lambda p: p.variables.update(stimuli="other"), None, "has no stimuli_92objs"),
    "no monkey": (
        lambda p: p.variables.update(monkey="other"),
        None,
        "has no RDMs_mIT_hIT_fig1; is this the published",
    ),
    "images of several sizes": (one_small_image, None, "several sizes"),
    "image too few": (lambda p: p.images.pop(), None, "pairs, not those of 11|not that of 11 stimuli"),
    "NaN in the monkey": (
        lambda p: p.monkey.__setitem__(0, np.nan),
        None,
        "no value for stimulus_01 and stimulus_02",
    ),
    "NaN in a human": (lambda p: p.human.__setitem__((0, 0, 2), np.nan), None, "not symmetric|no value for"),
    "not symmetric": (lambda p: p.human.__setitem__((0, 0, 2), 9.0), None, "not symmetric"),
    "constant": (lambda p: (p.monkey.fill(1), p.human.fill(1)), None, "never varies"),
    "misnamed": (lambda p: p.names.__setitem__(1, "BE"), None, "is not named"),
}
HUMAN = ("no human file", "human truncated", "NaN in a human", "not symmetric", "misnamed")


def check_one_line(package, case, **write):
    spoil, damage, message = case
    if spoil:
        spoil(package)
    settings = plugins.settings("recordings", package.write(**write))
    if damage:
        damage(package.folder)
    before = sorted(package.folder.rglob("*"))
    published = settings.source == "kriegeskorte2008"
    with warnings.catch_warnings(), pytest.raises(TgsageError, match=message) as caught:
        warnings.simplefilter("error")
        (recordings.make_published_rdm if published else recordings.make)(settings, package.folder)
    assert "\n" not in str(caught.value)
    assert sorted(package.folder.rglob("*")) == before


@pytest.mark.parametrize("case", BRAINIO)
def test_bad_brainio_packages_are_one_line(brainio_package, case):
    check_one_line(brainio_package, BRAINIO[case])


@pytest.mark.parametrize("case", COWLEY)
def test_bad_cowley_folders_are_one_line(cowley_folder, case):
    check_one_line(cowley_folder, COWLEY[case])


@pytest.mark.parametrize("case", KRIEGESKORTE)
def test_bad_kriegeskorte_files_are_one_line(kriegeskorte_folder, case):
    species = "human" if case in HUMAN else "monkey"
    check_one_line(kriegeskorte_folder, KRIEGESKORTE[case], species=species)


def test_nan_in_the_averaged_responses(cowley_folder):
    cowley_folder.averaged[2, 4] = np.nan
    with pytest.raises(TgsageError, match="site 210325_002 to stimulus image0005"):
        make(cowley_folder, write={"responses": "averaged"})


def test_unknown_image_column(brainio_package):
    with pytest.raises(TgsageError, match="did you mean 'filename'"):
        make(brainio_package, image_column="filenames")


def test_a_selection_that_a_published_rdm_cannot_have(kriegeskorte_folder):
    with pytest.raises(TgsageError, match=r"selection\.equal_repeats: cannot be applied"):
        make(kriegeskorte_folder, selection={"equal_repeats": 3})
    with pytest.raises(TgsageError, match=r"unknown animal 'KO'.*valid: monkeys"):
        make(kriegeskorte_folder, selection={"animals": ["KO"]})
