"""The teacher as a tree of targets: its layout, attributes, digest and file.

A teacher (:func:`tgsage.teacher.build`, :func:`tgsage.teacher.load`), here with two regions of 256 stimuli::

    <xarray.DataTree>                  attrs: those of TeacherAttributes, and digest
    ├── V4   rdm           (pair)      float64, pairs in the order of numpy.triu_indices(n, 1)
    │        stimulus_id   (stimulus)  str
    │        category      (stimulus)  str, "" where unknown
    │        split         (stimulus)  "choose", "reward" or "report"
    │        images        (stimulus, y, x, rgb)  uint8, as a network gets them
    │        ceiling_lower (part)      noise ceiling on the stimuli of each part; NaN where it is unknown
    │        ceiling_upper (part)
    │        part          (part)      coordinate: the splits in use
    │        category_rdm  (part, category_pair)  only where attrs["rdm"] == "category"
    │        ranks         (ranked_pair)  of the RDM of each part, as read from a file
    └── IT   …                         attrs: those of TargetAttributes
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import xarray as xr

from ..errors import TgsageError, unknown
from ..netcdf import read_tree
from ..store import digest, replacing
from .ranks import check_ranks, with_ranks
from .splits import PARTS

if TYPE_CHECKING:
    from .ceilings import Ceiling
    from .stimuli import Stimuli

_REQUIRED = ("rdm", "stimulus_id", "category", "split", "ceiling_lower", "ceiling_upper")
_CEILINGS = {"ceiling_lower": "lower", "ceiling_upper": "upper", "split_half": "split_half"}
# What only readers of figures and pages need: another wording is not another teacher.
_OUTSIDE_DIGEST = ("digest", "mark", "words", "simulated_recordings")
RENDERED = "Simulated (rendered) images"
SIMULATED = "Simulated recordings"


@dataclass(frozen=True, kw_only=True)
class Attributes:
    """What attributes of teachers and of targets have in common; 0 and 1 stand for false and true."""

    specific: Mapping[str, Any] = field(default_factory=dict)
    """Attributes of one kind of teacher alone, which controls of other responses do not inherit."""

    @classmethod
    def inherited(cls, original: Mapping[Any, Any], /, **changes: Any) -> Self:
        """Return a control's attributes: those of the original that every teacher has, changed."""
        shared = {item.name: original[item.name] for item in fields(cls) if item.name in original}
        return cls(**(shared | changes))

    def flat(self) -> dict[str, Any]:
        """Return the attributes as the file holds them."""
        values = asdict(self)
        specific: dict[str, Any] = values.pop("specific")
        return {name: value for name, value in values.items() if value is not None} | specific


@dataclass(frozen=True, kw_only=True)
class TeacherAttributes(Attributes):
    """Root attributes of a teacher."""

    teacher: str
    kind: str
    simulated: int  # recordings or the task's images are simulated
    simulated_recordings: int = 0
    rdm: str  # "image" or "category"
    metric: str  # dissimilarity of two patterns
    resolution: int  # side of the images in pixels; 0 where targets differ
    of: str = ""  # name of the teacher that this one was made of
    of_digest: str | None = None  # its digest
    compare: str = ""  # method of comparison for which the noise ceilings hold
    uses_validation: int = 0  # the stimuli are validation images of the task
    control: str = ""  # what is controlled for, in a few words
    mark: str = ""  # what stands above figures: what is simulated, predicted or a control
    words: str = ""  # a sentence for the report


@dataclass(frozen=True, kw_only=True)
class TargetAttributes(Attributes):
    """Attributes of a target."""

    region: str  # region or layer
    recordings: str = ""  # data set
    n_sites: int  # sites or features of the RDM
    n_repeats: float = np.nan  # median over stimuli
    n_animals: int = 0
    weight: float = 1.0  # in the mean over targets
    metric: str  # dissimilarity of two patterns
    zscore: int = 0  # sites were z-scored over stimuli
    visual_degrees: float = np.nan  # degrees of visual angle that stimuli span
    network_degrees: float = np.nan  # and the network's input
    padding: int | None = None  # how stimuli were brought to that input; None where they were not
    resample: str | None = None
    simulated: int  # the responses or the images are
    published_rdm: int = 0  # the RDM was published without responses


def marked(*marks: str) -> str:
    """Join what stands above figures: ``"Simulated recordings; control: pixels"``."""
    first, *others = [mark for mark in marks if mark] or [""]
    return "; ".join([first, *(mark[0].lower() + mark[1:] for mark in others)])


def simulation(simulated: int, simulated_recordings: int) -> str:
    """Return what of a teacher is simulated, in words; ``""`` if nothing is."""
    return (SIMULATED if simulated_recordings else RENDERED) if simulated else ""


