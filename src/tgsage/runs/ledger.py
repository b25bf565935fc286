"""The ledger: one row per candidate, in the order of rounds and slots; what every later part reads.

Columns, in this order: round, slot, candidate, status, architecture, parameters, flops, probes, examples,
accuracy, loss, training_loss_sum, tg, ``tg_<target>`` and then ``layer_<target>`` of every target, score,
seconds. An arm that observes a second teacher has, before score, observed_tg, ``observed_tg_<target>`` and
``observed_layer_<target>``: measured like the first, and steering nothing. What is missing is NaN in memory
and an empty field in the file.
"""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..errors import TgsageError, nearest
from ..store.atomic import replacing

__all__ = ["STATUSES", "build", "columns", "observed", "ordered", "read", "targets", "validate", "write"]

STATUSES = ("ok", "failed", "invalid", "timeout")
"""What may have become of a candidate."""

_BEFORE = (
    "round", "slot", "candidate", "status", "architecture", "parameters", "flops", "probes", "examples",
    "accuracy", "loss", "training_loss_sum", "tg",
)  # fmt: skip
_AFTER = ("score", "seconds")
_INDEX = ("round", "slot")
_TEXT = ("candidate", "status", "architecture")
# Counts: whole numbers or NaN. They are held as floats, which are exact up to 2 ** 53.
_COUNTS = ("parameters", "flops", "probes", "examples")
_NEEDED = (*_INDEX, *_TEXT)


def columns(targets: Sequence[str], observed: Sequence[str] = ()) -> list[str]:
    """Names of all columns, in order, for these targets of the teacher and of an observed second teacher."""
    second = ("observed_tg", *_of_targets("observed_", observed)) if observed else ()
    return [*_BEFORE, *_of_targets("", targets), *second, *_AFTER]


def _of_targets(prefix: str, targets: Sequence[str]) -> list[str]:
    return [f"{prefix}{what}_{target}" for what in ("tg", "layer") for target in targets]


def targets(ledger: pd.DataFrame) -> list[str]:
    """Targets of a ledger, in the order of its columns."""
    return _named(ledger.columns, "tg_")


def observed(ledger: pd.DataFrame) -> list[str]:
    """Targets of the second teacher that a ledger's arm observes, in order; empty without one."""
    return _named(ledger.columns, "observed_tg_")


def _named(names: Iterable[Any], prefix: str) -> list[str]:
    return [str(name).removeprefix(prefix) for name in names if str(name).startswith(prefix)]


def build(
    rows: Iterable[Mapping[str, Any]], targets: Sequence[str], observed: Sequence[str] = ()
) -> pd.DataFrame:
    """Make a ledger from one mapping per candidate.

    Parameters
    ----------
    rows
        Values by column name; round, slot, candidate, status and architecture are needed, everything else
        may be absent, None or NaN. Any order.
    targets
        Names of the teacher's targets.
    observed
        Names of the targets of a second teacher that is only observed.

    Returns
    -------
    pandas.DataFrame
        Sorted by round and slot, index 0, 1, ...; round and slot int64, numbers float64, the rest object.

    Raises
    ------
    TgsageError
        If a needed value is missing, a name is no column, a status is unknown, a number is not one, or two
        rows have one round and slot.
    """
    for one in (targets, observed):
        if len(set(one)) != len(one):
            raise TgsageError(f"ledger: a target is named twice: {', '.join(one)}")
    names = columns(targets, observed)
    known = set(names)
    content: dict[str, list[Any]] = {name: [] for name in names}
    for position, row in enumerate(rows):
        for name in row:
            if name not in known:
                raise TgsageError(
                    f"ledger: row {position} has the unknown column {name!r}{nearest(str(name), names)}"
                )
        for name in names:
            content[name].append(row.get(name))
    return ordered(_typed(content, names, "ledger"))


def ordered(ledger: pd.DataFrame) -> pd.DataFrame:
    """Sort by round and slot, so that the order in which candidates arrived does not matter."""
    return ledger.sort_values(list(_INDEX), kind="stable", ignore_index=True)


def validate(ledger: pd.DataFrame, where: str = "ledger") -> None:
    """Check the columns, their order, and the statuses.

    Raises
    ------
    TgsageError
        Naming the first column that is missing, unknown or out of place, or the unknown status.
    """
    names = [str(name) for name in ledger.columns]
    _check_columns(names, where)
    _check_rows({name: ledger[name].tolist() for name in (*_INDEX, "status")}, where)


