"""Files in a folder, or in the zip of one, read in place.

What reads a stimulus zip (``recordings.images``) is not used, so that the code of a task's stage does not
contain that of recordings; and it reads images only. What both need is in ``tgsage.pictures``.
"""

from __future__ import annotations

import contextlib
import os
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from ..errors import TgsageError
from ..pictures import DAMAGED, SUFFIXES, decode, points_outside

PLAIN_SUFFIXES = (".ppm", ".pgm")
"""Of images too, beside the usual ones."""
MAXIMAL_FILE_BYTES = 64 * 2**20
"""Uncompressed size of one file."""
MAXIMAL_PIXELS = 8192 * 8192


class Tree:
    """The files of a folder or a zip, by their path in it, with forward slashes.

    Attributes
    ----------
    path
        The folder or zip.
    files
        Names of all files, sorted. Hidden files and what an archiver adds are left out.
    folders
        Names of all folders, sorted; of a zip those that have entries of their own.
    """

    def __init__(self, path: Path, files: dict[str, Path | zipfile.ZipInfo], folders: set[str],
                 archive: zipfile.ZipFile | None):  # fmt: skip
        self.path = path
        self.files, self.folders = sorted(files), sorted(folders)
        self._entries, self._archive = files, archive

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def read(self, name: str) -> bytes:
        """Return the content of a file.

        Raises
        ------
        TgsageError
            If it is absent, too large or damaged.
        """
        if name not in self._entries:
            raise TgsageError(f"{self.path}: has no {name}; is it what was published?")
        entry = self._entries[name]
        try:
            size = entry.stat().st_size if isinstance(entry, Path) else entry.file_size
            if size > MAXIMAL_FILE_BYTES:
                raise TgsageError(
                    f"{self.path}: {name} is {size} bytes, more than {MAXIMAL_FILE_BYTES >> 20} MiB"
                )
            # A reader of zips stops at the declared size, whatever the compressed data would yield.
            return entry.read_bytes() if isinstance(entry, Path) else self._zip.read(entry)
        except DAMAGED as error:
            raise TgsageError(f"{self.path}: {name} cannot be read, truncated or damaged ({error})") from None

    def lines(self, name: str) -> list[str]:
        """Return the lines of a text file that are not empty.

        Raises
        ------
        TgsageError
            As :meth:`read`, and if it is not UTF-8.
        """
        try:
            return [line for line in self.read(name).decode("utf-8").splitlines() if line.strip()]
        except UnicodeDecodeError as error:
            raise TgsageError(f"{self.path}: {name} is no UTF-8 text ({error})") from None

    def picture(self, name: str) -> np.ndarray:
        """Decode an image to uint8 (height, width, 3).

        Grey images are repeated over the channels; transparent pixels become mid-grey.

        Raises
        ------
        TgsageError
            As :meth:`read`, and if it cannot be decoded, is too large, or has more than 8 bits a channel.
        """
        return decode(self.read(name), f"{self.path}: {name}", MAXIMAL_PIXELS)

    @property
    def _zip(self) -> zipfile.ZipFile:
        assert self._archive is not None
        return self._archive


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Tree]:
    """Open a folder or a zip.

    Raises
    ------
    TgsageError
        If there is none; if a zip is damaged, or has an entry that is encrypted, is a link, occurs twice or
        points outside; if a folder contains itself through a link.
    """
    if path.is_dir():
        yield Tree(path, *_walked(path), None)
        return
    if not path.is_file():
        raise TgsageError(f"{path}: no such folder or zip; put it there, or point TGSAGE_DATA to its place")
    try:
        archive = zipfile.ZipFile(path)
    except DAMAGED as error:
        raise TgsageError(f"{path}: is neither a folder nor a whole zip ({error})") from None
    with archive:
        yield Tree(path, *_listed(archive, path), archive)


def is_image(name: str) -> bool:
    """Whether a file is one by its suffix."""
    return name.lower().endswith((*SUFFIXES, *PLAIN_SUFFIXES))


def tree_files(path: Path) -> list[Path]:
    """The zip itself, or all files of a folder, sorted; the path where there is nothing.

    Raises
    ------
    TgsageError
        If a folder contains itself through a link.
    """
    if not path.is_dir():
        return [path]
    files = _walked(path)[0]
    # An empty folder is told by a file that is not there: a folder has no content to digest.
    return [path / name for name in sorted(files)] or [path / "*"]


def squared(pixels: np.ndarray, fit: str, padding: int) -> np.ndarray:
    """Make an image (height, width, 3) square.

    Where the difference is odd, one more pixel is cut off, or padded, at the bottom or on the right.

    Parameters
    ----------
    pixels
        uint8.
    fit
        ``crop`` takes the square in its middle, ``pad`` puts it in the middle of a square.
    padding
        Grey value around padded images.
    """
    height, width = pixels.shape[:2]
    if height == width:
        return pixels
    side = min(height, width) if fit == "crop" else max(height, width)
    top, left = abs(height - side) // 2, abs(width - side) // 2
    if fit == "crop":
        return pixels[top : top + side, left : left + side]
    whole = np.full((side, side, 3), padding, np.uint8)
    whole[top : top + height, left : left + width] = pixels
    return whole


def _walked(path: Path) -> tuple[dict[str, Path | zipfile.ZipInfo], set[str]]:
    files: dict[str, Path | zipfile.ZipInfo] = {}
    folders: set[str] = set()
    ancestors: dict[str, set[tuple[int, int]]] = {}
    for folder, inner, names in os.walk(path, followlinks=True):
        status = os.stat(folder)
        above = ancestors.get(os.path.dirname(folder), set())
        identity = (status.st_dev, status.st_ino)
        if identity in above:
            raise TgsageError(f"{folder}: is a link to a folder that it lies in; remove it")
        ancestors[folder] = above | {identity}
        inner[:] = sorted(name for name in inner if not _ignored(name))
        base = Path(folder)
        folders |= {(base / name).relative_to(path).as_posix() for name in inner}
        for name in names:
            if not _ignored(name):
                files[(base / name).relative_to(path).as_posix()] = base / name
    return files, folders


def _listed(archive: zipfile.ZipFile, path: Path) -> tuple[dict[str, Path | zipfile.ZipInfo], set[str]]:
    files: dict[str, Path | zipfile.ZipInfo] = {}
    folders: set[str] = set()
    for entry in archive.infolist():
        name = entry.orig_filename
        parts = PurePosixPath(name).parts
        if points_outside(name):
            raise TgsageError(f"{path}: entry {name!r} points outside the zip; do not trust this file")
        if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise TgsageError(f"{path}: entry {name!r} is a link or no plain file; do not trust this file")
        if any(_ignored(part) for part in parts):
            continue
        if entry.is_dir():
            folders.add(name.rstrip("/"))
            continue
        if entry.flag_bits & 1:
            raise TgsageError(f"{path}: {name} is encrypted; ask for a plain zip")
        if name in files:
            raise TgsageError(f"{path}: {name} occurs more than once; make the zip anew")
        files[name] = entry
    return files, folders


def _ignored(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"
