"""Settings of the spaces of convnets with skip connections."""

from typing import ClassVar, Literal, Self

from pydantic import model_validator

from ...plugins import register
from ..settings import SpaceSettings


class ConvNetSettings(SpaceSettings):
    """What the convnets of Zoph and Le 2017 have in common: the options of every layer."""

    code: ClassVar[str] = "tgsage.spaces.convnet.space:ConvNetSpace"
    dense: ClassVar[bool] = True
    layers: ClassVar[int]
    """Number of layers."""

    heights: tuple[int, ...] = (1, 3, 5, 7)
    """Filter heights, odd."""
    widths: tuple[int, ...] = (1, 3, 5, 7)
    """Filter widths, odd."""
    filters: tuple[int, ...] = (24, 36, 48, 64)
    """Numbers of filters."""
    strides: tuple[int, ...] = (1, 2, 3)
    """Strides to choose from."""

    @model_validator(mode="after")
    def _options(self) -> Self:
        for field in ("heights", "widths", "filters", "strides"):
            options = getattr(self, field)
            if not options or min(options) < 1 or len(set(options)) < len(options):
                raise ValueError(f"{field}: needs at least one option, all different and positive")
            if field in ("heights", "widths") and any(option % 2 == 0 for option in options):
                raise ValueError(f"{field}: filter sizes must be odd")
        return self


@register
class ConvNet10Settings(ConvNetSettings):
    """Convnets of 10 layers with searched skip connections."""

    label: ClassVar[str] = "convnets of 10 layers"
    layers: ClassVar[int] = 10

    name: Literal["convnet10"]
    """Selects this one."""


@register
class ConvNet20Settings(ConvNetSettings):
    """Convnets of 20 layers with searched skip connections."""

    label: ClassVar[str] = "convnets of 20 layers"
    layers: ClassVar[int] = 20

    name: Literal["convnet20"]
    """Selects this one."""
