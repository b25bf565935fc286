"""Settings of the network teacher."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from ....plugins import Field, register
from ...settings import CifarResNet, RdmMetric, Splits, TeacherSettings


@register
class NetworkTeacher(CifarResNet, TeacherSettings):
    """Target RDMs from a network that was trained on the task: the paper's first teacher."""

    code: ClassVar[str] = "tgsage.teacher.kinds.network.teacher:make"
    runs_network: ClassVar[bool] = True

    kind: Literal["network"]
    """Selects this kind."""
    n_stimuli: int = Field(default=512, ge=40)
    """Validation images of the task on which the RDMs are taken."""
    subsamples: int = Field(default=10, ge=1)
    """RDMs of that many random feature subsamples are averaged (Bashivan et al. 2019)."""
    subsample_features: int = Field(default=1024, ge=8)
    """Features in each subsample."""
    metric: RdmMetric = "correlation"
    """Dissimilarity of two response patterns."""
    rdm: Literal["image", "category"] = "image"
    """One RDM entry per pair of images, or per pair of categories (patterns are averaged first)."""
    splits: Splits = Splits()
    """Which stimuli choose, reward and report."""
    seed: int = Field(default=0, ge=0)
    """Seed of the draws."""
    threads: int = Field(default=1, ge=1)
    """CPU threads of its training."""

    def target_names(self, _teachers: Mapping[str, TeacherSettings]) -> list[str]:
        """Return the names of the three stacks."""
        return ["stack_1", "stack_2", "stack_3"]
