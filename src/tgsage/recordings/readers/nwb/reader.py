"""Spike times in an NWB 2 file (Neurodata Without Borders), read through pynwb.

The ``Units`` table has the spike times of every unit; a table of intervals (``trials`` or another) has a row
per presentation, with a column that names the stimulus and one with its onset. Spikes are counted in a window
after every onset. Images come from a zip or a folder, or from the file's own stimulus templates.

Layout: NWB schema 2.x, https://nwb-schema.readthedocs.io (Units, TimeIntervals, Images, ImageSeries).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from ....archives import open_archive
from ....errors import TgsageError, unknown
from ....hdf5_links import refuse_links
from ...assembly import make_stimuli, text
from .counting import bin_edges, count, covered
from .extraction import NwbContent, extract

if TYPE_CHECKING:
    from .plugin import NwbRecordings

RESERVED = (
    *("neuroid", "presentation", "time_bin", "data", "neuroid_id", "region", "animal", "stimulus_id"),
    *("repetition", "time_bin_start", "time_bin_end"),
)
"""Coordinates of the assembly itself; a column of the same name is dropped."""


def read(settings: NwbRecordings, root: Path) -> tuple[xr.DataArray, xr.Dataset, str]:
    """Read a file and count its spikes.

    Returns
    -------
    tuple
        The assembly (neuroid, presentation[, time_bin]) int32: spikes in [start, end) of the window or of
        each bin. neuroid_id is the unit's id; the units' other columns of one value per unit are coordinates
        on neuroid; presentations are in the order of the table. With ``bin_ms``: time_bin_start and
        time_bin_end (ms). Attributes units, bin_ms, window_ms, stimulus_set_identifier. The stimuli that
        were shown, in the order of their names or of the template. The name of the file.

    Raises
    ------
    TgsageError
        If pynwb is not installed; if a file is missing, damaged, points to other files, or lacks a table or
        a column; if a window lies outside what was observed; if a stimulus has no image.
    """
    path = root / Path(settings.file).expanduser()
    refuse_links(path)
    content = extract(path, settings)
    keep = _chosen(content.columns, settings.presentations, f"{path}: table {settings.table}")
    shown = content.columns[settings.stimulus_column]
    for name in settings.leave_out:
        if name not in shown:
            raise unknown(f"stimulus in leave_out ({path})", name, set(shown.tolist()))
    keep &= ~np.isin(shown, settings.leave_out)
    rows = np.flatnonzero(keep)
    if not len(rows):
        raise TgsageError(
            f"{path}: no row of table {settings.table} is left; see presentations and leave_out"
        )
    sites = np.flatnonzero(_chosen(content.unit_columns, settings.units, f"{path}: units"))
    if not len(sites):
        raise TgsageError(f"{path}: no unit is left of {len(content.unit_ids)}; see units")

    onsets = _onsets(content.columns[settings.start_column], rows, content, path, settings)
    sites, inside = _within_observation(content, sites, rows, onsets, path, settings)
    rows, onsets, shown = rows[inside], onsets[inside], shown[rows][inside]
    edges = bin_edges(settings.window_ms, settings.bin_ms)
    spikes = [_sorted(content, site, path) for site in sites.tolist()]
    counts = count(spikes, onsets, edges)

    images, names = _images(settings, root, shown, content.images, path)
    coords: dict[str, Any] = {
        name: ("neuroid", values[sites])
        for name, values in content.unit_columns.items()
        if name not in RESERVED
    }
    coords |= {
        "neuroid_id": ("neuroid", content.unit_ids[sites]),
        "region": ("neuroid", [_region(content, site, path, settings) for site in sites.tolist()]),
        "animal": ("neuroid", np.full(len(sites), content.animal)),
        "stimulus_id": ("presentation", shown),
    }
    if settings.bin_ms is None:
        counts = counts[:, :, 0]
    else:
        coords["time_bin_start"] = ("time_bin", edges[:-1])
        coords["time_bin_end"] = ("time_bin", edges[1:])
    identifier = f"nwb.{content.identifier}"
    assembly = xr.DataArray(
        counts,
        dims=("neuroid", "presentation", "time_bin")[: counts.ndim],
        coords=coords,
        attrs={
            "stimulus_set_identifier": identifier,
            "units": "counts",
            "bin_ms": float(edges[1] - edges[0]),
            "window_ms": [float(value) for value in settings.window_ms],
        },
    )
    category = _categories(settings, content, rows, shown, names, path)
    stimuli = make_stimuli(images, names, category=category).assign_attrs(
        visual_degrees=settings.visual_degrees, stimulus_set_identifier=identifier
    )
    return assembly, stimuli, str(path)


def raw_files(settings: NwbRecordings, root: Path) -> list[Path]:
    """Return the files that :func:`read` reads."""
    files = [root / Path(settings.file).expanduser()]
    if settings.images is not None:
        images = root / Path(settings.images).expanduser()
        if not images.is_dir():
            return [*files, images]
        with open_archive(images) as archive:
            files += [images / name for name in archive.images]
    return files


def _region(content: NwbContent, site: int, path: Path, settings: NwbRecordings) -> str:
    regions = content.regions[site] - {""}
    if len(regions) != 1:
        problem = f"lies in {' and '.join(sorted(regions))}" if regions else "has no region"
        raise TgsageError(
            f"{path}: unit {content.unit_ids[site]} {problem} (column {settings.region_column}); "
            "filter it out with units, or name another region_column"
        )
    return regions.pop()


def _chosen(columns: Mapping[str, np.ndarray], wanted: Mapping[str, Sequence[Any]], where: str) -> np.ndarray:
    """Find the rows that have one of the wanted values in every column named, (rows,) bool."""
    keep = np.ones(len(next(iter(columns.values()), [])), dtype=bool)
    for name, values in wanted.items():
        if name not in columns:
            raise unknown(f"column ({where})", name, columns)
        present = text(columns[name].astype(object))
        names = text(np.asarray(values, dtype=object))
        for value in names:
            if value not in present:
                raise unknown(f"value of column {name} ({where})", str(value), set(present.tolist()))
        keep &= np.isin(present, names)
    return keep


def _onsets(
    times: np.ndarray, rows: np.ndarray, content: NwbContent, path: Path, settings: NwbRecordings
) -> np.ndarray:
    if times.dtype.kind not in "fiu":
        raise TgsageError(f"{path}: column {settings.start_column} of {settings.table} holds no times")
    onsets: np.ndarray = times[rows].astype(np.float64)
    bad = ~np.isfinite(onsets)
    if bad.any():
        raise TgsageError(
            f"{path}: row {content.rows[rows[bad.argmax()]]} of {settings.table} has no "
            f"{settings.start_column} ({int(bad.sum())} such); filter them out with presentations"
        )
    return onsets


def _sorted(content: NwbContent, site: int, path: Path) -> np.ndarray:
    times = content.spikes[site]
    if not np.isfinite(times).all():
        raise TgsageError(f"{path}: spike_times of unit {content.unit_ids[site]} have NaN or infinite ones")
    return np.sort(times)


def _within_observation(
    content: NwbContent,
    sites: np.ndarray,
    rows: np.ndarray,
    onsets: np.ndarray,
    path: Path,
    settings: NwbRecordings,
) -> tuple[np.ndarray, np.ndarray]:
    """Find sites and presentations (indices into ``rows``) whose windows were all observed."""
    starts, ends = (onsets + edge / 1000 for edge in settings.window_ms)
    valid = np.ones(len(onsets), dtype=bool)
    for begin, stop in content.invalid:
        valid &= (ends <= begin) | (starts >= stop)
    observed = np.ones((len(sites), len(onsets)), dtype=bool)
    if content.observed is not None:
        for index, site in enumerate(sites):
            observed[index] = covered(content.observed[site], starts, ends)
    low, high = settings.window_ms
    shown = content.columns[settings.stimulus_column][rows]
    if settings.unobserved == "error":
        row, problem = 0, ""
        if not valid.all():
            row = int(np.argmin(valid))
            problem = f"touches the file's invalid_times ({int((~valid).sum())} such)"
        elif not observed.all():
            site, row = np.argwhere(~observed)[0]
            unit, number = content.unit_ids[sites[site]], int((~observed).sum())
            problem = f"lies outside the obs_intervals of unit {unit} ({number} such)"
        if problem:
            raise TgsageError(
                f"{path}: the window {low:g} to {high:g} ms of row {content.rows[rows[row]]} of "
                f"{settings.table} (stimulus {shown[row]}) {problem}; set unobserved to drop_presentations "
                "or drop_units, or choose another window_ms"
            )
    if settings.unobserved == "drop_units":
        whole = observed[:, valid].all(axis=1)
        sites, observed = sites[whole], observed[whole]
    keep = np.flatnonzero(valid & observed.all(axis=0)) if len(sites) else np.empty(0, dtype=int)
    if not len(keep):
        raise TgsageError(
            f"{path}: nothing is left by unobserved: {settings.unobserved}; obs_intervals and invalid_times "
            "leave no window that every unit was observed in"
        )
    return sites, keep


def _categories(
    settings: NwbRecordings,
    content: NwbContent,
    rows: np.ndarray,
    shown: np.ndarray,
    names: Sequence[str],
    path: Path,
) -> np.ndarray:
    if settings.category_column is None:
        return np.full(len(names), "")
    category = text(content.columns[settings.category_column][rows].astype(object))
    table = pd.DataFrame({"stimulus": shown, "category": category}).drop_duplicates()
    twice = table["stimulus"].duplicated()
    if twice.any():
        name = table["stimulus"][twice].iloc[0]
        several = table["category"][table["stimulus"] == name].tolist()
        raise TgsageError(
            f"{path}: stimulus {name} has several values in column {settings.category_column}: "
            f"{' and '.join(several[:2])}"
        )
    return table.set_index("stimulus")["category"].loc[list(names)].to_numpy().astype(np.str_)


def _images(
    settings: NwbRecordings, root: Path, shown: np.ndarray, template: Mapping[str, np.ndarray], path: Path
) -> tuple[np.ndarray, list[str]]:
    """Return the images of the stimuli that were shown, and the stimuli in the same order."""
    stimuli = set(shown.tolist())
    if settings.images is None:
        missing = [name for name in dict.fromkeys(shown.tolist()) if name not in template]
        if missing:
            raise TgsageError(
                f"{path}: image_template {settings.image_template} has no image for stimulus {missing[0]} "
                f"({len(missing)} such of {len(stimuli)}); its images go by name, or by number where it is a "
                "series or has an order"
            )
        names = [name for name in template if name in stimuli]
        first = template[names[0]]
        for name in names:
            if template[name].shape != first.shape:
                raise TgsageError(
                    f"{path}: images are of several sizes: {names[0]} is {first.shape[:2]} and {name} is "
                    f"{template[name].shape[:2]}; bring them to one size"
                )
        return np.stack([template[name] for name in names]), names
    source = root / Path(settings.images).expanduser()
    with open_archive(source) as archive:
        order = list(dict.fromkeys(shown.tolist()))
        files = dict(zip(order, archive.find_images(order), strict=True))
        rank = {name: index for index, name in enumerate(archive.images)}
        names = sorted(order, key=lambda stimulus: rank[files[stimulus]])
        return archive.pictures([files[name] for name in names]), names
