"""Arms beside each other: same space, task, recipe and seeds; what each found and what it cost."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ..runs import ledger
from ..store import replacing


def comparison(folders: Sequence[str | os.PathLike[str]], out: str | os.PathLike[str]) -> pd.DataFrame:
    """Write ``comparison.csv``: one row per arm and search seed.

    Parameters
    ----------
    folders
        Search folders, ``results/<run>/search/<arm>/seed_<s>``, each with ``search.json``, ``ledger.csv``,
        ``finalists.csv`` and ``final.json``.
    out
        The csv to write.

    Returns
    -------
    DataFrame
        Columns: arm, seed, teacher, guidance, alpha, sampler, candidates, ok, best_premature_accuracy,
        finalists, finalists_accuracy (mean mature validation accuracy), best_finalist_accuracy, n_test,
        test_accuracy, test_low, test_high (95 % Wilson interval), similarity_with (the teacher that the
        following are measured with: the observed one, where the arm observes one beside the teacher that
        guides it), report_<target> (similarity on stimuli that neither chose nor rewarded), ceiled_<target>
        (the same over the upper noise ceiling; empty where there is none), examples and seconds of search,
        finalists and final training together.
    """
    rows = [_row(Path(folder)) for folder in folders]
    table = pd.DataFrame(rows)
    with replacing(out) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")
    return table


def _row(folder: Path) -> dict[str, Any]:
    settings = json.loads((folder / "search.json").read_text(encoding="utf-8"))
    final = json.loads((folder / "final.json").read_text(encoding="utf-8"))
    table = ledger.read(folder / "ledger.csv")
    finalists = pd.read_csv(folder / "finalists.csv")
    mature = finalists.loc[finalists["status"] == "ok", "accuracy"]
    low, high = final["test"]["interval"]
    cost = final["cost"]
    # A control is compared with the others by what it was compared with, not by its own permuted RDMs.
    observed = final["observed"]["teacher"]
    similarity = final["observed"]["similarity"] if observed else final["similarity"]
    return {
        "arm": settings["arm"],
        "seed": settings["seed"],
        "teacher": settings["teacher"] or "",
        "guidance": settings["guidance"]["name"],
        # A schedule takes alpha's place.
        "alpha": None if settings["guidance"].get("schedule") else settings["guidance"].get("alpha"),
        "sampler": settings["sampler"]["name"],
        "simulated": final["simulated"],
        "candidates": len(table),
        "ok": int((table["status"] == "ok").sum()),
        "best_premature_accuracy": table["accuracy"].max(),
        "finalists": len(mature),
        "finalists_accuracy": mature.mean(),
        "best_finalist_accuracy": mature.max(),
        "n_test": final["test"]["n"],
        "test_accuracy": final["test"]["accuracy"],
        "test_low": low,
        "test_high": high,
        "similarity_with": observed or settings["teacher"] or settings["observe"] or "",
        **{f"report_{target}": told["report"] for target, told in similarity.items()},
        **{f"ceiled_{target}": _ceiled(told) for target, told in similarity.items()},
        "examples": sum(cost[f"examples_{part}"] for part in ("search", "finalists", "final")),
        "seconds": sum(cost[f"seconds_{part}"] for part in ("search", "finalists", "final")),
    }


def _ceiled(told: dict[str, Any]) -> float | None:
    """Similarity as a share of the upper noise ceiling; None where there is none above zero."""
    value, ceiling = told["report"], told["ceiling_upper"]
    return None if value is None or ceiling is None or ceiling <= 0 else value / ceiling
