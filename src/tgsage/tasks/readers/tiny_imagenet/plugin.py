"""Settings of the source ``tiny_imagenet``."""

from typing import ClassVar, Literal

from ....plugins import Field, register
from ...settings import TaskSettings


@register
class TinyImageNet(TaskSettings):
    """Tiny ImageNet from its published tree. Published validation images are the test images."""

    code: ClassVar[str] = "tgsage.tasks.readers.tiny_imagenet.reader"
    label: ClassVar[str] = "Tiny ImageNet"

    source: Literal["tiny_imagenet"]
    """Selects this layout."""
    path: str = "tiny-imagenet-200"
    """The published folder, or its zip, which is not unpacked; relative paths are looked for in the data
    folder."""
    resolution: int = Field(default=64, ge=8)
    """Side of the images in pixels; published images have 64."""
    class_names: Literal["wnid", "words"] = "wnid"
    """What classes are called: the WordNet identifier, or the first of the words that ``words.txt`` has for
    it."""
    n_validation: int = Field(default=10000, ge=1)
    """Images on which the search is rewarded; split off the training images."""
