"""Fashion-MNIST (Xiao, Rasul and Vollgraf 2017), MNIST, EMNIST and the like, from their idx files.

``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte`` and the same with ``t10k``, packed with gzip or not.
An idx file is a magic number, one size per dimension (big-endian 32-bit), and bytes.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

import numpy as np

from ....errors import TgsageError
from ...published import PIECE, Piece, Published, checked_labels, split_task
from ...task import Task

if TYPE_CHECKING:
    from .plugin import FashionMnist

IMAGES, LABELS = 0x00000803, 0x00000801
"""Magic numbers: unsigned bytes in three dimensions, and in one."""
KINDS = ("images-idx3-ubyte", "labels-idx1-ubyte")
MAXIMAL_BYTES = 4 * 2**30
"""Largest size that a header may announce."""


def read(settings: FashionMnist, data_root: Path, scratch: Path | None = None) -> Task:
    """Read the task; grey images become three equal channels, validation is split off the training images.

    Raises
    ------
    TgsageError
        If a file is missing, truncated, longer than it says, damaged or no idx file, images are not square, a
        label is out of range, or more images are asked for than there are.
    """
    folder = data_root / settings.folder
    labels = {part: _labels(folder, prefix) for part, prefix in _prefixes(settings).items()}
    if settings.class_names is None:
        values = np.unique(labels["train"])
        names, first = [str(value) for value in range(values[0], values[-1] + 1)], int(values[0])
    else:
        names, first = settings.class_names, 0
    if len(set(names)) < len(names) or len(names) < 2:
        raise TgsageError(f"{folder}: has {len(names)} classes, or one name twice; a task needs at least 2")
    parts = {
        part: _pieces(folder, prefix, labels[part], len(names), first, settings.transposed)
        for part, prefix in _prefixes(settings).items()
    }
    return split_task(Published("fashion_mnist", str(folder), names, parts), settings, scratch)


def raw_files(settings: FashionMnist, data_root: Path) -> list[Path]:
    """Return the four files: the plain one if it exists, otherwise the packed one."""
    return [
        _file(data_root / settings.folder, f"{prefix}-{kind}")
        for prefix in _prefixes(settings).values()
        for kind in KINDS
    ]


def _prefixes(settings: FashionMnist) -> dict[str, str]:
    return {"train": settings.train, "test": settings.test}


def _file(folder: Path, name: str) -> Path:
    plain = folder / name
    return plain if plain.is_file() else folder / f"{name}.gz"


def _labels(folder: Path, prefix: str) -> np.ndarray:
    path = _file(folder, f"{prefix}-{KINDS[1]}")
    pieces = list(_rows(path, LABELS))
    if not pieces:
        raise TgsageError(f"{path}: holds no labels; download it again")
    return np.concatenate(pieces)


def _pieces(
    folder: Path, prefix: str, labels: np.ndarray, n_classes: int, first: int, is_transposed: bool
) -> Iterator[Piece]:
    path, labels_path = (_file(folder, f"{prefix}-{kind}") for kind in KINDS)
    begin = 0
    numbers = checked_labels(labels, len(labels), n_classes, labels_path, first)
    for piece in _rows(path, IMAGES, len(labels)):
        grey = piece.transpose(0, 2, 1) if is_transposed else piece
        yield np.repeat(grey[..., None], 3, axis=3), numbers[begin : begin + len(piece)]
        begin += len(piece)


def _rows(path: Path, magic: int, n: int | None = None) -> Iterator[np.ndarray]:
    """Yield the content of an idx file a piece at a time, and no more than its header announces."""
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else open(path, "rb") as handle:
            yield from _content(cast(IO[bytes], handle), path, magic, n)
    except FileNotFoundError:
        raise TgsageError(
            f"{path}: no such file; put the published files there, packed or not, or point TGSAGE_DATA to "
            "them"
        ) from None
    except (OSError, EOFError, zlib.error) as error:
        raise TgsageError(f"{path}: is truncated or damaged ({error}); download it again") from None


def _content(handle: IO[bytes], path: Path, magic: int, n: int | None) -> Iterator[np.ndarray]:
    dimensions = 3 if magic == IMAGES else 1
    head = _read(handle, 4 * (1 + dimensions), path)
    actual_magic, *shape = struct.unpack(f">{1 + dimensions}I", head)
    if actual_magic != magic:
        raise TgsageError(
            f"{path}: begins with {actual_magic:#010x} and not with {magic:#010x}; is it the right file?"
        )
    row = shape[1] * shape[2] if dimensions == 3 else 1
    if dimensions == 3 and (shape[1] != shape[2] or not row):
        raise TgsageError(f"{path}: images have {shape[2]}x{shape[1]} pixels and must be square")
    if shape[0] * row > MAXIMAL_BYTES:
        raise TgsageError(f"{path}: says that it holds {shape[0] * row} bytes; download it again")
    if n is not None and shape[0] != n:
        raise TgsageError(f"{path}: has {shape[0]} images and {n} labels; download both again")
    for begin in range(0, shape[0], PIECE):
        size = min(PIECE, shape[0] - begin)
        yield np.frombuffer(_read(handle, size * row, path), np.uint8).reshape(size, *shape[1:])
    if handle.read(1):
        raise TgsageError(f"{path}: goes on after the {shape[0]} that it announces; download it again")


def _read(handle: IO[bytes], size: int, path: Path) -> bytes:
    content = handle.read(size)
    if len(content) < size:
        raise TgsageError(f"{path}: is truncated; download it again")
    return content
