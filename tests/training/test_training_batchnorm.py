"""Recomputed batch-norm statistics against numpy."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from tgsage.training import recompute_batchnorm


def slow_normalise(values: np.ndarray, layer: nn.BatchNorm2d) -> np.ndarray:
    mean = values.mean((0, 2, 3), keepdims=True)
    variance = values.var((0, 2, 3), keepdims=True)
    weight, bias = (p.detach().double().numpy()[:, None, None] for p in (layer.weight, layer.bias))
    return (values - mean) / np.sqrt(variance + layer.eps) * weight + bias


def test_statistics_are_those_of_all_that_arrived() -> None:
    generator = torch.Generator().manual_seed(0)
    module = nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(), nn.Dropout(0.9), nn.BatchNorm2d(3, momentum=0.3))
    with torch.no_grad():
        module[0].weight.uniform_(0.5, 2, generator=generator)
        module[0].bias.uniform_(-1, 1, generator=generator)
    # Batches of unequal size and unequal mean: the variance between them counts.
    batches = [
        torch.randn((n, 3, 4, 5), generator=generator) * scale + shift
        for n, scale, shift in ((6, 1, 0), (5, 2, 3), (2, 0.5, -4))
    ]
    first = [batch.double().numpy() for batch in batches]
    second = [np.maximum(slow_normalise(batch, module[0]), 0) for batch in first]
    recompute_batchnorm(module, iter(batches))
    for layer, arrived in ((module[0], first), (module[3], second)):
        values = np.concatenate(arrived).transpose(1, 0, 2, 3).reshape(3, -1)
        np.testing.assert_allclose(layer.running_mean, values.mean(1), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(layer.running_var, values.var(1, ddof=1), rtol=1e-5)


def test_nothing_else_changes() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4, momentum=0.25), nn.Dropout())
    module.train()
    module[2].eval()
    unused = nn.BatchNorm2d(2)
    module.unused_list = nn.ModuleList([unused])
    module.forward = lambda x: module[2](module[1](module[0](x)))
    before = {name: value.clone() for name, value in module.state_dict().items()}
    recompute_batchnorm(module, [torch.ones(4, 3, 2, 2), torch.zeros(4, 3, 2, 2)])
    after = module.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"1.running_mean", "1.running_var"}
    assert module.training and module[1].training and not module[2].training
    assert module[1].momentum == 0.25
    assert not module[1]._forward_hooks


def test_module_without_batchnorm_is_left_alone() -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(3, 2))
    recompute_batchnorm(module, iter(()))
