"""What all samplers have in common: order, uniqueness, constraints, and pending candidates."""

from __future__ import annotations

import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .. import plugins
from ..errors import TgsageError
from ..store import seed_from
from .cost import admitted

if TYPE_CHECKING:
    from ..spaces import Architecture, Space
    from .settings import SamplerSettings

ASKS = 50
"""How often a sampler is asked for a slot before the slot is filled at random."""
DRAWS = 500
"""How many random draws are tried for a slot before a small space is enumerated."""
ENUMERABLE = 200_000
"""Spaces up to this size are enumerated to find unseen architectures."""
CHECKED = 32
"""How many rows of a ledger, evenly spaced, are compared with the space."""


@dataclass(frozen=True)
class Trial:
    """A row of the ledger, as a sampler sees it."""

    round: int
    slot: int
    key: str
    """Key of the architecture in the space."""
    text: str
    """The canonical architecture as the ledger writes it."""
    status: str
    score: float
    """NaN if the candidate is not ok or has no score."""
    parameters: float
    flops: float
    space: Space = field(repr=False, compare=False)

    @property
    def ok(self) -> bool:
        """Whether the candidate has a score to learn from."""
        return self.status == "ok" and math.isfinite(self.score)

    @functools.cached_property
    def architecture(self) -> Architecture:
        """The canonical architecture; read when it is asked for, since few samplers look at all of them."""
        return self.space.parse(self.text)


@dataclass(frozen=True)
class SearchState:
    """What a sampler may use when it proposes."""

    space: Space
    trials: tuple[Trial, ...]
    """The ledger, sorted by round and slot."""
    pending: tuple[Architecture, ...]
    """Proposed but not in the ledger yet; canonical, in the order of their texts."""
    n: int
    """Number of proposals."""
    seed: int
    """Seed of the search."""
    round: int
    """The round that is proposed."""
    rng: np.random.Generator
    """The random stream of this seed and round."""

    def seed_for(self, purpose: str) -> int:
        """Return a seed below 2 ** 32 for this purpose, search seed and round."""
        return seed_from("sampler", purpose, self.seed, self.round) % 2**32


class Sampler(ABC):
    """Proposes architectures as a pure function of space, ledger, seed and round.

    A subclass is made from ``settings``, bears their ``name``, and defines one method, :meth:`begin`.
    """

    repeats = False
    """Whether an architecture may be proposed again, as on-policy samplers require."""

    def __init__(self, settings: SamplerSettings):
        self.settings = settings
        self.name = settings.plugin_name()

    @abstractmethod
    def begin(self, state: SearchState) -> Callable[[], Architecture]:
        """Learn from the ledger and return a function that is called for one proposal after the other.

        The function may repeat itself or propose what was seen: such proposals are skipped, and it is called
        again. Its architectures need not be canonical.
        """

    def propose(
        self,
        space: Space,
        ledger: pd.DataFrame | None,
        n: int,
        seed: int,
        *,
        round: int | None = None,
        pending: Iterable[Architecture] = (),
    ) -> list[Architecture]:
        """Propose the next architectures.

        Parameters
        ----------
        space
            Where to search.
        ledger
            Results so far (``tgsage.runs.ledger``), with the columns round, slot, candidate, status,
            architecture, score, and optionally parameters and flops. Rows in any order; None or no rows at
            the beginning. Its keys and canonical architectures are believed, after those of up to 32 rows
            were compared with the space.
        n
            Number of proposals.
        seed
            Seed of the search.
        round
            The round that is proposed; by default the one after the last in the ledger.
        pending
            Architectures proposed earlier whose results are not in the ledger yet.

        Returns
        -------
        list of Architecture
            ``n`` canonical architectures. Unless the sampler is on-policy, their keys (``space.key``) are all
            different, and none is in the ledger (whatever its status) or pending. After 50 proposals for a
            slot that were seen or violate a constraint, the slot is filled by a random draw.

        Raises
        ------
        TgsageError
            If no unseen architecture within the constraints can be found, or the ledger belongs to another
            space or to other settings of it.
        """
        if n < 0:
            raise TgsageError(f"sampler {self.name}: cannot propose {n} architectures")
        trials = read_trials(space, ledger)
        if round is None:
            round = trials[-1].round + 1 if trials else 0
        waiting = tuple(sorted((space.canonical(arch) for arch in pending), key=space.format))
        state = SearchState(
            space, trials, waiting, n, seed, round, np.random.default_rng(seed_from("propose", seed, round))
        )
        if self.repeats:  # but never what failed
            seen = {trial.key for trial in trials if trial.status != "ok"}
        else:
            seen = {trial.key for trial in trials} | {space.key(arch) for arch in waiting}
        if n == 0:
            return []
        ask = self.begin(state)
        unseen_rng = np.random.default_rng(seed_from("unseen", seed, round))
        proposals: list[Architecture] = []
        for _ in range(n):
            for _ in range(ASKS):
                proposal = space.canonical(ask())
                if space.key(proposal) not in seen and admitted(space, proposal, self.settings):
                    break
            else:
                proposal = _unseen(space, self, seen, unseen_rng)
            if not self.repeats:
                seen.add(space.key(proposal))
            proposals.append(proposal)
        return proposals


