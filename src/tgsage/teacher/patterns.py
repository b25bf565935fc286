"""Response patterns: the sites of a region, what makes a site unusable, and RDMs over category means."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import xarray as xr

from ..errors import TgsageError, unknown
from ..rdm import category_means, rdm
from ..recordings.assembly import unusable_sites

LEAST_SITES = 3
"""With two sites every correlation of patterns is 1 or -1."""


def sites_of_region(assembly: xr.DataArray, region: str, what: str, dataset: str) -> xr.DataArray:
    """Return the sites of a region of an assembly (neuroid, presentation[, time_bin]).

    Messages call the target ``what`` and the data set ``dataset``.

    Raises
    ------
    TgsageError
        If the region is absent or has fewer than 3 sites.
    """
    regions = assembly["region"].values.astype(str)
    if region not in regions:
        raise unknown(f"region of {what}, recordings {dataset!r}:", region, np.unique(regions))
    sites = np.flatnonzero(regions == region)
    if len(sites) < LEAST_SITES:
        raise TgsageError(
            f"{what}: region {region!r} has {len(sites)} sites, and at least {LEAST_SITES} are needed for a "
            "pattern"
        )
    return assembly.isel(neuroid=sites)


def site_names(assembly: xr.DataArray) -> np.ndarray:
    """Return the names of the sites, or their numbers where they have none, (sites,) of str."""
    if "neuroid_id" in assembly.coords:
        return assembly["neuroid_id"].values.astype(str)
    return np.arange(assembly.sizes["neuroid"]).astype(str)


def animal_names(assembly: xr.DataArray) -> np.ndarray:
    """Return the animal of every site, or one ``"unknown"``."""
    return assembly["animal"].values.astype(str) if "animal" in assembly.coords else np.array(["unknown"])


def refuse_not_finite(responses: np.ndarray, sites: np.ndarray, stimuli: np.ndarray, what: str) -> None:
    """Raise if a response (stimuli or presentations, sites) is not finite.

    ``sites`` has the names of the columns, ``stimuli`` the identifiers of the rows.
    """
    bad = np.argwhere(~np.isfinite(responses))
    if len(bad):
        row, site = bad[0]
        raise TgsageError(
            f"{what}: site {sites[site]} has no finite response to stimulus {str(stimuli[row])!r}; leave out "
            "the site or the presentation"
        )


def refuse_constant(means: np.ndarray, sites: np.ndarray, what: str) -> None:
    """Raise if the mean responses (stimuli, sites) of a site do not vary over stimuli."""
    flat = constant_sites(means)
    if len(flat):
        raise TgsageError(
            f"{what}: the mean response of site {sites[flat[0]]} never varies over stimuli; leave it out"
        )


def constant_sites(patterns: np.ndarray) -> np.ndarray:
    """Return the indices of the sites (columns) that do not vary but for rounding."""
    return np.flatnonzero(unusable_sites(patterns.T)[1])


def standardised(patterns: np.ndarray) -> np.ndarray:
    """Z-score every site (column) over stimuli; a site without variance becomes 0."""
    centred = patterns - patterns.mean(axis=0)
    deviation = centred.std(axis=0)
    return np.asarray(centred / np.where(deviation > 0, deviation, 1.0))


def category_rdms(
    patterns: np.ndarray, category: np.ndarray, parts: Iterable[np.ndarray], metric: str
) -> list[np.ndarray]:
    """Return for each part of the stimuli its RDM (category pairs,) over category means, categories sorted.

    Patterns are (stimuli, sites), or (stimuli, repetitions, sites) for crossnobis; ``category`` is (stimuli,)
    and ``parts`` are indices of stimuli.
    """
    return [
        np.asarray(rdm(category_means(patterns[members], category[members]), metric)) for members in parts
    ]
