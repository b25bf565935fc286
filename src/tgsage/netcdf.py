"""Reading netCDF files into memory, with one-line errors."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
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
    with _reading(path, absent, damaged), xr.open_dataset(path, engine="netcdf4", **options) as opened:
        return opened.load()


def read_tree(
    path: str | os.PathLike[str],
    *,
    absent: str = "run the stage that makes it",
    damaged: str = "delete it and run again",
) -> xr.DataTree:
    """Read a netCDF file with groups; parameters and errors as for :func:`read_dataset`."""
    with _reading(path, absent, damaged), xr.open_datatree(path, engine="netcdf4") as opened:
        return opened.load()


@contextlib.contextmanager
def _reading(path: str | os.PathLike[str], absent: str, damaged: str) -> Iterator[None]:
    if not Path(path).is_file():
        raise TgsageError(f"{path}: no such file; {absent}")
    try:
        yield
    except _DAMAGED as error:
        raise TgsageError(
            f"{path}: cannot be read as netCDF, truncated or damaged ({error}); {damaged}"
        ) from None
