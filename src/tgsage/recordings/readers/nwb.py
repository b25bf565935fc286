"""Spike times in an NWB 2 file (Neurodata Without Borders), read through pynwb.

The ``Units`` table has the spike times of every unit; a table of intervals (``trials`` or another) has a row
per presentation, with a column that names the stimulus and one with its onset. Spikes are counted in a window
after every onset. Images come from a zip or a folder, or from the file's own stimulus templates.

Layout: NWB schema 2.x, https://nwb-schema.readthedocs.io (Units, TimeIntervals, Images, ImageSeries).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from PIL import Image

from ...config.recordings import NwbRecordings
from ...errors import TgsageError, unknown
from ...pictures import opaque
from ..assembly import text
from ..hdf5_links import refuse_links
from ..images import MAXIMAL_TOTAL_BYTES, image_names, read_images

RESERVED = (
    "neuroid", "presentation", "time_bin", "data", "neuroid_id", "region", "animal", "stimulus_id",
    "repetition", "time_bin_start", "time_bin_end",
)  # fmt: skip
"""Names of the assembly's own coordinates; a column of that name is not carried over."""


@dataclass
class _Content:
    """What is wanted from a file, as plain arrays."""

    identifier: str
    animal: str
    unit_ids: np.ndarray
    unit_columns: dict[str, np.ndarray]
    regions: list[set[str]]
    spikes: list[np.ndarray]
    observed: list[np.ndarray] | None
    rows: np.ndarray
    columns: dict[str, np.ndarray]
    invalid: np.ndarray
    images: dict[str, np.ndarray] = field(default_factory=dict)


