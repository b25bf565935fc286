"""Batch-norm statistics that belong to the weights they are stored with."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from .devices import evaluation


@torch.no_grad()
def recompute_batchnorm(module: torch.nn.Module, batches: Iterable[torch.Tensor]) -> None:
    """Replace the running statistics of every batch-norm layer by those of the given images.

    Running statistics lag behind the weights, and averaged weights have none of their own (Izmailov et al.
    2018, section 3). Each layer normalises each batch by the batch's own statistics, as in training, and
    gets the exact mean and unbiased variance of everything that reached it, over all batches and
    positions. (Averaging the batches' variances, as is often done, leaves out the variance between batches.)
    All other layers run in evaluation mode: no dropout.

    Parameters
    ----------
    module
        Changed in place: buffers ``running_mean`` and ``running_var`` only.
    batches
        Inputs of the module. Every batch-norm layer must see more than one value per channel in each.
    """
    running: dict[_BatchNorm, tuple[torch.Tensor, torch.Tensor]] = {}
    before = []
    for layer in module.modules():
        if isinstance(layer, _BatchNorm) and layer.running_mean is not None:
            tracked = layer.num_batches_tracked
            assert layer.running_var is not None and tracked is not None
            running[layer] = layer.running_mean, layer.running_var
            before.append((layer, layer.momentum, tracked, tracked.clone()))
    if not running:
        return
    count = dict.fromkeys(running, 0)
    first, second = (
        {layer: torch.zeros_like(mean, dtype=torch.float64) for layer, (mean, _) in running.items()}
        for _ in range(2)
    )

    def collect(layer: torch.nn.Module, inputs: tuple[torch.Tensor, ...], _output: torch.Tensor) -> None:
        assert isinstance(layer, _BatchNorm)
        # With momentum 1 the running statistics are those of this batch.
        n = inputs[0].numel() // inputs[0].shape[1]
        mean, variance = (values.double() for values in running[layer])
        count[layer] += n
        first[layer] += n * mean
        second[layer] += (n - 1) * variance + n * mean.square()

    hooks = [layer.register_forward_hook(collect) for layer in running]
    try:
        with evaluation(module):
            for layer in running:
                layer.train()
                layer.momentum = 1.0
            for batch in batches:
                module(batch)
    finally:
        for hook in hooks:
            hook.remove()
        for layer, momentum, tracked, number in before:
            layer.momentum = momentum
            tracked.copy_(number)
    for layer, (running_mean, running_variance) in running.items():
        n = count[layer]
        if n == 0:
            continue  # The layer is not part of the forward pass.
        mean = first[layer] / n
        running_mean.copy_(mean)
        running_variance.copy_((second[layer] - n * mean.square()).clamp_min(0) / max(n - 1, 1))
