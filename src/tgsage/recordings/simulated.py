"""The simulated macaque: a network that sees, and sites that listen to it through noise.

A stand-in for recordings that a user has not downloaded, so that everything else can be run and tried. It is
made to have the *form* of recordings (two animals, three regions, log-normal rates, Poisson counts, unequal
repetitions, reliabilities like those of published V4 sites), not to be evidence about any animal. Every file
that comes from it says ``simulated = 1``.

The network is a caricature of the ventral stream, V1 - V2 - V4 - pIT - aIT, and deliberately none of the
search space's: a plain chain of full (not separable) convolutions, large kernels first, leaky units,
max-pooling down to the readout, grey input, no branches and no skips. It learns the eight categories by Adam
with a plateau rule, on images of its own stream; its weights are the running average over its training.
"""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import xarray as xr
from torch import nn
from torch.nn import functional

from ..errors import TgsageError
from ..rendering import CATEGORIES, render
from ..store import digest, seed_from

if TYPE_CHECKING:
    from ..config.recordings import SimulatedRecordings

__all__ = ["AREAS", "VentralStream", "simulate", "train_ventral_stream"]

AREAS = ("V1", "V2", "V4", "pIT", "aIT")

# Area: kernel, channels, whether its output is max-pooled before the next area.
_LAYOUT = {
    "V1": (7, 16, True),
    "V2": (5, 32, True),
    "V4": (5, 64, True),
    "pIT": (5, 96, False),
    "aIT": (3, 128, False),
}

BATCH = 50
LEARNING_RATE = 3e-3
AVERAGE = 0.98
"""Decay per step of the running average of weights and of normalisation statistics."""
HELD_OUT = 0.1
"""Share of the network's images that tells it when to stop."""
PATIENCE = 2
"""Epochs without a lower held-out loss after which the learning rate falls to a third; after twice as many it
stops."""
JITTER = 2
"""Random shifts in pixels while it learns: its eyes do not hold still."""

REFERENCE = 512
"""Images that set the range of every site: the first that the network learnt from."""
UNITS_PER_SITE = 8
"""Channels that a site listens to."""
RATE_SPREAD = 0.75
"""Standard deviation over sites of the natural logarithm of the mean rate."""
TUNING_MEDIAN, TUNING_SPREAD = 0.45, 0.2
"""Over sites: median, and standard deviation of the logarithm, of the gain before a soft threshold."""
TUNING_FALLS = 0.3
"""Gains fall with the site's mean rate to this power: busy sites are less selective, as in real V4."""
BASELINE = (0.05, 0.35)
"""Range over sites of the share of the mean rate that no stimulus changes."""


class VentralStream(nn.Module):
    """V1 - V2 - V4 - pIT - aIT and a linear readout of the categories.

    ``forward(grey)`` takes (n, 1, side, side) standardised grey images and returns (n, 8) logits;
    ``areas(grey)`` returns a mapping of area -> (n, channels, side', side') non-pooled responses.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.ModuleDict()
        before = 1
        for area, (kernel, channels, _) in _LAYOUT.items():
            convolution = nn.Conv2d(before, channels, kernel, padding=kernel // 2, bias=False)
            nn.init.kaiming_normal_(convolution.weight, a=0.1)
            self.stages[area] = nn.Sequential(convolution, nn.BatchNorm2d(channels), nn.LeakyReLU(0.1))
            before = channels
        self.readout = nn.Linear(before, len(CATEGORIES))

    def areas(self, grey: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the responses of every area."""
        found = {}
        signal = grey
        for area, stage in self.stages.items():
            signal = stage(signal)
            found[area] = signal
            if _LAYOUT[area][2]:
                signal = functional.max_pool2d(signal, 2)
        return found

    def forward(self, grey: torch.Tensor) -> torch.Tensor:
        """Return the logits of the categories."""
        return self.readout(self.areas(grey)["aIT"].amax((2, 3)))


