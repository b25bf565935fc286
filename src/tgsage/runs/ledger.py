"""``ledger.csv``: one row per candidate, in the order of rounds and slots; what every later part reads.

Columns, in this order: round, slot, candidate, status, architecture, parameters, flops, probes, examples,
accuracy, loss, training_loss_sum, tg, ``tg_<target>`` and then ``layer_<target>`` of every target, score,
processor, seconds. An arm that observes a second teacher has, before score, observed_tg,
``observed_tg_<target>`` and ``observed_layer_<target>``: measured like the first, and steering nothing.

A round leaves ``measurements.csv``: its own rows, without the score. A guidance scores all rows so far, so
that the score of a row may change from round to round; whoever needs scores puts the rounds together.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from .records import PathLike
from .tables import TableFormat

_FORMAT = TableFormat(
    "ledger",
    before={
        "round": "index", "slot": "index", "candidate": "text", "status": "text", "architecture": "text",
        "parameters": "count", "flops": "count", "probes": "count", "examples": "count",
        "accuracy": "number", "loss": "number", "training_loss_sum": "number", "tg": "number",
    },
    per_target={"tg": "number", "layer": "text"},
    after={"score": "number", "processor": "text", "seconds": "number"},
    needed=("candidate", "status", "architecture"),
    key=("round", "slot"),
    added=("processor",),
)  # fmt: skip

_OF_A_ROUND = dataclasses.replace(
    _FORMAT,
    name="table of measurements",
    after={name: kind for name, kind in _FORMAT.after.items() if name != "score"},
)

columns = _FORMAT.columns
write = _FORMAT.write


def read(path: PathLike) -> pd.DataFrame:
    """Read a ledger; errors are those of :meth:`tgsage.runs.tables.TableFormat.read`."""
    return _FORMAT.read(path)


def write_round(table: pd.DataFrame, path: PathLike) -> None:
    """Write the rows of a round as ``measurements.csv``; scores are left out."""
    _OF_A_ROUND.write(table.drop(columns="score"), path)


def read_rounds(paths: Sequence[PathLike]) -> pd.DataFrame:
    """Put the ``measurements.csv`` of rounds, in their order, together to a ledger without scores (NaN).

    Errors are those of :meth:`tgsage.runs.tables.TableFormat.read`.
    """
    if not paths:
        return build([], [])
    table = _OF_A_ROUND.read(*paths)
    before = next(place for place, name in enumerate(table.columns) if name in _OF_A_ROUND.after)
    table.insert(before, "score", np.nan)
    return table


def targets(ledger: pd.DataFrame) -> list[str]:
    """Targets of a ledger, in the order of its columns."""
    return _FORMAT.targets(ledger.columns)


def processors(ledger: pd.DataFrame) -> list[str]:
    """Kinds of processors that the candidates were trained on, in the order in which they first appear.

    Other processors give other last digits and, as a search goes on, other candidates. Candidates of which
    the processor is not known (of earlier versions, or lost) are left out.
    """
    return [str(name) for name in ledger["processor"].dropna().unique()]


def build(
    rows: Iterable[Mapping[str, Any]], targets: Sequence[str], observed: Sequence[str] = ()
) -> pd.DataFrame:
    """Make a ledger from one mapping per candidate, in any order.

    Parameters and errors are those of :meth:`tgsage.runs.tables.TableFormat.build`. Round, slot, candidate,
    status and architecture are needed.

    Returns
    -------
    pandas.DataFrame
        Sorted by round and slot, index 0, 1, ...; round and slot int64, numbers float64, the rest object.
    """
    table = _FORMAT.build(rows, targets, observed)
    return table.sort_values(["round", "slot"], kind="stable", ignore_index=True)
