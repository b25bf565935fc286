"""Settings of the source ``cowley2023``."""

from typing import ClassVar, Literal

from ....plugins import Field, register
from ...settings import RecordingsSettings


@register
class Cowley2023Recordings(RecordingsSettings):
    """V4 spike counts of Cowley, Stan, Pillow and Smith 2023, in the published layout."""

    code: ClassVar[str] = "tgsage.recordings.readers.cowley2023.reader"
    label: ClassVar[str] = "Cowley et al. 2023"

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
