"""The file of a task, ``task/<task>.h5``."""

from __future__ import annotations

import json
import os
from pathlib import Path

import h5py
import numpy as np

from ..errors import TgsageError
from ..store import replacing
from .task import PARTS, Part, Task, check_shapes


def save(task: Task, path: str | os.PathLike[str]) -> None:
    """Write a task: groups ``train``, ``validation``, ``test`` with ``images`` and ``labels``.

    Attributes: ``name``, ``classes`` (JSON), ``simulated`` (0 or 1), ``digest`` of the content.
    """
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        for part in PARTS:
            content = getattr(task, part)
            group = file.create_group(part)
            group.create_dataset("images", data=content.images)
            group.create_dataset("labels", data=content.labels.astype(np.int64))
        file.attrs["name"] = task.name
        file.attrs["classes"] = json.dumps(list(task.classes))
        file.attrs["simulated"] = int(task.simulated)
        file.attrs["digest"] = task.digest


def load(path: str | os.PathLike[str]) -> Task:
    """Read a task, and check that it is what was written.

    Raises
    ------
    TgsageError
        If there is no such file, it is no task, its content is not what its digest says, or labels and
        images are not what a task has.
    """
    where = str(path)
    if not Path(path).is_file():
        raise TgsageError(f"{where}: no such task file; make it with the rule `task`")
    try:
        with h5py.File(path, "r") as file:
            missing = [f"{part}/{name}" for part in PARTS for name in ("images", "labels")
                       if f"{part}/{name}" not in file]  # fmt: skip
            missing += [name for name in ("name", "classes", "simulated", "digest") if name not in file.attrs]
            if missing:
                raise TgsageError(
                    f"{where}: lacks {missing[0]}, so it is no task file; delete it and run again"
                )
            parts = {
                part: Part(file[part]["images"][()], file[part]["labels"][()].astype(np.int64))
                for part in PARTS
            }
            told = dict(file.attrs)
    except OSError as error:
        raise TgsageError(f"{where}: cannot be read as HDF5 ({error}); delete it and run again") from None
    task = Task(
        name=str(told["name"]),
        classes=tuple(json.loads(told["classes"])),
        simulated=bool(told["simulated"]),
        **parts,
    )
    if task.digest != told["digest"]:
        raise TgsageError(f"{where}: its content is not what its digest says; delete it and run again")
    check_shapes(task, where)
    return task
