"""Stimuli at their visual degrees."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from tgsage.errors import TgsageError
from tgsage.teacher.geometry import to_network_input


@pytest.fixture
def pictures() -> np.ndarray:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
    return coarse.repeat(8, axis=1).repeat(8, axis=2)


def test_same_size_is_the_same_image(pictures: np.ndarray) -> None:
    assert (to_network_input(pictures, resolution=64, visual_degrees=8) == pictures).all()


def test_area_is_the_mean_of_the_covered_pixels() -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, 24, 24, 3), dtype=np.uint8)
    shown = to_network_input(images, resolution=8, visual_degrees=3, resample="area")
    means = images.reshape(4, 8, 3, 8, 3, 3).mean(axis=(2, 4))
    # Pillow shrinks rows, then columns, and rounds to whole values each time.
    assert np.abs(shown - means).max() < 1


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_anti_aliased_filters_agree_with_torch(mode: str) -> None:
    yy, xx = np.mgrid[0:60, 0:60]
    waves = [127 + 80 * np.sin(xx / period) * np.cos(yy / (period + 2)) for period in (3, 5, 9)]
    images = np.stack(waves, axis=-1)[None].astype(np.uint8)
    shown = to_network_input(images, resolution=21, visual_degrees=5, resample=mode)
    tensor = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())
    other = torch.nn.functional.interpolate(
        tensor, size=(21, 21), mode=mode, antialias=True, align_corners=False
    )
    assert np.abs(shown.astype(int) - other.numpy().transpose(0, 2, 3, 1).astype(int)).max() <= 1


def test_a_fine_grating_becomes_grey_and_not_an_alias() -> None:
    grating = np.zeros((1, 64, 64, 3), np.uint8)
    grating[:, :, ::2] = 254
    for resample in ("area", "bilinear", "bicubic"):
        shown = to_network_input(grating, resolution=16, visual_degrees=8, resample=resample)
        assert np.abs(shown[:, 2:-2, 2:-2].astype(int) - 127).max() <= 3, resample


def test_small_stimuli_are_padded_in_the_middle(pictures: np.ndarray) -> None:
    shown = to_network_input(
        pictures, resolution=32, visual_degrees=8, network_degrees=16, padding=7, resample="area"
    )
    assert (shown[:, 8:24, 8:24] == to_network_input(pictures, resolution=16, visual_degrees=8)).all()
    frame = np.ones((32, 32), bool)
    frame[8:24, 8:24] = False
    assert (shown[:, frame] == 7).all()


def test_large_stimuli_are_cropped_in_the_middle(pictures: np.ndarray) -> None:
    # 64 pixels span 8 degrees; a network of 4 degrees and 32 pixels sees the middle half, pixel by pixel.
    shown = to_network_input(pictures, resolution=32, visual_degrees=8, network_degrees=4)
    assert (shown == pictures[:, 16:48, 16:48]).all()


def test_an_odd_pixel_falls_to_the_right_and_below() -> None:
    white = np.full((1, 7, 7, 3), 255, np.uint8)
    shown = to_network_input(white, resolution=16, visual_degrees=7, network_degrees=16, padding=0)
    rows = np.flatnonzero(shown[0, :, :, 0].any(axis=1))
    assert (rows.min(), rows.max()) == (4, 10)


def test_the_longer_side_has_the_degrees() -> None:
    wide = np.full((1, 20, 40, 3), 255, np.uint8)
    shown = to_network_input(wide, resolution=16, visual_degrees=8, padding=0)
    assert shown[0, 4:12].min() == 255
    assert shown[0, :4].max() == shown[0, 12:].max() == 0


def test_every_image_is_what_pillow_makes_of_it(pictures: np.ndarray) -> None:
    shown = to_network_input(pictures, resolution=20, visual_degrees=8, resample="bicubic")
    for image, result in zip(pictures, shown, strict=True):
        assert (np.asarray(Image.fromarray(image).resize((20, 20), Image.Resampling.BICUBIC)) == result).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"images": np.zeros((2, 8, 8, 3))}, "uint8"),
        ({"images": np.zeros((2, 8, 8), np.uint8)}, "uint8"),
        ({"resample": "bilinaer"}, "did you mean 'bilinear'"),
        ({"visual_degrees": 0.0}, "visual_degrees"),
        ({"visual_degrees": np.nan}, "visual_degrees"),
        ({"network_degrees": -1.0}, "network_degrees"),
        ({"network_degrees": 100.0}, "fewer degrees"),
    ],
)
def test_bad_geometry_is_one_line(change: dict, words: str) -> None:
    arguments = {
        "images": np.zeros((2, 8, 8, 3), np.uint8),
        "resolution": 16,
        "visual_degrees": 8.0,
        **change,
    }
    images = arguments.pop("images")
    with pytest.raises(TgsageError, match=words) as caught:
        to_network_input(images, **arguments)
    assert "\n" not in str(caught.value)
