"""Controls of an encoded teacher: what it knows without the right responses, and without any.

Both have the original's stimuli, splits, targets, weights, feature network, layers and settings, which are
read from its file:

``shuffled``
    The stimulus labels of the recorded responses are permuted before the fit; sites keep their distribution
    and their correlations with each other. Penalties are chosen anew. The layer and the list of sites are the
    original's: of permuted responses hardly a site passes a threshold, and another layer would be another
    network.
``bare``
    The RDM of the layer's features themselves, standardised as for the fit. (Not reduced: the correlation of
    two patterns depends on how principal components are turned.)
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr
from pydantic import ValidationError

from ..config.teacher import EncodedControl, EncodedTeacher
from ..errors import TgsageError
from ..store import seed_from
from ..training.devices import threads
from . import files
from .encoded import (
    Recordings,
    Scene,
    held_out_similarity,
    model,
    predicted_target,
    root_attributes,
    target_of,
)
from .encoding import cross_validate


def encoded_control(
    settings: EncodedControl,
    name: str,
    of: xr.DataTree,
    recordings: Recordings,
    task: Any,
    *,
    data_root: str | os.PathLike[str] | None = None,
    device: str = "cpu",
) -> xr.DataTree:
    """Make a control of an encoded teacher.

    Parameters
    ----------
    settings
        Which control, and its seed.
    name
        Of the control.
    of
        The encoded teacher.
    recordings, task, data_root, device
        What the encoded teacher was made of, as for :func:`~tgsage.teacher.encoded.encoded_teacher`.

    Raises
    ------
    TgsageError
        If the original is no encoded teacher, or was made of something else.
    """
    if of.attrs["kind"] != "encoded":
        raise TgsageError(
            f"teacher {name!r}: {of.attrs['teacher']!r} is of kind {of.attrs['kind']!r}; name an encoded "
            "teacher"
        )
    try:
        original = EncodedTeacher.model_validate_json(of.attrs["settings"])
    except (KeyError, ValidationError):
        raise TgsageError(
            f"teacher {name!r}: the settings of {of.attrs['teacher']!r} are not those of this version; make "
            "it again"
        ) from None
    with threads(original.threads):
        scene = Scene(original, name, recordings, task, data_root, device)
        groups = {}
        for target, where in original.targets.items():
            what = f"teacher {name!r}, target {target!r}"
            theirs = of[target]
            recorded = scene.recorded(where, what)
            if not (
                np.array_equal(theirs["images"].values, scene.images)
                and np.array_equal(theirs["neuroid_id"].values.astype(str), recorded.neuroid_id)
            ):
                raise TgsageError(
                    f"{what}: {of.attrs['teacher']!r} was made of other recordings or another task; "
                    "make it again"
                )
            layer, kept = str(theirs.attrs["layer"]), theirs["kept"].values.astype(bool)
            if settings.control == "bare":
                own, shown = (
                    values.double().numpy() for values in scene.standardised(where.recordings, [layer])[layer]
                )
                attributes = {
                    **recorded.attributes,
                    "region": layer,
                    "n_sites": shown.shape[1],
                    "n_repeats": np.nan,
                    "n_animals": 0,
                    "zscore": 0,
                    "layer": layer,
                    "encoded": 0,
                    "held_out_similarity": held_out_similarity(
                        scene, where.recordings, own, recorded.means[:, kept], zscore=False
                    ),
                }
                groups[target] = target_of(scene, shown, attributes, what)
                continue
            rng = np.random.default_rng(
                seed_from("shuffled encoding", settings.seed, where.recordings, len(recorded.means))
            )
            permuted = replace(recorded, means=recorded.means[rng.permutation(len(recorded.means))])
            features = scene.features(where.recordings, [layer])
            fitted = cross_validate(
                {layer: features[layer][0]},
                permuted.means,
                scene.folds(where.recordings),
                model(original),
                original.choose_per,
            )
            groups[target] = predicted_target(
                scene, where, permuted, features, fitted, kept, recorded.means, what
            )
    attributes = root_attributes(scene, groups) | {
        "kind": "encoded_control",
        "of": of.attrs["teacher"],
        "of_digest": of.attrs["digest"],
        "control": settings.control,
        # No recordings are left in the bare network's RDMs.
        "encoded": int(settings.control == "shuffled"),
    }
    return files.tree(groups, attributes)
