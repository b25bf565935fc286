"""Settings of the source ``cifar100``."""

from __future__ import annotations

from typing import ClassVar, Literal

from ....plugins import register
from ....settings import Field
from ...settings import TaskSettings


@register
class Cifar100(TaskSettings):
    """CIFAR-100 from its standard python pickles."""

    code: ClassVar[str] = "tgsage.tasks.readers.cifar100.reader"
    label: ClassVar[str] = "CIFAR-100"

    source: Literal["cifar100"]
    """Selects this layout."""
    folder: str = "cifar-100-python"
    """Folder of the published files; relative paths are looked for in the data folder."""
    labels: Literal["fine", "coarse"] = "fine"
    """The 100 classes, or the 20 superclasses that hold five of them each."""
    n_validation: int = Field(default=5000, ge=1)
    """Images on which the search is rewarded; split off the training images."""
