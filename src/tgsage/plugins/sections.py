"""What every section of the configuration has in common, and what is wrong with a section in one line."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import TgsageError, nearest

__all__ = ["Field", "Later", "Section", "checked", "refuse_unknown"]

_LATER = "added_after_the_first_release"


def Later(default: Any, **constraints: Any) -> Any:
    """Declare a key that was added after the first release.

    At its default such a key is left out of the store's keys and of the seeds that are made from a section
    (:meth:`Section.keyed`), so that everything that was made before the key existed is still found. Hence the
    default must be what the code did before, and must never change.
    """
    return Field(default=default, json_schema_extra={_LATER: True}, **constraints)


class Section(BaseModel):
    """A typed, immutable part of the configuration in which an unknown key is an error."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=False, use_attribute_docstrings=True,
        # Plugins register after the first sections are defined: a schema is built when it is first needed.
        defer_build=True,
    )  # fmt: skip

    def plain(self) -> dict[str, Any]:
        """Return the section as JSON-ready values, defaults written out."""
        return self.model_dump(mode="json")

    def keyed(self) -> dict[str, Any]:
        """Return :meth:`plain` without the keys declared :func:`Later` that are at their default."""
        values = self.plain()
        for name, field in type(self).model_fields.items():
            extra = field.json_schema_extra
            if isinstance(extra, dict) and extra.get(_LATER) and getattr(self, name) == field.default:
                del values[name]
        return values


SectionType = TypeVar("SectionType", bound=Section)


def refuse_unknown(what: str, key: str, name: str, names: Collection[str]) -> None:
    """Raise a ValueError if a name that stands under ``key`` is not among ``names``."""
    if name not in names:
        raise ValueError(
            f"{key}: no {what} is called {name!r}{nearest(name, names)}; there are: "
            f"{', '.join(sorted(names)) or 'none'}"
        )


def checked(where: str, kind: type[SectionType], values: Mapping[str, Any]) -> SectionType:
    """Return a section of the values.

    Raises
    ------
    TgsageError
        One line that begins with ``where`` and names every key that is wrong.
    """
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        lines = []
        for detail in error.errors():
            key = ".".join(str(part) for part in detail["loc"])
            message = detail["msg"].removeprefix("Value error, ")
            if detail["type"] == "extra_forbidden":
                message = f"unknown setting{nearest(key, kind.model_fields)}"
            lines.append(f"{key}: {message[0].lower() + message[1:]}" if key else message)
        raise TgsageError(f"{where}: " + "; ".join(lines)) from None
