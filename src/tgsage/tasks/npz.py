"""Arrays of an npz file, a piece at a time: ``numpy.load`` reads an array whole."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

from ..errors import TgsageError, unknown

MAXIMAL_WHOLE_BYTES = 1 << 30
"""Largest array that is read whole, such as labels."""
_DAMAGED = (
    zipfile.BadZipFile, zlib.error, OSError, ValueError, EOFError, RuntimeError, TypeError,
)  # fmt: skip


def names(path: Path) -> list[str]:
    """Names of the arrays.

    Raises
    ------
    TgsageError
        If the file is missing, or damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
    except FileNotFoundError:
        raise TgsageError(f"{path}: no such file; put it there, or point TGSAGE_DATA to its place") from None
    except _DAMAGED as error:
        raise _damaged(path, error) from None


def layout(path: Path, name: str) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type of an array, whose values are not read.

    Raises
    ------
    TgsageError
        If the file is missing or damaged, has no such array, or one of Python objects, which is never read.
    """
    _check_name(path, name)
    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as handle:
            return _header(handle, path, name)
    except _DAMAGED as error:
        raise _damaged(path, error) from None


def pieces(path: Path, name: str, step: int) -> Iterator[np.ndarray]:
    """Yield ``step`` rows of an array after another.

    Raises
    ------
    TgsageError
        As :func:`layout`.
    """
    _check_name(path, name)
    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as handle:
            shape, dtype = _header(handle, path, name)
            row = dtype.itemsize * int(np.prod(shape[1:], dtype=np.int64))
            for begin in range(0, shape[0], step):
                n = min(step, shape[0] - begin)
                content = handle.read(n * row)
                if len(content) != n * row:
                    raise EOFError(f"{name} ends after {begin} of {shape[0]} rows")
                yield np.frombuffer(content, dtype).reshape(n, *shape[1:])
    except _DAMAGED as error:
        raise _damaged(path, error) from None


def whole(path: Path, name: str) -> np.ndarray:
    """Read an array whole.

    Raises
    ------
    TgsageError
        As :func:`layout`, and if it is larger than 1 GiB.
    """
    shape, dtype = layout(path, name)
    size = dtype.itemsize * int(np.prod(shape, dtype=np.int64))
    if size > MAXIMAL_WHOLE_BYTES:
        raise TgsageError(f"{path}: {name} is {size} bytes, too many for what it is")
    if not shape:
        raise TgsageError(f"{path}: {name} is a single value and no array")
    return np.concatenate([np.empty((0, *shape[1:]), dtype), *pieces(path, name, max(1, shape[0]))])


def _header(handle: IO[bytes], path: Path, name: str) -> tuple[tuple[int, ...], np.dtype]:
    version = np.lib.format.read_magic(handle)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"{name} is of npy version {version}")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, is_fortran, dtype = read(handle)
    if dtype.hasobject:
        raise TgsageError(f"{path}: {name} holds Python objects, which are not read; save it as plain values")
    if is_fortran and len(shape) > 1:
        raise TgsageError(f"{path}: {name} is in Fortran order; save numpy.ascontiguousarray of it")
    return shape, dtype


def _check_name(path: Path, name: str) -> None:
    there = names(path)
    if name not in there:
        raise unknown(f"array in {path}:", name, there)


def _damaged(path: Path, error: Exception) -> TgsageError:
    return TgsageError(
        f"{path}: cannot be read as npz, truncated or damaged ({error}); make or download it again"
    )
