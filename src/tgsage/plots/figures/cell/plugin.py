"""The figure ``cell``."""

from typing import ClassVar, Literal

from ....plugins import register
from ...settings import FigureSettings


@register
class Cell(FigureSettings):
    """The cell that won."""

    name: Literal["cell"]
    """Selects this one."""
    code: ClassVar = "tgsage.plots.figures.cell.figure:cell_drawings"
    of: ClassVar = "search"
    position: ClassVar = 70
