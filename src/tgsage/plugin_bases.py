"""Base classes of the settings of each kind of plugin, until each has moved beside its code."""

from __future__ import annotations

from typing import ClassVar

from .plugins import Plugin


class TeacherSettings(Plugin):
    """What every kind of teacher has."""

    plugin_kind: ClassVar[str] = "teacher"
