"""Settings of the source ``image_folder``."""

from typing import ClassVar, Literal

from ....plugins import register
from ...settings import OwnImagesSettings


@register
class ImageFolder(OwnImagesSettings):
    """A folder of images per class, or a zip of such folders."""

    code: ClassVar[str] = "tgsage.tasks.readers.image_folder.reader"
    label: ClassVar[str] = "folder of images"

    source: Literal["image_folder"]
    """Selects this layout."""
    path: str
    """The folder or zip: ``<class>/<image>``, or ``train/<class>/<image>`` with ``val`` or ``validation``,
    and ``test``, beside ``train``. Relative paths are looked for in the data folder."""
