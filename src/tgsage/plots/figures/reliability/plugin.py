"""The figure ``reliability``."""

from typing import ClassVar, Literal

from ....plugins import register
from ...settings import FigureSettings


@register
class Reliability(FigureSettings):
    """Split-half reliability of recorded sites."""

    name: Literal["reliability"]
    """Selects this one."""
    code: ClassVar = "tgsage.plots.figures.reliability.figure:reliability_drawings"
    of: ClassVar = "teacher"
    position: ClassVar = 30
