from __future__ import annotations

import pickle
import subprocess

import numpy as np
import pytest

from tgsage import tasks
from tgsage.errors import TgsageError
from tgsage.tasks.readers.cifar.plugin import Cifar10


def batch(root, name):
    with open(root / "cifar-10-batches-py" / name, "rb") as handle:
        return pickle.load(handle, encoding="bytes")


def rewrite(root, name, **changes):
    content = batch(root, name) | {key.encode(): value for key, value in changes.items()}
    with open(root / "cifar-10-batches-py" / name, "wb") as handle:
        pickle.dump(content, handle, protocol=2)


def settings(**changes):
    return Cifar10(source="cifar10", **{"n_validation": 50, **changes})


def test_pixels_and_labels_are_the_published_ones(cifar):
    task = tasks.make(settings(), cifar)
    published = {}
    for name in [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]:
        content = batch(cifar, name)
        for pixels, label in zip(content[b"data"], content[b"labels"], strict=True):
            # red, then green, then blue, each row by row
            image = np.empty((2, 32, 3), np.uint8)
            for row in (0, 31):
                for column in range(32):
                    for channel in range(3):
                        image[row // 31, column, channel] = pixels[channel * 1024 + row * 32 + column]
            published[image.tobytes()] = label
    for part in (task.train, task.validation, task.test):
        for image, label in zip(part.images[:15], part.labels[:15], strict=True):
            assert published[image[[0, 31]].tobytes()] == label
    assert (len(task.train), len(task.validation), len(task.test)) == (250, 50, 50)
    assert task.classes[3] == "cat"
    assert not task.simulated


def test_parts_are_stratified_and_disjoint_and_follow_from_the_seed(cifar):
    task = tasks.make(settings(n_train=95), cifar)
    assert np.bincount(task.validation.labels).tolist() == [5] * 10
    counts = np.bincount(task.train.labels)
    assert counts.sum() == 95
    assert set(counts) == {9, 10}
    hashes = [set(tasks.image_hashes(part.images)) for part in (task.train, task.validation, task.test)]
    assert len(set.union(*hashes)) == sum(map(len, hashes)) == 195
    assert tasks.make(settings(n_train=95), cifar).digest == task.digest
    assert tasks.make(settings(n_train=95, seed=1), cifar).digest != task.digest


def test_a_class_subset_keeps_its_order(cifar):
    task = tasks.make(settings(classes=["ship", "bird"], n_validation=10, n_test=6), cifar)
    assert task.classes == ("ship", "bird")
    assert np.bincount(task.test.labels).tolist() == [3, 3]
    whole = tasks.make(settings(), cifar)
    named = dict(zip(tasks.image_hashes(whole.test.images), whole.test.labels, strict=True))
    assert {named[name] for name in tasks.image_hashes(task.test.images[task.test.labels == 0])} == {8}


def test_published_duplicates_leave_the_training_set(cifar):
    test = batch(cifar, "test_batch")[b"data"]
    first = batch(cifar, "data_batch_1")[b"data"].copy()
    first[3], first[4] = test[7], first[10]
    rewrite(cifar, "data_batch_1", data=first)
    task = tasks.make(settings(), cifar)
    assert len(task.train) + len(task.validation) == 298
    assert len(task.test) == 50


def test_images_are_resized_with_anti_aliasing(cifar):
    whole = tasks.make(settings(), cifar)
    small = tasks.make(settings(resolution=16), cifar)
    assert small.resolution == 16
    mean = whole.test.images.reshape(50, 16, 2, 16, 2, 3).mean((2, 4))
    assert np.abs(small.test.images - mean).max() <= 1
    assert tasks.make(settings(resolution=40), cifar).train.images.shape[1:] == (40, 40, 3)


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("data_batch_2", {"labels": [11] + [0] * 59}, "data_batch_2: image 0 has label 11"),
        ("data_batch_2", {"labels": [0] * 7}, "data_batch_2: has 60 images and labels"),
        ("data_batch_2", {"labels": [[0]] * 59 + [[0, 1]]}, "data_batch_2: has 60 images and labels"),
        ("test_batch", {"data": np.zeros((50, 1024), np.uint8)}, r"test_batch: data are uint8 \(50, 1024\)"),
        ("test_batch", {"data": np.zeros((50, 3072))}, "test_batch: data are float64"),
    ],
)
def test_wrong_content_is_one_line_that_names_the_file(cifar, name, changes, words):
    rewrite(cifar, name, **changes)
    with pytest.raises(TgsageError, match=words) as caught:
        tasks.make(settings(), cifar)
    assert "\n" not in str(caught.value)


