"""Teacher files and the stage."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
import xarray as xr
from scipy.stats import rankdata

import tgsage.teacher as teachers
from tgsage import plugins
from tgsage.errors import TgsageError
from tgsage.rdm import subset
from tgsage.store import stage_digest
from tgsage.store.code import closure
from tgsage.teacher.format import targets_of, tree
from tgsage.teacher.kinds.images.plugin import ImageTeacher
from tgsage.teacher.kinds.recordings.plugin import RecordedTeacher
from tgsage.teacher.kinds.shuffled.plugin import ShuffledTeacher


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
        xr.testing.assert_identical(targets_of(again)[name], group)
        rows = [2 * rankdata(row) - (len(row) + 1) for row in group["category_rdm"].values]
        np.testing.assert_array_equal(again[name]["ranks"].values, np.concatenate(rows))
        assert again[name]["ranks"].dtype == np.int32
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
    teachers.save(teacher, tmp_path / "ranks.nc")
    with netCDF4.Dataset(tmp_path / "ranks.nc", "a") as file:
        file["V4"]["ranks"][3] += 1
    with pytest.raises(TgsageError, match="ranks of 'V4' are not those written; make the teacher again"):
        teachers.load(tmp_path / "ranks.nc")
    changed = targets_of(teacher)
    changed["V4"]["rdm"].values[5] += 1
    xr.DataTree.from_dict({"/": xr.Dataset(attrs=teacher.attrs), **changed}).to_netcdf(
        tmp_path / "changed.nc"
    )
    with pytest.raises(TgsageError, match="not what its digest says"):
        teachers.load(tmp_path / "changed.nc")


def test_a_teacher_with_an_unknown_distance_has_no_ranks(
    make_assembly: Callable, make_stimuli: Callable, tmp_path: Path
) -> None:
    teacher = teachers.build(make_assembly(), ["V4", "IT"], stimuli=make_stimuli())
    targets = targets_of(teacher)
    targets["V4"]["rdm"].values[:] = np.nan
    teachers.save(tree(targets, teacher.attrs), tmp_path / "a.nc")
    again = teachers.load(tmp_path / "a.nc")
    assert "ranks" not in again["V4"]
    place = 0
    for part in again["IT"]["part"].values:
        members = again["IT"]["split"].values == part
        values = subset(again["IT"]["rdm"].values, members)
        ranks = again["IT"]["ranks"].values[place : place + values.size]
        np.testing.assert_array_equal(ranks, 2 * rankdata(values) - (values.size + 1))
        place += values.size
    assert place == again["IT"].sizes["ranked_pair"]


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
        ShuffledTeacher(kind="shuffled", of="monkey"), "shuffled", original=tmp_path / "monkey.nc"
    )
    assert shuffled.attrs["of"] == "monkey"
    pixels = teachers.make(
        ImageTeacher(kind="images", of="monkey", features="pixels"), "pixels", original=made
    )
    assert pixels.attrs["kind"] == "images"


def test_the_stage_says_what_it_lacks(make_assembly: Callable, make_stimuli: Callable) -> None:
    settings = RecordedTeacher(kind="recordings", targets={"V4": {"recordings": "one", "region": "V4"}})
    with pytest.raises(TgsageError, match=r"unknown recordings of teacher 'm'.*'one'"):
        teachers.make(settings, "m", recordings={"two": (make_assembly(), make_stimuli())})
    with pytest.raises(TgsageError, match="needs the teacher 'monkey'"):
        teachers.make(ShuffledTeacher(kind="shuffled", of="monkey"), "shuffled")


def kind_settings() -> dict[str, Any]:
    """Settings of every kind of teacher."""
    targets = {"V4": {"recordings": "one", "region": "V4"}}
    needed = {
        "recordings": {"targets": targets},
        "encoded": {"targets": targets, "features": {"network": "untrained"}},
        "encoded_control": {"of": "monkey", "control": "bare"},
        "shuffled": {"of": "monkey"},
        "images": {"of": "monkey", "features": "gabor"},
        "pretrained": {"architecture": "timm:vgg", "layers": ["one", "two"]},
    }
    names = [plugin.plugin_name() for plugin in plugins.every("teacher")]
    return {name: plugins.settings("teacher", name, **needed.get(name, {})) for name in names}


def test_the_code_of_one_kind_is_apart_from_that_of_another() -> None:
    every = kind_settings()
    digests = {name: stage_digest("teacher.stage", settings=[chosen]) for name, chosen in every.items()}
    assert len(set(digests.values())) == len(every) >= 7
    for name, chosen in every.items():
        modules = closure("tgsage.teacher.stage", chosen.code_module())
        kinds = {module.split(".")[3] for module in modules if module.startswith("tgsage.teacher.kinds.")}
        assert kinds - {"encoded"} <= {name}, name
        assert ("encoded" in kinds) == name.startswith("encoded"), name


def test_a_kind_is_imported_when_it_is_used() -> None:
    code = (
        "import sys, tgsage.teacher.stage, tgsage.teacher.kinds.shuffled.teacher; "
        "from tgsage import plugins; plugins.every('teacher'); "
        "print([m for m in sys.modules if m == 'torch' or m.startswith('tgsage.teacher.kinds')])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    modules = [name for name in ast.literal_eval(loaded) if not name.endswith(".plugin")]
    assert "torch" not in modules
    assert [name for name in modules if name.endswith(".teacher")] == [
        "tgsage.teacher.kinds.shuffled.teacher"
    ]


def test_kinds_say_what_they_are_made_of_and_what_their_targets_are() -> None:
    every = kind_settings()
    teachers_of_run = {**every, "monkey": every["encoded"]}
    facts = {
        name: (
            chosen.target_names(teachers_of_run),
            chosen.datasets(teachers_of_run),
            chosen.original,
            chosen.is_control,
            chosen.runs_network,
        )
        for name, chosen in every.items()
    }
    assert facts == {
        "recordings": (["V4"], ["one"], None, False, False),
        "encoded": (["V4"], ["one"], None, False, True),
        "encoded_control": (["V4"], ["one"], "monkey", True, True),
        "shuffled": (["V4"], [], "monkey", True, False),
        "images": (["V4"], [], "monkey", True, False),
        "network": (["stack_1", "stack_2", "stack_3"], [], None, False, True),
        "pretrained": (["one", "two"], [], None, False, True),
    }


def test_public_names_are_the_same_objects_whatever_is_imported() -> None:
    first = {name: getattr(teachers, name) for name in teachers.__all__}
    for module in pkgutil.walk_packages(teachers.__path__, "tgsage.teacher."):
        importlib.import_module(module.name)
    assert {name: getattr(teachers, name) for name in teachers.__all__} == first
    assert all(callable(public) for public in first.values())
    assert {"build", "make", "save", "load", "shuffled", "image_teacher"} <= set(dir(teachers))


def test_words_for_readers_are_not_in_the_digest(teacher: xr.DataTree) -> None:
    attributes = {**teacher.attrs, "mark": "another", "words": "wording"}
    assert tree(targets_of(teacher), attributes).attrs["digest"] == teacher.attrs["digest"]
    other = tree(targets_of(teacher), {**teacher.attrs, "compare": "pearson"})
    assert other.attrs["digest"] != teacher.attrs["digest"]


def test_what_figures_say_of_a_teacher_is_in_its_file(teacher: xr.DataTree) -> None:
    assert teacher.attrs["mark"] == "Simulated recordings"
    assert teacher.attrs["words"] == "Simulated recordings."
    shuffled = teachers.shuffled(teacher)
    assert shuffled.attrs["mark"] == "Simulated recordings; control: stimuli of recordings shuffled"
    pixels = teachers.image_teacher(shuffled, "pixels")
    assert pixels.attrs["mark"] == "Simulated recordings; control: pixels"
