"""Settings of the pretrained teacher."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import model_validator

from ....plugins import Field, register
from ...settings import LayerTargets, TeacherSettings


@register
class PretrainedTeacher(LayerTargets):
    """Target RDMs from layers of a network of timm or torchvision, which learned something else."""

    code: ClassVar[str] = "tgsage.teacher.kinds.pretrained.teacher:make"

    kind: Literal["pretrained"]
    """Selects this kind."""
    architecture: str = Field(pattern=r"^(timm|torchvision):[^:]+$")
    """Library and name, ``timm:<name>`` or ``torchvision:<name>``; needs the extra ``vision``."""
    layers: list[str] = Field(min_length=1)
    """Submodules whose output is taken, a target each, as ``named_modules()`` calls them."""
    weights: str | None = None
    """A state dict (safetensors, or a torch checkpoint of tensors), relative to the data folder; null takes
    the library's own pretrained weights, which it downloads."""
    resolution: int | None = Field(default=None, ge=8)
    """Side in pixels to which the task's images are brought; null leaves them as they are."""
    resample: Literal["area", "bilinear", "bicubic"] = "bicubic"
    """Filter for that."""
    mean: list[float] = Field(default=[0.485, 0.456, 0.406], min_length=3, max_length=3)
    """Pixel mean that the network expects, as fractions of 255; the default is that of ImageNet."""
    std: list[Annotated[float, Field(gt=0)]] = Field(
        default=[0.229, 0.224, 0.225], min_length=3, max_length=3
    )
    """Pixel standard deviation that the network expects, as fractions of 255."""
    metric: Literal["correlation", "sqeuclidean", "cosine"] = "correlation"
    """Dissimilarity of two response patterns."""

    @model_validator(mode="after")
    def _layers_differ(self) -> PretrainedTeacher:
        if len(set(self.layers)) != len(self.layers):
            raise ValueError("layers names a layer twice; name every layer once")
        return self

    def target_names(self, _teachers: Mapping[str, TeacherSettings]) -> list[str]:
        """Return the layers."""
        return self.layers
