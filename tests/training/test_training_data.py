"""Batches on the device: against numpy, one image at a time."""

from __future__ import annotations

import itertools
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from tgsage.errors import TgsageError
from tgsage.training import data
from tgsage.training.data import DeviceDataset, batches

CPU = torch.device("cpu")

MEAN, STD = np.array([0.4, 0.5, 0.6]), np.array([0.2, 0.3, 0.25])


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (7, 6, 9, 3), dtype=np.uint8)


def slow(image: np.ndarray, mirror: bool, down: int, right: int, pad: int) -> np.ndarray:
    height, width, _ = image.shape
    padded = np.pad(image, ((pad, pad), (pad, pad), (0, 0)), mode="reflect")
    crop = padded[pad + down : pad + down + height, pad + right : pad + right + width]
    if mirror:
        crop = crop[:, ::-1]
    return ((crop / 255 - MEAN) / STD).transpose(2, 0, 1)


@pytest.mark.parametrize("channels_last", [True, False])
def test_augmented_is_pad_crop_mirror(pixels: np.ndarray, channels_last: bool) -> None:
    images = DeviceDataset(pixels, MEAN, STD, device=torch.device("cpu"), channels_last=channels_last)
    cases = list(itertools.product([0, 3, 6], [False, True], [-3, 0, 2], [-3, 1, 3]))
    index, mirror, down, right = (torch.tensor(column) for column in zip(*cases, strict=True))
    batch = images.augmented(index, mirror, down, right)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    assert batch.dtype == torch.float32 and batch.is_contiguous(memory_format=layout)
    for row, (i, m, d, r) in zip(batch.numpy(), cases, strict=True):
        np.testing.assert_allclose(row, slow(pixels[i], m, d, r, 3), atol=1e-5)


def test_plain_is_normalised_only(pixels: np.ndarray) -> None:
    pixels.flags.writeable = False
    images = DeviceDataset(pixels, MEAN, STD, device=torch.device("cpu"))
    expected = ((pixels / 255 - MEAN) / STD).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(images.plain(slice(2, 5)).numpy(), expected[2:5], atol=1e-5)
    np.testing.assert_allclose(images.plain(torch.tensor([6, 0])).numpy(), expected[[6, 0]], atol=1e-5)


def test_other_images_are_refused() -> None:
    with pytest.raises(TgsageError, match=r"expected uint8 \(n, height, width, 3\)"):
        DeviceDataset(np.zeros((2, 3, 8, 8), np.uint8), MEAN, STD, device=torch.device("cpu"))
    with pytest.raises(TgsageError, match="float32"):
        DeviceDataset(np.zeros((2, 8, 8, 3), np.float32), MEAN, STD, device=torch.device("cpu"))


def mapped(path: Path, pixels: np.ndarray) -> np.memmap:
    np.save(path, pixels)
    return np.load(path, mmap_mode="r")


def batches_of(images: DeviceDataset) -> list[torch.Tensor]:
    index = torch.tensor([6, 0, 3, 0])
    mirror = torch.tensor([True, False, True, False])
    down, right = torch.tensor([0, 2, -2, 1]), torch.tensor([-3, 0, 1, 3])
    return [
        images.augmented(index, mirror, down, right),
        images.plain(index),
        images.plain(slice(2, 5)),
        images.plain(slice(4, 99)),
        images.plain(torch.tensor([], dtype=torch.int64)),
    ]


def test_pixels_of_a_file_are_read_where_they_are(pixels: np.ndarray, tmp_path: Path) -> None:
    file = mapped(tmp_path / "pixels.npy", pixels)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        images = DeviceDataset(file, MEAN, STD, device=CPU)
    assert images._pixels.data_ptr() == file.ctypes.data
    for one, other in zip(batches_of(images), batches_of(DeviceDataset(pixels.copy(), MEAN, STD, device=CPU)),
                          strict=True):  # fmt: skip
        assert torch.equal(one, other)


def test_no_copy_of_all_pixels_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    large = np.lib.format.open_memmap(tmp_path / "large.npy", "w+", np.uint8, (4096, 32, 32, 3))
    large[:] = 7
    file = np.load(tmp_path / "large.npy", mmap_mode="r")
    monkeypatch.setattr(data, "KEPT_APART_BYTES", 1 << 20)
    tracemalloc.start()  # It sees numpy's memory; torch's is seen by the addresses.
    images = DeviceDataset([file, file[:100]], MEAN, STD, device=CPU)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()
    assert [part.data_ptr() for part in images._parts] == [file.ctypes.data] * 2
    assert images.n == 4196 and images._pixels is None


@pytest.mark.parametrize("channels_last", [True, False])
@pytest.mark.parametrize("cuts", [[], [3], [1, 1, 6]])
def test_where_pixels_are_changes_no_batch(pixels: np.ndarray, channels_last: bool, cuts: list[int]) -> None:
    expected = batches_of(DeviceDataset(pixels, MEAN, STD, device=CPU, channels_last=channels_last))
    parts = [np.ascontiguousarray(part) for part in np.split(pixels, cuts)]
    for resident in (True, False, None):
        images = DeviceDataset(parts, MEAN, STD, device=CPU, channels_last=channels_last, resident=resident)
        assert images.n == 7 and images.home == CPU
        assert (images._pixels is None) == (resident is False)
        for one, other in zip(batches_of(images), expected, strict=True):
            assert torch.equal(one, other) and one.stride() == other.stride()


def test_arrays_of_any_layout(pixels: np.ndarray) -> None:
    for view in (pixels[::-1], pixels[::2], pixels[:, ::-1, 1:], pixels.transpose(0, 2, 1, 3)):
        images = DeviceDataset(view, MEAN, STD, device=CPU)
        expected = DeviceDataset(view.copy(), MEAN, STD, device=CPU)
        assert torch.equal(images.plain(slice(0, 4)), expected.plain(slice(0, 4)))


def test_parts_have_images_of_one_size(pixels: np.ndarray) -> None:
    with pytest.raises(TgsageError, match=r"different sizes, \(6, 9, 3\), \(5, 9, 3\)"):
        DeviceDataset([pixels, pixels[:, 1:]], MEAN, STD, device=CPU)


def take(number: int, **options: object) -> list[list[torch.Tensor]]:
    settings = {"flip": True, "crop_padding": 2, "device": torch.device("cpu"), **options}
    return [list(batch) for batch in itertools.islice(batches(10, 4, 3, **settings), number)]


def test_every_image_once_per_pass() -> None:
    index = torch.cat([batch[0] for batch in take(5)])  # 20 draws of 10 images: two passes
    assert sorted(index[:10].tolist()) == list(range(10)) == sorted(index[10:].tolist())
    assert index[:10].tolist() != index[10:].tolist()


def test_shifts_and_mirrors_take_all_values() -> None:
    _, mirror, down, right = (torch.cat(column) for column in zip(*take(100), strict=True))
    assert mirror.dtype == torch.bool and 0.4 < mirror.float().mean() < 0.6
    assert set(down.tolist()) == set(right.tolist()) == {-2, -1, 0, 1, 2}
    assert not torch.equal(down, right)


def test_streams_are_independent() -> None:
    both, neither = take(6), take(6, flip=False, crop_padding=0)
    for one, other in zip(both, neither, strict=True):
        assert torch.equal(one[0], other[0])
        assert not other[1].any() and not other[2].any() and not other[3].any()
    for one, other in zip(both, take(6, flip=False), strict=True):
        assert torch.equal(one[2], other[2]) and torch.equal(one[3], other[3])
