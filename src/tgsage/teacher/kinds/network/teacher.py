"""The network teacher: a CIFAR ResNet that learned the task, and the RDMs of its three stacks.

Bashivan, Tensen & DiCarlo 2019 guide the search by a ResNet with n = 9 blocks per stack (He et al. 2016) on
validation images, with an RDM after each stack, the mean over random feature subsamples of that layer.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from ....threads import threads
from ....training.devices import resolve_device
from ....training.probes import activations, logits
from ...layers import teacher_of_layers
from ...learned_resnet import learned_resnet
from ...stimuli import task_stimuli

if TYPE_CHECKING:
    from ...stage import TeacherContext
    from .plugin import NetworkTeacher


def make(settings: NetworkTeacher, name: str, context: TeacherContext) -> xr.DataTree:
    """Make a teacher of a network that learned the task: targets ``stack_1``, ``stack_2`` and ``stack_3``.

    Its stimuli are validation images of the task, as many of every class as can be.

    Raises
    ------
    TgsageError
        If the weights are absent or do not fit, or there are too few validation images.
    """
    task = context.needed_task(name, settings.kind)
    stimuli, images = task_stimuli(task, settings.n_stimuli, settings.splits, settings.seed, name)
    module, mean, std = learned_resnet(
        settings, name, task, context, seed=settings.seed, threads=settings.threads
    )
    device = resolve_device(context.device)
    with threads(settings.threads):
        module = module.to(device)
        layers = activations(module, images, module.probe_names, mean=mean, std=std, device=device)
        accuracy = float("nan")  # of a network with other classes
        if module.linear.out_features == task.n_classes:
            validation = task.validation
            scores = logits(module, np.asarray(validation.images[:]), mean=mean, std=std, device=device)
            accuracy = float((scores.argmax(1).cpu().numpy() == validation.labels).mean())
    architecture = f"ResNet-{6 * settings.blocks_per_stack + 2}, width {settings.width}"
    return teacher_of_layers(
        {f"stack_{depth}": layer for depth, layer in enumerate(layers.items(), start=1)},
        settings,
        name,
        task,
        stimuli,
        f"{architecture}, trained on the task's training images",
        {
            "validation_accuracy": accuracy,
            "network": architecture,
            "weights": Path(settings.weights).name if settings.weights else "trained by the rule",
        },
    )
