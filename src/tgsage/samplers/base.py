"""What every sampler has in common: order, uniqueness, constraints, and what is pending."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..config.samplers import SamplerSettings
from ..errors import TgsageError
from ..spaces.base import Architecture, Space
from ..store.hashing import seed_from
from .cost import admitted

ASKS = 50
"""How often a sampler is asked for one slot before the slot is filled at random."""
DRAWS = 500
"""How many random draws are tried for one slot before a small space is searched through."""
ENUMERABLE = 200_000
"""Spaces up to this size are searched through for what is left."""


@dataclass(frozen=True)
class Trial:
    """A row of the ledger, as a sampler sees it.

    ``architecture`` is canonical; ``score`` is NaN unless the candidate is ok and has one.
    """

    round: int
    slot: int
    key: str
    architecture: Architecture
    status: str
    score: float
    parameters: float
    flops: float

    @property
    def ok(self) -> bool:
        """Whether there is a score to learn from."""
        return self.status == "ok" and math.isfinite(self.score)


@dataclass(frozen=True)
class Situation:
    """All that a sampler may know when it proposes.

    Attributes
    ----------
    space : Space
    trials : tuple of Trial
        The ledger, sorted by round and slot.
    pending : tuple of Architecture
        Proposed but not in the ledger; canonical, in the order of their text.
    n : int
        How many proposals are wanted.
    seed, round : int
    rng : numpy.random.Generator
        The stream of this seed and round.
    """

    space: Space
    trials: tuple[Trial, ...]
    pending: tuple[Architecture, ...]
    n: int
    seed: int
    round: int
    rng: np.random.Generator

    def seed_for(self, purpose: str) -> int:
        """A seed below 2 ** 32 for this purpose, search seed and round."""
        return seed_from("sampler", purpose, self.seed, self.round) % 2**32


class Sampler(ABC):
    """Proposes architectures as a pure function of space, ledger, seed and round.

    A further sampler writes one method, :meth:`begin`.

    Attributes
    ----------
    name : str
        Name of the sampler, for messages.
    settings : SamplerSettings
        The settings that the sampler was made from; of a sampler in a file of the user's own, given after
        its constructor, which takes the options.
    """

    name: str
    settings: SamplerSettings
    repeats = False
    """Whether an architecture may be proposed again (an on-policy sampler must be free to)."""

    def __init__(self, settings: SamplerSettings | None = None):
        if settings is not None:
            self.settings = settings

    @abstractmethod
    def begin(self, situation: Situation) -> Callable[[], Architecture]:
        """Learn from the ledger and return what is called for one proposal after the other.

        The function returned may repeat itself or propose what was seen: such proposals are passed over and
        it is called again. Its architectures need not be canonical.
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
            Results so far (``tgsage.ledger``), in any order; of its columns round, slot, status,
            architecture, score, parameters and flops are read. None or no rows: nothing is known.
        n
            Number of proposals.
        seed
            Seed of the search.
        round
            The round proposed for; default: the one after the last in the ledger.
        pending
            Architectures proposed earlier whose results are not in the ledger.

        Returns
        -------
        list of Architecture
            ``n`` canonical architectures. Unless the sampler is on-policy, none of them is in the ledger
            (whatever became of it), pending, or there twice: compared by ``space.key``. A proposal that was
            seen is asked for again at most 50 times, then drawn at random among the unseen.

        Raises
        ------
        TgsageError
            If no unseen architecture within the constraints can be found, or a row of the ledger is not of
            this space.
        """
        if n < 0:
            raise TgsageError(f"sampler {self.name}: cannot propose {n} architectures")
        trials = read_trials(space, ledger)
        if round is None:
            round = trials[-1].round + 1 if trials else 0
        waiting = tuple(sorted((space.canonical(arch) for arch in pending), key=space.format))
        situation = Situation(
            space, trials, waiting, n, seed, round, np.random.default_rng(seed_from("propose", seed, round))
        )
        taken = {trial.key for trial in trials} | {space.key(arch) for arch in waiting}
        # What failed is not tried again, not even by a sampler that repeats itself.
        if self.repeats:
            taken = {trial.key for trial in trials if trial.status != "ok"}
        ask = self.begin(situation) if n else None
        fallback = _Fallback(self, situation)
        proposals: list[Architecture] = []
        for _ in range(n):
            assert ask is not None
            found = None
            for _ in range(ASKS):
                arch = space.canonical(ask())
                if space.key(arch) not in taken and admitted(space, arch, self.settings):
                    found = arch
                    break
            if found is None:
                found = fallback(taken)
            if not self.repeats:
                taken.add(space.key(found))
            proposals.append(found)
        return proposals


class _Fallback:
    """Unseen architectures within the constraints: random draws, then whatever is left of a small space."""

    def __init__(self, sampler: Sampler, situation: Situation):
        self.sampler = sampler
        self.space = situation.space
        self.rng = np.random.default_rng(seed_from("unseen", situation.seed, situation.round))

    def __call__(self, taken: set[str]) -> Architecture:
        def fits(arch: Architecture) -> bool:
            return self.space.key(arch) not in taken and admitted(self.space, arch, self.sampler.settings)

        for _ in range(DRAWS):
            arch = self.space.canonical(self.space.sample(self.rng))
            if fits(arch):
                return arch
        if self.space.size <= ENUMERABLE:
            left = sorted({self.space.canonical(arch) for arch in self.space.all()})
            left = [arch for arch in left if self.space.key(arch) not in taken]
            for index in self.rng.permutation(len(left)):
                if fits(left[index]):
                    return left[index]
            tried = f"all {self.space.size} of the space"
        else:
            tried = f"{DRAWS} random draws"
        raise TgsageError(
            f"sampler {self.sampler.name}: no unseen architecture of space {self.space.name} within the "
            f"constraints among {tried}; ask for fewer candidates or relax max_parameters and max_flops"
        )


def read_trials(space: Space, ledger: pd.DataFrame | None) -> tuple[Trial, ...]:
    """The rows of a ledger, sorted by round and slot.

    Raises
    ------
    TgsageError
        If a column is missing or an architecture is not of this space.
    """
    if ledger is None or len(ledger) == 0:
        return ()
    for name in ("round", "slot", "status", "architecture", "score"):
        if name not in ledger.columns:
            raise TgsageError(f"sampler: the ledger has no column {name!r}")
    absent = [math.nan] * len(ledger)
    rows = zip(
        ledger["round"].tolist(),
        ledger["slot"].tolist(),
        ledger["status"].tolist(),
        ledger["architecture"].tolist(),
        ledger["score"].tolist(),
        ledger["parameters"].tolist() if "parameters" in ledger.columns else absent,
        ledger["flops"].tolist() if "flops" in ledger.columns else absent,
        strict=True,
    )
    trials = []
    for round_, slot, status, text, score, parameters, flops in rows:
        arch = space.canonical(space.parse(text))
        value = math.nan if status != "ok" or score is None else float(score)
        trials.append(
            Trial(
                int(round_),
                int(slot),
                space.key(arch),
                arch,
                str(status),
                value,
                math.nan if parameters is None else float(parameters),
                math.nan if flops is None else float(flops),
            )
        )
    return tuple(sorted(trials, key=lambda trial: (trial.round, trial.slot)))
