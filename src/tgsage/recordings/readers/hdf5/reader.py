"""Recordings in one HDF5 file of a plain layout: responses, what was recorded, what was shown.

The layout, which docs/recordings/hdf5.md describes with an example that writes one::

    attributes   units, visual_degrees; optional: identifier, window_ms, repeats_averaged, anything else
    responses    (neuroid, presentation) or (neuroid, presentation, time_bin), numbers, none of them NaN
    neuroid/     neuroid_id, region; optional: animal, any other column
    presentation/  stimulus_id; optional: repetition, any other column
    time_bin/    start, end in ms after stimulus onset, where responses have time bins
    stimuli/     stimulus_id, images uint8 (n, height, width, 3 or 1); optional: category, any other column
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import xarray as xr

from ....archives import MAX_IMAGE_BYTES
from ....errors import TgsageError
from ....hdf5_links import refuse_links
from ...assembly import make_stimuli, text

if TYPE_CHECKING:
    from .plugin import Hdf5Recordings

RESERVED = ("images", "stimulus", "y", "x", "rgb")
"""Names that a column of the stimuli cannot have; ``_column`` is appended to them."""
REQUIRED = {
    "neuroid": ("neuroid_id", "region"),
    "presentation": ("stimulus_id",),
    "time_bin": ("start", "end"),
}
DIMENSIONS = ("neuroid", "presentation", "time_bin")
_RENAMED = {"start": "time_bin_start", "end": "time_bin_end"}


def read(settings: Hdf5Recordings, root: Path) -> tuple[xr.DataArray, xr.Dataset, str]:
    """Read a file.

    Returns
    -------
    tuple
        The assembly (neuroid, presentation[, time_bin]) in the file's number type, with every column of the
        three groups and every attribute of the file; the stimuli, in the order of the file, with all their
        columns and ``category`` (empty where there is none); the name of the file.

    Raises
    ------
    TgsageError
        If the file is missing, damaged, or of another layout, or points to other files.
    """
    path = root / Path(settings.file).expanduser()
    refuse_links(path)
    try:
        with h5py.File(path, "r") as file:
            attrs = _attributes(file, path)
            responses = _read(file, "responses", path)
            coords = _coordinates(file, responses, path)
            columns = _columns(_group(file, "stimuli", path), path, ("stimulus_id", "images"))
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise TgsageError(f"{path}: cannot be read as HDF5, truncated or damaged ({error})") from None

    degrees = settings.visual_degrees if settings.visual_degrees is not None else attrs.get("visual_degrees")
    if degrees is None:
        raise TgsageError(
            f"{path}: has no attribute visual_degrees; add it, or set visual_degrees in the config"
        )
    identifier = str(attrs.pop("identifier", path.stem))
    attrs.pop("visual_degrees", None)
    attrs["stimulus_set_identifier"] = identifier
    assembly = xr.DataArray(responses, dims=DIMENSIONS[: responses.ndim], coords=coords, attrs=attrs)
    return assembly, _stimuli(columns, degrees, identifier, path), str(path)


def raw_files(settings: Hdf5Recordings, root: Path) -> list[Path]:
    """Return the file that :func:`read` reads, whether it exists or not."""
    return [root / Path(settings.file).expanduser()]


def _attributes(file: h5py.File, path: Path) -> dict[str, Any]:
    """Return the attributes of the file: text, numbers or lists of numbers."""
    attrs: dict[str, Any] = {}
    for name, stored in file.attrs.items():
        value = stored.decode() if isinstance(stored, bytes) else stored
        if not isinstance(value, str | int | float | np.number | np.bool_) and (
            not isinstance(value, np.ndarray) or value.dtype.kind not in "fiub"
        ):
            raise TgsageError(f"{path}: attribute {name} is neither text nor numbers; write it as text")
        attrs[str(name)] = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
    if not str(attrs.get("units", "")).strip():
        raise TgsageError(f"{path}: has no attribute units; say 'counts', or what else the responses are")
    return attrs


def _coordinates(file: h5py.File, responses: np.ndarray, path: Path) -> dict[str, tuple[str, np.ndarray]]:
    if responses.ndim not in (2, 3) or responses.dtype.kind not in "fiu":
        raise TgsageError(
            f"{path}: responses are {responses.dtype} of shape {responses.shape}; expected are numbers "
            "(neuroid, presentation[, time_bin])"
        )
    coords: dict[str, tuple[str, np.ndarray]] = {}
    for dim, length in zip(DIMENSIONS, responses.shape, strict=False):
        for name, values in _columns(_group(file, dim, path), path, REQUIRED[dim]).items():
            coord = _RENAMED.get(name, name) if dim == "time_bin" else name
            if values.shape != (length,):
                raise TgsageError(
                    f"{path}: {dim}/{name} has shape {values.shape}, but responses have {length} along {dim}"
                )
            if coord in coords or coord in (*DIMENSIONS, "data"):
                raise TgsageError(f"{path}: column {dim}/{name} has the name of something else; rename it")
            coords[coord] = (dim, values)
    if responses.ndim == 3:
        start, end = (np.asarray(coords[name][1]) for name in ("time_bin_start", "time_bin_end"))
        if start.dtype.kind not in "fiu" or end.dtype.kind not in "fiu" or not (start < end).all():
            raise TgsageError(
                f"{path}: time_bin/start has to be before time_bin/end in every bin, both in ms"
            )
    return coords


def _columns(group: h5py.Group, path: Path, required: tuple[str, ...]) -> dict[str, np.ndarray]:
    where = group.name.strip("/")
    missing = [name for name in required if name not in group]
    if missing:
        raise TgsageError(
            f"{path}: has no {where}/{missing[0]}; {where} holds {', '.join(group) or 'nothing'}"
        )
    return {name: _read(group, name, path) for name in group}


def _group(file: h5py.File, name: str, path: Path) -> h5py.Group:
    if name not in file:
        raise TgsageError(f"{path}: has no {name}; this file holds {', '.join(file) or 'nothing'}")
    item = file[name]
    if not isinstance(item, h5py.Group):
        raise TgsageError(f"{path}: {name} has to be a group of columns")
    return item


def _read(group: h5py.Group, name: str, path: Path) -> np.ndarray:
    """Read a dataset after a check of its size; text is decoded."""
    if name not in group:
        raise TgsageError(f"{path}: has no {name}; this file holds {', '.join(group) or 'nothing'}")
    item = group[name]
    where = item.name.strip("/")
    if not isinstance(item, h5py.Dataset):
        raise TgsageError(f"{path}: {where} has to be a dataset")
    if item.shape is None:
        raise TgsageError(f"{path}: {where} is empty")
    is_text = h5py.check_string_dtype(item.dtype) is not None
    if not is_text and item.dtype.kind not in "fiub":
        raise TgsageError(f"{path}: {where} is of type {item.dtype}, neither numbers nor text")
    size = int(np.prod(item.shape, dtype=object)) * item.dtype.itemsize
    if size > MAX_IMAGE_BYTES:
        raise TgsageError(f"{path}: {where} has {size} bytes, more than {MAX_IMAGE_BYTES >> 30} GiB")
    return text(np.asarray(item.asstr()[()], dtype=object)) if is_text and item.ndim == 1 else item[()]


def _stimuli(columns: dict[str, np.ndarray], degrees: Any, identifier: str, path: Path) -> xr.Dataset:
    images = columns.pop("images")
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] not in (1, 3):
        raise TgsageError(
            f"{path}: stimuli/images are {images.dtype} of shape {images.shape}; they have to be uint8 "
            "(n, height, width, 3 or 1)"
        )
    if images.shape[3] == 1:
        images = np.repeat(images, 3, axis=3)
    named: dict[str, np.ndarray] = {}
    for name, values in columns.items():
        if values.shape != images.shape[:1]:
            raise TgsageError(f"{path}: stimuli/{name} has shape {values.shape} for {len(images)} images")
        is_text = name in ("stimulus_id", "category")
        named[f"{name}_column" if name in RESERVED else name] = text(values) if is_text else values
    return make_stimuli(images, **named).assign_attrs(
        visual_degrees=degrees, stimulus_set_identifier=identifier
    )
