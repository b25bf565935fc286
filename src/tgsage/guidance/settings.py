"""What the settings of all guidances have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from ..plugins import Choice, Plugin
from ..settings import Field

if TYPE_CHECKING:
    from ..config.run import RunConfig

Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class GuidanceSettings(Plugin):
    """Settings of a guidance.

    Attributes
    ----------
    code
        A function that is called with these settings and returns a :data:`tgsage.guidance.Scorer`.
    needs_teacher
        Whether an arm with this guidance must have a teacher.
    """

    plugin_kind: ClassVar[str] = "guidance"
    needs_teacher: ClassVar[bool] = True

    @property
    def needs_profiles(self) -> bool:
        """Whether the scores are made from profiles (layers by targets) besides the ledger."""
        return False

    def files(self) -> list[str]:
        """Return the files that the guidance reads, as the configuration names them."""
        return []

    def check(self, arm: str, config: RunConfig) -> None:
        """Raise a ValueError if an arm of the configuration lacks what the guidance needs."""
        if self.needs_teacher and config.search.arms[arm].teacher is None:
            raise ValueError(
                f"search.arms.{arm}: guidance {self.plugin_name()!r} needs a teacher; name one or choose "
                "p_only"
            )


GuidanceSource = Annotated[GuidanceSettings, Choice("guidance")]