def _unseen(space: Space, sampler: Sampler, seen: set[str], rng: np.random.Generator) -> Architecture:
    """Return an unseen architecture within the constraints: drawn, or of what is left of a small space."""

    def fits(arch: Architecture) -> bool:
        return space.key(arch) not in seen and admitted(space, arch, sampler.settings)

    for _ in range(DRAWS):
        arch = space.canonical(space.sample(rng))
        if fits(arch):
            return arch
    tried = f"{DRAWS} random draws"
    if space.size <= ENUMERABLE:
        left: list[Architecture] = sorted({space.canonical(arch) for arch in space.all()})
        left = [arch for arch in left if space.key(arch) not in seen]
        for index in rng.permutation(len(left)):
            if fits(left[int(index)]):
                return left[int(index)]
        tried = f"all {space.size} of the space"
    raise TgsageError(
        f"sampler {sampler.name}: no unseen architecture of space {space.name} within the "
        f"constraints among {tried}; ask for fewer candidates or relax max_parameters and max_flops"
    )


def read_trials(space: Space, ledger: pd.DataFrame | None) -> tuple[Trial, ...]:
    """Return the rows of a ledger, sorted by round and slot.

    A TgsageError if a column is missing, or the ledger belongs to another space or other settings of it.
    Canonical forms take milliseconds, so only those of :data:`CHECKED` rows are computed anew.
    """
    if ledger is None or len(ledger) == 0:
        return ()
    for name in ("round", "slot", "candidate", "status", "architecture", "score"):
        if name not in ledger.columns:
            raise TgsageError(f"sampler: the ledger has no column {name!r}")
    numbers = ledger.reindex(columns=["score", "parameters", "flops"]).astype("float64")
    numbers["score"] = numbers["score"].where(ledger["status"] == "ok")
    columns = [ledger[name] for name in ("round", "slot", "candidate", "architecture", "status")]
    columns += [numbers[name] for name in numbers]
    values = zip(*(column.tolist() for column in columns), [space] * len(ledger), strict=True)
    trials = [Trial(*row) for row in values]
    trials.sort(key=lambda trial: (trial.round, trial.slot))
    rows = np.linspace(0, len(trials) - 1, min(len(trials), CHECKED)).round().astype(int)
    for trial in (trials[row] for row in rows):
        arch = space.canonical(trial.architecture)
        if arch != trial.architecture or space.key(arch) != trial.key:
            raise TgsageError(
                f"sampler: round {trial.round}, slot {trial.slot} of the ledger: in these settings of space "
                f"{space.name} its architecture is not canonical, or has not the key {trial.key}; propose in "
                "the space that was searched"
            )
    return tuple(trials)


def get(settings: SamplerSettings | Mapping[str, Any] | str, **options: Any) -> Sampler:
    """Return a sampler; parameters and errors are as for :func:`tgsage.plugins.settings`."""
    section: SamplerSettings = plugins.settings("sampler", settings, **options)
    sampler: Sampler = section.load()(section)
    return sampler
