"""Teacher files and the stage."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import tgsage.teacher as teachers
from tgsage.config.teacher import ImageTeacher, RecordedTeacher, ShuffledTeacher
from tgsage.errors import TgsageError
from tgsage.store import stage_digest
from tgsage.teacher.format import targets_of


@pytest.fixture
def teacher(make_assembly: Callable, make_stimuli: Callable) -> xr.DataTree:
    return teachers.build(make_assembly(repeats=(1, 4)), ["V4", "IT"], stimuli=make_stimuli(), rdm="category")


def test_round_trip(teacher: xr.DataTree, tmp_path: Path) -> None:
    path = tmp_path / "teachers" / "monkey.nc"
    teachers.save(teacher, path)
    assert [file.name for file in path.parent.iterdir()] == ["monkey.nc"]
    again = teachers.load(path)
    assert again.attrs == teacher.attrs
    assert list(again.children) == list(teacher.children)
    for name, group in targets_of(teacher).items():
        xr.testing.assert_identical(again[name].to_dataset(), group)
        assert again[name]["images"].dtype == np.uint8
        assert again[name].attrs == group.attrs


def test_the_digest_is_of_the_content(
    make_assembly: Callable, make_stimuli: Callable, teacher: xr.DataTree
) -> None:
    same = teachers.build(make_assembly(repeats=(1, 4)), ["V4", "IT"], stimuli=make_stimuli(), rdm="category")
    assert same.attrs["digest"] == teacher.attrs["digest"]
    other = teachers.build(
        make_assembly(repeats=(1, 4), seed=1), ["V4", "IT"], stimuli=make_stimuli(), rdm="category"
    )
    assert other.attrs["digest"] != teacher.attrs["digest"]


def test_a_teacher_without_images_is_saved_too(make_assembly: Callable, tmp_path: Path) -> None:
    teacher = teachers.build(make_assembly(), "V4")
    teachers.save(teacher, tmp_path / "a.nc")
    assert "images" not in teachers.load(tmp_path / "a.nc")["V4"]


def test_files_that_are_no_teacher(teacher: xr.DataTree, tmp_path: Path) -> None:
    with pytest.raises(TgsageError, match="make the teacher with"):
        teachers.load(tmp_path / "absent.nc")
    (tmp_path / "text.nc").write_text("not netCDF")
    with pytest.raises(TgsageError, match="cannot be read as netCDF"):
        teachers.load(tmp_path / "text.nc")
    xr.Dataset({"a": 1}).to_netcdf(tmp_path / "other.nc")
    with pytest.raises(TgsageError, match="is not a teacher file"):
        teachers.load(tmp_path / "other.nc")
    lacking = teacher.copy()
    lacking["V4"] = xr.DataTree(teacher["V4"].to_dataset().drop_vars("rdm"))
    lacking.to_netcdf(tmp_path / "lacking.nc")
    with pytest.raises(TgsageError, match="target 'V4' lacks rdm"):
        teachers.load(tmp_path / "lacking.nc")
    changed = targets_of(teacher)
    changed["V4"]["rdm"].values[5] += 1
    xr.DataTree.from_dict({"/": xr.Dataset(attrs=teacher.attrs), **changed}).to_netcdf(
        tmp_path / "changed.nc"
    )
    with pytest.raises(TgsageError, match="not what its digest says"):
        teachers.load(tmp_path / "changed.nc")


def test_ceiling_of_a_part(teacher: xr.DataTree) -> None:
    lower, upper = teachers.ceiling(teacher["V4"], "report")
    assert (lower, upper) == (
        teacher["V4"]["ceiling_lower"].sel(part="report").item(),
        teacher["V4"]["ceiling_upper"].sel(part="report").item(),
    )
    with pytest.raises(TgsageError, match="unknown part"):
        teachers.ceiling(teacher["V4"], "choose")


def test_the_stage_reads_files(
    make_assembly: Callable, make_stimuli: Callable, make_task: Callable, tmp_path: Path
) -> None:
    from tgsage import recordings, tasks

    folder = tmp_path / "recordings" / "one"
    recordings.save(make_assembly(), folder / "assembly.nc")
    recordings.save_stimuli(make_stimuli(), folder / "stimuli.h5")
    tasks.save(make_task(), tmp_path / "task.h5")
    settings = RecordedTeacher(kind="recordings", targets={"V4": {"recordings": "one", "region": "V4"}})
    made = teachers.make(
        settings, "monkey", task=tmp_path / "task.h5", recordings={"one": folder}, method="pearson"
    )
    assert made.attrs["compare"] == "pearson"
    teachers.save(made, tmp_path / "monkey.nc")
    direct = teachers.build(make_assembly(), "V4", stimuli=make_stimuli(), resolution=16)
    assert (made["V4"]["rdm"].values == direct["V4"]["rdm"].values).all()
    shuffled = teachers.make(
        ShuffledTeacher(kind="shuffled", of="monkey"), "shuffled", of=tmp_path / "monkey.nc"
    )
    assert shuffled.attrs["of"] == "monkey"
    pixels = teachers.make(ImageTeacher(kind="images", of="monkey", features="pixels"), "pixels", of=made)
    assert pixels.attrs["kind"] == "images"


def test_the_stage_says_what_it_lacks(make_assembly: Callable, make_stimuli: Callable) -> None:
    settings = RecordedTeacher(kind="recordings", targets={"V4": {"recordings": "one", "region": "V4"}})
    with pytest.raises(TgsageError, match=r"unknown recordings of teacher 'm'.*'one'"):
        teachers.make(settings, "m", recordings={"two": (make_assembly(), make_stimuli())})
    with pytest.raises(TgsageError, match="needs the teacher 'monkey'"):
        teachers.make(ShuffledTeacher(kind="shuffled", of="monkey"), "shuffled")
    with pytest.raises(TgsageError, match="unknown kind of teacher 'record'"):
        teachers.stage_modules("record")


def test_the_code_of_one_kind_is_apart_from_that_of_another() -> None:
    digests = {
        kind: stage_digest(*teachers.stage_modules(kind))
        for kind in ("recordings", "shuffled", "images", "network")
    }
    assert len(set(digests.values())) == 4
    # A fresh interpreter that makes a shuffled teacher has loaded no other kind, and no torch.
    code = (
        "import sys, tgsage.teacher.controls, tgsage.teacher.sources as s; "
        "print([m for m in sys.modules if m == 'torch' or m.startswith('tgsage.teacher.')])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    names = {name.rpartition(".")[2] for name in ast.literal_eval(loaded)}
    assert names == {"controls", "sources", "files", "ceilings", "splits"}


@pytest.mark.parametrize(
    "name", ["build", "make", "save", "load", "stage_modules", "shuffled", "image_teacher"]
)
def test_public_names(name: str) -> None:
    assert callable(getattr(teachers, name))
    assert name in dir(teachers)