def _grey(images: np.ndarray) -> torch.Tensor:
    """uint8 (n, side, side, 3) -> float32 (n, 1, side, side), about zero mean and unit variance."""
    grey = torch.from_numpy(np.ascontiguousarray(images[..., :1])).permute(0, 3, 1, 2)
    return ((grey.float() - 115.0) / 60.0).contiguous(memory_format=torch.channels_last)


@contextlib.contextmanager
def _threads(number: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def train_ventral_stream(settings: SimulatedRecordings) -> tuple[VentralStream, dict[str, float]]:
    """Train the simulated animal's network, the same for the same settings on one processor type.

    Returns
    -------
    tuple
        The network in evaluation mode, with the averaged weights of its best epoch; and a record:
        ``epochs`` run, ``held_out_accuracy``, ``held_out_loss`` of that epoch, ``training_images``.
    """
    pictures = render(
        settings.training_images, resolution=settings.resolution, variation="high", seed=settings.seed,
        stream="simulated_macaque",
    )  # fmt: skip
    images, labels = _grey(pictures.images), torch.from_numpy(pictures.category)
    kept = len(images) - max(1, round(HELD_OUT * len(images)))
    generator = torch.Generator().manual_seed(seed_from("simulated_macaque.training", settings.seed) % 2**63)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_from("simulated_macaque.weights", settings.seed) % 2**63)
        network = VentralStream().to(memory_format=torch.channels_last)
    optimiser = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
    averaged = copy.deepcopy(network).eval()
    per_epoch = math.ceil(kept / BATCH)
    steps = max(1, round(settings.epochs * per_epoch))
    best, best_weights, record, waited, step = math.inf, None, {}, 0, 0
    with _threads(settings.threads):
        while step < steps:
            for rows in torch.randperm(kept, generator=generator).split(BATCH)[: steps - step]:
                batch = _moved(images[rows], generator)
                loss = functional.cross_entropy(network(batch), labels[rows])
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                optimiser.step()
                step += 1
                _average(averaged, network, min(AVERAGE, step / (step + 9)))
            with torch.inference_mode():
                logits = torch.cat([averaged(part) for part in images[kept:].split(250)])
                held_out = functional.cross_entropy(logits, labels[kept:]).item()
                accuracy = (logits.argmax(1) == labels[kept:]).float().mean().item()
            if not math.isfinite(held_out):
                raise TgsageError(
                    "the simulated macaque's network diverged; choose another recordings seed or resolution"
                )
            if held_out < best:
                best, waited = held_out, 0
                best_weights = {name: value.clone() for name, value in averaged.state_dict().items()}
                record = {"held_out_accuracy": accuracy, "held_out_loss": held_out}
            else:
                waited += 1
                if waited == PATIENCE:
                    for group in optimiser.param_groups:
                        group["lr"] /= 3
                if waited >= 2 * PATIENCE:
                    break
    averaged.load_state_dict(best_weights)
    record |= {"epochs": step / per_epoch, "training_images": float(len(images))}
    return averaged, record


@torch.no_grad()
def _average(averaged: nn.Module, network: nn.Module, decay: float) -> None:
    """Move the running average of weights and statistics towards the network."""
    for mean, value in zip(averaged.state_dict().values(), network.state_dict().values(), strict=True):
        if mean.is_floating_point():
            mean.lerp_(value, 1 - decay)
        else:
            mean.copy_(value)


