"""What the settings of all samplers have in common."""

from typing import Annotated, ClassVar

from ..plugins import Choice, Field, Plugin


class SamplerSettings(Plugin):
    """Settings of a sampler: constraints that cost no training.

    Attributes
    ----------
    code
        A subclass of :class:`tgsage.samplers.Sampler` that is constructed with these settings.
    """

    plugin_kind: ClassVar[str] = "sampler"

    max_parameters: int | None = Field(default=None, ge=1)
    """Propose no network with more trainable parameters; null does not limit."""
    max_flops: int | None = Field(default=None, ge=1)
    """Propose no network whose forward pass of one image takes more FLOPs (2 x multiply-adds)."""
    constraint_resolution: int = Field(default=32, ge=1)
    """Side of the images, in pixels, for which ``max_flops`` is counted."""
    constraint_classes: int = Field(default=10, ge=1)
    """Classes of the networks whose parameters and FLOPs are counted."""


SamplerSource = Annotated[SamplerSettings, Choice("sampler")]
