"""Scenes: an object at a position, size and pose, pasted on an unrelated 1/f background."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from ...errors import TgsageError, unknown
from ...store import seed_from
from .objects import CATEGORIES, OBJECTS_PER_CATEGORY, Object, Pattern, numbered
from .solids import View, cast

STREAMS = ("train", "validation", "test", "teacher", "simulated_macaque")
"""The streams of scenes of one seed; no scene is in two of them."""

SUPERSAMPLING = 3
"""Rays per pixel along each side."""

RADIUS = 0.45
"""Radius of an object's bounding sphere at size 1, as a share of the image's side."""


@dataclass(frozen=True)
class Variation:
    """Ranges of uniform draws: see :data:`VARIATIONS`."""

    position: float
    """Largest shift of the object's centre along x and y, as a share of the image's side."""
    size: float
    """Sizes are between 1 / size and size, uniform in the logarithm."""
    yaw: float
    """Largest rotation about the object's vertical axis away from the canonical view, in degrees."""
    tilt: float
    """Largest rotation about each of the two other axes, in degrees."""
    light: float
    """Largest turn of the lamp to either side, in degrees."""


VARIATIONS = {
    "low": Variation(position=0.0, size=1.0, yaw=0.0, tilt=0.0, light=0.0),
    "medium": Variation(position=0.10, size=1.2, yaw=40.0, tilt=15.0, light=30.0),
    "high": Variation(position=0.20, size=1.45, yaw=90.0, tilt=35.0, light=60.0),
}
"""The three levels, in the manner of HvM: fixed; moderate; wide."""

TOGETHER = 8
"""Images that are cast together: more spare calls of numpy, fewer fit the processor's cache."""

BACKGROUND_MEAN = (0.25, 0.65)
BACKGROUND_CONTRAST = (0.04, 0.14)
"""Ranges of the background's mean and standard deviation, in units of white."""


