"""Settings of the source ``brainio``."""

from typing import ClassVar, Literal

from ....plugins import Field, register
from ...settings import RecordingsSettings


@register
class BrainIORecordings(RecordingsSettings):
    """A BrainIO package: an assembly (netCDF) beside a stimulus csv and its zip."""

    code: ClassVar[str] = "tgsage.recordings.readers.brainio.reader"
    label: ClassVar[str] = "BrainIO package"

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
