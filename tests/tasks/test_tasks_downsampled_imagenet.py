from __future__ import annotations

import os

import numpy as np
import pytest
from task_stand_ins import downsampled_content, noise, write_downsampled, write_pickle

from tgsage import tasks
from tgsage.errors import TgsageError
from tgsage.tasks.readers.downsampled_imagenet.plugin import DownsampledImageNet


def settings(**changes):
    values = {"batches": 2, "resolution": 8, "n_validation": 8, "classes": [1, 2, 3, 4]}
    return DownsampledImageNet(source="downsampled_imagenet", **{**values, **changes})


@pytest.mark.parametrize(("kind", "protocol"), [("pickle", 2), ("pickle", 3), ("pickle", 4), ("npz", None)])
def test_pixels_and_labels_are_the_published_ones(tmp_path, kind, protocol):
    write_downsampled(tmp_path, kind=kind, protocol=protocol)
    task = tasks.make(settings(files=kind), tmp_path)
    assert (len(task.train), len(task.validation), len(task.test)) == (72, 8, 40)
    assert (task.name, task.classes) == ("downsampled_imagenet", ("1", "2", "3", "4"))
    for seeds, parts in (((0, 1), (task.train, task.validation)), ((2,), (task.test,))):
        published = {}
        for seed in seeds:
            names = tasks.image_hashes(noise(40, 8, 8, 3, seed=seed))
            published.update(zip(names, downsampled_content(40, seed)["labels"], strict=True))
        for part in parts:
            # Published labels count from 1.
            assert [published[name] - 1 for name in tasks.image_hashes(part.images)] == part.labels.tolist()


def test_pickles_npz_and_pieces_of_any_size_are_one_task(tmp_path, monkeypatch):
    write_downsampled(tmp_path)
    write_downsampled(tmp_path, kind="npz")
    digests = {tasks.make(settings(files=kind), tmp_path).digest for kind in ("pickle", "npz")}
    monkeypatch.setattr("tgsage.tasks.readers.downsampled_imagenet.reader.PIECE", 7)
    digests |= {tasks.make(settings(files=kind), tmp_path).digest for kind in ("pickle", "npz")}
    assert len(digests) == 1


def test_classes_by_label_or_by_wnid(tmp_path):
    write_downsampled(tmp_path)
    by_label = tasks.make(settings(classes=[3, "1"]), tmp_path)
    by_wnid = tasks.make(settings(classes=["n00000003", 1], class_map="map_clsloc.txt"), tmp_path)
    assert by_label.classes == ("3", "1")
    assert by_wnid.classes == ("n00000003", "n00000001")
    for part in ("train", "validation", "test"):
        np.testing.assert_array_equal(getattr(by_label, part).images, getattr(by_wnid, part).images)
        np.testing.assert_array_equal(getattr(by_label, part).labels, getattr(by_wnid, part).labels)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"classes": [0, 1]}, r"task\.classes: 0 is no label from 1 to 1000"),
        ({"classes": [1, 1001]}, r"task\.classes: 1001 is no label from 1 to 1000"),
        (
            {"classes": [1, "n00000002"]},
            r"'n00000002' is no label from 1 to 1000; wnids need task\.class_map",
        ),
        (
            {"classes": [1, "n0000002"], "class_map": "map_clsloc.txt"},
            r"'n0000002' is no wnid of map_clsloc\.txt .did you mean",
        ),
        ({"classes": [1, "1"]}, r"task\.classes: a class is named twice"),
        ({"classes": [1, 5]}, r"Imagenet64: class '5' has no test images"),
        ({"class_map": "other.txt"}, r"other\.txt: no such file"),
    ],
)
def test_wrong_classes_are_one_line(tmp_path, changes, words):
    write_downsampled(tmp_path)
    with pytest.raises(TgsageError, match=words) as caught:
        tasks.make(settings(**changes), tmp_path)
    assert "\n" not in str(caught.value)


def test_the_files_that_are_read(tmp_path):
    files = DownsampledImageNet(source="downsampled_imagenet").raw_files(tmp_path)
    assert [file.name for file in files] == [*(f"train_data_batch_{i}" for i in range(1, 11)), "val_data"]
    files = settings(files="npz", class_map="map.txt").raw_files(tmp_path)
    assert [file.name for file in files] == [
        "train_data_batch_1.npz", "train_data_batch_2.npz", "val_data.npz", "map.txt",
    ]  # fmt: skip


