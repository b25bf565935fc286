"""What the settings of all guidances have in common."""

from __future__ import annotations

from typing import Annotated, ClassVar

from ..plugins import Choice, Plugin
from ..settings import Field

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

    @property
    def needs_observed(self) -> bool:
        """Whether the arm must observe a second teacher."""
        return False

    @property
    def needs_untrained(self) -> bool:
        """Whether candidates must be measured before they are trained, too."""
        return False

    def files(self) -> list[str]:
        """Return the files that the guidance reads, as the configuration names them."""
        return []


GuidanceSource = Annotated[GuidanceSettings, Choice("guidance")]
