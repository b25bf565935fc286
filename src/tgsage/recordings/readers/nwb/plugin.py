"""Settings of the source ``nwb``."""

from typing import ClassVar, Literal, Self

from pydantic import model_validator

from ....plugins import Field, register
from ...settings import RecordingsSettings


@register
class NwbRecordings(RecordingsSettings):
    """Spike times in an NWB 2 file (Neurodata Without Borders), counted around every presentation."""

    code: ClassVar[str] = "tgsage.recordings.readers.nwb.reader"
    label: ClassVar[str] = "Neurodata Without Borders"

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
    def _fits(self) -> Self:
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
