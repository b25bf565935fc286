"""Settings of the sources ``cifar10`` and ``cifar100``."""

from typing import ClassVar, Literal

from ....plugins import Field, register
from ...settings import TaskSettings


class CifarSettings(TaskSettings):
    """What both have."""

    code: ClassVar[str] = "tgsage.tasks.readers.cifar.reader"
    meta: ClassVar[str]
    """File with the names of the classes."""
    batches: ClassVar[dict[str, list[str]]]
    """Files of the published parts."""

    folder: str

    def label_kind(self) -> str:
        """Return what the keys of labels begin with in the files."""
        return ""


@register
class Cifar10(CifarSettings):
    """CIFAR-10 from its standard python pickles."""

    label: ClassVar[str] = "CIFAR-10"
    meta: ClassVar[str] = "batches.meta"
    batches: ClassVar[dict[str, list[str]]] = {
        "train": [f"data_batch_{number}" for number in range(1, 6)],
        "test": ["test_batch"],
    }

    source: Literal["cifar10"]
    """Selects this layout."""
    folder: str = "cifar-10-batches-py"
    """Folder of the published files; relative paths are looked for in the data folder."""
    n_validation: int = Field(default=2000, ge=1)
    """Images on which the search is rewarded."""


@register
class Cifar100(CifarSettings):
    """CIFAR-100 from its standard python pickles."""

    label: ClassVar[str] = "CIFAR-100"
    meta: ClassVar[str] = "meta"
    batches: ClassVar[dict[str, list[str]]] = {"train": ["train"], "test": ["test"]}

    source: Literal["cifar100"]
    """Selects this layout."""
    folder: str = "cifar-100-python"
    """Folder of the published files; relative paths are looked for in the data folder."""
    labels: Literal["fine", "coarse"] = "fine"
    """The 100 classes, or the 20 superclasses that hold five of them each."""
    n_validation: int = Field(default=5000, ge=1)
    """Images on which the search is rewarded; split off the training images."""

    def label_kind(self) -> str:
        """Return what the keys of labels begin with in the files."""
        return f"{self.labels}_"
