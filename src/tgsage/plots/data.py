"""What figures are drawn from: a search, a teacher, or the searches of a run beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import TgsageError
from ..runs.search_files import SearchFiles
from ..statistics import Correlation, format_number, share_in_words, share_of_ceiling
from ..studies import similarity
from ..teacher import targets_of
from . import words

if TYPE_CHECKING:
    from ..spaces.base import Space


@dataclass(frozen=True)
class SearchData:
    """A finished search, its teacher and its space."""

    of: ClassVar = "search"

    search: SearchFiles
    teacher: xr.DataTree | None
    """The teacher that guided the search or was observed; None without one."""
    space: Space
    n_validation: int | None = None
    """Number of validation images; gives accuracies their intervals."""

    @property
    def ledger(self) -> pd.DataFrame:
        """The search's ledger."""
        return self.search.ledger

    @cached_property
    def mark(self) -> str:
        """What stands above the figures: what is simulated, predicted or a control."""
        attributes = None if self.teacher is None else self.teacher.attrs
        return words.search_mark(bool(self.search.final["simulated"]), attributes)

    @cached_property
    def targets(self) -> dict[str, xr.Dataset]:
        """Each target that was measured, from the teacher's file; empty without a teacher.

        Raises
        ------
        TgsageError
            If the teacher is not the one that the search was measured with.
        """
        if self.teacher is None or not self.search.targets:
            return {}
        scored = self.search.final["similarity"]
        missing = [name for name in scored if name not in self.teacher.children]
        if missing:
            raise TgsageError(
                f"{self.search.folder}/final.json: target {missing[0]!r} is not in the teacher; name its own "
                "teacher"
            )
        return {name: target for name, target in targets_of(self.teacher).items() if name in scored}

    @cached_property
    def intervals(self) -> dict[str, Correlation]:
        """Bootstrap intervals of the similarities on report images, where they can be computed."""
        return {} if self.teacher is None else similarity.similarity_intervals(self.search, self.teacher)

    def similarities(self, separator: str = ", ") -> dict[str, str]:
        """Return the similarity with each target on report images, its interval and its ceiling, as text."""
        return {
            name: words.similarity(scored, self.intervals.get(name), separator)
            for name, scored in self.search.final["similarity"].items()
        }

    @cached_property
    def tg_ceiling(self) -> str:
        """The noise ceiling of TG in a sentence; "" where TG is not a weighted mean of similarities."""
        targets = {} if self.teacher is None else targets_of(self.teacher)
        bounds = similarity.tg_ceiling(self.ledger, targets)
        if bounds is None:
            return ""
        of_targets = {
            name: similarity.ceilings(target).get("reward", np.nan)
            for name, target in targets.items()
            if name in self.search.targets
        }
        if missing := [name for name, ceiling in of_targets.items() if not np.isfinite(ceiling).all()]:
            return f"Noise ceiling of TG: not available (none for {', '.join(missing)})."
        best = float(self.ledger.loc[self.ledger["status"] == "ok", "tg"].max())
        lower, upper = map(format_number, bounds)
        return (
            f"Noise ceiling of TG, the mean of the targets': {lower} to {upper}; the highest TG, "
            f"{format_number(best)}, is {share_in_words(share_of_ceiling(best, *bounds))} of it."
        )


@dataclass(frozen=True)
class TeacherData:
    """A teacher, and the recordings that it was made from.

    Raises
    ------
    TgsageError
        If the teacher has no target.
    """

    of: ClassVar = "teacher"

    teacher: xr.DataTree
    recordings: Mapping[str, xr.DataArray] = field(default_factory=dict)
    """Name of a data set to its assembly."""

    def __post_init__(self) -> None:
        if not self.teacher.children:
            raise TgsageError("the teacher has no target; there is nothing to draw")

    @property
    def name(self) -> str:
        """The teacher's name."""
        return str(self.teacher.attrs.get("teacher", "teacher"))

    @property
    def mark(self) -> str:
        """As in :class:`SearchData`."""
        return str(self.teacher.attrs["mark"])

    @property
    def mark_in_caption(self) -> str:
        """The mark in brackets."""
        return f" ({words.in_sentence(self.mark)})" if self.mark else ""

    @cached_property
    def targets(self) -> dict[str, xr.Dataset]:
        """Each target by name."""
        return targets_of(self.teacher)


@dataclass(frozen=True)
class ComparisonData:
    """The searches of a run."""

    of: ClassVar = "comparison"

    searches: Sequence[SearchFiles]
    n_validation: int | None = None
    """Number of validation images; gives accuracies their intervals."""
    mark: str = ""
    """What stands above the figures: what is simulated."""
