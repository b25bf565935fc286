"""A CIFAR ResNet that learned a task: read from a checkpoint, or trained."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..errors import TgsageError
from ..store import seed_from
from ..training.loop import train
from ..training.settings import Recipe
from .resnet import IMAGENET_MEAN, IMAGENET_STD, CifarResNet, initial
from .weights import find_weights, state_dict

if TYPE_CHECKING:
    from ..tasks.task import Task
    from .settings import CifarResNet as ResNetSettings
    from .stage import TeacherContext


def learned_resnet(
    settings: ResNetSettings, name: str, task: Task, context: TeacherContext, *, seed: int, threads: int
) -> tuple[CifarResNet, np.ndarray, np.ndarray]:
    """Return the network of the settings in evaluation mode, from its checkpoint or else trained on the task.

    With it come the pixel mean and standard deviation (3,) that it expects, as fractions of 255.

    Raises
    ------
    TgsageError
        If weights are absent or do not fit, or the training fails.
    """
    if settings.weights is not None:
        path = find_weights(settings.weights, context.data_root)
        module = load_weights(path, settings.blocks_per_stack, settings.width)
    else:
        module = trained(settings, name, task, seed=seed, threads=threads, device=context.device)
    imagenet = settings.normalisation == "imagenet"
    mean, std = (IMAGENET_MEAN, IMAGENET_STD) if imagenet else (task.mean, task.std)
    return module.eval(), mean, std


def trained(
    settings: ResNetSettings, name: str, task: Task, *, seed: int, threads: int = 1, device: str = "cpu"
) -> CifarResNet:
    """Train a CIFAR ResNet on the task's training images.

    Its streams come from the seed, the task and the size, not from the name: two teachers of equal settings
    are one network.
    """
    blocks, width = settings.blocks_per_stack, settings.width
    recipe = Recipe(epochs=settings.epochs, threads=threads, checkpoints=[1.0])
    stream = seed_from("network teacher", seed, task.digest, blocks, width, recipe.plain())
    module = initial(blocks, width, task.n_classes, stream)
    try:
        train(module, task, recipe, stream, device)
    except TgsageError as error:
        raise TgsageError(f"teacher {name!r}: {error}") from None
    return module


def load_weights(path: str | os.PathLike[str], blocks_per_stack: int, width: int = 16) -> CifarResNet:
    """Read a CIFAR ResNet of this size from a torch checkpoint.

    Raises
    ------
    TgsageError
        If the file is no such checkpoint, or its network is another one.
    """
    state = state_dict(path)
    if "linear.weight" not in state:
        raise TgsageError(
            f"weights {path}: has no linear.weight; it is not of a CIFAR ResNet with these names"
        )
    with torch.random.fork_rng(devices=[]):
        module = CifarResNet(blocks_per_stack, width, len(state["linear.weight"]))
    try:
        module.load_state_dict(state)
    except RuntimeError:
        blocks = len({key.split(".")[1] for key in state if key.startswith("layer1.")})
        channels = len(state["bn1.weight"]) if "bn1.weight" in state else "?"
        raise TgsageError(
            f"weights {path}: of a network with {blocks} blocks per stack and width {channels}, not "
            f"{blocks_per_stack} and {width}; set blocks_per_stack and width"
        ) from None
    return module.eval()