def _moved(batch: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Shift a batch by one random offset, and mirror it at random."""
    side = batch.shape[-1]
    down, right, mirror = torch.randint(2 * JITTER + 1, (3,), generator=generator).tolist()
    padded = functional.pad(batch, (JITTER,) * 4, mode="reflect")
    moved = padded[:, :, down : down + side, right : right + side]
    return moved.flip(3) if mirror % 2 else moved


@dataclass(frozen=True)
class _Sites:
    """Sites of one animal in one region: rates (sites, stimuli) in spikes per second."""

    animal: str
    region: str
    rates: np.ndarray


def _pooled(responses: torch.Tensor, region: str, number: int, rng: np.random.Generator) -> np.ndarray:
    """Return the drive (sites, images) of random sparse mixtures of an area's units.

    A site listens to :data:`UNITS_PER_SITE` channels, most with a positive weight, through a Gaussian window
    on the visual field: standard deviation a tenth of its side in V1, V2 and V4, a quarter in pIT; and the
    whole of it in aIT, whose receptive fields are large.
    """
    maps = responses.double().numpy()
    _, channels, side, _ = maps.shape
    places = (np.arange(side) + 0.5) / side
    drive = np.empty((number, len(maps)))
    for site in range(number):
        chosen = rng.choice(channels, UNITS_PER_SITE, replace=False)
        weights = rng.exponential(1.0, UNITS_PER_SITE) * np.where(rng.random(UNITS_PER_SITE) < 0.75, 1, -1)
        centre = rng.uniform(0.2, 0.8, 2)
        spread = {"pIT": 0.25, "aIT": np.inf}.get(region, 0.1)
        window = [np.exp(-0.5 * ((places - middle) / spread) ** 2) for middle in centre]
        window = [profile / profile.sum() for profile in window]
        drive[site] = np.einsum("ncyx,c,y,x->n", maps[:, chosen], weights, *window, optimize=True)
    return drive


def _rates(
    shown: torch.Tensor,
    reference: torch.Tensor,
    animal: str,
    region: str,
    number: int,
    settings: SimulatedRecordings,
) -> _Sites:
    """Turn responses to the shown stimuli into rates of sites; ``reference`` images set each site's range."""
    rng = np.random.default_rng(seed_from("simulated_macaque.sites", settings.seed, animal, region))
    both = _pooled(torch.cat([reference, shown]), region, number, rng)
    usual = both[:, : len(reference)]
    standard = (both - usual.mean(1, keepdims=True)) / np.maximum(usual.std(1, keepdims=True), 1e-9)
    rate = np.exp(RATE_SPREAD * rng.normal(size=(number, 1)))  # relative to the median
    gain = settings.tuning * TUNING_MEDIAN * np.exp(TUNING_SPREAD * rng.normal(size=(number, 1)))
    gain *= rate**-TUNING_FALLS
    threshold = rng.normal(0.0, 0.5, (number, 1))
    evoked = np.logaddexp(0, 2 * gain * (standard - threshold))  # soft threshold
    evoked /= evoked[:, : len(reference)].mean(1, keepdims=True)
    baseline = rng.uniform(*BASELINE, (number, 1))
    rates = settings.median_rate * rate * (baseline + (1 - baseline) * evoked)
    return _Sites(animal, region, rates[:, len(reference) :])


def read(settings: SimulatedRecordings, _root: Path) -> tuple[xr.DataArray, xr.Dataset, str]:
    """Simulate; what :func:`simulate` returns and what messages call it."""
    return *simulate(settings), "simulated recordings"


def simulate(settings: SimulatedRecordings) -> tuple[xr.DataArray, xr.Dataset]:
    """Record from the simulated macaque.

    Parameters
    ----------
    settings
        Seeds, stimuli, sites, repetitions, and how long its network learns.

    Returns
    -------
    assembly
        float32 spike counts (neuroid, presentation, time_bin=1), Poisson given the rate; 1-D coordinates
        ``neuroid_id``, ``region``, ``animal`` on neuroid, ``stimulus_id``, ``repetition``, ``category``,
        ``object_name`` on presentation (in random order), ``time_bin_start``, ``time_bin_end`` in ms; attrs
        ``stimulus_set_identifier``, ``simulated`` = 1, and the record of the network's training.
    stimuli
        ``images`` uint8 (stimulus, y, x, rgb) from the rendering's stream ``"teacher"``, with ``stimulus_id``
        and the scenes' columns on stimulus; attrs ``visual_degrees``, ``simulated`` = 1.
    """
    halves = [settings.n_stimuli // 16 * 8, settings.n_stimuli - settings.n_stimuli // 16 * 8]
    scenes, first = [], 0
    for variation, number in zip(("medium", "high"), halves, strict=True):
        scenes.append(render(number, resolution=settings.resolution, variation=variation, seed=settings.seed,
                             stream="teacher", first=first))  # fmt: skip
        first += number
    images = np.concatenate([scene.images for scene in scenes])
    columns = {
        name: np.concatenate([scene.columns()[name] for scene in scenes]) for name in scenes[0].columns()
    }
    columns["category"] = np.array(CATEGORIES)[columns["category"]]
    stimulus_id = np.array([f"simulated_{index:05d}" for index in range(settings.n_stimuli)])
    identifier = f"tgsage.simulated_macaque.{digest(images)[:8]}"

    network, record = train_ventral_stream(settings)
    reference = render(
        min(REFERENCE, settings.training_images),
        resolution=settings.resolution,
        variation="high",
        seed=settings.seed,
        stream="simulated_macaque",
    ).images
    with torch.inference_mode(), _threads(settings.threads):
        shown_areas, reference_areas = (
            {area: torch.cat([part[area] for part in parts]) for area in AREAS}
            for parts in (
                [network.areas(part) for part in _grey(pictures).split(64)]
                for pictures in (images, reference)
            )
        )
    sites = [
        _rates(shown_areas[region], reference_areas[region], animal, region, number, settings)
        for animal, regions in settings.sites.items()
        for region, number in regions.items()
        if number
    ]

    rng = np.random.default_rng(seed_from("simulated_macaque.spikes", settings.seed))
    repeats = rng.integers(settings.repeats[0], settings.repeats[1] + 1, settings.n_stimuli)
    stimulus = np.repeat(np.arange(settings.n_stimuli), repeats)
    repetition = np.concatenate([np.arange(number) for number in repeats])
    order = rng.permutation(len(stimulus))
    stimulus, repetition = stimulus[order], repetition[order]
    start, end = settings.window_ms
    rates = np.concatenate([group.rates for group in sites])
    counts = rng.poisson(rates[:, stimulus] * (end - start) / 1000).astype(np.float32)

    names = [
        f"{group.animal}_{group.region}_{index:03d}" for group in sites for index in range(len(group.rates))
    ]
    assembly = xr.DataArray(
        counts[..., None],
        dims=("neuroid", "presentation", "time_bin"),
        coords={
            "neuroid_id": ("neuroid", np.array(names)),
            "region": ("neuroid", np.repeat([g.region for g in sites], [len(g.rates) for g in sites])),
            "animal": ("neuroid", np.repeat([g.animal for g in sites], [len(g.rates) for g in sites])),
            "stimulus_id": ("presentation", stimulus_id[stimulus]),
            "repetition": ("presentation", repetition),
            "category": ("presentation", columns["category"][stimulus]),
            "object_name": ("presentation", columns["object_name"][stimulus]),
            "time_bin_start": ("time_bin", np.array([start])),
            "time_bin_end": ("time_bin", np.array([end])),
        },
        name="data",
        attrs={
            "stimulus_set_identifier": identifier,
            "simulated": 1,
            "units": "counts",
            **{f"network_{key}": value for key, value in record.items()},
        },
    )
    columns = {
        {"x": "position_x", "y": "position_y"}.get(name, name): values for name, values in columns.items()
    }
    stimuli = xr.Dataset(
        {"images": (("stimulus", "y", "x", "rgb"), images)},
        coords={
            "stimulus_id": ("stimulus", stimulus_id),
            **{name: ("stimulus", values) for name, values in columns.items()},
        },
        attrs={"visual_degrees": settings.visual_degrees, "identifier": identifier, "simulated": 1},
    )
    return assembly, stimuli
