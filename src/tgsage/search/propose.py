"""Which architectures come next: proposals of rounds, of finalists and of the final training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from .. import ledger, samplers, spaces
from ..errors import TgsageError
from ..store import write_json
from .files import PathLike, read_json


def propose_round(
    out: PathLike,
    *,
    space: Any,
    sampler: Any,
    n: int,
    run: str,
    arm: str,
    seed: int,
    round: int,
    ledger_path: PathLike | None,
    pending: Sequence[PathLike] = (),
) -> None:
    """Write the proposals of one round.

    Parameters
    ----------
    out
        ``proposals.json`` to write.
    space, sampler
        Settings of the space and of the sampler.
    n
        Number of slots.
    seed
        Search seed.
    round
        Number of this round, from 0.
    ledger_path
        Cumulative ledger of the rounds that may be learnt from; None in the first rounds.
    pending
        ``proposals.json`` of rounds whose results are not in that ledger.
    """
    chosen = spaces.get(space)
    known = ledger.read(ledger_path) if ledger_path is not None else ledger.build([], [])
    waiting = [
        chosen.parse(proposal["architecture"])
        for path in pending
        for proposal in read_json(path)["proposals"]
    ]
    proposed = samplers.get(sampler).propose(chosen, known, n, seed, round=round, pending=waiting)
    _write_proposals(out, chosen, proposed, run=run, arm=arm, seed=seed, round=round, stage=f"round_{round}")


def _write_proposals(out: PathLike, space: Any, architectures: Sequence[Any], **where: Any) -> None:
    proposals = [
        {"slot": slot, "candidate": space.key(item), "architecture": space.format(item)}
        for slot, item in enumerate(architectures)
    ]
    write_json(out, {**where, "proposals": proposals})


def propose_finalists(
    out: PathLike, *, space: Any, ledger_path: PathLike, top: int, run: str, arm: str, seed: int
) -> None:
    """Write the best ``top`` candidates of a ledger as proposals; ties go to the earlier candidate.

    Raises
    ------
    TgsageError
        If fewer candidates have a score.
    """
    chosen = spaces.get(space)
    table = ledger.read(ledger_path)
    best = table[table["status"] == "ok"].dropna(subset="score").drop_duplicates("candidate")
    best = best.sort_values(["score", "round", "slot"], ascending=[False, True, True], kind="stable").head(
        top
    )
    if len(best) < top:
        reasons = table.loc[table["status"] != "ok", "status"].value_counts().to_dict()
        raise TgsageError(
            f"{ledger_path}: {len(best)} candidates have a score, search.finalists.top asks for {top}; "
            f"others: {reasons or 'none'}; raise the number of candidates or lower search.finalists.top"
        )
    _write_proposals(
        out, chosen, [chosen.parse(text) for text in best["architecture"]],
        run=run, arm=arm, seed=seed, round=-1, stage="finalists",
    )  # fmt: skip


def propose_best(
    out: PathLike, *, space: Any, finalists_path: PathLike, run: str, arm: str, seed: int
) -> None:
    """Write the finalist with the highest mature validation accuracy as the final stage's one proposal."""
    chosen = spaces.get(space)
    table = pd.read_csv(finalists_path, dtype={"candidate": str})
    table = table[table["status"] == "ok"].dropna(subset="accuracy")
    if table.empty:
        raise TgsageError(f"{finalists_path}: no finalist ended its training; see its training.json for why")
    best = table.sort_values(["accuracy", "rank"], ascending=[False, True], kind="stable").iloc[0]
    _write_proposals(
        out, chosen, [chosen.parse(best["architecture"])],
        run=run, arm=arm, seed=seed, round=-1, stage="final",
    )  # fmt: skip
