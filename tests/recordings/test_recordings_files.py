"""Writing and reading of assemblies, stimuli and published RDMs; BrainIO reads ours and we read BrainIO's."""

from __future__ import annotations

import brainio.assemblies
import brainio.packaging
import numpy as np
import pytest
import xarray as xr

from tgsage import recordings
from tgsage.errors import TgsageError


@pytest.mark.parametrize("bins", [None, 2])
def test_an_assembly_comes_back_as_it_was(small_assembly, tmp_path, bins):
    assembly = small_assembly(bins=bins)
    assembly.attrs |= {"simulated": 1, "window_ms": [70, 170], "nothing": None}
    before = assembly.copy(deep=True)
    recordings.save(assembly, tmp_path / "deep" / "assembly.nc")
    assert assembly.identical(before)
    loaded = recordings.load(tmp_path / "deep" / "assembly.nc")
    assert loaded.dtype == assembly.dtype
    assert loaded.dims == assembly.dims
    assert loaded.equals(assembly.rename("data"))
    assert set(map(str, loaded.coords)) == set(map(str, assembly.coords))
    assert loaded.attrs["simulated"] == 1
    assert loaded.attrs["window_ms"] == [70, 170]
    assert loaded.attrs["units"] == "counts"
    assert loaded.attrs["digest"] == recordings.content_digest(loaded) == recordings.content_digest(assembly)
    assert [item.name for item in (tmp_path / "deep").iterdir()] == ["assembly.nc"]


def test_the_layout_on_disk_is_brainios(small_assembly, tmp_path):
    recordings.save(small_assembly(bins=2), tmp_path / "assembly.nc")
    with xr.open_dataset(tmp_path / "assembly.nc") as file:
        assert list(file.data_vars) == ["data"]
        assert all(coord.ndim == 1 for coord in file.coords.values())
        assert file.attrs["stimulus_set_identifier"] == "lab.Test2020"
        assert not file.indexes


def test_brainio_opens_our_assembly(small_assembly, tmp_path):
    assembly = small_assembly(bins=2)
    recordings.save(assembly, tmp_path / "assembly.nc")
    theirs = brainio.assemblies.AssemblyLoader(
        cls=brainio.assemblies.NeuronRecordingAssembly, file_path=tmp_path / "assembly.nc"
    ).load()
    theirs.validate()
    assert isinstance(theirs, brainio.assemblies.NeuronRecordingAssembly)
    np.testing.assert_array_equal(theirs.values, assembly.values)
    assert {"neuroid_id", "region", "animal", "stimulus_id", "repetition"} <= set(
        brainio.assemblies.get_levels(theirs)
    )
    np.testing.assert_array_equal(theirs["stimulus_id"].values, assembly.stimulus_id.values)
    assert theirs.attrs["stimulus_set_identifier"] == "lab.Test2020"
    assert theirs.sel(region="IT").sizes["neuroid"] == 3


def test_we_read_what_brainio_writes(small_assembly, tmp_path):
    assembly = small_assembly(bins=1)
    theirs = brainio.assemblies.NeuronRecordingAssembly(assembly)
    brainio.packaging.write_netcdf(theirs, tmp_path / "theirs.nc")
    loaded = recordings.load(tmp_path / "theirs.nc")
    np.testing.assert_array_equal(loaded.values, assembly.values)
    for name in assembly.coords:
        np.testing.assert_array_equal(loaded[name].values, assembly[name].values)
    # and what BrainIO holds in memory, multi-indexes and all
    recordings.save(theirs, tmp_path / "ours.nc")
    assert recordings.load(tmp_path / "ours.nc").equals(loaded)


def test_old_names_and_other_orders(small_assembly, tmp_path):
    assembly = small_assembly(bins=1)
    old = assembly.rename({"stimulus_id": "image_id"}).drop_vars(["repetition", "animal"])
    old = old.transpose("presentation", "time_bin", "neuroid")
    old.to_dataset(name="dicarlo.MajajHong2015.public").to_netcdf(tmp_path / "old.nc")
    loaded = recordings.load(tmp_path / "old.nc")
    assert loaded.dims == ("neuroid", "presentation", "time_bin")
    np.testing.assert_array_equal(loaded.values, assembly.values)
    np.testing.assert_array_equal(loaded.stimulus_id.values, assembly.stimulus_id.values)
    assert "image_id" not in loaded.coords
    assert set(loaded.animal.values) == {"unknown"}
    recordings.validate(loaded)
    assert loaded.repetition.values.max() == 4


