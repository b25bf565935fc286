"""The network teacher: a CIFAR ResNet that learned the task, and the RDMs of its three stacks.

Bashivan, Tensen & DiCarlo 2019 guide the search by a ResNet with n = 9 blocks per stack (He et al. 2016) on
validation images, with an RDM after each stack, the mean over random feature subsamples of that layer.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr

from ..config.teacher import NetworkTeacher
from ..config.training import Recipe
from ..errors import TgsageError
from ..rdm import category_means, rdm
from ..store import seed_from
from ..tasks import image_hashes
from ..training.devices import resolve_device, threads
from ..training.loop import train
from ..training.probes import activations, logits
from . import files
from .ceilings import absent
from .resnet import IMAGENET_MEAN, IMAGENET_STD, CifarResNet, initial, load_weights
from .splits import assign_splits, parts_in_use


def network_teacher(
    settings: NetworkTeacher,
    name: str,
    task: Any,
    *,
    data_root: str | os.PathLike[str] | None = None,
    device: str = "cpu",
) -> xr.DataTree:
    """Make a teacher of a network that learned the task: targets ``stack_1``, ``stack_2`` and ``stack_3``.

    Its stimuli are validation images of the task, as many of every class as can be; root attribute
    ``uses_validation`` is 1. A network has no measurement noise, so the ceilings are NaN.

    Parameters
    ----------
    settings
        Weights or training, stimuli, subsamples, metric.
    name
        Of the teacher.
    task
        :class:`tgsage.tasks.Task`.
    data_root
        Folder that a relative ``settings.weights`` is looked for in.
    device
        ``auto``, ``cpu`` or ``cuda``.

    Raises
    ------
    TgsageError
        If the weights are absent or do not fit, or there are too few validation images.
    """
    images, labels, index = _stimuli(settings, name, task)
    if settings.weights is None:
        module = trained(settings, name, task, device)
    else:
        module = load_weights(
            find_weights(settings.weights, data_root), settings.blocks_per_stack, settings.width
        )
    mean, std = (
        (IMAGENET_MEAN, IMAGENET_STD) if settings.normalisation == "imagenet" else (task.mean, task.std)
    )
    where = resolve_device(device)
    with threads(settings.threads):
        module = module.to(where).eval()
        layers = activations(module, images, module.probe_names, mean=mean, std=std, device=where)
        accuracy = _accuracy(module, task, mean, std, where)
    category = np.asarray(task.classes, str)[labels]
    split = assign_splits(category, settings.splits, where=f"teacher {name!r}", pictures=image_hashes(images))
    groups = {}
    for depth, (layer, features) in enumerate(layers.items(), start=1):
        features = features.double().cpu().numpy()
        subsamples = _subsamples(features.shape[1], settings, layer)
        parts = {part: np.flatnonzero(split == part) for part in parts_in_use(settings.splits)}
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
        groups[f"stack_{depth}"] = files.target(
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
    attributes = {
        "teacher": name,
        "kind": "network",
        "simulated": int(task.simulated),
        "rdm": settings.rdm,
        "metric": settings.metric,
        "resolution": task.resolution,
        "of": "",
        "compare": "",
        "uses_validation": 1,
        "control": "",
        "validation_accuracy": accuracy,
        "network": f"ResNet-{6 * settings.blocks_per_stack + 2}, width {settings.width}",
        "weights": Path(settings.weights).name if settings.weights else "trained by the rule",
    }
    return files.tree(groups, attributes)


def trained(settings: NetworkTeacher, name: str, task: Any, device: str = "cpu") -> CifarResNet:
    """Train the teacher's network on the task's training images.

    Its streams come from the teacher's seed and the task, not from its name: two teachers of equal settings
    are one network.
    """
    recipe = Recipe(epochs=settings.epochs, threads=settings.threads, checkpoints=[1.0])
    seed = seed_from(
        "network teacher",
        settings.seed,
        task.digest,
        settings.blocks_per_stack,
        settings.width,
        recipe.plain(),
    )
    module = initial(settings.blocks_per_stack, settings.width, task.n_classes, seed)
    try:
        train(module, task, recipe, seed, device)
    except TgsageError as error:
        raise TgsageError(f"teacher {name!r}: {error}") from None
    return module


def find_weights(weights: str, data_root: str | os.PathLike[str] | None) -> Path:
    """Where a checkpoint lies: an absolute path, or in the data folder, or below the working directory.

    Raises
    ------
    TgsageError
        If it is in none of them.
    """
    places = [Path(weights)] if data_root is None else [Path(data_root) / weights, Path(weights)]
    for place in places:
        if place.is_file():
            return place
    raise TgsageError(f"weights {weights!r}: no such file (looked for {', '.join(map(str, places))})")


def _stimuli(settings: NetworkTeacher, name: str, task: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Validation images, balanced over classes, none of which is also a training or test image."""
    part = task.validation
    forbidden = {picture for other in (task.train, task.test) for picture in image_hashes(other.images)}
    rng = np.random.default_rng(seed_from("network teacher stimuli", settings.seed, task.digest))
    order = rng.permutation(len(part.labels))
    hashes = image_hashes(part.images)
    order = order[[hashes[row] not in forbidden for row in order]]
    if len(order) < settings.n_stimuli:
        raise TgsageError(
            f"teacher {name!r}: n_stimuli is {settings.n_stimuli} and the task has {len(order)} validation "
            "images that are not training or test images; lower n_stimuli or raise the task's n_validation"
        )
    # How many of its class came before: sorting by it takes the first of every class, then the second, …
    rank = np.empty(len(order), int)
    for label in range(task.n_classes):
        members = np.flatnonzero(part.labels[order] == label)
        rank[members] = np.arange(len(members))
    index = np.sort(order[np.argsort(rank, kind="stable")[: settings.n_stimuli]])
    return part.images[index], part.labels[index], index


def _subsamples(n_features: int, settings: NetworkTeacher, layer: str) -> list[np.ndarray]:
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


def _accuracy(
    module: CifarResNet, task: Any, mean: np.ndarray, std: np.ndarray, device: torch.device
) -> float:
    """Share of the validation images that the network names rightly; NaN if its classes are others."""
    if module.linear.out_features != task.n_classes:
        return float("nan")
    found = logits(module, task.validation.images, mean=mean, std=std, device=device)
    return float((found.argmax(1).cpu().numpy() == task.validation.labels).mean())
