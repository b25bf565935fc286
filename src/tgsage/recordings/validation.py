"""Checks of recordings. Each error is one line that says what is wrong, and where."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike

from ..errors import TgsageError
from .assembly import PRESENTATION_COORDS, SITE_COORDS, stimulus_means, units, unusable_sites


def validate(
    assembly: xr.DataArray,
    stimuli: xr.Dataset | None = None,
    *,
    where: str = "recordings",
    constant: bool = True,
) -> None:
    """Check an assembly, its stimuli, and that they belong together.

    NaN and infinite responses are errors. Negative responses are errors where the responses are counts
    (see :func:`~tgsage.recordings.units`: the attribute ``units``, or else mostly whole numbers); rates
    that were normalised, z-scored or baseline-subtracted may be negative. A site whose mean response is
    the same for every stimulus is an error, because it has no z-score; ``selection.drop_constant_sites``
    (or ``minimal_reliability``) removes it.

    Parameters
    ----------
    assembly
        (neuroid, presentation[, time_bin]).
    stimuli
        With ``images`` (stimulus, y, x, rgb); None checks the assembly alone.
    where
        What the message calls the recordings: a file or a data set.
    constant
        Whether a site that never varies is an error.

    Raises
    ------
    TgsageError
        One line about the first thing found.
    """
    for names, dim in ((SITE_COORDS, "neuroid"), (PRESENTATION_COORDS, "presentation")):
        if dim not in assembly.dims:
            raise TgsageError(f"{where}: the assembly has no dimension {dim}")
        for name in names:
            if name not in assembly.coords or assembly[name].dims != (dim,):
                raise TgsageError(f"{where}: the assembly has no coordinate {name} on {dim}")
    _check_names(assembly, where)
    _check_values(assembly, where)
    if constant:
        _, still = unusable_sites(stimulus_means(assembly).values)
        if still.any():
            site = assembly["neuroid_id"].values[still.argmax()]
            raise TgsageError(
                f"{where}: site {site} never varies over stimuli ({int(still.sum())} such of {len(still)}); "
                "set selection.drop_constant_sites: true to leave it out"
            )
    if stimuli is not None:
        validate_stimuli(stimuli, where=where)
        check_matching(assembly["stimulus_id"].values, stimuli["stimulus_id"].values, where)


def _check_names(assembly: xr.DataArray, where: str) -> None:
    sites = assembly["neuroid_id"].values
    twice = first_duplicate(sites)
    if twice is not None:
        raise TgsageError(f"{where}: neuroid_id {twice} occurs more than once; every site needs a name")
    shown = assembly["stimulus_id"].values
    pairs = pd.MultiIndex.from_arrays([shown, assembly["repetition"].values])
    if pairs.has_duplicates:
        stimulus, repetition = pairs[pairs.duplicated()][0]
        raise TgsageError(
            f"{where}: stimulus {stimulus} has repetition {repetition} more than once; "
            "number the repetitions of a stimulus apart"
        )
    if "" in shown:
        raise TgsageError(f"{where}: presentation {int(np.argmax(shown == ''))} has no stimulus_id")
    if "" in assembly["region"].values:
        raise TgsageError(f"{where}: site {sites[np.argmax(assembly['region'].values == '')]} has no region")


def _check_values(assembly: xr.DataArray, where: str) -> None:
    sites, shown = assembly["neuroid_id"].values, assembly["stimulus_id"].values
    values = assembly.values
    bad = ~np.isfinite(values)
    if bad.any():
        site, presentation = np.argwhere(bad)[0][:2]
        raise TgsageError(
            f"{where}: {int(bad.sum())} responses are NaN or infinite, the first of site {sites[site]} to "
            f"stimulus {shown[presentation]}; leave such sites or presentations out"
        )
    if units(assembly) == "counts" and (values < 0).any():
        site, presentation = np.argwhere(values < 0)[0][:2]
        raise TgsageError(
            f"{where}: {int((values < 0).sum())} counts are negative, the first of site {sites[site]} to "
            f"stimulus {shown[presentation]}; if these are not counts, set the attribute units to 'rates'"
        )


def validate_stimuli(stimuli: xr.Dataset, *, where: str = "stimuli") -> None:
    """Check stimuli: uint8 images in colour, one identifier each, visual degrees.

    Raises
    ------
    TgsageError
        One line about the first thing found.
    """
    if "images" not in stimuli or "stimulus_id" not in stimuli.variables:
        raise TgsageError(f"{where}: stimuli need images and stimulus_id")
    images = stimuli["images"]
    if images.dims != ("stimulus", "y", "x", "rgb") or images.dtype != np.uint8 or images.sizes["rgb"] != 3:
        raise TgsageError(
            f"{where}: images are {images.dtype} {tuple(images.sizes.items())}; "
            "they have to be uint8 (stimulus, y, x, rgb = 3)"
        )
    if 0 in images.shape:
        raise TgsageError(f"{where}: there are no images")
    twice = first_duplicate(stimuli["stimulus_id"].values)
    if twice is not None:
        raise TgsageError(f"{where}: stimulus_id {twice} occurs more than once among the stimuli")
    degrees = stimuli.attrs.get("visual_degrees")
    if not isinstance(degrees, int | float | np.number) or not np.isfinite(degrees) or degrees <= 0:
        raise TgsageError(f"{where}: attribute visual_degrees is {degrees!r}; give the side in degrees")


def check_matching(shown: Iterable[str], available: Iterable[str], where: str) -> None:
    """Raise unless every stimulus shown has an image, and every image was shown."""
    shown, available = list(dict.fromkeys(map(str, shown))), list(dict.fromkeys(map(str, available)))
    without = [name for name in shown if name not in set(available)]
    if without:
        raise TgsageError(
            f"{where}: stimulus {without[0]} of the assembly has no image ({len(without)} such of "
            f"{len(shown)}); add it to the stimuli, or leave its presentations out"
        )
    unseen = set(available) - set(shown)
    if unseen:
        first = next(name for name in available if name in unseen)
        raise TgsageError(
            f"{where}: image {first} was never shown ({len(unseen)} such of {len(available)}); "
            "leave it out of the stimuli, or add its presentations"
        )


def validate_published_rdm(published: xr.Dataset, stimuli: xr.Dataset, *, where: str = "recordings") -> None:
    """Check RDMs that were published without responses, and their stimuli.

    Raises
    ------
    TgsageError
        One line about the first thing found.
    """
    if "rdm" not in published or published["rdm"].dims != ("measurement", "pair"):
        raise TgsageError(f"{where}: there is no rdm (measurement, pair)")
    n = published.sizes.get("stimulus", 0)
    if published.sizes["pair"] != n * (n - 1) // 2 or n < 3:
        raise TgsageError(f"{where}: {published.sizes['pair']} pairs do not fit {n} stimuli")
    bad = ~np.isfinite(published["rdm"].values)
    if bad.any():
        row, pair = np.argwhere(bad)[0]
        i, j = (index[pair] for index in np.triu_indices(n, 1))
        names = published["stimulus_id"].values
        raise TgsageError(
            f"{where}: the RDM of measurement {published['measurement'].values[row]} has no value for "
            f"{names[i]} and {names[j]} ({int(bad.sum())} such)"
        )
    for row, values in zip(published["measurement"].values, published["rdm"].values, strict=True):
        if np.ptp(values) == 0:
            raise TgsageError(f"{where}: the RDM of measurement {row} never varies")
    validate_stimuli(stimuli, where=where)
    check_matching(published["stimulus_id"].values, stimuli["stimulus_id"].values, where)


def first_duplicate(values: ArrayLike) -> str | None:
    """Return the first value that occurred before, or None."""
    series = pd.Series(values)
    twice = series[series.duplicated()]
    return None if twice.empty else str(twice.iloc[0])
