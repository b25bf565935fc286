"""Successive halving: which candidates of a round go on to the next rung.

Jamieson & Talwalkar 2016, with checkpoints of one schedule as rungs: a candidate that goes on continues its
own training. The judge is the arm's guidance, over the candidates of the rung alone: they were all trained as
long.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..runs.layout import round_stage
from ..runs.records import PathLike, read_proposals, write_record
from .collect import read_measured, scores_of, tabulate

if TYPE_CHECKING:
    from ..runs.settings import GuidanceSettings, Measuring


def promote(
    promoted: PathLike,
    *,
    proposals: PathLike,
    trainings: Sequence[PathLike],
    rsas: Sequence[PathLike],
    n: int,
    rung: int,
    measuring: Measuring,
    guidance: GuidanceSettings,
) -> None:
    """Write the ``proposals.json`` of a rung: the best n of the rung before, best first.

    Ties go to the earlier slot. Where fewer than n have a score, the others follow in the order of their
    slots: a failed candidate has its failure in the store and costs nothing again.

    Parameters
    ----------
    promoted
        ``round_<r>/rung_<q>/proposals.json`` to write. Its proposals keep the slots that they had in the
        round.
    proposals, trainings, rsas
        Those of the rung before.
    n
        How many go on.
    rung
        Number of the rung that is written, from 1.
    measuring, guidance
        As for :func:`tgsage.search.collect_round`.
    """
    measured = read_measured(trainings, rsas)
    table, profiles = tabulate(measured, measuring.scoring, measuring.targets, measuring.observed)
    table["score"] = scores_of(guidance, table, profiles, promoted)
    best = table.sort_values(["score", "slot"], ascending=[False, True], kind="stable", na_position="last")
    before = read_proposals(proposals)
    by_slot = {proposal["slot"]: proposal for proposal in before["proposals"]}
    write_record(
        "proposals",
        promoted,
        {
            **before,
            "stage": round_stage(before["round"], rung),
            "proposals": [by_slot[slot] for slot in best["slot"].head(n)],
        },
    )
