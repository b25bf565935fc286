"""Folders, zips, tars and images from outside: read in place, unpacked and decoded with one set of checks."""

from __future__ import annotations

import bz2
import contextlib
import functools
import gzip
import io
import lzma
import os
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .errors import TgsageError
from .store.atomic import replacing_folder

STIMULUS_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp")
TASK_SUFFIXES = (*STIMULUS_SUFFIXES, ".ppm", ".pgm")
IMAGE_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
"""Formats that Pillow may recognise. PostScript, for which it would start Ghostscript, is not among them."""
TRANSPARENT_GREY = 128
"""Background of images with transparent pixels."""
MAX_FILE_BYTES = 64 * 2**20
"""Uncompressed size of one file that is read in place."""
MAX_PIXELS = 8192 * 8192
"""Size of one image of a task."""
MAX_STIMULUS_PIXELS = 4096 * 4096
MAX_IMAGE_BYTES = 8 * 2**30
"""Size of the decoded images of one data set of stimuli."""
MAX_UNPACKED_BYTES = 64 * 2**30
MAX_UNPACKED_FILES = 500_000
MAX_RATIO = 200
"""Unpacked bytes per byte of the archive; images and recordings stay far below it."""
RATIO_FROM = 64 * 2**20
"""The ratio is checked above this many unpacked bytes: a small table of zeros is no bomb."""
CHUNK = 2**20
MAX_PADDING = 16 * 2**20
"""Zeros after the end of a tar."""

_DECOMPRESSORS: dict[bytes, Callable[..., IO[bytes]]] = {
    b"\x1f\x8b": cast(Callable[..., IO[bytes]], gzip.open),
    b"BZh": bz2.open,
    b"\xfd7zXZ": lzma.open,
}

# zipfile raises RuntimeError, or a subclass of it, for a password and for an unknown compression.
DAMAGED = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, OSError, ValueError, EOFError),
    *(SyntaxError, RuntimeError, Image.DecompressionBombError),
)
"""What the readers of archives and images raise for files that are truncated or damaged."""


class _Entry(NamedTuple):
    name: str
    is_folder: bool
    size: int | None
    """As an archive declares it; None for files of a folder."""
    open: Callable[[], IO[bytes]]


