"""Parameters and FLOPs of architectures, without training or even allocating them."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

from ..errors import TgsageError

if TYPE_CHECKING:
    import torch

    from ..spaces import Architecture, Space
    from .settings import SamplerSettings


def admitted(space: Space, arch: Architecture, settings: SamplerSettings) -> bool:
    """Return whether an architecture satisfies the constraints on parameters and FLOPs."""
    if settings.max_parameters is None and settings.max_flops is None:
        return True
    size = settings.constraint_resolution, settings.constraint_classes
    counts = cost(space, space.canonical(arch), *size, settings.max_flops is not None)
    if counts is None:
        return False
    parameters, flops = counts
    return (settings.max_parameters is None or parameters <= settings.max_parameters) and (
        settings.max_flops is None or flops <= settings.max_flops
    )


@functools.lru_cache(maxsize=65536)
def cost(
    space: Space, arch: Architecture, resolution: int, n_classes: int, with_flops: bool = True
) -> tuple[int, int] | None:
    """Count the trainable parameters, and the FLOPs of the forward pass of one image (2 x multiply-adds).

    Returns both, the FLOPs 0 unless ``with_flops``, since counting them takes longer; None if images of
    ``resolution`` pixels a side are too small for the network. The network is built on torch's meta device,
    which uses no memory, arithmetic or random numbers.
    """
    import torch
    from torch import nn

    flops = 0

    def count(module: nn.Module, _: Any, output: torch.Tensor) -> None:
        # torch.utils.flop_counter takes ten times as long as hooks on the meta device.
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
                # Batch norm changes no shape and counts no FLOPs, but is slow on the meta device.
                setattr(part, "forward", lambda x: x)  # noqa: B010
        try:
            with torch.no_grad():
                module(torch.empty(1, 3, resolution, resolution))
        except TgsageError:
            return None
    return parameters, flops
