"""What a person sees while a search runs."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import pandas as pd
import xarray as xr

from .. import guidance
from ..errors import TgsageError
from ..runs import ledger as ledger_table
from ..runs import profiles as profile_files
from ..runs import rsa as rsa_file
from ..runs.layout import PackFolder, RunFolder, SearchFolder, StageFolder
from ..runs.records import Final, PathLike, Training, read_final, read_settings, read_trainings
from .collect import measurement, read_measured, tabulate

if TYPE_CHECKING:
    from ..runs.settings import SearchSettings


def scored_ledger(search: SearchFolder, settings: SearchSettings) -> pd.DataFrame:
    """Return the ledger of every candidate that was scored so far, with or without a ledger of its round."""
    collected, under_way = _current_rounds(search, settings.lag)
    table = ledger_table.read_rounds([stage.measurements for stage in collected])
    needs_profiles = settings.guidance.needs_profiles
    profiles = [profile_files.load(stage.profiles) for stage in collected] if needs_profiles else []
    packs = [pack for stage in under_way for pack in _scored(stage)]
    candidates = list(read_measured([pack.training for pack in packs], [pack.rsa for pack in packs]))
    if candidates:
        _, first = candidates[0]
        targets, observed = (
            [] if one is None else [str(name) for name in one["target"].values]
            for one in (first, rsa_file.observed_part(first))
        )
        rows, fresh = tabulate(candidates, settings.scoring, targets, observed)
        table = pd.concat([table, rows], ignore_index=True) if collected else rows
        profiles += [fresh] if needs_profiles else []
    if len(table):
        aligned = profile_files.aligned(profile_files.joined(profiles), table) if profiles else None
        table["score"] = guidance.get(settings.guidance)(table, aligned)
    return table


def _scored(stage: StageFolder) -> list[PackFolder]:
    """What was scored of a round, rung after rung."""
    return [pack for rung in stage.rungs() for pack in rung.packs() if Path(pack.training).exists()]


def _current_rounds(search: SearchFolder, lag: int) -> tuple[list[StageFolder], list[StageFolder]]:
    """The rounds whose measurements are still true, and the rounds after them that are under way.

    When a search runs again after a change, files of its earlier run are there until their jobs have run. A
    round's proposals are of this run if they are not older than the measurements they were made from; these
    are, if they are not older than what they collect.
    """
    collected: list[StageFolder] = []
    under_way: list[StageFolder] = []
    for number in itertools.count():
        stage = search.round(number)
        heard = number - 1 - lag
        if not Path(stage.proposals).exists() or heard >= len(collected):
            break
        learnt_from = [_time(earlier.measurements) for earlier in collected[: max(heard + 1, 0)]]
        if _time(stage.proposals) < max(learnt_from, default=0):
            break
        is_collected = Path(stage.measurements).exists() and all(
            _time(pack.rsa) <= _time(stage.measurements) for pack in _scored(stage)
        )
        (collected if is_collected and not under_way else under_way).append(stage)
    return collected, under_way


def _time(path: str) -> int:
    return os.stat(path).st_mtime_ns


def announce(
    rsa: PathLike, *, training: PathLike, search: SearchSettings, log: PathLike | None = None
) -> list[str]:
    """Tell a person about a pack that was just scored: one line per candidate on stderr, and in ``log``.

    Of a round's candidate: round, accuracy, teacher guidance, score, best score so far and an estimate of the
    time left. Of a finalist or the winner: accuracy on the validation images (unless it was trained on them).

    Parameters
    ----------
    rsa, training
        The pack's ``rsa.nc`` and ``training.json``.
    search
        What the search is.

    Returns
    -------
    list
        The lines.
    """
    stage = Path(training).parent.parent
    candidates = list(zip(read_trainings(training), rsa_file.load(rsa), strict=True))
    if all(record["round"] >= 0 for record, _ in candidates):
        bodies = _candidate_lines(stage, candidates, search)
    else:
        bodies = (_mature_line(stage.name, record, scored, search) for record, scored in candidates)
    lines = [f"{search.arm} seed {search.seed}  {body}" for body in bodies]
    print(*lines, sep="\n", file=sys.stderr, flush=True)
    if log is not None:
        with open(log, "a", encoding="utf-8") as handle:
            handle.writelines(f"{line}\n" for line in lines)
    return lines


def _mature_line(stage: str, record: Training, rsa: xr.Dataset, search: SearchSettings) -> str:
    row = measurement(record, rsa, search.scoring)
    if row["status"] != "ok":
        body = f"{row['status']}: {rsa.attrs['reason']}"
    elif record["recipe"]["images"] == "train+validation":
        body = "trained in full"
    else:
        body = f"mature accuracy {row['accuracy']:.3f}"
    return f"{stage} {record['slot']}  {body}"


def _candidate_lines(
    stage: Path, candidates: list[tuple[Training, xr.Dataset]], search: SearchSettings
) -> Iterable[str]:
    rung = f" rung {stage.name.removeprefix('rung_')}" if stage.name.startswith("rung_") else ""
    folder = SearchFolder(str(stage.parent.parent if rung else stage.parent))
    table = scored_ledger(folder, search)
    rows = {(row["round"], row["slot"]): row for row in table.to_dict("records")}
    best = table["score"].max()
    left = _duration(_seconds_per_candidate(folder, table) * (search.total - len(table)))
    first = len(table) - len(candidates) + 1
    for number, (record, rsa) in enumerate(candidates, start=first if not rung else len(table)):
        row = rows[record["round"], record["slot"]]
        if row["status"] != "ok":
            body = f"{row['status']}: {rsa.attrs['reason']}"
        else:
            similarity = f"  TG {row['tg']:.3f}" if pd.notna(row["tg"]) else ""
            body = f"accuracy {row['accuracy']:.3f}{similarity}  score {row['score']:.3f}"
        yield (
            f"round {record['round']}{rung} slot {record['slot']}  "
            f"({min(number, len(table))}/{search.total})  {body}  best {best:.3f}  {left} left"
        )


def _seconds_per_candidate(folder: SearchFolder, table: pd.DataFrame) -> float:
    """Wall clock per candidate, from the proposals of a round to its last measurement.

    A pause falls into a round, which then seems slow; so the fastest round counts.
    """
    rates = [float(table["seconds"].mean())]
    for number, candidates in table["round"].value_counts().items():
        stage = folder.round(int(str(number)))
        times = [_time(pack.rsa) for pack in _scored(stage)]
        if times:
            rates.append((max(times) - _time(stage.proposals)) / 1e9 / candidates)
    return min(rates[1:], default=rates[0])


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(max(seconds, 0)), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {seconds:02d} s" if minutes else f"{seconds} s"


class Standing(TypedDict):
    """How a search stands."""

    arm: str
    seed: int
    done: int
    total: int
    counts: dict[str, int]
    """Candidates by status."""
    processors: list[str]
    """Kinds of processors that trained them."""
    table: pd.DataFrame
    """Best candidates first."""
    final: Final | None


def leaderboard(run_folder: PathLike, top: int = 10) -> list[Standing]:
    """What every search of a run has found so far; works while it runs.

    Raises
    ------
    TgsageError
        If the folder holds no search.
    """
    folders = RunFolder(os.fspath(run_folder)).searches()
    if not folders:
        raise TgsageError(f"{run_folder}: no search has begun there; name a folder like results/default")
    return [_standing(folder, top) for folder in folders]


def _standing(folder: SearchFolder, top: int) -> Standing:
    settings = read_settings(folder.settings)
    table = scored_ledger(folder, settings)
    counts: dict[Any, int] = table["status"].value_counts().to_dict()
    return {
        "arm": settings.arm,
        "seed": settings.seed,
        "done": len(table),
        "total": settings.total,
        "counts": counts,
        "processors": ledger_table.processors(table),
        "table": table.sort_values("score", ascending=False, kind="stable").head(top),
        "final": read_final(folder.final) if Path(folder.final).exists() else None,
    }
