"""Reading what a finished search left: one line names the file that is missing or broken."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import xarray as xr

from . import ledger as ledger_table
from . import rdms as rdms_file
from . import rsa as rsa_file
from .layout import SearchFolder
from .records import Final, PathLike, Training, read_final, read_settings, read_trainings
from .settings import SearchSettings
from .tables import finalists as finalists_table


@dataclass(frozen=True)
class SearchFiles:
    """What a finished search left: ``results/<run>/search/<arm>/seed_<s>``."""

    folder: Path
    settings: SearchSettings
    ledger: pd.DataFrame
    finalists: pd.DataFrame
    final: Final
    training: Training
    """Of the winner."""
    rsa: xr.Dataset
    """Of the winner."""
    rdms: xr.DataTree | None
    """RDMs of the winner's best layers; None for a search without teacher."""

    @property
    def arm(self) -> str:
        """The arm's name."""
        return self.settings.arm

    @property
    def seed(self) -> int:
        """The search seed."""
        return self.settings.seed

    @property
    def targets(self) -> list[str]:
        """Names of the targets that were measured, in the ledger's order."""
        return ledger_table.targets(self.ledger)

    @property
    def name(self) -> str:
        """``<arm>, seed <s>``."""
        return f"{self.arm}, seed {self.seed}"


def read_files(
    *,
    settings: PathLike,
    ledger: PathLike,
    finalists: PathLike,
    final: PathLike,
    training: PathLike,
    rsa: PathLike,
    rdms: PathLike,
) -> SearchFiles:
    """Read the files of a finished search; :meth:`SearchFolder.finished` names them.

    Raises
    ------
    TgsageError
        If a file is missing, broken or of another version.
    """
    tested = read_final(final)
    (trained,) = read_trainings(training)
    (scored,) = rsa_file.load(rsa)
    return SearchFiles(
        folder=Path(settings).parent,
        settings=read_settings(settings),
        ledger=ledger_table.read(ledger),
        finalists=finalists_table.read(finalists),
        final=tested,
        training=trained,
        rsa=scored,
        rdms=rdms_file.load(rdms) if tested["similarity"] else None,
    )


def read_search(folder: PathLike) -> SearchFiles:
    """Read a finished search from its folder; errors as :func:`read_files`."""
    return read_files(**SearchFolder(os.fspath(folder)).finished())
