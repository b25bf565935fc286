"""The file of a task, ``task/<task>.h5``."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np

from ..errors import TgsageError
from ..store import replacing, write_json
from ..store.contents import file_times, is_settled
from .task import PARTS, STEP, Part, Task, check_shapes

MAPPED_BYTES = 1 << 30
"""Tasks with more bytes of images than this are memory-mapped, smaller ones are read."""


def save(task: Task, path: str | os.PathLike[str]) -> None:
    """Write a task: groups ``train``, ``validation``, ``test`` with ``images`` and ``labels``.

    Attributes: ``name``, ``classes`` (JSON), ``simulated`` (0 or 1), ``digest`` of the content. Images are
    contiguous in the file and written a piece at a time.

    Raises
    ------
    TgsageError
        If the disk is full or the file cannot be written for another reason.
    """
    try:
        with replacing(path) as temporary:
            with h5py.File(temporary, "w") as file:
                for part in PARTS:
                    content = getattr(task, part)
                    group = file.create_group(part)
                    images = group.create_dataset("images", shape=content.images.shape, dtype=np.uint8)
                    for begin in range(0, len(content.images), STEP):
                        images[begin : begin + STEP] = content.images[begin : begin + STEP]
                    group.create_dataset("labels", data=content.labels.astype(np.int64))
                file.attrs["name"] = task.name
                file.attrs["classes"] = json.dumps(list(task.classes))
                file.attrs["simulated"] = int(task.simulated)
            whole = all(isinstance(getattr(task, part).images, np.ndarray) for part in PARTS)
            content_digest = task.digest if whole else _digest_of(temporary, task)
            with h5py.File(temporary, "r+") as file:
                file.attrs["digest"] = content_digest
    except (OSError, RuntimeError) as error:
        raise TgsageError(f"{path}: cannot be written ({error}); is the disk full?") from None


def load(path: str | os.PathLike[str], *, mapped_bytes: int = MAPPED_BYTES) -> Task:
    """Read a task, and check that it is what was written.

    The images of a large task are not read but memory-mapped (``numpy.memmap``, read only): they are looked
    up in the file when they are used, and processes share the memory that holds them. Going through all of
    a large file for its digest takes long, and every candidate loads the task; so what a verification found
    is kept beside the file, in ``<file>.verified``, with the file's size, times and inode, and holds until
    one of these changes. Where the folder cannot be written, every load verifies.

    Parameters
    ----------
    path
        The file.
    mapped_bytes
        Tasks with more bytes of images than this are memory-mapped.

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
        with open(path, "rb") as handle:
            times = file_times(os.fstat(handle.fileno()))
            with h5py.File(handle, "r") as file:
                parts, attrs, is_mapped = _content(file, handle, where, mapped_bytes)
    except (OSError, RuntimeError, KeyError) as error:
        raise TgsageError(f"{where}: cannot be read as HDF5 ({error}); delete it and run again") from None
    classes = tuple(json.loads(attrs["classes"]))
    task = Task(str(attrs["name"]), classes=classes, simulated=bool(attrs["simulated"]), **parts)
    if is_mapped:
        _verify_once(task, Path(f"{where}.verified"), times)
    if task.digest != attrs["digest"]:
        raise TgsageError(f"{where}: its content is not what its digest says; delete it and run again")
    check_shapes(task, where)
    return task


def _content(
    file: h5py.File, handle: BinaryIO, where: str, mapped_bytes: int
) -> tuple[dict[str, Part], dict[str, Any], bool]:
    """Return the parts, the attributes, and whether images are memory-mapped."""
    missing = [
        f"{part}/{name}" for part in PARTS for name in ("images", "labels") if f"{part}/{name}" not in file
    ]
    missing += [name for name in ("name", "classes", "simulated", "digest") if name not in file.attrs]
    if missing:
        raise TgsageError(f"{where}: lacks {missing[0]}, so it is no task file; delete it and run again")
    is_mapped = sum(file[part]["images"].nbytes for part in PARTS) > mapped_bytes
    parts = {}
    for part in PARTS:
        images = file[part]["images"]
        pixels = _mapped(images, handle, f"{where}: {part}/images") if is_mapped else images[()]
        parts[part] = Part(pixels, file[part]["labels"][()].astype(np.int64))
    return parts, dict(file.attrs), is_mapped


def _mapped(images: h5py.Dataset, handle: BinaryIO, where: str) -> np.ndarray:
    """Memory-map the bytes of a data set in its file."""
    offset = images.id.get_offset()
    if images.dtype != np.uint8 or images.chunks is not None or images.is_virtual or images.external:
        raise TgsageError(f"{where} are not one run of bytes, so they were not written here; run again")
    if offset is None:  # nothing was written: no images
        return np.zeros(images.shape, np.uint8)
    try:
        return np.memmap(handle, np.uint8, "r", offset=offset, shape=images.shape)
    except ValueError as error:
        raise TgsageError(f"{where} go past the end of the file ({error}); delete it and run again") from None


def _digest_of(path: Path, task: Task) -> str:
    """Compute the digest of a task from the file that was written."""
    with open(path, "rb") as handle, h5py.File(handle, "r") as file:
        parts = {}
        for part in PARTS:
            images = _mapped(file[part]["images"], handle, f"{path}: {part}/images")
            parts[part] = Part(images, getattr(task, part).labels)
    return Task(task.name, classes=task.classes, simulated=task.simulated, **parts).digest


def _verify_once(task: Task, record: Path, times: list[int]) -> None:
    """Set a task's digest and pixel counts, from the record of an earlier verification or from the file."""
    earlier = _record(record)
    if earlier is not None and earlier["times"] == times:
        # Both are cached properties: what is set here is what they return.
        task.__dict__["digest"] = earlier["digest"]
        task.__dict__["pixel_counts"] = np.array(earlier["pixel_counts"], dtype=np.int64)
    elif is_settled(times):
        content = {"times": times, "digest": task.digest, "pixel_counts": task.pixel_counts.tolist()}
        # A folder that cannot be written costs time and nothing else.
        with contextlib.suppress(OSError):
            write_json(record, content)


def _record(path: Path) -> dict[str, Any] | None:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(record, dict) or not {"times", "digest", "pixel_counts"} <= set(record):
        return None
    return record if np.shape(record["pixel_counts"]) == (3, 256) else None
