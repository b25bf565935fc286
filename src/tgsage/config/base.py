"""What every section of the configuration has in common."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Field", "Section"]


class Section(BaseModel):
    """A typed, immutable part of the configuration in which an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, use_attribute_docstrings=True)

    def plain(self) -> dict[str, Any]:
        """Return the section as JSON-ready values, defaults written out."""
        return self.model_dump(mode="json")
