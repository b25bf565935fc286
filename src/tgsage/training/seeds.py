"""Where the random streams of a candidate start: its seed, and its initial weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch

from ..store.hashing import seed_from
from .devices import own_randomness

if TYPE_CHECKING:
    from ..spaces import Architecture
    from .data import LearningTask
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


class CandidateSpace(Protocol):
    """What training reads of a :class:`tgsage.spaces.Space`."""

    def canonical(self, arch: Architecture) -> Architecture:
        """Return the representative of all architectures that are the same function."""
        ...

    def key(self, arch: Architecture) -> str:
        """Return a digest of the function."""
        ...

    def format(self, arch: Architecture) -> str:
        """Return the architecture as text."""
        ...

    def build(self, arch: Architecture, n_classes: int, /) -> torch.nn.Module:
        """Build the network with parameters drawn from torch's current generator."""
        ...


def candidate_seed(space: CandidateSpace, arch: Architecture, recipe: Recipe, task: LearningTask) -> int:
    """Return the seed of all random streams of a candidate of the pipeline.

    A hash of the training seed, the canonical architecture, the task's content and the recipe (without the
    fields in :data:`NOT_IN_THE_SEED`): one architecture has one result, whichever arm, round or search asks.
    """
    settings = {name: value for name, value in recipe.keyed().items() if name not in NOT_IN_THE_SEED}
    canonical = space.canonical(arch)
    return seed_from(
        "candidate", recipe.seed, space.key(canonical), space.format(canonical), task.digest, settings
    )


def initial_module(space: CandidateSpace, arch: Architecture, n_classes: int, seed: int) -> torch.nn.Module:
    """Build an architecture with parameters drawn from ``seed``, leaving torch's generator as it was."""
    with own_randomness(seed_from("initial weights", seed), torch.device("cpu")):
        return space.build(arch, n_classes)
