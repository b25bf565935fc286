"""ImageNet at 64x64 pixels or less (Chrabaszcz, Loshchilov and Hutter 2017, arXiv 1707.08819).

``train_data_batch_1`` to ``train_data_batch_10`` and ``val_data`` are pickled dictionaries, or npz files,
with ``data`` uint8 (n, 3 * side * side), red, then green, then blue, and ``labels`` from 1 to 1000. Published
validation images are the test part, as ImageNet's test labels are not public.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ....errors import TgsageError, nearest
from ...array_files import NpzFile
from ...pickles import field, read_pickle
from ...published import PIECE, Piece, Published, checked_labels, split_task
from ...task import Task

if TYPE_CHECKING:
    from .plugin import DownsampledImageNet

N_CLASSES = 1000


def read(settings: DownsampledImageNet, data_root: Path, scratch: Path | None = None) -> Task:
    """Read the task, a batch at a time (a pickle), or a thousand images at a time (npz).

    Raises
    ------
    TgsageError
        If a batch or the class map is missing, truncated or of the wrong shape, a label is out of range,
        batches are of several sizes, or more images are asked for than there are.
    """
    folder = data_root / settings.folder
    names = [str(label) for label in range(1, N_CLASSES + 1)]
    if settings.class_map is not None:
        names = _wnids(folder / settings.class_map)
    if settings.classes is not None:
        classes = [_class(name, names, settings.class_map) for name in settings.classes]
        settings = settings.model_copy(update={"classes": classes})
    sides: dict[int, Path] = {}
    parts = {
        part: (piece for path in paths for piece in _pieces(path, settings.files, len(names), sides))
        for part, paths in _paths(settings, data_root).items()
    }
    return split_task(Published("downsampled_imagenet", str(folder), names, parts), settings, scratch)


def raw_files(settings: DownsampledImageNet, data_root: Path) -> list[Path]:
    """Return the files that :func:`read` reads, whether they exist or not."""
    paths = [path for paths in _paths(settings, data_root).values() for path in paths]
    return paths if settings.class_map is None else [*paths, data_root / settings.folder / settings.class_map]


def _paths(settings: DownsampledImageNet, data_root: Path) -> dict[str, list[Path]]:
    folder, suffix = data_root / settings.folder, ".npz" if settings.files == "npz" else ""
    train = [folder / f"train_data_batch_{number}{suffix}" for number in range(1, settings.batches + 1)]
    return {"train": train, "test": [folder / f"val_data{suffix}"]}


def _pieces(path: Path, files: str, n_classes: int, sides: dict[int, Path]) -> Iterator[Piece]:
    if files == "npz":
        arrays = NpzFile(path)
        shape, dtype = arrays.layout("data")
        labels = arrays.whole("labels")
        rows = arrays.pieces("data", PIECE)
    else:
        content = read_pickle(path)
        data, labels = np.asarray(field(content, "data", path)), field(content, "labels", path)
        shape, dtype = data.shape, data.dtype
        rows = (data[begin : begin + PIECE] for begin in range(0, len(data) if data.ndim else 0, PIECE))
    side = math.isqrt(shape[1] // 3) if len(shape) == 2 else 0
    if dtype != np.uint8 or not side or shape[1] != 3 * side * side:
        raise TgsageError(
            f"{path}: data are {dtype} {shape}, not uint8 (n, 3 * side * side); download it again"
        )
    sides.setdefault(side, path)
    if len(sides) > 1:
        sizes = " and ".join(f"{side}x{side} ({file.name})" for side, file in sides.items())
        raise TgsageError(f"{path.parent}: has batches of {sizes} pixels; keep those of one download only")
    labels = checked_labels(labels, shape[0], n_classes, path, first=1)
    begin = 0
    for flat in rows:
        images = flat.reshape(-1, 3, side, side).transpose(0, 2, 3, 1)
        yield np.ascontiguousarray(images), labels[begin : begin + len(flat)]
        begin += len(flat)


def _wnids(path: Path) -> list[str]:
    """Return the wnids in the order of the labels, from lines such as ``n02119789 1 kit_fox``."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise TgsageError(
            f"{path}: no such file; put map_clsloc.txt of the ILSVRC development kit there"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise TgsageError(f"{path}: cannot be read ({error}); download it again") from None
    wnids: dict[int, str] = {}
    for number, line in enumerate(lines, start=1):
        fields = line.split()
        if not fields:
            continue
        if len(fields) < 2 or not fields[1].isdecimal() or int(fields[1]) in wnids:
            raise TgsageError(f"{path}: line {number} is no wnid with a label of its own: {line[:40]!r}")
        wnids[int(fields[1])] = fields[0]
    if set(wnids) != set(range(1, N_CLASSES + 1)) or len(set(wnids.values())) != N_CLASSES:
        raise TgsageError(
            f"{path}: has {len(wnids)} classes, not one wnid for each label from 1 to {N_CLASSES}"
        )
    return [wnids[label] for label in range(1, N_CLASSES + 1)]


def _class(name: str | int, names: list[str], class_map: str | None) -> str:
    if isinstance(name, int):
        if not 1 <= name <= len(names):
            raise TgsageError(f"task.classes: {name} is no label from 1 to {len(names)}")
        return names[name - 1]
    if name in names:
        return name
    if class_map is None:
        raise TgsageError(
            f"task.classes: {name!r} is no label from 1 to {len(names)}; wnids need task.class_map"
        )
    raise TgsageError(f"task.classes: {name!r} is no wnid of {class_map}{nearest(name, names)}")
