"""Settings of the simulated macaque."""

from typing import Annotated, ClassVar, Literal

from pydantic import ValidationInfo, field_validator

from ...plugins import Field, register
from ...recordings.settings import RecordingsSettings


@register
class SimulatedRecordings(RecordingsSettings):
    """The simulated macaque: a network trained on rendered objects, recorded through noisy sites."""

    code: ClassVar[str] = "tgsage.demo.simulated_macaque.reader"
    label: ClassVar[str] = "simulated macaque"
    has_files: ClassVar[bool] = False
    simulated: ClassVar[bool] = True

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
