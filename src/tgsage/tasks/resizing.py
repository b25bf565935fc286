"""Making images square and resizing them."""

from __future__ import annotations

import numpy as np
from PIL import Image


def squared(pixels: np.ndarray, fit: str, padding: int) -> np.ndarray:
    """Make an image (height, width, 3) square.

    Where the difference is odd, one more pixel is cut off, or padded, at the bottom or on the right.
    ``fit`` "crop" takes the square in its middle, "pad" puts it in the middle of a square of the grey value
    ``padding``.
    """
    height, width = pixels.shape[:2]
    if height == width:
        return pixels
    side = min(height, width) if fit == "crop" else max(height, width)
    top, left = abs(height - side) // 2, abs(width - side) // 2
    if fit == "crop":
        return pixels[top : top + side, left : left + side]
    whole = np.full((side, side, 3), padding, np.uint8)
    whole[top : top + height, left : left + width] = pixels
    return whole


def resized(images: np.ndarray, side: int) -> np.ndarray:
    """Return uint8 (n, side, side, 3): the images as they are, or resampled with anti-aliasing."""
    if images.shape[1:3] == (side, side):
        return images
    method = Image.Resampling.BOX if side < images.shape[1] else Image.Resampling.BICUBIC
    return np.stack([np.asarray(Image.fromarray(image).resize((side, side), method)) for image in images])
