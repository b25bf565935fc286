"""Settings that travelled as plain values, typed again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter


def section(kind: Any, plain: Mapping[str, Any]) -> Any:
    """Return the settings object of a (discriminated union of a) section type.

    Parameters
    ----------
    kind
        A section class, or a union such as ``tgsage.config.task.TaskSource``.
    plain
        What :meth:`~tgsage.config.base.Section.plain` gave.
    """
    return TypeAdapter(kind).validate_python(dict(plain))
