"""From measurements to ledgers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from .. import guidance, ledger
from ..scoring import rsa as scored_files
from ..store import replacing
from .files import PathLike, read_json


def measurement(training: PathLike, rsa: PathLike, layer_choice: str) -> dict[str, Any]:
    """One candidate's ledger row, without its score.

    The status becomes ``invalid`` where a target has no finite layer.
    """
    record = read_json(training)
    scored = scored_files.load(rsa)
    row: dict[str, Any] = {
        "round": record["round"],
        "slot": record["slot"],
        "candidate": record["candidate"],
        "status": record["status"],
        "architecture": record["architecture"],
        "parameters": record["parameters"],
        "flops": record["flops"],
        "probes": record["n_probes"],
        "examples": record["examples"],
        "training_loss_sum": record["training_loss_sum"],
        "seconds": record["seconds"],
    }
    if record["status"] == "ok":
        status = scored.attrs.get("status", "ok")
        row["status"] = status
        row["accuracy"] = float(scored["accuracy"][-1])
        row["loss"] = float(scored["loss"][-1])
        if scored.sizes.get("target", 0):
            similarity = scored_files.target_scores(scored, layer_choice)
            for target, (value, layer) in similarity.targets.items():
                row[f"tg_{target}"] = value
                row[f"layer_{target}"] = layer
            row["tg"] = similarity.tg
    return row


def collect_round(
    out: PathLike,
    *,
    previous: PathLike | None,
    trainings: Sequence[PathLike],
    rsas: Sequence[PathLike],
    guidance_settings: Any,
    targets: Sequence[str],
    layer_choice: str,
) -> None:
    """Write the cumulative ledger after a round, in slot order.

    Scores are computed anew over the whole ledger: a guidance may depend on all candidates so far.

    Parameters
    ----------
    previous
        Ledger of the round before; None for the first.
    trainings, rsas
        ``training.json`` and ``rsa.nc`` of the round's slots.
    targets
        The teacher's target names, in its order; empty without a teacher.
    """
    rows = [measurement(t, r, layer_choice) for t, r in zip(trainings, rsas, strict=True)]
    rows.sort(key=lambda row: (row["round"], row["slot"]))
    table = ledger.build(rows, list(targets))
    if previous is not None:
        table = pd.concat([ledger.read(previous), table], ignore_index=True)
    table["score"] = guidance.get(guidance_settings)(table)
    ledger.write(table, out)


def collect_finalists(
    out: PathLike,
    *,
    ledger_path: PathLike,
    trainings: Sequence[PathLike],
    rsas: Sequence[PathLike],
    targets: Sequence[str],
    layer_choice: str,
) -> None:
    """Write ``finalists.csv``: what each finalist measured when premature and when mature."""
    table = ledger.read(ledger_path).drop_duplicates("candidate").set_index("candidate")
    rows = []
    for rank, (training, rsa) in enumerate(zip(trainings, rsas, strict=True), start=1):
        mature = measurement(training, rsa, layer_choice)
        early = table.loc[mature["candidate"]]
        row: dict[str, Any] = {
            "rank": rank,
            "candidate": mature["candidate"],
            "round": int(early["round"]),
            "slot": int(early["slot"]),
            "architecture": mature["architecture"],
            "premature_accuracy": early["accuracy"],
            "premature_tg": early["tg"],
            "premature_score": early["score"],
        }
        names = ["status", "accuracy", "loss", "tg"]
        names += [f"{column}_{target}" for target in targets for column in ("tg", "layer")]
        names += ["parameters", "flops", "examples", "seconds"]
        rows.append(row | {name: mature.get(name) for name in names})
    with replacing(out) as temporary:
        pd.DataFrame(rows).to_csv(temporary, index=False, lineterminator="\n")
