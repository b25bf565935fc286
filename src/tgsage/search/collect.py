"""From measurements to ledgers."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
import xarray as xr

from .. import guidance as guidances
from ..runs import finalists as finalists_table
from ..runs import ledger as ledger_table
from ..runs import profiles as profile_files
from ..runs import rsa as rsa_file
from ..runs.records import PathLike, Training, read_proposals, read_trainings
from ..store.processor import processor_words

if TYPE_CHECKING:
    from ..runs.settings import GuidanceSettings, Measuring, Scoring

Measured = tuple[Training, xr.Dataset]
"""What became of a candidate, and its similarity with the teacher."""

_OF_A_TRAINING = (
    "round", "slot", "candidate", "status", "architecture", "parameters", "flops", "examples",
    "training_loss_sum", "seconds",
)  # fmt: skip


def measurement(training: Training, rsa: xr.Dataset, scoring: Scoring) -> dict[str, Any]:
    """One candidate's ledger row, without its score.

    The status becomes ``invalid`` where a target has no finite layer.
    """
    row: dict[str, Any] = {name: value for name, value in training.items() if name in _OF_A_TRAINING}
    row["probes"] = training["n_probes"]
    facts = training.get("processor")
    row["processor"] = None if facts is None else processor_words(facts)
    if training["status"] == "ok":
        row["status"] = rsa.attrs["status"]
    if rsa.sizes["checkpoint"]:
        row["accuracy"] = float(rsa["accuracy"][-1])
        row["loss"] = float(rsa["loss"][-1])
        row |= _similarity(rsa, scoring)
        observed = rsa_file.observed_part(rsa)
        if observed is not None:
            row |= {f"observed_{name}": value for name, value in _similarity(observed, scoring).items()}
    return row


def _similarity(rsa: xr.Dataset, scoring: Scoring) -> dict[str, Any]:
    """The ledger's columns of one teacher."""
    if not rsa.sizes.get("target", 0):
        return {}
    scores, tg = rsa_file.target_scores(rsa, scoring)
    values = {f"tg_{target}": score.tg for target, score in scores.items()}
    return {"tg": tg, **values, **{f"layer_{target}": score.layer for target, score in scores.items()}}


def read_measured(trainings: Iterable[PathLike], rsas: Iterable[PathLike]) -> Iterator[Measured]:
    """Read the candidates of packs, in order."""
    for training, rsa in zip(trainings, rsas, strict=True):
        yield from zip(read_trainings(training), rsa_file.load(rsa), strict=True)


def tabulate(
    measured: Iterable[Measured], scoring: Scoring, targets: Sequence[str], observed: Sequence[str]
) -> tuple[pd.DataFrame, xr.Dataset]:
    """Return the ledger rows of candidates, without scores, and their profiles.

    Of a candidate that is there more than once (it went on to another rung) the last counts.
    """
    rows: dict[tuple[int, int], dict[str, Any]] = {}
    rsas: dict[tuple[int, int], xr.Dataset] = {}
    for training, rsa in measured:
        place = (training["round"], training["slot"])
        rows[place], rsas[place] = measurement(training, rsa, scoring), rsa
    profiles = profile_files.joined([profile_files.build(list(rsas), list(rsas.values()))])
    return ledger_table.build(rows.values(), targets, observed), profiles


def scores_of(
    settings: GuidanceSettings, table: pd.DataFrame, profiles: xr.Dataset | None, out: PathLike
) -> pd.Series[float]:
    """Score a ledger; what a person should know about the scores goes to stderr, with the file's name."""
    scores: pd.Series[float] = guidances.get(settings)(table, profiles)
    if "note" in scores.attrs:
        print(f"{out}: {scores.attrs['note']}", file=sys.stderr, flush=True)
    return scores


