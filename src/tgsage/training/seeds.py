"""Where the random streams of a candidate start: its seed, and its initial weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from ..store.hashing import seed_from
from .devices import own_randomness

if TYPE_CHECKING:
    from ..spaces import Architecture, Space
    from ..tasks import Task
    from .settings import Recipe

NOT_IN_THE_SEED = frozenset(
    {
        "average",
        "recompute_batchnorm",
        "checkpoints",
        "stop",
        "precision",
        "channels_last",
        "threads",
        "timeout_seconds",
    }
)
"""Fields of a recipe that say what is kept or how it is computed: they leave order and start as they were."""


def candidate_seed(space: Space, arch: Architecture, recipe: Recipe, task: Task) -> int:
    """Return the seed of all random streams of a candidate of the pipeline.

    A hash of the training seed, the canonical architecture, the task's content and the recipe (without the
    fields in :data:`NOT_IN_THE_SEED`): one architecture has one result, whichever arm, round or search asks.
    """
    canonical = space.canonical(arch)
    return recorded_seed(space.key(canonical), space.format(canonical), recipe, task.digest)


def recorded_seed(space_key: str, architecture: str, recipe: Recipe, task: str) -> int:
    """Return the seed of a candidate from the key and text of its canonical form and the task's digest."""
    settings = {name: value for name, value in recipe.keyed().items() if name not in NOT_IN_THE_SEED}
    return seed_from("candidate", recipe.seed, space_key, architecture, task, settings)


def initial_module(space: Space, arch: Architecture, n_classes: int, seed: int) -> torch.nn.Module:
    """Build an architecture with parameters drawn from ``seed``, leaving torch's generator as it was."""
    with own_randomness(seed_from("initial weights", seed), torch.device("cpu")):
        return space.build(arch, n_classes)
