"""Settings of the source ``hdf5``."""

from typing import ClassVar, Literal

from ....plugins import Field, register
from ...settings import RecordingsSettings


@register
class Hdf5Recordings(RecordingsSettings):
    """Responses and stimuli in one HDF5 file of the plain layout of docs/recordings/hdf5.md."""

    code: ClassVar[str] = "tgsage.recordings.readers.hdf5.reader"
    label: ClassVar[str] = "HDF5 of the plain layout"

    source: Literal["hdf5"]
    """Selects this layout."""
    file: str
    """The HDF5 file; relative paths are looked for in the data folder."""
    visual_degrees: float | None = Field(default=None, gt=0)
    """Side of a stimulus in degrees of visual angle; null means the file's attribute ``visual_degrees``."""
