"""Settings of the controls of encoded teachers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from ....plugins import Field, register
from ...settings import ControlSettings, Surroundings, TeacherSettings
from ..encoded.plugin import EncodedTeacher


@register
class EncodedControl(ControlSettings):
    """A control of an encoded teacher, with its stimuli, splits, targets, layers and settings."""

    code: ClassVar[str] = "tgsage.teacher.kinds.encoded_control.teacher:make"
    runs_network: ClassVar[bool] = True

    kind: Literal["encoded_control"]
    """Selects this kind."""
    control: Literal["shuffled", "bare"]
    """``shuffled``: the encoding fitted to responses whose stimulus labels were permuted. ``bare``: RDMs of
    the features themselves, without any recordings."""
    seed: int = Field(default=0, ge=0)
    """Seed of the permutation."""

    def datasets(self, teachers: Mapping[str, TeacherSettings]) -> list[str]:
        """Return the data sets of the encoded teacher."""
        return teachers[self.of].datasets(teachers)

    def check(self, name: str, run: Surroundings) -> None:
        """Raise if the original is not an encoded teacher."""
        super().check(name, run)
        original = run.teachers[self.of]
        if not isinstance(original, EncodedTeacher):
            raise ValueError(
                f"teachers.{name}.of: {self.of!r} is of kind {original.kind!r}; name a teacher of kind "
                "'encoded'"
            )
