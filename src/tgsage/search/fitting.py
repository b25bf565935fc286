"""A fitted guidance from a search that was made: what a later search can start from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ..errors import TgsageError
from ..guidance import calibrated
from ..runs import ledger, profiles
from ..runs.layout import SearchFolder
from ..runs.records import PathLike


def fit_guidance(
    folder: PathLike, mature: PathLike, settings: Mapping[str, Any] | None = None
) -> calibrated.Fitted:
    """Learn, from a finished search and known mature accuracies, to predict the one from the other.

    Parameters
    ----------
    folder
        Of one search: ``results/<run>/search/<arm>/seed_<s>``. Its ledger and profiles are read.
    mature
        csv with the column ``architecture`` and one of accuracies: a table of a benchmark, a pool, or the
        ``finalists.csv`` of a search.
    settings
        Keys of the guidance ``calibrated`` but ``mature`` and ``fitted``.

    Returns
    -------
    tgsage.guidance.calibrated.Fitted
        ``save`` writes it as the file that ``guidance: {name: calibrated, fitted: ...}`` reads.

    Raises
    ------
    TgsageError
        If the folder holds no finished search, or fewer of its candidates than ``minimum`` have a known
        mature accuracy.
    """
    search = SearchFolder(os.fspath(folder))
    table = ledger.read(search.ledger)
    if table.empty:
        raise TgsageError(f"{folder}: its ledger holds no candidate; run the search first")
    measured = profiles.load(search.profiles)
    fitted = calibrated.fit(table, profiles.aligned(measured, table), mature, settings)
    if not fitted.is_fit:
        reason = fitted.note.removesuffix(": the score is P + TG")
        raise TgsageError(f"{mature}: nothing can be fitted to the candidates of {folder}: {reason}")
    return fitted
