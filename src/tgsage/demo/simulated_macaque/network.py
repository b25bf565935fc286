"""The simulated macaque's network, a caricature of the ventral stream.

It is none of the search space's: a plain chain V1 - V2 - V4 - pIT - aIT of full (not separable) convolutions,
large kernels first, leaky units, max-pooling down to the readout, grey input, no branches and no skips. It
learns the eight categories by Adam with a plateau rule, on images of its own stream. Its weights are the
running average over its training.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.optim.adam import adam

from ...errors import TgsageError
from ...store import seed_from
from ...threads import threads
from ..rendering import CATEGORIES, RenderedImages, render

if TYPE_CHECKING:
    from .plugin import SimulatedRecordings

# Area: kernel, channels, whether its output is max-pooled before the next area.
_LAYOUT = {
    "V1": (7, 16, True),
    "V2": (5, 32, True),
    "V4": (5, 64, True),
    "pIT": (5, 96, False),
    "aIT": (3, 128, False),
}

AREAS = tuple(_LAYOUT)

BATCH = 50
LEARNING_RATE = 3e-3
AVERAGE = 0.98
"""Decay per step of the running average of weights and of normalisation statistics."""
HELD_OUT = 0.1
"""Share of the network's images on which its training is judged."""
PATIENCE = 2
"""Epochs without a lower held-out loss after which the learning rate falls to a third. Training stops after
twice as many."""
JITTER = 2
"""Largest random shift in pixels during training, either way: its eyes do not hold still."""


