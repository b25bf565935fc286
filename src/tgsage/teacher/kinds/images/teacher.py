"""Control teachers that need no brain: RDMs of another teacher's images.

*Pixels* and *labels*: is it more than the images, or the classes, already say? *Untrained network* and *Gabor
energy*: is it more than any convolutional, or any V1-like, front end has?
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from ....errors import TgsageError, unknown
from ....rdm import rdm
from ...controls import Rdms, control_of_images
from ...patterns import category_rdms
from ...stimuli import Stimuli
from .features import features_of

if TYPE_CHECKING:
    from ...stage import TeacherContext
    from .plugin import ImageTeacher

FEATURES = ("pixels", "labels", "gabor", "untrained")


def make(settings: ImageTeacher, name: str, context: TeacherContext) -> xr.DataTree:
    """Make a teacher of settings; see :func:`image_teacher`."""
    original = context.needed_original(name, settings.of)
    return image_teacher(original, settings.features, metric=settings.metric, seed=settings.seed, name=name)


def image_teacher(
    teacher: xr.DataTree,
    features: str,
    *,
    metric: str = "correlation",
    seed: int = 0,
    name: str | None = None,
) -> xr.DataTree:
    """Make a teacher of features of another teacher's images: same stimuli, splits, targets and weights.

    Every target of the original gets the RDM of the features of its images, so that a mean over targets is a
    mean over as many. There is no noise ceiling, as there is no noise.

    Parameters
    ----------
    teacher
        The original.
    features
        ``pixels``: values of the images. ``labels``: distance 0 within and 1 between categories.
        ``gabor``: Gabor energy (:func:`~tgsage.teacher.kinds.images.features.gabor_energy`). ``untrained``:
        the last stack of a ResNet-20 that was never trained.
    metric, seed
        Of the RDM (not for ``labels``), and of the untrained network.
    name
        Of the new teacher; None: that of the features.

    Raises
    ------
    TgsageError
        If the original has no images, or no categories for ``labels``, or the RDM is undefined.
    """
    name = features if name is None else name
    original = teacher.attrs["teacher"]
    if features not in FEATURES:
        raise unknown(f"teacher {name!r}: features", features, FEATURES)
    by_category = teacher.attrs["rdm"] == "category"
    if by_category and features == "labels":
        raise TgsageError(
            f"teacher {name!r}: {original!r} is scored by category RDMs, in which labels are all equally far "
            "apart; choose other features"
        )

    def rdms(target: str, stimuli: Stimuli) -> Rdms:
        if features == "labels":
            return _label_rdm(stimuli.category, f"teacher {name!r}", target), None
        if stimuli.images is None:
            raise TgsageError(f"teacher {name!r}: target {target!r} of {original!r} has no images")
        values = features_of(stimuli.images, features, seed)
        condensed = rdm(values, metric)
        if not np.isfinite(condensed).all():
            raise TgsageError(
                f"teacher {name!r}: some images of target {target!r} have constant {features}; set metric: "
                "sqeuclidean"
            )
        if not by_category:
            return condensed, None
        return condensed, category_rdms(values, stimuli.category, stimuli.parts().values(), metric)

    return control_of_images(
        teacher,
        rdms,
        name=name,
        kind="images",
        control=features,
        metric="labels" if features == "labels" else metric,
    )


def _label_rdm(category: np.ndarray, where: str, target: str) -> np.ndarray:
    """Return the condensed RDM that is 0 within and 1 between categories."""
    if (category == "").any() or len(np.unique(category)) < 2:
        raise TgsageError(
            f"{where}: labels need the category of every stimulus of target {target!r}, and two or more; "
            "choose other features"
        )
    first, second = np.triu_indices(len(category), 1)
    return np.where(category[first] != category[second], 1.0, 0.0)
