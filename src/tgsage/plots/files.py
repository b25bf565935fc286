"""Reading a search's files for figures and page: one line names the file that is missing or broken."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from .. import ledger
from ..errors import TgsageError
from ..netcdf import read_dataset, read_tree
from ..search.files import read_json

PathLike = str | os.PathLike[str]


@dataclass(frozen=True)
class SearchFiles:
    """One search: ``results/<run>/search/<arm>/seed_<s>``."""

    folder: Path
    arm: str
    seed: int
    ledger: pd.DataFrame
    finalists: pd.DataFrame
    final: dict[str, Any]
    training: dict[str, Any]
    """``final/slot_0/training.json``."""
    rsa: xr.Dataset
    """``final/slot_0/rsa.nc``."""
    rdms: xr.DataTree | None
    """``final/slot_0/rdms.nc``: RDMs of the winner's best layers; None for a search without teacher."""
    settings: dict[str, Any]
    """``search.json``."""

    @property
    def targets(self) -> list[str]:
        """Names of the targets that were measured, in the ledger's order."""
        return ledger.targets(self.ledger)

    @property
    def name(self) -> str:
        """``<arm>, seed <s>``."""
        return f"{self.arm}, seed {self.seed}"


def search_folders(arm_folder: PathLike) -> list[Path]:
    """The ``seed_<s>`` folders of an arm in order of seed, or the folder itself if it is one.

    Raises
    ------
    TgsageError
        If there is none.
    """
    folder = Path(arm_folder)
    if (folder / "ledger.csv").is_file():
        return [folder]
    found = sorted(
        (path for path in folder.glob("seed_*") if (path / "ledger.csv").is_file()),
        key=lambda path: int(path.name.removeprefix("seed_")),
    )
    if not found:
        raise TgsageError(f"{folder}: no search has ended there (no seed_*/ledger.csv); run the search first")
    return found


def read_search(folder: PathLike) -> SearchFiles:
    """Read what a finished search left.

    Raises
    ------
    TgsageError
        If a file is missing or broken.
    """
    folder = Path(folder)
    final = read_json(folder / "final.json")
    slot = folder / "final" / "slot_0"
    rdms = slot / "rdms.nc"
    if final["similarity"] and not rdms.exists():
        raise TgsageError(f"{rdms}: missing; run the stage that makes it")
    return SearchFiles(
        folder=folder,
        arm=final["arm"],
        seed=int(final["seed"]),
        ledger=ledger.read(folder / "ledger.csv"),
        finalists=read_finalists(folder / "finalists.csv"),
        final=final,
        training=read_json(slot / "training.json"),
        rsa=read_dataset(slot / "rsa.nc"),
        rdms=read_tree(rdms) if final["similarity"] else None,
        settings=read_json(folder / "search.json"),
    )


def read_finalists(path: PathLike) -> pd.DataFrame:
    """Read ``finalists.csv``; keys stay text even where they look like numbers."""
    text = {"candidate": str, "status": str, "architecture": str}
    try:
        table = pd.read_csv(path, dtype=text)
    except FileNotFoundError:
        raise TgsageError(f"{path}: missing; run the stage that makes it") from None
    except (ValueError, pd.errors.ParserError) as error:
        raise TgsageError(f"{path}: not a table ({error}); delete it and run again") from None
    missing = [name for name in (*text, "accuracy", "tg") if name not in table]
    if missing:
        raise TgsageError(f"{path}: lacks the columns {', '.join(missing)}; it is no table of finalists")
    return table


def targets(teacher: xr.DataTree) -> Iterator[tuple[str, xr.Dataset]]:
    """Name and content of each target of a teacher, in its order."""
    for name, node in teacher.children.items():
        yield name, node.to_dataset()


def stimulus_splits(target: xr.Dataset) -> NDArray[np.str_]:
    """Which part each stimulus of a target belongs to: choose, reward or report."""
    return target["split"].values.astype(str)


def ceiling(target: xr.Dataset, split: str) -> tuple[float, float]:
    """Lower and upper noise ceiling of a target on a split; NaN where it is not known."""
    if split not in ceiling_splits(target):
        return np.nan, np.nan
    own = target.sel(part=split)
    return float(own["ceiling_lower"]), float(own["ceiling_upper"])


def ceiling_splits(target: xr.Dataset) -> list[str]:
    """The splits for which a target tells ceilings."""
    return [str(name) for name in target["part"].values]


def n_stimuli(target: xr.Dataset, split: str) -> int:
    """Number of a target's stimuli in a split."""
    return int((stimulus_splits(target) == split).sum())


def channels(target: xr.Dataset) -> str:
    """How many sites a target has, in words; "" where it has none.

    Attribute ``site_unit`` says what they are ("voxels"); without it, a network's are units.
    """
    number = target.attrs.get("n_sites")
    if number is None or not np.isfinite(number) or number <= 0:
        return ""
    # Only the RDM of a network's layer is a mean over random subsamples of its features.
    usual = "units" if "subsamples" in target.attrs else "sites"
    return f"{int(number):,} {target.attrs.get('site_unit', usual)}"


METRICS = {
    "correlation": "1 − Pearson's r",
    "sqeuclidean": "squared Euclidean distance",
    "cosine": "1 − cosine",
    "crossnobis": "crossnobis distance",
    "poisson": "symmetrised Kullback-Leibler divergence of rates",
    "labels": "0 within, 1 between categories",
}
"""Metrics of RDMs in words."""


def metric(target: xr.Dataset) -> str:
    """The metric of a target's RDM in words; "" where the file does not tell it."""
    name = str(target.attrs.get("metric", ""))
    return METRICS.get(name, name)
