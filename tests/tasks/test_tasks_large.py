"""Tasks that are written without being in memory, and memory-mapped when they are read."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest
from task_stand_ins import noise

from tgsage import tasks
from tgsage.errors import TgsageError
from tgsage.tasks import task_files
from tgsage.tasks.readers.cifar.plugin import Cifar10
from tgsage.tasks.task import Part, Subset, Task

PARTS = ("train", "validation", "test")


def settings(**changes):
    return Cifar10(source="cifar10", **{"n_validation": 50, "resolution": 12, **changes})


@pytest.fixture
def written(cifar, tmp_path):
    """A task's file that changed long ago, as far as its times say."""
    path = tmp_path / "out" / "task.h5"
    tasks.write(settings(), cifar, path)
    age(path)
    return path


def age(path):
    # The time of change of the entry cannot be set; so the clock that the reader looks at is moved.
    os.utime(path, ns=(0, 10**18))


@pytest.fixture
def later(monkeypatch):
    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() + 3_000_000_000)


@pytest.fixture
def passes(monkeypatch):
    """How often a whole task was gone through for its digest."""
    counted = []
    original = Task.__dict__["digest"].func

    def digest(task):
        counted.append(task.name)
        return original(task)

    prop = type(Task.__dict__["digest"])(digest)
    prop.__set_name__(Task, "digest")
    monkeypatch.setattr(Task, "digest", prop)
    return counted


@pytest.mark.parametrize(
    "changes", [{}, {"classes": ["ship", "dog"], "n_validation": 10, "n_test": 6, "n_train": 20}]
)
def test_written_is_what_is_made(cifar, tmp_path, changes):
    path = tmp_path / "out" / "task.h5"
    tasks.write(settings(**changes), cifar, path)
    assert [entry.name for entry in path.parent.iterdir()] == ["task.h5"]
    made, found = tasks.make(settings(**changes), cifar), tasks.load(path)
    assert found.digest == made.digest
    for part in PARTS:
        np.testing.assert_array_equal(getattr(found, part).images, getattr(made, part).images)
        np.testing.assert_array_equal(getattr(found, part).labels, getattr(made, part).labels)
    with h5py.File(path) as file:
        assert file.attrs["digest"] == made.digest


def test_nothing_is_left_of_a_task_that_fails(cifar, tmp_path):
    path = tmp_path / "out" / "task.h5"
    with pytest.raises(TgsageError, match="leaves no training image"):
        tasks.write(settings(n_validation=500), cifar, path)
    assert list(path.parent.iterdir()) == []


def test_a_mapped_task_is_the_task(written, later):
    read, mapped = tasks.load(written), tasks.load(written, mapped_bytes=0)
    for part in PARTS:
        images = getattr(mapped, part).images
        assert isinstance(images, np.memmap)
        assert not images.flags.writeable
        assert images.flags.c_contiguous
        assert type(getattr(read, part).images) is np.ndarray
        np.testing.assert_array_equal(images, getattr(read, part).images)
        np.testing.assert_array_equal(getattr(mapped, part).labels, getattr(read, part).labels)
    for _ in range(2):
        assert mapped.digest == read.digest
        np.testing.assert_array_equal(mapped.mean, read.mean)
        np.testing.assert_array_equal(mapped.std, read.std)
        np.testing.assert_array_equal(mapped.pixel_counts, read.pixel_counts)
        mapped = tasks.load(written, mapped_bytes=0)


def test_only_tasks_above_the_limit_are_mapped(written):
    size = sum(getattr(tasks.load(written), part).images.nbytes for part in PARTS)
    assert not isinstance(tasks.load(written, mapped_bytes=size).train.images, np.memmap)
    assert isinstance(tasks.load(written, mapped_bytes=size - 1).train.images, np.memmap)
    assert task_files.MAPPED_BYTES == 2**30


def test_a_large_file_is_gone_through_once(written, later, passes):
    for _ in range(3):
        tasks.load(written, mapped_bytes=0)
    assert len(passes) == 1
    assert sorted(entry.name for entry in written.parent.iterdir()) == ["task.h5", "task.h5.verified"]
    for _ in range(2):
        tasks.load(written)
    assert len(passes) == 3


@pytest.mark.parametrize("what", ["pixels", "labels"])
def test_a_changed_large_file_is_gone_through_again_and_refused(written, later, what):
    tasks.load(written, mapped_bytes=0)
    with h5py.File(written, "r+") as file:
        if what == "pixels":
            file["test/images"][3, 2, 1, 0] ^= 1
        else:
            file["train/labels"][:2] = file["train/labels"][:2][::-1] + 1
    with pytest.raises(TgsageError, match=r"task\.h5: its content is not what its digest says"):
        tasks.load(written, mapped_bytes=0)
    # What the second pass found is the file's true digest, and stays refused without a third.
    with pytest.raises(TgsageError, match="not what its digest says"):
        tasks.load(written, mapped_bytes=0)


