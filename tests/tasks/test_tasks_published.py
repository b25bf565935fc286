"""What every published layout has in common: one size, no image twice, three parts, little memory."""

from __future__ import annotations

import types

import numpy as np
import pytest
from task_stand_ins import noise

from tgsage import tasks
from tgsage.errors import TgsageError
from tgsage.tasks.published import Published, resized, split_task
from tgsage.tasks.readers.cifar.plugin import Cifar10
from tgsage.tasks.split import stratified

CLASSES = ["a", "b", "c"]


def settings(**changes):
    values = {"resolution": 8, "seed": 0, "classes": None, "n_train": None, "n_validation": 9, "n_test": None}
    return types.SimpleNamespace(**{**values, **changes})


def pieces(n, seed, side=8, size=7):
    images, labels = noise(n, side, side, 3, seed=seed), np.arange(n) % 3
    return [(images[begin : begin + size], labels[begin : begin + size]) for begin in range(0, n, size)]


def joined(found):
    return np.concatenate([images for images, _ in found]), np.concatenate([labels for _, labels in found])


def slowly(found, taken, side):
    """The images that stay, one after another, and their labels."""
    kept = []
    for image, label in zip(*joined(found), strict=True):
        small = resized(image[None], side)[0]
        if small.tobytes() not in taken:
            taken.add(small.tobytes())
            kept.append((small, label))
    return np.stack([image for image, _ in kept]), np.array([label for _, label in kept])


@pytest.mark.parametrize("side", [8, 4, 11])
def test_parts_are_those_of_a_slow_loop(side):
    train, test = pieces(60, 1), pieces(20, 2)
    train[3][0][2] = train[0][0][0]  # twice in training
    train[4][0][1] = test[1][0][4]  # in training and test
    test[2][0][0] = test[0][0][0]
    test_images, test_labels = slowly(test, taken := set(), side)
    images, labels = slowly(train, taken, side)
    assert (len(images), len(test_images)) == (58, 19)
    task = split_task(
        Published("x", "here", CLASSES, {"train": train, "test": test}), settings(resolution=side)
    )
    index, held = stratified(labels, [49, 9], 0, "here")
    for part, expected, numbers in (
        (task.train, images[index], labels[index]),
        (task.validation, images[held], labels[held]),
        (task.test, test_images, test_labels),
    ):
        np.testing.assert_array_equal(part.images, expected)
        np.testing.assert_array_equal(part.labels, numbers)
        assert part.labels.dtype == np.int64


@pytest.mark.parametrize(
    ("parts", "sizes", "counts"),
    [
        (("train",), {"n_validation": 9, "n_test": 12}, (39, 9, 12)),
        (("train", "test"), {"n_validation": 9}, (51, 9, 30)),
        (("train", "test"), {"n_validation": 9, "n_test": 6, "n_train": 12}, (12, 9, 6)),
        (("train", "validation", "test"), {"n_validation": None}, (60, 30, 30)),
        (("train", "validation", "test"), {"n_validation": 6}, (60, 6, 30)),
        (("train", "validation"), {"n_validation": None, "n_test": 15}, (45, 30, 15)),
    ],
)
def test_what_is_not_published_is_split_off_training(parts, sizes, counts):
    published = {
        part: pieces(60 if part == "train" else 30, seed) for seed, part in enumerate(parts, start=10)
    }
    found = split_task(Published("x", "here", CLASSES, published), settings(**sizes))
    made = {part: getattr(found, part) for part in ("train", "validation", "test")}
    assert tuple(len(part) for part in made.values()) == counts
    for part, content in made.items():
        assert len(set(np.bincount(content.labels))) == 1
        home = joined(published[part if part in published else "train"])[0]
        assert set(tasks.image_hashes(content.images)) <= set(tasks.image_hashes(home))
    hashes = [set(tasks.image_hashes(part.images)) for part in made.values()]
    assert len(set.union(*hashes)) == sum(counts)


def test_published_parts_that_overlap_give_way_to_test():
    parts = {part: pieces(30, seed) for seed, part in enumerate(("train", "validation", "test"))}
    shared = parts["test"][0][0][1]
    parts["validation"][0][0][1] = parts["train"][1][0][0] = shared
    parts["train"][1][0][3] = parts["validation"][2][0][2]
    task = split_task(Published("x", "here", CLASSES, parts), settings(n_validation=None))
    assert (len(task.train), len(task.validation), len(task.test)) == (28, 29, 30)


@pytest.mark.parametrize(
    ("parts", "changes", "words"),
    [
        (("train",), {}, r"task\.n_test: here has no test images; say how many"),
        (("train", "test"), {"n_validation": None}, r"task\.n_validation: here has no validation images"),
        (("train", "test"), {"n_validation": 60}, r"task\.n_validation: 60 leaves no training image of 60"),
        (
            ("train", "test"),
            {"n_train": 52},
            "here, training images: 61 images are asked for and 60 are there",
        ),
        (("train", "test"), {"n_test": 31}, "here, test images: 31 images are asked for and 30 are there"),
        (("train", "test"), {"n_validation": 2}, "a part of 2 images cannot hold 3 classes"),
        (("train", "test"), {"classes": ["a", "d"]}, "unknown class 'd'"),
        (("train", "test"), {"classes": ["a"]}, r"task\.classes: names 1 classes"),
        (("train", "test"), {"classes": ["a", "a"]}, r"task\.classes: a class is named twice"),
    ],
)
def test_wrong_numbers_and_classes_are_one_line(parts, changes, words):
    published = {part: pieces(60 if part == "train" else 30, seed) for seed, part in enumerate(parts)}
    with pytest.raises(TgsageError, match=words) as caught:
        split_task(Published("x", "here", CLASSES, published), settings(**changes))
    assert "\n" not in str(caught.value)


def test_a_class_without_images_is_named():
    published = Published("x", "here", [*CLASSES, "d"], {"train": pieces(60, 0), "test": pieces(30, 1)})
    with pytest.raises(TgsageError, match=r"here: class 'd' has no test images \(1 such of 4\)"):
        split_task(published, settings())
    assert len(split_task(published, settings(classes=CLASSES)).train) == 51


@pytest.mark.parametrize(
    ("changes", "digest"),
    [
        ({"n_validation": 50}, "0c18171708ad97e948525837e9a71e4d33f9730b7d8939c7e2a95c480c59eb94"),
        (
            {"n_validation": 20, "n_test": 10, "classes": ["ship", "bird", "cat"], "seed": 4},
            "07c7edca072e0a78c569d9708fd590ad766487c17837c78aeb87275bbf6ce9c0",
        ),
    ],
)
def test_a_task_stays_the_same_task(cifar, changes, digest):
    # As of the first version: a task's digest is part of the key of every training.
    assert tasks.make(Cifar10(source="cifar10", **changes), cifar).digest == digest
