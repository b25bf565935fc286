"""Settings of the source ``cadieu2014``."""

from typing import ClassVar, Literal

from ....plugins import Field, register
from ...settings import RecordingsSettings


@register
class Cadieu2014Recordings(RecordingsSettings):
    """V4 and IT sites of two monkeys, averaged over repetitions, as Cadieu et al. 2014 published them."""

    code: ClassVar[str] = "tgsage.recordings.readers.cadieu2014.reader"
    label: ClassVar[str] = "Cadieu et al. 2014"

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
