from __future__ import annotations

import h5py
import numpy as np
import pytest
from task_stand_ins import noise

from tgsage import tasks
from tgsage.errors import TgsageError
from tgsage.tasks.readers.arrays.plugin import ImageArrays

KINDS = ["npz", "h5"]


def settings(**changes):
    values = {"path": "images.npz", "resolution": 10, "n_validation": 6, "n_test": 9}
    return ImageArrays(source="arrays", **{**values, **changes})


def write(path, **arrays):
    if path.suffix == ".npz":
        np.savez_compressed(path, **arrays)
        return
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            values = np.asarray(values)
            if values.dtype.kind in "UO":
                file.create_dataset(name, data=values.astype(object), dtype=h5py.string_dtype())
            else:
                file.create_dataset(name, data=values, compression="gzip" if values.ndim > 1 else None)


def pool(n=60, shape=(10, 10, 3), seed=1):
    return noise(n, *shape, seed=seed), np.arange(n) % 3


def found(part):
    return dict(zip(tasks.image_hashes(part.images), part.labels.tolist(), strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_one_pair_of_arrays_is_split(tmp_path, kind, monkeypatch):
    monkeypatch.setattr("tgsage.tasks.readers.arrays.reader.PIECE", 7)
    images, labels = pool()
    write(tmp_path / f"images.{kind}", images=images, labels=labels)
    task = tasks.make(settings(path=f"images.{kind}"), tmp_path)
    assert (task.name, task.classes, task.simulated) == ("arrays", ("0", "1", "2"), False)
    assert (len(task.train), len(task.validation), len(task.test)) == (45, 6, 9)
    published = dict(zip(tasks.image_hashes(images), labels.tolist(), strict=True))
    for part in (task.train, task.validation, task.test):
        assert found(part).items() <= published.items()


@pytest.mark.parametrize("kind", KINDS)
def test_arrays_per_part(tmp_path, kind):
    parts = {"train": pool(), "val": pool(12, seed=2), "test": pool(15, seed=3)}
    arrays = {f"{name}_{part}": parts[part][index] for part in parts for index, name in enumerate("xy")}
    write(tmp_path / f"images.{kind}", **arrays)
    keys = {"path": f"images.{kind}", "images": "x_{part}", "labels": "y_{part}"}
    task = tasks.make(settings(**keys, n_validation=None, n_test=None), tmp_path)
    for part, name in ((task.train, "train"), (task.validation, "val"), (task.test, "test")):
        np.testing.assert_array_equal(part.images, parts[name][0])
        np.testing.assert_array_equal(part.labels, parts[name][1])
    used = settings(**keys, n_validation=6, n_test=None, published_validation="test")
    with pytest.raises(TgsageError, match="has test images of its own"):
        tasks.make(used, tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_split_that_is_given(tmp_path, kind):
    images, labels = pool()
    words = np.array(["train"] * 30 + ["val", "validation", "validation"] * 4 + ["test"] * 18)
    order = np.random.default_rng(0).permutation(60)
    images, labels, words = images[order], labels[order], words[order]
    names = ["x", "y", "z"]
    write(tmp_path / f"images.{kind}", images=images, labels=labels, part=words, names=names)
    task = tasks.make(
        settings(path=f"images.{kind}", split="part", class_names="names", n_validation=None, n_test=None),
        tmp_path,
    )
    assert task.classes == ("x", "y", "z")
    for part, own in (("train", ["train"]), ("validation", ["val", "validation"]), ("test", ["test"])):
        chosen = np.isin(words, own)
        np.testing.assert_array_equal(getattr(task, part).images, images[chosen])
        np.testing.assert_array_equal(getattr(task, part).labels, labels[chosen])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("names", [["cat", "ant", "bee"], [30, 4, 20]])
def test_classes_are_the_sorted_labels(tmp_path, kind, names):
    images, labels = pool()
    write(tmp_path / f"images.{kind}", images=images, labels=np.array(names)[labels])
    task = tasks.make(settings(path=f"images.{kind}"), tmp_path)
    assert task.classes == tuple(str(name) for name in sorted(names))
    published = dict(zip(tasks.image_hashes(images), labels.tolist(), strict=True))
    for name, label in found(task.train).items():
        assert task.classes[label] == str(names[published[name]])
    chosen = [str(names[0]), str(names[2])]
    assert tasks.make(settings(path=f"images.{kind}", classes=chosen), tmp_path).classes == tuple(chosen)


def test_both_formats_are_one_task(tmp_path):
    images, labels = pool()
    for kind in KINDS:
        write(tmp_path / f"images.{kind}", images=images, labels=labels)
    assert len({tasks.make(settings(path=f"images.{kind}"), tmp_path).digest for kind in KINDS}) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_grey_and_oblong_images(tmp_path, kind):
    images, labels = pool(shape=(10, 14))
    write(tmp_path / f"images.{kind}", images=images, labels=labels)
    crop = tasks.make(settings(path=f"images.{kind}"), tmp_path)
    expected = tasks.image_hashes(np.repeat(images[:, :, 2:12, None], 3, axis=3))
    assert set(found(crop.train)) <= set(expected)
    pad = tasks.make(settings(path=f"images.{kind}", fit="pad", padding=9, resolution=14), tmp_path)
    assert (pad.train.images[:, [0, 1, -2, -1]] == 9).all()
    assert not (pad.train.images[:, 2:12] == 9).all((1, 2, 3)).any()


def test_groups_are_looked_into(tmp_path):
    images, labels = pool()
    with h5py.File(tmp_path / "images.h5", "w") as file:
        file["data/images"], file["data/labels"] = images, labels
    task = tasks.make(settings(path="images.h5", images="data/images", labels="data/labels"), tmp_path)
    assert len(task.train) == 45


IMAGES, LABELS = pool()
MALFORMED = {
    "no such images": ({"pictures": IMAGES, "labels": LABELS}, {}, "unknown array in .*'images'"),
    "no such labels": ({"images": IMAGES, "label": LABELS}, {}, "unknown array in .*'labels' .did you mean"),
    "no such split": ({}, {"split": "part"}, "unknown array in .*'part'"),
    "floats": ({"images": IMAGES / 255}, {}, r"float64 \(60, 10, 10, 3\); .*\(255 \* images\)\.round\(\)"),
    "wide integers": ({"images": IMAGES.astype(int)}, {}, r"images are int64 .*; they must be uint8"),
    "channels first": (
        {"images": IMAGES.transpose(0, 3, 1, 2).copy()},
        {},
        r"channels first; write images\.transpose\(0, 2, 3, 1\)",
    ),
    "one channel": ({"images": IMAGES[..., :1].copy()}, {}, r"write images\[\.\.\., 0\]"),
    "flat": ({"images": IMAGES.reshape(60, -1)}, {}, r"uint8 \(60, 300\); they must be uint8"),
    "nothing": ({"images": IMAGES[:0], "labels": LABELS[:0]}, {}, "holds no pixels"),
    "too few labels": ({"labels": LABELS[:50]}, {}, r"labels are int64 \(50,\) for 60 train images"),
    "one-hot labels": ({"labels": np.eye(3)[LABELS]}, {}, r"labels are float64 \(60, 3\)"),
    "one class": ({"labels": LABELS * 0}, {}, "labels tell 1 class apart"),
    "label without a name": (
        {"names": np.array(["a", "b"])},
        {"class_names": "names"},
        "image 2 has label 2, which is none of the 2 classes",
    ),
    "name twice": (
        {"names": np.array(["a", "b", "a"])},
        {"class_names": "names"},
        "has 3 names, or one twice",
    ),
    "short split": ({"part": np.array(["train"] * 50)}, {"split": "part"}, r"shape \(50,\) for 60 images"),
    "odd split": (
        {"part": np.array(["train"] * 59 + ["dev"])},
        {"split": "part"},
        "part says 'dev'; it may say train, val, validation, test",
    ),
    "no training images": (
        {"part": np.array(["test"] * 60)},
        {"split": "part"},
        "has no training images, only",
    ),
    "part in one key": ({}, {"images": "x_{part}"}, r"task\.images, task\.labels: one has \{part\}"),
    "split and parts": (
        {},
        {"images": "x_{part}", "labels": "y_{part}", "split": "s"},
        r"task\.split: stands beside arrays per part",
    ),
    "no such part": ({}, {"images": "x_{part}", "labels": "y_{part}"}, "unknown array in .*'x_train'"),
    "label of test only": (
        {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES[:6], "y_test": LABELS[:6] + 1},
        {"images": "x_{part}", "labels": "y_{part}"},
        "test images have label 3, training images have not",
    ),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cause", MALFORMED)
def test_malformed_arrays_are_one_line(tmp_path, cause, kind):
    arrays, keys, words = MALFORMED[cause]
    if not {"pictures", "label"} & set(arrays):
        arrays = {"images": IMAGES, "labels": LABELS} | arrays
    write(tmp_path / f"images.{kind}", **arrays)
    with pytest.raises(TgsageError, match=words) as caught:
        tasks.make(settings(path=f"images.{kind}", **keys), tmp_path)
    assert "\n" not in str(caught.value)
    assert f"images.{kind}" in str(caught.value) or "task." in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_missing_and_damaged_files(tmp_path, kind):
    path = tmp_path / f"images.{kind}"
    with pytest.raises(TgsageError, match=rf"images\.{kind}: no such file"):
        tasks.make(settings(path=path.name), tmp_path)
    write(path, images=IMAGES, labels=LABELS)
    whole = path.read_bytes()
    for size in (0, 30, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(TgsageError, match=rf"images\.{kind}: cannot be read as .*truncated or damaged"):
            tasks.make(settings(path=path.name), tmp_path)
    for position in range(60, len(whole), len(whole) // 40):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x55]) + whole[position + 1 :])
        try:
            tasks.make(settings(path=path.name), tmp_path)
        except TgsageError as error:
            assert "\n" not in str(error)
    with pytest.raises(TgsageError, match=r"images\.mat: is no \.npz"):
        tasks.make(settings(path="images.mat"), tmp_path)


def test_objects_and_other_files_are_never_opened(tmp_path):
    np.savez(tmp_path / "images.npz", images=IMAGES, labels=LABELS.astype(object))
    with pytest.raises(TgsageError, match="labels holds Python objects, which are not read"):
        tasks.make(settings(), tmp_path)
    np.savez(tmp_path / "images.npz", images=np.asfortranarray(IMAGES), labels=LABELS)
    with pytest.raises(TgsageError, match="images is in Fortran order"):
        tasks.make(settings(), tmp_path)
    write(tmp_path / "other.h5", images=IMAGES, labels=LABELS)
    (tmp_path / "raw").write_bytes(IMAGES.tobytes())
    layout = h5py.VirtualLayout(IMAGES.shape, np.uint8)
    layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "images", IMAGES.shape)
    raw = [(str(tmp_path / "raw"), 0, IMAGES.size)]
    for point, words in (
        (
            lambda file: file.update(images=h5py.ExternalLink(str(tmp_path / "other.h5"), "images")),
            "is a link",
        ),
        (
            lambda file: file.create_dataset("images", IMAGES.shape, np.uint8, external=raw),
            "has its values in",
        ),
        (lambda file: file.create_virtual_dataset("images", layout), "is a virtual data set"),
    ):
        with h5py.File(tmp_path / "images.h5", "w") as file:
            file["labels"] = LABELS
            point(file)
        with pytest.raises(TgsageError, match=rf"images\.h5: images {words}"):
            tasks.make(settings(path="images.h5"), tmp_path)


def test_the_file_that_is_read(tmp_path):
    assert settings().raw_files(tmp_path) == [tmp_path / "images.npz"]
