"""A BrainIO package: an assembly (netCDF) beside the csv and the zip of its stimuli.

The layout that ``brainio`` 1.1 writes, and Brain-Score publishes. Old packages say ``image_id`` for
``stimulus_id``.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from ....archives import open_archive
from ....errors import TgsageError, unknown
from ...assembly import text
from ...assembly_files import read_assembly

if TYPE_CHECKING:
    from .plugin import BrainIORecordings

RESERVED = ("images", "stimulus", "y", "x", "rgb")
CATEGORY_COLUMNS = ("category", "category_name", "object_name")
"""The first of these that a csv has is the stimuli's ``category``."""


def read(settings: BrainIORecordings, root: Path) -> tuple[xr.DataArray, xr.Dataset, str]:
    """Read a package.

    Parameters
    ----------
    settings
        The three files, the column that names the images, visual degrees.
    root
        Folder of downloaded data; absolute paths in the settings are taken as they are.

    Returns
    -------
    tuple
        The assembly as in the file (neuroid, presentation[, time_bin]); the stimuli, in the order of the csv,
        with all its columns (``x``, ``y`` and the like with ``_column`` behind their name); the name of the
        netCDF file.

    Raises
    ------
    TgsageError
        If a file is missing, damaged, or does not fit the others.
    """
    path = root / Path(settings.assembly).expanduser()
    assembly = read_assembly(path)
    csv_path = root / Path(settings.stimuli_csv).expanduser()
    zip_path = root / Path(settings.stimuli_zip).expanduser()
    table = _table(csv_path)
    with open_archive(zip_path) as archive:
        names = _names(table, archive.images, settings.image_column, csv_path, zip_path)
        images = archive.pictures(names)

    columns: dict[str, tuple[str, np.ndarray]] = {}
    for name in table.columns:
        values = table[name].to_numpy()
        if values.dtype.kind not in "fiub":
            values = text(np.asarray(values, dtype=object))
        kept = str(name).replace("/", "_")
        columns[f"{kept}_column" if kept in RESERVED else kept] = ("stimulus", values)
    source = next((name for name in CATEGORY_COLUMNS if name in columns), None)
    category = text(columns[source][1]) if source else np.full(len(table), "")
    columns["category"] = ("stimulus", category)
    attrs = {"visual_degrees": settings.visual_degrees}
    if "stimulus_set_identifier" in assembly.attrs:
        attrs["stimulus_set_identifier"] = assembly.attrs["stimulus_set_identifier"]
    stimuli = xr.Dataset({"images": (("stimulus", "y", "x", "rgb"), images)}, coords=columns, attrs=attrs)
    return assembly, stimuli, str(path)


def raw_files(settings: BrainIORecordings, root: Path) -> list[Path]:
    """The files that :func:`read` reads, whether they exist or not."""
    named = (settings.assembly, settings.stimuli_csv, settings.stimuli_zip)
    return [root / Path(name).expanduser() for name in named]


def _table(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise TgsageError(f"{path}: no such file")
    try:
        table = pd.read_csv(path, dtype={"stimulus_id": str, "image_id": str, "filename": str})
    except (ValueError, OSError, UnicodeError) as error:
        # pandas' own errors about csv files are ValueErrors.
        raise TgsageError(f"{path}: cannot be read as csv ({error})") from None
    if "stimulus_id" not in table and "image_id" in table:
        table = table.rename(columns={"image_id": "stimulus_id"})
    if "stimulus_id" not in table:
        raise TgsageError(f"{path}: has no column stimulus_id; its columns are {', '.join(table.columns)}")
    table = table.drop(columns=[name for name in table.columns if str(name).startswith("Unnamed:")])
    if table.empty:
        raise TgsageError(f"{path}: names no stimuli")
    if table["stimulus_id"].isna().any():
        raise TgsageError(f"{path}: row {int(table['stimulus_id'].isna().argmax()) + 2} has no stimulus_id")
    twice = table["stimulus_id"][table["stimulus_id"].duplicated()]
    if not twice.empty:
        raise TgsageError(f"{path}: stimulus_id {twice.iloc[0]} occurs more than once")
    return table


def _names(
    table: pd.DataFrame, available: list[str], column: str | None, csv_path: Path, zip_path: Path
) -> list[str]:
    """The image file of every row; every image of the zip has to be one of them."""
    stimuli = table["stimulus_id"].tolist()
    if column is not None and column not in table:
        raise unknown(f"image_column in {csv_path.name}", column, map(str, table.columns))
    if column is None and "filename" in table:
        column = "filename"
    there = set(available)
    names: list[str] = []
    by_stem: dict[str, list[str]] = {}
    for name in available:
        for key in {name, PurePosixPath(name).stem, PurePosixPath(name).name}:
            by_stem.setdefault(key, []).append(name)
    for index, stimulus in enumerate(stimuli):
        wanted = str(table[column].iloc[index]) if column is not None else stimulus
        candidates = [wanted] if wanted in there else by_stem.get(wanted, [])
        if len(candidates) > 1:
            raise TgsageError(f"{zip_path}: images {' and '.join(candidates[:2])} both fit {stimulus}")
        if not candidates:
            raise TgsageError(
                f"{zip_path}: holds no image {wanted} for stimulus {stimulus} of {csv_path.name}"
            )
        names.append(candidates[0])
    unnamed = there - set(names)
    if unnamed:
        raise TgsageError(
            f"{zip_path}: image {min(unnamed)} belongs to no stimulus of {csv_path.name} "
            f"({len(unnamed)} such)"
        )
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise TgsageError(f"{csv_path}: several stimuli name the image {twice}")
    return names
