"""``ledger.csv``: one row per candidate, in the order of rounds and slots; what every later part reads.

Columns, in this order: round, slot, candidate, status, architecture, parameters, flops, probes, examples,
accuracy, loss, training_loss_sum, tg, ``tg_<target>`` and then ``layer_<target>`` of every target, score,
processor, seconds. An arm that observes a second teacher has, before score, observed_tg,
``observed_tg_<target>`` and ``observed_layer_<target>``: measured like the first, and steering nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from ..errors import TgsageError
from .tables import STATUSES, TableFormat, named_targets, target_columns

__all__ = [
    "STATUSES", "build", "columns", "observed", "ordered", "processors", "read", "targets", "validate",
    "write",
]  # fmt: skip

_BEFORE = (
    "round", "slot", "candidate", "status", "architecture", "parameters", "flops", "probes", "examples",
    "accuracy", "loss", "training_loss_sum", "tg",
)  # fmt: skip


def columns(targets: Sequence[str], observed: Sequence[str] = ()) -> list[str]:
    """Names of all columns, in order, for these targets of the teacher and of an observed second teacher."""
    second = ["observed_tg", *target_columns(observed, prefix="observed_")] if observed else []
    return [*_BEFORE, *target_columns(targets), *second, "score", "processor", "seconds"]


def _columns(names: Sequence[str]) -> list[str]:
    return columns(named_targets(names, "tg_"), named_targets(names, "observed_tg_"))


_FORMAT = TableFormat(
    "ledger",
    _columns,
    {
        "round": "index", "slot": "index", "candidate": "text", "status": "text", "architecture": "text",
        "parameters": "count", "flops": "count", "probes": "count", "examples": "count", "processor": "text",
        "layer_": "text", "observed_layer_": "text",
    },
    needed=("candidate", "status", "architecture"),
    added=("processor",),
    key=("round", "slot"),
)  # fmt: skip

read = _FORMAT.read
write = _FORMAT.write
validate = _FORMAT.check


def targets(ledger: pd.DataFrame) -> list[str]:
    """Targets of a ledger, in the order of its columns."""
    return named_targets(ledger.columns, "tg_")


def observed(ledger: pd.DataFrame) -> list[str]:
    """Targets of the second teacher that a ledger's arm observes, in order; empty without one."""
    return named_targets(ledger.columns, "observed_tg_")


def processors(ledger: pd.DataFrame) -> list[str]:
    """Kinds of processors that the candidates were trained on, in the order in which they first appear.

    Other processors give other last digits and, as a search goes on, other candidates. Candidates of which
    the processor is not known (of earlier versions, or lost) are left out.
    """
    return [str(name) for name in ledger["processor"].dropna().unique()]


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
    for names in (targets, observed):
        if len(set(names)) != len(names):
            raise TgsageError(f"ledger: a target is named twice: {', '.join(names)}")
    return ordered(_FORMAT.build(rows, columns(targets, observed)))


def ordered(ledger: pd.DataFrame) -> pd.DataFrame:
    """Sort by round and slot, so that the order in which candidates arrived does not matter."""
    return ledger.sort_values(["round", "slot"], kind="stable", ignore_index=True)
