"""``rsa.nc``: similarity of a pack's candidates with the teacher, and what a search reads from it.

One group per candidate, in the order of the pack; its variables are those of
:func:`tgsage.scoring.score_candidate`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import xarray as xr

from ..errors import TgsageError
from ..netcdf import read_tree
from . import rdms
from .records import PathLike, check_version

if TYPE_CHECKING:
    from .settings import Scoring

VERSION = 2

SPLITS = ("choose", "reward", "report")
"""The parts of a teacher's stimuli, in the order of the dimension ``split``."""

_VARIABLES = {
    "rsa": ("checkpoint", "split", "target", "layer"),
    "accuracy": ("checkpoint",),
    "loss": ("checkpoint",),
    "ceiling_lower": ("split", "target"),
    "ceiling_upper": ("split", "target"),
    "n_stimuli": ("split", "target"),
}


class TargetScore(NamedTuple):
    """Similarity with one target where the reward is taken (NaN if undefined), and the layer it is of."""

    tg: float
    layer: str | None


class TeacherGuidance(NamedTuple):
    """Similarity with a teacher."""

    targets: dict[str, TargetScore]
    tg: float
    """Mean over targets, weighted as the teacher says (Bashivan et al. 2019: TG, equal weights); NaN without
    targets or where one is undefined."""


def target_scores(rsa: xr.Dataset, scoring: Scoring) -> TeacherGuidance:
    """Return a candidate's similarity with every target, from its last checkpoint.

    Parameters
    ----------
    rsa
        As :func:`tgsage.scoring.score_candidate` returns it.
    scoring
        Its ``layer_choice``. ``"same"``: the largest similarity over layers on the split ``reward``
        (Bashivan et al. 2019, S_i = max_j). ``"split"``: the layer that is largest on ``choose``, its
        similarity on ``reward``: the maximum over layers is no longer taken from the images that pay. Layers
        without a finite similarity are never chosen; of equal layers the first is.

    Raises
    ------
    TgsageError
        If the layer choice is ``"split"`` and the teacher has no split ``choose``.
    """
    names = [str(name) for name in rsa["target"].values]
    layers = [str(name) for name in rsa["layer"].values]
    scores = {name: TargetScore(math.nan, None) for name in names}
    if rsa.sizes["checkpoint"] == 0 or not names:
        return TeacherGuidance(scores, math.nan)
    last = rsa["rsa"].isel(checkpoint=-1)
    reward = last.sel(split="reward").transpose("target", "layer").values
    chooser = reward
    if scoring.chooses_elsewhere:
        chooser = last.sel(split="choose").transpose("target", "layer").values
        for name, n_stimuli in zip(names, rsa["n_stimuli"].sel(split="choose").values, strict=True):
            if n_stimuli == 0:
                raise TgsageError(
                    f"scoring.layer_choice: 'split' needs stimuli that choose, and target {name!r} has none; "
                    "give splits.choose of the teacher a share"
                )
    for name, choose, pay in zip(names, chooser, reward, strict=True):
        # A layer counts where both are finite.
        usable = np.isfinite(choose) & np.isfinite(pay)
        if usable.any():
            best = int(np.argmax(np.where(usable, choose, -np.inf)))
            scores[name] = TargetScore(float(pay[best]), layers[best])
    weights = rsa["weight"].values if "weight" in rsa.coords else np.ones(len(names))
    return TeacherGuidance(
        scores, float(np.average([score.tg for score in scores.values()], weights=weights))
    )


def undefined_target(rsa: xr.Dataset, scoring: Scoring) -> str | None:
    """Return the name of the first target that no layer has a finite similarity with, if there is one."""
    scores = target_scores(rsa, scoring).targets
    return next((name for name, score in scores.items() if not math.isfinite(score.tg)), None)


_OF_A_TEACHER = ("rsa", "ceiling_lower", "ceiling_upper", "n_stimuli", "weight")


def as_observed(measured: xr.Dataset) -> xr.Dataset:
    """Rename what was measured of a teacher to what an observed second teacher is filed under."""
    return measured.rename({"target": "observed", **{name: f"observed_{name}" for name in _OF_A_TEACHER}})


def observed_part(rsa: xr.Dataset) -> xr.Dataset | None:
    """Return what was measured of the observed second teacher, as if it were the first.

    Returns
    -------
    xarray.Dataset or None
        Like the argument, with ``rsa``, ``ceiling_lower``, ``ceiling_upper``, ``n_stimuli``, ``weight`` and
        ``target`` of the observed teacher; None if none was observed.
    """
    if "observed_rsa" not in rsa:
        return None
    first = rsa.drop_vars([*_OF_A_TEACHER, "target"], errors="ignore")
    names = {"observed": "target", **{f"observed_{name}": name for name in _OF_A_TEACHER}}
    second = first.rename({name: new for name, new in names.items() if name in first.variables})
    attributes = {"teacher": rsa.attrs["observed_teacher"], "teacher_digest": rsa.attrs["observed_digest"]}
    return second.assign_attrs(attributes)


def save(candidates: Sequence[xr.Dataset], path: PathLike) -> None:
    """Write the ``rsa.nc`` of a pack, whole or not at all.

    Raises
    ------
    TgsageError
        If a variable or dimension is not as :func:`tgsage.scoring.score_candidate` makes it.
    """
    for candidate in candidates:
        _check(candidate, "rsa")
    groups = {f"candidate_{position}": candidate for position, candidate in enumerate(candidates)}
    rdms.save(groups, path, VERSION)


def load(path: PathLike) -> list[xr.Dataset]:
    """Read the candidates of an ``rsa.nc`` into memory, in the order of the pack.

    Raises
    ------
    TgsageError
        If there is no such file, or it is of another kind or version.
    """
    tree = read_tree(path, absent="score the candidate first", damaged="delete it and score again")
    check_version(path, tree.attrs.get("version", 1), VERSION)
    candidates = []
    for position in range(len(tree.children)):
        candidate = tree[f"candidate_{position}"].to_dataset()
        for name in ("split", "target", "layer", "observed"):
            if name in candidate.coords:
                candidate = candidate.assign_coords({name: candidate[name].values.astype(str)})
        _check(candidate, str(path))
        candidates.append(candidate)
    return candidates


def _check(rsa: xr.Dataset, where: str) -> None:
    for name, dims in _VARIABLES.items():
        if name not in rsa or rsa[name].dims != dims:
            raise TgsageError(f"{where}: variable {name!r} with dimensions {dims} is missing; not an rsa.nc")
    if "status" not in rsa.attrs:
        raise TgsageError(f"{where}: attribute 'status' is missing; not an rsa.nc")
