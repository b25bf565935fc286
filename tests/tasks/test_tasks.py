from __future__ import annotations

import dataclasses

import h5py
import numpy as np
import pytest

from tgsage import plugins, tasks
from tgsage.errors import TgsageError
from tgsage.tasks import Part, Task
from tgsage.tasks.split import stratified
from tgsage.tasks.task import validate


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    return tasks.make(settings(), tmp_path_factory.mktemp("none"))


def settings(**changes):
    sizes = {"n_train": 64, "n_validation": 24, "n_test": 16, "resolution": 12}
    return plugins.settings("task", "rendered", **{**sizes, **changes})


def test_moments_are_those_of_the_training_pixels(task):
    pixels = task.train.images.reshape(-1, 3) / 255
    np.testing.assert_allclose(task.mean, pixels.mean(0), atol=1e-6)
    np.testing.assert_allclose(task.std, pixels.std(0), atol=1e-6)
    assert task.mean.dtype == task.std.dtype == np.float32


def test_file_round_trip(task, tmp_path):
    path = tmp_path / "task.h5"
    tasks.save(task, path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["task.h5"]
    found = tasks.load(path)
    assert found.digest == task.digest
    assert (found.name, found.classes, found.simulated) == (task.name, task.classes, True)
    for part in ("train", "validation", "test"):
        np.testing.assert_array_equal(getattr(found, part).images, getattr(task, part).images)
        np.testing.assert_array_equal(getattr(found, part).labels, getattr(task, part).labels)
    with h5py.File(path) as file:
        assert set(file) == {"train", "validation", "test"}
        assert file["train/images"].dtype == np.uint8
        assert file.attrs["digest"] == task.digest


def test_digest_is_that_of_the_content(task):
    assert dataclasses.replace(task, name="other").digest == task.digest
    for part in ("train", "test"):
        images = getattr(task, part).images.copy()
        images[3, 5, 5, 1] ^= 1
        changed = dataclasses.replace(task, **{part: Part(images, getattr(task, part).labels)})
        assert changed.digest != task.digest
    labels = np.roll(task.train.labels, 1)
    assert dataclasses.replace(task, train=Part(task.train.images, labels)).digest != task.digest


def test_damaged_files_are_refused(task, tmp_path):
    path = tmp_path / "task.h5"
    with pytest.raises(TgsageError, match="no such task file"):
        tasks.load(path)
    path.write_bytes(b"not at all")
    with pytest.raises(TgsageError, match=r"task\.h5: cannot be read"):
        tasks.load(path)
    tasks.save(task, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(TgsageError, match=r"task\.h5: "):
        tasks.load(path)
    tasks.save(task, path)
    with h5py.File(path, "r+") as file:
        file["train/labels"][0] = (file["train/labels"][0] + 1) % 8
    with pytest.raises(TgsageError, match="not what its digest says"):
        tasks.load(path)
    with h5py.File(path, "r+") as file:
        del file["test"]
    with pytest.raises(TgsageError, match="lacks test/images"):
        tasks.load(path)
    wrong = dataclasses.replace(task, train=Part(task.train.images, task.train.labels + 1))
    tasks.save(wrong, path)
    with pytest.raises(TgsageError, match=r"train image .* has label 8"):
        tasks.load(path)


def test_a_shared_image_is_refused(task):
    images = task.validation.images.copy()
    images[5] = task.train.images[9]
    shared = dataclasses.replace(task, validation=Part(images, task.validation.labels))
    with pytest.raises(TgsageError, match="validation image 5 is also among the train images"):
        validate(shared, "task")


def test_hashes_tell_images_apart():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 2, (40, 1, 2, 3), dtype=np.uint8)
    hashes = tasks.image_hashes(images)
    for i in range(40):
        for j in range(40):
            assert (hashes[i] == hashes[j]) == np.array_equal(images[i], images[j])
    assert tasks.image_hashes(images[:1]) != tasks.image_hashes(images[:1].reshape(1, 2, 1, 3))
    assert tasks.image_hashes(images[:, :, ::-1])[0] == tasks.image_hashes(images[:1, :, ::-1].copy())[0]


def test_stratified_draws_keep_proportions():
    rng = np.random.default_rng(1)
    labels = rng.choice(4, 500, p=[0.1, 0.2, 0.3, 0.4])
    first, second = stratified(labels, [120, 77], 3, "here")
    assert len(set(first) | set(second)) == 197
    share = np.bincount(labels) / 500
    for index, size in ((first, 120), (second, 77)):
        assert len(index) == size
        assert np.abs(np.bincount(labels[index], minlength=4) - size * share).max() < 1.0001
    again = stratified(labels, [120, 77], 3, "here")
    np.testing.assert_array_equal(first, again[0])
    assert not np.array_equal(first, stratified(labels, [120, 77], 4, "here")[0])
    everything = stratified(labels, [300, 200], 0, "here")
    assert sorted(np.concatenate(everything)) == list(range(500))


def test_a_task_knows_its_classes_and_size():
    part = Part(np.zeros((2, 9, 9, 3), np.uint8), np.array([0, 1]))
    other = Part(np.ones((2, 8, 8, 3), np.uint8), np.array([0, 1]))
    with pytest.raises(TgsageError, match="test images have 8 pixels a side and training images 9"):
        validate(Task("t", part, Part(part.images + 5, part.labels), other, ("a", "b")), "task")
