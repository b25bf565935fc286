from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
from PIL import Image
from task_stand_ins import WNIDS, encoded, noise, tiny_files, write_tree

from tgsage import tasks
from tgsage.errors import TgsageError
from tgsage.tasks.published import resized
from tgsage.tasks.readers.tiny_imagenet.plugin import TinyImageNet


def settings(**changes):
    values = {"path": "tiny.zip", "resolution": 16, "n_validation": 6}
    return TinyImageNet(source="tiny_imagenet", **{**values, **changes})


def test_pixels_and_labels_are_the_published_ones(tmp_path):
    files = tiny_files()
    write_tree(tmp_path / "tiny.zip", files, "tiny-imagenet-200/")
    task = tasks.make(settings(), tmp_path)
    assert (task.name, task.classes, task.simulated) == ("tiny_imagenet", WNIDS, False)
    assert (len(task.train), len(task.validation), len(task.test)) == (30, 6, 12)
    for parts, word in (((task.train, task.validation), "train/"), ((task.test,), "val/")):
        published = {
            np.asarray(Image.open(io.BytesIO(content))).tobytes(): name
            for name, content in files.items()
            if name.startswith(word) and "/images/" in name
        }
        annotated = dict(
            line.split("\t")[:2] for line in files["val/val_annotations.txt"].decode().splitlines()
        )
        for part in parts:
            for image, label in zip(part.images, part.labels, strict=True):
                name = published[image.tobytes()]
                wnid = name.split("/")[1] if word == "train/" else annotated[name.rpartition("/")[2]]
                assert wnid == task.classes[label]


def test_folder_zip_and_zip_of_a_folder_are_one_task(tmp_path):
    files = tiny_files()
    write_tree(tmp_path / "tiny.zip", files, "tiny-imagenet-200/")
    write_tree(tmp_path / "plain.zip", files)
    write_tree(tmp_path / "folder", files)
    write_tree(tmp_path / "outer", files, "tiny-imagenet-200/")
    write_tree(tmp_path / "folder", {".DS_Store": b"x", "train/n01443537/images/._n01443537_0.JPEG": b"x"})
    found = {
        tasks.make(settings(path=path), tmp_path).digest
        for path in ("tiny.zip", "plain.zip", "folder", "outer")
    }
    assert len(found) == 1


def test_classes_may_be_called_by_words(tmp_path):
    files = tiny_files()
    write_tree(tmp_path / "tiny.zip", files)
    task = tasks.make(
        settings(class_names="words", classes=["word 7 (n01443537)", "word 9"], n_validation=4), tmp_path
    )
    assert task.classes == ("word 7 (n01443537)", "word 9")
    assert len(task.train) + len(task.validation) == 24
    with pytest.raises(TgsageError, match="unknown class 'n01443537'"):
        tasks.make(settings(class_names="words", classes=["n01443537", "word 9"]), tmp_path)


def test_images_of_other_classes_are_not_decoded(tmp_path):
    files = tiny_files() | {f"train/{WNIDS[1]}/images/{WNIDS[1]}_0.JPEG": b"damaged"}
    write_tree(tmp_path / "tiny.zip", files)
    assert len(tasks.make(settings(classes=[WNIDS[0], WNIDS[2]]), tmp_path).train) == 18


def test_the_files_that_are_read(tmp_path):
    assert settings().raw_files(tmp_path) == [tmp_path / "tiny.zip"]
    write_tree(tmp_path / "folder", tiny_files())
    files = settings(path="folder").raw_files(tmp_path)
    assert len(files) == 4 + 3 + 36 + 12
    assert tmp_path / "folder/wnids.txt" in files


