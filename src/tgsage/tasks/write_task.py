"""The stage that makes a task, as a file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .. import tasks
from ..store import data_root

if TYPE_CHECKING:
    from .settings import TaskSettings


def write_task(task: str | os.PathLike[str], *, settings: TaskSettings, data: str | None) -> None:
    """Make a task, and write its file; ``data`` is the configured data folder."""
    tasks.write(settings, data_root(data), task)
