"""The teacher as a tree of targets: putting it together, its digest, its file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from ..errors import TgsageError, unknown
from ..netcdf import read_tree
from ..store import digest, replacing
from .ceilings import Ceiling
from .splits import PARTS

_REQUIRED = ("rdm", "stimulus_id", "category", "split", "ceiling_lower", "ceiling_upper")


def target(
    *,
    rdm: np.ndarray,
    stimulus_id: np.ndarray,
    category: np.ndarray,
    split: np.ndarray,
    images: np.ndarray | None,
    ceilings: Mapping[str, Ceiling],
    attributes: Mapping[str, Any],
    category_rdm: np.ndarray | None = None,
    category_name: np.ndarray | None = None,
    animals: Mapping[str, tuple[float, float]] | None = None,
) -> xr.Dataset:
    """Put one target together.

    Parameters
    ----------
    rdm
        (pairs,), condensed.
    stimulus_id, category, split
        (stimuli,) of str.
    images
        uint8 (stimuli, y, x, rgb), or None where no stimuli are at hand.
    ceilings
        By part of the stimuli; the parts make the coordinate ``part``.
    attributes
        region, recordings, n_sites, … of the group.
    category_rdm, category_name
        (parts, category pairs) and (categories,), for teachers whose RDMs are over category means.
    animals
        Bounds over animals by part, where there are several.
    """
    parts = [part for part in PARTS if part in ceilings]
    content: dict[str, Any] = {
        "rdm": ("pair", np.asarray(rdm, np.float64)),
        "stimulus_id": ("stimulus", np.asarray(stimulus_id, str)),
        "category": ("stimulus", np.asarray(category, str)),
        "split": ("stimulus", np.asarray(split, str)),
    }
    for name, field in (("ceiling_lower", "lower"), ("ceiling_upper", "upper"), ("split_half", "split_half")):
        content[name] = ("part", np.array([getattr(ceilings[part], field) for part in parts], np.float64))
    if animals:
        for name, bound in (("animals_lower", 0), ("animals_upper", 1)):
            content[name] = ("part", np.array([animals[part][bound] for part in parts], np.float64))
    if images is not None:
        content["images"] = (("stimulus", "y", "x", "rgb"), images)
    if category_rdm is not None:
        content["category_rdm"] = (("part", "category_pair"), np.asarray(category_rdm, np.float64))
        content["category_name"] = ("category_index", np.asarray(category_name, str))
    reasons = "; ".join(f"{part}: {ceilings[part].reason}" for part in parts if ceilings[part].reason)
    dataset = xr.Dataset(content, coords={"part": parts}, attrs=dict(attributes))
    for name in ("ceiling_lower", "ceiling_upper", "split_half"):
        dataset[name].attrs["reason"] = reasons
    return dataset


def tree(targets: Mapping[str, xr.Dataset], attributes: Mapping[str, Any]) -> xr.DataTree:
    """Put the targets of a teacher together, and add the digest of all content.

    Raises
    ------
    TgsageError
        If there is no target, or its name cannot name a group.
    """
    if not targets:
        raise TgsageError(f"teacher {attributes.get('teacher')!r}: has no targets; name at least one region")
    for name in targets:
        if not name or "/" in name or name.startswith("."):
            raise TgsageError(
                f"teacher {attributes.get('teacher')!r}: {name!r} cannot name a target; leave out '/' and '.'"
            )
    attributes = {key: value for key, value in attributes.items() if key != "digest"}
    attributes["digest"] = digest(attributes, {name: _content(group) for name, group in targets.items()})
    root = xr.Dataset(attrs=attributes)
    return xr.DataTree.from_dict({"/": root, **{f"/{name}": group for name, group in targets.items()}})


def targets_of(teacher: xr.DataTree) -> dict[str, xr.Dataset]:
    """The targets of a teacher by name, in their order, as datasets in memory of their own."""
    return {name: group.to_dataset(inherit=False).copy() for name, group in teacher.children.items()}


def ceiling(target: xr.Dataset | xr.DataTree, part: str) -> tuple[float, float]:
    """Lower and upper noise ceiling of a target on the stimuli of a part (``choose``, ``reward``, "
    "``report``).
    """
    known = [str(name) for name in target["part"].values]
    if part not in known:
        raise unknown("part of the stimuli", part, known)
    at = known.index(part)
    return float(target["ceiling_lower"].values[at]), float(target["ceiling_upper"].values[at])


def save(teacher: xr.DataTree, path: str | os.PathLike[str]) -> None:
    """Write a teacher as netCDF, whole or not at all."""
    # Distances are as good as random digits; only the images are worth packing.
    encoding = {
        f"/{name}": {"images": {"zlib": True, "complevel": 4}}
        for name, group in teacher.children.items()
        if "images" in group
    }
    with replacing(path) as temporary:
        teacher.to_netcdf(temporary, engine="netcdf4", encoding=encoding)


def load(path: str | os.PathLike[str]) -> xr.DataTree:
    """Read a teacher into memory.

    Raises
    ------
    TgsageError
        If there is no such file, it is not a teacher's, or its content is not what its digest says.
    """
    teacher = read_tree(path, absent="make the teacher with `snakemake teacher`", damaged="make it again")
    if "digest" not in teacher.attrs or not teacher.children:
        raise TgsageError(f"{path}: is not a teacher file; give one from teachers/")
    for name, group in teacher.children.items():
        missing = [variable for variable in _REQUIRED if variable not in group]
        if missing:
            raise TgsageError(f"{path}: target {name!r} lacks {', '.join(missing)}; make the teacher again")
    attributes = {key: _plain(value) for key, value in teacher.attrs.items()}
    groups = targets_of(teacher)
    fresh = tree(groups, attributes)
    if fresh.attrs["digest"] != teacher.attrs["digest"]:
        raise TgsageError(f"{path}: its content is not what its digest says; make the teacher again")
    return fresh


def _content(group: xr.Dataset) -> dict[str, Any]:
    return {
        "variables": {
            str(name): [list(map(str, group[name].dims)), group[name].values] for name in group.variables
        },
        "attributes": {str(key): _plain(value) for key, value in group.attrs.items()},
    }


def _plain(value: Any) -> Any:
    """Attributes as python values: netCDF gives numpy scalars back."""
    return value.item() if isinstance(value, np.generic) else value
