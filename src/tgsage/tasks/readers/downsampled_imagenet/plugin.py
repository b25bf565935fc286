"""Settings of the source ``downsampled_imagenet``."""

from typing import ClassVar, Literal

from ....plugins import Field, register
from ...settings import TaskSettings


@register
class DownsampledImageNet(TaskSettings):
    """ImageNet at 64x64, 32x32 or less (Chrabaszcz et al. 2017).

    Published validation images are the test images.
    """

    code: ClassVar[str] = "tgsage.tasks.readers.downsampled_imagenet.reader"
    label: ClassVar[str] = "downsampled ImageNet"

    source: Literal["downsampled_imagenet"]
    """Selects this layout."""
    folder: str = "Imagenet64"
    """Folder of ``train_data_batch_<i>`` and ``val_data``; relative paths are looked for in the data
    folder."""
    files: Literal["pickle", "npz"] = "pickle"
    """Which of the two published versions is there; npz needs less memory to read."""
    batches: int = Field(default=10, ge=1, le=10)
    """How many of the ten training batches are read, from the first on."""
    resolution: int = Field(default=64, ge=8)
    """Side of the images in pixels; other sizes are resized."""
    class_map: str | None = None
    """File in the folder with lines of wnid, label and words (``map_clsloc.txt`` of the ILSVRC development
    kit, by which the authors numbered the classes): classes are called by wnid. Null calls them by their
    published label, from 1 to 1000."""
    classes: list[str | int] | None = None  # type: ignore[assignment]
    """Keep these classes only, each a published label or, with a class map, a wnid; null keeps all."""
    n_validation: int = Field(default=50000, ge=1)
    """Images on which the search is rewarded; split off the training images."""
