"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.optim.sgd import sgd


class SGD:
    """Stochastic gradient descent with Nesterov momentum.

    torch's own update, called as a function. ``torch.optim.SGD`` gives the same (a test says so), but it
    imports torch's compiler at its first use, which costs every process a second or more. Only matrices and
    kernels decay: biases and normalisation layers have one dimension. A momentum of 0 is plain descent.
    ``fused`` updates in one kernel, which saves launches on a GPU; on a CPU its last digits are others.
    """

    def __init__(
        self,
        parameters: Sequence[torch.nn.Parameter],
        *,
        momentum: float,
        weight_decay: float,
        fused: bool = False,
    ):
        self.momentum = momentum
        self._fused = fused
        self._groups = [
            ([p for p in parameters if p.ndim > 1], weight_decay),
            ([p for p in parameters if p.ndim <= 1], 0.0),
        ]
        self._velocity: dict[torch.nn.Parameter, torch.Tensor | None] = dict.fromkeys(parameters)

    def has_moved(self, parameter: torch.nn.Parameter) -> bool:
        """Whether a parameter has a velocity: it was moved at least once, with momentum."""
        return self._velocity.get(parameter) is not None

    def velocity(self, parameter: torch.nn.Parameter) -> torch.Tensor:
        """Return a parameter's velocity; where there is none yet it is made, to be overwritten."""
        velocity = self._velocity.get(parameter)
        if velocity is None:
            velocity = self._velocity[parameter] = torch.zeros_like(parameter)
        return velocity

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self._velocity:
            parameter.grad = None

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Move every parameter that has a gradient."""
        for group, decay in self._groups:
            moved = [parameter for parameter in group if parameter.grad is not None]
            if not moved:
                continue
            velocity = [self._velocity[parameter] for parameter in moved]
            if self._fused and self.momentum > 0:
                # The kernel takes no absent velocity; from zero the first step is the same.
                velocity = [self.velocity(parameter) for parameter in moved]
            sgd(
                list[torch.Tensor](moved),
                [parameter.grad for parameter in moved if parameter.grad is not None],
                velocity,
                foreach=not self._fused,
                fused=self._fused,
                weight_decay=decay,
                momentum=self.momentum,
                lr=learning_rate,
                dampening=0.0,
                nesterov=self.momentum > 0,
                maximize=False,
            )
            self._velocity.update(zip(moved, velocity, strict=True))
