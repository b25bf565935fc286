"""Settings that travelled as plain values, typed again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ..errors import TgsageError
from .base import Section


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


def given(settings: Section | Mapping[str, Any] | str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of settings given as an object, a mapping or a name, with options put over them."""
    if isinstance(settings, str):
        return {"name": settings, **options}
    plain = settings.plain() if isinstance(settings, Section) else dict(settings)
    return {**plain, **options}


def checked(what: str, kind: type[Section], values: Mapping[str, Any]) -> Any:
    """Return a section of the values.

    Raises
    ------
    TgsageError
        One line that begins with ``what`` and names every key that is wrong.
    """
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        lines = []
        for detail in error.errors():
            key = ".".join(str(part) for part in detail["loc"])
            message = detail["msg"].removeprefix("Value error, ")
            lines.append(f"{key}: {message[0].lower() + message[1:]}" if key else message)
        raise TgsageError(f"{what}: " + "; ".join(lines)) from None
