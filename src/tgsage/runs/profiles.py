"""``profiles.nc``: beside a ledger, the similarity of every layer of its candidates with every target.

The ledger has the maximum over layers, which is the paper's reading; a guidance may read the whole profile.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import TgsageError
from ..netcdf import read_dataset
from ..store.atomic import replacing
from .records import PathLike, check_version

VERSION = 1
_VARIABLES = ("rsa", "untrained", "ceiling_lower", "ceiling_upper", "weight")


def build(places: Sequence[tuple[int, int]], rsas: Sequence[xr.Dataset]) -> xr.Dataset:
    """Put the profiles of candidates together.

    Parameters
    ----------
    places
        (round, slot) of every candidate.
    rsas
        Their ``rsa.nc``, in the same order, with the same targets.

    Returns
    -------
    xarray.Dataset
        ``rsa`` (row, target, layer): similarity at the last checkpoint on the split ``reward``, layers in
        order of depth; NaN beyond a candidate's own layers, for dead layers, and where it is not ok.
        ``untrained``: the same of the untrained network; NaN where that checkpoint was not kept.
        ``ceiling_lower`` and ``ceiling_upper`` (target) on the split ``reward``. Coordinates ``round`` and
        ``slot`` (row), ``target``, ``weight`` (target).

    Raises
    ------
    TgsageError
        If the candidates were scored against different targets.
    """
    first = rsas[0]
    names = first["target"].values.astype(str)
    for (number, slot), one in zip(places, rsas, strict=True):
        if not np.array_equal(one["target"].values.astype(str), names):
            raise TgsageError(
                f"round {number}, slot {slot}: was scored against other targets than the rest of its round; "
                "score the round again"
            )
    depth = max((one.sizes["layer"] for one in rsas), default=0)
    values = np.full((2, len(rsas), len(names), depth), np.nan)
    for row, one in enumerate(rsas):
        if one.sizes["checkpoint"] == 0 or one.attrs["status"] != "ok":
            continue
        reward = one["rsa"].sel(split="reward").transpose("checkpoint", "target", "layer").values
        values[0, row, :, : reward.shape[2]] = reward[-1]
        if float(one["share"][0]) == 0:
            values[1, row, :, : reward.shape[2]] = reward[0]
    bounds = {
        name: ("target", first[name].sel(split="reward").values.astype(np.float64))
        for name in ("ceiling_lower", "ceiling_upper")
    }
    return xr.Dataset(
        {
            "rsa": (("row", "target", "layer"), values[0]),
            "untrained": (("row", "target", "layer"), values[1]),
            **bounds,
        },
        coords={
            "round": ("row", np.array([number for number, _ in places], dtype=np.int64)),
            "slot": ("row", np.array([slot for _, slot in places], dtype=np.int64)),
            "target": names,
            "weight": ("target", first["weight"].values.astype(np.float64)),
        },
    )


def joined(parts: Sequence[xr.Dataset]) -> xr.Dataset:
    """Put the rows of several profiles under one another, in order of round and slot."""
    depth = max(part.sizes["layer"] for part in parts)
    padded = [part.pad(layer=(0, depth - part.sizes["layer"]), constant_values=np.nan) for part in parts]
    whole = padded[0].copy()
    if len(parts) > 1:
        rows = xr.concat(
            [part[["rsa", "untrained"]] for part in padded], dim="row", coords="minimal", compat="override",
            join="exact",
        )  # fmt: skip
        whole = rows.assign({name: padded[-1][name] for name in ("ceiling_lower", "ceiling_upper")})
    order = np.lexsort((whole["slot"].values, whole["round"].values))
    return whole.isel(row=order)


def aligned(profiles: xr.Dataset, table: pd.DataFrame) -> xr.Dataset:
    """Bring the rows of profiles into the order of a ledger's.

    Raises
    ------
    TgsageError
        If a candidate of the ledger has no profile.
    """
    profiled = zip(profiles["round"].values, profiles["slot"].values, strict=True)
    where = {place: row for row, place in enumerate(profiled)}
    places = list(zip(table["round"], table["slot"], strict=True))
    missing = [place for place in places if place not in where]
    if missing:
        raise TgsageError(
            f"profiles: round {missing[0][0]}, slot {missing[0][1]} of the ledger has no profile; collect "
            "its round again"
        )
    return profiles.isel(row=[where[place] for place in places])


def save(profiles: xr.Dataset, path: PathLike) -> None:
    """Write ``profiles.nc``, whole or not at all."""
    with replacing(path) as temporary:
        profiles.assign_attrs(version=VERSION).to_netcdf(temporary, engine="netcdf4")


def load(path: PathLike) -> xr.Dataset:
    """Read ``profiles.nc`` into memory.

    Raises
    ------
    TgsageError
        If there is no such file, or it is of another kind or version.
    """
    profiles = read_dataset(path, absent="run the stage that makes it")
    check_version(path, profiles.attrs.get("version", 1), VERSION)
    missing = [name for name in _VARIABLES if name not in profiles.variables]
    if missing:
        raise TgsageError(f"{path}: lacks {missing[0]}, so it is no profiles.nc; delete it and run again")
    return profiles.assign_coords(target=profiles["target"].values.astype(str))
