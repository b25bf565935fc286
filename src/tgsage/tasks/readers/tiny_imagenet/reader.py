"""Tiny ImageNet (Stanford CS231n) from its published tree, or the zip of it.

``wnids.txt`` has the classes and ``words.txt`` what they mean; ``train/<wnid>/images/*.JPEG`` are training
images; ``val/images/*.JPEG`` with ``val/val_annotations.txt`` are validation images, which have the labels
that the published test images lack: they are the test part here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from ....archives import ImageArchive, is_image, list_files, open_archive
from ....errors import TgsageError
from ...published import PIECE, Piece, Published, split_task
from ...task import Task

if TYPE_CHECKING:
    from .plugin import TinyImageNet

_Labelled = list[tuple[str, int]]


def read(settings: TinyImageNet, data_root: Path, scratch: Path | None = None) -> Task:
    """Read the task; only images of the classes that are kept are decoded.

    Raises
    ------
    TgsageError
        If the tree is not the published one, an image cannot be decoded or has no label, or more images are
        asked for than there are.
    """
    with open_archive(data_root / settings.path) as tree:
        root = _root(tree)
        wnids = [line.strip() for line in tree.lines(f"{root}wnids.txt")]
        if len(wnids) < 2 or len(set(wnids)) < len(wnids):
            raise TgsageError(
                f"{tree.path}: {root}wnids.txt names {len(wnids)} classes, or one of them twice"
            )
        names = wnids if settings.class_names == "wnid" else _words(tree, f"{root}words.txt", wnids)
        number = {wnid: index for index, wnid in enumerate(wnids)}
        is_wanted = [settings.classes is None or name in settings.classes for name in names]
        parts = {
            part: _pieces(tree, [(name, label) for name, label in labelled if is_wanted[label]])
            for part, labelled in (
                ("train", _train(tree, root, number)),
                ("test", _validation(tree, root, number)),
            )
        }
        return split_task(Published("tiny_imagenet", str(tree.path), names, parts), settings, scratch)


def raw_files(settings: TinyImageNet, data_root: Path) -> list[Path]:
    """Return the zip, or all files of the folder."""
    return list_files(data_root / settings.path)


def _root(tree: ImageArchive) -> str:
    """Return what precedes ``wnids.txt``: nothing, or the top folder of a zip."""
    lists = [name for name in tree.files if PurePosixPath(name).name == "wnids.txt" and name.count("/") < 2]
    if len(lists) != 1:
        raise TgsageError(f"{tree.path}: has {len(lists)} files wnids.txt; is it Tiny ImageNet as published?")
    return lists[0].removesuffix("wnids.txt")


def _words(tree: ImageArchive, file: str, wnids: list[str]) -> list[str]:
    words = dict(line.split("\t", 1) for line in tree.lines(file) if "\t" in line)
    missing = [wnid for wnid in wnids if not words.get(wnid, "").strip()]
    if missing:
        raise TgsageError(f"{tree.path}: {file} has no words for {missing[0]}; set task.class_names to wnid")
    first = [words[wnid].split(",")[0].strip() for wnid in wnids]
    return [
        f"{word} ({wnid})" if first.count(word) > 1 else word for word, wnid in zip(first, wnids, strict=True)
    ]


def _train(tree: ImageArchive, root: str, number: dict[str, int]) -> _Labelled:
    labelled: _Labelled = []
    for name in tree.files:
        parts = name.removeprefix(root).split("/")
        if len(parts) == 4 and parts[0] == "train" and parts[2] == "images" and is_image(name):
            if parts[1] not in number:
                raise TgsageError(f"{tree.path}: {name} is of class {parts[1]}, which {root}wnids.txt lacks")
            labelled.append((name, number[parts[1]]))
    labels = {label for _, label in labelled}
    for wnid in (wnid for wnid, label in number.items() if label not in labels):
        raise TgsageError(f"{tree.path}: has no images in {root}train/{wnid}/images")
    return labelled


def _validation(tree: ImageArchive, root: str, number: dict[str, int]) -> _Labelled:
    file, folder = f"{root}val/val_annotations.txt", f"{root}val/images/"
    labels: dict[str, int] = {}
    for count, line in enumerate(tree.lines(file), start=1):
        fields = line.split("\t")
        if len(fields) < 2:
            raise TgsageError(f"{tree.path}: {file}, line {count}: is no image and class with a tab between")
        image = folder + fields[0]
        if image not in tree:
            raise TgsageError(f"{tree.path}: {file}, line {count}: there is no image {image}")
        if fields[1] not in number:
            raise TgsageError(
                f"{tree.path}: {file}, line {count}: {fields[1]} is no class of {root}wnids.txt"
            )
        if image in labels:
            raise TgsageError(f"{tree.path}: {file}, line {count}: {fields[0]} has a line already")
        labels[image] = number[fields[1]]
    for name in tree.files:
        if name.startswith(folder) and is_image(name) and name not in labels:
            raise TgsageError(f"{tree.path}: {name} has no line in {file}")
    return sorted(labels.items())


def _pieces(tree: ImageArchive, images: _Labelled) -> Iterator[Piece]:
    for begin in range(0, len(images), PIECE):
        piece = images[begin : begin + PIECE]
        pictures = [tree.picture(name) for name, _ in piece]
        for (name, _), picture in zip(piece, pictures, strict=True):
            if picture.shape[0] != picture.shape[1] or picture.shape != pictures[0].shape:
                height, width, _ = picture.shape
                raise TgsageError(
                    f"{tree.path}: {name} has {width}x{height} pixels and {piece[0][0]} "
                    f"{pictures[0].shape[1]}x{pictures[0].shape[0]}; they should be squares of one size"
                )
        yield np.stack(pictures), np.array([label for _, label in piece])
