"""Images out of a zip that somebody else made, or out of a folder.

Nothing is unpacked to disk; sizes and names are checked.
"""

from __future__ import annotations

import re
import stat
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import numpy as np

from ..errors import TgsageError
from ..pictures import DAMAGED, SUFFIXES, decode, points_outside

MAXIMAL_FILE_BYTES = 64 * 2**20
"""Uncompressed size of one file of the zip."""
MAXIMAL_TOTAL_BYTES = 8 * 2**30
"""Uncompressed size of all of them, and of the decoded images."""
MAXIMAL_PIXELS = 4096 * 4096


def image_names(path: Path) -> list[str]:
    """Names of the images in a zip or a folder, numbers in their names in numerical order.

    Raises
    ------
    TgsageError
        If the zip is missing, damaged or unsafe.
    """
    with _content(path) as (found, _):
        return sorted(found, key=_natural)


def read_images(path: Path, names: Sequence[str]) -> np.ndarray:
    """Decode images of a zip or a folder.

    Parameters
    ----------
    path
        The zip, or the folder.
    names
        Files in it, in the order wanted.

    Returns
    -------
    numpy.ndarray
        (n, height, width, 3) uint8. Grey images are repeated over the channels; transparent pixels become
        mid-grey.

    Raises
    ------
    TgsageError
        If the zip is missing, damaged or unsafe, an image is missing or cannot be decoded, or the images
        are of several sizes.
    """
    decoded: np.ndarray | None = None
    for index, pixels in enumerate(each_image(path, names)):
        if decoded is None:
            if len(names) * pixels.size > MAXIMAL_TOTAL_BYTES:
                raise TgsageError(
                    f"{path}: {len(names)} images of {pixels.shape[1]}x{pixels.shape[0]} are more than "
                    f"{MAXIMAL_TOTAL_BYTES >> 30} GiB of pixels; make them smaller"
                )
            decoded = np.empty((len(names), *pixels.shape), dtype=np.uint8)
        if pixels.shape != decoded.shape[1:]:
            raise TgsageError(
                f"{path}: images are of several sizes: {names[0]} is "
                f"{decoded.shape[2]}x{decoded.shape[1]} and {names[index]} is "
                f"{pixels.shape[1]}x{pixels.shape[0]}; bring them to one size"
            )
        decoded[index] = pixels
    if decoded is None:
        raise TgsageError(f"{path}: holds no images")
    return decoded


def each_image(path: Path, names: Iterable[str]) -> Iterator[np.ndarray]:
    """Decode images of a zip or a folder one after another.

    Parameters
    ----------
    path, names
        As for :func:`read_images`.

    Yields
    ------
    numpy.ndarray
        (height, width, 3) uint8, each of its own size.

    Raises
    ------
    TgsageError
        As :func:`read_images`, whatever the sizes.
    """
    with _content(path) as (found, read):
        for name in names:
            if name not in found:
                raise TgsageError(f"{path}: holds no image {name}")
            yield _decode(read, name, path)


@contextmanager
def _content(path: Path) -> Iterator[tuple[set[str], Callable[[str], bytes]]]:
    """Names of the images, and a function that reads one."""
    if path.is_dir():
        files = _folder_images(path)
        yield set(files), lambda name: files[name].read_bytes()
        return
    with _opened(path) as archive:
        entries = _images(archive, path)
        # A reader of zips stops at the declared size, whatever the compressed data would yield.
        yield set(entries), lambda name: archive.read(entries[name])


def _folder_images(path: Path) -> dict[str, Path]:
    """The images below a folder, by their path in it."""
    found: dict[str, Path] = {}
    total = 0
    for file in sorted(path.rglob("*")):
        if not file.name.lower().endswith(SUFFIXES) or file.name.startswith(".") or not file.is_file():
            continue
        size = file.stat().st_size
        if size > MAXIMAL_FILE_BYTES:
            raise TgsageError(f"{file}: is {size} bytes, more than {MAXIMAL_FILE_BYTES >> 20} MiB")
        total += size
        found[file.relative_to(path).as_posix()] = file
    if total > MAXIMAL_TOTAL_BYTES:
        raise TgsageError(f"{path}: has {total} bytes of images, more than {MAXIMAL_TOTAL_BYTES >> 30} GiB")
    return found


def _opened(path: Path) -> zipfile.ZipFile:
    if not path.is_file():
        raise TgsageError(f"{path}: no such file")
    try:
        return zipfile.ZipFile(path)
    except DAMAGED as error:
        raise TgsageError(f"{path}: cannot be read as a zip, truncated or damaged ({error})") from None


def _images(archive: zipfile.ZipFile, path: Path) -> dict[str, zipfile.ZipInfo]:
    """The images by name, after every entry was looked at."""
    found: dict[str, zipfile.ZipInfo] = {}
    total = 0
    for entry in archive.infolist():
        name = entry.filename
        parts = PurePosixPath(name).parts
        if points_outside(name):
            raise TgsageError(f"{path}: entry {name!r} points outside the zip; do not trust this file")
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise TgsageError(f"{path}: entry {name!r} is a link; do not trust this file")
        if entry.is_dir() or parts[0] == "__MACOSX" or not name.lower().endswith(SUFFIXES):
            continue
        if entry.flag_bits & 1:
            raise TgsageError(f"{path}: image {name} is encrypted")
        if entry.file_size > MAXIMAL_FILE_BYTES:
            raise TgsageError(
                f"{path}: image {name} is {entry.file_size} bytes uncompressed, more than "
                f"{MAXIMAL_FILE_BYTES >> 20} MiB"
            )
        if name in found:
            raise TgsageError(f"{path}: image {name} occurs more than once")
        total += entry.file_size
        found[name] = entry
    if total > MAXIMAL_TOTAL_BYTES:
        raise TgsageError(f"{path}: is {total} bytes uncompressed, more than {MAXIMAL_TOTAL_BYTES >> 30} GiB")
    return found


def _decode(read: Callable[[str], bytes], name: str, path: Path) -> np.ndarray:
    what = f"{path}: image {name}"
    try:
        content = read(name)
    except DAMAGED as error:
        raise TgsageError(f"{what} cannot be decoded, truncated or damaged ({error})") from None
    return decode(content, what, MAXIMAL_PIXELS)


def _natural(name: str) -> list[tuple[int, int | str]]:
    return [
        (0, int(part)) if part.isdigit() else (1, part) for part in re.split(r"(\d+)", name) if part != ""
    ]
