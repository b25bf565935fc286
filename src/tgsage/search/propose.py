"""Which architectures come next: proposals of rounds, of finalists and of the final training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from .. import samplers, spaces
from ..errors import TgsageError
from ..runs import ledger
from ..runs.files import PathLike, proposals
from ..store import write_json


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
    waiting = [chosen.parse(proposal["architecture"]) for path in pending for proposal in proposals(path)]
    proposed = samplers.get(sampler).propose(chosen, known, n, seed, round=round, pending=waiting)
    told = [
        {"slot": slot, "candidate": chosen.key(item), "architecture": chosen.format(item)}
        for slot, item in enumerate(proposed)
    ]
    where = {"run": run, "arm": arm, "seed": seed, "round": round, "stage": f"round_{round}"}
    write_json(out, {**where, "proposals": told})


def _matured(
    candidates: Sequence[tuple[str, str]], mature_space: Any, transform: str | None
) -> list[dict[str, Any]]:
    """Proposals of a stage that trains candidates to maturity, in that stage's space.

    Parameters
    ----------
    candidates
        Key in the search, and architecture, of each.
    mature_space
        Settings of the stage's space: the search's, or it with other widths, repeats or reductions.
    transform
        ``"separable"`` or None.
    """
    chosen = spaces.get(mature_space)
    if transform is not None and not hasattr(chosen, transform):
        raise TgsageError(f"space {chosen.name} knows no transform {transform!r}; leave transform out")
    told = []
    for slot, (searched, text) in enumerate(candidates):
        arch = chosen.parse(text)
        if transform is not None:
            arch = getattr(chosen, transform)(arch)
        arch = chosen.canonical(arch)
        told.append(
            {
                "slot": slot,
                "candidate": chosen.key(arch),
                "architecture": chosen.format(arch),
                "searched": searched,
            }
        )
    return told


def propose_finalists(
    out: PathLike,
    *,
    space: Any,
    ledger_path: PathLike,
    top: int,
    run: str,
    arm: str,
    seed: int,
    transform: str | None = None,
) -> None:
    """Write the best ``top`` candidates of a ledger as proposals; ties go to the earlier candidate.

    Parameters
    ----------
    space
        Settings of the space in which finalists are trained.
    transform
        What is done to every architecture first: ``"separable"`` or None.

    Raises
    ------
    TgsageError
        If fewer candidates have a score.
    """
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
    told = _matured(list(zip(best["candidate"], best["architecture"], strict=True)), space, transform)
    where = {"run": run, "arm": arm, "seed": seed, "round": -1, "stage": "finalists"}
    write_json(out, {**where, "proposals": told})


def propose_best(
    out: PathLike,
    *,
    space: Any,
    finalists_path: PathLike,
    run: str,
    arm: str,
    seed: int,
    transform: str | None = None,
) -> None:
    """Write the finalist with the highest mature validation accuracy as the final stage's one proposal.

    ``space`` and ``transform`` are those of the final stage; the architecture is the one that the finalist
    was trained with.
    """
    table = pd.read_csv(finalists_path, dtype={"candidate": str})
    table = table[table["status"] == "ok"].dropna(subset="accuracy")
    if table.empty:
        raise TgsageError(f"{finalists_path}: no finalist ended its training; see its training.json for why")
    best = table.sort_values(["accuracy", "rank"], ascending=[False, True], kind="stable").iloc[0]
    told = _matured([(best["candidate"], best["architecture"])], space, transform)
    where = {"run": run, "arm": arm, "seed": seed, "round": -1, "stage": "final"}
    write_json(out, {**where, "proposals": told})
