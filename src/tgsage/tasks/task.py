"""Tasks: labelled images in three parts."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import TgsageError
from ..store import digest

PARTS = ("train", "validation", "test")
STEP = 1024
"""Images that are processed together; all of a task may be too many."""


class Subset:
    """Some images of a larger array, read on access.

    ``images`` are uint8 (N, H, W, 3), usually memory-mapped, and ``index`` int (n,); ``shape``, ``dtype`` and
    ``ndim`` are those of the array (n, H, W, 3) that this stands for.
    """

    def __init__(self, images: np.ndarray, index: np.ndarray):
        self._images, self._index = images, index
        self.shape = (len(index), *images.shape[1:])
        self.dtype, self.ndim = images.dtype, images.ndim

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, key: Any) -> np.ndarray:
        return np.asarray(self._images[self._index[key]])


@dataclass(frozen=True, eq=False)
class Part:
    """Labelled images.

    Attributes
    ----------
    images
        uint8 (n, H, W, 3); memory-mapped where a large task was read, and :class:`Subset` images of a
        temporary file while one is made.
    labels
        int64 (n,), from 0 to the number of classes - 1.
    """

    images: np.ndarray | Subset
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Task:
    """Labelled images in three disjoint parts.

    Candidates learn ``train``, the search is rewarded on ``validation``, and ``test`` is used once, on the
    network that a search found.

    Attributes
    ----------
    name
        The source's name.
    train, validation, test
        The parts; square images of one size.
    classes
        Names, in the order of the labels.
    simulated
        Whether the images were rendered or otherwise made up.
    """

    name: str
    train: Part
    validation: Part
    test: Part
    classes: tuple[str, ...]
    simulated: bool = False

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.classes)

    @property
    def resolution(self) -> int:
        """Side of the images in pixels."""
        return int(self.train.images.shape[1])

    @functools.cached_property
    def pixel_counts(self) -> np.ndarray:
        """int64 (3, 256): how many training pixels have each value, by channel."""
        counts = np.zeros((3, 256), dtype=np.int64)
        # A piece at a time: images may be memory-mapped and larger than memory.
        for begin in range(0, len(self.train), STEP):
            piece = np.asarray(self.train.images[begin : begin + STEP])
            for channel in range(3):
                counts[channel] += np.bincount(piece[..., channel].ravel(), minlength=256)
        return counts

    @functools.cached_property
    def _moments(self) -> tuple[np.ndarray, np.ndarray]:
        # From counts of pixel values: exact, and no float copy of all images.
        counts = self.pixel_counts
        levels = np.arange(256) / 255
        share = counts / counts.sum(axis=1, keepdims=True)
        mean = share @ levels
        variance = share @ levels**2 - mean**2
        return mean.astype(np.float32), np.sqrt(np.maximum(variance, 1e-8)).astype(np.float32)

    @property
    def mean(self) -> np.ndarray:
        """float32 (3,): mean of the training pixels, as fractions of 255."""
        return self._moments[0]

    @property
    def std(self) -> np.ndarray:
        """float32 (3,): standard deviation of the training pixels, as fractions of 255; positive."""
        return self._moments[1]

    @functools.cached_property
    def digest(self) -> str:
        """Digest of classes, images and labels, independent of the file that holds them."""
        parts = {name: getattr(self, name) for name in PARTS}
        content = {name: [part.images, part.labels.astype(np.int64)] for name, part in parts.items()}
        return digest({"classes": list(self.classes), "parts": content})


def image_hashes(images: np.ndarray | Subset) -> list[str]:
    """Return the SHA-1 of the pixels of every image of (n, H, W, 3) uint8; equal images have equal hashes."""
    head = f"{images.shape[1:]}:".encode()
    pixels = (np.ascontiguousarray(images[index]).tobytes() for index in range(len(images)))
    return [hashlib.sha1(head + content).hexdigest() for content in pixels]


def check_shapes(task: Task, where: str) -> None:
    """Check images' types and shapes, and labels.

    Raises
    ------
    TgsageError
        One line naming the part and what is wrong.
    """
    sides = {part: getattr(task, part).images.shape for part in PARTS}
    for part, shape in sides.items():
        images, labels = getattr(task, part).images, getattr(task, part).labels
        if images.dtype != np.uint8 or images.ndim != 4 or shape[3] != 3 or shape[1] != shape[2]:
            raise TgsageError(
                f"{where}: {part} images are {images.dtype} {shape}; they must be uint8 (n, side, side, 3)"
            )
        if shape[1] != sides["train"][1]:
            raise TgsageError(
                f"{where}: {part} images have {shape[1]} pixels a side and training images "
                f"{sides['train'][1]}; resize them to one size"
            )
        if len(labels) != len(images) or len(images) == 0:
            raise TgsageError(f"{where}: {part} has {len(images)} images and {len(labels)} labels")
        outside = np.flatnonzero((labels < 0) | (labels >= task.n_classes))
        if len(outside):
            raise TgsageError(
                f"{where}: {part} image {outside[0]} has label {labels[outside[0]]}, which is none of the "
                f"{task.n_classes} classes; labels count from 0"
            )


def validate(task: Task, where: str) -> None:
    """Check shapes, labels, and that the parts are disjoint.

    Raises
    ------
    TgsageError
        One line naming the part and what is wrong.
    """
    check_shapes(task, where)
    seen: dict[str, str] = {}
    for part in PARTS:
        for number, name in enumerate(image_hashes(getattr(task, part).images)):
            if seen.setdefault(name, part) != part:
                raise TgsageError(
                    f"{where}: {part} image {number} is also among the {seen[name]} images; parts must be "
                    "disjoint, leave one of them out"
                )
