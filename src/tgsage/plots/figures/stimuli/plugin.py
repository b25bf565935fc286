"""The figure ``stimuli``."""

from typing import ClassVar, Literal

from ....plugins import register
from ...settings import FigureSettings


@register
class Stimuli(FigureSettings):
    """How each target arranges its stimuli."""

    name: Literal["stimuli"]
    """Selects this one."""
    code: ClassVar = "tgsage.plots.figures.stimuli.figure:stimuli_drawings"
    of: ClassVar = "teacher"
    position: ClassVar = 40
