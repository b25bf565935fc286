"""Record from the simulated macaque: a network that sees, and sites that listen to it through noise.

It stands in for recordings that a user has not downloaded, so that everything else can be run and tried. It
has the *form* of recordings (two animals, three regions, log-normal rates, Poisson counts, unequal
repetitions, reliabilities like those of published V4 sites), and is no evidence about any animal. Every file
that comes from it says ``simulated = 1``.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import xarray as xr

from ...store import digest, seed_from
from ..rendering import CATEGORIES, render
from .network import responses, train_ventral_stream, training_images

if TYPE_CHECKING:
    from .plugin import SimulatedRecordings

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


def read(settings: SimulatedRecordings, _root: Path) -> tuple[xr.DataArray, xr.Dataset, str]:
    """Record from the simulated macaque.

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
    where
        The name of the recordings in messages.

    Raises
    ------
    TgsageError
        If the simulated animal's network diverges.
    """
    stimuli = _stimuli(settings)
    learnt = training_images(settings)
    network, record = train_ventral_stream(settings, learnt)
    reference = learnt.images[:REFERENCE]
    shown_areas, reference_areas = (
        responses(network, images, settings.threads) for images in (stimuli["images"].values, reference)
    )
    rates: dict[tuple[str, str], np.ndarray] = {}
    for animal, regions in settings.sites.items():
        for region, number in regions.items():
            if not number:
                continue
            rng = np.random.default_rng(seed_from("simulated_macaque.sites", settings.seed, animal, region))
            maps = torch.cat([reference_areas[region], shown_areas[region]]).double().numpy()
            drive = _drive(maps, region, number, rng)
            rates[animal, region] = _rates(drive, len(reference), rng, settings)
    assembly = _spikes(rates, stimuli, settings)
    assembly.attrs.update({f"network_{key}": value for key, value in record.items()})
    return assembly, stimuli, "simulated recordings"


def _stimuli(settings: SimulatedRecordings) -> xr.Dataset:
    """Render the stimuli: half of them (in whole blocks of 8) vary moderately, the others widely."""
    n_medium = settings.n_stimuli // 16 * 8
    rendered = functools.partial(render, resolution=settings.resolution, seed=settings.seed, stream="teacher")
    halves = [
        rendered(n_medium, variation="medium"),
        rendered(settings.n_stimuli - n_medium, variation="high", first=n_medium),
    ]
    images = np.concatenate([half.images for half in halves])
    tables = [half.columns() for half in halves]
    columns = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
    columns["category"] = np.array(CATEGORIES)[columns["category"]]
    names = {"x": "position_x", "y": "position_y"}
    stimulus_id = np.array([f"simulated_{index:05d}" for index in range(settings.n_stimuli)])
    return xr.Dataset(
        {"images": (("stimulus", "y", "x", "rgb"), images)},
        coords={
            "stimulus_id": ("stimulus", stimulus_id),
            **{names.get(name, name): ("stimulus", values) for name, values in columns.items()},
        },
        attrs={
            "visual_degrees": settings.visual_degrees,
            "identifier": f"tgsage.simulated_macaque.{digest(images)[:8]}",
            "simulated": 1,
        },
    )


def _drive(maps: np.ndarray, region: str, number: int, rng: np.random.Generator) -> np.ndarray:
    """Return the drive (sites, images) of random sparse mixtures of an area's (images, channels, side, side).

    A site listens to :data:`UNITS_PER_SITE` channels, most with a positive weight, through a Gaussian window
    on the visual field. The window's standard deviation is a tenth of the field's side in V1, V2 and V4, and
    a quarter in pIT. Sites in aIT, whose receptive fields are large, see the whole field alike.
    """
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
    drive: np.ndarray, n_reference: int, rng: np.random.Generator, settings: SimulatedRecordings
) -> np.ndarray:
    """Turn the drive (sites, images) into rates (sites, stimuli), in spikes per second.

    The first ``n_reference`` images set each site's range; the others are the stimuli.
    """
    number = len(drive)
    usual = drive[:, :n_reference]
    standard = (drive - usual.mean(1, keepdims=True)) / np.maximum(usual.std(1, keepdims=True), 1e-9)
    rate = np.exp(RATE_SPREAD * rng.normal(size=(number, 1)))  # relative to the median
    gain = settings.tuning * TUNING_MEDIAN * np.exp(TUNING_SPREAD * rng.normal(size=(number, 1)))
    gain *= rate**-TUNING_FALLS
    threshold = rng.normal(0.0, 0.5, (number, 1))
    evoked = np.logaddexp(0, 2 * gain * (standard - threshold))  # soft threshold
    evoked /= evoked[:, :n_reference].mean(1, keepdims=True)
    baseline = rng.uniform(*BASELINE, (number, 1))
    rates: np.ndarray = settings.median_rate * rate * (baseline + (1 - baseline) * evoked)
    return rates[:, n_reference:]


def _spikes(
    rates: dict[tuple[str, str], np.ndarray], stimuli: xr.Dataset, settings: SimulatedRecordings
) -> xr.DataArray:
    """Show the stimuli in random order, and draw the spike counts of the sites of (animal, region)."""
    rng = np.random.default_rng(seed_from("simulated_macaque.spikes", settings.seed))
    repeats = rng.integers(settings.repeats[0], settings.repeats[1] + 1, settings.n_stimuli)
    stimulus = np.repeat(np.arange(settings.n_stimuli), repeats)
    repetition = np.concatenate([np.arange(number) for number in repeats])
    order = rng.permutation(len(stimulus))
    stimulus, repetition = stimulus[order], repetition[order]
    start, end = settings.window_ms
    expected = np.concatenate(list(rates.values()))[:, stimulus] * (end - start) / 1000
    counts = rng.poisson(expected).astype(np.float32)
    sites = [
        (f"{animal}_{region}_{index:03d}", region, animal)
        for (animal, region), group in rates.items()
        for index in range(len(group))
    ]
    names, regions, animals = map(np.array, zip(*sites, strict=True))
    return xr.DataArray(
        counts[..., None],
        dims=("neuroid", "presentation", "time_bin"),
        coords={
            "neuroid_id": ("neuroid", names),
            "region": ("neuroid", regions),
            "animal": ("neuroid", animals),
            "stimulus_id": ("presentation", stimuli["stimulus_id"].values[stimulus]),
            "repetition": ("presentation", repetition),
            "category": ("presentation", stimuli["category"].values[stimulus]),
            "object_name": ("presentation", stimuli["object_name"].values[stimulus]),
            "time_bin_start": ("time_bin", np.array([start])),
            "time_bin_end": ("time_bin", np.array([end])),
        },
        name="data",
        attrs={"stimulus_set_identifier": stimuli.attrs["identifier"], "simulated": 1, "units": "counts"},
    )