class ImageArchive:
    """Files of a folder or a zip, by their path in it, with forward slashes.

    Attributes
    ----------
    path
        The folder or zip.
    files
        Names of all files, sorted. Hidden files and what an archiver adds are left out.
    folders
        Names of all folders, sorted; of a zip those that have entries of their own.
    """

    def __init__(self, path: Path, entries: Iterable[_Entry]):
        self.path = path
        kept = [entry for entry in entries if not any(map(_is_ignored, PurePosixPath(entry.name).parts))]
        self._entries = {entry.name: entry for entry in kept if not entry.is_folder}
        self.files = sorted(self._entries)
        self.folders = sorted({entry.name.rstrip("/") for entry in kept if entry.is_folder})

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    @property
    def images(self) -> list[str]:
        """Names of the stimulus images, with numbers in their names in numerical order."""
        return sorted(filter(_is_stimulus, self.files), key=_natural)

    def read(self, name: str, *, max_bytes: int = MAX_FILE_BYTES) -> bytes:
        """Return the content of a file.

        Raises
        ------
        TgsageError
            If it is absent, larger than ``max_bytes``, or damaged.
        """
        if name not in self._entries:
            raise TgsageError(f"{self.path}: has no {name}; is it what was published?")
        entry = self._entries[name]
        try:
            size = (self.path / name).stat().st_size if entry.size is None else entry.size
            if size > max_bytes:
                raise TgsageError(f"{self.path}: {name} is {size} bytes, more than {max_bytes >> 20} MiB")
            with entry.open() as handle:
                # zipfile stops at the declared size, whatever the compressed data would yield.
                return handle.read()
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

    def find_images(self, wanted: Sequence[str]) -> list[str]:
        """Find images by their path, the name of their file, or that without suffix.

        Returns
        -------
        list
            Paths, in the order of ``wanted``.

        Raises
        ------
        TgsageError
            If there is none, or there are several that are named so and none has this very path.
        """
        by_name: dict[str, list[str]] = {}
        for path in self.images:
            for key in {PurePosixPath(path).name, PurePosixPath(path).stem}:
                by_name.setdefault(key, []).append(path)
        paths_in_order = []
        for name in wanted:
            paths = [name] if name in self and _is_stimulus(name) else by_name.get(name, [])
            if not paths:
                raise TgsageError(f"{self.path}: holds no image {name}")
            if len(paths) > 1:
                raise TgsageError(f"{self.path}: images {' and '.join(paths[:2])} are both named {name}")
            paths_in_order += paths
        return paths_in_order

    def picture(self, name: str, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
        """Decode an image to uint8 (height, width, 3), as :func:`decode`.

        Raises
        ------
        TgsageError
            As :meth:`read` and :func:`decode`.
        """
        return decode(self.read(name), f"{self.path}: {name}", max_pixels)

    def pictures(self, names: Sequence[str]) -> NDArray[np.uint8]:
        """Decode stimulus images of one size, in the order of ``names``, to uint8 (n, height, width, 3).

        Raises
        ------
        TgsageError
            As :meth:`picture`, if no image is named, and if the images are of several sizes.
        """
        if not names:
            raise TgsageError(f"{self.path}: holds no images")
        first = self.picture(names[0], max_pixels=MAX_STIMULUS_PIXELS)
        if len(names) * first.size > MAX_IMAGE_BYTES:
            raise TgsageError(
                f"{self.path}: {len(names)} images of {first.shape[1]}x{first.shape[0]} are more than "
                f"{MAX_IMAGE_BYTES >> 30} GiB of pixels; make them smaller"
            )
        decoded = np.empty((len(names), *first.shape), dtype=np.uint8)
        decoded[0] = first
        for index, name in enumerate(names[1:], start=1):
            pixels = self.picture(name, max_pixels=MAX_STIMULUS_PIXELS)
            if pixels.shape != first.shape:
                raise TgsageError(
                    f"{self.path}: images are of several sizes: {names[0]} is "
                    f"{first.shape[1]}x{first.shape[0]} and {name} is "
                    f"{pixels.shape[1]}x{pixels.shape[0]}; bring them to one size"
                )
            decoded[index] = pixels
        return decoded


@contextlib.contextmanager
def open_archive(path: Path) -> Iterator[ImageArchive]:
    """Open a folder or a zip, without unpacking anything.

    Raises
    ------
    TgsageError
        If there is none; if a zip is damaged, or has an entry that is encrypted, is a link, occurs twice or
        points outside; if a folder contains itself through a link.
    """
    if path.is_dir():
        yield ImageArchive(path, _folder_entries(path))
        return
    if not path.is_file():
        raise TgsageError(f"{path}: no such file or folder; put it there, or point TGSAGE_DATA to its place")
    try:
        archive = zipfile.ZipFile(path)
    except DAMAGED as error:
        raise TgsageError(
            f"{path}: cannot be read as a zip, truncated or damaged, and is no folder ({error})"
        ) from None
    with archive:
        yield ImageArchive(path, _zip_entries(archive, path))


def list_files(path: Path) -> list[Path]:
    """Return the zip itself, or all files of a folder, sorted; the path where there is nothing.

    Raises
    ------
    TgsageError
        If a folder contains itself through a link.
    """
    if not path.is_dir():
        return [path]
    # A folder has no content to digest, so an empty one is represented by a file that does not exist.
    return [path / name for name in ImageArchive(path, _folder_entries(path)).files] or [path / "*"]


def unpack(
    archive: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    max_bytes: int = MAX_UNPACKED_BYTES,
    max_files: int = MAX_UNPACKED_FILES,
    max_ratio: float = MAX_RATIO,
) -> Path:
    """Unpack a zip or a tar (plain, gz, bz2 or xz) into a new folder, whole or not at all.

    Permissions, owners and times in the archive are not applied.

    Parameters
    ----------
    archive
        The file. Its content decides the format.
    folder
        Must not exist; it appears when everything was unpacked.
    max_bytes, max_files
        Limits on what comes out of it.
    max_ratio
        Limit on unpacked bytes per byte of the archive, checked from 64 MiB on.

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
    packed = max(1, archive.stat().st_size)

    def check_size(total: int, name: str) -> None:
        if total > max_bytes:
            raise TgsageError(f"{archive}: would unpack to more than {max_bytes} bytes (at entry {name!r})")
        if total > RATIO_FROM and total > max_ratio * packed:
            raise TgsageError(
                f"{archive}: would unpack to {total / packed:.0f} times its size or more (at entry "
                f"{name!r}); do not trust this file"
            )

    unpacked = n_files = 0
    with replacing_folder(folder) as temporary:
        try:
            for number, entry in enumerate(_archive_entries(archive), start=1):
                if number > max_files:
                    raise TgsageError(f"{archive}: holds more than {max_files} files")
                check_size(unpacked + (entry.size or 0), entry.name)
                for size in _write(entry, temporary, archive):
                    unpacked += size
                    check_size(unpacked, entry.name)
                n_files += not entry.is_folder
        except DAMAGED as error:
            raise TgsageError(
                f"{archive}: cannot be unpacked, truncated, damaged or no zip or tar ({error})"
            ) from None
        if not n_files:
            raise TgsageError(f"{archive}: holds no files")
    return folder


def is_image(name: str) -> bool:
    """Whether a file is an image of a task by its suffix."""
    return name.lower().endswith(TASK_SUFFIXES)


def decode(content: bytes, what: str, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Decode an image; its content decides the format, not the name of its file.

    Parameters
    ----------
    content
        Content of its file: one of :data:`IMAGE_FORMATS`.
    what
        What messages call it, e.g. ``"images.zip: a.png"``.
    max_pixels
        Larger images are refused before they are decoded.

    Returns
    -------
    numpy.ndarray
        uint8 (height, width, 3). Grey images are repeated over the channels; transparent pixels become
        mid-grey.

    Raises
    ------
    TgsageError
        If it cannot be decoded, is too large, or has more than 8 bits a channel.
    """
    try:
        with Image.open(io.BytesIO(content), formats=IMAGE_FORMATS) as image:
            if image.width * image.height > max_pixels:
                raise TgsageError(f"{what} has {image.width}x{image.height} pixels, too many")
            if image.mode.startswith(("I", "F")):
                raise TgsageError(
                    f"{what} has more than 8 bits a channel (mode {image.mode}); convert it to 8 bits"
                )
            return opaque(image)
    except DAMAGED as error:
        raise TgsageError(f"{what} cannot be decoded, truncated or damaged ({error})") from None


def opaque(image: Image.Image) -> NDArray[np.uint8]:
    """Return an image as uint8 (height, width, 3), transparent pixels on mid-grey."""
    if not image.has_transparency_data:
        return np.asarray(image.convert("RGB"))
    grey = Image.new("RGBA", image.size, (TRANSPARENT_GREY,) * 3 + (255,))
    return np.asarray(Image.alpha_composite(grey, image.convert("RGBA")).convert("RGB"))


def _write(entry: _Entry, folder: Path, archive: Path) -> Iterator[int]:
    """Write an entry into a folder, and yield the number of bytes of every chunk before it is written."""
    target = folder.joinpath(*PurePosixPath(entry.name).parts)
    written = 0
    try:
        (target if entry.is_folder else target.parent).mkdir(parents=True, exist_ok=True)
        if entry.is_folder:
            return
        # Exclusive: some file systems take two names of different case for one.
        with open(target, "xb") as handle, entry.open() as content:
            while chunk := content.read(CHUNK):
                yield len(chunk)
                written += handle.write(chunk)
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        raise TgsageError(
            f"{archive}: entry {entry.name!r} takes the place of another entry; rename one of them"
        ) from None
    if written != entry.size:
        raise TgsageError(
            f"{archive}: {entry.name!r} has {written} of {entry.size} bytes, truncated or damaged"
        )


def _check_entry(path: Path, name: str, kind: str, names: set[PurePosixPath]) -> None:
    """Raise unless an archive's entry is a file or folder that stays inside, with a name of its own."""
    inner = PurePosixPath(name)
    if kind not in ("file", "folder"):
        raise TgsageError(f"{path}: entry {name!r} is {kind}; do not trust this file")
    if (
        name.startswith("/")
        or ".." in inner.parts
        or re.match(r"[A-Za-z]:", name)
        or {"\\", "\0"} & set(name)
    ):
        raise TgsageError(f"{path}: entry {name!r} points outside the archive; do not trust this file")
    if kind == "file":
        if inner in names:
            raise TgsageError(f"{path}: entry {name!r} occurs more than once; have the archive made anew")
        names.add(inner)


def _archive_entries(path: Path) -> Iterator[_Entry]:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            yield from _zip_entries(archive, path)
    else:
        yield from _tar_entries(path)


def _zip_entries(archive: zipfile.ZipFile, path: Path) -> Iterator[_Entry]:
    names: set[PurePosixPath] = set()
    for info in archive.infolist():
        # zipfile cuts ``filename`` at a NUL and turns the system's separator into a slash.
        name, mode = info.orig_filename, stat.S_IFMT(info.external_attr >> 16)
        kind = "folder" if info.is_dir() else "file"
        if mode not in (0, stat.S_IFREG) and not (info.is_dir() and mode == stat.S_IFDIR):
            kind = "a link" if mode == stat.S_IFLNK else "no plain file"
        _check_entry(path, name, kind, names)
        if info.flag_bits & 1:
            raise TgsageError(f"{path}: entry {name!r} is encrypted; ask for a plain archive")
        yield _Entry(name, info.is_dir(), info.file_size, functools.partial(archive.open, info))


def _tar_entries(path: Path) -> Iterator[_Entry]:
    names: set[PurePosixPath] = set()
    with open(path, "rb") as handle:
        magic = handle.read(6)
    decompress = next((opener for mark, opener in _DECOMPRESSORS.items() if magic.startswith(mark)), open)
    with decompress(path, "rb") as stream, tarfile.open(fileobj=stream, mode="r:") as archive:
        for info in archive:
            kind = "folder" if info.isdir() else "file"
            if not (info.isdir() or info.isreg()):
                kind = "a link" if info.issym() or info.islnk() else "no plain file"
            _check_entry(path, info.name, kind, names)
            open_file = functools.partial(cast(Callable[..., IO[bytes]], archive.extractfile), info)
            yield _Entry(info.name, info.isdir(), info.size, open_file)
        # A tar ends with blocks of zeros. Without this check one that was cut between two files would pass.
        if stream.tell() != archive.offset + tarfile.BLOCKSIZE:
            raise EOFError("its end is missing")
        # Only padding is left, and at the end of the compressed stream its checksum.
        for _ in range(MAX_PADDING // CHUNK):
            if not stream.read(CHUNK):
                return
        raise EOFError(f"more than {MAX_PADDING} bytes follow its end")


def _folder_entries(path: Path) -> Iterator[_Entry]:
    """Yield files and folders below a folder; links to folders are followed."""
    ancestors: dict[str, set[tuple[int, int]]] = {}
    for folder, inner, names in os.walk(path, followlinks=True):
        status = os.stat(folder)
        above = ancestors.get(os.path.dirname(folder), set())
        identity = (status.st_dev, status.st_ino)
        if identity in above:
            raise TgsageError(f"{folder}: is a link to a folder that it lies in; remove it")
        ancestors[folder] = above | {identity}
        inner[:] = [name for name in inner if not _is_ignored(name)]
        for name in (*inner, *names):
            place = Path(folder, name)
            inner_path = place.relative_to(path).as_posix()
            yield _Entry(inner_path, name in inner, None, functools.partial(io.FileIO, place))


def _is_ignored(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _is_stimulus(name: str) -> bool:
    return name.lower().endswith(STIMULUS_SUFFIXES)


def _natural(name: str) -> list[tuple[int, int | str]]:
    return [(0, int(part)) if part.isdigit() else (1, part) for part in re.split(r"(\d+)", name) if part]
