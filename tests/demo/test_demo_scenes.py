from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tgsage.demo.rendering import CATEGORIES, OBJECTS, STREAMS, VARIATIONS, render
from tgsage.demo.rendering.objects import numbered
from tgsage.demo.rendering.scenes import SUPERSAMPLING, _images, _Scene, background, object_numbers
from tgsage.demo.rendering.solids import View, cast
from tgsage.errors import TgsageError
from tgsage.tasks import image_hashes

SETTINGS = {"resolution": 16, "variation": "high", "seed": 3, "stream": "train"}


def same(one, other):
    return all(
        np.array_equal(getattr(one, field.name), getattr(other, field.name))
        for field in dataclasses.fields(one)
    )


def part(scenes, start, stop):
    return type(scenes)(*(getattr(scenes, field.name)[start:stop] for field in dataclasses.fields(scenes)))


def test_an_image_depends_on_its_index_and_not_on_the_portion():
    whole = render(20, **SETTINGS)
    assert same(whole, render(20, **SETTINGS))
    assert same(part(whole, 0, 7), render(7, **SETTINGS))
    assert same(part(whole, 13, 18), render(5, first=13, **SETTINGS))
    late = render(140, **SETTINGS)
    assert same(part(late, 120, 140), render(20, first=120, **SETTINGS))


def test_streams_and_seeds_share_no_image():
    hashes = []
    for stream in STREAMS:
        for seed in (0, 1):
            hashes += image_hashes(
                render(16, resolution=16, variation="low", seed=seed, stream=stream).images
            )
    assert len(set(hashes)) == len(hashes) == 160


