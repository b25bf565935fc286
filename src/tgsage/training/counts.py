"""Size and arithmetic of a network."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from .devices import evaluation


class _Counter(TorchDispatchMode):
    """Adds up the formulas of ``torch.utils.flop_counter`` over the operations that run.

    ``FlopCounterMode`` gives the same sum (a test says so), but imports torch's compiler, a second's work.
    """

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Being left out of compilation is what would import the compiler.
        return False

    def __init__(self) -> None:
        # mypy does not connect an inherited constructor with torch.
        super().__init__()  # type: ignore[no-untyped-call]
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        formula = flop_registry.get(func.overloadpacket)
        if formula is not None:
            self.total += formula(*args, **kwargs, out_val=out)
        return out


def count_parameters(module: torch.nn.Module) -> int:
    """Return the number of trainable values; shared ones count once."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


@torch.no_grad()
def count_flops(module: torch.nn.Module, resolution: int) -> int:
    """Return the floating-point operations of one forward pass of one image.

    Two per multiply-add of convolutions and matrix products (what ``torch.utils.flop_counter`` counts);
    normalisation, pooling and nonlinearities are left out. The module's mode is put back.

    Parameters
    ----------
    module
        Takes (batch, 3, resolution, resolution).
    resolution
        Side of the image in pixels.
    """
    weight = next(module.parameters(), torch.empty(0))
    image = torch.zeros((1, 3, resolution, resolution), device=weight.device, dtype=torch.float32)
    with evaluation(module), _Counter() as counter:
        module(image)
    return int(counter.total)
