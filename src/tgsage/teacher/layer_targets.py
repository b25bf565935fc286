"""Targets that are layers of a network: RDMs over random subsamples of each layer's features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
import xarray as xr

from ..errors import TgsageError
from ..rdm import category_means, rdm
from ..store import seed_from
from .ceilings import absent
from .format import TargetAttributes, target
from .stimuli import Stimuli

if TYPE_CHECKING:
    from .kinds.network.plugin import NetworkTeacher
    from .kinds.pretrained.plugin import PretrainedTeacher


def layer_targets(
    layers: Mapping[str, tuple[str, torch.Tensor]],
    settings: NetworkTeacher | PretrainedTeacher,
    name: str,
    stimuli: Stimuli,
    simulated: bool,
) -> dict[str, xr.Dataset]:
    """Make a target of every layer: the mean RDM over random feature subsamples (Bashivan et al. 2019).

    Parameters
    ----------
    layers
        By name of the target: name of the layer, and its features (stimuli, features).
    settings
        ``metric``, ``rdm``, ``subsamples``, ``subsample_features`` and ``seed``.
    name
        Of the teacher, for messages.
    stimuli
        What the features are of.
    simulated
        Whether the task's images are.

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
                simulated=int(simulated),
                own={"subsamples": len(subsamples), "subsample_features": len(subsamples[0])},
            ),
        )
    return groups


def _subsamples(
    n_features: int, settings: NetworkTeacher | PretrainedTeacher, layer: str
) -> list[np.ndarray]:
    """Return the features of each subsample; all features once where there are no more than asked for."""
    size = settings.subsample_features
    if n_features <= size:
        return [np.arange(n_features)]
    rng = np.random.default_rng(seed_from("feature subsamples", settings.seed, layer))
    return [np.sort(rng.choice(n_features, size, replace=False)) for _ in range(settings.subsamples)]


def _mean_rdm(patterns: np.ndarray, subsamples: list[np.ndarray], metric: str) -> np.ndarray:
    rdms = [rdm(patterns[:, features], metric) for features in subsamples]
    return np.asarray(np.mean(rdms, axis=0))
