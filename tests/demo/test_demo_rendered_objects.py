from __future__ import annotations

import numpy as np
import pytest

from tgsage import plugins, tasks
from tgsage.demo.rendering import CATEGORIES, render
from tgsage.errors import TgsageError


def settings(**changes):
    sizes = {"n_train": 64, "n_validation": 24, "n_test": 16, "resolution": 12}
    return plugins.settings("task", "rendered", **{**sizes, **changes})


def test_parts_are_streams(tmp_path):
    task = tasks.make(settings(), tmp_path)
    assert task.classes == CATEGORIES
    assert task.simulated
    assert (task.resolution, task.n_classes) == (12, 8)
    for part in ("train", "validation", "test"):
        content = getattr(task, part)
        drawn = render(len(content), resolution=12, variation="high", seed=0, stream=part)
        np.testing.assert_array_equal(content.images, drawn.images)
        np.testing.assert_array_equal(content.labels, drawn.category)
        assert len(set(np.bincount(content.labels))) == 1
        assert content.labels.dtype == np.int64


def test_class_subset(tmp_path):
    for n in (8, 10, 11):
        task = tasks.make(settings(classes=["faces", "boats", "cars"], n_train=n), tmp_path)
        assert len(task.train) == n
        assert np.ptp(np.bincount(task.train.labels)) <= 1
    assert task.classes == ("faces", "boats", "cars")
    drawn = render(32, resolution=12, variation="high", seed=0, stream="train")
    np.testing.assert_array_equal(
        task.train.images[task.train.labels == 0][0], drawn.images[drawn.category == 4][0]
    )
    with pytest.raises(TgsageError, match=r"unknown class 'fruit' .did you mean 'fruits'"):
        tasks.make(settings(classes=["faces", "fruit"]), tmp_path)
