"""Settings of the network teacher."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from ....plugins import register
from ...settings import CifarResNet, LayerTargets, TeacherSettings


@register
class NetworkTeacher(CifarResNet, LayerTargets):
    """Target RDMs from a network that was trained on the task: the paper's first teacher."""

    code: ClassVar[str] = "tgsage.teacher.kinds.network.teacher:make"

    kind: Literal["network"]
    """Selects this kind."""

    def target_names(self, _teachers: Mapping[str, TeacherSettings]) -> list[str]:
        """Return the names of the three stacks."""
        return ["stack_1", "stack_2", "stack_3"]
