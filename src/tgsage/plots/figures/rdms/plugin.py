"""The figures ``rdms`` and ``teacher_rdms``."""

from typing import ClassVar, Literal

from ....plugins import register
from ...settings import FigureSettings


@register
class SearchRdms(FigureSettings):
    """The teacher's RDMs above those of the final network."""

    name: Literal["rdms"]
    """Selects this one."""
    code: ClassVar = "tgsage.plots.figures.rdms.figure:search_rdms_drawings"
    of: ClassVar = "search"
    position: ClassVar = 60


@register
class TeacherRdms(FigureSettings):
    """A teacher's RDMs."""

    name: Literal["teacher_rdms"]
    """Selects this one."""
    code: ClassVar = "tgsage.plots.figures.rdms.figure:teacher_rdms_drawings"
    of: ClassVar = "teacher"
    position: ClassVar = 10
