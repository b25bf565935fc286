"""Selecting sites, time bins and repetitions of an assembly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from ..errors import TgsageError, unknown
from ..store import seed_from
from .assembly import stimulus_codes, stimulus_means, units, unusable_sites
from .split_half import random_ranks, reliability

if TYPE_CHECKING:
    from .settings import Selection


def select(assembly: xr.DataArray, selection: Selection) -> xr.DataArray:
    """Apply a selection.

    In this order: animals, baseline, window, regions, repetitions, sites that never vary, reliability.

    Parameters
    ----------
    assembly
        (neuroid, presentation[, time_bin]).
    selection
        The default keeps everything as it is.

    Returns
    -------
    xarray.DataArray
        A part of the assembly; its values differ from the original's only by the baseline.

    Raises
    ------
    TgsageError
        If an animal, region, column or time bin does not exist, a stimulus has too few repetitions, or no
        site is left.
    """
    if selection.animals is not None:
        assembly = assembly.isel(neuroid=of_animals(assembly["animal"].values, selection.animals))
    full = assembly
    if selection.window_ms is not None:
        assembly = _window(assembly, selection.window_ms, "window_ms")
    if selection.baseline_ms is not None:
        assembly = _baseline(assembly, _window(full, selection.baseline_ms, "baseline_ms"))
        assembly.attrs["baseline_ms"] = list(selection.baseline_ms)
    if selection.region_map is not None:
        assembly = _regions(assembly, selection.region_map, selection.region_column)
    if selection.equal_repeats is not None:
        assembly = _equal_repeats(assembly, selection.equal_repeats, selection.seed)
    if selection.drop_constant_sites:
        _, constant = unusable_sites(stimulus_means(assembly).values)
        if constant.all():
            raise TgsageError("selection.drop_constant_sites: no site varies over stimuli")
        assembly = assembly.isel(neuroid=np.flatnonzero(~constant))
    if selection.minimal_reliability is not None:
        values = reliability(assembly, seed=selection.seed).values
        # NaN (a site that never varies) compares false: such a site has no reliability and goes.
        keep = values >= selection.minimal_reliability
        if not keep.any():
            best = f"{np.nanmax(values):.3f}" if np.isfinite(values).any() else "undefined"
            raise TgsageError(
                f"selection.minimal_reliability: no site reaches {selection.minimal_reliability:g}; "
                f"the best of {len(values)} has {best}"
            )
        assembly = assembly.isel(neuroid=np.flatnonzero(keep))
    return assembly


def of_animals(names: np.ndarray, animals: list[str]) -> np.ndarray:
    """Return the indices of ``names`` that are one of ``animals``.

    Raises
    ------
    TgsageError
        If an animal does not exist, or none is named.
    """
    for animal in animals:
        if animal not in names:
            raise unknown("animal", animal, set(names.tolist()))
    if not animals:
        raise TgsageError("selection.animals: names no animal; use null to keep all")
    return np.flatnonzero(np.isin(names, animals))


def _window(assembly: xr.DataArray, window: tuple[float, float], key: str) -> xr.DataArray:
    """Return the time bins that lie inside a window."""
    start, end = window
    if not start < end:
        raise TgsageError(f"selection.{key}: [{start:g}, {end:g}] is not a window; the start comes first")
    bins = {"time_bin_start", "time_bin_end"} & set(map(str, assembly.coords))
    if "time_bin" not in assembly.dims or len(bins) < 2:
        published = assembly.attrs.get("window_ms")
        if published is not None and list(published) == [start, end]:
            return assembly
        window_words = f"the one window {list(published)} ms" if published is not None else "no time bins"
        raise TgsageError(
            f"selection.{key}: these recordings have {window_words}; leave selection.{key} out, or use "
            "recordings with time bins"
        )
    starts, ends = assembly["time_bin_start"].values, assembly["time_bin_end"].values
    keep = (starts >= start) & (ends <= end)
    if not keep.any():
        raise TgsageError(
            f"selection.{key}: no time bin lies inside [{start:g}, {end:g}] ms; there are {len(starts)} bins "
            f"from {starts.min():g} to {ends.max():g} ms"
        )
    return assembly.isel(time_bin=np.flatnonzero(keep))


def _baseline(assembly: xr.DataArray, baseline: xr.DataArray) -> xr.DataArray:
    """Subtract each site's mean baseline rate; counts are compared per millisecond."""
    dims = [dim for dim in baseline.dims if dim != "neuroid"]
    if units(assembly) == "counts" and "time_bin" in assembly.dims:
        widths, baseline_widths = (
            part["time_bin_end"] - part["time_bin_start"] for part in (assembly, baseline)
        )
        result = assembly - (baseline / baseline_widths).mean(dims) * widths
    else:
        result = assembly - baseline.mean(dims)
    result = result.transpose(*assembly.dims).astype(np.result_type(assembly.dtype, np.float32))
    result = assembly.copy(data=result.values)
    result.attrs["units"] = f"{units(assembly)}, baseline subtracted"
    return result


def _regions(
    assembly: xr.DataArray, region_map: dict[str, dict[str, str]], column: str | None
) -> xr.DataArray:
    """Rename regions by a site column."""
    if column is None:
        raise TgsageError("selection.region_map: name the site column it reads in selection.region_column")
    columns = [str(name) for name, coord in assembly.coords.items() if coord.dims == ("neuroid",)]
    if column not in columns:
        raise unknown("selection.region_column", column, columns)
    regions = assembly["region"].values.astype(object)
    values = np.asarray([str(value) for value in assembly[column].values])
    renamed = regions.copy()
    for region, names in region_map.items():
        inside = regions == region
        if not inside.any():
            raise unknown("region in selection.region_map", region, set(regions.tolist()))
        unnamed = sorted(set(values[inside]) - set(names))
        if unnamed:
            raise TgsageError(
                f"selection.region_map.{region}: says nothing about {column} = {', '.join(unnamed)}; "
                f"name a region for every value of {column}"
            )
        renamed[inside] = [names[value] for value in values[inside]]
    return assembly.assign_coords(region=("neuroid", renamed.astype(np.str_)))


def _equal_repeats(assembly: xr.DataArray, n: int, seed: int) -> xr.DataArray:
    """Draw n presentations of every stimulus and keep their order."""
    codes, identifiers = stimulus_codes(assembly)
    counts = np.bincount(codes, minlength=len(identifiers))
    if counts.min() < n:
        fewest = int(counts.argmin())
        raise TgsageError(
            f"selection.equal_repeats: stimulus {identifiers[fewest]} has {counts[fewest]} repetitions, "
            f"fewer than {n}; ask for at most {counts.min()}"
        )
    ranks = random_ranks(codes, np.random.default_rng(seed_from("equal_repeats", seed)))
    return assembly.isel(presentation=np.flatnonzero(ranks < n))
