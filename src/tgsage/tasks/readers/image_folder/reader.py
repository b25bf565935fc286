"""A folder of images per class, or the zip of it.

``<class>/<image>``, or ``train/<class>/<image>`` with ``val`` or ``validation``, and ``test``, beside
``train``. In a zip all of it may lie in one more folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ....archives import ImageArchive, is_image, list_files, open_archive
from ....errors import TgsageError
from ...published import PART_NAMES, PIECE, Piece, Published, as_used, resized, split_task, squared
from ...task import Task

if TYPE_CHECKING:
    from .plugin import ImageFolder


def read(settings: ImageFolder, data_root: Path, scratch: Path | None = None) -> Task:
    """Read the task; classes are the names of the training images' folders, sorted.

    Only images of the classes that are kept are decoded.

    Raises
    ------
    TgsageError
        If an image lies in no class's folder or cannot be decoded, a class has no images, a part has a class
        that the training images lack, or more images are asked for than there are.
    """
    with open_archive(data_root / settings.path) as tree:
        by_part = _found(tree)
        names = sorted({name for _, name in by_part.get("train", [])})
        if "train" in by_part and len(names) < 2:
            raise TgsageError(
                f"{tree.path}: has training images of {len(names)} class; a task needs at least 2"
            )
        number = {name: index for index, name in enumerate(names)}
        parts = {}
        for part, images in as_used(by_part, settings, str(tree.path)).items():
            for image, name in images:
                if name not in number:
                    raise TgsageError(
                        f"{tree.path}: {image} is of class {name!r}, of which train/ has no image"
                    )
            wanted = [
                (image, number[name])
                for image, name in images
                if settings.classes is None or name in settings.classes
            ]
            parts[part] = _pieces(tree, wanted, settings)
        published = Published("image_folder", str(tree.path), names, parts, settings.simulated)
        return split_task(published, settings, scratch)


def raw_files(settings: ImageFolder, data_root: Path) -> list[Path]:
    """Return the zip, or all files of the folder."""
    return list_files(data_root / settings.path)


def _found(tree: ImageArchive) -> dict[str, list[tuple[str, str]]]:
    """Return the images and the names of their classes, by part."""
    images = [name for name in tree.files if is_image(name)]
    if not images:
        raise TgsageError(f"{tree.path}: holds no images")
    root = _root(images)
    depth = {name.removeprefix(root).count("/") for name in images}
    has_parts = all(name.removeprefix(root).split("/")[0] in PART_NAMES for name in images) and 1 not in depth
    by_part: dict[str, list[tuple[str, str]]] = {}
    for image in images:
        *above, _ = image.removeprefix(root).split("/")
        if len(above) != 1 + has_parts:
            raise TgsageError(
                f"{tree.path}: {image} is not where images are, <class>/<image>, or <part>/<class>/<image> "
                f"with parts {', '.join(PART_NAMES)}"
            )
        by_part.setdefault(PART_NAMES[above[0]] if has_parts else "train", []).append((image, above[-1]))
    both = {name.removeprefix(root).split("/")[0] for name in images} & {"val", "validation"}
    if has_parts and len(both) > 1:
        raise TgsageError(f"{tree.path}: has both val and validation; remove one")
    holders = {image.rpartition("/")[0] for image in images}
    for folder in tree.folders:
        inside = f"{folder}/".startswith(root) and folder.removeprefix(root).count("/") == has_parts
        if inside and f"{folder}/" != root and folder not in holders:
            raise TgsageError(f"{tree.path}: {folder} holds no images; remove it, or put some there")
    return by_part


def _root(images: list[str]) -> str:
    """Return the top folder that holds all class folders, with its slash, as zips have one."""
    first = {name.split("/")[0] for name in images}
    lies_deep = all(name.count("/") >= 2 for name in images)
    return f"{first.pop()}/" if len(first) == 1 and lies_deep and not first & set(PART_NAMES) else ""


def _pieces(tree: ImageArchive, images: list[tuple[str, int]], settings: ImageFolder) -> Iterator[Piece]:
    for begin in range(0, len(images), PIECE):
        piece = images[begin : begin + PIECE]
        pictures = (squared(tree.picture(name), settings.fit, settings.padding) for name, _ in piece)
        small = [resized(picture[None], settings.resolution)[0] for picture in pictures]
        yield np.stack(small), np.array([label for _, label in piece])
