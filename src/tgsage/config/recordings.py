"""Where recordings come from."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ValidationInfo, field_validator

from .base import Field, Section


class Selection(Section):
    """Which sites, which time, and how responses are prepared before any RDM is built."""

    animals: list[str] | None = None
    """Keep these animals only; null keeps all."""
    window_ms: tuple[float, float] | None = None
    """Keep the time bins that lie inside this window after stimulus onset; null keeps all bins."""
    baseline_ms: tuple[float, float] | None = None
    """Subtract each site's mean rate in this window; null subtracts nothing."""
    region_map: dict[str, dict[str, str]] | None = None
    """Rename regions by a site column: {IT: {column_value: new_region}} with ``region_column``."""
    region_column: str | None = None
    """The site column that ``region_map`` reads."""
    minimal_reliability: float | None = Field(default=None, ge=-1, le=1)
    """Drop sites whose split-half reliability (Spearman-Brown corrected) is below this."""
    drop_constant_sites: bool = False
    """Drop sites whose mean response is the same for every stimulus; otherwise such a site is an error."""
    equal_repeats: int | None = Field(default=None, ge=1)
    """Keep this many repetitions of every stimulus, drawn by ``seed``; null keeps all."""
    seed: int = Field(default=0, ge=0)
    """Seed of the draws above."""


class Recordings(Section):
    """What every source has."""

    selection: Selection = Selection()
    """Which sites, time and repetitions are used."""


class SimulatedRecordings(Recordings):
    """The simulated macaque: a network trained on rendered objects, recorded through noisy sites."""

    source: Literal["simulated"]
    """Selects this layout."""
    seed: int = Field(default=2019, ge=0)
    """Seed of the stimuli, the network and the sites."""
    n_stimuli: int = Field(default=256, ge=40)
    """Stimuli shown, a multiple of the number of categories (8); half of them vary moderately (``medium``),
    half widely (``high``)."""
    resolution: int = Field(default=32, ge=16)
    """Side of the stimuli and of the network's input, in pixels."""
    visual_degrees: float = Field(default=8.0, gt=0)
    """Side of the stimuli in degrees of visual angle."""
    sites: dict[str, dict[Literal["V1", "V2", "V4", "pIT", "aIT"], Annotated[int, Field(ge=0)]]] = {
        "monkey_1": {"V4": 70, "pIT": 46, "aIT": 34},
        "monkey_2": {"V4": 58, "pIT": 52, "aIT": 36},
    }
    """Number of sites per animal and region."""
    repeats: tuple[int, int] = (6, 10)
    """Least and largest number of repetitions of a stimulus."""
    window_ms: tuple[int, int] = (70, 170)
    """Window after stimulus onset in which spikes are counted."""
    median_rate: float = Field(default=16.0, gt=0)
    """Median over sites of the mean rate in the window, in spikes per second; log-normal over sites."""
    tuning: float = Field(default=1.0, gt=0)
    """Scales how much a site's rate depends on the stimulus; less of it makes noisier recordings."""
    training_images: int = Field(default=5000, ge=64)
    """Images on which the simulated animal's network is trained."""
    epochs: float = Field(default=10, gt=0)
    """Passes over these images at most; training ends earlier on a plateau."""
    threads: int = Field(default=1, ge=1)
    """CPU threads of that training."""

    @field_validator("n_stimuli")
    @classmethod
    def _balanced(cls, n_stimuli: int) -> int:
        if n_stimuli % 8:
            raise ValueError(f"must be a multiple of the 8 categories, e.g. {-(-n_stimuli // 8) * 8}")
        return n_stimuli

    @field_validator("repeats", "window_ms")
    @classmethod
    def _ascending(cls, pair: tuple[float, float], info: ValidationInfo) -> tuple[float, float]:
        low, high = pair
        if info.field_name == "repeats" and not 1 <= low <= high:
            raise ValueError("must be two numbers of repetitions, the smaller one first, at least 1")
        if info.field_name == "window_ms" and not low < high:
            raise ValueError("must be the window's start and its later end, in ms")
        return pair

    @field_validator("sites")
    @classmethod
    def _some_site(cls, sites: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
        if not any(number for regions in sites.values() for number in regions.values()):
            raise ValueError("must have at least one site")
        return sites


class BrainIORecordings(Recordings):
    """A BrainIO package: an assembly (netCDF) beside a stimulus csv and its zip."""

    source: Literal["brainio"]
    """Selects this layout."""
    assembly: str
    """The assembly's netCDF file; relative paths are looked for in the data folder."""
    stimuli_csv: str
    """Table of the stimuli, a row each."""
    stimuli_zip: str
    """Archive of the stimuli's images."""
    image_column: str | None = None
    """Column of the csv that names the image file; null means ``filename`` or ``<stimulus_id>.*``."""
    visual_degrees: float = Field(default=8.0, gt=0)
    """Side of a stimulus in degrees of visual angle."""


class Cowley2023Recordings(Recordings):
    """V4 spike counts of Cowley, Stan, Pillow and Smith 2023, in the published layout."""

    source: Literal["cowley2023"]
    """Selects this layout."""
    session: str = "201025"
    """Session, the number in the file names."""
    responses: Literal["averaged", "raw"] = "averaged"
    """``raw`` keeps the repetitions, where the session has them."""
    folder: str = "cowley2023_v4"
    """Folder of the published files; relative paths are looked for in the data folder."""
    visual_degrees: float = Field(default=8.0, gt=0)
    """Side of a stimulus in degrees of visual angle."""


class Kriegeskorte2008Recordings(Recordings):
    """The published 92-image RDMs of monkey or human IT (Kriegeskorte et al. 2008)."""

    source: Literal["kriegeskorte2008"]
    """Selects this layout."""
    species: Literal["monkey", "human"] = "monkey"
    """Whose IT."""
    folder: str = "kriegeskorte2008"
    """Folder of the published files; relative paths are looked for in the data folder."""
    visual_degrees: float | None = Field(default=None, gt=0)
    """Side of the stimuli in degrees; null means as published: 7 for the monkeys, 2.9 for the humans."""


RecordingsSource = Annotated[
    SimulatedRecordings | BrainIORecordings | Cowley2023Recordings | Kriegeskorte2008Recordings,
    Field(discriminator="source"),
]

RDM_ONLY_SOURCES = ("kriegeskorte2008",)
"""Sources that publish RDMs and no responses."""
