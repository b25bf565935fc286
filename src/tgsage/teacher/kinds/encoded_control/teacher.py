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
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from pydantic import ValidationError

from ....errors import TgsageError
from ....store import seed_from
from ....training.devices import threads
from ...format import targets_of, tree
from ..encoded.context import EncodingContext, Recorded, Recordings
from ..encoded.encoding import cross_validate

if TYPE_CHECKING:
    from ....config.teacher import EncodedControl, EncodedTeacher
    from ....tasks.task import Task


def encoded_control(
    settings: EncodedControl,
    name: str,
    original: xr.DataTree,
    recordings: Recordings,
    task: Task,
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
    original
        The encoded teacher.
    recordings, task, data_root, device
        What the encoded teacher was made of, as for
        :func:`~tgsage.teacher.kinds.encoded.teacher.encoded_teacher`.

    Raises
    ------
    TgsageError
        If the original is no encoded teacher, or was made of something else.
    """
    of, originals = original.attrs["teacher"], targets_of(original)
    encoding = _settings_of(original, name)
    bare = settings.control == "bare"
    with threads(encoding.threads):
        context = EncodingContext(encoding, name, recordings, task, data_root, device)
        groups = {}
        for target, where in encoding.targets.items():
            what = f"teacher {name!r}, target {target!r}"
            recorded = context.recorded(where, what)
            _check_origin(originals[target], context, recorded, f"{what}: {of!r}")
            layer = str(originals[target].attrs["layer"])
            kept = originals[target]["kept"].values.astype(bool)
            groups[target] = (
                _bare(context, recorded, layer, kept, what)
                if bare
                else _shuffled(context, recorded, layer, kept, settings.seed, what)
            )
    attributes = context.attributes(
        groups,
        # No recordings are left in the bare network's RDMs.
        encoded=not bare,
        control=settings.control,
        control_mark=f"Control: features of {of} without recordings"
        if bare
        else f"Control: recordings of {of} shuffled before the encoding",
        kind="encoded_control",
        of=of,
        of_digest=original.attrs["digest"],
        words=f"A control of the encoded teacher {of}: "
        + (
            "the features alone, without recordings."
            if bare
            else "the encoding fitted to responses with permuted stimulus labels."
        ),
    )
    return tree(groups, attributes.flat())


def _settings_of(original: xr.DataTree, name: str) -> EncodedTeacher:
    """Return the settings of an encoded teacher, which are in its file."""
    from ....config.teacher import EncodedTeacher

    of, kind = original.attrs["teacher"], original.attrs["kind"]
    if kind != "encoded":
        raise TgsageError(f"teacher {name!r}: {of!r} is of kind {kind!r}; name an encoded teacher")
    try:
        return EncodedTeacher.model_validate_json(original.attrs["settings"])
    except (KeyError, ValidationError):
        raise TgsageError(
            f"teacher {name!r}: the settings of {of!r} are not those of this version; make it again"
        ) from None


def _check_origin(target: xr.Dataset, context: EncodingContext, recorded: Recorded, what: str) -> None:
    """Raise if a target of the original has other stimuli or other sites."""
    same_images = np.array_equal(target["images"].values, context.images)
    same_sites = np.array_equal(target["neuroid_id"].values.astype(str), recorded.neuroid_id)
    if not (same_images and same_sites):
        raise TgsageError(f"{what} was made of other recordings or another task; make it again")


def _bare(
    context: EncodingContext, recorded: Recorded, layer: str, kept: np.ndarray, what: str
) -> xr.Dataset:
    """Return the target of a layer's own features."""
    dataset = str(recorded.shared["recordings"])
    of_recorded, of_task = (
        values.double().numpy() for values in context.standardised(dataset, [layer])[layer]
    )
    similarity = context.held_out_similarity(dataset, of_recorded, recorded.means[:, kept], zscore=False)
    return context.target_of(
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
        own={**recorded.n_recorded, "layer": layer, "encoded": 0, "held_out_similarity": similarity},
    )


def _shuffled(
    context: EncodingContext, recorded: Recorded, layer: str, kept: np.ndarray, seed: int, what: str
) -> xr.Dataset:
    """Return the target of an encoding fitted to responses with permuted stimulus labels."""
    dataset = str(recorded.shared["recordings"])
    rng = np.random.default_rng(seed_from("shuffled encoding", seed, dataset, len(recorded.means)))
    permuted = replace(recorded, means=recorded.means[rng.permutation(len(recorded.means))])
    features = context.features(dataset, [layer])
    fitted = cross_validate(
        {layer: features[layer][0]},
        permuted.means,
        context.folds(dataset),
        context.model(),
        context.settings.choose_per,
    )
    return context.predicted_target(permuted, features, fitted, kept, recorded.means, what)
