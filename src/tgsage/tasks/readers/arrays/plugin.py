"""Settings of the source ``arrays``."""

from typing import ClassVar, Literal

from ....plugins import register
from ...settings import OwnImagesSettings


@register
class ImageArrays(OwnImagesSettings):
    """Images and labels as arrays of an npz or HDF5 file."""

    code: ClassVar[str] = "tgsage.tasks.readers.arrays.reader"
    label: ClassVar[str] = "arrays of images"

    source: Literal["arrays"]
    """Selects this layout."""
    path: str
    """The file, ``.npz``, ``.h5`` or ``.hdf5``; relative paths are looked for in the data folder."""
    images: str = "images"
    """Name of the images, uint8 (n, height, width) or (n, height, width, 3). With ``{part}`` in it there is
    one array per part, ``train``, ``validation`` (or ``val``) and ``test``, e.g. ``x_{part}``."""
    labels: str = "labels"
    """Name of the labels, (n,) whole numbers or text; ``{part}`` as for images."""
    split: str | None = None
    """Name of an array (n,) of text that says of every image ``train``, ``validation`` (or ``val``) or
    ``test``; null where there is none."""
    class_names: str | None = None
    """Name of an array of text: label i is the class of entry i. Null calls classes by their label."""
