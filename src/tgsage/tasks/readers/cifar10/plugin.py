"""Settings of the source ``cifar10``."""

from __future__ import annotations

from typing import ClassVar, Literal

from ....plugins import register
from ....settings import Field
from ...settings import TaskSettings


@register
class Cifar10(TaskSettings):
    """CIFAR-10 from its standard python pickles."""

    code: ClassVar[str] = "tgsage.tasks.readers.cifar10.reader"
    label: ClassVar[str] = "CIFAR-10"

    source: Literal["cifar10"]
    """Selects this layout."""
    folder: str = "cifar-10-batches-py"
    """Folder of the published files; relative paths are looked for in the data folder."""
    n_validation: int = Field(default=2000, ge=1)
    """Images on which the search is rewarded."""
