"""From the settings of a source to a checked assembly and its stimuli."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from .. import plugins
from ..errors import TgsageError
from .assembly import standardise, units
from .assembly_files import save, save_published_rdm, save_stimuli
from .places import data_root as find_data_root
from .selection import of_animals, select
from .validation import validate, validate_published_rdm

if TYPE_CHECKING:
    from .settings import RecordingsSettings

PathLike = str | os.PathLike[str]


def read(
    settings: RecordingsSettings | Mapping[str, Any], root: PathLike | None = None
) -> tuple[xr.DataArray, xr.Dataset]:
    """Read or simulate the recordings of a source, checked, with no selection applied.

    A site that never varies is let through here; :func:`make` decides after the selection.

    Parameters and results are as of :func:`make`.

    Raises
    ------
    TgsageError
        If files are missing or wrong, or the source publishes RDMs only.
    """
    source: RecordingsSettings = plugins.settings("recordings", settings)
    if source.rdm_only:
        raise TgsageError(
            f"source {source.plugin_name()} publishes RDMs and no responses; use make_published_rdm instead"
        )
    assembly, stimuli, where = source.load().read(source, find_data_root(root))
    assembly = standardise(assembly, where)
    assembly.attrs.update(units=units(assembly), simulated=int(source.simulated))
    stimuli = stimuli.assign_attrs(simulated=int(source.simulated))
    validate(assembly, stimuli, where=where, constant=False)
    return assembly, stimuli


def make(
    settings: RecordingsSettings | Mapping[str, Any], data_root: PathLike | None = None
) -> tuple[xr.DataArray, xr.Dataset]:
    """Make the assembly and the stimuli of a run: read, check, select, check again.

    Parameters
    ----------
    settings
        Any source of responses, with its selection; or the same as a mapping.
    data_root
        Folder of downloaded data; None means ``TGSAGE_DATA``, or ``neural_data/raw``.

    Returns
    -------
    tuple
        The assembly (neuroid, presentation[, time_bin]), with attributes ``units`` and ``simulated`` (0 or
        1), and the stimuli it shows, in the order of their file.

    Raises
    ------
    TgsageError
        One line about whatever is wrong with the files or the selection.

    Examples
    --------
    >>> make({"source": "cowley2023", "session": "210325"})
    """
    source: RecordingsSettings = plugins.settings("recordings", settings)
    assembly, stimuli = read(source, data_root)
    selected = select(assembly, source.selection)
    shown = np.isin(stimuli["stimulus_id"].values, selected["stimulus_id"].values)
    stimuli = stimuli.isel(stimulus=np.flatnonzero(shown))
    validate(selected, stimuli, where=f"{source.plugin_name()} recordings, after the selection")
    return selected, stimuli


def make_published_rdm(
    settings: RecordingsSettings | Mapping[str, Any], data_root: PathLike | None = None
) -> tuple[xr.Dataset, xr.Dataset]:
    """Make the published RDMs of a source that publishes no responses.

    Parameters
    ----------
    settings
        Such a source. Of its selection only ``animals`` can be applied: it picks measurements.
    data_root
        As for :func:`make`.

    Returns
    -------
    tuple
        A Dataset with ``rdm`` (measurement, pair) float64 in the order of ``numpy.triu_indices(n, 1)``,
        ``stimulus_id`` (stimulus), ``animal`` and ``session`` (measurement) and the attributes region,
        n_sites, n_animals, species, metric, simulated; and the stimuli.

    Raises
    ------
    TgsageError
        If files are missing or wrong, or the source publishes responses.
    """
    source: RecordingsSettings = plugins.settings("recordings", settings)
    name, selection = source.plugin_name(), source.selection
    if not source.rdm_only:
        raise TgsageError(f"source {name} publishes responses; use make instead")
    defaults = type(selection)()
    for key in sorted(selection.model_fields_set - {"animals", "seed"}):
        if getattr(selection, key) != getattr(defaults, key):
            raise TgsageError(f"selection.{key}: cannot be applied, {name} publishes RDMs and no responses")
    published, stimuli, where = source.load().read(source, find_data_root(data_root))
    if selection.animals is not None:
        measurements = of_animals(published["animal"].values, selection.animals)
        published = published.isel(measurement=measurements)
        published.attrs["n_animals"] = len(set(selection.animals))
    published = published.assign_attrs(simulated=int(source.simulated))
    stimuli = stimuli.assign_attrs(simulated=int(source.simulated))
    validate_published_rdm(published, stimuli, where=where)
    return published, stimuli


def write_assembly(
    assembly: PathLike, stimuli: PathLike, *, settings: RecordingsSettings, data: str | None
) -> None:
    """Read a data set from the configured data folder, and write ``assembly.nc`` and ``stimuli.h5``."""
    responses, images = make(settings, find_data_root(data))
    save(responses, assembly)
    save_stimuli(images, stimuli)


def write_published_rdm(
    published_rdm: PathLike, stimuli: PathLike, *, settings: RecordingsSettings, data: str | None
) -> None:
    """Read a data set of which only RDMs are published, and write ``published_rdm.nc`` and ``stimuli.h5``."""
    rdms, images = make_published_rdm(settings, find_data_root(data))
    save_published_rdm(rdms, published_rdm)
    save_stimuli(images, stimuli)
