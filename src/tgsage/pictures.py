"""Pictures and zips that somebody else made: which names are safe, and how an image is decoded."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from pathlib import PurePosixPath

import numpy as np
from PIL import Image

from .errors import TgsageError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp")
"""Of files that are taken for images."""
TRANSPARENT_GREY = 128
"""Background of images with transparent pixels."""

# RuntimeError is zipfile's word for a password, and what it raises about an unknown compression is one.
DAMAGED = (
    zipfile.BadZipFile, zlib.error, OSError, ValueError, EOFError, SyntaxError, RuntimeError,
    Image.DecompressionBombError,
)  # fmt: skip
"""What the readers of zips and images raise about files that are not whole."""


def points_outside(name: str) -> bool:
    """Whether the name of an archive's entry leads out of the folder that it would be unpacked to."""
    return bool(
        name.startswith("/")
        or ".." in PurePosixPath(name).parts
        or re.match(r"[A-Za-z]:", name)
        or {"\\", "\0"} & set(name)
    )


def decode(content: bytes, what: str, maximal_pixels: int) -> np.ndarray:
    """Decode an image.

    Parameters
    ----------
    content
        Of its file.
    what
        What messages call it, e.g. ``"images.zip: image a.png"``.
    maximal_pixels
        Refuse larger ones before they are decoded.

    Returns
    -------
    numpy.ndarray
        uint8 (height, width, 3). Grey images are repeated over the channels; transparent pixels become
        mid-grey.

    Raises
    ------
    TgsageError
        If it cannot be decoded, is too large, or has more than 8 bits a channel.
    """
    try:
        with Image.open(io.BytesIO(content)) as image:
            if image.width * image.height > maximal_pixels:
                raise TgsageError(f"{what} has {image.width}x{image.height} pixels, too many")
            if image.mode.startswith(("I", "F")):
                raise TgsageError(
                    f"{what} has more than 8 bits a channel (mode {image.mode}); convert it to 8 bits"
                )
            return opaque(image)
    except DAMAGED as error:
        raise TgsageError(f"{what} cannot be decoded, truncated or damaged ({error})") from None


def opaque(image: Image.Image) -> np.ndarray:
    """Return an image as uint8 (height, width, 3), transparent pixels on mid-grey."""
    if not image.has_transparency_data:
        return np.asarray(image.convert("RGB"))
    grey = Image.new("RGBA", image.size, (TRANSPARENT_GREY,) * 3 + (255,))
    return np.asarray(Image.alpha_composite(grey, image.convert("RGBA")).convert("RGB"))
