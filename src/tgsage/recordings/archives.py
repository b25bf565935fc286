"""Unpacking archives that somebody else made: everything is looked at before it gets a name."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from ..errors import TgsageError
from ..pictures import DAMAGED, points_outside
from ..store.atomic import replacing_folder

MAXIMAL_BYTES = 64 * 2**30
MAXIMAL_FILES = 500_000
MAXIMAL_RATIO = 200
"""Unpacked bytes per byte of the archive; images and recordings stay far below it."""
RATIO_FROM = 64 * 2**20
"""Below this many unpacked bytes the ratio is not looked at: a small table of zeros is no bomb."""
CHUNK = 2**20
PADDING = 16 * 2**20
"""A tar may be padded with zeros after its end; more than this is refused."""

# What the readers of the formats raise about damaged files.
_DAMAGED = (*DAMAGED, tarfile.TarError, lzma.LZMAError)


class _Entry(NamedTuple):
    name: str
    is_folder: bool
    size: int
    content: IO[bytes] | None


def unpack(
    archive: str | os.PathLike[str], folder: str | os.PathLike[str], *, max_bytes: int = MAXIMAL_BYTES,
    max_files: int = MAXIMAL_FILES, max_ratio: float = MAXIMAL_RATIO,
) -> Path:  # fmt: skip
    """Unpack a zip or a tar (plain, gz, bz2 or xz) into a new folder, whole or not at all.

    Permissions, owners and times in the archive are not applied.

    Parameters
    ----------
    archive
        The file; its format is told by its content.
    folder
        Must not exist; it appears when everything was unpacked.
    max_bytes, max_files
        Limits on what comes out of it.
    max_ratio
        Limit on unpacked bytes per byte of the archive, looked at from 64 MiB on.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    TgsageError
        If the archive is missing, truncated, damaged or encrypted; if an entry points outside (an absolute
        path, ``..``, a drive, a backslash), is a link, a device or anything else but a file or folder, or
        occurs twice; if a limit is exceeded; if the folder exists. Nothing is left behind.
    """
    archive, folder = Path(archive), Path(folder)
    if not archive.is_file():
        raise TgsageError(f"{archive}: no such file")
    if folder.exists() or folder.is_symlink():
        raise TgsageError(f"{folder}: exists already; remove it before unpacking {archive.name} there")
    limits = _Limits(archive, max_bytes, max_files, max_ratio)
    with replacing_folder(folder) as temporary:
        try:
            entries = _zip_entries(archive) if zipfile.is_zipfile(archive) else _tar_entries(archive)
            for entry in entries:
                _write(entry, temporary, limits)
        except _DAMAGED as error:
            raise TgsageError(
                f"{archive}: cannot be unpacked, truncated, damaged or no zip or tar ({error})"
            ) from None
        if not limits.files:
            raise TgsageError(f"{archive}: holds no files")
    return folder


class _Limits:
    """What came out of an archive so far, and what may."""

    def __init__(self, archive: Path, max_bytes: int, max_files: int, max_ratio: float):
        self.archive, self.max_bytes, self.max_files = archive, max_bytes, max_files
        self.max_ratio, self.packed = max_ratio, max(1, archive.stat().st_size)
        self.bytes = self.files = 0
        self.names: set[PurePosixPath] = set()

    def entry(self, entry: _Entry) -> PurePosixPath:
        """Count an entry and check its name and the size that it declares."""
        path = self._safe(entry.name)
        self.files += not entry.is_folder
        if len(self.names) >= self.max_files:
            raise TgsageError(f"{self.archive}: holds more than {self.max_files} files")
        if path in self.names and not entry.is_folder:
            raise TgsageError(f"{self.archive}: entry {entry.name!r} occurs more than once")
        self.names.add(path)
        self._bytes(self.bytes + entry.size, entry.name)
        return path

    def chunk(self, size: int, name: str) -> None:
        """Count bytes that were really unpacked."""
        self.bytes += size
        self._bytes(self.bytes, name)

    def _bytes(self, total: int, name: str) -> None:
        if total > self.max_bytes:
            raise TgsageError(
                f"{self.archive}: would unpack to more than {self.max_bytes} bytes (at entry {name!r})"
            )
        if total > RATIO_FROM and total > self.max_ratio * self.packed:
            raise TgsageError(
                f"{self.archive}: would unpack to {total / self.packed:.0f} times its size or more (at entry "
                f"{name!r}); do not trust this file"
            )

    def _safe(self, name: str) -> PurePosixPath:
        path = PurePosixPath(name)
        if points_outside(name):
            raise TgsageError(
                f"{self.archive}: entry {name!r} points outside the archive; do not trust this file"
            )
        return path


def _write(entry: _Entry, folder: Path, limits: _Limits) -> None:
    target = folder.joinpath(*limits.entry(entry).parts)
    try:
        (target if entry.is_folder else target.parent).mkdir(parents=True, exist_ok=True)
        if entry.content is None:
            return
        # Exclusive: also where a file system takes two names of different case for one.
        with open(target, "xb") as handle, entry.content as content:
            written = 0
            while chunk := content.read(CHUNK):
                limits.chunk(len(chunk), entry.name)
                handle.write(chunk)
                written += len(chunk)
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        raise TgsageError(
            f"{limits.archive}: entry {entry.name!r} takes the place of another entry; rename one of them"
        ) from None
    if written != entry.size:
        raise TgsageError(
            f"{limits.archive}: {entry.name!r} has {written} of {entry.size} bytes, truncated or damaged"
        )


def _zip_entries(archive: Path) -> Iterator[_Entry]:
    with zipfile.ZipFile(archive) as file:
        for info in file.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                what = "a link" if kind == stat.S_IFLNK else "no plain file"
                raise TgsageError(f"{archive}: entry {info.filename!r} is {what}; do not trust this file")
            if info.flag_bits & 1:
                raise TgsageError(f"{archive}: entry {info.filename!r} is encrypted; ask for a plain archive")
            # orig_filename: zipfile itself cuts names at a NUL and turns a system's separator into a slash.
            folder = info.is_dir()
            yield _Entry(info.orig_filename, folder, info.file_size, None if folder else file.open(info))


def _tar_entries(archive: Path) -> Iterator[_Entry]:
    with _plain(archive) as stream, tarfile.open(fileobj=stream, mode="r:") as file:
        for info in file:
            if not (info.isreg() or info.isdir()):
                what = "a link" if info.issym() or info.islnk() else "no plain file"
                raise TgsageError(f"{archive}: entry {info.name!r} is {what}; do not trust this file")
            yield _Entry(info.name, info.isdir(), info.size, file.extractfile(info))
        # A tar ends with blocks of zeros; one that was cut between two files would pass for a shorter one.
        if stream.tell() != file.offset + tarfile.BLOCKSIZE:
            raise EOFError("its end is missing")
        # To the end of the compressed stream, where its checksum is: only padding is left.
        for _ in range(PADDING // CHUNK):
            if not stream.read(CHUNK):
                return
        raise EOFError(f"more than {PADDING} bytes follow its end")


def _plain(archive: Path) -> IO[bytes]:
    """The archive, decompressed as it is read."""
    with open(archive, "rb") as handle:
        magic = handle.read(6)
    if magic.startswith(b"\x1f\x8b"):
        return gzip.open(archive, "rb")
    if magic.startswith(b"BZh"):
        return bz2.open(archive, "rb")
    if magic.startswith(b"\xfd7zXZ"):
        return lzma.open(archive, "rb")
    return open(archive, "rb")
