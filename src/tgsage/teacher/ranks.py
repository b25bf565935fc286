"""Ranks of a teacher's RDMs, made once and kept in its file beside the distances.

Every candidate is compared with the same RDMs on the same parts of the stimuli, by ranks as a rule. The
variable ``ranks`` (ranked_pair) of a target holds those of each part, one after the other in the order of the
coordinate ``part``; they follow from the RDM, and are no part of the teacher's digest.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from ..errors import TgsageError
from ..rdm import subset
from ..rdm.ranks import centred_ranks
from ..store import digest


def part_rdm(target: xr.Dataset, part: str, by_category: bool) -> np.ndarray:
    """Return the condensed RDM that networks are compared with on a part of the stimuli, float64."""
    if by_category:
        row = list(target["part"].values.astype(str)).index(part)
        return np.asarray(target["category_rdm"].values[row], np.float64)
    members = np.flatnonzero(target["split"].values.astype(str) == part)
    return np.asarray(subset(np.asarray(target["rdm"].values, np.float64), members))


def with_ranks(target: xr.Dataset, by_category: bool) -> xr.Dataset:
    """Add the ranks of the RDM of each part; of none where a distance is unknown.

    Parameters
    ----------
    target
        As :func:`tgsage.teacher.format.target` makes it.
    by_category
        Whether networks are compared with the category RDMs.

    Returns
    -------
    xarray.Dataset
        With ``ranks``: int32, twice the rank minus (number of pairs + 1), see
        :func:`tgsage.rdm.ranks.centred_ranks`.
    """
    rdms = [part_rdm(target, part, by_category) for part in target["part"].values.astype(str)]
    if not rdms or not all(np.isfinite(one).all() for one in rdms):
        return target
    ranks = np.concatenate([centred_ranks(one) for one in rdms])
    marks = {"of": _source(target, by_category), "digest": digest(ranks)}
    return target.assign(ranks=("ranked_pair", ranks, marks))


def check_ranks(target: xr.Dataset | xr.DataTree) -> bool:
    """Whether the ranks, if there are any, are those that were written."""
    return "ranks" not in target or digest(target["ranks"].values) == target["ranks"].attrs.get("digest")


def stored_ranks(target: xr.Dataset, by_category: bool, where: str) -> dict[str, np.ndarray]:
    """Return the ranks of each part, int32 (pairs,); of none if the target holds none.

    Raises
    ------
    TgsageError
        If the RDM or the splits were changed after the ranks were made. The message begins with ``where``.
    """
    if "ranks" not in target:
        return {}
    if target["ranks"].attrs.get("of") != _source(target, by_category):
        raise TgsageError(f"{where}: 'ranks' are of another RDM; drop them when 'rdm' or 'split' changes")
    ranks = target["ranks"].values
    parts: dict[str, np.ndarray] = {}
    end = 0
    for part in target["part"].values.astype(str):
        if by_category:
            size = target.sizes["category_pair"]
        else:
            n = int((target["split"].values.astype(str) == part).sum())
            size = n * (n - 1) // 2
        begin, end = end, end + size
        parts[str(part)] = ranks[begin:end]
    return parts


def _source(target: xr.Dataset, by_category: bool) -> str:
    values = target["category_rdm" if by_category else "rdm"].values
    return digest(values, target["split"].values.astype(str), target["part"].values.astype(str))
