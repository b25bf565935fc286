"""Where recordings come from."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import ValidationInfo, field_validator, model_validator

from ..plugin_bases import RecordingsSettings
from ..plugins import Choice, register
from ..settings import Field, Section


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


class Recordings(RecordingsSettings):
    """What every source has."""

    selection: Selection = Selection()
    """Which sites, time and repetitions are used."""


@register
class SimulatedRecordings(Recordings):
    """The simulated macaque: a network trained on rendered objects, recorded through noisy sites."""

    code: ClassVar[str] = "tgsage.recordings.simulated"

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


@register
class BrainIORecordings(Recordings):
    """A BrainIO package: an assembly (netCDF) beside a stimulus csv and its zip."""

    code: ClassVar[str] = "tgsage.recordings.readers.brainio_package"

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


@register
class Cowley2023Recordings(Recordings):
    """V4 spike counts of Cowley, Stan, Pillow and Smith 2023, in the published layout."""

    code: ClassVar[str] = "tgsage.recordings.readers.cowley2023"

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


@register
class Kriegeskorte2008Recordings(Recordings):
    """The published 92-image RDMs of monkey or human IT (Kriegeskorte et al. 2008)."""

    code: ClassVar[str] = "tgsage.recordings.readers.kriegeskorte2008"

    source: Literal["kriegeskorte2008"]
    """Selects this layout."""
    species: Literal["monkey", "human"] = "monkey"
    """Whose IT."""
    folder: str = "kriegeskorte2008"
    """Folder of the published files; relative paths are looked for in the data folder."""
    visual_degrees: float | None = Field(default=None, gt=0)
    """Side of the stimuli in degrees; null means as published: 7 for the monkeys, 2.9 for the humans."""


@register
class NwbRecordings(Recordings):
    """Spike times in an NWB 2 file (Neurodata Without Borders), counted around every presentation."""

    code: ClassVar[str] = "tgsage.recordings.readers.nwb"

    source: Literal["nwb"]
    """Selects this layout."""
    file: str
    """The NWB file; relative paths are looked for in the data folder."""
    table: str = "trials"
    """The table of presentations: ``trials``, ``epochs``, or the name of another table of intervals."""
    stimulus_column: str
    """Column of that table that names each presentation's stimulus."""
    start_column: str = "start_time"
    """Column of that table with the stimulus' onset, in seconds."""
    category_column: str | None = None
    """Column of that table with the stimulus' category; null means that there are no categories."""
    presentations: dict[str, list[bool | int | float | str]] = Field(default_factory=dict)
    """Keep the presentations whose column has one of these values, e.g. {completed: [true]}."""
    leave_out: list[str] = Field(default_factory=list)
    """Stimuli that are left out, e.g. blank screens."""
    units: dict[str, list[bool | int | float | str]] = Field(default_factory=dict)
    """Keep the units whose column has one of these values, e.g. {quality: [good]}."""
    region_column: str = "location"
    """Column that names a unit's region, looked for among the units and then among their electrodes."""
    animal: str | None = None
    """Name of the animal; null means the file's ``subject_id``."""
    window_ms: tuple[float, float] = (70, 170)
    """Spikes are counted from the window's start up to, not including, its end, after stimulus onset."""
    bin_ms: float | None = Field(default=None, gt=0)
    """Width of consecutive bins that fill the window; null counts the whole window once."""
    unobserved: Literal["error", "drop_presentations", "drop_units"] = "error"
    """What a window does that lies outside a unit's ``obs_intervals`` or in the file's ``invalid_times``."""
    images: str | None = None
    """Zip or folder with an image per stimulus, named like it; relative paths are looked for in the data
    folder."""
    image_template: str | None = None
    """Instead of ``images``: name of the file's own stimulus images (``Images`` or ``ImageSeries``)."""
    image_axes: Literal["xy", "yx"] | None = None
    """Order of the axes of ``image_template``; the standard says xy, many files have yx (rows first)."""
    visual_degrees: float = Field(default=8.0, gt=0)
    """Side of a stimulus in degrees of visual angle."""

    @model_validator(mode="after")
    def _fits(self) -> NwbRecordings:
        start, end = self.window_ms
        if not start < end:
            raise ValueError("window_ms: must be the window's start and its later end, in ms")
        if self.bin_ms is not None:
            n = (end - start) / self.bin_ms
            if round(n) < 1 or abs(n - round(n)) > 1e-6:
                raise ValueError(
                    f"bin_ms: {self.bin_ms:g} ms do not divide the window of {end - start:g} ms evenly"
                )
        if (self.images is None) == (self.image_template is None):
            raise ValueError("images: give either images or image_template")
        if self.image_template is not None and self.image_axes is None:
            raise ValueError(
                "image_axes: say whether image_template has rows first (yx) or columns first (xy)"
            )
        return self


@register
class Cadieu2014Recordings(Recordings):
    """V4 and IT sites of two monkeys, averaged over repetitions, as Cadieu et al. 2014 published them."""

    code: ClassVar[str] = "tgsage.recordings.readers.cadieu2014"

    source: Literal["cadieu2014"]
    """Selects this layout."""
    package: str = "cadieu2014/PLoSCB2014_data_20141216.zip"
    """The published zip, or the folder it was unpacked to; relative paths are looked for in the data
    folder."""
    units: Literal["multi", "single", "both"] = "multi"
    """Multi-unit sites, the single units that were sorted from them, or both."""
    regions: list[Literal["V4", "IT"]] = Field(default=["V4", "IT"], min_length=1)
    """Regions that are read."""
    visual_degrees: float = Field(default=8.0, gt=0)
    """Side of a stimulus in degrees of visual angle; 8 as published."""


@register
class Hdf5Recordings(Recordings):
    """Responses and stimuli in one HDF5 file of the plain layout of docs/recordings/hdf5.md."""

    code: ClassVar[str] = "tgsage.recordings.readers.hdf5_layout"

    source: Literal["hdf5"]
    """Selects this layout."""
    file: str
    """The HDF5 file; relative paths are looked for in the data folder."""
    visual_degrees: float | None = Field(default=None, gt=0)
    """Side of a stimulus in degrees of visual angle; null means the file's attribute ``visual_degrees``."""


RecordingsSource = Annotated[RecordingsSettings, Choice("recordings")]

RDM_ONLY_SOURCES = ("kriegeskorte2008",)
"""Sources that publish RDMs and no responses."""
