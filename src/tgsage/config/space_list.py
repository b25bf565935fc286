"""Settings of a list of architectures, but for the space that they are of."""

from __future__ import annotations

from ..settings import Section


class ListFile(Section):
    """The file that lists architectures."""

    file: str
    """csv or JSON; a relative path is looked for in the working folder, then in the data folder."""
    column: str = "architecture"
    """Column of the csv, or key of the JSON objects, that holds the architecture."""
