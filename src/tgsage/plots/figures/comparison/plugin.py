"""The figure ``comparison``."""

from typing import ClassVar, Literal

from ....plugins import register
from ...settings import FigureSettings


@register
class Comparison(FigureSettings):
    """What each arm found after how many training examples."""

    name: Literal["comparison"]
    """Selects this one."""
    code: ClassVar = "tgsage.plots.figures.comparison.figure:comparison_drawings"
    of: ClassVar = "comparison"
    position: ClassVar = 10
