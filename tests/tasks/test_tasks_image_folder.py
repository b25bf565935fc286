from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from task_stand_ins import encoded, folder_files, noise, write_tree

from tgsage import tasks
from tgsage.errors import TgsageError
from tgsage.tasks.published import squared
from tgsage.tasks.readers.image_folder.plugin import ImageFolder

PARTS = ("train", "val", "test")


def settings(**changes):
    values = {"path": "images", "resolution": 12, "n_validation": 4, "n_test": 2}
    return ImageFolder(source="image_folder", **{**values, **changes})


def whole(**changes):
    return settings(**{"n_validation": None, "n_test": None, **changes})


def classes_by_pixels(files, depth):
    return {
        np.asarray(Image.open(io.BytesIO(content))).tobytes(): name.split("/")[depth]
        for name, content in files.items()
    }


def test_one_folder_is_split(tmp_path):
    files = folder_files()
    write_tree(tmp_path / "images", files)
    task = tasks.make(settings(), tmp_path)
    assert (task.name, task.classes, task.simulated) == ("image_folder", ("ant", "bee"), False)
    assert (len(task.train), len(task.validation), len(task.test)) == (10, 4, 2)
    published = classes_by_pixels(files, 0)
    for part in (task.train, task.validation, task.test):
        assert len(set(np.bincount(part.labels))) == 1
        for image, label in zip(part.images, part.labels, strict=True):
            assert published[image.tobytes()] == task.classes[label]
    assert tasks.make(settings(simulated=True), tmp_path).simulated


@pytest.mark.parametrize("validation", ["val", "validation"])
def test_published_parts_stay_what_they_are(tmp_path, validation):
    files = folder_files(("train", validation, "test"))
    write_tree(tmp_path / "images", files)
    task = tasks.make(whole(), tmp_path)
    for part, name in ((task.train, "train"), (task.validation, validation), (task.test, "test")):
        own = {file: content for file, content in files.items() if file.startswith(name)}
        published = classes_by_pixels(own, 1)
        assert len(part) == 16
        for image, label in zip(part.images, part.labels, strict=True):
            assert published[image.tobytes()] == task.classes[label]


def test_published_validation_images_may_be_the_test_images(tmp_path):
    write_tree(tmp_path / "images", folder_files(("train", "val")))
    task = tasks.make(whole(published_validation="test", n_validation=4), tmp_path)
    assert (len(task.train), len(task.validation), len(task.test)) == (12, 4, 16)
    other = tasks.make(whole(n_test=4), tmp_path)
    assert (len(other.train), len(other.validation), len(other.test)) == (12, 16, 4)
    assert set(tasks.image_hashes(task.test.images)) == set(tasks.image_hashes(other.validation.images))
    write_tree(tmp_path / "images", folder_files(("test",), seed=20))
    with pytest.raises(TgsageError, match=r"task\.published_validation: .* has test images of its own"):
        tasks.make(whole(published_validation="test", n_validation=4), tmp_path)


@pytest.mark.parametrize("parts", [("",), PARTS])
def test_folder_zip_and_zip_of_a_folder_are_one_task(tmp_path, parts):
    files = folder_files(parts)
    write_tree(tmp_path / "images", files)
    write_tree(tmp_path / "images.zip", files)
    write_tree(tmp_path / "deep.zip", files, "collection/")
    write_tree(tmp_path / "images", {".hidden.png": b"x", "README.txt": b"x"})
    chosen = settings if parts == ("",) else whole
    digests = {
        tasks.make(chosen(path=path), tmp_path).digest for path in ("images", "images.zip", "deep.zip")
    }
    assert len(digests) == 1


def test_links_to_folders_are_followed(tmp_path):
    write_tree(tmp_path / "images", folder_files())
    (tmp_path / "linked").mkdir()
    for name in ("ant", "bee"):
        (tmp_path / "linked" / name).symlink_to(tmp_path / "images" / name)
    assert tasks.make(settings(path="linked"), tmp_path).digest == tasks.make(settings(), tmp_path).digest
    (tmp_path / "images" / "ant" / "loop").symlink_to(tmp_path / "images")
    with pytest.raises(TgsageError, match="is a link to a folder that it lies in"):
        tasks.make(settings(), tmp_path)


