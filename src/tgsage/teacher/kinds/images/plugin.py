"""Settings of the controls made of images alone."""

from __future__ import annotations

from typing import ClassVar, Literal

from ....plugins import Field, register
from ...settings import ControlSettings


@register
class ImageTeacher(ControlSettings):
    """A control: RDMs of the same images that need no brain."""

    code: ClassVar[str] = "tgsage.teacher.kinds.images.teacher:make"

    kind: Literal["images"]
    """Selects this kind."""
    features: Literal["pixels", "labels", "gabor", "untrained"]
    """Pixel values; same category or not; V1-like Gabor energy; a CIFAR ResNet that was never trained."""
    metric: Literal["correlation", "sqeuclidean", "cosine"] = "correlation"
    """Metric of the RDM; ``labels`` has 0 within and 1 between categories whatever stands here."""
    seed: int = Field(default=0, ge=0)
    """Seed of the untrained network."""
