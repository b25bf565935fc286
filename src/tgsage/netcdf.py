"""Reading netCDF files into memory, with one-line errors."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import xarray as xr

from .errors import TgsageError

# What the library raises about files that are truncated, damaged or of another kind.
_DAMAGED = (OSError, RuntimeError, ValueError, KeyError, AttributeError)


def read_dataset(
    path: str | os.PathLike[str],
    *,
    absent: str = "run the stage that makes it",
    damaged: str = "delete it and run again",
    **options: Any,
) -> xr.Dataset:
    """Read a flat netCDF file.

    Parameters
    ----------
    path
        The file.
    absent, damaged
        What to do where it is not there, or cannot be read.
    **options
        Of :func:`xarray.open_dataset`.

    Raises
    ------
    TgsageError
        If there is no such file, or it cannot be read.
    """
    _check(path, absent)
    try:
        with xr.open_dataset(path, engine="netcdf4", **options) as opened:
            return opened.load()
    except _DAMAGED as error:
        raise _unreadable(path, error, damaged) from None


def read_tree(
    path: str | os.PathLike[str],
    *,
    absent: str = "run the stage that makes it",
    damaged: str = "delete it and run again",
) -> xr.DataTree:
    """Read a netCDF file with groups; parameters and errors as for :func:`read_dataset`."""
    _check(path, absent)
    try:
        with xr.open_datatree(path, engine="netcdf4") as opened:
            return opened.load()
    except _DAMAGED as error:
        raise _unreadable(path, error, damaged) from None


def _check(path: str | os.PathLike[str], absent: str) -> None:
    if not Path(path).is_file():
        raise TgsageError(f"{path}: no such file; {absent}")


def _unreadable(path: str | os.PathLike[str], error: Exception, damaged: str) -> TgsageError:
    return TgsageError(f"{path}: cannot be read as netCDF, truncated or damaged ({error}); {damaged}")
