"""What a person sees while a search runs."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from .. import guidance, ledger
from ..config.guidance import Guidance
from ..errors import TgsageError
from ..scoring import rsa as scored_files
from .collect import measurement
from .files import PathLike, read_json

_ROUND = re.compile(r"round_(\d+)")


def measured(folder: PathLike, layer_choice: str, lag: int = 0) -> pd.DataFrame:
    """Every candidate of a search that was scored so far, with or without a ledger of its round.

    Parameters
    ----------
    folder
        ``results/<run>/search/<arm>/seed_<s>``.
    layer_choice, lag
        As in the search's ``search.json``.

    Returns
    -------
    DataFrame
        Ledger rows without scores, in order of round and slot.
    """
    folder = Path(folder)
    collected, rounds = _current_rounds(folder, lag)
    rows = [
        measurement(rsa.with_name("training.json"), rsa, layer_choice)
        for number in rounds
        for rsa in sorted((folder / f"round_{number}").glob("slot_*/rsa.nc"))
        if rsa.with_name("training.json").exists()
    ]
    targets = list(dict.fromkeys(name[3:] for row in rows for name in row if name.startswith("tg_")))
    if collected is None:
        return ledger.build(rows, targets)
    table = ledger.read(collected)
    if not rows:
        return table
    return pd.concat([table, ledger.build(rows, ledger.targets(table))], ignore_index=True)


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
        measured = list(proposals.parent.glob("slot_*/rsa.nc"))
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
    if _ROUND.fullmatch(stage):
        line = _candidate_line(name, slot_folder.parent.parent, row, told)
    else:
        seen = record["recipe"]["images"] == "train+validation"
        body = "trained in full" if seen else f"mature accuracy {row.get('accuracy', float('nan')):.3f}"
        line = f"{name}  {stage} {record['slot']}  " + (body if row["status"] == "ok" else _why(row, rsa))
    print(line, file=sys.stderr, flush=True)
    if log is not None:
        with open(log, "a", encoding="utf-8") as handle:
            handle.write(line + "\n")
    return line


def _candidate_line(name: str, folder: Path, row: dict[str, Any], told: Mapping[str, Any]) -> str:
    table = measured(folder, told["layer_choice"], told["lag"])
    table["score"] = guidance.get(Guidance(**told["guidance"]))(table)
    mine = table[(table["round"] == row["round"]) & (table["slot"] == row["slot"])].iloc[0]
    done, total = len(table), told["total"]
    left = _seconds_per_candidate(folder, table) * (total - done)
    if mine["status"] != "ok":
        body = _why(row, folder / f"round_{row['round']}/slot_{row['slot']}/rsa.nc")
    else:
        similarity = f"  TG {mine['tg']:.3f}" if pd.notna(mine["tg"]) else ""
        body = f"accuracy {mine['accuracy']:.3f}{similarity}  score {mine['score']:.3f}"
    return (
        f"{name}  round {mine['round']} slot {mine['slot']}  ({done}/{total})  {body}  "
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
        table = measured(folder, told["layer_choice"], told["lag"])
        if len(table):
            table["score"] = guidance.get(Guidance(**told["guidance"]))(table)
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