IMAGE = f"train/{WNIDS[0]}/images/{WNIDS[0]}_3.JPEG"
ANNOTATIONS = "val/val_annotations.txt"
MALFORMED = {
    "no wnids": ({"wnids.txt": None}, "tiny.zip: has 0 files wnids.txt"),
    "wnid twice": (
        {"wnids.txt": b"n01443537\nn01443537\n"},
        r"wnids\.txt names 2 classes, or one of them twice",
    ),
    "class unknown": (
        {"wnids.txt": b"n01443537\nn01629819\n"},
        r"is of class n01641577, which wnids\.txt lacks",
    ),
    "class empty": (
        {"wnids.txt": b"n01443537\nn01629819\nn01641577\nn09999999\n"},
        "has no images in train/n09999999/images",
    ),
    "wnids no text": ({"wnids.txt": b"\xff\xfe\xff"}, r"wnids\.txt is no UTF-8 text"),
    "no annotations": ({ANNOTATIONS: None}, r"has no val/val_annotations\.txt"),
    "annotation cut": ({ANNOTATIONS: b"val_0.JPEG\n"}, "line 1: is no image and class"),
    "annotation of nothing": (
        {ANNOTATIONS: b"val_99.JPEG\tn01443537\n"},
        r"line 1: there is no image val/images/val_99\.JPEG",
    ),
    "annotation of no class": ({ANNOTATIONS: b"val_0.JPEG\tn1\n"}, r"line 1: n1 is no class of wnids\.txt"),
    "annotated twice": (
        {ANNOTATIONS: b"val_0.JPEG\tn01443537\nval_0.JPEG\tn01443537\n"},
        r"line 2: val_0\.JPEG has a line already",
    ),
    "not annotated": ({ANNOTATIONS: b"val_0.JPEG\tn01443537\n"}, r"val/images/val_1\.JPEG has no line in"),
    "image damaged": ({IMAGE: b"\xff\xd8\xff\xe0 no"}, rf"{IMAGE} cannot be decoded"),
    "image cut": ({IMAGE: encoded(noise(1, 16, 16, 3)[0])[:-300]}, rf"{IMAGE} cannot be decoded"),
    "image of 16 bits": (
        {IMAGE: encoded(np.zeros((16, 16), np.uint16))},
        rf"{IMAGE} has more than 8 bits a channel",
    ),
    "image not square": ({IMAGE: encoded(noise(1, 16, 14, 3)[0])}, rf"{IMAGE} has 14x16 pixels"),
    "image of another size": ({IMAGE: encoded(noise(1, 20, 20, 3)[0])}, rf"{IMAGE} has 20x20 pixels"),
}


@pytest.mark.parametrize("cause", MALFORMED)
def test_malformed_trees_are_one_line(tmp_path, cause):
    path = "tiny.zip"
    changes, words = MALFORMED[cause]
    files = {name: content for name, content in (tiny_files() | changes).items() if content is not None}
    write_tree(tmp_path / path, files)
    with pytest.raises(TgsageError, match=words.replace("tiny.zip", path)) as caught:
        tasks.make(settings(path=path), tmp_path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path / path) in str(caught.value)


def test_missing_and_damaged_zips(tmp_path):
    with pytest.raises(TgsageError, match=r"tiny\.zip: no such file or folder"):
        tasks.make(settings(), tmp_path)
    write_tree(tmp_path / "tiny.zip", tiny_files())
    whole = (tmp_path / "tiny.zip").read_bytes()
    (tmp_path / "tiny.zip").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(TgsageError, match=r"tiny\.zip: cannot be read as a zip"):
        tasks.make(settings(), tmp_path)
    # A bit that flipped in the middle is found by the checksum of its file.
    position = whole.index(b"IDAT") + 40
    (tmp_path / "tiny.zip").write_bytes(
        whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :]
    )
    with pytest.raises(TgsageError, match=r"tiny\.zip: .* cannot be read, truncated or damaged .Bad CRC"):
        tasks.make(settings(), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("side", [64, 32])
def test_real_images(data, side):
    """20 real classes of Tiny ImageNet: 500 training and 50 validation images each."""
    task = tasks.make(
        settings(path="tiny-imagenet-20.zip", resolution=side, n_validation=1000, class_names="words"), data
    )
    assert task.resolution == side
    assert task.classes[:5] == ("koala", "sea slug", "tabby", "lion", "ox")
    assert task.n_classes == 20
    learnt = np.bincount(task.train.labels) + np.bincount(task.validation.labels)
    assert learnt.tolist() == [500] * 20
    assert np.bincount(task.validation.labels).tolist() == [50] * 20
    assert np.bincount(task.test.labels).tolist() == [50] * 20
    with zipfile.ZipFile(data / "tiny-imagenet-20.zip") as archive:
        wnids = archive.read("tiny-imagenet-20/wnids.txt").decode().split()
        homes = {}
        for name in archive.namelist():
            if name.endswith(".JPEG") and ("_1" in name):
                pixels = np.asarray(Image.open(io.BytesIO(archive.read(name))).convert("RGB"))
                homes[tasks.image_hashes(resized(pixels[None], side))[0]] = name
    seen = set()
    for part, home in (("train", "/train/"), ("validation", "/train/"), ("test", "/val/")):
        content = getattr(task, part)
        hashes = tasks.image_hashes(content.images)
        assert seen.isdisjoint(hashes)
        seen.update(hashes)
        found = [
            (homes[name], label) for name, label in zip(hashes, content.labels, strict=True) if name in homes
        ]
        assert len(found) > 100
        for name, label in found:
            assert home in name
            if home == "/train/":
                assert name.split("/")[2] == wnids[label]
    assert len(seen) == 11000
