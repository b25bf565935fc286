"""Making a task of published images: one size, no image twice, three parts, one piece in memory at a time."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar, cast

import numpy as np
from PIL import Image

from ..errors import TgsageError
from .split import renumbering, stratified
from .task import PARTS, Part, Subset, Task, image_hashes

if TYPE_CHECKING:
    from .settings import OwnImagesSettings, TaskSettings

Piece = tuple[np.ndarray, np.ndarray]
"""uint8 (n, side, side, 3) and int (n,): images with labels counted in the order of all classes."""

Content = TypeVar("Content")

PART_NAMES = {"train": "train", "val": "validation", "validation": "validation", "test": "test"}
"""Names that sources have for the parts."""
PIECE = 1024
"""Number of images that readers decode at a time."""


@dataclass(frozen=True)
class Published:
    """Published images, as a reader returns them.

    Attributes
    ----------
    name
        Of the source.
    where
        What messages call it: its folder or file.
    classes
        Names of all classes.
    parts
        Pieces of the parts ``train`` (always), ``validation`` and ``test``, each taken once and in order.
    simulated
        Whether the images were made up.
    """

    name: str
    where: str
    classes: Sequence[str]
    parts: Mapping[str, Iterable[Piece]]
    simulated: bool = False


def split_task(published: Published, settings: TaskSettings, scratch: Path | None = None) -> Task:
    """Make a task of published parts.

    Parts that are not published are split off the training images; published ones stay what they are. Of
    images that are equal at the task's resolution one is kept: the first of a part, and where parts overlap,
    training gives way to validation and both to test.

    Parameters
    ----------
    published
        What was read.
    settings
        ``resolution``, ``classes``, ``n_train``, ``n_validation``, ``n_test`` and ``seed`` of
        :class:`~tgsage.tasks.TaskSettings`.
    scratch
        Folder for a temporary file of all images, which has no name and is gone with the task; None keeps
        them in memory.

    Raises
    ------
    TgsageError
        If more images are asked for than there are, a class does not exist or a part lacks one, or the
        temporary file cannot be written.
    """
    number = renumbering(published.classes, settings.classes, "task.classes")
    names = [str(name) for name in settings.classes or published.classes]
    pools: dict[str, Part] = {}
    in_other_parts: set[str] = set()
    for part in reversed(PARTS):
        if part in published.parts:
            pieces = published.parts[part]
            pools[part], hashes = _gathered(pieces, settings.resolution, number, in_other_parts, scratch)
            in_other_parts.update(hashes)
            missing = np.setdiff1d(np.arange(len(names)), pools[part].labels)
            if len(missing):
                raise TgsageError(
                    f"{published.where}: class {names[missing[0]]!r} has no {part} images "
                    f"({len(missing)} such of {len(names)}); name in task.classes those that have"
                )
    wanted = {"validation": settings.n_validation, "test": settings.n_test}
    split_off: dict[str, int] = {}
    for part, n in wanted.items():
        if part not in pools:
            if n is None:
                raise TgsageError(
                    f"task.n_{part}: {published.where} has no {part} images; say how many to split off the "
                    "training images"
                )
            split_off[part] = n
    pool = pools["train"]
    n_train = settings.n_train or len(pool) - sum(split_off.values())
    if n_train < 1:
        keys = " and ".join(f"task.n_{part}" for part in split_off)
        numbers = " and ".join(map(str, split_off.values()))
        raise TgsageError(f"{keys}: {numbers} leaves no training image of {len(pool)}; lower it")
    sizes = [n_train, *split_off.values()]
    drawn = stratified(pool.labels, sizes, settings.seed, f"{published.where}, training images")
    made = {part: _part(pool, i, scratch) for part, i in zip(("train", *split_off), drawn, strict=True)}
    for part, n in wanted.items():
        if part in pools:
            index = np.arange(len(pools[part]))
            if n is not None:
                where = f"{published.where}, {part} images"
                index = stratified(pools[part].labels, [n], settings.seed, where)[0]
            made[part] = _part(pools[part], index, scratch)
    return Task(published.name, classes=tuple(names), simulated=published.simulated, **made)


def checked_labels(
    labels: Any, n_images: int, n_classes: int, where: Path | str, first: int = 0
) -> np.ndarray:
    """Return published labels, of which the first class has ``first``, as int64 (n,) that count from 0.

    Raises
    ------
    TgsageError
        If they are not whole numbers, one per image, each of a class; the message begins with ``where``.
    """
    try:
        values = np.asarray(labels)
    except ValueError:  # a ragged list
        values = np.empty(0)
    if values.shape != (n_images,) or values.dtype.kind not in "iu":
        raise TgsageError(
            f"{where}: has {n_images} images and labels {values.dtype} {values.shape}, not one whole number "
            "for each; download it again"
        )
    outside = np.flatnonzero((values < first) | (values >= first + n_classes))
    if len(outside):
        raise TgsageError(
            f"{where}: image {outside[0]} has label {values[outside[0]]}, which is none of the {n_classes} "
            "classes; download it again"
        )
    return values.astype(np.int64) - first


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


def _gathered(
    pieces: Iterable[Piece], side: int, number: np.ndarray, in_other_parts: set[str], scratch: Path | None
) -> tuple[Part, list[str]]:
    """Return resized images of some classes, each once and none of other parts, and their hashes."""
    # Resized first: what is told apart, and split, is what the networks will see.
    seen = set(in_other_parts)
    kept: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    hashes: list[str] = []
    file = None if scratch is None else _unnamed(scratch)
    for images, published in pieces:
        small, numbers = resized(images, side), number[published]
        keep = []
        for index, name in enumerate(image_hashes(small)):
            if name not in seen and numbers[index] >= 0:
                keep.append(index)
                hashes.append(name)
            seen.add(name)
        labels.append(numbers[keep])
        if file is None:
            kept.append(small[keep])
        else:
            _append(file, small[keep], scratch)
    shape = (len(hashes), side, side, 3)
    if not hashes:
        images = np.empty(shape, np.uint8)
    elif file is None:
        images = np.concatenate(kept)
    else:
        images = np.memmap(file, np.uint8, "r", shape=shape)
    return Part(images, np.concatenate([np.empty(0, np.int64), *labels])), hashes


def _part(pool: Part, index: np.ndarray, scratch: Path | None) -> Part:
    images = pool.images[index] if scratch is None else Subset(np.asanyarray(pool.images), index)
    return Part(images, pool.labels[index])


def _unnamed(folder: Path) -> BinaryIO:
    try:
        return cast(BinaryIO, tempfile.TemporaryFile(dir=folder))
    except OSError as error:
        raise TgsageError(f"{folder}: no temporary file can be made there ({error})") from None


def _append(file: BinaryIO, images: np.ndarray, folder: Path | None) -> None:
    try:
        file.write(np.ascontiguousarray(images).data)
        file.flush()
    except OSError as error:
        raise TgsageError(
            f"{folder}: the temporary file of all images cannot be written ({error}); the task takes twice "
            "its size while it is made"
        ) from None


def as_used(parts: Mapping[str, Content], settings: OwnImagesSettings, where: str) -> dict[str, Content]:
    """Rename published parts: with ``settings.published_validation = "test"``, validation images become test.

    Raises
    ------
    TgsageError
        If there are test images as well, or no training images.
    """
    if "train" not in parts:
        raise TgsageError(f"{where}: has no training images, only {', '.join(parts) or 'nothing'}")
    used = dict(parts)
    if settings.published_validation == "test" and "validation" in used:
        if "test" in used:
            raise TgsageError(
                f"task.published_validation: {where} has test images of its own; set it to validation"
            )
        used["test"] = used.pop("validation")
    return used
