"""The figures ``similarity`` and ``ceilings``."""

from typing import ClassVar, Literal

from ....plugins import register
from ...settings import FigureSettings


@register
class Similarity(FigureSettings):
    """Similarity of the final network beside the teacher's noise ceilings."""

    name: Literal["similarity"]
    """Selects this one."""
    code: ClassVar = "tgsage.plots.figures.ceilings.figure:similarity_drawings"
    of: ClassVar = "search"
    position: ClassVar = 50


@register
class Ceilings(FigureSettings):
    """Noise ceilings of a teacher."""

    name: Literal["ceilings"]
    """Selects this one."""
    code: ClassVar = "tgsage.plots.figures.ceilings.figure:ceilings_drawings"
    of: ClassVar = "teacher"
    position: ClassVar = 20