def test_missing_truncated_and_foreign_files(cifar, tmp_path):
    folder = cifar / "cifar-10-batches-py"
    whole = (folder / "data_batch_4").read_bytes()
    for size in (0, 10, 3000, len(whole) - 1):
        (folder / "data_batch_4").write_bytes(whole[:size])
        with pytest.raises(TgsageError, match="data_batch_4: is truncated"):
            tasks.make(settings(), cifar)
    (folder / "data_batch_4").write_bytes(pickle.dumps([1, 2]))
    with pytest.raises(TgsageError, match="data_batch_4: holds a list"):
        tasks.make(settings(), cifar)
    (folder / "data_batch_4").write_bytes(pickle.dumps({"fine_labels": [1]}))
    with pytest.raises(TgsageError, match="data_batch_4: has no 'data'"):
        tasks.make(settings(), cifar)
    (folder / "data_batch_4").unlink()
    with pytest.raises(TgsageError, match="data_batch_4: no such file"):
        tasks.make(settings(), cifar)
    with pytest.raises(TgsageError, match=r"batches\.meta: no such file"):
        tasks.make(settings(), tmp_path / "elsewhere")


class _Runs:
    def __init__(self, call, argument):
        self.call, self.argument = call, argument

    def __reduce__(self):
        return self.call, (self.argument,)


@pytest.mark.parametrize("call", [subprocess.check_call, eval, np.load, __import__])
def test_a_pickle_that_wants_to_run_something_does_not(cifar, call):
    mark = cifar / "ran"
    argument = {
        subprocess.check_call: f"touch {mark}".split(),
        eval: f"open({str(mark)!r}, 'w')",
        np.load: str(mark),
        __import__: "antigravity",
    }[call]
    content = {b"data": np.zeros((1, 3072), np.uint8), b"labels": [0], b"x": _Runs(call, argument)}
    (cifar / "cifar-10-batches-py" / "test_batch").write_bytes(pickle.dumps(content))
    with pytest.raises(TgsageError, match=r"test_batch: .* which an image file has no need of"):
        tasks.make(settings(), cifar)
    assert not mark.exists()


def test_wrong_settings_are_one_line(cifar):
    for changes, words in [
        ({"classes": ["ship", "brid"]}, "unknown class 'brid' .did you mean 'bird'"),
        ({"classes": ["ship", "ship"]}, "named twice"),
        ({"classes": ["ship"]}, "at least 2"),
        ({"n_train": 280}, "330 images are asked for and 300 are there"),
        ({"n_validation": 300}, "leaves no training image"),
        ({"n_validation": 7}, "7 images cannot hold 10 classes"),
        ({"n_test": 51}, "test images: 51 images are asked for"),
    ]:
        with pytest.raises(TgsageError, match=words):
            tasks.make(settings(**changes), cifar)


def test_the_real_files(data):
    task = tasks.make(settings(n_train=2000, n_validation=500, n_test=1000), data)
    assert task.classes[:3] == ("airplane", "automobile", "bird")
    # This copy was drawn at random, so its classes are only about as frequent as each other.
    assert np.abs(np.bincount(task.train.labels) - 200).max() < 12
    # Published channel means of CIFAR-10's training images are .491, .482, .447, deviations .247, .243, .262.
    np.testing.assert_allclose(task.mean, [0.491, 0.482, 0.447], atol=0.015)
    np.testing.assert_allclose(task.std, [0.247, 0.243, 0.262], atol=0.015)
