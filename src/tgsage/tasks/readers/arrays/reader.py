"""Images and labels as arrays of an npz or HDF5 file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from ....errors import TgsageError, unknown
from ...array_files import Hdf5File, NpzFile, open_arrays
from ...pickles import as_text
from ...published import (
    PART_NAMES,
    PIECE,
    Piece,
    Published,
    as_used,
    checked_labels,
    resized,
    split_task,
    squared,
)
from ...task import Task

if TYPE_CHECKING:
    from .plugin import ImageArrays

ArrayFile: TypeAlias = "NpzFile | Hdf5File"


def read(settings: ImageArrays, data_root: Path, scratch: Path | None = None) -> Task:
    """Read the task, a thousand images at a time.

    Raises
    ------
    TgsageError
        If the file is missing or damaged, lacks an array, has images that are not uint8 (n, height, width) or
        (n, height, width, 3), labels that do not fit, or more images are asked for than there are.
    """
    path = data_root / settings.path
    by_part = "{part}" in settings.images
    if by_part != ("{part}" in settings.labels):
        raise TgsageError("task.images, task.labels: one has {part} and the other has not; give it to both")
    if by_part and settings.split is not None:
        raise TgsageError("task.split: stands beside arrays per part, which say it already; remove one")
    with open_arrays(path) as file:
        parts = _parts(file, settings) if by_part else {"train": (settings.images, settings.labels)}
        images = {part: keys[0] for part, keys in parts.items()}
        labels = {part: file.whole(keys[1]) for part, keys in parts.items()}
        shapes = {part: _checked(file, key) for part, key in images.items()}
        names, numbers = _classes(file, settings, labels, {part: shapes[part][0] for part in shapes})
        rows: dict[str, np.ndarray] = {part: np.arange(len(numbers[part])) for part in parts}
        if settings.split is not None:
            rows = _rows(file, settings.split, len(numbers["train"]))
            images = dict.fromkeys(rows, settings.images)
            numbers = dict.fromkeys(rows, numbers["train"])
        pieces = {part: _pieces(file, images[part], numbers[part], rows[part], settings) for part in rows}
        used = as_used(pieces, settings, str(path))
        published = Published("arrays", str(path), names, used, settings.simulated)
        return split_task(published, settings, scratch)


def raw_files(settings: ImageArrays, data_root: Path) -> list[Path]:
    """Return the file, whether it exists or not."""
    return [data_root / settings.path]


def _parts(file: ArrayFile, settings: ImageArrays) -> dict[str, tuple[str, str]]:
    """Return the names of the arrays of images and labels, by part."""
    parts: dict[str, tuple[str, str]] = {}
    for word, part in PART_NAMES.items():
        images, labels = (key.replace("{part}", word) for key in (settings.images, settings.labels))
        if images in file.names:
            if part in parts:
                raise TgsageError(f"{file.path}: has {parts[part][0]} and {images}; remove one")
            parts[part] = (images, labels)
    if "train" not in parts:
        raise unknown(f"array in {file.path}:", settings.images.replace("{part}", "train"), file.names)
    return parts


def _checked(file: ArrayFile, name: str) -> tuple[int, ...]:
    """Check an array of images and return its shape."""
    shape, dtype = file.layout(name)
    what = f"{file.path}: {name} are {dtype} {shape}"
    if dtype.kind == "f":
        raise TgsageError(
            f"{what}; pixels from 0 to 1 become uint8 by (255 * images).round().astype('uint8'); do so"
        )
    if len(shape) == 4 and shape[1] in (1, 3) and shape[3] not in (1, 3):
        raise TgsageError(f"{what}, channels first; write images.transpose(0, 2, 3, 1)")
    if len(shape) == 4 and shape[3] == 1:
        raise TgsageError(f"{what}; write images[..., 0]")
    if dtype != np.uint8 or not (len(shape) == 3 or (len(shape) == 4 and shape[3] == 3)):
        raise TgsageError(f"{what}; they must be uint8 (n, height, width) or (n, height, width, 3)")
    if 0 in shape:
        raise TgsageError(f"{what}, which holds no pixels; name another array in task.images")
    return shape


def _classes(
    file: ArrayFile, settings: ImageArrays, labels: dict[str, np.ndarray], counts: dict[str, int]
) -> tuple[list[str], dict[str, np.ndarray]]:
    """Return the names of the classes, and the labels of every part, counted from 0."""
    for part, given in labels.items():
        if given.ndim != 1 or len(given) != counts[part] or given.dtype.kind not in "iuOUS":
            raise TgsageError(
                f"{file.path}: labels are {given.dtype} {given.shape} for {counts[part]} {part} images; "
                "there must be one whole number or text for each"
            )
    if settings.class_names is not None:
        names = [as_text(name) for name in file.whole(settings.class_names).ravel()]
        if len(set(names)) < len(names) or len(names) < 2:
            raise TgsageError(f"{file.path}: {settings.class_names} has {len(names)} names, or one twice")
        return names, {
            part: checked_labels(given, counts[part], len(names), f"{file.path}, {part}")
            for part, given in labels.items()
        }
    plain = {
        part: given if given.dtype.kind in "iu" else np.array([as_text(label) for label in given])
        for part, given in labels.items()
    }
    values = np.unique(plain["train"])
    if len(values) < 2:
        raise TgsageError(f"{file.path}: labels tell {len(values)} class apart; a task needs at least 2")
    for part, given in plain.items():
        strange = given[~np.isin(given, values)]
        if len(strange):
            raise TgsageError(f"{file.path}: {part} images have label {strange[0]}, training images have not")
    return [str(value) for value in values], {
        part: np.searchsorted(values, given).astype(np.int64) for part, given in plain.items()
    }


def _rows(file: ArrayFile, name: str, n: int) -> dict[str, np.ndarray]:
    """Return the indices of the images of each part."""
    part_of_image = file.whole(name)
    if part_of_image.shape != (n,):
        raise TgsageError(f"{file.path}: {name} has shape {part_of_image.shape} for {n} images")
    words = [as_text(word) for word in part_of_image]
    strange = [word for word in words if word not in PART_NAMES]
    if strange:
        raise TgsageError(f"{file.path}: {name} says {strange[0]!r}; it may say {', '.join(PART_NAMES)}")
    parts = np.array([PART_NAMES[word] for word in words])
    return {str(part): np.flatnonzero(parts == part) for part in np.unique(parts)}


def _pieces(
    file: ArrayFile, name: str, labels: np.ndarray, rows: np.ndarray, settings: ImageArrays
) -> Iterator[Piece]:
    begin = 0
    wanted = np.zeros(len(labels), dtype=bool)
    wanted[rows] = True
    for piece in file.pieces(name, PIECE):
        keep = np.flatnonzero(wanted[begin : begin + len(piece)])
        if len(keep):
            images = piece[keep]
            if images.ndim == 3:
                images = np.repeat(images[..., None], 3, axis=3)
            if images.shape[1] != images.shape[2]:
                images = np.stack([squared(image, settings.fit, settings.padding) for image in images])
            yield resized(images, settings.resolution), labels[begin + keep]
        begin += len(piece)