def target(
    stimuli: Stimuli,
    rdm: np.ndarray,
    *,
    ceilings: Mapping[str, Ceiling],
    attributes: TargetAttributes,
    category_rdms: Sequence[np.ndarray] | None = None,
    animals: Mapping[str, tuple[float, float]] | None = None,
) -> xr.Dataset:
    """Put one target together.

    The RDM is condensed, (pairs,). The parts of ``ceilings`` make the coordinate ``part``. ``category_rdms``
    are (category pairs,) for each part, categories sorted, where RDMs are over category means. ``animals``
    are bounds over animals by part, where there are several.
    """
    parts = [part for part in PARTS if part in ceilings]
    content: dict[str, Any] = {
        "rdm": ("pair", np.asarray(rdm, np.float64)),
        "stimulus_id": ("stimulus", np.asarray(stimuli.stimulus_id, str)),
        "category": ("stimulus", np.asarray(stimuli.category, str)),
        "split": ("stimulus", np.asarray(stimuli.split, str)),
    }
    for name, bound in _CEILINGS.items():
        content[name] = ("part", np.array([getattr(ceilings[part], bound) for part in parts], np.float64))
    if animals:
        for index, name in enumerate(("animals_lower", "animals_upper")):
            content[name] = ("part", np.array([animals[part][index] for part in parts], np.float64))
    if stimuli.images is not None:
        content["images"] = (("stimulus", "y", "x", "rgb"), stimuli.images)
    if category_rdms is not None:
        content["category_rdm"] = (("part", "category_pair"), np.asarray(category_rdms, np.float64))
        content["category_name"] = ("category_index", np.unique(np.asarray(stimuli.category, str)))
    reasons = "; ".join(f"{part}: {ceilings[part].reason}" for part in parts if ceilings[part].reason)
    dataset = xr.Dataset(content, coords={"part": parts}, attrs=attributes.flat())
    for name in _CEILINGS:
        dataset[name].attrs["reason"] = reasons
    return dataset


def tree(targets: Mapping[str, xr.Dataset], attributes: Mapping[Any, Any]) -> xr.DataTree:
    """Put the targets of a teacher together, and add the digest of all content.

    The attributes ``mark``, ``words`` and ``simulated_recordings`` are for readers and outside the digest.

    Raises
    ------
    TgsageError
        If there is no target, or its name cannot name a group.
    """
    if not targets:
        raise TgsageError(f"teacher {attributes.get('teacher')!r}: has no targets; name at least one region")
    for name in targets:
        if not name or "/" in name or name.startswith("."):
            raise TgsageError(
                f"teacher {attributes.get('teacher')!r}: {name!r} cannot name a target; leave out '/' and '.'"
            )
    content = {key: value for key, value in attributes.items() if key not in _OUTSIDE_DIGEST}
    made = digest(content, {name: _content(group) for name, group in targets.items()})
    root = xr.Dataset(attrs={**attributes, "digest": made})
    return xr.DataTree.from_dict({"/": root, **{f"/{name}": group for name, group in targets.items()}})


def targets_of(teacher: xr.DataTree) -> dict[str, xr.Dataset]:
    """Return the targets of a teacher by name, in their order, as datasets in memory of their own.

    Ranks are left out: a changed RDM has others.
    """
    targets = {name: group.to_dataset(inherit=False) for name, group in teacher.children.items()}
    return {name: target.drop_vars("ranks", errors="ignore").copy() for name, target in targets.items()}


def ceiling(target: xr.Dataset | xr.DataTree, part: str) -> tuple[float, float]:
    """Return the lower and upper noise ceiling of a target on ``choose``, ``reward`` or ``report``.

    Raises
    ------
    TgsageError
        If the part is not in use.
    """
    dataset = target if isinstance(target, xr.Dataset) else target.to_dataset(inherit=False)
    parts = [str(name) for name in dataset["part"].values]
    if part not in parts:
        raise unknown("part of the stimuli", part, parts)
    index = parts.index(part)
    return float(dataset["ceiling_lower"].values[index]), float(dataset["ceiling_upper"].values[index])


def save(teacher: xr.DataTree, path: str | os.PathLike[str]) -> None:
    """Write a teacher as netCDF, whole or not at all, with the ranks of its RDMs."""
    by_category = teacher.attrs.get("rdm") == "category"
    ranked = {name: with_ranks(target, by_category) for name, target in targets_of(teacher).items()}
    # Distances are as good as random digits; only the images are worth packing.
    encoding = {
        f"/{name}": {"images": {"zlib": True, "complevel": 4}}
        for name, group in teacher.children.items()
        if "images" in group
    }
    with replacing(path) as temporary:
        xr.DataTree.from_dict({"/": teacher.to_dataset(), **ranked}).to_netcdf(
            temporary, engine="netcdf4", encoding=encoding
        )


def load(path: str | os.PathLike[str]) -> xr.DataTree:
    """Read a teacher into memory.

    Raises
    ------
    TgsageError
        If there is no such file, it is not a teacher's, or its content is not what its digest says.
    """
    teacher = read_tree(path, absent="make the teacher with `snakemake teacher`", damaged="make it again")
    if "digest" not in teacher.attrs or not teacher.children:
        raise TgsageError(f"{path}: is not a teacher file; give one from teachers/")
    for name, group in teacher.children.items():
        missing = [variable for variable in _REQUIRED if variable not in group]
        if missing:
            raise TgsageError(f"{path}: target {name!r} lacks {', '.join(missing)}; make the teacher again")
    if not {"mark", "words", "simulated_recordings"} <= set(teacher.attrs):
        raise TgsageError(f"{path}: was written by an earlier version; make the teacher again")
    fresh = tree(targets_of(teacher), {str(key): _plain(value) for key, value in teacher.attrs.items()})
    if fresh.attrs["digest"] != teacher.attrs["digest"]:
        raise TgsageError(f"{path}: its content is not what its digest says; make the teacher again")
    for name, group in teacher.children.items():
        if not check_ranks(group):
            raise TgsageError(f"{path}: the ranks of {name!r} are not those written; make the teacher again")
        if "ranks" in group:
            fresh[name]["ranks"] = group["ranks"]
    return fresh


def _content(group: xr.Dataset) -> dict[str, Any]:
    return {
        "variables": {
            str(name): [list(map(str, group[name].dims)), group[name].values] for name in group.variables
        },
        "attributes": {str(key): _plain(value) for key, value in group.attrs.items()},
    }


def _plain(value: Any) -> Any:
    """Return an attribute as a Python value: netCDF gives numpy scalars back."""
    return value.item() if isinstance(value, np.generic) else value
