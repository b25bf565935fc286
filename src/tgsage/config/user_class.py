"""Where a class of the user's own is: a space or a sampler in a Python file."""

from __future__ import annotations

from typing import Any

from ..settings import Field, Section


class UserFile(Section):
    """A file of the user's own code, which is run when the configuration names it."""

    file: str
    """A Python file; a relative path is looked for in the working folder. It is run as it is, with your
    rights: name only files that you trust."""
    options: dict[str, Any] = {}
    """Keyword arguments of the class."""


def class_field() -> dict[str, Any]:
    """The field ``class``, which Python lets no class statement name, for ``pydantic.create_model``."""
    return {"class": (str, Field(description="Name of the class in that file."))}
