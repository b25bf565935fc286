"""``finalists.csv``: what each finalist measured when premature and when mature, the best first.

Columns: rank, candidate (the one of the ledger), round, slot, architecture (the one that was trained to
maturity, which may be a variant of the candidate's), premature_accuracy, premature_tg, premature_score; then
of the mature network status, accuracy, loss, tg, ``tg_<target>`` and ``layer_<target>`` of every target, the
same of an observed teacher with ``observed_`` before them, parameters, flops, examples, seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from .tables import TableFormat, named_targets

_BEFORE = (
    "rank", "candidate", "round", "slot", "architecture", "premature_accuracy", "premature_tg",
    "premature_score", "status", "accuracy", "loss", "tg",
)  # fmt: skip
MATURE = ("parameters", "flops", "examples", "seconds")


def columns(targets: Sequence[str], observed: Sequence[str] = ()) -> list[str]:
    """Names of all columns, in order."""
    second = ["observed_tg", *_by_target(observed, "observed_")] if observed else []
    return [*_BEFORE, *_by_target(targets), *second, *MATURE]


def _by_target(targets: Sequence[str], prefix: str = "") -> list[str]:
    return [f"{prefix}{name}_{target}" for target in targets for name in ("tg", "layer")]


def _columns(names: Sequence[str]) -> list[str]:
    return columns(named_targets(names, "tg_"), named_targets(names, "observed_tg_"))


_FORMAT = TableFormat(
    "table of finalists",
    _columns,
    {
        "rank": "index", "candidate": "text", "round": "index", "slot": "index", "architecture": "text",
        "status": "text", "parameters": "count", "flops": "count", "examples": "count", "layer_": "text",
        "observed_layer_": "text",
    },
    needed=("candidate", "status", "architecture"),
    key=("rank",),
)  # fmt: skip

read = _FORMAT.read
write = _FORMAT.write


def build(
    rows: Iterable[Mapping[str, Any]], targets: Sequence[str], observed: Sequence[str] = ()
) -> pd.DataFrame:
    """Make the table from one mapping per finalist, in the order of their ranks."""
    return _FORMAT.build(rows, columns(targets, observed))
