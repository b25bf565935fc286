"""Teachers whose targets are layers of a network: RDMs over random subsamples of features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import xarray as xr

from ..errors import TgsageError
from ..rdm import category_means, rdm
from ..store import seed_from
from .ceilings import absent
from .format import TargetAttributes, TeacherAttributes, simulation, target, tree
from .stimuli import Stimuli

if TYPE_CHECKING:
    from ..tasks.task import Task
    from .settings import LayerTargets


def teacher_of_layers(
    layers: Mapping[str, tuple[str, torch.Tensor]],
    settings: LayerTargets,
    name: str,
    task: Task,
    stimuli: Stimuli,
    words: str,
    specific: Mapping[str, Any],
) -> xr.DataTree:
    """Make a teacher with a target for every layer (Bashivan et al. 2019).

    The RDM of a layer is the mean over random subsamples of its features. ``layers`` has by name of the
    target the layer's name and its features (stimuli, features); ``words`` is a sentence for the report and
    ``specific`` has the attributes of the kind. A network has no measurement noise, so the ceilings are NaN.

    Raises
    ------
    TgsageError
        If a layer answers alike to some images.
    """
    parts = stimuli.parts()
    groups = {}
    for target_name, (layer, values) in layers.items():
        features = values.double().cpu().numpy()
        subsamples = _subsamples(features.shape[1], settings, layer)
        condensed = _mean_rdm(features, subsamples, settings.metric)
        by_category = None
        if settings.rdm == "category":
            by_category = [
                _mean_rdm(category_means(features[m], stimuli.category[m]), subsamples, settings.metric)
                for m in parts.values()
            ]
        if not np.isfinite(condensed).all():
            raise TgsageError(
                f"teacher {name!r}: layer {layer} answers alike to some images; train longer or check the "
                "weights"
            )
        groups[target_name] = target(
            stimuli,
            condensed,
            ceilings=dict.fromkeys(parts, absent("a network has no measurement noise")),
            category_rdms=by_category,
            attributes=TargetAttributes(
                region=layer,
                n_sites=features.shape[1],
                metric=settings.metric,
                simulated=int(task.simulated),
                specific={"subsamples": len(subsamples), "subsample_features": len(subsamples[0])},
            ),
        )
    attributes = TeacherAttributes(
        teacher=name,
        kind=settings.kind,
        simulated=int(task.simulated),
        rdm=settings.rdm,
        metric=settings.metric,
        resolution=task.resolution,
        uses_validation=1,
        mark=simulation(task.simulated, 0),
        words=f"A network, {words}; its matrices are taken on validation images.",
        specific=specific,
    )
    return tree(groups, attributes.flat())


def _subsamples(n_features: int, settings: LayerTargets, layer: str) -> list[np.ndarray]:
    """Return the features of each subsample; all of them once where there are no more than asked for."""
    size = settings.subsample_features
    if n_features <= size:
        return [np.arange(n_features)]
    rng = np.random.default_rng(seed_from("feature subsamples", settings.seed, layer))
    return [np.sort(rng.choice(n_features, size, replace=False)) for _ in range(settings.subsamples)]


def _mean_rdm(patterns: np.ndarray, subsamples: list[np.ndarray], metric: str) -> np.ndarray:
    rdms = [rdm(patterns[:, features], metric) for features in subsamples]
    return np.asarray(np.mean(rdms, axis=0))
