"""Which architectures come next: proposals of rounds, of finalists and of the final training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .. import samplers, spaces
from ..errors import TgsageError
from ..runs import finalists as finalists_table
from ..runs import ledger as ledger_table
from ..runs.layout import FINAL, FINALISTS, round_stage
from ..runs.records import PathLike, Proposal, read_proposals, write_record
from .collect import judged

if TYPE_CHECKING:
    import pandas as pd

    from ..runs.settings import GuidanceSettings, Maturing, Proposing, SearchIdentity
    from ..spaces.base import Space


def propose_round(
    proposals: PathLike,
    *,
    search: SearchIdentity,
    proposing: Proposing,
    round: int,
    guidance: GuidanceSettings | None = None,
    measurements: Sequence[PathLike] = (),
    round_profiles: Sequence[PathLike] = (),
    pending: Sequence[PathLike] = (),
) -> None:
    """Write the proposals of one round.

    Parameters
    ----------
    proposals
        ``proposals.json`` to write.
    search
        Whose round it is.
    proposing
        Space, sampler and number of slots.
    round
        Number of this round, from 0.
    guidance, measurements, round_profiles
        As for :func:`tgsage.search.judged`, of the rounds that may be learnt from; none in the first rounds,
        which need no guidance.
    pending
        ``proposals.json`` of rounds whose results are not among these.
    """
    space = spaces.get(proposing.space)
    table = None
    if guidance is not None:
        table, _ = judged(measurements, round_profiles, guidance, proposals)
    waiting = [
        space.parse(one["architecture"]) for path in pending for one in read_proposals(path)["proposals"]
    ]
    sampler = samplers.get(proposing.sampler)
    proposed = sampler.propose(space, table, proposing.n, search.seed, round=round, pending=waiting)
    slots = [_proposal(space, slot, arch) for slot, arch in enumerate(proposed)]
    _write(proposals, search, round, round_stage(round), slots)


def _write(path: PathLike, search: SearchIdentity, round: int, stage: str, proposals: list[Proposal]) -> None:
    of_search = {"run": search.run, "arm": search.arm, "seed": search.seed}
    write_record("proposals", path, {**of_search, "round": round, "stage": stage, "proposals": proposals})


def _mature_proposals(candidates: pd.DataFrame, maturing: Maturing) -> list[Proposal]:
    """Proposals of a stage that trains candidates to maturity."""
    space, transform = spaces.get(maturing.space), maturing.transform
    if transform is not None and not hasattr(space, transform):
        raise TgsageError(f"space {space.name} knows no transform {transform!r}; leave transform out")
    mature: list[Proposal] = []
    rows = zip(candidates["candidate"], candidates["architecture"], strict=True)
    for slot, (searched, text) in enumerate(rows):
        arch = space.parse(text)
        if transform is not None:
            arch = getattr(space, transform)(arch)
        mature.append({**_proposal(space, slot, space.canonical(arch)), "searched": searched})
    return mature


def _proposal(space: Space, slot: int, arch: Any) -> Proposal:
    return {"slot": slot, "candidate": space.key(arch), "architecture": space.format(arch)}


def propose_finalists(
    proposals: PathLike, *, search: SearchIdentity, ledger: PathLike, maturing: Maturing, top: int
) -> None:
    """Write the best ``top`` candidates of a ledger as proposals; ties go to the earlier candidate.

    Parameters
    ----------
    proposals, search
        As in :func:`propose_round`.
    ledger
        The search's ledger.
    maturing
        The space in which finalists are trained, and what is done to every architecture first.
    top
        How many.

    Raises
    ------
    TgsageError
        If fewer candidates have a score.
    """
    table = ledger_table.read(ledger)
    best = table[table["status"] == "ok"].dropna(subset="score").drop_duplicates("candidate")
    order = ["score", "round", "slot"]
    best = best.sort_values(order, ascending=[False, True, True], kind="stable").head(top)
    if len(best) < top:
        reasons = table.loc[table["status"] != "ok", "status"].value_counts().to_dict()
        raise TgsageError(
            f"{ledger}: {len(best)} candidates have a score, search.finalists.top asks for {top}; "
            f"others: {reasons or 'none'}; raise the number of candidates or lower search.finalists.top"
        )
    _write(proposals, search, -1, FINALISTS, _mature_proposals(best, maturing))


def propose_best(
    proposals: PathLike, *, search: SearchIdentity, finalists: PathLike, maturing: Maturing
) -> None:
    """Write the finalist with the highest mature validation accuracy as the final stage's one proposal.

    Parameters
    ----------
    proposals, search
        As in :func:`propose_round`.
    finalists
        ``finalists.csv``; the architecture is the one that the finalist was trained with.
    maturing
        As in :func:`propose_finalists`, of the final stage.

    Raises
    ------
    TgsageError
        If no finalist ended its training.
    """
    table = finalists_table.read(finalists)
    table = table[table["status"] == "ok"].dropna(subset="accuracy")
    if table.empty:
        raise TgsageError(f"{finalists}: no finalist ended its training; see its training.json for why")
    best = table.sort_values(["accuracy", "rank"], ascending=[False, True], kind="stable").head(1)
    _write(proposals, search, -1, FINAL, _mature_proposals(best, maturing))
