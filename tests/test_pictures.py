"""Names of entries and images that somebody else made."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from tgsage.errors import TgsageError
from tgsage.pictures import decode, opaque, points_outside


def png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


@pytest.mark.parametrize(
    "name", ["/a.png", "../a.png", "a/../../b.png", "C:/a.png", "a\\b.png", "\\a.png", "a\0.png"]
)
def test_names_that_lead_out(name):
    assert points_outside(name)


@pytest.mark.parametrize("name", ["a.png", "a/b.png", "a..b/c.png", "./a.png", "train/n1/images/n1_0.JPEG"])
def test_names_that_stay(name):
    assert not points_outside(name)


def test_grey_is_repeated_and_transparency_is_grey():
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    np.testing.assert_array_equal(
        decode(png(Image.fromarray(grey)), "x", 100), np.repeat(grey[..., None], 3, 2)
    )
    clear = np.zeros((2, 2, 4), np.uint8)
    clear[0, 0] = (10, 20, 30, 255)
    found = opaque(Image.fromarray(clear))
    assert found[0, 0].tolist() == [10, 20, 30] and (found[1] == 128).all()


def bomb() -> bytes:
    """A PNG that says it has 60,000 x 60,000 pixels: Pillow refuses to open it."""
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "cannot be decoded"),
        (b"no image", "cannot be decoded"),
        (png(Image.effect_noise((9, 9), 50))[:-40], "cannot be decoded"),
        (png(Image.new("RGB", (11, 10))), "11x10 pixels"),
        (png(Image.new("I;16", (4, 4))), "more than 8 bits"),
        (bomb(), "cannot be decoded"),
    ],
    ids=["empty", "text", "truncated", "too large", "16 bits", "bomb"],
)
def test_a_bad_image_is_one_line(content, words):
    with pytest.raises(TgsageError, match=rf"^stimuli.zip: image a.png .*{words}") as raised:
        decode(content, "stimuli.zip: image a.png", 100)
    assert "\n" not in str(raised.value)
