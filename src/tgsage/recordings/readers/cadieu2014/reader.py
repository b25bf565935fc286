"""V4 and IT of two monkeys, as Cadieu et al. 2014 (PLoS Comput Biol 10, e1003963) published them.

``PLoSCB2014_data_20141216.zip`` holds ``NeuralData_{V4,IT}_{multi,single}units.mat`` and, in ``images/``, the
PNGs. Every ``.mat`` file has two variables: ``features``, the responses (images, sites), and ``meta``, a
character matrix with a row per image in the same order::

    images/<40 hexadecimal digits>.png Animals 1 0 1 1 1 1 0 1 1 1

which is the image's file, its category (one of Animals, Cars, Chairs, Faces, Fruits, Planes, Tables), and
whether it is a training image (1) in each of the 10 splits of the paper. There are 1,960 images, and 168 IT
and 128 V4 multi-unit sites. The paper isolated 160 IT and 95 V4 single units and analysed the 40 most
consistent ones of either region; which of them are in the files is not documented, and the reader takes as
many as there are.

Responses are spike counts from 70 to 170 ms, the rate to a blank image subtracted, divided by the site's
standard deviation over a block of images, and averaged: over 47 repetitions (multi-units) or 6 (single
units). The repetitions themselves are not published, so there is no reliability and no noise ceiling; nor is
it published which site is of which animal (58 IT and 70 V4 sites of one, 110 and 58 of the other).

Taken from: the README of https://github.com/dicarlolab/Cadieu_etal_PLoSCB_2014; public scripts that load
the files (1jsingh/neural-finetuning, ``convert_mat2pkl.py``; Tapojit's ``image_database.m``, which has the
columns of ``meta``); the paper's Methods, "Neural data collection". The published files were not at hand:
tests read a stand-in of this structure.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ....archives import ImageArchive, open_archive
from ....errors import TgsageError
from ...assembly import make_stimuli
from ...matlab import Variable, read_variables
from ...validation import first_duplicate

if TYPE_CHECKING:
    from .plugin import Cadieu2014Recordings

IDENTIFIER = {"stimulus_set_identifier": "cadieu2014"}
ANIMALS = "monkeys"
"""The two animals: which site is of which one is not published."""
WINDOW_MS = [70, 170]
REPEATS = {"multi": 47, "single": 6}
"""Repetitions over which the published responses are averaged."""
MAX_FILE_BYTES = 2**28
"""Size of one .mat file; the largest published one has about 2.6 million bytes of numbers."""


class _File(NamedTuple):
    """One .mat file: its name in messages, its folder in the package, and its two variables."""

    where: str
    folder: str
    features: np.ndarray
    images: list[str]
    categories: list[str]
    splits: np.ndarray


def read(settings: Cadieu2014Recordings, root: Path) -> tuple[xr.DataArray, xr.Dataset, str]:
    """Read the package.

    Returns
    -------
    tuple
        The assembly (neuroid, presentation) float64: one presentation per stimulus (repetition 0);
        ``neuroid_id`` ``<region>_<multi|single>_<column>``, ``region``, ``animal`` ``"monkeys"`` and ``unit``
        on neuroid; attributes ``units`` ``"rates"``, ``window_ms`` and ``repeats_averaged``. The stimuli in
        the order of ``meta``: ``stimulus_id`` is the image's file without suffix; ``category``; ``filename``;
        ``training_1`` to ``training_10`` bool, the paper's splits. The name of the package.

    Raises
    ------
    TgsageError
        If a file is missing, damaged or unsafe, or the files do not fit each other.
    """
    package = root / Path(settings.package).expanduser()
    if not package.exists():
        raise TgsageError(f"{package}: no such file or folder (tgsage fetch cadieu2014 says where to get it)")
    keys = _chosen(settings)
    with open_archive(package) as archive:
        files = {key: _file(archive, *key) for key in keys}
        first = files[keys[0]]
        for file in files.values():
            _check_same_images(file, first)
        images = archive.pictures(_paths(first, archive))

    stimulus = np.asarray([PurePosixPath(name).stem for name in first.images])
    responses, sites = [], []
    for (region, kind), file in files.items():
        responses.append(file.features.T.astype(np.float64))
        sites += [(f"{region}_{kind}_{index:03d}", region, kind) for index in range(file.features.shape[1])]
    neuroid_id, regions, units = zip(*sites, strict=True)
    repeats: int | str = " and ".join(f"{n} ({kind}-unit)" for kind, n in REPEATS.items())
    if settings.units != "both":
        repeats = REPEATS[settings.units]
    assembly = xr.DataArray(
        np.concatenate(responses),
        dims=("neuroid", "presentation"),
        coords={
            "neuroid_id": ("neuroid", list(neuroid_id)),
            "region": ("neuroid", list(regions)),
            "animal": ("neuroid", np.full(len(sites), ANIMALS)),
            "unit": ("neuroid", list(units)),
            "stimulus_id": ("presentation", stimulus),
            "repetition": ("presentation", np.zeros(len(stimulus), dtype=np.int64)),
        },
        attrs=IDENTIFIER | {"units": "rates", "window_ms": WINDOW_MS, "repeats_averaged": repeats},
    )
    training = {f"training_{n}": column for n, column in enumerate(first.splits.T, start=1)}
    stimuli = make_stimuli(images, stimulus, category=first.categories, filename=first.images, **training)
    stimuli.attrs = {"visual_degrees": settings.visual_degrees, **IDENTIFIER}
    return assembly, stimuli, str(package)


def raw_files(settings: Cadieu2014Recordings, root: Path) -> list[Path]:
    """Return the zip; or, of a folder, the .mat files that :func:`read` reads, and all images."""
    package = root / Path(settings.package).expanduser()
    if not package.is_dir():
        return [package]
    wanted = {f"NeuralData_{region}_{kind}units.mat" for region, kind in _chosen(settings)}
    with open_archive(package) as archive:
        mats = [name for name in _mat_files(archive) if PurePosixPath(name).name in wanted]
        return [package / name for name in [*mats, *archive.images]]


def _chosen(settings: Cadieu2014Recordings) -> list[tuple[str, str]]:
    """Return region and kind of unit of every file that is read."""
    kinds = ("multi", "single") if settings.units == "both" else (settings.units,)
    return [(region, kind) for region in dict.fromkeys(settings.regions) for kind in kinds]


def _mat_files(archive: ImageArchive) -> list[str]:
    """Return the paths of the .mat files, at most one folder deep."""
    return [name for name in archive.files if name.endswith(".mat") and name.count("/") <= 1]


def _file(archive: ImageArchive, region: str, kind: str) -> _File:
    wanted = f"NeuralData_{region}_{kind}units.mat"
    names = _mat_files(archive)
    matches = [name for name in names if PurePosixPath(name).name == wanted]
    if len(matches) != 1:
        there = ", ".join(matches or names) or "none"
        what = "several files" if matches else "no file"
        raise TgsageError(f"{archive.path}: holds {what} {wanted}; its .mat files: {there}")
    where = str(archive.path / matches[0])
    content = archive.read(matches[0], max_bytes=MAX_FILE_BYTES)
    variables = read_variables(content, ("features", "meta"), where)
    features, meta = (_array(variables[name], name, where) for name in ("features", "meta"))
    if features.ndim != 2 or 0 in features.shape or features.dtype.kind not in "fiu":
        raise TgsageError(
            f"{where}: features are {features.dtype} of shape {features.shape}; expected are numbers "
            "(images, sites)"
        )
    if meta.dtype.kind != "U" or len(meta) != len(features):
        is_text = meta.dtype.kind == "U"
        rows = f"text of {len(meta)} rows" if is_text else f"{meta.dtype} of shape {meta.shape}"
        raise TgsageError(
            f"{where}: meta is {rows}; expected is text, a row for each of {len(features)} images"
        )
    images, categories = [], []
    splits: list[list[bool]] = []
    for number, row in enumerate(meta.tolist(), start=1):
        parts = row.split()
        if len(parts) < 2 or not parts[0].lower().endswith(".png") or set(parts[2:]) - {"0", "1"}:
            raise TgsageError(
                f"{where}: row {number} of meta is {row[:80]!r}; expected is an image's .png, its category, "
                "and 0 or 1 for every split"
            )
        if splits and len(parts) - 2 != len(splits[0]):
            raise TgsageError(
                f"{where}: row {number} of meta has {len(parts) - 2} splits, row 1 {len(splits[0])}"
            )
        images.append(parts[0])
        categories.append(parts[1])
        splits.append([part == "1" for part in parts[2:]])
    if (twice := first_duplicate(images)) is not None:
        raise TgsageError(f"{where}: meta names the image {twice} more than once")
    folder = PurePosixPath(matches[0]).parent.as_posix()
    return _File(where, folder, features, images, categories, np.asarray(splits, dtype=bool))


def _array(variable: Variable, name: str, where: str) -> NDArray[Any]:
    if not isinstance(variable, np.ndarray):
        raise TgsageError(f"{where}: {name} is a struct or cell array, not a plain array")
    return variable


def _check_same_images(file: _File, first: _File) -> None:
    if file.images == first.images and file.categories == first.categories:
        return
    for number, (a, b) in enumerate(zip(first.images, file.images, strict=False), start=1):
        if a != b:
            raise TgsageError(f"{file.where}: row {number} of meta is image {b}, but {a} in {first.where}")
    raise TgsageError(
        f"{file.where}: has {len(file.images)} images whose categories or number differ from the "
        f"{len(first.images)} of {first.where}"
    )


def _paths(file: _File, archive: ImageArchive) -> list[str]:
    """Return the paths of the images of ``meta`` in the package; other images are ignored."""
    paths = [name if file.folder == "." else f"{file.folder}/{name}" for name in file.images]
    missing = [path for path in paths if path not in archive]
    if missing:
        raise TgsageError(
            f"{file.where}: meta names the image {missing[0]}, which is not there ({len(missing)} such of "
            f"{len(paths)}); the images belong beside the .mat files, in images/"
        )
    return paths