@dataclass(frozen=True)
class RenderedImages:
    """Images and the scenes behind them; every field has the images as its first axis."""

    images: np.ndarray
    """uint8 (n, resolution, resolution, 3), grey."""
    category: np.ndarray
    """int64 (n,), index into ``CATEGORIES``."""
    object: np.ndarray
    """int64 (n,), 0 to 63: 8 × category + number within it."""
    object_name: np.ndarray
    """str (n,)."""
    variation: np.ndarray
    """str (n,)."""
    x: np.ndarray
    """float64 (n,), shift of the object's centre to the right, as a share of the image's side."""
    y: np.ndarray
    """float64 (n,), shift of the object's centre upwards, as a share of the image's side."""
    size: np.ndarray
    """float64 (n,), relative to the standard size."""
    yaw: np.ndarray
    """float64 (n,), in degrees, relative to the canonical view, as ``pitch`` and ``roll``."""
    pitch: np.ndarray
    roll: np.ndarray
    background_contrast: np.ndarray
    """float64 (n,), standard deviation in units of white."""

    def columns(self) -> dict[str, np.ndarray]:
        """Return everything but the images, by name."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "images"}


def object_numbers(first: int, n: int, *, seed: int, stream: str) -> np.ndarray:
    """Return which object (0 to 63) each of the images ``first`` … ``first + n - 1`` shows.

    Each block of 8 successive images (from a multiple of 8) shows every category once, and each block of 64
    shows every object once, in an order that is drawn for the block.
    """
    categories = len(CATEGORIES)
    size = categories * OBJECTS_PER_CATEGORY
    blocks = []
    for block in range(first // size, -(-(first + n) // size)):
        rng = np.random.default_rng(seed_from("rendering.objects", seed, stream, block))
        # (category, turn): which of its objects a category shows in its turn-th block of 8.
        within = np.stack([rng.permutation(OBJECTS_PER_CATEGORY) for _ in range(categories)])
        # (turn, place): which category is at a place of that block.
        order = np.stack([rng.permutation(categories) for _ in range(OBJECTS_PER_CATEGORY)])
        turns = np.arange(OBJECTS_PER_CATEGORY)[:, None]
        blocks.append((order * OBJECTS_PER_CATEGORY + within[order, turns]).ravel())
    numbers = np.concatenate(blocks) if blocks else np.empty(0, np.int64)
    start = first % size
    return numbers[start : start + n].astype(np.int64)


def render(
    n: int, *, resolution: int, variation: str, seed: int, stream: str, first: int = 0
) -> RenderedImages:
    """Render images of objects on unrelated backgrounds.

    Orthographic ray-casting with Lambert shading; 3 × 3 rays a pixel, averaged over the pixel's area.
    Image ``i`` of a stream depends on (seed, stream, i, variation, resolution) alone, so that any portions
    of a stream fit together. Objects and categories are balanced (:func:`object_numbers`).

    Parameters
    ----------
    n
        Number of images.
    resolution
        Side in pixels.
    variation
        ``"low"``, ``"medium"`` or ``"high"``: ranges of position, size and pose (:data:`VARIATIONS`).
    seed
        Seed of the scenes.
    stream
        One of :data:`STREAMS`; different streams share no scene.
    first
        Index of the first image in its stream.

    Raises
    ------
    TgsageError
        For an unknown stream or variation, or a number below one.
    """
    if stream not in STREAMS:
        raise unknown("stream of rendered images", stream, STREAMS)
    if variation not in VARIATIONS:
        raise unknown("variation", variation, VARIATIONS)
    if n < 1 or resolution < 8 or first < 0:
        raise TgsageError(
            f"rendering {n} images of {resolution} pixels from index {first}: ask for at least 1 image of at "
            "least 8 pixels, from index 0 or later"
        )
    numbers = object_numbers(first, n, seed=seed, stream=stream)
    images = np.empty((n, resolution, resolution, 3), np.uint8)
    scenes = np.empty((n, 7))
    for start in range(0, n, TOGETHER):
        portion = range(start, min(start + TOGETHER, n))
        drawn = []
        for row in portion:
            rng = np.random.default_rng(seed_from("rendering.scene", seed, stream, first + row))
            scene = _draw_scene(VARIATIONS[variation], rng)
            field = background(resolution, scene.background_mean, scene.background_contrast, rng)
            drawn.append((numbered(int(numbers[row])), scene, field))
            angles = np.rad2deg([scene.yaw, scene.pitch, scene.roll])
            scenes[row] = [scene.x, scene.y, scene.size, *angles, scene.background_contrast]
        images[portion] = _images(drawn)[..., None]
    return RenderedImages(
        images,
        numbers // OBJECTS_PER_CATEGORY,
        numbers,
        np.array([numbered(int(number)).name for number in numbers]),
        np.full(n, variation),
        *scenes.T.copy(),
    )


def background(resolution: int, mean: float, contrast: float, rng: np.random.Generator) -> np.ndarray:
    """Return pink noise (resolution, resolution) float: amplitude 1/f, random phases.

    Cut out of a periodic field of twice the side, so that opposite edges do not match.

    Its mean and standard deviation are ``mean`` and ``contrast``, before it is clipped.
    """
    side = 2 * resolution
    frequency = _frequencies(side)
    phase = rng.uniform(0, 2 * np.pi, frequency.shape)
    noise = np.fft.irfft2(np.exp(1j * phase) / frequency, s=(side, side))[:resolution, :resolution]
    field: np.ndarray = mean + contrast * (noise - noise.mean()) / noise.std()
    return field


@functools.cache
def _frequencies(side: int) -> np.ndarray:
    """Return the frequency of each coefficient (side, side // 2 + 1); infinite for the mean."""
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None])
    frequency[0, 0] = np.inf
    return np.asarray(frequency)


@dataclass(frozen=True)
class _Scene:
    """What is drawn at random for an image, apart from the background's phases; angles in radians."""

    x: float
    y: float
    size: float
    yaw: float
    pitch: float
    roll: float
    lamp: np.ndarray
    """(3,) unit vector that points to the lamp."""
    background_mean: float
    background_contrast: float

    def view(self, item: Object) -> View:
        """Return where the scene has an object."""
        rotation = _rotation(item.yaw + self.yaw, item.pitch + self.pitch, self.roll)
        return View(item.body, self.lamp, rotation, RADIUS * self.size, np.array([self.x, self.y, 0.0]))


