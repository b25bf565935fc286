"""Small recordings, stimuli and tasks for the teacher's tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr

COLOURS = (slice(0, 1), slice(1, 2), slice(2, 3), slice(0, 3))
CATEGORIES = ("boats", "cars", "chairs", "faces", "planes")


@pytest.fixture
def make_assembly() -> Callable[..., xr.DataArray]:
    """Recordings with a low-dimensional signal, in random order of presentation."""

    def make(
        n_stimuli: int = 100,
        sites: dict[str, int] | None = None,
        repeats: int | tuple[int, int] = 4,
        animals: int = 1,
        snr: float = 1.0,
        seed: int = 0,
        prefix: str = "s",
    ) -> xr.DataArray:
        sites = {"V4": 12, "IT": 15} if sites is None else sites
        rng = np.random.default_rng(seed)
        region = np.repeat(list(sites), list(sites.values()))
        latent = rng.normal(size=(n_stimuli, 6))
        signal = latent @ rng.normal(size=(6, len(region)))
        low, high = (repeats, repeats) if isinstance(repeats, int) else repeats
        shown = np.repeat(np.arange(n_stimuli), rng.integers(low, high + 1, n_stimuli))
        shown = rng.permutation(shown)
        gains = np.exp(rng.normal(size=len(region)))
        data = (
            signal[shown] / signal.std() + rng.normal(size=(len(shown), len(region))) / np.sqrt(snr)
        ) * gains + 9
        order: dict[int, int] = {}
        repetition = [order.setdefault(int(s), -1) for s in shown]
        for row, stimulus in enumerate(shown):
            order[int(stimulus)] += 1
            repetition[row] = order[int(stimulus)]
        return xr.DataArray(
            data.T,
            dims=("neuroid", "presentation"),
            name="data",
            coords={
                "neuroid_id": ("neuroid", [f"n{index}" for index in range(len(region))]),
                "region": ("neuroid", region),
                "animal": ("neuroid", [f"monkey_{index % animals}" for index in range(len(region))]),
                "stimulus_id": ("presentation", [f"{prefix}{index:03d}" for index in shown]),
                "repetition": ("presentation", repetition),
            },
            attrs={"simulated": 1},
        )

    return make


@pytest.fixture
def make_stimuli() -> Callable[..., xr.Dataset]:
    """Random pictures for the stimuli ``s000``, ``s001``, … in another order than they were shown."""

    def make(
        n: int = 100, side: int = 16, seed: int = 0, degrees: float = 8.0, prefix: str = "s"
    ) -> xr.Dataset:
        rng = np.random.default_rng([seed, 1])
        images = rng.integers(0, 256, (n, side, side, 3), dtype=np.uint8)
        order = rng.permutation(n)
        return xr.Dataset(
            {"images": (("stimulus", "y", "x", "rgb"), images[order])},
            coords={
                "stimulus_id": ("stimulus", [f"{prefix}{index:03d}" for index in order]),
                "category": ("stimulus", [CATEGORIES[index % len(CATEGORIES)] for index in order]),
            },
            attrs={"visual_degrees": degrees, "simulated": 1},
        )

    return make


@pytest.fixture
def make_task() -> Callable[..., Any]:
    """A task of random pictures in which the colour of a patch tells the class."""
    from tgsage.tasks import Part, Task

    def make(
        n_train: int = 40, n_validation: int = 80, n_test: int = 20, side: int = 16, seed: int = 0
    ) -> Any:
        rng = np.random.default_rng([seed, 2])

        def part(n: int) -> Part:
            labels = np.arange(n, dtype=np.int64) % 4
            images = rng.integers(0, 120, (n, side, side, 3), dtype=np.uint8)
            for row, label in enumerate(labels):
                # A colour: mirror images and crops keep it.
                images[row, 3:11, 3:11, COLOURS[label]] += 100
            return Part(images, labels)

        train, validation, test = part(n_train), part(n_validation), part(n_test)
        return Task("made up", train, validation, test, ("a", "b", "c", "d"), True)

    return make
