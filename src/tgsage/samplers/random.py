"""Uniform draws: the baseline of every comparison."""

from __future__ import annotations

from collections.abc import Callable

from ..spaces.base import Architecture
from .base import Sampler, Situation


class RandomSampler(Sampler):
    """Every choice drawn uniformly; nothing is learned from the ledger but what was seen."""

    name = "random"

    def begin(self, situation: Situation) -> Callable[[], Architecture]:
        return lambda: situation.space.sample(situation.rng)
