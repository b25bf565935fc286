"""What a person sees while a search runs."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from .. import guidance
from ..errors import TgsageError
from ..runs import ledger
from ..runs import profiles as profile_files
from ..runs import rsa as scored_files
from ..runs.files import PathLike, read_json
from .collect import measured_round, measurement

_ROUND = re.compile(r"round_(\d+)")
_RUNG = re.compile(r"rung_(\d+)")


def measured(folder: PathLike, layer_choice: str, lag: int = 0) -> tuple[pd.DataFrame, xr.Dataset | None]:
    """Every candidate of a search that was scored so far, with or without a ledger of its round.

    Parameters
    ----------
    folder
        ``results/<run>/search/<arm>/seed_<s>``.
    layer_choice, lag
        As in the search's ``search.json``.

    Returns
    -------
    tuple
        Ledger rows without scores, in order of round and slot; their profiles (None without candidates).
    """
    folder = Path(folder)
    collected, rounds = _current_rounds(folder, lag)
    scored = [
        rsa
        for number in rounds
        for rsa in _scored(folder / f"round_{number}")
        if rsa.with_name("training.json").exists()
    ]
    table = ledger.read(collected) if collected is not None else ledger.build([], [])
    profiles = None if collected is None else profile_files.load(collected.with_name("profiles.nc"))
    if scored:
        first = scored_files.load(scored[0])
        second = scored_files.observed_part(first)
        rows, fresh = measured_round(
            [rsa.with_name("training.json") for rsa in scored],
            scored,
            targets=[str(name) for name in first["target"].values],
            observed=[] if second is None else [str(name) for name in second["target"].values],
            layer_choice=layer_choice,
        )
        table = rows if collected is None else pd.concat([table, rows], ignore_index=True)
        profiles = fresh if profiles is None else profile_files.joined([profiles, fresh])
    return table, profiles


def _scored(folder: Path) -> list[Path]:
    """What was scored of a round, rung after rung."""
    rungs = sorted(folder.glob("rung_*"), key=lambda rung: int(rung.name.removeprefix("rung_")))
    return [rsa for rung in (folder, *rungs) for rsa in sorted(rung.glob("slot_*/rsa.nc"))]


def scored_ledger(folder: PathLike, told: Mapping[str, Any]) -> pd.DataFrame:
    """What :func:`measured` finds, with scores.

    Parameters
    ----------
    folder
        As for :func:`measured`.
    told
        Content of the search's ``search.json``.
    """
    table, profiles = measured(folder, told["layer_choice"], told["lag"])
    if profiles is not None:
        table["score"] = guidance.get(told["guidance"])(table, profile_files.aligned(profiles, table))
    return table


def _current_rounds(folder: Path, lag: int) -> tuple[Path | None, list[int]]:
    """The last ledger that is still true, and the rounds after it that are under way.

    When a search runs again after a change, files of its earlier run are there until their jobs have run. A
    round's proposals are of this run if they are not older than the ledger they were made from; its ledger
    is, if it is not older than the measurements it collects.
    """
    ledgers: dict[int, Path] = {}
    under_way: list[int] = []
    number = 0
    while (proposals := folder / f"round_{number}" / "proposals.json").exists():
        heard = ledgers.get(number - 1 - lag)
        if number - 1 - lag >= 0 and (heard is None or _time(proposals) < _time(heard)):
            break
        path = proposals.with_name("ledger.csv")
        measured = _scored(proposals.parent)
        if not under_way and path.exists() and all(_time(rsa) <= _time(path) for rsa in measured):
            ledgers[number] = path
        else:
            under_way.append(number)
        number += 1
    return (ledgers[max(ledgers)] if ledgers else None), under_way


def _time(path: Path) -> int:
    return path.stat().st_mtime_ns


def announce(rsa: PathLike, settings: Mapping[str, Any] | PathLike, log: PathLike | None = None) -> str:
    """Tell a person about a candidate that was just scored: one line on stderr, and in ``log``.

    Of a round's candidate: round, accuracy, teacher guidance, score, best score so far and an estimate of the
    time left: the mean wall clock per candidate since the search was last taken up, times what is left. Of a
    finalist or the winner: accuracy on the validation images (unless it was trained on them).

    Parameters
    ----------
    rsa
        The candidate's ``rsa.nc``, beside its ``training.json``.
    settings
        The search's ``search.json``, or its content.

    Returns
    -------
    str
        The line.
    """
    slot_folder = Path(rsa).parent
    told = settings if isinstance(settings, Mapping) else read_json(settings)
    record = read_json(slot_folder / "training.json")
    row = measurement(slot_folder / "training.json", rsa, told["layer_choice"])
    name = f"{told['arm']} seed {told['seed']}"
    stage = slot_folder.parent.name
    rung = _RUNG.fullmatch(stage)
    round_folder = slot_folder.parent.parent if rung else slot_folder.parent
    if _ROUND.fullmatch(round_folder.name):
        line = _candidate_line(name, round_folder.parent, row, told, rsa, int(rung[1]) if rung else 0)
    else:
        seen = record["recipe"]["images"] == "train+validation"
        body = "trained in full" if seen else f"mature accuracy {row.get('accuracy', float('nan')):.3f}"
        line = f"{name}  {stage} {record['slot']}  " + (body if row["status"] == "ok" else _why(row, rsa))
    print(line, file=sys.stderr, flush=True)
    if log is not None:
        with open(log, "a", encoding="utf-8") as handle:
            handle.write(line + "\n")
    return line


def _candidate_line(
    name: str, folder: Path, row: dict[str, Any], told: Mapping[str, Any], rsa: PathLike, rung: int
) -> str:
    table = scored_ledger(folder, told)
    mine = table[(table["round"] == row["round"]) & (table["slot"] == row["slot"])].iloc[0]
    done, total = len(table), told["total"]
    left = _seconds_per_candidate(folder, table) * (total - done)
    if mine["status"] != "ok":
        body = _why(row, rsa)
    else:
        similarity = f"  TG {mine['tg']:.3f}" if pd.notna(mine["tg"]) else ""
        body = f"accuracy {mine['accuracy']:.3f}{similarity}  score {mine['score']:.3f}"
    step = f" rung {rung}" if rung else ""
    return (
        f"{name}  round {mine['round']}{step} slot {mine['slot']}  ({done}/{total})  {body}  "
        f"best {table['score'].max():.3f}  {_duration(left)} left"
    )


def _seconds_per_candidate(folder: Path, table: pd.DataFrame) -> float:
    """Mean wall clock per candidate since the search was last taken up.

    A pause shows as a gap between two measurements that is much longer than a candidate takes.
    """
    slots = zip(table["round"], table["slot"], strict=True)
    paths = [folder / f"round_{number}" / f"slot_{slot}" / "rsa.nc" for number, slot in slots]
    times = sorted(path.stat().st_mtime for path in paths if path.exists())
    pause = 60 + 10 * float(table["seconds"].max())
    first = len(times) - 1
    while first > 0 and times[first] - times[first - 1] < pause:
        first -= 1
    if len(times) - first > 1:
        return (times[-1] - times[first]) / (len(times) - first - 1)
    return float(table["seconds"].mean())


def _why(row: dict[str, Any], rsa: PathLike) -> str:
    return f"{row['status']}: {scored_files.load(rsa).attrs['reason']}"


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(max(seconds, 0)), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {seconds:02d} s" if minutes else f"{seconds} s"


def leaderboard(run_folder: PathLike, top: int = 10) -> list[dict[str, Any]]:
    """What every search of a run has found so far; works while it runs.

    Returns
    -------
    list
        Per search: ``arm``, ``seed``, ``done``, ``rounds``, ``counts`` (status to number), ``table`` (best
        candidates first) and ``final`` (the content of ``final.json``, or None).

    Raises
    ------
    TgsageError
        If the folder holds no search.
    """
    run_folder = Path(run_folder)
    found = []
    for folder in sorted(run_folder.glob("search/*/seed_*")):
        settings = folder / "search.json"
        if not settings.exists():
            continue
        told = read_json(settings)
        table = scored_ledger(folder, told)
        final = folder / "final.json"
        found.append(
            {
                "arm": folder.parent.name,
                "seed": int(folder.name.removeprefix("seed_")),
                "done": len(table),
                "total": told["total"],
                "counts": table["status"].value_counts().to_dict(),
                "table": table.sort_values("score", ascending=False, kind="stable").head(top),
                "final": read_json(final) if final.exists() else None,
            }
        )
    if not found:
        raise TgsageError(f"{run_folder}: no search has begun there; name a folder like results/default")
    return found
