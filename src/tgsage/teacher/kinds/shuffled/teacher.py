"""The shuffled teacher: the same distances, between the wrong images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from ....errors import TgsageError, unknown
from ....rdm import subset
from ....store import seed_from
from ...format import marked, targets_of, tree

if TYPE_CHECKING:
    from ...stage import TeacherContext
    from .plugin import ShuffledTeacher


def make(settings: ShuffledTeacher, name: str, context: TeacherContext) -> xr.DataTree:
    """Make a teacher of settings; see :func:`shuffled`."""
    original = context.needed_original(name, settings.of)
    return shuffled(original, within=settings.within, seed=settings.seed, name=name)


def shuffled(
    teacher: xr.DataTree, *, within: str = "all", seed: int = 0, name: str = "shuffled"
) -> xr.DataTree:
    """Permute the stimulus labels of a teacher's RDMs.

    Labels are permuted within each of the parts choose, reward and report, so that these stay disjoint and
    each keeps its own distances: the RDM of a part has the same values in other places. Targets with the same
    stimuli get the same permutation: their relation to each other is kept. Images, splits and noise ceilings
    are those of the original. Where the teacher is scored by category RDMs, the categories are permuted, in
    the same way in every part. TG of a shuffled teacher varies less over candidates than that of the real
    one, so that one alpha does not weigh the two alike.

    Parameters
    ----------
    teacher
        The original.
    within
        ``all``; or ``category``: stimuli keep their category, and only what is finer than categories is lost.
    seed, name
        Of the permutations, and of the new teacher.

    Raises
    ------
    TgsageError
        If nothing can be permuted within categories (unknown, or one stimulus each), or the original is
        itself shuffled.
    """
    if teacher.attrs["kind"] == "shuffled":
        raise TgsageError(
            f"teacher {name!r}: {teacher.attrs['teacher']!r} is itself shuffled; name the original"
        )
    if within not in ("all", "category"):
        raise unknown(f"teacher {name!r}: within", within, ("all", "category"))
    by_category = teacher.attrs["rdm"] == "category"
    if by_category and within == "category":
        raise TgsageError(
            f"teacher {name!r}: {teacher.attrs['teacher']!r} is scored by category RDMs, which a "
            "permutation within categories does not change; set within: all"
        )
    groups = {}
    for target, group in targets_of(teacher).items():
        split, category = group["split"].values.astype(str), group["category"].values.astype(str)
        if within == "category" and (category == "").all():
            raise TgsageError(
                f"teacher {name!r}: the stimuli of target {target!r} have no categories; set within: all"
            )
        rng = np.random.default_rng(
            seed_from("shuffled", seed, within, group["stimulus_id"].values.astype(str))
        )
        cells = np.char.add(split, np.char.add("/", category)) if within == "category" else split
        order = _permuted_within(cells, rng)
        if (order == np.arange(len(order))).all():
            raise TgsageError(
                f"teacher {name!r}: no two stimuli of target {target!r} share a category and a split, so "
                "nothing can be permuted within categories; set within: all"
            )
        group["rdm"] = ("pair", subset(group["rdm"].values, order))
        if by_category:
            categories = _permuted_within(np.zeros(group.sizes["category_index"], int), rng)
            rows = [subset(row, categories) for row in group["category_rdm"].values]
            group["category_rdm"] = (("part", "category_pair"), np.array(rows))
        # Bounds over animals are of the original's labels, and hold for these as well.
        groups[target] = group
    original, finer = teacher.attrs["teacher"], within == "category"
    attributes = {
        **teacher.attrs,
        "teacher": name,
        "kind": "shuffled",
        "of": original,
        "of_digest": teacher.attrs["digest"],
        "within": within,
        "mark": marked(
            teacher.attrs["mark"],
            f"Control: stimuli of {original} shuffled" + (" within categories" if finer else ""),
        ),
        "words": f"A control: the stimulus labels of {original} permuted, within each part of the stimuli"
        + (" and each category." if finer else "."),
    }
    return tree(groups, attributes)


def _permuted_within(cells: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a permutation that leaves every element in its cell; not the identity if there is another."""
    order = np.arange(len(cells))
    for cell in np.unique(cells):
        members = np.flatnonzero(cells == cell)
        moved = rng.permutation(members)
        while len(members) > 1 and (moved == members).all():
            moved = rng.permutation(members)
        order[members] = moved
    return order
