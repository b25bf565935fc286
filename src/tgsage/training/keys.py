"""Keys of trained candidates in the store.

A key holds everything that can change the weights or what the training says, and nothing else: the canonical
architecture with the settings and the code of its space; the recipe except its timeout; the content of the
task; the code of the training; torch's version; the class of device, the dtype and, through the recipe, the
number of threads. Teacher, metric, alpha, arm, round and slot are not in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from ..store import digest, stage_digest
from .devices import device_class, resolve_device, resolve_precision

CODE = ("training.loop", "training.seeds")
"""Modules that decide the weights."""

if TYPE_CHECKING:
    from pathlib import Path

    from ..spaces import Architecture, Space
    from ..tasks import Task
    from .settings import Recipe


def candidate_key(
    space: Space, arch: Architecture, recipe: Recipe, task: Task, device: str | torch.device
) -> str:
    """Return the store key of a trained candidate, 64 hexadecimal digits.

    Parameters
    ----------
    space, arch
        The architecture; every spelling of one canonical form has one key.
    recipe
        How it is trained; its ``timeout_seconds`` does not count.
    task
        What it learns; its content counts, its file and name do not.
    device
        ``"auto"``, ``"cpu"`` or ``"cuda"``; of a GPU the model counts.
    """
    return digest(key_content(space, arch, recipe, task, device))


def key_content(
    space: Space, arch: Architecture, recipe: Recipe, task: Task, device: str | torch.device
) -> dict[str, Any]:
    """Return what the key of a candidate is made from, as JSON-ready values."""
    device = resolve_device(device)
    canonical = space.canonical(arch)
    return {
        "space": space.name,
        "space_key": space.key(canonical),
        "architecture": space.format(canonical),
        "recipe": recipe_values(recipe),
        "dtype": f"torch.{with_precision(recipe, space, device).precision}",
        "task": task.digest,
        "n_classes": task.n_classes,
        "device": device_class(device),
        **versions(space),
    }


def with_precision(recipe: Recipe, space: Space, device: torch.device) -> Recipe:
    """Return the recipe with the precision in which a device trains all networks of a space.

    It heeds the space and not the architecture: candidates of one search on one kind of processor are
    compared in one dtype.
    """
    dtype = resolve_precision(recipe.precision, device, dense=builder(space).settings.dense)
    return recipe.model_copy(update={"precision": str(dtype).removeprefix("torch.")})


def recipe_values(recipe: Recipe) -> dict[str, Any]:
    """Return the values of a recipe that are part of a key."""
    values = recipe.keyed()
    # How long one waits, and the word by which a dtype was chosen, cannot change the weights.
    del values["timeout_seconds"], values["precision"]
    return values


def builder(space: Space) -> Space:
    """Return the space whose code builds the networks of a space: a list builds those of another."""
    built_by: Space = getattr(space, "of", space)
    return built_by


def versions(space: Space, root: Path | None = None) -> dict[str, str]:
    """Return what of a key changes with torch and with the code, which lies under ``root`` (None: here)."""
    return {
        "space_code": stage_digest(settings=[builder(space).settings], root=root),
        "code": stage_digest(*CODE, root=root),
        "torch": torch.__version__,
    }
