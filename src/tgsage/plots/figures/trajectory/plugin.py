"""The figure ``trajectory``."""

from typing import ClassVar, Literal

from ....plugins import register
from ...settings import FigureSettings


@register
class Trajectory(FigureSettings):
    """Accuracy, teacher guidance and score of every candidate in order, and the best so far."""

    name: Literal["trajectory"]
    """Selects this one."""
    code: ClassVar = "tgsage.plots.figures.trajectory.figure:trajectory_drawings"
    of: ClassVar = "search"
    position: ClassVar = 10
