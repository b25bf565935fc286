"""Parameters and FLOPs of an architecture that nobody has trained: constraints cost no training."""

from __future__ import annotations

import functools
import math
from typing import Any

from ..config.samplers import SamplerSettings
from ..errors import TgsageError
from ..spaces.base import Architecture, Space


def admitted(space: Space, arch: Architecture, settings: SamplerSettings) -> bool:
    """Whether an architecture keeps the constraints on parameters and FLOPs."""
    if settings.max_parameters is None and settings.max_flops is None:
        return True
    found = cost(
        space,
        space.canonical(arch),
        settings.constraint_resolution,
        settings.constraint_classes,
        settings.max_flops is not None,
    )
    if found is None:
        return False
    parameters, flops = found
    return (settings.max_parameters is None or parameters <= settings.max_parameters) and (
        settings.max_flops is None or flops <= settings.max_flops
    )


@functools.lru_cache(maxsize=65536)
def cost(
    space: Space, arch: Architecture, resolution: int, n_classes: int, with_flops: bool = True
) -> tuple[int, int] | None:
    """Trainable parameters, and FLOPs of the forward pass of one image (2 x multiply-adds).

    The network is built on torch's meta device: no memory, no arithmetic, no random numbers.

    Returns
    -------
    tuple of int, or None
        FLOPs are 0 unless ``with_flops``. None: the network cannot take images of this size.
    """
    import torch
    from torch import nn

    flops = 0

    def count(module: nn.Module, _: Any, output: torch.Tensor) -> None:
        # Hooks, for torch.utils.flop_counter takes ten times as long on the meta device.
        nonlocal flops
        if isinstance(module, nn.Conv2d):
            weights = math.prod(module.kernel_size) * module.in_channels // module.groups
        else:
            assert isinstance(module, nn.Linear)
            weights = module.in_features
        flops += 2 * output.numel() * weights

    with torch.device("meta"):
        module = space.build(arch, n_classes).eval()
        parameters = sum(item.numel() for item in module.parameters() if item.requires_grad)
        if not with_flops:
            return parameters, 0
        for part in module.modules():
            if isinstance(part, nn.Conv2d | nn.Linear):
                part.register_forward_hook(count)
            elif isinstance(part, nn.BatchNorm2d):
                # Changes no shape and counts no FLOPs, but is slow on the meta device.
                part.forward = _same
        try:
            with torch.no_grad():
                module(torch.empty(1, 3, resolution, resolution))
        except TgsageError:
            return None
    return parameters, flops


def _same(x: Any) -> Any:
    return x
