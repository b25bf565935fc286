"""Settings, and what is selected by them: readers, teachers, spaces, samplers, guidances and figures."""

from .registry import (
    GROUP,
    TAGS,
    Choice,
    DataSource,
    Plugin,
    alternatives,
    every,
    get,
    load_files,
    loaded_files,
    register,
    settings,
)
from .sections import Field, Later, Section, checked, refuse_unknown

__all__ = [
    "GROUP",
    "TAGS",
    "Choice",
    "DataSource",
    "Field",
    "Later",
    "Plugin",
    "Section",
    "alternatives",
    "checked",
    "every",
    "get",
    "load_files",
    "loaded_files",
    "refuse_unknown",
    "register",
    "settings",
]