def test_form_and_columns():
    scenes = render(24, resolution=20, variation="medium", seed=0, stream="teacher")
    assert scenes.images.shape == (24, 20, 20, 3)
    assert scenes.images.dtype == np.uint8
    assert (scenes.images == scenes.images[..., :1]).all()
    names = [OBJECTS[category][number] for category in CATEGORIES for number in range(8)]
    assert list(scenes.object_name) == [names[number] for number in scenes.object]
    np.testing.assert_array_equal(scenes.category, scenes.object // 8)
    assert set(scenes.columns()) == {field.name for field in dataclasses.fields(scenes)} - {"images"}
    assert set(scenes.variation) == {"medium"}


def test_objects_and_categories_are_balanced():
    numbers = object_numbers(0, 640, seed=5, stream="test")
    for block in numbers.reshape(-1, 64):
        assert sorted(block) == list(range(64))
    for block in numbers.reshape(-1, 8):
        assert sorted(block // 8) == list(range(8))
    assert len({tuple(block // 8) for block in numbers.reshape(-1, 8)}) > 70  # the order is drawn anew
    np.testing.assert_array_equal(object_numbers(100, 70, seed=5, stream="test"), numbers[100:170])


@pytest.mark.parametrize("variation", VARIATIONS)
def test_variation_is_what_its_level_says(variation):
    level = VARIATIONS[variation]
    scenes = render(256, resolution=8, variation=variation, seed=0, stream="train")
    for values, reach in [
        (scenes.x, level.position), (scenes.y, level.position), (np.log(scenes.size), np.log(level.size)),
        (scenes.yaw, level.yaw), (scenes.pitch, level.tilt), (scenes.roll, level.tilt),
    ]:  # fmt: skip
        assert np.abs(values).max() <= reach + 1e-12
        # Uniform: the standard deviation of 256 draws is within 15 % of reach / sqrt(3).
        assert values.std() == pytest.approx(reach / np.sqrt(3), rel=0.15, abs=1e-12)


def test_position_moves_the_object():
    """The object's centre of mass, told from the background by rendering without one, follows x and y."""
    scenes = render(64, resolution=48, variation="high", seed=1, stream="train")
    balls = np.flatnonzero(scenes.object_name == "apple")
    rows = np.arange(48)
    assert len(balls) == 1
    for index in balls:
        item = numbered(int(scenes.object[index]))
        axis = (np.arange(48) + 0.5) / 48 - 0.5
        shift = scenes.x[index], scenes.y[index], 0
        view = View(item.body, np.eye(3)[2], scale=0.45 * scenes.size[index], shift=shift)
        picture = cast([view], axis, -axis)
        mask = np.zeros((48, 48), bool)
        mask[picture.row, picture.column] = True
        image = scenes.images[index, ..., 0].astype(float)
        outside = np.abs(np.diff(image, axis=0))[~mask[1:]].mean()
        inside = np.abs(np.diff(image, axis=0))[mask[1:]].mean()
        assert inside < outside  # smooth surfaces on a rough background
        centre = (mask.sum(1) @ rows) / mask.sum()
        assert centre == pytest.approx(47 / 2 - 48 * scenes.y[index], abs=4)


def test_every_object_is_centred_and_fits_the_unit_sphere():
    axis = np.linspace(-1.2, 1.2, 97)
    looks = set()
    for number in range(64):
        item = numbered(number)
        picture = cast([View(item.body, np.eye(3)[2])], axis, -axis)
        rows, columns = picture.row, picture.column
        radius = np.sqrt(axis[columns] ** 2 + axis[rows] ** 2 + picture.depth**2).max()
        assert 0.6 < radius < 1.06, item.name
        assert np.abs(axis[[columns.min(), columns.max()]].sum()) < 0.12, item.name
        looks.add(picture.shade.round(3).tobytes())
    assert len(looks) == 64


def test_pixels_average_the_rays_over_their_area():
    """Coarse pixels are the mean of fine ones where the object covers all of them and carries no noise."""
    level = {"variation": "low", "seed": 0, "stream": "train"}
    coarse = render(64, resolution=16, **level)
    fine = render(64, resolution=48, **level)
    index = int(np.flatnonzero(coarse.object_name == "melon")[0])
    assert SUPERSAMPLING == 3
    small = coarse.images[index, 5:11, 5:11, 0].astype(float)
    large = fine.images[index, 15:33, 15:33, 0].astype(float).reshape(6, 3, 6, 3).mean((1, 3))
    assert np.abs(small - large).mean() < 6
    assert np.corrcoef(small.ravel(), large.ravel())[0, 1] > 0.97


def albedo_pattern(pattern, point):
    x, y, z = pattern.frequency * point
    if pattern.kind == "stripes":
        return np.sign(np.sin(pattern.frequency * np.dot(point, pattern.direction)))
    if pattern.kind == "checks":
        return np.sign(np.sin(x) * np.sin(y) * np.cos(z))
    waves = np.sin(x) + np.sin(y) + np.sin(z)
    if pattern.kind == "spots":
        return np.sign(waves - 0.8)
    blotches = waves * np.sin(0.6 * pattern.frequency * np.dot(point, pattern.direction))
    return max(-1, min(1, blotches))


@pytest.mark.parametrize("name", ["melon", "turtle", "giraffe", "freighter"])
def test_an_image_agrees_with_single_rays(name):
    """Stripes, checks, spots and blotches; against a loop over rays that puts the object in place itself."""
    names = [item for category in CATEGORIES for item in OBJECTS[category]]
    item = numbered(names.index(name))
    lamp = np.array([-0.4, 0.6, 0.7]) / np.linalg.norm([-0.4, 0.6, 0.7])
    scene = _Scene(0.05, -0.1, 0.9, 0.5, -0.3, 0.7, lamp, 0.4, 0.1)
    field = np.random.default_rng(0).uniform(0, 1, (8, 8))
    turn = Rotation.from_euler("yxz", [item.yaw + 0.5, item.pitch - 0.3, 0.7])
    shift, scale = np.array([0.05, -0.1, 0]), 0.45 * 0.9
    place = {"rotation": turn.as_matrix(), "scale": scale, "shift": shift}
    expected = np.zeros((8, 8))
    for row, column, down, right in np.ndindex(8, 8, 3, 3):
        x, y = (column + (right + 0.5) / 3) / 8 - 0.5, 0.5 - (row + (down + 0.5) / 3) / 8
        ray = cast([View(item.body, lamp, **place)], np.array([x]), np.array([y]))
        value = field[row, column]
        if len(ray.depth):
            point = turn.inv().apply(np.array([x, y, ray.depth.item()]) - shift) / scale
            strength = item.pattern.contrast * ray.pattern.item()
            value = min(1, ray.shade.item() * (1 + strength * albedo_pattern(item.pattern, point)))
        expected[row, column] += value / 9
    (image,) = _images([(item, scene, field)])
    assert image.dtype == np.uint8
    np.testing.assert_allclose(image, 255 * expected, atol=0.501)


def test_background_is_pink():
    rng = np.random.default_rng(0)
    side = 64
    power = np.zeros((side, side // 2 + 1))
    window = np.hanning(side)[:, None] * np.hanning(side)
    for _ in range(60):
        field = background(side, 0.4, 0.1, rng)
        assert field.mean() == pytest.approx(0.4)
        assert field.std() == pytest.approx(0.1)
        power += np.abs(np.fft.rfft2((field - field.mean()) * window)) ** 2
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None])
    band = (frequency > 4 / side) & (frequency < 0.4)
    slope = np.polyfit(np.log(frequency[band]), np.log(power[band]), 1)[0]
    assert slope == pytest.approx(-2, abs=0.15)  # power 1/f² is amplitude 1/f


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"stream": "trian"}, "did you mean 'train'"),
        ({"variation": "hihg"}, "did you mean 'high'"),
        ({"resolution": 4}, "at least 8 pixels"),
    ],
)
def test_wrong_requests_are_one_line(change, words):
    with pytest.raises(TgsageError, match=words):
        render(4, **{**SETTINGS, **change})
    with pytest.raises(TgsageError, match="at least 1 image"):
        render(0, **SETTINGS)
