"""The csv files of a run: columns, types, and one reader and writer for all of them.

What is missing is NaN in memory and an empty field in the file. Numbers are written with as many digits as it
takes to read the same number again, counts as whole numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
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


@dataclass(frozen=True)
class TableFormat:
    """A kind of csv file: some columns, then those of targets, then further columns.

    Attributes
    ----------
    name
        What it is called in errors.
    before, after
        Types of the columns before and after those of targets, in order.
    per_target
        Types of the columns ``<name>_<target>``. Of an observed second teacher there are, beside
        ``observed_tg``, the same with ``observed_`` before them.
    target_by_target
        Whether all columns of a target come before those of the next one.
    needed
        Columns, beside those of type ``index``, in which no value may be missing.
    added
        Columns that files of earlier versions lack; they are read as if they were empty.
    key
        Columns whose values together occur once.
    """

    name: str
    before: Mapping[str, Type]
    per_target: Mapping[str, Type]
    after: Mapping[str, Type]
    needed: tuple[str, ...]
    key: tuple[str, ...]
    added: tuple[str, ...] = ()
    target_by_target: bool = False

    def columns(self, targets: Sequence[str], observed: Sequence[str] = ()) -> list[str]:
        """Return the names of all columns, in order, for the targets of a teacher and of an observed one."""
        second = ["observed_tg", *self._of_targets(observed, "observed_")] if observed else []
        return [*self.before, *self._of_targets(targets), *second, *self.after]

    def _of_targets(self, targets: Sequence[str], prefix: str = "") -> list[str]:
        if self.target_by_target:
            return [f"{prefix}{name}_{target}" for target in targets for name in self.per_target]
        return [f"{prefix}{name}_{target}" for name in self.per_target for target in targets]

    def targets(self, names: Iterable[Any], prefix: str = "") -> list[str]:
        """Return the targets that the names of columns tell, in order; those observed for ``observed_``."""
        prefix = f"{prefix}{next(iter(self.per_target))}_"
        return [str(name).removeprefix(prefix) for name in names if str(name).startswith(prefix)]

    def _expected(self, names: Sequence[str]) -> list[str]:
        return self.columns(self.targets(names), self.targets(names, "observed_"))

    def type_of(self, column: str) -> Type:
        """Return the type of a column."""
        part = column.removeprefix("observed_").partition("_")[0]
        return {**self.before, **self.after}.get(column) or self.per_target.get(part, "number")

    def build(
        self, rows: Iterable[Mapping[str, Any]], targets: Sequence[str], observed: Sequence[str] = ()
    ) -> pd.DataFrame:
        """Make a table from one mapping per row, in the order of the rows.

        Parameters
        ----------
        rows
            Values by column name; absent values, None and NaN are missing.
        targets, observed
            Names of the targets of the teacher, and of a second one that is only observed.

        Raises
        ------
        TgsageError
            If a needed value is missing, a name is no column, a status is unknown, a value is not of its
            column's type, two rows have one key, or a target is named twice.
        """
        for names in (targets, observed):
            if len(set(names)) != len(names):
                raise TgsageError(f"{self.name}: a target is named twice: {', '.join(names)}")
        columns = self.columns(targets, observed)
        listed = list(rows)
        for position, row in enumerate(listed):
            for name in (name for name in row if name not in columns):
                hint = nearest(str(name), columns)
                raise TgsageError(f"{self.name}: row {position} has the unknown column {name!r}{hint}")
        content = {name: pd.Series([row.get(name) for row in listed], dtype=object) for name in columns}
        return self._typed(pd.DataFrame(content, columns=columns), self.name)

    def check(self, table: pd.DataFrame, where: PathLike) -> None:
        """Raise a TgsageError unless the table has its columns, in order, and their values are possible."""
        self._check_columns(table, where)
        if "status" in table:
            for position, status in enumerate(table["status"]):
                if status not in STATUSES:
                    problem = unknown("status", str(status), STATUSES)
                    raise TgsageError(f"{where}: row {position}: {problem}")
        twice = table.duplicated(list(self.key))
        if twice.any():
            values = table[list(self.key)].iloc[int(twice.argmax())]
            row = ", ".join(f"{name} {value}" for name, value in values.items())
            raise TgsageError(f"{where}: {row} is there twice")

    def _check_columns(self, table: pd.DataFrame, where: PathLike) -> None:
        names = [str(name) for name in table.columns]
        expected = self._expected(names)
        for name in expected:
            if name not in names:
                raise TgsageError(f"{where}: the {self.name} column {name!r} is missing")
        for name in names:
            if name not in expected:
                raise TgsageError(f"{where}: unknown {self.name} column {name!r}{nearest(name, expected)}")
        for name, should in zip(names, expected, strict=False):
            if name != should:
                order = f"the order is {', '.join(expected)}"
                raise TgsageError(f"{where}: {self.name} column {name!r} is out of place; {order}")

    def write(self, table: pd.DataFrame, path: PathLike) -> None:
        """Write a table, such that :meth:`read` returns the same values bit for bit."""
        self.check(table, path)
        whole = {str(name): "Int64" for name in table.columns if self.type_of(str(name)) == "count"}
        with replacing(path) as temporary:
            table.astype(whole).to_csv(temporary, index=False, lineterminator="\n")

    def read(self, *paths: PathLike) -> pd.DataFrame:
        """Read a table that :meth:`write` wrote, or the rows of several under one another.

        Raises
        ------
        TgsageError
            If there is no such file, or its content is no such table; names the file, and row and column.
            If the tables are of other targets.
        """
        parts = [self._read_text(path) for path in paths]
        for path, part in zip(paths, parts, strict=True):
            if list(part.columns) != list(parts[0].columns):
                raise TgsageError(f"{path}: has other columns than {paths[0]}; collect the rounds again")
        try:
            return self._typed(pd.concat(parts, ignore_index=True), f"{paths[0]} to {paths[-1]}")
        except TgsageError:
            for path, part in zip(paths, parts, strict=True):
                self._typed(part, str(path))
            raise

    def _read_text(self, path: PathLike) -> pd.DataFrame:
        """Read a table as text, with the columns of today."""
        try:
            # As text: a parser of numbers may lose their last digit.
            table = pd.read_csv(path, dtype=str, keep_default_na=False, na_values=[""])
            if not isinstance(table.index, pd.RangeIndex):
                raise ValueError("lines have more fields than there are columns")
        except FileNotFoundError:
            raise TgsageError(f"{path}: no such {self.name}; run the stage that makes it") from None
        except pd.errors.EmptyDataError:
            problem = f"is empty; a {self.name} has at least a line of column names"
            raise TgsageError(f"{path}: {problem}") from None
        except (OSError, ValueError, pd.errors.ParserError) as error:
            problem = f"cannot be read as a {self.name} ({error}); delete it and run again"
            raise TgsageError(f"{path}: {problem}") from None
        for name in self.added:
            if name not in table:
                expected = self._expected([*table.columns, name])
                table.insert(min(expected.index(name), table.shape[1]), name, np.nan)
        self._check_columns(table, path)
        return table

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
        possible = {"a number": numbers.notna()}
        if kind != "number":
            possible["a whole number >= 0"] = (numbers >= 0) & (numbers % 1 == 0)
        for what, right in possible.items():
            wrong = ~missing & ~right
            if wrong.any():
                row = int(wrong.argmax())
                raise TgsageError(f"{where}: row {row}: {name} is not {what}: {values.iloc[row]!r}")
        return numbers.astype("int64") if kind == "index" else numbers


def _float(value: Any) -> float:
    """The number, or NaN where it is none."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


