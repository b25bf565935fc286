"""Reading and writing ``assembly.nc``, ``stimuli.h5`` and ``published_rdm.nc``."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr

from ..errors import TgsageError
from ..netcdf import read_dataset
from ..store import replacing
from .assembly import content_digest, standardise, text
from .validation import validate_stimuli

IMAGE_DIMS = ("stimulus", "y", "x", "rgb")
ABSENT, DAMAGED = "see whether the name is right", "get it, or make it, again"


def read_assembly(path: str | os.PathLike[str]) -> xr.DataArray:
    """Read an assembly that tgsage or BrainIO wrote.

    BrainIO's layout: one variable (``data``; old files name it after the assembly), every coordinate a
    1-D variable on its dimension, ``stimulus_set_identifier`` among the attributes. ``image_id``, the old
    name of ``stimulus_id``, is understood.

    Returns
    -------
    xarray.DataArray
        (neuroid, presentation[, time_bin]), in memory, in the file's own number type.

    Raises
    ------
    TgsageError
        If the file is missing, damaged, or no assembly.
    """
    file = read_dataset(path, absent=ABSENT, damaged=DAMAGED, decode_times=False)
    name = "data" if "data" in file.data_vars else None
    if name is None:
        wide = [str(key) for key, value in file.data_vars.items() if value.ndim >= 2]
        if len(wide) != 1:
            raise TgsageError(
                f"{path}: no variable data in this file; its variables are "
                f"{', '.join(map(str, file.variables)) or 'none'}"
            )
        name = wide[0]
    # A coordinate is a 1-D variable on a dimension, also where the file does not list it as one.
    coords = [key for key, value in file.data_vars.items() if key != name and value.ndim <= 1]
    array = file.set_coords(coords)[name]
    array.attrs = {**file.attrs, **array.attrs}
    return standardise(array, str(path))


def save(assembly: xr.DataArray, path: str | os.PathLike[str]) -> None:
    """Write an assembly (neuroid, presentation[, time_bin]) in BrainIO's layout, whole or not at all.

    The attribute ``digest`` in the file is that of values and coordinates.
    """
    assembly = standardise(assembly, "assembly")
    file = assembly.to_dataset(name="data")
    attrs = {key: _storable(value) for key, value in assembly.attrs.items() if value is not None}
    attrs["digest"] = content_digest(assembly)
    # BrainIO looks for the attributes at the variable, people look for them at the file.
    file.attrs = file["data"].attrs = attrs
    _write(file, path, "data")


def read_stimuli(path: str | os.PathLike[str]) -> xr.Dataset:
    """Read stimuli that :func:`save_stimuli` wrote.

    Returns
    -------
    xarray.Dataset
        ``images`` uint8 (stimulus, y, x, rgb); ``stimulus_id`` and every other column as coordinates on
        stimulus; attribute ``visual_degrees``.

    Raises
    ------
    TgsageError
        If the file is missing, damaged, or holds no stimuli.
    """
    path = Path(path)
    if not path.is_file():
        raise TgsageError(f"{path}: no such file")
    try:
        with h5py.File(path, "r") as file:
            if "images" not in file or "stimulus_id" not in file:
                raise TgsageError(f"{path}: no stimuli here; images and stimulus_id are expected")
            images = file["images"][()]
            columns: dict[str, np.ndarray] = {}
            for name, item in file.items():
                if name != "images":
                    columns[name] = item.asstr()[()] if h5py.check_string_dtype(item.dtype) else item[()]
            attrs = {key: _loaded(value) for key, value in file.attrs.items()}
    except (OSError, RuntimeError, KeyError, ValueError, AttributeError) as error:
        raise TgsageError(f"{path}: cannot be read as HDF5, truncated or damaged ({error})") from None
    for name, values in columns.items():
        if values.shape != images.shape[:1]:
            raise TgsageError(f"{path}: {name} has shape {values.shape} for {len(images)} images")
        if values.dtype == object:
            columns[name] = text(values)
    if images.ndim != 4:
        raise TgsageError(f"{path}: images have shape {images.shape}, not (n, height, width, 3)")
    stimuli = xr.Dataset(
        {"images": (IMAGE_DIMS, images)},
        coords={name: ("stimulus", values) for name, values in columns.items()},
        attrs=attrs,
    )
    validate_stimuli(stimuli, where=str(path))
    return stimuli


def save_stimuli(stimuli: xr.Dataset, path: str | os.PathLike[str]) -> None:
    """Write stimuli, whole or not at all.

    ``stimuli.h5``: ``images`` uint8 (n, height, width, 3), ``stimulus_id``, one dataset per column, and the
    attributes, ``visual_degrees`` (side of an image in degrees) among them.

    Raises
    ------
    TgsageError
        If these are no valid stimuli.
    """
    validate_stimuli(stimuli)
    images = stimuli["images"].values
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        storage = {"compression": "gzip", "compression_opts": 4, "fletcher32": True}
        file.create_dataset("images", data=images, chunks=(1, *images.shape[1:]), **storage)
        for name, column in stimuli.variables.items():
            if name == "images" or column.dims != ("stimulus",):
                continue
            if "/" in str(name):
                raise TgsageError(f"stimuli: the name of column {name!r} has a slash; rename it")
            values, dtype = column.values, None
            if values.dtype.kind in "OUT":
                values, dtype = text(np.asarray(values)).astype(object), h5py.string_dtype()
            file.create_dataset(str(name), data=values, dtype=dtype)
        for key, value in stimuli.attrs.items():
            if value is not None:
                file.attrs[key] = _storable(value)
        file.attrs["digest"] = content_digest(stimuli)


def save_published_rdm(published: xr.Dataset, path: str | os.PathLike[str]) -> None:
    """Write RDMs that were published without responses: ``published_rdm.nc``."""
    file = published.copy()
    file.attrs = {key: _storable(value) for key, value in published.attrs.items() if value is not None}
    file.attrs["digest"] = content_digest(published)
    _write(file, path, "rdm")


def load_published_rdm(path: str | os.PathLike[str]) -> xr.Dataset:
    """Read what :func:`save_published_rdm` wrote.

    Returns
    -------
    xarray.Dataset
        ``rdm`` (measurement, pair) float64 in the order of ``numpy.triu_indices(n, 1)``; ``stimulus_id``
        (stimulus); attributes region, n_sites, species, metric.

    Raises
    ------
    TgsageError
        If the file is missing, damaged, or no such file.
    """
    published = read_dataset(path, absent=ABSENT, damaged=DAMAGED, decode_times=False)
    if "rdm" not in published or "stimulus_id" not in published.variables:
        raise TgsageError(f"{path}: no published RDM here; rdm and stimulus_id are expected")
    for name in list(published.variables):
        if published[name].dtype == object:
            published[name] = (published[name].dims, text(published[name].values))
    published.attrs = {key: _loaded(value) for key, value in published.attrs.items()}
    return published


def _write(file: xr.Dataset, path: str | os.PathLike[str], compressed: str) -> None:
    for name in file.variables:
        file[name].encoding = {}
        # An attribute of that name would be taken for xarray's own when the file is read.
        file[name].attrs.pop("coordinates", None)
    file.attrs.pop("coordinates", None)
    encoding = {compressed: {"zlib": True, "complevel": 4, "fletcher32": True}}
    with replacing(path) as temporary:
        file.to_netcdf(temporary, engine="netcdf4", format="NETCDF4", encoding=encoding)


def _storable(value: Any) -> Any:
    """Return an attribute as both formats accept it: numbers, text, lists of numbers, or else JSON."""
    if isinstance(value, bool | np.bool_):
        return int(value)
    if isinstance(value, int | float | str | np.number):
        return value
    if isinstance(value, list | tuple) and value and all(isinstance(item, int | float) for item in value):
        return list(value)
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiu":
        return value
    return json.dumps(value, default=str)


def _loaded(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value.item() if isinstance(value, np.generic) else value
