"""Base classes of the settings of each kind of plugin, until each has moved beside its code."""

from __future__ import annotations

from typing import ClassVar

from .plugins import Plugin
from .recordings.settings import RecordingsSettings as RecordingsSettings
from .settings import Field
from .tasks.settings import TaskSettings as TaskSettings


class SpaceSettings(Plugin):
    """What every search space has."""

    plugin_kind: ClassVar[str] = "space"


class SamplerSettings(Plugin):
    """What every sampler has: constraints that cost no training."""

    plugin_kind: ClassVar[str] = "sampler"

    max_parameters: int | None = Field(default=None, ge=1)
    """Propose no network with more trainable parameters; null does not limit."""
    max_flops: int | None = Field(default=None, ge=1)
    """Propose no network whose forward pass of one image takes more FLOPs (2 x multiply-adds)."""
    constraint_resolution: int = Field(default=32, ge=1)
    """Side of the images, in pixels, for which ``max_flops`` is counted."""
    constraint_classes: int = Field(default=10, ge=1)
    """Classes of the networks whose parameters and FLOPs are counted."""


class GuidanceSettings(Plugin):
    """What every guidance has."""

    plugin_kind: ClassVar[str] = "guidance"
