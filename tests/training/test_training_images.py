"""Batches on the device: against numpy, one image at a time."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from tgsage.errors import TgsageError
from tgsage.training.images import DeviceImages, draws

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
    images = DeviceImages(pixels, MEAN, STD, device=torch.device("cpu"), channels_last=channels_last)
    cases = list(itertools.product([0, 3, 6], [False, True], [-3, 0, 2], [-3, 1, 3]))
    index, mirror, down, right = (torch.tensor(column) for column in zip(*cases, strict=True))
    batch = images.augmented(index, mirror, down, right)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    assert batch.dtype == torch.float32 and batch.is_contiguous(memory_format=layout)
    for row, (i, m, d, r) in zip(batch.numpy(), cases, strict=True):
        np.testing.assert_allclose(row, slow(pixels[i], m, d, r, 3), atol=1e-5)


def test_plain_is_normalised_only(pixels: np.ndarray) -> None:
    pixels.flags.writeable = False
    images = DeviceImages(pixels, MEAN, STD, device=torch.device("cpu"))
    expected = ((pixels / 255 - MEAN) / STD).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(images.plain(slice(2, 5)).numpy(), expected[2:5], atol=1e-5)
    np.testing.assert_allclose(images.plain(torch.tensor([6, 0])).numpy(), expected[[6, 0]], atol=1e-5)


def test_other_images_are_refused() -> None:
    with pytest.raises(TgsageError, match=r"expected uint8 \(n, height, width, 3\)"):
        DeviceImages(np.zeros((2, 3, 8, 8), np.uint8), MEAN, STD, device=torch.device("cpu"))
    with pytest.raises(TgsageError, match="float32"):
        DeviceImages(np.zeros((2, 8, 8, 3), np.float32), MEAN, STD, device=torch.device("cpu"))


def take(number: int, **options: object) -> list[list[torch.Tensor]]:
    settings = {"flip": True, "crop_padding": 2, "device": torch.device("cpu"), **options}
    return [list(batch) for batch in itertools.islice(draws(10, 4, 3, **settings), number)]


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
