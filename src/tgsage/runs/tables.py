"""The csv files of a run: columns, types, and one reader and writer for all of them.

What is missing is NaN in memory and an empty field in the file. Numbers are written with as many digits as it
takes to read the same number again, counts as whole numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from ..errors import TgsageError, nearest, unknown
from ..store.atomic import replacing
from .records import PathLike

STATUSES = ("ok", "failed", "invalid", "timeout")
"""What may have become of a candidate."""

Type = Literal["index", "count", "number", "text", "flag"]
"""``index``: int64, never missing; ``count``: whole or NaN, held as float64, which is exact up to 2 ** 53."""


def target_columns(
    targets: Sequence[str], names: Sequence[str] = ("tg", "layer"), prefix: str = ""
) -> list[str]:
    """Return ``<prefix><name>_<target>``: all targets of the first name, then those of the next."""
    return [f"{prefix}{name}_{target}" for name in names for target in targets]


def named_targets(columns: Iterable[Any], prefix: str) -> list[str]:
    """Return the targets of the columns that begin with a prefix, in their order."""
    return [str(name).removeprefix(prefix) for name in columns if str(name).startswith(prefix)]


@dataclass(frozen=True)
class TableFormat:
    """A kind of csv file.

    Attributes
    ----------
    name
        What it is called in errors.
    columns
        Maps the names of the columns that a file has to those that it should have, in order.
    types
        Types of columns that are not numbers, by name or by the part of the name before the target
        (``"layer_"``).
    needed
        Columns, beside those of type ``index``, in which no value may be missing.
    added
        Columns that files of earlier versions lack; they are read as if they were empty.
    key
        Columns whose values together occur once.
    """

    name: str
    columns: Callable[[Sequence[str]], list[str]]
    types: Mapping[str, Type]
    needed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    key: tuple[str, ...] = ()

    def type_of(self, column: str) -> Type:
        """Return the type of a column."""
        if column in self.types:
            return self.types[column]
        return next(
            (self.types[part] for part in self.types if part[-1] == "_" and column.startswith(part)), "number"
        )

    def build(self, rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
        """Make a table from one mapping per row; absent values, None and NaN are missing.

        Raises
        ------
        TgsageError
            If a needed value is missing, a name is no column, or a value is not of its column's type.
        """
        listed = list(rows)
        for position, row in enumerate(listed):
            for name in row:
                if name not in columns:
                    raise TgsageError(
                        f"{self.name}: row {position} has the unknown column {name!r}"
                        f"{nearest(str(name), columns)}"
                    )
        content = {name: pd.Series([row.get(name) for row in listed], dtype=object) for name in columns}
        return self._typed(pd.DataFrame(content, columns=list(columns)), self.name)

    def check(self, table: pd.DataFrame, where: PathLike) -> None:
        """Raise a TgsageError unless the table has its columns, in order, and their values are possible."""
        self._check_columns(table, where)
        if "status" in table:
            for position, status in enumerate(table["status"]):
                if status not in STATUSES:
                    problem = unknown("status", str(status), STATUSES)
                    raise TgsageError(f"{where}: row {position}: {problem}")
        twice = table.duplicated(list(self.key)) if self.key else pd.Series(dtype=bool)
        if twice.any():
            values = table[list(self.key)].iloc[int(twice.argmax())]
            row = ", ".join(f"{name} {value}" for name, value in values.items())
            raise TgsageError(f"{where}: {row} is there twice")

    def _check_columns(self, table: pd.DataFrame, where: PathLike) -> None:
        names = [str(name) for name in table.columns]
        expected = self.columns(names)
        for name in expected:
            if name not in names:
                raise TgsageError(f"{where}: the {self.name} column {name!r} is missing")
        for name in names:
            if name not in expected:
                raise TgsageError(f"{where}: unknown {self.name} column {name!r}{nearest(name, expected)}")
        for name, should in zip(names, expected, strict=False):
            if name != should:
                raise TgsageError(
                    f"{where}: {self.name} column {name!r} is out of place; the order is "
                    f"{', '.join(expected)}"
                )

    def write(self, table: pd.DataFrame, path: PathLike) -> None:
        """Write a table, such that :meth:`read` returns the same values bit for bit."""
        self.check(table, path)
        whole = {str(name): "Int64" for name in table.columns if self.type_of(str(name)) == "count"}
        with replacing(path) as temporary:
            table.astype(whole).to_csv(temporary, index=False, lineterminator="\n")

    def read(self, path: PathLike) -> pd.DataFrame:
        """Read a table that :meth:`write` wrote.

        Raises
        ------
        TgsageError
            If there is no such file, or its content is no such table; names the file, and row and column.
        """
        try:
            # As text: a parser of numbers may lose their last digit.
            table = pd.read_csv(path, dtype=str, keep_default_na=False, na_values=[""])
            if not isinstance(table.index, pd.RangeIndex):
                raise ValueError("lines have more fields than there are columns")
        except FileNotFoundError:
            raise TgsageError(f"{path}: no such {self.name}; run the stage that makes it") from None
        except pd.errors.EmptyDataError:
            raise TgsageError(
                f"{path}: is empty; a {self.name} has at least a line of column names"
            ) from None
        except (OSError, ValueError, pd.errors.ParserError) as error:
            raise TgsageError(
                f"{path}: cannot be read as a {self.name} ({error}); delete it and run again"
            ) from None
        for name in self.added:
            if name not in table:
                expected = self.columns([*table.columns, name])
                table.insert(min(expected.index(name), table.shape[1]), name, np.nan)
        self._check_columns(table, path)
        return self._typed(table, str(path))

    def _typed(self, table: pd.DataFrame, where: str) -> pd.DataFrame:
        """Convert every column to its type."""
        columns = {str(name): self._typed_column(table[name], str(name), where) for name in table.columns}
        typed = pd.DataFrame(columns, columns=list(columns))
        self.check(typed, where)
        return typed

    def _typed_column(self, values: pd.Series[Any], name: str, where: str) -> pd.Series[Any]:
        kind = self.type_of(name)
        missing = values.isna()
        if missing.any() and (kind == "index" or name in self.needed):
            raise TgsageError(f"{where}: row {int(missing.argmax())}: {name} is missing")
        if kind == "text":
            return values.map(str, na_action="ignore").astype(object)
        if kind == "flag":
            return values.map({"True": True, "False": False, True: True, False: False})
        numbers = values.map(_float).astype("float64")
        wrong = numbers.isna() & ~missing
        if wrong.any():
            row = int(wrong.argmax())
            raise TgsageError(f"{where}: row {row}: {name} is not a number: {values.iloc[row]!r}")
        if kind == "number":
            return numbers
        wrong = ~missing & ~(np.isfinite(numbers) & (numbers == np.floor(numbers)) & (numbers >= 0))
        if wrong.any():
            row = int(wrong.argmax())
            raise TgsageError(f"{where}: row {row}: {name} is not a whole number >= 0: {values.iloc[row]!r}")
        return numbers.astype("int64") if kind == "index" else numbers


def _float(value: Any) -> float:
    """The number, or NaN where it is none."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan
