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
from ..training.devices import resolve_device, threads
from ..training.probes import activations, logits
from . import files
from .layer_targets import layer_targets
from .resnet import IMAGENET_MEAN, IMAGENET_STD, CifarResNet, load_weights
from .task_stimuli import task_stimuli
from .trained_resnet import trained
from .weights import find_weights


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
    stimuli = task_stimuli(settings.n_stimuli, settings.seed, name, task)
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
        layers = activations(module, stimuli[0], module.probe_names, mean=mean, std=std, device=where)
        accuracy = _accuracy(module, task, mean, std, where)
    named = {f"stack_{depth}": layer for depth, layer in enumerate(layers.items(), start=1)}
    groups = layer_targets(named, settings, name, task, stimuli)
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


def _accuracy(
    module: CifarResNet, task: Any, mean: np.ndarray, std: np.ndarray, device: torch.device
) -> float:
    """Share of the validation images that the network names rightly; NaN if its classes are others."""
    if module.linear.out_features != task.n_classes:
        return float("nan")
    found = logits(module, task.validation.images, mean=mean, std=std, device=device)
    return float((found.argmax(1).cpu().numpy() == task.validation.labels).mean())
