"""Plain arrays out of a MATLAB 5 file that somebody else made.

``scipy.io.loadmat`` (1.17.1) can end the whole process with a segmentation fault where a file is damaged; the
123rd copy of a small file in which a few bytes had been changed at random did. This reader takes real number
arrays and text only, checks every length against what is there, and bounds what it decompresses.

The format: MathWorks, "MAT-File Level 5 File Format".
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import TgsageError

MAXIMAL_ARRAY_BYTES = 2**30
"""Size of one array, decompressed."""

_HEADER = 128
_LEVEL_5, _LEVEL_73 = 0x0100, 0x0200
_MATRIX, _COMPRESSED = 14, 15
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_ENCODINGS = {16: "utf-8", 17: "utf-16", 18: "utf-32"}
_CLASSES = {
    1: "a cell array", 2: "a struct", 3: "an object", 4: "text", 5: "a sparse array", 6: "f8", 7: "f4",
    8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8",
}  # fmt: skip
_CHAR, _FIRST_NUMBER = 4, 6
_NAME_BYTES = 4096
"""Enough of a compressed variable to know its name."""


class _Damaged(Exception):
    """A length or a code in the file that cannot be; :func:`read_arrays` says it in one line."""


@dataclass(frozen=True)
class _Array:
    name: str
    kind: int
    complex: bool
    shape: tuple[int, ...]
    data: int
    """Where its values begin."""


def read_arrays(content: bytes, names: Sequence[str], where: str) -> dict[str, np.ndarray]:
    """Read some variables of a MATLAB 5 file (``-v6`` or ``-v7``).

    Parameters
    ----------
    content
        The file.
    names
        Variables wanted; others are passed over.
    where
        What an error message calls the file.

    Returns
    -------
    dict
        Number arrays in their MATLAB class and shape; text as an array (rows,) of str, blanks at the end of
        a row left out.

    Raises
    ------
    TgsageError
        If the file is of another format (``-v7.3`` is HDF5), is truncated or damaged, lacks a variable, or
        has one that is no plain array.
    """
    if content[512:516] == b"\x89HDF" or content[:4] == b"\x89HDF":
        raise TgsageError(
            f"{where}: is a MATLAB 7.3 file (HDF5), not the MATLAB 5 file that was published; save it again "
            "with save(..., '-v7')"
        )
    order = {b"IM": "<", b"MI": ">"}.get(content[126:128])
    if order is None or struct.unpack_from(f"{order}H", content, 124)[0] != _LEVEL_5:
        raise TgsageError(f"{where}: cannot be read as a MATLAB 5 file, truncated or damaged (no header)")
    found: dict[str, np.ndarray] = {}
    seen: list[str] = []
    try:
        for kind, body in _elements(content[_HEADER:], order):
            start = _inflated(body, _NAME_BYTES) if kind == _COMPRESSED else body[:_NAME_BYTES]
            if struct.unpack_from(f"{order}I", start)[0] != _MATRIX:
                raise _Damaged("a variable that is no array")
            name = _describe(start, order).name
            seen.append(name)
            if name in names:
                matrix = _whole(body, order) if kind == _COMPRESSED else body
                found[name] = _values(matrix, order, name, where)
    except (_Damaged, zlib.error, struct.error, UnicodeDecodeError) as error:
        raise TgsageError(
            f"{where}: cannot be read as a MATLAB 5 file, truncated or damaged ({error})"
        ) from None
    for name in names:
        if name not in found:
            raise TgsageError(
                f"{where}: has no {name}; is this the published file? Its variables are "
                f"{', '.join(seen) or 'none'}"
            )
    return found


def _elements(content: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Type and body of the elements at the top of the file."""
    position = 0
    while position < len(content):
        kind, size = struct.unpack_from(f"{order}II", content, position)
        if kind not in (_MATRIX, _COMPRESSED):
            raise _Damaged(f"element of type {kind} at byte {_HEADER + position}")
        body = content[position + 8 : position + 8 + size]
        if len(body) < size:
            raise _Damaged(f"{size} bytes announced, {len(body)} there")
        yield kind, body if kind == _COMPRESSED else content[position : position + 8 + size]
        position += 8 + size


def _inflated(body: bytes, most: int) -> bytes:
    return zlib.decompressobj().decompress(body, most)


