"""Successive halving: which candidates of a round go on to the next rung.

Jamieson & Talwalkar 2016, with checkpoints of one schedule as rungs: a candidate that goes on continues its
own training. The judge is the arm's guidance, over the candidates of the rung alone: they were all trained as
long.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..runs.files import PathLike, proposals, read_json
from ..store import write_json
from .collect import measured_round, scores_of


def promote(
    out: PathLike,
    *,
    proposals_path: PathLike,
    trainings: Sequence[PathLike],
    rsas: Sequence[PathLike],
    n: int,
    rung: int,
    guidance_settings: Any,
    targets: Sequence[str],
    layer_choice: str,
    observed: Sequence[str] = (),
) -> None:
    """Write the ``proposals.json`` of a rung: the best n of the rung before, best first.

    Ties go to the earlier slot. Where fewer than n have a score, the others follow in the order of their
    slots: a failed candidate has its failure in the store and costs nothing again.

    Parameters
    ----------
    out
        ``round_<r>/rung_<q>/proposals.json`` to write. Its proposals keep the slots that they had in the
        round.
    proposals_path, trainings, rsas
        Those of the rung before.
    n
        How many go on.
    rung
        Number of the rung that is written, from 1.
    guidance_settings, targets, layer_choice, observed
        As for :func:`tgsage.search.collect_round`.
    """
    table, profiles = measured_round(
        trainings, rsas, targets=targets, observed=observed, layer_choice=layer_choice
    )
    table["score"] = scores_of(guidance_settings, table, profiles, out)
    best = table.sort_values(["score", "slot"], ascending=[False, True], kind="stable", na_position="last")
    told = {proposal["slot"]: proposal for proposal in proposals(proposals_path)}
    before = read_json(proposals_path)
    where = {name: before[name] for name in ("run", "arm", "seed", "round")}
    going = [told[slot] for slot in best["slot"].head(n)]
    stage = f"round_{before['round']}/rung_{rung}"
    write_json(out, {**where, "stage": stage, "proposals": going})
