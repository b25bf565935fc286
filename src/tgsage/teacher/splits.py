"""Which stimuli choose the layer, which reward the search, and which report the similarity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..errors import TgsageError
from ..store import seed_from

if TYPE_CHECKING:
    from .settings import Splits

PARTS = ("choose", "reward", "report")
SMALLEST = 20
"""A part with fewer stimuli is refused: 19 stimuli are 171 pairs, and no ranking of layers."""


def assign_splits(
    categories: Sequence[str] | np.ndarray,
    splits: Splits,
    *,
    where: str,
    pictures: Sequence[str] | None = None,
    part_of_picture: dict[str, str] | None = None,
) -> np.ndarray:
    """Assign every stimulus to ``choose``, ``reward`` or ``report``.

    Systematic sampling: the stimuli of a category, in random order, are spread evenly over [0, 1); all
    stimuli are sorted by that place and cut at the shares. So the parts have their size exactly and every
    category its share in every part to within one stimulus.

    Parameters
    ----------
    categories
        (n,) of str; all equal (``""``) where unknown.
    splits
        Shares and seed.
    where
        What messages call the stimuli, e.g. ``"recordings 'majaj'"``.
    pictures
        (n,) keys, equal for equal pictures, which stay together; None: all differ.
    part_of_picture
        Part of each picture that was assigned before, for another data set. The new assignments
        are added.

    Returns
    -------
    numpy.ndarray
        (n,) of str.

    Raises
    ------
    TgsageError
        If a part in use gets fewer than 20 stimuli.
    """
    n = len(categories)
    pictures = [f"#{index}" for index in range(n)] if pictures is None else list(pictures)
    part_of_picture = {} if part_of_picture is None else part_of_picture
    first: dict[str, int] = {}
    for index, picture in enumerate(pictures):
        if picture not in part_of_picture:
            first.setdefault(picture, index)
    units = np.array(list(first.values()), int)
    names = np.asarray(categories, str)[units]
    rng = np.random.default_rng(seed_from("teacher splits", splits.seed, n, list(map(str, categories))))
    place = np.empty(len(units))
    for category in np.unique(names):
        members = np.flatnonzero(names == category)
        place[rng.permutation(members)] = (np.arange(len(members)) + rng.random()) / len(members)
    order = units[np.argsort(place, kind="stable")]
    cuts = np.rint(np.cumsum([getattr(splits, part) for part in PARTS]) * len(units)).astype(int)
    for part, start, stop in zip(PARTS, [0, *cuts[:-1]], cuts, strict=True):
        part_of_picture.update({pictures[index]: part for index in order[start:stop]})
    assigned = np.array([part_of_picture[picture] for picture in pictures], dtype="<U6")
    for part in PARTS:
        count = int((assigned == part).sum())
        if getattr(splits, part) > 0 and count < SMALLEST:
            raise TgsageError(
                f"{where}: split {part!r} has {count} of {n} stimuli, and at least {SMALLEST} are needed; "
                f"change splits.{part} or use more stimuli"
            )
    return assigned
