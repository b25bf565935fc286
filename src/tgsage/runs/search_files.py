"""Reading what a finished search left: one line names the file that is missing or broken."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from ..errors import TgsageError
from ..netcdf import read_dataset, read_tree
from . import ledger
from .files import PathLike, read_json


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
