"""Reading a search's files for figures and page: one line names the file that is missing or broken."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
import xarray as xr
from numpy.typing import NDArray

PathLike = str | os.PathLike[str]


def targets(teacher: xr.DataTree) -> Iterator[tuple[str, xr.Dataset]]:
    """Name and content of each target of a teacher, in its order."""
    for name, node in teacher.children.items():
        yield name, node.to_dataset()


def stimulus_splits(target: xr.Dataset) -> NDArray[np.str_]:
    """Which part each stimulus of a target belongs to: choose, reward or report."""
    return target["split"].values.astype(str)


def ceiling(target: xr.Dataset, split: str) -> tuple[float, float]:
    """Lower and upper noise ceiling of a target on a split; NaN where it is not known."""
    if split not in ceiling_splits(target):
        return np.nan, np.nan
    own = target.sel(part=split)
    return float(own["ceiling_lower"]), float(own["ceiling_upper"])


def ceiling_splits(target: xr.Dataset) -> list[str]:
    """The splits for which a target tells ceilings."""
    return [str(name) for name in target["part"].values]


def n_stimuli(target: xr.Dataset, split: str) -> int:
    """Number of a target's stimuli in a split."""
    return int((stimulus_splits(target) == split).sum())


def channels(target: xr.Dataset) -> str:
    """How many sites a target has, in words; "" where it has none.

    Attribute ``site_unit`` says what they are ("voxels"); without it, a network's are units.
    """
    number = target.attrs.get("n_sites")
    if number is None or not np.isfinite(number) or number <= 0:
        return ""
    # Only the RDM of a network's layer is a mean over random subsamples of its features.
    usual = "units" if "subsamples" in target.attrs else "sites"
    return f"{int(number):,} {target.attrs.get('site_unit', usual)}"


METRICS = {
    "correlation": "1 − Pearson's r",
    "sqeuclidean": "squared Euclidean distance",
    "cosine": "1 − cosine",
    "crossnobis": "crossnobis distance",
    "poisson": "symmetrised Kullback-Leibler divergence of rates",
    "labels": "0 within, 1 between categories",
}
"""Metrics of RDMs in words."""


def metric(target: xr.Dataset) -> str:
    """The metric of a target's RDM in words; "" where the file does not tell it."""
    name = str(target.attrs.get("metric", ""))
    return METRICS.get(name, name)
