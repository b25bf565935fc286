"""What every figure declares: what it shows, and where it stands."""

from __future__ import annotations

from typing import ClassVar, Literal

from ..plugins import Plugin


class FigureSettings(Plugin):
    """A figure of a search, of a teacher, or of the searches of a run beside each other.

    Its ``code`` is a function that takes a :class:`tgsage.plots.SearchData`, ``TeacherData`` or
    ``ComparisonData`` and returns a list of :class:`tgsage.plots.Drawing`, empty where the figure does not
    apply. ``of`` says what it shows, ``position`` where among the figures of the same thing.
    """

    plugin_kind: ClassVar[str] = "figure"
    of: ClassVar[Literal["search", "teacher", "comparison"]]
    position: ClassVar[int]
