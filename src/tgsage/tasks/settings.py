"""Settings that all tasks share."""

from typing import ClassVar, Literal

from ..plugins import DataSource, Field


class TaskSettings(DataSource):
    """Settings that all tasks share. The three parts of a task are disjoint and stratified by class.

    ``code`` is a module, or a class, with two functions. ``read(settings, data_root, scratch)`` returns a
    :class:`~tgsage.tasks.Task`. ``raw_files(settings, data_root)`` returns the list of the files that
    ``read`` reads.
    """

    plugin_kind: ClassVar[str] = "task"

    resolution: int = Field(default=32, ge=8)
    """Side of the images in pixels; other sizes are resized."""
    seed: int = Field(default=0, ge=0)
    """Seed of the split (and of the rendering, where images are rendered)."""
    classes: list[str] | None = None
    """Keep these classes only; null keeps all."""
    n_train: int | None = Field(default=None, ge=1)
    """Training images; null takes what the other parts leave."""
    n_validation: int | None = Field(default=None, ge=1)
    """Images on which the search is rewarded; null takes all that are published as validation images."""
    n_test: int | None = Field(default=None, ge=1)
    """Test images; null takes all that are published as test images."""


class OwnImagesSettings(TaskSettings):
    """Further settings for your own images: their shape, and where they came from."""

    fit: Literal["crop", "pad"] = "crop"
    """What happens to an image that is not square: ``crop`` keeps the square in its middle, ``pad`` puts it
    in the middle of a square of ``padding``. Both before resizing."""
    padding: int = Field(default=128, ge=0, le=255)
    """Grey value around padded images."""
    published_validation: Literal["validation", "test"] = "validation"
    """What the images that come as validation images are used as; ``test`` splits validation off the
    training images, for collections whose test labels are not public."""
    simulated: bool = False
    """Whether the images were rendered or otherwise made up; figures then say so."""