def test_a_replaced_file_is_gone_through_again(cifar, written, later, passes):
    first = tasks.load(written, mapped_bytes=0)
    tasks.write(settings(seed=1), cifar, written)
    age(written)
    passes.clear()
    second = tasks.load(written, mapped_bytes=0)
    assert len(passes) == 1
    assert second.digest == tasks.make(settings(seed=1), cifar).digest != first.digest
    # The first is still mapped to the file that it was loaded from.
    assert dataclasses.replace(first).digest == tasks.make(settings(), cifar).digest


def test_a_file_that_changed_just_now_is_not_remembered(written, passes):
    os.utime(written)
    for _ in range(2):
        tasks.load(written, mapped_bytes=0)
    assert len(passes) == 2
    assert not written.with_name("task.h5.verified").exists()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"times": 1}', b"\xff\xfe"])
def test_a_damaged_record_is_made_anew(written, later, passes, content):
    record = written.with_name("task.h5.verified")
    record.write_bytes(content)
    tasks.load(written, mapped_bytes=0)
    assert len(passes) == 1
    assert set(json.loads(record.read_text())) == {"times", "digest", "pixel_counts"}
    tasks.load(written, mapped_bytes=0)
    assert len(passes) == 1


def test_images_that_are_not_one_run_of_bytes_are_refused(written):
    with h5py.File(written, "r+") as file:
        images = file["test/images"][()]
        del file["test/images"]
        file["test"].create_dataset("images", data=images, chunks=(1, 12, 12, 3))
    assert len(tasks.load(written).test) == 50
    with pytest.raises(TgsageError, match=r"task\.h5: test/images are not one run of bytes"):
        tasks.load(written, mapped_bytes=0)


def test_a_file_that_was_cut_off_is_refused(written):
    whole = written.read_bytes()
    written.write_bytes(whole[: len(whole) * 3 // 4])
    with pytest.raises(TgsageError, match=r"task\.h5: ") as caught:
        tasks.load(written, mapped_bytes=0)
    assert "\n" not in str(caught.value)


def test_chosen_images_stand_for_an_array():
    images = noise(30, 4, 4, 3)
    index = np.array([2, 3, 7, 29])
    chosen = Subset(images, index)
    assert (len(chosen), chosen.shape, chosen.ndim, chosen.dtype) == (4, (4, 4, 4, 3), 4, np.uint8)
    np.testing.assert_array_equal(np.stack(list(chosen)), images[index])
    np.testing.assert_array_equal(chosen[1:3], images[[3, 7]])
    assert tasks.image_hashes(chosen) == tasks.image_hashes(images[index])


def test_training_pixels_are_counted_in_pieces(monkeypatch):
    monkeypatch.setattr("tgsage.tasks.task.STEP", 7)
    part = Part(noise(29, 6, 6, 3), np.arange(29) % 2)
    task = Task("x", part, part, part, ("a", "b"))
    expected = [[(part.images[..., channel] == value).sum() for value in range(256)] for channel in range(3)]
    np.testing.assert_array_equal(task.pixel_counts, expected)


def test_a_disk_that_is_full_is_one_line(cifar, tmp_path):
    # The limit on the size of files stands for a full disk; it belongs to a process of its own.
    program = f"""
import resource, signal, sys
from tgsage import tasks
from tgsage.tasks.readers.cifar.plugin import Cifar10
from tgsage.errors import TgsageError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    tasks.write(Cifar10(source="cifar10", n_validation=50), {str(cifar)!r}, {str(tmp_path / "out/task.h5")!r})
except TgsageError as error:
    print(error)
"""
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert "the temporary file of all images cannot be written" in found.stdout, found.stderr
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.slow
def test_memory_does_not_grow_with_the_task(tmp_path):
    program = """
import sys, threading, time
from pathlib import Path
import numpy as np
from tgsage import tasks
from tgsage.tasks.readers.downsampled_imagenet.plugin import DownsampledImageNet
def anonymous():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024
highest, going = 0.0, True
def watch():
    global highest
    while going:
        highest = max(highest, anonymous())
        time.sleep(0.002)
begin = anonymous()
threading.Thread(target=watch, daemon=True).start()
out = Path(sys.argv[1]) / "out.h5"
settings = DownsampledImageNet(
    source="downsampled_imagenet", files="npz", batches=2, n_validation=1000, classes=list(range(1, 5))
)
tasks.write(settings, sys.argv[1], out)
task = tasks.load(out, mapped_bytes=0)
task.mean
going = False
parts = (task.train, task.validation, task.test)
print(highest - begin, sum(part.images.nbytes for part in parts) / 2**20)
"""
    folder = tmp_path / "Imagenet64"
    folder.mkdir()
    for seed, name in enumerate(("train_data_batch_1", "train_data_batch_2", "val_data")):
        flat = noise(8000, 3 * 64 * 64, seed=seed)
        np.savez(folder / f"{name}.npz", data=flat, labels=1 + np.arange(8000) % 4)
    found = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    used, size = map(float, found.stdout.split())
    assert size > 280
    assert used < 0.45 * size
