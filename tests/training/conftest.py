"""Fixtures of the tests of training."""

from __future__ import annotations

from pathlib import Path

import pytest
from training_fakes import easy_task

from tgsage import tasks


@pytest.fixture(scope="session")
def task_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """File of a task of three classes that a small network learns at once."""
    made = easy_task(size=16)
    parts = {
        name: tasks.Part(getattr(made, name).images, getattr(made, name).labels)
        for name in ("train", "validation", "test")
    }
    path = tmp_path_factory.mktemp("task") / "task.h5"
    tasks.save(tasks.Task(name="easy", classes=("a", "b", "c"), simulated=True, **parts), path)
    return path
