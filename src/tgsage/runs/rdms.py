"""``rdms.nc``: RDMs of the winner's layers, one group per target.

A group holds ``rdm`` (pair), condensed, and ``stimulus_id`` (stimulus); its attributes say ``layer`` and
``metric``. Without a teacher there is no group.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import xarray as xr

from ..errors import TgsageError
from ..netcdf import read_tree
from ..store.atomic import replacing
from .records import PathLike, check_version

VERSION = 1


def save(groups: Mapping[str, xr.Dataset], path: PathLike, version: int = VERSION) -> None:
    """Write groups of variables (the RDMs of targets), whole or not at all."""
    root = xr.Dataset(attrs={"version": version})
    with replacing(path) as temporary:
        xr.DataTree.from_dict({"/": root, **groups}).to_netcdf(os.fspath(temporary), engine="netcdf4")


def load(path: PathLike) -> xr.DataTree:
    """Read ``rdms.nc`` into memory.

    Raises
    ------
    TgsageError
        If there is no such file, or it is of another kind or version.
    """
    tree = read_tree(path)
    check_version(path, tree.attrs.get("version", 1), VERSION)
    for name, group in tree.children.items():
        if "rdm" not in group or "stimulus_id" not in group.variables:
            raise TgsageError(f"{path}: group {name!r} holds no RDM; delete it and run again")
    return tree
