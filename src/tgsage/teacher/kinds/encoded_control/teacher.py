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

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from .... import plugins
from ....errors import TgsageError
from ....store import seed_from
from ....threads import threads
from ...format import targets_of, tree
from ..encoded.context import EncodingContext, Recorded
from ..encoded.encoding import cross_validate

if TYPE_CHECKING:
    from ...stage import TeacherContext
    from ..encoded.plugin import EncodedTeacher
    from .plugin import EncodedControl


def make(settings: EncodedControl, name: str, context: TeacherContext) -> xr.DataTree:
    """Make a control of an encoded teacher.

    Raises
    ------
    TgsageError
        If the original is no encoded teacher, or was made of something else.
    """
    original = context.needed_original(name, settings.of)
    encoded_name, originals = original.attrs["teacher"], targets_of(original)
    encoded = _settings_of(original, name)
    bare = settings.control == "bare"
    with threads(encoded.threads):
        encoding = EncodingContext(encoded, name, context)
        groups = {}
        for target, where in encoded.targets.items():
            what = f"teacher {name!r}, target {target!r}"
            recorded = encoding.recorded(where, what)
            theirs = originals[target]
            same_images = np.array_equal(theirs["images"].values, encoding.images)
            same_sites = np.array_equal(theirs["neuroid_id"].values.astype(str), recorded.neuroid_id)
            if not (same_images and same_sites):
                raise TgsageError(
                    f"{what}: {encoded_name!r} was made of other recordings or another task; make it again"
                )
            layer, kept = str(theirs.attrs["layer"]), theirs["kept"].values.astype(bool)
            groups[target] = (
                _bare(encoding, recorded, layer, kept, what)
                if bare
                else _shuffled(encoding, recorded, layer, kept, settings.seed, what)
            )
    attributes = encoding.attributes(
        groups,
        # No recordings are left in the bare network's RDMs.
        encoded=not bare,
        control=settings.control,
        control_mark=f"Control: features of {encoded_name} without recordings"
        if bare
        else f"Control: recordings of {encoded_name} shuffled before the encoding",
        kind=settings.kind,
        of=encoded_name,
        of_digest=original.attrs["digest"],
        words=f"A control of the encoded teacher {encoded_name}: "
        + (
            "the features alone, without recordings."
            if bare
            else "the encoding fitted to responses with permuted stimulus labels."
        ),
    )
    return tree(groups, attributes.flat())


def _settings_of(original: xr.DataTree, name: str) -> EncodedTeacher:
    """Return the settings of an encoded teacher, which are in its file."""
    encoded_name, kind = original.attrs["teacher"], original.attrs["kind"]
    if kind != "encoded":
        raise TgsageError(f"teacher {name!r}: {encoded_name!r} is of kind {kind!r}; name an encoded teacher")
    try:
        settings: EncodedTeacher = plugins.settings("teacher", json.loads(original.attrs["settings"]))
    except (KeyError, ValueError, TgsageError):
        raise TgsageError(
            f"teacher {name!r}: the settings of {encoded_name!r} are not those of this version; make it again"
        ) from None
    return settings


def _bare(
    encoding: EncodingContext, recorded: Recorded, layer: str, kept: np.ndarray, what: str
) -> xr.Dataset:
    """Return the target of a layer's own features."""
    dataset = str(recorded.shared["recordings"])
    of_recorded, of_task = (
        values.double().numpy() for values in encoding.standardised(dataset, [layer])[layer]
    )
    similarity = encoding.held_out_similarity(dataset, of_recorded, recorded.means[:, kept], zscore=False)
    return encoding.target_of(
        of_task,
        what,
        shared={
            **recorded.shared,
            "region": layer,
            "n_sites": of_task.shape[1],
            "n_repeats": np.nan,
            "n_animals": 0,
            "zscore": 0,
        },
        specific={**recorded.n_recorded, "layer": layer, "encoded": 0, "held_out_similarity": similarity},
    )


def _shuffled(
    encoding: EncodingContext, recorded: Recorded, layer: str, kept: np.ndarray, seed: int, what: str
) -> xr.Dataset:
    """Return the target of an encoding fitted to responses with permuted stimulus labels."""
    dataset = str(recorded.shared["recordings"])
    rng = np.random.default_rng(seed_from("shuffled encoding", seed, dataset, len(recorded.means)))
    permuted = replace(recorded, means=recorded.means[rng.permutation(len(recorded.means))])
    features = encoding.features(dataset, [layer])
    fitted = cross_validate(
        {layer: features[layer][0]},
        permuted.means,
        encoding.folds(dataset),
        encoding.model(),
        encoding.settings.choose_per,
    )
    return encoding.predicted_target(permuted, features, fitted, kept, recorded.means, what)