def read(settings: NwbRecordings, root: Path) -> tuple[xr.DataArray, xr.Dataset, str]:
    """Read a file and count its spikes.

    Parameters
    ----------
    settings
        File, table, columns, window, bins, filters, images.
    root
        Folder of downloaded data; absolute paths in the settings are taken as they are.

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
    content = _extract(path, settings)
    keep = _chosen(content.columns, settings.presentations, f"{path}: table {settings.table}")
    shown = content.columns[settings.stimulus_column]
    for name in settings.leave_out:
        if name not in shown:
            raise unknown(f"stimulus in leave_out ({path})", name, set(shown.tolist()))
    keep &= ~np.isin(shown, settings.leave_out)
    chosen = np.flatnonzero(keep)
    if not len(chosen):
        raise TgsageError(
            f"{path}: no row of table {settings.table} is left; see presentations and leave_out"
        )
    sites = np.flatnonzero(_chosen(content.unit_columns, settings.units, f"{path}: units"))
    if not len(sites):
        raise TgsageError(f"{path}: no unit is left of {len(content.unit_ids)}; see units")

    onsets = _onsets(content.columns[settings.start_column], chosen, content, path, settings)
    sites, inside = _within_observation(content, sites, chosen, onsets, path, settings)
    chosen, onsets, shown = chosen[inside], onsets[inside], shown[chosen][inside]
    edges = bin_edges(settings.window_ms, settings.bin_ms)
    spikes = [_sorted(content, site, path) for site in sites]
    counts = count(spikes, onsets, edges)

    images, names = _images(settings, root, shown, content.images, path)
    coords: dict[str, Any] = {
        name: ("neuroid", values[sites])
        for name, values in content.unit_columns.items()
        if name not in RESERVED
    }
    coords |= {
        "neuroid_id": ("neuroid", content.unit_ids[sites]),
        "region": ("neuroid", [_region(content, site, path, settings) for site in sites]),
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
    stimuli = xr.Dataset(
        {"images": (("stimulus", "y", "x", "rgb"), images)},
        coords={
            "stimulus_id": ("stimulus", names),
            "category": ("stimulus", _categories(settings, content, chosen, shown, names, path)),
        },
        attrs={"visual_degrees": settings.visual_degrees, "stimulus_set_identifier": identifier},
    )
    return assembly, stimuli, str(path)


def raw_files(settings: NwbRecordings, root: Path) -> list[Path]:
    """The files that :func:`read` reads, whether they exist or not."""
    files = [root / Path(settings.file).expanduser()]
    if settings.images is not None:
        images = root / Path(settings.images).expanduser()
        files += [images / name for name in image_names(images)] if images.is_dir() else [images]
    return files


def bin_edges(window_ms: tuple[float, float], bin_ms: float | None) -> np.ndarray:
    """Edges of consecutive bins that fill a window, (bins + 1,) float64, in ms after onset."""
    start, end = window_ms
    n = 1 if bin_ms is None else round((end - start) / bin_ms)
    edges = start + (end - start) / n * np.arange(n + 1)
    edges[-1] = end
    return edges


def count(spikes: Sequence[np.ndarray], onsets: np.ndarray, edges_ms: np.ndarray) -> np.ndarray:
    """Count spikes in bins after every onset.

    Parameters
    ----------
    spikes
        Ascending spike times of every unit, in seconds.
    onsets
        (presentation,) in seconds; windows may overlap.
    edges_ms
        (bins + 1,) ascending, in ms after onset. A bin holds its left edge and not its right one.

    Returns
    -------
    numpy.ndarray
        (unit, presentation, bin) int32.
    """
    edges = onsets[:, None] + edges_ms / 1000
    counts = np.empty((len(spikes), len(onsets), len(edges_ms) - 1), dtype=np.int32)
    for index, times in enumerate(spikes):
        counts[index] = np.diff(np.searchsorted(times, edges.ravel()).reshape(edges.shape), axis=1)
    return counts


def covered(intervals: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Which windows [start, end] lie inside the union of some intervals.

    Parameters
    ----------
    intervals
        (n, 2) start and end, in any order; they may touch and overlap.
    starts, ends
        (windows,).

    Returns
    -------
    numpy.ndarray
        (windows,) bool.
    """
    if not len(intervals):
        return np.zeros(len(starts), dtype=bool)
    intervals = intervals[np.argsort(intervals[:, 0], kind="stable")]
    reach = np.maximum.accumulate(intervals[:, 1])
    # A gap before an interval is where nothing before it reaches its start.
    first = np.concatenate([[True], intervals[1:, 0] > reach[:-1]])
    begins = intervals[first, 0]
    stops = reach[np.concatenate([np.flatnonzero(first)[1:] - 1, [len(reach) - 1]])]
    index = np.searchsorted(begins, starts, side="right") - 1
    return (index >= 0) & (ends <= stops[index])


def _pynwb() -> ModuleType:
    try:
        import pynwb
    except ImportError:
        raise TgsageError("source nwb needs pynwb: pip install 'tgsage[nwb]'") from None
    return pynwb


def _extract(path: Path, settings: NwbRecordings) -> _Content:
    """Everything that is wanted from a file, in memory; what pynwb objects to is one line."""
    pynwb = _pynwb()
    from hdmf.build import BuildError, ConstructError

    try:
        with warnings.catch_warnings():
            # About cached namespaces and deprecated types, which a user cannot change in a published file.
            warnings.simplefilter("ignore")
            with pynwb.NWBHDF5IO(str(path), "r") as io:
                file = io.read()
                return _content(file, path, settings)
    except (
        OSError,
        RuntimeError,
        KeyError,
        ValueError,
        TypeError,
        IndexError,
        AttributeError,
        BuildError,
        ConstructError,
    ) as error:
        raise TgsageError(
            f"{path}: cannot be read as NWB 2, damaged or not to the standard ({error})"
        ) from None


