"""Arms beside each other: same space, task, recipe and seeds; what each found and what it cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from ..runs import comparison as comparison_table
from ..runs import finalists as finalists_table
from ..runs import ledger as ledger_table
from ..runs.records import Final, PathLike, Similarity, read_final, read_settings
from ..runs.settings import SearchSettings
from ..statistics import over_ceiling


def compare_arms(
    comparison: PathLike,
    *,
    settings: Sequence[PathLike],
    ledgers: Sequence[PathLike],
    finalists: Sequence[PathLike],
    finals: Sequence[PathLike],
) -> pd.DataFrame:
    """Write ``comparison.csv``: one row per arm and search seed.

    Parameters
    ----------
    comparison
        The csv to write.
    settings, ledgers, finalists, finals
        ``search.json``, ``ledger.csv``, ``finalists.csv`` and ``final.json`` of the searches, in one order.

    Returns
    -------
    DataFrame
        With the columns of :data:`tgsage.runs.comparison`.
    """
    rows = []
    targets: dict[str, None] = {}
    for one, ledger, mature, final in zip(settings, ledgers, finalists, finals, strict=True):
        tested = read_final(final)
        search = read_settings(one)
        rows.append(_row(search, tested, ledger_table.read(ledger), finalists_table.read(mature)))
        targets |= dict.fromkeys(_similarity(tested))
    table = comparison_table.build(rows, list(targets))
    comparison_table.write(table, comparison)
    return table


def _similarity(final: Final) -> dict[str, Similarity]:
    # A control is compared with the others by what it was compared with, not by its own permuted RDMs.
    return final["observed"]["similarity"] if final["observed"]["teacher"] else final["similarity"]


def _row(
    search: SearchSettings, final: Final, ledger: pd.DataFrame, finalists: pd.DataFrame
) -> dict[str, Any]:
    mature = finalists.loc[finalists["status"] == "ok", "accuracy"]
    guidance = search.guidance.plain()
    similarity = _similarity(final)
    low, high = final["test"]["interval"]
    return {
        "arm": search.arm,
        "seed": search.seed,
        "teacher": search.teacher,
        "guidance": guidance["name"],
        # A schedule takes alpha's place.
        "alpha": None if guidance.get("schedule") else guidance.get("alpha"),
        "sampler": search.sampler.plugin_name(),
        "simulated": final["simulated"],
        "candidates": len(ledger),
        "ok": int((ledger["status"] == "ok").sum()),
        "best_premature_accuracy": ledger["accuracy"].max(),
        "finalists": len(mature),
        "finalists_accuracy": mature.mean(),
        "best_finalist_accuracy": mature.max(),
        "n_test": final["test"]["n"],
        "test_accuracy": final["test"]["accuracy"],
        "test_low": low,
        "test_high": high,
        "similarity_with": final["observed"]["teacher"] or search.measured_with,
        **{f"report_{target}": measured["report"] for target, measured in similarity.items()},
        **{
            f"ceiled_{target}": over_ceiling(measured["report"], measured["ceiling_upper"])
            for target, measured in similarity.items()
        },
        **{
            unit: sum(final["cost"][f"{unit}_{stage}"] for stage in ("search", "finalists", "final"))
            for unit in ("examples", "seconds")
        },
    }
