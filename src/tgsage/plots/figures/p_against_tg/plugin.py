"""The figure ``p_against_tg``."""

from typing import ClassVar, Literal

from ....plugins import register
from ...settings import FigureSettings


@register
class PAgainstTg(FigureSettings):
    """Accuracy against teacher guidance, one point a candidate."""

    name: Literal["p_against_tg"]
    """Selects this one."""
    code: ClassVar = "tgsage.plots.figures.p_against_tg.figure:p_against_tg_drawings"
    of: ClassVar = "search"
    position: ClassVar = 20
