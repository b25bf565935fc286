"""The figures ``layers`` and ``layers_over_training``."""

from typing import ClassVar, Literal

from ....plugins import register
from ...settings import FigureSettings


@register
class Layers(FigureSettings):
    """Similarity of every layer of the final network with every target."""

    name: Literal["layers"]
    """Selects this one."""
    code: ClassVar = "tgsage.plots.figures.layers.figure:layers_drawings"
    of: ClassVar = "search"
    position: ClassVar = 30


@register
class LayersOverTraining(FigureSettings):
    """Similarity of every layer with every target at each checkpoint of the final training."""

    name: Literal["layers_over_training"]
    """Selects this one."""
    code: ClassVar = "tgsage.plots.figures.layers.figure:layers_over_training_drawings"
    of: ClassVar = "search"
    position: ClassVar = 40
