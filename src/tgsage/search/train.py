"""Training a pack of candidates, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..runs.records import PathLike, read_proposals, write_trainings
from ..training import train_candidate

if TYPE_CHECKING:
    from ..runs.settings import Recipe, SpaceSettings


def train_pack(
    training: PathLike,
    *,
    proposals: PathLike,
    positions: Sequence[int],
    task: PathLike,
    space: SpaceSettings,
    recipe: Recipe,
    store: PathLike,
    device: str,
    earlier: Sequence[float] = (),
) -> None:
    """Train some of a stage's proposals, or take them from the store, and write ``training.json``.

    Parameters
    ----------
    training
        ``training.json`` to write.
    proposals, positions
        ``proposals.json`` of the stage, and which of its proposals, counted from 0.
    task, space, recipe, store, device, earlier
        As in :func:`tgsage.training.train_candidate`.
    """
    stage = read_proposals(proposals)
    write_trainings(
        training,
        [
            train_candidate(
                stage["proposals"][position], recipe, task, space, store, device,
                round=stage["round"], earlier=earlier,
            )
            for position in positions
        ],
    )  # fmt: skip
