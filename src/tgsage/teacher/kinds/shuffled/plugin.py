"""Settings of the shuffled teacher."""

from __future__ import annotations

from typing import ClassVar, Literal

from ....plugins import Field, register
from ...settings import ControlSettings


@register
class ShuffledTeacher(ControlSettings):
    """A control: the stimulus labels of another teacher's RDMs, permuted."""

    code: ClassVar[str] = "tgsage.teacher.kinds.shuffled.teacher:make"

    kind: Literal["shuffled"]
    """Selects this kind."""
    within: Literal["all", "category"] = "all"
    """Permute over all stimuli, or within categories only."""
    seed: int = Field(default=0, ge=0)
    """Seed of the draws."""
