"""The pretrained teacher: layers of a network of timm or torchvision, on the task's own images."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import xarray as xr

from ....errors import TgsageError
from ....threads import threads
from ....training.devices import resolve_device
from ....training.probes import activations
from ...geometry import to_network_input
from ...layers import teacher_of_layers
from ...stimuli import task_stimuli
from ...weights import find_weights, state_dict

if TYPE_CHECKING:
    from ...stage import TeacherContext
    from .plugin import PretrainedTeacher

INSTALL = "pip install 'tgsage[vision]' (timm, torchvision; torchvision has to fit the installed torch)"


def make(settings: PretrainedTeacher, name: str, context: TeacherContext) -> xr.DataTree:
    """Make a teacher of layers of a pretrained network: a target per layer, named like it.

    Its stimuli are validation images of the task, as many of every class as can be.

    Raises
    ------
    TgsageError
        If the library is not installed or does not know the architecture, the weights are absent or do not
        fit, a layer does not exist or answers with several tensors, or there are too few validation images.
    """
    task = context.needed_task(name, settings.kind)
    stimuli, images = task_stimuli(task, settings.n_stimuli, settings.splits, settings.seed, name)
    module = library_network(settings.architecture, settings.weights, name, context.data_root)
    side = settings.resolution or task.resolution
    shown = to_network_input(images, resolution=side, visual_degrees=1.0, resample=settings.resample)
    with threads(settings.threads):
        try:
            features = activations(
                module,
                shown,
                settings.layers,
                mean=settings.mean,
                std=settings.std,
                device=resolve_device(context.device),
                batch_size=64,
            )
        except TgsageError as error:
            raise TgsageError(f"teacher {name!r}, {settings.architecture}: {error}") from None
        return teacher_of_layers(
            {layer: (layer, values) for layer, values in features.items()},
            settings,
            name,
            task,
            stimuli,
            f"{settings.architecture}, that learned another task",
            {
                "network": settings.architecture,
                "network_resolution": side,
                "weights": Path(settings.weights).name if settings.weights else "the library's own",
            },
        )


def library_network(
    architecture: str, weights: str | None, name: str, data_root: str | os.PathLike[str] | None
) -> torch.nn.Module:
    """Make a network ``timm:<name>`` or ``torchvision:<name>``, for the teacher ``name``.

    ``weights`` is a file of a state dict, relative to ``data_root``; None takes the pretrained weights of the
    library, which downloads them. Errors are those of :func:`make`.
    """
    library, _, model = architecture.partition(":")
    path = None if weights is None else find_weights(weights, data_root)
    try:
        # torchvision's compiled part may fail to load beside another build of torch.
        module = importlib.import_module({"timm": "timm", "torchvision": "torchvision.models"}[library])
    except (ImportError, RuntimeError, OSError) as error:
        raise TgsageError(
            f"teacher {name!r}: architecture {architecture!r} needs {library}, which cannot be imported "
            f"({error}); {INSTALL}"
        ) from None
    try:
        with torch.random.fork_rng(devices=[]):
            if library == "timm":
                network: torch.nn.Module = module.create_model(model, pretrained=path is None)
            else:
                network = module.get_model(model, weights="DEFAULT" if path is None else None)
    except (RuntimeError, ValueError, KeyError, OSError) as error:
        raise TgsageError(
            f"teacher {name!r}: {library} does not give {model!r} ({error}); check the name, or name a file "
            "of weights if there is no network connection"
        ) from None
    if path is not None:
        try:
            network.load_state_dict(state_dict(path))
        except RuntimeError as error:
            raise TgsageError(f"weights {path}: do not fit {architecture} ({error})") from None
    return network.eval()
