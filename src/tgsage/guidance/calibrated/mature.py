"""Known mature accuracies."""

from __future__ import annotations

import math
import os

import pandas as pd

from ...errors import TgsageError, nearest
from ...spaces import as_in_ledgers


def read_mature(
    path: str | os.PathLike[str], column: str = "accuracy", *, percent: bool = False
) -> pd.Series:
    """Read known mature accuracies from a file.

    Parameters
    ----------
    path
        csv with a column ``architecture``: texts as in a ledger, or strings of a benchmark.
    column
        The column of accuracies. Rows without one (failed finalists) are left out.
    percent
        Whether accuracies are in percent.

    Returns
    -------
    pandas.Series
        Fractions by architecture, sorted by their texts; the mean over the rows of an architecture.

    Raises
    ------
    TgsageError
        If the file cannot be read, or a column or row is wrong.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except FileNotFoundError:
        raise TgsageError(f"{path}: no such file of mature accuracies") from None
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise TgsageError(f"{path}: cannot be read as csv: {error}") from None
    for name in ("architecture", column):
        if name not in table.columns:
            raise TgsageError(f"{path}: has no column {name!r}{nearest(name, table.columns)}")
    values = []
    for row, text in enumerate(table[column], start=2):
        try:
            value = float(text) if text.strip() else math.nan
        except ValueError:
            raise TgsageError(f"{path}: line {row}: {column} is not a number: {text!r}") from None
        value = value / 100 if percent else value
        if not math.isnan(value) and not 0 <= value <= 1:
            hint = (
                "a percentage between 0 and 100"
                if percent
                else "a fraction; set percent: true if it is in percent"
            )
            raise TgsageError(f"{path}: line {row}: {column} {text} is not {hint}")
        values.append(value)
    texts = []
    for row, text in enumerate(table["architecture"], start=2):
        if not text.strip():
            raise TgsageError(f"{path}: line {row}: the architecture is missing")
        try:
            texts.append(as_in_ledgers(text))
        except TgsageError as error:
            raise TgsageError(f"{path}: line {row}: {error}") from None
    known = pd.Series(values, index=texts, dtype="float64", name="accuracy").dropna()
    if known.empty:
        raise TgsageError(f"{path}: holds no accuracy in column {column!r}")
    return known.groupby(level=0, sort=True).mean()


def as_fractions(mature: pd.Series | pd.DataFrame) -> pd.Series:
    """Return known mature accuracies by architecture, as :func:`read_mature` does.

    Parameters
    ----------
    mature
        Fractions by architecture, or a table with the columns architecture and accuracy.

    Raises
    ------
    TgsageError
        If a column is missing, or an accuracy is not a fraction.
    """
    if isinstance(mature, pd.DataFrame):
        for name in ("architecture", "accuracy"):
            if name not in mature.columns:
                raise TgsageError(f"guidance calibrated: the mature accuracies have no column {name!r}")
        mature = mature.set_index("architecture")["accuracy"]
    known = mature.astype("float64").dropna()
    if ((known < 0) | (known > 1)).any():
        raise TgsageError("guidance calibrated: a mature accuracy is not a fraction in [0, 1]")
    return known.groupby(level=0, sort=True).mean()
