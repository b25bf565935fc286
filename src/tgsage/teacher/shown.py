"""What recordings and task must not have in common, and where the image of a stimulus is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from ..errors import TgsageError


def image_rows(ids: np.ndarray, stimuli: xr.Dataset, where: str) -> np.ndarray:
    """Return the rows of ``stimuli`` that hold the images of these stimuli, (n,) int.

    Raises
    ------
    TgsageError
        If a stimulus has no image.
    """
    row = {stimulus: index for index, stimulus in enumerate(stimuli["stimulus_id"].values.astype(str))}
    absent = [stimulus for stimulus in ids if stimulus not in row]
    if absent:
        raise TgsageError(
            f"{where}: stimulus {str(absent[0])!r} was shown and has no image ({len(absent)} such); "
            "add the images or leave out these presentations"
        )
    return np.array([row[stimulus] for stimulus in ids])


def task_pictures(task: Any) -> dict[str, str]:
    """Hash of every image that a candidate is trained or tested on -> the name of the part."""
    if task is None:
        return {}
    from ..tasks import image_hashes

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
