"""The stimuli of a teacher: which images they are, how a network sees them, and what they must not be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from ..errors import TgsageError
from ..store import seed_from
from ..tasks import image_hashes
from .geometry import to_network_input
from .splits import PARTS, assign_splits

if TYPE_CHECKING:
    from ..tasks.task import Task
    from .settings import Geometry, Splits


@dataclass(frozen=True)
class Stimuli:
    """Stimuli in the order of an RDM."""

    stimulus_id: np.ndarray
    """(stimuli,) of str, as are category and split."""
    category: np.ndarray
    split: np.ndarray
    images: np.ndarray | None
    """uint8 (stimuli, y, x, rgb), or None where no images are at hand."""

    @classmethod
    def of_target(cls, target: xr.Dataset) -> Stimuli:
        """Return the stimuli of a target."""
        stimulus_id, category, split = (
            target[name].values.astype(str) for name in ("stimulus_id", "category", "split")
        )
        return cls(stimulus_id, category, split, target["images"].values if "images" in target else None)

    def parts(self) -> dict[str, np.ndarray]:
        """Return the indices of the stimuli of each part in use, in the order choose, reward, report."""
        members = {part: np.flatnonzero(self.split == part) for part in PARTS}
        return {part: index for part, index in members.items() if len(index)}


def image_rows(ids: np.ndarray, stimuli: xr.Dataset, where: str) -> np.ndarray:
    """Return the rows of ``stimuli`` that hold the images of these stimuli, (n,) int.

    Raises a TgsageError if a stimulus has no image.
    """
    row = {stimulus: index for index, stimulus in enumerate(stimuli["stimulus_id"].values.astype(str))}
    absent = [stimulus for stimulus in ids if stimulus not in row]
    if absent:
        raise TgsageError(
            f"{where}: stimulus {str(absent[0])!r} was shown and has no image ({len(absent)} such); "
            "add the images or leave out these presentations"
        )
    return np.array([row[stimulus] for stimulus in ids])


def spanned_degrees(stimuli: xr.Dataset, geometry: Geometry, where: str) -> tuple[float, float]:
    """Return the degrees of visual angle of recorded stimuli, and those that a network's input spans.

    Raises a TgsageError if the stimuli have no attribute ``visual_degrees``.
    """
    if "visual_degrees" not in stimuli.attrs:
        raise TgsageError(f"{where}: the stimuli say no visual_degrees; set the attribute to their size")
    visual_degrees = float(stimuli.attrs["visual_degrees"])
    return visual_degrees, geometry.network_degrees or visual_degrees


def at_resolution(
    images: np.ndarray, stimuli: xr.Dataset, geometry: Geometry, resolution: int, where: str
) -> np.ndarray:
    """Show images of recorded stimuli, uint8 (n, height, width, 3), at their size in degrees to a network.

    Returns uint8 (n, resolution, resolution, 3).
    """
    visual_degrees, network_degrees = spanned_degrees(stimuli, geometry, where)
    return to_network_input(
        images,
        resolution=resolution,
        visual_degrees=visual_degrees,
        network_degrees=network_degrees,
        padding=geometry.padding,
        resample=geometry.resample,
    )


def task_pictures(task: Task | None) -> dict[str, str]:
    """Return by hash the part (``train`` or ``test``) of all images a candidate learns or is tested on."""
    if task is None:
        return {}
    return {
        picture: part for part in ("test", "train") for picture in image_hashes(getattr(task, part).images)
    }


def refuse_shared(pictures: Sequence[str], forbidden: Mapping[str, str], ids: np.ndarray, where: str) -> None:
    """Raise if a stimulus, by the hash of its image, is among the task's training or test images."""
    shared = [index for index, picture in enumerate(pictures) if picture in forbidden]
    if shared:
        raise TgsageError(
            f"{where}: stimulus {str(ids[shared[0]])!r} is among the task's {forbidden[pictures[shared[0]]]} "
            f"images ({len(shared)} such); a teacher must not show them: leave them out of the task or of "
            "the recordings"
        )


def task_stimuli(
    task: Task, n_stimuli: int, splits: Splits, seed: int, name: str
) -> tuple[Stimuli, np.ndarray]:
    """Pick validation images, balanced over classes, none of which is also a training or test image.

    The draw depends on ``seed`` and the task alone: teachers of a task's images may have the same stimuli.
    Returns the stimuli, named ``validation_00017`` for the validation image of index 17, and their images,
    uint8 (n_stimuli, y, x, 3). Raises a TgsageError if the task has too few.
    """
    part = task.validation
    forbidden = task_pictures(task)
    rng = np.random.default_rng(seed_from("network teacher stimuli", seed, task.digest))
    order = rng.permutation(len(part.labels))
    hashes = image_hashes(part.images)
    order = order[[hashes[row] not in forbidden for row in order]]
    if len(order) < n_stimuli:
        raise TgsageError(
            f"teacher {name!r}: n_stimuli is {n_stimuli} and the task has {len(order)} validation "
            "images that are not training or test images; lower n_stimuli or raise the task's n_validation"
        )
    # How many of its class came before: sorting by it takes the first of every class, then the second, …
    rank = np.empty(len(order), int)
    for label in range(task.n_classes):
        members = np.flatnonzero(part.labels[order] == label)
        rank[members] = np.arange(len(members))
    index = np.sort(order[np.argsort(rank, kind="stable")[:n_stimuli]])
    images = np.asarray(part.images[index])
    category = np.asarray(task.classes, str)[part.labels[index]]
    split = assign_splits(category, splits, where=f"teacher {name!r}", pictures=image_hashes(images))
    return Stimuli(np.array([f"validation_{row:05d}" for row in index]), category, split, images), images
