"""Averages of weights, and the checkpoints that are made of them."""

from __future__ import annotations

import copy
import math

import torch
from torch.optim.swa_utils import get_ema_multi_avg_fn

from ..store.hashing import seed_from
from .batchnorm import recompute_batchnorm
from .data import DeviceDataset
from .devices import autocast


class EmaCheckpointer:
    """Averages weights step by step, and makes checkpoints of the average without touching the training.

    The average is an exponential one (EMA) whose bias towards the start is removed: after step t the weights
    w_1 .. w_t count in proportion to decay^(t - i), and the initial weights do not count.

    Parameters
    ----------
    module, dataset
        The module in training, and the images, from which batch-norm statistics are recomputed.
    decay
        Of the average, per step; None keeps the raw weights.
    statistics_images
        Number of images for batch-norm statistics; 0 keeps the running ones.
    batch_size, dtype
        Of the passes that recompute statistics; at most that many images.
    seed
        Decides which images these are.
    """

    def __init__(
        self,
        module: torch.nn.Module,
        dataset: DeviceDataset,
        *,
        decay: float | None,
        statistics_images: int,
        batch_size: int,
        seed: int,
        dtype: torch.dtype,
    ):
        self.module = module
        self.shadow = copy.deepcopy(module)
        self.shadow.eval()
        self.decay = decay
        self.step = 0
        self.dataset = dataset
        self.dtype = dtype
        self._now = [parameter.detach() for parameter in module.parameters()]
        self._average = [parameter.detach() for parameter in self.shadow.parameters()]
        number = min(statistics_images, dataset.n)
        generator = torch.Generator().manual_seed(seed_from("batch norm", seed))
        chosen = torch.randperm(dataset.n, generator=generator)[:number]
        # Pieces of nearly one size: a last piece of one image would have no variance.
        pieces = math.ceil(number / batch_size)
        self._pieces = [piece.to(dataset.home) for piece in chosen.tensor_split(pieces)] if pieces else []

    @torch.no_grad()
    def update(self) -> None:
        """Take the weights after a step into the average."""
        self.step += 1
        if self.decay is None:
            return
        share = 1 - (1 - self.decay) / (1 - self.decay**self.step)
        get_ema_multi_avg_fn(share)(self._average, self._now, None)

    @torch.no_grad()
    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return the averaged weights with their batch-norm statistics, contiguous and on the CPU."""
        if self.decay is None or self.step == 0:
            for average, now in zip(self._average, self._now, strict=True):
                average.copy_(now)
        for average, current in zip(self.shadow.buffers(), self.module.buffers(), strict=True):
            average.copy_(current)
        if self._pieces:
            with autocast(self.dataset.device, self.dtype):
                recompute_batchnorm(self.shadow, map(self.dataset.plain, self._pieces))
        return {
            name: value.detach().to("cpu").clone(memory_format=torch.contiguous_format)
            for name, value in self.shadow.state_dict().items()
        }