class VentralStream(nn.Module):
    """V1 - V2 - V4 - pIT - aIT and a linear readout of the categories."""

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.ModuleDict()
        before = 1
        for area, (kernel, channels, _) in _LAYOUT.items():
            convolution = nn.Conv2d(before, channels, kernel, padding=kernel // 2, bias=False)
            nn.init.kaiming_normal_(convolution.weight, a=0.1)
            unit = nn.LeakyReLU(0.1, inplace=True)
            self.stages[area] = nn.Sequential(convolution, nn.BatchNorm2d(channels), unit)
            before = channels
        self.readout = nn.Linear(before, len(CATEGORIES))

    def areas(self, grey: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the responses (n, channels, side', side') of every area, before it is pooled.

        ``grey`` are standardised grey images (n, 1, side, side).
        """
        maps = {}
        signal = grey
        for area, stage in self.stages.items():
            maps[area] = signal = stage(signal)
            if _LAYOUT[area][2]:
                signal = functional.max_pool2d(signal, 2)
        return maps

    def forward(self, grey: torch.Tensor) -> torch.Tensor:
        """Return the logits (n, 8) of the categories for standardised grey images (n, 1, side, side)."""
        logits: torch.Tensor = self.readout(self.areas(grey)["aIT"].amax((2, 3)))
        return logits


def _grey(images: np.ndarray) -> torch.Tensor:
    """uint8 (n, side, side, 3) -> float32 (n, 1, side, side), about zero mean and unit variance."""
    grey = torch.from_numpy(np.ascontiguousarray(images[..., :1])).permute(0, 3, 1, 2)
    return ((grey.float() - 115.0) / 60.0).contiguous(memory_format=torch.channels_last)


def responses(network: VentralStream, images: np.ndarray, number_of_threads: int) -> dict[str, torch.Tensor]:
    """Return the responses of every area to uint8 images (n, side, side, 3)."""
    with torch.inference_mode(), threads(number_of_threads):
        parts = [network.areas(part) for part in torch.split(_grey(images), 64)]
        return {area: torch.cat([part[area] for part in parts]) for area in AREAS}


class Adam:
    """Adam (Kingma and Ba 2015): torch's own update, called as a function.

    ``torch.optim.Adam`` gives the same (a test says so), but imports torch's compiler at its first use.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], learning_rate: float):
        self.learning_rate = learning_rate
        self._parameters = list(parameters)
        self._means, self._squares = (
            [torch.zeros_like(parameter) for parameter in self._parameters] for _ in range(2)
        )
        self._steps = [torch.tensor(0.0) for _ in self._parameters]

    @torch.no_grad()
    def step(self) -> None:
        """Move every parameter, and forget its gradient."""
        gradients = [parameter.grad for parameter in self._parameters if parameter.grad is not None]
        adam(
            list[torch.Tensor](self._parameters),
            gradients,
            self._means,
            self._squares,
            [],
            self._steps,
            foreach=True,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=self.learning_rate,
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )
        for parameter in self._parameters:
            parameter.grad = None


@dataclass
class _Plateau:
    """Lower the learning rate, and then stop, when the held-out loss no longer falls."""

    optimiser: Adam
    best_loss: float = math.inf
    waited: int = 0
    """Epochs since the loss was lowest."""
    best_weights: dict[str, torch.Tensor] = field(default_factory=dict)
    record: dict[str, float] = field(default_factory=dict)

    def stops(self, network: nn.Module, loss: float, accuracy: float) -> bool:
        """Take note of an epoch, and return whether training stops after it."""
        if loss < self.best_loss:
            self.best_loss, self.waited = loss, 0
            self.best_weights = {name: value.clone() for name, value in network.state_dict().items()}
            self.record = {"held_out_accuracy": accuracy, "held_out_loss": loss}
            return False
        self.waited += 1
        if self.waited == PATIENCE:
            self.optimiser.learning_rate /= 3
        return self.waited >= 2 * PATIENCE


def training_images(settings: SimulatedRecordings) -> RenderedImages:
    """Render the images from which the network learns."""
    options = {"resolution": settings.resolution, "seed": settings.seed}
    return render(settings.training_images, variation="high", stream="simulated_macaque", **options)


def train_ventral_stream(
    settings: SimulatedRecordings, rendered: RenderedImages
) -> tuple[VentralStream, dict[str, float]]:
    """Train the simulated animal's network, the same for the same settings on one processor type.

    Parameters
    ----------
    settings
        Of the recordings.
    rendered
        The images from which it learns: :func:`training_images`.

    Returns
    -------
    tuple
        The network in evaluation mode, with the averaged weights of its best epoch; and a record:
        ``epochs`` run, ``held_out_accuracy``, ``held_out_loss`` of that epoch, ``training_images``.

    Raises
    ------
    TgsageError
        If the network diverges.
    """
    images, labels = _grey(rendered.images), torch.from_numpy(rendered.category)
    n_train = len(images) - max(1, round(HELD_OUT * len(images)))
    per_epoch = math.ceil(n_train / BATCH)
    steps = max(1, round(settings.epochs * per_epoch))
    generator = torch.Generator().manual_seed(seed_from("simulated_macaque.training", settings.seed) % 2**63)
    with torch.random.fork_rng(devices=[]):
        # Not torch.manual_seed: it would reseed CUDA devices, which are not put back.
        torch.default_generator.manual_seed(seed_from("simulated_macaque.weights", settings.seed) % 2**63)
        network = VentralStream()
    # torch declares no overload of `to` for a memory format alone.
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = Adam(network.parameters(), LEARNING_RATE)
    averaged = copy.deepcopy(network).eval()
    average, now = _measured(averaged), _measured(network)
    plateau = _Plateau(optimiser)
    step = 0
    with threads(settings.threads):
        while step < steps:
            batches = torch.split(torch.randperm(n_train, generator=generator), BATCH)[: steps - step]
            for rows in batches:
                loss = functional.cross_entropy(network(_moved(images[rows], generator)), labels[rows])
                loss.backward()
                optimiser.step()
                step += 1
                torch._foreach_lerp_(average, now, 1 - min(AVERAGE, step / (step + 9)))
            if plateau.stops(averaged, *_judge(averaged, images[n_train:], labels[n_train:])):
                break
    averaged.load_state_dict(plateau.best_weights)
    return averaged, {**plateau.record, "epochs": step / per_epoch, "training_images": float(len(images))}


def _measured(network: nn.Module) -> list[torch.Tensor]:
    """Return weights and normalisation statistics, which change in place as the network learns."""
    return [value for value in network.state_dict().values() if value.is_floating_point()]


def _moved(batch: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Shift a batch by one random offset, and mirror it at random."""
    side = batch.shape[-1]
    down, right, mirror = torch.randint(2 * JITTER + 1, (3,), generator=generator).tolist()
    padded = functional.pad(batch, (JITTER,) * 4, mode="reflect")
    moved = padded[:, :, down : down + side, right : right + side]
    return moved.flip(3) if mirror % 2 else moved


def _judge(network: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> tuple[float, float]:
    """Return the loss and the accuracy on images."""
    with torch.inference_mode():
        logits = torch.cat([network(part) for part in torch.split(images, 250)])
        loss = functional.cross_entropy(logits, labels).item()
        accuracy = (logits.argmax(1) == labels).float().mean().item()
    if not math.isfinite(loss):
        raise TgsageError(
            "the simulated macaque's network diverged; choose another recordings seed or resolution"
        )
    return loss, accuracy