def _content(file: Any, path: Path, settings: NwbRecordings) -> _Content:
    units = file.units
    if units is None or not len(units.id):
        raise TgsageError(f"{path}: has no units")
    if "spike_times" not in units.colnames:
        raise TgsageError(f"{path}: its units have no spike_times; sorted spikes are needed")
    table = _table(file, path, settings)
    invalid = np.empty((0, 2))
    if file.invalid_times is not None:
        invalid = np.column_stack(
            [np.asarray(file.invalid_times[name].data[:], float) for name in ("start_time", "stop_time")]
        )
    animal = settings.animal or (file.subject.subject_id if file.subject is not None else None)
    columns = _columns(table)
    wanted = [settings.stimulus_column, settings.start_column, settings.category_column]
    for name in [*filter(None, wanted), *settings.presentations]:
        if name not in columns:
            raise unknown(f"column of table {settings.table} ({path})", name, columns)
    columns[settings.stimulus_column] = text(columns[settings.stimulus_column].astype(object))
    return _Content(
        identifier=str(file.identifier),
        animal=animal or "unknown",
        unit_ids=text(np.asarray(units.id[:])),
        unit_columns=_columns(units),
        regions=_regions(units, path, settings),
        spikes=[np.asarray(times, dtype=np.float64) for times in _ragged(units["spike_times"])],
        observed=_observed(units, path),
        rows=text(np.asarray(table.id[:])),
        columns=columns,
        invalid=invalid,
        images=_template(file, columns[settings.stimulus_column], path, settings),
    )


def _table(file: Any, path: Path, settings: NwbRecordings) -> Any:
    tables = dict(file.intervals or {})
    named = {"trials": file.trials, "epochs": file.epochs}
    tables |= {name: table for name, table in named.items() if table is not None}
    if settings.table not in tables:
        raise unknown(f"table of presentations ({path})", settings.table, tables)
    table = tables[settings.table]
    if not len(table.id):
        raise TgsageError(f"{path}: table {settings.table} has no rows")
    return table


def _columns(table: Any) -> dict[str, np.ndarray]:
    """The columns of one value per row: numbers, truth values and text."""
    found: dict[str, np.ndarray] = {}
    for column in table.columns:
        values = np.asarray(column.data[:])
        # A ragged column is present as its index and as its values; references are objects of the file.
        if column.name not in table.colnames or values.shape != (len(table.id),) or _is_index(column, table):
            continue
        if values.dtype.kind in "fiub":
            found[column.name] = values
        elif values.dtype.kind in "OSU" and all(isinstance(item, str | bytes) for item in values.tolist()):
            found[column.name] = text(values.astype(object))
    return found


def _is_index(column: Any, table: Any) -> bool:
    """Whether a column is the values of a ragged column, or rows of another table."""
    return hasattr(table[column.name], "target") or hasattr(column, "table")


def _ragged(column: Any) -> list[np.ndarray]:
    """The values of every row of a ragged column."""
    if not hasattr(column, "target"):
        raise ValueError(f"column {column.name} is not indexed")
    ends = np.asarray(column.data[:], dtype=np.int64)
    values = np.asarray(column.target.data[:])
    starts = np.concatenate([[0], ends[:-1]])
    if (ends < starts).any() or (len(ends) and ends[-1] > len(values)):
        raise ValueError(f"the index of column {column.name} does not fit its {len(values)} values")
    return [values[start:end] for start, end in zip(starts, ends, strict=True)]


def _observed(units: Any, path: Path) -> list[np.ndarray] | None:
    if "obs_intervals" not in units.colnames:
        return None
    found = [np.asarray(item, float).reshape(-1, 2) for item in _ragged(units["obs_intervals"])]
    for unit, intervals in zip(text(np.asarray(units.id[:])), found, strict=True):
        if not (intervals[:, 0] <= intervals[:, 1]).all():
            raise TgsageError(f"{path}: obs_intervals of unit {unit} have one that ends before it starts")
    return found


