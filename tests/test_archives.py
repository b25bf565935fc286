"""Archives and images from outside: good ones are read as they are, bad ones leave one line and no file."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tgsage import archives
from tgsage.archives import decode, is_image, list_files, opaque, open_archive, unpack
from tgsage.errors import TgsageError

NOISE = np.random.default_rng(2).integers(0, 256, 3000, dtype=np.uint8).tobytes()
FILES = {"set/a.bin": NOISE, "set/deep/b.txt": b"b" * 700, "c.txt": b"", "whole.bin": NOISE[:1024]}


def write_zip(path, files=FILES, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def write_tar(path, files=FILES, mode="w", extra=()):
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o4777
            archive.addfile(info, io.BytesIO(content))
        for info in extra:
            archive.addfile(info)


WRITERS = {
    "zip": write_zip,
    "zip, lzma": lambda path, files=FILES: write_zip(path, files, zipfile.ZIP_LZMA),
    "tar": write_tar,
    "tar.gz": lambda path, files=FILES: write_tar(path, files, "w:gz"),
    "tar.bz2": lambda path, files=FILES: write_tar(path, files, "w:bz2"),
    "tar.xz": lambda path, files=FILES: write_tar(path, files, "w:xz"),
}


def content(folder):
    return {
        file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()
    }


@pytest.mark.parametrize("kind", WRITERS)
def test_what_went_in_comes_out(tmp_path, kind):
    WRITERS[kind](tmp_path / "archive")
    assert unpack(tmp_path / "archive", tmp_path / "new" / "folder") == tmp_path / "new" / "folder"
    assert content(tmp_path / "new" / "folder") == FILES
    # No permissions of the archive's are applied.
    assert not os.stat(tmp_path / "new" / "folder" / "c.txt").st_mode & 0o7111
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["folder"]


def check_refused(folder: Path, message: str, **limits):
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(TgsageError, match=message) as caught:
        unpack(folder / "archive", folder / "out", **limits)
    assert "\n" not in str(caught.value) and "archive" in str(caught.value)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert [path.name for path in folder.iterdir()] == ["archive"]


def check_refused_in_place(folder: Path, message: str):
    with pytest.raises(TgsageError, match=message) as caught, open_archive(folder / "archive") as archive:
        for name in archive.files:
            archive.read(name)
    assert "\n" not in str(caught.value) and "archive" in str(caught.value)


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
@pytest.mark.parametrize(
    "name", ["../out.txt", "/etc/out.txt", "a/../../out.txt", "C:/out.txt", "a\\..\\out.txt", "..", "a/.."]
)
def test_names_that_point_outside(tmp_path, kind, name):
    WRITERS[kind](tmp_path / "archive", {"fine.txt": b"x", name: b"x"})
    check_refused(tmp_path, "points outside the archive")
    if kind == "zip":
        check_refused_in_place(tmp_path, "points outside the archive")


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        (tarfile.SYMTYPE, "a link"), (tarfile.LNKTYPE, "a link"), (tarfile.CHRTYPE, "no plain file"),
        (tarfile.BLKTYPE, "no plain file"), (tarfile.FIFOTYPE, "no plain file"),
    ],
)  # fmt: skip
def test_tar_entries_that_are_no_files(tmp_path, kind, what):
    info = tarfile.TarInfo("evil")
    info.type, info.linkname = kind, "/etc/passwd"
    write_tar(tmp_path / "archive", extra=[info])
    check_refused(tmp_path, f"entry 'evil' is {what}")


def test_a_file_through_a_linked_folder(tmp_path):
    link = tarfile.TarInfo("set")
    link.type, link.linkname = tarfile.SYMTYPE, "/tmp"
    with tarfile.open(tmp_path / "archive", "w") as archive:
        archive.addfile(link)
        inside = tarfile.TarInfo("set/out.txt")
        archive.addfile(inside, io.BytesIO())
    check_refused(tmp_path, "entry 'set' is a link")


@pytest.mark.parametrize(("mode", "what"), [(0o120777, "a link"), (0o020666, "no plain file")])
def test_zip_entries_that_are_no_files(tmp_path, mode, what):
    info = zipfile.ZipInfo("evil")
    info.external_attr = mode << 16
    with zipfile.ZipFile(tmp_path / "archive", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    check_refused(tmp_path, f"entry 'evil' is {what}")
    check_refused_in_place(tmp_path, f"entry 'evil' is {what}")


def test_encrypted(tmp_path):
    write_zip(tmp_path / "archive", {"a.txt": b"x"})
    spoiled = bytearray((tmp_path / "archive").read_bytes())
    # The flag's place in the local header and in the central directory.
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        spoiled[spoiled.index(mark) + offset] |= 1
    (tmp_path / "archive").write_bytes(spoiled)
    check_refused(tmp_path, "'a.txt' is encrypted")
    check_refused_in_place(tmp_path, "'a.txt' is encrypted")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("names", [("a.txt", "a.txt"), ("b/a.txt", "b//a.txt"), ("a.txt", "./a.txt")])
def test_duplicate_names(tmp_path, names):
    for writer in (zipfile.ZipFile, tarfile.open):
        with writer(tmp_path / "archive", "w") as archive:
            for name in names:
                if writer is zipfile.ZipFile:
                    archive.writestr(name, b"x")
                else:
                    archive.addfile(tarfile.TarInfo(name))
        check_refused(tmp_path, "occurs more than once")
        if writer is zipfile.ZipFile:
            check_refused_in_place(tmp_path, "occurs more than once")


@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.parametrize("names", [("a", "a/b"), ("a/b", "a")])
def test_a_file_in_the_place_of_a_folder(tmp_path, kind, names):
    WRITERS[kind](tmp_path / "archive", dict.fromkeys(names, b"x"))
    check_refused(tmp_path, "takes the place of another entry")


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_limits(tmp_path, kind):
    WRITERS[kind](tmp_path / "archive")
    check_refused(tmp_path, "more than 3000 bytes", max_bytes=3000)
    check_refused(tmp_path, "more than 3 files", max_files=3)
    total = sum(map(len, FILES.values()))
    unpack(tmp_path / "archive", tmp_path / "just", max_bytes=total, max_files=4)


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_a_bomb(tmp_path, kind):
    WRITERS[kind](tmp_path / "archive", {"zeros.bin": bytes(80 * 2**20)})
    assert (tmp_path / "archive").stat().st_size < 2**20
    check_refused(tmp_path, "times its size or more")
    if kind == "zip":
        check_refused_in_place(tmp_path, "zeros.bin is 83886080 bytes, more than 64 MiB")


def test_a_zip_that_declares_less_than_it_holds(tmp_path):
    """What is counted is what comes out; a false size ends in an error, not in a larger file."""
    write_zip(tmp_path / "archive", {"a.txt": b"x" * 5000})
    spoiled = (tmp_path / "archive").read_bytes().replace((5000).to_bytes(4, "little"), b"\x0a\0\0\0")
    (tmp_path / "archive").write_bytes(spoiled)
    check_refused(tmp_path, "cannot be unpacked, truncated, damaged")
    check_refused_in_place(tmp_path, "a.txt cannot be read, truncated or damaged")


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.95])
def test_truncated(tmp_path, kind, share):
    WRITERS[kind](tmp_path / "archive")
    whole = (tmp_path / "archive").read_bytes()
    if kind == "tar":
        # Without the zeros at its end, which nothing would be missing from.
        whole = whole.rstrip(b"\0")
    (tmp_path / "archive").write_bytes(whole[: int(len(whole) * share)])
    check_refused(tmp_path, "truncated|holds no files")


def test_a_tar_cut_between_two_files(tmp_path):
    write_tar(tmp_path / "archive", {"a": b"x" * 512, "b": b"x" * 512})
    (tmp_path / "archive").write_bytes((tmp_path / "archive").read_bytes()[:1024])
    check_refused(tmp_path, "its end is missing")


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_a_flipped_bit(tmp_path, kind):
    WRITERS[kind](tmp_path / "archive", {"a.bin": NOISE})
    spoiled = bytearray((tmp_path / "archive").read_bytes())
    spoiled[1500] ^= 4
    (tmp_path / "archive").write_bytes(spoiled)
    check_refused(tmp_path, "cannot be unpacked, truncated, damaged")
    if kind == "zip":
        check_refused_in_place(tmp_path, "a.bin cannot be read, truncated or damaged")


def test_other_files(tmp_path):
    (tmp_path / "archive").write_text("no archive")
    check_refused(tmp_path, "no zip or tar")
    check_refused_in_place(tmp_path, "cannot be read as a zip, truncated or damaged")
    write_zip(tmp_path / "archive", {})
    check_refused(tmp_path, "holds no files")
    with pytest.raises(TgsageError, match="no such file"):
        unpack(tmp_path / "none", tmp_path / "out")
    with pytest.raises(TgsageError, match="no such file or folder"), open_archive(tmp_path / "none"):
        pass


def test_a_folder_that_exists_is_not_replaced(tmp_path):
    write_zip(tmp_path / "archive")
    (tmp_path / "out").mkdir()
    with pytest.raises(TgsageError, match="out: exists already"):
        unpack(tmp_path / "archive", tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


# Read in place


def encoded(pixels, kind="PNG"):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def test_a_folder_and_its_zip_are_one(tmp_path):
    files = FILES | {"set/10.png": b"", "set/9.JPG": b"", "a.ppm": b""}
    write_zip(tmp_path / "archive", files | {"__MACOSX/set/._9.png": b"", "set/.hidden.png": b""})
    unpack(tmp_path / "archive", tmp_path / "folder")
    for path in (tmp_path / "archive", tmp_path / "folder"):
        with open_archive(path) as archive:
            assert {name: archive.read(name) for name in archive.files} == files
            # By the numbers in their names.
            assert archive.images == ["set/9.JPG", "set/10.png"]
            assert "set/10.png" in archive and ".hidden.png" not in archive
            # A stimulus may not be one, an image of a task may.
            assert is_image("a.ppm")
            with pytest.raises(TgsageError, match="holds no image a"):
                archive.find_images(["a.ppm"])
            with pytest.raises(TgsageError, match=r"has no d\.txt"):
                archive.read("d.txt")
    assert list_files(tmp_path / "archive") == [tmp_path / "archive"]
    assert list_files(tmp_path / "folder") == sorted(tmp_path / "folder" / name for name in files)


def test_images_of_one_size(tmp_path, monkeypatch):
    images = np.random.default_rng(1).integers(0, 256, (3, 8, 9, 3), dtype=np.uint8)
    files = {f"{index}.png": encoded(image) for index, image in enumerate(images)}
    write_zip(tmp_path / "archive", files | {"other.png": encoded(images[0, :4])})
    with open_archive(tmp_path / "archive") as archive:
        np.testing.assert_array_equal(archive.pictures(["2.png", "0.png"]), images[[2, 0]])
        with pytest.raises(TgsageError, match=r"several sizes: 1\.png is 9x8 and other\.png is 9x4"):
            archive.pictures(["1.png", "other.png"])
        with pytest.raises(TgsageError, match="holds no images"):
            archive.pictures([])
        monkeypatch.setattr(archives, "MAX_STIMULUS_PIXELS", 8 * 9 - 1)
        with pytest.raises(TgsageError, match=r"0\.png has 9x8 pixels, too many"):
            archive.pictures(["0.png"])
        archive.picture("0.png")
        monkeypatch.setattr(archives, "MAX_STIMULUS_PIXELS", 8 * 9)
        monkeypatch.setattr(archives, "MAX_IMAGE_BYTES", 3 * 8 * 9 * 3 - 1)
        with pytest.raises(TgsageError, match="3 images of 9x8 are more than 0 GiB"):
            archive.pictures(list(files))


def test_grey_is_repeated_and_transparency_is_grey():
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    np.testing.assert_array_equal(decode(encoded(grey), "x"), np.repeat(grey[..., None], 3, 2))
    clear = np.zeros((2, 2, 4), np.uint8)
    clear[0, 0] = (10, 20, 30, 255)
    found = opaque(Image.fromarray(clear))
    assert found[0, 0].tolist() == [10, 20, 30] and (found[1] == 128).all()


def bomb() -> bytes:
    """A PNG that says it has 60,000 x 60,000 pixels: Pillow refuses to open it."""
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


NOISY = np.random.default_rng(3).integers(0, 256, (9, 9, 3), dtype=np.uint8)
BAD_IMAGES = {
    "empty": (b"", "cannot be decoded"),
    "text": (b"no image", "cannot be decoded"),
    "truncated": (encoded(NOISY)[:-40], "cannot be decoded"),
    "too large": (encoded(np.zeros((10, 11, 3), np.uint8)), "11x10 pixels"),
    "16 bits": (encoded(np.zeros((4, 4), np.uint16)), "more than 8 bits"),
    "bomb": (bomb(), "cannot be decoded"),
    # Pillow would hand it to Ghostscript, whatever its file is called.
    "PostScript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n", "cannot be decoded"),
}


@pytest.mark.parametrize("kind", BAD_IMAGES)
def test_a_bad_image_is_one_line(kind, monkeypatch):
    content, words = BAD_IMAGES[kind]
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a program was started"))
    with pytest.raises(TgsageError, match=rf"^stimuli.zip: a.png .*{words}") as raised:
        decode(content, "stimuli.zip: a.png", max_pixels=100)
    assert "\n" not in str(raised.value)