finalists = TableFormat(
    "table of finalists",
    before={
        "rank": "index", "candidate": "text", "round": "index", "slot": "index", "architecture": "text",
        "premature_accuracy": "number", "premature_tg": "number", "premature_score": "number",
        "status": "text", "accuracy": "number", "loss": "number", "tg": "number",
    },
    per_target={"tg": "number", "layer": "text"},
    after={"parameters": "count", "flops": "count", "examples": "count", "seconds": "number"},
    needed=("candidate", "status", "architecture"),
    key=("rank",),
    target_by_target=True,
)  # fmt: skip
"""``finalists.csv``: what each finalist measured when premature and when mature, the best first.

The candidate is the one of the ledger; the architecture, which may be a variant of the candidate's, was
trained to maturity. Status and what follows are the mature network's.
"""

comparison = TableFormat(
    "comparison",
    before={
        "arm": "text", "seed": "index", "teacher": "text", "guidance": "text", "alpha": "number",
        "sampler": "text", "simulated": "flag", "candidates": "count", "ok": "count",
        "best_premature_accuracy": "number", "finalists": "count", "finalists_accuracy": "number",
        "best_finalist_accuracy": "number", "n_test": "count", "test_accuracy": "number",
        "test_low": "number", "test_high": "number", "similarity_with": "text",
    },
    per_target={"report": "number", "ceiled": "number"},
    after={"examples": "count", "seconds": "number"},
    needed=("arm",),
    key=("arm", "seed"),
)  # fmt: skip
"""``comparison.csv``: arms beside each other, one row per arm and search seed.

``finalists_accuracy`` is the mean mature validation accuracy; ``test_low`` and ``test_high`` bound the 95 %
Wilson interval; ``similarity_with`` is the teacher that the following are measured with: the observed one,
where the arm observes one beside the teacher that guides it. ``report_<target>`` is the similarity on stimuli
that neither chose nor rewarded, ``ceiled_<target>`` the same over the upper noise ceiling (empty where there
is none). Examples and seconds are those of search, finalists and final training together.
"""