@pytest.mark.parametrize("shape", [(9, 12), (12, 9), (8, 13), (10, 10)])
def test_images_become_square(shape):
    image = noise(1, *shape, 3)[0]
    height, width = shape
    small, large = min(shape), max(shape)
    crop, pad = squared(image, "crop", 7), squared(image, "pad", 7)
    assert crop.shape == (small, small, 3)
    assert pad.shape == (large, large, 3)
    for row in range(small):
        for column in range(small):
            found = image[row + (height - small) // 2, column + (width - small) // 2]
            np.testing.assert_array_equal(crop[row, column], found)
    for row in range(large):
        for column in range(large):
            y, x = row - (large - height) // 2, column - (large - width) // 2
            inside = 0 <= y < height and 0 <= x < width
            np.testing.assert_array_equal(pad[row, column], image[y, x] if inside else [7, 7, 7])


def test_images_of_any_shape_and_kind_come_to_one_size(tmp_path):
    files = folder_files(shape=(20, 14, 3))
    files["ant/grey.png"] = encoded(noise(1, 30, 30)[0])
    clear = np.concatenate([noise(1, 12, 12, 3)[0], np.zeros((12, 12, 1), np.uint8)], axis=2)
    files["bee/clear.png"] = encoded(clear)
    files["bee/photograph.JPG"] = encoded(noise(1, 40, 50, 3)[0], "JPEG")
    write_tree(tmp_path / "images", files)
    cropped, padded = (
        tasks.make(settings(fit=fit, padding=200, n_validation=2), tmp_path) for fit in ("crop", "pad")
    )
    assert cropped.resolution == padded.resolution == 12
    assert len(cropped.train) + 4 == 19
    images = np.concatenate([part.images for part in (cropped.train, cropped.validation, cropped.test)])
    assert any((image == 128).all() for image in images)
    assert any((image[..., 0] == image[..., 1]).all() and np.ptp(image) > 9 for image in images)
    # 20 rows and 14 columns: three columns of padding on each side of 20, less than two of 12.
    edges = np.concatenate([part.images for part in (padded.train, padded.validation)])[:, :, [0, -1]]
    assert ((edges == 200).all((1, 2, 3))).mean() > 0.7


def test_class_subsets_decode_nothing_else(tmp_path):
    files = folder_files(classes=("ant", "bee", "cow")) | {"bee/0.png": b"damaged"}
    write_tree(tmp_path / "images", files)
    task = tasks.make(settings(classes=["cow", "ant"]), tmp_path)
    assert task.classes == ("cow", "ant")
    published = classes_by_pixels({name: files[name] for name in files if name[:3] != "bee"}, 0)
    for image, label in zip(task.train.images, task.train.labels, strict=True):
        assert published[image.tobytes()] == task.classes[label]
    with pytest.raises(TgsageError, match="unknown class 'cat'"):
        tasks.make(settings(classes=["cat", "ant"]), tmp_path)


def test_the_files_that_are_read(tmp_path):
    assert settings().raw_files(tmp_path) == [tmp_path / "images"]
    write_tree(tmp_path / "images", folder_files())
    assert settings().raw_files(tmp_path)[0] == tmp_path / "images/ant/0.png"
    assert len(settings().raw_files(tmp_path)) == 16
    assert settings(path="images.zip").raw_files(tmp_path) == [tmp_path / "images.zip"]


ONE, SPLIT = folder_files(), folder_files(PARTS)
MALFORMED = {
    "no images": ({"ant/readme.txt": b"x"}, "holds no images"),
    "one class": ({name: ONE[name] for name in ONE if name[:3] == "ant"}, "has training images of 1 class"),
    "image beside classes": (ONE | {"stray.png": ONE["ant/0.png"]}, r"stray\.png is not where images are"),
    "image too deep": (ONE | {"ant/more/x.png": ONE["ant/0.png"]}, r"more/x\.png is not where images are"),
    "other part": (SPLIT | {"extra/ant/0.png": ONE["ant/0.png"]}, "is not where images are"),
    "no training part": (
        {name: SPLIT[name] for name in SPLIT if name[:5] != "train"},
        "has no training images, only",
    ),
    "validation twice": (SPLIT | {"validation/ant/0.png": ONE["ant/0.png"]}, "has both val and validation"),
    "class of test only": (
        SPLIT | {"test/cow/0.png": ONE["ant/0.png"]},
        r"test/cow/0\.png is of class 'cow', of which train/ has no image",
    ),
    "class without test": (
        {name: SPLIT[name] for name in SPLIT if name[:8] != "test/bee"},
        "class 'bee' has no test images",
    ),
    "damaged": (ONE | {"ant/0.png": b"\x89PNG no"}, r"ant/0\.png cannot be decoded"),
    "cut": (ONE | {"ant/0.png": ONE["ant/0.png"][:-200]}, r"ant/0\.png cannot be decoded"),
    "empty": (ONE | {"ant/0.png": b""}, r"ant/0\.png cannot be decoded"),
    "16 bits": (
        ONE | {"ant/0.png": encoded(np.zeros((9, 9), np.uint16))},
        r"ant/0\.png has more than 8 bits a channel",
    ),
}  # fmt: skip


@pytest.mark.parametrize("cause", MALFORMED)
def test_malformed_folders_are_one_line(tmp_path, cause):
    path = "images"
    files, words = MALFORMED[cause]
    write_tree(tmp_path / path, files)
    chosen = whole if any(name.startswith(PARTS) for name in files) else settings
    with pytest.raises(TgsageError, match=words) as caught:
        tasks.make(chosen(path=path), tmp_path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path / path) in str(caught.value)


def test_a_class_without_an_image_is_not_overlooked(tmp_path):
    write_tree(tmp_path / "images", folder_files())
    (tmp_path / "images" / "cow").mkdir()
    with pytest.raises(TgsageError, match="images: cow holds no images"):
        tasks.make(settings(), tmp_path)
    with pytest.raises(TgsageError, match=r"elsewhere: no such file or folder"):
        tasks.make(settings(path="elsewhere"), tmp_path)
    (tmp_path / "images.zip").write_bytes(b"no zip")
    with pytest.raises(TgsageError, match=r"images\.zip: cannot be read as a zip"):
        tasks.make(settings(path="images.zip"), tmp_path)