def test_stimuli_come_back_as_they_were(small_stimuli, tmp_path):
    stimuli = small_stimuli()
    stimuli.attrs |= {"simulated": 0, "stimulus_set_identifier": "lab.Test2020"}
    stimuli["natural"] = ("stimulus", np.arange(12) % 2 == 0)
    stimuli["label"] = ("stimulus", np.array(["grün", ""] * 6, dtype=object))
    recordings.save_stimuli(stimuli, tmp_path / "stimuli.h5")
    loaded = recordings.load_stimuli(tmp_path / "stimuli.h5")
    assert loaded.images.dtype == np.uint8
    for name in stimuli.variables:
        np.testing.assert_array_equal(loaded[name].values, stimuli[name].values.astype(loaded[name].dtype))
    assert loaded.attrs["visual_degrees"] == 8.0
    assert loaded.attrs["stimulus_set_identifier"] == "lab.Test2020"
    assert loaded.attrs["digest"] == recordings.content_digest(stimuli)


def test_published_rdms_come_back_as_they_were(tmp_path):
    published = xr.Dataset(
        {"rdm": (("measurement", "pair"), np.random.default_rng(0).random((2, 6)))},
        coords={
            "measurement": ["BE_1", "BE_2"],
            "animal": ("measurement", ["BE", "BE"]),
            "stimulus_id": ("stimulus", list("abcd")),
        },
        attrs={"region": "IT", "n_sites": 316, "species": "human", "metric": "correlation"},
    )
    recordings.save_published_rdm(published, tmp_path / "published_rdm.nc")
    loaded = recordings.load_published_rdm(tmp_path / "published_rdm.nc")
    assert loaded.equals(published)
    assert published.attrs.items() <= loaded.attrs.items()
    assert "digest" not in published.attrs


LOADERS = {
    "assembly.nc": recordings.load,
    "stimuli.h5": recordings.load_stimuli,
    "published_rdm.nc": recordings.load_published_rdm,
}


@pytest.mark.parametrize("name", LOADERS)
@pytest.mark.parametrize("damage", ["missing", "truncated", "empty", "text", "folder"])
def test_damaged_files_are_one_line(small_assembly, small_stimuli, tmp_path, name, damage):
    path = tmp_path / name
    if damage == "folder":
        path.mkdir()
    elif damage != "missing":
        if name == "stimuli.h5":
            recordings.save_stimuli(small_stimuli(), path)
        else:
            recordings.save(small_assembly(), path)
        whole = path.read_bytes()
        path.write_bytes({"truncated": whole[: len(whole) // 2], "empty": b"", "text": b"no data"}[damage])
    with pytest.raises(TgsageError, match=name) as caught:
        LOADERS[name](path)
    assert "\n" not in str(caught.value)


def test_flipped_bits_in_the_images_are_noticed(small_stimuli, tmp_path):
    path = tmp_path / "stimuli.h5"
    recordings.save_stimuli(small_stimuli(), path)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 64] = bytes(64)
    path.write_bytes(bytes(content))
    with pytest.raises(TgsageError, match=r"stimuli\.h5"):
        recordings.load_stimuli(path)


def test_other_netcdf_files_are_one_line(tmp_path):
    xr.Dataset({"a": ("x", [1.0]), "b": ("x", [2.0])}).to_netcdf(tmp_path / "other.nc")
    with pytest.raises(TgsageError, match="no variable data"):
        recordings.load(tmp_path / "other.nc")
    xr.Dataset({"data": (("time", "x"), [[1.0]])}).to_netcdf(tmp_path / "dims.nc")
    with pytest.raises(TgsageError, match="dimensions are time, x"):
        recordings.load(tmp_path / "dims.nc")
    with pytest.raises(TgsageError, match="no published RDM"):
        recordings.load_published_rdm(tmp_path / "other.nc")


def test_a_failed_write_leaves_nothing(small_assembly, small_stimuli, tmp_path):
    stimuli = small_stimuli()
    stimuli["a/b"] = ("stimulus", np.arange(12))
    with pytest.raises(TgsageError, match="slash"):
        recordings.save_stimuli(stimuli, tmp_path / "stimuli.h5")
    with pytest.raises(TgsageError, match="region"):
        recordings.save(small_assembly().drop_vars("region"), tmp_path / "assembly.nc")
    assert list(tmp_path.iterdir()) == []


def test_digests_follow_content_only(small_assembly, tmp_path):
    assembly = small_assembly()
    digest = recordings.content_digest(assembly)
    assert recordings.content_digest(assembly.assign_attrs(note="another")) == digest
    assert recordings.content_digest(assembly.copy(data=assembly.values + 1)) != digest
    assert recordings.content_digest(assembly.assign_coords(region=("neuroid", list("vwxyz")))) != digest
