"""A CIFAR ResNet that learns the task: what a network teacher is, and an encoded teacher may look through."""

from __future__ import annotations

from typing import Any

from ..config.teacher import NetworkTeacher
from ..errors import TgsageError
from ..store import seed_from
from ..training.loop import train
from ..training.settings import Recipe
from .resnet import CifarResNet, initial


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