def _draw_scene(level: Variation, rng: np.random.Generator) -> _Scene:
    x, y = rng.uniform(-1, 1, 2) * level.position
    size = np.exp(rng.uniform(-1, 1) * np.log(level.size))
    yaw, pitch, roll = np.deg2rad(rng.uniform(-1, 1, 3) * [level.yaw, level.tilt, level.tilt])
    side, height = np.deg2rad(
        [30 + rng.uniform(-1, 1) * level.light, 45 + rng.uniform(-1, 1) * level.light / 3]
    )
    lamp = np.array([-np.sin(side) * np.cos(height), np.sin(height), np.cos(side) * np.cos(height)])
    mean, contrast = rng.uniform(*BACKGROUND_MEAN), rng.uniform(*BACKGROUND_CONTRAST)
    return _Scene(x, y, size, yaw, pitch, roll, lamp, mean, contrast)


def _rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Rotate about the vertical axis first, then towards the viewer, then in the image plane."""
    (a, b, c), (d, e, f) = np.cos([yaw, pitch, roll]), np.sin([yaw, pitch, roll])
    about_y = np.array([[a, 0, d], [0, 1, 0], [-d, 0, a]])
    about_x = np.array([[1, 0, 0], [0, b, -e], [0, e, b]])
    about_z = np.array([[c, -f, 0], [f, c, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_x @ about_y)


def _albedo_pattern(pattern: Pattern, points: np.ndarray) -> np.ndarray:
    """Return a pattern's values in [-1, 1] at points (n, 3) of an object's scaled space."""
    scaled = pattern.frequency * points
    values: np.ndarray
    match pattern.kind:
        case "stripes":
            values = np.sign(np.sin(scaled @ pattern.direction))
        case "checks":
            values = np.sign(np.sin(scaled[:, 0]) * np.sin(scaled[:, 1]) * np.cos(scaled[:, 2]))
        case "spots":
            values = np.sign(np.sin(scaled).sum(1) - 0.8)
        case _:  # blotches
            slow = np.sin(0.6 * pattern.frequency * points @ pattern.direction)
            values = np.clip(np.sin(scaled).sum(1) * slow, -1, 1)
    return values


def _images(drawn: Sequence[tuple[Object, _Scene, np.ndarray]]) -> np.ndarray:
    """Return uint8 images (n, h, h) of objects in scenes, each on its background (h, h)."""
    items, scenes, backgrounds = zip(*drawn, strict=True)
    resolution = len(backgrounds[0])
    fine = resolution * SUPERSAMPLING
    axis = (np.arange(fine) + 0.5) / fine - 0.5
    views = [scene.view(item) for item, scene in zip(items, scenes, strict=True)]
    picture = cast(views, axis, -axis)

    points = np.stack([axis[picture.column], -axis[picture.row], picture.depth], 1)
    ends = picture.view.searchsorted(np.arange(len(views) + 1))
    values = np.empty(len(points))
    for item, view, start, end in zip(items, views, ends, ends[1:], strict=False):
        local = (points[start:end] - view.shift) @ view.rotation / view.scale
        values[start:end] = item.pattern.contrast * _albedo_pattern(item.pattern, local)
    place = picture.view, picture.row, picture.column
    colour, cover = np.zeros((2, len(views), fine, fine))
    colour[place] = np.minimum(picture.shade * (1 + picture.pattern * values), 1)
    cover[place] = 1

    image = _pixel_means(colour) + (1 - _pixel_means(cover)) * np.clip(backgrounds, 0, 1)
    return np.asarray(np.rint(255 * np.clip(image, 0, 1)), np.uint8)


def _pixel_means(rays: np.ndarray) -> np.ndarray:
    """Average (n, 3 h, 3 h) over the rays of each pixel: (n, h, h)."""
    parts = range(SUPERSAMPLING)
    lines = functools.reduce(np.add, [rays[:, :, part::SUPERSAMPLING] for part in parts])
    total = functools.reduce(np.add, [lines[:, part::SUPERSAMPLING] for part in parts])
    return np.asarray(total / SUPERSAMPLING**2)
