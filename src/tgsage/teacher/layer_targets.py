"""Targets that are layers of a network: RDMs over random subsamples of each layer's features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import xarray as xr

from ..errors import TgsageError
from ..rdm import category_means, rdm
from ..store import seed_from
from ..tasks import image_hashes
from . import files
from .ceilings import absent
from .splits import assign_splits, parts_in_use


def layer_targets(
    layers: Mapping[str, tuple[str, torch.Tensor]],
    settings: Any,
    name: str,
    task: Any,
    stimuli: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> dict[str, xr.Dataset]:
    """Make a target of every layer: the mean RDM over random feature subsamples (Bashivan et al. 2019).

    Parameters
    ----------
    layers
        By name of the target: name of the layer, and its features (stimuli, features).
    settings
        ``metric``, ``rdm``, ``splits``, ``subsamples``, ``subsample_features`` and ``seed``.
    name
        Of the teacher, for messages.
    task
        :class:`tgsage.tasks.Task`.
    stimuli
        As :func:`~tgsage.teacher.task_stimuli.task_stimuli` gives them.

    Raises
    ------
    TgsageError
        If a layer answers alike to some images, or a part has too few stimuli.
    """
    images, labels, index = stimuli
    category = np.asarray(task.classes, str)[labels]
    split = assign_splits(category, settings.splits, where=f"teacher {name!r}", pictures=image_hashes(images))
    parts = {part: np.flatnonzero(split == part) for part in parts_in_use(settings.splits)}
    groups = {}
    for target, (layer, values) in layers.items():
        features = values.double().cpu().numpy()
        subsamples = _subsamples(features.shape[1], settings, layer)
        condensed = np.mean([rdm(features[:, chosen], settings.metric) for chosen in subsamples], axis=0)
        category_rdm = None
        if settings.rdm == "category":
            category_rdm = [
                _category_rdm(features[m], category[m], subsamples, settings.metric) for m in parts.values()
            ]
        if not np.isfinite(condensed).all():
            raise TgsageError(
                f"teacher {name!r}: layer {layer} answers alike to some images; train longer or check the "
                "weights"
            )
        groups[target] = files.target(
            rdm=condensed,
            stimulus_id=np.array([f"validation_{row:05d}" for row in index]),
            category=category,
            split=split,
            images=images,
            ceilings=dict.fromkeys(parts, absent("a network has no measurement noise")),
            category_rdm=category_rdm,
            category_name=np.unique(category) if category_rdm is not None else None,
            attributes={
                "region": layer,
                "recordings": "",
                "n_sites": features.shape[1],
                "n_repeats": np.nan,
                "n_animals": 0,
                "weight": 1.0,
                "metric": settings.metric,
                "zscore": 0,
                "visual_degrees": np.nan,
                "network_degrees": np.nan,
                "simulated": int(task.simulated),
                "published_rdm": 0,
                "subsamples": len(subsamples),
                "subsample_features": len(subsamples[0]),
            },
        )
    return groups


def _subsamples(n_features: int, settings: Any, layer: str) -> list[np.ndarray]:
    """Indices of the features of each subsample; all features once where there are no more than asked for."""
    size = settings.subsample_features
    if n_features <= size:
        return [np.arange(n_features)]
    rng = np.random.default_rng(seed_from("feature subsamples", settings.seed, layer))
    return [np.sort(rng.choice(n_features, size, replace=False)) for _ in range(settings.subsamples)]


def _category_rdm(
    features: np.ndarray, category: np.ndarray, subsamples: list[np.ndarray], metric: str
) -> np.ndarray:
    means = category_means(features, category)
    return np.mean([rdm(means[:, chosen], metric) for chosen in subsamples], axis=0)