def write(ledger: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write a ledger as csv, such that :func:`read` returns the same values bit for bit.

    Floats are written with ``repr`` (the shortest text that reads back exactly), counts as whole numbers,
    NaN as nothing.
    """
    validate(ledger, str(path))
    writers = [_writer(str(name)) for name in ledger.columns]
    values = [ledger[name].tolist() for name in ledger.columns]
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(ledger.columns)
        for row in zip(*values, strict=True):
            writer.writerow([text(value) for text, value in zip(writers, row, strict=True)])


def read(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read a ledger that :func:`write` wrote.

    Raises
    ------
    TgsageError
        If there is no such file, or its content is not a ledger; names file, line and column.
    """
    where = str(path)
    try:
        with open(Path(path), encoding="utf-8", newline="") as handle:
            lines = list(csv.reader(handle))
    except FileNotFoundError:
        raise TgsageError(f"{where}: no such ledger") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TgsageError(f"{where}: cannot be read as a ledger: {error}") from None
    if not lines:
        raise TgsageError(f"{where}: is empty; a ledger has at least a line of column names")
    names, rows = lines[0], lines[1:]
    _check_columns(names, where)
    for number, row in enumerate(rows, start=2):
        if len(row) != len(names):
            raise TgsageError(f"{where}: line {number} has {len(row)} fields, not {len(names)}")
    content = {name: [row[index] or None for row in rows] for index, name in enumerate(names)}
    return _typed(content, names, where)


def _check_columns(names: list[str], where: str) -> None:
    expected = columns(_named(names, "tg_"), _named(names, "observed_tg_"))
    if names == expected:
        return
    for name in expected:
        if name not in names:
            raise TgsageError(f"{where}: the ledger column {name!r} is missing")
    for name in names:
        if name not in expected:
            raise TgsageError(f"{where}: unknown ledger column {name!r}{nearest(name, expected)}")
    place = next(
        (index for index, (is_, should) in enumerate(zip(names, expected, strict=False)) if is_ != should),
        len(expected),
    )
    raise TgsageError(
        f"{where}: ledger column {names[place]!r} is out of place or there twice; the order is "
        f"{', '.join(expected)}"
    )


def _check_rows(content: Mapping[str, list[Any]], where: str) -> None:
    for position, status in enumerate(content["status"]):
        if status not in STATUSES:
            raise TgsageError(
                f"{where}: row {position}: unknown status {status!r}{nearest(str(status), STATUSES)}; "
                f"valid: {', '.join(STATUSES)}"
            )
    seen: set[tuple[Any, Any]] = set()
    for place in zip(content["round"], content["slot"], strict=True):
        if place in seen:
            raise TgsageError(f"{where}: round {place[0]}, slot {place[1]} is there twice")
        seen.add(place)


def _typed(content: Mapping[str, list[Any]], names: Sequence[str], where: str) -> pd.DataFrame:
    """Convert every column to its type; None and NaN become NaN."""
    made: dict[str, Any] = {}
    for name in names:
        values = content[name]
        if name in _NEEDED:
            for position, value in enumerate(values):
                if _missing(value):
                    raise TgsageError(f"{where}: row {position}: {name} is missing")
        if name in _INDEX:
            made[name] = np.array(
                [_whole(value, name, where, row) for row, value in enumerate(values)], "int64"
            )
        elif _is_text(name):
            texts = [math.nan if _missing(value) else str(value) for value in values]
            made[name] = pd.Series(texts, dtype=object)
        else:
            check = _whole if name in _COUNTS else _number
            made[name] = np.array(
                [
                    math.nan if _missing(value) else check(value, name, where, row)
                    for row, value in enumerate(values)
                ],
                "float64",
            )
    _check_rows({name: list(made[name]) for name in (*_INDEX, "status")}, where)
    return pd.DataFrame(made, columns=list(names))


def _is_text(name: str) -> bool:
    return name in _TEXT or name.startswith(("layer_", "observed_layer_"))


def _missing(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))


def _number(value: Any, name: str, where: str, row: int) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise TgsageError(f"{where}: row {row}: {name} is not a number: {value!r}") from None


def _whole(value: Any, name: str, where: str, row: int) -> int:
    number = _number(value, name, where, row)
    if not math.isfinite(number) or number != int(number) or number < 0:
        raise TgsageError(f"{where}: row {row}: {name} is not a whole number >= 0: {value!r}")
    return int(number)


def _writer(name: str) -> Any:
    if _is_text(name):
        return lambda value: "" if _missing(value) else str(value)
    if name in _INDEX or name in _COUNTS:
        return lambda value: "" if _missing(value) else str(int(value))
    return lambda value: "" if _missing(value) else repr(float(value))
