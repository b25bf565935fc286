"""Reading an NWB file with pynwb into plain arrays."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ....archives import MAX_IMAGE_BYTES, opaque
from ....errors import TgsageError, unknown
from ...assembly import text

if TYPE_CHECKING:
    from .plugin import NwbRecordings

_DAMAGED = (OSError, RuntimeError, LookupError, ValueError, TypeError, AttributeError)


@dataclass
class NwbContent:
    """The content of a file as plain arrays."""

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


def extract(path: Path, settings: NwbRecordings) -> NwbContent:
    """Read a file into memory; an exception of pynwb becomes one line."""
    try:
        import pynwb
        from hdmf.build import BuildError, ConstructError
    except ImportError:
        raise TgsageError("source nwb needs pynwb: pip install 'tgsage[nwb]'") from None
    try:
        with warnings.catch_warnings():
            # About cached namespaces and deprecated types, which a user cannot change in a published file.
            warnings.simplefilter("ignore")
            with pynwb.NWBHDF5IO(str(path), "r") as io:
                return _content(io.read(), path, settings)
    except (*_DAMAGED, BuildError, ConstructError) as error:
        raise TgsageError(
            f"{path}: cannot be read as NWB 2, damaged or not to the standard ({error})"
        ) from None


def _content(file: Any, path: Path, settings: NwbRecordings) -> NwbContent:
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
    return NwbContent(
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
    """Return the columns with one value per row: numbers, truth values and text."""
    columns: dict[str, np.ndarray] = {}
    for column in table.columns:
        values = np.asarray(column.data[:])
        # A ragged column is present as its index and as its values; references are objects of the file.
        is_reference = column.name not in table.colnames or hasattr(column, "table")
        if is_reference or values.shape != (len(table.id),) or hasattr(table[column.name], "target"):
            continue
        if values.dtype.kind in "fiub":
            columns[column.name] = values
        elif values.dtype.kind in "OSU" and all(isinstance(item, str | bytes) for item in values.tolist()):
            columns[column.name] = text(values.astype(object))
    return columns


def _ragged(column: Any) -> list[np.ndarray]:
    """Return the values of every row of a ragged column."""
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
    observed = [np.asarray(item, float).reshape(-1, 2) for item in _ragged(units["obs_intervals"])]
    for unit, intervals in zip(text(np.asarray(units.id[:])), observed, strict=True):
        if not (intervals[:, 0] <= intervals[:, 1]).all():
            raise TgsageError(f"{path}: obs_intervals of unit {unit} have one that ends before it starts")
    return observed


def _regions(units: Any, path: Path, settings: NwbRecordings) -> list[set[str]]:
    """Return the names of the regions of every unit; there should be one each."""
    name = settings.region_column
    unit_columns = _columns(units)
    if name in unit_columns:
        return [{value} for value in text(unit_columns[name].astype(object)).tolist()]
    available = set(unit_columns)
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


def _template(file: Any, shown: np.ndarray, path: Path, settings: NwbRecordings) -> dict[str, np.ndarray]:
    """Return the images of the stimuli in the file, (height, width, 3) uint8, in the template's order."""
    name = settings.image_template
    if name is None:
        return {}
    templates = {**dict(file.stimulus), **dict(file.stimulus_template)}
    if name not in templates:
        raise unknown(f"image_template ({path})", name, templates)
    template = templates[name]
    wanted = set(shown.tolist()) - set(settings.leave_out)
    data: dict[str, Any]
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
    images: dict[str, np.ndarray] = {}
    total = 0
    for key in [key for key in data if key in wanted]:
        item = data[key]
        pixels = np.asarray(item[0][item[1]] if isinstance(item, tuple) else item[:])
        images[key] = _pixels(pixels, f"{path}: image {key} of {name}", settings)
        total += images[key].size
        if total > MAX_IMAGE_BYTES:
            raise TgsageError(f"{path}: images of {name} are more than {MAX_IMAGE_BYTES >> 30} GiB")
    return images


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
