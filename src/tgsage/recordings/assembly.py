"""What an assembly is: its dimensions, coordinates and units, and the means over repetitions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from ..errors import TgsageError
from ..store import digest

DIMS = ("neuroid", "presentation", "time_bin")
SITE_COORDS = ("neuroid_id", "region", "animal")
PRESENTATION_COORDS = ("stimulus_id", "repetition")
COUNT_UNITS = ("count", "counts", "spikes", "spike count", "spike counts", "spike_count", "spike_counts")
WHOLE_SHARE = 0.95
"""Without the attribute ``units``, responses are counts if this share of them are whole numbers."""


def standardise(assembly: xr.DataArray, where: str) -> xr.DataArray:
    """Convert an assembly from a file to the layout that all parts read.

    Dimensions are ordered (neuroid, presentation[, time_bin]); multi-indexes become plain coordinates;
    the old name ``image_id`` becomes ``stimulus_id``; identifiers become text. A missing ``animal`` is
    ``"unknown"``, and missing ``repetition`` numbers are counted in the order of presentation.

    Raises
    ------
    TgsageError
        If a dimension or a coordinate is missing that cannot be filled in; the message begins with ``where``.
    """
    # The class is BrainIO's own where a user hands over what BrainIO loaded; its methods differ.
    assembly = xr.DataArray(
        assembly.variable.copy(deep=False), coords=assembly.coords, name="data", attrs=dict(assembly.attrs)
    )
    indexed = [name for name in assembly.dims if name in assembly.indexes]
    assembly = assembly.reset_index(indexed).drop_vars(indexed, errors="ignore")
    missing = [dim for dim in DIMS[:2] if dim not in assembly.dims]
    strange = [str(dim) for dim in assembly.dims if dim not in DIMS]
    if missing or strange:
        raise TgsageError(
            f"{where}: dimensions are {', '.join(map(str, assembly.dims))}; an assembly has neuroid, "
            "presentation and, if it likes, time_bin"
        )
    assembly = assembly.transpose(*[dim for dim in DIMS if dim in assembly.dims])
    for dim in assembly.dims:
        if assembly.sizes[dim] == 0:
            raise TgsageError(f"{where}: dimension {dim} is empty")
    if assembly.dtype.kind not in "fiu":
        raise TgsageError(f"{where}: responses are of type {assembly.dtype}, not numbers")
    assembly = _with_coords(assembly, where)
    assembly.attrs = {str(key): _plain(value) for key, value in assembly.attrs.items()}
    return assembly


def _with_coords(assembly: xr.DataArray, where: str) -> xr.DataArray:
    """Fill in coordinates that may be missing, and make identifiers text."""
    if "stimulus_id" not in assembly.coords and "image_id" in assembly.coords:
        assembly = assembly.rename({"image_id": "stimulus_id"})
    for name, dim in (("neuroid_id", "neuroid"), ("region", "neuroid"), ("stimulus_id", "presentation")):
        if name not in assembly.coords:
            raise TgsageError(f"{where}: coordinate {name} on {dim} is missing")
        if assembly.coords[name].dims != (dim,):
            raise TgsageError(f"{where}: coordinate {name} is not on {dim}")
    if "animal" not in assembly.coords:
        names = np.full(assembly.sizes["neuroid"], "unknown")
        assembly = assembly.assign_coords(animal=("neuroid", names))
    for name in (*SITE_COORDS, "stimulus_id"):
        assembly = assembly.assign_coords({name: (assembly[name].dims, text(assembly[name].values))})
    if "repetition" not in assembly.coords:
        counted = pd.Series(assembly["stimulus_id"].values).groupby(assembly["stimulus_id"].values).cumcount()
        assembly = assembly.assign_coords(repetition=("presentation", counted.to_numpy(np.int64)))
    return assembly


def text(values: np.ndarray) -> np.ndarray:
    """Convert identifiers to text: whole numbers without a decimal point, missing values empty."""
    if values.dtype.kind == "U":
        return values
    items = [_as_text(value) for value in values.tolist()]
    return np.asarray(items, dtype=np.str_) if items else np.empty(0, dtype="U1")


def _as_text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)


def units(assembly: xr.DataArray) -> str:
    """Return what the responses are: ``"counts"``, the text of the attribute ``units``, or ``"rates"``.

    The attribute ``units`` decides where it is given; any of the usual spellings of spike counts reads as
    ``"counts"``. Without it, responses of which 95 % are whole numbers are taken for counts and anything
    else for rates (normalised, baseline-subtracted and z-scored responses included, which may be negative).
    """
    given = str(assembly.attrs.get("units", "")).strip()
    if given:
        return "counts" if given.lower() in COUNT_UNITS else given
    values = assembly.values
    finite = values[np.isfinite(values)]
    return "counts" if finite.size and np.mean(finite == np.round(finite)) >= WHOLE_SHARE else "rates"


def stimulus_codes(assembly: xr.DataArray) -> tuple[np.ndarray, np.ndarray]:
    """Number the stimuli in order of first appearance.

    Returns
    -------
    tuple
        The number of each presentation's stimulus, (presentation,) int; the identifiers, (stimulus,).
    """
    codes, identifiers = pd.factorize(assembly["stimulus_id"].values)
    return codes, np.asarray(identifiers)


def repeats(assembly: xr.DataArray) -> xr.DataArray:
    """Count the presentations of every stimulus, (stimulus,) int, in order of first appearance."""
    codes, identifiers = stimulus_codes(assembly)
    return xr.DataArray(
        np.bincount(codes, minlength=len(identifiers)),
        dims="stimulus",
        coords={"stimulus_id": ("stimulus", identifiers)},
    )


def responses(assembly: xr.DataArray) -> np.ndarray:
    """Average responses over time bins, which gives (presentation, neuroid) float64 in C order."""
    values = assembly.transpose("presentation", "neuroid", ...).values.astype(np.float64)
    return np.ascontiguousarray(values.mean(axis=-1) if values.ndim == 3 else values)


def stimulus_means(assembly: xr.DataArray) -> xr.DataArray:
    """Average the responses of every site to every stimulus.

    Parameters
    ----------
    assembly
        (neuroid, presentation[, time_bin]); time bins are averaged.

    Returns
    -------
    xarray.DataArray
        (neuroid, stimulus) float64, stimuli in order of first appearance. Coordinates: those of the sites;
        ``stimulus_id``, ``n_repeats`` and every coordinate of the presentations that is the same in all
        presentations of a stimulus. NaN where any of the presentations is NaN.
    """
    codes, identifiers = stimulus_codes(assembly)
    counts = np.bincount(codes, minlength=len(identifiers))
    means = means_by_code(responses(assembly), codes)
    first = np.full(len(identifiers), len(codes))
    np.minimum.at(first, codes, np.arange(len(codes)))
    coords: dict[str, Any] = {"stimulus_id": ("stimulus", identifiers), "n_repeats": ("stimulus", counts)}
    for name, coord in assembly.coords.items():
        if coord.dims == ("neuroid",):
            coords[str(name)] = ("neuroid", coord.values)
        elif coord.dims == ("presentation",) and name not in (*PRESENTATION_COORDS, "presentation"):
            values = coord.values[first]
            if np.array_equal(values[codes], coord.values):
                coords[str(name)] = ("stimulus", values)
    by_site, dims = np.ascontiguousarray(means.T), ("neuroid", "stimulus")
    return xr.DataArray(by_site, coords, dims, name="data", attrs=dict(assembly.attrs))


def means_by_code(values: NDArray[np.float64], codes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Average the presentations of every stimulus.

    ``values`` are (presentation, neuroid) and ``codes`` those of :func:`stimulus_codes`, (presentation,); the
    result is (stimulus, neuroid) float64.
    """
    counts, n = np.bincount(codes), len(codes)
    sums = scipy.sparse.csr_matrix((np.ones(n), (codes, np.arange(n))), shape=(len(counts), n))
    means: NDArray[np.float64] = (sums @ values) / counts[:, None]
    return means


