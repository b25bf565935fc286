"""From stimuli of a size in degrees of visual angle to a network's input."""

from __future__ import annotations

import numpy as np
from PIL import Image

from ..errors import TgsageError, unknown

SMALLEST = 4
"""Pixels: a stimulus that comes out smaller than this holds no picture any more."""

# Pillow widens these kernels when it shrinks an image, so that all three are anti-aliased.
_FILTERS = {
    "area": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}


def to_network_input(
    images: np.ndarray,
    *,
    resolution: int,
    visual_degrees: float,
    network_degrees: float | None = None,
    padding: int = 127,
    resample: str = "area",
) -> np.ndarray:
    """Show stimuli at their size in degrees of visual angle to a network whose input spans some degrees.

    A stimulus whose longer side spans ``visual_degrees`` becomes
    ``round(resolution * visual_degrees / network_degrees)`` pixels long; what is missing to the network's
    input is grey, and what is too much is cut off, both alike on opposite sides (an odd pixel falls to the
    right and below). A stimulus of 8 degrees on an input of 32 pixels that spans 16 degrees is 16 pixels
    wide with 8 pixels of grey on every side.

    Parameters
    ----------
    images
        uint8, (n, height, width, 3).
    resolution
        Side of the network's input in pixels.
    visual_degrees, network_degrees
        What the longer side of a stimulus spanned in the experiment, and what the side of the network's input
        spans; None means as much.
    padding
        Grey value, 0 to 255, around small stimuli.
    resample
        ``area`` (mean of the covered pixels), ``bilinear`` or ``bicubic``; all anti-aliased.

    Returns
    -------
    numpy.ndarray
        uint8, (n, resolution, resolution, 3).

    Raises
    ------
    TgsageError
        For images of another shape or type, degrees that are not positive, an unknown ``resample``, or a
        stimulus that would come out smaller than 4 pixels.
    """
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] != 3:
        raise TgsageError(
            f"stimuli: images are {images.dtype} of shape {images.shape}; give uint8 (n, height, width, 3)"
        )
    if resample not in _FILTERS:
        raise unknown("geometry.resample", resample, _FILTERS)
    network_degrees = visual_degrees if network_degrees is None else network_degrees
    spans = {"stimuli: visual_degrees": visual_degrees, "geometry.network_degrees": network_degrees}
    for key, degrees in spans.items():
        if not (np.isfinite(degrees) and degrees > 0):
            raise TgsageError(f"{key} is {degrees}; give a positive number")
    n, height, width = images.shape[:3]
    scale = resolution * visual_degrees / network_degrees / max(height, width)
    size = (round(height * scale), round(width * scale))
    if min(size) < SMALLEST:
        raise TgsageError(
            f"geometry.network_degrees = {network_degrees:g} makes stimuli of {visual_degrees:g} degrees "
            f"{size[0]}x{size[1]} pixels at resolution {resolution}; choose fewer degrees or a finer task"
        )
    out = np.full((n, resolution, resolution, 3), padding, np.uint8)
    rows, columns = (_centred(side, resolution) for side in size)
    for index, image in enumerate(images):
        resized = image
        if size != (height, width):
            resized = np.asarray(Image.fromarray(image).resize(size[::-1], _FILTERS[resample]))
        out[index, rows[1], columns[1]] = resized[rows[0], columns[0]]
    return out


def _centred(side: int, resolution: int) -> tuple[slice, slice]:
    """Return where along one axis the pixels come from, and where they go."""
    visible = min(side, resolution)
    start, to = (side - visible) // 2, (resolution - visible) // 2
    return slice(start, start + visible), slice(to, to + visible)
