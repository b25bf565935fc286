"""Settings of the source ``kriegeskorte2008``."""

from typing import ClassVar, Literal

from ....plugins import Field, register
from ...settings import RecordingsSettings


@register
class Kriegeskorte2008Recordings(RecordingsSettings):
    """The published 92-image RDMs of monkey or human IT (Kriegeskorte et al. 2008)."""

    code: ClassVar[str] = "tgsage.recordings.readers.kriegeskorte2008.reader"
    label: ClassVar[str] = "Kriegeskorte et al. 2008"
    rdm_only: ClassVar[bool] = True

    source: Literal["kriegeskorte2008"]
    """Selects this layout."""
    species: Literal["monkey", "human"] = "monkey"
    """Whose IT."""
    folder: str = "kriegeskorte2008"
    """Folder of the published files; relative paths are looked for in the data folder."""
    visual_degrees: float | None = Field(default=None, gt=0)
    """Side of the stimuli in degrees; null means as published: 7 for the monkeys, 2.9 for the humans."""