def collect_round(
    measurements: PathLike,
    profiles: PathLike,
    *,
    trainings: Sequence[PathLike],
    rsas: Sequence[PathLike],
    measuring: Measuring,
) -> None:
    """Write what a round's candidates measured, in slot order, and their profiles.

    Parameters
    ----------
    measurements, profiles
        ``measurements.csv`` and ``profiles.nc`` to write.
    trainings, rsas
        ``training.json`` and ``rsa.nc`` of the round's packs; with successive halving those of the first
        rung, then of the second, and so on: of every candidate the last counts.
    measuring
        How candidates are compared with which targets.
    """
    measured = read_measured(trainings, rsas)
    table, of_round = tabulate(measured, measuring.scoring, measuring.targets, measuring.observed)
    profile_files.save(profile_files.aligned(of_round, table), profiles)
    ledger_table.write_round(table, measurements)


def judged(
    measurements: Sequence[PathLike],
    profiles: Sequence[PathLike],
    guidance: GuidanceSettings,
    out: PathLike,
) -> tuple[pd.DataFrame, xr.Dataset | None]:
    """Return the ledger of some rounds, and the profiles of its candidates if any are given.

    Scores are made over all rows: a guidance may depend on all candidates so far. If these were trained on
    processors of several kinds, a line on stderr says so.

    Parameters
    ----------
    measurements, profiles
        ``measurements.csv`` and ``profiles.nc`` of the rounds, in their order. Profiles may be left out if
        the guidance needs none.
    guidance
        The arm's guidance.
    out
        File that is written, for messages.
    """
    table = ledger_table.read_rounds(measurements)
    parts = [profile_files.load(path) for path in profiles]
    aligned = profile_files.aligned(profile_files.joined(parts), table) if parts else None
    table["score"] = scores_of(guidance, table, aligned, out)
    processors = ledger_table.processors(table)
    if len(processors) > 1:
        kinds = "; ".join(processors)
        print(f"{out}: candidates were trained on processors of several kinds: {kinds}", file=sys.stderr)
    return table, aligned


def collect_search(
    ledger: PathLike,
    profiles: PathLike,
    *,
    measurements: Sequence[PathLike],
    round_profiles: Sequence[PathLike],
    guidance: GuidanceSettings,
) -> None:
    """Write the ledger of a search, in the order of rounds and slots, and the profiles of its candidates.

    Parameters
    ----------
    ledger, profiles
        ``ledger.csv`` and ``profiles.nc`` to write.
    measurements, round_profiles, guidance
        As for :func:`judged`, of all rounds.
    """
    table, of_search = judged(measurements, round_profiles, guidance, ledger)
    assert of_search is not None
    profile_files.save(of_search, profiles)
    ledger_table.write(table, ledger)


def collect_finalists(
    finalists: PathLike,
    *,
    ledger: PathLike,
    proposals: PathLike,
    trainings: Sequence[PathLike],
    rsas: Sequence[PathLike],
    measuring: Measuring,
) -> None:
    """Write ``finalists.csv``: what each finalist measured when premature and when mature.

    Parameters
    ----------
    finalists
        ``finalists.csv`` to write.
    ledger
        The search's ledger.
    proposals, trainings, rsas, measuring
        As in :func:`collect_round`, of the stage of the finalists.
    """
    premature = ledger_table.read(ledger).drop_duplicates("candidate").set_index("candidate")
    columns = finalists_table.columns(measuring.targets, measuring.observed)
    rows = []
    candidates = zip(read_proposals(proposals)["proposals"], read_measured(trainings, rsas), strict=True)
    for rank, (proposal, (training, rsa)) in enumerate(candidates, start=1):
        mature = measurement(training, rsa, measuring.scoring)
        early = premature.loc[proposal["searched"]]
        row = {name: mature[name] for name in columns if name in mature}
        row |= {
            "rank": rank,
            "candidate": proposal["searched"],
            "round": early["round"],
            "slot": early["slot"],
        }
        row |= {f"premature_{name}": early[name] for name in ("accuracy", "tg", "score")}
        rows.append(row)
    finalists_table.write(finalists_table.build(rows, measuring.targets, measuring.observed), finalists)