def _whole(body: bytes, order: str) -> bytes:
    """The matrix element in a compressed one, tag included."""
    (size,) = struct.unpack_from(f"{order}I", _inflated(body, 8), 4)
    if size > MAXIMAL_ARRAY_BYTES:
        raise _Damaged(f"an array of {size} bytes, more than {MAXIMAL_ARRAY_BYTES >> 20} MiB")
    inflater = zlib.decompressobj()
    matrix = inflater.decompress(body, size + 8)
    # One byte more than there can be makes zlib look at its checksum.
    if len(matrix) < size + 8 or inflater.decompress(inflater.unconsumed_tail, 1) or not inflater.eof:
        raise _Damaged(f"{size} bytes announced, others compressed")
    return matrix


def _part(matrix: bytes, position: int, order: str) -> tuple[int, int, int, int]:
    """Type, first byte and size of the part that begins at a position; where the next one begins."""
    word, size = struct.unpack_from(f"{order}II", matrix, position)
    if word >> 16:
        kind, size, data, following = word & 0xFFFF, word >> 16, position + 4, position + 8
        if size > 4:
            raise _Damaged(f"a short element of {size} bytes")
    else:
        kind, data, following = word, position + 8, position + 8 + -(-size // 8) * 8
    return kind, data, size, following


def _describe(matrix: bytes, order: str) -> _Array:
    """What precedes the values of a matrix element."""
    kind, data, size, position = _part(matrix, 8, order)
    if kind != 6 or size != 8:
        raise _Damaged("an array without flags")
    (flags,) = struct.unpack_from(f"{order}I", matrix, data)
    kind, data, size, position = _part(matrix, position, order)
    if kind != 5 or size % 4 or size < 8:
        raise _Damaged("an array without dimensions")
    shape = struct.unpack_from(f"{order}{size // 4}i", matrix, data)
    if min(shape) < 0:
        raise _Damaged(f"an array of shape {shape}")
    kind, data, size, position = _part(matrix, position, order)
    if kind != 1 or data + size > len(matrix):
        raise _Damaged("an array without a name")
    name = matrix[data : data + size].decode("latin-1")
    return _Array(name, flags & 0xFF, bool(flags & 0x0800), shape, position)


def _values(matrix: bytes, order: str, name: str, where: str) -> np.ndarray:
    array = _describe(matrix, order)
    if array.kind not in _CLASSES:
        raise _Damaged(f"{name} is of class {array.kind}")
    if array.kind != _CHAR and (array.kind < _FIRST_NUMBER or array.complex):
        what = "complex" if array.complex else _CLASSES[array.kind]
        raise TgsageError(f"{where}: {name} is {what}, not a plain array; is this the published file?")
    kind, data, size, _ = _part(matrix, array.data, order)
    if data + size > len(matrix):
        raise _Damaged(f"{name} has {size} bytes announced, {max(0, len(matrix) - data)} there")
    n = 1
    for length in array.shape:
        n *= length
    raw = matrix[data : data + size]
    if array.kind == _CHAR:
        return _rows(raw, kind, order, array, n)
    if kind not in _NUMBERS:
        raise _Damaged(f"{name} has numbers of type {kind}")
    stored = np.dtype(f"{order}{_NUMBERS[kind]}")
    if size != n * stored.itemsize:
        raise _Damaged(f"{name} has {size} bytes for {array.shape}")
    if n == 0:
        return np.empty(array.shape, _CLASSES[array.kind])
    # MATLAB stores whole numbers of a float array in fewer bytes; the class says what they are.
    return np.frombuffer(raw, stored).reshape(array.shape, order="F").astype(_CLASSES[array.kind])


def _rows(raw: bytes, kind: int, order: str, array: _Array, n: int) -> np.ndarray:
    if len(array.shape) != 2:
        raise _Damaged(f"{array.name} is text of shape {array.shape}")
    if kind in _ENCODINGS:
        ending = {"<": "-le", ">": "-be"}[order] if kind != 16 else ""
        letters = list(raw.decode(f"{_ENCODINGS[kind]}{ending}"))
    elif kind in _NUMBERS and _NUMBERS[kind][0] == "u":
        stored = np.dtype(f"{order}{_NUMBERS[kind]}")
        if len(raw) % stored.itemsize:
            raise _Damaged(f"{array.name} is text of {len(raw)} bytes")
        codes = np.frombuffer(raw, stored)
        if codes.size and codes.max() > 0x10FFFF:
            raise _Damaged(f"{array.name} is no text")
        letters = [chr(code) for code in codes.tolist()]
    else:
        raise _Damaged(f"{array.name} has text of type {kind}")
    if len(letters) != n:
        raise _Damaged(f"{array.name} has {len(letters)} characters for {array.shape}")
    rows, columns = array.shape
    if n == 0:
        return np.empty(0, "U1")
    table = np.asarray(letters, dtype="U1").reshape(columns, rows).T
    return np.asarray(["".join(row).rstrip(" \0") for row in table.tolist()], dtype=np.str_)