def _regions(units: Any, path: Path, settings: NwbRecordings) -> list[set[str]]:
    """Names of the regions of every unit: one, where all is well."""
    name = settings.region_column
    own = _columns(units)
    if name in own:
        return [{value} for value in text(own[name].astype(object)).tolist()]
    available = set(own)
    if "electrodes" in units.colnames:
        column = units["electrodes"]
        region = column.target if hasattr(column, "target") else column
        electrodes = _columns(region.table)
        if name in electrodes:
            values = text(electrodes[name].astype(object))
            rows = _ragged(column) if hasattr(column, "target") else np.asarray(column.data[:])[:, None]
            return [set(values[np.asarray(row, dtype=np.int64)].tolist()) for row in rows]
        available |= set(electrodes)
    raise unknown(f"region_column ({path}; columns of units and of their electrodes)", name, available)


def _region(content: _Content, site: int, path: Path, settings: NwbRecordings) -> str:
    regions = content.regions[site] - {""}
    if len(regions) != 1:
        found = f"lies in {' and '.join(sorted(regions))}" if regions else "has no region"
        raise TgsageError(
            f"{path}: unit {content.unit_ids[site]} {found} (column {settings.region_column}); "
            "filter it out with units, or name another region_column"
        )
    return regions.pop()


def _chosen(columns: Mapping[str, np.ndarray], wanted: Mapping[str, Sequence[Any]], where: str) -> np.ndarray:
    """Which rows have one of the wanted values in each column named, (rows,) bool."""
    keep = np.ones(len(next(iter(columns.values()), [])), dtype=bool)
    for name, values in wanted.items():
        if name not in columns:
            raise unknown(f"column ({where})", name, columns)
        there = text(columns[name].astype(object))
        names = text(np.asarray(values, dtype=object))
        for value in names:
            if value not in there:
                raise unknown(f"value of column {name} ({where})", str(value), set(there.tolist()))
        keep &= np.isin(there, names)
    return keep


def _onsets(
    times: np.ndarray, chosen: np.ndarray, content: _Content, path: Path, settings: NwbRecordings
) -> np.ndarray:
    if times.dtype.kind not in "fiu":
        raise TgsageError(f"{path}: column {settings.start_column} of {settings.table} holds no times")
    onsets = times[chosen].astype(np.float64)
    bad = ~np.isfinite(onsets)
    if bad.any():
        raise TgsageError(
            f"{path}: row {content.rows[chosen[bad.argmax()]]} of {settings.table} has no "
            f"{settings.start_column} ({int(bad.sum())} such); filter them out with presentations"
        )
    return onsets


def _sorted(content: _Content, site: int, path: Path) -> np.ndarray:
    times = content.spikes[site]
    if not np.isfinite(times).all():
        raise TgsageError(f"{path}: spike_times of unit {content.unit_ids[site]} have NaN or infinite ones")
    return np.sort(times)


