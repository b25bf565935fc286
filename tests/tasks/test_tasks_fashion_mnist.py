from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest
from task_stand_ins import idx, noise, write_idx

from tgsage import tasks
from tgsage.errors import TgsageError
from tgsage.tasks.readers.fashion_mnist.plugin import FashionMnist

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


def settings(**changes):
    return FashionMnist(source="fashion_mnist", **{"n_validation": 10, "resolution": 28, **changes})


def grey(images):
    return np.stack([images, images, images], axis=-1)


@pytest.mark.parametrize("packed", [True, False])
def test_pixels_and_labels_are_the_published_ones(tmp_path, packed, monkeypatch):
    monkeypatch.setattr("tgsage.tasks.readers.fashion_mnist.reader.PIECE", 7)
    write_idx(tmp_path, packed=packed)
    task = tasks.make(settings(), tmp_path)
    assert (task.name, task.classes, task.simulated) == ("fashion_mnist", ("0", "1", "2", "3", "4"), False)
    assert (len(task.train), len(task.validation), len(task.test)) == (50, 10, 20)
    for n, seed, parts in ((60, 1, (task.train, task.validation)), (20, 2, (task.test,))):
        hashes = tasks.image_hashes(grey(noise(n, 28, 28, seed=seed)))
        for part in parts:
            assert [
                hashes.index(name) % 5 for name in tasks.image_hashes(part.images)
            ] == part.labels.tolist()


def test_relatives_of_mnist(tmp_path):
    names = {"train": "emnist-letters-train", "test": "emnist-letters-test"}
    write_idx(tmp_path, first=1, **names)
    task = tasks.make(settings(**names, transposed=True), tmp_path)
    # EMNIST's letters count from 1, and its images lie on their side.
    assert task.classes == ("1", "2", "3", "4", "5")
    upright = np.stack([picture.T for picture in noise(20, 28, 28, seed=2)])
    np.testing.assert_array_equal(task.test.images, grey(upright))
    assert task.test.labels.tolist() == [index % 5 for index in range(20)]


def test_classes_have_names(tmp_path):
    write_idx(tmp_path)
    names = ["top", "trouser", "pullover", "dress", "coat"]
    task = tasks.make(settings(class_names=names, classes=["coat", "top"], n_validation=4), tmp_path)
    assert task.classes == ("coat", "top")
    assert len(task.train) == 20
    assert tasks.make(settings(resolution=32), tmp_path).resolution == 32


def test_the_files_that_are_read(tmp_path):
    files = [file.name for file in settings().raw_files(tmp_path)]
    assert files == [
        f"{IMAGES}.gz", f"{LABELS}.gz", "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz",
    ]  # fmt: skip
    write_idx(tmp_path, packed=False)
    assert all(file.is_file() for file in settings().raw_files(tmp_path))


PIXELS, TOLD = noise(60, 28, 28, seed=1), (np.arange(60) % 5).astype(np.uint8)
MALFORMED = {
    "missing": (IMAGES, None, {}, "no such file"),
    "labels missing": (LABELS, None, {}, "no such file"),
    "empty": (IMAGES, b"", {}, "is truncated"),
    "cut in the head": (IMAGES, idx(PIXELS)[:10], {}, "is truncated"),
    "cut": (IMAGES, idx(PIXELS)[:-1], {}, "is truncated"),
    "longer": (IMAGES, idx(PIXELS) + b"x", {}, "goes on after the 60 that it announces"),
    "labels longer": (LABELS, idx(TOLD) + b"x", {}, "goes on after the 60 that it announces"),
    "labels for images": (IMAGES, idx(TOLD) + bytes(9), {}, "begins with 0x00000801 and not with 0x00000803"),
    "images for labels": (LABELS, idx(PIXELS), {}, "begins with 0x00000803 and not with 0x00000801"),
    "no idx": (IMAGES, b"<html>not found, and some more</html>", {}, "begins with 0x3c68746d"),
    "announces too much": (
        IMAGES,
        struct.pack(">4I", 0x803, 2**31, 28, 28),
        {},
        "says that it holds 1683627180032 bytes",
    ),
    "other number": (IMAGES, idx(PIXELS[:50]), {}, "has 50 images and 60 labels"),
    "not square": (IMAGES, idx(noise(60, 28, 20)), {}, "images have 20x28 pixels and must be square"),
    "no pixels": (IMAGES, idx(np.zeros((60, 0, 0), np.uint8)), {}, "images have 0x0 pixels"),
    "no labels": (LABELS, idx(TOLD[:0]), {}, "holds no labels"),
    "label without a name": (
        LABELS,
        None,
        {"class_names": ["a", "b"]},
        "has label 2, which is none of the 2",
    ),
}


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("cause", MALFORMED)
def test_malformed_files_are_one_line(tmp_path, cause, packed):
    name, content, keys, words = MALFORMED[cause]
    folder = write_idx(tmp_path, packed=packed)
    path = folder / (name + (".gz" if packed else ""))
    if content is not None:
        path.write_bytes(gzip.compress(content) if packed else content)
    elif not keys:
        path.unlink()
    with pytest.raises(TgsageError, match=words) as caught:
        tasks.make(settings(**keys), tmp_path)
    assert "\n" not in str(caught.value)
    assert name.removeprefix("train-") in str(caught.value)


@pytest.mark.parametrize("cause", ["cut", "checksum", "no gzip"])
def test_damaged_gzip_is_one_line(tmp_path, cause):
    path = write_idx(tmp_path) / f"{IMAGES}.gz"
    whole = path.read_bytes()
    damaged = {
        "cut": whole[: len(whole) // 2],
        "checksum": whole[:-8] + bytes([whole[-8] ^ 1]) + whole[-7:],
        "no gzip": b"no gzip",
    }
    path.write_bytes(damaged[cause])
    with pytest.raises(TgsageError, match=rf"{IMAGES}\.gz: is truncated or damaged"):
        tasks.make(settings(), tmp_path)


def test_a_bomb_is_not_unpacked(tmp_path):
    path = write_idx(tmp_path) / f"{IMAGES}.gz"
    # Sixty images announced, 64 MiB of zeros behind them.
    path.write_bytes(gzip.compress(idx(PIXELS) + bytes(2**26)))
    with pytest.raises(TgsageError, match="goes on after the 60"):
        tasks.make(settings(), tmp_path)
