"""Reading arrays of npz and HDF5 files a piece at a time; ``numpy.load`` would read them whole."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ..archives import DAMAGED
from ..errors import TgsageError, unknown
from ..hdf5_links import refuse_links

MAX_WHOLE_BYTES = 1 << 30
"""Largest array that is read whole, such as labels."""


class NpzFile:
    """The arrays of an npz file.

    Attributes
    ----------
    path
        The file.
    names
        Names of its arrays.

    Raises
    ------
    TgsageError
        If the file is missing or damaged; later, if it has no such array, or one of Python objects, which is
        never read.
    """

    def __init__(self, path: Path):
        self.path = path
        with self._opened() as archive:
            self.names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]

    def layout(self, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """Return shape and type of an array, whose values are not read."""
        with self._array(name) as (_, shape, dtype):
            return shape, dtype

    def whole(self, name: str) -> NDArray[Any]:
        """Read an array whole.

        Raises
        ------
        TgsageError
            If it is larger than 1 GiB.
        """
        shape, dtype = self.layout(name)
        size = dtype.itemsize * int(np.prod(shape, dtype=np.int64))
        if size > MAX_WHOLE_BYTES:
            raise TgsageError(f"{self.path}: {name} is {size} bytes, too many for what it is")
        if not shape:
            raise TgsageError(f"{self.path}: {name} is a single value and no array")
        return np.concatenate([np.empty((0, *shape[1:]), dtype), *self.pieces(name, max(1, shape[0]))])

    def pieces(self, name: str, step: int) -> Iterator[NDArray[Any]]:
        """Yield an array, ``step`` rows at a time."""
        with self._array(name) as (handle, shape, dtype):
            row = dtype.itemsize * int(np.prod(shape[1:], dtype=np.int64))
            for begin in range(0, shape[0], step):
                n = min(step, shape[0] - begin)
                content = handle.read(n * row)
                if len(content) != n * row:
                    raise EOFError(f"{name} ends after {begin} of {shape[0]} rows")
                yield np.frombuffer(content, dtype).reshape(n, *shape[1:])

    @contextlib.contextmanager
    def _opened(self) -> Iterator[zipfile.ZipFile]:
        try:
            with zipfile.ZipFile(self.path) as archive:
                yield archive
        except FileNotFoundError:
            raise TgsageError(
                f"{self.path}: no such file; put it there, or point TGSAGE_DATA to its place"
            ) from None
        except (*DAMAGED, TypeError) as error:
            raise TgsageError(
                f"{self.path}: cannot be read as npz, truncated or damaged ({error}); download it again"
            ) from None

    @contextlib.contextmanager
    def _array(self, name: str) -> Iterator[tuple[IO[bytes], tuple[int, ...], np.dtype[Any]]]:
        if name not in self.names:
            raise unknown(f"array in {self.path}:", name, self.names)
        with self._opened() as archive, archive.open(f"{name}.npy") as handle:
            version = np.lib.format.read_magic(handle)
            if version not in ((1, 0), (2, 0)):
                raise ValueError(f"{name} is of npy version {version}")
            header = "read_array_header_1_0" if version == (1, 0) else "read_array_header_2_0"
            shape, is_fortran, dtype = getattr(np.lib.format, header)(handle)
            if dtype.hasobject:
                raise TgsageError(
                    f"{self.path}: {name} holds Python objects, which are not read; save it as plain values"
                )
            if is_fortran and len(shape) > 1:
                raise TgsageError(
                    f"{self.path}: {name} is in Fortran order; save numpy.ascontiguousarray of it"
                )
            yield handle, shape, dtype


class Hdf5File:
    """The data sets of an HDF5 file; attributes and methods as of :class:`NpzFile`."""

    def __init__(self, path: Path, file: h5py.File):
        self.path, self._file = path, file
        names: list[str] = []
        with self._reading():
            file.visit(names.append)
            self.names = [name for name in names if isinstance(file[name], h5py.Dataset)]

    def _dataset(self, name: str) -> h5py.Dataset:
        name = name.strip("/")
        if name not in self.names:
            raise unknown(f"array in {self.path}:", name, self.names)
        with self._reading():
            return self._file[name]

    def layout(self, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """Return shape and type of an array."""
        dataset = self._dataset(name)
        with self._reading():
            return dataset.shape or (), dataset.dtype

    def whole(self, name: str) -> NDArray[Any]:
        """Read an array whole, text decoded."""
        dataset = self._dataset(name)
        if dataset.nbytes > MAX_WHOLE_BYTES:
            raise TgsageError(f"{self.path}: {name} is {dataset.nbytes} bytes, too many for what it is")
        with self._reading():
            text = h5py.check_string_dtype(dataset.dtype) is not None
            return np.asarray(dataset.asstr()[()] if text else dataset[()])

    def pieces(self, name: str, step: int) -> Iterator[NDArray[Any]]:
        """Yield an array, ``step`` rows at a time."""
        dataset = self._dataset(name)
        for begin in range(0, len(dataset), step):
            with self._reading():
                piece = dataset[begin : begin + step]
            yield piece

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (*DAMAGED, KeyError, TypeError) as error:
            raise TgsageError(
                f"{self.path}: cannot be read as HDF5, truncated or damaged ({error})"
            ) from None


@contextlib.contextmanager
def open_arrays(path: Path) -> Iterator[NpzFile | Hdf5File]:
    """Open a file of arrays, npz or HDF5 by its name."""
    if path.suffix == ".npz":
        yield NpzFile(path)
        return
    if path.suffix not in (".h5", ".hdf5"):
        raise TgsageError(f"{path}: is no .npz, .h5 or .hdf5 by its name; name it so")
    refuse_links(path)
    with h5py.File(path, "r") as file:
        yield Hdf5File(path, file)