class _Runs:
    def __reduce__(self):
        return os.system, ("true",)


def _write(folder, name, kind, content):
    if kind == "npz":
        np.savez(folder / f"{name}.npz", **content)
    else:
        write_pickle(folder / name, content)


def _lacking(name):
    return {key: value for key, value in downsampled_content(40, 1).items() if key != name}


MALFORMED = {
    "missing": (None, "no such file"),
    "truncated": (b"cut", "truncated"),
    "no such format": (b"text", "truncated"),
    "lacks data": (_lacking("data"), "'data'"),
    "lacks labels": (_lacking("labels"), "'labels'"),
    "floats": ({"data": np.zeros((40, 192))}, r"data are float64 \(40, 192\)"),
    "no square": ({"data": np.zeros((40, 191), np.uint8)}, r"data are uint8 \(40, 191\)"),
    "four dimensions": ({"data": np.zeros((40, 3, 8, 8), np.uint8)}, r"data are uint8 \(40, 3, 8, 8\)"),
    "single value": ({"data": np.uint8(3)}, r"data are uint8 \(\)"),
    "label 0": ({"labels": [0] * 40}, "image 0 has label 0, which is none of the 1000 classes"),
    "label 1001": ({"labels": [1] * 39 + [1001]}, "image 39 has label 1001"),
    "too few labels": ({"labels": [1] * 39}, "has 40 images and labels"),
    "text labels": ({"labels": ["a"] * 40}, "has 40 images and labels"),
    "other size": (downsampled_content(40, 1, side=16), r"batches of 8x8 .* and 16x16 .* pixels"),
}


@pytest.mark.parametrize("kind", ["pickle", "npz"])
@pytest.mark.parametrize("cause", MALFORMED)
def test_malformed_batches_are_one_line(tmp_path, cause, kind):
    folder = write_downsampled(tmp_path, kind=kind)
    content, words = MALFORMED[cause]
    path = folder / ("train_data_batch_2" + (".npz" if kind == "npz" else ""))
    if content is None:
        path.unlink()
    elif content == b"cut":
        path.write_bytes(path.read_bytes()[:-200])
    elif content == b"text":
        path.write_bytes(b"<html>not found</html>")
    elif cause.startswith(("lacks", "other size")):
        _write(folder, "train_data_batch_2", kind, content)
    else:
        _write(folder, "train_data_batch_2", kind, downsampled_content(40, 1) | content)
    with pytest.raises(TgsageError, match=words) as caught:
        tasks.make(settings(files=kind), tmp_path)
    assert "\n" not in str(caught.value)
    assert "Imagenet64" in str(caught.value)


def test_python_objects_are_never_built(tmp_path):
    folder = write_downsampled(tmp_path)
    write_pickle(folder / "val_data", downsampled_content(40, 2) | {"x": _Runs()})
    with pytest.raises(TgsageError, match=r"val_data: .*which an image file has no need of"):
        tasks.make(settings(), tmp_path)
    folder = write_downsampled(tmp_path, kind="npz")
    np.savez(folder / "val_data.npz", data=np.array([_Runs()] * 3, dtype=object), labels=[1, 2, 3])
    with pytest.raises(TgsageError, match=r"val_data\.npz: data holds Python objects, which are not read"):
        tasks.make(settings(files="npz"), tmp_path)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("n1 1 a\nn2 1 b\n", "line 2 is no wnid with a label of its own"),
        ("n1 one a\n", "line 1 is no wnid with a label of its own"),
        ("n1\n", "line 1 is no wnid with a label of its own"),
        ("n1 1 a\nn2 2 b\n", "has 2 classes, not one wnid for each label from 1 to 1000"),
        ("".join(f"n {label} x\n" for label in range(1, 1001)), "has 1000 classes, not one wnid for each"),
    ],
)
def test_malformed_class_maps_are_one_line(tmp_path, lines, words):
    folder = write_downsampled(tmp_path)
    (folder / "map_clsloc.txt").write_text(lines)
    with pytest.raises(TgsageError, match=f"map_clsloc.txt: {words}"):
        tasks.make(settings(class_map="map_clsloc.txt"), tmp_path)


def test_published_images_are_resized(tmp_path):
    write_downsampled(tmp_path)
    small = tasks.make(settings(resolution=8, n_validation=8), tmp_path)
    large = tasks.make(settings(resolution=16, n_validation=8), tmp_path)
    assert (small.resolution, large.resolution) == (8, 16)
