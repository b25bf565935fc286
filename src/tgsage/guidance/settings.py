"""What the settings of all guidances have in common."""

from typing import Annotated, ClassVar

from ..plugins import Choice, Field, Plugin

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
    def needs_untrained(self) -> bool:
        """Whether candidates are compared with what they were before they were trained."""
        return False

    def files(self) -> list[str]:
        """Return the files that the guidance reads, as the configuration names them."""
        return []

    def check(self, arm: str, *, teacher: str | None, observe: str | None, keeps_untrained: bool) -> None:  # noqa: ARG002 (observe is for others)
        """Raise a ValueError if an arm of the configuration lacks what the guidance needs.

        ``teacher`` and ``observe`` are the names of the arm's teachers; ``keeps_untrained`` says whether
        candidates are also measured before they are trained.
        """
        if self.needs_teacher and teacher is None:
            raise ValueError(
                f"search.arms.{arm}: guidance {self.plugin_name()!r} needs a teacher; name one or choose "
                "p_only"
            )
        if self.needs_untrained and not keeps_untrained:
            raise ValueError(
                f"search.arms.{arm}: the guidance's 'gain' compares with the untrained network; add 0 to "
                "search.premature.checkpoints"
            )


GuidanceSource = Annotated[GuidanceSettings, Choice("guidance")]
