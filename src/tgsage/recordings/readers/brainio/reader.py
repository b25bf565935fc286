"""A BrainIO package: an assembly (netCDF) beside the csv and the zip of its stimuli.

The layout that ``brainio`` 1.1 writes, and Brain-Score publishes. Old packages say ``image_id`` for
``stimulus_id``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from ....archives import ImageArchive, open_archive
from ....errors import TgsageError, unknown
from ...assembly import make_stimuli, text
from ...assembly_files import read_assembly
from ...validation import first_duplicate

if TYPE_CHECKING:
    from .plugin import BrainIORecordings

RESERVED = ("images", "stimulus", "y", "x", "rgb")
CATEGORY_COLUMNS = ("category", "category_name", "object_name")
"""The first of these columns that the csv has becomes ``category``."""


def read(settings: BrainIORecordings, root: Path) -> tuple[xr.DataArray, xr.Dataset, str]:
    """Read a package.

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
    path, csv_path, zip_path = raw_files(settings, root)
    assembly = read_assembly(path)
    table = _table(csv_path)
    with open_archive(zip_path) as archive:
        names = _names(table, archive, settings.image_column, csv_path)
        images = archive.pictures(names)

    columns: dict[str, np.ndarray] = {}
    for name in table.columns:
        values = table[name].to_numpy()
        if values.dtype.kind not in "fiub":
            values = text(np.asarray(values, dtype=object))
        column = str(name).replace("/", "_")
        columns[f"{column}_column" if column in RESERVED else column] = values
    source = next((name for name in CATEGORY_COLUMNS if name in columns), None)
    if source is not None:
        columns["category"] = text(columns[source])
    stimuli = make_stimuli(images, **columns).assign_attrs(visual_degrees=settings.visual_degrees)
    if "stimulus_set_identifier" in assembly.attrs:
        stimuli.attrs["stimulus_set_identifier"] = assembly.attrs["stimulus_set_identifier"]
    return assembly, stimuli, str(path)


def raw_files(settings: BrainIORecordings, root: Path) -> list[Path]:
    """Return the files that :func:`read` reads."""
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
    if (twice := first_duplicate(table["stimulus_id"])) is not None:
        raise TgsageError(f"{path}: stimulus_id {twice} occurs more than once")
    return table


def _names(table: pd.DataFrame, archive: ImageArchive, column: str | None, csv_path: Path) -> list[str]:
    """Return the image file of every row, and check that the zip has no other images."""
    if column is not None and column not in table:
        raise unknown(f"image_column in {csv_path.name}", column, map(str, table.columns))
    if column is None:
        column = "filename" if "filename" in table else "stimulus_id"
    names = archive.find_images([str(name) for name in table[column]])
    unnamed = set(archive.images) - set(names)
    if unnamed:
        raise TgsageError(
            f"{archive.path}: image {min(unnamed)} belongs to no stimulus of {csv_path.name} "
            f"({len(unnamed)} such)"
        )
    if (twice := first_duplicate(names)) is not None:
        raise TgsageError(f"{csv_path}: several stimuli name the image {twice}")
    return names
