"""The stage: from the settings of a source to a checked assembly and its stimuli."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from types import ModuleType

import numpy as np
import xarray as xr

from ..config.recordings import RDM_ONLY_SOURCES, RecordingsSource, Selection
from ..errors import TgsageError, unknown
from .assembly import standardise, units
from .places import data_root as find_data_root
from .selection import select
from .validation import validate, validate_published_rdm

# By name, not by import: the digest of a stage follows imports, and one source's stage must not contain
# the reader of another.
_READERS = {
    "brainio": "recordings.readers.brainio_package",
    "cadieu2014": "recordings.readers.cadieu2014",
    "cowley2023": "recordings.readers.cowley2023",
    "hdf5": "recordings.readers.hdf5_layout",
    "kriegeskorte2008": "recordings.readers.kriegeskorte2008",
    "nwb": "recordings.readers.nwb",
    "simulated": "demo.simulated_macaque.reader",
}
_WITHOUT_FILES = ("simulated",)
"""Sources that read nothing from outside."""


def stage_modules(source: str) -> tuple[str, ...]:
    """Dotted names (under tgsage) of the modules that a source's stage runs, for ``stage_digest``.

    Raises
    ------
    TgsageError
        If there is no such source.
    """
    if source not in _READERS:
        raise unknown("source of recordings", source, _READERS)
    return (_READERS[source], "recordings.sources", "recordings.files")


def raw_files(settings: RecordingsSource, root: str | os.PathLike[str] | None = None) -> list[Path]:
    """The downloaded files that a source reads, so that a workflow can see when one was replaced.

    Parameters
    ----------
    settings
        Any source.
    root
        Folder of downloaded data, as for :func:`~tgsage.recordings.data_root`.

    Returns
    -------
    list
        In a fixed order, whether they exist or not; nothing is read. Empty for simulated recordings.

    Raises
    ------
    TgsageError
        If there is no such source.
    """
    if settings.source in _WITHOUT_FILES:
        return []
    return _module(settings.source).raw_files(settings, find_data_root(root))


def read(
    settings: RecordingsSource, root: str | os.PathLike[str] | None = None
) -> tuple[xr.DataArray, xr.Dataset]:
    """Read or simulate the recordings of a source, checked, with no selection applied.

    A site that never varies is let through here; :func:`make` decides after the selection.

    Parameters
    ----------
    settings
        Any source of responses.
    root
        Folder of downloaded data, as for :func:`~tgsage.recordings.data_root`.

    Returns
    -------
    tuple
        The assembly (neuroid, presentation[, time_bin]) and the stimuli.

    Raises
    ------
    TgsageError
        If files are missing or wrong, or the source publishes RDMs only.
    """
    if settings.source in RDM_ONLY_SOURCES:
        raise TgsageError(
            f"source {settings.source} publishes RDMs and no responses; use make_published_rdm instead"
        )
    assembly, stimuli, where = _module(settings.source).read(settings, find_data_root(root))
    assembly = standardise(assembly, where)
    simulated = int(settings.source == "simulated")
    assembly.attrs.update(units=units(assembly), simulated=simulated)
    stimuli = stimuli.assign_attrs(simulated=simulated)
    validate(assembly, stimuli, where=where, constant=False)
    return assembly, stimuli


def make(
    settings: RecordingsSource, data_root: str | os.PathLike[str] | None = None
) -> tuple[xr.DataArray, xr.Dataset]:
    """Make the assembly and the stimuli of a run: read, check, select, check again.

    Parameters
    ----------
    settings
        Any source of responses, with its selection.
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
    """
    assembly, stimuli = read(settings, data_root)
    selected = select(assembly, settings.selection)
    where = f"{settings.source} recordings, after the selection"
    shown = np.isin(stimuli["stimulus_id"].values, selected["stimulus_id"].values)
    stimuli = stimuli.isel(stimulus=np.flatnonzero(shown))
    validate(selected, stimuli, where=where)
    return selected, stimuli


def make_published_rdm(
    settings: RecordingsSource, data_root: str | os.PathLike[str] | None = None
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
    if settings.source not in RDM_ONLY_SOURCES:
        raise TgsageError(f"source {settings.source} publishes responses; use make instead")
    changed = sorted(settings.selection.model_fields_set - {"animals", "seed"})
    defaults = Selection()
    for key in changed:
        if getattr(settings.selection, key) != getattr(defaults, key):
            raise TgsageError(
                f"selection.{key}: cannot be applied, {settings.source} publishes RDMs and no responses"
            )
    published, stimuli, where = _module(settings.source).read(settings, find_data_root(data_root))
    if settings.selection.animals is not None:
        names = published["animal"].values
        for animal in settings.selection.animals:
            if animal not in names:
                raise unknown("animal", animal, set(names.tolist()))
        keep = np.flatnonzero(np.isin(names, settings.selection.animals))
        published = published.isel(measurement=keep)
        published.attrs["n_animals"] = len(set(settings.selection.animals))
    published = published.assign_attrs(simulated=0)
    stimuli = stimuli.assign_attrs(simulated=0)
    validate_published_rdm(published, stimuli, where=where)
    return published, stimuli


def _module(source: str) -> ModuleType:
    if source not in _READERS:
        raise unknown("source of recordings", source, _READERS)
    return importlib.import_module(f"{__package__.partition('.')[0]}.{_READERS[source]}")
