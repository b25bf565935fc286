"""What the settings of all search spaces have in common."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from ..errors import unknown
from ..plugins import Choice, Plugin, checked


class SpaceSettings(Plugin):
    """Settings of a search space.

    Attributes
    ----------
    code
        A subclass of :class:`tgsage.spaces.Space` that is constructed with these settings.
    overridable
        The settings in which networks may differ from those of the search when they are trained to maturity;
        None stands for all of them, as long as they do not change the choices.
    dense
        Whether no network of the space has a grouped or depthwise convolution. Such networks train faster in
        bfloat16 on some processors, and ``precision: auto`` heeds that.
    notation
        How a benchmark's own texts of architectures begin; empty if ``Space.parse`` reads JSON only.
    """

    plugin_kind: ClassVar[str] = "space"
    overridable: ClassVar[tuple[str, ...] | None] = None
    dense: ClassVar[bool] = False
    notation: ClassVar[str] = ""

    def files(self) -> list[str]:
        """Return the files that the space is read from."""
        return []

    def located(self, data_root: Path) -> Self:  # noqa: ARG002
        """Return the settings with files that the working folder lacks looked for in the data folder."""
        return self

    def overridden(self, overrides: Mapping[str, Any]) -> Self:
        """Return the settings with some of them changed; a TgsageError if one is unknown or out of range."""
        name = self.plugin_name()
        fields = self.overridable or tuple(field for field in type(self).model_fields if field != "name")
        for key in overrides:
            if key not in fields:
                raise unknown(f"override of space {name}", str(key), fields)
        return checked(f"space {name}", type(self), {**self.plain(), **overrides})


SpaceSource = Annotated[SpaceSettings, Choice("space")]
