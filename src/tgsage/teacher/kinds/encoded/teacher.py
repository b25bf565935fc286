"""The encoded teacher: recorded sites, modelled, and what they would answer to the task's own images.

A data set's stimuli are few and are not the images that a search's networks learn. An encoding model (Yamins
et al. 2014, PNAS 111; Bashivan, Kar & DiCarlo 2019, Science 364, for V4 and images of the authors' own
choice) predicts every recorded site from features of a frozen network, and is asked for its responses to
validation images of the task. These are predictions, not recordings; the teacher says so (attribute
``encoded`` = 1), and how good they are, site by site, is in the file. The controls of kind
``encoded_control`` show what an encoded teacher knows beyond its feature network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from ....errors import TgsageError
from ....threads import threads
from ...format import tree
from ...patterns import LEAST_SITES
from .context import EncodingContext
from .encoding import cross_validate

if TYPE_CHECKING:
    from ...stage import TeacherContext
    from .plugin import EncodedTeacher


def make(settings: EncodedTeacher, name: str, context: TeacherContext) -> xr.DataTree:
    """Make a teacher of predicted responses: one target per recorded region.

    Its stimuli are validation images of the task, as many of every class as can be. The ceilings are NaN.
    Besides the variables of every target, a target has on dimension ``neuroid``, of all recorded sites:
    ``neuroid_id``; ``predictivity``, Pearson's r of held-out predictions
    (:func:`~tgsage.teacher.kinds.encoded.encoding.cross_validate`); ``reliability`` of the site's mean
    response, NaN where repetitions were averaged; ``noise_corrected``
    (:func:`~tgsage.teacher.kinds.encoded.encoding.noise_corrected`); ``kept``, 1 where the site is part of
    the RDM; and ``penalty`` or ``components``, what cross-validation chose. Attribute ``held_out_similarity``
    is that of :meth:`~tgsage.teacher.kinds.encoded.context.EncodingContext.held_out_similarity`.

    Raises
    ------
    TgsageError
        If recordings have no responses or no images, share images with the task's training or test part, or
        fewer than 3 sites of a region are predicted well enough; and as the feature network does.
    """
    with threads(settings.threads):
        encoding = EncodingContext(settings, name, context)
        groups = {}
        for target, where in settings.targets.items():
            what = f"teacher {name!r}, target {target!r}"
            recorded = encoding.recorded(where, what)
            features = encoding.features(where.recordings)
            fitted = cross_validate(
                {layer: pair[0] for layer, pair in features.items()},
                recorded.means,
                encoding.folds(where.recordings),
                encoding.model(),
                settings.choose_per,
            )
            kept = fitted.predictivity >= settings.minimal_predictivity
            if kept.sum() < LEAST_SITES:
                raise TgsageError(
                    f"{what}: {kept.sum()} of {len(kept)} sites are predicted with r of "
                    f"{settings.minimal_predictivity:g} or more (median r "
                    f"{np.median(fitted.predictivity):.2f}), and at least {LEAST_SITES} are needed; lower "
                    "minimal_predictivity or choose other features"
                )
            groups[target] = encoding.predicted_target(recorded, features, fitted, kept, recorded.means, what)
    words = (
        "Encoded, in-silico recordings: no animal saw these images. An encoding model from the features of "
        f"{encoding.network.name} to the recorded sites predicts their responses to validation images of the "
        "task."
    )
    attributes = encoding.attributes(
        groups, encoded=True, words=words, specific={"settings": settings.model_dump_json()}
    )
    return tree(groups, attributes.flat())
