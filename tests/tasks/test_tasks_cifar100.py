from __future__ import annotations

import os
import pickle

import numpy as np
import pytest
from task_stand_ins import cifar100_content, noise, planes, write_cifar100, write_pickle

from tgsage import tasks
from tgsage.errors import TgsageError
from tgsage.tasks.readers.cifar.plugin import Cifar100


def settings(**changes):
    return Cifar100(source="cifar100", **{"n_validation": 20, **changes})


@pytest.mark.parametrize(("labels", "n", "name"), [("fine", 10, "fine 7"), ("coarse", 2, "trees")])
def test_pixels_and_labels_are_the_published_ones(tmp_path, labels, n, name):
    write_cifar100(tmp_path)
    task = tasks.make(settings(labels=labels), tmp_path)
    assert (len(task.train), len(task.validation), len(task.test)) == (100, 20, 40)
    assert (task.name, task.n_classes, task.simulated) == ("cifar100", n, False)
    assert name in task.classes
    for seed, size, parts in ((1, 120, (task.train, task.validation)), (2, 40, (task.test,))):
        published = dict(
            zip(
                tasks.image_hashes(noise(size, 32, 32, 3, seed=seed)),
                cifar100_content(size, seed)[f"{labels}_labels".encode()],
                strict=True,
            )
        )
        for part in parts:
            assert [published[name] for name in tasks.image_hashes(part.images)] == part.labels.tolist()


def test_the_files_that_are_read(tmp_path):
    files = settings().raw_files(tmp_path)
    assert [file.name for file in files] == ["meta", "train", "test"]
    assert files[0].parent == tmp_path / "cifar-100-python"


class _Runs:
    def __reduce__(self):
        return os.system, ("true",)


def _break(cause, folder):
    content = cifar100_content(120, 1)
    if cause == "missing":
        (folder / "train").unlink()
    elif cause == "truncated":
        (folder / "train").write_bytes((folder / "train").read_bytes()[:-1000])
    elif cause == "runs code":
        write_pickle(folder / "train", content | {b"x": _Runs()})
    elif cause == "no dictionary":
        (folder / "train").write_bytes(pickle.dumps([1]))
    elif cause == "lacks labels":
        write_pickle(folder / "train", {b"data": content[b"data"]})
    elif cause == "label out of range":
        write_pickle(folder / "train", content | {b"fine_labels": [10] * 120})
    elif cause == "too few labels":
        write_pickle(folder / "train", content | {b"fine_labels": [1] * 7})
    elif cause == "other size":
        write_pickle(folder / "train", content | {b"data": planes(noise(120, 16, 16, 3))})
    elif cause == "not bytes":
        write_pickle(folder / "train", content | {b"data": content[b"data"].astype(float)})
    elif cause == "cifar10's meta":
        write_pickle(folder / "meta", {b"label_names": [b"a", b"b"]})


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        ("missing", "train: no such file"),
        ("truncated", "train: is truncated"),
        ("runs code", r"train: .*names \w+\.system, which an image file has no need of"),
        ("no dictionary", "train: holds a list and no dictionary"),
        ("lacks labels", "train: has no 'fine_labels'"),
        ("label out of range", "train: image 0 has label 10, which is none of the 10 classes"),
        ("too few labels", "train: has 120 images and labels int64"),
        ("other size", r"train: data are uint8 \(120, 768\)"),
        ("not bytes", "train: data are float64"),
        ("cifar10's meta", "meta: has no 'fine_label_names'"),
    ],
)
def test_malformed_files_are_one_line(tmp_path, cause, words):
    _break(cause, write_cifar100(tmp_path))
    with pytest.raises(TgsageError, match=words) as caught:
        tasks.make(settings(), tmp_path)
    assert "\n" not in str(caught.value)


def test_the_seed_draws_validation_and_leaves_test_alone(tmp_path):
    write_cifar100(tmp_path)
    first, second = (tasks.make(settings(seed=seed), tmp_path) for seed in (0, 1))
    assert not np.array_equal(first.validation.images, second.validation.images)
    np.testing.assert_array_equal(first.test.images, second.test.images)
