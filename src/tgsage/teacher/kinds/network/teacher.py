"""The network teacher: a CIFAR ResNet that learned the task, and the RDMs of its three stacks.

Bashivan, Tensen & DiCarlo 2019 guide the search by a ResNet with n = 9 blocks per stack (He et al. 2016) on
validation images, with an RDM after each stack, the mean over random feature subsamples of that layer.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import xarray as xr

from ....training.devices import resolve_device, threads
from ....training.probes import activations, logits
from ...format import TeacherAttributes, marked, simulation, tree
from ...layer_targets import layer_targets
from ...learned_resnet import LearnedResNet, learned_resnet
from ...stimuli import task_stimuli

if TYPE_CHECKING:
    from ....tasks.task import Task
    from ...context import TeacherContext
    from .plugin import NetworkTeacher


def make(settings: NetworkTeacher, name: str, context: TeacherContext) -> xr.DataTree:
    """Make a teacher of a network that learned the task: targets ``stack_1``, ``stack_2`` and ``stack_3``.

    Its stimuli are validation images of the task, as many of every class as can be; root attribute
    ``uses_validation`` is 1. A network has no measurement noise, so the ceilings are NaN.

    Parameters
    ----------
    settings
        Weights or training, stimuli, subsamples, metric.
    name
        Of the teacher.
    context
        The task, the folder of weights and the device.

    Raises
    ------
    TgsageError
        If the weights are absent or do not fit, or there are too few validation images.
    """
    task = context.needed_task(name, settings.kind)
    stimuli, images = task_stimuli(task, settings.n_stimuli, settings.splits, settings.seed, name)
    network = learned_resnet(
        settings,
        name,
        task,
        seed=settings.seed,
        threads=settings.threads,
        data_root=context.data_root,
        device=context.device,
    )
    with threads(settings.threads):
        where = resolve_device(context.device)
        module = network.module.to(where)
        layers = activations(
            module, images, module.probe_names, mean=network.mean, std=network.std, device=where
        )
        accuracy = _accuracy(network, task, where)
    named = {f"stack_{depth}": layer for depth, layer in enumerate(layers.items(), start=1)}
    architecture = f"ResNet-{6 * settings.blocks_per_stack + 2}, width {settings.width}"
    attributes = TeacherAttributes(
        teacher=name,
        kind=settings.kind,
        simulated=int(task.simulated),
        rdm=settings.rdm,
        metric=settings.metric,
        resolution=task.resolution,
        uses_validation=1,
        mark=marked(simulation(task.simulated, 0)),
        words=f"A network, {architecture}, trained on the task's training images; its matrices are taken on "
        "validation images.",
        own={
            "validation_accuracy": accuracy,
            "network": architecture,
            "weights": Path(settings.weights).name if settings.weights else "trained by the rule",
        },
    )
    return tree(layer_targets(named, settings, name, stimuli, task.simulated), attributes.flat())


def _accuracy(network: LearnedResNet, task: Task, device: torch.device) -> float:
    """Return the accuracy on validation images; NaN if the network's classes are others."""
    if network.module.linear.out_features != task.n_classes:
        return float("nan")
    images = np.asarray(task.validation.images[:])
    scores = logits(network.module, images, mean=network.mean, std=network.std, device=device)
    return float((scores.argmax(1).cpu().numpy() == task.validation.labels).mean())
