"""Settings of a list of architectures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from ...errors import TgsageError
from ...plugins import Choice, register
from ..settings import SpaceSettings


@register
class ListSettings(SpaceSettings):
    """A list of architectures of another space."""

    code: ClassVar[str] = "tgsage.spaces.listed.space:ListSpace"
    label: ClassVar[str] = "listed architectures"
    overridable: ClassVar[tuple[str, ...] | None] = ("of",)

    name: Literal["list"]
    """Selects this one."""
    file: str
    """csv or JSON; a relative path is looked for in the working folder, then in the data folder."""
    column: str = "architecture"
    """Column of the csv, or key of the JSON objects, that holds the architecture."""
    of: Annotated[SpaceSettings, Choice("space", without=["list"])]
    """The space of the listed architectures."""

    def files(self) -> list[str]:
        """Return the file."""
        return [self.file]

    def located(self, data_root: Path) -> Self:
        """Return the settings with the file in the data folder, unless it is in the working folder."""
        if Path(self.file).exists():
            return self
        return self.model_copy(update={"file": str(data_root / self.file)})

    def overridden(self, overrides: Mapping[str, Any]) -> Self:
        """Return the settings with some settings of the space ``of`` changed."""
        from ..registry import with_overrides

        of = overrides.get("of", {})
        if not isinstance(of, Mapping):
            raise TgsageError(f"of: an override of space list must be a mapping, not {of!r}")
        return super().overridden({**overrides, "of": with_overrides(self.of, of).plain()})
