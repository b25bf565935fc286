"""Settings of the source ``fashion_mnist``."""

from typing import ClassVar, Literal

from ....plugins import Field, register
from ...settings import TaskSettings


@register
class FashionMnist(TaskSettings):
    """Fashion-MNIST, MNIST, EMNIST and the like: idx files, packed with gzip or not."""

    code: ClassVar[str] = "tgsage.tasks.readers.fashion_mnist.reader"
    label: ClassVar[str] = "Fashion-MNIST and the like"

    source: Literal["fashion_mnist"]
    """Selects this layout."""
    folder: str = "fashion-mnist"
    """Folder of the four published files; relative paths are looked for in the data folder."""
    train: str = "train"
    """What the names of the two training files begin with, before ``-images-idx3-ubyte``; EMNIST has, e.g.,
    ``emnist-letters-train``."""
    test: str = "t10k"
    """The same of the two files of test images."""
    class_names: list[str] | None = None
    """Names of the classes, in the order of the labels from 0 on; null calls them by their label."""
    transposed: bool = False
    """Whether rows and columns of the published images are exchanged, as those of EMNIST are."""
    n_validation: int = Field(default=5000, ge=1)
    """Images on which the search is rewarded; split off the training images."""
