"""From measurements to ledgers."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import pandas as pd
import xarray as xr

from .. import guidance
from ..runs import ledger
from ..runs import profiles as profile_files
from ..runs import rsa as scored_files
from ..runs.files import PathLike, proposals, read_json
from ..store import replacing


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
        row |= _similarity(scored, layer_choice)
        observed = scored_files.observed_part(scored)
        if observed is not None:
            second = _similarity(observed, layer_choice)
            row |= {f"observed_{name}": value for name, value in second.items()}
    return row


def _similarity(scored: xr.Dataset, layer_choice: str) -> dict[str, Any]:
    """The ledger's columns of one teacher."""
    if not scored.sizes.get("target", 0):
        return {}
    similarity = scored_files.target_scores(scored, layer_choice)
    row: dict[str, Any] = {"tg": similarity.tg}
    for target, (value, layer) in similarity.targets.items():
        row[f"tg_{target}"] = value
        row[f"layer_{target}"] = layer
    return row


def measured_round(
    trainings: Sequence[PathLike],
    rsas: Sequence[PathLike],
    *,
    targets: Sequence[str],
    observed: Sequence[str],
    layer_choice: str,
) -> tuple[pd.DataFrame, xr.Dataset]:
    """Read what was measured of some candidates: their rows without scores, and their profiles.

    Of a candidate that is there more than once (it went on to another rung) the last counts.
    """
    rows: dict[tuple[int, int], dict[str, Any]] = {}
    scored: dict[tuple[int, int], PathLike] = {}
    for training, rsa in zip(trainings, rsas, strict=True):
        row = measurement(training, rsa, layer_choice)
        place = (row["round"], row["slot"])
        rows[place], scored[place] = row, rsa
    profiles = profile_files.of_round(list(scored.values()), list(scored))
    return ledger.build(rows.values(), list(targets), list(observed)), profile_files.joined([profiles])


def scores_of(settings: Any, table: pd.DataFrame, profiles: xr.Dataset, out: PathLike) -> pd.Series:
    """Score a ledger; what a person should know about the scores goes to stderr, with the file's name."""
    scores = guidance.get(settings)(table, profiles)
    if "note" in scores.attrs:
        print(f"{out}: {scores.attrs['note']}", file=sys.stderr, flush=True)
    return scores


def collect_round(
    out: PathLike,
    profiles_out: PathLike,
    *,
    previous: PathLike | None,
    previous_profiles: PathLike | None,
    trainings: Sequence[PathLike],
    rsas: Sequence[PathLike],
    guidance_settings: Any,
    targets: Sequence[str],
    layer_choice: str,
    observed: Sequence[str] = (),
) -> None:
    """Write the cumulative ledger after a round, in slot order, and the profiles of its candidates.

    Scores are computed anew over the whole ledger: a guidance may depend on all candidates so far.

    Parameters
    ----------
    out, profiles_out
        ``ledger.csv`` and ``profiles.nc`` to write.
    previous, previous_profiles
        Those of the round before; None for the first.
    trainings, rsas
        ``training.json`` and ``rsa.nc`` of the round's slots; with successive halving those of the first
        rung, then of the second, and so on: of every candidate the last counts.
    guidance_settings
        The arm's guidance.
    targets, observed
        Names of the targets of the teacher, and of the observed second teacher, in their order.
    layer_choice
        As in ``scoring``.
    """
    table, profiles = measured_round(
        trainings, rsas, targets=targets, observed=observed, layer_choice=layer_choice
    )
    if previous is not None and previous_profiles is not None:
        table = pd.concat([ledger.read(previous), table], ignore_index=True)
        profiles = profile_files.joined([profile_files.load(previous_profiles), profiles])
    profiles = profile_files.aligned(profiles, table)
    table["score"] = scores_of(guidance_settings, table, profiles, out)
    profile_files.save(profiles, profiles_out)
    ledger.write(table, out)


def collect_finalists(
    out: PathLike,
    *,
    ledger_path: PathLike,
    proposals_path: PathLike,
    trainings: Sequence[PathLike],
    rsas: Sequence[PathLike],
    targets: Sequence[str],
    layer_choice: str,
    observed: Sequence[str] = (),
) -> None:
    """Write ``finalists.csv``: what each finalist measured when premature and when mature.

    ``candidate`` is the one of the ledger; ``architecture`` the one that was trained to maturity, which may
    be a variant of it.
    """
    table = ledger.read(ledger_path).drop_duplicates("candidate").set_index("candidate")
    rows = []
    stages = zip(proposals(proposals_path), trainings, rsas, strict=True)
    for rank, (proposal, training, rsa) in enumerate(stages, start=1):
        mature = measurement(training, rsa, layer_choice)
        early = table.loc[proposal["searched"]]
        row: dict[str, Any] = {
            "rank": rank,
            "candidate": proposal["searched"],
            "round": int(early["round"]),
            "slot": int(early["slot"]),
            "architecture": mature["architecture"],
            "premature_accuracy": early["accuracy"],
            "premature_tg": early["tg"],
            "premature_score": early["score"],
        }
        names = ["status", "accuracy", "loss", "tg"]
        names += [f"{column}_{target}" for target in targets for column in ("tg", "layer")]
        names += ["observed_tg"] if observed else []
        names += [f"observed_{column}_{target}" for target in observed for column in ("tg", "layer")]
        names += ["parameters", "flops", "examples", "seconds"]
        rows.append(row | {name: mature.get(name) for name in names})
    with replacing(out) as temporary:
        pd.DataFrame(rows).to_csv(temporary, index=False, lineterminator="\n")