def unusable_sites(means: NDArray[np.float64]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Find the sites that have no profile over stimuli.

    Parameters
    ----------
    means
        (neuroid, stimulus), e.g. the values of :func:`stimulus_means`.

    Returns
    -------
    tuple
        Whether a site has a mean that is not finite, and whether its mean response is the same for every
        stimulus, (neuroid,) bool each.
    """
    spread = means.max(axis=1) - means.min(axis=1)
    constant = spread <= 1e-12 * np.maximum(1, np.abs(means).max(axis=1))
    return np.asarray(~np.isfinite(means).all(axis=1)), np.asarray(constant)


def make_stimuli(
    images: NDArray[np.uint8], stimulus_id: Sequence[str] | NDArray[np.str_], **columns: ArrayLike
) -> xr.Dataset:
    """Build a stimulus set of images and their columns.

    ``images`` are uint8 (stimulus, y, x, rgb), ``stimulus_id`` and ``columns`` (stimulus,) each; without a
    column ``category`` all categories are "".
    """
    columns = {"stimulus_id": stimulus_id, "category": np.full(len(images), ""), **columns}
    coords = {name: ("stimulus", np.asarray(values)) for name, values in columns.items()}
    return xr.Dataset({"images": (("stimulus", "y", "x", "rgb"), images)}, coords=coords)


def content_digest(content: xr.DataArray | xr.Dataset) -> str:
    """Return a digest of values and coordinates; attributes and file formats do not count."""
    data = content.to_dataset(name="data") if isinstance(content, xr.DataArray) else content
    return digest({str(name): [list(data[name].dims), data[name].values] for name in data.variables})


def _plain(value: Any) -> Any:
    """Return an attribute as netCDF and JSON accept it."""
    if isinstance(value, np.ndarray):
        return value.item() if value.ndim == 0 or value.size == 1 else value.tolist()
    return value.item() if isinstance(value, np.generic) else value