def _within_observation(
    content: _Content, sites: np.ndarray, chosen: np.ndarray, onsets: np.ndarray, path: Path,
    settings: NwbRecordings,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Sites and presentations (indices into ``chosen``) of which every window was observed."""
    starts, ends = (onsets + edge / 1000 for edge in settings.window_ms)
    valid = np.ones(len(onsets), dtype=bool)
    for begin, stop in content.invalid:
        valid &= (ends <= begin) | (starts >= stop)
    observed = np.ones((len(sites), len(onsets)), dtype=bool)
    if content.observed is not None:
        for index, site in enumerate(sites):
            observed[index] = covered(content.observed[site], starts, ends)
    low, high = settings.window_ms
    shown = content.columns[settings.stimulus_column][chosen]
    advice = "set unobserved to drop_presentations or drop_units, or choose another window_ms"
    if settings.unobserved == "error":
        where = f"the window {low:g} to {high:g} ms of row"
        if not valid.all():
            row = int(np.argmin(valid))
            raise TgsageError(
                f"{path}: {where} {content.rows[chosen[row]]} of {settings.table} (stimulus {shown[row]}) "
                f"touches the file's invalid_times ({int((~valid).sum())} such); {advice}"
            )
        if not observed.all():
            site, row = np.argwhere(~observed)[0]
            raise TgsageError(
                f"{path}: {where} {content.rows[chosen[row]]} of {settings.table} (stimulus {shown[row]}) "
                f"lies outside the obs_intervals of unit {content.unit_ids[sites[site]]} "
                f"({int((~observed).sum())} such); {advice}"
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
    settings: NwbRecordings, content: _Content, chosen: np.ndarray, shown: np.ndarray, names: Sequence[str],
    path: Path,
) -> np.ndarray:  # fmt: skip
    if settings.category_column is None:
        return np.full(len(names), "")
    table = pd.DataFrame(
        {
            "stimulus": shown,
            "category": text(content.columns[settings.category_column][chosen].astype(object)),
        }
    ).drop_duplicates()
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
    """Images of the stimuli that were shown, and the stimuli in the order of the images."""
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
    available = image_names(source)
    fits: dict[str, list[str]] = {}
    for name in available:
        for key in {name, PurePosixPath(name).name, PurePosixPath(name).stem}:
            fits.setdefault(key, []).append(name)
    for stimulus in dict.fromkeys(shown.tolist()):
        there = fits.get(stimulus, [])
        if not there:
            raise TgsageError(f"{source}: holds no image for stimulus {stimulus} of {path.name}")
        if len(there) > 1:
            raise TgsageError(f"{source}: images {' and '.join(there[:2])} both fit stimulus {stimulus}")
    rank = {name: index for index, name in enumerate(available)}
    names = sorted(stimuli, key=lambda stimulus: rank[fits[stimulus][0]])
    return read_images(source, [fits[name][0] for name in names]), names


def _template(file: Any, shown: np.ndarray, path: Path, settings: NwbRecordings) -> dict[str, np.ndarray]:
    """The file's own images of the stimuli, (height, width, 3) uint8, in the template's order."""
    name = settings.image_template
    if name is None:
        return {}
    templates = {**dict(file.stimulus), **dict(file.stimulus_template)}
    if name not in templates:
        raise unknown(f"image_template ({path})", name, templates)
    template = templates[name]
    wanted = set(shown.tolist()) - set(settings.leave_out)
    available: dict[str, Any]
    if hasattr(template, "images"):
        available = dict(template.images)
        order = template.order_of_images
        if order is not None and not wanted & set(available):
            available = {str(index): image for index, image in enumerate(order)}
        data = {key: getattr(image, "data", None) for key, image in available.items()}
    elif hasattr(template, "data") and hasattr(template, "external_file"):
        if template.external_file is not None:
            raise TgsageError(
                f"{path}: image_template {name} names files outside of it; put the images into a folder, and "
                "name that as images"
            )
        data = {str(index): (template.data, index) for index in range(len(template.data))}
    else:
        raise TgsageError(
            f"{path}: image_template {name} is a {type(template).__name__}; Images, ImageSeries or "
            "OpticalSeries is expected"
        )
    found: dict[str, np.ndarray] = {}
    total = 0
    for key in [key for key in data if key in wanted]:
        item = data[key]
        pixels = np.asarray(item[0][item[1]] if isinstance(item, tuple) else item[:])
        found[key] = _pixels(pixels, f"{path}: image {key} of {name}", settings)
        total += found[key].size
        if total > MAXIMAL_TOTAL_BYTES:
            raise TgsageError(f"{path}: images of {name} are more than {MAXIMAL_TOTAL_BYTES >> 30} GiB")
    return found


def _pixels(pixels: np.ndarray, where: str, settings: NwbRecordings) -> np.ndarray:
    if pixels.dtype != np.uint8 or not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (3, 4))):
        raise TgsageError(
            f"{where} is {pixels.dtype} {pixels.shape}; uint8, grey or in colour, is expected: convert the "
            "images and name them as images"
        )
    if settings.image_axes == "xy":
        pixels = pixels.swapaxes(0, 1)
    if pixels.ndim == 2:
        return np.repeat(pixels[..., None], 3, axis=2)
    if pixels.shape[2] == 4:
        return opaque(Image.fromarray(np.ascontiguousarray(pixels)))
    return np.ascontiguousarray(pixels)
