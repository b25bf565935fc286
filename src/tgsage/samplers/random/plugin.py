"""Settings of random search."""

from typing import ClassVar, Literal

from ...plugins import register
from ..settings import SamplerSettings


@register
class RandomSettings(SamplerSettings):
    """Uniform draws without repetition."""

    code: ClassVar[str] = "tgsage.samplers.random.sampler:RandomSampler"
    label: ClassVar[str] = "random search"

    name: Literal["random"]
    """Selects this one."""
