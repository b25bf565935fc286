"""``comparison.csv``: arms beside each other, one row per arm and search seed.

Columns: arm, seed, teacher, guidance, alpha, sampler, simulated, candidates, ok, best_premature_accuracy,
finalists, finalists_accuracy (mean mature validation accuracy), best_finalist_accuracy, n_test,
test_accuracy, test_low, test_high (95 % Wilson interval), similarity_with (the teacher that the following are
measured with: the observed one, where the arm observes one beside the teacher that guides it),
``report_<target>`` (similarity on stimuli that neither chose nor rewarded), ``ceiled_<target>`` (the same
over the upper noise ceiling; empty where there is none), examples and seconds of search, finalists and final
training together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from .tables import TableFormat, named_targets, target_columns

_BEFORE = (
    "arm", "seed", "teacher", "guidance", "alpha", "sampler", "simulated", "candidates", "ok",
    "best_premature_accuracy", "finalists", "finalists_accuracy", "best_finalist_accuracy", "n_test",
    "test_accuracy", "test_low", "test_high", "similarity_with",
)  # fmt: skip


def columns(targets: Sequence[str]) -> list[str]:
    """Names of all columns, in order, for the targets of any of the arms."""
    return [*_BEFORE, *target_columns(targets, ("report", "ceiled")), "examples", "seconds"]


_FORMAT = TableFormat(
    "comparison",
    lambda names: columns(named_targets(names, "report_")),
    {
        "arm": "text", "seed": "index", "teacher": "text", "guidance": "text", "sampler": "text",
        "simulated": "flag", "candidates": "count", "ok": "count", "finalists": "count", "n_test": "count",
        "similarity_with": "text", "examples": "count",
    },
    needed=("arm",),
    key=("arm", "seed"),
)  # fmt: skip

read = _FORMAT.read
write = _FORMAT.write


def build(rows: Iterable[Mapping[str, Any]], targets: Sequence[str]) -> pd.DataFrame:
    """Make the table from one mapping per search."""
    return _FORMAT.build(rows, columns(targets))
